/* The head of the page, and what each group of runs came to. */
const RUN = {id: 0, seed: 1, verdict: 2, sim: 3, events: 4, messages: 5, bytes: 6, wall: 7, nodes: 8, hash: 9, reason: 10};

function sum(groups, key) {
  return groups.reduce((total, group) => total + group[key], 0);
}

function verdictTiles(groups) {
  return h("ul", {class: "tiles"}, VERDICTS.map((v) => {
    const n = groups.reduce((total, group) => total + group.verdicts[v.key], 0);
    return (n > 0 || v.key === "pass" || v.key === "fail") &&
      h("li", {class: `tile ${n > 0 ? v.key : "none"}`},
        h("b", null, count(n)), h("span", null, h("span", {"aria-hidden": "true"}, `${v.mark} `), v.word));
  }));
}

function facts(pairs) {
  return h("dl", {class: "facts"}, pairs.map(([name, value]) =>
    h("div", null, h("dt", null, name), h("dd", null, value))));
}

/* The theme is the system's until somebody presses the button. */
function themeButton() {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  let pressed = false;
  const set = (dark) => {
    root.dataset.theme = dark ? "dark" : "light";
    replace(button, dark ? "Light theme" : "Dark theme");
  };
  const button = h("button", {type: "button", class: "plain", id: "theme", onclick() {
    pressed = true;
    set(root.dataset.theme !== "dark");
  }});
  system.addEventListener("change", () => pressed || set(system.matches));
  set(system.matches);
  return button;
}

function renderHead(data) {
  const builds = [...new Set(data.groups.map((group) => group.build))];
  return [
    h("div", {class: "title"},
      h("h1", null, "VibeNet report", h("span", {class: "file"}, data.db)),
      themeButton()),
    verdictTiles(data.groups),
    facts([
      ["Runs", count(data.total)],
      ["Simulated", duration(sum(data.groups, "sim_us"))],
      ["Events", count(sum(data.groups, "events"))],
      ["Messages", count(sum(data.groups, "messages"))],
      ["Run time", duration(sum(data.groups, "wall_ms") * 1000)],
      [builds.length === 1 ? "Build" : "Builds", builds.join("; ")],
      data.baseline ? ["Baseline", data.baseline] : null,
    ].filter(Boolean)),
  ];
}

/* A cell for each run, in order: what failed has a mark of its own. */
function runCells(group) {
  const side = 11;
  const across = 60;
  const rows = Math.ceil(group.runs.length / across);
  const width = Math.min(group.runs.length, across) * side;
  const failed = group.runs.filter((run) => run[RUN.verdict] !== 0).length;
  const svg = s("svg", {class: "cells", width, height: rows * side, role: "img",
    "aria-label": `${counted(group.runs.length, "run")}, ${failed} of them did not hold`});
  group.runs.forEach((run, i) => {
    const x = (i % across) * side;
    const y = Math.floor(i / across) * side;
    const key = VERDICTS[run[RUN.verdict]].key;
    svg.append(s("g", {class: `cell ${key}`},
      s("title", null, `run ${run[RUN.id]}, seed ${run[RUN.seed]}: ${VERDICTS[run[RUN.verdict]].word}`),
      s("rect", {x: x + 1, y: y + 1, width: side - 2, height: side - 2}),
      key !== "pass" && s("path", {d: `M${x + 3},${y + 3}L${x + 8},${y + 8}M${x + 8},${y + 3}L${x + 3},${y + 8}`})));
  });
  return svg;
}

function failedSeeds(group) {
  return group.runs.filter((run) => run[RUN.verdict] === 1 || run[RUN.verdict] === 2).map((run) => run[RUN.seed]);
}

function groupName(group) {
  return group.world === "sim" ? group.scenario : `${group.scenario} (${group.world})`;
}

