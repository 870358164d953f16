/** What the proxy makes of the members of an object. Types only. */
import type * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { PoolError } from "../PoolError.ts"

/**
 * What stands on a proxy in the place of a member that it cannot forward. `Message` says why, and what to do.
 *
 * **When to use**
 *
 * Use the `useObject` of the tag instead of the member: its function is given the object itself, on which every member
 * has its own type.
 *
 * **Details**
 *
 * A mapped type would falsify a generic method, a type guard (`u is string`, `asserts u`), a method with more than four
 * overloads, and a class. Such a member is optional, so that test doubles leave it out, and no function, so that
 * calling it does not compile.
 *
 * @category models
 * @since 0.1.0
 */
export interface NotForwarded<out Message extends string> {
  readonly "~proxy-pattern-pool/NotForwarded": Message
}

/** Names that stay the proxy's own: those that the language looks up by itself, and those of every object. */
type Hidden =
  | "then"
  | "toJSON"
  | "constructor"
  | "hasOwnProperty"
  | "isPrototypeOf"
  | "propertyIsEnumerable"
  | "toLocaleString"
  | "toString"
  | "valueOf"
  | "__proto__"
  | "__defineGetter__"
  | "__defineSetter__"
  | "__lookupGetter__"
  | "__lookupSetter__"

type IsAny<T> = 0 extends 1 & T ? true : false

/** Are the types identical? Unlike assignability, it tells generic functions and type guards from others. */
type Same<T, U> = (<X>() => X extends T ? 1 : 2) extends <X>() => X extends U ? 1 : 2 ? true : false

type Success<T> = T extends Effect.Effect<infer A, infer _E, infer _R> ? A
  : T extends PromiseLike<unknown> ? Awaited<T>
  : T

type Failure<T> = T extends Effect.Effect<infer _A, infer E, infer _R> ? E
  : T extends PromiseLike<unknown> ? Cause.UnknownError
  : never

type Services<T> = T extends Effect.Effect<infer _A, infer _E, infer R> ? R : never

/**
 * What a call gives whose method gives `T`: a union is resolved member by member, and what may be a promise for all that
 * its type says may be rejected.
 */
type Result<T, E, R> = unknown extends T ? Effect.Effect<T, Cause.UnknownError | E | PoolError, R>
  : Effect.Effect<Success<T>, Failure<T> | E | PoolError, Services<T> | R>

/** A member that cannot be forwarded. */
interface Refused {
  readonly refused: true
}

/**
 * Is `G`, made of the parameters and results of the function `F`, all that `F` is? `H` is another way to write `G`. A
 * function with properties of its own is never identical to its signatures: there, it is enough that `G` can stand in
 * for `F`.
 */
type IsWhole<F, G, H = G> = Same<F, G> extends true ? true
  : Same<F, H> extends true ? true
  : [keyof F] extends [never] ? false
  : [G & Pick<F, keyof F>] extends [F] ? true
  : false

/**
 * A function that borrows, for a function of one signature, of two, ... `Rest` is what the member may be when it is no
 * function. Inferring from a function with more signatures than asked for, with type parameters or with a type predicate
 * loses them without a word, which `IsWhole` then sees.
 */
type Call<F, Rest, E, R> = Same<F, Function> extends true ? (...args: any) => Result<any, E, R>
  : F extends (...args: infer A extends ReadonlyArray<any>) => infer T ?
    IsWhole<F, (...args: A) => T> extends true ? (...args: A) => Result<T | Rest, E, R>
    : Call2<F, Rest, E, R>
  : Refused

type Call2<F, Rest, E, R> = F extends {
  (...args: infer A1 extends ReadonlyArray<any>): infer T1
  (...args: infer A2 extends ReadonlyArray<any>): infer T2
} ? IsWhole<F, { (...args: A1): T1; (...args: A2): T2 }, ((...args: A1) => T1) & ((...args: A2) => T2)> extends true ? {
      (...args: A1): Result<T1 | Rest, E, R>
      (...args: A2): Result<T2 | Rest, E, R>
    }
  : Call3<F, Rest, E, R>
  : Refused

type Call3<F, Rest, E, R> = F extends {
  (...args: infer A1 extends ReadonlyArray<any>): infer T1
  (...args: infer A2 extends ReadonlyArray<any>): infer T2
  (...args: infer A3 extends ReadonlyArray<any>): infer T3
} ? IsWhole<F, { (...args: A1): T1; (...args: A2): T2; (...args: A3): T3 }> extends true ? {
      (...args: A1): Result<T1 | Rest, E, R>
      (...args: A2): Result<T2 | Rest, E, R>
      (...args: A3): Result<T3 | Rest, E, R>
    }
  : Call4<F, Rest, E, R>
  : Refused

