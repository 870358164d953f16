/**
 * The pools that are compared, each used as its documentation says, behind one interface: what all have in common, and
 * what only some have is `undefined` in the others.
 */
import { Cause, Data, Effect, Exit, Fiber, Pool as EffectPool, References, Scope } from "effect"
import * as genericPool from "generic-pool"
import { Pool as LightningPool } from "lightning-pool"
import { Pool } from "proxy-pattern-pool"
import { Pool as TarnPool } from "tarn"

export interface Thing {
  readonly id: number
}

export interface Options {
  readonly max: number
  readonly min?: number
  readonly create: () => Promise<Thing>
  readonly destroy: (thing: Thing) => Promise<void>
  /** Asked before each borrow. */
  readonly check?: (thing: Thing) => Promise<boolean>
  /** Longest wait of a borrower, in milliseconds. */
  readonly patience?: number
  readonly maxWaiting?: number
  /** Longest creation. */
  readonly createTimeout?: number
  /** Longest check. */
  readonly checkTimeout?: number
  /** Greatest age. */
  readonly lifetime?: number
  /** Longest borrow. */
  readonly borrowLimit?: number
  /** How many are to be idle, whatever is lent. */
  readonly minIdle?: number
  /** How often to try again to create an object for a borrower, where one can say so. */
  readonly retries?: number
  /** How many may share one object. */
  readonly shares?: number
}

export interface Borrow {
  readonly object: Promise<Thing>
  giveBack(): Promise<void>
  /** It is broken. */
  invalidate(): Promise<void>
  /** The borrower does not want it any more, whether it waits or has it already. */
  readonly giveUp?: () => Promise<void>
  /** Gives back what was given back before. */
  readonly giveBackAgain?: () => Promise<void>
  /** Takes all shares of the object for itself. */
  readonly reserve?: () => Promise<void>
}

export interface Subject {
  borrow(): Borrow
  /** Borrows for one function, which may fail. */
  use(body: (thing: Thing) => Promise<void>): Promise<void>
  /** In at most so many milliseconds, where one can say so. */
  close(within: number): Promise<void>
  readonly resize?: (max: number) => Promise<void>
  /** Overtakes others that wait. */
  readonly borrowUrgently?: () => Borrow
}

export type Feature = "checks" | "createTimeout" | "lifetime" | "borrowLimit" | "maxWaiting" | "minIdle" | "shares"

export interface Contender {
  readonly name: string
  /** What it has of what not all have. */
  readonly has: ReadonlyArray<Feature>
  make(options: Options): Promise<Subject>
}

// -----------------------------------------------------------------------------------------------------------------
// pools of Effect
// -----------------------------------------------------------------------------------------------------------------

class Refused extends Data.TaggedError("Refused")<{ readonly cause: unknown }> {
  override get message() {
    return String(this.cause instanceof Error ? this.cause.message : this.cause)
  }
}

const lifeOf = ({ create, destroy }: Options) =>
  Effect.acquireRelease(
    Effect.tryPromise({ try: create, catch: (cause) => new Refused({ cause }) }),
    (thing) => Effect.promise(() => destroy(thing)),
    { interruptible: true }
  )

/** Nobody reads the warnings of what goes wrong here. */
const quietly = Effect.provideService(References.MinimumLogLevel, "None")

/** As a promise that a user of promises would understand. */
const run = async <A>(effect: Effect.Effect<A, unknown>): Promise<A> => {
  const exit = await Effect.runPromiseExit(quietly(effect))
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.hasInterruptsOnly(exit.cause) ? new Error("interrupted") : Cause.squash(exit.cause)
}

interface Effectful<P> {
  readonly make: Effect.Effect<P, unknown, Scope.Scope>
  readonly get: (pool: P) => Effect.Effect<Thing, unknown, Scope.Scope>
  readonly use: (pool: P, body: (thing: Thing) => Effect.Effect<void>) => Effect.Effect<void, unknown>
  readonly invalidate: (pool: P, thing: Thing) => Effect.Effect<void>
  readonly resize?: (pool: P, max: number) => Effect.Effect<void>
  readonly reserve?: (pool: P, thing: Thing) => Effect.Effect<void, never, Scope.Scope>
}

const effectful = async <P>({ get, invalidate, make, reserve, resize, use }: Effectful<P>): Promise<Subject> => {
  const life = Scope.makeUnsafe()
  const pool = await run(Scope.provide(make, life))
  return {
    borrow: () => {
      const scope = Scope.makeUnsafe()
      const fiber = Effect.runFork(quietly(Scope.provide(get(pool), scope)))
      const object = run(Fiber.join(fiber))
      const giveBack = () => run(Scope.close(scope, Exit.void))
      return {
        object,
        giveBack,
        invalidate: async () => {
          await run(invalidate(pool, await object))
          await giveBack()
        },
        giveUp: () => run(Effect.andThen(Fiber.interrupt(fiber), Scope.close(scope, Exit.void))),
        ...(reserve !== undefined && {
          reserve: async () => run(Scope.provide(reserve(pool, await object), scope))
        })
      }
    },
    use: (body) => run(use(pool, (thing) => Effect.promise(() => body(thing)))),
    close: () => run(Scope.close(life, Exit.void)),
    ...(resize !== undefined && { resize: (max: number) => run(resize(pool, max)) })
  }
}

