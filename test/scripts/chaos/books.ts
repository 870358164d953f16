/**
 * The books of the bank. Beside the balances of the accounts the database keeps a ledger, by a trigger: which transaction
 * has changed which account by how much. Whatever happens, a transaction takes from one account what it gives to another
 * and does nothing else; one that was acknowledged is there, and one that did not come to its end is not. So the books
 * also tell when two borrowers had one connection, or one borrower a connection that another had not cleaned.
 */
import { Context, Effect, Layer } from "effect"
import { accountCount, openAccounts } from "../../../docs/examples/bank/ledger.ts"
import { Postgres } from "../../../docs/examples/bank/postgres.ts"
import { Violation } from "./violation.ts"

const opening = 1000 * accountCount

export class Books extends Context.Service<Books, {
  /** The transfer with this receipt was acknowledged by the database. */
  acknowledged(receipt: string): void
  /** The transfer with this receipt ended before the database was asked to commit it. */
  abandoned(receipt: string): void
  /** Are the books right, up to the oldest transaction that is still open? Tells how many transfers there are. */
  readonly check: Effect.Effect<number, Violation>
  /** The same when nobody moves money any more, account by account. */
  readonly close: Effect.Effect<number, Violation>
}>()("chaos/Books") {
  static readonly layer = Layer.effect(
    Books,
    Effect.gen(function*() {
      const postgres = yield* Postgres
      const ask = (sql: string) => Effect.map(postgres.query(sql), ([row]) => row ?? {})
      yield* Effect.orDie(Effect.andThen(openAccounts, Effect.forEach(tables, postgres.query)))

      let acknowledged: Array<string> = []
      let abandoned: Array<string> = []
      let from = "0"
      let transfers = 0

      const check = Effect.gen(function*() {
        const acks = acknowledged.slice()
        const nots = abandoned.slice()
        const books = yield* ask(`
          with now as (select pg_snapshot_xmin(pg_current_snapshot()) as oldest),
            transfers as (
              select count(*) as entries, sum(delta) as delta from ledger, now
              where xid >= '${from}' and xid < oldest group by xid
            )
          select oldest::text as until, (select sum(balance) from accounts)::int as balances,
            (select coalesce(sum(delta), 0) from ledger where xid >= '${from}')::int as moved,
            (select count(*) from transfers)::int as transfers,
            (select count(*) from transfers where entries <> 2 or delta <> 0)::int as wrong,
            (select count(*) from receipts where id in (${list(acks)}))::int as kept,
            (select count(*) from receipts where id in (${list(nots)}))::int as phantoms
          from now
        `)
        from = String(books["until"])
        transfers += Number(books["transfers"])
        // what was checked need not be checked again, nor remembered
        acknowledged = acknowledged.slice(acks.length)
        abandoned = abandoned.slice(nots.length)
        yield* ask(`delete from receipts where id in (${list(acks)})`)
        const { balances, kept, moved, phantoms, wrong } = books
        if (balances !== opening) return yield* new Violation({ what: `the balances are ${balances}, not ${opening}` })
        // that of what was checked before was nothing
        if (moved !== 0) return yield* new Violation({ what: `in the ledger ${moved} is moved that does not balance` })
        if (wrong !== 0) return yield* new Violation({ what: `${wrong} transactions are no transfers` })
        if (kept !== acks.length) {
          return yield* new Violation({ what: `of ${acks.length} acknowledged transfers ${kept} are there` })
        }
        if (phantoms !== 0) return yield* new Violation({ what: `${phantoms} transfers are there that never ended` })
        return transfers
      }).pipe(
        // while the server is down there is nobody to ask
        Effect.catchTag("QueryError", (error) => error.fatal ? Effect.succeed(transfers) : Effect.die(error))
      )
      const close = Effect.gen(function*() {
        const { wrong } = yield* Effect.orDie(ask(`
          select count(*)::int as wrong from accounts
          where balance <> 1000 + (select coalesce(sum(delta), 0) from ledger where account = id)
        `))
        if (wrong !== 0) return yield* new Violation({ what: `of ${wrong} accounts balance and ledger differ` })
        return yield* check
      })
      return {
        acknowledged: (receipt) => {
          acknowledged.push(receipt)
        },
        abandoned: (receipt) => {
          abandoned.push(receipt)
        },
        check,
        close
      }
    })
  )
}

const list = (ids: ReadonlyArray<string>) => ids.length === 0 ? "''" : ids.map((id) => `'${id}'`).join()

const tables = [
  "create table ledger (xid xid8, account int, delta int)",
  "create index on ledger (xid)",
  "create table receipts (id text primary key)",
  `create function enter() returns trigger language plpgsql as $$ begin
    insert into ledger values (pg_current_xact_id(), new.id, new.balance - old.balance);
    return null;
  end $$`,
  "create trigger enter after update on accounts for each row execute function enter()"
]
