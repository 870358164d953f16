/** The options of all pools, each named and documented here and nowhere else. Types only. */
import type * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/** How many objects there may be. */
export interface Bounds {
  /**
   * Most places: objects alive, being created and being destroyed. At least 1; `Infinity` is allowed. Required.
   *
   * @since 0.1.0
   */
  readonly max: number

  /**
   * Objects kept alive: created ahead in the background, and again after any loss, as soon as a place is free. Not above
   * `max`. Default: 1.
   *
   * @since 0.1.0
   */
  readonly min?: number | undefined
}

/** Plain values that hold for every kind of pool, and that a configuration can give. */
export interface Limits {
  /**
   * The pool's name in errors, logs, spans and metrics. Default: `"pool"`; of a layer: the id of its tag.
   *
   * @since 0.1.0
   */
  readonly name?: string | undefined

  /**
   * Borrowers that may share one object. At least 1; `Infinity` is allowed. Default: 1.
   *
   * @since 0.1.0
   */
  readonly concurrency?: number | undefined

  /**
   * Which idle object is lent next: the one returned last (`"lifo"`), so that those beyond need grow old and go, or the
   * one that has been idle longest (`"fifo"`). Default: `"lifo"`.
   *
   * @since 0.1.0
   */
  readonly order?: "lifo" | "fifo" | undefined

  /**
   * Longest wait for an object: creation, check and `onBorrow` included. With zero, only an object that needs neither
   * check nor hook is lent. `Duration.infinity` for no limit. Default: 30 seconds.
   *
   * @since 0.1.0
   */
  readonly borrowTimeout?: Duration.Input | undefined

  /**
   * Borrowers that may queue, not counting those for whom a creation, check or hook is under way; the next one fails at
   * once with the reason `QueueFull`. At least 0. Default: `Infinity`.
   *
   * @since 0.1.0
   */
  readonly maxWaiting?: number | undefined

  /**
   * Borrows after which an object is destroyed on return; once as many have begun, it is lent no more. At least 1.
   * Default: `Infinity`.
   *
   * @since 0.1.0
   */
  readonly maxUses?: number | undefined

  /**
   * An idle object beyond `min` is destroyed after this. Zero keeps no idle object beyond `min`. Default: infinity.
   *
   * @since 0.1.0
   */
  readonly idleTimeToLive?: Duration.Input | undefined

  /**
   * Greatest age of an object, shortened by `jitter`: an idle object is destroyed at it, a borrowed one on return.
   * Default: infinity.
   *
   * @since 0.1.0
   */
  readonly timeToLive?: Duration.Input | undefined

  /**
   * Each object's `timeToLive` is shortened by a random share of up to this, so that objects made together do not end
   * together. From 0 to 1. Default: 0.025.
   *
   * @since 0.1.0
   */
  readonly jitter?: number | undefined

  /**
   * A borrow longer than this is logged once, with its holder. Not above `borrowLimit`. Default: infinity.
   *
   * @since 0.1.0
   */
  readonly borrowWarning?: Duration.Input | undefined

  /**
   * A borrow longer than this, from the hand-over to the end of its body or Scope (hooks do not count), is revoked: the
   * object is taken back and its holder fails with the reason `Revoked`. Default: infinity.
   *
   * @since 0.1.0
   */
  readonly borrowLimit?: Duration.Input | undefined

  /**
   * How long after the end of its last check, its creation or its (last holder's) return an idle object is checked
   * (again). Means something only with a `healthCheck`. Default: 60 seconds.
   *
   * @since 0.1.0
   */
  readonly healthInterval?: Duration.Input | undefined

  /**
   * Also check, on borrow, an object that has been idle at least this long; `0` checks every idle object. What is handed
   * over straight from its creation or its return has not been idle. Means something only with a `healthCheck`.
   * Default: infinity.
   *
   * @since 0.1.0
   */
  readonly healthAfterIdle?: Duration.Input | undefined

  /**
   * A `healthCheck` that takes longer is interrupted, not awaited, and the object is unhealthy. Default: 5 seconds.
   *
   * @since 0.1.0
   */
  readonly healthTimeout?: Duration.Input | undefined

  /**
   * An `onBorrow` or `onReturn` that takes longer is interrupted, not awaited, and has failed. Default: 10 seconds.
   *
   * @since 0.1.0
   */
  readonly hookTimeout?: Duration.Input | undefined

