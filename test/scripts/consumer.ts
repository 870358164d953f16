/**
 * What a user of the package meets: a project of its own, made from the tarball in a temporary directory. It is compiled
 * with TypeScript 5.9 and 7, and run on Node 20 and on the newest that npm has (in what its package `node` is made of):
 *
 *     npm run test:consumer
 *
 * Needs npm's registry. What cannot be had from there is said, and then the exit code is 2; whatever fails makes it 1.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))

class Failed extends Error {
  readonly output: string

  constructor(command: string, output: string) {
    super(`${command} failed`)
    this.output = output
  }
}

const run = (cwd: string, command: string, ...args: ReadonlyArray<string>): string => {
  const { error, status, stderr, stdout } = spawnSync(command, args, { cwd, encoding: "utf8", timeout: 300_000 })
  if (status !== 0) {
    throw new Failed([command, ...args].join(" "), error === undefined ? `${stdout}${stderr}` : error.message)
  }
  return stdout
}

const main = `import { Config, Effect, Layer } from "effect"
import { KeyedPool, Pool, PoolError, Proxy } from "proxy-pattern-pool"
import * as OnlyPool from "proxy-pattern-pool/Pool"
import * as PoolMonitor from "proxy-pattern-pool/PoolMonitor"

export interface Connection {
  readonly id: number
  query(sql: string): Effect.Effect<string>
  ping(): Promise<boolean>
}

export class ConnectError extends Error {
  readonly _tag = "ConnectError"
}

const connect = Effect.service(Pool.CreationNumber).pipe(
  Effect.map((id): Connection => ({ id, query: (sql) => Effect.succeed(\`\${sql} on \${id}\`), ping: async () => true }))
)

// exported classes: declarations must be able to name their types
export class Database extends Proxy.Service<Database, Connection, ConnectError>()("consumer/Database") {}

export class Inferred extends Proxy.Service<Inferred>()("consumer/Inferred", { acquire: connect, max: 2 }) {}

export class Tenants extends Proxy.KeyedService<Tenants, string>()("consumer/Tenants", Database) {}

export const handler = Effect.gen(function*() {
  const db = yield* Database
  return [yield* db.query("select 1"), yield* db.ping(), yield* db.id()] as const
}).pipe(Effect.scoped)

export const options: Pool.Options<Connection> = { acquire: connect, max: 2, healthCheck: ({ id }) => Effect.succeed(id >= 0) }

export const layer = Database.layerConfig({ ...options, max: Config.succeed(3) })

export const monitor = PoolMonitor.layerHttp()

const explain = (error: { readonly message: string }) => Effect.succeed(error.message)

export const isPoolError = (error: unknown): boolean => error instanceof PoolError.PoolError

const program = Effect.gen(function*() {
  const pool = yield* OnlyPool.make(options)
  const used = yield* OnlyPool.use(pool, (connection) => connection.query("select 2"))
  const keyed = yield* KeyedPool.make({ acquire: (key: string) => Effect.succeed({ key }), max: 3 })
  const key = yield* KeyedPool.use(keyed, "a", (object) => Effect.succeed(object.key))
  const first = yield* handler.pipe(Effect.provide(layer), Effect.catch(explain))
  const second = yield* handler.pipe(
    Effect.provide(Layer.provide(Tenants.get("b"), Tenants.layerPool({ acquire: () => connect, max: 2 }))),
    Effect.catch(explain)
  )
  const third = yield* Effect.flatMap(Inferred, (inferred) => inferred.id()).pipe(Effect.scoped, Effect.provide(Inferred.layer))
  return JSON.stringify({ used, key, first, second, third })
}).pipe(Effect.scoped)

Effect.runPromise(program).then(console.log)
`

const expected = JSON.stringify({
  used: "select 2 on 0",
  key: "a",
  first: ["select 1 on 0", true, 0],
  second: ["select 1 on 0", true, 0],
  third: 0
})

const tsconfig = JSON.stringify({
  compilerOptions: {
    target: "ES2022",
    module: "NodeNext",
    lib: ["ES2023", "ESNext.Disposable", "DOM"],
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    declaration: true,
    noEmitOnError: true,
    skipLibCheck: false
  },
  files: ["main.ts"]
})

/** Builds beside the checkout, where somebody else may be building. */
const pack = (dir: string): string => {
  fs.mkdirSync(dir)
  for (
    const name of [
      "src",
      "README.md",
      "LICENSE",
      "CHANGELOG.md",
      "package.json",
      "tsconfig.json",
      "tsconfig.build.json"
    ]
  ) {
    fs.cpSync(path.join(root, name), path.join(dir, name), { recursive: true })
  }
  fs.symlinkSync(path.join(root, "node_modules"), path.join(dir, "node_modules"))
  run(dir, "node_modules/.bin/tsc", "-p", "tsconfig.build.json")
  const [{ filename }] = JSON.parse(run(dir, "npm", "pack", "--json", "--ignore-scripts"))
  return path.join(dir, filename)
}

