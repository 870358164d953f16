import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { Pool } from "../src/index.ts"
import type { Thing } from "./utils.ts"
import {
  checkStats,
  countingSleeps,
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

/** Everything that was made has been unmade, and the pool says the same. */
const checkEmpty = (pool: Pool.Pool<Thing, unknown>, workshop: Workshop) =>
  Effect.map(Pool.stats(pool), (stats) => {
    checkStats(stats)
    assert.strictEqual(workshop.alive, 0, "all are destroyed")
    assert.deepStrictEqual([stats.size, stats.creating, stats.destroying, stats.waiting], [0, 0, 0, 0])
    assert.isTrue(stats.closed)
    assert.strictEqual(stats.borrowed, stats.returned)
  })

describe("at once", () => {
  it.effect("new borrowers fail with Closed, poll gives none, and awaitReady fails with Closed", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 2, name: "app/Database" })
      yield* start(hold(pool, "1 second"))
      const closing = yield* start(Pool.shutdown(pool))
      for (const phase of ["closing", "closed"]) {
        const used = yield* Effect.exit(hold(pool, 0))
        assert.strictEqual(reasonOf(used), "Closed", phase)
        assert.strictEqual(reasonOf(yield* Effect.exit(Effect.scoped(Pool.get(pool)))), "Closed", phase)
        assert.isTrue(Option.isNone(yield* Effect.scoped(Pool.poll(pool))), phase)
        assert.strictEqual(reasonOf(yield* Effect.exit(Pool.awaitReady(pool))), "Closed", phase)
        assert.isTrue((yield* Pool.stats(pool)).closed)
        yield* TestClock.adjust("1 second")
      }
      yield* Fiber.join(closing)
      const error = yield* Effect.flip(hold(pool, 0))
      assert.include(error.message, "Pool \"app/Database\": ")
      assert.isFalse(error.isRetryable)
    }))

  it.effect("borrowers that wait fail with Closed", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
      yield* start(hold(pool, "1 second"))
      const waiters = [
        yield* start(hold(pool, 0)),
        yield* start(Effect.scoped(Pool.get(pool))),
        yield* start(Pool.use(pool, Effect.succeed, { timeout: "1 second" }))
      ]
      const closing = yield* start(Pool.shutdown(pool))
      yield* settle
      for (const waiter of waiters) assert.strictEqual(reasonOf(ended(waiter)), "Closed")
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.waiting, stats.cancelled, stats.timeouts], [0, 0, 0])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
    }))

  it.effect("borrowers whose object is being prepared or checked fail with Closed, and its hook is interrupted", () =>
    Effect.gen(function*() {
      for (const hook of ["onBorrow", "healthCheck"] as const) {
        let interrupted = 0
        const stuck = () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
        const workshop = new Workshop()
        const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1, healthAfterIdle: 0, [hook]: stuck })
        const waiter = yield* start(hold(pool, 0))
        const poller = yield* start(Effect.scoped(Pool.poll(pool)))
        assert.isUndefined(ended(waiter))
        const closing = yield* start(Pool.shutdown(pool))
        yield* settle
        assert.strictEqual(reasonOf(ended(waiter)), "Closed", hook)
        assert.deepStrictEqual(valueOf(poller), Option.none())
        assert.strictEqual(interrupted, 1)
        yield* Fiber.join(closing)
        yield* checkEmpty(pool, workshop)
      }
    }))

  it.effect("a poller whose object is being prepared gets none", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1, onBorrow: () => Effect.never })
      const poller = yield* start(Effect.scoped(Pool.poll(pool)))
      yield* Pool.shutdown(pool)
      yield* settle
      assert.deepStrictEqual(valueOf(poller), Option.none())
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("idle objects are destroyed, and none is made in their place", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 3, min: 3 })
      const holder = yield* start(hold(pool, "1 second"))
      const closing = yield* start(Pool.shutdown(pool))
      assert.strictEqual(workshop.alive, 1)
      yield* TestClock.adjust("1 second")
      yield* Fiber.joinAll([holder, closing])
      yield* checkEmpty(pool, workshop)
      assert.strictEqual(workshop.made, 3)
      assert.strictEqual((yield* Pool.stats(pool)).destroyed.shutdown, 3)
    }))

  it.effect("creations in flight are interrupted, and what they had made is destroyed", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const acquire = Effect.tap(workshop.acquire, () => Effect.sleep("1 hour"))
      const pool = yield* Pool.make({ acquire, max: 3, min: 2, createTimeout: "2 hours" })
      const waiters = [yield* start(hold(pool, 0)), yield* start(hold(pool, 0)), yield* start(hold(pool, 0))]
      assert.strictEqual(workshop.alive, 3)
      yield* Pool.shutdown(pool)
      yield* settle
      for (const waiter of waiters) assert.strictEqual(reasonOf(ended(waiter)), "Closed")
      yield* checkEmpty(pool, workshop)
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.created, stats.createFailures], [0, 0])
    }))

  it.effect("a suspended pool lets its waiters go, too", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
      yield* Pool.suspend(pool)
      const waiter = yield* start(hold(pool, 0))
      yield* Pool.shutdown(pool)
      yield* settle
      assert.strictEqual(reasonOf(ended(waiter)), "Closed")
    }))
})

