import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import { Pool } from "../src/index.ts"
import { expected, Steps, steps, stopped } from "./steps.ts"
import type { Thing } from "./utils.ts"
import { checkStats, Workshop } from "./utils.ts"

/** One of the fibers may be made to wait at its own n-th step until the others cannot go on. */
class Delays extends Steps {
  latecomer: Fiber.Fiber<unknown, unknown> | undefined = undefined
  private postpones = false
  private postponed: (() => void) | undefined = undefined

  override shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber === this.latecomer ? this.postpones = ++this.count === this.at : super.shouldYield(fiber)
  }

  override soon(task: () => void): void {
    if (this.postpones) this.postponed = task
    else super.soon(task)
    this.postpones = false
  }

  protected override next(): (() => void) | undefined {
    const task = super.next() ?? this.postponed
    if (task === this.postponed) this.postponed = undefined
    return task
  }
}

interface Setting extends Partial<Omit<Pool.Options<Thing>, "acquire">> {
  readonly max: number
}

/** One pool, and what is done with it while somebody is interrupted. */
class World {
  readonly steps: Delays
  readonly workshop = new Workshop()
  readonly max: number
  readonly scope = Scope.makeUnsafe()
  readonly gate = Latch.makeUnsafe()
  readonly violations: Array<string> = []
  pool!: Pool.Pool<Thing>
  borrowHooks = 0
  returnHooks = 0
  private readonly setting: Setting
  private readonly context: Context.Context<Scope.Scope>
  private readonly inUse = new Map<Thing, number>()

  constructor(setting: Setting, at: number, yields: boolean) {
    this.setting = setting
    this.max = setting.max
    this.steps = new Delays(at, yields)
    this.context = Context.make(Scope.Scope, this.scope).pipe(
      Context.add(Clock.Clock, stopped),
      Context.add(Scheduler.Scheduler, this.steps)
    )
    const { onBorrow, onReturn } = setting
    const make = Pool.make({
      ...setting,
      acquire: Effect.andThen(steps, Effect.andThen(this.workshop.acquire, (thing) => Effect.as(steps, thing))),
      onBorrow: onBorrow &&
        ((thing: Thing) => Effect.andThen(onBorrow(thing), Effect.sync(() => this.borrowHooks++))),
      onReturn: onReturn &&
        ((thing: Thing, exit: Exit.Exit<unknown, unknown>) =>
          Effect.andThen(Effect.sync(() => this.returnHooks++), onReturn(thing, exit)))
    })
    const maker = this.fork(Effect.map(make, (pool) => void (this.pool = pool)))
    this.steps.run()
    expected(maker.pollUnsafe()?._tag === "Success", "the pool is made")
  }

