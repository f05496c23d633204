// Shapes: a group has a colour and a shape, a verdict has a fill, so neither hangs on colour alone.

import { svg } from "./dom.js";

function polygon(r, n, turn, inner = 1) {
  const points = [];
  for (let k = 0; k < n; k++) {
    const size = inner !== 1 && k % 2 ? r * inner : r;
    const angle = turn + (2 * Math.PI * k) / n;
    points.push(`${(size * Math.cos(angle)).toFixed(2)} ${(size * Math.sin(angle)).toFixed(2)}`);
  }
  return `M${points.join("L")}Z`;
}

function circle(r) {
  return `M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`;
}

const UP = -Math.PI / 2;
const GROUPS = [
  circle,
  (r) => polygon(r * 1.12, 4, Math.PI / 4),
  (r) => polygon(r * 1.12, 3, UP),
  (r) => polygon(r * 1.05, 6, 0),
  (r) => polygon(r * 1.12, 3, -UP),
  (r) => polygon(r * 1.05, 5, UP),
  (r) => polygon(r * 1.15, 10, UP, 0.55),
  (r) => polygon(r * 1.05, 8, Math.PI / 8),
  (r) => polygon(r * 1.15, 8, UP, 0.6),
];

/** The outline of a unit in a group's style (0: no group). */
export function groupShape(style, r) {
  return GROUPS[style % GROUPS.length](r);
}

/** The outline of a node that is no chip. */
export function nodeShape(node, r) {
  if (node.kind === "error") return polygon(r * 1.25, 4, 0);
  if (node.kind === "constant") return `M${-r} 0H${r}M0 ${-r}V${r}`;
  return groupShape(node.groupRecord?.style ?? 0, r);
}

/** A small drawing of a group's shape in its verdict's fill, for legends and cards. */
export function groupGlyph(style, status, size = 14) {
  return svg(
    "svg",
    {
      class: `glyph node kind-unit group-${style} ${status}`,
      width: size,
      height: size,
      viewBox: "-8 -8 16 16",
      "aria-hidden": "true",
    },
    svg("path", { class: "shape", d: groupShape(style, 5.5) }),
  );
}
