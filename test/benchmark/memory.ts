/** Heap after garbage collection for one idle object, one waiter and one held lease, of one peer: run in a process of its own. */
import { Effect, Pool as EffectPool } from "effect"
import { heapUsed } from "../scripts/garbage.ts"
import { ours, Pool, theirs } from "./peers.ts"

const many = 20_000

const peer = process.argv[2] === "effect" ? "effect" : "ours"

/** Bytes for each of what is made, which stays reachable until it is measured. */
const grown = async (make: () => Promise<unknown>): Promise<number> => {
  const before = await heapUsed()
  const kept = await make()
  const after = await heapUsed()
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

// what a parked fiber costs by itself is not the pool's
const parked = await grown(async () => fibers(Effect.never, many))
const idle = await grown(() => peer === "effect" ? theirs(many) : ours(many))
const full = await get(many)
const held = await grown(async () => fibers(full, many))
const waiter = await grown(async () => {
  const use = await get(1)
  return fibers(use, many + 1)
})

console.log(JSON.stringify({ idle, waiter: waiter - parked, held: held - parked }))
process.exit(0)
