import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { type Cause, type Config, type Context, Effect, type Exit, Scope, Stream } from "effect"
import type { PoolError, Proxy } from "proxy-pattern-pool"
import type { Clerk, ConnectError, Connection, QueryError } from "./world.ts"
import { Tenant } from "./world.ts"

type Failure = PoolError.PoolError
type Result<A, E = never, R = never> = Effect.Effect<A, E | Failure, R | Scope.Scope>
type Refused<Name extends string> =
  | Proxy.NotForwarded<
    `${Name} cannot be forwarded (generic, a type guard, a class, or more than four overloads): use useObject`
  >
  | undefined

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** The proxy of one member. */
type Of<M> = Proxy.Forwarded<{ m: M }>["m" & keyof Proxy.Forwarded<{ m: M }>]
/** Is the member refused? */
type IsRefused<M> = Same<Of<M>, Refused<"m">>

describe("a method is forwarded", () => {
  type Db = Proxy.Forwarded<Connection, ConnectError>

  it("with its parameters, running the Effect it gives", () => {
    expectTypeOf<Db["query"]>().toEqualTypeOf<
      (sql: string) => Effect.Effect<string, QueryError | ConnectError | Failure, Scope.Scope>
    >()
  })

  it("with the requirements of the Effect it gives", () => {
    expectTypeOf<Db["asTenant"]>().toEqualTypeOf<
      (sql: string, times: number) => Effect.Effect<
        string,
        QueryError | ConnectError | Failure,
        Tenant | Scope.Scope
      >
    >()
  })

  it("awaiting the promise it gives, whose rejection is an UnknownError", () => {
    expectTypeOf<Db["ping"]>().toEqualTypeOf<
      () => Effect.Effect<boolean, Cause.UnknownError | ConnectError | Failure, Scope.Scope>
    >()
    expectTypeOf<Of<() => PromiseLike<number>>>().toEqualTypeOf<() => Result<number, Cause.UnknownError>>()
  })

  it("with any other result as the value", () => {
    expectTypeOf<Db["add"]>().toEqualTypeOf<
      (a: number, b: number) => Effect.Effect<number, ConnectError | Failure, Scope.Scope>
    >()
    expectTypeOf<Of<() => void>>().toEqualTypeOf<() => Result<void>>()
    expectTypeOf<Of<() => never>>().toEqualTypeOf<() => Result<never>>()
    expectTypeOf<Of<() => null>>().toEqualTypeOf<() => Result<null>>()
    expectTypeOf<Of<() => boolean>>().toEqualTypeOf<() => Result<boolean>>()
  })

  it("with optional and rest parameters", () => {
    expectTypeOf<Of<(a: string, b?: number, ...c: Array<boolean>) => void>>().toEqualTypeOf<
      (a: string, b?: number, ...c: Array<boolean>) => Result<void>
    >()
    expectTypeOf<Of<(...args: ReadonlyArray<string>) => void>>().toEqualTypeOf<
      (...args: ReadonlyArray<string>) => Result<void>
    >()
    expectTypeOf<Of<(...args: [a: string] | [b: number, c: string]) => void>>().toEqualTypeOf<
      (...args: [a: string] | [b: number, c: string]) => Result<void>
    >()
    expectTypeOf<Of<(a: number | undefined, b: string) => void>>().toEqualTypeOf<
      (a: number | undefined, b: string) => Result<void>
    >()
  })

  it("when the Effect never fails, never succeeds, or needs a Scope of its own", () => {
    expectTypeOf<Of<() => Effect.Effect<number>>>().toEqualTypeOf<() => Result<number>>()
    expectTypeOf<Of<() => Effect.Effect<never, "gone">>>().toEqualTypeOf<() => Result<never, "gone">>()
    expectTypeOf<Proxy.Forwarded<{ m(): Effect.Effect<1, never, Scope.Scope> }, never, never>["m"]>().toEqualTypeOf<
      () => Effect.Effect<1, Failure, Scope.Scope>
    >()
  })

  it("when it gives this, as the object itself", () => {
    interface Chain {
      next(): this
      later(): Promise<this>
      then(): void
    }
    expectTypeOf<Proxy.Forwarded<Chain>["next"]>().toEqualTypeOf<() => Result<Chain>>()
    interface Builder {
      later(): Effect.Effect<Builder>
      on(this: Builder, event: string): this
    }
    expectTypeOf<Proxy.Forwarded<Builder>["on"]>().toEqualTypeOf<(event: string) => Result<Builder>>()
  })

  it("when it gives a Stream, as a value to unwrap", () => {
    type Rows = Of<() => Stream.Stream<number, QueryError>>
    expectTypeOf<Rows>().toEqualTypeOf<() => Result<Stream.Stream<number, QueryError>>>()
    const unwrap = (rows: Rows) => Stream.unwrap(rows())
    expectTypeOf(unwrap).returns.toEqualTypeOf<Stream.Stream<number, QueryError | Failure>>()
  })

  it("when it takes or gives a generic function, which is not the method's own", () => {
    expectTypeOf<Of<(f: <X>(x: X) => X) => void>>().toEqualTypeOf<(f: <X>(x: X) => X) => Result<void>>()
    expectTypeOf<Of<() => <X>(x: X) => X>>().toEqualTypeOf<() => Result<<X>(x: X) => X>>()
  })

  it("of a generic class, once its parameters are known", () => {
    interface Repository<T> {
      find(id: number): Effect.Effect<T>
      readonly save: (entity: T) => Promise<void>
    }
    type Names = Proxy.Forwarded<Repository<string>>
    expectTypeOf<Names["find"]>().toEqualTypeOf<(id: number) => Result<string>>()
    expectTypeOf<Names["save"]>().toEqualTypeOf<(entity: string) => Result<void, Cause.UnknownError>>()
  })

  it("without the properties it may have", () => {
    expectTypeOf<Of<{ (a: string): number; meta: string }>>().toEqualTypeOf<(a: string) => Result<number>>()
    expectTypeOf<Of<((a: string) => number) & { readonly meta: string }>>().toEqualTypeOf<
      (a: string) => Result<number>
    >()
  })
})

