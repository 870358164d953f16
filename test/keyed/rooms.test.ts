import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { KeyedPool } from "../../src/index.ts"
import { ended, reasonOf, settle, start, valueOf } from "../utils.ts"
import { borrow, lab, look, touch } from "./kit.ts"

describe("when the total is reached", () => {
  it.effect("the longest idle object of another key makes room, and is counted as evicted", () =>
    Effect.gen(function*() {
      const { events, peak, pool, unmade } = yield* lab({ max: 3 })
      for (const key of ["a", "b", "c"]) yield* touch(pool, key)
      yield* touch(pool, "a")
      yield* touch(pool, "d")
      assert.deepStrictEqual(unmade, ["b1"])
      yield* touch(pool, "e")
      assert.deepStrictEqual(unmade, ["b1", "c2"])
      yield* touch(pool, "f")
      assert.deepStrictEqual(unmade, ["b1", "c2", "a0"])
      assert.strictEqual(peak(), 3)
      assert.strictEqual((yield* KeyedPool.stats(pool)).destroyed.evicted, 3)
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), ["d", "e", "f"])
      yield* settle
      assert.deepStrictEqual(
        events.flatMap((event) => event._tag === "Destroyed" ? [`${event.key} ${event.reason}`] : []),
        ["b evicted", "c evicted", "a evicted"]
      )
    }))

  it.effect("an object of the key itself is lent, and none of another destroyed", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ max: 2 })
      yield* touch(pool, "a")
      yield* touch(pool, "b")
      yield* touch(pool, "a")
      yield* touch(pool, "b")
      assert.deepStrictEqual(unmade, [])
    }))

  it.effect("a key that may not grow makes nobody give up an object", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ max: 2, maxPerKey: 1 })
      yield* touch(pool, "a")
      yield* borrow(pool, "b")
      yield* start(borrow(pool, "b"))
      assert.deepStrictEqual(unmade, [])
      assert.deepStrictEqual(yield* look(pool), { a: "1 idle", b: "1 inUse, 1 waiting" })
    }))

  it.effect("the place is free when the finalizers have ended, and the total is never exceeded", () =>
    Effect.gen(function*() {
      const { peak, pool } = yield* lab({ max: 1, destroy: () => Effect.sleep("1 second") })
      yield* touch(pool, "a")
      const waiting = yield* start(borrow(pool, "b"))
      assert.deepStrictEqual(yield* look(pool), { a: "1 destroying", b: "1 waiting" })
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(ended(waiting))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(valueOf(waiting).object.key, "b")
      assert.strictEqual(peak(), 1)
      assert.deepStrictEqual(yield* look(pool), { b: "1 inUse" })
    }))

  it.effect("one object is given up for one creation, however many wait for it", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({
        max: 4,
        maxCreating: 1,
        create: (key) => key === "z" ? Effect.sleep("1 second") : Effect.void
      })
      for (const key of ["a", "b", "c", "d"]) yield* touch(pool, key)
      for (let i = 0; i < 4; i++) yield* start(borrow(pool, "z"))
      yield* settle
      assert.deepStrictEqual(unmade, ["a0"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(unmade, ["a0", "b1"])
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(yield* look(pool), { z: "4 inUse" })
    }))

  it.effect("no second object is given up for a key while room is being made for it", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 4, destroy: () => Effect.sleep("1 second") })
      for (const key of ["a", "b", "c", "d"]) yield* touch(pool, key)
      yield* start(borrow(pool, "z"))
      yield* start(borrow(pool, "z"))
      yield* settle
      assert.deepStrictEqual(yield* look(pool), {
        a: "1 destroying",
        b: "1 idle",
        c: "1 idle",
        d: "1 idle",
        z: "2 waiting"
      })
      yield* start(borrow(pool, "y"))
      assert.deepStrictEqual(yield* look(pool), {
        a: "1 destroying",
        b: "1 destroying",
        c: "1 idle",
        d: "1 idle",
        z: "2 waiting",
        y: "1 waiting"
      })
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* look(pool), { d: "1 idle", z: "2 inUse", y: "1 inUse" })
    }))

  it.effect("a borrower that leaves while room is being made leaves the place to the next", () =>
    Effect.gen(function*() {
      const { made, pool } = yield* lab({ max: 1, destroy: () => Effect.sleep("1 second") })
      yield* touch(pool, "a")
      const leaving = yield* start(borrow(pool, "b"))
      const staying = yield* start(borrow(pool, "c"))
      yield* Fiber.interrupt(leaving)
      assert.deepStrictEqual(yield* look(pool), { a: "1 destroying", c: "1 waiting" })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(valueOf(staying).object.key, "c")
      assert.deepStrictEqual(made, ["a0", "c1"])
    }))

  it.effect("an object that is being checked makes room too", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ max: 1, healthCheck: () => Effect.never, healthInterval: "1 second" })
      yield* touch(pool, "a")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* KeyedPool.stats(pool)).objects[0]?.state, "checking")
      assert.strictEqual((yield* borrow(pool, "b")).object.key, "b")
      assert.deepStrictEqual(unmade, ["a0"])
    }))
})

