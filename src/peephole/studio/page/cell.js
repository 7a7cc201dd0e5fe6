// One cell of a layer: where it stands in its map, the sum that it is, and the cells that it comes from.
import { h, replace, say } from "./html.js";
import { colour, ink, limitOf, paint } from "./paint.js";
import { work } from "./rule.js";
import { indexOf, mapOf, mapsOf } from "./see.js";
import { count, has, number, t } from "./words.js";

const GRID = 16; // a map up to this side is a grid of numbers, a larger one a picture with a cursor
const CHANNELS = 3; // channels of a patch that are written out; the others are rows of a table
const ROWS = 12;
const CLOSES = 1e-5;

// Return as few decimals as make the sum of the shown numbers close; where none do, the most, and the residue is shown.
export function places(terms, bias, total) {
  const size = terms.reduce((sum, term) => sum + Math.abs(term.product), 0) + Math.abs(bias ?? 0);
  for (let digits = 2; digits < 9; digits++) {
    const round = (value) => Number(value.toFixed(digits));
    const again = terms.reduce((sum, term) => sum + (term.weight === undefined ? round(term.product) : round(term.value) * round(term.weight)), 0) + round(bias ?? 0);
    if (Math.abs(round(total) - again) <= CLOSES * size) return digits;
  }
  return 8;
}

const where = (layer, index) => (layer.shape.length === 1 ? t("cell.at.unit", { unit: index[0] })
  : layer.shape.length === 3 ? t("cell.at.map", placeOf(layer, index)) : `(${index.join(", ")})`);

function placeOf(layer, index) {
  const maps = mapsOf(layer);
  const [which, row, column] = maps.last ? [index[2], index[0], index[1]] : index;
  return { map: which, row, column };
}

export async function showCell(place, found) {
  const { view, trace, layer, which, row, column, value } = found;
  const index = indexOf(layer, which, row, column);
  const focused = place.contains(document.activeElement) && document.activeElement.closest("[data-cells]");
  const turn = (place.turn = (place.turn ?? 0) + 1);
  const sum = await work(trace, layer, index).catch((error) => view.page.fail(error));
  if (turn !== place.turn) return;
  const maps = mapsOf(layer);
  const spoken = sentence(layer, index, value, sum);
  const crumbs = h("p.crumbs", {}, h("button", { type: "button", onclick: () => view.choose(layer.id) }, layer.id), "›", h("b", where(layer, index)), h("span.n", {}, "= ", h("b", { data: { value } }, number(value, 4))), found.match !== null && h("span.n", t("cell.match", { match: number(found.match, 3) })));
  const map = maps.row ? null : maps.height <= GRID && maps.width <= GRID ? grid(found) : picture(found);
  const open = new Set([...place.querySelectorAll("details[open]")].map((each) => each.dataset.name));
  replace(place, h("h2", t("cell.title")), crumbs, h("div.unit", {}, map ?? h("div"), h("div", {}, arithmetic(found, sum, index, value), closing(sum), h("p.quiet", { id: "sentence" }, spoken))));
  for (const each of place.querySelectorAll("details")) if (open.has(each.dataset.name)) each.open = true;
  place.dataset.cell = `${layer.id} ${index.join(",")}`;
  if (focused) (place.querySelector('[data-cells] [tabindex="0"]') ?? place.querySelector("canvas.big"))?.focus({ preventScroll: true });
  say(spoken);
}

function keys(event, row, column, maps, go) {
  const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -column], End: [0, maps.width - 1 - column] };
  const by = moves[event.key];
  if (!by) return;
  event.preventDefault();
  const at = [row + by[0], column + by[1]].map((one, axis) => Math.max(0, Math.min((axis ? maps.width : maps.height) - 1, one)));
  go(at[0], at[1]);
}