  fork<A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.context)(effect)
  }

  /** Whoever runs this is interrupted. */
  attack<A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Fiber.Fiber<A, E> {
    const victim = this.fork(Effect.andThen(Effect.yieldNow, effect))
    this.steps.act = () => victim.interruptUnsafe()
    return victim
  }

  /** Works with an object, and sees to it that nobody else does. */
  readonly work = (thing: Thing): Effect.Effect<void> =>
    Effect.acquireUseRelease(
      Effect.sync(() => this.enter(thing)),
      () => steps,
      () => Effect.sync(() => this.leave(thing))
    )

  /** Whoever runs this waits once, until the others cannot go on. */
  delay<A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Fiber.Fiber<A, E> {
    const latecomer = this.fork(Effect.andThen(Effect.yieldNow, effect))
    this.steps.latecomer = latecomer
    return latecomer
  }

  /** As `work`, until the Scope closes. */
  readonly workInScope = (thing: Thing): Effect.Effect<void, never, Scope.Scope> =>
    Effect.andThen(
      Effect.acquireRelease(Effect.sync(() => this.enter(thing)), () => Effect.sync(() => this.leave(thing))),
      steps
    )

  private enter(thing: Thing): void {
    const users = (this.inUse.get(thing) ?? 0) + 1
    this.inUse.set(thing, users)
    if (users > (this.setting.concurrency ?? 1)) this.violations.push(`${thing.id} is lent twice`)
    if (this.workshop.unmade.includes(thing.id)) this.violations.push(`${thing.id} is lent though it is destroyed`)
  }

  private leave(thing: Thing): void {
    this.inUse.set(thing, this.inUse.get(thing)! - 1)
  }

  /** Runs to the end without another interruption. */
  finish<A, E>(effect: Effect.Effect<A, E, Scope.Scope>): A {
    this.steps.act = undefined
    const fiber = this.fork(effect)
    this.steps.run()
    const exit = fiber.pollUnsafe()
    if (exit?._tag !== "Success") throw new Error(`it ends well: ${String(exit)}`)
    return exit.value
  }

  /** Nothing is lost, nothing is lent twice, and the pool serves as before. */
  check(): void {
    const before = this.finish(Pool.stats(this.pool))
    checkStats(before)
    expected(before.borrowed === before.returned, "all is back")
    expected(before.waiting + before.creating + before.destroying + before.inUse === 0, "nothing is under way")
    if (this.setting.onReturn !== undefined) {
      expected(this.returnHooks >= before.borrowed, "onReturn runs for each borrow")
      // one that is interrupted as it ends has not succeeded
      const most = this.setting.onBorrow === undefined ? before.borrowed : this.borrowHooks
      expected(this.returnHooks <= most, "onReturn runs once")
    }
    const { concurrency = 1 } = this.setting
    const all = Effect.replicateEffect(Pool.get(this.pool), this.max * concurrency)
    const lent = this.finish(Effect.scoped(Effect.map(all, (things) => new Set(things).size)))
    expected(lent === this.max, "every place serves")
    this.checkClosed()
  }

  /** Everything that was made is destroyed. */
  checkClosed(): void {
    this.finish(Pool.shutdown(this.pool))
    const after = this.finish(Pool.stats(this.pool))
    checkStats(after)
    expected(this.violations.length === 0, this.violations.join())
    expected(after.borrowed === after.returned, "all is back")
    expected(after.size + after.creating + after.destroying + after.waiting === 0, "nothing is left")
    expected(this.workshop.alive === 0, "all are destroyed")
    this.finish(Scope.close(this.scope, Exit.void))
  }
}

/**
 * Runs it with an interruption at the first step, at the second, and so on, until it has ended before: with fibers that
 * take turns, and where `also` says so, with fibers that run as far as they can. How many runs that takes.
 */
const atEveryStep = (setting: Setting, run: (world: World) => void, also?: "in one go"): number => {
  let runs = 0
  for (const yields of also === undefined ? [true] : [true, false]) {
    for (let at = 1;; at++) {
      const world = new World(setting, at, yields)
      try {
        run(world)
      } catch (error) {
        throw new Error(`at step ${at}${yields ? ", taking turns" : ""}: ${String(error)}`, { cause: error })
      }
      runs++
      if (world.steps.count < at) break
    }
  }
  return runs
}

// -----------------------------------------------------------------------------------------------------------------

const onBorrow = () => steps
const onReturn = () => steps
const healthCheck = () => Effect.as(steps, true)

const settings: Record<string, Omit<Setting, "max">> = {
  "plain": {},
  "with onReturn": { onReturn },
  "with both hooks": { onBorrow, onReturn },
  "with a borrowLimit and both hooks": { borrowLimit: "1 hour", onBorrow, onReturn },
  "with checks and hooks": { healthCheck, healthAfterIdle: 0, onBorrow, onReturn },
  "with shared objects and hooks": { concurrency: 2, onBorrow, onReturn },
  "with few uses": { maxUses: 2 }
}

type Borrow = (world: World) => Effect.Effect<unknown, unknown, Scope.Scope>