describe("a union is resolved member by member", () => {
  it("in a result", () => {
    expectTypeOf<Of<() => Promise<string> | number>>().toEqualTypeOf<
      () => Result<string | number, Cause.UnknownError>
    >()
    expectTypeOf<
      Of<() => Effect.Effect<1, "a"> | Effect.Effect<2, "b", Tenant> | Promise<3> | "four" | undefined>
    >().toEqualTypeOf<() => Result<1 | 2 | 3 | "four" | undefined, "a" | "b" | Cause.UnknownError, Tenant>>()
  })

  it("in an optional method, which is there and may give undefined", () => {
    type Db = Proxy.Forwarded<{ note?: (text: string) => string; hint?: (() => Effect.Effect<1, "no">) | undefined }>
    expectTypeOf<Db["note"]>().toEqualTypeOf<(text: string) => Result<string | undefined>>()
    expectTypeOf<Db["hint"]>().toEqualTypeOf<() => Result<1 | undefined, "no">>()
  })

  it("in a member that is a function or a value", () => {
    expectTypeOf<Of<string | ((n: number) => Promise<number>)>>().toEqualTypeOf<
      (n: number) => Result<string | number, Cause.UnknownError>
    >()
  })

  it("in a member that is one of two functions, which takes what suits both", () => {
    type Either = Of<((a: string) => 1) | ((a: string | number) => Promise<2>)>
    const call = (either: Either) => either("a")
    expectTypeOf(call).returns.toEqualTypeOf<Result<1> | Result<2, Cause.UnknownError>>()
    // @ts-expect-error: a number suits only one of the two functions, and it may be the other
    void ((either: Either) => either(1))
  })

  it("of objects has the members that all of them have", () => {
    type Db = Proxy.Forwarded<{ a: 1; b: () => 2; x: 1 } | { a: "one"; b: () => Promise<3> }>
    expectTypeOf<keyof Db>().toEqualTypeOf<"a" | "b">()
    expectTypeOf<Db["a"]>().toEqualTypeOf<() => Result<1 | "one">>()
  })
})

