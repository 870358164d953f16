import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Pool } from "../src/index.ts"
import {
  checkServes,
  checkStats,
  defectOf,
  ended,
  hold,
  logs,
  reasonOf,
  settle,
  start,
  valueOf,
  Workshop
} from "./utils.ts"

/** The message of the defect that the options are. */
const refusal = (options: object): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(
    Effect.exit(Pool.make({ acquire: Effect.succeed({ id: 0 }), max: 3, ...options })),
    (exit) => defectOf(exit)
  )

const durations = [
  "borrowTimeout",
  "idleTimeToLive",
  "timeToLive",
  "borrowWarning",
  "borrowLimit",
  "healthInterval",
  "healthAfterIdle",
  "healthTimeout",
  "hookTimeout",
  "createTimeout",
  "destroyTimeout",
  "shutdownTimeout"
]

const mayBeZero = ["borrowTimeout", "idleTimeToLive", "healthAfterIdle", "shutdownTimeout"]

const counts = ["max", "concurrency", "maxUses", "maxCreating"]

describe("options", () => {
  it.effect("a pool with wrong options is a defect that names the pool and every one of them with its value", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* refusal({ name: "app/Database", min: 5, maxUses: 0 }),
        "Pool \"app/Database\": min (5) must not exceed max (3); maxUses (0) must be at least 1"
      )
      const message = yield* refusal({
        min: -1,
        max: 2.5,
        concurrency: 0,
        order: "random",
        borrowTimeout: "soon",
        maxWaiting: Number.NaN,
        maxUses: "many",
        idleTimeToLive: -1,
        timeToLive: 0,
        jitter: 1.5,
        healthCheck: true,
        onBorrow: "hook",
        onReturn: 3,
        describe: {},
        maxCreating: -Infinity,
        createRetry: "often"
      })
      assert.match(message, /^Pool "pool": /)
      const problems = [
        "min (-1)",
        "max (2.5)",
        "concurrency (0)",
        "order (\"random\")",
        "borrowTimeout (\"soon\")",
        "maxWaiting (NaN)",
        "maxUses (\"many\")",
        "idleTimeToLive (-1)",
        "timeToLive (0)",
        "jitter (1.5)",
        "healthCheck (true)",
        "onBorrow (\"hook\")",
        "onReturn (3)",
        "describe ({})",
        "maxCreating (-Infinity)",
        "createRetry (\"often\")"
      ]
      for (const problem of problems) assert.include(message, problem)
      assert.strictEqual(message.split("; ").length, problems.length, message)
    }))

  it.effect("max is required, and nothing is said of a min that it cannot be compared with", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* refusal({ max: undefined }), "Pool \"pool\": max (undefined) is required")
      assert.notInclude(yield* refusal({ max: undefined, min: 7 }), "min (7)")
      assert.notInclude(yield* refusal({ max: Number.NaN, min: 7 }), "min (7)")
    }))

  it.effect("counts are whole numbers of at least one, or Infinity", () =>
    Effect.gen(function*() {
      for (const name of counts) {
        for (const value of [0, -1, 1.5, Number.NaN, "2", null, true, -Infinity, 3n]) {
          const message = yield* refusal({ [name]: value })
          assert.include(message, `${name} (`, `${name} ${String(value)}`)
        }
        yield* Pool.make({ acquire: Effect.succeed({ id: 0 }), max: 3, [name]: Infinity })
      }
    }))

  it.effect("min is a whole number from 0 to max, and finite", () =>
    Effect.gen(function*() {
      for (const min of [-1, 0.5, Number.NaN, "1", 4, Infinity]) assert.include(yield* refusal({ min }), "min (")
      assert.include(yield* refusal({ min: Infinity, max: Infinity }), "min (Infinity)")
      for (const min of [0, 1, 3]) yield* Pool.make({ acquire: Effect.succeed({ id: 0 }), max: 3, min })
    }))

  it.effect("maxWaiting may be zero", () =>
    Effect.gen(function*() {
      yield* Pool.make({ acquire: Effect.succeed({ id: 0 }), max: 3, maxWaiting: 0 })
      assert.include(yield* refusal({ maxWaiting: -1 }), "maxWaiting (-1)")
      assert.include(yield* refusal({ maxWaiting: 0.5 }), "maxWaiting (0.5)")
    }))

  it.effect("jitter is a share from 0 to 1", () =>
    Effect.gen(function*() {
      for (const jitter of [-0.1, 1.1, Number.NaN, "0.5", Infinity]) {
        assert.include(yield* refusal({ jitter }), "jitter (")
      }
      for (const jitter of [0, 0.5, 1]) yield* Pool.make({ acquire: Effect.succeed({ id: 0 }), max: 3, jitter })
    }))

  it.effect("durations can be read, are not negative, and are zero only where that means something", () =>
    Effect.gen(function*() {
      for (const name of durations) {
        const misread = [{}, { sec: 1 }, { seconds: Number.NaN }, { seconds: "1" }, [Number.NaN, 0], new Date(0)]
        for (const value of ["soon", Number.NaN, -1, Duration.millis(-1), true, null, "-1 seconds", ...misread]) {
          const message = yield* refusal({ [name]: value })
          assert.include(message, `${name} (`, `${name} ${String(value)}`)
        }
        for (const value of [0, Duration.zero, "0 seconds"]) {
          const options = { acquire: Effect.succeed({ id: 0 }), max: 3, [name]: value }
          if (mayBeZero.includes(name)) yield* Pool.make(options)
          else assert.include(yield* refusal(options), `${name} (`)
        }
        for (const value of [Duration.infinity, Infinity, "2 seconds", 5, [1, 500], { seconds: 3 }]) {
          yield* Pool.make({ acquire: Effect.succeed({ id: 0 }), max: 3, [name]: value })
        }
      }
    }))

  it.effect("borrowWarning must not exceed borrowLimit, and either may be set without the other", () =>
    Effect.gen(function*() {
      const base = { acquire: Effect.succeed({ id: 0 }), max: 3 }
      const message = yield* refusal({ borrowWarning: "3 seconds", borrowLimit: "2 seconds" })
      assert.include(message, "borrowWarning (\"3 seconds\")")
      assert.include(message, "borrowLimit (\"2 seconds\")")
      yield* Pool.make({ ...base, borrowLimit: "2 seconds" })
      yield* Pool.make({ ...base, borrowWarning: "2 seconds" })
      yield* Pool.make({ ...base, borrowWarning: "2 seconds", borrowLimit: "2 seconds" })
      yield* Pool.make({ ...base, borrowWarning: Duration.infinity, borrowLimit: "2 seconds" })
    }))

  it.effect("acquire must be an Effect, and name a string", () =>
    Effect.gen(function*() {
      assert.include(yield* refusal({ acquire: () => Effect.void }), "acquire (a function) must be an Effect")
      assert.include(yield* refusal({ acquire: undefined }), "acquire (undefined) must be an Effect")
      assert.include(yield* refusal({ name: 5 }), "name (5) must be a string")
    }))

  it.effect("an option given as null is wrong", () =>
    Effect.gen(function*() {
      assert.include(yield* refusal({ createRetry: null }), "createRetry (null) must be a Schedule")
      assert.include(yield* refusal({ healthCheck: null }), "healthCheck (null) must be a function")
    }))

  it.effect("an option given as undefined has its default", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({
        acquire: Effect.succeed({ id: 0 }),
        max: 3,
        min: undefined,
        name: undefined,
        borrowTimeout: undefined,
        order: undefined,
        createRetry: undefined,
        healthCheck: undefined
      })
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.min, stats.max, stats.name], [1, 3, "pool"])
    }))

  it.effect("a wrong timeout of one borrow is a defect that names the pool, and borrows nothing", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed({ id: 0 }), max: 1, name: "app/Database" })
      for (const timeout of [-1, Number.NaN, Duration.millis(-3)]) {
        const used = yield* Effect.exit(Pool.use(pool, () => Effect.void, { timeout }))
        assert.include(defectOf(used), "Pool \"app/Database\": timeout (")
        const got = yield* Effect.exit(Effect.scoped(Pool.get(pool, { timeout })))
        assert.include(defectOf(got), "Pool \"app/Database\": timeout (")
      }
      const stats = yield* Pool.stats(pool)
      assert.strictEqual(stats.borrowed, 0)
    }))

  it.effect("new bounds that cannot be are the same defect, and change nothing", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed({ id: 0 }), max: 3, name: "app/Database" })
      assert.strictEqual(
        defectOf(yield* Effect.exit(Pool.resize(pool, { min: 5 }))),
        "Pool \"app/Database\": min (5) must not exceed max (3)"
      )
      assert.include(defectOf(yield* Effect.exit(Pool.resize(pool, { max: 0, min: 0.5 }))), "max (0)")
      assert.include(defectOf(yield* Effect.exit(Pool.resize(pool, { max: 0, min: 0.5 }))), "min (0.5)")
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.min, stats.max], [1, 3])
    }))
})

