/**
 * Every outcome of every phase of a borrow, while its borrower is left alone, is interrupted, times out, or the pool
 * closes: what must hold then, whatever happens.
 *
 *     tsx test/scripts/matrix.ts                    the full product: 62,500 cases, a quarter of an hour
 *     tsx test/scripts/matrix.ts 50000-62500        a part of it
 *     tsx test/scripts/matrix.ts 2000 3             2,000 cases of it at random, from seed 3
 *     tsx test/scripts/matrix.ts '{"create":"dies","check":"ok",...}'     one case, with its history
 */
import { Effect, Exit, Fiber, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { fileURLToPath } from "node:url"
import { Pool } from "proxy-pattern-pool"
import * as pooled from "../../src/internal/pooled.ts"
import { calm, lab } from "../lifecycle/kit.ts"

const outcomes = ["ok", "fails", "dies", "slow", "never"] as const

type Outcome = (typeof outcomes)[number]

/** The first seven are multiplied in full; of the others each case of the product has one value, chosen by its number. */
const factors = {
  create: outcomes,
  check: outcomes,
  onBorrow: outcomes,
  body: outcomes,
  onReturn: outcomes,
  finalizer: outcomes,
  event: ["none", "interrupted", "timesOut", "closes"],
  at: [0, 50, 150, 250, 350],
  form: ["use", "get"],
  concurrency: [1, 2],
  borrowLimit: [Infinity, 700]
} as const

const multiplied = 7

export type Case = { readonly [K in keyof typeof factors]: (typeof factors)[K][number] }

type Value = string | number

const names = Object.keys(factors)
const values: ReadonlyArray<ReadonlyArray<Value>> = Object.values(factors)

const toCase = (row: ReadonlyArray<Value>): Case => Object.fromEntries(names.map((name, i) => [name, row[i]])) as Case

/** A generator of numbers below a bound: the same for the same seed. */
const numbers = (seed: number) => {
  let state = (seed + 1) * 0x9e3779b1 >>> 0
  return (below: number): number => {
    state = Math.imul(state ^ state >>> 15, state | 1) + 0x6d2b79f5 >>> 0
    return ((state ^ state >>> 14) >>> 0) % below
  }
}

/** Cases in which every two values of two factors meet. */
export const pairs = (): ReadonlyArray<Case> => {
  const random = numbers(1)
  const missing = new Set<string>()
  const meeting = (i: number, a: Value, j: number, b: Value) => i < j ? `${i}=${a},${j}=${b}` : `${j}=${b},${i}=${a}`
  for (let i = 0; i < values.length; i++) {
    for (let j = 0; j < i; j++) {
      for (const a of values[i]) for (const b of values[j]) missing.add(meeting(i, a, j, b))
    }
  }
  const rows: Array<ReadonlyArray<Value>> = []
  while (missing.size > 0) {
    // begins with a pair that is missing, and gives every other factor the value that brings most missing ones
    const [first] = missing
    const row = new Map(
      first.split(",").map((part): [number, Value] => {
        const [factor, value] = part.split("=")
        return [Number(factor), values[Number(factor)].find((known) => String(known) === value)!]
      })
    )
    for (let i = 0; i < values.length; i++) {
      if (row.has(i)) continue
      const gains = values[i].map((value) =>
        [...row].filter(([j, other]) => missing.has(meeting(i, value, j, other))).length
      )
      const best = Math.max(...gains)
      const candidates = values[i].filter((_, k) => gains[k] === best)
      row.set(i, candidates[random(candidates.length)])
    }
    for (const [i, a] of row) for (const [j, b] of row) missing.delete(meeting(i, a, j, b))
    rows.push(values.map((_, i) => row.get(i)!))
  }
  return rows.map(toCase)
}

/** One case of the full product, by its number. */
const numbered = (number: number): Case => {
  const random = numbers(number)
  let rest = number
  return toCase(values.map((known, i) => {
    if (i >= multiplied) return known[random(known.length)]
    const value = known[rest % known.length]
    rest = Math.floor(rest / known.length)
    return value
  }))
}

const size = values.slice(0, multiplied).reduce((product, known) => product * known.length, 1)

const max = 2

/** What must hold at every moment. */
const inspect = <A, E>(pool: Pool.Pool<A, E>, stats: Pool.Stats, open: number, left: boolean) => {
  const complaints: Array<string> = []
  const places = stats.size + stats.creating + stats.destroying
  if (places > max) complaints.push(`${places} places are taken`)
  // what was left to itself takes no place, though it is not closed
  if (open > max && !left) complaints.push(`${open} objects are open`)
  if (stats.borrowed < stats.returned) complaints.push("more was returned than borrowed")
  for (const { preparing, queue, slots } of pooled.of(pool).core.machine.groups.values()) {
    // not `waiting`, which counts those for whom a check or a hook is under way
    if (queue.size > 0 && stats.idle > 0) complaints.push(`${queue.size} wait beside ${stats.idle} idle objects`)
    const running = slots.flatMap(({ activities }) => [...activities]).filter(({ forBorrower }) => forBorrower)
    const served = running.filter(({ waiter }) => waiter !== undefined).length
    if (served !== preparing) complaints.push(`${preparing} wait for ${served} checks and hooks`)
  }
  return complaints
}

/** Runs a case, and tells what did not hold. */
export const run = Effect.fnUntraced(function*(outcome: Case, history: Array<string> = []) {
  const complaints: Array<string> = []
  const open = new Set<number>()
  let healed = false
  const phase = (name: string, kind: Outcome): Effect.Effect<boolean, string> =>
    Effect.suspend((): Effect.Effect<boolean, string> => {
      if (healed) return Effect.succeed(true)
      history.push(`${name} begins, and ${kind}`)
      switch (kind) {
        case "ok":
          return Effect.succeed(true)
        case "fails":
          return name === "check" ? Effect.succeed(false) : Effect.fail(`${name} fails`)
        case "dies":
          return Effect.die(new Error(`${name} dies`))
        case "slow":
          return Effect.as(Effect.sleep(100), true)
        case "never":
          return Effect.never
      }
    }).pipe(Effect.onExit((exit) => Effect.sync(() => history.push(`${name} has ended: ${exit._tag}`))))
  const { events, made, pool, stats, unmade } = yield* lab<string>({
    min: 1,
    max,
    concurrency: outcome.concurrency,
    borrowLimit: outcome.borrowLimit,
    borrowTimeout: 2000,
    createTimeout: 1000,
    destroyTimeout: 1000,
    healthTimeout: 1000,
    hookTimeout: 1000,
    shutdownTimeout: 3000,
    healthAfterIdle: 0,
    healthInterval: 400,
    createRetry: Schedule.spaced(50),
    create: (id) =>
      Effect.andThen(
        Effect.acquireRelease(
          Effect.sync(() => {
            open.add(id)
            history.push(`object ${id}`)
          }),
          () => Effect.sync(() => open.delete(id))
        ),
        phase("create", outcome.create)
      ),
    healthCheck: () => phase("check", outcome.check),
    onBorrow: () => phase("onBorrow", outcome.onBorrow),
    onReturn: () => phase("onReturn", outcome.onReturn),
    destroy: () => Effect.orDie(phase("finalizer", outcome.finalizer))
  })
  const body = () => phase("body", outcome.body)
  const once = (timeout?: number): Effect.Effect<boolean, unknown> =>
    outcome.form === "use"
      ? Pool.use(pool, body, { timeout })
      : Effect.scoped(Effect.flatMap(Pool.get(pool, { timeout }), body))
  const fork = (name: string, timeout?: number) =>
    once(timeout).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          history.push(`${name}: ${exit._tag === "Success" ? "done" : exit.cause.reasons.map((r) => r._tag).join()}`)
        })
      ),
      Effect.exit,
      Effect.repeat({ times: 1 }),
      Effect.forkDetach({ startImmediately: true })
    )
  const check = (when: string) =>
    Effect.map(stats, (stats) => {
      const left = outcome.finalizer === "never" || outcome.create === "never"
      for (const complaint of inspect(pool, stats, open.size, left)) complaints.push(`${when}: ${complaint}`)
    })
  const pass = (millis: number) =>
    Effect.gen(function*() {
      for (let at = 0; at < millis; at += 50) {
        yield* TestClock.adjust(50)
        history.push(`-- 50 ms later`)
        yield* check("later")
      }
    })

  // the borrower that something happens to, and two others
  const victim = yield* fork("a", outcome.event === "timesOut" ? outcome.at : undefined)
  const others = [yield* fork("b"), yield* fork("c")]
  yield* check("at first")
  yield* pass(outcome.at)
  history.push(`-- ${outcome.event}`)
  const all: Array<Fiber.Fiber<unknown, unknown>> = [victim, ...others]
  const closes = outcome.event === "closes"
  if (closes) all.push(yield* Effect.forkDetach(Pool.shutdown(pool)))
  if (outcome.event === "interrupted") all.push(yield* Effect.forkDetach(Fiber.interrupt(victim)))
  yield* calm
  yield* check("afterwards")
  yield* pass(2500)

  // everything recovers: whoever is stuck in a body that never ends is interrupted
  healed = true
  history.push("-- all recover")
  for (const fiber of [victim, ...others]) yield* Effect.forkDetach(Fiber.interrupt(fiber))
  yield* pass(3500)
  for (const [i, fiber] of all.entries()) {
    if (fiber.pollUnsafe() === undefined) complaints.push(`fiber ${i} has not ended`)
  }
  const healthy = yield* stats
  if (healthy.waiting !== 0) complaints.push(`${healthy.waiting} wait still`)
  if (healthy.borrowed !== healthy.returned) {
    complaints.push(`${healthy.borrowed} borrowed, ${healthy.returned} returned`)
  }
  if (!closes) {
    if (healthy.idle < 1) complaints.push("min is not met")
    const served = yield* Effect.forkDetach(
      Effect.all([once(), once(), once(), once()], { concurrency: "unbounded" })
    )
    yield* pass(100)
    const exit = served.pollUnsafe()
    if (exit === undefined || Exit.isFailure(exit)) complaints.push("the pool serves no more")
    yield* Effect.forkDetach(Pool.shutdown(pool))
    yield* pass(50)
  } else if (Exit.isSuccess(yield* Effect.exit(once()))) complaints.push("the closed pool serves")
  yield* calm
  const end = yield* stats
  const destroyed = Object.values(end.destroyed).reduce((sum, count) => sum + count, 0)
  if (end.size + end.creating + end.destroying > 0) complaints.push("the closed pool has objects")
  if (destroyed !== end.created) complaints.push(`${end.created} created, ${destroyed} destroyed`)
  if (new Set(unmade).size !== unmade.length) complaints.push("an object was destroyed twice")
  if (made.length !== unmade.length) complaints.push(`${made.length} made, ${unmade.length} unmade`)
  if (events.at(-1)?._tag !== "Closed") complaints.push("the last event is not Closed")
  for (const tag of ["Created", "Destroyed"]) {
    const ids = events.flatMap((event) => event._tag === tag && "id" in event ? [event.id] : [])
    if (new Set(ids).size !== ids.length) complaints.push(`${tag} was told twice of an object`)
  }
  return complaints
}, (effect) => Effect.provide(Effect.scoped(effect), TestClock.layer()))

