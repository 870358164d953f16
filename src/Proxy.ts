/**
 * A service tag whose members are those of an object, while the object itself comes from a pool: calling one borrows the
 * object of the current Scope, and the end of that Scope gives it back.
 *
 * @since 0.1.0
 */
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Forwarded } from "./internal/forwarded.ts"
import type { Acquire, Bounds, Hooks, KeyedOptions, Limits, Options, OrConfig, Retry } from "./internal/options.ts"
import type { KeyedPool, Pool } from "./internal/pool-types.ts"
import * as proxy from "./internal/proxy.ts"
import type { BorrowOptions } from "./Pool.ts"
import type { PoolError } from "./PoolError.ts"

export type {
  /**
   * What the tag of a proxy gives: the members of an object, each a function that borrows.
   *
   * @category models
   * @since 0.1.0
   */
  Forwarded,
  /**
   * What stands on a proxy in the place of a member that it cannot forward.
   *
   * @category models
   * @since 0.1.0
   */
  NotForwarded
} from "./internal/forwarded.ts"

/**
 * The options of `layerShared`: those of `Pool.Options` without `min`, `max` and `concurrency`.
 *
 * @category models
 * @since 0.1.0
 */
export interface SharedOptions<A, E = never, R = never, RCheck = R, RBorrow = R, RReturn = R>
  extends Acquire<A, E, R>, Omit<Limits, "concurrency">, Retry, Hooks<A, RCheck, RBorrow, RReturn>
{}

/**
 * The options of `layerUnpooled`: those of `Pool.Options` without what is about keeping and sharing objects.
 *
 * @category models
 * @since 0.1.0
 */
export interface UnpooledOptions<A, E = never, R = never, RCheck = R, RBorrow = R, RReturn = R>
  extends
    Acquire<A, E, R>,
    Omit<Limits, "concurrency" | "idleTimeToLive" | "maxUses" | "maxWaiting" | "order">,
    Retry,
    Hooks<A, RCheck, RBorrow, RReturn>
{}

