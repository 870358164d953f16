/**
 * What the contract says of a pool, written down without a thought for speed: arrays that are searched, deadlines that
 * are looked for, counts that are counted. It knows nothing of `machine.ts` but the words for policies and reasons, and
 * predicts what a transition says and does. Where the contract leaves a choice (which of the equally shared objects, in
 * which order what is due at one moment happens), it follows the one that was made, once it has checked that it may be.
 */
import { Machine } from "../../src/internal/machine.ts"
import type { Policy, Reason } from "../../src/internal/policy.ts"
import { Rooms } from "../../src/internal/rooms.ts"
import type { Activity, Command, Group, Happening, Outage as MachineOutage, Slot } from "../../src/internal/state.ts"
import { owners, Waiter } from "../../src/internal/waiters.ts"

export type Kind = "check" | "borrow" | "return"

/** A check or a hook. */
export interface Task {
  readonly kind: Kind
  readonly thing: Thing
  /** Begun to hand the object to somebody, whoever that will be. */
  readonly lending: boolean
  /** A check of an idle object, which keeps its place among the idle ones. */
  readonly beside: boolean
  readonly unknown: boolean
  readonly begunAt: number
  person: Person | undefined
  stopped: boolean
  awaited: boolean
  /** How long the borrow was that made the check necessary. */
  held: number | undefined
}

/** A place, and the object in it. */
export interface Thing {
  readonly id: number
  readonly key: Key
  readonly begunAt: number
  readonly round: number
  /** The only borrower that it may serve. */
  readonly owner: Person | undefined
  phase: "creating" | "alive" | "destroying" | "gone"
  born: boolean
  value: unknown
  reason: Reason | undefined
  since: number
  checkedAt: number
  expiresAt: number
  endedAt: number
  uses: number
  awaited: boolean
  /** The order in which it became wholly idle; none where it is not. */
  rank: number | undefined
  holders: Array<Person>
  tasks: Array<Task>
}

/** A borrower. */
export interface Person {
  readonly id: number
  readonly key: Key
  readonly polls: boolean
  state: "waiting" | "preparing" | "holding" | "returning" | "gone"
  arrival: number
  /** The order of the hand-overs. */
  turn: number
  since: number
  deadline: number
  warned: boolean
  /** It got nothing at once. */
  waited: boolean
  thing: Thing | undefined
  task: Task | undefined
  /** What is being created for it, where objects are not pooled. */
  creation: Thing | undefined
}

interface Outage {
  /** When the next attempt may begin; `Infinity` while its spacing is not known. */
  until: number
  lastAt: number
  delay: number
  attempt: Thing | undefined
  losing: boolean
}

/** The objects and borrowers of one key; a pool without keys has one. */
export class Key {
  readonly name: string
  min: number
  max: number
  things: Array<Thing> = []
  /** Those that are not gone. */
  people: Array<Person> = []
  outage: Outage | undefined = undefined
  rounds = 0
  lastFailure: unknown = undefined
  /** Its last objects were taken, or could not be made, while nobody waited: its minimum is no reason to live. */
  left = false
  /** When something happened to it: what became due since then may go unnoticed. */
  seenAt = 0
  touched = false

  constructor(name: string, min: number, max: number) {
    this.name = name
    this.min = min
    this.max = max
  }

  get creating(): ReadonlyArray<Thing> {
    return this.things.filter((thing) => thing.phase === "creating")
  }

  /** Objects idle, in use or checked. */
  get objects(): ReadonlyArray<Thing> {
    return this.things.filter((thing) => thing.phase === "alive")
  }

  /** Objects that need not go. */
  get alive(): ReadonlyArray<Thing> {
    return this.objects.filter((thing) => thing.reason === undefined)
  }

  get queue(): ReadonlyArray<Person> {
    return this.people.filter((person) => person.state === "waiting").toSorted((a, b) => a.arrival - b.arrival)
  }

  get isWaiting(): boolean {
    return this.people.some((person) => person.state === "waiting" || person.state === "preparing")
  }
}

/** An object makes room for a key: now, or when its last holder is done. */
interface Room {
  /** None where that key needs it no more. */
  key: Key | undefined
  readonly thing: Thing
  later: boolean
}

interface Given {
  readonly thing: number
  /** When, in the order of what happened. */
  readonly at: number
}

/** Which choice was made where the contract leaves one. */
export interface Choices {
  /** The objects that this borrower was given, or that were prepared for it, one after the other. */
  readonly thingsOf: (person: number) => Array<Given>
  /** When it was decided that this object must go, in the order of what happened. */
  readonly doomedAt: (thing: number) => number
  /** The keys for which creations were begun, one after the other. */
  readonly created: Array<string>
}

/** What is due at one moment, in the order in which it happens. */
export type Due =
  | { readonly thing: number }
  | { readonly task: Task }
  | { readonly retry: string }
  | { readonly idle: string }

const remove = <A>(array: Array<A>, item: A): void => {
  const index = array.indexOf(item)
  if (index === -1) throw new Error("the model lost something")
  array.splice(index, 1)
}

export class Model {
  readonly policy: Policy
  readonly keys: Array<Key> = []
  /** Most places of all keys together; none where there are no keys. */
  total: number | undefined
  now = 0
  suspended = false
  closed = false
  /** What the transition has said. */
  said: Array<string> = []
  /** The outages of attempts that are to be spaced, in their order. */
  readonly spaces: Array<{ readonly name: string; readonly outage: Outage }> = []
  /** What the transition has told those who listen. */
  told: Array<string> = []
  choices: Choices = { thingsOf: () => [], doomedAt: () => Infinity, created: [] }

  created = 0
  createFailures = 0
  borrowed = 0
  returned = 0
  timeouts = 0
  rejected = 0
  cancelled = 0
  healthChecks = 0
  destroyed: Record<string, number> = {}
  waits = 0
  asking: Person | undefined = undefined
  waited = 0

  private begun = 0
  private begunNow = 0
  private arrivals = 0
  private ranks = 0
  /** Straight from its creation, its return or a check. */
  private fresh: Thing | undefined = undefined
  /** Which object makes room for which key. */
  private rooms: Array<Room> = []

  constructor(policy: Policy, total: number | undefined) {
    this.policy = policy
    this.total = total
  }

  // ---------------------------------------------------------------------------------------------------------------
  // counting
  // ---------------------------------------------------------------------------------------------------------------

  get things(): ReadonlyArray<Thing> {
    return this.keys.length === 1 ? this.keys[0]!.things : this.keys.flatMap((key) => key.things)
  }

  get people(): ReadonlyArray<Person> {
    return this.keys.length === 1 ? this.keys[0]!.people : this.keys.flatMap((key) => key.people)
  }

  stateOf(thing: Thing): "idle" | "inUse" | "checking" {
    if (thing.holders.length > 0) return "inUse"
    if (thing.tasks.some((task) => task.kind === "check")) return "checking"
    return thing.tasks.length > 0 ? "inUse" : "idle"
  }

  counts(): string {
    const { people, things } = this
    const objects = things.filter((thing) => thing.phase === "alive")
    return JSON.stringify({
      size: objects.length,
      max: this.total ?? this.keys[0]!.max,
      inUse: objects.filter((thing) => this.stateOf(thing) === "inUse").length,
      creating: things.filter((thing) => thing.phase === "creating").length,
      destroying: things.filter((thing) => thing.phase === "destroying").length,
      waiting: people.filter((person) => person.state === "waiting" || person.state === "preparing").length
    })
  }

  // ---------------------------------------------------------------------------------------------------------------
  // rules
  // ---------------------------------------------------------------------------------------------------------------

  /** Borrowers, those for whom it is being prepared included. */
  private load(thing: Thing): number {
    return thing.holders.length + thing.tasks.filter((task) => task.lending).length
  }

  /** Nobody holds it, and it is not prepared for anybody. */
  private isWhole(thing: Thing): boolean {
    return thing.phase === "alive" && thing.reason === undefined && this.load(thing) === 0 &&
      thing.tasks.every((task) => task.beside)
  }

  /** Could it be lent, but for its age? */
  private isFree(thing: Thing): boolean {
    if (thing.phase !== "alive" || thing.reason !== undefined) return false
    // a new one for each borrower
    if (this.policy.unpooled) return false
    const load = this.load(thing)
    if (this.policy.concurrency === 1) return load === 0 && thing.tasks.length === 0
    if (load === 0) return this.isWhole(thing)
    return load < this.policy.concurrency && !thing.tasks.some((task) => task.kind === "check" && task.lending)
  }

  private rankAll(): void {
    for (const thing of this.things) {
      if (!this.isWhole(thing)) thing.rank = undefined
      else thing.rank ??= ++this.ranks
    }
  }

  /** The wholly idle ones, the longest idle first. */
  private idle(things: ReadonlyArray<Thing>): ReadonlyArray<Thing> {
    this.rankAll()
    return things.filter((thing) => thing.rank !== undefined).toSorted((a, b) => a.rank! - b.rank!)
  }

  /** Could somebody be lent an object of this key now? */
  canLend(key: Key): boolean {
    return key.things.some((thing) => this.isFree(thing) && thing.expiresAt > this.now)
  }

  /** The object that is lent next, to this borrower. It may be too old. */
  private choose(person: Person, fits: (thing: Thing) => boolean = () => true): Thing | undefined {
    const free = person.key.things.filter((thing) => this.isFree(thing) && fits(thing))
    const whole = this.idle(free)
    if (whole.length > 0) return this.policy.order === "lifo" ? whole.at(-1) : whole[0]
    const least = Math.min(...free.map((thing) => this.load(thing)))
    const equal = free.filter((thing) => this.load(thing) === least)
    const [given] = this.choices.thingsOf(person.id)
    const before = given?.at ?? Infinity
    return equal.find((thing) => thing.expiresAt <= this.now && this.choices.doomedAt(thing.id) < before) ??
      equal.find((thing) => thing.id === given?.thing) ?? equal.find((thing) => thing.expiresAt > this.now) ?? equal[0]
  }

  private needsCheck(thing: Thing): boolean {
    return thing !== this.fresh && this.load(thing) === 0 && this.now - thing.since >= this.policy.healthAfterIdle
  }

  private needsPreparation(thing: Thing): boolean {
    return this.policy.hasBorrowHook || this.needsCheck(thing)
  }

  /** Objects and creations; those that nobody holds and that must go are as good as destroyed. */
  private staying(key: Key): number {
    const staying = key.objects.filter((thing) => thing.reason === undefined || thing.holders.length > 0)
    return staying.length + key.creating.length
  }

