import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Pool, PoolError } from "../src/index.ts"
import type { Thing } from "./utils.ts"
import {
  checkServes,
  checkStats,
  countingSleeps,
  defectOf,
  ended,
  hold,
  logs,
  poolError,
  reasonOf,
  settle,
  start,
  valueOf,
  Workshop
} from "./utils.ts"

class ConnectError extends Data.TaggedError("ConnectError")<{ readonly message: string }> {}

const names = ["a", "b", "c", "d", "e", "f"]

/** Borrows for so long, and notes its name when it is served. */
const queue = <A, E>(pool: Pool.Pool<A, E>, served: Array<string>, name: string, duration: Duration.Input = 0) =>
  start(Pool.use(pool, (object) => {
    served.push(name)
    return Effect.as(Effect.sleep(duration), object)
  }))

describe("first come, first served", () => {
  it.effect("waiters are served in the order of their arrival", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
      const served: Array<string> = []
      for (const name of names) yield* queue(pool, served, name, "1 second")
      assert.deepStrictEqual(served, ["a"])
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(served, names)
    }))

  it.effect("a newcomer never overtakes a waiter, also not in the moment between hand-over and wake-up", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
      const served: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const holder = yield* start(Pool.use(pool, () => Deferred.await(gate)))
      yield* queue(pool, served, "waiter", "1 second")
      // in one go: the object comes back, and the newcomer asks
      yield* Deferred.succeed(gate, void 0)
      yield* queue(pool, served, "newcomer")
      yield* Fiber.join(holder)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(served, ["waiter", "newcomer"])
    }))

  it.effect("a holder that borrows again at once goes behind those who wait", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
      const served: Array<string> = []
      const use = (name: string) => Pool.use(pool, () => Effect.sync(() => served.push(name)))
      const greedy = yield* start(Effect.gen(function*() {
        yield* Pool.use(pool, () => Effect.sleep("1 second"))
        for (let i = 0; i < 3; i++) yield* use("greedy")
      }))
      yield* start(use("a"))
      yield* start(use("b"))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(greedy)
      assert.deepStrictEqual(served.slice(0, 2), ["a", "b"])
    }))

  it.effect("use, get and poll of many borrowers never lend one object twice", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.after("3 millis"), max: 3 })
      const lent = new Set<Thing>()
      const work = (thing: Thing) =>
        Effect.gen(function*() {
          assert.isFalse(lent.has(thing))
          lent.add(thing)
          yield* Effect.sleep("5 millis")
          lent.delete(thing)
        })
      const fibers = []
      for (let i = 0; i < 60; i++) {
        fibers.push(
          yield* start(
            i % 3 === 0
              ? Pool.use(pool, work)
              : i % 3 === 1
              ? Effect.scoped(Effect.flatMap(Pool.get(pool), work))
              : Effect.scoped(
                Effect.flatMap(Pool.poll(pool), Option.match({ onNone: () => Effect.void, onSome: work }))
              )
          )
        )
      }
      yield* TestClock.adjust("10 seconds")
      for (const fiber of fibers) valueOf(fiber)
      assert.isAtMost(workshop.peak, 3)
      yield* checkServes(pool, 3)
    }))
})

describe("objects", () => {
  it.effect("an idle object is lent at once, and creates no other", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 5 })
      for (let i = 0; i < 10; i++) assert.strictEqual((yield* Pool.use(pool, Effect.succeed)).id, 0)
      assert.strictEqual(workshop.made, 1)
    }))

  it.effect("the one returned last is lent next, or with fifo the one that has been idle longest", () =>
    Effect.gen(function*() {
      for (const order of ["lifo", "fifo"] as const) {
        const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 3, min: 3, order })
        const scopes = [yield* Scope.make(), yield* Scope.make(), yield* Scope.make()]
        const objects: Array<Thing> = []
        for (const scope of scopes) objects.push(yield* Scope.provide(Pool.get(pool), scope))
        for (const index of [1, 2, 0]) yield* Scope.close(scopes[index]!, Exit.void)
        const next = [yield* Pool.get(pool), yield* Pool.get(pool), yield* Pool.get(pool)]
        const expected = order === "lifo" ? [0, 2, 1] : [1, 2, 0]
        assert.deepStrictEqual(next, expected.map((index) => objects[index]!), order)
      }
    }))

  it.effect("may be primitive, frozen, have private fields, be JavaScript proxies, functions, or nothing at all", () =>
    Effect.gen(function*() {
      class Private {
        #secret = 42
        reveal(): number {
          return this.#secret
        }
      }
      const trap = new Proxy({}, {
        get: (_, name) => {
          throw new Error(`nobody may read ${String(name)}`)
        },
        has: () => {
          throw new Error("nobody may ask")
        }
      })
      const values = [
        "text",
        0,
        7n,
        true,
        Symbol("s"),
        null,
        undefined,
        NaN,
        Object.freeze({}),
        new Private(),
        trap,
        () => 1
      ]
      for (const value of values) {
        const pool = yield* Pool.make<unknown, never, never>({ acquire: Effect.succeed(value), max: 1 })
        yield* Pool.use(pool, (object) => Effect.sync(() => assert.isTrue(Object.is(object, value))))
        assert.isTrue(Object.is(yield* Effect.scoped(Pool.get(pool)), value))
        const polled = yield* Effect.scoped(Pool.poll(pool))
        assert.isTrue(Option.isSome(polled) && Object.is(polled.value, value))
        yield* Pool.invalidate(pool, value)
        const stats = yield* Pool.stats(pool)
        assert.strictEqual(stats.destroyed.invalidated, 1)
      }
      const pool = yield* Pool.make({ acquire: Effect.sync(() => new Private()), max: 1 })
      assert.strictEqual(yield* Pool.use(pool, (object) => Effect.sync(() => object.reveal())), 42)
    }))

  it.effect("that are Effects or Exits themselves are lent as they are", () =>
    Effect.gen(function*() {
      const value: Effect.Effect<string> = Effect.succeed("inner")
      const pool = yield* Pool.make({ acquire: Effect.succeed(value), max: 1 })
      assert.strictEqual(yield* Effect.scoped(Pool.get(pool)), value)
      assert.strictEqual(yield* Pool.use(pool, (object) => object), "inner")
    }))

  it.effect("are told apart by identity, also when they are equal, and when they change", () =>
    Effect.gen(function*() {
      const acquire = Effect.sync(() => ({ value: 0 }))
      const pool = yield* Pool.make({ acquire, max: 2, min: 2 })
      const [a, b] = [yield* Pool.get(pool), yield* Pool.get(pool)]
      assert.notStrictEqual(a, b)
      a.value = 5
      yield* Pool.invalidate(pool, a)
      yield* Pool.invalidate(pool, { value: 0 })
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual(stats.size, 2, "what was invalidated is still held")
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
    }))

  it.effect("acquire may give the same value twice: two places hold it, and invalidate means both", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const one = { id: 0 }
      const pool = yield* Pool.make({ acquire: Effect.as(workshop.acquire, one), max: 3, min: 2 })
      yield* Effect.scoped(Effect.gen(function*() {
        assert.deepStrictEqual([yield* Pool.get(pool), yield* Pool.get(pool)], [one, one])
        const lent = yield* Pool.stats(pool)
        assert.deepStrictEqual([lent.inUse, lent.size], [2, 2])
      }))
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Pool.get(pool)
        yield* Pool.invalidate(pool, one)
        assert.strictEqual(workshop.unmade.length, 1, "the idle one now")
      }))
      assert.strictEqual(workshop.unmade.length, 2, "the borrowed one on return")
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.destroyed.invalidated, stats.size], [2, 2])
    }))
})

describe("invalidate", () => {
  it.effect("destroys an idle object now, and one that is borrowed on its return", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 2, min: 0 })
      const idle = yield* Pool.use(pool, Effect.succeed)
      yield* Pool.invalidate(pool, idle)
      assert.deepStrictEqual(workshop.unmade, [0])
      yield* Effect.scoped(Effect.gen(function*() {
        const borrowed = yield* Pool.get(pool)
        yield* Pool.invalidate(pool, borrowed)
        yield* Pool.invalidate(pool, borrowed)
        assert.deepStrictEqual(workshop.unmade, [0])
      }))
      assert.deepStrictEqual(workshop.unmade, [0, 1])
      const stats = yield* Pool.stats(pool)
      assert.strictEqual(stats.destroyed.invalidated, 2)
    }))

  it.effect("of an unknown value, or of one that is gone, changes nothing", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1 })
      yield* Pool.invalidate(pool, { id: 0 })
      const thing = yield* Pool.use(pool, Effect.succeed)
      yield* Pool.invalidate(pool, thing)
      yield* Pool.invalidate(pool, thing)
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.destroyed.invalidated, stats.size, workshop.made], [1, 1, 2])
    }))

  it.effect("frees a waiter: the place of an object that is destroyed elsewhere is used for another", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1 })
      const holder = yield* start(
        Pool.use(pool, (thing) => Effect.andThen(Pool.invalidate(pool, thing), Effect.sleep("1 second")))
      )
      const waiter = yield* start(Pool.use(pool, Effect.succeed))
      yield* TestClock.adjust(999)
      assert.isUndefined(ended(waiter))
      yield* TestClock.adjust(1)
      yield* Fiber.join(holder)
      assert.strictEqual((yield* Fiber.join(waiter)).id, 1)
      assert.strictEqual(workshop.peak, 1)
    }))

  it.effect("an invalidated object is destroyed once, however many invalidate it at once", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1, min: 0 })
      const thing = yield* Pool.use(pool, Effect.succeed)
      yield* Effect.replicateEffect(Pool.invalidate(pool, thing), 20, { concurrency: "unbounded" })
      assert.deepStrictEqual(workshop.unmade, [0])
    }))
})

