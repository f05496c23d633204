// The panel: everything about the selected node, or about the graph where none is selected.

import { badge } from "./badge.js";
import { groupRows } from "./claims.js";
import { loadUnit } from "./data.js";
import { byId, el, replace } from "./dom.js";
import { clip, number, percent, signed, token, words } from "./format.js";
import { drawHeat } from "./heat.js";
import { groupGlyph } from "./graph.js";
import { KINDS, placeOf, statusOf } from "./model.js";
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

function section(title, ...children) {
  return el("section", { class: "part" }, el("h3", null, title), children);
}

function showNode(panel, node, model) {
  const evidence = el("div", { class: "evidence" });
  replace(panel, nodeHead(node, model), evidence,
    edgeList("Inputs", node.inputs, (edge) => edge.from, "Nothing enters it in this graph."),
    edgeList("Outputs", node.outputs, (edge) => edge.to, node.kind === "logit" ? "" : "It reaches nothing in this graph."));
  if (node.kind === "unit") showEvidence(evidence, node, model);
}

function nodeHead(node, model) {
  const pinned = get().pins.includes(node.id);
  const twins = model.nodes.filter((n) => n.kind === "unit" && node.kind === "unit" && n.layer === node.layer && n.index === node.index && n !== node);
  return el("div", { class: "node-head" },
    el("div", { class: "head-line" },
      el("span", { class: "soft" }, node.kind === "unit" ? `unit ${node.layer}/${node.index}` : KINDS[node.kind]),
      el("span", { class: "buttons" },
        el("button", { type: "button", id: "pin", "aria-pressed": String(pinned), onclick: () => togglePin(node.id) }, pinned ? "Unpin" : "Pin"),
        el("button", { type: "button", "aria-label": "Close", onclick: () => select("") }, "×"))),
    el("h2", null, node.name),
    el("p", { class: "soft" }, placeOf(node, model)),
    el("p", { class: "group-line" }, node.groupRecord
      ? [groupGlyph(node.groupRecord.style, node.groupRecord.status), ` ${node.groupRecord.label} `, badge(statusOf(node))]
      : node.kind === "unit" ? ["in no group ", badge("not_judged")] : null),
    el("dl", { class: "numbers" }, numbers(node).map(([name, value]) => el("div", null, el("dt", null, name), el("dd", null, value)))),
    twins.length ? el("p", { class: "soft" }, "also at ", twins.map((twin) => [nodeLink(twin, token(model.view.tokens[twin.position])), " "])) : null);
}

function numbers(node) {
  const rows = [["influence", percent(node.influence)]];
  if (node.kind === "unit") rows.push(["activation", number(node.activation, 3)], ["pre-activation", number(node.pre_activation, 3)]);
  if (node.kind === "logit") rows.push(["probability", percent(node.probability)], ["demeaned logit", number(node.activation, 3)]);
  return rows;
}

function nodeLink(node, text) {
  return el("button", { type: "button", class: "link", onclick: () => select(node.id) }, text);
}

function edgeList(title, edges, other, none) {
  if (!edges.length) return none ? section(title, el("p", { class: "empty" }, none)) : null;
  const most = Math.abs(edges[0].weight) || 1;
  const list = el("ol", { class: "edges-list" });
  const show = (n) => replace(list, edges.slice(0, n).map((edge) => edgeRow(edge, other(edge), most)));
  show(FIRST);
  const more = el("button", { type: "button", class: "link", onclick: () => (show(edges.length), more.remove()) }, `show all ${edges.length}`);
  return section([title, el("span", { class: "soft" }, ` ${edges.length}, by |weight|`)], list, edges.length > FIRST ? more : null);
}

function edgeRow(edge, node, most) {
  const sign = edge.weight < 0 ? "negative" : "positive";
  return el("li", null, el("button", { type: "button", class: `edge-row ${sign}`, "data-node": node.id, onclick: () => select(node.id), title: `${percent(edge.share)} of the input of ${edge.to.name}` },
    el("span", { class: "edge-name" }, node.kind === "unit" ? groupGlyph(node.groupRecord?.style ?? 0, statusOf(node), 12) : el("span", { class: "soft kind" }, KINDS[node.kind]),
      ` ${clip(node.name, 40)}`),
    el("span", { class: "edge-bar", "aria-hidden": "true" }, el("i", { style: { width: `${(100 * Math.abs(edge.weight)) / most}%` } })),
    el("span", { class: "edge-weight" }, signed(edge.weight)),
    el("span", { class: "edge-share soft" }, percent(edge.share, 2))));
}

