/** The one place where an outcome of the machine becomes effects: creating, destroying, checks, hooks, and who is told. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type { Scheduler } from "effect/Scheduler"
import type * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as PoolError from "../PoolError.ts"
import { Closing } from "./closing.ts"
import { Creations } from "./creating.ts"
import { describe } from "./describe.ts"
import { wakeSoon } from "./drain.ts"
import { formatDuration } from "./duration.ts"
import { Events } from "./events.ts"
import { holderOf, whoIs } from "./holder.ts"
import { Keeper } from "./keeper.ts"
import type { AnyEffect, Failure, Lease } from "./lease.ts"
import { Machine } from "./machine.ts"
import { measured } from "./metrics.ts"
import { NestedBorrowing } from "./nesting.ts"
import type { Visible } from "./registry.ts"
import { opened } from "./registry.ts"
import type { KeyedBounds, Settings } from "./settings.ts"
import { readTimeout } from "./settings.ts"
import { space } from "./spacing.ts"
import { Spares } from "./spares.ts"
import type { Activity, Command, Counts, Group, Slot } from "./state.ts"
import type { Waiter } from "./waiters.ts"

const mostHolders = 10
/** So often what is done may lead to more at once, as a hook does that fails for each new object: then others have a turn. */
const mostRounds = 100

export class Core {
  readonly settings: Settings
  readonly name: string
  readonly machine: Machine
  readonly keeper: Keeper
  readonly events: Events
  readonly clock: Clock.Clock
  closing: Closing | undefined = undefined
  /** The bounds of a pool by key. */
  keyedBounds: KeyedBounds | undefined = undefined
  /** Leases that have ended, to be used again. */
  readonly spareUses = new Spares<Lease>()
  readonly spareGets = new Spares<Lease>()
  /** Milliseconds since the epoch; all times of the machine count from here. */
  private startedAt: number
  /** A key is no more. */
  onVanish: (group: Group) => void = () => {}
  readonly run: <A, E>(effect: Effect.Effect<A, E, any>) => Fiber.Fiber<A, E>
  readonly nesting: NestedBorrowing
  private readonly scheduler: Scheduler
  private readonly creations: Creations
  /** Those that wait until the minimum is alive. */
  private readonly ready = new Set<(exit: Exit.Exit<void, unknown>) => void>()
  /** The time as it was read last. */
  latest = 0
  /** In the midst of what the machine has left to do. */
  flushing = false
  private saidOfDescribe = false
  private hidden: () => void = () => {}

  /** `maker` is the fiber that makes the pool: what it has around it, the pool has. */
  constructor(settings: Settings, maker: Fiber.Fiber<unknown, unknown>) {
    const own = Context.omit(Tracer.ParentSpan, Scope.Scope)(maker.context)
    const random = Context.get(own, Random.Random)
    this.settings = settings
    this.name = settings.name
    this.clock = Context.get(own, Clock.Clock)
    this.startedAt = this.clock.currentTimeMillisUnsafe()
    this.scheduler = maker.cache.scheduler
    this.creations = new Creations(maker, own, this)
    this.run = Effect.runForkWith(own as Context.Context<any>)
    this.machine = new Machine(settings.policy, () => random.nextDoubleUnsafe(), (group) => this.createTimeout(group))
    this.keeper = new Keeper(this.clock, this.run, () => {
      this.machine.advance(this.now())
      this.flush()
    })
    this.nesting = new NestedBorrowing(this)
    this.events = new Events(this)
  }

  /** From now on, and until it has closed, the pool is seen by those who look at all pools. */
  show(pool: Visible, context: Context.Context<never>): void {
    if (this.machine.closed) return
    const forgotten = opened(pool)
    const unmeasured = measured(pool, context)
    this.hidden = () => {
      forgotten()
      unmeasured()
    }
  }

  hide(): void {
    this.hidden()
  }

  /** Never goes back, so that what was first stays first. */
  now(): number {
    // since the start of the pool: such numbers are small, and cost no allocation
    const now = this.clock.currentTimeMillisUnsafe() - this.startedAt
    if (now >= this.latest) return this.latest = now
    // the clock was set back: time goes on from here, or nothing would fall due until the clock has caught up
    this.startedAt += now - this.latest
    return this.latest
  }