describe("growing", () => {
  it.effect("a creation starts for each waiter that none in flight will serve, side by side, up to max", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.after("1 second"), max: 3, min: 0 })
      const fibers = []
      for (let i = 0; i < 5; i++) {
        fibers.push(yield* start(hold(pool, "1 second")))
        const stats = yield* Pool.stats(pool)
        assert.deepStrictEqual([stats.creating, stats.waiting], [Math.min(i + 1, 3), i + 1])
      }
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Pool.stats(pool)).inUse, 3)
      yield* TestClock.adjust("2 seconds")
      for (const fiber of fibers) valueOf(fiber)
      assert.strictEqual(workshop.made, 3)
    }))

  it.effect("each of two borrowers has its own creation, begun when it came", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().after(300), max: 5, min: 0 })
      const first = yield* start(hold(pool, "1 hour"))
      yield* TestClock.adjust(10)
      const second = yield* start(hold(pool, "1 hour"))
      yield* TestClock.adjust(290)
      assert.deepStrictEqual((yield* Pool.stats(pool)).inUse, 1)
      yield* TestClock.adjust(9)
      assert.deepStrictEqual((yield* Pool.stats(pool)).inUse, 1)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual((yield* Pool.stats(pool)).inUse, 2)
      assert.isUndefined(ended(first) ?? ended(second))
    }))

  it.effect("a creation in flight for the minimum serves a waiter, and no other begins for it", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.after("1 second"), max: 5, min: 2 })
      yield* start(hold(pool, "1 second"))
      yield* start(hold(pool, "1 second"))
      assert.strictEqual((yield* Pool.stats(pool)).creating, 2)
      yield* start(hold(pool, "1 second"))
      assert.strictEqual((yield* Pool.stats(pool)).creating, 3)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(workshop.made, 3)
    }))

  it.effect("no more than maxCreating creations are under way at once", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.after("1 second"), max: 10, min: 5, maxCreating: 2 })
      for (let i = 0; i < 6; i++) yield* start(hold(pool, "1 hour"))
      for (const [made, creating] of [[0, 2], [2, 2], [4, 2], [6, 0]]) {
        const stats = yield* Pool.stats(pool)
        assert.deepStrictEqual([workshop.made, stats.creating], [made, creating])
        yield* TestClock.adjust("1 second")
      }
    }))

  it.effect("whatever comes first, a created or a returned object, serves the first waiter", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      let slow = false
      const acquire = Effect.suspend(() => slow ? workshop.after("3 seconds") : workshop.acquire)
      const pool = yield* Pool.make({ acquire, max: 2 })
      slow = true
      yield* start(hold(pool, "1 second"))
      const first = yield* start(Pool.use(pool, Effect.succeed))
      const second = yield* start(Pool.use(pool, (thing) => Effect.as(Effect.sleep("5 seconds"), thing)))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(valueOf(first).id, 0, "the returned one")
      const third = yield* start(Pool.use(pool, Effect.succeed))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(valueOf(third).id, 1, "the created one")
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(valueOf(second).id, 0)
      assert.strictEqual(workshop.made, 2)
    }))

  it.effect("a creation goes on when its borrower is interrupted or gives up, and the object is idle then", () =>
    Effect.gen(function*() {
      for (const end of ["interrupted", "timed out"] as const) {
        const workshop = new Workshop()
        const pool = yield* Pool.make({ acquire: workshop.after("2 seconds"), max: 5, min: 0 })
        const fiber = yield* start(Pool.use(pool, Effect.succeed, { timeout: "1 second" }))
        if (end === "interrupted") yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust("1 second")
        if (end === "timed out") assert.strictEqual(reasonOf(ended(fiber)), "BorrowTimeout")
        assert.strictEqual((yield* Pool.stats(pool)).creating, 1, end)
        yield* TestClock.adjust("1 second")
        const stats = yield* Pool.stats(pool)
        assert.deepStrictEqual([stats.idle, stats.creating], [1, 0], end)
        assert.strictEqual((yield* Pool.use(pool, Effect.succeed)).id, 0)
        assert.strictEqual(workshop.made, 1)
      }
    }))

  it.effect("a spike of borrowers with slow creations does not overshoot", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.after("1 second"), max: 4, min: 0 })
      for (let i = 0; i < 100; i++) yield* start(hold(pool, "10 millis"))
      yield* TestClock.adjust("10 seconds")
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.returned, workshop.made, workshop.peak], [100, 4, 4])
    }))

  it.effect("the minimum is refilled after any loss, as soon as a place is free", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const acquire = Effect.tap(workshop.acquire, () => Effect.addFinalizer(() => Effect.sleep("1 second")))
      const pool = yield* Pool.make({ acquire, max: 2, min: 2 })
      const thing = yield* Pool.use(pool, Effect.succeed)
      yield* Pool.invalidate(pool, thing)
      assert.deepStrictEqual([(yield* Pool.stats(pool)).destroying, workshop.made], [1, 2])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([(yield* Pool.stats(pool)).idle, workshop.made], [2, 3])
      yield* Pool.resize(pool, { min: 0 })
      yield* start(Effect.andThen(Effect.sleep("10 seconds"), Pool.shutdown(pool)))
      yield* TestClock.adjust("20 seconds")
    }))
})

describe("sharing", () => {
  it.effect("as many as concurrency share an object, and never more", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 2, min: 0, concurrency: 3 })
      const loads = new Map<number, number>()
      let most = 0
      const work = (thing: Thing) =>
        Effect.gen(function*() {
          const load = (loads.get(thing.id) ?? 0) + 1
          loads.set(thing.id, load)
          most = Math.max(most, load)
          yield* Effect.sleep("1 second")
          loads.set(thing.id, loads.get(thing.id)! - 1)
        })
      for (let i = 0; i < 20; i++) yield* start(Pool.use(pool, work))
      assert.deepStrictEqual([workshop.made, (yield* Pool.stats(pool)).waiting], [2, 14])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([most, workshop.made], [3, 2])
      assert.strictEqual((yield* Pool.stats(pool)).returned, 20)
    }))

  it.effect("one creation serves as many waiters as may share its object", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.after("1 second"), max: 5, min: 0, concurrency: 3 })
      const creating = []
      for (let i = 0; i < 7; i++) {
        yield* start(hold(pool, "1 hour"))
        creating.push((yield* Pool.stats(pool)).creating)
      }
      assert.deepStrictEqual(creating, [1, 1, 1, 2, 2, 2, 3])
      yield* TestClock.adjust("1 second")
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.waiting, stats.inUse, workshop.made], [0, 3, 3])
    }))

  it.effect("an infinite concurrency shares one object among all", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.after("1 second"), max: 5, concurrency: Infinity })
      for (let i = 0; i < 50; i++) yield* start(hold(pool, "1 hour"))
      yield* TestClock.adjust("1 second")
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.objects.length, stats.objects[0]!.holders.length, workshop.made], [1, 50, 1])
    }))

  it.effect("wholly idle objects are lent first, then the one with the fewest borrowers", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 3, min: 3, concurrency: 3 })
      const first = [yield* Pool.get(pool), yield* Pool.get(pool), yield* Pool.get(pool)]
      assert.deepStrictEqual(first.map(({ id }) => id).toSorted(), [0, 1, 2])
      const scope = yield* Scope.make()
      const fourth = yield* Scope.provide(Pool.get(pool), scope)
      const rest = [yield* Pool.get(pool), yield* Pool.get(pool)]
      assert.deepStrictEqual([fourth, ...rest].map(({ id }) => id).toSorted(), [0, 1, 2])
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Pool.get(pool), fourth, "it has one borrower, the others two")
    }))

  it.effect("poll gives a share that is free, and none where there is none", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, concurrency: 2 })
      assert.isTrue(Option.isSome(yield* Pool.poll(pool)))
      assert.isTrue(Option.isSome(yield* Pool.poll(pool)))
      assert.isTrue(Option.isNone(yield* Pool.poll(pool)))
    }))

  it.effect("an object that must go is lent no more, and goes with its last holder", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 2, min: 0, concurrency: 5 })
      const scopes = [yield* Scope.make(), yield* Scope.make()]
      const shared = yield* Scope.provide(Pool.get(pool), scopes[0]!)
      assert.strictEqual(yield* Scope.provide(Pool.get(pool), scopes[1]!), shared)
      yield* Pool.invalidate(pool, shared)
      assert.notStrictEqual(yield* Pool.get(pool), shared)
      yield* Scope.close(scopes[0]!, Exit.void)
      assert.deepStrictEqual(workshop.unmade, [])
      yield* Scope.close(scopes[1]!, Exit.void)
      assert.deepStrictEqual(workshop.unmade, [0])
    }))

  it.effect("the end of one holder says nothing about what the others share", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1, concurrency: 2 })
      yield* start(hold(pool, "1 hour"))
      yield* Effect.exit(Pool.use(pool, () => Effect.die("boom")))
      const interrupted = yield* start(hold(pool, "1 hour"))
      yield* Fiber.interrupt(interrupted)
      assert.deepStrictEqual([workshop.made, workshop.unmade], [1, []])
    }))
})

