// Where everything stands: x = tokens, y = layers, bottom to top. Pure geometry, no drawing.
//
// A cell (layer × token) packs its nodes in centred lines, one group beside the next. A column is as wide as its fullest
// cell asks for; where a cell would outgrow its row, the least influential nodes are folded into one "+n" marker.

import { clip, percent, token } from "./format.js";

const GAP = 3;
const RAIL = 11;
const MARK = { w: 34, h: 17 };
const PAD = 7;

/** Width of a text in the graph's small type, near enough to lay out by. */
export function textWidth(text) {
  return Math.ceil([...text].length * 6.7);
}

export function chipText(node) {
  return clip(node.name, node.kind === "logit" ? 12 : 14);
}

function sizeOf(node, model) {
  if (node.kind === "token") return { w: textWidth(chipText(node)) + 14, h: 22 };
  if (node.kind === "logit") return { w: textWidth(chipText(node) + percent(node.probability, 2)) + 30, h: 22 };
  const r = node.kind === "unit" ? 4.5 + 7 * Math.sqrt(Math.min(1, node.influence / model.maxInfluence)) : 4;
  return { w: 2 * r, h: 2 * r, r };
}

function rowOf(node, model) {
  return node.kind === "logit" ? model.view.n_layers + 1 : Math.max(-1, Math.min(node.layer, model.view.n_layers)) + 1;
}

function isRail(node, row) {
  return row > 0 && (node.kind === "constant" || node.kind === "error");
}

/** Centred lines of boxes, at most `width` wide; gives each its place in the cell and the height of all. */
function flow(boxes, width) {
  const lines = [];
  for (const box of boxes) {
    let line = lines.at(-1);
    if (!line || line.w + GAP + box.w > width) lines.push((line = { w: -GAP, h: 0, boxes: [] }));
    line.w += GAP + box.w;
    line.h = Math.max(line.h, box.h);
    line.boxes.push(box);
  }
  let y = 0;
  const placed = [];
  for (const line of lines) {
    let x = (width - line.w) / 2;
    for (const box of line.boxes) {
      placed.push({ box, x: x + box.w / 2, y: y + line.h / 2 });
      x += box.w + GAP;
    }
    y += line.h + GAP;
  }
  return { placed, height: Math.max(0, y - GAP) };
}

function groupOrder(a, b) {
  return (a.node.groupRecord?.style ?? 99) - (b.node.groupRecord?.style ?? 99) || b.node.influence - a.node.influence;
}

/** A cell's main boxes: as many as fit `budget`, the rest under a marker. Kept nodes are never folded. */
function pack(boxes, width, budget, open, keep) {
  const ranked = [...boxes].sort(
    (a, b) => keep.has(b.node.id) - keep.has(a.node.id) || b.node.influence - a.node.influence,
  );
  const all = flow([...ranked].sort(groupOrder), width);
  const kept = ranked.filter((box) => keep.has(box.node.id)).length;
  if (all.height <= budget) return { ...all, folded: [], foldable: false };
  const marker = { marker: true, ...MARK };
  if (open) return { ...flow([...ranked].sort(groupOrder).concat(marker), width), folded: [], foldable: true };
  let [low, high] = [Math.max(kept, 1), ranked.length];
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if (flow(ranked.slice(0, middle).concat(marker), width).height <= budget) low = middle;
    else high = middle;
  }
  const shown = ranked.slice(0, low).sort(groupOrder);
  return { ...flow(shown.concat(marker), width), folded: ranked.slice(low).map((box) => box.node), foldable: true };
}

function gather(model, shows) {
  const cells = new Map();
  for (const node of model.nodes) {
    if (!shows(node)) continue;
    const row = rowOf(node, model);
    const key = `${row}:${node.position}`;
    if (!cells.has(key)) cells.set(key, { key, row, column: node.position, main: [], rail: [] });
    cells.get(key)[isRail(node, row) ? "rail" : "main"].push({ node, ...sizeOf(node, model) });
  }
  return [...cells.values()];
}

