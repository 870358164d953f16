/**
 * Borrows of real fibers, for as long as one likes: `tsx test/scripts/soak-fibers.ts --borrows 200000 --seed 1`. With
 * `--tasks own` they run with Effect's own scheduler, of whose tasks `TestClock` sees nothing.
 */
import { Effect, References } from "effect"
import { parseArgs } from "node:util"
import type { Tasks } from "./fibers.ts"
import { history, noCount } from "./fibers.ts"

const { values } = parseArgs({
  options: {
    borrows: { type: "string", default: "200000" },
    seed: { type: "string", default: "1" },
    tasks: { type: "string", default: "seen" }
  }
})

const whole = (name: string, text: string): number => {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`--${name} must be a whole number, not "${text}"`)
  return number
}

const tasksOf = (text: string): Tasks => {
  if (text === "seen" || text === "own") return text
  throw new Error(`--tasks must be seen or own, not "${text}"`)
}

const tasks = tasksOf(values.tasks)
const borrows = whole("borrows", values.borrows)
const first = whole("seed", values.seed)

/** A few borrowers meet beginnings and ends more often, many are a crowd. */
const sizes = [20, 100, 200, 500]

const began = performance.now()
const seconds = (): string => ((performance.now() - began) / 1000).toFixed(1)

const count = noCount()
const list = (counts: Map<string, number>): string =>
  Array.from(counts).toSorted(([, a], [, b]) => b - a).map(([name, count]) => `  ${name.padEnd(50)}${count}`).join("\n")

let seed = first
let fibers = 0
let told = 0
while (count.borrowed < borrows) {
  const size = sizes[seed % sizes.length]!
  try {
    await Effect.runPromise(
      Effect.provideService(history(seed, size, count, tasks), References.MinimumLogLevel, "None")
    )
  } catch (error) {
    console.error(`seed ${seed}: ${String(error)}`)
    process.exit(1)
  }
  fibers += size
  seed++
  if (count.borrowed - told >= 20_000) {
    told = count.borrowed
    console.log(`${count.borrowed} borrows by ${fibers} fibers, ${seed - first} histories, ${seconds()} s`)
  }
}
console.log(`how they borrowed\n${list(count.forms)}\nhow it ended\n${list(count.outcomes)}`)
console.log(
  `${count.borrowed} borrows by ${fibers} fibers in ${seed - first} histories (seeds ${first} to ${seed - 1}) in ` +
    `${seconds()} s: ${count.created} objects created and destroyed, nothing lost`
)
