/** The heap without its garbage. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

// as if node had been started with it
setFlagsFromString("--expose-gc")

const gc: (options?: { readonly type: "minor" }) => void = runInNewContext("gc")

/** Collects all garbage there is. */
export const collect = (): void => gc()

/** Collects what is garbage of what was made lately. */
export const collectYoung = (): void => gc({ type: "minor" })

/** Bytes in use, when what the last turns of the event loop left behind is gone too. */
export const heapUsed = async (): Promise<number> => {
  for (let turn = 0; turn < 3; turn++) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return process.memoryUsage().heapUsed
}
