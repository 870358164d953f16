import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Ref } from "effect"
import { TestClock } from "effect/testing"
import { Pool } from "proxy-pattern-pool"
import { borrow, calm, lab, type Thing, warmUp } from "./kit.ts"

/** A check that answers as told, and records when it was asked about whom. */
const checker = (answer: (thing: Thing) => Effect.Effect<boolean, unknown> = () => Effect.succeed(true)) => {
  const checked: Array<readonly [id: number, at: number]> = []
  return {
    checked,
    healthCheck: (thing: Thing) =>
      Effect.clockWith((clock) => {
        checked.push([thing.id, clock.currentTimeMillisUnsafe()])
        return answer(thing)
      })
  }
}

describe("healthInterval", () => {
  it.effect("is how long after its creation an idle object is checked, exactly, and so on after each check", () =>
    Effect.gen(function*() {
      const { checked, healthCheck } = checker()
      const { pool, stats } = yield* lab({ min: 1, max: 1, healthInterval: 1000, healthCheck })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(checked, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(checked, [[0, 1000]])
      yield* TestClock.adjust(999)
      assert.strictEqual(checked.length, 1)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(checked, [[0, 1000], [0, 2000]])
      assert.strictEqual((yield* stats).healthChecks, 2)
    }))

  it.effect("counts from the end of a check, not from its beginning", () =>
    Effect.gen(function*() {
      const { checked, healthCheck } = checker(() => Effect.as(Effect.sleep(300), true))
      const { pool } = yield* lab({ min: 1, max: 1, healthInterval: 1000, healthCheck })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(2299)
      assert.deepStrictEqual(checked, [[0, 1000]])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(checked, [[0, 1000], [0, 2300]])
    }))

  it.effect("counts from the return, and no borrowed object is checked", () =>
    Effect.gen(function*() {
      const { checked, healthCheck } = checker()
      const { pool } = yield* lab({ min: 1, max: 1, healthInterval: 1000, healthCheck })
      yield* TestClock.adjust(900)
      const a = yield* borrow(pool)
      yield* TestClock.adjust(5000)
      yield* a.giveBack
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(checked, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(checked, [[0, 6900]])
    }))

  it.effect("is a minute where nothing else is said, and nothing without a healthCheck", () =>
    Effect.gen(function*() {
      const { checked, healthCheck } = checker()
      const withCheck = yield* lab({ min: 1, max: 1, healthCheck })
      const without = yield* lab({ min: 1, max: 1, healthInterval: 1000 })
      yield* Pool.awaitReady(withCheck.pool)
      yield* TestClock.adjust(59_999)
      assert.deepStrictEqual(checked, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(checked, [[0, 60_000]])
      assert.deepStrictEqual(without.sleeps, [])
    }))

  it.effect("is each object's own", () =>
    Effect.gen(function*() {
      const { checked, healthCheck } = checker()
      const { pool } = yield* lab({ min: 0, max: 2, healthInterval: 1000, healthCheck })
      const a = yield* borrow(pool)
      const b = yield* borrow(pool)
      yield* a.giveBack
      yield* TestClock.adjust(400)
      yield* b.giveBack
      yield* TestClock.adjust(2000)
      assert.deepStrictEqual(checked, [[0, 1000], [1, 1400], [0, 2000], [1, 2400]])
    }))
})

describe("a background check", () => {
  it.effect("that says false has the object destroyed and replaced", () =>
    Effect.gen(function*() {
      const { healthCheck } = checker(({ id }) => Effect.succeed(id !== 0))
      const { alive, events, pool, stats, unmade } = yield* lab({ min: 1, max: 1, healthInterval: 1000, healthCheck })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(unmade, [0])
      assert.deepStrictEqual(yield* alive, [1])
      const { destroyed, healthChecks, hookFailures } = yield* stats
      assert.deepStrictEqual([destroyed.unhealthy, healthChecks, hookFailures], [1, 1, 0])
      yield* calm
      assert.deepStrictEqual(events.filter((event) => "id" in event && event.id === 0).map((event) => event._tag), [
        "Unhealthy",
        "Destroyed"
      ])
    }))

  it.effect("that fails, dies, throws or interrupts itself means unhealthy, is counted and logged with the pool's name", () =>
    Effect.gen(function*() {
      const answers = [
        () => Effect.fail("no answer"),
        () => Effect.die(new Error("defect")),
        (): Effect.Effect<boolean> => {
          throw new Error("thrown")
        },
        () => Effect.interrupt
      ]
      for (const healthCheck of answers) {
        const { logged, pool, stats, unmade } = yield* lab({
          name: "app/Things",
          min: 0,
          max: 1,
          healthInterval: 1000,
          healthCheck
        })
        yield* warmUp(pool, 1)
        yield* TestClock.adjust(1000)
        assert.deepStrictEqual(unmade, [0])
        assert.deepInclude(yield* stats, { hookFailures: 1, healthChecks: 1, size: 0 })
        assert.strictEqual((yield* stats).destroyed.unhealthy, 1)
        assert.strictEqual(logged.length, 1)
        assert.include(logged[0].message, "app/Things")
        assert.deepInclude(logged[0], { level: "Warn", poolName: "app/Things" })
      }
    }))

  it.effect("that takes longer than healthTimeout is interrupted, not awaited, and the object is unhealthy", () =>
    Effect.gen(function*() {
      const ended: Array<number> = []
      const { healthCheck } = checker(({ id }) =>
        Effect.uninterruptible(Effect.as(Effect.sleep("1 minute"), true)).pipe(
          Effect.onExit(() => Effect.sync(() => ended.push(id)))
        )
      )
      const { pool, stats, unmade } = yield* lab({
        min: 0,
        max: 1,
        healthInterval: 1000,
        healthTimeout: 200,
        healthCheck
      })
      yield* warmUp(pool, 1)
      yield* TestClock.adjust(1199)
      assert.deepStrictEqual(unmade, [])
      assert.strictEqual((yield* stats).objects[0].state, "checking")
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(unmade, [0])
      assert.deepStrictEqual(ended, [])
      assert.deepInclude(yield* stats, { hookFailures: 1, healthChecks: 1, size: 0, destroying: 0 })
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(ended, [0])
      assert.deepInclude(yield* stats, { hookFailures: 1, healthChecks: 1 })
      assert.deepStrictEqual(unmade, [0])
    }))

  it.effect("takes five seconds at most where nothing else is said", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ min: 0, max: 1, healthInterval: 1000, healthCheck: () => Effect.never })
      yield* warmUp(pool, 1)
      yield* TestClock.adjust(5999)
      assert.deepStrictEqual(unmade, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(unmade, [0])
    }))

  it.effect("holds only its own object: borrowers go on with the others", () =>
    Effect.gen(function*() {
      const { healthCheck } = checker(({ id }) => id === 1 ? Effect.as(Effect.sleep(500), true) : Effect.succeed(true))
      const { made, pool, stats } = yield* lab({ min: 2, max: 3, healthInterval: 1000, healthCheck })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(1000)
      assert.deepInclude(yield* stats, { size: 2, idle: 1, inUse: 0 })
      assert.strictEqual(yield* Pool.use(pool, ({ id }) => Effect.succeed(id)), 0)
      const a = yield* borrow(pool)
      const b = yield* borrow(pool)
      assert.deepStrictEqual([a.object.id, b.object.id], [0, 2])
      assert.deepStrictEqual(made, [0, 1, 2])
    }))

  it.effect("is waited for by a borrower that has no other object to get, and goes on when that one gives up", () =>
    Effect.gen(function*() {
      const { checked, healthCheck } = checker(() => Effect.as(Effect.sleep(500), true))
      const { pool, stats } = yield* lab({ min: 1, max: 1, healthInterval: 1000, healthCheck })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(1000)
      const impatient = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void, { timeout: 100 })))
      const patient = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* TestClock.adjust(100)
      assert.strictEqual((yield* Fiber.join(impatient)).reason._tag, "BorrowTimeout")
      yield* TestClock.adjust(399)
      assert.strictEqual((yield* stats).waiting, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(patient), 0)
      assert.strictEqual(checked.length, 1)
    }))

  it.effect("of an object that is invalidated, evicted or too many meanwhile is interrupted", () =>
    Effect.gen(function*() {
      const ways = [
        (pool: Pool.Pool<Thing>, thing: Thing) => Pool.invalidate(pool, thing),
        (pool: Pool.Pool<Thing>) => Pool.evict(pool),
        (pool: Pool.Pool<Thing>) => Pool.resize(pool, { max: 1 })
      ]
      for (const way of ways) {
        const interrupted: Array<number> = []
        const { pool, stats, unmade } = yield* lab({
          min: 0,
          max: 2,
          healthInterval: 1000,
          healthCheck: ({ id }) =>
            id === 0
              ? Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted.push(id)))
              : Effect.succeed(true)
        })
        const a = yield* borrow(pool)
        const b = yield* borrow(pool)
        yield* a.giveBack
        yield* TestClock.adjust(1000)
        yield* way(pool, a.object)
        assert.deepStrictEqual(interrupted, [0])
        assert.deepStrictEqual(unmade, [0])
        assert.deepInclude(yield* stats, { hookFailures: 0 })
        assert.strictEqual((yield* stats).destroyed.unhealthy, 0)
        yield* b.giveBack
      }
    }))

  it.effect("that is interrupted has ended before its object is destroyed, as long as healthTimeout allows", () =>
    Effect.gen(function*() {
      const { pool, stats, unmade } = yield* lab({
        min: 0,
        max: 1,
        healthInterval: 1000,
        healthTimeout: 500,
        healthCheck: ({ id }) => Effect.onInterrupt(Effect.never, () => Effect.sleep(id === 0 ? 100 : 10_000))
      })
      for (const [id, wait] of [[0, 100], [1, 500]]) {
        yield* warmUp(pool, 1)
        yield* TestClock.adjust(1000)
        yield* Pool.evict(pool)
        assert.strictEqual((yield* stats).objects[0].state, "checking")
        yield* TestClock.adjust(wait - 1)
        assert.strictEqual(unmade.length, id)
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(unmade.at(-1), id)
      }
      assert.deepInclude(yield* stats, { hookFailures: 1, size: 0 })
    }))

  it.effect("may use Scope, which closes when the check ends", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { pool } = yield* lab({
        min: 1,
        max: 1,
        healthInterval: 1000,
        healthCheck: () =>
          Effect.acquireRelease(
            Effect.sync(() => {
              log.push("open")
              return true
            }),
            () => Effect.sync(() => log.push("close"))
          ).pipe(Effect.delay(100))
      })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(1100)
      assert.deepStrictEqual(log, ["open", "close"])
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(log, ["open", "close"])
    }))

  it.effect("runs beside the holders of a shared object, whose free shares are lent meanwhile", () =>
    Effect.gen(function*() {
      const { checked, healthCheck } = checker(() => Effect.as(Effect.sleep(500), true))
      const { made, pool, stats } = yield* lab({ min: 1, max: 1, concurrency: 3, healthInterval: 1000, healthCheck })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(500)
      const a = yield* borrow(pool)
      yield* TestClock.adjust(500)
      assert.deepStrictEqual(checked, [[0, 1000]])
      assert.deepInclude(yield* stats, { size: 1, inUse: 1, idle: 0 })
      const b = yield* borrow(pool, 0)
      yield* TestClock.adjust(1499)
      assert.deepStrictEqual(checked, [[0, 1000]])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(checked, [[0, 1000], [0, 2500]])
      yield* a.giveBack
      yield* b.giveBack
      yield* TestClock.adjust(1499)
      assert.strictEqual(checked.length, 2)
      yield* TestClock.adjust(1)
      assert.strictEqual(checked.length, 3)
      assert.deepStrictEqual(made, [0])
    }))

  it.effect("that fails on a shared object lends it no more; it goes with its last holder, and is replaced", () =>
    Effect.gen(function*() {
      const { healthCheck } = checker(({ id }) => Effect.succeed(id !== 0))
      const { events, made, pool, stats, unmade } = yield* lab({
        min: 1,
        max: 2,
        concurrency: 3,
        healthInterval: 1000,
        healthCheck
      })
      yield* Pool.awaitReady(pool)
      const a = yield* borrow(pool)
      const b = yield* borrow(pool)
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(made, [0, 1])
      assert.strictEqual((yield* borrow(pool)).object.id, 1)
      yield* a.giveBack
      assert.deepStrictEqual(unmade, [])
      yield* b.giveBack
      assert.deepStrictEqual(unmade, [0])
      assert.strictEqual((yield* stats).destroyed.unhealthy, 1)
      yield* calm
      assert.deepStrictEqual(
        events.filter((event) => "id" in event && event.id === 0).map((event) => event._tag),
        ["Borrowed", "Borrowed", "Unhealthy", "Returned", "Returned", "Destroyed"]
      )
    }))
})

