/** Servers of the recipes that need nothing installed: what they are asked, a function answers. */
import { Effect } from "effect"
import * as net from "node:net"

/** Listens until the Scope closes. `serve` gets each connection, and gives what answers its data. */
export const listen = (serve: (socket: net.Socket, number: number) => (data: string) => void) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly sockets: Set<net.Socket>; readonly server: net.Server }>(
      (resume) => {
        const sockets = new Set<net.Socket>()
        let number = 0
        const server = net.createServer((socket) => {
          sockets.add(socket.setNoDelay(true))
          socket.on("close", () => sockets.delete(socket))
          socket.on("error", () => {})
          socket.setEncoding("latin1").on("data", serve(socket, number++))
        })
        server.listen(0, "127.0.0.1", () => {
          resume(Effect.succeed({ port: (server.address() as net.AddressInfo).port, sockets, server }))
        })
      }
    ),
    ({ server, sockets }) =>
      Effect.callback<void>((resume) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resume(Effect.void))
      })
  )
