import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Schedule, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Pool } from "proxy-pattern-pool"
import { borrow, calm, lab, type Thing } from "./kit.ts"

/** A hook that opens and closes something in its Scope. */
const scopedHook = (log: Array<string>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.andThen(
    Effect.acquireRelease(Effect.sync(() => log.push("open")), () => Effect.sync(() => log.push("close"))),
    Effect.sleep(100)
  )

describe("onBorrow", () => {
  it.effect("runs once for each borrow, on the object, before the borrower gets it", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { pool } = yield* lab({
        min: 0,
        max: 1,
        onBorrow: ({ id }) => Effect.andThen(Effect.sleep(100), Effect.sync(() => log.push(`hook ${id}`)))
      })
      const body = ({ id }: Thing) => Effect.sync(() => log.push(`body ${id}`))
      const borrower = yield* Effect.forkChild(Effect.andThen(Pool.use(pool, body), Pool.use(pool, body)))
      yield* TestClock.adjust(99)
      assert.deepStrictEqual(log, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(log, ["hook 0", "body 0"])
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(log, ["hook 0", "body 0", "hook 0", "body 0"])
      yield* Fiber.join(borrower)
    }))

  it.effect("shows the object as in use and its borrower as waiting, and is part of the wait", () =>
    Effect.gen(function*() {
      const { events, pool, stats } = yield* lab({ min: 1, max: 1, onBorrow: () => Effect.sleep(100) })
      yield* Pool.awaitReady(pool)
      yield* Effect.forkScoped(Pool.use(pool, () => Effect.never))
      yield* TestClock.adjust(99)
      assert.deepInclude(yield* stats, { idle: 0, inUse: 1, waiting: 1, borrowed: 0 })
      assert.deepStrictEqual((yield* stats).objects[0].holders, [])
      yield* TestClock.adjust(1)
      assert.deepInclude(yield* stats, { inUse: 1, waiting: 0, borrowed: 1 })
      yield* calm
      assert.deepStrictEqual(
        events.flatMap((event) => event._tag === "Borrowed" ? [String(event.waited)] : []),
        ["100 millis"]
      )
    }))

  it.effect("shows since when it runs, as how long the object is in use", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 1, max: 1, onBorrow: () => Effect.sleep(100) })
      yield* Pool.awaitReady(pool)
      yield* TestClock.adjust(1000)
      assert.strictEqual(String((yield* stats).objects[0].since), "1000 millis")
      yield* Effect.forkScoped(Pool.use(pool, () => Effect.never))
      yield* TestClock.adjust(60)
      assert.strictEqual(String((yield* stats).objects[0].since), "60 millis")
    }))

  it.effect("that fails has the object destroyed and counted, and the borrower gets the next idle one", () =>
    Effect.gen(function*() {
      const { logged, made, pool, stats, unmade } = yield* lab({
        name: "app/Things",
        min: 0,
        max: 2,
        onBorrow: ({ id }) => id === 1 ? Effect.fail("no") : Effect.void
      })
      const a = yield* borrow(pool)
      // the second object is lost before anybody had it
      const b = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* calm
      assert.deepStrictEqual(unmade, [1])
      yield* a.giveBack
      assert.strictEqual(yield* Fiber.join(b), 0)
      assert.deepStrictEqual(made, [0, 1])
      assert.deepInclude(yield* stats, { hookFailures: 1, createFailures: 0, borrowed: 2, returned: 2 })
      assert.strictEqual((yield* stats).destroyed.failed, 1)
      assert.strictEqual(logged.length, 1)
      assert.include(logged[0].message, "app/Things")
      assert.include(logged[0].message, "onBorrow")
    }))

  it.effect("that fails puts its borrower first in the queue again", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      let failures = 1
      const { pool } = yield* lab({
        min: 0,
        max: 1,
        createRetry: Schedule.spaced(1),
        onBorrow: () =>
          Effect.andThen(Effect.sleep(100), Effect.suspend(() => failures-- > 0 ? Effect.fail("no") : Effect.void))
      })
      for (const name of ["a", "b", "c"]) {
        yield* Effect.forkChild(Pool.use(pool, () => Effect.sync(() => order.push(name))))
      }
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(order, ["a", "b", "c"])
    }))

  it.effect("that throws, dies or interrupts itself has failed as well", () =>
    Effect.gen(function*() {
      const ways = [
        (): Effect.Effect<void> => {
          throw new Error("thrown")
        },
        () => Effect.die("defect"),
        () => Effect.interrupt
      ]
      for (const way of ways) {
        const { pool, stats } = yield* lab({
          min: 1,
          max: 1,
          createRetry: Schedule.spaced(100),
          onBorrow: ({ id }) => id === 0 ? way() : Effect.void
        })
        const borrower = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
        yield* TestClock.adjust(100)
        assert.strictEqual(yield* Fiber.join(borrower), 1)
        assert.strictEqual((yield* stats).hookFailures, 1)
        assert.strictEqual((yield* stats).destroyed.failed, 1)
      }
    }))

  it.effect("that takes longer than hookTimeout is interrupted, not awaited, and has failed", () =>
    Effect.gen(function*() {
      const ended: Array<number> = []
      const { pool, stats, unmade } = yield* lab({
        min: 1,
        max: 1,
        hookTimeout: 200,
        createRetry: Schedule.spaced(50),
        onBorrow: ({ id }) =>
          id > 0
            ? Effect.void
            : Effect.uninterruptible(Effect.sleep("1 minute")).pipe(
              Effect.onExit(() => Effect.sync(() => ended.push(id)))
            )
      })
      yield* Pool.awaitReady(pool)
      const borrower = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* TestClock.adjust(199)
      assert.deepStrictEqual(unmade, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(unmade, [0])
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(borrower), 1)
      assert.deepStrictEqual(ended, [])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(ended, [0])
      assert.strictEqual((yield* stats).hookFailures, 1)
    }))

  it.effect("may take ten seconds where nothing else is said", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ min: 1, max: 1, onBorrow: () => Effect.never })
      yield* Pool.awaitReady(pool)
      yield* Effect.forkChild(Pool.use(pool, () => Effect.void))
      yield* TestClock.adjust(9999)
      assert.deepStrictEqual(unmade, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(unmade, [0])
    }))

  it.effect("goes on for the next waiter when its borrower leaves", () =>
    Effect.gen(function*() {
      const ran: Array<number> = []
      const { pool, stats } = yield* lab({
        min: 1,
        max: 1,
        onBorrow: ({ id }) => Effect.andThen(Effect.sync(() => ran.push(id)), Effect.sleep(100))
      })
      yield* Pool.awaitReady(pool)
      const a = yield* Effect.forkChild(Pool.use(pool, () => Effect.void))
      const b = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* TestClock.adjust(50)
      yield* Fiber.interrupt(a)
      yield* TestClock.adjust(49)
      assert.strictEqual((yield* stats).waiting, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(b), 0)
      assert.deepStrictEqual(ran, [0])
      assert.deepInclude(yield* stats, { cancelled: 1, borrowed: 1, hookFailures: 0 })
    }))

  it.effect("is interrupted when no waiter is left; without a check the object is destroyed", () =>
    Effect.gen(function*() {
      const interrupted: Array<number> = []
      const { pool, stats, unmade } = yield* lab({
        min: 1,
        max: 1,
        onBorrow: ({ id }) => Effect.onInterrupt(Effect.sleep(100), () => Effect.sync(() => interrupted.push(id)))
      })
      yield* Pool.awaitReady(pool)
      const a = yield* Effect.forkChild(Pool.use(pool, () => Effect.void))
      yield* TestClock.adjust(50)
      yield* Fiber.interrupt(a)
      assert.deepStrictEqual(interrupted, [0])
      assert.deepStrictEqual(unmade, [0])
      assert.strictEqual((yield* stats).destroyed.failed, 1)
      assert.deepInclude(yield* stats, { hookFailures: 0, size: 1 })
    }))

  it.effect("is interrupted when the last waiter times out; with a check the object is checked, and kept", () =>
    Effect.gen(function*() {
      const checked: Array<number> = []
      const { pool, stats, unmade } = yield* lab({
        min: 1,
        max: 1,
        onBorrow: () => Effect.sleep(100),
        healthCheck: ({ id }) => Effect.as(Effect.sleep(10), checked.push(id) > 0)
      })
      yield* Pool.awaitReady(pool)
      const a = yield* Effect.forkChild(Effect.flip(Pool.use(pool, () => Effect.void, { timeout: 50 })))
      yield* TestClock.adjust(50)
      assert.strictEqual((yield* Fiber.join(a)).reason._tag, "BorrowTimeout")
      assert.strictEqual((yield* stats).objects[0].state, "checking")
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(checked, [0])
      assert.deepStrictEqual(unmade, [])
      assert.deepInclude(yield* stats, { idle: 1, healthChecks: 1 })
    }))

  it.effect("that fails after it was interrupted has failed all the same: the object is destroyed, not checked", () =>
    Effect.gen(function*() {
      const { pool, stats, unmade } = yield* lab({
        min: 1,
        max: 1,
        onBorrow: () => Effect.uninterruptible(Effect.andThen(Effect.sleep(100), Effect.fail("no"))),
        healthCheck: () => Effect.succeed(true)
      })
      yield* Pool.awaitReady(pool)
      const a = yield* Effect.forkChild(Pool.use(pool, () => Effect.void))
      yield* TestClock.adjust(50)
      yield* Fiber.interrupt(a)
      assert.deepStrictEqual(unmade, [])
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(unmade, [0])
      assert.deepInclude(yield* stats, { hookFailures: 1, healthChecks: 0 })
      assert.strictEqual((yield* stats).destroyed.failed, 1)
    }))

  it.effect("that is uninterruptible is awaited, at most until hookTimeout, and has failed then", () =>
    Effect.gen(function*() {
      const { pool, stats, unmade } = yield* lab({
        min: 1,
        max: 1,
        hookTimeout: 200,
        onBorrow: () => Effect.uninterruptible(Effect.sleep(1000)),
        healthCheck: () => Effect.succeed(true)
      })
      yield* Pool.awaitReady(pool)
      const a = yield* Effect.forkChild(Pool.use(pool, () => Effect.void))
      yield* TestClock.adjust(50)
      yield* Fiber.interrupt(a)
      yield* TestClock.adjust(149)
      assert.deepInclude(yield* stats, { inUse: 1, waiting: 0 })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(unmade, [0])
      assert.deepInclude(yield* stats, { hookFailures: 1, healthChecks: 0 })
      assert.strictEqual((yield* stats).destroyed.failed, 1)
    }))

  it.effect("that succeeded though nobody got the object is followed by onReturn, once, which sees a success", () =>
    Effect.gen(function*() {
      const exits: Array<Exit.Exit<unknown, unknown>> = []
      const { pool, stats, unmade } = yield* lab({
        min: 1,
        max: 1,
        onBorrow: () => Effect.sleep(100),
        onReturn: (_, exit) => Effect.sync(() => exits.push(exit))
      })
      yield* Pool.awaitReady(pool)
      const a = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* TestClock.adjust(50)
      yield* Pool.suspend(pool)
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(exits, [Exit.void])
      assert.deepStrictEqual(unmade, [])
      assert.deepInclude(yield* stats, { idle: 1, borrowed: 0, returned: 0, waiting: 1 })
      yield* Pool.resume(pool)
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(a), 0)
      assert.deepStrictEqual(exits, [Exit.void, Exit.succeed(0)])
    }))

  it.effect("of an object that is evicted meanwhile is interrupted; its borrower waits on, first in the queue", () =>
    Effect.gen(function*() {
      const { events, pool, stats, unmade } = yield* lab({
        min: 1,
        max: 1,
        onBorrow: ({ id }) => id === 0 ? Effect.never : Effect.void
      })
      yield* Pool.awaitReady(pool)
      const a = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* calm
      yield* Pool.evict(pool)
      assert.strictEqual(yield* Fiber.join(a), 1)
      assert.deepStrictEqual(unmade, [0])
      assert.deepInclude(yield* stats, { hookFailures: 0, timeouts: 0, cancelled: 0 })
      yield* calm
      assert.deepStrictEqual(events.map((event) => event._tag), [
        "Evicted",
        "Destroyed",
        "Created",
        "Borrowed",
        "Returned"
      ])
    }))

  it.effect.each(["check", "onBorrow"])(
    "or a check (%s) of an object that expires or is evicted meanwhile is interrupted, and the borrower gets another",
    (slow) =>
      Effect.gen(function*() {
        for (const reason of ["lifetime", "evicted"] as const) {
          const interrupted: Array<number> = []
          const step = (name: string, { id }: Thing) =>
            name === slow && id === 0
              ? Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted.push(id)))
              : Effect.succeed(true)
          const { pool, stats, unmade } = yield* lab({
            min: 1,
            max: 1,
            timeToLive: 1000,
            jitter: 0,
            healthAfterIdle: 500,
            healthCheck: (thing) => step("check", thing),
            onBorrow: (thing) => step("onBorrow", thing)
          })
          yield* Pool.awaitReady(pool)
          yield* TestClock.adjust(999)
          const borrower = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
          yield* calm
          assert.deepInclude(yield* stats, { waiting: 1, size: 1, idle: 0 })
          if (reason === "lifetime") yield* TestClock.adjust(1)
          else yield* Pool.evict(pool)
          assert.deepStrictEqual(interrupted, [0])
          assert.deepStrictEqual(unmade, [0])
          assert.strictEqual(yield* Fiber.join(borrower), 1)
          assert.deepInclude(yield* stats, { hookFailures: 0, borrowed: 1, cancelled: 0 })
          assert.strictEqual((yield* stats).destroyed[reason], 1)
        }
      })
  )

  it.effect("on an object that has become too many hands it to nobody: the borrower waits on, first in the queue", () =>
    Effect.gen(function*() {
      const returned: Array<number> = []
      const { pool, stats, unmade } = yield* lab({
        min: 0,
        max: 2,
        onBorrow: ({ id }) => id === 0 ? Effect.void : Effect.sleep(100),
        onReturn: ({ id }) => Effect.sync(() => returned.push(id))
      })
      const a = yield* borrow(pool)
      const b = yield* Effect.forkChild(Pool.use(pool, ({ id }) => Effect.succeed(id)))
      yield* TestClock.adjust(50)
      yield* Pool.resize(pool, { max: 1 })
      yield* TestClock.adjust(49)
      assert.deepStrictEqual(unmade, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(unmade, [1])
      assert.deepStrictEqual(returned, [1])
      assert.deepInclude(yield* stats, { waiting: 1, size: 1 })
      yield* a.giveBack
      assert.strictEqual(yield* Fiber.join(b), 0)
      assert.strictEqual((yield* stats).destroyed.resized, 1)
    }))

  it.effect("serves poll too, and where it fails the next idle object is tried", () =>
    Effect.gen(function*() {
      let broken = -1
      const { made, pool, stats } = yield* lab({
        min: 2,
        max: 2,
        order: "lifo",
        onBorrow: ({ id }) => Effect.suspend(() => broken === id ? Effect.fail("no") : Effect.void)
      })
      yield* Pool.awaitReady(pool)
      yield* Pool.resize(pool, { min: 0 })
      broken = 1
      assert.deepStrictEqual(yield* Effect.scoped(Pool.poll(pool)), Option.some({ id: 0 }))
      broken = 0
      assert.deepStrictEqual(yield* Effect.scoped(Pool.poll(pool)), Option.none())
      assert.deepStrictEqual(made, [0, 1])
      assert.deepInclude(yield* stats, { size: 0, hookFailures: 2 })
    }))

  it.effect("runs after the check on borrow, and not at all where that fails", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { pool } = yield* lab({
        min: 2,
        max: 2,
        order: "fifo",
        healthAfterIdle: 0,
        healthCheck: ({ id }) => Effect.sync(() => log.push(`check ${id}`) > 0 && id !== 0),
        onBorrow: ({ id }) => Effect.sync(() => log.push(`borrow ${id}`))
      })
      yield* Pool.awaitReady(pool)
      yield* Pool.use(pool, ({ id }) => Effect.sync(() => log.push(`use ${id}`)))
      assert.deepStrictEqual(log, ["check 0", "check 1", "borrow 1", "use 1"])
    }))

  it.effect("runs side by side for the borrowers of a shared object", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({ min: 1, max: 1, concurrency: 3, onBorrow: () => Effect.sleep(100) })
      yield* Pool.awaitReady(pool)
      yield* Effect.forkScoped(Pool.use(pool, () => Effect.never))
      yield* Effect.forkScoped(Pool.use(pool, () => Effect.never))
      yield* TestClock.adjust(100)
      assert.deepInclude(yield* stats, { borrowed: 2, waiting: 0, size: 1 })
    }))

  it.effect("may use Scope, which closes when the hook ends", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { pool } = yield* lab({ min: 1, max: 1, onBorrow: () => scopedHook(log) })
      yield* Effect.forkChild(Pool.use(pool, () => Effect.sync(() => log.push("body"))))
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(log, ["open", "close", "body"])
    }))
})

