import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { simulate } from "./load.ts"

const seeds = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

describe("under a random load on hundreds of keys", () => {
  it.effect(
    "no bound is exceeded, and nobody waits longer than those account for who came before",
    () =>
      Effect.gen(function*() {
        for (const seed of seeds(6)) {
          const load = { keys: 300, borrowers: 500, turmoil: false, stuck: 0 }
          const { served } = yield* Effect.scoped(simulate(seed, load))
          assert.isAtLeast(served, 500)
        }
      }),
    60_000
  )

  it.effect("nor does anybody while creations of other keys never end", () =>
    Effect.gen(function*() {
      for (const seed of seeds(4)) {
        const load = { keys: 300, borrowers: 500, turmoil: false, stuck: 10 }
        const { served } = yield* Effect.scoped(simulate(1000 + seed, load))
        assert.isAtLeast(served, 500)
      }
    }), 60_000)

  it.effect(
    "nothing is lost, or idle in vain, while creations fail, bodies die, and all is turned about",
    () =>
      Effect.gen(function*() {
        for (const seed of seeds(6)) {
          yield* Effect.scoped(simulate(seed, { keys: 300, borrowers: 500, turmoil: true, stuck: 0 }))
        }
      }),
    60_000
  )
})
