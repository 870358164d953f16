import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Hash from "effect/Hash"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { KeyedPool, Pool, Proxy } from "../../src/index.ts"
import { defectOf, ended, poolError, settle, start, valueOf } from "../utils.ts"
import { look } from "./kit.ts"

class Tenant extends Data.Class<{ readonly name: string }> {
  override toString() {
    return this.name
  }
}

interface Connection {
  readonly id: number
  readonly tenant: string
  whoami(): Effect.Effect<string>
  fails(): Effect.Effect<never, "no">
}

class Database extends Proxy.Service<Database, Connection, "refused">()("app/Database") {}
class Tenants extends Proxy.KeyedService<Tenants, Tenant>()("app/Tenants", Database) {}

const acme = new Tenant({ name: "acme" })
const other = new Tenant({ name: "other" })
/** Equal to `acme`, but another object. */
const twin = new Tenant({ name: "acme" })

const acquire = (tenant: Tenant) =>
  tenant.name === "refused" ? Effect.fail("refused" as const) : Effect.map(
    Effect.service(Pool.CreationNumber),
    (id): Connection => ({
      id,
      tenant: tenant.name,
      whoami: () => Effect.succeed(`${tenant.name}${id}`),
      fails: () => Effect.fail("no")
    })
  )

/** Runs it with a pool of so many places. */
const withTenants = (max: number) => Effect.provide(Tenants.layerPool({ acquire, max, shutdownTimeout: 0 }))

const whoami = Effect.flatMap(Database, (db) => db.whoami())

describe("a keyed service", () => {
  it.effect("provides the tag of the proxy for one key, and is the keyed pool", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* whoami.pipe(Effect.scoped, Effect.provide(Tenants.get(acme))), "acme0")
      assert.strictEqual(yield* whoami.pipe(Effect.scoped, Effect.provide(Tenants.get(other))), "other1")
      assert.strictEqual(yield* whoami.pipe(Effect.scoped, Effect.provide(Tenants.get(twin))), "acme0")
      const pool = yield* Tenants
      assert.isTrue(KeyedPool.isKeyedPool(pool))
      assert.deepStrictEqual(yield* look(pool), { acme: "1 idle", other: "1 idle" })
      assert.strictEqual(yield* KeyedPool.use(pool, acme, ({ id }) => Effect.succeed(id)), 0)
    }).pipe(withTenants(2)))

  it.effect("its pool is named after it, unless the options say otherwise", () =>
    Effect.gen(function*() {
      const name = Effect.flatMap(Tenants, (pool) => Effect.map(KeyedPool.stats(pool), ({ name }) => name))
      assert.strictEqual(yield* name.pipe(withTenants(1)), "app/Tenants")
      assert.strictEqual(yield* name.pipe(Effect.provide(Tenants.layerPool({ acquire, max: 1, name: "mine" }))), "mine")
    }))

  it.effect("wrong options are a defect of the layer that names the tag", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.provide(Effect.void, Tenants.layerPool({ acquire, max: 1, maxPerKey: 2 })))
      assert.strictEqual(defectOf(exit), "Pool \"app/Tenants\": maxPerKey (2) must not exceed max (1)")
    }))

  it.effect("nothing is borrowed before a call, and the object is back when the Scope has closed", () =>
    Effect.gen(function*() {
      const pool = yield* Tenants
      yield* Effect.gen(function*() {
        const db = yield* Database
        assert.strictEqual(String(db), "Proxy(app/Database)")
        assert.isFalse(yield* Database.isHeld)
        assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
        yield* db.whoami()
        assert.isTrue(yield* Database.isHeld)
        assert.deepStrictEqual(yield* look(pool), { acme: "1 inUse" })
      }).pipe(Effect.scoped, Effect.provide(Tenants.get(acme)))
      assert.deepStrictEqual(yield* look(pool), { acme: "1 idle" })
    }).pipe(withTenants(2)))

  it.effect("a failure of a creation reaches the caller, and the next call in the Scope starts afresh", () =>
    Effect.gen(function*() {
      const refused = Tenants.get(new Tenant({ name: "refused" }))
      const calls = Effect.scoped(Effect.all([Effect.exit(whoami), Effect.exit(whoami)]))
      const calling = yield* start(Effect.provide(calls, refused))
      const hasty = yield* start(Effect.provide(Database.useObject(Effect.succeed, { timeout: "10 millis" }), refused))
      assert.strictEqual(yield* whoami.pipe(Effect.scoped, Effect.provide(Tenants.get(acme))), "acme1")
      yield* TestClock.adjust("10 millis")
      const error = poolError(ended(hasty))
      assert.deepStrictEqual([error.key, error.reason._tag], ["refused", "BorrowTimeout"])
      assert.isUndefined(ended(calling))
      // the second call waits for the next attempt
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(valueOf(calling).map(String), ["refused", "refused"].map((e) => String(Exit.fail(e))))
    }).pipe(withTenants(2)))
})

