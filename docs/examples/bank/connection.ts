/**
 * What the pool lends: a PostgreSQL connection of `pg` in the clothes of Effect. It has a Scope (closing waits until
 * the server has closed its side of the socket, so that a connection that is gone here is gone there too), typed errors
 * that say whether the connection is lost, and the two small things a pool likes to ask: `ping` and `reset`.
 */
import { Context, Deferred, Effect, Latch, Schema } from "effect"
import { Client, type ClientConfig, DatabaseError } from "pg"

/** Where the server is, and who we are. */
export class Address extends Context.Service<Address, ClientConfig>()("bank/Address") {}

export type Row = Readonly<Record<string, unknown>>

export interface Connection {
  /** The process that serves this connection at the other end. */
  readonly pid: number
  query(sql: string, params?: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<Row>, QueryError>
  /** One round trip to the server. */
  readonly ping: Effect.Effect<void, QueryError>
  /** Ends a transaction that was left open. Fails when the connection is lost, and costs nothing when all is well. */
  readonly reset: Effect.Effect<void, QueryError>
}

export class ConnectError extends Schema.TaggedError<ConnectError>()("ConnectError", {
  cause: Schema.Defect()
}) {
  override get message() {
    return `cannot connect: ${reasonOf(this.cause)}`
  }
}

export class QueryError extends Schema.TaggedError<QueryError>()("QueryError", {
  sql: Schema.String,
  /** The connection is lost: whatever is asked of it from now on fails as well. */
  fatal: Schema.Boolean,
  cause: Schema.Defect()
}) {
  override get message() {
    return `${this.sql}: ${reasonOf(this.cause)}`
  }
}

/** Opens a connection, which is closed with the Scope. */
export const connect = Effect.fnUntraced(function*(name: string) {
  const address = yield* Address
  const client = yield* Effect.acquireRelease(Effect.sync(() => dial({ ...address, application_name: name })), hangUp)
  yield* Deferred.await(client.connected)

  const query = (sql: string, params: ReadonlyArray<unknown> = []) =>
    Effect.callback<ReadonlyArray<Row>, QueryError>((resume) => {
      client.running++
      client.pg.query<Row>(sql, [...params], (error, result) => {
        client.running--
        if (!error) return resume(Effect.succeed(result.rows))
        client.lost ||= isFatal(error)
        resume(Effect.fail(new QueryError({ sql, fatal: client.lost, cause: error })))
      })
    })

  // Whoever was interrupted has left a query running: its answer, and what it does to the transaction, are yet to come.
  const isClean = () => !client.lost && client.running === 0 && client.pg.getTransactionStatus() === "I"

  const [self] = yield* query("select pg_backend_pid() as pid").pipe(
    Effect.mapError((cause) => new ConnectError({ cause }))
  )
  const connection: Connection = {
    pid: Number(self?.pid),
    query,
    ping: Effect.asVoid(query("select 1")),
    reset: Effect.suspend(() => isClean() ? Effect.void : Effect.asVoid(query("rollback")))
  }
  return connection
})

const dial = (config: ClientConfig) => {
  // The server looks twenty times a second whether anybody still waits for the answer it works on.
  const client = new Client({ ...config, options: "-c client_connection_check_interval=50" })
  const connected = Deferred.makeUnsafe<void, ConnectError>()
  const closed = Latch.makeUnsafe()
  const state = { pg: client, connected, closed, running: 0, lost: false }
  // When its backend dies, an idle client says so by an event, which ends the process if nobody listens.
  client.on("error", () => {
    state.lost = true
  })
  client.once("end", () => {
    closed.openUnsafe()
  })
  client.connect((error: Error | null) => {
    Deferred.doneUnsafe(connected, error ? Effect.fail(new ConnectError({ cause: error })) : Effect.void)
  })
  return state
}

/**
 * `client.end()` would drop the socket of a client that is busy, while its backend works on. This says goodbye, closes
 * our half only, and waits for the other: the server closes it when the backend has ended.
 */
const hangUp = (client: ReturnType<typeof dial>) =>
  Effect.suspend(() => {
    client.pg.connection.end()
    return client.closed.await
  })

/** The server shuts down or throws us out (57P), or the trouble is with the socket, not with what we asked. */
const isFatal = (error: Error) =>
  !(error instanceof DatabaseError) || error.code === undefined || /^(08|57P)/.test(error.code)

const reasonOf = (cause: unknown) => cause instanceof Error ? cause.message : String(cause)
