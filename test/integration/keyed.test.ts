import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Layer, Random } from "effect"
import { TestClock } from "effect/testing"
import { KeyedPool } from "proxy-pattern-pool"
import { Postgres } from "../../docs/examples/bank/postgres.ts"
import { guests, sign } from "../../docs/examples/keyed/guestbook.ts"
import { server, tenants } from "../../docs/examples/keyed/server.ts"
import { Database, Tenants } from "../../docs/examples/keyed/tenants.ts"

const at = (tenant: string) => Effect.provide(Tenants.get(tenant))

layer(Tenants.layer.pipe(Layer.provideMerge(server)), { timeout: "60 seconds" })(
  "fifty tenants of a real PostgreSQL, on twenty connections",
  (it) => {
    it.effect(
      "all of them are served, each in its own database, and the server never sees a twenty-first",
      () =>
        Effect.gen(function*() {
          const postgres = yield* Postgres
          const pool = yield* Tenants
          let most = 0
          const watching = yield* Effect.forkChild(
            Effect.forever(Effect.map(postgres.backends, (backends) => most = Math.max(most, backends))),
            { startImmediately: true }
          )
          const visits = yield* Random.shuffle(tenants.flatMap((tenant) => [tenant, tenant, tenant, tenant]))
          const signed = yield* Effect.forEach(visits, (tenant) => at(tenant)(sign("a guest")), { concurrency: 60 })
          yield* Fiber.interrupt(watching)

          for (const [index, pages] of signed.entries()) {
            for (const page of pages) assert.strictEqual(page, `a guest at ${visits[index]}`)
          }
          for (const tenant of tenants) assert.strictEqual(yield* at(tenant)(guests), 4, tenant)
          assert.isAtMost(most, 20)
          assert.isAbove(most, 10)
          const stats = yield* KeyedPool.stats(pool)
          assert.strictEqual(stats.size, yield* postgres.backends)
          assert.isAbove(stats.destroyed.evicted, 30)
          assert.deepInclude(stats, { borrowed: 250, returned: 250, createFailures: 0, timeouts: 0, hookFailures: 0 })
        }),
      60_000
    )

    it.effect(
      "a tenant whose queries hang takes no more than its share, and the others go on",
      () =>
        Effect.gen(function*() {
          const slow = yield* Effect.forkChild(
            Effect.forEach(
              Array.from({ length: 10 }, (_, index) => index),
              () => Effect.scoped(Effect.flatMap(Database, (db) => db.query("select pg_sleep(60)"))),
              { concurrency: "unbounded", discard: true }
            ).pipe(at(tenants[0]!)),
            { startImmediately: true }
          )
          yield* Effect.forEach(tenants.slice(1, 30), (tenant) => at(tenant)(sign("another")), { concurrency: 10 })
          const { keys } = yield* KeyedPool.stats(yield* Tenants)
          assert.deepInclude(keys.find(({ key }) => key === tenants[0]), { inUse: 5, waiting: 5 })
          const ending = yield* Effect.forkChild(Fiber.interrupt(slow), { startImmediately: true })
          yield* Effect.yieldNow
          // onReturn would roll back, and waits behind the query
          yield* TestClock.adjust("10 seconds")
          yield* Fiber.join(ending)
        }),
      60_000
    )

    it.effect("a tenant without a database fails alone, and its key vanishes", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(at("nobody")(guests))
        assert.strictEqual(error._tag, "ConnectError")
        assert.include(error.message, "database \"nobody\" does not exist")
        assert.isAtLeast(yield* at(tenants[1]!)(guests), 4)
        assert.notInclude(yield* KeyedPool.keys(yield* Tenants), "nobody")
      }))

    it.effect("when nobody comes for a while, no connection and no key is left", () =>
      Effect.gen(function*() {
        const postgres = yield* Postgres
        const pool = yield* Tenants
        yield* TestClock.adjust("1 minute")
        // the goodbyes take real time
        yield* Effect.repeat(Effect.andThen(Effect.yieldNow, postgres.backends), {
          until: (backends) => backends === 0
        })
        yield* Effect.repeat(Effect.andThen(Effect.yieldNow, KeyedPool.keys(pool)), {
          until: (keys) => keys.length === 0
        })
        assert.strictEqual((yield* KeyedPool.stats(pool)).destroying, 0)
      }))
  }
)
