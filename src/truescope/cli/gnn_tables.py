"""Results of `truescope gnn` as a terminal shows them."""

from __future__ import annotations

from typing import Any

from truescope.core.wording import counted


def print_benchmark(summary: dict[str, Any]) -> None:
    """Mean areas of features and arcs, the verdicts, and what was published."""
    from truescope.cli.terminal import print_claims

    print_means(summary["rows"])
    print_arcs(summary["arcs"])
    print_claims(summary["claims"])
    print_end(summary)


def print_dictionary(summary: dict[str, Any]) -> None:
    """The dictionary's features, and the verdicts on them."""
    from truescope.cli.terminal import print_claims

    print_node_features(summary)
    print_claims(summary["claims"])


def print_fidelity(record: dict[str, Any]) -> None:
    """Fidelity with its intervals, and stability over seeds and over networks, an explainer a row."""
    from truescope.cli.terminal import print_rows, stdout_console

    columns = ("fid_plus", "fid_minus", "characterisation", "necessity", "sufficiency", "robust_plus", "robust_minus")
    rows = []
    for row in record["rows"]:
        cells = [f"{row[name]['value']:.2f} [{row[name]['low']:.2f}, {row[name]['high']:.2f}]" for name in columns]
        for runs in (row["stability"], row["over_networks"]):
            overlap = (runs or {}).get("jaccard")
            cells.append(f"{overlap['value']:.2f}" if overlap else "–")
        rows.append([row["explainer"].replace("_", " "), *cells])
    facts, console = record["subject"], stdout_console()
    if "test_accuracies" in facts:
        shown = ", ".join(f"{accuracy:.3f}" for accuracy in facts["test_accuracies"])
        console.print(
            f"{facts['subject']} {facts['network']}, {counted(record['n_networks'], 'network')}: test accuracy {shown}"
        )
    console.print(
        f"{record['share']:.0%} of the {record['part']} that an explainer scores, {counted(record['n_nodes'], 'node')}"
    )
    head = ("fid+", "fid−", "charact.", "necessity", "sufficiency", "robust+", "robust−", "seeds", "networks")
    print_rows(["explainer", *head], rows)


def print_means(rows: list[dict[str, Any]]) -> None:
    """Each explainer's mean area on each white box, over all settings."""
    from rich.table import Table

    from truescope.cli.terminal import stdout_console

    boxes = ("local", "neighborhood", "two-hop")
    table = Table(title="Share of pairs (important, unimportant) in the right order", title_justify="left", box=None)
    table.add_column("explainer", no_wrap=True)
    for data in dict.fromkeys(row["data"] for row in rows):
        for box in boxes:
            short = {"neighborhood": "nbhd", "two-hop": "2-hop"}.get(box, box)
            table.add_column(short if data == "synthetic" else f"FB {short}", justify="right", no_wrap=True)
    for name in dict.fromkeys(row["explainer"] for row in rows):
        cells = []
        for data in dict.fromkeys(row["data"] for row in rows):
            for box in boxes:
                means = [r["mean"] for r in rows if (r["explainer"], r["white_box"], r["data"]) == (name, box, data)]
                cells.append(f"{sum(means) / len(means):.3f}" if means else "–")
        table.add_row(name.replace("_", " "), *cells)
    stdout_console().print(table)


def print_arcs(rows: list[dict[str, Any]]) -> None:
    """Each explainer's area among the arcs into a node, and its precision among all arcs, on each white box."""
    from rich.table import Table

    from truescope.cli.terminal import stdout_console

    rows = [row for row in rows if row["data"] == "synthetic" and row["false"] == 0.0]
    if not rows:
        return
    boxes = tuple(dict.fromkeys(row["white_box"] for row in rows))
    title = "Arcs, false coded 0: area among those into the node; AP, average precision of those used among all"
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("explainer", no_wrap=True)
    for word in ("", "AP "):
        for box in boxes:
            short = {"neighborhood": "nbhd", "two-hop": "2-hop"}.get(box, box)
            table.add_column(f"{word}{short}", justify="right", no_wrap=True)
    for name in dict.fromkeys(row["explainer"] for row in rows):
        found = {row["white_box"]: row for row in rows if row["explainer"] == name}
        cells = [f"{found[box][kind]['mean']:.3f}" for kind in ("local", "precision") for box in boxes if box in found]
        table.add_row(name.replace("_", " "), *cells)
    stdout_console().print(table)


