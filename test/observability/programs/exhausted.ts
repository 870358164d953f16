/** A program that has one object for three, and knows nothing of errors, loggers or tracers. */
import { Effect } from "effect"
import { Pool } from "proxy-pattern-pool"

const background = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const program = Effect.gen(function*() {
  const pool = yield* Pool.make({ name: "app/Database", acquire: Effect.succeed({}), max: 1, shutdownTimeout: 0 })
  yield* background(Pool.use(pool, () => Effect.sleep(50)))
  // has to wait itself, and then keeps everybody waiting
  yield* background(Effect.withSpan(Pool.use(pool, () => Effect.sleep("1 minute")), "GET /report"))
  yield* Effect.sleep(100)
  yield* Pool.use(pool, () => Effect.void, { timeout: 200 })
}).pipe(Effect.scoped)

Effect.runPromise(program)
