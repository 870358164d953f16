/** The one timer of a pool: it sleeps to the next deadline, and not at all where there is none. */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

export class Keeper {
  /** When it wakes; `Infinity` while it does not sleep. */
  armedAt = Infinity
  private fiber: Fiber.Fiber<void> | undefined = undefined
  private readonly clock: Clock.Clock
  private readonly run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private readonly due: () => void

  /** `run` runs an effect in a fiber of the pool; `due` does what is due, and arms anew. */
  constructor(clock: Clock.Clock, run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>, due: () => void) {
    this.clock = clock
    this.run = run
    this.due = due
  }

  /** Wakes at this moment, or before. */
  arm(at: number, now: number): void {
    if (at >= this.armedAt) return
    this.disarm()
    this.armedAt = at
    // a clock may end a sleep of less than a millisecond at once, and would be asked again and again
    const delay = Math.max(0, Math.ceil(at - now))
    const slept = delay === 0 ? Effect.yieldNow : this.clock.sleep(Duration.millis(delay))
    let woken = false
    const fiber = this.run(Effect.map(slept, () => {
      woken = true
      this.fiber = undefined
      this.armedAt = Infinity
      this.due()
    }))
    if (!woken) this.fiber = fiber
  }

  disarm(): void {
    const fiber = this.fiber
    this.fiber = undefined
    this.armedAt = Infinity
    fiber?.interruptUnsafe()
  }
}