  /** More objects and creations of a key than may be. */
  private surplus(key: Key): number {
    return Math.max(
      this.staying(key) - key.max - this.policy.spare,
      key.alive.length + key.creating.length - key.max
    )
  }

  /** More objects and creations of all keys than may be. */
  private get surplusOfAll(): number {
    return this.total === undefined ? 0 : this.keys.reduce((sum, key) => sum + this.staying(key), 0) - this.total
  }

  /** The first waiter whom no creation in flight will serve. */
  private unserved(key: Key): Person | undefined {
    if (this.closed || this.suspended) return undefined
    if (this.policy.unpooled) return key.queue.find((person) => person.creation === undefined)
    const creating = key.creating.length
    return key.queue[creating === 0 ? 0 : creating * this.policy.concurrency]
  }

  /** Are there less than the minimum? */
  private wantsForMinimum(key: Key): boolean {
    if (this.closed || key.left) return false
    return key.alive.length + key.creating.length < key.min
  }

  wantsCreation(key: Key): boolean {
    return this.unserved(key) !== undefined || this.wantsForMinimum(key)
  }

  /** Is a place free, of those that the key may have? */
  private hasPlace(key: Key): boolean {
    const { maxCreating, spare } = this.policy
    const creating = key.creating.length
    if (creating >= maxCreating || key.things.length >= key.max + spare) return false
    return spare === 0 || key.alive.length + creating < key.max
  }

  private get isFull(): boolean {
    return this.total !== undefined && this.things.length >= this.total
  }

  hasRoom(key: Key): boolean {
    return this.hasPlace(key) && !this.isFull
  }

  /** Does the spacing of attempts allow one now? */
  private mayAttempt(key: Key, now: number): boolean {
    return key.outage === undefined || key.outage.attempt === undefined && now >= key.outage.until
  }

  /** May it begin a creation, as far as anybody has noticed? */
  mayBegin(key: Key): boolean {
    return this.hasPlace(key) && this.mayAttempt(key, key.seenAt)
  }

  /** Waiters for whom a creation may begin, if there is a place, one of each key: the longest waiting first. */
  private get needy(): ReadonlyArray<Person> {
    return this.keys.filter((key) => this.mayBegin(key))
      .flatMap((key) => this.unserved(key) ?? [])
      .toSorted((a, b) => a.arrival - b.arrival)
  }

  /** Those of them for which nothing makes room. */
  private get hungry(): ReadonlyArray<Person> {
    return this.needy.filter(({ key }) => !this.rooms.some((room) => room.key === key && !room.later))
  }

  /** What makes room for a key: the longest idle object of another, but of those that have more than their minimum. */
  private spareFor(key: Key): Thing | undefined {
    const idle = this.idle(this.things.filter((thing) => thing.key !== key))
    return idle.find((thing) => thing.key.alive.length > thing.key.min) ?? idle[0]
  }

  private mustReject(key: Key): boolean {
    const { concurrency, maxWaiting } = this.policy
    if (maxWaiting === Infinity) return false
    const queued = key.queue.length
    if (this.suspended) return queued >= maxWaiting
    const creating = key.creating.length
    const served = creating === 0 ? 0 : creating * concurrency
    if (queued < served) return false
    if (this.hasPlace(key) && this.mayAttempt(key, this.now)) {
      if (this.total === undefined) return false
      if (this.hungry.length === 0 && (!this.isFull || this.spareFor(key) !== undefined)) return false
    }
    return queued - served >= maxWaiting
  }

  // ---------------------------------------------------------------------------------------------------------------
  // what follows from a change
  // ---------------------------------------------------------------------------------------------------------------

  private say(text: string): void {
    this.said.push(text)
  }

  private tell(text: string): void {
    this.told.push(text)
  }

  /** To those who wait, first come, first served; then creations for the rest. */
  private settle(...keys: ReadonlyArray<Key>): void {
    for (const key of keys) {
      key.seenAt = this.now
      key.touched = true
      if (this.suspended || this.closed) continue
      for (let queue = key.queue; queue.length > 0; queue = key.queue) {
        const thing = this.choose(queue[0]!)
        if (thing === undefined) break
        if (thing.expiresAt <= this.now) this.doom(thing, "lifetime")
        else this.hand(thing, queue[0]!)
      }
    }
    if (this.total !== undefined) return this.distribute()
    for (const key of keys) while (this.wantsCreation(key) && this.mayBegin(key)) this.begin(key)
  }

  /** Free places to the longest waiting borrowers, then to minimums; then idle objects make room for who still waits. */
  private distribute(): void {
    while (!this.isFull) {
      const [longest] = this.needy
      if (longest !== undefined) {
        this.begin(longest.key)
        continue
      }
      const poor = this.keys.filter((key) => this.wantsForMinimum(key) && this.mayBegin(key))
      if (poor.length === 0) break
      this.begin(poor.find((key) => key.name === this.choices.created[this.begunNow]) ?? poor[0]!)
    }
    // where there are too many places, one more is not enough
    if (this.things.length > this.total!) return
    const needy = new Set(this.needy.map(({ key }) => key))
    for (const room of this.rooms) {
      if (!room.later && room.key !== undefined && !needy.has(room.key)) room.key = undefined
    }
    for (const { key } of this.hungry) {
      const loose = this.rooms.find((room) => room.key === undefined)
      const thing = this.spareFor(key)
      if (loose !== undefined) loose.key = key
      else if (thing === undefined) break
      else this.makeRoom(thing, key, false)
    }
  }

  private makeRoom(thing: Thing, key: Key, later: boolean): void {
    this.rooms.push({ key, thing, later })
    this.doom(thing, "evicted")
    this.forsake(thing.key)
    thing.key.seenAt = this.now
  }

  /** A key whose last objects are lost, with no borrower left, is not filled again. */
  private forsake(key: Key): void {
    const isUsed = (thing: Thing) => thing.holders.length > 0 || thing.tasks.some((task) => task.kind === "return")
    if (this.total === undefined || key.isWaiting || key.alive.length + key.creating.length > 0) return
    if (!key.objects.some(isUsed)) key.left = true
  }

  /** A returned object makes room for a borrower of another key that has waited longer than any of its own. */
  private yieldRoom(thing: Thing): void {
    if (this.total === undefined || thing.reason !== undefined) return
    const [own] = thing.key.queue
    const [other] = this.hungry
    if (other === undefined || other.key === thing.key || own !== undefined && own.arrival < other.arrival) return
    if (this.load(thing) === 0) {
      // where nobody waits for it, the longest idle object is the one to go
      if (own !== undefined) this.makeRoom(thing, other.key, false)
    } else if (!this.rooms.some((room) => room.key === other.key && room.later)) {
      // a shared object that is never free of borrowers would never make room
      this.makeRoom(thing, other.key, true)
    }
  }

  private begin(key: Key): void {
    const owner = this.policy.unpooled ? key.queue.find((person) => person.creation === undefined) : undefined
    const thing: Thing = {
      id: this.begun++,
      key,
      begunAt: this.now,
      round: key.rounds,
      owner,
      phase: "creating",
      born: false,
      value: undefined,
      reason: undefined,
      since: 0,
      checkedAt: 0,
      expiresAt: Infinity,
      endedAt: 0,
      uses: 0,
      awaited: false,
      rank: undefined,
      holders: [],
      tasks: []
    }
    if (owner !== undefined) owner.creation = thing
    if (key.outage !== undefined && !this.policy.unpooled) key.outage.attempt = thing
    key.things.push(thing)
    key.seenAt = this.now
    this.begunNow++
    this.say(`create ${thing.id} of ${key.name} for ${owner?.id}`)
  }

  private hand(thing: Thing, person: Person): void {
    this.choices.thingsOf(person.id).shift()
    if (!this.needsPreparation(thing)) return this.lend(thing, person)
    person.state = "preparing"
    person.waited = true
    person.thing = thing
    person.task = this.run(this.needsCheck(thing) ? "check" : "borrow", thing, person, { lending: true })
  }

  private lend(thing: Thing, person: Person): void {
    if (
      thing.phase !== "alive" || thing.reason !== undefined || thing.expiresAt <= this.now || thing.key !== person.key
    ) {
      throw new Error(`object ${thing.id} must not be lent`)
    }
    if (person.waited) this.wait(person)
    this.tell(`Borrowed ${thing.id} ${person.id} ${this.now - person.since}`)
    person.state = "holding"
    person.thing = thing
    person.task = undefined
    person.since = this.now
    person.turn = this.borrowed
    thing.holders.push(person)
    if (this.load(thing) > this.policy.concurrency) throw new Error(`object ${thing.id} is lent too often`)
    thing.uses++
    thing.since = this.now
    this.borrowed++
    this.say(`${person.id} gets ${thing.id}`)
    if (thing.key.outage !== undefined && thing.key.outage.losing) this.recover(thing.key)
    if (thing.uses >= this.policy.maxUses) this.doom(thing, "uses")
  }

  /** The wait is over, one way or the other. */
  private wait(person: Person): void {
    // what comes of a call at once was not waited for
    if (person === this.asking && this.now === person.since) return
    this.waits++
    this.waited += this.now - person.since
  }

  private run(kind: Kind, thing: Thing, person: Person | undefined, how: Partial<Task>): Task {
    const task: Task = {
      kind,
      thing,
      person,
      lending: false,
      beside: false,
      unknown: false,
      begunAt: this.now,
      stopped: false,
      awaited: false,
      held: undefined,
      ...how
    }
    thing.tasks.push(task)
    this.say(`run ${kind} ${thing.id}`)
    return task
  }

  private stop(task: Task): void {
    if (task.stopped) return
    task.stopped = true
    this.say(`stop ${task.kind} ${task.thing.id}`)
  }

  private doom(thing: Thing, reason: Reason): void {
    this.doomAll([thing], reason)
  }

  /** They must go; whoever waits for their preparation is the first in the queue again. */
  private doomAll(things: ReadonlyArray<Thing>, reason: Reason): void {
    const { doomedAt } = this.choices
    const doomed = things.filter((thing) => thing.phase === "alive" && thing.reason === undefined)
      .toSorted((a, b) => doomedAt(a.id) - doomedAt(b.id))
    for (const thing of doomed) thing.reason = reason
    for (const thing of doomed) {
      for (const task of thing.tasks) {
        if (task.kind === "return") continue
        const { person } = task
        task.person = undefined
        this.stop(task)
        if (person !== undefined) this.lose(person)
      }
    }
  }

