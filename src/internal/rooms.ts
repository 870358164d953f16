/** How the places of a pool by key are shared out: who is next when one is free, and who makes room when none is. */
import type { Timed } from "./heap.ts"
import { Heap } from "./heap.ts"
import type { Everywhere } from "./idle.ts"
import type { Group, Slot } from "./state.ts"

/** What a key asks for its borrowers: one more object, if only there were a place. */
export class Claim implements Timed {
  /** When the first borrower arrived that no creation in flight will serve: the order of arrival, not a time. */
  timerAt = Infinity
  timerIndex = -1
  readonly group: Group
  /** The object that makes room for it, being destroyed. */
  room: Slot | undefined = undefined
  /** A shared object that will make room for it when its last holder is done. */
  pledge: Slot | undefined = undefined

  constructor(group: Group) {
    this.group = group
  }
}

export class Rooms implements Everywhere {
  /** Most places of all keys together. */
  max: number
  /** Places taken by all keys together. */
  taken = 0
  /** Keys for which no room is being made. */
  private readonly hungry = new Heap<Claim>()
  /** Keys for which room is being made. */
  private readonly promised = new Heap<Claim>()
  /** Keys below their minimum, which get what nobody waits for. */
  private readonly needy = new Set<Group>()
  /**
   * Keys with idle objects that have more than their minimum, by the longest idle object of each. A key may stand too
   * early, or here though it has no more: whoever comes to it looks again.
   */
  private readonly plenty = new Heap<Group>()
  /** The others. */
  private readonly least = new Heap<Group>()
  private rests = 0
  /** Objects that made room for a key which does not need it any more: the next one gets it. */
  private readonly loose = new Set<Slot>()

  constructor(max: number) {
    this.max = max
  }

  get isFull(): boolean {
    return this.taken >= this.max
  }

  /** Some key wants a place that another has, or there are more than may be. */
  get isCrowded(): boolean {
    return this.isHungry || this.taken > this.max
  }

  /** Does a key wait for room that nobody makes? */
  get isHungry(): boolean {
    return this.hungry.size > 0
  }

  // ---------------------------------------------------------------------------------------------------------------
  // who is next
  // ---------------------------------------------------------------------------------------------------------------

  /** A key wants one more for its borrowers, the first of whom arrived at `seq`; `Infinity` where it does not. */
  want(group: Group, seq: number, forMinimum: boolean): void {
    if (forMinimum) this.needy.add(group)
    else if (this.needy.size > 0) this.needy.delete(group)
    const claim = group.claim ??= seq === Infinity ? undefined : new Claim(group)
    if (claim === undefined) return
    if (claim.room === undefined) {
      this.hungry.set(claim, seq)
      if (seq === Infinity && claim.pledge === undefined) group.claim = undefined
    } else if (seq !== Infinity) this.promised.set(claim, seq)
    else this.loosen(claim, claim.room)
  }

  private loosen(claim: Claim, room: Slot): void {
    this.promised.remove(claim)
    claim.room = undefined
    room.claim = undefined
    this.loose.add(room)
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

  /** The key for which room is to be made next, where its longest waiting borrower came before this one. */
  olderThan(seq: number, except: Group): Claim | undefined {
    const first = this.hungry.first
    return first === undefined || first.timerAt >= seq || first.group === except ? undefined : first
  }

  // ---------------------------------------------------------------------------------------------------------------
  // who makes room
  // ---------------------------------------------------------------------------------------------------------------

  /** The next key for which room can be made, and the longest idle object of another that makes it. */
  victim(): readonly [Claim, Slot] | undefined {
    // beyond the bound, one place more is not enough
    if (this.taken > this.max) return undefined
    for (const room of this.loose) {
      if (this.hungry.first === undefined) return undefined
      this.loose.delete(room)
      this.promise(this.hungry.first, room)
    }
    const claim = this.hungry.first
    if (claim === undefined) return undefined
    const slot = this.spareFor(claim.group)
    return slot === undefined ? undefined : [claim, slot]
  }

  /** The longest idle object of another key; minimums are given up last. */
  spareFor(group: Group): Slot | undefined {
    return this.oldest(this.plenty, group) ?? this.oldest(this.least, group)
  }

  /** The longest idle object of all. */
  get longestIdle(): Slot | undefined {
    const beyond = this.oldest(this.plenty, undefined)
    const within = this.oldest(this.least, undefined)
    return beyond === undefined || (within !== undefined && within.rested < beyond.rested) ? within : beyond
  }

  private oldest(heap: Heap<Group>, except: Group | undefined): Slot | undefined {
    let aside: Group | undefined
    let found: Slot | undefined
    for (let group = heap.first; group !== undefined && found === undefined; group = heap.first) {
      const slot = group.idle.whole.head
      if (slot === undefined) heap.remove(group)
      else if (group.plenty && group.alive <= group.min) this.stand(group, slot)
      else if (slot.rested !== group.timerAt) heap.set(group, slot.rested)
      else if (group === except) heap.remove(aside = group)
      else found = slot
    }
    if (aside !== undefined) this.stand(aside, aside.idle.whole.head!)
    return found
  }

  private stand(group: Group, slot: Slot): void {
    this.unstand(group)
    group.plenty = group.alive > group.min
    const home = group.plenty ? this.plenty : this.least
    home.set(group, slot.rested)
  }

  private unstand(group: Group): void {
    const home = group.plenty ? this.plenty : this.least
    home.remove(group)
  }

  /** An object is idle from now on. */
  rested(slot: Slot): void {
    slot.rested = ++this.rests
    const { group } = slot
    if (group.timerIndex === -1) this.stand(group, slot)
  }

  /** A key may have more than its minimum now. */
  hasMore(group: Group): void {
    if (group.timerIndex === -1 || group.plenty) return
    const slot = group.idle.whole.head
    if (slot === undefined) this.unstand(group)
    else this.stand(group, slot)
  }

  /** This object makes room for the key. */
  promise(claim: Claim, slot: Slot): void {
    claim.room = slot
    slot.claim = claim
    const at = claim.timerAt
    this.hungry.remove(claim)
    this.promised.set(claim, at)
  }

  /** This shared object will make room for the key, unless another is sooner. */
  pledge(claim: Claim, slot: Slot): void {
    claim.pledge = slot
    slot.claim = claim
  }

  /** Nobody holds the object any more, and it is being destroyed. */
  emptied(slot: Slot): void {
    const { claim } = slot
    if (claim === undefined || claim.pledge !== slot) return
    claim.pledge = undefined
    slot.claim = undefined
    if (claim.room === undefined && claim.timerIndex !== -1) this.promise(claim, slot)
  }

  /** A place is free again. */
  release(slot: Slot): void {
    this.taken--
    if (this.loose.size > 0) this.loose.delete(slot)
    const { claim } = slot
    if (claim === undefined) return
    slot.claim = undefined
    if (claim.pledge === slot) claim.pledge = undefined
    if (claim.room !== slot) return
    claim.room = undefined
    const at = claim.timerAt
    this.promised.remove(claim)
    this.hungry.set(claim, at)
  }

  /** The key is no more. */
  forget(group: Group): void {
    this.needy.delete(group)
    this.unstand(group)
    const { claim } = group
    if (claim === undefined) return
    if (claim.room === undefined) this.hungry.remove(claim)
    else this.loosen(claim, claim.room)
    if (claim.pledge !== undefined) claim.pledge.claim = undefined
  }
}
