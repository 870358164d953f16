import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { Pool, type PoolError } from "proxy-pattern-pool"
import { borrow, calm, lab, type LabOptions, type Thing } from "./kit.ts"

type Loss = readonly [
  name: string,
  options: Partial<LabOptions<never, never>>,
  lose: (pool: Pool.Pool<Thing>) => Effect.Effect<unknown, unknown>
]

/** Every way to lose an object without anybody asking for the next one. */
const losses: ReadonlyArray<Loss> = [
  ["an invalidation", {}, (pool) =>
    Effect.gen(function*() {
      const a = yield* borrow(pool)
      yield* a.giveBack
      yield* Pool.invalidate(pool, a.object)
    })],
  ["an invalidation of a borrowed object", {}, (pool) =>
    Effect.gen(function*() {
      const a = yield* borrow(pool)
      yield* Pool.invalidate(pool, a.object)
      yield* a.giveBack
    })],
  ["an eviction", {}, (pool) => Pool.evict(pool)],
  ["its last use", { maxUses: 1 }, (pool) => Pool.use(pool, () => Effect.void)],
  ["the end of its lifetime", { timeToLive: 1000, jitter: 0 }, () => TestClock.adjust(1000)],
  [
    "a failed check",
    { healthInterval: 1000, healthCheck: ({ id }) => Effect.succeed(id > 0) },
    () => TestClock.adjust(1000)
  ],
  [
    "a check that never ends",
    { healthInterval: 1000, healthTimeout: 500, healthCheck: ({ id }) => id > 0 ? Effect.succeed(true) : Effect.never },
    () => TestClock.adjust(1500)
  ],
  [
    "a failed onReturn",
    { onReturn: ({ id }) => id > 0 ? Effect.void : Effect.fail("no") },
    (pool) => Pool.use(pool, () => Effect.void)
  ],
  ["a defect of its holder", {}, (pool) => Effect.exit(Pool.use(pool, () => Effect.die("defect")))],
  [
    "a revocation",
    { borrowLimit: 1000 },
    (pool) => Effect.andThen(Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.never))), TestClock.adjust(1000))
  ],
  ["an interrupted onBorrow", { onBorrow: () => Effect.never }, (pool) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Pool.use(pool, () => Effect.void))
      yield* calm
      yield* Fiber.interrupt(fiber)
    })]
]

describe("min", () => {
  it.effect("is created ahead, in the background, side by side", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 3, max: 5, create: () => Effect.sleep(300) })
      assert.deepInclude(yield* stats, { creating: 3, size: 0 })
      const ready = yield* Effect.forkChild(Pool.awaitReady(pool))
      yield* TestClock.adjust(299)
      assert.isUndefined(ready.pollUnsafe())
      yield* TestClock.adjust(1)
      yield* Fiber.join(ready)
      assert.deepInclude(yield* stats, { idle: 3, created: 3 })
      yield* Pool.awaitReady(pool)
    }))

  it.effect("is one where nothing else is said, and may be zero", () =>
    Effect.gen(function*() {
      const one = yield* lab({ max: 5 })
      const none = yield* lab({ min: 0, max: 5 })
      yield* calm
      assert.deepStrictEqual(one.made, [0])
      assert.deepStrictEqual(none.made, [])
      yield* Pool.awaitReady(none.pool)
    }))

  it.effect("does not stand in the way of maxCreating", () =>
    Effect.gen(function*() {
      const { stats } = yield* lab({ min: 3, max: 5, maxCreating: 1, create: () => Effect.sleep(100) })
      assert.deepInclude(yield* stats, { creating: 1 })
      yield* TestClock.adjust(250)
      assert.deepInclude(yield* stats, { creating: 1, size: 2 })
      yield* TestClock.adjust(50)
      assert.deepInclude(yield* stats, { creating: 0, size: 3 })
    }))

  it.effect.each(losses)("is refilled after %s, without demand", ([, options, lose]) =>
    Effect.gen(function*() {
      const { alive, pool, stats } = yield* lab({ min: 1, max: 1, ...options })
      yield* Pool.awaitReady(pool)
      yield* lose(pool)
      assert.deepStrictEqual(yield* alive, [1])
      assert.deepInclude(yield* stats, { idle: 1, creating: 0, destroying: 0 })
    }))

  it.effect.each(losses)(
    "is refilled after %s when its place is free, and not before",
    ([, options, lose]) =>
      Effect.gen(function*() {
        const { made, pool, stats } = yield* lab({ min: 1, max: 1, destroy: () => Effect.sleep(500), ...options })
        yield* Pool.awaitReady(pool)
        yield* lose(pool)
        assert.deepInclude(yield* stats, { size: 0, creating: 0, destroying: 1 })
        yield* TestClock.adjust(499)
        assert.deepStrictEqual(made, [0])
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(made, [0, 1])
      })
  )

  it.effect.each(losses)(
    "is refilled after %s at once where there is another place",
    ([, options, lose]) =>
      Effect.gen(function*() {
        const { made, pool, stats } = yield* lab({ min: 1, max: 2, destroy: () => Effect.never, ...options })
        yield* Pool.awaitReady(pool)
        yield* lose(pool)
        assert.deepInclude(yield* stats, { size: 1, destroying: 1 })
        assert.deepStrictEqual(made, [0, 1])
      })
  )
})