function overview(data) {
  return table("What the runs of each scenario came to", [
    {head: "Scenario", cell: (g) => h("a", {href: `#${g.anchor}`}, groupName(g))},
    {head: "Runs", number: true, cell: (g) => count(g.count)},
    {head: "Held", number: true, cell: (g) => count(g.verdicts.pass)},
    {head: "Failed", number: true, cell: (g) => g.verdicts.fail + g.verdicts.error > 0
      ? h("strong", {class: "bad"}, count(g.verdicts.fail + g.verdicts.error)) : "0"},
    {head: "Seeds that failed", cell: (g) => ranges(failedSeeds(g), 8) || "–"},
    {head: "Nodes", number: true, cell: (g) => g.nodes_least === g.nodes_most ? count(g.nodes_most)
      : `${count(g.nodes_least)}–${count(g.nodes_most)}`},
    {head: "Simulated", number: true, cell: (g) => duration(g.sim_us)},
    {head: "Messages", number: true, cell: (g) => count(g.messages)},
    {head: "Run time", number: true, cell: (g) => duration(g.wall_ms * 1000)},
  ], data.groups);
}

function checksTable(group) {
  return table(`Checks of ${groupName(group)}`, [
    {head: "Check", cell: (c) => c.name},
    {head: "Kind", cell: (c) => c.kind},
    {head: "Held", number: true, cell: (c) => count(c.held)},
    {head: "Failed", number: true, cell: (c) => c.failed ? h("strong", {class: "bad"}, `✗ ${count(c.failed)}`) : "0"},
  ], group.checks);
}

/* Many checks are folded away, but for those that failed. */
function checksOf(group) {
  if (group.checks.length <= 12) return checksTable(group);
  const failed = group.checks.filter((check) => check.failed);
  return [failed.length > 0 && checksTable({...group, checks: failed}),
    h("details", null, h("summary", null, `All ${group.checks.length} checks`), checksTable(group))];
}

function metricsTable(group) {
  if (!group.metrics.length) return h("p", {class: "quiet"}, "No metric was told.");
  return table(`Metrics of ${groupName(group)}`, [
    {head: "Metric", cell: (m) => m.per_node ? [m.name, h("span", {class: "quiet"}, " by node")] : m.name},
    {head: "Values", number: true, cell: (m) => count(m.count)},
    {head: "Least", number: true, cell: (m) => figure(m.min)},
    {head: "Median", number: true, cell: (m) => figure(m.p50)},
    {head: "p95", number: true, cell: (m) => figure(m.p95)},
    {head: "Most", number: true, cell: (m) => figure(m.max)},
    {head: "All values", cell: (m) => strip([m])},
  ], group.metrics);
}

function runsTable(group) {
  return h("details", null,
    h("summary", null, `All runs of it${group.runs.length < group.count ? ` (${count(group.runs.length)} of them)` : ""}`),
    table(`Runs of ${groupName(group)}`, [
      {head: "Run", number: true, cell: (r) => r[RUN.id]},
      {head: "Seed", number: true, cell: (r) => r[RUN.seed]},
      {head: "Verdict", cell: (r) => verdict(VERDICTS[r[RUN.verdict]].key)},
      {head: "Simulated", number: true, cell: (r) => duration(r[RUN.sim])},
      {head: "Events", number: true, cell: (r) => count(r[RUN.events])},
      {head: "Messages", number: true, cell: (r) => count(r[RUN.messages])},
      {head: "Trace hash", cell: (r) => h("code", null, r[RUN.hash] || "–")},
      {head: "Reason", cell: (r) => r[RUN.reason] || ""},
    ], group.runs));
}

function renderGroup(group) {
  return h("section", {id: group.anchor, class: "group"},
    h("h3", null, groupName(group), h("span", {class: "quiet"}, ` ${counted(group.count, "run")}`)),
    h("p", {class: "params"}, group.params === null ? "each run with parameters of its own" : parameters(group.params),
      plainObject(group.options) && Object.keys(group.options).length > 0 && `; options: ${parameters(group.options)}`),
    h("p", {class: "quiet small"}, `${group.file}, SHA-256 ${group.sha256.slice(0, 12)}, ${group.build}`),
    runCells(group),
    h("div", {class: "two"},
      h("div", null, h("h4", null, "Metrics"), metricsTable(group)),
      h("div", null, h("h4", null, "Checks"), checksOf(group))),
    runsTable(group));
}
