/**
 * Plants one mistake after the other in copies of the pure part, and looks whether its tests notice. A mistake that
 * nobody notices is a hole in the tests, or changes nothing that can be seen: then `equivalent` says why.
 * `tsx test/scripts/mutants.ts words` plants only those with these words in their names.
 */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

interface Mutant {
  readonly name: string
  readonly file: string
  /** Exactly once in the file. */
  readonly from: string
  readonly to: string
  /** Why nobody can notice. */
  readonly equivalent?: string
}

const root = fileURLToPath(new URL("../../", import.meta.url))
const src = path.join(root, "src", "internal")

const inFile = (file: string) => (name: string, from: string, to: string, equivalent?: string): Mutant => ({
  name,
  file,
  from,
  to,
  ...(equivalent === undefined ? undefined : { equivalent })
})

/** The machine, and what it is made of. */
const layers = ["machine.ts", "control.ts", "lending.ts", "growth.ts", "ledger.ts"]
const texts = new Map(layers.map((file) => [file, fs.readFileSync(path.join(src, file), "utf8")]))

const machine = (name: string, from: string, to: string, equivalent?: string): Mutant =>
  inFile(layers.find((file) => texts.get(file)!.includes(from)) ?? "machine.ts")(name, from, to, equivalent)

const waiters = inFile("waiters.ts")
const idle = inFile("idle.ts")
const heap = inFile("heap.ts")
const list = inFile("list.ts")
const state = inFile("state.ts")
const rooms = inFile("rooms.ts")

