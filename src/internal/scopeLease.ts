/** What one Scope, or one unit of work, holds of one pool: borrowed by the first call, shared by all of them. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Closing } from "./closing.ts"
import type { Parked } from "./drain.ts"
import { wakeSoon } from "./drain.ts"
import { ownerOf } from "./guard.ts"
import type { AnyEffect, AnyFiber, Failure, Pooled } from "./lease.ts"
import { isHit, isTraced, Lease, scopeClosed } from "./lease.ts"
import type { Linked } from "./list.ts"
import { List } from "./list.ts"

/** A call that is under way. */
export interface InFlight extends Linked<InFlight> {
  readonly fiber: AnyFiber
  interrupt(): void
}

/** Where the leases of all Scopes are found. */
export interface Registry {
  /** There is nothing to be found any more: the next call in this Scope starts afresh. */
  forget(lease: ScopeLease): void
}

/** A caller that waits for the object of its Scope. */
class Caller implements Parked {
  declare readonly fiber: AnyFiber
  declare private readonly lease: ScopeLease
  declare private resume: ((effect: Effect.Effect<void, unknown>) => void) | undefined
  declare private failure: Failure | undefined
  declare private woken: boolean

  constructor(lease: ScopeLease, fiber: AnyFiber) {
    this.lease = lease
    this.fiber = fiber
    this.resume = undefined
    this.woken = false
    this.failure = undefined
  }

  /**
   * In the frame before it is in the queue, so that an interruption at any point finds it; `around` is for those that have
   * to wait.
   */
  wait(timeout: unknown, around: (waiting: Effect.Effect<void, unknown>) => Effect.Effect<void, unknown>): AnyEffect {
    const waiting = Effect.callback<void, unknown>((resume) => {
      this.resume = resume
      if (this.woken) this.wake()
    })
    return Effect.onExitPrimitive(
      Effect.suspend(() => this.lease.enter(this, timeout) ? around(waiting) : this.answer),
      () => {
        this.lease.leave(this)
        return undefined
      }
    )
  }

  refuse(failure: Failure): void {
    this.failure = failure
    wakeSoon(this.fiber.cache.scheduler, this)
  }

  private get answer(): Exit.Exit<void, unknown> {
    return this.failure ?? this.lease.outcome ?? Exit.void
  }

  wake(): void {
    this.woken = true
    this.resume?.(this.answer)
  }
}

export class ScopeLease extends Lease {
  declare readonly scope: Scope.Scope
  /** The fiber of a unit's body. */
  declare readonly unit: AnyFiber | undefined
  /** Why it has lost its object. */
  declare outcome: Failure | undefined
  declare readonly finalize: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
  declare private readonly registry: Registry
  /** The borrow came to nothing: whoever still knows of it looks for another. */
  declare private forgotten: boolean
  declare private callers: Set<Caller> | undefined
  declare private inFlight: List<InFlight> | undefined
  /** Who took the object as it is: nobody knows who uses it until the Scope closes. */
  declare private takers: Set<AnyFiber> | undefined
  /** Somebody took it who has ended since. */
  declare private isAbroad: boolean
  /** An interruption or a defect hit a call. */
  declare private hit: boolean
  declare patience: number
  declare private scopeExit: Exit.Exit<unknown, unknown> | undefined

  constructor(registry: Registry, pooled: Pooled, scope: Scope.Scope, unit: AnyFiber | undefined) {
    super(pooled)
    this.scope = scope
    this.unit = unit
    this.outcome = undefined
    this.finalize = (exit) => this.scopeClosed(exit)
    this.registry = registry
    this.forgotten = false
    this.callers = undefined
    this.inFlight = undefined
    this.takers = undefined
    this.isAbroad = false
    this.hit = false
    this.patience = 0
    this.scopeExit = undefined
  }

  /** Holds an object, for calls to come: until its finalizer runs, so that finalizers which were added later may call. */
  get isOpen(): boolean {
    return this.state === "holding" && this.scopeExit === undefined
  }

  // ---------------------------------------------------------------------------------------------------------------
  // borrowing
  // ---------------------------------------------------------------------------------------------------------------

  override get holdingScope(): Scope.Scope {
    return this.scope
  }

  /** Takes an object that is lent at once, if there is one. It needs no frame: from the first moment it is the Scope's. */
  take(fiber: AnyFiber, timeout: unknown): boolean {
    const { core } = this
    // a timeout is read even where nobody waits: a wrong one is wrong at once
    core.patience(timeout)
    const now = core.now()
    if (this.state !== "new") return false
    this.identify(fiber)
    if (!core.machine.hit(this, now)) return false
    core.lent(now)
    return this.isOpen
  }

  /**
   * The first caller asks for an object, the others wait with it; then `next` is run, which looks again, since all may
   * have changed between the wake-up and the next step.
   */
  join(fiber: AnyFiber, timeout: unknown, next: () => AnyEffect): AnyEffect {
    const { core } = this
    if (this.scopeExit !== undefined) return scopeClosed(core)
    if (this.outcome !== undefined) return this.outcome
    const waiting = new Caller(this, fiber).wait(
      timeout,
      (waiting) => isTraced(fiber) ? this.inSpan(waiting) : waiting
    )
    return Effect.flatMap(waiting, next)
  }

