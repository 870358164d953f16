import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Hash from "effect/Hash"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { KeyedPool, Pool } from "../src/index.ts"
import { borrow, lab, look, type Thing, touch } from "./keyed/kit.ts"
import { defectOf, ended, poolError, reasonOf, settle, start, valueOf } from "./utils.ts"

/** The message of the defect that the options are. */
const refusal = (options: object): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(
    Effect.exit(KeyedPool.make({ acquire: (key: string) => Effect.succeed({ key }), max: 10, ...options })),
    (exit) => defectOf(exit)
  )

describe("options", () => {
  it.effect("wrong ones are a defect that names the pool and every one of them with its value", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* refusal({ name: "app/Tenants", maxPerKey: 11, minPerKey: -1, maxUses: 0 }),
        "Pool \"app/Tenants\": minPerKey (-1) must be at least 0; maxPerKey (11) must not exceed max (10); " +
          "maxUses (0) must be at least 1"
      )
      const message = yield* refusal({
        acquire: Effect.succeed(1),
        max: 0,
        maxPerKey: 1.5,
        minPerKey: Infinity,
        borrowTimeout: "soon",
        createRetry: 3,
        describe: "it"
      })
      for (
        const problem of [
          "acquire (",
          "max (0)",
          "maxPerKey (1.5)",
          "minPerKey (Infinity)",
          "borrowTimeout (\"soon\")",
          "createRetry (3)",
          "describe (\"it\")"
        ]
      ) assert.include(message, problem)
    }))

  it.effect("max is required, and maxPerKey must not exceed it", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* refusal({ max: undefined }), "Pool \"pool\": max (undefined) is required")
      assert.strictEqual(yield* refusal({ maxPerKey: 11 }), "Pool \"pool\": maxPerKey (11) must not exceed max (10)")
      assert.include(yield* refusal({ maxPerKey: Infinity }), "maxPerKey (Infinity) must not exceed max (10)")
      assert.include(yield* refusal({ maxPerKey: Number.NaN }), "maxPerKey (NaN)")
      yield* KeyedPool.make({ acquire: () => Effect.succeed(1), max: Infinity, maxPerKey: Infinity })
    }))

  it.effect("minPerKey must not exceed what one key may have", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* refusal({ maxPerKey: 2, minPerKey: 3 }),
        "Pool \"pool\": minPerKey (3) must not exceed maxPerKey (2)"
      )
      assert.strictEqual(yield* refusal({ minPerKey: 11 }), "Pool \"pool\": minPerKey (11) must not exceed max (10)")
      for (const minPerKey of [-1, 0.5, Number.NaN, "1", Infinity]) {
        assert.include(yield* refusal({ minPerKey }), "minPerKey (")
      }
    }))

  it.effect("maxPerKey is max where it is not given", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 3 })
      for (let i = 0; i < 3; i++) yield* borrow(pool, "a")
      assert.deepStrictEqual(yield* look(pool), { a: "3 inUse" })
    }))

  it.effect("minPerKey is 0 where it is not given: a key keeps nothing that time takes", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ max: 3, idleTimeToLive: "1 second" })
      yield* touch(pool, "a")
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(unmade, [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(unmade, ["a0"])
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
    }))
})

