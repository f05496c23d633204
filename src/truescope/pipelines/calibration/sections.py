"""The sections of the report, each a few lines and one table."""

from __future__ import annotations

from truescope.pipelines.calibration.findings import (
    METHODS,
    NAMED,
    Findings,
    fair_truth,
    interval,
    missing,
    shown,
    table,
)
from truescope.pipelines.calibration.trained import RANDOM, WORLDS

_EXACT = ("exact SAE", "exact stream SAE")
_FEATURES = ("exact SAE", "random SAE", "exact stream SAE", "random stream SAE")
TRUTHS = ("direct", "value path", "used", "used, moved")


def edges(findings: Findings) -> list[str]:
    """Every method's ranking of edges, against every truth."""
    rows = []
    for method in ("frozen graph", *METHODS):
        found = [findings.get(*NAMED, "edge", method, truth, "auroc") for truth in TRUTHS]
        # Only these say how a source moves its target; the others say how it moves the answer.
        is_effect = method in ("frozen graph", "live effects")
        signs = findings.get(*NAMED, "edge", method, "direct", "sign agreement") if is_effect else None
        if found[0] is not None:
            rows.append([method, *map(shown, [*found, signs]), str(found[0].score.n), missing(found[3])])
    titles = ["method", *TRUTHS, "signs (direct)", "n", "n/a (moved)"]
    return ["## Edges", "", *table(titles, rows), "", *_closure(findings), "", *_variable_edges(findings)]


def _variable_edges(findings: Findings) -> list[str]:
    """Every method's ranking of the edges between the features of exact autoencoders."""
    rows = []
    for method in METHODS:
        truth = fair_truth("edge", method)
        found = [findings.get("dictionaries", d, None, None, "edge", method, truth, "auroc") for d in _EXACT]
        if found[0] is not None:
            rows.append([method, truth, *map(shown, found), str(found[0].score.n), missing(found[0])])
    said = "Edges between the program's variables: features of exact autoencoders of MLP outputs (SAE) or the stream:"
    return [said, "", *table(["method", "truth", *_EXACT, "n (exact SAE)", "n/a"], rows), ""] if rows else []


def _closure(findings: Findings) -> list[str]:
    lines = []
    for group in ("named programs", "random programs"):
        key = (group, "neurons", None, None, "edge", "frozen graph", "direct")
        area, gap = findings.get(*key, "auroc"), findings.get(*key, "closure gap")
        if area is not None and gap is not None:
            lines.append(
                f"- {area.n_programs} {group}, the frozen graph's direct effects: {shown(area)}, worst prompt "
                f"{area.worst:.3f} (n {area.score.n}); largest closure gap {shown(gap)}"
            )
    return lines


def nodes(findings: Findings) -> list[str]:
    """Every method's ranking of units and tokens, of heads, and of autoencoders' features."""
    asked = [(level, truth) for level in ("unit", "head") for truth in ("used", "used, moved")]
    rows = []
    for method in METHODS:
        found = [findings.get(*NAMED, level, method, truth, "auroc") for level, truth in asked]
        if any(found):
            n = str(found[0].score.n) if found[0] else "–"
            rows.append([method, *map(shown, found), n, missing(found[2])])
    titles = ["method", *(f"{level}s, {truth}" for level, truth in asked), "n", "n/a (heads)"]
    lines = ["## Nodes", "", "Units with the tokens, and heads:", "", *table(titles, rows), ""]
    features = []
    for method in METHODS:
        truth = fair_truth("unit", method)
        found = [
            findings.get("dictionaries", name, None, None, "SAE feature", method, truth, "auroc") for name in _FEATURES
        ]
        if found[0] is not None:
            features.append([method, truth, *map(shown, found), str(found[0].score.n)])
    if features:
        said = "Features of autoencoders of the MLPs' outputs (SAE) and of the stream, against the variables on a path:"
        lines += [said, "", *table(["method", "truth", *_FEATURES, "n (exact SAE)"], features), ""]
    return lines


