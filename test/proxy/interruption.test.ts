import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Exit, Layer, Scheduler, Scope, Stream } from "effect"
import type { Fiber } from "effect"
import type { Pool as PoolType } from "proxy-pattern-pool"
import { Pool, Proxy } from "proxy-pattern-pool"
import { expected, Steps, steps } from "../steps.ts"
import { checkStats } from "../utils.ts"

/** Time stands still, until it is over. */
class Time implements Clock.Clock {
  private isOver = false
  private sleepers: Array<() => void> = []
  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())

  currentTimeMillisUnsafe(): number {
    return this.isOver ? 3_600_000 : 0
  }

  currentTimeNanosUnsafe(): bigint {
    return BigInt(this.currentTimeMillisUnsafe()) * 1_000_000n
  }

  monotonicTimeNanosUnsafe(): bigint {
    return this.currentTimeNanosUnsafe()
  }

  sleep(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (!this.isOver) this.sleepers.push(() => resume(Effect.void))
    })
  }

  over(): void {
    this.isOver = true
    for (const wake of this.sleepers.splice(0)) wake()
  }
}

/** Knows who uses it, and whether somebody was torn away from it. */
class Tool {
  destroyed = false
  private owner: object | undefined = undefined
  private users = 0
  private torn = false
  private readonly complain: (what: string) => void

  constructor(complain: (what: string) => void) {
    this.complain = complain
  }

  /** Done at once. */
  touch(owner: object): Effect.Effect<void> {
    this.enter(owner)
    this.leave(Exit.void)
    return Effect.void
  }

  work(owner: object): Effect.Effect<void> {
    return Effect.suspend(() => {
      let entered = false
      const used = Effect.andThen(
        Effect.sync(() => {
          this.enter(owner)
          entered = true
        }),
        steps
      )
      return Effect.onExit(used, (exit) => Effect.sync(() => entered && this.leave(exit)))
    })
  }

  /** Begins at once, and ends though nobody waits any longer. */
  promise(owner: object): Promise<void> {
    this.enter(owner)
    return Promise.resolve().then(() => Promise.resolve()).then(() => this.leave(Exit.void))
  }

  /** Looks whether it still works, and makes it as new. */
  check(): Effect.Effect<boolean> {
    return Effect.andThen(
      steps,
      Effect.sync(() => {
        this.torn = false
        return true
      })
    )
  }

  hang(): Promise<never> {
    return new Promise(() => {})
  }

  rows(owner: object): Stream.Stream<void> {
    return Stream.fromEffect(this.work(owner))
  }

  private enter(owner: object): void {
    if (this.destroyed) this.complain("it is used though it is destroyed")
    if (this.owner !== owner) {
      if (this.users > 0) this.complain("it is lent twice")
      if (this.torn) this.complain("it is lent though nobody knows its state")
      this.owner = owner
    }
    this.users++
  }

  private leave(exit: Exit.Exit<unknown, unknown>): void {
    this.users--
    if (Exit.isFailure(exit)) this.torn = true
  }
}

class Tools extends Proxy.Service<Tools, Tool>()("app/Tools") {}

type Setting = Omit<PoolType.Options<Tool>, "acquire">

/** One pool behind a proxy, and what is done with it while somebody is interrupted. */
class World {
  readonly steps: Steps
  readonly time = new Time()
  private readonly setting: Setting
  private readonly scope = Scope.makeUnsafe()
  private readonly violations: Array<string> = []
  private readonly context: Context.Context<Tools>
  private made = 0
  private unmade = 0
  private borrowHooks = 0
  private returnHooks = 0

