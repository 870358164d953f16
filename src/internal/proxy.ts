/** What the statics of a proxy's tag do. */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { Backing, backingOf, doublePerCall, makeService, perCallOf, scoped, takeObject, useObject } from "./calls.ts"
import * as keyed from "./keyed.ts"
import { KeyBacking } from "./keyedCalls.ts"
import type { AnyEffect, AnyFiber } from "./lease.ts"
import * as pooled from "./pooled.ts"
import type { Fixed } from "./settings.ts"

type AnyLayer = Layer.Layer<any, any, never>
type AnyTag = Context.Key<any, any>

/** What every tag has, whatever its types. */
export interface Statics {
  readonly layerPool: (options: object) => AnyLayer
  readonly layerShared: (options: object) => AnyLayer
  readonly layerUnpooled: (options: object) => AnyLayer
  readonly layerConfig: (options: object) => AnyLayer
  readonly object: AnyEffect
  readonly useObject: (f: (object: any) => AnyEffect, options?: { readonly timeout?: unknown }) => AnyEffect
  readonly perCall: AnyEffect
  readonly scoped: (effect: AnyEffect) => AnyEffect
  readonly isHeld: AnyEffect
  readonly invalidate: AnyEffect
  readonly pool: AnyEffect
}

/** What every tag of a keyed pool has. */
export interface KeyedStatics {
  readonly get: (key: unknown) => AnyLayer
  readonly layerPool: (options: object) => AnyLayer
}

/** A pool of its own for the tag, named after it unless the options say otherwise. */
const serve = (tag: AnyTag, options: object, fixed?: Fixed): Effect.Effect<object, never, Scope.Scope> =>
  Effect.map(pooled.make(named(tag, options), fixed), (pool) => makeService(new Backing(tag.key, pool)))

const named = (tag: AnyTag, options: object): object => {
  const { name = tag.key } = options as { readonly name?: unknown }
  return { ...options, name }
}

/** The one object of everyone: a layer that cannot have it fails as its first creation does. */
const serveShared = (tag: AnyTag, options: object): Effect.Effect<object, unknown, Scope.Scope> =>
  Effect.flatMap(
    serve(tag, { ...options, min: 1, max: 1, concurrency: Infinity }, { spare: 1 }),
    (service) => Effect.as(pooled.firstObject(backingOf(service)!.pooled), service)
  )

const serveUnpooled = (tag: AnyTag, options: object): Effect.Effect<object, never, Scope.Scope> =>
  serve(
    tag,
    { ...options, min: 0, max: Infinity, maxUses: 1, maxWaiting: Infinity, concurrency: 1, order: "lifo" },
    { unpooled: true }
  )

/** What is never read from the configuration: `acquire` may be a `Config` itself, which is an Effect. */
const asTheyAre: ReadonlySet<string> = new Set([
  "acquire",
  "createRetry",
  "describe",
  "healthCheck",
  "onBorrow",
  "onReturn"
])

/** Reads what is a `Config`, and leaves the values as they are. */
const readConfig = (options: object): Effect.Effect<object, Config.ConfigError> =>
  Effect.map(
    Effect.forEach(Object.entries(options), ([name, value]: [string, unknown]) =>
      Config.isConfig(value) && !asTheyAre.has(name)
        ? Effect.map(value as Config.Config<unknown>, (read): [string, unknown] => [name, read])
        : Effect.succeed<[string, unknown]>([name, value])),
    Object.fromEntries
  )

const noPool = (tag: AnyTag, name: string): Effect.Effect<never> =>
  Effect.die(
    new Error(
      `${tag.key}: there is no pool behind a test double, so there is no ${name}; a double of the object ` +
        `(layerShared({ acquire: Effect.succeed(fake) })) has one`
    )
  )

/** The statics of the tag with this id. */
export const makeStatics = (tag: AnyTag): Statics => {
  /** What is behind the tag where an effect runs, or what a double does. */
  const withBacking = (
    real: (backing: Backing, fiber: AnyFiber) => AnyEffect,
    double: (service: object) => AnyEffect
  ): AnyEffect =>
    Effect.withFiber((fiber) => {
      const service: object = Context.getUnsafe(fiber.context, tag)
      const backing = backingOf(service)
      return backing === undefined ? double(service) : real(backing, fiber)
    })
  const layer = (service: Effect.Effect<object, unknown, Scope.Scope>): AnyLayer =>
    Layer.effect(tag, service) as AnyLayer
  return {
    layerPool: (options) => layer(serve(tag, options)),
    layerShared: (options) => layer(serveShared(tag, options)),
    layerUnpooled: (options) => layer(serveUnpooled(tag, options)),
    layerConfig: (options) => layer(Effect.flatMap(readConfig(options), (read) => serve(tag, read))),
    object: withBacking(takeObject, () => noPool(tag, "object")),
    useObject: (f, options) =>
      withBacking(
        (backing, fiber) => useObject(backing, fiber, f, options?.timeout),
        () => noPool(tag, "useObject")
      ),
    perCall: withBacking(
      (backing) => Effect.succeed(perCallOf(backing)),
      (service) => Effect.succeed(doublePerCall(tag.key, service))
    ),
    scoped: (effect) => withBacking((backing) => scoped(backing, effect), () => Effect.scoped(effect)),
    isHeld: withBacking(
      (backing, fiber) => Effect.succeed(backing.current(fiber) !== undefined),
      () => Effect.succeed(false)
    ),
    invalidate: withBacking(
      (backing, fiber) => Effect.sync(() => backing.current(fiber)?.condemn()),
      () => Effect.void
    ),
    pool: withBacking((backing) => Effect.succeed(backing.pooled), () => noPool(tag, "pool"))
  }
}

/** The statics of the tag of a keyed pool, which provides `database` for one key. */
export const makeKeyedStatics = (tag: AnyTag, database: AnyTag): KeyedStatics => ({
  get: (key) =>
    Layer.effect(
      database,
      Effect.map(
        tag as Context.Service<any, object>,
        (pool) => makeService(new KeyBacking(database.key, keyed.of(pool), key))
      )
    ) as Layer.Layer<any, any, any> as AnyLayer,
  layerPool: (options) => Layer.effect(tag, keyed.make(named(tag, options))) as AnyLayer
})
