import { Context, Data, Effect, type Scope } from "effect"

export class QueryError extends Data.TaggedError("QueryError")<{ readonly sql: string }> {}
export class ConnectError extends Data.TaggedError("ConnectError")<{ readonly host: string }> {}
export class Tenant extends Context.Service<Tenant, { readonly name: string }>()("test/Tenant") {}
export class Clerk extends Context.Service<Clerk, { readonly open: boolean }>()("test/Clerk") {}

export interface Connection {
  readonly id: number
  readonly open: boolean
  query(sql: string): Effect.Effect<string, QueryError>
  asTenant(sql: string, times: number): Effect.Effect<string, QueryError, Tenant>
  ping(): Promise<boolean>
  add(a: number, b: number): number
}

/** A connection that is as good as any. */
export const connection: Connection = {
  id: 7,
  open: true,
  query: (sql) => Effect.succeed(sql),
  asTenant: (sql, times) => Effect.map(Tenant, (tenant) => `${tenant.name}: ${sql.repeat(times)}`),
  ping: () => Promise.resolve(true),
  add: (a, b) => a + b
}

export const connect: Effect.Effect<Connection, ConnectError, Scope.Scope | Tenant> = Effect.andThen(
  Effect.scope,
  Effect.as(Tenant, connection)
)