describe("a property becomes a function without parameters", () => {
  it("that gives its value", () => {
    type Db = Proxy.Forwarded<Connection>
    expectTypeOf<Db["id"]>().toEqualTypeOf<() => Result<number>>()
    expectTypeOf<Proxy.Forwarded<{ name?: string }>["name"]>().toEqualTypeOf<() => Result<string | undefined>>()
  })

  it("that runs its Effect or awaits its promise", () => {
    expectTypeOf<Of<Effect.Effect<number, "no", Tenant>>>().toEqualTypeOf<() => Result<number, "no", Tenant>>()
    expectTypeOf<Of<Promise<number>>>().toEqualTypeOf<() => Result<number, Cause.UnknownError>>()
  })

  it("also a getter, and also of a class, whose private and protected members are none", () => {
    class Base {
      get size(): number {
        return this.hidden()
      }
      protected half = 1
      private hidden(): number {
        return this.half
      }
    }
    expectTypeOf<keyof Proxy.Forwarded<Base>>().toEqualTypeOf<"size">()
    expectTypeOf<Proxy.Forwarded<Base>["size"]>().toEqualTypeOf<() => Result<number>>()
    assert.strictEqual(new Base().size, 1)
  })

  it("that runs whatever is an Effect: an Exit, a Config, a service tag, an error of Effect's", () => {
    expectTypeOf<Of<Exit.Exit<number, "no">>>().toEqualTypeOf<() => Result<number, "no">>()
    expectTypeOf<Of<Config.Config<number>>>().toEqualTypeOf<() => Result<number, Config.ConfigError>>()
    expectTypeOf<Of<typeof Tenant>>().toEqualTypeOf<() => Result<{ readonly name: string }, never, Tenant>>()
    expectTypeOf<Of<() => Context.Service<Clerk, "clerk">>>().toEqualTypeOf<() => Result<"clerk", never, Clerk>>()
    expectTypeOf<Of<QueryError | undefined>>().toEqualTypeOf<() => Result<undefined, QueryError>>()
    assert.isTrue(Effect.isEffect(Tenant))
  })
})

describe("what a type does not say", () => {
  it("may be a promise that is rejected", () => {
    expectTypeOf<Of<() => unknown>>().toEqualTypeOf<() => Result<unknown, Cause.UnknownError>>()
    expectTypeOf<Of<() => any>>().toEqualTypeOf<() => Result<any, Cause.UnknownError>>()
    expectTypeOf<Of<unknown>>().toEqualTypeOf<() => Result<unknown, Cause.UnknownError>>()
  })

  it("may be a function of any parameters", () => {
    expectTypeOf<Of<any>>().toEqualTypeOf<(...args: any) => Result<any, Cause.UnknownError>>()
    expectTypeOf<Of<Function>>().toEqualTypeOf<(...args: any) => Result<any, Cause.UnknownError>>()
    expectTypeOf<Of<(...args: any) => number>>().toEqualTypeOf<(...args: any) => Result<number>>()
    expectTypeOf<Of<(...args: Array<any>) => number>>().toEqualTypeOf<(...args: Array<any>) => Result<number>>()
  })

  it("of the whole object leaves every name open", () => {
    expectTypeOf<Proxy.Forwarded<any>["whatever"]>().toEqualTypeOf<
      (...args: any) => Result<any, Cause.UnknownError>
    >()
    expectTypeOf<keyof Proxy.Forwarded<unknown>>().toEqualTypeOf<never>()
    expectTypeOf<Of<never>>().toEqualTypeOf<() => Result<never>>()
  })
})

describe("overloads", () => {
  interface Many {
    two(a: string): Effect.Effect<string, "two">
    two(a: number, b?: string): Promise<number>
    three(a: 1): 1
    three(a: 2): 2
    three(a: 3): 3
    four(a: 1): 1
    four(a: 2): 2
    four(a: 3): 3
    four(a: 4): Promise<4>
    five(a: 1): 1
    five(a: 2): 2
    five(a: 3): 3
    five(a: 4): 4
    five(a: 5): 5
  }
  type Db = Proxy.Forwarded<Many>

  it("are kept, up to four, each with its own errors", () => {
    expectTypeOf<Db["two"]>().toEqualTypeOf<{
      (a: string): Result<string, "two">
      (a: number, b?: string): Result<number, Cause.UnknownError>
    }>()
    expectTypeOf<Db["three"]>().toEqualTypeOf<{ (a: 1): Result<1>; (a: 2): Result<2>; (a: 3): Result<3> }>()
    expectTypeOf<Db["four"]>().toEqualTypeOf<{
      (a: 1): Result<1>
      (a: 2): Result<2>
      (a: 3): Result<3>
      (a: 4): Result<4, Cause.UnknownError>
    }>()
  })

  it("are refused, if there are five", () => {
    expectTypeOf<Db["five"]>().toEqualTypeOf<Refused<"five">>()
    expectTypeOf<IsRefused<(() => 1) & ((a: 2) => 2) & ((a: 3) => 3)>>().toEqualTypeOf<true>()
  })

  it("of two parts of an intersection are two overloads", () => {
    type Both = Proxy.Forwarded<{ m(a: string): 1; x: 1 } & { m(a: number): 2; y: 2 }>
    expectTypeOf<Both["m"]>().toEqualTypeOf<{ (a: string): Result<1>; (a: number): Result<2> }>()
    expectTypeOf<keyof Both>().toEqualTypeOf<"m" | "x" | "y">()
  })

  it("of a function with properties are kept too", () => {
    expectTypeOf<Of<{ (a: string): 1; (a: number): 2; meta: string }>>().toEqualTypeOf<
      { (a: string): Result<1>; (a: number): Result<2> }
    >()
  })
})

