"""`truescope explainers`: do post-hoc explainers find the cues that a model uses?"""

from __future__ import annotations

from typing import Annotated, Any

from truescope.cli.options import Flag, Words


def explainers(
    *names: str,
    boxes: Annotated[list[str] | None, Words] = None,
    model: str | None = None,
    share: float = 0.5,
    n_tables: int = 100,
    seed: int = 0,
    json: Annotated[bool, Flag] = False,
    strict: Annotated[bool, Flag] = False,
    fresh: Annotated[bool, Flag] = False,
) -> int:
    """Hold post-hoc explainers to one axiom: what a model uses outranks what it does not.

    The models are white boxes of 0/1 cues whose used cues are known by proof, so an explainer can be wrong. Every
    number stands beside what it must be by hand; one claim for each pair is stated before it is run.

    Parameters
    ----------
    names
        Explainers: occlusion-zero, occlusion-mean, occlusion-marginal, shap-zero, shap-marginal (they need shap),
        permutation, association, random; default: all that are installed.
    boxes
        White boxes: linear, and, xor, interaction, correlated, gate; may be given more than once; default: all.
    model
        Explain not the box but what this model learned of it: hist-gradient-boosting, random-forest, logistic, tree.
    share
        The share of ones among the cues' values.
    n_tables
        Tables of cases.
    seed
        Draws the cases.
    json
        Print one JSON object and exit.
    strict
        Exit with status 1 if a claim failed.
    fresh
        Run again even if the store has this run.
    """
    from truescope.cli.terminal import TerminalWatcher, exit_status, print_json
    from truescope.pipelines import explainers as run_explainers

    asked = {"boxes": boxes or (), "model": model, "share": share, "n_tables": n_tables, "seed": seed, "fresh": fresh}
    with TerminalWatcher(quiet=json) as watcher:
        report = run_explainers(names, **asked, watcher=watcher)
    summary = report.summary()
    if json:
        print_json(summary)
    else:
        _print(summary)
        print(f"\nthe run: {report.folder}\nthe ledger: {report.ledger}")
    return exit_status(summary["claims"], strict=strict)


def _print(summary: dict[str, Any]) -> None:
    """One line for each explainer and box: failed claims first."""
    from truescope.cli.terminal import print_rows

    order = {"failed": 0, "undecided": 1, "not_testable": 2, "held": 3}
    rows = []
    pairs = zip(summary["audits"], summary["claims"], strict=True)
    for audit, claim in sorted(pairs, key=lambda pair: order[pair[1]["status"]]):
        area = audit["area"]
        rows.append(
            [
                f"{audit['explainer']} on {audit['box']}",
                claim["status"].replace("_", " "),
                f"{area['value']:.3f} [{area['low']:.3f}, {area['high']:.3f}]",
                "–" if audit["expected"] is None else f"{audit['expected']:.3f}",
                f"{audit['whole']:.3f}",
                str(audit["n_not_applicable"]),
                "–" if audit["gap"] is None else f"{audit['gap']:.0e}",
            ]
        )
    head = ["explainer on white box", "claim", "outranking [95 % interval]", "by hand", "whole table", "n/a", "gap"]
    print_rows(head, rows)
    for name, checks in summary["axioms"].items():
        kept = [check["axiom"] for check in checks if check["passed"]]
        print(f"\n  {name} keeps {', '.join(kept) or 'no axiom'}")
        for check in checks:
            if not check["passed"]:
                print(f"    breaks {check['axiom']}: {check['counterexample']['text']}")
