/**
 * How long borrowers wait for one of so many objects. Nothing here is of the pool: whoever comes first gets the object that
 * is free first, and a test holds that the pool does the same.
 */

/** One borrow: when it comes, and how long it holds its object, in milliseconds. */
export interface Borrow {
  readonly at: number
  readonly hold: number
}

/** Chance that can be repeated. */
export const chance = (seed: number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Borrows that come at random, so many a second on average. They hold their object for `hold` milliseconds on average; with
 * a `spread` of 1 one in a hundred holds it for six times as long and more, with 0 all take the same.
 */
export const workload = (options: {
  readonly count: number
  readonly perSecond: number
  readonly hold: number
  readonly spread: number
  readonly seed: number
}): ReadonlyArray<Borrow> => {
  const random = chance(options.seed)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  let at = 0
  return Array.from({ length: options.count }, () => {
    at += -Math.log(1 - random()) * 1000 / options.perSecond
    const hold = options.hold * Math.exp(options.spread * normal() - options.spread ** 2 / 2)
    return { at: Math.round(at), hold: Math.max(1, Math.round(hold)) }
  })
}

/** How long each of them waits, in milliseconds. */
export const waits = (borrows: ReadonlyArray<Borrow>, size: number): Array<number> => {
  const freeAt = new Array<number>(size).fill(0)
  return borrows.map(({ at, hold }) => {
    let first = 0
    for (let i = 1; i < size; i++) if (freeAt[i] < freeAt[first]) first = i
    const start = Math.max(at, freeAt[first])
    freeAt[first] = start + hold
    return start - at
  })
}

/** The value that so large a share of all does not exceed. */
export const quantile = (values: ReadonlyArray<number>, share: number): number =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(values.length * share) - 1)]
