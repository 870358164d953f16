import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Duration, Effect, type Exit, Schedule, type Scope } from "effect"
import { KeyedPool, Pool } from "proxy-pattern-pool"
import type { ConnectError, Connection } from "./world.ts"
import { Clerk, connect, Tenant } from "./world.ts"

type Made<R> = Effect.Effect<Pool.Pool<Connection, ConnectError>, never, R | Scope.Scope>

describe("the options of a pool", () => {
  it("say what the object is, what its creation may fail with, and what it needs besides Scope", () => {
    expectTypeOf(Pool.make({ acquire: connect, max: 1 })).toEqualTypeOf<Made<Tenant>>()
    expectTypeOf(Pool.make({ acquire: Effect.succeed(1), max: 1 })).toEqualTypeOf<
      Effect.Effect<Pool.Pool<number>, never, Scope.Scope>
    >()
    expectTypeOf(Pool.make({ acquire: Effect.acquireRelease(connect, (c) => Effect.log(c.id)), max: 1 }))
      .toEqualTypeOf<Made<Tenant>>()
  })

  it("unite the needs of acquire, the check and the hooks, whose parameters need no type", () => {
    expectTypeOf(Pool.make({
      acquire: connect,
      max: 1,
      healthCheck: (connection) => Effect.as(Clerk, connection.open),
      onBorrow: (connection) => Effect.andThen(Effect.scope, connection.query("begin")),
      onReturn: (connection, exit) => Effect.succeed([connection.id, exit._tag]),
      describe: (connection) => ({ id: connection.id })
    })).toEqualTypeOf<Made<Tenant | Clerk>>()
    // also before acquire
    expectTypeOf(Pool.make({ onReturn: (connection) => Effect.as(Clerk, connection.id), max: 1, acquire: connect }))
      .toEqualTypeOf<Made<Tenant | Clerk>>()
  })

  it("take a hook that is written for more than the object", () => {
    const log = (object: { readonly id: number }) => Effect.log(object.id)
    expectTypeOf(Pool.make({ acquire: connect, max: 1, onBorrow: log })).toEqualTypeOf<Made<Tenant>>()
    expectTypeOf(
      Pool.make({ acquire: connect, max: 1, onBorrow: (object: { readonly id: number }) => Effect.log(object.id) })
    ).toEqualTypeOf<Made<Tenant>>()
  })

  it("take an acquire that is piped, generated or named", () => {
    const isOpen = (connection: Connection) => Effect.as(Clerk, connection.open)
    expectTypeOf(
      Pool.make({ acquire: connect.pipe(Effect.tap(() => Clerk)), max: 1, healthCheck: (c) => Effect.succeed(c.open) })
    ).toEqualTypeOf<Made<Tenant | Clerk>>()
    expectTypeOf(Pool.make({
      acquire: Effect.gen(function*() {
        yield* Effect.logDebug("connecting")
        return yield* connect
      }),
      max: 1,
      healthCheck: (connection) => Effect.succeed(connection.open)
    })).toEqualTypeOf<Made<Tenant>>()
    expectTypeOf(Pool.make({ acquire: Effect.tap(connect, () => Clerk), max: 1, healthCheck: isOpen }))
      .toEqualTypeOf<Made<Tenant | Clerk>>()
  })

  it("can be named, and spread", () => {
    type Named = Pool.Options<Connection, ConnectError, Tenant | Clerk>
    const named: Named = {
      acquire: connect,
      max: 10,
      min: 2,
      order: "fifo",
      idleTimeToLive: "10 minutes",
      createTimeout: Duration.seconds(1),
      createRetry: Schedule.spaced("1 second"),
      healthCheck: (connection) => Effect.as(Clerk, connection.open),
      onBorrow: () => Effect.scope,
      onReturn: () => Effect.addFinalizer(() => Effect.void)
    }
    const scoped: Pool.Options<Connection, ConnectError, Tenant> = {
      acquire: connect,
      max: 1,
      healthCheck: () => Effect.as(Effect.scope, true)
    }
    expectTypeOf(Pool.make(scoped)).toEqualTypeOf<Made<Tenant>>()
    const limits: { readonly max: number; readonly min?: number | undefined } = named
    assert.deepStrictEqual([limits.max, limits.min], [10, 2])
    expectTypeOf(Pool.make(named)).toEqualTypeOf<Made<Tenant | Clerk>>()
    expectTypeOf(Pool.make({ ...named, max: 3 })).toEqualTypeOf<Made<Tenant | Clerk>>()
    expectTypeOf<Pool.Options<Connection>>().toExtend<Named>()
  })

  it("are refused when they cannot be", () => {
    // each error is what is tested: where the compiler has none, the check of the types fails
    // @ts-expect-error: max is required, there is no default for it
    void (() => Pool.make({ acquire: connect }))
    // @ts-expect-error: order is "lifo" or "fifo", and no other string
    void (() => Pool.make({ acquire: connect, max: 1, order: "random" }))
    // @ts-expect-error: an option that does not exist is a mistake, such as a name from another library
    void (() => Pool.make({ acquire: connect, max: 1, maxSize: 2 }))
    // @ts-expect-error: a check says true or false, and no other value counts as either
    void (() => Pool.make({ acquire: connect, max: 1, healthCheck: () => Effect.succeed(1) }))
    // @ts-expect-error: a hook is given the object
    void (() => Pool.make({ acquire: connect, max: 1, onBorrow: (object: string) => Effect.log(object) }))
    // @ts-expect-error: a description is JSON
    void (() => Pool.make({ acquire: connect, max: 1, describe: () => () => 1 }))
    // @ts-expect-error: a schedule that needs an input gets none
    void (() => Pool.make({ acquire: connect, max: 1, createRetry: Schedule.identity<string>() }))
    assert.isTrue(Effect.isEffect(Tenant))
  })
})

