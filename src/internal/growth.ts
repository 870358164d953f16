/** Creations: how many, when and for whom; and which key gets a place, where keys share them. */
import { Ledger } from "./ledger.ts"
import type { Reason } from "./policy.ts"
import type { Rooms } from "./rooms.ts"
import type { Group } from "./state.ts"
import { Outage, Slot } from "./state.ts"
import type { Waiter } from "./waiters.ts"

/** A borrower for whom no creation is under way: the one that asks, where it is one. */
const unserved = (group: Group, asker: Waiter | undefined): Waiter | undefined => {
  let waiter = asker !== undefined && asker.state === "queued" && asker.slot === undefined ? asker : group.queue.head
  while (waiter !== undefined && waiter.slot !== undefined) waiter = waiter.next
  return waiter
}

export abstract class Growth extends Ledger {
  /** It must go. Whoever waits for its preparation is the first in the queue again. */
  protected abstract doom(slot: Slot, reason: Reason, now: number): void
  /** Something has let go of the object: it is destroyed, or can be lent. */
  protected abstract freed(slot: Slot, now: number): void
  /** Out of the queue or of its preparation; the next may take its place there. */
  protected abstract leave(waiter: Waiter, now: number): void

  // ---------------------------------------------------------------------------------------------------------------
  // how many, and when
  // ---------------------------------------------------------------------------------------------------------------

  /** Begins as many creations as are wanted and may be; `asker` is who has come just now. */
  protected grow(group: Group, asker: Waiter | undefined, now: number): void {
    if (this.closed) return
    if (this.rooms !== undefined) {
      this.express(group, this.rooms, now)
      this.distribute(this.rooms, now)
      return
    }
    if (!this.hasRoom(group)) return
    let wanted = this.wanted(group)
    if (wanted <= 0) return
    const { concurrency, unpooled } = this.policy
    let next = unpooled ? asker : this.firstUncovered(group)
    for (; wanted > 0 && this.hasRoom(group); wanted--) {
      if (!this.mayAttempt(group, now)) return
      this.begin(group, next, now)
      if (unpooled) continue
      for (let served = 0; served < concurrency && next !== undefined; served++) next = next.next
    }
  }

  /** How many more creations those who wait, and the minimum, ask for. */
  protected wanted(group: Group): number {
    const { concurrency, unpooled } = this.policy
    if (unpooled) return this.suspended ? 0 : group.queue.size - (group.creating - group.orphans)
    const queued = this.suspended ? 0 : group.queue.size
    const forWaiters = queued === 0 ? 0 : Math.max(1, Math.ceil(queued / concurrency))
    return Math.max(forWaiters, this.missing(group)) - group.creating
  }

  /** How many objects there are less than the minimum. */
  protected missing(group: Group): number {
    return group.abandoned ? 0 : group.min - group.alive
  }

  /** May a creation begin, but for the spacing of attempts? */
  protected hasRoom(group: Group): boolean {
    const { maxCreating, spare } = this.policy
    const places = group.size + group.creating + group.destroying
    return group.creating < maxCreating && places < group.max + spare &&
      (spare === 0 || group.alive + group.creating < group.max)
  }

  /** May an attempt begin now? One that must wait is looked at again when its time has come. */
  protected mayAttempt(group: Group, now: number): boolean {
    const { outage } = group
    if (outage === undefined || this.policy.unpooled) return true
    if (outage.attempt !== undefined) return false
    if (now >= outage.retryAt) return true
    if (outage.retryAt !== Infinity) this.watch(this.objects, group.retry, outage.retryAt)
    return false
  }

  protected begin(group: Group, asker: Waiter | undefined, now: number): void {
    const only = this.policy.unpooled ? unserved(group, asker) : undefined
    const slot = new Slot(this.started++, group, group.attempts, only, now)
    if (only !== undefined) only.slot = slot
    if (group.outage !== undefined) group.outage.attempt = slot
    group.creating++
    group.addSlot(slot)
    this.commands.push({ op: "create", slot, asker: only ?? asker })
  }

