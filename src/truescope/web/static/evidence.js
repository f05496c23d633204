// What is known of a unit without asking anyone what it means: operand plot, dependence, examples, logit effects.

import { loadUnit } from "./data.js";
import { el, replace, section, shareRow } from "./dom.js";
import { count, number, percent, signed, token, words } from "./format.js";
import { drawHeat } from "./heat.js";

/** Fill `holder` with a unit's evidence, or with the reason why there is none. */
export async function showEvidence(holder, node, model) {
  replace(holder, el("p", { class: "empty" }, "reading its evidence …"));
  let unit;
  try {
    unit = await loadUnit(node.layer, node.index);
  } catch (error) {
    if (holder.isConnected)
      replace(holder, el("p", { class: "empty" }, `Nothing more is known of it: ${error.message}`));
    return;
  }
  if (!holder.isConnected) return;
  const heat = el("div", { class: "heat" });
  replace(
    holder,
    unit.name && unit.name !== node.name ? el("p", { class: "soft" }, unit.name) : null,
    unit.operand_plot ? section("Operand plot", heat) : null,
    dependence(unit),
    examples(unit),
    logits(unit),
  );
  if (unit.operand_plot) drawHeat(heat, unit.operand_plot, model.view);
}

function dependence(unit) {
  const rows = Object.entries(unit.dependence ?? {}).sort((a, b) => b[1] - a[1]);
  if (!rows.length) return null;
  return section(
    ["Depends on", el("span", { class: "soft" }, " share of variance explained")],
    rows.map(([name, value]) => shareRow(words(name), value, percent(value, 2))),
  );
}

function examples(unit) {
  if (!unit.examples?.length) return null;
  const most = Math.max(...unit.examples.flatMap((example) => example.activations.map(Math.abs)), 1e-12);
  const note = el("span", { class: "soft" }, unit.n ? ` active on ${percent(unit.density)} of ${count(unit.n)}` : "");
  return section(
    ["Top examples", note],
    el(
      "ul",
      { class: "examples" },
      unit.examples.map((example) =>
        el(
          "li",
          null,
          example.tokens.map((text, i) => {
            const value = example.activations[i] ?? 0;
            const shade = Math.round(42 * Math.min(1, Math.abs(value) / most));
            const colour = value < 0 ? "--heat-least" : "--heat-most";
            return el(
              "span",
              {
                class: i === example.focus ? "token focus" : "token",
                title: `${token(text)}: ${number(value, 3)}`,
                style: { background: shade ? `color-mix(in srgb, var(${colour}) ${shade}%, transparent)` : "" },
              },
              token(text),
            );
          }),
          el("span", { class: "soft value" }, number(example.activations[example.focus] ?? 0, 3)),
        ),
      ),
    ),
  );
}

function logits(unit) {
  const list = (title, rows, sign) =>
    rows?.length
      ? el(
          "div",
          null,
          el("h4", null, title),
          el(
            "ol",
            { class: `logit-list ${sign}` },
            rows
              .slice(0, 8)
              .map(([text, value]) =>
                el("li", null, el("span", { class: "token" }, token(String(text))), el("span", null, signed(value, 2))),
              ),
          ),
        )
      : null;
  if (!unit.promoted?.length && !unit.suppressed?.length) return null;
  return section(
    ["Writes to the output", el("span", { class: "soft" }, " directly, per unit of activation")],
    el(
      "div",
      { class: "logits" },
      list("raises", unit.promoted, "positive"),
      list("lowers", unit.suppressed, "negative"),
    ),
  );
}
