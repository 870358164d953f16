/** How long to wait between attempts to create: one run of the schedule for each group, from failure to success. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import type { Core } from "./core.ts"
import type { Group } from "./state.ts"

type Step = (now: number, input: unknown) => Pull.Pull<[unknown, Duration.Duration], unknown, unknown, unknown>

export class Spacing {
  private readonly core: Core
  private readonly steps = new Map<Group, Step>()

  constructor(core: Core) {
    this.core = core
  }

  /** Takes the next delay of the schedule, and tells the machine. */
  next(group: Group): void {
    const { core } = this
    const { outage } = group
    const effect = this.delay(group).pipe(
      // a schedule that breaks must not stop the attempts
      Effect.catchCause((cause) => {
        core.warn("createRetry failed: the next attempt follows at once", group, cause)
        return Effect.succeed(0)
      }),
      Effect.tap((delay) => delay === 0 ? Effect.yieldNow : Effect.void)
    )
    core.run(Effect.map(effect, (delay) => {
      // a later outage has a schedule of its own
      if (group.outage !== outage) return
      core.machine.spaced(group, delay, core.now())
      core.flush()
    }))
  }

  /** How many schedules are under way. */
  get size(): number {
    return this.steps.size
  }

  /** The schedule starts over. */
  reset(group: Group): void {
    this.steps.delete(group)
  }

  private delay(group: Group): Effect.Effect<number, unknown, unknown> {
    const { core } = this
    const input = Cause.squash((group.lastFailure ?? Cause.empty) as Cause.Cause<unknown>)
    const take = (step: Step) =>
      Effect.map(
        Effect.suspend(() => step(core.epoch(core.now()), input)),
        ([, delay]) => Math.ceil(Duration.toMillis(delay))
      )
    const start = Effect.map(Schedule.toStep(core.settings.hooks.createRetry), (step) => {
      if (group.outage !== undefined) this.steps.set(group, step as Step)
      return step as Step
    })
    const step = this.steps.get(group)
    const first = Effect.flatMap(start, take)
    // a schedule that has ended starts over; one that ends at once asks for no delay
    return (step === undefined ? first : Effect.catchCause(take(step), () => first)).pipe(
      Effect.catchIf(Cause.isDone, () => Effect.succeed(0))
    )
  }
}
