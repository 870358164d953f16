/**
 * How the pool is doing, as JSON. Asking the tag for its pool borrows nothing, so this answers while all others wait.
 */
import { Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Pool } from "proxy-pattern-pool"
import { Database } from "./database.ts"

export const status = HttpRouter.add(
  "GET",
  "/status",
  Database.pool.pipe(
    Effect.flatMap(Pool.stats),
    Effect.flatMap(HttpServerResponse.schemaJson(Pool.Stats))
  )
)
