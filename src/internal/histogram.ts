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
  /** Most durations are less than a millisecond, and counted without looking for their bucket: it saves 15 ns a borrow. */
  private none = 0
  private readonly others = new Array<number>(bounds.length + 1).fill(0)
  private least = Infinity
  sum = 0
  max = 0

  record(millis: number): void {
    if (millis === 0) this.none++
    else this.recordLonger(millis)
  }

  private recordLonger(millis: number): void {
    let bucket = 0
    while (bucket < bounds.length && millis > bounds[bucket]!) bucket++
    this.others[bucket]!++
    this.sum += millis
    if (millis < this.least) this.least = millis
    if (millis > this.max) this.max = millis
  }

  get count(): number {
    return this.others.reduce((sum, count) => sum + count, this.none)
  }

  get min(): number {
    return this.none > 0 ? 0 : this.least
  }

  get counts(): ReadonlyArray<number> {
    return this.others.map((count, bucket) => bucket === 0 ? count + this.none : count)
  }

  add(that: Histogram): void {
    this.none += that.none
    for (let bucket = 0; bucket < this.others.length; bucket++) this.others[bucket]! += that.others[bucket]!
    this.sum += that.sum
    this.least = Math.min(this.least, that.least)
    this.max = Math.max(this.max, that.max)
  }
}
