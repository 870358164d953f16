/**
 * A bounded pool of objects: they are created on demand, lent to one Scope or one function at a time, kept healthy, and
 * destroyed in good time. Nobody returns anything by hand: an object goes back when the Scope that holds it closes.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Function from "effect/Function"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as creating from "./internal/creating.ts"
import * as getLease from "./internal/getLease.ts"
import type { Options } from "./internal/options.ts"
import type { Pool } from "./internal/pool-types.ts"
import * as pooled from "./internal/pooled.ts"
import type { Event, Stats } from "./internal/stats.ts"
import * as useLease from "./internal/useLease.ts"
import type { PoolError } from "./PoolError.ts"

export type {
  /**
   * The options of a pool.
   *
   * @category models
   * @since 0.1.0
   */
  Options
} from "./internal/options.ts"

export type {
  /**
   * A pool of objects of type `A`, whose creation may fail with `E`.
   *
   * @category models
   * @since 0.1.0
   */
  Pool
} from "./internal/pool-types.ts"

export {
  /**
   * What happened in a pool.
   *
   * @category models
   * @since 0.1.0
   */
  Event,
  /**
   * What a pool looks like at one moment.
   *
   * @category models
   * @since 0.1.0
   */
  Stats
} from "./internal/stats.ts"

export type {
  /**
   * Why an object was destroyed.
   *
   * @category models
   * @since 0.1.0
   */
  DestroyReason
} from "./internal/stats.ts"

/**
 * How many creations of the pool began before this one: readable in `acquire`, and the `id` of the object everywhere.
 *
 * **Example** (Numbering objects)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Pool } from "proxy-pattern-pool"
 *
 * const program = Effect.gen(function*() {
 *   const pool = yield* Pool.make({ acquire: Effect.service(Pool.CreationNumber), max: 2 })
 *   return yield* Pool.use(pool, (number) => Effect.succeed(number))
 * }).pipe(Effect.scoped)
 *
 * await Effect.runPromise(program) // => 0
 * ```
 *
 * @category references
 * @since 0.1.0
 */
export const CreationNumber = creating.CreationNumber

/**
 * What one borrower may ask for.
 *
 * @category models
 * @since 0.1.0
 */
