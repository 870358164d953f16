/** What the monitor's page is told: of every open pool, and of what happens in them. */
import type { Histogram } from "./histogram.ts"
import { boundaries } from "./histogram.ts"
import { spanName } from "./holder.ts"
import type { Lease } from "./lease.ts"
import type { EventLog, EventView } from "./monitorEvents.ts"
import { cut, textOf } from "./monitorEvents.ts"
import type { Visible } from "./registry.ts"
import { openPools } from "./registry.ts"
import type { Slot } from "./state.ts"

/** So many objects of a pool are listed, those held longest first. */
const mostRows = 200
/** So many holders of a shared object are named. */
const mostHolders = 3
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

/** What the page shows, once a second. */
export interface Frame {
  readonly at: number
  /** When the server began to tell: a page that was open before that starts anew. */
  readonly since: number
  readonly pools: ReadonlyArray<PoolView>
  /** Since the last frame; in the first one, those that are kept. */
  readonly events: ReadonlyArray<EventView>
}

const rowOf = ({ core }: Visible, slot: Slot, leases: ReadonlyArray<Lease>, now: number): Row => {
  const { borrowLimit, borrowWarning } = core.settings.policy
  const key = slot.group.label
  const object = core.describe(slot)
  const holders = leases.slice(0, mostHolders).map((lease): HolderView => {
    const span = spanName(lease)
    const trace = lease.span?.traceId
    return {
      fiber: lease.fiberId,
      ...(span === undefined ? undefined : { span: cut(span) }),
      ...(trace === undefined ? undefined : { trace: cut(trace) }),
      waiting: lease.hasWaiting
    }
  })
  const [longest] = leases
  const heldFor = longest === undefined ? undefined : Math.max(0, now - longest.since)
  return {
    id: slot.id,
    ...(key === undefined ? undefined : { key: cut(key) }),
    state: core.machine.stateOf(slot),
    ...(object === undefined ? undefined : { object: textOf(object) }),
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
    for (
      let waiter = list.head;
      waiter !== undefined && taken < mostRows * mostHolders;
      waiter = waiter.next, taken++
    ) {
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
  core.nesting.examine()
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
    return { at, since: this.log.since, pools, events }
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
