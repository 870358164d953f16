/**
 * The monitor's page: one document, without any request but the one for its data. It is the same for every reader, and
 * whatever the data say becomes text of the document, never markup.
 */

const style = String.raw`
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --line: #dfe3e8; --text: #1c2430; --dim: #5d6875;
  --used: #2f6fde; --idle: #9cc9a4; --creating: #e0a32e; --destroying: #b06ab3; --waiting: #d64545; --max: #1c2430;
  --bad: #c02f2f; --bad-bg: #fdeaea; --warn: #8a5a00; --warn-bg: #fdf1d8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --card: #1b212a; --line: #313a46; --text: #e6eaf0; --dim: #98a4b3;
    --used: #5b93f5; --idle: #4f7d59; --creating: #d9a441; --destroying: #b57fb8; --waiting: #f06a6a; --max: #e6eaf0;
    --bad: #ff8f8f; --bad-bg: #432126; --warn: #f1c873; --warn-bg: #3d321a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 14px/1.45 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; align-items: baseline; padding: .8rem 1.2rem; }
h1 { font-size: 1.15rem; margin: 0; }
h2 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
main { padding: 0 1.2rem 1.2rem; }
.dim { color: var(--dim); }
#pools { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: .9rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .8rem .9rem; min-width: 0; }
.card.open { grid-column: 1 / -1; }
.card.gone { opacity: .55; }
.head { display: flex; flex-wrap: wrap; gap: .2rem .5rem; align-items: baseline; }
.badge { border-radius: 4px; padding: 0 .4em; font-size: .8rem; background: var(--warn-bg); color: var(--warn); }
.badge.bad { background: var(--bad-bg); color: var(--bad); }
.big { font-size: 1.5rem; font-variant-numeric: tabular-nums; margin: .25rem 0 .1rem; }
.legend { display: flex; flex-wrap: wrap; gap: 0 .9rem; font-variant-numeric: tabular-nums; }
.swatch { display: inline-block; width: .7em; height: .7em; border-radius: 2px; margin-right: .35em; }
svg { display: block; width: 100%; background: var(--page); border-radius: 4px; margin-top: .4rem; }
.objects { height: 84px; }
.waits { height: 26px; margin-top: 2px; }
.many .objects { height: 56px; }
.many .waits { height: 18px; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0 .8rem; margin: .5rem 0 0; }
.facts dt { color: var(--dim); }
.facts dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
details { margin-top: .5rem; }
p { margin: .4rem 0 0; }
p:empty { display: none; }
summary { cursor: pointer; color: var(--dim); }
.scroll { overflow: auto; max-height: 32rem; margin-top: .4rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .15rem .8rem .15rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--dim); font-weight: normal; position: sticky; top: 0; background: var(--card); }
td { overflow-wrap: anywhere; }
td.number, th.number { text-align: right; white-space: nowrap; }
tr.overdue td { background: var(--bad-bg); }
tr.bad td { color: var(--bad); }
.mark { color: var(--bad); font-weight: 600; }
#events { margin-top: 1rem; }
#events .scroll { max-height: 22rem; }
#events td:first-child { white-space: nowrap; }
`

