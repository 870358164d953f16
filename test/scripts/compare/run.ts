/**
 * Plays the situations of `situations.ts` with every pool, side by side in one process, and tells what happened:
 * `npm run compare`. Writes the table into `docs/compare.md`, between its markers. Time is real.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { type Contender, contenders } from "./contenders.ts"
import { type Finding, type Situation, situations } from "./situations.ts"
import { within, World } from "./world.ts"

/** Longest play of a situation, in milliseconds. */
const patience = 6000

const signs = { good: "✓", poor: "✗", none: "–" }

// some pools leave promises behind that fail when nobody looks
process.on("unhandledRejection", () => {})

const versions = new Map(contenders.map(({ name }) => [name, versionOf(name.split("/")[0]!)]))

function versionOf(module: string): string {
  if (module === "proxy-pattern-pool") return "this checkout"
  const require = createRequire(import.meta.url)
  const main = require.resolve(module)
  const root = main.slice(0, main.lastIndexOf(`/node_modules/${module}/`) + `/node_modules/${module}/`.length)
  return String(JSON.parse(readFileSync(`${root}package.json`, "utf8")).version)
}

const play = async (situation: Situation, contender: Contender): Promise<Finding> => {
  const world = new World(contender)
  const outcome = await within(patience, situation.play(world, contender))
  world.leave()
  if (outcome.is === "value") return outcome.value
  return { fact: outcome.is === "error" ? `fails: ${outcome.message}` : "never ends", verdict: "poor" }
}

const rows: Array<{ readonly name: string; readonly findings: ReadonlyArray<Finding> }> = []
for (const situation of situations) {
  const findings = await Promise.all(contenders.map((contender) => play(situation, contender)))
  rows.push({ name: situation.name, findings })
  console.log(`\n${situation.name}`)
  for (const [i, { fact, verdict }] of findings.entries()) {
    console.log(`  ${signs[verdict]} ${contenders[i]!.name.padEnd(20)}${fact}`)
  }
}

const totals = contenders.map((_, i) => rows.filter(({ findings }) => findings[i]?.verdict === "good").length)
console.log(`\n${contenders.map(({ name }, i) => `${name}: ${totals[i]} of ${rows.length}`).join(", ")}`)

const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

const table = [
  line(["situation", ...contenders.map(({ name }) => `${name} (${versions.get(name)})`)]),
  line(["---", ...contenders.map(() => "---")]),
  ...rows.map(({ findings, name }) =>
    line([name, ...findings.map(({ fact, verdict }) => `${signs[verdict]} ${fact}`)])
  ),
  line(["**✓ of all**", ...totals.map((total) => `**${total} of ${rows.length}**`)])
].join("\n")

const file = fileURLToPath(new URL("../../../docs/compare.md", import.meta.url))
const markers = /(<!-- generated: npm run compare -->\n)[^]*(<!-- end of generated -->)/
const text = readFileSync(file, "utf8")
if (!markers.test(text)) throw new Error(`${file} has lost its markers`)
writeFileSync(file, text.replace(markers, (_, begin: string, end: string) => `${begin}\n${table}\n\n${end}`))

// what hangs would keep this process alive
process.exit(0)
