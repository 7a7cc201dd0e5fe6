// What is shown of a layer as a drawing to keep: SVG with its name, its scale and the sum of the chosen cell; the same layer gives the same bytes.
import { places, sentence, signed } from "./cell.js";
import { h, s } from "./html.js";
import { colour, paint } from "./paint.js";
import { work } from "./rule.js";
import { indexOf, mapOf, mapsOf } from "./see.js";
import { number, t } from "./words.js";

const MOST = 20_000; // cells drawn one by one; more are a picture in the drawing, which keeps every one of them too
const [WIDE, GAP, LINE, UNITS, TERMS] = [720, 8, 16, 32, 400];

const hex = (value, limit) => `#${colour(value, limit).match(/\d+/g).map((part) => Number(part).toString(16).padStart(2, "0")).join("")}`;

// One map, a cell a unit: cells of one colour side by side are one rectangle.
function cells(values, width, limit) {
  const found = [];
  for (let at = 0, end; at < values.length; at = end) {
    const fill = hex(values[at], limit);
    for (end = at + 1; end < values.length && end % width && hex(values[end], limit) === fill;) end++;
    found.push(s("rect", { x: at % width, y: Math.floor(at / width), width: end - at, height: 1, fill }));
  }
  return found;
}

function picture(values, width, limit) {
  const canvas = paint(h("canvas"), values, 0, values.length / width, width, limit);
  return s("image", { width, height: canvas.height, href: canvas.toDataURL("image/png"), "image-rendering": "pixelated" });
}

const size = (word) => [...word].reduce((sum, each) => sum + (each > "\u1100" ? 2 : 1), 0);

function lines(text) {
  const found = [""];
  for (const word of text.split(" ")) {
    if (size(found.at(-1)) + size(word) > 104) found.push("");
    found.push(`${found.pop()} ${word}`.trimStart());
  }
  return found;
}

// A cell's sum, term by term; of very many the largest, and what the others come to.
function arithmetic(sum) {
  if (!sum) return "";
  const { rule, how, terms, bias, value } = sum;
  const digits = places(terms, bias, value);
  const shown = terms.filter((term) => term.inside !== false).map((term) => signed(term.value, digits));
  const equals = ` = ${number(value, digits)}`;
  if (rule === "pool") return how === "max" ? `max(${shown.join(", ")})${equals}` : `(${shown.join(" + ")}) / ${sum.counted}${equals}`;
  if (rule === "elementwise") return `${sum.name}(${shown.join(", ")})${equals}`;
  if (!["conv2d", "matmul", "sum"].includes(rule)) return "";
  const order = terms.length > TERMS ? [...terms].sort((one, other) => Math.abs(other.product) - Math.abs(one.product)) : terms;
  const rest = order.slice(TERMS).reduce((all, term) => all + term.product, 0);
  const written = order.slice(0, TERMS).map((term) => (term.weight === undefined ? signed(term.product, digits) : `${signed(term.value, digits)}×${signed(term.weight, digits)}`));
  return `${[...written, ...(terms.length > TERMS ? [`Σ${terms.length - TERMS}: ${signed(rest, digits)}`] : []), ...(bias === undefined || bias === null ? [] : [signed(bias, digits)])].join(" + ")}${equals}`;
}

function drawing({ layer, values, limit, which, row, column, match, view, value }, sum) {
  const maps = mapsOf(layer);
  const [wide, shown] = maps.row ? [Math.min(UNITS, maps.width), 1] : [maps.width, Math.min(maps.count, view.shown)];
  const high = maps.row ? Math.ceil(maps.width / wide) : maps.height;
  const draw = shown * wide * high > MOST ? picture : cells;
  const grow = Math.max(1, Math.min(20, Math.floor(160 / Math.max(wide, high))));
  const [step, down] = [wide * grow + GAP, LINE + high * grow + GAP];
  const across = Math.max(1, Math.floor((WIDE + GAP) / step));
  const text = (words, x, y, more) => s("text", { x, y, ...more }, words);
  const place = (at) => [GAP + (at % across) * step, 4 * LINE + Math.floor(at / across) * down];
  const grid = (values, width, [x, y], size, more) => s("g", { transform: `translate(${x} ${y}) scale(${size})`, "shape-rendering": "crispEdges", ...more }, draw(values, width, limit));
  const drawn = Array.from({ length: shown }, (_, map) => [!maps.row && text(map, ...place(map)), grid(mapOf(layer, values, map), wide, place(map).map((at, axis) => at + axis * 4), grow, { data: { map } })]);
  const [x, y] = place(maps.row ? 0 : which);
  const chosen = (maps.row || which < shown) && s("rect", { x: x + (column % wide) * grow, y: y + 4 + (maps.row ? Math.floor(column / wide) : row) * grow, width: grow, height: grow, fill: "none", stroke: "#16191d", "stroke-width": 2, id: "chosen" });
  const told = [sentence(layer, indexOf(layer, which, row, column), value, sum), arithmetic(sum)].flatMap(lines);
  const under = 4 * LINE + Math.ceil(shown / across) * down + GAP;
  const [width, height] = [Math.max(WIDE, step) + 2 * GAP, under + told.length * LINE];
  const name = [view.model, layer.id, layer.op, layer.shape.join(" × "), match !== null && t("see.as.match"), shown < maps.count && `0–${shown - 1} / ${maps.count}`].filter(Boolean).join(" · ");
  const scale = s("g", { transform: `translate(${GAP + 90} ${1.75 * LINE}) scale(2 12)`, id: "scale" }, cells(Float32Array.from({ length: 101 }, (_, at) => at / 50 - 1), 101, 1));
  return s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "font-size": 11, "font-family": "monospace" }, s("title", {}, name), s("rect", { width, height, fill: "#fff" }), text(name, GAP, LINE, { "font-weight": "bold" }),
    text(`−${number(limit)}`, GAP, 2.4 * LINE), scale, text(`+${number(limit)}`, GAP + 300, 2.4 * LINE), drawn, chosen, s("g", { id: "sum" }, told.map((words, at) => text(words, GAP, under + at * LINE))));
}

// Save what a view shows of its chosen cell's layer; nothing is asked of any server but the weights, where they are not here yet.
export async function save(found) {
  const { layer, trace, which, row, column } = found;
  const sum = await work(trace, layer, indexOf(layer, which, row, column));
  const href = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(drawing(found, sum))], { type: "image/svg+xml" }));
  h("a", { href, download: `${layer.id.replace(/[^\w.-]+/g, "_")}.svg` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
