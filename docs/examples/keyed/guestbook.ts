/** What the application does. It knows a `Database`, and nothing of tenants. */
import { Effect } from "effect"
import { Database } from "./tenants.ts"

/** Writes into the book and reads the last pages, on one connection. */
export const sign = Effect.fnUntraced(function*(guest: string) {
  const db = yield* Database
  yield* db.query("insert into book (guest) values ($1)", [guest])
  const pages = yield* db.query("select guest, current_database() as tenant from book order by page desc limit 3")
  return pages.map((page) => `${String(page["guest"])} at ${String(page["tenant"])}`)
}, Effect.scoped)

/** How many have signed. */
export const guests = Effect.gen(function*() {
  const db = yield* Database
  const [count] = yield* db.query("select count(*) as guests from book")
  return Number(count?.["guests"])
}).pipe(Effect.scoped)
