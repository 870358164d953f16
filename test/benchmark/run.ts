/**
 * `npm run bench`, which compiles it first: what is loaded as TypeScript is slower where functions are named anew. It
 * measures, prints a table, writes `docs/performance.json` and `docs/performance.svg`.
 * `--check`: measures, and exits with 1 when a ratio is worse than its target times 1.1.
 */
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { fileURLToPath } from "node:url"
import { cases, floors, forwarded, growth, listener, metrics, options } from "./cases.ts"
import { measure, type Times } from "./measure.ts"
import { plot } from "./plot.ts"
import { otherTarget, targets, tolerance } from "./targets.ts"

const check = process.argv.includes("--check")

export interface Row {
  readonly name: string
  readonly ours: number
  readonly theirs: number
  readonly peer: string
  readonly unit: string
  readonly ratio: number
  readonly target: number
}

const rows: Array<Row> = []

const add = (name: string, peer: string, ours: number, theirs: number, unit: string, target: number): void => {
  const row = { name, peer, ours, theirs, unit, ratio: ours / theirs, target }
  rows.push(row)
  const verdict = row.ratio <= target ? "" : row.ratio <= target * tolerance ? "within tolerance" : "MISSED"
  console.log(
    `${name.padEnd(66)} ${peer.padEnd(9)} ${ours.toFixed(0).padStart(8)} ${theirs.toFixed(0).padStart(8)} ${
      unit.padEnd(2)
    } ` +
      `${row.ratio.toFixed(2).padStart(6)}  (${target})  ${verdict}`
  )
}

const targetOf = (name: string): number => {
  const target = targets[name]
  if (target === undefined) throw new Error(`no target for ${name}`)
  return target
}

/** In five processes: what was compiled meanwhile is on the heap, too, and differs from one to the other. */
const memory = (peer: string): ReadonlyArray<Record<string, number>> => {
  const script = fileURLToPath(new URL("memory.js", import.meta.url))
  return Array.from(
    { length: 5 },
    () => JSON.parse(execFileSync(process.execPath, [script, peer], { encoding: "utf8" }))
  )
}

const middle = (numbers: ReadonlyArray<number>): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!

console.log(
  `${"case".padEnd(66)} ${"against".padEnd(9)} ${"ours".padStart(8)} ${"theirs".padStart(8)}     ratio  (target)`
)

const floorTimes: Record<string, number> = {}
for (const floor of floors) floorTimes[floor.name] = (await measure(floor))["floor"]!

for (const each of cases) {
  const { effect, ours, ...others }: Times = await measure(each)
  add(each.name, "effect", ours!, effect!, "ns", targetOf(each.name))
  for (const [peer, time] of Object.entries(others)) add(each.name, peer, ours!, time, "ns", otherTarget)
}

const call = await measure(forwarded)
const callName = `${forwarded.name} / the method of a plain service`
add(callName, "plain", call["ours"]!, call["plain"]!, "ns", targetOf(callName))

const cost = await measure(options)
const costName = `${options.name} / off`
add(costName, "off", cost["on"]!, cost["off"]!, "ns", targetOf(costName))

const reading = await measure(metrics)
add(
  `${metrics.name} / not read`,
  "unread",
  reading["read"]!,
  reading["unread"]!,
  "ns",
  targetOf("metrics read / not read")
)

const listening = await measure(listener)
console.log(
  `a borrow with a listener: ${listening["on"]!.toFixed(0)} ns, without: ${listening["off"]!.toFixed(0)} ns (no target)`
)

const alone = ({ fork, ours }: Times): number => ours! - fork!
const few = alone(await measure(growth(1000)))
const lots = alone(await measure(growth(100_000)))
const growthName = "a borrow among 100,000 waiters / among 1,000"
add(growthName, "itself", lots, few, "ns", targetOf(growthName))

const heaps = [memory("ours"), memory("effect")] as const
for (const [name, key] of [["an idle object", "idle"], ["a waiter", "waiter"], ["a held lease", "held"]] as const) {
  const [mine, other] = heaps.map((heap) => middle(heap.map((each) => each[key]!)))
  add(`heap of ${name}`, "effect", mine!, other!, "B", targetOf(`heap of ${name}`))
}

console.log("\nwhat the runtime itself costs (ns):")
for (const [name, time] of Object.entries(floorTimes)) console.log(`  ${name.padEnd(24)} ${time.toFixed(0)}`)

const missed = rows.filter((row) => !(row.ratio <= row.target * tolerance))
if (check) {
  console.log(missed.length === 0 ? "\nevery target is met" : `\n${missed.length} of ${rows.length} targets are missed`)
} else {
  const docs = (name: string) => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url))
  const machine = `Node ${process.versions.node}, ${cpus().length} cores`
  writeFileSync(docs("performance.json"), `${JSON.stringify({ machine, floors: floorTimes, rows }, undefined, 2)}\n`)
  writeFileSync(docs("performance.svg"), plot(rows.filter(({ peer }) => peer === "effect"), machine))
}
process.exit(check && missed.length > 0 ? 1 : 0)
