/** The closing of a pool, from the first word to the last. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { Core } from "./core.ts"
import { formatDuration } from "./duration.ts"
import { ownerOf } from "./guard.ts"
import { whoIs } from "./holder.ts"
import type { AnyFiber, Lease } from "./lease.ts"

export class Closing {
  private phase: "begun" | "waiting" | "destroying" | "closed" = "begun"
  private readonly core: Core
  private readonly fibers = new Set<AnyFiber>()
  private readonly scopes = new Set<Scope.Scope>()
  private readonly callers = new Set<() => void>()
  private readonly timer: AnyFiber | undefined

  constructor(core: Core) {
    this.core = core
    const { shutdownTimeout } = core.settings
    this.timer = shutdownTimeout === Infinity || shutdownTimeout === 0
      ? undefined
      : core.run(Effect.map(core.clock.sleep(Duration.millis(shutdownTimeout)), () => this.expire()))
  }

  /** Waits for the end, like every other caller; what this one holds cannot end before. */
  join(fiber: AnyFiber): Effect.Effect<void> {
    if (this.phase === "closed") return Effect.void
    const owner = ownerOf(fiber)
    const scope = Context.getOrUndefined(fiber.context, Scope.Scope)
    this.fibers.add(owner)
    this.fibers.add(fiber)
    if (scope !== undefined) this.scopes.add(scope)
    if (this.phase === "begun") this.begin()
    else this.check()
    return Effect.callback((resume) => {
      if (this.isClosed) return resume(Effect.void)
      const caller = () => resume(Effect.void)
      this.callers.add(caller)
      return Effect.sync(() => {
        this.callers.delete(caller)
        this.fibers.delete(owner)
        this.fibers.delete(fiber)
        if (scope !== undefined) this.scopes.delete(scope)
      })
    })
  }

  private get isClosed(): boolean {
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
    if (core.settings.shutdownTimeout === 0) this.expire()
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
        core.warn(`object ${lease.slot!.id} is destroyed while ${whoIs(lease)} holds it: closing waits no longer than ${limit}`)
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
    for (const caller of this.callers) caller()
    this.callers.clear()
  }

  /** Does this fiber wait for the closing? */
  hasFiber(fiber: AnyFiber): boolean {
    return this.fibers.has(fiber) || this.fibers.has(ownerOf(fiber))
  }

  /** Does the closing run in this Scope? */
  hasScope(scope: Scope.Scope): boolean {
    return this.scopes.has(scope)
  }
}
