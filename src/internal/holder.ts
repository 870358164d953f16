/** Who holds what, as errors, logs, events and stats tell it. */
import * as Duration from "effect/Duration"
import { Holder } from "../PoolError.ts"
import type { Core } from "./core.ts"
import type { Lease } from "./lease.ts"
import type { Slot } from "./state.ts"

/** The name of the span around the borrow. */
export const spanName = (lease: Lease): string | undefined => lease.span?._tag === "Span" ? lease.span.name : undefined

/** `fiber #31 in span "GET /users"` */
export const whoIs = (lease: Lease): string => {
  const span = spanName(lease)
  return `fiber #${lease.fiberId}${span === undefined ? "" : ` in span "${span}"`}`
}

export const holderOf = (core: Core, lease: Lease, slot: Slot, now: number): Holder => {
  core.nesting.examine()
  const span = spanName(lease)
  const traceId = lease.span?.traceId
  const object = core.describe(slot)
  const key = slot.group.label
  return new Holder({
    id: slot.id,
    fiber: lease.fiberId,
    ...(span === undefined ? undefined : { span }),
    ...(traceId === undefined ? undefined : { traceId }),
    heldFor: Duration.millis(Math.max(0, now - lease.since)),
    waiting: lease.hasWaiting,
    ...(object === undefined ? undefined : { object }),
    ...(key === undefined ? undefined : { key })
  }, { disableChecks: true })
}
