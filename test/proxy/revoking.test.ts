import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { PoolError } from "proxy-pattern-pool"
import { Pool } from "proxy-pattern-pool"
import { ended, logs, poolError, reasonOf, settle, start, valueOf } from "../utils.ts"
import { Database, id, inUse, openScope, Server, stats, summary } from "./kit.ts"

const limited = (server = new Server(), max = 1) =>
  Database.layerPool({
    acquire: server.connect,
    max,
    min: 0,
    borrowLimit: "1 second",
    onReturn: server.onReturn
  })

describe("a call that is running at the limit", () => {
  it.effect("is interrupted and fails with Revoked, and the object is destroyed, without onReturn", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      let interrupted = false
      const fiber = yield* start(
        Effect.exit(Effect.scoped(db.hang())).pipe(
          Effect.onInterrupt(() => Effect.sync(() => interrupted = true))
        )
      )
      yield* TestClock.adjust(999)
      assert.isUndefined(ended(fiber))
      yield* TestClock.adjust(1)
      const error = poolError(valueOf(fiber))
      const { holder, limit } = error.reason as PoolError.Revoked
      assert.strictEqual(error.reason._tag, "Revoked")
      assert.strictEqual(Duration.toMillis(limit), 1000)
      assert.strictEqual(holder.fiber, fiber.id)
      assert.isFalse(error.isRetryable)
      assert.isFalse(interrupted, "the caller is not interrupted")
      assert.deepStrictEqual([server.closed, server.returned], [[0], []])
      const { borrowed, destroyed, returned } = yield* stats
      assert.deepStrictEqual([destroyed.revoked, borrowed, returned], [1, 1, 1])
    }).pipe(Effect.provide(limited(server)))
  })

  it.effect("frees a waiter", () =>
    Effect.gen(function*() {
      const db = yield* Database
      yield* start(Effect.exit(Effect.scoped(db.hang())))
      const waiter = yield* start(Effect.scoped(id))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(valueOf(waiter), 1)
    }).pipe(Effect.provide(limited())))

  it.effect("the limit counts from the hand-over to the Scope, not to the call", () =>
    Effect.gen(function*() {
      const db = yield* Database
      const fiber = yield* start(
        Effect.scoped(Effect.all([db.slow(400), db.slow(400), Effect.exit(db.slow(400))]))
      )
      for (const step of [400, 400, 199]) yield* TestClock.adjust(step)
      assert.isUndefined(ended(fiber))
      yield* TestClock.adjust(1)
      assert.strictEqual(reasonOf(valueOf(fiber)[2]), "Revoked")
    }).pipe(Effect.provide(limited())))

  it.effect("all calls of the Scope that are running are, promises too", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const { close, run } = yield* openScope
      const calls = [
        yield* start(Effect.exit(run(db.hang()))),
        yield* start(Effect.exit(run(db.slow(5000)))),
        yield* start(Effect.exit(run(db.ping())))
      ]
      yield* TestClock.adjust("1 second")
      for (const call of calls) {
        assert.strictEqual(reasonOf(valueOf<Exit.Exit<unknown, unknown>, never>(call)), "Revoked")
      }
      yield* close()
      assert.deepStrictEqual(server.returned, [])
    }).pipe(Effect.provide(Database.layerPool({
      acquire: Effect.map(server.connect, (connection) => ({
        ...connection,
        hang: Effect.never,
        ping: () => new Promise<number>(() => {})
      })),
      max: 1,
      borrowLimit: "1 second"
    })))
  })

  it.effect("uninterruptible code is told when it ends, also where it succeeds", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const inside = yield* start(Effect.exit(Database.scoped(
        Database.useObject(() => Effect.uninterruptible(Effect.as(Effect.sleep("3 seconds"), "done")))
      )))
      yield* TestClock.adjust("1 second")
      assert.isUndefined(ended(inside))
      assert.deepStrictEqual(server.closed, [0], "the object goes at the limit")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(reasonOf(valueOf(inside)), "Revoked")
      const around = yield* start(Effect.exit(Effect.uninterruptible(Effect.scoped(db.slow(3000)))))
      yield* TestClock.adjust("1 second")
      assert.isUndefined(ended(around))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(reasonOf(valueOf(around)), "Revoked")
    }).pipe(Effect.provide(limited(server)))
  })

  it.effect("what it forked ends with it", () =>
    Effect.gen(function*() {
      let ended = false
      const body = Effect.andThen(
        Effect.forkChild(Effect.onInterrupt(Effect.never, () => Effect.sync(() => ended = true)), {
          startImmediately: true
        }),
        Effect.never
      )
      const fiber = yield* start(Effect.exit(Database.scoped(Database.useObject(() => body))))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(reasonOf(valueOf(fiber)), "Revoked")
      assert.isTrue(ended)
    }).pipe(Effect.provide(limited())))
})

