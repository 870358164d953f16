import { assert, describe, it } from "@effect/vitest"
import { run } from "./model.ts"

const steps = 200

/** How many transitions were compared; where one differs, it fails with the fewest steps that do, for `replay`. */
const live = (histories: number, keyed: boolean): number => {
  let transitions = 0
  for (let seed = 1; seed <= histories; seed++) transitions += run(seed, steps, keyed)
  return transitions
}

describe(`in random histories of ${steps} steps`, { timeout: 120_000 }, () => {
  it("a pool does what the contract says", () => {
    assert.isAbove(live(1000, false), 100_000)
  })

  it("a pool by key does what the contract says", () => {
    assert.isAbove(live(500, true), 50_000)
  })
})
