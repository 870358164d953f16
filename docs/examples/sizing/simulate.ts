/**
 * How big should the pool be? Tells how long borrowers wait, for each size, and draws docs/sizing.svg. For your own numbers:
 *
 *     npx tsx docs/examples/sizing/simulate.ts --per-second 200 --hold 30 --spread 1
 */
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { plot } from "./plot.ts"
import { quantile, waits, workload } from "./queue.ts"
import { type Server, throughput } from "./server.ts"

export interface Question {
  /** Borrows a second, and how long each holds its object, in milliseconds. */
  readonly perSecond: number
  readonly hold: number
  readonly spread: number
}

export const example: Question = { perSecond: 100, hold: 50, spread: 1 }
export const server: Server = { cores: 4, disk: 10, work: 10, friction: 0.02 }

/** Objects that are busy at any moment, on average: no fewer can do the work. */
export const busy = ({ hold, perSecond }: Question): number => perSecond * hold / 1000

/** What borrowers see of a pool of each size, from the first that can do the work. */
export const answers = (question: Question) => {
  const borrows = workload({ ...question, count: 20_000, seed: 1 })
  const least = Math.floor(busy(question)) + 1
  const sizes = Array.from({ length: Math.max(8, least) }, (_, i) => least + i)
  return sizes.map((size) => {
    const waited = waits(borrows, size)
    return {
      size,
      idle: Math.round((1 - busy(question) / size) * 100),
      waiting: Math.round(waited.filter((wait) => wait > 0).length / waited.length * 100),
      p50: quantile(waited, 0.5),
      p95: quantile(waited, 0.95),
      p99: quantile(waited, 0.99)
    }
  })
}

export const picture = (): string => {
  const all = answers(example)
  const sizes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 24, 32, 40, 48, 56, 64]
  return plot([
    {
      title: `${example.perSecond} borrows a second, ${example.hold} ms each: how long do they wait?`,
      x: "objects",
      from: all[0].size,
      y: "ms",
      curves: [
        { name: "p99", points: all.map(({ p99, size }) => [size, p99]) },
        { name: "p95", points: all.map(({ p95, size }) => [size, p95]) },
        { name: "p50", points: all.map(({ p50, size }) => [size, p50]) }
      ],
      mark: [Math.ceil(busy(example) * 1.5), "busy objects × 1.5"],
      ticks: [1, 3, 10, 30, 100, 300, 1000],
      logarithmic: true
    },
    {
      title: `A server with ${server.cores} cores: how much does it do?`,
      x: "connections at once",
      from: 0,
      y: "queries / s",
      curves: [{ name: "", points: sizes.map((size) => [size, throughput(server, size)]) }],
      mark: [server.cores * (1 + server.disk / server.work), "cores × (1 + disk / work)"],
      ticks: [0, 100, 200, 300, 400],
      logarithmic: false
    }
  ])
}

const main = () => {
  const { values } = parseArgs({
    options: {
      "per-second": { type: "string", default: String(example.perSecond) },
      hold: { type: "string", default: String(example.hold) },
      spread: { type: "string", default: String(example.spread) }
    }
  })
  const question = { perSecond: Number(values["per-second"]), hold: Number(values.hold), spread: Number(values.spread) }
  if (!(busy(question) > 0 && busy(question) <= 1000 && question.spread >= 0)) {
    throw new Error(
      "--per-second and --hold must be more than 0 and keep at most 1000 objects busy, --spread at least 0"
    )
  }
  console.log(`${busy(question).toFixed(1)} objects are busy on average; times in ms`)
  console.table(answers(question))
  if (process.argv.length === 2) {
    const file = fileURLToPath(new URL("../../sizing.svg", import.meta.url))
    fs.writeFileSync(file, picture())
    console.log("docs/sizing.svg is drawn")
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
