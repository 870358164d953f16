import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, FiberSet, Option, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Pool, PoolError } from "proxy-pattern-pool"
import { borrow, calm, lab, type Thing } from "./kit.ts"

/** The `Revoked` that an exit failed with, if it did. */
const revokedOf = (exit: Exit.Exit<unknown, unknown>): PoolError.Revoked | undefined => {
  if (exit._tag === "Success") return undefined
  const error = Cause.squash(exit.cause)
  if (!(error instanceof PoolError.PoolError)) return undefined
  return error.reason._tag === "Revoked" ? error.reason : undefined
}

const tagsOf = (events: ReadonlyArray<Pool.Event>, id: number): Array<string> =>
  events.flatMap((event) => "id" in event && event.id === id ? [event._tag] : [])

describe("borrowWarning", () => {
  it.effect("logs a longer borrow once, with its holder, at that moment and not a millisecond before", () =>
    Effect.gen(function*() {
      const { events, logged, pool, stats } = yield* lab({
        name: "app/Things",
        min: 0,
        max: 1,
        borrowWarning: "10 seconds",
        describe: ({ id }) => ({ port: 5000 + id })
      })
      const holder = yield* Effect.forkScoped(Effect.withSpan(Pool.use(pool, () => Effect.never), "GET /users"))
      yield* TestClock.adjust(9999)
      assert.deepStrictEqual(logged, [])
      yield* TestClock.adjust(1)
      assert.strictEqual(logged.length, 1)
      const [{ message, poolName }] = logged
      assert.strictEqual(poolName, "app/Things")
      for (const part of ["app/Things", "10s", `fiber #${holder.id}`, `"GET /users"`, "5000"]) {
        assert.include(message, part)
      }
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(logged.length, 1)
      yield* calm
      const overdue = events.flatMap((event) => event._tag === "Overdue" ? [event] : [])
      assert.strictEqual(overdue.length, 1)
      assert.deepInclude(overdue[0], { id: 0, at: 10_000, object: { port: 5000 }, pool: "app/Things" })
      assert.deepInclude(overdue[0].holder, { id: 0, fiber: holder.id, span: "GET /users", waiting: false })
      assert.strictEqual(Duration.toMillis(overdue[0].holder.heldFor), 10_000)
      assert.strictEqual((yield* stats).inUse, 1)
    }))

  it.effect("counts from the hand-over: neither the wait nor onBorrow is part of it", () =>
    Effect.gen(function*() {
      const { logged, pool } = yield* lab({ min: 0, max: 1, borrowWarning: 1000, onBorrow: () => Effect.sleep(500) })
      yield* Effect.forkScoped(Pool.use(pool, () => Effect.sleep(900)))
      yield* Effect.forkScoped(Pool.use(pool, () => Effect.sleep(1001)))
      yield* TestClock.adjust(500 + 900 + 500 + 999)
      assert.deepStrictEqual(logged, [])
      yield* TestClock.adjust(1)
      assert.strictEqual(logged.length, 1)
    }))

  it.effect("says nothing of what is back in time, and does not warn of the next holder early", () =>
    Effect.gen(function*() {
      const { logged, pool } = yield* lab({ min: 0, max: 1, borrowWarning: 1000 })
      const a = yield* borrow(pool)
      yield* TestClock.adjust(999)
      yield* a.giveBack
      const b = yield* borrow(pool)
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(logged, [])
      yield* b.giveBack
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(logged, [])
    }))

  it.effect("tells each of several holders once, in the order of their borrows", () =>
    Effect.gen(function*() {
      const { events, pool } = yield* lab({ min: 0, max: 3, borrowWarning: 1000 })
      const a = yield* borrow(pool)
      yield* TestClock.adjust(100)
      yield* borrow(pool)
      yield* TestClock.adjust(100)
      yield* borrow(pool)
      yield* TestClock.adjust(700)
      yield* a.giveBack
      yield* TestClock.adjust("1 hour")
      yield* calm
      assert.deepStrictEqual(events.flatMap((event) => event._tag === "Overdue" ? [[event.id, event.at]] : []), [
        [1, 1100],
        [2, 1200]
      ])
    }))

  it.effect("comes before the limit that falls together with it", () =>
    Effect.gen(function*() {
      const { events, pool } = yield* lab({ min: 0, max: 1, borrowWarning: 1000, borrowLimit: 1000 })
      yield* borrow(pool)
      yield* TestClock.adjust(1000)
      yield* calm
      assert.deepStrictEqual(tagsOf(events, 0), ["Created", "Borrowed", "Overdue", "Revoked", "Returned", "Destroyed"])
    }))
})