function grid({ view, layer, values, limit, which, row, column }) {
  const maps = mapsOf(layer);
  const map = mapOf(layer, values, which);
  const go = (to, across) => view.chooseCell(layer, which, to, across, { keep: true });
  const rows = Array.from({ length: maps.height }, (_, y) => h("tr", { role: "row" }, Array.from({ length: maps.width }, (_, x) => {
    const value = map[y * maps.width + x];
    const here = y === row && x === column;
    const cell = h("td", { role: "gridcell", tabindex: here ? 0 : -1, "aria-selected": String(here), onclick: () => go(y, x), onpointermove: (event) => event.pointerType === "mouse" && !here && go(y, x) }, number(value, 2));
    Object.assign(cell.style, { background: colour(value, limit), color: ink(value, limit) });
    return cell;
  })));
  return h("div.scroll", { data: { cells: "" } }, h("table.cells", { role: "grid", "aria-label": t("see.map", { which, name: layer.id }), onkeydown: (event) => keys(event, row, column, maps, go) }, h("tbody", rows)));
}

function picture({ view, layer, values, limit, which, row, column }) {
  const maps = mapsOf(layer);
  const go = (to, across) => view.chooseCell(layer, which, to, across, { keep: true });
  const canvas = h("canvas.big", { tabindex: 0, role: "img", "aria-label": `${t("see.map", { which, name: layer.id })}. ${t("cell.keys")}` });
  const small = h("canvas");
  paint(small, mapOf(layer, values, which), 0, maps.height, maps.width, limit);
  const grow = Math.max(1, Math.floor(320 / Math.max(maps.height, maps.width)));
  Object.assign(canvas, { width: maps.width * grow, height: maps.height * grow });
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  context.lineWidth = 2;
  context.strokeStyle = "#16191d";
  context.strokeRect(column * grow - 2, row * grow - 2, grow + 4, grow + 4);
  context.strokeStyle = "#ffd84d";
  context.strokeRect(column * grow, row * grow, grow, grow);
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [Math.floor(((event.clientY - box.top) / box.height) * maps.height), Math.floor(((event.clientX - box.left) / box.width) * maps.width)]
      .map((one, axis) => Math.max(0, Math.min((axis ? maps.width : maps.height) - 1, one)));
  };
  canvas.addEventListener("pointermove", (event) => {
    const [y, x] = at(event);
    if (event.pointerType === "mouse" && (y !== row || x !== column)) go(y, x);
  });
  canvas.addEventListener("pointerdown", (event) => go(...at(event)));
  canvas.addEventListener("keydown", (event) => keys(event, row, column, maps, go));
  return h("div", { data: { cells: "" } }, canvas);
}

// A small grid of numbers with colours; `cell(at)` may add attributes.
function numbers(values, width, limit, digits, caption, cell = () => ({})) {
  const rows = [];
  for (let at = 0; at < values.length; at += width) {
    rows.push(h("tr", Array.from(values.slice(at, at + width), (value, x) => {
      const { kind = "", ...more } = cell(at + x);
      const made = h("td", { ...more, class: kind }, Number.isNaN(value) ? "" : number(value, digits));
      if (!Number.isNaN(value)) Object.assign(made.style, { background: colour(value, limit), color: ink(value, limit) });
      return made;
    })));
  }
  return h("figure", {}, h("table.cells", {}, h("tbody", rows)), h("figcaption", caption));
}

function arithmetic(found, sum, index, value) {
  if (!sum) return h("p", { role: "note" }, t(found.layer.op === "Input" ? "cell.input" : "cell.unknown", { op: found.layer.op }));
  const show = { conv2d: convolution, pool: pooling, matmul: vote, sum: adding, elementwise: single, concat: passed, move: passed, softmax: shares, reduce: reducing }[sum.rule];
  return show(found, sum, index, value);
}

function closing(sum) {
  if (!sum) return null;
  return h("p.total", { data: { closes: String(sum.closes) } }, sum.closes ? h("span.closes", t("cell.closes")) : h("b", t("cell.open", { residue: sum.residue.toExponential(2) })),
    " ", h("span.quiet", t("cell.residue", { residue: sum.residue === 0 ? "0" : sum.residue.toExponential(1).replace("-", "−").replace("e", " · 10^") })));
}

