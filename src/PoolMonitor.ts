/**
 * A page that shows every pool open in the process: who holds what, who waits, what is created and destroyed and why.
 *
 * It is not at the root of the package, because it needs Effect's HTTP modules:
 * `import * as PoolMonitor from "proxy-pattern-pool/PoolMonitor"`.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import { Looker } from "./internal/monitor.ts"
import { EventLog } from "./internal/monitorEvents.ts"
import { page } from "./internal/monitorPage.ts"

/**
 * Where the page is.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpOptions {
  /** The path of the page; what it shows comes from the path `events` below it. Default: `"/pool-monitor"`. */
  readonly path?: `/${string}` | undefined
}

const pageHeaders = {
  "cache-control": "no-store",
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'",
  "x-content-type-options": "nosniff"
}

const streamHeaders = {
  "cache-control": "no-store",
  // a connection that is kept would keep the server from closing for a while
  "connection": "close",
  // or a proxy in between may keep the frames until it has enough of them
  "x-accel-buffering": "no"
}

/** A server of Node that closes waits for all who are connected, and tells nobody: it has only stopped listening. */
const isClosing = ({ source }: HttpServerRequest.HttpServerRequest): boolean =>
  Predicate.hasProperty(source, "socket") && Predicate.hasProperty(source.socket, "server") &&
  Predicate.hasProperty(source.socket.server, "listening") && source.socket.server.listening === false

/** Frames as server-sent events, one a second, for one open page. */
const frames = (log: EventLog): Stream.Stream<string> =>
  Stream.unwrap(
    Effect.map(
      Effect.acquireRelease(Effect.sync(() => new Looker(log)), (looker) => Effect.sync(() => looker.close())),
      (looker) =>
        Stream.tick("1 second").pipe(
          Stream.mapEffect(() => Clock.currentTimeMillis),
          Stream.map((now) => `data: ${JSON.stringify(looker.frame(now))}\n\n`)
        )
    )
  )

/**
 * A layer that adds the page to Effect's `HttpRouter`.
 *
 * **When to use**
 *
 * Use while developing, and on an internal port of a service, to see who holds what when a pool is exhausted.
 *
 * **Details**
 *
 * For every open pool of the process, whatever layer or Scope it is in, the page shows a chart of the last two minutes
 * (in use, idle, creating, destroying, against `max`; and those who wait), how long borrowers waited (half of them, and
 * 99 of 100, in the last minute), what was created and destroyed and for which reasons, and its objects: holder, span,
 * how long held, uses, age, the longest held first and the overdue ones marked, up to 200 of them. Below are the last
 * 100 events. It is one page without any request to elsewhere, in light or dark as the reader has it, and follows the
 * pools with server-sent events, one a second.
 *
 * While no page is open it costs nothing. While one is, the pools tell their events to it, as `Pool.events` does.
 *
 * **Gotchas**
 *
 * It shows what `Pool.stats` and `Pool.events` say, `describe` included, and never an object itself; but names of spans
 * and what `describe` says may be more than the public should know. Serve it where only operators can reach it.
 *
 * **Example** (Serving the page)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { HttpRouter, HttpServer } from "effect/http"
 * import * as PoolMonitor from "proxy-pattern-pool/PoolMonitor"
 *
 * const Routes = PoolMonitor.layerHttp({ path: "/pools" })
 *
 * // a server would be `HttpRouter.serve(Routes)`
 * const { dispose, handler } = HttpRouter.toWebHandler(Routes.pipe(Layer.provide(HttpServer.layerServices)))
 * const response = await handler(new Request("http://localhost/pools"))
 *
 * response.status // => 200
 * response.headers.get("content-type") // => "text/html; charset=utf-8"
 * await dispose()
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttp = (options?: HttpOptions): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const path = options?.path ?? "/pool-monitor"
    const router = yield* HttpRouter.HttpRouter
    const log = new EventLog(yield* Clock.currentTimeMillis)
    // a page that is open must not keep the server from closing
    const closed = yield* Deferred.make<void>()
    yield* Effect.addFinalizer(() => Deferred.succeed(closed, undefined))

    yield* router.add(
      "GET",
      path,
      HttpServerResponse.text(page, { contentType: "text/html; charset=utf-8", headers: pageHeaders })
    )
    yield* router.add(
      "GET",
      `${path.replace(/\/+$/, "")}/events` as `/${string}`,
      (request) => {
        const body = frames(log).pipe(
          Stream.takeWhile(() => !isClosing(request)),
          Stream.interruptWhen(Deferred.await(closed)),
          Stream.encodeText
        )
        return Effect.succeed(
          HttpServerResponse.stream(body, { contentType: "text/event-stream", headers: streamHeaders })
        )
      }
    )
  }))
