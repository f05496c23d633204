// The operand plot: a unit's activation over every pair of operands, drawn by plotly.

import { loadPlotly } from "./data.js";
import { el } from "./dom.js";
import { number } from "./format.js";

/** The rows of a plot's values: bytes in base64, row after row, value = byte × scale + offset. */
export function decodePlot(plot) {
  const bytes = Uint8Array.from(atob(plot.values), (letter) => letter.charCodeAt(0));
  const width = plot.x.length;
  return plot.y.map((_, row) =>
    Array.from(bytes.subarray(row * width, (row + 1) * width), (byte) => byte * plot.scale + plot.offset),
  );
}

function ink(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function colours(low, high) {
  const [none, most, least] = [ink("--heat-none"), ink("--heat-most"), ink("--heat-least")];
  if (low >= 0)
    return {
      colorscale: [
        [0, none],
        [0.5, ink("--heat-half")],
        [1, most],
      ],
      zmin: 0,
      zmax: high,
    };
  const size = Math.max(-low, high);
  return {
    colorscale: [
      [0, least],
      [0.5, none],
      [1, most],
    ],
    zmin: -size,
    zmax: size,
  };
}

/** The operands of the prompt, if it reads like "36+59=". */
function operands(view) {
  const found = /(\d+)\s*[+]\s*(\d+)/.exec(view.prompt);
  return found ? [Number(found[1]), Number(found[2])] : null;
}

function figure(plot, view) {
  const z = decodePlot(plot);
  const flat = z.flat();
  const [low, high] = [flat.reduce((a, b) => Math.min(a, b)), flat.reduce((a, b) => Math.max(a, b))];
  const font = { family: ink("--sans"), size: 11, color: ink("--soft") };
  const axis = (title) => ({
    title: { text: title, standoff: 6, font },
    showgrid: false,
    zeroline: false,
    ticks: "outside",
    ticklen: 3,
    tickcolor: ink("--line"),
    nticks: 6,
  });
  const traces = [
    {
      type: "heatmap",
      x: plot.x,
      y: plot.y,
      z,
      ...colours(low, high),
      colorbar: { thickness: 8, len: 1, outlinewidth: 0, nticks: 4, tickfont: font, xpad: 4 },
      hovertemplate: `${plot.x_label} %{x}, ${plot.y_label} %{y}: %{z:.3g}<extra></extra>`,
    },
  ];
  const here = operands(view);
  // Rows are the first operand.
  if (here && plot.y.includes(here[0]) && plot.x.includes(here[1])) {
    traces.push({
      type: "scatter",
      mode: "markers",
      x: [here[1]],
      y: [here[0]],
      hovertemplate: "this prompt<extra></extra>",
      marker: { symbol: "circle-open", size: 11, color: ink("--ink"), line: { width: 2 } },
    });
  }
  const layout = {
    margin: { l: 42, r: 4, t: 6, b: 36 },
    height: 262,
    autosize: true,
    font,
    showlegend: false,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    xaxis: axis(plot.x_label),
    yaxis: axis(plot.y_label),
    dragmode: false,
  };
  return { traces, layout, low, high };
}

/** Draw the plot into `holder`; a reason is written where plotly cannot be had. */
export async function drawHeat(holder, plot, view) {
  try {
    const plotly = await loadPlotly();
    if (!holder.isConnected) return;
    const { traces, layout, low, high } = figure(plot, view);
    await plotly.react(holder, traces, layout, { displayModeBar: false, responsive: true });
    holder.setAttribute("role", "img");
    holder.setAttribute(
      "aria-label",
      `Activation over ${plot.x_label} and ${plot.y_label}, from ${number(low, 3)} to ${number(high, 3)}`,
    );
  } catch (error) {
    holder.replaceChildren(el("p", { class: "empty" }, `The chart cannot be drawn: ${error.message}.`));
  }
}
