import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Layer, Option, References, Scope, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { Pool, type PoolError, Proxy } from "proxy-pattern-pool"
import { ended, hold, logs, poolError, settle, start, valueOf, Workshop } from "./utils.ts"

/** Every span that is begun in what the tracer is provided to. */
const tracing = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span(options) {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const named = (name: string) => spans.filter((span) => span.name === name)
  return { named, only: (name: string) => one(named(name)), traced: Effect.withTracer(tracer) }
}

const one = <A>(items: ReadonlyArray<A>): A => {
  assert.strictEqual(items.length, 1)
  return items[0]!
}

const parentOf = (span: Tracer.Span): string | undefined =>
  Option.match(span.parent, {
    onNone: () => undefined,
    onSome: (parent) => parent._tag === "Span" ? parent.name : "external"
  })

const linksOf = (span: Tracer.Span): Array<string> =>
  span.links.map(({ span }) => span._tag === "Span" ? span.name : "external")

const exitOf = (span: Tracer.Span): Exit.Exit<unknown, unknown> => {
  assert(span.status._tag === "Ended", "it has ended")
  return span.status.exit
}

const make = (options: Partial<Pool.Options<unknown>> = {}) =>
  Pool.make<unknown, never, never>({ acquire: Effect.succeed({}), min: 0, max: 1, ...options })

const holderOf = (exit: Exit.Exit<unknown, unknown> | undefined): PoolError.Holder => {
  const { reason } = poolError(exit)
  assert(reason._tag === "BorrowTimeout")
  return reason.holders[0]!
}

