// The panel: everything about the selected node, or about the graph where none is selected.

import { badge } from "./badge.js";
import { byId, el, link, replace, section } from "./dom.js";
import { showEvidence } from "./evidence.js";
import { clip, number, percent, signed, token } from "./format.js";
import { entryBadge } from "./ledger.js";
import { groupGlyph } from "./shapes.js";
import { KINDS, placeOf, statusOf } from "./model.js";
import { overview } from "./overview.js";
import { get, select, togglePin } from "./state.js";

const FIRST = 10;

export function showPanel(model) {
  const node = model.byId.get(get().select);
  const panel = byId("panel");
  panel.classList.toggle("open", Boolean(node));
  panel.scrollTop = 0;
  if (node) showNode(panel, node, model);
  else replace(panel, overview(model));
}

function showNode(panel, node, model) {
  const evidence = el("div", { class: "evidence" });
  replace(
    panel,
    nodeHead(node, model),
    evidence,
    edgeList("Inputs", node.inputs, "from", model),
    node.kind === "logit" ? null : edgeList("Outputs", node.outputs, "to", model),
  );
  if (node.kind === "unit") showEvidence(evidence, node, model);
}

function nodeHead(node, model) {
  const pinned = get().pins.includes(node.id);
  const twins = model.nodes.filter(
    (n) => n.kind === "unit" && node.kind === "unit" && n.layer === node.layer && n.index === node.index && n !== node,
  );
  return el(
    "div",
    { class: "node-head" },
    el(
      "div",
      { class: "head-line" },
      el("span", { class: "soft" }, node.kind === "unit" ? `unit ${node.layer}/${node.index}` : KINDS[node.kind]),
      el(
        "span",
        { class: "buttons" },
        el(
          "button",
          { type: "button", id: "pin", "aria-pressed": String(pinned), onclick: () => togglePin(node.id) },
          pinned ? "Unpin" : "Pin",
        ),
        el("button", { type: "button", "aria-label": "Close", onclick: () => select("") }, "×"),
      ),
    ),
    el("h2", null, node.name),
    el("p", { class: "soft" }, placeOf(node, model)),
    el(
      "p",
      { class: "group-line" },
      node.groupRecord
        ? [
            groupGlyph(node.groupRecord.style, node.groupRecord.status),
            ` ${node.groupRecord.label} `,
            entryBadge(statusOf(node), node.groupRecord.claim_id),
          ]
        : node.kind === "unit"
          ? ["in no group ", badge("not_judged")]
          : null,
    ),
    el(
      "dl",
      { class: "numbers" },
      numbers(node).map(([name, value]) => el("div", null, el("dt", null, name), el("dd", null, value))),
    ),
    twins.length
      ? el(
          "p",
          { class: "soft" },
          "also at ",
          twins.map((twin) => [link(token(model.view.tokens[twin.position]), () => select(twin.id)), " "]),
        )
      : null,
  );
}

function numbers(node) {
  const rows = [["influence", percent(node.influence)]];
  if (node.kind === "unit")
    rows.push(["activation", number(node.activation, 3)], ["pre-activation", number(node.pre_activation, 3)]);
  if (node.kind === "logit")
    rows.push(["probability", percent(node.probability)], ["demeaned logit", number(node.activation, 3)]);
  return rows;
}

/** A node's edges, weightiest first; `end` names the end that is listed. */
function edgeList(title, edges, end, model) {
  if (!edges.length) return section(title, el("p", { class: "empty" }, "None in this graph."));
  const most = Math.abs(edges[0].weight) || 1;
  const list = el("ol", { class: "edges-list" });
  const show = (n) =>
    replace(
      list,
      edges.slice(0, n).map((edge) => edgeRow(edge, edge[end], most, model)),
    );
  show(FIRST);
  const more = link(`show all ${edges.length}`, () => (show(edges.length), more.remove()));
  return section(
    [title, el("span", { class: "soft" }, ` ${edges.length}, by |weight|`)],
    list,
    edges.length > FIRST ? more : null,
  );
}

/** Where the node at an edge's far end stands, if that is not where the edge's other end does. */
function elsewhere(node, edge, model) {
  if (node.kind === "token" || edge.from.position === edge.to.position) return "";
  return ` at ${clip(token(model.view.tokens[node.position] ?? ""), 10)}`;
}

function edgeRow(edge, node, most, model) {
  const sign = edge.weight < 0 ? "negative" : "positive";
  return el(
    "li",
    null,
    el(
      "button",
      {
        type: "button",
        class: `edge-row ${sign}`,
        "data-node": node.id,
        onclick: () => select(node.id),
        title: `${percent(edge.share)} of the input of ${edge.to.name}`,
      },
      el(
        "span",
        { class: "edge-name" },
        node.kind === "unit"
          ? groupGlyph(node.groupRecord?.style ?? 0, statusOf(node), 12)
          : el("span", { class: "soft kind" }, KINDS[node.kind]),
        ` ${clip(node.name, 40)}`,
        el("span", { class: "soft" }, elsewhere(node, edge, model)),
      ),
      el(
        "span",
        { class: "edge-bar", "aria-hidden": "true" },
        el("i", { style: { width: `${(100 * Math.abs(edge.weight)) / most}%` } }),
      ),
      el("span", { class: "edge-weight" }, signed(edge.weight)),
      el("span", { class: "edge-share soft" }, percent(edge.share, 2)),
    ),
  );
}
