/**
 * The verdict: a table of what happened, and five things that must hold whatever happened. Nothing here has effects.
 */
import { Number } from "effect"
import type { Pool } from "proxy-pattern-pool"
import { kinds, outcomes, type Tally } from "./load.ts"

export interface Summary {
  readonly requests: Tally["Service"]["requests"]
  readonly recovery: Tally["Service"]["recovery"]
  readonly mostInUse: number
  readonly mostBackends: number
  readonly balances: { readonly before: number; readonly after: number }
  /** The pool when the load had ended, and after it was closed. */
  readonly idle: Pool.Stats
  readonly closed: Pool.Stats
  readonly backendsLeft: number
}

export const check = (summary: Summary) => {
  const { backendsLeft, balances, closed, idle, mostBackends, recovery } = summary
  return [
    { claim: `never more than ${closed.max} backends`, holds: mostBackends <= closed.max },
    { claim: "the sum of balances is unchanged", holds: balances.before === balances.after },
    { claim: "requests succeed again within 2 s of the restart", holds: recovery.took <= 2000 },
    { claim: "at the end nothing is in use and nobody waits", holds: idle.inUse === 0 && idle.waiting === 0 },
    {
      claim: "every object created was destroyed, and its backend has ended",
      holds: closed.created === destroyed(closed) && backendsLeft === 0
    }
  ]
}

export const table = (summary: Summary) => {
  const { balances, closed, mostBackends, mostInUse, recovery, requests } = summary
  const reasons = Object.entries(closed.destroyed).filter(([, count]) => count > 0)
  return [
    row("requests", ...outcomes),
    ...kinds.map((kind) => row(`  ${kind}`, ...outcomes.map((outcome) => requests[kind][outcome]))),
    row("objects created", closed.created),
    row("  attempts that failed", closed.createFailures),
    row("objects destroyed", destroyed(closed)),
    ...reasons.map(([reason, count]) => row(`  ${reason}`, count)),
    row("borrowed", closed.borrowed),
    row("  timed out waiting", closed.timeouts),
    row("  left while waiting", closed.cancelled),
    row("health checks", closed.healthChecks),
    row("hooks that failed", closed.hookFailures),
    row("most in use at once", mostInUse),
    row("most backends seen", mostBackends),
    row("sum of balances", balances.before, balances.after),
    row("served again after", `${recovery.took} ms`),
    "",
    ...check(summary).map(({ claim, holds }) => `${holds ? "  ok  " : "FAILED"}  ${claim}`)
  ].join("\n")
}

const destroyed = (stats: Pool.Stats) => Number.sumAll(Object.values(stats.destroyed))

const row = (name: string, ...values: ReadonlyArray<string | number>) =>
  name.padEnd(30) + values.map((value) => String(value).padStart(10)).join("")
