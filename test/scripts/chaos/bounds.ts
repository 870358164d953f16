/**
 * How many places the pool may take. After a shrinking it is as many as before, until enough are back; from then on it is
 * the new maximum.
 */
import { Context, Effect, Layer } from "effect"
import { Pool } from "proxy-pattern-pool"
import { Database } from "../../../docs/examples/bank/database.ts"

/** As `app.ts` has them. */
const usual = { min: 1, max: 10 }

export class Bounds extends Context.Service<Bounds, {
  /** Resizes the pool. */
  resize(bounds: { readonly min: number; readonly max: number }): Effect.Effect<void>
  /** To what it was at first. */
  readonly restore: Effect.Effect<void>
  /** Most places that may be taken now. */
  places(): number
  /** So many are taken. */
  seen(stats: Pool.Stats): void
  /** So many backends have a client, as the server says. */
  counted(backends: number): void
  /** The most that was counted. */
  most(): number
}>()("chaos/Bounds") {
  static readonly layer = Layer.effect(
    Bounds,
    Effect.gen(function*() {
      const pool = yield* Database.pool
      let { max } = usual
      let places = max
      let most = 0
      const resize = (bounds: { readonly min: number; readonly max: number }) =>
        Effect.suspend(() => {
          max = bounds.max
          places = Math.max(places, max)
          return Pool.resize(pool, bounds)
        })
      return {
        resize,
        restore: resize(usual),
        places: () => places,
        seen: ({ creating, destroying, size }) => {
          if (size + creating + destroying <= max) places = max
        },
        counted: (backends) => {
          most = Math.max(most, backends)
        },
        most: () => most
      }
    })
  )
}
