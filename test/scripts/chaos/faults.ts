/** How each kind of fault is done, and undone. */
import { Effect } from "effect"
import { Pool } from "proxy-pattern-pool"
import { type Address, connect } from "../../../docs/examples/bank/connection.ts"
import { Database } from "../../../docs/examples/bank/database.ts"
import { Postgres } from "../../../docs/examples/bank/postgres.ts"
import { recent } from "./agents.ts"
import { Bounds } from "./bounds.ts"
import { Conduct } from "./conduct.ts"
import { Journal } from "./journal.ts"
import { Network } from "./network.ts"
import type { Fault, Kind, Round } from "./schedule.ts"

/** Runs for as long as the fault lasts, and has undone what it did when it ends. */
type Deed<R> = (fault: Fault) => Effect.Effect<unknown, never, R>

/** Does something, and undoes it when its time is over. */
const during = (fault: Fault, trouble: Effect.Effect<Effect.Effect<void>>) =>
  Effect.acquireUseRelease(trouble, () => Effect.sleep(fault.lasts), (undo) => undo)

const from = (least: number, most: number, strength: number) => Math.round(least + (most - least) * strength)

/** So often, evenly. */
const times = <R>(count: number, fault: Fault, effect: Effect.Effect<unknown, never, R>) =>
  Effect.repeat(Effect.delay(effect, fault.lasts / count), { times: count - 1 })

/** So many at once. */
const crowd = <E, R>(count: number, effect: (i: number) => Effect.Effect<unknown, E, R>) =>
  Effect.flatMap(
    Conduct,
    ({ attempt }) =>
      Effect.forEach(Array.from({ length: count }, (_, i) => i), (i) => attempt("one of a crowd", effect(i)), {
        concurrency: "unbounded",
        discard: true
      })
  )

const deeds: Record<Kind, Deed<Address | Bounds | Conduct | Database | Network | Postgres>> = {
  latency: (fault) => Effect.flatMap(Network, ({ latency }) => during(fault, latency(from(5, 300, fault.strength)))),
  "black hole": (fault) => Effect.flatMap(Network, ({ hold }) => during(fault, hold)),
  stuck: (fault) => Effect.flatMap(Network, ({ stick }) => during(fault, stick(from(0.5, 1, fault.strength)))),
  reset: (fault) => Effect.flatMap(Network, ({ reset }) => during(fault, reset(fault.strength))),
  refusal: (fault) => Effect.flatMap(Network, ({ refuse }) => during(fault, refuse)),
  "half-closed": (fault) =>
    Effect.flatMap(
      Network,
      ({ halfClose }) => during(fault, halfClose(fault.strength, fault.lasts % 2 === 0 ? "client" : "server"))
    ),

  terminate: (fault) =>
    Effect.flatMap(
      Postgres,
      ({ terminateBackends }) => times(from(1, 4, fault.strength), fault, Effect.ignore(terminateBackends))
    ),
  restart: () => Effect.flatMap(Postgres, ({ restart }) => Effect.orDie(restart)),
  // others take every connection that the server has left, and those that the pool gives back meanwhile
  full: (fault) =>
    connect("guest").pipe(
      Effect.catch(() => Effect.sleep("50 millis")),
      Effect.forever,
      Effect.timeoutOption(fault.lasts),
      Effect.scoped,
      Effect.asVoid
    ),

  overstay: (fault) =>
    Effect.flatMap(
      Database.pool,
      (pool) =>
        crowd(from(1, 9, fault.strength), (i): Effect.Effect<unknown, unknown, Database> => {
          const stay = Effect.sleep(fault.lasts)
          if (i % 3 === 0) return Effect.scoped(Effect.andThen(Pool.get(pool), stay))
          if (i % 3 === 1) return Pool.use(pool, () => stay)
          return Database.scoped(
            Effect.flatMap(Database, (db) => db.query("select pg_sleep($1)", [fault.lasts / 1000]))
          )
        })
    ),
  crowd: (fault) =>
    Effect.flatMap(
      Effect.all([Database.pool, Conduct]),
      ([pool, { punctual }]) =>
        crowd(from(50, 300, fault.strength), (i) =>
          punctual(i, (arrived) =>
            Pool.use(pool, (connection) =>
              Effect.andThen(arrived, connection.query("select 1")), { timeout: i })))
    ),
  interruption: (fault) =>
    Effect.flatMap(Database.pool, (pool) => {
      const many = crowd(from(50, 200, fault.strength), (i): Effect.Effect<unknown, unknown, Database> =>
        i % 2 === 0
          ? Pool.use(pool, (connection) => connection.query("select pg_sleep(0.01)"))
          : Effect.scoped(Effect.flatMap(Database, (db) => db.query("select 1"))))
      return times(from(1, 5, fault.strength), fault, Effect.timeoutOption(many, from(0, 40, fault.strength)))
    }),

  resize: (fault) =>
    Effect.flatMap(Bounds, ({ resize, restore }) => {
      const steps = Array.from({ length: 5 }, (_, i) => {
        const max = 1 + Math.floor(fault.strength * 7 ** (i + 1)) % 15
        return Effect.delay(
          resize({ max, min: Math.floor(fault.strength * 5 ** (i + 1)) % (max + 1) }),
          fault.lasts / 5
        )
      })
      return Effect.ensuring(Effect.all(steps, { discard: true }), restore)
    }),
  suspend: (fault) =>
    Effect.flatMap(Database.pool, (pool) => during(fault, Effect.as(Pool.suspend(pool), Pool.resume(pool)))),
  evict: (fault) =>
    Effect.flatMap(Database.pool, (pool) => times(from(1, 10, fault.strength), fault, Pool.evict(pool))),
  invalidate: (fault) =>
    Effect.flatMap(Database.pool, (pool) => {
      const some = Effect.suspend(() => {
        const chosen = recent.filter((_, i) => Math.floor((i + 1) * fault.strength) > Math.floor(i * fault.strength))
        return Effect.forEach(chosen, (connection) => Pool.invalidate(pool, connection), { discard: true })
      })
      return times(10, fault, some)
    })
}

export const inject = Effect.fnUntraced(function*(round: Round) {
  const { note } = yield* Journal
  const one = (fault: Fault) =>
    note(`${fault.kind} begins`).pipe(
      Effect.andThen(deeds[fault.kind](fault)),
      Effect.andThen(note(`${fault.kind} has ended`)),
      Effect.delay(fault.begins)
    )
  yield* Effect.forEach(round, one, { concurrency: "unbounded", discard: true })
})
