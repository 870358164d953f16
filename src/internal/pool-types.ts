/** The public type of a pool, apart from what makes one. */
import type { Pipeable } from "effect/Pipeable"
import type { Covariant, Invariant } from "effect/Types"

/** What marks a value as a pool. */
export const TypeId = "~proxy-pattern-pool/Pool"

/** What marks a value as a pool. */
export type TypeId = typeof TypeId

/**
 * Lends objects of type `A`, created on demand, whose creation may fail with `E`.
 *
 * **When to use**
 *
 * Use with the functions of this module. `Pool.make` makes one; a proxy's `pool` gives the one behind its layer.
 *
 * **Details**
 *
 * The Scope in which a pool was made closes it. It is invariant in `A`, which it gives and takes (`Pool.invalidate`),
 * and covariant in `E`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Pool<in out A, out E = never> extends Pipeable {
  readonly [TypeId]: Pool.Variance<A, E>
}

/**
 * Types that belong to `Pool`.
 *
 * @category models
 * @since 0.1.0
 */
export declare namespace Pool {
  /**
   * How the type parameters of a pool vary.
   *
   * @category models
   * @since 0.1.0
   */
  export interface Variance<in out A, out E> {
    readonly _A: Invariant<A>
    readonly _E: Covariant<E>
  }
}
