/** Forwarding: a call through the proxy becomes a call of the object at hand. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { runs } from "./frames.ts"
import { guard, ownerOf } from "./guard.ts"
import type { AnyEffect, AnyFiber, Pooled } from "./lease.ts"
import { isHit, scopeClosed } from "./lease.ts"
import type { InFlight, Registry } from "./scopeLease.ts"
import { ScopeLease } from "./scopeLease.ts"
import { addFinalizer, removeFinalizer } from "./scopes.ts"
import { use } from "./useLease.ts"

// -----------------------------------------------------------------------------------------------------------------
// who holds what
// -----------------------------------------------------------------------------------------------------------------

/** A unit of work: its Scope, whose object serves every Scope nested inside. */
export interface Unit {
  readonly scope: Scope.Scope
  readonly fiber: AnyFiber
}

/** What is run with the object that a Scope holds. */
interface Borrower {
  on(lease: ScopeLease, fiber: AnyFiber): AnyEffect
}

let backings = 0

/** What is behind the service of a tag: one for each layer that is built. */
export class Backing implements Registry {
  readonly id: string
  readonly pooled: Pooled
  /** The members, each call borrowing for itself. */
  perCall: object | undefined = undefined
  /** The unit of work that an effect is in; a key of its own, so that layers do not mix. */
  private readonly unit: Context.Reference<Unit | undefined>
  private hasUnits = false
  private readonly leases = new Map<Scope.Scope, ScopeLease>()
  /** Where an object was held last, and what holds it: most calls come from there. */
  private latestContext: Context.Context<never> | undefined = undefined
  private latestLease: ScopeLease | undefined = undefined

  constructor(id: string, pooled: Pooled) {
    this.id = id
    this.pooled = pooled
    this.unit = Context.Reference<Unit | undefined>(`proxy-pattern-pool/Proxy/Unit/${++backings}`, {
      defaultValue: () => undefined
    })
  }

  /** The unit of work around this fiber; one that has ended is none. */
  unitOf(fiber: AnyFiber): Unit | undefined {
    const unit = this.findUnit(fiber)
    return unit === undefined || (isClosed(unit.scope) && this.openLeaseOf(unit.scope) === undefined) ? undefined : unit
  }

  protected findUnit(fiber: AnyFiber): Unit | undefined {
    return this.hasUnits ? Context.get(fiber.context, this.unit) : undefined
  }

  /** Runs the effect in a unit of work. */
  inUnit(effect: AnyEffect, unit: Unit): AnyEffect {
    this.hasUnits = true
    return Effect.provideService(effect, this.unit, unit)
  }

  /** What holds an object for this fiber now: its Scope, or the unit of work around it. */
  current(fiber: AnyFiber): ScopeLease | undefined {
    const { context } = fiber
    if (context === this.latestContext && this.latestLease!.isOpen) return this.latestLease
    const lease = this.openLeaseOf(this.unitOf(fiber)?.scope ?? scopeOf(fiber))
    if (lease !== undefined) {
      this.latestContext = context
      this.latestLease = lease
    }
    return lease
  }

  private openLeaseOf(scope: Scope.Scope): ScopeLease | undefined {
    const lease = this.leaseOf(scope)
    return lease !== undefined && lease.isOpen ? lease : undefined
  }

  protected leaseOf(scope: Scope.Scope): ScopeLease | undefined {
    return this.leases.get(scope)
  }

  protected setLease(lease: ScopeLease): void {
    this.leases.set(lease.scope, lease)
  }

  /** False where it is not there any more. */
  protected dropLease(lease: ScopeLease): boolean {
    return this.leases.get(lease.scope) === lease && this.leases.delete(lease.scope)
  }

  forget(lease: ScopeLease): void {
    if (lease === this.latestLease) this.latestContext = this.latestLease = undefined
    if (this.dropLease(lease)) removeFinalizer(lease.scope, lease)
  }

