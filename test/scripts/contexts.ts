/**
 * The recipe of headless browsers with a real Chromium: `npm run test:contexts`. It is looked for at /usr/bin/chromium, or
 * where the variable CHROMIUM says.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Fiber, References } from "effect"
import * as assert from "node:assert/strict"
import { existsSync } from "node:fs"
import { Pool } from "proxy-pattern-pool"
import { Browsers, browsers, screenshot } from "../../docs/examples/recipes/browser.ts"

const executable = process.env["CHROMIUM"] ?? "/usr/bin/chromium"

const stats = Effect.flatMap(Browsers.pool, Pool.stats)

const checks: ReadonlyArray<readonly [name: string, check: Effect.Effect<void, unknown, Browsers>]> = [
  [
    "takes pictures side by side, in few browsers",
    Effect.gen(function*() {
      const pages = Array.from({ length: 8 }, (_, i) => screenshot(`<h1>page ${i}</h1>`))
      const pictures = yield* Effect.all(pages, { concurrency: "unbounded" })
      for (const picture of pictures) assert.equal(Buffer.from(picture).toString("latin1", 1, 4), "PNG")
      const { created, inUse } = yield* stats
      assert.ok(created <= 2, `${created} browsers were started`)
      assert.equal(inUse, 0)
    })
  ],
  [
    "keeps the cookies of one borrower from the others",
    Effect.gen(function*() {
      const visit = Effect.gen(function*() {
        const page = yield* (yield* Browsers).page()
        const before = yield* Effect.promise(() => page.context().cookies())
        yield* Effect.promise(() => page.context().addCookies([{ name: "a", value: "1", url: "http://example.com" }]))
        return before.length
      }).pipe(Effect.scoped)
      assert.deepEqual([yield* visit, yield* visit], [0, 0])
    })
  ],
  [
    "closes the page of a borrower that is interrupted",
    Effect.gen(function*() {
      const visit = Effect.gen(function*() {
        yield* (yield* Browsers).page()
        return yield* Effect.never
      }).pipe(Effect.scoped)
      const visitor = yield* Effect.forkChild(visit)
      yield* Effect.repeat(Effect.sleep("20 millis"), { until: () => Effect.map(stats, ({ inUse }) => inUse === 1) })
      yield* Fiber.interrupt(visitor)
      assert.equal((yield* stats).inUse, 0)
      yield* screenshot("<p>and goes on</p>")
    })
  ]
]

const program = Effect.forEach(
  checks,
  ([name, check]) => check.pipe(Effect.provide(browsers), Effect.andThen(Console.log(`  ok  ${name}`)))
).pipe(
  Effect.timeout("2 minutes"),
  Effect.provideService(References.MinimumLogLevel, "Error")
)

if (existsSync(executable)) NodeRuntime.runMain(program)
else {
  console.error(
    `There is no Chromium at ${executable}, so nothing was tested: apt-get install chromium, or set CHROMIUM`
  )
  process.exitCode = 1
}
