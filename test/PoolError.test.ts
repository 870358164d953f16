import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as PoolError from "../src/PoolError.ts"

const holder = new PoolError.Holder({
  id: 7,
  fiber: 31,
  span: "GET /users",
  traceId: "0af7651916cd43dd8448eb211c80319c",
  heldFor: Duration.millis(12_345),
  waiting: false,
  object: { id: 7, tables: ["users", null] },
  key: "a"
})

const spanless = new PoolError.Holder({ id: 3, fiber: 5, heldFor: Duration.millis(250), waiting: true })

const full = {
  timeout: Duration.seconds(5),
  size: 10,
  max: 10,
  inUse: 10,
  creating: 0,
  destroying: 0,
  waiting: 32,
  holders: [holder, spanless]
}

const reasons = {
  BorrowTimeout: new PoolError.BorrowTimeout(full),
  QueueFull: new PoolError.QueueFull({ maxWaiting: 3 }),
  Closed: new PoolError.Closed(),
  CreateTimeout: new PoolError.CreateTimeout({ timeout: Duration.seconds(10) }),
  Revoked: new PoolError.Revoked({ limit: Duration.seconds(30), holder })
}

const wrap = (reason: PoolError.PoolError["reason"]) => new PoolError.PoolError({ pool: "app/Database", reason })

const timeout = (fields: Partial<ConstructorParameters<typeof PoolError.BorrowTimeout>[0]>) =>
  wrap(new PoolError.BorrowTimeout({ ...full, ...fields })).message

describe("PoolError", () => {
  it("is an Error tagged PoolError, with the reason it was made with, and without the keys it was not", () => {
    const error = wrap(reasons.QueueFull)
    assert.instanceOf(error, Error)
    assert.strictEqual(error._tag, "PoolError")
    assert.strictEqual(error.reason, reasons.QueueFull)
    assert.isFalse("key" in error)
    assert.isFalse("span" in spanless || "traceId" in spanless || "object" in spanless || "key" in spanless)
    assert.isFalse("lastFailure" in reasons.BorrowTimeout)
  })

  it("may be retried where the same borrow may succeed later", () => {
    const retryable = Object.entries(reasons).filter(([, reason]) => reason.isRetryable).map(([tag]) => tag)
    assert.deepStrictEqual(retryable, ["BorrowTimeout", "QueueFull", "CreateTimeout"])
    for (const reason of Object.values(reasons)) assert.strictEqual(wrap(reason).isRetryable, reason.isRetryable)
  })

  it("shows its message where errors are shown", () => {
    const error = wrap(reasons.QueueFull)
    const line = `proxy-pattern-pool/PoolError: ${error.message}`
    assert.strictEqual(String(error), line)
    assert.strictEqual(error.stack?.split("\n")[0], line)
    assert.include(Cause.pretty(Cause.fail(error)), error.message)
  })
})

describe("messages", () => {
  it("of a BorrowTimeout tell the counts and who has held an object longest", () => {
    assert.strictEqual(
      timeout({}),
      `Pool "app/Database": no object within 5s (10 of 10 in use, 32 waiting, longest held 12.3s by fiber #31 in span "GET /users")`
    )
  })

  it("of a BorrowTimeout name creations and destructions where there are some, before the waiting", () => {
    assert.strictEqual(
      timeout({ inUse: 7, creating: 2, destroying: 1, holders: [spanless] }),
      `Pool "app/Database": no object within 5s (7 of 10 in use, 2 creating, 1 destroying, 32 waiting, longest held 250ms by fiber #5)`
    )
    assert.strictEqual(
      timeout({ inUse: 0, creating: 2, holders: [] }),
      `Pool "app/Database": no object within 5s (0 of 10 in use, 2 creating, 32 waiting)`
    )
    assert.strictEqual(
      timeout({ inUse: 0, destroying: 1, holders: [] }),
      `Pool "app/Database": no object within 5s (0 of 10 in use, 1 destroying, 32 waiting)`
    )
  })

  it("of a BorrowTimeout end with the last creation failure", () => {
    assert.strictEqual(
      timeout({
        timeout: Duration.millis(500),
        inUse: 0,
        waiting: 1,
        holders: [],
        lastFailure: "ConnectError: refused"
      }),
      `Pool "app/Database": no object within 500ms (0 of 10 in use, 1 waiting); last creation failure: ConnectError: refused`
    )
  })

  it("of a BorrowTimeout say so when there is no bound, and no time", () => {
    assert.strictEqual(
      timeout({ timeout: Duration.zero, max: Infinity, inUse: 4, waiting: 1, holders: [] }),
      `Pool "app/Database": no object within 0ms (4 of Infinity in use, 1 waiting)`
    )
  })

  it("of the other reasons name the option to look at", () => {
    const { Closed, CreateTimeout, QueueFull, Revoked } = reasons
    assert.deepStrictEqual([QueueFull, Closed, CreateTimeout, Revoked].map((reason) => wrap(reason).message), [
      `Pool "app/Database": no object is free and the queue is full (maxWaiting is 3)`,
      `Pool "app/Database": the pool is closed and lends nothing any more (its Scope closed, or shutdown was called)`,
      `Pool "app/Database": acquire made no object within 10s (createTimeout)`,
      `Pool "app/Database": object #7 was taken back, held for longer than 30s (borrowLimit) by fiber #31 in span "GET /users"`
    ])
    assert.strictEqual(
      new PoolError.Revoked({ limit: Duration.millis(250), holder: spanless }).message,
      "object #3 was taken back, held for longer than 250ms (borrowLimit) by fiber #5"
    )
  })

  it("name the key, where there is one", () => {
    for (const reason of Object.values(reasons)) {
      const error = new PoolError.PoolError({ pool: "app/Tenants", key: "a", reason })
      assert.strictEqual(error.message, `Pool "app/Tenants", key "a": ${reason.message}`)
    }
    assert.strictEqual(
      new PoolError.PoolError({ pool: "app/Tenants", key: "a", reason: reasons.BorrowTimeout }).message,
      `Pool "app/Tenants", key "a": no object within 5s (10 of 10 in use, 32 waiting, longest held 12.3s by fiber #31 in span "GET /users")`
    )
  })

  it("of a reason alone are the same sentence without the pool", () => {
    for (const reason of Object.values(reasons)) {
      assert.strictEqual(wrap(reason).message, `Pool "app/Database": ${reason.message}`)
    }
  })
})

