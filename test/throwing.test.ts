import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Pool, Proxy } from "../src/index.ts"
import { settle, start, valueOf } from "./utils.ts"

const events = ["uncaughtException", "unhandledRejection"] as const

/** What is thrown where nobody catches it, in this Scope; the test itself does not fail of it. */
const uncaught = Effect.acquireRelease(
  Effect.sync(() => {
    const thrown: Array<unknown> = []
    const before = events.map((event) => [event, process.listeners(event as "uncaughtException")] as const)
    for (const event of events) {
      process.removeAllListeners(event)
      process.on(event, (error) => thrown.push(error))
    }
    return { thrown, before }
  }),
  ({ before }) =>
    Effect.sync(() => {
      for (const [event, listeners] of before) {
        process.removeAllListeners(event)
        for (const listener of listeners) process.on(event, listener)
      }
    })
).pipe(Effect.map(({ thrown }) => thrown))

class Thrown extends Error {}

/** Runs it in a fiber of its own, whose end calls a callback that throws, as one of `Effect.runCallback` may. */
const careless = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>) {
  const context = yield* Effect.context<R>()
  const seen: { exit: Exit.Exit<A, E> | undefined } = { exit: undefined }
  Effect.runCallbackWith(context)(effect, {
    onExit: (exit) => {
      seen.exit = exit
      throw new Thrown("in a callback")
    }
  })
  return seen
})

/** Says what is logged. */
const logged = Effect.map(Effect.sync((): Array<string> => []), (lines) => ({
  lines,
  layer: Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
}))

const makeThing = Effect.sync(() => ({ name: "thing" }))