  /** Would one more have to queue, and are there enough already? */
  protected mustReject(group: Group, now: number): boolean {
    const { concurrency, maxWaiting } = this.policy
    if (maxWaiting === Infinity || this.closed) return false
    const queued = group.queue.size
    if (this.suspended) return queued >= maxWaiting
    const covered = group.creating === 0 ? 0 : group.creating * concurrency
    if (queued < covered) return false
    const outage = group.outage
    if (
      this.hasRoom(group) && this.canHaveRoom(group) &&
      (outage === undefined || (outage.attempt === undefined && now >= outage.retryAt))
    ) {
      return false
    }
    return queued - covered >= maxWaiting
  }

  /** How many borrowers wait that no creation in flight will serve. */
  protected uncovered(group: Group): number {
    const { queue } = group
    return group.creating === 0 ? queue.size : Math.max(0, queue.size - group.creating * this.policy.concurrency)
  }

  /** The first of them, looked for from the nearer end: who asks for the next creation. */
  protected firstUncovered(group: Group): Waiter | undefined {
    const { queue } = group
    const uncovered = this.uncovered(group)
    if (uncovered === 0) return undefined
    const covered = queue.size - uncovered
    if (covered < uncovered) {
      let waiter = queue.head
      for (let left = covered; left > 0; left--) waiter = waiter?.next
      return waiter
    }
    let waiter = queue.tail
    for (let left = uncovered; left > 1; left--) waiter = waiter?.prev
    return waiter
  }

  // ---------------------------------------------------------------------------------------------------------------
  // what becomes of a creation
  // ---------------------------------------------------------------------------------------------------------------

  protected failed(slot: Slot, failure: unknown, now: number): void {
    const group = slot.group
    slot.state = "destroying"
    slot.since = now
    group.creating--
    group.destroying++
    group.totals.createFailures++
    group.lastFailure = failure
    this.note("CreateFailed", slot, undefined, failure, now)
    const only = slot.only
    if (only !== undefined) {
      if (this.disown(slot)) this.failWaiters([only], failure, now)
      return
    }
    this.space(slot, false, now)
    if (group.creating === 0 && group.alive === 0 && group.queue.size > 0) {
      const waiters: Array<Waiter> = []
      for (let waiter = group.queue.head; waiter !== undefined; waiter = waiter.next) waiters.push(waiter)
      this.failWaiters(waiters, failure, now)
    }
    this.forsake(group)
  }

  protected failWaiters(waiters: ReadonlyArray<Waiter>, failure: unknown, now: number): void {
    for (const waiter of waiters) {
      this.waited(waiter, now)
      this.leave(waiter, now)
    }
    this.commands.push({ op: "fail", waiters, failure })
  }

  /** Lost before anybody had it: no failure to create, but the next creation is spaced like one. */
  protected lost(slot: Slot, now: number): void {
    if (slot.doomed === undefined && slot.uses === 0 && !this.policy.unpooled) this.space(slot, true, now)
  }

  /** The next attempt waits. Creations from before the latest attempt only start its delay anew. */
  protected space(slot: Slot, losing: boolean, now: number): void {
    const group = slot.group
    const first = group.outage === undefined
    const outage = group.outage ??= new Outage(group, now)
    outage.failedAt = now
    if (losing) outage.losing = true
    if (outage.attempt === slot) outage.attempt = undefined
    if (first || slot.attempt === group.attempts) {
      group.attempts++
      outage.retryAt = Infinity
      this.commands.push({ op: "space", outage })
    } else if (outage.retryAt !== Infinity) outage.retryAt = now + outage.delay
  }

  protected recover(group: Group): void {
    group.outage = undefined
    this.objects.remove(group.retry)
  }

  /** It is interrupted, and in flight no more; its place stays taken until it has ended. */
  protected abort(slot: Slot, now: number): void {
    const group = slot.group
    this.objects.remove(slot)
    slot.state = "destroying"
    slot.since = now
    group.creating--
    group.destroying++
    if (group.outage !== undefined && group.outage.attempt === slot) group.outage.attempt = undefined
    if (slot.only !== undefined) this.disown(slot)
    this.commands.push({ op: "abort", slot })
  }