  /** What it waited for has come to nothing. */
  private lose(person: Person): void {
    person.state = "waiting"
    person.thing = undefined
    person.task = undefined
    if (!person.polls) return
    person.state = "preparing"
    while (!this.suspended && !this.closed && person.key.queue.length === 0) {
      const thing = this.choose(person)
      if (thing === undefined) break
      if (thing.expiresAt > this.now) return this.hand(thing, person)
      this.doom(thing, "lifetime")
    }
    this.say(`none ${person.id}`)
    this.forget(person)
  }

  private forget(person: Person): void {
    person.state = "gone"
    remove(person.key.people, person)
  }

  /** It gives up, or is told that there is nothing to wait for. */
  private leave(person: Person): void {
    this.wait(person)
    const { task, thing } = person
    const prepared = person.state === "preparing"
    this.forget(person)
    if (!prepared) {
      if (person.key.outage !== undefined) this.forsake(person.key)
      return
    }
    const [next] = this.suspended || this.closed || this.policy.unpooled ? [] : person.key.queue
    task!.person = next
    if (next !== undefined) {
      next.state = "preparing"
      next.thing = thing
      next.task = task
    } else if (this.policy.unpooled) this.doom(thing!, "idle")
    else if (task!.kind === "borrow") this.stop(task!)
  }

  /** Does it fit still? */
  private refit(thing: Thing): void {
    if (thing.expiresAt <= this.now) this.doom(thing, "lifetime")
    else if (this.surplus(thing.key) > 0 || this.surplusOfAll > 0) this.doom(thing, "resized")
  }

  /** Nobody knows in which state it is. */
  private doubt(thing: Thing): Task | undefined {
    if (thing.reason === undefined && this.policy.hasCheck) return this.run("check", thing, undefined, {})
    this.doom(thing, "failed")
    return undefined
  }

  /** The next attempt to create waits. */
  private space(thing: Thing, losing: boolean): void {
    if (this.policy.unpooled) return
    const { key } = thing
    const first = key.outage === undefined
    const outage = key.outage ??= { until: 0, lastAt: 0, delay: 0, attempt: undefined, losing: false }
    outage.lastAt = this.now
    if (losing) outage.losing = true
    if (outage.attempt === thing) outage.attempt = undefined
    if (first || thing.round === key.rounds) {
      key.rounds++
      outage.until = Infinity
      this.say(`space ${key.name}`)
      this.spaces.push({ name: key.name, outage })
    } else if (outage.until !== Infinity) {
      // it was under way before the first failure
      outage.until = this.now + outage.delay
    }
  }

  private recover(key: Key): void {
    key.outage = undefined
  }

  private finish(): void {
    for (const thing of this.policy.unpooled ? this.things : []) {
      if (this.isWhole(thing)) this.doom(thing, "idle")
    }
    this.bury()
    this.rankAll()
    this.fresh = undefined
    for (const key of this.total === undefined ? [] : this.keys.slice()) {
      if (key.touched) this.vanish(key)
      key.touched = false
    }
  }

  /** What must go and is held by nobody is destroyed. */
  private bury(): void {
    for (const thing of this.things) {
      if (thing.phase !== "alive" || thing.reason === undefined) continue
      if (thing.holders.length > 0 || thing.tasks.length > 0) continue
      thing.phase = "destroying"
      thing.endedAt = this.now
      thing.awaited = false
      this.say(`destroy ${thing.id} ${thing.reason}`)
      for (const room of this.rooms.filter((room) => room.thing === thing && room.later)) {
        if (this.hungry.some(({ key }) => key === room.key)) room.later = false
        else remove(this.rooms, room)
      }
    }
  }

