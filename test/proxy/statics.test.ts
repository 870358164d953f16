import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Pool, Proxy } from "proxy-pattern-pool"
import { defectOf, ended, reasonOf, settle, start, valueOf } from "../utils.ts"
import type { Connection } from "./kit.ts"
import { ConnectError, Database, id, inUse, openScope, Server, stats, summary } from "./kit.ts"

const layer = (server = new Server(), max = 2) =>
  Database.layerPool({ acquire: server.connect, max, onReturn: server.onReturn })

describe("object", () => {
  it.effect("is the object that this Scope holds, borrowed on first need", () =>
    Effect.gen(function*() {
      const db = yield* Database
      yield* Effect.gen(function*() {
        const object = yield* Database.object
        assert.strictEqual(yield* inUse, 1)
        assert.strictEqual(yield* Database.object, object)
        assert.strictEqual(yield* db.id(), object.id)
        assert.strictEqual(object.add(1, 2), 3)
      }).pipe(Effect.scoped)
      assert.strictEqual(yield* summary, "1 idle, 0 in use, 0 waiting, 0 held")
    }).pipe(Effect.provide(layer())))

  it.effect("once it is out, an interruption or a defect that ends the Scope makes it suspect", () => {
    const server = new Server()
    return Effect.gen(function*() {
      yield* Effect.scoped(Database.object)
      yield* Effect.exit(Effect.scoped(Effect.andThen(Database.object, Effect.fail("no"))))
      assert.deepStrictEqual(server.closed, [])
      yield* Effect.exit(Effect.scoped(Effect.andThen(Database.object, Effect.die("dead"))))
      assert.deepStrictEqual(server.closed, [0])
      const fiber = yield* start(Effect.scoped(Effect.andThen(Database.object, Effect.never)))
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(server.closed, [0, 1])
      assert.deepStrictEqual(server.returned, ["0:Success", "0:Fail", "0:Die", "1:Interrupt"])
    }).pipe(Effect.provide(layer(server)))
  })

  it.effect("fails as a borrow does", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.scoped(Database.object))
      assert.deepStrictEqual(exit, Exit.fail(new ConnectError({ attempt: 0 })))
      yield* Effect.flatMap(Database.pool, Pool.shutdown)
      assert.strictEqual(reasonOf(yield* Effect.exit(Effect.scoped(Database.object))), "Closed")
    }).pipe(
      Effect.provide(Database.layerPool({ acquire: Effect.fail(new ConnectError({ attempt: 0 })), max: 1, min: 0 }))
    ))
})

describe("useObject", () => {
  it.effect("borrows for one function, also in a Scope that holds an object", () => {
    const server = new Server()
    return Effect.gen(function*() {
      assert.strictEqual(yield* Database.useObject((connection) => connection.slow(0)), 0)
      assert.strictEqual(yield* inUse, 0)
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* id, 0)
        const [own, used] = yield* Database.useObject((connection) =>
          Effect.all([Effect.succeed(connection.id), inUse])
        )
        assert.deepStrictEqual([own, used], [1, 2])
        assert.strictEqual(yield* inUse, 1)
      }).pipe(Effect.scoped)
    }).pipe(Effect.provide(layer(server)))
  })

  it.effect("its body's failure is its own, what hits the body makes the object suspect, and a throw is a defect", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const error = yield* Effect.flip(Database.useObject((connection) => connection.query("wrong")))
      assert.strictEqual(error._tag, "QueryError")
      assert.deepStrictEqual([server.closed, server.returned], [[], ["0:Fail"]])
      const died = yield* Effect.exit(Database.useObject(() => Effect.die(new Error("dead"))))
      assert.strictEqual(defectOf(died), "dead")
      const thrown = yield* Effect.exit(
        Database.useObject((): Effect.Effect<void> => {
          throw new Error("thrown")
        })
      )
      assert.strictEqual(defectOf(thrown), "thrown")
      const fiber = yield* start(Database.useObject((connection) => connection.hang))
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(server.closed, [0, 1, 2])
    }).pipe(Effect.provide(layer(server)))
  })

  it.effect("options.timeout is how long it waits, in the place of borrowTimeout", () =>
    Effect.gen(function*() {
      const holder = yield* openScope
      yield* holder.run(id)
      const quick = yield* start(Effect.exit(Database.useObject(() => Effect.void, { timeout: "100 millis" })))
      const zero = yield* Effect.exit(Database.useObject(() => Effect.void, { timeout: 0 }))
      assert.strictEqual(reasonOf(zero), "BorrowTimeout")
      yield* TestClock.adjust(99)
      assert.isUndefined(ended(quick))
      yield* TestClock.adjust(1)
      assert.strictEqual(reasonOf(valueOf(quick)), "BorrowTimeout")
      yield* holder.close()
      assert.strictEqual(yield* Database.useObject((c) => Effect.succeed(c.id), { timeout: 0 }), 0)
      const wrong = yield* Effect.exit(Database.useObject(() => Effect.void, { timeout: -1 }))
      assert.include(defectOf(wrong), "Pool \"app/Database\": timeout")
    }).pipe(Effect.provide(layer(new Server(), 1))))

  it.effect("its body may use the Scope around it, and calls through the proxy there are that Scope's", () =>
    Effect.gen(function*() {
      const db = yield* Database
      const ids = yield* Effect.scoped(
        Database.useObject((connection) => Effect.map(db.id(), (other) => [connection.id, other]))
      )
      assert.deepStrictEqual(ids, [0, 1])
    }).pipe(Effect.provide(layer())))
})

