/* The messages before a moment as a sequence diagram. A line a host; downwards each event, sending or receiving, has a
 * row of its own, so that an arrow slants over what happened while it was on its way. */
const FLOW = {lane: 118, left: 92, row: 13, page: 40};

/* Which sending a receiving belongs to: the oldest one of the same kind and size between the two. */
function pairMessages(rows) {
  const waiting = new Map();
  const messages = [];
  for (const [us, from, to, out, kind, size] of rows) {
    const key = [from, to, kind, size].join(" ");
    const queue = waiting.get(key) || [];
    waiting.set(key, queue);
    if (out) {
      const message = {from, to, kind, size, sent: us, came: null};
      queue.push(message);
      messages.push(message);
    } else if (queue.length) {
      queue.shift().came = us;
    } else {
      messages.push({from, to, kind, size, sent: null, came: us});
    }
  }
  return bundle(messages.sort((a, b) => (a.sent ?? a.came) - (b.sent ?? b.came)));
}

/* Equal messages that leave together, one after the other, are one arrow. */
const TOGETHER_US = 5000;

function bundle(messages) {
  const out = [];
  for (const message of messages) {
    const last = out.at(-1);
    const begins = message.sent ?? message.came;
    if (last && last.from === message.from && last.to === message.to && last.kind === message.kind &&
        (last.sent === null) === (message.sent === null) && (last.came === null) === (message.came === null) &&
        begins - (last.sent ?? last.came) <= TOGETHER_US) {
      last.count += 1;
      last.size += message.size;
      last.came = message.came;
    } else {
      out.push({...message, count: 1});
    }
  }
  return out;
}

/* What has a row, by time. */
function flowEvents(messages, marks, until) {
  const events = [];
  for (const message of messages) {
    if (message.sent !== null) events.push({us: message.sent, message, end: "sent"});
    if (message.came !== null) events.push({us: message.came, message, end: "came"});
  }
  for (const [us, host, peer, kind, text] of marks) events.push({us, mark: {host, peer, kind, text}});
  return collapse(events.filter((event) => event.us <= until).sort((a, b) => a.us - b.us));
}

/* A node that catches up has many tips: of those in a row the last is told. */
function collapse(events) {
  const out = [];
  for (const event of events) {
    const last = out.at(-1);
    if (event.mark?.kind === "tip" && last?.mark?.kind === "tip" && last.mark.host === event.mark.host)
      out[out.length - 1] = {...event, tips: (last.tips || 1) + 1};
    else out.push(event);
  }
  return out;
}

function drawMessage(message, x, rows, bottom) {
  const from = x(message.from);
  const to = x(message.to);
  const y1 = rows.get(message)?.sent ?? null;
  const y2 = rows.get(message)?.came ?? null;
  const start = y1 ?? y2;
  const lost = y2 === null;
  const end = y2 ?? Math.min(bottom, start + 14);
  const tipX = lost ? from + (to - from) * 0.45 : to;
  const way = Math.sign(to - from) || 1;
  const arrow = lost ? `M${tipX - 4},${end - 4}l8,8m0,-8l-8,8` : `M${to - way * 7},${end - 3.5}L${to},${end}L${to - way * 7},${end + 3.5}`;
  const took = message.sent !== null && message.came !== null ? `, ${duration(message.came - message.sent)} on its way` : "";
  const label = message.count > 1 ? `${message.kind} ×${message.count}` : message.kind;
  return s("g", {class: `message ${lost ? "lost" : ""} ${message.sent === null ? "unsent" : ""}`},
    s("title", null, `${label}, ${bytes(message.size)}${took}${lost ? ", not received by then" : ""}${message.sent === null ? ", sent before what is shown" : ""}`),
    s("path", {class: "arrow", d: `M${from},${start}L${tipX},${end}`}),
    s("path", {class: "tip", d: arrow}),
    s("text", {x: from + way * 7, y: start - 3, "text-anchor": way > 0 ? "start" : "end"}, label));
}

function drawMark(mark, tips, x, y) {
  const label = tips > 1 ? `${tips} tips, last ${mark.text}` : `${mark.kind} ${mark.text}`;
  return s("g", {class: `event ${["ban", "violation", "reorg", "block-bad"].includes(mark.kind) ? "strong" : ""}`},
    s("title", null, label),
    s("path", {class: "stop", transform: `translate(${x},${y})`, d: shapePath(3, 4)}),
    s("text", {x: x + 8, y: y + 3.5}, label.length > 34 ? `${label.slice(0, 33)}…` : label));
}

