import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Pool } from "proxy-pattern-pool"
import { defectOf, ended, logs, reasonOf, settle, start, valueOf } from "../utils.ts"
import type { Connection } from "./kit.ts"
import { Database, id, inUse, openScope, Server, stats } from "./kit.ts"

const layer = (server = new Server(), max = 3) =>
  Database.layerPool({ acquire: server.connect, max, min: 0, onReturn: server.onReturn })

const shutdown = Effect.flatMap(Database.pool, Pool.shutdown)

describe("at once", () => {
  it.effect("what a Scope merely holds is destroyed without onReturn, and later calls in it fail with Closed", () => {
    const server = new Server()
    const { entries, layer: logging } = logs()
    return Effect.gen(function*() {
      const db = yield* Database
      const { close, run } = yield* openScope
      yield* run(db.query("before"))
      yield* shutdown
      assert.deepStrictEqual([server.closed, server.returned], [[0], []])
      assert.isFalse(yield* run(Database.isHeld))
      for (const call of [db.query("after"), db.add(1, 2), Database.object, Effect.scoped(db.id())]) {
        assert.strictEqual(reasonOf(yield* Effect.exit(run<unknown, unknown, Database | Scope.Scope>(call))), "Closed")
      }
      yield* run(Database.invalidate)
      yield* close()
      assert.deepStrictEqual(server.calls, ["0:before"])
      assert.deepStrictEqual(server.returned, [])
      const { borrowed, destroyed, returned } = yield* stats
      assert.deepStrictEqual([borrowed, returned, destroyed.shutdown], [1, 1, 1])
      assert.deepStrictEqual(entries, [], "nobody is blamed")
    }).pipe(Effect.provide(Layer.provideMerge(layer(server), logging)))
  })

  it.effect("later calls from where many came from before fail too", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      for (let i = 0; i < 3; i++) yield* db.query("before")
      yield* shutdown
      for (let i = 0; i < 3; i++) assert.strictEqual(reasonOf(yield* Effect.exit(db.query("after"))), "Closed")
      assert.lengthOf(server.calls, 3)
    }).pipe(Effect.scoped, Effect.provide(layer(server)))
  })

  it.effect("those who wait fail with Closed, in Scopes, units, useObject and perCall, also while a hook prepares an object", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const perCall = yield* Database.perCall
      const waiting: ReadonlyArray<Effect.Effect<unknown, unknown, Database>> = [
        Effect.scoped(id),
        Database.scoped(id),
        Database.useObject(() => Effect.void),
        perCall.id(),
        Effect.scoped(Database.object),
        Effect.scoped(Effect.all([id, id], { concurrency: "unbounded" }))
      ]
      const fibers = yield* Effect.forEach(waiting, (effect) => start(Effect.exit(effect)))
      yield* settle
      assert.strictEqual((yield* stats).waiting, waiting.length)
      yield* shutdown
      yield* settle
      for (const fiber of fibers) assert.strictEqual(reasonOf(valueOf(fiber)), "Closed")
      assert.strictEqual(server.alive, 0)
    }).pipe(Effect.provide(Database.layerPool({
      acquire: server.connect,
      max: 2,
      onBorrow: () => Effect.never
    })))
  })

  it.effect("a new unit, and a new call in an old one that held nothing, fail with Closed", () =>
    Effect.gen(function*() {
      const exits = yield* Database.scoped(Effect.gen(function*() {
        yield* shutdown
        return [yield* Effect.exit(id), yield* Effect.exit(Effect.scoped(id)), yield* Effect.exit(Database.scoped(id))]
      }))
      for (const exit of exits) assert.strictEqual(reasonOf(exit), "Closed")
    }).pipe(Effect.provide(layer())))
})

