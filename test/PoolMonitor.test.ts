import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Layer, Schema, Scope } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { KeyedPool, Pool } from "proxy-pattern-pool"
import * as PoolMonitor from "proxy-pattern-pool/PoolMonitor"
import type { Frame } from "../src/internal/monitor.ts"
import { serve } from "./observability/kit.ts"
import { hold, start } from "./utils.ts"

const get = (url: string): Effect.Effect<Response> => Effect.promise((signal) => fetch(url, { signal }))

interface Page {
  readonly response: Response
  /** The next frame, as the page gets it. */
  readonly next: Effect.Effect<Frame>
  /** The first frame for which this holds. */
  readonly until: (holds: (frame: Frame) => boolean) => Effect.Effect<Frame>
  readonly raw: Effect.Effect<string>
}

/** Follows the pools, as an open page does, until the Scope closes. */
const open = (url: string): Effect.Effect<Page, never, Scope.Scope> =>
  Effect.gen(function*() {
    const signal = yield* Effect.abortSignal
    const response = yield* Effect.promise(() => fetch(url, { signal }))
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ""
    const raw: Effect.Effect<string> = Effect.suspend(() => {
      const end = text.indexOf("\n\n")
      if (end === -1) {
        return Effect.flatMap(Effect.promise(() => reader.read()), ({ done, value }) => {
          assert.isFalse(done, "the stream goes on")
          text += value
          return raw
        })
      }
      const event = text.slice(0, end)
      text = text.slice(end + 2)
      return Effect.succeed(event)
    })
    const next = Effect.map(raw, (event): Frame => {
      assert.match(event, /^data: [^\r\n]*$/)
      return JSON.parse(event.slice("data: ".length))
    })
    const until = (holds: (frame: Frame) => boolean): Effect.Effect<Frame> =>
      next.pipe(
        Effect.filterOrElse(holds, () => until(holds)),
        Effect.timeout("10 seconds"),
        Effect.orDie
      )
    return { response, next, until, raw }
  })

/** The page of a monitor of its own. */
const monitor = Effect.gen(function*() {
  const address = yield* serve(PoolMonitor.layerHttp({ path: "/pools" }))
  return yield* open(`${address}/pools/events`)
})

class Unreachable extends Schema.TaggedError<Unreachable>()("Unreachable", { message: Schema.String }) {}

const named = (frame: Frame, name: string) => {
  const found = frame.pools.filter((pool) => pool.name === name)
  assert.strictEqual(found.length, 1, name)
  return found[0]!
}

const make = (options: Partial<Pool.Options<unknown>>) =>
  Pool.make<unknown, never, never>({ acquire: Effect.succeed({}), min: 0, max: 1, ...options })

describe("the page", () => {
  it.live("is one document that asks for nothing from elsewhere, in light and dark", () =>
    Effect.gen(function*() {
      const address = yield* serve(PoolMonitor.layerHttp({ path: "/pools" }))
      const response = yield* get(`${address}/pools`)
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.headers.get("content-type"), "text/html; charset=utf-8")
      assert.include(response.headers.get("content-security-policy")!, "default-src 'none'")
      assert.strictEqual(response.headers.get("cache-control"), "no-store")
      const text = yield* Effect.promise(() => response.text())
      assert.match(text, /^<!doctype html>/)
      assert.include(text, "prefers-color-scheme: dark")
      const addresses = text.match(/\b(?:https?:)?\/\/[\w.]+[^"' ]*/g) ?? []
      assert.deepStrictEqual(
        addresses.filter((address) => !address.startsWith("//") && !address.includes("w3.org")),
        []
      )
      assert.notMatch(
        text,
        /<(?:script|img|iframe)[^>]+src=|<link[^>]+href="(?!data:)|@import|innerHTML|document\.write/
      )
    }))

  it.live("is at /pool-monitor where nothing else is said, below a prefix, and at the root", () =>
    Effect.gen(function*() {
      const address = yield* serve(PoolMonitor.layerHttp())
      assert.strictEqual((yield* get(`${address}/pool-monitor`)).status, 200)
      assert.strictEqual((yield* get(`${address}/elsewhere`)).status, 404)
      const { response } = yield* open(`${address}/pool-monitor/events`)
      assert.strictEqual(response.headers.get("content-type"), "text/event-stream")

      const slash = yield* serve(PoolMonitor.layerHttp({ path: "/pools/" }))
      assert.strictEqual((yield* get(`${slash}/pools/`)).status, 200)
      assert.strictEqual((yield* open(`${slash}/pools/events`)).response.status, 200)

      const root = yield* serve(PoolMonitor.layerHttp({ path: "/" }))
      assert.strictEqual((yield* get(`${root}/`)).status, 200)
      assert.strictEqual((yield* open(`${root}/events`)).response.status, 200)
    }))

  it.live("does not keep the server from closing", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const address = yield* Scope.provide(serve(PoolMonitor.layerHttp({ path: "/pools" })), scope)
      const page = yield* open(`${address}/pools/events`)
      yield* page.next
      yield* Effect.timeout(Scope.close(scope, Exit.void), "5 seconds")
    }))

  it.live("ends with its layer, wherever it is served", () =>
    Effect.gen(function*() {
      const routes = PoolMonitor.layerHttp({ path: "/pools" }).pipe(Layer.provide(HttpServer.layerServices))
      const { dispose, handler } = HttpRouter.toWebHandler(routes, { disableLogger: true })
      const response = yield* Effect.promise(() => handler(new Request("http://localhost/pools/events")))
      const reader = response.body!.getReader()
      yield* Effect.promise(() => reader.read())
      yield* Effect.promise(dispose)
      assert.isTrue((yield* Effect.promise(() => reader.read())).done)
    }))
})

