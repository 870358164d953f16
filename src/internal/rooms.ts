/** How the places of a pool by key are shared out: who is next when one is free, and who makes room when none is. */
import type { Timed } from "./heap.ts"
import { Heap } from "./heap.ts"
import type { IdlePlace } from "./idle.ts"
import { List } from "./list.ts"
import type { Group, Slot } from "./state.ts"

/** A key whose borrowers could be served by one more object, if only there were a place. */
export class Hunger implements Timed {
  /** When its longest waiting borrower arrived: the order of arrival, not a time. */
  timerAt = Infinity
  timerIndex = -1
  readonly group: Group
  /** The object that makes room for it. */
  room: Slot | undefined = undefined

  constructor(group: Group) {
    this.group = group
  }
}

export class Rooms {
  /** Most places of all keys together. */
  max: number
  /** Places taken by all keys together. */
  taken = 0
  /** The idle objects of all keys, the longest idle first. */
  readonly idle = new List<IdlePlace>()
  /** Keys for which no room is being made. */
  private readonly hungry = new Heap<Hunger>()
  /** Keys for which room is being made. */
  private readonly promised = new Heap<Hunger>()
  /** Keys below their minimum, which get what nobody waits for. */
  private readonly needy = new Set<Group>()
  private readonly hungers = new Map<Group, Hunger>()
  private readonly rooms = new Map<Slot, Hunger>()

  constructor(max: number) {
    this.max = max
  }

  get isFull(): boolean {
    return this.taken >= this.max
  }

  /** Does a key wait for room that nobody makes? */
  get isHungry(): boolean {
    return this.hungry.size > 0
  }

  /** A key wants one more for its borrowers, or for its minimum, or neither. */
  want(group: Group, forBorrowers: boolean, forMinimum: boolean): void {
    if (forMinimum) this.needy.add(group)
    else this.needy.delete(group)
    let hunger = this.hungers.get(group)
    if (!forBorrowers) {
      if (hunger !== undefined) this.sate(hunger)
      return
    }
    if (hunger === undefined) this.hungers.set(group, hunger = new Hunger(group))
    const heap = hunger.room === undefined ? this.hungry : this.promised
    heap.set(hunger, group.queue.head!.seq)
  }

  private sate(hunger: Hunger): void {
    this.hungry.remove(hunger)
    this.promised.remove(hunger)
    if (hunger.room === undefined) this.hungers.delete(hunger.group)
  }

  /** The key to which a free place belongs: that of the longest waiting borrower, then one below its minimum. */
  next(): Group | undefined {
    const first = this.hungry.first
    const second = this.promised.first
    if (first === undefined && second === undefined) {
      for (const group of this.needy) return group
      return undefined
    }
    return (second === undefined || (first !== undefined && first.timerAt < second.timerAt) ? first! : second).group
  }

  /** A key for which room must be made, whose longest waiting borrower came before this one. */
  olderThan(seq: number, except: Group): Group | undefined {
    const first = this.hungry.first
    return first === undefined || first.timerAt >= seq || first.group === except ? undefined : first.group
  }

  /** The next key for which room can be made, and the idle object that makes it: minimums are given up last. */
  victim(): readonly [Group, Slot] | undefined {
    const group = this.hungry.first?.group
    if (group === undefined) return undefined
    let spared: Slot | undefined
    for (let place = this.idle.head; place !== undefined; place = place.next) {
      const { slot } = place
      if (slot.group === group) continue
      if (slot.group.alive > slot.group.min) return [group, slot]
      spared ??= slot
    }
    return spared === undefined ? undefined : [group, spared]
  }

  /** This object makes room for the key. */
  promise(group: Group, slot: Slot): void {
    const hunger = this.hungers.get(group)!
    hunger.room = slot
    this.rooms.set(slot, hunger)
    const at = hunger.timerAt
    this.hungry.remove(hunger)
    this.promised.set(hunger, at)
  }

  /** A place is free again. */
  release(slot: Slot): void {
    this.taken--
    const hunger = this.rooms.get(slot)
    if (hunger === undefined) return
    this.rooms.delete(slot)
    hunger.room = undefined
    const at = hunger.timerAt
    this.promised.remove(hunger)
    if (at === Infinity) this.hungers.delete(hunger.group)
    else this.hungry.set(hunger, at)
  }

  /** The key is no more. */
  forget(group: Group): void {
    this.needy.delete(group)
    const hunger = this.hungers.get(group)
    if (hunger === undefined) return
    this.hungry.remove(hunger)
    this.promised.remove(hunger)
    this.hungers.delete(group)
    if (hunger.room !== undefined) this.rooms.delete(hunger.room)
  }
}
