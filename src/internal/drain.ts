/**
 * Resumes parked fibers many at a time, on a fresh stack, however deep the release was that freed them: in a task of the
 * scheduler, one for all, since every fiber's own dispatcher would set an immediate of its own.
 *
 * A task costs a turn of the event loop, which is a third of a borrow whose body is a promise that is resolved already.
 * So Effect's own scheduler is given microtasks ahead of the task, where one wakes as many as the task would: what
 * bodies of that kind give back comes all at once, before the next turn. Where each comes in a turn of its own, a
 * microtask for each would cost more than it saves. Every other scheduler sees each wake-up as a task: `TestClock`
 * counts the tasks that a sleep's end leads to, and lets no time pass before they have ended.
 */
import { MixedScheduler, type Scheduler, type SchedulerDispatcher } from "effect/Scheduler"

/** What waits to be resumed. */
export interface Parked {
  wake(): void
}

/** So often they are woken ahead of the task before the event loop must turn: nobody else shall starve. */
const mostAhead = 32
/** After so many tasks it is tried again whether that pays. */
const untilNextTry = 32

const resolved = Promise.resolve()

class Drain {
  declare readonly scheduler: Scheduler
  private parked: Array<Parked> = []
  private scheduled = false
  /** How often they may be woken ahead of the next task. */
  private ahead = 0
  private pays = false
  private tasks = 0
  /** How many the latest task woke that woke any. */
  private latest = 1
  private readonly mayHurry: boolean
  private readonly dispatcher: SchedulerDispatcher

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler
    this.mayHurry = scheduler.constructor === MixedScheduler
    this.dispatcher = scheduler.makeDispatcher()
  }

  push(parked: Parked): void {
    if (this.parked.push(parked) === 1 && this.ahead > 0) resolved.then(this.hurry)
    if (!this.scheduled) this.schedule()
  }

  private schedule(): void {
    this.scheduled = true
    this.dispatcher.scheduleTask(this.run, 0)
  }

  private readonly run = (): void => {
    this.scheduled = false
    if (this.mayHurry) this.ahead = this.pays ? mostAhead : ++this.tasks % untilNextTry === 0 ? 1 : 0
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
    const parked = this.parked
    this.parked = []
    for (const each of parked) {
      try {
        each.wake()
      } catch (error) {
        // a callback of the user's threw, at the end of a fiber: that is thrown again where it keeps nobody asleep
        this.scheduler.makeDispatcher().scheduleTask(() => {
          throw error
        }, 0)
      }
    }
  }
}

const drains = new WeakMap<Scheduler, Drain>()
let latest: Drain | undefined

/** Wakes it soon, at the latest in a task of the scheduler. */
export const wakeSoon = (scheduler: Scheduler, parked: Parked): void => {
  if (latest?.scheduler !== scheduler) {
    latest = drains.get(scheduler) ?? new Drain(scheduler)
    drains.set(scheduler, latest)
  }
  latest.push(parked)
}
