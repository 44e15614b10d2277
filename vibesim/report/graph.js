/* The network at a moment: nodes by the branch that their tip is on, links, partitions. */
/* Links that a fault cuts at this moment. */
function cutting(faults) {
  const sets = faults.filter((f) => f.kind !== "degrade").map((f) => ({a: new Set(f.a), b: new Set(f.b), alone: !f.sizes[1]}));
  return (x, y) => sets.some(({a, b, alone}) => alone ? a.has(x) !== a.has(y) || (a.has(x) && a.has(y))
    : (a.has(x) && b.has(y)) || (a.has(y) && b.has(x)));
}

function drawHulls(place, faults) {
  const group = s("g", {class: "hulls"});
  for (const fault of faults.slice(0, 4)) {
    if (fault.kind === "degrade") continue;
    [fault.a, fault.b].forEach((hosts, i) => {
      const points = hosts.filter((host) => place.places.has(host)).map((host) => place.places.get(host));
      if (points.length < 2 || (fault.kind !== "partition" && !fault.b.length)) return;
      const d = `M${hull(points).map((p) => `${p[0].toFixed(1)},${p[1].toFixed(1)}`).join("L")}Z`;
      const top = points.reduce((best, p) => p[1] < best[1] ? p : best);
      group.append(s("path", {class: "hull edge", d, "stroke-width": place.r * 4 + 3}),
        s("path", {class: "hull", d, "stroke-width": place.r * 4}),
        s("text", {class: "hull", x: top[0], y: Math.max(12, top[1] - place.r * 2 - 7), "text-anchor": "middle"},
          `side ${"AB"[i]}: ${fault.sizes[i]} nodes`));
    });
  }
  return group;
}

function drawLinks(place, state) {
  const cut = cutting(state.faults);
  let open = "";
  let broken = "";
  for (const [a, b] of state.links) {
    const from = place.places.get(a);
    const to = place.places.get(b);
    if (!from || !to) continue;
    const d = `M${from[0].toFixed(1)},${from[1].toFixed(1)}L${to[0].toFixed(1)},${to[1].toFixed(1)}`;
    if (cut(a, b)) broken += d;
    else open += d;
  }
  return s("g", {class: state.links.length > 400 && "dense"}, s("path", {class: "link", d: open || "M0,0"}), s("path", {class: "link cut", d: broken || "M0,0"}));
}

/* The highest block of each branch that anybody has at this moment. */
function branchHeads(view, state) {
  const heads = new Map();
  for (const [host, at] of state.tips) {
    const block = view.blocks[at];
    const node = view.byHost.get(host);
    if (!block || !node || node.role === "peer" || state.down.has(host)) continue;
    const head = heads.get(block.branch) || {branch: block.branch, height: 0, nodes: 0, behind: 0};
    head.height = Math.max(head.height, block.height);
    heads.set(block.branch, head);
  }
  for (const [host, at] of state.tips) {
    const block = view.blocks[at];
    const node = view.byHost.get(host);
    if (!block || !node || node.role === "peer" || state.down.has(host)) continue;
    const head = heads.get(block.branch);
    head.nodes += 1;
    head.behind += block.height < head.height;
  }
  return heads;
}

function drawNode(view, place, state, heads, node) {
  const [x, y] = place.places.get(node.host);
  const block = view.blocks[state.tips.get(node.host)];
  const down = state.down.get(node.host);
  const peer = node.role === "peer";
  const behind = block && block.height < (heads.get(block.branch)?.height ?? 0);
  const style = block && !peer ? block.branch % STYLES : 0;
  const kind = down ? "down" : peer ? "peer" : !block ? "empty" : behind ? "behind" : "";
  const words = `${node.name}${node.role === "miner" ? " (miner)" : ""}: ` +
    (down ? `${down === "pause" ? "paused" : "down"}` : peer ? "a scripted peer" : block ? `height ${block.height}, tip ${block.hash}` : "no block yet");
  return s("g", {class: `node ${kind} series${kind === "down" || kind === "empty" || peer ? "none" : style}`, transform: `translate(${x.toFixed(1)},${y.toFixed(1)})`},
    s("title", null, words),
    node.role === "miner" && !down && s("circle", {class: "miner", r: place.r + 3.5}),
    s("path", {class: "mark", d: shapePath(peer ? 5 : style, place.r)}),
    down && s("path", {class: "dead", d: `M${-place.r * 0.6},${-place.r * 0.6}L${place.r * 0.6},${place.r * 0.6}M${place.r * 0.6},${-place.r * 0.6}L${-place.r * 0.6},${place.r * 0.6}`}),
    place.r >= 7 && !down && s("text", {class: `number ${behind || !block || peer ? "plain" : ""}`, y: 3.4, "text-anchor": "middle",
      "font-size": Math.min(10, place.r * 1.1).toFixed(1)}, node.short));
}

function graphWords(view, state, heads) {
  const parts = [...heads.values()].sort((a, b) => a.branch - b.branch).map((head) =>
    `${head.branch === 0 ? "main chain" : `branch ${head.branch}`} at height ${head.height}: ${counted(head.nodes, "node")}`);
  if (state.faults.length) parts.push(state.faults.map((fault) => fault.kind).join(", "));
  return parts.join("; ") || "no block yet";
}

function graphLegend(heads, state, view) {
  const branches = [...heads.values()].sort((a, b) => b.nodes - a.nodes || a.branch - b.branch).slice(0, 6);
  return [
    branches.map((head) => h("span", null, shapeSample(head.branch % STYLES), ` ${head.branch === 0 ? "main chain" : `branch ${head.branch}`}`,
      `, height ${head.height}: ${counted(head.nodes, "node")}${head.behind ? `, ${head.behind} behind` : ""}`)),
    heads.size > branches.length && h("span", null, `and ${heads.size - branches.length} more branches`),
    state.down.size > 0 && h("span", null, "✕ ", `down: ${state.down.size}`),
    h("span", null, `${counted(state.links.length, "link")}`),
  ];
}

/* {element, show(us)} */
function networkGraph(view) {
  const place = layout(view);
  const svg = s("svg", {class: "network", viewBox: `0 0 ${GRAPH.width} ${GRAPH.height}`, role: "img", "aria-label": "The network"});
  const legend = h("div", {class: "legend"});
  const labels = place.discs.filter((disc) => disc.labelled).map((disc) =>
    s("text", {class: "region", x: disc.x, y: Math.max(10, disc.y - disc.size - 4), "text-anchor": "middle"}, disc.key));
  const element = h("div", {class: "graph"}, svg, legend);
  return {element, show(us) {
    const state = stateAt(view, us);
    const heads = branchHeads(view, state);
    replace(svg, drawHulls(place, state.faults), drawLinks(place, state), labels,
      view.drawn.map((node) => drawNode(view, place, state, heads, node)));
    svg.setAttribute("aria-label", `The network at ${moment(us)}: ${graphWords(view, state, heads)}`);
    replace(legend, graphLegend(heads, state, view));
    return graphWords(view, state, heads);
  }};
}

function graphKey() {
  return h("p", {class: "quiet small key"}, "Shape and colour: the branch that a node's tip is on. Hollow: behind the highest of its branch. ",
    "Ring: mines. Crossed: down. Dashed lines: links that a fault cuts. Hexagons with a number: scripted peers.");
}