const missing: Array<string> = []
let failed = false

/** What is done in steps, each with one line of result; the rest of a step that fails is told below it. */
const step = <A>(name: string, body: () => A, optional = false): A | undefined => {
  const began = performance.now()
  try {
    const result = body()
    console.log(`  ok    ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)`)
    return result
  } catch (error) {
    console.log(`${optional ? "missing" : "FAILED "} ${name}`)
    if (optional) missing.push(name)
    else failed = true
    const text = error instanceof Failed ? `${error.message}\n${error.output}` : String(error)
    console.log(text.trim().split("\n").slice(0, optional ? 8 : 40).map((line) => `        ${line}`).join("\n"))
    return undefined
  }
}

/** A registry that does not answer is told within a minute. */
const patience = [
  "--fetch-timeout=20000",
  "--fetch-retries=2",
  "--fetch-retry-mintimeout=1000",
  "--fetch-retry-maxtimeout=5000"
]

const install = (project: string, ...packages: ReadonlyArray<string>) =>
  run(project, "npm", "install", "--no-audit", "--no-fund", "--prefer-offline", "--no-save", ...patience, ...packages)

const nodeOf = (place: string, range: string) => {
  const name = `node-${os.platform()}-${os.arch()}`
  fs.mkdirSync(place)
  install(place, `${name}@${range}`)
  const node = path.join(place, "node_modules", name, "bin/node")
  return { path: node, version: run(place, node, "--version").trim() }
}

const says = (project: string, node: string) => {
  const told = run(project, node, "main.js").trim()
  if (told !== expected) throw new Failed(`${node} main.js`, `it said ${told}\nand not ${expected}`)
}

const work = (dir: string) => {
  const { version: effect } = JSON.parse(fs.readFileSync(path.join(root, "node_modules/effect/package.json"), "utf8"))
  const there = step(
    `effect ${effect} is found in npm's registry`,
    () => run(dir, "npm", "view", ...patience, `effect@${effect}`, "version"),
    true
  )
  if (there === undefined) return
  const tarball = step("the package is built and packed", () => pack(path.join(dir, "package")))
  if (tarball === undefined) return
  const project = path.join(dir, "project")
  fs.mkdirSync(project)
  fs.writeFileSync(path.join(project, "main.ts"), main)
  fs.writeFileSync(path.join(project, "tsconfig.json"), tsconfig)
  fs.writeFileSync(
    path.join(project, "package.json"),
    JSON.stringify({
      name: "consumer",
      private: true,
      type: "module",
      dependencies: { effect, "proxy-pattern-pool": tarball }
    })
  )
  if (step(`it is installed beside effect ${effect}`, () => install(project)) === undefined) return

  for (const range of ["5.9", "7"]) {
    const place = path.join(dir, `typescript-${range}`)
    const there = step(`TypeScript ${range} is installed`, () => {
      fs.mkdirSync(place)
      return install(place, `typescript@${range}`)
    }, true)
    if (there !== undefined) {
      step(`it compiles with TypeScript ${range}, with declarations`, () => {
        run(project, process.execPath, path.join(place, "node_modules/typescript/bin/tsc"), "-p", ".")
      })
    }
  }

  if (fs.existsSync(path.join(project, "main.js"))) {
    for (const range of ["20", "latest"]) {
      const node = process.version.startsWith(`v${range}.`)
        ? { path: process.execPath, version: process.version }
        : step(`Node ${range} is installed`, () => nodeOf(path.join(dir, `node-${range}`), range), true)
      if (node !== undefined) step(`it runs on Node ${node.version}`, () => says(project, node.path))
    }
  }
}

const dir = fs.mkdtempSync(path.join(os.tmpdir(), "consumer-"))
try {
  work(dir)
} finally {
  fs.rmSync(dir, { recursive: true, force: true })
}
if (missing.length > 0) {
  console.log(
    `\nNot everything was tried: npm's registry did not give what is missing, for which see above: ${
      missing.join("; ")
    }`
  )
}
process.exitCode = failed ? 1 : missing.length > 0 ? 2 : 0
