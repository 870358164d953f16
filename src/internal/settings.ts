/** Options, checked and resolved: durations in milliseconds, defaults filled in. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import type { Policy } from "./policy.ts"
import type { Bounds } from "./state.ts"

/** The hooks as the pool runs them, for objects of any type. */
export interface Hooks {
  readonly acquire: (key: unknown) => Effect.Effect<unknown, unknown, unknown>
  readonly healthCheck: ((object: unknown, key: unknown) => Effect.Effect<boolean, unknown, unknown>) | undefined
  readonly onBorrow: ((object: unknown, key: unknown) => Effect.Effect<unknown, unknown, unknown>) | undefined
  readonly onReturn:
    | ((object: unknown, exit: Exit.Exit<unknown, unknown>, key: unknown) => Effect.Effect<unknown, unknown, unknown>)
    | undefined
  readonly describe: ((object: unknown, key: unknown) => unknown) | undefined
  readonly createRetry: Schedule.Schedule<unknown, unknown>
}

export interface Settings {
  readonly name: string
  readonly bounds: Bounds
  readonly policy: Policy
  readonly hooks: Hooks
  readonly shutdownTimeout: number
}

/** What the options of a pool are before anything is known of them. */
export type Raw = Readonly<Record<string, unknown>>

const defaultRetry: Schedule.Schedule<unknown, unknown> = Schedule.exponential("50 millis").pipe(
  Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.seconds(2)))),
  Schedule.jittered
)

interface Rule {
  readonly least: number
  readonly whole: boolean
  readonly infinite: boolean
  readonly most?: number
}

const count: Rule = { least: 1, whole: true, infinite: true }
const least0: Rule = { least: 0, whole: true, infinite: false }

const show = (value: unknown): string => {
  if (Predicate.isString(value)) return JSON.stringify(value)
  if (Duration.isDuration(value)) return Duration.format(value)
  if (Predicate.isFunction(value)) return "a function"
  try {
    return Predicate.isObjectOrArray(value) ? JSON.stringify(value) : String(value)
  } catch {
    return "an object"
  }
}

/** Collects what is wrong, so that one message can tell all of it. */
class Reader {
  readonly problems: Array<string> = []
  readonly raw: Raw

  constructor(raw: Raw) {
    this.raw = raw
  }

  /** The option is this, and must be something else. */
  refuse(name: string, value: unknown, must: string): void {
    this.problems.push(`${name} (${show(value)}) must ${must}`)
  }

  /** What is no number gives `NaN`, with which nothing can be compared: one mistake is one problem. */
  number(name: string, fallback: number | undefined, rule: Rule): number {
    const value = this.raw[name]
    if (value === undefined) {
      if (fallback === undefined) this.problems.push(`${name} (undefined) is required`)
      return fallback ?? Number.NaN
    }
    if (!Predicate.isNumber(value) || Number.isNaN(value)) {
      this.refuse(name, value, "be a number")
      return Number.NaN
    }
    if (value < rule.least) this.refuse(name, value, `be at least ${rule.least}`)
    else if (rule.most !== undefined && value > rule.most) this.refuse(name, value, `be at most ${rule.most}`)
    else if (value === Infinity) {
      if (!rule.infinite) this.refuse(name, value, "be finite")
    } else if (rule.whole && !Number.isInteger(value)) this.refuse(name, value, "be a whole number")
    return value
  }

  duration(name: string, fallback: number, zero: boolean): number {
    const value = this.raw[name]
    if (value === undefined) return fallback
    const duration = Option.getOrUndefined(readDuration(value))
    if (duration === undefined) {
      this.refuse(name, value, `be a duration, such as "5 seconds"`)
      return fallback
    }
    const millis = Duration.toMillis(duration)
    if (millis < 0) this.refuse(name, value, "not be negative")
    else if (millis === 0 && !zero) this.refuse(name, value, "be longer than zero")
    return millis
  }

