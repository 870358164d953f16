/** Heap after garbage collection for one idle object, one waiter and one held lease, of one peer: run in a process of its own. */
import { Effect, Pool as EffectPool } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { ours, Pool, theirs } from "./peers.ts"

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

const used = async (): Promise<number> => {
  for (let i = 0; i < 3; i++) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return process.memoryUsage().heapUsed
}

const many = 20_000

const peer = process.argv[2] === "effect" ? "effect" : "ours"

/** Bytes for each of what is made, which stays reachable until it is measured. */
const grown = async (make: () => Promise<unknown>): Promise<number> => {
  const before = await used()
  const kept = await make()
  const after = await used()
  return kept === undefined ? NaN : (after - before) / many
}

const get = async (max: number): Promise<Effect.Effect<unknown, unknown>> => {
  if (peer === "effect") {
    const pool = await theirs(max)
    return EffectPool.use(pool, () => Effect.never)
  }
  const pool = await ours(max, { borrowTimeout: "1 hour" })
  return Pool.use(pool, () => Effect.never)
}

const fibers = (effect: Effect.Effect<unknown, unknown>, count: number) =>
  Array.from({ length: count }, () => Effect.runFork(effect))

const settled = () => new Promise((resolve) => setTimeout(resolve, 50))

// what a parked fiber costs by itself is not the pool's
const parked = await grown(async () => {
  const kept = fibers(Effect.never, many)
  await settled()
  return kept
})
const idle = await grown(async () => {
  const pool = peer === "effect" ? await theirs(many) : await ours(many)
  await settled()
  return pool
})
const held = await grown(async () => {
  const kept = [await get(many)]
  return [kept, fibers(kept[0]!, many), await settled()]
})
const waiter = await grown(async () => {
  const use = await get(1)
  return [fibers(use, many + 1), await settled()]
})

console.log(JSON.stringify({ idle, waiter: waiter - parked, held: held - parked - idle }))
process.exit(0)