describe("timeouts", () => {
  it.effect("BorrowTimeout comes at borrowTimeout, and not a millisecond before", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, borrowTimeout: "5 seconds" })
      yield* Pool.get(pool)
      const waiter = yield* start(Pool.use(pool, Effect.succeed))
      const inScope = yield* start(Effect.scoped(Pool.get(pool)))
      yield* TestClock.adjust(4999)
      assert.isUndefined(ended(waiter) ?? ended(inScope))
      yield* TestClock.adjust(1)
      assert.strictEqual(reasonOf(ended(waiter)), "BorrowTimeout")
      assert.strictEqual(reasonOf(ended(inScope)), "BorrowTimeout")
      assert.strictEqual((yield* Pool.stats(pool)).timeouts, 2)
    }))

  it.effect("is 30 seconds by default, and may be set for one borrow, longer or shorter", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
      yield* Pool.get(pool)
      const byDefault = yield* start(Pool.use(pool, Effect.succeed))
      const shorter = yield* start(Pool.use(pool, Effect.succeed, { timeout: "1 second" }))
      const longer = yield* start(pool.pipe(Pool.use(Effect.succeed, { timeout: "1 minute" })))
      const endless = yield* start(Effect.scoped(Pool.get(pool, { timeout: Duration.infinity })))
      const seen = []
      for (const wait of [999, 1, 28_999, 1, 29_999, 1, 1_000_000]) {
        yield* TestClock.adjust(wait)
        seen.push([shorter, byDefault, longer, endless].filter((fiber) => ended(fiber) !== undefined).length)
      }
      assert.deepStrictEqual(seen, [0, 1, 1, 2, 2, 3, 3])
    }))

  it.effect("a timeout leaks nothing and does not harm the next", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, borrowTimeout: "1 second" })
      const holder = yield* start(hold(pool, "2500 millis"))
      const fibers = []
      for (let i = 0; i < 3; i++) {
        fibers.push(yield* start(Pool.use(pool, Effect.succeed)))
        yield* TestClock.adjust("1 second")
      }
      yield* Fiber.join(holder)
      assert.deepStrictEqual(fibers.map((fiber) => ended(fiber)?._tag), ["Failure", "Failure", "Success"])
      yield* checkServes(pool, 1)
    }))

  it.effect("deadlines need not be in the order of arrival", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, borrowTimeout: "5 seconds" })
      const holder = yield* start(hold(pool, "10 seconds"))
      const timeouts = [7000, 2000, 5000, 1000, undefined, 3000, undefined, 12_000]
      const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
      for (const timeout of timeouts) {
        fibers.push(yield* start(Pool.use(pool, Effect.succeed, timeout === undefined ? {} : { timeout })))
      }
      const order: Array<number> = []
      for (const [index, fiber] of fibers.entries()) fiber.addObserver(() => order.push(index))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(order, [3, 1, 5, 2, 4, 6, 0, 7])
      yield* Fiber.join(holder)
      assert.strictEqual(ended(fibers[7]!)!._tag, "Success")
      yield* checkServes(pool, 1)
    }))

  it.effect("with a timeout of zero only an object that is there is lent, and a creation that was started goes on", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.after("1 second"), max: 1, min: 0, borrowTimeout: 0 })
      assert.strictEqual(reasonOf(yield* Effect.exit(Pool.use(pool, Effect.succeed))), "BorrowTimeout")
      assert.strictEqual((yield* Pool.stats(pool)).creating, 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Pool.use(pool, Effect.succeed)).id, 0)
      assert.strictEqual((yield* Effect.scoped(Pool.get(pool))).id, 0)
      yield* Pool.get(pool)
      assert.strictEqual(reasonOf(yield* Effect.exit(Effect.scoped(Pool.get(pool)))), "BorrowTimeout")
    }))

  it.effect("with a timeout of zero a creation that ends at once comes too late, too", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, min: 0 })
      const exit = yield* Effect.exit(Pool.use(pool, Effect.succeed, { timeout: 0 }))
      assert.strictEqual(reasonOf(exit), "BorrowTimeout")
      yield* settle
      assert.strictEqual((yield* Pool.stats(pool)).idle, 1)
    }))

  it.effect("with a timeout of zero no hook and no check is begun, and the object stays idle", () =>
    Effect.gen(function*() {
      for (const hook of ["onBorrow", "healthCheck"] as const) {
        let begun = 0
        const acquire = new Workshop().acquire
        const count = () => Effect.sync(() => ++begun > 0)
        const pool = yield* Pool.make({ acquire, max: 1, healthAfterIdle: 0, maxWaiting: 0, [hook]: count })
        for (
          const borrow of [
            Pool.use(pool, Effect.succeed, { timeout: 0 }),
            Effect.scoped(Pool.get(pool, { timeout: 0 }))
          ]
        ) {
          assert.strictEqual(reasonOf(yield* Effect.exit(borrow)), "BorrowTimeout", hook)
        }
        const stats = yield* Pool.stats(pool)
        assert.deepStrictEqual([begun, stats.idle, stats.borrowed, stats.timeouts], [0, 1, 0, 2], hook)
        yield* Pool.use(pool, Effect.succeed)
        assert.strictEqual(begun, 1, hook)
      }
    }))

  it.effect("with a timeout of zero an object is lent that needs no check, though another is next", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({
        acquire: new Workshop().acquire,
        min: 2,
        max: 2,
        order: "fifo",
        healthCheck: () => Effect.never,
        healthAfterIdle: "1 second"
      })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(500)
      const first = yield* Pool.use(pool, Effect.succeed, { timeout: 0 })
      yield* TestClock.adjust(500)
      // the other is next, and has been idle for a second
      assert.strictEqual(yield* Pool.use(pool, Effect.succeed, { timeout: 0 }), first)
      yield* TestClock.adjust(999)
      assert.strictEqual(yield* Effect.scoped(Pool.get(pool, { timeout: 0 })), first)
      yield* TestClock.adjust(1000)
      assert.strictEqual(reasonOf(yield* Effect.exit(Pool.use(pool, Effect.succeed, { timeout: 0 }))), "BorrowTimeout")
      assert.strictEqual((yield* Pool.stats(pool)).borrowed, 3)
    }))

  it.effect("with a timeout of zero a share is lent of an object that is in use, where the idle ones need a check", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({
        acquire: new Workshop().acquire,
        min: 2,
        max: 2,
        concurrency: 2,
        healthCheck: () => Effect.never,
        healthAfterIdle: "1 second"
      })
      yield* Pool.awaitReady(pool)
      const held = yield* Pool.get(pool)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Pool.get(pool, { timeout: 0 }), held)
      assert.strictEqual(reasonOf(yield* Effect.exit(Pool.use(pool, Effect.succeed, { timeout: 0 }))), "BorrowTimeout")
    }))

  it.effect("createTimeout comes before a borrowTimeout of the same moment", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({
        acquire: Effect.never,
        max: 1,
        min: 0,
        createTimeout: "5 seconds",
        borrowTimeout: "5 seconds"
      })
      const waiter = yield* start(hold(pool, 0))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(reasonOf(ended(waiter)), "CreateTimeout")
    }))

  it.effect("what must first be destroyed at the moment of the deadline comes too late", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1, borrowLimit: "5 seconds" })
      const holder = yield* start(hold(pool, "1 hour"))
      const waiter = yield* start(Pool.use(pool, Effect.succeed, { timeout: "5 seconds" }))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(reasonOf(ended(holder)), "Revoked")
      assert.strictEqual(reasonOf(ended(waiter)), "BorrowTimeout")
      assert.deepStrictEqual([workshop.made, (yield* Pool.stats(pool)).idle], [2, 1])
    }))

  it.effect("an object that comes back at the moment of the deadline serves the waiter", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, borrowTimeout: "5 seconds" })
      yield* start(hold(pool, "5 seconds"))
      const waiter = yield* start(Pool.use(pool, Effect.succeed))
      yield* TestClock.adjust("5 seconds")
      valueOf(waiter)
    }))

  it.effect("what must first be created at the moment of the deadline comes too late", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      let attempts = 0
      const acquire = Effect.suspend(() => ++attempts === 1 ? Effect.fail("down") : workshop.acquire)
      const createRetry = Schedule.spaced("1 second")
      const pool = yield* Pool.make({ acquire, max: 1, borrowTimeout: "1 second", createRetry })
      const waiter = yield* start(Pool.use(pool, Effect.succeed))
      yield* TestClock.adjust("1 second")
      yield* settle
      assert.strictEqual(reasonOf(ended(waiter)), "BorrowTimeout")
      assert.strictEqual((yield* Pool.stats(pool)).idle, 1)
    }))

  it.effect("the deadline holds though expired objects keep coming back", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const acquire = Effect.tap(workshop.acquire, () => Effect.addFinalizer(() => Effect.sleep("2 seconds")))
      const pool = yield* Pool.make({ acquire, max: 1, min: 0, maxUses: 1, borrowTimeout: "5 seconds" })
      yield* start(hold(pool, "4 seconds"))
      const waiter = yield* start(Pool.use(pool, Effect.succeed))
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(ended(waiter))
      yield* TestClock.adjust(1)
      assert.strictEqual(reasonOf(ended(waiter)), "BorrowTimeout")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Pool.stats(pool)).size, 0, "nothing is created for nobody")
    }))
})

describe("maxWaiting", () => {
  it.effect("a borrower that would have to queue behind as many fails with QueueFull at once", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, maxWaiting: 2 })
      const holder = yield* start(hold(pool, "1 second"))
      const first = yield* start(hold(pool, 0))
      const second = yield* start(hold(pool, 0))
      const third = yield* Effect.exit(hold(pool, 0))
      const error = poolError(third)
      assert.strictEqual(reasonOf(third), "QueueFull")
      assert.strictEqual(error.message, "Pool \"pool\": no object is free and the queue is full (maxWaiting is 2)")
      yield* Fiber.interrupt(first)
      const fourth = yield* start(hold(pool, 0))
      yield* TestClock.adjust("1 second")
      for (const fiber of [holder, second, fourth]) valueOf(fiber)
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.rejected, stats.cancelled], [1, 1])
    }))

  it.effect("does not count those for whom a creation is under way", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().after("1 second"), max: 3, min: 0, maxWaiting: 0 })
      const fibers = []
      for (let i = 0; i < 3; i++) fibers.push(yield* start(hold(pool, 0)))
      assert.strictEqual(reasonOf(yield* Effect.exit(hold(pool, 0))), "QueueFull")
      yield* TestClock.adjust("1 second")
      for (const fiber of fibers) valueOf(fiber)
    }))

  it.effect("counts those who wait for the next attempt in an outage", () =>
    Effect.gen(function*() {
      const createRetry = Schedule.spaced("1 second")
      const pool = yield* Pool.make({ acquire: Effect.fail("down"), max: 3, min: 0, maxWaiting: 1, createRetry })
      assert.deepStrictEqual(yield* Effect.exit(hold(pool, 0)), Exit.fail("down"))
      const waiter = yield* start(hold(pool, 0))
      assert.strictEqual(reasonOf(yield* Effect.exit(hold(pool, 0))), "QueueFull")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(ended(waiter), Exit.fail("down"))
    }))

  it.effect("a zero timeout does not make up for a full queue, and a borrower that an idle object serves meets neither", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, maxWaiting: 0, borrowTimeout: 0 })
      yield* hold(pool, 0)
      yield* Pool.get(pool)
      assert.strictEqual(reasonOf(yield* Effect.exit(hold(pool, 0))), "QueueFull")
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.rejected, stats.timeouts], [1, 0])
    }))
})