describe("perCall", () => {
  it.effect("each call borrows for itself and needs no Scope", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database.perCall
      assert.strictEqual(yield* inUse, 0)
      assert.strictEqual(yield* db.query("x"), "0:x")
      assert.strictEqual(yield* inUse, 0)
      assert.strictEqual(yield* db.ping(), 0)
      assert.strictEqual(yield* db.add(1, 2), 3)
      assert.strictEqual(yield* db.id(), 0)
      assert.strictEqual((yield* stats).borrowed, 4)
      const slow = yield* start(Effect.all([db.slow(100), db.slow(100)], { concurrency: "unbounded" }))
      assert.strictEqual(yield* inUse, 2)
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(valueOf(slow), [0, 1])
      assert.strictEqual(String(db), "Proxy(app/Database).perCall")
    }).pipe(Effect.provide(layer(server)))
  })

  it.effect("it ignores what a Scope holds, but for that of a unit of work", () =>
    Effect.gen(function*() {
      const db = yield* Database.perCall
      assert.deepStrictEqual(yield* Effect.scoped(Effect.all([id, db.id(), Database.isHeld])), [0, 1, true])
      assert.deepStrictEqual(yield* Effect.scoped(Effect.all([db.id(), Database.isHeld])), [0, false])
      assert.deepStrictEqual(yield* Database.scoped(Effect.all([db.id(), Database.isHeld, db.id()])), [0, true, 0])
    }).pipe(Effect.provide(layer())))

  it.effect("a failure, a rejection or a defect of the member is the call's, and a defect makes the object suspect", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database.perCall
      assert.strictEqual((yield* Effect.flip(db.query("wrong")))._tag, "QueryError")
      assert.deepStrictEqual(server.closed, [])
      assert.strictEqual(defectOf(yield* Effect.exit(db.burst())), "it burst")
      assert.deepStrictEqual(server.closed, [0])
      const fiber = yield* start(db.hang())
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(server.closed, [0, 1])
    }).pipe(Effect.provide(layer(server)))
  })

  it.effect("a call that gives a Stream is a defect that says why, however it gives it", () => {
    interface Reader {
      rows(): Stream.Stream<number>
      readonly all: Stream.Stream<number>
      effect(): Effect.Effect<Stream.Stream<number>>
      late(): Effect.Effect<Stream.Stream<number>>
      promise(): Promise<Stream.Stream<number>>
    }
    class Readers extends Proxy.Service<Readers, Reader>()("app/Readers") {}
    const rows = Stream.make(1)
    const reader: Reader = {
      rows: () => rows,
      all: rows,
      effect: () => Effect.succeed(rows),
      late: () => Effect.map(Effect.yieldNow, () => rows),
      promise: () => Promise.resolve(rows)
    }
    return Effect.gen(function*() {
      const proxy = yield* Readers.perCall
      const { all, effect, late, promise, rows } = proxy
      for (
        const [name, call] of Object.entries({
          rows: rows(),
          all: all(),
          effect: effect(),
          late: late(),
          promise: promise()
        })
      ) {
        for (const alone of [call, Readers.scoped(call)]) {
          const message = defectOf(yield* Effect.exit<unknown, unknown, Readers>(alone))
          assert.include(message, `Proxy(app/Readers).${name} gave a Stream`)
          assert.include(message, "nothing to hold its object")
        }
      }
      assert.strictEqual((yield* Pool.stats(yield* Readers.pool)).inUse, 0)
    }).pipe(Effect.provide(Readers.layerPool({ acquire: Effect.succeed(reader), max: 1 })))
  })

  it.effect("is what a layer uses that is built from the tag", () => {
    const server = new Server()
    class Users extends Proxy.Service<Users, { readonly name: (id: number) => Effect.Effect<string> }>()("app/Users") {}
    const users = Users.layerShared({
      acquire: Effect.map(Database.perCall, (db) => ({
        name: (id: number) => Effect.orDie(db.query(`name ${id}`))
      }))
    })
    return Effect.gen(function*() {
      const users = yield* Users
      assert.strictEqual(yield* Effect.scoped(users.name(1)), "0:name 1")
      assert.strictEqual(yield* inUse, 0, "no object is held for the layer's life")
    }).pipe(Effect.provide(users.pipe(Layer.provideMerge(layer(server)))))
  })
})

