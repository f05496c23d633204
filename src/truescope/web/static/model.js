// The view with what the page looks up again and again: neighbours, names, groups, verdicts. Nothing here draws.

import { clip, token } from "./format.js";

export const STATUSES = {
  failed: { glyph: "✗", word: "failed", order: 0 },
  undecided: { glyph: "?", word: "undecided", order: 1 },
  not_testable: { glyph: "–", word: "not testable", order: 2 },
  held: { glyph: "✓", word: "held", order: 3 },
  not_judged: { glyph: "○", word: "not judged", order: 4 },
};

export const KINDS = { unit: "unit", error: "error", token: "token", constant: "constant", logit: "output" };
export const N_STYLES = 8;

/** Claims with the failed ones first. */
export function failedFirst(claims) {
  const rank = (claim) => STATUSES[claim.status]?.order ?? 9;
  return claims
    .map((claim, i) => [claim, i])
    .sort(([a, i], [b, j]) => rank(a) - rank(b) || i - j)
    .map(([c]) => c);
}

function nameOf(node, view) {
  const place = token(view.tokens[node.position] ?? "");
  if (node.kind === "unit") {
    const address = `${node.layer}/${node.index}`;
    return node.label && node.label !== address ? node.label : `unit ${address}`;
  }
  if (node.kind === "token") return place;
  if (node.kind === "logit") return token(node.label || `#${node.index}`);
  if (node.kind === "error") return node.label || `error of layer ${node.layer}`;
  return node.label || String(node.constant).replaceAll("_", " ");
}

/** Where a node stands, in words. */
export function placeOf(node, model) {
  const at = `at ${clip(token(model.view.tokens[node.position] ?? "?"), 16)} (position ${node.position})`;
  if (node.layer < 0) return `input, ${at}`;
  return node.layer >= model.view.n_layers ? `output, ${at}` : `layer ${node.layer}, ${at}`;
}

/** Index the view: `nodes` (each with `inputs` and `outputs`, strongest first), `edges`, `groups`, `claims`. */
export function indexView(view) {
  const claims = new Map(view.claims.map((claim) => [claim.id, claim]));
  const groups = new Map();
  for (const group of view.groups) addGroup(groups, group, claims);
  for (const node of view.graph.nodes) {
    if (node.group && !groups.has(node.group)) {
      addGroup(groups, { name: node.group, label: node.group, claim_id: null }, claims);
    }
  }
  const model = { view, claims, groups, byId: new Map() };
  model.nodes = view.graph.nodes.map((node, i) => ({
    ...node,
    i,
    name: nameOf(node, view),
    inputs: [],
    outputs: [],
    groupRecord: groups.get(node.group) ?? null,
  }));
  for (const node of model.nodes) {
    model.byId.set(node.id, node);
    node.words = [node.name, node.id, KINDS[node.kind], node.groupRecord?.label, node.index, view.tokens[node.position]]
      .join(" ")
      .toLowerCase();
  }
  model.edges = view.graph.edges.map(({ source, target, weight, share }, i) => {
    const [from, to] = [model.nodes[source], model.nodes[target]];
    // What an edge carries: the share of its target's input, times how much the outputs hang on that target.
    const edge = { i, from, to, weight, share, strength: share * (to.influence || to.probability || 0) };
    from.outputs.push(edge);
    to.inputs.push(edge);
    return edge;
  });
  for (const node of model.nodes) {
    node.inputs.sort(byWeight);
    node.outputs.sort(byWeight);
  }
  model.strongest = [...model.edges].sort((a, b) => b.strength - a.strength || a.i - b.i);
  model.maxInfluence = Math.max(1e-12, ...model.nodes.filter((n) => n.kind === "unit").map((n) => n.influence));
  return model;
}

function addGroup(groups, group, claims) {
  const claim = claims.get(group.claim_id) ?? null;
  const status = claim ? claim.status : "not_judged";
  groups.set(group.name, {
    ...group,
    label: group.label || group.name,
    style: (groups.size % N_STYLES) + 1,
    claim,
    status,
  });
}

function byWeight(a, b) {
  return Math.abs(b.weight) - Math.abs(a.weight) || a.i - b.i;
}

/** The nodes that all words of a search are found in, the most influential first. */
export function findNodes(model, search) {
  const asked = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (!asked.length) return [];
  return model.nodes
    .filter((node) => asked.every((word) => node.words.includes(word)))
    .sort((a, b) => b.influence - a.influence || a.i - b.i);
}

export function statusOf(node) {
  return node.groupRecord?.status ?? "not_judged";
}

/** One sentence that says what a node is, for a tooltip's reader and a screen's. */
export function describe(node, model) {
  const parts = [`${node.name}, ${KINDS[node.kind]}, ${placeOf(node, model)}`];
  parts.push(`influence ${(node.influence * 100).toFixed(1)} %`);
  if (node.kind === "logit") parts.push(`probability ${(node.probability * 100).toFixed(1)} %`);
  if (node.groupRecord) parts.push(`group ${node.groupRecord.label}, ${STATUSES[statusOf(node)].word}`);
  return parts.join("; ");
}

/** The answer: the likeliest output. */
export function likeliest(model) {
  return model.nodes.filter((node) => node.kind === "logit").sort((a, b) => b.probability - a.probability)[0];
}