describe("poll", () => {
  it.effect("gives an idle object if there is one now, until the Scope closes, and begins no creation", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 3 })
      yield* Effect.scoped(Effect.gen(function*() {
        assert.deepStrictEqual(yield* Pool.poll(pool), Option.some({ id: 0 }))
        assert.deepStrictEqual(yield* Pool.poll(pool), Option.none())
        assert.strictEqual((yield* Pool.stats(pool)).inUse, 1)
      }))
      assert.deepStrictEqual(yield* Effect.scoped(Pool.poll(pool)), Option.some({ id: 0 }))
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([workshop.made, stats.borrowed, stats.returned, stats.timeouts], [1, 2, 2, 0])
    }))

  it.effect("gives none while suspended, of a closed pool, and while others wait", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
      yield* Pool.suspend(pool)
      assert.isTrue(Option.isNone(yield* Pool.poll(pool)))
      yield* Pool.resume(pool)
      const got = yield* Effect.scoped(Pool.poll(pool))
      assert.isTrue(Option.isSome(got))
      yield* Pool.shutdown(pool)
      assert.isTrue(Option.isNone(yield* Pool.poll(pool)))
    }))
})

describe("creations that fail", () => {
  it.effect("fail the borrower with E when nothing is alive, and are counted", () =>
    Effect.gen(function*() {
      const acquire = Effect.andThen(Effect.sleep("1 second"), Effect.fail("refused" as const))
      const pool = yield* Pool.make({ acquire, max: 3, min: 0 })
      const fiber = yield* start(hold(pool, 0))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(ended(fiber), Exit.fail("refused" as const))
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.createFailures, stats.created, stats.borrowed], [1, 0, 0])
    }))

  it.effect("die with the defect where acquire dies, and with one that says so where it interrupts itself", () =>
    Effect.gen(function*() {
      const dying = yield* Pool.make({ acquire: Effect.die("boom"), max: 1, min: 0 })
      assert.deepStrictEqual(yield* Effect.exit(hold(dying, 0)), Exit.die("boom"))
      const throwing = yield* Pool.make({
        acquire: Effect.sync((): Thing => {
          throw new Error("thrown")
        }),
        max: 1,
        min: 0
      })
      assert.strictEqual(defectOf(yield* Effect.exit(hold(throwing, 0))), "thrown")
      const interrupting = yield* Pool.make({ acquire: Effect.interrupt, max: 1, min: 0, name: "app/Database" })
      const exit = yield* Effect.exit(hold(interrupting, 0))
      assert.include(defectOf(exit), "app/Database")
      assert.include(defectOf(exit), "interrupt")
      assert.isFalse(Exit.hasInterrupts(exit))
    }))

  it.effect("while an object is alive waiters keep waiting", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      let up = true
      const acquire = Effect.suspend(() => up ? workshop.acquire : Effect.fail("down"))
      const pool = yield* Pool.make({ acquire, max: 2 })
      up = false
      const holder = yield* start(hold(pool, "10 seconds"))
      const waiter = yield* start(Pool.use(pool, Effect.succeed))
      yield* TestClock.adjust("9 seconds")
      assert.isUndefined(ended(waiter))
      assert.isAtLeast((yield* Pool.stats(pool)).createFailures, 3)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(holder)
      assert.strictEqual(valueOf(waiter).id, 0)
    }))

  it.effect("while another creation is in flight waiters keep waiting, and the last that fails tells them all", () =>
    Effect.gen(function*() {
      let attempts = 0
      const acquire = Effect.suspend(() => {
        const attempt = ++attempts
        return Effect.andThen(Effect.sleep(attempt * 1000), Effect.fail(attempt))
      })
      const pool = yield* Pool.make({ acquire, max: 3, min: 0, createRetry: Schedule.spaced("1 hour") })
      const fibers = []
      for (let i = 0; i < 5; i++) fibers.push(yield* start(hold(pool, 0)))
      yield* TestClock.adjust(2999)
      for (const fiber of fibers) assert.isUndefined(ended(fiber))
      yield* TestClock.adjust(1)
      for (const fiber of fibers) assert.deepStrictEqual(ended(fiber), Exit.fail(3))
      assert.strictEqual(attempts, 3)
    }))

  it.effect("an outage is answered by one round of attempts: a hundred borrowers, ten attempts, one answer", () =>
    Effect.gen(function*() {
      let attempts = 0
      const acquire = Effect.suspend(() => {
        attempts++
        return Effect.andThen(Effect.sleep(100), Effect.fail("down"))
      })
      const pool = yield* Pool.make({ acquire, max: 10, min: 0 })
      const fibers = []
      for (let i = 0; i < 100; i++) fibers.push(yield* start(hold(pool, 0)))
      yield* TestClock.adjust(99)
      assert.isUndefined(ended(fibers[0]!))
      yield* TestClock.adjust(1)
      for (const fiber of fibers) assert.deepStrictEqual(ended(fiber), Exit.fail("down"))
      assert.strictEqual(attempts, 10)
    }))

  it.effect("borrowers who come later wait for the next attempt, and share its outcome", () =>
    Effect.gen(function*() {
      let attempts = 0
      const workshop = new Workshop()
      const acquire = Effect.suspend(() => ++attempts < 3 ? Effect.fail(attempts) : workshop.acquire)
      const pool = yield* Pool.make({ acquire, max: 3, min: 0, createRetry: Schedule.spaced("1 second") })
      assert.deepStrictEqual(yield* Effect.exit(hold(pool, 0)), Exit.fail(1))
      const second = [yield* start(hold(pool, 0)), yield* start(hold(pool, 0))]
      yield* TestClock.adjust(999)
      for (const fiber of second) assert.isUndefined(ended(fiber))
      yield* TestClock.adjust(1)
      for (const fiber of second) assert.deepStrictEqual(ended(fiber), Exit.fail(2))
      const third = [yield* start(hold(pool, "1 second")), yield* start(hold(pool, "1 second"))]
      yield* TestClock.adjust(999)
      assert.strictEqual(attempts, 2)
      yield* TestClock.adjust(1001)
      for (const fiber of third) valueOf(fiber)
      assert.strictEqual(workshop.made, 2)
    }))

  it.effect("attempts are spaced by createRetry, counted from the latest failure, one at a time", () =>
    Effect.gen(function*() {
      const began: Array<number> = []
      let inFlight = 0
      const acquire = Effect.gen(function*() {
        began.push(yield* Effect.clockWith((clock) => clock.currentTimeMillis))
        assert.strictEqual(++inFlight, 1)
        yield* Effect.sleep(500)
        inFlight--
        return yield* Effect.fail("down")
      })
      const createRetry = Schedule.exponential("1 second")
      const pool = yield* Pool.make({ acquire, max: 5, min: 1, createRetry })
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(began, [0, 1500, 4000, 8500, 17_000])
      assert.strictEqual((yield* Pool.stats(pool)).createFailures, 5)
    }))

  it.effect("by default the spacing doubles from 50 ms to 2 s, with 0.8 to 1.2 of that at random", () =>
    Effect.gen(function*() {
      const began: Array<number> = []
      const acquire = Effect.gen(function*() {
        began.push(yield* Effect.clockWith((clock) => clock.currentTimeMillis))
        return yield* Effect.fail("down")
      })
      yield* Pool.make({ acquire, max: 5, min: 3, maxCreating: 1 })
      yield* TestClock.adjust("20 seconds")
      const spaces = began.slice(1).map((at, index) => at - began[index]!)
      const expected = [50, 100, 200, 400, 800, 1600, 2000, 2000, 2000]
      for (const [index, space] of expected.entries()) {
        assert.isAtLeast(spaces[index]!, space * 0.8)
        assert.isAtMost(spaces[index]!, space * 1.2 + 1)
      }
      assert.isAbove(new Set(spaces.slice(6)).size, 1, "at random")
    }))

  it.effect("the spacing starts over after a success, and when the schedule ends", () =>
    Effect.gen(function*() {
      const began: Array<number> = []
      const workshop = new Workshop()
      const acquire = Effect.gen(function*() {
        began.push(yield* Effect.clockWith((clock) => clock.currentTimeMillis))
        if (began.length === 3) return yield* workshop.acquire
        return yield* Effect.fail("down")
      })
      const createRetry = Schedule.exponential("1 second").pipe(Schedule.upTo({ times: 3 }))
      const pool = yield* Pool.make({ acquire, max: 1, createRetry })
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(began, [0, 1000, 3000])
      const thing = yield* Pool.use(pool, Effect.succeed)
      began.splice(0, 3, -3, -2, -1)
      yield* Pool.invalidate(pool, thing)
      yield* TestClock.adjust("15 seconds")
      assert.deepStrictEqual(began.slice(3), [3000, 4000, 6000, 10_000, 11_000, 13_000, 17_000, 18_000])
    }))

  it.effect("creations that were in flight at the first failure run on beside the attempts, and do not step the schedule", () =>
    Effect.gen(function*() {
      const began: Array<number> = []
      const acquire = Effect.gen(function*() {
        const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        const attempt = began.push(now)
        yield* Effect.sleep([1000, 1500, 100, 100, 100][attempt - 1] ?? 100)
        return yield* Effect.fail(attempt)
      })
      const createRetry = Schedule.exponential("1 second")
      const pool = yield* Pool.make({ acquire, max: 5, min: 2, createRetry })
      const waiter = yield* start(hold(pool, 0))
      // the second fails at 1500, half a second after the first: the delay of one second starts anew
      yield* TestClock.adjust("1500 millis")
      assert.deepStrictEqual(ended(waiter), Exit.fail(2))
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(began, [0, 0, 0].slice(0, began.length))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(began.at(-1), 2500)
      yield* TestClock.adjust("2100 millis")
      assert.strictEqual(began.at(-1), 4600)
    }))

  it.effect("a schedule without a delay yields between attempts, and neither spins nor leaks", () =>
    Effect.gen(function*() {
      let attempts = 0
      const acquire = Effect.suspend(() => ++attempts <= 50 ? Effect.fail("down") : Effect.succeed("up"))
      const pool = yield* Pool.make({ acquire, max: 1, createRetry: Schedule.recurs(3) })
      yield* settle
      assert.isBelow(attempts, 51)
      yield* Effect.repeat(Effect.yieldNow, { times: 300 })
      assert.strictEqual(attempts, 51)
      assert.strictEqual(yield* Pool.use(pool, Effect.succeed), "up")
    }))

  it.effect("the minimum comes back without demand", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      let attempts = 0
      const acquire = Effect.suspend(() => ++attempts <= 3 ? Effect.fail("down") : workshop.acquire)
      const pool = yield* Pool.make({ acquire, max: 5, min: 3 })
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Pool.stats(pool)).idle, 3)
    }))

  it.effect("a waiter is served once creation recovers", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      let up = false
      const acquire = Effect.suspend(() => up ? workshop.acquire : Effect.fail("down"))
      const pool = yield* Pool.make({ acquire, max: 2, min: 0, createRetry: Schedule.spaced("1 second") })
      assert.deepStrictEqual(yield* Effect.exit(hold(pool, 0)), Exit.fail("down"))
      const waiter = yield* start(hold(pool, 0))
      up = true
      yield* TestClock.adjust("1 second")
      valueOf(waiter)
    }))

  it.effect("the finalizers of what was half made run, and take its place until they have ended", () =>
    Effect.gen(function*() {
      let finalized = 0
      const acquire = Effect.gen(function*() {
        yield* Effect.addFinalizer(() => Effect.andThen(Effect.sleep("1 second"), Effect.sync(() => finalized++)))
        return yield* Effect.fail("down")
      })
      const pool = yield* Pool.make({ acquire, max: 1, min: 0, createRetry: Schedule.spaced(100) })
      const exit = yield* Effect.exit(hold(pool, 0))
      assert.deepStrictEqual(exit, Exit.fail("down"), "told before its finalizers")
      const stats = yield* Pool.stats(pool)
      checkStats(stats)
      assert.deepStrictEqual([stats.destroying, stats.creating, finalized], [1, 0, 0])
      const next = yield* start(hold(pool, 0))
      yield* TestClock.adjust(999)
      assert.deepStrictEqual([(yield* Pool.stats(pool)).createFailures, ended(next)], [1, undefined])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([(yield* Pool.stats(pool)).createFailures, ended(next)], [2, Exit.fail("down")])
      assert.strictEqual(finalized, 1)
      const { destroyed } = yield* Pool.stats(pool)
      assert.deepStrictEqual(Object.values(destroyed).filter((count) => count > 0), [], "no object was destroyed")
      yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust("1 second")
    }))

  it.effect("the last failure is carried by a later BorrowTimeout, until a creation succeeds", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      let up = true
      const acquire = Effect.suspend(() =>
        up ? workshop.acquire : Effect.fail(new ConnectError({ message: "connection refused" }))
      )
      const pool = yield* Pool.make({ acquire, max: 2, borrowTimeout: "1 second", name: "app/Database" })
      up = false
      yield* Pool.get(pool)
      const waiter = yield* start(Effect.scoped(Pool.get(pool)))
      yield* TestClock.adjust("1 second")
      const { message, reason } = poolError(ended(waiter))
      assert.strictEqual(reason._tag, "BorrowTimeout")
      assert.match(
        message,
        /^Pool "app\/Database": no object within 1s \(1 of 2 in use, 1 waiting, longest held 1s by fiber #\d+\); last creation failure: .*connection refused$/
      )
      up = true
      yield* TestClock.adjust("10 seconds")
      const scope = yield* Scope.make()
      yield* Scope.provide(Pool.get(pool), scope)
      const later = yield* start(Effect.scoped(Pool.get(pool)))
      yield* TestClock.adjust("1 second")
      assert.notInclude(poolError(ended(later)).message, "last creation failure")
      yield* Scope.close(scope, Exit.void)
    }))
})

