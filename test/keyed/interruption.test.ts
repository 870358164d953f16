import { assert, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import { KeyedPool, Pool, Proxy } from "../../src/index.ts"
import { of } from "../../src/internal/keyed.ts"
import { Steps, steps, stopped } from "../steps.ts"
import { checkKeyedStats } from "./kit.ts"

interface Thing {
  readonly id: number
  readonly key: string
  work(): Effect.Effect<void>
}

type Setting = Omit<KeyedPool.Options<string, Thing>, "acquire">

class Database extends Proxy.Service<Database, Thing>()("test/Database") {}
class Tenants extends Proxy.KeyedService<Tenants, string>()("test/Tenants", Database) {}

class World {
  readonly steps: Steps
  readonly max: number
  private readonly shared: boolean
  readonly scope = Scope.makeUnsafe()
  alive = 0
  violations: Array<string> = []
  pool!: KeyedPool.KeyedPool<string, Thing>
  private readonly context: Context.Context<Scope.Scope>
  private readonly busy = new Set<Thing>()

  constructor({ slowly, ...setting }: Setting & { readonly slowly: boolean }, at: number, yields: boolean) {
    this.steps = new Steps(at, yields)
    this.max = setting.max
    this.shared = setting.concurrency !== undefined
    this.context = Context.make(Scope.Scope, this.scope).pipe(
      Context.add(Clock.Clock, stopped),
      Context.add(Scheduler.Scheduler, this.steps)
    )
    const pause = slowly ? steps : Effect.void
    const acquire = (key: string) =>
      Effect.flatMap(Effect.service(Pool.CreationNumber), (id) =>
        Effect.andThen(
          pause,
          Effect.acquireRelease(
            Effect.sync((): Thing => {
              if (++this.alive > setting.max) this.violations.push("too many")
              const thing: Thing = { id, key, work: () => this.work(thing) }
              return thing
            }),
            () => Effect.andThen(pause, Effect.sync(() => void this.alive--))
          )
        ))
    this.finish(Effect.map(KeyedPool.make<string, Thing>({ ...setting, acquire }), (pool) => void (this.pool = pool)))
  }

  fork<A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.context)(effect)
  }

  attack(effect: Effect.Effect<unknown, unknown, Scope.Scope>): void {
    const victim = this.fork(Effect.andThen(Effect.yieldNow, effect))
    this.steps.act = () => victim.interruptUnsafe()
    victim.addObserver(() => this.steps.act = undefined)
  }

  readonly work = (thing: Thing): Effect.Effect<void> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        if (this.busy.has(thing) && !this.shared) this.violations.push(`${thing.id} is lent twice`)
        this.busy.add(thing)
      }),
      () => steps,
      () => Effect.sync(() => this.busy.delete(thing))
    )

  finish<A, E>(effect: Effect.Effect<A, E, Scope.Scope>): A {
    this.steps.act = undefined
    const fiber = this.fork(effect)
    this.steps.run()
    const exit = fiber.pollUnsafe()
    assert.isDefined(exit, "it ends")
    if (Exit.isFailure(exit!)) throw new Error(String(exit))
    return (exit as Exit.Success<A, E>).value
  }

  check(): void {
    const stats = this.finish(KeyedPool.stats(this.pool))
    checkKeyedStats(stats)
    assert.deepStrictEqual(this.violations, [])
    assert.strictEqual(stats.borrowed, stats.returned, "all is back")
    assert.deepStrictEqual([stats.waiting, stats.creating, stats.destroying, stats.inUse], [0, 0, 0, 0])
    const { core, existing } = of(this.pool)
    assert.strictEqual(core.machine.places, stats.size, "no place is lost")
    assert.strictEqual(existing.size, stats.keys.length, "no key is left behind")
    const all = Effect.forEach(
      Array.from({ length: this.max }, (_, index) => `new ${index}`),
      (key) => KeyedPool.get(this.pool, key)
    )
    assert.strictEqual(this.finish(Effect.scoped(Effect.map(all, (things) => new Set(things).size))), this.max)
    this.finish(KeyedPool.shutdown(this.pool))
    assert.strictEqual(this.alive, 0, "all are destroyed")
    this.finish(Scope.close(this.scope, Exit.void))
  }
}

