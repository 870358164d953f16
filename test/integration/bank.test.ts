import { NodeServices } from "@effect/platform-node"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Fiber, FileSystem, Layer, Path, Schema, Stream } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpServer } from "effect/http"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { TestClock } from "effect/testing"
import { Pool } from "proxy-pattern-pool"
import { app } from "../../docs/examples/bank/app.ts"
import { Address, connect } from "../../docs/examples/bank/connection.ts"
import { Database } from "../../docs/examples/bank/database.ts"
import { openAccounts, sumOfBalances } from "../../docs/examples/bank/ledger.ts"
import { Postgres } from "../../docs/examples/bank/postgres.ts"

const server = Postgres.layer.pipe(Layer.provide(NodeServices.layer))

layer(server, { timeout: "60 seconds" })("the bank's connection", (it) => {
  it.effect("is gone at the server when its Scope has closed", () =>
    Effect.gen(function*() {
      const postgres = yield* Postgres
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* connect("test")
        assert.deepStrictEqual(yield* connection.query("select $1::int as one", [1]), [{ one: 1 }])
        assert.strictEqual(yield* postgres.backends, 1)
      }))
      assert.strictEqual(yield* postgres.backends, 0)
    }))

  it.effect("is gone at the server when its Scope has closed, also while a query runs", () =>
    Effect.gen(function*() {
      const postgres = yield* Postgres
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* connect("test")
        const query = yield* Effect.forkChild(connection.query("select pg_sleep(60)"), { startImmediately: true })
        yield* Effect.repeat(postgres.query(`select state from pg_stat_activity where pid = ${connection.pid}`), {
          until: ([row]) => row?.state === "active"
        })
        yield* Fiber.interrupt(query)
      }))
      assert.strictEqual(yield* postgres.backends, 0)
    }))

  it.effect("is lost when its backend is terminated, and says so whatever is asked of it", () =>
    Effect.gen(function*() {
      const postgres = yield* Postgres
      const connection = yield* connect("test")
      const query = yield* Effect.forkChild(connection.query("select pg_sleep(60)"), { startImmediately: true })
      assert.strictEqual(yield* postgres.terminateBackends, 1)
      assert.isTrue((yield* Effect.flip(Fiber.join(query))).fatal)
      assert.isTrue((yield* Effect.flip(connection.ping)).fatal)
      assert.isTrue((yield* Effect.flip(connection.reset)).fatal)
    }))

  it.effect("survives a query that the server refuses", () =>
    Effect.gen(function*() {
      const connection = yield* connect("test")
      const error = yield* Effect.flip(connection.query("select nonsense"))
      assert.isFalse(error.fatal)
      assert.strictEqual(error.message, "select nonsense: column \"nonsense\" does not exist")
      yield* connection.reset
      yield* connection.ping
    }))

  it.effect("is reset to no transaction, also after a query whose answer nobody waited for", () =>
    Effect.gen(function*() {
      const connection = yield* connect("test")
      yield* connection.query("begin")
      yield* connection.query("create table left_open ()")
      yield* connection.reset
      assert.deepStrictEqual(yield* connection.query("select to_regclass('left_open') as name"), [{ name: null }])

      const begin = yield* Effect.forkChild(connection.query("begin"), { startImmediately: true })
      yield* Fiber.interrupt(begin)
      yield* connection.reset
      yield* connection.query("create table kept ()")
      yield* connection.reset
      assert.deepStrictEqual(yield* connection.query("select to_regclass('kept') as name"), [{ name: "kept" }])
    }))

  it.effect("cannot be had where nobody listens", () =>
    Effect.gen(function*() {
      const address = yield* Address
      const error = yield* connect("test").pipe(Effect.provideService(Address, { ...address, port: 1 }), Effect.flip)
      assert.strictEqual(error._tag, "ConnectError")
      assert.include(error.message, "ECONNREFUSED")
    }))
})

const bank = Layer.effectDiscard(openAccounts).pipe(
  Layer.provideMerge(app),
  Layer.provideMerge(server),
  Layer.provideMerge(FetchHttpClient.layer)
)

const ask = Effect.fnUntraced(function*(request: HttpClientRequest.HttpClientRequest) {
  const { address } = yield* HttpServer.HttpServer
  const response = yield* HttpClient.execute(HttpClientRequest.prependUrl(request, HttpServer.formatAddress(address)))
  return { status: response.status, body: yield* response.text }
})

const get = (path: string) => ask(HttpClientRequest.get(path))

const transfer = (body: unknown) => ask(HttpClientRequest.bodyJsonUnsafe(HttpClientRequest.post("/transfers"), body))

const balance = Effect.fnUntraced(function*(id: number) {
  const { body } = yield* get(`/accounts/${id}`)
  return JSON.parse(body).balance
})

