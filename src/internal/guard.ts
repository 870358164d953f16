/** Runs what may be revoked in a child fiber, which counts as its caller's everywhere. */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

type AnyFiber = Fiber.Fiber<unknown, unknown>

const owners = new WeakMap<AnyFiber, AnyFiber>()
let guards = false

/** The fiber that a user sees: the caller of a body that runs in a child fiber. */
export const ownerOf = (fiber: AnyFiber): AnyFiber => guards ? owners.get(fiber) ?? fiber : fiber

/**
 * Runs the effect in a child fiber, and waits for its end. `started` gets the fiber, to interrupt it; when it has
 * ended, `revoked` may put a failure in the place of its exit.
 */
export const guard = <A, E, R>(
  effect: () => Effect.Effect<A, E, R>,
  started: (child: AnyFiber) => void,
  revoked: () => Exit.Exit<never, unknown> | undefined
): Effect.Effect<A, unknown, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((parent) => {
      guards = true
      const run = Effect.withFiber<A, E, R>((child) => {
        owners.set(child, ownerOf(parent))
        started(child)
        return restore(Effect.suspend(effect))
      })
      return Effect.flatMap(
        Effect.forkChild(run, { startImmediately: true, uninterruptible: true }),
        (child) =>
          Effect.flatMap(
            Effect.onInterrupt(restore(Fiber.await(child)), () => Fiber.interrupt(child)),
            (exit) => revoked() ?? exit
          )
      )
    })
  )
