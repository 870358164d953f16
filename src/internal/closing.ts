/** The closing of a pool, from the first word to the last. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Core } from "./core.ts"
import type { Parked } from "./drain.ts"
import { wakeSoon } from "./drain.ts"
import { formatDuration } from "./duration.ts"
import { ownerOf } from "./guard.ts"
import { whoIs } from "./holder.ts"
import type { AnyFiber, Lease } from "./lease.ts"
import { scopeAround } from "./scopes.ts"

/** Who waits for the closing. */
interface Caller extends Parked {
  readonly fiber: AnyFiber
  readonly owner: AnyFiber
  readonly scope: Scope.Scope | undefined
}

export class Closing {
  private phase: "begun" | "waiting" | "destroying" | "closed" = "begun"
  private readonly core: Core
  private readonly callers = new Set<Caller>()
  private timer: AnyFiber | undefined = undefined

  constructor(core: Core) {
    this.core = core
  }

  /** Waits for the end, like every other caller; what this one holds cannot end before. */
  join(fiber: AnyFiber): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const caller: Caller = {
        fiber,
        owner: ownerOf(fiber),
        scope: scopeAround(fiber),
        wake: () => resume(Effect.void)
      }
      this.callers.add(caller)
      if (this.phase === "begun") this.begin()
      else this.check()
      if (this.isClosed) return caller.wake()
      return Effect.sync(() => this.callers.delete(caller))
    })
  }

  get isClosed(): boolean {
    return this.phase === "closed"
  }

  private begin(): void {
    const { core } = this
    const { machine } = core
    this.phase = "waiting"
    machine.close(core.now())
    core.closeReady()
    for (const lease of this.holders()) {
      if (lease.isMere) machine.revoke(lease, "shutdown", core.now())
    }
    core.flush()
    const { shutdownTimeout } = core.settings
    if (shutdownTimeout === 0) this.expire()
    else if (shutdownTimeout !== Infinity && !this.isClosed) {
      this.timer = core.run(
        Effect.map(core.clock.sleep(Duration.millis(Math.ceil(shutdownTimeout))), () => this.expire())
      )
    }
  }

  /** Goes on as far as it can; asked after every transition. */
  check(): void {
    if (this.phase === "waiting" && !this.mustWait()) this.destroyRest()
    if (this.phase === "destroying" && this.core.machine.places === 0) this.finish()
  }

  private holders(): Array<Lease> {
    const holders: Array<Lease> = []
    for (let waiter = this.core.machine.held.head; waiter !== undefined; waiter = waiter.next) {
      holders.push(waiter as Lease)
    }
    return holders
  }

  private mustWait(): boolean {
    const { held, returning } = this.core.machine
    if (returning.size > 0) return true
    for (let waiter = held.head; waiter !== undefined; waiter = waiter.next) {
      if ((waiter as Lease).isAwaitedBy(this)) return true
    }
    return false
  }

  /** Whoever holds an object still loses it. */
  private destroyRest(): void {
    const { core } = this
    this.phase = "destroying"
    for (const lease of this.holders()) {
      if (lease.isAwaitedBy(this)) {
        const limit = formatDuration(core.settings.shutdownTimeout)
        core.warn(
          `object ${lease.slot!.id} is destroyed while ${whoIs(lease)} holds it: closing waits no longer than ${limit}`
        )
      }
      core.machine.revoke(lease, "shutdown", core.now())
    }
    core.flush()
  }

  /** Nothing is waited for any longer. */
  private expire(): void {
    const { core } = this
    if (this.phase === "waiting") this.destroyRest()
    if (this.isClosed) return
    core.machine.abandon(core.now())
    core.flush()
    if (this.isClosed) return
    core.machine.leaveAll(core.now())
    core.flush()
  }

  private finish(): void {
    this.phase = "closed"
    this.timer?.interruptUnsafe()
    this.core.keeper.disarm()
    this.core.hide()
    this.core.events.close()
    for (const caller of this.callers) wakeSoon(caller.fiber.cache.scheduler, caller)
    this.callers.clear()
  }

  /** Does this fiber wait for the closing? */
  hasFiber(fiber: AnyFiber): boolean {
    const owner = ownerOf(fiber)
    for (const caller of this.callers) {
      if (caller.owner === owner || caller.fiber === fiber || caller.owner === fiber) return true
    }
    return false
  }

  /** Does the closing run in this Scope? */
  hasScope(scope: Scope.Scope): boolean {
    for (const caller of this.callers) if (caller.scope === scope) return true
    return false
  }
}
