/**
 * How large the library is in a bundle: minified and compressed, without `effect`, which the program has anyway; and how
 * much a small program with Effect grows by it. `npm run size` shows it, `npm run size -- --write` also writes it into
 * docs/performance.md.
 */
import { build } from "esbuild"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"

const root = fileURLToPath(new URL("../../", import.meta.url))

export interface Size {
  readonly name: string
  readonly minified: number
  readonly gzipped: number
  /** By how much a program that uses Effect and Layer grows, compressed, with everything of Effect that comes with it. */
  readonly added: number
}

const modules = {
  "Pool": ["Pool"],
  "Pool and Proxy": ["Pool", "Proxy"],
  "Pool, Proxy and KeyedPool": ["Pool", "Proxy", "KeyedPool"],
  "PoolMonitor": ["PoolMonitor"]
} as const

/** Bytes, minified and compressed, without `effect`: about a tenth more than it was when it was looked at last. */
export const bounds: Readonly<Record<string, number>> = {
  "Pool": 25_500,
  "Pool and Proxy": 31_500,
  "Pool, Proxy and KeyedPool": 32_000,
  "PoolMonitor": 10_500
}

/** Everything that the modules export, so that nothing is shaken away. */
const entry = (names: ReadonlyArray<string>) =>
  names.map((name) => `export * as ${name} from "./src/${name}.ts"`).join("\n")

const program = `import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
Effect.runFork(Effect.provide(Effect.log("hello"), Layer.empty))
`

const bundle = async (contents: string, external: Array<string>) => {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root, loader: "ts" },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    external,
    write: false,
    logLevel: "error"
  })
  const [{ contents: bytes }] = outputFiles
  return { minified: bytes.length, gzipped: gzipSync(bytes, { level: 9 }).length }
}

export const measure = async (): Promise<ReadonlyArray<Size>> => {
  const before = await bundle(program, [])
  return Promise.all(
    Object.entries(modules).map(async ([name, names]) => {
      const own = await bundle(entry(names), ["effect", "effect/*"])
      const after = await bundle(`${program}${entry(names)}`, [])
      return { name, ...own, added: after.gzipped - before.gzipped }
    })
  )
}

const kilo = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`

const table = (sizes: ReadonlyArray<Size>) =>
  [
    "| modules | minified | minified and compressed | a program with Effect grows by |",
    "| --- | --- | --- | --- |",
    ...sizes.map(({ added, gzipped, minified, name }) =>
      `| ${name} | ${kilo(minified)} | ${kilo(gzipped)} | ${kilo(added)} |`
    )
  ].join("\n")

/** Between these two lines, `--write` writes. */
const begin = "<!-- npm run size -- --write -->"
const end = "<!-- end of size -->"

const main = async () => {
  const sizes = await measure()
  console.log(table(sizes))
  for (const { gzipped, name } of sizes) {
    if (gzipped <= bounds[name]) continue
    console.error(`${name} has ${gzipped} bytes, minified and compressed: more than ${bounds[name]}`)
    process.exitCode = 1
  }
  if (!process.argv.includes("--write")) return
  const file = `${root}docs/performance.md`
  const text = fs.readFileSync(file, "utf8")
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from === -1 || to < from) throw new Error(`docs/performance.md has no "${begin}" ... "${end}"`)
  fs.writeFileSync(file, `${text.slice(0, from)}${begin}\n\n${table(sizes)}\n\n${text.slice(to)}`)
  // its columns are to stand as the format of the project has them
  execFileSync("npx", ["dprint", "fmt", file], { cwd: root, stdio: "inherit" })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
