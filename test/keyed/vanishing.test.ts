import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import { TestClock } from "effect/testing"
import { KeyedPool } from "../../src/index.ts"
import { of } from "../../src/internal/keyed.ts"
import { ended, reasonOf, settle, start, valueOf } from "../utils.ts"
import { borrow, lab, look, touch } from "./kit.ts"

/** What the pool knows of keys, whether they exist or not. */
const known = <K, A, E>(pool: KeyedPool.KeyedPool<K, A, E>) => {
  const { core, existing } = of(pool)
  return { groups: core.machine.groups.size, keys: existing.size, deadlines: core.machine.nextDeadline() }
}

const nothing = { groups: 0, keys: 0, deadlines: Infinity }

describe("a key vanishes", () => {
  it.effect("when its last object is destroyed, not before the finalizers have ended", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 2, destroy: () => Effect.sleep("1 second") })
      const thing = yield* touch(pool, "a")
      yield* KeyedPool.invalidate(pool, "a", thing)
      assert.deepStrictEqual(yield* look(pool), { a: "1 destroying" })
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), ["a"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
      assert.deepStrictEqual(known(pool), nothing)
    }))

  it.effect("when its last borrower leaves, however it leaves", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 1, maxWaiting: 1 })
      const held = yield* borrow(pool, "a")
      const [interrupted, late] = [yield* start(borrow(pool, "b")), yield* start(borrow(pool, "c", "1 second"))]
      yield* Effect.exit(borrow(pool, "d", 0))
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), ["a", "b", "c"])
      yield* Fiber.interrupt(interrupted)
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), ["a", "c"])
      yield* TestClock.adjust("1 second")
      assert.strictEqual(reasonOf(ended(late)), "BorrowTimeout")
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), ["a"])
      yield* held.end(Exit.die("lost"))
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
      // the deadlines of those that left may be looked at once more
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(known(pool), nothing)
    }))

  it.effect("when its only creation fails, times out, or is interrupted by an eviction with nobody waiting", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({
        max: 3,
        createTimeout: "2 seconds",
        createRetry: Schedule.spaced("1 second"),
        create: (key) => key === "fails" ? Effect.fail("no") : Effect.never
      })
      assert.deepStrictEqual(yield* Effect.exit(touch(pool, "fails")), Exit.fail("no"))
      const late = yield* start(touch(pool, "late"))
      const leaving = yield* start(touch(pool, "evicted"))
      yield* Fiber.interrupt(leaving)
      assert.deepStrictEqual(yield* look(pool), { late: "1 creating, 1 waiting", evicted: "1 creating" })
      yield* KeyedPool.evictKey(pool, "evicted")
      yield* settle
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), ["late"])
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(reasonOf(ended(late)), "CreateTimeout")
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(known(pool), nothing)
    }))

  it.effect("when it is evicted with nobody there, its minimum notwithstanding", () =>
    Effect.gen(function*() {
      const { made, pool } = yield* lab({ max: 10, minPerKey: 2 })
      for (const key of ["a", "b", "c"]) yield* touch(pool, key)
      yield* KeyedPool.evictKey(pool, "a")
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), ["b", "c"])
      yield* KeyedPool.evict(pool)
      assert.deepStrictEqual(known(pool), nothing)
      assert.strictEqual(made.length, 6)
      yield* touch(pool, "a")
      assert.deepStrictEqual(yield* look(pool), { a: "2 idle" })
    }))

  it.effect("not when it is evicted while somebody waits or holds: its minimum is filled anew", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 10, maxPerKey: 1, minPerKey: 1 })
      const held = yield* borrow(pool, "a")
      yield* borrow(pool, "b")
      const waiting = yield* start(borrow(pool, "b"))
      yield* KeyedPool.evict(pool)
      yield* held.giveBack
      assert.deepStrictEqual(yield* look(pool), { a: "1 idle", b: "1 inUse, 1 waiting" })
      assert.isUndefined(ended(waiting))
    }))

  it.effect("and comes again as a new one", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 2, maxUses: 1 })
      for (let id = 0; id < 5; id++) {
        const held = yield* borrow(pool, "a")
        assert.strictEqual(held.object.id, id)
        assert.deepStrictEqual(yield* KeyedPool.keys(pool), ["a"])
        yield* held.giveBack
        assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
      }
      const { borrowed, created, destroyed, returned } = yield* KeyedPool.stats(pool)
      assert.deepStrictEqual({ borrowed, created, returned, uses: destroyed.uses }, {
        borrowed: 5,
        created: 5,
        returned: 5,
        uses: 5
      })
    }))
})