describe("after a revocation", () => {
  it.effect("every later call in that Scope fails with Revoked without touching the object", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const { close, run } = yield* openScope
      yield* run(db.query("before"))
      assert.isTrue(yield* run(Database.isHeld))
      yield* TestClock.adjust("1 second")
      const calls: ReadonlyArray<Effect.Effect<Exit.Exit<unknown, unknown>, never, Database>> = [
        run(Effect.exit(db.query("after"))),
        run(Effect.exit(db.add(1, 2))),
        run(Effect.exit(db.ping())),
        run(Effect.exit(db.id())),
        run(Effect.exit(Database.object))
      ]
      for (const call of calls) assert.strictEqual(reasonOf(yield* call), "Revoked")
      assert.isFalse(yield* run(Database.isHeld))
      yield* run(Database.invalidate)
      assert.strictEqual(yield* run(Effect.scoped(id)), 1, "a nested Scope is another")
      assert.strictEqual(yield* run(Database.useObject((c) => Effect.succeed(c.id))), 1)
      yield* close()
      assert.deepStrictEqual(server.calls, ["0:before"])
      assert.deepStrictEqual(server.returned, ["1:Success", "1:Success"], "the late return changes nothing")
      assert.strictEqual(yield* Effect.scoped(id), 1, "another Scope borrows as ever")
      assert.strictEqual((yield* stats).destroyed.revoked, 1)
    }).pipe(Effect.provide(limited(server, 2)))
  })

  it.effect("so does one that comes from where many calls came from before", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      for (let i = 0; i < 3; i++) yield* db.query("before")
      yield* TestClock.adjust("1 second")
      for (let i = 0; i < 3; i++) assert.strictEqual(reasonOf(yield* Effect.exit(db.query("after"))), "Revoked")
      assert.lengthOf(server.calls, 3)
    }).pipe(Effect.scoped, Effect.provide(limited(server)))
  })

  it.effect("every later call of that unit and its nested Scopes does, and its body is not interrupted", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const perCall = yield* Database.perCall
      const unit = yield* start(
        Database.scoped(Effect.gen(function*() {
          yield* db.query("before")
          yield* Effect.sleep("2 seconds")
          const exits = [
            yield* Effect.exit(db.query("after")),
            yield* Effect.exit(Effect.scoped(db.query("nested"))),
            yield* Effect.exit(Database.scoped(db.query("joined"))),
            yield* Effect.exit(Database.useObject((c) => c.query("useObject"))),
            yield* Effect.exit(perCall.query("perCall")),
            yield* Effect.exit(Effect.scoped(Database.object))
          ]
          assert.isFalse(yield* Database.isHeld)
          return exits
        }))
      )
      yield* TestClock.adjust("1 second")
      assert.isUndefined(ended(unit))
      assert.deepStrictEqual(server.closed, [0])
      yield* TestClock.adjust("1 second")
      for (const exit of valueOf(unit)) assert.strictEqual(reasonOf(exit), "Revoked")
      assert.deepStrictEqual(server.calls, ["0:before"])
      assert.strictEqual(yield* Database.scoped(id), 1)
    }).pipe(Effect.provide(limited(server)))
  })

  it.effect("whoever is told of one revocation may call at once on what was taken back at the same moment", () =>
    Effect.gen(function*() {
      const db = yield* Database
      const [a, b] = [yield* openScope, yield* openScope]
      const fiber = yield* start(
        Effect.andThen(Effect.exit(a.run(db.hang())), Effect.all([Effect.exit(b.run(id)), Effect.exit(a.run(id))]))
      )
      yield* settle
      yield* b.run(id)
      yield* TestClock.adjust("1 second")
      for (const exit of valueOf(fiber)) assert.strictEqual(reasonOf(exit), "Revoked")
      yield* Effect.all([a.close(), b.close()])
      assert.strictEqual((yield* stats).destroyed.revoked, 2)
    }).pipe(Effect.provide(limited(new Server(), 2))))

  it.effect("a raw reference cannot be guarded: whoever has it goes on", () =>
    Effect.gen(function*() {
      const fiber = yield* start(
        Effect.scoped(
          Effect.flatMap(Database.object, (object) => Effect.as(Effect.sleep("2 seconds"), object.add(1, 2)))
        )
      )
      const rows = yield* start(
        Effect.flatMap(Database, (db) =>
          Stream.runCollect(Stream.tap(Stream.unwrap(db.rows(1)), () => Effect.sleep("2 seconds"))))
      )
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* stats).destroyed.revoked, 2)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(valueOf(fiber), 3)
      assert.deepStrictEqual(valueOf(rows), [1])
    }).pipe(Effect.provide(limited(new Server(), 2))))

  it.effect("an object whose Scope has closed with a call in flight is still taken back at the limit", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const { close, run } = yield* openScope
      const call = yield* start(Effect.exit(run(db.hang())))
      yield* settle
      yield* close()
      yield* TestClock.adjust("1 second")
      assert.strictEqual(reasonOf(valueOf(call)), "Revoked")
      assert.deepStrictEqual([server.closed, server.returned], [[0], []])
    }).pipe(Effect.provide(limited(server)))
  })

  it.effect("what is being returned is never revoked", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const fiber = yield* start(Effect.exit(Effect.scoped(Effect.andThen(id, Effect.sleep(900)))))
      yield* TestClock.adjust(900)
      yield* TestClock.adjust("5 seconds")
      assert.isTrue(Exit.isSuccess(valueOf(fiber)))
      assert.strictEqual((yield* stats).destroyed.revoked, 0)
    }).pipe(Effect.provide(Database.layerPool({
      acquire: server.connect,
      max: 1,
      borrowLimit: "1 second",
      onReturn: () => Effect.sleep("5 seconds")
    })))
  })

  it.effect("of a shared object only the overdue borrow is revoked, and the object goes with its last holder", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const [a, b] = [yield* openScope, yield* openScope]
      yield* a.run(id)
      yield* TestClock.adjust(500)
      yield* b.run(id)
      yield* TestClock.adjust(500)
      assert.strictEqual(reasonOf(yield* Effect.exit(a.run(id))), "Revoked")
      assert.strictEqual(yield* b.run(id), 0)
      assert.deepStrictEqual(server.closed, [])
      assert.strictEqual(yield* Effect.scoped(id), 1, "nobody new gets it")
      yield* b.close()
      yield* settle
      assert.deepStrictEqual(server.closed, [0])
      yield* a.close()
      assert.strictEqual((yield* stats).destroyed.revoked, 1)
    }).pipe(Effect.provide(Database.layerShared({ acquire: server.connect, borrowLimit: "1 second" })))
  })
})

