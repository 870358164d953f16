/**
 * Writes every `ts` fence of the README, the guides and the JSDoc to `build/examples`, as a module of its own, so that
 * `tsc` checks it and vitest runs it. Lines keep their numbers: an error in line 12 of `README.md.9.ts` is in line 12
 * of `README.md`, in the block that begins in line 9.
 *
 * In a block, `expression // => value` on one line is an assertion. A block that needs what a test cannot have (a
 * server) is fenced as `ts no-run`: it is checked, not run. One that shows a part of a program is fenced as
 * `ts from examples/bank/app.ts`: it must stand in that file, which is checked and run elsewhere.
 */
import { Equal } from "effect"
import * as assert from "node:assert/strict"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

export interface Block {
  /** Where the fence opens, counted from 1. */
  readonly line: number
  readonly code: string
  readonly run: boolean
  /** The file it is a part of, seen from the guide. */
  readonly from?: string
}

const fence = /^( *)(`{3,})(?:ts|typescript)(?: +(\S.*?))? *$/

/** The `ts` blocks of one file: a Markdown file, or a TypeScript file, where only JSDoc counts. */
export const extract = (file: string, text: string): Array<Block> => {
  const lines = text.split("\n").map((line) => file.endsWith(".ts") ? /^ *\* ?(.*)$/.exec(line)?.[1] ?? "" : line)
  const blocks: Array<Block> = []
  for (let at = 0; at < lines.length; at++) {
    const open = fence.exec(lines[at])
    if (open === null) continue
    const [, indent, ticks, mark] = open
    const from = mark?.startsWith("from ") ? mark.slice("from ".length) : undefined
    if (mark !== undefined && mark !== "no-run" && from === undefined) {
      throw new Error(`${file}:${at + 1}: unknown mark "${mark}"`)
    }
    const end = lines.findIndex((line, index) => index > at && line.trim() === ticks)
    if (end === -1) throw new Error(`${file}:${at + 1}: the block never ends`)
    const code = lines.slice(at + 1, end).map((line) => line.startsWith(indent) ? line.slice(indent.length) : line)
    blocks.push({ line: at + 1, code: code.join("\n"), run: mark === undefined, ...(from !== undefined && { from }) })
    at = end
  }
  return blocks
}

/** A block as a module. Whatever `// =>` stands behind must be an expression, or the module does not compile. */
export const toModule = (block: Block, helper: string): string => {
  const code = block.code.replace(/^( *);?(.*?) *\/\/ => (.*)$/gm, "$1$$same($2, $3)")
  const header = code === block.code ? "" : `import { same as $same } from "${helper}"`
  return `${"\n".repeat(block.line - 1)}${header}\n${code}\nexport {}\n`
}

/** Whether lines of a guide stand in the program that they are said to be from, and there in one piece. */
export const isIn = (program: string, code: string): boolean => `\n${program}\n`.includes(`\n${code}\n`)

/** What `expression // => value` asserts. */
export const same = (actual: unknown, expected: unknown): void => {
  if (!Equal.equals(actual, expected)) assert.deepEqual(actual, expected)
}

const root = fileURLToPath(new URL("../../", import.meta.url))
const out = path.join(root, "build/examples")

const walk = (entry: string): Array<string> => {
  const at = path.join(root, entry)
  if (!fs.existsSync(at) || entry === "docs/api" || entry.endsWith("node_modules")) return []
  return fs.statSync(at).isDirectory() ? fs.readdirSync(at).flatMap((name) => walk(`${entry}/${name}`)) : [entry]
}

const write = (file: string, text: string): void => {
  fs.mkdirSync(path.dirname(path.join(out, file)), { recursive: true })
  fs.writeFileSync(path.join(out, file), text)
}

const main = (): void => {
  fs.rmSync(out, { recursive: true, force: true })
  const files = [...walk("README.md"), ...walk("docs").filter((file) => file.endsWith(".md")), ...walk("src")]
  let count = 0
  for (const file of files) {
    const blocks: Array<Block> = []
    for (const block of extract(file, fs.readFileSync(path.join(root, file), "utf8"))) {
      if (block.from === undefined) blocks.push(block)
      else if (!isIn(fs.readFileSync(path.join(root, path.dirname(file), block.from), "utf8"), block.code)) {
        throw new Error(`${file}:${block.line}: this is not what stands in ${block.from}`)
      }
    }
    const helper = `${"../".repeat(file.split("/").length + 1)}test/scripts/examples.ts`
    for (const block of blocks) write(`${file}.${block.line}.ts`, toModule(block, helper))
    const tests = blocks.filter((block) => block.run).map(({ line }) =>
      `it("${file}:${line}", () => import("./${path.basename(file)}.${line}.ts"))\n`
    )
    if (tests.length > 0) write(`${file}.test.ts`, `import { it } from "vitest"\n\n${tests.join("")}`)
    count += blocks.length
  }
  console.log(`${count} examples written to build/examples`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
