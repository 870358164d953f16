/** Forwarding: a call through the proxy becomes a call of the object at hand. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Cause from "effect/Cause"
import { guard, ownerOf } from "./guard.ts"
import type { AnyEffect, AnyFiber, Pooled } from "./lease.ts"
import { isHit, use } from "./lease.ts"
import type { InFlight } from "./scopeLease.ts"
import { scopeClosed, ScopeLease } from "./scopeLease.ts"

type Run = (object: unknown) => unknown

// -----------------------------------------------------------------------------------------------------------------
// who holds what
// -----------------------------------------------------------------------------------------------------------------

/** A unit of work: its Scope, whose object serves every Scope nested inside. */
export interface Unit {
  readonly scope: Scope.Scope
  readonly fiber: AnyFiber
}

let backings = 0

/** What is behind the service of a tag: one for each layer that is built. */
export class Backing {
  readonly id: string
  readonly pooled: Pooled
  /** The unit of work that an effect is in; a key of its own, so that layers do not mix. */
  private readonly unit: Context.Reference<Unit | undefined>
  private readonly leases = new WeakMap<Scope.Scope, ScopeLease>()

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
    return unit === undefined || unit.scope.state._tag === "Closed" ? undefined : unit
  }

  protected findUnit(fiber: AnyFiber): Unit | undefined {
    return Context.get(fiber.context, this.unit)
  }

  /** Runs the effect in a unit of work. */
  inUnit(effect: AnyEffect, unit: Unit): AnyEffect {
    return Effect.provideService(effect, this.unit, unit)
  }

  /** The Scope that holds the object for this fiber. */
  scopeOf(fiber: AnyFiber): Scope.Scope {
    return this.unitOf(fiber)?.scope ?? Context.getUnsafe(fiber.context, Scope.Scope)
  }

  leaseOf(scope: Scope.Scope): ScopeLease | undefined {
    return this.leases.get(scope)
  }

  protected setLease(scope: Scope.Scope, lease: ScopeLease): void {
    this.leases.set(scope, lease)
  }

  /** The object for this fiber, borrowed on first need; what comes of it is run next. */
  borrow(fiber: AnyFiber, timeout: unknown, next: (lease: ScopeLease) => AnyEffect): AnyEffect {
    const unit = this.unitOf(fiber)
    const scope = unit?.scope ?? Context.getUnsafe(fiber.context, Scope.Scope)
    if (scope.state._tag === "Closed") return scopeClosed(this.pooled.core.name)
    const lease = this.leaseOf(scope)
    if (lease !== undefined) return this.joined(lease, fiber, timeout, next)
    const fresh = new ScopeLease(this.pooled, scope, unit?.fiber)
    return Effect.flatMap(Scope.addFinalizerExit(scope, fresh.finalize), () => {
      // another fiber of the Scope may have been first
      const found = this.leaseOf(scope)
      if (found === undefined) this.setLease(scope, fresh)
      return this.joined(found ?? fresh, fiber, timeout, next)
    })
  }

  private joined(
    lease: ScopeLease,
    fiber: AnyFiber,
    timeout: unknown,
    next: (lease: ScopeLease) => AnyEffect
  ): AnyEffect {
    return Effect.flatMap(
      lease.join(fiber, timeout),
      () => lease.isHeld ? next(lease) : this.joined(lease, fiber, timeout, next)
    )
  }
}

const backingOfService = new WeakMap<object, Backing>()

/** What is behind a service; a test double has nothing behind it. */
export const backingOf = (service: object): Backing | undefined => backingOfService.get(service)

// -----------------------------------------------------------------------------------------------------------------
// calls
// -----------------------------------------------------------------------------------------------------------------

const member = (object: unknown, name: string, args: ReadonlyArray<unknown>): unknown => {
  const value: unknown = (object as Record<string, unknown>)[name]
  return typeof value === "function" ? Reflect.apply(value, object, args) : value
}

