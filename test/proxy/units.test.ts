import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Proxy } from "proxy-pattern-pool"
import { defectOf, ended, reasonOf, start, valueOf } from "../utils.ts"
import type { Connection } from "./kit.ts"
import { Database, id, inUse, openScope, Server, stats, summary } from "./kit.ts"

const layer = (server = new Server(), max = 3) =>
  Database.layerPool({ acquire: server.connect, max, onReturn: server.onReturn })

describe("Database.scoped", () => {
  it.effect("its object serves every Scope nested inside, and goes back at its end", () =>
    Effect.gen(function*() {
      const nested = Effect.scoped(Effect.all([id, Effect.scoped(id)]))
      const unit = Database.scoped(Effect.all([id, nested, Effect.scoped(id), inUse], { concurrency: 1 }))
      assert.deepStrictEqual(yield* unit, [0, [0, 0], 0, 1])
      assert.strictEqual(yield* summary, "1 idle, 0 in use, 0 waiting, 0 held")
      assert.strictEqual((yield* stats).borrowed, 1)
    }).pipe(Effect.provide(layer())))

  it.effect("borrows on first need, also where that is in a nested Scope", () =>
    Effect.gen(function*() {
      yield* Database.scoped(Effect.gen(function*() {
        assert.strictEqual(yield* inUse, 0)
        assert.isFalse(yield* Database.isHeld)
        assert.strictEqual(yield* Effect.scoped(id), 0)
        assert.isTrue(yield* Database.isHeld, "the unit holds it, not the nested Scope")
        assert.strictEqual(yield* inUse, 1)
        assert.isTrue(yield* Effect.scoped(Database.isHeld))
        assert.strictEqual(yield* id, 0)
      }))
      yield* Database.scoped(Effect.void)
      assert.strictEqual((yield* stats).borrowed, 1)
    }).pipe(Effect.provide(layer())))

  it.effect("it is a Scope like that of Effect.scoped, for whatever else needs one", () => {
    const seen: Array<string> = []
    const finalizer = (name: string) =>
      Effect.addFinalizer((exit) => Effect.sync(() => seen.push(`${name} ${exit._tag}`)))
    return Effect.gen(function*() {
      const exit = yield* Effect.exit(
        Database.scoped(Effect.gen(function*() {
          yield* finalizer("outer")
          yield* Effect.scoped(finalizer("nested"))
          yield* Database.scoped(finalizer("joined"))
          seen.push("body")
          return yield* Effect.fail("no")
        }))
      )
      assert.deepStrictEqual(exit, Exit.fail("no"))
      assert.deepStrictEqual(seen, ["nested Success", "joined Success", "body", "outer Failure"])
    }).pipe(Effect.provide(layer()))
  })

  it.effect("a nested one joins the outer one", () =>
    Effect.gen(function*() {
      const nested = Database.scoped(Effect.all([id, Effect.scoped(id), Database.scoped(id)]))
      assert.deepStrictEqual(yield* Database.scoped(Effect.all([nested, id, inUse])), [[0, 0, 0], 0, 1])
      yield* Database.scoped(Effect.gen(function*() {
        yield* Database.scoped(id)
        assert.strictEqual(yield* inUse, 1, "the end of the nested one gives nothing back")
      }))
      yield* Effect.scoped(Effect.gen(function*() {
        assert.strictEqual(yield* id, 0)
        assert.strictEqual(yield* Database.scoped(id), 1, "the Scope around it is not a unit")
      }))
    }).pipe(Effect.provide(layer())))

  it.effect("object, useObject, perCall and invalidate mean the unit's object", () => {
    const server = new Server()
    return Effect.gen(function*() {
      yield* Database.scoped(Effect.gen(function*() {
        const object = yield* Effect.scoped(Database.object)
        assert.strictEqual(yield* Database.useObject((connection) => Effect.succeed(connection)), object)
        const perCall = yield* Database.perCall
        assert.strictEqual(yield* perCall.id(), 0)
        assert.strictEqual(yield* perCall.slow(0), 0)
        assert.strictEqual(yield* perCall.ping(), 0)
        assert.strictEqual(yield* inUse, 1)
        yield* Effect.scoped(Database.invalidate)
        assert.strictEqual(yield* id, 0)
      }))
      assert.deepStrictEqual(server.closed, [0])
      assert.strictEqual((yield* stats).destroyed.invalidated, 1)
    }).pipe(Effect.provide(layer(server)))
  })

  it.effect("fibers of the unit share its object, also when they ask at once in Scopes of their own", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const work = Effect.all([
        id,
        Effect.scoped(id),
        Database.useObject((c) => Effect.succeed(c.id)),
        Database.scoped(id)
      ], {
        concurrency: "unbounded"
      })
      const fiber = yield* start(Database.scoped(work))
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(valueOf(fiber), [0, 0, 0, 0])
      assert.strictEqual((yield* stats).borrowed, 1)
    }).pipe(Effect.provide(Database.layerPool({ acquire: server.connectAfter(100), max: 3, min: 0 })))
  })

  it.effect("units at the same time have objects of their own", () =>
    Effect.gen(function*() {
      const unit = Database.scoped(Effect.andThen(id, (first) => Effect.map(Effect.yieldNow, () => first)))
      const ids = yield* Effect.all([unit, unit, unit], { concurrency: "unbounded" })
      assert.deepStrictEqual(new Set(ids), new Set([0, 1, 2]))
    }).pipe(Effect.provide(layer())))

  it.effect("a failure to borrow is not the unit's: the next call starts afresh", () =>
    Effect.gen(function*() {
      const holder = yield* openScope
      yield* holder.run(id)
      const unit = yield* start(
        Database.scoped(Effect.gen(function*() {
          const failed = yield* Effect.exit(id)
          yield* holder.close()
          return [reasonOf(failed), yield* id]
        }))
      )
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(valueOf(unit), ["BorrowTimeout", 0])
    }).pipe(Effect.provide(layer(new Server(), 1))))

  it.effect("useObject there takes its own timeout where it is the first to ask", () =>
    Effect.gen(function*() {
      const holder = yield* openScope
      yield* holder.run(id)
      const unit = yield* start(
        Effect.exit(Database.scoped(Database.useObject(() => Effect.void, { timeout: "1 second" })))
      )
      yield* TestClock.adjust(999)
      assert.isUndefined(ended(unit))
      yield* TestClock.adjust(1)
      assert.strictEqual(reasonOf(valueOf(unit)), "BorrowTimeout")
      yield* holder.close()
    }).pipe(Effect.provide(layer(new Server(), 1))))

  it.effect("its body is in the caller's fiber, and needs what it needs but for Scope", () => {
    class Tenant extends Context.Service<Tenant, string>()("Tenant") {}
    return Effect.gen(function*() {
      const fiber = Effect.withFiber((fiber) => Effect.succeed(fiber.id))
      const unit: Effect.Effect<readonly [number, string], never, Database | Tenant> = Database.scoped(
        Effect.all([fiber, Effect.service(Tenant)])
      )
      assert.deepStrictEqual(yield* Effect.provideService(unit, Tenant, "a"), [yield* fiber, "a"])
    }).pipe(Effect.provide(layer()))
  })
})

