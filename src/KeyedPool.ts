/**
 * Pools by key under one total bound: one for each tenant, shard or host. A key comes into being on its first borrow
 * and vanishes when it has neither object nor borrower; when the total is reached, the longest idle object of another
 * key makes room.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Function from "effect/Function"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as getLease from "./internal/getLease.ts"
import * as keyed from "./internal/keyed.ts"
import type { KeyedStats } from "./internal/keyedStats.ts"
import type { KeyedOptions as Options } from "./internal/options.ts"
import type { KeyedPool } from "./internal/pool-types.ts"
import type { Event } from "./internal/stats.ts"
import * as useLease from "./internal/useLease.ts"
import type { BorrowOptions } from "./Pool.ts"
import type { PoolError } from "./PoolError.ts"

export type {
  /**
   * The options of a pool by key.
   *
   * @category models
   * @since 0.1.0
   */
  KeyedOptions as Options
} from "./internal/options.ts"

export {
  /**
   * What a pool by key looks like at one moment.
   *
   * @category models
   * @since 0.1.0
   */
  KeyedStats as Stats
} from "./internal/keyedStats.ts"

export type {
  /**
   * Pools by key under one total bound.
   *
   * @category models
   * @since 0.1.0
   */
  KeyedPool
} from "./internal/pool-types.ts"

/**
 * Is this a pool by key?
 *
 * @category guards
 * @since 0.1.0
 */
export const isKeyedPool = (u: unknown): u is KeyedPool<unknown, unknown, unknown> => keyed.isKeyedPool(u)

/**
 * Makes a pool by key that lives as long as the current Scope.
 *
 * **Details**
 *
 * `max` bounds the places of all keys together, `maxPerKey` those of one; `minPerKey` objects are kept for each key
 * that exists. All other options hold per key. `acquire` gets the key; hooks, `healthCheck` and `describe` get it last.
 *
 * **Gotchas**
 *
 * When the total is reached, the longest idle object of another key makes room: minimums are given up last, but they
 * are given up.
 *
 * **Example** (One pool for each tenant)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { KeyedPool } from "proxy-pattern-pool"
 *
 * const program = Effect.gen(function*() {
 *   const pool = yield* KeyedPool.make({
 *     acquire: (tenant: string) => Effect.succeed({ greet: (name: string) => `${tenant} greets ${name}` }),
 *     max: 20,
 *     maxPerKey: 2
 *   })
 *   return yield* KeyedPool.use(pool, "acme", (object) => Effect.succeed(object.greet("you")))
 * }).pipe(Effect.scoped)
 *
 * await Effect.runPromise(program) // => "acme greets you"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <K, A, E = never, R = never, RCheck = R, RBorrow = R, RReturn = R>(
  options: Options<K, A, E, R, RCheck, RBorrow, RReturn>
): Effect.Effect<
  KeyedPool<K, A, E>,
  never,
  Exclude<R | RCheck | RBorrow | RReturn, Scope.Scope> | Scope.Scope
> =>
  keyed.make(options) as unknown as Effect.Effect<
    KeyedPool<K, A, E>,
    never,
    Exclude<R | RCheck | RBorrow | RReturn, Scope.Scope> | Scope.Scope
  >

/**
 * Borrows an object of the key until the current Scope closes. Fails as `Pool.get`.
 *
 * @category borrowing
 * @since 0.1.0
 */
export const get: {
  <K>(
    key: K,
    options?: BorrowOptions
  ): <A, E>(pool: KeyedPool<K, A, E>) => Effect.Effect<A, E | PoolError, Scope.Scope>
  <K, A, E>(
    pool: KeyedPool<K, A, E>,
    key: NoInfer<K>,
    options?: BorrowOptions
  ): Effect.Effect<A, E | PoolError, Scope.Scope>
} = Function.dual(
  (args) => isKeyedPool(args[0]),
  <K, A, E>(pool: KeyedPool<K, A, E>, key: K, options?: BorrowOptions): Effect.Effect<A, E | PoolError, Scope.Scope> =>
    getLease.get(keyed.of(pool).of(key), options?.timeout)
)

/**
 * Borrows an object of the key for the run of one function. Fails as `Pool.use`.
 *
 * @category borrowing
 * @since 0.1.0
 */
export const use: {
  <K, A, B, E2, R2>(
    key: K,
    f: (object: A) => Effect.Effect<B, E2, R2>,
    options?: BorrowOptions
  ): <E>(pool: KeyedPool<K, A, E>) => Effect.Effect<B, E | E2 | PoolError, R2>
  <K, A, E, B, E2, R2>(
    pool: KeyedPool<K, A, E>,
    key: NoInfer<K>,
    f: (object: A) => Effect.Effect<B, E2, R2>,
    options?: BorrowOptions
  ): Effect.Effect<B, E | E2 | PoolError, R2>
} = Function.dual(
  (args) => isKeyedPool(args[0]),
  <K, A, E, B, E2, R2>(
    pool: KeyedPool<K, A, E>,
    key: K,
    f: (object: A) => Effect.Effect<B, E2, R2>,
    options?: BorrowOptions
  ): Effect.Effect<B, E | E2 | PoolError, R2> =>
    useLease.use(keyed.of(pool).of(key), f as (object: unknown) => Effect.Effect<B, E2, R2>, options?.timeout)
)