  constructor(setting: Setting, at: number, yields: boolean) {
    this.setting = setting
    this.steps = new Steps(at, yields)
    const { onBorrow, onReturn } = setting
    const layer = Tools.layerPool({
      ...setting,
      acquire: Effect.andThen(steps, Effect.andThen(this.acquire, (tool) => Effect.as(steps, tool))),
      ...(onBorrow &&
        { onBorrow: (tool: Tool) => Effect.andThen(onBorrow(tool), Effect.sync(() => this.borrowHooks++)) }),
      ...(onReturn && {
        onReturn: (tool: Tool, exit: Exit.Exit<unknown, unknown>) =>
          Effect.andThen(Effect.sync(() => this.returnHooks++), onReturn(tool, exit))
      })
    })
    const around = Context.make(Clock.Clock, this.time).pipe(Context.add(Scheduler.Scheduler, this.steps))
    const built = Effect.runForkWith(around)(Layer.buildWithScope(layer, this.scope))
    this.steps.run()
    const exit = built.pollUnsafe()
    if (exit?._tag !== "Success") throw new Error(`the layer is built: ${String(exit)}`)
    this.context = Context.merge(around, exit.value)
  }

  private readonly acquire: Effect.Effect<Tool, never, Scope.Scope> = Effect.acquireRelease(
    Effect.sync(() => {
      this.made++
      return new Tool((what) => this.violations.push(what))
    }),
    (tool) =>
      Effect.sync(() => {
        if (tool.destroyed) this.violations.push("it is destroyed twice")
        tool.destroyed = true
        this.unmade++
      })
  )

  fork<A, E>(effect: Effect.Effect<A, E, Tools>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.context)(effect)
  }

  /** Something happens to whoever runs this. */
  beset<A, E>(effect: Effect.Effect<A, E, Tools>, act: () => void): Fiber.Fiber<A, E> {
    const fiber = this.fork(Effect.andThen(Effect.yieldNow, effect))
    this.steps.act = act
    return fiber
  }

  /** Whoever runs this is interrupted. */
  attack<A, E>(effect: Effect.Effect<A, E, Tools>): Fiber.Fiber<A, E> {
    const victim: Fiber.Fiber<A, E> = this.beset(effect, () => victim.interruptUnsafe())
    return victim
  }

  /** Runs to the end without another interruption. */
  private finish<A, E>(effect: Effect.Effect<A, E, Tools>): A {
    this.steps.act = undefined
    const fiber = this.fork(effect)
    this.steps.run()
    const exit = fiber.pollUnsafe()
    if (exit?._tag !== "Success") throw new Error(`it ends well: ${String(exit)}`)
    return exit.value
  }

  private readonly stats = Effect.flatMap(Tools.pool, Pool.stats)

  /** Nothing is lost, nothing is lent twice or in an unknown state, and the pool serves as before. */
  check(kept = false): void {
    const before = this.finish(this.stats)
    checkStats(before)
    expected(before.borrowed === before.returned, "all is back")
    const { revoked } = before.destroyed
    expected(before.waiting + before.creating + before.destroying + before.inUse === 0, "nothing is under way")
    if (kept && this.setting.onBorrow === undefined) expected(before.destroyed.failed === 0, "what was not hit is kept")
    if (this.setting.onReturn !== undefined) {
      expected(this.returnHooks >= before.borrowed - revoked, "onReturn runs for each borrow")
      const most = this.setting.onBorrow === undefined ? before.borrowed : this.borrowHooks
      expected(this.returnHooks <= most, "onReturn runs once")
    }
    const one = Effect.flatMap(Effect.all([Tools, Effect.scope]), ([tools, scope]) => tools.work(scope))
    const all = Array.from({ length: this.setting.max }, () => Effect.scoped(one))
    this.finish(Effect.all(all, { concurrency: "unbounded" }))
    this.checkClosed()
  }

  /** Everything that was made is destroyed. */
  checkClosed(): void {
    this.finish(Effect.flatMap(Tools.pool, Pool.shutdown))
    const after = this.finish(this.stats)
    expected(this.violations.length === 0, this.violations.join())
    expected(after.borrowed === after.returned, "all is back")
    expected(after.size + after.creating + after.destroying + after.waiting === 0, "nothing is left")
    expected(this.made === this.unmade, "all are destroyed")
    this.finish(Scope.close(this.scope, Exit.void))
  }
}