function columnWidths(model, cells, width) {
  const least = model.view.tokens.map((text) => Math.max(46, textWidth(clip(token(text), 14)) + 18));
  const area = least.map(() => 1);
  for (const { column, main, rail } of cells) {
    const boxes = [...main, ...rail];
    const taken = boxes.reduce((sum, box) => sum + (box.w + GAP) * (box.h + GAP), 0);
    area[column] = Math.max(area[column], taken);
    // A full cell is at least nearly square; it is the graph that scrolls where a window is narrow.
    least[column] = Math.max(
      least[column],
      Math.min(150, Math.sqrt(taken) * 1.1 + 2 * PAD),
      ...boxes.map((box) => box.w + 2 * PAD),
    );
  }
  const spare = Math.max(0, width - least.reduce((a, b) => a + b, 0));
  const total = area.reduce((a, b) => a + b, 0);
  return least.map((w, i) => w + (spare * area[i]) / total);
}

/**
 * Lay out the shown nodes in at least `width` × `height` pixels.
 * Returns `places` (node index → {x, y, w, h, r}), `markers`, `behind` (folded node index → its marker's place),
 * `columns`, `rows` and the size of the whole.
 */
export function layOut(model, { width, height, open, keep, shows, narrow }) {
  const gutter = narrow ? 34 : 62;
  const cells = gather(model, shows);
  const widths = columnWidths(model, cells, width - gutter - 2);
  const n = model.view.n_layers;
  const budget = Math.max(52, (height - 110) / Math.max(1, n) - 2 * PAD - RAIL - GAP);
  for (const cell of cells) {
    const inner = widths[cell.column] - 2 * PAD;
    const edge = cell.row === 0 || cell.row === n + 1;
    cell.packed = pack(cell.main, inner, edge ? Infinity : budget, open.has(cell.key), keep);
    cell.railed = flow(cell.rail.sort(groupOrder), inner);
    cell.height = cell.packed.height + (cell.rail.length ? cell.railed.height + (cell.main.length ? GAP + 2 : 0) : 0);
  }
  const rows = rowHeights(cells, n, height);
  const columns = [];
  let x = gutter;
  for (const w of widths) (columns.push({ x, w }), (x += w));
  const result = {
    width: x + 2,
    height: rows[0].y + rows[0].h,
    gutter,
    columns,
    rows,
    places: new Map(),
    markers: [],
    behind: new Map(),
  };
  for (const cell of cells) place(cell, result);
  return result;
}

function rowHeights(cells, n, height) {
  const rows = Array.from({ length: n + 2 }, (_, row) => ({
    row,
    h: row === 0 || row === n + 1 ? 40 : 34,
    label: row === 0 ? "input" : row === n + 1 ? "output" : `layer ${row - 1}`,
  }));
  for (const cell of cells) rows[cell.row].h = Math.max(rows[cell.row].h, cell.height + 2 * PAD);
  const spare = Math.max(0, height - rows.reduce((sum, row) => sum + row.h, 0));
  for (const row of rows) if (row.row > 0 && row.row <= n) row.h += spare / Math.max(1, n);
  let y = 0;
  for (const row of [...rows].reverse()) ((row.y = y), (y += row.h));
  return rows;
}

function place(cell, { columns, rows, places, markers, behind }) {
  const [column, row] = [columns[cell.column], rows[cell.row]];
  const left = column.x + PAD;
  const bottom = cell.rail.length ? row.y + row.h - PAD - cell.railed.height : row.y + row.h - PAD;
  const top = row.y + Math.max(PAD, (row.h - cell.height) / 2);
  for (const { box, x, y } of cell.packed.placed) {
    const at = { x: left + x, y: top + y, w: box.w, h: box.h, r: box.r };
    if (!box.marker) places.set(box.node.i, at);
    else {
      markers.push({ ...at, key: cell.key, n: cell.packed.folded.length });
      for (const node of cell.packed.folded) behind.set(node.i, at);
    }
  }
  for (const { box, x, y } of cell.railed.placed) {
    places.set(box.node.i, { x: left + x, y: bottom + y, w: box.w, h: box.h, r: box.r });
  }
}
