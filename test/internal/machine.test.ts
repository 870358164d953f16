import { assert, describe, it } from "@effect/vitest"
import { Machine } from "../../src/internal/machine.ts"
import type { Policy } from "../../src/internal/policy.ts"
import { Rooms } from "../../src/internal/rooms.ts"
import type { Activity, Bounds, Command, Outage, Slot } from "../../src/internal/state.ts"
import { Group } from "../../src/internal/state.ts"
import { Waiter } from "../../src/internal/waiters.ts"

/** A borrower with a name, in the order of arrival: a, b, c. */
class Borrower extends Waiter {
  readonly name: string

  constructor(group: Group, name: string) {
    super(group)
    this.name = name
  }
}

const nameOf = (waiter: Waiter | undefined): string => waiter instanceof Borrower ? waiter.name : "nobody"

const hooks = { check: "check", borrow: "onBorrow", return: "onReturn" }

const activityName = (activity: Activity): string => `${hooks[activity.kind]} ${activity.slot.id}`

const ofKey = (group: Group): string => group.key === undefined ? "" : ` of ${String(group.key)}`

const forWhom = (waiter: Waiter | undefined): string => waiter === undefined ? "" : ` for ${nameOf(waiter)}`

const names = (waiters: ReadonlyArray<Waiter>): string => waiters.map(nameOf).join(" ")

const tell = (command: Command): string => {
  switch (command.op) {
    case "create":
      return `create ${command.slot.id}${ofKey(command.slot.group)}${forWhom(command.slot.only)}`
    case "destroy":
      return `destroy ${command.slot.id}${command.slot.doomed === undefined ? "" : ` ${command.slot.doomed}`}`
    case "abort":
    case "leave":
    case "late":
      return `${command.op} ${command.slot.id}`
    case "run":
      return activityName(command.activity) + forWhom(command.activity.waiter)
    case "stop":
    case "desert":
      return `${command.op} ${activityName(command.activity)}`
    case "space":
      return command.op + ofKey(command.outage.group)
    case "vanish":
      return command.op + ofKey(command.group)
    case "timeout":
    case "close":
      return `${command.op} ${names(command.waiters)}`
    case "fail":
      return `fail ${names(command.waiters)}: ${String(command.failure)}`
    case "reject":
    case "none":
    case "returned":
    case "overdue":
    case "revoke":
      return `${command.op} ${nameOf(command.waiter)}`
  }
}

interface Options extends Partial<Policy>, Partial<Bounds> {
  /** Most places of all keys together, where there are keys. */
  readonly total?: number
}

/** A machine with a clock, whose outcomes read like sentences. Nothing outside ends before it is told to. */
class Bench {
  readonly machine: Machine
  /** The only one, where there are no keys. */
  readonly group: Group
  readonly slots: Array<Slot> = []
  now = 0
  random = 0
  readonly policy: Policy
  private readonly bounds: Bounds
  private readonly activities: Array<Activity> = []
  private readonly outages = new Map<Group, Outage>()
  private said: Array<string> = []
  private borrowers = 0

  constructor({ max = 1, min = 0, total, ...options }: Options) {
    this.bounds = { min, max }
    this.policy = {
      concurrency: 1,
      order: "lifo",
      borrowTimeout: 1000,
      maxWaiting: Infinity,
      maxUses: Infinity,
      maxCreating: Infinity,
      createTimeout: 200,
      destroyTimeout: 300,
      idleTimeToLive: Infinity,
      timeToLive: Infinity,
      jitter: 0,
      borrowWarning: Infinity,
      borrowLimit: Infinity,
      healthInterval: Infinity,
      healthAfterIdle: Infinity,
      healthTimeout: 50,
      hookTimeout: 100,
      hasCheck: false,
      hasBorrowHook: false,
      hasReturnHook: false,
      unpooled: false,
      spare: 0,
      ...options
    }
    this.machine = new Machine(this.policy, () => this.random, () => "too late")
    this.machine.observed = true
    if (total !== undefined) this.machine.share(new Rooms(total))
    this.group = total === undefined ? this.machine.addGroup(undefined, this.bounds) : new Group(undefined, 0, 0)
    if (total === undefined) this.do((machine) => machine.start(this.group, 0))
  }

  /** What has been said since this was last asked. */
  get news(): ReadonlyArray<string> {
    const { said } = this
    this.said = []
    return said
  }

  /** What listeners are told. */
  get events(): ReadonlyArray<string> {
    return this.machine.happenings.splice(0).map(({ detail, slot, tag, waiter }) =>
      [tag, slot?.id, waiter === undefined ? undefined : nameOf(waiter), detail]
        .filter((part) => part !== undefined && typeof part !== "object").join(" ")
    )
  }

  /** The names of those in the queue. */
  get queue(): string {
    return this.queueOf(this.group)
  }

  queueOf(group: Group): string {
    const found: Array<Waiter> = []
    for (let waiter = group.queue.head; waiter !== undefined; waiter = waiter.next) found.push(waiter)
    return names(found)
  }

  private listen(): void {
    const { commands, served } = this.machine
    for (const waiter of served.splice(0)) this.said.push(`${nameOf(waiter)} gets ${waiter.slot!.id}`)
    for (const command of commands.splice(0)) {
      this.said.push(tell(command))
      if (command.op === "create") {
        this.slots[command.slot.id] = command.slot
        this.machine.awaitCreation(command.slot)
      } else if (command.op === "destroy" || command.op === "abort" || command.op === "late") {
        this.machine.awaitDestruction(command.slot)
      } else if (command.op === "space") {
        this.outages.set(command.outage.group, command.outage)
      } else if (command.op === "run") {
        this.activities.push(command.activity)
        this.machine.awaitActivity(command.activity)
      }
    }
  }

  private newcomer(group: Group): Borrower {
    return new Borrower(group, String.fromCharCode(97 + this.borrowers++))
  }

  /** The key comes into being with its first borrower. */
  key(name: string): Group {
    return this.machine.groups.get(name) ?? this.machine.addGroup(name, this.bounds)
  }

  borrow(timeout = this.policy.borrowTimeout): Borrower {
    return this.ask(this.group, timeout)
  }

  borrowFrom(key: string, timeout = this.policy.borrowTimeout): Borrower {
    return this.ask(this.key(key), timeout)
  }

  private ask(group: Group, timeout: number): Borrower {
    const waiter = this.newcomer(group)
    const slot = this.machine.borrow(waiter, timeout, this.now)
    if (slot !== undefined) this.said.push(`${waiter.name} gets ${slot.id}`)
    this.listen()
    return waiter
  }

  poll(): Borrower {
    const waiter = this.newcomer(this.group)
    const slot = this.machine.poll(waiter, this.now)
    if (slot !== undefined) this.said.push(`${waiter.name} gets ${slot.id}`)
    this.listen()
    return waiter
  }

  /** Runs a transition now. */
  do(transition: (machine: Machine, now: number) => void): void {
    transition(this.machine, this.now)
    this.listen()
  }

  cancel(waiter: Waiter): void {
    this.do((machine, now) => machine.cancel(waiter, now))
  }

  release(waiter: Waiter, unknown = false): void {
    this.do((machine, now) => machine.release(waiter, unknown, now))
  }

  create(id: number, value: unknown = `object ${id}`): boolean {
    const known = this.machine.create(this.slots[id]!, value, this.now)
    this.listen()
    return known
  }

  fail(id: number, failure: unknown = `failure ${id}`): boolean {
    const known = this.machine.fail(this.slots[id]!, failure, this.now)
    this.listen()
    return known
  }

  gone(...ids: ReadonlyArray<number>): void {
    for (const id of ids) this.do((machine, now) => machine.gone(this.slots[id]!, now))
  }

  /** The answer to the latest outage of the key, or to this one. */
  spaced(delay: number, group = this.group, outage = this.outages.get(group)!): void {
    this.do((machine, now) => machine.spaced(outage, delay, now))
  }

  /** The check or hook of this name, such as "check 0", has ended. */
  ran(name: string, ok: boolean): void {
    const activity = this.activities.find((activity) => !activity.over && activityName(activity) === name)
    if (activity === undefined) throw new Error(`${name} is not running`)
    this.do((machine, now) => machine.ran(activity, ok, now))
  }

  resize(min: number, max: number): void {
    this.do((machine, now) => machine.resize(this.group, { min, max }, now))
  }

  evict(): void {
    this.do((machine, now) => machine.evict(this.group, now))
  }

  invalidate(value: unknown, group = this.group): void {
    this.do((machine, now) => machine.invalidate(group, value, now))
  }

  /** The only holder of an object. */
  holderOf(id: number): Waiter {
    for (let waiter = this.machine.held.head; waiter !== undefined; waiter = waiter.next) {
      if (waiter.slot?.id === id) return waiter
    }
    throw new Error(`nobody holds ${id}`)
  }

  suspend(): void {
    this.do((machine, now) => machine.suspend(now))
  }

  resume(): void {
    this.do((machine, now) => machine.resume(now))
  }

  close(): void {
    this.do((machine, now) => machine.close(now))
  }

  revoke(waiter: Waiter, reason: "revoked" | "shutdown"): void {
    this.do((machine, now) => machine.revoke(waiter, reason, now))
  }

  /** The clock moves, and what is due happens. */
  to(now: number): void {
    this.now = now
    this.do((machine) => machine.advance(now))
  }

  /** One millisecond before the moment nothing happens; at the moment, this does. */
  exactly(at: number, expected: ReadonlyArray<string>): void {
    assert.deepStrictEqual(this.news, [])
    assert.isAtMost(this.machine.wakeAt, at, "it would sleep too long")
    this.to(at - 1)
    assert.deepStrictEqual(this.news, [], `too early, at ${at - 1}`)
    assert.isAtMost(this.machine.wakeAt, at, "it would sleep too long")
    this.to(at)
    assert.deepStrictEqual(this.news, expected, `at ${at}`)
  }

  /** Creates what is being created, and forgets that it was said. */
  ready(): this {
    for (const slot of this.slots.slice()) if (slot.state === "creating") this.create(slot.id)
    this.said = []
    return this
  }

  get places(): string {
    const { size, creating, destroying } = this.machine.counts()
    const { idle, inUse } = this.machine.usage(this.group)
    return `${size} (${idle} idle, ${inUse} in use), ${creating} creating, ${destroying} destroying`
  }
}

const bench = (options: Options = {}): Bench => new Bench(options)

/** As many objects as this are idle, and the minimum. */
const idle = (count: number, options: Options = {}): Bench => new Bench({ min: count, max: count, ...options }).ready()

