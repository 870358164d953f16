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
  for (const each of counted) {
    const { count, counts, max, min, sum: seconds } = read(each)
    for (const [index, count] of counts.entries()) sum.counts[index]! += count
    sum.count += count
    sum.sum += seconds
    sum.min = Math.min(sum.min, min)
    sum.max = Math.max(sum.max, max)
  }
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

/** The counts of several together. */
const together = (counted: ReadonlyArray<Counted>): Counted => {
  const totals = new Totals()
  for (const each of counted) totals.add(each.totals)
  return {
    totals,
    waits: merged(counted, ({ waits }) => waits),
    uses: merged(counted, ({ uses }) => uses),
    creations: merged(counted, ({ creations }) => creations)
  }
}

const ignore = (): void => {}

/** The pools of one name, in one registry. */
class Series implements Pools {
  readonly open = new Set<Visible>()
  private past: Counted | undefined = undefined
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
    for (const [key, entry] of this.entries) registry.set(key, entry)
  }

  get counted(): ReadonlyArray<Counted> {
    const counted: Array<Counted> = this.past === undefined ? [] : [this.past]
    for (const pool of this.open) counted.push(pool.core.machine)
    return counted
  }

  /** True when it was the last. */
  leave(pool: Visible): boolean {
    if (!this.open.delete(pool)) return false
    if (this.open.size > 0) {
      const { machine } = pool.core
      this.past = together(this.past === undefined ? [machine] : [this.past, machine])
      return false
    }
    for (const [key, entry] of this.entries) if (this.registry.get(key) === entry) this.registry.delete(key)
    return true
  }
}

const registries = new WeakMap<Metric.MetricRegistry, Map<string, Series>>()

/** The pool is in the metrics of this context from now on; the result is called when it has closed. */
export const measured = (pool: Visible, context: Context.Context<never>): () => void => {
  const registry = Context.get(context, Metric.MetricRegistry)
  let known = registries.get(registry)
  if (known === undefined) registries.set(registry, known = new Map())
  const { name } = pool.core
  // what the context says of all metrics tells series apart, as it does for any metric of Effect
  const more = Context.get(context, Metric.CurrentMetricAttributes)
  const key = JSON.stringify([name, Object.entries(more).toSorted()])
  let series = known.get(key)
  if (series === undefined) known.set(key, series = new Series(registry, key, name, more))
  series.open.add(pool)
  return () => {
    if (series.leave(pool)) known.delete(key)
  }
}
