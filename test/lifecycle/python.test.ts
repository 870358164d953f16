/**
 * What the tests of the Python module ProxyPatternPool check of its `Pool`, here. Its time is approximate (rounds of a
 * housekeeping thread), ours is exact; it wants hashable objects, we take any value.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Pool } from "proxy-pattern-pool"
import { borrow, calm, lab, warmUp } from "./kit.ts"

describe("fun, max_size and min_size", () => {
  it.effect("objects are numbered from zero, in the order of their creation", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.service(Pool.CreationNumber), min: 2, max: 4 })
      yield* Pool.awaitReady(pool)
      const all = yield* Effect.forEach([1, 2, 3, 4], () => borrow(pool))
      assert.deepStrictEqual(all.map(({ object }) => object).toSorted(), [0, 1, 2, 3])
    }))

  it.effect("min_size is one by default, created before anybody asks", () =>
    Effect.gen(function*() {
      const { made, pool } = yield* lab({ max: 4 })
      assert.deepStrictEqual(made, [0])
      assert.strictEqual(yield* Pool.use(pool, ({ id }) => Effect.succeed(id)), 0)
      assert.deepStrictEqual(made, [0])
    }))

  it.effect("an object is created when one is asked for, none is idle and fewer than max_size are alive", () =>
    Effect.gen(function*() {
      const { made, pool } = yield* lab({ min: 0, max: 2 })
      const a = yield* borrow(pool)
      yield* borrow(pool)
      assert.deepStrictEqual(made, [0, 1])
      assert.strictEqual((yield* Effect.flip(borrow(pool, 0))).reason._tag, "BorrowTimeout")
      yield* a.giveBack
      assert.strictEqual((yield* borrow(pool)).object.id, 0)
      assert.deepStrictEqual(made, [0, 1])
    }))

  it.effect("max_size may be unlimited", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: Infinity })
      yield* Effect.forEach(Array.from({ length: 500 }), () => borrow(pool))
      assert.deepInclude(yield* stats, { size: 500, max: Infinity })
    }))

  it.effect("an object is created when fewer than min_size are alive, whatever the reason", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 2, max: 4, maxUses: 2, timeToLive: "1 hour", jitter: 0 })
      yield* Pool.awaitReady(pool)
      const a = yield* borrow(pool)
      yield* Pool.invalidate(pool, a.object)
      yield* a.giveBack
      assert.strictEqual((yield* stats).idle, 2)
      for (let i = 0; i < 4; i++) yield* Pool.use(pool, () => Effect.void)
      assert.strictEqual((yield* stats).idle, 2)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* stats).idle, 2)
      yield* Effect.exit(Pool.use(pool, () => Effect.die("defect")))
      assert.strictEqual((yield* stats).idle, 2)
    }))

  it.effect("no more than max_size are alive under fifty workers", () =>
    Effect.gen(function*() {
      let alive = 0
      let most = 0
      const { pool, stats } = yield* lab({
        min: 1,
        max: 10,
        maxUses: 5,
        create: () => Effect.andThen(Effect.sync(() => most = Math.max(most, ++alive)), Effect.sleep(3)),
        destroy: () => Effect.andThen(Effect.sleep(2), Effect.sync(() => alive--))
      })
      const workers = yield* Effect.forkChild(Effect.forEach(
        Array.from({ length: 50 }),
        (_, i) => Effect.repeat(Pool.use(pool, () => Effect.sleep(1 + i % 4)), { times: 19 }),
        { concurrency: "unbounded" }
      ))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(workers)
      assert.strictEqual(most, 10)
      assert.deepInclude(yield* stats, { borrowed: 1000, returned: 1000, waiting: 0 })
      const { destroyed, objects } = yield* stats
      assert.strictEqual(destroyed.uses * 5 + objects.reduce((uses, object) => uses + object.uses, 0), 1000)
    }))
})

describe("timeout", () => {
  it.effect("ends a wait with an error, at its moment, and the next borrower is served", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 1, max: 1, borrowTimeout: 500 })
      const a = yield* borrow(pool)
      const waiter = yield* Effect.forkChild(Effect.flip(borrow(pool)))
      yield* TestClock.adjust(499)
      assert.isUndefined(waiter.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(waiter)).reason._tag, "BorrowTimeout")
      yield* a.giveBack
      yield* borrow(pool)
      assert.deepInclude(yield* stats, { timeouts: 1, borrowed: 2 })
    }))
})

describe("max_use, max_avail_delay, max_using_delay, max_using_delay_kill", () => {
  it.effect("max_use destroys an object after so many uses", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 1, max: 1, maxUses: 2 })
      const ids: Array<number> = []
      for (let i = 0; i < 6; i++) yield* Pool.use(pool, ({ id }) => Effect.sync(() => ids.push(id)))
      assert.deepStrictEqual(ids, [0, 0, 1, 1, 2, 2])
      assert.strictEqual((yield* stats).destroyed.uses, 3)
    }))

  it.effect("max_avail_delay destroys idle objects, and never goes below min_size", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 2, max: 10, idleTimeToLive: 1000 })
      yield* warmUp(pool, 10)
      yield* TestClock.adjust(999)
      assert.strictEqual((yield* stats).idle, 10)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* stats).idle, 2)
      yield* TestClock.adjust("1 day")
      assert.strictEqual((yield* stats).idle, 2)
    }))

  it.effect("max_using_delay warns, and leaves the object with its holder", () =>
    Effect.gen(function*() {
      const { logged, pool, unmade } = yield* lab({ min: 0, max: 1, borrowWarning: 1000 })
      const a = yield* borrow(pool)
      yield* TestClock.adjust(1000)
      assert.strictEqual(logged.length, 1)
      assert.deepStrictEqual(unmade, [])
      yield* a.giveBack
      assert.strictEqual((yield* borrow(pool)).object.id, 0)
    }))

  it.effect("max_using_delay_kill lets another be created at once; here the holder is told, and its return is ignored", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 1, max: 1, borrowWarning: 500, borrowLimit: 1000 })
      const a = yield* borrow(pool)
      const told = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.never)))
      yield* TestClock.adjust(1000)
      assert.deepInclude(yield* stats, { created: 2, inUse: 1 })
      yield* a.giveBack
      assert.deepInclude(yield* stats, { inUse: 1, borrowed: 2, returned: 1 })
      yield* TestClock.adjust(1000)
      assert.strictEqual((yield* Fiber.join(told)).reason._tag, "Revoked")
      assert.strictEqual((yield* stats).destroyed.revoked, 2)
    }))
})

describe("opener, getter, retter, closer, health", () => {
  it.effect("run in the order of an object's life", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const say = (what: string) => Effect.sync(() => log.push(what))
      const { pool } = yield* lab({
        min: 0,
        max: 1,
        create: () => say("opener"),
        onBorrow: () => say("getter"),
        onReturn: () => say("retter"),
        destroy: () => say("closer"),
        healthInterval: 1000,
        healthCheck: () => Effect.as(say("health"), true)
      })
      yield* Pool.use(pool, () => say("use"))
      yield* TestClock.adjust(1000)
      yield* Pool.use(pool, () => say("use"))
      yield* Pool.shutdown(pool)
      assert.deepStrictEqual(log, [
        "opener",
        "getter",
        "use",
        "retter",
        "health",
        "getter",
        "use",
        "retter",
        "closer"
      ])
    }))

  it.effect("that all raise are logged and do not break the pool", () =>
    Effect.gen(function*() {
      const raise = () =>
        Effect.sync((): boolean => {
          throw new Error("raised")
        })
      const { logged, pool, stats } = yield* lab({
        min: 1,
        max: 2,
        healthInterval: 1000,
        onReturn: raise,
        healthCheck: raise,
        destroy: raise,
        describe: () => {
          throw new Error("raised")
        }
      })
      yield* Pool.awaitReady(pool)
      for (let i = 0; i < 10; i++) {
        yield* Pool.use(pool, () => Effect.void)
        yield* TestClock.adjust(1000)
      }
      const { borrowed, destroyed, hookFailures, idle, returned } = yield* stats
      assert.deepStrictEqual([borrowed, returned, idle], [10, 10, 1])
      assert.deepInclude(destroyed, { failed: 10, unhealthy: 10 })
      assert.strictEqual(hookFailures, 40)
      assert.isAtLeast(logged.length, 40)
    }))

  it.effect("an opener that raises fails who asked, and the pool recovers", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab<string>({
        min: 0,
        max: 1,
        create: (id) => id < 2 ? Effect.fail("raised") : Effect.void
      })
      assert.strictEqual(yield* Effect.flip(Pool.use(pool, () => Effect.void)), "raised")
      const next = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)))
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(next), "raised")
      const last = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* TestClock.adjust(1000)
      assert.strictEqual(yield* Fiber.join(last), 2)
      assert.deepInclude(yield* stats, { createFailures: 2, created: 1 })
    }))

  it.effect("health drops what is not well, and only what is idle is asked", () =>
    Effect.gen(function*() {
      const asked: Array<number> = []
      const { alive, pool, stats } = yield* lab({
        min: 3,
        max: 3,
        healthInterval: 1000,
        healthCheck: ({ id }) => Effect.sync(() => asked.push(id) > 0 && id % 2 === 1)
      })
      yield* Pool.awaitReady(pool)
      const a = yield* borrow(pool)
      yield* TestClock.adjust(1000)
      assert.notInclude(asked, a.object.id)
      assert.strictEqual((yield* alive).length, 3)
      yield* a.giveBack
      yield* TestClock.adjust(10_000)
      assert.isTrue((yield* stats).destroyed.unhealthy > 1)
    }))
})

describe("ret, shutdown, stats", () => {
  it("returning twice, or a foreign object, cannot be written: there is no ret", () => {
    // a borrow ends with its Scope: the type says so too
    const isThere: "ret" extends keyof typeof Pool ? true : false = false
    assert.strictEqual("ret" in Pool, isThere)
  })

  it.effect("a foreign object is ignored where one can be named, and equal objects are told apart", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 2, max: 2 })
      yield* Pool.awaitReady(pool)
      yield* Pool.invalidate(pool, { id: 0 })
      assert.strictEqual((yield* stats).idle, 2)
    }))

  it.effect("objects need not be hashable, nor be objects at all", () =>
    Effect.gen(function*() {
      const values: ReadonlyArray<unknown> = [undefined, null, Number.NaN, {}, [1], () => 1, Symbol("s")]
      for (const value of values) {
        const pool = yield* Pool.make({ acquire: Effect.sync(() => value), min: 1, max: 1 })
        yield* Pool.use(pool, (object) => Effect.sync(() => assert.deepStrictEqual(object, value)))
        yield* Pool.invalidate(pool, value)
        assert.strictEqual((yield* Pool.stats(pool)).destroyed.invalidated, 1)
      }
    }))

  it.effect("shutdown waits up to its delay for what is in use, then destroys it", () =>
    Effect.gen(function*() {
      const { pool, stats, unmade } = yield* lab({ min: 2, max: 2, shutdownTimeout: 1000 })
      yield* Pool.awaitReady(pool)
      const holder = yield* Effect.forkScoped(Pool.use(pool, () => Effect.never))
      yield* calm
      const closing = yield* Effect.forkChild(Pool.shutdown(pool))
      yield* TestClock.adjust(999)
      assert.strictEqual(unmade.length, 1)
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust(1)
      yield* Fiber.join(closing)
      assert.strictEqual(unmade.length, 2)
      assert.isUndefined(holder.pollUnsafe())
      assert.deepInclude(yield* stats, { closed: true, size: 0 })
    }))

  it.effect("stats are JSON: configuration, what is available and in use, each object, and all counts", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ name: "app/Things", min: 1, max: 3, describe: ({ id }) => `thing ${id}` })
      yield* Pool.awaitReady(pool)
      yield* Pool.use(pool, () => Effect.void)
      yield* borrow(pool)
      yield* TestClock.adjust(1500)
      yield* Effect.exit(Pool.use(pool, () => Effect.die("defect")))
      const json = yield* Schema.encodeUnknownEffect(Schema.toCodecJson(Pool.Stats))(yield* stats)
      assert.deepNestedInclude(json, {
        name: "app/Things",
        min: 1,
        max: 3,
        size: 1,
        idle: 0,
        inUse: 1,
        creating: 0,
        destroying: 0,
        waiting: 0,
        created: 2,
        borrowed: 3,
        returned: 2,
        "destroyed.failed": 1,
        "objects[0].id": 0,
        "objects[0].state": "inUse",
        "objects[0].uses": 2,
        "objects[0].object": "thing 0",
        "objects[0].holders.length": 1
      })
    }))

  it.effect("with pool.obj() as a block is use: back at its end, however it ends", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 1, max: 1 })
      yield* Pool.use(pool, () => Effect.void)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Pool.use(pool, () => Effect.fail("no")))))
      assert.deepInclude(yield* stats, { idle: 1, borrowed: 2, returned: 2 })
    }))
})
