/**
 * The monitor of all pools, on a server of its own: it shows who holds what, so it must not stand where everybody can
 * see it.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import * as PoolMonitor from "proxy-pattern-pool/PoolMonitor"
import { Screen } from "./screen.ts"

const announce = Layer.effectDiscard(Effect.gen(function*() {
  const { address } = yield* HttpServer.HttpServer
  const screen = yield* Screen
  yield* screen.print(`monitor: ${HttpServer.formatAddress(address)}/pool-monitor`)
}))

export const monitor = Layer.mergeAll(
  HttpRouter.serve(PoolMonitor.layerHttp(), { disableLogger: true, disableListenLog: true }),
  announce
).pipe(Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })))
