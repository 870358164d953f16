import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Pool } from "../../src/index.ts"
import type { Core } from "../../src/internal/core.ts"
import * as pooled from "../../src/internal/pooled.ts"

describe("leases", () => {
  const spares: Record<string, (core: Core) => ReadonlyArray<unknown>> = {
    use: ({ spareUses }) => spareUses,
    get: ({ spareGets }) => spareGets
  }

  const borrows: Record<string, (pool: Pool.Pool<number>) => Effect.Effect<unknown, unknown>> = {
    use: (pool) => Pool.use(pool, () => Effect.yieldNow),
    get: (pool) => Effect.scoped(Effect.andThen(Pool.get(pool), Effect.yieldNow))
  }

  for (const [form, borrow] of Object.entries(borrows)) {
    it.effect(`are used again, and of a burst of borrowers 1,000 are kept: ${form}`, () =>
      Effect.gen(function*() {
        const pool = yield* Pool.make({ acquire: Pool.CreationNumber, max: 10 })
        const kept = () => spares[form]!(pooled.of(pool).core)
        const together = (count: number) =>
          Effect.forEach(Array.from({ length: count }), () => borrow(pool), { concurrency: "unbounded", discard: true })
        yield* borrow(pool)
        const [first] = kept()
        yield* borrow(pool)
        assert.deepStrictEqual(kept().length, 1)
        assert.strictEqual(kept()[0], first)
        yield* together(999)
        assert.strictEqual(kept().length, 999)
        yield* together(1200)
        assert.strictEqual(kept().length, 1000)
        assert.strictEqual(new Set(kept()).size, 1000)
      }))
  }
})