/**
 * Runs it with an interruption at the first step, at the second, and so on, until it has ended before: with fibers that
 * take turns, and where `also` says so, with fibers that run as far as they can. Gives the number of steps.
 */
const atEveryStep = (setting: Setting, run: (world: World) => void, also?: "in one go" | undefined): number => {
  let least = Infinity
  for (const yields of also === undefined ? [true] : [true, false]) {
    for (let at = 1;; at++) {
      const world = new World(setting, at, yields)
      try {
        run(world)
      } catch (error) {
        throw new Error(`at step ${at}${yields ? ", taking turns" : ""}: ${String(error)}`, { cause: error })
      }
      if (world.steps.count < at) {
        least = Math.min(least, at)
        break
      }
    }
  }
  return least
}

// -----------------------------------------------------------------------------------------------------------------

interface Form {
  readonly run: (owner: object) => Effect.Effect<unknown, unknown, Tools>
  /** Nothing that it does can be hit. */
  readonly kept?: boolean
  /** Made of what other forms are made of: it is tried where most happens only. */
  readonly mixed?: boolean
}

const call = (owner: object) => Effect.flatMap(Tools, (tools) => tools.work(owner))
const touch = (owner: object) => Effect.flatMap(Tools, (tools) => tools.touch(owner))
const raw = (owner: object) => Effect.flatMap(Tools.object, (tool) => tool.work(owner))
const alone = (owner: object) => Tools.useObject((tool) => tool.work(owner))
const perCall = (owner: object) => Effect.flatMap(Tools.perCall, (tools) => tools.work(owner))
const rows = (owner: object) =>
  Stream.runDrain(Stream.unwrap(Effect.map(Tools, (tools) => Stream.unwrap(tools.rows(owner)))))

const forms: Record<string, Form> = {
  "a forwarded call": { run: (owner) => Effect.scoped(call(owner)) },
  "finished calls": {
    run: (owner) => Effect.scoped(Effect.andThen(touch(owner), Effect.andThen(steps, touch(owner)))),
    kept: true
  },
  "calls side by side in one Scope": {
    run: (owner) => Effect.scoped(Effect.all([call(owner), touch(owner), call(owner)], { concurrency: "unbounded" }))
  },
  "a unit and its nested Scopes": {
    run: (owner) => Tools.scoped(Effect.andThen(Effect.scoped(call(owner)), Tools.scoped(touch(owner))))
  },
  "finished calls in a unit": {
    run: (owner) => Tools.scoped(Effect.andThen(Effect.scoped(touch(owner)), Effect.andThen(steps, touch(owner)))),
    kept: true,
    mixed: true
  },
  "useObject in a unit": { run: (owner) => Tools.scoped(Effect.scoped(alone(owner))), mixed: true },
  "perCall in a unit": { run: (owner) => Tools.scoped(perCall(owner)), mixed: true },
  "object": { run: (owner) => Effect.scoped(raw(owner)) },
  "useObject": { run: alone, mixed: true },
  "perCall": { run: perCall },
  "a Stream": { run: rows, mixed: true }
}

const hooks = { onBorrow: () => steps, onReturn: () => steps }

const settings: Record<string, Omit<Setting, "max">> = {
  "plain": {},
  "with onReturn": { onReturn: hooks.onReturn },
  "with a borrowLimit": { borrowLimit: "1 hour" },
  "with a borrowLimit, hooks and checks": {
    ...hooks,
    borrowLimit: "1 hour",
    healthAfterIdle: 0,
    healthCheck: (tool) => tool.check()
  }
}

/** The victim and the one behind it: whoever waits is served, whatever happens to the first. */
const attackAndServe = (world: World, form: Form): void => {
  const victim = world.attack(form.run({}))
  const next = world.fork(Effect.andThen(Effect.yieldNow, Effect.scoped(call({}))))
  world.steps.run()
  expected(victim.pollUnsafe() !== undefined, "the victim ends")
  expected(next.pollUnsafe()?._tag === "Success", "the next is served")
  world.check(form.kept)
}

