/** What must never happen, whatever goes wrong. */
import { Schema } from "effect"

export class Violation extends Schema.TaggedError<Violation>()("Violation", { what: Schema.String }) {
  override get message() {
    return this.what
  }
}