  /** A time of the machine, in milliseconds since the epoch. */
  epoch(at: number): number {
    return this.startedAt + at
  }

  // ---------------------------------------------------------------------------------------------------------------
  // after a transition
  // ---------------------------------------------------------------------------------------------------------------

  /** After a hit: usually there is nothing to do. */
  lent(now: number): void {
    const { commands, happenings, wakeAt } = this.machine
    if (commands.length > 0 || happenings.length > 0) this.flush()
    else if (wakeAt < this.keeper.armedAt) this.keeper.arm(wakeAt, now)
  }

  /** After a borrower has asked. */
  asked(lease: Lease, now: number): void {
    const { machine } = this
    // one that only queues leaves nothing to do
    if (lease.state !== "queued" || machine.served.length > 0 || this.flushing) this.flush()
    else {
      this.lent(now)
      machine.asking = undefined
    }
    if (lease.isWaiting) this.nesting.notice(lease)
  }

  /** After a return, or a wait that was given up. */
  settled(now: number): void {
    if (this.closing !== undefined || this.nesting.isWatching || this.flushing) return this.flush()
    // most returns serve nobody
    if (this.machine.served.length > 0) this.wakeServed()
    this.lent(now)
  }

  private wakeServed(): void {
    const { served } = this.machine
    // often it is one, and setting the length of an array is dear
    if (served.length === 1) return (served.pop() as Lease).served()
    for (let i = 0; i < served.length; i++) (served[i] as Lease).served()
    served.length = 0
  }

  /** Does what the machine has left to do. */
  flush(): void {
    if (this.flushing) return
    const { commands, served } = this.machine
    let rounds = 0
    this.flushing = true
    try {
      while ((served.length > 0 || commands.length > 0) && rounds < mostRounds) {
        this.wakeServed()
        let done = 0
        for (let end = 0; done < commands.length && rounds < mostRounds; done++) {
          if (done === end) {
            rounds++
            end = commands.length
          }
          this.attempt(() => this.execute(commands[done]!))
        }
        commands.splice(0, done)
      }
    } finally {
      this.flushing = false
      this.machine.asking = undefined
    }
    if (rounds === mostRounds) wakeSoon(this.scheduler, { wake: () => this.flush() })
    if (this.machine.happenings.length > 0) this.events.publish()
    if (this.nesting.isWatching) this.nesting.warn()
    if (this.closing !== undefined) {
      this.closing.check()
      if (this.closing.isClosed) return
    }
    if (this.machine.wakeAt < this.keeper.armedAt) this.keeper.arm(this.machine.wakeAt, this.now())
  }

  /** After what had a deadline: a timer that nothing needs any more would keep the process alive. */
  private rest(): void {
    if (this.keeper.armedAt === Infinity || this.machine.nextDeadline() !== Infinity) return
    this.keeper.disarm()
    this.machine.wakeAt = Infinity
  }

  /** Who is resumed or interrupted may end at once, and a callback of the user's throw: the rest is done all the same. */
  attempt(f: () => void): void {
    try {
      f()
    } catch (error) {
      this.warn("a callback threw at the end of a fiber", undefined, Cause.die(error))
    }
  }

