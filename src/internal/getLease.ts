/** `get` and `poll`: a borrow until a Scope closes. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Closing } from "./closing.ts"
import type { Framed } from "./frames.ts"
import { enter, frameOf, runs } from "./frames.ts"
import type { AnyEffect, AnyFiber, Failure, Pooled } from "./lease.ts"
import { FiberLease, isHit, scopeClosed, Wish } from "./lease.ts"
import { addFinalizer, nothing, removeFinalizer } from "./scopes.ts"

/** A borrow until a Scope closes: its finalizer is in place before anything is borrowed. */
class GetLease extends FiberLease {
  declare scope: Scope.Scope | undefined
  declare patience: number
  declare taken: boolean
  /** Takes an idle object or nothing. */
  declare private polls: boolean
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
    this.polls = false
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
        return this.giveBack(false) ?? Exit.void
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
    return Exit.void
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
    if (this.state === "holding") return this.giveBack(false)
    if (removed && isOver) this.recycle()
    return undefined
  }
}

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

runs("Pool.get", Get)
runs("Pool.get/lease", GetLease)

export const get = (pool: Pooled, timeout: unknown): AnyEffect => new Get(pool, timeout, false) as unknown as AnyEffect

export const poll = (pool: Pooled): AnyEffect => new Get(pool, undefined, true) as unknown as AnyEffect
