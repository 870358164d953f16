/** The proxy itself, and what the statics of its tag do. */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { Backing, Call, callDouble, scoped, SingleCall, takeObject, useObject } from "./calls.ts"
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

// -----------------------------------------------------------------------------------------------------------------
// the object that forwards
// -----------------------------------------------------------------------------------------------------------------

type Forward = (...args: ReadonlyArray<unknown>) => AnyEffect

/**
 * An object whose members forward. Its prototype is the JavaScript Proxy: a forwarder becomes a property of the object
 * itself at its first use, and is found there from then on.
 */
const forwarder = (label: string, forward: (name: string) => Forward): object => {
  const base: object = Object.defineProperty({}, "toString", { value: () => label })
  const prototype = new Proxy(base, {
    get(target, name, receiver) {
      if (typeof name === "symbol" || name === "then" || name === "toJSON" || name in target) {
        return Reflect.get(target, name, receiver)
      }
      const value = forward(name)
      // who looks for a brand must not leave one behind
      if (!name.startsWith("~")) Object.defineProperty(forwarding, name, { value })
      return value
    }
  })
  // without this, two that have forwarded nothing yet would be equal
  const forwarding: object = Equal.byReferenceUnsafe(Object.create(prototype))
  return forwarding
}

const backingOfService = new WeakMap<object, Backing>()

/** What is behind a service; a test double has nothing behind it. */
const backingOf = (service: object): Backing | undefined => backingOfService.get(service)

/** The service of a tag: its calls share the object of their Scope. */
const makeService = (backing: Backing): object => {
  const service = forwarder(
    `Proxy(${backing.id})`,
    (name) => (...args) => new Call(backing, name, args) as unknown as AnyEffect
  )
  backingOfService.set(service, backing)
  return service
}

/** The same members, each call borrowing for itself. */
const perCallOf = (backing: Backing): object =>
  backing.perCall ??= forwarder(
    `Proxy(${backing.id}).perCall`,
    (name) => (...args) => new SingleCall(backing, name, args) as unknown as AnyEffect
  )

/** A double's members, each call in a Scope of its own. */
const doublePerCall = (id: string, double: object): object =>
  forwarder(
    `Proxy(${id}).perCall`,
    (name) => (...args) => Effect.scoped(callDouble(double, name, args))
  )

// -----------------------------------------------------------------------------------------------------------------
// layers and statics
// -----------------------------------------------------------------------------------------------------------------

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
