/**
 * What a server does with many connections at once. It has so many cores; each query waits for a disk, then computes. Those
 * that compute share the cores, and get in each other's way a little.
 */
import { chance } from "./queue.ts"

export interface Server {
  readonly cores: number
  /** How long a query waits for the disk, and how long it computes, in milliseconds. */
  readonly disk: number
  readonly work: number
  /** What each query that computes beyond the number of cores costs all of them, as a share of their time. */
  readonly friction: number
}

/** Queries a second through a pool of this size, with somebody waiting for every object. */
export const throughput = (server: Server, size: number, queries = 20_000): number => {
  const random = chance(1)
  const some = (mean: number) => -Math.log(1 - random()) * mean
  /** When each connection has its disk's answer, and how much it has still to compute. */
  const connections = Array.from({ length: size }, () => ({ readyAt: some(server.disk), left: some(server.work) }))
  let now = 0
  for (let done = 0; done < queries;) {
    const computing = connections.filter(({ readyAt }) => readyAt <= now)
    const many = computing.length
    const speed = Math.min(1, server.cores / many) / (1 + server.friction * Math.max(0, many - server.cores))
    const end = now + Math.min(...computing.map(({ left }) => left)) / speed
    const arrival = Math.min(...connections.map(({ readyAt }) => readyAt > now ? readyAt : Infinity))
    const next = Math.min(end, arrival)
    for (const connection of computing) connection.left -= (next - now) * speed
    now = next
    for (const connection of computing) {
      if (connection.left > 1e-9) continue
      done++
      connection.readyAt = now + some(server.disk)
      connection.left = some(server.work)
    }
  }
  return queries * 1000 / now
}
