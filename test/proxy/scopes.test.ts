import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Pool } from "proxy-pattern-pool"
import { defectOf, ended, reasonOf, settle, start, valueOf } from "../utils.ts"
import { ConnectError, Database, id, inUse, openScope, Server, stats, summary } from "./kit.ts"

const closedScope = "Pool \"app/Database\": cannot borrow in a Scope that is closed"

describe("one object for one Scope", () => {
  it.effect("fibers that share a Scope share its object, also when they ask at the same moment", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const ids = yield* Effect.scoped(Effect.all([id, id, id, id], { concurrency: "unbounded" })).pipe(start)
      yield* settle
      assert.strictEqual(yield* summary, "0 idle, 0 in use, 1 waiting, 0 held")
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(valueOf(ids), [0, 0, 0, 0])
      const { borrowed, created, returned } = yield* stats
      assert.deepStrictEqual([created, borrowed, returned], [1, 1, 1])
    }).pipe(Effect.provide(Database.layerPool({ acquire: server.connectAfter(100), max: 5, min: 0 })))
  })

  it.effect("Scopes at the same time have objects of their own, nested ones too", () =>
    Effect.gen(function*() {
      const nested = Effect.scoped(Effect.all([id, Effect.scoped(id), Effect.scoped(id), id]))
      assert.deepStrictEqual(yield* nested, [0, 1, 1, 0])
      const [a, b] = [yield* openScope, yield* openScope]
      const ids = [yield* a.run(id), yield* b.run(id), yield* a.run(id)]
      assert.strictEqual(ids[0], ids[2])
      assert.notStrictEqual(ids[0], ids[1])
      yield* a.close()
      assert.strictEqual(yield* inUse, 1)
      yield* b.close()
      assert.strictEqual(yield* inUse, 0)
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connect, max: 2 }))))

  it.effect("a nested Scope waits for an object of its own, and its own Scope's keeps it out where there is but one", () =>
    Effect.gen(function*() {
      const nested = Effect.scoped(Effect.andThen(id, Effect.scoped(id)))
      const fiber = yield* start(nested)
      yield* TestClock.adjust("29999 millis")
      assert.isUndefined(ended(fiber))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(reasonOf(ended(fiber)), "BorrowTimeout")
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connect, max: 1 }))))

  it.effect("a Scope that is closed by hand holds until then, whichever fibers came and went", () =>
    Effect.gen(function*() {
      const { close, run } = yield* openScope
      yield* Fiber.join(yield* Effect.forkChild(run(id)))
      assert.strictEqual(yield* inUse, 1)
      assert.isTrue(yield* run(Database.isHeld))
      yield* close()
      assert.strictEqual(yield* inUse, 0)
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connect, max: 1 }))))
})