const main = Effect.gen(function*() {
  const [first, seed = "1"] = process.argv.slice(2)
  if (first?.startsWith("{") === true) {
    const history: Array<string> = []
    const complaints = yield* run(JSON.parse(first, (_, value) => value === "Infinity" ? Infinity : value), history)
    console.log([...history, ...complaints.map((complaint) => `!! ${complaint}`)].join("\n"))
    return
  }
  const random = numbers(Number(seed))
  const isRandom = first !== undefined && !first.includes("-")
  const [from, to] = isRandom ? [0, Number(first)] : (first ?? `0-${size}`).split("-").map(Number)
  let failures = 0
  for (let i = from; i < to; i++) {
    const outcome = numbered(isRandom ? random(size) : i)
    const complaints = yield* run(outcome)
    if (i % 5000 === 4999) console.log(`${i + 1 - from} of ${to - from} cases, ${failures} with complaints`)
    if (complaints.length === 0) continue
    failures++
    const text = JSON.stringify(outcome, (_, value) => value === Infinity ? "Infinity" : value)
    if (failures <= 20) console.log(`${text}\n  ${[...new Set(complaints)].join("\n  ")}`)
  }
  console.log(`${to - from} cases, ${failures} with complaints`)
  if (failures > 0) process.exitCode = 1
})

if (process.argv[1] === fileURLToPath(import.meta.url)) void Effect.runPromise(main)
