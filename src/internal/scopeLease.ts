/** What one Scope, or one unit of work, holds of one pool: borrowed by the first call, shared by all of them. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Closing } from "./closing.ts"
import type { Parked } from "./drain.ts"
import { wakeSoon } from "./drain.ts"
import { ownerOf } from "./guard.ts"
import type { AnyFiber, Failure, Pooled } from "./lease.ts"
import { isHit, Lease } from "./lease.ts"
import type { Linked } from "./list.ts"
import { List } from "./list.ts"

/** A call that is under way. */
export interface InFlight extends Linked<InFlight> {
  readonly fiber: AnyFiber
  interrupt(): void
}

/** A caller that waits for the object of its Scope. */
class Caller implements Parked {
  private readonly resume: (effect: Effect.Effect<void, unknown>) => void
  private readonly lease: ScopeLease
  readonly fiber: AnyFiber

  constructor(lease: ScopeLease, fiber: AnyFiber, resume: (effect: Effect.Effect<void, unknown>) => void) {
    this.lease = lease
    this.fiber = fiber
    this.resume = resume
  }

  wake(): void {
    this.resume(this.lease.outcome ?? Exit.void)
  }

  refuse(failure: Failure): void {
    this.resume(failure)
  }
}

export class ScopeLease extends Lease {
  /** Why it has lost its object. */
  outcome: Failure | undefined = undefined
  /** Who took the object as it is: nobody knows who uses it until the Scope closes. */
  private readonly takers = new Set<AnyFiber>()
  /** The fiber of a unit's body. */
  readonly unit: AnyFiber | undefined
  readonly inFlight = new List<InFlight>()
  private hit = false
  private scopeExit: Exit.Exit<unknown, unknown> | undefined = undefined
  private readonly callers = new Set<Caller>()

  constructor(pooled: Pooled, scope: Scope.Scope, unit: AnyFiber | undefined) {
    super(pooled)
    this.scope = scope
    this.unit = unit
  }

  get isHeld(): boolean {
    return this.state === "holding"
  }

  private get isWaiting(): boolean {
    return this.state === "queued" || this.state === "preparing"
  }

  // ---------------------------------------------------------------------------------------------------------------
  // borrowing
  // ---------------------------------------------------------------------------------------------------------------

  /**
   * Ends when the object is here, or with the reason why it does not come: the first caller asks for it, the others wait
   * with it. Whoever goes on looks again, since all may change between the wake-up and the next step.
   */
  join(fiber: AnyFiber, timeout: unknown): Effect.Effect<void, unknown> {
    if (this.state === "holding") return Effect.void
    if (this.scopeExit !== undefined) return scopeClosed(this.core.name)
    if (this.outcome !== undefined) return this.outcome
    let caller: Caller | undefined
    // in the frame before it is in the queue, so that an interruption at any point finds it
    const joined = Effect.onExitPrimitive(
      Effect.callback<void, unknown>((resume) => {
        this.callers.add(caller = new Caller(this, fiber, resume))
        if (this.state === "new") this.ask(fiber, timeout)
        if (!this.isWaiting && this.callers.delete(caller)) caller.wake()
      }),
      () => {
        if (caller !== undefined) this.leave(caller)
        return undefined
      }
    )
    const { cache } = fiber
    const untraced = cache.tracer === undefined || !cache.tracerEnabled
    return untraced || this.core.machine.isHit(this.group, this.core.now())
      ? joined
      : Effect.useSpan("pool.wait", { attributes: this.core.attributes(this.group) }, () => joined)
  }

  private ask(fiber: AnyFiber, timeout: unknown): void {
    const { core } = this
    this.identify(fiber)
    this.settleGroup()
    if (core.machine.closed) {
      this.refused(core.closed(this.group))
      return
    }
    const limit = core.patience(timeout)
    const now = core.now()
    if (core.machine.borrow(this, limit, now) !== undefined) core.lent(now)
    else core.flush()
    if (this.isWaiting) core.noticeNesting(this, Context.getOrUndefined(fiber.context, Scope.Scope))
  }

