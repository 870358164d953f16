/**
 * The state of a pool and every transition of it. Pure and synchronous: a call is the lock. What must happen outside
 * is left in `commands` and `served`, which the interpreter empties after each call.
 */
import { Control } from "./control.ts"
import type { Activity, Group, Moment, Outage, Slot } from "./state.ts"
import type { Waiter } from "./waiters.ts"

/** Objects that are held, or prepared for a borrower. */
const heldIn = (group: Group): number => {
  let held = 0
  for (const slot of group.slots) if (slot.state === "alive" && slot.holders + slot.preparing > 0) held++
  return held
}

export class Machine extends Control {
  // ---------------------------------------------------------------------------------------------------------------
  // borrowing
  // ---------------------------------------------------------------------------------------------------------------

  /**
   * A borrower arrives. The hot case returns the object at once; otherwise the borrower waits, or a command tells how
   * it ends.
   */
  borrow(waiter: Waiter, timeout: number, now: number): Slot | undefined {
    if (this.hit(waiter, now)) return waiter.slot
    return this.miss(waiter, timeout, now)
  }

  /** A borrower arrives, and is no hit. */
  miss(waiter: Waiter, timeout: number, now: number): Slot | undefined {
    const { group } = waiter
    const slot = this.nextFor(group)
    if (slot !== undefined) {
      if (slot.expiresAt <= now) {
        this.expire(slot, now)
        return this.borrow(waiter, timeout, now)
      }
      // without time for a check or hook, another may need none
      const other = timeout > 0
        ? undefined
        : group.idle.find(this.policy.order, (each) => each.expiresAt > now && !this.needsPreparation(each, now))
      if (other !== undefined) return this.lendAtOnce(other, waiter, now)
      this.arrive(waiter, timeout, now)
      if (timeout > 0) this.prepare(slot, waiter, now)
      else this.giveUp(waiter)
      return undefined
    }
    this.arrive(waiter, timeout, now)
    if (this.mustReject(group, now)) {
      waiter.state = "ended"
      group.totals.rejected++
      this.note("Rejected", undefined, waiter, undefined, now)
      this.commands.push({ op: "reject", waiter })
      if (this.rooms !== undefined) this.vanish(group, now)
      return undefined
    }
    if (timeout > 0 && waiter.deadline !== Infinity) {
      // among many keys there is no one queue whose order is that of the deadlines
      if (this.rooms !== undefined || !group.queue.keepsOrder(waiter.deadline)) {
        this.watch(this.patience, waiter, waiter.deadline)
      } else if (waiter.deadline < this.wakeAt) this.wakeAt = waiter.deadline
    }
    waiter.state = "queued"
    group.abandoned = false
    group.queue.enter(waiter)
    this.grow(group, waiter, now)
    if (timeout <= 0) this.giveUp(waiter)
    return undefined
  }

  /** Lends an idle object that needs nothing more, or changes nothing: what most borrows are. */
  hit(waiter: Waiter, now: number): boolean {
    const { group } = waiter
    const slot = this.nextFor(group)
    if (slot === undefined || slot.expiresAt <= now || this.needsPreparation(slot, now)) return false
    this.lendAtOnce(slot, waiter, now)
    return true
  }

  private lendAtOnce(slot: Slot, waiter: Waiter, now: number): Slot {
    const { group } = slot
    const { outage } = group
    group.idle.remove(slot)
    this.lend(slot, waiter, 0, now)
    if (slot.doomed !== undefined || group.outage !== outage) this.settle(group, now)
    return slot
  }

  /** Would a newcomer be lent an idle object now, or have one prepared? */
  isReady(group: Group): boolean {
    return this.nextFor(group) !== undefined
  }

  /** Is there nothing but a return that can serve this borrower? Every place that nobody holds serves one in the queue. */
  needsReturn(waiter: Waiter): boolean {
    const { group } = waiter
    const { concurrency, spare } = this.policy
    if (waiter.state !== "queued" || this.suspended) return false
    if (this.rooms !== undefined) {
      let held = 0
      for (const each of this.groups.values()) held += heldIn(each)
      if (held >= this.rooms.max) return true
    }
    let left = (group.max + spare - heldIn(group)) * concurrency
    for (let next = group.queue.head; next !== undefined && left > 0; next = next.next) {
      if (next === waiter) return false
      left--
    }
    return true
  }

