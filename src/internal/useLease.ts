/** `use`: a borrow for the run of a body. */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { Closing } from "./closing.ts"
import type { Framed } from "./frames.ts"
import { enter, frameOf, runs } from "./frames.ts"
import { guard } from "./guard.ts"
import type { AnyEffect, AnyFiber, Failure, Pooled } from "./lease.ts"
import { FiberLease, isHit, Wish } from "./lease.ts"
import { ownerNumber } from "./nesting.ts"

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
    const hook = this.giveBack(taken && isHit(exit), taken ? exit : undefined)
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
      () => super.proceed(),
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

runs("Pool.use", Use)
runs("Pool.use/lease", UseLease)

export const use = (pool: Pooled, body: Body, timeout: unknown): AnyEffect =>
  new Use(pool, body, timeout) as unknown as AnyEffect
