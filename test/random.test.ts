import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import type { PoolError } from "../src/index.ts"
import { Pool } from "../src/index.ts"
import type { Thing } from "./utils.ts"
import { checkServes, checkStats, ended, settle, start, Workshop } from "./utils.ts"

/** Chance that can be repeated. */
class Chance {
  private state: number

  constructor(seed: number) {
    this.state = seed
  }

  /** From 0 to 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** From 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end)
  }

  happens(share: number): boolean {
    return this.next() < share
  }
}

/** What goes wrong, and how often, from 0 to 1. */
interface Trouble {
  readonly acquire?: number
  readonly hooks?: number
  readonly bodies?: number
  readonly finalizers?: number
  readonly interruptions?: number
  readonly controls?: number
}

type Setting = Partial<Omit<Pool.Options<Thing, string>, "acquire" | "onBorrow" | "onReturn" | "healthCheck">> & {
  readonly max: number
  readonly hooks?: boolean
  readonly checks?: boolean
}

/** One pool in a world where anything may go wrong at any time. */
class Life {
  readonly workshop = new Workshop()
  readonly violations: Array<string> = []
  calm = false
  private readonly chance: Chance
  private readonly trouble: Trouble
  private readonly setting: Setting
  private readonly inUse = new Map<Thing, number>()
  private readonly revocable: boolean

  constructor(seed: number, setting: Setting, trouble: Trouble) {
    this.chance = new Chance(seed)
    this.setting = setting
    this.trouble = trouble
    this.revocable = setting.borrowLimit !== undefined
  }

  private goesWrong(share = 0): boolean {
    return !this.calm && this.chance.happens(share)
  }

  private readonly pause = Effect.suspend(() => {
    const duration = this.chance.below(8)
    return duration === 0 ? Effect.void : duration === 1 ? Effect.yieldNow : Effect.sleep(duration)
  })

  private readonly mishap: Effect.Effect<void, string> = Effect.suspend(() => {
    switch (this.chance.below(5)) {
      case 0:
        return Effect.fail("failed")
      case 1:
        return Effect.die("died")
      case 2:
        return Effect.interrupt
      case 3:
        return Effect.sleep(200)
      default:
        return Effect.uninterruptible(Effect.sleep(60))
    }
  })

  private maybe(share: number | undefined): Effect.Effect<void, string> {
    return Effect.suspend(() => this.goesWrong(share) ? this.mishap : this.pause)
  }

  private readonly acquire: Effect.Effect<Thing, string, Scope.Scope> = Effect.gen({ self: this }, function*() {
    yield* this.maybe(this.trouble.acquire)
    const thing = yield* this.workshop.acquire
    yield* Effect.addFinalizer(() => Effect.ignore(this.maybe(this.trouble.finalizers)))
    yield* this.maybe(this.trouble.acquire)
    return thing
  })

  make(): Effect.Effect<Pool.Pool<Thing, string>, never, Scope.Scope> {
    const { checks = false, hooks = false, ...options } = this.setting
    const hook = () => this.maybe(this.trouble.hooks)
    return Pool.make({
      ...options,
      acquire: this.acquire,
      onBorrow: hooks ? hook : undefined,
      onReturn: hooks ? hook : undefined,
      healthCheck: checks
        ? () => Effect.as(hook(), !this.goesWrong(this.trouble.hooks))
        : undefined
    })
  }

  private enter(thing: Thing): void {
    const users = (this.inUse.get(thing) ?? 0) + 1
    this.inUse.set(thing, users)
    if (users > (this.setting.concurrency ?? 1)) this.violations.push(`${thing.id} is lent twice`)
    if (this.workshop.unmade.includes(thing.id)) this.violations.push(`${thing.id} is lent though it is destroyed`)
  }

  private leave(thing: Thing): void {
    this.inUse.set(thing, this.inUse.get(thing)! - 1)
    const gone = this.workshop.unmade.includes(thing.id)
    if (gone && !this.revocable) this.violations.push(`${thing.id} is destroyed while it is held`)
  }

