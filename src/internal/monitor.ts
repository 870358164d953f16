/** What the monitor's page is told: of every open pool, and of what happens in them. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import { formatDuration } from "./duration.ts"
import { holderOf } from "./holder.ts"
import { boundaries } from "./histogram.ts"
import type { Histogram } from "./histogram.ts"
import type { Lease } from "./lease.ts"
import type { Visible } from "./registry.ts"
import { onOpen, openPools } from "./registry.ts"
import type { Slot } from "./state.ts"
import type { Event } from "./stats.ts"

/** So many objects of a pool are listed, those held longest first. */
const mostRows = 200
/** So many holders of a shared object are named. */
const mostHolders = 3
/** So many events are kept. */
const mostEvents = 100
/** A description longer than this is cut. */
const mostText = 120
/** The waits of so long count as recent. */
const recently = 60_000

interface HolderView {
  readonly fiber: number
  readonly span?: string
  readonly trace?: string
  readonly waiting: boolean
}

interface Row {
  readonly id: number
  readonly key?: string
  readonly state: "idle" | "inUse" | "checking"
  readonly object?: string
  readonly holders: ReadonlyArray<HolderView>
  /** How many holders there are: more than are named, perhaps. */
  readonly held: number
  readonly heldFor?: number
  readonly overdue: boolean
  readonly uses: number
  readonly age: number
}

/** How long borrowers waited, in milliseconds. */
interface WaitView {
  readonly count: number
  readonly p50?: number
  readonly p99?: number
  /** Of the last minute, or since the start, where nobody waited in the last minute. */
  readonly recent: boolean
}

interface PoolView {
  /** Tells pools of one name apart. */
  readonly id: number
  readonly name: string
  readonly min: number
  /** None where there is no bound, which JSON cannot say. */
  readonly max?: number
  readonly keys?: number
  readonly idle: number
  readonly inUse: number
  readonly checking: number
  readonly creating: number
  readonly destroying: number
  readonly waiting: number
  readonly suspended: boolean
  readonly closing: boolean
  readonly created: number
  readonly createFailures: number
  readonly borrowed: number
  readonly timeouts: number
  readonly rejected: number
  readonly cancelled: number
  readonly hookFailures: number
  readonly destroyed: Readonly<Record<string, number>>
  readonly wait: WaitView
  readonly rows: ReadonlyArray<Row>
  /** Objects that are not listed. */
  readonly more: number
}

interface EventView {
  readonly seq: number
  readonly at: number
  readonly pool: string
  readonly key?: string
  readonly tag: string
  readonly id?: number
  readonly text: string
}

/** What the page shows, once a second. */
export interface Frame {
  readonly at: number
  readonly pools: ReadonlyArray<PoolView>
  /** Since the last frame; in the first one, those that are kept. */
  readonly events: ReadonlyArray<EventView>
}

const cut = (text: string): string => text.length > mostText ? `${text.slice(0, mostText - 1)}…` : text

const textOf = (json: Schema.Json): string => cut(typeof json === "string" ? json : JSON.stringify(json))

// ---------------------------------------------------------------------------------------------------------------------
// pools
// ---------------------------------------------------------------------------------------------------------------------

const rowOf = ({ core }: Visible, slot: Slot, leases: ReadonlyArray<Lease>, now: number): Row => {
  const { borrowLimit, borrowWarning } = core.settings.policy
  const key = core.keyOf(slot.group)
  const object = core.describe(slot)
  const holders = leases.slice(0, mostHolders).map((lease): HolderView => {
    const { fiber, span, traceId, waiting } = holderOf(core, lease, slot, now)
    return {
      fiber,
      ...(span === undefined ? undefined : { span: cut(span) }),
      ...(traceId === undefined ? undefined : { trace: cut(traceId) }),
      waiting
    }
  })
  const [longest] = leases
  const heldFor = longest === undefined ? undefined : Math.max(0, now - longest.since)
  return {
    id: slot.id,
    ...(key === undefined ? undefined : { key: cut(key) }),
    state: core.machine.stateOf(slot),
    ...(Option.isSome(object) ? { object: textOf(object.value) } : undefined),
    holders,
    held: slot.holders,
    ...(heldFor === undefined ? undefined : { heldFor }),
    overdue: heldFor !== undefined && heldFor >= Math.min(borrowWarning, borrowLimit),
    uses: slot.uses,
    age: Math.max(0, now - slot.createdAt)
  }
}

