/**
 * Resumes parked fibers in a task of their own, many at a time: on a fresh stack, however deep the release was that
 * freed them, and as a task that `TestClock` waits for. One for each scheduler, since every fiber's own dispatcher
 * would set an immediate of its own.
 */
import type { Scheduler, SchedulerDispatcher } from "effect/Scheduler"

/** What waits to be resumed. */
export interface Parked {
  wake(): void
}

/** So often they are woken ahead of the task before the event loop must turn: nobody else shall starve. */
const mostAhead = 32
/** After so many tasks it is tried again whether that pays. */
const untilNextTry = 32

const resolved = Promise.resolve()

/**
 * A task costs a turn of the event loop, which is a third of a borrow whose body is a promise that is resolved already.
 * So they are woken ahead of it, in a microtask, where that wakes as many as the task would: what bodies of that kind
 * give back comes all at once, before the next turn. Where each comes in a turn, or with an immediate, of its own, a
 * microtask for each would cost more than it saves.
 */
class Drain {
  private readonly parked: Array<Parked> = []
  private scheduled = false
  /** How often they may be woken ahead of the next task. */
  private ahead = 0
  private pays = false
  private tasks = 0
  /** How many the latest task woke that woke any. */
  private latest = 1
  private readonly dispatcher: SchedulerDispatcher

  constructor(dispatcher: SchedulerDispatcher) {
    this.dispatcher = dispatcher
  }

  push(parked: Parked): void {
    const isFirst = this.parked.push(parked) === 1
    if (!this.scheduled) this.schedule()
    if (isFirst && this.ahead > 0) resolved.then(this.hurry)
  }

  private schedule(): void {
    this.scheduled = true
    this.dispatcher.scheduleTask(this.run, 0)
  }

  private readonly run = (): void => {
    this.scheduled = false
    if (this.pays) this.ahead = mostAhead
    else if (++this.tasks % untilNextTry === 0) this.ahead = 1
    const { length } = this.parked
    if (length === 0) return
    this.latest = length
    this.wake()
    // what they do next may end in the next turn of the event loop: then the next are woken in that turn, behind it, and
    // not in one more, which saves a borrow a tenth; where nothing ended, it was one task for nothing
    if (!this.scheduled) this.schedule()
  }

  private readonly hurry = (): void => {
    const { length } = this.parked
    // the task was faster
    if (length === 0) return
    this.pays = length * 2 >= this.latest
    this.ahead = this.pays ? this.ahead - 1 : 0
    this.wake()
  }

  private wake(): void {
    for (const each of this.parked.splice(0)) each.wake()
  }
}

const drains = new WeakMap<Scheduler, Drain>()
let latestScheduler: Scheduler | undefined
let latestDrain: Drain | undefined

/** Wakes it soon, at the latest in a task of the scheduler. */
export const wakeSoon = (scheduler: Scheduler, parked: Parked): void => {
  if (scheduler !== latestScheduler || latestDrain === undefined) {
    let drain = drains.get(scheduler)
    if (drain === undefined) drains.set(scheduler, drain = new Drain(scheduler.makeDispatcher()))
    latestScheduler = scheduler
    latestDrain = drain
  }
  latestDrain.push(parked)
}
