/**
 * Looks all the while for what must never happen. Each watch ends only with a violation.
 */
import { Clock, Duration, Effect, Stream } from "effect"
import { Pool } from "proxy-pattern-pool"
import { Database } from "../../../docs/examples/bank/database.ts"
import { Postgres } from "../../../docs/examples/bank/postgres.ts"
import { complaints } from "../invariants.ts"
import { Books } from "./books.ts"
import { Bounds } from "./bounds.ts"
import { Journal } from "./journal.ts"
import { Lateness } from "./lateness.ts"
import { Network } from "./network.ts"
import { Violation } from "./violation.ts"

/** How long a backend may take to go when it has lost its client, and could be told. */
const farewell = 5000

/** The bank's longest wait for a connection, as `app.ts` has it. */
const borrowTimeout = 5000

/** The pool's own snapshots: whatever the moment, they add up. */
const stats = Effect.gen(function*() {
  const pool = yield* Database.pool
  const bounds = yield* Bounds
  const snapshot = yield* Pool.stats(pool)
  bounds.seen(snapshot)
  const wrong = complaints(snapshot, bounds.places())
  if (wrong.length > 0) return yield* new Violation({ what: wrong.join("\n") })
}).pipe(Effect.delay("20 millis"), Effect.forever)

/** The server's own list: as many backends with a client as the pool may have, and the others go. */
const backends = Effect.gen(function*() {
  const postgres = yield* Postgres
  const network = yield* Network
  const bounds = yield* Bounds
  const lateness = yield* Lateness
  const ending = new Map<number, number>()

  const sample = Effect.gen(function*() {
    const most = bounds.places()
    const rows = yield* postgres.query(
      "select pid, client_port from pg_stat_activity where application_name = 'bank' and backend_type = 'client backend'"
    )
    const now = yield* Clock.currentTimeMillis
    const gone = new Set(ending.keys())
    let living = 0
    for (const row of rows) {
      const pid = Number(row["pid"])
      const state = network.stateOf(Number(row["client_port"]))
      if (state === "living") living++
      if (state !== "ending") continue
      gone.delete(pid)
      const since = ending.get(pid)
      if (since === undefined) ending.set(pid, now)
      else if (now - since > farewell + lateness.allowance(since)) {
        return yield* new Violation({
          what: `backend ${pid} has lost its client ${now - since} ms ago, and is still there`
        })
      }
    }
    for (const pid of gone) ending.delete(pid)
    bounds.counted(living)
    if (living > Math.max(most, bounds.places())) {
      return yield* new Violation({ what: `the server has ${living} backends with a client` })
    }
  })
  return yield* sample.pipe(
    // while the server is down there is nobody to ask
    Effect.catchTag("QueryError", (error) => error.fatal ? Effect.void : Effect.die(error)),
    Effect.delay("50 millis"),
    Effect.forever
  )
})

/** Nobody has waited longer than he had to. */
const waits = Effect.gen(function*() {
  const pool = yield* Database.pool
  const lateness = yield* Lateness
  yield* Stream.runForEach(Pool.events(pool), (event) => {
    if (event._tag !== "Borrowed") return Effect.void
    const waited = Duration.toMillis(event.waited)
    return waited > borrowTimeout + lateness.allowance(event.at - waited)
      ? new Violation({ what: `a borrower of object ${event.id} has waited ${waited} ms` })
      : Effect.void
  })
  return yield* new Violation({ what: "the pool has closed" })
})

const books = Effect.andThen(Effect.sleep("2 seconds"), Effect.flatMap(Books, ({ check }) => check)).pipe(
  Effect.forever
)

export const watch: Effect.Effect<
  never,
  Violation,
  Books | Bounds | Database | Lateness | Network | Postgres
> = Effect.raceAllFirst([stats, backends, waits, books])

/** Writes down what the pool tells. */
export const record = Effect.gen(function*() {
  const journal = yield* Journal
  yield* Stream.runForEach(Pool.events(yield* Database.pool), (event) => Effect.sync(() => journal.event(event)))
})