describe("the pending borrow belongs to the Scope", () => {
  it.effect("it goes on when its first caller leaves, and serves those who still wait", () =>
    Effect.gen(function*() {
      const { close, run } = yield* openScope
      const first = yield* start(run(id))
      const second = yield* start(run(id))
      yield* Fiber.interrupt(first)
      assert.strictEqual((yield* stats).waiting, 1)
      yield* TestClock.adjust(100)
      assert.strictEqual(valueOf(second), 0)
      assert.strictEqual((yield* stats).cancelled, 0)
      yield* close()
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connectAfter(100), max: 1, min: 0 }))))

  it.effect("it is cancelled when its last caller leaves, while another Scope waits on", () =>
    Effect.gen(function*() {
      const a = yield* openScope
      const b = yield* openScope
      const callers = [yield* start(a.run(id)), yield* start(a.run(id))]
      const other = yield* start(b.run(id))
      assert.strictEqual((yield* stats).waiting, 2)
      yield* Fiber.interruptAll(callers)
      const { cancelled, waiting } = yield* stats
      assert.deepStrictEqual([cancelled, waiting], [1, 1])
      yield* TestClock.adjust(100)
      assert.strictEqual(valueOf(other), 0)
      yield* b.close()
      assert.isFalse(yield* a.run(Database.isHeld))
      assert.strictEqual(yield* a.run(id), 0, "the next call starts afresh")
      yield* a.close()
      assert.strictEqual(yield* summary, "1 idle, 0 in use, 0 waiting, 0 held")
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connectAfter(100), max: 1, min: 0 }))))

  it.effect("it keeps its place in the queue whoever of its callers leaves", () =>
    Effect.gen(function*() {
      const holder = yield* openScope
      yield* holder.run(id)
      const order: Array<string> = []
      const ask = (name: string, scope: Effect.Success<typeof openScope>) =>
        start(Effect.andThen(scope.run(id), Effect.sync(() => order.push(name))))
      const [a, b] = [yield* openScope, yield* openScope]
      const first = yield* ask("first of a", a)
      yield* ask("b", b)
      yield* ask("second of a", a)
      yield* Fiber.interrupt(first)
      yield* holder.close()
      yield* settle
      assert.deepStrictEqual(order, ["second of a"])
      yield* a.close()
      yield* settle
      assert.deepStrictEqual(order, ["second of a", "b"])
      yield* b.close()
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connect, max: 1 }))))

  it.effect("a failure reaches all its callers, and the next call starts afresh", () => {
    let attempts = 0
    const connect = Effect.suspend(() => {
      const attempt = attempts++
      return Effect.andThen(
        Effect.sleep(100),
        attempt === 0 ? Effect.fail(new ConnectError({ attempt })) : server.connect
      )
    })
    const server = new Server()
    return Effect.gen(function*() {
      const { close, run } = yield* openScope
      const callers = yield* Effect.forEach([1, 2, 3], () => start(run(Effect.flip(id))))
      yield* TestClock.adjust(100)
      for (const caller of callers) assert.instanceOf(valueOf(caller), ConnectError)
      const again = yield* start(run(id))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(valueOf(again), 0)
      yield* close()
    }).pipe(Effect.provide(Database.layerPool({ acquire: connect, max: 1, min: 0 })))
  })

  it.effect("BorrowTimeout and QueueFull too", () =>
    Effect.gen(function*() {
      const holder = yield* openScope
      yield* holder.run(id)
      const [a, b] = [yield* openScope, yield* openScope]
      const callers = yield* Effect.forEach([1, 2], () => start(Effect.exit(a.run(id))))
      const refused = yield* Effect.exit(b.run(id))
      assert.strictEqual(reasonOf(refused), "QueueFull")
      yield* TestClock.adjust("1 second")
      for (const caller of callers) assert.strictEqual(reasonOf(valueOf(caller)), "BorrowTimeout")
      assert.strictEqual((yield* stats).timeouts, 1)
      const again = yield* start(b.run(id))
      yield* holder.close()
      yield* settle
      assert.strictEqual(valueOf(again), 0)
      yield* b.close()
    }).pipe(Effect.provide(Database.layerPool({
      acquire: new Server().connect,
      max: 1,
      maxWaiting: 1,
      borrowTimeout: "1 second"
    }))))

  it.effect("a defect of acquire reaches them as a defect", () =>
    Effect.gen(function*() {
      const { run } = yield* openScope
      const callers = yield* Effect.forEach([1, 2], () => start(Effect.exit(run(id))))
      yield* TestClock.adjust(10)
      for (const caller of callers) assert.strictEqual(defectOf(valueOf(caller)), "no server")
    }).pipe(Effect.provide(Database.layerPool({
      acquire: Effect.andThen(Effect.sleep(10), Effect.die(new Error("no server"))),
      max: 1,
      min: 0
    }))))

  it.effect("a Scope that closes while its callers wait is a defect for them, and touches no object", () =>
    Effect.gen(function*() {
      const { close, run } = yield* openScope
      const callers = yield* Effect.forEach([1, 2], () => start(Effect.exit(run(id))))
      yield* close()
      yield* settle
      for (const caller of callers) assert.strictEqual(defectOf(valueOf(caller)), closedScope)
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* summary, "1 idle, 0 in use, 0 waiting, 0 held")
      assert.strictEqual((yield* stats).borrowed, 0)
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connectAfter(100), max: 1, min: 0 }))))

  it.effect("callers in a long-lived Scope that come to nothing leave nothing behind in it", () =>
    Effect.gen(function*() {
      const holder = yield* openScope
      yield* holder.run(id)
      const { close, run, scope } = yield* openScope
      for (let i = 0; i < 5; i++) {
        const failing = yield* start(Effect.exit(run(id)))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(reasonOf(valueOf(failing)), "BorrowTimeout")
        const leaving = yield* start(run(id))
        yield* Fiber.interrupt(leaving)
      }
      assert.strictEqual(scope.state._tag, "Empty")
      yield* close()
      yield* holder.close()
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connect, max: 1, borrowTimeout: "1 second" }))))
})