  private execute(command: Command): void {
    switch (command.op) {
      case "create":
        return this.create(command.slot, command.asker as Lease | undefined)
      case "abort":
        return this.abort(command.slot)
      case "late":
        this.creationFailed(command.slot, command.failure as Cause.Cause<unknown>)
        return this.abort(command.slot)
      case "destroy":
        return this.destroy(command.slot, Exit.void)
      case "leave":
        return this.hookFailed(
          `finalizers of object ${command.slot.id} take too long and are left to themselves`,
          command.slot.group
        )
      case "vanish":
        return this.onVanish(command.group)
      case "run":
        return this.runActivity(command.activity)
      case "stop":
        return (command.activity.fiber as Fiber.Fiber<unknown> | undefined)?.interruptUnsafe()
      case "desert":
        return this.desert(command.activity)
      case "space":
        return space(this, command.outage)
      case "timeout":
        return this.timedOut(command.waiters, command.counts)
      case "reject": {
        const { maxWaiting } = this.settings.policy
        const full = this.failure(new PoolError.QueueFull({ maxWaiting }), command.waiter.group)
        return (command.waiter as Lease).refused(full)
      }
      case "fail": {
        const failure = Exit.failCause(command.failure as Cause.Cause<unknown>)
        for (const waiter of command.waiters) (waiter as Lease).refused(failure)
        return
      }
      case "close": {
        for (const waiter of command.waiters) (waiter as Lease).refused(this.closed(waiter.group))
        return
      }
      case "none":
        return (command.waiter as Lease).refused(Exit.succeed(Option.none()) as unknown as Failure)
      case "returned":
        return (command.waiter as Lease).returned()
      case "overdue":
        return this.warnOverdue(command.waiter as Lease)
      case "revoke":
        return this.revoke(command.waiter as Lease, command.reason)
    }
  }

  // ---------------------------------------------------------------------------------------------------------------
  // creating and destroying
  // ---------------------------------------------------------------------------------------------------------------

  private create(slot: Slot, asker: Lease | undefined): void {
    const scope = Scope.makeUnsafe()
    slot.resource = scope
    const acquire = this.acquire(slot)
    // what is there already needs no fiber; its span would be seen by nobody but a tracer
    if (Exit.isExit(acquire) && !this.creations.traced) return this.created(slot, acquire, this.now())
    const creation = { slot, scope, acquire, attributes: this.attributes(slot.group), asker: asker?.span }
    if (this.creations.begin(creation, (exit, now) => this.created(slot, exit, now))) return
    this.machine.awaitCreation(slot)
    this.machine.awaitDestruction(slot)
  }

