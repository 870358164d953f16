import { describe, it } from "@effect/vitest"
import { run } from "./model.ts"

const histories = 1000
const steps = 200

// a failure prints the fewest steps that still fail, to be given to `replay`
describe(`in ${histories} random histories of ${steps} steps`, { timeout: 60_000 }, () => {
  it("a pool does what the contract says", () => {
    for (let seed = 1; seed <= histories; seed++) run(seed, steps, false)
  })

  it("a pool by key does what the contract says", () => {
    for (let seed = 1; seed <= histories; seed++) run(seed, steps, true)
  })
})
