// Search: "/" brings the cursor here; what is found stays bright in the graph, and the best are listed.

import { byId, el, replace } from "./dom.js";
import { clip, percent } from "./format.js";
import { findNodes, KINDS, placeOf } from "./model.js";
import { get, select, set } from "./state.js";

const LISTED = 12;
let model;

export function searchBox(indexed) {
  model = indexed;
  const input = el("input", {
    id: "search",
    type: "search",
    placeholder: "Search nodes  /",
    "aria-label": "Search nodes",
    autocomplete: "off",
    spellcheck: "false",
    role: "combobox",
    "aria-expanded": "false",
    "aria-controls": "results",
    oninput: (event) => set({ search: event.target.value }),
    onkeydown: onKey,
    onfocus: () => showResults(),
    onblur: () => setTimeout(hide, 150),
  });
  input.value = get().search;
  return el(
    "div",
    { class: "search" },
    input,
    el("ul", { id: "results", role: "listbox", "aria-label": "Found nodes", hidden: true }),
  );
}

function hide() {
  byId("results").hidden = true;
  byId("search").setAttribute("aria-expanded", "false");
}

export function showResults() {
  const list = byId("results");
  const { search } = get();
  const input = byId("search");
  if (input.value !== search) input.value = search;
  if (!search || document.activeElement !== input) return hide();
  const found = findNodes(model, search);
  replace(
    list,
    found
      .slice(0, LISTED)
      .map((node) =>
        el(
          "li",
          { role: "option", "data-node": node.id, onpointerdown: (event) => (event.preventDefault(), choose(node)) },
          el("span", null, clip(node.name, 34)),
          el("span", { class: "soft" }, `${KINDS[node.kind]}, ${placeOf(node, model)} · ${percent(node.influence, 2)}`),
        ),
      ),
    el("li", { class: "soft", role: "presentation" }, found.length ? `${found.length} found` : "nothing found"),
  );
  list.hidden = false;
  input.setAttribute("aria-expanded", "true");
}

function choose(node) {
  select(node.id);
  hide();
}

function onKey(event) {
  const options = [...byId("results").querySelectorAll("[data-node]")];
  const at = options.findIndex((option) => option.classList.contains("current"));
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const next = options.at((at + (event.key === "ArrowDown" ? 1 : at < 0 ? 0 : -1)) % Math.max(1, options.length));
    for (const option of options) {
      option.classList.toggle("current", option === next);
      option.setAttribute("aria-selected", String(option === next));
    }
  } else if (event.key === "Enter") {
    const id = (options[at] ?? options[0])?.dataset.node;
    if (id) choose(model.byId.get(id));
  } else if (event.key === "Escape") {
    event.stopPropagation();
    if (get().search) set({ search: "" });
    else event.target.blur();
  }
}
