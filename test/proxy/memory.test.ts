import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { Proxy } from "proxy-pattern-pool"
import { heapUsed } from "../scripts/garbage.ts"
import { start } from "../utils.ts"

class Things extends Proxy.Service<Things, { readonly id: number }>()("memory/Things") {}

describe("a Scope that lives long", () => {
  it.effect("keeps none of the fibers that took its object, and nothing of what they gave", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const results: Array<WeakRef<object>> = []
      const take = Effect.map(Things.object, ({ id }) => {
        const result = { id }
        results.push(new WeakRef(result))
        return result
      })
      for (let i = 0; i < 100; i++) yield* Fiber.await(yield* start(Scope.provide(take, scope)))
      yield* Effect.promise(heapUsed)
      const kept = results.filter((result) => result.deref() !== undefined)
      assert.isAtMost(kept.length, 5)
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.scoped, Effect.provide(Things.layerPool({ acquire: Effect.succeed({ id: 1 }), max: 1 }))))
})
