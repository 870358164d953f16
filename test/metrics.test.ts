import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Metric, Scope } from "effect"
import { TestClock } from "effect/testing"
import { KeyedPool, Pool } from "proxy-pattern-pool"
import { hold, settle, start, Workshop } from "./utils.ts"

const boundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

const reasons = [
  "idle",
  "lifetime",
  "uses",
  "unhealthy",
  "invalidated",
  "revoked",
  "evicted",
  "resized",
  "failed",
  "shutdown"
]

/** A registry of its own for what the test makes. */
const apart = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, Metric.MetricRegistry, new Map())

/** All numbers of a pool: `pool_waiting`, `pool_objects{idle}`; of a histogram its count. */
const read = (name = "pool"): Effect.Effect<Readonly<Record<string, number>>> =>
  Effect.map(Metric.snapshot, (snapshot) => {
    const found: Record<string, number> = {}
    for (const { attributes, id, state, type } of snapshot) {
      const { "pool.name": pool, ...more } = attributes ?? {}
      if (pool !== name) continue
      const [detail] = Object.values(more)
      const key = detail === undefined ? id : `${id}{${detail}}`
      assert.notProperty(found, key, "one series")
      found[key] = type === "Gauge" ? Number(state.value) : type === "Counter" ? Number(state.count) : histogram(state)
    }
    return found
  })

const histogram = (state: unknown): number => (state as Metric.HistogramState).count

const waits = (id: string): Effect.Effect<Metric.HistogramState> =>
  Effect.map(Metric.snapshot, (snapshot) => snapshot.find((metric) => metric.id === id)!.state as Metric.HistogramState)

const makeIn = (scope: Scope.Scope, options: Partial<Pool.Options<unknown>> = {}) =>
  Scope.provide(Pool.make({ acquire: Effect.succeed({}), max: 2, ...options }), scope)

