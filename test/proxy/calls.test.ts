import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Config,
  ConfigProvider,
  Context,
  Data,
  Effect,
  Equal,
  Exit,
  Fiber,
  Hash,
  Layer,
  Option,
  Result,
  Scope,
  Stream
} from "effect"
import { inspect, isDeepStrictEqual } from "node:util"
import { Pool, Proxy } from "proxy-pattern-pool"
import { defectOf, ended, settle, start, valueOf } from "../utils.ts"
import { Database, inUse, QueryError, Server, stats } from "./kit.ts"

/** Runs with one object of any kind behind the proxy. */
const served = <Self, Id extends string, A, E, B, E2, R>(
  tag: Proxy.ServiceClass<Self, Id, A, E>,
  object: A,
  effect: Effect.Effect<B, E2, R>
) => effect.pipe(Effect.scoped, Effect.provide(tag.layerPool({ acquire: Effect.succeed(object), max: 1 })))

describe("borrowing", () => {
  it.effect("having the proxy, and making calls without running them, borrows nothing", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const call = db.query("select 1")
      const { query } = db
      const other = query("select 2")
      assert.isTrue(Effect.isEffect(other))
      assert.strictEqual(yield* inUse, 0)
      assert.isFalse(yield* Database.isHeld)
      assert.strictEqual(yield* call, "0:select 1")
      assert.strictEqual(yield* inUse, 1)
      assert.deepStrictEqual(server.calls, ["0:select 1"])
    }).pipe(Effect.scoped, Effect.provide(Database.layerPool({ acquire: server.connect, max: 1 })))
  })

  it.effect("the first call in a Scope borrows, later ones use the same object, and the end of the Scope gives it back", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const handler = Effect.gen(function*() {
        const db = yield* Database
        const ids = [yield* db.id(), yield* db.id(), yield* db.ping(), yield* db.slow(0)]
        assert.strictEqual(yield* inUse, 1)
        return ids
      }).pipe(Effect.scoped)
      assert.deepStrictEqual(yield* handler, [0, 0, 0, 0])
      const { borrowed, inUse: used, returned } = yield* stats
      assert.deepStrictEqual([borrowed, returned, used], [1, 1, 0])
      assert.deepStrictEqual(yield* handler, [0, 0, 0, 0])
      assert.strictEqual(server.opened.length, 1)
    }).pipe(Effect.provide(Database.layerPool({ acquire: server.connect, max: 2 })))
  })

  it.effect("a call is a program: it may run many times, in many Scopes, each time anew", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const call = db.query("x")
      const both = Effect.gen(function*() {
        const inner = yield* Effect.scoped(call)
        return [yield* call, inner, yield* call]
      }).pipe(Effect.scoped)
      // the outer Scope holds nothing yet when the inner one gives its object back
      assert.deepStrictEqual(yield* both, ["0:x", "0:x", "0:x"])
      const beside = Effect.andThen(call, Effect.scoped(call)).pipe(Effect.scoped)
      assert.strictEqual(yield* beside, "1:x")
      assert.strictEqual(server.calls.length, 5)
    }).pipe(Effect.provide(Database.layerPool({ acquire: server.connect, max: 2 })))
  })

  it.effect("members may be taken off the proxy, and are the same functions each time", () =>
    Effect.gen(function*() {
      const db = yield* Database
      const { add, id } = db
      assert.strictEqual(add, db.add)
      assert.strictEqual(yield* add(1, 2), 3)
      assert.strictEqual(yield* id(), 0)
    }).pipe(Effect.scoped, Effect.provide(Database.layerPool({ acquire: new Server().connect, max: 1 }))))

  it.effect("a call runs in the caller's fiber, with the caller's context", () => {
    class Tenant extends Context.Service<Tenant, string>()("Tenant") {}
    interface Probe {
      fiber(): Effect.Effect<number>
      tenant(): Effect.Effect<string, never, Tenant>
    }
    class Probes extends Proxy.Service<Probes, Probe>()("app/Probes") {}
    return served(
      Probes,
      { fiber: () => Effect.withFiber((fiber) => Effect.succeed(fiber.id)), tenant: () => Effect.service(Tenant) },
      Effect.gen(function*() {
        const probe = yield* Probes
        const own = yield* Effect.withFiber((fiber) => Effect.succeed(fiber.id))
        assert.strictEqual(yield* probe.fiber(), own)
        assert.strictEqual(yield* Effect.provideService(probe.tenant(), Tenant, "a"), "a")
        assert.strictEqual(yield* Effect.provideService(probe.tenant(), Tenant, "b"), "b")
      })
    )
  })
})

