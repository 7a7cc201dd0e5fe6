// The Words tab: both directions of a network that fills in a missing word; until there is such a model it says so.
import { h, replace } from "./html.js";
import { t } from "./words.js";

export function show(root) {
  replace(root, h("h1", t("words.title")), h("p.card", t("words.none")));
}