/** When attempts to create began, one after the other. */
const outage = Effect.fnUntraced(function*(
  options: Partial<Omit<LabOptions<string, never>, "create">>,
  fails: (id: number) => boolean,
  takes: (id: number) => number = () => 0
) {
  const attempts: Array<number> = []
  const made = yield* lab<string>({
    max: 1,
    ...options,
    create: (id) =>
      Effect.clockWith((clock) => {
        attempts.push(clock.currentTimeMillisUnsafe())
        const end = fails(id) ? Effect.fail(`failure ${id}`) : Effect.void
        return takes(id) === 0 ? end : Effect.andThen(Effect.sleep(takes(id)), end)
      })
  })
  return { ...made, attempts }
})

describe("createRetry", () => {
  it.effect("spaces the attempts from the first failure to the first success, without demand", () =>
    Effect.gen(function*() {
      const { attempts, logged, stats } = yield* outage(
        { name: "app/Things", createRetry: Schedule.exponential(100) },
        (id) => id < 4
      )
      yield* TestClock.adjust(99)
      assert.deepStrictEqual(attempts, [0])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(attempts, [0, 100])
      yield* TestClock.adjust(199)
      assert.deepStrictEqual(attempts, [0, 100])
      yield* TestClock.adjust(10_000)
      assert.deepStrictEqual(attempts, [0, 100, 300, 700, 1500])
      assert.deepInclude(yield* stats, { createFailures: 4, created: 1, idle: 1 })
      assert.strictEqual(logged.length, 4)
      for (const { message, poolName } of logged) {
        assert.include(message, "app/Things")
        assert.strictEqual(poolName, "app/Things")
      }
    }))

  it.effect("counts from the latest failure, not from the beginning of its attempt", () =>
    Effect.gen(function*() {
      const { attempts } = yield* outage({ createRetry: Schedule.spaced(100) }, () => true, () => 30)
      yield* TestClock.adjust(400)
      assert.deepStrictEqual(attempts, [0, 130, 260, 390])
    }))

  it.effect("allows one attempt at a time, whatever is missing", () =>
    Effect.gen(function*() {
      const { attempts, pool, stats } = yield* outage(
        { createRetry: Schedule.spaced(100), min: 3, max: 5 },
        (id) => id < 5,
        () => 30
      )
      yield* TestClock.adjust(30)
      assert.strictEqual(attempts.length, 3)
      yield* TestClock.adjust(99)
      assert.deepInclude(yield* stats, { creating: 0, createFailures: 3 })
      yield* TestClock.adjust(1)
      assert.deepInclude(yield* stats, { creating: 1 })
      yield* TestClock.adjust(130)
      assert.deepInclude(yield* stats, { creating: 1, createFailures: 4 })
      yield* TestClock.adjust(130)
      assert.deepInclude(yield* stats, { creating: 1, createFailures: 5 })
      yield* TestClock.adjust(30)
      // a success ends the outage: the rest is created side by side
      assert.deepInclude(yield* stats, { creating: 2, createFailures: 5, size: 1 })
      yield* TestClock.adjust(30)
      assert.deepInclude(yield* stats, { creating: 0, size: 3 })
      assert.deepStrictEqual(attempts, [0, 0, 0, 130, 260, 390, 420, 420])
      assert.strictEqual(yield* Pool.use(pool, () => Effect.succeed(1)), 1)
    }))

  it.effect("starts over after a success", () =>
    Effect.gen(function*() {
      let down = true
      const { attempts, pool } = yield* outage({ createRetry: Schedule.exponential(100) }, () => down)
      yield* TestClock.adjust(500)
      assert.deepStrictEqual(attempts, [0, 100, 300])
      down = false
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(attempts, [0, 100, 300, 700])
      down = true
      yield* Pool.evict(pool)
      yield* TestClock.adjust(300)
      assert.deepStrictEqual(attempts, [0, 100, 300, 700, 700, 800, 1000])
    }))

  it.effect("starts over when it ends", () =>
    Effect.gen(function*() {
      const { attempts } = yield* outage(
        { createRetry: Schedule.upTo(Schedule.exponential(100), { times: 2 }) },
        () => true
      )
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(attempts, [0, 100, 300, 400, 600, 700, 900, 1000])
    }))

  it.effect("without a delay, or one that ends at once, yields between attempts", () =>
    Effect.gen(function*() {
      for (const createRetry of [Schedule.forever, Schedule.recurs(0)]) {
        const { attempts, pool } = yield* outage({ createRetry }, () => true)
        yield* calm
        const before = attempts.length
        assert.isAbove(before, 3)
        assert.isBelow(before, 200)
        yield* calm
        assert.isAbove(attempts.length, before)
        yield* Pool.shutdown(pool)
        const after = attempts.length
        yield* calm
        assert.strictEqual(attempts.length, after)
      }
    }))

  it.effect("doubles from 50 ms to 2 s where nothing else is said, and takes 0.8 to 1.2 of that at random", () =>
    Effect.gen(function*() {
      const { attempts } = yield* outage({}, () => true)
      yield* TestClock.adjust("1 minute")
      const gaps = attempts.slice(1).map((at, i) => at - attempts[i])
      for (const [i, gap] of gaps.entries()) {
        const base = Math.min(50 * 2 ** i, 2000)
        assert.isAtLeast(gap, Math.floor(0.8 * base))
        assert.isAtMost(gap, Math.ceil(1.2 * base))
      }
      assert.isAbove(gaps.length, 25)
      assert.isAbove(new Set(gaps).size, 10)
    }))

  it.effect("sees the failure as its input, and waits as it says", () =>
    Effect.gen(function*() {
      const inputs: Array<unknown> = []
      const createRetry = Schedule.spaced(100).pipe(
        Schedule.modifyDelay(({ duration, input }) => {
          inputs.push(input)
          return Effect.succeed(Duration.sum(duration, Duration.millis(50)))
        })
      )
      const { attempts } = yield* outage({ createRetry }, () => true)
      yield* TestClock.adjust(300)
      assert.deepStrictEqual(attempts, [0, 150, 300])
      assert.deepStrictEqual(inputs, ["failure 0", "failure 1", "failure 2"])
    }))

  it.effect("counts from the failure though it takes a while to say how long to wait", () =>
    Effect.gen(function*() {
      const createRetry = Schedule.spaced(100).pipe(
        Schedule.modifyDelay(({ duration }) => Effect.as(Effect.sleep(30), duration))
      )
      const { attempts } = yield* outage({ createRetry }, () => true)
      yield* TestClock.adjust(350)
      assert.deepStrictEqual(attempts, [0, 100, 200, 300])
    }))

  it.effect("has no say in a later outage, though it takes so long to say how long to wait", () =>
    Effect.gen(function*() {
      const createRetry = Schedule.spaced(0).pipe(
        Schedule.modifyDelay(({ input }) =>
          Effect.as(Effect.sleep(50), Duration.millis(input === "failure 0" ? 10 : 100))
        )
      )
      // the first fails, the second ends its outage, the third begins another
      const { attempts, pool } = yield* outage(
        { createRetry, min: 2, max: 2 },
        (id) => id === 0 || id === 2,
        (id) => id === 0 ? 0 : 10
      )
      yield* TestClock.adjust(119)
      assert.deepStrictEqual(attempts, [0, 0, 10])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(attempts, [0, 0, 10, 120])
      yield* TestClock.adjust(10)
      assert.strictEqual((yield* Pool.stats(pool)).idle, 2)
    }))

  it.effect("that ends only after a later outage has begun leaves the run of that one alone", () =>
    Effect.gen(function*() {
      const createRetry = Schedule.exponential(100).pipe(
        Schedule.while(({ input }) => input === "failure 2" ? Effect.as(Effect.sleep(1000), false) : true)
      )
      // the second ends the first outage, while its schedule takes until 1,100 to end
      const { attempts } = yield* outage(
        { createRetry, min: 2, max: 2 },
        (id) => id !== 1,
        (id) => id === 1 ? 500 : 0
      )
      yield* TestClock.adjust(2000)
      assert.deepStrictEqual(attempts, [0, 0, 100, 500, 600, 800, 1200, 2000])
    }))

  it.effect("that breaks does not stop the attempts", () =>
    Effect.gen(function*() {
      const createRetry = Schedule.spaced(100).pipe(Schedule.modifyDelay(() => Effect.die("defect")))
      const { attempts, pool } = yield* outage({ createRetry }, (id) => id < 3)
      yield* calm
      yield* Pool.awaitReady(pool)
      assert.deepStrictEqual(attempts, [0, 0, 0, 0])
    }))

  it.effect("that breaks after a while says so, and starts over", () =>
    Effect.gen(function*() {
      const createRetry = Schedule.exponential(100).pipe(
        Schedule.modifyDelay(({ duration }) =>
          Duration.toMillis(duration) > 200 ? Effect.die("defect") : Effect.succeed(duration)
        )
      )
      const { attempts, logged } = yield* outage({ createRetry }, () => true)
      yield* TestClock.adjust(599)
      assert.deepStrictEqual(attempts, [0, 100, 300, 400])
      assert.deepStrictEqual(
        logged.map(({ message }) => message).filter((message) => message.includes("createRetry")),
        ["Pool \"pool\": createRetry failed, and starts over"]
      )
    }))

  it.effect("makes a borrower who comes later wait for the next attempt and share its outcome", () =>
    Effect.gen(function*() {
      const { attempts, pool } = yield* outage({ createRetry: Schedule.spaced(100) }, (id) => id < 2)
      yield* TestClock.adjust(50)
      const first = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)))
      const second = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)))
      yield* TestClock.adjust(49)
      assert.isUndefined(first.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(first), "failure 1")
      assert.strictEqual(yield* Fiber.join(second), "failure 1")
      const third = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(third), 2)
      assert.deepStrictEqual(attempts, [0, 100, 200])
    }))

  it.effect("is stepped by a creation that took too long", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({
        min: 1,
        max: 1,
        createTimeout: 1000,
        createRetry: Schedule.spaced(100),
        create: (id) => id === 0 ? Effect.never : Effect.void
      })
      const waiter = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void)))
      yield* TestClock.adjust(1000)
      const error: PoolError.PoolError = yield* Fiber.join(waiter)
      assert.strictEqual(error.reason._tag, "CreateTimeout")
      yield* TestClock.adjust(99)
      assert.deepInclude(yield* stats, { createFailures: 1, size: 0 })
      yield* TestClock.adjust(1)
      assert.deepInclude(yield* stats, { createFailures: 1, size: 1 })
    }))
})

