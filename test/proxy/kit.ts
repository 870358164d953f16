/** What the tests of this folder share: connections to a server that remembers what became of them, and their proxy. */
import { Cause, Data, Effect, Exit, Scope, Stream } from "effect"
import type { PoolError } from "proxy-pattern-pool"
import { Pool, Proxy } from "proxy-pattern-pool"

export class ConnectError extends Data.TaggedError("ConnectError")<{ readonly attempt: number }> {}

export class QueryError extends Data.TaggedError("QueryError")<{ readonly sql: string }> {}

export interface Connection {
  readonly id: number
  /** Done at once. */
  query(sql: string): Effect.Effect<string, QueryError>
  /** Takes a while. */
  slow(millis: number): Effect.Effect<number, QueryError>
  /** Never ends. */
  readonly hang: Effect.Effect<never>
  ping(): Promise<number>
  add(a: number, b: number): number
  /** A defect. */
  burst(): number
  rows(count: number): Stream.Stream<number>
}

export class Database extends Proxy.Service<Database, Connection, ConnectError>()("app/Database") {}

/** Makes connections, numbered in the order of their creation. */
export class Server {
  readonly opened: Array<number> = []
  readonly closed: Array<number> = []
  /** What was called, as `id:name`. */
  readonly calls: Array<string> = []
  /** How the holders ended, as `id:Success`: what `onReturn` saw. */
  readonly returned: Array<string> = []

  get alive(): number {
    return this.opened.length - this.closed.length
  }

  private connection(id: number): Connection {
    const called = (name: string): void => {
      this.calls.push(`${id}:${name}`)
    }
    return {
      id,
      query(sql) {
        called(sql)
        return sql === "wrong" ? Effect.fail(new QueryError({ sql })) : Effect.succeed(`${id}:${sql}`)
      },
      slow(millis) {
        return Effect.as(Effect.andThen(Effect.sync(() => called("slow")), Effect.sleep(millis)), id)
      },
      get hang() {
        return Effect.andThen(Effect.sync(() => called("hang")), Effect.never)
      },
      ping() {
        called("ping")
        return Promise.resolve(id)
      },
      add(a, b) {
        called("add")
        return a + b
      },
      burst() {
        called("burst")
        throw new Error("it burst")
      },
      rows(count) {
        called("rows")
        return count === 0 ? Stream.empty : Stream.range(1, count)
      }
    }
  }

  private readonly open: Effect.Effect<Connection, never, Scope.Scope> = Effect.suspend(() => {
    const id = this.opened.length
    this.opened.push(id)
    return Effect.as(Effect.addFinalizer(() => Effect.sync(() => this.closed.push(id))), this.connection(id))
  })

  /** Connects at once. */
  readonly connect: Effect.Effect<Connection, ConnectError, Scope.Scope> = Effect.uninterruptible(this.open)

  /** Connects after a while. */
  connectAfter(millis: number): Effect.Effect<Connection, ConnectError, Scope.Scope> {
    return Effect.andThen(Effect.sleep(millis), this.connect)
  }

  readonly onReturn = (connection: Connection, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
    Effect.sync(() => {
      this.returned.push(`${connection.id}:${kindOf(exit)}`)
    })
}

const kindOf = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit) ? "Success" : Cause.hasInterrupts(exit.cause) ? "Interrupt" : Exit.hasDies(exit) ? "Die" : "Fail"

/** The statistics of the pool behind the tag. */
export const stats: Effect.Effect<Pool.Stats, never, Database> = Effect.flatMap(Database.pool, Pool.stats)

/** How many objects are lent now. */
export const inUse: Effect.Effect<number, never, Database> = Effect.map(stats, (stats) => stats.inUse)

/** The id of the object that this Scope holds, borrowed on first need. */
export const id: Effect.Effect<number, ConnectError | PoolError.PoolError, Database | Scope.Scope> = Effect.flatMap(
  Database,
  (db) => db.id()
)

/** A Scope that the test closes when it likes. */
export const openScope = Effect.map(Scope.make(), (scope) => ({
  scope,
  /** Runs in the Scope. */
  run: <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Scope.Scope>> =>
    Scope.provide(effect, scope),
  close: (exit: Exit.Exit<unknown, unknown> = Exit.void) => Scope.close(scope, exit)
}))

/** Objects and borrows as the pool sees them, in short. */
export const summary: Effect.Effect<string, never, Database> = Effect.map(
  stats,
  ({ borrowed, idle, inUse, returned, waiting }) =>
    `${idle} idle, ${inUse} in use, ${waiting} waiting, ${borrowed - returned} held`
)
