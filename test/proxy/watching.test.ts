import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Tracer } from "effect"
import { TestClock } from "effect/testing"
import type { PoolError } from "proxy-pattern-pool"
import { Proxy } from "proxy-pattern-pool"
import { logs, poolError, settle, start, valueOf } from "../utils.ts"
import type { ConnectError, Connection } from "./kit.ts"
import { Database, id, openScope, Server, stats } from "./kit.ts"

/** The names of the spans that are begun in what the tracer is provided to. */
const tracing = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span(options) {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return {
    waits: () => spans.filter(({ name }) => name === "pool.wait"),
    traced: Effect.withTracer(tracer)
  }
}

describe("spans", () => {
  it.effect("a call that has to wait is in a span pool.wait, also one that waits with another; one that has not is in none", () => {
    const { traced, waits } = tracing()
    return Effect.gen(function*() {
      const holder = yield* openScope
      yield* holder.run(id)
      yield* holder.run(id)
      assert.lengthOf(waits(), 0)
      const waiting = yield* start(
        Effect.scoped(Effect.all([id, id], { concurrency: "unbounded" })).pipe(Effect.withSpan("GET /users"))
      )
      yield* settle
      assert.lengthOf(waits(), 2)
      for (const { parent } of waits()) assert.deepInclude(parent, { _tag: "Some" })
      yield* holder.close()
      yield* settle
      assert.deepStrictEqual(valueOf(waiting), [0, 0])
      for (const { status } of waits()) assert.isTrue(status._tag === "Ended" && Exit.isSuccess(status.exit))
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connect, max: 1 })), traced)
  })

  it.effect("a call itself is in no span of the pool", () => {
    class Probes extends Proxy.Service<Probes, { span(): Effect.Effect<string> }>()("app/Probes") {}
    const { traced } = tracing()
    return Effect.gen(function*() {
      const probes = yield* Probes
      const names = Effect.all([probes.span(), probes.span()])
      assert.deepStrictEqual(yield* Effect.scoped(Effect.withSpan(names, "GET /users")), ["GET /users", "GET /users"])
    }).pipe(
      Effect.provide(Probes.layerPool({
        acquire: Effect.succeed({ span: () => Effect.map(Effect.orDie(Effect.currentSpan), (span) => span.name) }),
        max: 1,
        onBorrow: () => Effect.yieldNow
      })),
      traced
    )
  })
})

describe("holders", () => {
  it.effect("are those who called first, in the span around that call", () => {
    const { traced } = tracing()
    return Effect.gen(function*() {
      const db = yield* Database
      const first = yield* openScope
      const fiber = yield* start(Effect.withSpan(first.run(db.slow(0)), "GET /users"))
      yield* TestClock.adjust(0)
      assert.strictEqual(valueOf(fiber), 0)
      yield* Effect.withSpan(first.run(db.id()), "another")
      yield* TestClock.adjust("12300 millis")
      const waiting = yield* start(Effect.exit(Database.useObject(() => Effect.void, { timeout: "5 seconds" })))
      yield* TestClock.adjust("5 seconds")
      const error = poolError(valueOf(waiting))
      const { holders } = error.reason as PoolError.BorrowTimeout
      assert.deepStrictEqual(holders.map(({ fiber, span }) => [fiber, span]), [[fiber.id, "GET /users"]])
      assert.strictEqual(
        error.message,
        `Pool "app/Database": no object within 5s (1 of 1 in use, 1 waiting, longest held 17.3s by fiber #${fiber.id} in span "GET /users")`
      )
      yield* first.close()
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connect, max: 1 })), traced)
  })

  it.effect("are the same where they had to wait, never in the pool's own span", () => {
    const { traced } = tracing()
    return Effect.gen(function*() {
      const { close, run } = yield* openScope
      const fiber = yield* start(Effect.withSpan(run(id), "GET /users"))
      yield* TestClock.adjust(10)
      assert.strictEqual(valueOf(fiber), 0)
      const holders = (yield* stats).objects.flatMap(({ holders }) => holders)
      assert.deepStrictEqual(holders.map(({ fiber, span }) => [fiber, span]), [[fiber.id, "GET /users"]])
      yield* close()
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connectAfter(10), max: 1, min: 0 })), traced)
  })
})

describe("nested borrowing", () => {
  const warnings = (program: Effect.Effect<unknown, ConnectError | PoolError.PoolError, Database>, max = 1) =>
    Effect.gen(function*() {
      const { entries, layer } = logs()
      const { traced } = tracing()
      const fiber = yield* start(
        Effect.exit(program).pipe(
          Effect.provide(Layer.provideMerge(
            Database.layerPool({ acquire: new Server().connect, max, borrowTimeout: "1 second" }),
            layer
          )),
          traced
        )
      )
      yield* TestClock.adjust("5 seconds")
      valueOf(fiber)
      return entries.filter(({ message }) => message.includes("nested borrowing")).map(({ message }) => message)
    })
  const span = (name: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.withSpan(effect, name)

  it.effect("that must wait for a return is warned of once, with both spans", () =>
    Effect.gen(function*() {
      const messages = yield* warnings(
        Effect.scoped(Effect.andThen(span("outer")(id), span("inner")(Effect.scoped(id))))
      )
      assert.lengthOf(messages, 1)
      assert.include(messages[0], "in span \"outer\"")
      assert.include(messages[0], "in span \"inner\"")
      const body = yield* warnings(Effect.scoped(Effect.andThen(id, Database.useObject(() => Effect.void))))
      assert.lengthOf(body, 1)
      const unit = yield* warnings(Database.useObject(() => Database.scoped(id)))
      assert.lengthOf(unit, 1)
    }))

  it.effect("that is served at once is not, nor are calls in one Scope or unit", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* warnings(Effect.scoped(Effect.andThen(id, Effect.scoped(id))), 2), [])
      assert.deepStrictEqual(yield* warnings(Effect.scoped(Effect.all([id, id], { concurrency: "unbounded" }))), [])
      const unit = Database.scoped(Effect.all([id, Effect.scoped(id), Database.useObject(() => Database.scoped(id))]))
      assert.deepStrictEqual(yield* warnings(unit), [])
    }))
})

describe("describe", () => {
  it.effect("shows the object that a Scope holds", () =>
    Effect.gen(function*() {
      yield* id
      const [object] = (yield* stats).objects
      assert.deepInclude(object, { id: 0, state: "inUse", object: { backend: 0 } })
      assert.deepInclude(object.holders[0], { object: { backend: 0 } })
    }).pipe(
      Effect.scoped,
      Effect.provide(Database.layerPool({
        acquire: new Server().connect,
        max: 1,
        describe: (connection: Connection) => ({ backend: connection.id })
      }))
    ))
})
