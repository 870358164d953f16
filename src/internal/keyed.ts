/** What is behind a `KeyedPool`: one core, whose groups are the keys. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Pipeable from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Core } from "./core.ts"
import type { KeyedStats } from "./keyedStats.ts"
import { Keys } from "./keys.ts"
import { keyText } from "./keyText.ts"
import type { Pooled } from "./lease.ts"
import { KeyedTypeId, TypeId } from "./pool-types.ts"
import { Rooms } from "./rooms.ts"
import type { Hooks, Raw } from "./settings.ts"
import { readKeyed, readKeyedBounds } from "./settings.ts"
import { keyedStatsOf, livingGroups, statsOf } from "./snapshot.ts"
import type { Bounds } from "./state.ts"
import { Group } from "./state.ts"
import type { Event, Stats } from "./stats.ts"

export class KeyedImpl extends Pipeable.Class {
  readonly [KeyedTypeId] = KeyedTypeId
  readonly core: Core
  readonly existing = new Keys()

  constructor(core: Core) {
    super()
    this.core = core
    core.onVanish = (group) => this.existing.remove(group)
  }

  /** Of the whole: the total, and the minimums of the keys that exist. */
  get bounds(): Bounds {
    const { max, minPerKey } = this.core.keyedBounds!
    return { max, min: minPerKey * livingGroups(this.core).length }
  }

  /** The group of a key, where the key exists. */
  find(key: unknown): Group | undefined {
    const found = this.comparing(key, () => this.existing.find(key))
    return found === undefined || found.vanished ? undefined : found
  }

  /** What compares keys, and says which pool it was for when a key does not bear it. */
  comparing<A>(key: unknown, compare: () => A): A {
    try {
      return compare()
    } catch (cause) {
      throw new Error(`Pool "${this.core.name}", key "${keyText(key)}": its Hash or Equal throws`, { cause })
    }
  }

  /** The group of a key, which comes into being. */
  group(key: unknown): Group {
    const found = this.find(key)
    if (found !== undefined) return found
    const { machine } = this.core
    const { max, min } = this.each
    // a closed pool has no new keys, but its errors name them
    if (machine.closed) return named(new Group(key, min, max))
    const group = named(machine.addGroup(key, { min, max }))
    this.existing.add(group)
    return group
  }

  /** The bounds of each key. */
  get each(): Bounds {
    const { maxPerKey, minPerKey } = this.core.keyedBounds!
    return { min: minPerKey, max: maxPerKey }
  }

  /** Where borrowers of one key go. */
  of(key: unknown): KeyView {
    return new KeyView(this, key)
  }

  private step(transition: (now: number) => void): Effect.Effect<void> {
    return Effect.sync(() => {
      transition(this.core.now())
      this.core.flush()
    })
  }

  invalidate(key: unknown, object: unknown): Effect.Effect<void> {
    return this.step((now) => {
      const group = this.find(key)
      if (group !== undefined) this.core.machine.invalidate(group, object, now)
    })
  }

  evictKey(key: unknown): Effect.Effect<void> {
    return this.step((now) => {
      const group = this.find(key)
      if (group !== undefined) this.core.machine.evict(group, now)
    })
  }

  get evict(): Effect.Effect<void> {
    return this.step((now) => this.core.machine.evictAll(now))
  }

  get keys(): Effect.Effect<Array<unknown>> {
    return Effect.sync(() => livingGroups(this.core).map((group) => group.key))
  }

  resize(bounds: object): Effect.Effect<void> {
    return this.step((now) => {
      const { core } = this
      if (core.machine.closed) return
      const next = readKeyedBounds(core.name, bounds as Raw, core.keyedBounds!)
      core.keyedBounds = next
      core.machine.resizeAll(next.max, { min: next.minPerKey, max: next.maxPerKey }, now)
    })
  }

  get suspend(): Effect.Effect<void> {
    return this.step((now) => this.core.machine.suspend(now))
  }

  get resume(): Effect.Effect<void> {
    return this.step((now) => this.core.machine.resume(now))
  }

  get stats(): Effect.Effect<KeyedStats> {
    return Effect.sync(() => keyedStatsOf(this.core))
  }

  get events(): Stream.Stream<Event> {
    return this.core.events.stream
  }

  get shutdown(): Effect.Effect<void> {
    return this.core.shutdown
  }
}

const named = (group: Group): Group => {
  group.label = keyText(group.key)
  return group
}

/** What a key is that does not exist. */
const nowhere = new Group(undefined, 0, 0)
nowhere.vanished = true

const variance = { _A: (a: unknown) => a, _E: (e: never) => e }

/** One key as a pool of its own: what concerns the whole is not for it. */
export class KeyView extends Pipeable.Class implements Pooled {
  readonly [TypeId] = variance
  readonly keyed: KeyedImpl
  readonly key: unknown

  constructor(keyed: KeyedImpl, key: unknown) {
    super()
    this.keyed = keyed
    this.key = key
  }

  get core(): Core {
    return this.keyed.core
  }

  peek(): Group {
    return this.keyed.find(this.key) ?? nowhere
  }

  group(): Group {
    return this.keyed.group(this.key)
  }

  invalidate(object: unknown): Effect.Effect<void> {
    return this.keyed.invalidate(this.key, object)
  }

  get evict(): Effect.Effect<void> {
    return this.keyed.evictKey(this.key)
  }

  get stats(): Effect.Effect<Stats> {
    return Effect.sync(() => {
      const { max, min } = this.keyed.each
      return statsOf(this.core, this.keyed.find(this.key) ?? new Group(this.key, min, max))
    })
  }

  private notForOneKey(name: string, instead = `, use KeyedPool.${name}`): Error {
    return new Error(`Pool "${this.core.name}", key "${keyText(this.key)}": ${name} is not for one key${instead}`)
  }

  resize(): Effect.Effect<void> {
    return Effect.die(this.notForOneKey("resize"))
  }

  get suspend(): Effect.Effect<void> {
    return Effect.die(this.notForOneKey("suspend"))
  }

  get resume(): Effect.Effect<void> {
    return Effect.die(this.notForOneKey("resume"))
  }

  get awaitReady(): Effect.Effect<void> {
    return Effect.die(this.notForOneKey("awaitReady", ""))
  }

  get events(): Stream.Stream<Event> {
    return Stream.die(this.notForOneKey("events"))
  }

  get shutdown(): Effect.Effect<void> {
    return Effect.die(this.notForOneKey("shutdown"))
  }
}

/** The keyed pool behind the public type. */
export const of = (pool: unknown): KeyedImpl => pool as KeyedImpl

export const isKeyedPool = (u: unknown): boolean => Predicate.hasProperty(u, KeyedTypeId)

/** Makes a pool by key in the current Scope. */
export const make = (options: object): Effect.Effect<KeyedImpl, never, Scope.Scope> =>
  Effect.withFiber((fiber) => {
    const raw = options as Raw
    const acquire = raw["acquire"]
    const create = Predicate.isFunction(acquire) ? acquire as Hooks["acquire"] : undefined
    const { bounds, settings } = readKeyed(raw, create)
    const core = new Core(settings, fiber)
    core.keyedBounds = bounds
    core.machine.share(new Rooms(bounds.max))
    const pool = new KeyedImpl(core)
    return Effect.map(Scope.addFinalizer(Context.getUnsafe(fiber.context, Scope.Scope), core.shutdown), () => {
      core.show({ core, bounds: () => pool.bounds }, fiber.context)
      return pool
    })
  })