describe("a waiter whose time is over when something else falls due", () => {
  it.effect("is told of the creation that took too long", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ min: 0, max: 1, createTimeout: 1000, create: () => Effect.never })
      const waiter = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void, { timeout: 1000 })))
      yield* TestClock.adjust(1000)
      assert.strictEqual((yield* Fiber.join(waiter)).reason._tag, "CreateTimeout")
    }))

  it.effect("gets nothing of an attempt that begins then", () =>
    Effect.gen(function*() {
      const { attempts, pool, stats } = yield* outage({ createRetry: Schedule.spaced(1000) }, (id) => id === 0)
      const waiter = yield* Effect.forkChild(
        Effect.flip(Pool.use(pool, () => Effect.void, { timeout: 1000 })),
        { startImmediately: true }
      )
      yield* TestClock.adjust(1000)
      const error = yield* Fiber.join(waiter)
      assert.strictEqual(typeof error === "string" ? error : error.reason._tag, "BorrowTimeout")
      assert.deepStrictEqual(attempts, [0, 1000])
      assert.deepInclude(yield* stats, { idle: 1, timeouts: 1 })
    }))
})

describe("objects lost before anybody had them", () => {
  it.effect("to onBorrow space the next creation and step the schedule, while the borrower waits on", () =>
    Effect.gen(function*() {
      const ready: Array<number> = []
      const { pool, stats } = yield* lab({
        min: 0,
        max: 1,
        createRetry: Schedule.exponential(100),
        create: () => Effect.clockWith((clock) => Effect.sync(() => ready.push(clock.currentTimeMillisUnsafe()))),
        onBorrow: ({ id }) => id < 3 ? Effect.fail("no") : Effect.void
      })
      const borrower = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* TestClock.adjust(699)
      assert.deepStrictEqual(ready, [0, 100, 300])
      assert.deepInclude(yield* stats, { waiting: 1, createFailures: 0, hookFailures: 3 })
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(borrower), 3)
      assert.deepStrictEqual(ready, [0, 100, 300, 700])
    }))

  it.effect("to a check on borrow do so too, and the schedule starts over only after a hand-over", () =>
    Effect.gen(function*() {
      const ready: Array<number> = []
      let healthy = false
      const { pool } = yield* lab({
        min: 1,
        max: 1,
        createRetry: Schedule.exponential(100),
        create: () => Effect.clockWith((clock) => Effect.sync(() => ready.push(clock.currentTimeMillisUnsafe()))),
        healthAfterIdle: 0,
        healthCheck: () => Effect.sync(() => healthy),
        onBorrow: () => Effect.sync(() => healthy).pipe(Effect.filterOrFail((healthy) => healthy))
      })
      const borrower = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* TestClock.adjust(300)
      assert.deepStrictEqual(ready, [0, 100, 300])
      healthy = true
      yield* TestClock.adjust(400)
      assert.strictEqual(yield* Fiber.join(borrower), 3)
      healthy = false
      yield* Pool.evict(pool)
      assert.deepStrictEqual(ready, [0, 100, 300, 700, 700])
      yield* Effect.forkScoped(Pool.use(pool, () => Effect.void))
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(ready, [0, 100, 300, 700, 700, 800])
    }))

  it.effect("are not those that somebody had before: what replaces them is created at once", () =>
    Effect.gen(function*() {
      const ready: Array<number> = []
      let lost = -1
      const { pool } = yield* lab({
        min: 0,
        max: 1,
        createRetry: Schedule.spaced(100),
        create: () => Effect.clockWith((clock) => Effect.sync(() => ready.push(clock.currentTimeMillisUnsafe()))),
        onBorrow: ({ id }) => Effect.suspend(() => id === lost ? Effect.fail("no") : Effect.void)
      })
      yield* Pool.use(pool, () => Effect.void)
      lost = 0
      assert.strictEqual(yield* Pool.use(pool, ({ id }) => Effect.succeed(id)), 1)
      assert.deepStrictEqual(ready, [0, 0])
    }))

  it.effect("let idle objects be lent meanwhile: only creations are spaced", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({
        min: 0,
        max: 2,
        createRetry: Schedule.spaced("1 hour"),
        onBorrow: ({ id }) => id === 1 ? Effect.fail("no") : Effect.void
      })
      const a = yield* borrow(pool)
      const waiter = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* calm
      yield* a.giveBack
      assert.strictEqual(yield* Fiber.join(waiter), 0)
    }))
})

describe("awaitReady", () => {
  it.effect("fails as the first creation that fails from now on", () =>
    Effect.gen(function*() {
      const { pool } = yield* outage({ createRetry: Schedule.spaced(100) }, (id) => id < 2)
      yield* TestClock.adjust(50)
      const first = yield* Effect.forkChild(Effect.flip(Pool.awaitReady(pool)))
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(first), "failure 1")
      const second = yield* Effect.forkChild(Pool.awaitReady(pool))
      yield* TestClock.adjust(100)
      yield* Fiber.join(second)
    }))

  it.effect("waits again after a loss, and ends when min is lowered to what is alive", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ min: 2, max: 2, create: (id) => id < 2 ? Effect.void : Effect.sleep(1000) })
      yield* Pool.awaitReady(pool)
      const a = yield* borrow(pool)
      yield* Pool.invalidate(pool, a.object)
      yield* a.giveBack
      const waiting = yield* Effect.forkChild(Pool.awaitReady(pool))
      yield* calm
      assert.isUndefined(waiting.pollUnsafe())
      yield* Pool.resize(pool, { min: 1 })
      yield* calm
      assert.isDefined(waiting.pollUnsafe())
    }))
})