describe("make", () => {
  it.effect("creates the minimum ahead, side by side and without waiting for it", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.after("1 second"), max: 5, min: 3 })
      const before = yield* Pool.stats(pool)
      assert.deepStrictEqual([before.creating, before.size], [3, 0])
      yield* TestClock.adjust("1 second")
      const after = yield* Pool.stats(pool)
      assert.deepStrictEqual([after.creating, after.size, after.idle, after.created], [0, 3, 3, 3])
    }))

  it.effect("keeps one object by default, and none where min is 0", () =>
    Effect.gen(function*() {
      const one = new Workshop()
      const none = new Workshop()
      yield* Pool.make({ acquire: one.acquire, max: 5 })
      const empty = yield* Pool.make({ acquire: none.acquire, max: 5, min: 0 })
      assert.deepStrictEqual([one.made, none.made], [1, 0])
      yield* Pool.awaitReady(empty)
    }))

  it.effect("gives acquire and the hooks the services of the place where the pool was made", () =>
    Effect.gen(function*() {
      class Prefix extends Context.Service<Prefix, string>()("test/Prefix") {}
      const seen: Array<string> = []
      const acquire = Effect.map(Effect.all([Prefix, Effect.service(Pool.CreationNumber)]), ([prefix, id]) => ({
        id,
        text: `${prefix}${id}`
      }))
      const note = Effect.map(Prefix, (prefix) => seen.push(prefix))
      const pool = yield* Pool.make({ acquire, max: 1, onBorrow: () => note, onReturn: () => note }).pipe(
        Effect.provideService(Prefix, "made")
      )
      const text = yield* Pool.use(pool, (object) => Effect.succeed(object.text)).pipe(
        Effect.provideService(Prefix, "used")
      )
      assert.strictEqual(text, "made0")
      assert.deepStrictEqual(seen, ["made", "made"])
    }))

  it.effect("each object has a Scope of its own, which ends with it", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 2, min: 2 })
      yield* Effect.scoped(Effect.flatMap(Pool.get(pool), (thing) => Pool.invalidate(pool, thing)))
      assert.deepStrictEqual(workshop.unmade, [1])
      assert.strictEqual(workshop.alive, 2, "and another was made for the minimum")
    }))

  it.effect("is a program: each run makes a pool of its own", () =>
    Effect.gen(function*() {
      const make = Pool.make({ acquire: Effect.succeed({}), max: 1 })
      const [a, b] = [yield* make, yield* make]
      assert.notStrictEqual(a, b)
    }))

  it.effect("in a Scope that is closed gives a pool that is closed", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1 }).pipe(Scope.provide(scope))
      assert.strictEqual(reasonOf(yield* Effect.exit(Pool.use(pool, Effect.succeed))), "Closed")
      assert.strictEqual(workshop.made, 0)
    }))

  it.effect("no interruption of the program that made it reaches what the pool does", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const made = yield* Deferred.make<Pool.Pool<{ readonly id: number }>>()
      const scope = yield* Effect.scope
      const maker = yield* Effect.forkChild(
        Pool.make({ acquire: workshop.after("1 second"), max: 1 }).pipe(
          Effect.flatMap((pool) => Deferred.succeed(made, pool)),
          Effect.andThen(Effect.never),
          Scope.provide(scope)
        )
      )
      const pool = yield* Deferred.await(made)
      yield* Fiber.interrupt(maker)
      yield* TestClock.adjust("1 second")
      yield* checkServes(pool, 1)
    }))
})

