/** Upper bounds in seconds; what is above the last is counted in one more bucket. */
export const boundaries: ReadonlyArray<number> = [
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  30,
  60
]

const bounds = boundaries.map((seconds) => seconds * 1000)

/** Counts of durations by bucket: a few numbers, so that recording one costs a borrow next to nothing. */
export class Histogram {
  readonly counts = new Array<number>(bounds.length + 1).fill(0)
  count = 0
  sum = 0
  min = Infinity
  max = 0

  record(millis: number): void {
    let bucket = 0
    while (bucket < bounds.length && millis > bounds[bucket]!) bucket++
    this.counts[bucket]!++
    this.count++
    this.sum += millis
    if (millis < this.min) this.min = millis
    if (millis > this.max) this.max = millis
  }

  add(that: Histogram): void {
    if (that.count === 0) return
    for (let bucket = 0; bucket < this.counts.length; bucket++) this.counts[bucket]! += that.counts[bucket]!
    this.count += that.count
    this.sum += that.sum
    this.min = Math.min(this.min, that.min)
    this.max = Math.max(this.max, that.max)
  }
}
