/** The ratios as a picture: one bar a case, one line where both cost the same. */
import type { Row } from "./run.ts"

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

const left = 300
const unit = 300
const height = 22

export const plot = (rows: ReadonlyArray<Row>, machine: string): string => {
  const width = left + unit * 2.1 + 60
  const bars = rows.map(({ name, ratio, target }, index) => {
    const y = 40 + index * height
    const length = Math.min(ratio, 2.1) * unit
    return `<text x="${left - 8}" y="${y + 14}" text-anchor="end">${escape(name)}</text>` +
      `<rect x="${left}" y="${y + 3}" width="${length.toFixed(1)}" height="${height - 7}" class="bar"/>` +
      `<line x1="${left + target * unit}" x2="${left + target * unit}" y1="${y + 1}" y2="${
        y + height - 2
      }" class="target"/>` +
      `<text x="${(left + length + 6).toFixed(1)}" y="${y + 14}">${ratio.toFixed(2)}</text>`
  })
  const bottom = 40 + rows.length * height
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${
    bottom + 30
  }" font-family="sans-serif" font-size="11">
<style>
  svg { background: #fff; color: #222 }
  text { fill: currentColor }
  .bar { fill: #4a7fb5 }
  .target { stroke: #c0392b; stroke-width: 2 }
  .one { stroke: #888; stroke-dasharray: 4 3 }
  @media (prefers-color-scheme: dark) { svg { background: #1c1c1e; color: #ddd } .bar { fill: #6ea3d8 } }
</style>
<text x="${left}" y="16">ours / effect/Pool, shorter is faster (${escape(machine)}); red: the target</text>
<line x1="${left + unit}" x2="${left + unit}" y1="30" y2="${bottom}" class="one"/>
${bars.join("\n")}
</svg>
`
}
