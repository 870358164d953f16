/** A real PostgreSQL server with a database for each of fifty tenants. It refuses the twenty-second connection. */
import { NodeServices } from "@effect/platform-node"
import { Array, Effect, Layer } from "effect"
import { Address, connect } from "../bank/connection.ts"
import { Postgres } from "../bank/postgres.ts"

export const tenants = Array.makeBy(50, (index) => `tenant_${index + 1}`)

const createDatabases = Effect.gen(function*() {
  const postgres = yield* Postgres
  yield* postgres.query("create database template_tenant")
  yield* Effect.flatMap(
    connect("setup"),
    (template) => template.query("create table book (page serial primary key, guest text not null)")
  ).pipe(
    Effect.updateService(Address, (address) => ({ ...address, database: "template_tenant" })),
    Effect.scoped
  )
  yield* Effect.forEach(
    tenants,
    (tenant) => postgres.query(`create database ${tenant} template template_tenant`),
    { discard: true }
  )
})

/** Twenty connections for the tenants, one for the administrator. */
export const server = Layer.effectDiscard(createDatabases).pipe(
  Layer.provideMerge(Postgres.layerOf(20 + 1)),
  Layer.provide(NodeServices.layer)
)
