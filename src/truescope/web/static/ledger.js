// The ledger: every claim that was stated, failed ones first, and beside each what contradicts it.

import { badge } from "./badge.js";
import { loadLedger } from "./data.js";
import { byId, el, replace } from "./dom.js";
import { count, number, words } from "./format.js";
import { failedFirst } from "./model.js";
import { get, listen, set } from "./state.js";

const ALL = "all";
let shown = "";

export function mountLedger() {
  const dialog = byId("ledger");
  dialog.addEventListener("close", () => get().ledger && set({ ledger: "" }));
  listen((state, changed) => changed.has("ledger") && follow());
  follow();
}

/** A link to an entry; without an id, to the whole ledger. */
export function entryLink(id, ...children) {
  const open = (event) => (event.preventDefault(), set({ ledger: id || ALL }, { step: true }));
  return el("a", { href: `#ledger=${id || ALL}`, class: "plain entry-link", onclick: open }, ...children);
}

/** The badge of a verdict, which leads to the entry of its claim where it has one. */
export function entryBadge(status, id, told = "") {
  return id ? entryLink(id, badge(status, told)) : badge(status, told);
}

async function follow() {
  const wanted = get().ledger;
  const dialog = byId("ledger");
  if (!wanted) return dialog.open && dialog.close();
  if (!dialog.open) dialog.showModal();
  if (shown !== "drawn") await draw(dialog);
  const entry = wanted === ALL ? null : dialog.querySelector(`[data-entry="${CSS.escape(wanted)}"]`);
  for (const open of dialog.querySelectorAll(".entry.chosen")) open.classList.remove("chosen");
  if (entry) (entry.classList.add("chosen"), entry.querySelector("details").setAttribute("open", ""));
  if (entry) (entry.scrollIntoView({ block: "center" }), entry.focus());
  byId("ledger-missing").hidden = Boolean(entry) || wanted === ALL;
}

async function draw(dialog) {
  let ledger;
  try {
    ledger = await loadLedger();
    shown = "drawn";
  } catch (error) {
    ledger = { claims: [], conflicts: [], failure: error.message };
  }
  const claims = failedFirst(ledger.claims);
  const byClaim = new Map(claims.map((claim) => [claim.id, claim]));
  replace(
    dialog,
    el(
      "header",
      { class: "ledger-head" },
      el("h2", { id: "ledger-title" }, "Ledger", el("span", { class: "soft" }, ` ${count(claims.length)} claims`)),
      el("button", { type: "button", onclick: () => dialog.close() }, "Close"),
    ),
    el("p", { id: "ledger-missing", class: "note", hidden: true }, "This claim is not in the ledger that was read."),
    ledger.failure ? el("p", { class: "failure", role: "alert" }, ledger.failure) : null,
    ledger.conflicts.length ? conflicts(ledger.conflicts, byClaim) : null,
    claims.length ? el("ol", { class: "entries" }, claims.map(entry)) : el("p", { class: "soft" }, "No claims yet."),
  );
}

function conflicts(found, byClaim) {
  return el(
    "section",
    { class: "conflicts", "aria-label": "Entries that contradict each other" },
    el("h3", null, "These contradict each other"),
    found.map((conflict) =>
      el(
        "div",
        { class: "conflict" },
        el("p", null, el("b", null, conflict.sentence)),
        conflict.claims.map((id) => {
          const claim = byClaim.get(id);
          return claim ? el("p", null, entryLink(id, badge(claim.status), ` ${claim.sentence ?? claim.text}`)) : null;
        }),
      ),
    ),
  );
}

function entry(claim) {
  return el(
    "li",
    { class: `entry ${claim.status}`, tabindex: -1, "data-entry": claim.id },
    el("div", { class: "claim-head" }, entryLink(claim.id, badge(claim.status)), el("span", { class: "level" }, claim.evidence_level), el("code", { class: "soft" }, claim.id)),
    el("p", { class: "claim-text" }, claim.text),
    claim.sentence ? el("p", { class: "soft" }, claim.sentence) : null,
    el("details", null, el("summary", null, "the whole entry"), el("dl", { class: "facts" }, rows(claim))),
  );
}

function rows(claim) {
  const told = [["type", claim.type], ["predicted", (claim.predictions ?? []).join("; ")]];
  for (const s of claim.scores ?? [])
    told.push([words(s.name), `${number(s.value)} [${number(s.low)}, ${number(s.high)}], n ${count(s.n)}`]);
  for (const c of claim.controls ?? []) told.push([c.name, `${count(c.n_won)} of ${count(c.n)} did the same`]);
  for (const name of ["metric", "correction", "assumptions", "threats", "scope", "depends_on", "notes"])
    if (claim[name]?.length) told.push([words(name), [claim[name]].flat().join("; ")]);
  for (const name of ["target", "population", "seeds"]) if (claim[name]) told.push([name, plain(claim[name])]);
  if (claim.stated_at) told.push(["stated", `${claim.stated_at}, truescope ${claim.stated_by?.versions?.truescope ?? "?"}`]);
  for (const event of claim.history ?? [])
    told.push([event.rerun ? "run again" : "judged", `${event.at}: ${words(event.status)}`]);
  if (claim.procedure) told.push(["run it again", `truescope claims rerun ${claim.id}`]);
  return told.filter(([, value]) => value).map(([name, value]) => [el("dt", null, name), el("dd", null, value)]);
}

function plain(record) {
  const text = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));
  return Object.entries(record)
    .map(([name, value]) => `${words(name)} ${text(value)}`)
    .join("; ");
}
