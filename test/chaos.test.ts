import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { Pool } from "proxy-pattern-pool"

describe("what the soak has found", () => {
  it.effect("a borrower is not taken for one that polled before", () =>
    Effect.gen(function*() {
      let well = true
      const pool = yield* Pool.make({
        acquire: Effect.service(Pool.CreationNumber),
        max: 1,
        healthCheck: () => Effect.as(Effect.yieldNow, well),
        healthAfterIdle: 0
      })
      yield* Pool.awaitReady(pool)
      assert.deepStrictEqual(yield* Effect.scoped(Pool.poll(pool)), Option.some(0))
      well = false
      // its object is lost in the check: it waits for the next
      assert.strictEqual(yield* Effect.scoped(Pool.get(pool)), 1)
    }))
})