  /** An idle object now or nothing; nothing is left waiting but for a check or a hook. */
  poll(waiter: Waiter, now: number): Slot | undefined {
    if (this.hit(waiter, now)) return waiter.slot
    const slot = this.nextFor(waiter.group)
    if (slot === undefined) {
      waiter.state = "ended"
      this.commands.push({ op: "none", waiter })
      return undefined
    }
    if (slot.expiresAt <= now) {
      this.expire(slot, now)
      return this.poll(waiter, now)
    }
    this.arrive(waiter, Infinity, now)
    waiter.seq = 0
    this.prepare(slot, waiter, now)
    return undefined
  }

  /** The borrower gives up its wait. */
  cancel(waiter: Waiter, now: number): void {
    if (waiter.state !== "queued" && waiter.state !== "preparing") return
    waiter.group.totals.cancelled++
    this.note("Cancelled", undefined, waiter, undefined, now)
    this.waited(waiter, now)
    const idle = waiter.state === "preparing" || this.rooms !== undefined
    this.leave(waiter, now)
    if (idle) this.settle(waiter.group, now)
  }

  /**
   * The holder is done; `unknown` says that the end hit the object while it was used. Gives the hook that the borrow ends
   * with, where there is one.
   */
  release(waiter: Waiter, unknown: boolean, now: number): Activity | undefined {
    if (waiter.state !== "holding" || (!unknown && this.takeBack(waiter, now))) return undefined
    const slot = waiter.slot!
    this.unhold(waiter)
    if (this.policy.hasReturnHook) {
      waiter.state = "returning"
      this.returning.push(waiter)
      const activity = this.run("return", slot, waiter, now)
      activity.unknown = unknown
      return activity
    }
    this.end(waiter, slot, unknown, now)
    return undefined
  }

  /**
   * A return after which the object is idle, or goes straight to the next in the queue, and there is nothing else to do:
   * what most returns are. It changes nothing where there is.
   */
  private takeBack(waiter: Waiter, now: number): boolean {
    const slot = waiter.slot!
    const { group } = slot
    if (!this.takesAsIs || !this.isSound(slot, now)) return false
    const next = group.queue.head
    if (next !== undefined) return this.passOn(waiter, slot, next, now)
    if (this.rooms !== undefined && this.rooms.isCrowded) return false
    this.part(waiter, slot, now)
    this.counting = false
    slot.since = now
    group.idle.add(slot)
    if (this.idles) this.watchSlot(slot)
    return true
  }

  private passOn(waiter: Waiter, slot: Slot, next: Waiter, now: number): boolean {
    const { group } = slot
    if (this.rooms !== undefined || this.policy.hasBorrowHook || this.suspended || group.outage !== undefined) {
      return false
    }
    // it will do for one more borrow after that
    if (slot.uses + 1 >= this.policy.maxUses) return false
    this.part(waiter, slot, now)
    group.queue.leave(next)
    this.handOver(slot, next, now)
    return true
  }

  /** The holder has nothing more to do with it, and that is told. */
  private part(waiter: Waiter, slot: Slot, now: number): void {
    this.unhold(waiter)
    this.leaveSlot(waiter, slot, now)
    if (this.observed) this.note("Returned", slot, waiter, now - waiter.since, now)
  }

  /** It may be lent again. */
  private isSound({ doomed, expiresAt, group }: Slot, now: number): boolean {
    return doomed === undefined && expiresAt > now && group.size + group.creating <= group.max
  }