describe("pool.create", () => {
  it.effect("is a root span for each creation, linked to the span that asked, and around what acquire traces", () => {
    const { only, traced } = tracing()
    return Effect.gen(function*() {
      const pool = yield* Effect.withSpan(
        make({ name: "app/Database", acquire: Effect.withSpan(Effect.succeed({}), "connect") }),
        "boot"
      )
      yield* Effect.withSpan(hold(pool, 0), "GET /users")
      const create = only("pool.create")
      assert.isTrue(Option.isNone(create.parent))
      assert.deepStrictEqual(linksOf(create), ["GET /users"])
      assert.strictEqual(create.attributes.get("pool.name"), "app/Database")
      assert.isTrue(Exit.isSuccess(exitOf(create)))
      assert.strictEqual(parentOf(only("connect")), "pool.create")
      assert.strictEqual(only("connect").traceId, create.traceId)
      assert.notStrictEqual(create.traceId, only("GET /users").traceId)
    }).pipe(traced)
  })

  it.effect("is linked to nothing where nobody asked, not even to the span in which the pool was made", () => {
    const { only, traced } = tracing()
    return Effect.gen(function*() {
      yield* Effect.withSpan(make({ min: 1 }), "boot")
      const create = only("pool.create")
      assert.isTrue(Option.isNone(create.parent))
      assert.deepStrictEqual(linksOf(create), [])
    }).pipe(traced)
  })

  it.effect("is linked to the borrower it is for, also when many creations begin at once", () => {
    const { named, traced } = tracing()
    return Effect.gen(function*() {
      const pool = yield* make({ max: 3, acquire: Effect.as(Effect.sleep(10), {}) })
      yield* Pool.suspend(pool)
      for (const name of ["a", "b", "c"]) yield* start(Effect.withSpan(hold(pool, 1000), name))
      yield* Pool.resume(pool)
      assert.deepStrictEqual(named("pool.create").map(linksOf), [["a"], ["b"], ["c"]])
      yield* start(Effect.withSpan(hold(pool, 1000), "d"))
      yield* start(Effect.withSpan(hold(pool, 1000), "e"))
      yield* TestClock.adjust(10)
      yield* Pool.resize(pool, { max: 5 })
      assert.deepStrictEqual(named("pool.create").slice(3).map(linksOf), [["d"], ["e"]])
    }).pipe(traced)
  })

  it.effect("ends with the failure, and with the interruption at createTimeout", () => {
    const { named, traced } = tracing()
    return Effect.gen(function*() {
      const failing = yield* Pool.make({ acquire: Effect.fail("down"), min: 0, max: 1 })
      yield* Effect.exit(hold(failing, 0))
      const stuck = yield* Pool.make({ acquire: Effect.never, min: 0, max: 1, createTimeout: 100 })
      const borrower = yield* start(hold(stuck, 0))
      yield* TestClock.adjust(100)
      yield* settle
      assert.strictEqual(poolError(ended(borrower)).reason._tag, "CreateTimeout")
      const [failed, late] = named("pool.create")
      assert.deepStrictEqual(exitOf(failed!), Exit.fail("down"))
      assert.isTrue(Exit.hasInterrupts(exitOf(late!)))
    }).pipe(traced)
  })

  const untraced: Record<string, (effect: Effect.Effect<void>) => Effect.Effect<void>> = {
    "nothing in the context": (effect) => effect,
    "annotations for all spans": Effect.annotateSpans({ region: "eu" }),
    "spans without times": Effect.provideService(References.TracerTimingEnabled, false)
  }

  for (const [what, around] of Object.entries(untraced)) {
    it.effect(`is the same where there is no tracer, for acquire to see: ${what}`, () =>
      around(
        Effect.gen(function*() {
          const seen: Array<Tracer.Span> = []
          const see = Effect.map(Effect.orDie(Effect.currentSpan), (span) => {
            seen.push(span)
            return span.status._tag
          })
          const acquire = Effect.andThen(see, Effect.sleep(10))
          const pool = yield* Pool.make({ name: "app/Database", acquire, min: 0, max: 1 })
          const borrower = yield* start(Effect.withSpan(hold(pool, 0), "GET /users"))
          const span = one(seen)
          assert.strictEqual(span.status._tag, "Started")
          assert.strictEqual(span.name, "pool.create")
          assert.isTrue(Option.isNone(span.parent))
          assert.deepStrictEqual(linksOf(span), ["GET /users"])
          assert.strictEqual(span.attributes.get("pool.name"), "app/Database")
          assert.strictEqual(span.attributes.get("pool.object"), 0)
          assert.strictEqual(span.attributes.get("region"), what.startsWith("annotations") ? "eu" : undefined)
          span.attribute("mine", true)
          assert.isTrue(span.attributes.get("mine"))
          yield* TestClock.adjust(10)
          yield* settle
          assert.isTrue(Exit.isSuccess(ended(borrower)!))
          assert(span.status._tag === "Ended")
          assert.isTrue(Exit.isSuccess(span.status.exit))
          assert.strictEqual(span.status.endTime - span.status.startTime, what.endsWith("times") ? 0n : 10_000_000n)
        }).pipe(Effect.scoped)
      ))
  }

  it.effect("is the same where there is no tracer for who looks at it later", () =>
    Effect.gen(function*() {
      const acquire = Effect.tap(Effect.orDie(Effect.currentSpan), () => Effect.sleep(10))
      const pool = yield* Pool.make({ name: "app/Database", acquire, max: 2, min: 2 })
      yield* TestClock.adjust(10)
      const [first, second] = yield* Effect.scoped(Effect.all([Pool.get(pool), Pool.get(pool)]))
      assert(first !== undefined && second !== undefined && first.status._tag === "Ended")
      assert.isTrue(Exit.isSuccess(first.status.exit))
      assert.deepInclude(first.status, { startTime: 0n, endTime: 10_000_000n })
      const { annotations, kind, name, sampled } = first
      assert.deepStrictEqual({ kind, name, sampled }, { kind: "internal", name: "pool.create", sampled: true })
      assert.strictEqual(annotations.mapUnsafe.size, 0)
      assert.match(`${first.spanId} ${first.traceId}`, /^[0-9a-f]{16} [0-9a-f]{32}$/)
      assert.strictEqual(first.spanId, first.spanId)
      assert.notStrictEqual(first.spanId, second.spanId)
      assert.notStrictEqual(first.traceId, second.traceId)
      // as of any span that has ended
      first.attribute("late", true)
      first.event("late", 1n)
      first.addLinks([{ span: second, attributes: {} }])
      assert.isUndefined(first.attributes.get("late"))
    }))

  it.effect("is none where spans are switched off", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.exit(Effect.currentSpan), max: 1 })
      const span = yield* Pool.use(pool, Effect.succeed)
      assert(Exit.isSuccess(span))
      assert.strictEqual(span.value.spanId, "noop")
    }).pipe(Effect.withTracerEnabled(false)))
})

