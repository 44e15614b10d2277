/* Where nodes stand in the graph. Places do not move: sides of a partition, or regions, each have a disc of their own. */
const GRAPH = {width: 900, height: 430};

/* Groups of nodes that stand together: [{name, nodes}] */
function clusters(view) {
  const cut = view.linkFaults.find((fault) => fault.kind === "partition" && fault.b.length);
  const side = new Map();
  if (cut) {
    cut.b.forEach((host) => side.set(host, "b"));
    cut.a.forEach((host) => side.set(host, "a"));
  }
  const regions = new Set(view.drawn.map((node) => node.region).filter(Boolean));
  const keyOf = (node) => {
    if (node.role === "peer") return "peers";
    if (cut) return side.get(node.host) || "others";
    return regions.size > 1 ? node.region || "no region" : "all";
  };
  const found = new Map();
  for (const node of view.drawn) {
    const key = keyOf(node);
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(node);
  }
  const order = (key) => ["a", "all", "b", "others"].indexOf(key) + (key === "peers" ? 100 : 0);
  return [...found].map(([key, nodes]) => ({key, nodes, labelled: !cut && regions.size > 1 && key !== "peers"}))
    .sort((x, y) => order(x.key) - order(y.key) || (x.key < y.key ? -1 : 1));
}

/* Places within a disc, in units of the distance between neighbours: a ring for few, else a sunflower's seeds
 * (H. Vogel, "A better way to construct the sunflower head", 1979). */
function discPlaces(n) {
  if (n === 1) return {radius: 0.6, places: [[0, 0]]};
  if (n <= 14) {
    const radius = 1 / (2 * Math.sin(Math.PI / n));
    return {radius: radius + 0.6, places: Array.from({length: n}, (_, i) => {
      const angle = -Math.PI / 2 + (2 * Math.PI * i) / n;
      return [radius * Math.cos(angle), radius * Math.sin(angle)];
    })};
  }
  const turn = Math.PI * (3 - Math.sqrt(5));
  const spread = 0.6;
  return {radius: spread * Math.sqrt(n) + 0.6, places: Array.from({length: n}, (_, i) => {
    const r = spread * Math.sqrt(i + 0.5);
    return [r * Math.cos(i * turn), r * Math.sin(i * turn)];
  })};
}

function rowWidth(row) {
  return row.reduce((width, disc) => width + 2 * disc.radius * disc.wide + 1.2, -1.2);
}

/* Half of it. */
function rowHeight(row) {
  return Math.max(...row.map((disc) => disc.radius * disc.high));
}

/* Discs in rows; the scale that makes them fit best. */
function arrange(discs) {
  let best = null;
  for (let across = 1; across <= discs.length; across++) {
    const rows = [];
    for (let i = 0; i < discs.length; i += across) rows.push(discs.slice(i, i + across));
    const wide = Math.max(...rows.map(rowWidth));
    const high = rows.reduce((height, row) => height + 2 * rowHeight(row) + 1, -1);
    const unit = Math.min((GRAPH.width - 60) / wide, (GRAPH.height - 70) / high, 64);
    if (!best || unit > best.unit * 1.02) best = {unit, rows, high};
  }
  return best;
}

function layout(view) {
  const found = clusters(view);
  const discs = found.map((cluster) => ({...cluster, ...discPlaces(cluster.nodes.length),
    wide: found.length === 1 ? 1.4 : 1, high: found.length === 1 ? 0.75 : 1}));
  const places = new Map();
  if (!discs.length) return {places, discs, r: 6};
  const {unit, rows, high} = arrange(discs);
  let top = GRAPH.height / 2 - (high * unit) / 2 + 6;
  for (const row of rows) {
    let left = GRAPH.width / 2 - (rowWidth(row) * unit) / 2;
    for (const disc of row) {
      disc.x = left + disc.radius * disc.wide * unit;
      disc.y = top + rowHeight(row) * unit;
      disc.size = disc.radius * disc.high * unit;
      disc.nodes.forEach((node, i) => places.set(node.host,
        [disc.x + disc.places[i][0] * disc.wide * unit, disc.y + disc.places[i][1] * disc.high * unit]));
      left += (2 * disc.radius * disc.wide + 1.2) * unit;
    }
    top += (2 * rowHeight(row) + 1) * unit;
  }
  return {places, discs, r: Math.max(2.5, Math.min(12, unit * 0.3))};
}

/* The convex hull of points, anticlockwise (A. M. Andrew's monotone chain, 1979). */
function hull(points) {
  const sorted = [...points].sort((p, q) => p[0] - q[0] || p[1] - q[1]);
  if (sorted.length < 3) return sorted;
  const turn = (o, p, q) => (p[0] - o[0]) * (q[1] - o[1]) - (p[1] - o[1]) * (q[0] - o[0]);
  const half = (list) => {
    const out = [];
    for (const point of list) {
      while (out.length > 1 && turn(out.at(-2), out.at(-1), point) <= 0) out.pop();
      out.push(point);
    }
    return out.slice(0, -1);
  };
  return [...half(sorted), ...half(sorted.reverse())];
}
