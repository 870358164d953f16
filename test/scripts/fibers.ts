/**
 * A history of one pool: some hundred fibers borrow from it in every way there is, and are interrupted, fail, die or take
 * too long; creations, checks, hooks and finalizers do the same, and an operator has his hands on it. A history depends
 * on its seed alone: time is that of `TestClock`. Tasks are seen by it or, as in a program, are those of Effect's own
 * scheduler: then time does not wait until all have done what they do at one moment, and who is woken may be so ahead of
 * the tasks.
 */
import {
  Cause,
  Clock,
  Context,
  Effect,
  Exit,
  Fiber,
  Layer,
  Option,
  Random,
  Schedule,
  Scheduler,
  Schema,
  Scope
} from "effect"
import { TestClock } from "effect/testing"
import { Pool, PoolError, Proxy } from "proxy-pattern-pool"
import { complaints, destroyedOf } from "./invariants.ts"

/** Something that must not happen has happened. */
export class Broken extends Schema.TaggedError<Broken>()("Broken", { what: Schema.String }) {
  override get message() {
    return this.what
  }
}

/** What may go wrong, and nobody is surprised. */
class Mishap extends Schema.TaggedError<Mishap>()("Mishap", { where: Schema.String }) {}

/** The same as a defect. */
class Accident extends Error {}

/** Who borrows: one user is one borrow. */
class User {}

interface Thing {
  readonly id: number
  /** Is used for a moment. */
  work(user: User): Effect.Effect<void, Mishap>
}

class Things extends Proxy.Service<Things, Thing, Mishap>()("soak/Things") {}

export interface Count {
  /** How often each form of borrowing was tried. */
  readonly forms: Map<string, number>
  /** How often it ended how. */
  readonly outcomes: Map<string, number>
  created: number
  borrowed: number
}

export const noCount = (): Count => ({ forms: new Map(), outcomes: new Map(), created: 0, borrowed: 0 })

const increment = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1)

const chance = (share: number) => Effect.map(Random.next, (next) => next < share)

const upTo = (most: number) => Random.nextIntBetween(0, most)

/** Who lets the tasks run: `TestClock`, which sees all of them, or Effect. */
export type Tasks = "seen" | "own"

const OwnTasks = Context.Reference<boolean>("soak/OwnTasks", { defaultValue: () => false })

const resolved = Effect.promise(() => Promise.resolve())

/** Lets others run for a while, in steps or in time. */
const pause = Effect.gen(function*() {
  // most go on before the next task, as those that are woken ahead of it do
  if ((yield* OwnTasks) && (yield* chance(0.6))) yield* resolved
  else if (yield* chance(0.5)) yield* Effect.repeat(Effect.yieldNow, { times: yield* upTo(3) })
  else yield* Effect.sleep(yield* upTo(20))
})

// longer than every limit, but for those of closing
const long = 200
const destroyTimeout = 60
const shutdownTimeout = 300

const randomOptions = Effect.gen(function*() {
  const max = yield* Random.nextIntBetween(1, 8)
  return {
    max,
    min: yield* upTo(max),
    concurrency: yield* Random.choice([1, 1, 1, 2, Infinity] as const),
    order: yield* Random.choice(["lifo", "fifo"] as const),
    maxWaiting: yield* Random.choice([Infinity, Infinity, 5] as const),
    maxUses: yield* Random.choice([Infinity, Infinity, 3] as const),
    maxCreating: yield* Random.choice([Infinity, 1] as const),
    idleTimeToLive: yield* Random.choice([Infinity, 40, 0] as const),
    timeToLive: yield* Random.choice([Infinity, 80] as const),
    jitter: yield* Random.choice([0, 0.5] as const),
    borrowTimeout: 100,
    borrowLimit: yield* Random.choice([Infinity, 40] as const),
    healthInterval: 25,
    healthAfterIdle: yield* Random.choice([Infinity, 10, 0] as const),
    healthTimeout: 30,
    hookTimeout: 30,
    createTimeout: 50,
    createRetry: Schedule.spaced(10),
    destroyTimeout,
    shutdownTimeout
  } satisfies Partial<Pool.Options<Thing>>
})

type RandomOptions = typeof randomOptions extends Effect.Effect<infer A> ? A : never

/** What is there besides the pool, and what is seen of it from outside. */
class World {
  /** Nothing goes wrong from now on. */
  calm = false
  /** Creations that have begun, and all that came of them that has ended. */
  begun = 0
  ended = 0
  readonly violations: Array<string> = []
  private readonly gone = new Set<Thing>()
  private readonly users = new Map<Thing, Map<User, number>>()
  max: number
  /** Most places that may be taken: more than `max` for a while after a shrinking. */
  places: number
  readonly concurrency: number