/** Not the stats of the pool, which tell of all objects: of a thousand, only those that are shown are looked at. */
const rowsOf = (pool: Visible, now: number): ReadonlyArray<Row> => {
  const { machine } = pool.core
  const leases: Array<Lease> = []
  for (const list of [machine.held, machine.returning]) {
    let taken = 0
    for (let waiter = list.head; waiter !== undefined && taken < mostRows * mostHolders; waiter = waiter.next, taken++) {
      leases.push(waiter as Lease)
    }
  }
  leases.sort((a, b) => a.since - b.since)
  const bySlot = new Map<Slot, Array<Lease>>()
  for (const lease of leases) {
    const found = bySlot.get(lease.slot!)
    if (found !== undefined) found.push(lease)
    else if (bySlot.size < mostRows) bySlot.set(lease.slot!, [lease])
  }
  for (const group of machine.groups.values()) {
    for (const slot of group.slots) {
      if (bySlot.size >= mostRows) break
      if (slot.state === "alive" && slot.holders === 0) bySlot.set(slot, [])
    }
  }
  return Array.from(bySlot, ([slot, leases]) => rowOf(pool, slot, leases, now))
}

const ids = new WeakMap<Visible, number>()
let lastId = 0

const idOf = (pool: Visible): number => {
  const known = ids.get(pool)
  if (known !== undefined) return known
  ids.set(pool, ++lastId)
  return lastId
}

const viewOf = (pool: Visible, wait: WaitView): PoolView => {
  const { core } = pool
  const { machine } = core
  const { max, min } = pool.bounds()
  const sums = { size: 0, idle: 0, inUse: 0, creating: 0, destroying: 0, waiting: 0 }
  for (const group of machine.groups.values()) {
    const { idle, inUse } = machine.usage(group)
    sums.size += group.size
    sums.idle += idle
    sums.inUse += inUse
    sums.creating += group.creating
    sums.destroying += group.destroying
    sums.waiting += group.waiting
  }
  const { size, ...counts } = sums
  const { cancelled, createFailures, created, borrowed, destroyed, hookFailures, rejected, timeouts } = machine.totals
  const rows = rowsOf(pool, core.now())
  return {
    id: idOf(pool),
    name: core.name,
    min,
    ...(max === Infinity ? undefined : { max }),
    ...(machine.rooms === undefined ? undefined : { keys: machine.groups.size }),
    ...counts,
    checking: size - sums.idle - sums.inUse,
    suspended: machine.suspended,
    closing: machine.closed,
    cancelled,
    createFailures,
    created,
    borrowed,
    destroyed: { ...destroyed },
    hookFailures,
    rejected,
    timeouts,
    wait,
    rows,
    more: size - rows.length
  }
}

/**
 * So many of a hundred waited no longer than this, in milliseconds: as exact as the buckets are, and taken to be spread
 * evenly within one.
 */
export const quantile = (counts: ReadonlyArray<number>, q: number, longest: number): number | undefined => {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return undefined
  let below = 0
  for (const [index, boundary] of boundaries.entries()) {
    const count = counts[index]!
    if (count > 0 && below + count >= q * total) {
      const from = index === 0 ? 0 : boundaries[index - 1]! * 1000
      const to = boundary * 1000
      return Math.min(longest, from + (to - from) * Math.max(0, q * total - below) / count)
    }
    below += count
  }
  return longest
}

/** What is remembered from frame to frame, to tell recent waits from older ones. */
class Waits {
  private readonly seen: Array<{ readonly at: number; readonly counts: ReadonlyArray<number> }> = []

