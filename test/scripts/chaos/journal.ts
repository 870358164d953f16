/** The last things that happened: what the pool told, and what was done to it. Printed when something is wrong. */
import { Cause, Clock, Context, Duration, Effect, Layer } from "effect"
import type { Pool } from "proxy-pattern-pool"

const kept = 200

export class Journal extends Context.Service<Journal, {
  /** Something that was done. */
  note(text: string): Effect.Effect<void>
  /** Something that the pool told. */
  event(event: Pool.Event): void
  /** How often creating a connection has failed, and how. */
  readonly failures: ReadonlyMap<string, number>
  /** One line each, oldest first. */
  readonly lines: () => ReadonlyArray<string>
}>()("chaos/Journal") {
  static readonly layer = Layer.effect(
    Journal,
    Effect.gen(function*() {
      const start = yield* Clock.currentTimeMillis
      const entries: Array<readonly [at: number, what: string | Pool.Event]> = []
      const failures = new Map<string, number>()
      const keep = (at: number, what: string | Pool.Event) => {
        entries.push([at, what])
        if (entries.length > kept) entries.shift()
      }
      return {
        note: (text) => Effect.map(Clock.currentTimeMillis, (at) => keep(at, text)),
        failures,
        event: (event) => {
          keep(event.at, event)
          if (event._tag !== "CreateFailed") return
          const reason = reasonOf(event.cause)
          failures.set(reason, (failures.get(reason) ?? 0) + 1)
        },
        lines: () =>
          entries.map(([at, what]) =>
            `${((at - start) / 1000).toFixed(3).padStart(9)}  ${
              typeof what === "string" ? `--- ${what}` : lineOf(what)
            }`
          )
      }
    })
  )
}

/** Without what differs from time to time. */
const reasonOf = (cause: Cause.Cause<unknown>) => {
  const error = Cause.squash(cause)
  return (error instanceof Error ? error.message : String(error)).replace(/[\d.:]{5,}/, "...")
}

const lineOf = ({ _tag, at: _at, pool: _pool, ...rest }: Pool.Event) => `${_tag} ${JSON.stringify(rest, readable)}`

/** Looks at what there is before JSON makes something else of it. */
function readable(this: Readonly<Record<string, unknown>>, key: string, json: unknown): unknown {
  const value = this[key]
  if (Duration.isDuration(value)) return Duration.format(value)
  return Cause.isCause(value) ? String(Cause.squash(value)) : json
}