describe("minimums", () => {
  it.effect("count while the key exists: filled on first borrow, and again after a loss", () =>
    Effect.gen(function*() {
      const { made, pool } = yield* lab({ max: 10, minPerKey: 2, idleTimeToLive: "1 second" })
      assert.deepStrictEqual(made, [])
      const thing = yield* touch(pool, "a")
      assert.deepStrictEqual(made, ["a0", "a1"])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* look(pool), { a: "2 idle" })
      yield* KeyedPool.invalidate(pool, "a", thing)
      assert.deepStrictEqual(made, ["a0", "a1", "a2"])
    }))

  it.effect("are filled again though all objects are lost at once, when nobody evicted them", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 10, minPerKey: 1, timeToLive: "1 second", jitter: 0 })
      yield* touch(pool, "a")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* look(pool), { a: "1 idle" })
      yield* KeyedPool.invalidate(pool, "a", yield* touch(pool, "a"))
      assert.deepStrictEqual(yield* look(pool), { a: "1 idle" })
    }))

  it.effect("that come to more than the total give way", () =>
    Effect.gen(function*() {
      const { peak, pool } = yield* lab({ max: 5, minPerKey: 2 })
      for (const key of ["a", "b", "c"]) yield* touch(pool, key)
      assert.strictEqual(peak(), 5)
      assert.deepStrictEqual(yield* look(pool), { a: "2 idle", b: "2 idle", c: "1 idle" })
    }))

  it.effect("are given up last: an object beyond a minimum goes before one that is idle longer", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ max: 4, minPerKey: 1 })
      yield* touch(pool, "a")
      yield* touch(pool, "b")
      const [first, second] = [yield* borrow(pool, "b"), yield* borrow(pool, "b")]
      yield* first.giveBack
      yield* second.giveBack
      yield* touch(pool, "c")
      assert.deepStrictEqual(unmade, [])
      yield* touch(pool, "d")
      assert.deepStrictEqual(unmade, ["b1"])
      yield* touch(pool, "e")
      assert.deepStrictEqual(unmade, ["b1", "a0"])
      yield* touch(pool, "f")
      assert.deepStrictEqual(unmade, ["b1", "a0", "b2"])
    }))

  it.effect("a key whose last object made room is not filled again at the expense of others", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 2, minPerKey: 2 })
      yield* touch(pool, "a")
      yield* borrow(pool, "b")
      assert.deepStrictEqual(yield* look(pool), { a: "1 idle", b: "1 inUse" })
      yield* borrow(pool, "c")
      assert.deepStrictEqual(yield* look(pool), { b: "1 inUse", c: "1 inUse" })
    }))

  it.effect("take no room: a refill waits for a place that nobody waits for", () =>
    Effect.gen(function*() {
      const { made, pool, unmade } = yield* lab({ max: 3, minPerKey: 2 })
      yield* touch(pool, "a")
      const held = yield* borrow(pool, "b")
      assert.deepStrictEqual(yield* look(pool), { a: "2 idle", b: "1 inUse" })
      yield* touch(pool, "a")
      assert.deepStrictEqual(unmade, [])
      const waiting = yield* start(touch(pool, "c"))
      assert.strictEqual(valueOf(waiting).key, "c")
      // the minimum of c, and then that of b, get what is free when nobody waits
      yield* KeyedPool.evictKey(pool, "a")
      assert.deepStrictEqual(made.length - unmade.length, 3)
      assert.notInclude(yield* KeyedPool.keys(pool), "a")
      yield* held.giveBack
    }))
})

