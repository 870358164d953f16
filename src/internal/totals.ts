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

const counted = [
  "borrowed",
  "cancelled",
  "createFailures",
  "created",
  "healthChecks",
  "hookFailures",
  "rejected",
  "returned",
  "timeouts"
] as const

/** What has happened since the start, of one group; only ever counted up. */
export class Totals {
  declare borrowed: number
  declare returned: number
  declare created: number
  declare createFailures: number
  declare timeouts: number
  declare rejected: number
  declare cancelled: number
  declare healthChecks: number
  declare hookFailures: number
  /** Most keys have lost nothing yet. */
  declare private lost: Record<Reason, number> | undefined

  constructor() {
    // one that is more than its totals begins when it has made what it needs more often
    if (new.target === Totals) this.begin()
  }

  protected begin(): void {
    this.borrowed = 0
    this.returned = 0
    this.created = 0
    this.createFailures = 0
    this.timeouts = 0
    this.rejected = 0
    this.cancelled = 0
    this.healthChecks = 0
    this.hookFailures = 0
    this.lost = undefined
  }

  get destroyed(): Record<Reason, number> {
    return this.lost ??= none()
  }

  /** How often each happened, but for `destroyed`. */
  get counts(): Record<(typeof counted)[number], number> {
    const counts = {} as Record<(typeof counted)[number], number>
    for (const name of counted) counts[name] = this[name]
    return counts
  }

  add(that: Totals): void {
    for (const name of counted) this[name] += that[name]
    const more = that.lost
    if (more === undefined) return
    const { destroyed } = this
    for (const reason of Object.keys(more) as Array<Reason>) destroyed[reason] += more[reason]
  }
}
