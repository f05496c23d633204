// The claims, failed ones first: what was predicted, what was measured, what the controls did.

import { badge } from "./badge.js";
import { byId, el, facts, replace, shareRow } from "./dom.js";
import { count, number, percent, words } from "./format.js";
import { entryLink } from "./ledger.js";
import { groupGlyph } from "./shapes.js";
import { failedFirst } from "./model.js";
import { get, set } from "./state.js";

const PREDICTION = /^(.+?)\s*(>=|<=)\s*([-+0-9.eE]+)$/;
const SIGNS = { ">=": "≥", "<=": "≤" };
const LEVELS = {
  E0: "anecdote",
  E1: "correlational",
  E2: "decodable",
  E3: "intervention: sufficiency",
  E4: "intervention: necessity",
  E5: "mechanism",
};

export function mountClaims(model) {
  const claims = failedFirst(model.view.claims);
  byId("claims").classList.toggle("none", !claims.length && !model.groups.size);
  replace(
    byId("claims"),
    el("h2", null, "Claims", claims.length ? el("span", { class: "soft" }, " failed ones first · ") : null, entryLink("", "ledger")),
    claims.length ? claims.map((claim) => card(claim, model)) : unjudged(model),
  );
}

function unjudged(model) {
  const text =
    "Not judged. This graph says what the model's parts add up to; no claim about it was tested by intervening on the model.";
  return [el("p", { class: "empty" }, text), groupRows([...model.groups.values()])];
}

function card(claim, model) {
  const predictions = new Map(
    claim.predictions
      .map((text) => PREDICTION.exec(text))
      .filter(Boolean)
      .map((m) => [m[1], m]),
  );
  const groups = [...model.groups.values()].filter((group) => group.claim_id === claim.id);
  const level = el(
    "span",
    { class: "level", title: LEVELS[claim.evidence_level] },
    `${claim.evidence_level} · ${LEVELS[claim.evidence_level] ?? ""}`,
  );
  return el(
    "article",
    { class: `claim ${claim.status}`, tabindex: -1, "data-claim": claim.id },
    el("div", { class: "claim-head" }, entryLink(claim.id, badge(claim.status)), level),
    el("p", { class: "claim-text" }, claim.text),
    claim.scores.map((score) => scoreRow(score, predictions.get(score.name), claim.controls)),
    claim.controls.map((control) =>
      el(
        "p",
        { class: "control" },
        el("i", { class: "swatch", "aria-hidden": "true" }),
        Number.isFinite(control.n_won)
          ? `${control.n_won} of ${control.n} ${words(control.name)} did the same`
          : `${control.n} ${words(control.name)} as controls`,
      ),
    ),
    groupRows(groups),
    claim.notes.map((note) => el("p", { class: "note" }, note)),
    moreNumbers(claim.facts),
  );
}

function moreNumbers(record) {
  const plain = Object.entries(record ?? {}).filter(([, value]) => typeof value !== "object");
  if (!plain.length) return null;
  const written = plain.map(([name, value]) => [name, typeof value === "number" ? number(value) : String(value)]);
  return el("details", null, el("summary", null, "more numbers"), facts(Object.fromEntries(written)));
}

/** The ends of an axis that holds every number; shares that spread widely get the whole of 0 to 1. */
function domain(values) {
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const positive = low >= 0;
  const shares = positive && high <= 1;
  if (shares && high - low > 0.35) return [0, 1];
  const pad = (high - low || Math.abs(high) || 1) * 0.12;
  [low, high] = [low - pad, high + pad];
  return [positive ? Math.max(0, low) : low, shares ? Math.min(1, high) : high];
}

function scoreRow(score, prediction, controls) {
  const drawn = controls.flatMap((control) =>
    control.scores.filter((s) => s.name === score.name).map((s) => ({ ...s, n: control.n })),
  );
  const bar = prediction ? Number(prediction[3]) : null;
  const values = [
    score.value,
    score.low,
    score.high,
    ...drawn.flatMap((s) => [s.low, s.high]),
    ...(bar === null ? [] : [bar]),
  ];
  const [low, high] = domain(values.filter(Number.isFinite));
  const x = (value) => `${(100 * (value - low)) / (high - low || 1)}%`;
  const span = (from, to) => ({ left: x(from), width: `max(2px, ${(100 * (to - from)) / (high - low || 1)}%)` });
  const needs = prediction ? `${SIGNS[prediction[2]]} ${number(bar)}` : "";
  const told = [
    `${words(score.name)} ${number(score.value)}, interval ${number(score.low)} to ${number(score.high)}, n ${score.n}`,
  ];
  if (prediction) told.push(`needs ${needs}`);
  for (const s of drawn) told.push(`controls ${number(s.low)} to ${number(s.high)}, mean ${number(s.value)}`);
  return el(
    "div",
    { class: "score" },
    el(
      "div",
      { class: "score-head" },
      el("span", null, words(score.name)),
      el(
        "span",
        null,
        el("b", null, number(score.value)),
        needs ? el("span", { class: "soft" }, ` needs ${needs}`) : null,
      ),
    ),
    el(
      "div",
      { class: "track", role: "img", "aria-label": told.join("; ") },
      prediction ? el("i", { class: "zone", style: prediction[2] === ">=" ? span(bar, high) : span(low, bar) }) : null,
      drawn.map((s) => el("i", { class: "controls-range", style: span(s.low, s.high) })),
      drawn.map((s) => el("i", { class: "controls-mean", style: { left: x(s.value) } })),
      prediction ? el("i", { class: "threshold", style: { left: x(bar) } }) : null,
      el("i", { class: "interval", style: span(score.low, score.high) }),
      el("i", { class: "dot", style: { left: x(score.value) } }),
    ),
    el(
      "div",
      { class: "axis" },
      el("span", null, number(low, 3)),
      el("span", null, `[${number(score.low)}, ${number(score.high)}] · n ${count(score.n)}`),
      el("span", null, number(high, 3)),
    ),
  );
}

/** The groups a claim is about: a button that lights them up, and their shares. */
export function groupRows(groups) {
  return groups.map((group) =>
    el(
      "div",
      { class: "group" },
      el(
        "button",
        { type: "button", class: "group-name", "data-group": group.name, onclick: () => toggleGroup(group.name) },
        groupGlyph(group.style, group.status),
        group.label,
        el("span", { class: "soft" }, group.n_units ? ` ${group.n_units} units` : ""),
      ),
      Number.isFinite(group.share_live) ? shareRow("of live units", group.share_live, percent(group.share_live)) : null,
      Number.isFinite(group.share_influence)
        ? shareRow("of influence", group.share_influence, percent(group.share_influence))
        : null,
    ),
  );
}

export function toggleGroup(name) {
  set({ group: get().group === name ? "" : name });
}