describe("whoever is interrupted at any step", () => {
  for (const [how, setting] of Object.entries(settings)) {
    for (const [name, form] of Object.entries(forms)) {
      const [isPlain, isRich] = [how === "plain", setting.onBorrow !== undefined]
      if (!isRich && (form.mixed === true || (!isPlain && form.run !== forms["a forwarded call"].run))) continue

      it(`loses nothing while it waits and is handed an object: ${name}, ${how}`, () => {
        const count = atEveryStep({ ...setting, max: 1, min: 1 }, (world) => {
          world.fork(Effect.scoped(Effect.andThen(touch({}), steps)))
          attackAndServe(world, form)
        })
        assert.isAbove(count, 5)
      })

      if (form.mixed === true || !(isPlain || isRich)) continue

      it(`loses nothing while an object is idle: ${name}, ${how}`, () => {
        const count = atEveryStep(
          { ...setting, max: 1, min: 1 },
          (world) => attackAndServe(world, form),
          isPlain ? "in one go" : undefined
        )
        assert.isAbove(count, 5)
      })

      it(`loses nothing while an object is created: ${name}, ${how}`, () => {
        assert.isAbove(atEveryStep({ ...setting, max: 2, min: 0 }, (world) => attackAndServe(world, form)), 5)
      })

      it(`lets the pool close at the same time: ${name}, ${how}`, () => {
        const count = atEveryStep({ ...setting, max: 2, min: 1 }, (world) => {
          const victim = world.attack(form.run({}))
          const closing = world.fork(Effect.andThen(Effect.yieldNow, Effect.flatMap(Tools.pool, Pool.shutdown)))
          world.steps.run()
          expected(victim.pollUnsafe() !== undefined, "the victim ends")
          expected(closing.pollUnsafe()?._tag === "Success", "the pool closes")
          world.checkClosed()
        })
        assert.isAbove(count, 5)
      })
    }
  }
})

describe("of callers that share a Scope", () => {
  for (const how of ["plain", "with a borrowLimit, hooks and checks"]) {
    const setting = settings[how]
    it(`one that is interrupted at any step takes nothing from the others: ${how}`, () => {
      for (const min of [0, 1]) {
        const count = atEveryStep({ ...setting, max: 1, min }, (world) => {
          const scope = Scope.makeUnsafe()
          const owner = {}
          const inScope = <A, E>(effect: Effect.Effect<A, E, Tools | Scope.Scope>) => Scope.provide(effect, scope)
          const victim = world.attack(inScope(call(owner)))
          const others = [touch, call].map((f) => world.fork(Effect.andThen(Effect.yieldNow, inScope(f(owner)))))
          world.steps.run()
          expected(victim.pollUnsafe() !== undefined, "the victim ends")
          for (const other of others) expected(other.pollUnsafe()?._tag === "Success", "the others are served")
          world.fork(Scope.close(scope, Exit.void))
          world.steps.run()
          world.check()
        }, "in one go")
        assert.isAbove(count, 5)
      }
    })

    it(`one that is interrupted while their Scope closes leaves all well: ${how}`, () => {
      const count = atEveryStep({ ...setting, max: 1, min: 1 }, (world) => {
        const scope = Scope.makeUnsafe()
        const victim = world.attack(Scope.provide(call({}), scope))
        const closing = world.fork(Effect.andThen(Effect.yieldNow, Scope.close(scope, Exit.void)))
        const next = world.fork(Effect.andThen(Effect.yieldNow, Effect.scoped(call({}))))
        world.steps.run()
        expected(victim.pollUnsafe() !== undefined, "the victim ends")
        expected(closing.pollUnsafe()?._tag === "Success", "the Scope closes")
        expected(next.pollUnsafe()?._tag === "Success", "the next is served")
        world.check()
      }, "in one go")
      assert.isAbove(count, 5)
    })

    it(`those whose Scope closes at any step end, and nobody else has the object meanwhile: ${how}`, () => {
      const count = atEveryStep({ ...setting, max: 1, min: 1 }, (world) => {
        const scope = Scope.makeUnsafe()
        const owner = {}
        const inScope = <A, E>(effect: Effect.Effect<A, E, Tools | Scope.Scope>) => Scope.provide(effect, scope)
        const calls = Effect.andThen(inScope(call(owner)), inScope(call(owner)))
        const callers = [
          world.beset(calls, () => world.steps.soon(() => void world.fork(Scope.close(scope, Exit.void)))),
          world.fork(calls)
        ]
        const next = world.fork(Effect.andThen(Effect.yieldNow, Effect.scoped(call({}))))
        world.steps.run()
        world.fork(Scope.close(scope, Exit.void))
        world.steps.run()
        for (const caller of callers) expected(caller.pollUnsafe() !== undefined, "the callers end")
        expected(next.pollUnsafe()?._tag === "Success", "the next is served")
        world.check()
      })
      assert.isAbove(count, 5)
    })
  }
})

