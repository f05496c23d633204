"""What a calibration found, and how its numbers are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from truescope.core.claims import Score, Verdict
from truescope.pipelines.calibration.summaries import Key, Summary

NAMED = ("named programs", "neurons", None, None)
RANDOM = ("random weights", "neurons", None, None)
METHODS = (
    "frozen graph, influence", "gradient", "gradient × input", "attribution patching", "integrated gradients",
    "activation patching", "activation patching, denoising", "zero ablation", "mean ablation", "resample ablation",
    "live effects",
)  # fmt: skip
_CONTRASTS = ("attribution", "integrated", "activation", "mean", "resample")


@dataclass(frozen=True)
class Findings:
    """Summaries by key, verdicts, false discovery, and the facts of the run."""

    summaries: Mapping[Key, Summary]
    verdicts: Sequence[Verdict]
    facts: Mapping[str, Any]
    false_discovery: Sequence[Mapping[str, Any]]

    def record(self) -> dict[str, Any]:
        """Every number, as the JSON file beside the page has it."""
        return {
            "facts": dict(self.facts),
            "claims": [verdict.to_json() for verdict in self.verdicts],
            "false_discovery": [dict(one) for one in self.false_discovery],
            "summaries": [summary.record() for summary in self.summaries.values()],
        }

    def get(self, *key: Any) -> Summary | None:
        """One summary, where it was measured."""
        return self.summaries.get(key)  # type: ignore[arg-type]

    def pruned(self) -> list[tuple[str, str]]:
        """The groups and dictionaries whose pruned graphs were measured."""
        found = (s.key[:2] for s in self.summaries.values() if s.key[5] == "pruned graph")
        return sorted(set(found), key=lambda one: (one[0] != NAMED[0], one[0], one[1]))


def fair_truth(level: str, method: str) -> str:
    """The question that a method can answer: see the decision record."""
    if level == "edge" and method == "live effects":
        return "direct"
    if level == "edge" and method.startswith("frozen"):
        return "value path"
    return "used, moved" if method.startswith(_CONTRASTS) else "used"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    head = ["| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles)]
    return head + ["| " + " | ".join(one) + " |" for one in rows]


def shown(summary: Summary | None) -> str:
    """A number with its interval, or a dash."""
    return "–" if summary is None else interval(summary.score)


def interval(score: Score) -> str:
    """A value with its interval; a closure gap, a largest value, has none."""
    if score.name == "closure gap":
        return f"{score.value:.1e}"
    return f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"


def missing(summary: Summary | None) -> str:
    """How many cases did not apply."""
    return "–" if summary is None else str(summary.n_not_applicable)
