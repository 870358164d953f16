/** What happens, for those who listen. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Core } from "./core.ts"
import { holderOf } from "./holder.ts"
import type { Lease } from "./lease.ts"
import type { Reason } from "./policy.ts"
import type { Bounds, Happening } from "./state.ts"
import { Event } from "./stats.ts"

/** How many events a listener that is behind keeps. */
const capacity = 1024

type Listener = Queue.Queue<Event, Cause.Done>

export class Events {
  private readonly core: Core
  private readonly listeners = new Set<Listener>()
  private ended = false

  constructor(core: Core) {
    this.core = core
  }

  /** From now on, and until the pool has closed. */
  readonly stream: Stream.Stream<Event> = Stream.unwrap(
    Effect.map(
      Effect.acquireRelease(
        Effect.tap(Queue.sliding<Event, Cause.Done>(capacity), (queue) => Effect.sync(() => this.add(queue))),
        (queue) => Effect.sync(() => this.remove(queue))
      ),
      Stream.fromQueue
    )
  )

  private add(queue: Listener): void {
    if (this.ended) {
      Queue.endUnsafe(queue)
      return
    }
    this.listeners.add(queue)
    this.core.machine.observed = true
  }

  private remove(queue: Listener): void {
    this.listeners.delete(queue)
    this.core.machine.observed = this.listeners.size > 0
  }

  publish(): void {
    for (const happening of this.core.machine.happenings.splice(0)) this.send(this.eventOf(happening))
  }

  /** Tells the last event, and ends all streams. */
  close(): void {
    if (this.listeners.size > 0) this.send(Event.Closed({ pool: this.core.name, at: this.core.now() }))
    for (const listener of this.listeners) Queue.endUnsafe(listener)
    this.listeners.clear()
    this.core.machine.observed = false
    this.ended = true
  }

  private send(event: Event): void {
    for (const listener of this.listeners) Queue.offerUnsafe(listener, event)
  }

  private eventOf({ at, detail, group, slot, tag, waiter }: Happening): Event {
    const { core } = this
    const key = core.keyOf(group)
    const always = { pool: core.name, at, ...(key === undefined ? undefined : { key }) }
    if (slot === undefined) {
      switch (tag) {
        case "Resized":
          return Event.Resized({ ...always, ...detail as Bounds })
        case "TimedOut":
        case "Rejected":
        case "Cancelled":
        case "Suspended":
        case "Resumed":
        case "Evicted":
          return { _tag: tag, ...always }
      }
      throw new Error(`an event ${tag} without an object`)
    }
    const object = core.describe(slot)
    const about = { ...always, id: slot.id, ...(Option.isSome(object) ? { object: object.value } : undefined) }
    switch (tag) {
      case "Created":
        return Event.Created({ ...about, took: Duration.millis(detail as number) })
      case "CreateFailed":
        return Event.CreateFailed({ ...always, id: slot.id, cause: detail as Cause.Cause<unknown> })
      case "Borrowed":
        return Event.Borrowed({ ...about, waited: Duration.millis(detail as number) })
      case "Returned":
        return Event.Returned({ ...about, held: Duration.millis(detail as number) })
      case "Destroyed":
        return Event.Destroyed({ ...about, reason: detail as Reason })
      case "Overdue":
        return Event.Overdue({ ...about, holder: holderOf(core, waiter as Lease, slot, at) })
      case "Revoked":
        return Event.Revoked({ ...about, holder: holderOf(core, waiter as Lease, slot, at) })
      default:
        return Event.Unhealthy(about)
    }
  }
}