  /** Has the borrower run on the object for this fiber, borrowed on first need. */
  borrow(fiber: AnyFiber, timeout: unknown, borrower: Borrower): AnyEffect {
    const unit = this.unitOf(fiber)
    const scope = unit?.scope ?? scopeOf(fiber)
    const known = this.leaseOf(scope)
    if (known !== undefined && known.isOpen) return borrower.on(known, fiber)
    if (isClosed(scope)) return scopeClosed(this.pooled.core)
    const lease = known ?? new ScopeLease(this, this.pooled, scope, unit?.fiber)
    const next = () => this.borrow(fiber, timeout, borrower)
    if (known === undefined) {
      const added = addFinalizer(scope, lease, lease.finalize)
      if (added !== undefined) return this.added(lease, added, next)
      this.setLease(lease)
    }
    return lease.take(fiber, timeout) ? borrower.on(lease, fiber) : lease.join(fiber, timeout, next)
  }

  /** The finalizer could not be added at once: another fiber of the Scope may have been first. */
  private added(lease: ScopeLease, added: Effect.Effect<void>, next: () => AnyEffect): AnyEffect {
    return Effect.flatMap(added, () => {
      if (this.leaseOf(lease.scope) === undefined && !isClosed(lease.scope)) this.setLease(lease)
      return next()
    })
  }
}

const scopeOf = (fiber: AnyFiber): Scope.Scope => Context.getUnsafe(fiber.context, Scope.Scope)

const isClosed = (scope: Scope.Scope): boolean => scope.state._tag === "Closed"

// -----------------------------------------------------------------------------------------------------------------
// what a member gives
// -----------------------------------------------------------------------------------------------------------------

// the checks of the hot path are written out where they are made: in one place for all of Effect they are slow
const isObject = (value: unknown): value is object =>
  typeof value === "object" ? value !== null : typeof value === "function"

const isStream = (value: unknown): boolean => typeof value === "object" && value !== null && Stream.TypeId in value

const { call } = Function.prototype

const member = (object: unknown, name: string, args: ReadonlyArray<unknown>): unknown => {
  const value: unknown = (object as Record<string, unknown>)[name]
  // a service tag is a function and an Effect, which is run
  if (typeof value !== "function" || Effect.TypeId in value) return value
  // most calls have one argument, and reading a list of them costs 5 ns; a function may have a `call` of its own
  return args.length === 1 && value.call === call ? value.call(object, args[0]) : Reflect.apply(value, object, args)
}

/** A promise that is awaited from the first moment on: it may be rejected before anybody waits for it. */
class Awaited {
  readonly effect: AnyEffect
  private exit: Exit.Exit<unknown, Cause.UnknownError> | undefined = undefined
  private resume: ((exit: Exit.Exit<unknown, Cause.UnknownError>) => void) | undefined = undefined

  constructor(promise: PromiseLike<unknown>, settled?: () => void) {
    const settle = (exit: Exit.Exit<unknown, Cause.UnknownError>): void => {
      this.exit = exit
      this.resume?.(exit)
      settled?.()
    }
    Promise.resolve(promise).then(
      (value) => settle(Exit.succeed(value)),
      (error: unknown) => settle(Exit.fail(new Cause.UnknownError(error, "A forwarded call was rejected")))
    )
    this.effect = Effect.suspend(() =>
      this.exit ?? Effect.callback((resume) => {
        this.resume = resume
      })
    )
  }
}

/** What a member gave, as an effect: an Effect is run, a promise awaited, anything else is the value. */
const toEffect = (value: unknown): AnyEffect => {
  if (!isObject(value)) return Exit.succeed(value)
  if (Effect.isEffect(value)) return value
  return Predicate.isPromiseLike(value) ? new Awaited(value).effect : Exit.succeed(value)
}

// -----------------------------------------------------------------------------------------------------------------
// calls on what a Scope holds
// -----------------------------------------------------------------------------------------------------------------

/** A call that goes on for a while, on the object that a Scope holds. */
class RunningCall implements InFlight {
  declare prev: InFlight | undefined
  declare next: InFlight | undefined
  declare readonly fiber: AnyFiber
  declare private readonly lease: ScopeLease
  declare private readonly effect: AnyEffect
  declare private phase: "new" | "begun" | "ended"
  declare private interrupted: boolean
  declare private child: AnyFiber | undefined

