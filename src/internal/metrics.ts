/**
 * The metrics of pools. Nothing is pushed: a pool counts for itself, and is read when metrics are read. Pools of one
 * name in one registry are one series, which keeps what the closed ones counted until the last of them closes.
 */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import { boundaries, Histogram } from "./histogram.ts"
import type { Machine } from "./machine.ts"
import type { Reason } from "./policy.ts"
import type { Visible } from "./registry.ts"
import { Totals } from "./totals.ts"

type State = Metric.GaugeState<number> | Metric.CounterState<number> | Metric.HistogramState

/** A metric that every pool has. */
interface Definition {
  readonly type: "Gauge" | "Counter" | "Histogram"
  readonly id: string
  readonly description: string
  readonly attributes: Metric.Metric.AttributeSet
  /** How its keys in a registry begin. */
  readonly prefix: string
  readonly read: (pools: Pools) => State
}

interface Pools {
  readonly open: Iterable<Visible>
  /** What each has counted, and what the closed ones did. */
  readonly counted: ReadonlyArray<Counted>
}

/** What a pool has counted. */
type Counted = Pick<Machine, "totals" | "waits" | "uses" | "creations">

const sumOf = <A>(items: Iterable<A>, read: (item: A) => number): number => {
  let sum = 0
  for (const item of items) sum += read(item)
  return sum
}

const prefixOf = (id: string, attributes: Metric.Metric.AttributeSet = {}): string =>
  `proxy-pattern-pool/${[id, ...Object.values(attributes)].join("/")}/`

const gauge = (
  id: string,
  description: string,
  read: (pool: Visible) => number,
  attributes: Metric.Metric.AttributeSet = {}
): Definition => ({
  type: "Gauge",
  id,
  description,
  attributes,
  prefix: prefixOf(id, attributes),
  read: ({ open }) => ({ value: sumOf(open, read) })
})

const counter = (
  id: string,
  description: string,
  read: (totals: Totals) => number,
  attributes: Metric.Metric.AttributeSet = {}
): Definition => ({
  type: "Counter",
  id,
  description,
  attributes,
  prefix: prefixOf(id, attributes),
  read: ({ counted }) => ({ count: sumOf(counted, (each) => read(each.totals)), incremental: true })
})

const histogram = (id: string, description: string, read: (counted: Counted) => Histogram): Definition => ({
  type: "Histogram",
  id,
  description,
  attributes: {},
  prefix: prefixOf(id),
  read: ({ counted }) => histogramState(merged(counted, read))
})

const merged = (counted: ReadonlyArray<Counted>, read: (counted: Counted) => Histogram): Histogram => {
  const sum = new Histogram()
  for (const each of counted) sum.add(read(each))
  return sum
}

/** As Effect has them: in seconds, each count with those of the lower buckets. */
const histogramState = ({ count, counts, max, min, sum }: Histogram): Metric.HistogramState => {
  let below = 0
  return {
    buckets: boundaries.map((boundary, index): [number, number] => [boundary, below += counts[index]!]),
    count,
    min: count === 0 ? 0 : min / 1000,
    max: max / 1000,
    sum: sum / 1000
  }
}

const groups = ({ core }: Visible) => core.machine.groups.values()

const idle = (pool: Visible): number => sumOf(groups(pool), (group) => pool.core.machine.usage(group).idle)

const objects = (state: string, read: (pool: Visible) => number): Definition =>
  gauge("pool_objects", "Places taken: by objects idle, used (checked, too), being created, being destroyed", read, {
    state
  })

const destroyed = (reason: Reason): Definition =>
  counter(
    "pool_destroyed_total",
    "Objects destroyed, by the reason that came first",
    (totals) => totals.destroyed[reason],
    { reason }
  )

