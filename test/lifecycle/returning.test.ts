import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Pool } from "proxy-pattern-pool"
import { borrow, calm, lab, type LabOptions, type Thing } from "./kit.ts"

/** What can end a borrow, and leaves the object in an unknown state. */
const hits: ReadonlyArray<readonly [string, (pool: Pool.Pool<Thing>) => Effect.Effect<unknown, unknown>]> = [
  ["a defect of a use body", (pool) => Effect.exit(Pool.use(pool, () => Effect.die("defect")))],
  ["a body that throws", (pool) =>
    Effect.exit(Pool.use(pool, (): Effect.Effect<void> => {
      throw new Error("thrown")
    }))],
  ["a body that interrupts itself", (pool) => Effect.exit(Pool.use(pool, () => Effect.interrupt))],
  ["an interruption of a use body", (pool) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Pool.use(pool, () => Effect.never))
      yield* calm
      yield* Fiber.interrupt(fiber)
    })],
  ["a timeout around use", (pool) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Effect.timeoutOption(Pool.use(pool, () => Effect.never), 10))
      yield* TestClock.adjust(10)
      yield* Fiber.join(fiber)
    })],
  [
    "a failure with a defect beside it",
    (pool) => Effect.exit(Pool.use(pool, () => Effect.ensuring(Effect.fail("no"), Effect.die("defect"))))
  ],
  [
    "a defect that closes the Scope",
    (pool) => Effect.exit(Effect.scoped(Effect.andThen(Pool.get(pool), Effect.die("defect"))))
  ],
  ["an interruption that closes the Scope", (pool) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Effect.scoped(Effect.andThen(Pool.get(pool), Effect.never)))
      yield* calm
      yield* Fiber.interrupt(fiber)
    })],
  ["a defect that closes the Scope of a poll", (pool) =>
    Effect.gen(function*() {
      yield* Pool.use(pool, () => Effect.void)
      yield* Effect.exit(Effect.scoped(Effect.andThen(Pool.poll(pool), Effect.die("defect"))))
    })]
]

/** What can end a borrow, and says nothing against the object. */
const cleanEnds: ReadonlyArray<readonly [string, (pool: Pool.Pool<Thing>) => Effect.Effect<unknown, unknown>]> = [
  ["success", (pool) => Pool.use(pool, () => Effect.void)],
  ["a typed failure", (pool) => Effect.exit(Pool.use(pool, () => Effect.fail("no")))],
  ["a timeout inside the body", (pool) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.timeout(Effect.never, 10))))
      yield* TestClock.adjust(10)
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "Failure")
    })],
  [
    "a defect that the body recovered from",
    (pool) => Pool.use(pool, () => Effect.ignoreCause(Effect.die("defect")))
  ],
  ["a Scope that succeeds", (pool) => Effect.scoped(Pool.get(pool))],
  ["a Scope that fails", (pool) => Effect.exit(Effect.scoped(Effect.andThen(Pool.get(pool), Effect.fail("no"))))]
]

describe("an object in an unknown state", () => {
  it.effect.each(hits)("after %s is destroyed where there is no healthCheck", ([, hit]) =>
    Effect.gen(function*() {
      const { pool, stats, unmade } = yield* lab({ min: 0, max: 1 })
      yield* hit(pool)
      assert.deepStrictEqual(unmade, [0])
      const { borrowed, destroyed, returned } = yield* stats
      assert.strictEqual(destroyed.failed, 1)
      assert.strictEqual(borrowed, returned)
    }))

  it.effect.each(hits)(
    "after %s is checked before it is lent again, and kept where the check says so",
    ([, hit]) =>
      Effect.gen(function*() {
        const { pool, stats, unmade } = yield* lab({
          min: 0,
          max: 1,
          healthInterval: "1 hour",
          healthCheck: () => Effect.as(Effect.sleep(100), true)
        })
        yield* hit(pool)
        assert.strictEqual((yield* stats).objects[0].state, "checking")
        const next = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
        yield* TestClock.adjust(99)
        assert.strictEqual((yield* stats).waiting, 1)
        yield* TestClock.adjust(1)
        assert.strictEqual(yield* Fiber.join(next), 0)
        assert.deepStrictEqual(unmade, [])
        assert.strictEqual((yield* stats).healthChecks, 1)
      })
  )

  it.effect.each(hits)(
    "after %s is destroyed as unhealthy where the check says so",
    ([, hit]) =>
      Effect.gen(function*() {
        const { pool, stats, unmade } = yield* lab({ min: 0, max: 1, healthCheck: () => Effect.succeed(false) })
        yield* hit(pool)
        assert.deepStrictEqual(unmade, [0])
        assert.strictEqual((yield* stats).destroyed.unhealthy, 1)
        assert.strictEqual(yield* Pool.use(pool, ({ id }) => Effect.succeed(id)), 1)
      })
  )

  it.effect.each(hits)("after %s of one holder of a shared object is kept", ([, hit]) =>
    Effect.gen(function*() {
      const { pool, stats, unmade } = yield* lab({ min: 0, max: 1, concurrency: 2 })
      yield* hit(pool)
      assert.deepStrictEqual(unmade, [])
      assert.strictEqual((yield* stats).idle, 1)
    }))

  it.effect("is checked also after onReturn, which ran before", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { pool } = yield* lab({
        min: 0,
        max: 1,
        onReturn: () => Effect.andThen(Effect.sleep(10), Effect.sync(() => log.push("return"))),
        healthCheck: () => Effect.sync(() => log.push("check") > 0)
      })
      yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.die("defect"))))
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(log, ["return", "check"])
    }))
})

