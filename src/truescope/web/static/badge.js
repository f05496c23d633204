// A verdict as a badge: a glyph and a word, never colour alone.

import { el } from "./dom.js";
import { STATUSES } from "./model.js";

export function badge(status, count = "") {
  const { glyph, word } = STATUSES[status] ?? STATUSES.not_judged;
  return el("span", { class: `badge ${status}` }, el("span", { "aria-hidden": "true" }, glyph), ` ${count}${word}`);
}
