// The keyboard: arrows travel along edges, the rest are single letters.

import { byId } from "./dom.js";
import { signed } from "./format.js";
import { reveal, rowOfNodes, toggleCell } from "./graph.js";
import { describe, likeliest } from "./model.js";
import { get, select, set, togglePin, undo } from "./state.js";

let model;
// The edges we came along, so that left and right go to the next-strongest of the same kind.
let siblings = { edges: [], end: "from", at: 0 };

export function mountKeys(indexed) {
  model = indexed;
  document.addEventListener("keydown", onKey);
}

const LETTERS = {
  "/": () => byId("search").focus(),
  "?": () => openHelp(),
  p: () => get().select && togglePin(get().select),
  v: () => set({ view: get().view === "graph" ? "table" : "graph" }),
  z: () => undo(),
  l: () => set({ ledger: "all" }, { step: true }),
};

function onKey(event) {
  const typing = event.target.closest?.("input[type=search], select");
  if (byId("help").open || byId("ledger").open) return;
  if (event.key === "Escape") return escape(event.target);
  if (typing || event.altKey || event.ctrlKey || event.metaKey) return;
  const cell = event.target.closest?.("[data-cell]");
  if (cell && (event.key === "Enter" || event.key === " "))
    return (event.preventDefault(), toggleCell(cell.dataset.cell));
  if (event.key.startsWith("Arrow") && (event.target.closest("#graph-view") || event.target === document.body)) {
    event.preventDefault();
    return travel(event.key, event.target);
  }
  const node = event.target.closest?.("[data-i]");
  if (node && (event.key === "Enter" || event.key === " "))
    return (event.preventDefault(), arrive(model.nodes[Number(node.dataset.i)], null));
  const act = LETTERS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (act) (event.preventDefault(), act());
}

export function openHelp() {
  if (!byId("help").open) byId("help").showModal();
}

/** Esc takes back one thing at a time: the search, the lit group, the selection. */
function escape(target) {
  const state = get();
  if (target.matches?.("input")) target.blur();
  if (state.search) set({ search: "" });
  else if (state.group) set({ group: "" });
  else if (state.select) select("");
}

function start(target) {
  const holder = target.closest?.("[data-i]");
  return model.byId.get(get().select) ?? (holder ? model.nodes[Number(holder.dataset.i)] : null);
}

function travel(key, target) {
  const node = start(target);
  if (!node) return arrive(likeliest(model) ?? model.nodes[0], null);
  if (key === "ArrowUp" || key === "ArrowDown") {
    const [edges, end] = key === "ArrowUp" ? [node.outputs, "to"] : [node.inputs, "from"];
    if (!edges.length)
      return say(key === "ArrowUp" ? "nothing above: it is an output" : "nothing below: it is an input");
    siblings = { edges, end, at: 0 };
    return arrive(edges[0][end], edges[0]);
  }
  const step = key === "ArrowRight" ? 1 : -1;
  if (siblings.edges[siblings.at]?.[siblings.end] === node) {
    const at = siblings.at + step;
    if (at < 0 || at >= siblings.edges.length)
      return say(at < 0 ? "this is the strongest edge" : "this is the weakest edge");
    siblings.at = at;
    return arrive(siblings.edges[at][siblings.end], siblings.edges[at]);
  }
  const row = rowOfNodes(node);
  const next = row[row.indexOf(node) + step];
  if (next) arrive(next, null);
}

function arrive(node, edge) {
  if (!node) return;
  select(node.id);
  reveal(node.id, { focus: true });
  say(`${edge ? `along ${signed(edge.weight)}: ` : ""}${describe(node, model)}`);
}

export function say(text) {
  byId("live").textContent = text;
}
