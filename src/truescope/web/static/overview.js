// The panel when no node is selected: the graph's own figures and where they come from.

import { groupRows } from "./claims.js";
import { el, section } from "./dom.js";
import { clip, count, number, percent, token, words } from "./format.js";

export function overview({ view, groups }) {
  const { graph, run } = view;
  const rows = (record) =>
    el(
      "dl",
      { class: "facts" },
      Object.entries(record)
        .filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([name, value]) => [el("dt", null, words(name)), el("dd", null, value)]),
    );
  const left = Object.fromEntries(
    Object.entries(graph.left_out).map(([name, value]) => [
      name,
      Number.isInteger(value) ? count(value) : number(value),
    ]),
  );
  const seconds = Object.fromEntries(
    Object.entries(view.seconds ?? {}).map(([name, value]) => [name, `${number(value, 3)} s`]),
  );
  const versions = Object.entries(run.versions ?? {})
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
  return [
    el(
      "div",
      { class: "node-head" },
      el("h2", null, "This graph"),
      el("p", { class: "soft" }, "Click a node to see what it reads, what it writes and what it stands for."),
    ),
    section(
      "Most likely next tokens",
      el(
        "div",
        { class: "top-logits" },
        view.top_logits.map((row) =>
          el(
            "div",
            { class: "share-row" },
            el("span", { class: "token" }, token(row.token)),
            el("span", { class: "share-track" }, el("i", { style: { width: `${100 * row.probability}%` } })),
            el("b", null, percent(row.probability)),
          ),
        ),
      ),
    ),
    groups.size ? section("Groups", groupRows([...groups.values()])) : null,
    section(
      "Shown and held still",
      el(
        "p",
        null,
        `${count(graph.n_nodes)} nodes, ${count(graph.n_edges)} edges. Frozen at the prompt's values: ${graph.frozen.join(", ") || "nothing"}.`,
      ),
      Object.keys(left).length ? [el("h4", null, "left out"), rows(left)] : null,
    ),
    section(
      "Where it comes from",
      rows({
        run: run.id,
        made: run.created,
        seed: run.seed,
        commit: run.commit,
        data: clip(String(run.data_hash ?? ""), 16),
        model: clip(String(run.model_hash ?? ""), 16),
        versions,
      }),
    ),
    Object.keys(seconds).length ? section("Seconds", rows(seconds)) : null,
  ];
}