describe("what a call gives", () => {
  interface Odd {
    readonly effect: Effect.Effect<string>
    readonly property: string
    readonly nothing: undefined
    readonly getter: number
    readonly missing?: string
    optional?(): number
    late(n: number): Effect.Effect<number>
    failing(): Effect.Effect<never, string>
    promise(): Promise<string>
    rejected(): Promise<string>
    thenable(): PromiseLike<string>
    callable(): PromiseLike<string>
    twofold(): PromiseLike<PromiseLike<string>>
    union(kind: "effect" | "promise" | "value"): Effect.Effect<string> | Promise<string> | string
    text(): string
    none(): void
    list(): ReadonlyArray<number>
    options(): Option.Option<number>
    result(): Result.Result<number, string>
    fn(): () => number
    thrower(): number
    readonly bad: number
    exit(): Exit.Exit<number>
    failure(): Exit.Exit<never, string>
    death(): Exit.Exit<never>
    error(): QueryError
    nested(): Effect.Effect<Effect.Effect<number>>
  }
  class Odds extends Proxy.Service<Odds, Odd>()("app/Odds") {}

  const thenable = <A>(value: A, object: object = {}): PromiseLike<A> => {
    Reflect.set(object, "then", (resolve: (value: A) => void) => resolve(value))
    return object as PromiseLike<A>
  }

  const odd: Odd = {
    effect: Effect.succeed("run"),
    property: "plain",
    nothing: undefined,
    get getter() {
      return 7
    },
    late: (n) => Effect.map(Effect.yieldNow, () => n),
    failing: () => Effect.fail("no"),
    promise: () => Promise.resolve("kept"),
    rejected: () => Promise.reject(new Error("broken")),
    thenable: () => thenable("then"),
    callable: () => thenable("called", () => 0),
    twofold: () => thenable(Promise.resolve("twice")),
    union: (kind) => kind === "effect" ? Effect.succeed(kind) : kind === "promise" ? Promise.resolve(kind) : kind,
    text: () => "text",
    none: () => {},
    list: () => [1, 2],
    options: () => Option.some(1),
    result: () => Result.fail("kept as it is"),
    fn: () => () => 1,
    thrower() {
      throw new Error("thrown")
    },
    get bad(): number {
      throw new Error("a bad getter")
    },
    exit: () => Exit.succeed(3),
    failure: () => Exit.fail("failed"),
    death: () => Exit.die(new Error("dead")),
    error: () => new QueryError({ sql: "x" }),
    nested: () => Effect.succeed(Effect.succeed(1))
  }
  const withOdd = <B, E, R>(f: (odd: Proxy.Forwarded<Odd>) => Effect.Effect<B, E, R>) =>
    served(Odds, odd, Effect.flatMap(Odds, f))

  it.effect("an Effect is run, be it a result or a property", () =>
    withOdd((odd) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* odd.effect(), "run")
        assert.strictEqual(yield* odd.late(3), 3)
        assert.strictEqual(yield* Effect.flip(odd.failing()), "no")
        assert.isTrue(Effect.isEffect(yield* odd.nested()), "an Effect in an Effect is its value")
      })
    ))

  it.effect("a promise is awaited, and so is whatever has a then", () =>
    withOdd((odd) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* odd.promise(), "kept")
        assert.strictEqual(yield* odd.thenable(), "then")
        assert.strictEqual(yield* odd.callable(), "called")
        assert.strictEqual(yield* odd.twofold(), "twice")
      })
    ))

  it.effect("a rejection is an UnknownError with the reason as its cause, and keeps the object", () =>
    withOdd((odd) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(odd.rejected())
        assert.instanceOf(error, Cause.UnknownError)
        assert.strictEqual((error.cause as Error).message, "broken")
        const caught = yield* Effect.catchTag(odd.rejected(), "UnknownError", () => Effect.succeed("caught"))
        assert.strictEqual(caught, "caught")
      })
    ))

  it.effect("anything else is the value: also nothing, an array, a function, an Option, a Result", () =>
    withOdd((odd) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* odd.text(), "text")
        assert.isUndefined(yield* odd.none())
        assert.deepStrictEqual(yield* odd.list(), [1, 2])
        assert.strictEqual((yield* odd.fn())(), 1)
        assert.isTrue(Option.isSome(yield* odd.options()))
        assert.isTrue(Result.isFailure(yield* odd.result()))
      })
    ))

  it.effect("a plain property is a function of no arguments on the proxy", () =>
    withOdd((odd) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* odd.property(), "plain")
        assert.strictEqual(yield* odd.getter(), 7)
        assert.isUndefined(yield* odd.nothing())
        assert.isUndefined(yield* odd.missing())
      })
    ))

  it.effect("an optional method that is not there gives undefined", () =>
    Effect.gen(function*() {
      assert.isUndefined(yield* withOdd((odd) => odd.optional()))
      const object: Odd = Object.assign(Object.create(odd), { optional: () => 1 })
      const there = served(Odds, object, Effect.flatMap(Odds, (odd) => odd.optional()))
      assert.strictEqual(yield* there, 1)
    }))

  it.effect("a union is resolved member by member", () =>
    withOdd((odd) =>
      Effect.gen(function*() {
        for (const kind of ["effect", "promise", "value"] as const) assert.strictEqual(yield* odd.union(kind), kind)
      })
    ))

  it.effect("a throw is a defect, be it of a method or of a getter", () =>
    withOdd((odd) =>
      Effect.gen(function*() {
        assert.strictEqual(defectOf(yield* Effect.exit(odd.thrower())), "thrown")
        assert.strictEqual(defectOf(yield* Effect.exit(odd.bad())), "a bad getter")
      })
    ))

  it.effect("what is an Effect for its type is run: an Exit, an error, a service tag, a Config", () => {
    class Tenant extends Context.Service<Tenant, string>()("Tenant") {}
    interface Effects {
      readonly tag: typeof Tenant
      readonly port: Config.Config<number>
      tagOf(): typeof Tenant
    }
    class EffectsTag extends Proxy.Service<EffectsTag, Effects>()("app/Effects") {}
    const object = { tag: Tenant, port: Config.Number("PORT"), tagOf: () => Tenant }
    const config = ConfigProvider.layer(ConfigProvider.fromUnknown({ PORT: 8080 }))
    return Effect.gen(function*() {
      yield* withOdd((odd) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* odd.exit(), 3)
          assert.strictEqual(yield* Effect.flip(odd.failure()), "failed")
          assert.strictEqual(defectOf(yield* Effect.exit(odd.death())), "dead")
          assert.instanceOf(yield* Effect.flip(odd.error()), QueryError)
        })
      )
      yield* served(
        EffectsTag,
        object,
        Effect.gen(function*() {
          const effects = yield* EffectsTag
          assert.strictEqual(yield* Effect.provideService(effects.tag(), Tenant, "a"), "a")
          assert.strictEqual(yield* Effect.provideService(effects.tagOf(), Tenant, "b"), "b")
          assert.strictEqual(yield* Effect.provide(effects.port(), config), 8080)
        })
      )
    })
  })

  it.effect("arguments arrive as they were given: none, many, and undefined ones", () => {
    interface Counter {
      count(...args: ReadonlyArray<unknown>): number
      join(a: string, b?: string, ...more: ReadonlyArray<string>): string
    }
    class Counters extends Proxy.Service<Counters, Counter>()("app/Counters") {}
    return served(
      Counters,
      { count: (...args) => args.length, join: (a, b = "default", ...more) => [a, b, ...more].join() },
      Effect.gen(function*() {
        const counter = yield* Counters
        assert.strictEqual(yield* counter.count(), 0)
        assert.strictEqual(yield* counter.count(undefined), 1)
        assert.strictEqual(yield* counter.count(1, 2, 3, 4, 5, 6, 7), 7)
        assert.strictEqual(yield* counter.join("a"), "a,default")
        assert.strictEqual(yield* counter.join("a", "b", "c", "d"), "a,b,c,d")
      })
    )
  })

  it.effect("a function is called as itself, also where it has a `call` of its own", () => {
    const twice = Object.assign((n: number) => 2 * n, { call: () => Number.NaN })
    class Numbers extends Proxy.Service<Numbers, { twice(n: number): number }>()("app/Numbers") {}
    return served(
      Numbers,
      { twice },
      Effect.gen(function*() {
        const numbers = yield* Numbers
        assert.strictEqual(yield* numbers.twice(21), 42)
      })
    )
  })

  it.effect("a promise that is rejected when nobody waits any longer disturbs nobody", () => {
    let reject: (error: Error) => void = () => {}
    class Slow extends Proxy.Service<Slow, { wait(): Promise<number> }>()("app/Slow") {}
    return Effect.gen(function*() {
      const slow = yield* Slow
      const fiber = yield* start(Effect.scoped(slow.wait()))
      yield* Fiber.interrupt(fiber)
      reject(new Error("too late"))
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    }).pipe(Effect.provide(Slow.layerPool({
      acquire: Effect.succeed({ wait: () => new Promise<number>((_, no) => reject = no) }),
      max: 1
    })))
  })
})

