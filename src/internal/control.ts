/** What is asked of a pool by those who run it: what must go, new bounds, a pause, the end. */
import { Lending } from "./lending.ts"
import type { Bounds, Group, Slot } from "./state.ts"
import type { Waiter } from "./waiters.ts"

export abstract class Control extends Lending {
  invalidate(group: Group, value: unknown, now: number): void {
    const slots = group.holding(value)
    for (const slot of slots) group.idle.remove(slot)
    for (const slot of slots) {
      this.doom(slot, "invalidated", now)
      this.freed(slot, now)
    }
    this.settle(group, now)
  }

  /** The object of one holder must go. */
  condemn(waiter: Waiter, now: number): void {
    if (waiter.state !== "holding") return
    this.doom(waiter.slot!, "invalidated", now)
    this.settle(waiter.group, now)
  }

  /** Every object alive or being created now must go. */
  evict(group: Group, now: number): void {
    if (this.closed) return
    this.note("Evicted", undefined, undefined, undefined, now, this.rooms === undefined ? undefined : group)
    this.evictFrom(group, now)
    this.settle(group, now)
  }

  /** The same for all keys. */
  evictAll(now: number): void {
    if (this.closed) return
    this.note("Evicted", undefined, undefined, undefined, now)
    const groups = [...this.groups.values()]
    for (const group of groups) this.evictFrom(group, now)
    this.settleAll(groups, now)
  }

  private evictFrom(group: Group, now: number): void {
    // whoever loses one of them gets none of the others
    for (const slot of group.slots) group.idle.remove(slot)
    for (const slot of group.slots.slice()) {
      if (slot.state === "creating") this.abort(slot, now)
      else {
        this.doom(slot, "evicted", now)
        this.freed(slot, now)
      }
    }
    this.forsake(group)
  }

  /** Creates the minimum ahead. */
  start(group: Group, now: number): void {
    this.settle(group, now)
  }

  resize(group: Group, bounds: Bounds, now: number): void {
    group.min = bounds.min
    group.max = bounds.max
    this.note("Resized", undefined, undefined, bounds, now)
    this.shrink(group, now)
    this.watchIdle(group)
    this.settle(group, now)
  }

  /** New bounds of a pool by key: of the whole, and of each key. */
  resizeAll(max: number, each: Bounds, now: number): void {
    const rooms = this.rooms!
    rooms.max = max
    this.note("Resized", undefined, undefined, { min: each.min, max }, now)
    const groups = [...this.groups.values()]
    for (const group of groups) {
      group.min = each.min
      group.max = each.max
      rooms.hasMore(group)
      this.shrink(group, now)
      this.watchIdle(group)
    }
    while (this.surplusOfAll() > 0) {
      const idle = rooms.longestIdle
      if (idle !== undefined) {
        this.doom(idle, "resized", now)
        this.freed(idle, now)
      } else if (!this.abortYoungest(groups, now)) break
    }
    this.settleAll(groups, now)
  }

  /** The longest idle objects of the group go first, then its youngest creations; what is in use goes on its return. */
  private shrink(group: Group, now: number): void {
    while (this.surplus(group) > 0) {
      const idle = group.idle.whole.head
      if (idle !== undefined) {
        this.doom(idle, "resized", now)
        this.freed(idle, now)
      } else if (!this.abortYoungest([group], now)) break
    }
  }

  private abortYoungest(groups: ReadonlyArray<Group>, now: number): boolean {
    let youngest: Slot | undefined
    for (const group of groups) {
      for (const slot of group.slots) {
        if (slot.state === "creating" && (youngest === undefined || slot.id > youngest.id)) youngest = slot
      }
    }
    if (youngest === undefined) return false
    this.abort(youngest, now)
    return true
  }

  suspend(now: number): void {
    if (this.suspended || this.closed) return
    this.suspended = true
    this.note("Suspended", undefined, undefined, undefined, now)
    // no room is made, and no free place used, for those who wait
    if (this.rooms !== undefined) { for (const group of this.groups.values()) this.express(group, this.rooms, now) }
  }

  resume(now: number): void {
    if (!this.suspended || this.closed) return
    this.suspended = false
    this.note("Resumed", undefined, undefined, undefined, now)
    this.settleAll([...this.groups.values()], now)
  }

  /** No new borrower, nobody waits, nothing is created, what nobody holds is destroyed. */
  close(now: number): void {
    if (this.closed) return
    this.closed = true
    const waiters: Array<Waiter> = []
    for (const group of this.groups.values()) {
      for (const slot of group.slots.slice()) {
        if (slot.state === "creating") this.abort(slot, now)
        else {
          this.doom(slot, "shutdown", now)
          this.freed(slot, now)
        }
      }
      for (let waiter = group.queue.head; waiter !== undefined; waiter = group.queue.head) {
        this.leave(waiter, now)
        this.waited(waiter, now)
        waiters.push(waiter)
      }
    }
    if (waiters.length > 0) this.commands.push({ op: "close", waiters })
  }
}
