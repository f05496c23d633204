// What the page shows, kept in the address: a reload, a bookmark and the Back button all bring it back.

const DEFAULTS = {
  select: "",
  pins: [],
  search: "",
  layer: "",
  group: "",
  edges: 120,
  view: "graph",
  open: [],
  theme: "auto",
  ledger: "",
};
const NAMES = { pins: "pin", open: "open" };

let state = read();
const listeners = [];

function read() {
  const query = new URLSearchParams(location.hash.slice(1));
  const found = {};
  for (const [key, usual] of Object.entries(DEFAULTS)) {
    const name = NAMES[key] ?? key;
    if (Array.isArray(usual)) found[key] = query.getAll(name);
    else if (typeof usual === "number") found[key] = Number(query.get(name) ?? usual);
    else found[key] = query.get(name) ?? usual;
    if (Number.isNaN(found[key])) found[key] = usual;
  }
  return found;
}

function address() {
  const query = new URLSearchParams();
  for (const [key, usual] of Object.entries(DEFAULTS)) {
    const values = Array.isArray(usual) ? state[key] : state[key] === usual ? [] : [state[key]];
    for (const value of values) query.append(NAMES[key] ?? key, value);
  }
  return `#${query}`;
}

export function get() {
  return state;
}

export function listen(listener) {
  listeners.push(listener);
}

function tell(before) {
  const changed = new Set(Object.keys(DEFAULTS).filter((key) => String(before[key]) !== String(state[key])));
  if (changed.size) for (const listener of listeners) listener(state, changed);
}

/** Change some of it. `step` makes the change one that Back (and z) takes back. */
export function set(patch, { step = false } = {}) {
  const before = state;
  state = { ...state, ...patch };
  const depth = history.state?.depth ?? 0;
  if (step && address() !== location.hash) history.pushState({ depth: depth + 1 }, "", address());
  else history.replaceState({ depth }, "", address());
  tell(before);
}

export function select(id) {
  set({ select: id }, { step: id !== state.select });
}

export function togglePin(id) {
  const pins = state.pins.includes(id) ? state.pins.filter((pin) => pin !== id) : [...state.pins, id];
  set({ pins }, { step: true });
}

/** Take the last step back; false where there is none. */
export function undo() {
  if (!history.state?.depth) return false;
  history.back();
  return true;
}

addEventListener("popstate", () => {
  const before = state;
  state = read();
  tell(before);
});
