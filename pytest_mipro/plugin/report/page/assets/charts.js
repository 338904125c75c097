/* Two charts of a search, by uPlot. Their figures stand in a table, too. */

const charts = [];
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function searchSection() {
  const trials = data.trials ?? [];
  if (!trials.length) return null;
  const scored = trials.filter((trial) => trial.estimate !== null);
  const base = data.summary.base;
  const axes = [
    ["calls", "LM calls"],
    ["tokens", "tokens"],
  ];
  if (trials.some((trial) => trial.cost)) axes.push(["cost", "US dollars"]);
  const spent = h("div.chart");
  const pick = h(
    "select",
    { "aria-label": "What the score is drawn against", onchange: () => drawSpent(pick.value) },
    axes.map(([value, words]) => h("option", { value }, words)),
  );
  const drawSpent = (unit) => drawTrials(spent, trials, base, (trial) => trial[unit] ?? 0, unit);
  const by = h("div.chart");
  drawTrials(by, trials, base, (trial) => trial.number, "trial");
  drawSpent("calls");
  const best = scored.reduce((most, trial) => Math.max(most, trial.best), base);
  return section(
    "search",
    "Search",
    `${plural(trials.length, "trial")} of ${plural(data.summary.programs, "program")}; the highest estimate is ` +
      `${fixed(best)}, the committed prompts scored ${fixed(base)} on all validation rows.`,
    h(
      "div.key",
      { "aria-hidden": "true" },
      [
        ["best", "believed best so far"],
        ["full", "on all validation rows"],
        ["part", "estimate from some rows"],
        ["base", "committed prompts"],
      ].map(([kind, words]) => h("span", {}, h(`i.${kind}`), words)),
    ),
    h(
      "div.charts",
      {},
      h("figure", {}, h("figcaption", {}, "Score by trial"), by),
      h("figure", {}, h("figcaption", {}, "Score against ", pick), spent),
    ),
    h("details", {}, h("summary", {}, "All trials as a table"), trialTable(trials)),
  );
}

function trialTable(trials) {
  const rows = trials.map((trial) => [
    count(trial.number),
    count(trial.round),
    `${trial.program}${chosenMark(trial.program)}`,
    trial.dropped ? "dropped" : fixed(trial.estimate),
    trial.full ? `all ${trial.rows}` : count(trial.rows),
    fixed(trial.best),
    count(trial.calls),
    trial.tokens === null ? "unknown" : count(trial.tokens),
    money(trial.cost),
  ]);
  const number = (title) => [title, "number"];
  return table(
    "Trials",
    [
      "trial",
      "round",
      "program",
      "score",
      "rows",
      "best so far",
      "calls so far",
      "tokens so far",
      "cost so far",
    ].map(number),
    rows,
  );
}

const chosenMark = (number) =>
  data.programs.some((program) => program.number === number && program.finalist) ? " ★" : "";

/* Draw the trials against `at`. */
function drawTrials(place, trials, base, at, unit) {
  const order = trials.map((trial, index) => [at(trial), index]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const drawn = order.map(([, index]) => trials[index]);
  draw(place, {
    values: [
      drawn.map(at),
      drawn.map((trial) => trial.best),
      drawn.map((trial) => (trial.full ? trial.estimate : null)),
      drawn.map((trial) => (trial.full ? null : trial.estimate)),
      drawn.map(() => base),
    ],
    label: `Score by ${unit}: from ${fixed(base)} to ${fixed(drawn[drawn.length - 1].best)}.`,
    name: (tick) => axisLabel(tick, unit),
    read: (index) => {
      const trial = drawn[index];
      const rows = trial.full ? `on all ${trial.rows} rows` : `by estimate from ${trial.rows} rows`;
      const score = trial.dropped ? "dropped" : `${fixed(trial.estimate)} ${rows}`;
      return `Trial ${trial.number}: ${score}; best ${fixed(trial.best)}; ${count(trial.calls)} calls so far`;
    },
  });
}

/* Draw values: x, a line, full and hollow points, a dashed line. Arrow keys `read` point by point. */
function draw(place, { values, label, read, name }) {
  const told = h(
    "output.told",
    { "aria-live": "polite" },
    "Point at the chart, or use the arrow keys, to read it.",
  );
  const area = h("div.area", { tabindex: 0, role: "img", "aria-label": `${label} Arrow keys read it.` });
  place.replaceChildren(area, told);
  const known = charts.find((chart) => chart.place === place) ?? charts[charts.push({ place }) - 1];
  let index = -1;
  const say = (at) => {
    if (at === null || values[0][at] === undefined) return;
    index = at;
    told.textContent = read(at);
  };
  known.make = () => {
    known.plot?.destroy();
    known.plot = new uPlot(options(area.clientWidth || 480, name, say), values, area);
  };
  area.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    say(Math.max(0, Math.min(values[0].length - 1, index + step)));
    known.plot.setCursor({ left: known.plot.valToPos(values[0][index], "x"), top: 0 });
  });
  if (area.isConnected) known.make();
}

function options(width, name, say) {
  const ink = colour("--muted"),
    line = colour("--line");
  const font = "12px system-ui, sans-serif";
  const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const dots = (fill, stroke, size) => ({ show: true, size, fill, stroke, width: 1.5 });
  const none = () => null;
  return {
    width,
    height: Math.round(Math.max(200, Math.min(280, width * 0.55))),
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    hooks: {
      setCursor: [
        (plot) => {
          if (plot.cursor.event) say(plot.cursor.idx);
        },
      ],
    },
    scales: {
      x: {
        time: false,
        range: (plot, low, high) => [low - (high - low || 1) * 0.03, high + (high - low || 1) * 0.03],
      },
      y: { range: (plot, low, high) => [Math.max(0, low - 0.05), Math.min(1.02, high + 0.05)] },
    },
    axes: [
      { ...axis, grid: { show: false }, space: 70, values: (plot, ticks) => ticks.map(name) },
      { ...axis, size: 44, values: (plot, ticks) => ticks.map((tick) => tick.toFixed(2)) },
    ],
    series: [
      {},
      {
        stroke: colour("--accent"),
        width: 2.5,
        paths: uPlot.paths.stepped({ align: 1 }),
        points: { show: false },
      },
      { stroke: colour("--accent"), paths: none, points: dots(colour("--accent"), colour("--page"), 10) },
      { stroke: ink, paths: none, points: dots(colour("--page"), ink, 7) },
      { stroke: ink, width: 1.5, dash: [5, 5], points: { show: false } },
    ],
  };
}

function axisLabel(tick, unit) {
  if (unit === "cost") return money(tick);
  if (unit === "trial") return Number.isInteger(tick) ? String(tick) : "";
  return tick.toLocaleString("en", { notation: "compact" });
}

/* Charts are drawn on canvas: anew where width or colours change, and in light colours for print. */
function watchCharts() {
  const redraw = () => charts.forEach((chart) => chart.make());
  redraw();
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) {
      width = innerWidth;
      redraw();
    }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const paper = (on) => () => {
    document.documentElement.toggleAttribute("data-paper", on);
    redraw();
  };
  addEventListener("beforeprint", paper(true));
  addEventListener("afterprint", paper(false));
}
