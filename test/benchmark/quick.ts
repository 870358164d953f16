import { cases } from "./cases.ts"
import { measure } from "./measure.ts"
for (const each of cases) {
  const t = await measure(each)
  console.log(
    each.name.padEnd(55),
    Object.entries(t).map(([k, v]) => k + " " + v.toFixed(0)).join("  "),
    (t.ours! / t.effect!).toFixed(3)
  )
}
process.exit(0)