const ours: Contender = {
  name: "proxy-pattern-pool",
  has: ["checks", "createTimeout", "lifetime", "borrowLimit", "maxWaiting", "shares"],
  make: (options) => {
    const { check } = options
    return effectful({
      make: Pool.make({
        acquire: lifeOf(options),
        max: options.max,
        min: options.min ?? 0,
        borrowTimeout: options.patience,
        maxWaiting: options.maxWaiting,
        createTimeout: options.createTimeout,
        timeToLive: options.lifetime,
        borrowLimit: options.borrowLimit,
        concurrency: options.shares,
        healthCheck: check && ((thing: Thing) => Effect.promise(() => check(thing))),
        healthAfterIdle: check && 0,
        healthTimeout: options.checkTimeout,
        shutdownTimeout: 300
      }),
      get: Pool.get,
      use: (pool, body) => Pool.use(pool, body),
      invalidate: (pool, thing) => Pool.invalidate(pool, thing),
      resize: (pool, max) => Pool.resize(pool, { max })
    })
  }
}

const theirs: Contender = {
  name: "effect/Pool",
  has: ["lifetime", "shares"],
  make: (options) => {
    // without a lifetime, a pool with a minimum is one whose idle objects go after a while
    const bounds = { acquire: lifeOf(options), min: options.min ?? 0, max: options.max, concurrency: options.shares }
    const get = (pool: EffectPool.Pool<Thing, Refused>) =>
      options.patience === undefined ? EffectPool.get(pool) : Effect.timeout(EffectPool.get(pool), options.patience)
    return effectful({
      make: options.lifetime === undefined && options.min === options.max
        ? EffectPool.make({ ...bounds, size: options.max })
        : EffectPool.makeWithTTL({
          ...bounds,
          timeToLive: options.lifetime ?? "1 minute",
          timeToLiveStrategy: options.lifetime === undefined ? "usage" : "creation"
        }),
      get,
      use: (pool, body) => EffectPool.use(pool, body),
      invalidate: (pool, thing) => EffectPool.invalidate(pool, thing),
      reserve: (pool, thing) => EffectPool.reserve(pool, thing)
    })
  }
}

// -----------------------------------------------------------------------------------------------------------------
// pools of promises
// -----------------------------------------------------------------------------------------------------------------

const generic: Contender = {
  name: "generic-pool",
  has: ["checks", "maxWaiting"],
  make: async ({ check, create, destroy, max, maxWaiting, min, patience }) => {
    const pool = genericPool.createPool({ create, destroy, ...(check && { validate: check }) }, {
      max,
      min: min ?? 0,
      testOnBorrow: check !== undefined,
      priorityRange: 2,
      ...(patience !== undefined && { acquireTimeoutMillis: patience }),
      ...(maxWaiting !== undefined && { maxWaitingClients: maxWaiting })
    } as genericPool.Options)
    const borrow = (priority: number): Borrow => {
      const object = pool.acquire(priority)
      const giveBack = async () => pool.release(await object)
      return { object, giveBack, giveBackAgain: giveBack, invalidate: async () => pool.destroy(await object) }
    }
    return {
      borrow: () => borrow(1),
      borrowUrgently: () => borrow(0),
      use: (body) => pool.use(body),
      close: async () => {
        await pool.drain()
        await pool.clear()
      }
    }
  }
}

const tarn: Contender = {
  name: "tarn",
  has: ["checks", "createTimeout"],
  make: async ({ check, create, createTimeout, destroy, max, min, patience }) => {
    // there is nothing to say that an object is broken but the check
    const broken = new Set<Thing>()
    const pool = new TarnPool<Thing>({
      create,
      destroy,
      max,
      min: min ?? 0,
      // its type says boolean, its documentation allows a promise
      validate: ((thing: Thing) => broken.has(thing) ? false : check === undefined ? true : check(thing)) as (
        thing: Thing
      ) => boolean,
      ...(patience !== undefined && { acquireTimeoutMillis: patience }),
      ...(createTimeout !== undefined && { createTimeoutMillis: createTimeout })
    })
    const borrow = (): Borrow => {
      const pending = pool.acquire()
      const object = pending.promise
      const giveBack = async () => {
        pool.release(await object)
      }
      return {
        object,
        giveBack,
        giveBackAgain: giveBack,
        invalidate: async () => {
          broken.add(await object)
          await giveBack()
        },
        giveUp: async () => {
          pending.abort()
          await object.then((thing) => pool.release(thing), () => {})
        }
      }
    }
    return {
      borrow,
      use: async (body) => {
        const { giveBack, object } = borrow()
        const thing = await object
        try {
          await body(thing)
        } finally {
          await giveBack()
        }
      },
      close: async () => {
        await pool.destroy()
      }
    }
  }
}

const lightning: Contender = {
  name: "lightning-pool",
  has: ["checks", "maxWaiting", "minIdle"],
  make: async ({ check, create, destroy, max, maxWaiting, min, minIdle, patience, retries }) => {
    const pool = new LightningPool<Thing>({ create, destroy, ...(check && { validate: check }) }, {
      max,
      min: min ?? 0,
      ...(minIdle !== undefined && { minIdle }),
      ...(retries !== undefined && { acquireMaxRetries: retries, acquireRetryWait: 100 }),
      ...(patience !== undefined && { acquireTimeoutMillis: patience }),
      ...(maxWaiting !== undefined && { maxQueue: maxWaiting })
    })
    pool.start()
    const borrow = (): Borrow => {
      const object = pool.acquire()
      const giveBack = async () => pool.releaseAsync(await object)
      return { object, giveBack, giveBackAgain: giveBack, invalidate: async () => pool.destroyAsync(await object) }
    }
    return {
      borrow,
      use: async (body) => {
        const thing = await pool.acquire()
        try {
          await body(thing)
        } finally {
          await pool.releaseAsync(thing)
        }
      },
      close: (within) => pool.closeAsync(within),
      resize: async (max) => {
        pool.options.max = max
      }
    }
  }
}

export const contenders: ReadonlyArray<Contender> = [ours, theirs, generic, tarn, lightning]