describe("it waits for", () => {
  const waits = (
    name: string,
    holding: (db: Effect.Success<typeof Database>) => Effect.Effect<unknown, unknown, Database>
  ) =>
    it.effect(name, () => {
      const server = new Server()
      return Effect.gen(function*() {
        const holder = yield* start(holding(yield* Database))
        yield* settle
        assert.strictEqual(yield* inUse, 1)
        const closing = yield* start(shutdown)
        yield* TestClock.adjust(99)
        assert.isUndefined(ended(closing))
        assert.isUndefined(ended(holder))
        assert.deepStrictEqual(server.closed, [])
        yield* TestClock.adjust(1)
        assert.isDefined(ended(closing))
        assert.isTrue(Exit.isSuccess(ended(holder)!))
        assert.deepStrictEqual([server.closed, server.returned], [[0], ["0:Success"]])
      }).pipe(Effect.provide(layer(server)))
    })

  waits("a forwarded call in flight", (db) => Effect.scoped(db.slow(100)))
  waits("a useObject body", () => Database.useObject((connection) => connection.slow(100)))
  waits("a call of perCall", () => Effect.flatMap(Database.perCall, (db) => db.slow(100)))
  waits(
    "the body of a unit that holds an object, and its calls go on",
    (db) => Database.scoped(Effect.andThen(db.id(), Effect.andThen(Effect.sleep(100), Effect.scoped(db.query("late")))))
  )
  waits("an object taken raw", () => Effect.scoped(Effect.andThen(Database.object, Effect.sleep(100))))
  waits(
    "a Scope that took its object raw, and its calls go on",
    (db) => Effect.scoped(Effect.andThen(Database.object, Effect.andThen(Effect.sleep(100), db.query("late"))))
  )
  waits(
    "a call that gave a Stream",
    (db) => Stream.runDrain(Stream.tap(Stream.unwrap(db.rows(1)), () => Effect.sleep(100)))
  )

  it.effect("the last of several calls in flight; then what its Scope holds is destroyed, and later calls fail", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const { close, run } = yield* openScope
      const calls = [yield* start(run(db.slow(100))), yield* start(run(db.slow(200)))]
      yield* settle
      const closing = yield* start(shutdown)
      yield* TestClock.adjust(100)
      assert.strictEqual(valueOf(calls[0]), 0)
      assert.strictEqual(yield* run(db.add(1, 2)), 3, "as long as one is in flight others may begin")
      yield* TestClock.adjust(100)
      assert.strictEqual(valueOf(calls[1]), 0)
      assert.isDefined(ended(closing))
      assert.strictEqual(reasonOf(yield* Effect.exit(run(db.add(1, 2)))), "Closed")
      yield* close()
      assert.deepStrictEqual([server.closed, server.returned], [[0], ["0:Success"]])
    }).pipe(Effect.provide(layer(server)))
  })

  it.effect("onReturn of what it waits for, and so does the end of the Scope", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const { close, run } = yield* openScope
      const call = yield* start(run(db.slow(100)))
      yield* settle
      const closing = yield* start(shutdown)
      yield* TestClock.adjust(100)
      assert.strictEqual(valueOf(call), 0)
      assert.isUndefined(ended(closing))
      const closed = yield* start(close())
      yield* settle
      assert.isUndefined(ended(closed), "the Scope waits for the hook")
      yield* TestClock.adjust(50)
      assert.isDefined(ended(closing))
      assert.isDefined(ended(closed))
    }).pipe(
      Effect.provide(Database.layerPool({ acquire: server.connect, max: 1, min: 0, onReturn: () => Effect.sleep(50) }))
    )
  })
})

