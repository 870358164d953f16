/** What is measured. Peers: `ours`, `effect`, and where a case can be told in promises `generic`, `tarn`, `lightning`. */
import { Context, Effect, Metric, Pool as EffectPool, Stream } from "effect"
import type { Case } from "./measure.ts"
import { generic, lightning, ours, Pool, type Promised, Proxy, tarn, theirs } from "./peers.ts"

type AnyEffect = Effect.Effect<unknown, unknown>

const runs = (effect: AnyEffect) => (): Promise<void> => Effect.runPromise(Effect.asVoid(Effect.orDie(effect)))

/** The same program again and again, in one fiber. */
const repeatIn = <E, R>(times: number, effect: Effect.Effect<unknown, E, R>): Effect.Effect<void, E, R> =>
  Effect.suspend(() => {
    let left = times
    return Effect.whileLoop({ while: () => left-- > 0, body: () => effect, step: () => {} })
  })

const repeat: (times: number, effect: AnyEffect) => AnyEffect = repeatIn

/** Many fibers, each doing it so often. */
const together = (fibers: number, times: number, effect: AnyEffect): AnyEffect => {
  const each = times === 1 ? effect : repeat(times, effect)
  return Effect.forEach(Array.from({ length: fibers }), () => each, { concurrency: "unbounded", discard: true })
}

const promised = (pool: Promised, fibers: number, times: number, body: () => Promise<unknown>) => async () => {
  const one = async (): Promise<void> => {
    for (let i = 0; i < times; i++) await pool.use(body)
  }
  await Promise.all(Array.from({ length: fibers }, one))
}

const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const resolved = (): Promise<number> => Promise.resolve(1)

const one = await ours(1)
const oneOfTheirs = await theirs(1)
const ten = await ours(10)
const tenOfTheirs = await theirs(10)
const thousand = await ours(1000)
const thousandOfTheirs = await theirs(1000)
const others = { generic: generic(10), tarn: tarn(10), lightning: lightning(10) }

const peers = (fibers: number, times: number, body: () => Promise<unknown>): Case["runs"] =>
  Object.fromEntries(Object.entries(others).map(([name, pool]) => [name, promised(pool, fibers, times, body)]))

const scopedGet = (pool: typeof ten, body: AnyEffect): AnyEffect => Effect.scoped(Effect.andThen(Pool.get(pool), body))
const scopedGetOfTheirs = (pool: typeof tenOfTheirs, body: AnyEffect): AnyEffect =>
  Effect.scoped(Effect.andThen(EffectPool.get(pool), body))

/** Holds every object of the pool while waiters come and go. */
const exhausted = (holder: (hold: AnyEffect) => AnyEffect, waiters: AnyEffect): AnyEffect =>
  holder(Effect.andThen(Effect.yieldNow, waiters))

const waiting = 10_000

const timeouts = (use: AnyEffect): AnyEffect =>
  Effect.forEach(Array.from({ length: waiting }), () => Effect.ignore(use), { concurrency: "unbounded", discard: true })

const interrupts = (use: AnyEffect): AnyEffect =>
  Effect.gen(function*() {
    const fibers = yield* Effect.forEach(Array.from({ length: waiting }), () => Effect.forkChild(use))
    yield* Effect.yieldNow
    for (const fiber of fibers) fiber.interruptUnsafe()
    yield* Effect.yieldNow
  })

const done = Effect.succeed(1)
const yields = Effect.yieldNow
const promises = Effect.promise(resolved)
const immediates = Effect.promise(immediate)

const hold = (body: AnyEffect) => Pool.use(one, () => body)
const holdTheirs = (body: AnyEffect) => EffectPool.use(oneOfTheirs, () => body)

