/** What is left on the heap when the garbage is gone: it must not grow with time. */
import { Array, Context, Effect, Layer, Number } from "effect"
import { collect } from "../garbage.ts"

export class Heap extends Context.Service<Heap, {
  readonly measure: Effect.Effect<void>
  /** In bytes: the medians of the first half and of the second half of what was measured. */
  readonly halves: () => { readonly first: number; readonly second: number }
}>()("chaos/Heap") {
  static readonly layer = Layer.sync(Heap, () => {
    const samples: Array<number> = []
    return {
      measure: Effect.sync(() => {
        collect()
        samples.push(process.memoryUsage().heapUsed)
      }),
      halves: () => {
        const middle = Math.ceil(samples.length / 2)
        return { first: median(samples.slice(0, middle)), second: median(samples.slice(middle)) }
      }
    }
  })
}

const median = (values: ReadonlyArray<number>) => Array.sort(values, Number.Order)[values.length >> 1] ?? 0
