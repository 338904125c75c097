/* The candidates of each module, as differences from the committed prompt; what each brought. */

const WAYS = {
  random: "at random",
  failing: "rows that fail first",
  near: "rows like those that fail",
  cover: "each output in turn",
};
const PARTS = [
  ["instructions", "instruction"],
  ["demo_sets", "demo set"],
];

function effectOf(module, part) {
  const index = module.chosen[part];
  return index === undefined ? null : index === 0 ? 0 : (module[PARTS[part][0]][index]?.effect ?? null);
}

/* What each module brought: the effects of the finalist's choices beside equal partners. */
function broughtSection() {
  const modules = data.modules ?? [];
  const chosen = modules.some((module) => module.chosen.length);
  if (!chosen) return null;
  const values = modules.map((module) => [effectOf(module, 0), effectOf(module, 1)]);
  const most = Math.max(0.05, ...values.flat().map((value) => Math.abs(value ?? 0)));
  const rows = modules.flatMap((module, place) =>
    PARTS.map(([, word], part) => [
      part ? "" : h("strong", {}, short(module.name)),
      `${word}\u00a0${module.chosen[part]}${module.chosen[part] ? "" : " (as committed)"}`,
      effectBar(values[place][part], most),
    ]),
  );
  return section(
    "modules",
    "What each module brought",
    "The finalist is the program that was decided on. Each of its choices is compared with the others beside equal " +
      "partners (a main effect): its lift is an average over the programs that it was tried in, drawn towards 0 where " +
      "few rows show it. Choices that were always tried together share their lift; the sum need not be the lift of the whole.",
    table("What each module brought", [["module"], ["choice"], ["lift of the score"]], rows),
  );
}

function candidatesSection() {
  const modules = data.modules ?? [];
  return section(
    "candidates",
    "Candidates",
    "Each module's instructions and demo sets; 0 is the committed one, and ★ is the finalist's choice. Beside each: " +
      "how it was asked for or drawn, its best program's score, and its lift beside equal partners. What is marked " +
      "differs from the committed prompt.",
    modules.map((module, place) => moduleBlock(module, place)),
    modules.length ? programsBlock() : null,
  );
}

function moduleBlock(module, place) {
  const all = PARTS.flatMap(([name]) => module[name].map((each) => Math.abs(each.effect ?? 0)));
  const most = Math.max(0.02, ...all);
  const list = (part) =>
    module[PARTS[part][0]].map((_, index) => candidate(module, place, part, index, most));
  return h(
    "article",
    {},
    h(
      "h3",
      {},
      h("code", {}, module.name),
      " ",
      module.written ? badge("prompt changed", "good") : badge("prompt unchanged", "plain"),
      " ",
      h("small", {}, module.model),
    ),
    h("h4", {}, plural(module.instructions.length, "instruction")),
    list(0),
    h("h4", {}, plural(module.demo_sets.length, "demo set")),
    list(1),
  );
}

/* Return how the best program with a candidate scored. */
function standing(place, part, index) {
  const tried = data.programs.filter(
    (program) => program.assignment[2 * place + part] === index && program.estimate !== null,
  );
  if (!tried.length) return "";
  const best = tried.reduce((most, program) => (program.estimate > most.estimate ? program : most));
  return `in ${plural(tried.length, "program")}, the best ${fixed(best.estimate)} ${best.full ? "on all" : "by estimate from"} ${best.rows} rows`;
}

function candidate(module, place, part, index, most) {
  const each = module[PARTS[part][0]][index];
  const chosen = module.chosen[part] === index;
  const head = h(
    "summary",
    {},
    h("span.name", {}, `${chosen ? "★ " : ""}${PARTS[part][1]} ${index}`),
    h(
      "span.by",
      {},
      [index ? origin(part, each) : "committed", standing(place, part, index)].filter(Boolean).join("; "),
    ),
    index ? effectBar(each.effect, most) : h("span.effect.muted", {}, "the baseline"),
  );
  const details = h("details.candidate", { open: chosen && index > 0 }, head);
  const fill = () => {
    if (details.open && details.children.length === 1)
      details.append(part ? demoList(module, each) : instruction(module, each, index));
  };
  details.addEventListener("toggle", fill);
  fill();
  return details;
}