describe("what the page is told", () => {
  it.live("follows every open pool of the process: what is taken, who waits, who holds what", () =>
    Effect.gen(function*() {
      const page = yield* monitor
      const pool = yield* make({ name: "app/Follow", max: 2, borrowWarning: 50, describe: () => ({ port: 5432 }) })
      yield* make({ name: "app/Other", max: Infinity })
      const end = yield* Deferred.make<void>()
      const body = (name: string) => start(Effect.withSpan(Pool.use(pool, () => Deferred.await(end)), name))
      const first = yield* body("GET /first")
      yield* Effect.sleep(100)
      yield* body("GET /second")
      yield* body("GET /third")
      const full = yield* page.until(({ pools }) =>
        pools.some(({ name, waiting }) => name === "app/Follow" && waiting === 1)
      )
      const { rows, ...numbers } = named(full, "app/Follow")
      assert.deepInclude(numbers, {
        min: 0,
        max: 2,
        idle: 0,
        inUse: 2,
        checking: 0,
        creating: 0,
        destroying: 0,
        waiting: 1,
        suspended: false,
        closing: false,
        created: 2,
        createFailures: 0,
        borrowed: 2,
        more: 0
      })
      assert.deepStrictEqual(rows.map(({ holders, id, object, state }) => [id, state, object, holders[0]!.span]), [
        [0, "inUse", "{\"port\":5432}", "GET /first"],
        [1, "inUse", "{\"port\":5432}", "GET /second"]
      ])
      assert.strictEqual(rows[0]!.holders[0]!.fiber, first.id)
      assert.isTrue(rows[0]!.overdue)
      assert.isAbove(rows[0]!.heldFor!, rows[1]!.heldFor!)
      const other = named(full, "app/Other")
      assert.notProperty(other, "max")
      yield* Deferred.succeed(end, undefined)
      const calm = yield* page.until(({ pools }) => pools.some(({ idle, name }) => name === "app/Follow" && idle === 2))
      const after = named(calm, "app/Follow")
      assert.deepStrictEqual([after.inUse, after.waiting], [0, 0])
      assert.isAtLeast(after.wait.count, 1)
      assert.isNumber(after.wait.p50)
      assert.deepStrictEqual(
        after.rows.map(({ held, holders, overdue, uses }) => [held, holders, overdue, uses].flat()),
        [
          [0, false, 2],
          [0, false, 1]
        ]
      )
    }))

  it.live("is what stats and events say, and never an object itself", () =>
    Effect.gen(function*() {
      const page = yield* monitor
      const pool = yield* make({
        name: "app/Secret",
        acquire: Effect.succeed({ password: "hunter2", toJSON: () => "hunter2" }),
        min: 1,
        shutdownTimeout: 0
      })
      yield* hold(pool, 0)
      yield* Effect.forkChild(hold(pool, "1 minute"), { startImmediately: true })
      for (let count = 0; count < 2; count++) assert.notInclude(yield* page.raw, "hunter2")
    }))

  it.live("may have names with anything in them", () =>
    Effect.gen(function*() {
      const page = yield* monitor
      const names = [
        "say \"hi\"",
        "two\nlines\r\n\ndata: {}",
        "</script><script>alert(1)</script>",
        "\u2028",
        "",
        "日本"
      ]
      for (const name of names) {
        const pool = yield* make({ name, describe: () => name, shutdownTimeout: 0 })
        yield* Effect.forkChild(Effect.withSpan(hold(pool, "1 minute"), name), { startImmediately: true })
      }
      const frame = yield* page.until(({ pools }) => pools.some(({ name }) => name === "日本"))
      for (const name of names) {
        const [row] = named(frame, name).rows
        assert.strictEqual(row!.object, name)
        assert.strictEqual(row!.holders[0]!.span, name)
      }
    }))

  it.live("tells of pools that open and close while the page watches, and what happened in them", () =>
    Effect.gen(function*() {
      const page = yield* monitor
      assert.isFalse((yield* page.next).pools.some(({ name }) => name === "app/Short"))
      const end = yield* Deferred.make<void>()
      yield* Effect.forkChild(
        Effect.scoped(Effect.gen(function*() {
          const pool = yield* make({ name: "app/Short", min: 1 })
          yield* Effect.exit(Pool.use(pool, () => Effect.interrupt))
          yield* Deferred.await(end)
        })),
        { startImmediately: true }
      )
      const events: Array<Frame["events"][number]> = []
      const told = (frame: Frame) => {
        events.push(...frame.events.filter(({ pool }) => pool === "app/Short"))
        return frame
      }
      const there = yield* page.until((frame) => told(frame).pools.some(({ name }) => name === "app/Short"))
      assert.strictEqual(named(there, "app/Short").created, 2)
      yield* Deferred.succeed(end, undefined)
      yield* page.until((frame) => told(frame).pools.every(({ name }) => name !== "app/Short"))
      assert.deepStrictEqual(events.map(({ id, tag }) => [tag, id]), [
        ["Created", 0],
        ["Borrowed", 0],
        ["Returned", 0],
        ["Destroyed", 0],
        ["Created", 1],
        ["Destroyed", 1],
        ["Closed", undefined]
      ])
      assert.deepStrictEqual(events.filter(({ tag }) => tag === "Destroyed").map(({ text }) => text), [
        "failed",
        "shutdown"
      ])
    }))

  it.live("tells pools of one name apart, and one pool from frame to frame", () =>
    Effect.gen(function*() {
      const page = yield* monitor
      yield* make({ name: "app/Twin", max: 1 })
      yield* make({ name: "app/Twin", max: 2 })
      const twins = (frame: Frame) =>
        frame.pools.filter(({ name }) => name === "app/Twin").map(({ id, max }) => [id, max])
      const frame = yield* page.until((frame) => twins(frame).length === 2)
      const [[one, first], [other, second]] = twins(frame) as [[number, number], [number, number]]
      assert.notStrictEqual(one, other)
      assert.deepStrictEqual([first, second], [1, 2])
      assert.deepStrictEqual(twins(yield* page.next), twins(frame))
    }))

  it.live("lists 200 objects of a thousand, those held longest first, and says how many more there are", () =>
    Effect.gen(function*() {
      const page = yield* monitor
      const pool = yield* make({ name: "app/Large", min: 1000, max: 1000 })
      for (let count = 0; count < 300; count++) {
        yield* Pool.get(pool)
        if (count % 100 === 0) yield* Effect.sleep(5)
      }
      const frame = yield* page.until(({ pools }) =>
        pools.some(({ inUse, name }) => name === "app/Large" && inUse === 300)
      )
      const { idle, more, rows } = named(frame, "app/Large")
      assert.deepStrictEqual([idle, rows.length, more], [700, 200, 800])
      const held = rows.map(({ heldFor }) => heldFor!)
      assert.deepStrictEqual(held, held.toSorted((a, b) => b - a))
      assert.isTrue(rows.every(({ state }) => state === "inUse"))
    }))

  it.live("names some holders of a shared object, and says how many there are", () =>
    Effect.gen(function*() {
      const page = yield* monitor
      const pool = yield* make({ name: "app/Shared", concurrency: Infinity })
      for (let count = 0; count < 10; count++) yield* Pool.get(pool)
      const frame = yield* page.until(({ pools }) =>
        pools.some(({ inUse, name }) => name === "app/Shared" && inUse === 1)
      )
      const [row, ...others] = named(frame, "app/Shared").rows
      assert.deepStrictEqual(others, [])
      assert.deepStrictEqual([row!.holders.length, row!.held], [3, 10])
    }))

  it.live("keeps the last 100 events, and as many that are neither borrows nor returns", () =>
    Effect.gen(function*() {
      const page = yield* monitor
      yield* page.next
      const pool = yield* make({ name: "app/Busy" })
      for (let count = 0; count < 500; count++) yield* Pool.use(pool, () => Effect.void)
      const mine = (frame: Frame) => frame.events.filter(({ pool }) => pool === "app/Busy")
      const frame = yield* page.until((frame) => mine(frame).length > 0)
      const tags = mine(frame).map(({ tag }) => tag)
      assert.strictEqual(tags[0], "Created")
      assert.strictEqual(tags.filter((tag) => tag === "Borrowed" || tag === "Returned").length, 100)
      assert.strictEqual(mine(frame).at(-1)!.tag, "Returned")
    }))

  it.live("is told to each page, with what was kept before it was opened", () =>
    Effect.gen(function*() {
      const address = yield* serve(PoolMonitor.layerHttp({ path: "/pools" }))
      const url = `${address}/pools/events`
      const first = yield* open(url)
      yield* first.next
      const pool = yield* make({ name: "app/Kept" })
      yield* hold(pool, 0)
      yield* first.until(({ events }) => events.some(({ pool }) => pool === "app/Kept"))
      const second = yield* open(url)
      const frame = yield* second.next
      assert.deepStrictEqual(frame.events.filter(({ pool }) => pool === "app/Kept").map(({ tag }) => tag), [
        "Created",
        "Borrowed",
        "Returned"
      ])
      assert.strictEqual(frame.since, (yield* first.next).since)
    }))

  it.live("costs nothing before a page is open, and when it has been left", () =>
    Effect.gen(function*() {
      let described = 0
      const pool = yield* make({ name: "app/Free", describe: () => described++ })
      const address = yield* serve(PoolMonitor.layerHttp({ path: "/pools" }))
      yield* hold(pool, 0)
      assert.strictEqual(described, 0)
      yield* Effect.scoped(Effect.gen(function*() {
        const page = yield* open(`${address}/pools/events`)
        yield* page.next
        const before = described
        yield* hold(pool, 0)
        assert.isAbove(described, before)
      }))
      yield* Effect.sleep(200)
      const before = described
      yield* hold(pool, 0)
      yield* Effect.sleep(1200)
      assert.strictEqual(described, before)
    }))

  it.live("has the keys of a pool by key", () =>
    Effect.gen(function*() {
      const page = yield* monitor
      const pool = yield* KeyedPool.make({
        name: "app/Tenants",
        acquire: (key: string) => Effect.succeed(key),
        max: 7,
        minPerKey: 1
      })
      yield* KeyedPool.get(pool, "a")
      yield* KeyedPool.use(pool, "b", () => Effect.void)
      const frame = yield* page.until(({ pools }) =>
        pools.some(({ keys, name }) => name === "app/Tenants" && keys === 2)
      )
      const { idle, inUse, max, min, rows } = named(frame, "app/Tenants")
      assert.deepStrictEqual({ idle, inUse, max, min }, { idle: 1, inUse: 1, max: 7, min: 2 })
      assert.deepStrictEqual(rows.map(({ key, state }) => [key, state]), [["a", "inUse"], ["b", "idle"]])
    }))

  it.live("says what became of everything that went wrong", () =>
    Effect.gen(function*() {
      const page = yield* monitor
      let fails = true
      const pool = yield* Pool.make({
        name: "app/Trouble",
        acquire: Effect.suspend(() =>
          fails ? Effect.fail(new Unreachable({ message: "no route to host" })) : Effect.succeed({})
        ),
        min: 0,
        max: 1,
        maxWaiting: 0,
        borrowLimit: 50
      })
      yield* Effect.exit(hold(pool, 0))
      fails = false
      yield* Effect.sleep(100)
      const slow = yield* start(Effect.withSpan(Effect.exit(hold(pool, "1 minute")), "GET /slow"))
      yield* Effect.exit(hold(pool, 0))
      yield* Pool.resize(pool, { max: 2 })
      yield* Effect.sleep(100)
      const events: Array<string> = []
      yield* page.until((frame) => {
        for (const { pool, tag, text } of frame.events) if (pool === "app/Trouble") events.push(`${tag}: ${text}`)
        return events.some((event) => event.startsWith("Destroyed"))
      })
      assert.includeMembers(events, [
        "CreateFailed: Unreachable: no route to host",
        "Rejected: ",
        "Resized: min 0, max 2",
        "Destroyed: revoked"
      ])
      assert.match(
        events.find((event) => event.startsWith("Revoked"))!,
        new RegExp(`^Revoked: held \\d+ms by fiber #${slow.id} in span "GET /slow"$`)
      )
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(hold(pool, Duration.zero))))
    }))
})
