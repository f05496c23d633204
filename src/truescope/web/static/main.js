// Starting: load the view, mount the parts, and let each follow the state.

import { mountClaims } from "./claims.js";
import { loadView } from "./data.js";
import { byId, el, replace } from "./dom.js";
import { arrange, mountGraph, refresh, reveal } from "./graph.js";
import { mountHeader } from "./header.js";
import { mountKeys, say } from "./keys.js";
import { mountLedger } from "./ledger.js";
import { describe, indexView, likeliest } from "./model.js";
import { showPanel } from "./panel.js";
import { showResults } from "./search.js";
import { get, listen } from "./state.js";
import { showTable } from "./table.js";
import { mountTools, refreshTools } from "./tools.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

function paint() {
  const { theme } = get();
  document.documentElement.dataset.theme = theme === "auto" ? (dark.matches ? "dark" : "light") : theme;
}

function showView(model) {
  const { view } = get();
  byId("graph-view").hidden = view !== "graph";
  byId("table-view").hidden = view !== "table";
  if (view === "table") showTable(model);
  else arrange();
}

function follow(model) {
  listen((state, changed) => {
    const has = (...keys) => keys.some((key) => changed.has(key));
    if (has("theme")) paint();
    if (has("theme", "select")) showPanel(model);
    if (has("search")) showResults();
    if (has("view", "open", "layer", "search", "pins")) showView(model);
    else if (state.view === "table" && has("select", "group")) showTable(model);
    else if (state.view === "graph") refresh();
    if (has("pins") && state.select) {
      const pin = byId("pin");
      const pinned = state.pins.includes(state.select);
      if (pin) (pin.setAttribute("aria-pressed", String(pinned)), replace(pin, pinned ? "Unpin" : "Pin"));
    }
    if (has("select") && state.select) {
      reveal(state.select);
      say(describe(model.byId.get(state.select) ?? model.nodes[0], model));
    }
    refreshTools(model);
  });
}

async function start() {
  paint();
  const model = indexView(await loadView());
  mountHeader(model);
  mountClaims(model);
  mountTools(model);
  mountGraph(model);
  mountKeys(model);
  mountLedger();
  follow(model);
  dark.addEventListener("change", () => (paint(), showPanel(model)));
  showView(model);
  showPanel(model);
  refreshTools(model);
  reveal(get().select || likeliest(model)?.id);
  if (get().select && innerWidth <= 760) byId("graph-view").scrollIntoView();
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) =>
  replace(byId("desk"), el("p", { class: "failure", role: "alert" }, `The page cannot be shown. ${error.message}`)),
);