/** Against `effect/Pool` and the others. */
export const cases: ReadonlyArray<Case> = [
  {
    name: "use, nobody waits",
    count: 20_000,
    runs: {
      ours: runs(repeat(20_000, Pool.use(ten, () => done))),
      effect: runs(repeat(20_000, EffectPool.use(tenOfTheirs, () => done))),
      ...peers(1, 20_000, resolved)
    }
  },
  {
    name: "scoped get, nobody waits",
    count: 20_000,
    runs: {
      ours: runs(repeat(20_000, Effect.scoped(Pool.get(ten)))),
      effect: runs(repeat(20_000, Effect.scoped(EffectPool.get(tenOfTheirs))))
    }
  },
  {
    name: "use, 100 over 10",
    count: 10_000,
    runs: {
      ours: runs(together(100, 100, Pool.use(ten, () => yields))),
      effect: runs(together(100, 100, EffectPool.use(tenOfTheirs, () => yields)))
    }
  },
  {
    name: "scoped get, 100 over 10",
    count: 10_000,
    runs: {
      ours: runs(together(100, 100, scopedGet(ten, yields))),
      effect: runs(together(100, 100, scopedGetOfTheirs(tenOfTheirs, yields)))
    }
  },
  {
    name: "use, 10,000 over 10",
    count: 10_000,
    runs: {
      ours: runs(together(10_000, 1, Pool.use(ten, () => yields))),
      effect: runs(together(10_000, 1, EffectPool.use(tenOfTheirs, () => yields)))
    }
  },
  {
    name: "scoped get, 10,000 over 10",
    count: 10_000,
    runs: {
      ours: runs(together(10_000, 1, scopedGet(ten, yields))),
      effect: runs(together(10_000, 1, scopedGetOfTheirs(tenOfTheirs, yields)))
    }
  },
  {
    name: "use, 1,000 over 1,000",
    count: 10_000,
    runs: {
      ours: runs(together(1000, 10, Pool.use(thousand, () => yields))),
      effect: runs(together(1000, 10, EffectPool.use(thousandOfTheirs, () => yields)))
    }
  },
  {
    name: "scoped get, 1,000 over 1,000",
    count: 10_000,
    runs: {
      ours: runs(together(1000, 10, scopedGet(thousand, yields))),
      effect: runs(together(1000, 10, scopedGetOfTheirs(thousandOfTheirs, yields)))
    }
  },
  {
    name: "use, 100 over 10, body a resolved promise",
    count: 10_000,
    runs: {
      ours: runs(together(100, 100, Pool.use(ten, () => promises))),
      effect: runs(together(100, 100, EffectPool.use(tenOfTheirs, () => promises))),
      ...peers(100, 100, resolved)
    }
  },
  {
    name: "use, 100 over 10, body setImmediate",
    count: 10_000,
    runs: {
      ours: runs(together(100, 100, Pool.use(ten, () => immediates))),
      effect: runs(together(100, 100, EffectPool.use(tenOfTheirs, () => immediates))),
      ...peers(100, 100, immediate)
    }
  },
  {
    name: "use with a timeout that does not fire, 100 over 10",
    count: 10_000,
    rounds: 15,
    runs: {
      ours: runs(together(100, 100, Pool.use(ten, () => yields, { timeout: "10 seconds" }))),
      effect: runs(
        together(
          100,
          100,
          Effect.scoped(Effect.andThen(Effect.timeout(EffectPool.get(tenOfTheirs), "10 seconds"), yields))
        )
      )
    }
  },
  {
    name: "10,000 waiters time out at one deadline",
    count: waiting,
    rounds: 10,
    runs: {
      ours: runs(exhausted(hold, timeouts(Pool.use(one, () => done, { timeout: 20 })))),
      effect: runs(exhausted(holdTheirs, timeouts(Effect.timeout(EffectPool.use(oneOfTheirs, () => done), 20))))
    }
  },
  {
    name: "10,000 waiters interrupted: use",
    count: waiting,
    runs: {
      ours: runs(exhausted(hold, interrupts(Pool.use(one, () => done)))),
      effect: runs(exhausted(holdTheirs, interrupts(EffectPool.use(oneOfTheirs, () => done))))
    }
  },
  {
    name: "10,000 waiters interrupted: scoped get",
    count: waiting,
    runs: {
      ours: runs(exhausted(hold, interrupts(Effect.scoped(Pool.get(one))))),
      effect: runs(exhausted(holdTheirs, interrupts(Effect.scoped(EffectPool.get(oneOfTheirs)))))
    }
  },
  {
    name: "make and close a pool of 10",
    count: 100,
    runs: {
      ours: runs(repeat(100, Effect.scoped(Pool.make({ acquire: Effect.sync(() => ({})), max: 10, min: 10 })))),
      effect: runs(repeat(100, Effect.scoped(EffectPool.make({ acquire: Effect.sync(() => ({})), size: 10 }))))
    }
  }
]

