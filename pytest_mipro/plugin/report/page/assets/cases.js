/* The cases: a matrix to sort and filter. */

const AT_ONCE = 1000;
const KINDS = {
  all: ["all cases", () => true],
  worse: ["got worse", (each) => gain(each) < -1e-9],
  better: ["got better", (each) => gain(each) > 1e-9],
  missed: ["missed", (each) => (each.now ?? (data.kind === "gate" ? 0 : each.before) ?? 0) < 1 - 1e-9],
};
const natural = new Intl.Collator("en", { numeric: true }); // T-9 comes before T-10
const again = data.cases.some((each) => each.now !== null); // or nothing better was found
const gain = (each) => (each.now === null || each.before === null ? null : each.now - each.before);
const shortId = (each) =>
  each.id.startsWith(`${each.test}[`) ? each.id.slice(each.test.length + 1, -1) : each.id;

function casesSection() {
  const cases = data.cases;
  if (!cases.length) return null;
  const state = {
    key: again ? "gain" : "before",
    down: false,
    kind: "all",
    test: "",
    part: "",
    words: "",
    most: AT_ONCE,
  };
  const made = new Map();
  const rowOf = (each) =>
    made.get(each) ??
    made
      .set(
        each,
        caseRow(each, () => openCase(each, shown)),
      )
      .get(each);
  const body = h("tbody"),
    told = h("output", { "aria-live": "polite" });
  const more = h("button.more", {
    type: "button",
    onclick: () => {
      state.most = Infinity;
      show();
    },
  });
  let shown = [];
  const columns = caseColumns();
  const heads = columns.map(([key, title, kind, , hint]) => {
    const button = h("button", { type: "button", title: hint, onclick: () => sortBy(key) }, title);
    return h(kind ? `th.${kind}` : "th", { scope: "col", "data-key": key }, button);
  });
  function sortBy(key) {
    state.down =
      state.key === key
        ? !state.down
        : key !== "gain" && columns.find(([name]) => name === key)[2] === "score";
    state.key = key;
    show();
  }
  function show() {
    const wanted = state.words.toLowerCase();
    const value = columns.find(([key]) => key === state.key)[3];
    shown = cases.filter(
      (each) =>
        KINDS[state.kind][1](each) &&
        (!state.test || each.test === state.test) &&
        (!state.part || each.part === state.part) &&
        (!wanted || each.id.toLowerCase().includes(wanted)),
    );
    shown = sorted(shown, value, state.down);
    body.replaceChildren(...shown.slice(0, state.most).map(rowOf));
    told.textContent = `${count(shown.length)} of ${plural(cases.length, "case")}`;
    more.hidden = shown.length <= state.most;
    more.textContent = `Show all ${count(shown.length)}`;
    for (const head of heads)
      head.setAttribute(
        "aria-sort",
        head.dataset.key === state.key ? (state.down ? "descending" : "ascending") : "none",
      );
  }
  const set = (name) => (event) => {
    state[name] = event.target.value;
    show();
  };
  show();
  return section(
    "cases",
    "Cases",
    caseWords(),
    h(
      "div.filters",
      { role: "search", "aria-label": "Filter cases" },
      labelled(
        "Show",
        select(
          "kind",
          Object.entries(KINDS)
            .filter(([key]) => again || !["worse", "better"].includes(key))
            .map(([key, [words]]) => [key, `${words} (${count(cases.filter(KINDS[key][1]).length)})`]),
          set("kind"),
        ),
      ),
      several("test").length > 1
        ? labelled("Test", select("test", [["", "all"], ...several("test")], set("test")))
        : null,
      several("part").length > 1
        ? labelled(
            data.kind === "gate" ? "Group" : "Rows",
            select("part", [["", "all"], ...several("part")], set("part")),
          )
        : null,
      labelled(
        "Find",
        h("input", { type: "search", name: "find", placeholder: "id of a case", oninput: set("words") }),
      ),
      told,
    ),
    h(
      "div.scroll.matrix",
      { tabindex: 0, role: "region", "aria-label": "Cases and programs" },
      h(
        "table",
        {},
        h("caption.hidden", {}, "Scores of cases by program; a button in each head sorts"),
        h("thead", {}, h("tr", {}, heads)),
        body,
      ),
    ),
    more,
    data.left_out
      ? h(
          "p.muted",
          {},
          `${plural(data.left_out, "case")} more, which changed for the better or not at all, are left out: the page would be too large.`,
        )
      : null,
  );
}

function caseWords() {
  const leaders = data.leaders?.length
    ? ` Further columns are the best programs of the search, # and the number of their first trial; most ran on some of the validation rows, and · is a case that was not measured.`
    : "";
  return `What each case scored ${data.kind === "gate" ? "in the lock" : "under the committed prompts"}${again ? " and now" : ""}. Open a case to read what was said.${leaders}`;
}

const several = (name) =>
  [...new Set(data.cases.map((each) => each[name]))]
    .filter(Boolean)
    .sort()
    .map((each) => [each, each]);
const labelled = (words, field) => h("label", {}, h("span", {}, words), field);
const select = (name, choices, change) =>
  h(
    "select",
    { name, onchange: change },
    choices.map(([value, words]) => h("option", { value }, words)),
  );

/* A column: key, title, class, the value that sorts, and a hint. */
function caseColumns() {
  const tests = several("test").length > 1;
  return [
    ["id", "case", "id", shortId],
    ...(tests ? [["test", "test", "wide", (each) => each.test]] : []),
    ...(several("part").length
      ? [["part", data.kind === "gate" ? "group" : "rows", "wide", (each) => each.part]]
      : []),
    ["before", data.kind === "gate" ? "lock" : "before", "score", (each) => each.before],
    ...(again
      ? [
          ["now", "now", "score", (each) => each.now],
          ["gain", "change", "number", gain],
        ]
      : []),
    ...(data.leaders ?? []).map((number, at) => [
      `leader${at}`,
      `#${number}${chosenMark(number)}`,
      "score",
      (each) => each.leaders[at],
      `program ${number}`,
    ]),
  ];
}

function sorted(cases, value, down) {
  const known = cases.map((each, at) => [value(each), at, each]);
  const turn = down ? -1 : 1;
  known.sort(([a, i], [b, j]) => {
    if (a === b) return i - j;
    if (a === null || a === undefined) return 1; // what was not measured comes last, either way
    if (b === null || b === undefined) return -1;
    return (typeof a === "string" ? natural.compare(a, b) : a - b) * turn;
  });
  return known.map(([, , each]) => each);
}

function caseRow(each, open) {
  const cells = caseColumns()
    .slice(1)
    .map(([key, , kind, value]) => {
      const found = value(each);
      if (kind === "score") return scoreCell(found);
      if (key === "gain")
        return h(
          `td.number.${direction(found ?? 0)}`,
          {},
          found === null ? "" : found ? signed(found, 2) : "=",
        );
      return h("td.wide", {}, found);
    });
  return h(
    "tr",
    {},
    h("th.id", { scope: "row" }, h("button.link", { type: "button", onclick: open }, shortId(each))),
    cells,
  );
}

function scoreCell(score) {
  if (score === null || score === undefined) return h("td.score.none", { "aria-label": "not measured" }, "·");
  return h(
    `td.score.level${Math.round(score * 5)}`,
    {},
    score === 0 || score === 1 ? String(score) : fixed(score, 2),
  );
}
