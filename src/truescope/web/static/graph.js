// The graph: nodes and edges as SVG, the pointer's clicks and hovers. Keys are in keys.js.

import { byId, replace, svg } from "./dom.js";
import { around, drawEdges, edgeLabels } from "./edges.js";
import { clip, count, percent, token } from "./format.js";
import { chipText, layOut, textWidth } from "./layout.js";
import { describe, findNodes, statusOf } from "./model.js";
import { nodeShape } from "./shapes.js";
import { get, select, set, togglePin } from "./state.js";
import { hideTip, showTip } from "./tip.js";

let model;
let layout;
let hovered = null;
const parts = {};
const drawn = new Map();

export function mountGraph(indexed) {
  model = indexed;
  const holder = byId("graph-view");
  parts.bands = svg("g", { class: "bands", "aria-hidden": "true" });
  parts.edges = svg("g", { class: "edges", "aria-hidden": "true" });
  parts.nodes = svg("g", { class: "nodes", role: "group", "aria-label": "Nodes. Arrow keys travel along edges." });
  parts.labels = svg("g", { class: "labels", "aria-hidden": "true" });
  parts.gutter = svg("g", { class: "gutter", "aria-hidden": "true" });
  parts.svg = svg(
    "svg",
    {
      class: "graph",
      id: "graph",
      role: "group",
      "aria-label": "Attribution graph: tokens from left to right, layers from bottom to top",
    },
    parts.bands,
    parts.edges,
    parts.nodes,
    parts.labels,
    parts.gutter,
  );
  replace(holder, parts.svg);
  holder.addEventListener("scroll", () => parts.gutter.setAttribute("transform", `translate(${holder.scrollLeft} 0)`));
  parts.svg.addEventListener("click", onClick);
  parts.svg.addEventListener("pointerover", (event) => hover(nodeAt(event), event));
  parts.svg.addEventListener("pointerleave", () => hover(null));
  parts.svg.addEventListener("focusout", () => hover(null));
  let width = 0;
  let height = 0;
  new ResizeObserver(([{ contentRect: box }]) => {
    if (Math.abs(box.width - width) < 2 && Math.abs(box.height - height) < 2) return;
    [width, height] = [box.width, box.height];
    arrange();
  }).observe(holder);
}

function nodeAt(event) {
  const holder = event.target.closest?.("[data-i]");
  return holder ? model.nodes[Number(holder.dataset.i)] : null;
}

function onClick(event) {
  const node = nodeAt(event);
  const marker = event.target.closest("[data-cell]");
  if (marker) return toggleCell(marker.dataset.cell);
  if (!node) return select("");
  if (event.ctrlKey || event.metaKey) return togglePin(node.id);
  select(node.id);
  drawn.get(node.i)?.focus({ preventScroll: true });
}

export function toggleCell(key) {
  const { open } = get();
  set({ open: open.includes(key) ? open.filter((cell) => cell !== key) : [...open, key] });
}

function hover(node, event) {
  if (node === hovered) return;
  hovered = node;
  if (node && event) showTip(node, model, event);
  else hideTip();
  refresh();
}

/** Nodes of another layer than the chosen one are left out; what enters and leaves the model stays. */
function shows(node) {
  const { layer } = get();
  return layer === "" || node.kind === "token" || node.kind === "logit" || String(node.layer) === layer;
}

function keepIds() {
  const state = get();
  return new Set([
    state.select,
    ...state.pins,
    ...findNodes(model, state.search)
      .slice(0, 200)
      .map((node) => node.id),
  ]);
}

/** Lay out and draw anew: after a resize, a filter, an opened cell. */
export function arrange() {
  const holder = byId("graph-view");
  if (!holder.clientWidth) return;
  const state = get();
  const [width, height] = [holder.clientWidth, Math.max(260, holder.clientHeight - 1)];
  layout = layOut(model, { width, height, open: new Set(state.open), keep: keepIds(), shows, narrow: width < 560 });
  for (const [name, value] of Object.entries({ width: layout.width, height: layout.height }))
    parts.svg.setAttribute(name, value);
  parts.svg.setAttribute("viewBox", `0 0 ${layout.width} ${layout.height}`);
  drawBands();
  drawn.clear();
  const nodes = model.nodes.filter((node) => layout.places.has(node.i)).map(drawNode);
  replace(parts.nodes, nodes, layout.markers.map(drawMarker));
  refresh();
}

