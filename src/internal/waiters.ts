import type { Timed } from "./heap.ts"
import type { Linked } from "./list.ts"
import { List } from "./list.ts"
import type { Group, Slot } from "./state.ts"

/** So many owners are told apart; several may have the same number. */
export const owners = 257

/**
 * A borrower, from its arrival to the end of its borrow. One node serves the queue, the list of holders and the heap of
 * deadlines: it is in at most one list at a time.
 */
export class Waiter implements Linked<Waiter>, Timed {
  declare prev: Waiter | undefined
  declare next: Waiter | undefined
  declare timerIndex: number
  declare state: "new" | "queued" | "preparing" | "holding" | "returning" | "ended"
  declare group: Group
  /** What it holds; while an object is prepared for it, that object. */
  declare slot: Slot | undefined
  /** The order of arrival, for a borrower that becomes the first in the queue again; zero for one that never queues. */
  declare seq: number
  /** Since when it has been waiting, then since when it has been holding. */
  declare since: number
  /** Set when it arrives, and never read before: zero, so that the hot path allocates no number. */
  declare deadline: number
  /** Whose it is: the same for all of one owner, below `owners`, and for as long as it holds; 0 for all that say nothing. */
  declare owner: number

  // assignments instead of field initialisers: making a borrower costs half as much
  constructor(group: Group) {
    this.prev = undefined
    this.next = undefined
    this.timerIndex = -1
    this.state = "new"
    this.group = group
    this.slot = undefined
    this.seq = 0
    this.since = 0
    this.deadline = 0
    this.owner = 0
  }

  /** In a heap it stands by its deadline, which does not move while it is there. */
  get timerAt(): number {
    return this.deadline
  }

  set timerAt(_at: number) {}
}

/** First come, first served. */
export class Queue extends List<Waiter> {
  /** The first borrower whose deadline is ordered by its arrival: it is the next of those to give up. */
  patient: Waiter | undefined = undefined
  /** No deadline that is ordered so is later. */
  private latest = 0

  /** Would a newcomer give up after all whose deadlines are ordered? So it is where all wait for the same time. */
  keepsOrder(deadline: number): boolean {
    return this.patient === undefined || deadline >= this.latest
  }

  enter(waiter: Waiter): void {
    this.push(waiter)
    if (!isPatient(waiter)) return
    const { deadline } = waiter
    if (this.patient === undefined) {
      this.patient = waiter
      this.latest = deadline
    } else if (deadline > this.latest) this.latest = deadline
  }

  /** Back to the place that its arrival gives it. */
  reenter(waiter: Waiter): void {
    let next = this.head
    while (next !== undefined && next.seq < waiter.seq) next = next.next
    this.insertBefore(waiter, next)
  }

  leave(waiter: Waiter): void {
    if (waiter === this.patient) {
      let next = waiter.next
      while (next !== undefined && !isPatient(next)) next = next.next
      this.patient = next
    }
    this.remove(waiter)
  }
}

/** With a deadline, and not in the heap of the deadlines that keep no order. */
const isPatient = (waiter: Waiter): boolean => waiter.deadline !== Infinity && waiter.timerIndex === -1