/** What the runtime itself costs. */
export const floors: ReadonlyArray<Case> = [
  {
    name: "an exit frame alone",
    count: 20_000,
    runs: { floor: runs(repeat(20_000, Effect.onExitPrimitive(done, () => undefined))) }
  },
  { name: "yieldNow", count: 20_000, runs: { floor: runs(repeat(20_000, yields)) } },
  { name: "twice yieldNow", count: 20_000, runs: { floor: runs(repeat(20_000, Effect.andThen(yields, yields))) } },
  { name: "Effect.scoped", count: 20_000, runs: { floor: runs(repeat(20_000, Effect.scoped(done))) } }
]

// -----------------------------------------------------------------------------------------------------------------
// what is compared with something else than another pool
// -----------------------------------------------------------------------------------------------------------------

interface Connection {
  query(sql: string): Effect.Effect<string>
}

const connection: Connection = { query: (sql) => Effect.succeed(sql) }

class Plain extends Context.Service<Plain, Connection>()("benchmark/Plain") {}
class Database extends Proxy.Service<Database, Connection>()("benchmark/Database") {}

const plain = Plain.use((service) => service.query("select 1"))

/** A forwarded call in a Scope that holds its object, against the same method of a plain service. */
export const forwarded: Case = {
  name: "a forwarded call in a held Scope",
  count: 50_000,
  runs: {
    ours: runs(
      Effect.scoped(Effect.flatMap(Database, (db) => repeatIn(50_000, db.query("select 1")))).pipe(
        Effect.provide(Database.layerPool({ acquire: Effect.succeed(connection), max: 1 }))
      )
    ),
    plain: runs(Effect.suspend(() => repeatIn(50_000, plain)).pipe(Effect.provideService(Plain, connection)))
  }
}

const hour = "1 hour"
const withOptions = await ours(10, { idleTimeToLive: hour, timeToLive: hour, borrowWarning: hour })

/** What options cost a borrow that does not need them. */
export const options: Case = {
  name: "idleTimeToLive, timeToLive and borrowWarning switched on",
  count: 20_000,
  rounds: 40,
  runs: {
    on: runs(repeat(20_000, Pool.use(withOptions, () => done))),
    off: runs(repeat(20_000, Pool.use(ten, () => done)))
  }
}

const watched = await ours(10)
Effect.runFork(Stream.runDrain(Pool.events(watched)))
await Effect.runPromise(Effect.sleep(10))

const readMetrics = Effect.sync(() => Metric.snapshotUnsafe(Context.empty()))

/** What it costs a borrow that somebody reads the metrics, here after every thousand borrows. */
export const metrics: Case = {
  name: "metrics read",
  count: 20_000,
  rounds: 40,
  runs: {
    read: runs(repeat(20, Effect.andThen(repeat(1000, Pool.use(ten, () => done)), readMetrics))),
    unread: runs(repeat(20, Effect.andThen(repeat(1000, Pool.use(ten, () => done)), Effect.void)))
  }
}

/** What it costs a borrow that somebody listens to the events. */
export const listener: Case = {
  name: "a listener",
  count: 20_000,
  runs: {
    on: runs(repeat(20_000, Pool.use(watched, () => done))),
    off: runs(repeat(20_000, Pool.use(ten, () => done)))
  }
}

/** A borrow among many waiters; the cost of the fibers is in both. */
export const growth = (waiters: number): Case => ({
  name: `a borrow among ${waiters.toLocaleString("en")} waiters`,
  count: waiters,
  rounds: waiters > 10_000 ? 4 : 20,
  runs: {
    ours: runs(together(waiters, 1, Pool.use(ten, () => yields))),
    fork: runs(together(waiters, 1, yields))
  }
})