  constructor(options: RandomOptions) {
    this.max = options.max
    this.places = options.max
    this.concurrency = options.concurrency
  }

  /** Goes well mostly, at once or after a while. */
  readonly fate = (where: string): Effect.Effect<void, Mishap> =>
    Effect.flatMap(Random.next, (next) => {
      if (next < 0.5) return Effect.void
      if (this.calm || next < 0.9) return pause
      if (next < 0.94) return new Mishap({ where })
      if (next < 0.97) return Effect.die(new Accident(where))
      return Effect.sleep(long)
    })

  readonly acquire: Effect.Effect<Thing, Mishap, Scope.Scope> = Effect.gen({ self: this }, function*() {
    const id = yield* Pool.CreationNumber
    this.begun++
    if (this.begun - this.ended > this.places) this.violations.push(`object ${id} is created without a place`)
    let ended = false
    const end = Effect.sync(() => {
      if (!ended) this.ended++
      ended = true
    })
    yield* Effect.addFinalizer(() => end)
    yield* this.fate("acquire")
    const thing: Thing = { id, work: (user) => this.during(thing, user, this.fate("work")) }
    this.users.set(thing, new Map())
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        if (this.gone.has(thing)) this.violations.push(`object ${id} is destroyed twice`)
        this.gone.add(thing)
        // of a finalizer that takes too long the pool does not await the end
        const left = Effect.delay(end, destroyTimeout - 1)
        return Effect.raceFirst(Effect.orDie(this.fate("finalizer")), Effect.andThen(left, Effect.never))
      })
    )
    // what is made may be lost yet
    yield* this.fate("acquire")
    return thing
  })

  /** It is handed over. */
  meet(thing: Thing): void {
    if (!this.users.has(thing)) this.violations.push(`${String(thing)} is lent, which is no object of the pool`)
    if (this.gone.has(thing)) this.violations.push(`object ${thing.id} is lent though it is destroyed`)
  }

  during<A, E, R>(thing: Thing, user: User, body: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        this.meet(thing)
        const users = this.users.get(thing) ?? new Map<User, number>()
        users.set(user, (users.get(user) ?? 0) + 1)
        if (users.size > this.concurrency) this.violations.push(`object ${thing.id} is lent to ${users.size}`)
        return users
      }),
      () => body,
      (users) =>
        Effect.sync(() => {
          const count = users.get(user)! - 1
          if (count === 0) users.delete(user)
          else users.set(user, count)
        })
    )
  }
}

/** Borrows in one way or another. */
type Form = (world: World, pool: Pool.Pool<Thing, Mishap>) => Effect.Effect<unknown, unknown, Things>

/** Is told what it is to be told in time. */
const punctual = <A, E, R>(
  world: World,
  borrow: (timeout: number, arrived: () => void) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const timeout = yield* upTo(100)
    // time may run ahead of tasks that it does not see
    if (yield* OwnTasks) return yield* borrow(timeout, () => {})
    const began = clock.currentTimeMillisUnsafe()
    const took = () => clock.currentTimeMillisUnsafe() - began
    let waiting = true
    return yield* borrow(timeout, () => {
      if (waiting && took() > timeout) world.violations.push(`served after ${took()} ms instead of ${timeout}`)
      waiting = false
    }).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          if (waiting && reasonOf(exit) === "BorrowTimeout" && took() !== timeout) {
            world.violations.push(`timed out after ${took()} ms instead of ${timeout}`)
          }
        })
      )
    )
  })

/** With the object itself at hand. */
const holding = (world: World, thing: Thing) => world.during(thing, new User(), world.fate("body"))

