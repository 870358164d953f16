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
  readonly pooled: Pooled
  fiber: AnyFiber | undefined = undefined
  fiberId = 0
  span: Tracer.AnySpan | undefined = undefined
  /** The Scope that holds the object; a body has none. */
  scope: Scope.Scope | undefined = undefined
  /** How many borrowers of the same fiber or Scope wait for this pool meanwhile. */
  alsoWaiting = 0
  /** The holders that this borrower waits beside. */
  beside: ReadonlyArray<Lease> | undefined = undefined
  warnedOfNesting = false
  /** How the holder ended, for `onReturn`. */
  exit: Exit.Exit<unknown, unknown> = Exit.void
  private onReturned: (() => void) | undefined = undefined

  constructor(pooled: Pooled) {
    super(pooled.peek())
    this.pooled = pooled
  }

  get core(): Core {
    return this.pooled.core
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
    this.fiberId = ownerOf(fiber).id
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
    core.machine.release(this, unknown, core.now())
    core.flush()
    return this.state === "returning" ? this.awaitReturn() : undefined
  }

  private awaitReturn(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.state !== "returning") resume(Effect.void)
      else this.onReturned = () => resume(Effect.void)
    })
  }
}

/** A borrower that is a fiber: it parks until it has an object, or a reason why not. */
abstract class FiberLease extends Lease implements Parked {
  protected failure: Failure | undefined = undefined
  private resume: ((effect: AnyEffect) => void) | undefined = undefined
  private traced = false

  /** What is run with the object, or with the reason. */
  protected abstract proceed(): AnyEffect

  served(): void {
    this.core.forgetNesting(this)
    wakeSoon(this.fiber!.cache.scheduler, this)
  }

  refused(failure: Failure): void {
    this.core.forgetNesting(this)
    this.failure = failure
    wakeSoon(this.fiber!.cache.scheduler, this)
  }

  wake(): void {
    const resume = this.resume
    this.resume = undefined
    resume?.(this.traced ? this.failure ?? Exit.void : this.proceed())
  }

  protected get isWaiting(): boolean {
    return this.state === "queued" || this.state === "preparing"
  }

  protected park(): AnyEffect {
    const parked = Effect.callback<any, any, any>((resume) => {
      if (this.isWaiting) this.resume = resume
      else resume(this.traced ? this.failure ?? Exit.void : this.proceed())
    })
    const cache = this.fiber!.cache
    if (cache.tracer === undefined || !cache.tracerEnabled) return parked
    this.traced = true
    return Effect.andThen(
      Effect.useSpan("pool.wait", { attributes: this.core.attributes(this.group) }, () => parked),
      Effect.suspend(() => this.proceed())
    )
  }