  /** The last caller to leave takes the borrow with it. */
  private leave(caller: Caller): void {
    if (!this.callers.delete(caller) || this.callers.size > 0 || !this.isWaiting) return
    this.core.forgetNesting(this)
    this.core.machine.cancel(this, this.core.now())
    this.core.flush()
    this.renew()
  }

  /** A borrow that came to nothing leaves the lease as it was: the next call starts afresh. */
  private renew(): void {
    if (this.state === "ended" && !this.isSpent) this.state = "new"
  }

  /** It has held an object, or its Scope has closed: there will be no other. */
  private get isSpent(): boolean {
    return this.slot !== undefined || this.scopeExit !== undefined
  }

  private wakeAll(): void {
    for (const caller of this.callers) wakeSoon(caller.fiber.cache.scheduler, caller)
    this.callers.clear()
  }

  served(): void {
    this.core.forgetNesting(this)
    this.wakeAll()
  }

  refused(failure: Failure): void {
    this.core.forgetNesting(this)
    for (const caller of this.callers) wakeSoon(caller.fiber.cache.scheduler, new Refusal(caller, failure))
    this.callers.clear()
    this.renew()
  }

  lost(failure: Failure, reason: "revoked" | "shutdown"): void {
    this.outcome = failure
    if (reason === "shutdown") return
    for (let call = this.inFlight.head; call !== undefined; call = call.next) call.interrupt()
  }

  // ---------------------------------------------------------------------------------------------------------------
  // calls
  // ---------------------------------------------------------------------------------------------------------------

  begin(call: InFlight): void {
    this.inFlight.push(call)
  }

  end(call: InFlight, exit: Exit.Exit<unknown, unknown>): void {
    this.inFlight.remove(call)
    if (isHit(exit)) this.hit = true
    if (this.inFlight.size > 0 || this.state !== "holding") return
    if (this.scopeExit !== undefined) {
      this.exit = this.scopeExit
      this.giveBack(true)
    } else if (this.core.machine.closed && this.isMere) {
      this.outcome = this.core.closed(this.group)
      this.giveBack(this.hit)
    }
  }

  /** The object itself goes out. */
  takeRaw(fiber: AnyFiber): void {
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

  readonly finalize = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
    this.scopeExit = exit
    if (this.isWaiting) {
      this.core.machine.cancel(this, this.core.now())
      this.refused(scopeClosed(this.core.name))
      this.core.flush()
    }
    if (this.state !== "holding" || this.inFlight.size > 0) return Effect.void
    this.exit = exit
    return this.giveBack(this.hit || (this.takers.size > 0 && isHit(exit))) ?? Effect.void
  }

  // ---------------------------------------------------------------------------------------------------------------
  // closing
  // ---------------------------------------------------------------------------------------------------------------

  override get isMere(): boolean {
    return this.takers.size === 0 && this.unit === undefined && this.inFlight.size === 0
  }

  isAwaitedBy(closing: Closing): boolean {
    for (let call = this.inFlight.head; call !== undefined; call = call.next) {
      if (!closing.hasFiber(call.fiber)) return true
    }
    if (this.unit !== undefined && !closing.hasFiber(this.unit)) return true
    if (closing.hasScope(this.scope!)) return false
    for (const taker of this.takers) if (!closing.hasFiber(taker)) return true
    return false
  }
}

/** Tells a caller why its borrow came to nothing. */
class Refusal implements Parked {
  private readonly caller: Caller
  private readonly failure: Failure

  constructor(caller: Caller, failure: Failure) {
    this.caller = caller
    this.failure = failure
  }

  wake(): void {
    this.caller.refuse(this.failure)
  }
}

export const scopeClosed = (name: string): Failure =>
  Exit.die(new Error(`Pool "${name}": cannot borrow in a Scope that is closed`))
