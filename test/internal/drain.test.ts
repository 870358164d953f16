import { assert, describe, it } from "@effect/vitest"
import type { Scheduler } from "effect/Scheduler"
import { MixedScheduler } from "effect/Scheduler"
import { wakeSoon } from "../../src/internal/drain.ts"

/** A scheduler whose tasks run when they are told to. */
class Tasks implements Scheduler {
  readonly executionMode = "async"
  private tasks: Array<() => void> = []

  shouldYield(): boolean {
    return false
  }

  makeDispatcher() {
    return { scheduleTask: (task: () => void) => void this.tasks.push(task), flush: () => this.run() }
  }

  get size(): number {
    return this.tasks.length
  }

  run(): void {
    const tasks = this.tasks
    this.tasks = []
    for (const task of tasks) task()
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** So many chains: whoever is woken has the next of its chain woken after `gap`; gives who was woken
 * in which turn, and how often some were woken together. */
const chains = async (scheduler: Scheduler, count: number, length: number, gap: () => Promise<unknown>) => {
  const log: Array<{ readonly chain: number; readonly link: number; readonly turn: number }> = []
  let turns = 0
  let batches = 0
  let inBatch = false
  const begin = (chain: number, link: number): void =>
    wakeSoon(scheduler, {
      wake: () => {
        log.push({ chain, link, turn: turns })
        if (!inBatch) {
          batches++
          void Promise.resolve().then(() => inBatch = false)
        }
        inBatch = true
        if (link + 1 < length) void gap().then(() => begin(chain, link + 1))
      }
    })
  for (let chain = 0; chain < count; chain++) begin(chain, 0)
  while (log.length < count * length && turns < count * length * 2) {
    await turn()
    turns++
  }
  // nothing more comes
  for (let i = 0; i < 3; i++) await turn()
  return { batches, log, turns }
}

/** Everybody once, each chain in its order. */
const checkOrder = (
  log: ReadonlyArray<{ readonly chain: number; readonly link: number }>,
  count: number,
  length: number
) => {
  for (let chain = 0; chain < count; chain++) {
    assert.deepStrictEqual(
      log.filter((each) => each.chain === chain).map(({ link }) => link),
      Array.from({ length }, (_, link) => link)
    )
  }
  assert.strictEqual(log.length, count * length)
}

const resolved = () => Promise.resolve()

describe("with the scheduler of Effect, what is woken soon", () => {
  it("is woken ahead of the next turn where what is woken goes on at once, but not for ever", async () => {
    const { log, turns } = await chains(new MixedScheduler(), 10, 3000, resolved)
    checkOrder(log, 10, 3000)
    // a task each at first, and then at most 32 times ahead of a task
    assert.isBelow(turns, 3000 / 4)
    assert.isAbove(turns, 3000 / 34)
    const perTurn = new Map<number, number>()
    for (const { turn } of log) perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1)
    // a turn may see the end of one task and the beginning of the next
    assert.isAtMost(Math.max(...perTurn.values()), 10 * 34 * 2)
  })

  it("is woken together in a task where each goes on with an immediate of its own", async () => {
    const { batches, log, turns } = await chains(new MixedScheduler(), 10, 500, turn)
    checkOrder(log, 10, 500)
    assert.isAtLeast(turns, 500)
    // but for a try now and then
    assert.isAtMost(batches, turns * 1.1)
  })

  it("is woken once, in its order, where some go on at once, and some do not", async () => {
    let n = 0
    const { log } = await chains(new MixedScheduler(), 20, 500, () => ++n % 7 < 3 ? turn() : Promise.resolve())
    checkOrder(log, 20, 500)
  })

  it("is woken in the microtasks that the scheduler makes itself, where it does", async () => {
    const { log, turns } = await chains(new MixedScheduler("sync"), 10, 500, resolved)
    checkOrder(log, 10, 500)
    assert.strictEqual(turns, 1)
  })

  it("is never woken ahead of a task of one that was made of it", async () => {
    const { log, turns } = await chains(new (class extends MixedScheduler {})(), 10, 500, resolved)
    checkOrder(log, 10, 500)
    assert.isAtLeast(turns, 250)
  })
})

describe("with any other scheduler, what is woken soon", () => {
  const setup = () => {
    const tasks = new Tasks()
    const woken: Array<number> = []
    let next = 0
    /** So many are to be woken, and each is followed by what `then` gives. */
    const push = (count: number, then: () => void = () => {}) => {
      for (let i = 0; i < count; i++) {
        const number = next++
        wakeSoon(tasks, {
          wake: () => {
            woken.push(number)
            then()
          }
        })
      }
    }
    return { push, tasks, woken }
  }

  it("is woken in one task, in its order, and never before that task", async () => {
    const { push, tasks, woken } = setup()
    push(3)
    assert.deepStrictEqual(woken, [])
    await turn()
    assert.deepStrictEqual(woken, [])
    assert.strictEqual(tasks.size, 1)
    tasks.run()
    assert.deepStrictEqual(woken, [0, 1, 2])
  })

  it("a task that has woken somebody is followed by one more, which may be the last", () => {
    const { push, tasks, woken } = setup()
    push(1)
    tasks.run()
    assert.strictEqual(tasks.size, 1)
    push(1)
    assert.strictEqual(tasks.size, 1)
    tasks.run()
    assert.deepStrictEqual(woken, [0, 1])
    assert.strictEqual(tasks.size, 1)
    tasks.run()
    assert.strictEqual(tasks.size, 0)
  })

  it("all are woken though one throws, which is thrown again in a task of its own", () => {
    const { push, tasks, woken } = setup()
    push(1)
    push(1, () => {
      throw new Error("at the end of a fiber")
    })
    push(1)
    tasks.run()
    assert.deepStrictEqual(woken, [0, 1, 2])
    assert.throws(() => tasks.run(), "at the end of a fiber")
  })

  it("those that a waking leads to are woken in the next task", () => {
    const { push, tasks, woken } = setup()
    push(1, () => push(1))
    tasks.run()
    assert.deepStrictEqual(woken, [0])
    assert.strictEqual(tasks.size, 1)
    tasks.run()
    assert.deepStrictEqual(woken, [0, 1])
  })
})