describe("waiting", () => {
  it("serves waiters in the order of their arrival", () => {
    const pool = bench()
    const a = pool.borrow()
    const b = pool.borrow()
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0"])
    pool.create(0)
    assert.deepStrictEqual(pool.news, ["a gets 0"])
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["b gets 0"])
    pool.release(b)
    assert.deepStrictEqual(pool.news, ["c gets 0"])
  })

  it("lends an idle object at once, with nothing else to do", () => {
    const pool = idle(1)
    const a = pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 0"])
    assert.strictEqual(a.state, "holding")
    assert.strictEqual(a.slot, pool.slots[0])
    pool.release(a)
    assert.deepStrictEqual(pool.news, [])
    assert.strictEqual(a.state, "ended")
  })

  it("lets no newcomer overtake a waiter, though its object is there", () => {
    const pool = idle(1)
    pool.suspend()
    pool.borrow()
    pool.machine.suspended = false
    pool.borrow()
    assert.strictEqual(pool.queue, "a b")
  })

  it("gives up at the deadline, not before", () => {
    const pool = idle(1)
    pool.borrow()
    pool.now = 7
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 0"])
    pool.exactly(1007, ["timeout b"])
    assert.strictEqual(pool.queue, "")
    assert.strictEqual(pool.machine.nextDeadline(), Infinity)
  })

  it("gives up each waiter once, when deadlines of both kinds fall together", () => {
    const pool = idle(1, { borrowTimeout: 100 })
    pool.borrow()
    pool.borrow()
    pool.now = 50
    pool.borrow(50)
    pool.borrow(51)
    assert.deepStrictEqual(pool.news, ["a gets 0"])
    pool.exactly(100, ["timeout b c"])
    assert.strictEqual(pool.queue, "d")
    pool.exactly(101, ["timeout d"])
    assert.strictEqual(pool.group.totals.timeouts, 3)
  })

  it("finds the next deadline when those before it leave the queue in any order", () => {
    const pool = idle(1, { borrowTimeout: 100 })
    const [, b, c] = [pool.borrow(), pool.borrow(), pool.borrow(Infinity)]
    pool.now = 10
    const d = pool.borrow(500)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 0"])
    pool.cancel(b)
    pool.cancel(d)
    pool.cancel(c)
    pool.exactly(110, ["timeout e"])
  })

  it("has no deadline where a borrower waits for ever", () => {
    const pool = idle(1)
    pool.borrow()
    pool.borrow(Infinity)
    assert.strictEqual(pool.machine.nextDeadline(), Infinity)
  })

  it("tells those that give up how things stand, themselves included", () => {
    const pool = bench({ max: 3 })
    pool.borrow()
    pool.create(0)
    pool.borrow(2000)
    pool.borrow()
    pool.machine.advance(999)
    pool.machine.advance(1000)
    const [command] = pool.machine.commands.splice(0).filter(({ op }) => op === "timeout")
    assert.isTrue(command?.op === "timeout")
    if (command?.op !== "timeout") return
    assert.deepStrictEqual(command.counts, { size: 1, max: 3, inUse: 1, creating: 0, destroying: 2, waiting: 2 })
  })

  it("lends with no time to wait what needs neither check nor hook", () => {
    const pool = idle(1)
    const a = pool.borrow(0)
    assert.deepStrictEqual(pool.news, ["a gets 0"])
    pool.borrow(0)
    assert.deepStrictEqual(pool.news, ["timeout b"])
    pool.release(a)
    assert.deepStrictEqual(pool.news, [])
    assert.strictEqual(pool.queue, "")
  })

  it("begins no hook with no time to wait", () => {
    const pool = idle(1, { hasBorrowHook: true })
    pool.borrow(0)
    assert.deepStrictEqual(pool.news, ["timeout a"])
    pool.borrow(1)
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for b"])
  })

  it("begins no check with no time to wait", () => {
    const pool = idle(1, { hasCheck: true, healthAfterIdle: 10 })
    pool.to(9)
    pool.release(pool.borrow(0))
    assert.deepStrictEqual(pool.news, ["a gets 0"])
    pool.to(19)
    pool.borrow(0)
    assert.deepStrictEqual(pool.news, ["timeout b"])
  })

  it("lends another that needs no check, with no time to wait, and none that is too old", () => {
    const pool = bench({ min: 2, max: 2, order: "fifo", hasCheck: true, healthAfterIdle: 10, timeToLive: 20 })
    pool.create(0)
    pool.to(5)
    pool.create(1)
    assert.deepStrictEqual(pool.news, ["create 0", "create 1"])
    pool.to(9)
    const a = pool.borrow(0)
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["a gets 0"])
    pool.to(15)
    pool.release(pool.borrow(0))
    assert.deepStrictEqual(pool.news, ["b gets 0"])
    // its timer has not run yet
    pool.now = 20
    pool.borrow(0)
    assert.deepStrictEqual(pool.news, ["timeout c"])
  })

  it("goes on with a creation that was started by one with no time to wait", () => {
    const pool = bench()
    pool.borrow(0)
    assert.deepStrictEqual(pool.news, ["create 0", "timeout a"])
    pool.create(0)
    pool.borrow(0)
    assert.deepStrictEqual(pool.news, ["b gets 0"])
  })

  it("serves first whoever waits, whatever comes first, a return or a creation", () => {
    const pool = bench({ max: 2 })
    const a = pool.borrow()
    pool.create(0)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0", "a gets 0", "create 1"])
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["b gets 0"])
    pool.create(1)
    assert.deepStrictEqual(pool.news, [])
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["c gets 1"])
  })

  it("takes an object's deadline before that of a borrower, when they fall together", () => {
    const pool = bench({ createTimeout: 1000 })
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0"])
    pool.exactly(1000, ["space", "fail a: too late", "late 0"])
  })

  it("does not wait for what must first be created at the deadline", () => {
    const pool = idle(1, { destroyTimeout: 1000 })
    const a = pool.borrow()
    pool.invalidate("object 0")
    pool.release(a)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 0", "destroy 0 invalidated"])
    pool.exactly(1000, ["leave 0", "create 1", "timeout b"])
  })
})

describe("growing", () => {
  it("creates the minimum ahead, and again after a loss", () => {
    const pool = bench({ min: 2, max: 3 })
    assert.deepStrictEqual(pool.news, ["create 0", "create 1"])
    pool.create(0)
    pool.create(1)
    pool.invalidate("object 0")
    assert.deepStrictEqual(pool.news, ["destroy 0 invalidated", "create 2"])
    pool.create(2)
    pool.invalidate("object 1")
    assert.deepStrictEqual(pool.news, ["destroy 1 invalidated"])
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["create 3"])
  })

  it("creates side by side, one for each waiter, up to the maximum", () => {
    const pool = bench({ max: 3 })
    for (let i = 0; i < 5; i++) pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0", "create 1", "create 2"])
    pool.create(2)
    pool.create(0)
    assert.deepStrictEqual(pool.news, ["a gets 2", "b gets 0"])
  })

  it("lets what is created for the minimum serve waiters", () => {
    const pool = bench({ min: 1, max: 9 })
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0"])
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 1"])
  })

  it("begins one creation for as many waiters as may share the object", () => {
    const pool = bench({ max: 9, concurrency: 3 })
    for (let i = 0; i < 4; i++) pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0", "create 1"])
    pool.create(0)
    assert.deepStrictEqual(pool.news, ["a gets 0", "b gets 0", "c gets 0"])
  })

  it("begins one creation for everybody where an object may have any number of borrowers", () => {
    const pool = bench({ max: 9, concurrency: Infinity })
    for (let i = 0; i < 9; i++) pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0"])
  })

  it("begins no more creations at once than are allowed", () => {
    const pool = bench({ max: 9, maxCreating: 2 })
    for (let i = 0; i < 4; i++) pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0", "create 1"])
    pool.create(1)
    assert.deepStrictEqual(pool.news, ["a gets 1", "create 2"])
  })

  it("does not count a creation that is past its time as one of those at once", () => {
    const pool = bench({ max: 2, maxCreating: 1 })
    pool.borrow()
    pool.create(0)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0", "a gets 0", "create 1"])
    pool.to(200)
    assert.deepStrictEqual(pool.news, ["space", "late 1"])
    pool.resize(0, 3)
    pool.spaced(0)
    assert.deepStrictEqual(pool.news, ["create 2"])
  })

  it("keeps a creation whose borrower has left, for others", () => {
    const pool = bench()
    const a = pool.borrow()
    pool.cancel(a)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0"])
    pool.create(0)
    assert.deepStrictEqual(pool.news, ["b gets 0"])
  })

  it("begins nothing more for a waiter whom the creation of one who has left will serve", () => {
    const pool = bench({ max: 9 })
    const a = pool.borrow()
    pool.borrow()
    pool.cancel(a)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0", "create 1"])
  })

  it("counts a place from the beginning of a creation until the finalizers have ended", () => {
    const pool = bench({ max: 2 })
    const a = pool.borrow()
    pool.borrow()
    pool.create(0)
    pool.fail(1)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0", "create 1", "a gets 0", "space", "destroy 1"])
    pool.spaced(0)
    assert.deepStrictEqual(pool.news, [])
    pool.gone(1)
    assert.deepStrictEqual(pool.news, ["create 2"])
    pool.create(2)
    pool.invalidate("object 0")
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["b gets 2", "destroy 0 invalidated"])
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["create 3"])
  })

  it("refills the minimum at once when a borrower comes upon an expired object", () => {
    const pool = bench({ min: 2, max: 9, timeToLive: 100, order: "fifo" })
    pool.create(0)
    pool.now = 10
    pool.create(1)
    assert.deepStrictEqual(pool.news, ["create 0", "create 1"])
    pool.now = 105
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 1", "destroy 0 lifetime", "create 2"])
  })

  it("tells who asked for a creation", () => {
    const pool = bench({ max: 2 })
    const waiter = new Waiter(pool.group)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0"])
    pool.machine.borrow(waiter, 1000, 0)
    assert.deepStrictEqual(pool.machine.commands.splice(0).map((command) => command.op === "create" && command.asker), [
      waiter
    ])
  })
})

describe("a limit to the queue", () => {
  it("turns away whoever would have to queue, when enough do", () => {
    const pool = idle(1, { maxWaiting: 1 })
    pool.borrow()
    const b = pool.borrow()
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 0", "reject c"])
    pool.cancel(b)
    pool.borrow()
    assert.deepStrictEqual(pool.news, [])
    assert.strictEqual(pool.queue, "d")
    assert.strictEqual(pool.group.totals.rejected, 1)
  })

  it("does not count those for whom a creation is under way", () => {
    const pool = bench({ max: 2, maxWaiting: 0 })
    pool.borrow()
    pool.borrow()
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0", "create 1", "reject c"])
    pool.create(0)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 0", "reject d"])
  })

  it("lets one creation cover as many as may share the object", () => {
    const pool = bench({ max: 1, maxWaiting: 1, concurrency: 2 })
    for (let i = 0; i < 4; i++) pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0", "reject d"])
  })

  it("does not count those for whom an object is being prepared", () => {
    const pool = idle(1, { maxWaiting: 1, hasBorrowHook: true })
    pool.borrow()
    pool.borrow()
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a", "reject c"])
  })

  it("lets nobody in for whom the spacing of attempts forbids a creation", () => {
    const pool = bench({ max: 2, maxWaiting: 0 })
    const a = pool.borrow()
    pool.create(0)
    pool.borrow()
    pool.fail(1)
    pool.gone(1)
    pool.release(a)
    pool.borrow()
    assert.deepStrictEqual(pool.news, [
      "create 0",
      "a gets 0",
      "create 1",
      "space",
      "destroy 1",
      "b gets 0",
      "reject c"
    ])
    pool.spaced(100)
    pool.now = 99
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["reject d"])
    pool.now = 100
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 2"])
  })

  it("holds while the pool is suspended", () => {
    const pool = idle(2, { maxWaiting: 1 })
    pool.suspend()
    pool.borrow()
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["reject b"])
    pool.resume()
    assert.deepStrictEqual(pool.news, ["a gets 1"])
  })

  it("never turns away whom an idle object serves", () => {
    const pool = idle(1, { maxWaiting: 0 })
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 0"])
  })
})

describe("the order of lending", () => {
  const returned = (order: "lifo" | "fifo") => {
    const pool = idle(3, { order })
    const waiters = [pool.borrow(), pool.borrow(), pool.borrow()]
    for (const id of [1, 0, 2]) pool.release(waiters.find((waiter) => waiter.slot === pool.slots[id])!)
    assert.strictEqual(pool.news.length, 3)
    for (let i = 0; i < 3; i++) pool.borrow()
    return pool.news
  }

  it("is last in, first out", () => {
    assert.deepStrictEqual(returned("lifo"), ["d gets 2", "e gets 0", "f gets 1"])
  })

  it("is first in, first out where one asks for it", () => {
    assert.deepStrictEqual(returned("fifo"), ["d gets 1", "e gets 0", "f gets 2"])
  })

  it("passes over what is being checked, whichever it is", () => {
    for (const order of ["lifo", "fifo"] as const) {
      for (const checked of [0, 1]) {
        const pool = bench({ min: 2, max: 2, order, hasCheck: true, healthInterval: 100 })
        pool.now = 10
        pool.create(checked)
        pool.now = 20
        pool.create(1 - checked)
        pool.to(110)
        pool.borrow()
        assert.deepStrictEqual(pool.news, ["create 0", "create 1", `check ${checked}`, `a gets ${1 - checked}`])
      }
    }
  })

  it("leaves what it finds healthy where it stands among the idle, shared or not", () => {
    for (const concurrency of [1, 2]) {
      const pool = idle(2, { hasCheck: true, healthInterval: 100, order: "fifo", concurrency })
      pool.to(100)
      // the longest idle comes last
      for (const check of ["check 1", "check 0"]) pool.ran(check, true)
      pool.borrow()
      assert.deepStrictEqual(pool.news, ["check 0", "check 1", "a gets 0"])
    }
  })

  it("passes over the last returned while it is checked, since the other was checked later", () => {
    const pool = idle(2, { hasCheck: true, healthInterval: 100 })
    const a = pool.borrow()
    pool.to(100)
    pool.now = 102
    pool.release(a)
    pool.now = 105
    pool.ran("check 0", true)
    assert.deepStrictEqual(pool.news, ["a gets 1", "check 0"])
    pool.exactly(202, ["check 1"])
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["b gets 0"])
  })

  it("takes the wholly idle of shared objects first, then the one with the fewest borrowers", () => {
    const pool = idle(2, { concurrency: 3 })
    const waiters = [pool.borrow(), pool.borrow(), pool.borrow(), pool.borrow()]
    assert.deepStrictEqual(pool.news, ["a gets 1", "b gets 0", "c gets 1", "d gets 0"])
    pool.release(waiters[0]!)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["e gets 1"])
    pool.release(waiters[1]!)
    pool.release(waiters[3]!)
    pool.borrow()
    pool.borrow()
    pool.borrow()
    pool.borrow()
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["f gets 0", "g gets 0", "h gets 1", "i gets 0"])
    assert.strictEqual(pool.queue, "j")
  })
})