describe("every function takes the pool first or last", () => {
  it.effect("get", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 1, maxWaiting: 0 })
      yield* Effect.scoped(Effect.gen(function*() {
        assert.strictEqual((yield* KeyedPool.get(pool, "a")).key, "a")
        const first = KeyedPool.get(pool, "a", { timeout: 0 })
        const last = pool.pipe(KeyedPool.get("a", { timeout: 0 }))
        assert.strictEqual(reasonOf(yield* Effect.exit(first)), "QueueFull")
        assert.strictEqual(reasonOf(yield* Effect.exit(last)), "QueueFull")
      }))
      assert.strictEqual((yield* Effect.scoped(pool.pipe(KeyedPool.get("a")))).key, "a")
      assert.strictEqual((yield* Effect.scoped(KeyedPool.get(pool, "a", { timeout: "1 second" }))).key, "a")
    }))

  it.effect("use", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 1 })
      const id = (thing: Thing) => Effect.succeed(thing.id)
      assert.strictEqual(yield* KeyedPool.use(pool, "a", id), 0)
      assert.strictEqual(yield* KeyedPool.use(pool, "a", id, { timeout: "1 second" }), 0)
      assert.strictEqual(yield* pool.pipe(KeyedPool.use("a", id)), 0)
      assert.strictEqual(yield* pool.pipe(KeyedPool.use("a", id, { timeout: "1 second" })), 0)
    }))

  it.effect("poll, invalidate, evictKey and resize", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ max: 2 })
      yield* touch(pool, "a")
      const found = Option.getOrThrow(yield* Effect.scoped(KeyedPool.poll(pool, "a")))
      assert.strictEqual(Option.getOrThrow(yield* Effect.scoped(pool.pipe(KeyedPool.poll("a")))), found)
      yield* KeyedPool.invalidate(pool, "a", found)
      assert.deepStrictEqual(unmade, ["a0"])
      yield* pool.pipe(KeyedPool.invalidate("a", yield* touch(pool, "a")))
      assert.deepStrictEqual(unmade, ["a0", "a1"])
      yield* touch(pool, "a")
      yield* KeyedPool.evictKey(pool, "a")
      yield* touch(pool, "a")
      yield* pool.pipe(KeyedPool.evictKey("a"))
      assert.deepStrictEqual(unmade, ["a0", "a1", "a2", "a3"])
      yield* KeyedPool.resize(pool, { max: 3 })
      assert.strictEqual((yield* KeyedPool.stats(pool)).max, 3)
      yield* pool.pipe(KeyedPool.resize({ max: 4 }))
      assert.strictEqual((yield* KeyedPool.stats(pool)).max, 4)
    }))
})

