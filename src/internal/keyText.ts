import * as Predicate from "effect/Predicate"

const isPlain = (key: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(key)
  return prototype === null || prototype === Object.prototype
}

/** How a key reads in errors, logs and statistics: `String(key)`, and the JSON of a plain object. */
export const keyText = (key: unknown): string => {
  try {
    return (Predicate.isObject(key) && isPlain(key) ? JSON.stringify(key) as string | undefined : undefined) ??
      String(key)
  } catch {
    return "unreadable key"
  }
}
