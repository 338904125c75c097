/* The cases: a matrix to sort and filter, and one case in full. */

const AT_ONCE = 1000;
const KINDS = {
  all: ["all cases", () => true],
  worse: ["got worse", (each) => gain(each) < -1e-9],
  better: ["got better", (each) => gain(each) > 1e-9],
  missed: ["missed now", (each) => (each.now ?? each.before ?? 0) < 1 - 1e-9],
};
const natural = new Intl.Collator("en", { numeric: true }); // T-9 comes before T-10
const gain = (each) => (each.now === null || each.before === null ? null : each.now - each.before);
const shortId = (each) => (each.id.startsWith(`${each.test}[`) ? each.id.slice(each.test.length + 1, -1) : each.id);

function casesSection() {
  const cases = data.cases;
  if (!cases.length) return null;
  const state = { key: "gain", down: false, kind: "all", test: "", part: "", words: "", most: AT_ONCE };
  const made = new Map();
  const rowOf = (each) => made.get(each) ?? made.set(each, caseRow(each, () => openCase(each, shown))).get(each);
  const body = h("tbody"), told = h("output", { "aria-live": "polite" });
  const more = h("button.more", { type: "button", onclick: () => { state.most = Infinity; show(); } });
  let shown = [];
  const columns = caseColumns();
  const heads = columns.map(([key, title, kind, , hint]) => {
    const button = h("button", { type: "button", title: hint, onclick: () => sortBy(key) }, title);
    return h(kind ? `th.${kind}` : "th", { scope: "col", "data-key": key }, button);
  });
  function sortBy(key) {
    state.down = state.key === key ? !state.down : key !== "gain" && columns.find(([name]) => name === key)[2] === "score";
    state.key = key;
    show();
  }
  function show() {
    const wanted = state.words.toLowerCase();
    const value = columns.find(([key]) => key === state.key)[3];
    shown = cases.filter(
      (each) =>
        KINDS[state.kind][1](each) && (!state.test || each.test === state.test) && (!state.part || each.part === state.part) &&
        (!wanted || each.id.toLowerCase().includes(wanted)),
    );
    shown = sorted(shown, value, state.down);
    body.replaceChildren(...shown.slice(0, state.most).map(rowOf));
    told.textContent = `${count(shown.length)} of ${plural(cases.length, "case")}`;
    more.hidden = shown.length <= state.most;
    more.textContent = `Show all ${count(shown.length)}`;
    for (const head of heads)
      head.setAttribute("aria-sort", head.dataset.key === state.key ? (state.down ? "descending" : "ascending") : "none");
  }
  const set = (name) => (event) => { state[name] = event.target.value; show(); };
  show();
  return section(
    "cases",
    "Cases",
    caseWords(),
    h("div.filters", { role: "search", "aria-label": "Filter cases" },
      labelled("Show", select("kind", Object.entries(KINDS).map(([key, [words]]) => [key, `${words} (${count(cases.filter(KINDS[key][1]).length)})`]), set("kind"))),
      several("test").length > 1 ? labelled("Test", select("test", [["", "all"], ...several("test")], set("test"))) : null,
      several("part").length > 1 ? labelled(data.kind === "gate" ? "Group" : "Rows", select("part", [["", "all"], ...several("part")], set("part"))) : null,
      labelled("Find", h("input", { type: "search", name: "find", placeholder: "id of a case", oninput: set("words") })),
      told,
    ),
    h("div.scroll.matrix", { tabindex: 0, role: "region", "aria-label": "Cases and programs" },
      h("table", {}, h("caption.hidden", {}, "Scores of cases by program; a button in each head sorts"), h("thead", {}, h("tr", {}, heads)), body)),
    more,
    data.left_out ? h("p.muted", {}, `${plural(data.left_out, "case")} more, which changed for the better or not at all, are left out: the page would be too large.`) : null,
  );
}

function caseWords() {
  const leaders = data.leaders?.length
    ? ` Further columns are the best programs of the search, # and the number of their first trial; most ran on some of the validation rows, and · is a case that was not measured.`
    : "";
  return `What each case scored ${data.kind === "gate" ? "in the lock" : "under the committed prompts"} and now. Open a case to read what was said.${leaders}`;
}

const several = (name) => [...new Set(data.cases.map((each) => each[name]))].filter(Boolean).sort().map((each) => [each, each]);
const labelled = (words, field) => h("label", {}, h("span", {}, words), field);
const select = (name, choices, change) => h("select", { name, onchange: change }, choices.map(([value, words]) => h("option", { value }, words)));

