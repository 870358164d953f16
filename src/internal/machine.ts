/**
 * The state of a pool and every transition of it. Pure and synchronous: a call is the lock. What must happen outside
 * is left in `commands` and `served`, which the interpreter empties after each call.
 */
import type { Timed } from "./heap.ts"
import { Heap } from "./heap.ts"
import { Histogram } from "./histogram.ts"
import { List } from "./list.ts"
import type { Policy, Reason } from "./policy.ts"
import { Rooms } from "./rooms.ts"
import type { Bounds, Command, Counts, Happening, Moment } from "./state.ts"
import { Activity, Group, noActivities, Slot } from "./state.ts"
import { Totals } from "./totals.ts"
import type { Waiter } from "./waiters.ts"

/** A borrower for whom no creation is under way: the one that asks, where it is one. */
const unserved = (group: Group, asker: Waiter | undefined): Waiter | undefined => {
  let waiter = asker !== undefined && asker.state === "queued" && asker.slot === undefined ? asker : group.queue.head
  while (waiter !== undefined && waiter.slot !== undefined) waiter = waiter.next
  return waiter
}

/** Objects that are held, or prepared for a borrower. */
const heldIn = (group: Group): number => {
  let held = 0
  for (const slot of group.slots) if (slot.state === "alive" && slot.holders + slot.preparing > 0) held++
  return held
}

export class Machine {
  readonly policy: Policy
  readonly commands: Array<Command> = []
  /** Borrowers that have been given an object, and wait to be resumed. */
  readonly served: Array<Waiter> = []
  readonly happenings: Array<Happening> = []
  /** Somebody listens. */
  observed = false
  suspended = false
  closed = false
  /** The borrower that asks right now: what it gets before its call returns it has not waited for. */
  asking: Waiter | undefined = undefined
  /** No deadline is earlier than this. */
  wakeAt = Infinity
  readonly groups = new Map<unknown, Group>()
  /** How the groups share the places, where they are the keys of one pool. */
  rooms: Rooms | undefined = undefined
  /** Who holds an object, longest first. */
  readonly held = new List<Waiter>()
  /** Whose return hook is running. */
  readonly returning = new List<Waiter>()
  /** The first in `held` that has not been warned. */
  private unwarned: Waiter | undefined = undefined

  /** What was counted for keys that are no more. */
  readonly departed = new Totals()
  readonly waits = new Histogram()
  readonly uses = new Histogram()
  readonly creations = new Histogram()

  /** How many creations ever began: the number of the next. */
  private started = 0
  private arrivals = 0
  private readonly objects = new Heap<Slot | Activity | Moment>()
  private readonly patience = new Heap<Waiter>()
  private readonly random: () => number
  private readonly late: (group: Group) => unknown
  /** The earlier of warning and limit. */
  private readonly overdueAfter: number
  /** Idle objects have deadlines. */
  private readonly idles: boolean
  /** What is returned needs nothing before it is lent again, and nobody else holds it. */
  private readonly takesAsIs: boolean

  /** `random` gives the jitter, from 0 to 1; `late` what a creation fails with at its deadline. */
  constructor(policy: Policy, random: () => number, late: (group: Group) => unknown) {
    this.policy = policy
    this.random = random
    this.late = late
    this.overdueAfter = Math.min(policy.borrowWarning, policy.borrowLimit)
    this.idles = policy.idleTimeToLive !== Infinity || policy.healthInterval !== Infinity
    this.takesAsIs = policy.concurrency === 1 && !policy.unpooled && !policy.hasReturnHook
  }

  addGroup(key: unknown, bounds: Bounds): Group {
    const group = new Group(key, bounds.min, bounds.max, this.rooms)
    this.groups.set(key, group)
    return group
  }

