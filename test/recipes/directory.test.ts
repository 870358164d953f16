import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Ref } from "effect"
import { Pool } from "proxy-pattern-pool"
import { type Account, Directory, directory, hasPassword, Settings } from "../../docs/examples/recipes/directory.ts"
import { listen } from "./kit.ts"

const account = (name: string, password: string): Account => ({ name, password: Redacted.make(password) })

/** A directory with two accounts. A search for `wait` is never answered. */
const fakeDirectory = Effect.gen(function*() {
  const passwords = new Map([["service", "old"], ["ada", "countess"]])
  const server = yield* listen((socket) => {
    let user: string | undefined
    return (data) => {
      for (const line of data.trim().split("\n")) {
        const { id, login, password, search } = JSON.parse(line)
        if (search === "wait") continue
        const answer = login === undefined
          ? user === "service" ? { found: [`${search} for ${user}`] } : { error: "denied" }
          : passwords.get(login) === password
          ? { found: [] }
          : { error: "invalidCredentials" }
        if (login !== undefined) user = "error" in answer ? undefined : login
        const text = `${JSON.stringify({ id, ...answer })}\n`
        socket.write(text.slice(0, 5))
        socket.write(text.slice(5))
      }
    }
  })
  return { ...server, passwords }
})

const withDirectory = <A, E, R>(
  body: (
    server: Effect.Success<typeof fakeDirectory>,
    password: Ref.Ref<string>
  ) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    const server = yield* fakeDirectory
    const password = yield* Ref.make("old")
    const settings = Layer.succeed(Settings, {
      address: { host: "127.0.0.1", port: server.port },
      account: Effect.map(Ref.get(password), (password) => account("service", password))
    })
    return yield* Effect.provide(body(server, password), Layer.provide(directory, settings))
  })

const search = (filter: string) => Effect.flatMap(Directory.perCall, (directory) => directory.search(filter))
const stats = Effect.flatMap(Directory.pool, Pool.stats)

describe("a directory", () => {
  it.live("is searched by the service's own account, also after a connection was somebody else's", () =>
    withDirectory(() =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* search("a"), ["a for service"])
        assert.isTrue(yield* hasPassword(account("ada", "countess")))
        assert.isFalse(yield* hasPassword(account("ada", "wrong")))
        assert.deepStrictEqual(yield* search("b"), ["b for service"])
        assert.strictEqual((yield* stats).created, 1)
      })
    ))

  it.live("goes on with the connection of somebody who has left: answers have numbers", () =>
    withDirectory(() =>
      Effect.gen(function*() {
        const waiting = yield* Effect.forkChild(search("wait"), { startImmediately: true })
        yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => Effect.map(stats, ({ inUse }) => inUse === 1) })
        yield* Fiber.interrupt(waiting)
        assert.deepStrictEqual(yield* search("c"), ["c for service"])
        const { destroyed } = yield* stats
        assert.deepStrictEqual([destroyed.failed, destroyed.unhealthy], [0, 0])
      })
    ))

  it.live("is logged in to with the new password once it has changed", () =>
    withDirectory(({ passwords }, password) =>
      Effect.gen(function*() {
        yield* search("a")
        passwords.set("service", "new")
        yield* Ref.set(password, "new")
        yield* Pool.evict(yield* Directory.pool)
        assert.deepStrictEqual(yield* search("b"), ["b for service"])
        assert.strictEqual((yield* stats).destroyed.evicted, 1)
      })
    ))

  it.live("tells a borrower at once that its own password is wrong", () =>
    withDirectory(({ passwords }) =>
      Effect.gen(function*() {
        passwords.set("service", "new")
        yield* Pool.evict(yield* Directory.pool)
        const error = yield* Effect.flip(search("a"))
        assert.strictEqual(error._tag === "DirectoryError" ? error.code : "", "invalidCredentials")
      })
    ))
})
