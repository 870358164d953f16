import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { KeyedPool, PoolError } from "../../src/index.ts"
import { ended, logs, poolError, settle, start } from "../utils.ts"
import { borrow, lab, touch } from "./kit.ts"

const timeout = (error: PoolError.PoolError): PoolError.BorrowTimeout => {
  assert.instanceOf(error.reason, PoolError.BorrowTimeout)
  return error.reason as PoolError.BorrowTimeout
}

describe("stats", () => {
  it.effect("are those of the whole, with every object and every key", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({
        max: 8,
        maxPerKey: 3,
        name: "app/Tenants",
        create: (key) => key === "slow" ? Effect.never : Effect.void,
        destroy: ({ id }) => id === 2 ? Effect.never : Effect.void,
        describe: ({ id }, key) => ({ text: `${key}/${id}` })
      })
      yield* borrow(pool, "a")
      yield* touch(pool, "a")
      const third = yield* borrow(pool, "b")
      yield* KeyedPool.invalidate(pool, "b", third.object)
      yield* start(third.giveBack)
      yield* start(borrow(pool, "slow"))
      const stats = yield* KeyedPool.stats(pool)
      assert.deepInclude(stats, {
        name: "app/Tenants",
        max: 8,
        size: 2,
        idle: 1,
        inUse: 1,
        creating: 1,
        destroying: 1,
        waiting: 1,
        suspended: false,
        closed: false,
        created: 3,
        borrowed: 3,
        returned: 2
      })
      assert.notProperty(stats, "min")
      assert.deepStrictEqual(stats.keys, [
        { key: "a", size: 2, idle: 1, inUse: 1, creating: 0, destroying: 0, waiting: 0 },
        { key: "b", size: 0, idle: 0, inUse: 0, creating: 0, destroying: 1, waiting: 0 },
        { key: "slow", size: 0, idle: 0, inUse: 0, creating: 1, destroying: 0, waiting: 1 }
      ])
      assert.deepStrictEqual(
        stats.objects.map(({ holders, id, key, object, state, uses }) => ({
          id,
          key,
          state,
          uses,
          object,
          holders: holders.map(({ id, key }) => ({ id, key }))
        })),
        [
          { id: 0, key: "a", state: "inUse", uses: 1, object: { text: "a/0" }, holders: [{ id: 0, key: "a" }] },
          { id: 1, key: "a", state: "idle", uses: 1, object: { text: "a/1" }, holders: [] }
        ]
      )
      yield* TestClock.adjust("30 seconds")
    }))

  it.effect("are JSON", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: Infinity })
      yield* borrow(pool, "a")
      const codec = Schema.toCodecJson(KeyedPool.Stats)
      const stats = yield* KeyedPool.stats(pool)
      const json = JSON.stringify(yield* Schema.encodeEffect(codec)(stats))
      assert.deepStrictEqual(yield* Schema.decodeUnknownEffect(codec)(JSON.parse(json)), stats)
    }))

  it.effect("name keys by their text, plain objects by their JSON", () =>
    Effect.gen(function*() {
      class Shard {
        readonly number: number
        constructor(number: number) {
          this.number = number
        }
        toString() {
          return `shard ${this.number}`
        }
      }
      const { pool } = yield* lab<unknown>({ max: 20 })
      const silent = { toJSON: () => undefined }
      const circular: Record<string, unknown> = {}
      circular["self"] = circular
      const keys = [
        "a",
        1,
        2n,
        Symbol("s"),
        undefined,
        null,
        true,
        new Shard(3),
        { tenant: "a" },
        ["a", "b"],
        silent,
        circular
      ]
      for (const key of keys) yield* touch(pool, key)
      const stats = yield* KeyedPool.stats(pool)
      assert.deepStrictEqual(stats.keys.map(({ key }) => key), [
        "a",
        "1",
        "2",
        "Symbol(s)",
        "undefined",
        "null",
        "true",
        "shard 3",
        "{\"tenant\":\"a\"}",
        "a,b",
        "[object Object]",
        "unreadable key"
      ])
      assert.deepStrictEqual(stats.objects.map(({ key }) => key), stats.keys.map(({ key }) => key))
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), keys)
    }))

  it.effect("totals keep what keys counted that are no more", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({
        max: 4,
        destroyTimeout: "1 second",
        destroy: ({ key }) => key === "stuck" ? Effect.never : Effect.void,
        create: (key) => key === "fails" ? Effect.fail("no") : Effect.void,
        createRetry: Schedule.spaced("1 second"),
        onReturn: (_thing, _exit, key) => key === "unreturned" ? Effect.fail("no") : Effect.void
      })
      for (const key of ["fine", "stuck", "fails", "unreturned"]) yield* Effect.exit(touch(pool, key))
      yield* KeyedPool.evict(pool)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
      const { borrowed, createFailures, created, destroyed, hookFailures, returned } = yield* KeyedPool.stats(pool)
      assert.deepStrictEqual({ borrowed, createFailures, created, hookFailures, returned }, {
        borrowed: 3,
        createFailures: 1,
        created: 3,
        // the return hook, and the finalizers that were left to themselves
        hookFailures: 2,
        returned: 3
      })
      assert.deepInclude(destroyed, { evicted: 2, failed: 1 })
    }))
})

