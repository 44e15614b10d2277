/* A run as it is drawn: rows of the data given names, faults with their beginnings and ends, and what is true at a
 * moment. */
function hostName(drawn, host) {
  const node = drawn.byHost.get(host);
  return node ? node.name : `host ${host}`;
}

function unpackNodes(rows) {
  return rows.map(([host, name, role, region, version, place, height, tip, mined, reorgs, deepest, bans,
    received, sent, bytesIn, bytesOut]) => ({host, name, role, region, version, place, height, tip, mined, reorgs,
    deepest, bans, received, sent, bytesIn, bytesOut, short: String(Number(name.split("-")[1]))}));
}

/* Flat lists whose first number of each item is the time since the item before. */
function unpackChanges(flat, width) {
  const out = [];
  for (let i = 0, us = 0; i < flat.length; i += width) {
    us += flat[i];
    out.push([us, ...flat.slice(i + 1, i + width)]);
  }
  return out;
}

/* Faults from the decision log. Those of links are ended by a step that names them by a number that counts them;
 * those of a node by the step that undoes them. */
const LINK_FAULTS = ["partition", "blackhole", "flap", "degrade"];
const NODE_FAULTS = {kill: "restart", shutdown: "restart", pause: "resume"};

function linkFaults(decisions, steps, end) {
  const ends = new Map();
  for (const step of steps) {
    const match = ["heal", "stop", "restore"].includes(step.kind) && /(\d+)$/.exec(step.detail || "");
    if (match && !ends.has(Number(match[1]))) ends.set(Number(match[1]), step.us);
  }
  let id = 0;
  return decisions.filter((d) => d.taken && LINK_FAULTS.includes(d.kind)).map((d) => {
    id += 1;
    const p = d.params || {};
    const over = typeof p.lasting === "number" ? d.us + p.lasting * 1e6 : Infinity;
    const a = hostList(p.a || p.hosts);
    const b = hostList(p.b);
    return {kind: d.kind, from: d.us, until: Math.min(ends.get(id) ?? end, over, end), a: a.hosts, b: b.hosts,
      sizes: [a.hosts.length + a.more, b.hosts.length + b.more], unnamed: a.more + b.more};
  });
}

function nodeFaults(steps, end) {
  const open = new Map();
  const out = [];
  for (const step of steps) {
    const begins = step.kind in NODE_FAULTS;
    const old = open.get(step.host);
    if (old && (begins || step.kind === NODE_FAULTS[old.kind])) {
      old.until = step.us;
      open.delete(step.host);
    }
    if (!begins) continue;
    const fault = {kind: step.kind, from: step.us, until: end, host: step.host};
    open.set(step.host, fault);
    out.push(fault);
  }
  return out;
}

/* All that the sections of a run share. */
function unpackRun(run) {
  const d = run.drawn;
  const nodes = unpackNodes(d.nodes);
  const steps = d.steps.map(([us, kind, host, detail]) => ({us, kind, host, detail}));
  const decisions = d.decisions.map(([no, us, kind, params, taken]) => ({no, us, kind, params, taken: taken === 1}));
  const blocks = d.blocks.map(([hash, height, parent, miner, us, branch]) => ({hash, height, parent, miner, us, branch}));
  const end = Math.max(run.sim_us, 1);
  return {run, nodes, steps, decisions, blocks, end, byHost: new Map(nodes.map((node) => [node.host, node])),
    drawn: nodes.filter((node) => node.place >= 0),
    links: unpackChanges(d.links, 4), tips: unpackChanges(d.tips, 3),
    linkFaults: linkFaults(decisions, steps, end), nodeFaults: nodeFaults(steps, end)};
}

/* What is true at a moment: tips by host (places of blocks), links, faults. */
function stateAt(view, us) {
  const tips = new Map();
  const links = new Map();
  for (const [t, host, block] of view.tips) {
    if (t > us) break;
    tips.set(host, block);
  }
  for (const [t, a, b, up] of view.links) {
    if (t > us) break;
    const key = `${a} ${b}`;
    if (up) links.set(key, [a, b]);
    else links.delete(key);
  }
  const on = (fault) => fault.from <= us && us < fault.until;
  return {tips, links: [...links.values()], faults: view.linkFaults.filter(on),
    down: new Map(view.nodeFaults.filter(on).map((fault) => [fault.host, fault.kind]))};
}

/* Steps that are worth a stop of the slider. */
function stops(view) {
  const times = [0, ...view.steps.filter((step) => step.kind !== "spawn" && step.kind !== "peer").map((step) => step.us),
    ...view.linkFaults.map((fault) => fault.until), ...view.run.checks.filter((c) => !c.ok && c.kind !== "sometimes").map((c) => c.t_us),
    view.end];
  return [...new Set(times)].filter((us) => us <= view.end).sort((a, b) => a - b);
}