// A button that goes to the cell that a value comes from.
function back({ view, trace }, source, at, words) {
  if (!source || !at) return words;
  const layer = trace.layer(source);
  const maps = mapsOf(layer);
  const go = () => {
    if (layer.shape.length === 1) view.chooseCell(layer, 0, 0, at[0]);
    else if (layer.shape.length === 2) view.chooseCell(layer, 0, at[0], at[1]);
    else view.chooseCell(layer, ...(maps.last ? [at[2], at[0], at[1]] : at));
  };
  return h("button", { type: "button", onclick: go, title: t("cell.back", { layer: source }) }, words);
}

function convolution(found, sum, index) {
  const { view, trace, layer } = found;
  const [tall, wide] = sum.kernel;
  const size = tall * wide;
  const digits = places(sum.terms, sum.bias, sum.value);
  const channels = [];
  for (let at = 0; at < sum.channels; at++) {
    const terms = sum.terms.slice(at * size, (at + 1) * size);
    channels.push({ at, terms, total: terms.reduce((one, term) => one + term.product, 0) });
  }
  const order = channels.length > CHANNELS ? [...channels].sort((one, other) => Math.abs(other.total) - Math.abs(one.total)) : channels;
  const limits = [limitOf(sum.terms.map((term) => term.value)), limitOf(sum.terms.map((term) => term.weight)), limitOf(sum.terms.map((term) => term.product))];
  const shape = trace.constants.get(sum.weight).shape;
  const first = order.slice(0, CHANNELS).map(({ terms, total }) => h("div.sums", { data: { channel: terms[0].channel } },
    numbers(terms.map((term) => term.value), wide, limits[0], digits, t("cell.patch", { source: sum.source, map: terms[0].channel }), (at) => ({ kind: terms[at].inside ? "" : "pad" })),
    h("span.sign", "×"),
    numbers(terms.map((term) => term.weight), wide, limits[1], digits, t("cell.kernel"), (at) => editable(view, layer, sum.weight, unravel(shape, terms[at].flat), terms[at].weight)),
    h("span.sign", "="),
    numbers(terms.map((term) => term.product), wide, limits[2], digits, t("cell.products")),
    h("span.n", { data: { part: "products" } }, `Σ = ${number(total, digits)}`)));
  const rest = order.slice(CHANNELS);
  const others = rest.reduce((one, channel) => one + channel.total, 0);
  const table = rest.length ? h("details", { data: { name: "channels" } }, h("summary", t("cell.others", { count: rest.length, total: number(others, digits) })),
    h("div.scroll", { tabindex: 0, role: "region", "aria-label": t("cell.channels") }, h("table", {}, h("tbody", rest.map(({ terms, total }) => h("tr", h("th", { scope: "row" }, `${sum.source} ${terms[0].channel}`), h("td.n", number(total, digits)))))))) : null;
  const padded = sum.terms.some((term) => !term.inside);
  const terms = [...order.slice(0, CHANNELS).map((channel) => channel.total), ...(rest.length ? [others] : [])];
  return [h("p", {}, t("cell.conv", { count: sum.terms.length }), padded ? ` ${t("cell.padding")}` : ""), first, table,
    h("p.total", { id: "total" }, `${terms.map((one) => signed(one, digits)).join(" + ")} + ${signed(sum.bias, digits)} (${t("cell.bias")}) = `, h("b", number(sum.value, digits)))];
}

export const signed = (value, digits) => (value < 0 ? `(${number(value, digits)})` : number(value, digits));

function unravel(shape, at) {
  const found = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    found.unshift(at % shape[axis]);
    at = Math.floor(at / shape[axis]);
  }
  return found;
}