describe("errors", () => {
  it.effect("a BorrowTimeout names the key, and has the numbers and the holders of the whole", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 3, name: "app/Tenants" })
      const holding = yield* start(
        Effect.withSpan(KeyedPool.use(pool, "b", () => Effect.sleep("1 hour")), "GET /users")
      )
      yield* TestClock.adjust("7300 millis")
      yield* borrow(pool, "c")
      yield* borrow(pool, "c")
      yield* start(borrow(pool, "d", "10 seconds"))
      const late = yield* start(borrow(pool, "a", "5 seconds"))
      yield* TestClock.adjust("5 seconds")
      const error = poolError(ended(late))
      assert.strictEqual(error.pool, "app/Tenants")
      assert.strictEqual(error.key, "a")
      const reason = timeout(error)
      const { creating, destroying, holders, inUse, max, size, waiting } = reason
      assert.deepStrictEqual({ creating, destroying, inUse, max, size, waiting }, {
        creating: 0,
        destroying: 0,
        inUse: 3,
        max: 3,
        size: 3,
        waiting: 2
      })
      assert.deepStrictEqual(holders.map(({ heldFor, key }) => [key, Duration.toMillis(heldFor)]), [
        ["b", 12300],
        ["c", 5000],
        ["c", 5000]
      ])
      assert.strictEqual(
        error.message,
        "Pool \"app/Tenants\", key \"a\": no object within 5s (3 of 3 in use, 2 waiting, " +
          `longest held 12.3s by fiber #${holding.id} in span "GET /users")`
      )
      yield* Fiber.interrupt(holding)
    }))

  it.effect("the last creation failure in it is the key's own", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({
        max: 1,
        createRetry: Schedule.spaced("1 minute"),
        create: (key) => key === "c" ? Effect.void : Effect.fail(`no ${key}`)
      })
      for (const key of ["a", "b"]) yield* Effect.exit(touch(pool, key))
      yield* borrow(pool, "c")
      const late = []
      for (const key of ["a", "b", "c"]) late.push(yield* start(borrow(pool, key, "1 second")))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(late.map((fiber) => timeout(poolError(ended(fiber))).lastFailure), [
        "Error: no a",
        "Error: no b",
        undefined
      ])
      assert.deepStrictEqual(late.map((fiber) => poolError(ended(fiber)).key), ["a", "b", "c"])
    }))

  it.effect("CreateTimeout, QueueFull, Revoked and Closed name the key", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({
        max: 4,
        maxPerKey: 1,
        maxWaiting: 0,
        createTimeout: "1 second",
        borrowLimit: "2 seconds",
        create: (key) => key === "slow" ? Effect.never : Effect.void
      })
      const slow = yield* start(borrow(pool, "slow"))
      const revoked = yield* start(KeyedPool.use(pool, "long", () => Effect.never))
      const full = poolError(yield* Effect.exit(borrow(pool, "long")))
      yield* TestClock.adjust("2 seconds")
      yield* KeyedPool.shutdown(pool)
      const closed = poolError(yield* Effect.exit(borrow(pool, "new")))
      assert.deepStrictEqual(
        [full, poolError(ended(slow)), poolError(ended(revoked)), closed].map(({ key, reason }) => [key, reason._tag]),
        [["long", "QueueFull"], ["slow", "CreateTimeout"], ["long", "Revoked"], ["new", "Closed"]]
      )
      const { reason } = poolError(ended(revoked))
      assert.strictEqual(reason._tag === "Revoked" ? reason.holder.key : undefined, "long")
      assert.include(closed.message, "Pool \"pool\", key \"new\": ")
    }))

  it.effect("a failed creation is each key's own E", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 4, create: (key) => Effect.fail(`no ${key}`) })
      const failing = []
      for (const key of ["a", "b", "a"]) failing.push(yield* Effect.exit(borrow(pool, key, "1 second")).pipe(start))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(failing.map((fiber) => ended(fiber)).slice(0, 2), [
        Exit.succeed(Exit.fail("no a")),
        Exit.succeed(Exit.fail("no b"))
      ])
    }))
})