describe("an object is kept", () => {
  it.effect.each(cleanEnds)("after %s", ([, end]) =>
    Effect.gen(function*() {
      const { pool, stats, unmade } = yield* lab({ min: 0, max: 1, healthCheck: () => Effect.succeed(false) })
      yield* end(pool)
      assert.deepStrictEqual(unmade, [])
      assert.deepInclude(yield* stats, { idle: 1, healthChecks: 0 })
    }))

  it.effect("when the borrower is interrupted after the hand-over, but before its body was called", () =>
    Effect.gen(function*() {
      const exits: Array<Exit.Exit<unknown, unknown>> = []
      const { pool, stats, unmade } = yield* lab({
        min: 0,
        max: 1,
        onReturn: (_, exit) => Effect.sync(() => exits.push(exit))
      })
      const called: Array<string> = []
      const ways = [
        Pool.use(pool, () => Effect.sync(() => called.push("use"))),
        Effect.scoped(Effect.andThen(Pool.get(pool), Effect.sync(() => called.push("get"))))
      ]
      for (const way of ways) {
        const a = yield* borrow(pool)
        const waiter = yield* Effect.forkChild(way)
        yield* calm
        yield* a.giveBack
        assert.strictEqual((yield* stats).waiting, 0)
        waiter.interruptUnsafe()
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(waiter)))
        yield* calm
      }
      assert.deepStrictEqual(called, [])
      assert.deepStrictEqual(unmade, [])
      assert.deepStrictEqual(exits, [Exit.void, Exit.void, Exit.void, Exit.void])
      assert.deepInclude(yield* stats, { idle: 1, borrowed: 4, returned: 4 })
    }))
})