describe("the metrics of a pool", () => {
  it.effect("are all there from the start, with the attributes and boundaries that dashboards rely on", () =>
    apart(Effect.gen(function*() {
      yield* Pool.make({ name: "app/Database", acquire: Effect.succeed({}), min: 0, max: 3 })
      const found = (yield* Metric.snapshot).map(({ attributes, id, type }) => ({ attributes, id, type }))
      const named = { "pool.name": "app/Database" }
      const gauge = (id: string, more = {}) => ({ attributes: { ...named, ...more }, id, type: "Gauge" as const })
      const counter = (id: string, more = {}) => ({ attributes: { ...named, ...more }, id, type: "Counter" as const })
      const histogram = (id: string) => ({ attributes: named, id, type: "Histogram" as const })
      assert.sameDeepMembers(found, [
        ...["idle", "used", "creating", "destroying"].map((state) => gauge("pool_objects", { state })),
        gauge("pool_objects_max"),
        gauge("pool_objects_min"),
        gauge("pool_waiting"),
        counter("pool_created_total"),
        counter("pool_create_failures_total"),
        ...reasons.map((reason) => counter("pool_destroyed_total", { reason })),
        counter("pool_timeouts_total"),
        counter("pool_rejected_total"),
        histogram("pool_wait_seconds"),
        histogram("pool_use_seconds"),
        histogram("pool_create_seconds")
      ])
      for (const metric of yield* Metric.snapshot) {
        assert.isString(metric.description)
        if (metric.type === "Counter") assert.deepStrictEqual(metric.state, { count: 0, incremental: true })
        if (metric.type !== "Histogram") continue
        assert.deepStrictEqual(metric.state.buckets, boundaries.map((boundary): [number, number] => [boundary, 0]))
        assert.deepStrictEqual({ ...metric.state, buckets: [] }, { buckets: [], count: 0, max: 0, min: 0, sum: 0 })
      }
    })))

  it.effect("are read when metrics are read: gauges follow the pool without anybody telling them", () =>
    apart(Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({
        acquire: Effect.acquireRelease(workshop.after(100), () => Effect.sleep(1000)),
        min: 1,
        max: 2
      })
      const seen = (now: Readonly<Record<string, number>>) => ({
        idle: now["pool_objects{idle}"],
        used: now["pool_objects{used}"],
        creating: now["pool_objects{creating}"],
        destroying: now["pool_objects{destroying}"],
        waiting: now["pool_waiting"],
        min: now["pool_objects_min"],
        max: now["pool_objects_max"]
      })
      const nothing = { idle: 0, used: 0, creating: 0, destroying: 0, waiting: 0, min: 1, max: 2 }
      assert.deepStrictEqual(seen(yield* read()), { ...nothing, creating: 1 })
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(seen(yield* read()), { ...nothing, idle: 1 })
      const one = yield* start(hold(pool, 500))
      assert.deepStrictEqual(seen(yield* read()), { ...nothing, used: 1 })
      yield* start(hold(pool, 500))
      yield* start(hold(pool, 500))
      assert.deepStrictEqual(seen(yield* read()), { ...nothing, used: 1, creating: 1, waiting: 2 })
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(seen(yield* read()), { ...nothing, used: 2, waiting: 1 })
      yield* Pool.resize(pool, { min: 0, max: 1 })
      yield* TestClock.adjust(400)
      assert.deepStrictEqual(seen(yield* read()), { ...nothing, used: 1, destroying: 1, waiting: 1, min: 0, max: 1 })
      yield* Fiber.join(one)
      const closing = yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(closing)
    })))

  it.effect("count an object that is checked, or on which a hook runs, as used", () =>
    apart(Effect.gen(function*() {
      const pool = yield* Pool.make({
        acquire: Effect.succeed({}),
        max: 1,
        healthCheck: () => Effect.as(Effect.sleep(1000), true),
        healthInterval: "1 minute",
        onReturn: () => Effect.sleep(1000)
      })
      yield* TestClock.adjust("1 minute")
      const { idle, inUse, size } = yield* Pool.stats(pool)
      assert.deepStrictEqual({ idle, inUse, size }, { idle: 0, inUse: 0, size: 1 })
      const checked = yield* read()
      assert.deepStrictEqual([checked["pool_objects{idle}"], checked["pool_objects{used}"]], [0, 1])
      yield* TestClock.adjust(1000)
      yield* start(Pool.use(pool, () => Effect.void))
      const returning = yield* read()
      assert.deepStrictEqual([returning["pool_objects{idle}"], returning["pool_objects{used}"]], [0, 1])
      yield* TestClock.adjust(1000)
      const back = yield* read()
      assert.deepStrictEqual([back["pool_objects{idle}"], back["pool_objects{used}"]], [1, 0])
    })))

  it.effect("count what happened: creations, failures, destructions by reason, timeouts, rejections", () =>
    apart(Effect.gen(function*() {
      let fails = false
      const pool = yield* Pool.make({
        acquire: Effect.suspend(() => fails ? Effect.fail("down") : Effect.succeed({})),
        min: 0,
        max: 1,
        maxWaiting: 1
      })
      const holder = yield* start(hold(pool, "10 seconds"))
      yield* start(Effect.exit(Pool.use(pool, () => Effect.void, { timeout: "1 second" })))
      yield* Effect.exit(Pool.use(pool, () => Effect.void))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(holder)
      yield* Pool.evict(pool)
      fails = true
      yield* Effect.exit(Pool.use(pool, () => Effect.void))
      const found = yield* read()
      assert.strictEqual(found["pool_created_total"], 1)
      assert.strictEqual(found["pool_create_failures_total"], 1)
      assert.strictEqual(found["pool_destroyed_total{evicted}"], 1)
      assert.strictEqual(found["pool_destroyed_total{shutdown}"], 0)
      assert.strictEqual(found["pool_timeouts_total"], 1)
      assert.strictEqual(found["pool_rejected_total"], 1)
    })))

  it.effect("measure in seconds the waits of those who had to wait, also of those who gave up", () =>
    apart(Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed({}), max: 1 })
      yield* Pool.use(pool, () => Effect.void)
      assert.strictEqual((yield* waits("pool_wait_seconds")).count, 0)
      yield* start(hold(pool, "3 seconds"))
      yield* start(Effect.exit(Pool.use(pool, () => Effect.void, { timeout: 100 })))
      const impatient = yield* start(Pool.use(pool, () => Effect.void))
      const served = yield* start(Pool.use(pool, () => Effect.void))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(impatient)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(served)
      const state = yield* waits("pool_wait_seconds")
      assert.deepStrictEqual({ ...state, buckets: [] }, { buckets: [], count: 3, sum: 4.1, min: 0.1, max: 3 })
      assert.deepStrictEqual(
        state.buckets,
        boundaries.map((
          boundary
        ): [number, number] => [boundary, [0.1, 1, 3].filter((wait) => wait <= boundary).length])
      )
    })))

  it.effect("measure no wait of those who need not wait: an object is idle, or is made at once", () =>
    apart(Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed({}), min: 0, max: 2 })
      yield* start(hold(pool, "1 second"))
      yield* Pool.use(pool, () => Effect.void)
      yield* Pool.use(pool, () => Effect.void)
      const failing = yield* Pool.make({ acquire: Effect.fail("down"), min: 0, max: 1 })
      yield* Effect.exit(Pool.use(failing, () => Effect.void))
      assert.strictEqual((yield* waits("pool_wait_seconds")).count, 0)
      const slow = yield* Pool.make({ acquire: Effect.as(Effect.yieldNow, {}), min: 0, max: 1 })
      const waiter = yield* start(Pool.use(slow, () => Effect.void))
      yield* Fiber.join(waiter)
      const checked = yield* Pool.make({
        acquire: Effect.succeed({}),
        max: 1,
        onBorrow: () => Effect.yieldNow
      })
      const prepared = yield* start(Pool.use(checked, () => Effect.void))
      yield* Fiber.join(prepared)
      yield* start(hold(slow, "1 second"))
      yield* Effect.exit(Pool.use(slow, () => Effect.void, { timeout: 0 }))
      assert.strictEqual((yield* waits("pool_wait_seconds")).count, 2)
    })))

  it.effect("measure a borrow once, when it ends, and a creation when it has succeeded", () =>
    apart(Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.as(Effect.sleep(20), {}), max: 1, borrowLimit: "1 minute" })
      yield* TestClock.adjust(20)
      const holder = yield* start(hold(pool, "2 seconds"))
      yield* TestClock.adjust(1999)
      assert.strictEqual((yield* waits("pool_use_seconds")).count, 0)
      yield* TestClock.adjust(1)
      yield* Fiber.join(holder)
      const late = yield* start(Effect.exit(hold(pool, "2 minutes")))
      yield* TestClock.adjust("3 minutes")
      yield* Fiber.join(late)
      const uses = yield* waits("pool_use_seconds")
      assert.deepStrictEqual([uses.count, uses.sum, uses.min, uses.max], [2, 62, 2, 60])
      const creations = yield* waits("pool_create_seconds")
      assert.deepStrictEqual([creations.count, creations.sum], [2, 0.04])
    })))

  it.effect("are not touched by a borrow: nothing is written but the pool's own counts", () =>
    Effect.gen(function*() {
      const registry = new Map()
      const pool = yield* Effect.provideService(
        Pool.make({ acquire: Effect.succeed({}), max: 1 }),
        Metric.MetricRegistry,
        registry
      )
      const before = [...registry.values()]
      // borrowers with another registry: the pool's is the one of the place where it was made
      yield* apart(Effect.gen(function*() {
        yield* Pool.use(pool, () => Effect.void)
        assert.deepStrictEqual(yield* Metric.snapshot, [])
      }))
      assert.deepStrictEqual([...registry.values()], before)
    }))

  it.effect("carry what the context says of all metrics", () =>
    apart(Effect.gen(function*() {
      yield* Pool.make({ acquire: Effect.succeed({}), max: 1 }).pipe(
        Effect.provideService(Metric.CurrentMetricAttributes, { region: "north" })
      )
      yield* Pool.make({ acquire: Effect.succeed({}), max: 1 })
      const waiting = (yield* Metric.snapshot).filter(({ id }) => id === "pool_waiting")
      assert.deepStrictEqual(waiting.map(({ attributes }) => attributes), [
        { "pool.name": "pool", region: "north" },
        { "pool.name": "pool" }
      ])
    })))
})