describe("what a mapped type would falsify is refused", () => {
  it("a generic method, whatever its type parameter is for", () => {
    expectTypeOf<IsRefused<<X>(x: X) => Effect.Effect<X>>>().toEqualTypeOf<true>()
    expectTypeOf<IsRefused<<X extends string>(x: X) => X>>().toEqualTypeOf<true>()
    expectTypeOf<IsRefused<<X = string>(sql: string) => Promise<Array<X>>>>().toEqualTypeOf<true>()
    expectTypeOf<IsRefused<<X extends object = {}>() => X>>().toEqualTypeOf<true>()
    expectTypeOf<IsRefused<<X>(x: X) => void>>().toEqualTypeOf<true>()
    expectTypeOf<IsRefused<<X extends { readonly id: number }>(x: X) => number>>().toEqualTypeOf<true>()
    expectTypeOf<IsRefused<<A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>>>()
      .toEqualTypeOf<true>()
    expectTypeOf<IsRefused<<T>(this: T) => T>>().toEqualTypeOf<true>()
    expectTypeOf<IsRefused<{ <X>(x: X): X; meta: string }>>().toEqualTypeOf<true>()
    expectTypeOf<IsRefused<(<X>(x: X) => X) | undefined>>().toEqualTypeOf<true>()
  })

  it("overloads of which one is generic, wherever it stands", () => {
    expectTypeOf<IsRefused<{ (a: string): string; <X>(a: X): X }>>().toEqualTypeOf<true>()
    expectTypeOf<IsRefused<{ <X>(a: X): X; (a: string): string }>>().toEqualTypeOf<true>()
    expectTypeOf<IsRefused<{ (a: 1): 1; <X>(a: X): X; (a: 2): 2; (a: 3): 3 }>>().toEqualTypeOf<true>()
  })

  it("a type guard", () => {
    expectTypeOf<IsRefused<(u: unknown) => u is string>>().toEqualTypeOf<true>()
    expectTypeOf<IsRefused<(u: unknown) => asserts u is string>>().toEqualTypeOf<true>()
    expectTypeOf<IsRefused<(u: unknown) => asserts u>>().toEqualTypeOf<true>()
    interface Door {
      isOpen(): this is { readonly open: true }
    }
    expectTypeOf<Proxy.Forwarded<Door>["isOpen"]>().toEqualTypeOf<Refused<"isOpen">>()
  })

  it("a class", () => {
    expectTypeOf<IsRefused<new(a: string) => Connection>>().toEqualTypeOf<true>()
    expectTypeOf<IsRefused<abstract new() => Connection>>().toEqualTypeOf<true>()
    expectTypeOf<IsRefused<typeof Date>>().toEqualTypeOf<true>()
  })

  it("with a message that names the member and useObject, and is no function", () => {
    interface Odd {
      plain(n: number): number
      generic<X>(x: X): X
    }
    type Db = Proxy.Forwarded<Odd>
    expectTypeOf<Db["generic"]>().toEqualTypeOf<Refused<"generic">>()
    expectTypeOf<Db["generic"]>().toExtend<Proxy.NotForwarded<string> | undefined>()
    // @ts-expect-error: a member that is not forwarded must not look callable: NotForwarded has no call signatures
    void ((db: Db) => db.generic?.(1))
    // @ts-expect-error: and is optional, so that a double may leave it out
    void ((db: Db) => db.generic(1))
    // a double leaves it out
    const double: Db = { plain: Effect.succeed }
    assert.strictEqual(double.generic, undefined)
  })
})