  private work(thing: Thing): Effect.Effect<void, string, Scope.Scope> {
    return Effect.andThen(
      Effect.acquireRelease(Effect.sync(() => this.enter(thing)), () => Effect.sync(() => this.leave(thing))),
      this.maybe(this.trouble.bodies)
    )
  }

  /** A borrower of some kind. */
  borrow(pool: Pool.Pool<Thing, string>): Effect.Effect<unknown, string | PoolError.PoolError> {
    const work = (thing: Thing) => this.work(thing)
    const kind = this.chance.below(10)
    const options = this.chance.happens(0.2) ? { timeout: this.chance.below(40) } : {}
    if (kind < 5) return Pool.use(pool, (thing) => Effect.scoped(work(thing)), options)
    if (kind < 8) return Effect.scoped(Effect.flatMap(Pool.get(pool, options), work))
    if (kind < 9) {
      return Effect.scoped(Effect.flatMap(Pool.poll(pool), Option.match({ onNone: () => Effect.void, onSome: work })))
    }
    return Pool.use(pool, (thing) => Effect.andThen(Pool.invalidate(pool, thing), Effect.scoped(work(thing))), options)
  }

  control(pool: Pool.Pool<Thing, string>): Effect.Effect<void> {
    if (!this.goesWrong(this.trouble.controls)) return Effect.void
    const { max, min = 1 } = this.setting
    switch (this.chance.below(6)) {
      case 0:
        return Pool.evict(pool)
      case 1:
        return Pool.suspend(pool)
      case 2:
        return Pool.resize(pool, { min: Math.min(min, 1), max: Math.max(1, max - 2) })
      case 3:
        return Pool.resize(pool, { min, max })
      default:
        return Pool.resume(pool)
    }
  }

