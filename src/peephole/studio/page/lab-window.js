// The window: stride, padding, dilation and windows that the edge cuts, on a grid small enough to count along.
import { post } from "./api.js";
import { h, replace, say } from "./html.js";
import { choices, field, Grid, minus, newest, renew } from "./lab-grid.js";
import { read, write } from "./state.js";
import { t } from "./words.js";

const SIZES = { n: [7, 2, 10], k: [3, 1, 5], s: [1, 1, 4], p: [0, 0, 3], d: [1, 1, 3] };

export function show(place, page) {
  const [controls, formula, grids, sentence] = [h("div"), h("div"), h("div.parts"), h("p", { id: "sentence" })];
  place.append(controls, h("section.card", {}, formula), h("section.card", {}, grids, sentence));
  const ask = newest(page, ({ n, k, s, p, d, partial, how }) => post("/api/lab/window", { grid: gridOf(n), kernel: k, stride: s, padding: p, dilation: d, partial, how }), draw);

  // Any numbers will do: these have no pattern that would hide a mistake.
  const gridOf = (n) => Array.from({ length: n }, (_, row) => Array.from({ length: n }, (_, column) => (3 * row + 5 * column + row * column) % 10));

  function given() {
    const { values } = read();
    const found = Object.fromEntries(Object.entries(SIZES).map(([name, [usual, least, most]]) => [name, Math.max(least, Math.min(most, Math.round(Number(values.get(name) ?? usual)) || least))]));
    return { ...found, partial: values.has("partial"), how: ["sum", "max", "mean"].find((each) => each === values.get("how")) ?? "sum" };
  }

  function draw({ slid, reach }, asked) {
    const { n, k, s, p, d, partial, how } = asked;
    const [rows, columns] = [slid.values.length, slid.values[0].length];
    const values = gridOf(n);
    const inside = (at) => at >= 0 && at < n;
    const before = new Grid("window.input", t("window.input"), n + 2 * p, n + 2 * p);
    before.fill((row, column) => (inside(row - p) && inside(column - p) ? [values[row - p][column - p], values[row - p][column - p], 14, {}] : ["0", 0, 14, { pad: "" }]));
    for (const cell of before.cells) if ("pad" in cell.dataset) cell.classList.add("pad");
    const limit = Math.max(1, ...slid.values.flat());
    const after = new Grid("window.output", t("window.output"), rows, columns, { go: (row, column) => {
      const wanted = `${row},${column}`;
      if (read().values.get("at") !== wanted) write({ at: wanted }, { keep: true });
      choose(row, column);
    } });
    after.fill((row, column) => [String(Math.round(slid.values[row][column] * 10) / 10), slid.values[row][column], limit * 1.4, { value: slid.values[row][column], inside: slid.inside[row][column] }]);
    const choose = (row, column) => {
      const starts = [row * s - p, column * s - p];
      const taps = (at, start) => at >= start && at < start + reach && (at - start) % d === 0;
      before.mark((y, x) => taps(y - p, starts[0]) && taps(x - p, starts[1]));
      after.mark(() => false, (y, x) => y === row && x === column);
      after.select(row, column);
      const told = t("window.said", { row, column, y: minus(starts[0]), x: minus(starts[1]), count: slid.inside[row][column], of: k * k, how: t(`window.how.${how}`), value: minus(Math.round(slid.values[row][column] * 1000) / 1000) });
      sentence.textContent = told;
      say(told);
    };
    const focused = grids.contains(document.activeElement);
    const room = n + 2 * p - reach;
    const places = Math.floor(room / s) + 1;
    replace(formula, h("p", t("window.formula")), h("p.total", { id: "formula", data: { places: rows } }, `⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1 = ⌊(${n} + 2·${p} − ${d}·(${k} − 1) − 1) / ${s}⌋ + 1 = ⌊${room} / ${s}⌋ + 1 = ${places}`, rows > places ? ` ${t("window.plus")} = ` : " ", rows > places ? h("b", String(rows)) : ""),
      h("p.quiet", room % s ? t(partial && rows > places ? "window.kept" : "window.lost", { count: room % s }) : t("window.even")));
    replace(grids, h("figure", {}, h("figcaption", t("window.input")), h("div.scroll", {}, before.root)), h("figure", {}, h("figcaption", t("window.output")), h("div.scroll", {}, after.root)));
    const [row, column] = (read().values.get("at") ?? "0,0").split(",").map((at, axis) => Math.max(0, Math.min((axis ? columns : rows) - 1, Math.round(at) || 0)));
    choose(row, column);
    if (focused) after.select(row, column, true);
  }

  function follow() {
    const now = given();
    const box = h("input", { type: "checkbox", checked: now.partial, id: "partial", onchange: () => write({ partial: box.checked ? 1 : null }) });
    renew(controls, h("div.row", {}, Object.entries(SIZES).map(([name, [, min, max]]) => field(`window-${name}`, t(`window.${name}`), now[name], { min, max }, (value) => write({ [name]: value })))),
      h("p", {}, h("label.line", {}, box, t("window.partial"))), choices(t("window.gives"), ["sum", "max", "mean"], now.how, (how) => t(`window.how.${how}`), (how) => write({ how })));
    return ask(now);
  }
  follow();
  return { follow };
}
