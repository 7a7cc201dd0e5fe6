// What the parts of the lab share: a grid that arrow keys walk through, requests of which only the newest counts, fractions, fields.
import { h, replace } from "./html.js";
import { colour, ink } from "./paint.js";
import { number } from "./words.js";

const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -99], End: [0, 99] };

// Colour a cell by its value; without a limit it is a pixel: 1 white, -1 black.
function tint(cell, value, limit) {
  const [paper, words] = limit ? [colour(value, limit), ink(value, limit)] : value > 0 ? ["#fff", "#16191d"] : ["#16191d", "#fff"];
  Object.assign(cell.style, { background: paper, color: words });
}

// A grid of cells, made once and filled often, so that the focus stays. `go(row, column)` hears the mouse over a cell and the arrow keys alike,
// `act(row, column, begun, key)` clicks, drags (begun is false), Space, Enter and other keys; it returns true for a key that it takes.
export class Grid {
  constructor(name, label, height, width, { go = () => {}, act = null, kind = "" } = {}) {
    Object.assign(this, { height, width, row: 0, column: 0 });
    this.cells = Array.from({ length: height * width }, (_, at) => h("td", { role: "gridcell", tabindex: at ? -1 : 0 }));
    this.root = h(`table.cells${kind}`, { role: "grid", "aria-label": label, data: { grid: name } }, h("tbody", {}, Array.from({ length: height }, (_, row) => h("tr", { role: "row" }, this.cells.slice(row * width, (row + 1) * width)))));
    const reach = (event, begun) => {
      const cell = document.elementFromPoint(event.clientX, event.clientY)?.closest("td");
      const at = this.cells.indexOf(cell);
      if (at < 0 || (!begun && this.last === at)) return;
      this.last = at;
      const place = [Math.floor(at / width), at % width];
      this.select(...place, begun);
      go(...place);
      if (act && (begun || event.buttons & 1)) act(...place, begun, "");
    };
    this.root.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      reach(event, true);
    });
    this.root.addEventListener("pointermove", (event) => (event.pointerType === "mouse" || event.buttons & 1) && reach(event, false));
    this.root.addEventListener("pointerleave", () => { this.last = -1; });
    this.root.addEventListener("mousedown", (event) => event.preventDefault());
    this.root.addEventListener("keydown", (event) => {
      const by = MOVES[event.key];
      if (by) {
        const [row, column] = [[this.row + by[0], height], [this.column + by[1], width]].map(([at, size]) => Math.max(0, Math.min(size - 1, at)));
        this.select(row, column, true);
        go(row, column);
      } else if (!act?.(this.row, this.column, true, event.key === "Enter" ? " " : event.key)) return;
      event.preventDefault();
    });
    this.root.addEventListener("focusin", (event) => {
      const at = this.cells.indexOf(event.target);
      if (at < 0) return;
      this.select(Math.floor(at / width), at % width);
      go(this.row, this.column);
    });
  }

  at(row, column) { return this.cells[row * this.width + column]; }

  select(row, column, focus = false) {
    this.at(this.row, this.column).tabIndex = -1;
    Object.assign(this, { row, column });
    this.at(row, column).tabIndex = 0;
    if (focus) this.at(row, column).focus({ preventScroll: true });
  }

  // `look(row, column)` returns [text, value, limit, data]: 
  fill(look) {
    this.cells.forEach((cell, at) => {
      const [text, value, limit, data = {}] = look(Math.floor(at / this.width), at % this.width);
      cell.textContent = text;
      Object.assign(cell.dataset, data);
      tint(cell, value, limit);
    });
  }

  // Mark the cells of a window, and the one chosen cell.
  mark(inside, chosen = () => false) {
    this.cells.forEach((cell, at) => {
      const place = [Math.floor(at / this.width), at % this.width];
      cell.classList.toggle("in", Boolean(inside(...place)));
      cell.setAttribute("aria-selected", String(chosen(...place)));
    });
  }
}

// A small table of numbers, not walked through.
export function sheet(values, width, limit, caption, text = (value) => number(value, 0), kind = () => "") {
  const rows = [];
  for (let from = 0; from < values.length; from += width) {
    rows.push(h("tr", Array.from(values.slice(from, from + width), (value, at) => {
      const cell = h("td", { class: kind(from + at), data: { value } }, text(value));
      tint(cell, value, limit);
      return cell;
    })));
  }
  return h("figure", {}, h("table.cells", {}, h("tbody", rows)), h("figcaption", caption));
}

// Return a function that asks and uses the answer; of many calls in a row only the newest waits. Words of an absent library stand where `place` is.
export function newest(page, ask, use) {
  let next = null, busy = false;
  return async (...given) => {
    next = given;
    if (busy) return;
    busy = true;
    try {
      while (next) {
        const now = next;
        next = null;
        const found = await ask(...now);
        if (!next) use(found, ...now);
      }
    } catch (error) {
      page.fail(error);
    } finally {
      busy = false;
    }
  };
}

// Replace what stands in a place; who was in it with the keyboard stays there.
export function renew(place, ...children) {
  const { id, dataset } = place.contains(document.activeElement) ? document.activeElement : { dataset: {} };
  replace(place, ...children);
  const again = id ? `#${id}` : dataset.choice && `[data-choice="${dataset.choice}"]`;
  if (again) place.querySelector(again)?.focus({ preventScroll: true });
}

export const minus = (text) => String(text).replace("-", "−");

// [7, 9] as 7/9; whole numbers as they are; what has too many digits as a decimal.
export const ratio = ([part, whole]) => (whole === 1 ? minus(part) : whole < 100000 ? minus(`${part}/${whole}`) : number(part / whole, 6));

export const button = (words, onclick, more = {}) => h("button", { type: "button", onclick, ...more }, words);

// A label and its field in one line; `change` hears the number, kept between min and max.
export function field(id, words, value, { min, max, step = 1 }, change) {
  const made = h("input", { id, type: "number", min, max, step, value, onchange: () => {
    const wanted = Math.max(min, Math.min(max, made.value === "" ? value : Number(made.value)));
    made.value = wanted;
    change(wanted);
  } });
  return h("span.field", {}, h("label", { for: id }, words), made);
}

// Choices of which one holds: buttons that say whether they are pressed.
export const choices = (label, names, chosen, words, change) => h("div.row", { role: "group", "aria-label": label },
  names.map((name) => button(words(name), () => change(name), { "aria-pressed": String(name === chosen), data: { choice: name } })));