  /**
   * A creation that takes longer is interrupted, not awaited, and counts as failed, with the reason `CreateTimeout`.
   * Default: 10 seconds.
   *
   * @since 0.1.0
   */
  readonly createTimeout?: Duration.Input | undefined

  /**
   * Creations at once, so that a cold start does not storm the server. At least 1. Default: `Infinity`.
   *
   * @since 0.1.0
   */
  readonly maxCreating?: number | undefined

  /**
   * Finalizers of an object that take longer are left to themselves and logged, and its place is free. Default:
   * 30 seconds.
   *
   * @since 0.1.0
   */
  readonly destroyTimeout?: Duration.Input | undefined

  /**
   * How long closing the pool waits for its holders, finalizers included. Zero waits for nobody. Default: 20 seconds.
   *
   * @since 0.1.0
   */
  readonly shutdownTimeout?: Duration.Input | undefined
}

/** When a creation that failed is tried again. */
export interface Retry {
  /**
   * The spacing of attempts while creation fails: when it ends, and after a success, it starts over; without a delay it
   * yields between attempts. Default: doubling from 50 ms to 2 s, then 0.8 to 1.2 of that at random.
   *
   * @since 0.1.0
   */
  readonly createRetry?: Schedule.Schedule<unknown, unknown> | undefined
}

/**
 * What is done with an object during its life. `Key` is what the hooks are given beside the object: nothing, or the key
 * of a keyed pool. Each hook has a requirement of its own, because one type parameter for all of them would be inferred
 * from one of them. `A & {}` is `A` to the hook, and leaves it to `acquire` to say what `A` is, unless the compiler puts
 * off looking at `acquire`; `NoInfer` would leave it unknown then.
 */
export interface Hooks<A, RCheck, RBorrow, RReturn, Key extends ReadonlyArray<unknown> = []> {
  /**
   * Whether the object is still good: `false`, a failure, a defect, or a run longer than `healthTimeout` means
   * unhealthy, and the object is destroyed and replaced. When it runs say `healthInterval` and `healthAfterIdle`; it
   * also runs on an object that was left in an unknown state. May use `Scope`, which closes when the check ends.
   * Default: none.
   *
   * @since 0.1.0
   */
  readonly healthCheck?:
    | ((object: A & {}, ...key: Key) => Effect.Effect<boolean, unknown, RCheck | Scope.Scope>)
    | undefined

  /**
   * Runs before the borrower gets the object. If it fails, the object is destroyed and the borrower, first in the queue
   * again, gets another. May use `Scope`, which closes when the hook ends. Default: none.
   *
   * @since 0.1.0
   */
  readonly onBorrow?:
    | ((object: A & {}, ...key: Key) => Effect.Effect<unknown, unknown, RBorrow | Scope.Scope>)
    | undefined

  /**
   * Runs when the borrower is done, with how it ended, before the object is lent again: roll back, reset. If it fails,
   * the object is destroyed. May use `Scope`, which closes when the hook ends. Default: none.
   *
   * @since 0.1.0
   */
  readonly onReturn?:
    | ((
      object: A & {},
      exit: Exit.Exit<unknown, unknown>,
      ...key: Key
    ) => Effect.Effect<unknown, unknown, RReturn | Scope.Scope>)
    | undefined

  /**
   * How an object shows in stats, logs and errors. One that throws or gives no JSON is left out, with one warning for
   * each pool; more than 1 kB is cut and marked. Default: none.
   *
   * @since 0.1.0
   */
  readonly describe?: ((object: A & {}, ...key: Key) => Schema.Json) | undefined
}

/** How an object is created. */
export interface Acquire<A, E, R> {
  /**
   * Creates an object. May use `Scope`: each object has a Scope of its own, closed when it is destroyed, so that
   * `Effect.acquireRelease` says how to close it. The reference `CreationNumber` holds how many creations began before
   * this one. Required.
   *
   * @since 0.1.0
   */
  readonly acquire: Effect.Effect<A, E, R | Scope.Scope>
}