describe("the options of a keyed pool", () => {
  const acquire = (key: string) => Effect.andThen(Effect.logDebug(key), connect)

  it("give the key to acquire first, and to the rest last", () => {
    expectTypeOf(KeyedPool.make({
      acquire,
      max: 100,
      maxPerKey: 10,
      minPerKey: 1,
      healthCheck: (connection, key) => Effect.as(Clerk, connection.open && key !== ""),
      onBorrow: (connection, key) => connection.query(key),
      onReturn: (connection, exit: Exit.Exit<unknown, unknown>, key) => connection.query(exit._tag + key),
      describe: (connection, key) => ({ id: connection.id, key })
    })).toEqualTypeOf<
      Effect.Effect<KeyedPool.KeyedPool<string, Connection, ConnectError>, never, Tenant | Clerk | Scope.Scope>
    >()
  })

  it("can be named", () => {
    const named: KeyedPool.Options<string, Connection, ConnectError, Tenant> = { acquire, max: 1 }
    expectTypeOf(KeyedPool.make(named)).toEqualTypeOf<
      Effect.Effect<KeyedPool.KeyedPool<string, Connection, ConnectError>, never, Tenant | Scope.Scope>
    >()
    assert.strictEqual(named.max, 1)
  })

  it("are refused when they cannot be", () => {
    // @ts-expect-error: the minimum is for each key
    void (() => KeyedPool.make({ acquire, max: 1, min: 1 }))
    // @ts-expect-error: the key is a string
    void (() => KeyedPool.make({ acquire, max: 1, onBorrow: (_: Connection, key: number) => Effect.log(key) }))
    // @ts-expect-error: and may be any string
    void (() => KeyedPool.make({ acquire, max: 1, onBorrow: (_: Connection, key: "a") => Effect.log(key) }))
    assert.isFunction(acquire)
  })
})

describe("a pool", () => {
  it("gives and takes objects of one type, and may fail with less than is said", () => {
    expectTypeOf<Pool.Pool<Connection>>().toExtend<Pool.Pool<Connection, ConnectError>>()
    expectTypeOf<Pool.Pool<Connection, ConnectError>>().not.toExtend<Pool.Pool<Connection>>()
    expectTypeOf<Pool.Pool<Connection>>().not.toExtend<Pool.Pool<{ readonly id: number }>>()
    expectTypeOf<Pool.Pool<{ readonly id: number }>>().not.toExtend<Pool.Pool<Connection>>()
    expectTypeOf<KeyedPool.KeyedPool<string, Connection>>().toExtend<
      KeyedPool.KeyedPool<string, Connection, ConnectError>
    >()
    expectTypeOf<KeyedPool.KeyedPool<"a", Connection>>().not.toExtend<KeyedPool.KeyedPool<string, Connection>>()
  })
})
