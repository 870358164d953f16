import { List } from "./list.ts"
import type { Slot } from "./state.ts"

/** Where an object stands that cannot be lent, and where the wholly idle do; the others by their borrowers, from one. */
export const nowhere = 0
export const wholly = -1

/** What is told of the idle objects of all keys, where there are keys. */
export interface Everywhere {
  /** The object is wholly idle from now on. */
  rested(slot: Slot): void
}

const unshared: Array<List<Slot> | undefined> = []

const whichever = (): boolean => true

/**
 * The objects of one group that can be lent: the wholly idle ones in the order in which they became idle, and, where
 * objects are shared, those with a share free, by their number of borrowers.
 */
export class Idle extends List<Slot> {
  /**
   * The longest idle first; one that is being checked keeps its place, and is passed over. It is this object itself:
   * among many keys every object on the way to theirs is slow to come.
   */
  readonly whole: List<Slot> = this
  /** How many in `whole` are passed over. */
  checked = 0
  /** By number of borrowers; stays empty where objects are not shared. */
  private shared: Array<List<Slot> | undefined> = unshared
  /** No list in `shared` below this has a member. */
  private least = 1
  private readonly everywhere: Everywhere | undefined

  constructor(everywhere: Everywhere | undefined) {
    super()
    this.everywhere = everywhere
  }

  /** How many are idle and not being checked. */
  get count(): number {
    return this.whole.size - this.checked
  }

  add(slot: Slot): void {
    slot.standing = wholly
    this.whole.push(slot)
    if (this.everywhere !== undefined) this.everywhere.rested(slot)
  }

  addShared(slot: Slot, load: number): void {
    if (this.shared === unshared) this.shared = []
    const list = this.shared[load] ??= new List()
    slot.standing = load
    list.push(slot)
    if (load < this.least) this.least = load
  }

  /** Takes it out, wherever it is. */
  override remove(slot: Slot): void {
    if (slot.standing === wholly) {
      slot.standing = nowhere
      if (slot.passedOver) this.unblock(slot)
      super.remove(slot)
    } else if (slot.standing !== nowhere) {
      this.shared[slot.standing]!.remove(slot)
      slot.standing = nowhere
    }
  }

  /** It is being checked: keeps its place, and is lent to nobody. */
  block(slot: Slot): void {
    slot.passedOver = true
    this.checked++
  }

  unblock(slot: Slot): void {
    slot.passedOver = false
    this.checked--
  }

  /** The one to be lent next; it stays where it is. */
  next(order: "lifo" | "fifo"): Slot | undefined {
    if (this.size === 0 || this.checked > 0) return this.find(order, whichever)
    return order === "lifo" ? this.tail : this.head
  }

  /** The first of those that fit, in the order in which they are lent. */
  find(order: "lifo" | "fifo", fits: (slot: Slot) => boolean): Slot | undefined {
    let slot = order === "lifo" ? this.tail : this.head
    while (slot !== undefined && (slot.passedOver || !fits(slot))) slot = order === "lifo" ? slot.prev : slot.next
    const { shared } = this
    for (let load = this.least; slot === undefined && load < shared.length; load++) {
      slot = shared[load]?.head
      if (slot === undefined && load === this.least) this.least++
      while (slot !== undefined && !fits(slot)) slot = slot.next
    }
    return slot
  }
}
