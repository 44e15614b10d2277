/* Two runs, or the runs of two records, side by side. */
function change(before, after) {
  if (before === null || after === null || before === undefined || after === undefined) return "–";
  if (before === after) return "=";
  if (before === 0) return "new";
  const percent = ((after - before) / Math.abs(before)) * 100;
  if (Math.abs(percent) < 0.005) return "≈";
  return `${percent > 0 ? "▲ +" : "▼ −"}${figure(Math.abs(Number(percent.toPrecision(3))))} %`;
}

/* "better" or "worse", where the metric's name says which way is better. */
function judged(row) {
  const better = row.a.better || row.b.better;
  const [before, after] = [row.a.p50, row.b.p50];
  const text = change(before, after);
  if (!better || !/[▲▼]/.test(text)) return text;
  const good = (after < before) === (better === "less");
  return [text, h("span", {class: good ? "good" : "bad"}, good ? " better" : " worse")];
}

/* Metrics by name, and counts that every run has. */
function comparedRows([a, b]) {
  const mean = (group, key) => group.count ? group[key] / group.count : null;
  const rows = [
    ["events a run", "events"], ["messages a run", "messages"], ["bytes a run", "bytes"],
  ].map(([name, key]) => ({name, a: {p50: mean(a, key)}, b: {p50: mean(b, key)}}));
  rows.push({name: "simulated seconds a run", a: {p50: mean(a, "sim_us") / 1e6}, b: {p50: mean(b, "sim_us") / 1e6}});
  const names = [...new Set([...a.metrics, ...b.metrics].filter((m) => !m.per_node).map((m) => m.name))];
  const find = (group, name) => group.metrics.find((m) => m.name === name && !m.per_node) || {};
  return [...names.map((name) => ({name, a: find(a, name), b: find(b, name)})), ...rows];
}

function comparedTable(pair) {
  const single = pair[0].count === 1 && pair[1].count === 1;
  const value = (side) => ({head: [shapeSample(side === "a" ? 0 : 1), ` ${pair[side === "a" ? 0 : 1].label}`], number: true,
    cell: (row) => figure(row[side].p50)});
  const columns = [{head: single ? "Metric" : "Metric (median)", cell: (row) => row.name}, value("a"), value("b"),
    {head: "Change", number: true, cell: judged}];
  if (!single)
    columns.push(
      {head: "p95, first", number: true, cell: (row) => figure(row.a.p95)},
      {head: "p95, second", number: true, cell: (row) => figure(row.b.p95)},
      {head: "All values", cell: (row) => row.a.values || row.b.values ? strip([
        {values: row.a.values || [], p50: row.a.p50, style: 0}, {values: row.b.values || [], p50: row.b.p50, style: 1}]) : ""});
  return table(`Metrics of ${pair[0].label} and ${pair[1].label}`, columns, comparedRows(pair));
}

/* Two records by their names, unless they differ only in their folders. */
function sideLabels([a, b]) {
  const name = (label) => label.split("/").at(-1);
  return name(a.label) === name(b.label) ? [a.label, b.label] : [name(a.label), name(b.label)];
}

/* What the sides differ in, beside their outcome. */
function differences([a, b]) {
  const out = [];
  for (const key of ["build", "sha256", "world", "file"])
    if (a[key] !== b[key]) out.push(`${key === "sha256" ? "scenario's SHA-256" : key}: ${a[key]} and ${b[key]}`);
  for (const part of ["params", "options"]) {
    const [x, y] = [a[part] || {}, b[part] || {}];
    for (const key of new Set([...Object.keys(x), ...Object.keys(y)]))
      if (JSON.stringify(x[key]) !== JSON.stringify(y[key]))
        out.push(`${key}: ${JSON.stringify(x[key]) ?? "not given"} and ${JSON.stringify(y[key]) ?? "not given"}`);
  }
  return out;
}

function outcome(group) {
  return VERDICTS.filter((v) => group.verdicts[v.key] > 0)
    .map((v) => `${count(group.verdicts[v.key])} ${v.word}`).join(", ");
}

function renderPair(pair) {
  const labels = sideLabels(pair);
  pair.forEach((group, i) => {
    group.label = labels[i];
  });
  const differ = differences(pair);
  const sides = pair.map((group, style) => ({label: group.label, curve: group.curve, style}));
  return h("section", {class: "pair"},
    h("h3", null, groupName(pair[0])),
    h("p", null, pair.map((group, i) => [i ? "; " : "", shapeSample(i), ` ${group.label}: `,
      group.count === 1 ? `seed ${group.runs[0][RUN.seed]}, ${outcome(group).replace(/^1 /, "")}` : `${outcome(group)} of ${count(group.count)}`])),
    h("p", {class: "quiet"}, differ.length ? `They differ in ${differ.join("; ")}.`
      : "They have the same build, scenario and parameters."),
    h("div", {class: pair[0].count === 1 && pair[1].count === 1 ? "two" : null},
      comparedTable(pair),
      sides.every((side) => side.curve) ? curveChart(`${groupName(pair[0])}, both`, sides)
        : h("p", {class: "quiet"}, "There is no curve of both: one of them has no block.")));
}

function renderComparison(data) {
  if (!data.pairs.length) return null;
  const alone = data.baseline ? data.groups.length - data.pairs.length : 0;
  return h("section", {id: "comparison"}, h("h2", null, "Comparison"), data.pairs.map(renderPair),
    data.baseline && h("p", {class: "quiet small"}, "Whether a change is more than chance is for vibesim check --baseline to say."),
    alone > 0 && h("p", {class: "quiet"}, `${counted(alone, "kind")} of runs of ${data.db} has nothing like it in the baseline.`));
}
