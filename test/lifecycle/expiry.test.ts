import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Random } from "effect"
import { TestClock } from "effect/testing"
import { Pool } from "proxy-pattern-pool"
import { borrow, calm, countSleeps, lab, warmUp } from "./kit.ts"

describe("idleTimeToLive", () => {
  it.effect("destroys what has been idle so long beyond min, at that moment and not a millisecond before", () =>
    Effect.gen(function*() {
      const { alive, pool, stats, unmade } = yield* lab({ min: 1, max: 3, idleTimeToLive: "1 minute" })
      yield* warmUp(pool, 3)
      yield* TestClock.adjust(59_999)
      assert.strictEqual((yield* stats).idle, 3)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* alive).length, 1)
      assert.strictEqual(unmade.length, 2)
      assert.strictEqual((yield* stats).destroyed.idle, 2)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* stats).idle, 1)
    }))

  it.effect("counts for each object from its own return, and takes the longest idle first", () =>
    Effect.gen(function*() {
      const { alive, pool } = yield* lab({ min: 1, max: 3, idleTimeToLive: "1 minute" })
      const a = yield* borrow(pool)
      const b = yield* borrow(pool)
      const c = yield* borrow(pool)
      yield* b.giveBack
      yield* TestClock.adjust(1000)
      yield* a.giveBack
      yield* TestClock.adjust(1000)
      yield* c.giveBack
      yield* TestClock.adjust(57_999)
      assert.deepStrictEqual(yield* alive, [0, 1, 2])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* alive, [0, 2])
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(yield* alive, [0, 2])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* alive, [2])
    }))

  it.effect("starts over with each borrow", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 1, idleTimeToLive: "1 minute" })
      yield* warmUp(pool, 1)
      yield* TestClock.adjust(59_999)
      yield* Pool.use(pool, () => Effect.void)
      yield* TestClock.adjust(59_999)
      assert.strictEqual((yield* stats).idle, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* stats).size, 0)
    }))

  it.effect("counts borrowed objects as alive: the idle one beside them is beyond min", () =>
    Effect.gen(function*() {
      const { alive, pool } = yield* lab({ min: 1, max: 2, idleTimeToLive: "1 minute" })
      const a = yield* borrow(pool)
      const b = yield* borrow(pool)
      yield* b.giveBack
      yield* TestClock.adjust(60_000)
      assert.deepStrictEqual(yield* alive, [0])
      yield* a.giveBack
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* alive, [0])
    }))

  it.effect("of zero keeps no idle object beyond min", () =>
    Effect.gen(function*() {
      const { alive, pool } = yield* lab({ min: 1, max: 3, idleTimeToLive: 0 })
      yield* warmUp(pool, 3)
      yield* calm
      assert.strictEqual((yield* alive).length, 1)
    }))

  it.effect("of a fraction of a millisecond ends with the millisecond", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 1, idleTimeToLive: "1500 micros" })
      yield* warmUp(pool, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* stats).idle, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* stats).idle, 0)
    }))

  it.effect("never takes a borrowed object from its holder", () =>
    Effect.gen(function*() {
      const { alive, pool, unmade } = yield* lab({ min: 0, max: 1, idleTimeToLive: "1 minute" })
      const a = yield* borrow(pool)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(unmade, [])
      yield* a.giveBack
      yield* TestClock.adjust(59_999)
      assert.deepStrictEqual(yield* alive, [0])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(unmade, [0])
    }))

  it.effect("lets those go at once that have been idle long enough when min sinks, and keeps those that min then covers", () =>
    Effect.gen(function*() {
      const { alive, pool } = yield* lab({ min: 3, max: 3, idleTimeToLive: "1 minute" })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* alive, [0, 1, 2])
      yield* Pool.resize(pool, { min: 1 })
      yield* calm
      assert.deepStrictEqual(yield* alive, [2])

      yield* Pool.resize(pool, { min: 0 })
      yield* calm
      assert.deepStrictEqual(yield* alive, [])
    }))

  it.effect("keeps what min covers when min rises a millisecond before", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 3, idleTimeToLive: "1 minute" })
      yield* warmUp(pool, 3)
      yield* TestClock.adjust(59_999)
      yield* Pool.resize(pool, { min: 2 })
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* stats).idle, 2)
      assert.strictEqual((yield* stats).destroyed.idle, 1)
    }))

  it.effect("keeps the last one when another is invalidated a millisecond before", () =>
    Effect.gen(function*() {
      const { alive, pool } = yield* lab({ min: 1, max: 2, idleTimeToLive: "1 minute" })
      const a = yield* borrow(pool)
      const b = yield* borrow(pool)
      yield* a.giveBack
      yield* b.giveBack
      yield* TestClock.adjust(59_999)
      yield* Pool.invalidate(pool, b.object)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* alive, [0])
    }))

  it.effect("begins anew for the replacements when all are evicted a millisecond before", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 2, idleTimeToLive: "1 minute" })
      yield* warmUp(pool, 2)
      yield* TestClock.adjust(59_999)
      yield* Pool.evict(pool)
      yield* warmUp(pool, 2)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* stats).idle, 2)
      yield* TestClock.adjust(59_998)
      assert.strictEqual((yield* stats).idle, 2)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* stats).size, 0)
      assert.deepInclude((yield* stats).destroyed, { idle: 2, evicted: 2 })
    }))

  it.effect("takes what has long been idle once a newer object puts it beyond min", () =>
    Effect.gen(function*() {
      const { alive, pool } = yield* lab({ min: 2, max: 3, idleTimeToLive: "1 minute", order: "lifo" })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust("2 minutes")
      yield* warmUp(pool, 3)
      yield* TestClock.adjust(59_999)
      assert.deepStrictEqual(yield* alive, [0, 1, 2])
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* alive).length, 2)
    }))

  it.effect("of an object that is being checked interrupts the check", () =>
    Effect.gen(function*() {
      const interrupted: Array<number> = []
      const { pool, stats, unmade } = yield* lab({
        min: 0,
        max: 1,
        idleTimeToLive: 1500,
        healthInterval: 1000,
        healthCheck: ({ id }) => Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted.push(id)))
      })
      yield* warmUp(pool, 1)
      yield* TestClock.adjust(1499)
      assert.strictEqual((yield* stats).objects[0].state, "checking")
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(interrupted, [0])
      assert.deepStrictEqual(unmade, [0])
      assert.deepInclude((yield* stats).destroyed, { idle: 1, unhealthy: 0 })
      assert.strictEqual((yield* stats).hookFailures, 0)
    }))

  it.effect("goes on while the pool is suspended", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 1, max: 3, idleTimeToLive: "1 minute" })
      yield* warmUp(pool, 3)
      yield* Pool.suspend(pool)
      yield* TestClock.adjust(60_000)
      assert.strictEqual((yield* stats).idle, 1)
    }))
})

