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
import { guard, ownerOf } from "./guard.ts"
import { addFinalizer, removeFinalizer } from "./scopes.ts"
import type { Group } from "./state.ts"
import { Waiter } from "./waiters.ts"

export type AnyEffect = Effect.Effect<any, any, any>
export type AnyFiber = Fiber.Fiber<unknown, unknown>
export type Failure = Exit.Exit<never, unknown>

/** Did an interruption or a defect end it? A typed failure says nothing bad of the object. */
export const isHit = (exit: Exit.Exit<unknown, unknown>): boolean =>
  exit._tag === "Failure" && exit.cause.reasons.some((reason) => reason._tag !== "Fail")

/** A borrower, as effects know it. */
export abstract class Lease extends Waiter {
  declare readonly core: Core
  declare pooled: Pooled
  declare fiber: AnyFiber | undefined
  declare span: Tracer.AnySpan | undefined
  /** The Scope that holds the object; a body has none. */
  declare scope: Scope.Scope | undefined
  /** How many borrowers of the same fiber or Scope wait for this pool meanwhile. */
  declare alsoWaiting: number
  /** The holders that this borrower waits beside. */
  declare beside: ReadonlyArray<Lease> | undefined
  declare warnedOfNesting: boolean
  /** How the holder ended, for `onReturn`. */
  declare exit: Exit.Exit<unknown, unknown>
  declare private onReturned: (() => void) | undefined

  constructor(pooled: Pooled) {
    super(pooled.peek())
    this.core = pooled.core
    this.pooled = pooled
    this.fiber = undefined
    this.span = undefined
    this.scope = undefined
    this.alsoWaiting = 0
    this.beside = undefined
    this.warnedOfNesting = false
    this.exit = Exit.void
    this.onReturned = undefined
  }

  /** The fiber that the user knows. */
  get fiberId(): number {
    return ownerOf(this.fiber!).id
  }

  /** A key comes into being with its first borrower, and may have vanished since this one was made. */
  protected settleGroup(): void {
    if (this.group.vanished) this.group = this.pooled.group()
  }

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

  identify(fiber: AnyFiber): void {
    this.fiber = fiber
    this.span = fiber.cache.span
  }

  /** The hook of its return is over. */
  returned(): void {
    const resume = this.onReturned
    this.onReturned = undefined
    resume?.()
  }

  /** Gives the object back. The effect, where there is one, ends with the hook. */
  giveBack(unknown: boolean): Effect.Effect<void> | undefined {
    const { core } = this
    const now = core.now()
    core.machine.release(this, unknown, now)
    core.settled(now)
    return this.state === "returning" ? this.awaitReturn() : undefined
  }

  protected awaitReturn(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.state !== "returning") resume(Effect.void)
      else this.onReturned = () => resume(Effect.void)
    })
  }
}

/** A borrower that is a fiber: it parks until it has an object, or a reason why not. */
abstract class FiberLease extends Lease implements Parked {
  declare protected failure: Failure | undefined
  declare private resume: ((effect: AnyEffect) => void) | undefined
  /** How it waits: made with the first wait, since most leases wait again. */
  declare private parked: AnyEffect | undefined
  /** Waits in a span, which must end before the object is used. */
  declare private traced: boolean
  /** Is to be woken; until then it must not be used again. */
  declare protected waking: boolean

  constructor(pooled: Pooled) {
    super(pooled)
    this.failure = undefined
    this.resume = undefined
    this.parked = undefined
    this.traced = false
    this.waking = false
  }

  /** What is run with the object, or with the reason. */
  protected abstract proceed(): AnyEffect

  served(): void {
    this.core.forgetNesting(this)
    this.waking = true
    wakeSoon(this.fiber!.cache.scheduler, this)
  }

  refused(failure: Failure): void {
    this.core.forgetNesting(this)
    this.failure = failure
    this.waking = true
    wakeSoon(this.fiber!.cache.scheduler, this)
  }

  wake(): void {
    const { resume } = this
    this.resume = undefined
    this.waking = false
    if (resume !== undefined) this.wakeWith(resume)
  }

  /** With itself: what is run next must run in the fiber that waited. */
  private wakeWith(resume: (effect: AnyEffect) => void): void {
    resume(this.traced ? this.failure ?? Exit.void : this as unknown as AnyEffect)
  }

  protected get isWaiting(): boolean {
    return this.state === "queued" || this.state === "preparing"
  }

  /** The pool has said what comes of it. In the midst of what the pool is doing it may say so later. */
  protected get isAnswered(): boolean {
    return this.state === "holding" || this.failure !== undefined
  }

