/**
 * What is seen from outside while the load runs: the pool by its statistics and events, the server by its own list of
 * backends. Writes the line of live progress, and remembers the extremes.
 */
import { Array, Clock, Duration, Effect, Number, Stream } from "effect"
import { Pool } from "proxy-pattern-pool"
import { Database } from "./database.ts"
import { Tally } from "./load.ts"
import { Postgres } from "./postgres.ts"
import { Screen } from "./screen.ts"

/** Watches until the Scope closes. */
export const watch = Effect.gen(function*() {
  const pool = yield* Database.pool
  const postgres = yield* Postgres
  const screen = yield* Screen
  const tally = yield* Tally
  const seen = { mostInUse: 0, mostBackends: 0 }
  let waits: Array<number> = []

  yield* Pool.events(pool).pipe(
    Stream.runForEach((event) =>
      Effect.sync(() => {
        if (event._tag === "Borrowed") waits.push(Duration.toMillis(event.waited))
      })
    ),
    Effect.forkScoped
  )

  const sample = Effect.gen(function*() {
    const { inUse } = yield* Pool.stats(pool)
    seen.mostInUse = Math.max(seen.mostInUse, inUse)
    seen.mostBackends = Math.max(seen.mostBackends, yield* postgres.backends)
  })
  // while the server is down there is nobody to ask
  yield* Effect.ignore(sample).pipe(Effect.delay("5 millis"), Effect.forever, Effect.forkScoped)

  const start = yield* Clock.currentTimeMillis
  let last = { at: start, requests: 0 }
  const progress = Effect.gen(function*() {
    const at = yield* Clock.currentTimeMillis
    const requests = tally.total()
    const { idle, inUse, waiting } = yield* Pool.stats(pool)
    const sorted = Array.sort(waits, Number.Order)
    const wait = (share: number) => pad(Math.round(sorted[Math.floor(sorted.length * share)] ?? 0), 4)
    yield* screen.update([
      `${((at - start) / 1000).toFixed(1).padStart(5)} s`,
      `${pad(Math.round((requests - last.requests) * 1000 / (at - last.at)), 5)} req/s`,
      `${pad(inUse, 2)} in use`,
      `${pad(idle, 2)} idle`,
      `${pad(waiting, 3)} waiting`,
      `p50 ${wait(0.5)} ms`,
      `p99 ${wait(0.99)} ms`
    ].join("  "))
    last = { at, requests }
    waits = []
  })
  yield* progress.pipe(Effect.delay(screen.isTerminal ? "250 millis" : "1 second"), Effect.forever, Effect.forkScoped)
  return seen
})

const pad = (value: number, width: number) => String(value).padStart(width)
