/**
 * Borrowers of every kind, beside the bank's own clients: each does one thing after the other, at random, thinks a
 * little in between, and changes its mind now and then in the midst of it.
 */
import { Effect, Option, Random } from "effect"
import { Pool } from "proxy-pattern-pool"
import type { Connection } from "../../../docs/examples/bank/connection.ts"
import { Database } from "../../../docs/examples/bank/database.ts"
import { accountCount } from "../../../docs/examples/bank/ledger.ts"
import { Books } from "./books.ts"
import { Conduct } from "./conduct.ts"

/** Connections that were seen lately, whatever has become of them. */
export const recent: Array<Connection> = []

const meet = (connection: Connection) => {
  recent.push(connection)
  if (recent.length > 20) recent.shift()
}

let receipts = 0

const someTime = Random.nextIntBetween(0, 30)

const work = Effect.fnUntraced(function*(connection: Connection) {
  const { alone } = yield* Conduct
  meet(connection)
  yield* alone(connection, Effect.delay(connection.query("select 1"), yield* someTime))
})

const get = Effect.gen(function*() {
  const pool = yield* Database.pool
  const { punctual } = yield* Conduct
  const timeout = yield* Random.nextIntBetween(0, 3000)
  const connection = yield* punctual(timeout, () => Pool.get(pool, { timeout }))
  yield* work(connection)
}).pipe(Effect.scoped)

const use = Effect.gen(function*() {
  const pool = yield* Database.pool
  const { punctual } = yield* Conduct
  const timeout = yield* Random.nextIntBetween(0, 3000)
  yield* punctual(
    timeout,
    (arrived) => Pool.use(pool, (connection) => Effect.andThen(arrived, work(connection)), { timeout })
  )
})

const poll = Effect.gen(function*() {
  const connection = yield* Pool.poll(yield* Database.pool)
  if (Option.isSome(connection)) yield* work(connection.value)
}).pipe(Effect.scoped)

const callOnce = Effect.flatMap(Database.perCall, (db) => db.query("select 1"))

/** The fibers of one Scope have one connection. */
const share = Effect.gen(function*() {
  const db = yield* Database
  const pids = yield* Effect.all([db.pid(), db.pid(), db.pid()], { concurrency: "unbounded" })
  yield* db.query("select 1")
  if (new Set(pids).size !== 1) return yield* Effect.die(`one Scope has several connections: ${pids}`)
}).pipe(Effect.scoped)

/** Moves one from an account to another, with a receipt. */
const transfer = Effect.gen(function*() {
  const { abandoned, acknowledged } = yield* Books
  const from = yield* Random.nextIntBetween(1, accountCount - 1)
  const to = yield* Random.nextIntBetween(from + 1, accountCount)
  const receipt = `r${receipts++}`
  let asked = false
  yield* Effect.gen(function*() {
    const db = yield* Database
    yield* db.query("begin")
    const [payer] = yield* db.query(
      "select balance from accounts where id in ($1, $2) order by id for update",
      [from, to]
    )
    if (Number(payer?.["balance"]) === 0) return
    yield* db.query("update accounts set balance = balance - 1 where id = $1", [from])
    // half done: some think again, some are not there any more
    if ((yield* Random.nextIntBetween(1, 10)) === 1) return yield* Effect.interrupt
    yield* Effect.sleep(yield* Random.nextIntBetween(0, 5))
    yield* Effect.scoped(db.query("update accounts set balance = balance + 1 where id = $1", [to]))
    yield* db.query("insert into receipts values ($1)", [receipt])
    asked = true
    yield* db.query("commit")
    acknowledged(receipt)
  }).pipe(
    Database.scoped,
    Effect.ensuring(Effect.sync(() => {
      if (!asked) abandoned(receipt)
    }))
  )
})

type Action = readonly [name: string, effect: Effect.Effect<unknown, unknown, Books | Conduct | Database>]

const actions: readonly [Action, ...ReadonlyArray<Action>] = [
  ["get", get],
  ["use", use],
  ["poll", poll],
  ["callOnce", callOnce],
  ["share", share],
  ["transfer", transfer],
  ["transfer", transfer]
]

/** One thing, which every seventh time is given up in the midst of it. */
const act = Effect.gen(function*() {
  const { attempt } = yield* Conduct
  const [name, effect] = yield* Random.choice(actions)
  const action = attempt(name, effect)
  if ((yield* Random.nextIntBetween(1, 7)) > 1) return yield* action
  const patience = yield* Random.nextIntBetween(0, 150)
  return Option.getOrElse(yield* Effect.timeoutOption(action, patience), () => true)
})

const agent = (seed: string) =>
  act.pipe(
    Effect.tap(Effect.flatMap(someTime, Effect.sleep)),
    Effect.repeat({ while: (open) => open }),
    Random.withSeed(seed)
  )

/** So many at once, until the pool closes. */
export const agents = (seed: number, count: number) =>
  Effect.forEach(Array.from({ length: count }, (_, i) => agent(`${seed}/${i}`)), (agent) => agent, {
    concurrency: "unbounded",
    discard: true
  })
