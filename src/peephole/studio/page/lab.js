// The Lab tab: convolution held in the hands, one idea at a time; each part is a module that is fetched when it is opened.
import { h, replace } from "./html.js";
import { hear, link, read } from "./state.js";
import { t } from "./words.js";

const PARTS = ["xo", "learn", "ball", "echo", "kernel", "window"];
let open = null; // what is shown now: {name, follow, close}

export async function show(root, page) {
  const list = h("nav.steps", { "aria-label": t("lab.parts") });
  const place = h("div", { id: "part" });
  replace(root, h("h1.unseen", t("lab.title")), list, place);
  const turn = { follow: () => {} };
  open = turn;
  turn.follow = async () => {
    const wanted = read().values.get("part");
    const name = PARTS.includes(wanted) ? wanted : "xo";
    if (turn.name === name) return turn.part?.follow();
    turn.part?.close?.();
    Object.assign(turn, { name, part: null });
    replace(list, h("ul", {}, PARTS.map((each) => h("li", {}, h("a", { href: link("lab", { part: each }), "aria-current": each === name ? "step" : null }, t(`lab.${each}`))))));
    replace(place, h("p.quiet", {}, t("loading")));
    const { show: begin } = await import(`./lab-${name}.js`);
    if (open !== turn || turn.name !== name) return;
    replace(place, h("h2", t(`${name}.title`)), h("p", {}, t(`${name}.lead`)));
    turn.part = begin(place, page);
  };
  await turn.follow();
  return () => {
    turn.part?.close?.();
    open = null;
  };
}

hear(() => {
  if (read().tab === "lab") open?.follow();
});
