/**
 * Three hundred guests sign the books of fifty tenants, fifty at once, over twenty connections:
 *
 *     npx tsx docs/examples/keyed/demo.ts
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Random } from "effect"
import { KeyedPool } from "proxy-pattern-pool"
import { sign } from "./guestbook.ts"
import { server, tenants } from "./server.ts"
import { Tenants } from "./tenants.ts"

const visit = Effect.fnUntraced(function*(guest: number) {
  const tenant = yield* Random.choice(tenants)
  return yield* sign(`guest ${guest}`).pipe(Effect.provide(Tenants.get(tenant)))
})

const program = Effect.gen(function*() {
  const guests = Array.from({ length: 300 }, (_, index) => index + 1)
  yield* Effect.forEach(guests, visit, { concurrency: 50, discard: true })
  const stats = yield* KeyedPool.stats(yield* Tenants)
  yield* Console.log(`${stats.borrowed} visits, ${stats.created} connections opened, ${stats.size} open now:`)
  for (const { idle, key } of stats.keys) yield* Console.log(`  ${key.padEnd(10)} ${idle}`)
})

NodeRuntime.runMain(Effect.provide(program, Tenants.layer.pipe(Layer.provideMerge(server))))