describe("holders", () => {
  it.effect("closing waits for bodies that hold an object, and ends with the last of them", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 2 })
      const bodies = [yield* start(hold(pool, "1 second")), yield* start(hold(pool, "3 seconds"))]
      const closing = yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust("1 second")
      valueOf(bodies[0]!)
      assert.strictEqual(workshop.alive, 1)
      yield* TestClock.adjust(1999)
      assert.isUndefined(ended(closing))
      yield* TestClock.adjust(1)
      valueOf(bodies[1]!)
      valueOf(closing)
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("closing waits for objects that another Scope took raw", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1 })
      const holder = yield* start(Effect.scoped(Effect.andThen(Pool.get(pool), Effect.sleep("1 second"))))
      const closing = yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust(999)
      assert.isUndefined(ended(closing))
      yield* TestClock.adjust(1)
      valueOf(holder)
      valueOf(closing)
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("closing waits for finalizers", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const acquire = Effect.tap(workshop.acquire, () => Effect.addFinalizer(() => Effect.sleep("1 second")))
      const pool = yield* Pool.make({ acquire, max: 2, min: 2 })
      const closing = yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust(999)
      assert.isUndefined(ended(closing))
      assert.strictEqual((yield* Pool.stats(pool)).destroying, 2)
      yield* TestClock.adjust(1)
      valueOf(closing)
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("closing waits for what onReturn does with an object that comes back", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const seen: Array<string> = []
      const pool = yield* Pool.make({
        acquire: workshop.acquire,
        max: 1,
        onReturn: (_, exit) => Effect.andThen(Effect.sleep("1 second"), Effect.sync(() => seen.push(exit._tag)))
      })
      const holder = yield* start(hold(pool, "1 second"))
      const closing = yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust(1999)
      assert.deepStrictEqual([ended(holder), ended(closing), seen], [undefined, undefined, []])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(seen, ["Success"])
      valueOf(holder)
      valueOf(closing)
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("a body that was handed its object just then is a holder like any other", () =>
    Effect.gen(function*() {
      for (const borrow of ["use", "get"] as const) {
        const workshop = new Workshop()
        const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1 })
        const gate = yield* Deferred.make<void>()
        yield* start(Pool.use(pool, () => Deferred.await(gate)))
        const waiter = yield* start(
          borrow === "use"
            ? Pool.use(pool, Effect.succeed)
            : Effect.scoped(Pool.get(pool))
        )
        yield* Deferred.succeed(gate, void 0)
        while ((yield* Pool.stats(pool)).borrowed < 2) yield* Effect.yieldNow
        yield* Pool.shutdown(pool)
        yield* settle
        assert.deepStrictEqual(valueOf(waiter), { id: 0 }, borrow)
        yield* checkEmpty(pool, workshop)
      }
    }))

  it.effect("of a shared object closing waits for all", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1, concurrency: 3 })
      const bodies = []
      for (const seconds of [1, 2, 3]) bodies.push(yield* start(hold(pool, Duration.seconds(seconds))))
      const closing = yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust(2999)
      assert.deepStrictEqual([ended(closing), workshop.alive], [undefined, 1])
      yield* TestClock.adjust(1)
      valueOf(closing)
      yield* checkEmpty(pool, workshop)
    }))
})