const script = String.raw`
"use strict"
const samples = 120
const goneAfter = 60
const mostEvents = 100
const svgNamespace = "http://www.w3.org/2000/svg"

const make = (tag, className, text) => {
  const node = document.createElement(tag)
  if (className) node.className = className
  if (text !== undefined) node.textContent = text
  return node
}
const put = (node, text) => {
  if (node.textContent !== text) node.textContent = text
}
const named = (node, name) => {
  node.dataset.field = name
  return node
}

const tenths = (n) => String(Math.round(n * 10) / 10)
const duration = (ms) => {
  if (ms < 1000) return tenths(ms) + " ms"
  const seconds = ms / 1000
  if (seconds < 60) return tenths(seconds) + " s"
  const whole = Math.round(seconds)
  if (whole < 3600) return Math.floor(whole / 60) + " min " + whole % 60 + " s"
  if (whole < 86400) return Math.floor(whole / 3600) + " h " + Math.floor(whole % 3600 / 60) + " min"
  return Math.floor(whole / 86400) + " d " + Math.floor(whole % 86400 / 3600) + " h"
}
const two = (n) => String(n).padStart(2, "0")
const clock = (at) => {
  const date = new Date(at)
  return two(date.getHours()) + ":" + two(date.getMinutes()) + ":" + two(date.getSeconds()) + "." +
    String(date.getMilliseconds()).padStart(3, "0")
}

// --- charts -----------------------------------------------------------------------------------------------------

const layers = [
  ["inUse", "in use", "--used"],
  ["idle", "idle", "--idle"],
  ["creating", "creating", "--creating"],
  ["destroying", "destroying", "--destroying"]
]

const chart = (className) => {
  const svg = document.createElementNS(svgNamespace, "svg")
  svg.setAttribute("class", className)
  svg.setAttribute("viewBox", "0 0 " + samples + " 100")
  svg.setAttribute("preserveAspectRatio", "none")
  svg.setAttribute("role", "img")
  return svg
}
const path = (svg, fill, stroke) => {
  const node = document.createElementNS(svgNamespace, "path")
  node.style.fill = fill
  node.style.stroke = stroke
  node.style.strokeWidth = "1.5"
  node.setAttribute("vector-effect", "non-scaling-stroke")
  svg.append(node)
  return node
}
const height = (value, top) => Math.round((100 - 96 * value / top) * 100) / 100

// steps, each as wide as the second it stands for, the last at the right
const area = (history, from, to, top) => {
  const start = samples - history.length
  let over = ""
  let back = ""
  history.forEach((sample, index) => {
    const x = start + index
    over += (index === 0 ? "M" : "L") + x + " " + height(to(sample), top) + "H" + (x + 1)
    back = "L" + (x + 1) + " " + height(from(sample), top) + "H" + x + back
  })
  return over + back + "Z"
}
const line = (history, value, top) => {
  const start = samples - history.length
  let text = ""
  let broken = true
  history.forEach((sample, index) => {
    const y = value(sample)
    if (y === undefined) {
      broken = true
      return
    }
    text += (broken ? "M" : "L") + (start + index) + " " + height(y, top) + "H" + (start + index + 1)
    broken = false
  })
  return text
}
const upTo = (count) => (sample) => {
  let sum = 0
  for (let index = 0; index < count; index++) sum += sample[layers[index][0]]
  return sum
}

// --- one pool ---------------------------------------------------------------------------------------------------

const columns = ["object", "state", "held by", "span", "held for", "uses", "age"]
const numbers = [false, false, false, false, true, true, true]

const cards = new Map()
const pools = document.getElementById("pools")

const createCard = (pool) => {
  const root = make("section", "card")
  root.dataset.pool = pool.name
  const head = make("div", "head")
  const title = named(make("h2", "", pool.name === "" ? "(no name)" : pool.name), "name")
  const badges = named(make("span", "head"), "badges")
  head.append(title, badges)
  const big = named(make("div", "big"), "big")
  const legend = make("div", "legend")
  const counts = {}
  for (const [name, label, color] of layers) {
    const item = make("span")
    const swatch = make("span", "swatch")
    swatch.style.background = "var(" + color + ")"
    counts[name] = named(make("span"), name)
    item.append(swatch, label + " ", counts[name])
    legend.append(item)
  }
  const waiting = make("span")
  const swatch = make("span", "swatch")
  swatch.style.background = "var(--waiting)"
  counts.waiting = named(make("span"), "waiting")
  waiting.append(swatch, "waiting ", counts.waiting)
  legend.append(waiting)
  const objects = chart("objects")
  const areas = layers.map(([, , color]) => path(objects, "var(" + color + ")", "none"))
  const max = path(objects, "none", "var(--max)")
  max.style.strokeDasharray = "4 3"
  const waits = chart("waits")
  const waitArea = path(waits, "var(--waiting)", "none")
  const facts = make("dl", "facts")
  const values = {}
  for (const [name, label] of [
    ["wait", "wait"],
    ["longest", "longest held"],
    ["created", "created"],
    ["destroyed", "destroyed"],
    ["refused", "refused"]
  ]) {
    values[name] = named(make("dd"), name)
    facts.append(make("dt", "", label), values[name])
  }
  const details = make("details")
  const summary = named(make("summary"), "summary")
  const scroll = make("div", "scroll")
  const table = make("table")
  const header = make("tr")
  columns.forEach((column, index) => header.append(make("th", numbers[index] ? "number" : "", column)))
  const thead = make("thead")
  thead.append(header)
  const body = make("tbody")
  table.append(thead, body)
  const more = named(make("p", "dim"), "more")
  scroll.append(table, more)
  details.append(summary, scroll)
  // a few pools show everything; many stay readable, and show more of the one that is asked for
  details.open = cards.size < 3
  root.append(head, big, legend, objects, waits, facts, details)
  const card = {
    root, badges, big, counts, objects, areas, max, waits, waitArea, values, details, summary, body, more,
    history: [], gone: 0, pool
  }
  details.addEventListener("toggle", () => {
    root.classList.toggle("open", details.open)
    if (details.open) showRows(card)
  })
  root.classList.toggle("open", details.open)
  pools.append(root)
  return card
}

const holders = (row, text) => {
  const parts = row.holders.map(text)
  if (row.held > row.holders.length && parts.length > 0) parts.push("and " + (row.held - row.holders.length) + " more")
  return parts.join(", ")
}
const states = { idle: "idle", inUse: "in use", checking: "checking" }

const showRows = (card) => {
  const { pool, body, more } = card
  const now = pool.rows
  while (body.rows.length > now.length) body.deleteRow(-1)
  now.forEach((row, index) => {
    let line = body.rows[index]
    if (line === undefined) {
      line = body.insertRow()
      columns.forEach((_, column) => {
        const cell = line.insertCell()
        if (numbers[column]) cell.className = "number"
      })
    }
    line.className = row.overdue ? "overdue" : ""
    const label = ["#" + row.id, row.key === undefined ? "" : "key " + row.key, row.object || ""]
    const texts = [
      label.filter((text) => text !== "").join(" · "),
      states[row.state] + (row.overdue ? ", overdue" : ""),
      holders(row, (holder) => "fiber #" + holder.fiber + (holder.waiting ? " (waits for another)" : "")),
      holders(row, (holder) => holder.span === undefined ? "–" : holder.span),
      row.heldFor === undefined ? "" : duration(row.heldFor),
      String(row.uses),
      duration(row.age)
    ]
    texts.forEach((text, column) => put(line.cells[column], text))
    line.cells[1].classList.toggle("mark", row.overdue)
    line.cells[3].title = row.holders.map((holder) => holder.trace === undefined ? "" : "trace " + holder.trace).join(" ")
  })
  put(more, pool.more > 0 ? "and " + pool.more + " more objects, which are not listed" : "")
}

const badgesOf = (pool) => {
  const found = []
  if (pool.suspended) found.push(["suspended", false])
  if (pool.closing) found.push(["closing", false])
  if (pool.waiting > 0) found.push([pool.waiting + " waiting", true])
  const overdue = pool.rows.filter((row) => row.overdue).length
  if (overdue > 0) found.push([overdue + " overdue", true])
  return found
}
const showBadges = (card, found) => {
  const text = found.map(([text]) => text).join("|")
  if (card.badges.dataset.text === text) return
  card.badges.dataset.text = text
  card.badges.replaceChildren(...found.map(([text, bad]) => make("span", bad ? "badge bad" : "badge", text)))
}
const waitText = ({ count, p50, p99, recent }) =>
  count === 0
    ? "nobody has waited"
    : "p50 " + duration(p50) + ", p99 " + duration(p99) + (recent ? " in the last minute" : " since the start")
const reasonText = (destroyed) => {
  const reasons = Object.entries(destroyed).filter(([, count]) => count > 0)
  return reasons.length === 0 ? "none" : reasons.map(([reason, count]) => count + " " + reason).join(", ")
}
const longestText = ({ rows }) => {
  const row = rows[0]
  if (row === undefined || row.heldFor === undefined) return "nothing is held"
  const holder = row.holders[0]
  return duration(row.heldFor) + " by fiber #" + holder.fiber +
    (holder.span === undefined ? "" : " in span \"" + holder.span + "\"")
}
const refusedText = ({ timeouts, rejected, cancelled }) => {
  const counts = [[timeouts, " timed out"], [rejected, " met a full queue"], [cancelled, " interrupted"]]
  return counts.filter(([count]) => count > 0).map(([count, label]) => count + label).join(", ") || "none"
}

const showCharts = (card) => {
  const { history } = card
  const total = upTo(layers.length)
  let top = 1
  let longest = 1
  for (const sample of history) {
    top = Math.max(top, total(sample), sample.max === undefined ? 0 : sample.max)
    longest = Math.max(longest, sample.waiting)
  }
  layers.forEach((_, index) => card.areas[index].setAttribute("d", area(history, upTo(index), upTo(index + 1), top)))
  card.max.setAttribute("d", line(history, (sample) => sample.max, top))
  card.waitArea.setAttribute("d", area(history, () => 0, (sample) => sample.waiting, longest))
  const last = history[history.length - 1]
  card.objects.setAttribute("aria-label", layers.map(([name, label]) => last[name] + " " + label).join(", "))
  card.waits.setAttribute("aria-label", last.waiting + " waiting, at most " + longest + " in the last two minutes")
}

const show = (card, pool) => {
  card.pool = pool
  card.gone = 0
  const { counts, values, history } = card
  // what is being checked is nobody's, and not to be had
  const inUse = pool.inUse + pool.checking
  const max = pool.max === undefined ? "no limit" : pool.max
  put(card.big, pool.inUse + " of " + max + " in use")
  showBadges(card, badgesOf(pool))
  put(counts.inUse, pool.inUse + (pool.checking > 0 ? " + " + pool.checking + " checked" : ""))
  for (const name of ["idle", "creating", "destroying", "waiting"]) put(counts[name], String(pool[name]))
  put(values.wait, waitText(pool.wait))
  put(values.longest, longestText(pool))
  put(values.created, pool.created + (pool.createFailures > 0 ? ", " + pool.createFailures + " failed" : ""))
  put(values.destroyed, reasonText(pool.destroyed))
  put(values.refused, refusedText(pool))
  const size = pool.idle + pool.inUse + pool.checking
  put(
    card.summary,
    size + (size === 1 ? " object" : " objects") + ", at least " + pool.min +
      (pool.keys === undefined ? "" : ", " + pool.keys + (pool.keys === 1 ? " key" : " keys"))
  )
  history.push({
    inUse, idle: pool.idle, creating: pool.creating, destroying: pool.destroying, waiting: pool.waiting, max: pool.max
  })
  if (history.length > samples) history.shift()
  showCharts(card)
  if (card.details.open) showRows(card)
}

const showPools = (frame) => {
  const seen = new Set()
  for (const pool of frame.pools) {
    seen.add(pool.id)
    let card = cards.get(pool.id)
    if (card === undefined) cards.set(pool.id, card = createCard(pool))
    show(card, pool)
  }
  for (const [id, card] of cards) {
    if (seen.has(id)) continue
    if (card.gone++ === 0) {
      card.root.classList.add("gone")
      showBadges(card, [["closed", false]])
      put(card.big, "closed")
    }
    if (card.gone > goneAfter) {
      card.root.remove()
      cards.delete(id)
    }
  }
  pools.classList.toggle("many", cards.size > 6)
  document.getElementById("none").hidden = cards.size > 0
  put(document.getElementById("count"), frame.pools.length + (frame.pools.length === 1 ? " pool" : " pools"))
}

// --- events -----------------------------------------------------------------------------------------------------

const all = []
const rare = []
const common = new Set(["Borrowed", "Returned"])
const alarming = new Set(["CreateFailed", "TimedOut", "Rejected", "Unhealthy", "Overdue", "Revoked"])
const only = document.getElementById("rare")
const eventRows = document.getElementById("event-rows")
const keep = (list, event) => {
  list.push(event)
  if (list.length > mostEvents) list.shift()
}
const showEvents = () => {
  const list = only.checked ? rare : all
  while (eventRows.rows.length > list.length) eventRows.deleteRow(-1)
  for (let index = 0; index < list.length; index++) {
    const event = list[list.length - 1 - index]
    let line = eventRows.rows[index]
    if (line === undefined) {
      line = eventRows.insertRow()
      for (let column = 0; column < 5; column++) line.insertCell()
    }
    line.className = alarming.has(event.tag) ? "bad" : ""
    const texts = [
      clock(event.at),
      event.pool + (event.key === undefined ? "" : " · " + event.key),
      event.tag,
      event.id === undefined ? "" : "#" + event.id,
      event.text
    ]
    texts.forEach((text, column) => put(line.cells[column], text))
  }
}
only.addEventListener("change", showEvents)

// --- the stream -------------------------------------------------------------------------------------------------

let last = 0
let since
// a server that has started anew has other pools, and counts from the beginning
const startAnew = (now) => {
  since = now
  last = 0
  cards.clear()
  pools.replaceChildren()
}
const status = document.getElementById("status")
const source = new EventSource(location.pathname.replace(/\/+$/, "") + "/events")
source.onmessage = (message) => {
  const frame = JSON.parse(message.data)
  put(status, "live")
  status.className = "dim"
  if (frame.since !== since) startAnew(frame.since)
  showPools(frame)
  for (const event of frame.events) {
    if (event.seq <= last) continue
    last = event.seq
    keep(all, event)
    if (!common.has(event.tag)) keep(rare, event)
  }
  if (frame.events.length > 0) showEvents()
}
source.onerror = () => {
  put(status, "connection lost: what is shown is old")
  status.className = "badge bad"
}
`

/** Self-contained, and without a placeholder: nothing is ever written into it. */
export const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Pools</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>Pools</h1>
<span id="count" class="dim"></span>
<span id="status" class="dim" role="status">connecting</span>
</header>
<main>
<p id="none" class="dim" hidden>No pool is open in this process.</p>
<div id="pools"></div>
<section id="events" class="card">
<div class="head"><h2>Last events</h2>
<label class="dim"><input id="rare" type="checkbox"> without borrows and returns</label></div>
<div class="scroll"><table>
<thead><tr><th>time</th><th>pool</th><th>event</th><th>object</th><th></th></tr></thead>
<tbody id="event-rows"></tbody>
</table></div>
</section>
</main>
<noscript>This page needs JavaScript: it follows the pools as they are used.</noscript>
<script>${script}</script>
</body>
</html>
`
