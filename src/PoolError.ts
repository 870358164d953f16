/**
 * What borrowing from a pool can fail with: one error, whose `reason` says why.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { formatDuration } from "./internal/duration.ts"

const format = (duration: Duration.Duration): string => formatDuration(Duration.toMillis(duration))

/**
 * Who holds an object of a pool, as errors, stats, events and logs tell it.
 *
 * **Details**
 *
 * - `id` is the object's `Pool.CreationNumber`, `object` what the pool's `describe` says of it, `key` its key in a
 *   `KeyedPool`.
 * - `fiber` is the id of the fiber that borrowed; `span` and `traceId` are the name and the trace of the span around
 *   the borrow.
 * - `heldFor` is how long ago the object was handed over.
 * - `waiting` is true while the holder itself waits for another object of the same pool: nested borrowing is how pools
 *   lock up.
 *
 * `String(holder)` is short, as messages have it: `fiber #31 in span "GET /users"`.
 *
 * **Example** (Reading a holder)
 *
 * ```ts
 * import { Duration } from "effect"
 * import { PoolError } from "proxy-pattern-pool"
 *
 * const holder = new PoolError.Holder({
 *   id: 7,
 *   fiber: 31,
 *   span: "GET /users",
 *   heldFor: Duration.millis(12_345),
 *   waiting: false
 * })
 *
 * String(holder) // => 'fiber #31 in span "GET /users"'
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export class Holder extends Schema.Class<Holder>("proxy-pattern-pool/PoolError/Holder")({
  id: Schema.Int,
  fiber: Schema.Int,
  span: Schema.optionalKey(Schema.String),
  traceId: Schema.optionalKey(Schema.String),
  heldFor: Schema.Duration,
  waiting: Schema.Boolean,
  object: Schema.optionalKey(Schema.Json),
  key: Schema.optionalKey(Schema.String)
}) {
  /**
   * The fiber and, where there is one, the span.
   *
   * @since 0.1.0
   */
  override toString(): string {
    return `fiber #${this.fiber}${this.span === undefined ? "" : ` in span "${this.span}"`}`
  }
}

/**
 * No object could be handed over within the borrow timeout: all are in use, or creating one takes too long or fails.
 *
 * **Details**
 *
 * The numbers are the pool's at that moment (of a `KeyedPool`: the whole pool's). `waiting` counts the borrower that
 * gives up too; `holders` are the ten that have held their objects longest, longest first; `lastFailure` is the last
 * creation failure as text, until a creation succeeds.
 *
 * @category errors
 * @since 0.1.0
 */
export class BorrowTimeout extends Schema.TaggedError<BorrowTimeout>("proxy-pattern-pool/PoolError/BorrowTimeout")(
  "BorrowTimeout",
  {
    timeout: Schema.Duration,
    size: Schema.Int,
    // @effect-diagnostics-next-line schemaNumber:off
    max: Schema.Number,
    inUse: Schema.Int,
    creating: Schema.Int,
    destroying: Schema.Int,
    waiting: Schema.Int,
    holders: Schema.Array(Holder),
    lastFailure: Schema.optionalKey(Schema.String)
  }
) {
  /**
   * Always true: an object may come back, or a creation succeed.
   *
   * @since 0.1.0
   */
  get isRetryable(): boolean {
    return true
  }

  /**
   * The counts, who has held an object longest, and the last creation failure.
   *
   * @since 0.1.0
   */
  override get message(): string {
    const counts = [`${this.inUse} of ${this.max} in use`]
    if (this.creating > 0) counts.push(`${this.creating} creating`)
    if (this.destroying > 0) counts.push(`${this.destroying} destroying`)
    counts.push(`${this.waiting} waiting`)
    const longest = this.holders[0]
    if (longest !== undefined) counts.push(`longest held ${format(longest.heldFor)} by ${longest}`)
    const failure = this.lastFailure === undefined ? "" : `; last creation failure: ${this.lastFailure}`
    return `no object within ${format(this.timeout)} (${counts.join(", ")})${failure}`
  }
}

/**
 * The borrower would have had to queue, and as many as `maxWaiting` allows did already.
 *
 * @category errors
 * @since 0.1.0
 */
export class QueueFull extends Schema.TaggedError<QueueFull>("proxy-pattern-pool/PoolError/QueueFull")("QueueFull", {
  // @effect-diagnostics-next-line schemaNumber:off
  maxWaiting: Schema.Number
}) {
  /**
   * Always true: the queue may be shorter later.
   *
   * @since 0.1.0
   */
  get isRetryable(): boolean {
    return true
  }

  /**
   * Names the bound.
   *
   * @since 0.1.0
   */
  override get message(): string {
    return `no object is free and the queue is full (maxWaiting is ${this.maxWaiting})`
  }
}

