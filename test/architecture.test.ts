import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

/** Imports go one way: a file may import files of its own layer and of the layers above it in this table. */
const layers: ReadonlyArray<{ readonly pure?: boolean; readonly files: ReadonlyArray<string> }> = [
  {
    pure: true, // imports relative files only, nothing of effect
    files: [
      "internal/heap.ts",
      "internal/histogram.ts",
      "internal/idle.ts",
      "internal/list.ts",
      "internal/policy.ts",
      "internal/rooms.ts",
      "internal/state.ts",
      "internal/totals.ts",
      "internal/waiters.ts"
    ]
  },
  { pure: true, files: ["internal/ledger.ts"] },
  { pure: true, files: ["internal/growth.ts"] },
  { pure: true, files: ["internal/lending.ts"] },
  { pure: true, files: ["internal/control.ts"] },
  { pure: true, files: ["internal/machine.ts"] },
  { files: ["internal/duration.ts", "PoolError.ts"] },
  {
    files: [
      "internal/closing.ts",
      "internal/core.ts",
      "internal/creating.ts",
      "internal/describe.ts",
      "internal/drain.ts",
      "internal/events.ts",
      "internal/frames.ts",
      "internal/getLease.ts",
      "internal/guard.ts",
      "internal/holder.ts",
      "internal/keeper.ts",
      "internal/keyText.ts",
      "internal/keys.ts",
      "internal/keyed.ts",
      "internal/keyedStats.ts",
      "internal/lease.ts",
      "internal/metrics.ts",
      "internal/nesting.ts",
      "internal/options.ts",
      "internal/pool-types.ts",
      "internal/pooled.ts",
      "internal/registry.ts",
      "internal/scopes.ts",
      "internal/settings.ts",
      "internal/snapshot.ts",
      "internal/spacing.ts",
      "internal/spares.ts",
      "internal/stats.ts",
      "internal/useLease.ts"
    ]
  },
  { files: ["Pool.ts", "KeyedPool.ts"] },
  {
    files: [
      "internal/calls.ts",
      "internal/forwarded.ts",
      "internal/keyedCalls.ts",
      "internal/monitor.ts",
      "internal/monitorEvents.ts",
      "internal/monitorPage.ts",
      "internal/proxy.ts",
      "internal/scopeLease.ts",
      "PoolMonitor.ts",
      "Proxy.ts"
    ]
  },
  { files: ["index.ts"] }
]

/** What code (not comments, not strings) may not say in src, and why. */
const banned: ReadonlyArray<readonly [RegExp, string]> = [
  [/\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b/, "reads the time without Clock"],
  [/\bset(Timeout|Interval|Immediate)\b/, "sets a timer beside Clock"],
  [/\basync\b/, "is async"],
  [/(?<![.\w])await\s/, "awaits"],
  [/\bimport\(/, "imports dynamically"]
]

const isLayer = (file: string) => (layer: (typeof layers)[number]): boolean => layer.files.includes(file)

const importsOf = (text: string): Array<string> =>
  Array.from(text.matchAll(/^(?:import|export (?:type )?[*{])(?:[^"';]*?\bfrom)? "([^"]+)"/gm), (match) => match[1])

const code = (text: string): string => text.replace(/"(?:\\.|[^"\\\n])*"|\/\/.*|\/\*[^]*?\*\//g, "")

/** Everything wrong with the files of src, one line each. */
const complaints = (src: Readonly<Record<string, string>>): Array<string> => {
  const found: Array<string> = []
  for (const [file, text] of Object.entries(src)) {
    const place = layers.findIndex(isLayer(file))
    if (place === -1) found.push(`${file} is in no layer: add it to the table in test/architecture.test.ts`)
    for (const name of importsOf(text)) {
      if (/^effect\/(.*\/)?internal\//.test(name)) found.push(`${file} imports ${name}, which is private to effect`)
      if (place === -1) continue
      if (name.startsWith(".")) {
        const target = path.posix.join(path.posix.dirname(file), name)
        if (layers.findIndex(isLayer(target)) > place) found.push(`${file} imports ${target}, which stands right of it`)
      } else if (layers[place].pure === true) found.push(`${file} imports ${name}, but is pure`)
    }
    for (const [pattern, what] of banned) if (pattern.test(code(text))) found.push(`${file} ${what}`)
  }
  return found
}

const root = fileURLToPath(new URL("../", import.meta.url))

const files = fs.readdirSync(path.join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))

describe("the sources", () => {
  it("import one way, keep the pure part pure, and leave time and fibers to Effect", () => {
    const src = Object.fromEntries(files.map((file) => [file, fs.readFileSync(path.join(root, "src", file), "utf8")]))
    assert.deepStrictEqual(complaints(src), [])
  })

  it("are what the package exports, but for internal modules", () => {
    const { exports } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"))
    const expected: Record<string, string | null> = { "./internal/*": null, "./package.json": "./package.json" }
    for (const file of files.filter((file) => !file.startsWith("internal"))) {
      const name = file.replace(/\.ts$/, "")
      expected[name === "index" ? "." : `./${name}`] = `./dist/${name}.js`
    }
    assert.deepStrictEqual(exports, expected)
  })
})

// what it is given are texts to read, and none of them is code that runs: it must find what they say
describe("the check itself", () => {
  it("finds an import in the wrong direction, also of a type and over several lines", () => {
    assert.deepStrictEqual(
      complaints({
        "Pool.ts": `import type { A } from "./Proxy.ts"\nimport { type B } from "./PoolError.ts"`,
        "internal/machine.ts": `import { a } from "./heap.ts"\nimport {\n  b\n} from "./keeper.ts"`,
        "internal/lease.ts": `export * from "../Pool.ts"\nimport * as Stats from "./stats.ts"`
      }),
      [
        "Pool.ts imports Proxy.ts, which stands right of it",
        "internal/machine.ts imports internal/keeper.ts, which stands right of it",
        "internal/lease.ts imports Pool.ts, which stands right of it"
      ]
    )
  })

  it("finds effect in the pure part, effect's internals anywhere, and a file in no layer", () => {
    assert.deepStrictEqual(
      complaints({
        "internal/heap.ts": `import type * as Duration from "effect/Duration"`,
        // a text to be complained of, which nothing imports or runs; as its complaint below
        "Proxy.ts": `import "effect/internal/core"\nimport * as Effect from "effect/Effect"`,
        "internal/new.ts": ""
      }),
      [
        "internal/heap.ts imports effect/Duration, but is pure",
        // the complaint of the text above
        "Proxy.ts imports effect/internal/core, which is private to effect",
        "internal/new.ts is in no layer: add it to the table in test/architecture.test.ts"
      ]
    )
  })

  it("finds what code may not say, and lets comments, strings and methods say it", () => {
    assert.deepStrictEqual(
      complaints({
        // a text to be complained of: nothing runs it, so that no time is read
        "internal/idle.ts": "const now = Date.now()",
        // the same for timers: nothing runs it, so that none is set
        "internal/list.ts": "setTimeout(f, 1)",
        "internal/core.ts": "const f = async () => {\n  await g()\n}",
        // one that may say all of it, where it is no code
        "Proxy.ts": `/** await Date.now() */\nconst a = "async" // setTimeout\nFiber.await(f)\nawaitReady(pool)`
      }),
      [
        "internal/idle.ts reads the time without Clock",
        "internal/list.ts sets a timer beside Clock",
        "internal/core.ts is async",
        "internal/core.ts awaits"
      ]
    )
  })
})