describe("an outage", () => {
  it.effect("is its key's own", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({
        max: 10,
        createRetry: Schedule.spaced("1 second"),
        create: (key) => key === "a" ? Effect.fail("no") : Effect.void
      })
      assert.deepStrictEqual(yield* Effect.exit(touch(pool, "a")), Exit.fail("no"))
      const waiting = yield* start(touch(pool, "a"))
      yield* touch(pool, "b")
      assert.isUndefined(ended(waiting))
      assert.deepStrictEqual(yield* look(pool), { a: "1 waiting", b: "1 idle" })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(ended(waiting), Exit.fail("no"))
    }))

  it.effect("spaces the attempts of a key that has vanished meanwhile, until the next is due", () =>
    Effect.gen(function*() {
      let attempts = 0
      const { pool } = yield* lab({
        max: 10,
        createRetry: Schedule.exponential("1 second"),
        create: (key) => key === "a" ? Effect.andThen(Effect.sync(() => attempts++), Effect.fail("no")) : Effect.void
      })
      const fails = Effect.map(start(Effect.exit(touch(pool, "a"))), (fiber) => () => ended(fiber))
      yield* fails
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
      yield* TestClock.adjust("999 millis")
      const second = yield* fails
      assert.strictEqual(attempts, 1)
      yield* TestClock.adjust("1 millis")
      assert.isDefined(second())
      assert.strictEqual(attempts, 2)
      // the schedule went on: 2 seconds
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
      yield* TestClock.adjust("1 second")
      const third = yield* fails
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(attempts, 2)
      yield* TestClock.adjust("1 millis")
      assert.isDefined(third())
      assert.strictEqual(attempts, 3)
      // nobody is there when the next is due: no attempt, and the schedule starts over
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(attempts, 3)
      assert.deepStrictEqual(known(pool), nothing)
      yield* fails
      assert.strictEqual(attempts, 4)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(known(pool), nothing)
    }))

  it.effect("with nobody waiting ends with the key, its minimum notwithstanding", () =>
    Effect.gen(function*() {
      let attempts = 0
      const { pool } = yield* lab({
        max: 10,
        minPerKey: 2,
        createRetry: Schedule.spaced("1 second"),
        create: () => Effect.andThen(Effect.sync(() => attempts++), Effect.fail("no"))
      })
      yield* Effect.exit(touch(pool, "a"))
      yield* settle
      const before = attempts
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(attempts, before)
      assert.deepStrictEqual(known(pool), nothing)
    }))

  it.effect("goes on to be tried while the key has an object, for its minimum", () =>
    Effect.gen(function*() {
      let works = true
      const { made, pool } = yield* lab({
        max: 10,
        minPerKey: 2,
        createRetry: Schedule.spaced("1 second"),
        create: () => Effect.suspend(() => works ? Effect.void : Effect.fail("no"))
      })
      const thing = yield* touch(pool, "a")
      works = false
      yield* KeyedPool.invalidate(pool, "a", thing)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* look(pool), { a: "1 idle" })
      works = true
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* look(pool), { a: "2 idle" })
      assert.strictEqual(made.length, 3)
    }))

  it.effect("its borrower that times out leaves no key behind that is tried for its minimum", () =>
    Effect.gen(function*() {
      let attempts = 0
      const { pool } = yield* lab({
        max: 10,
        minPerKey: 1,
        createRetry: Schedule.spaced("10 seconds"),
        create: () => Effect.andThen(Effect.sync(() => attempts++), Effect.fail("no"))
      })
      yield* Effect.exit(touch(pool, "a"))
      const late = yield* start(borrow(pool, "a", "1 second"))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(reasonOf(ended(late)), "BorrowTimeout")
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(attempts, 1)
      assert.deepStrictEqual(known(pool), nothing)
    }))

  it.effect("a key in an outage is given no room before its next attempt is due", () =>
    Effect.gen(function*() {
      let works = false
      const { pool, unmade } = yield* lab({
        max: 1,
        createRetry: Schedule.spaced("1 second"),
        create: (key) => Effect.suspend(() => works || key !== "a" ? Effect.void : Effect.fail("no"))
      })
      yield* Effect.exit(touch(pool, "a"))
      yield* touch(pool, "b")
      const waiting = yield* start(borrow(pool, "a"))
      assert.deepStrictEqual(unmade, [])
      yield* touch(pool, "b")
      works = true
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(unmade, [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(unmade, ["b1"])
      assert.strictEqual(valueOf(waiting).object.key, "a")
    }))

  it.effect("objects lost before anybody had them space the creations of their key only", () =>
    Effect.gen(function*() {
      let works = false
      const { made, pool } = yield* lab({
        max: 10,
        createRetry: Schedule.spaced("1 second"),
        onBorrow: (_, key) => Effect.suspend(() => works || key !== "a" ? Effect.void : Effect.fail("no"))
      })
      const waiting = yield* start(borrow(pool, "a"))
      yield* touch(pool, "b")
      assert.deepStrictEqual(made, ["a0", "b1"])
      works = true
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(ended(waiting))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(valueOf(waiting).object.id, 2)
    }))
})

