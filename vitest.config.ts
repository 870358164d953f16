import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

// Vitest's reporter calls it when a test fails, and Node 20 does not have it
if (!("groupBy" in Map)) {
  Object.assign(Map, {
    groupBy: <K, T>(items: Iterable<T>, keyOf: (item: T) => K): Map<K, Array<T>> => {
      const groups = new Map<K, Array<T>>()
      for (const item of items) groups.set(keyOf(item), [...groups.get(keyOf(item)) ?? [], item])
      return groups
    }
  })
}

const src = fileURLToPath(new URL("./src/", import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^proxy-pattern-pool$/, replacement: `${src}index.ts` },
      { find: /^proxy-pattern-pool\/(\w+)$/, replacement: `${src}$1.ts` }
    ]
  },
  test: {
    include: ["test/**/*.test.ts", "build/examples/**/*.test.ts"],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    silent: "passed-only"
  }
})