  look({ count, counts, max }: Histogram, now: number): WaitView {
    while (this.seen.length > 1 && this.seen[1]!.at <= now - recently) this.seen.shift()
    const before = this.seen[0]?.counts
    this.seen.push({ at: now, counts: counts.slice() })
    const late = before === undefined ? [] : counts.map((count, index) => count - before[index]!)
    const recent = late.some((count) => count > 0)
    const [p50, p99] = [0.5, 0.99].map((q) => quantile(recent ? late : counts, q, max))
    return {
      count,
      ...(p50 === undefined ? undefined : { p50 }),
      ...(p99 === undefined ? undefined : { p99 }),
      recent
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// events
// ---------------------------------------------------------------------------------------------------------------------

const causeText = (cause: Cause.Cause<unknown>): string => {
  const [error] = Cause.prettyErrors(cause)
  return error === undefined ? "interrupted" : `${error.name}: ${error.message}`
}

const format = (duration: Duration.Duration): string => formatDuration(Duration.toMillis(duration))

const detailOf = (event: Event): string => {
  switch (event._tag) {
    case "Created":
      return `took ${format(event.took)}`
    case "CreateFailed":
      return causeText(event.cause)
    case "Borrowed":
      return `waited ${format(event.waited)}`
    case "Returned":
      return `held ${format(event.held)}`
    case "Destroyed":
      return event.reason
    case "Overdue":
    case "Revoked":
      return `held ${format(event.holder.heldFor)} by ${event.holder}`
    case "Resized":
      return `min ${event.min}, max ${event.max}`
    default:
      return ""
  }
}

const eventView = (seq: number, event: Event): EventView => {
  const object = "object" in event && event.object !== undefined ? textOf(event.object) : ""
  const detail = detailOf(event)
  return {
    seq,
    at: event.at,
    pool: event.pool,
    ...(event.key === undefined ? undefined : { key: cut(event.key) }),
    tag: event._tag,
    ...("id" in event ? { id: event.id } : undefined),
    text: cut([object, detail].filter((text) => text !== "").join(" · "))
  }
}

interface Told {
  readonly seq: number
  readonly event: Event
}

/** The last events of all pools, as long as somebody looks; what they were is kept when nobody does. */
export class EventLog {
  private readonly all: Array<Told> = []
  /** Without the borrows and returns, which would soon leave no room for the others. */
  private readonly rare: Array<Told> = []
  private readonly listening = new Map<Visible, () => void>()
  private seq = 0
  private lookers = 0
  private unwatch: (() => void) | undefined = undefined

  /** Somebody looks; the result is called when they do no more. */
  look(): () => void {
    if (this.lookers++ === 0) {
      for (const pool of openPools) this.listen(pool)
      this.unwatch = onOpen((pool) => this.listen(pool))
    }
    return () => {
      if (--this.lookers > 0) return
      this.unwatch?.()
      for (const stop of this.listening.values()) stop()
      this.listening.clear()
    }
  }

  private listen(pool: Visible): void {
    const stop = pool.core.events.listen({
      tell: (event) => this.add(event),
      end: () => this.listening.delete(pool)
    })
    this.listening.set(pool, stop)
  }

  private add(event: Event): void {
    const told = { seq: ++this.seq, event }
    keep(this.all, told)
    if (event._tag !== "Borrowed" && event._tag !== "Returned") keep(this.rare, told)
  }

  /** Those after this number that are kept, oldest first. */
  after(seq: number): ReadonlyArray<EventView> {
    const found = new Map<number, Event>()
    for (const told of this.rare) if (told.seq > seq) found.set(told.seq, told.event)
    for (const told of this.all) if (told.seq > seq) found.set(told.seq, told.event)
    return Array.from(found, ([seq, event]) => eventView(seq, event)).sort((a, b) => a.seq - b.seq)
  }
}

const keep = (events: Array<Told>, event: Told): void => {
  events.push(event)
  if (events.length > mostEvents) events.shift()
}

// ---------------------------------------------------------------------------------------------------------------------
// frames
// ---------------------------------------------------------------------------------------------------------------------

/** One open page. */
export class Looker {
  private readonly log: EventLog
  private readonly waits = new WeakMap<Visible, Waits>()
  private readonly stop: () => void
  private seq = 0

  constructor(log: EventLog) {
    this.log = log
    this.stop = log.look()
  }

  frame(at: number): Frame {
    const pools = Array.from(openPools, (pool) => viewOf(pool, this.waitsOf(pool)))
    const events = this.log.after(this.seq)
    this.seq = events.at(-1)?.seq ?? this.seq
    return { at, pools, events }
  }

  private waitsOf(pool: Visible): WaitView {
    let waits = this.waits.get(pool)
    if (waits === undefined) this.waits.set(pool, waits = new Waits())
    return waits.look(pool.core.machine.waits, pool.core.now())
  }

  close(): void {
    this.stop()
  }
}