  readonly run = Effect.fnUntraced({ self: this }, function*(steps: number) {
    const { max, min = 1 } = this.setting
    const pool = yield* this.make()
    const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
    const check = Effect.map(Pool.stats(pool), (stats) => {
      checkStats(stats, max)
      if (this.violations.length > 0) assert.fail(this.violations.join())
    })
    for (let step = 0; step < steps; step++) {
      for (let i = this.chance.below(12); i > 0; i--) {
        const fiber = yield* start(this.borrow(pool))
        fibers.push(fiber)
        if (this.chance.happens(this.trouble.interruptions ?? 0)) {
          if (this.chance.happens(0.3)) fiber.interruptUnsafe()
          else yield* start(Effect.andThen(this.pause, Effect.sync(() => fiber.interruptUnsafe())))
        }
      }
      yield* this.control(pool)
      yield* check
      yield* TestClock.adjust(this.chance.below(10))
      yield* check
    }
    // whatever is under way comes to an end
    this.calm = true
    yield* Pool.resume(pool)
    yield* Pool.resize(pool, { min, max })
    for (let i = 0; i < 30; i++) {
      yield* TestClock.adjust(1000)
      yield* check
    }
    assert.isTrue(fibers.every((fiber) => ended(fiber) !== undefined), "everybody is answered")
    let rest = yield* Pool.stats(pool)
    // objects that have reached their age are replaced at any time
    for (let i = 0; i < 100 && rest.creating + rest.destroying > 0; i++) {
      yield* TestClock.adjust(1)
      rest = yield* Pool.stats(pool)
    }
    assert.deepStrictEqual([rest.waiting, rest.inUse, rest.borrowed - rest.returned], [0, 0, 0])
    // where objects grow old some are always on their way
    if (this.setting.timeToLive === undefined) {
      assert.deepStrictEqual([rest.creating, rest.destroying], [0, 0])
      assert.isAtLeast(rest.size, min)
    }
    const serving = yield* start(checkServes(pool, max, this.setting.concurrency))
    for (let i = 0; i < 10 && ended(serving) === undefined; i++) yield* TestClock.adjust(1000)
    assert.deepStrictEqual(ended(serving), Exit.void)
    const closing = yield* start(Pool.shutdown(pool))
    yield* TestClock.adjust("1 minute")
    yield* Fiber.join(closing)
    yield* settle
    const after = yield* Pool.stats(pool)
    assert.strictEqual(this.workshop.alive, 0, "all are destroyed")
    assert.strictEqual(Object.values(after.destroyed).reduce((sum, count) => sum + count, 0), after.created)
    const outcomes = fibers.map((fiber) => ended(fiber)?._tag)
    return { fibers: fibers.length, served: outcomes.filter((tag) => tag === "Success").length }
  })
}

const createRetry = Schedule.spaced(5)

const lives: ReadonlyArray<readonly [name: string, setting: Setting, trouble: Trouble]> = [
  ["where nothing goes wrong", { max: 3 }, {}],
  ["with interruptions at random", { max: 3, min: 2 }, { interruptions: 0.4 }],
  ["with hooks, and interruptions at random", { max: 3, min: 2, hooks: true }, { interruptions: 0.4 }],
  ["with creations that fail or hang", { max: 4, min: 2, createRetry, createTimeout: 50, destroyTimeout: 50 }, {
    acquire: 0.3,
    interruptions: 0.2
  }],
  ["with bodies that fail, die and hang", { max: 3, min: 0 }, { bodies: 0.3, interruptions: 0.1 }],
  ["with hooks and checks that fail, die and hang", {
    max: 4,
    min: 1,
    hooks: true,
    checks: true,
    healthAfterIdle: 5,
    healthInterval: 20,
    healthTimeout: 30,
    hookTimeout: 30,
    createRetry
  }, { hooks: 0.2, bodies: 0.1, interruptions: 0.2 }],
  ["with finalizers that fail, die and hang", { max: 3, min: 3, maxUses: 3, destroyTimeout: 30, createRetry }, {
    finalizers: 0.3,
    bodies: 0.1
  }],
  ["with limits of every kind", {
    max: 4,
    min: 2,
    order: "fifo",
    maxUses: 20,
    maxWaiting: 10,
    maxCreating: 2,
    timeToLive: 60,
    idleTimeToLive: 10,
    borrowWarning: 10,
    borrowLimit: 15,
    borrowTimeout: 50
  }, { bodies: 0.2, interruptions: 0.2 }],
  ["that is evicted, resized and suspended", { max: 5, min: 3, borrowTimeout: 100 }, {
    controls: 0.5,
    interruptions: 0.2
  }],
  ["with shared objects", { max: 3, min: 1, concurrency: 3, hooks: true, createRetry }, {
    hooks: 0.05,
    bodies: 0.1,
    interruptions: 0.3,
    controls: 0.1
  }],
  ["with everything at once", {
    max: 5,
    min: 2,
    hooks: true,
    checks: true,
    healthAfterIdle: 5,
    healthInterval: 20,
    healthTimeout: 30,
    hookTimeout: 30,
    createTimeout: 50,
    destroyTimeout: 30,
    timeToLive: 100,
    idleTimeToLive: 15,
    borrowLimit: 40,
    maxUses: 10,
    maxCreating: 2,
    createRetry
  }, { acquire: 0.1, hooks: 0.1, bodies: 0.1, finalizers: 0.1, interruptions: 0.2, controls: 0.1 }]
]

const seeds = Number(process.env["RANDOM_SEEDS"] ?? 2)
const steps = 80

describe("a life", () => {
  for (const [index, [name, setting, trouble]] of lives.entries()) {
    it.effect(`${name}: nothing is lost, nothing is lent twice, everybody is answered`, () =>
      Effect.gen(function*() {
        for (let seed = 0; seed < seeds; seed++) {
          const life = new Life(1000 * index + seed, setting, trouble)
          const { fibers, served } = yield* life.run(steps).pipe(
            // told at once: what is still under way may keep the pool from closing
            Effect.tapCause((cause) => Effect.sync(() => console.error(`seed ${seed}:`, Cause.pretty(cause)))),
            Effect.scoped
          )
          assert.isAbove(fibers, 100)
          assert.isAbove(served, 0)
        }
      }))
  }
})