describe("in one Scope", () => {
  it.effect("equal keys share one object, whichever get they came through; other keys have their own", () =>
    Effect.scoped(Effect.gen(function*() {
      const scope = yield* Effect.scope
      const here = <A, E>(tenant: Tenant, effect: Effect.Effect<A, E, Database | Scope.Scope>) =>
        effect.pipe(Effect.provide(Tenants.get(tenant)), Scope.provide(scope))
      assert.strictEqual(yield* here(acme, whoami), "acme0")
      assert.strictEqual(yield* here(twin, whoami), "acme0")
      assert.strictEqual(yield* here(other, whoami), "other1")
      assert.strictEqual((yield* here(twin, Database.object)).id, 0)
      assert.isTrue(yield* here(twin, Database.isHeld))
      assert.isFalse(yield* here(new Tenant({ name: "third" }), Database.isHeld))
      assert.deepStrictEqual(yield* look(yield* Tenants), { acme: "1 inUse", other: "1 inUse" })
      // another Scope, another object
      assert.strictEqual(yield* whoami.pipe(Effect.scoped, Effect.provide(Tenants.get(acme))), "acme2")
    })).pipe(withTenants(5)))

  it.effect("equal keys share the borrow that is pending", () =>
    Effect.scoped(Effect.gen(function*() {
      const pool = yield* Tenants
      const scope = yield* Scope.make()
      const holder = yield* Scope.make()
      yield* Scope.provide(KeyedPool.get(pool, acme), holder)
      const call = (tenant: Tenant) => start(whoami.pipe(Effect.provide(Tenants.get(tenant)), Scope.provide(scope)))
      const [first, second] = [yield* call(acme), yield* call(twin)]
      assert.deepStrictEqual(yield* look(pool), { acme: "1 inUse, 1 waiting" })
      yield* Scope.close(holder, Exit.void)
      yield* settle
      assert.deepStrictEqual([valueOf(first), valueOf(second)], ["acme0", "acme0"])
      yield* Scope.close(scope, Exit.void)
    })).pipe(withTenants(1)))

  it.effect("the borrow goes with its last caller, and its key with it", () =>
    Effect.scoped(Effect.gen(function*() {
      const pool = yield* Tenants
      const holder = yield* Scope.make()
      yield* Scope.provide(KeyedPool.get(pool, other), holder)
      const scope = yield* Effect.scope
      const call = (tenant: Tenant) => start(whoami.pipe(Effect.provide(Tenants.get(tenant)), Scope.provide(scope)))
      const [first, second] = [yield* call(acme), yield* call(twin)]
      yield* Fiber.interrupt(first)
      assert.deepStrictEqual(yield* look(pool), { acme: "1 waiting", other: "1 inUse" })
      yield* Fiber.interrupt(second)
      assert.deepStrictEqual(yield* look(pool), { other: "1 inUse" })
      yield* Scope.close(holder, Exit.void)
      assert.strictEqual(yield* whoami.pipe(Effect.provide(Tenants.get(twin)), Scope.provide(scope)), "acme1")
    })).pipe(withTenants(1)))

  it.effect("invalidate destroys what the Scope holds of the key, on return", () =>
    Effect.gen(function*() {
      const pool = yield* Tenants
      yield* Effect.scoped(Effect.gen(function*() {
        const scope = yield* Effect.scope
        yield* whoami.pipe(Effect.provide(Tenants.get(acme)), Scope.provide(scope))
        yield* whoami.pipe(Effect.provide(Tenants.get(other)), Scope.provide(scope))
        yield* Database.invalidate.pipe(Effect.provide(Tenants.get(twin)), Scope.provide(scope))
        assert.deepStrictEqual(yield* look(pool), { acme: "1 inUse", other: "1 inUse" })
      }))
      assert.deepStrictEqual(yield* look(pool), { other: "1 idle" })
    }).pipe(withTenants(2)))
})

