/** What happens, for those who listen. */
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Core } from "./core.ts"
import { holderOf } from "./holder.ts"
import type { Lease } from "./lease.ts"
import type { Reason } from "./policy.ts"
import type { Bounds, Happening } from "./state.ts"
import type { Event } from "./stats.ts"

/** How many events a listener that is behind keeps. */
const capacity = 1024

interface Listener {
  readonly tell: (event: Event) => void
  /** The pool has closed. */
  readonly end: () => void
}

/** What is no more than that it happens, and not to an object. */
type Brief = "TimedOut" | "Rejected" | "Cancelled" | "Suspended" | "Resumed" | "Evicted"

export class Events {
  private readonly core: Core
  private readonly listeners = new Set<Listener>()
  private ended = false

  constructor(core: Core) {
    this.core = core
  }

  /** From now on, and until the pool has closed; the result ends it. */
  listen(listener: Listener): () => void {
    if (this.ended) {
      listener.end()
      return () => {}
    }
    this.listeners.add(listener)
    this.core.machine.observed = true
    return () => {
      this.listeners.delete(listener)
      this.core.machine.observed = this.listeners.size > 0
    }
  }

  get stream(): Stream.Stream<Event> {
    const listening = Effect.map(Queue.sliding<Event, Cause.Done>(capacity), (queue) => ({
      queue,
      stop: this.listen({
        tell: (event) => Queue.offerUnsafe(queue, event),
        end: () => Queue.endUnsafe(queue)
      })
    }))
    // one at a time: what a slow listener has taken it keeps, and would keep beyond the last 1,024
    return Stream.unwrap(
      Effect.map(
        Effect.acquireRelease(listening, ({ stop }) => Effect.sync(stop)),
        ({ queue }) => Stream.fromEffectRepeat(Queue.take(queue))
      )
    )
  }

  publish(): void {
    for (const happening of this.core.machine.happenings.splice(0)) this.send(this.eventOf(happening))
  }

  /** Tells the last event, and ends all streams. */
  close(): void {
    this.ended = true
    if (this.listeners.size > 0) {
      this.send({ _tag: "Closed", pool: this.core.name, at: this.core.epoch(this.core.now()) })
    }
    for (const listener of this.listeners) listener.end()
    this.listeners.clear()
    this.core.machine.observed = false
  }

  private send(event: Event): void {
    for (const listener of this.listeners) listener.tell(event)
  }

  // literals: the constructors of a tagged enum take many times longer, and a borrow waits for this
  private eventOf({ at, detail, group, slot, tag, waiter }: Happening): Event {
    const { core } = this
    const key = group?.label
    const pool = core.name
    const epoch = core.epoch(at)
    const always = key === undefined ? { pool, at: epoch } : { pool, at: epoch, key }
    if (slot === undefined) {
      return tag === "Resized"
        ? { _tag: tag, ...always, ...detail as Bounds }
        : { _tag: tag as Brief, ...always }
    }
    if (tag === "CreateFailed") {
      return { _tag: tag, ...always, id: slot.id, cause: detail as Cause.Cause<unknown> }
    }
    const object = core.describe(slot)
    const about = object === undefined ? { ...always, id: slot.id } : { ...always, id: slot.id, object }
    switch (tag) {
      case "Created":
        return { _tag: tag, ...about, took: Duration.millis(detail as number) }
      case "Borrowed":
        return { _tag: tag, ...about, waited: Duration.millis(detail as number) }
      case "Returned":
        return { _tag: tag, ...about, held: Duration.millis(detail as number) }
      case "Destroyed":
        return { _tag: tag, ...about, reason: detail as Reason }
      case "Overdue":
      case "Revoked":
        return { _tag: tag, ...about, holder: holderOf(core, waiter as Lease, slot, at) }
      default:
        return { _tag: "Unhealthy", ...about }
    }
  }
}
