/**
 * The bank of the demo, and everything that can go wrong with it at once:
 *
 *     npm run chaos -- --minutes 5 --seed 7
 *
 * Rounds of faults, made from the seed alone, hit the network, the server, the clients and the pool. All the while it is
 * looked for what must never happen, and after each round the bank must be well again. The exit code is 0 only if that
 * was so; otherwise the seed is told, and the last 200 things that happened.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Clock, Duration, Effect, Fiber, Layer, Option, References, Runtime, Schedule, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { Pool } from "proxy-pattern-pool"
import { app } from "../../../docs/examples/bank/app.ts"
import { Address } from "../../../docs/examples/bank/connection.ts"
import { Database } from "../../../docs/examples/bank/database.ts"
import { load, Tally } from "../../../docs/examples/bank/load.ts"
import { Postgres } from "../../../docs/examples/bank/postgres.ts"
import { Screen } from "../../../docs/examples/bank/screen.ts"
import { complaints, destroyedOf } from "../invariants.ts"
import { agents } from "./agents.ts"
import { Books } from "./books.ts"
import { Bounds } from "./bounds.ts"
import { Conduct } from "./conduct.ts"
import { inject } from "./faults.ts"
import { Heap } from "./heap.ts"
import { Journal } from "./journal.ts"
import { Lateness } from "./lateness.ts"
import { Network } from "./network.ts"
import { peace, type Round, schedule } from "./schedule.ts"
import { Violation } from "./violation.ts"
import { record, watch } from "./watch.ts"

// A query that somebody has left goes on, and the bank asks for a rollback behind it: `pg` says that one should not.
process.noDeprecation = true

/** How long after the last fault of a round a borrower may have to wait. */
const recoveryLimit = 3000

/** What `app.ts` leaves to the default, in milliseconds. */
const shutdownTimeout = 20_000

class Failed extends Schema.TaggedError<Failed>()("Failed", {}) {
  // what there is to say has been said
  override readonly [Runtime.errorReported] = false
}

/** How long it takes until a borrower and an HTTP client are served, and no longer than it may. */
const recovery = Effect.gen(function*() {
  const pool = yield* Database.pool
  const lateness = yield* Lateness
  const { recovery } = yield* Tally
  const began = yield* Clock.currentTimeMillis
  recovery.since = began
  recovery.took = Infinity
  const borrower = Effect.retry(
    Pool.use(pool, (connection) => connection.query("select 1")),
    Schedule.spaced("20 millis")
  )
  const client = Effect.repeat(Effect.sync(() => recovery.took), {
    schedule: Schedule.spaced("20 millis"),
    until: (took) => took < Infinity
  })
  const served = yield* Effect.timeoutOption(
    Effect.all([borrower, client], { concurrency: "unbounded" }),
    recoveryLimit + 1000 // by then it is known how late this process is
  )
  const took = (yield* Clock.currentTimeMillis) - began
  if (Option.isNone(served) || took > recoveryLimit + lateness.allowance(began)) {
    return yield* new Violation({ what: `${took} ms after the last fault not everybody is served` })
  }
  return took
})

const rounds = Effect.fnUntraced(function*(schedule: ReadonlyArray<Round>) {
  const screen = yield* Screen
  const heap = yield* Heap
  const { note } = yield* Journal
  const start = yield* Clock.currentTimeMillis
  let slowest = 0
  for (const round of schedule) {
    const faults = round.map(({ kind }) => kind).join(", ")
    yield* screen.update(`${" ".repeat(7)} ${faults}`)
    yield* inject(round)
    yield* note(`peace after ${faults}`)
    const took = yield* recovery
    slowest = Math.max(slowest, took)
    const seconds = ((yield* Clock.currentTimeMillis) - start) / 1000
    yield* screen.print(`${seconds.toFixed(1).padStart(6)}s ${faults}: served again after ${took} ms`)
    yield* Effect.sleep(peace - took)
    yield* heap.measure
  }
  return slowest
})

/** Closes the pool while borrowers have objects and wait for some, and looks at what is left. */
const close = Effect.gen(function*() {
  const pool = yield* Database.pool
  const postgres = yield* Postgres
  const lateness = yield* Lateness
  const began = yield* Clock.currentTimeMillis
  const closed = yield* Pool.shutdown(pool).pipe(Effect.timeoutOption(shutdownTimeout + 2000))
  const took = (yield* Clock.currentTimeMillis) - began
  if (Option.isNone(closed) || took > shutdownTimeout + lateness.allowance(began)) {
    return yield* new Violation({ what: `the pool takes longer than ${took} ms to close` })
  }
  const stats = yield* Pool.stats(pool)
  const wrong = complaints(stats, 0)
  if (wrong.length > 0) return yield* new Violation({ what: wrong.join("\n") })
  if (stats.created !== destroyedOf(stats)) {
    return yield* new Violation({ what: `created is not destroyed: ${JSON.stringify(stats)}` })
  }
  const left = yield* postgres.backends.pipe(
    Effect.repeat({ schedule: Schedule.spaced("50 millis"), times: 20, until: (count) => count === 0 }),
    Effect.orDie
  )
  if (left > 0) return yield* new Violation({ what: `${left} backends are left when the pool has closed` })
  return stats
})

