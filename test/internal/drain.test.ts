import { assert, describe, it } from "@effect/vitest"
import type { Scheduler } from "effect/Scheduler"
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

describe("what is woken soon", () => {
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