describe("who is next", () => {
  it.effect("when room frees, the longest waiting borrower of all keys that may grow", () =>
    Effect.gen(function*() {
      const { made, pool } = yield* lab({ max: 3, maxPerKey: 2 })
      const held = [yield* borrow(pool, "a"), yield* borrow(pool, "a"), yield* borrow(pool, "z")]
      const waiting = []
      for (const key of ["a", "c", "b", "c", "b"]) waiting.push(yield* start(borrow(pool, key)))
      assert.deepStrictEqual(yield* look(pool), {
        a: "2 inUse, 1 waiting",
        z: "1 inUse",
        c: "2 waiting",
        b: "2 waiting"
      })
      // a may not grow
      yield* held[2]!.giveBack
      yield* settle
      assert.strictEqual(valueOf(waiting[1]!).object.key, "c")
      // its own borrower has waited longest
      yield* held[0]!.giveBack
      yield* settle
      assert.strictEqual(valueOf(waiting[0]!).object.id, 0)
      yield* held[1]!.giveBack
      yield* settle
      assert.strictEqual(valueOf(waiting[2]!).object.key, "b")
      yield* valueOf(waiting[1]!).giveBack
      yield* settle
      assert.strictEqual(valueOf(waiting[3]!).object.key, "c")
      assert.deepStrictEqual(made, ["a0", "a1", "z2", "c3", "b4"])
      yield* valueOf(waiting[0]!).giveBack
      yield* settle
      assert.strictEqual(valueOf(waiting[4]!).object.key, "b")
    }))

  it.effect("a returned object makes room for a borrower of another key that has waited longer", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ max: 1 })
      const held = yield* borrow(pool, "a")
      const other = yield* start(borrow(pool, "b"))
      const own = yield* start(borrow(pool, "a"))
      yield* held.giveBack
      yield* settle
      assert.deepStrictEqual(unmade, ["a0"])
      assert.strictEqual(valueOf(other).object.key, "b")
      assert.isUndefined(ended(own))
      assert.deepStrictEqual((yield* KeyedPool.stats(pool)).destroyed.evicted, 1)
      yield* valueOf(other).giveBack
      yield* settle
      assert.strictEqual(valueOf(own).object.key, "a")
    }))

  it.effect("a returned object serves its own key while a longer waiting borrower's key may not grow", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ max: 2, maxPerKey: 1 })
      const held = yield* borrow(pool, "a")
      yield* borrow(pool, "b")
      yield* start(borrow(pool, "b"))
      const own = yield* start(borrow(pool, "a"))
      yield* held.giveBack
      yield* settle
      assert.deepStrictEqual(unmade, [])
      assert.strictEqual(valueOf(own).object.id, 0)
    }))

  it.effect("a returned object serves its own key while room is being made for the longer waiting one", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({
        max: 2,
        destroy: ({ key }) => key === "z" ? Effect.sleep("1 second") : Effect.void
      })
      const held = yield* borrow(pool, "a")
      yield* touch(pool, "z")
      const other = yield* start(borrow(pool, "b"))
      const own = yield* start(borrow(pool, "a"))
      yield* held.giveBack
      yield* settle
      assert.strictEqual(valueOf(own).object.id, 0)
      assert.isUndefined(ended(other))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(valueOf(other).object.key, "b")
      assert.deepStrictEqual(unmade, ["z1"])
    }))

  it.effect("a borrower whom a creation in flight will serve takes no turn for those behind it", () =>
    Effect.gen(function*() {
      const { made, pool } = yield* lab({
        max: 2,
        create: (key) => key === "a" ? Effect.sleep("1 second") : Effect.void
      })
      const held = [yield* borrow(pool, "z"), yield* borrow(pool, "y")]
      yield* start(borrow(pool, "a"))
      const other = yield* start(borrow(pool, "b"))
      yield* start(borrow(pool, "a"))
      yield* held[0]!.giveBack
      assert.deepStrictEqual(yield* look(pool), { y: "1 inUse", a: "1 creating, 2 waiting", b: "1 waiting" })
      yield* held[1]!.giveBack
      yield* settle
      assert.strictEqual(valueOf(other).object.key, "b")
      assert.deepStrictEqual(made, ["z0", "y1", "b3"])
    }))

  it.effect("a doubtful object that its check finds good makes room like one that was returned in order", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ max: 1, healthCheck: () => Effect.as(Effect.sleep("1 second"), true) })
      const using = yield* start(KeyedPool.use(pool, "a", () => Effect.never))
      const other = yield* start(borrow(pool, "b"))
      const own = yield* start(borrow(pool, "a"))
      yield* Fiber.interrupt(using)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(unmade, ["a0"])
      assert.strictEqual(valueOf(other).object.key, "b")
      assert.isUndefined(ended(own))
    }))

  it.effect("an object whose onReturn takes its time makes room when the hook is over", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({
        max: 1,
        onReturn: (_thing, _exit, key) => key === "a" ? Effect.sleep("1 second") : Effect.void
      })
      const held = yield* borrow(pool, "a")
      const other = yield* start(borrow(pool, "b"))
      yield* start(borrow(pool, "a"))
      yield* start(held.giveBack)
      assert.deepStrictEqual(unmade, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(unmade, ["a0"])
      assert.strictEqual(valueOf(other).object.key, "b")
    }))

  it.effect("within a key first come, first served, whatever frees", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 2 })
      const held = [yield* borrow(pool, "a"), yield* borrow(pool, "b")]
      const order: Array<string> = []
      for (const name of ["a1", "a2", "b1", "a3", "b2", "c1"]) {
        yield* start(
          KeyedPool.use(pool, name.slice(0, 1), () =>
            Effect.andThen(
              Effect.sync(() => order.push(name)),
              Effect.yieldNow
            ))
        )
      }
      yield* held[0]!.giveBack
      yield* held[1]!.giveBack
      yield* settle
      assert.deepStrictEqual(order, ["a1", "a2", "b1", "a3", "b2", "c1"])
    }))
})

