/** One consistent look at a pool. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { Core } from "./core.ts"
import { holderOf } from "./holder.ts"
import type { Lease } from "./lease.ts"
import type { Group, Slot } from "./state.ts"
import { Stats } from "./stats.ts"

const places = (core: Core, group: Group) => {
  const { idle, inUse } = core.machine.usage(group)
  return {
    size: group.size,
    idle,
    inUse,
    creating: group.creating,
    destroying: group.destroying,
    waiting: group.waiting
  }
}

const totals = (core: Core) => {
  const { machine } = core
  return {
    name: core.name,
    suspended: machine.suspended,
    closed: machine.closed,
    created: machine.created,
    createFailures: machine.createFailures,
    borrowed: machine.borrowed,
    returned: machine.returned,
    timeouts: machine.timeouts,
    rejected: machine.rejected,
    cancelled: machine.cancelled,
    healthChecks: machine.healthChecks,
    hookFailures: core.hookFailures,
    destroyed: { ...machine.destroyed }
  }
}

/** Who holds what, by object. */
const holdersBySlot = (core: Core): Map<Slot, Array<Lease>> => {
  const holders = new Map<Slot, Array<Lease>>()
  for (const list of [core.machine.held, core.machine.returning]) {
    for (let waiter = list.head; waiter !== undefined; waiter = waiter.next) {
      const lease = waiter as Lease
      const found = holders.get(lease.slot!)
      if (found === undefined) holders.set(lease.slot!, [lease])
      else found.push(lease)
    }
  }
  return holders
}

const objectOf = (core: Core, slot: Slot, holders: ReadonlyArray<Lease>, now: number) => {
  const state = core.machine.stateOf(slot)
  const check = state === "checking" ? slot.activities.find((activity) => activity.kind === "check") : undefined
  const object = core.describe(slot)
  return {
    id: slot.id,
    state,
    age: Duration.millis(now - slot.createdAt),
    uses: slot.uses,
    since: Duration.millis(now - (check?.startedAt ?? slot.since)),
    ...(Option.isSome(object) ? { object: object.value } : undefined),
    holders: holders.map((lease) => holderOf(core, lease, slot, now))
  }
}

const objectsOf = (core: Core, group: Group) => {
  const now = core.now()
  const holders = holdersBySlot(core)
  return group.slots
    .filter((slot) => slot.state === "alive")
    .sort((a, b) => a.id - b.id)
    .map((slot) => objectOf(core, slot, holders.get(slot) ?? [], now))
}

export const statsOf = (core: Core, group: Group): Stats =>
  new Stats({
    ...totals(core),
    min: group.min,
    max: group.max,
    ...places(core, group),
    objects: objectsOf(core, group)
  }, { disableChecks: true })