  protected park(): AnyEffect {
    const parked = this.parked ??= Effect.callback<any, any, any>((resume) => {
      if (this.isAnswered) this.wakeWith(resume)
      else this.resume = resume
    })
    const cache = this.fiber!.cache
    // a lease that is used again may have been traced
    this.traced = cache.tracer !== undefined && cache.tracerEnabled
    if (!this.traced) return parked
    return Effect.flatMap(
      Effect.useSpan("pool.wait", { attributes: this.core.attributes(this.group) }, () => parked),
      () => this as unknown as AnyEffect
    )
  }

  /** Asks for an object; what comes of it is run next. */
  protected ask(fiber: AnyFiber, timeout: number, now: number): AnyEffect {
    const { core } = this
    const { machine } = core
    this.settleGroup()
    if (machine.closed) return core.closed(this.group)
    this.identify(fiber)
    if (machine.borrow(this, timeout, now) !== undefined) core.lent(now)
    else {
      core.flush()
      if (this.isWaiting) core.noticeNesting(this)
    }
    return this.isAnswered ? this.proceed() : this.park()
  }

  /** Used again, perhaps for another key. */
  protected renew(pooled: Pooled): void {
    if (pooled === this.pooled && !this.group.vanished) return
    this.pooled = pooled
    this.group = pooled.peek()
  }

  /**
   * Made as new after it has held, so that it can be used again, which saves making it and what goes with it. Not
   * where somebody still knows of it.
   */
  protected forget(): boolean {
    if (this.waking || this.alsoWaiting > 0 || this.failure !== undefined) return false
    this.state = "new"
    this.polls = false
    this.slot = undefined
    this.fiber = undefined
    this.span = undefined
    this.scope = undefined
    this.warnedOfNesting = false
    this.exit = Exit.void
    return true
  }

  protected giveUp(): void {
    this.core.forgetNesting(this)
    this.core.machine.cancel(this, this.core.now())
    this.core.flush()
  }
}

// -----------------------------------------------------------------------------------------------------------------
// use
// -----------------------------------------------------------------------------------------------------------------

type Body = (object: unknown) => AnyEffect

/** One run of `use`: it is the effect inside the frame that gives the object back. */
class UseLease extends FiberLease {
  /** Made once for each lease; a lease that is used again saves making its frame. */
  declare readonly frame: AnyEffect
  declare private body: Body | undefined
  declare private limit: number
  declare private called: boolean
  declare private child: AnyFiber | undefined

  constructor(pooled: Pooled) {
    super(pooled)
    this.body = undefined
    this.limit = 0
    this.called = false
    this.child = undefined
    this.frame = Effect.onExitPrimitive(this as unknown as AnyEffect, (exit) => this.finish(exit))
  }

  prepare(pooled: Pooled, body: Body, limit: number): AnyEffect {
    this.renew(pooled)
    this.body = body
    this.limit = limit
    return this.frame
  }

  begin(fiber: AnyFiber): AnyEffect {
    return this.state === "new" && this.failure === undefined
      ? this.ask(fiber, this.limit, this.core.now())
      : this.proceed()
  }

  protected proceed(): AnyEffect {
    if (this.failure !== undefined) return this.failure
    this.called = true
    const body = this.body!
    const { value } = this.slot!
    if (this.core.machine.policy.borrowLimit === Infinity) return body(value)
    return guard(
      Effect.suspend(() => body(value)),
      (child) => {
        this.child = child
        if (this.failure !== undefined) child.interruptUnsafe()
      },
      () => this.failure
    )
  }

  lost(failure: Failure, reason: "revoked" | "shutdown"): void {
    if (reason === "shutdown" && this.called) return
    this.failure = failure
    this.child?.interruptUnsafe()
  }

  isAwaitedBy(closing: Closing): boolean {
    return !closing.hasFiber(this.fiber!)
  }

  private finish(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
    switch (this.state) {
      case "holding": {
        let hit = false
        if (this.called) {
          this.exit = exit
          hit = isHit(exit)
        }
        const hook = this.giveBack(hit)
        if (hook === undefined && this.child === undefined && this.forget()) {
          this.body = undefined
          this.called = false
          this.core.spareUses.push(this)
        }
        return hook
      }
      case "queued":
      case "preparing":
        this.giveUp()
    }
    return undefined
  }
}

/** What `use` gives: a program that may run many times, each time with a lease of its own. */
class Use {
  declare private readonly pool: Pooled
  declare private readonly body: Body
  declare private readonly timeout: unknown