describe("shared objects", () => {
  it.effect("make room for a longer waiting key though their shares overlap without end", () =>
    Effect.gen(function*() {
      const { made, pool, unmade } = yield* lab({ max: 1, concurrency: 2 })
      let held = yield* borrow(pool, "a")
      const waiting = yield* start(borrow(pool, "b"))
      const next = yield* start(borrow(pool, "a"))
      yield* settle
      // b came first: the share that comes back is lent to nobody, and the object goes with its last holder
      yield* held.giveBack
      yield* settle
      if (ended(next) !== undefined) held = valueOf(next)
      const late = yield* start(borrow(pool, "a"))
      yield* held.giveBack
      yield* settle
      assert.strictEqual(valueOf(waiting).object.key, "b")
      assert.isUndefined(ended(late))
      assert.deepStrictEqual(unmade, ["a0"])
      assert.deepStrictEqual(made, ["a0", "b1"])
    }))

  it.effect("one that is held long does not hold up another that comes free", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ max: 2, concurrency: 2 })
      const a = [yield* borrow(pool, "a"), yield* borrow(pool, "a")]
      const c = yield* borrow(pool, "c")
      const waiting = yield* start(borrow(pool, "b"))
      yield* a[0]!.giveBack
      yield* settle
      assert.deepStrictEqual(unmade, [])
      yield* c.giveBack
      yield* settle
      assert.deepStrictEqual(unmade, ["c1"])
      assert.strictEqual(valueOf(waiting).object.key, "b")
      yield* a[1]!.giveBack
      yield* settle
      assert.deepStrictEqual(unmade, ["c1", "a0"])
    }))
})