/* Bars of faults, one row a kind and as many as overlap, under them the blocks; the same scale as the slider's. */
const TRACK_ROWS_MAX = 8;
const NODE_BARS_MAX = 6; /* of more faults of nodes the number that are down is drawn */

/* How many nodes are down, as [time, number] at each change. */
function downCounts(view) {
  const changes = view.nodeFaults.flatMap((fault) => [[fault.from, 1], [fault.until, -1]]).sort((a, b) => a[0] - b[0]);
  let n = 0;
  return changes.map(([us, by]) => [us, n += by]);
}

function trackRows(view) {
  const bars = [
    ...view.linkFaults.map((f) => ({...f, text: f.sizes[1] ? `${f.kind} ${f.sizes[0]} | ${f.sizes[1]}` : `${f.kind} ${f.sizes[0]}`})),
    ...(view.nodeFaults.length > NODE_BARS_MAX ? [] : view.nodeFaults).map((f) => ({...f, text: `${f.kind} ${hostName(view, f.host)}`})),
  ].sort((x, y) => x.from - y.from || (x.text < y.text ? -1 : 1));
  const rows = [];
  const hidden = [];
  for (const bar of bars) {
    let row = rows.find((r) => r.at(-1).until <= bar.from && r[0].kind === bar.kind);
    if (!row && rows.length < TRACK_ROWS_MAX) rows.push(row = []);
    if (!row) hidden.push(bar);
    else row.push(bar);
  }
  return {rows, hidden: hidden.length};
}

function downArea(view, x, top, height) {
  const counts = downCounts(view);
  const most = Math.max(...counts.map((c) => c[1]));
  const y = linear(0, most, top + height, top);
  const d = counts.map(([us, n]) => `H${x(us).toFixed(1)}V${y(n).toFixed(1)}`).join("");
  return s("g", null, s("title", null, `nodes that are down, paused or shut: up to ${most}`),
    s("path", {class: "fault down", d: `M${x(0)},${top + height}${d}H${x(view.end)}V${top + height}Z`}),
    s("text", {class: "fault", x: x(0) + 5, y: top + 11}, `down: up to ${counted(most, "node")}`));
}

function timelineTrack(view) {
  const width = 1000;
  const left = 8;
  const right = width - 8;
  const {rows, hidden} = trackRows(view);
  const x = linear(0, view.end, left, right);
  const areaHeight = view.nodeFaults.length > NODE_BARS_MAX ? 36 : 0;
  const base = rows.length * 18 + 4 + areaHeight;
  const height = base + 44;
  const svg = s("svg", {class: "track", viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `Faults over time: ${rows.flat().map((bar) => `${bar.text} from ${moment(bar.from)} to ${moment(bar.until)}`).join("; ") || "none"}`});
  rows.forEach((row, i) => row.forEach((bar) => {
    const w = Math.max(2, x(bar.until) - x(bar.from));
    const text = w > bar.text.length * 6.2 + 8;
    svg.append(s("g", null,
      s("title", null, `${bar.text}, ${moment(bar.from)} to ${moment(bar.until)}`),
      s("rect", {class: `fault ${LINK_FAULTS.includes(bar.kind) ? "cut" : "down"}`, x: x(bar.from), y: i * 18 + 3, width: w, height: 14}),
      text && s("text", {class: "fault", x: x(bar.from) + 5, y: i * 18 + 14}, bar.text)));
  }));
  if (areaHeight) svg.append(downArea(view, x, rows.length * 18 + 3, areaHeight - 4));
  for (const block of view.blocks)
    if (block.us <= view.end)
      svg.append(s("path", {class: `tick series${block.branch % STYLES}`, d: `M${x(block.us)},${base + (block.branch ? 11 : 2)}v9`},
        s("title", null, `block ${block.hash}, height ${block.height}, at ${moment(block.us)}`)));
  svg.append(s("path", {class: "frame", d: `M${left},${base + 22}H${right}`}));
  for (const value of ticks(0, view.end, 8))
    svg.append(s("line", {class: "grid", x1: x(value), x2: x(value), y1: base + 22, y2: base + 27}),
      s("text", {x: x(value), y: base + 38, "text-anchor": value === 0 ? "start" : x(value) > right - 20 ? "end" : "middle"},
        `${Number((value / 1e6).toPrecision(4))} s`));
  if (rows.length === 0) svg.append(s("title", null, "no fault"));
  for (const check of view.run.checks.filter((c) => !c.ok && c.kind !== "sometimes"))
    svg.append(s("path", {class: "failure", d: `M${x(check.t_us)},0V${base + 22}`}, s("title", null, `fails: ${check.name}`)));
  const cursor = s("path", {class: "cursor"});
  svg.append(cursor);
  return {svg, hidden, move(us) {
    cursor.setAttribute("d", `M${x(us)},0V${base + 22}`);
  }};
}
