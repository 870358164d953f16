/** The pools that are compared, with the same trivial object, all filled before they are measured. */
import { Effect, Pool as EffectPool, Scope } from "effect"
import * as genericPool from "generic-pool"
import { Pool as LightningPool } from "lightning-pool"
import { Pool as TarnPool } from "tarn"

// what users get: the built package, not the sources
const built = new URL("../../dist/index.js", import.meta.url).href
const library: typeof import("proxy-pattern-pool") = await import(built)

export const { Pool, Proxy } = library

export interface Thing {
  readonly id: number
}

let made = 0
const make = (): Thing => ({ id: made++ })

/** Lives as long as the process. */
export const forever = Scope.makeUnsafe()

const inForever = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.provideService(effect, Scope.Scope, forever))

export type Options = Omit<Parameters<typeof Pool.make<Thing>>[0], "acquire" | "max" | "min">

export const ours = (max: number, options?: Options) =>
  inForever(Effect.tap(
    Pool.make({ acquire: Effect.sync(make), max, min: max, ...options }),
    Pool.awaitReady
  ))

export const theirs = (max: number) =>
  inForever(Effect.tap(
    EffectPool.make({ acquire: Effect.sync(make), size: max }),
    // all of them, so that the pool is full
    (pool) => Effect.scoped(Effect.forEach(Array.from({ length: max }), () => EffectPool.get(pool), { discard: true }))
  ))

/** A pool of promises: the least that the other libraries have in common. */
export interface Promised {
  readonly use: (body: (thing: Thing) => Promise<unknown>) => Promise<void>
}

export const generic = (max: number): Promised => {
  const pool = genericPool.createPool({ create: async () => make(), destroy: async () => {} }, { max, min: max })
  return {
    use: async (body) => {
      const thing = await pool.acquire()
      try {
        await body(thing)
      } finally {
        await pool.release(thing)
      }
    }
  }
}

export const tarn = (max: number): Promised => {
  const pool = new TarnPool<Thing>({ create: async () => make(), destroy: () => {}, max, min: max })
  return {
    use: async (body) => {
      const thing = await pool.acquire().promise
      try {
        await body(thing)
      } finally {
        pool.release(thing)
      }
    }
  }
}

export const lightning = (max: number): Promised => {
  const pool = new LightningPool<Thing>({ create: async () => make(), destroy: async () => {} }, { max, min: max })
  pool.start()
  return {
    use: async (body) => {
      const thing = await pool.acquire()
      try {
        await body(thing)
      } finally {
        pool.release(thing)
      }
    }
  }
}