const borrows: Record<string, Borrow> = {
  "use": ({ pool, work }) => Pool.use(pool, work),
  "get": ({ pool, workInScope }) => Effect.scoped(Effect.flatMap(Pool.get(pool), workInScope)),
  "poll": ({ pool, workInScope }) =>
    Effect.scoped(
      Effect.flatMap(Pool.poll(pool), Option.match({ onNone: () => Effect.void, onSome: workInScope }))
    )
}

const getInScopeAround: Borrow = ({ pool, work }) => Effect.flatMap(Pool.get(pool), work)

/** The victim and the one behind it: whoever waits is served, whatever happens to the first. */
const attackAndServe = (world: World, effect: Effect.Effect<unknown, unknown, Scope.Scope>): void => {
  const victim = world.attack(effect)
  const next = world.fork(Effect.andThen(Effect.yieldNow, Pool.use(world.pool, world.work)))
  Effect.runSync(world.gate.open)
  world.steps.run()
  expected(victim.pollUnsafe() !== undefined, "the victim ends")
  expected(next.pollUnsafe()?._tag === "Success", "the next is served")
  world.check()
}

describe("a borrower that is interrupted at any step", () => {
  for (const [how, setting] of Object.entries(settings)) {
    for (const [form, borrow] of Object.entries(borrows)) {
      it(`loses nothing while an object is idle: ${form}, ${how}`, () => {
        assert.isAbove(atEveryStep({ ...setting, max: 1, min: 1 }, (world) => attackAndServe(world, borrow(world))), 5)
      })

      it(`loses nothing while it waits and is handed an object: ${form}, ${how}`, () => {
        assert.isAbove(
          atEveryStep({ ...setting, max: 1, min: 1 }, (world) => {
            const { concurrency = 1 } = setting
            for (let i = 0; i < concurrency; i++) {
              world.fork(Pool.use(world.pool, () => world.gate.await))
            }
            attackAndServe(world, borrow(world))
          }, "in one go"),
          5
        )
      })

      it(`loses nothing while an object is created: ${form}, ${how}`, () => {
        assert.isAbove(atEveryStep({ ...setting, max: 2, min: 0 }, (world) => attackAndServe(world, borrow(world))), 5)
      })

      it(`lets the pool close at the same time: ${form}, ${how}`, () => {
        assert.isAbove(
          atEveryStep({ ...setting, max: 2, min: 1 }, (world) => {
            const victim = world.attack(borrow(world))
            const closing = world.fork(Effect.andThen(Effect.yieldNow, Pool.shutdown(world.pool)))
            world.steps.run()
            expected(victim.pollUnsafe() !== undefined, "the victim ends")
            expected(closing.pollUnsafe()?._tag === "Success", "the pool closes")
            world.checkClosed()
          }),
          5
        )
      })
    }
  }
})

