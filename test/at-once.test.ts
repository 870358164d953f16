import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Tracer from "effect/Tracer"
import { Pool, Proxy } from "../src/index.ts"
import { ended, poolError, settle, start } from "./utils.ts"

interface Thing {
  readonly answer: () => number
}

class Things extends Proxy.Service<Things, Thing>()("at-once/Things") {}

const acquire = Effect.sync((): Thing => ({ answer: () => 42 }))

const quiet = Effect.provideService(References.MinimumLogLevel, "None")

describe("a hook that ends every new object at once", () => {
  it.effect("leaves others their turn: that of objects that are not pooled", () =>
    Effect.gen(function*() {
      const fiber = yield* start(Effect.scoped(Effect.flatMap(Things, (things) => things.answer())))
      yield* settle
      assert.isUndefined(ended(fiber))
      yield* Fiber.interrupt(fiber)
      yield* settle
      const { borrowed, created, waiting } = yield* Effect.flatMap(Things.pool, Pool.stats)
      assert.deepStrictEqual([borrowed, waiting], [0, 0])
      assert.isAbove(created, 100)
    }).pipe(Effect.provide(Things.layerUnpooled({ acquire, onBorrow: () => Effect.fail("no") })), quiet))

  it.effect("leaves others their turn: one that finds each object broken", () =>
    Effect.gen(function*() {
      const pool: Pool.Pool<Thing> = yield* Pool.make({
        acquire,
        min: 0,
        max: 2,
        onBorrow: (thing): Effect.Effect<void> => Pool.invalidate(pool, thing)
      })
      const fiber = yield* start(Effect.scoped(Pool.get(pool)))
      yield* settle
      assert.isUndefined(ended(fiber))
      yield* Fiber.interrupt(fiber)
      yield* settle
      assert.deepInclude(yield* Pool.stats(pool), { borrowed: 0, waiting: 0, inUse: 0 })
    }).pipe(quiet))
})

describe("a call that need not wait", () => {
  const spans: Array<string> = []
  const tracer = Tracer.make({
    span(options) {
      spans.push(options.name)
      return new Tracer.NativeSpan(options)
    }
  })
  const call = Effect.scoped(Effect.flatMap(Things, (things) => things.answer()))

  it.effect("has no span for a wait: its object is there, is made at once, or is refused", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* call, 42)
      assert.strictEqual(yield* call, 42)
      const holder = yield* start(Effect.scoped(Effect.andThen(Things.object, Effect.never)))
      assert.strictEqual(poolError(yield* Effect.exit(call)).reason._tag, "QueueFull")
      yield* Fiber.interrupt(holder)
      yield* Effect.flatMap(Things.pool, Pool.shutdown)
      assert.strictEqual(poolError(yield* Effect.exit(call)).reason._tag, "Closed")
      assert.deepStrictEqual(spans.filter((name) => name === "pool.wait"), [])
    }).pipe(
      Effect.provide(Things.layerPool({ acquire, min: 0, max: 1, maxWaiting: 0 })),
      Effect.withTracer(tracer)
    ))
})

describe("a clock that is set back", () => {
  it.effect("keeps nobody waiting for longer", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      let back = 0
      const moved: Clock.Clock = Object.create(clock, {
        currentTimeMillisUnsafe: { value: () => clock.currentTimeMillisUnsafe() - back }
      })
      yield* Effect.gen(function*() {
        const pool = yield* Pool.make({ acquire, max: 1, borrowTimeout: 500 })
        yield* TestClock.adjust(1000)
        yield* start(Pool.use(pool, () => Effect.never))
        back = 3_600_000
        const fiber = yield* start(Effect.exit(Pool.use(pool, () => Effect.void)))
        yield* TestClock.adjust(499)
        assert.isUndefined(ended(fiber))
        yield* TestClock.adjust(1)
        assert.isDefined(ended(fiber))
        const [object] = (yield* Pool.stats(pool)).objects
        assert.isDefined(object)
      }).pipe(Effect.provideService(Clock.Clock, moved))
    }))
})

describe("a defect of a forwarded call", () => {
  class Odd extends Proxy.Service<Odd, {
    readonly rows: () => Stream.Stream<number>
    readonly later: () => Promise<Stream.Stream<number>>
    readonly unreadable: () => object
  }>()("at-once/Odd") {}

  const layer = Odd.layerPool({
    acquire: Effect.sync(() => ({
      rows: () => Stream.make(1),
      later: () => Promise.resolve(Stream.make(1)),
      unreadable: () =>
        new globalThis.Proxy({}, { has: (_, key) => key === "then" && assert.fail("not to be looked at") })
    })),
    max: 1
  })
  const failed = Effect.map(Effect.flatMap(Odd.pool, Pool.stats), ({ destroyed }) => destroyed.failed)

  it.effect("leaves its object in an unknown state: a call that borrows for itself, in a unit, and gives a Stream", () =>
    Effect.gen(function*() {
      const perCall = yield* Odd.perCall
      for (const [index, call] of [perCall.rows(), perCall.later()].entries()) {
        assert.isTrue(Exit.hasDies(yield* Effect.exit(Odd.scoped(call))))
        assert.strictEqual(yield* failed, index + 1)
      }
    }).pipe(Effect.provide(layer)))

  it.effect("leaves its object in an unknown state: what it gave cannot be looked at", () =>
    Effect.gen(function*() {
      const odd = yield* Odd
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Effect.scoped(odd.unreadable()))))
      assert.strictEqual(yield* failed, 1)
    }).pipe(Effect.provide(layer)))
})
