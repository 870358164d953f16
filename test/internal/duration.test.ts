import { assert, describe, it } from "@effect/vitest"
import { formatDuration } from "../../src/internal/duration.ts"

describe("formatDuration", () => {
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<readonly [millis: number, text: string]>]> = [
    ["reads in seconds from one second on, without a decimal that is zero", [
      [1000, "1s"],
      [5000, "5s"],
      [30_000, "30s"],
      [90_000, "90s"],
      [3_600_000, "3600s"]
    ]],
    ["rounds seconds to one decimal", [
      [1049, "1s"],
      [1050, "1.1s"],
      [12_300, "12.3s"],
      [12_345, "12.3s"],
      [59_949, "59.9s"],
      [59_950, "60s"]
    ]],
    ["reads in milliseconds below one second", [[0, "0ms"], [1, "1ms"], [250, "250ms"], [999, "999ms"]]],
    ["keeps one decimal of a fraction of a millisecond", [
      [0.04, "0ms"],
      [0.05, "0.1ms"],
      [0.3, "0.3ms"],
      [12.34, "12.3ms"],
      [999.6, "999.6ms"]
    ]],
    ["never says 1000ms: what rounds up to a second is one", [[999.94, "999.9ms"], [999.95, "1s"], [999.999, "1s"]]],
    ["reads a clock that was set back as a negative duration", [[-250, "-250ms"], [-1500, "-1.5s"]]],
    ["names what has no end", [[Infinity, "Infinity"], [-Infinity, "-Infinity"]]]
  ]
  for (const [behaviour, pairs] of cases) {
    it(behaviour, () => {
      assert.deepStrictEqual(pairs.map(([millis]) => formatDuration(millis)), pairs.map(([, text]) => text))
    })
  }
})
