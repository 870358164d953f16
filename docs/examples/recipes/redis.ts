/**
 * Redis, with a small client in the place of a dependency: one connection, on which commands are answered in order. Most
 * programs need no pool for that: one connection serves everybody (`sharedRedis`). A pool is for what takes a connection for
 * itself: transactions with WATCH and MULTI, and commands that block.
 */
import { Context, Deferred, Effect, Latch, Schema } from "effect"
import * as net from "node:net"
import { Proxy } from "proxy-pattern-pool"

export type Reply = string | number | null | ReadonlyArray<Reply>

export class RedisError extends Schema.TaggedError<RedisError>()("RedisError", {
  message: Schema.String,
  /** The connection is lost, or in the midst of something: nothing can be asked of it any more. */
  fatal: Schema.Boolean
}) {}

export interface Connection {
  readonly port: number
  readonly isLost: boolean
  /** Answers are yet to come. */
  readonly isBusy: boolean
  /** Undoes a transaction that was left open. */
  readonly reset: Effect.Effect<void, RedisError>
  command(...words: ReadonlyArray<string>): Effect.Effect<Reply, RedisError>
}

/** Where the server is. */
export class Address extends Context.Service<Address, net.TcpNetConnectOpts>()("recipes/redis/Address") {}

// the length of a string on the wire is in bytes, so that is how it is read: one character for each
const encode = (text: string) => Buffer.from(text).toString("latin1")
const decode = (bytes: string) => Buffer.from(bytes, "latin1").toString()

/** A reply and where the next one begins; nothing while it is not there as a whole. */
const parse = (text: string, at: number): readonly [reply: Reply | RedisError, next: number] | undefined => {
  const end = text.indexOf("\r\n", at)
  if (end === -1) return undefined
  const line = text.slice(at + 1, end)
  switch (text[at]) {
    case "+":
      return [line, end + 2]
    case "-":
      return [new RedisError({ message: line, fatal: false }), end + 2]
    case ":":
      return [Number(line), end + 2]
    case "$": {
      const next = end + 2 + Number(line) + 2
      if (line === "-1") return [null, end + 2]
      return text.length < next ? undefined : [decode(text.slice(end + 2, next - 2)), next]
    }
    default: {
      if (line === "-1") return [null, end + 2]
      const items: Array<Reply> = []
      let next = end + 2
      for (let left = Number(line); left > 0; left--) {
        const item = parse(text, next)
        if (item === undefined) return undefined
        items.push(item[0] instanceof RedisError ? item[0].message : item[0])
        next = item[1]
      }
      return [items, next]
    }
  }
}

/** Opens a connection, which is closed with the Scope. */
export const connect = Effect.gen(function*() {
  const address = yield* Address
  const connected = Deferred.makeUnsafe<void, RedisError>()
  const closed = Latch.makeUnsafe()
  const asked: Array<(reply: Effect.Effect<Reply, RedisError>) => void> = []
  let lost: RedisError | undefined
  let unread = ""
  let transaction: "none" | "watching" | "queueing" = "none"

  const lose = (message: string) => {
    lost ??= new RedisError({ message, fatal: true })
    for (const answer of asked.splice(0)) answer(Effect.fail(lost))
    Deferred.doneUnsafe(connected, Effect.fail(lost))
  }

  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => net.connect(address).setEncoding("latin1").setNoDelay(true)),
    (socket) =>
      Effect.suspend(() => {
        socket.destroy()
        return closed.await
      })
  )
  socket.on("connect", () => Deferred.doneUnsafe(connected, Effect.void))
  socket.on("error", (error) => lose(error.message))
  socket.on("close", () => {
    lose("the server has closed the connection")
    closed.openUnsafe()
  })
  socket.on("data", (data: string) => {
    unread += data
    for (let found = parse(unread, 0); found !== undefined; found = parse(unread, 0)) {
      unread = unread.slice(found[1])
      asked.shift()?.(found[0] instanceof RedisError ? Effect.fail(found[0]) : Effect.succeed(found[0]))
    }
  })
  yield* Deferred.await(connected)

  const note = (command: string) => {
    if (command === "MULTI") transaction = "queueing"
    else if (command === "EXEC" || command === "DISCARD") transaction = "none"
    else if (transaction !== "queueing" && command === "WATCH") transaction = "watching"
    else if (transaction !== "queueing" && command === "UNWATCH") transaction = "none"
  }

  const command = (...words: ReadonlyArray<string>) =>
    Effect.callback<Reply, RedisError>((resume) => {
      if (lost !== undefined) return resume(Effect.fail(lost))
      note(words[0].toUpperCase())
      asked.push(resume)
      const parts = words.map(encode).map((part) => `$${part.length}\r\n${part}\r\n`)
      socket.write(`*${parts.length}\r\n${parts.join("")}`, "latin1")
    })

  const connection: Connection = {
    port: socket.localPort ?? 0,
    get isLost() {
      return lost !== undefined
    },
    get isBusy() {
      return asked.length > 0
    },
    reset: Effect.suspend(() =>
      transaction === "none" ? Effect.void : Effect.asVoid(command(transaction === "queueing" ? "DISCARD" : "UNWATCH"))
    ),
    command
  }
  return connection
})

export class Redis extends Proxy.Service<Redis, Connection, RedisError>()("recipes/Redis") {}

/** One connection for everybody, replaced when it is lost: for single commands. */
export const sharedRedis = Redis.layerShared({
  acquire: connect,
  healthCheck: (connection) => Effect.as(connection.command("PING"), true),
  healthInterval: "10 seconds",
  describe: ({ port }) => ({ port })
})

/** A connection for each unit of work: for transactions, and for commands that block. */
export const pooledRedis = Redis.layerPool({
  acquire: connect,
  min: 0,
  max: 10,
  borrowTimeout: "2 seconds",
  createTimeout: "2 seconds",
  idleTimeToLive: "1 minute",
  onReturn: (connection) => connection.reset,
  // a look and no round trip; whoever was interrupted has left an answer unread
  healthCheck: ({ isBusy, isLost }) => Effect.succeed(!isLost && !isBusy),
  healthAfterIdle: 0,
  describe: ({ port }) => ({ port })
})

/** Adds to a number that others may change at the same time: tries again when they did. */
export const add = Effect.fnUntraced(function*(key: string, amount: number) {
  const redis = yield* Redis
  for (;;) {
    yield* redis.command("WATCH", key)
    const sum = Number(yield* redis.command("GET", key)) + amount
    yield* redis.command("MULTI")
    yield* redis.command("SET", key, String(sum))
    if ((yield* redis.command("EXEC")) !== null) return sum
  }
}, Redis.scoped)
