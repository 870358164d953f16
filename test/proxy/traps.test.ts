import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Ref, Stream } from "effect"
import type { Scope } from "effect"
import { TestClock } from "effect/testing"
import { ended, reasonOf, settle, start, valueOf } from "../utils.ts"
import { Database, id, inUse, openScope, Server, stats } from "./kit.ts"

/** The first time it is built it asks the database. */
class Settings extends Context.Service<Settings, string>()("app/Settings") {}

const settings = <R>(read: Effect.Effect<string, unknown, R>): Layer.Layer<Settings, never, Exclude<R, Scope.Scope>> =>
  Layer.effect(Settings, Effect.orDie(read))

describe("the traps that the documentation names", () => {
  const pool = (server: Server) => Database.layerPool({ acquire: server.connect, max: 1 })
  const query = Effect.flatMap(Database, (db) => db.query("settings"))

  it.effect("calling the proxy while a layer is built holds an object for the layer's life", () => {
    const server = new Server()
    return Effect.gen(function*() {
      assert.strictEqual(yield* Settings, "0:settings")
      assert.strictEqual(yield* inUse, 1)
      const other = yield* start(Effect.exit(Effect.scoped(id)))
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(reasonOf(valueOf(other)), "BorrowTimeout")
    }).pipe(Effect.provide(settings(query).pipe(Layer.provideMerge(pool(server)))))
  })

  for (
    const [name, read] of [
      ["perCall", Effect.flatMap(Database.perCall, (db) => db.query("settings"))],
      ["Database.scoped", Database.scoped(query)],
      ["useObject", Database.useObject((connection) => connection.query("settings"))]
    ] as const
  ) {
    it.effect(`${name} does not`, () => {
      const server = new Server()
      return Effect.gen(function*() {
        assert.strictEqual(yield* Settings, "0:settings")
        assert.strictEqual(yield* inUse, 0)
        assert.strictEqual(yield* Effect.scoped(id), 0)
      }).pipe(Effect.provide(settings<Database>(read).pipe(Layer.provideMerge(pool(server)))))
    })
  }

  it.effect("a unit around the building of a layer ends with it: later calls of what was built borrow for themselves", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const built = yield* Database.scoped(
        Effect.flatMap(Database, (db) => Effect.as(db.query("warm"), () => Effect.scoped(db.query("later"))))
      )
      assert.strictEqual(yield* inUse, 0)
      assert.strictEqual(yield* built(), "0:later")
      assert.strictEqual((yield* stats).borrowed, 2)
    }).pipe(Effect.provide(pool(server)))
  })

  it.effect("after a revocation a long-lived Scope fails for good", () =>
    Effect.gen(function*() {
      const { run } = yield* openScope
      yield* run(id)
      yield* TestClock.adjust("1 second")
      for (let i = 0; i < 3; i++) {
        assert.strictEqual(reasonOf(yield* Effect.exit(run(id))), "Revoked")
        yield* TestClock.adjust("1 minute")
      }
      assert.strictEqual(yield* Effect.scoped(id), 1)
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connect, max: 1, borrowLimit: "1 second" }))))

  it.effect("Effect.timeout inside a useObject body makes a typed failure, so the object counts as clean; outside it does not", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const inside = yield* start(Effect.flip(Database.useObject((c) => Effect.timeout(c.hang, "1 second"))))
      yield* TestClock.adjust("1 second")
      assert.deepInclude(valueOf(inside), { _tag: "TimeoutError" })
      assert.deepStrictEqual(server.closed, [])
      const outside = yield* start(Effect.flip(Effect.timeout(Database.useObject((c) => c.hang), "1 second")))
      yield* TestClock.adjust("1 second")
      assert.deepInclude(valueOf(outside), { _tag: "TimeoutError" })
      assert.deepStrictEqual(server.closed, [0])
    }).pipe(Effect.provide(pool(server)))
  })

  it.effect("Effect.timeout around a forwarded call interrupts the call, and the object is suspect", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const call = yield* start(Effect.flip(Effect.scoped(Effect.timeout(db.hang(), "1 second"))))
      yield* TestClock.adjust("1 second")
      assert.deepInclude(valueOf(call), { _tag: "TimeoutError" })
      assert.deepStrictEqual(server.closed, [0])
    }).pipe(Effect.provide(pool(server)))
  })

  it.effect("a transaction left open is onReturn's to roll back, which sees how its holder ended", () => {
    const server = new Server()
    const open = Ref.makeUnsafe<ReadonlyArray<string>>([])
    return Effect.gen(function*() {
      const db = yield* Database
      const begin = Effect.andThen(db.query("begin"), Ref.update(open, (all) => [...all, "begin"]))
      const fiber = yield* start(Effect.scoped(Effect.andThen(begin, Effect.never)))
      yield* Fiber.interrupt(fiber)
      yield* Effect.exit(Effect.scoped(Effect.andThen(begin, Effect.fail("no"))))
      assert.deepStrictEqual(yield* Ref.get(open), ["begin", "rollback Failure", "begin", "rollback Failure"])
      assert.deepStrictEqual(server.opened, [0])
    }).pipe(Effect.provide(Database.layerPool({
      acquire: server.connect,
      max: 1,
      onReturn: (_, exit) => Ref.update(open, (all) => [...all, `rollback ${exit._tag}`])
    })))
  })

  it.effect("a stream of an object that is not unwrapped in a Scope of its own is its Scope's", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const { close, run } = yield* openScope
      const rows = yield* run(db.rows(3))
      assert.isTrue(Stream.isStream(rows))
      assert.strictEqual(yield* inUse, 1)
      const closing = yield* start(close())
      yield* settle
      assert.isDefined(ended(closing))
      assert.strictEqual(yield* inUse, 0)
    }).pipe(Effect.provide(pool(server)))
  })
})