describe("a finalizer", () => {
  it.effect("that dies is logged with the pool's name and counted, and reaches nobody", () =>
    Effect.gen(function*() {
      const { logged, pool, stats } = yield* lab({
        name: "app/Things",
        min: 0,
        max: 1,
        destroy: () => Effect.die("defect")
      })
      const a = yield* borrow(pool)
      const waiter = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* calm
      yield* Pool.invalidate(pool, a.object)
      yield* a.giveBack
      assert.strictEqual(yield* Fiber.join(waiter), 1)
      assert.deepInclude(yield* stats, { hookFailures: 1, destroying: 0, size: 1 })
      assert.strictEqual(logged.length, 1)
      assert.include(logged[0].message, "app/Things")
      assert.deepInclude(logged[0], { level: "Warn", poolName: "app/Things" })
    }))

  it.effect("that is slow delays nobody, but the object takes its place until it has ended", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 2, destroy: () => Effect.sleep(1000) })
      const a = yield* borrow(pool)
      yield* Pool.invalidate(pool, a.object)
      yield* a.giveBack
      assert.deepInclude(yield* stats, { size: 0, destroying: 1 })
      assert.strictEqual((yield* stats).destroyed.invalidated, 0)
      const b = yield* borrow(pool, 0).pipe(Effect.catch(() => borrow(pool)))
      assert.strictEqual(b.object.id, 1)
      const waiter = yield* Effect.forkChild(borrow(pool))
      yield* TestClock.adjust(999)
      assert.deepInclude(yield* stats, { size: 1, destroying: 1, waiting: 1 })
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(waiter)).object.id, 2)
      assert.deepInclude(yield* stats, { size: 2, destroying: 0, waiting: 0 })
      assert.strictEqual((yield* stats).destroyed.invalidated, 1)
    }))

  it.effect("that takes longer than destroyTimeout is left to itself and logged, and its place is free", () =>
    Effect.gen(function*() {
      const { logged, pool, stats } = yield* lab({
        name: "app/Things",
        min: 0,
        max: 1,
        destroyTimeout: 500,
        destroy: () => Effect.never
      })
      const a = yield* borrow(pool)
      yield* Pool.invalidate(pool, a.object)
      yield* a.giveBack
      const waiter = yield* Effect.forkChild(borrow(pool))
      yield* TestClock.adjust(499)
      assert.deepInclude(yield* stats, { destroying: 1, waiting: 1, hookFailures: 0 })
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(waiter)).object.id, 1)
      assert.deepInclude(yield* stats, { destroying: 0, size: 1, hookFailures: 1 })
      assert.strictEqual((yield* stats).destroyed.invalidated, 1)
      assert.strictEqual(logged.length, 1)
      assert.deepInclude(logged[0], { level: "Warn", poolName: "app/Things" })
      assert.include(logged[0].message, "app/Things")
    }))

  it.effect("may take thirty seconds where nothing else is said, and counts once when it ends later", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 1, destroy: () => Effect.sleep(31_000) })
      const a = yield* borrow(pool)
      yield* Pool.evict(pool)
      yield* a.giveBack
      yield* TestClock.adjust(29_999)
      assert.strictEqual((yield* stats).destroying, 1)
      yield* TestClock.adjust(1)
      assert.deepInclude(yield* stats, { destroying: 0, hookFailures: 1 })
      yield* TestClock.adjust(5000)
      assert.deepInclude(yield* stats, { destroying: 0, hookFailures: 1 })
      assert.strictEqual((yield* stats).destroyed.evicted, 1)
    }))

  it.effect("sees the Scope of its object close once, in the order of a Scope", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const acquire = Effect.gen(function*() {
        yield* Effect.addFinalizer(() => Effect.sync(() => log.push("first")))
        yield* Effect.addFinalizer(() => Effect.sync(() => log.push("second")))
        return {}
      })
      const pool = yield* Pool.make({ acquire, min: 0, max: 1 })
      const a = yield* borrow(pool)
      yield* Pool.invalidate(pool, a.object)
      yield* Pool.invalidate(pool, a.object)
      yield* Pool.evict(pool)
      yield* a.giveBack
      yield* a.giveBack
      yield* Pool.invalidate(pool, a.object)
      yield* Pool.shutdown(pool)
      assert.deepStrictEqual(log, ["second", "first"])
    }))
})

describe("invalidate", () => {
  it.effect("destroys an idle object now, a borrowed one on return, and ignores what the pool does not know", () =>
    Effect.gen(function*() {
      const { pool, stats, unmade } = yield* lab({ min: 0, max: 2 })
      const a = yield* borrow(pool)
      const b = yield* borrow(pool)
      yield* b.giveBack
      yield* Pool.invalidate(pool, b.object)
      assert.deepStrictEqual(unmade, [1])
      yield* Pool.invalidate(pool, a.object)
      assert.deepStrictEqual(unmade, [1])
      yield* Pool.invalidate(pool, { id: 0 })
      yield* Pool.invalidate(pool, b.object)
      assert.strictEqual((yield* stats).destroyed.invalidated, 1)
      yield* a.giveBack
      assert.deepStrictEqual(unmade, [1, 0])
      assert.strictEqual((yield* stats).destroyed.invalidated, 2)
      yield* pool.pipe(Pool.invalidate(a.object))
      assert.strictEqual((yield* stats).destroyed.invalidated, 2)
    }))

  it.effect("means every place that holds that very value", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed("same"), min: 3, max: 3, concurrency: 1 })
      yield* Pool.awaitReady(pool)
      const a = yield* borrow(pool)
      yield* Pool.invalidate(pool, "same")
      assert.strictEqual((yield* Pool.stats(pool)).destroyed.invalidated, 2)
      yield* a.giveBack
      assert.strictEqual((yield* Pool.stats(pool)).destroyed.invalidated, 3)
      assert.strictEqual((yield* Pool.stats(pool)).idle, 3)
    }))

  it.effect("tells equal but distinct objects apart, also after they were changed", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.sync(() => ({ value: 1 })), min: 0, max: 2 })
      const a = yield* borrow(pool)
      const b = yield* borrow(pool)
      a.object.value = 2
      yield* b.giveBack
      yield* Pool.invalidate(pool, a.object)
      assert.deepInclude(yield* Pool.stats(pool), { idle: 1, inUse: 1 })
      yield* a.giveBack
      assert.deepInclude(yield* Pool.stats(pool), { idle: 1, inUse: 0 })
      assert.strictEqual((yield* borrow(pool)).object, b.object)
    }))

  it.effect("frees a waiter, whoever calls it", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ min: 1, max: 1, healthInterval: 10, healthCheck: () => Effect.never })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(10)
      const object = yield* Deferred.make<Thing>()
      const waiter = yield* Effect.forkChild(Pool.use(pool, (thing) => Deferred.succeed(object, thing)))
      yield* calm
      yield* Pool.evict(pool)
      yield* Fiber.join(waiter)
      assert.strictEqual((yield* Deferred.await(object)).id, 1)
    }))
})