describe("a Stream", () => {
  const server = () => new Server()

  it.effect("Stream.unwrap holds an object for the stream's life", () =>
    Effect.gen(function*() {
      const db = yield* Database
      const rows = Stream.unwrap(db.rows(3))
      const used: Array<number> = []
      const all = yield* Stream.runCollect(Stream.tap(rows, () => Effect.map(inUse, (n) => used.push(n))))
      assert.deepStrictEqual(all, [1, 2, 3])
      assert.deepStrictEqual(used, [1, 1, 1])
      assert.strictEqual(yield* inUse, 0)
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(rows, 1)), [1])
      assert.strictEqual(yield* inUse, 0)
      assert.strictEqual((yield* stats).destroyed.failed, 0)
    }).pipe(Effect.provide(Database.layerPool({ acquire: server().connect, max: 1 }))))

  it.effect("it is a value: what it does is its own, and an interruption that ends its Scope makes the object suspect", () =>
    Effect.gen(function*() {
      const db = yield* Database
      const rows = Stream.unwrap(db.rows(3))
      const fiber = yield* start(Stream.runForEach(rows, () => Effect.never))
      assert.strictEqual(yield* inUse, 1)
      yield* Fiber.interrupt(fiber)
      const { destroyed, inUse: used } = yield* stats
      assert.deepStrictEqual([destroyed.failed, used], [1, 0])
      const failing = yield* Effect.flip(Stream.runForEach(rows, () => Effect.fail("no")))
      assert.strictEqual(failing, "no")
      assert.strictEqual((yield* stats).destroyed.failed, 1, "a typed failure says nothing bad of the object")
    }).pipe(Effect.provide(Database.layerPool({ acquire: server().connect, max: 1 }))))

  it.effect("an Effect or a promise of a Stream is one too", () => {
    interface Reader {
      effect(): Effect.Effect<Stream.Stream<number>>
      late(): Effect.Effect<Stream.Stream<number>>
      promise(): Promise<Stream.Stream<number>>
    }
    class Readers extends Proxy.Service<Readers, Reader>()("app/Readers") {}
    const reader: Reader = {
      effect: () => Effect.succeed(Stream.make(1)),
      late: () => Effect.map(Effect.yieldNow, () => Stream.make(1)),
      promise: () => Promise.resolve(Stream.make(1))
    }
    return Effect.gen(function*() {
      const proxy = yield* Readers
      const pool = yield* Readers.pool
      let lost = 0
      for (const name of ["effect", "late", "promise"] as const) {
        const rows = Stream.unwrap(proxy[name]())
        assert.deepStrictEqual(yield* Stream.runCollect(rows), [1])
        const fiber = yield* start(Stream.runForEach(rows, () => Effect.never))
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        yield* settle
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* Pool.stats(pool)).destroyed.failed, ++lost, name)
      }
    }).pipe(Effect.provide(Readers.layerPool({ acquire: Effect.sync(() => ({ ...reader })), max: 1 })))
  })
})

