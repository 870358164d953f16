/** Creations: each runs in a fiber of its own, with its number, a Scope, and a root span around it. */
import * as Clock from "effect/Clock"
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
const objectAttribute = "pool.object"

const linksTo = (asker: Tracer.AnySpan | undefined): Array<Tracer.SpanLink> =>
  asker === undefined ? [] : [{ span: asker, attributes: {} }]

/** One creation, as it is begun. */
export interface Creation {
  readonly slot: Slot
  readonly scope: Scope.Scope
  readonly acquire: Effect.Effect<unknown, unknown, unknown>
  readonly attributes: Attributes
  /** The span that asked for it. */
  readonly asker: Tracer.AnySpan | undefined
}

export class Creations {
  /** Spans go to a tracer. */
  readonly traced: boolean
  /** A span is what it is by itself: no tracer, and nothing in the context, has a say in it. */
  private readonly plain: boolean
  private readonly clock: Clock.Clock
  private readonly context: Context.Context<never>
  private readonly fibers = new Map<Slot, Fiber.Fiber<unknown, unknown>>()

  /** `maker` makes the pool; `context` is what its creations have around them. */
  constructor(maker: Fiber.Fiber<unknown, unknown>, context: Context.Context<never>) {
    this.traced = maker.cache.tracer !== undefined
    this.plain = !this.traced && maker.cache.tracerEnabled && isPlain(context)
    this.clock = Context.get(context, Clock.Clock)
    this.context = context
  }

  /** Begins one, and gives how it ended; `ended` is told where it has not ended yet. */
  begin(creation: Creation, ended: (exit: AnyExit) => void): AnyExit | undefined {
    const { slot } = creation
    const fiber = this.plain ? this.forkPlain(creation) : this.fork(creation)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return exit
    this.fibers.set(slot, fiber)
    fiber.addObserver((exit) => {
      this.fibers.delete(slot)
      ended(exit)
    })
    return undefined
  }

  interrupt(slot: Slot): void {
    this.fibers.get(slot)?.interruptUnsafe()
  }

  private fork({ acquire, asker, attributes, scope, slot }: Creation): Fiber.Fiber<unknown, unknown> {
    const options = { root: true, links: linksTo(asker), attributes: { ...attributes, [objectAttribute]: slot.id } }
    // not `withSpan`, which annotates the failures of `acquire`: borrowers get them as they are
    const traced = Effect.useSpan(
      spanName,
      options,
      (span) => Effect.provideService(acquire, Tracer.ParentSpan, span)
    )
    return this.run(this.context, scope, slot, traced)
  }

  /** The same span, made without asking around, which takes a tenth of the time. */
  private forkPlain(
    { acquire, asker, attributes, scope, slot }: Creation
  ): Fiber.Fiber<unknown, unknown> {
    const span = new PlainSpan(this.clock.currentTimeMillisUnsafe(), attributes, slot.id, asker)
    const fiber = this.run(Context.add(this.context, Tracer.ParentSpan, span), scope, slot, acquire)
    fiber.addObserver((exit) => span.over(this.clock.currentTimeMillisUnsafe(), exit))
    return fiber
  }

  private run(
    context: Context.Context<never>,
    scope: Scope.Scope,
    slot: Slot,
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

const nanos = (millis: number): bigint => BigInt(Math.round(millis)) * 1_000_000n

/** A span that only what runs inside of it can see: it is made when somebody looks. Its times are whole milliseconds. */
class PlainSpan implements Tracer.Span {
  readonly _tag = "Span"
  private readonly startedAt: number
  private readonly known: Attributes
  private readonly object: number
  private readonly asker: Tracer.AnySpan | undefined
  private made: Tracer.Span | undefined = undefined
  private endedAt = 0
  private exit: AnyExit | undefined = undefined

  constructor(startedAt: number, known: Attributes, object: number, asker: Tracer.AnySpan | undefined) {
    this.startedAt = startedAt
    this.known = known
    this.object = object
    this.asker = asker
  }

  /** The creation is over, at this time in milliseconds. */
  over(endedAt: number, exit: AnyExit): void {
    this.endedAt = endedAt
    this.exit = exit
    this.made?.end(nanos(endedAt), exit)
  }

  private get span(): Tracer.Span {
    if (this.made !== undefined) return this.made
    const span = new Tracer.NativeSpan({
      name: spanName,
      parent: Option.none(),
      annotations: Context.empty(),
      links: linksTo(this.asker),
      startTime: nanos(this.startedAt),
      kind: "internal",
      sampled: true
    })
    for (const [key, value] of Object.entries(this.known)) span.attribute(key, value)
    span.attribute(objectAttribute, this.object)
    if (this.exit !== undefined) span.end(nanos(this.endedAt), this.exit)
    return this.made = span
  }

  get name(): string {
    return spanName
  }

  get spanId(): string {
    return this.span.spanId
  }

  get traceId(): string {
    return this.span.traceId
  }

  get parent(): Option.Option<Tracer.AnySpan> {
    return this.span.parent
  }

  get annotations(): Context.Context<never> {
    return this.span.annotations
  }

  get status(): Tracer.SpanStatus {
    return this.span.status
  }

  get attributes(): ReadonlyMap<string, unknown> {
    return this.span.attributes
  }

  get links(): ReadonlyArray<Tracer.SpanLink> {
    return this.span.links
  }

  get sampled(): boolean {
    return this.span.sampled
  }

  get kind(): Tracer.SpanKind {
    return this.span.kind
  }

  end(endTime: bigint, exit: AnyExit): void {
    this.span.end(endTime, exit)
  }

  attribute(key: string, value: unknown): void {
    this.span.attribute(key, value)
  }

  event(name: string, startTime: bigint, attributes?: Record<string, unknown>): void {
    this.span.event(name, startTime, attributes)
  }

  addLinks(links: ReadonlyArray<Tracer.SpanLink>): void {
    this.span.addLinks(links)
  }
}