layer(bank, { timeout: "60 seconds" })("the bank", (it) => {
  it.effect("moves money from one account to another", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* transfer({ from: 1, to: 2, amount: 10 })).status, 204)
      assert.strictEqual(yield* balance(1), 990)
      assert.strictEqual(yield* balance(2), 1010)
    }))

  it.effect("moves nothing when a transfer is declined", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* transfer({ from: 3, to: 4, amount: 1001 }), {
        status: 409,
        body: `{"declined":"insufficient funds"}`
      })
      assert.strictEqual((yield* transfer({ from: 3, to: 3, amount: 1 })).status, 409)
      assert.strictEqual((yield* transfer({ from: 3, to: 1000, amount: 1 })).status, 409)
      assert.strictEqual(yield* balance(3), 1000)
      assert.strictEqual(yield* balance(4), 1000)
    }))

  it.effect("refuses what it does not understand", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* transfer({ from: 5, to: 6, amount: -1 })).status, 400)
      assert.strictEqual((yield* transfer({ from: 5 })).status, 400)
      assert.strictEqual((yield* get("/accounts/x")).status, 400)
      assert.strictEqual((yield* get("/accounts/1000")).status, 404)
    }))

  it.effect("keeps the sum of balances when many transfer at once", () =>
    Effect.gen(function*() {
      const before = yield* sumOfBalances
      const transfers = Array.from({ length: 200 }, (_, n) =>
        transfer({ from: 10 + n % 5, to: 10 + n % 7, amount: 1 + n }))
      yield* Effect.all(transfers, { concurrency: "unbounded", discard: true })
      assert.strictEqual(yield* sumOfBalances, before)
    }))

  it.effect("tells how its pool is doing, and has everything back in it after its answers", () =>
    Effect.gen(function*() {
      yield* get("/accounts/1")
      const stats = yield* get("/status").pipe(
        Effect.flatMap(({ body }) => Schema.decodeEffect(Schema.fromJsonString(Schema.toCodecJson(Pool.Stats)))(body)),
        Effect.repeat({ until: ({ inUse }) => inUse === 0 })
      )
      assert.strictEqual(stats.name, "bank/Database")
      assert.strictEqual(stats.max, 10)
      assert.strictEqual(stats.borrowed, stats.returned)
    }))

  it.effect("takes a connection away from a report that takes too long, and tells the client", () =>
    Effect.gen(function*() {
      const postgres = yield* Postgres
      const pool = yield* Database.pool
      const reporting = yield* Effect.forkChild(get("/report?seconds=60"))
      yield* Effect.repeat(postgres.query("select from pg_stat_activity where wait_event = 'PgSleep'"), {
        until: (rows) => rows.length === 1
      })
      yield* TestClock.adjust("500 millis")
      assert.strictEqual((yield* Fiber.join(reporting)).status, 503)
      const { destroyed } = yield* Effect.repeat(Effect.andThen(get("/status"), Pool.stats(pool)), {
        until: ({ destroying }) => destroying === 0
      })
      assert.strictEqual(destroyed.revoked, 1)
    }))

  it.effect("answers 503 to those whose connection is lost, and serves the next", () =>
    Effect.gen(function*() {
      const postgres = yield* Postgres
      const reporting = yield* Effect.forkChild(get("/report?seconds=60"))
      yield* Effect.repeat(postgres.query("select from pg_stat_activity where wait_event = 'PgSleep'"), {
        until: (rows) => rows.length === 1
      })
      yield* postgres.terminateBackends
      assert.strictEqual((yield* Fiber.join(reporting)).status, 503)
      yield* Effect.repeat(get("/accounts/1"), { until: ({ status }) => status === 200 })
    }))
})

describe("the demo", () => {
  const root = new URL("../../", import.meta.url)

  /** Runs the demo with a temporary folder of its own, which is empty when it has left nothing behind. */
  const demo = Effect.fnUntraced(function*(...args: ReadonlyArray<string>) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "demo-" })
    yield* fs.chmod(folder, 0o755) // the server may run as another user
    const handle = yield* ChildProcess.make(process.execPath, [
      "--import",
      "tsx",
      "docs/examples/bank/demo.ts",
      ...args
    ], {
      cwd: yield* path.fromFileUrl(root),
      env: { TMPDIR: folder },
      extendEnv: true
    })
    const isClean = Effect.gen(function*() {
      const left = yield* fs.readDirectory(folder)
      assert.deepStrictEqual(left.filter((name) => !name.startsWith("tsx-")), [])
      const processes = yield* ChildProcessSpawner.ChildProcessSpawner.use((_) =>
        _.string(ChildProcess.make("ps", ["-eo", "args"]))
      )
      assert.notInclude(processes, folder)
    })
    return { handle, lines: handle.stdout.pipe(Stream.decodeText(), Stream.splitLines), isClean }
  })

  it.effect("succeeds, shows its table, and leaves nothing behind", () =>
    Effect.gen(function*() {
      const { handle, isClean, lines } = yield* demo("--seconds", "3", "--clients", "50")
      const output = yield* Stream.runCollect(lines)
      assert.strictEqual(yield* handle.exitCode, 0, output.join("\n"))
      assert.isAtLeast(output.filter((line) => /^\s+\d\.\d s\s+\d+ req\/s/.test(line)).length, 2)
      assert.lengthOf(output.filter((line) => line.startsWith("  ok  ")), 5)
      yield* isClean
    }).pipe(Effect.provide(NodeServices.layer)), 60_000)

  it.effect("ends cleanly on Ctrl-C, which its server hears too", () =>
    Effect.gen(function*() {
      const { handle, isClean, lines } = yield* demo()
      yield* Stream.runForEach(lines, (line) =>
        // a negative number is a group of processes, as the foreground of a terminal is
        /req\/s/.test(line) ? Effect.sync(() => process.kill(-handle.pid, "SIGINT")) : Effect.void)
      assert.strictEqual(yield* handle.exitCode, 130)
      yield* isClean
    }).pipe(Effect.provide(NodeServices.layer)), 60_000)

  it.effect("explains itself", () =>
    Effect.gen(function*() {
      const { handle, isClean, lines } = yield* demo("--help")
      const output = (yield* Stream.runCollect(lines)).join("\n")
      assert.include(output, "--seconds")
      assert.include(output, "--clients")
      assert.strictEqual(yield* handle.exitCode, 0)
      yield* isClean
    }).pipe(Effect.provide(NodeServices.layer)), 60_000)
})