/** What a member gave, as an effect: an Effect is run, a promise awaited, anything else is the value. */
const toEffect = (value: unknown): AnyEffect => {
  if (typeof value !== "object" || value === null) {
    return typeof value === "function" && Effect.isEffect(value) ? value as AnyEffect : Exit.succeed(value)
  }
  if (Effect.isEffect(value)) return value
  return Predicate.isPromiseLike(value) ? promised(value) : Exit.succeed(value)
}

const promised = (promise: PromiseLike<unknown>): Effect.Effect<unknown, Cause.UnknownError> =>
  Effect.tryPromise({
    try: () => promise,
    catch: (error) => new Cause.UnknownError(error, "A forwarded call was rejected")
  })

/** A call that goes on for a while, on the object that a Scope holds. */
class RunningCall implements InFlight {
  prev: InFlight | undefined = undefined
  next: InFlight | undefined = undefined
  readonly fiber: AnyFiber
  private readonly lease: ScopeLease
  private readonly effect: AnyEffect
  private begun = false
  private child: AnyFiber | undefined = undefined

  constructor(lease: ScopeLease, fiber: AnyFiber, effect: AnyEffect) {
    this.lease = lease
    this.fiber = fiber
    this.effect = effect
  }

  begin(): AnyEffect {
    const { lease } = this
    if (!lease.isHeld) return lease.outcome ?? scopeClosed(lease.core.name)
    this.begun = true
    lease.begin(this)
    if (lease.core.machine.policy.borrowLimit === Infinity) return this.effect
    return guard(
      this.effect,
      (child) => {
        this.child = child
        if (lease.outcome !== undefined) child.interruptUnsafe()
      },
      () => this.interrupted ? lease.outcome : undefined
    )
  }

  private interrupted = false

  interrupt(): void {
    this.interrupted = true
    this.child?.interruptUnsafe()
  }

  readonly end = (exit: Exit.Exit<unknown, unknown>): undefined => {
    if (this.begun) this.lease.end(this, exit)
    return undefined
  }
}

/** On the object that the lease holds. A call that is over at once needs no frame. */
const callHeld = (lease: ScopeLease, fiber: AnyFiber, run: Run): AnyEffect => {
  let result: unknown
  try {
    result = run(lease.slot!.value)
  } catch (defect) {
    lease.harm()
    return Exit.die(defect)
  }
  if (typeof result !== "object" || result === null) {
    if (typeof result !== "function" || !Effect.isEffect(result)) return Exit.succeed(result)
  } else if (Exit.isExit(result)) {
    if (isHit(result)) lease.harm()
    return result
  }
  if (Stream.isStream(result)) {
    lease.takeRaw(fiber)
    return Exit.succeed(result)
  }
  const effect = toEffect(result)
  if (Exit.isExit(effect)) return effect
  const call = new RunningCall(lease, fiber, effect)
  return Effect.onExitPrimitive(call as unknown as AnyEffect, call.end)
}

/** A call, each time it is run. */
class Call {
  private readonly backing: Backing
  private readonly name: string
  private readonly args: ReadonlyArray<unknown>

  constructor(backing: Backing, name: string, args: ReadonlyArray<unknown>) {
    this.backing = backing
    this.name = name
    this.args = args
  }

  begin(fiber: AnyFiber): AnyEffect {
    const { backing } = this
    const scope = backing.scopeOf(fiber)
    const lease = backing.leaseOf(scope)
    const run: Run = (object) => member(object, this.name, this.args)
    return lease !== undefined && lease.isHeld && scope.state._tag !== "Closed"
      ? callHeld(lease, fiber, run)
      : backing.borrow(fiber, undefined, (lease) => callHeld(lease, fiber, run))
  }
}

/** A call that borrows for itself; inside a unit of work, on the object of the unit. */
class SingleCall {
  private readonly backing: Backing
  private readonly name: string
  private readonly args: ReadonlyArray<unknown>

  constructor(backing: Backing, name: string, args: ReadonlyArray<unknown>) {
    this.backing = backing
    this.name = name
    this.args = args
  }

  begin(fiber: AnyFiber): AnyEffect {
    return useObject(this.backing, fiber, (object) => {
      const value = member(object, this.name, this.args)
      return Stream.isStream(value) ? noStream(this.backing.id, this.name) : value
    }, undefined)
  }
}