describe("pool.wait", () => {
  it.effect("is in the span of a borrower that has to wait; who need not wait has none", () => {
    const { named, only, traced } = tracing()
    return Effect.gen(function*() {
      const pool = yield* make({ name: "app/Database", min: 1 })
      const holder = yield* start(Effect.withSpan(hold(pool, 100), "holder"))
      assert.deepStrictEqual(named("pool.wait"), [])
      const waiter = yield* start(Effect.withSpan(hold(pool, 100), "waiter"))
      const wait = only("pool.wait")
      assert.strictEqual(parentOf(wait), "waiter")
      assert.strictEqual(wait.attributes.get("pool.name"), "app/Database")
      assert.strictEqual(wait.status._tag, "Started")
      yield* TestClock.adjust(100)
      assert.isTrue(Exit.isSuccess(exitOf(wait)))
      assert.deepStrictEqual(wait.status._tag === "Ended" && wait.status.endTime, 100_000_000n)
      yield* TestClock.adjust(100)
      yield* Fiber.joinAll([holder, waiter])
      assert.strictEqual(named("pool.wait").length, 1)
    }).pipe(traced)
  })

  it.effect("does not go around the body: what the body traces is beside it", () => {
    const { only, traced } = tracing()
    return Effect.gen(function*() {
      const pool = yield* make({ min: 1 })
      yield* start(hold(pool, 100))
      const body = Pool.use(pool, () => Effect.withSpan(Effect.void, "query"))
      const waiter = yield* start(Effect.withSpan(body, "waiter"))
      yield* TestClock.adjust(100)
      yield* Fiber.join(waiter)
      assert.strictEqual(parentOf(only("query")), "waiter")
    }).pipe(traced)
  })

  it.effect("is there for a borrow until the Scope closes, too, and for one that waits for a creation or a check", () => {
    const { named, traced } = tracing()
    return Effect.gen(function*() {
      const pool = yield* make({
        acquire: Effect.as(Effect.sleep(10), {}),
        healthCheck: () => Effect.as(Effect.sleep(10), true),
        healthAfterIdle: 0
      })
      const created = yield* start(Effect.scoped(Pool.get(pool)))
      yield* TestClock.adjust(10)
      yield* Fiber.join(created)
      assert.strictEqual(named("pool.wait").length, 1)
      const checked = yield* start(Effect.scoped(Pool.get(pool)))
      yield* TestClock.adjust(10)
      yield* Fiber.join(checked)
      assert.strictEqual(named("pool.wait").length, 2)
      for (const wait of named("pool.wait")) assert.isTrue(Exit.isSuccess(exitOf(wait)))
    }).pipe(traced)
  })

  it.effect("ends with the failure when the borrower gives up, or the pool closes", () => {
    const { named, traced } = tracing()
    return Effect.gen(function*() {
      const pool = yield* make({ min: 1 })
      yield* start(hold(pool, "1 hour"))
      const late = yield* start(Pool.use(pool, () => Effect.void, { timeout: 100 }))
      const refused = yield* start(Effect.scoped(Pool.get(pool)))
      yield* TestClock.adjust(100)
      yield* start(Pool.shutdown(pool))
      yield* settle
      assert.deepStrictEqual(named("pool.wait").map((span) => poolError(exitOf(span)).reason._tag), [
        "BorrowTimeout",
        "Closed"
      ])
      assert.strictEqual(poolError(ended(late)).reason._tag, "BorrowTimeout")
      assert.strictEqual(poolError(ended(refused)).reason._tag, "Closed")
    }).pipe(traced)
  })

  it.effect("ends with the interruption of the borrower", () => {
    const { named, traced } = tracing()
    return Effect.gen(function*() {
      const pool = yield* make({ min: 1 })
      yield* start(hold(pool, "1 hour"))
      const body = yield* start(Pool.use(pool, () => Effect.void))
      const scoped = yield* start(Effect.scoped(Pool.get(pool)))
      yield* Fiber.interruptAll([body, scoped])
      assert.strictEqual(named("pool.wait").length, 2)
      for (const wait of named("pool.wait")) assert.isTrue(Exit.hasInterrupts(exitOf(wait)))
    }).pipe(traced)
  })

  it.effect("leaves nothing behind for later borrowers, whether they are traced or not", () => {
    const { named, traced } = tracing()
    return Effect.gen(function*() {
      const pool = yield* make({ acquire: Effect.succeed("object") })
      for (const round of [true, false, true, false, false, true, false, false, false]) {
        const holder = yield* start(hold(pool, 100))
        const borrow = Pool.use(pool, Effect.succeed)
        const waiter = yield* start(round ? traced(borrow) : borrow)
        yield* TestClock.adjust(100)
        yield* Fiber.join(holder)
        assert.strictEqual(yield* Fiber.join(waiter), "object")
      }
      assert.strictEqual(named("pool.wait").length, 3)
    })
  })

  it.effect("is not traced where tracing is off", () => {
    const { named, traced } = tracing()
    return Effect.gen(function*() {
      const pool = yield* make({ min: 1 })
      yield* start(hold(pool, 100))
      const waiter = yield* start(Effect.withTracerEnabled(hold(pool, 0), false))
      yield* TestClock.adjust(100)
      yield* Fiber.join(waiter)
      assert.deepStrictEqual(named("pool.wait"), [])
    }).pipe(traced)
  })
})

