/**
 * A directory, as LDAP is one: a connection over `node:net` that knows who is logged in. Searches are done by the service's
 * own account; to check somebody's password, the connection logs in as them. What a holder changes on the connection, the
 * pool changes back: `onReturn`. The protocol is JSON, one message a line, with numbered requests.
 */
import { Context, Deferred, Effect, Latch, Redacted, Schema } from "effect"
import * as net from "node:net"
import { Proxy } from "proxy-pattern-pool"

export class DirectoryError extends Schema.TaggedError<DirectoryError>()("DirectoryError", {
  code: Schema.Literals(["unreachable", "lost", "invalidCredentials", "denied"])
}) {}

export interface Account {
  readonly name: string
  readonly password: Redacted.Redacted
}

/** Where the directory is, and who we are there. The account is read for each connection, since passwords change. */
export class Settings extends Context.Service<Settings, {
  readonly address: net.TcpNetConnectOpts
  readonly account: Effect.Effect<Account>
}>()("recipes/directory/Settings") {}

export interface Connection {
  readonly port: number
  readonly isLost: boolean
  /** Who is logged in. */
  readonly user: string | undefined
  login(account: Account): Effect.Effect<void, DirectoryError>
  search(filter: string): Effect.Effect<ReadonlyArray<string>, DirectoryError>
}

const Message = Schema.fromJsonString(Schema.Struct({
  id: Schema.Int,
  error: Schema.optionalKey(Schema.Literals(["invalidCredentials", "denied"])),
  found: Schema.optionalKey(Schema.Array(Schema.String))
}))
type Message = typeof Message.Type

/** Opens a connection that nobody is logged in to; it is closed with the Scope. */
const open = Effect.fnUntraced(function*(address: net.TcpNetConnectOpts) {
  const connected = Deferred.makeUnsafe<void, DirectoryError>()
  const closed = Latch.makeUnsafe()
  const asked = new Map<number, (answer: Effect.Effect<Message, DirectoryError>) => void>()
  let next = 0
  let isLost = false
  let unread = ""
  let user: string | undefined

  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => net.connect(address).setEncoding("utf8").setNoDelay(true)),
    (socket) =>
      Effect.suspend(() => {
        socket.destroy()
        return closed.await
      })
  )
  socket.on("connect", () => Deferred.doneUnsafe(connected, Effect.void))
  socket.on("error", () => Deferred.doneUnsafe(connected, Effect.fail(new DirectoryError({ code: "unreachable" }))))
  socket.on("close", () => {
    isLost = true
    for (const answer of asked.values()) answer(Effect.fail(new DirectoryError({ code: "lost" })))
    closed.openUnsafe()
  })
  socket.on("data", (data: string) => {
    const lines = (unread + data).split("\n")
    unread = lines.pop() ?? ""
    for (const line of lines) {
      const message = Schema.decodeSync(Message)(line)
      asked.get(message.id)?.(Effect.succeed(message))
    }
  })
  yield* Deferred.await(connected)

  const ask = (request: object) =>
    Effect.callback<Message, DirectoryError>((resume) => {
      if (isLost) return resume(Effect.fail(new DirectoryError({ code: "lost" })))
      const id = next++
      asked.set(id, (answer) => {
        asked.delete(id)
        resume(answer)
      })
      socket.write(`${JSON.stringify({ id, ...request })}\n`)
      // requests have numbers, so an answer that nobody waits for harms nobody
      return Effect.sync(() => asked.delete(id))
    }).pipe(
      Effect.filterOrFail(
        ({ error }) => error === undefined,
        ({ error = "denied" }) => new DirectoryError({ code: error })
      )
    )

  const connection: Connection = {
    port: socket.localPort ?? 0,
    get isLost() {
      return isLost
    },
    get user() {
      return user
    },
    login: ({ name, password }) =>
      Effect.suspend(() => {
        user = undefined // until the answer is there, nobody knows
        return ask({ login: name, password: Redacted.value(password) })
      }).pipe(
        Effect.tap(Effect.sync(() => {
          user = name
        })),
        Effect.asVoid
      ),
    search: (filter) => Effect.map(ask({ search: filter }), ({ found = [] }) => found)
  }
  return connection
})

export class Directory extends Proxy.Service<Directory, Connection, DirectoryError>()("recipes/Directory") {}

/** Connections of the service's own account. */
export const directory = Directory.layerPool({
  acquire: Effect.gen(function*() {
    const { account, address } = yield* Settings
    const connection = yield* open(address)
    yield* connection.login(yield* account)
    return connection
  }),
  max: 5,
  borrowTimeout: "3 seconds",
  createTimeout: "3 seconds",
  idleTimeToLive: "5 minutes",
  // whoever is logged in now, the next holder finds the service's own account
  onReturn: (connection) =>
    Effect.gen(function*() {
      const own = yield* (yield* Settings).account
      if (connection.user !== own.name) yield* connection.login(own)
    }),
  hookTimeout: "2 seconds",
  healthCheck: (connection) => connection.isLost ? Effect.succeed(false) : Effect.as(connection.search("me"), true),
  healthInterval: "30 seconds",
  healthAfterIdle: "5 seconds",
  describe: ({ port, user = "nobody" }) => ({ port, user })
})

/** Is this the password of that user? The connection is theirs meanwhile, and nobody else's. */
export const hasPassword = (account: Account) =>
  Directory.useObject((connection) =>
    connection.login(account).pipe(
      Effect.as(true),
      Effect.catchIf(({ code }) => code === "invalidCredentials", () => Effect.succeed(false))
    )
  )