def print_end(summary: dict[str, Any]) -> None:
    """How many published means were met, what was not, and where the report lies."""
    from truescope.cli.terminal import stdout_console

    console = stdout_console()
    compared = summary["comparisons"]
    if compared:
        off = [c for c in compared if not c["agrees"]]
        console.print(f"\n{len(compared) - len(off)} of {len(compared)} published means met")
        for c in off:
            console.print(
                f"  {c['explainer']}, {c['cell']}: published {c['published']:.4f}, here {c['measured']:.4f}; "
                f"[dim]{c['explanation']}[/dim]"
            )
    arcs = summary["arc_comparisons"]
    if arcs:
        worst = max(abs(c["difference"]) for c in arcs)
        console.print(f"{len(arcs)} stored numbers of arcs: the largest difference is {worst:.0e}")
    console.print(f"\nthe report: {summary['page']}")


def print_doses(summary: dict[str, Any]) -> None:
    """The dose and response of every explainer, when it notices, and how often it says so where nothing is planted."""
    from rich.markup import escape

    from truescope.cli.terminal import print_rows, stdout_console

    steps, rows = sorted({dose["strength"] for dose in summary["doses"]}), []
    for name, at in summary["thresholds"].items():
        areas = {d["strength"]: d["area"] for d in summary["doses"] if d["explainer"] == name}
        said = "always" if name in summary["false_alarms"] else "never" if at is None else f"from {at:g}"
        shown = ["–" if areas[s] is None else f"{areas[s]:.2f}" for s in steps]
        rate = summary["false_alarm_rates"][name]
        rows.append([name.replace("_", " "), *shown, said, "–" if rate is None else f"{rate['value']:.0%}"])
    changed = [f"{effect['changed']:.0%}" for effect in summary["effects"]]
    rows.append(["classes it changes", *changed, "", ""])
    n, console = max(dose["n_nodes"] for dose in summary["doses"]), stdout_console()
    console.print(
        f"“{escape(summary['feature'])}” planted: the share of other features that it outranks, by strength "
        f"({counted(n, 'node')})"
    )
    print_rows(["explainer", *(f"{strength:g}" for strength in steps), "notices", "false alarms"], rows)
    console.print(f"\nthe report: {summary['page']}")


def print_nodes(record: dict[str, Any]) -> None:
    """What counts most for each node."""
    from rich.markup import escape

    from truescope.cli.terminal import stdout_console

    console = stdout_console()
    for note in record["notes"]:
        console.print(f"[yellow]{escape(note)}[/yellow]")
    for node in record["nodes"][:20]:
        told = f"output {node['output']:.3g}" if node["class"] is None else f"class {node['class']}"
        console.print(f"[bold]node {node['node']}[/bold] → {told}")
        for part in ("features", "nodes", "arcs"):
            if node.get(part):
                listed = ", ".join(f"{escape(one['name'])} {one['score']:.3g}" for one in node[part])
                console.print(f"  {part}: {listed}")
    if len(record["nodes"]) > 20:
        console.print(f"… and {len(record['nodes']) - 20:,} more; --json prints all")


def print_node_features(summary: dict[str, Any]) -> None:
    """How well the dictionary rebuilds, and each named feature with what it is named after."""
    from rich.table import Table

    from truescope.cli.terminal import stdout_console

    quality, console = summary["quality"], stdout_console()
    console.print(
        f"On {counted(summary['n_held'], 'held-out node')}: FVU {quality['fvu']:.3f} with L0 {quality['l0']:.2f} "
        f"(as many principal components: {quality['pca_fvu']:.3f}); {counted(quality['dead'], 'feature')} never active"
    )
    table = Table(
        title=f"Features as {counted(summary['n_naming'], 'other node')} show them", title_justify="left", box=None
    )
    table.add_column("feature", justify="right")
    table.add_column("named after", no_wrap=True)
    for column in ("density", "share", "lift"):
        table.add_column(column, justify="right", no_wrap=True)
    for column in ("columns", "nodes"):
        table.add_column(column, no_wrap=True)
    for one in summary["features"][:12]:
        columns = ", ".join(name.removeprefix("feature ") for name in one["column_names"][:2])
        nodes = " ".join(str(node) for node, _ in one["nodes"][:2])
        numbers = (f"{one['density']:.2f}", f"{one['share']:.2f}", f"{one['lift']:.1f}")
        table.add_row(str(one["index"]), one["name"], *numbers, columns, nodes)
    console.print(table)
    if len(summary["features"]) > 12:
        console.print(f"… and {len(summary['features']) - 12} more; --json prints all, with correlations")
