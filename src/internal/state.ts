/** What a pool's state is made of; what changes it is in `machine.ts` and what that extends. */
import type { Timed } from "./heap.ts"
import type { Everywhere } from "./idle.ts"
import { Idle, nowhere, wholly } from "./idle.ts"
import type { Linked } from "./list.ts"
import type { Reason } from "./policy.ts"
import type { Claim } from "./rooms.ts"
import { Totals } from "./totals.ts"
import type { Waiter } from "./waiters.ts"
import { Queue } from "./waiters.ts"

/** One place: an object from the beginning of its creation until its finalizers have ended. */
export class Slot implements Linked<Slot>, Timed {
  declare prev: Slot | undefined
  declare next: Slot | undefined
  declare timerAt: number
  declare timerIndex: number
  declare readonly id: number
  declare readonly group: Group
  declare state: "creating" | "alive" | "destroying" | "gone"
  /** What the interpreter keeps of it. */
  declare resource: unknown
  declare value: unknown
  /** Where it stands in its group's `slots`. */
  declare index: number
  /** The attempts before it began, to tell an attempt from a straggler. */
  declare readonly attempt: number
  /** The only borrower that it may serve, where objects are not pooled. */
  declare readonly only: Waiter | undefined
  declare readonly startedAt: number
  declare createdAt: number
  /** Since when it is idle, in use, or being destroyed. */
  declare since: number
  /** Since when nothing was known of its health. */
  declare checkedAt: number
  declare expiresAt: number
  declare uses: number
  declare holders: number
  /** Borrowers for whom it is being prepared. */
  declare preparing: number
  /** Must go, and why. */
  declare doomed: Reason | undefined
  /** Where there are keys, in which order their objects became idle. */
  declare rested: number
  /** The key for which it makes room. */
  declare claim: Claim | undefined
  /** In the list of the wholly idle, but being checked. */
  declare passedOver: boolean
  /** In which list of those that can be lent: `wholly` idle, or with this many borrowers, or none. */
  declare standing: number
  /** Straight from its creation, its return or a check. */
  declare fresh: boolean
  /** Checks and hooks that run on it; replaced, not changed, since most objects share the empty one. */
  declare activities: ReadonlyArray<Activity>

  // assignments instead of field initialisers: making an object costs half as much
  constructor(id: number, group: Group, attempt: number, only: Waiter | undefined, now: number) {
    // what every borrow needs stands together
    this.prev = undefined
    this.next = undefined
    this.group = group
    this.since = 0
    this.holders = 0
    this.state = "creating"
    this.doomed = undefined
    this.passedOver = false
    this.fresh = false
    this.preparing = 0
    this.uses = 0
    this.standing = nowhere
    this.rested = 0
    this.value = undefined
    this.activities = noActivities
    // not numbers at first: V8 would keep two of its own for each object, which is 32 bytes
    this.expiresAt = this.timerAt = undefined as unknown as number
    this.expiresAt = this.timerAt = Infinity
    this.timerIndex = -1
    this.id = id
    this.resource = undefined
    this.index = -1
    this.attempt = attempt
    this.only = only
    this.startedAt = now
    this.createdAt = -1
    this.checkedAt = 0
    this.claim = undefined
  }

  get tag(): "slot" {
    return "slot"
  }

  /** In the list of the wholly idle. */
  get idle(): boolean {
    return this.standing === wholly
  }
}

export const noActivities: ReadonlyArray<Activity> = []

/** A check or a hook that runs on an object. */
export class Activity implements Timed {
  timerAt = Infinity
  timerIndex = -1
  readonly tag = "activity"
  readonly kind: "check" | "borrow" | "return"
  readonly slot: Slot
  readonly startedAt: number
  /** For whom; the next borrower may take the place of one that leaves. */
  waiter: Waiter | undefined
  /** Begun to hand the object to a borrower, whoever that will be. */
  readonly forBorrower: boolean
  /** It has been interrupted, because there is nothing left to run it for. */
  stopped = false
  /** Of a return: the end of the borrow hit the object while it was used. */
  unknown = false
  /** Of the check that follows such a return: how long the borrow was, to be told when the check has ended. */
  held: number | undefined = undefined
  over = false
  /** What the interpreter keeps of it. */
  fiber: unknown = undefined
  /** The same of a return: how the holder ended. */
  exit: unknown = undefined