describe("eviction", () => {
  it.effect("of a key is for what is alive or being created of it: its borrowers get new ones", () =>
    Effect.gen(function*() {
      const { made, pool, unmade } = yield* lab({
        max: 10,
        maxPerKey: 2,
        create: (key) => key === "slow" ? Effect.sleep("1 second") : Effect.void
      })
      const held = yield* borrow(pool, "a")
      yield* touch(pool, "a")
      yield* touch(pool, "b")
      const slow = yield* start(borrow(pool, "slow"))
      yield* KeyedPool.evictKey(pool, "a")
      assert.deepStrictEqual(unmade, ["a1"])
      yield* held.giveBack
      assert.deepStrictEqual(unmade, ["a1", "a0"])
      yield* TestClock.adjust("500 millis")
      yield* KeyedPool.evictKey(pool, "slow")
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(ended(slow))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(valueOf(slow).object.id, 4)
      assert.deepStrictEqual(made, ["a0", "a1", "b2", "slow4"])
      assert.strictEqual((yield* KeyedPool.stats(pool)).createFailures, 0)
    }))

  it.effect("of all keys destroys what is idle in each of them, and nothing twice", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ max: 5 })
      for (const key of ["a", "b", "c"]) yield* touch(pool, key)
      const held = [yield* borrow(pool, "d"), yield* borrow(pool, "e")]
      const waiting = [yield* start(borrow(pool, "f")), yield* start(borrow(pool, "g"))]
      yield* settle
      yield* KeyedPool.evict(pool)
      yield* settle
      for (const each of waiting) assert.isDefined(ended(each))
      for (const each of held) yield* each.giveBack
      assert.strictEqual(unmade.length, 5)
      assert.deepStrictEqual(yield* look(pool), { f: "1 inUse", g: "1 inUse" })
    }))
})

