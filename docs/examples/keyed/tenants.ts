/**
 * A database for each tenant, all on one server that bears twenty connections. `Database` is what the application knows;
 * which tenant's database stands behind it is decided at the edge, where a request comes in.
 */
import { Effect } from "effect"
import { Proxy } from "proxy-pattern-pool"
import { Address, connect, type ConnectError, type Connection } from "../bank/connection.ts"

export class Database extends Proxy.Service<Database, Connection, ConnectError>()("tenants/Database") {}

export class Tenants extends Proxy.KeyedService<Tenants, string>()("tenants/Tenants", Database) {
  static readonly layer = this.layerPool({
    acquire: (tenant) =>
      Effect.updateService(connect("tenants"), Address, (address) => ({ ...address, database: tenant })),
    max: 20, // of all tenants together: what the server bears
    maxPerKey: 5, // of one: no tenant has it all
    idleTimeToLive: "1 minute",
    healthCheck: (connection) => Effect.as(connection.ping, true),
    onReturn: (connection) => connection.reset,
    describe: (connection, tenant) => ({ pid: connection.pid, tenant })
  })
}