  constructor(kind: "check" | "borrow" | "return", slot: Slot, waiter: Waiter | undefined, now: number) {
    this.kind = kind
    this.slot = slot
    this.waiter = waiter
    this.forBorrower = kind !== "return" && waiter !== undefined
    this.startedAt = now
  }
}

/** Attempts to create are spaced: since the first failure, and until one succeeds. */
export class Outage {
  readonly group: Group
  /** The earliest moment of the next attempt; `Infinity` while its spacing is not known yet. */
  retryAt = Infinity
  /** The latest failure. */
  failedAt: number
  delay = 0
  /** The attempt that is under way. */
  attempt: Slot | undefined = undefined
  /** Objects were lost before anybody had them: a creation that succeeds does not end it, a hand-over does. */
  losing = false
  /** How those who space the attempts remember where they are. */
  step: unknown = undefined

  constructor(group: Group, now: number) {
    this.group = group
    this.failedAt = now
  }
}

/** A moment of a group: when the next attempt may begin, or when the longest idle object has been idle too long. */
export class Moment implements Timed {
  timerAt = Infinity
  timerIndex = -1
  readonly tag: "retry" | "idle"
  readonly group: Group

  constructor(tag: "retry" | "idle", group: Group) {
    this.tag = tag
    this.group = group
  }
}

/** Up to so many objects are looked through for a value, more have a map. */
const few = 16

/**
 * The objects and borrowers of one key; a pool without keys is one group. There may be very many keys: what few of them
 * need is made when it is needed, and what every borrow needs stands together.
 */
export class Group extends Totals implements Timed {
  declare readonly idle: Idle
  declare readonly queue: Queue
  declare outage: Outage | undefined
  /** The key is no more: neither object nor borrower. */
  declare vanished: boolean
  /** Objects idle, in use or checked. */
  declare size: number
  declare creating: number
  /** Objects that need not go. */
  declare alive: number
  declare max: number
  /** Where a key with idle objects stands among the others, by the longest idle. */
  declare timerIndex: number
  declare timerAt: number
  /** It stands among those that have more than their minimum. */
  declare plenty: boolean
  declare min: number
  declare destroying: number
  /** Borrowers for whom an object is being prepared. */
  declare preparing: number
  /** Checks under way. */
  declare checks: number
  declare readonly key: unknown
  /** How the key reads in errors, logs and statistics; a pool without keys has none. */
  declare label: string | undefined
  declare slots: Array<Slot>
  /** Creations for one borrower that has left. */
  declare orphans: number
  declare attempts: number
  declare lastFailure: unknown
  /** A key that lost its last objects, with nobody there: its minimum does not count. */
  declare abandoned: boolean
  /** What a key asks of the places of all keys. */
  declare claim: Claim | undefined
  declare private retryMoment: Moment | undefined
  declare private reaperMoment: Moment | undefined
  declare private places: Map<unknown, Slot | Set<Slot>> | undefined

  constructor(key: unknown, min: number, max: number, everywhere?: Everywhere) {
    super()
    this.borrowed = 0
    this.returned = 0
    this.idle = new Idle(everywhere)
    this.queue = new Queue()
    this.outage = undefined
    this.vanished = false
    this.size = 0
    this.creating = 0
    this.alive = 0
    this.max = max
    this.timerIndex = -1
    this.plenty = false
    this.min = min
    this.timerAt = Infinity
    this.destroying = 0
    this.preparing = 0
    this.checks = 0
    this.key = key
    this.label = undefined
    this.slots = []
    this.orphans = 0
    this.attempts = 0
    this.lastFailure = undefined
    this.abandoned = false
    this.claim = undefined
    this.retryMoment = undefined
    this.reaperMoment = undefined
    this.places = undefined
    this.begin()
  }

  /** When the next attempt to create may begin. */
  get retry(): Moment {
    return this.retryMoment ??= new Moment("retry", this)
  }

  /** When the longest idle object has been idle too long. */
  get reaper(): Moment {
    return this.reaperMoment ??= new Moment("idle", this)
  }

  /** What has happened to it. */
  get totals(): Totals {
    return this
  }

  get waiting(): number {
    return this.queue.size + this.preparing
  }

  addSlot(slot: Slot): void {
    slot.index = this.slots.length
    // an array that is made with its only member is the smallest
    if (slot.index === 0) this.slots = [slot]
    else this.slots.push(slot)
  }