describe("how a unit ends", () => {
  it.effect("onReturn sees its exit; success, failures and what hits it between calls keep the object", () => {
    const server = new Server()
    return Effect.gen(function*() {
      yield* Effect.exit(Database.scoped(id))
      yield* Effect.exit(Database.scoped(Effect.andThen(id, Effect.fail("no"))))
      yield* Effect.exit(Database.scoped(Effect.andThen(id, Effect.die("dead"))))
      const fiber = yield* start(Database.scoped(Effect.andThen(id, Effect.never)))
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(server.returned, ["0:Success", "0:Fail", "0:Die", "0:Interrupt"])
      assert.strictEqual(server.opened.length, 1)
    }).pipe(Effect.provide(layer(server)))
  })

  it.effect("a call or a useObject body that is hit makes the object suspect, and so does an interruption once it is out raw", () =>
    Effect.gen(function*() {
      const db = yield* Database
      const hits: ReadonlyArray<Effect.Effect<unknown, unknown, Database | Scope.Scope>> = [
        db.burst(),
        Database.useObject(() => Effect.die("dead")),
        Database.useObject(() => {
          throw new Error("thrown")
        }),
        Effect.timeout(db.hang(), 10),
        Effect.timeout(Database.useObject(() => Effect.never), 10)
      ]
      for (const hit of hits) {
        const fiber = yield* start(Effect.exit(Database.scoped(Effect.exit(Effect.scoped(hit)))))
        yield* TestClock.adjust(10)
        assert.isDefined(ended(fiber))
      }
      assert.strictEqual((yield* stats).destroyed.failed, hits.length)
      const fiber = yield* start(Database.scoped(Effect.andThen(Database.object, Effect.never)))
      yield* Fiber.interrupt(fiber)
      assert.strictEqual((yield* stats).destroyed.failed, hits.length + 1)
      yield* Effect.exit(Database.scoped(Effect.andThen(Database.object, Effect.fail("no"))))
      assert.strictEqual((yield* stats).destroyed.failed, hits.length + 1)
    }).pipe(Effect.provide(layer())))

  it.effect("a finalizer of the unit still means the unit's object, as long as it is held", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      yield* Database.scoped(Effect.gen(function*() {
        yield* db.query("begin")
        yield* Effect.addFinalizer(() =>
          Effect.orDie(Effect.all([
            Effect.scoped(db.query("rollback")),
            Database.useObject((connection) => connection.query("reset"))
          ]))
        )
      }))
      assert.deepStrictEqual(server.calls, ["0:begin", "0:rollback", "0:reset"])
      assert.strictEqual((yield* stats).borrowed, 1)
    }).pipe(Effect.provide(layer(server, 1)))
  })
})

