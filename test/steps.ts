/** Fibers that run one step after the other, while time stands still: so that something can happen at each of their steps. */
import { assert } from "@effect/vitest"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"

/** As `assert.isTrue`, which is slow where it is asked a million times. */
export const expected = (condition: boolean, message: string): void => {
  if (!condition) assert.fail(message)
}

/** Does something at the n-th step that any fiber makes: a step is a yield check of a fiber, or a task of its own. */
export class Steps implements Scheduler.Scheduler {
  readonly executionMode = "async"
  /** What is done then; steps are counted only while there is something to do. */
  act: (() => void) | undefined = undefined
  count = 0
  protected readonly at: number
  private readonly yields: boolean
  private readonly tasks: Array<() => void> = []

  /** With `yields` fibers take turns after a few steps, otherwise each runs as far as it can. */
  constructor(at: number, yields: boolean) {
    this.at = at
    this.yields = yields
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    this.step()
    // yielding takes two operations: with fewer a fiber would do nothing else
    return this.yields && fiber.currentOpCount > 3
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return { scheduleTask: (task) => this.soon(task), flush: () => {} }
  }

  /** When no fiber is in the midst of its steps. */
  soon(task: () => void): void {
    this.tasks.push(task)
  }

  protected next(): (() => void) | undefined {
    return this.tasks.shift()
  }

  /** Until nobody can go on. */
  run(): void {
    let ran = 0
    for (let task = this.next(); task !== undefined; task = this.next()) {
      expected(++ran < 10_000, "it comes to an end")
      this.step()
      task()
    }
  }

  private step(): void {
    if (this.act !== undefined && ++this.count === this.at) this.act()
  }
}

/** Time stands still. */
export const stopped: Clock.Clock = {
  currentTimeMillisUnsafe: () => 0,
  currentTimeMillis: Effect.succeed(0),
  currentTimeNanosUnsafe: () => 0n,
  currentTimeNanos: Effect.succeed(0n),
  monotonicTimeNanosUnsafe: () => 0n,
  monotonicTimeNanos: Effect.succeed(0n),
  sleep: () => Effect.never
}

/** A few steps. */
export const steps = Effect.andThen(Effect.andThen(Effect.void, Effect.yieldNow), Effect.void)
