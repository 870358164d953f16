import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric, Schema } from "effect"
import { FetchHttpClient, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Otlp, OtlpExporter } from "effect/observability"
import { Pool } from "proxy-pattern-pool"
import { busyPool, serve } from "./kit.ts"

const Attributes = Schema.Array(
  Schema.Struct({ key: Schema.String, value: Schema.Struct({ stringValue: Schema.optional(Schema.String) }) })
)

const Metrics = Schema.Struct({
  resourceMetrics: Schema.Array(Schema.Struct({
    scopeMetrics: Schema.Array(Schema.Struct({
      metrics: Schema.Array(Schema.Struct({
        name: Schema.String,
        gauge: Schema.optional(Schema.Struct({
          dataPoints: Schema.Array(Schema.Struct({ attributes: Attributes, asDouble: Schema.NullOr(Schema.Finite) }))
        })),
        sum: Schema.optional(Schema.Struct({
          isMonotonic: Schema.Boolean,
          aggregationTemporality: Schema.Finite,
          dataPoints: Schema.Array(Schema.Struct({ attributes: Attributes, asDouble: Schema.Finite }))
        })),
        histogram: Schema.optional(Schema.Struct({
          dataPoints: Schema.Array(Schema.Struct({
            attributes: Attributes,
            count: Schema.Finite,
            sum: Schema.Finite,
            bucketCounts: Schema.Array(Schema.Finite),
            explicitBounds: Schema.Array(Schema.Finite)
          }))
        }))
      }))
    }))
  }))
})

const Traces = Schema.Struct({
  resourceSpans: Schema.Array(Schema.Struct({
    scopeSpans: Schema.Array(Schema.Struct({
      spans: Schema.Array(Schema.Struct({
        name: Schema.String,
        traceId: Schema.String,
        spanId: Schema.String,
        parentSpanId: Schema.optional(Schema.String),
        attributes: Attributes,
        links: Schema.Array(Schema.Struct({ traceId: Schema.String, spanId: Schema.String }))
      }))
    }))
  }))
})

/** A stand-in for an OpenTelemetry collector, on a real socket. */
const collector = Effect.gen(function*() {
  const received = { logs: [] as Array<unknown>, metrics: [] as Array<unknown>, traces: [] as Array<unknown> }
  const route = (signal: keyof typeof received) =>
    HttpRouter.add(
      "POST",
      `/v1/${signal}`,
      Effect.gen(function*() {
        const request = yield* HttpServerRequest.HttpServerRequest
        received[signal].push(yield* Effect.orDie(request.json))
        return HttpServerResponse.jsonUnsafe({})
      })
    )
  const address = yield* serve(Layer.mergeAll(route("logs"), route("metrics"), route("traces")))
  return { address, received }
})

/** Sends what there is now. */
const flush = Effect.flatMap(OtlpExporter.Flusher, (flusher) => flusher.flush)

const exporting = (address: string, temporality: "cumulative" | "delta" = "cumulative") =>
  Otlp.layerJson({
    baseUrl: address,
    resource: { serviceName: "shop" },
    metricsTemporality: temporality,
    loggerExportInterval: "1 hour",
    metricsExportInterval: "1 hour",
    tracerExportInterval: "1 hour"
  }).pipe(Layer.provide(FetchHttpClient.layer))

const labels = (attributes: typeof Attributes.Type): string =>
  attributes.map(({ key, value }) => `${key}=${value.stringValue}`).join(",")

const metricsIn = (body: unknown) =>
  Effect.map(
    Schema.decodeUnknownEffect(Metrics)(body),
    ({ resourceMetrics }) =>
      resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
  )

