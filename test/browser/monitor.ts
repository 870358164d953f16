/**
 * The monitor's page in a real browser: `npm run test:browser`. Needs Chromium, at `/usr/bin/chromium` or wherever the
 * variable CHROMIUM says. With `-- --screenshot FILE` it also takes the picture that the documentation shows.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Deferred, Effect, Exit, Layer, Logger, Scope } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import * as assert from "node:assert/strict"
import * as fs from "node:fs"
import { createServer } from "node:http"
import * as path from "node:path"
import type { Browser, Page } from "playwright-core"
import { chromium } from "playwright-core"
import { KeyedPool, Pool } from "proxy-pattern-pool"
import * as PoolMonitor from "proxy-pattern-pool/PoolMonitor"

const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium"

const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkScoped(effect, { startImmediately: true })

const make = (options: Partial<Pool.Options<unknown>>) =>
  Pool.make<unknown, never, never>({ acquire: Effect.succeed({}), min: 0, max: 1, shutdownTimeout: 0, ...options })

const serve = HttpRouter.serve(PoolMonitor.layerHttp({ path: "/pools" }), {
  disableLogger: true,
  disableListenLog: true
})
  .pipe(
    Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
    Layer.build,
    Effect.flatMap((context) => Effect.provide(HttpServer.addressFormattedWith(Effect.succeed), context)),
    Effect.orDie
  )

// ---------------------------------------------------------------------------------------------------------------------
// the browser
// ---------------------------------------------------------------------------------------------------------------------

const launch = Effect.acquireRelease(
  Effect.promise(() => chromium.launch({ executablePath, args: ["--headless", "--no-sandbox", "--disable-gpu"] })),
  (browser) => Effect.promise(() => browser.close())
)

interface Open {
  readonly page: Page
  /** Errors of the console, uncaught exceptions, and requests to elsewhere. */
  readonly complaints: Array<string>
}

/** Waits until the page shows what it must. */
const until = <A>(page: Page, what: string, holds: (argument: A) => boolean, argument: A) =>
  Effect.promise(async () => {
    try {
      await page.waitForFunction(holds as never, argument, { timeout: 15_000, polling: 50 })
    } catch (error) {
      throw new Error(`the page never shows that ${what}; it shows:\n${await page.innerText("main")}`, { cause: error })
    }
  })

/** The status in the page's head. */
const says = (page: Page, text: string) =>
  until(page, `it is ${text}`, (text) => document.querySelector("#status")!.textContent!.includes(text), text)

/** A page that is live: what happens before its first frame is not told to it, for nobody looked. */
const open = (browser: Browser, address: string, width = 1280, height = 900) =>
  Effect.acquireRelease(
    Effect.promise(async (): Promise<Open> => {
      const page = await browser.newPage({ viewport: { width, height } })
      const complaints: Array<string> = []
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") complaints.push(message.text())
      })
      page.on("pageerror", (error) => complaints.push(String(error)))
      page.on("request", (request) => {
        if (!request.url().startsWith(address) && !request.url().startsWith("data:")) {
          complaints.push(`asked for ${request.url()}`)
        }
      })
      await page.goto(`${address}/pools`)
      return { page, complaints }
    }),
    ({ page }) => Effect.promise(() => page.close())
  ).pipe(Effect.tap(({ page }) => says(page, "live")))

/** The card of a pool has these texts: `[data-field]` and what is in it. */
const shows = (page: Page, name: string, fields: Readonly<Record<string, string>>) =>
  until(
    page,
    `${name} has ${JSON.stringify(fields)}`,
    ({ fields, name }) => {
      const card = [...document.querySelectorAll<HTMLElement>("[data-pool]")].find((card) =>
        card.dataset["pool"] === name
      )
      return card !== undefined && Object.entries(fields).every(([field, text]) =>
        card.querySelector(`[data-field="${field}"]`)?.textContent?.includes(text)
      )
    },
    { name, fields }
  )

const hasEvent = (page: Page, ...texts: ReadonlyArray<string>) =>
  until(
    page,
    `an event has ${texts.join(", ")}`,
    (texts) =>
      [...document.querySelectorAll("#event-rows tr")].some((row) =>
        texts.every((text) => row.textContent?.includes(text))
      ),
    texts
  )

