"""`truescope gnn`: explainers of graph networks, held against models whose mechanism is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App

from truescope.cli.options import Flag, Words

gnn = App(name="gnn", help_format="plaintext", result_action="return_value")
"""The command and its sub-commands."""


@gnn.command
def benchmark(
    *,
    quick: Annotated[bool, Flag] = False,
    explainer: Annotated[list[str] | None, Words] = None,
    data: Path | None = None,
    processes: int | None = None,
    seed: int = 0,
    json: Annotated[bool, Flag] = False,
    strict: Annotated[bool, Flag] = False,
) -> int:
    """Run the published benchmark of explainers on white-box classifiers, and judge its five findings.

    The same command goes on where it was stopped.

    Parameters
    ----------
    quick
        A small part: 36 cells of the synthetic sweep, two seeds.
    explainer
        Only this one; may be given more than once.
    data
        The folder of real data, for the Facebook part; TRUESCOPE_DATA where none is named.
    processes
        How many cells are run at once.
    seed
        Draws bootstrap samples and controls; the instances have the published seeds.
    json
        Print one JSON object and nothing else.
    strict
        Exit with 1 when a finding failed.
    """
    from truescope.cli.terminal import TerminalWatcher, exit_status, print_claims, print_json
    from truescope.pipelines.gnn import gnn_benchmark

    with TerminalWatcher(quiet=json) as watcher:
        report = gnn_benchmark(
            quick=quick, explainers=explainer, data=data, n_processes=processes, seed=seed, watcher=watcher
        )
    summary = report.summary()
    if json:
        print_json(summary)
    else:
        _print_means(summary["rows"])
        print_claims(summary["claims"])
        _print_end(summary)
    return exit_status(summary["claims"], strict=strict)


@gnn.command
def audit(
    subject: str = "ego-facebook",
    /,
    *,
    feature: str = "gender",
    kind: str = "gcn",
    explainer: Annotated[list[str] | None, Words] = None,
    strength: Annotated[list[float] | None, Words] = None,
    nodes: int = 50,
    data: Path | None = None,
    seed: int = 0,
    json: Annotated[bool, Flag] = False,
) -> int:
    """Wire a named feature into a network with growing strength, and see which explainer notices at which.

    Parameters
    ----------
    subject
        ego-facebook, reed98, amherst41, cora, citeseer, or file.py:function that returns (model, x, edge_index).
    feature
        The feature's name, or words in it.
    kind
        The network that a named subject trains: gcn, gin or gat.
    explainer
        Only this one; may be given more than once.
    strength
        A strength to try, in standard deviations of the model's margin; may be given more than once.
    nodes
        How many nodes are explained, drawn by the seed.
    data
        The folder of real data; TRUESCOPE_DATA where none is named.
    seed
        Draws the nodes, trains the network, and starts the explainers.
    json
        Print one JSON object and nothing else.
    """
    from truescope.cli.terminal import TerminalWatcher, print_json
    from truescope.pipelines.gnn import gnn_audit

    with TerminalWatcher(quiet=json) as watcher:
        report = gnn_audit(
            subject,
            feature=feature,
            kind=kind,
            explainers=explainer,
            strengths=strength,
            n_nodes=nodes,
            data=data,
            seed=seed,
            watcher=watcher,
        )
    summary = report.summary()
    if json:
        print_json(summary)
    else:
        _print_doses(summary)
    return 0


@gnn.command
def explain(
    subject: str,
    /,
    *,
    explainer: str = "integrated_gradients",
    node: Annotated[list[int] | None, Words] = None,
    kind: str = "gcn",
    top: int = 8,
    data: Path | None = None,
    seed: int = 0,
    json: Annotated[bool, Flag] = False,
) -> int:
    """Explain nodes of a graph network, all in one call: what counts most for each.

    Parameters
    ----------
    subject
        ego-facebook, reed98, amherst41, cora, citeseer, or file.py:function that returns (model, x, edge_index).
    explainer
        saliency, integrated_gradients, lrp_gamma, gnn_explainer, … (a wrong name lists the nearest).
    node
        Only this node; may be given more than once.
    kind
        The network that a named subject trains: gcn, gin or gat.
    top
        How many features, nodes or arcs are listed.
    data
        The folder of real data; TRUESCOPE_DATA where none is named.
    seed
        Trains the network, and starts the explainer.
    json
        Print one JSON object and nothing else.
    """
    from truescope.cli.terminal import TerminalWatcher, print_json
    from truescope.pipelines.gnn import gnn_explain

    with TerminalWatcher(quiet=json) as watcher:
        record = gnn_explain(
            subject, explainer=explainer, nodes=node, kind=kind, n_features=top, data=data, seed=seed, watcher=watcher
        )
    if json:
        print_json(record)
    else:
        _print_nodes(record)
    return 0


@gnn.command
def evaluate(
    subject: str = "cora",
    /,
    *,
    kind: str = "gcn",
    explainer: Annotated[list[str] | None, Words] = None,
    part: str = "features",
    share: float = 0.2,
    nodes: int = 30,
    seeds: int = 3,
    data: Path | None = None,
    seed: int = 0,
    json: Annotated[bool, Flag] = False,
) -> int:
    """Take away what explainers name from a trained network's graph, and see how its answers change.

    Parameters
    ----------
    subject
        cora, citeseer, mutag, ego-facebook, reed98, amherst41, or file.py:function that returns (model, x, edge_index).
    kind
        The network that a named subject trains: gcn, gin or gat.
    explainer
        Only this one; may be given more than once.
    part
        What is taken away: features or arcs.
    share
        How much of what an explainer scores counts as named.
    nodes
        How many nodes are explained, drawn by the seed.
    seeds
        How often an explainer that draws random numbers is run, to see whether it agrees with itself.
    data
        The folder of real data; TRUESCOPE_DATA where none is named.
    seed
        Trains the network, draws the nodes, and starts the explainers.
    json
        Print one JSON object and nothing else.
    """
    from truescope.cli.terminal import TerminalWatcher, print_json
    from truescope.pipelines.gnn import gnn_evaluate

    with TerminalWatcher(quiet=json) as watcher:
        record = gnn_evaluate(
            subject,
            kind=kind,
            explainers=explainer,
            part=part,
            share=share,
            n_nodes=nodes,
            n_seeds=seeds,
            data=data,
            seed=seed,
            watcher=watcher,
        )
    if json:
        print_json(record)
    else:
        _print_fidelity(record)
    return 0


def _print_fidelity(record: dict[str, Any]) -> None:
    from rich.table import Table

    from truescope.cli.terminal import stdout_console

    columns = ("fid_plus", "fid_minus", "necessity", "sufficiency", "robust_plus", "robust_minus")
    table = Table(title=f"{record['share']:.0%} of the {record['part']}, {record['n_nodes']} nodes", box=None)
    table.add_column("explainer", no_wrap=True)
    for name in ("fid+", "fid−", "nec.", "suff.", "rob+", "rob−", "char.", "stable"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in record["rows"]:
        shown = [f"{row[name]['value']:.2f}" for name in columns] + [f"{row['characterisation']:.2f}"]
        stable = "–" if row["stability"] is None else f"{row['stability']['jaccard']:.2f}"
        table.add_row(row["explainer"].replace("_", " "), *shown, stable)
    accuracy = record["subject"].get("test_accuracy")
    console = stdout_console()
    if accuracy is not None:
        console.print(f"{record['subject']['subject']} {record['subject']['network']}: test accuracy {accuracy:.3f}")
    console.print(table)


def _print_means(rows: list[dict[str, Any]]) -> None:
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


def _print_end(summary: dict[str, Any]) -> None:
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
    console.print(f"\nthe report: {summary['page']}")


def _print_doses(summary: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from truescope.cli.terminal import stdout_console

    steps = sorted({dose["strength"] for dose in summary["doses"]})
    table = Table(title=f"{escape(summary['feature'])}, share of the other features outranked, by strength", box=None)
    table.add_column("explainer", no_wrap=True)
    for strength in steps:
        table.add_column(f"{strength:g}", justify="right", no_wrap=True)
    table.add_column("notices", no_wrap=True)
    for name, at in summary["thresholds"].items():
        areas = {d["strength"]: d["area"] for d in summary["doses"] if d["explainer"] == name}
        said = "always" if name in summary["false_alarms"] else "never" if at is None else f"from {at:g} on"
        shown = ["–" if areas[s] is None else f"{areas[s]:.2f}" for s in steps]
        table.add_row(name.replace("_", " "), *shown, said)
    changed = [f"{effect['changed']:.0%}" for effect in summary["effects"]]
    table.add_row("[dim]class changes[/dim]", *changed, "[dim]when the feature alone is swapped[/dim]")
    console = stdout_console()
    console.print(table)
    console.print(f"\nthe report: {summary['page']}")


def _print_nodes(record: dict[str, Any]) -> None:
    from rich.markup import escape

    from truescope.cli.terminal import stdout_console

    console = stdout_console()
    for note in record["notes"]:
        console.print(f"[yellow]{escape(note)}[/yellow]")
    for node in record["nodes"][:20]:
        console.print(f"[bold]node {node['node']}[/bold] → class {node['class']}")
        for part in ("features", "nodes", "arcs"):
            if node.get(part):
                listed = ", ".join(f"{escape(one['name'])} {one['score']:.3g}" for one in node[part])
                console.print(f"  {part}: {listed}")
    if len(record["nodes"]) > 20:
        console.print(f"… and {len(record['nodes']) - 20:,} more; --json prints all")
