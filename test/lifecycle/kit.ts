/** What the tests of this folder share: pools of numbered things, and a record of all that became of them. */
import { Clock, type Duration, Effect, Exit, Logger, References, Scope, Stream } from "effect"
import { Pool } from "proxy-pattern-pool"

export interface Thing {
  readonly id: number
}

/** The options of a pool of things: `create` runs before a thing is made, `destroy` when it is unmade. */
export interface LabOptions<E, R> extends Omit<Pool.Options<Thing, E, R>, "acquire"> {
  readonly create?: (id: number) => Effect.Effect<unknown, E, R | Scope.Scope>
  readonly destroy?: (thing: Thing) => Effect.Effect<unknown, never, R>
}

export interface Logged {
  readonly level: string
  readonly message: string
  readonly poolName: unknown
}

interface Lab<E> {
  readonly pool: Pool.Pool<Thing, E>
  /** The numbers of the things that were made, in that order. */
  readonly made: Array<number>
  /** The numbers of those whose finalizers have begun, in that order. */
  readonly unmade: Array<number>
  /** What the pool logged, at whatever level. */
  readonly logged: Array<Logged>
  /** How often the pool, or what runs in it, has begun to sleep. */
  readonly sleeps: Array<Duration.Duration>
  readonly events: Array<Pool.Event>
  readonly stats: Effect.Effect<Pool.Stats>
  /** The numbers of the things alive now. */
  readonly alive: Effect.Effect<Array<number>>
}

const recorder = (logged: Array<Logged>) =>
  Logger.make<unknown, void>(({ fiber, logLevel, message }) => {
    const poolName = fiber.getRef(References.CurrentLogAnnotations)["pool.name"]
    logged.push({ level: logLevel, message: String(Array.isArray(message) ? message[0] : message), poolName })
  })

/** The clock of the test, and a record of how long was slept on it. */
export const countSleeps = Effect.map(Clock.Clock, (clock) => {
  const sleeps: Array<Duration.Duration> = []
  const counting: Clock.Clock = {
    currentTimeMillis: clock.currentTimeMillis,
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
    currentTimeNanos: clock.currentTimeNanos,
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    sleep: (duration) => {
      sleeps.push(duration)
      return clock.sleep(duration)
    }
  }
  return { clock: counting, sleeps }
})

export const lab = Effect.fnUntraced(function*<E = never, R = never>(
  { create, destroy, ...options }: LabOptions<E, R>
) {
  const made: Array<number> = []
  const unmade: Array<number> = []
  const logged: Array<Logged> = []
  const events: Array<Pool.Event> = []
  const { clock, sleeps } = yield* countSleeps
  const acquire = Effect.flatMap(Effect.service(Pool.CreationNumber), (id) =>
    Effect.andThen(
      create === undefined ? Effect.void : create(id),
      Effect.acquireRelease(
        Effect.sync((): Thing => {
          made.push(id)
          return { id }
        }),
        (thing) => {
          unmade.push(thing.id)
          return destroy === undefined ? Effect.void : destroy(thing)
        }
      )
    ))
  // a test that ends while something is held, or is being destroyed, does not wait for it
  const pool = yield* Pool.make({ shutdownTimeout: 0, ...options, acquire }).pipe(
    Effect.provideService(Clock.Clock, clock),
    Effect.provideService(References.CurrentLoggers, new Set([recorder(logged)]))
  )
  yield* Effect.forkScoped(
    Stream.runForEach(Pool.events(pool), (event) => Effect.sync(() => events.push(event))),
    { startImmediately: true }
  )
  const stats = Pool.stats(pool)
  const result: Lab<E> = {
    pool,
    made,
    unmade,
    logged,
    sleeps,
    events,
    stats,
    alive: Effect.map(stats, (stats) => stats.objects.map((object) => object.id))
  }
  return result
})

/** Borrows at once, in a Scope of its own: the object, and what gives it back. */
export const borrow = Effect.fnUntraced(function*<A, E>(pool: Pool.Pool<A, E>, timeout?: Duration.Input) {
  const scope = yield* Scope.make()
  const object = yield* Scope.provide(Pool.get(pool, { timeout }), scope)
  return {
    object,
    giveBack: Scope.close(scope, Exit.void),
    end: (exit: Exit.Exit<unknown, unknown>) => Scope.close(scope, exit)
  }
})

/** Borrows so many at once, and gives all back: so many are idle then. */
export const warmUp = <A, E>(pool: Pool.Pool<A, E>, size: number) =>
  Effect.scoped(Effect.asVoid(Effect.all(Array.from({ length: size }, () => Pool.get(pool)), { concurrency: size })))

/** Lets what is ready run. */
export const calm: Effect.Effect<void> = Effect.asVoid(Effect.repeat(Effect.yieldNow, { times: 50 }))