/** Nothing is wider than the window, and no card is too narrow to be read. */
const isReadable = (page: Page) =>
  Effect.promise(() =>
    page.evaluate(() => {
      const { clientWidth, scrollWidth } = document.documentElement
      const cards = [...document.querySelectorAll("[data-pool]")].map((card) => card.getBoundingClientRect())
      const overlap = cards.some((one, index) =>
        cards.slice(index + 1).some((other) =>
          one.left < other.right - 1 && other.left < one.right - 1 && one.top < other.bottom - 1 &&
          other.top < one.bottom - 1
        )
      )
      return {
        fits: scrollWidth <= clientWidth,
        narrowest: Math.min(...cards.map(({ width }) => width)),
        tallest: Math.max(...cards.map(({ height }) => height)),
        overlap
      }
    })
  )

// ---------------------------------------------------------------------------------------------------------------------
// what is tried
// ---------------------------------------------------------------------------------------------------------------------

type Trial = (browser: Browser, address: string) => Effect.Effect<void, unknown, Scope.Scope>

const followsTheScript: Trial = (browser, address) =>
  Effect.gen(function*() {
    const { complaints, page } = yield* open(browser, address)
    const pool = yield* make({
      name: "app/Database",
      min: 2,
      max: 5,
      borrowWarning: "2 seconds",
      borrowLimit: "8 seconds",
      describe: () => ({ host: "db-1" })
    })
    yield* shows(page, "app/Database", {
      name: "app/Database",
      big: "0 of 5 in use",
      idle: "2",
      wait: "nobody has waited"
    })

    const end = yield* Deferred.make<void>()
    const borrow = (name: string) =>
      start(Effect.exit(Effect.withSpan(Pool.use(pool, () => Deferred.await(end)), name)))
    const fibers = [yield* borrow("GET /users"), yield* borrow("GET /orders"), yield* borrow("GET /report")]
    yield* shows(page, "app/Database", {
      big: "3 of 5 in use",
      inUse: "3",
      idle: "0",
      waiting: "0",
      longest: `by fiber #${fibers[0]!.id} in span "GET /users"`
    })
    yield* shows(page, "app/Database", { badges: "" })

    yield* borrow("POST /orders")
    yield* borrow("POST /users")
    const late = [yield* borrow("GET /late"), yield* borrow("GET /later")]
    yield* shows(page, "app/Database", { big: "5 of 5 in use", waiting: "2", badges: "2 waiting" })
    yield* shows(page, "app/Database", { badges: "overdue" })
    const rows = yield* Effect.promise(() => page.locator("[data-pool=\"app/Database\"] tbody tr").allInnerTexts())
    assert.equal(rows.length, 5)
    assert.match(rows[0]!, /#\d · \{"host":"db-1"\}\s+in use, overdue\s+fiber #\d+\s+GET \/users\s+\d/)

    yield* hasEvent(page, "app/Database", "Revoked", "in span \"GET /users\"")
    yield* shows(page, "app/Database", { destroyed: "revoked", waiting: "0" })
    yield* hasEvent(page, "app/Database", "Overdue")
    yield* Deferred.succeed(end, undefined)
    yield* shows(page, "app/Database", { big: "0 of 5 in use", longest: "nothing is held", wait: "p50" })
    for (const fiber of late) assert.ok(fiber.pollUnsafe() !== undefined)

    yield* Effect.promise(() => page.check("#rare"))
    const tags = yield* Effect.promise(() => page.locator("#event-rows tr td:nth-child(3)").allInnerTexts())
    assert.ok(tags.includes("Revoked") && !tags.includes("Borrowed") && !tags.includes("Returned"))
    assert.deepEqual(complaints, [])
  })

const survivesAnyName: Trial = (browser, address) =>
  Effect.gen(function*() {
    const { complaints, page } = yield* open(browser, address)
    const names = [
      "<img src=x onerror=\"window.hacked = true\">",
      "</script><script>window.hacked = true</script>",
      "\"quoted\" 'twice' `thrice` ${window.hacked = true}",
      "two\nlines",
      "&amp; &lt;b&gt;"
    ]
    for (const name of names) {
      const pool = yield* make({ name, describe: () => name })
      yield* start(Effect.withSpan(Pool.use(pool, () => Effect.never), name))
    }
    for (const name of names) yield* shows(page, name, { name, big: "1 of 1 in use", longest: name })
    for (const name of names) yield* hasEvent(page, name, "Borrowed")
    assert.equal(yield* Effect.promise(() => page.evaluate(() => "hacked" in window)), false)
    assert.equal(yield* Effect.promise(() => page.locator("main img, main script").count()), 0)
    assert.deepEqual(complaints, [])
  })

const seesPoolsOpenAndClose: Trial = (browser, address) =>
  Effect.gen(function*() {
    const { complaints, page } = yield* open(browser, address)
    yield* until(
      page,
      "no pool is open",
      () => document.querySelector<HTMLElement>("#none")?.hidden === false,
      undefined
    )
    const scope = yield* Scope.make()
    yield* Scope.provide(make({ name: "app/Short", min: 1 }), scope)
    yield* shows(page, "app/Short", { idle: "1" })
    yield* Scope.close(scope, Exit.void)
    yield* shows(page, "app/Short", { big: "closed", badges: "closed" })
    yield* hasEvent(page, "app/Short", "Closed")
    const pool = yield* make({ name: "app/Paused" })
    yield* Pool.suspend(pool)
    yield* shows(page, "app/Paused", { badges: "suspended" })
    assert.deepEqual(complaints, [])
  })

const staysReadable: Trial = (browser, address) =>
  Effect.gen(function*() {
    for (let count = 0; count < 18; count++) {
      const pool = yield* make({ name: `app/subsystem-${count}/ConnectionPoolWithALongName`, min: 3, max: 10 })
      for (let held = 0; held < count % 12; held++) {
        yield* start(
          Effect.withSpan(Pool.use(pool, () => Effect.never), `GET /resource/${held}/with/a/long/path/in/it`)
        )
      }
    }
    yield* make({ name: "app/Unbounded", max: Infinity, min: 4 })
    const large = yield* make({ name: "app/Large", min: 1000, max: 1000 })
    for (let count = 0; count < 300; count++) yield* Pool.get(large)
    for (const width of [1280, 400]) {
      const { complaints, page } = yield* open(browser, address, width)
      yield* until(page, "there are 20 pools", () => document.querySelectorAll("[data-pool]").length === 20, undefined)
      yield* shows(page, "app/Unbounded", { big: "0 of no limit in use", idle: "4" })
      yield* shows(page, "app/Large", { big: "300 of 1000 in use" })
      // closed, the cards are small, and side by side where there is room
      yield* Effect.promise(() =>
        page.evaluate(() => {
          for (const details of document.querySelectorAll("details")) details.open = false
        })
      )
      yield* Effect.promise(() => page.screenshot({ path: `build/browser/20-pools-${width}.png`, fullPage: true }))
      const { fits, narrowest, overlap, tallest } = yield* isReadable(page)
      assert.deepEqual({ fits, overlap }, { fits: true, overlap: false }, `${width} wide`)
      assert.ok(narrowest >= 300, `a card is only ${narrowest} wide`)
      assert.ok(tallest <= (width > 1000 ? 440 : 540), `a card is ${tallest} high`)
      // opened, one shows its objects
      const card = page.locator("[data-pool=\"app/Large\"]")
      yield* Effect.promise(() => card.locator("summary").click())
      yield* shows(page, "app/Large", { more: "and 800 more objects" })
      assert.equal(yield* Effect.promise(() => card.locator("tbody tr").count()), 200)
      assert.equal((yield* isReadable(page)).fits, true, `${width} wide`)
      assert.deepEqual(complaints, [])
    }
  })

const isLightAndDark: Trial = (browser, address) =>
  Effect.gen(function*() {
    const { complaints, page } = yield* open(browser, address)
    yield* make({ name: "app/Colors", min: 1 })
    yield* shows(page, "app/Colors", { idle: "1" })
    const sum = (color: string) => color.match(/\d+/g)!.slice(0, 3).reduce((sum, part) => sum + Number(part), 0)
    const brightness = (colorScheme: "light" | "dark") =>
      Effect.promise(async () => {
        await page.emulateMedia({ colorScheme })
        const [background, text] = await page.evaluate(() => {
          const style = getComputedStyle(document.body)
          return [style.backgroundColor, style.color]
        })
        return { background: sum(background!), text: sum(text!) }
      })
    const light = yield* brightness("light")
    const dark = yield* brightness("dark")
    assert.ok(light.background > 600 && light.text < 200, JSON.stringify(light))
    assert.ok(dark.background < 200 && dark.text > 600, JSON.stringify(dark))
    assert.deepEqual(complaints, [])
  })

const saysThatTheServerIsGone: Trial = (browser) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const address = yield* Scope.provide(serve, scope)
    const { page } = yield* open(browser, address)
    yield* Scope.close(scope, Exit.void)
    yield* says(page, "connection lost")
  })

