/**
 * What the demo writes: lines that stay, and one line that is rewritten in place where there is a terminal to do so.
 */
import { Context, Effect, Layer, Stdio, Terminal } from "effect"

export class Screen extends Context.Service<Screen, {
  /** A line that stays. */
  print(text: string): Effect.Effect<void>
  /** A line that the next one replaces; on a file or a pipe, where nothing can be replaced, a line as any other. */
  update(text: string): Effect.Effect<void>
  readonly isTerminal: boolean
}>()("bank/Screen") {
  static readonly layer = Layer.effect(
    Screen,
    Effect.gen(function*() {
      const terminal = yield* Terminal.Terminal
      const isTerminal = yield* (yield* Stdio.Stdio).stdoutIsTerminal
      const clear = isTerminal ? "\r\u001b[2K" : ""
      const display = (text: string) => Effect.ignore(terminal.display(clear + text))
      // nothing half said stays behind
      yield* Effect.addFinalizer(() => display(""))
      return {
        isTerminal,
        print: (text) => display(`${text}\n`),
        update: (text) => display(isTerminal ? text : `${text}\n`)
      }
    })
  )
}
