/** The last events of all open pools, as the monitor's page shows them. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import type * as Schema from "effect/Schema"
import { formatDuration } from "./duration.ts"
import type { Visible } from "./registry.ts"
import { onOpen, openPools } from "./registry.ts"
import type { Event } from "./stats.ts"

/** So many are kept. */
const mostEvents = 100
/** A text longer than this is cut. */
const mostText = 120

export const cut = (text: string): string => text.length > mostText ? `${text.slice(0, mostText - 1)}…` : text

export const textOf = (json: Schema.Json): string => cut(typeof json === "string" ? json : JSON.stringify(json))

export interface EventView {
  readonly seq: number
  readonly at: number
  readonly pool: string
  readonly key?: string
  readonly tag: string
  readonly id?: number
  readonly text: string
}

const causeText = (cause: Cause.Cause<unknown>): string => {
  const [error] = Cause.prettyErrors(cause)
  return error === undefined ? "interrupted" : `${error.name}: ${error.message}`
}

const format = (duration: Duration.Duration): string => formatDuration(Duration.toMillis(duration))

const detailOf = (event: Event): string => {
  switch (event._tag) {
    case "Created":
      return `took ${format(event.took)}`
    case "CreateFailed":
      return causeText(event.cause)
    case "Borrowed":
      return `waited ${format(event.waited)}`
    case "Returned":
      return `held ${format(event.held)}`
    case "Destroyed":
      return event.reason
    case "Overdue":
    case "Revoked":
      return `held ${format(event.holder.heldFor)} by ${event.holder}`
    case "Resized":
      return `min ${event.min}, max ${event.max}`
    default:
      return ""
  }
}

const eventView = (seq: number, event: Event): EventView => {
  const object = "object" in event && event.object !== undefined ? textOf(event.object) : ""
  const detail = detailOf(event)
  return {
    seq,
    at: event.at,
    pool: event.pool,
    ...(event.key === undefined ? undefined : { key: cut(event.key) }),
    tag: event._tag,
    ...("id" in event ? { id: event.id } : undefined),
    text: cut([object, detail].filter((text) => text !== "").join(" · "))
  }
}

interface Told {
  readonly seq: number
  readonly event: Event
}

/** The last events of all pools, as long as somebody looks; what they were is kept when nobody does. */
export class EventLog {
  readonly since: number
  private readonly all: Array<Told> = []
  /** Without the borrows and returns, which would soon leave no room for the others. */
  private readonly rare: Array<Told> = []
  private readonly listening = new Map<Visible, () => void>()
  private seq = 0
  private lookers = 0
  private unwatch: (() => void) | undefined = undefined

  constructor(since: number) {
    this.since = since
  }

  /** Somebody looks; the result is called when they do no more. */
  look(): () => void {
    if (this.lookers++ === 0) {
      for (const pool of openPools) this.listen(pool)
      this.unwatch = onOpen((pool) => this.listen(pool))
    }
    return () => {
      if (--this.lookers > 0) return
      this.unwatch?.()
      for (const stop of this.listening.values()) stop()
      this.listening.clear()
    }
  }

  private listen(pool: Visible): void {
    const stop = pool.core.events.listen({
      tell: (event) => this.add(event),
      end: () => this.listening.delete(pool)
    })
    this.listening.set(pool, stop)
  }

  private add(event: Event): void {
    const told = { seq: ++this.seq, event }
    keep(this.all, told)
    if (event._tag !== "Borrowed" && event._tag !== "Returned") keep(this.rare, told)
  }

  /** Those after this number that are kept, oldest first. */
  after(seq: number): ReadonlyArray<EventView> {
    const found = new Map<number, Event>()
    for (const told of this.rare) if (told.seq > seq) found.set(told.seq, told.event)
    for (const told of this.all) if (told.seq > seq) found.set(told.seq, told.event)
    return Array.from(found, ([seq, event]) => eventView(seq, event)).toSorted((a, b) => a.seq - b.seq)
  }
}

const keep = (events: Array<Told>, event: Told): void => {
  events.push(event)
  if (events.length > mostEvents) events.shift()
}