describe("isPool", () => {
  it.effect("is true of pools only", () =>
    Effect.gen(function*() {
      assert.isTrue(Pool.isPool(yield* Pool.make({ acquire: Effect.void, max: 1 })))
      for (const other of [undefined, null, 0, "pool", {}, [], () => 1, Effect.void, { "~effect/Pool": 1 }]) {
        assert.isFalse(Pool.isPool(other))
      }
    }))

  it.effect("a pool can be piped", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed("object"), max: 2 })
      assert.strictEqual(yield* pool.pipe(Pool.use((object) => Effect.succeed(object.length))), 6)
      assert.strictEqual(yield* pool.pipe(Pool.get), "object")
      yield* pool.pipe(Pool.invalidate("object"))
      yield* pool.pipe(Pool.resize({ max: 3 }))
      const stats = yield* pool.pipe(Pool.stats)
      assert.strictEqual(stats.max, 3)
    }))
})

describe("CreationNumber", () => {
  it.effect("counts the creations that began before, failed ones and those under way too", () =>
    Effect.gen(function*() {
      const numbers: Array<number> = []
      const acquire = Effect.gen(function*() {
        const number = yield* Effect.service(Pool.CreationNumber)
        numbers.push(number)
        yield* Effect.sleep("1 second")
        if (number === 1) return yield* Effect.fail("no")
        return { id: number }
      })
      const pool = yield* Pool.make({ acquire, max: 3, min: 3 })
      assert.deepStrictEqual(numbers, [0, 1, 2])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(numbers, [0, 1, 2, 3])
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual(stats.objects.map((object) => object.id), [0, 2, 3])
    }))

  it.effect("is 0 outside of acquire", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed(1), max: 2, min: 2 })
      assert.strictEqual(yield* Pool.use(pool, () => Effect.service(Pool.CreationNumber)), 0)
    }))

  it.effect("the numbers of two pools are independent, also of a pool that is made in another's acquire", () =>
    Effect.gen(function*() {
      const inner = Effect.gen(function*() {
        const outerNumber = yield* Effect.service(Pool.CreationNumber)
        const pool = yield* Pool.make({ acquire: Effect.service(Pool.CreationNumber), max: 1 })
        return [outerNumber, yield* Pool.use(pool, Effect.succeed)]
      })
      const outer = yield* Pool.make({ acquire: inner, max: 2, min: 2 })
      const seen = yield* Effect.scoped(Effect.all([Pool.get(outer), Pool.get(outer)]))
      assert.deepStrictEqual(seen.toSorted(), [[0, 0], [1, 0]])
    }))
})