function drawFlow(view, flow, messages, marks) {
  const events = flowEvents(messages, marks, flow.until_us);
  const width = FLOW.left + FLOW.lane * (flow.lanes.length - 1) + 230;
  const height = 16 + FLOW.row * (events.length + 1) + 20;
  const lane = (host) => FLOW.left + FLOW.lane * flow.lanes.indexOf(host);
  const svg = s("svg", {class: "flow", viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
    "aria-label": `${counted(messages.length, "message")} between ${flow.lanes.map((host) => hostName(view, host)).join(", ")}; the table below has them as text`});
  const head = s("svg", {class: "flow", width, height: 22, "aria-hidden": "true"});
  for (const host of flow.lanes) {
    head.append(s("text", {class: "lane", x: lane(host), y: 15, "text-anchor": "middle"}, hostName(view, host)));
    svg.append(s("path", {class: "lane", d: `M${lane(host)},0V${height - 14}`}));
  }
  const rows = new Map();
  let told = "";
  events.forEach((event, i) => {
    const y = 16 + i * FLOW.row;
    const text = moment(event.us);
    if (text !== told) svg.append(s("text", {class: "time", x: 4, y: y + 3.5}, text));
    told = text;
    if (event.message) rows.set(event.message, {...rows.get(event.message), [event.end]: y});
    else svg.append(drawMark(event.mark, event.tips, lane(event.mark.host), y));
  });
  for (const message of messages) if (rows.has(message)) svg.append(drawMessage(message, lane, rows, height - 20));
  svg.append(s("path", {class: "failure", d: `M${FLOW.left - 40},${height - 14}H${width - 10}`}),
    s("text", {class: "time", x: 4, y: height - 10}, moment(flow.until_us)));
  return [h("div", {class: "flow-head"}, head), svg];
}

function flowTable(view, messages) {
  return h("details", null, h("summary", null, "These messages as a table"),
    table("Messages", [
      {head: "Sent", number: true, cell: (m) => m.sent === null ? "–" : moment(m.sent, 6)},
      {head: "Received", number: true, cell: (m) => m.came === null ? "not by then" : moment(m.came, 6)},
      {head: "From", cell: (m) => hostName(view, m.from)},
      {head: "To", cell: (m) => hostName(view, m.to)},
      {head: "Kind", cell: (m) => m.kind},
      {head: "Messages", number: true, cell: (m) => count(m.count)},
      {head: "Size", number: true, cell: (m) => bytes(m.size)},
    ], messages));
}

/* Hidden at first; of these the page holds no more than of all others (page_flow.c). */
const NOISE = ["Ping", "Pong", "NewTransaction"];

function renderFlow(view) {
  const flow = view.run.drawn.flow;
  const failed = view.run.checks.some((c) => !c.ok && c.kind !== "sometimes");
  const title = h("h4", null, failed ? "Messages before the failure" : `Messages around ${view.run.moment.about}`);
  if (!flow || !flow.messages.length)
    return [title, h("p", {class: "quiet"}, "The record holds no message (--record messages), and the run was not made again.")];
  const all = pairMessages(flow.messages);
  const kinds = [...new Set(all.map((message) => message.kind))].sort();
  const hidden = new Set(kinds.some((kind) => !NOISE.includes(kind)) ? kinds.filter((kind) => NOISE.includes(kind)) : []);
  const box = h("div", {class: "flow-box scroll", tabindex: 0, role: "region", "aria-label": "Sequence diagram"});
  const words = h("output", {class: "small"});
  const rest = h("div");
  let back = 0;
  const draw = () => {
    const shown = all.filter((message) => !hidden.has(message.kind));
    const last = Math.max(0, shown.length - back * FLOW.page);
    const messages = shown.slice(Math.max(0, last - FLOW.page), last);
    const from = messages.length ? messages[0].sent ?? messages[0].came : flow.from_us;
    const until = back === 0 ? flow.until_us : Math.max(from, ...messages.map((m) => m.came ?? m.sent));
    const marks = flow.marks.filter(([us]) => us >= from && us <= until);
    replace(box, drawFlow(view, {...flow, until_us: until}, messages, marks));
    replace(words, messages.length ? `${moment(from)} to ${moment(until)}, ${counted(messages.length, "arrow")} of ${shown.length}` : "none is shown");
    replace(rest, flowTable(view, messages));
    earlier.disabled = last <= FLOW.page;
    later.disabled = back === 0;
    box.scrollTop = box.scrollHeight;
  };
  const turn = (by) => () => {
    back = Math.max(0, back + by);
    draw();
  };
  const earlier = h("button", {type: "button", class: "plain", onclick: turn(1)}, "◀ Earlier");
  const later = h("button", {type: "button", class: "plain", onclick: turn(-1)}, "Later ▶");
  const boxes = kinds.map((kind) => {
    const input = h("input", {type: "checkbox", onchange() {
      if (input.checked) hidden.delete(kind);
      else hidden.add(kind);
      back = 0;
      draw();
    }});
    input.checked = !hidden.has(kind);
    return h("label", null, input, ` ${kind}`);
  });
  draw();
  requestAnimationFrame(() => {
    box.scrollTop = box.scrollHeight;
  });
  return [title,
    h("p", {class: "about"}, failed ? `Up to the check that failed: ${view.run.moment.about}` : "Of a run that holds: what changed last."),
    h("div", {class: "controls"}, earlier, later, words, h("fieldset", {class: "kinds"}, h("legend", {class: "hidden"}, "Kinds of messages"), boxes)),
    box, rest];
}
