import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, ConfigProvider, Context, Effect, Exit, Fiber, Layer, Option, Schedule, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Pool, PoolError, Proxy } from "proxy-pattern-pool"
import { defectOf, ended, logs, poolError, reasonOf, settle, start, valueOf } from "../utils.ts"
import { ConnectError, Database, id, inUse, openScope, Server, stats, summary } from "./kit.ts"

const fromEnv = (values: Record<string, unknown>) => ConfigProvider.layer(ConfigProvider.fromUnknown(values))

/** Builds the layer in a Scope, in which the test may then work. */
const build = <A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.build(layer)

describe("layerPool", () => {
  it.effect("is there at once, creates its minimum ahead, and closes its pool with the layer", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const layer = Database.layerPool({ acquire: server.connectAfter(100), min: 2, max: 3 })
      const context = yield* Scope.provide(build(layer), scope)
      assert.strictEqual(server.alive, 0)
      yield* TestClock.adjust(100)
      assert.strictEqual(server.alive, 2)
      yield* Effect.scoped(id).pipe(Effect.provide(context))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(server.closed.toSorted(), [0, 1])
      const after = yield* Effect.exit(Effect.scoped(id).pipe(Effect.provide(context)))
      assert.strictEqual(reasonOf(after), "Closed")
    })
  })

  it.effect("does not fail as its creations do", () =>
    Effect.gen(function*() {
      const fiber = yield* start(Effect.exit(Effect.scoped(id)))
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(valueOf(fiber), Exit.fail(new ConnectError({ attempt: 0 })))
    }).pipe(Effect.provide(Database.layerPool({ acquire: Effect.fail(new ConnectError({ attempt: 0 })), max: 3 }))))

  it.effect("has the id of the tag as the name of its pool, or that of the options", () =>
    Effect.gen(function*() {
      const nameOf = (name?: string) =>
        Effect.map(stats, (stats) => stats.name).pipe(
          Effect.provide(
            Database.layerPool({ acquire: new Server().connect, max: 1, ...(name === undefined ? {} : { name }) })
          )
        )
      assert.strictEqual(yield* nameOf(), "app/Database")
      assert.strictEqual(yield* nameOf("primary"), "primary")
      const undefinedName: { readonly max: number } = Object.assign({ max: 1 }, { name: undefined })
      const name = Effect.map(stats, (stats) => stats.name).pipe(
        Effect.provide(Database.layerPool({ acquire: new Server().connect, ...undefinedName }))
      )
      assert.strictEqual(yield* name, "app/Database")
    }))

  it.effect("options that cannot be are a defect that names the tag and all of them", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(
        Effect.scoped(build(Database.layerPool({ acquire: new Server().connect, min: 5, max: 3, maxUses: 0 })))
      )
      const message = "Pool \"app/Database\": min (5) must not exceed max (3); maxUses (0) must be at least 1"
      assert.strictEqual(defectOf(exit), message)
      const shared = yield* Effect.exit(
        Effect.scoped(build(Database.layerShared({ acquire: new Server().connect, jitter: 2 })))
      )
      assert.strictEqual(defectOf(shared), "Pool \"app/Database\": jitter (2) must be at most 1")
      const unpooled = yield* Effect.exit(
        Effect.scoped(build(Database.layerUnpooled({ acquire: new Server().connect, borrowLimit: 0 })))
      )
      assert.strictEqual(defectOf(unpooled), "Pool \"app/Database\": borrowLimit (0) must be longer than zero")
    }))

  it.effect("acquire and the hooks have the services that the layer is given, and Scopes of their own", () => {
    class Tenant extends Context.Service<Tenant, string>()("Tenant") {}
    class Named extends Proxy.Service<Named, { readonly name: string }>()("app/Named") {}
    const seen: Array<string> = []
    const see = (what: string) =>
      Effect.flatMap(
        Tenant,
        (tenant) => Effect.addFinalizer(() => Effect.sync(() => seen.push(`${what} of ${tenant} ended`)))
      )
    return Effect.gen(function*() {
      const named = yield* Named
      assert.strictEqual(yield* Effect.scoped(named.name()), "a")
      assert.deepStrictEqual(seen, ["onBorrow of a ended", "onReturn of a ended"])
    }).pipe(Effect.provide(
      Named.layerPool({
        acquire: Effect.map(Tenant, (name) => ({ name })),
        max: 1,
        onBorrow: () => see("onBorrow"),
        onReturn: () => see("onReturn")
      }).pipe(Layer.provide(Layer.succeed(Tenant, "a")))
    ))
  })

  it.effect("one layer is one pool wherever it is provided, two layers are two pools that never mix", () => {
    const [a, b] = [new Server(), new Server()]
    return Effect.gen(function*() {
      const layer = Database.layerPool({ acquire: a.connect, max: 1 })
      const other = Database.layerPool({ acquire: b.connect, max: 1 })
      class Left extends Context.Service<Left, typeof Database.Service>()("Left") {}
      class Right extends Context.Service<Right, typeof Database.Service>()("Right") {}
      class Third extends Context.Service<Third, typeof Database.Service>()("Third") {}
      const proxies = Layer.mergeAll(
        Layer.effect(Left, Database).pipe(Layer.provide(layer)),
        Layer.effect(Right, Database).pipe(Layer.provide(layer)),
        Layer.effect(Third, Database).pipe(Layer.provide(other))
      )
      yield* Effect.gen(function*() {
        const [left, right, third] = [yield* Left, yield* Right, yield* Third]
        assert.strictEqual(left, right)
        yield* Effect.all([left.query("x"), right.query("y"), third.query("z")])
      }).pipe(Effect.scoped, Effect.provide(proxies))
      assert.deepStrictEqual([a.calls, b.calls], [["0:x", "0:y"], ["0:z"]])
    })
  })
})