/**
 * The options of `layerConfig`: those of `Pool.Options`, where all but `acquire`, `createRetry`, `describe`,
 * `healthCheck` and the hooks may be a `Config` of the value.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConfigOptions<A, E = never, R = never, RCheck = R, RBorrow = R, RReturn = R>
  extends Acquire<A, E, R>, OrConfig<Bounds & Limits>, Retry, Hooks<A, RCheck, RBorrow, RReturn>
{}

/**
 * The class that `Service` makes: a service tag with the layers that provide it, and with what goes beyond calling its
 * members.
 *
 * **When to use**
 *
 * Use to name what functions take that are given any tag of a proxy. A tag of your own is made by `Service`.
 *
 * **Details**
 *
 * `Self` is the class itself, `Id` its id, `A` the object, `E` what creating an object may fail with. Where a tag is
 * provided by a test double, `scoped` is `Effect.scoped`, `isHeld` is false, `invalidate` does nothing and `perCall` is the
 * double with a Scope for each call; `object`, `useObject` and `pool` die, as there is no pool.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServiceClass<in out Self, in out Id extends string, in out A, in out E>
  extends Context.ServiceClass<Self, Id, Forwarded<A, E>>
{
  /**
   * Provides the tag from a pool, which lives as long as the layer.
   *
   * **Details**
   *
   * `min` objects are created ahead in the background: the layer waits for none of them, and does not fail as they do.
   *
   * **Gotchas**
   *
   * Options that cannot be are a defect of the layer.
   *
   * @since 0.1.0
   */
  readonly layerPool: <R = never, RCheck = R, RBorrow = R, RReturn = R>(
    options: Options<A, E, R, RCheck, RBorrow, RReturn>
  ) => Layer.Layer<Self, never, Exclude<R | RCheck | RBorrow | RReturn, Scope.Scope>>

  /**
   * Provides the tag from one object for everyone, which lives as long as the layer.
   *
   * **Details**
   *
   * The layer waits for its object, or fails as its first creation does. An object that must go is replaced at once and
   * ends with its last holder: there are two meanwhile, never three.
   *
   * @since 0.1.0
   */
  readonly layerShared: <R = never, RCheck = R, RBorrow = R, RReturn = R>(
    options: SharedOptions<A, E, R, RCheck, RBorrow, RReturn>
  ) => Layer.Layer<Self, E | PoolError, Exclude<R | RCheck | RBorrow | RReturn, Scope.Scope>>

  /**
   * Provides the tag from a new object for each Scope, destroyed with it.
   *
   * **Details**
   *
   * A creation serves the borrower it was for, who gets its failure, with no spacing; an object whose borrower has left is
   * destroyed. `Pool.poll` gives none, `Pool.resize` dies.
   *
   * @since 0.1.0
   */
  readonly layerUnpooled: <R = never, RCheck = R, RBorrow = R, RReturn = R>(
    options: UnpooledOptions<A, E, R, RCheck, RBorrow, RReturn>
  ) => Layer.Layer<Self, never, Exclude<R | RCheck | RBorrow | RReturn, Scope.Scope>>

  /**
   * As `layerPool`, with options that are read from the configuration when the layer is built.
   *
   * **Details**
   *
   * Each option may be a value or a `Config` of it, but for `acquire`, `createRetry`, `describe`, `healthCheck` and the
   * hooks. The layer fails with `ConfigError` when one cannot be read.
   *
   * **Gotchas**
   *
   * What can be read, but cannot be, is a defect, as it is of `layerPool`.
   *
   * @since 0.1.0
   */
  readonly layerConfig: <R = never, RCheck = R, RBorrow = R, RReturn = R>(
    options: ConfigOptions<A, E, R, RCheck, RBorrow, RReturn>
  ) => Layer.Layer<Self, Config.ConfigError, Exclude<R | RCheck | RBorrow | RReturn, Scope.Scope>>

  /**
   * The object that this Scope holds, borrowed on first need.
   *
   * **Gotchas**
   *
   * It is a plain reference: nothing stops a program from using it after its Scope has closed. Once it was taken, an
   * interruption or a defect that ends the Scope leaves the object in an unknown state.
   *
   * @since 0.1.0
   */
  readonly object: Effect.Effect<A, E | PoolError, Self | Scope.Scope>

  /**
   * Borrows for one function: inside `scoped` the object of that unit of work, elsewhere one of its own, also in a Scope
   * that holds one.
   *
   * **When to use**
   *
   * Use for members that cannot be forwarded, and for several calls on one object without a Scope.
   *
   * **Details**
   *
   * `options.timeout` is the longest wait for an object, in the place of `borrowTimeout`.
   *
   * @since 0.1.0
   */
  readonly useObject: <B, E2, R2>(
    f: (object: A) => Effect.Effect<B, E2, R2>,
    options?: BorrowOptions | undefined
  ) => Effect.Effect<B, E | E2 | PoolError, Self | R2>

  /**
   * The same members, each call borrowing for itself: it needs no Scope. Inside `scoped` it uses the object of that unit of
   * work.
   *
   * **When to use**
   *
   * Use while a layer is built, whose Scope would hold an object for the layer's life.
   *
   * **Gotchas**
   *
   * A call that gives a `Stream` has nothing to hold its object: a defect that says so.
   *
   * @since 0.1.0
   */
  readonly perCall: Effect.Effect<Forwarded<A, E, never>, never, Self>

  /**
   * `Effect.scoped` whose object also serves every Scope nested inside: one unit of work, one object.
   *
   * **Details**
   *
   * It borrows on first need. A nested `scoped` joins the outer one. Another layer of the tag that is provided inside does
   * not mix. Fibers that outlive the unit borrow for their own Scope.
   *
   * @since 0.1.0
   */
  readonly scoped: <B, E2, R2>(
    effect: Effect.Effect<B, E2, R2>
  ) => Effect.Effect<B, E2, Self | Exclude<R2, Scope.Scope>>

  /**
   * Does this Scope hold an object now? Borrows nothing.
   *
   * @since 0.1.0
   */
  readonly isHeld: Effect.Effect<boolean, never, Self | Scope.Scope>

  /**
   * The object that this Scope holds is broken: destroy it on return. Does nothing where none is held.
   *
   * @since 0.1.0
   */
  readonly invalidate: Effect.Effect<void, never, Self | Scope.Scope>

  /**
   * The pool behind the tag, for `Pool.stats` and the rest. Every layer of a tag has one.
   *
   * @since 0.1.0
   */
  readonly pool: Effect.Effect<Pool<A, E>, never, Self>
}