const trials: Readonly<Record<string, Trial>> = {
  "the numbers follow a script: borrow 3 of 5, exhaust, revoke": followsTheScript,
  "names are text, whatever is in them": survivesAnyName,
  "pools open and close while the page watches": seesPoolsOpenAndClose,
  "20 pools stay readable, and a thousand objects": staysReadable,
  "there is a light and a dark page": isLightAndDark,
  "a server that is gone is told": saysThatTheServerIsGone
}

// ---------------------------------------------------------------------------------------------------------------------
// the picture for the documentation
// ---------------------------------------------------------------------------------------------------------------------

const takePicture = (browser: Browser, address: string, file: string) =>
  Effect.gen(function*() {
    const { page } = yield* open(browser, address, 1180, 1160)
    const database = yield* Pool.make({
      name: "app/Database",
      acquire: Effect.delay(Effect.map(Effect.service(Pool.CreationNumber), (id) => ({ port: 50_000 + id })), 120),
      min: 2,
      max: 8,
      maxUses: 60,
      borrowWarning: "5 seconds",
      borrowTimeout: "2 seconds",
      shutdownTimeout: 0,
      describe: (connection) => connection
    })
    const tenants = yield* KeyedPool.make({
      name: "app/Tenants",
      acquire: (tenant: string) => Effect.succeed({ tenant }),
      max: 12,
      shutdownTimeout: 0
    })
    const mail = yield* make({ name: "app/Mail", max: 4, min: 1 })
    yield* start(Effect.withSpan(Pool.use(database, () => Effect.never), "GET /export"))
    const spans = ["GET /users", "GET /orders", "POST /orders", "GET /report"]
    const work = (index: number) =>
      Pool.use(database, () => Effect.sleep(60 + 97 * (index % 5))).pipe(
        Effect.withSpan(spans[index % spans.length]!),
        Effect.andThen(Effect.sleep(30 + 61 * (index % 7))),
        Effect.ignore,
        Effect.forever
      )
    for (let index = 0; index < 8; index++) yield* start(work(index))
    for (let index = 0; index < 5; index++) {
      const use = KeyedPool.use(tenants, `tenant-${index}`, () => Effect.sleep(200 + 180 * index))
      yield* start(Effect.forever(Effect.andThen(Effect.withSpan(use, "sync tenant"), Effect.sleep(500))))
    }
    yield* start(Effect.forever(Effect.andThen(Pool.use(mail, () => Effect.sleep(400)), Effect.sleep(900))))
    yield* Effect.sleep("15 seconds")
    for (let index = 8; index < 19; index++) yield* start(work(index))
    yield* Effect.sleep("45 seconds")
    yield* Effect.promise(async () => {
      await page.check("#rare")
      for (const name of ["app/Tenants", "app/Mail"]) await page.locator(`[data-pool="${name}"] summary`).click()
      await page.evaluate(() => window.scrollTo(0, 0))
      await page.waitForTimeout(1500)
      fs.mkdirSync(path.dirname(file), { recursive: true })
      await page.screenshot({ path: file })
    })
    console.log(`took ${file}`)
  })

