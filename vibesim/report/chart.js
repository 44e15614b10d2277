/* The parts that charts are made of: axes, small strips of values, marks that differ in more than colour. */

/* Branches and series: a colour of the style sheet, a shape and a dash each, so that none is told by colour alone. */
const STYLES = 6;
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "5 2", "1 2"];

/* A closed path around the origin, of about the same area for each style. */
function shapePath(style, r) {
  const polygon = (corners, turn, size) => {
    let path = "";
    for (let i = 0; i < corners; i++) {
      const angle = turn + (2 * Math.PI * i) / corners;
      path += `${i ? "L" : "M"}${(size * Math.cos(angle)).toFixed(2)},${(size * Math.sin(angle)).toFixed(2)}`;
    }
    return `${path}Z`;
  };
  switch (style % STYLES) {
    case 0: return `M${-r},0A${r},${r} 0 1 0 ${r},0A${r},${r} 0 1 0 ${-r},0Z`;
    case 1: return polygon(4, Math.PI / 4, r * 1.25);
    case 2: return polygon(3, -Math.PI / 2, r * 1.4);
    case 3: return polygon(4, 0, r * 1.3);
    case 4: return polygon(3, Math.PI / 2, r * 1.4);
    default: return polygon(6, 0, r * 1.1);
  }
}

/* Axes of a box {left, top, right, bottom}. x and y: {scale, ticks, format, label}. */
function axes(box, x, y) {
  const group = s("g", {class: "axes"});
  for (const value of y.ticks) {
    const at = y.scale(value);
    group.append(s("line", {class: "grid", x1: box.left, x2: box.right, y1: at, y2: at}),
      s("text", {x: box.left - 6, y: at + 3.5, "text-anchor": "end"}, y.format(value)));
  }
  for (const value of x.ticks) {
    const at = x.scale(value);
    group.append(s("line", {class: "grid", x1: at, x2: at, y1: box.top, y2: box.bottom}),
      s("text", {x: at, y: box.bottom + 15, "text-anchor": at > box.right - 16 ? "end" : "middle"}, x.format(value)));
  }
  group.append(
    s("path", {class: "frame", d: `M${box.left},${box.top}V${box.bottom}H${box.right}`}),
    s("text", {x: box.right, y: box.bottom + 30, "text-anchor": "end", class: "label"}, x.label),
    s("text", {x: box.left, y: box.top - 8, class: "label"}, y.label));
  return group;
}

/* Values on a line, each a thin mark; the median is a longer one. lists: one row each. */
function strip(lists, width = 150) {
  const all = lists.flatMap((list) => list.values).filter((v) => v !== null);
  if (!all.length) return h("span", {class: "quiet"}, "no value");
  const low = Math.min(...all);
  const high = Math.max(...all);
  const row = 16;
  const x = high > low ? linear(low, high, 4, width - 4) : () => width / 2;
  const svg = s("svg", {class: "strip", width, height: row * lists.length, viewBox: `0 0 ${width} ${row * lists.length}`,
    role: "img", "aria-label": `values from ${figure(low)} to ${figure(high)}`});
  lists.forEach((list, i) => {
    const y = i * row;
    svg.append(s("line", {class: "grid", x1: 2, x2: width - 2, y1: y + row / 2, y2: y + row / 2}));
    for (const value of list.values)
      if (value !== null)
        svg.append(s("line", {class: `tick series${list.style || 0}`, x1: x(value), x2: x(value), y1: y + 4, y2: y + 12}));
    if (list.p50 !== undefined && list.p50 !== null)
      svg.append(s("path", {class: `median series${list.style || 0}`,
        d: `M${x(list.p50)},${y + 1}V${y + row - 1}`}));
  });
  return svg;
}

/* A sample for a legend: a line, or a mark. */
function lineSample(style, dash) {
  return s("svg", {class: "sample", width: 26, height: 10, "aria-hidden": "true"},
    s("line", {class: `curve series${style}`, x1: 1, x2: 25, y1: 5, y2: 5, "stroke-dasharray": dash || null}));
}

function shapeSample(style, extra = "") {
  return s("svg", {class: "sample", width: 16, height: 14, viewBox: "-8 -7 16 14", "aria-hidden": "true"},
    s("path", {class: `mark series${style} ${extra}`, d: shapePath(style, 5)}));
}
