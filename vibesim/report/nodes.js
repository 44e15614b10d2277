/* The nodes of a run as a table that can be sorted and searched. */
const NODE_COLUMNS = [
  {key: "name", head: "Node"},
  {key: "role", head: "Role"},
  {key: "region", head: "Region"},
  {key: "version", head: "Version"},
  {key: "height", head: "Height", number: true, text: (n) => n.height < 0 ? "–" : count(n.height)},
  {key: "tip", head: "Tip", code: true},
  {key: "mined", head: "Mined", number: true},
  {key: "reorgs", head: "Reorgs", number: true},
  {key: "deepest", head: "Deepest", number: true},
  {key: "bans", head: "Bans", number: true},
  {key: "received", head: "Received", number: true},
  {key: "sent", head: "Sent", number: true},
  {key: "bytesIn", head: "Bytes in", number: true, text: (n) => bytes(n.bytesIn)},
  {key: "bytesOut", head: "Bytes out", number: true, text: (n) => bytes(n.bytesOut)},
];

function nodeOrder(column, down) {
  const sign = down ? -1 : 1;
  return (a, b) => {
    const [x, y] = [a[column.key] ?? (column.number ? -1 : ""), b[column.key] ?? (column.number ? -1 : "")];
    return x < y ? -sign : x > y ? sign : a.host - b.host;
  };
}

function nodeCell(node, column) {
  const text = column.text ? column.text(node) : column.number ? count(node[column.key]) : node[column.key] || "–";
  return column.code ? h("code", null, text) : text;
}

function renderNodes(view) {
  const columns = NODE_COLUMNS.filter((column) => view.nodes.some((node) =>
    node[column.key] !== null && node[column.key] !== "" && (!["region"].includes(column.key) || node.region)));
  let sorted = NODE_COLUMNS[0];
  let down = false;
  let wanted = "";
  const body = h("tbody");
  const said = h("output", {class: "small"});
  const heads = columns.map((column) => {
    const button = h("button", {type: "button", onclick() {
      down = sorted === column ? !down : Boolean(column.number);
      sorted = column;
      draw();
    }}, column.head);
    return h("th", {scope: "col", class: column.number && "number"}, button);
  });
  const draw = () => {
    const rows = view.nodes.filter((node) => !wanted || columns.some((column) =>
      String(node[column.key] ?? "").toLowerCase().includes(wanted)));
    rows.sort(sorted.key === "name" ? (a, b) => (down ? b.host - a.host : a.host - b.host) : nodeOrder(sorted, down));
    columns.forEach((column, i) => {
      if (column === sorted) heads[i].setAttribute("aria-sort", down ? "descending" : "ascending");
      else heads[i].removeAttribute("aria-sort");
    });
    replace(body, rows.map((node) => h("tr", null, columns.map((column, i) =>
      h(i ? "td" : "th", {scope: !i && "row", class: column.number && "number"}, nodeCell(node, column))))));
    replace(said, `${counted(rows.length, "node")}`);
  };
  const search = h("input", {type: "search", placeholder: "node-0003, miner, 0.1.0 ...", "aria-label": "Search nodes", oninput() {
    wanted = search.value.trim().toLowerCase();
    draw();
  }});
  draw();
  return h("details", {class: "nodes", open: view.nodes.length <= 60},
    h("summary", null, `Nodes (${count(view.nodes.length)})`),
    h("div", {class: "controls"}, search, said),
    h("div", {class: "scroll tall"}, h("table", null, h("caption", {class: "hidden"}, "Nodes"),
      h("thead", null, h("tr", null, heads)), body)));
}
