/** A node that carries its own links, so that joining a list allocates nothing and leaving it needs no search. */
export interface Linked<N> {
  prev: N | undefined
  next: N | undefined
}

/** A doubly linked list of nodes that are in at most one list at a time. */
export class List<N extends Linked<N>> {
  head: N | undefined = undefined
  tail: N | undefined = undefined
  size = 0

  push(node: N): void {
    const tail = this.tail
    node.prev = tail
    node.next = undefined
    if (tail === undefined) this.head = node
    else tail.next = node
    this.tail = node
    this.size++
  }

  /** Puts the node before `next`, at the end where there is none. */
  insertBefore(node: N, next: N | undefined): void {
    if (next === undefined) {
      this.push(node)
      return
    }
    const prev = next.prev
    node.prev = prev
    node.next = next
    next.prev = node
    if (prev === undefined) this.head = node
    else prev.next = node
    this.size++
  }

  remove(node: N): void {
    const { next, prev } = node
    if (prev === undefined) this.head = next
    else prev.next = next
    if (next === undefined) this.tail = prev
    else next.prev = prev
    node.prev = undefined
    node.next = undefined
    this.size--
  }
}