  /** A key with neither object nor borrower is no more; the spacing of its attempts outlives it. */
  private vanish(key: Key): void {
    if (this.closed || key.things.length > 0 || key.people.length > 0) return
    key.left = true
    if (key.outage !== undefined && key.outage.until > this.now) return
    remove(this.keys, key)
    this.say(`vanish ${key.name}`)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // transitions
  // ---------------------------------------------------------------------------------------------------------------

  /** A transition begins. */
  begins(now: number): void {
    this.now = now
    this.said = []
    this.told = []
    this.begunNow = 0
  }

  /** The key of this name; it comes into being here. */
  keyOf(name: string, min: number, max: number): Key {
    const known = this.keys.find((key) => key.name === name)
    if (known !== undefined) return known
    const key = new Key(name, min, max)
    this.keys.push(key)
    return key
  }

  start(key: Key): void {
    this.settle(key)
    this.finish()
  }

  private arrive(key: Key, id: number, timeout: number, polls: boolean): Person {
    const person: Person = {
      id,
      key,
      polls,
      state: "preparing",
      arrival: ++this.arrivals,
      turn: 0,
      since: this.now,
      deadline: this.now + timeout,
      warned: false,
      waited: false,
      thing: undefined,
      task: undefined,
      creation: undefined
    }
    key.people.push(person)
    this.asking = person
    return person
  }

  /** An idle object, where one can be had without a wait for others. */
  private atOnce(person: Person): Thing | undefined {
    while (!this.suspended && !this.closed && person.key.queue.length === 0) {
      const thing = this.choose(person)
      if (thing === undefined || thing.expiresAt > this.now) return thing
      this.doom(thing, "lifetime")
      this.settle(person.key)
    }
    return undefined
  }

  borrow(key: Key, id: number, timeout: number): Person {
    const person = this.arrive(key, id, timeout, false)
    const thing = this.atOnce(person)
    if (thing !== undefined) {
      const lent = timeout > 0 || !this.needsPreparation(thing)
        ? thing
        : this.choose(person, (other) => !this.needsPreparation(other) && other.expiresAt > this.now)
      if (lent === undefined) this.giveUp([person])
      else this.handAtOnce(lent, person)
    } else {
      if (this.mustReject(key)) {
        this.rejected++
        this.tell(`Rejected ${id}`)
        this.say(`reject ${id}`)
        this.forget(person)
        key.touched = true
      } else {
        person.state = "waiting"
        person.waited = true
        key.left = false
        this.settle(key)
        if (timeout <= 0) this.giveUp([person])
      }
    }
    this.finish()
    return person
  }

  poll(key: Key, id: number): Person {
    const person = this.arrive(key, id, Infinity, true)
    const thing = this.atOnce(person)
    if (thing === undefined) {
      this.say(`none ${id}`)
      this.forget(person)
    } else {
      this.handAtOnce(thing, person)
    }
    this.finish()
    return person
  }

  private handAtOnce(thing: Thing, person: Person): void {
    const { outage } = thing.key
    this.hand(thing, person)
    if (thing.reason !== undefined || thing.key.outage !== outage) this.settle(thing.key)
  }

  cancel(person: Person): void {
    if (person.state === "waiting" || person.state === "preparing") {
      this.cancelled++
      this.tell(`Cancelled ${person.id}`)
      const prepared = person.state === "preparing"
      this.leave(person)
      // where a keeper is late, an attempt that is due begins when something has changed for it
      if (prepared || this.total !== undefined) this.settle(person.key)
    }
    this.finish()
  }

  release(person: Person, unknown: boolean): void {
    if (person.state === "holding") {
      if (this.policy.hasReturnHook) {
        person.state = "returning"
        person.task = this.run("return", person.thing!, person, { unknown })
      } else this.end(person, unknown)
    }
    this.finish()
  }

  /** The borrow is over. */
  private end(person: Person, unknown: boolean): void {
    const thing = person.thing!
    const held = this.now - person.since
    this.returned++
    remove(thing.holders, person)
    this.forget(person)
    if (thing.reason === undefined) this.refit(thing)
    const kept = thing.reason === undefined
    const unsure = kept && unknown && this.policy.concurrency === 1
    const check = unsure ? this.doubt(thing) : undefined
    // what a check finds is told before the return that made it necessary
    if (check === undefined) this.tell(`Returned ${thing.id} ${held}`)
    else check.held = held
    if (!unsure) {
      if (thing.holders.length === 0) thing.since = this.now
      this.yieldRoom(thing)
      this.fresh = thing
      if (kept && thing.key.queue.length === 0 && this.hungry.length === 0) return
    }
    this.settle(thing.key)
  }

  revoke(person: Person, reason: "revoked" | "shutdown"): void {
    if (person.state === "holding") {
      const thing = person.thing!
      if (reason === "revoked") this.tell(`Revoked ${thing.id} ${person.id}`)
      this.say(`revoke ${person.id} ${reason}`)
      this.returned++
      this.tell(`Returned ${thing.id} ${this.now - person.since}`)
      remove(thing.holders, person)
      this.forget(person)
      this.doom(thing, reason)
      this.settle(thing.key)
    }
    this.finish()
  }

  create(thing: Thing, value: unknown, expiresAt: number): boolean {
    if (thing.phase !== "creating") return false
    const { key } = thing
    thing.phase = "alive"
    thing.awaited = false
    thing.born = true
    thing.value = value
    thing.since = thing.checkedAt = this.now
    thing.expiresAt = expiresAt
    this.created++
    this.tell(`Created ${thing.id} ${this.now - thing.begunAt}`)
    key.lastFailure = undefined
    key.left = false
    if (key.outage !== undefined) {
      if (key.outage.attempt === thing) key.outage.attempt = undefined
      if (!key.outage.losing) this.recover(key)
    }
    this.fresh = thing
    if (this.policy.unpooled) {
      const owner = thing.owner!
      if (owner.state === "waiting" && owner.creation === thing) {
        owner.creation = undefined
        if (!this.suspended) this.hand(thing, owner)
      }
    } else this.refit(thing)
    this.settle(key)
    this.finish()
    return true
  }

  fail(thing: Thing, failure: unknown): boolean {
    if (thing.phase !== "creating") return false
    this.failed(thing, failure)
    this.say(`destroy ${thing.id} undefined`)
    this.settle(thing.key)
    this.finish()
    return true
  }

  private failed(thing: Thing, failure: unknown): void {
    const { key } = thing
    thing.phase = "destroying"
    thing.endedAt = this.now
    thing.awaited = false
    this.createFailures++
    key.lastFailure = failure
    this.tell(`CreateFailed ${thing.id} ${String(failure)}`)
    let told: ReadonlyArray<Person> = []
    if (this.policy.unpooled) {
      const owner = thing.owner!
      if (owner.state === "waiting" && owner.creation === thing) told = [owner]
    } else {
      this.space(thing, false)
      if (key.creating.length === 0 && key.alive.length === 0) told = key.queue
    }
    if (told.length > 0) this.say(`fail ${told.map((person) => person.id).join(" ")}: ${String(failure)}`)
    for (const person of told) this.leave(person)
    this.forsake(key)
  }

  gone(thing: Thing): void {
    if (thing.phase === "destroying") this.vacate(thing)
    this.finish()
  }

  private vacate(thing: Thing): void {
    thing.phase = "gone"
    remove(thing.key.things, thing)
    this.rooms = this.rooms.filter((room) => room.thing !== thing)
    if (thing.born) {
      this.destroyed[thing.reason!] = (this.destroyed[thing.reason!] ?? 0) + 1
      this.tell(`Destroyed ${thing.id} ${thing.reason}`)
    }
    this.settle(thing.key)
  }

  spaced(key: Key, outage: Outage, delay: number): void {
    if (key.outage === outage) {
      outage.delay = delay
      outage.until = outage.lastAt + delay
      this.settle(key)
    }
    this.finish()
  }

  ran(task: Task, ok: boolean): void {
    if (task.thing.tasks.includes(task)) this.ended(task, ok)
    this.finish()
  }

  private ended(task: Task, ok: boolean): void {
    const { person, thing } = task
    remove(thing.tasks, task)
    switch (task.kind) {
      case "check": {
        this.healthChecks++
        thing.checkedAt = this.now
        if (!ok && thing.reason === undefined) this.tell(`Unhealthy ${thing.id}`)
        if (task.held !== undefined) this.tell(`Returned ${thing.id} ${task.held}`)
        if (!ok) {
          this.useless(task, "unhealthy")
        } else if (person !== undefined) {
          this.refit(thing)
          if (thing.reason !== undefined || this.suspended) {
            thing.since = this.now
            this.lose(person)
          } else if (this.policy.hasBorrowHook) person.task = this.run("borrow", thing, person, { lending: true })
          else return this.proceed(thing, person)
        } else if (!task.beside && thing.holders.length === 0) thing.since = this.now
        break
      }
      case "borrow": {
        if (ok) {
          this.refit(thing)
          if (person !== undefined && thing.reason === undefined && !this.suspended) return this.proceed(thing, person)
          if (person !== undefined) this.lose(person)
          if (this.policy.hasReturnHook) {
            this.run("return", thing, undefined, {})
            return this.settle(thing.key)
          }
        } else if (!task.stopped) this.useless(task, "failed")
        else if (this.policy.concurrency === 1) {
          this.doubt(thing)
          return this.settle(thing.key)
        }
        if (thing.holders.length === 0) thing.since = this.now
        break
      }
      case "return": {
        if (!ok) this.doom(thing, "failed")
        if (person !== undefined) {
          this.say(`returned ${person.id}`)
          return this.end(person, task.unknown)
        }
        this.refit(thing)
        if (thing.holders.length === 0) thing.since = this.now
      }
    }
    const waits = task.kind === "check" && (person !== undefined || task.beside)
    // a check says nothing of others who use the object
    if (!waits && (task.kind !== "check" || this.load(thing) === 0)) this.yieldRoom(thing)
    this.fresh = thing
    this.settle(thing.key)
  }

  private proceed(thing: Thing, person: Person): void {
    this.lend(thing, person)
    this.settle(thing.key)
  }

  /** A check or a hook has failed before anybody had the object. */
  private useless(task: Task, reason: Reason): void {
    const { person, thing } = task
    if (task.lending && thing.reason === undefined && thing.uses === 0) this.space(thing, true)
    this.doom(thing, reason)
    if (person !== undefined) this.lose(person)
  }

  invalidate(key: Key, value: unknown): void {
    this.doomAll(key.objects.filter((thing) => thing.value === value), "invalidated")
    this.settle(key)
    this.finish()
  }

  /** The object of one holder must go. */
  condemn(person: Person): void {
    if (person.state === "holding") {
      this.doom(person.thing!, "invalidated")
      this.settle(person.key)
    }
    this.finish()
  }

  evict(...keys: ReadonlyArray<Key>): void {
    if (this.closed) return
    this.tell("Evicted")
    for (const key of keys) {
      for (const thing of key.creating) this.abort(thing)
      this.doomAll(key.objects, "evicted")
      this.forsake(key)
    }
    this.settle(...keys)
    this.finish()
  }

  private abort(thing: Thing): void {
    const { outage } = thing.key
    thing.phase = "destroying"
    thing.endedAt = this.now
    thing.awaited = false
    if (outage !== undefined && outage.attempt === thing) outage.attempt = undefined
    if (thing.owner !== undefined && thing.owner.creation === thing) thing.owner.creation = undefined
    this.say(`abort ${thing.id}`)
  }

  /** New bounds of each key, and of the whole. */
  resize(min: number, max: number, total: number | undefined): void {
    this.total = total
    this.tell("Resized")
    for (const key of this.keys) {
      key.min = min
      key.max = max
      while (this.surplus(key) > 0 && this.shrink([key]));
    }
    while (this.surplusOfAll > 0 && this.shrink(this.keys));
    this.settle(...this.keys)
    this.finish()
  }

  /** The longest idle object goes, then the youngest creation; what is in use goes on its return. */
  private shrink(keys: ReadonlyArray<Key>): boolean {
    const things = keys.flatMap((key) => key.things)
    const [longest] = this.idle(things)
    const youngest = things.filter((thing) => thing.phase === "creating").toSorted((a, b) => b.id - a.id)[0]
    if (longest !== undefined) this.doom(longest, "resized")
    else if (youngest !== undefined) this.abort(youngest)
    return longest !== undefined || youngest !== undefined
  }

  suspend(): void {
    if (this.suspended || this.closed) return
    this.suspended = true
    this.tell("Suspended")
    if (this.total !== undefined) { for (const key of this.keys) key.seenAt = this.now }
  }

  resume(): void {
    if (!this.suspended || this.closed) return
    this.suspended = false
    this.tell("Resumed")
    this.settle(...this.keys)
    this.finish()
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    for (const key of this.keys) {
      for (const thing of key.creating) this.abort(thing)
      this.doomAll(key.objects, "shutdown")
    }
    const waiting = this.keys.flatMap((key) => key.queue)
    if (waiting.length > 0) this.say(`close ${waiting.map((person) => person.id).join(" ")}`)
    for (const person of waiting) this.leave(person)
    this.finish()
  }

  /** Checks and hooks are waited for no longer. */
  abandon(): void {
    for (const task of this.things.flatMap((thing) => thing.tasks)) {
      this.say(`desert ${task.kind} ${task.thing.id}`)
      this.ended(task, false)
    }
    this.finish()
  }

  /** Finalizers are waited for no longer. */
  leaveAll(): void {
    for (const thing of this.things.filter((thing) => thing.phase === "destroying")) {
      this.say(`leave ${thing.id}`)
      this.vacate(thing)
    }
    this.finish()
  }

  // ---------------------------------------------------------------------------------------------------------------
  // time
  // ---------------------------------------------------------------------------------------------------------------

  private creationDue(thing: Thing): number {
    return thing.phase === "creating" && thing.awaited ? thing.begunAt + this.policy.createTimeout : Infinity
  }

  private destructionDue(thing: Thing): number {
    return thing.phase === "destroying" && thing.awaited ? thing.endedAt + this.policy.destroyTimeout : Infinity
  }

  private taskDue(task: Task): number {
    if (!task.awaited || !task.thing.tasks.includes(task)) return Infinity
    return task.begunAt + (task.kind === "check" ? this.policy.healthTimeout : this.policy.hookTimeout)
  }

  private expiryDue(thing: Thing): number {
    return thing.phase === "alive" && thing.reason === undefined ? thing.expiresAt : Infinity
  }

  private healthDue(thing: Thing): number {
    if (thing.phase !== "alive" || thing.reason !== undefined || thing.tasks.length > 0) return Infinity
    if (this.policy.concurrency === 1 && thing.holders.length > 0) return Infinity
    const free = thing.holders.length === 0 ? thing.since : 0
    return Math.max(thing.checkedAt, free) + this.policy.healthInterval
  }

  private idleDue(key: Key): number {
    if (key.alive.length <= key.min) return Infinity
    return Math.min(...this.idle(key.things).map((thing) => thing.since + this.policy.idleTimeToLive))
  }

  private retryDue(key: Key): number {
    const { outage } = key
    if (outage === undefined || outage.attempt !== undefined || outage.until <= key.seenAt) return Infinity
    const forgotten = this.total !== undefined && !this.closed && key.things.length === 0 && key.people.length === 0
    return forgotten || this.wantsCreation(key) && this.hasPlace(key) ? outage.until : Infinity
  }

  /** When something that concerns objects is due. */
  private get objectsDue(): number {
    let at = Math.min(...this.keys.map((key) => Math.min(this.idleDue(key), this.retryDue(key))))
    for (const thing of this.things) {
      at = Math.min(
        at,
        this.creationDue(thing),
        this.destructionDue(thing),
        this.expiryDue(thing),
        this.healthDue(thing),
        ...thing.tasks.map((task) => this.taskDue(task))
      )
    }
    return at
  }

  /** When something is due. */
  get deadline(): number {
    const { borrowLimit, borrowWarning } = this.policy
    let at = this.objectsDue
    for (const person of this.people) {
      if (person.state === "waiting" || person.state === "preparing") at = Math.min(at, person.deadline)
      else if (person.state === "holding") {
        at = Math.min(at, person.since + borrowLimit, person.warned ? Infinity : person.since + borrowWarning)
      }
    }
    return at
  }

  /** What concerns objects first, in the order that was chosen; borrowers that give up last. */
  advance(order: ReadonlyArray<Due>): void {
    for (const due of order) {
      this.happen(due)
      this.finish()
    }
    if (this.objectsDue <= this.now) throw new Error("something that is due has not happened")
    this.overdue()
    this.finish()
    this.giveUp(
      this.people.filter((person) =>
        (person.state === "waiting" || person.state === "preparing") && person.deadline <= this.now
      )
    )
    this.finish()
  }

  private happen(due: Due): void {
    if ("retry" in due) {
      const key = this.keys.find(({ name }) => name === due.retry)
      if (key !== undefined) this.settle(key)
      return
    }
    if ("idle" in due) {
      const key = this.keys.find(({ name }) => name === due.idle)
      if (key === undefined) return
      while (this.idleDue(key) <= this.now) this.doom(this.idle(key.things)[0]!, "idle")
      return
    }
    if ("task" in due) {
      if (this.taskDue(due.task) > this.now) throw new Error("a check or hook was given up too early")
      this.say(`desert ${due.task.kind} ${due.task.thing.id}`)
      // what takes too long has failed, also where it was interrupted before
      due.task.stopped = false
      return this.ended(due.task, false)
    }
    const thing = this.things.find(({ id }) => id === due.thing)
    if (thing === undefined) return
    if (this.creationDue(thing) <= this.now) {
      this.failed(thing, "too late")
      this.say(`late ${thing.id} too late`)
      this.settle(thing.key)
    } else if (this.destructionDue(thing) <= this.now) {
      this.say(`leave ${thing.id}`)
      this.vacate(thing)
    } else if (this.expiryDue(thing) <= this.now) {
      this.doom(thing, "lifetime")
      this.settle(thing.key)
    } else if (this.healthDue(thing) <= this.now) {
      this.run("check", thing, undefined, { beside: true })
    }
  }

  private overdue(): void {
    const { borrowLimit, borrowWarning } = this.policy
    const holding = this.people.filter((person) => person.state === "holding").toSorted((a, b) => a.turn - b.turn)
    for (const person of holding) {
      if (person.warned || person.since + borrowWarning > this.now) continue
      person.warned = true
      this.tell(`Overdue ${person.thing!.id} ${person.id}`)
      this.say(`overdue ${person.id}`)
    }
    for (const person of holding) {
      if (person.since + borrowLimit <= this.now) this.revoke(person, "revoked")
    }
  }

  private giveUp(people: ReadonlyArray<Person>): void {
    if (people.length === 0) return
    this.bury()
    const counts = this.counts()
    const late = people.toSorted((a, b) => a.arrival - b.arrival)
    this.say(`timeout ${late.map((person) => person.id).join(" ")}: ${counts}`)
    for (const person of late) {
      this.timeouts++
      this.tell(`TimedOut ${person.id}`)
      // one that asked for an object that is there now waits for none
      if (person.state === "preparing" && person.task === undefined) person.state = "waiting"
      this.leave(person)
    }
    this.settle(...new Set(late.map((person) => person.key)))
  }
}

// -----------------------------------------------------------------------------------------------------------------
// histories
// -----------------------------------------------------------------------------------------------------------------

/** Random numbers that are the same for the same seed. */
class Dice {
  private state: number