describe("polling", () => {
  it("gives an idle object, or none", () => {
    const pool = idle(1, { max: 5 })
    const a = pool.poll()
    const b = pool.poll()
    assert.deepStrictEqual(pool.news, ["a gets 0", "none b"])
    assert.strictEqual(a.state, "holding")
    assert.strictEqual(b.state, "ended")
    assert.strictEqual(pool.queue, "")
  })

  it("gives none while the pool is suspended or closed", () => {
    const pool = idle(1)
    pool.suspend()
    pool.poll()
    pool.resume()
    pool.close()
    pool.poll()
    assert.deepStrictEqual(pool.news, ["none a", "destroy 0 shutdown", "none b"])
  })

  it("tries the next idle object when a hook fails, then gives none", () => {
    const pool = bench({ max: 2, hasBorrowHook: true })
    const waiters = [pool.borrow(), pool.borrow()]
    pool.create(0)
    pool.create(1)
    pool.ran("onBorrow 0", true)
    pool.ran("onBorrow 1", true)
    for (const waiter of waiters) pool.release(waiter)
    assert.strictEqual(pool.news.at(-1), "b gets 1")
    pool.poll()
    pool.ran("onBorrow 1", false)
    assert.deepStrictEqual(pool.news, ["onBorrow 1 for c", "onBorrow 0 for c", "destroy 1 failed"])
    pool.ran("onBorrow 0", false)
    assert.deepStrictEqual(pool.news, ["none c", "destroy 0 failed"])
  })

  it("runs a check that is due, then the hook", () => {
    const pool = idle(1, { hasCheck: true, healthAfterIdle: 0, hasBorrowHook: true })
    pool.poll()
    pool.ran("check 0", true)
    pool.ran("onBorrow 0", true)
    assert.deepStrictEqual(pool.news, ["check 0 for a", "onBorrow 0 for a", "a gets 0"])
  })

  it("refills the minimum when it comes upon an expired object", () => {
    const pool = idle(1, { max: 2, timeToLive: 100 })
    pool.now = 100
    pool.poll()
    assert.deepStrictEqual(pool.news, ["destroy 0 lifetime", "create 1", "none a"])
  })
})

describe("giving up a wait", () => {
  it("leaves the queue, and the others where they are", () => {
    const pool = idle(1)
    pool.borrow()
    const b = pool.borrow()
    pool.borrow()
    pool.cancel(b)
    assert.strictEqual(pool.queue, "c")
    pool.cancel(b)
    assert.deepStrictEqual(pool.news, ["a gets 0"])
    assert.strictEqual(pool.group.totals.cancelled, 1)
  })

  it("changes nothing once the object is handed over", () => {
    const pool = idle(1)
    const a = pool.borrow()
    pool.cancel(a)
    assert.strictEqual(a.state, "holding")
    assert.strictEqual(pool.group.totals.cancelled, 0)
  })

  it("passes a hook that is running on to the next waiter", () => {
    const pool = idle(1, { hasBorrowHook: true })
    const a = pool.borrow()
    pool.borrow()
    pool.cancel(a)
    assert.strictEqual(pool.queue, "")
    pool.ran("onBorrow 0", true)
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a", "b gets 0"])
  })

  it("keeps the deadline of the waiter who takes the place", () => {
    const pool = idle(1, { hasBorrowHook: true })
    const a = pool.borrow()
    pool.now = 30
    pool.borrow(40)
    pool.cancel(a)
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a"])
    pool.exactly(70, ["stop onBorrow 0", "timeout b"])
  })

  it("interrupts the hook when no waiter is left, and the object is in an unknown state", () => {
    const pool = idle(1, { hasBorrowHook: true, max: 2 })
    pool.cancel(pool.borrow())
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a", "stop onBorrow 0"])
    pool.ran("onBorrow 0", false)
    assert.deepStrictEqual(pool.news, ["destroy 0 failed", "create 1"])
  })

  it("checks an object in an unknown state where there is a check", () => {
    const pool = idle(1, { hasBorrowHook: true, hasCheck: true })
    pool.cancel(pool.borrow())
    pool.ran("onBorrow 0", false)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a", "stop onBorrow 0", "check 0"])
    pool.ran("check 0", true)
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for b"])
  })

  it("lets a check go on, whose object is then idle, or serves the next", () => {
    const pool = idle(1, { hasCheck: true, healthAfterIdle: 10 })
    pool.to(10)
    const a = pool.borrow()
    const b = pool.borrow()
    pool.cancel(a)
    pool.cancel(b)
    assert.deepStrictEqual(pool.news, ["check 0 for a"])
    pool.to(15)
    pool.ran("check 0", true)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["c gets 0"])
  })

  it("runs onReturn for a hook that succeeded though nobody got the object", () => {
    const pool = idle(1, { hasBorrowHook: true, hasReturnHook: true })
    pool.cancel(pool.borrow())
    pool.ran("onBorrow 0", true)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a", "stop onBorrow 0", "onReturn 0"])
    pool.ran("onReturn 0", true)
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for b"])
    assert.strictEqual(pool.group.totals.borrowed, 0)
  })

  it("destroys an object whose onReturn for nobody fails", () => {
    const pool = idle(1, { hasBorrowHook: true, hasReturnHook: true })
    pool.cancel(pool.borrow())
    pool.ran("onBorrow 0", true)
    pool.ran("onReturn 0", false)
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a", "stop onBorrow 0", "onReturn 0", "destroy 0 failed"])
  })
})

describe("returning", () => {
  it("happens once", () => {
    const pool = idle(1)
    const a = pool.borrow()
    pool.release(a)
    pool.release(a)
    pool.revoke(a, "revoked")
    assert.strictEqual(pool.group.totals.returned, 1)
    assert.strictEqual(pool.places, "1 (1 idle, 0 in use), 0 creating, 0 destroying")
  })

  it("runs onReturn before the object is lent again, and tells when it is over", () => {
    const pool = idle(1, { hasReturnHook: true })
    const a = pool.borrow()
    pool.borrow()
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["a gets 0", "onReturn 0 for a"])
    assert.strictEqual(pool.places, "1 (0 idle, 1 in use), 0 creating, 0 destroying")
    pool.ran("onReturn 0", true)
    assert.deepStrictEqual(pool.news, ["b gets 0", "returned a"])
  })

  it("destroys an object whose onReturn fails", () => {
    const pool = idle(1, { hasReturnHook: true })
    pool.release(pool.borrow())
    pool.ran("onReturn 0", false)
    assert.deepStrictEqual(pool.news, ["a gets 0", "onReturn 0 for a", "destroy 0 failed", "returned a"])
  })

  it("gives up an onReturn that takes too long, and its late end changes nothing", () => {
    const pool = idle(1, { hasReturnHook: true })
    pool.now = 10
    pool.release(pool.borrow())
    assert.deepStrictEqual(pool.news, ["a gets 0", "onReturn 0 for a"])
    const [activity] = pool.slots[0]!.activities
    pool.exactly(110, ["desert onReturn 0", "destroy 0 failed", "returned a"])
    pool.do((machine, now) => machine.ran(activity!, true, now))
    assert.deepStrictEqual(pool.news, [])
  })

  it("runs onReturn for an object that must go, too", () => {
    const pool = idle(1, { hasReturnHook: true })
    const a = pool.borrow()
    pool.invalidate("object 0")
    pool.release(a)
    pool.ran("onReturn 0", true)
    assert.deepStrictEqual(pool.news, ["a gets 0", "onReturn 0 for a", "destroy 0 invalidated", "returned a"])
  })

  it("destroys an object in an unknown state where there is no check", () => {
    const pool = idle(1)
    pool.release(pool.borrow(), true)
    assert.deepStrictEqual(pool.news, ["a gets 0", "destroy 0 failed"])
  })

  it("checks an object in an unknown state before it is lent again", () => {
    const pool = idle(1, { hasCheck: true, max: 2 })
    pool.release(pool.borrow(), true)
    assert.deepStrictEqual(pool.news, ["a gets 0", "check 0"])
    assert.strictEqual(pool.places, "1 (0 idle, 0 in use), 0 creating, 0 destroying")
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 1"])
    pool.ran("check 0", true)
    assert.deepStrictEqual(pool.news, ["b gets 0"])
  })

  it("destroys an object in an unknown state that its check finds unhealthy", () => {
    const pool = idle(1, { hasCheck: true })
    pool.release(pool.borrow(), true)
    pool.ran("check 0", false)
    assert.deepStrictEqual(pool.news, ["a gets 0", "check 0", "destroy 0 unhealthy"])
    assert.strictEqual(pool.group.outage, undefined)
  })

  it("checks an object in an unknown state after its onReturn", () => {
    const pool = idle(1, { hasCheck: true, hasReturnHook: true })
    pool.release(pool.borrow(), true)
    pool.ran("onReturn 0", true)
    assert.deepStrictEqual(pool.news, ["a gets 0", "onReturn 0 for a", "check 0", "returned a"])
  })

  it("keeps a shared object, however one of its holders ended", () => {
    const pool = idle(1, { concurrency: 2, hasCheck: true })
    const a = pool.borrow()
    pool.borrow()
    pool.release(a, true)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 0", "b gets 0", "c gets 0"])
  })

  it("destroys a shared object that must go with its last holder", () => {
    const pool = idle(1, { concurrency: 2 })
    const a = pool.borrow()
    const b = pool.borrow()
    pool.invalidate("object 0")
    pool.release(b)
    assert.deepStrictEqual(pool.news, ["a gets 0", "b gets 0"])
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["destroy 0 invalidated"])
  })
})

describe("creating that fails", () => {
  it("fails every waiter at once, before its finalizers, when there is no other hope", () => {
    const pool = bench({ max: 2 })
    for (let i = 0; i < 3; i++) pool.borrow()
    pool.fail(1)
    assert.deepStrictEqual(pool.news, ["create 0", "create 1", "space", "destroy 1"])
    pool.fail(0)
    assert.deepStrictEqual(pool.news, ["fail a b c: failure 0", "destroy 0"])
    assert.strictEqual(pool.group.totals.createFailures, 2)
  })

  it("lets waiters wait on while an object is alive", () => {
    const pool = bench({ max: 2 })
    const a = pool.borrow()
    pool.create(0)
    pool.borrow()
    pool.fail(1)
    assert.deepStrictEqual(pool.news, ["create 0", "a gets 0", "create 1", "space", "destroy 1"])
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["b gets 0"])
  })

  it("does not count an object that must go as alive", () => {
    const pool = bench({ max: 2 })
    pool.borrow()
    pool.create(0)
    pool.borrow()
    pool.invalidate("object 0")
    pool.fail(1)
    assert.deepStrictEqual(pool.news, ["create 0", "a gets 0", "create 1", "space", "fail b: failure 1", "destroy 1"])
  })

  it("is tried again when its spacing allows, one at a time, and lets later borrowers share the outcome", () => {
    const pool = bench({ max: 3 })
    pool.borrow()
    pool.fail(0)
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["create 0", "space", "fail a: failure 0", "destroy 0"])
    pool.borrow()
    pool.borrow()
    assert.deepStrictEqual(pool.news, [])
    pool.now = 1
    pool.spaced(100)
    pool.exactly(100, ["create 1"])
    pool.borrow()
    assert.deepStrictEqual(pool.news, [])
    pool.fail(1)
    assert.deepStrictEqual(pool.news, ["space", "fail b c d: failure 1", "destroy 1"])
  })

  it("is tried again without demand, to keep the minimum", () => {
    const pool = bench({ min: 2, max: 2 })
    pool.fail(0)
    pool.create(1)
    assert.deepStrictEqual(pool.news, ["create 0", "create 1", "space", "destroy 0"])
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["create 2"])
    pool.now = 10
    pool.fail(2)
    pool.gone(2)
    pool.spaced(50)
    assert.deepStrictEqual(pool.news, ["space", "destroy 2"])
    pool.exactly(60, ["create 3"])
  })

  it("is spaced from the latest failure, though the spacing is known later", () => {
    const pool = bench({ min: 2, max: 2 })
    pool.fail(0)
    pool.now = 30
    pool.fail(1)
    pool.gone(0, 1)
    pool.now = 40
    pool.spaced(100)
    assert.deepStrictEqual(pool.news, ["create 0", "create 1", "space", "destroy 0", "destroy 1"])
    pool.exactly(130, ["create 2"])
  })

  it("starts its delay anew, but takes no step, when it was under way before", () => {
    const pool = bench({ min: 2, max: 2 })
    pool.fail(0)
    pool.gone(0)
    pool.spaced(100)
    pool.to(90)
    pool.fail(1)
    pool.gone(1)
    assert.deepStrictEqual(pool.news, ["create 0", "create 1", "space", "destroy 0", "destroy 1"])
    pool.exactly(190, ["create 2"])
    pool.fail(2)
    assert.deepStrictEqual(pool.news, ["space", "destroy 2"])
  })

  it("is over with one that succeeds, even one from before", () => {
    const pool = bench({ min: 3, max: 3 })
    pool.fail(0)
    pool.gone(0)
    pool.spaced(1000)
    assert.deepStrictEqual(pool.news, ["create 0", "create 1", "create 2", "space", "destroy 0"])
    pool.create(1)
    assert.deepStrictEqual(pool.news, ["create 3"])
    assert.strictEqual(pool.group.lastFailure, undefined)
    pool.fail(3)
    assert.deepStrictEqual(pool.news, ["space", "destroy 3"])
    assert.strictEqual(pool.group.lastFailure, "failure 3")
  })

  it("begins the next attempt at once when one is interrupted by an eviction", () => {
    const pool = bench({ min: 1, max: 2 })
    pool.fail(0)
    pool.spaced(10)
    pool.to(10)
    assert.deepStrictEqual(pool.news, ["create 0", "space", "destroy 0", "create 1"])
    pool.gone(0)
    pool.evict()
    assert.deepStrictEqual(pool.news, ["abort 1", "create 2"])
    pool.fail(2)
    assert.deepStrictEqual(pool.news, ["space", "destroy 2"])
  })

  it("has no say in a later outage with the answer to its spacing", () => {
    const pool = bench({ min: 2, max: 2 })
    pool.fail(0)
    const earlier = pool.group.outage!
    pool.create(1)
    pool.gone(0)
    pool.fail(2)
    pool.gone(2)
    assert.deepStrictEqual(pool.news, [
      "create 0",
      "create 1",
      "space",
      "destroy 0",
      "create 2",
      "space",
      "destroy 2"
    ])
    pool.spaced(100)
    // its time has come, but nobody has said so yet
    pool.now = 100
    pool.spaced(0, pool.group, earlier)
    assert.deepStrictEqual(pool.news, [])
    pool.to(100)
    assert.deepStrictEqual(pool.news, ["create 3"])
  })

  it("is no outage any more when the answer to its spacing comes after a success", () => {
    const pool = bench({ min: 2, max: 2 })
    pool.fail(0)
    pool.create(1)
    pool.spaced(1000)
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["create 0", "create 1", "space", "destroy 0", "create 2"])
  })
})

