import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { pairs, run } from "../scripts/matrix.ts"

describe("whatever comes of creation, check, hooks, body and finalizer, and of the borrower meanwhile", () => {
  const cases = pairs()

  it("all pairs of outcomes are tried, in few cases", () => {
    assert.isAtLeast(cases.length, 25)
    assert.isAtMost(cases.length, 80)
  })

  it.effect.each(cases.map((outcome) => ({ outcome, name: Object.values(outcome).join(" ") })))(
    "places stay bounded, nobody waits beside an idle object, and the pool recovers: $name",
    ({ outcome }) =>
      Effect.map(run(outcome), (complaints) => {
        assert.deepStrictEqual(complaints, [])
      })
  )
})