describe("awaitReady", () => {
  it.effect("waits until the minimum is alive", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.after("1 second"), max: 3, min: 2, maxCreating: 1 })
      const ready = yield* start(Pool.awaitReady(pool))
      yield* TestClock.adjust(1999)
      assert.isUndefined(ended(ready))
      yield* TestClock.adjust(1)
      yield* Fiber.join(ready)
      yield* Pool.awaitReady(pool)
    }))

  it.effect("fails with the first creation failure from now on, not with an earlier one", () =>
    Effect.gen(function*() {
      let attempts = 0
      const acquire = Effect.suspend(() => Effect.fail(`failure ${++attempts}`)).pipe(Effect.delay("1 second"))
      const pool = yield* Pool.make({ acquire, max: 1 })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(attempts, 1)
      const ready = yield* start(Pool.awaitReady(pool))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(ended(ready), Exit.fail("failure 2"))
    }))

  it.effect("fails with the defect of a creation, and with CreateTimeout", () =>
    Effect.gen(function*() {
      const dying = yield* Pool.make({ acquire: Effect.andThen(Effect.sleep(10), Effect.die("boom")), max: 1 })
      const stuck = yield* Pool.make({ acquire: Effect.never, max: 1, createTimeout: "1 second" })
      const fibers = [yield* start(Pool.awaitReady(dying)), yield* start(Pool.awaitReady(stuck))]
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(ended(fibers[0]!), Exit.die("boom"))
      assert.strictEqual(reasonOf(ended(fibers[1]!)), "CreateTimeout")
    }))

  it.effect("is satisfied when the minimum is lowered to what there is", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().after("1 second"), max: 3, min: 2, maxCreating: 1 })
      yield* TestClock.adjust("1 second")
      const ready = yield* start(Pool.awaitReady(pool))
      assert.isUndefined(ended(ready))
      yield* Pool.resize(pool, { min: 1 })
      yield* settle
      assert.deepStrictEqual(ended(ready), Exit.void)
    }))

  it.effect("fails with Closed when the pool closes, and of a closed pool", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.never, max: 1 })
      const ready = yield* start(Pool.awaitReady(pool))
      yield* Pool.shutdown(pool)
      yield* settle
      assert.strictEqual(reasonOf(ended(ready)), "Closed")
      assert.strictEqual(reasonOf(yield* Effect.exit(Pool.awaitReady(pool))), "Closed")
    }))

  it.effect("can be interrupted, and leaves the pool as it is", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.after("1 second"), max: 1 })
      const ready = yield* start(Pool.awaitReady(pool))
      yield* Fiber.interrupt(ready)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(workshop.made, 1)
    }))

  it.effect("whoever it lets go on may borrow at once, in any way", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().after("1 second"), max: 1, maxWaiting: 0 })
      const waitAndUse = (timeout?: number) =>
        Effect.andThen(
          Pool.awaitReady(pool),
          Pool.use(pool, () => Effect.sleep("1 second"), timeout === undefined ? {} : { timeout })
        )
      const fibers = [yield* start(waitAndUse()), yield* start(waitAndUse(0)), yield* start(waitAndUse())]
      yield* TestClock.adjust("3 seconds")
      assert.isTrue(Exit.isSuccess(ended(fibers[0]!)!), String(ended(fibers[0]!)))
      assert.strictEqual(reasonOf(ended(fibers[1]!)), "QueueFull")
      assert.strictEqual(reasonOf(ended(fibers[2]!)), "QueueFull")
    }))
})