describe("an object lost before anybody had it", () => {
  it("spaces the next creation until a hand-over, and its borrower stays the first in the queue", () => {
    const pool = bench({ max: 2, hasBorrowHook: true })
    pool.borrow()
    pool.borrow()
    pool.create(0)
    pool.create(1)
    assert.deepStrictEqual(pool.news, ["create 0", "create 1", "onBorrow 0 for a", "onBorrow 1 for b"])
    pool.ran("onBorrow 0", false)
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["space", "destroy 0 failed"])
    pool.spaced(100)
    pool.exactly(100, ["desert onBorrow 1", "destroy 1 failed"])
    assert.strictEqual(pool.queue, "a b")
    assert.strictEqual(pool.group.totals.createFailures, 0)
    pool.gone(1)
    pool.exactly(200, ["create 2"])
    pool.create(2)
    assert.deepStrictEqual(pool.news, ["onBorrow 2 for a", "create 3"])
    pool.ran("onBorrow 2", true)
    assert.deepStrictEqual(pool.news, ["a gets 2"])
  })

  it("spaces it until a return goes to the next, too: what was put off begins at once", () => {
    const pool = idle(2, { max: 2, hasCheck: true, healthAfterIdle: 10 })
    pool.to(10)
    const a = pool.borrow()
    pool.ran("check 1", true)
    pool.borrow()
    pool.ran("check 0", false)
    pool.borrow()
    pool.spaced(100)
    pool.gone(0)
    assert.deepStrictEqual(pool.news, [
      "check 1 for a",
      "a gets 1",
      "check 0 for b",
      "space",
      "destroy 0 unhealthy"
    ])
    assert.strictEqual(pool.queue, "b c")
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["b gets 1", "create 2"])
  })

  it("steps the schedule when it was created after the loss before", () => {
    const pool = bench({ hasBorrowHook: true })
    pool.borrow()
    pool.create(0)
    pool.ran("onBorrow 0", false)
    pool.spaced(0)
    pool.gone(0)
    pool.create(1)
    pool.ran("onBorrow 1", false)
    assert.deepStrictEqual(pool.news, [
      "create 0",
      "onBorrow 0 for a",
      "space",
      "destroy 0 failed",
      "create 1",
      "onBorrow 1 for a",
      "space",
      "destroy 1 failed"
    ])
  })

  it("may be lost to a check on borrow as well", () => {
    const pool = idle(1, { hasCheck: true, healthAfterIdle: 10 })
    pool.to(10)
    pool.borrow()
    pool.ran("check 0", false)
    assert.deepStrictEqual(pool.news, ["check 0 for a", "space", "destroy 0 unhealthy"])
    assert.strictEqual(pool.queue, "a")
  })

  it("is nothing special once somebody had it", () => {
    const pool = idle(1, { hasCheck: true, healthAfterIdle: 10 })
    pool.release(pool.borrow())
    pool.to(10)
    pool.borrow()
    pool.ran("check 0", false)
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["a gets 0", "check 0 for b", "destroy 0 unhealthy", "create 1"])
  })

  it("lets the minimum grow again when another hand-over ends the spacing", () => {
    const pool = bench({ min: 2, max: 9, hasCheck: true, healthAfterIdle: 10 })
    pool.create(0)
    pool.create(1)
    pool.now = 5
    const a = pool.borrow()
    pool.now = 10
    pool.cancel(pool.borrow())
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["create 0", "create 1", "a gets 1", "check 0 for b"])
    pool.ran("check 0", false)
    pool.spaced(1000)
    assert.deepStrictEqual(pool.news, ["space", "destroy 0 unhealthy"])
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["c gets 1", "create 2"])
  })
})

describe("creating that takes too long", () => {
  it("has failed at its deadline, and takes its place until it has ended", () => {
    const pool = bench()
    pool.now = 5
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0"])
    pool.exactly(205, ["space", "fail a: too late", "late 0"])
    assert.strictEqual(pool.places, "0 (0 idle, 0 in use), 0 creating, 1 destroying")
    pool.spaced(0)
    pool.borrow()
    assert.deepStrictEqual(pool.news, [])
    assert.isFalse(pool.create(0))
    assert.isFalse(pool.fail(0))
    assert.deepStrictEqual(pool.news, [])
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["create 1"])
    assert.deepStrictEqual(pool.group.totals.created, 0)
    assert.deepStrictEqual(pool.group.totals.destroyed.failed, 0)
  })

  it("frees its place at destroyTimeout at the latest", () => {
    const pool = bench()
    pool.borrow()
    pool.to(200)
    pool.spaced(0)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0", "space", "fail a: too late", "late 0"])
    pool.exactly(500, ["leave 0", "create 1"])
    pool.gone(0)
    assert.strictEqual(pool.places, "0 (0 idle, 0 in use), 1 creating, 0 destroying")
  })

  it("has no deadline once it has ended", () => {
    const pool = bench()
    pool.borrow(Infinity)
    pool.create(0)
    assert.strictEqual(pool.machine.nextDeadline(), Infinity)
  })
})

describe("destroying", () => {
  it("leaves finalizers that take too long to themselves", () => {
    const pool = bench({ min: 1 }).ready()
    pool.now = 5
    pool.invalidate("object 0")
    assert.deepStrictEqual(pool.news, ["destroy 0 invalidated"])
    pool.exactly(305, ["leave 0", "create 1"])
    assert.strictEqual(pool.group.totals.destroyed.invalidated, 1)
    pool.gone(0)
    assert.strictEqual(pool.group.totals.destroyed.invalidated, 1)
  })

  it("counts by the reason that came first", () => {
    const pool = idle(1)
    const a = pool.borrow()
    pool.invalidate("object 0")
    pool.evict()
    pool.close()
    pool.release(a, true)
    assert.deepStrictEqual(pool.news, ["a gets 0", "destroy 0 invalidated"])
    assert.strictEqual(pool.group.totals.destroyed.invalidated, 0)
    pool.gone(0)
    assert.strictEqual(pool.group.totals.destroyed.invalidated, 1)
  })
})

describe("a limit to the uses of an object", () => {
  it("destroys it on return, and lends it no more once as many have begun", () => {
    const pool = bench({ max: 2, maxUses: 2, concurrency: 3 })
    pool.borrow()
    pool.create(0)
    const a = pool.borrow()
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0", "a gets 0", "b gets 0", "create 1"])
    pool.release(a)
    assert.deepStrictEqual(pool.news, [])
  })

  it("counts it as alive no more, so that the minimum is refilled", () => {
    const pool = idle(1, { max: 2, maxUses: 1 })
    pool.release(pool.borrow())
    assert.deepStrictEqual(pool.news, ["a gets 0", "create 1", "destroy 0 uses"])
  })

  it("creates nothing for waiters whom the next idle objects serve", () => {
    const pool = idle(3, { max: 9, maxUses: 1 })
    pool.resize(0, 9)
    pool.suspend()
    for (let i = 0; i < 3; i++) pool.borrow()
    pool.resume()
    assert.deepStrictEqual(pool.news, ["a gets 2", "b gets 1", "c gets 0"])
  })
})

describe("the lifetime of an object", () => {
  it("ends at its age when it is idle", () => {
    const pool = bench({ min: 1, max: 2, timeToLive: 100 })
    pool.now = 7
    pool.ready()
    pool.exactly(107, ["destroy 0 lifetime", "create 1"])
    assert.strictEqual(pool.places, "0 (0 idle, 0 in use), 1 creating, 1 destroying")
  })

  it("ends on return when it is borrowed, but it is not alive from its age on", () => {
    const pool = bench({ min: 1, max: 2, timeToLive: 100 }).ready()
    const a = pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 0"])
    pool.exactly(100, ["create 1"])
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["destroy 0 lifetime"])
  })

  it("ends on return also where nobody has looked at it", () => {
    const pool = bench({ min: 1, timeToLive: 100 }).ready()
    const [a, b] = [pool.borrow(), pool.borrow()]
    pool.now = 100
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["a gets 0", "destroy 0 lifetime"])
    assert.strictEqual(b.state, "queued")
  })

  it("is not over one millisecond before", () => {
    const pool = bench({ min: 1, timeToLive: 100 }).ready()
    pool.now = 99
    pool.release(pool.borrow())
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 0", "b gets 0"])
  })

  it("is shortened by a random share of the jitter, to whole milliseconds", () => {
    for (const [random, expires] of [[0, 100], [1, 75], [0.5, 88]] as const) {
      const pool = bench({ timeToLive: 100, jitter: 0.25 })
      pool.random = random
      pool.borrow()
      pool.create(0)
      assert.strictEqual(pool.slots[0]!.expiresAt, expires)
    }
  })

  it("ends while the object is prepared, and its borrower stays the first in the queue", () => {
    const pool = bench({ min: 1, max: 2, timeToLive: 100, hasBorrowHook: true }).ready()
    pool.now = 50
    pool.borrow()
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a", "create 1"])
    pool.exactly(100, ["stop onBorrow 0"])
    assert.strictEqual(pool.queue, "a b")
    pool.ran("onBorrow 0", true)
    assert.deepStrictEqual(pool.news, ["destroy 0 lifetime"])
    pool.create(1)
    assert.deepStrictEqual(pool.news, ["onBorrow 1 for a"])
  })

  it("is looked at again when a hook or check has ended", () => {
    const pool = bench({ min: 1, timeToLive: 100, hasBorrowHook: true, hasCheck: true, healthAfterIdle: 10 }).ready()
    pool.now = 60
    pool.borrow()
    pool.now = 100
    pool.ran("check 0", true)
    assert.deepStrictEqual(pool.news, ["check 0 for a", "destroy 0 lifetime"])
    assert.strictEqual(pool.queue, "a")
  })

  it("ends for all that are due together", () => {
    const pool = bench({ min: 3, max: 3, timeToLive: 100 }).ready()
    pool.to(100)
    assert.sameMembers([...pool.news], ["destroy 0 lifetime", "destroy 1 lifetime", "destroy 2 lifetime"])
  })
})

describe("idle objects beyond the minimum", () => {
  const crowd = (options: Options = {}) => {
    const pool = bench({ min: 3, max: 3, idleTimeToLive: 100, ...options }).ready()
    pool.resize(1, 3)
    return pool
  }

  it("are destroyed when they have been idle long enough, the longest idle first", () => {
    const pool = crowd()
    pool.now = 10
    pool.release(pool.borrow())
    pool.now = 20
    pool.release(pool.borrow())
    assert.deepStrictEqual(pool.news, ["a gets 2", "b gets 2"])
    pool.exactly(100, ["destroy 0 idle", "destroy 1 idle"])
    pool.gone(0, 1)
    pool.to(1000)
    assert.deepStrictEqual(pool.news, [])
    assert.strictEqual(pool.machine.nextDeadline(), Infinity)
  })

  it("begin to be idle anew with each return", () => {
    const pool = crowd({ order: "fifo" })
    pool.now = 30
    const a = pool.borrow()
    pool.now = 40
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["a gets 0"])
    pool.exactly(100, ["destroy 1 idle", "destroy 2 idle"])
    pool.resize(0, 3)
    pool.exactly(140, ["destroy 0 idle"])
  })

  it("are looked at again when the moment of an earlier return comes", () => {
    const pool = idle(1, { idleTimeToLive: 100 })
    pool.resize(0, 1)
    pool.now = 60
    pool.release(pool.borrow())
    assert.deepStrictEqual(pool.news, ["a gets 0"])
    pool.to(100)
    pool.exactly(160, ["destroy 0 idle"])
  })

  it("are those of the longest idle, so a minimum is kept", () => {
    const pool = crowd()
    pool.resize(2, 3)
    pool.exactly(100, ["destroy 0 idle"])
    assert.strictEqual(pool.places, "2 (2 idle, 0 in use), 0 creating, 1 destroying")
  })

  it("are counted from those alive, the borrowed included", () => {
    const pool = crowd()
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 2"])
    pool.exactly(100, ["destroy 0 idle", "destroy 1 idle"])
  })

  it("go at the next moment where they may not be idle at all", () => {
    const pool = bench({ idleTimeToLive: 0 })
    const a = pool.borrow()
    pool.create(0)
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["create 0", "a gets 0"])
    assert.strictEqual(pool.machine.wakeAt, 0)
    pool.to(0)
    assert.deepStrictEqual(pool.news, ["destroy 0 idle"])
  })

  it("go when they are being checked, too", () => {
    const pool = crowd({ hasCheck: true, healthInterval: 80 })
    pool.to(80)
    assert.deepStrictEqual(pool.news, ["check 0", "check 1", "check 2"])
    pool.exactly(100, ["stop check 0", "stop check 1"])
    pool.ran("check 0", false)
    pool.ran("check 1", true)
    assert.deepStrictEqual(pool.news, ["destroy 0 idle", "destroy 1 idle"])
  })
})

