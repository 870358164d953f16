import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { Pool } from "../../src/index.ts"
import type { Core } from "../../src/internal/core.ts"
import * as pooled from "../../src/internal/pooled.ts"

type Borrow = <A, E>(
  pool: Pool.Pool<number>,
  body: (object: number) => Effect.Effect<A, E>
) => Effect.Effect<A, unknown>

describe("leases", () => {
  const spares: Record<string, (core: Core) => number> = {
    use: ({ spareUses }) => spareUses.kept.length,
    get: ({ spareGets }) => spareGets.kept.length
  }

  const borrows: Record<string, Borrow> = {
    use: (pool, body) => Pool.use(pool, body),
    get: (pool, body) => Effect.scoped(Effect.flatMap(Pool.get(pool), body))
  }

  for (const [form, borrow] of Object.entries(borrows)) {
    const spare = (pool: Pool.Pool<number>) => spares[form]!(pooled.of(pool).core)

    it.effect(`are used again: ${form}`, () =>
      Effect.gen(function*() {
        const pool = yield* Pool.make({ acquire: Pool.CreationNumber, max: 10 })
        const together = (count: number) =>
          Effect.forEach(Array.from({ length: count }), () => borrow(pool, () => Effect.yieldNow), {
            concurrency: "unbounded",
            discard: true
          })
        for (let i = 0; i < 3; i++) {
          yield* together(1)
          assert.strictEqual(spare(pool), 1)
        }
        for (let i = 0; i < 3; i++) {
          yield* together(999)
          assert.strictEqual(spare(pool), 999)
        }
        yield* together(20_000)
        assert.strictEqual(spare(pool), 10_000)
      }))

    it.effect(`also those of borrowers that gave up or timed out: ${form}`, () =>
      Effect.gen(function*() {
        const pool = yield* Pool.make({ acquire: Pool.CreationNumber, max: 1, borrowTimeout: 100 })
        const gate = Latch.makeUnsafe()
        const fork = Effect.forkChild(Effect.exit(borrow(pool, () => gate.await)))
        const holder = yield* fork
        const waiting = [yield* fork, yield* fork]
        yield* Effect.yieldNow
        const spared = [spare(pool)]
        yield* Fiber.interrupt(waiting[0]!)
        spared.push(spare(pool))
        yield* TestClock.adjust(100)
        const timedOut = yield* Fiber.join(waiting[1]!)
        spared.push(spare(pool))
        // each of them is as good as new
        const served: Array<number> = []
        const again = yield* Effect.forkChild(
          Effect.forEach(
            ["a", "b"],
            () => borrow(pool, (object) => Effect.sync(() => served.push(object))),
            { concurrency: "unbounded", discard: true }
          )
        )
        yield* Effect.yieldNow
        spared.push(spare(pool))
        yield* gate.open
        yield* Fiber.join(again)
        const held = yield* Fiber.join(holder)
        assert.isTrue(Exit.isFailure(timedOut) && Exit.isSuccess(held))
        assert.deepStrictEqual(spared, [0, 1, 2, 0])
        assert.strictEqual(spare(pool), 3)
        assert.deepStrictEqual(served, [0, 0])
        assert.deepInclude(yield* Pool.stats(pool), { borrowed: 3, returned: 3, timeouts: 1, cancelled: 1 })
      }))
  }

  for (const [form, borrow] of Object.entries(borrows)) {
    it.effect(`but not while they are to be woken: ${form}`, () =>
      Effect.gen(function*() {
        const pool = yield* Pool.make({ acquire: Pool.CreationNumber, max: 1 })
        const gate = Latch.makeUnsafe()
        const fork = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })
        const holding = yield* Scope.make()
        yield* Scope.provide(Pool.get(pool), holding)
        const handed = yield* fork(borrow(pool, () => Effect.never))
        yield* Effect.yieldNow
        // all in one step: it is handed the object, gives up before it is woken, and others come
        yield* Scope.close(holding, Exit.void)
        handed.interruptUnsafe()
        const user = yield* fork(borrows[form === "use" ? "get" : "use"]!(pool, () => gate.await))
        const waiting = [yield* fork(borrow(pool, Effect.succeed)), yield* fork(borrow(pool, Effect.succeed))]
        assert.deepInclude(yield* Pool.stats(pool), { inUse: 1, waiting: 2 })
        for (let i = 0; i < 5; i++) yield* Effect.yieldNow
        assert.deepInclude(yield* Pool.stats(pool), { inUse: 1, waiting: 2 })
        gate.openUnsafe()
        yield* Fiber.join(user)
        for (const fiber of waiting) assert.strictEqual(yield* Fiber.join(fiber), 0)
      }))
  }

  it.effect("but not while their Scope may still end them", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Pool.CreationNumber, max: 1, borrowTimeout: 100 })
      const gate = Latch.makeUnsafe()
      const holder = yield* Effect.forkChild(Pool.use(pool, () => gate.await))
      yield* Effect.yieldNow
      const ended: Array<Exit.Exit<unknown, unknown>> = []
      // the borrower waits in the Scope as it closes: its finalizer has begun
      yield* Effect.scoped(
        Effect.andThen(
          Effect.forkDetach(Effect.onExit(Pool.get(pool), (exit) => Effect.sync(() => ended.push(exit)))),
          Effect.yieldNow
        )
      )
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      const [exit] = ended
      assert.isTrue(exit !== undefined && Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.strictEqual(spares["get"]!(pooled.of(pool).core), 0)
      yield* gate.open
      yield* Fiber.join(holder)
      assert.deepInclude(yield* Pool.stats(pool), { borrowed: 1, returned: 1, cancelled: 1, idle: 1 })
    }))
})
