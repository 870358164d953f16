/**
 * Reading accounts. A handler asks the tag for the database and uses it: the first query borrows a connection for the
 * Scope of the request, and it goes back to the pool when the response is on its way. Nobody returns anything by hand.
 */
import { Array, Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { QueryError } from "./connection.ts"
import { Database } from "./database.ts"

const AccountParams = Schema.Struct({ id: Schema.FiniteFromString.check(Schema.isInt()) })
const ReportParams = Schema.Struct({ seconds: Schema.FiniteFromString })

/** A lost connection serves nobody else. The pool would find out by itself, but the holder is the first to know. */
const invalidateIfLost = (error: unknown) =>
  error instanceof QueryError && error.fatal ? Database.invalidate : Effect.void

const read = Effect.gen(function*() {
  const { id } = yield* HttpRouter.schemaPathParams(AccountParams)
  const db = yield* Database
  const rows = yield* db.query("select id, balance from accounts where id = $1", [id])
  const account = yield* Effect.fromOption(Array.head(rows)) // none: 404
  return yield* HttpServerResponse.json(account)
}).pipe(Effect.tapError(invalidateIfLost))

/**
 * A report that is worked out at leisure. One that takes longer than the pool's `borrowLimit` has its connection taken
 * away, and its caller is told. Of one whose caller has hung up, the pool checks the connection before it is lent again.
 */
const report = Effect.gen(function*() {
  const { seconds } = yield* HttpRouter.schemaParams(ReportParams)
  const db = yield* Database
  const rows = yield* db.query("select sum(balance)::int as total, pg_sleep($1)::text from accounts", [seconds])
  return yield* HttpServerResponse.json(rows)
}).pipe(Effect.tapError(invalidateIfLost))

export const accounts = Layer.mergeAll(
  HttpRouter.add("GET", "/accounts/:id", read),
  HttpRouter.add("GET", "/report", report)
)