describe("stats", () => {
  it.effect("show what is there now, and every object", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({
        acquire: workshop.after("1 second"),
        max: 3,
        min: 2,
        name: "app/Things",
        describe: (thing) => ({ thing: thing.id })
      })
      yield* TestClock.adjust("1 second")
      yield* start(hold(pool, "1 hour").pipe(Effect.withSpan("work")))
      yield* TestClock.adjust("2 seconds")
      const stats = yield* Pool.stats(pool)
      checkStats(stats)
      assert.deepStrictEqual(
        {
          name: stats.name,
          min: stats.min,
          max: stats.max,
          size: stats.size,
          idle: stats.idle,
          inUse: stats.inUse,
          creating: stats.creating,
          destroying: stats.destroying,
          waiting: stats.waiting,
          suspended: stats.suspended,
          closed: stats.closed
        },
        {
          name: "app/Things",
          min: 2,
          max: 3,
          size: 2,
          idle: 1,
          inUse: 1,
          creating: 0,
          destroying: 0,
          waiting: 0,
          suspended: false,
          closed: false
        }
      )
      const [idle, used] = stats.objects
      assert.deepStrictEqual([idle!.id, idle!.state, idle!.uses, idle!.holders.length], [0, "idle", 0, 0])
      assert.deepStrictEqual(idle!.object, { thing: 0 })
      assert.deepStrictEqual(idle!.age, Duration.seconds(2))
      assert.deepStrictEqual(idle!.since, Duration.seconds(2))
      assert.deepStrictEqual([used!.id, used!.state, used!.uses, used!.holders.length], [1, "inUse", 1, 1])
      const [holder] = used!.holders
      assert.deepStrictEqual([holder!.id, holder!.span, holder!.waiting], [1, "work", false])
      assert.deepStrictEqual(holder!.heldFor, Duration.seconds(2))
      assert.deepStrictEqual(holder!.object, { thing: 1 })
    }))

  it.effect("count what has happened since the start", () =>
    Effect.gen(function*() {
      let attempts = 0
      const workshop = new Workshop()
      const acquire = Effect.suspend(() => ++attempts === 2 ? Effect.fail("no") : workshop.acquire)
      const pool = yield* Pool.make({ acquire, max: 1, min: 0, maxWaiting: 1 })
      yield* hold(pool, 0)
      yield* Effect.scoped(Effect.flatMap(Pool.get(pool), (thing) => Pool.invalidate(pool, thing)))
      assert.deepStrictEqual(yield* Effect.exit(hold(pool, 0)), Exit.fail("no"))
      const holding = yield* start(hold(pool, "1 hour"))
      yield* TestClock.adjust("1 second")
      const waiting = yield* start(hold(pool, 0))
      assert.strictEqual(reasonOf(yield* Effect.exit(hold(pool, 0))), "QueueFull")
      yield* Fiber.interrupt(waiting)
      const impatient = yield* start(Pool.use(pool, Effect.succeed, { timeout: "1 second" }))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(reasonOf(ended(impatient)), "BorrowTimeout")
      const {
        borrowed,
        cancelled,
        created,
        createFailures,
        destroyed,
        healthChecks,
        hookFailures,
        rejected,
        returned,
        timeouts
      } = yield* Pool.stats(pool)
      assert.deepStrictEqual(
        { borrowed, cancelled, created, createFailures, healthChecks, hookFailures, rejected, returned, timeouts },
        {
          borrowed: 3,
          cancelled: 1,
          created: 2,
          createFailures: 1,
          healthChecks: 0,
          hookFailures: 0,
          rejected: 1,
          returned: 2,
          timeouts: 1
        }
      )
      assert.deepStrictEqual(destroyed, {
        idle: 0,
        lifetime: 0,
        uses: 0,
        unhealthy: 0,
        invalidated: 1,
        revoked: 0,
        evicted: 0,
        resized: 0,
        failed: 0,
        shutdown: 0
      })
      yield* Fiber.interrupt(holding)
      const after = yield* Pool.stats(pool)
      assert.deepStrictEqual([after.returned, after.destroyed.failed], [3, 1])
    }))

  it.effect("are JSON, also of a pool without a bound", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed({}), max: Infinity })
      yield* Pool.get(pool)
      const stats = yield* Pool.stats(pool)
      const codec = Schema.toCodecJson(Pool.Stats)
      const text = JSON.stringify(yield* Schema.encodeEffect(codec)(stats))
      const read = yield* Schema.decodeUnknownEffect(codec)(JSON.parse(text))
      assert.deepStrictEqual({ ...read }, { ...stats })
    }))

  it.effect("of a closed pool say so, with what it counted", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed({}), max: 2, min: 2 })
      yield* hold(pool, 0)
      yield* Pool.shutdown(pool)
      const stats = yield* Pool.stats(pool)
      checkStats(stats)
      assert.deepStrictEqual([stats.closed, stats.size, stats.borrowed, stats.destroyed.shutdown], [true, 0, 1, 2])
    }))

  it.effect("an object that a finalizer still holds on to is being destroyed, and takes its place", () =>
    Effect.gen(function*() {
      const acquire = Effect.acquireRelease(Effect.succeed({}), () => Effect.sleep("1 second"))
      const pool = yield* Pool.make({ acquire, max: 1, min: 0 })
      yield* Effect.scoped(Effect.flatMap(Pool.get(pool), (thing) => Pool.invalidate(pool, thing)))
      const during = yield* Pool.stats(pool)
      checkStats(during)
      assert.deepStrictEqual([during.size, during.destroying, during.destroyed.invalidated], [0, 1, 0])
      yield* TestClock.adjust("1 second")
      const after = yield* Pool.stats(pool)
      assert.deepStrictEqual([after.size, after.destroying, after.destroyed.invalidated], [0, 0, 1])
    }))
})

