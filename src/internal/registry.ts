/** The pools that are open in this process, for those who look at all of them. */
import type { Core } from "./core.ts"
import type { Bounds } from "./state.ts"

/** What can be seen of an open pool. */
export interface Visible {
  readonly core: Core
  /** The bounds of the whole: of a keyed pool, its total and the minimums of the keys that exist. */
  readonly bounds: () => Bounds
}

type Watcher = (pool: Visible) => void

const pools = new Set<Visible>()
const watchers = new Set<Watcher>()

/** In the order in which they were opened. */
export const openPools: ReadonlySet<Visible> = pools

/** Is told of each pool that opens from now on, before anything happens in it; the result ends that. */
export const onOpen = (watcher: Watcher): () => void => {
  watchers.add(watcher)
  return () => {
    watchers.delete(watcher)
  }
}

/** A pool has opened; the result is called when it has closed. */
export const opened = (pool: Visible): () => void => {
  pools.add(pool)
  for (const watcher of watchers) watcher(pool)
  return () => {
    pools.delete(pool)
  }
}
