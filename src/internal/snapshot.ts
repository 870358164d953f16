/** One consistent look at a pool. */
import * as Duration from "effect/Duration"
import type { Core } from "./core.ts"
import { holderOf } from "./holder.ts"
import { KeyedStats } from "./keyedStats.ts"
import type { Lease } from "./lease.ts"
import type { Group, Slot } from "./state.ts"
import { Stats } from "./stats.ts"
import type { Totals } from "./totals.ts"

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

const common = (core: Core, totals: Totals) => {
  const { machine } = core
  return {
    name: core.name,
    suspended: machine.suspended,
    closed: machine.closed,
    ...totals.counts,
    destroyed: { ...totals.destroyed }
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
  // of what nobody holds and something runs on: since when that runs
  const kind = state === "checking" ? "check" : "borrow"
  const running = slot.holders > 0 ? undefined : slot.activities.find((activity) => activity.kind === kind)
  const object = core.describe(slot)
  return {
    id: slot.id,
    state,
    age: Duration.millis(now - slot.createdAt),
    uses: slot.uses,
    since: Duration.millis(now - (running?.startedAt ?? slot.since)),
    ...(object === undefined ? undefined : { object }),
    holders: holders.map((lease) => holderOf(core, lease, slot, now))
  }
}

const objectsOf = (core: Core, group: Group, now: number, holders: Map<Slot, Array<Lease>>) =>
  group.slots
    .filter((slot) => slot.state === "alive")
    .toSorted((a, b) => a.id - b.id)
    .map((slot) => objectOf(core, slot, holders.get(slot) ?? [], now))

export const statsOf = (core: Core, group: Group): Stats =>
  new Stats({
    ...common(core, group.totals),
    min: group.min,
    max: group.max,
    ...places(core, group),
    objects: objectsOf(core, group, core.now(), holdersBySlot(core))
  })

/** The same of a pool by key: of the whole, and of each key. */
export const keyedStatsOf = (core: Core): KeyedStats => {
  const { machine } = core
  const now = core.now()
  const holders = holdersBySlot(core)
  const groups = livingGroups(core)
  const whole = { size: 0, idle: 0, inUse: 0, creating: 0, destroying: 0, waiting: 0 }
  const keys = groups.map((group) => {
    const here = places(core, group)
    for (const name of Object.keys(whole) as Array<keyof typeof whole>) whole[name] += here[name]
    return { key: group.label!, ...here }
  })
  return new KeyedStats({
    ...common(core, machine.totals),
    max: machine.rooms!.max,
    ...whole,
    objects: groups
      .flatMap((group) => objectsOf(core, group, now, holders).map((object) => ({ ...object, key: group.label! })))
      .toSorted((a, b) => a.id - b.id),
    keys
  })
}

/** The keys that exist: a key that is only remembered for the spacing of its attempts does not. */
export const livingGroups = (core: Core): Array<Group> =>
  [...core.machine.groups.values()].filter((group) => group.slots.length > 0 || group.waiting > 0)
