// Edges: which are drawn, and how. Blue and solid raises its target, orange and dashed lowers it; width is the share.

import { replace, svg } from "./dom.js";
import { signed } from "./format.js";

const FOCUS = 60;

/** The curve of an edge: from the top of its source straight up, into its target from below. */
function curve(from, to) {
  const [x1, y1, x2, y2] = [from.x, from.y - from.h / 2, to.x, to.y + to.h / 2];
  const bend = Math.max(14, Math.abs(y1 - y2) * 0.5);
  return [
    [x1, y1],
    [x1, y1 - bend],
    [x2, y2 + bend],
    [x2, y2],
  ];
}

function path(from, to) {
  const [start, ...rest] = curve(from, to).map((point) => point.map((value) => value.toFixed(1)).join(" "));
  return `M${start}C${rest.join(" ")}`;
}

/** The point of a curve at `t` between 0 (source) and 1 (target). */
function pointAt(points, t) {
  const shares = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t ** 3];
  return [0, 1].map((axis) => points.reduce((sum, point, k) => sum + shares[k] * point[axis], 0));
}

function draw(edge, layout, kind) {
  const from = layout.places.get(edge.from.i) ?? layout.behind.get(edge.from.i);
  const to = layout.places.get(edge.to.i) ?? layout.behind.get(edge.to.i);
  if (!from || !to) return null;
  return svg("path", {
    class: `edge ${kind} ${edge.weight < 0 ? "negative" : "positive"}`,
    d: path(from, to),
    "stroke-width": (0.6 + (kind === "far" ? 2.6 : 4.2) * Math.sqrt(Math.min(1, edge.share))).toFixed(2),
    "data-edge": edge.i,
  });
}

/** The edges of one node, both ways, the weightiest first, no more than a person can see. */
export function around(node) {
  return [...node.inputs.slice(0, FOCUS), ...node.outputs.slice(0, FOCUS)];
}

/** The edges among the pinned nodes. */
export function pinnedEdges(model, pins) {
  const pinned = new Set(pins);
  return pins
    .flatMap((id) => model.byId.get(id)?.inputs ?? [])
    .filter((edge) => pinned.has(edge.from.id))
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
}

/** Draw the strongest edges, the pinned subgraph's, and those of the node in focus. Returns how many stand behind. */
export function drawEdges(holder, model, layout, { state, focus }) {
  const strongest = model.strongest.slice(0, state.edges);
  const among = pinnedEdges(model, state.pins);
  const lines = strongest.map((edge) => draw(edge, layout, "far")).filter(Boolean);
  const shown = lines.length;
  // Weak ones first, so that strong ones lie on top.
  lines.reverse();
  if (focus)
    lines.push(
      ...around(focus)
        .map((edge) => draw(edge, layout, "near"))
        .filter(Boolean)
        .reverse(),
    );
  for (const edge of among) {
    const line = draw(edge, layout, "among");
    if (line) lines.push(line);
  }
  replace(holder, lines);
  holder.classList.toggle("quiet", Boolean(focus) || among.length > 0);
  return shown;
}

/** The weights of the pinned edges, written nearer their sources, where they lie apart. */
export function edgeLabels(model, layout, pins) {
  return pinnedEdges(model, pins)
    .slice(0, 40)
    .map((edge) => {
      const [from, to] = [layout.places.get(edge.from.i), layout.places.get(edge.to.i)];
      if (!from || !to) return null;
      const [x, y] = pointAt(curve(from, to), 0.36);
      return svg("text", { class: "edge-label", x, y: y + 3, "text-anchor": "middle" }, signed(edge.weight));
    })
    .filter(Boolean);
}