describe("interrupted at any step", () => {
  for (const [how, setting] of Object.entries(settings)) {
    it(`a holder gives its object back, and those that wait are served: ${how}`, () => {
      assert.isAbove(
        atEveryStep({ ...setting, max: 1, min: 0 }, (world) => {
          attackAndServe(world, Pool.use(world.pool, (thing) => Effect.andThen(world.work(thing), world.work(thing))))
        }),
        5
      )
    })

    it(`whoever closes the pool does not stop its closing: ${how}`, () => {
      assert.isAbove(
        atEveryStep({ ...setting, max: 2, min: 1 }, (world) => {
          const holder = world.fork(Pool.use(world.pool, () => world.gate.await))
          const waiter = world.fork(Pool.use(world.pool, () => world.gate.await))
          const caller = world.attack(Pool.shutdown(world.pool))
          world.steps.run()
          Effect.runSync(world.gate.open)
          world.steps.run()
          for (const fiber of [holder, waiter, caller]) expected(fiber.pollUnsafe() !== undefined, "it ends")
          world.checkClosed()
        }),
        5
      )
    })

    it(`whoever closes the pool inside of a body ends: ${how}`, () => {
      assert.isAbove(
        atEveryStep({ ...setting, max: 2, min: 1 }, (world) => {
          const caller = world.attack(Pool.use(world.pool, () => Pool.shutdown(world.pool)))
          world.steps.run()
          expected(caller.pollUnsafe() !== undefined, "it ends")
          world.checkClosed()
        }),
        5
      )
    })

    it(`a waiter whose Scope closes at the same time passes its turn on: ${how}`, () => {
      assert.isAbove(
        atEveryStep({ ...setting, max: 1, min: 1 }, (world) => {
          const { concurrency = 1 } = setting
          for (let i = 0; i < concurrency; i++) world.fork(Pool.use(world.pool, () => world.gate.await))
          const scope = Scope.makeUnsafe()
          world.fork(Effect.andThen(steps, Scope.close(scope, Exit.void)))
          attackAndServe(world, Scope.provide(Effect.flatMap(Pool.get(world.pool), world.work), scope))
        }),
        5
      )
    })
  }

  it("a borrower that is late at any step misses no hand-over, no closing, and not the end of its Scope", () => {
    const events: Record<string, (world: World, scope: Scope.Closeable) => Effect.Effect<unknown>> = {
      "an object comes back": ({ gate }) => gate.open,
      "the pool closes": ({ gate, pool }) => Effect.andThen(gate.open, Pool.shutdown(pool)),
      "the Scope closes": ({ gate }, scope) => Effect.andThen(Scope.close(scope, Exit.void), gate.open)
    }
    for (const setting of [{}, { onReturn }, { onBorrow }]) {
      for (const borrow of [...Object.values(borrows), getInScopeAround]) {
        for (const [event, happens] of Object.entries(events)) {
          for (let at = 1;; at++) {
            const world = new World({ ...setting, max: 1, min: 1 }, at, false)
            const scope = Scope.makeUnsafe()
            world.fork(Pool.use(world.pool, () => world.gate.await))
            const latecomer = world.delay(Scope.provide(borrow(world), scope))
            world.fork(Effect.andThen(Effect.yieldNow, happens(world, scope)))
            world.steps.run()
            assert.isDefined(latecomer.pollUnsafe(), `at step ${at}, ${event}`)
            world.finish(Scope.close(scope, Exit.void))
            if (world.steps.count < at) break
            if (event === "the pool closes") world.checkClosed()
            else world.check()
          }
        }
      }
    }
  })

  it("a body that runs in a fiber of its own is interrupted with its caller, and waited for", () => {
    assert.isAbove(
      atEveryStep({ max: 1, min: 1, borrowLimit: "1 hour" }, (world) => {
        let running = 0
        const body = Effect.acquireUseRelease(
          Effect.sync(() => running++),
          () => Effect.andThen(steps, steps),
          () => Effect.andThen(steps, Effect.sync(() => running--))
        )
        const victim = world.attack(Pool.use(world.pool, () => body))
        victim.addObserver(() => expected(running === 0, "the body has ended"))
        world.steps.run()
        expected(victim.pollUnsafe() !== undefined, "the victim ends")
        world.check()
      }),
      5
    )
  })

  it("a borrower that comes again and again loses nothing, whichever of its borrows is hit", () => {
    for (const setting of [{}, { onReturn }, { onBorrow, onReturn }]) {
      assert.isAbove(
        atEveryStep({ ...setting, max: 1, min: 1 }, (world) => {
          world.fork(Pool.use(world.pool, () => world.gate.await))
          const { get, use } = { get: borrows["get"]!(world), use: borrows["use"]!(world) }
          attackAndServe(world, Effect.all([use, get, use, get, use]))
        }),
        5
      )
    }
  })

  it("of two objects of one fiber both come back", () => {
    assert.isAbove(
      atEveryStep({ max: 2, min: 0, onReturn }, (world) => {
        attackAndServe(
          world,
          Pool.use(
            world.pool,
            (a) =>
              Effect.scoped(Effect.flatMap(Pool.get(world.pool), (b) => Effect.andThen(world.work(a), world.work(b))))
          )
        )
      }),
      5
    )
  })
})
