/** Creations: each runs in a fiber of its own, with its number, a Scope, and a root span around it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { Slot } from "./state.ts"

type AnyExit = Exit.Exit<unknown, unknown>
type Attributes = Readonly<Record<string, unknown>>

/** How many creations began before this one. */
export const CreationNumber: Context.Reference<number> = Context.Reference<number>(
  "proxy-pattern-pool/Pool/CreationNumber",
  { defaultValue: () => 0 }
)

const spanName = "pool.create"

/** The time of a pool, and what that is since the epoch, in milliseconds. */
interface Time {
  now(): number
  epoch(at: number): number
}

/** One creation, as it is begun. */
export interface Creation {
  readonly slot: Slot
  readonly scope: Scope.Scope
  readonly acquire: Effect.Effect<unknown, unknown, unknown>
  readonly attributes: Attributes
  /** The span that asked for it. */
  readonly asker: Tracer.AnySpan | undefined
}

const linksOf = ({ asker }: Creation): Array<Tracer.SpanLink> =>
  asker === undefined ? [] : [{ span: asker, attributes: {} }]

const attributesOf = ({ attributes, slot }: Creation): Attributes => ({ ...attributes, "pool.object": slot.id })

export class Creations {
  /** Spans go to a tracer. */
  readonly traced: boolean
  /** A span is what it is by itself: no tracer, and nothing in the context, has a say in it. */
  private readonly plain: boolean
  private readonly time: Time
  private readonly context: Context.Context<never>
  private readonly fibers = new Map<Slot, Fiber.Fiber<unknown, unknown>>()

  /** `maker` makes the pool; `context` is what its creations have around them. */
  constructor(maker: Fiber.Fiber<unknown, unknown>, context: Context.Context<never>, time: Time) {
    this.traced = maker.cache.tracer !== undefined
    this.plain = !this.traced && maker.cache.tracerEnabled && isPlain(context)
    this.time = time
    this.context = context
  }

  /** Begins one; `ended` is told how it ended, and when: at once, and then this gives true, or later. */
  begin(creation: Creation, ended: (exit: AnyExit, now: number) => void): boolean {
    const { slot } = creation
    // the same span as that of `fork`, made without asking around, which takes a tenth of the time
    const span = this.plain ? new PlainSpan(this.time.epoch(slot.startedAt), creation) : undefined
    const fiber = span === undefined
      ? this.fork(creation)
      : this.run(Context.add(this.context, Tracer.ParentSpan, span), creation, creation.acquire)
    const over = (exit: AnyExit) => {
      const now = this.time.now()
      span?.end(nanos(this.time.epoch(now)), exit)
      ended(exit, now)
    }
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) {
      over(exit)
      return true
    }
    this.fibers.set(slot, fiber)
    fiber.addObserver((exit) => {
      this.fibers.delete(slot)
      over(exit)
    })
    return false
  }

  interrupt(slot: Slot): void {
    this.fibers.get(slot)?.interruptUnsafe()
  }

  private fork(creation: Creation): Fiber.Fiber<unknown, unknown> {
    const options = { root: true, links: linksOf(creation), attributes: attributesOf(creation) }
    // not `withSpan`, which annotates the failures of `acquire`: borrowers get them as they are
    const traced = Effect.useSpan(
      spanName,
      options,
      (span) => Effect.provideService(creation.acquire, Tracer.ParentSpan, span)
    )
    return this.run(this.context, creation, traced)
  }

  private run(
    context: Context.Context<never>,
    { scope, slot }: Creation,
    effect: Effect.Effect<unknown, unknown, unknown>
  ): Fiber.Fiber<unknown, unknown> {
    const own = Context.add(Context.add(context, Scope.Scope, scope), CreationNumber, slot.id)
    return Effect.runForkWith(own as Context.Context<any>)(effect)
  }
}

const isPlain = (context: Context.Context<never>): boolean =>
  Context.get(context, References.TracerTimingEnabled) &&
  Context.get(context, References.MinimumTraceLevel) === "All" &&
  Context.get(context, References.TracerSpanLinks).length === 0 &&
  Object.keys(Context.get(context, References.TracerSpanAnnotations)).length === 0

let latestMillis = 0
let latestNanos = 0n

/** Creations often begin and end together: then this is made once for all of them, which is dear. */
const nanos = (millis: number): bigint => {
  if (millis !== latestMillis) {
    latestMillis = millis
    latestNanos = BigInt(Math.round(millis)) * 1_000_000n
  }
  return latestNanos
}

/**
 * A span that only what runs inside of it can see: its attributes are made when somebody looks, and its times are whole
 * milliseconds, which are faster to read.
 */
class PlainSpan extends Tracer.NativeSpan {
  private readonly creation: Creation

  constructor(startedAt: number, creation: Creation) {
    super({
      name: spanName,
      parent: Option.none(),
      annotations: Context.empty(),
      links: linksOf(creation),
      startTime: nanos(startedAt),
      kind: "internal",
      sampled: true
    })
    this.creation = creation
  }

  override get attributes(): Map<string, unknown> {
    return this._attributes ??= new Map(Object.entries(attributesOf(this.creation)))
  }
}
