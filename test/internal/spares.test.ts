import { assert, describe, it } from "@effect/vitest"
import { Spares } from "../../src/internal/spares.ts"

describe("spares", () => {
  const burst = (spares: Spares<number>, count: number, now: number) => {
    const taken: Array<number> = []
    for (let i = 0; i < count; i++) taken.push(spares.take() ?? i)
    for (const each of taken) spares.keep(each, now)
  }

  it("give what was kept last, and nothing where nothing was kept", () => {
    const spares = new Spares<string>()
    assert.strictEqual(spares.take(), undefined)
    spares.keep("a", 0)
    spares.keep("b", 0)
    assert.deepStrictEqual([spares.kept.length, spares.take(), spares.take(), spares.take(), spares.kept.length], [
      2,
      "b",
      "a",
      undefined,
      0
    ])
  })

  it("are 10,000 at most", () => {
    const spares = new Spares<number>()
    burst(spares, 10_001, 0)
    assert.strictEqual(spares.kept.length, 10_000)
  })

  it("let go what nobody needed for ten seconds", () => {
    const spares = new Spares<number>()
    const sizes: ReadonlyArray<readonly [burst: number, now: number, left: number]> = [
      [5000, 0, 5000],
      [3000, 9999, 5000],
      // what was needed before the first look is not known
      [100, 10_000, 5000],
      [3000, 19_999, 5000],
      // 3,000 were needed at once since the last look, and 2,000 were not
      [1, 20_000, 3000],
      [1, 30_000, 1],
      [1, 60_000, 1]
    ]
    for (const [count, now, left] of sizes) {
      burst(spares, count, now)
      assert.strictEqual(spares.kept.length, left, `at ${now}`)
    }
  })

  it("keep those that bursts need again and again", () => {
    const spares = new Spares<number>()
    const sizes: Array<number> = []
    for (let now = 0; now < 100_000; now += 5000) {
      burst(spares, 4000, now)
      sizes.push(spares.kept.length)
    }
    assert.deepStrictEqual(sizes, sizes.map(() => 4000))
  })
})
