// The tools above the graph, the legend, the pins below it, and the help.

import { toggleGroup } from "./claims.js";
import { byId, el, link, replace, svg } from "./dom.js";
import { pinnedEdges } from "./edges.js";
import { saveJson, saveSvg } from "./export.js";
import { clip, signed } from "./format.js";
import { openHelp } from "./keys.js";
import { groupGlyph, nodeShape } from "./shapes.js";
import { entryBadge } from "./ledger.js";
import { searchBox } from "./search.js";
import { get, select, set, togglePin, undo } from "./state.js";

const THEMES = ["auto", "light", "dark"];

function button(id, text, label, act) {
  return el("button", { type: "button", id, title: label, "aria-label": label, onclick: act }, text);
}

// The slider is a cube, so that small numbers of edges are easy to set.
function toEdges(position, most) {
  return Math.round(most * (position / 100) ** 3);
}

export function mountTools(model) {
  const most = Math.min(model.edges.length, 3000);
  const layers = [...new Set(model.nodes.filter((n) => n.kind === "unit").map((n) => n.layer))].sort((a, b) => a - b);
  const layer = el(
    "select",
    { id: "layer", "aria-label": "Layers shown", onchange: (event) => set({ layer: event.target.value }) },
    el("option", { value: "" }, "all layers"),
    layers.map((l) => el("option", { value: l }, `layer ${l}`)),
  );
  const edges = el("input", {
    id: "edges",
    type: "range",
    min: 0,
    max: 100,
    "aria-label": "How many of the strongest edges are drawn",
    oninput: (event) => set({ edges: toEdges(Number(event.target.value), most) }),
  });
  replace(
    byId("tools"),
    searchBox(model),
    layer,
    el("label", { class: "slider" }, "edges", edges),
    el("span", { class: "gap" }),
    button("view", "Table", "Show the graph as a table", () =>
      set({ view: get().view === "graph" ? "table" : "graph" }),
    ),
    button("undo", "↶", "Take the last step back (z)", undo),
    button("save-svg", "SVG", "Save the graph as SVG", () => saveSvg(model)),
    button("save-json", "JSON", "Save the view as JSON", () => saveJson(model)),
    button("theme", "◐", "Theme", () => set({ theme: THEMES[(THEMES.indexOf(get().theme) + 1) % 3] })),
    button("open-help", "?", "Help and keys (?)", openHelp),
  );
  mountLegend(model);
  mountHelp();
}

/** Bring the controls in line with the state. */
export function refreshTools(model) {
  const state = get();
  const most = Math.min(model.edges.length, 3000);
  byId("layer").value = state.layer;
  byId("edges").value = Math.round(100 * Math.cbrt(Math.min(1, state.edges / Math.max(1, most))));
  byId("view").textContent = state.view === "graph" ? "Table" : "Graph";
  byId("theme").title = `Theme: ${state.theme}`;
  byId("theme").setAttribute("aria-label", `Theme: ${state.theme}`);
  for (const chip of document.querySelectorAll("[data-group]"))
    chip.setAttribute("aria-pressed", String(chip.dataset.group === state.group));
  refreshPins(model, state);
}

function sample(kind) {
  return svg(
    "svg",
    { class: `glyph node kind-${kind}`, width: 14, height: 14, viewBox: "-8 -8 16 16", "aria-hidden": "true" },
    svg("path", { class: "shape", d: nodeShape({ kind }, 4.5) }),
  );
}

function line(sign) {
  return svg(
    "svg",
    { width: 26, height: 8, viewBox: "0 0 26 8", "aria-hidden": "true" },
    svg("path", { class: `edge among ${sign}`, d: "M0 4H26", "stroke-width": 2.5 }),
  );
}

