import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as EffectPool from "effect/Pool"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Pool } from "../src/index.ts"
import type { Thing } from "./utils.ts"
import { defectOf, ended, hold, reasonOf, settle, start, valueOf, Workshop } from "./utils.ts"

/** Counts the steps of all fibers. */
class CountingScheduler extends Scheduler.MixedScheduler {
  steps = 0

  override shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    this.steps++
    return super.shouldYield(fiber)
  }
}

const now = Effect.map(Clock.currentTimeMillis, Number)

describe("what Effect's own pool leaves to be desired", () => {
  it.effect("creations run side by side: borrowers at 0 and 10 ms are each served after their own 300 ms", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().after(300), max: 5, min: 0 })
      const served: Array<number> = []
      const borrow = Pool.use(pool, () => Effect.andThen(Effect.map(now, (at) => served.push(at)), Effect.never))
      yield* start(borrow)
      yield* TestClock.adjust(10)
      yield* start(borrow)
      yield* TestClock.adjust(290)
      assert.deepStrictEqual(served, [300])
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(served, [300, 310])
    }))

  it.effect("a creation that never ends keeps nobody from being served, and ends at createTimeout", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      let attempts = 0
      let interrupted = false
      const stuck = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true)))
      const acquire = Effect.suspend(() => ++attempts === 1 ? stuck : workshop.after(300))
      const pool = yield* Pool.make({ acquire, max: 3, min: 0 })
      const fibers = [yield* start(hold(pool, 0)), yield* start(hold(pool, 0)), yield* start(hold(pool, 0))]
      yield* TestClock.adjust(300)
      for (const fiber of fibers) assert.strictEqual(ended(fiber)?._tag, "Success")
      yield* TestClock.adjust(9699)
      assert.isFalse(interrupted)
      yield* TestClock.adjust(1)
      assert.isTrue(interrupted)
      assert.strictEqual((yield* Pool.stats(pool)).createFailures, 1)
    }))

  it.effect("borrowed objects that are invalidated while others wait never make more alive than max", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 2, min: 2 })
      const holders = []
      for (let i = 0; i < 2; i++) {
        holders.push(
          yield* start(
            Pool.use(pool, (thing) => Effect.andThen(Pool.invalidate(pool, thing), Effect.sleep("1 second")))
          )
        )
      }
      const waiters = [yield* start(hold(pool, 0)), yield* start(hold(pool, 0)), yield* start(hold(pool, 0))]
      assert.strictEqual(workshop.alive, 2)
      yield* TestClock.adjust("1 second")
      for (const fiber of waiters) valueOf(fiber)
      assert.strictEqual(workshop.peak, 2)
    }))

  it.effect("a Scope that is closed while a holder is stuck ends at shutdownTimeout", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const workshop = new Workshop()
      const pool = yield* Scope.provide(Pool.make({ acquire: workshop.acquire, max: 1 }), scope)
      const stuck = yield* start(Pool.use(pool, () => Effect.never))
      const closing = yield* start(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(19_999)
      assert.isUndefined(ended(closing))
      yield* TestClock.adjust(1)
      valueOf(closing)
      assert.strictEqual(workshop.alive, 0)
      assert.isUndefined(ended(stuck))
    }))

  it.effect("borrowing from a closed pool fails with Closed, where effect/Pool interrupts", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const theirs = yield* Scope.provide(EffectPool.make({ acquire: Effect.succeed(1), size: 1 }), scope)
      const ours = yield* Scope.provide(Pool.make({ acquire: Effect.succeed(1), max: 1 }), scope)
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(Effect.scoped(EffectPool.get(theirs)))))
      assert.strictEqual(reasonOf(yield* Effect.exit(Effect.scoped(Pool.get(ours)))), "Closed")
    }))

  it.effect("an object whose body died is destroyed without a check, and with one it is checked", () =>
    Effect.gen(function*() {
      for (const [healthCheck, destroyed] of [[undefined, 1], [() => Effect.succeed(true), 0]] as const) {
        const workshop = new Workshop()
        const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1, healthCheck })
        yield* Effect.exit(Pool.use(pool, () => Effect.die("boom")))
        yield* settle
        const stats = yield* Pool.stats(pool)
        assert.deepStrictEqual([workshop.unmade.length, stats.healthChecks], [destroyed, 1 - destroyed])
      }
    }))

  it.effect("a minimum whose first creations failed is refilled, though nobody borrows", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      let attempts = 0
      const acquire = Effect.suspend(() => ++attempts <= 2 ? Effect.fail("down") : workshop.acquire)
      const pool = yield* Pool.make({ acquire, max: 4, min: 2 })
      assert.strictEqual((yield* Pool.stats(pool)).size, 0)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Pool.stats(pool)).size, 2)
    }))

  it.effect("an outage answers a hundred borrowers in one round of attempts, after 100 ms", () =>
    Effect.gen(function*() {
      let attempts = 0
      const acquire = Effect.suspend(() => {
        attempts++
        return Effect.andThen(Effect.sleep(100), Effect.fail("down"))
      })
      const pool = yield* Pool.make({ acquire, max: 10, min: 0 })
      const answered: Array<number> = []
      for (let i = 0; i < 100; i++) {
        yield* start(Effect.andThen(Effect.exit(hold(pool, 0)), Effect.map(now, (at) => answered.push(at))))
      }
      yield* TestClock.adjust(100)
      yield* settle
      assert.deepStrictEqual([answered.length, Math.max(...answered), attempts], [100, 100, 10])
    }))

  it.effect("bounds that cannot be are a defect that says why", () =>
    Effect.gen(function*() {
      const none = yield* Effect.exit(Pool.make({ acquire: Effect.void, max: 0 }))
      assert.strictEqual(defectOf(none), "Pool \"pool\": max (0) must be at least 1")
      const crossed = yield* Effect.exit(Pool.make({ acquire: Effect.void, min: 2, max: 1 }))
      assert.strictEqual(defectOf(crossed), "Pool \"pool\": min (2) must not exceed max (1)")
    }))

  it.effect("the ends of ten objects made together are spread by jitter", () =>
    Effect.gen(function*() {
      const ends: Array<number> = []
      const acquire = Effect.acquireRelease(
        Effect.sync((): Thing => ({ id: 0 })),
        () => Effect.map(now, (at) => ends.push(at))
      )
      yield* Pool.make({ acquire, max: 10, min: 10, timeToLive: "10 minutes" })
      yield* TestClock.adjust("10 minutes")
      assert.isAtLeast(ends.length, 10)
      const first = ends.slice(0, 10)
      assert.isAbove(Math.max(...first) - Math.min(...first), 1000)
      assert.isAtLeast(Math.min(...first), 600_000 * 0.975)
      assert.isAtMost(Math.max(...first), 600_000)
    }))

  it.effect("a hand-over costs less than half of the steps: a hundred fibers over ten objects", () =>
    Effect.gen(function*() {
      const theirs = yield* EffectPool.make({ acquire: Effect.succeed({}), size: 10 })
      const ours = yield* Pool.make({ acquire: Effect.succeed({}), max: 10, min: 10 })
      yield* settle
      const stepsOf = (borrow: Effect.Effect<unknown, unknown>) => {
        const counting = new CountingScheduler()
        return Effect.replicateEffect(Effect.replicateEffect(borrow, 10), 100, { concurrency: "unbounded" }).pipe(
          Effect.forkChild,
          Effect.flatMap(Fiber.join),
          Effect.provideService(Scheduler.Scheduler, counting),
          Effect.map(() => counting.steps)
        )
      }
      const nothing = yield* stepsOf(Effect.yieldNow)
      const their = yield* stepsOf(Effect.scoped(Effect.andThen(EffectPool.get(theirs), Effect.yieldNow)))
      const our = yield* stepsOf(Pool.use(ours, () => Effect.yieldNow))
      assert.isBelow(our - nothing, (their - nothing) / 2, `${our} steps, theirs ${their}, without a pool ${nothing}`)
    }))
})
