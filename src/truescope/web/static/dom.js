// Building elements. Every text goes in as a text node, so nothing that a model or a person wrote is read as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(node.style, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(2)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

/** An HTML element; attributes that start with "on" are listeners, a style is an object. */
export function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export function byId(id) {
  return document.getElementById(id);
}

export function replace(node, ...children) {
  node.replaceChildren();
  return fill(node, null, children);
}

/** A button that reads like a link. */
export function link(text, onclick, attributes) {
  return el("button", { type: "button", class: "link", onclick, ...attributes }, text);
}

/** A named share between 0 and 1 as a bar, its value written out beside it. */
export function shareRow(name, share, shown) {
  const width = `${100 * Math.max(0, Math.min(1, share))}%`;
  return el(
    "div",
    { class: "share-row" },
    el("span", null, name),
    el("span", { class: "share-track" }, el("i", { style: { width } })),
    el("b", null, shown),
  );
}

/** Names beside their values; what has no value is left out. */
export function facts(record) {
  const known = Object.entries(record).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const rows = known.map(([name, value]) => [el("dt", null, name.replaceAll("_", " ")), el("dd", null, value)]);
  return el("dl", { class: "facts" }, rows);
}

/** A titled part of the panel. */
export function section(title, ...children) {
  return el("section", { class: "part" }, el("h3", null, title), children);
}