const mutants: ReadonlyArray<Mutant> = [
  // borrowing
  machine(
    "nextFor: a newcomer overtakes the queue",
    "return group.queue.size === 0 && !this.suspended && !this.closed ? group.idle",
    "return !this.suspended && !this.closed ? group.idle"
  ),
  machine(
    "nextFor: is lent while suspended",
    "return group.queue.size === 0 && !this.suspended && !this.closed ? group.idle",
    "return group.queue.size === 0 && !this.closed ? group.idle"
  ),
  machine(
    "miss: an expired object is prepared",
    "      if (slot.expiresAt <= now) {\n        this.expire(slot, now)\n        return this.borrow(waiter, timeout, now)\n      }\n",
    ""
  ),
  machine(
    "borrow: with no time to wait, a hook is begun",
    "if (timeout > 0) this.prepare(slot, waiter, now)",
    "if (timeout >= 0) this.prepare(slot, waiter, now)"
  ),
  machine(
    "borrow: with no time to wait, only the next is looked at",
    "const other = timeout > 0\n",
    "const other = true\n"
  ),
  machine("borrow: with no time to wait, what is too old is lent", "(each) => each.expiresAt > now && ", "(each) => "),
  machine("borrow: with no time to wait, one waits", "    if (timeout <= 0) this.giveUp(waiter)\n", ""),
  machine("borrow: nobody is turned away", "    if (this.mustReject(group, now)) {", "    if (false) {"),
  machine(
    "borrow: a deadline does not wake",
    "else if (waiter.deadline < this.wakeAt) this.wakeAt = waiter.deadline",
    "else if (false) this.wakeAt = waiter.deadline"
  ),
  machine(
    "borrow: every deadline is taken for one in order",
    "if (this.rooms !== undefined || !group.queue.keepsOrder(waiter.deadline)) ",
    "if (this.rooms !== undefined) "
  ),
  machine(
    "borrow: nothing is created for a waiter",
    "    group.queue.enter(waiter)\n    this.grow(group, waiter, now)\n",
    "    group.queue.enter(waiter)\n"
  ),
  machine(
    "hit: an expired object is lent",
    "if (slot === undefined || slot.expiresAt <= now || this.needsPreparation(slot, now)) return false",
    "if (slot === undefined || this.needsPreparation(slot, now)) return false"
  ),
  machine(
    "hit: what needs a check is lent as it is",
    "if (slot === undefined || slot.expiresAt <= now || this.needsPreparation(slot, now)) return false",
    "if (slot === undefined || slot.expiresAt <= now) return false"
  ),
  machine(
    "hit: after the last use there is no other",
    "if (slot.doomed !== undefined || group.outage !== outage) this.settle(group, now)",
    "if (group.outage !== outage) this.settle(group, now)"
  ),
  machine(
    "hit: the end of an outage changes nothing",
    "if (slot.doomed !== undefined || group.outage !== outage) this.settle(group, now)",
    "if (slot.doomed !== undefined) this.settle(group, now)"
  ),
  machine(
    "takeBack: what must go is kept",
    "return doomed === undefined && expiresAt > now",
    "return expiresAt > now"
  ),
  machine(
    "takeBack: an expired object is kept",
    "return doomed === undefined && expiresAt > now && ",
    "return doomed === undefined && "
  ),
  machine(
    "takeBack: one too many is kept",
    "expiresAt > now && group.size + group.creating <= group.max",
    "expiresAt > now"
  ),
  machine(
    "part: nobody is told",
    "    if (this.observed) this.note(\"Returned\", slot, waiter, now - waiter.since, now)\n",
    ""
  ),
  machine("takeBack: hooks and shares are forgotten", "if (!this.takesAsIs || !this.isSound", "if (!this.isSound"),
  machine(
    "takeBack: other keys do not count",
    "    if (this.rooms !== undefined && this.rooms.isCrowded) return false\n",
    ""
  ),
  rooms(
    "isCrowded: who wants a place does not count",
    "return this.isHungry || this.taken > this.max",
    "return this.taken > this.max"
  ),
  rooms(
    "isCrowded: too many are none too many",
    "return this.isHungry || this.taken > this.max",
    "return this.isHungry"
  ),
  machine(
    "takeBack: the idle object has no deadline",
    "    group.idle.add(slot)\n    if (this.idles) this.watchSlot(slot)\n    return true",
    "    group.idle.add(slot)\n    return true"
  ),
  machine(
    "passOn: though others are before it in other keys",
    "if (this.rooms !== undefined || this.policy.hasBorrowHook || this.suspended",
    "if (this.policy.hasBorrowHook || this.suspended"
  ),
  machine(
    "passOn: while suspended",
    "this.policy.hasBorrowHook || this.suspended || group.outage",
    "this.policy.hasBorrowHook || group.outage"
  ),
  machine(
    "passOn: without onBorrow",
    "this.policy.hasBorrowHook || this.suspended || group.outage",
    "this.suspended || group.outage"
  ),
  machine(
    "passOn: an outage changes nothing",
    "this.suspended || group.outage !== undefined) {",
    "this.suspended) {"
  ),
  machine(
    "passOn: the last use is like any other",
    "    if (slot.uses + 1 >= this.policy.maxUses) return false\n",
    ""
  ),
  machine(
    "needsReturn: the queue before it does not count",
    "      if (next === waiter) return false\n      left--\n",
    "      if (next === waiter) return false\n"
  ),
  machine(
    "poll: one that polls waits for a creation",
    "      waiter.state = \"ended\"\n      this.commands.push({ op: \"none\", waiter })\n      return undefined\n    }\n    if (slot.expiresAt",
    "      waiter.state = \"ended\"\n      this.grow(waiter.group, waiter, now)\n      this.commands.push({ op: \"none\", waiter })\n      return undefined\n    }\n    if (slot.expiresAt"
  ),
  machine("cancel: is not counted", "    waiter.group.totals.cancelled++\n", ""),
  machine("cancel: what it leaves serves nobody", "    if (idle) this.settle(waiter.group, now)\n", ""),
  machine(
    "release: twice",
    "if (waiter.state !== \"holding\" || (!unknown && this.takeBack(waiter, now))) return undefined",
    "if (!unknown && this.takeBack(waiter, now)) return undefined"
  ),
  machine(
    "release: in whatever state it is",
    "if (waiter.state !== \"holding\" || (!unknown && this.takeBack(waiter, now))) return undefined",
    "if (waiter.state !== \"holding\" || this.takeBack(waiter, now)) return undefined"
  ),
  machine(
    "release: without onReturn",
    "    if (this.policy.hasReturnHook) {\n      waiter.state",
    "    if (false) {\n      waiter.state"
  ),
  machine("release: forgets that the state is unknown", "      activity.unknown = unknown\n", ""),
  machine(
    "revoke: the object is kept",
    "    this.doom(slot, reason, now)\n    this.freed(slot, now)\n    this.settle(slot.group, now)\n  }\n\n  // ",
    "    this.freed(slot, now)\n    this.settle(slot.group, now)\n  }\n\n  // "
  ),
  machine("revoke: the holder is not told", "    this.commands.push({ op: \"revoke\", waiter, reason })\n", ""),
  // creating
  machine(
    "create: comes too late, and counts",
    "    if (slot.state !== \"creating\") return false\n    const group = slot.group\n    const { jitter",
    "    if (slot.state === \"alive\") return false\n    const group = slot.group\n    const { jitter"
  ),
  machine(
    "create: lives too long by a millisecond",
    "Math.ceil(timeToLive * (1 - jitter * this.random()))",
    "Math.floor(timeToLive * (1 - jitter * this.random())) + 1"
  ),
  machine("create: has no jitter", "(1 - jitter * this.random())", "(1 - 0 * this.random())"),
  machine("create: an outage goes on", "      if (!outage.losing) this.recover(group)\n", ""),
  machine(
    "create: ends an outage of lost objects",
    "      if (!outage.losing) this.recover(group)\n",
    "      this.recover(group)\n"
  ),
  machine("create: the last failure is remembered", "    group.lastFailure = undefined\n", ""),
  machine("create: what is fresh is checked", "    slot.fresh = true\n    const only", "    const only"),
  machine(
    "create: stays fresh for ever",
    "    this.settle(group, now)\n    slot.fresh = false\n    return true",
    "    this.settle(group, now)\n    return true"
  ),
  machine(
    "create: an object for one is lent while suspended",
    "if (this.disown(slot) && !this.suspended) this.give",
    "if (this.disown(slot)) this.give"
  ),
  machine(
    "create: the attempt never ends",
    "      if (outage.attempt === slot) outage.attempt = undefined\n      if (!outage",
    "      if (!outage"
  ),
  machine(
    "fail: the finalizers do not run",
    "    this.commands.push({ op: \"destroy\", slot })\n    this.settle(slot.group, now)\n    return true",
    "    this.settle(slot.group, now)\n    return true"
  ),
  machine(
    "gone: the place stays taken",
    "    group.destroying--\n    group.removeSlot(slot)\n",
    "    group.removeSlot(slot)\n"
  ),
  machine("gone: is not counted", "      group.totals.destroyed[slot.doomed]++\n", ""),
  machine(
    "gone: counts what was never created",
    "if (slot.doomed !== undefined && slot.createdAt !== -1)",
    "if (slot.doomed !== undefined || slot.createdAt === -1)"
  ),
  machine(
    "gone: serves nobody",
    "      this.note(\"Destroyed\", slot, undefined, slot.doomed, now)\n    }\n    this.settle(group, now)\n",
    "      this.note(\"Destroyed\", slot, undefined, slot.doomed, now)\n    }\n"
  ),
  machine("spaced: also when the outage is over", "    if (group.outage !== outage) return\n", ""),
  machine(
    "spaced: counted from now",
    "    outage.retryAt = outage.failedAt + delay\n",
    "    outage.retryAt = now + delay\n"
  ),
  machine(
    "spaced: nothing begins",
    "    outage.retryAt = outage.failedAt + delay\n    this.settle(group, now)\n",
    "    outage.retryAt = outage.failedAt + delay\n"
  ),
  machine(
    "failed: nobody is told",
    "    if (group.creating === 0 && group.alive === 0 && group.queue.size > 0) {",
    "    if (false) {"
  ),
  machine(
    "failed: told though an object is alive",
    "    if (group.creating === 0 && group.alive === 0 && group.queue.size > 0) {",
    "    if (group.creating === 0 && group.queue.size > 0) {"
  ),
  machine(
    "failed: told though another is in flight",
    "    if (group.creating === 0 && group.alive === 0 && group.queue.size > 0) {",
    "    if (group.alive === 0 && group.queue.size > 0) {"
  ),
  machine(
    "failed: told while an object that must go is held",
    "    if (group.creating === 0 && group.alive === 0 && group.queue.size > 0) {",
    "    if (group.creating === 0 && group.size === 0 && group.queue.size > 0) {"
  ),
  machine(
    "lost: also what somebody had",
    "slot.doomed === undefined && slot.uses === 0 && !this.policy.unpooled",
    "slot.doomed === undefined && !this.policy.unpooled"
  ),
  machine(
    "lost: also what had to go",
    "slot.doomed === undefined && slot.uses === 0 && !this.policy.unpooled",
    "slot.uses === 0 && !this.policy.unpooled"
  ),
  machine(
    "lost: also what is for one borrower",
    "slot.doomed === undefined && slot.uses === 0 && !this.policy.unpooled",
    "slot.doomed === undefined && slot.uses === 0"
  ),
  machine(
    "space: every failure steps the schedule",
    "if (first || slot.attempt === group.attempts) {",
    "if (first || true) {"
  ),
  machine(
    "space: no later failure steps the schedule",
    "if (first || slot.attempt === group.attempts) {",
    "if (first) {"
  ),
  machine(
    "space: a straggler does not delay",
    "    } else if (outage.retryAt !== Infinity) outage.retryAt = now + outage.delay\n",
    "    }\n"
  ),
  machine(
    "space: the attempt never ends",
    "    if (outage.attempt === slot) outage.attempt = undefined\n    if (first",
    "    if (first"
  ),
  machine("space: forgets that objects are lost", "    if (losing) outage.losing = true\n", ""),
  machine(
    "abort: takes no place",
    "    group.creating--\n    group.destroying++\n    if (group.outage",
    "    group.creating--\n    if (group.outage"
  ),
  machine(
    "abort: the attempt never ends",
    "    if (group.outage !== undefined && group.outage.attempt === slot) group.outage.attempt = undefined\n",
    ""
  ),
  machine(
    "abort: whoever it was for is never served",
    "    if (slot.only !== undefined) this.disown(slot)\n    this.commands.push({ op: \"abort\", slot })",
    "    this.commands.push({ op: \"abort\", slot })"
  ),
  machine(
    "disown: the borrower keeps the creation",
    "      only.slot = undefined\n      return true",
    "      return true"
  ),
  machine("disown: orphans are not counted down", "    slot.group.orphans--\n", ""),
  // checks and hooks
  machine("ran: twice", "    if (activity.over) return\n    this.conclude(activity)", "    this.conclude(activity)"),
  machine("ran: an onReturn that fails keeps the object", "        if (!ok) this.doom(slot, \"failed\", now)\n", ""),
  machine("ran: nobody hears of the return", "          this.commands.push({ op: \"returned\", waiter })\n", ""),
  machine("ran: returning for ever", "          this.returning.remove(waiter)\n", ""),
  machine(
    "needsCheck: a millisecond late",
    "slot.preparing === 0 && now - slot.since >= this.policy.healthAfterIdle",
    "slot.preparing === 0 && now - slot.since > this.policy.healthAfterIdle"
  ),
  machine("needsCheck: also what is fresh", "return !slot.fresh && slot.holders === 0", "return slot.holders === 0"),
  machine(
    "needsCheck: also what others use",
    "!slot.fresh && slot.holders === 0 && slot.preparing === 0 &&",
    "!slot.fresh &&"
  ),
  machine("checked: an unhealthy object is kept", "      this.doom(slot, \"unhealthy\", now)\n", ""),
  machine(
    "checked: the borrower is forgotten",
    "      this.doom(slot, \"unhealthy\", now)\n      if (waiter !== undefined) this.requeue(waiter, now)\n",
    "      this.doom(slot, \"unhealthy\", now)\n"
  ),
  machine(
    "checked: never was",
    "    slot.checkedAt = now\n    if (activity.forBorrower)",
    "    if (activity.forBorrower)"
  ),
  machine(
    "checked: handed over while suspended",
    "      if (slot.doomed !== undefined || this.suspended) {\n        slot.since",
    "      if (slot.doomed !== undefined) {\n        slot.since"
  ),
  machine(
    "checked: no hook after the check",
    "      } else if (this.policy.hasBorrowHook) {\n        slot.preparing++",
    "      } else if (false) {\n        slot.preparing++"
  ),
  machine(
    "checked: shares stay taken while the hook runs",
    "        this.run(\"borrow\", slot, waiter, now)\n        this.freed(slot, now)\n",
    "        this.run(\"borrow\", slot, waiter, now)\n"
  ),
  machine(
    "prepared: too old, and handed over",
    "    if (ok) {\n      this.refit(slot, now)\n      if (waiter !== undefined && slot.doomed",
    "    if (ok) {\n      if (waiter !== undefined && slot.doomed"
  ),
  machine(
    "prepared: handed over while suspended",
    "waiter !== undefined && slot.doomed === undefined && !this.suspended",
    "waiter !== undefined && slot.doomed === undefined"
  ),
  machine(
    "prepared: no onReturn for nobody",
    "      if (this.policy.hasReturnHook) {\n        this.run(\"return\", slot, undefined, now)",
    "      if (false) {\n        this.run(\"return\", slot, undefined, now)"
  ),
  machine(
    "prepared: a hook that fails keeps the object",
    "      this.lost(slot, now)\n      this.doom(slot, \"failed\", now)\n",
    "      this.lost(slot, now)\n"
  ),
  machine(
    "prepared: what was stopped is known",
    "      if (this.policy.concurrency === 1) {\n        this.doubt(slot, now)\n        return\n      }\n",
    ""
  ),
  machine(
    "doubt: nothing is checked",
    "if (slot.doomed === undefined && this.policy.hasCheck) return this.run",
    "if (false) return this.run"
  ),
  machine(
    "doubt: what must go is checked",
    "if (slot.doomed === undefined && this.policy.hasCheck) return this.run",
    "if (this.policy.hasCheck) return this.run"
  ),
  machine("poll: is a borrower like others", "    waiter.seq = 0\n", ""),
  machine("requeue: one that polls queues", "    if (waiter.seq > 0) {", "    if (true) {"),
  machine(
    "requeue: one that polls overtakes whom it has sent back",
    "if (slot === undefined || group.queue.size > 0) {",
    "if (slot === undefined) {"
  ),
  machine(
    "requeue: at the end of the queue",
    "      waiter.group.queue.reenter(waiter)\n",
    "      waiter.group.queue.push(waiter)\n"
  ),
  machine(
    "conclude: the object stays passed over",
    "    if (activity.slot.passedOver) activity.slot.group.idle.unblock(activity.slot)\n",
    ""
  ),
  machine(
    "conclude: the deadline stays",
    "    activity.over = true\n    this.objects.remove(activity)\n",
    "    activity.over = true\n"
  ),
  machine(
    "attach: the deadline is lost",
    "    if (waiter.deadline !== Infinity && waiter.timerIndex === -1) this.watch(this.patience, waiter, waiter.deadline)\n",
    ""
  ),
  // lending and returning
  machine(
    "lend: warnings are not noticed",
    "    if (this.unwarned === undefined && this.policy.borrowWarning !== Infinity) this.unwarned = waiter\n",
    ""
  ),
  machine(
    "lend: a limit does not wake",
    "      const at = now + this.overdueAfter\n      if (at < this.wakeAt) this.wakeAt = at\n",
    ""
  ),
  machine(
    "lend: once more than allowed",
    "if (slot.uses >= this.policy.maxUses) this.doom",
    "if (slot.uses > this.policy.maxUses) this.doom"
  ),
  machine(
    "lend: a hand-over does not end the losing",
    "    if (outage !== undefined && outage.losing) this.recover(slot.group)\n",
    ""
  ),
  machine(
    "lend: the same where there is nothing else to do",
    "if (!this.lendsOnly || this.observed || slot.group.outage !== undefined) this.noteLending",
    "if (!this.lendsOnly || this.observed) this.noteLending"
  ),
  machine(
    "lend: nobody is told",
    "if (!this.lendsOnly || this.observed || slot.group",
    "if (!this.lendsOnly || slot.group"
  ),
  machine(
    "lend: who holds too long is forgotten",
    "this.lendsOnly = this.overdueAfter === Infinity && ",
    "this.lendsOnly = "
  ),
  machine(
    "lend: used too often",
    "policy.maxUses === Infinity && policy.concurrency === 1\n",
    "policy.concurrency === 1\n"
  ),
  machine(
    "lend: shares are forgotten",
    "policy.maxUses === Infinity && policy.concurrency === 1\n",
    "policy.maxUses === Infinity\n"
  ),
  machine("lend: the owner holds nothing", "    if (this.counting) this.count(waiter, 1)\n", ""),
  machine("unhold: the owner holds for ever", "    if (this.counting) this.count(waiter, -1)\n", ""),
  machine(
    "mayHold: what was counted before",
    "      this.heldBy.fill(0)\n",
    ""
  ),
  machine(
    "mayHold: who held before is not counted",
    "      for (let waiter = this.held.head; waiter !== undefined; waiter = waiter.next) this.count(waiter, 1)\n",
    ""
  ),
  machine(
    "mayHold: is never counted anew",
    "      this.counting = true\n",
    "",
    "each question counts, which is only slower"
  ),
  machine(
    "leave: what is prepared for another",
    "slot.activities.find((each) => each.waiter === waiter)!",
    "slot.activities[0]!"
  ),
  machine(
    "lend: free shares are not lent",
    "    else if (this.policy.concurrency > 1) this.freed(slot, now)\n  }\n\n  /** To a borrower",
    "  }\n\n  /** To a borrower"
  ),
  machine(
    "lendAtOnce: the minimum waits",
    "    if (slot.doomed !== undefined || group.outage !== outage) this.settle(group, now)\n",
    ""
  ),
  machine(
    "handOver: the deadline stays",
    "    if (waiter.timerIndex !== -1) this.patience.remove(waiter)\n    this.waited(waiter, now)\n",
    "    this.waited(waiter, now)\n"
  ),
  machine("handOver: nobody is resumed", "    this.served.push(waiter)\n", ""),
  machine(
    "unhold: the warning is lost",
    "    if (waiter === this.unwarned) this.unwarned = waiter.next\n",
    "    if (waiter === this.unwarned) this.unwarned = undefined\n"
  ),
  machine("leaveSlot: is not counted", "    slot.group.totals.returned++\n", ""),
  machine(
    "end: the state is known",
    "if (unknown && slot.doomed === undefined && this.policy.concurrency === 1) {",
    "if (false) {"
  ),
  machine(
    "end: a shared object is in doubt",
    "if (unknown && slot.doomed === undefined && this.policy.concurrency === 1) {",
    "if (unknown && slot.doomed === undefined) {"
  ),
  machine(
    "end: idle since it was lent",
    "    if (slot.holders === 0) slot.since = now\n    const group",
    "    const group"
  ),
  machine(
    "end: a waiter is not served",
    "    if (slot.doomed === undefined && group.queue.size === 0 && !this.rooms?.isHungry) {",
    "    if (slot.doomed === undefined) {"
  ),
  machine(
    "end: checked straight from a return",
    "    slot.fresh = true\n    this.freed(slot, now)\n    this.settle(group, now)\n    slot.fresh = false\n",
    "    this.freed(slot, now)\n    this.settle(group, now)\n"
  ),
  machine(
    "refit: too old, and kept",
    "    if (slot.expiresAt <= now) this.doom(slot, \"lifetime\", now)\n    else if (this.surplus",
    "    if (this.surplus"
  ),
  machine(
    "refit: a millisecond too old, and kept",
    "    if (slot.expiresAt <= now) this.doom(slot, \"lifetime\", now)\n    else if (this.surplus",
    "    if (slot.expiresAt < now) this.doom(slot, \"lifetime\", now)\n    else if (this.surplus"
  ),
  machine(
    "refit: one too many, and kept",
    "this.surplus(group) > 0 || this.surplusOfAll() > 0",
    "this.surplus(group) > 1 || this.surplusOfAll() > 1"
  ),
  machine(
    "surplus: knows of no spare place",
    "group.size + group.creating - group.max - this.policy.spare",
    "group.size + group.creating - group.max"
  ),
  machine(
    "surplus: counts what is leaving",
    "    if (surplus > 0) {\n      for (const slot of group.slots) {",
    "    if (false) {\n      for (const slot of group.slots) {"
  ),
  machine("doom: alive still", "    slot.doomed = reason\n    group.alive--\n", "    slot.doomed = reason\n"),
  machine(
    "doom: the last reason counts",
    "    if (slot.state !== \"alive\" || slot.doomed !== undefined) return\n",
    "    if (slot.state !== \"alive\") return\n"
  ),
  machine(
    "doom: what is prepared goes on",
    "      this.stop(activity)\n      if (waiter !== undefined) this.requeue(waiter, now)\n",
    "      if (waiter !== undefined) this.requeue(waiter, now)\n"
  ),
  machine("doom: onReturn is stopped", "      if (activity.kind === \"return\") continue\n", ""),
  machine(
    "stop: twice",
    "    if (activity.stopped) return\n    activity.stopped = true\n",
    "    activity.stopped = true\n"
  ),
  machine(
    "freed: destroyed under its holders",
    "      if (slot.holders > 0 || slot.activities.length > 0) return\n",
    "      if (slot.activities.length > 0) return\n"
  ),
  machine(
    "freed: destroyed under a hook",
    "      if (slot.holders > 0 || slot.activities.length > 0) return\n",
    "      if (slot.holders > 0) return\n"
  ),
  machine("freed: its value is remembered", "      group.forget(slot)\n", ""),
  machine(
    "freed: lent while a hook runs",
    "if (load > 0 || slot.idle || slot.activities.length > 0) return",
    "if (load > 0 || slot.idle) return"
  ),
  machine(
    "freed: an object for one becomes idle",
    "      if (this.policy.unpooled) {\n        this.doom(slot, \"idle\", now)",
    "      if (false) {\n        this.doom(slot, \"idle\", now)"
  ),
  machine(
    "freed: a checked object goes to the end",
    "      if (!slot.idle) {\n        group.idle.remove(slot)",
    "      if (true) {\n        group.idle.remove(slot)"
  ),
  machine(
    "freed: shared once too often",
    "if (load < this.policy.concurrency && !slot.activities.some((a)",
    "if (load <= this.policy.concurrency && !slot.activities.some((a)"
  ),
  machine(
    "freed: shared while it is checked for a borrower",
    "load < this.policy.concurrency && !slot.activities.some((a) => a.kind === \"check\" && a.forBorrower)",
    "load < this.policy.concurrency"
  ),
  // growing
  machine(
    "serve: while suspended",
    "    if (this.suspended || this.closed) return\n    while",
    "    if (this.closed) return\n    while"
  ),
  machine("wanted: one creation for each waiter", "Math.max(1, Math.ceil(queued / concurrency))", "queued"),
  machine(
    "wanted: no minimum",
    "return Math.max(forWaiters, this.missing(group)) - group.creating",
    "return forWaiters - group.creating"
  ),
  machine(
    "wanted: creations in flight do not count",
    "return Math.max(forWaiters, this.missing(group)) - group.creating",
    "return Math.max(forWaiters, this.missing(group))"
  ),
  machine(
    "wanted: for waiters while suspended",
    "const queued = this.suspended ? 0 : group.queue.size",
    "const queued = group.queue.size"
  ),
  machine(
    "wanted: for one borrower while suspended",
    "if (unpooled) return this.suspended ? 0 : group.queue.size",
    "if (unpooled) return group.queue.size"
  ),
  machine(
    "missing: what must go counts",
    "return group.abandoned ? 0 : group.min - group.alive",
    "return group.abandoned ? 0 : group.min - group.size"
  ),
  machine("hasRoom: one place too many", "places < group.max + spare &&", "places <= group.max + spare &&"),
  machine(
    "hasRoom: what is being destroyed takes no place",
    "const places = group.size + group.creating + group.destroying\n    return group.creating",
    "const places = group.size + group.creating\n    return group.creating"
  ),
  machine(
    "hasRoom: one creation too many",
    "return group.creating < maxCreating &&",
    "return group.creating <= maxCreating &&"
  ),
  machine("hasRoom: two for everybody", "(spare === 0 || group.alive + group.creating < group.max)", "true"),
  machine(
    "grow: after closing",
    "    if (this.closed) return\n    if (this.rooms !== undefined) {",
    "    if (this.rooms !== undefined) {"
  ),
  machine("mayAttempt: at any time", "    if (now >= outage.retryAt) return true\n", "    return true\n"),
  machine("mayAttempt: many at once", "    if (outage.attempt !== undefined) return false\n", ""),
  machine(
    "mayAttempt: nobody wakes for it",
    "    if (outage.retryAt !== Infinity) this.watch(this.objects, group.retry, outage.retryAt)\n    return false\n",
    "    return false\n"
  ),
  machine(
    "mayAttempt: objects for one are spaced",
    "    if (outage === undefined || this.policy.unpooled) return true\n",
    "    if (outage === undefined) return true\n",
    "where objects are for one borrower, no failure ever makes an outage"
  ),
  machine("begin: the attempt is not known", "    if (group.outage !== undefined) group.outage.attempt = slot\n", ""),
  machine("begin: for whoever comes first", "    if (only !== undefined) only.slot = slot\n", ""),
  machine(
    "mustReject: a millisecond late",
    "outage.attempt === undefined && now >= outage.retryAt",
    "outage.attempt === undefined && now > outage.retryAt"
  ),
  machine(
    "mustReject: counts those for whom something is created",
    "return queued - covered >= maxWaiting",
    "return queued >= maxWaiting"
  ),
  machine("mustReject: one too many", "return queued - covered >= maxWaiting", "return queued - covered > maxWaiting"),
  machine(
    "mustReject: a creation in flight covers nobody",
    "    if (queued < covered) return false\n",
    "",
    "less than none would have to wait, which is below every limit; the line only saves time"
  ),
  machine("mustReject: not while suspended", "    if (this.suspended) return queued >= maxWaiting\n", ""),
  // control
  machine(
    "invalidate: what is idle stays",
    "      this.doom(slot, \"invalidated\", now)\n      this.freed(slot, now)\n",
    "      this.doom(slot, \"invalidated\", now)\n"
  ),
  machine(
    "condemn: nothing replaces it",
    "    this.doom(waiter.slot!, \"invalidated\", now)\n    this.settle(waiter.group, now)\n",
    "    this.doom(waiter.slot!, \"invalidated\", now)\n"
  ),
  machine(
    "evict: what is being created stays",
    "      if (slot.state === \"creating\") this.abort(slot, now)\n      else {\n        this.doom(slot, \"evicted\", now)",
    "      if (slot.state !== \"creating\") {\n        this.doom(slot, \"evicted\", now)"
  ),
  machine(
    "evict: one that polls gets what goes next",
    "    for (const slot of group.slots) group.idle.remove(slot)\n",
    ""
  ),
  machine(
    "start: nothing",
    "  start(group: Group, now: number): void {\n    this.settle(group, now)\n",
    "  start(_group: Group, _now: number): void {\n"
  ),
  machine(
    "resize: waiters are not served",
    "    this.shrink(group, now)\n    this.watchIdle(group)\n    this.settle(group, now)\n",
    "    this.shrink(group, now)\n    this.watchIdle(group)\n"
  ),
  machine(
    "resize: the idle are not looked at",
    "    this.shrink(group, now)\n    this.watchIdle(group)\n    this.settle(group, now)\n",
    "    this.shrink(group, now)\n    this.settle(group, now)\n"
  ),
  machine("shrink: one too few", "while (this.surplus(group) > 0) {", "while (this.surplus(group) > 1) {"),
  machine(
    "shrink: the shortest idle first",
    "      const idle = group.idle.whole.head\n      if (idle !== undefined) {\n        this.doom(idle, \"resized\", now)",
    "      const idle = group.idle.whole.tail\n      if (idle !== undefined) {\n        this.doom(idle, \"resized\", now)"
  ),
  machine("abortYoungest: the oldest", "slot.id > youngest.id", "slot.id < youngest.id"),
  machine("suspend: is not told", "    this.note(\"Suspended\", undefined, undefined, undefined, now)\n", ""),
  machine(
    "resume: nobody is served",
    "    this.note(\"Resumed\", undefined, undefined, undefined, now)\n    this.settleAll([...this.groups.values()], now)\n",
    "    this.note(\"Resumed\", undefined, undefined, undefined, now)\n"
  ),
  machine(
    "close: twice",
    "  close(now: number): void {\n    if (this.closed) return\n",
    "  close(now: number): void {\n",
    "all that closing does has been done, and nothing comes after it"
  ),
  machine("close: waiters wait on", "    if (waiters.length > 0) this.commands.push({ op: \"close\", waiters })\n", ""),
  machine(
    "close: what is idle stays",
    "          this.doom(slot, \"shutdown\", now)\n          this.freed(slot, now)\n",
    "          this.doom(slot, \"shutdown\", now)\n"
  ),
  machine("abandon: hooks are waited for", "          this.ran(activity, false, now)\n", ""),
  machine(
    "leaveAll: places stay taken",
    "        this.commands.push({ op: \"leave\", slot })\n        this.gone(slot, now)\n      }\n    }\n  }\n",
    "        this.commands.push({ op: \"leave\", slot })\n      }\n    }\n  }\n"
  ),
  // time
  machine("awaitCreation: no deadline", "if (slot.state === \"creating\") this.watch", "if (false) this.watch"),
  machine(
    "awaitCreation: counted from zero",
    "slot.startedAt + this.policy.createTimeout",
    "this.policy.createTimeout"
  ),
  machine("awaitDestruction: no deadline", "if (slot.state === \"destroying\") this.watch", "if (false) this.watch"),
  machine(
    "awaitActivity: one timeout for all",
    "activity.kind === \"check\" ? this.policy.healthTimeout : this.policy.hookTimeout",
    "this.policy.hookTimeout"
  ),
  machine(
    "advance: objects at their moment are too early",
    "node !== undefined && node.timerAt <= now; node = this.objects.first",
    "node !== undefined && node.timerAt < now; node = this.objects.first"
  ),
  machine("advance: borrowers first", "    this.warnAndRevoke(now)\n    const late", "    const late"),
  machine(
    "advance: borrowers give up a millisecond late",
    "        if (waiter.deadline > now) break\n",
    "        if (waiter.deadline >= now) break\n"
  ),
  machine(
    "advance: the heap first",
    "        if (waiter.timerIndex !== -1 || waiter.deadline === Infinity) continue\n",
    "        if (waiter.deadline === Infinity) continue\n"
  ),
  machine("advance: sleeps for ever", "    this.wakeAt = this.nextDeadline()\n", ""),
  machine(
    "nextDeadline: forgets limits",
    "    if (oldest !== undefined && borrowLimit !== Infinity) at = Math.min(at, oldest.since + borrowLimit)\n",
    ""
  ),
  machine(
    "nextDeadline: forgets warnings",
    "    if (this.unwarned !== undefined) at = Math.min(at, this.unwarned.since + borrowWarning)\n",
    ""
  ),
  machine(
    "nextDeadline: forgets borrowers",
    "      if (patient !== undefined && patient.deadline < at) at = patient.deadline\n",
    ""
  ),
  machine(
    "leave: the next does not take over",
    "    if (next !== undefined) {\n      group.queue.leave(next)",
    "    if (false) {\n      group.queue.leave(next)"
  ),
  machine(
    "leave: taken over while suspended",
    "const next = this.suspended || this.closed ||",
    "const next = this.closed ||"
  ),
  machine(
    "leave: a creation of another is taken for one's own",
    "this.suspended || this.closed || this.policy.unpooled ? undefined : group.queue.head",
    "this.suspended || this.closed ? undefined : group.queue.head"
  ),
  machine(
    "leave: a check is stopped",
    "else if (activity.kind === \"borrow\") this.stop(activity)",
    "else this.stop(activity)"
  ),
  machine("leave: a hook runs on", "else if (activity.kind === \"borrow\") this.stop(activity)", ""),
  machine("leave: an orphan is not counted", "      if (waiter.slot !== undefined) group.orphans++\n", ""),
  machine(
    "giveUpAll: not in the order of arrival",
    "    waiters.sort((a, b) => a.seq - b.seq)\n",
    "    waiters.sort((a, b) => b.seq - a.seq)\n"
  ),
  machine(
    "giveUpAll: what they leave serves nobody",
    "    this.commands.push({ op: \"timeout\", waiters, counts })\n    this.settleAll(groups, now)\n",
    "    this.commands.push({ op: \"timeout\", waiters, counts })\n"
  ),
  machine("due: a stopped hook that never ends is in doubt only", "        node.stopped = false\n", ""),
  machine(
    "due: nobody is told of what is given up",
    "        this.commands.push({ op: \"desert\", activity: node })\n",
    ""
  ),
  machine(
    "slotDue: finalizers are waited for",
    "        this.commands.push({ op: \"leave\", slot })\n        this.gone(slot, now)\n        return\n",
    "        this.commands.push({ op: \"leave\", slot })\n        return\n"
  ),
  machine(
    "slotDue: a checked object is lent",
    "          if (this.policy.concurrency === 1) slot.group.idle.block(slot)\n",
    ""
  ),
  machine(
    "slotDue: looked at once only",
    "          this.run(\"check\", slot, undefined, now)\n        }\n        this.watchSlot(slot)\n",
    "          this.run(\"check\", slot, undefined, now)\n        }\n"
  ),
  machine("lateCreation: is not interrupted", "    this.commands.push({ op: \"late\", slot, failure })\n", ""),
  machine(
    "reap: below the minimum",
    "if (group.alive <= group.min || slot.since",
    "if (group.alive < group.min || slot.since"
  ),
  machine("reap: what is not due", "slot.since + idleTimeToLive > now) break", "slot.since > now) break"),
  machine(
    "reap: never again",
    "      this.doom(slot, \"idle\", now)\n      this.freed(slot, now)\n    }\n    this.watchIdle(group)\n",
    "      this.doom(slot, \"idle\", now)\n      this.freed(slot, now)\n    }\n"
  ),
  machine(
    "warnAndRevoke: one of many is warned of",
    "      this.unwarned = w.next\n      this.note(\"Overdue\"",
    "      this.unwarned = undefined\n      this.note(\"Overdue\""
  ),
  machine(
    "warnAndRevoke: a millisecond late",
    "w.since + borrowLimit <= now; w = this.held.head",
    "w.since + borrowLimit < now; w = this.held.head"
  ),
  machine(
    "healthDue: counted from the last check only",
    "Math.max(slot.checkedAt, slot.holders === 0 ? slot.since : 0)",
    "slot.checkedAt"
  ),
  machine(
    "healthDue: borrowed objects too",
    "    if (this.policy.concurrency === 1 && !slot.idle) return Infinity\n",
    ""
  ),
  machine(
    "watchSlot: never",
    "    if (at < slot.timerAt) this.watch(this.objects, slot, at)\n    this.watchIdle",
    "    this.watchIdle"
  ),
  machine(
    "watchIdle: only where more is alive than ever",
    "if (idleTimeToLive === Infinity || group.alive <= group.min) return",
    "if (idleTimeToLive === Infinity || group.alive <= group.min + 1) return"
  ),
  machine(
    "usage: what is checked is in use",
    "inUse: group.size - group.idle.count - group.checks",
    "inUse: group.size - group.idle.count"
  ),
  machine(
    "stateOf: what is checked is in use",
    "for (const activity of slot.activities) if (activity.kind === \"check\") return \"checking\"\n",
    ""
  ),
  // what it is made of
  waiters(
    "enter: nobody is patient",
    "    if (!isPatient(waiter)) return\n",
    "    if (true) return\n"
  ),
  waiters(
    "enter: the latest deadline is the first",
    "    } else if (deadline > this.latest) this.latest = deadline\n",
    "    }\n"
  ),
  waiters("enter: the latest deadline is that of an earlier crowd", "      this.latest = deadline\n    }", "    }"),
  waiters(
    "enter: the latest deadline is that of the last to come",
    "else if (deadline > this.latest) this.latest = deadline",
    "else this.latest = deadline"
  ),
  waiters("reenter: at the front", "    while (next !== undefined && next.seq < waiter.seq) next = next.next\n", ""),
  waiters("leave: the next of the patient is lost", "      this.patient = next\n", "      this.patient = undefined\n"),
  waiters(
    "isPatient: also those in the heap",
    "waiter.deadline !== Infinity && waiter.timerIndex === -1",
    "waiter.deadline !== Infinity"
  ),
  idle(
    "next: lifo is fifo",
    "    return order === \"lifo\" ? this.tail : this.head",
    "    return order === \"fifo\" ? this.tail : this.head"
  ),
  idle(
    "find: lifo is fifo",
    "    let slot = order === \"lifo\" ? this.tail : this.head",
    "    let slot = order === \"fifo\" ? this.tail : this.head"
  ),
  idle(
    "next: what is checked is lent",
    "    if (this.size === 0 || this.checked > 0) return",
    "    if (this.size === 0) return"
  ),
  idle(
    "find: what is checked is lent",
    "(slot.passedOver || !fits(slot))",
    "!fits(slot)"
  ),
  idle(
    "find: goes back",
    "slot = order === \"lifo\" ? slot.prev : slot.next",
    "slot = order === \"fifo\" ? slot.prev : slot.next"
  ),
  idle(
    "next: the one with the most borrowers",
    "for (let load = this.least; slot === undefined && load < shared.length; load++) {",
    "for (let load = shared.length - 1; slot === undefined && load > 0; load--) {"
  ),
  idle("find: what is idle need not fit", "(slot.passedOver || !fits(slot))", "slot.passedOver"),
  idle("find: what is shared need not fit", "      while (slot !== undefined && !fits(slot)) slot = slot.next\n", ""),
  idle(
    "find: the least is beyond those that do not fit",
    "if (slot === undefined && load === this.least) this.least++",
    "if (load === this.least) this.least++"
  ),
  idle("addShared: the least is not known", "    if (load < this.least) this.least = load\n", ""),
  idle("remove: passed over for ever", "      if (slot.passedOver) this.unblock(slot)\n", ""),
  heap("set: moves up only", "      this.down(node)\n    }\n  }\n\n  remove", "    }\n  }\n\n  remove"),
  heap("set: for ever is a time", "    if (at === Infinity) {\n      this.remove(node)\n      return\n    }\n", ""),
  heap("remove: leaves a hole", "    this.up(last)\n    this.down(last)\n", "    this.up(last)\n"),
  heap("remove: the last moves down only", "    this.up(last)\n    this.down(last)\n", "    this.down(last)\n"),
  heap("up: not at all", "    while (index > 0) {", "    while (index > 1000) {"),
  heap(
    "down: the larger child",
    "items[child + 1]!.timerAt < items[child]!.timerAt) child++",
    "items[child + 1]!.timerAt > items[child]!.timerAt) child++"
  ),
  list(
    "insertBefore: the head is lost",
    "    if (prev === undefined) this.head = node\n    else prev.next = node\n    this.size++\n  }\n\n  remove",
    "    if (prev !== undefined) prev.next = node\n    this.size++\n  }\n\n  remove"
  ),
  list(
    "remove: the tail is lost",
    "    if (next === undefined) this.tail = prev\n    else next.prev = prev\n    node.prev",
    "    if (next !== undefined) next.prev = prev\n    node.prev"
  ),
  state("holding: one place of a value", "[...found]", "[...found].slice(0, 1)"),
  state(
    "forget: the value stays",
    "    if (found === slot) this.places.delete(slot.value)\n",
    "    if (found === slot) return\n"
  ),
  // keys
  machine(
    "evictAll: only the first",
    "    this.settleAll(groups, now)\n  }\n\n  private evictFrom",
    "    this.settleAll(groups.slice(0, 1), now)\n  }\n\n  private evictFrom"
  ),
  machine(
    "resizeAll: what is idle stays",
    "    while (this.surplusOfAll() > 0) {",
    "    while (this.surplusOfAll() > 1000) {"
  ),
  machine(
    "settleAll: shared out before all have said what they want",
    "    for (const group of groups) this.express(group, rooms, now)\n    this.distribute(rooms, now)\n",
    "    for (const group of groups) {\n      this.express(group, rooms, now)\n      this.distribute(rooms, now)\n    }\n"
  ),
  machine(
    "express: while suspended",
    "const first = may && !this.suspended ? this.firstUncovered(group) : undefined",
    "const first = may ? this.firstUncovered(group) : undefined"
  ),
  machine(
    "suspend: keys go on to make room",
    "    if (this.rooms !== undefined) { for (const group of this.groups.values()) this.express(group, this.rooms, now) }\n",
    ""
  ),
  machine(
    "distribute: nobody makes room",
    "      rooms.promise(claim, slot)\n      this.evictForRoom(slot, now)\n",
    "      rooms.promise(claim, slot)\n"
  ),
  machine(
    "yieldRoom: never",
    "    if (claim === undefined) return\n    if (slot.holders + slot.preparing > 0) {",
    "    if (true) return\n    if (slot.holders + slot.preparing > 0) {"
  ),
  machine("yieldRoom: a shared object never", "      rooms.pledge(claim, slot)\n", "      return\n"),
  machine(
    "forsake: a minimum is filled for nobody",
    "    if (!group.slots.some((slot) => slot.state === \"alive\" && isUsed(slot))) group.abandoned = true\n",
    ""
  ),
  machine(
    "vanish: with what is being destroyed",
    "this.closed || group.waiting > 0 || group.slots.length > 0) return",
    "this.closed || group.waiting > 0 || group.size + group.creating > 0) return"
  ),
  machine(
    "vanish: the spacing is forgotten",
    "    if (outage !== undefined && outage.retryAt > now) {",
    "    if (false) {"
  ),
  machine("vanish: what was counted is forgotten", "    this.departed.add(group.totals)\n", ""),
  machine(
    "canHaveRoom: always",
    "return rooms === undefined || (!rooms.isHungry &&",
    "return rooms === undefined || true || (!rooms.isHungry &&"
  ),
  machine(
    "firstUncovered: the first of all",
    "    if (uncovered === 0) return undefined\n    const covered",
    "    if (uncovered === 0) return undefined\n    if (uncovered > 0) return queue.head\n    const covered"
  ),
  rooms(
    "next: the one who came last",
    "first.timerAt < second.timerAt) ? first! : second).group",
    "first.timerAt > second.timerAt) ? first! : second).group"
  ),
  rooms("isFull: one more", "return this.taken >= this.max", "return this.taken > this.max"),
  rooms("release: the place stays taken", "    this.taken--\n", ""),
  rooms(
    "release: the room is made for ever",
    "    claim.room = undefined\n    const at = claim.timerAt\n    this.promised.remove(claim)\n    this.hungry.set(claim, at)\n",
    ""
  ),
  rooms("olderThan: also the younger", "first.timerAt >= seq || first.group === except", "first.group === except"),
  rooms(
    "spareFor: minimums first",
    "return this.oldest(this.plenty, group) ?? this.oldest(this.least, group)",
    "return this.oldest(this.least, group) ?? this.oldest(this.plenty, group)"
  ),
  rooms(
    "hasMore: a key without idle objects is not noticed",
    "    if (slot === undefined) this.unstand(group)\n    else this.stand(group, slot)\n",
    "    if (slot !== undefined) this.stand(group, slot)\n"
  ),
  rooms("victim: beyond the bound", "    if (this.taken > this.max) return undefined\n", ""),
  rooms(
    "victim: room that is free again serves nobody",
    "      this.loose.delete(room)\n      this.promise(this.hungry.first, room)\n",
    "      this.loose.delete(room)\n"
  ),
  rooms(
    "emptied: the pledge is forgotten",
    "    if (claim.room === undefined && claim.timerIndex !== -1) this.promise(claim, slot)\n",
    ""
  )
]