describe("timeToLive", () => {
  it.effect("destroys an idle object at that age, and not a millisecond before, and makes another for min", () =>
    Effect.gen(function*() {
      const { alive, pool, stats, unmade } = yield* lab({ min: 1, max: 1, timeToLive: "1 hour", jitter: 0 })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(3_599_999)
      assert.deepStrictEqual(yield* alive, [0])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(unmade, [0])
      assert.deepStrictEqual(yield* alive, [1])
      assert.strictEqual((yield* stats).destroyed.lifetime, 1)
      yield* TestClock.adjust(3_599_999)
      assert.deepStrictEqual(yield* alive, [1])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* alive, [2])
    }))

  it.effect("counts from the end of the creation", () =>
    Effect.gen(function*() {
      const { alive, pool } = yield* lab({
        min: 1,
        max: 1,
        timeToLive: 1000,
        jitter: 0,
        create: () => Effect.sleep(300)
      })
      yield* TestClock.adjust(300)
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(yield* alive, [0])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* alive, [])
    }))

  it.effect("lets a holder keep its object, destroys it on return, and one returned a millisecond before only then", () =>
    Effect.gen(function*() {
      const { alive, pool, unmade } = yield* lab({ min: 0, max: 2, timeToLive: 1000, jitter: 0 })
      const a = yield* borrow(pool)
      const b = yield* borrow(pool)
      yield* TestClock.adjust(999)
      yield* a.giveBack
      assert.deepStrictEqual(yield* alive, [0, 1])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(unmade, [0])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(unmade, [0])
      yield* b.giveBack
      assert.deepStrictEqual(unmade, [0, 1])
    }))

  it.effect("does not count a borrowed object as alive beyond its age: min is refilled beside it", () =>
    Effect.gen(function*() {
      const { made, pool, stats } = yield* lab({ min: 1, max: 2, timeToLive: 1000, jitter: 0 })
      const a = yield* borrow(pool)
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(made, [0])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(made, [0, 1])
      assert.deepInclude(yield* stats, { size: 2, idle: 1, inUse: 1 })
      yield* a.giveBack
      assert.strictEqual((yield* stats).destroyed.lifetime, 1)
    }))

  it.effect("is kept on a busy pool too, where no object is ever idle", () =>
    Effect.gen(function*() {
      const { made, pool, stats } = yield* lab({ min: 0, max: 1, timeToLive: 1000, jitter: 0 })
      const worker = Effect.forever(Pool.use(pool, () => Effect.sleep(300)))
      yield* Effect.forkScoped(worker)
      yield* Effect.forkScoped(worker)
      yield* TestClock.adjust(1199)
      assert.deepStrictEqual(made, [0])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(made, [0, 1])
      yield* TestClock.adjust(12_000)
      assert.strictEqual((yield* stats).destroyed.lifetime, 11)
    }))

  it.effect("gives no expired object to a waiter: it gets a new one", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ min: 0, max: 1, timeToLive: 1000, jitter: 0 })
      const a = yield* borrow(pool)
      const waiter = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* TestClock.adjust(1000)
      yield* a.giveBack
      assert.strictEqual(yield* Fiber.join(waiter), 1)
    }))

  it.effect("is shortened by a share of jitter that comes from Effect's Random, for each object its own", () =>
    Effect.gen(function*() {
      const shares = [0, 1, 0.5]
      const random: (typeof Random.Random)["Service"] = {
        nextIntUnsafe: () => 0,
        nextDoubleUnsafe: () => shares.shift() ?? 0
      }
      const { alive, pool } = yield* lab({ min: 0, max: 3, timeToLive: 10_000, jitter: 0.2 }).pipe(
        Effect.provideService(Random.Random, random)
      )
      yield* warmUp(pool, 3)
      yield* TestClock.adjust(7999)
      assert.deepStrictEqual(yield* alive, [0, 1, 2])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* alive, [0, 2])
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(yield* alive, [0, 2])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* alive, [0])
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(yield* alive, [0])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* alive, [])
    }))

  it.effect("is the same for every run with one seed, within 2.5 % by default, and never all at once", () => {
    const run = (seed: string) =>
      Effect.gen(function*() {
        const { events, pool } = yield* lab({ min: 0, max: 20, timeToLive: 100_000 })
        const start = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        yield* warmUp(pool, 20)
        yield* TestClock.adjust(97_499)
        assert.strictEqual((yield* Pool.stats(pool)).size, 20)
        yield* TestClock.adjust(2501)
        assert.strictEqual((yield* Pool.stats(pool)).size, 0)
        return events.flatMap((event) => event._tag === "Destroyed" ? [event.at - start] : [])
      }).pipe(Effect.scoped, Random.withSeed(seed))
    return Effect.gen(function*() {
      const first = yield* run("a")
      assert.strictEqual(first.length, 20)
      assert.isAbove(new Set(first).size, 15)
      assert.deepStrictEqual(yield* run("a"), first)
      assert.notDeepEqual(yield* run("b"), first)
    })
  })

  it.effect("of one object ends with it when it is invalidated before", () =>
    Effect.gen(function*() {
      const { alive, pool, stats } = yield* lab({ min: 1, max: 1, timeToLive: 1000, jitter: 0 })
      yield* TestClock.adjust(600)
      const { giveBack, object } = yield* borrow(pool)
      yield* giveBack
      yield* Pool.invalidate(pool, object)
      assert.deepStrictEqual(yield* alive, [1])
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(yield* alive, [1])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* alive, [2])
      assert.deepInclude((yield* stats).destroyed, { lifetime: 1, invalidated: 1 })
    }))
})

