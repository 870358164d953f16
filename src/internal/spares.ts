/** Most that are kept. */
const most = 10_000
/** How often they are looked through, in milliseconds. */
const period = 10_000

/**
 * What has ended and is kept to be used again, which saves a borrower that waits a fifth of its cost. A burst of
 * borrowers leaves many behind: those that nobody has needed for a while are let go.
 */
export class Spares<A> {
  readonly kept: Array<A> = []
  /** The fewest there were since the last look: so many were needed by nobody. */
  private unneeded = 0
  private lookAt = 0

  take(): A | undefined {
    const spare = this.kept.pop()
    if (this.kept.length < this.unneeded) this.unneeded = this.kept.length
    return spare
  }

  /** `now` in milliseconds, of any clock. */
  keep(spare: A, now: number): void {
    if (now >= this.lookAt) this.look(now)
    if (this.kept.length < most) this.kept.push(spare)
  }

  private look(now: number): void {
    this.lookAt = now + period
    this.kept.length -= this.unneeded
    this.unneeded = this.kept.length
  }
}
