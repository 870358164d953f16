/** The keys that exist, told apart by `Equal`. */
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import * as Predicate from "effect/Predicate"
import type { Group } from "./state.ts"

interface Bucket {
  readonly hash: number
  readonly groups: Array<Group>
}

/** What was put in can be taken out again, whatever has become of the key since: nothing asks it for its hash again. */
export class Keys {
  /** Of keys that are no objects. */
  private readonly simple = new Map<unknown, Group>()
  private readonly buckets = new Map<number, Bucket>()
  private readonly homes = new Map<Group, Bucket>()

  get size(): number {
    return this.simple.size + this.homes.size
  }

  find(key: unknown): Group | undefined {
    if (!Predicate.isObjectKeyword(key)) return this.simple.get(key)
    return this.buckets.get(Hash.hash(key))?.groups.find((group) => group.key === key || Equal.equals(group.key, key))
  }

  add(group: Group): void {
    const { key } = group
    if (!Predicate.isObjectKeyword(key)) {
      this.simple.set(key, group)
      return
    }
    const hash = Hash.hash(key)
    let bucket = this.buckets.get(hash)
    if (bucket === undefined) this.buckets.set(hash, bucket = { hash, groups: [] })
    bucket.groups.push(group)
    this.homes.set(group, bucket)
  }

  remove(group: Group): void {
    const bucket = this.homes.get(group)
    if (bucket === undefined) {
      if (this.simple.get(group.key) === group) this.simple.delete(group.key)
      return
    }
    this.homes.delete(group)
    bucket.groups.splice(bucket.groups.indexOf(group), 1)
    if (bucket.groups.length === 0) this.buckets.delete(bucket.hash)
  }
}
