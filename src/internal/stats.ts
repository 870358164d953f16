import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { Holder } from "../PoolError.ts"
import type { Reason } from "./policy.ts"

/** What is taken now: of a pool, and of one key of a keyed pool. */
export const placeFields = {
  /** Objects idle, in use or checked. */
  size: Schema.Int,
  /** Objects that nobody holds and that no check runs on. */
  idle: Schema.Int,
  /** Objects that are held, or that a hook runs on. */
  inUse: Schema.Int,
  /** Creations in flight. */
  creating: Schema.Int,
  /** Objects whose finalizers run, and creations that came too late and have not ended. */
  destroying: Schema.Int,
  /** Borrowers that have no object yet. */
  waiting: Schema.Int
}

/** What all pools have in their stats, but for bounds and objects. */
export const poolFields = {
  /** The pool's name. */
  name: Schema.String,
  /** Most places; `Infinity` where there is no bound. */
  // @effect-diagnostics-next-line schemaNumber:off
  max: Schema.Number,
  ...placeFields,
  /** Nothing is lent until `resume`. */
  suspended: Schema.Boolean,
  /** The pool is closed or closing. */
  closed: Schema.Boolean,
  /** Objects created since the start. */
  created: Schema.Int,
  /** Creations that failed or came too late. */
  createFailures: Schema.Int,
  /** Objects handed over. */
  borrowed: Schema.Int,
  /** Borrows that ended, revoked and closed ones too: `borrowed - returned` are the borrows now. */
  returned: Schema.Int,
  /** Borrowers that met `BorrowTimeout`. */
  timeouts: Schema.Int,
  /** Borrowers that met `QueueFull`. */
  rejected: Schema.Int,
  /** Borrowers that were interrupted while they waited. */
  cancelled: Schema.Int,
  /** Health checks that ran. */
  healthChecks: Schema.Int,
  /** Hooks, checks and finalizers that failed or took too long. */
  hookFailures: Schema.Int,
  /** Objects destroyed, by the reason that came first. */
  destroyed: Schema.Struct(
    {
      /** `idleTimeToLive` */
      idle: Schema.Int,
      /** `timeToLive` */
      lifetime: Schema.Int,
      /** `maxUses` */
      uses: Schema.Int,
      /** `healthCheck` */
      unhealthy: Schema.Int,
      /** `invalidate` */
      invalidated: Schema.Int,
      /** `borrowLimit` */
      revoked: Schema.Int,
      /** `evict`, or room for another key */
      evicted: Schema.Int,
      /** `resize` */
      resized: Schema.Int,
      /** a hook failed, or the holder ended so that the object's state is unknown */
      failed: Schema.Int,
      /** the pool closed */
      shutdown: Schema.Int
    } satisfies Record<Reason, typeof Schema.Int>
  )
}

/** One object in the stats. */
export const objectFields = {
  /** Its `CreationNumber`. */
  id: Schema.Int,
  state: Schema.Literals(["idle", "inUse", "checking"]),
  /** Since its creation. */
  age: Schema.Duration,
  /** Borrows that have begun. */
  uses: Schema.Int,
  /** How long it has been in this state. */
  since: Schema.Duration,
  /** What `describe` says of it. */
  object: Schema.optionalKey(Schema.Json),
  /** Who holds it: more than one where it is shared. */
  holders: Schema.Array(Holder)
}

/**
 * One consistent snapshot of a pool: what is there now, totals since the start, and every object alive.
 *
 * **Details**
 *
 * | now | |
 * |---|---|
 * | `name`, `min`, `max` | as the pool has them; `max` may be `Infinity` |
 * | `size` | objects idle, in use or checked; `size + creating + destroying` are the places taken |
 * | `idle`, `inUse` | a shared object with a share free is in use, and so is one that a hook runs on |
 * | `creating`, `destroying` | creations in flight; objects whose finalizers run, late creations included |
 * | `waiting` | borrowers that have no object yet |
 * | `suspended`, `closed` | nothing is lent until `resume`; the pool is closed or closing |
 * | `objects` | `id` is the `CreationNumber`, `since` how long in this `state`, `object` what `describe` says of it |
 *
 * | totals since the start | |
 * |---|---|
 * | `created`, `createFailures` | a creation that came too late is one of the failures only |
 * | `borrowed`, `returned` | hand-overs, and ends of borrows of every kind: the difference are the borrows now |
 * | `timeouts`, `rejected`, `cancelled` | borrowers that met `BorrowTimeout`, met `QueueFull`, were interrupted |
 * | `healthChecks`, `hookFailures` | checks that ran; hooks, checks and finalizers that failed or took too long |
 * | `destroyed` | objects by the reason that came first, counted when the place is free |
 *
 * **Example** (Sending stats as JSON)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Pool } from "proxy-pattern-pool"
 *
 * const codec = Schema.toCodecJson(Pool.Stats)
 *
 * const program = Effect.gen(function*() {
 *   const pool = yield* Pool.make({ acquire: Effect.succeed({ id: 1 }), max: Infinity })
 *   yield* Pool.awaitReady(pool)
 *   return JSON.stringify(Schema.encodeSync(codec)(yield* Pool.stats(pool)))
 * }).pipe(Effect.scoped)
 *
 * const stats = Schema.decodeUnknownSync(codec)(JSON.parse(await Effect.runPromise(program)))
 * stats.size // => 1
 * stats.max // => Infinity
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export class Stats extends Schema.Class<Stats>("proxy-pattern-pool/Pool/Stats")({
  ...poolFields,
  /** Kept alive. */
  min: Schema.Int,
  objects: Schema.Array(Schema.Struct(objectFields))
}) {}