describe("borrowLimit in use", () => {
  it.effect("interrupts the body and fails the call with Revoked, at that moment and not a millisecond before", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { events, pool, stats, unmade } = yield* lab({ min: 0, max: 1, borrowLimit: "10 seconds" })
      const body = Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("interrupted")))
      const holder = yield* Effect.forkChild(Effect.withSpan(Pool.use(pool, () => body), "GET /users"))
      yield* TestClock.adjust(9999)
      assert.deepStrictEqual(log, [])
      assert.deepStrictEqual(unmade, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(log, ["interrupted"])
      assert.deepStrictEqual(unmade, [0])
      const exit = yield* Fiber.await(holder)
      const revoked = revokedOf(exit)
      assert.isDefined(revoked)
      assert.strictEqual(Duration.toMillis(revoked.limit), 10_000)
      assert.deepInclude(revoked.holder, { id: 0, fiber: holder.id, span: "GET /users" })
      assert.strictEqual(Duration.toMillis(revoked.holder.heldFor), 10_000)
      assert.isTrue(exit._tag === "Failure" && !Cause.hasInterrupts(exit.cause))
      assert.deepInclude(yield* stats, { borrowed: 1, returned: 1, size: 0 })
      assert.strictEqual((yield* stats).destroyed.revoked, 1)
      yield* calm
      assert.deepStrictEqual(tagsOf(events, 0), ["Created", "Borrowed", "Revoked", "Returned", "Destroyed"])
    }))

  it.effect("can be caught by its reason, and is not worth a retry", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ min: 0, max: 1, borrowLimit: 1000 })
      const holder = yield* Effect.forkChild(
        Pool.use(pool, () => Effect.never).pipe(
          Effect.catchReason("PoolError", "Revoked", (reason, error) =>
            Effect.succeed([reason.message, error.isRetryable]))
        )
      )
      yield* TestClock.adjust(1000)
      const [message, isRetryable] = yield* Fiber.join(holder)
      assert.include(String(message), "1s")
      assert.strictEqual(isRetryable, false)
    }))

  it.effect("leaves a shorter body alone, and tells nothing", () =>
    Effect.gen(function*() {
      const { logged, pool, stats } = yield* lab({ min: 0, max: 1, borrowLimit: 1000 })
      const holder = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.as(Effect.sleep(999), id)))
      yield* TestClock.adjust(999)
      assert.strictEqual(yield* Fiber.join(holder), 0)
      yield* TestClock.adjust("1 hour")
      assert.deepInclude(yield* stats, { idle: 1, borrowed: 1, returned: 1 })
      assert.deepStrictEqual(logged, [])
    }))

  it.effect("counts neither the wait nor the hooks, and never revokes what is being returned", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({
        min: 0,
        max: 1,
        borrowLimit: 1000,
        onBorrow: () => Effect.sleep(5000),
        onReturn: () => Effect.sleep(5000)
      })
      const holders = yield* Effect.forkChild(Effect.all(
        [Pool.use(pool, () => Effect.sleep(999)), Pool.use(pool, () => Effect.sleep(999))],
        { concurrency: 2 }
      ))
      yield* TestClock.adjust(2 * 10_999)
      yield* Fiber.join(holders)
      assert.strictEqual((yield* stats).destroyed.revoked, 0)
      assert.deepInclude(yield* stats, { idle: 1, borrowed: 2, returned: 2 })
    }))

  it.effect("frees the place when the finalizers have ended, and then serves a waiter", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 1, borrowLimit: 1000, destroy: () => Effect.sleep(500) })
      const holder = yield* Effect.forkChild(Pool.use(pool, () => Effect.never))
      const waiter = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* TestClock.adjust(1000)
      assert.isDefined(revokedOf(yield* Fiber.await(holder)))
      yield* TestClock.adjust(499)
      assert.deepInclude(yield* stats, { destroying: 1, waiting: 1 })
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(waiter), 1)
    }))

  it.effect("never takes the object from the next holder: its own time begins with its hand-over", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ min: 0, max: 1, borrowLimit: 1000 })
      const first = yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep(999)))
      const second = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.as(Effect.never, id)))
      yield* TestClock.adjust(999)
      yield* Fiber.join(first)
      yield* TestClock.adjust(999)
      assert.isUndefined(second.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.isDefined(revokedOf(yield* Fiber.await(second)))
    }))

  it.effect("destroys at the limit also what an uninterruptible body holds, which is told when it ends", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { pool, stats, unmade } = yield* lab({
        min: 0,
        max: 1,
        borrowLimit: 1000,
        onReturn: () => Effect.sync(() => log.push("returned"))
      })
      const holder = yield* Effect.forkChild(
        Pool.use(
          pool,
          () => Effect.uninterruptible(Effect.andThen(Effect.sleep(5000), Effect.sync(() => log.push("done"))))
        )
      )
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(unmade, [0])
      assert.isUndefined(holder.pollUnsafe())
      yield* TestClock.adjust(4000)
      assert.deepStrictEqual(log, ["done"])
      assert.isDefined(revokedOf(yield* Fiber.await(holder)))
      assert.deepInclude(yield* stats, { borrowed: 1, returned: 1 })
      assert.deepStrictEqual(unmade, [0])
    }))

  it.effect("tells a call in an uninterruptible region when its body has ended", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ min: 0, max: 1, borrowLimit: 1000 })
      const holder = yield* Effect.forkChild(Effect.uninterruptible(Pool.use(pool, () => Effect.sleep(5000))))
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(unmade, [0])
      assert.isUndefined(holder.pollUnsafe())
      yield* TestClock.adjust(4000)
      assert.isDefined(revokedOf(yield* Fiber.await(holder)))
    }))

  it.effect("waits for the finalizers of the body before it tells the caller", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ min: 0, max: 1, borrowLimit: 1000 })
      const holder = yield* Effect.forkChild(Pool.use(pool, () => Effect.ensuring(Effect.never, Effect.sleep(500))))
      yield* TestClock.adjust(1499)
      assert.deepStrictEqual(unmade, [0])
      assert.isUndefined(holder.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.isDefined(revokedOf(yield* Fiber.await(holder)))
    }))

  it.effect("does not run onReturn for a revoked borrow", () =>
    Effect.gen(function*() {
      let returns = 0
      const { pool } = yield* lab({ min: 0, max: 1, borrowLimit: 1000, onReturn: () => Effect.sync(() => returns++) })
      const holder = yield* Effect.forkChild(Pool.use(pool, () => Effect.never))
      yield* TestClock.adjust(1000)
      yield* Fiber.await(holder)
      assert.strictEqual(returns, 0)
    }))

  it.effect("lets an interruption of the caller reach the body, and the object is in an unknown state", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { pool, stats } = yield* lab({ min: 0, max: 1, borrowLimit: 1000 })
      const holder = yield* Effect.forkChild(
        Pool.use(
          pool,
          () =>
            Effect.onInterrupt(
              Effect.never,
              () => Effect.andThen(Effect.sleep(100), Effect.sync(() => log.push("end")))
            )
        )
      )
      yield* calm
      const interruption = yield* Effect.forkChild(Fiber.interrupt(holder))
      yield* TestClock.adjust(99)
      assert.isUndefined(interruption.pollUnsafe())
      assert.strictEqual((yield* stats).inUse, 1)
      yield* TestClock.adjust(1)
      yield* Fiber.join(interruption)
      assert.deepStrictEqual(log, ["end"])
      assert.strictEqual((yield* stats).destroyed.failed, 1)
    }))

  it.effect("of a body that the caller's interruption has hit still takes the object at its moment", () =>
    Effect.gen(function*() {
      const { pool, stats, unmade } = yield* lab({ min: 0, max: 1, borrowLimit: 1000 })
      const holder = yield* Effect.forkChild(Pool.use(pool, () => Effect.ensuring(Effect.never, Effect.sleep(5000))))
      yield* TestClock.adjust(500)
      yield* Effect.forkChild(Fiber.interrupt(holder))
      yield* TestClock.adjust(499)
      assert.deepStrictEqual(unmade, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(unmade, [0])
      yield* TestClock.adjust(5000)
      assert.deepInclude(yield* stats, { borrowed: 1, returned: 1 })
      assert.strictEqual((yield* stats).destroyed.revoked, 1)
    }))

  it.effect("runs the body in a child fiber that has the caller's services, and ends what the body forked", () =>
    Effect.gen(function*() {
      const Tenant = Context.Reference<string>("Tenant", { defaultValue: () => "none" })
      const log: Array<string> = []
      const { pool } = yield* lab({ min: 0, max: 1, borrowLimit: 1000 })
      const tenant = yield* Pool.use(pool, () =>
        Effect.gen(function*() {
          yield* Effect.forkChild(Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("child ended"))), {
            startImmediately: true
          })
          return yield* Tenant
        })).pipe(Effect.provideService(Tenant, "a"))
      assert.strictEqual(tenant, "a")
      assert.deepStrictEqual(log, ["child ended"])
    }))

  it.effect("names the caller's fiber as the holder, also of what the body borrows itself", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 2, borrowLimit: 1000 })
      const holder = yield* Effect.forkScoped(
        Pool.use(pool, () => Effect.andThen(Pool.use(pool, () => Effect.never), Effect.void))
      )
      yield* calm
      assert.deepStrictEqual((yield* stats).objects.map((object) => object.holders.map((holder) => holder.fiber)), [
        [holder.id],
        [holder.id]
      ])
    }))

  it.effect("warns of nested borrowing across the child fibers of its bodies", () =>
    Effect.gen(function*() {
      const { logged, pool } = yield* lab({ min: 0, max: 1, borrowLimit: "1 hour" })
      yield* Effect.forkScoped(Pool.use(pool, () => Pool.use(pool, () => Effect.void)))
      yield* calm
      assert.strictEqual(logged.length, 1)
      assert.include(logged[0].message, "nested")
    }))

  it.effect("of a shared object ends only the overdue borrow; the object goes with its last holder", () =>
    Effect.gen(function*() {
      const { events, pool, stats, unmade } = yield* lab({ min: 0, max: 2, concurrency: 2, borrowLimit: 1000 })
      const first = yield* Effect.forkChild(Pool.use(pool, () => Effect.never))
      yield* TestClock.adjust(500)
      const second = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.as(Effect.sleep(900), id)))
      yield* TestClock.adjust(500)
      assert.isDefined(revokedOf(yield* Fiber.await(first)))
      assert.isUndefined(second.pollUnsafe())
      assert.deepStrictEqual(unmade, [])
      assert.strictEqual((yield* borrow(pool)).object.id, 1)
      yield* TestClock.adjust(400)
      assert.strictEqual(yield* Fiber.join(second), 0)
      assert.deepStrictEqual(unmade, [0])
      assert.strictEqual((yield* stats).destroyed.revoked, 1)
      yield* calm
      assert.deepStrictEqual(tagsOf(events, 0), [
        "Created",
        "Borrowed",
        "Borrowed",
        "Revoked",
        "Returned",
        "Returned",
        "Destroyed"
      ])
    }))

  it.effect("revokes all that fall due together, each for itself", () =>
    Effect.gen(function*() {
      const { pool, stats, unmade } = yield* lab({ min: 0, max: 3, borrowLimit: 1000 })
      const holders = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(Pool.use(pool, () => Effect.never)))
      yield* TestClock.adjust(1000)
      for (const holder of holders) assert.isDefined(revokedOf(yield* Fiber.await(holder)))
      assert.deepStrictEqual(unmade.toSorted(), [0, 1, 2])
      assert.strictEqual((yield* stats).destroyed.revoked, 3)
    }))

  it.effect("that falls together with a waiter's end comes first, but frees no object in time for it", () =>
    Effect.gen(function*() {
      const { made, pool } = yield* lab({ min: 0, max: 1, borrowLimit: 1000 })
      yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.never)))
      const waiter = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void, { timeout: 1000 })))
      yield* TestClock.adjust(1000)
      assert.strictEqual((yield* Fiber.join(waiter)).reason._tag, "BorrowTimeout")
      assert.deepStrictEqual(made, [0])
    }))

  it.effect("does nothing to an object that must go for another reason but end its borrow: the first reason counts", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 1, borrowLimit: 1000 })
      const holder = yield* Effect.forkChild(Pool.use(pool, () => Effect.never))
      yield* calm
      yield* Pool.evict(pool)
      yield* TestClock.adjust(1000)
      assert.isDefined(revokedOf(yield* Fiber.await(holder)))
      assert.deepInclude((yield* stats).destroyed, { evicted: 1, revoked: 0 })
    }))

  it.effect("runs bodies in the caller's own fiber where there is no limit", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ min: 0, max: 1 })
      const own = yield* Effect.fiberId
      assert.strictEqual(yield* Pool.use(pool, () => Effect.fiberId), own)
    }))

  it.effect("sets one timer at most, and none for a pool that lends nothing", () =>
    Effect.gen(function*() {
      const { pool, sleeps } = yield* lab({ min: 1, max: 1, borrowLimit: 1000, borrowWarning: 500 })
      yield* Pool.awaitReady(pool)
      assert.deepStrictEqual(sleeps, [])
      for (let i = 0; i < 100; i++) yield* Pool.use(pool, () => Effect.void)
      assert.strictEqual(sleeps.length, 1)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(sleeps.length, 1)
    }))
})

