/* Puts the page together. */
function renderPage() {
  const data = JSON.parse(document.getElementById("data").textContent);
  data.groups.forEach((group, i) => {
    group.anchor = `group-${i + 1}`;
  });
  document.title = `VibeNet report: ${data.db}`;
  const sections = [
    renderComparison(data),
    h("section", {id: "scenarios"}, h("h2", null, "Scenarios"), overview(data),
      data.groups_left_out > 0 && h("p", {class: "note"}, `${counted(data.groups_left_out, "run")} of more scenarios and parameters are left out.`)),
    renderRuns(data),
    renderCurves(data),
    h("section", {id: "groups"}, h("h2", null, "Metrics and checks"), data.groups.map(renderGroup)),
  ].filter(Boolean);
  replace(document.getElementById("head"), renderHead(data));
  replace(document.getElementById("nav"), sections.map((section) =>
    h("a", {href: `#${section.id}`}, section.querySelector("h2").textContent)));
  replace(document.getElementById("main"), sections,
    h("footer", {class: "quiet small"}, `Made by vibesim ${data.made_by} from ${data.db}.`));
}

renderPage();