describe("isHeld and invalidate", () => {
  it.effect("isHeld tells whether this Scope holds an object now, and borrows nothing", () =>
    Effect.gen(function*() {
      const db = yield* Database
      const { close, run } = yield* openScope
      assert.isFalse(yield* run(Database.isHeld))
      assert.strictEqual((yield* stats).borrowed, 0)
      yield* run(db.id())
      assert.isTrue(yield* run(Database.isHeld))
      assert.isFalse(yield* run(Effect.scoped(Database.isHeld)))
      yield* close()
      assert.isFalse(yield* run(Database.isHeld))
    }).pipe(Effect.provide(layer())))

  it.effect("isHeld is false while the object is still waited for", () =>
    Effect.gen(function*() {
      const { close, run } = yield* openScope
      const waiting = yield* start(run(id))
      assert.isFalse(yield* run(Database.isHeld))
      yield* TestClock.adjust(100)
      assert.isTrue(yield* run(Database.isHeld))
      assert.strictEqual(valueOf(waiting), 0)
      yield* close()
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connectAfter(100), max: 1, min: 0 }))))

  it.effect("invalidate has the object destroyed on return, and used until then", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      yield* Effect.gen(function*() {
        yield* db.id()
        yield* Database.invalidate
        yield* Database.invalidate
        assert.strictEqual(yield* db.query("still"), "0:still")
        assert.isTrue(yield* Database.isHeld)
        assert.deepStrictEqual(server.closed, [])
      }).pipe(Effect.scoped)
      assert.deepStrictEqual([server.closed, server.returned], [[0], ["0:Success"]])
      assert.strictEqual((yield* stats).destroyed.invalidated, 1)
    }).pipe(Effect.provide(layer(server)))
  })

  it.effect("invalidate does nothing where none is held", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(Database.invalidate)
      yield* Database.scoped(Database.invalidate)
      const { borrowed, destroyed, size } = yield* stats
      assert.deepStrictEqual([borrowed, destroyed.invalidated, size], [0, 0, 1])
    }).pipe(Effect.provide(layer())))
})

describe("pool", () => {
  it.effect("is the pool behind the tag, for all of its functions", () =>
    Effect.gen(function*() {
      const pool = yield* Database.pool
      assert.isTrue(Pool.isPool(pool))
      assert.strictEqual(yield* Database.pool, pool)
      yield* Pool.awaitReady(pool)
      const object = yield* Effect.scoped(Pool.get(pool))
      assert.strictEqual(object.id, yield* Effect.scoped(id))
      yield* Pool.invalidate(pool, object)
      assert.strictEqual(yield* Effect.scoped(id), 1)
      yield* Pool.evict(pool)
      assert.strictEqual(yield* Effect.scoped(id), 2)
      yield* Pool.resize(pool, { max: 5 })
      assert.strictEqual((yield* Pool.stats(pool)).max, 5)
    }).pipe(Effect.provide(layer())))

  it.effect("what the Scope holds through the proxy and what it took with get are two objects", () =>
    Effect.gen(function*() {
      const pool = yield* Database.pool
      const ids = Effect.all([id, Effect.map(Pool.get(pool), ({ id }) => id), id])
      assert.deepStrictEqual(yield* Effect.scoped(ids), [0, 1, 0])
    }).pipe(Effect.provide(layer())))
})

