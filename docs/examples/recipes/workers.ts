/**
 * Threads for what computes. A thread does one job at a time, and a job that never ends can only be ended with its thread:
 * that is what `borrowLimit` does.
 */
import { Effect, Schema } from "effect"
import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import { Pool, Proxy } from "proxy-pattern-pool"

export class JobFailed extends Schema.TaggedError<JobFailed>()("JobFailed", { message: Schema.String }) {}

/** What a thread can do. */
export interface Thread {
  readonly id: number
  /** It has ended, or works at a job whose answer nobody waits for any more. */
  readonly isUseless: boolean
  /** How many primes there are below this. */
  countPrimes(below: number): Effect.Effect<number, JobFailed>
  /** Never ends. */
  readonly loop: Effect.Effect<never, JobFailed>
}

/** What runs in the thread. In a program, this is a file of its own. */
const code = `
const { parentPort } = require("node:worker_threads")
const jobs = {
  countPrimes: (below) => {
    if (!Number.isInteger(below)) throw new Error("not a whole number: " + below)
    let count = 0
    for (let n = 2; n < below; n++) {
      let prime = true
      for (let d = 2; d * d <= n && prime; d++) prime = n % d !== 0
      if (prime) count++
    }
    return count
  },
  loop: () => { for (;;); }
}
parentPort.on("message", ({ job, input }) => {
  try {
    parentPort.postMessage({ value: jobs[job](input) })
  } catch (error) {
    parentPort.postMessage({ error: error.message })
  }
})
`

type Answer = { readonly value: number } | { readonly error: string }

/** Starts a thread, which is terminated with the Scope. */
export const start = Effect.gen(function*() {
  const worker = yield* Effect.acquireRelease(
    Effect.sync(() => new Worker(code, { eval: true })),
    (worker) => Effect.promise(() => worker.terminate())
  )
  yield* Effect.callback<void>((resume) => {
    worker.once("online", () => resume(Effect.void))
  })
  const id = worker.threadId
  let answer: ((result: Effect.Effect<number, JobFailed>) => void) | undefined
  let ended: JobFailed | undefined

  const settle = (result: Effect.Effect<number, JobFailed>) => {
    const resume = answer
    answer = undefined // first: whoever is resumed may ask the thread for the next job
    resume?.(result)
  }
  worker.on("message", (message: Answer) => {
    settle("error" in message ? Effect.fail(new JobFailed({ message: message.error })) : Effect.succeed(message.value))
  })
  // out of memory, or a `process.exit` in the midst of a job
  worker.on("error", (error) => {
    ended = new JobFailed({ message: String(error) })
    settle(Effect.fail(ended))
  })
  worker.on("exit", (code) => {
    ended ??= new JobFailed({ message: `the thread has ended with code ${code}` })
    settle(Effect.fail(ended))
  })

  const run = (job: string, input?: number) =>
    Effect.callback<number, JobFailed>((resume) => {
      if (ended !== undefined) return resume(Effect.fail(ended))
      answer = resume
      worker.postMessage({ job, input }, [])
    })

  const thread: Thread = {
    id,
    get isUseless() {
      return ended !== undefined || answer !== undefined
    },
    countPrimes: (below) => run("countPrimes", below),
    loop: Effect.flatMap(run("loop"), () => Effect.never)
  }
  return thread
})

export class Threads extends Proxy.Service<Threads, Thread>()("recipes/Threads") {}

export const threads = (options?: Pick<Pool.Options<Thread>, "max" | "borrowLimit">) => {
  const max = options?.max ?? Math.max(1, availableParallelism() - 1)
  return Threads.layerPool({
    acquire: start,
    min: max,
    max,
    borrowLimit: options?.borrowLimit ?? "30 seconds",
    maxWaiting: 20 * max,
    // an interrupted job still computes: its thread is thrown away
    healthCheck: ({ isUseless }) => Effect.succeed(!isUseless),
    healthAfterIdle: 0,
    describe: ({ id }) => ({ thread: id })
  })
}

/** As many primes, counted by all threads together. Each part borrows a thread for itself. */
export const countPrimes = Effect.fnUntraced(function*(limits: ReadonlyArray<number>) {
  const threads = yield* Threads.perCall
  return yield* Effect.forEach(limits, (below) => threads.countPrimes(below), { concurrency: "unbounded" })
})