describe("the second form", () => {
  it.effect("has the layer of its options, with everything else of the first", () => {
    const server = new Server()
    class Inferred extends Proxy.Service<Inferred>()("app/Inferred", { acquire: server.connect, max: 1 }) {}
    return Effect.gen(function*() {
      const db = yield* Inferred
      assert.strictEqual(yield* db.query("x"), "0:x")
      assert.isTrue(yield* Inferred.isHeld)
      assert.strictEqual((yield* Pool.stats(yield* Inferred.pool)).name, "app/Inferred")
      assert.strictEqual(String(db), "Proxy(app/Inferred)")
      const other = Inferred.layerShared({ acquire: new Server().connect })
      const elsewhere = Effect.scoped(Effect.flatMap(Inferred, (db) => db.id())).pipe(Effect.provide(other))
      assert.strictEqual(yield* elsewhere, 0)
    }).pipe(Effect.scoped, Effect.provide(Inferred.layer))
  })

  it.effect("the first form has no layer, and nothing is made when a class is defined", () => {
    let made = 0
    class Later extends Proxy.Service<Later>()("app/Later", { acquire: Effect.sync(() => ({ n: made++ })), max: 0 }) {}
    return Effect.gen(function*() {
      assert.notProperty(Database, "layer")
      assert.strictEqual(made, 0)
      const exit = yield* Effect.exit(Effect.scoped(build(Later.layer)))
      assert.strictEqual(defectOf(exit), "Pool \"app/Later\": max (0) must be at least 1")
    })
  })
})