describe("the lease is a finalizer added at the first call", () => {
  it.effect("finalizers added earlier run after the object is back, those added later before", () => {
    const seen: Array<string> = []
    const see = (name: string) =>
      Effect.addFinalizer(() => Effect.map(inUse, (inUse) => seen.push(`${name}: ${inUse} in use`)))
    return Effect.gen(function*() {
      yield* Effect.gen(function*() {
        const db = yield* Database
        yield* see("earlier")
        yield* db.query("x")
        yield* see("later")
      }).pipe(Effect.scoped)
      assert.deepStrictEqual(seen, ["later: 1 in use", "earlier: 0 in use"])
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connect, max: 1 })))
  })

  it.effect("what is acquired through the proxy can be released through it", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const transaction = Effect.acquireRelease(db.query("begin"), () => Effect.orDie(db.query("rollback")))
      const work = Effect.scoped(Effect.andThen(transaction, db.query("work")))
      assert.strictEqual(yield* work, "0:work")
      assert.deepStrictEqual(server.calls, ["0:begin", "0:work", "0:rollback"])
      const held = Effect.acquireRelease(db.query("begin"), () => Effect.asVoid(Database.isHeld))
      yield* Effect.scoped(held)
      assert.strictEqual(yield* inUse, 0)
    }).pipe(Effect.provide(Database.layerPool({ acquire: server.connect, max: 1 })))
  })

  it.effect("the end of the Scope waits for onReturn, which sees how the Scope ended, and not for finalizers", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const ends = [
        Effect.void,
        Effect.fail("no"),
        Effect.die("dead"),
        Effect.interrupt
      ]
      for (const end of ends) {
        const fiber = yield* start(Effect.exit(Effect.scoped(Effect.andThen(id, end))))
        yield* settle
        assert.isUndefined(ended(fiber), "it waits for the hook")
        yield* TestClock.adjust(10)
        assert.isDefined(ended(fiber))
      }
      assert.deepStrictEqual(server.returned, ["0:Success", "0:Fail", "0:Die", "0:Interrupt"])
      assert.strictEqual((yield* stats).destroyed.failed, 0, "between calls nothing is hit")
    }).pipe(Effect.provide(Database.layerPool({
      acquire: server.connect,
      max: 1,
      onReturn: (connection, exit) => Effect.andThen(Effect.sleep(10), server.onReturn(connection, exit))
    })))
  })

  it.effect("an onReturn that fails destroys the object, and the Scope ends as it would", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Effect.scoped(id), 0)
      assert.strictEqual(yield* Effect.scoped(id), 1)
      const { destroyed, hookFailures } = yield* stats
      assert.deepStrictEqual([destroyed.failed, hookFailures], [2, 2])
    }).pipe(
      Effect.provide(Database.layerPool({ acquire: new Server().connect, max: 1, onReturn: () => Effect.fail("no") }))
    ))
})

