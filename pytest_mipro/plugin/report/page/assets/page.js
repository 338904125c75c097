/* Put the page together: what it shows depends on what the data hold. */

const VERDICTS = {
  accept: ["better", "good"], unconfirmed: ["better, not independently confirmed", "good"], likely: ["likely better", "some"],
  undecided: ["undecided: too few rows", "some"], reject: ["not better", "bad"], "": ["nothing better found", "some"],
};

function optimizationSummary() {
  const known = data.summary;
  const [words, kind] = VERDICTS[known.verdict];
  const before = known.deciding_before ?? known.before, after = known.deciding_after;
  const written = known.accepted ? (known.changed.length ? `${plural(known.changed.length, "prompt")} changed` : "no prompt changed") : "the committed prompts stay";
  const facts = [
    ["decided on", after ? `${count(before.rows)} ${known.decided_on} rows, ${count(before.cases)} cases` : "no finalist"],
    ["rows", `${known.rows.train} training, ${known.rows.validation} validation, ${known.rows.holdout} holdout`],
    ["search", `${plural(known.trials, "trial")} of ${plural(known.programs, "program")}`],
    ["calls", `${count(known.calls)} distinct of ${count(known.asked)} asked for; ${count(known.live)} live`],
    ["billed", money(known.billed)],
    [known.models.length > 1 ? "models" : "model", known.models.join(", ")],
  ];
  return section(
    "summary", "Summary", null,
    h("div.verdict", {},
      h("div", {},
        h("p.mean", {}, fixed(before.objective), after ? [h("span", {}, " → "), fixed(after.objective)] : null),
        h("p.muted", {}, after ? `mean score on ${known.decided_on} rows, before and after` : "mean score under the committed prompts")),
      known.lift ? h("div", {},
        h("p.lift", {}, signed(known.lift.mean), h("small", {}, ` ${signed(known.lift.low, 2)} to ${signed(known.lift.high, 2)}`)),
        intervalPicture(known.lift),
        h("p.muted", {}, "lift, with its 95 % interval")) : null,
      h("div", {}, h("p", {}, badge(words, kind)), h("p", {}, written))),
    h("p.reason", {}, prose([known.reason, known.demand, known.ended].filter(Boolean).join(". "))),
    h("dl", {}, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    testTable(known),
  );
}

/* A line from low to high with the mean on it, beside 0. */
function intervalPicture({ mean, low, high }) {
  const least = Math.min(0, low), most = Math.max(0, high), room = (most - least || 1) * 0.08;
  const x = (value) => ((value - least + room) / (most - least + 2 * room)) * 200;
  const draw = (tag, values) => {
    const shape = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(values)) shape.setAttribute(name, value);
    return shape;
  };
  const picture = draw("svg", { viewBox: "0 0 200 24", width: 200, height: 24, "aria-hidden": "true", class: `interval ${direction(low > 0 ? 1 : high < 0 ? -1 : 0)}` });
  picture.append(
    draw("line", { x1: x(0), x2: x(0), y1: 2, y2: 22, class: "zero" }),
    draw("line", { x1: x(low), x2: x(high), y1: 12, y2: 12, class: "range" }),
    draw("circle", { cx: x(mean), cy: 12, r: 5, class: "middle" }),
  );
  return picture;
}

function testTable(known) {
  const range = (measured) => (measured ? `${fixed(measured.objective)} (${measured.interval.map((each) => each.toFixed(2)).join(" to ")})` : "");
  const change = (before, after) => (after === undefined || after === null ? "" : h(`span.${direction(after - before)}`, {}, signed(after - before)));
  const rows = [["all cases", range(known.before), range(known.after), change(known.before.objective, known.after?.objective)]];
  for (const [test, mean] of Object.entries(known.before.tests))
    rows.push([h("code", {}, test), fixed(mean), fixed(known.after?.tests[test]), change(mean, known.after?.tests[test])]);
  return known.after ? table("Scores of all cases", [["all cases, the search's too"], ["before", "number"], ["after", "number"], ["change", "number"]], rows) : null;
}