/**
 * The class that `KeyedService` makes: a service tag for a keyed pool, with the layers that provide it and, for one key,
 * the tag of a proxy.
 *
 * **Details**
 *
 * `Self` is the class itself, `Id` its id, `K` the key, `Database` the tag of the proxy, `A` the object, `E` what creating
 * an object may fail with.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyedServiceClass<
  in out Self,
  in out Id extends string,
  in out K,
  in out Database,
  in out A,
  in out E
> extends Context.ServiceClass<Self, Id, KeyedPool<K, A, E>> {
  /**
   * Provides the tag of the proxy for one key.
   *
   * **Details**
   *
   * In one Scope equal keys share one object, whichever `get` they came through. The proxy's `pool` is a view of one key:
   * `get`, `use`, `poll`, `stats`, `invalidate` and `evict` are the key's, the other functions of `Pool` die saying so.
   *
   * @since 0.1.0
   */
  readonly get: (key: K) => Layer.Layer<Database, never, Self>

  /**
   * Provides the keyed pool, which lives as long as the layer.
   *
   * **Gotchas**
   *
   * Options that cannot be are a defect of the layer.
   *
   * @since 0.1.0
   */
  readonly layerPool: <R = never, RCheck = R, RBorrow = R, RReturn = R>(
    options: KeyedOptions<K, A, E, R, RCheck, RBorrow, RReturn>
  ) => Layer.Layer<Self, never, Exclude<R | RCheck | RBorrow | RReturn, Scope.Scope>>
}