describe("a call in flight when its Scope closes", () => {
  it.effect("the Scope does not wait; nobody is lent the object before the call ends, and it is suspect then", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const { close, run } = yield* openScope
      const call = yield* start(run(db.slow(1000)))
      yield* close()
      assert.strictEqual(yield* summary, "0 idle, 1 in use, 0 waiting, 1 held")
      const next = yield* start(Effect.scoped(id))
      yield* TestClock.adjust(999)
      assert.isUndefined(ended(next))
      yield* TestClock.adjust(1)
      assert.strictEqual(valueOf(call), 0, "it ends as it would")
      assert.strictEqual(valueOf(next), 1)
      assert.strictEqual((yield* stats).destroyed.failed, 1)
    }).pipe(Effect.provide(Database.layerPool({ acquire: server.connect, max: 1 })))
  })

  it.effect("it is checked where there is a check, and onReturn sees how the Scope ended", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const { close, run } = yield* openScope
      const calls = [yield* start(run(db.slow(1000))), yield* start(run(db.slow(2000)))]
      yield* close(Exit.fail("no"))
      yield* TestClock.adjust(1000)
      assert.strictEqual(valueOf(calls[0]), 0)
      assert.strictEqual(yield* inUse, 1, "the last call counts")
      yield* TestClock.adjust(1000)
      const { destroyed, healthChecks, idle } = yield* stats
      assert.deepStrictEqual([destroyed.failed, healthChecks, idle], [0, 1, 1])
      assert.deepStrictEqual(server.returned, ["0:Fail"])
    }).pipe(Effect.provide(Database.layerPool({
      acquire: server.connect,
      max: 1,
      onReturn: server.onReturn,
      healthCheck: () => Effect.succeed(true)
    })))
  })

  it.effect("a promise counts too", () => {
    const server = new Server()
    let resolve: (n: number) => void = () => {}
    return Effect.gen(function*() {
      const db = yield* Database
      const { close, run } = yield* openScope
      const call = yield* start(run(db.ping()))
      yield* close()
      assert.strictEqual(yield* inUse, 1)
      resolve(7)
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      assert.strictEqual(valueOf(call), 7)
      assert.strictEqual(yield* inUse, 0)
    }).pipe(Effect.provide(Database.layerPool({
      acquire: Effect.map(server.connect, (connection) => ({
        ...connection,
        hang: Effect.never,
        ping: () => new Promise<number>((yes) => resolve = yes)
      })),
      max: 1
    })))
  })

  it.effect("a call that begins later is a defect, before and after the object is back", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const { close, run } = yield* openScope
      const call = yield* start(run(db.slow(1000)))
      yield* close()
      assert.strictEqual(defectOf(yield* Effect.exit(run(db.query("late")))), closedScope)
      assert.strictEqual(defectOf(yield* Effect.exit(run(Database.object))), closedScope)
      assert.isFalse(yield* run(Database.isHeld))
      yield* run(Database.invalidate)
      yield* TestClock.adjust(1000)
      assert.strictEqual(valueOf(call), 0)
      assert.strictEqual(defectOf(yield* Effect.exit(run(db.query("late")))), closedScope)
      assert.deepStrictEqual(server.calls, ["0:slow"])
    }).pipe(Effect.provide(Database.layerPool({ acquire: server.connect, max: 1 })))
  })

  it.effect("the first call in a closed Scope is one, also of a closed pool", () =>
    Effect.gen(function*() {
      const { close, run } = yield* openScope
      yield* close()
      assert.strictEqual(defectOf(yield* Effect.exit(run(id))), closedScope)
      yield* Effect.flatMap(Database.pool, Pool.shutdown)
      assert.strictEqual(defectOf(yield* Effect.exit(run(id))), closedScope)
      assert.strictEqual((yield* stats).borrowed, 0)
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connect, max: 1, name: "app/Database" }))))

  it.effect("a child that is interrupted with its parent ends its call before the Scope goes", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      const parent = yield* start(Effect.scoped(Effect.andThen(Effect.forkScoped(db.hang()), Effect.never)))
      yield* settle
      yield* Fiber.interrupt(parent)
      assert.strictEqual(yield* inUse, 0)
      assert.strictEqual((yield* stats).destroyed.failed, 1)
    }).pipe(Effect.provide(Database.layerPool({ acquire: server.connect, max: 1 })))
  })

  it.effect("of calls at the same time one that is interrupted hits the object, the others go on", () => {
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      yield* Effect.gen(function*() {
        const hanging = yield* start(db.hang())
        const slow = yield* start(db.slow(100))
        yield* Fiber.interrupt(hanging)
        assert.strictEqual(yield* db.add(1, 2), 3)
        yield* TestClock.adjust(100)
        assert.strictEqual(valueOf(slow), 0)
        assert.strictEqual((yield* stats).destroyed.failed, 0)
      }).pipe(Effect.scoped)
      assert.strictEqual((yield* stats).destroyed.failed, 1)
    }).pipe(Effect.provide(Database.layerPool({ acquire: server.connect, max: 1 })))
  })
})

