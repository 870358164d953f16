/**
 * Resumes parked fibers in a task of their own, many at a time: on a fresh stack, however deep the release was that
 * freed them, and as a task that `TestClock` waits for. Never ahead of it, in a microtask, which would save a turn of the
 * event loop: `TestClock` would lose sight of who is woken, and let time pass before they have done what they do now. One
 * for each scheduler, since every fiber's own dispatcher would set an immediate of its own.
 */
import type { Scheduler, SchedulerDispatcher } from "effect/Scheduler"

/** What waits to be resumed. */
export interface Parked {
  wake(): void
}

class Drain {
  private parked: Array<Parked> = []
  private scheduled = false
  private readonly dispatcher: SchedulerDispatcher

  constructor(dispatcher: SchedulerDispatcher) {
    this.dispatcher = dispatcher
  }

  push(parked: Parked): void {
    this.parked.push(parked)
    if (!this.scheduled) this.schedule()
  }

  private schedule(): void {
    this.scheduled = true
    this.dispatcher.scheduleTask(this.run, 0)
  }

  private readonly run = (): void => {
    const parked = this.parked
    this.scheduled = false
    if (parked.length === 0) return
    this.parked = []
    for (const each of parked) each.wake()
    // what they do next may end in the next turn of the event loop: then the next are woken in that turn, behind it, and
    // not in one more, which saves a borrow a tenth; where nothing ended, it was one task for nothing
    if (!this.scheduled) this.schedule()
  }
}

const drains = new WeakMap<Scheduler, Drain>()
let latestScheduler: Scheduler | undefined
let latestDrain: Drain | undefined

/** Wakes it soon, in a task of the scheduler. */
export const wakeSoon = (scheduler: Scheduler, parked: Parked): void => {
  if (scheduler !== latestScheduler || latestDrain === undefined) {
    let drain = drains.get(scheduler)
    if (drain === undefined) drains.set(scheduler, drain = new Drain(scheduler.makeDispatcher()))
    latestScheduler = scheduler
    latestDrain = drain
  }
  latestDrain.push(parked)
}