const noStream = (id: string, name: string): Exit.Exit<never> =>
  Exit.die(
    new Error(
      `Proxy(${id}).${name} gave a Stream, and a call that borrows for itself has nothing to hold its object for it: ` +
        `call it through the tag, in a Scope`
    )
  )

/** Borrows for one function: inside a unit of work the object of the unit, elsewhere one of its own. */
export const useObject = (backing: Backing, fiber: AnyFiber, f: Run, timeout: unknown): AnyEffect => {
  if (backing.unitOf(fiber) === undefined) return use(backing.pooled, (object) => toEffect(f(object)), timeout)
  return backing.borrow(fiber, timeout, (lease) => {
    const call = new RunningCall(lease, fiber, Effect.suspend(() => toEffect(f(lease.slot!.value))))
    return Effect.onExitPrimitive(call as unknown as AnyEffect, call.end)
  })
}

const runs = <A extends { begin(fiber: AnyFiber): AnyEffect }>(label: string, target: { readonly prototype: A }): void => {
  const proto = Effectable.Prototype<Effect.Effect<any, any, any> & A>({
    label,
    evaluate(fiber) {
      return this.begin(fiber)
    }
  })
  Object.defineProperties(target.prototype, Object.getOwnPropertyDescriptors(proto))
}

runs("Proxy/call", Call)
runs("Proxy/running", RunningCall)
runs("Proxy/perCall", SingleCall)

// -----------------------------------------------------------------------------------------------------------------
// the object that forwards
// -----------------------------------------------------------------------------------------------------------------

type Forward = (name: string, args: ReadonlyArray<unknown>) => AnyEffect

/**
 * An object whose members forward. Its prototype is the JavaScript Proxy: a forwarder becomes a property of the object
 * itself at its first use, and is found there from then on.
 */
const forwarder = (label: string, forward: Forward): object => {
  const base = { toString: () => label }
  const prototype = new Proxy(base, {
    get(target, name, receiver) {
      if (typeof name === "symbol" || name === "then" || name === "toJSON" || name in target) {
        return Reflect.get(target, name, receiver)
      }
      const f = (...args: ReadonlyArray<unknown>): AnyEffect => forward(name, args)
      Object.defineProperty(forwarding, name, { value: f })
      return f
    }
  })
  // without this, two that have forwarded the same would be equal
  const forwarding: object = Equal.byReferenceUnsafe(Object.create(prototype))
  return forwarding
}

/** The service of a tag: its calls share the object of their Scope. */
export const makeService = (backing: Backing): object => {
  const service = forwarder(
    `Proxy(${backing.id})`,
    (name, args) => new Call(backing, name, args) as unknown as AnyEffect
  )
  backingOfService.set(service, backing)
  return service
}

/** The same members, each call borrowing for itself. */
export const makePerCall = (backing: Backing): object =>
  forwarder(
    `Proxy(${backing.id}).perCall`,
    (name, args) => new SingleCall(backing, name, args) as unknown as AnyEffect
  )

/** A double's members, each call in a Scope of its own. */
export const doublePerCall = (id: string, double: object): object =>
  forwarder(
    `Proxy(${id}).perCall`,
    (name, args) => Effect.scoped(Effect.suspend(() => toEffect(member(double, name, args))))
  )

/** A unit of work: one object for this Scope and all nested ones; joins the unit around it. */
export const scoped = (backing: Backing, effect: AnyEffect): AnyEffect =>
  Effect.scoped(Effect.withFiber((fiber) => {
    if (backing.unitOf(fiber) !== undefined) return effect
    const scope = Context.getUnsafe(fiber.context, Scope.Scope)
    return backing.inUnit(effect, { scope, fiber: ownerOf(fiber) })
  }))

/** The object itself, which is then known to be out of sight. */
export const takeObject = (backing: Backing, fiber: AnyFiber): AnyEffect =>
  backing.borrow(fiber, undefined, (lease) => {
    lease.takeRaw(fiber)
    return Exit.succeed(lease.slot!.value)
  })