describe("onReturn", () => {
  it.effect("sees how a use body ended", () =>
    Effect.gen(function*() {
      const exits: Array<Exit.Exit<unknown, unknown>> = []
      const { pool } = yield* lab({ min: 0, max: 1, onReturn: (_, exit) => Effect.sync(() => exits.push(exit)) })
      yield* Pool.use(pool, () => Effect.succeed(7))
      yield* Effect.exit(Pool.use(pool, () => Effect.fail("no")))
      yield* Effect.exit(Pool.use(pool, () => Effect.die("defect")))
      const fiber = yield* Effect.forkChild(Pool.use(pool, () => Effect.never))
      yield* calm
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(exits.slice(0, 3), [Exit.succeed(7), Exit.fail("no"), Exit.die("defect")])
      assert.isTrue(Exit.hasInterrupts(exits[3]))
      assert.strictEqual(exits.length, 4)
    }))

  it.effect("sees how the Scope that took an object raw was closed", () =>
    Effect.gen(function*() {
      const exits: Array<Exit.Exit<unknown, unknown>> = []
      const { pool } = yield* lab({ min: 0, max: 1, onReturn: (_, exit) => Effect.sync(() => exits.push(exit)) })
      yield* Effect.scoped(Effect.as(Pool.get(pool), 7))
      yield* Effect.exit(Effect.scoped(Effect.andThen(Pool.get(pool), Effect.fail("no"))))
      yield* Effect.exit(Effect.scoped(Effect.andThen(Pool.get(pool), Effect.die("defect"))))
      yield* Effect.scoped(Pool.poll(pool))
      assert.deepStrictEqual(exits.slice(0, 3), [Exit.succeed(7), Exit.fail("no"), Exit.die("defect")])
      assert.strictEqual(exits.length, 3)
    }))

  it.effect("is waited for by the end of use and of the Scope, and the object is lent to nobody before it ends", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { pool, stats } = yield* lab({
        min: 0,
        max: 1,
        onReturn: () => Effect.andThen(Effect.sleep(100), Effect.sync(() => log.push("returned")))
      })
      const use = yield* Effect.forkChild(
        Effect.andThen(Pool.use(pool, () => Effect.void), Effect.sync(() => log.push("use ended")))
      )
      const next = yield* Effect.forkChild(
        Effect.andThen(
          Effect.scoped(Effect.andThen(Pool.get(pool), Effect.sync(() => log.push("got it")))),
          Effect.sync(() => log.push("Scope ended"))
        )
      )
      yield* TestClock.adjust(99)
      assert.deepStrictEqual(log, [])
      assert.deepInclude(yield* stats, { inUse: 1, waiting: 1, borrowed: 1, returned: 0 })
      yield* TestClock.adjust(1)
      assert.sameMembers(log, ["returned", "use ended", "got it"])
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(log.slice(3), ["returned", "Scope ended"])
      yield* Fiber.join(use)
      yield* Fiber.join(next)
    }))

  it.effect("is not cut short when the holder is interrupted, before or while it runs", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { pool } = yield* lab({
        min: 0,
        max: 1,
        onReturn: () => Effect.andThen(Effect.sleep(100), Effect.sync(() => log.push("returned")))
      })
      const a = yield* Effect.forkChild(Pool.use(pool, () => Effect.never))
      yield* calm
      const interruption = yield* Effect.forkChild(
        Effect.andThen(Fiber.interrupt(a), Effect.sync(() => log.push("interrupted")))
      )
      yield* TestClock.adjust(99)
      assert.deepStrictEqual(log, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(log, ["returned", "interrupted"])
      yield* Fiber.join(interruption)

      const b = yield* Effect.forkChild(Pool.use(pool, () => Effect.void))
      yield* calm
      yield* Effect.forkChild(Fiber.interrupt(b))
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(log, ["returned", "interrupted", "returned"])
    }))

  it.effect("does not make the holder wait for the check or the finalizers that follow", () =>
    Effect.gen(function*() {
      const { pool, stats } = yield* lab({
        min: 0,
        max: 1,
        destroy: () => Effect.sleep(1000),
        onReturn: () => Effect.fail("no")
      })
      yield* Pool.use(pool, () => Effect.void)
      assert.deepInclude(yield* stats, { size: 0, destroying: 1, hookFailures: 1 })
      yield* Effect.forkChild(Pool.shutdown(pool))
      yield* TestClock.adjust(1000)
      const checking = yield* lab({
        min: 0,
        max: 1,
        onReturn: () => Effect.void,
        healthCheck: () => Effect.as(Effect.sleep(1000), true)
      })
      assert.strictEqual((yield* Effect.exit(Pool.use(checking.pool, () => Effect.die("defect"))))._tag, "Failure")
      assert.strictEqual((yield* checking.stats).objects[0].state, "checking")
    }))

  it.effect("that fails has the object destroyed and says nothing to the holder", () =>
    Effect.gen(function*() {
      const ways = [
        () => Effect.fail("no"),
        () => Effect.die("defect"),
        (): Effect.Effect<void> => {
          throw new Error("thrown")
        },
        () => Effect.interrupt
      ]
      for (const onReturn of ways) {
        const { logged, pool, stats, unmade } = yield* lab({ name: "app/Things", min: 0, max: 1, onReturn })
        assert.strictEqual(yield* Pool.use(pool, ({ id }) => Effect.succeed(id)), 0)
        assert.deepStrictEqual(unmade, [0])
        assert.deepInclude(yield* stats, { hookFailures: 1, borrowed: 1, returned: 1 })
        assert.strictEqual((yield* stats).destroyed.failed, 1)
        assert.strictEqual(logged.length, 1)
        assert.include(logged[0].message, "onReturn")
        assert.deepInclude(logged[0], { level: "Warn", poolName: "app/Things" })
      }
    }))

  it.effect("that takes longer than hookTimeout is interrupted, not awaited, and has failed", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { pool, stats, unmade } = yield* lab({
        min: 0,
        max: 1,
        hookTimeout: 200,
        onReturn: () =>
          Effect.uninterruptible(Effect.sleep("1 minute")).pipe(
            Effect.onExit(() => Effect.sync(() => log.push("hook")))
          )
      })
      yield* Effect.forkChild(Effect.andThen(Pool.use(pool, () => Effect.void), Effect.sync(() => log.push("use"))))
      yield* TestClock.adjust(199)
      assert.deepStrictEqual(log, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(log, ["use"])
      assert.deepStrictEqual(unmade, [0])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(log, ["use", "hook"])
      assert.deepInclude(yield* stats, { hookFailures: 1, returned: 1 })
    }))

  it.effect("runs also when the object will then be destroyed, whatever for", () =>
    Effect.gen(function*() {
      const ran: Array<number> = []
      const { pool, stats, unmade } = yield* lab({
        min: 0,
        max: 10,
        maxUses: 2,
        timeToLive: 1000,
        jitter: 0,
        onReturn: ({ id }) => Effect.sync(() => ran.push(id))
      })
      // worn
      yield* Pool.use(pool, () => Effect.void)
      yield* Pool.use(pool, () => Effect.void)
      // invalidated
      const a = yield* borrow(pool)
      yield* Pool.invalidate(pool, a.object)
      yield* a.giveBack
      // evicted
      const b = yield* borrow(pool)
      yield* Pool.evict(pool)
      yield* b.giveBack
      // in an unknown state
      yield* Effect.exit(Pool.use(pool, () => Effect.die("defect")))
      // too many
      const c = [yield* borrow(pool), yield* borrow(pool)]
      yield* Pool.resize(pool, { max: 1 })
      yield* c[0].giveBack
      // too old
      yield* TestClock.adjust(1000)
      yield* c[1].giveBack
      assert.deepStrictEqual(ran, [0, 0, 1, 2, 3, 4, 5])
      assert.deepStrictEqual(unmade, [0, 1, 2, 3, 4, 5])
      assert.deepInclude((yield* stats).destroyed, {
        uses: 1,
        invalidated: 1,
        evicted: 1,
        failed: 1,
        resized: 1,
        lifetime: 1
      })
    }))

  it.effect("runs for each borrower of a shared object, which stays lent meanwhile", () =>
    Effect.gen(function*() {
      const exits: Array<string> = []
      const { pool, stats } = yield* lab({
        min: 1,
        max: 1,
        concurrency: 2,
        onReturn: (_, exit) => Effect.andThen(Effect.sleep(100), Effect.sync(() => exits.push(exit._tag)))
      })
      yield* Effect.forkChild(Effect.exit(Pool.use(pool, () => Effect.fail("no"))))
      yield* Effect.forkChild(Pool.use(pool, () => Effect.sleep(50)))
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(exits, ["Failure"])
      assert.deepInclude(yield* stats, { borrowed: 2, returned: 1, size: 1, inUse: 1 })
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(exits, ["Failure", "Success"])
      assert.deepInclude(yield* stats, { returned: 2, idle: 1 })
    }))

  it.effect("may use Scope, which closes when the hook ends", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { pool } = yield* lab({ min: 1, max: 1, onReturn: () => scopedHook(log) })
      yield* Effect.forkChild(Effect.andThen(Pool.use(pool, () => Effect.void), Effect.sync(() => log.push("end"))))
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(log, ["open", "close", "end"])
    }))
})