describe("pools of one name", () => {
  it.effect("add up in one series, in which no counter falls when one of them closes", () =>
    apart(Effect.gen(function*() {
      const first = yield* Scope.make()
      const second = yield* Scope.make()
      const one = yield* makeIn(first, { min: 1, max: 2 })
      const other = yield* makeIn(second, { min: 2, max: 3 })
      yield* hold(one, 0)
      yield* hold(other, 0)
      const both = yield* read()
      assert.strictEqual(both["pool_objects{idle}"], 3)
      assert.strictEqual(both["pool_objects_max"], 5)
      assert.strictEqual(both["pool_objects_min"], 3)
      assert.strictEqual(both["pool_created_total"], 3)
      assert.strictEqual(both["pool_use_seconds"], 2)
      yield* Scope.close(first, Exit.void)
      const left = yield* read()
      assert.strictEqual(left["pool_objects{idle}"], 2)
      assert.strictEqual(left["pool_objects_max"], 3)
      for (const [key, count] of Object.entries(both)) {
        if (!key.endsWith("_total") && !key.endsWith("_seconds")) continue
        assert.isAtLeast(left[key], count, key)
      }
      assert.strictEqual(left["pool_created_total"], 3)
      assert.strictEqual(left["pool_destroyed_total{shutdown}"], 1)
      assert.strictEqual(left["pool_use_seconds"], 2)
      yield* hold(other, 0)
      assert.strictEqual((yield* read())["pool_use_seconds"], 3)
      yield* Scope.close(second, Exit.void)
      assert.deepStrictEqual(yield* Metric.snapshot, [])
      // and a new pool of the name starts at zero
      yield* Pool.make({ acquire: Effect.succeed({}), min: 0, max: 1 })
      assert.strictEqual((yield* read())["pool_created_total"], 0)
    })))

  it.effect("keep the counts of many that came and went while one was open", () =>
    apart(Effect.gen(function*() {
      yield* Pool.make({ acquire: Effect.succeed({}), min: 0, max: 1 })
      for (let count = 1; count <= 5; count++) {
        yield* Effect.scoped(
          Effect.flatMap(Pool.make({ acquire: Effect.succeed({}), max: 1 }), (pool) => hold(pool, 0))
        )
        const now = yield* read()
        assert.strictEqual(now["pool_created_total"], count)
        assert.strictEqual(now["pool_destroyed_total{shutdown}"], count)
        assert.strictEqual(now["pool_use_seconds"], count)
      }
    })))

  it.effect("are counted until they have closed, not only until they begin to close", () =>
    apart(Effect.gen(function*() {
      const scope = yield* Scope.make()
      const pool = yield* makeIn(scope, { max: 1 })
      yield* start(hold(pool, "5 seconds"))
      const closing = yield* start(Scope.close(scope, Exit.void))
      assert.strictEqual((yield* read())["pool_objects{used}"], 1)
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
      yield* settle
      assert.deepStrictEqual(yield* Metric.snapshot, [])
    })))

  it.effect("are removed by shutdown as well, and only then", () =>
    apart(Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed({}), max: 1 })
      yield* Pool.make({ name: "other", acquire: Effect.succeed({}), max: 1 })
      yield* Pool.shutdown(pool)
      yield* Pool.shutdown(pool)
      assert.deepStrictEqual(yield* read(), {})
      assert.strictEqual((yield* read("other"))["pool_objects{idle}"], 1)
    })))

  it.effect("in registries of their own are kept apart", () =>
    Effect.gen(function*() {
      const one = new Map()
      const other = new Map()
      const scope = yield* Scope.make()
      const inOne = Effect.provideService(Metric.MetricRegistry, one)
      const inOther = Effect.provideService(Metric.MetricRegistry, other)
      yield* inOne(makeIn(scope, { max: 1 }))
      yield* inOther(Pool.make({ acquire: Effect.succeed({}), max: 7 }))
      assert.strictEqual((yield* inOne(read()))["pool_objects_max"], 1)
      assert.strictEqual((yield* inOther(read()))["pool_objects_max"], 7)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(one.size, 0)
      assert.strictEqual((yield* inOther(read()))["pool_objects_max"], 7)
    }))

  it.effect("leave nothing behind when the Scope is closed already, or a pool is refused", () =>
    apart(Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      yield* Effect.exit(makeIn(scope))
      yield* Effect.exit(Effect.scoped(Pool.make({ acquire: Effect.succeed({}), max: 0 })))
      assert.deepStrictEqual(yield* Metric.snapshot, [])
    })))

  it.effect("by key are one series: their minimum is that of the keys that exist", () =>
    apart(Effect.gen(function*() {
      const pool = yield* KeyedPool.make({
        acquire: (key: string) => Effect.succeed(key),
        max: 7,
        maxPerKey: 2,
        minPerKey: 1
      })
      const seen = Effect.map(read(), (now) => ({
        idle: now["pool_objects{idle}"],
        used: now["pool_objects{used}"],
        min: now["pool_objects_min"],
        max: now["pool_objects_max"],
        created: now["pool_created_total"],
        borrowed: now["pool_use_seconds"]
      }))
      assert.deepStrictEqual(yield* seen, { idle: 0, used: 0, min: 0, max: 7, created: 0, borrowed: 0 })
      yield* KeyedPool.use(pool, "a", () => Effect.void)
      yield* start(KeyedPool.use(pool, "b", () => Effect.sleep("1 second")))
      assert.deepStrictEqual(yield* seen, { idle: 1, used: 1, min: 2, max: 7, created: 2, borrowed: 1 })
      yield* KeyedPool.evictKey(pool, "a")
      yield* KeyedPool.resize(pool, { max: 5 })
      // the key is no more, and what it counted is kept
      assert.deepStrictEqual(yield* seen, { idle: 0, used: 1, min: 1, max: 5, created: 2, borrowed: 1 })
      assert.strictEqual((yield* read())["pool_destroyed_total{evicted}"], 1)
      yield* TestClock.adjust("1 second")
    })))

  it.effect("may have any name", () =>
    apart(Effect.gen(function*() {
      const names = ["a\"b", "line\nbreak", "<b>", "[\"a\",[]]", "", "ünïcode"]
      for (const name of names) yield* Pool.make({ name, acquire: Effect.succeed({}), max: 1 })
      for (const name of names) assert.strictEqual((yield* read(name))["pool_objects{idle}"], 1)
    })))
})
