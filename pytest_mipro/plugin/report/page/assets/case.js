/* One case in full: what was asked and said, before and now, in a dialog. */

const dialog = h("dialog", {
  "aria-labelledby": "case-title",
  onclick: (event) => {
    if (event.target === dialog) dialog.close();
  },
});

/* Show a case; `list` are the cases before and after it. */
function openCase(each, list) {
  const at = list.indexOf(each);
  const go = (step) => {
    const next = list[at + step];
    if (next) openCase(next, list);
  };
  const button = (words, step, name) =>
    h(
      "button",
      { type: "button", disabled: !list[at + step], onclick: () => go(step), "aria-label": name },
      words,
    );
  dialog.onkeydown = (event) => {
    if (event.target.closest?.("input, select, pre")) return;
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") go(event.key === "ArrowRight" ? 1 : -1);
  };
  const change = gain(each);
  const runs = each.runs ?? [];
  dialog.replaceChildren(
    h(
      "header",
      {},
      h(
        "div",
        {},
        h("h2", { id: "case-title", tabindex: -1 }, shortId(each)),
        h(
          "p.muted",
          {},
          [each.test, each.row, each.part && (data.kind === "gate" ? each.part : `${each.part} rows`)]
            .filter(Boolean)
            .join(" · "),
        ),
      ),
      h(
        "p.change",
        {},
        fixed(each.before, 2),
        " → ",
        each.now === null ? "not measured" : fixed(each.now, 2),
        change ? h(`span.${direction(change)}`, {}, ` ${signed(change, 2)}`) : null,
      ),
      h(
        "nav",
        { "aria-label": "Case" },
        button("←", -1, "Case before"),
        button("→", 1, "Next case"),
        h("button", { type: "button", onclick: () => dialog.close() }, "Close"),
      ),
    ),
    h(
      "div.runs",
      {},
      runs.length
        ? runs.map((run, place) => runBlock(run, runTitle(place)))
        : h("p.muted", {}, "Its calls are left out: the page would be too large."),
    ),
  );
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  dialog.querySelector("h2").focus();
}

function runTitle(place) {
  if (data.kind === "gate") return "Now";
  return place
    ? data.summary.accepted
      ? "Now"
      : "Under the finalist"
    : "Before, under the committed prompts";
}

function runBlock(run, title) {
  const score = run.score === null ? "no score" : fixed(run.score, 2);
  return h(
    "section.run",
    { "aria-label": title },
    h(
      "h3",
      {},
      title,
      " ",
      badge(
        score,
        run.score === null ? "plain" : run.score >= 1 - 1e-9 ? "good" : run.score <= 0 ? "bad" : "some",
      ),
    ),
    run.samples
      ? h(
          "p.muted",
          {},
          `The worst of ${run.samples.length} samples: ${run.samples.map((each) => (each === null ? "none" : fixed(each, 2))).join(", ")}`,
        )
      : null,
    run.metrics
      ? h(
          "p.muted",
          {},
          Object.entries(run.metrics)
            .map(([name, value]) => `${name} ${value}`)
            .join("; "),
        )
      : null,
    h("h4", {}, "Feedback"),
    run.feedback === undefined
      ? h("p.muted", {}, "none: it passed without a word")
      : h("pre.feedback", {}, text(run.feedback)),
    run.calls.length ? h("h4", {}, counted(run.calls)) : null,
    run.calls.map((call) => (call.step ? stepBlock(call) : callBlock(call))),
  );
}

/* How many calls of modules there are, and of steps between them. */
function counted(calls) {
  const steps = calls.filter((call) => call.step).length;
  const parts = [];
  if (calls.length > steps) parts.push(plural(calls.length - steps, "call"));
  if (steps) parts.push(plural(steps, "step"));
  return parts.join(", ");
}

/* How long a call took; a cached one as it was when it was asked. */
function time(call) {
  return [call.seconds >= 0.005 ? `${call.seconds.toFixed(2)} s` : "", call.cached ? "cached" : ""];
}

function stepBlock(step) {
  const known = ["step", ...time(step)].filter(Boolean).join(" · ");
  return h(
    "details.call.step",
    { open: true },
    h("summary", {}, h("code", {}, text(step.module)), h("span.muted", {}, known)),
    step.error === undefined ? null : h("pre.feedback", {}, text(step.error)),
    message("inputs", text(step.inputs)),
    step.output === undefined ? null : message("output", text(step.output)),
  );
}

function callBlock(call) {
  const known = [
    call.model !== undefined ? text(call.model) : "",
    call.tokens ? `${count(call.tokens)} tokens` : "",
    call.cost ? money(call.cost) : "",
    call.requests ? `${call.requests} requests` : "",
    ...time(call),
  ]
    .filter(Boolean)
    .join(" · ");
  const asked = call.asked === undefined ? [] : [...data.leads[call.lead], call.asked];
  return h(
    "details.call",
    { open: true },
    h("summary", {}, h("code", {}, short(text(call.module))), h("span.muted", {}, known)),
    call.error === undefined ? null : h("pre.feedback", {}, text(call.error)),
    call.reasoning === undefined ? null : message("reasoning", text(call.reasoning)),
    call.reply === undefined ? null : message("reply", text(call.reply)),
    call.output === undefined ? null : message("output", text(call.output)),
    call.recorded === undefined
      ? null
      : call.recorded === call.reply
        ? h("p.muted", {}, "The recorded reply is the same.")
        : message("recorded reply", text(call.recorded)),
    asked.length
      ? h(
          "details.quiet",
          {},
          h("summary", {}, `${plural(asked.length, "message")} sent`),
          asked.map(([role, number]) => message(role, text(number))),
        )
      : null,
  );
}