function mountLegend(model) {
  const groups = [...model.groups.values()].map((group) =>
    el(
      "span",
      { class: "chip" },
      el(
        "button",
        { type: "button", "data-group": group.name, onclick: () => toggleGroup(group.name) },
        groupGlyph(group.style, group.status),
        ` ${group.label}`,
      ),
      entryBadge(group.status, group.claim?.id),
    ),
  );
  const kinds = new Set(model.nodes.map((node) => node.kind));
  const other = [
    ["error", "error"],
    ["constant", "constant"],
  ].filter(([kind]) => kinds.has(kind));
  const loose = model.nodes.some((node) => node.kind === "unit" && !node.group);
  replace(
    byId("legend"),
    groups,
    el(
      "span",
      { class: "keys" },
      loose ? el("span", null, groupGlyph(0, "not_judged"), groups.length ? "no group" : "unit") : null,
      other.map(([kind, name]) => el("span", null, sample(kind), name)),
      el("span", null, line("positive"), "raises"),
      el("span", null, line("negative"), "lowers"),
    ),
  );
}

function refreshPins(model, { pins }) {
  const nodes = pins.map((id) => model.byId.get(id)).filter(Boolean);
  const among = pinnedEdges(model, pins);
  byId("pins").hidden = !nodes.length;
  replace(
    byId("pins"),
    el("b", null, `Pinned ${nodes.length}`),
    nodes.map((node) =>
      el(
        "span",
        { class: "pin" },
        link(clip(node.name, 24), () => select(node.id)),
        el(
          "button",
          { type: "button", class: "remove", "aria-label": `Unpin ${node.name}`, onclick: () => togglePin(node.id) },
          "×",
        ),
      ),
    ),
    link("unpin all", () => set({ pins: [] }, { step: true })),
    among.length
      ? el(
          "span",
          { class: "among-list" },
          among
            .slice(0, 6)
            .map((edge) =>
              el(
                "span",
                { class: edge.weight < 0 ? "negative" : "positive" },
                `${clip(edge.from.name, 16)} → ${clip(edge.to.name, 16)} ${signed(edge.weight)}`,
              ),
            ),
          among.length > 6 ? el("span", { class: "soft" }, `and ${among.length - 6} more`) : null,
        )
      : null,
  );
}

const KEYS = [
  ["↑ ↓", "travel along the strongest edge, up to a target or down to a source"],
  ["← →", "the next-strongest edge of the same kind; with no edge travelled, the neighbour in the row"],
  ["Enter", "select the node in focus"],
  ["p", "pin or unpin the selected node (so does Ctrl- or ⌘-click)"],
  ["/", "search"],
  ["v", "graph or table"],
  ["l", "the ledger: every claim, and what contradicts it"],
  ["z", "take the last step back (so does the browser's Back)"],
  ["Esc", "close the search, the lit group or the panel"],
  ["?", "this help"],
];
const READING = [
  "Tokens run from left to right, layers from bottom to top. A unit's size is its influence: the share of the answer's paths that pass through it.",
  "An edge is a source's direct effect on its target with attention and norm denominators held still. Blue and solid raises, orange and dashed lowers; its width is its share of the target's input. All edges into a node add up to its input, up to the closure gap.",
  "Colour and shape name a group of units. The fill is the group's verdict: full where its claim held, hollow and dashed where it failed, faint where it is undecided or was not judged.",
  "Replacement and completeness are bounds: the low end counts everything left out as error, the high end leaves it out.",
];

function mountHelp() {
  const dialog = byId("help");
  replace(
    dialog,
    el(
      "div",
      { class: "head-line" },
      el("h2", { id: "help-title" }, "How to read and move"),
      el("button", { type: "button", "aria-label": "Close help", onclick: () => dialog.close() }, "×"),
    ),
    READING.map((text) => el("p", null, text)),
    el(
      "dl",
      { class: "key-list" },
      KEYS.map(([key, text]) => [
        el(
          "dt",
          null,
          key.split(" ").map((k) => el("kbd", null, k)),
        ),
        el("dd", null, text),
      ]),
    ),
  );
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}