/** More of it is a leak. */
const heapGrowth = 1.1

const chaos = Effect.fnUntraced(function*(options: {
  readonly agents: number
  readonly clients: number
  readonly minutes: number
  readonly seed: number
}) {
  const screen = yield* Screen
  const books = yield* Books
  const conduct = yield* Conduct
  const heap = yield* Heap
  const bounds = yield* Bounds
  const { failures } = yield* Journal

  const plan = yield* schedule(options.seed, options.minutes * 60_000)
  yield* screen.print(
    `seed ${options.seed}: ${plan.flat().length} faults in ${plan.length} rounds, ` +
      `${options.clients} clients, ${options.agents} agents`
  )
  yield* Effect.forkScoped(record)
  const borrowers = yield* Effect.forkScoped(agents(options.seed, options.agents))
  // longer than the faults, which take longer than planned: the last requests are abandoned
  const clients = Effect.andThen(
    load({ clients: options.clients, duration: Duration.minutes(options.minutes * 2 + 1) }),
    Effect.never
  )
  const slowest = yield* Effect.raceAllFirst([rounds(plan), clients, watch, conduct.watch])
  const stats = yield* close
  // they find that the pool has closed
  const gone = yield* Effect.raceFirst(Effect.timeoutOption(Fiber.await(borrowers), "5 seconds"), conduct.watch)
  if (Option.isNone(gone)) return yield* new Violation({ what: "a borrower is stuck though the pool has closed" })
  const transfers = yield* books.close
  const { first, second } = heap.halves()
  if (second > first * heapGrowth) {
    return yield* new Violation({ what: `the heap has grown from ${megabytes(first)} to ${megabytes(second)}` })
  }
  return yield* screen.print(table([
    ["transfers in the books", transfers],
    ["borrowed", stats.borrowed],
    ["  timed out waiting", stats.timeouts],
    ["  left while waiting", stats.cancelled],
    ["objects created and destroyed", stats.created],
    ...Object.entries(stats.destroyed).map(([reason, count]): Row => [`  ${reason}`, count]),
    ["attempts that failed", stats.createFailures],
    ...Array.from(failures, ([reason, count]): Row => [`  ${reason}`, count]),
    ["checks", stats.healthChecks],
    ["hooks, checks and finalizers that failed", stats.hookFailures],
    ["most backends with a client", bounds.most()],
    ["slowest recovery", `${slowest} ms`],
    ["heap, first and second half", `${megabytes(first)}, ${megabytes(second)}`],
    ...Array.from(conduct.tally, ([outcome, count]): Row => [`agents: ${outcome}`, count])
  ]))
})

type Row = readonly [name: string, value: string | number]

const table = (rows: ReadonlyArray<Row>) =>
  rows.map(([name, value]) => `${name.padEnd(60)}${String(value).padStart(16)}`).join("\n")

const megabytes = (bytes: number) => `${(bytes / 1_000_000).toFixed(1)} MB`

/** Whatever went wrong: what it takes to see it again. Of Ctrl-C nothing gets here. */
const tell = Effect.fnUntraced(function*(seed: number, cause: Cause.Cause<unknown>) {
  const screen = yield* Screen
  const { lines } = yield* Journal
  yield* screen.print(`${lines().join("\n")}\n\n${Cause.pretty(cause)}\n\nFAILED with seed ${seed}`)
  return yield* new Failed()
})

const bank = app.pipe(
  Layer.provideMerge(Layer.effect(Address, Effect.map(Network, ({ near }) => near)))
)

const number = (flag: Flag.Flag<number>, description: string, least: number, fallback: number) =>
  flag.pipe(
    Flag.withDescription(`${description} (${fallback})`),
    Flag.withSchema(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(least))),
    Flag.withDefault(fallback)
  )

const command = Command.make("chaos", {
  seed: Flag.Int("seed").pipe(Flag.withDescription("What the faults are made from (1)"), Flag.withDefault(1)),
  minutes: number(Flag.Finite("minutes"), "How long it takes, about", 0, 3),
  clients: number(Flag.Int("clients"), "How many HTTP clients there are", 1, 10),
  agents: number(Flag.Int("agents"), "How many other borrowers there are", 0, 30)
}, (options) => Effect.catchCause(Effect.scoped(chaos(options)), (cause) => tell(options.seed, cause))).pipe(
  Command.provide(
    Layer.mergeAll(Books.layer, Bounds.layer, Conduct.layer).pipe(
      Layer.provideMerge(bank),
      Layer.provideMerge(Network.layer),
      Layer.provideMerge(Layer.mergeAll(Postgres.layer, Lateness.layer, Journal.layer)),
      Layer.provideMerge(Layer.mergeAll(Heap.layer, Tally.layer, Screen.layer))
    )
  ),
  Command.withDescription("A bank under load, and everything that can go wrong at once")
)

Command.run(command, { version: "0.1.0" }).pipe(
  // the pool warns of everything that fails here
  Effect.provideService(References.MinimumLogLevel, "Fatal"),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