describe("creations that take too long", () => {
  it.effect("are interrupted at createTimeout, and count as failed with CreateTimeout in the place of E", () =>
    Effect.gen(function*() {
      let interrupted = 0
      const acquire = Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      const pool = yield* Pool.make({ acquire, max: 1, min: 0, createTimeout: "5 seconds", name: "app/Database" })
      const fiber = yield* start(hold(pool, 0))
      yield* TestClock.adjust(4999)
      assert.isUndefined(ended(fiber))
      yield* TestClock.adjust(1)
      const error = poolError(ended(fiber))
      assert.strictEqual(error.message, "Pool \"app/Database\": acquire made no object within 5s (createTimeout)")
      assert.isTrue(error.isRetryable)
      assert.instanceOf(error.reason, PoolError.CreateTimeout)
      assert.strictEqual(interrupted, 1)
      assert.strictEqual((yield* Pool.stats(pool)).createFailures, 1)
    }))

  it.effect("are not awaited: others are created beside them, and their place stays taken until they have ended", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      let attempts = 0
      const acquire = Effect.suspend(() =>
        ++attempts === 1 ? Effect.uninterruptible(workshop.after("1 minute")) : workshop.acquire
      )
      const pool = yield* Pool.make({
        acquire,
        max: 2,
        min: 0,
        borrowTimeout: Duration.infinity,
        createTimeout: "5 seconds",
        destroyTimeout: "2 minutes",
        createRetry: Schedule.spaced("1 second")
      })
      const first = yield* start(hold(pool, 0))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(reasonOf(ended(first)), "CreateTimeout")
      const during = yield* Pool.stats(pool)
      assert.deepStrictEqual([during.creating, during.destroying, during.createFailures], [0, 1, 1])
      const second = yield* start(hold(pool, "1 minute"))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Pool.stats(pool)).inUse, 1)
      const third = yield* start(hold(pool, 0))
      yield* TestClock.adjust("5 seconds")
      assert.isUndefined(ended(third), "the place is still taken")
      yield* TestClock.adjust("49 seconds")
      // what it made at last has been destroyed, its place is free, and serves the third
      assert.strictEqual(workshop.made, 3)
      assert.deepStrictEqual(workshop.unmade.length, 1)
      valueOf(third)
      const after = yield* Pool.stats(pool)
      assert.deepStrictEqual([after.created, after.createFailures, after.destroying], [2, 1, 0])
      assert.isUndefined(ended(second))
    }))

  it.effect("that never end, uninterruptibly, free their place after destroyTimeout, with a warning", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const workshop = new Workshop()
      let attempts = 0
      const acquire = Effect.suspend(() => ++attempts === 1 ? Effect.uninterruptible(Effect.never) : workshop.acquire)
      const pool = yield* Pool.make({
        acquire,
        max: 1,
        min: 0,
        createTimeout: "5 seconds",
        destroyTimeout: "7 seconds",
        createRetry: Schedule.spaced("1 second")
      })
      const first = yield* start(hold(pool, 0))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(reasonOf(ended(first)), "CreateTimeout")
      const second = yield* start(hold(pool, 0))
      yield* TestClock.adjust(6999)
      assert.isUndefined(ended(second))
      assert.strictEqual((yield* Pool.stats(pool)).destroying, 1)
      yield* TestClock.adjust(1)
      valueOf(second)
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.destroying, stats.size, stats.hookFailures], [0, 1, 1])
      assert.deepStrictEqual(entries.map((entry) => entry.level), ["Warn", "Warn"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("count no longer as creations at once", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      let attempts = 0
      const acquire = Effect.suspend(() =>
        ++attempts === 1 ? Effect.uninterruptible(Effect.sleep("20 seconds")) : Effect.asVoid(workshop.acquire)
      )
      const pool = yield* Pool.make({
        acquire,
        max: 3,
        min: 2,
        maxCreating: 1,
        createTimeout: "5 seconds",
        createRetry: Schedule.spaced("1 second")
      })
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual((yield* Pool.stats(pool)).idle, 2)
      yield* TestClock.adjust("20 seconds")
    }))

  it.effect("one creation that never ends keeps nobody from being served by others", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      let attempts = 0
      const acquire = Effect.suspend(() => ++attempts === 1 ? Effect.never : workshop.after(300))
      const pool = yield* Pool.make({ acquire, max: 3, min: 0 })
      const first = yield* start(hold(pool, "1 hour"))
      yield* start(hold(pool, "1 hour"))
      yield* start(hold(pool, "1 hour"))
      yield* TestClock.adjust(300)
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.inUse, stats.waiting, stats.creating], [2, 1, 1])
      assert.isUndefined(ended(first))
    }))
})

describe("interruption", () => {
  it.effect("of a waiter gives its turn to the next, and counts it as cancelled", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
      const served: Array<string> = []
      const holder = yield* start(hold(pool, "1 second"))
      const a = yield* queue(pool, served, "a")
      yield* queue(pool, served, "b")
      const c = yield* queue(pool, served, "c")
      yield* queue(pool, served, "d")
      yield* Fiber.interrupt(c)
      yield* Fiber.interrupt(a)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(holder)
      assert.deepStrictEqual(served, ["b", "d"])
      assert.strictEqual((yield* Pool.stats(pool)).cancelled, 2)
    }))

  it.effect("in the moment between hand-over and wake-up gives the object to the next, and the body is never called", () =>
    Effect.gen(function*() {
      for (const borrow of ["use", "get"] as const) {
        const workshop = new Workshop()
        const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1 })
        const gate = yield* Deferred.make<void>()
        yield* start(Pool.use(pool, () => Deferred.await(gate)))
        let called = 0
        const scope = yield* Scope.make()
        const victim = yield* start(
          borrow === "use"
            ? Pool.use(pool, () => {
              called++
              return Effect.never
            })
            : Effect.andThen(Scope.provide(Pool.get(pool), scope), Effect.sync(() => called++))
        )
        const next = yield* start(Pool.use(pool, Effect.succeed))
        yield* Deferred.succeed(gate, void 0)
        while ((yield* Pool.stats(pool)).borrowed < 2) yield* Effect.yieldNow
        victim.interruptUnsafe()
        yield* settle
        assert.strictEqual(called, 0, borrow)
        assert.strictEqual(valueOf(next).id, 0, "the object is unharmed")
        yield* Scope.close(scope, Exit.void)
        yield* checkServes(pool, 1)
      }
    }))

  it.effect("of thousands of waiters leaves the pool usable", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 2 })
      const scope = yield* Scope.make()
      yield* Scope.provide(Effect.andThen(Pool.get(pool), Pool.get(pool)), scope)
      const fibers = []
      for (let i = 0; i < 3000; i++) fibers.push(yield* start(Pool.use(pool, Effect.succeed)))
      yield* Fiber.interruptAll(fibers)
      assert.strictEqual((yield* Pool.stats(pool)).waiting, 0)
      yield* Scope.close(scope, Exit.void)
      yield* checkServes(pool, 2)
    }))

  it.effect("of a body is seen as an interruption by its caller", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
      const fiber = yield* start(Pool.use(pool, () => Effect.never))
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.hasInterrupts(ended(fiber)!))
      yield* checkServes(pool, 1)
    }))
})