  constructor(seed: number) {
    this.state = seed | 0
  }

  /** A whole number below 2 to the 32nd. */
  next(): number {
    let z = this.state = (this.state + 0x9e3779b9) | 0
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }

  below(limit: number): number {
    return this.next() % limit
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  of<A>(...choices: ReadonlyArray<A>): A {
    return choices[this.below(choices.length)]!
  }

  from<A>(choices: ReadonlyArray<A>): A | undefined {
    return choices.length === 0 ? undefined : choices[this.below(choices.length)]
  }
}

/** What kind of a world it is outside: how much ends at once, fails, or happens late. */
interface World {
  readonly policy: Policy
  /** Most places of all keys together; none where there are no keys. */
  readonly total: number | undefined
  readonly min: number
  readonly max: number
  readonly observed: boolean
  /** The clock goes on though nobody did what was due. */
  readonly lazy: boolean
  readonly atOnce: number
  readonly failing: number
  readonly unhealthy: number
  readonly crowd: number
}

const randomWorld = (seed: number, keyed: boolean): World => {
  const dice = new Dice(seed)
  const kind = dice.below(10)
  const unpooled = !keyed && kind === 0
  const shared = !keyed && kind === 1
  const total = keyed ? dice.of(1, 2, 3, 4, 6) : undefined
  const hasCheck = dice.chance(50)
  const borrowLimit = dice.of(Infinity, Infinity, 20, 40)
  const max = unpooled ? Infinity : shared ? 1 : dice.of(1, 2, 3, 4, total ?? 8)
  const policy: Policy = {
    concurrency: unpooled ? 1 : shared ? Infinity : dice.of(1, 1, 1, 2, 3, Infinity),
    order: dice.of("lifo", "fifo"),
    borrowTimeout: dice.of(15, 15, 30, 30, 60, 60, Infinity, Infinity, 0),
    maxWaiting: unpooled ? Infinity : dice.of(Infinity, Infinity, Infinity, 0, 1, 3),
    maxUses: unpooled ? 1 : dice.of(Infinity, Infinity, 1, 2, 3),
    maxCreating: dice.of(Infinity, Infinity, 1, 2),
    createTimeout: dice.of(20, 40, Infinity),
    destroyTimeout: dice.of(20, 40, Infinity),
    idleTimeToLive: unpooled ? Infinity : dice.of(Infinity, Infinity, 0, 15, 25, 40),
    timeToLive: dice.of(Infinity, Infinity, 30, 80),
    jitter: dice.of(0, 0.5, 1),
    borrowWarning: dice.of(Infinity, Math.min(20, borrowLimit), 10),
    borrowLimit,
    healthInterval: hasCheck ? dice.of(Infinity, 10, 25) : Infinity,
    healthAfterIdle: hasCheck ? dice.of(Infinity, 0, 10) : Infinity,
    healthTimeout: dice.of(10, 20),
    hookTimeout: dice.of(10, 20),
    hasCheck,
    hasBorrowHook: dice.chance(40),
    hasReturnHook: dice.chance(40),
    unpooled,
    spare: shared ? 1 : 0
  }
  return {
    policy,
    total,
    min: unpooled ? 0 : shared ? 1 : dice.below(Math.min(max, total === undefined ? 4 : 2) + 1),
    max,
    observed: dice.chance(70),
    lazy: dice.chance(30),
    atOnce: dice.of(0, 20, 60, 95),
    failing: dice.of(0, 10, 40, 90),
    unhealthy: dice.of(5, 20, 60),
    crowd: dice.of(3, 8, 20)
  }
}

interface Known {
  readonly slot: Slot
  readonly thing: Thing
  /** What has happened to it outside. */
  created: boolean
  aborted: boolean
  destroying: boolean
  gone: boolean
}

class Client extends Waiter {
  readonly id: number
  /** What it was given, or what was prepared for it, in this transition. */
  readonly given: Array<Given> = []
  person: Person | undefined = undefined

  constructor(group: Group, id: number) {
    super(group)
    this.id = id
    this.owner = id % owners
  }
}

const nameOf = (group: Group): string => String(group.key)

const idOf = (waiter: Waiter | undefined): number | undefined => waiter instanceof Client ? waiter.id : undefined

const ids = (waiters: ReadonlyArray<Waiter>): string => waiters.map(idOf).join(" ")

const tellCommand = (command: Command): string => {
  switch (command.op) {
    case "create":
      return `create ${command.slot.id} of ${nameOf(command.slot.group)} for ${idOf(command.slot.only)}`
    case "destroy":
      return `destroy ${command.slot.id} ${command.slot.doomed}`
    case "abort":
    case "leave":
      return `${command.op} ${command.slot.id}`
    case "late":
      return `late ${command.slot.id} ${String(command.failure)}`
    case "run":
    case "stop":
    case "desert":
      return `${command.op} ${command.activity.kind} ${command.activity.slot.id}`
    case "space":
      return `space ${nameOf(command.outage.group)}`
    case "vanish":
      return `vanish ${nameOf(command.group)}`
    case "timeout":
      return `timeout ${ids(command.waiters)}: ${JSON.stringify(command.counts)}`
    case "close":
      return `close ${ids(command.waiters)}`
    case "fail":
      return `fail ${ids(command.waiters)}: ${String(command.failure)}`
    case "reject":
    case "none":
    case "returned":
    case "overdue":
      return `${command.op} ${idOf(command.waiter)}`
    case "revoke":
      return `revoke ${idOf(command.waiter)} ${command.reason}`
  }
}

const tellHappening = ({ detail, slot, tag, waiter }: Happening): string => {
  const who = slot === undefined ? "" : ` ${slot.id}`
  const whom = waiter === undefined || tag === "Returned" ? "" : ` ${idOf(waiter)}`
  const what = detail === undefined || typeof detail === "object" ? "" : ` ${String(detail)}`
  return `${tag}${who}${whom}${what}`
}

const check = (ok: boolean, message: () => string): void => {
  if (!ok) throw new Error(message())
}

const same = (what: string, actual: unknown, expected: unknown): void => {
  if (!Object.is(actual, expected)) {
    throw new Error(`${what}: the machine has ${String(actual)}, not ${String(expected)}`)
  }
}

const sorted = (lines: ReadonlyArray<string>): string => lines.length < 2 ? lines.join() : lines.toSorted().join("\n")

/** A machine and the model beside it, in a random world. */
export class History {
  readonly machine: Machine
  readonly model: Model
  readonly world: World
  readonly trace: Array<string> = []
  transitions = 0
  private readonly traced: boolean
  private dice: Dice
  private now = 0
  private people = 0
  /** The most places that may be taken: more than `max` only after a shrinking, until enough are back. */
  private most: number
  private readonly mostOf = new Map<Group, number>()
  private min: number
  private max: number
  /** The outages of the model, by those of the machine. */
  private readonly outages = new Map<MachineOutage, Outage>()
  private spacings: Array<MachineOutage> = []
  private readonly known: Array<Known> = []
  private pending: Array<Known> = []
  /** When it was decided that an object must go, in the order of what happened. */
  private readonly doomed = new Map<number, number>()
  private moments = 0
  private readonly begun: Array<string> = []
  private readonly clients = new Map<number, Client>()
  private readonly tasks = new Map<Activity, Task>()
  private orphans: Array<Activity> = []
  private readonly work: Array<Command> = []
  private readonly due: Array<Due> = []
  private working = false

