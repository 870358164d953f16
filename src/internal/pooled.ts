/** What is behind a `Pool`: a core, and the group of it that borrowers go to. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Pipeable from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { Core } from "./core.ts"
import type { Pooled } from "./lease.ts"
import type { Pool } from "./pool-types.ts"
import { TypeId } from "./pool-types.ts"
import type { Fixed, Hooks, Raw } from "./settings.ts"
import { read, readBounds } from "./settings.ts"
import { statsOf } from "./snapshot.ts"
import type { Group } from "./state.ts"
import type { Event, Stats } from "./stats.ts"

export class PoolImpl extends Pipeable.Class implements Pooled {
  readonly [TypeId] = { _A: (a: unknown) => a, _E: (e: never) => e }
  readonly core: Core
  private readonly only: Group

  constructor(core: Core, only: Group) {
    super()
    this.core = core
    this.only = only
  }

  peek(): Group {
    return this.only
  }

  group(): Group {
    return this.only
  }

  /** A transition, and what follows from it. */
  private step(transition: (now: number) => void): Effect.Effect<void> {
    return Effect.sync(() => {
      transition(this.core.now())
      this.core.flush()
    })
  }

  invalidate(object: unknown): Effect.Effect<void> {
    return this.step((now) => this.core.machine.invalidate(this.only, object, now))
  }

  resize(bounds: object): Effect.Effect<void> {
    return this.step((now) => {
      if (this.core.machine.policy.unpooled) {
        throw new Error(`Pool "${this.core.name}": resize: objects are not pooled, there are as many as borrowers`)
      }
      if (this.core.machine.closed) return
      const next = readBounds(this.core.name, bounds as Raw, this.only)
      this.core.machine.resize(this.only, next, now)
      this.core.tellReady(this.only)
    })
  }

  get evict(): Effect.Effect<void> {
    return this.step((now) => this.core.machine.evict(this.only, now))
  }

  get suspend(): Effect.Effect<void> {
    return this.step((now) => this.core.machine.suspend(now))
  }

  get resume(): Effect.Effect<void> {
    return this.step((now) => this.core.machine.resume(now))
  }

  get awaitReady(): Effect.Effect<void, unknown> {
    return this.core.awaitReady(this.only)
  }

  get stats(): Effect.Effect<Stats> {
    return Effect.sync(() => statsOf(this.core, this.only))
  }

  get events(): Stream.Stream<Event> {
    return this.core.events.stream
  }

  get shutdown(): Effect.Effect<void> {
    return this.core.shutdown
  }
}

export const isPool = (u: unknown): u is Pool<unknown, unknown> => Predicate.hasProperty(u, TypeId)

/** The pool behind the public type. */
export const of = (pool: unknown): PoolImpl => pool as PoolImpl

/** Waits for the first object of a pool that has just been made, or fails as its creation did or does. */
export const firstObject = (pool: Pooled): Effect.Effect<void, unknown> =>
  Effect.suspend(() => {
    const failure = pool.group().lastFailure
    return failure === undefined
      ? pool.core.awaitReady(pool.group())
      : Effect.failCause(failure as Cause.Cause<unknown>)
  })

/** Makes a pool in the current Scope. */
export const make = (options: object, fixed?: Fixed): Effect.Effect<PoolImpl, never, Scope.Scope> =>
  Effect.withFiber((fiber) => {
    const raw = options as Raw
    const { acquire } = raw
    const create = Effect.isEffect(acquire) ? () => acquire as ReturnType<Hooks["acquire"]> : undefined
    const core = new Core(read(raw, create, fixed), fiber)
    const group = core.machine.addGroup(undefined, core.settings.bounds)
    const pool = new PoolImpl(core, group)
    // not `Effect.addFinalizer`: the closing must see the Scope and the fiber in which it runs
    return Effect.map(Scope.addFinalizer(Context.getUnsafe(fiber.context, Scope.Scope), core.shutdown), () => {
      core.show({ core, bounds: () => group }, fiber.context)
      core.machine.start(group, core.now())
      core.flush()
      return pool
    })
  })