describe("a callback that throws when a borrower ends", () => {
  it.effect("keeps no other borrower from being woken", () =>
    Effect.gen(function*() {
      const thrown = yield* uncaught
      const pool = yield* Pool.make({ acquire: makeThing, max: 3 })
      const scope = yield* Scope.make()
      yield* Effect.forEach([1, 2, 3], () => Scope.provide(Pool.get(pool), scope))
      const served: Array<number> = []
      const careful = (n: number) => start(Pool.use(pool, () => Effect.sync(() => served.push(n))))
      yield* careful(1)
      const seen = yield* careless(Pool.use(pool, () => Effect.sync(() => served.push(2))))
      yield* careful(3)
      yield* settle
      yield* Scope.close(scope, Exit.void)
      yield* settle
      assert.deepStrictEqual(served, [1, 2, 3])
      assert.deepStrictEqual(seen.exit, Exit.succeed(2))
      assert.deepInclude(yield* Pool.stats(pool), { inUse: 0, waiting: 0, borrowed: 6, returned: 6 })
      assert.strictEqual(thrown.length, 1)
      assert.instanceOf(thrown[0], Thrown)
    }))

  it.effect("does not disturb the pool where the borrower waits for the hook of its return", () =>
    Effect.gen(function*() {
      const { layer, lines } = yield* logged
      const pool = yield* Effect.provide(
        Pool.make({ acquire: makeThing, max: 2, onReturn: () => Effect.sleep(10) }),
        layer
      )
      const seen = yield* careless(Pool.use(pool, () => Effect.void))
      const other = yield* start(Pool.use(pool, () => Effect.succeed("other")))
      yield* settle
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(seen.exit, Exit.void)
      assert.deepStrictEqual(other.pollUnsafe(), Exit.succeed("other"))
      assert.deepInclude(yield* Pool.stats(pool), { inUse: 0, returned: 2 })
      assert.deepStrictEqual(lines, [`Pool "pool": a callback threw at the end of a fiber`])
      const next = yield* start(Pool.use(pool, ({ name }) => Effect.succeed(name)))
      yield* settle
      yield* TestClock.adjust(10)
      assert.strictEqual(valueOf(next), "thing")
    }))

  it.effect("does not keep what else falls due at that moment from being done, where its object is taken back", () =>
    Effect.gen(function*() {
      const { layer, lines } = yield* logged
      const pool = yield* Effect.provide(Pool.make({ acquire: makeThing, max: 2, borrowLimit: 10 }), layer)
      const first = yield* careless(Pool.use(pool, () => Effect.never))
      const second = yield* careless(Pool.use(pool, () => Effect.never))
      const waiting = yield* start(Effect.exit(Pool.use(pool, () => Effect.void, { timeout: 10 })))
      const last = yield* start(Pool.use(pool, () => Effect.succeed("last"), { timeout: 11 }))
      yield* settle
      yield* TestClock.adjust(10)
      yield* settle
      assert.strictEqual(first.exit?._tag, "Failure")
      assert.strictEqual(second.exit?._tag, "Failure")
      assert.isDefined(waiting.pollUnsafe())
      assert.deepStrictEqual(last.pollUnsafe(), Exit.succeed("last"))
      assert.deepInclude(yield* Pool.stats(pool), { inUse: 0, waiting: 0 })
      assert.strictEqual(lines.filter((line) => line.includes("a callback threw")).length, 2)
    }))

  it.effect("keeps no other call of its Scope from being interrupted, where their object is taken back", () =>
    Effect.gen(function*() {
      const { layer, lines } = yield* logged
      class Thing extends Proxy.Service<Thing, { readonly wait: () => Effect.Effect<never> }>()("throwing/Slow") {}
      const acquire = Effect.succeed({ wait: () => Effect.never })
      const context = yield* Effect.provide(Layer.build(Thing.layerPool({ acquire, max: 1, borrowLimit: 10 })), layer)
      const things = Context.get(context, Thing)
      const scope = yield* Scope.make()
      const calls = yield* Effect.forEach([1, 2, 3], () => careless(Scope.provide(things.wait(), scope)))
      yield* settle
      yield* TestClock.adjust(10)
      yield* settle
      assert.deepStrictEqual(calls.map(({ exit }) => exit?._tag), ["Failure", "Failure", "Failure"])
      assert.strictEqual(lines.filter((line) => line.includes("a callback threw")).length, 3)
      yield* Scope.close(scope, Exit.void)
    }))

  it.effect("keeps no closing from its end", () =>
    Effect.gen(function*() {
      const thrown = yield* uncaught
      const scope = yield* Scope.make()
      const pool = yield* Scope.provide(Pool.make({ acquire: makeThing, max: 1 }), scope)
      const holding = yield* Scope.make()
      yield* Scope.provide(Pool.get(pool), holding)
      const first = yield* careless(Pool.shutdown(pool))
      const closed = yield* start(Scope.close(scope, Exit.void))
      yield* settle
      assert.isUndefined(closed.pollUnsafe())
      yield* Scope.close(holding, Exit.void)
      yield* settle
      assert.deepStrictEqual(first.exit, Exit.void)
      assert.isDefined(closed.pollUnsafe())
      assert.strictEqual(thrown.length, 1)
    }))

  it.effect("does not keep the object of a forwarded call that gave a promise", () =>
    Effect.gen(function*() {
      const thrown = yield* uncaught
      class Thing extends Proxy.Service<Thing, { readonly answer: () => Promise<number> }>()("throwing/Thing") {}
      let give: (n: number) => void = () => {}
      const promise = new Promise<number>((resolve) => give = resolve)
      const context = yield* Layer.build(
        Thing.layerPool({ acquire: Effect.succeed({ answer: () => promise }), max: 1 })
      )
      const scope = yield* Scope.make()
      const things = Context.get(context, Thing)
      const seen = yield* careless(Scope.provide(things.answer(), scope))
      yield* settle
      give(42)
      yield* Effect.promise(() => promise)
      yield* settle
      assert.deepStrictEqual(seen.exit, Exit.succeed(42))
      yield* Scope.close(scope, Exit.void)
      const pool = yield* Effect.provide(Thing.pool, context)
      assert.deepInclude(yield* Pool.stats(pool), { inUse: 0, borrowed: 1, returned: 1 })
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      assert.strictEqual(thrown.length, 1)
    }))
})