describe("the holder", () => {
  const waits = {
    use: <A, E>(pool: Pool.Pool<A, E>) => hold(pool, "10 seconds"),
    get: <A, E>(pool: Pool.Pool<A, E>) => Effect.scoped(Effect.andThen(Pool.get(pool), Effect.sleep("10 seconds")))
  }

  for (const [name, borrow] of Object.entries(waits)) {
    for (const tracer of ["a tracer", "no tracer"]) {
      it.effect(`is told with the span around its borrow, also when it had waited itself (${name}, ${tracer})`, () => {
        const { only, traced } = tracing()
        const program = Effect.gen(function*() {
          const pool = yield* make({ name: "app/Database", min: 1 })
          yield* start(hold(pool, 100))
          const guilty = yield* start(Effect.withSpan(borrow(pool), "GET /report"))
          yield* TestClock.adjust(100)
          const late = yield* start(Pool.use(pool, () => Effect.void, { timeout: "1 second" }))
          yield* TestClock.adjust("1 second")
          yield* settle
          const error = poolError(ended(late))
          assert.strictEqual(
            error.message,
            "Pool \"app/Database\": no object within 1s (1 of 1 in use, 1 waiting, longest held 1s by fiber " +
              `#${guilty.id} in span "GET /report")`
          )
          const { objects } = yield* Pool.stats(pool)
          const holder = holderOf(ended(late))
          assert.deepStrictEqual(objects[0]!.holders, [holder])
          assert.strictEqual(holder.span, "GET /report")
          assert.strictEqual(holder.waiting, false)
          if (tracer === "a tracer") assert.strictEqual(holder.traceId, only("GET /report").traceId)
          else assert.isString(holder.traceId)
          yield* TestClock.adjust("10 seconds")
          yield* Fiber.join(guilty)
        })
        return tracer === "a tracer" ? traced(program) : program
      })
    }
  }

  it.effect("has no span where there is none around the borrow, even when the pool traced its wait", () => {
    const { traced } = tracing()
    return Effect.gen(function*() {
      const pool = yield* make({ min: 1 })
      yield* start(hold(pool, 100))
      const guilty = yield* start(hold(pool, "10 seconds"))
      yield* TestClock.adjust(100)
      const late = yield* start(Pool.use(pool, () => Effect.void, { timeout: 100 }))
      yield* TestClock.adjust(100)
      yield* settle
      const holder = holderOf(ended(late))
      assert.strictEqual(holder.fiber, guilty.id)
      assert.notProperty(holder, "span")
      assert.notProperty(holder, "traceId")
      assert.include(poolError(ended(late)).message, `by fiber #${guilty.id})`)
    }).pipe(traced)
  })

  it.effect("is told with the span that was around the borrow, not with one that the body opened", () =>
    Effect.gen(function*() {
      const pool = yield* make({ min: 1 })
      yield* start(
        Effect.withSpan(Pool.use(pool, () => Effect.withSpan(Effect.sleep("1 minute"), "inner")), "outer")
      )
      const { objects } = yield* Pool.stats(pool)
      assert.strictEqual(objects[0]!.holders[0]!.span, "outer")
    }))

  it.effect("has the trace of a span from elsewhere, which has no name", () =>
    Effect.gen(function*() {
      const pool = yield* make({ min: 1 })
      const remote = Tracer.externalSpan({ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" })
      yield* start(Effect.withParentSpan(hold(pool, "1 minute"), remote))
      const [holder] = (yield* Pool.stats(pool)).objects[0]!.holders
      assert.strictEqual(holder!.traceId, "0af7651916cd43dd8448eb211c80319c")
      assert.notProperty(holder, "span")
    }))

  it.effect("that had waited is the one in the warning and in the error when it is overdue and revoked", () => {
    const { entries, layer } = logs()
    const { traced } = tracing()
    return Effect.gen(function*() {
      const pool = yield* make({ name: "app/Database", min: 1, borrowWarning: "1 second", borrowLimit: "2 seconds" })
      yield* start(hold(pool, 500))
      const guilty = yield* start(Effect.withSpan(hold(pool, "1 hour"), "GET /report"))
      yield* TestClock.adjust(500)
      yield* TestClock.adjust("2 seconds")
      yield* settle
      const { reason } = poolError(ended(guilty))
      assert(reason._tag === "Revoked")
      assert.strictEqual(reason.holder.span, "GET /report")
      assert.strictEqual(entries.length, 2)
      for (const entry of entries) {
        assert.strictEqual(entry.level, "Warn")
        assert.include(entry.message, "in span \"GET /report\"")
        assert.strictEqual(entry.annotations["pool.name"], "app/Database")
      }
    }).pipe(traced, Effect.provide(layer))
  })
})

describe("through a proxy", () => {
  interface Connection {
    readonly query: (sql: string) => Effect.Effect<string>
    readonly slow: Effect.Effect<void>
  }

  class Database extends Proxy.Service<Database, Connection>()("app/Database") {}

  const layer = Database.layerPool({
    acquire: Effect.succeed({ query: (sql) => Effect.succeed(sql), slow: Effect.sleep("10 seconds") }),
    max: 1
  })

  const request = Effect.scoped(Effect.flatMap(Database, (db) => db.slow()))

  const query = Effect.scoped(Effect.flatMap(Database, (db) => db.query("select 1")))

  it.effect("the holder is told with the span around its first call, also when it had waited", () => {
    const { named, traced } = tracing()
    return Effect.gen(function*() {
      const first = yield* start(Effect.withSpan(request, "first"))
      const guilty = yield* start(Effect.withSpan(request, "GET /report"))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(first)
      const pool = yield* Database.pool
      const late = yield* start(Pool.use(pool, () => Effect.void, { timeout: "1 second" }))
      yield* TestClock.adjust("1 second")
      yield* settle
      const holder = holderOf(ended(late))
      assert.strictEqual(holder.span, "GET /report")
      assert.strictEqual(holder.traceId, named("GET /report")[0]!.traceId)
      assert.strictEqual(holder.fiber, guilty.id)
      assert.deepStrictEqual(named("pool.wait").map(parentOf), ["GET /report", undefined])
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(guilty)
    }).pipe(Effect.provide(layer), traced)
  })

  it.effect("a wait has a span, which ends with the interruption; a call that need not wait has none", () => {
    const { named, only, traced } = tracing()
    return Effect.gen(function*() {
      yield* Effect.withSpan(query, "calm")
      assert.deepStrictEqual(named("pool.wait"), [])
      const first = yield* start(request)
      const impatient = yield* start(Effect.withSpan(query, "impatient"))
      const wait = only("pool.wait")
      assert.strictEqual(parentOf(wait), "impatient")
      assert.strictEqual(wait.status._tag, "Started")
      yield* Fiber.interrupt(impatient)
      assert.isTrue(Exit.hasInterrupts(exitOf(wait)))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(first)
    }).pipe(Effect.provide(layer), traced)
  })

  it.effect("nested Scopes are warned of, and one unit of work is not", () => {
    const { entries, layer: logger } = logs()
    return Effect.gen(function*() {
      const nested = Effect.gen(function*() {
        const db = yield* Database
        yield* db.query("begin")
        yield* Effect.withSpan(query, "inner")
      })
      yield* Database.scoped(Effect.withSpan(nested, "outer"))
      assert.deepStrictEqual(entries, [])
      const stuck = yield* start(Effect.scoped(Effect.withSpan(nested, "outer")))
      assert.strictEqual(entries.length, 1)
      assert.include(entries[0]!.message, "in span \"inner\" waits for an object while it holds object 0")
      assert.include(entries[0]!.message, "in span \"outer\"")
      yield* Fiber.interrupt(stuck)
    }).pipe(Effect.provide(Layer.provideMerge(layer, logger)))
  })
})

describe("nested borrowing", () => {
  const nestedIn = <A, E>(pool: Pool.Pool<A, E>, options?: Pool.BorrowOptions) =>
    Effect.withSpan(
      Pool.use(pool, () => Effect.withSpan(Pool.use(pool, () => Effect.void, options), "audit")),
      "transfer"
    )

  it.effect("that must wait for a return is warned of once, with both spans", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const pool = yield* make({ name: "app/Database" })
      const fiber = yield* start(nestedIn(pool, { timeout: "5 seconds" }))
      const warning = {
        level: "Warn",
        message:
          `Pool "app/Database": fiber #${fiber.id} in span "audit" waits for an object while it holds object 0, ` +
          `borrowed by fiber #${fiber.id} in span "transfer": nested borrowing can lock up the pool`,
        annotations: { "pool.name": "app/Database" }
      }
      assert.deepStrictEqual(entries, [warning])
      const { objects } = yield* Pool.stats(pool)
      assert.isTrue(objects[0]!.holders[0]!.waiting)
      yield* TestClock.adjust("5 seconds")
      const { reason } = poolError(ended(fiber))
      assert(reason._tag === "BorrowTimeout")
      assert.deepStrictEqual(reason.holders.map(({ span, waiting }) => ({ span, waiting })), [
        { span: "transfer", waiting: true }
      ])
      assert.deepStrictEqual(entries, [warning])
    }).pipe(Effect.provide(layer))
  })

  it.effect("in one Scope is seen, too, from whatever fiber of it", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const pool = yield* make()
      const scope = yield* Scope.make()
      yield* Scope.provide(Effect.withSpan(Pool.get(pool), "first"), scope)
      const second = yield* start(Scope.provide(Effect.withSpan(Pool.get(pool), "second"), scope))
      assert.strictEqual(entries.length, 1)
      assert.include(entries[0]!.message, "in span \"first\"")
      assert.include(entries[0]!.message, "in span \"second\"")
      yield* Fiber.interrupt(second)
      assert.isFalse((yield* Pool.stats(pool)).objects[0]!.holders[0]!.waiting)
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is nothing to warn of while a place is free, is freed, or is about to serve", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      // an object is created for it
      const growing = yield* make({ max: 2, acquire: Effect.as(Effect.sleep(10), {}) })
      const grown = yield* start(nestedIn(growing))
      yield* TestClock.adjust(20)
      yield* Fiber.join(grown)
      // the place is free when a finalizer has ended
      const slow = yield* make({ max: 2, acquire: Effect.acquireRelease(Effect.succeed({}), () => Effect.sleep(10)) })
      const destroyed = Pool.use(slow, (object) => Pool.invalidate(slow, object))
      const beside = yield* start(Pool.use(slow, () => Effect.andThen(destroyed, Pool.use(slow, () => Effect.void))))
      assert.strictEqual((yield* Pool.stats(slow)).destroying, 1)
      assert.strictEqual((yield* Pool.stats(slow)).waiting, 1)
      yield* TestClock.adjust(10)
      yield* Fiber.join(beside)
      const closing = yield* start(Pool.shutdown(slow))
      yield* TestClock.adjust(10)
      yield* Fiber.join(closing)
      // suspended: it waits for `resume`
      const paused = yield* make({ min: 1 })
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Pool.get(paused)
        yield* Pool.suspend(paused)
        yield* Effect.exit(Pool.use(paused, () => Effect.void, { timeout: 0 }))
      }))
      assert.deepStrictEqual(entries.filter(({ message }) => message.includes("nested")), [])
    }).pipe(Effect.provide(layer))
  })

  it.effect("is nothing to warn of when others hold the objects", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const pool = yield* make()
      const other = yield* start(hold(pool, 100))
      const waiter = yield* start(hold(pool, 100))
      yield* TestClock.adjust(200)
      yield* Fiber.joinAll([other, waiter])
      assert.deepStrictEqual(entries, [])
    }).pipe(Effect.provide(layer))
  })

  it.effect("is warned of as late as it must wait for a return, and then once, however often it waits", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      let fails = false
      const pool = yield* Pool.make({
        acquire: Effect.suspend(() =>
          Effect.andThen(Effect.sleep(10), fails ? Effect.fail("down") : Effect.succeed({}))
        ),
        min: 0,
        max: 2
      })
      const nested = yield* start(nestedIn(pool, { timeout: "1 minute" }))
      yield* TestClock.adjust(10)
      // an object is being created for it
      assert.deepStrictEqual(entries, [])
      yield* Pool.resize(pool, { max: 1 })
      // and now no more
      assert.strictEqual(entries.length, 1)
      yield* Pool.suspend(pool)
      yield* Pool.resume(pool)
      yield* Pool.resize(pool, { max: 2 })
      fails = true
      yield* TestClock.adjust(10)
      yield* Pool.resize(pool, { max: 1 })
      assert.strictEqual(entries.filter(({ message }) => message.includes("nested")).length, 1)
      yield* Fiber.interrupt(nested)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is warned of for each borrower", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const pool = yield* make({ max: 2 })
      const nested = Effect.andThen(Effect.sleep(10), Pool.use(pool, () => Effect.void))
      const both = yield* Effect.all([start(Pool.use(pool, () => nested)), start(Pool.use(pool, () => nested))])
      yield* TestClock.adjust(10)
      assert.strictEqual(entries.length, 2)
      yield* Fiber.interruptAll(both)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is found among many holders, too, and shows in statistics at once", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const pool = yield* make({ max: 101, shutdownTimeout: 0 })
      yield* Effect.all(Array.from({ length: 100 }, () => start(hold(pool, "1 hour"))))
      const guilty = yield* start(nestedIn(pool))
      yield* start(Pool.use(pool, () => Effect.void))
      const { objects } = yield* Pool.stats(pool)
      const nested = objects.flatMap(({ holders }) => holders).filter(({ waiting }) => waiting)
      assert.deepStrictEqual(nested.map(({ fiber, span }) => ({ fiber, span })), [
        { fiber: guilty.id, span: "transfer" }
      ])
      yield* settle
      assert.strictEqual(entries.length, 1)
      assert.include(entries[0]!.message, "in span \"audit\"")
      assert.include(entries[0]!.message, "in span \"transfer\"")
      yield* Fiber.interrupt(guilty)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is not what a stranger does whose fiber has a number like the holder's", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const pool = yield* make({ max: 1, shutdownTimeout: 0 })
      const holder = yield* start(hold(pool, "1 hour"))
      const strangers: Array<number> = []
      for (let i = 0; i < 200; i++) strangers.push((yield* start(Pool.use(pool, () => Effect.void))).id - holder.id)
      assert.includeMembers(strangers.map((distance) => distance % 64), Array.from({ length: 64 }, (_, index) => index))
      yield* settle
      assert.deepStrictEqual(entries, [])
    }).pipe(Effect.provide(layer))
  })

  it.effect("that cannot wait is not warned of", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const pool = yield* make()
      yield* Effect.exit(nestedIn(pool, { timeout: 0 }))
      assert.deepStrictEqual(entries, [])
    }).pipe(Effect.provide(layer))
  })
})

