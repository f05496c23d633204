// The same graph as a table, for a screen reader and for anyone who would rather read than look.

import { byId, el, link, replace } from "./dom.js";
import { clip, number, percent, signed, token } from "./format.js";
import { entryBadge } from "./ledger.js";
import { findNodes, KINDS, statusOf } from "./model.js";
import { get, select } from "./state.js";

const FIRST = 200;
const COLUMNS = [
  ["node", (n) => n.name],
  ["kind", (n) => KINDS[n.kind]],
  ["layer", (n) => n.layer],
  ["position", (n) => n.position],
  ["group", (n) => n.groupRecord?.label ?? ""],
  ["verdict", (n) => statusOf(n)],
  ["activation", (n) => n.activation],
  ["influence", (n) => n.influence],
  ["strongest input", (n) => n.inputs[0]?.weight ?? 0],
  ["strongest output", (n) => n.outputs[0]?.weight ?? 0],
];
let sorted = { column: 7, down: true };
let all = false;

export function showTable(model) {
  const { search, layer, group, select: selected } = get();
  let nodes = search ? findNodes(model, search) : model.nodes;
  nodes = nodes.filter((node) => (layer === "" || String(node.layer) === layer) && (!group || node.group === group));
  const key = COLUMNS[sorted.column][1];
  nodes = [...nodes].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    const order = typeof x === "number" ? x - y : String(x).localeCompare(String(y));
    return (sorted.down ? -order : order) || a.i - b.i;
  });
  const shown = all ? nodes : nodes.slice(0, FIRST);
  replace(
    byId("table-view"),
    el(
      "table",
      null,
      el("caption", null, `${shown.length} of ${nodes.length} nodes`),
      el(
        "thead",
        null,
        el(
          "tr",
          null,
          COLUMNS.map(([name], i) => heading(name, i, model)),
        ),
      ),
      el(
        "tbody",
        null,
        shown.map((node) => row(node, model, selected)),
      ),
    ),
    shown.length < nodes.length ? link(`show all ${nodes.length}`, () => ((all = true), showTable(model))) : null,
  );
}

function heading(name, i, model) {
  const order = sorted.column === i ? (sorted.down ? "descending" : "ascending") : "none";
  return el(
    "th",
    { scope: "col", "aria-sort": order },
    el(
      "button",
      {
        type: "button",
        onclick: () => ((sorted = { column: i, down: sorted.column === i ? !sorted.down : i > 5 }), showTable(model)),
      },
      name,
      order === "none" ? "" : sorted.down ? " ↓" : " ↑",
    ),
  );
}

function row(node, model, selected) {
  const edge = (one, other) => (one ? `${clip(other.name, 20)} ${signed(one.weight)}` : "");
  return el(
    "tr",
    { "aria-selected": String(node.id === selected) },
    el(
      "th",
      { scope: "row" },
      link(clip(node.name, 44), () => select(node.id)),
    ),
    el("td", null, KINDS[node.kind]),
    el("td", { class: "n" }, node.layer),
    el("td", null, `${node.position} ${token(model.view.tokens[node.position] ?? "")}`),
    el("td", null, node.groupRecord?.label ?? ""),
    el("td", null, node.kind === "unit" ? entryBadge(statusOf(node), node.groupRecord?.claim_id) : ""),
    el("td", { class: "n" }, number(node.activation, 3)),
    el("td", { class: "n" }, percent(node.influence)),
    el("td", null, edge(node.inputs[0], node.inputs[0]?.from)),
    el("td", null, edge(node.outputs[0], node.outputs[0]?.to)),
  );
}
