// Where records come from: the page itself when it is one file, the local server otherwise.

import { byId } from "./dom.js";

let embedded;

function inPage() {
  if (embedded === undefined) {
    const holder = byId("truescope-data");
    embedded = holder ? JSON.parse(holder.textContent) : null;
  }
  return embedded;
}

async function fetched(path) {
  let answer;
  try {
    answer = await fetch(path);
  } catch {
    throw new Error("The server does not answer; it was probably stopped. Start it again and reload this page.");
  }
  const record = await answer.json();
  if (!answer.ok) throw new Error(record.reason ?? `The server answered ${answer.status}.`);
  return record;
}

export async function loadView() {
  return inPage()?.view ?? fetched("/api/view.json");
}

/** The ledger's claims and conflicts; a page in one file that was written without one has its own claims. */
export async function loadLedger() {
  const page = inPage();
  if (page) return page.ledger ?? { claims: page.view.claims, conflicts: [] };
  return fetched("/api/ledger.json");
}

const units = new Map();

/** A unit's evidence; rejects with a reason where none was gathered. Asked for once. */
export function loadUnit(layer, index) {
  const key = `${layer}/${index}`;
  if (!units.has(key)) {
    const page = inPage();
    const record = page?.units[key];
    if (record) units.set(key, Promise.resolve(record));
    else if (page) units.set(key, Promise.reject(new Error(`no evidence was gathered for unit ${key}`)));
    else units.set(key, fetched(`/api/units/${layer}/${index}.json`));
    units.get(key).catch(() => {});
  }
  return units.get(key);
}

let plotly;

/** plotly, loaded when the first chart needs it. */
export function loadPlotly() {
  plotly ??= window.Plotly
    ? Promise.resolve(window.Plotly)
    : new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = "/plotly.min.js";
        script.onload = () => resolve(window.Plotly);
        script.onerror = () => reject(new Error("plotly's script did not load"));
        document.head.append(script);
      });
  return plotly;
}