describe("keys", () => {
  it.effect("come into being on first borrow, and with nothing else", () =>
    Effect.gen(function*() {
      const { made, pool } = yield* lab({ max: 2 })
      yield* Effect.scoped(KeyedPool.poll(pool, "a"))
      yield* KeyedPool.invalidate(pool, "a", { id: 0, key: "a" })
      yield* KeyedPool.evictKey(pool, "a")
      yield* KeyedPool.resize(pool, { minPerKey: 1 })
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
      assert.deepStrictEqual(made, [])
      yield* touch(pool, "a")
      yield* touch(pool, "b")
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), ["a", "b"])
    }))

  it.effect("that are equal are one, whether they have Equal, are plain, or are collections", () =>
    Effect.gen(function*() {
      class Tenant extends Data.Class<{ readonly name: string }> {}
      class Sharded implements Equal.Equal {
        readonly shard: number
        readonly note: string
        constructor(shard: number, note: string) {
          this.shard = shard
          this.note = note
        }
        [Equal.symbol](that: unknown) {
          return that instanceof Sharded && that.shard === this.shard
        }
        [Hash.symbol]() {
          return Hash.number(this.shard)
        }
      }
      const twins: ReadonlyArray<() => unknown> = [
        () => "a",
        () => 1,
        () => Number.NaN,
        () => 1n,
        () => undefined,
        () => null,
        () => true,
        () => Symbol.for("a"),
        () => new Tenant({ name: "a" }),
        () => new Sharded(1, String(Math.random())),
        () => ({ tenant: "a", region: { name: "eu" } }),
        () => ["a", 1],
        () => new Date(0),
        () => Option.some("a"),
        () => new Map([["a", 1]])
      ]
      const { made, pool } = yield* lab<unknown>({ max: 100 })
      for (const twin of twins) {
        const first = yield* touch(pool, twin())
        assert.strictEqual(yield* touch(pool, twin()), first)
        assert.strictEqual(Option.getOrThrow(yield* Effect.scoped(KeyedPool.poll(pool, twin()))), first)
      }
      assert.strictEqual(made.length, twins.length)
      assert.strictEqual((yield* KeyedPool.keys(pool)).length, twins.length)
      for (const twin of twins) yield* KeyedPool.evictKey(pool, twin())
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
    }))

  it.effect("that are not equal are told apart, also where their hashes are the same", () =>
    Effect.gen(function*() {
      class Colliding {
        readonly name: string
        constructor(name: string) {
          this.name = name
        }
        [Equal.symbol](that: unknown) {
          return that instanceof Colliding && that.name === this.name
        }
        [Hash.symbol]() {
          return 7
        }
      }
      const f = () => 1
      const g = () => 1
      const keys: ReadonlyArray<unknown> = [
        new Colliding("a"),
        new Colliding("b"),
        new Colliding("c"),
        { name: "a" },
        { name: "b" },
        ["a"],
        f,
        g,
        Equal.byReferenceUnsafe({ name: "a" }),
        "1",
        1
      ]
      const { made, pool } = yield* lab<unknown>({ max: 100 })
      for (const key of keys) yield* touch(pool, key)
      for (const key of keys) assert.strictEqual((yield* touch(pool, key)).key, key)
      assert.strictEqual(made.length, keys.length)
      yield* KeyedPool.evictKey(pool, new Colliding("b"))
      assert.strictEqual((yield* touch(pool, new Colliding("a"))).key, keys[0])
      assert.strictEqual((yield* touch(pool, new Colliding("c"))).key, keys[2])
      yield* KeyedPool.evict(pool)
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
    }))

  it.effect("that change after their first borrow still vanish", () =>
    Effect.gen(function*() {
      const date = new Date(0)
      const plain = { name: "a" }
      const { pool } = yield* lab<unknown>({ max: 100 })
      yield* touch(pool, date)
      yield* touch(pool, plain)
      date.setTime(1)
      plain.name = "b"
      yield* KeyedPool.evict(pool)
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
      yield* touch(pool, date)
      yield* touch(pool, new Date(1))
      assert.strictEqual((yield* KeyedPool.stats(pool)).size, 1)
    }))

  it.effect("that throw in Hash or in Equal are a defect that names the pool, and harm nobody", () =>
    Effect.gen(function*() {
      const bad = {
        [Hash.symbol]() {
          throw new Error("no hash")
        },
        [Equal.symbol]() {
          return false
        }
      }
      class Worse {
        [Hash.symbol]() {
          return Hash.string("x")
        }
        [Equal.symbol]() {
          throw new Error("not equal")
        }
        toString() {
          throw new Error("no text")
        }
      }
      const { made, pool } = yield* lab<unknown>({ max: 1, name: "app/Tenants" })
      const tries = (key: unknown): ReadonlyArray<Effect.Effect<unknown, unknown>> => [
        Effect.scoped(KeyedPool.get(pool, key)),
        KeyedPool.use(pool, key, Effect.succeed),
        Effect.scoped(KeyedPool.poll(pool, key)),
        KeyedPool.invalidate(pool, key, { id: 0, key }),
        KeyedPool.evictKey(pool, key)
      ]
      for (const attempt of tries(bad)) {
        assert.match(defectOf(yield* Effect.exit(attempt)), /^Pool "app\/Tenants", key ".*": its Hash or Equal throws$/)
      }
      assert.deepStrictEqual(made, [])
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
      // its Equal is asked only where its hash has been seen
      yield* KeyedPool.use(pool, new Worse(), () => Effect.void)
      for (const attempt of tries(new Worse())) {
        assert.match(defectOf(yield* Effect.exit(attempt)), /^Pool "app\/Tenants", key "unreadable key": its Hash/)
      }
      assert.strictEqual((yield* KeyedPool.use(pool, "a", Effect.succeed)).key, "a")
      assert.strictEqual((yield* KeyedPool.stats(pool)).inUse, 0)
    }))
})