describe("what is not forwarded", () => {
  it("are symbols, numeric names, then, toJSON and the names of Object.prototype", () => {
    interface Names {
      kept(): void
      then(): void
      toJSON(): unknown
      toString(): string
      toLocaleString(): string
      valueOf(): object
      hasOwnProperty(key: PropertyKey): boolean
      isPrototypeOf(object: object): boolean
      propertyIsEnumerable(key: PropertyKey): boolean
      readonly constructor: Function
      readonly __proto__: object
      __defineGetter__(): void
      __defineSetter__(): void
      __lookupGetter__(): void
      __lookupSetter__(): void
      readonly 0: string
      readonly [Symbol.iterator]: () => Iterator<number>
    }
    expectTypeOf<keyof Proxy.Forwarded<Names>>().toEqualTypeOf<"kept">()
    type Hidden = Exclude<Extract<keyof Names, string>, "kept" | "then" | "toJSON">
    const names: Record<Hidden, true> = {
      toString: true,
      toLocaleString: true,
      valueOf: true,
      hasOwnProperty: true,
      isPrototypeOf: true,
      propertyIsEnumerable: true,
      constructor: true,
      ["__proto__"]: true,
      __defineGetter__: true,
      __defineSetter__: true,
      __lookupGetter__: true,
      __lookupSetter__: true
    }
    assert.sameMembers(Object.keys(names), Object.getOwnPropertyNames(Object.prototype))
  })

  it("are call signatures of the object itself", () => {
    type Callable = Proxy.Forwarded<{ (sql: string): number; close(): void }>
    expectTypeOf<keyof Callable>().toEqualTypeOf<"close">()
    // @ts-expect-error: the proxy of what can be called cannot be called itself
    void ((sql: Callable) => sql("select 1"))
  })

  it("are members that the object does not have, and wrong arguments", () => {
    type Db = Proxy.Forwarded<Connection>
    // @ts-expect-error: what the object does not have, the proxy must not have either
    void ((db: Db) => db.nothing)
    // @ts-expect-error: arguments are those of the member: a string, and no number
    void ((db: Db) => db.query(1))
    // @ts-expect-error: and no more of them than the member takes
    void ((db: Db) => db.ping(1))
    // @ts-expect-error: a property is a function on the proxy, and no Effect before it is called
    void ((db: Db) => Effect.map(db.id, (n) => n))
    // @ts-expect-error: nothing can be assigned: it would reach no object
    void ((db: Db) => db.ping = () => Effect.succeed(true))
    expectTypeOf<Db>().not.toHaveProperty("then")
  })
})

describe("the whole proxy", () => {
  it("of an array has the methods that can be forwarded, and its length", () => {
    type Numbers = Proxy.Forwarded<ReadonlyArray<number>>
    expectTypeOf<Numbers["length"]>().toEqualTypeOf<() => Result<number>>()
    expectTypeOf<Numbers["at"]>().toEqualTypeOf<(index: number) => Result<number | undefined>>()
    expectTypeOf<Numbers["map"]>().toEqualTypeOf<Refused<"map">>()
  })

  it("keeps an index signature, and the members beside it", () => {
    type Commands = Proxy.Forwarded<{ readonly [name: string]: () => number; readonly quit: () => 0 }>
    expectTypeOf<Commands["anything"]>().toEqualTypeOf<() => Result<number>>()
    expectTypeOf<Commands["quit"]>().toEqualTypeOf<() => Result<0>>()
  })

  it("may be a parameter of the object's own methods", () => {
    interface Self {
      copy(to: Proxy.Forwarded<Self>): Effect.Effect<Self>
    }
    expectTypeOf<Proxy.Forwarded<Self>["copy"]>().toEqualTypeOf<
      (to: Proxy.Forwarded<Self>) => Result<Self>
    >()
  })

  it("adds E and PoolError to the errors, and R to the requirements", () => {
    expectTypeOf<Proxy.Forwarded<Connection, ConnectError, Clerk>["id"]>().toEqualTypeOf<
      () => Effect.Effect<number, ConnectError | Failure, Clerk>
    >()
  })

  it("that needs no Scope stands in for one that does, and one with fewer errors for one with more", () => {
    expectTypeOf<Proxy.Forwarded<Connection, ConnectError, never>>().toExtend<
      Proxy.Forwarded<Connection, ConnectError>
    >()
    expectTypeOf<Proxy.Forwarded<Connection>>().toExtend<Proxy.Forwarded<Connection, ConnectError>>()
    expectTypeOf<Proxy.Forwarded<Connection, ConnectError>>().not.toExtend<Proxy.Forwarded<Connection>>()
    expectTypeOf<Proxy.Forwarded<Connection>>().not.toExtend<Proxy.Forwarded<Connection, never, never>>()
  })

  it.effect("can be written by hand", () => {
    const double: Proxy.Forwarded<{ readonly id: number; name(of: string): Promise<string> }> = {
      id: () => Effect.map(Effect.service(Scope.Scope), () => 7),
      name: (of) => Effect.succeed(of)
    }
    return Effect.gen(function*() {
      assert.strictEqual(yield* double.id(), 7)
      assert.strictEqual(yield* double.name("x"), "x")
    })
  })
})
