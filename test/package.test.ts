import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { bounds, measure } from "./scripts/size.ts"

const root = fileURLToPath(new URL("../", import.meta.url))

const read = (file: string) => fs.readFileSync(path.join(root, file), "utf8")

const manifest = JSON.parse(read("package.json"))

/** What npm would publish, if everything was built. */
const packed = (): ReadonlyArray<string> => {
  const args = ["pack", "--dry-run", "--json", "--offline", "--ignore-scripts"]
  const [report] = JSON.parse(
    execFileSync("npm", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
  )
  return report.files.map((file: { path: string }) => file.path)
}

const walk = (entry: string): Array<string> =>
  fs.statSync(path.join(root, entry)).isDirectory()
    ? fs.readdirSync(path.join(root, entry)).flatMap((name) => walk(`${entry}/${name}`))
    : [entry]

describe("the package", () => {
  it("contains the sources, what is built of them, and what a reader needs; nothing else", () => {
    const files = packed()
    const built = files.filter((file) => file.startsWith("dist/"))
    const others = files.filter((file) => !built.includes(file))
    assert.sameMembers([...others], ["CHANGELOG.md", "LICENSE", "README.md", "package.json", ...walk("src")])
    for (const file of built) {
      const source = file.replace(/^dist\//, "src/").replace(/(\.d\.ts|\.js)(\.map)?$/, ".ts")
      assert.isTrue(others.includes(source), `${file} is built of a source`)
    }
  })

  it("exports what has a source", () => {
    for (const target of Object.values<string | null>(manifest.exports)) {
      if (target === null || target === "./package.json") continue
      const source = target.replace(/^\.\/dist\/(.*)\.js$/, "src/$1.ts")
      assert.isTrue(fs.existsSync(path.join(root, source)), `${target} has ${source}`)
    }
  })

  it("asks for Effect, and depends on nothing", () => {
    assert.deepStrictEqual(manifest.dependencies, undefined)
    assert.deepStrictEqual(Object.keys(manifest.peerDependencies), ["effect"])
    assert.strictEqual(manifest.sideEffects, false)
  })

  it("has its version in the list of changes", () => {
    assert.include(read("CHANGELOG.md"), `\n## ${manifest.version}\n`)
  })

  it("is not larger than it may be", async () => {
    const sizes = await measure()
    assert.sameMembers(sizes.map(({ name }) => name), Object.keys(bounds))
    for (const { gzipped, name } of sizes) {
      assert.isAtMost(gzipped, bounds[name], `${name}: bytes, minified and compressed, without effect`)
    }
  })
})

/** The name under which a heading can be linked to. */
const anchorOf = (heading: string) => heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")

const withoutCode = (text: string) => text.replace(/^```[^]*?^```$/gm, "")

const anchors = (file: string) =>
  Array.from(
    withoutCode(read(file)).matchAll(/^#+ (.*)$/gm),
    ([, heading]) => anchorOf(heading.replace(/\[(.*?)\]\(.*?\)/g, "$1"))
  )

describe("the documentation", () => {
  const guides = ["README.md", "CHANGELOG.md", ...walk("docs").filter((file) => file.endsWith(".md"))]
    .filter((file) => !file.startsWith("docs/api/") && !file.includes("node_modules"))

  it("links to what there is", () => {
    const broken: Array<string> = []
    for (const file of guides) {
      for (const [, target] of withoutCode(read(file)).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue
        const [name, anchor] = target.split("#")
        const linked = name === "" ? file : path.posix.join(path.posix.dirname(file), name)
        if (!fs.existsSync(path.join(root, linked))) broken.push(`${file}: ${target}`)
        else if (anchor !== undefined && !anchors(linked).includes(anchor)) broken.push(`${file}: ${target}`)
      }
    }
    assert.deepStrictEqual(broken, [])
  })

  it("is found from the index", () => {
    const index = read("docs/README.md")
    const guides = fs.readdirSync(path.join(root, "docs")).filter((name) =>
      name.endsWith(".md") && name !== "README.md"
    )
    assert.deepStrictEqual(guides.filter((name) => !index.includes(`(${name}`)), [])
  })

  it("tells of every option", () => {
    const options = read("src/internal/options.ts")
    const names = Array.from(options.matchAll(/^  readonly (\w+)\??:/gm), ([, name]) => name)
    const told = read("docs/options.md")
    assert.isAbove(names.length, 25)
    assert.deepStrictEqual(names.filter((name) => !new RegExp(`^### .*\`${name}\``, "m").test(told)), [])
  })
})