  constructor(lease: ScopeLease, fiber: AnyFiber, effect: AnyEffect) {
    this.prev = undefined
    this.next = undefined
    this.fiber = fiber
    this.lease = lease
    this.effect = effect
    this.phase = "new"
    this.interrupted = false
    this.child = undefined
  }

  /** In its frame, which sees the end. */
  get framed(): AnyEffect {
    return Effect.onExitPrimitive(this as unknown as AnyEffect, (exit) => this.end(exit))
  }

  /** What is called is already under way. */
  start(): void {
    this.phase = "begun"
    this.lease.begin(this)
  }

  begin(): AnyEffect {
    const { lease } = this
    if (this.phase === "new") {
      if (!lease.isOpen) return lease.join(this.fiber, undefined, () => scopeClosed(lease.core))
      this.start()
    } else if (this.interrupted) return lease.outcome!
    if (lease.core.machine.policy.borrowLimit === Infinity) return this.effect
    return guard(
      () => this.effect,
      (child) => {
        this.child = child
        if (this.interrupted) child.interruptUnsafe()
      },
      () => this.interrupted ? lease.outcome : undefined
    )
  }

  interrupt(): void {
    this.interrupted = true
    this.child?.interruptUnsafe()
  }

  end(exit: Exit.Exit<unknown, unknown>): undefined {
    if (this.phase !== "begun") return
    this.phase = "ended"
    if (exit._tag === "Success" && isStream(exit.value)) this.lease.takeRaw(this.fiber)
    this.lease.end(this, exit)
  }
}

/** A promise is under way before its frame is: where that is lost to an interruption, somebody else must see the end. */
const awaitCall = (lease: ScopeLease, fiber: AnyFiber, promise: PromiseLike<unknown>, caller: Call): AnyEffect => {
  const call: RunningCall = new RunningCall(lease, fiber, Effect.suspend(() => caller.checked(awaited.effect)))
  let isFramed = false
  const awaited = new Awaited(promise, () => {
    if (!isFramed) call.end(Exit.void)
  })
  const unobserve = fiber.addObserver(() => call.end(Exit.interrupt()))
  call.start()
  return Effect.onExitPrimitive(
    Effect.suspend(() => {
      isFramed = true
      unobserve()
      return call as unknown as AnyEffect
    }),
    (exit) => call.end(exit)
  )
}

/** What finished Effects of the hot path have in common. */
const successPrototype: unknown = Object.getPrototypeOf(Exit.void)

/** A call, each time it is run. */
export class Call implements Borrower {
  declare readonly backing: Backing
  declare readonly name: string
  declare readonly args: ReadonlyArray<unknown>

  constructor(backing: Backing, name: string, args: ReadonlyArray<unknown>) {
    this.backing = backing
    this.name = name
    this.args = args
  }

  begin(fiber: AnyFiber): AnyEffect {
    const { backing } = this
    const lease = backing.current(fiber)
    return lease === undefined ? backing.borrow(fiber, undefined, this) : this.on(lease, fiber)
  }

  /** A call that is over at once needs no frame. */
  on(lease: ScopeLease, fiber: AnyFiber): AnyEffect {
    let result: unknown
    try {
      result = member(lease.slot!.value, this.name, this.args)
    } catch (defect) {
      lease.harm()
      return Exit.die(defect)
    }
    if (!isObject(result)) return Exit.succeed(result)
    return (result as Exit.Success<unknown>)._tag === "Success" && Object.getPrototypeOf(result) === successPrototype
      ? this.gave((result as Exit.Success<unknown>).value, result as AnyEffect, lease, fiber)
      : this.follow(result, lease, fiber)
  }