describe("a unit of work", () => {
  it.effect("has one object for each key, which serves all Scopes inside", () =>
    Effect.gen(function*() {
      const pool = yield* Tenants
      const inner = Effect.scoped(whoami)
      yield* Database.scoped(Effect.gen(function*() {
        assert.strictEqual(yield* inner, "acme0")
        assert.strictEqual(yield* inner.pipe(Effect.provide(Tenants.get(twin))), "acme0")
        // a key without a unit: every Scope its own
        assert.strictEqual(yield* inner.pipe(Effect.provide(Tenants.get(other))), "other1")
        const nested = Database.scoped(Effect.gen(function*() {
          assert.strictEqual(yield* inner, "other1")
          assert.strictEqual(yield* inner.pipe(Effect.provide(Tenants.get(acme))), "acme0")
          assert.deepStrictEqual(yield* look(pool), { acme: "1 inUse", other: "1 inUse" })
        }))
        yield* nested.pipe(Effect.provide(Tenants.get(other)))
        assert.strictEqual(yield* Database.scoped(inner).pipe(Effect.provide(Tenants.get(twin))), "acme0")
        assert.deepStrictEqual(yield* look(pool), { acme: "1 inUse", other: "1 idle" })
      })).pipe(Effect.provide(Tenants.get(acme)))
      assert.deepStrictEqual(yield* look(pool), { acme: "1 idle", other: "1 idle" })
    }).pipe(withTenants(4)))

  it.effect("perCall and useObject are the key's too", () =>
    Effect.gen(function*() {
      const pool = yield* Tenants
      yield* Effect.gen(function*() {
        const db = yield* Database.perCall
        assert.strictEqual(yield* db.whoami(), "acme0")
        assert.strictEqual(yield* Database.useObject((object) => object.whoami()), "acme0")
        assert.deepStrictEqual(yield* look(pool), { acme: "1 idle" })
        yield* Database.scoped(Effect.gen(function*() {
          assert.strictEqual(yield* Database.useObject((object) => object.whoami()), "acme0")
          assert.strictEqual(yield* db.whoami(), "acme0")
          assert.deepStrictEqual(yield* look(pool), { acme: "1 inUse" })
        }))
      }).pipe(Effect.provide(Tenants.get(acme)))
    }).pipe(withTenants(2)))

  it.effect("two pools of one keyed service do not mix", () =>
    Effect.gen(function*() {
      const outer = yield* Effect.context<Tenants>()
      const names = yield* Database.scoped(Effect.gen(function*() {
        const first = yield* whoami
        const second = yield* Effect.scoped(whoami).pipe(Effect.provide(Tenants.get(acme)), withTenants(1))
        const third = yield* Effect.scoped(whoami).pipe(Effect.provide(Tenants.get(acme)), Effect.provide(outer))
        return [first, second, third, (yield* Database.object).id]
      })).pipe(Effect.provide(Tenants.get(acme)))
      assert.deepStrictEqual(names, ["acme0", "acme0", "acme0", 0])
      assert.strictEqual((yield* KeyedPool.stats(Context.get(outer, Tenants))).created, 1)
    }).pipe(withTenants(1)))
})