describe("what cannot end before the closing does", () => {
  it.effect("shutdown from inside of a body waits for the other bodies, and not for its own", () =>
    Effect.gen(function*() {
      for (const borrowLimit of [Duration.infinity, "1 hour"] as const) {
        const workshop = new Workshop()
        const pool = yield* Pool.make({ acquire: workshop.acquire, max: 2, borrowLimit })
        const alone = yield* Pool.make({ acquire: workshop.acquire, max: 2, borrowLimit })
        assert.strictEqual(yield* Pool.use(alone, ({ id }) => Effect.as(Pool.shutdown(alone), id)), 1)
        const other = yield* start(hold(pool, "1 second"))
        const inside = yield* start(Pool.use(pool, ({ id }) => Effect.as(Pool.shutdown(pool), id)))
        yield* TestClock.adjust(999)
        assert.isUndefined(ended(inside))
        yield* TestClock.adjust(1)
        valueOf(other)
        assert.isNumber(valueOf(inside), "its body went on")
        yield* checkEmpty(pool, workshop)
      }
    }))

  it.effect("shutdown from a nested body is not held up by any of the bodies around it", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 3 })
      yield* Pool.use(pool, () =>
        Pool.use(pool, () => Effect.scoped(Effect.andThen(Pool.get(pool), Pool.shutdown(pool)))))
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("shutdown from a fiber that took an object raw does not wait for it, whatever the Scope", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1 })
      const scope = yield* Scope.make()
      yield* Scope.provide(Pool.get(pool), scope)
      yield* Pool.shutdown(pool)
      yield* checkEmpty(pool, workshop)
      yield* Scope.close(scope, Exit.void)
      yield* checkEmpty(pool, workshop)
      assert.deepStrictEqual(entries, [], "nobody is to blame")
    }).pipe(Effect.provide(layer))
  })

  it.effect("closing does not wait for what any fiber took raw in the Scope in which it runs", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 2 })
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Fiber.join(yield* Effect.forkChild(Pool.get(pool)))
        yield* Effect.forkChild(Effect.andThen(Pool.get(pool), Effect.never), { startImmediately: true })
        assert.strictEqual((yield* Pool.stats(pool)).inUse, 2)
        yield* Pool.shutdown(pool)
        yield* checkEmpty(pool, workshop)
      }))
    }))

  it.effect("a pool may be closed by its own Scope while objects of it are held in a Scope around", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const scope = yield* Scope.make()
      const pool = yield* Scope.provide(Pool.make({ acquire: workshop.acquire, max: 2 }), scope)
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Pool.get(pool)
        yield* Fiber.join(yield* Effect.forkChild(Pool.get(pool)))
        yield* Scope.close(scope, Exit.void)
        yield* checkEmpty(pool, workshop)
      }))
    }))

  it.effect("a Scope closes a pool that was made in it, and what was borrowed in it", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Effect.scoped(Effect.gen(function*() {
        const pool = yield* Pool.make({ acquire: workshop.acquire, max: 3 })
        yield* Pool.get(pool)
        yield* Pool.get(pool)
        return pool
      }))
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("a Scope whose finalizers run side by side closes a pool and what was borrowed in it", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const scope = yield* Scope.make("parallel")
      const pool = yield* Scope.provide(Pool.make({ acquire: workshop.acquire, max: 3 }), scope)
      yield* Scope.provide(Effect.andThen(Pool.get(pool), Pool.get(pool)), scope)
      yield* Scope.close(scope, Exit.void)
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("a second caller that holds an object lets the closing go on", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 2 })
      const gate = yield* Deferred.make<void>()
      const holder = yield* start(Pool.use(pool, () => Effect.andThen(Deferred.await(gate), Pool.shutdown(pool))))
      const closing = yield* start(Pool.shutdown(pool))
      yield* settle
      assert.isUndefined(ended(closing))
      yield* Deferred.succeed(gate, void 0)
      yield* settle
      valueOf(closing)
      valueOf(holder)
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("two bodies that both shut the pool down do not wait for each other", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 2 })
      const both = yield* start(Effect.all([
        Pool.use(pool, () => Effect.andThen(Effect.yieldNow, Pool.shutdown(pool))),
        Pool.use(pool, () => Effect.andThen(Effect.yieldNow, Pool.shutdown(pool)))
      ], { concurrency: "unbounded" }))
      yield* settle
      valueOf(both)
      yield* checkEmpty(pool, workshop)
    }))
})

