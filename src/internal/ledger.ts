/** What a pool knows of itself: its state, how it reads, what is counted, and which moments matter. It changes nothing else. */
import type { Timed } from "./heap.ts"
import { Heap } from "./heap.ts"
import { Histogram } from "./histogram.ts"
import { List } from "./list.ts"
import type { Policy } from "./policy.ts"
import type { Rooms } from "./rooms.ts"
import type { Activity, Bounds, Command, Counts, Happening, Moment, Slot } from "./state.ts"
import { Group } from "./state.ts"
import { Totals } from "./totals.ts"
import type { Waiter } from "./waiters.ts"
import { owners } from "./waiters.ts"

export class Ledger {
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
  /** How many objects each owner holds: counted from the first question until nobody waits, since most ask nothing. */
  private heldBy: Int32Array | undefined = undefined
  protected counting = false
  /** Whose return hook is running. */
  readonly returning = new List<Waiter>()
  /** The first in `held` that has not been warned. */
  protected unwarned: Waiter | undefined = undefined

  /** What was counted for keys that are no more. */
  readonly departed = new Totals()
  readonly waits = new Histogram()
  readonly uses = new Histogram()
  readonly creations = new Histogram()

  /** How many creations ever began: the number of the next. */
  protected started = 0
  protected arrivals = 0
  protected readonly objects = new Heap<Slot | Activity | Moment>()
  protected readonly patience = new Heap<Waiter>()
  protected readonly random: () => number
  protected readonly late: (group: Group) => unknown
  /** The earlier of warning and limit. */
  protected readonly overdueAfter: number
  /** Idle objects have deadlines. */
  protected readonly idles: boolean
  /** An idle object may need a check or a hook before it is lent. */
  protected readonly prepares: boolean
  /** Lending leaves nothing to be done later. */
  protected readonly lendsOnly: boolean
  /** What is returned needs nothing before it is lent again, and nobody else holds it. */
  protected readonly takesAsIs: boolean

  /** `random` gives the jitter, from 0 to 1; `late` what a creation fails with at its deadline. */
  constructor(policy: Policy, random: () => number, late: (group: Group) => unknown) {
    this.policy = policy
    this.random = random
    this.late = late
    this.overdueAfter = Math.min(policy.borrowWarning, policy.borrowLimit)
    this.idles = policy.idleTimeToLive !== Infinity || policy.healthInterval !== Infinity
    this.prepares = policy.hasBorrowHook || policy.healthAfterIdle !== Infinity
    this.lendsOnly = this.overdueAfter === Infinity && policy.maxUses === Infinity && policy.concurrency === 1
    this.takesAsIs = policy.concurrency === 1 && !policy.unpooled && !policy.hasReturnHook
  }

  addGroup(key: unknown, bounds: Bounds): Group {
    const group = new Group(key, bounds.min, bounds.max, this.rooms)
    this.groups.set(key, group)
    return group
  }

  /** Its groups are keys that share these places; given, since a pool without keys shall not carry them. */
  share(rooms: Rooms): void {
    this.rooms = rooms
  }

  // ---------------------------------------------------------------------------------------------------------------
  // what the whole looks like
  // ---------------------------------------------------------------------------------------------------------------

  /** Does this owner hold something, or one that has the same number? */
  mayHold(owner: number): boolean {
    if (!this.counting) {
      this.counting = true
      this.heldBy ??= new Int32Array(owners)
      this.heldBy.fill(0)
      for (let waiter = this.held.head; waiter !== undefined; waiter = waiter.next) this.count(waiter, 1)
    }
    return this.heldBy![owner]! > 0
  }

  protected count(waiter: Waiter, held: number): void {
    this.heldBy![waiter.owner]! += held
  }

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

  /** What has happened since the start, in all groups; where there are no keys, it goes on counting. */
  get totals(): Totals {
    const groups = [...this.groups.values()]
    if (this.rooms === undefined && groups.length === 1) return groups[0]!
    const totals = new Totals()
    for (const each of [this.departed, ...groups]) totals.add(each)
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
  // what is counted, and told
  // ---------------------------------------------------------------------------------------------------------------

  /** The wait is over, where there was one. */
  protected waited(waiter: Waiter, now: number): void {
    if (waiter !== this.asking || now > waiter.since) this.waits.record(now - waiter.since)
  }

  protected note(
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

  // ---------------------------------------------------------------------------------------------------------------
  // deadlines
  // ---------------------------------------------------------------------------------------------------------------

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
  protected get ordered(): Iterable<Group> {
    return this.rooms === undefined ? this.groups.values() : []
  }

  protected watch<T extends Timed>(heap: Heap<T>, node: T, at: number): void {
    heap.set(node, at)
    if (at < this.wakeAt) this.wakeAt = at
  }

  /** When an object that can be checked is to be checked next. */
  protected healthDue(slot: Slot): number {
    if (slot.doomed !== undefined || slot.activities.length > 0) return Infinity
    if (this.policy.concurrency === 1 && !slot.idle) return Infinity
    return Math.max(slot.checkedAt, slot.holders === 0 ? slot.since : 0) + this.policy.healthInterval
  }

  /** Deadlines only move later while it is lent and returned: an earlier one in the heap is looked at again then. */
  protected watchSlot(slot: Slot): void {
    const at = Math.min(slot.expiresAt, this.healthDue(slot))
    if (at < slot.timerAt) this.watch(this.objects, slot, at)
    this.watchIdle(slot.group)
  }

  protected watchIdle(group: Group): void {
    const { idleTimeToLive } = this.policy
    if (idleTimeToLive === Infinity || group.alive <= group.min) return
    const oldest = group.idle.whole.head
    if (oldest === undefined) return
    const at = oldest.since + idleTimeToLive
    if (at < group.reaper.timerAt) this.watch(this.objects, group.reaper, at)
  }
}