/* A column: key, title, class, the value that sorts, and a hint. */
function caseColumns() {
  const tests = several("test").length > 1;
  return [
    ["id", "case", "id", shortId],
    ...(tests ? [["test", "test", "wide", (each) => each.test]] : []),
    ...(several("part").length ? [["part", data.kind === "gate" ? "group" : "rows", "wide", (each) => each.part]] : []),
    ["before", data.kind === "gate" ? "lock" : "before", "score", (each) => each.before],
    ["now", "now", "score", (each) => each.now],
    ["gain", "change", "number", gain],
    ...(data.leaders ?? []).map((number, at) => [
      `leader${at}`, `#${number}${chosenMark(number)}`, "score", (each) => each.leaders[at], `program ${number}`,
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
  const cells = caseColumns().slice(1).map(([key, , kind, value]) => {
    const found = value(each);
    if (kind === "score") return scoreCell(found);
    if (key === "gain") return h(`td.number.${direction(found ?? 0)}`, {}, found === null ? "" : found ? signed(found, 2) : "=");
    return h("td.wide", {}, found);
  });
  return h("tr", {}, h("th.id", { scope: "row" }, h("button.link", { type: "button", onclick: open }, shortId(each))), cells);
}

function scoreCell(score) {
  if (score === null || score === undefined) return h("td.score.none", { "aria-label": "not measured" }, "·");
  return h(`td.score.level${Math.round(score * 5)}`, {}, score === 0 || score === 1 ? String(score) : score.toFixed(2));
}

const dialog = h("dialog", { "aria-labelledby": "case-title", onclick: (event) => { if (event.target === dialog) dialog.close(); } });

/* Show a case; `list` are the cases before and after it. */
function openCase(each, list) {
  const at = list.indexOf(each);
  const go = (step) => { const next = list[at + step]; if (next) openCase(next, list); };
  const button = (words, step, name) => h("button", { type: "button", disabled: !list[at + step], onclick: () => go(step), "aria-label": name }, words);
  dialog.onkeydown = (event) => {
    if (event.target.closest?.("input, select, pre")) return;
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") go(event.key === "ArrowRight" ? 1 : -1);
  };
  const change = gain(each);
  const runs = each.runs ?? [];
  dialog.replaceChildren(
    h("header", {},
      h("div", {}, h("h2", { id: "case-title", tabindex: -1 }, shortId(each)),
        h("p.muted", {}, [each.test, each.row, each.part && (data.kind === "gate" ? each.part : `${each.part} rows`)].filter(Boolean).join(" · "))),
      h("p.change", {}, each.before === null ? "" : each.before.toFixed(2), " → ", each.now === null ? "not measured" : each.now.toFixed(2),
        change ? h(`span.${direction(change)}`, {}, ` ${signed(change, 2)}`) : null),
      h("nav", { "aria-label": "Case" }, button("←", -1, "Case before"), button("→", 1, "Next case"),
        h("button", { type: "button", onclick: () => dialog.close() }, "Close"))),
    h("div.runs", {}, runs.length ? runs.map((run, place) => runBlock(run, runTitle(place)))
      : h("p.muted", {}, "Its calls are left out: the page would be too large.")),
  );
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  dialog.querySelector("h2").focus();
}

function runTitle(place) {
  if (data.kind === "gate") return "Now";
  return place ? (data.summary.accepted ? "Now" : "Under the finalist") : "Before, under the committed prompts";
}

function runBlock(run, title) {
  const score = run.score === null ? "no score" : run.score.toFixed(2);
  return h("section.run", { "aria-label": title },
    h("h3", {}, title, " ", badge(score, run.score === null ? "plain" : run.score >= 1 - 1e-9 ? "good" : run.score <= 0 ? "bad" : "some")),
    run.samples ? h("p.muted", {}, `The worst of ${run.samples.length} samples: ${run.samples.map((each) => (each === null ? "none" : each.toFixed(2))).join(", ")}`) : null,
    run.metrics ? h("p.muted", {}, Object.entries(run.metrics).map(([name, value]) => `${name} ${value}`).join("; ")) : null,
    h("h4", {}, "Feedback"),
    run.feedback === undefined ? h("p.muted", {}, "none: it passed without a word") : h("pre.feedback", {}, text(run.feedback)),
    run.calls.length ? h("h4", {}, plural(run.calls.length, "call")) : null,
    run.calls.map(callBlock));
}

function callBlock(call) {
  const known = [call.model !== undefined ? text(call.model) : "", call.tokens ? `${count(call.tokens)} tokens` : "",
    call.cost ? money(call.cost) : "", call.requests ? `${call.requests} requests` : ""].filter(Boolean).join(" · ");
  const asked = call.asked === undefined ? [] : [...data.leads[call.lead], call.asked];
  return h("details.call", { open: true },
    h("summary", {}, h("code", {}, short(text(call.module))), h("span.muted", {}, known)),
    call.error === undefined ? null : h("pre.feedback", {}, text(call.error)),
    call.reasoning === undefined ? null : message("reasoning", text(call.reasoning)),
    call.reply === undefined ? null : message("reply", text(call.reply)),
    call.output === undefined ? null : message("output", text(call.output)),
    call.recorded === undefined ? null : call.recorded === call.reply ? h("p.muted", {}, "The recorded reply is the same.")
      : message("recorded reply", text(call.recorded)),
    asked.length ? h("details.quiet", {}, h("summary", {}, `${plural(asked.length, "message")} sent`),
      asked.map(([role, number]) => message(role, text(number)))) : null);
}