describe("what a call waits for", () => {
  it.effect("onBorrow and a check run once for the Scope, before its first call", () => {
    const log: Array<string> = []
    const server = new Server()
    return Effect.gen(function*() {
      const db = yield* Database
      yield* Effect.scoped(db.query("warm"))
      log.length = 0
      yield* TestClock.adjust("1 second")
      yield* Effect.scoped(Effect.all([db.query("a"), db.query("b")]))
      assert.deepStrictEqual(log, ["check", "borrow"])
    }).pipe(Effect.provide(Database.layerPool({
      acquire: server.connect,
      max: 1,
      healthAfterIdle: "1 second",
      healthCheck: () => Effect.sync(() => log.push("check") > 0),
      onBorrow: () => Effect.sync(() => log.push("borrow"))
    })))
  })

  it.effect("callers of a Scope whose object is being prepared leave it when the last of them leaves", () => {
    const server = new Server()
    const blocked = Deferred.makeUnsafe<void>()
    return Effect.gen(function*() {
      const { close, run } = yield* openScope
      const callers = [yield* start(run(id)), yield* start(run(id))]
      assert.strictEqual(yield* summary, "0 idle, 1 in use, 1 waiting, 0 held")
      yield* Fiber.interrupt(callers[0])
      assert.strictEqual((yield* stats).waiting, 1)
      yield* Fiber.interrupt(callers[1])
      yield* settle
      const { cancelled, destroyed, waiting } = yield* stats
      assert.deepStrictEqual([cancelled, waiting, destroyed.failed], [1, 0, 1], "the hook was interrupted")
      yield* Deferred.succeed(blocked, undefined)
      assert.strictEqual(yield* run(id), 1)
      yield* close()
    }).pipe(Effect.provide(Database.layerPool({
      acquire: server.connect,
      max: 1,
      onBorrow: () => Deferred.await(blocked)
    })))
  })

  it.effect("a Scope whose object expired between two borrows of it gets another", () => {
    const server = new Server()
    return Effect.gen(function*() {
      assert.strictEqual(yield* Effect.scoped(id), 0)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Effect.scoped(id), 1)
      const kept = Effect.scoped(Effect.all([id, Effect.as(TestClock.adjust("2 minutes"), 0), id]))
      assert.deepStrictEqual(yield* kept, [1, 0, 1], "a borrowed object never expires under its holder")
    }).pipe(Effect.provide(Database.layerPool({ acquire: server.connect, max: 1, timeToLive: "1 minute", jitter: 0 })))
  })
})

describe("finalizers in parallel", () => {
  it.effect("the object goes back once", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make("parallel")
      yield* Scope.provide(Effect.addFinalizer(() => Effect.sleep(10)), scope)
      yield* Scope.provide(id, scope)
      const closing = yield* start(Scope.close(scope, Exit.void))
      yield* settle
      assert.strictEqual(yield* summary, "1 idle, 0 in use, 0 waiting, 0 held")
      yield* TestClock.adjust(10)
      yield* Fiber.join(closing)
    }).pipe(Effect.provide(Database.layerPool({ acquire: new Server().connect, max: 1 }))))
})