  constructor(seed: number, keyed: boolean, traced: boolean) {
    this.world = randomWorld(seed, keyed)
    this.traced = traced
    this.dice = new Dice(seed ^ 0x5bd1e995)
    const { max, min, observed, policy, total } = this.world
    this.machine = new Machine(policy, () => 0.5, () => "too late")
    this.machine.observed = observed
    this.model = new Model(policy, total)
    this.min = min
    this.max = max
    this.most = total ?? Infinity
    if (total !== undefined) this.machine.share(new Rooms(total))
    this.model.choices = {
      thingsOf: (person) => this.clients.get(person)!.given,
      doomedAt: (thing) => this.doomed.get(thing) ?? Infinity,
      created: this.begun
    }
    const due = this.machine["due"]
    this.machine["due"] = (node, now) => {
      if (node.tag === "slot") this.due.push({ thing: node.id })
      else if (node.tag === "activity") this.due.push({ task: this.tasks.get(node)! })
      else this.due.push(node.tag === "idle" ? { idle: nameOf(node.group) } : { retry: nameOf(node.group) })
      due.call(this.machine, node, now)
    }
    const { doom, lend, prepare } = {
      doom: this.machine["doom"],
      lend: this.machine["lend"],
      prepare: this.machine["prepare"]
    }
    this.machine["doom"] = (slot, reason, now) => {
      if (slot.doomed === undefined) this.doomed.set(slot.id, ++this.moments)
      doom.call(this.machine, slot, reason, now)
    }
    this.machine["prepare"] = (slot, waiter, now) => {
      if (waiter instanceof Client) waiter.given.push({ thing: slot.id, at: ++this.moments })
      prepare.call(this.machine, slot, waiter, now)
    }
    this.machine["lend"] = (slot, waiter, waited, now) => {
      if (waiter instanceof Client) waiter.given.push({ thing: slot.id, at: ++this.moments })
      lend.call(this.machine, slot, waiter, waited, now)
    }
    if (total !== undefined) return
    const group = this.groupOf("one")
    this.step("start", () => this.machine.start(group, 0), () => this.model.start(this.keyOf(group)))
    this.drain()
  }

  /** A key comes into being with its first borrower. */
  private groupOf(name: string): Group {
    return this.machine.groups.get(name) ?? this.machine.addGroup(name, { min: this.min, max: this.max })
  }

  private keyOf(group: Group): Key {
    return this.model.keyOf(nameOf(group), this.min, this.max)
  }

  /** Of a key that there is. */
  private someGroup(): Group | undefined {
    return this.dice.from([...this.machine.groups.values()])
  }

  // ---------------------------------------------------------------------------------------------------------------
  // a transition on both sides
  // ---------------------------------------------------------------------------------------------------------------

  private step(label: string, onMachine: () => void, onModel: () => void): void {
    const { machine, model } = this
    this.transitions++
    if (this.traced) this.trace.push(`${this.now}: ${label}`)
    for (const { id } of model.people) this.clients.get(id)!.given.length = 0
    onMachine()
    const commands = machine.commands.splice(0)
    const served = machine.served.splice(0)
    const happenings = machine.happenings.splice(0)
    const said = commands.map(tellCommand)
    for (const waiter of served) said.push(`${idOf(waiter)} gets ${waiter.slot!.id}`)
    if (this.traced) { for (const line of said) this.trace.push(`    ${line}`) }
    this.begun.length = 0
    for (const command of commands) {
      if (command.op !== "create") continue
      this.learn(command.slot)
      this.begun.push(nameOf(command.slot.group))
    }
    model.begins(this.now)
    onModel()
    const predicted = sorted(model.said)
    const actual = sorted(said)
    check(actual === predicted, () => `the machine says\n${actual}\nand the model\n${predicted}`)
    if (this.world.observed) {
      const told = sorted(happenings.map(tellHappening))
      const expected = sorted(model.told)
      check(told === expected, () => `the machine tells\n${told}\nand the model\n${expected}`)
    } else check(happenings.length === 0, () => "nobody listens")
    for (const command of commands) this.take(command)
    this.compare()
    this.work.push(...commands)
  }

  private learn(slot: Slot): void {
    check(slot.id === this.known.length, () => `object ${slot.id} is created out of turn`)
    // the model makes its own in the same order
    this.known.push({ slot, thing: undefined as never, created: false, aborted: false, destroying: false, gone: false })
  }

  /** Is the command one that may be given? */
  private take(command: Command): void {
    switch (command.op) {
      case "create": {
        const thing = this.model.things.find((thing) => thing.id === command.slot.id)!
        const known: Known = { ...this.known[command.slot.id]!, thing }
        this.known[command.slot.id] = known
        break
      }
      case "abort":
      case "late": {
        const known = this.known[command.slot.id]!
        check(!known.created && !known.aborted && !known.destroying, () => `${command.op} ${command.slot.id}`)
        known.aborted = true
        break
      }
      case "destroy": {
        const known = this.known[command.slot.id]!
        check(!known.aborted && !known.destroying && !known.gone, () => `destroyed twice: ${command.slot.id}`)
        known.destroying = true
        break
      }
      case "space": {
        const { spaces } = this.model
        const index = spaces.findIndex(({ name }) => name === nameOf(command.outage.group))
        check(index !== -1, () => "the model knows of no outage")
        this.outages.set(command.outage, spaces.splice(index, 1)[0]!.outage)
        break
      }
      case "run": {
        const { kind, slot, waiter } = command.activity
        const task = this.known[slot.id]!.thing.tasks.find((task) =>
          task.kind === kind && task.person?.id === idOf(waiter) && ![...this.tasks.values()].includes(task)
        )
        check(task !== undefined, () => `the model knows nothing of this ${kind}`)
        this.tasks.set(command.activity, task!)
        break
      }
      case "leave":
        this.known[command.slot.id]!.gone = true
        break
      case "desert": {
        this.orphans.push(command.activity)
        this.tasks.delete(command.activity)
      }
    }
  }

  // ---------------------------------------------------------------------------------------------------------------
  // what must be true after every transition
  // ---------------------------------------------------------------------------------------------------------------

  private compare(): void {
    const { machine, model } = this
    const { totals } = machine
    same("created", totals.created, model.created)
    same("createFailures", totals.createFailures, model.createFailures)
    same("borrowed", totals.borrowed, model.borrowed)
    same("returned", totals.returned, model.returned)
    same("timeouts", totals.timeouts, model.timeouts)
    same("rejected", totals.rejected, model.rejected)
    same("cancelled", totals.cancelled, model.cancelled)
    same("healthChecks", totals.healthChecks, model.healthChecks)
    same("waits", machine.waits.count, model.waits)
    same("time waited", machine.waits.sum, model.waited)
    same("uses", machine.uses.count, model.returned)
    same("creations", machine.creations.count, model.created)
    same("suspended", machine.suspended, model.suspended)
    same("closed", machine.closed, model.closed)
    if (model.keys.length > 0) same("counts", JSON.stringify(machine.counts()), model.counts())
    let destroyed = 0
    for (const [reason, count] of Object.entries(totals.destroyed)) {
      same(`destroyed: ${reason}`, count, model.destroyed[reason] ?? 0)
      destroyed += count
    }
    let places = 0
    let born = 0
    let holders = 0
    same("keys", machine.groups.size, model.keys.length)
    for (const group of machine.groups.values()) {
      places += group.slots.length
      born += group.slots.filter((slot) => slot.createdAt !== -1).length
      holders += this.compareGroup(group, this.keyOf(group))
    }
    same("created and not destroyed", totals.created - destroyed, born)
    same("holders", totals.borrowed - totals.returned, holders)
    same("held", machine.held.size + machine.returning.size, holders)
    const heldBy = new Array<number>(owners).fill(0)
    for (let waiter = machine.held.head; waiter !== undefined; waiter = waiter.next) heldBy[waiter.owner]!++
    // not each time: it is counted from the first question on
    if (totals.borrowed % 3 === 0) {
      const nobody = heldBy.map((_, owner) => machine.mayHold(owner) ? "" : owner)
      same("who holds nothing", nobody.join(), heldBy.map((held, owner) => held > 0 ? "" : owner).join())
    }
    same("places", machine.places, places)
    check(places <= this.most, () => `${places} places are taken of ${this.most}`)
    this.most = Math.max(model.total ?? Infinity, Math.min(this.most, places))
    const { deadline } = model
    check(machine.nextDeadline() <= deadline, () => `${machine.nextDeadline()} is later than the deadline ${deadline}`)
    check(machine.wakeAt <= deadline, () => `it wakes at ${machine.wakeAt}, later than the deadline ${deadline}`)
    this.checkStructure()
  }

  /** How many hold an object of the key. */
  private compareGroup(group: Group, key: Key): number {
    const { machine, model } = this
    const { concurrency, spare } = this.world.policy
    const { queue } = group
    same("the last failure", group.lastFailure, key.lastFailure)
    same("min", group.min, key.min)
    same("max", group.max, key.max)
    let size = 0
    let alive = 0
    let creating = 0
    let destroying = 0
    let preparing = 0
    let checks = 0
    let whole = 0
    const states = { idle: 0, inUse: 0 }
    same("places", group.slots.length, key.things.length)
    for (const slot of group.slots) {
      const { thing } = this.known[slot.id]!
      same(`slots[index] of ${slot.id}`, group.slots[slot.index], slot)
      same(`state of ${slot.id}`, slot.state, thing.phase)
      same(`reason of ${slot.id}`, slot.doomed, thing.reason)
      same(`holders of ${slot.id}`, slot.holders, thing.holders.length)
      same(`uses of ${slot.id}`, slot.uses, thing.uses)
      same(`activities of ${slot.id}`, slot.activities.length, thing.tasks.length)
      same(`fresh ${slot.id}`, slot.fresh && slot.idle, false)
      if (slot.state === "creating") creating++
      else if (slot.state === "destroying") destroying++
      else {
        size++
        if (slot.doomed === undefined) alive++
        if (slot.idle) whole++
        same(`expiry of ${slot.id}`, slot.expiresAt, thing.expiresAt)
        same(`idle ${slot.id}`, slot.idle, thing.rank !== undefined)
        if (slot.idle) same(`since of ${slot.id}`, slot.since, thing.since)
        checks += slot.activities.filter((activity) => activity.kind === "check").length
        const state = machine.stateOf(slot)
        same(`what ${slot.id} does`, state, model.stateOf(thing))
        if (state !== "checking") states[state]++
        check(slot.holders + slot.preparing <= concurrency, () => `too many share ${slot.id}`)
      }
    }
    same("size", group.size, size)
    same("alive", group.alive, alive)
    same("creating", group.creating, creating)
    same("destroying", group.destroying, destroying)
    same("checks", group.checks, checks)
    same("idle list", group.idle.whole.size, whole)
    const usage = machine.usage(group)
    same("idle", usage.idle, states.idle)
    same("inUse", usage.inUse, states.inUse)
    const places = size + creating + destroying
    const most = this.mostOf.get(group) ?? group.max + spare
    check(places <= most, () => `${places} places are taken of ${most} for ${nameOf(group)}`)
    this.mostOf.set(group, Math.max(group.max + spare, Math.min(most, places)))

    let orphans = 0
    if (this.world.policy.unpooled) {
      for (const { creation } of key.queue) if (creation !== undefined) orphans--
      orphans += creating
    }
    same("orphans", group.orphans, orphans)

    let index = 0
    const waiting = key.queue
    for (let waiter = queue.head; waiter !== undefined; waiter = waiter.next) {
      same("in the queue", idOf(waiter), waiting[index++]?.id)
    }
    same("queue", index, waiting.length)
    same("queue.size", queue.size, waiting.length)
    let holders = 0
    for (const person of key.people) {
      const waiter = this.clients.get(person.id)!
      same(`state of ${person.id}`, waiter.state, person.state === "waiting" ? "queued" : person.state)
      if (person.state === "preparing") preparing++
      if (person.state === "holding" || person.state === "returning") holders++
      if (person.state !== "waiting") same(`object of ${person.id}`, waiter.slot?.id, person.thing?.id)
    }
    same("preparing", group.preparing, preparing)
    same("waiting", group.waiting, preparing + waiting.length)

    // whoever waits does so because nothing can be done
    if (waiting.length > 0 && !model.suspended) {
      check(!model.canLend(key), () => "somebody waits while an object could be lent")
      check(
        machine.held.size > 0 || machine.places > 0 || this.spacings.length > 0 || model.deadline < Infinity ||
          this.work.length > 0,
        () => "somebody waits for nothing"
      )
    }
    const unattended = this.world.lazy && key.outage !== undefined
    const missing = model.wantsCreation(key) && model.hasRoom(key) && model.mayBegin(key)
    check(!missing || unattended, () => "a creation is missing")
    let patient: Waiter | undefined
    for (let waiter = queue.tail; waiter !== undefined; waiter = waiter.prev) {
      if (waiter.deadline !== Infinity && waiter.timerIndex === -1) patient = waiter
    }
    same("the first of the patient", idOf(queue.patient), idOf(patient))
    return holders
  }