/**
 * What a pool is made of: how an object is created, how many there may be, and what is done with them.
 *
 * **When to use**
 *
 * Use to name options that are built apart from `Pool.make` or a layer of a proxy. Written in the call, they need no
 * type: everything infers.
 *
 * **Details**
 *
 * `A` is the object, `E` what creating it may fail with, `R` what `acquire` needs besides `Scope`; `RCheck`, `RBorrow`
 * and `RReturn` are what `healthCheck`, `onBorrow` and `onReturn` need, and are `R` when they are not given. Durations are
 * `Duration.Input`: a number means milliseconds.
 *
 * **Gotchas**
 *
 * Options that cannot be (`max` missing or below 1, `min` above `max`, a fraction, `NaN`, a value of another type, a
 * duration that cannot be read or is negative, `borrowWarning` above `borrowLimit`, a duration of zero but for
 * `borrowTimeout`, `idleTimeToLive`, `healthAfterIdle` and `shutdownTimeout`) are a defect of whatever takes them; its
 * message names the pool and every wrong option with its value.
 *
 * Where the parameter of a hook comes out as `unknown`, the compiler has put off looking at `acquire`, as it does with
 * `Effect.map(self, f)` and the like in an object literal: write `self.pipe(Effect.map(f))`, or give it a name first.
 *
 * **Example** (Options built apart)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Pool } from "proxy-pattern-pool"
 *
 * interface Connection {
 *   readonly id: number
 * }
 *
 * const options: Pool.Options<Connection> = {
 *   acquire: Effect.map(Effect.service(Pool.CreationNumber), (id) => ({ id })),
 *   max: 10,
 *   idleTimeToLive: "10 minutes"
 * }
 *
 * const program = Effect.scoped(
 *   Effect.flatMap(Pool.make(options), (pool) => Pool.use(pool, (connection) => Effect.succeed(connection.id)))
 * )
 *
 * await Effect.runPromise(program) // => 0
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<A, E = never, R = never, RCheck = R, RBorrow = R, RReturn = R>
  extends Acquire<A, E, R>, Bounds, Limits, Retry, Hooks<A, RCheck, RBorrow, RReturn>
{}

/** How many objects there may be in a keyed pool. */
export interface KeyedBounds {
  /**
   * Most places in the whole pool: objects alive, being created and being destroyed, of all keys. At least 1; `Infinity`
   * is allowed. Required.
   *
   * @since 0.1.0
   */
  readonly max: number

  /**
   * Most places of one key. At least 1. Default: `max`.
   *
   * @since 0.1.0
   */
  readonly maxPerKey?: number | undefined

  /**
   * Objects of one key kept alive while the key exists: from its first borrow until it has neither object nor borrower.
   * Given up when another key needs the room and no idle object beyond the minimums is left. Not above `maxPerKey`.
   * Default: 0.
   *
   * @since 0.1.0
   */
  readonly minPerKey?: number | undefined
}

/** How an object of a keyed pool is created. */
export interface KeyedAcquire<K, A, E, R> {
  /**
   * Creates an object for a key. May use `Scope`: each object has a Scope of its own, closed when it is destroyed. The
   * reference `CreationNumber` holds how many creations, of all keys, began before this one. Required.
   *
   * @since 0.1.0
   */
  readonly acquire: (key: K) => Effect.Effect<A, E, R | Scope.Scope>
}

/**
 * What a keyed pool is made of: how an object is created for a key, how many there may be in all and for each key, and
 * what is done with them.
 *
 * **When to use**
 *
 * Use to name options that are built apart from `KeyedPool.make` or a layer of `Proxy.KeyedService`. Written in the call,
 * only the `key` of `acquire` needs a type: the rest infers.
 *
 * **Details**
 *
 * The options are those of `Pool.Options`, but for the bounds. What has no key in its name and is not `max`, `name` or
 * `shutdownTimeout` holds for each key. The hooks, `healthCheck` and `describe` are given the key after the rest.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyedOptions<K, A, E = never, R = never, RCheck = R, RBorrow = R, RReturn = R>
  extends KeyedAcquire<K, A, E, R>, KeyedBounds, Limits, Retry, Hooks<A, RCheck, RBorrow, RReturn, [key: NoInfer<K>]>
{}

/** Every field may be its value, or a `Config` of it. */
export type OrConfig<T> = {
  readonly [K in keyof T]: T[K] | Config.Config<Exclude<T[K], undefined>>
}
