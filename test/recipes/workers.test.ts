import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Pool } from "proxy-pattern-pool"
import { countPrimes, Threads, threads } from "../../docs/examples/recipes/workers.ts"

const stats = Effect.flatMap(Threads.pool, Pool.stats)

describe("worker threads", () => {
  it.live("compute, each at one job at a time", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* countPrimes([10, 100, 1000, 10, 100, 1000]), [4, 25, 168, 4, 25, 168])
      // the second may still be starting when the first has done all the work
      const { created, creating } = yield* stats
      assert.strictEqual(created + creating, 2)
    }).pipe(Effect.provide(threads({ max: 2 }))))

  it.live("live on when a job fails", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(countPrimes([0.5]))
      assert.strictEqual(error._tag === "JobFailed" ? error.message : "", "not a whole number: 0.5")
      assert.deepStrictEqual(yield* countPrimes([10]), [4])
      assert.strictEqual((yield* stats).created, 1)
    }).pipe(Effect.provide(threads({ max: 1 }))))

  it.live("are replaced when a job never ends", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.flatMap(Threads.perCall, (threads) => threads.loop()))
      assert.strictEqual(error._tag === "PoolError" ? error.reason._tag : "", "Revoked")
      assert.deepStrictEqual(yield* countPrimes([10]), [4])
      assert.strictEqual((yield* stats).destroyed.revoked, 1)
    }).pipe(Effect.provide(threads({ max: 1, borrowLimit: "500 millis" }))))

  it.live("are replaced when nobody waits for the answer any more", () =>
    Effect.gen(function*() {
      const job = yield* Effect.forkChild(Threads.useObject((thread) => thread.loop), { startImmediately: true })
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => Effect.map(stats, ({ inUse }) => inUse === 1) })
      yield* Fiber.interrupt(job)
      assert.deepStrictEqual(yield* countPrimes([10]), [4])
      assert.strictEqual((yield* stats).destroyed.unhealthy, 1)
    }).pipe(Effect.provide(threads({ max: 1 }))))
})
