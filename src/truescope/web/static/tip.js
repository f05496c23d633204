// The preview that follows the pointer: what a node is, its group's verdict, its strongest inputs.

import { byId, el, replace } from "./dom.js";
import { clip, number, percent, signed } from "./format.js";
import { KINDS, placeOf, statusOf } from "./model.js";
import { entryBadge } from "./ledger.js";

// Long enough to reach the badge, which leads to its entry.
const LINGERS_MS = 350;
let leaving = 0;

export function showTip(node, model, event) {
  const tip = byId("tip");
  clearTimeout(leaving);
  tip.onpointerover = () => clearTimeout(leaving);
  tip.onpointerout = hideTip;
  replace(
    tip,
    el("strong", null, clip(node.name, 60)),
    el("div", { class: "soft" }, `${KINDS[node.kind]} · ${placeOf(node, model)}`),
    el(
      "div",
      null,
      `influence ${percent(node.influence)}`,
      node.kind === "unit" ? ` · activation ${number(node.activation, 3)}` : "",
      node.kind === "logit" ? ` · probability ${percent(node.probability)}` : "",
    ),
    node.groupRecord ? el("div", null, node.groupRecord.label, " ", entryBadge(statusOf(node), node.groupRecord.claim?.id)) : null,
    node.inputs.length
      ? el(
          "div",
          { class: "soft" },
          "from ",
          node.inputs
            .slice(0, 3)
            .map((e) => `${clip(e.from.name, 18)} ${signed(e.weight, 2)}`)
            .join(", "),
        )
      : null,
  );
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = event.clientX + 16 + box.width > innerWidth ? event.clientX - box.width - 14 : event.clientX + 16;
  const top = event.clientY + 16 + box.height > innerHeight ? event.clientY - box.height - 12 : event.clientY + 16;
  tip.style.left = `${Math.max(6, left)}px`;
  tip.style.top = `${Math.max(6, top)}px`;
}

export function hideTip() {
  clearTimeout(leaving);
  leaving = setTimeout(() => (byId("tip").hidden = true), LINGERS_MS);
}
