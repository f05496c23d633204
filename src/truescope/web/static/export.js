// Saving what is shown: the graph as an SVG that stands alone, the view as JSON.

import { byId, el } from "./dom.js";

const STYLES = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-opacity",
  "opacity",
  "font-family",
  "font-size",
  "font-weight",
  "paint-order",
];

function save(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = el("a", { href: address, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function fileName(model, ending) {
  return `truescope-${String(model.view.run.id).replace(/[^\w.-]+/g, "-")}.${ending}`;
}

/** Mixed colours in the form that every drawing program reads. */
function plain(value) {
  return value.replace(
    /color\(srgb ([\d.e-]+) ([\d.e-]+) ([\d.e-]+)[^)]*\)/g,
    (_, ...parts) =>
      `rgb(${parts
        .slice(0, 3)
        .map((p) => Math.round(255 * p))
        .join(",")})`,
  );
}

/** The graph as it is drawn now, with every style written on its element. */
export function saveSvg(model) {
  const shown = byId("graph");
  const copy = shown.cloneNode(true);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const [from, to] = [shown.querySelectorAll("*"), copy.querySelectorAll("*")];
  const drop = [];
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    if (element.classList.contains("hit")) drop.push(to[i]);
    for (const name of STYLES) to[i].style.setProperty(name, plain(style.getPropertyValue(name)));
    for (const name of ["role", "tabindex", "aria-pressed"]) to[i].removeAttribute(name);
  });
  drop.forEach((element) => element.remove());
  copy.style.background = getComputedStyle(byId("graph-view")).backgroundColor;
  save(fileName(model, "svg"), "image/svg+xml", new XMLSerializer().serializeToString(copy));
}

export function saveJson(model) {
  save(fileName(model, "json"), "application/json", JSON.stringify(model.view, null, 1));
}