  oneOf<const A extends string>(name: string, fallback: A, ...values: ReadonlyArray<A>): A {
    const value = this.raw[name]
    if (value === undefined) return fallback
    const found = values.concat(fallback).find((known) => known === value)
    if (found !== undefined) return found
    const known = [fallback, ...values].map((known) => JSON.stringify(known)).join(" or ")
    this.refuse(name, value, `be ${known}`)
    return fallback
  }

  /** Where either is no number, nothing can be said of the two. */
  order(lesser: string, less: number, greater: string, more: number): void {
    if (less > more) this.refuse(lesser, less, `not exceed ${greater} (${more})`)
  }

  /** Throws an error that names all of it, if anything is wrong. */
  check(pool: string): void {
    if (this.problems.length > 0) throw new Error(`Pool "${pool}": ${this.problems.join("; ")}`)
  }

  hook<F>(name: string): F | undefined {
    const value = this.raw[name]
    if (value !== undefined && !Predicate.isFunction(value)) {
      this.refuse(name, value, "be a function")
      return undefined
    }
    return value as F | undefined
  }
}

/** Whatever else there is in an object, or is no number, Effect takes for zero. */
const isRead = (value: object): boolean => {
  const parts = Object.entries(value)
  return parts.length > 0 && parts.every(([unit, count]) => {
    const known = Array.isArray(value) || Duration.isPositive(Duration.fromInputUnsafe({ [unit]: 1 }))
    return known && Predicate.isNumber(count) && !Number.isNaN(count)
  })
}

const readDuration = (value: unknown): Option.Option<Duration.Duration> => {
  if (Predicate.isNumber(value) && Number.isNaN(value)) return Option.none()
  try {
    if (Predicate.isObjectOrArray(value) && !Duration.isDuration(value) && !isRead(value)) return Option.none()
    return Duration.fromInput(value as Duration.Input)
  } catch {
    return Option.none()
  }
}

const second = 1000

/** What a layer decides, and no option can. */
export interface Fixed {
  readonly unpooled?: boolean
  readonly spare?: number
}

/** Reads the options, or throws an error that names every wrong one. */
export const read = (raw: Raw, acquire: Hooks["acquire"] | undefined, fixed: Fixed = {}): Settings => {
  const reader = new Reader(raw)
  if (acquire === undefined) reader.refuse("acquire", raw["acquire"], "be an Effect")
  const max = reader.number("max", undefined, count)
  const min = reader.number("min", Math.min(1, max), least0)
  reader.order("min", min, "max", max)
  return finish(reader, acquire, { min, max }, fixed)
}

/** The bounds of a pool by key. */
export interface KeyedBounds {
  readonly max: number
  readonly maxPerKey: number
  readonly minPerKey: number
  /** `maxPerKey` was not given: it is what `max` is. */
  readonly follows: boolean
}

const readEach = (reader: Reader, now: KeyedBounds | undefined): KeyedBounds => {
  const max = reader.number("max", now?.max, count)
  const follows = reader.raw["maxPerKey"] === undefined && (now === undefined || now.follows)
  const maxPerKey = follows ? max : reader.number("maxPerKey", now?.maxPerKey, count)
  const minPerKey = reader.number("minPerKey", now?.minPerKey ?? 0, least0)
  reader.order("maxPerKey", maxPerKey, "max", max)
  reader.order("minPerKey", minPerKey, follows ? "max" : "maxPerKey", maxPerKey)
  return { max, maxPerKey, minPerKey, follows }
}

/** Reads the options of a pool by key, like `read`. */
export const readKeyed = (
  raw: Raw,
  acquire: Hooks["acquire"] | undefined
): { readonly bounds: KeyedBounds; readonly settings: Settings } => {
  const reader = new Reader(raw)
  if (acquire === undefined) reader.refuse("acquire", raw["acquire"], "be a function from a key to an Effect")
  const bounds = readEach(reader, undefined)
  return { bounds, settings: finish(reader, acquire, { min: bounds.minPerKey, max: bounds.maxPerKey }, {}) }
}

/** New bounds of a pool by key, like `readBounds`. */
export const readKeyedBounds = (name: string, raw: Raw, now: KeyedBounds): KeyedBounds => {
  const reader = new Reader(raw)
  const bounds = readEach(reader, now)
  reader.check(name)
  return bounds
}