def graphs(findings: Findings) -> list[str]:
    """What pruned graphs show of the value path."""
    wanted = [("edge", "precision"), ("edge", "recall"), ("unit", "precision"), ("unit", "recall"), ("path", "recall")]
    rows = []
    for group, dictionary in findings.pruned():
        key = (group, dictionary, None, None)
        found = [findings.get(*key, level, "pruned graph", "value path", metric) for level, metric in wanted]
        n = next((str(one.score.n) for one in found if one is not None), "–")
        rows.append([f"{dictionary} ({group})", *map(shown, found), n])
    said = "At the default thresholds (.8 of node influence, .98 of edge influence), against the value path:"
    titles = ["graph of", *(f"{level} {metric}" for level, metric in wanted), "n"]
    return ["## Pruned graphs", "", said, "", *table(titles, rows), ""]


def dictionaries(findings: Findings) -> list[str]:
    """Graphs on dictionaries of known quality."""
    rows = []
    for group, dictionary in findings.pruned():
        key = (group, dictionary, None, None, "edge")
        missed = findings.get(*key, "frozen graph", "direct", "unexplained")
        direct = findings.get(*key, "frozen graph", "direct", "auroc")
        if group != "dictionaries" or missed is None or direct is None:
            continue
        others = [
            findings.get(*key, "frozen graph, influence", "value path", "auroc"),
            findings.get(*key, "live effects", "direct", "auroc"),
            findings.get(*key, "frozen graph", "direct", "sign agreement"),
            findings.get(*key, "frozen graph", "direct", "closure gap"),
        ]
        others.insert(1, findings.get(*key[:4], "unit", "frozen graph, influence", "used", "auroc"))
        counts = [str(direct.score.n), str(direct.n_seeds)]
        rows.append([dictionary, f"{missed.score.value:.3g}", *map(shown, [direct, *others]), *counts])
    said = [
        "Graphs on dictionaries of known quality (identity variant; exact SAEs on both). A feature of a PLT or CLT",
        "stands for the neuron that it correlates with, one of an SAE for the variable; an edge between units that no",
        "active feature stands for scores zero. SAEs read and write every layer's MLP output, stream SAEs the whole",
        "residual stream after every layer: true edges between variables are sums over the paths between them",
        "([decision 18](decisions/0018-autoencoders-in-graphs.md)). *Unexplained* is the share of the variance that is",
        "missed, on prompts of the sample that learned ones are trained on; it is no estimate for other prompts.",
        "*Nodes* are active units and tokens, ranked by influence, against those on a path to the answer.",
    ]
    titles = [
        "dictionary",
        "unexplained",
        "direct",
        "influence, value path",
        "nodes, influence",
        "live, direct",
        "signs",
        "closure gap",
        "n",
        "seeds",
    ]
    return ["## Dictionaries", "", *said, "", *table(titles, rows), ""]


def collapse(findings: Findings) -> list[str]:
    """The collapse test: hops and responses by depth and budget."""
    metrics = ("L0", "unexplained", "hops, graph", "one-hop share", "response")
    rows = []
    for key in dict.fromkeys(s.key[:4] for s in findings.summaries.values() if s.key[0] == "collapse"):
        _, name, depth, budget = key
        found = [findings.get(*key, "collapse", name, "direct", metric) for metric in metrics]
        plain = [f"{one.score.value:.3g}" if one else "–" for one in found[:2]]
        n = found[-1].score.n if found[-1] else 0
        rows.append([str(depth), name, str(budget or "–"), *plain, *map(shown, found[2:]), str(n)])
    said = [
        "When does a cross-layer transcoder report a chain of hops as one? A chain has *depth* gates, one a layer.",
        "*Hops* is the mean number of units between the first gate's tokens and the answer in the frozen graph (the",
        "mechanism has as many as gates); *response* is what the dictionary's replacement model says of flipping the",
        "first gate, as a share of what the model does. The collapsed CLT misses nothing and is active once;",
        "hops and response give it away, reconstruction and L0 do not.",
    ]
    titles = ["depth", "dictionary", "budget", "L0", "unexplained", "hops", "one-hop share", "response", "n"]
    return ["## The collapse test", "", *said, "", *table(titles, sorted(rows)), ""]


