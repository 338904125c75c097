/* The summary of a plain gate: each test's verdict. */

const RULINGS = { passed: "good", failed: "bad", incomplete: "bad", partial: "some", each: "plain" };

function gateSummary() {
  const rows = data.summary.tests.map((test) => [
    h("code", {}, test.name),
    badge(test.status === "each" ? "each case by itself" : test.status, RULINGS[test.status]),
    test.mean === null
      ? "no score"
      : `${fixed(test.mean)} (${test.interval.map((each) => fixed(each, 2)).join(" to ")})`,
    test.lift
      ? h(
          `span.${direction(test.lift.mean)}`,
          {},
          `${signed(test.lift.mean)} (${signed(test.lift.low, 2)} to ${signed(test.lift.high, 2)})`,
        )
      : "",
    count(test.cases),
    test.reason,
  ]);
  const differences = data.summary.differences;
  return section(
    "summary",
    "Summary",
    null,
    table(
      "Verdicts",
      [["test"], ["verdict"], ["mean score"], ["against the lock"], ["cases", "number"], ["why"]],
      rows,
    ),
    differences === null
      ? h("p.muted", {}, "There is no lock to compare with.")
      : differences.length
        ? h(
            "div",
            {},
            h("h3", {}, "Differs from the lock"),
            h(
              "ul",
              {},
              differences.map((each) => h("li", {}, each)),
            ),
          )
        : null,
  );
}

/* The scores of the lock over its commits, and those of this run. */
function historySection() {
  const history = data.history ?? [];
  if (!history.length) return null;
  const known = data.summary.tests.filter((test) => test.mean !== null);
  const now = known.length ? known.reduce((sum, test) => sum + test.mean, 0) / known.length : null;
  const points = [
    ...history,
    ...(now === null ? [] : [{ commit: "now", day: "this run", subject: "", score: now }]),
  ];
  const chart = h("div.chart");
  const none = points.map(() => null),
    scores = points.map((each) => each.score);
  draw(chart, {
    values: [points.map((each, at) => at), scores, scores, none, none],
    label: `Score by commit of the lock: from ${fixed(scores[0])} to ${fixed(scores[scores.length - 1])}.`,
    read: (at) => [points[at].day, points[at].commit, fixed(points[at].score), points[at].subject].join("  "),
    name: (tick) => points[tick]?.day ?? "",
  });
  const rows = [...points]
    .reverse()
    .map((each) => [each.day, h("code", {}, each.commit), fixed(each.score), each.subject]);
  return section(
    "history",
    "Trend",
    "The mean score in each commit of the lock, and now.",
    h("figure", {}, chart),
    h(
      "details",
      {},
      h("summary", {}, "All commits as a table"),
      table("Scores by commit", [["day"], ["commit"], ["score", "number"], ["subject"]], rows),
    ),
  );
}
