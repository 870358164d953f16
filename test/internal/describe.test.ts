import { assert, describe as suite, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { cutMark, describe, type Described, maxBytes } from "../../src/internal/describe.ts"

const described = (json: Schema.Json): Described => ({ _tag: "Described", json })

const leftOut = (problem: string): Described => ({ _tag: "LeftOut", problem })

const gives = (value: unknown): Described => describe(() => value)

/** The string that is left of a description which was cut. */
const cut = (value: unknown): string => {
  const result = gives(value)
  assert(result._tag === "Described" && typeof result.json === "string")
  assert.isTrue(result.json.endsWith(cutMark))
  return result.json.slice(0, -cutMark.length)
}

const almostJson: Schema.Codec<unknown> = Schema.Union([
  Schema.Json,
  // @effect-diagnostics-next-line schemaNumber:off
  Schema.Number,
  Schema.Undefined,
  Schema.BigInt,
  Schema.Array(Schema.suspend(() => almostJson)),
  Schema.Record(Schema.String, Schema.suspend(() => almostJson))
])

const bytes = (value: unknown): number => new TextEncoder().encode(JSON.stringify(value)).length

suite("describe", () => {
  it("passes its arguments on and gives the JSON that comes back", () => {
    assert.deepStrictEqual(
      describe((object: { readonly id: number }, key: string) => ({ id: object.id, key }), { id: 7 }, "a"),
      described({ id: 7, key: "a" })
    )
  })

  it("takes every kind of JSON, also of objects without a prototype and of values that occur twice", () => {
    const twice = { a: 1 }
    for (
      const json of [null, true, false, 0, -1.5, 1e300, "", "text\n\"", [], {}, [[1, [null]]], {
        a: { b: [{ c: "d" }] },
        first: twice,
        second: twice
      }]
    ) assert.deepStrictEqual(gives(json), described(json))
    assert.deepStrictEqual(gives(Object.assign(Object.create(null), { a: 1 })), described({ a: 1 }))
  })

  it("gives a copy, which later changes do not reach", () => {
    const value = { inner: [1] }
    const result = gives(value)
    value.inner.push(2)
    assert.deepStrictEqual(result, described({ inner: [1] }))
  })

  it("keeps a key that is named like the prototype as a key", () => {
    const result = gives(JSON.parse(`{"__proto__":{"a":1}}`))
    assert(result._tag === "Described")
    assert.strictEqual(JSON.stringify(result.json), `{"__proto__":{"a":1}}`)
  })

  it("leaves out what throws, and says what was thrown", () => {
    const throws = (error: unknown) =>
      describe(() => {
        throw error
      })
    assert.deepStrictEqual(throws(new TypeError("no id")), leftOut("threw TypeError: no id"))
    assert.deepStrictEqual(throws("text"), leftOut(`threw "text"`))
    assert.deepStrictEqual(throws({ code: 1 }), leftOut(`threw {"code":1}`))
    assert.deepStrictEqual(throws(undefined), leftOut("threw undefined"))
    assert.deepStrictEqual(throws(1n), leftOut("threw"))
    assert.deepStrictEqual(
      throws(
        new (class extends Error {
          override get message(): string {
            throw new Error("hostile")
          }
        })()
      ),
      leftOut("threw")
    )
  })

  it("leaves out what is no JSON, and says what it was and where", () => {
    assert.deepStrictEqual(gives(undefined), leftOut("gave undefined"))
    assert.deepStrictEqual(gives(1n), leftOut("gave a bigint"))
    assert.deepStrictEqual(gives(() => 1), leftOut("gave a function"))
    assert.deepStrictEqual(gives(Symbol.iterator), leftOut("gave a symbol"))
    assert.deepStrictEqual(gives(NaN), leftOut("gave NaN"))
    assert.deepStrictEqual(gives({ a: [0, { b: -Infinity }] }), leftOut("gave -Infinity at .a[1].b"))
    assert.deepStrictEqual(gives([1, undefined]), leftOut("gave undefined at [1]"))
    assert.deepStrictEqual(gives(Array.from({ length: 1 }).concat(1)), leftOut("gave undefined at [0]"))
    assert.deepStrictEqual(gives({ toJSON: () => 1 }), leftOut("gave a function at .toJSON"))
  })

  it("leaves out objects that are not plain", () => {
    class Connection {
      readonly id = 1
    }
    for (
      const value of [new Connection(), new Map(), new Date(0), Duration.seconds(1), Effect.void, Promise.resolve()]
    ) {
      assert.deepStrictEqual(gives(value), leftOut("gave an object that is not a plain one"))
    }
    assert.deepStrictEqual(gives({ a: new Set() }), leftOut("gave an object that is not a plain one at .a"))
  })

  it("leaves out what contains itself", () => {
    const cyclic: { self?: unknown } = {}
    cyclic.self = [cyclic]
    assert.deepStrictEqual(gives(cyclic), leftOut("gave an object that contains itself at .self[0]"))
  })

  it("leaves out what throws while it is read", () => {
    const value = {
      get id(): number {
        throw new Error("gone")
      }
    }
    assert.deepStrictEqual(gives(value), leftOut("threw Error: gone"))
  })

  it("leaves 1 kB as it is, and cuts and marks one byte more", () => {
    for (const char of ["x", "é", "€", "😀", "\"", "\n", "\u0001", "\ud800"]) {
      const most = Math.floor((maxBytes - 2) / (bytes(char) - 2))
      const fits = char.repeat(most)
      assert.deepStrictEqual(gives(fits), described(fits))
      const longer = char.repeat(most + 1)
      const start = cut(longer)
      assert.isTrue(longer.startsWith(start))
      assert.isAtMost(bytes(start + cutMark), maxBytes)
      assert.isAbove(bytes(start + char + cutMark), maxBytes)
    }
    const object = { text: "x".repeat(maxBytes - bytes({ text: "" })) }
    assert.strictEqual(bytes(object), maxBytes)
    assert.deepStrictEqual(gives(object), described(object))
    cut({ text: `${object.text}x` })
  })

  it("cuts an object or an array to the beginning of its JSON text, within 1 kB with its own escapes", () => {
    for (const value of [{ id: 1, sql: "x".repeat(5000) }, Array.from({ length: 1000 }, (_, id) => ({ id }))]) {
      const start = cut(value)
      assert.isTrue(JSON.stringify(value).startsWith(start))
      assert.isAtMost(bytes(start + cutMark), maxBytes)
      assert.isAbove(bytes(start + cutMark), maxBytes - 8)
    }
  })

  it("never splits a character", () => {
    for (const prefix of ["", "x", "xx", "xxx"]) {
      assert.match(cut(prefix + "😀".repeat(2000)), /^x*(😀)+$/u)
      assert.match(cut({ text: prefix + "😀".repeat(2000) }), /^\{"text":"x*(😀)+$/u)
    }
  })

  it("does not look at what follows the cut: neither size nor depth nor a late fault costs anything", () => {
    let deep: unknown = 1
    for (let depth = 0; depth < 100_000; depth++) deep = [deep]
    assert.match(cut(deep), /^\[+$/)
    let read = 0
    const wide = Array.from({ length: 100_000 }, () => ({
      get id() {
        return ++read
      }
    }))
    cut(wide)
    assert.isBelow(read, 200)
    cut(["x".repeat(2000), 1n])
  })

  it.prop("agrees with Schema.Json about what JSON is", [almostJson, Schema.Json], ([almost, json]) => {
    for (const value of [almost, json]) {
      const result = gives(value)
      const size = Option.map(Schema.decodeUnknownOption(Schema.Json)(value), bytes)
      if (result._tag === "LeftOut") assert.isTrue(Option.isNone(size))
      else if (Option.isSome(size) && size.value <= maxBytes) {
        assert.deepStrictEqual(result.json, JSON.parse(JSON.stringify(value)))
      } else {
        assert(typeof result.json === "string" && result.json.endsWith(cutMark))
        assert.isAtMost(bytes(result.json), maxBytes)
      }
    }
  }, { arbitrary: { runs: 300, size: 50 } })
})