describe("a shared object", () => {
  it.effect("is in use since its first holder came, and idle since its last one went", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 1, max: 1, concurrency: 2 })
      const since = Effect.map(stats, ({ objects: [{ since, state }] }) => `${state} for ${since}`)
      yield* TestClock.adjust(10)
      const a = yield* borrow(pool)
      yield* TestClock.adjust(20)
      const b = yield* borrow(pool)
      yield* TestClock.adjust(30)
      assert.strictEqual(yield* since, "inUse for 50 millis")
      yield* a.giveBack
      yield* TestClock.adjust(40)
      assert.strictEqual(yield* since, "inUse for 90 millis")
      yield* b.giveBack
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* since, "idle for 50 millis")
    }))
})

describe("a borrow is given back once", () => {
  it("and by nobody's hand: there is no function for it", () => {
    for (const name of ["release", "returnObject", "giveBack", "put", "ret"]) assert.notProperty(Pool, name)
  })

  it.effect("also when its Scope is closed twice, or its fiber interrupted at the end", () =>
    Effect.gen(function*() {
      const { events, pool, stats } = yield* lab({ min: 0, max: 1 })
      const a = yield* borrow(pool)
      yield* a.giveBack
      const b = yield* borrow(pool)
      yield* a.end(Exit.failCause(Cause.die("defect")))
      assert.deepInclude(yield* stats, { inUse: 1, borrowed: 2, returned: 1 })
      yield* b.giveBack
      yield* calm
      assert.deepStrictEqual(events.map((event) => event._tag), [
        "Created",
        "Borrowed",
        "Returned",
        "Borrowed",
        "Returned"
      ])
    }))

  it.effect("and is told after the check that the end of its holder made necessary", () =>
    Effect.gen(function*() {
      const life = Effect.fnUntraced(function*(options: Partial<LabOptions<never, never>>) {
        const { events, pool } = yield* lab({ min: 0, max: 1, ...options })
        yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.andThen(Effect.sleep(100), Effect.die("no")))))
        yield* TestClock.adjust(250)
        yield* calm
        return events.map((event) => event._tag === "Returned" ? `Returned after ${event.held}` : event._tag)
      })
      const unhealthy = ["Created", "Borrowed", "Unhealthy", "Returned after 100 millis", "Destroyed"]
      assert.deepStrictEqual(yield* life({ healthCheck: () => Effect.succeed(false) }), unhealthy)
      assert.deepStrictEqual(yield* life({ healthCheck: () => Effect.as(Effect.sleep(50), false) }), unhealthy)
      assert.deepStrictEqual(yield* life({ healthCheck: () => Effect.never, healthTimeout: 100 }), unhealthy)
      assert.deepStrictEqual(
        yield* life({ healthCheck: () => Effect.succeed(true) }),
        unhealthy.filter((tag) => tag !== "Unhealthy" && tag !== "Destroyed")
      )
    }))

  it.effect("and is told also where that check is cut short, by an eviction or by the closing", () =>
    Effect.gen(function*() {
      for (const end of [Pool.evict, Pool.shutdown]) {
        const { events, pool, stats } = yield* lab({ min: 0, max: 1, healthCheck: () => Effect.never })
        yield* Effect.exit(Pool.use(pool, () => Effect.die("no")))
        assert.deepInclude(yield* stats, { borrowed: 1, returned: 1 })
        assert.strictEqual((yield* stats).objects[0].state, "checking")
        yield* end(pool)
        yield* calm
        assert.deepStrictEqual(
          events.flatMap((event) => "id" in event ? [event._tag] : []),
          ["Created", "Borrowed", "Returned", "Destroyed"]
        )
        assert.deepInclude(yield* stats, { size: 0, destroying: 0, hookFailures: 0 })
      }
    }))

  it.effect("and the events of one object's life come in its order", () =>
    Effect.gen(function*() {
      const { events, pool } = yield* lab({ min: 0, max: 1, onReturn: () => Effect.sleep(20) })
      yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.andThen(Effect.sleep(100), Effect.die("no")))))
      yield* TestClock.adjust(120)
      yield* calm
      assert.deepStrictEqual(
        events.map((event) => "id" in event ? `${event._tag} ${event.id} at ${event.at}` : event._tag),
        ["Created 0 at 0", "Borrowed 0 at 0", "Returned 0 at 120", "Destroyed 0 at 120"]
      )
      const returned = events.find((event) => event._tag === "Returned")
      assert.strictEqual(returned !== undefined && String(returned.held), "120 millis")
    }))
})