function drawBands() {
  const bands = layout.rows.map((row) =>
    svg("rect", { class: row.row % 2 ? "band odd" : "band", x: 0, y: row.y, width: layout.width, height: row.h }),
  );
  const lines = layout.columns.map(({ x }) => svg("line", { class: "column", x1: x, x2: x, y1: 0, y2: layout.height }));
  const seen = new Set(model.nodes.filter((node) => node.kind === "token").map((node) => node.position));
  const bare = model.view.tokens.map((text, i) => {
    if (seen.has(i)) return null;
    const { x, w } = layout.columns[i];
    return svg(
      "text",
      { class: "bare-token", x: x + w / 2, y: layout.rows[0].y + layout.rows[0].h / 2 + 4, "text-anchor": "middle" },
      clip(token(text), 14),
    );
  });
  replace(parts.bands, bands, lines, bare);
  const narrow = layout.gutter < 50;
  const name = (row) => (narrow ? row.label.replace("layer ", "L").replace("put", "") : row.label);
  replace(
    parts.gutter,
    svg("rect", { class: "gutter-back", width: layout.gutter - 1, height: layout.height }),
    layout.rows.map((row) => svg("text", { x: 8, y: row.y + row.h / 2 + 4 }, name(row))),
  );
}

function drawNode(node) {
  const at = layout.places.get(node.i);
  const style = node.groupRecord?.style ?? 0;
  const holder = svg("g", {
    class: `node kind-${node.kind} group-${style} ${statusOf(node)}`,
    transform: `translate(${at.x.toFixed(1)} ${at.y.toFixed(1)})`,
    "data-i": node.i,
    "data-id": node.id,
    role: "button",
    tabindex: -1,
    "aria-label": describe(node, model),
  });
  if (node.kind === "token" || node.kind === "logit") {
    holder.append(
      svg("rect", {
        class: "shape",
        x: -at.w / 2,
        y: -at.h / 2,
        width: at.w,
        height: at.h,
        rx: node.kind === "logit" ? 11 : 5,
      }),
    );
    const logit = node.kind === "logit";
    holder.append(svg("text", logit ? { y: 4, x: 10 - at.w / 2 } : { y: 4, "text-anchor": "middle" }, chipText(node)));
    if (logit)
      holder.append(
        svg("text", { class: "share", y: 4, x: at.w / 2 - 9, "text-anchor": "end" }, percent(node.probability, 2)),
      );
  } else {
    holder.append(svg("circle", { class: "hit", r: Math.max(at.r + 1.5, 6) }));
    holder.append(svg("path", { class: "shape", d: nodeShape(node, at.r) }));
  }
  holder.addEventListener("focus", () => hover(node));
  drawn.set(node.i, holder);
  return holder;
}

