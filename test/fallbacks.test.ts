/**
 * The library looks at how Effect runs frames and keeps finalizers, and does without its savings where it is otherwise.
 * Here it is otherwise: borrowing must be as safe as ever.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { vi } from "vitest"
import type { Framed } from "../src/internal/frames.ts"
import { enter, frameOf } from "../src/internal/frames.ts"
import { addFinalizer, nothing } from "../src/internal/scopes.ts"

vi.mock(import("effect/Effect"), async (original) => {
  const actual = await original()
  // hides the frame from what is called at its end
  const onExitPrimitive = ((self, f) =>
    actual.onExitPrimitive(self, (exit) => f(exit))) as typeof actual.onExitPrimitive
  return { ...actual, onExitPrimitive }
})

vi.mock(import("effect/Scope"), async (original) => {
  const actual = await original()
  // a Scope that keeps something else than what it was given
  const addFinalizerExit: typeof actual.addFinalizerExit = (scope, finalizer) =>
    actual.addFinalizerExit(scope, (exit) => finalizer(exit))
  return { ...actual, addFinalizerExit }
})

describe("where Effect works otherwise", () => {
  it.effect("a frame is run as it is, and what is inside is told of its exit", () =>
    Effect.gen(function*() {
      const exits: Array<Exit.Exit<unknown, unknown>> = []
      const inside: Effect.Effect<number> & Framed = Object.assign(Effect.andThen(Effect.void, Effect.succeed(1)), {
        ended: (exit: Exit.Exit<unknown, unknown>) => void exits.push(exit)
      })
      const frame = frameOf(inside)
      const entered = yield* Effect.withFiber((fiber) => Effect.succeed(enter(frame, fiber)))
      assert.isFalse(entered)
      assert.strictEqual(yield* frame, 1)
      assert.deepStrictEqual(exits, [Exit.succeed(1)])
    }))

  it.effect("finalizers are added by an effect, and give one", () =>
    Effect.gen(function*() {
      const exits: Array<Exit.Exit<unknown, unknown>> = []
      const scope = Scope.makeUnsafe()
      const finalizer = (exit: Exit.Exit<unknown, unknown>) => {
        exits.push(exit)
        return nothing(scope.state, finalizer)
      }
      const adding = addFinalizer(scope, {}, finalizer)
      assert.isTrue(Effect.isEffect(adding))
      yield* adding!
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(exits, [Exit.void])
      assert.isTrue(Effect.isEffect(nothing(scope.state, finalizer)))
    }))
})

// all of it once more
await import("./interruption.test.ts")
