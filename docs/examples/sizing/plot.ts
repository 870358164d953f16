/** Two pictures side by side: how long borrowers wait, and what a server does with many connections. */

export interface Curve {
  readonly name: string
  readonly points: ReadonlyArray<readonly [x: number, y: number]>
}

export interface Panel {
  readonly title: string
  readonly x: string
  readonly y: string
  /** Where the axis of x begins. */
  readonly from: number
  readonly curves: ReadonlyArray<Curve>
  /** Where a dashed line stands, and what it says. */
  readonly mark: readonly [x: number, text: string]
  /** Where the ticks of y are; on a logarithmic axis from the first to the last. */
  readonly ticks: ReadonlyArray<number>
  readonly logarithmic: boolean
}

const width = 380
const height = 220
const left = 56
const top = 44

const panel = ({ curves, from, logarithmic, mark, ticks, title, x, y }: Panel, index: number): string => {
  const xs = curves.flatMap(({ points }) => points.map(([x]) => x))
  const to = Math.max(...xs)
  const scale = (value: number) => logarithmic ? Math.log(Math.max(value, ticks[0])) : value
  const low = scale(ticks[0])
  const high = scale(ticks[ticks.length - 1])
  const atX = (value: number) => (left + (value - from) / (to - from) * width).toFixed(1)
  const atY = (value: number) => (top + height - Math.min(1, (scale(value) - low) / (high - low)) * height).toFixed(1)
  const step = Math.ceil((to - from) / 8)
  const stepsX = Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step)
  return [
    `<g transform="translate(${index * (width + left + 56)} 0)">`,
    `<text x="${left}" y="18" class="title">${title}</text>`,
    ...ticks.map((tick) =>
      `<line x1="${left}" x2="${left + width}" y1="${atY(tick)}" y2="${atY(tick)}" class="grid"/>` +
      `<text x="${left - 6}" y="${Number(atY(tick)) + 4}" text-anchor="end">${
        logarithmic && tick === ticks[0] ? "≤ " : ""
      }${tick}</text>`
    ),
    ...stepsX.map((value) => `<text x="${atX(value)}" y="${top + height + 16}" text-anchor="middle">${value}</text>`),
    `<text x="${left + width / 2}" y="${top + height + 34}" text-anchor="middle">${x}</text>`,
    `<text x="${left - 6}" y="${top - 12}" text-anchor="end">${y}</text>`,
    `<line x1="${atX(mark[0])}" x2="${atX(mark[0])}" y1="${top}" y2="${top + height}" class="mark"/>`,
    `<text x="${Number(atX(mark[0])) + 5}" y="${top + 10}">${mark[1]}</text>`,
    ...curves.map(({ name, points }, at) => {
      const [firstX, firstY] = points[0]
      return `<polyline class="curve c${at}" points="${points.map(([x, y]) => `${atX(x)},${atY(y)}`).join(" ")}"/>` +
        `<text x="${Number(atX(firstX)) + 8}" y="${Number(atY(firstY)) - 4}" class="name c${at}">${name}</text>`
    }),
    "</g>"
  ].join("\n")
}

export const plot = (panels: ReadonlyArray<Panel>): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${panels.length * (width + left + 56)} ${
    top + height + 46
  }" font-family="sans-serif" font-size="11">
<style>
  svg { background: #fff; color: #222 }
  text { fill: currentColor }
  .title { font-size: 13px; font-weight: bold }
  .grid { stroke: currentColor; stroke-opacity: 0.15 }
  .mark { stroke: currentColor; stroke-opacity: 0.6; stroke-dasharray: 4 3 }
  .curve { fill: none; stroke-width: 2 }
  .curve.c0 { stroke: #c0392b } .name.c0 { fill: #c0392b }
  .curve.c1 { stroke: #b7791f } .name.c1 { fill: #b7791f }
  .curve.c2 { stroke: #2f6fab } .name.c2 { fill: #2f6fab }
  @media (prefers-color-scheme: dark) {
    svg { background: #1c1c1e; color: #ddd }
    .curve.c0 { stroke: #ff7b6b } .name.c0 { fill: #ff7b6b }
    .curve.c1 { stroke: #e5b567 } .name.c1 { fill: #e5b567 }
    .curve.c2 { stroke: #6ea3d8 } .name.c2 { fill: #6ea3d8 }
  }
</style>
${panels.map(panel).join("\n")}
</svg>
`