/**
 * Makes a class that is a service tag, and the proxy of an object.
 *
 * **When to use**
 *
 * Use `Service<Self, A, E>()(id)` where the tag stands in a module of its own: its types now, its object later, so that any
 * module may import it. Use `Service<Self>()(id, options)` where the object is at hand: the types are inferred, and the
 * class has a `layer`.
 *
 * **Details**
 *
 * The service has the members of `A`, see `Forwarded`. The first call in a Scope borrows an object, the others use the
 * same one, and it goes back when the Scope has closed and its last call has ended. A nested `Effect.scoped` is another
 * Scope with another object, unless inside the tag's `scoped`. A call fails as its member does, with `E` where no object
 * can be created, and with `PoolError`.
 *
 * A double of the tag is `Layer.succeed(Database, Database.of({ ... }))` or `Layer.mock(Database)({ ... })`; a double of
 * the object is `Database.layerShared({ acquire: Effect.succeed(fake) })`.
 *
 * **Gotchas**
 *
 * - Put `Effect.scoped` inside `Effect.provide`: the Scope must close before the pool does.
 * - A call while a layer is built holds an object for the layer's life: use `perCall` or `scoped` there.
 * - The id is the identity of the tag: two tags with one id are one tag.
 *
 * **Example** (Types now, object later)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Proxy } from "proxy-pattern-pool"
 *
 * interface Connection {
 *   readonly id: number
 *   query(sql: string): Effect.Effect<string>
 * }
 *
 * class Database extends Proxy.Service<Database, Connection>()("app/Database") {}
 *
 * const handler = Effect.gen(function*() {
 *   const db = yield* Database
 *   yield* db.query("select 1") // borrows
 *   return yield* db.query("select 2") // the same object
 * }).pipe(Effect.scoped)
 *
 * const connect = Effect.acquireRelease(
 *   Effect.sync((): Connection => ({ id: 1, query: (sql) => Effect.succeed(`did ${sql}`) })),
 *   () => Effect.logDebug("closed")
 * )
 *
 * const main = handler.pipe(Effect.provide(Database.layerPool({ acquire: connect, max: 10 })))
 *
 * await Effect.runPromise(main) // => "did select 2"
 * ```
 *
 * **Example** (Everything inferred)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Proxy } from "proxy-pattern-pool"
 *
 * class Dice extends Proxy.Service<Dice>()("app/Dice", {
 *   acquire: Effect.succeed({ roll: () => 4 }),
 *   max: 2
 * }) {}
 *
 * const main = Effect.flatMap(Dice, (dice) => dice.roll()).pipe(Effect.scoped, Effect.provide(Dice.layer))
 *
 * await Effect.runPromise(main) // => 4
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service: {
  /**
   * Types now, object later.
   *
   * @since 0.1.0
   */
  <Self, A, E = never>(): <const Id extends string>(id: Id) => ServiceClass<Self, Id, A, E>

  /**
   * The types are those of the options, from which the class has its `layer`.
   *
   * @since 0.1.0
   */
  <Self>(): <const Id extends string, A, E = never, R = never, RCheck = R, RBorrow = R, RReturn = R>(
    id: Id,
    options: Options<A, E, R, RCheck, RBorrow, RReturn>
  ) => ServiceClass<Self, Id, A, E> & {
    /**
     * The layer that the options describe: `layerPool` of them.
     *
     * @since 0.1.0
     */
    readonly layer: Layer.Layer<Self, never, Exclude<R | RCheck | RBorrow | RReturn, Scope.Scope>>
  }
} = (): any => (id: string, options?: object): unknown => {
  const tag = Context.Service<any, any>()(id)
  const statics = proxy.makeStatics(tag)
  return Object.assign(tag, statics, options && { layer: statics.layerPool(options) })
}

/**
 * Makes a class that is a service tag for a keyed pool, and provides the tag of a proxy for one key at a time.
 *
 * **When to use**
 *
 * Use for one pool for each tenant, region or shard, all under one total bound.
 *
 * **Details**
 *
 * The service is the `KeyedPool`, for its functions. `get(key)` is a layer that provides the proxy's tag with an object of
 * that key, so that code which uses the proxy need not know of keys. Keys are compared with `Equal`.
 *
 * **Example** (One pool for each tenant)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Proxy } from "proxy-pattern-pool"
 *
 * interface Connection {
 *   query(sql: string): Effect.Effect<string>
 * }
 *
 * class Database extends Proxy.Service<Database, Connection>()("app/Database") {}
 *
 * class Tenants extends Proxy.KeyedService<Tenants, string>()("app/Tenants", Database) {}
 *
 * const handler = Effect.flatMap(Database, (db) => db.query("select 1")).pipe(Effect.scoped)
 *
 * const main = handler.pipe(
 *   Effect.provide(Tenants.get("a")),
 *   Effect.provide(
 *     Tenants.layerPool({
 *       acquire: (tenant) => Effect.succeed({ query: (sql: string) => Effect.succeed(`${tenant}: ${sql}`) }),
 *       max: 100,
 *       maxPerKey: 10
 *     })
 *   )
 * )
 *
 * await Effect.runPromise(main) // => "a: select 1"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const KeyedService: <Self, K>() => <const Id extends string, Database, A, E>(
  id: Id,
  database: ServiceClass<Database, any, A, E>
) => KeyedServiceClass<Self, Id, K, Database, A, E> =
  (): any => (id: string, database: ServiceClass<any, any, any, any>): unknown => {
    const tag = Context.Service<any, any>()(id)
    return Object.assign(tag, proxy.makeKeyedStatics(tag, database))
  }
