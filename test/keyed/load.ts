/** A random load on hundreds of keys, in `TestClock`, with everything checked that must hold at every moment. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { KeyedPool, Pool } from "../../src/index.ts"
import { of } from "../../src/internal/keyed.ts"
import { checkKeyedStats } from "./kit.ts"

/** mulberry32 */
class Random {
  private state: number

  constructor(seed: number) {
    this.state = seed
  }

  next(): number {
    this.state = (this.state + 0x6D2B79F5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** From `least` to `most`. */
  int(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<A>(items: ReadonlyArray<A>): A {
    return items[Math.floor(this.next() * items.length)]!
  }
}

interface Thing {
  readonly id: number
  readonly key: string
}

export interface Load {
  readonly keys: number
  readonly borrowers: number
  /** Creations that fail, bodies that die, interruptions, evictions, new bounds. */
  readonly turmoil: boolean
  /** So many more keys, each of which keeps a place for a creation that never ends. */
  readonly stuck: number
}

export interface Outcome {
  readonly served: number
  /** The longest wait, as a share of what is allowed. */
  readonly longest: number
}

const pause = (millis: number): Effect.Effect<void> => millis === 0 ? Effect.void : Effect.sleep(millis)

export const simulate = (seed: number, load: Load): Effect.Effect<Outcome, never, Scope.Scope> =>
  Effect.gen(function*() {
    const random = new Random(seed)
    const problems: Array<string> = []
    let max = load.stuck + random.pick([1, 2, 3, 10, 30, 60])
    let maxPerKey = random.chance(0.5) ? max : random.int(1, max)
    const isStuck = (key: string) => key.startsWith("stuck")
    const minPerKey = load.stuck > 0 || random.chance(0.7) ? 0 : random.int(0, Math.min(2, maxPerKey))
    const concurrency = random.pick([1, 1, 1, 2, 3])
    const longestHold = random.pick([0, 5, 30])
    const longestCreation = random.pick([0, 0, 10, 30])
    const longestDestruction = random.pick([0, 0, 0, 10])
    const hooks = random.chance(0.3)
    let suspended = false
    /** There may be more than the new bounds allow, for a while. */
    let shrinking = false
    const fails = (key: string) => load.turmoil && key.endsWith("7") && random.chance(0.7)

    // ---- what there is, as the outside sees it

    const alive = new Map<Thing, number>()
    const aliveOf = new Map<string, number>()
    const acquire = (key: string): Effect.Effect<Thing, "refused", Scope.Scope> =>
      Effect.flatMap(Effect.service(Pool.CreationNumber), (id) =>
        Effect.andThen(
          isStuck(key) ? Effect.never : pause(random.int(0, longestCreation)),
          Effect.suspend(() =>
            fails(key) ? Effect.fail("refused" as const) : Effect.acquireRelease(
              Effect.sync(() => {
                const thing = { id, key }
                alive.set(thing, 0)
                aliveOf.set(key, (aliveOf.get(key) ?? 0) + 1)
                if (aliveOf.get(key)! > maxPerKey && !shrinking) problems.push(`too many of ${key}`)
                if (alive.size > max && !shrinking) problems.push("too many")
                return thing
              }),
              (thing) =>
                Effect.andThen(
                  pause(random.int(0, longestDestruction)),
                  Effect.sync(() => {
                    if (alive.get(thing) !== 0) problems.push(`${id} is destroyed in use, or twice`)
                    alive.delete(thing)
                    aliveOf.set(key, aliveOf.get(key)! - 1)
                  })
                )
            )
          )
        ))
    const hook = hooks ? () => pause(random.int(0, 5)) : undefined
    const pool = yield* KeyedPool.make({
      acquire,
      max,
      maxPerKey,
      minPerKey,
      concurrency,
      ...(hook === undefined ? undefined : { onBorrow: hook, onReturn: hook }),
      ...(random.chance(0.3) ? { maxUses: random.int(1, 10) } : undefined),
      ...(random.chance(0.3) ? { idleTimeToLive: random.int(1, 100) } : undefined),
      ...(random.chance(0.2) ? { timeToLive: random.int(50, 500) } : undefined),
      ...(random.chance(0.2) ? { maxCreating: random.int(1, 3) } : undefined),
      order: random.pick(["lifo", "fifo"]),
      borrowTimeout: load.turmoil ? 2000 : "1 hour",
      createTimeout: load.stuck > 0 ? "1 hour" : "10 seconds",
      createRetry: Schedule.spaced(random.pick([0, 20, 100])),
      shutdownTimeout: 0
    })

    // ---- borrowers

    interface Borrower {
      readonly key: string
      readonly arrived: number
      readonly at: number
      /** How long it may have to wait, given who was there when it came. */
      readonly allowed: number
    }
    const clock = yield* Clock.Clock
    const began = clock.currentTimeMillisUnsafe()
    const time = () => clock.currentTimeMillisUnsafe() - began
    let arrivals = 0
    let served = 0
    let longest = 0
    const waiting = new Set<Borrower>()
    const turn = longestHold + longestCreation + longestDestruction + (hooks ? 10 : 0) + 1
    const arrive = (key: string): Borrower => {
      let own = 0
      for (const each of waiting) if (each.key === key) own++
      // objects that are shared serve one key only: among many keys a place is worth no more for it
      const allowed = turn * (Math.ceil(waiting.size / (max - load.stuck)) + own + 3)
      const borrower = { key, arrived: arrivals++, at: time(), allowed }
      waiting.add(borrower)
      return borrower
    }
    const body = (borrower: Borrower) => (thing: Thing): Effect.Effect<unknown> => {
      served++
      waiting.delete(borrower)
      const holders = alive.get(thing)
      if (holders === undefined) problems.push(`${thing.id} is lent though it is destroyed`)
      else if (holders >= concurrency) problems.push(`${thing.id} is lent to too many`)
      if (thing.key !== borrower.key) problems.push(`${thing.id} is of another key`)
      alive.set(thing, (holders ?? 0) + 1)
      const waited = time() - borrower.at
      longest = Math.max(longest, waited / borrower.allowed)
      if (waited > borrower.allowed && !load.turmoil) {
        problems.push(`${borrower.key} waited ${waited} of ${borrower.allowed} ms`)
      }
      if (!hooks && !load.turmoil) {
        const own = Array.from(waiting).filter(({ key }) => key === borrower.key)
        const earlier = own.filter(({ arrived }) => arrived < borrower.arrived).length
        // some may have been given theirs, and be about to go on
        const given = own.length - of(pool).find(borrower.key)!.queue.size
        if (earlier > given) problems.push(`overtaken in ${borrower.key}`)
      }
      const end = load.turmoil && random.chance(0.05) ? Effect.die("body") : Effect.void
      return Effect.ensuring(
        Effect.andThen(pause(random.int(0, longestHold)), end),
        Effect.sync(() => alive.set(thing, alive.get(thing)! - 1))
      )
    }
    const borrow = (key: string) => {
      const borrower = arrive(key)
      const borrowed = random.chance(0.5)
        ? KeyedPool.use(pool, key, body(borrower))
        : Effect.scoped(Effect.flatMap(KeyedPool.get(pool, key), body(borrower)))
      return Effect.ensuring(borrowed, Effect.sync(() => waiting.delete(borrower)))
    }
    // some keys are wanted much more often than others
    const someKey = () => `key ${Math.floor(load.keys * Math.pow(random.next(), 2))}`

    // ---- what must hold whenever nothing can go on without time

    const check = Effect.map(KeyedPool.stats(pool), (stats) => {
      const places = stats.size + stats.creating + stats.destroying
      if (places <= max && stats.keys.every((each) => each.size + each.creating + each.destroying <= maxPerKey)) {
        shrinking = false
      }
      checkKeyedStats(stats, shrinking ? Infinity : maxPerKey, shrinking ? Infinity : max)
      const { core } = of(pool)
      const { machine } = core
      if (machine.places !== places) problems.push("places are miscounted")
      if (stats.waiting !== waiting.size + load.stuck) problems.push(`${stats.waiting} wait, not ${waiting.size}`)
      const full = machine.places >= max
      for (const group of machine.groups.values()) {
        const places = group.slots.length
        const uncovered = group.queue.size - group.creating * concurrency
        const { outage } = group
        const may = !suspended && uncovered > 0 && places < maxPerKey && group.creating < machine.policy.maxCreating &&
          (outage === undefined || (outage.attempt === undefined && outage.retryAt <= core.now()))
        if (!may) continue
        if (!full) problems.push(`${group.label} waits though a place is free`)
        const spare = stats.keys.some((each) => each.idle > 0 && each.key !== group.label)
        if (spare && stats.destroying === 0) problems.push(`${group.label} waits though another key has an idle object`)
      }
    })

    // ---- the run

    const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
    const stuck: Array<Fiber.Fiber<unknown, unknown>> = []
    for (let i = 0; i < load.stuck; i++) {
      const stays = KeyedPool.use(pool, `stuck ${i}`, () => Effect.void)
      stuck.push(yield* Effect.forkChild(stays, { startImmediately: true }))
    }
    /** Until nobody goes on without time. */
    const calm = Effect.gen(function*() {
      let still = 0
      for (let before = ""; still < 10; yield* Effect.yieldNow) {
        const now = `${served} ${alive.size} ${waiting.size} ${of(pool).core.machine.places}`
        still = now === before ? still + 1 : 0
        before = now
      }
    })
    const step = Effect.gen(function*() {
      const millis = random.pick([0, 0, 1, 3, 10])
      yield* TestClock.adjust(millis)
      yield* calm
      yield* check
      if (problems.length > 0) {
        return yield* Effect.die(new Error(`seed ${seed} at ${time()} ms: ${problems.join("; ")}`))
      }
    })
    const disturb = Effect.suspend((): Effect.Effect<unknown> => {
      switch (random.int(0, 9)) {
        case 0:
          return KeyedPool.evictKey(pool, someKey())
        case 1:
          return random.chance(0.1) ? KeyedPool.evict(pool) : Effect.void
        case 2: {
          const [thing] = alive.keys()
          return thing === undefined ? Effect.void : KeyedPool.invalidate(pool, thing.key, thing)
        }
        case 3:
          if (random.chance(0.5)) return Effect.void
          shrinking = true
          max = random.int(1, 60)
          maxPerKey = random.int(1, max)
          return KeyedPool.resize(pool, { max, maxPerKey, minPerKey: Math.min(minPerKey, maxPerKey) })
        case 4:
          if (!suspended && random.chance(0.7)) return Effect.void
          suspended = !suspended
          return suspended ? KeyedPool.suspend(pool) : KeyedPool.resume(pool)
        case 5:
          return Effect.asVoid(Effect.forkChild(Effect.scoped(KeyedPool.poll(pool, someKey()))))
        default:
          return fibers.length === 0
            ? Effect.void
            : Effect.sync(() => random.pick(fibers).interruptUnsafe())
      }
    })
    while (arrivals < load.borrowers) {
      for (let burst = random.pick([0, 1, 1, 2, 5, 40]); burst > 0; burst--) {
        fibers.push(yield* Effect.forkChild(borrow(someKey()), { startImmediately: true }))
      }
      if (load.turmoil && random.chance(0.2)) yield* disturb
      yield* step
    }
    if (suspended) {
      suspended = false
      yield* KeyedPool.resume(pool)
    }
    for (let i = 0; fibers.some((fiber) => fiber.pollUnsafe() === undefined); i++) {
      if (i > 20_000) return yield* Effect.die(new Error(`seed ${seed}: it comes to no end`))
      yield* step
    }
    for (const fiber of fibers) {
      const exit = fiber.pollUnsafe()!
      if (!load.turmoil && Exit.isFailure(exit)) return yield* Effect.die(new Error(`seed ${seed}: ${String(exit)}`))
    }

    // ---- nothing is left behind

    yield* Fiber.interruptAll(stuck)
    yield* KeyedPool.evict(pool)
    yield* TestClock.adjust("1 minute")
    const { core, existing } = of(pool)
    const left = [core.machine.groups.size, existing.size, core.machine.places, alive.size]
    if (left.some((count) => count > 0)) {
      return yield* Effect.die(new Error(`seed ${seed}: ${left.join(", ")} are left`))
    }
    return { served, longest }
  })