describe("healthAfterIdle", () => {
  it.effect("checks on borrow what has been idle so long, and nothing that was idle a millisecond less", () =>
    Effect.gen(function*() {
      const { checked, healthCheck } = checker()
      const { pool, stats } = yield* lab({ min: 1, max: 1, healthAfterIdle: 1000, healthCheck })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(999)
      yield* Pool.use(pool, () => Effect.void)
      assert.deepStrictEqual(checked, [])
      yield* TestClock.adjust(1000)
      yield* Pool.use(pool, () => Effect.void)
      assert.deepStrictEqual(checked, [[0, 1999]])
      yield* Pool.use(pool, () => Effect.void)
      assert.strictEqual(checked.length, 1)
      assert.strictEqual((yield* stats).healthChecks, 1)
    }))

  it.effect("of zero checks every idle object, but not what comes straight from its creation or its return", () =>
    Effect.gen(function*() {
      const { checked, healthCheck } = checker()
      const { pool } = yield* lab({ min: 0, max: 1, healthAfterIdle: 0, healthCheck })
      const a = yield* borrow(pool)
      const next = yield* Effect.forkChild(Pool.use(pool, () => Effect.void))
      yield* calm
      yield* a.giveBack
      yield* Fiber.join(next)
      assert.deepStrictEqual(checked, [])
      yield* Pool.use(pool, () => Effect.void)
      assert.deepStrictEqual(checked, [[0, 0]])
    }))

  it.effect("destroys what fails its check, and tries the next idle object before it creates one", () =>
    Effect.gen(function*() {
      const { checked, healthCheck } = checker(({ id }) => Effect.succeed(id === 0 || id > 2))
      const { made, pool, stats, unmade } = yield* lab({ min: 0, max: 3, healthAfterIdle: 0, healthCheck })
      const all = [yield* borrow(pool), yield* borrow(pool), yield* borrow(pool)]
      for (const { giveBack } of all) yield* giveBack
      const object = yield* Pool.use(pool, ({ id }) => Effect.succeed(id))
      assert.strictEqual(object, 0)
      assert.deepStrictEqual(checked.map(([id]) => id), [2, 1, 0])
      assert.deepStrictEqual(unmade, [2, 1])
      assert.deepStrictEqual(made, [0, 1, 2])
      assert.deepInclude(yield* stats, { borrowed: 4, waiting: 0 })
      assert.strictEqual((yield* stats).destroyed.unhealthy, 2)
    }))

  it.effect("makes the borrower wait for the check, at most for borrowTimeout; the check goes on", () =>
    Effect.gen(function*() {
      const { checked, healthCheck } = checker(() => Effect.as(Effect.sleep(500), true))
      const { pool, stats } = yield* lab({ min: 1, max: 1, healthAfterIdle: 0, healthCheck })
      yield* Pool.awaitReady(pool)
      const slow = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void, { timeout: 300 })))
      yield* TestClock.adjust(299)
      assert.deepInclude(yield* stats, { waiting: 1, size: 1, idle: 0 })
      assert.strictEqual((yield* stats).objects[0].state, "checking")
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(slow)).reason._tag, "BorrowTimeout")
      assert.strictEqual((yield* stats).objects[0].state, "checking")
      yield* TestClock.adjust(200)
      assert.deepInclude(yield* stats, { waiting: 0, idle: 1 })
      assert.strictEqual(checked.length, 1)
    }))

  it.effect("with a timeout of zero lends no object that would have to be checked, and begins no check", () =>
    Effect.gen(function*() {
      const { checked, healthCheck } = checker()
      const { pool } = yield* lab({ min: 1, max: 1, healthAfterIdle: 1000, healthCheck })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(999)
      yield* Pool.use(pool, () => Effect.void, { timeout: 0 })
      yield* TestClock.adjust(1000)
      const error = yield* Effect.flip(Pool.use(pool, () => Effect.void, { timeout: 0 }))
      assert.strictEqual(error.reason._tag, "BorrowTimeout")
      assert.deepStrictEqual(checked, [])
    }))

  it.effect("hands the check to the next waiter when its borrower is interrupted", () =>
    Effect.gen(function*() {
      const { checked, healthCheck } = checker(() => Effect.as(Effect.sleep(500), true))
      const { pool } = yield* lab({ min: 1, max: 1, healthAfterIdle: 0, healthCheck })
      yield* Pool.awaitReady(pool)
      const first = yield* Effect.forkChild(Pool.use(pool, () => Effect.void))
      const second = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* TestClock.adjust(200)
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust(300)
      assert.strictEqual(yield* Fiber.join(second), 0)
      assert.strictEqual(checked.length, 1)
    }))

  it.effect("serves poll too: an unhealthy object is no object, and the next idle one is tried", () =>
    Effect.gen(function*() {
      const healthy = yield* Ref.make(true)
      const { pool, stats } = yield* lab({
        min: 0,
        max: 2,
        healthAfterIdle: 0,
        healthCheck: ({ id }) => id === 1 ? Effect.succeed(false) : Ref.get(healthy)
      })
      const a = yield* borrow(pool)
      const b = yield* borrow(pool)
      yield* a.giveBack
      yield* b.giveBack
      assert.deepStrictEqual(yield* Effect.scoped(Pool.poll(pool)), Option.some({ id: 0 }))
      yield* Ref.set(healthy, false)
      assert.deepStrictEqual(yield* Effect.scoped(Pool.poll(pool)), Option.none())
      assert.strictEqual((yield* stats).size, 0)
    }))

  it.effect("checks a shared object only when it is wholly idle", () =>
    Effect.gen(function*() {
      const { checked, healthCheck } = checker()
      const { pool } = yield* lab({ min: 1, max: 1, concurrency: 2, healthAfterIdle: 0, healthCheck })
      yield* Pool.awaitReady(pool)
      const a = yield* borrow(pool)
      assert.strictEqual(checked.length, 1)
      const b = yield* borrow(pool)
      assert.strictEqual(checked.length, 1)
      yield* a.giveBack
      yield* b.giveBack
      yield* borrow(pool)
      assert.strictEqual(checked.length, 2)
    }))
})