/**
 * The pool is closed or closing: its Scope has ended, or it was shut down.
 *
 * @category errors
 * @since 0.1.0
 */
export class Closed extends Schema.TaggedError<Closed>("proxy-pattern-pool/PoolError/Closed")("Closed", {}) {
  /**
   * Always false: a closed pool stays closed.
   *
   * @since 0.1.0
   */
  get isRetryable(): boolean {
    return false
  }

  /**
   * Says what closes a pool.
   *
   * @since 0.1.0
   */
  override get message(): string {
    return "the pool is closed and lends nothing any more (its Scope closed, or shutdown was called)"
  }
}

/**
 * A creation took longer than `createTimeout` and was interrupted: told in the place of a creation's own failure.
 *
 * @category errors
 * @since 0.1.0
 */
export class CreateTimeout extends Schema.TaggedError<CreateTimeout>("proxy-pattern-pool/PoolError/CreateTimeout")(
  "CreateTimeout",
  { timeout: Schema.Duration }
) {
  /**
   * Always true: the next creation may be faster.
   *
   * @since 0.1.0
   */
  get isRetryable(): boolean {
    return true
  }

  /**
   * Names the limit.
   *
   * @since 0.1.0
   */
  override get message(): string {
    return `acquire made no object within ${format(this.timeout)} (createTimeout)`
  }
}

/**
 * The object was taken back, because its holder had it for longer than `borrowLimit`.
 *
 * @category errors
 * @since 0.1.0
 */
export class Revoked extends Schema.TaggedError<Revoked>("proxy-pattern-pool/PoolError/Revoked")("Revoked", {
  limit: Schema.Duration,
  holder: Holder
}) {
  /**
   * Always false: the same work would take as long again.
   *
   * @since 0.1.0
   */
  get isRetryable(): boolean {
    return false
  }

  /**
   * Names the object, the limit and the holder.
   *
   * @since 0.1.0
   */
  override get message(): string {
    const { holder, limit } = this
    return `object #${holder.id} was taken back, held for longer than ${format(limit)} (borrowLimit) by ${holder}`
  }
}

/**
 * The one error of a pool, next to whatever creating an object may fail with. Its `reason` says why.
 *
 * **When to use**
 *
 * Use `Effect.catchReason` or `Effect.catchReasons` to handle single reasons, `Effect.unwrapReason` to turn the reasons
 * into errors of their own, and `isRetryable` to decide whether trying again makes sense.
 *
 * **Details**
 *
 * `pool` is the pool's name, `key` the key in a `KeyedPool`. `message` is a sentence to act on that begins with both;
 * it is made when it is read. It crosses process boundaries as JSON with `Schema.toCodecJson(PoolError.PoolError)`.
 *
 * **Gotchas**
 *
 * Borrowers that fail together for the same reason may be given the same instance.
 *
 * **Example** (Handling one reason)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { PoolError } from "proxy-pattern-pool"
 *
 * const error = new PoolError.PoolError({
 *   pool: "app/Database",
 *   reason: new PoolError.QueueFull({ maxWaiting: 3 })
 * })
 *
 * error.message // => 'Pool "app/Database": no object is free and the queue is full (maxWaiting is 3)'
 *
 * const handled = Effect.fail(error).pipe(
 *   Effect.catchReason("PoolError", "QueueFull", (reason) => Effect.succeed(`${reason.maxWaiting} wait already`))
 * )
 *
 * Effect.runSync(handled) // => "3 wait already"
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class PoolError extends Schema.TaggedError<PoolError>("proxy-pattern-pool/PoolError")("PoolError", {
  pool: Schema.String,
  key: Schema.optionalKey(Schema.String),
  reason: Schema.Union([BorrowTimeout, QueueFull, Closed, CreateTimeout, Revoked])
}) {
  /**
   * Whether the same borrow may succeed later: the reason's `isRetryable`.
   *
   * @since 0.1.0
   */
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }

  /**
   * The pool, the key where there is one, and the reason's message.
   *
   * @since 0.1.0
   */
  override get message(): string {
    const key = this.key === undefined ? "" : `, key "${this.key}"`
    return `Pool "${this.pool}"${key}: ${this.reason.message}`
  }
}
