/* How blocks spread: the time until a block has reached a share of the nodes. One line for each percentile of blocks,
 * told apart by dash; where two records are compared, by colour and a mark, too. */
const PERCENTILES = [
  {key: "p50", word: "median block", dash: DASHES[0]},
  {key: "p90", word: "90th percentile", dash: DASHES[1]},
  {key: "p99", word: "99th percentile", dash: DASHES[2]},
];

/* The times of a line with their shares, in %; a share that was not reached ends it. */
function curvePoints(line) {
  const points = [];
  for (let i = 0; i < line.length && line[i] !== null; i++)
    points.push({us: line[i], share: ((i + 1) * 100) / line.length});
  return points;
}

function curvePath(points, x, y) {
  return points.map((p, i) => `${i ? "L" : "M"}${x(p.us).toFixed(1)},${y(p.share).toFixed(1)}`).join("");
}

/* Between two lines. */
function bandPath(a, b, x, y) {
  const n = Math.min(a.length, b.length);
  if (n < 2) return "";
  return `${curvePath(a.slice(0, n), x, y)}L${curvePath(b.slice(0, n).reverse(), x, y).slice(1)}Z`;
}

function curveRange(curves) {
  let low = Infinity;
  let high = 0;
  for (const curve of curves)
    for (const {key} of PERCENTILES)
      for (const us of curve[key])
        if (us !== null && us > 0) {
          low = Math.min(low, us);
          high = Math.max(high, us);
        }
  if (high === 0) return [1000, 10000];
  return [Math.max(low, high / 1e5) * 0.9, Math.max(high, low * 2) * 1.1];
}

/* A cursor on the shares, moved by pointer or keys, and what stands there. */
function curveCursor(svg, box, y, sides) {
  const line = s("line", {class: "cursor", x1: box.left, x2: box.right, visibility: "hidden"});
  const output = h("output", {class: "readout", "aria-live": "polite"});
  const last = sides[0].curve.p50.length - 1;
  let at = Math.floor(last / 2);
  const hint = "Arrow keys or the pointer read the curve.";
  const show = (index) => {
    at = Math.max(0, Math.min(last, index));
    const share = ((at + 1) * 100) / (last + 1);
    line.setAttribute("y1", y(share));
    line.setAttribute("y2", y(share));
    line.setAttribute("visibility", "visible");
    replace(output, `${share} % of the nodes: `, sides.map((side, i) => [i ? "; " : "",
      sides.length > 1 ? `${side.label} ` : "",
      PERCENTILES.map((p) => `${p.key} ${side.curve[p.key][at] === null ? "never" : duration(side.curve[p.key][at])}`).join(", ")]));
  };
  const hide = () => {
    line.setAttribute("visibility", "hidden");
    replace(output, hint);
  };
  svg.addEventListener("keydown", (event) => {
    const steps = {ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10, Home: -1000, End: 1000};
    if (!(event.key in steps)) return;
    event.preventDefault();
    show(at + steps[event.key]);
  });
  svg.addEventListener("focus", () => show(at));
  svg.addEventListener("blur", hide);
  svg.addEventListener("pointermove", (event) => {
    const bounds = svg.getBoundingClientRect();
    const place = ((event.clientY - bounds.top) / bounds.height) * svg.viewBox.baseVal.height;
    show(Math.round((y.invert(place) / 100) * (last + 1)) - 1);
  });
  svg.addEventListener("pointerleave", () => document.activeElement !== svg && hide());
  replace(output, hint);
  svg.append(line);
  return output;
}

/* sides: [{label, curve, style}], one or two. */
function curveChart(name, sides) {
  const width = 560;
  const height = 280;
  const box = {left: 44, top: 26, right: width - 10, bottom: height - 36};
  const [low, high] = curveRange(sides.map((side) => side.curve));
  const x = logarithmic(low, high, box.left, box.right);
  const y = linear(0, 100, box.bottom, box.top);
  const words = sides.map((side) => `${side.label}: half of the blocks reach all nodes they reach within ` +
    `${duration(curvePoints(side.curve.p50).at(-1)?.us)}`).join("; ");
  const svg = s("svg", {class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: 0,
    "aria-label": `How blocks of ${name} spread. ${words}`});
  svg.append(axes(box,
    {scale: x, ticks: logTicks(low, high), format: duration, label: "since the block was mined (logarithmic)"},
    {scale: y, ticks: [0, 25, 50, 75, 100], format: (v) => `${v} %`, label: "nodes reached"}));
  for (const side of sides) {
    const lines = PERCENTILES.map((p) => curvePoints(side.curve[p.key]));
    if (sides.length === 1)
      svg.append(s("path", {class: "band outer", d: bandPath(lines[1], lines[2], x, y)}),
        s("path", {class: "band", d: bandPath(lines[0], lines[1], x, y)}));
    PERCENTILES.forEach((p, i) => {
      svg.append(s("path", {class: `curve series${side.style}`, d: curvePath(lines[i], x, y), "stroke-dasharray": p.dash || null}));
      if (sides.length > 1)
        lines[i].filter((_, k) => k % 10 === 9).forEach((point) =>
          svg.append(s("path", {class: `mark series${side.style}`, transform: `translate(${x(point.us)},${y(point.share)})`,
            d: shapePath(side.style, 3)})));
    });
  }
  const output = curveCursor(svg, box, y, sides);
  return h("figure", {class: "curves"}, h("figcaption", null, name), svg,
    h("div", {class: "legend"}, sides.map((side) => [
      sides.length > 1 && h("span", null, shapeSample(side.style), ` ${side.label}`),
      (sides.length === 1 || side === sides[0]) && PERCENTILES.map((p) =>
        h("span", null, lineSample(sides.length === 1 ? side.style : "ink", p.dash), ` ${p.word}`))])),
    output, curveTable(name, sides));
}

function curveTable(name, sides) {
  const shares = [50, 90, 100];
  const rows = sides.flatMap((side) => shares.map((share) => ({side, share})));
  const at = (row, key) => row.side.curve[key][(row.share / 100) * row.side.curve[key].length - 1];
  return table(`Times to reach shares of the nodes, ${name}`, [
    {head: "To reach", cell: (row) => `${sides.length > 1 ? `${row.side.label}, ` : ""}${row.share} % of the nodes`},
    ...PERCENTILES.map((p) => ({head: p.word, number: true,
      cell: (row) => at(row, p.key) === null ? "never" : duration(at(row, p.key))})),
    {head: "Blocks", number: true, cell: (row) => count(row.side.curve.blocks)},
  ], rows);
}

function renderCurves(data) {
  const groups = data.groups.filter((group) => group.curve);
  if (!groups.length) return null;
  return h("section", {id: "propagation"},
    h("h2", null, "Propagation"),
    h("p", {class: "about"}, "The time from a block's making until it had come to a share of all nodes of the run (those included that were ",
      "down or came later). Of each share: the median of all ",
      "blocks, and those at the 90th and 99th percentile. A line ends where so many blocks never came, as blocks of a branch that lost."),
    h("div", {class: "charts"}, groups.map((group) => {
      const twins = groups.filter((other) => groupName(other) === groupName(group));
      const name = twins.length > 1 ? `${groupName(group)} (${parameters(group.params)})` : groupName(group);
      return curveChart(name, [{label: groupName(group), curve: group.curve, style: 0}]);
    })));
}
