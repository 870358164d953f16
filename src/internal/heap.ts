/**
 * What has a deadline. `timerAt` may be earlier than the true deadline: whoever is woken looks again, so that a deadline
 * that moves later costs nothing until the earlier moment comes.
 */
export interface Timed {
  timerAt: number
  timerIndex: number
}

/** A binary heap by `timerAt`; each node knows its index, so that moving and removing it need no search. */
export class Heap<T extends Timed> {
  private readonly items: Array<T> = []

  get size(): number {
    return this.items.length
  }

  get first(): T | undefined {
    return this.items[0]
  }

  /** Puts the node in, or moves it; `Infinity` takes it out. */
  set(node: T, at: number): void {
    if (at === Infinity) {
      this.remove(node)
      return
    }
    const before = node.timerAt
    node.timerAt = at
    if (node.timerIndex === -1) {
      node.timerIndex = this.items.length
      this.items.push(node)
      this.up(node)
    } else if (at < before) {
      this.up(node)
    } else {
      this.down(node)
    }
  }

  remove(node: T): void {
    const index = node.timerIndex
    node.timerAt = Infinity
    if (index === -1) return
    node.timerIndex = -1
    const last = this.items.pop()!
    if (last === node) return
    last.timerIndex = index
    this.items[index] = last
    this.up(last)
    this.down(last)
  }

  private up(node: T): void {
    const items = this.items
    let index = node.timerIndex
    while (index > 0) {
      const parent = items[(index - 1) >> 1]!
      if (parent.timerAt <= node.timerAt) break
      items[index] = parent
      parent.timerIndex = index
      index = (index - 1) >> 1
    }
    items[index] = node
    node.timerIndex = index
  }

  private down(node: T): void {
    const items = this.items
    const size = items.length
    let index = node.timerIndex
    for (;;) {
      let child = 2 * index + 1
      if (child >= size) break
      if (child + 1 < size && items[child + 1]!.timerAt < items[child]!.timerAt) child++
      const smallest = items[child]!
      if (smallest.timerAt >= node.timerAt) break
      items[index] = smallest
      smallest.timerIndex = index
      index = child
    }
    items[index] = node
    node.timerIndex = index
  }
}