/**
 * Why an object was destroyed; of several reasons the one that came first.
 *
 * @category models
 * @since 0.1.0
 */
export type DestroyReason = keyof Stats["destroyed"]

interface Always {
  /** The pool's name. */
  readonly pool: string
  /** Milliseconds since the epoch. */
  readonly at: number
  /** In a `KeyedPool`, of what is about one key. */
  readonly key?: string
}

interface AboutObject extends Always {
  /** The object's `CreationNumber`. */
  readonly id: number
  /** What `describe` says of it. */
  readonly object?: Schema.Json
}

/**
 * What happens in a pool, told by its `events`.
 *
 * **Details**
 *
 * | event | when | carries |
 * |---|---|---|
 * | `Created` | an object was created | `took`, how long that was |
 * | `CreateFailed` | a creation failed or took too long | `cause`, and the `id` that the object would have had |
 * | `Borrowed` | an object was handed over | `waited`, how long its borrower did |
 * | `Returned` | a borrow has ended | `held`, how long it was |
 * | `Destroyed` | an object is gone, its place free | `reason` |
 * | `Unhealthy` | a check failed | |
 * | `Overdue` | a borrow is longer than `borrowWarning` | `holder` |
 * | `Revoked` | a borrow reached `borrowLimit` | `holder` |
 * | `TimedOut` | a borrower met `BorrowTimeout` | |
 * | `Rejected` | a borrower met `QueueFull` | |
 * | `Cancelled` | a borrower was interrupted while it waited | |
 * | `Resized` | `resize` was called | `min`, `max`; of a `KeyedPool`: `minPerKey`, and the total |
 * | `Suspended`, `Resumed`, `Evicted` | these were called | |
 * | `Closed` | the pool has closed: the last event | |
 *
 * Each has `pool`, `at` (milliseconds since the epoch) and, in a `KeyedPool`, the `key` it is about; the first eight
 * have the object's `id` and, all but `CreateFailed`, `object`, what `describe` says of it. One object's `Unhealthy` or
 * `Revoked` comes before its `Returned`, that before its `Destroyed`.
 *
 * @category models
 * @since 0.1.0
 */
export type Event = Data.TaggedEnum<{
  Created: AboutObject & { readonly took: Duration.Duration }
  CreateFailed: Always & { readonly id: number; readonly cause: Cause.Cause<unknown> }
  Borrowed: AboutObject & { readonly waited: Duration.Duration }
  Returned: AboutObject & { readonly held: Duration.Duration }
  Destroyed: AboutObject & { readonly reason: DestroyReason }
  Unhealthy: AboutObject
  Overdue: AboutObject & { readonly holder: Holder }
  Revoked: AboutObject & { readonly holder: Holder }
  TimedOut: Always
  Rejected: Always
  Cancelled: Always
  Resized: Always & { readonly min: number; readonly max: number }
  Suspended: Always
  Resumed: Always
  Evicted: Always
  Closed: Always
}>

/**
 * Makes events, and tells them apart with `$is` and `$match`.
 *
 * **Example** (Telling events apart)
 *
 * ```ts
 * import { Duration } from "effect"
 * import { Pool } from "proxy-pattern-pool"
 *
 * const event: Pool.Event = Pool.Event.Created({ pool: "app/Database", at: 0, id: 1, took: Duration.millis(5) })
 *
 * Pool.Event.$is("Created")(event) // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Event = Data.taggedEnum<Event>()
