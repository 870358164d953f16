import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as Pool from "../src/Pool.ts"
import * as PoolError from "../src/PoolError.ts"

/** What the pools of the tests lend. */
export interface Thing {
  readonly id: number
}

/** Makes numbered things, and counts what becomes of them. */
export class Workshop {
  made = 0
  /** Not unmade yet. */
  alive = 0
  peak = 0
  readonly unmade: Array<number> = []

  private readonly thing: Effect.Effect<Thing, never, Scope.Scope> = Effect.suspend(() => {
    const thing = { id: this.made++ }
    this.alive++
    this.peak = Math.max(this.peak, this.alive)
    return Effect.as(Effect.addFinalizer(() => Effect.sync(() => this.unmake(thing))), thing)
  })

  /** Makes a thing at once. */
  readonly acquire: Effect.Effect<Thing, never, Scope.Scope> = Effect.uninterruptible(this.thing)

  /** Makes a thing after a while. */
  after(duration: Duration.Input): Effect.Effect<Thing, never, Scope.Scope> {
    return Effect.andThen(Effect.sleep(duration), this.acquire)
  }

  private unmake(thing: Thing): void {
    if (this.unmade.includes(thing.id)) assert.fail(`${thing.id} is destroyed twice`)
    this.unmade.push(thing.id)
    this.alive--
  }
}

/** Runs at once until it has to wait; it is interrupted before the pools that were made earlier in the Scope close. */
export const start = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Fiber.Fiber<A, E>, never, R | Scope.Scope> => Effect.forkScoped(effect, { startImmediately: true })

/** Lets all fibers run until they wait for time, or for each other. */
export const settle: Effect.Effect<void> = Effect.repeat(Effect.yieldNow, { times: 20 })

/** How it ended, or `undefined` while it runs. */
export const ended = <A, E>(fiber: Fiber.Fiber<A, E>): Exit.Exit<A, E> | undefined => fiber.pollUnsafe()

/** The value that the fiber has ended with. */
export const valueOf = <A, E>(fiber: Fiber.Fiber<A, E>): A => {
  const exit = ended(fiber)
  assert.isDefined(exit, "it has ended")
  assert.strictEqual(exit._tag, "Success", String(exit))
  return (exit as Exit.Success<A, E>).value
}

/** The error that a `PoolError` is. */
export const poolError = (exit: Exit.Exit<unknown, unknown> | undefined): PoolError.PoolError => {
  assert.isDefined(exit, "it has ended")
  assert.strictEqual(exit._tag, "Failure", String(exit))
  const error = Cause.squash((exit as Exit.Failure<unknown, unknown>).cause)
  assert.instanceOf(error, PoolError.PoolError)
  return error as PoolError.PoolError
}

/** Why the pool refused: the tag of the reason. */
export const reasonOf = (exit: Exit.Exit<unknown, unknown> | undefined): string => poolError(exit).reason._tag

/** The message of a defect. */
export const defectOf = (exit: Exit.Exit<unknown, unknown> | undefined): string => {
  assert.isDefined(exit, "it has ended")
  assert.isTrue(Exit.hasDies(exit), String(exit))
  return (Cause.squash((exit as Exit.Failure<unknown, unknown>).cause) as Error).message
}

/** Holds an object for so long. */
export const hold = <A, E>(
  pool: Pool.Pool<A, E>,
  duration: Duration.Input
): Effect.Effect<A, E | PoolError.PoolError> => Pool.use(pool, (object) => Effect.as(Effect.sleep(duration), object))

export interface Logged {
  readonly level: string
  readonly message: string
  readonly annotations: Readonly<Record<string, unknown>>
}

/** Everything that is logged by what the layer is provided to. */
export const logs = (): { readonly entries: Array<Logged>; readonly layer: Layer.Layer<never> } => {
  const entries: Array<Logged> = []
  const logger = Logger.make(({ fiber, logLevel, message }) => {
    const parts = Array.isArray(message) ? message : [message]
    entries.push({
      level: logLevel,
      message: parts.filter((part) => typeof part === "string").join(" "),
      annotations: fiber.getRef(References.CurrentLogAnnotations)
    })
  })
  return { entries, layer: Logger.layer([logger]) }
}

/** How many sleeps of the clock are under way, in what the wrapped clock is provided to. */
export const countingSleeps = Effect.clockWith((clock) => {
  let sleeping = 0
  const counting: Clock.Clock = {
    ...clock,
    sleep: (duration) =>
      Effect.suspend(() => {
        sleeping++
        return Effect.ensuring(clock.sleep(duration), Effect.sync(() => sleeping--))
      })
  }
  return Effect.succeed({ clock: counting, sleeping: () => sleeping })
})

/** What must hold of every snapshot, whatever has happened. */
export const checkStats = (stats: Pool.Stats, most: number = stats.max): void => {
  const { creating, destroying, idle, inUse, objects, size, waiting } = stats
  const gone = Object.values(stats.destroyed).reduce((sum, count) => sum + count, 0)
  const rules = [
    [creating, destroying, idle, inUse, size, waiting].every((count) => count >= 0),
    size + creating + destroying <= most,
    objects.length === size,
    objects.filter((object) => object.state === "idle").length === idle,
    objects.filter((object) => object.state === "inUse").length === inUse,
    size <= stats.created - gone,
    size + destroying >= stats.created - gone,
    stats.borrowed >= stats.returned
  ]
  if (rules.includes(false)) assert.fail(`rule ${rules.indexOf(false)} does not hold of ${JSON.stringify(stats)}`)
}

/** Nobody has an object, nobody waits, and as many as there may be can be lent at once. */
export const checkServes = <A, E>(
  pool: Pool.Pool<A, E>,
  max: number,
  concurrency = 1
): Effect.Effect<void, E | PoolError.PoolError> =>
  Effect.gen(function*() {
    const before = yield* Pool.stats(pool)
    checkStats(before)
    assert.strictEqual(before.borrowed, before.returned, "all is back")
    assert.strictEqual(before.waiting, 0, "nobody waits")
    const lent = new Set<A>()
    yield* Effect.scoped(
      Effect.replicateEffect(Effect.map(Pool.get(pool), (object) => lent.add(object)), max * concurrency)
    )
    assert.strictEqual(lent.size, max, "every place serves")
  })
