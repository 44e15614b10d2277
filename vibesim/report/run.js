/* One run: why it failed, how to see it again, what happened. */
function commandLine(words) {
  return h("code", {class: "command", tabindex: 0}, words);
}

function commandsOf(run) {
  const lines = run.command ? [["Again", run.command], ["With all that happens", `${run.command} --trace all`]] : [];
  if (run.shrink) lines.push(["The smallest that fails so", run.shrink]);
  return h("dl", {class: "commands"}, lines.map(([name, line]) => h("div", null, h("dt", null, name), h("dd", null, commandLine(line)))));
}

function againNote(run) {
  if (!run.again)
    return h("p", {class: "note"}, h("strong", null, "Not made again: "), run.why, ". What the record holds is drawn: unless it holds all events, ",
      "tips are told by the arrivals of blocks, and links are not known.");
  if (run.drawn.same) return null;
  return h("p", {class: "note"}, h("strong", null, "Another run: "), "made again, it has another trace hash than the record tells",
    run.drawn.same_build ? ", with the same build: this is a bug." : "; it was recorded by another build. What is drawn is the run of this build.");
}

function runChecks(run) {
  const shown = run.checks.filter((check) => check.kind !== "sometimes" || check.ok);
  return table("Checks", [
    {head: "", cell: (c) => h("span", {class: c.ok ? "good" : "bad"}, c.ok ? "✓" : "✗", h("span", {class: "hidden"}, c.ok ? "held" : "failed"))},
    {head: "Check", cell: (c) => [c.name, c.detail ? h("span", {class: "quiet"}, ` ${c.detail}`) : ""]},
    {head: "Kind", cell: (c) => c.kind},
    {head: "At", number: true, cell: (c) => moment(c.t_us)},
  ], shown);
}

function runStory(view) {
  const lines = view.run.drawn.story || [];
  const steps = view.steps.filter((step) => !step.kind.startsWith("check"));
  return [
    h("details", {open: steps.length <= 24}, h("summary", null, `Steps of the scenario (${count(steps.length)})`),
      h("div", {class: "scroll tall"}, h("ol", {class: "story"}, steps.map((step) =>
        h("li", null, h("time", null, moment(step.us)), " ", h("b", null, step.kind), " ", step.detail || ""))))),
    lines.length > 0 && h("details", null, h("summary", null, `The last ${lines.length} events that matter`),
      h("ol", {class: "story"}, lines.map((line) => h("li", null, line)))),
  ];
}

function renderRun(run) {
  const view = unpackRun(run);
  return [
    h("p", {class: "reason"}, verdict(run.verdict), run.reason ? ` ${run.reason}` : ""),
    againNote(run),
    facts([["Seed", run.seed], ["Parameters", parameters(run.params)], ["Simulated", duration(run.sim_us)], ["Events", count(run.events)],
      ["Messages", count(run.messages)], ["Trace hash", h("code", null, run.trace_hash || "none")], ["Recorded", run.started_utc || "–"]]),
    commandsOf(run),
    h("h4", null, "The network over time"),
    view.drawn.length ? renderNetwork(view) : h("p", {class: "quiet"}, "No node is known."),
    run.drawn.notes.map((text) => h("p", {class: "quiet small"}, text)),
    renderFlow(view),
    h("div", {class: "two"}, h("div", null, h("h4", null, "Checks"), runChecks(run)),
      h("div", null, h("h4", null, "What happened"), runStory(view))),
    renderNodes(view),
  ];
}

/* Tabs, one a run: arrows move between them (https://www.w3.org/WAI/ARIA/apg/patterns/tabs/). A run is drawn when it is
 * first looked at. */
function renderRuns(data) {
  if (!data.runs.length) return null;
  const panels = data.runs.map((run) => h("div", {role: "tabpanel", id: `run-${run.id}`, "aria-labelledby": `tab-${run.id}`, class: "panel", tabindex: -1}));
  const tabs = data.runs.map((run, i) => h("button", {type: "button", role: "tab", id: `tab-${run.id}`, "aria-controls": `run-${run.id}`,
    onclick: () => choose(i)}, verdict(run.verdict), ` ${run.scenario} `, h("span", {class: "quiet"}, `run ${run.id}, seed ${run.seed}`)));
  const choose = (chosen) => {
    tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", i === chosen);
      tab.tabIndex = i === chosen ? 0 : -1;
      panels[i].hidden = i !== chosen;
    });
    if (!panels[chosen].hasChildNodes()) replace(panels[chosen], renderRun(data.runs[chosen]));
  };
  const keys = (event) => {
    const at = tabs.indexOf(event.target);
    const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1}[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const next = (to + tabs.length) % tabs.length;
    choose(next);
    tabs[next].focus();
  };
  choose(0);
  const more = data.failed - data.runs.filter((run) => run.verdict !== "pass").length;
  return h("section", {id: "runs"}, h("h2", null, "Runs"),
    h("div", {role: "tablist", "aria-label": "Runs", class: "tabs", onkeydown: keys}, tabs),
    more > 0 && h("p", {class: "quiet small"}, `${counted(more, "more run")} failed: vibesim report ${data.db_word} --run ID draws the one that is named.`),
    panels);
}