describe("shutdownTimeout", () => {
  it.effect("then the rest are destroyed and their holders logged, their bodies go on, and no onReturn runs for them", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const workshop = new Workshop()
      let returned = 0
      const pool = yield* Pool.make({
        acquire: workshop.acquire,
        max: 2,
        name: "app/Database",
        shutdownTimeout: "5 seconds",
        onReturn: () => Effect.sync(() => returned++)
      })
      const body = yield* start(Effect.withSpan(hold(pool, "10 seconds"), "slow work"))
      const raw = yield* start(Effect.scoped(Effect.andThen(Pool.get(pool), Effect.sleep("11 seconds"))))
      const closing = yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust(4999)
      assert.deepStrictEqual([ended(closing), workshop.alive, entries.length], [undefined, 2, 0])
      yield* TestClock.adjust(1)
      valueOf(closing)
      yield* checkEmpty(pool, workshop)
      assert.deepStrictEqual(entries.map((entry) => entry.level), ["Warn", "Warn"])
      assert.include(entries[0]!.message, "app/Database")
      assert.include(entries[0]!.message, `fiber #${body.id} in span "slow work"`)
      assert.include(entries[1]!.message, `fiber #${raw.id}`)
      yield* TestClock.adjust("6 seconds")
      assert.isNumber(valueOf(body).id, "the body has gone on")
      valueOf(raw)
      assert.strictEqual(returned, 0)
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.borrowed, stats.returned, stats.destroyed.shutdown], [2, 2, 2])
    }).pipe(Effect.provide(layer))
  })

  it.effect("a shared object is destroyed once, and all that hold it are logged", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const workshop = new Workshop()
      const options = { max: 1, concurrency: 3, shutdownTimeout: "5 seconds" } as const
      const pool = yield* Pool.make({ acquire: workshop.acquire, ...options })
      for (let i = 0; i < 3; i++) yield* start(hold(pool, "1 hour"))
      const closing = yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust("5 seconds")
      valueOf(closing)
      assert.strictEqual(entries.length, 3)
      yield* checkEmpty(pool, workshop)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is 20 seconds by default", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
      yield* start(hold(pool, "1 hour"))
      const closing = yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust(19_999)
      assert.isUndefined(ended(closing))
      yield* TestClock.adjust(1)
      valueOf(closing)
    }))

  it.effect("a hung finalizer is bounded by it, left to itself, counted, and told before Closed", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const acquire = Effect.acquireRelease(Effect.succeed({ id: 0 }), () => Effect.never)
      const pool = yield* Pool.make({ acquire, max: 1, shutdownTimeout: "5 seconds" })
      const events = yield* start(Stream.runCollect(Pool.events(pool)))
      yield* settle
      const closing = yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust(4999)
      assert.isUndefined(ended(closing))
      yield* TestClock.adjust(1)
      valueOf(closing)
      const tags = (yield* Fiber.join(events)).map((event) => event._tag)
      assert.deepStrictEqual(tags, ["Destroyed", "Closed"])
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.destroyed.shutdown, stats.destroying, stats.hookFailures], [1, 0, 1])
      assert.deepStrictEqual(entries.map((entry) => entry.level), ["Warn"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("bounds holders and their finalizers together", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const acquire = Effect.tap(workshop.acquire, () => Effect.addFinalizer(() => Effect.sleep("4 seconds")))
      const pool = yield* Pool.make({ acquire, max: 1, shutdownTimeout: "5 seconds" })
      const body = yield* start(hold(pool, "3 seconds"))
      const closing = yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust(4999)
      valueOf(body)
      assert.isUndefined(ended(closing))
      yield* TestClock.adjust(1)
      valueOf(closing)
      assert.strictEqual((yield* Pool.stats(pool)).hookFailures, 1)
      yield* TestClock.adjust("2 seconds")
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("destroyTimeout bounds finalizers before", () =>
    Effect.gen(function*() {
      const acquire = Effect.acquireRelease(Effect.succeed({ id: 0 }), () => Effect.never)
      const pool = yield* Pool.make({ acquire, max: 1, shutdownTimeout: "20 seconds", destroyTimeout: "2 seconds" })
      const closing = yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust(1999)
      assert.isUndefined(ended(closing))
      yield* TestClock.adjust(1)
      valueOf(closing)
    }))

  it.effect("bounds creations that cannot be interrupted; what they still make is destroyed", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const acquire = Effect.uninterruptible(workshop.after("8 seconds"))
      const pool = yield* Pool.make({ acquire, max: 1, shutdownTimeout: "5 seconds" })
      const closing = yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust(4999)
      assert.isUndefined(ended(closing))
      yield* TestClock.adjust(1)
      valueOf(closing)
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual([workshop.made, workshop.unmade], [1, [0]])
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("bounds hooks that never end", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({
        acquire: workshop.acquire,
        max: 1,
        shutdownTimeout: "5 seconds",
        hookTimeout: "1 hour",
        onReturn: () => Effect.uninterruptible(Effect.never)
      })
      const body = yield* start(hold(pool, 0))
      const closing = yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust(4999)
      assert.isUndefined(ended(closing))
      yield* TestClock.adjust(1)
      valueOf(closing)
      valueOf(body)
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("of zero waits for nobody, and finalizers that end at once have run", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 3, min: 3, shutdownTimeout: 0 })
      const body = yield* start(hold(pool, "1 hour"))
      const raw = yield* start(Effect.scoped(Effect.andThen(Pool.get(pool), Effect.sleep("1 hour"))))
      yield* Pool.shutdown(pool)
      yield* checkEmpty(pool, workshop)
      assert.isUndefined(ended(body) ?? ended(raw))
    }))

  it.effect("of zero leaves finalizers that take longer to themselves", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const acquire = Effect.tap(workshop.acquire, () => Effect.addFinalizer(() => Effect.sleep("1 second")))
      const pool = yield* Pool.make({ acquire, max: 2, min: 2, shutdownTimeout: 0 })
      yield* Pool.shutdown(pool)
      const stats = yield* Pool.stats(pool)
      assert.deepStrictEqual([stats.destroying, stats.destroyed.shutdown, stats.hookFailures], [0, 2, 2])
      yield* TestClock.adjust("1 second")
      assert.strictEqual(workshop.alive, 0)
    }))

  it.effect("may be infinite", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1, shutdownTimeout: Duration.infinity })
      const body = yield* start(hold(pool, "30 days"))
      const closing = yield* start(Pool.shutdown(pool))
      yield* TestClock.adjust("29 days")
      assert.isUndefined(ended(closing))
      yield* TestClock.adjust("1 day")
      valueOf(body)
      valueOf(closing)
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("leaves no timer behind when closing ends before", () =>
    Effect.gen(function*() {
      const { clock, sleeping } = yield* countingSleeps
      yield* Effect.gen(function*() {
        const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 1 })
        const body = yield* start(hold(pool, "1 second"))
        const closing = yield* start(Pool.shutdown(pool))
        yield* TestClock.adjust("1 second")
        valueOf(body)
        valueOf(closing)
        assert.strictEqual(sleeping(), 0)
      }).pipe(Effect.scoped, Effect.provideService(Clock.Clock, clock))
    }))
})

