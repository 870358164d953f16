/** Random histories of the machine beside its model, for as long as one likes: `tsx test/scripts/soak.ts --steps 10000000 --seed 1`. */
import { parseArgs } from "node:util"
import { run } from "../internal/model.ts"

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "10000000" },
    seed: { type: "string", default: "1" }
  }
})

const count = (name: string, text: string): number => {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`--${name} must be a whole number, not "${text}"`)
  return number
}

const transitions = count("steps", values.steps)
const first = count("seed", values.seed)

/** Short histories meet beginnings and ends more often, long ones crowds. */
const lengths = [50, 200, 200, 1000]

const began = performance.now()
const seconds = (): string => ((performance.now() - began) / 1000).toFixed(1)

let seed = first
let done = 0
let told = 0
while (done < transitions) {
  done += run(seed, lengths[seed % lengths.length]!, seed % 3 === 0)
  seed++
  if (done - told >= 1_000_000) {
    told = done
    console.log(`${done} transitions, ${seed - first} histories, ${seconds()} s`)
  }
}
console.log(
  `${done} transitions in ${seed - first} histories (seeds ${first} to ${seed - 1}) in ${seconds()} s: no difference`
)