  removeSlot(slot: Slot): void {
    const last = this.slots.pop()!
    if (last !== slot) {
      last.index = slot.index
      this.slots[slot.index] = last
    }
    slot.index = -1
  }

  /** Every place that holds this very value. */
  holding(value: unknown): ReadonlyArray<Slot> {
    if (this.places === undefined) {
      // as the map does: `NaN` is itself
      return this.slots.filter((slot) =>
        slot.state === "alive" && (slot.value === value || Object.is(slot.value, value))
      )
    }
    const found = this.places.get(value)
    return found === undefined ? [] : found instanceof Slot ? [found] : [...found]
  }

  remember(slot: Slot): void {
    if (this.places === undefined) {
      if (this.slots.length <= few) return
      this.places = new Map()
      for (const other of this.slots) if (other !== slot && other.state === "alive") this.remember(other)
    }
    const found = this.places.get(slot.value)
    if (found === undefined) this.places.set(slot.value, slot)
    else if (found instanceof Slot) this.places.set(slot.value, new Set([found, slot]))
    else found.add(slot)
  }

  forget(slot: Slot): void {
    if (this.places === undefined) return
    const found = this.places.get(slot.value)
    if (found === slot) this.places.delete(slot.value)
    else if (found instanceof Set) {
      found.delete(slot)
      if (found.size === 0) this.places.delete(slot.value)
    }
  }
}

export interface Counts {
  readonly size: number
  readonly max: number
  readonly inUse: number
  readonly creating: number
  readonly destroying: number
  readonly waiting: number
}

/** What must be done outside. */
export type Command =
  /** Begin the creation. */
  | { readonly op: "create"; readonly slot: Slot; readonly asker: Waiter | undefined }
  /** Interrupt the creation, do not wait for its end; what it makes is destroyed. */
  | { readonly op: "abort"; readonly slot: Slot }
  /** Run its finalizers. */
  | { readonly op: "destroy"; readonly slot: Slot }
  /** Its finalizers take too long: they are left to themselves. */
  | { readonly op: "leave"; readonly slot: Slot }
  /** Begin a check or a hook. */
  | { readonly op: "run"; readonly activity: Activity }
  /** Interrupt a check or a hook; its end is told. */
  | { readonly op: "stop"; readonly activity: Activity }
  /** Interrupt a check or a hook that took too long; its end is of no interest. */
  | { readonly op: "desert"; readonly activity: Activity }
  /** A creation has failed at its deadline: as `abort`. */
  | { readonly op: "late"; readonly slot: Slot; readonly failure: unknown }
  /** How long until the next attempt? Answer with `spaced`. */
  | { readonly op: "space"; readonly outage: Outage }
  /** The key has neither object nor borrower any more. */
  | { readonly op: "vanish"; readonly group: Group }
  /** They waited too long. */
  | { readonly op: "timeout"; readonly waiters: ReadonlyArray<Waiter>; readonly counts: Counts }
  /** Too many wait. */
  | { readonly op: "reject"; readonly waiter: Waiter }
  /** The creation they waited for failed, and there is no other. */
  | { readonly op: "fail"; readonly waiters: ReadonlyArray<Waiter>; readonly failure: unknown }
  /** The pool is closed. */
  | { readonly op: "close"; readonly waiters: ReadonlyArray<Waiter> }
  /** There was no idle object for one that polls. */
  | { readonly op: "none"; readonly waiter: Waiter }
  /** The borrow is over, and its hook too. */
  | { readonly op: "returned"; readonly waiter: Waiter }
  | { readonly op: "overdue"; readonly waiter: Waiter }
  | { readonly op: "revoke"; readonly waiter: Waiter; readonly reason: "revoked" | "shutdown" }

/** What happened, for those who listen. */
export interface Happening {
  readonly tag:
    | "Created"
    | "CreateFailed"
    | "Borrowed"
    | "Returned"
    | "Destroyed"
    | "TimedOut"
    | "Rejected"
    | "Cancelled"
    | "Unhealthy"
    | "Overdue"
    | "Revoked"
    | "Resized"
    | "Suspended"
    | "Resumed"
    | "Evicted"
  readonly at: number
  readonly group: Group | undefined
  readonly slot: Slot | undefined
  readonly waiter: Waiter | undefined
  /** A duration in milliseconds, a reason, or the failure. */
  readonly detail: unknown
}

export interface Bounds {
  readonly min: number
  readonly max: number
}
