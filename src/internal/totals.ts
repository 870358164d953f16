import type { Reason } from "./policy.ts"

const none = (): Record<Reason, number> => ({
  idle: 0,
  lifetime: 0,
  uses: 0,
  unhealthy: 0,
  invalidated: 0,
  revoked: 0,
  evicted: 0,
  resized: 0,
  failed: 0,
  shutdown: 0
})

/** What has happened since the start, of one group; only ever counted up. */
export class Totals {
  created = 0
  createFailures = 0
  timeouts = 0
  rejected = 0
  cancelled = 0
  healthChecks = 0
  hookFailures = 0
  /** Most keys have lost nothing yet. */
  #destroyed: Record<Reason, number> | undefined = undefined
  borrowed = 0
  returned = 0

  get destroyed(): Record<Reason, number> {
    return this.#destroyed ??= none()
  }

  add(that: Totals): void {
    this.created += that.created
    this.createFailures += that.createFailures
    this.borrowed += that.borrowed
    this.returned += that.returned
    this.timeouts += that.timeouts
    this.rejected += that.rejected
    this.cancelled += that.cancelled
    this.healthChecks += that.healthChecks
    this.hookFailures += that.hookFailures
    const more = that.#destroyed
    if (more === undefined) return
    const { destroyed } = this
    for (const reason of Object.keys(more) as Array<Reason>) destroyed[reason] += more[reason]
  }
}
