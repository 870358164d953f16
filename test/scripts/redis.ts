/**
 * The Redis recipe on a real server, started on a free port and stopped in the end: `npm run test:redis`. Where the server
 * comes from is Debian's `apt-get install redis-server`, or whatever `redis-server` is on the PATH.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, Fiber, FileSystem, Layer, References, Schedule, Schema } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import * as assert from "node:assert/strict"
import * as net from "node:net"
import { Pool } from "proxy-pattern-pool"
import { add, Address, pooledRedis, Redis, sharedRedis } from "../../docs/examples/recipes/redis.ts"

class Missing extends Schema.TaggedError<Missing>()("Missing", {}) {
  override get message() {
    return "redis-server is not installed, so nothing was tested: apt-get install redis-server"
  }
}

const freePort = Effect.callback<number>((resume) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Starts a server, and waits until it answers. */
const serve = (port: number, dir: string) =>
  Effect.gen(function*() {
    const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", dir, "--loglevel", "warning"]
    const server = yield* spawner.spawn(ChildProcess.make("redis-server", args)).pipe(
      Effect.mapError(() => new Missing())
    )
    const ping = Redis.useObject((redis) => redis.command("PING")).pipe(
      Effect.provide(Layer.provide(pooledRedis, address(port)))
    )
    yield* Effect.retry(ping, { schedule: Schedule.spaced("20 millis"), times: 250 })
    return server
  }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

const address = (port: number) => Layer.succeed(Address, { host: "127.0.0.1", port })

const stats = Effect.flatMap(Redis.pool, Pool.stats)
const command = (...words: ReadonlyArray<string>) => Effect.flatMap(Redis.perCall, (redis) => redis.command(...words))

const checks: ReadonlyArray<
  readonly [name: string, layer: Layer.Layer<Redis, unknown, Address>, check: Effect.Effect<void, unknown, Redis>]
> = [
  [
    "answers commands",
    sharedRedis,
    Effect.gen(function*() {
      assert.equal(yield* command("SET", "city", "Zürich"), "OK")
      assert.equal(yield* command("GET", "city"), "Zürich")
      assert.equal(yield* command("GET", "nothing"), null)
      yield* Effect.all(Array.from({ length: 1000 }, () => command("INCR", "count")), { concurrency: "unbounded" })
      assert.equal(yield* command("GET", "count"), "1000")
      assert.equal((yield* stats).created, 1)
    })
  ],
  [
    "adds up in transactions side by side",
    pooledRedis,
    Effect.gen(function*() {
      yield* Effect.all(Array.from({ length: 50 }, () => add("sum", 1)), { concurrency: "unbounded" })
      assert.equal(yield* command("GET", "sum"), "50")
      const { created, inUse, max } = yield* stats
      assert.ok(created <= max)
      assert.equal(inUse, 0)
    })
  ],
  [
    "undoes what was left open",
    pooledRedis,
    Effect.gen(function*() {
      yield* Effect.exit(
        Redis.useObject((redis) =>
          Effect.all([redis.command("MULTI"), redis.command("SET", "half", "done"), Effect.fail("no")])
        )
      )
      assert.equal(yield* command("GET", "half"), null)
      assert.equal((yield* stats).created, 1)
    })
  ],
  [
    "lends no connection whose answer is still to come",
    pooledRedis,
    Effect.gen(function*() {
      const blocked = yield* Effect.forkChild(command("BLPOP", "list", "0"))
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(blocked)
      assert.equal(yield* command("PING"), "PONG")
      assert.equal((yield* stats).destroyed.unhealthy, 1)
    })
  ],
  [
    "replaces connections that the server has closed",
    pooledRedis,
    Effect.gen(function*() {
      yield* command("PING")
      yield* Redis.useObject((redis) =>
        Effect.ignore(redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"))
      )
      yield* Effect.sleep("50 millis")
      assert.equal(yield* command("PING"), "PONG")
      assert.equal((yield* stats).created, 2)
    })
  ]
]

const program = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const port = yield* freePort
  yield* serve(port, yield* fs.makeTempDirectoryScoped())
  for (const [name, layer, check] of checks) {
    yield* check.pipe(
      Effect.provide(Layer.provide(layer, address(port))),
      Effect.provideService(References.MinimumLogLevel, "Error")
    )
    yield* Console.log(`  ok  ${name}`)
  }
}).pipe(
  Effect.scoped,
  Effect.timeout("1 minute"),
  Effect.catchIf(
    (error) => error instanceof Missing,
    (error) => Effect.andThen(Console.error(error.message), Effect.sync(() => process.exitCode = 1))
  )
)

NodeRuntime.runMain(Effect.provide(program, NodeServices.layer))
