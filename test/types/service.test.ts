import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Config, Context, Effect, Layer, Scope, Stream } from "effect"
import type { KeyedPool, Pool, PoolError } from "proxy-pattern-pool"
import { Proxy } from "proxy-pattern-pool"
import type { ConnectError, Connection } from "./world.ts"
import { Clerk, connect, connection, QueryError, Tenant } from "./world.ts"

type Failure = ConnectError | PoolError.PoolError

/** Types now, object later; exported, and with a static that is made of its own statics. */
export class Database extends Proxy.Service<Database, Connection, ConnectError>()("types/Database") {
  static readonly layer = this.layerPool({ acquire: connect, max: 1 })
}

/** Everything inferred. */
export class Inferred extends Proxy.Service<Inferred>()("types/Inferred", {
  acquire: connect,
  max: 1,
  healthCheck: (connection) => Effect.as(Clerk, connection.open)
}) {}

interface Odd {
  plain(n: number): Effect.Effect<number>
  generic<X>(x: X): Effect.Effect<X>
  guard(u: unknown): u is string
  rows(): Stream.Stream<number, QueryError>
}

export class Strange extends Proxy.Service<Strange, Odd>()("types/Strange") {}

export class Tenants extends Proxy.KeyedService<Tenants, string>()("types/Tenants", Database) {}

describe("a tag", () => {
  it("gives the proxy of its object", () => {
    expectTypeOf<Effect.Success<typeof Database>>().toEqualTypeOf<Proxy.Forwarded<Connection, ConnectError>>()
    expectTypeOf<Effect.Services<typeof Database>>().toEqualTypeOf<Database>()
    expectTypeOf<Effect.Error<typeof Database>>().toEqualTypeOf<never>()
    expectTypeOf(Database.key).toEqualTypeOf<"types/Database">()
    assert.strictEqual(Database.key, "types/Database")
  })

  it("of which the object is known has all its types inferred, and a layer", () => {
    expectTypeOf<Effect.Success<typeof Inferred>>().toEqualTypeOf<Proxy.Forwarded<Connection, ConnectError>>()
    expectTypeOf(Inferred.layer).toEqualTypeOf<Layer.Layer<Inferred, never, Tenant | Clerk>>()
    assert.isTrue(Layer.isLayer(Inferred.layer))
    // @ts-expect-error: without an object there is no layer
    assert.strictEqual(Strange.layer, undefined)
  })

  it("without E has an object whose creation cannot fail", () => {
    expectTypeOf(Strange.object).toEqualTypeOf<Effect.Effect<Odd, PoolError.PoolError, Strange | Scope.Scope>>()
    // @ts-expect-error: an error that the tag does not declare
    // @effect-diagnostics-next-line missingEffectError:off
    assert.isTrue(Layer.isLayer(Strange.layerPool({ acquire: Effect.fail("no"), max: 1 })))
  })

  it("can be what a function takes", () => {
    const once = <Self, Id extends string, A, E>(tag: Proxy.ServiceClass<Self, Id, A, E>) => tag.scoped(tag.object)
    expectTypeOf(once(Database)).toEqualTypeOf<Effect.Effect<Connection, Failure, Database>>()
    assert.isTrue(Effect.isEffect(once(Database)))
  })
})

