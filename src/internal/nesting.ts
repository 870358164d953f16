/** Borrowers that wait for a pool while their own fiber or Scope holds an object of it: they may wait for themselves. */
import type * as Scope from "effect/Scope"
import type { Core } from "./core.ts"
import type { Parked } from "./drain.ts"
import { wakeSoon } from "./drain.ts"
import { ownerOf } from "./guard.ts"
import { whoIs } from "./holder.ts"
import type { AnyFiber, Lease } from "./lease.ts"
import { scopeAround } from "./scopes.ts"
import { owners } from "./waiters.ts"

/** So many holders are looked at for each borrower that waits. */
const fewHolders = 32

const nobody: ReadonlyArray<Lease> = []

/** What is known of a borrower that waits while its own fiber or Scope holds an object, and of such a holder. */
export interface Nesting {
  /** How many borrowers of the same fiber or Scope wait for this pool meanwhile. */
  alsoWaiting: number
  /** The holders that this borrower waits beside. */
  beside: ReadonlyArray<Lease>
  warned: boolean
}

export class NestedBorrowing {
  private readonly core: Core
  /** What is known of borrowers; most pools never see one that is nested. */
  private nestings: WeakMap<Lease, Nesting> | undefined = undefined
  /** Those that wait beside what they hold, and may have to be warned. */
  private readonly nested = new Set<Lease>()
  /** Those that have begun to wait, and may be nested. */
  private readonly unexamined = new Set<Lease>()
  private readonly examiner: Parked = { wake: () => this.examine() }

  constructor(core: Core) {
    this.core = core
  }

  /** Somebody may have to be warned after the next transition. */
  get isWatching(): boolean {
    return this.nested.size > 0
  }

  private of(lease: Lease): Nesting | undefined {
    return this.nestings?.get(lease)
  }

  private make(lease: Lease): Nesting {
    const nestings = this.nestings ??= new WeakMap()
    let nesting = nestings.get(lease)
    if (nesting === undefined) nestings.set(lease, nesting = { alsoWaiting: 0, beside: nobody, warned: false })
    return nesting
  }

  /** Other borrowers of the same fiber or Scope wait for this pool. */
  hasWaiting(lease: Lease): boolean {
    return (this.of(lease)?.alsoWaiting ?? 0) > 0
  }

  /** The borrow is over, and the lease is to be used for another; false where others still wait beside it. */
  forget(lease: Lease): boolean {
    if (this.nestings === undefined) return true
    if (this.hasWaiting(lease)) return false
    this.nestings.delete(lease)
    return true
  }

  /**
   * A borrower waits. Among few holders it is seen at once whether it is nested; among many it is looked for in a task of
   * its own, once for all that have begun to wait meanwhile, since a look at all holders for each would be dear.
   */
  notice(lease: Lease): void {
    const { machine } = this.core
    if (!machine.mayHold(ownerNumber(lease.fiber!)) && !machine.mayHold(ofScopes)) return
    if (machine.held.size <= fewHolders) return this.see(lease, this.besides(lease))
    this.unexamined.add(lease)
    if (this.unexamined.size === 1) wakeSoon(lease.fiber!.cache.scheduler, this.examiner)
  }

  /** Most borrowers find nothing: what makes a list, or asks for a Scope, comes last. */
  private besides(lease: Lease): ReadonlyArray<Lease> {
    const owner = ownerOf(lease.fiber!)
    let scope: Scope.Scope | undefined | "unasked" = "unasked"
    let beside = nobody
    for (let waiter = this.core.machine.held.head; waiter !== undefined; waiter = waiter.next) {
      const holder = waiter as Lease
      if (ownerOf(holder.fiber!) !== owner) {
        const { holdingScope } = holder
        if (holdingScope === undefined) continue
        if (scope === "unasked") scope = scopeAround(lease.fiber!)
        if (holdingScope !== scope) continue
      }
      beside = [...beside, holder]
    }
    return beside
  }

  /** Who of those that wait holds something beside? Asked also before anybody is told who holds what. */
  examine(): void {
    if (this.unexamined.size === 0) return
    const owners = new Set<Scope.Scope | AnyFiber | undefined>()
    for (let waiter = this.core.machine.held.head; waiter !== undefined; waiter = waiter.next) {
      const { fiber, holdingScope } = waiter as Lease
      owners.add(ownerOf(fiber!))
      if (holdingScope !== undefined) owners.add(holdingScope)
    }
    const unexamined = [...this.unexamined]
    this.unexamined.clear()
    for (const lease of unexamined) {
      if (!lease.isWaiting) continue
      if (owners.has(ownerOf(lease.fiber!)) || owners.has(scopeAround(lease.fiber!))) {
        this.see(lease, this.besides(lease))
      }
    }
  }

  private see(lease: Lease, beside: ReadonlyArray<Lease>): void {
    if (beside.length === 0) return
    for (const holder of beside) this.make(holder).alsoWaiting++
    this.make(lease).beside = beside
    this.nested.add(lease)
    this.warn()
  }

  /** Warns those that nothing but a return can serve. */
  warn(): void {
    for (const lease of this.nested) {
      if (!this.core.machine.needsReturn(lease)) continue
      this.nested.delete(lease)
      const nesting = this.make(lease)
      const holder = nesting.beside.find(({ state }) => state === "holding")
      if (holder === undefined || nesting.warned) continue
      nesting.warned = true
      const held = `object ${holder.slot!.id}, borrowed by ${whoIs(holder)}`
      this.core.warn(
        `${whoIs(lease)} waits for an object while it holds ${held}: nested borrowing can lock up the pool`,
        lease.group
      )
    }
  }

  /** It waits no more. */
  ended(lease: Lease): void {
    const nesting = this.of(lease)
    if (nesting === undefined) return
    for (const holder of nesting.beside) this.make(holder).alsoWaiting--
    nesting.beside = nobody
    this.nested.delete(lease)
  }
}

/** The number of all owners that are Scopes. */
const ofScopes = 0

/** That of a fiber: one of the others. */
export const ownerNumber = (fiber: AnyFiber): number => 1 + (ownerOf(fiber).id & (owners - 2))
