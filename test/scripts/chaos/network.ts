/**
 * What lies between the pool and its server: a TCP proxy that does to connections what networks do. It knows both ends,
 * and so which backends of the server still have a client.
 */
import { Context, Effect, Layer } from "effect"
import { connect, createServer, type Socket } from "node:net"
import { Address } from "../../../docs/examples/bank/connection.ts"

/** Has a client; has lost it, and could not be told; has been told, and must go. */
export type BackendState = "living" | "deserted" | "ending"

/** Does something to the network, and gives what undoes it. */
type Trouble = Effect.Effect<Effect.Effect<void>>

export class Network extends Context.Service<Network, {
  /** Its near end, in the place of the server's address. */
  readonly near: Address["Service"]
  /** Every piece of every connection takes so long. */
  latency(millis: number): Trouble
  /** Nothing gets through, nothing is lost: new connections are made, and hear nothing. */
  readonly hold: Trouble
  /** The same for a share of the connections that are there: new ones work. */
  stick(share: number): Trouble
  /** New connections are refused. */
  readonly refuse: Trouble
  /** Resets a share of the connections at the client's end; their servers are not told. */
  reset(share: number): Trouble
  /** Closes one half of a share of the connections, and delivers the other half to nobody. */
  halfClose(share: number, towards: "client" | "server"): Trouble
  /** Of the backend whose client has this port, as the server sees it. */
  stateOf(port: number): BackendState
}>()("chaos/Network") {
  static readonly layer = Layer.effect(
    Network,
    Effect.gen(function*() {
      const address = yield* Address
      const far = { host: address.host ?? "127.0.0.1", port: address.port ?? 5432 }
      const lines = new Set<Line>()
      const state = { latency: 0, held: false }

      /** Delivers what one end says to the other, in this order, when it may. */
      const carry = (line: Line, from: Socket, to: Socket): Direction => {
        const pieces: Array<{ readonly at: number; readonly what: Piece }> = []
        const deliver = () => {
          while (pieces.length > 0 && !state.held && line.deaf === 0) {
            const wait = pieces[0]!.at - performance.now()
            // real time: the sockets are real, and the server at their other end knows no other clock
            if (wait > 0) return void setTimeout(deliver, wait)
            const { what } = pieces.shift()!
            if (to.destroyed || (to.writableEnded && what !== "reset")) continue
            if (what === "reset") to.resetAndDestroy()
            else if (what === "end") to.end()
            else to.write(what)
          }
        }
        const say = (what: Piece) => {
          pieces.push({ at: performance.now() + state.latency, what })
          deliver()
        }
        from.on("data", say).on("end", () => say("end")).on("error", () => say("reset"))
        return { say, deliver }
      }

      const listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
        const server = connect({ ...far, allowHalfOpen: true, noDelay: true })
        const line: Line = { client, server, port: 0, deaf: 0 }
        line.up = carry(line, client, server)
        line.down = carry(line, server, client)
        lines.add(line)
        server.once("connect", () => {
          line.port = server.localPort!
        })
        const closed = () => {
          if (client.destroyed && server.destroyed) lines.delete(line)
        }
        client.on("close", closed)
        server.on("close", closed)
      })
      const listen = (port: number): Effect.Effect<number> =>
        Effect.callback<number>((resume) => {
          const again = () => resume(Effect.delay(listen(port), "20 millis"))
          listener.once("error", again).listen(port, "127.0.0.1", () => {
            listener.removeListener("error", again)
            resume(Effect.succeed(portOf(listener.address())))
          })
        })
      const port = yield* Effect.acquireRelease(listen(0), () =>
        Effect.sync(() => {
          listener.close()
          for (const { client, server } of lines) for (const socket of [client, server]) socket.destroy()
        }))

      /** Every second one for a half, every one for a whole: neither end hears of the other until it is over. */
      const deafen = (share: number, doTo: (line: Line) => void): Trouble =>
        Effect.sync(() => {
          const some = Array.from(lines).filter((_, i) => Math.floor((i + 1) * share) > Math.floor(i * share))
          for (const line of some) {
            line.deaf++
            doTo(line)
          }
          return Effect.sync(() => {
            for (const line of some) {
              line.deaf--
              deliver(line)
            }
          })
        })

      return {
        near: { ...address, host: "127.0.0.1", port },
        latency: (millis) =>
          Effect.sync(() => {
            state.latency = millis
            return Effect.sync(() => {
              state.latency = 0
            })
          }),
        hold: Effect.sync(() => {
          state.held = true
          return Effect.sync(() => {
            state.held = false
            for (const line of lines) deliver(line)
          })
        }),
        refuse: Effect.sync(() => {
          listener.close()
          return Effect.asVoid(listen(port))
        }),
        stick: (share) => deafen(share, () => {}),
        reset: (share) =>
          deafen(share, (line) => {
            line.client.resetAndDestroy()
            line.up?.say("reset")
          }),
        halfClose: (share, towards) => deafen(share, (line) => void line[towards].end()),
        stateOf: (port) => {
          for (const line of lines) {
            if (line.port !== port) continue
            return !line.client.destroyed ? "living" : state.held || line.deaf > 0 ? "deserted" : "ending"
          }
          return "ending"
        }
      }
    })
  )
}

const deliver = (line: Line) => {
  line.up?.deliver()
  line.down?.deliver()
}

interface Line {
  readonly client: Socket
  readonly server: Socket
  /** The client's, as the server sees it. */
  port: number
  /** By how many troubles neither end hears of the other. */
  deaf: number
  /** From the client to the server. */
  up?: Direction
  /** From the server to the client. */
  down?: Direction
}

type Piece = Buffer | "end" | "reset"

interface Direction {
  say(what: Piece): void
  deliver(): void
}

const portOf = (address: ReturnType<ReturnType<typeof createServer>["address"]>) =>
  typeof address === "object" && address !== null ? address.port : 0
