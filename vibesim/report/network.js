/* One run's network under a slider: what moves the time, and what shows it. */
const SLIDER_STEPS = 1000;
const PLAY = {frames: 300, every_ms: 66};
const PLAY_STILL = {frames: 20, every_ms: 1000}; /* for those who asked for less motion */

/* The moment at hand: show(us) tells all that listen. */
function networkClock(view, listeners) {
  const clock = {us: 0, timer: null};
  clock.show = (us) => {
    clock.us = Math.max(0, Math.min(view.end, us));
    listeners.forEach((listener) => listener(clock.us));
  };
  clock.stop = () => {
    clearInterval(clock.timer);
    clock.timer = null;
    listeners.forEach((listener) => listener(clock.us));
  };
  clock.play = () => {
    const {frames, every_ms} = matchMedia("(prefers-reduced-motion: reduce)").matches ? PLAY_STILL : PLAY;
    if (clock.us >= view.end) clock.show(0);
    clock.timer = setInterval(() => {
      clock.show(clock.us + view.end / frames);
      if (clock.us >= view.end) clock.stop();
    }, every_ms);
    listeners.forEach((listener) => listener(clock.us));
  };
  return clock;
}

function plainButton(words, action, label) {
  return h("button", {type: "button", class: "plain", onclick: action, "aria-label": label}, words);
}

function firstFailure(view) {
  return view.run.checks.find((check) => !check.ok && check.kind !== "sometimes");
}

/* What is looked at first: the failure, or well into the first partition. */
function firstMoment(view) {
  const failed = firstFailure(view);
  const cut = view.linkFaults.find((fault) => fault.kind === "partition");
  return failed ? failed.t_us : cut ? (cut.from + cut.until * 3) / 4 : view.end;
}

function lastStep(view, us) {
  const last = view.steps.filter((step) => step.us <= us && step.kind !== "spawn").at(-1);
  return last ? `${moment(last.us)} ${last.kind} ${last.detail || ""}` : "nothing has happened yet";
}

function networkNotes(view, track) {
  return [
    view.linkFaults.some((fault) => fault.unnamed > 0) && h("p", {class: "quiet small"},
      "The decision log has no room for all nodes of so large a fault: the graph shows its sides as far as they are named."),
    track.hidden > 0 && h("p", {class: "quiet small"}, `${counted(track.hidden, "more fault")} overlap with these.`),
  ];
}

function networkControls(view, clock) {
  const at = stops(view);
  const failed = firstFailure(view);
  const play = plainButton("", () => (clock.timer ? clock.stop() : clock.play()));
  play.classList.add("play");
  return {play, buttons: [play,
    plainButton("◀ Step", () => clock.show(at.filter((us) => us < clock.us - 1).at(-1) ?? 0), "To the step before"),
    plainButton("Step ▶", () => clock.show(at.find((us) => us > clock.us + 1) ?? view.end), "To the next step"),
    failed && plainButton("✗ Failure", () => clock.show(failed.t_us))]};
}

function renderNetwork(view) {
  const graph = networkGraph(view);
  const track = timelineTrack(view);
  const slider = h("input", {type: "range", min: 0, max: SLIDER_STEPS, step: 1, class: "slider", "aria-label": "Time in the run"});
  const time = h("output", {class: "clock"});
  const now = h("p", {class: "now small"});
  const clock = networkClock(view, [(us) => {
    const words = graph.show(us);
    track.move(us);
    slider.value = Math.round((us / view.end) * SLIDER_STEPS);
    slider.setAttribute("aria-valuetext", `${moment(us)}: ${words}`);
    replace(time, moment(us));
    replace(now, lastStep(view, us));
    replace(play, clock.timer ? "❚❚ Pause" : "▶ Play");
  }]);
  const {play, buttons} = networkControls(view, clock);
  slider.addEventListener("input", () => {
    if (clock.timer) clock.stop();
    clock.show((slider.value / SLIDER_STEPS) * view.end);
  });
  clock.show(firstMoment(view));
  return h("div", {class: "network-box"},
    h("div", {class: "controls"}, buttons, time, now),
    h("div", {class: "rail"}, slider, track.svg),
    networkNotes(view, track), graph.element, graphKey());
}