describe("room freed by one key serves another key's borrower", () => {
  it.effect("when an object is invalidated", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 1 })
      const held = yield* borrow(pool, "a")
      const waiting = yield* start(borrow(pool, "b"))
      yield* KeyedPool.invalidate(pool, "a", held.object)
      yield* settle
      assert.isUndefined(ended(waiting))
      yield* held.giveBack
      yield* settle
      assert.strictEqual(valueOf(waiting).object.key, "b")
    }))

  it.effect("when a creation fails, with its finalizers", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({
        max: 1,
        create: (key) =>
          key === "a"
            ? Effect.andThen(
              Effect.addFinalizer(() => Effect.sleep("1 second")),
              Effect.andThen(Effect.sleep("1 second"), Effect.fail("no"))
            )
            : Effect.void
      })
      const failing = yield* start(borrow(pool, "a"))
      const waiting = yield* start(borrow(pool, "b"))
      yield* TestClock.adjust("1 second")
      assert.isDefined(ended(failing))
      assert.isUndefined(ended(waiting))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(valueOf(waiting).object.key, "b")
    }))

  it.effect("when a creation takes too long, and cannot be interrupted", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({
        max: 1,
        createTimeout: "1 second",
        destroyTimeout: "2 seconds",
        create: (key) => key === "a" ? Effect.uninterruptible(Effect.never) : Effect.void
      })
      const failing = yield* start(borrow(pool, "a"))
      const waiting = yield* start(borrow(pool, "b"))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(reasonOf(ended(failing)), "CreateTimeout")
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(ended(waiting))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(valueOf(waiting).object.key, "b")
    }))

  it.effect("when a key, or all of them, are evicted", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({
        max: 1,
        create: (key) => key === "a" ? Effect.never : Effect.void
      })
      const stuck = yield* start(borrow(pool, "a"))
      const waiting = yield* start(borrow(pool, "b"))
      yield* KeyedPool.evictKey(pool, "a")
      yield* settle
      // a's borrower came first, and gets a new creation
      assert.isUndefined(ended(waiting))
      assert.deepStrictEqual(yield* look(pool), { a: "1 creating, 1 waiting", b: "1 waiting" })
      yield* Fiber.interrupt(stuck)
      yield* KeyedPool.evict(pool)
      yield* settle
      assert.strictEqual(valueOf(waiting).object.key, "b")
    }))

  it.effect("when objects expire, wear out, or fail their checks", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 1, timeToLive: "2 seconds", jitter: 0, maxUses: 2 })
      const first = yield* borrow(pool, "a")
      const b = yield* start(borrow(pool, "b"))
      yield* TestClock.adjust("2 seconds")
      yield* first.giveBack
      yield* settle
      const c = yield* start(borrow(pool, "c"))
      yield* KeyedPool.invalidate(pool, "b", valueOf(b).object)
      yield* valueOf(b).giveBack
      yield* settle
      yield* valueOf(c).giveBack
      const again = yield* borrow(pool, "c")
      const d = yield* start(borrow(pool, "d"))
      yield* again.giveBack
      yield* settle
      assert.strictEqual(valueOf(d).object.key, "d")
    }))

  it.effect("when a borrower gives up, and its creation ends with nobody to take what it made", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({
        max: 1,
        create: (key) => key === "a" ? Effect.sleep("2 seconds") : Effect.void
      })
      const leaving = yield* start(borrow(pool, "a", "1 second"))
      const waiting = yield* start(borrow(pool, "b"))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(reasonOf(ended(leaving)), "BorrowTimeout")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(unmade, ["a0"])
      assert.strictEqual(valueOf(waiting).object.key, "b")
    }))

  it.effect("when the bounds grow", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 1, maxPerKey: 1 })
      yield* borrow(pool, "a")
      const own = yield* start(borrow(pool, "a"))
      const other = yield* start(borrow(pool, "b"))
      yield* KeyedPool.resize(pool, { max: 2, maxPerKey: 2 })
      yield* settle
      assert.strictEqual(valueOf(own).object.key, "a")
      assert.isUndefined(ended(other))
      yield* KeyedPool.resize(pool, { max: 3 })
      yield* settle
      assert.strictEqual(valueOf(other).object.key, "b")
    }))
})

describe("a blocked key does not stop another", () => {
  it.effect("when its creation never ends", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 2, maxPerKey: 1, create: (key) => key === "a" ? Effect.never : Effect.void })
      yield* start(borrow(pool, "a"))
      for (let i = 0; i < 3; i++) for (const key of ["b", "c"]) yield* touch(pool, key)
      assert.deepStrictEqual(yield* look(pool), { a: "1 creating, 1 waiting", c: "1 idle" })
    }))

  it.effect("when a hook or a check of it never ends", () =>
    Effect.gen(function*() {
      const blocked = (_: unknown, key: string) => key === "a" ? Effect.uninterruptible(Effect.never) : Effect.void
      const { pool } = yield* lab({
        max: 4,
        maxPerKey: 1,
        onBorrow: blocked,
        onReturn: (_thing, _exit, key) => key === "b" ? Effect.never : Effect.void,
        healthCheck: (_, key) => key === "c" ? Effect.never : Effect.succeed(true),
        healthAfterIdle: 0
      })
      yield* start(borrow(pool, "a"))
      yield* start(touch(pool, "b"))
      yield* touch(pool, "c")
      yield* start(touch(pool, "c"))
      for (let i = 0; i < 3; i++) for (const key of ["x", "y"]) yield* touch(pool, key)
      assert.deepStrictEqual(yield* look(pool), {
        a: "1 inUse, 1 waiting",
        b: "1 inUse",
        c: "1 waiting",
        y: "1 idle"
      })
      yield* TestClock.adjust("10 seconds")
    }))

  it.effect("when its finalizers never end", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 2, destroy: ({ key }) => key === "a" ? Effect.never : Effect.void })
      yield* touch(pool, "a")
      yield* KeyedPool.evictKey(pool, "a")
      for (let i = 0; i < 3; i++) for (const key of ["b", "c"]) yield* touch(pool, key)
      assert.deepStrictEqual(yield* look(pool), { a: "1 destroying", c: "1 idle" })
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* look(pool), { c: "1 idle" })
    }))
})

