import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Deferred, Duration, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { KeyedPool, Pool } from "proxy-pattern-pool"
import { ended, hold, logs, settle, start, Workshop } from "./utils.ts"

/** Everything that is told from now on. */
const listen = <A, E>(pool: Pool.Pool<A, E>) =>
  Effect.gen(function*() {
    const told: Array<Pool.Event> = []
    const fiber = yield* start(Stream.runForEach(Pool.events(pool), (event) => Effect.sync(() => told.push(event))))
    return { fiber, told, tags: Effect.as(settle, told).pipe(Effect.map((told) => told.map(({ _tag }) => _tag))) }
  })

const make = (options: Partial<Pool.Options<unknown>> = {}) =>
  Pool.make<unknown, never, never>({ acquire: Effect.succeed({}), min: 0, max: 1, ...options })

describe("Pool.events", () => {
  it.effect("tells one object's life, with its number and what describe says of it", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({
        name: "app/Database",
        acquire: workshop.after(5),
        min: 0,
        max: 1,
        maxUses: 1,
        describe: ({ id }) => `thing ${id}`
      })
      const { fiber, told } = yield* listen(pool)
      const borrower = yield* start(hold(pool, 30))
      yield* TestClock.adjust(5)
      yield* TestClock.adjust(30)
      yield* Fiber.join(borrower)
      yield* Pool.shutdown(pool)
      yield* Fiber.join(fiber)
      const about = { pool: "app/Database", id: 0, object: "thing 0" }
      assert.deepStrictEqual(told, [
        { _tag: "Created", ...about, at: 5, took: Duration.millis(5) },
        { _tag: "Borrowed", ...about, at: 5, waited: Duration.millis(5) },
        { _tag: "Returned", ...about, at: 35, held: Duration.millis(30) },
        { _tag: "Destroyed", ...about, at: 35, reason: "uses" },
        { _tag: "Closed", pool: "app/Database", at: 35 }
      ])
    }))

  it.effect("tells what borrowers met, and what was asked of the pool", () =>
    Effect.gen(function*() {
      const pool = yield* make({ maxWaiting: 1 })
      const { told, tags } = yield* listen(pool)
      const holder = yield* start(hold(pool, 1000))
      yield* start(Effect.exit(Pool.use(pool, () => Effect.void, { timeout: 10 })))
      yield* Effect.exit(Pool.use(pool, () => Effect.void))
      yield* TestClock.adjust(10)
      const impatient = yield* start(Pool.use(pool, () => Effect.void))
      yield* Fiber.interrupt(impatient)
      yield* Pool.resize(pool, { max: 3 })
      yield* Pool.suspend(pool)
      yield* Pool.suspend(pool)
      yield* Pool.resume(pool)
      yield* Pool.evict(pool)
      yield* TestClock.adjust(990)
      yield* Fiber.join(holder)
      assert.deepStrictEqual(yield* tags, [
        "Created",
        "Borrowed",
        "Rejected",
        "TimedOut",
        "Cancelled",
        "Resized",
        "Suspended",
        "Resumed",
        "Evicted",
        "Returned",
        "Destroyed"
      ])
      assert.deepStrictEqual(told[5], { _tag: "Resized", pool: "pool", at: 10, min: 0, max: 3 })
      assert.deepStrictEqual(told[3], { _tag: "TimedOut", pool: "pool", at: 10 })
    }))

  it.effect("tells of a creation that failed: the cause, and the number that the object would have had", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.fail("down"), min: 0, max: 1 })
      const { told, tags } = yield* listen(pool)
      yield* Effect.exit(Pool.use(pool, () => Effect.void))
      assert.deepStrictEqual(yield* tags, ["CreateFailed"])
      assert.deepStrictEqual(told, [{ _tag: "CreateFailed", pool: "pool", at: 0, id: 0, cause: Cause.fail("down") }])
    }))

  it.effect("tells who is overdue and who is revoked, before the return and the destruction", () =>
    Effect.gen(function*() {
      const pool = yield* make({ borrowWarning: 100, borrowLimit: 200 })
      const { told, tags } = yield* listen(pool)
      const body = Effect.withSpan(Effect.exit(hold(pool, 1000)), "GET /slow")
      const borrower = yield* start(body)
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(yield* tags, ["Created", "Borrowed", "Overdue", "Revoked", "Returned", "Destroyed"])
      const [, , overdue, revoked, returned, destroyed] = told
      assert(overdue?._tag === "Overdue" && revoked?._tag === "Revoked")
      assert.strictEqual(overdue.holder.fiber, borrower.id)
      assert.strictEqual(overdue.holder.span, "GET /slow")
      assert.deepStrictEqual(overdue.holder.heldFor, Duration.millis(100))
      assert.deepStrictEqual(revoked.holder.heldFor, Duration.millis(200))
      assert.strictEqual(revoked.at, 200)
      assert(returned?._tag === "Returned" && destroyed?._tag === "Destroyed")
      assert.deepStrictEqual(returned.held, Duration.millis(200))
      assert.strictEqual(destroyed.reason, "revoked")
    }))

  it.effect("tells Unhealthy before Destroyed", () =>
    Effect.gen(function*() {
      const pool = yield* make({ min: 1, healthCheck: () => Effect.succeed(false), healthInterval: 100 })
      const { tags, told } = yield* listen(pool)
      yield* TestClock.adjust(100)
      assert.deepStrictEqual((yield* tags).slice(0, 2), ["Unhealthy", "Destroyed"])
      assert.deepStrictEqual(told[0], { _tag: "Unhealthy", pool: "pool", at: 100, id: 0 })
    }))

  it.effect("tells that finalizers were left behind before it tells Closed", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const pool = yield* Scope.provide(
        make({ min: 1, acquire: Effect.acquireRelease(Effect.succeed({}), () => Effect.never), shutdownTimeout: 1000 }),
        scope
      )
      const { fiber, tags } = yield* listen(pool)
      yield* start(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(yield* tags, [])
      yield* TestClock.adjust(1)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(yield* tags, ["Destroyed", "Closed"])
    }))

  it.effect("tells of a pool that closes around its holders, Closed last, and ends", () =>
    Effect.gen(function*() {
      const pool = yield* make({ shutdownTimeout: 1000 })
      const { fiber, tags } = yield* listen(pool)
      yield* start(hold(pool, 5000))
      yield* start(Effect.exit(hold(pool, 0)))
      yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust(1000)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(yield* tags, ["Created", "Borrowed", "Returned", "Destroyed", "Closed"])
    }))

  it.effect("ends at once, and tells nothing, when the pool has closed", () =>
    Effect.gen(function*() {
      const pool = yield* make()
      yield* Pool.shutdown(pool)
      assert.deepStrictEqual(yield* Stream.runCollect(Pool.events(pool)), [])
    }))

  it.effect("costs nothing while nobody listens: describe is called for a listener, once for each event", () =>
    Effect.gen(function*() {
      let described = 0
      const pool = yield* make({ describe: () => described++ })
      yield* hold(pool, 0)
      assert.strictEqual(described, 0)
      const one = yield* listen(pool)
      const other = yield* listen(pool)
      yield* hold(pool, 0)
      yield* settle
      assert.strictEqual(described, 2)
      assert.deepStrictEqual(one.told, other.told)
      yield* Fiber.interrupt(one.fiber)
      yield* hold(pool, 0)
      yield* settle
      assert.strictEqual(described, 4)
      assert.strictEqual(one.told.length, 2)
      assert.strictEqual(other.told.length, 4)
      yield* Fiber.interrupt(other.fiber)
      yield* hold(pool, 0)
      assert.strictEqual(described, 4)
    }))

  it.effect("is from the moment of listening on, each time the stream is run", () =>
    Effect.gen(function*() {
      const pool = yield* make()
      const events = Pool.events(pool)
      yield* hold(pool, 0)
      const first = yield* start(Stream.runCollect(Stream.take(events, 1)))
      yield* hold(pool, 0)
      assert.deepStrictEqual((yield* Fiber.join(first)).map(({ _tag }) => _tag), ["Borrowed"])
      const second = yield* start(Stream.runCollect(Stream.take(events, 2)))
      yield* hold(pool, 0)
      assert.deepStrictEqual((yield* Fiber.join(second)).map(({ _tag }) => _tag), ["Borrowed", "Returned"])
    }))

  it.effect("keeps the last 1,024 for a listener that is behind, and never slows the pool", () =>
    Effect.gen(function*() {
      const pool = yield* make()
      const gate = yield* Deferred.make<void>()
      const told: Array<Pool.Event> = []
      const slow = yield* start(
        Stream.runForEach(Pool.events(pool), (event) => {
          told.push(event)
          return Deferred.await(gate)
        })
      )
      yield* hold(pool, 0)
      yield* settle
      assert.strictEqual(told.length, 1)
      for (let at = 1; at <= 2000; at++) {
        yield* TestClock.setTime(at)
        yield* Pool.use(pool, () => Effect.void)
      }
      yield* Pool.shutdown(pool)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(slow)
      assert.strictEqual(told.length, 1 + 1024)
      // the last are Returned, Destroyed and Closed: what is missing is the oldest
      assert.deepStrictEqual(
        told.slice(1).map(({ _tag, at }) => `${_tag} ${at}`),
        [
          ...Array.from({ length: 511 }, (_, index) => 1490 + index).flatMap((
            at
          ) => [`Borrowed ${at}`, `Returned ${at}`]),
          "Destroyed 2000",
          "Closed 2000"
        ]
      )
    }))

  it.effect("says nothing of a destroyed object that cannot be described any more", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const connection = { port: 5432 as number | undefined }
      const pool = yield* Pool.make({
        acquire: Effect.acquireRelease(Effect.succeed(connection), () =>
          Effect.sync(() => {
            connection.port = undefined
          })),
        min: 0,
        max: 1,
        describe: ({ port }) => port!
      })
      const { told, fiber } = yield* listen(pool)
      yield* hold(pool, 0)
      yield* Pool.shutdown(pool)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(told.map((event) => "object" in event ? event.object : undefined), [
        5432,
        5432,
        5432,
        undefined,
        undefined
      ])
      assert.deepStrictEqual(entries, [])
    }).pipe(Effect.provide(layer))
  })

  it.effect("of a pool by key have the key that they are about; those about the whole have none", () =>
    Effect.gen(function*() {
      const pool = yield* KeyedPool.make({ acquire: (key: string) => Effect.succeed(key), max: 2, minPerKey: 0 })
      const told: Array<Pool.Event> = []
      yield* start(Stream.runForEach(KeyedPool.events(pool), (event) => Effect.sync(() => told.push(event))))
      yield* KeyedPool.use(pool, "a", () => Effect.void)
      yield* KeyedPool.resize(pool, { max: 3, minPerKey: 1 })
      yield* KeyedPool.suspend(pool)
      yield* KeyedPool.resume(pool)
      yield* KeyedPool.shutdown(pool)
      yield* settle
      assert.deepStrictEqual(told.map(({ _tag, key }) => [_tag, key]), [
        ["Created", "a"],
        ["Borrowed", "a"],
        ["Returned", "a"],
        ["Resized", undefined],
        ["Suspended", undefined],
        ["Resumed", undefined],
        ["Destroyed", "a"],
        ["Closed", undefined]
      ])
      assert.deepStrictEqual(told[3], { _tag: "Resized", pool: "pool", at: 0, min: 1, max: 3 })
      for (const event of told) if (event.key === undefined) assert.notProperty(event, "key")
    }))

  it.effect("has the time of the pool's clock", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_700_000_000_000)
      const pool = yield* make()
      const { told } = yield* listen(pool)
      yield* hold(pool, 0)
      yield* settle
      assert.deepStrictEqual(told.map(({ at }) => at), [1, 2, 3].map(() => 1_700_000_000_000))
      assert.strictEqual(yield* Clock.currentTimeMillis, 1_700_000_000_000)
    }))

  it.effect("goes on with the pool when a listener fails", () =>
    Effect.gen(function*() {
      const pool = yield* make()
      const broken = yield* start(Effect.exit(Stream.runForEach(Pool.events(pool), () => Effect.die("broken"))))
      const { tags } = yield* listen(pool)
      yield* hold(pool, 0)
      yield* settle
      assert.isTrue(Exit.isSuccess(ended(broken)!))
      yield* hold(pool, 0)
      assert.deepStrictEqual(yield* tags, ["Created", "Borrowed", "Returned", "Borrowed", "Returned"])
    }))
})