const finish = (reader: Reader, acquire: Hooks["acquire"] | undefined, bounds: Bounds, fixed: Fixed): Settings => {
  const { raw } = reader
  const name = Predicate.isString(raw["name"]) ? raw["name"] : "pool"
  if (raw["name"] !== undefined && !Predicate.isString(raw["name"])) {
    reader.refuse("name", raw["name"], "be a string")
  }
  const borrowWarning = reader.duration("borrowWarning", Infinity, false)
  const borrowLimit = reader.duration("borrowLimit", Infinity, false)
  const healthCheck = reader.hook<NonNullable<Hooks["healthCheck"]>>("healthCheck")
  const onBorrow = reader.hook<NonNullable<Hooks["onBorrow"]>>("onBorrow")
  const onReturn = reader.hook<NonNullable<Hooks["onReturn"]>>("onReturn")
  const describe = reader.hook<NonNullable<Hooks["describe"]>>("describe")
  const healthInterval = reader.duration("healthInterval", 60 * second, false)
  const healthAfterIdle = reader.duration("healthAfterIdle", Infinity, true)
  const createRetry = raw["createRetry"] === undefined ? defaultRetry : raw["createRetry"]
  if (!Schedule.isSchedule(createRetry)) reader.refuse("createRetry", createRetry, "be a Schedule")
  const policy: Policy = {
    concurrency: reader.number("concurrency", 1, count),
    order: reader.oneOf("order", "lifo", "fifo"),
    borrowTimeout: reader.duration("borrowTimeout", 30 * second, true),
    maxWaiting: reader.number("maxWaiting", Infinity, { least: 0, whole: true, infinite: true }),
    maxUses: reader.number("maxUses", Infinity, count),
    maxCreating: reader.number("maxCreating", Infinity, count),
    createTimeout: reader.duration("createTimeout", 10 * second, false),
    destroyTimeout: reader.duration("destroyTimeout", 30 * second, false),
    idleTimeToLive: reader.duration("idleTimeToLive", Infinity, true),
    timeToLive: reader.duration("timeToLive", Infinity, false),
    jitter: reader.number("jitter", 0.025, { least: 0, most: 1, whole: false, infinite: false }),
    borrowWarning,
    borrowLimit,
    healthInterval: healthCheck === undefined ? Infinity : healthInterval,
    healthAfterIdle: healthCheck === undefined ? Infinity : healthAfterIdle,
    healthTimeout: reader.duration("healthTimeout", 5 * second, false),
    hookTimeout: reader.duration("hookTimeout", 10 * second, false),
    hasCheck: healthCheck !== undefined,
    hasBorrowHook: onBorrow !== undefined,
    hasReturnHook: onReturn !== undefined,
    unpooled: fixed.unpooled ?? false,
    spare: fixed.spare ?? 0
  }
  if (borrowWarning !== Infinity && borrowWarning > borrowLimit) {
    reader.refuse("borrowWarning", raw["borrowWarning"], `not exceed borrowLimit (${show(raw["borrowLimit"])})`)
  }
  const shutdownTimeout = reader.duration("shutdownTimeout", 20 * second, true)
  reader.check(name)
  return {
    name,
    bounds,
    policy,
    hooks: {
      acquire: acquire!,
      healthCheck,
      onBorrow,
      onReturn,
      describe,
      createRetry: createRetry as Schedule.Schedule<unknown, unknown>
    },
    shutdownTimeout
  }
}

/** New bounds, from what is asked for and what there is; throws like `read`. */
export const readBounds = (name: string, raw: Raw, now: Bounds): Bounds => {
  const reader = new Reader(raw)
  const max = reader.number("max", now.max, count)
  const min = reader.number("min", now.min, least0)
  reader.order("min", min, "max", max)
  reader.check(name)
  return { min, max }
}

/** The time limit of one borrow, in milliseconds; throws like `read`. */
export const readTimeout = (name: string, timeout: unknown): number => {
  const reader = new Reader({ timeout })
  const millis = reader.duration("timeout", Infinity, true)
  reader.check(name)
  return millis
}
