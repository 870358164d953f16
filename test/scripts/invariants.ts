/** What must hold of every snapshot of a pool, whatever has happened: everything that does not, one line each. */
import type { Pool } from "proxy-pattern-pool"

const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, count) => sum + count, 0)

export const destroyedOf = (stats: Pool.Stats): number => sum(stats.destroyed)

/** `bound` is the most places there may be: `max`, or more for a while after a shrinking. */
export const complaints = (stats: Pool.Stats, bound: number): Array<string> => {
  const { borrowed, creating, destroying, idle, inUse, objects, returned, size, waiting } = stats
  const inState = (state: Pool.Stats["objects"][number]["state"]) =>
    objects.filter((object) => object.state === state).length
  const holders = objects.flatMap((object) => object.holders)
  const left = stats.created - destroyedOf(stats)
  const rules: ReadonlyArray<readonly [holds: boolean, rule: string]> = [
    [[creating, destroying, idle, inUse, size, waiting].every((count) => count >= 0), "no count is negative"],
    [size + creating + destroying <= bound, `no more than ${bound} places are taken`],
    [objects.length === size, "every object is shown"],
    [new Set(objects.map(({ id }) => id)).size === size, "no object is shown twice"],
    [inState("idle") === idle, "the idle are shown as idle"],
    [inState("inUse") === inUse, "those in use are shown as in use"],
    [objects.every((object) => object.state !== "idle" || object.holders.length === 0), "nobody holds what is idle"],
    [borrowed >= returned, "no more is returned than was borrowed"],
    [stats.closed || holders.length <= borrowed - returned, "no more hold objects than borrowed them"],
    [size <= left, "no object is alive that was destroyed"],
    [left <= size + destroying, "no object is lost"]
  ]
  return rules.filter(([holds]) => !holds).map(([, rule]) => `${rule}: ${JSON.stringify(stats)}`)
}