describe("with a finite limit, below it", () => {
  it.effect("calls give what they give, and end as they end", () =>
    Effect.gen(function*() {
      const db = yield* Database
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* db.slow(0), 0)
        assert.strictEqual(yield* db.ping(), 0)
        assert.strictEqual(yield* db.add(1, 2), 3)
        assert.strictEqual((yield* Effect.flip(db.query("wrong")))._tag, "QueryError")
      }).pipe(Effect.scoped)
      assert.strictEqual((yield* stats).destroyed.failed, 0)
      const fiber = yield* start(Effect.scoped(db.hang()))
      yield* Fiber.interrupt(fiber)
      const exit = ended(fiber)
      assert.isTrue(exit !== undefined && Exit.hasInterrupts(exit))
      assert.strictEqual((yield* stats).destroyed.failed, 1)
    }).pipe(Effect.provide(limited())))

  it.effect("a call counts as its caller's, in holders, warnings and at closing", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const db = yield* Database
      const fiber = yield* start(Effect.scoped(
        Effect.andThen(db.id(), Effect.scoped(Database.useObject(() => Effect.scoped(db.id()), { timeout: 500 })))
      ))
      yield* TestClock.adjust(100)
      const holders = (yield* stats).objects.flatMap((object) => object.holders)
      assert.deepStrictEqual(holders.map((holder) => holder.fiber), [fiber.id, fiber.id])
      assert.isTrue(holders.every((holder) => holder.waiting))
      assert.lengthOf(entries.filter(({ message }) => message.includes("nested borrowing")), 1)
      yield* TestClock.adjust("1 second")
    }).pipe(Effect.provide(Layer.provideMerge(limited(new Server(), 2), layer)))
  })

  it.effect("a body that shuts its pool down is not waited for", () =>
    Effect.gen(function*() {
      const pool = yield* Database.pool
      const fiber = yield* start(
        Database.scoped(Database.useObject(() => Effect.as(Pool.shutdown(pool), "closed")))
      )
      yield* settle
      assert.strictEqual(valueOf(fiber), "closed")
      assert.strictEqual(yield* inUse, 0)
      assert.strictEqual(yield* summary, "0 idle, 0 in use, 0 waiting, 0 held")
    }).pipe(Effect.provide(limited())))
})
