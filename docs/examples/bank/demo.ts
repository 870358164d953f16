/**
 * Starts a PostgreSQL server, the application and its clients, makes the server's life hard, and tells what came of it:
 *
 *     npm run demo -- --seconds 10 --clients 200
 *
 * At three tenths of the time every backend is terminated, at six tenths the server is restarted. The exit code is 0
 * only if all claims of `report.ts` hold.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Clock, Duration, Effect, Layer, References, Runtime, Schedule, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { Pool } from "proxy-pattern-pool"
import { app } from "./app.ts"
import { Database } from "./database.ts"
import { openAccounts, sumOfBalances } from "./ledger.ts"
import { load, Tally } from "./load.ts"
import { monitor } from "./monitor.ts"
import { Postgres } from "./postgres.ts"
import { check, table } from "./report.ts"
import { Screen } from "./screen.ts"
import { watch } from "./watch.ts"

class ClaimsFailed extends Schema.TaggedError<ClaimsFailed>()("ClaimsFailed", {}) {
  // the table has said it all
  override readonly [Runtime.errorReported] = false
}

/** Hurts the server twice, and notes when it accepts connections again. */
const trouble = Effect.fnUntraced(function*(duration: Duration.Duration) {
  const postgres = yield* Postgres
  const screen = yield* Screen
  const { recovery } = yield* Tally
  const start = yield* Clock.currentTimeMillis
  const at = Effect.fnUntraced(function*(share: number) {
    const now = yield* Clock.currentTimeMillis
    yield* Effect.sleep(start + Duration.toMillis(duration) * share - now)
  })

  yield* at(0.3)
  yield* screen.print(`terminated ${yield* postgres.terminateBackends} backends`)
  yield* at(0.6)
  yield* screen.print("restarting the server")
  yield* postgres.restart
  recovery.since = yield* Clock.currentTimeMillis
  yield* screen.print("the server accepts connections again")
})

/** The last responses have arrived; the Scopes of their requests close any moment. */
const settled = <A, E>(pool: Pool.Pool<A, E>) =>
  Pool.stats(pool).pipe(
    Effect.repeat({
      schedule: Schedule.spaced("20 millis"),
      times: 50,
      until: ({ inUse, waiting }) => inUse === 0 && waiting === 0
    })
  )

interface Options {
  readonly clients: number
  readonly monitor: boolean
  readonly seconds: number
}

const demo = Effect.fnUntraced(function*(options: Options) {
  const screen = yield* Screen
  const postgres = yield* Postgres
  const pool = yield* Database.pool
  const duration = Duration.seconds(options.seconds)

  if (options.monitor) yield* Layer.build(monitor)
  yield* openAccounts
  yield* screen.print(`${options.clients} clients for ${options.seconds} s`)
  const before = yield* sumOfBalances
  const seen = yield* Effect.scoped(Effect.gen(function*() {
    const seen = yield* watch
    yield* Effect.all([load({ clients: options.clients, duration }), trouble(duration)], { concurrency: "unbounded" })
    return seen
  }))
  const idle = yield* settled(pool)
  yield* Pool.shutdown(pool)
  const closed = yield* Pool.stats(pool)
  const backendsLeft = yield* postgres.backends
  const after = yield* sumOfBalances

  const summary = { ...seen, ...(yield* Tally), balances: { before, after }, idle, closed, backendsLeft }
  yield* screen.print(`\n${table(summary)}`)
  if (check(summary).some(({ holds }) => !holds)) return yield* new ClaimsFailed()
})

const positive = Schema.Int.check(Schema.isGreaterThan(0))

const command = Command.make("demo", {
  seconds: Flag.Int("seconds").pipe(
    Flag.withDescription("How many seconds the load lasts (10)"),
    Flag.withSchema(positive),
    Flag.withDefault(10)
  ),
  clients: Flag.Int("clients").pipe(
    Flag.withDescription("How many HTTP clients there are (200)"),
    Flag.withSchema(positive),
    Flag.withDefault(200)
  ),
  monitor: Flag.Boolean("monitor").pipe(
    Flag.withDescription("Serve the monitor of the pool, and say where"),
    Flag.withDefault(false)
  )
}, (options) => Effect.scoped(demo(options))).pipe(
  Command.provide(app.pipe(Layer.provideMerge(Layer.mergeAll(Postgres.layer, Tally.layer, Screen.layer)))),
  Command.withDescription("A bank under load, whose database server has a bad day")
)

Command.run(command, { version: "0.1.0" }).pipe(
  // The pool warns of every attempt that fails while the server is down: `--log-level warn` shows it.
  Effect.provideService(References.MinimumLogLevel, "Error"),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