export interface BorrowOptions {
  /** Longest wait for an object, in the place of `borrowTimeout`. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Is this a pool?
 *
 * @category guards
 * @since 0.1.0
 */
export const isPool: (u: unknown) => u is Pool<unknown, unknown> = pooled.isPool

/**
 * Makes a pool that lives as long as the current Scope. `min` objects are created ahead in the background; the rest on
 * demand.
 *
 * **Details**
 *
 * Closing the Scope closes the pool: new and waiting borrowers fail with `Closed`, holders may finish for up to
 * `shutdownTimeout`, and every object is destroyed.
 *
 * **Gotchas**
 *
 * Options that cannot be are a defect that names the pool and every wrong option with its value.
 *
 * **Example** (Borrowing for one function)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Pool } from "proxy-pattern-pool"
 *
 * const connect = Effect.acquireRelease(
 *   Effect.succeed({ query: (sql: string) => Effect.succeed(`did ${sql}`) }),
 *   () => Effect.log("closed")
 * )
 *
 * const program = Effect.gen(function*() {
 *   const pool = yield* Pool.make({ acquire: connect, max: 10 })
 *   return yield* Pool.use(pool, (connection) => connection.query("select 1"))
 * }).pipe(Effect.scoped)
 *
 * await Effect.runPromise(program) // => "did select 1"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A, E = never, R = never, RCheck = R, RBorrow = R, RReturn = R>(
  options: Options<A, E, R, RCheck, RBorrow, RReturn>
): Effect.Effect<Pool<A, E>, never, Exclude<R | RCheck | RBorrow | RReturn, Scope.Scope> | Scope.Scope> =>
  pooled.make(options) as unknown as Effect.Effect<Pool<A, E>>

/**
 * Borrows an object until the current Scope closes.
 *
 * **Details**
 *
 * Fails with `E` where creating fails and nothing is alive, and with `PoolError`: `BorrowTimeout` after
 * `borrowTimeout`, `QueueFull`, `Closed`, `CreateTimeout`.
 *
 * **Gotchas**
 *
 * The object is a plain reference: nothing stops a program from using it after `borrowLimit` has revoked it, or after
 * its Scope has closed. `use` and the proxy are told.
 *
 * **Example** (Borrowing until the Scope closes)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Pool } from "proxy-pattern-pool"
 *
 * const program = Effect.gen(function*() {
 *   const pool = yield* Pool.make({ acquire: Effect.succeed("object"), max: 1 })
 *   const lent = yield* Effect.scoped(Effect.andThen(Pool.get(pool), Pool.stats(pool)))
 *   const back = yield* Pool.stats(pool)
 *   return [lent.inUse, back.inUse]
 * }).pipe(Effect.scoped)
 *
 * await Effect.runPromise(program) // => [1, 0]
 * ```
 *
 * @category borrowing
 * @since 0.1.0
 */
export const get = <A, E>(
  pool: Pool<A, E>,
  options?: BorrowOptions
): Effect.Effect<A, E | PoolError, Scope.Scope> => getLease.get(pooled.of(pool), options?.timeout)

/**
 * Borrows an object for the run of one function.
 *
 * **Details**
 *
 * Fails as `get` and as the function does. With a finite `borrowLimit` a body that takes longer is interrupted, and the
 * call fails with `Revoked`.
 *
 * **Gotchas**
 *
 * `Effect.timeout` inside the body makes a typed failure, after which the object counts as clean.
 *
 * @category borrowing
 * @since 0.1.0
 */
export const use: {
  <A, B, E2, R2>(
    f: (object: A) => Effect.Effect<B, E2, R2>,
    options?: BorrowOptions
  ): <E>(pool: Pool<A, E>) => Effect.Effect<B, E | E2 | PoolError, R2>
  <A, E, B, E2, R2>(
    pool: Pool<A, E>,
    f: (object: A) => Effect.Effect<B, E2, R2>,
    options?: BorrowOptions
  ): Effect.Effect<B, E | E2 | PoolError, R2>
} = Function.dual(
  (args) => isPool(args[0]),
  <A, E, B, E2, R2>(
    pool: Pool<A, E>,
    f: (object: A) => Effect.Effect<B, E2, R2>,
    options?: BorrowOptions
  ): Effect.Effect<B, E | E2 | PoolError, R2> =>
    useLease.use(pooled.of(pool), f as (object: unknown) => Effect.Effect<B, E2, R2>, options?.timeout)
)

/**
 * An idle object, if there is one now, until the current Scope closes: no queue, no creation.
 *
 * **Details**
 *
 * The check on borrow and `onBorrow` run as for any borrower; where they fail, the next idle object is tried. A closed
 * or suspended pool gives none.
 *
 * @category borrowing
 * @since 0.1.0
 */
export const poll = <A, E>(pool: Pool<A, E>): Effect.Effect<Option.Option<A>, never, Scope.Scope> =>
  getLease.poll(pooled.of(pool)) as Effect.Effect<Option.Option<A>, never, Scope.Scope>

/**
 * Destroys an object: now if it is idle, on its return if it is borrowed.
 *
 * **Details**
 *
 * Every place that holds this very value (`===`) is meant; a value that the pool does not know is ignored.
 *
 * @category control
 * @since 0.1.0
 */
export const invalidate: {
  <A>(object: A): <E>(pool: Pool<A, E>) => Effect.Effect<void>
  <A, E>(pool: Pool<A, E>, object: A): Effect.Effect<void>
} = Function.dual(2, <A, E>(pool: Pool<A, E>, object: A): Effect.Effect<void> => pooled.of(pool).invalidate(object))

/**
 * Invalidates every object that is alive or being created now: new passwords, a failover, a new version.
 *
 * @category control
 * @since 0.1.0
 */
export const evict = <A, E>(pool: Pool<A, E>): Effect.Effect<void> => pooled.of(pool).evict

/**
 * Gives the pool new bounds, at once: growth serves waiters; shrinking destroys the longest idle objects first, then
 * interrupts the youngest creations, then destroys what is returned first.
 *
 * **Gotchas**
 *
 * Bounds that cannot be are the same defect as in `make`.
 *
 * @category control
 * @since 0.1.0
 */
export const resize: {
  (bounds: Bounds): <A, E>(pool: Pool<A, E>) => Effect.Effect<void>
  <A, E>(pool: Pool<A, E>, bounds: Bounds): Effect.Effect<void>
} = Function.dual(2, <A, E>(pool: Pool<A, E>, bounds: Bounds): Effect.Effect<void> => pooled.of(pool).resize(bounds))

/**
 * New bounds; what is not given stays as it is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bounds {
  readonly min?: number | undefined
  readonly max?: number | undefined
}

/**
 * Lends nothing until `resume`: borrowers wait. What keeps the pool in shape goes on.
 *
 * @category control
 * @since 0.1.0
 */
export const suspend = <A, E>(pool: Pool<A, E>): Effect.Effect<void> => pooled.of(pool).suspend

/**
 * Lends again after `suspend`.
 *
 * @category control
 * @since 0.1.0
 */
export const resume = <A, E>(pool: Pool<A, E>): Effect.Effect<void> => pooled.of(pool).resume

/**
 * Waits until `min` objects are alive; fails as the first creation that fails from now on, or with `Closed`.
 *
 * @category control
 * @since 0.1.0
 */
export const awaitReady = <A, E>(pool: Pool<A, E>): Effect.Effect<void, E | PoolError> =>
  pooled.of(pool).awaitReady as Effect.Effect<void, E | PoolError>

/**
 * One consistent look at the pool.
 *
 * @category watching
 * @since 0.1.0
 */
export const stats = <A, E>(pool: Pool<A, E>): Effect.Effect<Stats> => pooled.of(pool).stats

/**
 * What happens from now on; ends when the pool has closed.
 *
 * **Details**
 *
 * Costs nothing while nobody listens. A listener that is behind keeps the last 1,024 events, and never slows the pool.
 *
 * @category watching
 * @since 0.1.0
 */
export const events = <A, E>(pool: Pool<A, E>): Stream.Stream<Event> => pooled.of(pool).events

/**
 * Closes the pool, as closing its Scope does. Every caller waits for the end; it goes on when a caller is interrupted.
 *
 * @category control
 * @since 0.1.0
 */
export const shutdown = <A, E>(pool: Pool<A, E>): Effect.Effect<void> => pooled.of(pool).shutdown
