/**
 * The database, as every other module knows it: a tag. Importing it opens nothing and configures nothing, so that any
 * module may do so, in any order. `app.ts` decides what stands behind it.
 */
import { Proxy } from "proxy-pattern-pool"
import type { ConnectError, Connection } from "./connection.ts"

export class Database extends Proxy.Service<Database, Connection, ConnectError>()("bank/Database") {}