// -----------------------------------------------------------------------------------------------------------------
// the copies
// -----------------------------------------------------------------------------------------------------------------

/** What the pure part consists of, found by following its imports. */
const pureFiles = (): ReadonlyArray<string> => {
  const found = new Set<string>()
  const visit = (file: string): void => {
    if (found.has(file)) return
    found.add(file)
    const text = fs.readFileSync(path.join(src, file), "utf8")
    for (const [, imported] of text.matchAll(/ from "\.\/([^"]+)"/g)) visit(imported!)
  }
  visit("machine.ts")
  return [...found]
}

/** Stands for vitest, which takes longer to start than the tests to run: the first test that fails ends it all. */
const shim = `
import * as nodeAssert from "node:assert/strict"
import { format } from "node:util"

const names = []

export const describe = (name, body) => {
  names.push(name)
  body()
  names.pop()
}

export const it = (name, body) => {
  try {
    body()
  } catch (error) {
    console.error([...names, name].join(" "))
    process.exit(1)
  }
}

export const assert = {
  strictEqual: nodeAssert.strictEqual,
  deepStrictEqual: nodeAssert.deepStrictEqual,
  isTrue: (value) => nodeAssert.strictEqual(value, true),
  isFalse: (value) => nodeAssert.strictEqual(value, false),
  isAtMost: (value, limit) => nodeAssert.ok(value <= limit, format(value, limit)),
  sameMembers: (a, b) => nodeAssert.deepStrictEqual([...a].sort(), [...b].sort())
}
`