function drawMarker({ x, y, w, h, key, n }) {
  const label = n ? `${n} more, show them` : "fold the less influential nodes";
  return svg(
    "g",
    {
      class: "more",
      transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`,
      "data-cell": key,
      role: "button",
      tabindex: 0,
      "aria-label": label,
    },
    svg("rect", { x: -w / 2, y: -h / 2, width: w, height: h, rx: 8 }),
    svg("text", { y: 4, "text-anchor": "middle" }, n ? `+${n}` : "fold"),
  );
}

/** Everything that follows the state without moving a node: focus, pins, dimming, edges. */
export function refresh() {
  if (!layout) return;
  const state = get();
  const selected = model.byId.get(state.select) ?? null;
  const focus = hovered ?? selected;
  const drawnEdges = focus ? around(focus) : [];
  const near = new Set([focus, ...drawnEdges.flatMap((edge) => [edge.from, edge.to])]);
  const pins = new Set(state.pins);
  const found = state.search ? new Set(findNodes(model, state.search)) : null;
  let entry = selected && drawn.has(selected.i) ? selected : null;
  for (const [i, holder] of drawn) {
    const node = model.nodes[i];
    const out = found
      ? !found.has(node)
      : state.group
        ? node.group !== state.group
        : focus && !near.has(node) && !pins.has(node.id);
    holder.classList.toggle("dim", Boolean(out) && node !== focus);
    holder.classList.toggle("found", Boolean(found?.has(node)));
    holder.classList.toggle("selected", node === selected);
    holder.classList.toggle("pinned", pins.has(node.id));
    holder.setAttribute("aria-pressed", String(node === selected));
    holder.setAttribute("tabindex", "-1");
    if (!entry && node.kind === "logit") entry = node;
  }
  drawn.get((entry ?? model.nodes[drawn.keys().next().value])?.i)?.setAttribute("tabindex", "0");
  const shown = drawEdges(parts.edges, model, layout, { state, focus });
  const total = model.edges.length;
  replace(
    byId("edge-count"),
    focus
      ? `${count(focus.inputs.length)} edges in, ${count(focus.outputs.length)} out, the ${count(drawnEdges.length)} weightiest drawn · behind: the ${count(shown)} strongest of ${count(total)}`
      : `the ${count(shown)} strongest of ${count(total)} edges`,
  );
  drawLabels(state, selected);
}

function drawLabels(state, selected) {
  const named = [...state.pins.map((id) => model.byId.get(id)), selected].filter(Boolean);
  const taken = named
    .map((node) => layout.places.get(node.i))
    .filter(Boolean)
    .map(({ x, y, w, h }) => ({ x: x - w / 2, y: y - h / 2, w, h }));
  // The selected node's name first: where two names would lie over each other, the later one stays in the list below.
  const labels = [...new Set(named)].reverse().map((node) => {
    const at = layout.places.get(node.i);
    if (!at || node.kind === "token" || node.kind === "logit") return null;
    const text = clip(node.name, 26);
    const spot = freeSpot(at, textWidth(text), taken);
    if (!spot) return null;
    taken.push(spot);
    return svg("text", { class: "node-label", x: spot.x, y: spot.y + 11 }, text);
  });
  replace(parts.labels, edgeLabels(model, layout, state.pins), labels.filter(Boolean));
}

/** A place for a name beside, above or below its node, clear of the names that already stand. */
function freeSpot(at, w, taken) {
  const h = 15;
  const beside = at.w / 2 + 5;
  const spots = [
    [at.x + beside, at.y - 7],
    [at.x - beside - w, at.y - 7],
    [at.x - w / 2, at.y - at.h / 2 - h - 2],
    [at.x - w / 2, at.y + at.h / 2 + 2],
  ];
  return spots
    .map(([x, y]) => ({ x, y, w, h }))
    .find(
      (a) =>
        a.x > layout.gutter &&
        a.x + w < layout.width &&
        !taken.some((b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h),
    );
}

/** Bring the selected node into view and give it the focus, if the keyboard is in the graph. */
export function reveal(id, { focus = false } = {}) {
  const node = model.byId.get(id);
  if (!node) return;
  if (layout && !layout.places.has(node.i)) arrange();
  const holder = drawn.get(node.i);
  if (!holder) return;
  const [view, at] = [byId("graph-view"), layout.places.get(node.i)];
  if (at.x < view.scrollLeft + layout.gutter || at.x > view.scrollLeft + view.clientWidth)
    view.scrollLeft = at.x - view.clientWidth / 2;
  if (at.y < view.scrollTop || at.y > view.scrollTop + view.clientHeight) view.scrollTop = at.y - view.clientHeight / 2;
  if (focus) holder.focus({ preventScroll: true });
}

/** The nodes of one row from left to right, for the keyboard. */
export function rowOfNodes(node) {
  const here = layout.places.get(node.i);
  if (!here) return [];
  const row = (y) => layout.rows.find((band) => y >= band.y && y <= band.y + band.h);
  return model.nodes
    .filter((other) => layout.places.has(other.i) && row(layout.places.get(other.i).y) === row(here.y))
    .sort((a, b) => layout.places.get(a.i).x - layout.places.get(b.i).x || a.i - b.i);
}