describe("what is not about one key", () => {
  it.effect("isKeyedPool knows a keyed pool, and isPool none", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 1 })
      assert.isTrue(KeyedPool.isKeyedPool(pool))
      assert.isFalse(Pool.isPool(pool))
      for (const other of [undefined, null, {}, "pool", yield* Pool.make({ acquire: Effect.succeed(1), max: 1 })]) {
        assert.isFalse(KeyedPool.isKeyedPool(other))
      }
    }))

  it.effect("CreationNumber counts the creations of all keys", () =>
    Effect.gen(function*() {
      const pool = yield* KeyedPool.make({
        acquire: (key: string) => Effect.map(Effect.service(Pool.CreationNumber), (id) => `${key}${id}`),
        max: 3
      })
      const made: Array<string> = []
      for (const key of ["a", "b", "c", "a", "d", "e"]) made.push(yield* touch(pool, key))
      // the fourth borrow finds what the first left
      assert.deepStrictEqual(made, ["a0", "b1", "c2", "a0", "d3", "e4"])
    }))

  it.effect("acquire and the hooks may need services, and get the key last", () =>
    Effect.gen(function*() {
      const calls: Array<unknown> = []
      const note = (...args: Array<unknown>) => Effect.sync(() => calls.push(args))
      const pool = yield* KeyedPool.make({
        acquire: (key: string) => Effect.as(note("acquire", key), { made: key }),
        onBorrow: (object, key) => note("onBorrow", object, key),
        onReturn: (object, exit, key) => note("onReturn", object, exit._tag, key),
        healthCheck: (object, key) => Effect.as(note("healthCheck", object, key), true),
        describe: (object, key) => {
          calls.push(["describe", object, key])
          return key
        },
        healthAfterIdle: 0,
        max: 2
      })
      const object = yield* touch(pool, "a")
      assert.deepStrictEqual(calls.splice(0), [
        ["acquire", "a"],
        ["onBorrow", object, "a"],
        ["onReturn", object, "Success", "a"]
      ])
      yield* touch(pool, "a")
      assert.deepStrictEqual(calls.splice(0), [
        ["healthCheck", object, "a"],
        ["onBorrow", object, "a"],
        ["onReturn", object, "Success", "a"]
      ])
      assert.strictEqual((yield* KeyedPool.stats(pool)).objects[0]?.object, "a")
      assert.deepStrictEqual(calls.splice(0), [["describe", object, "a"]])
    }))
})

