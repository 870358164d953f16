/**
 * The clients: so many at a time ask for transfers and reads over HTTP, one after the other, until the time is up. Beside
 * them a few do what one should not: ask for reports and hang up, or ask for reports that take for ever. `Tally` keeps
 * what became of the requests.
 */
import { Clock, Context, Duration, Effect, Layer, Number, Random } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpServer } from "effect/http"
import { accountCount } from "./ledger.ts"

export const kinds = ["transfer", "read", "report", "long report"] as const
export type Kind = typeof kinds[number]

/** `declined` is a no of the bank, `failed` one of its machinery; `abandoned` are those whose client has hung up. */
export const outcomes = ["served", "declined", "failed", "abandoned"] as const
export type Outcome = typeof outcomes[number]

export class Tally extends Context.Service<Tally, {
  readonly requests: Readonly<Record<Kind, Record<Outcome, number>>>
  /** How many requests have come to an end of whatever kind. */
  readonly total: () => number
  /** When the server accepted connections again, and how long it took from there until a request was served. */
  readonly recovery: { since: number; took: number }
}>()("bank/Tally") {
  static readonly layer = Layer.sync(Tally, () => {
    const none = () => ({ served: 0, declined: 0, failed: 0, abandoned: 0 })
    const requests = { transfer: none(), read: none(), report: none(), "long report": none() }
    const total = () => Number.sumAll(kinds.flatMap((kind) => Object.values(requests[kind])))
    return { requests, total, recovery: { since: Infinity, took: Infinity } }
  })
}

export const load = Effect.fnUntraced(function*(options: {
  readonly clients: number
  readonly duration: Duration.Duration
}) {
  const { recovery, requests } = yield* Tally
  const { address } = yield* HttpServer.HttpServer
  const http = (yield* HttpClient.HttpClient).pipe(
    HttpClient.mapRequest(HttpClientRequest.prependUrl(HttpServer.formatAddress(address)))
  )

  const ask = Effect.fnUntraced(function*(
    kind: Kind,
    request: HttpClientRequest.HttpClientRequest,
    patience: Duration.Input = Duration.infinity
  ) {
    const outcome = yield* http.execute(request).pipe(
      Effect.tap((response) => response.text),
      Effect.map(({ status }): Outcome => status < 300 ? "served" : status === 409 ? "declined" : "failed"),
      Effect.orElseSucceed((): Outcome => "failed"),
      Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.succeed<Outcome>("abandoned") })
    )
    requests[kind][outcome]++
    const now = yield* Clock.currentTimeMillis
    if (outcome === "served" && now >= recovery.since) recovery.took = Math.min(recovery.took, now - recovery.since)
  })

  const anAccount = Random.nextIntBetween(1, accountCount)
  const transfer = Effect.gen(function*() {
    const body = { from: yield* anAccount, to: yield* anAccount, amount: yield* Random.nextIntBetween(1, 100) }
    yield* ask("transfer", HttpClientRequest.bodyJsonUnsafe(HttpClientRequest.post("/transfers"), body))
  })
  const read = Effect.flatMap(anAccount, (id) => ask("read", HttpClientRequest.get(`/accounts/${id}`)))
  const client = Effect.flatMap(Random.nextBoolean, (heads) => heads ? transfer : read)
  const hasty = Effect.flatMap(
    Random.nextIntBetween(0, 1000),
    (patience) => ask("report", HttpClientRequest.get("/report?seconds=0.2"), patience)
  )
  const greedy = ask("long report", HttpClientRequest.get("/report?seconds=60")).pipe(
    Effect.delay(Duration.divideUnsafe(options.duration, 20))
  )

  const end = (yield* Clock.currentTimeMillis) + Duration.toMillis(options.duration)
  const timeIsLeft = Effect.map(Clock.currentTimeMillis, (now) => now < end)
  const everybody = [greedy, hasty, hasty, ...Array.from({ length: options.clients }, () => client)]
  yield* Effect.forEach(everybody, Effect.repeat({ while: () => timeIsLeft }), {
    concurrency: "unbounded",
    discard: true
  })
}, Effect.provide(FetchHttpClient.layer))