describe("the pool of a tag that stands for one key", () => {
  const view = Database.pool.pipe(Effect.provide(Tenants.get(acme)))

  it.effect("is a pool, whose get, use, poll, stats, invalidate and evict are the key's", () =>
    Effect.gen(function*() {
      const keyed = yield* Tenants
      const pool = yield* view
      assert.isTrue(Pool.isPool(pool))
      assert.isTrue(Option.isNone(yield* Effect.scoped(Pool.poll(pool))))
      assert.deepInclude(yield* Pool.stats(pool), { name: "app/Tenants", min: 0, max: 3, size: 0, borrowed: 0 })
      assert.deepStrictEqual(yield* KeyedPool.keys(keyed), [])
      yield* KeyedPool.use(keyed, other, () => Effect.void)
      const object = yield* Effect.scoped(Pool.get(pool))
      assert.strictEqual(object.tenant, "acme")
      assert.strictEqual(yield* Pool.use(pool, Effect.succeed), object)
      assert.strictEqual(yield* KeyedPool.use(keyed, twin, Effect.succeed), object)
      assert.strictEqual(Option.getOrThrow(yield* Effect.scoped(Pool.poll(pool))), object)
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Pool.get(pool)
        const stats = yield* Pool.stats(pool)
        assert.instanceOf(stats, Pool.Stats)
        assert.deepInclude(stats, { min: 0, max: 3, size: 1, inUse: 1, idle: 0, created: 1, borrowed: 5, returned: 4 })
        assert.deepStrictEqual(stats.objects.map(({ id, state }) => [id, state]), [[1, "inUse"]])
        yield* Pool.invalidate(pool, object)
      }))
      assert.deepStrictEqual(yield* look(keyed), { other: "1 idle" })
      yield* Pool.use(pool, () => Effect.void)
      yield* Pool.evict(pool)
      assert.deepStrictEqual(yield* look(keyed), { other: "1 idle" })
    }).pipe(withTenants(3)))

  it.effect("says of everything else that it is not for one key", () =>
    Effect.gen(function*() {
      const keyed = yield* Tenants
      const pool = yield* view
      const others = {
        resize: Pool.resize(pool, { max: 1 }),
        suspend: Pool.suspend(pool),
        resume: Pool.resume(pool),
        awaitReady: Pool.awaitReady(pool),
        events: Stream.runDrain(Pool.events(pool)),
        shutdown: Pool.shutdown(pool)
      }
      for (const [name, effect] of Object.entries(others)) {
        const message = defectOf(yield* Effect.exit(effect))
        assert.include(message, `Pool "app/Tenants", key "acme": ${name} is not for one key`)
      }
      assert.deepInclude(yield* KeyedPool.stats(keyed), { closed: false, suspended: false, max: 3 })
    }).pipe(withTenants(3)))

  it.effect("goes on to work when its key has vanished and come again", () =>
    Effect.gen(function*() {
      const pool = yield* view
      for (let id = 0; id < 3; id++) {
        assert.strictEqual((yield* Pool.use(pool, Effect.succeed)).id, id)
        assert.strictEqual((yield* Effect.scoped(Pool.get(pool))).id, id)
        assert.strictEqual(Option.getOrThrow(yield* Effect.scoped(Pool.poll(pool))).id, id)
        yield* Pool.evict(pool)
        assert.isTrue(Option.isNone(yield* Effect.scoped(Pool.poll(pool))))
      }
    }).pipe(withTenants(3)))
})