describe("checks in the background", () => {
  it("happen when an object has been idle long enough since its creation, its return or its last check", () => {
    const pool = bench({ min: 1, hasCheck: true, healthInterval: 100 })
    pool.now = 7
    pool.ready()
    pool.exactly(107, ["check 0"])
    pool.now = 117
    pool.ran("check 0", true)
    pool.exactly(217, ["check 0"])
    pool.ran("check 0", true)
    pool.now = 230
    const a = pool.borrow()
    pool.now = 250
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["a gets 0"])
    pool.exactly(350, ["check 0"])
    assert.strictEqual(pool.group.totals.healthChecks, 2)
  })

  it("never concern a borrowed object", () => {
    const pool = idle(1, { hasCheck: true, healthInterval: 100 })
    const a = pool.borrow()
    pool.to(100)
    pool.to(1000)
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["a gets 0"])
    pool.exactly(1100, ["check 0"])
  })

  it("hold their own object only", () => {
    const pool = idle(2, { hasCheck: true, healthInterval: 100, max: 3 })
    const a = pool.borrow()
    pool.to(100)
    assert.deepStrictEqual(pool.news, ["a gets 1", "check 0"])
    pool.release(a)
    pool.borrow()
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["b gets 1", "create 2"])
    assert.strictEqual(pool.places, "2 (0 idle, 1 in use), 1 creating, 0 destroying")
    pool.ran("check 0", true)
    assert.deepStrictEqual(pool.news, ["c gets 0"])
  })

  it("destroy and replace an unhealthy object, without an outage", () => {
    const pool = idle(1, { hasCheck: true, healthInterval: 100, max: 2 })
    pool.to(100)
    pool.ran("check 0", false)
    assert.deepStrictEqual(pool.news, ["check 0", "destroy 0 unhealthy", "create 1"])
  })

  it("take an object for unhealthy when they take too long", () => {
    const pool = idle(1, { hasCheck: true, healthInterval: 100 })
    pool.to(100)
    assert.deepStrictEqual(pool.news, ["check 0"])
    pool.exactly(150, ["desert check 0", "destroy 0 unhealthy"])
  })

  it("keep the place of the object among the idle ones", () => {
    for (const concurrency of [1, 2]) {
      const pool = idle(2, { concurrency, order: "fifo", hasCheck: true, healthInterval: 100, idleTimeToLive: 150 })
      pool.to(100)
      pool.ran("check 0", true)
      pool.now = 120
      pool.ran("check 1", true)
      pool.resize(0, 2)
      pool.poll()
      assert.deepStrictEqual(pool.news, ["check 0", "check 1", "a gets 0"])
      pool.exactly(150, ["destroy 1 idle"])
    }
  })

  it("of a shared object run beside its holders, its free shares lent meanwhile", () => {
    const pool = idle(1, { concurrency: 3, hasCheck: true, healthInterval: 100 })
    const a = pool.borrow()
    pool.to(100)
    const b = pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 0", "check 0", "b gets 0"])
    pool.ran("check 0", false)
    pool.borrow()
    pool.release(a)
    assert.deepStrictEqual(pool.news, [])
    pool.release(b)
    assert.deepStrictEqual(pool.news, ["destroy 0 unhealthy"])
  })

  it("of a shared object are counted from the return of its last holder", () => {
    const pool = idle(1, { concurrency: 2, hasCheck: true, healthInterval: 100 })
    const [a, b] = [pool.borrow(), pool.borrow()]
    pool.now = 60
    pool.release(a)
    pool.now = 70
    pool.release(b)
    assert.deepStrictEqual(pool.news, ["a gets 0", "b gets 0"])
    pool.exactly(170, ["check 0"])
  })
})

describe("checks on borrow", () => {
  it("concern objects that have been idle long enough, not one millisecond less", () => {
    const pool = idle(1, { hasCheck: true, healthAfterIdle: 10 })
    pool.now = 9
    pool.release(pool.borrow())
    pool.now = 18
    pool.release(pool.borrow())
    pool.now = 28
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 0", "b gets 0", "check 0 for c"])
    pool.ran("check 0", true)
    assert.deepStrictEqual(pool.news, ["c gets 0"])
  })

  it("concern every idle object where none may be idle, but not what is handed over straight from elsewhere", () => {
    const pool = bench({ hasCheck: true, healthAfterIdle: 0 })
    const a = pool.borrow()
    const b = pool.borrow()
    pool.create(0)
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["create 0", "a gets 0", "b gets 0"])
    pool.release(b)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["check 0 for c"])
  })

  it("that fail send their borrower to the next object", () => {
    const pool = idle(2, { hasCheck: true, healthAfterIdle: 0 })
    pool.borrow()
    pool.ran("check 1", false)
    assert.deepStrictEqual(pool.news, ["check 1 for a", "space", "destroy 1 unhealthy", "check 0 for a"])
    pool.ran("check 0", true)
    assert.deepStrictEqual(pool.news, ["a gets 0"])
  })

  it("hold a shared object for their borrower alone", () => {
    const pool = idle(1, { hasCheck: true, healthAfterIdle: 0, concurrency: 3, hasBorrowHook: true })
    pool.borrow()
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["check 0 for a"])
    pool.ran("check 0", true)
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a", "onBorrow 0 for b"])
    pool.ran("onBorrow 0", true)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 0", "onBorrow 0 for c"])
  })
})

describe("hooks before a hand-over", () => {
  it("that fail destroy the object, and their borrower gets another", () => {
    const pool = idle(2, { hasBorrowHook: true })
    pool.borrow()
    pool.ran("onBorrow 1", false)
    assert.deepStrictEqual(pool.news, ["onBorrow 1 for a", "space", "destroy 1 failed", "onBorrow 0 for a"])
  })

  it("that take too long have failed", () => {
    const pool = idle(1, { hasBorrowHook: true })
    pool.now = 5
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a"])
    pool.exactly(105, ["desert onBorrow 0", "space", "destroy 0 failed"])
    assert.strictEqual(pool.queue, "a")
  })

  it("do not extend the wait of their borrower", () => {
    const pool = idle(1, { hasBorrowHook: true })
    pool.borrow(50)
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a"])
    pool.exactly(50, ["stop onBorrow 0", "timeout a"])
  })

  it("leave a borrower that was prepared in its place in the queue", () => {
    const pool = idle(2, { hasBorrowHook: true })
    pool.borrow()
    pool.borrow()
    pool.borrow()
    pool.ran("onBorrow 0", false)
    pool.ran("onBorrow 1", false)
    assert.strictEqual(pool.queue, "a b c")
  })

  it("of a shared object run side by side", () => {
    const pool = idle(1, { hasBorrowHook: true, concurrency: 2 })
    pool.borrow()
    pool.borrow()
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a", "onBorrow 0 for b"])
    assert.strictEqual(pool.queue, "c")
  })

  it("that are stopped on a shared object say nothing about what the others share", () => {
    const pool = idle(1, { hasBorrowHook: true, concurrency: 2, hasCheck: true })
    const a = pool.borrow()
    pool.ran("onBorrow 0", true)
    pool.cancel(pool.borrow())
    pool.ran("onBorrow 0", false)
    pool.release(a)
    pool.borrow()
    assert.deepStrictEqual(pool.news, [
      "onBorrow 0 for a",
      "a gets 0",
      "onBorrow 0 for b",
      "stop onBorrow 0",
      "onBorrow 0 for c"
    ])
  })

  it("for nobody's sake keep a shared object from those who find it idle", () => {
    const pool = bench({ concurrency: 3, max: 1, hasBorrowHook: true, hasReturnHook: true })
    const a = pool.borrow()
    pool.create(0)
    pool.cancel(a)
    pool.ran("onBorrow 0", true)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0", "onBorrow 0 for a", "stop onBorrow 0", "onReturn 0"])
    pool.ran("onReturn 0", true)
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for b"])
  })

  it("for nobody's sake do not hold the free shares of an object that others use", () => {
    const pool = bench({ concurrency: 2, max: 1, hasBorrowHook: true, hasReturnHook: true })
    const a = pool.borrow()
    pool.borrow()
    pool.create(0)
    pool.cancel(a)
    pool.ran("onBorrow 0", true)
    assert.strictEqual(pool.news.at(-1), "onReturn 0")
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for c"])
  })

  it("let nobody overtake a waiter who loses an object that is too old", () => {
    const pool = bench({ concurrency: 3, max: 2, hasBorrowHook: true, timeToLive: 100 })
    const a = pool.borrow()
    pool.create(0)
    pool.ran("onBorrow 0", true)
    pool.now = 50
    pool.borrow()
    assert.strictEqual(pool.news.at(-1), "onBorrow 0 for b")
    pool.release(a)
    pool.now = 100
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["stop onBorrow 0", "create 1"])
    assert.strictEqual(pool.queue, "b c")
  })
})

describe("overdue borrows", () => {
  it("are warned of once, at their time", () => {
    const pool = idle(2, { borrowWarning: 100 })
    pool.borrow()
    pool.now = 30
    const b = pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 1", "b gets 0"])
    pool.exactly(100, ["overdue a"])
    pool.exactly(130, ["overdue b"])
    pool.to(1000)
    pool.release(b)
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["c gets 0"])
    pool.exactly(1100, ["overdue c"])
  })

  it("are not warned of when they have ended", () => {
    const pool = idle(3, { borrowWarning: 100 })
    const [a, b] = [pool.borrow(), pool.borrow()]
    pool.now = 50
    pool.borrow()
    pool.release(a)
    pool.release(b)
    assert.strictEqual(pool.news.length, 3)
    pool.exactly(150, ["overdue c"])
  })

  it("are revoked at their limit, and a late return changes nothing", () => {
    const pool = idle(1, { borrowLimit: 100, hasReturnHook: true, max: 2 })
    pool.now = 5
    const a = pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 0"])
    pool.exactly(105, ["revoke a", "destroy 0 revoked", "create 1"])
    pool.release(a)
    assert.deepStrictEqual(pool.news, [])
    assert.strictEqual(pool.group.totals.returned, 1)
  })

  it("are not revoked while they are returned", () => {
    const pool = idle(1, { borrowLimit: 100, borrowWarning: 100, hasReturnHook: true })
    const a = pool.borrow()
    pool.now = 99
    pool.release(a)
    pool.to(150)
    assert.deepStrictEqual(pool.news, ["a gets 0", "onReturn 0 for a"])
    pool.ran("onReturn 0", true)
    assert.deepStrictEqual(pool.news, ["returned a"])
    pool.now = 160
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["b gets 0"])
    pool.exactly(260, ["overdue b", "revoke b", "destroy 0 revoked"])
  })

  it("of a shared object are revoked alone; the object goes with its last holder", () => {
    const pool = idle(1, { borrowLimit: 100, concurrency: 3 })
    pool.borrow()
    pool.now = 50
    const b = pool.borrow()
    assert.deepStrictEqual(pool.news, ["a gets 0", "b gets 0"])
    pool.exactly(100, ["revoke a"])
    pool.borrow()
    assert.deepStrictEqual(pool.news, [])
    pool.release(b)
    assert.deepStrictEqual(pool.news, ["destroy 0 revoked"])
  })
})

describe("invalidating", () => {
  it("destroys what is idle now, and what is borrowed on return", () => {
    const pool = idle(2)
    pool.resize(0, 2)
    const a = pool.borrow()
    pool.invalidate("object 0")
    pool.invalidate("object 1")
    pool.invalidate("object 1")
    assert.deepStrictEqual(pool.news, ["a gets 1", "destroy 0 invalidated"])
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["destroy 1 invalidated"])
  })

  it("concerns every place that holds the value, and no other", () => {
    const pool = bench({ min: 4, max: 4 })
    const value = { name: "same" }
    pool.create(0, value)
    pool.create(1, { name: "same" })
    pool.create(2, value)
    pool.create(3, value)
    assert.strictEqual(pool.news.length, 4)
    pool.invalidate(value)
    assert.deepStrictEqual(pool.news, ["destroy 0 invalidated", "destroy 2 invalidated", "destroy 3 invalidated"])
    pool.invalidate(value)
    pool.invalidate("unknown")
    assert.deepStrictEqual(pool.news, [])
  })

  it("stops the preparation of an object, and its borrower gets another", () => {
    const pool = idle(2, { hasBorrowHook: true })
    pool.borrow()
    pool.invalidate("object 1")
    assert.deepStrictEqual(pool.news, ["onBorrow 1 for a", "stop onBorrow 1", "onBorrow 0 for a"])
    pool.ran("onBorrow 1", true)
    assert.deepStrictEqual(pool.news, ["destroy 1 invalidated"])
  })

  it("frees a waiter when its object's place is free", () => {
    const pool = idle(1)
    const a = pool.borrow()
    pool.borrow()
    pool.invalidate("object 0")
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["a gets 0", "destroy 0 invalidated"])
    pool.gone(0)
    pool.create(1)
    assert.deepStrictEqual(pool.news, ["create 1", "b gets 1"])
  })

  it("can be asked for by a holder", () => {
    const pool = idle(1, { max: 2 })
    const a = pool.borrow()
    pool.do((machine, now) => machine.condemn(a, now))
    assert.deepStrictEqual(pool.news, ["a gets 0", "create 1"])
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["destroy 0 invalidated"])
    pool.do((machine, now) => machine.condemn(a, now))
    assert.deepStrictEqual(pool.news, [])
  })
})