const runner = `
import "./test/internal/machine.test.ts"
import { flaw } from "./test/internal/model.ts"

for (let seed = 1; seed <= Number(process.argv[2]); seed++) {
  const error = flaw(seed, 150, seed % 2 === 0)
  if (error !== undefined) {
    console.error("history " + seed + ": " + (error instanceof Error ? error.message : error))
    process.exit(1)
  }
}
`

const write = (file: string, text: string): void => {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, text)
}

/** A copy of the pure part and its tests, with one mistake in it, or none. */
const plant = (home: string, mutant: Mutant | undefined): void => {
  for (const file of pureFiles()) {
    const text = fs.readFileSync(path.join(src, file), "utf8")
    const changed = mutant?.file === file ? text.replace(mutant.from, () => mutant.to) : text
    write(path.join(home, "src", "internal", file), changed)
  }
  const tests = path.join(root, "test", "internal")
  const test = fs.readFileSync(path.join(tests, "machine.test.ts"), "utf8")
  write(path.join(home, "test", "internal", "machine.test.ts"), test.replace(`"@effect/vitest"`, `"./shim.mjs"`))
  write(path.join(home, "test", "internal", "shim.mjs"), shim)
  write(path.join(home, "test", "internal", "model.ts"), fs.readFileSync(path.join(tests, "model.ts"), "utf8"))
  write(path.join(home, "run.ts"), runner)
}