describe("closing", () => {
  it.effect("what a Scope merely holds through the proxy of a key is taken back, and calls fail with Closed", () =>
    Effect.gen(function*() {
      const pool = yield* Tenants
      yield* Effect.gen(function*() {
        const db = yield* Database
        yield* db.whoami()
        yield* KeyedPool.shutdown(pool)
        const error = poolError(yield* Effect.exit(db.whoami()))
        assert.strictEqual(error.reason._tag, "Closed")
        assert.strictEqual(error.key, "acme")
      }).pipe(Effect.scoped, Effect.provide(Tenants.get(acme)))
      assert.strictEqual((yield* KeyedPool.stats(pool)).destroyed.shutdown, 1)
    }).pipe(withTenants(1)))

  it.effect("waiting borrowers of all keys fail with Closed, and every function goes on to answer", () =>
    Effect.gen(function*() {
      const pool = yield* Tenants
      yield* start(KeyedPool.use(pool, acme, () => Effect.never))
      const waiting = [yield* start(KeyedPool.use(pool, other, Effect.succeed))]
      waiting.push(yield* start(KeyedPool.use(pool, twin, Effect.succeed)))
      yield* KeyedPool.shutdown(pool)
      yield* settle
      assert.deepStrictEqual(
        waiting.map((fiber) => poolError(ended(fiber))).map(({ key, reason }) => [key, reason._tag]),
        [
          ["other", "Closed"],
          ["acme", "Closed"]
        ]
      )
      assert.strictEqual(poolError(yield* Effect.exit(KeyedPool.use(pool, other, Effect.succeed))).key, "other")
      assert.strictEqual(poolError(yield* Effect.exit(Effect.scoped(KeyedPool.get(pool, acme)))).key, "acme")
      assert.isTrue(Option.isNone(yield* Effect.scoped(KeyedPool.poll(pool, acme))))
      yield* KeyedPool.invalidate(pool, acme, yield* Effect.orDie(acquire(acme)))
      yield* KeyedPool.evictKey(pool, acme)
      yield* KeyedPool.evict(pool)
      yield* KeyedPool.suspend(pool)
      yield* KeyedPool.resume(pool)
      yield* KeyedPool.resize(pool, { max: 7 })
      yield* KeyedPool.shutdown(pool)
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
      assert.deepInclude(yield* KeyedPool.stats(pool), { closed: true, size: 0, waiting: 0, max: 1, suspended: false })
    }).pipe(withTenants(1)))
})

describe("a key that cannot be compared", () => {
  class Bad extends Tenant {
    [Hash.symbol](): number {
      throw new Error("no hash")
    }
  }

  class Odd extends Tenant {
    [Hash.symbol](): number {
      return 1
    }
    [Equal.symbol](): boolean {
      throw new Error("not equal")
    }
  }

  it.effect("is a defect that names the pool, through whatever it is used", () =>
    Effect.gen(function*() {
      const bad = Tenants.get(new Bad({ name: "bad" }))
      const uses: ReadonlyArray<Effect.Effect<unknown, unknown, Database | Scope.Scope>> = [
        whoami,
        Database.object,
        Database.useObject(Effect.succeed),
        Database.scoped(whoami),
        Effect.flatMap(Database.perCall, (db) => db.whoami()),
        Effect.flatMap(Database.pool, Pool.stats)
      ]
      for (const use of uses) {
        const exit = yield* Effect.exit(Effect.provide(Effect.scoped(use), bad))
        assert.strictEqual(defectOf(exit), "Pool \"app/Tenants\", key \"bad\": its Hash or Equal throws")
      }
      // its Equal is asked where one of its hash is known
      const odd = () => Tenants.get(new Odd({ name: "odd" }))
      yield* Effect.scoped(Effect.gen(function*() {
        const scope = yield* Effect.scope
        yield* whoami.pipe(Effect.provide(odd()), Scope.provide(scope))
        for (const use of uses) {
          const exit = yield* Effect.exit(use.pipe(Effect.provide(odd()), Scope.provide(scope)))
          assert.strictEqual(defectOf(exit), "Pool \"app/Tenants\", key \"odd\": its Hash or Equal throws")
        }
      }))
      assert.strictEqual((yield* KeyedPool.stats(yield* Tenants)).inUse, 0)
    }).pipe(withTenants(3)))
})
