import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Pool } from "proxy-pattern-pool"
import { add, Address, pooledRedis, Redis, sharedRedis } from "../../docs/examples/recipes/redis.ts"
import { listen } from "./kit.ts"

type Session = { watched: Map<string, string | undefined>; queue: Array<ReadonlyArray<string>> | undefined }

/** As much of a Redis as the recipe asks for; `npm run test:redis` asks a real one. */
const fakeRedis = Effect.gen(function*() {
  const values = new Map<string, string>()
  const log: Array<string> = []
  const bulk = (text: string | undefined) => text === undefined ? "$-1\r\n" : `$${text.length}\r\n${text}\r\n`
  const run = (session: Session, [name, key, value]: ReadonlyArray<string>): string => {
    switch (name) {
      case "PING":
        return "+PONG\r\n"
      case "GET":
        return bulk(values.get(key))
      case "SET":
        values.set(key, value)
        return "+OK\r\n"
      case "WATCH":
        session.watched.set(key, values.get(key))
        return "+OK\r\n"
      case "MULTI":
        session.queue = []
        return "+OK\r\n"
      case "UNWATCH":
        session.watched.clear()
        return "+OK\r\n"
      case "DISCARD":
        session.watched.clear()
        session.queue = undefined
        return "+OK\r\n"
      case "EXEC": {
        const changed = [...session.watched].some(([key, before]) => values.get(key) !== before)
        const queue = session.queue ?? []
        session.watched.clear()
        session.queue = undefined
        return changed ? "*-1\r\n" : `*${queue.length}\r\n${queue.map((words) => run(session, words)).join("")}`
      }
      case "BLPOP":
        return ""
      default:
        return `-ERR unknown command '${name}'\r\n`
    }
  }
  const server = yield* listen((socket, number) => {
    const session: Session = { watched: new Map(), queue: undefined }
    return (data) => {
      for (const words of data.split(/\*\d+\r\n/).slice(1)) {
        const command = words.split("\r\n").filter((_, index) => index % 2 === 1)
        log.push(`${number}: ${command.join(" ")}`)
        if (session.queue !== undefined && !["EXEC", "DISCARD"].includes(command[0])) {
          session.queue.push(command)
          socket.write("+QUEUED\r\n")
          continue
        }
        const reply = run(session, command)
        // in two pieces, as the network may
        socket.write(reply.slice(0, 3), "latin1")
        socket.write(reply.slice(3), "latin1")
      }
    }
  })
  return { ...server, log, values }
})

const address = Effect.map(fakeRedis, (redis) => ({ redis, address: { host: "127.0.0.1", port: redis.port } }))

const withRedis = <A, E, R>(
  layer: typeof pooledRedis,
  body: (redis: Effect.Success<typeof fakeRedis>) => Effect.Effect<A, E, R>
) =>
  Effect.flatMap(
    address,
    ({ address, redis }) => Effect.provide(body(redis), Layer.provide(layer, Layer.succeed(Address, address)))
  )

describe("Redis", () => {
  it.live("answers commands, also those with letters of several bytes", () =>
    withRedis(pooledRedis, () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        assert.strictEqual(yield* redis.command("SET", "city", "Zürich"), "OK")
        assert.strictEqual(yield* redis.command("GET", "city"), "Zürich")
        assert.isNull(yield* redis.command("GET", "nothing"))
        const error = yield* Effect.flip(redis.command("NONSENSE"))
        assert.strictEqual(error.message, "ERR unknown command 'NONSENSE'")
      }).pipe(Effect.scoped)))

  it.live("adds up in transactions side by side, each on a connection of its own", () =>
    withRedis(pooledRedis, ({ values }) =>
      Effect.gen(function*() {
        yield* Effect.all(Array.from({ length: 20 }, () => add("sum", 1)), { concurrency: "unbounded" })
        assert.strictEqual(values.get("sum"), "20")
        const { created, inUse } = yield* Pool.stats(yield* Redis.pool)
        assert.isAtMost(created, 10)
        assert.strictEqual(inUse, 0)
      })))

  it.live("undoes a transaction that was left open", () =>
    withRedis(pooledRedis, ({ log }) =>
      Effect.gen(function*() {
        const leave = (...commands: ReadonlyArray<string>) =>
          Redis.useObject((redis) =>
            Effect.andThen(Effect.forEach(commands, (name) => redis.command(name, "key")), Effect.fail("no"))
          )
        yield* Effect.exit(leave("WATCH"))
        yield* Effect.exit(leave("WATCH", "MULTI"))
        assert.deepStrictEqual(log, ["0: WATCH key", "0: UNWATCH", "0: WATCH key", "0: MULTI key", "0: DISCARD"])
      })))

  it.live("lends no connection on which somebody still waits for an answer", () =>
    withRedis(pooledRedis, ({ log }) =>
      Effect.gen(function*() {
        const blocked = yield* Effect.forkChild(Redis.useObject((redis) => redis.command("BLPOP", "list", "0")))
        yield* Effect.repeat(Effect.sleep("1 milli"), { until: () => log.length === 1 })
        yield* Fiber.interrupt(blocked)
        const redis = yield* Redis.perCall
        assert.strictEqual(yield* redis.command("PING"), "PONG")
        assert.deepStrictEqual(log, ["0: BLPOP list 0", "1: PING"])
        assert.strictEqual((yield* Pool.stats(yield* Redis.pool)).destroyed.unhealthy, 1)
      })))

  it.live("replaces a connection that was lost", () =>
    withRedis(pooledRedis, ({ sockets }) =>
      Effect.gen(function*() {
        const redis = yield* Redis.perCall
        yield* redis.command("PING")
        for (const socket of sockets) socket.destroy()
        yield* Effect.repeat(Effect.sleep("1 milli"), { until: () => sockets.size === 0 })
        yield* Effect.sleep("10 millis")
        assert.strictEqual(yield* redis.command("PING"), "PONG")
      })))

  it.live("serves everybody with one connection, where commands stand alone", () =>
    Effect.flatMap(address, ({ address, redis: server }) =>
      Effect.gen(function*() {
        const redis = yield* Redis.perCall
        yield* Effect.all(Array.from({ length: 50 }, () => redis.command("PING")), { concurrency: "unbounded" })
        assert.isTrue(server.log.every((line) => line === "0: PING"))
      }).pipe(Effect.provide(Layer.provide(sharedRedis, Layer.succeed(Address, address))))))

  it.effect("says so where nobody listens", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.perCall
      const error = yield* Effect.flip(redis.command("PING"))
      assert.include(error.message, "ECONNREFUSED")
    }).pipe(
      Effect.provide(Layer.provide(pooledRedis, Layer.succeed(Address, { host: "127.0.0.1", port: 1 }))),
      Effect.exit,
      Effect.tap((exit) => Effect.sync(() => assert.isTrue(Exit.isSuccess(exit)))),
      Effect.provide(TestClock.layer())
    ))
})