  /** The creation for one borrower has ended. Does it wait still? */
  protected disown(slot: Slot): boolean {
    const only = slot.only!
    if (only.state === "queued" && only.slot === slot) {
      only.slot = undefined
      return true
    }
    slot.group.orphans--
    return false
  }

  // ---------------------------------------------------------------------------------------------------------------
  // keys
  // ---------------------------------------------------------------------------------------------------------------

  /** What one key could do with a place, if there were one. */
  protected express(group: Group, rooms: Rooms, now: number): void {
    if (group.vanished || this.closed) return
    const may = this.wanted(group) > 0 && this.hasRoom(group) && this.mayAttempt(group, now)
    const first = may && !this.suspended ? this.firstUncovered(group) : undefined
    rooms.want(group, first?.seq ?? Infinity, may && this.missing(group) > group.creating)
  }

  /** Free places to those who wait longest, then to minimums; then idle objects make room for those who still wait. */
  protected distribute(rooms: Rooms, now: number): void {
    if (this.closed) return
    while (!rooms.isFull) {
      const group = rooms.next()
      if (group === undefined) break
      rooms.taken++
      this.begin(group, this.firstUncovered(group), now)
      this.express(group, rooms, now)
    }
    for (let victim = rooms.victim(); victim !== undefined; victim = rooms.victim()) {
      const [claim, slot] = victim
      rooms.promise(claim, slot)
      this.evictForRoom(slot, now)
    }
  }

  protected evictForRoom(slot: Slot, now: number): void {
    this.doom(slot, "evicted", now)
    this.freed(slot, now)
    this.forsake(slot.group)
    this.express(slot.group, this.rooms!, now)
  }

  /** A returned object makes room for a borrower of another key that has waited longer than any of its own. */
  protected yieldRoom(slot: Slot, now: number): void {
    const { rooms } = this
    if (rooms === undefined || !rooms.isHungry || slot.doomed !== undefined) return
    const { group } = slot
    const claim = rooms.olderThan(group.queue.head?.seq ?? Infinity, group)
    if (claim === undefined) return
    if (slot.holders + slot.preparing > 0) {
      // otherwise its free shares would be lent for ever; one object is enough
      if (claim.pledge !== undefined) return
      rooms.pledge(claim, slot)
    } else if (group.queue.size === 0) return
    else rooms.promise(claim, slot)
    this.evictForRoom(slot, now)
  }

  /** A key that has lost its last objects, with nobody there, is not filled again. */
  protected forsake(group: Group): void {
    if (this.rooms === undefined || group.alive + group.creating + group.waiting > 0) return
    const isUsed = (slot: Slot) => slot.holders > 0 || slot.activities.some((activity) => activity.kind === "return")
    if (!group.slots.some((slot) => slot.state === "alive" && isUsed(slot))) group.abandoned = true
  }

  /** A key with neither object nor borrower is no more, but for the spacing of its attempts. */
  protected vanish(group: Group, now: number): void {
    if (group.vanished || this.closed || group.waiting > 0 || group.slots.length > 0) return
    group.abandoned = true
    const { outage } = group
    if (outage !== undefined && outage.retryAt > now) {
      if (outage.retryAt !== Infinity) this.watch(this.objects, group.retry, outage.retryAt)
      return
    }
    this.objects.remove(group.retry)
    this.objects.remove(group.reaper)
    this.rooms!.forget(group)
    this.groups.delete(group.key)
    this.departed.add(group.totals)
    group.vanished = true
    this.commands.push({ op: "vanish", group })
  }

  /** Is a place free for a newcomer, or can one be made? */
  protected canHaveRoom(group: Group): boolean {
    const { rooms } = this
    return rooms === undefined || (!rooms.isHungry && (!rooms.isFull || rooms.spareFor(group) !== undefined))
  }
}