/**
 * An idle object of the key, if there is one now, until the current Scope closes: no queue, no creation.
 *
 * @category borrowing
 * @since 0.1.0
 */
export const poll: {
  <K>(key: K): <A, E>(pool: KeyedPool<K, A, E>) => Effect.Effect<Option.Option<A>, never, Scope.Scope>
  <K, A, E>(pool: KeyedPool<K, A, E>, key: NoInfer<K>): Effect.Effect<Option.Option<A>, never, Scope.Scope>
} = Function.dual(
  2,
  <K, A, E>(pool: KeyedPool<K, A, E>, key: K): Effect.Effect<Option.Option<A>, never, Scope.Scope> =>
    getLease.poll(keyed.of(pool).of(key)) as Effect.Effect<Option.Option<A>, never, Scope.Scope>
)

/**
 * Destroys an object of the key: now if it is idle, on its return if it is borrowed. An unknown value is ignored.
 *
 * @category control
 * @since 0.1.0
 */
export const invalidate: {
  <K, A>(key: K, object: A): <E>(pool: KeyedPool<K, A, E>) => Effect.Effect<void>
  <K, A, E>(pool: KeyedPool<K, A, E>, key: NoInfer<K>, object: A): Effect.Effect<void>
} = Function.dual(
  3,
  <K, A, E>(pool: KeyedPool<K, A, E>, key: K, object: A): Effect.Effect<void> => keyed.of(pool).invalidate(key, object)
)

/**
 * Invalidates every object of the key that is alive or being created now.
 *
 * @category control
 * @since 0.1.0
 */
export const evictKey: {
  <K>(key: K): <A, E>(pool: KeyedPool<K, A, E>) => Effect.Effect<void>
  <K, A, E>(pool: KeyedPool<K, A, E>, key: NoInfer<K>): Effect.Effect<void>
} = Function.dual(
  2,
  <K, A, E>(pool: KeyedPool<K, A, E>, key: K): Effect.Effect<void> => keyed.of(pool).evictKey(key)
)

/**
 * Invalidates every object of every key that is alive or being created now.
 *
 * @category control
 * @since 0.1.0
 */
export const evict = <K, A, E>(pool: KeyedPool<K, A, E>): Effect.Effect<void> => keyed.of(pool).evict

/**
 * The keys that exist now.
 *
 * @category watching
 * @since 0.1.0
 */
export const keys = <K, A, E>(pool: KeyedPool<K, A, E>): Effect.Effect<Array<K>> =>
  keyed.of(pool).keys as Effect.Effect<Array<K>>

/**
 * New bounds; what is not given stays as it is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bounds {
  readonly max?: number | undefined
  readonly maxPerKey?: number | undefined
  readonly minPerKey?: number | undefined
}

/**
 * Gives the pool new bounds, at once, as `Pool.resize`. A `maxPerKey` that was never given follows `max`.
 *
 * @category control
 * @since 0.1.0
 */
export const resize: {
  (bounds: Bounds): <K, A, E>(pool: KeyedPool<K, A, E>) => Effect.Effect<void>
  <K, A, E>(pool: KeyedPool<K, A, E>, bounds: Bounds): Effect.Effect<void>
} = Function.dual(
  2,
  <K, A, E>(pool: KeyedPool<K, A, E>, bounds: Bounds): Effect.Effect<void> => keyed.of(pool).resize(bounds)
)

/**
 * Lends nothing until `resume`: borrowers wait.
 *
 * @category control
 * @since 0.1.0
 */
export const suspend = <K, A, E>(pool: KeyedPool<K, A, E>): Effect.Effect<void> => keyed.of(pool).suspend

/**
 * Lends again after `suspend`.
 *
 * @category control
 * @since 0.1.0
 */
export const resume = <K, A, E>(pool: KeyedPool<K, A, E>): Effect.Effect<void> => keyed.of(pool).resume

/**
 * One consistent look at the pool and its keys.
 *
 * @category watching
 * @since 0.1.0
 */
export const stats = <K, A, E>(pool: KeyedPool<K, A, E>): Effect.Effect<KeyedStats> => keyed.of(pool).stats

/**
 * What happens from now on; ends when the pool has closed. Events about one key carry it as `key`.
 *
 * @category watching
 * @since 0.1.0
 */
export const events = <K, A, E>(pool: KeyedPool<K, A, E>): Stream.Stream<Event> => keyed.of(pool).events

/**
 * Closes the pool, as closing its Scope does.
 *
 * @category control
 * @since 0.1.0
 */
export const shutdown = <K, A, E>(pool: KeyedPool<K, A, E>): Effect.Effect<void> => keyed.of(pool).shutdown
