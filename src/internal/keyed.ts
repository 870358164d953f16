/** What is behind a `KeyedPool`: one core, whose groups are the keys. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as MutableHashMap from "effect/MutableHashMap"
import * as Option from "effect/Option"
import * as Pipeable from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { Core } from "./core.ts"
import type { KeyedStats } from "./keyedStats.ts"
import { keyText } from "./keyText.ts"
import type { Pooled } from "./lease.ts"
import { KeyedTypeId, TypeId } from "./pool-types.ts"
import type { Hooks, Raw } from "./settings.ts"
import { readKeyed, readKeyedBounds } from "./settings.ts"
import { keyedStatsOf, livingGroups, statsOf } from "./snapshot.ts"
import { Group } from "./state.ts"
import type { Event, Stats } from "./stats.ts"

export class KeyedImpl extends Pipeable.Class {
  readonly [KeyedTypeId] = KeyedTypeId
  readonly core: Core
  private readonly groups = MutableHashMap.empty<unknown, Group>()

  constructor(core: Core) {
    super()
    this.core = core
    core.onVanish = (group) => {
      MutableHashMap.remove(this.groups, group.key)
    }
  }

  /** The group of a key, where the key exists. */
  find(key: unknown): Group | undefined {
    return Option.getOrUndefined(this.lookup(key))
  }

  private lookup(key: unknown): Option.Option<Group> {
    try {
      return MutableHashMap.get(this.groups, key)
    } catch (cause) {
      throw new Error(`Pool "${this.core.name}": the key cannot be compared, its Hash or Equal throws`, { cause })
    }
  }

  /** The group of a key, which comes into being. */
  group(key: unknown): Group {
    const found = this.find(key)
    if (found !== undefined) return found
    const group = this.core.machine.addGroup(key, this.core.settings.bounds)
    group.label = keyText(key)
    MutableHashMap.set(this.groups, key, group)
    return group
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

/** What a key is that does not exist. */
const nowhere = new Group(undefined, 0, 0)
nowhere.vanished = true

/** One key as a pool of its own: what concerns the whole is not for it. */
export class KeyView extends Pipeable.Class implements Pooled {
  readonly [TypeId] = { _A: (a: unknown) => a, _E: (e: never) => e }
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
      const { min, max } = this.core.settings.bounds
      return statsOf(this.core, this.keyed.find(this.key) ?? new Group(this.key, min, max))
    })
  }

  private notForOneKey(name: string): Effect.Effect<never> {
    return Effect.die(
      new Error(`Pool "${this.core.name}", key "${keyText(this.key)}": ${name} is not for one key, use KeyedPool.${name}`)
    )
  }

  resize(): Effect.Effect<void> {
    return this.notForOneKey("resize")
  }

  get suspend(): Effect.Effect<void> {
    return this.notForOneKey("suspend")
  }

  get resume(): Effect.Effect<void> {
    return this.notForOneKey("resume")
  }

  get awaitReady(): Effect.Effect<void> {
    return Effect.die(
      new Error(`Pool "${this.core.name}", key "${keyText(this.key)}": awaitReady is not for one key`)
    )
  }

  get events(): Stream.Stream<Event> {
    return this.keyed.events
  }

  get shutdown(): Effect.Effect<void> {
    return this.notForOneKey("shutdown")
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
    core.machine.share(bounds.max)
    const pool = new KeyedImpl(core)
    return Effect.as(Scope.addFinalizer(Context.getUnsafe(fiber.context, Scope.Scope), core.shutdown), pool)
  })