/** Who noticed, and how long that took; nobody where it has survived. */
interface Outcome {
  readonly noticed: string | undefined
  readonly seconds: number
}

const histories = 300
const patience = 60_000

const live = (home: string): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const began = performance.now()
    const child = spawn(process.execPath, ["--import", "tsx", path.join(home, "run.ts"), String(histories)], {
      cwd: root,
      stdio: ["ignore", "ignore", "pipe"],
      timeout: patience
    })
    let said = ""
    child.stderr.on("data", (chunk) => said += String(chunk))
    child.on("error", reject)
    child.on("close", (code, signal) => {
      const [first = "it ends without a word"] = said.split("\n").filter((line) => line.trim() !== "")
      const noticed = signal === null ? first : "it never ends"
      resolve({ noticed: code === 0 ? undefined : noticed, seconds: (performance.now() - began) / 1000 })
    })
  })

// -----------------------------------------------------------------------------------------------------------------
// the report
// -----------------------------------------------------------------------------------------------------------------

/** Mutants whose line is not there any more, or not only once. */
const stale = (): ReadonlyArray<string> =>
  mutants.flatMap(({ file, from, name, to }) => {
    const times = fs.readFileSync(path.join(src, file), "utf8").split(from).length - 1
    if (times !== 1) return [`${name}: found ${times} times in ${file}:\n${from}`]
    return from === to ? [`${name}: changes nothing`] : []
  })