describe("layerShared", () => {
  it.effect("gives one object to everyone at once", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const scopes = yield* Effect.forEach([1, 2, 3], () => openScope)
      for (const { run } of scopes) assert.strictEqual(yield* run(db.id()), 0)
      assert.strictEqual(yield* Effect.scoped(Database.useObject((c) => Effect.succeed(c.id))), 0)
      const { borrowed, max, min, objects, returned } = yield* stats
      assert.deepStrictEqual([min, max, borrowed - returned, objects.length], [1, 1, 3, 1])
      for (const { close } of scopes) yield* close()
      assert.deepStrictEqual(server.opened, [0])
    }).pipe(Effect.provide(Database.layerShared({ acquire: server.connect })))
  })

  it.effect("waits for its object", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const fiber = yield* start(Effect.scoped(build(Database.layerShared({ acquire: server.connectAfter(100) }))))
      yield* TestClock.adjust(99)
      assert.isUndefined(ended(fiber))
      yield* TestClock.adjust(1)
      assert.isDefined(valueOf(fiber))
    })
  })

  it.effect("fails as its first creation does, at once or later, with its error, a timeout or a defect", () =>
    Effect.gen(function*() {
      const failure = Effect.fail(new ConnectError({ attempt: 0 }))
      const building = (acquire: Effect.Effect<never, ConnectError>) =>
        start(Effect.exit(Effect.scoped(build(Database.layerShared({ acquire, createTimeout: "1 second" })))))
      const fibers = [
        yield* building(failure),
        yield* building(Effect.andThen(Effect.sleep(100), failure)),
        yield* building(Effect.never),
        yield* building(Effect.die(new Error("no server")))
      ] as const
      yield* TestClock.adjust(99)
      assert.deepStrictEqual(valueOf(fibers[0]), Exit.fail(new ConnectError({ attempt: 0 })))
      assert.isUndefined(ended(fibers[1]))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(valueOf(fibers[1]), Exit.fail(new ConnectError({ attempt: 0 })))
      const late = poolError(valueOf(fibers[2]))
      assert.deepStrictEqual([late.pool, late.reason._tag], ["app/Database", "CreateTimeout"])
      assert.strictEqual(defectOf(valueOf(fibers[3])), "no server")
    }))

  it.effect("a layer that has failed tries no more", () => {
    let attempts = 0
    return Effect.gen(function*() {
      const acquire = Effect.suspend(() => Effect.fail(new ConnectError({ attempt: attempts++ })))
      yield* Effect.exit(Effect.scoped(build(Database.layerShared({ acquire }))))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(attempts, 1)
    })
  })

  it.effect("an object that must go is replaced at once and ends with its last holder: two meanwhile, never three", () => {
    const server = new Server()
    let peak = 0
    const connect = Effect.tap(server.connect, () => Effect.sync(() => peak = Math.max(peak, server.alive)))
    return Effect.gen(function*() {
      const [a, b] = [yield* openScope, yield* openScope]
      assert.strictEqual(yield* a.run(id), 0)
      yield* a.run(Database.invalidate)
      assert.strictEqual(server.alive, 2, "replaced at once")
      assert.strictEqual(yield* b.run(id), 1)
      assert.strictEqual(yield* a.run(id), 0, "its holder keeps it")
      yield* b.run(Database.invalidate)
      assert.strictEqual(server.alive, 2, "no third")
      const waiting = yield* openScope
      const waiter = yield* start(waiting.run(id))
      yield* settle
      assert.isUndefined(ended(waiter))
      yield* b.close()
      yield* settle
      assert.strictEqual(valueOf(waiter), 2)
      assert.deepStrictEqual(server.closed, [1])
      yield* a.close()
      yield* waiting.close()
      yield* settle
      assert.deepStrictEqual(server.closed, [1, 0])
      assert.strictEqual(peak, 2)
      assert.strictEqual((yield* stats).destroyed.invalidated, 2)
    }).pipe(Effect.provide(Database.layerShared({ acquire: connect })))
  })

  it.effect("the end of one holder says nothing of the object; one whose lifetime is over goes with its last holder", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const [a, b] = [yield* openScope, yield* openScope]
      yield* a.run(id)
      yield* Effect.exit(b.run(db.burst()))
      yield* b.close(Exit.die("dead"))
      assert.strictEqual(yield* Effect.scoped(id), 0)
      assert.strictEqual((yield* stats).destroyed.failed, 0)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* a.run(id), 0)
      assert.strictEqual(yield* Effect.scoped(id), 1)
      yield* a.close()
      yield* settle
      assert.strictEqual((yield* stats).destroyed.lifetime, 1)
    }).pipe(Effect.provide(Database.layerShared({ acquire: server.connect, timeToLive: "1 minute", jitter: 0 })))
  })
})

