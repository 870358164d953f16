import { assert, describe, it } from "@effect/vitest"
import { Duration, Option } from "effect"
import { extract, isIn, same, toModule } from "./examples.ts"

describe("extract", () => {
  it("finds the ts blocks of a Markdown file, and no others", () => {
    const text = [
      "# Title",
      "",
      "```ts",
      "const a = 1",
      "",
      "a",
      "```",
      "```sh",
      "npm i",
      "```",
      "```ts no-run",
      "serve()",
      "```",
      "```ts from examples/a.ts",
      "a()",
      "```"
    ]
    assert.deepStrictEqual(extract("README.md", text.join("\n")), [
      { line: 3, code: "const a = 1\n\na", run: true },
      { line: 11, code: "serve()", run: false },
      { line: 14, code: "a()", run: false, from: "examples/a.ts" }
    ])
  })

  it("takes the indentation of a block in a list away", () => {
    assert.deepStrictEqual(extract("a.md", "- item\n  ```ts\n  if (a) {\n    b\n  }\n  ```"), [
      { line: 2, code: "if (a) {\n  b\n}", run: true }
    ])
  })

  it("finds the blocks of JSDoc, without its stars", () => {
    const text =
      "/**\n * Text.\n *\n * ```ts\n * if (a) {\n *   b\n *\n * }\n * ```\n */\nexport const a = `\n```ts\n`\n"
    assert.deepStrictEqual(extract("src/a.ts", text), [{ line: 4, code: "if (a) {\n  b\n\n}", run: true }])
  })

  it("gives nothing for a file without blocks", () => {
    assert.deepStrictEqual(extract("README.md", ""), [])
  })

  it("refuses a block that never ends and a mark it does not know", () => {
    assert.throws(() => extract("a.md", "text\n```ts\na"), "a.md:2: the block never ends")
    assert.throws(() => extract("a.md", "```ts norun\na\n```"), `a.md:1: unknown mark "norun"`)
  })
})

describe("toModule", () => {
  const module = (code: string) => toModule({ line: 1, code, run: true }, "helper").split("\n").slice(1, -2).join("\n")

  it("keeps the line numbers of its source", () => {
    const lines = toModule({ line: 3, code: "const a = 1\na // => 1", run: true }, "../helper.ts").split("\n")
    assert.strictEqual(lines[2], `import { same as $same } from "../helper.ts"`)
    assert.strictEqual(lines[4], "$same(a, 1)")
  })

  it("turns an expression with a value behind it into an assertion", () => {
    assert.strictEqual(module("a // => [1, 2]"), "$same(a, [1, 2])")
    assert.strictEqual(module("  yield* a.b(`${c}`) // => { d: 1 }"), "  $same(yield* a.b(`${c}`), { d: 1 })")
    assert.strictEqual(module(";(await a).b // => 1"), "$same((await a).b, 1)")
  })

  it("leaves code without such a comment alone", () => {
    const code = "const a = () => 1 // a => b"
    assert.strictEqual(module(code), code)
    assert.notInclude(toModule({ line: 1, code: "a()", run: true }, "helper"), "import")
  })
})

describe("isIn", () => {
  it("finds whole lines in one piece", () => {
    assert.isTrue(isIn("a\nb\nc\n", "a\nb"))
    assert.isTrue(isIn("a\nb", "b"))
    assert.isFalse(isIn("a\nb\nc\n", "a\nc"))
    assert.isFalse(isIn("const a = 1\n", "a = 1"))
  })
})

describe("same", () => {
  it("compares by structure and by Equal", () => {
    same([1, { a: 2 }], [1, { a: 2 }])
    same(Option.some(1), Option.some(1))
    same(Duration.seconds(1), Duration.millis(1000))
    assert.throws(() => same({ a: 1 }, { a: 2 }))
    assert.throws(() => same(1, "1"))
  })
})
