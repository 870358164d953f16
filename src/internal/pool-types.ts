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

/** What marks a value as a keyed pool. */
export const KeyedTypeId = "~proxy-pattern-pool/KeyedPool"

/** What marks a value as a keyed pool. */
export type KeyedTypeId = typeof KeyedTypeId

/**
 * Pools by key under one total bound: lends objects of type `A`, created on demand for a key of type `K`, whose creation
 * may fail with `E`.
 *
 * **When to use**
 *
 * Use with the functions of this module. `KeyedPool.make` makes one; the service of a `Proxy.KeyedService` is one.
 *
 * **Details**
 *
 * The Scope in which a keyed pool was made closes it. It is invariant in `K` and `A`, which it gives and takes, and
 * covariant in `E`.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyedPool<in out K, in out A, out E = never> extends Pipeable {
  readonly [KeyedTypeId]: KeyedPool.Variance<K, A, E>
}

/**
 * Types that belong to `KeyedPool`.
 *
 * @category models
 * @since 0.1.0
 */
export declare namespace KeyedPool {
  /**
   * How the type parameters of a keyed pool vary.
   *
   * @category models
   * @since 0.1.0
   */
  export interface Variance<in out K, in out A, out E> {
    readonly _K: Invariant<K>
    readonly _A: Invariant<A>
    readonly _E: Covariant<E>
  }
}
