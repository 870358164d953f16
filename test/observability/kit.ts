import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, type Scope } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import { Pool } from "proxy-pattern-pool"

/** Serves on a real socket until the Scope closes; gives the address. */
export const serve = <E>(
  routes: Layer.Layer<never, E, HttpRouter.HttpRouter>
): Effect.Effect<string, never, Scope.Scope> =>
  HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
    Layer.build,
    Effect.flatMap((context) => Effect.provide(HttpServer.addressFormattedWith(Effect.succeed), context)),
    Effect.orDie
  )

/** A pool in the midst of its life: two objects held, one borrower waiting, one that gave up, one creation that failed. */
export const busyPool = (name: string) =>
  Effect.gen(function*() {
    let fails = true
    const pool = yield* Pool.make({
      name,
      acquire: Effect.suspend(() => fails ? Effect.fail("down") : Effect.succeed({})),
      min: 0,
      max: 2,
      shutdownTimeout: 0
    })
    yield* Effect.exit(Pool.use(pool, () => Effect.void))
    fails = false
    yield* Effect.sleep(100)
    yield* Pool.use(pool, () => Effect.sleep(20))
    yield* Pool.get(pool)
    yield* Effect.scoped(Effect.flatMap(Pool.get(pool), (object) => Pool.invalidate(pool, object)))
    yield* Pool.get(pool)
    yield* Effect.exit(Pool.use(pool, () => Effect.void, { timeout: 30 }))
    yield* Effect.forkScoped(Effect.exit(Pool.use(pool, () => Effect.void)), { startImmediately: true })
    return pool
  })