describe("it does not wait for what cannot end before it", () => {
  const within = (name: string, program: Effect.Effect<unknown, unknown, Database>) =>
    it.effect(name, () => {
      const server = new Server()
      return Effect.gen(function*() {
        const fiber = yield* start(program)
        yield* settle
        assert.isTrue(ended(fiber) !== undefined && Exit.isSuccess(ended(fiber)!), String(ended(fiber)))
        assert.strictEqual(server.alive, 0)
        assert.deepStrictEqual(server.returned, [], "onReturn does not run for it")
      }).pipe(Effect.provide(layer(server)))
    })

  within("a useObject body that shuts the pool down", Database.useObject(() => shutdown))
  within(
    "a unit that does, in its own Scope or a nested one",
    Effect.andThen(
      Database.scoped(Effect.andThen(id, Effect.scoped(shutdown))),
      Effect.void
    )
  )
  within("a unit's useObject body that does", Database.scoped(Database.useObject(() => shutdown)))
  within("what the fiber took raw that does", Effect.scoped(Effect.andThen(Database.object, Effect.scoped(shutdown))))
  within(
    "what was taken raw, by another fiber, in the Scope in which the closing runs",
    Effect.scoped(Effect.andThen(
      Effect.flatMap(Effect.forkChild(Database.object), Fiber.join),
      shutdown
    ))
  )

  it.effect("the layer's own Scope: what was taken raw there ends with it, before or after the pool", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const built = layer(server)
      const context = yield* Scope.provide(Layer.build(built), scope)
      const object: Connection = yield* Scope.provide(Effect.provide(Database.object, context), scope)
      assert.strictEqual(object.id, 0)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual([server.closed, server.returned], [[0], ["0:Success"]])
    })
  })
})

describe("after shutdownTimeout", () => {
  it.effect("the rest is destroyed and its holders are logged; bodies go on, calls fail with Closed, without onReturn", () => {
    const server = new Server()
    const { entries, layer: logging } = logs()
    return Effect.gen(function*() {
      const db = yield* Database
      const unit = yield* start(Database.scoped(Effect.gen(function*() {
        yield* db.id()
        yield* Effect.sleep("10 seconds")
        return [yield* Effect.exit(db.query("late")), yield* Effect.exit(Effect.scoped(db.id()))]
      })))
      const body = yield* start(Database.useObject((connection) => connection.slow(10_000)))
      const { close, run } = yield* openScope
      const call = yield* start(run(db.slow(10_000)))
      yield* settle
      const closing = yield* start(shutdown)
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(ended(closing))
      yield* TestClock.adjust(1)
      assert.isDefined(ended(closing))
      assert.strictEqual(server.alive, 0)
      assert.lengthOf(entries.filter(({ message }) => message.includes("is destroyed while fiber #")), 3)
      assert.strictEqual(reasonOf(yield* Effect.exit(run(db.id()))), "Closed")
      assert.isUndefined(ended(call), "a call that is running goes on")
      yield* TestClock.adjust("5 seconds")
      for (const exit of valueOf(unit)) assert.strictEqual(reasonOf(exit), "Closed")
      assert.deepStrictEqual([valueOf(body), valueOf(call)].toSorted(), [1, 2])
      yield* close()
      assert.deepStrictEqual(server.returned, [])
      const { borrowed, returned } = yield* stats
      assert.strictEqual(borrowed, returned)
    }).pipe(Effect.provide(Layer.provideMerge(
      Database.layerPool({
        acquire: server.connect,
        max: 3,
        min: 0,
        shutdownTimeout: "5 seconds",
        onReturn: server.onReturn
      }),
      logging
    )))
  })

  it.effect("a Scope that is closed with a call still in flight ends as it would", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const { close, run } = yield* openScope
      const call = yield* start(run(db.slow(10_000)))
      yield* settle
      yield* close()
      const closing = yield* start(shutdown)
      yield* TestClock.adjust("5 seconds")
      assert.isDefined(ended(closing))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(valueOf(call), 0)
      assert.strictEqual(
        defectOf(yield* Effect.exit(run(id))),
        "Pool \"app/Database\": cannot borrow in a Scope that is closed"
      )
    }).pipe(
      Effect.provide(Database.layerPool({ acquire: server.connect, max: 3, min: 0, shutdownTimeout: "5 seconds" }))
    )
  })
})

describe("with a borrowLimit", () => {
  it.effect("calls and bodies that the closing waits for are revoked at their limit", () =>
    Effect.gen(function*() {
      const db = yield* Database
      const call = yield* start(Effect.exit(Effect.scoped(db.hang())))
      yield* settle
      const closing = yield* start(shutdown)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(reasonOf(valueOf(call)), "Revoked")
      assert.isDefined(ended(closing))
    }).pipe(
      Effect.provide(Database.layerPool({ acquire: new Server().connect, max: 1, min: 0, borrowLimit: "1 second" }))
    ))
})
