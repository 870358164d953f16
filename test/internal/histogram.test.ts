import { assert, describe, it } from "@effect/vitest"
import { boundaries, Histogram } from "../../src/internal/histogram.ts"

describe("histograms", () => {
  const of = (...durations: ReadonlyArray<number>) => {
    const histogram = new Histogram()
    for (const duration of durations) histogram.record(duration)
    return histogram
  }
  const shown = ({ count, counts, max, min, sum }: Histogram) => ({ count, counts: [...counts], max, min, sum })
  const counts = (found: Readonly<Record<number, number>>) =>
    Array.from({ length: boundaries.length + 1 }, (_, bucket) => found[bucket] ?? 0)

  it("begin empty", () => {
    assert.deepStrictEqual(shown(of()), { count: 0, counts: counts({}), max: 0, min: Infinity, sum: 0 })
  })

  it("count what took no time in the lowest bucket", () => {
    assert.deepStrictEqual(shown(of(0, 0, 0)), { count: 3, counts: counts({ 0: 3 }), max: 0, min: 0, sum: 0 })
    assert.deepStrictEqual(shown(of(0, 1, 2)), { count: 3, counts: counts({ 0: 2, 1: 1 }), max: 2, min: 0, sum: 3 })
  })

  it("count each boundary below itself, and all beyond the last together", () => {
    boundaries.forEach((seconds, bucket) => {
      const millis = seconds * 1000
      assert.deepStrictEqual([...of(millis, millis + 0.001).counts], counts({ [bucket]: 1, [bucket + 1]: 1 }))
    })
    assert.deepStrictEqual(shown(of(60_001, 3_600_000)), {
      count: 2,
      counts: counts({ 15: 2 }),
      max: 3_600_000,
      min: 60_001,
      sum: 3_660_001
    })
  })

  it("add up to what all durations together give", () => {
    const few = [0, 7, 250, 0]
    const more = [3, 90_000, 1]
    const sum = of(...few)
    sum.add(of(...more))
    assert.deepStrictEqual(shown(sum), shown(of(...few, ...more)))
    sum.add(of())
    assert.deepStrictEqual(shown(sum), shown(of(...few, ...more)))
    const other = of()
    other.add(of(5, 4))
    assert.deepStrictEqual(shown(other), shown(of(4, 5)))
  })
})