describe("test doubles", () => {
  const calls: Array<string> = []
  const double = Database.of({
    id: () => Effect.succeed(7),
    query: (sql) => Effect.sync(() => `double: ${sql}`),
    slow: (millis) => Effect.as(Effect.addFinalizer(() => Effect.sync(() => calls.push("slow ended"))), millis),
    hang: () => Effect.never,
    ping: () => Effect.succeed(7),
    add: (a, b) => Effect.succeed(a + b),
    burst: () => Effect.die(new Error("burst")),
    rows: () => Effect.succeed(Stream.make(1, 2))
  })
  const doubles = {
    "Layer.succeed": Layer.succeed(Database, double),
    "Layer.mock": Layer.mock(Database)({ id: double.id, query: double.query, slow: double.slow, rows: double.rows })
  }
  for (const [name, layer] of Object.entries(doubles)) {
    describe(name, () => {
      it.effect("its members are called as they are", () =>
        Effect.gen(function*() {
          const db = yield* Database
          assert.strictEqual(yield* Effect.scoped(db.id()), 7)
          assert.strictEqual(yield* Effect.scoped(db.query("x")), "double: x")
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.unwrap(db.rows(2))), [1, 2])
        }).pipe(Effect.provide(layer)))

      it.effect("scoped is Effect.scoped, isHeld false, invalidate nothing", () =>
        Effect.gen(function*() {
          const seen: Array<string> = []
          const unit = Database.scoped(Effect.gen(function*() {
            yield* Effect.addFinalizer((exit) => Effect.sync(() => seen.push(exit._tag)))
            yield* Effect.flatMap(Database, (db) => db.id())
            yield* Database.invalidate
            assert.isFalse(yield* Database.isHeld)
            return yield* Effect.scoped(id)
          }))
          assert.strictEqual(yield* unit, 7)
          assert.deepStrictEqual(seen, ["Success"])
        }).pipe(Effect.provide(layer)))

      it.effect("perCall is the double, with a Scope for each call", () =>
        Effect.gen(function*() {
          calls.length = 0
          const db = yield* Database.perCall
          assert.strictEqual(yield* db.id(), 7)
          assert.strictEqual(yield* db.query("x"), "double: x")
          assert.strictEqual(yield* db.slow(3), 3)
          assert.deepStrictEqual(calls, ["slow ended"])
        }).pipe(Effect.provide(layer)))

      it.effect("pool, object and useObject die saying that there is no pool", () =>
        Effect.gen(function*() {
          const effects: ReadonlyArray<Effect.Effect<unknown, unknown, Database | Scope.Scope>> = [
            Database.pool,
            Database.object,
            Database.useObject(() => Effect.void)
          ]
          for (const effect of effects) {
            const exit = yield* Effect.exit(Effect.scoped(effect))
            assert.include(defectOf(exit), "no pool")
            assert.include(defectOf(exit), "app/Database")
          }
        }).pipe(Effect.provide(layer)))
    })
  }

  it.effect("what a mock leaves out is a defect when it is called", () =>
    Effect.gen(function*() {
      const db = yield* Database
      const exit = yield* Effect.exit(Effect.scoped(db.add(1, 2)))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    }).pipe(Effect.provide(doubles["Layer.mock"])))

  it.effect("inside a unit of a real layer a double is nothing but a double", () =>
    Database.scoped(Effect.gen(function*() {
      assert.strictEqual(yield* id, 0)
      assert.strictEqual(yield* Effect.provide(Database.scoped(id), doubles["Layer.succeed"]), 7)
      assert.isFalse(yield* Effect.provide(Database.isHeld, doubles["Layer.succeed"]))
      assert.isTrue(yield* Database.isHeld)
    })).pipe(Effect.provide(layer())))

  it.effect("with a double of the object everything works", () => {
    const fake: Connection = {
      id: 9,
      query: (sql) => Effect.succeed(`fake: ${sql}`),
      slow: Effect.succeed,
      hang: Effect.never,
      ping: () => Promise.resolve(9),
      add: (a, b) => a + b,
      burst: () => 0,
      rows: () => Stream.make(1)
    }
    return Effect.gen(function*() {
      const db = yield* Database
      const perCall = yield* Database.perCall
      const all = yield* Effect.scoped(Effect.all([
        db.id(),
        db.query("x"),
        db.ping(),
        Database.object,
        Database.useObject(Effect.succeed),
        perCall.id(),
        Database.isHeld
      ]))
      assert.deepStrictEqual(all, [9, "fake: x", 9, fake, fake, 9, true])
      assert.strictEqual(yield* Database.scoped(Effect.scoped(id)), 9)
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.unwrap(db.rows(1))), [1])
      assert.strictEqual((yield* stats).size, 1)
      yield* settle
      yield* Effect.scoped(Effect.andThen(db.id(), Database.invalidate))
      assert.strictEqual(yield* Effect.scoped(db.id()), 9)
    }).pipe(Effect.provide(Database.layerShared({ acquire: Effect.succeed(fake) })))
  })
})
