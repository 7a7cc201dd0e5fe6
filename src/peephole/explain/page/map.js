"use strict";
// What a mouse shows, keys show too: hover or tap a point, search a name, or step through them; both views answer, and lines lead to the nearest.
(() => {
  const held = document.getElementById("map-data");
  if (!held) return;
  const data = JSON.parse(held.textContent);
  const views = [...document.querySelectorAll("svg.scatter")];
  const peek = document.querySelector(".peek");
  const seek = document.querySelector(".seek");
  const search = seek.querySelector("input");
  const told = seek.querySelector("output");
  const ns = "http://www.w3.org/2000/svg";
  let hits = [];
  let now = -1;
  seek.hidden = false;
  peek.hidden = false;
  // The script's own panel says more than the browser's, which would cover the map.
  for (const title of document.querySelectorAll("svg.scatter title")) title.remove();

  const draw = (parent, name, values) => {
    const each = document.createElementNS(ns, name);
    for (const [key, value] of Object.entries(values)) each.setAttribute(key, value);
    parent.append(each);
  };
  const at = (view, point) => [data.views[view][2 * point], data.views[view][2 * point + 1]];

  const mark = () => {
    for (const svg of views) {
      const view = Number(svg.dataset.view);
      const marks = svg.querySelector(".marks");
      marks.replaceChildren();
      for (const hit of hits.slice(0, 500)) {
        const [x, y] = at(view, hit);
        draw(marks, "circle", { cx: x, cy: y, r: 8, class: "hit" });
      }
      if (now < 0) continue;
      const [x, y] = at(view, now);
      for (const other of data.near[now]) {
        const [a, b] = at(view, other);
        draw(marks, "line", { x1: x, y1: y, x2: a, y2: b });
      }
      draw(marks, "circle", { cx: x, cy: y, r: 10 });
    }
  };

  const words = (parent, kind, content) => {
    const each = document.createElement(kind);
    each.textContent = content;
    parent.append(each);
    return each;
  };
  const label = (point) => data.labels[point] === null ? peek.dataset[document.documentElement.lang === "ko" ? "strangerKo" : "stranger"] : data.labels[point];
  const show = (point) => {
    now = point;
    peek.replaceChildren();
    if (data.pictures.length && data.pictures[point]) {
      const image = document.createElement("img");
      image.src = data.pictures[point];
      image.alt = data.names[point];
      peek.append(image);
    }
    const box = words(peek, "div", "");
    const first = words(box, "p", "");
    words(first, "code", data.names[point]);
    if (label(point)) { first.append(" · "); words(first, "b", label(point)); }
    const near = words(box, "p", "");
    const korean = document.documentElement.lang === "ko";
    near.append(korean ? peek.dataset.nearKo : peek.dataset.near, " ");
    data.near[point].forEach((other, place) => {
      if (place) near.append(", ");
      words(near, "code", data.names[other]);
      near.append(" (" + (label(other) ? label(other) + ", " : "") + data.far[point][place].toFixed(2) + ")");
    });
    mark();
  };

  for (const svg of views) {
    const seen = (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
      const view = Number(svg.dataset.view);
      let best = -1;
      let least = 14 * 14;
      for (let point = 0; point < data.names.length; point += 1) {
        const [a, b] = at(view, point);
        const far = (a - x) ** 2 + (b - y) ** 2;
        if (far < least) { best = point; least = far; }
      }
      if (best >= 0 && best !== now) show(best);
    };
    svg.addEventListener("pointermove", seen);
    svg.addEventListener("pointerdown", seen);
  }

  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    hits = wanted ? data.names.map((_, point) => point).filter((point) => (data.names[point] + "\n" + (label(point) || "")).toLowerCase().includes(wanted)) : [];
    told.textContent = wanted ? String(hits.length) : "";
    if (hits.length) show(hits[0]); else mark();
  });
  const step = (way) => {
    const all = hits.length ? hits : data.names.map((_, point) => point);
    const place = all.indexOf(now);
    show(all[(place < 0 ? (way > 0 ? 0 : all.length - 1) : place + way + all.length) % all.length]);
  };
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") { search.value = ""; hits = []; told.textContent = ""; mark(); }
  });
  for (const button of seek.querySelectorAll("[data-step]")) button.addEventListener("click", () => step(Number(button.dataset.step)));
  // The panel is written anew in the language that was just chosen.
  new MutationObserver(() => { if (now >= 0) show(now); }).observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
})();