describe("OTLP", () => {
  it.live("sends the metrics of a pool to a collector", () =>
    Effect.gen(function*() {
      const { address, received } = yield* collector
      const apart = Effect.provideService(Metric.MetricRegistry, new Map())
      yield* Effect.andThen(busyPool("app/Database"), flush).pipe(
        Effect.provide(exporting(address)),
        Effect.scoped,
        apart
      )
      const metrics = yield* metricsIn(received.metrics[0])
      const metric = (name: string) => {
        const found = metrics.filter((metric) => metric.name === name)
        assert.strictEqual(found.length, 1, name)
        return found[0]!
      }
      const gauge = (name: string) =>
        Object.fromEntries(
          metric(name).gauge!.dataPoints.map(({ asDouble, attributes }) => [labels(attributes), asDouble])
        )
      const named = "pool.name=app/Database"
      assert.deepStrictEqual(gauge("pool_objects"), {
        [`${named},state=idle`]: 0,
        [`${named},state=used`]: 2,
        [`${named},state=creating`]: 0,
        [`${named},state=destroying`]: 0
      })
      assert.deepStrictEqual(gauge("pool_objects_max"), { [named]: 2 })
      assert.deepStrictEqual(gauge("pool_waiting"), { [named]: 1 })
      const created = metric("pool_created_total").sum!
      assert.isTrue(created.isMonotonic)
      assert.deepStrictEqual(created.dataPoints.map(({ asDouble }) => asDouble), [3])
      const invalidated = metric("pool_destroyed_total").sum!.dataPoints.find(({ attributes }) =>
        labels(attributes) === `${named},reason=invalidated`
      )
      assert.strictEqual(invalidated!.asDouble, 1)
      const [uses] = metric("pool_use_seconds").histogram!.dataPoints
      assert.strictEqual(uses!.count, 2)
      assert.strictEqual(uses!.bucketCounts.length, 16)
      assert.strictEqual(uses!.bucketCounts.reduce((sum, count) => sum + count), 2)
      assert.deepStrictEqual(uses!.explicitBounds, [
        0.001,
        0.0025,
        0.005,
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1,
        2.5,
        5,
        10,
        30,
        60
      ])
    }))

  it.live("sends what was counted between two exports, where the backend wants that", () =>
    Effect.gen(function*() {
      const { address, received } = yield* collector
      yield* Effect.gen(function*() {
        const pool = yield* Pool.make({ name: "app/Delta", acquire: Effect.succeed({}), max: 1 })
        const another = Effect.andThen(Pool.evict(pool), Effect.yieldNow)
        yield* another
        yield* flush
        yield* another
        yield* another
        yield* flush
      }).pipe(
        Effect.provide(exporting(address, "delta")),
        Effect.scoped,
        Effect.provideService(Metric.MetricRegistry, new Map())
      )
      const evicted = (body: unknown) =>
        Effect.map(metricsIn(body), (metrics) =>
          metrics.find(({ name }) =>
            name === "pool_destroyed_total"
          )!.sum!.dataPoints.find(({ attributes }) => labels(attributes).includes("reason=evicted"))!.asDouble)
      assert.strictEqual(yield* evicted(received.metrics[0]), 1)
      assert.strictEqual(yield* evicted(received.metrics[1]), 2)
    }))

  it.live("sends the spans, and the warnings with the pool's name", () =>
    Effect.gen(function*() {
      const { address, received } = yield* collector
      yield* Effect.gen(function*() {
        const pool = yield* Pool.make({
          name: "app/Traced",
          acquire: Effect.succeed({}),
          min: 0,
          max: 1,
          borrowWarning: 10
        })
        const holder = Effect.withSpan(Pool.use(pool, () => Effect.sleep(50)), "GET /first")
        yield* Effect.forkChild(holder, { startImmediately: true })
        yield* Effect.withSpan(Pool.use(pool, () => Effect.void), "GET /second")
        yield* flush
      }).pipe(
        Effect.provide(exporting(address)),
        Effect.scoped,
        Effect.provideService(Metric.MetricRegistry, new Map())
      )
      const bodies = yield* Effect.forEach(received.traces, (body) => Schema.decodeUnknownEffect(Traces)(body))
      const spans = bodies.flatMap(({ resourceSpans }) =>
        resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
      )
      const span = (name: string) => spans.find((span) => span.name === name)!
      const create = span("pool.create")
      assert.isUndefined(create.parentSpanId)
      assert.strictEqual(labels(create.attributes).includes("pool.name=app/Traced"), true)
      assert.deepStrictEqual(create.links.map(({ spanId }) => spanId), [span("GET /first").spanId])
      assert.strictEqual(span("pool.wait").parentSpanId, span("GET /second").spanId)
      assert.strictEqual(spans.filter(({ name }) => name === "pool.wait").length, 1)
      const logs = JSON.stringify(received.logs)
      assert.include(logs, "is held for longer than 10ms by fiber #")
      assert.include(logs, "in span \\\"GET /first\\\"")
      assert.include(logs, "{\"key\":\"pool.name\",\"value\":{\"stringValue\":\"app/Traced\"}}")
    }))
})