describe("suspended", () => {
  it.effect("nothing is lent, and no room is made nor used for those who wait", () =>
    Effect.gen(function*() {
      const { made, pool, unmade } = yield* lab({ max: 2 })
      const held = yield* borrow(pool, "a")
      yield* touch(pool, "b")
      yield* KeyedPool.suspend(pool)
      assert.isTrue((yield* KeyedPool.stats(pool)).suspended)
      const waiting = []
      for (const key of ["c", "b", "a"]) waiting.push(yield* start(borrow(pool, key)))
      yield* held.giveBack
      yield* settle
      assert.deepStrictEqual(yield* look(pool), { a: "1 idle, 1 waiting", b: "1 idle, 1 waiting", c: "1 waiting" })
      yield* KeyedPool.evictKey(pool, "a")
      yield* settle
      assert.deepStrictEqual(yield* look(pool), { a: "1 waiting", b: "1 idle, 1 waiting", c: "1 waiting" })
      yield* KeyedPool.resume(pool)
      yield* settle
      assert.strictEqual(valueOf(waiting[0]!).object.key, "c")
      assert.strictEqual(valueOf(waiting[1]!).object.id, 1)
      assert.isUndefined(ended(waiting[2]!))
      assert.deepStrictEqual(made, ["a0", "b1", "c2"])
      assert.deepStrictEqual(unmade, ["a0"])
    }))

  it.effect("those who waited for room before have to wait as well", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ max: 1 })
      const held = yield* borrow(pool, "a")
      const waiting = yield* start(borrow(pool, "b"))
      yield* KeyedPool.suspend(pool)
      yield* held.giveBack
      yield* settle
      assert.deepStrictEqual(unmade, [])
      assert.isUndefined(ended(waiting))
      yield* KeyedPool.evict(pool)
      yield* settle
      assert.isUndefined(ended(waiting))
      assert.deepStrictEqual(yield* look(pool), { b: "1 waiting" })
      yield* KeyedPool.resume(pool)
      yield* settle
      assert.strictEqual(valueOf(waiting).object.key, "b")
    }))

  it.effect("minimums are kept, and resuming shares out room by who has waited longest", () =>
    Effect.gen(function*() {
      const { made, pool } = yield* lab({ max: 3, minPerKey: 1 })
      const held = [yield* borrow(pool, "a"), yield* borrow(pool, "b")]
      yield* KeyedPool.suspend(pool)
      yield* KeyedPool.invalidate(pool, "a", held[0]!.object)
      yield* held[0]!.giveBack
      yield* settle
      assert.deepStrictEqual(yield* look(pool), { a: "1 idle", b: "1 inUse" })
      const waiting = []
      for (const key of ["c", "b", "d"]) waiting.push(yield* start(borrow(pool, key)))
      yield* KeyedPool.resume(pool)
      yield* settle
      assert.strictEqual(valueOf(waiting[0]!).object.key, "c")
      assert.strictEqual(valueOf(waiting[1]!).object.key, "b")
      assert.isUndefined(ended(waiting[2]!))
      assert.deepStrictEqual(made.length, 5)
    }))
})

describe("reentry", () => {
  it.effect("acquire may borrow another key of the same pool", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { made, pool } = yield* lab<string, never, never>({
        max: 4,
        create: (key) => key === "b" ? Deferred.await(gate) : Effect.void
      })
      const outer: KeyedPool.KeyedPool<string, string, never> = yield* KeyedPool.make({
        acquire: (key: string): Effect.Effect<string> =>
          key === "inner"
            ? Effect.succeed(key)
            : Effect.orDie(KeyedPool.use(outer, "inner", (inner) => Effect.succeed(`${key} with ${inner}`))),
        max: 2
      })
      for (let i = 0; i < 3; i++) {
        assert.strictEqual(yield* touch(outer, "outer"), "outer with inner")
        yield* KeyedPool.evict(outer)
      }
      assert.deepStrictEqual(yield* KeyedPool.keys(outer), [])
      yield* touch(pool, "a")
      assert.deepStrictEqual(made, ["a0"])
    }))
})