function refusedSection() {
  const refused = data.refused ?? [];
  const rows = refused.map((each) => [
    each.what,
    h("div", {}, each.why, each.more ? h("div.muted", {}, each.more) : null,
      each.text === undefined ? null : h("details.quiet", {}, h("summary", {}, "The reply"), h("pre", {}, text(each.text)))),
  ]);
  return rows.length ? section("refused", "Refused, and why", null, table("Refused, and why", [["what"], ["why"]], rows)) : null;
}

function learntSection() {
  const learnt = data.learnt ?? [];
  if (!learnt.length) return null;
  const most = Math.max(0.01, ...learnt.map((each) => Math.abs(each.effect)));
  let last = "";
  const rows = learnt.map((each) => {
    const first = each.choice !== last;
    last = each.choice;
    return [first ? h("strong", {}, each.choice) : "", each.value, effectBar(each.effect, most), `± ${each.deviation.toFixed(3)}`, count(each.lessons)];
  });
  return section(
    "learnt", "What was learnt about proposing",
    "The lift that each choice of how to ask for an instruction is believed to bring, lessons of earlier runs included.",
    table("What was learnt about proposing", [["choice"], ["value"], ["lift"], ["deviation", "number"], ["lessons here", "number"]], rows),
  );
}

function costSection() {
  const entries = data.spending ?? [];
  if (!entries.length) return null;
  const tokens = entries.some((each) => each.tokens);
  const size = (each) => (tokens ? each.tokens ?? 0 : each.calls);
  const stages = [...new Set(entries.map((each) => each.stage ?? ""))];
  const sum = (list, name) => list.reduce((total, each) => (each[name] === null || total === null ? null : total + each[name]), 0);
  const of = (stage) => entries.filter((each) => (each.stage ?? "") === stage);
  const most = Math.max(...stages.map((stage) => of(stage).reduce((total, each) => total + size(each), 0)));
  const row = (name, list, bar) => [name, bar, count(sum(list, "calls")), count(sum(list, "live")), sum(list, "tokens") === null ? "unknown" : count(sum(list, "tokens")), money(sum(list, "cost"))];
  const rows = stages.flatMap((stage) => [
    ...(stage ? [row(h("strong", {}, stage), of(stage), shareBar(of(stage).reduce((total, each) => total + size(each), 0), most))] : []),
    ...of(stage).map((each) => row(h("span.inner", {}, each.module ? short(each.module) : "proposer", h("span.muted", {}, ` ${each.model}`)), [each], shareBar(size(each), most))),
  ]);
  rows.push(row(h("strong", {}, "total"), entries, ""));
  const lead = data.kind === "gate" ? null : "What the distinct requests took as their replies report it, those from the cache included; live ones were answered by an endpoint in this run.";
  return section("cost", data.kind === "gate" ? "Calls" : "Cost by stage", lead,
    table("Cost", [[stages[0] ? "stage and module" : "module"], [tokens ? "tokens" : "calls"], ["calls", "number"], ["live", "number"], ["tokens", "number"], ["cost", "number"]], rows));
}

function build() {
  const gate = data.kind === "gate";
  const found = [
    gate ? gateSummary() : optimizationSummary(),
    historySection(), searchSection(), broughtSection(), candidatesSection(), casesSection(), refusedSection(), learntSection(), costSection(),
  ].filter(Boolean);
  const links = found.map((each) => h("li", {}, h("a", { href: `#${each.id}` }, each.querySelector("h2").textContent)));
  document.body.append(
    h("a.skip", { href: "#summary" }, "Skip to the summary"),
    h("header.top", {},
      h("p.over", {}, gate ? "pytest-mipro · gate" : "pytest-mipro · optimisation"),
      h("h1", {}, data.study.replace(/\.mipro\.json$/, "").split("/").pop()),
      h("p.muted", {}, `${data.study} · ${data.created.replace("T", " ").replace("+00:00", " UTC")} · version ${data.version}`)),
    h("div.page", {}, h("nav.contents", { "aria-label": "Sections" }, h("ul", {}, links)), h("main", {}, found)),
    dialog,
  );
  watchCharts();
}
