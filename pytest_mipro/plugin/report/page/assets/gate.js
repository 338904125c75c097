/* The summary of a plain gate: each test's verdict. */

const RULINGS = { passed: "good", failed: "bad", incomplete: "bad", partial: "some", each: "plain" };

function gateSummary() {
  const rows = data.summary.tests.map((test) => [
    h("code", {}, test.name),
    badge(test.status === "each" ? "each case by itself" : test.status, RULINGS[test.status]),
    test.mean === null ? "no score" : `${fixed(test.mean)} (${test.interval.map((each) => each.toFixed(2)).join(" to ")})`,
    test.lift ? h(`span.${direction(test.lift.mean)}`, {}, `${signed(test.lift.mean)} (${signed(test.lift.low, 2)} to ${signed(test.lift.high, 2)})`) : "",
    count(test.cases),
    test.reason,
  ]);
  const differences = data.summary.differences;
  return section(
    "summary", "Summary", null,
    table("Verdicts", [["test"], ["verdict"], ["mean score"], ["against the lock"], ["cases", "number"], ["why"]], rows),
    differences === null ? h("p.muted", {}, "There is no lock to compare with.")
      : differences.length ? h("div", {}, h("h3", {}, "Differs from the lock"), h("ul", {}, differences.map((each) => h("li", {}, each)))) : null,
  );
}
