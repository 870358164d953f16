import type { Reason } from "./policy.ts"

/** What has happened since the start, of one group; only ever counted up. */
export class Totals {
  created = 0
  createFailures = 0
  borrowed = 0
  returned = 0
  timeouts = 0
  rejected = 0
  cancelled = 0
  healthChecks = 0
  hookFailures = 0
  readonly destroyed: Record<Reason, number> = {
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
    for (const reason of Object.keys(this.destroyed) as Array<Reason>) this.destroyed[reason] += that.destroyed[reason]
  }
}