  private checkStructure(): void {
    const { machine } = this
    for (const heap of [machine["objects"], machine["patience"]]) {
      const items = heap["items"]
      for (let i = 0; i < items.length; i++) {
        same("heap index", items[i]!.timerIndex, i)
        if (i > 0) check(items[(i - 1) >> 1]!.timerAt <= items[i]!.timerAt, () => "the heap is out of order")
      }
    }
    let unwarned: Waiter | undefined
    for (let waiter = machine.held.tail; waiter !== undefined; waiter = waiter.prev) {
      if (this.model.people.find(({ id }) => id === idOf(waiter))?.warned === false) unwarned = waiter
    }
    if (this.world.policy.borrowWarning === Infinity) unwarned = undefined
    same("the first not warned", idOf(machine["unwarned"]), idOf(unwarned))
  }

  // ---------------------------------------------------------------------------------------------------------------
  // the world outside
  // ---------------------------------------------------------------------------------------------------------------

  /** Does what the machine has left to do, at once or later. */
  private drain(): void {
    if (this.working) return
    this.working = true
    for (let command = this.work.shift(); command !== undefined; command = this.work.shift()) this.outside(command)
    this.working = false
    this.machine.asking = undefined
    this.model.asking = undefined
  }

  private outside(command: Command): void {
    const { dice, world } = this
    switch (command.op) {
      case "create": {
        const known = this.known[command.slot.id]!
        this.pending.push(known)
        if (dice.chance(world.atOnce)) this.endCreation(known)
        this.step(`await creation of ${command.slot.id}`, () => {
          this.machine.awaitCreation(command.slot)
          this.machine.awaitDestruction(command.slot)
        }, () => {
          if (known.thing.phase === "creating" || known.thing.phase === "destroying") known.thing.awaited = true
        })
        break
      }
      case "abort":
      case "late": {
        const known = this.known[command.slot.id]!
        if (dice.chance(world.atOnce)) this.endCreation(known)
        this.awaitDestruction(known)
        break
      }
      case "destroy": {
        const known = this.known[command.slot.id]!
        if (!this.pending.includes(known)) this.pending.push(known)
        if (dice.chance(world.atOnce)) this.gone(known)
        else this.awaitDestruction(known)
        break
      }
      case "run": {
        const { activity } = command
        if (dice.chance(world.atOnce)) this.endTask(activity)
        this.step(`await ${activity.kind} of ${activity.slot.id}`, () => this.machine.awaitActivity(activity), () => {
          const task = this.tasks.get(activity)
          if (task !== undefined) task.awaited = true
        })
        break
      }
      case "stop":
        if (dice.chance(Math.max(40, world.atOnce))) this.endTask(command.activity)
        break
      case "space":
        this.spacings.push(command.outage)
        if (dice.chance(world.atOnce)) this.space(this.spacings.length - 1)
        break
      case "vanish":
        same("places of a key that is no more", command.group.slots.length, 0)
        same("values of a key that is no more", command.group["places"]?.size ?? 0, 0)
        same(
          "deadlines of a key that is no more",
          Math.min(command.group.retry.timerAt, command.group.reaper.timerAt),
          Infinity
        )
    }
  }

  private awaitDestruction(known: Known): void {
    this.step(`await destruction of ${known.slot.id}`, () => this.machine.awaitDestruction(known.slot), () => {
      if (known.thing.phase === "destroying") known.thing.awaited = true
    })
  }

  /** A creation ends: with an object, with a failure, or too late for either. */
  private endCreation(known: Known): void {
    const { dice, model } = this
    const { slot, thing } = known
    if (known.aborted || known.created || known.destroying) {
      if (!known.aborted || known.destroying) return
      // what is made too late is destroyed by whoever made it
      let accepted: boolean | undefined
      const [late, ok] = [thing.phase !== "creating", dice.chance(50)]
      this.step(`late end of creation ${slot.id}`, () => {
        accepted = ok ? this.machine.create(slot, "late", this.now) : this.machine.fail(slot, "late", this.now)
      }, () => {})
      check(late && accepted === false, () => `${slot.id} was accepted though it came too late`)
      if (dice.chance(70)) this.gone(known)
      return
    }
    if (dice.chance(this.world.failing)) {
      known.created = true
      this.step(
        `creation ${slot.id} fails`,
        () => this.machine.fail(slot, `failure ${slot.id}`, this.now),
        () => model.fail(thing, `failure ${slot.id}`)
      )
    } else {
      known.created = true
      const value = dice.chance(20) ? "the same" : slot.id
      this.step(`creation ${slot.id} succeeds`, () => {
        this.machine.create(slot, value, this.now)
      }, () => {
        const { jitter, timeToLive } = this.world.policy
        model.create(
          thing,
          value,
          timeToLive === Infinity ? Infinity : this.now + Math.ceil(timeToLive * (1 - jitter / 2))
        )
      })
      this.pending.splice(this.pending.indexOf(known), 1)
      if (known.destroying) this.pending.push(known)
    }
  }

  private gone(known: Known): void {
    known.gone = true
    const index = this.pending.indexOf(known)
    if (index !== -1) this.pending.splice(index, 1)
    this.step(
      `the place of ${known.slot.id} is free`,
      () => this.machine.gone(known.slot, this.now),
      () => this.model.gone(known.thing)
    )
  }

  private endTask(activity: Activity): void {
    const task = this.tasks.get(activity)
    if (task === undefined) {
      this.step("late end of what was given up", () => this.machine.ran(activity, true, this.now), () => {})
      return
    }
    const fails = task.stopped ? 80 : activity.kind === "check" ? this.world.unhealthy : this.world.unhealthy / 2
    const ok = !this.dice.chance(fails)
    this.tasks.delete(activity)
    this.step(
      `${activity.kind} of ${activity.slot.id} ends ${ok ? "well" : "badly"}`,
      () => this.machine.ran(activity, ok, this.now),
      () => this.model.ran(task, ok)
    )
  }

  private space(index: number): void {
    const outage = this.spacings[index]
    if (outage === undefined) return
    this.spacings.splice(index, 1)
    const { group } = outage
    const delay = this.dice.of(0, 1, 5, 10, 30)
    const key = group.vanished ? undefined : this.keyOf(group)
    this.step(
      `the next attempt of ${nameOf(group)} in ${delay}`,
      () => this.machine.spaced(outage, delay, this.now),
      () => {
        if (key !== undefined) this.model.spaced(key, this.outages.get(outage)!, delay)
      }
    )
  }

  // ---------------------------------------------------------------------------------------------------------------
  // what users and clocks do
  // ---------------------------------------------------------------------------------------------------------------

  private newcomer(group: Group): Client {
    const client = new Client(group, ++this.people)
    this.clients.set(client.id, client)
    return client
  }

  private borrow(): void {
    const { dice, machine, model, world } = this
    if (machine.closed || model.people.length >= world.crowd) return this.complete()
    const group = this.groupOf(world.total === undefined ? "one" : dice.of("a", "a", "b", "b", "c", "d"))
    const key = this.keyOf(group)
    const client = this.newcomer(group)
    const timeout = dice.chance(70) ? world.policy.borrowTimeout : dice.of(0, 5, 15, 30, Infinity)
    let slot: Slot | undefined
    this.step(`${client.id} borrows ${nameOf(group)} for ${timeout}`, () => {
      slot = machine.borrow(client, timeout, this.now)
      if (slot !== undefined) {
        same("the object", client.slot, slot)
        machine.served.push(client)
      }
    }, () => {
      client.person = model.borrow(key, client.id, timeout)
    })
  }

  private poll(): void {
    const { machine, model } = this
    const group = this.someGroup()
    if (group === undefined) return
    const key = this.keyOf(group)
    const client = this.newcomer(group)
    this.step(`${client.id} polls ${nameOf(group)}`, () => {
      if (machine.poll(client, this.now) !== undefined) machine.served.push(client)
    }, () => {
      client.person = model.poll(key, client.id)
    })
  }

  private someone(...states: ReadonlyArray<Person["state"]>): Client | undefined {
    const person = this.dice.from(this.model.people.filter((person) => states.includes(person.state)))
    return person === undefined ? undefined : this.clients.get(person.id)
  }

  private cancel(): void {
    // whoever holds an object, or is gone, has nothing to cancel
    const client = this.someone(...(this.dice.chance(90) ? ["waiting", "preparing"] as const : ["holding"] as const))
    if (client === undefined) return
    this.step(
      `${client.id} gives up`,
      () => this.machine.cancel(client, this.now),
      () => this.model.cancel(client.person!)
    )
  }