describe("a check and what else falls due with it", () => {
  it.effect("that ends when a waiter's time is over, and a millisecond before its own is, serves the waiter", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({
        min: 1,
        max: 1,
        healthInterval: 1000,
        healthTimeout: 501,
        healthCheck: () => Effect.as(Effect.sleep(500), true)
      })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(1000)
      const waiter = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id), { timeout: 500 }))
      yield* TestClock.adjust(499)
      assert.strictEqual((yield* stats).waiting, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(waiter), 0)
    }))

  it.effect("that times out with a waiter frees no object in time for it", () =>
    Effect.gen(function*() {
      const { made, pool, stats } = yield* lab({
        min: 1,
        max: 1,
        healthInterval: 1000,
        healthTimeout: 500,
        healthCheck: () => Effect.never
      })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(1000)
      const waiter = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void, { timeout: 500 })))
      yield* TestClock.adjust(499)
      assert.strictEqual((yield* stats).waiting, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(waiter)).reason._tag, "BorrowTimeout")
      assert.deepStrictEqual(made, [0, 1])
    }))

  it.effect("never comes while the object is lent: the timer of its idle time looks again", () =>
    Effect.gen(function*() {
      const { checked, healthCheck } = checker()
      const { pool } = yield* lab({ min: 1, max: 1, healthInterval: 1000, healthCheck })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(999)
      const a = yield* borrow(pool)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(checked, [])
      yield* a.giveBack
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(checked, [[0, 2000]])
    }))
})
