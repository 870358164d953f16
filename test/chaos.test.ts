import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Option, Path, References, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { Pool } from "proxy-pattern-pool"
import { endOf, kinds, peace, schedule } from "./scripts/chaos/schedule.ts"
import type { Tasks } from "./scripts/fibers.ts"
import { history, noCount } from "./scripts/fibers.ts"
import { complaints } from "./scripts/invariants.ts"

describe("the schedule of faults", () => {
  it.effect("depends on the seed alone", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* schedule(7, 300_000), yield* schedule(7, 300_000))
      assert.notDeepEqual(yield* schedule(7, 300_000), yield* schedule(8, 300_000))
    }))

  it.effect("fills its time, has every kind of fault, and no two of a round that cannot go together", () =>
    Effect.gen(function*() {
      for (const seed of [1, 2, 3]) {
        const rounds = yield* schedule(seed, 120_000)
        const millis = rounds.reduce((sum, round) => sum + endOf(round) + peace, 0)
        assert.isAtLeast(millis, 120_000)
        assert.isAtMost(millis, 130_000)
        assert.sameMembers(Array.from(new Set(rounds.flat().map(({ kind }) => kind))), [...kinds])
        for (const round of rounds) {
          const together = round.map(({ kind }) => kind)
          assert.strictEqual(new Set(together).size, together.length)
          assert.isFalse(together.includes("restart") && together.includes("full"))
        }
      }
    }))
})

describe("chaos", () => {
  it.effect("ends cleanly on Ctrl-C, which its server hears too", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const folder = yield* fs.makeTempDirectoryScoped({ prefix: "chaos-" })
      yield* fs.chmod(folder, 0o755) // the server may run as another user
      const handle = yield* ChildProcess.make(process.execPath, ["--import", "tsx", "test/scripts/chaos/run.ts"], {
        cwd: yield* path.fromFileUrl(new URL("../", import.meta.url)),
        env: { TMPDIR: folder },
        extendEnv: true
      })
      const lines = handle.stdout.pipe(Stream.decodeText(), Stream.splitLines)
      yield* Stream.runForEach(lines, (line) =>
        // a negative number is a group of processes, as the foreground of a terminal is
        /served again/.test(line) ? Effect.sync(() => process.kill(-handle.pid, "SIGINT")) : Effect.void)
      assert.strictEqual(yield* handle.exitCode, 130)
      const left = yield* fs.readDirectory(folder)
      assert.deepStrictEqual(left.filter((name) => !name.startsWith("tsx-")), [])
      const processes = yield* ChildProcessSpawner.ChildProcessSpawner.use((_) =>
        _.string(ChildProcess.make("ps", ["-eo", "args"]))
      )
      assert.notInclude(processes, folder)
    }).pipe(Effect.provide(NodeServices.layer)), 60_000)
})

describe("the invariants", () => {
  it.effect("hold of a pool that lends, and are missed in a snapshot that does not add up", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make({ acquire: Effect.succeed("object"), max: 2, min: 2 })
      yield* Pool.awaitReady(pool)
      const stats = yield* Pool.use(pool, () => Pool.stats(pool))
      assert.deepStrictEqual(complaints(stats, 2), [])
      const rules = (wrong: Partial<Pool.Stats>, bound = 2) =>
        complaints({ ...stats, ...wrong }, bound).map((complaint) => complaint.slice(0, complaint.indexOf(":")))
      assert.deepStrictEqual(rules({}, 1), ["no more than 1 places are taken"])
      assert.deepStrictEqual(rules({ waiting: -1 }), ["no count is negative"])
      assert.deepStrictEqual(rules({ created: 3 }), ["no object is lost"])
      assert.deepStrictEqual(rules({ created: 1 }), ["no object is alive that was destroyed"])
      assert.deepStrictEqual(rules({ returned: 1 }), ["no more hold objects than borrowed them"])
      assert.deepStrictEqual(rules({ idle: 0, inUse: 2 }), [
        "the idle are shown as idle",
        "those in use are shown as in use"
      ])
    }))
})

describe("the soak of fibers", () => {
  const play = (seed: number, tasks?: Tasks) =>
    Effect.gen(function*() {
      const count = noCount()
      yield* history(seed, 60, count, tasks).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
      return count
    })

  it.live("finds nothing in a few histories", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= 20; seed++) yield* play(seed)
    }))

  it.live("finds nothing in a few that run as a program does, with Effect's own scheduler", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= 20; seed++) yield* play(seed, "own")
    }))

  it.live("plays the same history of the same seed", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* play(5), yield* play(5))
      assert.deepStrictEqual(yield* play(5, "own"), yield* play(5, "own"))
      assert.notDeepEqual(yield* play(5), yield* play(6))
    }))
})

describe("what the soak has found", () => {
  it.effect("a borrower is not taken for one that polled before", () =>
    Effect.gen(function*() {
      let well = true
      const pool = yield* Pool.make({
        acquire: Effect.service(Pool.CreationNumber),
        max: 1,
        healthCheck: () => Effect.as(Effect.yieldNow, well),
        healthAfterIdle: 0
      })
      yield* Pool.awaitReady(pool)
      assert.deepStrictEqual(yield* Effect.scoped(Pool.poll(pool)), Option.some(0))
      well = false
      // its object is lost in the check: it waits for the next
      assert.strictEqual(yield* Effect.scoped(Pool.get(pool)), 1)
    }))
})