type Call4<F, Rest, E, R> = F extends {
  (...args: infer A1 extends ReadonlyArray<any>): infer T1
  (...args: infer A2 extends ReadonlyArray<any>): infer T2
  (...args: infer A3 extends ReadonlyArray<any>): infer T3
  (...args: infer A4 extends ReadonlyArray<any>): infer T4
} ? IsWhole<F, { (...args: A1): T1; (...args: A2): T2; (...args: A3): T3; (...args: A4): T4 }> extends true ? {
      (...args: A1): Result<T1 | Rest, E, R>
      (...args: A2): Result<T2 | Rest, E, R>
      (...args: A3): Result<T3 | Rest, E, R>
      (...args: A4): Result<T4 | Rest, E, R>
    }
  : Refused
  : Refused

type CallEach<F, Rest, E, R> = F extends unknown ? Call<F, Rest, E, R> : never

/** The part of a member that is called. An Effect is run, also one that is a function, as a service tag is. */
type Callable<M> = M extends Effect.Effect<any, any, any> ? never : M extends Function ? M : never

/** The rest of the member, which is a value. */
type Value<M> = M extends Effect.Effect<any, any, any> ? M : M extends Function ? never : M

type Member<M, E, R> = IsAny<M> extends true ? (...args: any) => Result<M, E, R>
  : [Callable<M>] extends [never] ? () => Result<M, E, R>
  : CallEach<Callable<M>, Value<M>, E, R>

/** The intersection keeps a mapped type from taking a union apart: the members that all of it has are those of `A`. */
type Members<A> = A & {}

/** Does a member keep its name, and in which of the two halves: what is forwarded, or what is refused? */
type Keep<K, M, Half extends boolean> = K extends Hidden ? never
  : K extends string ? ([Refused] extends [Member<M, never, never>] ? true : false) extends Half ? K : never
  : never

type Refusal<Name> = Name extends string
  ? `${Name} cannot be forwarded (generic, a type guard, a class, or more than four overloads): use useObject`
  : never

/**
 * What the tag of a proxy gives: every string-named member of `A` as a function that borrows the object of the current
 * Scope and calls the member on it. `E` is what creating an object may fail with, `R` what a call needs beside its own
 * requirements: `Scope`, or nothing for `perCall`.
 *
 * **When to use**
 *
 * Use to name what functions take that are given the proxy. A test double of a tag is a value of this type.
 *
 * **Details**
 *
 * - A method keeps its parameters. Where it gives an Effect, that is run; where it gives a `PromiseLike`, that is awaited,
 *   and a rejection is a `Cause.UnknownError`; anything else is the value. A result that is a union is resolved member by
 *   member. What is an Effect for the type is one at run time: so are an `Exit`, a `Config`, a service tag, and an error
 *   made by `Data.TaggedError` or `Schema.TaggedError`, with which the call then fails. A `Stream` is a value.
 * - `E | PoolError` is added to the errors, and `R` to the requirements. A result whose type is `any` or `unknown` may be
 *   a promise: `Cause.UnknownError` is added too.
 * - A property that is no function becomes a function without parameters, and what it holds is resolved like a result. An
 *   optional method is there, and may give `undefined`.
 * - Up to four overloads are kept.
 * - What a mapped type would falsify is an optional member of type `NotForwarded`: generic methods, type guards, classes,
 *   more than four overloads, and an intersection of three methods and more.
 * - There are no symbols, no numeric names, no `then` and `toJSON`, none of the names of `Object.prototype`, no call
 *   signatures of `A` itself. Of a union there are the members that all of it has.
 *
 * **Gotchas**
 *
 * Class methods that TypeScript infers to be type guards (`isText(u: unknown) { return typeof u === "string" }`) are
 * `NotForwarded` too: declare their result as `boolean`. A member that several parts of a union type declare with
 * different parameters takes what suits all of them.
 *
 * **Example** (A function that is given the proxy)
 *
 * ```ts
 * import { Effect } from "effect"
 * import type { Scope } from "effect"
 * import type { PoolError, Proxy } from "proxy-pattern-pool"
 *
 * interface Connection {
 *   readonly id: number
 *   query(sql: string): Effect.Effect<number>
 *   ping(): Promise<boolean>
 * }
 *
 * const count = (db: Proxy.Forwarded<Connection>): Effect.Effect<number, PoolError.PoolError, Scope.Scope> =>
 *   Effect.flatMap(db.id(), (id) => db.query(`select ${id}`))
 *
 * const double: Proxy.Forwarded<Connection> = {
 *   id: () => Effect.succeed(7),
 *   query: (sql) => Effect.succeed(sql.length),
 *   ping: () => Effect.succeed(true)
 * }
 *
 * await Effect.runPromise(Effect.scoped(count(double))) // => 8
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type Forwarded<A, E = never, R = Scope.Scope> =
  & {
    readonly [K in keyof Members<A> as Keep<K, Members<A>[K], false>]-?: Member<Members<A>[K], E, R>
  }
  & {
    readonly [K in keyof Members<A> as Keep<K, Members<A>[K], true>]?: NotForwarded<Refusal<K>>
  }
