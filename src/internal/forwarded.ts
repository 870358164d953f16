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

/** May the value be an Effect or a promise, for all that the type says? */
type IsOpen<T> = IsAny<T> extends true ? true : unknown extends T ? true : false

type Success<T> = IsAny<T> extends true ? T
  : T extends Effect.Effect<infer A, infer _E, infer _R> ? A
  : T extends PromiseLike<unknown> ? Awaited<T>
  : T

type Failure<T> = IsOpen<T> extends true ? Cause.UnknownError
  : T extends Effect.Effect<infer _A, infer E, infer _R> ? E
  : T extends PromiseLike<unknown> ? Cause.UnknownError
  : never

type Services<T> = IsAny<T> extends true ? never
  : T extends Effect.Effect<infer _A, infer _E, infer R> ? R
  : never

/** What a call gives whose method gives `T`: a union is resolved member by member. */
type Result<T, E, R> = Effect.Effect<Success<T>, Failure<T> | E | PoolError, Services<T> | R>

/** A member that cannot be forwarded. */
interface Refused {
  readonly refused: true
}

/**
 * Is `G`, made of the parameters and results of the function `F`, all that `F` is? What has properties of its own
 * beside its signatures is never identical to them; it must do that one can stand in for the other.
 */
type IsWhole<F, G> = Same<F, G> extends true ? true
  : [keyof F] extends [never] ? false
  : [G & Pick<F, keyof F>] extends [F] ? true
  : false

/** A function that borrows, for a function; `Rest` is what the member may be when it is no function. */
type Call<F, Rest, E, R> = F extends (...args: infer A extends ReadonlyArray<any>) => infer T
  ? IsWhole<F, (...args: A) => T> extends true ? (...args: A) => Result<T | Rest, E, R>
  : Call2<F, Rest, E, R>
  : Refused

type Call2<F, Rest, E, R> = F extends {
  (...args: infer A1 extends ReadonlyArray<any>): infer T1
  (...args: infer A2 extends ReadonlyArray<any>): infer T2
} ? IsWhole<F, { (...args: A1): T1; (...args: A2): T2 }> extends true ? {
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

/** The part of a member's type that is called. An Effect is run, also one that is a function: a service tag. */
type Callable<M> = M extends Effect.Effect<any, any, any> ? never : M extends Function ? M : never

type Member<M, E, R> = IsAny<M> extends true ? (...args: any) => Result<M, E, R>
  : [Callable<M>] extends [never] ? () => Result<M, E, R>
  : CallEach<Callable<M>, Exclude<M, Function>, E, R>

type CallEach<F, Rest, E, R> = F extends F ? Call<F, Rest, E, R> : never