describe("the layers of a tag", () => {
  const healthCheck = (connection: Connection) => Effect.as(Clerk, connection.open)

  it("need what acquire and the hooks need, but for Scope", () => {
    expectTypeOf(Database.layer).toEqualTypeOf<Layer.Layer<Database, never, Tenant>>()
    expectTypeOf(
      Database.layerPool({
        acquire: Effect.tap(connect, (connection) => Effect.logDebug(connection.id)),
        max: 1,
        healthCheck: (connection) => Effect.as(Clerk, connection.open),
        onReturn: (connection, exit) => Effect.andThen(Effect.scope, connection.query(exit._tag))
      })
    ).toEqualTypeOf<Layer.Layer<Database, never, Tenant | Clerk>>()
    expectTypeOf(Database.layerUnpooled({ acquire: connect, healthCheck })).toEqualTypeOf<
      Layer.Layer<Database, never, Tenant | Clerk>
    >()
  })

  it("fail only where they wait for an object, or read a configuration", () => {
    expectTypeOf(Database.layerShared({ acquire: connect, healthCheck })).toEqualTypeOf<
      Layer.Layer<Database, Failure, Tenant | Clerk>
    >()
    expectTypeOf(
      Database.layerConfig({
        acquire: connect,
        max: Config.Int("POOL_MAX"),
        min: 1,
        name: Config.String("POOL_NAME"),
        order: Config.Literals(["lifo", "fifo"], "POOL_ORDER"),
        jitter: Config.Number("POOL_JITTER"),
        borrowTimeout: Config.Duration("POOL_BORROW_TIMEOUT"),
        healthCheck: (connection) => Effect.as(Clerk, connection.open)
      })
    ).toEqualTypeOf<Layer.Layer<Database, Config.ConfigError, Tenant | Clerk>>()
  })

  it("take options that can be named", () => {
    const shared: Proxy.SharedOptions<Connection, ConnectError, Tenant> = { acquire: connect, borrowLimit: "1 minute" }
    const unpooled: Proxy.UnpooledOptions<Connection, ConnectError, Tenant> = shared
    const config: Proxy.ConfigOptions<Connection, ConnectError, Tenant> = { ...shared, max: Config.succeed(1) }
    const layers = [Database.layerShared(shared), Database.layerUnpooled(unpooled), Database.layerConfig(config)]
    assert.isTrue(layers.every(Layer.isLayer))
  })

  it("refuse an object, an error or an option that is not theirs", () => {
    const layers = [
      // @ts-expect-error: another object
      Database.layerPool({ acquire: Effect.succeed({ id: 1 }), max: 1 }),
      // @ts-expect-error: max is required
      Database.layerPool({ acquire: connect }),
      // @ts-expect-error: a shared object has no bounds
      Database.layerShared({ acquire: connect, max: 2 }),
      // @ts-expect-error: everyone shares it
      Database.layerShared({ acquire: connect, concurrency: 2 }),
      // @ts-expect-error: an unpooled object has no bounds
      Database.layerUnpooled({ acquire: connect, max: 2 }),
      // @ts-expect-error: it is not kept
      Database.layerUnpooled({ acquire: connect, idleTimeToLive: "1 minute" }),
      // @ts-expect-error: nobody queues for it
      Database.layerUnpooled({ acquire: connect, maxWaiting: 1 }),
      // @ts-expect-error: max is a number
      Database.layerConfig({ acquire: connect, max: Config.String("POOL_MAX") }),
      // @ts-expect-error: a hook is not read from a configuration
      Database.layerConfig({ acquire: connect, max: 1, onBorrow: Config.succeed(() => Effect.void) })
    ]
    assert.isTrue(layers.every(Layer.isLayer))
  })
})

describe("the statics of a tag", () => {
  it("useObject borrows for one function, and needs no Scope", () => {
    const use = Database.useObject((connection) => connection.asTenant("select 1", 1))
    expectTypeOf(use).toEqualTypeOf<Effect.Effect<string, QueryError | Failure, Database | Tenant>>()
    const hurried = Database.useObject((connection) => Effect.succeed(connection.id), { timeout: "1 second" })
    expectTypeOf(hurried).toEqualTypeOf<Effect.Effect<number, Failure, Database>>()
    // what cannot be forwarded can be called there
    const generic = Strange.useObject((odd) => odd.generic("x" as const))
    expectTypeOf(generic).toEqualTypeOf<Effect.Effect<"x", PoolError.PoolError, Strange>>()
    // @ts-expect-error: no such option
    void (() => Database.useObject(() => Effect.void, { limit: 1 }))
    assert.isTrue([use, hurried, generic].every(Effect.isEffect))
  })

  it("scoped takes Scope away", () => {
    const unit = Database.scoped(Effect.flatMap(Database, (db) => db.asTenant("select 1", 1)))
    expectTypeOf(unit).toEqualTypeOf<Effect.Effect<string, QueryError | Failure, Database | Tenant>>()
    expectTypeOf(Effect.void.pipe(Database.scoped)).toEqualTypeOf<Effect.Effect<void, never, Database>>()
    assert.isTrue(Effect.isEffect(unit))
  })

  it("perCall needs no Scope, and its calls neither", () => {
    const ping = Effect.flatMap(Database.perCall, (db) => db.query("select 1"))
    expectTypeOf(Database.perCall).toEqualTypeOf<
      Effect.Effect<Proxy.Forwarded<Connection, ConnectError, never>, never, Database>
    >()
    expectTypeOf(ping).toEqualTypeOf<Effect.Effect<string, QueryError | Failure, Database>>()
    assert.isTrue(Effect.isEffect(ping))
  })

  it("object, isHeld and invalidate are about this Scope", () => {
    expectTypeOf(Database.object).toEqualTypeOf<Effect.Effect<Connection, Failure, Database | Scope.Scope>>()
    expectTypeOf(Database.isHeld).toEqualTypeOf<Effect.Effect<boolean, never, Database | Scope.Scope>>()
    expectTypeOf(Database.invalidate).toEqualTypeOf<Effect.Effect<void, never, Database | Scope.Scope>>()
    assert.isTrue([Database.object, Database.isHeld, Database.invalidate].every(Effect.isEffect))
  })

  it("pool is the pool", () => {
    expectTypeOf(Database.pool).toEqualTypeOf<Effect.Effect<Pool.Pool<Connection, ConnectError>, never, Database>>()
    assert.isTrue(Effect.isEffect(Database.pool))
  })
})

