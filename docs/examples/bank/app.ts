/**
 * The application: routes that know a tag only, what their failures look like to a client, and at the very end, once
 * for all of them, the pool behind the tag.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Schedule } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import type { PoolError } from "proxy-pattern-pool"
import { accounts } from "./accounts.ts"
import { connect, type ConnectError, type QueryError } from "./connection.ts"
import { Database } from "./database.ts"
import { status } from "./status.ts"
import { transfers } from "./transfers.ts"

/** There was no connection to be had, or it was lost on the way: not the client's fault. */
const unavailable = HttpRouter.middleware<{ handles: PoolError.PoolError | ConnectError | QueryError }>()((handler) =>
  handler.pipe(
    Effect.catchTag(
      ["PoolError", "ConnectError", "QueryError"],
      (error) => Effect.succeed(HttpServerResponse.text(error.message, { status: 503 }))
    )
  )
)

const routes = Layer.mergeAll(accounts, transfers, status).pipe(Layer.provide(unavailable.layer))

const database = Database.layerPool({
  acquire: connect("bank"),
  max: 10,
  borrowTimeout: "5 seconds",
  createRetry: Schedule.spaced("250 millis"),
  // old connections make room for new ones, a few at a time
  timeToLive: "2 seconds",
  jitter: 0.25,
  // whoever holds a connection for so long has forgotten it
  borrowLimit: "500 millis",
  hookTimeout: "1 second",
  onReturn: (connection) => connection.reset,
  healthCheck: (connection) => Effect.as(connection.ping, true),
  healthInterval: "1 second",
  healthAfterIdle: "500 millis",
  describe: (connection) => ({ pid: connection.pid })
})

export const app = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
  Layer.provideMerge(database)
)