  /**
   * False where there is nothing to wait for. In the midst of what the pool is doing the answer may come later, and so may
   * the reason why the object was lost.
   */
  enter(caller: Caller, timeout: unknown): boolean {
    if (this.isOpen || this.forgotten || this.scopeExit !== undefined || this.outcome !== undefined) return false
    this.callers ??= new Set()
    this.callers.add(caller)
    if (this.state === "new") this.ask(caller.fiber, timeout)
    if (this.isOpen) this.callers.delete(caller)
    return this.callers.has(caller)
  }

  /** The last caller to leave takes the borrow with it. */
  leave(caller: Caller): void {
    if (this.callers?.delete(caller) === true && this.callers.size === 0 && this.isWaiting) this.cancel()
  }

  private ask(fiber: AnyFiber, timeout: unknown): void {
    const { core } = this
    this.patience = core.patience(timeout)
    this.identify(fiber)
    this.settleGroup()
    if (core.machine.closed) return this.refused(core.closed(this.group))
    const now = core.now()
    core.machine.borrow(this, this.patience, now)
    core.asked(this, now)
  }

  private cancel(): void {
    this.core.nesting.ended(this)
    this.core.machine.cancel(this, this.core.now())
    this.forget()
    this.core.flush()
  }

  private forget(): void {
    this.forgotten = true
    this.registry.forget(this)
  }

  private wakeAll(): void {
    if (this.callers === undefined) return
    for (const caller of this.callers) wakeSoon(caller.fiber.cache.scheduler, caller)
    this.callers.clear()
  }

  served(): void {
    this.core.nesting.ended(this)
    this.wakeAll()
  }

  refused(failure: Failure): void {
    this.core.nesting.ended(this)
    this.state = "ended"
    this.forget()
    if (this.callers === undefined) return
    for (const caller of this.callers) caller.refuse(failure)
    this.callers.clear()
  }

  lost(failure: Failure, reason: "revoked" | "shutdown"): void {
    this.outcome = failure
    this.wakeAll()
    if (reason === "shutdown") return
    // an interrupted call may end at once, and others with it
    const calls: Array<InFlight> = []
    for (let call = this.inFlight?.head; call !== undefined; call = call.next) calls.push(call)
    for (const call of calls) this.core.attempt(() => call.interrupt())
  }

  // ---------------------------------------------------------------------------------------------------------------
  // calls
  // ---------------------------------------------------------------------------------------------------------------

  private get isUsed(): boolean {
    return this.inFlight !== undefined && this.inFlight.size > 0
  }

  begin(call: InFlight): void {
    this.inFlight ??= new List()
    this.inFlight.push(call)
  }

  end(call: InFlight, exit: Exit.Exit<unknown, unknown>): void {
    this.inFlight!.remove(call)
    if (isHit(exit)) this.hit = true
    if (this.isUsed || this.state !== "holding") return
    if (this.scopeExit !== undefined) {
      this.giveBack(true, this.scopeExit)
    } else if (this.core.machine.closed && this.isMere) {
      this.outcome = this.core.closed(this.group)
      this.giveBack(this.hit)
    }
  }

  /** The object itself goes out. */
  takeRaw(fiber: AnyFiber): void {
    this.takers ??= new Set()
    // one that has ended is kept no longer, but what it has taken may be in use still
    for (const taker of this.takers) {
      if (taker.pollUnsafe() !== undefined && this.takers.delete(taker)) this.isAbroad = true
    }
    this.takers.add(ownerOf(fiber))
  }

  /** The object is broken: it goes on its return. */
  condemn(): void {
    this.core.machine.condemn(this, this.core.now())
    this.core.flush()
  }

  /** A defect came out of a call that ended at once. */
  harm(): void {
    this.hit = true
  }

  private scopeClosed(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    this.scopeExit = exit
    this.registry.forget(this)
    if (this.isWaiting) {
      this.cancel()
      this.refused(scopeClosed(this.core))
    }
    if (this.state === "returning") return this.awaitReturn()
    if (this.state !== "holding" || this.isUsed) return Effect.void
    return this.giveBack(this.hit || (this.takers !== undefined && isHit(exit)), exit) ?? Effect.void
  }

  // ---------------------------------------------------------------------------------------------------------------
  // closing
  // ---------------------------------------------------------------------------------------------------------------

  override get isMere(): boolean {
    return this.takers === undefined && this.unit === undefined && !this.isUsed
  }

  isAwaitedBy(closing: Closing): boolean {
    for (let call = this.inFlight?.head; call !== undefined; call = call.next) {
      if (!closing.hasFiber(call.fiber)) return true
    }
    if (this.unit !== undefined && !closing.hasFiber(this.unit)) return true
    if (this.takers === undefined || closing.hasScope(this.scope)) return false
    if (this.isAbroad) return true
    for (const taker of this.takers) if (!closing.hasFiber(taker)) return true
    return false
  }
}