describe("all hooks at once", () => {
  it.effect("may fail without breaking the pool: it counts, logs, and serves again when they recover", () =>
    Effect.gen(function*() {
      let broken = true
      const hook = Effect.suspend(() => broken ? Effect.die("broken") : Effect.void)
      const { pool, stats } = yield* lab({
        min: 2,
        max: 3,
        createRetry: Schedule.spaced(100),
        healthInterval: 1000,
        healthAfterIdle: 0,
        healthCheck: () => Effect.as(hook, true),
        onBorrow: () => hook,
        onReturn: () => hook,
        destroy: () => hook
      })
      const borrowers = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 5 }, () => Pool.use(pool, ({ id }) => Effect.succeed(id))),
          { concurrency: "unbounded" }
        )
      )
      yield* TestClock.adjust(5000)
      const during = yield* stats
      assert.strictEqual(during.waiting, 5)
      assert.isAbove(during.hookFailures, 50)
      assert.strictEqual(during.createFailures, 0)
      broken = false
      yield* TestClock.adjust(1000)
      assert.strictEqual((yield* Fiber.join(borrowers)).length, 5)
      yield* TestClock.adjust(100)
      assert.deepInclude(yield* stats, { waiting: 0, borrowed: 5, returned: 5 })
      assert.isAtLeast((yield* stats).idle, 2)
    }))
})