// Attributes of a kernel's cell that can be changed by a click, or Enter.
function editable(view, layer, tensor, index, value) {
  const open = (event) => {
    const cell = event.currentTarget;
    if (cell.querySelector("input")) return;
    const field = h("input", { type: "number", step: "any", value: Number(value.toPrecision(7)), "aria-label": t("cell.edit", { index: index.join(", ") }) });
    field.style.width = "5.5rem";
    // A button may hold no field: while it does, it is none.
    const kept = ["role", "tabindex", "aria-label"].map((name) => [name, cell.getAttribute(name)]);
    for (const [name] of kept) cell.removeAttribute(name);
    const done = (keep, back = false) => {
      if (field.done) return;
      field.done = true;
      const wanted = Number(field.value);
      if (keep && field.value !== "" && Number.isFinite(wanted) && Math.fround(wanted) !== value) view.edit(tensor, index, wanted);
      else cell.replaceChildren(number(value, 2));
      for (const [name, held] of kept) cell.setAttribute(name, held);
      if (back) cell.focus();
    };
    field.addEventListener("keydown", (pressed) => {
      pressed.stopPropagation();
      if (pressed.key === "Enter" || pressed.key === "Escape") done(pressed.key === "Enter", true);
    });
    field.addEventListener("blur", () => done(true));
    cell.replaceChildren(field);
    field.select();
  };
  return { tabindex: 0, role: "button", title: t("cell.edit.how"), "aria-label": `${number(value, 4)}; ${t("cell.edit.how")}`, data: { weight: `${tensor}@${index.join(".")}` }, onclick: open,
    onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(event); } } };
}

function pooling(found, sum) {
  const digits = sum.how === "max" ? 4 : places(sum.terms.filter((term) => term.inside), 0, sum.value);
  const limit = limitOf(sum.terms.map((term) => term.value));
  const [, wide] = sum.kernel;
  const winner = sum.terms.find((term) => term.wins);
  const partial = sum.terms.some((term) => !term.inside);
  const shown = sum.terms.length <= 400 ? numbers(sum.terms.map((term) => term.value), wide, limit, Math.min(digits, 4), t("cell.window", { source: sum.source }), (at) => ({ kind: sum.terms[at].wins ? "win" : "" })) : null;
  return [h("p", {}, t(sum.how === "max" ? "cell.max" : "cell.average", { count: sum.how === "max" ? sum.terms.filter((term) => term.inside).length : sum.counted }), partial ? ` ${t("cell.partial")}` : ""), h("div.sums", shown),
    h("p.total", { id: "total" }, winner ? back(found, sum.source, winner.at, t("cell.winner", { row: winner.row, column: winner.column })) : "", ` = `, h("b", number(sum.value, 4)))];
}

function vote(found, sum, index) {
  const { trace, view, layer } = found;
  const digits = places(sum.terms, sum.bias, sum.value);
  const order = sum.terms.map((term, at) => ({ ...term, unit: at })).sort((one, other) => Math.abs(other.product) - Math.abs(one.product));
  const first = order.slice(0, ROWS);
  const rest = order.slice(ROWS).reduce((one, term) => one + term.product, 0);
  const shape = trace.constants.get(sum.weight)?.shape;
  const heads = ["cell.unit", "cell.activation", "cell.weight", "cell.product"].map((key) => h("th", { scope: "col" }, t(key)));
  const rows = first.map((term) => {
    const weight = h("td.n", sum.weight ? editable(view, layer, sum.weight, unravel(shape, term.flat), term.weight) : {}, number(term.weight, digits));
    return h("tr", h("th", { scope: "row" }, back(found, sum.source, term.at, String(term.unit))), h("td.n", number(term.value, digits)), weight, h("td.n", number(term.product, digits)));
  });
  const ends = [[t("cell.rest", { count: order.length - first.length }), rest, order.length > ROWS], [t("cell.bias"), sum.bias, true], [t("cell.sum"), sum.value, true]]
    .filter((each) => each[2]).map(([words, value]) => h("tr", h("th", { scope: "row", colspan: 3 }, words), h("td.n", h("b", number(value, digits)))));
  const label = layer.id === trace.output.layer ? trace.output.labels[index.at(-1)] : null;
  return [h("p", label === null ? t("cell.dense", { count: sum.terms.length }) : t("cell.vote", { count: sum.terms.length, label })),
    h("div.scroll", { tabindex: 0, role: "region", "aria-label": t("cell.terms") }, h("table", {}, h("thead", h("tr", heads)), h("tbody", rows), h("tfoot", ends)))];
}

