import type * as Schema from "effect/Schema"

/** What came of describing an object: its JSON, or why there is none, as the end of "describe ...". */
export type Described =
  | { readonly _tag: "Described"; readonly json: Schema.Json }
  | { readonly _tag: "LeftOut"; readonly problem: string }

/** The most that the JSON of a description may take: 1 kB, in bytes of UTF-8. */
export const maxBytes = 1024

/** How a description ends that was cut. */
export const cutMark = "… (cut)"

/** Thrown where a value is no JSON, and caught in `describe`. */
class NoJson {
  readonly problem: string

  constructor(problem: string) {
    this.problem = problem
  }
}

/** Thrown when the text is long enough to be cut, and caught in `describe`: what follows is not looked at. */
const Enough = Symbol()

const bytesOf = (text: string): number => new TextEncoder().encode(text).length

/** As much of the text as is a JSON string of at most so many bytes, quotes included: whole characters. */
const fit = (text: string, bytes: number): string => {
  const chars = Array.from(text.slice(0, maxBytes))
  let end = 0
  for (let step = maxBytes; step >= 1; step /= 2) {
    if (bytesOf(JSON.stringify(chars.slice(0, end + step).join(""))) <= bytes) end += step
  }
  return chars.slice(0, end).join("")
}

const isTooLong = (json: string): boolean =>
  json.length > maxBytes || (json.length * 3 > maxBytes && bytesOf(json) > maxBytes)

/** Writes JSON text as far as it is needed, and takes nothing that JSON would drop, change or refuse. */
class Writer {
  text = ""
  private readonly ancestors: Array<object> = []

  write(value: unknown, path: string): void {
    if (typeof value === "string") {
      // of a long string only the part that can be shown is copied; it is too long in any case
      this.add(JSON.stringify(value.length > maxBytes ? value.slice(0, maxBytes) : value))
    } else if (value === null || typeof value === "boolean" || Number.isFinite(value)) this.add(JSON.stringify(value))
    else if (typeof value === "object") this.nested(value, path)
    else throw new NoJson(`gave ${named(value)}${path}`)
  }

  private nested(value: object, path: string): void {
    if (this.ancestors.includes(value)) throw new NoJson(`gave an object that contains itself${path}`)
    this.ancestors.push(value)
    if (Array.isArray(value)) this.array(value, path)
    else if (isPlain(value)) this.record(value, path)
    else throw new NoJson(`gave an object that is not a plain one${path}`)
    this.ancestors.pop()
  }

  private array(value: ReadonlyArray<unknown>, path: string): void {
    this.add("[")
    for (let index = 0; index < value.length; index++) {
      if (index > 0) this.add(",")
      this.write(value[index], `${path === "" ? " at " : path}[${index}]`)
    }
    this.add("]")
  }

  private record(value: object, path: string): void {
    this.add("{")
    for (const [index, key] of Object.keys(value).entries()) {
      if (index > 0) this.add(",")
      this.write(key, path)
      this.add(":")
      this.write(Reflect.get(value, key), `${path === "" ? " at " : path}.${key}`)
    }
    this.add("}")
  }

  private add(text: string): void {
    this.text += text
    if (this.text.length > maxBytes) throw Enough
  }
}

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** A value that is no JSON, for a sentence: `NaN`, `undefined`, `a bigint`. */
const named = (value: unknown): string =>
  value === undefined || typeof value === "number" ? String(value) : `a ${typeof value}`

/** What was thrown; it may itself throw when it is read. */
const thrown = (error: unknown): string => {
  try {
    return `threw ${error instanceof Error ? error : JSON.stringify(error) ?? typeof error}`
  } catch {
    return "threw"
  }
}

/**
 * Turns what a user's `describe` gives into JSON that is safe to keep, to send and to show: a copy, of at most
 * {@link maxBytes}. What is longer becomes a string of its beginning (of the JSON text, or of the string that it is)
 * that ends with {@link cutMark}. Never throws.
 */
export const describe = <Args extends ReadonlyArray<unknown>>(
  f: (...args: Args) => unknown,
  ...args: Args
): Described => {
  let value: unknown
  const writer = new Writer()
  try {
    value = f(...args)
    writer.write(value, "")
    if (!isTooLong(writer.text)) return { _tag: "Described", json: JSON.parse(writer.text) }
  } catch (error) {
    if (error instanceof NoJson) return { _tag: "LeftOut", problem: error.problem }
    if (error !== Enough) return { _tag: "LeftOut", problem: thrown(error) }
  }
  const whole = typeof value === "string" ? value : writer.text
  return { _tag: "Described", json: fit(whole, maxBytes - bytesOf(cutMark)) + cutMark }
}