describe("bodies", () => {
  it.effect("give their value, their failure and their defect to the caller", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
      assert.strictEqual(yield* Pool.use(pool, ({ id }) => Effect.succeed(id + 1)), 1)
      assert.deepStrictEqual(yield* Effect.exit(Pool.use(pool, () => Effect.fail("no"))), Exit.fail("no"))
      assert.deepStrictEqual(yield* Effect.exit(Pool.use(pool, () => Effect.die("boom"))), Exit.die("boom"))
    }))

  it.effect("that throw die, also after a wait, and the others that wait are served", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
      const throws = Pool.use(pool, (): Effect.Effect<void> => {
        throw new Error("thrown")
      })
      assert.strictEqual(defectOf(yield* Effect.exit(throws)), "thrown")
      yield* start(hold(pool, "1 second"))
      const fibers = [yield* start(throws), yield* start(throws)]
      const last = yield* start(hold(pool, 0))
      yield* TestClock.adjust("1 second")
      for (const fiber of fibers) assert.strictEqual(defectOf(ended(fiber)), "thrown")
      valueOf(last)
      yield* checkServes(pool, 1)
    }))

  it.effect("are called in the fiber of the borrower, also after a wait", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
      yield* start(hold(pool, "1 second"))
      const waiter = yield* start(Pool.use(pool, () => {
        const id = Fiber.getCurrent()?.id
        return Effect.map(Effect.fiberId, (own) => [id, own])
      }))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(valueOf(waiter), [waiter.id, waiter.id])
    }))

  it.effect("may borrow again: a second object, or the same pool's queue", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 2 })
      const both = yield* Pool.use(pool, (a) => Pool.use(pool, (b) => Effect.succeed([a.id, b.id])))
      assert.deepStrictEqual(both.toSorted(), [0, 1])
    }))

  it.effect("that interrupt themselves lose nothing", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
      const suicide = Pool.use(pool, () => Effect.withFiber((fiber) => Effect.sync(() => fiber.interruptUnsafe())))
      const atOnce = Pool.use(pool, () => {
        Fiber.getCurrent()!.interruptUnsafe()
        return Effect.void
      })
      for (const effect of [suicide, atOnce]) {
        const fiber = yield* start(effect)
        yield* Fiber.await(fiber)
      }
      yield* checkServes(pool, 1)
    }))

  it.effect("an effect value of use may run many times, also inside of itself and side by side", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 3 })
      let depth = 0
      const use: Effect.Effect<number, PoolError.PoolError> = Pool.use(
        pool,
        ({ id }) => ++depth < 3 ? Effect.map(use, (inner) => inner + id) : Effect.succeed(id)
      )
      assert.strictEqual(yield* use, 3)
      const once = Pool.use(pool, ({ id }) => Effect.as(Effect.sleep("1 second"), id))
      const all = yield* start(Effect.all([once, once, once], { concurrency: "unbounded" }))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([...valueOf(all)].toSorted(), [0, 1, 2])
    }))

  it.effect("run with the services and the Scope of the caller", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
      let closed = false
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Pool.use(pool, () => Effect.addFinalizer(() => Effect.sync(() => void (closed = true))))
        assert.isFalse(closed)
      }))
      assert.isTrue(closed)
    }))
})

describe("many borrowers", () => {
  it.effect("ten thousand pass one object on, and the stack does not grow", () =>
    Effect.gen(function*() {
      for (const borrowLimit of [Duration.infinity, "1 hour"] as const) {
        const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, borrowLimit })
        let served = 0
        yield* Effect.replicateEffect(Pool.use(pool, () => Effect.sync(() => served++)), 10_000, {
          concurrency: "unbounded"
        })
        const scoped = Effect.scoped(Effect.andThen(Pool.get(pool), Effect.sync(() => served++)))
        yield* Effect.replicateEffect(scoped, 1000, { concurrency: "unbounded" })
        assert.strictEqual(served, 11_000)
      }
    }))

  it.effect("a pool can be used in a program that runs synchronously", () =>
    Effect.sync(() => {
      const program = Effect.gen(function*() {
        const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, onReturn: () => Effect.void })
        const used = yield* Pool.use(pool, ({ id }) => Effect.succeed(id))
        const got = yield* Effect.scoped(Pool.get(pool))
        return [used, got.id]
      })
      assert.deepStrictEqual(Effect.runSync(Effect.scoped(program)), [0, 0])
    }))
})

describe("returning", () => {
  it.effect("success and a typed failure keep the object, of use and of a Scope", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1 })
      yield* Pool.use(pool, () => Effect.void)
      yield* Effect.exit(Pool.use(pool, () => Effect.fail("no")))
      yield* Effect.exit(Effect.scoped(Effect.andThen(Pool.get(pool), Effect.fail("no"))))
      assert.deepStrictEqual([workshop.made, workshop.unmade], [1, []])
    }))

  it.effect("an interruption or a defect leaves it in an unknown state: it is destroyed, and replaced", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1 })
      yield* Effect.exit(Pool.use(pool, () => Effect.die("boom")))
      assert.deepStrictEqual(workshop.unmade, [0])
      yield* Effect.exit(Effect.scoped(Effect.andThen(Pool.get(pool), Effect.die("boom"))))
      assert.deepStrictEqual(workshop.unmade, [0, 1])
      yield* Fiber.interrupt(yield* start(Pool.use(pool, () => Effect.never)))
      assert.deepStrictEqual(workshop.unmade, [0, 1, 2])
      yield* Fiber.interrupt(yield* start(Effect.scoped(Effect.andThen(Pool.get(pool), Effect.never))))
      assert.deepStrictEqual(workshop.unmade, [0, 1, 2, 3])
      yield* Effect.exit(Pool.use(pool, () => Effect.interrupt))
      assert.deepStrictEqual(workshop.unmade, [0, 1, 2, 3, 4])
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.destroyed.failed, stats.size, stats.borrowed, stats.returned], [5, 1, 5, 5])
    }))

  it.effect("an interruption that the body survives says nothing bad of the object", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1 })
      yield* Pool.use(pool, () => Effect.timeoutOption(Effect.never, "1 second")).pipe(
        start,
        Effect.tap(() => TestClock.adjust("1 second")),
        Effect.flatMap(Fiber.join)
      )
      assert.deepStrictEqual(workshop.unmade, [])
    }))

  it.effect("the object is back when use has ended, and when the Scope has closed", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
      yield* hold(pool, 0)
      assert.strictEqual((yield* Pool.stats(pool)).idle, 1)
      const scope = yield* Scope.make()
      yield* Scope.provide(Pool.get(pool), scope)
      assert.strictEqual((yield* Pool.stats(pool)).inUse, 1)
      yield* Scope.close(scope, Exit.void)
      yield* Scope.close(scope, Exit.void)
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.idle, stats.borrowed, stats.returned], [1, 2, 2])
    }))

  it.effect("maxUses: once as many borrows have begun, an object is lent no more and goes on return", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1, maxUses: 3 })
      const ids = []
      for (let i = 0; i < 7; i++) ids.push((yield* Pool.use(pool, Effect.succeed)).id)
      assert.deepStrictEqual(ids, [0, 0, 0, 1, 1, 1, 2])
      assert.strictEqual((yield* Pool.stats(pool)).destroyed.uses, 2)
    }))

  it.effect("a slow finalizer delays nobody, except that the object takes its place until it ends", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const acquire = Effect.tap(workshop.acquire, () => Effect.addFinalizer(() => Effect.sleep("10 seconds")))
      const pool = yield* Pool.make({ acquire, max: 2, min: 0, shutdownTimeout: 0 })
      yield* Effect.exit(Pool.use(pool, () => Effect.die("boom")))
      const second = yield* start(hold(pool, 0))
      yield* settle
      assert.strictEqual((yield* Pool.stats(pool)).destroying, 1)
      valueOf(second)
      const holders = [yield* start(hold(pool, "1 hour")), yield* start(hold(pool, "1 hour"))]
      yield* TestClock.adjust(9999)
      assert.deepStrictEqual([(yield* Pool.stats(pool)).waiting, workshop.made], [1, 2])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([(yield* Pool.stats(pool)).waiting, workshop.made], [0, 3])
      assert.isUndefined(ended(holders[0]!) ?? ended(holders[1]!))
    }))

  it.effect("finalizers that never end are left to themselves at destroyTimeout, counted and logged", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const workshop = new Workshop()
      const acquire = Effect.tap(
        workshop.acquire,
        ({ id }) => Effect.addFinalizer(() => id === 0 ? Effect.never : Effect.void)
      )
      const pool = yield* Pool.make({ acquire, max: 1, destroyTimeout: "5 seconds", name: "app/Database" })
      const thing = yield* Pool.use(pool, Effect.succeed)
      yield* Pool.invalidate(pool, thing)
      const waiter = yield* start(hold(pool, 0))
      yield* TestClock.adjust(4999)
      assert.deepStrictEqual([(yield* Pool.stats(pool)).destroying, ended(waiter)], [1, undefined])
      yield* TestClock.adjust(1)
      valueOf(waiter)
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.destroying, stats.destroyed.invalidated, stats.hookFailures], [0, 1, 1])
      assert.deepStrictEqual(entries.map((entry) => entry.level), ["Warn"])
      assert.include(entries[0]!.message, "app/Database")
    }).pipe(Effect.provide(layer))
  })

  it.effect("finalizers that fail or die reach nobody, are counted and logged", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const acquire = Effect.as(Effect.addFinalizer(() => Effect.die("boom")), "object")
      const pool = yield* Pool.make({ acquire, max: 1 })
      yield* Pool.use(pool, (object) => Pool.invalidate(pool, object))
      assert.strictEqual(yield* Pool.use(pool, Effect.succeed), "object")
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.destroyed.invalidated, stats.hookFailures, stats.idle], [1, 1, 1])
      assert.deepStrictEqual(entries.map((entry) => entry.level), ["Warn"])
    }).pipe(Effect.provide(layer))
  })
})