  private acquire(slot: Slot): AnyEffect {
    try {
      return this.settings.hooks.acquire(slot.group.key)
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  private created(slot: Slot, exit: Exit.Exit<unknown, unknown>, now: number): void {
    if (exit._tag === "Success") {
      if (!this.machine.create(slot, exit.value, now)) this.destroy(slot, Exit.void)
      else this.tellReady(slot.group)
    } else if (slot.state === "creating") {
      const cause = Cause.hasInterruptsOnly(exit.cause)
        ? Cause.die(new Error(`Pool "${this.name}": acquire interrupted itself`))
        : exit.cause
      this.creationFailed(slot, cause)
      this.machine.fail(slot, cause, now)
    } else {
      this.destroy(slot, exit)
    }
    this.flush()
    this.rest()
  }

  private creationFailed(slot: Slot, cause: Cause.Cause<unknown>): void {
    this.warn(`creation of object ${slot.id} failed`, slot.group, cause)
    this.tellAllReady(Exit.failCause(cause))
  }

  /** What is thrown away with the creation: its fiber is interrupted, and told when it has ended. */
  private abort(slot: Slot): void {
    this.creations.interrupt(slot)
    this.machine.awaitDestruction(slot)
  }

  private destroy(slot: Slot, exit: Exit.Exit<unknown, unknown>): void {
    const finalizers = Scope.closeUnsafe(slot.resource as Scope.Closeable, exit)
    if (finalizers === undefined) return this.gone(slot)
    const fiber = this.run(finalizers)
    fiber.addObserver((exit) => {
      if (exit._tag === "Failure") this.hookFailed(`a finalizer of object ${slot.id} failed`, slot.group, exit.cause)
      this.gone(slot)
      this.flush()
      this.rest()
    })
    this.machine.awaitDestruction(slot)
  }

  private gone(slot: Slot): void {
    this.machine.gone(slot, this.now())
  }

  // ---------------------------------------------------------------------------------------------------------------
  // checks and hooks
  // ---------------------------------------------------------------------------------------------------------------

  private runActivity(activity: Activity): void {
    const effect = Effect.scoped(Effect.suspend(() => this.hookOf(activity)))
    const fiber = this.run(effect as Effect.Effect<unknown, unknown>)
    activity.fiber = fiber
    fiber.addObserver((exit) => this.ran(activity, exit))
    this.machine.awaitActivity(activity)
    if (activity.stopped) fiber.interruptUnsafe()
  }

  private hookOf(activity: Activity): AnyEffect {
    const { hooks } = this.settings
    const { group, value } = activity.slot
    const name = hookName(activity)
    return name === "onReturn"
      ? hooks[name]!(value, activity.exit as Exit.Exit<unknown, unknown> | undefined ?? Exit.void, group.key)
      : hooks[name]!(value, group.key)
  }

  private ran(activity: Activity, exit: Exit.Exit<unknown, unknown>): void {
    if (activity.over) return
    const ok = exit._tag === "Success" && (activity.kind !== "check" || exit.value === true)
    if (exit._tag === "Failure" && !(activity.stopped && Cause.hasInterruptsOnly(exit.cause))) {
      // what fails while it is interrupted has failed all the same
      activity.stopped = false
      this.hookFailed(`${hookName(activity)} of object ${activity.slot.id} failed`, activity.slot.group, exit.cause)
    }
    this.machine.ran(activity, ok, this.now())
    this.flush()
    this.rest()
  }

  private desert(activity: Activity): void {
    const { healthTimeout, hookTimeout } = this.settings.policy
    const timeout = formatDuration(activity.kind === "check" ? healthTimeout : hookTimeout)
    ;(activity.fiber as Fiber.Fiber<unknown> | undefined)?.interruptUnsafe()
    this.hookFailed(
      `${hookName(activity)} of object ${activity.slot.id} took longer than ${timeout}`,
      activity.slot.group
    )
  }

  /** A hook, a check or a finalizer went wrong: it is counted, logged, and reaches nobody else. */
  private hookFailed(what: string, group: Group, cause?: Cause.Cause<unknown>): void {
    this.machine.totalsOf(group).hookFailures++
    this.warn(what, group, cause)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // who is told what
  // ---------------------------------------------------------------------------------------------------------------

  private timedOut(waiters: ReadonlyArray<Waiter>, counts: Counts): void {
    const now = this.now()
    const holders: Array<PoolError.Holder> = []
    for (const lease of this.longest()) holders.push(holderOf(this, lease, lease.slot!, now))
    // borrowers that give up together, and waited for the same, share one error
    let failure: Failure | undefined
    let timeout = -1
    let group: Group | undefined
    for (const waiter of waiters) {
      const { patience } = waiter as Lease
      if (failure === undefined || patience !== timeout || waiter.group !== group) {
        timeout = patience
        group = waiter.group
        const last = group.lastFailure === undefined
          ? undefined
          : { lastFailure: describeCause(group.lastFailure as Cause.Cause<unknown>) }
        failure = this.failure(
          new PoolError.BorrowTimeout({ timeout: Duration.millis(timeout), ...counts, holders, ...last }, {
            disableChecks: true
          }),
          group
        )
      }
      ;(waiter as Lease).refused(failure)
    }
  }

  /** Those that have held an object longest, longest first. */
  private longest(): ReadonlyArray<Lease> {
    const { held, returning } = this.machine
    const longest: Array<Lease> = []
    for (const list of [held, returning]) {
      let taken = 0
      for (let waiter = list.head; waiter !== undefined && taken < mostHolders; waiter = waiter.next, taken++) {
        longest.push(waiter as Lease)
      }
    }
    return longest.toSorted((a, b) => a.since - b.since).slice(0, mostHolders)
  }

  failure(reason: PoolError.PoolError["reason"], group: Group | undefined): Failure {
    const key = group?.label
    return Exit.fail(
      new PoolError.PoolError({ pool: this.name, ...(key === undefined ? undefined : { key }), reason }, {
        disableChecks: true
      })
    )
  }

  closed(group: Group | undefined): Failure {
    return this.failure(new PoolError.Closed({}), group)
  }

  private createTimeout(group: Group): Cause.Cause<unknown> {
    const timeout = Duration.millis(this.settings.policy.createTimeout)
    return (this.failure(new PoolError.CreateTimeout({ timeout }), group) as Exit.Failure<never, unknown>).cause
  }

  private warnOverdue(lease: Lease): void {
    const { slot } = lease
    if (slot === undefined) return
    const warning = formatDuration(this.settings.policy.borrowWarning)
    const described = this.describe(slot)
    const object = described === undefined ? "" : ` ${JSON.stringify(described)}`
    this.warn(`object ${slot.id}${object} is held for longer than ${warning} by ${whoIs(lease)}`, slot.group)
  }

  private revoke(lease: Lease, reason: "revoked" | "shutdown"): void {
    const slot = lease.slot!
    if (reason === "shutdown") return lease.lost(this.closed(lease.group), reason)
    const limit = this.settings.policy.borrowLimit
    const holder = holderOf(this, lease, slot, this.now())
    this.warn(
      `object ${slot.id} is taken back: held for longer than ${formatDuration(limit)} by ${whoIs(lease)}`,
      slot.group
    )
    lease.lost(this.failure(new PoolError.Revoked({ limit: Duration.millis(limit), holder }), lease.group), reason)
  }

  /** Waits until the minimum is alive, or fails as the first creation that fails from now on. */
  awaitReady(group: Group): Effect.Effect<void, unknown> {
    return Effect.suspend((): Effect.Effect<void, unknown> => {
      if (this.machine.closed) return this.closed(undefined)
      if (group.alive >= group.min) return Effect.void
      const { ready: all } = this
      return Effect.callback(function(resume) {
        // in a task of its own: never in the midst of what the pool is doing
        const tell = (exit: Exit.Exit<void, unknown>) => wakeSoon(this, { wake: () => resume(exit) })
        all.add(tell)
        return Effect.sync(() => all.delete(tell))
      })
    })
  }

  /** After whatever may have brought the minimum. */
  tellReady(group: Group): void {
    if (this.ready.size > 0 && group.alive >= group.min) this.tellAllReady(Exit.void)
  }

  private tellAllReady(exit: Exit.Exit<void, unknown>): void {
    for (const tell of this.ready) tell(exit)
    this.ready.clear()
  }

  /** Nobody waits for the minimum of a closed pool. */
  closeReady(): void {
    if (this.ready.size > 0) this.tellAllReady(this.closed(undefined))
  }

  /** Ends when the pool has closed; it goes on when its caller is interrupted. */
  readonly shutdown: Effect.Effect<void> = Effect.withFiber((fiber) => {
    const closing = this.closing ??= new Closing(this)
    return closing.join(fiber)
  })

  // ---------------------------------------------------------------------------------------------------------------
  // how it shows
  // ---------------------------------------------------------------------------------------------------------------

  /** How long a borrower waits, in milliseconds. */
  patience(timeout: unknown): number {
    return timeout === undefined ? this.settings.policy.borrowTimeout : readTimeout(this.name, timeout)
  }

  attributes(group: Group | undefined): Record<string, string> {
    const key = group?.label
    return key === undefined ? { "pool.name": this.name } : { "pool.name": this.name, "pool.key": key }
  }

  /** How it shows, where there is anything to say. */
  describe(slot: Slot): Schema.Json | undefined {
    const f = this.settings.hooks.describe
    if (f === undefined || slot.createdAt === -1) return undefined
    const described = describe(f, slot.value, slot.group.key)
    if (described._tag === "Described") return described.json
    // of one that is being destroyed nobody can be blamed for having nothing to say
    if (!this.saidOfDescribe && slot.state === "alive") {
      this.saidOfDescribe = true
      this.warn(`describe ${described.problem}: objects are shown without a description`)
    }
    return undefined
  }

  warn(message: string, group?: Group, cause?: Cause.Cause<unknown>): void {
    const text = `Pool "${this.name}": ${message}`
    const log = cause === undefined ? Effect.logWarning(text) : Effect.logWarning(text, cause)
    this.run(Effect.annotateLogs(log, this.attributes(group)))
  }
}

const hookName = ({ kind }: Activity): "healthCheck" | "onBorrow" | "onReturn" =>
  kind === "check" ? "healthCheck" : kind === "borrow" ? "onBorrow" : "onReturn"

const describeCause = (cause: Cause.Cause<unknown>): string => {
  const [error] = Cause.prettyErrors(cause)
  return error === undefined ? "interrupted" : `${error.name}: ${error.message}`
}