  private release(): void {
    const client = this.someone(...(this.dice.chance(95) ? ["holding"] as const : ["waiting", "returning"] as const))
    if (client === undefined) return
    const unknown = this.dice.chance(25)
    this.step(
      `${client.id} returns ${unknown ? "what may be broken" : "its object"}`,
      () => this.machine.release(client, unknown, this.now),
      () => this.model.release(client.person!, unknown)
    )
  }

  /** Something that is under way outside ends. */
  private complete(): void {
    const { dice } = this
    switch (dice.below(4)) {
      case 0: {
        const activity = dice.from([...this.tasks.keys()])
        if (activity !== undefined) return this.endTask(activity)
        break
      }
      case 1: {
        const activity = dice.from(this.orphans)
        if (activity === undefined || !dice.chance(10)) break
        this.orphans.splice(this.orphans.indexOf(activity), 1)
        return this.endTask(activity)
      }
      case 2:
        return this.space(dice.below(Math.max(1, this.spacings.length)))
    }
    const known = dice.from(this.pending)
    if (known !== undefined) this.proceed(known)
  }

  private proceed(known: Known): void {
    if (known.destroying || known.gone) this.gone(known)
    else this.endCreation(known)
  }

  private control(): void {
    const { dice, machine, model } = this
    const group = this.someGroup()
    switch (dice.below(7)) {
      case 0:
      case 1: {
        if (group === undefined) return
        const value = dice.chance(20) ? "the same" : dice.chance(10) ? "unknown" : dice.from(group.slots)?.value
        return this.step(
          `invalidate ${String(value)} of ${nameOf(group)}`,
          () => machine.invalidate(group, value, this.now),
          () => model.invalidate(this.keyOf(group), value)
        )
      }
      case 2: {
        if (!dice.chance(30) || group === undefined) return
        if (model.total !== undefined && dice.chance(50)) {
          return this.step("evict all", () => machine.evictAll(this.now), () => model.evict(...model.keys))
        }
        const key = this.keyOf(group)
        return this.step(`evict ${nameOf(group)}`, () => machine.evict(group, this.now), () => model.evict(key))
      }
      case 3:
        return this.resize()
      case 4:
        if (dice.chance(20)) return
        return this.step("suspend", () => machine.suspend(this.now), () => model.suspend())
      case 5:
        return dice.chance(50) ? this.resume() : this.poll()
      case 6: {
        const client = this.someone("holding")
        if (client === undefined) return
        return this.step(
          `${client.id} says that its object is broken`,
          () => machine.condemn(client, this.now),
          () => model.condemn(client.person!)
        )
      }
    }
  }

  private resize(): void {
    const { dice, machine, model } = this
    if (this.world.policy.unpooled) return
    const total = model.total === undefined ? undefined : dice.of(1, 2, 3, 4, 6)
    const max = total === undefined ? dice.of(1, 1, 2, 3, 5, 8) : dice.below(total) + 1
    const min = dice.below(Math.min(max, 4) + 1)
    this.min = min
    this.max = max
    this.most = total ?? Infinity
    // nothing is taken back at once
    if (total !== undefined) this.most = Math.max(total, machine.places)
    for (const group of machine.groups.values()) {
      this.mostOf.set(group, Math.max(max + this.world.policy.spare, group.slots.length))
    }
    this.step(`resize to ${min} and ${max} of ${total}`, () => {
      if (total === undefined) machine.resize(this.groupOf("one"), { min, max }, this.now)
      else machine.resizeAll(total, { min, max }, this.now)
    }, () => model.resize(min, max, total))
  }

  private resume(): void {
    this.step("resume", () => this.machine.resume(this.now), () => this.model.resume())
  }

  private close(): void {
    this.step("close", () => this.machine.close(this.now), () => this.model.close())
  }

  private shutDown(): void {
    const { dice, machine, model } = this
    if (dice.chance(25)) return this.step("abandon", () => machine.abandon(this.now), () => model.abandon())
    if (dice.chance(25)) return this.step("leave all", () => machine.leaveAll(this.now), () => model.leaveAll())
    const client = this.someone("holding")
    if (client === undefined) return
    this.step(
      `${client.id} loses its object`,
      () => machine.revoke(client, "shutdown", this.now),
      () => model.revoke(client.person!, "shutdown")
    )
  }

  private advance(expectation: "something" | "nothing" | "anything"): void {
    const { commands, happenings } = this.machine
    this.due.length = 0
    this.step("what is due", () => {
      this.machine.advance(this.now)
      const nothing = commands.length === 0 && happenings.length === 0 && this.machine.served.length === 0
      if (expectation === "nothing") check(nothing, () => `it does something too early, at ${this.now}`)
    }, () => this.model.advance(this.due))
    same("the time to wake", this.machine.wakeAt, this.machine.nextDeadline())
    if (this.world.policy.idleTimeToLive > 0) {
      check(this.machine.wakeAt > this.now, () => `it would wake again and again at ${this.now}`)
    }
    if (expectation === "something") {
      check(this.model.deadline > this.now || this.world.policy.idleTimeToLive === 0, () => "it is due still")
    }
    this.drain()
  }

  /** The clock moves; a punctual keeper wakes at every deadline, never before. */
  private travel(): void {
    const { dice, model } = this
    if (this.world.lazy) {
      this.now += dice.of(0, 1, 3, 10, 30)
      if (dice.chance(50)) this.advance("anything")
      return
    }
    for (let i = 0; model.deadline <= this.now && i < 20; i++) this.advance("anything")
    const deadline = model.deadline
    const target = deadline < Infinity && dice.chance(70) ? deadline - dice.below(2) : this.now + dice.of(1, 3, 10)
    for (let i = 0; i < 100; i++) {
      const next = Math.max(this.now, model.deadline)
      if (next > target) break
      // it may wake earlier than it must, and does nothing then
      const wakeAt = this.machine.wakeAt
      if (wakeAt < next && wakeAt > this.now && dice.chance(50)) {
        this.now = wakeAt
        this.advance("nothing")
      }
      if (next - 1 > this.now && dice.chance(50)) {
        this.now = next - 1
        this.advance("nothing")
      }
      this.now = next
      this.advance("something")
    }
    this.now = Math.max(this.now, target)
  }

  /** One random step, the same for the same number. */
  act(seed: number): void {
    const dice = this.dice = new Dice(seed)
    const chosen = dice.below(1000)
    if (chosen < 230) this.borrow()
    else if (chosen < 260) this.poll()
    else if (chosen < 300) this.cancel()
    else if (chosen < 480) this.release()
    else if (chosen < 720) this.complete()
    else if (chosen < 900) this.travel()
    else if (chosen < 960) this.control()
    else if (chosen < 997) {
      if (this.machine.closed) this.shutDown()
      else if (this.machine.suspended && dice.chance(40)) this.resume()
      else this.complete()
    } else if (chosen < 998) this.close()
    this.drain()
  }

  /** Everything ends: each object that was ever created has been destroyed exactly once. */
  end(seed: number): void {
    this.dice = new Dice(seed)
    this.close()
    this.drain()
    for (let i = 0; i < 1000 && (this.model.people.length > 0 || this.model.things.length > 0); i++) {
      const client = this.someone("holding")
      if (client !== undefined && this.dice.chance(50)) this.release()
      else this.complete()
      this.drain()
    }
    const { machine } = this
    const { totals } = machine
    const destroyed = Object.values(totals.destroyed).reduce((a, b) => a + b, 0)
    same("places in the end", machine.places, 0)
    same("people in the end", this.model.people.length, 0)
    same("destroyed in the end", destroyed, totals.created)
    same("returned in the end", totals.returned, totals.borrowed)
    for (const group of machine.groups.values()) same("values that are remembered", group["places"]?.size ?? 0, 0)
    same("borrowers with a deadline", machine["patience"].size, 0)
  }
}

/** What is enough to live through a history again. */
interface Script {
  readonly seed: number
  /** A pool by key. */
  readonly keyed: boolean
  readonly steps: ReadonlyArray<number>
}

/** A history that went wrong, with everything that is needed to see it again. */
export class Broken extends Error {
  constructor(script: Script, cause: unknown, history: History | undefined) {
    const world = JSON.stringify(history?.world, (_, value) => value === Infinity ? "Infinity" : value)
    const reason = cause instanceof Error ? cause.message : String(cause)
    super(
      [
        `history ${script.seed} breaks after ${script.steps.length} steps: ${reason}`,
        world,
        ...(history?.trace ?? []),
        `replay(${JSON.stringify(script)})`
      ].join("\n"),
      { cause }
    )
  }
}

/** The steps of a history. */
const stepsOf = (seed: number, count: number): Array<number> => {
  const dice = new Dice(seed ^ 0x2545f491)
  return Array.from({ length: count }, () => dice.next())
}

const attempt = (script: Script, traced: boolean): { history: History | undefined; error: unknown } => {
  let history: History | undefined
  try {
    history = new History(script.seed, script.keyed, traced)
    for (const step of script.steps) history.act(step)
    history.end(script.seed)
    return { history, error: undefined }
  } catch (error) {
    return { history, error }
  }
}

/** The fewest steps that still go wrong. */
const shrink = (script: Script): Script => {
  let best = script
  for (let chunk = script.steps.length; chunk >= 1; chunk = chunk >> 1) {
    for (let from = 0; from < best.steps.length;) {
      const fewer = { ...best, steps: [...best.steps.slice(0, from), ...best.steps.slice(from + chunk)] }
      if (attempt(fewer, false).error !== undefined) best = fewer
      else from += chunk
    }
  }
  return best
}

/** Lives through a history again, and fails as it failed. */
export const replay = (script: Script): History => {
  const { error, history } = attempt(script, true)
  if (error !== undefined) throw new Broken(script, error, history)
  return history!
}

const scriptOf = (seed: number, count: number, keyed: boolean): Script => ({ seed, keyed, steps: stepsOf(seed, count) })

/** Lives through one history; where it goes wrong, it fails with the fewest steps that do. How many transitions it had. */
export const run = (seed: number, count: number, keyed: boolean): number => {
  const script = scriptOf(seed, count, keyed)
  const { error, history } = attempt(script, false)
  if (error !== undefined) replay(shrink(script))
  return history!.transitions
}

/**
 * What goes wrong in one history, where anything does: at once, without looking for the fewest steps. For those who run
 * a mutated copy.
 *
 * @public
 */
export const flaw = (seed: number, count: number, keyed: boolean): unknown =>
  attempt(scriptOf(seed, count, keyed), false).error