describe("the options that hold per key", () => {
  it.effect("maxPerKey: borrowers of a full key wait though places are free, and stop nobody", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 10, maxPerKey: 2 })
      const first = yield* borrow(pool, "a")
      yield* borrow(pool, "a")
      const third = yield* start(Effect.scoped(KeyedPool.get(pool, "a")))
      yield* borrow(pool, "b")
      assert.deepStrictEqual(yield* look(pool), { a: "2 inUse, 1 waiting", b: "1 inUse" })
      yield* first.giveBack
      yield* settle
      assert.strictEqual(valueOf(third).id, 0)
    }))

  it.effect("maxWaiting", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 10, maxPerKey: 1, maxWaiting: 1 })
      yield* borrow(pool, "a")
      yield* borrow(pool, "b")
      yield* start(borrow(pool, "a"))
      yield* start(borrow(pool, "b"))
      const refused = poolError(yield* Effect.exit(borrow(pool, "a")))
      assert.strictEqual(refused.reason._tag, "QueueFull")
      assert.strictEqual(refused.key, "a")
      yield* borrow(pool, "c")
      assert.deepStrictEqual(yield* look(pool), {
        a: "1 inUse, 1 waiting",
        b: "1 inUse, 1 waiting",
        c: "1 inUse"
      })
    }))

  it.effect("a borrower for whom room can be made does not meet a full queue", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 2, maxWaiting: 0 })
      yield* borrow(pool, "a")
      yield* touch(pool, "b")
      yield* borrow(pool, "c")
      assert.strictEqual(reasonOf(yield* Effect.exit(borrow(pool, "d"))), "QueueFull")
      assert.deepStrictEqual(yield* look(pool), { a: "1 inUse", c: "1 inUse" })
    }))

  it.effect("maxCreating", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 10, maxCreating: 1, create: () => Effect.sleep("1 second") })
      for (const key of ["a", "a", "b", "b"]) yield* start(borrow(pool, key))
      assert.deepStrictEqual(yield* look(pool), { a: "1 creating, 2 waiting", b: "1 creating, 2 waiting" })
    }))

  it.effect("order, maxUses, idleTimeToLive and timeToLive", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({
        max: 10,
        order: "fifo",
        maxUses: 2,
        idleTimeToLive: "1 second",
        timeToLive: "3 seconds",
        jitter: 0
      })
      const [first, second] = [yield* borrow(pool, "a"), yield* borrow(pool, "a")]
      yield* first.giveBack
      yield* second.giveBack
      assert.strictEqual((yield* touch(pool, "a")).id, 0)
      assert.deepStrictEqual(unmade, ["a0"])
      const held = yield* borrow(pool, "b")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(unmade, ["a0", "a1"])
      yield* TestClock.adjust("2 seconds")
      yield* held.giveBack
      assert.deepStrictEqual(unmade, ["a0", "a1", "b2"])
      const { destroyed } = yield* KeyedPool.stats(pool)
      assert.deepInclude(destroyed, { uses: 1, idle: 1, lifetime: 1 })
    }))

  it.effect("concurrency: borrowers of a key share its object, those of another do not", () =>
    Effect.gen(function*() {
      const { made, pool } = yield* lab({ max: 10, concurrency: 2 })
      const borrowed = []
      for (const key of ["a", "b", "a", "a", "b"]) borrowed.push(yield* borrow(pool, key))
      assert.deepStrictEqual(borrowed.map(({ object }) => object.id), [0, 1, 0, 2, 1])
      assert.deepStrictEqual(made, ["a0", "b1", "a2"])
    }))

  it.effect("borrowTimeout, and the timeout of one call", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 1, borrowTimeout: "2 seconds" })
      yield* borrow(pool, "a")
      const patient = yield* start(borrow(pool, "b"))
      const quick = yield* start(borrow(pool, "b", "1 second"))
      const lasting = yield* start(borrow(pool, "c", "3 seconds"))
      assert.strictEqual(reasonOf(yield* Effect.exit(borrow(pool, "c", 0))), "BorrowTimeout")
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(ended(quick))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(reasonOf(ended(quick)), "BorrowTimeout")
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(ended(patient))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(reasonOf(ended(patient)), "BorrowTimeout")
      assert.deepStrictEqual(yield* look(pool), { a: "1 inUse", c: "1 waiting" })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(reasonOf(ended(lasting)), "BorrowTimeout")
      assert.deepStrictEqual(yield* look(pool), { a: "1 inUse" })
    }))

  it.effect("borrowLimit: an object taken back makes room for another key", () =>
    Effect.gen(function*() {
      const { pool } = yield* lab({ max: 1, borrowLimit: "5 seconds" })
      const overdue = yield* start(KeyedPool.use(pool, "a", () => Effect.never))
      const waiting = yield* start(borrow(pool, "b"))
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(ended(waiting))
      yield* TestClock.adjust("1 millis")
      const revoked = poolError(ended(overdue))
      assert.strictEqual(revoked.reason._tag, "Revoked")
      assert.strictEqual(revoked.key, "a")
      assert.strictEqual(valueOf(waiting).object.key, "b")
    }))

  it.effect("an interruption that hits a use leaves no doubtful object, and its place serves another key", () =>
    Effect.gen(function*() {
      const { pool, unmade } = yield* lab({ max: 1 })
      const using = yield* start(KeyedPool.use(pool, "a", () => Effect.never))
      const waiting = yield* start(borrow(pool, "b"))
      yield* Fiber.interrupt(using)
      yield* settle
      assert.deepStrictEqual(unmade, ["a0"])
      assert.strictEqual(valueOf(waiting).object.key, "b")
      assert.strictEqual((yield* KeyedPool.stats(pool)).destroyed.failed, 1)
    }))

  it.effect("borrowing in a Scope that is closed is a defect that names the pool", () =>
    Effect.gen(function*() {
      const { made, pool } = yield* lab({ max: 1, name: "app/Tenants" })
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      assert.include(
        defectOf(yield* Effect.exit(Scope.provide(KeyedPool.get(pool, "a"), scope))),
        "Pool \"app/Tenants\""
      )
      assert.deepStrictEqual(made, [])
      assert.deepStrictEqual(yield* KeyedPool.keys(pool), [])
    }))
})
