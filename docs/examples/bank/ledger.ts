/**
 * The accounts as the administrator sees them: opened before the bank does, and counted when it has closed. Whatever
 * happens in between, no money comes or goes.
 */
import { Effect } from "effect"
import { Postgres } from "./postgres.ts"

/** Accounts have the numbers 1 to this. */
export const accountCount = 100

export const openAccounts = Effect.gen(function*() {
  const postgres = yield* Postgres
  yield* postgres.query("create table accounts (id int primary key, balance int not null check (balance >= 0))")
  yield* postgres.query(`insert into accounts select id, 1000 from generate_series(1, ${accountCount}) as id`)
})

export const sumOfBalances = Effect.gen(function*() {
  const postgres = yield* Postgres
  const [row] = yield* postgres.query("select sum(balance)::int as sum from accounts")
  return Number(row?.sum)
})