describe("a unit that has ended is none", () => {
  it.effect("fibers that outlive it borrow for their own Scope", () =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const later = Effect.andThen(Deferred.await(go), Effect.scoped(Effect.all([id, inUse, Database.isHeld])))
      const [fiber, first] = yield* Database.scoped(Effect.all([Effect.forkDetach(later), id]))
      assert.strictEqual(first, 0)
      const other = yield* openScope
      assert.strictEqual(yield* other.run(id), 0)
      yield* Deferred.succeed(go, undefined)
      assert.deepStrictEqual(yield* Fiber.join(fiber), [1, 2, true])
      yield* other.close()
    }).pipe(Effect.provide(layer())))

  it.effect("without a Scope of their own they have that of the unit, which is closed", () =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const later = Effect.exit(Effect.andThen(Deferred.await(go), id))
      const fiber = yield* Database.scoped(Effect.forkDetach(later))
      yield* Deferred.succeed(go, undefined)
      const exit = yield* Fiber.join(fiber)
      assert.strictEqual(defectOf(exit), "Pool \"app/Database\": cannot borrow in a Scope that is closed")
      assert.isTrue(Exit.isFailure(exit) && !Cause.hasInterrupts(exit.cause))
    }).pipe(Effect.provide(layer())))

  it.effect("a unit of theirs is a new one, and useObject and perCall borrow for themselves", () =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const perCall = yield* Database.perCall
      const later = Effect.andThen(
        Deferred.await(go),
        Effect.all([
          Database.scoped(Effect.all([id, Effect.scoped(id), inUse])),
          Database.useObject((connection) => Effect.succeed(connection.id)),
          perCall.id()
        ])
      )
      const fiber = yield* Database.scoped(Effect.andThen(id, Effect.forkDetach(later)))
      yield* Deferred.succeed(go, undefined)
      assert.deepStrictEqual(yield* Fiber.join(fiber), [[0, 0, 1], 0, 0])
      assert.strictEqual((yield* stats).borrowed, 4)
    }).pipe(Effect.provide(layer())))

  it.effect("a call in flight at its end keeps the object from others until it ends", () =>
    Effect.gen(function*() {
      const db = yield* Database
      const fiber = yield* Database.scoped(Effect.forkDetach(Effect.scoped(db.slow(100)), { startImmediately: true }))
      assert.strictEqual(yield* summary, "0 idle, 1 in use, 0 waiting, 1 held")
      yield* TestClock.adjust(100)
      assert.strictEqual(valueOf(fiber), 0)
      assert.strictEqual((yield* stats).destroyed.failed, 1)
    }).pipe(Effect.provide(layer())))
})

