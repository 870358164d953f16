import type { Timed } from "./heap.ts"
import type { Linked } from "./list.ts"
import { List } from "./list.ts"
import type { Activity, Group, Slot } from "./state.ts"

/**
 * A borrower, from its arrival to the end of its borrow. One node serves the queue, the list of holders and the heap of
 * deadlines: it is in at most one list at a time.
 */
export class Waiter implements Linked<Waiter>, Timed {
  prev: Waiter | undefined = undefined
  next: Waiter | undefined = undefined
  timerAt = Infinity
  timerIndex = -1
  state: "new" | "queued" | "preparing" | "holding" | "returning" | "ended" = "new"
  group: Group
  /** What it holds; while an object is prepared for it, that object. */
  slot: Slot | undefined = undefined
  /** What is being run on the object for this borrower. */
  activity: Activity | undefined = undefined
  /** The order of arrival, for a borrower that becomes the first in the queue again. */
  seq = 0
  /** Since when it has been waiting, then since when it has been holding. */
  since = 0
  deadline = Infinity
  timeout = Infinity
  /** Takes an idle object or nothing. */
  polls = false

  constructor(group: Group) {
    this.group = group
  }
}

/** First come, first served. */
export class Queue extends List<Waiter> {
  /** The first borrower whose deadline is ordered by its arrival: it is the next of those to give up. */
  patient: Waiter | undefined = undefined

  enter(waiter: Waiter): void {
    this.push(waiter)
    if (this.patient === undefined && isPatient(waiter)) this.patient = waiter
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
