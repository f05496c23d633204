// The top bar: the question, the answer, how the claims stand, and how far the graph can be trusted.

import { badge } from "./badge.js";
import { byId, el, replace } from "./dom.js";
import { number, percent, range, token } from "./format.js";
import { entryBadge } from "./ledger.js";
import { STATUSES } from "./model.js";

const MEANINGS = {
  closure: "The largest share of a target's input that its edges do not account for. 0 is exact.",
  replacement:
    "The share of the answer's paths that end in the prompt or a constant, not in an error node. Low counts what was left out as error, high leaves it out: bounds, not a confidence interval.",
  completeness:
    "The share of all nodes' inputs, weighted by influence, that does not come from error nodes. Low counts what was left out as error, high leaves it out.",
  error: "The share of the answer's paths that end in an error node: one minus replacement.",
};

function metric(name, value, meaning) {
  return el("div", { class: "metric", title: meaning }, el("dt", null, name), el("dd", null, value));
}

export function mountHeader(model) {
  const { view } = model;
  const { graph } = view;
  document.title = `${view.title} · truescope`;
  const [low, high] = graph.replacement;
  replace(
    byId("top"),
    el(
      "div",
      { class: "question" },
      el("div", { class: "brand" }, el("span", { class: "lens", "aria-hidden": "true" }), "truescope"),
      el(
        "h1",
        null,
        el("span", { class: "prompt" }, view.prompt),
        el("span", { class: "arrow", "aria-label": "gives" }, "→"),
        el("span", { class: "answer" }, token(view.answer)),
        el("span", { class: "probability" }, `p = ${number(view.probability, 4)}`),
      ),
      el(
        "p",
        { class: "model", title: `model hash ${view.model.hash}` },
        `${view.model.name} · ${view.model.family} · ${view.dictionary}`,
      ),
    ),
    el("div", { class: "standing", "aria-label": "Verdicts" }, standing(view.claims)),
    el(
      "dl",
      { class: "metrics" },
      metric("error share", range([1 - high, 1 - low], percent), MEANINGS.error),
      metric("replacement", range([low, high]), MEANINGS.replacement),
      metric("completeness", range(graph.completeness), MEANINGS.completeness),
      metric("closure gap", number(graph.closure_gap, 2), MEANINGS.closure),
    ),
  );
}

/** A badge a status; it opens the first claim of that status in the ledger, where the others of it follow. */
function standing(claims) {
  if (!claims.length) return badge("not_judged");
  const order = Object.keys(STATUSES);
  return order
    .map((status) => [status, claims.filter((claim) => claim.status === status)])
    .filter(([, found]) => found.length)
    .map(([status, found]) => entryBadge(status, found[0].id, `${found.length} of ${claims.length} `));
}