  constructor(pool: Pooled, body: Body, timeout: unknown) {
    this.pool = pool
    this.body = body
    this.timeout = timeout
  }

  begin(): AnyEffect {
    const { pool } = this
    const lease = pool.core.spareUses.pop() as UseLease | undefined ?? new UseLease(pool)
    return lease.prepare(pool, this.body, pool.core.patience(this.timeout))
  }
}

// -----------------------------------------------------------------------------------------------------------------
// get and poll
// -----------------------------------------------------------------------------------------------------------------

/** A borrow until a Scope closes: its finalizer is in place before anything is borrowed. */
class GetLease extends FiberLease {
  declare private limit: number | "poll"
  /** The borrower has been given the object itself. */
  declare private taken: boolean
  declare readonly finalize: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>

  constructor(pooled: Pooled) {
    super(pooled)
    this.limit = "poll"
    this.taken = false
    this.finalize = (exit) => this.release(exit)
  }

  prepare(pooled: Pooled, scope: Scope.Scope, limit: number | "poll"): this {
    this.renew(pooled)
    this.scope = scope
    this.limit = limit
    return this
  }

  begin(fiber: AnyFiber): AnyEffect {
    return this.state === "new" ? this.beginAt(fiber, this.core.now()) : this.proceed()
  }

  beginAt(fiber: AnyFiber, now: number): AnyEffect {
    return this.limit === "poll" ? this.askNow(fiber, now) : this.ask(fiber, this.limit, now)
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
    return Exit.succeed(this.limit === "poll" ? Option.some(value) : value)
  }

  /** One that is still to be woken is told; what was taken as it is cannot be guarded. */
  lost(failure: Failure): void {
    if (!this.taken) this.failure = failure
  }

  isAwaitedBy(closing: Closing): boolean {
    return !closing.hasScope(this.scope!) && !closing.hasFiber(this.fiber!)
  }

  private release(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    if (this.state === "holding") {
      if (!this.taken) {
        this.failure = scopeClosed(this.core)
        return this.giveBack(false) ?? Effect.void
      }
      this.exit = exit
      const hook = this.giveBack(isHit(exit))
      if (hook !== undefined) return hook
      if (this.forget()) {
        this.taken = false
        this.core.spareGets.push(this)
      }
      return Effect.void
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

  /** The borrow came to nothing, or nobody took what came of it: nothing is left behind in the Scope. */
  settle(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined {
    if (exit._tag === "Success" && this.state === "holding") return undefined
    if (this.isWaiting) this.giveUp()
    removeFinalizer(this.scope!, this)
    return this.state === "holding" ? this.giveBack(false) : undefined
  }
}

const scopeClosed = (core: Core): Failure =>
  Exit.die(new Error(`Pool "${core.name}": cannot borrow in a Scope that is closed`))

/** What `get` and `poll` give. */
class Get {
  declare private readonly pool: Pooled
  declare private readonly timeout: unknown
  declare private readonly polls: boolean

  constructor(pool: Pooled, timeout: unknown, polls: boolean) {
    this.pool = pool
    this.timeout = timeout
    this.polls = polls
  }

  begin(fiber: AnyFiber): AnyEffect {
    const { pool } = this
    const { core } = pool
    const scope = Context.getUnsafe(fiber.context, Scope.Scope)
    if (scope.state._tag === "Closed") return scopeClosed(core)
    const group = pool.peek()
    if (this.polls && !core.machine.isReady(group)) return Exit.succeed(Option.none())
    const limit = this.polls ? "poll" : core.patience(this.timeout)
    const lease = (core.spareGets.pop() as GetLease | undefined ?? new GetLease(pool)).prepare(pool, scope, limit)
    const added = addFinalizer(scope, lease, lease.finalize)
    if (added === undefined) {
      const now = core.now()
      if (core.machine.isHit(group, now)) return lease.beginAt(fiber, now)
    }
    const borrowed = Effect.onExitPrimitive(lease as unknown as AnyEffect, (exit) => lease.settle(exit))
    return added === undefined ? borrowed : Effect.flatMap(added, () => borrowed)
  }
}

// the classes above are effects: their prototypes get what makes an effect one
const runs = <A extends { begin(fiber: AnyFiber): AnyEffect }>(
  label: string,
  target: { readonly prototype: A }
): void => {
  const proto = Effectable.Prototype<Effect.Effect<any, any, any> & A>({
    label,
    evaluate(fiber) {
      return this.begin(fiber)
    }
  })
  Object.defineProperties(target.prototype, Object.getOwnPropertyDescriptors(proto))
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
