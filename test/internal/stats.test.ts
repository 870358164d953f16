import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Equal from "effect/Equal"
import * as Match from "effect/Match"
import * as Schema from "effect/Schema"
import { KeyedStats } from "../../src/internal/keyedStats.ts"
import { type DestroyReason, Event, Stats } from "../../src/internal/stats.ts"
import { Holder } from "../../src/PoolError.ts"

const holder = new Holder({ id: 1, fiber: 31, span: "GET /users", heldFor: Duration.millis(250), waiting: false })

const destroyed: Record<DestroyReason, number> = {
  idle: 1,
  lifetime: 2,
  uses: 3,
  unhealthy: 4,
  invalidated: 5,
  revoked: 6,
  evicted: 7,
  resized: 8,
  failed: 9,
  shutdown: 10
}

const places = { size: 2, idle: 1, inUse: 1, creating: 3, destroying: 4, waiting: 5 }

const whole = {
  name: "app/Database",
  max: 10,
  ...places,
  suspended: false,
  closed: true,
  created: 57,
  createFailures: 6,
  borrowed: 100,
  returned: 99,
  timeouts: 7,
  rejected: 8,
  cancelled: 9,
  healthChecks: 11,
  hookFailures: 12,
  destroyed
}

const idle = {
  id: 0,
  state: "idle" as const,
  age: Duration.seconds(90),
  uses: 3,
  since: Duration.zero,
  object: { id: 0, tables: ["users", null] },
  holders: []
}

const inUse = {
  id: 1,
  state: "inUse" as const,
  age: Duration.infinity,
  uses: 1,
  since: Duration.micros(300n),
  holders: [holder]
}

const pool = { ...whole, min: 1, objects: [idle, inUse] }

const keyed = {
  ...whole,
  objects: [{ key: "a", ...idle }, { key: "b", ...inUse }],
  keys: [{ key: "a", ...places }, { key: "b", ...places }]
}

/** There and back through JSON text. */
const roundTrip = <A>(schema: Schema.Codec<A, unknown>, value: A): A => {
  const codec = Schema.toCodecJson(schema)
  return Schema.decodeUnknownSync(codec)(JSON.parse(JSON.stringify(Schema.encodeSync(codec)(value))))
}

describe("Pool.Stats", () => {
  it("has the fields it was made with, and no others", () => {
    assert.deepEqual<object>({ ...new Stats(pool) }, pool)
  })

  it("is a snapshot: counters that go on counting do not change it", () => {
    const counters = { ...destroyed }
    const stats = new Stats({ ...pool, destroyed: counters })
    counters.idle++
    assert.strictEqual(stats.destroyed.idle, 1)
  })

  it("refuses a state and a reason that do not exist", () => {
    assert.throws(() => Schema.decodeUnknownSync(Stats)({ ...pool, objects: [{ ...idle, state: "creating" }] }))
    const { shutdown: _, ...incomplete } = destroyed
    assert.throws(() => Schema.decodeUnknownSync(Stats)({ ...pool, destroyed: incomplete }))
  })

  it("comes back from JSON as what it was, its holders too", () => {
    const stats = new Stats(pool)
    const back = roundTrip(Stats, stats)
    assert.instanceOf(back, Stats)
    assert.instanceOf(back.objects[1]!.holders[0], Holder)
    assert.deepStrictEqual(back, stats)
  })

  it("comes back from JSON without a bound", () => {
    assert.strictEqual(roundTrip(Stats, new Stats({ ...pool, max: Infinity })).max, Infinity)
  })

  it("reads well as JSON: counts are numbers", () => {
    const json = Schema.encodeSync(Schema.toCodecJson(Stats))(new Stats(pool))
    assert.deepInclude(json, { ...whole })
  })

  it.prop("comes back from JSON whatever it says", [Stats], ([stats]) => {
    assert.isTrue(Equal.equals(roundTrip(Stats, stats), stats))
  }, { arbitrary: { runs: 300, size: 10 } })
})

describe("KeyedPool.Stats", () => {
  it("has the fields of Pool.Stats but for min, a key on each object, and what each key has", () => {
    const stats = new KeyedStats(keyed)
    assert.deepEqual<object>({ ...stats }, keyed)
    const { min: _, ...fields } = Stats.fields
    assert.sameMembers(Object.keys(KeyedStats.fields), [...Object.keys(fields), "keys"])
  })

  it.prop("comes back from JSON whatever it says", [KeyedStats], ([stats]) => {
    assert.isTrue(Equal.equals(roundTrip(KeyedStats, stats), stats))
  }, { arbitrary: { runs: 300, size: 10 } })

  it("comes back from JSON without a bound", () => {
    const stats = new KeyedStats({ ...keyed, max: Infinity })
    assert.deepStrictEqual(roundTrip(KeyedStats, stats), stats)
  })
})

describe("Pool.Event", () => {
  const always = { pool: "app/Database", at: 1_700_000_000_000 }
  const about = { ...always, id: 7 }

  const events: ReadonlyArray<Event> = [
    Event.Created({ ...about, took: Duration.millis(5) }),
    Event.CreateFailed({ ...about, cause: Cause.fail("refused") }),
    Event.Borrowed({ ...about, key: "a", object: { id: 7 }, waited: Duration.zero }),
    Event.Returned({ ...about, held: Duration.seconds(1) }),
    Event.Destroyed({ ...about, reason: "uses" }),
    Event.TimedOut(always),
    Event.Rejected(always),
    Event.Cancelled(always),
    Event.Unhealthy(about),
    Event.Overdue({ ...about, holder }),
    Event.Revoked({ ...about, holder }),
    Event.Resized({ ...always, min: 1, max: Infinity }),
    Event.Suspended(always),
    Event.Resumed(always),
    Event.Evicted(always),
    Event.Closed(always)
  ]

  it("is a plain object with a tag, and without the keys it was not given", () => {
    assert.deepStrictEqual(events[0], { _tag: "Created", ...about, took: Duration.millis(5) })
    assert.deepStrictEqual(events[15], { _tag: "Closed", ...always })
  })

  it("has the pool and the time, whichever it is", () => {
    for (const { at, pool } of events) assert.deepStrictEqual({ at, pool }, always)
    assert.strictEqual(new Set(events.map((event) => event._tag)).size, 16)
  })

  it("can be told apart with Match, with $match and with $is", () => {
    const tell = Match.type<Event>().pipe(
      Match.tag("Created", "Borrowed", "Returned", ({ _tag, id }) => `${_tag} ${id}`),
      Match.tag("Destroyed", ({ reason }) => `gone: ${reason}`),
      Match.orElse(({ _tag }) => _tag)
    )
    assert.deepStrictEqual(events.slice(0, 6).map(tell), [
      "Created 7",
      "CreateFailed",
      "Borrowed 7",
      "Returned 7",
      "gone: uses",
      "TimedOut"
    ])
    assert.deepStrictEqual(events.filter(Event.$is("Resized")).map(({ max, min }) => [min, max]), [[1, Infinity]])
  })
})
