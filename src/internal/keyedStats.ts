import * as Schema from "effect/Schema"
import { objectFields, placeFields, poolFields } from "./stats.ts"

/**
 * One consistent snapshot of a keyed pool: `Pool.Stats` for the whole, without `min`, and what each key has.
 *
 * **Details**
 *
 * `key` is the key as text: `String(key)`, for a plain object its JSON.
 *
 * @category models
 * @since 0.1.0
 */
export class KeyedStats extends Schema.Class<KeyedStats>("proxy-pattern-pool/KeyedPool/Stats")({
  ...poolFields,
  objects: Schema.Array(Schema.Struct({ key: Schema.String, ...objectFields })),
  /** The keys that exist now. */
  keys: Schema.Array(Schema.Struct({ key: Schema.String, ...placeFields }))
}) {}
