/** Borrowing: waiting, interruption, the end of the body or of the Scope. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type { Closing } from "./closing.ts"
import type { Core } from "./core.ts"
import type { Parked } from "./drain.ts"
import { wakeSoon } from "./drain.ts"
import type { Framed } from "./frames.ts"
import { enter, frameOf } from "./frames.ts"
import { guard, ownerOf } from "./guard.ts"
import { ownerNumber } from "./nesting.ts"
import { addFinalizer, nothing, removeFinalizer } from "./scopes.ts"
import type { Spares } from "./spares.ts"
import type { Group } from "./state.ts"
import { Waiter } from "./waiters.ts"

export type AnyEffect = Effect.Effect<any, any, any>
export type AnyFiber = Fiber.Fiber<unknown, unknown>
export type Failure = Exit.Exit<never, unknown>

/** Did an interruption or a defect end it? A typed failure says nothing bad of the object. */
export const isHit = (exit: Exit.Exit<unknown, unknown>): boolean =>
  exit._tag === "Failure" && exit.cause.reasons.some((reason) => reason._tag !== "Fail")

/** A span that a tracer is not asked for is seen by nobody: nothing runs in it. */
export const isTraced = ({ cache }: AnyFiber): boolean => cache.tracer !== undefined && cache.tracerEnabled

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

  /** Gives the object back, which is in an unknown state. The effect, where there is one, ends with the hook. */
  protected giveBack(unknown: boolean, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
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
abstract class FiberLease extends Lease implements Framed, Parked {
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
    this.core.nesting.ended(this)
    this.core.machine.cancel(this, this.core.now())
    this.core.flush()
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
class Wish {
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

// -----------------------------------------------------------------------------------------------------------------
// use
// -----------------------------------------------------------------------------------------------------------------

type Body = (object: unknown) => AnyEffect

/** One run of `use`: it is the effect inside the frame that gives the object back. */
class UseLease extends FiberLease {
  /** What it was made for, until the body is called. */
  declare private use: Use | undefined
  declare readonly frame: AnyEffect

  constructor(pooled: Pooled) {
    super(pooled)
    this.use = undefined
    this.frame = frameOf(this as unknown as AnyEffect & Framed)
  }

  get patience(): number {
    return this.use!.patience
  }

  get taken(): boolean {
    return this.use === undefined
  }

  prepare(use: Use): void {
    this.renew(use.pool)
    this.use = use
  }

  begin(fiber: AnyFiber): AnyEffect {
    if (this.state !== "new" || this.failure !== undefined) return this.proceed()
    this.owner = ownerNumber(fiber)
    return this.ask(fiber, this.patience, this.core.now())
  }

  protected proceed(): AnyEffect {
    if (this.failure !== undefined) return this.failure
    const { body } = this.use!
    this.use = undefined
    return body(this.slot!.value)
  }

  lost(failure: Failure, reason: "revoked" | "shutdown"): void {
    if (reason === "revoked" || !this.taken) this.failure = failure
  }

  isAwaitedBy(closing: Closing): boolean {
    return !closing.hasFiber(this.fiber!)
  }

  ended(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
    if (this.state !== "holding") {
      if (this.cameToNothing()) this.recycle()
      return undefined
    }
    const { taken } = this
    const hook = this.giveBack(taken && isHit(exit), taken ? exit : Exit.void)
    if (hook === undefined) this.recycle()
    return hook
  }

  protected recycle(): void {
    if (this.forget(this.core.spareUses)) this.use = undefined
  }
}

/** The same where the borrow may be revoked: the body runs in a fiber of its own, which is interrupted then. */
class LimitedUseLease extends UseLease {
  declare private child: AnyFiber | undefined

  constructor(pooled: Pooled) {
    super(pooled)
    this.child = undefined
  }

  protected override proceed(): AnyEffect {
    if (this.failure !== undefined) return this.failure
    return guard(
      Effect.suspend(() => super.proceed()),
      (child) => {
        this.child = child
        if (this.failure !== undefined) child.interruptUnsafe()
      },
      () => this.failure
    )
  }

  override lost(failure: Failure, reason: "revoked" | "shutdown"): void {
    super.lost(failure, reason)
    if (this.failure !== undefined) this.child?.interruptUnsafe()
  }

  protected override recycle(): void {}
}

/** What `use` gives: a program that may run many times, each time with a lease of its own. */
class Use extends Wish {
  declare readonly body: Body

  constructor(pool: Pooled, body: Body, timeout: unknown) {
    super(pool, timeout)
    this.body = body
  }

  begin(fiber: AnyFiber): AnyEffect {
    const { pool } = this
    if (this.patience < 0) this.read()
    const lease = pool.core.spareUses.take() as UseLease | undefined ?? newUse(pool)
    lease.prepare(this)
    const { frame } = lease
    return enter(frame, fiber) ? lease.begin(fiber) : frame
  }
}

const newUse = (pool: Pooled): UseLease =>
  pool.core.machine.policy.borrowLimit === Infinity ? new UseLease(pool) : new LimitedUseLease(pool)

// -----------------------------------------------------------------------------------------------------------------
// get and poll
// -----------------------------------------------------------------------------------------------------------------

/** A borrow until a Scope closes: its finalizer is in place before anything is borrowed. */
class GetLease extends FiberLease {
  declare scope: Scope.Scope | undefined
  declare patience: number
  declare taken: boolean
  /** The state of the Scope with the finalizer in it. */
  declare private added: Scope.Scope["state"] | undefined
  /** Its frame is on the stack of its fiber, and will see how the borrow went. */
  declare private inFrame: boolean
  /** Made once, where it has to wait. */
  declare private framed: AnyEffect | undefined
  declare private readonly finalize: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>

  constructor(pooled: Pooled) {
    super(pooled)
    this.scope = undefined
    this.patience = 0
    this.taken = false
    this.added = undefined
    this.inFrame = false
    this.framed = undefined
    this.finalize = (exit) => this.scopeClosed(exit)
  }

  prepare(pooled: Pooled, scope: Scope.Scope, patience: number, polls: boolean): void {
    this.renew(pooled)
    this.scope = scope
    this.patience = patience
    this.polls = polls
  }

  override get holdingScope(): Scope.Scope | undefined {
    return this.scope
  }

  get frame(): AnyEffect {
    return this.framed ??= frameOf(this as unknown as AnyEffect & Framed)
  }

  /** Adds the finalizer; gives an effect only where it could not be done at once. */
  enterScope(): Effect.Effect<void> | undefined {
    const scope = this.scope!
    const adding = addFinalizer(scope, this, this.finalize)
    this.added = scope.state
    return adding
  }

  /** Takes an object that is lent at once, if there is one; without a frame, since there is no step between. */
  take(fiber: AnyFiber, now: number): AnyEffect | undefined {
    const { core } = this
    this.identify(fiber)
    if (!core.machine.hit(this, now)) return undefined
    core.lent(now)
    return this.proceed()
  }

  begin(fiber: AnyFiber): AnyEffect {
    this.inFrame = true
    if (this.state !== "new") return this.proceed()
    const now = this.core.now()
    return this.polls ? this.askNow(fiber, now) : this.ask(fiber, this.patience, now)
  }

  private askNow(fiber: AnyFiber, now: number): AnyEffect {
    const { core } = this
    this.identify(fiber)
    if (core.machine.poll(this, now) !== undefined) core.lent(now)
    else core.flush()
    return this.isAnswered ? this.proceed() : this.park()
  }

  protected proceed(): AnyEffect {
    if (this.state !== "holding") return this.failure!
    const { value } = this.slot!
    this.taken = true
    return Exit.succeed(this.polls ? Option.some(value) : value)
  }

  /** One that is still to be woken is told; what was taken as it is cannot be guarded. */
  lost(failure: Failure): void {
    if (!this.taken) this.failure = failure
  }

  isAwaitedBy(closing: Closing): boolean {
    return !closing.hasScope(this.scope!) && !closing.hasFiber(this.fiber!)
  }

  private scopeClosed(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    if (this.state === "holding") {
      if (!this.taken) {
        this.failure = scopeClosed(this.core)
        return this.giveBack(false, Exit.void) ?? Effect.void
      }
      const hook = this.giveBack(isHit(exit), exit)
      if (hook !== undefined) return hook
      const { added } = this
      // a frame that has not ended would take the next borrow for its own
      if (!this.inFrame) this.recycle()
      return nothing(added, this.finalize)
    }
    if (this.isWaiting) {
      this.giveUp()
      this.refused(scopeClosed(this.core))
    } else if (this.state === "new") {
      this.state = "ended"
      this.failure = scopeClosed(this.core)
    }
    return Effect.void
  }

  private recycle(): void {
    if (!this.forget(this.core.spareGets)) return
    this.scope = undefined
    this.taken = false
    this.added = undefined
  }

  /** The borrow came to nothing, or nobody took what came of it: nothing is left behind in the Scope. */
  ended(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
    this.inFrame = false
    if (exit._tag === "Success" && this.state === "holding") return undefined
    const isOver = this.cameToNothing()
    const removed = removeFinalizer(this.scope!, this)
    if (this.state === "holding") return this.giveBack(false, Exit.void)
    if (removed && isOver) this.recycle()
    return undefined
  }
}

export const scopeClosed = ({ name }: Core): Failure =>
  Exit.die(new Error(`Pool "${name}": cannot borrow in a Scope that is closed`))

/** What `get` and `poll` give. */
class Get extends Wish {
  declare private readonly polls: boolean

  constructor(pool: Pooled, timeout: unknown, polls: boolean) {
    super(pool, timeout)
    this.polls = polls
  }

  begin(fiber: AnyFiber): AnyEffect {
    const { pool } = this
    const { core } = pool
    const scope = Context.getUnsafe(fiber.context, Scope.Scope)
    if (scope.state._tag === "Closed") return scopeClosed(core)
    if (this.polls && !core.machine.isReady(pool.peek())) return Exit.succeed(Option.none())
    if (!this.polls && this.patience < 0) this.read()
    const lease = core.spareGets.take() as GetLease | undefined ?? new GetLease(pool)
    lease.prepare(pool, scope, this.patience, this.polls)
    const added = lease.enterScope()
    if (added === undefined) {
      const taken = lease.take(fiber, core.now())
      if (taken !== undefined) return taken
    }
    const { frame } = lease
    if (added !== undefined) return Effect.flatMap(added, () => frame)
    return enter(frame, fiber) ? lease.begin(fiber) : frame
  }
}

/** Makes the instances of a class effects, which is what they begin with. */
export const runs = <A extends { begin(fiber: AnyFiber): AnyEffect }>(
  label: string,
  target: { readonly prototype: A }
): void => {
  const { prototype } = target
  const proto = Effectable.Prototype<Effect.Effect<any, any, any> & A>({ label, evaluate: prototype.begin })
  Object.defineProperties(prototype, Object.getOwnPropertyDescriptors(proto))
}

runs("Pool.use", Use)
runs("Pool.use/lease", UseLease)
runs("Pool.get", Get)
runs("Pool.get/lease", GetLease)

// -----------------------------------------------------------------------------------------------------------------

/** A pool, or one key of a keyed pool: where borrowers go. */
export interface Pooled {
  readonly core: Core
  /** The group, where there is one; else one that has vanished. */
  peek(): Group
  /** The group; a key comes into being. */
  group(): Group
}

export const use = (pool: Pooled, body: Body, timeout: unknown): AnyEffect =>
  new Use(pool, body, timeout) as unknown as AnyEffect

export const get = (pool: Pooled, timeout: unknown): AnyEffect => new Get(pool, timeout, false) as unknown as AnyEffect

export const poll = (pool: Pooled): AnyEffect => new Get(pool, undefined, true) as unknown as AnyEffect