def trained(findings: Findings) -> list[str]:
    """The trained worlds: every method on tokens and heads, each beside random weights; graphs and QK attribution."""
    lines = ["## Trained worlds", "", *_TRAINED_SAID, ""]
    for world in WORLDS:
        groups = (world, "neurons", None, None), (RANDOM + world, "neurons", None, None)
        keys = (("edge", "frozen graph"), ("edge", "live effects"), ("choice", "QK attribution"))
        levels = [
            level
            for level in ("token", "head", "whole head")
            if findings.get(*groups[0], level, "gradient", "used", "auroc") is not None
        ]
        rows = [_trained_row(findings, groups, level, method, "direct") for level, method in keys]
        rows += [_trained_row(findings, groups, level, m, fair_truth(level, m)) for level in levels for m in METHODS]
        titles = ["of", "method", "truth", "AUROC [95 %]", "worst prompt", "random weights", "models", "n", "n/a"]
        lines += [f"The {world}:", "", *table(titles, [one for one in rows if one]), ""]
    return lines


def _trained_row(findings: Findings, groups: tuple[tuple, tuple], level: str, method: str, truth: str) -> list[str]:
    found, control = (findings.get(*group, level, method, truth, "auroc") for group in groups)
    if found is None:
        return []
    what = {"choice": "pairs of a score", "whole head": "heads", "head": "heads at positions"}.get(level, level + "s")
    counts = [str(found.n_seeds), str(found.score.n), missing(found)]
    return [what, method, truth, shown(found), f"{found.worst:.3f}", shown(control), *counts]


_TRAINED_SAID = (
    "Models that were really trained, without MLPs: a sorter of one head, and induction heads among four heads a",
    "layer. The truth here is weaker than a compiled one: *facts checked by measurement* say which heads do what",
    "(attention patterns; and, over whole sequences of another sample, that the model stops without these heads and",
    "goes on without all others at once), and from them which tokens, heads and pairs the answer to a prompt hangs on.",
    "A loser of a comparison counts as not used, and so does a head without work. Intervals draw the trained models.",
)


def false_discovery(findings: Findings) -> list[str]:
    """How often claims about nothing hold."""
    if not findings.false_discovery:
        return []
    rows = []
    for one in findings.false_discovery:
        uniform = "–" if one["uniform_p"] is None else f"{one['uniform_p']:.3f}"
        counts = [f"{one['n']:,}", str(one["n_held"]), f"{one['rate']:.4f}", f"{one['upper_95']:.4f}"]
        rows.append([one["world"], *counts, f"{one['type_one']:.3f}", uniform, "yes" if one["passed"] else "no"])
    titles = ["world", "runs", "false “held”", "rate", "upper 95 % bound", "type 1 at .05", "uniform, p", "passed"]
    said = "Claims about nothing, judged at default settings; the bar is an upper bound of at most .07:"
    return ["## False discovery", "", said, "", *table(titles, rows), ""]


def claims(findings: Findings) -> list[str]:
    """Every claim with its verdict, failed ones first."""
    order = {"failed": 0, "undecided": 1, "not_testable": 2, "held": 3}
    rows = []
    for verdict in sorted(findings.verdicts, key=lambda v: order[v.status.value]):
        found = "; ".join(f"{score.name} {interval(score)}" for score in verdict.scores)
        control = "; ".join(f"{s.name} {s.value:.3g}" for c in verdict.controls for s in c.scores)
        predicted = "; ".join(map(str, verdict.claim.predictions))
        status = verdict.status.value.replace("_", " ")
        rows.append([status, verdict.claim.text, predicted, found, control, f"`{verdict.claim.id}`"])
    said = "Stated in the ledger before the run. `truescope claims rerun ID` runs one again."
    titles = ["verdict", "claim", "predicted", "found", "control", "id"]
    return ["## Claims", "", said, "", *table(titles, rows), ""]