const definitions: ReadonlyArray<Definition> = [
  objects("idle", idle),
  objects("used", (pool) => sumOf(groups(pool), (group) => group.size) - idle(pool)),
  objects("creating", (pool) => sumOf(groups(pool), (group) => group.creating)),
  objects("destroying", (pool) => sumOf(groups(pool), (group) => group.destroying)),
  gauge("pool_objects_max", "Most places", (pool) => pool.bounds().max),
  gauge("pool_objects_min", "Objects that are kept alive", (pool) => pool.bounds().min),
  gauge("pool_waiting", "Borrowers that have no object yet", (pool) => sumOf(groups(pool), (group) => group.waiting)),
  counter("pool_created_total", "Objects created", (totals) => totals.created),
  counter(
    "pool_create_failures_total",
    "Creations that failed or took too long",
    (totals) => totals.createFailures
  ),
  ...(Object.keys(new Totals().destroyed) as Array<Reason>).map(destroyed),
  counter("pool_timeouts_total", "Borrowers that got no object within their timeout", (totals) => totals.timeouts),
  counter("pool_rejected_total", "Borrowers that met a full queue", (totals) => totals.rejected),
  histogram(
    "pool_wait_seconds",
    "Seconds that borrowers waited who had to wait, those that gave up included",
    (counted) => counted.waits
  ),
  histogram("pool_use_seconds", "Seconds that objects were held, told when the borrow ends", (counted) => counted.uses),
  histogram("pool_create_seconds", "Seconds that creations took that succeeded", (counted) => counted.creations)
]

/** What closed pools have counted, together. */
class Past implements Counted {
  readonly totals = new Totals()
  readonly waits = new Histogram()
  readonly uses = new Histogram()
  readonly creations = new Histogram()

  add({ creations, totals, uses, waits }: Counted): void {
    this.totals.add(totals)
    this.waits.add(waits)
    this.uses.add(uses)
    this.creations.add(creations)
  }
}

const ignore = (): void => {}

/** The pools of one name, in one registry. */
class Series implements Pools {
  readonly open = new Set<Visible>()
  private past: Past | undefined = undefined
  private readonly registry: Metric.MetricRegistry
  private readonly entries: ReadonlyArray<readonly [key: string, Metric.Metric.Metadata<any, State>]>

  /** `key` is its own in the registry; `more` is what the context says of all metrics. */
  constructor(registry: Metric.MetricRegistry, key: string, name: string, more: Metric.Metric.AttributeSet) {
    this.registry = registry
    this.entries = definitions.map(({ attributes, description, id, prefix, read, type }) => [prefix + key, {
      type,
      id,
      description,
      attributes: { "pool.name": name, ...attributes, ...more },
      hooks: { get: () => read(this), update: ignore, modify: ignore }
    }])
  }

  get counted(): ReadonlyArray<Counted> {
    const counted: Array<Counted> = this.past === undefined ? [] : [this.past]
    for (const pool of this.open) counted.push(pool.core.machine)
    return counted
  }

  join(pool: Visible): void {
    if (this.open.size === 0) { for (const [key, entry] of this.entries) this.registry.set(key, entry) }
    this.open.add(pool)
  }

  leave(pool: Visible): void {
    if (!this.open.delete(pool)) return
    if (this.open.size > 0) {
      this.past ??= new Past()
      this.past.add(pool.core.machine)
      return
    }
    this.past = undefined
    for (const [key, entry] of this.entries) if (this.registry.get(key) === entry) this.registry.delete(key)
  }
}

/** The series of one registry. */
class Book {
  private readonly series = new Map<string, Series>()
  /** The last that came to its end: often the next pool has the same name, and 24 entries need not be made again. */
  private latest: readonly [key: string, series: Series] | undefined = undefined
  private readonly registry: Metric.MetricRegistry

  constructor(registry: Metric.MetricRegistry) {
    this.registry = registry
  }

  enter(pool: Visible, more: Metric.Metric.AttributeSet): () => void {
    const { name } = pool.core
    // what the context says of all metrics tells series apart, as it does for any metric of Effect
    const entries = Object.entries(more)
    const key = JSON.stringify(entries.length === 0 ? name : [name, entries.toSorted()])
    let series = this.series.get(key)
    if (series === undefined) {
      series = this.latest?.[0] === key ? this.latest[1] : new Series(this.registry, key, name, more)
      this.series.set(key, series)
    }
    series.join(pool)
    return () => this.leave(key, series, pool)
  }

  private leave(key: string, series: Series, pool: Visible): void {
    series.leave(pool)
    if (series.open.size > 0 || !this.series.delete(key)) return
    this.latest = [key, series]
  }
}

const books = new WeakMap<Metric.MetricRegistry, Book>()

/** The pool is in the metrics of this context from now on; the result is called when it has closed. */
export const measured = (pool: Visible, context: Context.Context<never>): () => void => {
  const registry = Context.get(context, Metric.MetricRegistry)
  let book = books.get(registry)
  if (book === undefined) books.set(registry, book = new Book(registry))
  return book.enter(pool, Context.get(context, Metric.CurrentMetricAttributes))
}
