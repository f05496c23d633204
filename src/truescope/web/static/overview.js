// The panel when no node is selected: the graph's own figures and where they come from.

import { groupRows } from "./claims.js";
import { el, facts, section, shareRow } from "./dom.js";
import { clip, count, number, percent, token } from "./format.js";

function short(hash) {
  return clip(String(hash ?? ""), 16);
}

export function overview({ view, groups }) {
  const { graph, run } = view;
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
          shareRow(el("span", { class: "token" }, token(row.token)), row.probability, percent(row.probability)),
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
      Object.keys(left).length ? [el("h4", null, "left out"), facts(left)] : null,
    ),
    section(
      "Where it comes from",
      facts({
        run: run.id,
        made: run.created,
        seed: run.seed,
        commit: run.commit && `${run.commit.hash.slice(0, 12)}${run.commit.dirty ? ", with changes" : ""}`,
        code: short(run.code),
        data: short(run.data_hash),
        model: short(run.model_hash),
        versions,
      }),
    ),
    Object.keys(seconds).length ? section("Seconds", facts(seconds)) : null,
  ];
}