describe("logs", () => {
  it.effect("a healthy life logs nothing at Info or above", () => {
    const { entries, layer } = logs()
    const life = Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().after("1 second"), max: 2, timeToLive: "1 minute" })
      yield* start(Effect.replicateEffect(hold(pool, "3 seconds"), 50, { concurrency: "unbounded" }))
      yield* TestClock.adjust("10 minutes")
      yield* Pool.evict(pool)
      yield* Pool.resize(pool, { max: 1 })
      yield* Pool.suspend(pool)
      yield* Pool.resume(pool)
      yield* start(Effect.timeoutOption(hold(pool, "1 minute"), "2 minutes"))
      yield* TestClock.adjust("10 minutes")
    })
    return Effect.scoped(life).pipe(
      Effect.provide(layer),
      Effect.andThen(Effect.sync(() => assert.deepStrictEqual(entries, [])))
    )
  })

  it.effect("a creation that fails is a warning with the pool's name", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.fail("no"), max: 2, min: 0, name: "app/Database" })
      yield* Effect.exit(hold(pool, 0))
      yield* settle
      assert.deepStrictEqual(entries.map((entry) => entry.level), ["Warn"])
      assert.include(entries[0]!.message, "Pool \"app/Database\"")
      assert.strictEqual(entries[0]!.annotations["pool.name"], "app/Database")
    }).pipe(Effect.provide(layer))
  })
})

describe("layers", () => {
  it.effect("a pool made in a layer lives as long as the layer", () =>
    Effect.gen(function*() {
      class Things extends Context.Service<Things, Pool.Pool<{ readonly id: number }>>()("test/Things") {}
      const workshop = new Workshop()
      const layer = Layer.effect(Things, Pool.make({ acquire: workshop.acquire, max: 2, min: 2 }))
      const program = Effect.flatMap(Things, (pool) => Pool.use(pool, (thing) => Effect.succeed(thing.id)))
      assert.strictEqual(yield* Effect.provide(program, layer), 1)
      assert.strictEqual(workshop.alive, 0)
      assert.strictEqual(workshop.made, 2)
    }))
})

describe("errors of the options", () => {
  it.effect("a pool that was refused makes nothing", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const exit = yield* Effect.exit(Pool.make({ acquire: workshop.acquire, max: 0 }))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.strictEqual(workshop.made, 0)
      assert.isUndefined(valueOf(yield* Effect.forkChild(Effect.void, { startImmediately: true })))
    }))
})