describe("whoever is revoked at any step", () => {
  const limits = {
    borrowLimit: "1 hour",
    borrowTimeout: "1 day",
    createTimeout: "1 day",
    hookTimeout: "1 day"
  } as const
  for (
    const name of [
      "a forwarded call",
      "finished calls",
      "a unit and its nested Scopes",
      "useObject in a unit",
      "perCall"
    ]
  ) {
    for (const [how, hooked] of Object.entries({ "plain": {}, "with hooks": hooks })) {
      if (hooked === hooks && forms[name].mixed !== true) continue
      it(`is told, and does nothing with the object afterwards: ${name}, ${how}`, () => {
        const count = atEveryStep({ ...limits, ...hooked, max: 1, min: 1 }, (world) => {
          const victim = world.beset(forms[name].run({}), () => world.steps.soon(() => world.time.over()))
          const next = world.fork(Effect.andThen(Effect.yieldNow, Effect.exit(Effect.scoped(call({})))))
          world.steps.run()
          const exit = victim.pollUnsafe()
          expected(exit?._tag === "Success" || String(exit).includes("was taken back"), `it is told: ${String(exit)}`)
          expected(next.pollUnsafe() !== undefined, "the next ends")
          world.check()
        })
        assert.isAbove(count, 5)
      })
    }
  }
})

describe("a promise", () => {
  const promised = (owner: object) => Effect.flatMap(Tools, (tools) => tools.promise(owner))
  const hanging = Effect.flatMap(Tools, (tools) => tools.hang())
  const inFiber: Record<string, () => Effect.Effect<unknown, unknown, Tools>> = {
    "in a Scope": () => Effect.scoped(promised({})),
    "in a unit": () => Tools.scoped(Effect.scoped(promised({}))),
    "of perCall": () => Effect.flatMap(Tools.perCall, (tools) => tools.promise({})),
    "that never ends": () => Effect.scoped(hanging),
    "whose caller goes on": () =>
      Effect.uninterruptible(
        Effect.andThen(Effect.exit(Effect.interruptible(Effect.scoped(promised({})))), Effect.never)
      )
  }
  const atStep = Effect.fnUntraced(
    function*(victim: Effect.Effect<unknown, unknown, Tools>, at: number, yields: boolean) {
      const world = new World({ max: 1, min: 1 }, at, yields)
      world.attack(victim)
      const next = world.fork(Effect.andThen(Effect.yieldNow, Effect.scoped(call({}))))
      for (let i = 0; i < 10; i++) {
        world.steps.run()
        yield* Effect.promise(() => Promise.resolve())
      }
      if (world.steps.count < at) return false
      expected(next.pollUnsafe()?._tag === "Success", `the next is served: at step ${at}`)
      world.check()
      return true
    }
  )
  for (const [name, victimOf] of Object.entries(inFiber)) {
    it.effect(`${name} that is torn from its caller at any step is under way until it has ended, and its object not lent before`, () =>
      Effect.gen(function*() {
        for (const yields of [true, false]) {
          let at = 1
          while (yield* atStep(victimOf(), at, yields)) at++
          assert.isAbove(at, 5)
        }
      }))
  }
})