  /** Its groups are keys that share this many places. */
  share(max: number): void {
    this.rooms = new Rooms(max)
  }

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
    const { outage } = group
    group.idle.remove(slot)
    this.lend(slot, waiter, 0, now)
    if (slot.doomed !== undefined || group.outage !== outage) this.settle(group, now)
    return true
  }

  /** Would a newcomer be lent an idle object now, or have one prepared? */
  isReady(group: Group): boolean {
    return this.nextFor(group) !== undefined
  }

  private nextFor(group: Group): Slot | undefined {
    return group.queue.size === 0 && !this.suspended && !this.closed ? group.idle.next(this.policy.order) : undefined
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
    waiter.polls = true
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

  /** The holder is done; `unknown` says that the end hit the object while it was used. */
  release(waiter: Waiter, unknown: boolean, now: number): void {
    if (waiter.state !== "holding") return
    const slot = waiter.slot!
    this.unhold(waiter)
    if (!unknown && this.takesAsIs && this.takeBack(waiter, slot, now)) return
    if (this.policy.hasReturnHook) {
      waiter.state = "returning"
      this.returning.push(waiter)
      const activity = this.run("return", slot, waiter, now)
      activity.unknown = unknown
      return
    }
    this.end(waiter, slot, unknown, now)
  }

  /**
   * A return after which the object is idle, or goes straight to the next in the queue, and there is nothing else to look
   * at: what most returns are. It changes nothing where there is.
   */
  private takeBack(waiter: Waiter, slot: Slot, now: number): boolean {
    const { group } = slot
    const { rooms } = this
    const next = group.queue.head
    if (slot.doomed !== undefined || slot.expiresAt <= now || group.size + group.creating > group.max) return false
    if (rooms !== undefined && (rooms.isHungry || rooms.taken > rooms.max)) return false
    if (next !== undefined && (this.policy.hasBorrowHook || this.suspended || rooms !== undefined)) return false
    if (next !== undefined && (group.outage !== undefined || slot.uses + 1 >= this.policy.maxUses)) return false
    this.leaveSlot(waiter, slot, now)
    this.noteReturn(slot, waiter, now - waiter.since, now)
    if (next === undefined) {
      slot.since = now
      group.idle.add(slot)
      if (this.idles) this.watchSlot(slot)
    } else {
      group.queue.leave(next)
      this.handOver(slot, next, now)
    }
    return true
  }

  /** The holder is told that it has lost the object; its late end changes nothing. */
  revoke(waiter: Waiter, reason: "revoked" | "shutdown", now: number): void {
    if (waiter.state !== "holding") return
    const slot = waiter.slot!
    if (reason === "revoked") this.note("Revoked", slot, waiter, undefined, now)
    this.commands.push({ op: "revoke", waiter, reason })
    this.unhold(waiter)
    this.leaveSlot(waiter, slot, now)
    this.noteReturn(slot, waiter, now - waiter.since, now)
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
  spaced(group: Group, delay: number, now: number): void {
    const outage = group.outage
    if (outage === undefined) return
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
  // control
  // ---------------------------------------------------------------------------------------------------------------

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

  /** Nothing is due before this. */
  nextDeadline(): number {
    const { borrowLimit, borrowWarning } = this.policy
    let at = Math.min(this.objects.first?.timerAt ?? Infinity, this.patience.first?.timerAt ?? Infinity)
    const oldest = this.held.head
    if (oldest !== undefined && borrowLimit !== Infinity) at = Math.min(at, oldest.since + borrowLimit)
    if (this.unwarned !== undefined) at = Math.min(at, this.unwarned.since + borrowWarning)
    for (const group of this.ordered) {
      const patient = group.queue.patient
      if (patient !== undefined && patient.deadline < at) at = patient.deadline
    }
    return at
  }

  /** The groups whose queues are in the order of their deadlines; where there are keys, a heap holds the deadlines. */
  private get ordered(): Iterable<Group> {
    return this.rooms === undefined ? this.groups.values() : []
  }

  // ---------------------------------------------------------------------------------------------------------------
  // what the whole looks like
  // ---------------------------------------------------------------------------------------------------------------

  /** What an object is doing, for those who look at the pool. */
  stateOf(slot: Slot): "idle" | "inUse" | "checking" {
    if (slot.holders === 0) {
      for (const activity of slot.activities) if (activity.kind === "check") return "checking"
      if (slot.preparing === 0 && slot.activities.length === 0) return "idle"
    }
    return "inUse"
  }

  /** How many objects are idle, and how many are in use; the rest is being checked. */
  usage(group: Group): { readonly idle: number; readonly inUse: number } {
    if (this.policy.concurrency === 1) {
      return { idle: group.idle.count, inUse: group.size - group.idle.count - group.checks }
    }
    let idle = 0
    let inUse = 0
    for (const slot of group.slots) {
      if (slot.state !== "alive") continue
      const state = this.stateOf(slot)
      if (state === "idle") idle++
      else if (state === "inUse") inUse++
    }
    return { idle, inUse }
  }

  /** What has happened since the start, in all groups. */
  get totals(): Totals {
    const totals = new Totals()
    totals.add(this.departed)
    for (const group of this.groups.values()) totals.add(group.totals)
    return totals
  }

  /** Where to count what happens to a group, also when its key is no more. */
  totalsOf(group: Group): Totals {
    return group.vanished ? this.departed : group.totals
  }

  /** How many places are taken. */
  get places(): number {
    if (this.rooms !== undefined) return this.rooms.taken
    let places = 0
    for (const group of this.groups.values()) places += group.size + group.creating + group.destroying
    return places
  }

  counts(): Counts {
    let size = 0
    let inUse = 0
    let creating = 0
    let destroying = 0
    let waiting = 0
    let max = 0
    for (const group of this.groups.values()) {
      size += group.size
      inUse += this.usage(group).inUse
      creating += group.creating
      destroying += group.destroying
      waiting += group.waiting
      max = this.rooms?.max ?? group.max
    }
    return { size, max, inUse, creating, destroying, waiting }
  }

  // ---------------------------------------------------------------------------------------------------------------
  // inside
  // ---------------------------------------------------------------------------------------------------------------

  /** The wait is over, where there was one. */
  private waited(waiter: Waiter, now: number): void {
    if (waiter !== this.asking || now > waiter.since) this.waits.record(now - waiter.since)
  }

  private arrive(waiter: Waiter, timeout: number, now: number): void {
    this.asking = waiter
    waiter.seq = ++this.arrivals
    waiter.since = now
    waiter.timeout = timeout
    waiter.deadline = now + timeout
  }

  /** The object to be lent next; it stays among the idle ones until it is. */
  private pick(group: Group, now: number): Slot | undefined {
    for (;;) {
      const slot = group.idle.next(this.policy.order)
      if (slot === undefined || slot.expiresAt > now) return slot
      this.doom(slot, "lifetime", now)
      this.freed(slot, now)
    }
  }

  /** It is too old, and nobody has looked at it since. */
  private expire(slot: Slot, now: number): void {
    this.doom(slot, "lifetime", now)
    this.freed(slot, now)
    this.settle(slot.group, now)
  }

  private needsPreparation(slot: Slot, now: number): boolean {
    return this.policy.hasBorrowHook || this.needsCheck(slot, now)
  }

  private needsCheck(slot: Slot, now: number): boolean {
    return !slot.fresh && slot.holders === 0 && slot.preparing === 0 && now - slot.since >= this.policy.healthAfterIdle
  }

  private lend(slot: Slot, waiter: Waiter, waited: number, now: number): void {
    if (slot.holders++ === 0) slot.since = now
    slot.uses++
    waiter.state = "holding"
    waiter.slot = slot
    waiter.since = now
    this.held.push(waiter)
    slot.group.totals.borrowed++
    if (this.overdueAfter !== Infinity) {
      if (this.unwarned === undefined && this.policy.borrowWarning !== Infinity) this.unwarned = waiter
      const at = now + this.overdueAfter
      if (at < this.wakeAt) this.wakeAt = at
    }
    if (this.observed) this.note("Borrowed", slot, waiter, waited, now)
    if (slot.group.outage !== undefined && slot.group.outage.losing) this.recover(slot.group)
    if (slot.uses >= this.policy.maxUses) this.doom(slot, "uses", now)
    else if (this.policy.concurrency > 1) this.freed(slot, now)
  }

  /** To a borrower that waits. */
  private handOver(slot: Slot, waiter: Waiter, now: number): void {
    const waited = now - waiter.since
    if (waiter.timerIndex !== -1) this.patience.remove(waiter)
    this.waited(waiter, now)
    slot.group.idle.remove(slot)
    this.lend(slot, waiter, waited, now)
    this.served.push(waiter)
  }

  /** The first of the queue gets it, or has it prepared. */
  private give(slot: Slot, waiter: Waiter, now: number): void {
    waiter.group.queue.leave(waiter)
    if (this.needsPreparation(slot, now)) this.prepare(slot, waiter, now)
    else this.handOver(slot, waiter, now)
  }

  private prepare(slot: Slot, waiter: Waiter, now: number): void {
    const check = this.needsCheck(slot, now)
    slot.group.idle.remove(slot)
    this.attach(slot, waiter)
    slot.preparing++
    waiter.activity = this.run(check ? "check" : "borrow", slot, waiter, now)
    if (this.policy.concurrency > 1) this.freed(slot, now)
  }

  private attach(slot: Slot, waiter: Waiter): void {
    waiter.state = "preparing"
    waiter.slot = slot
    waiter.group.preparing++
    if (waiter.deadline !== Infinity && waiter.timerIndex === -1) this.watch(this.patience, waiter, waiter.deadline)
  }

  private detach(waiter: Waiter): void {
    waiter.group.preparing--
    waiter.slot = undefined
    waiter.activity = undefined
  }

  /** It goes on waiting, first in the queue; one that polls tries the next idle object, or ends. */
  private requeue(waiter: Waiter, now: number): void {
    this.detach(waiter)
    if (!waiter.polls) {
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

  private run(kind: "check" | "borrow" | "return", slot: Slot, waiter: Waiter | undefined, now: number): Activity {
    const activity = new Activity(kind, slot, waiter, now)
    slot.activities = [...slot.activities, activity]
    if (kind === "check") slot.group.checks++
    this.commands.push({ op: "run", activity })
    return activity
  }

  private conclude(activity: Activity): void {
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

  private checked(slot: Slot, waiter: Waiter | undefined, activity: Activity, ok: boolean, now: number): void {
    slot.group.totals.healthChecks++
    slot.checkedAt = now
    if (activity.forBorrower) slot.preparing--
    if (!ok && slot.doomed === undefined) this.note("Unhealthy", slot, undefined, undefined, now)
    if (activity.held !== undefined) this.noteReturn(slot, undefined, activity.held, now)
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
        waiter.activity = this.run("borrow", slot, waiter, now)
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

  private preparedOrNot(slot: Slot, waiter: Waiter | undefined, activity: Activity, ok: boolean, now: number): void {
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
  private doubt(slot: Slot, now: number): Activity | undefined {
    if (slot.doomed === undefined && this.policy.hasCheck) return this.run("check", slot, undefined, now)
    this.doom(slot, "failed", now)
    this.freed(slot, now)
    return undefined
  }

  private noteReturn(slot: Slot, waiter: Waiter | undefined, held: number, now: number): void {
    if (this.observed) this.note("Returned", slot, waiter, held, now)
  }

  private unhold(waiter: Waiter): void {
    if (waiter === this.unwarned) this.unwarned = waiter.next
    this.held.remove(waiter)
  }

  /** The borrow is over: it is counted, and the object has one holder less. */
  private leaveSlot(waiter: Waiter, slot: Slot, now: number): void {
    waiter.state = "ended"
    slot.holders--
    slot.group.totals.returned++
    this.uses.record(now - waiter.since)
  }

  private end(waiter: Waiter, slot: Slot, unknown: boolean, now: number): void {
    this.leaveSlot(waiter, slot, now)
    const held = now - waiter.since
    if (slot.doomed === undefined) {
      this.refit(slot, now)
      if (unknown && slot.doomed === undefined && this.policy.concurrency === 1) {
        const check = this.doubt(slot, now)
        // what a check finds is told before the return that made it necessary
        if (check === undefined) this.noteReturn(slot, waiter, held, now)
        else check.held = held
        this.settle(slot.group, now)
        return
      }
    }
    this.noteReturn(slot, waiter, held, now)
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

  /** Does it fit still? One that is too old or too many must go. */
  private refit(slot: Slot, now: number): void {
    const group = slot.group
    if (slot.expiresAt <= now) this.doom(slot, "lifetime", now)
    else if (this.surplus(group) > 0 || this.surplusOfAll() > 0) this.doom(slot, "resized", now)
  }

  /** The same for all keys together: there is one only after a shrinking. */
  private surplusOfAll(): number {
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
  private surplus(group: Group): number {
    let surplus = group.size + group.creating - group.max - this.policy.spare
    if (surplus > 0) {
      for (const slot of group.slots) {
        if (slot.state === "alive" && slot.doomed !== undefined && slot.holders === 0) surplus--
      }
    }
    return Math.max(surplus, group.alive + group.creating - group.max)
  }

  /** It must go. Whoever waits for its preparation is the first in the queue again. */
  private doom(slot: Slot, reason: Reason, now: number): void {
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

  private stop(activity: Activity): void {
    if (activity.stopped) return
    activity.stopped = true
    this.commands.push({ op: "stop", activity })
  }

  /** Something has let go of the object: it is destroyed, or can be lent. */
  private freed(slot: Slot, now: number): void {
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

  /** Idle objects to those who wait, then creations for the rest and for the minimum. */
  private settle(group: Group, now: number): void {
    this.serve(group, now)
    this.grow(group, group.queue.head, now)
    if (this.rooms !== undefined) this.vanish(group, now)
  }

  /** The same for several: what is shared between keys is not shared out before all have said what they want. */
  private settleAll(groups: Iterable<Group>, now: number): void {
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

  private serve(group: Group, now: number): void {
    if (this.suspended || this.closed) return
    while (group.queue.size > 0) {
      const slot = this.pick(group, now)
      if (slot === undefined) break
      this.give(slot, group.queue.head!, now)
    }
  }

  private wanted(group: Group): number {
    const { concurrency, unpooled } = this.policy
    if (unpooled) return this.suspended ? 0 : group.queue.size - (group.creating - group.orphans)
    const queued = this.suspended ? 0 : group.queue.size
    const forWaiters = queued === 0 ? 0 : Math.max(1, Math.ceil(queued / concurrency))
    return Math.max(forWaiters, this.missing(group)) - group.creating
  }

  /** How many objects there are less than the minimum. */
  private missing(group: Group): number {
    return group.abandoned ? 0 : group.min - group.alive
  }

  /** May a creation begin, but for the spacing of attempts? */
  private hasRoom(group: Group): boolean {
    const { maxCreating, spare } = this.policy
    const places = group.size + group.creating + group.destroying
    return group.creating < maxCreating && places < group.max + spare &&
      (spare === 0 || group.alive + group.creating < group.max)
  }

  private grow(group: Group, asker: Waiter | undefined, now: number): void {
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

  /** May an attempt begin now? One that must wait is looked at again when its time has come. */
  private mayAttempt(group: Group, now: number): boolean {
    const { outage } = group
    if (outage === undefined || this.policy.unpooled) return true
    if (outage.attempt !== undefined) return false
    if (now >= outage.retryAt) return true
    if (outage.retryAt !== Infinity) this.watch(this.objects, group.retry, outage.retryAt)
    return false
  }

  private begin(group: Group, asker: Waiter | undefined, now: number): void {
    const only = this.policy.unpooled ? unserved(group, asker) : undefined
    const slot = new Slot(this.started++, group, group.attempts, only, now)
    if (only !== undefined) only.slot = slot
    if (group.outage !== undefined) group.outage.attempt = slot
    group.creating++
    group.addSlot(slot)
    this.commands.push({ op: "create", slot, asker: only ?? asker })
  }

  // ---------------------------------------------------------------------------------------------------------------
  // keys
  // ---------------------------------------------------------------------------------------------------------------

  /** What one key could do with a place, if there were one. */
  private express(group: Group, rooms: Rooms, now: number): void {
    if (group.vanished || this.closed) return
    const may = this.wanted(group) > 0 && this.hasRoom(group) && this.mayAttempt(group, now)
    const first = may && !this.suspended ? this.firstUncovered(group) : undefined
    rooms.want(group, first?.seq ?? Infinity, may && this.missing(group) > group.creating)
  }

  /** Free places to those who wait longest, then to minimums; then idle objects make room for those who still wait. */
  private distribute(rooms: Rooms, now: number): void {
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

  private evictForRoom(slot: Slot, now: number): void {
    this.doom(slot, "evicted", now)
    this.freed(slot, now)
    this.forsake(slot.group)
    this.express(slot.group, this.rooms!, now)
  }

  /** A returned object makes room for a borrower of another key that has waited longer than any of its own. */
  private yieldRoom(slot: Slot, now: number): void {
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
  private forsake(group: Group): void {
    if (this.rooms === undefined || group.alive + group.creating + group.waiting > 0) return
    const isUsed = (slot: Slot) => slot.holders > 0 || slot.activities.some((activity) => activity.kind === "return")
    if (!group.slots.some((slot) => slot.state === "alive" && isUsed(slot))) group.abandoned = true
  }

  /** A key with neither object nor borrower is no more, but for the spacing of its attempts. */
  private vanish(group: Group, now: number): void {
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
  private canHaveRoom(group: Group): boolean {
    const { rooms } = this
    return rooms === undefined || (!rooms.isHungry && (!rooms.isFull || rooms.spareFor(group) !== undefined))
  }

  /** How many borrowers wait that no creation in flight will serve. */
  private uncovered(group: Group): number {
    const { queue } = group
    return group.creating === 0 ? queue.size : Math.max(0, queue.size - group.creating * this.policy.concurrency)
  }

  /** The first of them, looked for from the nearer end: who asks for the next creation. */
  private firstUncovered(group: Group): Waiter | undefined {
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

  /** Would one more have to queue, and are there enough already? */
  private mustReject(group: Group, now: number): boolean {
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

  private failed(slot: Slot, failure: unknown, now: number): void {
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

  private failWaiters(waiters: ReadonlyArray<Waiter>, failure: unknown, now: number): void {
    for (const waiter of waiters) {
      this.waited(waiter, now)
      this.leave(waiter, now)
    }
    this.commands.push({ op: "fail", waiters, failure })
  }

  /** Lost before anybody had it: no failure to create, but the next creation is spaced like one. */
  private lost(slot: Slot, now: number): void {
    if (slot.doomed === undefined && slot.uses === 0 && !this.policy.unpooled) this.space(slot, true, now)
  }

  /** The next attempt waits. Creations from before the latest attempt only start its delay anew. */
  private space(slot: Slot, losing: boolean, now: number): void {
    const group = slot.group
    const outage = group.outage ??= { retryAt: -1, failedAt: now, delay: 0, attempt: undefined, losing: false }
    outage.failedAt = now
    if (losing) outage.losing = true
    if (outage.attempt === slot) outage.attempt = undefined
    if (outage.retryAt === -1 || slot.attempt === group.attempts) {
      group.attempts++
      outage.retryAt = Infinity
      this.commands.push({ op: "space", group })
    } else if (outage.retryAt !== Infinity) outage.retryAt = now + outage.delay
  }

  private recover(group: Group): void {
    group.outage = undefined
    this.objects.remove(group.retry)
    this.commands.push({ op: "recovered", group })
  }

  /** It is interrupted, and in flight no more; its place stays taken until it has ended. */
  private abort(slot: Slot, now: number): void {
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
  private disown(slot: Slot): boolean {
    const only = slot.only!
    if (only.state === "queued" && only.slot === slot) {
      only.slot = undefined
      return true
    }
    slot.group.orphans--
    return false
  }

  /** Out of the queue or of its preparation; the next may take its place there. */
  private leave(waiter: Waiter, now: number): void {
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
    const activity = waiter.activity!
    const slot = waiter.slot!
    this.detach(waiter)
    waiter.state = "ended"
    const next = this.suspended || this.closed || this.policy.unpooled ? undefined : group.queue.head
    if (next !== undefined) {
      group.queue.leave(next)
      this.attach(slot, next)
      next.activity = activity
      activity.waiter = next
      return
    }
    activity.waiter = undefined
    if (this.policy.unpooled) this.doom(slot, "idle", now)
    else if (activity.kind === "borrow") this.stop(activity)
  }

  /** It waits for nothing. */
  private giveUp(waiter: Waiter): void {
    if (waiter.state === "new") {
      waiter.state = "queued"
      waiter.group.queue.enter(waiter)
    }
    this.giveUpAll([waiter], waiter.since)
  }

  private giveUpAll(waiters: Array<Waiter>, now: number): void {
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

  private watch<T extends Timed>(heap: Heap<T>, node: T, at: number): void {
    heap.set(node, at)
    if (at < this.wakeAt) this.wakeAt = at
  }

  /** When an object that can be checked is to be checked next. */
  private healthDue(slot: Slot): number {
    if (slot.doomed !== undefined || slot.activities.length > 0) return Infinity
    if (this.policy.concurrency === 1 && !slot.idle) return Infinity
    return Math.max(slot.checkedAt, slot.holders === 0 ? slot.since : 0) + this.policy.healthInterval
  }

  /** Deadlines only move later while it is lent and returned: an earlier one in the heap is looked at again then. */
  private watchSlot(slot: Slot): void {
    const at = Math.min(slot.expiresAt, this.healthDue(slot))
    if (at < slot.timerAt) this.watch(this.objects, slot, at)
    this.watchIdle(slot.group)
  }

  private watchIdle(group: Group): void {
    const { idleTimeToLive } = this.policy
    if (idleTimeToLive === Infinity || group.alive <= group.min) return
    const oldest = group.idle.whole.head
    if (oldest === undefined) return
    const at = oldest.since + idleTimeToLive
    if (at < group.reaper.timerAt) this.watch(this.objects, group.reaper, at)
  }

  private note(
    tag: Happening["tag"],
    slot: Slot | undefined,
    waiter: Waiter | undefined,
    detail: unknown,
    at: number,
    group = slot?.group ?? waiter?.group
  ): void {
    if (!this.observed) return
    this.happenings.push({ tag, at, group, slot, waiter, detail })
  }
}
