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

const microtasks = () => new Promise<void>((resolve) => setImmediate(resolve))

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

  it("is woken in one task, in its order, and never in the call that says so", async () => {
    const { push, tasks, woken } = setup()
    push(3)
    assert.deepStrictEqual(woken, [])
    await microtasks()
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

  /** Tasks that wake ten each, until one is about to be tried ahead. */
  const untilTry = ({ push, tasks, woken }: ReturnType<typeof setup>) => {
    for (let i = 0; i < 32; i++) {
      push(10)
      tasks.run()
    }
    woken.length = 0
  }

  it("each 32nd time they are tried to be woken ahead of the task; that pays where it wakes as many", async () => {
    const world = setup()
    const { push, tasks, woken } = world
    untilTry(world)
    push(10)
    assert.deepStrictEqual(woken, [])
    await microtasks()
    assert.strictEqual(woken.length, 10)
    // once, until the task has been
    push(10)
    await microtasks()
    assert.strictEqual(woken.length, 10)
    tasks.run()
    assert.strictEqual(woken.length, 20)
    // now it pays, and the event loop must turn after 32 of them
    for (let i = 0; i < 33; i++) {
      push(10)
      await microtasks()
    }
    assert.strictEqual(woken.length, 20 + 320)
    tasks.run()
    assert.strictEqual(woken.length, 20 + 330)
    push(5)
    await microtasks()
    assert.strictEqual(woken.length, 20 + 335)
    // too few for a microtask
    push(4)
    await microtasks()
    push(10)
    await microtasks()
    assert.strictEqual(woken.length, 20 + 339)
    tasks.run()
    push(10)
    await microtasks()
    assert.strictEqual(woken.length, 20 + 349)
  })

  it("where that wakes less than half of what the task would, it is left until the next try", async () => {
    const world = setup()
    const { push, tasks, woken } = world
    untilTry(world)
    push(4)
    await microtasks()
    assert.strictEqual(woken.length, 4)
    tasks.run()
    for (let i = 0; i < 31; i++) {
      push(10)
      await microtasks()
      assert.strictEqual(woken.length, 4 + i * 10)
      tasks.run()
    }
    push(10)
    await microtasks()
    assert.strictEqual(woken.length, 4 + 320)
  })

  it("nobody is woken twice where the task is faster", async () => {
    const world = setup()
    const { push, tasks, woken } = world
    untilTry(world)
    push(10)
    tasks.run()
    assert.strictEqual(woken.length, 10)
    await microtasks()
    assert.strictEqual(woken.length, 10)
    push(1)
    tasks.run()
    assert.strictEqual(woken.length, 11)
  })
})