describe("handling", () => {
  const failing = (reason: PoolError.PoolError["reason"]): Effect.Effect<string, PoolError.PoolError> =>
    Effect.fail(wrap(reason))

  it.effect("catchReason meets its own reason and no other", () =>
    Effect.gen(function*() {
      for (const reason of Object.values(reasons)) {
        const told = yield* failing(reason).pipe(
          Effect.catchReason(
            "PoolError",
            "BorrowTimeout",
            ({ inUse, max }) => Effect.succeed(`${inUse} of ${max}`),
            ({ _tag }) => Effect.succeed(`other: ${_tag}`)
          )
        )
        assert.strictEqual(told, reason._tag === "BorrowTimeout" ? "10 of 10" : `other: ${reason._tag}`)
      }
    }))

  it.effect("catchReason passes the error on when it has another reason", () =>
    Effect.gen(function*() {
      const error = yield* failing(reasons.Closed).pipe(
        Effect.catchReason("PoolError", "QueueFull", () => Effect.succeed("caught")),
        Effect.flip
      )
      assert.strictEqual(error.reason, reasons.Closed)
    }))

  it.effect("catchReasons meets each reason by its tag", () =>
    Effect.gen(function*() {
      for (const reason of Object.values(reasons)) {
        const told = yield* failing(reason).pipe(
          Effect.catchReasons("PoolError", {
            BorrowTimeout: ({ holders }) => Effect.succeed(`${holders.length} holders`),
            QueueFull: ({ maxWaiting }) => Effect.succeed(`${maxWaiting} waiting`),
            Closed: () => Effect.succeed("closed"),
            CreateTimeout: ({ timeout }) => Effect.succeed(Duration.format(timeout)),
            Revoked: ({ holder }) => Effect.succeed(`${holder}`)
          })
        )
        const expected = {
          BorrowTimeout: "2 holders",
          QueueFull: "3 waiting",
          Closed: "closed",
          CreateTimeout: "10s",
          Revoked: `fiber #31 in span "GET /users"`
        }
        assert.strictEqual(told, expected[reason._tag])
      }
    }))

  it.effect("unwrapReason makes the reason the error", () =>
    Effect.gen(function*() {
      for (const reason of Object.values(reasons)) {
        const error = yield* failing(reason).pipe(Effect.unwrapReason("PoolError"), Effect.flip)
        assert.strictEqual(error, reason)
      }
    }))

  it.effect("the error and its reasons can be yielded", () =>
    Effect.gen(function*() {
      for (const error of [wrap(reasons.Closed), ...Object.values(reasons)]) {
        const exit = yield* Effect.exit(Effect.gen(function*() {
          yield* Effect.void
          return yield* error
        }))
        assert.deepStrictEqual(exit, Exit.fail(error))
      }
    }))
})

describe("as JSON", () => {
  const codec = Schema.toCodecJson(PoolError.PoolError)

  /** There and back through JSON text. */
  const roundTrip = (error: PoolError.PoolError): PoolError.PoolError =>
    Schema.decodeUnknownSync(codec)(JSON.parse(JSON.stringify(Schema.encodeSync(codec)(error))))

  /** Everything that can be read of an error. */
  const facts = (error: PoolError.PoolError): object => ({
    ...error,
    isError: error instanceof PoolError.PoolError,
    message: error.message,
    isRetryable: error.isRetryable
  })

  it("every reason comes back as what it was", () => {
    const all = [
      ...Object.values(reasons),
      new PoolError.BorrowTimeout({ ...full, lastFailure: "ConnectError: refused" })
    ]
    for (const reason of all) {
      for (const key of [{}, { key: "a" }]) {
        const error = new PoolError.PoolError({ pool: "app/Tenants", reason, ...key })
        assert.deepStrictEqual(facts(roundTrip(error)), facts(error))
      }
    }
  })

  it("numbers and durations without an end come back, and those of less than a millisecond", () => {
    for (
      const reason of [
        new PoolError.QueueFull({ maxWaiting: Infinity }),
        new PoolError.BorrowTimeout({ ...full, max: Infinity, timeout: Duration.infinity }),
        new PoolError.CreateTimeout({ timeout: Duration.infinity }),
        new PoolError.CreateTimeout({ timeout: Duration.micros(300n) }),
        new PoolError.CreateTimeout({ timeout: Duration.millis(0.3) })
      ]
    ) assert.deepStrictEqual(facts(roundTrip(wrap(reason))), facts(wrap(reason)))
  })

  it.prop("every error comes back", [PoolError.PoolError], ([error]) => {
    assert.isTrue(Equal.equals(facts(roundTrip(error)), facts(error)))
  }, { arbitrary: { runs: 300, size: 10 } })
})
