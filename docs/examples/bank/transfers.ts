/**
 * Moving money: one transaction, one connection. `Database.scoped` is the unit of work: whatever runs inside, in nested
 * Scopes too, uses the same connection, and the next transfer gets it when the unit ends.
 */
import { Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { QueryError } from "./connection.ts"
import { Database } from "./database.ts"

class Transfer extends Schema.Class<Transfer>("Transfer")({
  from: Schema.Int,
  to: Schema.Int,
  amount: Schema.Int.check(Schema.isGreaterThan(0))
}) {}

class Declined extends Schema.TaggedError<Declined>()("Declined", {
  reason: Schema.Literals(["unknown account", "same account", "insufficient funds"])
}) {}

/** Commits if the body succeeds, rolls back otherwise, and gives up a connection that was lost. */
const transaction = <A, E, R>(body: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const db = yield* Database
    yield* db.query("begin")
    const result = yield* body.pipe(Effect.onError(() => Effect.ignore(db.query("rollback"))))
    yield* db.query("commit")
    return result
  }).pipe(
    Effect.tapError((error) => error instanceof QueryError && error.fatal ? Database.invalidate : Effect.void),
    Database.scoped
  )

const move = Effect.fnUntraced(function*({ amount, from, to }: Transfer) {
  if (from === to) return yield* new Declined({ reason: "same account" })
  const db = yield* Database
  // Both rows are locked in the order of their ids, so that two transfers never wait for each other.
  const rows = yield* db.query(
    "select id, balance from accounts where id in ($1, $2) order by id for update",
    [from, to]
  )
  if (rows.length < 2) return yield* new Declined({ reason: "unknown account" })
  const payer = rows.find((row) => row.id === from)
  if (Number(payer?.balance) < amount) return yield* new Declined({ reason: "insufficient funds" })
  yield* db.query("update accounts set balance = balance - $1 where id = $2", [amount, from])
  yield* db.query("update accounts set balance = balance + $1 where id = $2", [amount, to])
}, transaction)

export const transfers = HttpRouter.add(
  "POST",
  "/transfers",
  HttpServerRequest.schemaBodyJson(Transfer).pipe(
    Effect.flatMap(move),
    Effect.as(HttpServerResponse.empty()),
    Effect.catchTag("Declined", ({ reason }) => HttpServerResponse.json({ declined: reason }, { status: 409 }))
  )
)