describe("logs", () => {
  it.effect("are silent at Info and above in a healthy life", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const workshop = new Workshop()
      const pool = yield* Pool.make({
        acquire: workshop.after(10),
        min: 1,
        max: 3,
        idleTimeToLive: "10 seconds",
        timeToLive: "1 minute",
        maxUses: 5,
        healthCheck: () => Effect.succeed(true),
        healthInterval: "5 seconds",
        healthAfterIdle: 0,
        onBorrow: () => Effect.void,
        onReturn: () => Effect.void,
        describe: ({ id }) => id,
        borrowWarning: "1 minute",
        borrowLimit: "2 minutes"
      })
      const fibers = yield* Effect.all(Array.from({ length: 20 }, () => start(hold(pool, 100))))
      yield* TestClock.adjust("5 minutes")
      yield* Fiber.joinAll(fibers)
      const impatient = yield* start(hold(pool, 100))
      yield* Fiber.interrupt(impatient)
      yield* Pool.resize(pool, { max: 2 })
      yield* Pool.suspend(pool)
      yield* Pool.resume(pool)
      yield* Pool.evict(pool)
      yield* TestClock.adjust("5 minutes")
      valueOf(fibers[0]!)
      yield* Pool.shutdown(pool)
      assert.deepStrictEqual(entries.filter(({ level }) => level !== "Debug" && level !== "Trace"), [])
    }).pipe(Effect.provide(layer))
  })

  it.effect("name the pool, as a text and as an annotation, whatever went wrong", () => {
    const { entries, layer } = logs()
    return Effect.gen(function*() {
      const make = (options: Partial<Pool.Options<unknown, string>>) =>
        Pool.make({ name: "app/Database", acquire: Effect.succeed({}), min: 0, max: 1, ...options })
      const stubborn = Effect.acquireRelease(Effect.succeed({}), () => Effect.die("no"))
      for (
        const options of [
          { acquire: Effect.fail("down") },
          { acquire: stubborn, maxUses: 1 },
          { onBorrow: () => Effect.fail("borrow") },
          { onReturn: () => Effect.fail("return") },
          { healthCheck: () => Effect.fail("check"), healthAfterIdle: 0 },
          { describe: () => undefined as never }
        ]
      ) {
        const pool = yield* make(options)
        const body = Pool.use(pool, () => Pool.stats(pool), { timeout: 100 })
        const fibers = [yield* start(Effect.exit(body))]
        yield* settle
        fibers.push(yield* start(Effect.exit(body)))
        yield* TestClock.adjust(100)
        yield* Fiber.joinAll(fibers)
        yield* Pool.shutdown(pool)
        assert.isAtLeast(entries.length, 1, Object.keys(options)[0])
        for (const { annotations, level, message } of entries.splice(0)) {
          assert.strictEqual(level, "Warn")
          assert.match(message, /^Pool "app\/Database": /)
          assert.strictEqual(annotations["pool.name"], "app/Database")
        }
      }
    }).pipe(Effect.provide(layer))
  })
})

describe("the failure of a borrower", () => {
  it.effect("is one sentence that names the span, however it is printed", () =>
    Effect.gen(function*() {
      const pool = yield* make({ name: "app/Database", min: 1 })
      yield* start(Effect.withSpan(hold(pool, "1 hour"), "GET /report"))
      yield* TestClock.adjust("12300 millis")
      const late = yield* start(Pool.use(pool, () => Effect.void, { timeout: "5 seconds" }))
      yield* TestClock.adjust("5 seconds")
      const exit = ended(late)!
      assert(exit._tag === "Failure")
      assert.include(Cause.pretty(exit.cause), "longest held 17.3s by fiber #")
      assert.include(Cause.pretty(exit.cause), "in span \"GET /report\"")
      assert.include(String(poolError(exit)), "in span \"GET /report\"")
      assert.deepStrictEqual(holderOf(exit).heldFor, Duration.millis(17_300))
    }))
})