async function showEvidence(holder, node, model) {
  replace(holder, el("p", { class: "empty" }, "reading its evidence …"));
  let unit;
  try {
    unit = await loadUnit(node.layer, node.index);
  } catch (error) {
    if (holder.isConnected) replace(holder, el("p", { class: "empty" }, `Nothing more is known of it: ${error.message}`));
    return;
  }
  if (!holder.isConnected) return;
  const heat = el("div", { class: "heat" });
  replace(holder,
    unit.name && unit.name !== node.name ? el("p", { class: "soft" }, unit.name) : null,
    unit.operand_plot ? section("Operand plot", heat) : null,
    dependence(unit),
    examples(unit),
    logits(unit));
  if (unit.operand_plot) drawHeat(heat, unit.operand_plot, model.view);
}

function dependence(unit) {
  const rows = Object.entries(unit.dependence ?? {}).sort((a, b) => b[1] - a[1]);
  if (!rows.length) return null;
  return section(["Depends on", el("span", { class: "soft" }, " share of variance explained")],
    rows.map(([name, value]) => el("div", { class: "share-row" }, el("span", null, words(name)),
      el("span", { class: "share-track" }, el("i", { style: { width: `${100 * Math.max(0, Math.min(1, value))}%` } })), el("b", null, percent(value, 2)))));
}

function examples(unit) {
  if (!unit.examples?.length) return null;
  const most = Math.max(...unit.examples.flatMap((example) => example.activations.map(Math.abs)), 1e-12);
  const note = el("span", { class: "soft" }, unit.n ? ` active on ${percent(unit.density)} of ${unit.n.toLocaleString("en")}` : "");
  return section(["Top examples", note], el("ul", { class: "examples" }, unit.examples.map((example) => el("li", null,
    example.tokens.map((text, i) => {
      const value = example.activations[i] ?? 0;
      const shade = Math.round(70 * Math.min(1, Math.abs(value) / most));
      const colour = value < 0 ? "--heat-least" : "--heat-most";
      return el("span", {
        class: i === example.focus ? "token focus" : "token", title: `${token(text)}: ${number(value, 3)}`,
        style: { background: shade ? `color-mix(in srgb, var(${colour}) ${shade}%, transparent)` : "" },
      }, token(text));
    }),
    el("span", { class: "soft value" }, number(example.activations[example.focus] ?? 0, 3))))));
}

function logits(unit) {
  const list = (title, rows, sign) => (rows?.length
    ? el("div", null, el("h4", null, title), el("ol", { class: `logit-list ${sign}` },
      rows.slice(0, 8).map(([text, value]) => el("li", null, el("span", { class: "token" }, token(String(text))), el("span", null, signed(value, 2))))))
    : null);
  if (!unit.promoted?.length && !unit.suppressed?.length) return null;
  return section(["Writes to the output", el("span", { class: "soft" }, " directly, per unit of activation")],
    el("div", { class: "logits" }, list("raises", unit.promoted, "positive"), list("lowers", unit.suppressed, "negative")));
}

function overview({ view, groups }) {
  const { graph, run } = view;
  const rows = (record) => el("dl", { class: "facts" }, Object.entries(record).map(([name, value]) => [el("dt", null, words(name)), el("dd", null, value)]));
  const left = Object.fromEntries(Object.entries(graph.left_out).map(([name, value]) => [name, number(value)]));
  const seconds = Object.fromEntries(Object.entries(view.seconds ?? {}).map(([name, value]) => [name, `${number(value, 3)} s`]));
  const versions = Object.entries(run.versions ?? {}).map(([name, value]) => `${name} ${value}`).join(", ");
  return [
    el("div", { class: "node-head" }, el("h2", null, "This graph"),
      el("p", { class: "soft" }, "Click a node to see what it reads, what it writes and what it stands for.")),
    section("Most likely next tokens", el("div", { class: "top-logits" }, view.top_logits.map((row) => el("div", { class: "share-row" },
      el("span", { class: "token" }, token(row.token)), el("span", { class: "share-track" }, el("i", { style: { width: `${100 * row.probability}%` } })),
      el("b", null, percent(row.probability)))))),
    groups.size ? section("Groups", groupRows([...groups.values()])) : null,
    section("Shown and held still", el("p", null, `${graph.n_nodes.toLocaleString("en")} nodes, ${graph.n_edges.toLocaleString("en")} edges. Frozen at the prompt's values: ${graph.frozen.join(", ") || "nothing"}.`),
      Object.keys(left).length ? [el("h4", null, "left out"), rows(left)] : null),
    section("Where it comes from", rows({ run: run.id, made: run.created, seed: run.seed, commit: run.commit, data: clip(String(run.data_hash ?? ""), 16), model: clip(String(run.model_hash ?? ""), 16), versions })),
    Object.keys(seconds).length ? section("Seconds", rows(seconds)) : null,
  ];
}