describe("events", () => {
  it.effect("about one key carry it, those about the whole none", () =>
    Effect.gen(function*() {
      const { events, pool } = yield* lab({
        max: 2,
        maxPerKey: 1,
        maxWaiting: 1,
        name: "app/Tenants",
        borrowWarning: "1 second",
        borrowLimit: "2 seconds",
        createRetry: Schedule.spaced("1 second"),
        create: (key) => key === "fails" ? Effect.fail("no") : Effect.void,
        healthCheck: (_, key) => Effect.succeed(key !== "ill"),
        healthAfterIdle: 0
      })
      yield* Effect.exit(touch(pool, "fails"))
      const using = yield* start(KeyedPool.use(pool, "long", () => Effect.never))
      const late = yield* start(borrow(pool, "long", "500 millis"))
      yield* Effect.exit(borrow(pool, "long"))
      yield* TestClock.adjust("500 millis")
      const leaving = yield* start(borrow(pool, "long"))
      yield* Fiber.interrupt(leaving)
      yield* TestClock.adjust("2 seconds")
      yield* touch(pool, "ill")
      yield* start(touch(pool, "ill"))
      yield* TestClock.adjust("1 second")
      yield* KeyedPool.suspend(pool)
      yield* KeyedPool.resume(pool)
      yield* KeyedPool.evictKey(pool, "ill")
      yield* KeyedPool.evictKey(pool, "unknown")
      yield* KeyedPool.evict(pool)
      yield* KeyedPool.resize(pool, { max: 5, minPerKey: 1 })
      yield* KeyedPool.shutdown(pool)
      yield* settle
      for (const event of events) assert.strictEqual(event.pool, "app/Tenants")
      assert.deepStrictEqual(
        events.map((event) => event.key === undefined ? event._tag : `${event._tag} ${event.key}`),
        [
          "CreateFailed fails",
          "Created long",
          "Borrowed long",
          "Rejected long",
          "TimedOut long",
          "Cancelled long",
          "Overdue long",
          "Revoked long",
          "Returned long",
          "Destroyed long",
          "Created ill",
          "Borrowed ill",
          "Returned ill",
          "Unhealthy ill",
          "Destroyed ill",
          "Created ill",
          "Borrowed ill",
          "Returned ill",
          "Suspended",
          "Resumed",
          "Evicted ill",
          "Destroyed ill",
          "Evicted",
          "Resized",
          "Closed"
        ]
      )
      const resized = events.find((event) => event._tag === "Resized")
      assert.deepInclude(resized, { min: 1, max: 5 })
      assert.isDefined(ended(using))
      assert.isDefined(ended(late))
    }))

  it.effect("end when the pool has closed", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 2 })
      const listening = yield* start(Stream.runCollect(KeyedPool.events(pool)))
      yield* touch(pool, "a")
      yield* KeyedPool.shutdown(pool)
      yield* settle
      const exit = ended(listening)
      assert.deepStrictEqual(
        exit?._tag === "Success" ? Array.from(exit.value, ({ _tag, key }) => [_tag, key]) : exit,
        [["Created", "a"], ["Borrowed", "a"], ["Returned", "a"], ["Destroyed", "a"], ["Closed", undefined]]
      )
    }))
})