describe("borrowLimit in get", () => {
  it.effect("destroys the object at the limit; the Scope's end changes nothing, and runs no onReturn", () =>
    Effect.gen(function*() {
      let returns = 0
      const { events, pool, stats, unmade } = yield* lab({
        min: 0,
        max: 1,
        borrowLimit: 1000,
        onReturn: () => Effect.sync(() => returns++)
      })
      const a = yield* borrow(pool)
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(unmade, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(unmade, [0])
      assert.deepInclude(yield* stats, { size: 0, borrowed: 1, returned: 1 })
      yield* a.giveBack
      assert.strictEqual(returns, 0)
      assert.deepInclude(yield* stats, { borrowed: 1, returned: 1 })
      assert.strictEqual((yield* stats).destroyed.revoked, 1)
      yield* calm
      assert.deepStrictEqual(tagsOf(events, 0), ["Created", "Borrowed", "Revoked", "Returned", "Destroyed"])
    }))

  it.effect("lets another be created for a waiter at once", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ min: 0, max: 1, borrowLimit: 1000 })
      yield* borrow(pool)
      const waiter = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* TestClock.adjust(1000)
      assert.strictEqual(yield* Fiber.join(waiter), 1)
    }))

  it.effect("does not interrupt the fibers of the Scope, nor fail a later get in it", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ min: 0, max: 1, borrowLimit: 1000 })
      const fiber = yield* Effect.forkChild(Effect.scoped(Effect.gen(function*() {
        const first = yield* Pool.get(pool)
        yield* Effect.sleep(2000)
        const second = yield* Pool.get(pool)
        return [first.id, second.id]
      })))
      yield* TestClock.adjust(2000)
      assert.deepStrictEqual(yield* Fiber.join(fiber), [0, 1])
    }))

  it.effect("counts for poll as well", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ min: 1, max: 1, borrowLimit: 1000 })
      yield* Pool.awaitReady(pool)
      const scope = yield* Scope.make()
      assert.isTrue(Option.isSome(yield* Scope.provide(Pool.poll(pool), scope)))
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(unmade, [0])
      yield* Scope.close(scope, Exit.void)
    }))

  it.effect("is not reached by an object that came back a millisecond before", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 1, borrowLimit: 1000 })
      const a = yield* borrow(pool)
      yield* TestClock.adjust(999)
      yield* a.giveBack
      yield* TestClock.adjust("1 hour")
      assert.deepInclude(yield* stats, { idle: 1, size: 1 })
    }))
})

