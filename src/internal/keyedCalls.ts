/** What is behind a proxy that stands for one key: equal keys share what a Scope holds, whichever layer they came through. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as MutableHashMap from "effect/MutableHashMap"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Unit } from "./calls.ts"
import { Backing } from "./calls.ts"
import type { KeyedImpl } from "./keyed.ts"
import type { AnyEffect, AnyFiber } from "./lease.ts"
import type { ScopeLease } from "./scopeLease.ts"

/** What is common to all layers of one keyed pool. */
interface Realm {
  readonly leases: Map<Scope.Scope, MutableHashMap.MutableHashMap<unknown, ScopeLease>>
  readonly units: Context.Reference<HashMap.HashMap<unknown, Unit>>
}

let realms = 0
const realmOf = new WeakMap<KeyedImpl, Realm>()

const realm = (pool: KeyedImpl): Realm => {
  let found = realmOf.get(pool)
  if (found === undefined) {
    found = {
      leases: new Map(),
      units: Context.Reference<HashMap.HashMap<unknown, Unit>>(`proxy-pattern-pool/Proxy/Units/${++realms}`, {
        defaultValue: () => HashMap.empty()
      })
    }
    realmOf.set(pool, found)
  }
  return found
}

export class KeyBacking extends Backing {
  private readonly keyed: KeyedImpl
  private readonly realm: Realm
  private readonly key: unknown

  constructor(id: string, pool: KeyedImpl, key: unknown) {
    super(id, pool.of(key))
    this.keyed = pool
    this.realm = realm(pool)
    this.key = key
  }

  private comparing<A>(compare: (key: unknown) => A): A {
    const { key } = this
    return this.keyed.comparing(key, () => compare(key))
  }

  protected override findUnit(fiber: AnyFiber): Unit | undefined {
    const units = Context.get(fiber.context, this.realm.units)
    return HashMap.isEmpty(units)
      ? undefined
      : Option.getOrUndefined(this.comparing((key) => HashMap.get(units, key)))
  }

  override inUnit(effect: AnyEffect, unit: Unit): AnyEffect {
    return Effect.updateService(
      effect,
      this.realm.units,
      (units) => this.comparing((key) => HashMap.set(units, key, unit))
    )
  }

  protected override leaseOf(scope: Scope.Scope): ScopeLease | undefined {
    const leases = this.realm.leases.get(scope)
    return leases === undefined
      ? undefined
      : Option.getOrUndefined(this.comparing((key) => MutableHashMap.get(leases, key)))
  }

  protected override setLease(lease: ScopeLease): void {
    const { leases: all } = this.realm
    const leases = all.get(lease.scope) ?? MutableHashMap.empty()
    this.comparing((key) => MutableHashMap.set(leases, key, lease))
    all.set(lease.scope, leases)
  }

  protected override dropLease(lease: ScopeLease): boolean {
    const { leases: all } = this.realm
    const leases = all.get(lease.scope)
    if (leases === undefined) return false
    // not by its key, which may have been changed since
    const others = Array.from(leases).filter(([, other]) => other !== lease)
    if (others.length === MutableHashMap.size(leases)) return false
    if (others.length === 0) all.delete(lease.scope)
    else all.set(lease.scope, MutableHashMap.fromIterable(others))
    return true
  }
}
