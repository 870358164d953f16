import { assert, describe, it } from "@effect/vitest"
import { Histogram } from "../../src/internal/histogram.ts"
import { quantile } from "../../src/internal/monitor.ts"

const of = (...millis: ReadonlyArray<number>) => {
  const histogram = new Histogram()
  for (const each of millis) histogram.record(each)
  return (q: number) => quantile(histogram.counts, q, histogram.max)
}

describe("quantile", () => {
  it("has nothing to say of nothing", () => {
    assert.isUndefined(of()(0.5))
  })

  it("is within the bucket in which it is", () => {
    const fast = of(...Array.from({ length: 98 }, () => 3), 700, 8000)
    assert.isAtLeast(fast(0.5)!, 2.5)
    assert.isAtMost(fast(0.5)!, 5)
    assert.isAtLeast(fast(0.99)!, 500)
    assert.isAtMost(fast(0.99)!, 1000)
    assert.strictEqual(fast(1), 8000)
  })

  it("takes the waits of a bucket to be spread evenly", () => {
    assert.strictEqual(of(...Array.from({ length: 100 }, () => 200))(0.5), 175)
  })

  it("is never more than the longest", () => {
    assert.strictEqual(of(11)(0.99), 11)
    assert.strictEqual(of(0)(0.5), 0)
    assert.strictEqual(of(90_000)(0.5), 90_000)
    assert.strictEqual(of(1, 90_000)(0.99), 90_000)
  })
})
