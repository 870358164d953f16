import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

/** What the program writes to the standard error output, and how it ends. */
const run = (file: string) =>
  Effect.callback<{ readonly code: number | null; readonly stderr: string }>((resume) => {
    const program = fileURLToPath(new URL(`./programs/${file}`, import.meta.url))
    const child = spawn(process.execPath, ["--import", "tsx", program], { stdio: ["ignore", "ignore", "pipe"] })
    let stderr = ""
    child.stderr.on("data", (chunk) => stderr += chunk)
    child.on("close", (code) => resume(Effect.succeed({ code, stderr })))
    return Effect.sync(() => child.kill())
  })

describe("a program that knows nothing else", () => {
  it.live("dies with a message that names the guilty span, also when that holder had waited itself", () =>
    Effect.gen(function*() {
      const { code, stderr } = yield* run("exhausted.ts")
      assert.strictEqual(code, 1)
      assert.match(
        stderr,
        new RegExp(
          "Pool \"app/Database\": no object within 200ms \\(1 of 1 in use, 1 waiting, " +
            "longest held \\d+(\\.\\d)?ms by fiber #\\d+ in span \"GET /report\"\\)"
        )
      )
      assert.notInclude(stderr, "pool.wait")
    }))
})
