import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { Pool } from "proxy-pattern-pool"
import { borrow, calm, lab, warmUp } from "./kit.ts"

describe("evict", () => {
  it.effect("destroys what is idle now, what is borrowed on return, and keeps min", () =>
    Effect.gen(function*() {
      const { alive, pool, stats, unmade } = yield* lab({ min: 2, max: 5 })
      yield* warmUp(pool, 3)
      const a = yield* borrow(pool)
      yield* Pool.evict(pool)
      assert.strictEqual(unmade.length, 2)
      assert.notInclude(unmade, a.object.id)
      assert.deepStrictEqual((yield* alive).filter((id) => id !== a.object.id), [3, 4])
      yield* a.giveBack
      assert.strictEqual(unmade.length, 3)
      assert.deepInclude(yield* stats, { size: 2, idle: 2 })
      assert.strictEqual((yield* stats).destroyed.evicted, 3)
    }))

  it.effect("interrupts a creation in flight: no failure, and its waiter gets a new one", () =>
    Effect.gen(function*() {
      const interrupted: Array<number> = []
      const { events, logged, pool, stats } = yield* lab({
        min: 0,
        max: 1,
        create: (id) =>
          id > 0 ? Effect.void : Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted.push(id)))
      })
      const waiter = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* TestClock.adjust(1000)
      yield* Pool.evict(pool)
      assert.strictEqual(yield* Fiber.join(waiter), 1)
      assert.deepStrictEqual(interrupted, [0])
      assert.deepInclude(yield* stats, { created: 1, createFailures: 0, hookFailures: 0 })
      assert.strictEqual((yield* stats).destroyed.evicted, 0)
      assert.deepStrictEqual(logged, [])
      yield* calm
      assert.deepStrictEqual(events.map((event) => event._tag), ["Evicted", "Created", "Borrowed", "Returned"])
    }))

  it.effect("destroys what an uninterruptible creation still makes, and keeps its place until then", () =>
    Effect.gen(function*() {
      const { made, pool, stats, unmade } = yield* lab({
        min: 0,
        max: 1,
        create: (id) => id > 0 ? Effect.void : Effect.uninterruptible(Effect.sleep(1000))
      })
      const waiter = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* TestClock.adjust(500)
      yield* Pool.evict(pool)
      assert.deepInclude(yield* stats, { creating: 0, destroying: 1, waiting: 1 })
      yield* TestClock.adjust(499)
      assert.strictEqual((yield* stats).waiting, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(waiter), 1)
      assert.strictEqual(made.at(-1), 1)
      assert.strictEqual(made.length - unmade.length, 1)
      assert.deepInclude(yield* stats, { created: 1, createFailures: 0, size: 1, destroying: 0 })
    }))

  it.effect("destroys the finished work of a creation that was half made", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const acquire = Effect.gen(function*() {
        const id = yield* Pool.CreationNumber
        yield* Effect.acquireRelease(
          Effect.sync(() => log.push(`open ${id}`)),
          () => Effect.sync(() => log.push(`close ${id}`))
        )
        return id === 0 ? yield* Effect.never : { id }
      })
      const pool = yield* Pool.make({ acquire, min: 1, max: 1 })
      yield* Pool.evict(pool)
      yield* Pool.awaitReady(pool)
      assert.deepStrictEqual(log, ["open 0", "close 0", "open 1"])
    }))

  it.effect("of a shared object lends it no more; it goes with its last holder", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ min: 0, max: 2, concurrency: 3 })
      const a = yield* borrow(pool)
      const b = yield* borrow(pool)
      yield* Pool.evict(pool)
      assert.strictEqual((yield* borrow(pool)).object.id, 1)
      yield* a.giveBack
      assert.deepStrictEqual(unmade, [])
      yield* b.giveBack
      assert.deepStrictEqual(unmade, [0])
    }))

  it.effect("tells one event for each call", () =>
    Effect.gen(function*() {
      const { events, pool } = yield* lab({ min: 2, max: 2 })
      yield* Pool.awaitReady(pool)
      yield* Pool.evict(pool)
      yield* Pool.evict(pool)
      yield* calm
      assert.strictEqual(events.filter((event) => event._tag === "Evicted").length, 2)
      assert.strictEqual(events.filter((event) => event._tag === "Destroyed").length, 4)
    }))

  it.effect("that races with a borrow leaves every borrower with an object of its own", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 1, max: 3, create: () => Effect.yieldNow })
      const borrowers = yield* Effect.forkChild(Effect.all(
        Array.from({ length: 20 }, (_, i) =>
          i % 4 === 3 ? Effect.andThen(Effect.yieldNow, Pool.evict(pool)) : Pool.use(pool, () =>
            Effect.yieldNow)),
        { concurrency: "unbounded" }
      ))
      yield* Fiber.join(borrowers)
      yield* calm
      assert.deepInclude(yield* stats, { borrowed: 15, returned: 15, waiting: 0, creating: 0, destroying: 0 })
      assert.strictEqual((yield* stats).size, (yield* stats).idle)
    }))
})