describe("metrics and logs", () => {
  it.effect("a keyed pool is one series, its minimum that of every key that exists", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 9, minPerKey: 2, name: "app/Tenants" })
      for (const key of ["a", "b", "c"]) yield* touch(pool, key)
      yield* KeyedPool.evictKey(pool, "c")
      yield* borrow(pool, "a")
      const found = (yield* Metric.snapshot).filter(({ attributes }) => attributes?.["pool.name"] === "app/Tenants")
      const value = (id: string, name = "", attribute = "") => {
        const [only, ...others] = found.filter((each) =>
          each.id === id && each.attributes?.[name] === (attribute || undefined)
        )
        assert.strictEqual(others.length, 0)
        return only !== undefined && "count" in only.state ? only.state.count : only?.state
      }
      assert.deepStrictEqual(value("pool_objects_min"), { value: 4 })
      assert.deepStrictEqual(value("pool_objects_max"), { value: 9 })
      assert.deepStrictEqual(value("pool_objects", "state", "idle"), { value: 3 })
      assert.deepStrictEqual(value("pool_objects", "state", "used"), { value: 1 })
      assert.strictEqual(value("pool_created_total"), 6)
      assert.strictEqual(value("pool_destroyed_total", "reason", "evicted"), 2)
      yield* KeyedPool.shutdown(pool)
      assert.deepStrictEqual(
        (yield* Metric.snapshot).filter(({ attributes }) => attributes?.["pool.name"] === "app/Tenants"),
        []
      )
    }))

  it.effect("warnings about one key are annotated with it", () => {
    const logged = logs()
    return Effect.gen(function*() {
      const { pool } = yield* lab({ max: 2, name: "app/Tenants", create: () => Effect.fail("no") })
      yield* Effect.exit(touch(pool, "a"))
      yield* settle
      assert.deepStrictEqual(logged.entries.map(({ annotations, level }) => ({ annotations, level })), [
        { annotations: { "pool.name": "app/Tenants", "pool.key": "a" }, level: "Warn" }
      ])
    }).pipe(Effect.provide(logged.layer))
  })

  it.effect("nested borrowing is warned of across keys, only where nothing but a return can help", () => {
    const logged = logs()
    return Effect.gen(function*() {
      const { pool } = yield* lab({ max: 2, maxPerKey: 1 })
      yield* touch(pool, "idle")
      yield* KeyedPool.use(pool, "a", () => touch(pool, "b"))
      assert.deepStrictEqual(logged.entries, [])
      const nested = yield* start(KeyedPool.use(pool, "a", () => touch(pool, "a")))
      yield* settle
      assert.strictEqual(logged.entries.length, 1)
      assert.include(logged.entries[0]!.message, "nested borrowing can lock up the pool")
      yield* Fiber.interrupt(nested)
      yield* KeyedPool.resize(pool, { max: 1 })
      const across = yield* start(KeyedPool.use(pool, "a", () => touch(pool, "b")))
      yield* settle
      assert.strictEqual(logged.entries.length, 2)
      assert.include(logged.entries[1]!.annotations, { "pool.key": "b" })
      yield* Fiber.interrupt(across)
    }).pipe(Effect.provide(logged.layer))
  })
})