describe("units do not mix", () => {
  it.effect("another layer of the tag provided inside has its own objects and units", () => {
    const [outer, inner] = [new Server(), new Server()]
    inner.opened.push(-1, -1)
    return Effect.gen(function*() {
      yield* Database.scoped(Effect.gen(function*() {
        assert.strictEqual(yield* id, 0)
        yield* Effect.gen(function*() {
          assert.isFalse(yield* Database.isHeld)
          assert.strictEqual(yield* Effect.scoped(id), 2)
          assert.strictEqual(yield* Database.useObject((c) => Effect.succeed(c.id)), 2)
          assert.deepStrictEqual(yield* Database.scoped(Effect.all([id, Effect.scoped(id)])), [2, 2])
          assert.strictEqual(yield* summary, "1 idle, 0 in use, 0 waiting, 0 held")
        }).pipe(Effect.provide(Layer.fresh(layer(inner))))
        assert.strictEqual(yield* Effect.scoped(id), 0)
      }))
      assert.strictEqual(outer.opened.length, 1)
    }).pipe(Effect.provide(layer(outer)))
  })

  it.effect("the outer layer's unit goes on behind the inner one, and the inner one's ends with it", () => {
    const [outer, inner] = [new Server(), new Server()]
    return Effect.gen(function*() {
      const outerDb = yield* Database
      yield* Database.scoped(Effect.gen(function*() {
        yield* outerDb.id()
        yield* Database.scoped(Effect.gen(function*() {
          const innerDb = yield* Database
          yield* Effect.scoped(Effect.all([innerDb.query("a"), outerDb.query("b")]))
        })).pipe(Effect.provide(Layer.fresh(layer(inner))))
        assert.deepStrictEqual([inner.alive, outer.alive], [0, 1])
      }))
      assert.deepStrictEqual([outer.calls, inner.calls], [["0:b"], ["0:a"]])
      assert.strictEqual((yield* stats).borrowed, 1)
    }).pipe(Effect.provide(layer(outer)))
  })

  it.effect("two tags have units of their own, nested either way", () => {
    class Other extends Proxy.Service<Other, Connection>()("app/Other") {}
    return Effect.gen(function*() {
      const other = yield* Other
      const both = Database.scoped(Other.scoped(Effect.gen(function*() {
        const ids = yield* Effect.scoped(Effect.all([id, other.id(), Effect.scoped(other.id())]))
        assert.isTrue(yield* Database.isHeld)
        assert.isTrue(yield* Other.isHeld)
        return ids
      })))
      assert.deepStrictEqual(yield* both, [0, 0, 0])
      const one = Effect.scoped(Effect.all([Database.scoped(Effect.all([id, other.id()])), other.id(), inUse]))
      assert.deepStrictEqual(yield* one, [[0, 0], 0, 0])
    }).pipe(Effect.provide([layer(), Other.layerPool({ acquire: Effect.orDie(new Server().connect), max: 1 })]))
  })
})