describe("layerUnpooled", () => {
  it.effect("makes an object for each Scope, which is destroyed with it", () => {
    const server = new Server()
    return Effect.gen(function*() {
      assert.strictEqual(server.opened.length, 0)
      const nested = Effect.scoped(Effect.all([id, Effect.scoped(id), id]))
      assert.deepStrictEqual(yield* nested, [0, 1, 0])
      assert.deepStrictEqual(server.closed, [1, 0])
      const many = Effect.scoped(Effect.andThen(id, (n) => Effect.as(Effect.sleep(10), n)))
      const fiber = yield* start(Effect.all(Array.from({ length: 50 }, () => many), { concurrency: "unbounded" }))
      assert.strictEqual(server.alive, 50)
      yield* TestClock.adjust(10)
      assert.strictEqual(new Set(valueOf(fiber)).size, 50)
      assert.strictEqual(server.alive, 0)
      assert.strictEqual((yield* stats).size, 0)
    }).pipe(Effect.provide(Database.layerUnpooled({ acquire: server.connect })))
  })

  it.effect("useObject, perCall and units have one for each", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const perCall = yield* Database.perCall
      const ids = [
        yield* Database.useObject((connection) => Effect.succeed(connection.id)),
        yield* perCall.id(),
        yield* perCall.id(),
        ...(yield* Database.scoped(Effect.all([id, perCall.id(), Effect.scoped(id)])))
      ]
      assert.deepStrictEqual(ids, [0, 1, 2, 3, 3, 3])
      assert.strictEqual(server.alive, 0)
    }).pipe(Effect.provide(Database.layerUnpooled({ acquire: server.connect })))
  })

  it.effect("a creation serves the borrower it was for, who gets its failure, with no spacing", () => {
    const delays = [300, 100, 0]
    let attempts = 0
    const server = new Server()
    const connect = Effect.suspend(() => {
      const attempt = attempts++
      const delay = delays[attempt] ?? 0
      return Effect.andThen(
        Effect.sleep(delay),
        attempt === 1 ? Effect.fail(new ConnectError({ attempt })) : server.connect
      )
    })
    return Effect.gen(function*() {
      const slow = yield* start(Effect.exit(Effect.scoped(id)))
      const failing = yield* start(Effect.exit(Effect.scoped(id)))
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(valueOf(failing), Exit.fail(new ConnectError({ attempt: 1 })))
      assert.isUndefined(ended(slow), "others are told nothing")
      assert.strictEqual(yield* Effect.scoped(id), 0, "the next attempt begins at once")
      assert.isUndefined(ended(slow), "what was made for another is not lent")
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(valueOf(slow), Exit.succeed(1))
    }).pipe(Effect.provide(Database.layerUnpooled({ acquire: connect })))
  })

  it.effect("an object whose borrower has left is destroyed", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const leaving = yield* start(Effect.scoped(id))
      const giving = yield* start(Effect.exit(Database.useObject(() => Effect.void, { timeout: 50 })))
      yield* TestClock.adjust(50)
      assert.strictEqual(reasonOf(valueOf(giving)), "BorrowTimeout")
      yield* Fiber.interrupt(leaving)
      yield* TestClock.adjust(50)
      assert.deepStrictEqual([server.opened.length, server.alive], [2, 0])
      assert.strictEqual((yield* stats).size, 0)
    }).pipe(Effect.provide(Database.layerUnpooled({ acquire: server.connectAfter(100) })))
  })

  it.effect("its pool gives none to poll, dies of a resize, and does the rest", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const pool = yield* Database.pool
      assert.isTrue(Option.isNone(yield* Effect.scoped(Pool.poll(pool))))
      const exit = yield* Effect.exit(Pool.resize(pool, { max: 3 }))
      assert.include(defectOf(exit), "Pool \"app/Database\": resize")
      assert.strictEqual(yield* Pool.use(pool, (connection) => Effect.succeed(connection.id)), 0)
      yield* Pool.awaitReady(pool)
      const { max, min } = yield* Pool.stats(pool)
      assert.deepStrictEqual([min, max], [0, Infinity])
      yield* Pool.suspend(pool)
      const waiting = yield* start(Effect.scoped(id))
      yield* settle
      assert.strictEqual(server.opened.length, 1)
      yield* Pool.resume(pool)
      yield* settle
      assert.strictEqual(valueOf(waiting), 1)
    }).pipe(Effect.provide(Database.layerUnpooled({ acquire: server.connect })))
  })

  it.effect("hooks, checks and limits work as in any pool", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      yield* Effect.scoped(db.query("x"))
      assert.deepStrictEqual(server.returned, ["0:Success"])
      const fiber = yield* start(Effect.exit(Effect.scoped(db.hang())))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(reasonOf(valueOf(fiber)), "Revoked")
      assert.strictEqual(server.alive, 0)
    }).pipe(Effect.provide(Database.layerUnpooled({
      acquire: server.connect,
      onReturn: server.onReturn,
      borrowLimit: "1 second"
    })))
  })
})