function adding(found, sum) {
  const digits = places(sum.terms, 0, sum.value);
  const parts = sum.terms.flatMap((term, at) => [at ? " + " : "", back(found, term.layer, term.at, `${signed(term.product, digits)} (${term.layer ?? term.tensor})`)]);
  return [h("p", t("cell.adding", { count: sum.terms.length })), h("p.total.row", { id: "total" }, parts, " = ", h("b", number(sum.value, digits)))];
}

function single(found, sum) {
  const [term, ...others] = sum.terms;
  const key = has(`cell.${sum.name}`) ? `cell.${sum.name}` : "cell.function";
  const values = { x: signed(term.value, 4), y: others.length ? signed(others[0].value, 4) : "", result: number(sum.value, 4), name: sum.name, low: found.layer.attributes.min ?? "−∞", high: found.layer.attributes.max ?? "∞" };
  return [h("p.total", { id: "total" }, t(key, values)), h("p", back(found, sum.source, term.at, t("cell.before", { source: sum.source ?? "", value: number(term.value, 4) })))];
}

function passed(found, sum) {
  const [term] = sum.terms;
  if (!term.at) return h("p.total", { id: "total" }, t("cell.filled", { value: number(sum.value, 4) }));
  const layer = found.trace.layer(sum.source);
  return [h("p", t(sum.rule === "concat" ? "cell.concat" : `cell.move.${sum.how}`)), h("p.total", { id: "total" }, back(found, sum.source, term.at, `${sum.source} ${where(layer, term.at)}`), " = ", h("b", number(sum.value, 4)))];
}

function shares(found, sum) {
  const rows = [...sum.terms].sort((one, other) => other.product - one.product).slice(0, ROWS).map((term) => h("tr", h("th", { scope: "row" }, back(found, sum.source, term.at, `(${term.at.join(", ")})`)), [term.value, term.weight, term.product].map((value) => h("td.n", number(value, 5)))));
  return [h("p", t("cell.softmax")), h("table", {}, h("thead", h("tr", ["cell.unit", "cell.logit", "cell.power", "cell.share"].map((key) => h("th", { scope: "col" }, t(key))))), h("tbody", rows)),
    h("p.total", { id: "total" }, `exp(${number(sum.own, 4)} − ${signed(sum.most, 4)}) / ${number(sum.whole, 4)} = `, h("b", number(sum.value, 5)))];
}

function reducing(found, sum) {
  const key = { Mean: "cell.mean", Sum: "cell.all", L2: "cell.length" }[sum.how] ?? "cell.reduced";
  return [h("p", t(key, { count: sum.terms.length, how: sum.how })), h("p.total", { id: "total" }, sum.how === "Mean" ? `${number(sum.terms.reduce((one, term) => one + term.value, 0), 4)} / ${count(sum.terms.length)} = ` : sum.how === "L2" ? `√${number(sum.whole, 4)} = ` : "", h("b", number(sum.value, 4)))];
}

// The one sentence that mouse and keyboard hear.
export function sentence(layer, index, value, sum) {
  const place = { name: layer.id, where: where(layer, index), value: number(value, 4) };
  const key = sum && has(`said.${sum.rule}`) ? `said.${sum.rule}` : "said.value";
  const winner = sum?.terms?.find((term) => term.wins);
  return t(key, { ...place, count: sum?.terms?.length ?? 0, source: sum?.source ?? "", bias: number(sum?.bias ?? 0, 4), row: winner?.row ?? "", column: winner?.column ?? "" });
}
