// Elements without HTML strings: what is text stays text, whatever a label is called.
const SVG = "http://www.w3.org/2000/svg";

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(made.dataset, value);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "selected") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

// h("p.note", {title: "..."}, "text", child, ...): the attributes may be left out.
export function h(name, attributes, ...children) {
  const [tag, ...classes] = name.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  if (attributes instanceof Node || typeof attributes === "string" || Array.isArray(attributes)) return fill(made, {}, [attributes, ...children]);
  return fill(made, attributes, children);
}

export function s(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

export function replace(place, ...children) {
  place.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

// A table in a box that scrolls by itself; the first cell of a row is its head.
export function table(caption, heads, rows, { kind = "" } = {}) {
  const head = h("tr", heads.map((each) => h("th", { scope: "col" }, each)));
  const body = rows.map((row) => h("tr", row.map((cell, at) => (at ? h("td.n", {}, cell) : h("th", { scope: "row" }, cell)))));
  return h("div.scroll", { tabindex: 0, role: "region", "aria-label": caption }, h(`table${kind && `.${kind}`}`, {}, h("caption", caption), h("thead", head), h("tbody", body)));
}

export function say(sentence) {
  const place = document.getElementById("spoken");
  if (place.textContent !== sentence) place.textContent = sentence;
}