describe("Scopes", () => {
  it.effect("borrowing in a Scope that is closed is a defect naming the pool, and touches no object", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, name: "app/Database" })
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      const polled = Effect.asVoid(Pool.poll(pool))
      for (const borrow of [Effect.asVoid(Pool.get(pool)), Effect.asVoid(Pool.get(pool, { timeout: 0 })), polled]) {
        const exit = yield* Effect.exit(Scope.provide(borrow, scope))
        assert.include(defectOf(exit), "Pool \"app/Database\"")
      }
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.borrowed, stats.idle, stats.cancelled], [0, 1, 0])
      yield* Pool.shutdown(pool)
      const ofClosed = yield* Effect.exit(Scope.provide(Pool.get(pool), scope))
      assert.include(defectOf(ofClosed), "Pool \"app/Database\"")
    }))

  it.effect("a Scope that closes while its borrower waits is the same defect, and passes the turn on", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, name: "app/Database" })
      const holder = yield* start(hold(pool, "1 second"))
      const scope = yield* Scope.make()
      const waiter = yield* start(Scope.provide(Pool.get(pool), scope))
      const next = yield* start(hold(pool, 0))
      yield* Scope.close(scope, Exit.void)
      yield* settle
      assert.include(defectOf(ended(waiter)), "Pool \"app/Database\"")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(holder)
      valueOf(next)
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.borrowed, stats.returned], [2, 2])
    }))

  it.effect("a Scope that closes between hand-over and wake-up is that defect too, and the object is unharmed", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1, name: "app/Database" })
      yield* Effect.scoped(Pool.get(pool))
      const gate = yield* Deferred.make<void>()
      yield* start(Pool.use(pool, () => Deferred.await(gate)))
      const scope = yield* Scope.make()
      const waiter = yield* start(Scope.provide(Pool.get(pool), scope))
      yield* Deferred.succeed(gate, void 0)
      while ((yield* Pool.stats(pool)).borrowed < 3) yield* Effect.yieldNow
      yield* Scope.close(scope, Exit.die("boom"))
      yield* settle
      assert.include(defectOf(ended(waiter)), "Pool \"app/Database\"")
      assert.strictEqual(workshop.made, 1)
      yield* checkServes(pool, 1)
    }))

  it.effect("a borrow that came to nothing leaves nothing behind in its Scope", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, borrowTimeout: 0 })
      yield* Pool.get(pool)
      const scope = yield* Scope.make()
      for (let i = 0; i < 3; i++) yield* Effect.exit(Scope.provide(Pool.get(pool), scope))
      assert.strictEqual(scope.state._tag, "Empty")
    }))

  it.effect("each get of a Scope is another object, and all of them are back when it has closed", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 3 })
      yield* Effect.scoped(Effect.gen(function*() {
        const ids = [(yield* Pool.get(pool)).id, (yield* Pool.get(pool)).id, (yield* Pool.get(pool)).id]
        assert.deepStrictEqual(ids.toSorted(), [0, 1, 2])
      }))
      assert.strictEqual((yield* Pool.stats(pool)).idle, 3)
    }))
})

describe("borrowing inside of what the pool runs", () => {
  it.effect("acquire may borrow of its own pool, in any way, and is answered", () =>
    Effect.gen(function*() {
      const made = yield* Deferred.make<Pool.Pool<string>>()
      const answers: Array<string> = []
      const acquire: Effect.Effect<string> = Effect.gen(function*() {
        const pool = yield* Deferred.await(made)
        const ask = (timeout: Duration.Input) => Effect.exit(Effect.scoped(Pool.get(pool, { timeout })))
        for (const timeout of [0, 1]) answers.push(reasonOf(yield* ask(timeout)))
        assert.isTrue(Option.isNone(yield* Effect.scoped(Pool.poll(pool))))
        return "object"
      })
      const pool = yield* Pool.make({ acquire, max: 1 })
      yield* Deferred.succeed(made, pool)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(answers, ["BorrowTimeout", "BorrowTimeout"])
      yield* checkServes(pool, 1)
    }))

  it.effect("a creation that ends at once may have asked its own pool before", () =>
    Effect.gen(function*() {
      let pool: Pool.Pool<string> | undefined
      const answers: Array<string> = []
      const acquire = Effect.gen(function*() {
        if (pool !== undefined && answers.length === 0) {
          answers.push(reasonOf(yield* Effect.exit(Effect.scoped(Pool.get(pool, { timeout: 0 })))))
          answers.push(reasonOf(yield* Effect.exit(Pool.use(pool, () => Effect.void, { timeout: 0 }))))
          answers.push(String(Option.isNone(yield* Effect.scoped(Pool.poll(pool)))))
        }
        return "object"
      })
      pool = yield* Pool.make({ acquire, max: 1, min: 0 })
      const fiber = yield* start(Pool.use(pool, Effect.succeed))
      yield* settle
      assert.strictEqual(valueOf(fiber), "object")
      assert.deepStrictEqual(answers, ["BorrowTimeout", "BorrowTimeout", "true"])
      yield* checkServes(pool, 1)
    }))

  it.effect("acquire may borrow of another pool, for the life of its object", () =>
    Effect.gen(function*() {
      const inner = yield* Pool.make({ acquire: new Workshop().acquire, max: 2 })
      const outer = yield* Pool.make({ acquire: Pool.get(inner), max: 2, min: 0 })
      const lent = yield* Pool.use(outer, Effect.succeed)
      assert.strictEqual((yield* Pool.stats(inner)).inUse, 1)
      yield* Pool.invalidate(outer, lent)
      assert.strictEqual((yield* Pool.stats(inner)).inUse, 0)
      yield* Pool.use(outer, Effect.succeed)
    }))

  it.effect("a hook that borrows of its own pool is answered", () =>
    Effect.gen(function*() {
      let pool: Pool.Pool<Thing> | undefined
      const answers: Array<string> = []
      const ask = () =>
        Effect.gen(function*() {
          answers.push(reasonOf(yield* Effect.exit(Pool.use(pool!, () => Effect.void, { timeout: 0 }))))
          answers.push(reasonOf(yield* Effect.exit(Effect.scoped(Pool.get(pool!)))))
          answers.push(String(Option.isNone(yield* Effect.scoped(Pool.poll(pool!)))))
        })
      const acquire = new Workshop().acquire
      pool = yield* Pool.make({ acquire, max: 1, maxWaiting: 0, onBorrow: ask, onReturn: ask })
      yield* Pool.use(pool, () => Effect.void)
      assert.deepStrictEqual(answers, ["QueueFull", "QueueFull", "true", "QueueFull", "QueueFull", "true"])
      const after = yield* Pool.stats(pool)
      assert.deepStrictEqual([after.hookFailures, after.idle], [0, 1])
    }))

  it.effect("a finalizer may use the pool", () =>
    Effect.gen(function*() {
      let pool: Pool.Pool<{ readonly id: number }> | undefined
      let borrowed = 0
      const acquire = Effect.acquireRelease(
        Effect.map(Effect.service(Pool.CreationNumber), (id) => ({ id })),
        () => Effect.ignore(Pool.use(pool!, () => Effect.sync(() => borrowed++)))
      )
      pool = yield* Pool.make({ acquire, max: 2 })
      const thing = yield* Pool.use(pool, Effect.succeed)
      yield* Pool.invalidate(pool, thing)
      yield* settle
      assert.strictEqual(borrowed, 1)
    }))
})

describe("errors", () => {
  it.effect("a timeout says how many objects are in use, who waits, and who has held one longest", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({
        acquire: new Workshop().acquire,
        max: 2,
        borrowTimeout: "5 seconds",
        name: "app/Database",
        describe: ({ id }) => ({ connection: id })
      })
      const longest = yield* start(hold(pool, "1 hour").pipe(Effect.withSpan("GET /users")))
      yield* TestClock.adjust("7300 millis")
      yield* start(hold(pool, "1 hour"))
      const waiters = []
      for (let i = 0; i < 3; i++) waiters.push(yield* start(hold(pool, 0)))
      yield* TestClock.adjust("5 seconds")
      const error = poolError(ended(waiters[0]!))
      assert.strictEqual(
        error.message,
        `Pool "app/Database": no object within 5s (2 of 2 in use, 3 waiting, longest held 12.3s by fiber #${longest.id} in span "GET /users")`
      )
      const reason = error.reason as PoolError.BorrowTimeout
      assert.deepStrictEqual(
        [reason.size, reason.max, reason.inUse, reason.creating, reason.destroying, reason.waiting],
        [2, 2, 2, 0, 0, 3]
      )
      assert.deepStrictEqual(reason.timeout, Duration.seconds(5))
      assert.deepStrictEqual(reason.holders.map(({ heldFor }) => Duration.toMillis(heldFor)), [12_300, 5000])
      const [first] = reason.holders
      assert.deepStrictEqual([first!.fiber, first!.span, first!.waiting], [longest.id, "GET /users", false])
      assert.match(first!.traceId ?? "", /^[0-9a-f]{32}$/)
      assert.deepStrictEqual(first!.object, { connection: first!.id })
      assert.isFalse("span" in reason.holders[1]!)
      assert.isTrue(error.isRetryable)
      assert.isFalse("lastFailure" in reason)
      for (const waiter of waiters) assert.strictEqual(poolError(ended(waiter)).reason, reason, "one for all of them")
    }))

  it.effect("a timeout says what is being created and destroyed where that is so, and nothing of holders without one", () =>
    Effect.gen(function*() {
      const acquire = Effect.acquireRelease(Effect.succeed({}), () => Effect.sleep("1 minute"))
      let slow = false
      const pool = yield* Pool.make({
        acquire: Effect.suspend(() => slow ? Effect.andThen(Effect.sleep("1 minute"), acquire) : acquire),
        createTimeout: "2 minutes",
        destroyTimeout: "2 minutes",
        max: 3,
        min: 0,
        shutdownTimeout: 0
      })
      yield* Pool.use(pool, (object) => Pool.invalidate(pool, object))
      slow = true
      const waiters = [
        yield* start(Pool.use(pool, Effect.succeed, { timeout: 250 })),
        yield* start(Pool.use(pool, Effect.succeed, { timeout: 250.25 }))
      ]
      yield* TestClock.adjust(250)
      const at = "(0 of 3 in use, 2 creating, 1 destroying, 2 waiting)"
      assert.strictEqual(poolError(ended(waiters[0]!)).message, `Pool "pool": no object within 250ms ${at}`)
      assert.isUndefined(ended(waiters[1]!), "a fraction of a millisecond is not over yet")
      yield* TestClock.adjust(1)
      assert.include(poolError(ended(waiters[1]!)).message, "no object within 250.3ms")
    }))

  it.effect("of holders there are no more than ten, those that have held longest", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 15, borrowTimeout: 0 })
      const ids: Array<number> = []
      for (let i = 0; i < 15; i++) {
        yield* start(Pool.use(pool, ({ id }) => Effect.andThen(Effect.sync(() => ids.push(id)), Effect.never)))
        yield* TestClock.adjust("1 second")
      }
      const { reason } = poolError(yield* Effect.exit(hold(pool, 0)))
      assert.deepStrictEqual((reason as PoolError.BorrowTimeout).holders.map(({ id }) => id), ids.slice(0, 10))
    }))

  it.effect("holders are also those whose onReturn is running, and still no more than ten", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({
        acquire: new Workshop().acquire,
        max: 16,
        min: 16,
        borrowTimeout: 0,
        onReturn: () => Effect.sleep("1 minute"),
        hookTimeout: "2 minutes",
        shutdownTimeout: 0
      })
      for (let i = 0; i < 8; i++) yield* start(hold(pool, "1 hour"))
      for (let i = 0; i < 8; i++) yield* start(hold(pool, "1 second"))
      yield* TestClock.adjust("1 second")
      const reason = poolError(yield* Effect.exit(hold(pool, 0))).reason as PoolError.BorrowTimeout
      assert.deepStrictEqual([reason.inUse, reason.holders.length], [16, 10])
      yield* Pool.shutdown(pool)
    }))

  it.effect("the reasons can be caught by their tag", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, borrowTimeout: 0 })
      yield* Pool.get(pool)
      const caught = yield* hold(pool, 0).pipe(
        Effect.catchReason("PoolError", "BorrowTimeout", (reason) => Effect.succeed(`${reason.inUse} in use`))
      )
      assert.strictEqual(caught, "1 in use")
    }))

  it.effect("a timeout counts what is in use of a pool without a bound", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.never, max: Infinity, min: 0, borrowTimeout: "1 second" })
      const fiber = yield* start(hold(pool, 0))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(
        poolError(ended(fiber)).message,
        "Pool \"pool\": no object within 1s (0 of Infinity in use, 1 creating, 1 waiting)"
      )
    }))
})