describe("resize", () => {
  it.effect("that grows serves waiters at once", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 1 })
      yield* borrow(pool)
      const waiters = yield* Effect.forEach([1, 2], () => Effect.forkChild(borrow(pool)))
      yield* calm
      assert.strictEqual((yield* stats).waiting, 2)
      yield* Pool.resize(pool, { max: 3 })
      const ids = yield* Effect.forEach(waiters, (waiter) => Effect.map(Fiber.join(waiter), ({ object }) => object.id))
      assert.deepStrictEqual(ids, [1, 2])
      assert.deepInclude(yield* stats, { max: 3, size: 3 })
    }))

  it.effect("that raises min creates at once", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 5 })
      yield* Pool.resize(pool, { min: 3 })
      assert.deepInclude(yield* stats, { min: 3, max: 5, idle: 3 })
    }))

  it.effect("that shrinks destroys the longest idle first", () =>
    Effect.gen(function*() {
      for (const order of ["lifo", "fifo"] as const) {
        const { alive, pool, stats } = yield* lab({ min: 0, max: 4, order })
        const all = yield* Effect.forEach([0, 1, 2, 3], () => borrow(pool))
        for (const id of [2, 0, 3, 1]) yield* all[id].giveBack
        yield* Pool.resize(pool, { max: 2 })
        assert.deepStrictEqual(yield* alive, [1, 3])
        assert.strictEqual((yield* stats).destroyed.resized, 2)
      }
    }))

  it.effect("that shrinks interrupts the youngest creations when no idle object is left to destroy", () =>
    Effect.gen(function*() {
      const interrupted: Array<number> = []
      const { pool, stats } = yield* lab({
        min: 0,
        max: 4,
        create: (id) =>
          id === 0 ? Effect.void : Effect.onInterrupt(Effect.sleep(100), () => Effect.sync(() => interrupted.push(id)))
      })
      yield* warmUp(pool, 1)
      const waiters = yield* Effect.forEach([1, 2, 3, 4], () => Effect.forkScoped(borrow(pool)))
      yield* calm
      assert.deepInclude(yield* stats, { size: 1, creating: 3, waiting: 3 })
      yield* Pool.resize(pool, { max: 2 })
      yield* calm
      assert.deepStrictEqual(interrupted, [3, 2])
      assert.deepInclude(yield* stats, { size: 1, creating: 1, waiting: 3, createFailures: 0 })
      yield* TestClock.adjust(100)
      assert.strictEqual((yield* Fiber.join(waiters[1])).object.id, 1)
      assert.deepInclude(yield* stats, { size: 2, creating: 0, waiting: 2 })
    }))

  it.effect("that shrinks below what is borrowed destroys what is returned first", () =>
    Effect.gen(function*() {
      const { alive, pool, stats } = yield* lab({ min: 0, max: 4 })
      const all = yield* Effect.forEach([0, 1, 2, 3], () => borrow(pool))
      yield* Pool.resize(pool, { max: 2 })
      assert.deepInclude(yield* stats, { size: 4, max: 2 })
      yield* all[2].giveBack
      yield* all[0].giveBack
      assert.deepStrictEqual(yield* alive, [1, 3])
      yield* all[1].giveBack
      yield* all[3].giveBack
      assert.deepStrictEqual(yield* alive, [1, 3])
      assert.strictEqual((yield* stats).destroyed.resized, 2)
    }))

  it.effect("does not count what is being destroyed when it decides how many must go", () =>
    Effect.gen(function*() {
      const { alive, pool, stats } = yield* lab({ min: 0, max: 3, destroy: () => Effect.sleep(1000) })
      const all = yield* Effect.forEach([0, 1, 2], () => borrow(pool))
      yield* Pool.invalidate(pool, all[0].object)
      yield* all[0].giveBack
      yield* Pool.resize(pool, { max: 2 })
      yield* all[1].giveBack
      yield* all[2].giveBack
      assert.deepStrictEqual(yield* alive, [1, 2])
      assert.deepInclude(yield* stats, { destroying: 1 })
    }))

  it.effect("gives an object that is too many to no waiter, and begins nothing for one until there is room", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 2, destroy: () => Effect.sleep(100) })
      const a = yield* borrow(pool)
      const b = yield* borrow(pool)
      const waiter = yield* Effect.forkChild(borrow(pool))
      yield* calm
      yield* Pool.resize(pool, { max: 1 })
      yield* a.giveBack
      yield* TestClock.adjust(1000)
      assert.deepInclude(yield* stats, { waiting: 1, size: 1, destroying: 0 })
      yield* b.giveBack
      assert.strictEqual((yield* Fiber.join(waiter)).object.id, 1)
    }))

  it.effect("back and forth ends at the right size", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({
        min: 0,
        max: 10,
        create: () => Effect.sleep(7),
        destroy: () => Effect.sleep(11)
      })
      const workers = yield* Effect.forkChild(Effect.all(
        Array.from(
          { length: 30 },
          (_, i) => Effect.repeat(Pool.use(pool, () => Effect.sleep(3 + i % 5)), { times: 10 })
        ),
        { concurrency: "unbounded" }
      ))
      for (const max of [10, 3, 8, 1, 5, 2, 9, 4]) {
        yield* Pool.resize(pool, { max })
        yield* TestClock.adjust(5)
      }
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(workers)
      assert.deepInclude(yield* stats, { borrowed: 330, returned: 330, waiting: 0, creating: 0, destroying: 0 })
      assert.strictEqual((yield* stats).size, 4)
    }))

  it.effect("tells the new bounds, and keeps the one that is not given", () =>
    Effect.gen(function*() {
      const { events, pool } = yield* lab({ min: 1, max: 3 })
      yield* Pool.resize(pool, { max: 5 })
      yield* pool.pipe(Pool.resize({ min: 2 }))
      yield* calm
      assert.deepStrictEqual(
        events.flatMap((event) => event._tag === "Resized" ? [[event.min, event.max]] : []),
        [[1, 5], [2, 5]]
      )
    }))

  it.effect("with bounds that cannot be is the defect of make, and changes nothing", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ name: "app/Things", min: 2, max: 3 })
      const messages: Array<string> = []
      for (const bounds of [{ max: 1 }, { min: 5 }, { max: 0, min: -1 }, { max: Number.NaN }, { min: 0.5 }]) {
        const exit = yield* Effect.exit(Pool.resize(pool, bounds))
        messages.push(String(
          Exit.isFailure(exit)
            ? exit.cause.reasons.map((reason) => "defect" in reason ? reason.defect : reason)
            : exit
        ))
      }
      assert.include(messages[0], `Pool "app/Things": min (2) must not exceed max (1)`)
      assert.include(messages[1], `Pool "app/Things": min (5) must not exceed max (3)`)
      assert.include(messages[2], "max (0) must be at least 1")
      assert.include(messages[2], "min (-1) must be at least 0")
      assert.include(messages[3], "max (NaN)")
      assert.include(messages[4], "min (0.5)")
      assert.deepInclude(yield* stats, { min: 2, max: 3, idle: 2 })
    }))
})