describe("layerConfig", () => {
  const server = new Server()
  const layer = Database.layerConfig({
    acquire: server.connect,
    max: Config.Int("MAX"),
    min: Config.Int("MIN").pipe(Config.withDefault(0)),
    borrowTimeout: Config.Duration("TIMEOUT").pipe(Config.withDefault("1 second")),
    name: Config.String("NAME").pipe(Config.withDefault("app/Database")),
    order: "fifo"
  })

  it.effect("reads each option that is a Config, and takes the others as they are", () =>
    Effect.gen(function*() {
      const { max, min, name } = yield* stats
      assert.deepStrictEqual([max, min, name], [3, 0, "primary"])
      const holders = yield* Effect.forEach([1, 2, 3], () => openScope)
      for (const { run } of holders) yield* run(id)
      const waiting = yield* start(Effect.exit(Effect.scoped(id)))
      yield* TestClock.adjust(499)
      assert.isUndefined(ended(waiting))
      yield* TestClock.adjust(1)
      assert.strictEqual(reasonOf(valueOf(waiting)), "BorrowTimeout")
      for (const { close } of holders) yield* close()
    }).pipe(Effect.provide(layer.pipe(Layer.provide(fromEnv({ MAX: 3, NAME: "primary", TIMEOUT: "500 millis" }))))))

  it.effect("fails with ConfigError where one cannot be read", () =>
    Effect.gen(function*() {
      for (const values of [{}, { MAX: "many" }]) {
        const error = yield* Effect.flip(Effect.scoped(build(layer))).pipe(Effect.provide(fromEnv(values)))
        assert.strictEqual(error._tag, "ConfigError")
      }
    }))

  it.effect("what can be read, but cannot be, is a defect", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.scoped(build(layer)).pipe(Effect.provide(fromEnv({ MAX: 1, MIN: 2 }))))
      assert.strictEqual(defectOf(exit), "Pool \"app/Database\": min (2) must not exceed max (1)")
    }))

  it.effect("an acquire that is a Config is what creates", () => {
    class Text extends Proxy.Service<Text, string, Config.ConfigError>()("app/Text") {}
    let n = 0
    return Effect.gen(function*() {
      const text = yield* Text
      assert.strictEqual(yield* Effect.scoped(text.concat("!")), "0!")
      yield* Effect.scoped(Effect.andThen(text.length(), Text.invalidate))
      assert.strictEqual(yield* Effect.scoped(text.concat("!")), "1!")
    }).pipe(Effect.provide(
      Text.layerConfig({
        acquire: Config.succeed(undefined).pipe(Config.map(() => String(n++))),
        max: Config.succeed(1)
      })
    ))
  })

  it.effect("all values is as layerPool", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Effect.scoped(id), 0)
      assert.strictEqual((yield* stats).max, 2)
    }).pipe(
      Effect.provide(Database.layerConfig({ acquire: new Server().connect, max: 2, createRetry: Schedule.forever }))
    ))
})

