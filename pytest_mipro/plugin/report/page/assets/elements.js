/* Make elements and write numbers. Values become text nodes alone: markup in them is shown. */

const data = JSON.parse(document.getElementById("data").textContent);
const text = (number) => (number === undefined || number === null ? "" : data.texts[number]);

/* Return an element; `options` are attributes, and listeners by "on…"; children are nodes or texts. */
function h(tag, options, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(options ?? {})) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

const count = (value) => (value ?? 0).toLocaleString("en");
/* Rounds as the terminal does: what lies exactly between two figures becomes the even one. */
const fixed = (value, digits = 3) => {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  const between = (size * 2 ** (digits + 1)) % 2 === 1;
  const lower = Math.floor(size * 10 ** digits);
  const shown = between ? (lower + (lower % 2)) / 10 ** digits : size;
  return `${value < 0 ? "-" : ""}${shown.toFixed(digits)}`;
};
const signed = (value, digits = 3) => {
  if (value === null || value === undefined) return "";
  const size = fixed(Math.abs(value), digits);
  return Number(size) === 0 ? size : `${value < 0 ? "−" : "+"}${size}`;
};
const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
const money = (value) =>
  value === null || value === undefined
    ? "unknown"
    : value === 0
      ? "$0"
      : `$${value.toFixed(value < 1 ? 4 : 2)}`;
const prose = (words) => words.replaceAll(" %", "\u00a0%");
/* A prompt text is named by its file alone; a variant's name, behind the @, may hold dots. */
const short = (name) => {
  const [plain, ...variant] = name.replace(/ \(.*$/, "").split("@");
  const own = /\.(md|txt|ya?ml)$/.test(plain) ? plain : plain.split(".").pop();
  return [own, ...variant].join("@");
};
const direction = (value) => (value > 1e-9 ? "up" : value < -1e-9 ? "down" : "same");

function badge(words, kind) {
  return h(`span.badge.${kind}`, {}, words);
}

/* Return a section of the page; sections without content are left out. */
function section(id, title, lead, ...content) {
  const found = content.flat().filter(Boolean);
  if (!found.length) return null;
  return h(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title),
    lead ? h("p.lead", {}, lead) : null,
    found,
  );
}

/* Return a table; a column is [title, "number" or ""], a cell a text or a node. */
function table(caption, columns, rows) {
  const cell = (tag, value, kind, more) => h(kind ? `${tag}.${kind}` : tag, more, value ?? "");
  return h(
    "div.scroll",
    { tabindex: 0, role: "region", "aria-label": `Table: ${caption}` },
    h(
      "table",
      {},
      h("caption.hidden", {}, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map(([title, kind]) => cell("th", title, kind, { scope: "col" })),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            {},
            row.map((value, at) => cell("td", value, columns[at][1])),
          ),
        ),
      ),
    ),
  );
}

/* Return a bar from the middle for a value in -most…most, with the value as text. */
function effectBar(value, most) {
  if (value === null || value === undefined) return h("span.muted", {}, "not tried");
  const bar = h(`span.bar.${direction(value)}`, { "aria-hidden": "true" }, h("i"));
  bar.firstChild.style.setProperty("--share", `${Math.min(1, Math.abs(value) / (most || 1)) * 50}%`);
  return h("span.effect", {}, bar, h("span.figure", {}, signed(value)));
}

function shareBar(value, most) {
  const bar = h("span.share", { "aria-hidden": "true" }, h("i"));
  bar.firstChild.style.setProperty("--share", `${(value / (most || 1)) * 100}%`);
  return bar;
}

/* Return the words of both texts, those of one alone marked; the longest common subsequence. */
function difference(before, after) {
  const a = before.split(/(\s+)/),
    b = after.split(/(\s+)/);
  let start = 0,
    end = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end])
    end += 1;
  const x = a.slice(start, a.length - end),
    y = b.slice(start, b.length - end);
  const marked = [["same", a.slice(0, start).join("")]];
  if (x.length * y.length > 4e6) marked.push(["del", x.join("")], ["ins", y.join("")]);
  else marked.push(...middle(x, y));
  marked.push(["same", a.slice(a.length - end).join("")]);
  const nodes = [];
  for (const [kind, words] of joined(marked)) nodes.push(kind === "same" ? words : h(kind, {}, words));
  return nodes;
}

function middle(x, y) {
  const width = y.length + 1,
    lengths = new Uint16Array((x.length + 1) * width);
  for (let i = x.length - 1; i >= 0; i -= 1)
    for (let j = y.length - 1; j >= 0; j -= 1)
      lengths[i * width + j] =
        x[i] === y[j]
          ? lengths[(i + 1) * width + j + 1] + 1
          : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
  const marked = [];
  let i = 0,
    j = 0;
  while (i < x.length || j < y.length) {
    if (i < x.length && j < y.length && x[i] === y[j]) {
      marked.push(["same", x[i]]);
      i += 1;
      j += 1;
    } else if (
      j === y.length ||
      (i < x.length && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])
    ) {
      marked.push(["del", x[i]]);
      i += 1;
    } else {
      marked.push(["ins", y[j]]);
      j += 1;
    }
  }
  return marked;
}

/* Join neighbours of a kind; deletions come before the insertions of the same place. */
function joined(marked) {
  const found = [];
  let del = "",
    ins = "";
  const flush = () => {
    if (del) found.push(["del", del]);
    if (ins) found.push(["ins", ins]);
    del = ins = "";
  };
  for (const [kind, words] of marked) {
    if (kind === "del") del += words;
    else if (kind === "ins") ins += words;
    else if ((del || ins) && /^\s+$/.test(words) && del && ins) {
      del += words;
      ins += words;
    } else {
      flush();
      if (words) found.push(["same", words]);
    }
  }
  flush();
  return found;
}