describe("maxUses", () => {
  it.effect("destroys an object when its last borrow has ended, and not one borrow before", () =>
    Effect.gen(function*() {
      const { made, pool, stats, unmade } = yield* lab({ min: 1, max: 1, maxUses: 3 })
      const use = Pool.use(pool, ({ id }) => Effect.succeed(id))
      assert.deepStrictEqual([yield* use, yield* use], [0, 0])
      assert.deepStrictEqual(unmade, [])
      assert.strictEqual(yield* use, 0)
      assert.deepStrictEqual(unmade, [0])
      assert.deepStrictEqual(made, [0, 1])
      assert.strictEqual(yield* use, 1)
      assert.strictEqual((yield* stats).destroyed.uses, 1)
    }))

  it.effect("refills min as soon as the last borrow has begun", () =>
    Effect.gen(function*() {
      const { made, pool } = yield* lab({ min: 1, max: 2, maxUses: 1 })
      yield* borrow(pool)
      assert.deepStrictEqual(made, [0, 1])
    }))

  it.effect("counts every borrower of a shared object, and lends it no more once as many have begun", () =>
    Effect.gen(function*() {
      const { alive, pool, unmade } = yield* lab({ min: 0, max: 2, maxUses: 2, concurrency: 3 })
      const a = yield* borrow(pool)
      const b = yield* borrow(pool)
      const c = yield* borrow(pool)
      assert.deepStrictEqual([a.object.id, b.object.id, c.object.id], [0, 0, 1])
      yield* a.giveBack
      assert.deepStrictEqual(unmade, [])
      yield* b.giveBack
      assert.deepStrictEqual(unmade, [0])
      assert.deepStrictEqual(yield* alive, [1])
    }))
})