describe("evicting", () => {
  it("concerns every object alive or being created now, and no later one", () => {
    const pool = bench({ min: 0, max: 3 })
    const a = pool.borrow()
    pool.create(0)
    const b = pool.borrow()
    pool.create(1)
    pool.borrow()
    pool.release(b)
    assert.deepStrictEqual(pool.news, ["create 0", "a gets 0", "create 1", "b gets 1", "create 2", "c gets 1"])
    pool.evict()
    assert.deepStrictEqual(pool.news, ["abort 2"])
    assert.isFalse(pool.create(2))
    pool.gone(2)
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["destroy 0 evicted"])
  })

  it("destroys the idle, fails nobody, and gives the waiter of a creation a new one", () => {
    const pool = bench({ min: 1, max: 3 }).ready()
    pool.borrow()
    pool.borrow()
    pool.evict()
    assert.deepStrictEqual(pool.news, ["a gets 0", "create 1", "abort 1", "create 2"])
    pool.create(2)
    assert.deepStrictEqual(pool.news, ["b gets 2"])
    assert.strictEqual(pool.group.totals.createFailures, 0)
  })

  it("refills the minimum as places become free", () => {
    const pool = idle(2)
    pool.evict()
    assert.deepStrictEqual(pool.news, ["destroy 0 evicted", "destroy 1 evicted"])
    pool.gone(1, 0)
    assert.deepStrictEqual(pool.news, ["create 2", "create 3"])
  })

  it("gives one that polls none of the objects that must go", () => {
    const pool = idle(2, { hasBorrowHook: true, order: "fifo" })
    pool.poll()
    pool.evict()
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a", "stop onBorrow 0", "none a", "destroy 1 evicted"])
  })

  it("gives one that polls nothing while somebody waits, also when that one has only just lost what was prepared", () => {
    const pool = bench({ max: 3, concurrency: 2, order: "fifo", hasBorrowHook: true, timeToLive: 100 })
    for (const id of [0, 1, 2]) {
      pool.now = 10 * id
      pool.resize(id + 1, 3)
      pool.create(id)
    }
    pool.now = 99
    pool.borrow()
    pool.poll()
    pool.borrow()
    assert.deepStrictEqual(pool.news.slice(-3), ["onBorrow 0 for a", "onBorrow 1 for b", "onBorrow 2 for c"])
    pool.now = 100
    pool.ran("onBorrow 1", false)
    assert.deepStrictEqual(pool.news, [
      "space",
      "stop onBorrow 0",
      "none b",
      "destroy 1 failed",
      "onBorrow 2 for a"
    ])
  })
})

describe("resizing", () => {
  it("serves waiters when it grows", () => {
    const pool = idle(1)
    for (let i = 0; i < 3; i++) pool.borrow()
    pool.resize(1, 2)
    assert.deepStrictEqual(pool.news, ["a gets 0", "create 1"])
    pool.resize(3, 5)
    assert.deepStrictEqual(pool.news, ["create 2"])
  })

  it("destroys the longest idle, interrupts the youngest creations, then destroys what is returned first", () => {
    const pool = bench({ max: 6 })
    const waiters = Array.from({ length: 6 }, () => pool.borrow())
    for (const id of [0, 1, 2, 3]) pool.create(id)
    pool.release(waiters[3]!)
    pool.cancel(waiters[5]!)
    pool.release(waiters[4]!)
    assert.strictEqual(pool.places, "4 (1 idle, 3 in use), 2 creating, 0 destroying")
    assert.strictEqual(pool.news.length, 11)
    pool.resize(0, 5)
    assert.deepStrictEqual(pool.news, ["destroy 3 resized"])
    pool.resize(0, 4)
    assert.deepStrictEqual(pool.news, ["abort 5"])
    pool.resize(0, 2)
    assert.deepStrictEqual(pool.news, ["abort 4"])
    pool.release(waiters[1]!)
    assert.deepStrictEqual(pool.news, ["destroy 1 resized"])
    pool.release(waiters[0]!)
    pool.release(waiters[2]!)
    assert.deepStrictEqual(pool.news, [])
    assert.strictEqual(pool.places, "2 (2 idle, 0 in use), 0 creating, 4 destroying")
  })

  it("begins nothing before enough places are free", () => {
    const pool = bench({ min: 3, max: 3 }).ready()
    pool.evict()
    pool.resize(1, 1)
    assert.strictEqual(pool.news.length, 3)
    pool.gone(0)
    pool.gone(1)
    assert.deepStrictEqual(pool.news, [])
    pool.gone(2)
    assert.deepStrictEqual(pool.news, ["create 3"])
  })

  it("destroys no more than necessary when the longest idle object is being checked", () => {
    const pool = idle(2, { max: 3, hasCheck: true, healthInterval: 100 })
    const held = pool.borrow()
    pool.to(100)
    assert.deepStrictEqual(pool.news, ["a gets 1", "check 0"])
    pool.resize(0, 1)
    assert.deepStrictEqual(pool.news, ["stop check 0"])
    pool.release(held)
    assert.deepStrictEqual(pool.news, [])
    pool.ran("check 0", false)
    assert.deepStrictEqual(pool.news, ["destroy 0 resized"])
    assert.strictEqual(pool.places, "1 (1 idle, 0 in use), 0 creating, 1 destroying")
  })

  it("creates a higher minimum at once, and lets the idle go under a lower one", () => {
    const pool = bench({ min: 1, max: 3, idleTimeToLive: 100 }).ready()
    pool.resize(3, 3)
    assert.deepStrictEqual(pool.news, ["create 1", "create 2"])
    pool.ready()
    pool.now = 50
    pool.resize(1, 3)
    pool.exactly(100, ["destroy 0 idle", "destroy 1 idle"])
  })
})

describe("suspending", () => {
  it("lends nothing and begins no creation for a waiter until it is resumed", () => {
    const pool = idle(1, { max: 3 })
    pool.suspend()
    pool.suspend()
    pool.borrow()
    pool.borrow()
    assert.deepStrictEqual(pool.news, [])
    pool.resume()
    pool.resume()
    assert.deepStrictEqual(pool.news, ["a gets 0", "create 1"])
  })

  it("keeps the minimum, and takes back what is returned", () => {
    const pool = idle(1, { max: 3 })
    const a = pool.borrow()
    pool.suspend()
    pool.borrow()
    pool.invalidate("object 0")
    assert.deepStrictEqual(pool.news, ["a gets 0", "create 1"])
    pool.create(1)
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["destroy 0 invalidated"])
    assert.strictEqual(pool.places, "1 (1 idle, 0 in use), 0 creating, 1 destroying")
  })

  it("lets borrowers give up", () => {
    const pool = idle(1)
    pool.suspend()
    pool.borrow()
    pool.exactly(1000, ["timeout a"])
    assert.strictEqual(pool.queue, "")
  })

  it("hands over nothing that was being prepared", () => {
    const pool = idle(2, { hasBorrowHook: true, hasReturnHook: true, hasCheck: true, healthAfterIdle: 0 })
    pool.borrow()
    pool.ran("check 1", true)
    pool.borrow()
    pool.suspend()
    assert.deepStrictEqual(pool.news, ["check 1 for a", "onBorrow 1 for a", "check 0 for b"])
    pool.ran("onBorrow 1", true)
    pool.ran("check 0", true)
    assert.deepStrictEqual(pool.news, ["onReturn 1"])
    assert.strictEqual(pool.queue, "a b")
    pool.resume()
    assert.deepStrictEqual(pool.news, ["check 0 for a"])
    pool.ran("onReturn 1", true)
    assert.deepStrictEqual(pool.news, ["onBorrow 1 for b"])
  })

  it("passes no preparation on", () => {
    const pool = idle(1, { hasBorrowHook: true })
    const a = pool.borrow()
    pool.borrow()
    pool.suspend()
    pool.cancel(a)
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a", "stop onBorrow 0"])
    assert.strictEqual(pool.queue, "b")
  })
})

describe("closing", () => {
  it("tells waiters, interrupts creations, destroys the idle now and the borrowed on return", () => {
    const pool = bench({ min: 3, max: 3 })
    pool.create(0)
    pool.create(1)
    const a = pool.borrow()
    const b = pool.borrow()
    pool.borrow()
    pool.release(b)
    assert.deepStrictEqual(pool.news, ["create 0", "create 1", "create 2", "a gets 1", "b gets 0", "c gets 0"])
    pool.borrow()
    pool.close()
    pool.close()
    assert.deepStrictEqual(pool.news, ["abort 2", "close d"])
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["destroy 1 shutdown"])
    pool.gone(1)
    pool.gone(2)
    assert.deepStrictEqual(pool.news, [])
    assert.strictEqual(pool.group.totals.destroyed.shutdown, 1)
    assert.strictEqual(pool.machine.places, 1)
  })

  it("tells those whose object is being prepared, in the order of arrival", () => {
    const pool = idle(1, { hasBorrowHook: true })
    pool.borrow()
    pool.borrow()
    pool.close()
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a", "stop onBorrow 0", "close a b"])
    pool.ran("onBorrow 0", false)
    assert.deepStrictEqual(pool.news, ["destroy 0 shutdown"])
  })

  it("tells one that polls that there is none", () => {
    const pool = idle(1, { hasBorrowHook: true })
    pool.poll()
    pool.close()
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a", "stop onBorrow 0", "none a"])
  })

  it("takes an object from a holder that is waited for no longer", () => {
    const pool = idle(1)
    const a = pool.borrow()
    pool.close()
    pool.revoke(a, "shutdown")
    assert.deepStrictEqual(pool.news, ["a gets 0", "revoke a", "destroy 0 shutdown"])
    pool.release(a)
    assert.deepStrictEqual(pool.news, [])
    assert.deepStrictEqual(pool.events.filter((event) => event.startsWith("Revoked")), [])
  })

  it("gives up hooks and finalizers that are waited for no longer", () => {
    const pool = idle(2, { hasReturnHook: true })
    pool.release(pool.borrow())
    pool.close()
    assert.deepStrictEqual(pool.news, ["a gets 1", "onReturn 1 for a", "destroy 0 shutdown"])
    pool.do((machine, now) => machine.abandon(now))
    assert.deepStrictEqual(pool.news, ["desert onReturn 1", "destroy 1 shutdown", "returned a"])
    pool.do((machine, now) => machine.leaveAll(now))
    assert.deepStrictEqual(pool.news, ["leave 0", "leave 1"])
    assert.strictEqual(pool.machine.places, 0)
    assert.strictEqual(pool.group.totals.destroyed.shutdown, 2)
  })

  it("changes nothing after it: nothing is created, suspended or resumed", () => {
    const pool = idle(1)
    pool.suspend()
    pool.close()
    pool.gone(0)
    pool.resume()
    assert.deepStrictEqual(pool.news, ["destroy 0 shutdown"])
    assert.isTrue(pool.machine.suspended)
  })
})

describe("an object that everybody shares", () => {
  const shared = (options: Options = {}) => bench({ min: 1, max: 1, concurrency: Infinity, spare: 1, ...options })

  it("is replaced at once when it must go, and two are the most", () => {
    const pool = shared()
    pool.create(0)
    const a = pool.borrow()
    const b = pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0", "a gets 0", "b gets 0"])
    pool.invalidate("object 0")
    assert.deepStrictEqual(pool.news, ["create 1"])
    pool.create(1)
    const c = pool.borrow()
    assert.deepStrictEqual(pool.news, ["c gets 1"])
    pool.invalidate("object 1")
    pool.borrow()
    assert.deepStrictEqual(pool.news, [])
    pool.release(a)
    assert.deepStrictEqual(pool.news, [])
    pool.release(b)
    assert.deepStrictEqual(pool.news, ["destroy 0 invalidated"])
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["create 2"])
    pool.create(2)
    assert.deepStrictEqual(pool.news, ["d gets 2"])
    pool.release(c)
    assert.deepStrictEqual(pool.news, ["destroy 1 invalidated"])
  })

  it("is one only while it need not go", () => {
    const pool = shared({ hasCheck: true, healthAfterIdle: 0 })
    pool.create(0)
    pool.borrow()
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0", "check 0 for a"])
  })

  it("is replaced beside its finalizers", () => {
    const pool = shared()
    pool.create(0)
    pool.evict()
    assert.deepStrictEqual(pool.news, ["create 0", "destroy 0 evicted", "create 1"])
    pool.evict()
    assert.deepStrictEqual(pool.news, ["abort 1"])
  })

  it("may be two by another bound, and one again", () => {
    const pool = shared()
    pool.create(0)
    pool.resize(2, 2)
    pool.create(1)
    pool.resize(1, 1)
    assert.deepStrictEqual(pool.news, ["create 0", "create 1", "destroy 0 resized"])
  })
})

