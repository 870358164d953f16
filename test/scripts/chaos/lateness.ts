/**
 * How late this process is. Whoever measures a wait measures also how long the event loop was busy with other things: a
 * collection of garbage, a machine that has others to serve. That is not the pool's fault, and so it is not held
 * against it: a metronome ticks every few milliseconds, and what it is late by is allowed on top.
 */
import { Clock, Context, Effect, Layer } from "effect"

const tick = 5
const kept = 1000

/**
 * What the metronome cannot see: timers are whole milliseconds, and of some hundred fibers that are woken together each
 * runs in its turn.
 */
const always = 100

export class Lateness extends Context.Service<Lateness, {
  /** How much longer than asked for something may take that began then and ends now, in milliseconds. */
  allowance(began: number): number
}>()("chaos/Lateness") {
  static readonly layer = Layer.effect(
    Lateness,
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const late: Array<{ readonly at: number; readonly by: number }> = []
      let last = clock.currentTimeMillisUnsafe()
      const beat = Effect.sync(() => {
        const at = clock.currentTimeMillisUnsafe()
        const by = at - last - tick
        last = at
        if (by > 1) late.push({ at, by })
        if (late.length > kept) late.shift()
      })
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(tick), beat)))
      return {
        allowance: (began) => {
          // what has begun to be late has not been noticed yet
          let sum = always + Math.max(0, clock.currentTimeMillisUnsafe() - last - tick)
          for (const { at, by } of late) if (at >= began) sum += by
          return sum
        }
      }
    })
  )
}