describe("suspend and resume", () => {
  it.effect("lend nothing while suspended, and everything in order of arrival afterwards", () =>
    Effect.gen(function*() {
      const order: Array<number> = []
      const { events, made, pool, stats } = yield* lab({ min: 1, max: 3 })
      yield* Pool.awaitReady(pool)
      yield* Pool.suspend(pool)
      for (const i of [0, 1, 2]) yield* Effect.forkChild(Pool.use(pool, () => Effect.sync(() => order.push(i))))
      yield* TestClock.adjust(1000)
      assert.deepInclude(yield* stats, { suspended: true, waiting: 3, idle: 1, borrowed: 0 })
      assert.deepStrictEqual(made, [0])
      assert.deepStrictEqual(yield* Effect.scoped(Pool.poll(pool)), Option.none())
      yield* Pool.resume(pool)
      yield* calm
      assert.deepStrictEqual(order, [0, 1, 2])
      assert.deepInclude(yield* stats, { suspended: false, waiting: 0 })
      assert.deepStrictEqual(events.map((event) => event._tag).slice(0, 2), ["Suspended", "Resumed"])
    }))

  it.effect("let what is borrowed come back, and holders go on", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 1 })
      const a = yield* borrow(pool)
      const waiter = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* Pool.suspend(pool)
      yield* a.giveBack
      yield* calm
      assert.deepInclude(yield* stats, { idle: 1, waiting: 1 })
      yield* Pool.resume(pool)
      assert.strictEqual(yield* Fiber.join(waiter), 0)
    }))

  it.effect("keep min, time out, refuse and close all the same", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 2, max: 3, maxWaiting: 1, borrowTimeout: 1000 })
      yield* Pool.awaitReady(pool)
      yield* Pool.suspend(pool)
      yield* Pool.evict(pool)
      assert.deepInclude(yield* stats, { idle: 2, created: 4 })
      const first = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)))
      yield* calm
      const second = yield* Effect.flip(Pool.use(pool, () => Effect.void))
      assert.strictEqual(second.reason._tag, "QueueFull")
      yield* TestClock.adjust(999)
      assert.strictEqual((yield* stats).timeouts, 0)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(first)).reason._tag, "BorrowTimeout")
      const third = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)))
      yield* calm
      yield* Pool.shutdown(pool)
      assert.strictEqual((yield* Fiber.join(third)).reason._tag, "Closed")
    }))

  it.effect("make a borrower wait whose object is being created or prepared: it stays first", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const { pool, stats } = yield* lab({
        min: 0,
        max: 1,
        create: () => Effect.sleep(100),
        onBorrow: () => Effect.sleep(100)
      })
      yield* Effect.forkChild(Pool.use(pool, () => Effect.sync(() => order.push("a"))))
      yield* Effect.forkChild(Pool.use(pool, () => Effect.sync(() => order.push("b"))))
      yield* TestClock.adjust(50)
      yield* Pool.suspend(pool)
      yield* TestClock.adjust(50)
      assert.deepInclude(yield* stats, { idle: 1, waiting: 2, borrowed: 0 })
      yield* Pool.resume(pool)
      yield* TestClock.adjust(50)
      yield* Pool.suspend(pool)
      yield* TestClock.adjust(1000)
      assert.deepInclude(yield* stats, { waiting: 2, borrowed: 0, idle: 1 })
      yield* Pool.resume(pool)
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(order, ["a", "b"])
    }))

  it.effect("make a borrower wait whose object is being checked, and check it again after resume", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({
        min: 1,
        max: 1,
        healthAfterIdle: 50,
        healthCheck: () => Effect.as(Effect.sleep(100), true)
      })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(50)
      const borrower = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* TestClock.adjust(50)
      yield* Pool.suspend(pool)
      yield* TestClock.adjust(50)
      assert.deepInclude(yield* stats, { idle: 1, waiting: 1, borrowed: 0, healthChecks: 1 })
      yield* TestClock.adjust(50)
      yield* Pool.resume(pool)
      yield* TestClock.adjust(99)
      assert.deepInclude(yield* stats, { waiting: 1, borrowed: 0 })
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(borrower), 0)
      assert.strictEqual((yield* stats).healthChecks, 2)
    }))

  it.effect("go on with checks, and create for no waiter before resume", () =>
    Effect.gen(function*() {
      const { made, pool, stats } = yield* lab({
        min: 1,
        max: 3,
        healthInterval: 1000,
        healthCheck: ({ id }) => Effect.succeed(id > 0)
      })
      yield* Pool.awaitReady(pool)
      yield* Pool.suspend(pool)
      yield* Effect.forkScoped(Pool.use(pool, () => Effect.void))
      yield* Effect.forkScoped(Pool.use(pool, () => Effect.void))
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(made, [0, 1])
      assert.strictEqual((yield* stats).destroyed.unhealthy, 1)
      yield* Pool.resume(pool)
      yield* calm
      assert.strictEqual((yield* stats).borrowed, 2)
    }))

  it.effect("twice is once", () =>
    Effect.gen(function*() {
      const { events, pool } = yield* lab({ min: 1, max: 1 })
      yield* Pool.resume(pool)
      yield* Pool.suspend(pool)
      yield* Pool.suspend(pool)
      yield* Pool.resume(pool)
      yield* Pool.resume(pool)
      yield* Pool.use(pool, () => Effect.void)
      yield* calm
      assert.deepStrictEqual(events.map((event) => event._tag).slice(0, 2), ["Suspended", "Resumed"])
    }))
})