describe("objects for one borrower", () => {
  const unpooled = (options: Options = {}) => bench({ max: Infinity, maxUses: 1, unpooled: true, ...options })

  it("serve the borrower that they were created for, and end with it", () => {
    const pool = unpooled()
    const a = pool.borrow()
    const b = pool.borrow()
    pool.create(1)
    assert.deepStrictEqual(pool.news, ["create 0 for a", "create 1 for b", "b gets 1"])
    pool.release(b)
    pool.poll()
    assert.deepStrictEqual(pool.news, ["destroy 1 uses", "none c"])
    pool.create(0)
    assert.strictEqual(a.slot, pool.slots[0])
  })

  it("that cannot be created fail that borrower alone, with no spacing", () => {
    const pool = unpooled()
    pool.borrow()
    pool.borrow()
    pool.fail(0)
    pool.borrow()
    assert.deepStrictEqual(pool.news, [
      "create 0 for a",
      "create 1 for b",
      "fail a: failure 0",
      "destroy 0",
      "create 2 for c"
    ])
    pool.exactly(200, ["fail b: too late", "late 1", "fail c: too late", "late 2"])
  })

  it("are destroyed when their borrower has left", () => {
    const pool = unpooled()
    const a = pool.borrow()
    pool.borrow()
    pool.cancel(a)
    pool.create(0)
    assert.deepStrictEqual(pool.news, ["create 0 for a", "create 1 for b", "destroy 0 idle"])
    pool.fail(1)
    assert.deepStrictEqual(pool.news, ["fail b: failure 1", "destroy 1"])
  })

  it("are destroyed when their borrower leaves while they are prepared", () => {
    const pool = unpooled({ hasBorrowHook: true })
    const a = pool.borrow()
    pool.borrow()
    assert.deepStrictEqual(pool.news, ["create 0 for a", "create 1 for b"])
    pool.create(0)
    pool.cancel(a)
    assert.deepStrictEqual(pool.news, ["onBorrow 0 for a", "stop onBorrow 0"])
    pool.ran("onBorrow 0", false)
    pool.create(1)
    assert.deepStrictEqual(pool.news, ["destroy 0 idle", "onBorrow 1 for b"])
    pool.ran("onBorrow 1", false)
    assert.deepStrictEqual(pool.news, ["destroy 1 failed", "create 2 for b"])
  })

  it("are created in turn where only so many may be at once", () => {
    const pool = unpooled({ maxCreating: 1 })
    const a = pool.borrow()
    pool.borrow()
    pool.borrow()
    pool.cancel(a)
    assert.deepStrictEqual(pool.news, ["create 0 for a"])
    pool.create(0)
    assert.deepStrictEqual(pool.news, ["destroy 0 idle", "create 1 for b"])
    pool.create(1)
    assert.deepStrictEqual(pool.news, ["b gets 1", "create 2 for c"])
  })

  it("are created anew for whoever waits when they are evicted", () => {
    const pool = unpooled()
    const a = pool.borrow()
    pool.borrow()
    pool.cancel(a)
    pool.evict()
    assert.deepStrictEqual(pool.news, ["create 0 for a", "create 1 for b", "abort 0", "abort 1", "create 2 for b"])
    pool.close()
    assert.deepStrictEqual(pool.news, ["abort 2", "close b"])
  })

  it("are not lent while the pool is suspended", () => {
    const pool = unpooled()
    pool.borrow()
    pool.suspend()
    pool.create(0)
    assert.deepStrictEqual(pool.news, ["create 0 for a", "destroy 0 idle"])
    pool.resume()
    pool.create(1)
    assert.deepStrictEqual(pool.news, ["create 1 for a", "a gets 1"])
  })
})

describe("keys", () => {
  const keyed = (options: Options = {}) => bench({ total: 2, max: 2, ...options })

  it("share the places of the pool, and none has more than its own", () => {
    const pool = keyed({ total: 3 })
    pool.borrowFrom("red")
    pool.borrowFrom("red")
    pool.borrowFrom("red")
    pool.borrowFrom("blue")
    pool.borrowFrom("blue")
    assert.deepStrictEqual(pool.news, ["create 0 of red", "create 1 of red", "create 2 of blue"])
    assert.strictEqual(pool.machine.places, 3)
  })

  it("end with their last object and their last borrower", () => {
    const pool = keyed()
    const a = pool.borrowFrom("red")
    pool.create(0)
    pool.release(a)
    pool.invalidate("object 0", pool.key("red"))
    assert.deepStrictEqual(pool.news, ["create 0 of red", "a gets 0", "destroy 0 invalidated"])
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["vanish of red"])
    assert.strictEqual(pool.machine.groups.size, 0)
    assert.strictEqual(pool.machine.totals.created, 1)
    assert.strictEqual(pool.machine.totals.destroyed.invalidated, 1)
  })

  it("end where a borrower is turned away at once", () => {
    const pool = keyed({ total: 1, maxWaiting: 0 })
    pool.borrowFrom("red")
    pool.borrowFrom("blue")
    assert.deepStrictEqual(pool.news, ["create 0 of red", "reject b", "vanish of blue"])
  })

  it("take the longest idle object of another when all places are taken", () => {
    const pool = keyed({ total: 3 })
    for (const key of ["red", "blue", "green"]) pool.borrowFrom(key)
    for (const id of [0, 1, 2]) pool.create(id)
    for (const id of [1, 0, 2]) pool.release(pool.holderOf(id))
    assert.strictEqual(pool.news.length, 6)
    pool.borrowFrom("white")
    assert.deepStrictEqual(pool.news, ["destroy 1 evicted"])
    pool.gone(1)
    assert.deepStrictEqual(pool.news, ["create 3 of white", "vanish of blue"])
  })

  it("keep their idle objects while a place is free", () => {
    const pool = keyed()
    pool.borrowFrom("red")
    pool.create(0)
    pool.release(pool.holderOf(0))
    pool.borrowFrom("blue")
    assert.deepStrictEqual(pool.news, ["create 0 of red", "a gets 0", "create 1 of blue"])
  })

  it("give up their minimums last, but they give them up", () => {
    const pool = keyed({ total: 3, min: 1 })
    for (const key of ["red", "blue", "blue"]) pool.borrowFrom(key)
    for (const id of [0, 1, 2]) pool.create(id)
    for (const id of [0, 1, 2]) pool.release(pool.holderOf(id))
    assert.strictEqual(pool.news.length, 6)
    pool.borrowFrom("green")
    assert.deepStrictEqual(pool.news, ["destroy 1 evicted"])
    pool.gone(1)
    pool.create(3)
    assert.deepStrictEqual(pool.news, ["create 3 of green", "d gets 3"])
    pool.borrowFrom("white")
    assert.deepStrictEqual(pool.news, ["destroy 0 evicted"])
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["create 4 of white", "vanish of red"])
  })

  it("give a place that is free to the borrower who has waited longest", () => {
    const pool = keyed({ total: 1 })
    pool.borrowFrom("red")
    pool.create(0)
    pool.borrowFrom("blue")
    pool.borrowFrom("red")
    pool.borrowFrom("green")
    assert.deepStrictEqual(pool.news, ["create 0 of red", "a gets 0"])
    pool.release(pool.holderOf(0), true)
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["destroy 0 failed", "create 1 of blue"])
    pool.create(1)
    pool.release(pool.holderOf(1))
    assert.deepStrictEqual(pool.news, ["b gets 1", "destroy 1 evicted"])
    pool.gone(1)
    assert.deepStrictEqual(pool.news, ["create 2 of red", "vanish of blue"])
  })

  it("let a returned object make room for another's borrower who has waited longer than any of their own", () => {
    const pool = keyed({ total: 1 })
    pool.borrowFrom("red")
    pool.create(0)
    pool.borrowFrom("blue")
    pool.borrowFrom("red")
    pool.release(pool.holderOf(0))
    assert.deepStrictEqual(pool.news, ["create 0 of red", "a gets 0", "destroy 0 evicted"])
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["create 1 of blue"])
  })

  it("keep a returned object for their own borrower who has waited longer", () => {
    const pool = keyed({ total: 1 })
    pool.borrowFrom("red")
    pool.create(0)
    pool.borrowFrom("red")
    pool.borrowFrom("blue")
    pool.release(pool.holderOf(0))
    assert.deepStrictEqual(pool.news, ["create 0 of red", "a gets 0", "b gets 0"])
  })

  it("do so after the check of an object in an unknown state", () => {
    const pool = keyed({ total: 1, hasCheck: true })
    pool.borrowFrom("red")
    pool.create(0)
    pool.borrowFrom("blue")
    pool.borrowFrom("red")
    pool.release(pool.holderOf(0), true)
    pool.ran("check 0", true)
    assert.deepStrictEqual(pool.news, ["create 0 of red", "a gets 0", "check 0", "destroy 0 evicted"])
  })

  it("make room with a shared object when its last holder is done", () => {
    const pool = keyed({ total: 1, concurrency: 2 })
    const a = pool.borrowFrom("red")
    const b = pool.borrowFrom("red")
    pool.create(0)
    pool.borrowFrom("blue")
    pool.release(a)
    pool.borrowFrom("red")
    assert.deepStrictEqual(pool.news, ["create 0 of red", "a gets 0", "b gets 0"])
    pool.release(b)
    assert.deepStrictEqual(pool.news, ["destroy 0 evicted"])
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["create 1 of blue"])
  })

  it("make no more room while a shared object that makes room is destroyed", () => {
    const pool = keyed({ total: 2, concurrency: 2 })
    const [a, b] = [pool.borrowFrom("red"), pool.borrowFrom("red")]
    const c = pool.borrowFrom("green")
    pool.create(0)
    pool.create(1)
    pool.borrowFrom("blue")
    pool.release(a)
    pool.release(b)
    assert.strictEqual(pool.news.at(-1), "destroy 0 evicted")
    pool.release(c)
    assert.deepStrictEqual(pool.news, [])
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["create 2 of blue", "vanish of red"])
  })

  it("make room for one object of a key at a time, and only where it may begin a creation", () => {
    const pool = keyed({ total: 3, max: 2, maxCreating: 1 })
    for (const key of ["red", "blue", "green"]) pool.borrowFrom(key)
    for (const id of [0, 1, 2]) pool.create(id)
    for (const id of [0, 1, 2]) pool.release(pool.holderOf(id))
    assert.strictEqual(pool.news.length, 6)
    pool.borrowFrom("white")
    pool.borrowFrom("white")
    assert.deepStrictEqual(pool.news, ["destroy 0 evicted"])
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["create 3 of white", "vanish of red"])
    pool.create(3)
    assert.deepStrictEqual(pool.news, ["d gets 3", "destroy 1 evicted"])
    pool.borrowFrom("white")
    pool.gone(1)
    pool.create(4)
    assert.deepStrictEqual(pool.news, ["create 4 of white", "vanish of blue", "e gets 4"])
  })

  it("let the room that was made for one who has left serve another", () => {
    const pool = keyed({ total: 2 })
    for (const key of ["red", "blue"]) pool.borrowFrom(key)
    for (const id of [0, 1]) pool.create(id)
    pool.release(pool.holderOf(0))
    const c = pool.borrowFrom("green")
    pool.borrowFrom("white")
    assert.strictEqual(pool.news.at(-1), "destroy 0 evicted")
    pool.cancel(c)
    assert.deepStrictEqual(pool.news, ["vanish of green"])
    pool.release(pool.holderOf(1))
    assert.deepStrictEqual(pool.news, [])
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["create 2 of white", "vanish of red"])
  })

  it("take no room for their minimum", () => {
    const pool = keyed({ total: 2, min: 1 })
    pool.borrowFrom("red")
    pool.borrowFrom("blue")
    for (const id of [0, 1]) pool.create(id)
    pool.release(pool.holderOf(1))
    pool.invalidate("object 0", pool.key("red"))
    assert.strictEqual(pool.news.length, 4)
    pool.release(pool.holderOf(0))
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["destroy 0 invalidated", "create 2 of red"])
  })

  it("have outages of their own", () => {
    const pool = keyed()
    pool.borrowFrom("red")
    pool.fail(0)
    pool.spaced(100, pool.key("red"))
    pool.gone(0)
    pool.borrowFrom("red")
    pool.borrowFrom("blue")
    assert.deepStrictEqual(pool.news, [
      "create 0 of red",
      "space of red",
      "fail a: failure 0",
      "destroy 0",
      "create 1 of blue"
    ])
    pool.exactly(100, ["create 2 of red"])
  })

  it("are outlived by the spacing of their attempts", () => {
    const pool = keyed({ min: 1 })
    pool.borrowFrom("red")
    pool.fail(0)
    pool.gone(0)
    pool.spaced(100, pool.key("red"))
    assert.deepStrictEqual(pool.news, ["create 0 of red", "space of red", "fail a: failure 0", "destroy 0"])
    pool.exactly(100, ["vanish of red"])
    pool.borrowFrom("red")
    assert.deepStrictEqual(pool.news, ["create 1 of red"])
  })

  it("end with an outage when the last who waited for the next attempt has left, whatever their minimum", () => {
    const ends: ReadonlyArray<(pool: Bench, waiter: Waiter) => void> = [
      (pool) => pool.to(60),
      (pool, waiter) => pool.cancel(waiter)
    ]
    for (const end of ends) {
      const pool = keyed({ min: 1, borrowTimeout: 50 })
      pool.borrowFrom("red")
      pool.fail(0)
      pool.spaced(100, pool.key("red"))
      pool.now = 10
      end(pool, pool.borrowFrom("red"))
      pool.to(100)
      assert.isFalse(pool.news.includes("create 1 of red"))
      pool.gone(0)
      assert.deepStrictEqual(pool.news, ["vanish of red"])
    }
  })

  it("space the attempts of a borrower who comes before the next is due", () => {
    const pool = keyed()
    pool.borrowFrom("red")
    pool.fail(0)
    pool.gone(0)
    pool.spaced(100, pool.key("red"))
    pool.to(99)
    assert.strictEqual(pool.news.length, 4)
    pool.borrowFrom("red")
    pool.exactly(100, ["create 1 of red"])
  })

  it("end when they are evicted with nobody there, whatever their minimum", () => {
    const pool = keyed({ min: 1 })
    pool.borrowFrom("red")
    pool.create(0)
    pool.release(pool.holderOf(0))
    pool.do((machine, now) => machine.evict(pool.key("red"), now))
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["create 0 of red", "a gets 0", "destroy 0 evicted", "vanish of red"])
  })

  it("are filled again when they are evicted while somebody waits", () => {
    const pool = keyed({ total: 1, max: 1, min: 1 })
    pool.borrowFrom("red")
    pool.create(0)
    pool.borrowFrom("red")
    pool.do((machine, now) => machine.evictAll(now))
    pool.release(pool.holderOf(0))
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["create 0 of red", "a gets 0", "destroy 0 evicted", "create 1 of red"])
  })

  it("are evicted all together, and whoever waits is served anew", () => {
    const pool = keyed({ total: 3, max: 1 })
    for (const key of ["red", "blue", "green"]) pool.borrowFrom(key)
    pool.create(0)
    pool.release(pool.holderOf(0))
    assert.strictEqual(pool.news.length, 4)
    pool.do((machine, now) => machine.evictAll(now))
    assert.deepStrictEqual(pool.news, ["destroy 0 evicted", "abort 1", "abort 2"])
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["vanish of red"])
    pool.gone(2)
    pool.gone(1)
    assert.deepStrictEqual(pool.news, ["create 3 of green", "create 4 of blue"])
  })

  it("are evicted all together, also where there are places enough", () => {
    const pool = keyed({ total: 6 })
    for (const key of ["red", "blue"]) pool.borrowFrom(key)
    pool.do((machine, now) => machine.evictAll(now))
    assert.deepStrictEqual(pool.news, [
      "create 0 of red",
      "create 1 of blue",
      "abort 0",
      "abort 1",
      "create 2 of red",
      "create 3 of blue"
    ])
  })

  it("neither make nor use room while the pool is suspended", () => {
    const pool = keyed({ total: 2 })
    for (const key of ["red", "blue"]) pool.borrowFrom(key)
    for (const id of [0, 1]) pool.create(id)
    pool.borrowFrom("green")
    pool.suspend()
    pool.release(pool.holderOf(0))
    pool.release(pool.holderOf(1), true)
    pool.gone(1)
    assert.deepStrictEqual(pool.news, [
      "create 0 of red",
      "create 1 of blue",
      "a gets 0",
      "b gets 1",
      "destroy 1 failed",
      "vanish of blue"
    ])
    pool.resume()
    assert.deepStrictEqual(pool.news, ["create 2 of green"])
  })

  it("are served in the order of their borrowers when the pool is resumed", () => {
    const pool = keyed({ total: 1 })
    pool.borrowFrom("red")
    pool.fail(0)
    pool.spaced(0, pool.key("red"))
    pool.suspend()
    pool.borrowFrom("blue")
    pool.borrowFrom("red")
    pool.gone(0)
    assert.strictEqual(pool.news.length, 4)
    pool.resume()
    assert.deepStrictEqual(pool.news, ["create 1 of blue"])
  })

  it("give up together when their deadlines fall together", () => {
    const pool = keyed({ total: 1, borrowTimeout: 100 })
    pool.borrowFrom("red")
    pool.create(0)
    pool.borrowFrom("blue")
    pool.borrowFrom("red")
    pool.borrowFrom("green", 100)
    assert.deepStrictEqual(pool.news, ["create 0 of red", "a gets 0"])
    pool.exactly(100, ["timeout b c d", "vanish of blue", "vanish of green"])
  })

  it("are limited in their waiting each", () => {
    const pool = keyed({ total: 1, maxWaiting: 1 })
    pool.borrowFrom("red")
    pool.create(0)
    for (const key of ["blue", "blue", "red", "red"]) pool.borrowFrom(key)
    assert.deepStrictEqual(pool.news, ["create 0 of red", "a gets 0", "reject c", "reject e"])
  })

  it("shrink together, the longest idle of all first, and then what is returned", () => {
    const pool = keyed({ total: 4, max: 2 })
    for (const key of ["red", "blue", "red"]) pool.borrowFrom(key)
    pool.cancel(pool.borrowFrom("blue"))
    for (const id of [0, 1, 2]) pool.create(id)
    pool.release(pool.holderOf(0))
    pool.release(pool.holderOf(1))
    assert.strictEqual(pool.news.length, 7)
    pool.do((machine, now) => machine.resizeAll(1, { min: 0, max: 1 }, now))
    assert.deepStrictEqual(pool.news, ["destroy 0 resized", "destroy 1 resized", "abort 3"])
    assert.strictEqual(pool.machine.counts().max, 1)
    pool.release(pool.holderOf(2))
    assert.deepStrictEqual(pool.news, [])
    pool.do((machine, now) => machine.resizeAll(4, { min: 2, max: 2 }, now))
    assert.deepStrictEqual(pool.news, [])
    pool.gone(0)
    assert.deepStrictEqual(pool.news, ["create 4 of red"])
  })

  it("go when they come back where they are more than the total allows, though none is too many for its key", () => {
    const pool = keyed({ total: 2, max: 1 })
    for (const key of ["red", "blue"]) pool.borrowFrom(key)
    for (const id of [0, 1]) pool.create(id)
    pool.do((machine, now) => machine.resizeAll(1, { min: 0, max: 1 }, now))
    assert.strictEqual(pool.news.length, 4)
    pool.release(pool.holderOf(1))
    assert.deepStrictEqual(pool.news, ["destroy 1 resized"])
    pool.gone(1)
    pool.release(pool.holderOf(0))
    assert.deepStrictEqual(pool.news, ["vanish of blue"])
  })

  it("close together", () => {
    const pool = keyed({ total: 1 })
    for (const key of ["red", "blue", "red"]) pool.borrowFrom(key)
    pool.close()
    assert.deepStrictEqual(pool.news, ["create 0 of red", "abort 0", "close a c b"])
    pool.gone(0)
    assert.deepStrictEqual(pool.news, [])
  })
})