describe("any object", () => {
  it.effect("a frozen one, one with private fields, one behind a JavaScript Proxy, a Map", () => {
    class Secret {
      #count = 0
      static made = 0
      increment(): number {
        return ++this.#count
      }
      get count(): number {
        return this.#count
      }
      self(): this {
        return this
      }
    }
    class Secrets extends Proxy.Service<Secrets, Secret>()("app/Secrets") {}
    class Maps extends Proxy.Service<Maps, Map<string, number>>()("app/Maps") {}
    const check = (object: Secret) =>
      served(
        Secrets,
        object,
        Effect.gen(function*() {
          const secret = yield* Secrets
          const before = yield* secret.count()
          assert.strictEqual(yield* secret.increment(), before + 1)
          assert.strictEqual(yield* secret.count(), before + 1)
          assert.strictEqual(yield* secret.self(), object, "this is the object")
        })
      )
    return Effect.gen(function*() {
      const plain = new Secret()
      yield* check(plain)
      const frozen = new Secret()
      Object.freeze(frozen)
      yield* check(frozen)
      const target = new Secret()
      yield* check(
        new globalThis.Proxy(target, {
          get: (target, name) => {
            const value = Reflect.get(target, name, target)
            return typeof value === "function" && name !== "self" ? value.bind(target) : value
          }
        })
      )
      yield* served(
        Maps,
        new Map([["a", 1]]),
        Effect.gen(function*() {
          const map = yield* Maps
          assert.strictEqual(yield* map.get("a"), 1)
          assert.strictEqual(yield* map.size(), 1)
          assert.isTrue(yield* map.has("a"))
        })
      )
    })
  })

  it.effect("a primitive", () => {
    class Text extends Proxy.Service<Text, string>()("app/Text") {}
    class Amount extends Proxy.Service<Amount, number>()("app/Amount") {}
    return Effect.gen(function*() {
      yield* served(
        Text,
        "text",
        Effect.gen(function*() {
          const text = yield* Text
          assert.strictEqual(yield* text.length(), 4)
          assert.strictEqual(yield* text.toUpperCase(), "TEXT")
          assert.strictEqual(yield* text.concat("a", "b"), "textab")
          assert.strictEqual(yield* Text.object, "text")
        })
      )
      yield* served(
        Amount,
        1.25,
        Effect.map(Effect.flatMap(Amount, (n) => n.toFixed(1)), (text) => assert.strictEqual(text, "1.3"))
      )
      yield* served(
        Amount,
        1.25,
        Effect.map(Amount.useObject((n) => Effect.succeed(n * 2)), (twice) => assert.strictEqual(twice, 2.5))
      )
    })
  })

  it.effect("one whose members have the names of what Effects and functions have", () => {
    const object = {
      pipe: () => "pipe",
      name: "a name",
      length: 3,
      call: () => "call",
      apply: () => "apply",
      bind: () => "bind",
      catch: () => "catch",
      finally: () => "finally",
      _tag: "Tagged",
      "~brand": "a brand",
      "with space": () => "space",
      "": () => "empty"
    }
    class Names extends Proxy.Service<Names, typeof object>()("app/Names") {}
    return served(
      Names,
      object,
      Effect.gen(function*() {
        const names = yield* Names
        const all = [
          yield* names["pipe"](),
          yield* names.name(),
          yield* names.call(),
          yield* names.apply(),
          yield* names.bind(),
          yield* names.catch(),
          yield* names.finally(),
          yield* names._tag(),
          yield* names["~brand"](),
          yield* names["with space"](),
          yield* names[""]()
        ]
        assert.deepStrictEqual(all, [
          "pipe",
          "a name",
          "call",
          "apply",
          "bind",
          "catch",
          "finally",
          "Tagged",
          "a brand",
          "space",
          "empty"
        ])
        assert.strictEqual(yield* names.length(), 3)
      })
    )
  })
})