describe("holders", () => {
  it.effect("are the fibers that called, also where a body runs in a fiber of its own", () =>
    Effect.gen(function*() {
      const options = {
        acquire: new Workshop().acquire,
        max: 2,
        min: 2,
        borrowLimit: "1 hour",
        borrowTimeout: 0
      } as const
      const pool = yield* Pool.make(options)
      const nested = Pool.use(pool, () => Effect.withSpan(Pool.use(pool, () => Effect.never), "inner"))
      const fiber = yield* start(Effect.withSpan(nested, "outer"))
      const { holders } = poolError(yield* Effect.exit(hold(pool, 0))).reason as PoolError.BorrowTimeout
      assert.deepStrictEqual(holders.map((holder) => [holder.fiber, holder.span]), [
        [fiber.id, "outer"],
        [fiber.id, "inner"]
      ])
    }))

  it.effect("have no span where there is none", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, borrowTimeout: 0 })
      const fiber = yield* start(hold(pool, "1 hour"))
      const error = poolError(yield* Effect.exit(hold(pool, 0)))
      const expected = `no object within 0ms (1 of 1 in use, 1 waiting, longest held 0ms by fiber #${fiber.id})`
      assert.strictEqual(error.message, `Pool "pool": ${expected}`)
      const { holders: [holder] } = error.reason as PoolError.BorrowTimeout
      assert.isFalse("span" in holder! || "traceId" in holder || "object" in holder || "key" in holder)
    }))
})

describe("nested borrowing", () => {
  it.effect("is a warning that names both spans, once for a borrow, where the fiber must wait for a return", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, name: "app/Database" })
      const inner = hold(pool, 0).pipe(Effect.withSpan("inner"))
      const fiber = yield* start(Pool.use(pool, () => inner).pipe(Effect.withSpan("outer")))
      yield* settle
      assert.strictEqual(entries.length, 1)
      assert.strictEqual(entries[0]!.level, "Warn")
      for (const part of ["app/Database", "\"inner\"", "\"outer\""]) assert.include(entries[0]!.message, part)
      const stats = yield* Pool.stats(pool)
      assert.isTrue(stats.objects[0]!.holders[0]!.waiting)
      yield* TestClock.adjust("30 seconds")
      const error = poolError(ended(fiber))
      assert.isTrue((error.reason as PoolError.BorrowTimeout).holders[0]!.waiting)
      assert.strictEqual(entries.length, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is a warning where the Scope holds an object, whichever fiber took it", () => {
    const { entries, layer } = logs()
    return Effect.scoped(Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, borrowTimeout: "1 second" })
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Fiber.join(yield* Effect.forkChild(Pool.get(pool)))
        const waiter = yield* start(Effect.exit(Pool.get(pool)))
        yield* settle
        assert.strictEqual(entries.length, 1)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(waiter)
      }))
      const holding = yield* Pool.stats(pool)
      assert.strictEqual(holding.inUse, 0)
    })).pipe(Effect.provide(layer))
  })

  it.effect("is none where a place is free, and none between fibers and Scopes that have nothing to do with each other", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().after("1 second"), max: 2 })
      const fiber = yield* start(Pool.use(pool, () => hold(pool, 0)))
      yield* TestClock.adjust("2 seconds")
      valueOf(fiber)
      const others = [yield* start(hold(pool, "1 second")), yield* start(hold(pool, "1 second"))]
      yield* start(Effect.scoped(Pool.get(pool)))
      yield* TestClock.adjust("2 seconds")
      for (const other of others) valueOf(other)
      assert.deepStrictEqual(entries, [])
    }).pipe(Effect.provide(layer))
  })
})

describe("time", () => {
  it.effect("a pool with no deadline ahead sleeps on nothing", () =>
    Effect.gen(function*() {
      const { clock, sleeping } = yield* countingSleeps
      const program = Effect.gen(function*() {
        const workshop = new Workshop()
        const finalizer = Effect.addFinalizer(() => Effect.sleep("1 second"))
        const acquire = Effect.tap(workshop.after("1 second"), () => finalizer)
        const pool = yield* Pool.make({ acquire, max: 2 })
        assert.strictEqual(sleeping(), 2, "a creation, and its deadline")
        yield* TestClock.adjust("1 second")
        assert.strictEqual(sleeping(), 0, "after a creation")
        yield* Pool.use(pool, () => Effect.void)
        yield* Effect.scoped(Effect.andThen(Pool.get(pool), Effect.sync(() => assert.strictEqual(sleeping(), 0))))
        assert.strictEqual(sleeping(), 0, "after a borrow")
        const thing = yield* Pool.use(pool, Effect.succeed)
        yield* Pool.invalidate(pool, thing)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual((yield* Pool.stats(pool)).idle, 1)
        assert.strictEqual(sleeping(), 0, "after an object was replaced")
        const holder = yield* start(hold(pool, "1 second"))
        const others = [yield* start(hold(pool, 0)), yield* start(hold(pool, 0))]
        yield* TestClock.adjust("1 second")
        for (const fiber of [holder, ...others]) yield* Fiber.join(fiber)
        // a timer that was set for a borrow may run to its end
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual(sleeping(), 0, "after a wait")
        const lent = yield* start(hold(pool, Duration.infinity))
        const second = yield* start(hold(pool, Duration.infinity))
        yield* TestClock.adjust("1 second")
        const patient = yield* start(Pool.use(pool, Effect.succeed, { timeout: Duration.infinity }))
        assert.strictEqual((yield* Pool.stats(pool)).waiting, 1)
        assert.strictEqual(sleeping(), 2, "the two bodies, and nothing for one that waits without a limit")
        yield* Fiber.interruptAll([patient, lent, second])
        const closing = yield* start(Pool.shutdown(pool))
        yield* TestClock.adjust("2 seconds")
        yield* Fiber.join(closing)
        assert.strictEqual(sleeping(), 0, "after the end")
      })
      yield* Effect.provideService(Effect.scoped(program), Clock.Clock, clock)
    }))

  it.effect("a pool that is closed sleeps on nothing, whatever it was waiting for", () =>
    Effect.gen(function*() {
      const { clock, sleeping } = yield* countingSleeps
      const program = Effect.gen(function*() {
        const pool = yield* Pool.make({
          acquire: new Workshop().acquire,
          max: 2,
          timeToLive: "1 hour",
          idleTimeToLive: "10 minutes",
          borrowLimit: "2 hours",
          borrowWarning: "1 hour",
          healthCheck: () => Effect.succeed(true)
        })
        yield* Effect.scoped(Effect.andThen(Pool.get(pool), Pool.get(pool)))
        yield* Effect.scoped(Effect.gen(function*() {
          yield* Pool.get(pool)
          yield* Pool.get(pool)
          const waiter = yield* start(Effect.exit(Pool.use(pool, () => Effect.void)))
          yield* settle
          yield* Pool.shutdown(pool)
          assert.strictEqual(reasonOf(yield* Fiber.join(waiter)), "Closed")
        }))
        assert.strictEqual(sleeping(), 0)
      })
      yield* Effect.provideService(Effect.scoped(program), Clock.Clock, clock)
    }))

  it.effect("a clock that is set back keeps nobody waiting for longer, and an object no younger", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1, borrowTimeout: "5 seconds" })
      yield* TestClock.setTime(10_000)
      const holder = yield* start(hold(pool, "1 second"))
      const waiter = yield* start(hold(pool, 0))
      yield* TestClock.setTime(11_000)
      yield* Fiber.join(holder)
      yield* Fiber.join(waiter)
      yield* TestClock.setTime(5000)
      yield* hold(pool, 0)
      const [object] = (yield* Pool.stats(pool)).objects
      assert.strictEqual(Duration.toMillis(object!.age), 11_000)
    }))
})