describe("a revoked borrow and what comes with it", () => {
  it.effect("is refilled to min while its holder goes on", () =>
    Effect.gen(function*() {
      const { alive, pool } = yield* lab({ min: 1, max: 1, borrowLimit: 1000 })
      yield* Effect.forkScoped(Effect.exit(Pool.use(pool, () => Effect.uninterruptible(Effect.sleep(5000)))))
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(yield* alive, [1])
      yield* TestClock.adjust(5000)
      assert.deepStrictEqual(yield* alive, [1])
    }))

  it.effect("holds up no closing: there is nothing of it left to wait for", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 1, borrowLimit: 1000, shutdownTimeout: "1 hour" })
      const holder = yield* Effect.forkScoped(
        Effect.exit(Pool.use(pool, () => Effect.uninterruptible(Effect.sleep(5000))))
      )
      yield* TestClock.adjust(1000)
      yield* Pool.shutdown(pool)
      assert.deepInclude(yield* stats, { closed: true, size: 0, borrowed: 1, returned: 1 })
      yield* TestClock.adjust(5000)
      assert.isDefined(revokedOf(yield* Fiber.join(holder)))
    }))

  it.effect("reaches the caller as it is, though the body fails otherwise while it is interrupted", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ min: 0, max: 1, borrowLimit: 1000 })
      const bodies: ReadonlyArray<(thing: Thing) => Effect.Effect<unknown, string>> = [
        () => Effect.ensuring(Effect.never, Effect.die("defect")),
        () => Effect.catchCause(Effect.never, () => Effect.succeed("caught")),
        () => Effect.uninterruptible(Effect.andThen(Effect.sleep(1500), Effect.fail("no")))
      ]
      for (const body of bodies) {
        const holder = yield* Effect.forkChild(Pool.use(pool, body))
        yield* TestClock.adjust(1500)
        assert.isDefined(revokedOf(yield* Fiber.await(holder)))
      }
    }))

  it.effect("of a holder that waits for another object of the pool frees the pool that it has locked up", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 1, borrowLimit: 1000 })
      const holder = yield* Effect.forkChild(Pool.use(pool, () => Pool.use(pool, () => Effect.void)))
      yield* TestClock.adjust(1000)
      const revoked = revokedOf(yield* Fiber.await(holder))
      assert.strictEqual(revoked?.holder.waiting, true)
      assert.deepInclude(yield* stats, { borrowed: 1, returned: 1, cancelled: 1, waiting: 0 })
      assert.strictEqual(yield* Pool.use(pool, ({ id }) => Effect.succeed(id)), 1)
    }))

  it.effect("of many fibers, which all end", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 0, max: 5, borrowLimit: 1000 })
      const set = yield* FiberSet.make<unknown, unknown>()
      for (let i = 0; i < 50; i++) {
        yield* FiberSet.run(set, Effect.exit(Pool.use(pool, () => i % 3 === 0 ? Effect.never : Effect.sleep(i * 10))))
      }
      yield* TestClock.adjust("1 minute")
      yield* FiberSet.awaitEmpty(set)
      const { borrowed, inUse, returned, size, waiting } = yield* stats
      assert.deepStrictEqual([borrowed, returned, inUse, waiting], [50, 50, 0, 0])
      assert.isAtMost(size, 5)
    }))
})