describe("shutdown", () => {
  it.effect("is idempotent: every caller waits for the end, also the Scope", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const scope = yield* Scope.make()
      const pool = yield* Scope.provide(Pool.make({ acquire: workshop.acquire, max: 1 }), scope)
      yield* start(hold(pool, "1 second"))
      const callers = [
        yield* start(Pool.shutdown(pool)),
        yield* start(Pool.shutdown(pool)),
        yield* start(Scope.close(scope, Exit.void))
      ]
      yield* TestClock.adjust(999)
      for (const caller of callers) assert.isUndefined(ended(caller))
      yield* TestClock.adjust(1)
      for (const caller of callers) valueOf(caller)
      yield* Pool.shutdown(pool)
      yield* Pool.shutdown(pool)
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("goes on when a caller is interrupted, and the others hear of its end", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1 })
      yield* start(hold(pool, "2 seconds"))
      const first = yield* start(Pool.shutdown(pool))
      const second = yield* start(Pool.shutdown(pool))
      yield* Fiber.interrupt(first)
      assert.isTrue(Exit.hasInterrupts(ended(first)!))
      yield* TestClock.adjust("1 second")
      assert.isUndefined(ended(second))
      yield* TestClock.adjust("1 second")
      valueOf(second)
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("whose only caller is interrupted goes on to its end", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1, shutdownTimeout: "5 seconds" })
      const holder = yield* start(hold(pool, "1 hour"))
      yield* Fiber.interrupt(yield* start(Pool.shutdown(pool)))
      assert.strictEqual(reasonOf(yield* Effect.exit(hold(pool, 0))), "Closed")
      yield* TestClock.adjust("5 seconds")
      yield* checkEmpty(pool, workshop)
      assert.isUndefined(ended(holder))
    }))

  it.effect("an interrupted caller that holds an object is waited for again", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 2 })
      const other = yield* start(hold(pool, "2 seconds"))
      const caller = yield* start(
        Pool.use(pool, () => Effect.onInterrupt(Pool.shutdown(pool), () => Effect.sleep("3 seconds")))
      )
      yield* TestClock.adjust("1 second")
      caller.interruptUnsafe()
      yield* TestClock.adjust("2 seconds")
      valueOf(other)
      assert.strictEqual(workshop.alive, 1)
      yield* TestClock.adjust("1 second")
      assert.isDefined(ended(caller))
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("a caller that is interrupted by what its closing does is waited for again", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      let calling: Fiber.Fiber<unknown, unknown> | undefined
      const interrupted = Effect.sync(() => calling?.interruptUnsafe())
      const pool = yield* Pool.make({
        acquire: Effect.tap(
          workshop.acquire,
          ({ id }) => Effect.addFinalizer(() => id === 2 ? interrupted : Effect.void)
        ),
        min: 3,
        max: 3,
        order: "fifo"
      })
      const other = yield* start(hold(pool, "2 seconds"))
      const shutdown = Effect.withFiber((fiber) => {
        calling = fiber
        return Pool.shutdown(pool)
      })
      const caller = yield* start(
        Pool.use(pool, () => Effect.onInterrupt(shutdown, () => Effect.sleep("3 seconds")))
      )
      assert.strictEqual(workshop.alive, 2)
      yield* TestClock.adjust("2 seconds")
      valueOf(other)
      assert.strictEqual(workshop.alive, 1)
      yield* TestClock.adjust("1 second")
      assert.isTrue(Exit.hasInterrupts(ended(caller)!))
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("is done when it is interrupted just as it ends", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 1 })
      yield* Effect.timeoutOption(Pool.shutdown(pool), 0).pipe(Effect.ignore)
      yield* settle
      yield* checkEmpty(pool, workshop)
    }))

  it.effect("from inside of acquire, of a finalizer and of a hook is bounded, and closes the pool", () =>
    Effect.gen(function*() {
      const made = yield* Deferred.make<Pool.Pool<Thing>>()
      const close = Effect.flatMap(Deferred.await(made), Pool.shutdown)
      const workshop = new Workshop()
      const places = {
        acquire: { acquire: Effect.andThen(close, workshop.acquire) },
        finalizer: { acquire: Effect.tap(workshop.acquire, () => Effect.addFinalizer(() => close)) },
        onBorrow: { acquire: workshop.acquire, onBorrow: () => close },
        onReturn: { acquire: workshop.acquire, onReturn: () => close },
        healthCheck: { acquire: workshop.acquire, healthCheck: () => Effect.as(close, true), healthAfterIdle: 0 }
      }
      for (const options of Object.values(places)) {
        const pool = yield* Pool.make({ max: 1, ...options })
        yield* Deferred.succeed(made, pool)
        const borrower = yield* start(hold(pool, 0))
        yield* start(Effect.exit(Pool.use(pool, (thing) => Pool.invalidate(pool, thing))))
        yield* TestClock.adjust("1 minute")
        assert.isDefined(ended(borrower))
        yield* Pool.shutdown(pool)
      }
      yield* settle
      assert.strictEqual(workshop.alive, 0)
    }))

  it.effect("afterwards invalidate, evict, resize, suspend and resume do nothing", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({ acquire: workshop.acquire, max: 2 })
      const holder = yield* start(hold(pool, "1 second"))
      const events = yield* start(Stream.runCollect(Pool.events(pool)))
      yield* settle
      const closing = yield* start(Pool.shutdown(pool))
      for (let i = 0; i < 2; i++) {
        const before = yield* Pool.stats(pool)
        yield* Pool.invalidate(pool, { id: 0 })
        yield* Pool.evict(pool)
        yield* Pool.resize(pool, { min: 2, max: 5 })
        yield* Pool.suspend(pool)
        yield* Pool.resume(pool)
        assert.deepStrictEqual({ ...(yield* Pool.stats(pool)) }, { ...before })
        yield* TestClock.adjust("1 second")
      }
      valueOf(holder)
      valueOf(closing)
      assert.deepStrictEqual((yield* Fiber.join(events)).map((event) => event._tag), [
        "Returned",
        "Destroyed",
        "Closed"
      ])
      yield* checkEmpty(pool, workshop)
      assert.strictEqual(workshop.made, 1)
    }))

  it.effect("events of a closed pool are none", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: new Workshop().acquire, max: 2 })
      yield* Pool.shutdown(pool)
      assert.deepStrictEqual(yield* Stream.runCollect(Pool.events(pool)), [])
    }))
})