describe("two tags", () => {
  it.effect("never mix, also with objects of the same type", () => {
    class Replica extends Proxy.Service<Replica, { readonly name: string }>()("app/Replica") {}
    class Primary extends Proxy.Service<Primary, { readonly name: string }>()("app/Primary") {}
    return Effect.gen(function*() {
      const [replica, primary] = [yield* Replica, yield* Primary]
      const names = yield* Effect.scoped(Effect.all([replica.name(), primary.name(), Effect.scoped(replica.name())]))
      assert.deepStrictEqual(names, ["replica", "primary", "replica"])
      const half = Effect.andThen(replica.name(), Effect.all([Replica.isHeld, Primary.isHeld]))
      assert.deepStrictEqual(yield* Effect.scoped(half), [true, false])
    }).pipe(Effect.provide([
      Replica.layerPool({ acquire: Effect.sync(() => ({ name: "replica" })), max: 2 }),
      Primary.layerPool({ acquire: Effect.sync(() => ({ name: "primary" })), max: 2 })
    ]))
  })
})

describe("where Effect.scoped stands", () => {
  it.effect("inside Effect.provide it closes before the pool does", () => {
    const server = new Server()
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      yield* Effect.scoped(id).pipe(
        Effect.provide(Database.layerPool({ acquire: server.connect, max: 1, onReturn: server.onReturn }))
      )
      assert.deepStrictEqual([server.returned, server.alive], [["0:Success"], 0])
      assert.deepStrictEqual(entries, [])
    }).pipe(Effect.provide(layer))
  })

  it.effect("outside, the pool takes back what the Scope merely holds, and waits for nothing", () => {
    const server = new Server()
    return Effect.gen(function*() {
      yield* id.pipe(
        Effect.provide(Database.layerPool({ acquire: server.connect, max: 1, onReturn: server.onReturn })),
        Effect.scoped
      )
      assert.deepStrictEqual([server.returned, server.alive], [[], 0])
    })
  })
})

describe("the errors", () => {
  it.effect("are those of the pool, in the tag's name", () =>
    Effect.gen(function*() {
      const holder = yield* openScope
      yield* holder.run(id)
      const caught = Effect.scoped(id).pipe(
        Effect.catchTag("PoolError", (error) => Effect.succeed([error.pool, error.reason._tag, error.isRetryable]))
      )
      const fiber = yield* start(caught)
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(valueOf(fiber), ["app/Database", "BorrowTimeout", true])
      const reason = yield* start(
        Effect.scoped(id).pipe(Effect.catchReason("PoolError", "BorrowTimeout", (error) => Effect.succeed(error.inUse)))
      )
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(valueOf(reason), 1)
      yield* holder.close()
      assert.strictEqual(yield* inUse, 0)
      assert.strictEqual(yield* summary, "1 idle, 0 in use, 0 waiting, 0 held")
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connect, max: 1 }))))

  it.effect("a missing layer is Effect's own defect", () =>
    Effect.gen(function*() {
      const without = Effect.scoped(Effect.flatMap(Database, (db) => db.id())) as Effect.Effect<
        number,
        ConnectError | PoolError.PoolError
      >
      const object = Effect.scoped(Database.object) as Effect.Effect<unknown, ConnectError | PoolError.PoolError>
      for (const program of [without, object]) {
        const exit = yield* Effect.exit(program as Effect.Effect<unknown, unknown>)
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        assert.include(defectOf(exit), "app/Database")
      }
    }))
})
