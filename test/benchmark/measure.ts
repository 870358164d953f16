/**
 * Peers in one process, interleaved round by round, and the ratio of their minima: the least disturbed round of each.
 * Means are of no use on a machine that does other things as well. Nobody pays for what another leaves behind: each run
 * begins with an empty nursery, and each peer comes after each other in turn.
 */
import { collectYoung } from "../scripts/garbage.ts"

/** One workload, as each peer does it. */
export interface Case {
  readonly name: string
  /** How many borrows (or whatever is counted) one run does. */
  readonly count: number
  readonly rounds?: number
  readonly runs: Readonly<Record<string, () => Promise<void>>>
}

/** Nanoseconds for one of what is counted, by peer: the least of all rounds. */
export type Times = Readonly<Record<string, number>>

export const measure = async ({ count, rounds = 25, runs }: Case): Promise<Times> => {
  const times: Record<string, number> = {}
  const peers = Object.entries(runs)
  // the first rounds only warm up
  const warmUps = 2
  for (let round = 0; round < warmUps + rounds; round++) {
    for (let turn = 0; turn < peers.length; turn++) {
      const [peer, run] = peers[(turn + round) % peers.length]!
      collectYoung()
      const began = process.hrtime.bigint()
      await run()
      const took = Number(process.hrtime.bigint() - began) / count
      if (round >= warmUps) times[peer] = Math.min(times[peer] ?? Infinity, took)
    }
  }
  return times
}