describe("what the pool looks like", () => {
  it("is idle, in use or checked", () => {
    for (const concurrency of [1, 2]) {
      const pool = idle(3, { concurrency, hasCheck: true, healthAfterIdle: 10, hasReturnHook: true })
      const a = pool.borrow()
      pool.to(10)
      pool.borrow()
      assert.strictEqual(pool.places, "3 (1 idle, 1 in use), 0 creating, 0 destroying")
      pool.release(a)
      assert.strictEqual(pool.places, "3 (1 idle, 1 in use), 0 creating, 0 destroying")
      pool.ran("check 1", true)
      pool.ran("onReturn 2", true)
      assert.strictEqual(pool.places, "3 (2 idle, 1 in use), 0 creating, 0 destroying")
      assert.deepStrictEqual(pool.slots.map((slot) => pool.machine.stateOf(slot)), ["idle", "inUse", "idle"])
    }
  })

  it("is in use when a share is free", () => {
    const pool = idle(1, { concurrency: 2 })
    pool.borrow()
    assert.strictEqual(pool.places, "1 (0 idle, 1 in use), 0 creating, 0 destroying")
  })

  it("is nothing but returns to one who waits, when every place is held", () => {
    const pool = bench({ max: 2 })
    const [a, b] = [pool.borrow(), pool.borrow()]
    assert.isFalse(pool.machine.needsReturn(b))
    pool.create(0)
    pool.create(1)
    const [c, d] = [pool.borrow(), pool.borrow()]
    assert.isTrue(pool.machine.needsReturn(c))
    assert.isFalse(pool.machine.needsReturn(a))
    pool.invalidate("object 1")
    pool.release(b)
    assert.isFalse(pool.machine.needsReturn(c))
    assert.isTrue(pool.machine.needsReturn(d))
    pool.suspend()
    assert.isFalse(pool.machine.needsReturn(d))
  })

  it("is nothing but returns where the keys hold every place together", () => {
    const pool = bench({ total: 2, max: 2 })
    pool.borrowFrom("red")
    pool.borrowFrom("blue")
    pool.create(0)
    const c = pool.borrowFrom("green")
    assert.isFalse(pool.machine.needsReturn(c))
    pool.create(1)
    assert.isTrue(pool.machine.needsReturn(c))
    pool.release(pool.holderOf(0))
    assert.isFalse(pool.machine.needsReturn(c))
  })

  it("is what a newcomer would find", () => {
    const pool = idle(1, { hasCheck: true, healthAfterIdle: 10, timeToLive: 100 })
    assert.isTrue(pool.machine.isReady(pool.group))
    assert.isFalse(pool.machine.hit(new Waiter(pool.group), 10))
    pool.suspend()
    assert.isFalse(pool.machine.isReady(pool.group))
    pool.resume()
    pool.borrow()
    assert.isFalse(pool.machine.isReady(pool.group))
    assert.isFalse(pool.machine.hit(new Waiter(pool.group), 0))
  })

  it("forgets the deadline of its own that the next in the queue had", () => {
    const pool = idle(1)
    const a = pool.borrow()
    const b = pool.borrow(40)
    pool.now = 10
    pool.release(a)
    pool.to(40)
    pool.to(100)
    assert.strictEqual(b.state, "holding")
    assert.strictEqual(pool.machine.totals.timeouts, 0)
  })

  it("replaces an object at once that is handed over for the last time, where there is a place to spare", () => {
    const pool = idle(1, { maxUses: 2, spare: 1 })
    const a = pool.borrow()
    pool.borrow()
    pool.borrow()
    pool.release(a)
    assert.deepStrictEqual(pool.news, ["a gets 0", "b gets 0", "create 1"])
  })

  it("invalidates every place of a value, however many objects there are", () => {
    for (const count of [4, 16, 18, 40]) {
      const pool = bench({ min: count, max: count })
      for (let id = 0; id < count; id++) pool.create(id, id % 2 === 0 ? "even" : `odd ${id}`)
      pool.invalidate("even")
      assert.strictEqual(pool.machine.counts().destroying, count / 2)
      pool.invalidate("odd 3")
      assert.strictEqual(pool.machine.counts().destroying, count / 2 + 1)
    }
  })

  it("records how long borrowers waited, held and created", () => {
    const pool = bench()
    const a = pool.borrow()
    pool.borrow(30)
    pool.now = 20
    pool.create(0)
    pool.to(30)
    pool.now = 70
    pool.release(a)
    const { creations, uses, waits } = pool.machine
    assert.deepStrictEqual([waits.count, waits.sum, waits.min, waits.max], [2, 50, 20, 30])
    assert.deepStrictEqual([uses.count, uses.sum], [1, 50])
    assert.deepStrictEqual([creations.count, creations.sum], [1, 20])
    pool.borrow()
    assert.strictEqual(waits.count, 2)
  })
})

describe("what listeners are told", () => {
  it("follows the life of an object", () => {
    const pool = bench({ borrowLimit: 100, borrowWarning: 50 })
    pool.borrow()
    pool.now = 10
    pool.create(0)
    assert.deepStrictEqual(pool.events, ["Created 0 10", "Borrowed 0 a 10"])
    pool.to(60)
    assert.deepStrictEqual(pool.events, ["Overdue 0 a"])
    pool.to(110)
    pool.now = 111
    pool.gone(0)
    assert.deepStrictEqual(pool.events, ["Revoked 0 a", "Returned 0 a 100", "Destroyed 0 revoked"])
  })

  it("says that an object is unhealthy before it is returned and destroyed", () => {
    const pool = idle(1, { hasCheck: true })
    const a = pool.borrow()
    pool.now = 5
    pool.release(a, true)
    pool.ran("check 0", false)
    pool.gone(0)
    assert.deepStrictEqual(pool.events.slice(2), ["Unhealthy 0", "Returned 0 5", "Destroyed 0 unhealthy"])
  })

  it("says who gave up, was turned away or left, and what was done to the pool", () => {
    const pool = idle(1, { maxWaiting: 1 })
    pool.borrow()
    const b = pool.borrow()
    pool.borrow()
    pool.cancel(b)
    pool.borrow()
    pool.to(1000)
    pool.resize(1, 2)
    pool.suspend()
    pool.resume()
    pool.evict()
    pool.fail(1)
    assert.deepStrictEqual(pool.events, [
      "Created 0 0",
      "Borrowed 0 a 0",
      "Rejected c",
      "Cancelled b",
      "TimedOut d",
      "Resized",
      "Suspended",
      "Resumed",
      "Evicted",
      "CreateFailed 1 failure 1"
    ])
  })

  it("is nothing where nobody listens", () => {
    const pool = idle(1)
    pool.machine.observed = false
    assert.strictEqual(pool.events.length, 1)
    pool.release(pool.borrow())
    pool.evict()
    assert.deepStrictEqual(pool.events, [])
  })
})
