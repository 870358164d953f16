/** How borrowers behave, and what they must not meet whatever happens. */
import { Cause, Clock, Context, Effect, Exit, Layer } from "effect"
import { PoolError } from "proxy-pattern-pool"
import { type Connection, QueryError } from "../../../docs/examples/bank/connection.ts"
import { Lateness } from "./lateness.ts"
import { Violation } from "./violation.ts"

export class Conduct extends Context.Service<Conduct, {
  /** Waits no longer than the timeout until `arrived` is run, or until it ends. */
  punctual<A, E, R>(
    timeout: number,
    borrow: (arrived: Effect.Effect<void>) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R>
  /** Nobody else does anything with this connection meanwhile, and nobody has left a transaction open. */
  alone<A, E, R>(connection: Connection, body: Effect.Effect<A, E, R>): Effect.Effect<A, E | QueryError, R>
  /** May fail as things do that depend on a network; anything else is a violation. Tells whether the pool is open. */
  attempt<A, E, R>(what: string, effect: Effect.Effect<A, E, R>): Effect.Effect<boolean, never, R>
  /** Ends with the first violation. */
  readonly watch: Effect.Effect<never, Violation>
  /** How often what was attempted ended how. */
  readonly tally: ReadonlyMap<string, number>
}>()("chaos/Conduct") {
  static readonly layer = Layer.effect(
    Conduct,
    Effect.gen(function*() {
      const lateness = yield* Lateness
      const clock = yield* Clock.Clock
      const waiting = new Map<symbol, { readonly began: number; readonly timeout: number }>()
      const users = new Set<Connection>()
      const tally = new Map<string, number>()
      const violations: Array<string> = []

      const lateOnes = (at: number) =>
        Array.from(waiting.values()).filter(({ began, timeout }) => at - began > timeout + lateness.allowance(began))

      const watch = Effect.suspend(() => {
        const now = clock.currentTimeMillisUnsafe()
        for (const { began, timeout } of lateOnes(now)) {
          violations.push(`a borrower waits for ${now - began} ms, and wanted to wait for ${timeout} ms`)
        }
        const [what] = violations
        return what === undefined ? Effect.void : new Violation({ what })
      }).pipe(Effect.delay("50 millis"), Effect.forever)

      return {
        watch,
        tally,
        punctual: (timeout, borrow) =>
          Effect.suspend(() => {
            const id = Symbol()
            const began = clock.currentTimeMillisUnsafe()
            waiting.set(id, { began, timeout })
            const arrived = Effect.sync(() => {
              const took = clock.currentTimeMillisUnsafe() - began
              if (waiting.delete(id) && took > timeout + lateness.allowance(began)) {
                violations.push(`a borrower has waited for ${took} ms, and wanted to wait for ${timeout} ms`)
              }
            })
            return Effect.ensuring(borrow(arrived), arrived)
          }),
        alone: (connection, body) =>
          Effect.acquireUseRelease(
            Effect.sync(() => {
              if (users.has(connection)) violations.push(`connection ${connection.pid} is lent twice`)
              users.add(connection)
            }),
            () =>
              Effect.andThen(
                // in a transaction, the time now is that of its beginning
                Effect.map(connection.query("select now() = statement_timestamp() as clean"), ([row]) => {
                  if (row?.["clean"] !== true) violations.push(`connection ${connection.pid} is lent in a transaction`)
                }),
                body
              ),
            () => Effect.sync(() => users.delete(connection))
          ),
        attempt: (what, effect) =>
          effect.pipe(
            // also of what is interrupted from without
            Effect.onExit((exit) =>
              Effect.sync(() => {
                const { fair, name } = outcomeOf(exit)
                tally.set(name, (tally.get(name) ?? 0) + 1)
                if (!fair) violations.push(`${what}: ${Exit.isFailure(exit) ? Cause.pretty(exit.cause) : name}`)
              })
            ),
            Effect.exit,
            Effect.map((exit) => outcomeOf(exit).name !== "Closed")
          )
      }
    })
  )
}

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): { readonly name: string; readonly fair: boolean } => {
  if (Exit.isSuccess(exit)) return { name: "served", fair: true }
  if (Cause.hasInterruptsOnly(exit.cause)) return { name: "interrupted", fair: true }
  if (Cause.hasDies(exit.cause)) return { name: "died", fair: false }
  const error = Cause.squash(exit.cause)
  if (error instanceof PoolError.PoolError) return { name: error.reason._tag, fair: error.reason._tag !== "QueueFull" }
  if (error instanceof QueryError) return { name: error._tag, fair: error.fatal }
  return { name: error instanceof Error ? error.name : String(error), fair: true }
}
