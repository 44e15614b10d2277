/* Elements, numbers and words. Every text of a record reaches the page through here, as text. */
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity))
    if (child !== null && child !== undefined && child !== false)
      element.append(child instanceof Node ? child : String(child));
  return element;
}

/* h("p", {class: "note"}, "text", element...) */
function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function replace(element, ...children) {
  element.replaceChildren();
  return fill(element, null, children);
}

const whole = new Intl.NumberFormat("en-US");

function count(n) {
  return n === null || n === undefined ? "–" : whole.format(n);
}

/* "1 run", "3 runs" */
function counted(n, thing) {
  return `${count(n)} ${thing}${n === 1 ? "" : "s"}`;
}

/* Four digits that matter. */
function figure(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (Number.isInteger(value)) return size < 1e9 ? count(value) : value.toPrecision(4);
  if (size >= 1000) return count(Math.round(value));
  if (size < 1e-4) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

/* Microseconds as a person says them. */
function duration(us) {
  if (us === null || us === undefined) return "–";
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 1e6) return `${Number((us / 1000).toPrecision(3))} ms`;
  if (us < 6e8) return `${Number((us / 1e6).toPrecision(us < 1e8 ? 3 : 4))} s`;
  if (us < 36e8) return `${Math.round(us / 6e7)} min`;
  return `${Number((us / 36e8).toPrecision(3))} h`;
}

/* A moment of a run: seconds, to the digit that tells it from its neighbours. */
function moment(us, digits = 3) {
  return `${(us / 1e6).toFixed(digits)} s`;
}

function bytes(n) {
  if (n === null || n === undefined) return "–";
  for (const [size, unit] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]])
    if (n >= size) return `${Number((n / size).toPrecision(3))} ${unit}`;
  return `${n} B`;
}

function plainObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/* {"nodes":24} as "nodes=24"; "none" without any. */
function parameters(object) {
  if (!plainObject(object)) return "unknown";
  const words = Object.entries(object).map(([key, value]) =>
    `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return words.length ? words.join(" ") : "none";
}

/* [1,2,3,7] as "1..3, 7": seeds are texts, since they may be beyond what a number holds. */
function ranges(seeds, most = 24) {
  const sorted = seeds.map(BigInt).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const out = [];
  for (let i = 0; i < sorted.length;) {
    let end = i;
    while (end + 1 < sorted.length && sorted[end + 1] === sorted[end] + 1n) end++;
    out.push(end > i + 1 ? `${sorted[i]}..${sorted[end]}` : sorted.slice(i, end + 1).join(", "));
    i = end + 1;
  }
  return out.length > most ? `${out.slice(0, most).join(", ")} and more` : out.join(", ");
}

/* ["0-3",7] as [0,1,2,3,7], in the decision log; "+12" at its end: that many more, which it does not name. */
function hostList(list) {
  const hosts = [];
  let more = 0;
  for (const item of Array.isArray(list) ? list : []) {
    if (typeof item === "number") {
      hosts.push(item);
    } else if (/^\+\d+$/.test(item)) {
      more += Number(item);
    } else {
      const [from, to] = String(item).split("-").map(Number);
      for (let host = from; host <= to && hosts.length < 100000; host++) hosts.push(host);
    }
  }
  return {hosts, more};
}

/* A table: columns are {head, cell(row), number, title}. */
function table(caption, columns, rows) {
  return h("div", {class: "scroll"},
    h("table", null,
      h("caption", {class: "hidden"}, caption),
      h("thead", null, h("tr", null, columns.map((column) =>
        h("th", {scope: "col", class: column.number && "number", title: column.title}, column.head)))),
      h("tbody", null, rows.map((row) => h("tr", null, columns.map((column, i) =>
        h(i === 0 ? "th" : "td", {scope: i === 0 && "row", class: column.number && "number"},
          column.cell(row))))))));
}

/* Verdicts, in the order of the numbers that stand for them in the data: word and mark. */
const VERDICTS = [
  {key: "pass", word: "held", mark: "✓"},
  {key: "fail", word: "failed", mark: "✗"},
  {key: "error", word: "error", mark: "!"},
  {key: "skip", word: "skipped", mark: "–"},
  {key: "interrupted", word: "interrupted", mark: "…"},
];

function verdict(key) {
  const found = VERDICTS.find((v) => v.key === key) || VERDICTS[2];
  return h("span", {class: `verdict ${found.key}`}, h("span", {"aria-hidden": "true"}, found.mark), " ", found.word);
}

let idCount = 0;
function freshId(word) {
  idCount += 1;
  return `${word}-${idCount}`;
}