const settings: Record<string, Setting> = {
  "one place": { max: 1 },
  "two places": { max: 2 },
  "one place for each key": { max: 2, maxPerKey: 1 },
  "minimums": { max: 3, minPerKey: 2 },
  "hooks": { max: 1, onBorrow: () => steps, onReturn: () => steps },
  "checks": { max: 1, healthCheck: () => Effect.as(steps, true), healthAfterIdle: 0 },
  "shared objects": { max: 1, concurrency: 2 }
}

const use = (world: World, key: string) => KeyedPool.use(world.pool, key, world.work)

const attacks: Record<string, (world: World) => Effect.Effect<unknown, unknown, Scope.Scope>> = {
  "use": (world) => use(world, "b"),
  "get": ({ pool, work }) => Effect.scoped(Effect.flatMap(KeyedPool.get(pool, "b"), work)),
  "poll": ({ pool, work }) =>
    Effect.scoped(
      Effect.flatMap(KeyedPool.poll(pool, "a"), Option.match({ onNone: () => Effect.void, onSome: work }))
    ),
  "a call through the proxy": ({ pool }) =>
    Effect.flatMap(Database, (db) => db.work()).pipe(
      Effect.scoped,
      Effect.provide(Layer.provide(Tenants.get("b"), Layer.succeed(Tenants, pool)))
    ),
  "a unit of work": ({ pool }) =>
    Database.scoped(Effect.flatMap(Database, (db) => Effect.andThen(db.work(), Effect.scoped(db.work())))).pipe(
      Effect.provide(Layer.provide(Tenants.get("b"), Layer.succeed(Tenants, pool)))
    ),
  "evictKey": ({ pool }) => KeyedPool.evictKey(pool, "a"),
  "evict": ({ pool }) => KeyedPool.evict(pool),
  "resize": ({ max, pool }) =>
    Effect.ensuring(KeyedPool.resize(pool, { max: 1, maxPerKey: 1, minPerKey: 0 }), KeyedPool.resize(pool, { max })),
  "suspend and resume": ({ pool }) => Effect.ensuring(KeyedPool.suspend(pool), KeyedPool.resume(pool))
}

/** An interruption at the first step, at the second, and so on, until it comes too late. */
const atEveryStep = (setting: Setting & { readonly slowly: boolean }, run: (world: World) => void): void => {
  for (const yields of [false, true]) {
    for (let at = 1;; at++) {
      const world = new World(setting, at, yields)
      try {
        run(world)
      } catch (error) {
        throw new Error(`at step ${at}${yields ? ", taking turns" : ""}: ${String(error)}`, { cause: error })
      }
      if (world.steps.count < at) {
        assert.isAbove(at, 5, "there was something to interrupt")
        break
      }
    }
  }
}

/** Every pair holds; those that differ most are run. */
const runs: Record<string, ReadonlyArray<string>> = {
  "one place": ["use", "get", "a call through the proxy"],
  "two places": ["use", "resize", "evict", "suspend and resume"],
  "one place for each key": ["get"],
  "minimums": ["use", "evictKey"],
  "hooks": ["get", "poll"],
  "checks": ["use"],
  "shared objects": ["a unit of work"]
}

for (const [where, names] of Object.entries(runs)) {
  for (const what of names) {
    it(`with ${where}, ${what} may be interrupted at every step, while others want the same places`, () => {
      // places that are slow to come and go, and places that are not
      const slowly = what === "use" || what === "get"
      atEveryStep({ ...settings[where]!, slowly }, (world) => {
        world.finish(use(world, "a"))
        world.attack(attacks[what]!(world))
        const others = ["c", "a", "b"].map((key) => world.fork(Effect.andThen(Effect.yieldNow, use(world, key))))
        world.steps.run()
        for (const other of others) assert.deepStrictEqual(other.pollUnsafe(), Exit.void, "the others are served")
        world.check()
      })
    })
  }
}
