import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as fs from "node:fs"
import { Pool } from "proxy-pattern-pool"
import { type Borrow, quantile, waits, workload } from "../../docs/examples/sizing/queue.ts"
import { throughput } from "../../docs/examples/sizing/server.ts"
import { answers, example, picture, server } from "../../docs/examples/sizing/simulate.ts"

/** How long each of them waits for the pool itself. */
const poolWaits = Effect.fnUntraced(function*(borrows: ReadonlyArray<Borrow>, size: number) {
  const pool = yield* Pool.make({ acquire: Effect.sync(() => ({})), min: size, max: size, borrowTimeout: "Infinity" })
  yield* Pool.awaitReady(pool)
  const start = yield* Clock.currentTimeMillis
  const borrowers = yield* Effect.forEach(borrows, ({ at, hold }) =>
    Effect.sleep(at).pipe(
      Effect.andThen(Pool.use(pool, () => Effect.tap(Clock.currentTimeMillis, Effect.sleep(hold)))),
      Effect.map((lentAt) => lentAt - start - at),
      Effect.forkChild({ startImmediately: true })
    ))
  yield* TestClock.adjust("10 minutes")
  return yield* Fiber.joinAll(borrowers)
})

describe("the simulation of sizes", () => {
  it.effect("waits exactly as long as the pool", () =>
    Effect.gen(function*() {
      const borrows = workload({ ...example, count: 300, seed: 2 })
      for (const size of [4, 6, 9]) {
        assert.deepStrictEqual(waits(borrows, size), yield* poolWaits(borrows, size))
      }
    }))

  it("has the load that it is asked for", () => {
    const borrows = workload({ count: 50_000, perSecond: 100, hold: 50, spread: 1, seed: 3 })
    const seconds = borrows[borrows.length - 1].at / 1000
    assert.approximately(borrows.length / seconds, 100, 2)
    assert.approximately(borrows.reduce((sum, { hold }) => sum + hold, 0) / borrows.length, 50, 2)
  })

  it("tells quantiles", () => {
    assert.deepStrictEqual([0, 0.5, 0.99, 1].map((share) => quantile([3, 1, 2, 4], share)), [1, 2, 4, 4])
  })

  it("says of the example what the manual says", () => {
    const manual = fs.readFileSync(new URL("../../docs/sizing.md", import.meta.url), "utf8")
    const rows = manual.split("\n").map((line) => line.match(/\d+/g)?.map(Number)).filter((row) => row?.length === 6)
    const told = answers(example).map(({ idle, p50, p95, p99, size, waiting }) => [size, idle, waiting, p50, p95, p99])
    assert.deepStrictEqual(rows, told.slice(0, 5))
  })

  it("lets a server do less with too many connections", () => {
    const [few, enough, many] = [4, 10, 64].map((size) => throughput(server, size))
    assert.isAbove(enough, few)
    assert.isBelow(many, 0.7 * enough)
  })

  it("draws the picture of the manual", () => {
    assert.strictEqual(picture(), fs.readFileSync(new URL("../../docs/sizing.svg", import.meta.url), "utf8"))
  })
})
