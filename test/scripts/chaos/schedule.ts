/**
 * What will go wrong, and when: made from a seed alone, before anything runs. A schedule is a row of rounds. In a round
 * a few faults overlap, then all is left in peace for a while, in which the system must recover.
 */
import { Effect, Random } from "effect"

export const kinds = [
  // the network
  "latency",
  "black hole",
  "stuck",
  "reset",
  "refusal",
  "half-closed",
  // the server
  "terminate",
  "restart",
  "full",
  // the clients
  "overstay",
  "crowd",
  "interruption",
  // the hand of the operator
  "resize",
  "suspend",
  "evict",
  "invalidate"
] as const

export type Kind = typeof kinds[number]

export interface Fault {
  readonly kind: Kind
  /** Milliseconds after the beginning of the round. */
  readonly begins: number
  readonly lasts: number
  /** From 0 to 1: what it means depends on the kind. */
  readonly strength: number
}

export type Round = ReadonlyArray<Fault>

/** How long all is left in peace after the last fault of a round. */
export const peace = 4000

/** The server cannot come back while others take all its connections: nobody could tell it anything. */
const exclusive: ReadonlyArray<ReadonlyArray<Kind>> = [["restart", "full"]]

const goTogether = (faults: Round, kind: Kind) =>
  !exclusive.some((group) => group.includes(kind) && faults.some((fault) => group.includes(fault.kind)))

export const endOf = (round: Round): number => Math.max(...round.map(({ begins, lasts }) => begins + lasts))

const fault = Effect.fnUntraced(function*(kind: Kind) {
  return {
    kind,
    begins: yield* Random.nextIntBetween(0, 1000),
    lasts: yield* Random.nextIntBetween(200, 2500),
    strength: yield* Random.next
  } satisfies Fault
})

/** Rounds for about so many milliseconds. Every kind comes up once before any comes up again. */
export const schedule = (seed: number, millis: number): Effect.Effect<ReadonlyArray<Round>> =>
  Effect.gen(function*() {
    const rounds: Array<Round> = []
    let deck: Array<Kind> = []
    for (let time = 0; time < millis;) {
      const round: Array<Fault> = []
      const size = yield* Random.nextIntBetween(1, 4)
      if (deck.length < size) deck = [...deck, ...yield* Random.shuffle(kinds)]
      for (const kind of deck.slice(0, size)) {
        if (goTogether(round, kind) && !round.some((fault) => fault.kind === kind)) round.push(yield* fault(kind))
      }
      deck = deck.filter((kind, i) => i >= size || !round.some((fault) => fault.kind === kind))
      rounds.push(round)
      time += endOf(round) + peace
    }
    return rounds
  }).pipe(Random.withSeed(seed))