  /** The holder is told that it has lost the object; its late end changes nothing. */
  revoke(waiter: Waiter, reason: "revoked" | "shutdown", now: number): void {
    if (waiter.state !== "holding") return
    const slot = waiter.slot!
    if (reason === "revoked") this.note("Revoked", slot, waiter, undefined, now)
    this.commands.push({ op: "revoke", waiter, reason })
    this.part(waiter, slot, now)
    this.doom(slot, reason, now)
    this.freed(slot, now)
    this.settle(slot.group, now)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // creating
  // ---------------------------------------------------------------------------------------------------------------

  /** A creation has succeeded. False where it came too late: what it made must be destroyed. */
  create(slot: Slot, value: unknown, now: number): boolean {
    if (slot.state !== "creating") return false
    const group = slot.group
    const { jitter, timeToLive } = this.policy
    this.objects.remove(slot)
    group.creating--
    group.size++
    group.alive++
    if (this.rooms !== undefined) {
      group.abandoned = false
      this.rooms.hasMore(group)
    }
    slot.state = "alive"
    slot.value = value
    slot.createdAt = slot.since = slot.checkedAt = now
    if (timeToLive !== Infinity) {
      // whole milliseconds, since a clock may not wait for less
      slot.expiresAt = now + Math.ceil(timeToLive * (1 - jitter * this.random()))
      this.watch(this.objects, slot, slot.expiresAt)
    }
    group.remember(slot)
    group.totals.created++
    this.creations.record(now - slot.startedAt)
    this.note("Created", slot, undefined, now - slot.startedAt, now)
    group.lastFailure = undefined
    const outage = group.outage
    if (outage !== undefined) {
      if (outage.attempt === slot) outage.attempt = undefined
      if (!outage.losing) this.recover(group)
    }
    slot.fresh = true
    const only = slot.only
    if (only !== undefined) {
      if (this.disown(slot) && !this.suspended) this.give(slot, only, now)
    } else this.refit(slot, now)
    this.freed(slot, now)
    this.settle(group, now)
    slot.fresh = false
    return true
  }

  /** A creation has failed; false where it came too late to count. Its finalizers run next. */
  fail(slot: Slot, failure: unknown, now: number): boolean {
    if (slot.state !== "creating") return false
    this.objects.remove(slot)
    this.failed(slot, failure, now)
    this.commands.push({ op: "destroy", slot })
    this.settle(slot.group, now)
    return true
  }

  /** The creation, its failure or its finalizers have ended: the place is free. */
  gone(slot: Slot, now: number): void {
    if (slot.state !== "destroying") return
    const group = slot.group
    this.objects.remove(slot)
    slot.state = "gone"
    group.destroying--
    group.removeSlot(slot)
    if (this.rooms !== undefined) this.rooms.release(slot)
    if (slot.doomed !== undefined && slot.createdAt !== -1) {
      group.totals.destroyed[slot.doomed]++
      this.note("Destroyed", slot, undefined, slot.doomed, now)
    }
    this.settle(group, now)
  }

  /** How long to wait until the next attempt, counted from the latest failure. */
  spaced(outage: Outage, delay: number, now: number): void {
    const { group } = outage
    // a later outage is spaced by itself
    if (group.outage !== outage) return
    outage.delay = delay
    outage.retryAt = outage.failedAt + delay
    this.settle(group, now)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // checks and hooks
  // ---------------------------------------------------------------------------------------------------------------

  /** A check or a hook has ended. */
  ran(activity: Activity, ok: boolean, now: number): void {
    if (activity.over) return
    this.conclude(activity)
    const { slot, waiter } = activity
    switch (activity.kind) {
      case "check":
        this.checked(slot, waiter, activity, ok, now)
        break
      case "borrow":
        this.preparedOrNot(slot, waiter, activity, ok, now)
        break
      case "return":
        if (!ok) this.doom(slot, "failed", now)
        if (waiter !== undefined) {
          this.returning.remove(waiter)
          this.end(waiter, slot, activity.unknown, now)
          this.commands.push({ op: "returned", waiter })
          return
        }
        this.refit(slot, now)
        slot.since = now
        this.yieldRoom(slot, now)
        slot.fresh = true
        this.freed(slot, now)
        break
    }
    this.settle(slot.group, now)
    slot.fresh = false
  }

  // ---------------------------------------------------------------------------------------------------------------
  // time
  // ---------------------------------------------------------------------------------------------------------------

  /** No check or hook is waited for any longer. */
  abandon(now: number): void {
    for (const group of this.groups.values()) {
      for (const slot of group.slots.slice()) {
        for (const activity of slot.activities) {
          this.commands.push({ op: "desert", activity })
          this.ran(activity, false, now)
        }
      }
    }
  }

  /** Nothing is waited for any longer: what is being destroyed is left to itself. */
  leaveAll(now: number): void {
    for (const group of this.groups.values()) {
      for (const slot of group.slots.slice()) {
        if (slot.state !== "destroying") continue
        this.commands.push({ op: "leave", slot })
        this.gone(slot, now)
      }
    }
  }

  /** The creation did not end at once: it has a deadline. */
  awaitCreation(slot: Slot): void {
    if (slot.state === "creating") this.watch(this.objects, slot, slot.startedAt + this.policy.createTimeout)
  }

  /** The finalizers did not end at once: they have a deadline. */
  awaitDestruction(slot: Slot): void {
    if (slot.state === "destroying") this.watch(this.objects, slot, slot.since + this.policy.destroyTimeout)
  }

  /** The check or hook did not end at once: it has a deadline. */
  awaitActivity(activity: Activity): void {
    if (activity.over) return
    const timeout = activity.kind === "check" ? this.policy.healthTimeout : this.policy.hookTimeout
    this.watch(this.objects, activity, activity.startedAt + timeout)
  }

  /** Everything that is due: what concerns objects first, borrowers that give up last. */
  advance(now: number): void {
    this.wakeAt = Infinity
    for (let node = this.objects.first; node !== undefined && node.timerAt <= now; node = this.objects.first) {
      this.objects.remove(node)
      this.due(node, now)
    }
    this.warnAndRevoke(now)
    const late: Array<Waiter> = []
    // the queues first: what has left the heap looks like one whose deadline is ordered by its arrival
    for (const group of this.ordered) {
      for (let waiter = group.queue.patient; waiter !== undefined; waiter = waiter.next) {
        if (waiter.timerIndex !== -1 || waiter.deadline === Infinity) continue
        if (waiter.deadline > now) break
        late.push(waiter)
      }
    }
    for (let first = this.patience.first; first !== undefined && first.timerAt <= now; first = this.patience.first) {
      this.patience.remove(first)
      late.push(first)
    }
    this.giveUpAll(late, now)
    this.wakeAt = this.nextDeadline()
  }

  private due(node: Slot | Activity | Moment, now: number): void {
    switch (node.tag) {
      case "slot":
        this.slotDue(node, now)
        return
      case "activity":
        this.commands.push({ op: "desert", activity: node })
        // what takes too long has failed, also where it was interrupted before
        node.stopped = false
        this.ran(node, false, now)
        return
      case "retry":
        this.settle(node.group, now)
        return
      case "idle":
        this.reap(node.group, now)
        return
    }
  }

  private slotDue(slot: Slot, now: number): void {
    switch (slot.state) {
      case "creating":
        this.lateCreation(slot, now)
        return
      case "destroying":
        this.commands.push({ op: "leave", slot })
        this.gone(slot, now)
        return
      case "alive":
        if (slot.expiresAt <= now) return this.expire(slot, now)
        if (this.healthDue(slot) <= now) {
          if (this.policy.concurrency === 1) slot.group.idle.block(slot)
          this.run("check", slot, undefined, now)
        }
        this.watchSlot(slot)
        return
      case "gone":
        return
    }
  }

  private lateCreation(slot: Slot, now: number): void {
    const failure = this.late(slot.group)
    this.failed(slot, failure, now)
    this.commands.push({ op: "late", slot, failure })
    this.settle(slot.group, now)
  }

  private reap(group: Group, now: number): void {
    const { idleTimeToLive } = this.policy
    for (let slot = group.idle.whole.head; slot !== undefined; slot = group.idle.whole.head) {
      if (group.alive <= group.min || slot.since + idleTimeToLive > now) break
      this.doom(slot, "idle", now)
      this.freed(slot, now)
    }
    this.watchIdle(group)
  }

  private warnAndRevoke(now: number): void {
    const { borrowLimit, borrowWarning } = this.policy
    for (let w = this.unwarned; w !== undefined && w.since + borrowWarning <= now; w = this.unwarned) {
      this.unwarned = w.next
      this.note("Overdue", w.slot, w, undefined, now)
      this.commands.push({ op: "overdue", waiter: w })
    }
    if (borrowLimit === Infinity) return
    for (let w = this.held.head; w !== undefined && w.since + borrowLimit <= now; w = this.held.head) {
      this.revoke(w, "revoked", now)
    }
  }
}