const forms: Readonly<Record<string, Form>> = {
  use: (world, pool) =>
    punctual(world, (timeout, arrived) =>
      Pool.use(pool, (thing) => {
        arrived()
        return holding(world, thing)
      }, { timeout })),
  get: (world, pool) =>
    Effect.scoped(punctual(world, (timeout, arrived) =>
      Effect.flatMap(Pool.get(pool, { timeout }), (thing) => {
        arrived()
        return holding(world, thing)
      }))),
  poll: (world, pool) =>
    Effect.scoped(Effect.flatMap(
      Pool.poll(pool),
      Option.match({ onNone: () => Effect.void, onSome: (thing) => holding(world, thing) })
    )),
  "two in one Scope": (world, pool) =>
    Effect.scoped(Effect.gen(function*() {
      yield* holding(world, yield* Pool.get(pool, { timeout: 50 }))
      yield* holding(world, yield* Pool.get(pool, { timeout: 50 }))
    })),
  invalidate: (world, pool) =>
    Pool.use(pool, (thing) => Effect.andThen(Pool.invalidate(pool, thing), holding(world, thing))),
  call: () =>
    Effect.scoped(Effect.gen(function*() {
      const things = yield* Things
      const user = new User()
      yield* things.work(user)
      yield* pause
      yield* things.work(user)
    })),
  "calls side by side": () =>
    Effect.scoped(Effect.gen(function*() {
      const things = yield* Things
      const user = new User()
      yield* Effect.all([things.work(user), things.work(user), Effect.andThen(pause, things.work(user))], {
        concurrency: "unbounded"
      })
    })),
  "calls of a child that may outlive the Scope": () =>
    Effect.scoped(Effect.gen(function*() {
      const things = yield* Things
      const user = new User()
      yield* Effect.forkChild(things.work(user), { startImmediately: true })
      yield* pause
    })),
  perCall: () => Effect.flatMap(Things.perCall, (things) => things.work(new User())),
  unit: (world) =>
    Things.scoped(Effect.gen(function*() {
      const things = yield* Things
      const user = new User()
      yield* things.work(user)
      yield* Effect.scoped(things.work(user))
      yield* Things.useObject((thing) => world.during(thing, user, world.fate("body")))
      if (yield* chance(0.2)) yield* Things.invalidate
    })),
  object: (world) =>
    Effect.scoped(Effect.gen(function*() {
      const user = new User()
      const thing = yield* Things.object
      yield* world.during(thing, user, Effect.andThen(pause, Effect.flatMap(Things, (things) => things.work(user))))
    }))
}

const reasonOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "served"
  if (Cause.hasInterruptsOnly(exit.cause)) return "interrupted"
  const error = Cause.squash(exit.cause)
  if (error instanceof PoolError.PoolError) return error.reason._tag
  if (error instanceof Mishap || error instanceof Accident) return error instanceof Mishap ? "failed" : "died"
  return "unknown"
}

/** One borrow, which every fourth time is interrupted somewhere. */
const borrower = (world: World, pool: Pool.Pool<Thing, Mishap>, count: Count, span: number) =>
  Effect.gen(function*() {
    yield* Effect.sleep(yield* upTo(span))
    const [name, form] = yield* Random.choice(Object.entries(forms))
    increment(count.forms, name)
    const fiber = yield* Effect.forkChild(form(world, pool), { startImmediately: true })
    const interrupted = yield* chance(0.25)
    if (interrupted) {
      yield* pause
      yield* Fiber.interrupt(fiber)
    }
    const exit = yield* Fiber.await(fiber)
    const outcome = reasonOf(exit)
    increment(count.outcomes, outcome)
    if (outcome === "unknown" || (outcome === "interrupted" && !interrupted)) {
      world.violations.push(`${name} ended as it should not: ${String(exit)}`)
    }
  }).pipe(Effect.orDie)

/** The hands of an operator. */
const operate = (world: World, pool: Pool.Pool<Thing, Mishap>) =>
  Effect.gen(function*() {
    yield* Effect.sleep(yield* upTo(100))
    const what = yield* upTo(3)
    if (what === 0) return yield* Pool.evict(pool)
    if (what === 1) {
      yield* Pool.suspend(pool)
      yield* pause
      return yield* Pool.resume(pool)
    }
    const max = yield* Random.nextIntBetween(1, 8)
    const min = yield* upTo(max)
    world.max = max
    world.places = Math.max(world.places, max)
    yield* Pool.resize(pool, { min, max })
  })

/** Lets so much time pass, and looks at the pool every few milliseconds; ends early when there is nothing to wait for. */
const pass = (
  world: World,
  pool: Pool.Pool<Thing, Mishap>,
  millis: number,
  until: () => boolean = () => false
) =>
  Effect.gen(function*() {
    for (let left = millis; left > 0 && !until();) {
      const step = Math.min(left, yield* Random.nextIntBetween(1, 15))
      yield* TestClock.adjust(step)
      left -= step
      const stats = yield* Pool.stats(pool)
      if (stats.size + stats.creating + stats.destroying <= world.max) world.places = world.max
      const wrong = [...world.violations, ...complaints(stats, world.places)]
      if (wrong.length > 0) return yield* new Broken({ what: wrong.join("\n") })
    }
  })

const ended = (fiber: Fiber.Fiber<unknown, unknown>) => fiber.pollUnsafe() !== undefined

