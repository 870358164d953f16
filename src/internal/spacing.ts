/** How long to wait between attempts to create: one run of the schedule for each outage. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import type { Core } from "./core.ts"
import type { Outage } from "./state.ts"

type Step = (now: number, input: unknown) => Pull.Pull<[unknown, Duration.Duration], unknown, unknown, unknown>

/** Takes the next delay of the schedule, and tells the machine. */
export const space = (core: Core, outage: Outage): void => {
  const effect = nextDelay(core, outage).pipe(
    // a schedule that breaks must not stop the attempts
    Effect.catchCause((cause) => {
      core.warn("createRetry failed: the next attempt follows at once", outage.group, cause)
      return Effect.succeed(0)
    }),
    Effect.tap((delay) => delay === 0 ? Effect.yieldNow : Effect.void)
  )
  core.run(Effect.map(effect, (delay) => {
    core.machine.spaced(outage, delay, core.now())
    core.flush()
  }))
}

const nextDelay = (core: Core, outage: Outage): Effect.Effect<number, unknown, unknown> => {
  const step = outage.step as Step | undefined
  const input = Cause.squash((outage.group.lastFailure ?? Cause.empty) as Cause.Cause<unknown>)
  const take = (step: Step) =>
    Effect.map(
      Effect.suspend(() => step(core.epoch(core.now()), input)),
      ([, delay]) => Math.ceil(Duration.toMillis(delay))
    )
  const first = Effect.flatMap(Schedule.toStep(core.settings.hooks.createRetry), (step) => {
    outage.step = step
    return take(step as Step)
  })
  const again = (cause: Cause.Cause<unknown>) => {
    if (!Cause.isDone(Cause.squash(cause))) core.warn("createRetry failed, and starts over", outage.group, cause)
    return first
  }
  // a schedule that has ended starts over; one that ends at once asks for no delay
  return (step === undefined ? first : Effect.catchCause(take(step), again)).pipe(
    Effect.catchIf(Cause.isDone, () => Effect.succeed(0))
  )
}