describe("a double", () => {
  const all: Proxy.Forwarded<Connection, ConnectError> = {
    id: () => Effect.succeed(1),
    open: () => Effect.succeed(true),
    query: (sql) => sql === "" ? Effect.fail(new QueryError({ sql })) : Effect.succeed(sql),
    asTenant: (sql) => Effect.map(Tenant, (tenant) => tenant.name + sql),
    ping: () => Effect.succeed(true),
    add: (a, b) => Effect.succeed(a + b)
  }

  it.effect("has every member that is forwarded", () =>
    Effect.gen(function*() {
      const db = yield* Database
      assert.strictEqual(yield* db.query("select 1"), "select 1")
      assert.strictEqual(yield* db.add(1, 2), 3)
    }).pipe(Effect.provide(Layer.succeed(Database, Database.of(all)))))

  it.effect("may leave out what cannot be forwarded", () =>
    Effect.gen(function*() {
      const odd = yield* Strange
      assert.strictEqual(yield* odd.plain(1), 1)
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.unwrap(odd.rows())), [1])
      assert.strictEqual(odd.generic, undefined)
    }).pipe(
      Effect.provide(
        Layer.succeed(Strange, Strange.of({ plain: Effect.succeed, rows: () => Effect.succeed(Stream.make(1)) }))
      )
    ))

  it.effect("may leave out what a test does not call", () =>
    Effect.gen(function*() {
      const odd = yield* Strange
      assert.strictEqual(yield* odd.plain(1), 1)
    }).pipe(Effect.provide(Layer.mock(Strange)({ plain: Effect.succeed }))))

  it("is refused when a member is missing, or gives or needs what the proxy's does not", () => {
    const { id: _, ...rest } = all
    // @ts-expect-error: id is missing
    assert.isObject(Database.of(rest))
    // @ts-expect-error: another error
    // @effect-diagnostics-next-line missingEffectError:off
    assert.isObject(Database.of({ ...all, ping: () => Effect.fail("no") }))
    // @ts-expect-error: another requirement
    // @effect-diagnostics-next-line missingEffectContext:off
    assert.isObject(Database.of({ ...all, ping: () => Effect.as(Clerk, true) }))
    // @ts-expect-error: a value, not an Effect
    assert.isObject(Database.of({ ...all, add: (a: number, b: number) => a + b }))
  })

  it.effect("of the object goes where the object goes", () =>
    Effect.gen(function*() {
      const db = yield* Database
      assert.strictEqual(yield* db.id(), 7)
      assert.strictEqual(yield* db.ping(), true)
    }).pipe(Effect.scoped, Effect.provide(Database.layerShared({ acquire: Effect.succeed(connection) }))))
})

describe("a keyed tag", () => {
  it("gives the keyed pool, and provides the proxy's tag for a key", () => {
    expectTypeOf<Effect.Success<typeof Tenants>>().toEqualTypeOf<
      KeyedPool.KeyedPool<string, Connection, ConnectError>
    >()
    expectTypeOf(Tenants.get("a")).toEqualTypeOf<Layer.Layer<Database, never, Tenants>>()
    assert.isTrue(Layer.isLayer(Tenants.get("a")))
    // @ts-expect-error: a key of another type
    assert.isTrue(Layer.isLayer(Tenants.get(1)))
  })

  it("has a layer whose hooks are given the key", () => {
    const layer = Tenants.layerPool({
      acquire: (key) => Effect.tap(connect, (connection) => Effect.logDebug(connection.id, key.toUpperCase())),
      max: 10,
      healthCheck: (connection, key) => Effect.as(Clerk, connection.open && key !== "")
    })
    expectTypeOf(layer).toEqualTypeOf<Layer.Layer<Tenants, never, Tenant | Clerk>>()
    assert.isTrue(Layer.isLayer(layer))
  })

  it("is made of a proxy's tag", () => {
    class Plain extends Context.Service<Plain, Connection>()("types/Plain") {}
    // @ts-expect-error: not a tag of a proxy
    assert.isFunction(Proxy.KeyedService<unknown, string>()("types/Keyed", Plain))
  })
})