describe("what is not forwarded", () => {
  const withProxy = (check: (db: object) => Effect.Effect<void>) => () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      yield* check(db)
      yield* Effect.scoped(db.query("x"))
      yield* check(db)
      assert.deepStrictEqual(server.calls, ["0:x"], "nothing was called")
    }).pipe(Effect.provide(Database.layerPool({ acquire: server.connect, max: 1 })))
  }
  const at = (object: object, name: PropertyKey): unknown => (object as Record<PropertyKey, unknown>)[name]

  it.effect(
    "symbols, then, toJSON and the names of Object.prototype",
    withProxy((db) =>
      Effect.sync(() => {
        for (
          const name of [Symbol.iterator, Symbol.asyncIterator, Symbol.toPrimitive, Symbol.dispose, "then", "toJSON"]
        ) {
          assert.isUndefined(at(db, name), String(name))
        }
        for (const name of Object.getOwnPropertyNames(Object.prototype)) {
          if (name !== "toString" && name !== "__proto__") {
            assert.strictEqual(at(db, name), at(Object.prototype, name), name)
          }
        }
        assert.isTrue(Object.prototype.hasOwnProperty.call(Object.prototype, "constructor"))
        assert.isFalse(Effect.isEffect(at(db, "toString")))
      })
    )
  )

  it.effect(
    "it has a name, and can be awaited, written as JSON, cloned and inspected without harm",
    withProxy((db) =>
      Effect.gen(function*() {
        assert.strictEqual(String(db), "Proxy(app/Database)")
        assert.strictEqual(`${db}`, "Proxy(app/Database)")
        assert.strictEqual(db.toLocaleString(), "Proxy(app/Database)")
        assert.strictEqual(yield* Effect.promise(() => Promise.resolve(db)), db)
        assert.strictEqual(JSON.stringify(db), "{}")
        assert.deepStrictEqual(JSON.stringify({ db }), "{\"db\":{}}")
        assert.deepStrictEqual(structuredClone(db), {})
        assert.isString(inspect(db))
        assert.isString(inspect(db, { showHidden: true, showProxy: true, depth: 5, getters: true }))
        assert.deepStrictEqual(Object.keys(db), [])
        for (const key in db) assert.fail(`there is nothing to enumerate, but ${key}`)
      })
    )
  )

  it.effect("proxies are equal only if identical", () =>
    Effect.gen(function*() {
      const layer = () => Layer.fresh(Database.layerPool({ acquire: new Server().connect, max: 1 }))
      const context = () => Effect.map(Layer.build(layer()), (context) => Context.get(context, Database))
      const a = yield* context()
      const b = yield* context()
      assert.isFalse(Equal.equals(a, b), "before the first call")
      yield* Effect.all([Effect.scoped(a.id()), Effect.scoped(b.id())])
      assert.isTrue(Equal.equals(a, a))
      assert.isFalse(Equal.equals(a, b))
      assert.strictEqual(Hash.hash(a), Hash.hash(a))
      assert.isTrue(isDeepStrictEqual(a, a))
      const perCall = yield* Effect.provideService(Database.perCall, Database, a)
      assert.isFalse(Equal.equals<unknown, unknown>(perCall, a))
      assert.strictEqual(yield* Effect.provideService(Database.perCall, Database, a), perCall)
    }))

  it.effect(
    "looking for brands leaves none behind",
    withProxy((db) =>
      Effect.sync(() => {
        for (const brand of ["~effect/Effect", "~effect/Stream", "~effect/Exit", "~effect/Option"]) at(db, brand)
        assert.isFalse(Effect.isEffect(db))
        assert.isFalse(Exit.isExit(db))
        assert.isFalse(Stream.isStream(db))
        assert.isFalse(Option.isOption(db))
        assert.isFalse(Pool.isPool(db))
        assert.isFalse(Scope.Scope.key in db)
      })
    )
  )
})