  /** Asks for an object; what comes of it is run next. */
  protected ask(fiber: AnyFiber, timeout: number): AnyEffect {
    const { core } = this
    const { machine } = core
    this.settleGroup()
    if (machine.closed) return core.closed(this.group)
    this.identify(fiber)
    const now = core.now()
    if (machine.borrow(this, timeout, now) !== undefined) core.lent(now)
    else {
      core.flush()
      if (this.isWaiting) {
        core.noticeNesting(this, Context.getOrUndefined(fiber.context, Scope.Scope))
        return this.park()
      }
    }
    return this.proceed()
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
  private readonly body: Body
  private readonly limit: number
  private called = false
  private child: AnyFiber | undefined = undefined

  constructor(pooled: Pooled, body: Body, limit: number) {
    super(pooled)
    this.body = body
    this.limit = limit
  }

  begin(fiber: AnyFiber): AnyEffect {
    return this.state === "new" && this.failure === undefined ? this.ask(fiber, this.limit) : this.proceed()
  }

  protected proceed(): AnyEffect {
    if (this.failure !== undefined) return this.failure
    this.called = true
    const value = this.slot!.value
    if (this.core.machine.policy.borrowLimit === Infinity) return this.body(value)
    return guard(
      Effect.suspend(() => this.body(value)),
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

  readonly finish = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined => {
    switch (this.state) {
      case "holding":
        if (!this.called) return this.giveBack(false)
        this.exit = exit
        return this.giveBack(isHit(exit))
      case "queued":
      case "preparing":
        this.giveUp()
    }
    return undefined
  }
}

/** What `use` gives: a program that may run many times, each time with a lease of its own. */
class Use {
  private readonly pool: Pooled
  private readonly body: Body
  private readonly timeout: unknown

  constructor(pool: Pooled, body: Body, timeout: unknown) {
    this.pool = pool
    this.body = body
    this.timeout = timeout
  }

  begin(): AnyEffect {
    const { core } = this.pool
    const lease = new UseLease(this.pool, this.body, core.patience(this.timeout))
    return Effect.onExitPrimitive(lease as unknown as AnyEffect, lease.finish)
  }
}

// -----------------------------------------------------------------------------------------------------------------
// get and poll
// -----------------------------------------------------------------------------------------------------------------

/** A borrow until a Scope closes: its finalizer is in place before anything is borrowed. */
class GetLease extends FiberLease {
  private readonly limit: number | "poll"

  constructor(pooled: Pooled, scope: Scope.Scope, limit: number | "poll") {
    super(pooled)
    this.scope = scope
    this.limit = limit
  }

  begin(fiber: AnyFiber): AnyEffect {
    if (this.state !== "new") return this.proceed()
    return this.limit === "poll" ? this.askNow(fiber) : this.ask(fiber, this.limit)
  }

  private askNow(fiber: AnyFiber): AnyEffect {
    const { core } = this
    this.identify(fiber)
    const now = core.now()
    if (core.machine.poll(this, now) !== undefined) core.lent(now)
    else core.flush()
    return this.isWaiting ? this.park() : this.proceed()
  }

  protected override park(): AnyEffect {
    return Effect.onExitPrimitive(super.park(), this.stop)
  }

  protected proceed(): AnyEffect {
    if (this.state === "holding") {
      const { value } = this.slot!
      return Exit.succeed(this.limit === "poll" ? Option.some(value) : value)
    }
    return this.failure ?? Exit.succeed(Option.none())
  }

  lost(): void {}

  isAwaitedBy(closing: Closing): boolean {
    return !closing.hasScope(this.scope!) && !closing.hasFiber(this.fiber!)
  }

  private readonly stop = (): undefined => {
    if (this.isWaiting) this.giveUp()
    return undefined
  }

  readonly finalize = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
    if (this.state === "holding") {
      this.exit = exit
      return this.giveBack(isHit(exit)) ?? Effect.void
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
}

const scopeClosed = (core: Core): Failure =>
  Exit.die(new Error(`Pool "${core.name}": cannot borrow in a Scope that is closed`))

/** What `get` and `poll` give. */
class Get {
  private readonly pool: Pooled
  private readonly timeout: unknown
  private readonly polls: boolean

  constructor(pool: Pooled, timeout: unknown, polls: boolean) {
    this.pool = pool
    this.timeout = timeout
    this.polls = polls
  }

  begin(fiber: AnyFiber): AnyEffect {
    const { core } = this.pool
    const scope = Context.getUnsafe(fiber.context, Scope.Scope)
    if (scope.state._tag === "Closed") return scopeClosed(core)
    const group = this.pool.peek()
    if (this.polls && !core.machine.isReady(group)) return Exit.succeed(Option.none())
    const limit = this.polls ? "poll" : core.patience(this.timeout)
    if (core.machine.isHit(group, core.now())) {
      const lease = new GetLease(this.pool, scope, limit)
      return Effect.flatMap(Scope.addFinalizerExit(scope, lease.finalize), () => lease as unknown as AnyEffect)
    }
    // a Scope of its own, so that a borrow that comes to nothing leaves nothing behind in the outer one
    const own = Scope.forkUnsafe(scope)
    const lease = new GetLease(this.pool, scope, limit)
    const settled = (exit: Exit.Exit<unknown, unknown>) =>
      exit._tag === "Success" && lease.state === "holding" ? undefined : Scope.closeUnsafe(own, Exit.void)
    return Effect.flatMap(
      Scope.addFinalizerExit(own, lease.finalize),
      () => Effect.onExitPrimitive(lease as unknown as AnyEffect, settled)
    )
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

export const get = (pool: Pooled, timeout: unknown): AnyEffect =>
  new Get(pool, timeout, false) as unknown as AnyEffect

export const poll = (pool: Pooled): AnyEffect => new Get(pool, undefined, true) as unknown as AnyEffect

