import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Pool } from "../src/index.ts"
import * as pooled from "../src/internal/pooled.ts"
import { Steps } from "./steps.ts"
import { ended, settle, start } from "./utils.ts"

/** One fiber may be made to stop before its next step, once. */
class Stops extends Steps {
  /** Stops this fiber as soon as that is so. */
  stop: { readonly fiber: Fiber.Fiber<unknown, unknown>; readonly when: () => boolean } | undefined = undefined
  private stopping = false
  private stopped: (() => void) | undefined = undefined

  override shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (this.stop === undefined || fiber !== this.stop.fiber || !this.stop.when()) return super.shouldYield(fiber)
    this.stop = undefined
    return this.stopping = true
  }

  override soon(task: () => void): void {
    if (this.stopping) this.stopped = task
    else super.soon(task)
    this.stopping = false
  }

  goOn(): void {
    this.stopped!()
    this.run()
  }
}

describe("a Scope that closes when its borrower has been handed an object, and not yet gone on", () => {
  const closed = /cannot borrow in a Scope that is closed/

  it.effect("fails the borrow, also where a hook follows the return", () =>
    Effect.gen(function*() {
      for (const onReturn of [() => Effect.void, () => Effect.sleep(10)]) {
        const pool = yield* Pool.make({ acquire: Effect.succeed({}), max: 1, onReturn })
        const scope = yield* Scope.make()
        const holding = yield* Scope.make()
        yield* Scope.provide(Pool.get(pool), holding)
        const fiber = yield* start(Scope.provide(Pool.get(pool), scope))
        yield* settle
        assert.strictEqual((yield* Pool.stats(pool)).waiting, 1)
        // the new object is handed over at once; its borrower is woken in a task
        yield* Pool.resize(pool, { max: 2 })
        assert.strictEqual((yield* Pool.stats(pool)).inUse, 2)
        const closing = yield* start(Scope.close(scope, Exit.void))
        yield* settle
        yield* TestClock.adjust(10)
        assert.match(String(ended(fiber)), closed)
        assert.deepStrictEqual(ended(closing), Exit.void)
        assert.deepInclude(yield* Pool.stats(pool), { inUse: 1, idle: 1, waiting: 0, borrowed: 2, returned: 1 })
        yield* start(Scope.close(holding, Exit.void))
        yield* TestClock.adjust(10)
      }
    }))

  for (const interrupted of [false, true]) {
    it(`does not harm the next borrower, whose lease was the first one's${interrupted ? ", who is interrupted" : ""}`, () => {
      const steps = new Stops(0, false)
      const fork = <A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> => {
        const fiber = Effect.runFork(effect, { scheduler: steps })
        steps.run()
        return fiber
      }
      const pool = Effect.runSync(
        Scope.provide(Pool.make({ acquire: Effect.succeed({}), max: 1 }), Scope.makeUnsafe())
      )
      const { held } = pooled.of(pool).core.machine
      const leaseOf = (fiber: Fiber.Fiber<unknown, unknown>): { readonly taken: boolean } | undefined => {
        for (let lease = held.head; lease !== undefined; lease = lease.next) {
          if ("fiber" in lease && lease.fiber === fiber && "taken" in lease) return { taken: lease.taken === true }
        }
        return undefined
      }
      const stats = () => Effect.runSync(Pool.stats(pool))
      const [holding, first, second] = [Scope.makeUnsafe(), Scope.makeUnsafe(), Scope.makeUnsafe()]
      fork(Scope.provide(Pool.get(pool), holding))
      const early = fork(Scope.provide(Pool.get(pool), first))
      // the object is its own, and the frame around the borrow has not ended
      steps.stop = { fiber: early, when: () => leaseOf(early)?.taken === true }
      fork(Scope.close(holding, Exit.void))
      assert.isUndefined(early.pollUnsafe())
      fork(Scope.close(first, Exit.void))
      assert.strictEqual(stats().inUse, 0)
      const user = fork(Pool.use(pool, () => Effect.never))
      const late = fork(Scope.provide(Pool.get(pool), second))
      assert.deepInclude(stats(), { inUse: 1, waiting: 1 })
      if (interrupted) early.interruptUnsafe()
      else steps.goOn()
      steps.run()
      assert.isDefined(early.pollUnsafe())
      assert.deepInclude(stats(), { inUse: 1, waiting: 1, cancelled: 0 })
      user.interruptUnsafe()
      steps.run()
      assert.strictEqual(late.pollUnsafe()?._tag, "Success")
      assert.deepInclude(stats(), { inUse: 1, waiting: 0 })
    })
  }
})