// ---------------------------------------------------------------------------------------------------------------------

const main = Effect.gen(function*() {
  const browser = yield* launch
  let failures = 0
  for (const [name, trial] of Object.entries(trials)) {
    const exit = yield* Effect.exit(Effect.scoped(Effect.flatMap(serve, (address) => trial(browser, address))))
    if (Exit.isSuccess(exit)) console.log(`ok   ${name}`)
    else {
      failures++
      console.error(`FAIL ${name}\n${String(exit.cause)}`)
    }
  }
  const at = process.argv.indexOf("--screenshot")
  const file = at === -1 ? undefined : process.argv[at + 1]
  if (file !== undefined) {
    yield* Effect.scoped(Effect.flatMap(serve, (address) => takePicture(browser, address, file)))
  }
  return failures
}).pipe(Effect.scoped, Effect.provide(Logger.layer([])))

if (!fs.existsSync(executablePath)) {
  console.error(
    `The browser test needs Chromium, and there is none at ${executablePath}. ` +
      "Install it (on Debian: apt-get install chromium), or set CHROMIUM to where it is."
  )
  process.exitCode = 1
} else {
  Effect.runPromise(main).then((failures) => {
    console.log(
      failures === 0 ? "The page is as it should be." : `${failures} of ${Object.keys(trials).length} failed.`
    )
    process.exitCode = failures === 0 ? 0 : 1
  })
}
