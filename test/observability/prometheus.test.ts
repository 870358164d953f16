import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { busyPool, serve } from "./kit.ts"

const scrape = (address: string) =>
  HttpClient.get(`${address}/metrics`).pipe(
    Effect.flatMap((response) => response.text),
    Effect.provide(FetchHttpClient.layer)
  )

/** The lines of the text format, but for comments: `name{labels}` and its value. */
const parse = (text: string): ReadonlyMap<string, number> => {
  const found = new Map<string, number>()
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue
    const match = /^([a-z_]+(?:\{.*\})?) (\S+)$/.exec(line)
    assert.isNotNull(match, line)
    const [, series, value] = match!
    assert.isFalse(found.has(series!), `${series} is there once`)
    found.set(series!, value === "+Inf" ? Infinity : Number(value))
  }
  return found
}

describe("Prometheus", () => {
  it.live("scrapes the metrics of a pool over HTTP", () =>
    Effect.gen(function*() {
      const address = yield* serve(PrometheusMetrics.layerHttp())
      yield* busyPool("app/Database")
      const text = yield* scrape(address)
      for (const id of ["pool_objects", "pool_waiting"]) assert.include(text, `# TYPE ${id} gauge\n`)
      for (const id of ["pool_created_total", "pool_destroyed_total"]) assert.include(text, `# TYPE ${id} counter\n`)
      assert.include(text, "# TYPE pool_wait_seconds histogram\n")
      assert.match(text, /^# HELP pool_wait_seconds .*econds/m)
      const found = parse(text)
      const value = (id: string, labels = "") => found.get(`${id}{pool_name="app/Database"${labels}}`)
      assert.deepStrictEqual(
        ["idle", "used", "creating", "destroying"].map((state) => value("pool_objects", `,state="${state}"`)),
        [0, 2, 0, 0]
      )
      assert.strictEqual(value("pool_objects_max"), 2)
      assert.strictEqual(value("pool_objects_min"), 0)
      assert.strictEqual(value("pool_waiting"), 1)
      assert.strictEqual(value("pool_created_total"), 3)
      assert.strictEqual(value("pool_create_failures_total"), 1)
      assert.strictEqual(value("pool_destroyed_total", ",reason=\"invalidated\""), 1)
      assert.strictEqual(value("pool_timeouts_total"), 1)
      assert.strictEqual(value("pool_rejected_total"), 0)
      const bucket = (id: string, le: string) => value(`${id}_bucket`, `,le="${le}"`)!
      assert.strictEqual(bucket("pool_use_seconds", "+Inf"), value("pool_use_seconds_count"))
      assert.strictEqual(value("pool_use_seconds_count"), 2)
      assert.isAtLeast(value("pool_use_seconds_sum")!, 0.019)
      assert.strictEqual(bucket("pool_use_seconds", "0.01"), 1)
      assert.strictEqual(bucket("pool_use_seconds", "1"), 2)
      assert.isAtLeast(bucket("pool_wait_seconds", "60"), 1)
      let below = 0
      for (
        const le of [
          "0.001",
          "0.0025",
          "0.005",
          "0.01",
          "0.025",
          "0.05",
          "0.1",
          "0.25",
          "0.5",
          "1",
          "2.5",
          "5",
          "10",
          "30",
          "60"
        ]
      ) {
        assert.isAtLeast(bucket("pool_wait_seconds", le), below, le)
        below = bucket("pool_wait_seconds", le)
      }
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

  it.live("reads the pool at the moment of the scrape, and nothing of pools that have closed", () =>
    Effect.gen(function*() {
      const address = yield* serve(PrometheusMetrics.layerHttp())
      const text = yield* Effect.scoped(Effect.andThen(busyPool("app/Short"), scrape(address)))
      assert.include(text, "app/Short")
      assert.notInclude(yield* scrape(address), "app/Short")
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

  it.live("may meet any name", () =>
    Effect.gen(function*() {
      const address = yield* serve(PrometheusMetrics.layerHttp())
      yield* busyPool("a \"b\"\\\nc")
      const found = parse(yield* scrape(address))
      assert.strictEqual(found.get("pool_waiting{pool_name=\"a \\\"b\\\"\\\\\\nc\"}"), 1)
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))
})
