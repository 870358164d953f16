/** What borrowers have in common, as effects know them: who it is, what it is told, how it waits, and how it gives back. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type { Closing } from "./closing.ts"
import type { Core } from "./core.ts"
import type { Parked } from "./drain.ts"
import { wakeSoon } from "./drain.ts"
import type { Framed } from "./frames.ts"
import { ownerOf } from "./guard.ts"
import type { Spares } from "./spares.ts"
import type { Group } from "./state.ts"
import { Waiter } from "./waiters.ts"

export type AnyEffect = Effect.Effect<any, any, any>
export type AnyFiber = Fiber.Fiber<unknown, unknown>
export type Failure = Exit.Exit<never, unknown>

/** A pool, or one key of a keyed pool: where borrowers go. */
export interface Pooled {
  readonly core: Core
  /** The group, where there is one; else one that has vanished. */
  peek(): Group
  /** The group; a key comes into being. */
  group(): Group
}

/** Did an interruption or a defect end it? A typed failure says nothing bad of the object. */
export const isHit = (exit: Exit.Exit<unknown, unknown>): boolean =>
  exit._tag === "Failure" && exit.cause.reasons.some((reason) => reason._tag !== "Fail")

/** A span that a tracer is not asked for is seen by nobody: nothing runs in it. */
export const isTraced = ({ cache }: AnyFiber): boolean => cache.tracer !== undefined && cache.tracerEnabled

export const scopeClosed = ({ name }: Core): Failure =>
  Exit.die(new Error(`Pool "${name}": cannot borrow in a Scope that is closed`))

/** A borrower, as effects know it. */
export abstract class Lease extends Waiter {
  declare pooled: Pooled
  declare fiber: AnyFiber | undefined
  declare span: Tracer.AnySpan | undefined
  /** Goes on with what waits for the hook of its return. */
  declare private back: ((effect: Effect.Effect<void>) => void) | undefined

  constructor(pooled: Pooled) {
    super(pooled.peek())
    this.pooled = pooled
    this.fiber = undefined
    this.span = undefined
    this.back = undefined
  }

  get core(): Core {
    return this.pooled.core
  }

  /** The Scope that holds the object; a body has none. */
  get holdingScope(): Scope.Scope | undefined {
    return undefined
  }

  /** It has asked for an object, and the pool has not answered. */
  get isWaiting(): boolean {
    return this.state === "queued" || this.state === "preparing"
  }

  /** Other borrowers of the same fiber or Scope wait for this pool. */
  get hasWaiting(): boolean {
    return this.core.nesting.hasWaiting(this)
  }

  /** The fiber that the user knows. */
  get fiberId(): number {
    return ownerOf(this.fiber!).id
  }

  /** A key comes into being with its first borrower, and may have vanished since this one was made. */
  protected settleGroup(): void {
    if (this.group.vanished) this.group = this.pooled.group()
  }

  /** How long it waits at most, in milliseconds. */
  abstract readonly patience: number
  /** It has been given an object. */
  abstract served(): void
  /** It gets none, and this is why. */
  abstract refused(failure: Failure): void
  /** It has lost the object: its time is over, or the pool is closed. */
  abstract lost(failure: Failure, reason: "revoked" | "shutdown"): void
  /** Does the closing of the pool wait for its end? Not where the end must wait for the closing. */
  abstract isAwaitedBy(closing: Closing): boolean

  /** A Scope holds the object, and nothing uses it now. */
  get isMere(): boolean {
    return false
  }

  /** Before it is lent anything. */
  identify(fiber: AnyFiber): void {
    this.fiber = fiber
    this.span = fiber.cache.span
  }

  /** The hook of its return is over. */
  returned(): void {
    this.back?.(Effect.void)
  }

  /** Gives the object back, which may be in an unknown state. The effect, where there is one, ends with the hook. */
  protected giveBack(unknown: boolean, exit: Exit.Exit<unknown, unknown> = Exit.void): Effect.Effect<void> | undefined {
    const { core } = this
    const now = core.now()
    const hook = core.machine.release(this, unknown, now)
    if (hook !== undefined) hook.exit = exit
    core.settled(now)
    return this.state === "returning" ? this.awaitReturn() : undefined
  }

  /** The wait for an object, where spans go to a tracer. */
  protected inSpan(waiting: Effect.Effect<void, unknown>): Effect.Effect<void, unknown> {
    return Effect.useSpan("pool.wait", { attributes: this.core.attributes(this.group) }, () => waiting)
  }

  protected awaitReturn(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (this.state !== "returning") resume(Effect.void)
      else this.back = resume
    })
  }
}