describe("how a call ends, and what becomes of the object", () => {
  class Broken extends Data.TaggedError("Broken") {}
  interface Fragile {
    ok(): Effect.Effect<void>
    fails(): Effect.Effect<never, Broken>
    rejects(): Promise<never>
    dies(): Effect.Effect<never>
    throws(): never
    exits(): Exit.Exit<never>
    hangs(): Effect.Effect<never>
    waits(): Promise<never>
  }
  class Fragiles extends Proxy.Service<Fragiles, Fragile>()("app/Fragiles") {}
  const fragile = (): Fragile => ({
    ok: () => Effect.void,
    fails: () => Effect.fail(new Broken()),
    rejects: () => Promise.reject(new Error("no")),
    dies: () => Effect.andThen(Effect.yieldNow, Effect.die(new Error("died"))),
    throws: () => {
      throw new Error("thrown")
    },
    exits: () => Exit.die(new Error("died at once")),
    hangs: () => Effect.never,
    waits: () => new Promise(() => {})
  })
  const after = (name: keyof Fragile, checked: "checked" | "unchecked") =>
    Effect.gen(function*() {
      const object = yield* Fragiles
      const fiber = yield* start(Effect.scoped(object[name]() as Effect.Effect<unknown, unknown, Scope.Scope>))
      yield* settle
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* Fiber.interrupt(fiber)
      yield* settle
      const { destroyed, healthChecks, inUse } = yield* Effect.flatMap(Fragiles.pool, Pool.stats)
      assert.strictEqual(inUse, 0)
      return { destroyed: destroyed.failed, healthChecks }
    }).pipe(Effect.provide(Fragiles.layerPool({
      acquire: Effect.sync(fragile),
      max: 1,
      ...(checked === "checked" ? { healthCheck: () => Effect.succeed(true) } : {})
    })))

  it.effect("success, a typed failure and a rejection keep it", () =>
    Effect.gen(function*() {
      for (const name of ["ok", "fails", "rejects"] as const) {
        assert.deepStrictEqual(yield* after(name, "unchecked"), { destroyed: 0, healthChecks: 0 }, name)
        assert.deepStrictEqual(yield* after(name, "checked"), { destroyed: 0, healthChecks: 0 }, name)
      }
    }))

  it.effect("a defect or an interruption makes it suspect: it is checked, or destroyed where there is no check", () =>
    Effect.gen(function*() {
      for (const name of ["dies", "throws", "exits", "hangs", "waits"] as const) {
        assert.deepStrictEqual(yield* after(name, "unchecked"), { destroyed: 1, healthChecks: 0 }, name)
        assert.deepStrictEqual(yield* after(name, "checked"), { destroyed: 0, healthChecks: 1 }, name)
      }
    }))

  it.effect("a Scope that goes on after a call was hit keeps the object until its end", () =>
    Effect.gen(function*() {
      const object = yield* Fragiles
      const pool = yield* Fragiles.pool
      yield* Effect.gen(function*() {
        yield* Effect.exit(object.dies())
        yield* object.ok()
        assert.strictEqual((yield* Pool.stats(pool)).size, 1)
        assert.isTrue(yield* Fragiles.isHeld)
      }).pipe(Effect.scoped)
      assert.strictEqual((yield* Pool.stats(pool)).destroyed.failed, 1)
    }).pipe(Effect.provide(Fragiles.layerPool({ acquire: Effect.sync(fragile), max: 1 }))))

  it.effect("an interruption or a defect between calls hits nothing", () =>
    Effect.gen(function*() {
      const object = yield* Fragiles
      const pool = yield* Fragiles.pool
      const fiber = yield* start(Effect.scoped(Effect.andThen(object.ok(), Effect.never)))
      yield* Fiber.interrupt(fiber)
      yield* Effect.exit(Effect.scoped(Effect.andThen(object.ok(), Effect.die("a defect beside"))))
      const { borrowed, destroyed, idle, returned } = yield* Pool.stats(pool)
      assert.deepStrictEqual([destroyed.failed, idle, borrowed, returned], [0, 1, 2, 2])
      assert.isDefined(ended(fiber))
      assert.isUndefined(valueOf(yield* start(Effect.scoped(object.ok()))))
    }).pipe(Effect.provide(Fragiles.layerPool({ acquire: Effect.sync(fragile), max: 1 }))))
})