const cut = (text: string, width: number): string =>
  text.length <= width ? text.padEnd(width) : `${text.slice(0, width - 3)}...`

const main = async (): Promise<number> => {
  const problems = stale()
  if (problems.length > 0) {
    console.error(problems.join("\n\n"))
    return 1
  }
  // inside the repository, so that modules are found
  fs.mkdirSync(path.join(root, "build"), { recursive: true })
  const home = fs.mkdtempSync(path.join(root, "build", "mutants-"))
  try {
    plant(path.join(home, "none"), undefined)
    const sound = await live(path.join(home, "none"))
    if (sound.noticed !== undefined) {
      console.error(`the tests fail without any mutant: ${sound.noticed}`)
      return 1
    }
    const began = performance.now()
    const outcomes = new Map<Mutant, Outcome>()
    const planted = mutants.filter(({ name }) => name.includes(process.argv[2] ?? ""))
    const left = planted.map((mutant, index) => ({ mutant, index }))
    const worker = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const place = path.join(home, String(next.index))
        plant(place, next.mutant)
        outcomes.set(next.mutant, await live(place))
        fs.rmSync(place, { recursive: true })
      }
    }
    await Promise.all(Array.from({ length: os.availableParallelism() }, worker))
    let survivors = 0
    for (const mutant of planted) {
      const { noticed, seconds } = outcomes.get(mutant)!
      const isBad = noticed === undefined && mutant.equivalent === undefined
      if (isBad) survivors++
      const verdict = noticed !== undefined ? "caught" : isBad ? "SURVIVED" : "equivalent"
      const why = noticed ?? mutant.equivalent ?? "nobody noticed"
      console.log(`${verdict.padEnd(10)} ${seconds.toFixed(1).padStart(5)} s  ${cut(mutant.name, 62)} ${cut(why, 90)}`)
      if (noticed !== undefined && mutant.equivalent !== undefined) {
        console.log(`           it is not equivalent after all: ${mutant.equivalent}`)
      }
    }
    const total = ((performance.now() - began) / 1000).toFixed(0)
    console.log(`\n${planted.length} mutants, ${survivors} survived, ${total} s`)
    return survivors === 0 ? 0 : 1
  } finally {
    fs.rmSync(home, { recursive: true, force: true })
  }
}

process.exitCode = await main()