/** A borrower that is a fiber: it parks until it has an object, or a reason why not. */
export abstract class FiberLease extends Lease implements Framed, Parked {
  declare protected failure: Failure | undefined
  /** Wakes the fiber that waits for the object. */
  declare private resume: ((effect: AnyEffect) => void) | undefined
  /** How it waits: made with the first wait, since most leases wait again. */
  declare private parked: AnyEffect | undefined

  constructor(pooled: Pooled) {
    super(pooled)
    this.failure = undefined
    this.resume = undefined
    this.parked = undefined
  }

  abstract begin(fiber: AnyFiber): AnyEffect
  abstract ended(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined

  /** The borrower has been given the object itself. */
  abstract readonly taken: boolean

  /** What is run with the object, or with the reason. */
  protected abstract proceed(): AnyEffect

  refused(failure: Failure): void {
    this.failure = failure
    this.served()
  }

  served(): void {
    this.core.nesting.ended(this)
    // one that has not parked yet looks for the answer before it does
    if (this.resume !== undefined) wakeSoon(this.fiber!.cache.scheduler, this)
  }

  wake(): void {
    const { resume } = this
    this.resume = undefined
    // with itself: what is run next must run in the fiber that waited
    resume?.(this as unknown as AnyEffect)
  }

  /** The pool has said what comes of it. In the midst of what the pool is doing it may say so later. */
  protected get isAnswered(): boolean {
    return this.state === "holding" || this.failure !== undefined
  }

  protected park(): AnyEffect {
    if (isTraced(this.fiber!)) return this.parkInSpan()
    return this.parked ??= Effect.callback<any, any, any>((resume) => {
      if (this.isAnswered) resume(this as unknown as AnyEffect)
      else this.resume = resume
    })
  }

  /** The span must end before the object is used. */
  private parkInSpan(): AnyEffect {
    const parked = Effect.callback<void, unknown>((resume) => {
      const end = () => resume(this.failure ?? Exit.void)
      if (this.isAnswered) end()
      else this.resume = end
    })
    return Effect.flatMap(this.inSpan(parked), () => this as unknown as AnyEffect)
  }

  /** Asks for an object; what comes of it is run next. */
  protected ask(fiber: AnyFiber, timeout: number, now: number): AnyEffect {
    const { core } = this
    this.identify(fiber)
    if (!core.machine.hit(this, now)) return this.wait(timeout, now)
    core.lent(now)
    return this.proceed()
  }

  private wait(timeout: number, now: number): AnyEffect {
    const { core } = this
    // here, and not before each hit: a key that has vanished has nothing idle
    if (this.group.vanished) {
      this.settleGroup()
      return this.ask(this.fiber!, timeout, now)
    }
    if (core.machine.closed) return core.closed(this.group)
    core.machine.miss(this, timeout, now)
    core.asked(this, now)
    return this.isAnswered ? this.proceed() : this.park()
  }

  /** Used again, perhaps for another key. */
  protected renew(pooled: Pooled): void {
    if (pooled === this.pooled && !this.group.vanished) return
    this.pooled = pooled
    this.group = pooled.peek()
  }

  /** Made as new after its end, and kept to be used again. Not where somebody still knows of it. */
  protected forget(spares: Spares<Lease>): boolean {
    const { core } = this
    // it is to be woken, or in what the pool is about to do
    if (this.resume !== undefined || core.flushing || !core.nesting.forget(this)) return false
    this.state = "new"
    this.failure = undefined
    this.slot = undefined
    this.fiber = undefined
    this.span = undefined
    spares.keep(this, core.latest)
    return true
  }

  protected giveUp(): void {
    const { core } = this
    const now = core.now()
    core.nesting.ended(this)
    core.machine.cancel(this, now)
    core.settled(now)
  }

  /** It was refused, or gives up now. */
  protected cameToNothing(): boolean {
    if (!this.isWaiting) return this.failure !== undefined
    this.giveUp()
    // nobody is to wake it
    this.resume = undefined
    return true
  }
}

/** What a borrower wants. */
export class Wish {
  declare readonly pool: Pooled
  /** How long it waits at most, in milliseconds; negative until it has been read. */
  declare patience: number
  declare private readonly timeout: unknown

  constructor(pool: Pooled, timeout: unknown) {
    this.pool = pool
    this.timeout = timeout
    this.patience = -1
  }

  /** Reads the timeout; a wrong one is wrong even where nobody waits. */
  protected read(): void {
    this.patience = this.pool.core.patience(this.timeout)
  }
}
