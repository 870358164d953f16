import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"
import { Pool } from "proxy-pattern-pool"

const read = (file: string): string =>
  fs.readFileSync(fileURLToPath(new URL(`../../docs/${file}`, import.meta.url)), "utf8")

/** The names of metrics in a text, as a program has them. */
const namesIn = (text: string): Set<string> =>
  new Set(
    (text.match(/\bpool_[a-z_]+/g) ?? [])
      .filter((name) => name !== "pool_name")
      .map((name) => name.replace(/_(bucket|sum|count)$/, ""))
  )

const known = Effect.gen(function*() {
  yield* Pool.make({ acquire: Effect.succeed({}), max: 1 })
  return new Set((yield* Metric.snapshot).map(({ id }) => id))
}).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))

describe("the documentation", () => {
  it.effect("names every metric, and none that does not exist", () =>
    Effect.gen(function*() {
      const text = read("observability.md")
      assert.deepStrictEqual([...namesIn(text)].toSorted(), [...(yield* known)].toSorted())
      const table = text.split("\n").filter((line) => line.startsWith("| `pool_")).map((line) => line.split("`")[1])
      assert.sameMembers(table, [...(yield* known)])
    }))

  it.effect("has a dashboard of metrics that exist, all of them", () =>
    Effect.gen(function*() {
      const text = read("grafana-dashboard.json")
      const { panels, templating } = JSON.parse(text)
      const expressions: Array<string> = panels.flatMap((panel: { targets: Array<{ expr: string }> }) =>
        panel.targets.map(({ expr }) => expr)
      )
      assert.deepStrictEqual([...namesIn(expressions.join("\n"))].toSorted(), [...(yield* known)].toSorted())
      for (const expression of expressions) {
        assert.include(expression, "pool_name=~\"$pool\"")
        assert.strictEqual(expression.split("(").length, expression.split(")").length, expression)
      }
      assert.include(JSON.stringify(templating), "label_values(pool_objects_max, pool_name)")
    }))
})