function origin(part, each) {
  if (part) return `${plural(each.demos.length, "demo")}${each.way ? `, drawn ${WAYS[each.way] ?? each.way}` : ""}`;
  if (!each.by) return "proposed in an earlier round";
  const { strategy, tip, model, round } = each.by;
  const models = new Set(
    data.modules.flatMap((module) => module.instructions.map(({ by }) => by?.model)).filter(Boolean),
  );
  return `${strategy}${tip === "none" ? "" : `, ${tip}`}; round ${round}${models.size > 1 ? `, by ${model}` : ""}, from ${each.origin ? `instruction ${each.origin}` : "the committed one"}`;
}

function instruction(module, each, index) {
  const words = index ? difference(text(module.instructions[0].text), text(each.text)) : text(each.text);
  const block = h("div", {}, h("pre.diff", {}, words));
  if (!each.by) return block;
  const plan = each.by;
  const shown = [
    ["model", plan.model],
    ["examples", plan.examples],
    ["dataset summary", plan.dataset ? "shown" : "not shown"],
    ["program summary", plan.program ? "shown" : "not shown"],
    ["temperature", plan.temperature],
  ];
  block.append(
    h(
      "details.quiet",
      {},
      h("summary", {}, "What the proposer saw and said"),
      h("p.muted", {}, shown.map(([name, value]) => `${name}: ${value}`).join("; ")),
      plan.saw.map(([role, number]) => message(role, text(number))),
      message("reply", text(plan.said)),
    ),
  );
  return block;
}

function demoList(module, each) {
  const before = new Set(module.demo_sets[0].demos),
    now = new Set(each.demos);
  const gone = module.demo_sets[0].demos.filter((demo) => !now.has(demo));
  const block = (demo, sign) => {
    const { case: name, inputs, output } = data.demos[demo];
    return h(
      sign === "−" ? "div.demo.gone" : sign === "+" ? "div.demo.added" : "div.demo",
      {},
      h("div.muted", {}, `${sign} ${name}`),
      h("pre", {}, text(inputs)),
      h("pre.answer", {}, text(output)),
    );
  };
  const found = [
    ...gone.map((demo) => block(demo, "−")),
    ...each.demos.map((demo) => block(demo, before.has(demo) ? "=" : "+")),
  ];
  return h("div.demos", {}, found.length ? found : h("p.muted", {}, "no demos"));
}

function message(role, words) {
  return h("div.message", {}, h("div.role", {}, role), h("pre", {}, words));
}

function programsBlock() {
  if (!data.programs.length) return null;
  const priced = data.programs.some((program) => program.cost);
  const rows = data.programs.map((program) => [
    h(
      "span",
      { title: program.committed ? "the committed prompts, on more rows" : null },
      `${program.number}${program.finalist ? " ★" : ""}`,
    ),
    program.dropped ? "dropped" : fixed(program.estimate),
    program.full ? `all ${program.rows}` : count(program.rows),
    count(Math.round(program.tokens)),
    ...(priced ? [money(program.cost)] : []),
    program.committed ? "committed prompts" : recipe(program.assignment),
  ]);
  return h(
    "article",
    {},
    h("h3", {}, "Programs"),
    h(
      "p.muted",
      {},
      "A program is one choice for each module, instruction/demo set by their numbers above. It is named by its first trial.",
    ),
    table(
      "Programs",
      [
        ["program", "number"],
        ["score", "number"],
        ["rows", "number"],
        ["tokens a case", "number"],
        ...(priced ? [["cost a case", "number"]] : []),
        ["made of"],
      ],
      rows,
    ),
  );
}

function recipe(assignment) {
  return data.modules
    .map((module, place) => `${short(module.name)} ${assignment[2 * place]}/${assignment[2 * place + 1]}`)
    .join(" · ");
}
