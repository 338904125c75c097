/* The summary of an optimisation: scores, lift, decision. */

const VERDICTS = {
  accept: ["better", "good"],
  unconfirmed: ["better, not independently confirmed", "good"],
  likely: ["likely better", "some"],
  undecided: ["undecided: too few rows", "some"],
  reject: ["not better", "bad"],
  "": ["nothing better found", "some"],
};

function optimizationSummary() {
  const known = data.summary;
  const [words, kind] = VERDICTS[known.verdict];
  const before = known.deciding_before ?? known.before,
    after = known.deciding_after;
  const written = known.accepted
    ? known.changed.length
      ? `${plural(known.changed.length, "prompt")} changed`
      : "no prompt changed"
    : "the committed prompts stay";
  const facts = [
    [
      "decided on",
      after ? `${count(before.rows)} ${known.decided_on} rows, ${count(before.cases)} cases` : "no finalist",
    ],
    [
      "rows",
      `${known.rows.train} training, ${known.rows.validation} validation, ${known.rows.holdout} holdout`,
    ],
    ["search", `${plural(known.trials, "trial")} of ${plural(known.programs, "program")}`],
    [
      "calls",
      `${count(known.calls)} different requests in ${count(known.asked)}; ${known.live === known.calls ? "all sent to the model" : `${count(known.live)} sent to the model, the others cached`}`,
    ],
    ["billed", known.billed === null ? "the model's price is unknown" : money(known.billed)],
    [known.models.length > 1 ? "models" : "model", known.models.join(", ")],
  ];
  return section(
    "summary",
    "Summary",
    null,
    h(
      "div.verdict",
      {},
      h(
        "div",
        {},
        h(
          "p.mean",
          {},
          fixed(before.objective),
          after ? [h("span", {}, " → "), fixed(after.objective)] : null,
        ),
        h(
          "p.muted",
          {},
          after
            ? `mean score on ${known.decided_on} rows${known.decided_on === "holdout" ? ", unseen by the search" : ""}`
            : "mean score under the committed prompts",
        ),
      ),
      known.lift
        ? h(
            "div",
            {},
            h(
              "p.lift",
              {},
              signed(known.lift.mean),
              h("small", {}, ` ${signed(known.lift.low, 2)} to ${signed(known.lift.high, 2)}`),
            ),
            intervalPicture(known.lift),
            h("p.muted", {}, "lift, with its 95 % interval"),
          )
        : null,
      h("div", {}, h("p", {}, badge(words, kind)), h("p", {}, written)),
    ),
    h("p.reason", {}, prose([known.reason, known.demand, known.ended].filter(Boolean).join(". "))),
    h(
      "dl",
      {},
      facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    ),
    testTable(known),
  );
}

/* A line from low to high with the mean on it, beside 0. */
function intervalPicture({ mean, low, high }) {
  const least = Math.min(0, low),
    most = Math.max(0, high),
    room = (most - least || 1) * 0.08;
  const x = (value) => ((value - least + room) / (most - least + 2 * room)) * 200;
  const draw = (tag, values) => {
    const shape = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(values)) shape.setAttribute(name, value);
    return shape;
  };
  const picture = draw("svg", {
    viewBox: "0 0 200 24",
    width: 200,
    height: 24,
    "aria-hidden": "true",
    class: `interval ${direction(low > 0 ? 1 : high < 0 ? -1 : 0)}`,
  });
  picture.append(
    draw("line", { x1: x(0), x2: x(0), y1: 2, y2: 22, class: "zero" }),
    draw("line", { x1: x(low), x2: x(high), y1: 12, y2: 12, class: "range" }),
    draw("circle", { cx: x(mean), cy: 12, r: 5, class: "middle" }),
  );
  return picture;
}

function testTable(known) {
  const range = (measured) =>
    measured
      ? `${fixed(measured.objective)} (${measured.interval.map((each) => fixed(each, 2)).join(" to ")})`
      : "";
  const change = (before, after) =>
    after === undefined || after === null
      ? ""
      : h(`span.${direction(after - before)}`, {}, signed(after - before));
  const rows = [
    [
      "all tests",
      range(known.before),
      range(known.after),
      change(known.before.objective, known.after?.objective),
    ],
  ];
  for (const [test, mean] of Object.entries(known.before.tests))
    rows.push([
      h("code", {}, test),
      fixed(mean),
      fixed(known.after?.tests[test]),
      change(mean, known.after?.tests[test]),
    ]);
  return known.after
    ? table(
        "Mean scores on all rows",
        [["mean score on all rows"], ["before", "number"], ["after", "number"], ["change", "number"]],
        rows,
      )
    : null;
}
