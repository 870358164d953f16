/**
 * A few browsers, each shared by a few borrowers: a context of its own for each, closed when its Scope closes. A browser
 * leaks and crashes, so it is looked at before it is lent, and is thrown away after a while.
 */
import { Config, Effect, Schema, type Scope } from "effect"
import { type Browser as Chromium, type BrowserContext, chromium, type Page } from "playwright-core"
import { Pool, Proxy } from "proxy-pattern-pool"

export class BrowserError extends Schema.TaggedError<BrowserError>()("BrowserError", { cause: Schema.Defect() }) {
  override get message() {
    return this.cause instanceof Error ? this.cause.message : String(this.cause)
  }
}

const attempt = <A>(run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => new BrowserError({ cause }) })

export interface Browser {
  readonly id: number
  readonly isConnected: boolean
  /** A context with a page, until the Scope closes: cookies and storage are nobody else's. */
  readonly page: Effect.Effect<Page, BrowserError, Scope.Scope>
}

const launch = Effect.gen(function*() {
  const id = yield* Pool.CreationNumber
  const executablePath = yield* Effect.orDie(Config.String("CHROMIUM").pipe(Config.withDefault("/usr/bin/chromium")))
  const args = ["--no-sandbox", "--disable-gpu"]
  const browser: Chromium = yield* Effect.acquireRelease(
    attempt(() => chromium.launch({ executablePath, args })),
    (browser) => Effect.ignore(attempt(() => browser.close()))
  )
  const context = Effect.acquireRelease(
    attempt(() => browser.newContext()),
    (context: BrowserContext) => Effect.ignore(attempt(() => context.close()))
  )
  const self: Browser = {
    id,
    get isConnected() {
      return browser.isConnected()
    },
    page: Effect.flatMap(context, (context) => attempt(() => context.newPage()))
  }
  return self
})

export class Browsers extends Proxy.Service<Browsers, Browser, BrowserError>()("recipes/Browsers") {}

export const browsers = Browsers.layerPool({
  acquire: launch,
  min: 0,
  max: 2,
  concurrency: 4,
  maxUses: 100,
  maxWaiting: 50,
  idleTimeToLive: "1 minute",
  timeToLive: "1 hour",
  createTimeout: "30 seconds",
  borrowLimit: "1 minute",
  destroyTimeout: "10 seconds",
  healthCheck: ({ isConnected }) => Effect.succeed(isConnected),
  healthInterval: "10 seconds",
  healthAfterIdle: 0,
  describe: ({ id }) => ({ browser: id })
})

/** A picture of a page. */
export const screenshot = Effect.fnUntraced(function*(html: string) {
  const browser = yield* Browsers
  const page = yield* browser.page()
  yield* attempt(() => page.setContent(html))
  return yield* attempt(() => page.screenshot())
}, Effect.scoped)