describe("deadlines that fall together", () => {
  it.effect("end an object once, whatever they are", () =>
    Effect.gen(function*() {
      const { pool, stats, unmade } = yield* lab({
        min: 0,
        max: 2,
        idleTimeToLive: 1000,
        timeToLive: 1000,
        jitter: 0,
        healthInterval: 1000,
        healthCheck: () => Effect.succeed(false)
      })
      yield* warmUp(pool, 2)
      yield* TestClock.adjust(999)
      assert.strictEqual((yield* stats).idle, 2)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(unmade.toSorted(), [0, 1])
      const { destroyed, size } = yield* stats
      assert.strictEqual(size, 0)
      assert.strictEqual(destroyed.idle + destroyed.lifetime + destroyed.unhealthy, 2)
    }))

  it.effect("of a lifetime and a waiter: the expired object is not lent, its replacement comes too late", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 1, timeToLive: 1000, jitter: 0 })
      const a = yield* borrow(pool)
      const waiter = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void, { timeout: 1000 })))
      yield* TestClock.adjust(999)
      assert.strictEqual((yield* stats).waiting, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(waiter)).reason._tag, "BorrowTimeout")
      yield* a.giveBack
      assert.strictEqual((yield* stats).destroyed.lifetime, 1)
    }))
})

describe("a pool that sleeps", () => {
  it.effect("has one timer for ten thousand idle objects, and none that is set anew for each borrow", () =>
    Effect.gen(function*() {
      const size = 10_000
      const { clock, sleeps } = yield* countSleeps
      const pool = yield* Pool.make({ acquire: Effect.succeed({}), min: size, max: size, idleTimeToLive: "1 minute" })
        .pipe(Effect.provideService(Clock.Clock, clock))
      const stats = Pool.stats(pool)
      yield* Pool.resize(pool, { min: 1 })
      assert.strictEqual((yield* stats).idle, size)
      assert.strictEqual(sleeps.length, 1)
      yield* TestClock.adjust(1000)
      const before = sleeps.length
      for (let i = 0; i < 1000; i++) yield* Pool.use(pool, () => Effect.void)
      assert.strictEqual(sleeps.length, before)
      yield* TestClock.adjust(59_000)
      assert.isAtMost((yield* stats).idle, 2)
      yield* TestClock.adjust(1000)
      assert.strictEqual((yield* stats).idle, 1)
      assert.isAtMost(sleeps.length, before + 3)
    }))

  it.effect("sleeps on nothing while there is no deadline ahead", () =>
    Effect.gen(function*() {
      const { pool, sleeps } = yield* lab({ min: 5, max: 5 })
      yield* warmUp(pool, 5)
      yield* Pool.use(pool, () => Effect.void)
      const a = yield* borrow(pool)
      yield* a.giveBack
      yield* Pool.evict(pool)
      yield* Pool.resize(pool, { min: 1, max: 2 })
      yield* Pool.use(pool, () => Effect.void)
      yield* calm
      assert.deepStrictEqual(sleeps, [])
    }))

  it.effect("sleeps no more once the timer of a borrow that had to wait has run to its end", () =>
    Effect.gen(function*() {
      const { pool, sleeps } = yield* lab({
        min: 0,
        max: 1,
        borrowTimeout: "10 seconds",
        create: () => Effect.yieldNow
      })
      yield* warmUp(pool, 1)
      yield* TestClock.adjust("10 seconds")
      const before = sleeps.length
      yield* Pool.use(pool, () => Effect.void)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(sleeps.length, before)
    }))

  it.effect("sleeps on nothing while no object is beyond min, whatever idleTimeToLive is", () =>
    Effect.gen(function*() {
      const { pool, sleeps } = yield* lab({ min: 2, max: 5, idleTimeToLive: "1 minute" })
      yield* Pool.awaitReady(pool)
      yield* Pool.use(pool, () => Effect.void)
      yield* calm
      assert.deepStrictEqual(sleeps, [])
    }))
})
