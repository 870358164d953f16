/** What the transitions are made of: an object goes to a borrower, is prepared, comes back, or goes. */
import { Growth } from "./growth.ts"
import type { Reason } from "./policy.ts"
import type { Group, Slot } from "./state.ts"
import { Activity, noActivities } from "./state.ts"
import type { Waiter } from "./waiters.ts"

export abstract class Lending extends Growth {
  // ---------------------------------------------------------------------------------------------------------------
  // lending
  // ---------------------------------------------------------------------------------------------------------------

  protected arrive(waiter: Waiter, timeout: number, now: number): void {
    this.asking = waiter
    waiter.seq = ++this.arrivals
    waiter.since = now
    waiter.deadline = now + timeout
  }

  protected nextFor(group: Group): Slot | undefined {
    return group.queue.size === 0 && !this.suspended && !this.closed ? group.idle.next(this.policy.order) : undefined
  }

  /** The object to be lent next; it stays among the idle ones until it is. */
  protected pick(group: Group, now: number): Slot | undefined {
    for (;;) {
      const slot = group.idle.next(this.policy.order)
      if (slot === undefined || slot.expiresAt > now) return slot
      this.doom(slot, "lifetime", now)
      this.freed(slot, now)
    }
  }

  /** It is too old, and nobody has looked at it since. */
  protected expire(slot: Slot, now: number): void {
    this.doom(slot, "lifetime", now)
    this.freed(slot, now)
    this.settle(slot.group, now)
  }

  protected needsPreparation(slot: Slot, now: number): boolean {
    return this.prepares && (this.policy.hasBorrowHook || this.needsCheck(slot, now))
  }

  protected needsCheck(slot: Slot, now: number): boolean {
    return !slot.fresh && slot.holders === 0 && slot.preparing === 0 && now - slot.since >= this.policy.healthAfterIdle
  }

  // what every borrow does stands apart from what few do: a function that is small enough becomes a part of its callers
  protected lend(slot: Slot, waiter: Waiter, waited: number, now: number): void {
    if (slot.holders++ === 0) slot.since = now
    slot.uses++
    waiter.state = "holding"
    waiter.slot = slot
    waiter.since = now
    this.held.push(waiter)
    slot.group.totals.borrowed++
    if (this.counting) this.count(waiter, 1)
    if (!this.lendsOnly || this.observed || slot.group.outage !== undefined) this.noteLending(slot, waiter, waited, now)
  }

  private noteLending(slot: Slot, waiter: Waiter, waited: number, now: number): void {
    const { outage } = slot.group
    if (this.overdueAfter !== Infinity) {
      if (this.unwarned === undefined && this.policy.borrowWarning !== Infinity) this.unwarned = waiter
      const at = now + this.overdueAfter
      if (at < this.wakeAt) this.wakeAt = at
    }
    this.note("Borrowed", slot, waiter, waited, now)
    if (outage !== undefined && outage.losing) this.recover(slot.group)
    if (slot.uses >= this.policy.maxUses) this.doom(slot, "uses", now)
    else if (this.policy.concurrency > 1) this.freed(slot, now)
  }

  /** To a borrower that waits. */
  protected handOver(slot: Slot, waiter: Waiter, now: number): void {
    const waited = now - waiter.since
    if (waiter.timerIndex !== -1) this.patience.remove(waiter)
    this.waited(waiter, now)
    slot.group.idle.remove(slot)
    this.lend(slot, waiter, waited, now)
    this.served.push(waiter)
  }