describe("evict, resize, suspend and resume on a closed pool", () => {
  it.effect("do nothing", () =>
    Effect.gen(function*() {
      const { events, made, pool, stats } = yield* lab({ min: 1, max: 2 })
      yield* Pool.awaitReady(pool)
      yield* Pool.shutdown(pool)
      const before = yield* stats
      yield* Pool.evict(pool)
      yield* Pool.resize(pool, { min: 2 })
      yield* Pool.suspend(pool)
      yield* Pool.resume(pool)
      yield* Pool.invalidate(pool, { id: 0 })
      yield* calm
      assert.deepStrictEqual(yield* stats, before)
      assert.deepStrictEqual(made, [0])
      assert.strictEqual(events.at(-1)?._tag, "Closed")
    }))
})

describe("an outage and what is done to the pool meanwhile", () => {
  it.effect("evict while an attempt is under way begins the next one at once, and counts no failure", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({
        min: 1,
        max: 1,
        createRetry: Schedule.spaced(1000),
        create: (id) => id === 0 ? Effect.fail("down") : id === 1 ? Effect.never : Effect.void
      })
      yield* TestClock.adjust(1000)
      assert.deepInclude(yield* stats, { creating: 1, createFailures: 1 })
      yield* Pool.evict(pool)
      yield* calm
      assert.deepInclude(yield* stats, { creating: 0, createFailures: 1, idle: 1 })
    }))

  it.effect("resize to no minimum ends the attempts, and back begins them again", () =>
    Effect.gen(function*() {
      const attempts: Array<number> = []
      const { pool } = yield* lab({
        min: 1,
        max: 1,
        createRetry: Schedule.spaced(1000),
        create: (id) => Effect.andThen(Effect.sync(() => attempts.push(id)), Effect.fail("down"))
      })
      yield* TestClock.adjust(500)
      yield* Pool.resize(pool, { min: 0 })
      yield* TestClock.adjust(10_000)
      assert.deepStrictEqual(attempts, [0])
      yield* Pool.resize(pool, { min: 1 })
      yield* calm
      assert.deepStrictEqual(attempts, [0, 1])
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(attempts, [0, 1, 2])
    }))
})