/** When all have gone, everything is back, and every place serves. */
const settle = Effect.fnUntraced(function*(world: World, pool: Pool.Pool<Thing, Mishap>) {
  world.calm = true
  yield* pass(world, pool, 1000)
  const stats = yield* Pool.stats(pool)
  const { borrowed, creating, destroying, inUse, min, returned, size, waiting } = stats
  if (waiting > 0 || inUse > 0 || borrowed !== returned || (size < min && creating + destroying === 0)) {
    return yield* new Broken({ what: `not everything is back: ${JSON.stringify(stats)}` })
  }
  // one after the other: the queue may be short
  const all = Effect.scoped(Effect.forEach(
    Array.from({ length: world.max }),
    () => Pool.get(pool, { timeout: 500 }),
    { discard: true }
  ))
  const fiber = yield* Effect.forkChild(all)
  yield* pass(world, pool, 5000, () => ended(fiber))
  const exit = fiber.pollUnsafe()
  if (exit === undefined || Exit.isFailure(exit)) {
    return yield* new Broken({ what: `not every place serves: ${exit}, ${JSON.stringify(yield* Pool.stats(pool))}` })
  }
})

/** Closing ends in time, and leaves nothing. */
const close = Effect.fnUntraced(function*(world: World, pool: Pool.Pool<Thing, Mishap>, scope: Scope.Closeable) {
  const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
  yield* pass(world, pool, shutdownTimeout + 1, () => ended(closing))
  if (!ended(closing)) return yield* new Broken({ what: "closing takes longer than shutdownTimeout" })
  const stats = yield* Pool.stats(pool)
  if (stats.created !== destroyedOf(stats) || stats.size + stats.creating + stats.destroying > 0) {
    return yield* new Broken({ what: `something is left: ${JSON.stringify(stats)}` })
  }
  return stats
})

const run = Effect.fnUntraced(function*(size: number, count: Count) {
  const options = yield* randomOptions
  const world = new World(options)
  const hook = yield* chance(0.5)
  const checked = yield* chance(0.5)
  const scope = yield* Scope.make()
  const layer = Things.layerPool({
    ...options,
    acquire: world.acquire,
    describe: ({ id }) => id,
    onBorrow: hook ? () => world.fate("onBorrow") : undefined,
    onReturn: hook ? () => world.fate("onReturn") : undefined,
    healthCheck: checked ? () => Effect.andThen(world.fate("healthCheck"), chance(0.95)) : undefined
  })
  const context = yield* Layer.buildWithScope(layer, scope)
  const pool = yield* Effect.provide(Things.pool, context)

  // some come in a crowd, some at their leisure
  const span = size * (yield* Random.choice([1, 4, 8] as const))
  const borrowers = yield* Effect.forkChild(
    Effect.forEach(Array.from({ length: size }), () => borrower(world, pool, count, span), {
      concurrency: "unbounded",
      discard: true
    }).pipe(Effect.provide(context))
  )
  const operator = yield* Effect.forkChild(
    (yield* chance(0.7)) ? Effect.repeat(operate(world, pool), { times: yield* upTo(8) }) : Effect.void
  )
  const all = () => ended(borrowers) && ended(operator)
  const closesEarly = yield* chance(0.2)
  // all have come by then, and whatever they do takes no longer than a few times the longest
  yield* closesEarly ? pass(world, pool, yield* upTo(span)) : pass(world, pool, span + 5000, all)
  if (!closesEarly) {
    if (!all()) return yield* new Broken({ what: `somebody is stuck: ${JSON.stringify(yield* Pool.stats(pool))}` })
    yield* settle(world, pool)
  }
  const stats = yield* close(world, pool, scope)
  yield* pass(world, pool, span + 5000, all)
  if (!all()) return yield* new Broken({ what: "somebody is stuck when the pool has closed" })
  // finalizers that were left to themselves when the pool closed have ended too
  yield* pass(world, pool, long)
  if (world.begun !== world.ended) {
    return yield* new Broken({ what: `${world.begun} creations have begun, ${world.ended} have ended` })
  }
  count.created += stats.created
  count.borrowed += stats.borrowed
})

/** So many borrowers of one pool. Adds to the count. */
export const history = (
  seed: number,
  size: number,
  count: Count,
  tasks: Tasks = "seen"
): Effect.Effect<void, Broken> =>
  run(size, count).pipe(
    Effect.mapError((error) => error instanceof Broken ? error : new Broken({ what: String(error) })),
    // told before the Scope closes: nobody lets time pass any more, and what sleeps may hold up the closing for ever
    Effect.tapError(({ what }) => Effect.sync(() => console.error(`seed ${seed}: ${what}`))),
    Effect.scoped,
    tasks === "seen"
      ? Effect.provide(TestClock.layer())
      : Effect.provide(Layer.mergeAll(
        Layer.effect(Clock.Clock, TestClock.make()),
        Layer.sync(Scheduler.Scheduler, () => new Scheduler.MixedScheduler())
      )),
    Effect.provideService(OwnTasks, tasks === "own"),
    Random.withSeed(seed),
    Effect.provideContext(Context.empty())
  )