  /** The first of the queue gets it, or has it prepared. */
  protected give(slot: Slot, waiter: Waiter, now: number): void {
    waiter.group.queue.leave(waiter)
    if (this.needsPreparation(slot, now)) this.prepare(slot, waiter, now)
    else this.handOver(slot, waiter, now)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // checks and hooks
  // ---------------------------------------------------------------------------------------------------------------

  protected prepare(slot: Slot, waiter: Waiter, now: number): void {
    const check = this.needsCheck(slot, now)
    slot.group.idle.remove(slot)
    this.attach(slot, waiter)
    slot.preparing++
    this.run(check ? "check" : "borrow", slot, waiter, now)
    if (this.policy.concurrency > 1) this.freed(slot, now)
  }

  protected attach(slot: Slot, waiter: Waiter): void {
    waiter.state = "preparing"
    waiter.slot = slot
    waiter.group.preparing++
    if (waiter.deadline !== Infinity && waiter.timerIndex === -1) this.watch(this.patience, waiter, waiter.deadline)
  }

  protected detach(waiter: Waiter): void {
    waiter.group.preparing--
    waiter.slot = undefined
  }

  /** It goes on waiting, first in the queue; one that polls tries the next idle object, or ends. */
  protected requeue(waiter: Waiter, now: number): void {
    this.detach(waiter)
    if (waiter.seq > 0) {
      waiter.state = "queued"
      waiter.group.queue.reenter(waiter)
      return
    }
    const { group } = waiter
    const slot = this.suspended || this.closed || group.queue.size > 0 ? undefined : this.pick(group, now)
    // a shared object that was too old may have sent somebody back to the queue
    if (slot === undefined || group.queue.size > 0) {
      waiter.state = "ended"
      this.commands.push({ op: "none", waiter })
    } else if (this.needsPreparation(slot, now)) this.prepare(slot, waiter, now)
    else this.handOver(slot, waiter, now)
  }

  protected run(kind: "check" | "borrow" | "return", slot: Slot, waiter: Waiter | undefined, now: number): Activity {
    const activity = new Activity(kind, slot, waiter, now)
    slot.activities = [...slot.activities, activity]
    if (kind === "check") slot.group.checks++
    this.commands.push({ op: "run", activity })
    return activity
  }

  protected conclude(activity: Activity): void {
    activity.over = true
    this.objects.remove(activity)
    const { slot } = activity
    slot.activities = slot.activities.length === 1
      ? noActivities
      : slot.activities.filter((each) => each !== activity)
    if (activity.kind !== "check") return
    activity.slot.group.checks--
    if (activity.slot.passedOver) activity.slot.group.idle.unblock(activity.slot)
  }

  protected checked(slot: Slot, waiter: Waiter | undefined, activity: Activity, ok: boolean, now: number): void {
    slot.group.totals.healthChecks++
    slot.checkedAt = now
    if (activity.forBorrower) slot.preparing--
    if (!ok && slot.doomed === undefined) this.note("Unhealthy", slot, undefined, undefined, now)
    if (activity.held !== undefined) this.note("Returned", slot, undefined, activity.held, now)
    if (!ok) {
      if (activity.forBorrower) this.lost(slot, now)
      this.doom(slot, "unhealthy", now)
      if (waiter !== undefined) this.requeue(waiter, now)
    } else if (waiter !== undefined) {
      this.refit(slot, now)
      if (slot.doomed !== undefined || this.suspended) {
        slot.since = now
        this.requeue(waiter, now)
      } else if (this.policy.hasBorrowHook) {
        slot.preparing++
        this.run("borrow", slot, waiter, now)
        this.freed(slot, now)
        return
      } else {
        this.detach(waiter)
        this.handOver(slot, waiter, now)
        return
      }
    } else if (slot.idle) this.watchSlot(slot)
    else if (slot.holders + slot.preparing === 0) {
      slot.since = now
      this.yieldRoom(slot, now)
    }
    slot.fresh = true
    this.freed(slot, now)
  }

  protected preparedOrNot(slot: Slot, waiter: Waiter | undefined, activity: Activity, ok: boolean, now: number): void {
    slot.preparing--
    if (ok) {
      this.refit(slot, now)
      if (waiter !== undefined && slot.doomed === undefined && !this.suspended) {
        this.detach(waiter)
        this.handOver(slot, waiter, now)
        return
      }
      if (waiter !== undefined) this.requeue(waiter, now)
      if (this.policy.hasReturnHook) {
        this.run("return", slot, undefined, now)
        this.freed(slot, now)
        return
      }
    } else if (activity.stopped) {
      if (this.policy.concurrency === 1) {
        this.doubt(slot, now)
        return
      }
    } else {
      this.lost(slot, now)
      this.doom(slot, "failed", now)
      if (waiter !== undefined) this.requeue(waiter, now)
    }
    if (slot.holders === 0) slot.since = now
    this.yieldRoom(slot, now)
    slot.fresh = true
    this.freed(slot, now)
  }

  /** Nobody knows in which state it is: it is checked, or destroyed where there is no check. */
  protected doubt(slot: Slot, now: number): Activity | undefined {
    if (slot.doomed === undefined && this.policy.hasCheck) return this.run("check", slot, undefined, now)
    this.doom(slot, "failed", now)
    this.freed(slot, now)
    return undefined
  }

  protected stop(activity: Activity): void {
    if (activity.stopped) return
    activity.stopped = true
    this.commands.push({ op: "stop", activity })
  }

  // ---------------------------------------------------------------------------------------------------------------
  // the end of a borrow
  // ---------------------------------------------------------------------------------------------------------------

  protected unhold(waiter: Waiter): void {
    if (waiter === this.unwarned) this.unwarned = waiter.next
    this.held.remove(waiter)
    if (this.counting) this.count(waiter, -1)
  }

  /** The borrow is over: it is counted, and the object has one holder less. */
  protected leaveSlot(waiter: Waiter, slot: Slot, now: number): void {
    waiter.state = "ended"
    slot.holders--
    slot.group.totals.returned++
    this.uses.record(now - waiter.since)
  }

  protected end(waiter: Waiter, slot: Slot, unknown: boolean, now: number): void {
    this.leaveSlot(waiter, slot, now)
    const held = now - waiter.since
    if (slot.doomed === undefined) {
      this.refit(slot, now)
      if (unknown && slot.doomed === undefined && this.policy.concurrency === 1) {
        const check = this.doubt(slot, now)
        // what a check finds is told before the return that made it necessary
        if (check === undefined) this.note("Returned", slot, waiter, held, now)
        else check.held = held
        this.settle(slot.group, now)
        return
      }
    }
    this.note("Returned", slot, waiter, held, now)
    if (slot.holders === 0) slot.since = now
    const group = slot.group
    this.yieldRoom(slot, now)
    if (slot.doomed === undefined && group.queue.size === 0 && !this.rooms?.isHungry) {
      this.freed(slot, now)
      return
    }
    slot.fresh = true
    this.freed(slot, now)
    this.settle(group, now)
    slot.fresh = false
  }

  // ---------------------------------------------------------------------------------------------------------------
  // what must go
  // ---------------------------------------------------------------------------------------------------------------

  /** Does it fit still? One that is too old or too many must go. */
  protected refit(slot: Slot, now: number): void {
    const group = slot.group
    if (slot.expiresAt <= now) this.doom(slot, "lifetime", now)
    else if (this.surplus(group) > 0 || this.surplusOfAll() > 0) this.doom(slot, "resized", now)
  }

  /** The same for all keys together: there is one only after a shrinking. */
  protected surplusOfAll(): number {
    const { rooms } = this
    if (rooms === undefined || rooms.taken <= rooms.max) return 0
    let surplus = -rooms.max
    for (const group of this.groups.values()) {
      surplus += group.size + group.creating
      for (const slot of group.slots) {
        if (slot.state === "alive" && slot.doomed !== undefined && slot.holders === 0) surplus--
      }
    }
    return surplus
  }

  /** How many objects and creations there are more than may be; what nobody decides about any more is not counted. */
  protected surplus(group: Group): number {
    let surplus = group.size + group.creating - group.max - this.policy.spare
    if (surplus > 0) {
      for (const slot of group.slots) {
        if (slot.state === "alive" && slot.doomed !== undefined && slot.holders === 0) surplus--
      }
    }
    return Math.max(surplus, group.alive + group.creating - group.max)
  }

  /** It must go. Whoever waits for its preparation is the first in the queue again. */
  protected doom(slot: Slot, reason: Reason, now: number): void {
    if (slot.state !== "alive" || slot.doomed !== undefined) return
    const group = slot.group
    slot.doomed = reason
    group.alive--
    group.idle.remove(slot)
    this.objects.remove(slot)
    for (const activity of slot.activities) {
      if (activity.kind === "return") continue
      const waiter = activity.waiter
      activity.waiter = undefined
      this.stop(activity)
      if (waiter !== undefined) this.requeue(waiter, now)
    }
    if (reason === "idle") this.watchIdle(group)
  }

  /** Something has let go of the object: it is destroyed, or can be lent. */
  protected freed(slot: Slot, now: number): void {
    if (slot.state !== "alive") return
    const group = slot.group
    if (slot.doomed !== undefined) {
      if (slot.holders > 0 || slot.activities.length > 0) return
      slot.state = "destroying"
      slot.since = now
      group.size--
      group.destroying++
      group.forget(slot)
      if (this.rooms !== undefined) this.rooms.emptied(slot)
      this.commands.push({ op: "destroy", slot })
      return
    }
    const load = slot.holders + slot.preparing
    if (this.policy.concurrency === 1) {
      if (load > 0 || slot.idle || slot.activities.length > 0) return
      if (this.policy.unpooled) {
        this.doom(slot, "idle", now)
        this.freed(slot, now)
        return
      }
      group.idle.add(slot)
      if (this.idles) this.watchSlot(slot)
      return
    }
    if (load === 0) {
      if (!slot.idle) {
        group.idle.remove(slot)
        if (slot.activities.some((activity) => activity.kind !== "check")) return
        group.idle.add(slot)
      }
    } else {
      group.idle.remove(slot)
      if (load < this.policy.concurrency && !slot.activities.some((a) => a.kind === "check" && a.forBorrower)) {
        group.idle.addShared(slot, load)
      }
    }
    if (this.idles) this.watchSlot(slot)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // who is served
  // ---------------------------------------------------------------------------------------------------------------

  /** Idle objects to those who wait, then creations for the rest and for the minimum. */
  protected settle(group: Group, now: number): void {
    this.serve(group, now)
    this.grow(group, group.queue.head, now)
    if (this.rooms !== undefined) this.vanish(group, now)
  }

  /** The same for several: what is shared between keys is not shared out before all have said what they want. */
  protected settleAll(groups: Iterable<Group>, now: number): void {
    const { rooms } = this
    if (rooms === undefined) {
      for (const group of groups) this.settle(group, now)
      return
    }
    for (const group of groups) this.serve(group, now)
    for (const group of groups) this.express(group, rooms, now)
    this.distribute(rooms, now)
    for (const group of groups) this.vanish(group, now)
  }

  protected serve(group: Group, now: number): void {
    if (this.suspended || this.closed) return
    while (group.queue.size > 0) {
      const slot = this.pick(group, now)
      if (slot === undefined) break
      this.give(slot, group.queue.head!, now)
    }
  }

  /** Out of the queue or of its preparation; the next may take its place there. */
  protected leave(waiter: Waiter, now: number): void {
    const group = waiter.group
    if (waiter.timerIndex !== -1) this.patience.remove(waiter)
    if (waiter.state === "queued") {
      group.queue.leave(waiter)
      if (waiter.slot !== undefined) group.orphans++
      waiter.slot = undefined
      waiter.state = "ended"
      if (group.outage !== undefined) this.forsake(group)
      return
    }
    const slot = waiter.slot!
    const activity = slot.activities.find((each) => each.waiter === waiter)!
    this.detach(waiter)
    waiter.state = "ended"
    const next = this.suspended || this.closed || this.policy.unpooled ? undefined : group.queue.head
    if (next !== undefined) {
      group.queue.leave(next)
      this.attach(slot, next)
      activity.waiter = next
      return
    }
    activity.waiter = undefined
    if (this.policy.unpooled) this.doom(slot, "idle", now)
    else if (activity.kind === "borrow") this.stop(activity)
  }

  /** It waits for nothing. */
  protected giveUp(waiter: Waiter): void {
    if (waiter.state === "new") {
      waiter.state = "queued"
      waiter.group.queue.enter(waiter)
    }
    this.giveUpAll([waiter], waiter.since)
  }

  protected giveUpAll(waiters: Array<Waiter>, now: number): void {
    if (waiters.length === 0) return
    const counts = this.counts()
    waiters.sort((a, b) => a.seq - b.seq)
    const groups = new Set<Group>()
    for (const waiter of waiters) {
      waiter.group.totals.timeouts++
      this.note("TimedOut", undefined, waiter, undefined, now)
      this.waited(waiter, now)
      this.leave(waiter, now)
      groups.add(waiter.group)
    }
    this.commands.push({ op: "timeout", waiters, counts })
    this.settleAll(groups, now)
  }
}
