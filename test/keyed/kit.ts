/** What the tests of pools by key share: things that know their key, and a record of all that became of them. */
import { assert } from "@effect/vitest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { KeyedPool, Pool } from "../../src/index.ts"

export interface Thing<K = string> {
  readonly id: number
  readonly key: K
}

/** The options of a pool of things: `create` runs before a thing is made, `destroy` when it is unmade. */
export interface LabOptions<K, E, R>
  extends Omit<KeyedPool.Options<K, Thing<K>, E, R>, "acquire" | "healthCheck" | "onBorrow" | "onReturn" | "describe">
{
  readonly create?: (key: K, id: number) => Effect.Effect<unknown, E, R | Scope.Scope>
  readonly destroy?: (thing: Thing<K>) => Effect.Effect<unknown, never, R>
  readonly healthCheck?: (thing: Thing<K>, key: NoInfer<K>) => Effect.Effect<boolean, unknown, R | Scope.Scope>
  readonly onBorrow?: (thing: Thing<K>, key: NoInfer<K>) => Effect.Effect<unknown, unknown, R | Scope.Scope>
  readonly onReturn?: (
    thing: Thing<K>,
    exit: Exit.Exit<unknown, unknown>,
    key: NoInfer<K>
  ) => Effect.Effect<unknown, unknown, R | Scope.Scope>
  readonly describe?: (thing: Thing<K>, key: NoInfer<K>) => { readonly [name: string]: string | number }
}

export interface Lab<K, E> {
  readonly pool: KeyedPool.KeyedPool<K, Thing<K>, E>
  /** "a0" is the thing of the first creation, for the key "a". */
  readonly made: Array<string>
  readonly unmade: Array<string>
  readonly events: Array<Pool.Event>
  /** Most things at once, of all keys. */
  readonly peak: () => number
}

const name = (key: unknown, id: number): string => `${typeof key === "object" ? "object" : String(key)}${id}`

export const lab = Effect.fnUntraced(function*<K = string, E = never, R = never>(
  { create, destroy, ...options }: LabOptions<K, E, R>
) {
  const made: Array<string> = []
  const unmade: Array<string> = []
  const events: Array<Pool.Event> = []
  const alive = new Set<number>()
  let peak = 0
  const acquire = (key: K) =>
    Effect.flatMap(Effect.service(Pool.CreationNumber), (id) =>
      Effect.andThen(
        create === undefined ? Effect.void : create(key, id),
        Effect.acquireRelease(
          Effect.sync((): Thing<K> => {
            made.push(name(key, id))
            alive.add(id)
            peak = Math.max(peak, alive.size)
            return { id, key }
          }),
          (thing) =>
            Effect.andThen(
              destroy === undefined ? Effect.void : destroy(thing),
              Effect.sync(() => {
                assert.isTrue(alive.delete(id), "destroyed once")
                unmade.push(name(key, id))
              })
            )
        )
      ))
  // time stands still when the test ends, and closing must not wait for it
  const pool = yield* KeyedPool.make<K, Thing<K>, E, R, R, R, R>({ shutdownTimeout: 0, ...options, acquire })
  yield* Effect.forkScoped(
    Stream.runForEach(KeyedPool.events(pool), (event) => Effect.sync(() => events.push(event))),
    { startImmediately: true }
  )
  const result: Lab<K, E> = { pool, made, unmade, events, peak: () => peak }
  return result
})

/** Borrows in a Scope of its own, which the test ends where nothing else does: the object, and what gives it back. */
export const borrow = Effect.fnUntraced(function*<K, A, E>(
  pool: KeyedPool.KeyedPool<K, A, E>,
  key: K,
  timeout?: Duration.Input
) {
  const scope = yield* Effect.flatMap(Effect.scope, Scope.fork)
  const object = yield* Scope.provide(KeyedPool.get(pool, key as NoInfer<K>, { timeout }), scope)
  return {
    object,
    giveBack: Scope.close(scope, Exit.void),
    end: (exit: Exit.Exit<unknown, unknown>) => Scope.close(scope, exit)
  }
})

/** Borrows once and gives back at once. */
export const touch = <K, A, E>(pool: KeyedPool.KeyedPool<K, A, E>, key: K) =>
  KeyedPool.use(pool, key as NoInfer<K>, (object) => Effect.succeed(object))

const words = ["idle", "inUse", "creating", "destroying", "waiting"] as const

/** What each key has, as text: `{ a: "1 inUse, 2 waiting" }`. */
export const look = <K, A, E>(pool: KeyedPool.KeyedPool<K, A, E>): Effect.Effect<Record<string, string>> =>
  Effect.map(KeyedPool.stats(pool), (stats) => {
    checkKeyedStats(stats)
    return Object.fromEntries(
      stats.keys.map((each) => [
        each.key,
        words.filter((word) => each[word] > 0).map((word) => `${each[word]} ${word}`).join(", ")
      ])
    )
  })

/** What must hold of every snapshot, whatever has happened; the bounds but for the time after a shrinking. */
export const checkKeyedStats = (stats: KeyedPool.Stats, maxPerKey = Infinity, max = stats.max): void => {
  const { keys, objects } = stats
  const problems: Array<string> = []
  // not an assertion each: this is asked thousands of times
  const must = (holds: boolean, what: string): void => {
    if (!holds) problems.push(what)
  }
  must(stats.size + stats.creating + stats.destroying <= max, "the total is exceeded")
  for (const name of ["size", ...words] as const) {
    must(keys.every((each) => each[name] >= 0), `negative ${name}`)
    must(stats[name] === keys.reduce((sum, each) => sum + each[name], 0), `${name} is not the sum of the keys'`)
  }
  const objectsOf = new Map<string, number>()
  for (const { key } of objects) objectsOf.set(key, (objectsOf.get(key) ?? 0) + 1)
  for (const each of keys) {
    const places = each.size + each.creating + each.destroying
    must(places <= maxPerKey, `${each.key} has more than one key may`)
    must(places + each.waiting > 0, `${each.key} has nothing`)
    must((objectsOf.get(each.key) ?? 0) === each.size, `not all objects of ${each.key} are shown`)
  }
  const inState = (state: string) => objects.filter((object) => object.state === state).length
  must(objects.length === stats.size, "not all objects are shown")
  must(inState("idle") === stats.idle, "idle objects are miscounted")
  must(inState("inUse") === stats.inUse, "objects in use are miscounted")
  const gone = Object.values(stats.destroyed).reduce((sum, count) => sum + count, 0)
  must(stats.size <= stats.created - gone, "too few were created, or too many destroyed")
  must(stats.size + stats.destroying >= stats.created - gone, "an object is lost")
  must(stats.borrowed >= stats.returned, "more returned than borrowed")
  if (problems.length > 0) assert.fail(`${problems.join("; ")}: ${JSON.stringify(stats)}`)
}