  private follow(result: object, lease: ScopeLease, fiber: AnyFiber): AnyEffect {
    if (Effect.TypeId in result) {
      const effect = result as AnyEffect
      if (!Exit.isExit(effect)) return new RunningCall(lease, fiber, this.checked(effect)).framed
      if (effect._tag === "Success") return this.gave(effect.value, effect, lease, fiber)
      if (isHit(effect)) lease.harm()
      return effect
    }
    let promise: PromiseLike<unknown> | undefined
    try {
      if ("then" in result && Predicate.isPromiseLike(result)) promise = result
    } catch (defect) {
      lease.harm()
      return Exit.die(defect)
    }
    return promise === undefined
      ? this.gave(result, Exit.succeed(result), lease, fiber)
      : awaitCall(lease, fiber, promise, this)
  }

  /** A Stream goes on with the object for nobody knows how long. */
  protected gave(value: unknown, exit: AnyEffect, lease: ScopeLease, fiber: AnyFiber): AnyEffect {
    if (isStream(value)) lease.takeRaw(fiber)
    return exit
  }

  /** What came of it later. */
  checked(effect: AnyEffect): AnyEffect {
    return effect
  }
}

/** A call that borrows for itself; inside a unit of work, on the object of the unit. */
export class SingleCall extends Call {
  override begin(fiber: AnyFiber): AnyEffect {
    const { backing } = this
    return backing.unitOf(fiber) === undefined
      ? use(backing.pooled, (object) => this.alone(object), undefined)
      : super.begin(fiber)
  }

  private alone(object: unknown): AnyEffect {
    return this.checked(toEffect(member(object, this.name, this.args)))
  }

  protected override gave(value: unknown, exit: AnyEffect, lease?: ScopeLease): AnyEffect {
    if (!isStream(value)) return exit
    lease?.harm()
    return this.noStream()
  }

  override checked(effect: AnyEffect): AnyEffect {
    if (Exit.isExit(effect)) return effect._tag === "Success" ? this.gave(effect.value, effect) : effect
    return Effect.flatMap(effect, (value) => this.gave(value, Exit.succeed(value)))
  }

  private noStream(): Exit.Exit<never> {
    return Exit.die(
      new Error(
        `Proxy(${this.backing.id}).${this.name} gave a Stream, and a call that borrows for itself has nothing to hold ` +
          "its object for it: call it through the tag, in a Scope"
      )
    )
  }
}

/** A call of a test double. */
export const callDouble = (double: object, name: string, args: ReadonlyArray<unknown>): AnyEffect =>
  Effect.suspend(() => toEffect(member(double, name, args)))

/** The body of `useObject`, in a unit of work. */
class Body implements Borrower {
  private readonly f: (object: unknown) => AnyEffect

  constructor(f: (object: unknown) => AnyEffect) {
    this.f = f
  }

  on(lease: ScopeLease, fiber: AnyFiber): AnyEffect {
    return new RunningCall(lease, fiber, Effect.suspend(() => this.f(lease.slot!.value))).framed
  }
}

/** Borrows for one function: inside a unit of work the object of the unit, elsewhere one of its own. */
export const useObject = (
  backing: Backing,
  fiber: AnyFiber,
  f: (object: unknown) => AnyEffect,
  timeout: unknown
): AnyEffect =>
  backing.unitOf(fiber) === undefined
    ? use(backing.pooled, f, timeout)
    : backing.borrow(fiber, timeout, new Body(f))

const takesRaw: Borrower = {
  on(lease, fiber) {
    lease.takeRaw(fiber)
    return Exit.succeed(lease.slot!.value)
  }
}

/** The object itself, which is then known to be out of sight. */
export const takeObject = (backing: Backing, fiber: AnyFiber): AnyEffect => backing.borrow(fiber, undefined, takesRaw)

/** A unit of work: one object for this Scope and all nested ones; joins the unit around it. */
export const scoped = (backing: Backing, effect: AnyEffect): AnyEffect =>
  Effect.scoped(Effect.withFiber((fiber) =>
    backing.unitOf(fiber) === undefined
      ? backing.inUnit(effect, { scope: scopeOf(fiber), fiber: ownerOf(fiber) })
      : effect
  ))

runs("Proxy/call", Call)
runs("Proxy/perCall", SingleCall)
runs("Proxy/running", RunningCall)