describe("resize", () => {
  it.effect("holds for the keys that exist and for those to come", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 10, maxPerKey: 2 })
      yield* touch(pool, "a")
      yield* KeyedPool.resize(pool, { maxPerKey: 1, minPerKey: 1 })
      yield* borrow(pool, "a")
      yield* borrow(pool, "b")
      yield* start(borrow(pool, "a"))
      yield* start(borrow(pool, "b"))
      assert.deepStrictEqual(yield* look(pool), { a: "1 inUse, 1 waiting", b: "1 inUse, 1 waiting" })
      yield* KeyedPool.resize(pool, { maxPerKey: 3, minPerKey: 3 })
      yield* settle
      assert.deepStrictEqual(yield* look(pool), { a: "1 idle, 2 inUse", b: "1 idle, 2 inUse" })
      yield* touch(pool, "c")
      assert.deepStrictEqual((yield* look(pool))["c"], "3 idle")
    }))

  it.effect("a maxPerKey that was never given follows max", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 1 })
      yield* KeyedPool.resize(pool, { max: 3 })
      for (let i = 0; i < 3; i++) yield* borrow(pool, "a")
      assert.deepStrictEqual(yield* look(pool), { a: "3 inUse" })
      yield* KeyedPool.resize(pool, { max: 2 })
      yield* KeyedPool.resize(pool, { maxPerKey: 1 })
      assert.strictEqual((yield* KeyedPool.stats(pool)).max, 2)
      const exit = yield* Effect.exit(KeyedPool.resize(pool, { maxPerKey: 3 }))
      assert.include(String(exit), "maxPerKey (3) must not exceed max (2)")
    }))

  it.effect("shrinking the total destroys the longest idle first, then the youngest creations, then what returns", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ max: 6, create: (key) => key === "slow" ? Effect.never : Effect.void })
      const held = [yield* borrow(pool, "h"), yield* borrow(pool, "i")]
      yield* touch(pool, "a")
      yield* touch(pool, "b")
      const slow = [yield* start(borrow(pool, "slow")), yield* start(borrow(pool, "slow"))]
      yield* touch(pool, "a")
      yield* KeyedPool.resize(pool, { max: 5 })
      assert.deepStrictEqual(unmade, ["b3"])
      yield* KeyedPool.resize(pool, { max: 3 })
      yield* settle
      assert.deepStrictEqual(unmade, ["b3", "a2"])
      assert.deepStrictEqual(yield* look(pool), { h: "1 inUse", i: "1 inUse", slow: "1 creating, 2 waiting" })
      yield* KeyedPool.resize(pool, { max: 1 })
      yield* settle
      assert.deepStrictEqual((yield* KeyedPool.stats(pool)).destroyed.resized, 2)
      yield* held[0]!.giveBack
      assert.deepStrictEqual(unmade, ["b3", "a2", "h0"])
      yield* held[1]!.giveBack
      yield* settle
      // what is returned last fits, and makes room for those who wait
      assert.deepStrictEqual(unmade, ["b3", "a2", "h0", "i1"])
      assert.deepStrictEqual(yield* look(pool), { slow: "1 creating, 2 waiting" })
      for (const each of slow) yield* Fiber.interrupt(each)
    }))

  it.effect("shrinking what each key may have leaves the others alone", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ max: 6, maxPerKey: 3 })
      const a = [yield* borrow(pool, "a"), yield* borrow(pool, "a"), yield* borrow(pool, "a")]
      const b = [yield* borrow(pool, "b"), yield* borrow(pool, "b")]
      for (const each of [...a.slice(0, 2), ...b]) yield* each.giveBack
      yield* KeyedPool.resize(pool, { maxPerKey: 2 })
      assert.deepStrictEqual(unmade, ["a0"])
      yield* KeyedPool.resize(pool, { maxPerKey: 1 })
      assert.deepStrictEqual(unmade, ["a0", "a1", "b3"])
      assert.deepStrictEqual(yield* look(pool), { a: "1 inUse", b: "1 idle" })
    }))

  it.effect("bad bounds are a defect, and change nothing", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 4, maxPerKey: 2, name: "app/Tenants" })
      const message = (bounds: object) => Effect.map(Effect.exit(KeyedPool.resize(pool, bounds)), String)
      assert.include(yield* message({ max: 1 }), "Pool \"app/Tenants\": maxPerKey (2) must not exceed max (1)")
      assert.include(yield* message({ minPerKey: 3 }), "minPerKey (3) must not exceed maxPerKey (2)")
      assert.include(yield* message({ max: 0, minPerKey: 0.5 }), "max (0) must be at least 1; ")
      yield* borrow(pool, "a")
      yield* borrow(pool, "a")
      yield* start(borrow(pool, "a"))
      assert.deepStrictEqual(yield* look(pool), { a: "2 inUse, 1 waiting" })
    }))

  it.effect("a shrinking in the midst of finalizers gives up no more objects than it must", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 4, destroy: () => Effect.sleep("1 second") })
      for (const key of ["a", "b", "c", "d"]) yield* touch(pool, key)
      yield* KeyedPool.resize(pool, { max: 2 })
      yield* start(borrow(pool, "e"))
      yield* settle
      assert.deepStrictEqual((yield* KeyedPool.stats(pool)).idle, 2)
      yield* TestClock.adjust("1 second")
      // only now one more place is enough
      assert.deepStrictEqual(yield* look(pool), { c: "1 destroying", d: "1 idle", e: "1 waiting" })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* look(pool), { d: "1 idle", e: "1 inUse" })
    }))
})

describe("nothing is left behind", () => {
  it.effect("by 2,000 keys that are used once each", () =>
    Effect.gen(function*() {
      const { made, pool, unmade } = yield* lab({
        max: 20,
        maxPerKey: 2,
        idleTimeToLive: "1 minute",
        healthCheck: () => Effect.succeed(true),
        createRetry: Schedule.spaced("1 second"),
        create: (_, id) => id % 10 === 9 ? Effect.fail("no") : Effect.void
      })
      for (let i = 0; i < 2000; i++) yield* Effect.exit(touch(pool, `tenant ${i}`))
      assert.isAtMost((yield* KeyedPool.keys(pool)).length, 20)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(unmade.length, made.length)
      assert.deepStrictEqual(known(pool), nothing)
      const { core } = of(pool)
      assert.deepStrictEqual(core.machine.totals, core.machine.departed)
    }))
})
