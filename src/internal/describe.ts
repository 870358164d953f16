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

/** The bytes that a character (a code point) takes in a JSON string. */
const bytesOf = (char: string): number => {
  const code = char.codePointAt(0)!
  if (code < 0x20) return "\b\t\n\f\r".includes(char) ? 2 : 6
  if (code < 0x80) return char === "\"" || char === "\\" ? 2 : 1
  if (code < 0x800) return 2
  if (code >= 0xd800 && code < 0xe000) return 6 // a lone surrogate is escaped
  return code < 0x10000 ? 3 : 4
}

/** As much of the text as is a JSON string of at most so many bytes, quotes included. */
const fit = (text: string, bytes: number): string => {
  let left = bytes - 2
  let end = 0
  for (const char of text) {
    left -= bytesOf(char)
    if (left < 0) break
    end += char.length
  }
  return text.slice(0, end)
}

const isTooLong = (json: string): boolean =>
  json.length > maxBytes || (json.length * 3 > maxBytes && new TextEncoder().encode(json).length > maxBytes)

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
  const markBytes = new TextEncoder().encode(cutMark).length
  return { _tag: "Described", json: fit(whole, maxBytes - markBytes) + cutMark }
}
