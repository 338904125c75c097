/* Put the page together: what it shows depends on what the data hold. */

function refusedSection() {
  const refused = data.refused ?? [];
  const rows = refused.map((each) => [
    each.what,
    h(
      "div",
      {},
      each.why,
      each.more ? h("div.muted", {}, each.more) : null,
      each.text === undefined
        ? null
        : h("details.quiet", {}, h("summary", {}, "The reply"), h("pre", {}, text(each.text))),
    ),
  ]);
  if (data.kind === "gate") return null;
  return section(
    "refused",
    "Refused, and why",
    null,
    rows.length
      ? table("Refused, and why", [["what"], ["why"]], rows)
      : h("p", {}, "Nothing: each proposal could be used, and no trial was dropped."),
  );
}

const CHOICES = { dataset: "summary of the dataset", program: "summary of the program" };

function learntSection() {
  const learnt = data.learnt ?? [];
  if (!learnt.length) return null;
  const most = Math.max(0.01, ...learnt.map((each) => Math.abs(each.effect)));
  const rows = (list) =>
    list.map((each, at) => [
      each.choice === list[at - 1]?.choice ? "" : h("strong", {}, CHOICES[each.choice] ?? each.choice),
      each.value,
      effectBar(each.effect, most),
      `± ${fixed(each.deviation)}`,
      count(each.lessons),
    ]);
  const columns = [
    ["how it was asked"],
    ["choice"],
    ["believed lift"],
    ["standard deviation", "number"],
    ["proposals tried here", "number"],
  ];
  const here = learnt.filter((each) => each.lessons),
    others = learnt.filter((each) => !each.lessons);
  return section(
    "learnt",
    "What was learnt about proposing",
    "The lift that each way to ask for an instruction is believed to bring, by the proposals that were tried in this run " +
      "and in earlier ones. Ways take turns; one that is better with a probability of 0.95 is asked out of its turn.",
    here.length ? table("Ways to ask that were tried here", columns, rows(here)) : null,
    others.length
      ? h(
          "details.quiet",
          {},
          h("summary", {}, plural(others.length, "choice"), " not tried in this run"),
          table("Ways to ask that were not tried here", columns, rows(others)),
        )
      : null,
  );
}

function costSection() {
  const entries = data.spending ?? [];
  if (!entries.length) return null;
  const tokens = entries.some((each) => each.tokens);
  const size = (each) => (tokens ? (each.tokens ?? 0) : each.calls);
  const stages = [...new Set(entries.map((each) => each.stage ?? ""))];
  const sum = (list, name) =>
    list.reduce((total, each) => (each[name] === null || total === null ? null : total + each[name]), 0);
  const of = (stage) => entries.filter((each) => (each.stage ?? "") === stage);
  const most = Math.max(...stages.map((stage) => of(stage).reduce((total, each) => total + size(each), 0)));
  const row = (name, list, bar) => [
    name,
    bar,
    count(sum(list, "calls")),
    count(sum(list, "live")),
    sum(list, "tokens") === null ? "unknown" : count(sum(list, "tokens")),
    money(sum(list, "cost")),
  ];
  const rows = stages.flatMap((stage) => [
    ...(stage
      ? [
          row(
            h("strong", {}, stage),
            of(stage),
            shareBar(
              of(stage).reduce((total, each) => total + size(each), 0),
              most,
            ),
          ),
        ]
      : []),
    ...of(stage).map((each) =>
      row(
        h(
          "span.inner",
          {},
          each.module ? short(each.module) : "proposer",
          h("span.muted", {}, ` ${each.model}`),
        ),
        [each],
        shareBar(size(each), most),
      ),
    ),
  ]);
  rows.push(row(h("strong", {}, "total"), entries, ""));
  const lead =
    data.kind === "gate"
      ? null
      : "What the different requests took as their replies report it, those from the cache included.";
  return section(
    "cost",
    data.kind === "gate" ? "Calls" : "Cost by stage",
    lead,
    table(
      "Cost",
      [
        [stages[0] ? "stage and module" : "module"],
        [tokens ? "tokens" : "calls"],
        ["calls", "number"],
        ["sent to the model", "number"],
        ["tokens", "number"],
        ["cost", "number"],
      ],
      rows,
    ),
  );
}

function build() {
  const gate = data.kind === "gate";
  const found = [
    gate ? gateSummary() : optimizationSummary(),
    historySection(),
    searchSection(),
    broughtSection(),
    candidatesSection(),
    casesSection(),
    refusedSection(),
    learntSection(),
    costSection(),
  ].filter(Boolean);
  const links = found.map((each) =>
    h("li", {}, h("a", { href: `#${each.id}` }, each.querySelector("h2").textContent)),
  );
  document.body.append(
    h("a.skip", { href: "#summary" }, "Skip to the summary"),
    h(
      "header.top",
      {},
      h("p.over", {}, gate ? "pytest-mipro · gate" : "pytest-mipro · optimisation"),
      h(
        "h1",
        {},
        data.study
          .replace(/\.mipro\.json$/, "")
          .split("/")
          .pop(),
      ),
      h(
        "p.muted",
        {},
        `${data.study} · ${data.created.replace("T", " ").replace("+00:00", " UTC")} · version ${data.version}`,
      ),
    ),
    h(
      "div.page",
      {},
      h("nav.contents", { "aria-label": "Sections" }, h("ul", {}, links)),
      h("main", {}, found),
    ),
    dialog,
  );
  watchCharts();
}

build();