describe("the end of the program", () => {
  it.effect("that is interrupted closes the pool: bodies first, then the objects", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const program = Effect.scoped(Effect.gen(function*() {
        const pool = yield* Pool.make({ acquire: workshop.acquire, max: 3, min: 3 })
        yield* Effect.all([hold(pool, "1 hour"), Effect.scoped(Effect.andThen(Pool.get(pool), Effect.never))], {
          concurrency: "unbounded"
        })
      }))
      const fiber = yield* start(program)
      yield* settle
      assert.strictEqual(workshop.alive, 3)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(workshop.alive, 0)
    }))

  it.effect("that dies closes the pool", () =>
    Effect.gen(function*() {
      const workshop = new Workshop()
      const exit = yield* Effect.exit(Effect.scoped(Effect.gen(function*() {
        const pool = yield* Pool.make({ acquire: workshop.acquire, max: 3, min: 3 })
        yield* Pool.get(pool)
        return yield* Effect.die(new Error("boom"))
      })))
      assert.strictEqual(defectOf(exit), "boom")
      assert.strictEqual(workshop.alive, 0)
    }))

  it.effect("every object is destroyed exactly once, whenever the pool closes in a busy life", () =>
    Effect.gen(function*() {
      for (let at = 0; at <= 60; at += 3) {
        const workshop = new Workshop()
        const acquire = Effect.tap(workshop.after(7), ({ id }) => Effect.addFinalizer(() => Effect.sleep(id % 5)))
        const pool = yield* Pool.make({
          acquire,
          max: 4,
          min: 2,
          maxUses: 3,
          timeToLive: 40,
          borrowLimit: at % 2 === 0 ? 20 : Duration.infinity,
          onReturn: () => Effect.sleep(1)
        })
        const fibers = []
        for (let i = 0; i < 30; i++) fibers.push(yield* start(hold(pool, (i % 4) * 9)))
        yield* TestClock.adjust(at)
        const closing = yield* start(Pool.shutdown(pool))
        yield* TestClock.adjust("1 minute")
        valueOf(closing)
        for (const fiber of fibers) assert.isDefined(ended(fiber))
        yield* checkEmpty(pool, workshop)
        const stats = yield* Pool.stats(pool)
        const destroyed = Object.values(stats.destroyed).reduce((sum, count) => sum + count, 0)
        assert.strictEqual(destroyed, stats.created)
      }
    }))
})
