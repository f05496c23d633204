"""The best model that can be read beside the best opaque one, chosen without looking at the fold they are scored in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from truescope.core.claims import Score
from truescope.core.errors import TableError
from truescope.statistics import corrected_resampled_t
from truescope.tabular.compare.differences import Difference, best_without_looking, difference
from truescope.tabular.compare.measures import MEASURES, Measure
from truescope.tabular.compare.models import TableModel
from truescope.tabular.compare.results import Cells

READABLE, OPAQUE = "the best interpretable model", "the best opaque model"
SHORTFALL, ABOVE_CHANCE = "shortfall", "above_chance"


@dataclass(frozen=True)
class Parity:
    """``best``: interpretable minus opaque. ``chosen``: how often each model was the best of its kind.

    ``above_chance``: how far the best interpretable model lies above ½, in AUC if that is the goal, else in balanced
    accuracy.
    """

    best: Difference
    chosen: Mapping[str, Mapping[str, int]]
    above_chance: Score

    @staticmethod
    def of(cells: Cells, opaque: Collection[str], measure: Measure, rope: float) -> Parity | None:
        """Compare the two kinds; None where only one of them could be fitted. ``rope`` in points."""
        scores = {name: cells.values(name, measure.name) for name in cells.of}
        theirs = {name: values for name, values in scores.items() if name in opaque}
        ours = {name: values for name, values in scores.items() if name not in opaque}
        if not theirs or not ours:
            return None
        sizes = {"n_train": cells.n_train, "n_test": cells.n_test}
        best_of_ours, n_ours = best_without_looking(ours, cells.repeats, measure)
        best_of_theirs, n_theirs = best_without_looking(theirs, cells.repeats, measure)
        pair = {READABLE: best_of_ours, OPAQUE: best_of_theirs}
        ranked = MEASURES["auc" if measure.name == "auc" else "bacc"]
        ranking = {name: cells.values(name, ranked.name) for name in ours}
        above = corrected_resampled_t(best_without_looking(ranking, cells.repeats, ranked)[0] - 0.5, **sizes)
        return Parity(
            difference(READABLE, OPAQUE, pair, measure, **sizes, rope=rope),
            {READABLE: n_ours, OPAQUE: n_theirs},
            Score(ABOVE_CHANCE, above.mean, above.low, above.high, len(cells.repeats)),
        )

    @staticmethod
    def of_shuffles(
        models: Sequence[TableModel], records: Sequence[Mapping[str, Any]], measure: Measure, rope: float
    ) -> list[Parity]:
        """The same of every shuffle of the labels in which both kinds could be fitted: the claim's controls."""
        names, opaque = [model.name for model in models], {model.name for model in models if model.opaque}
        found = []
        for number in sorted({record["shuffle"] for record in records if record["shuffle"] is not None}):
            try:
                cells = Cells.read(names, [record for record in records if record["shuffle"] == number])
            except TableError:
                continue
            if (parity := Parity.of(cells, opaque, measure, rope)) is not None:
                found.append(parity)
        return found

    def scores(self) -> tuple[Score, Score]:
        """What the claim is about: ``shortfall`` (opaque minus interpretable, 0.01 is one point), ``above_chance``."""
        best = self.best
        shortfall = Score(SHORTFALL, -best.points / 100, -best.high / 100, -best.low / 100, best.n)
        return shortfall, self.above_chance

    def headline(self, measure: Measure) -> str:
        """What a person should take away, whichever way it went."""
        best = self.best
        ours, theirs = (max(self.chosen[kind].items(), key=lambda item: item[1])[0] for kind in (READABLE, OPAQUE))
        probability = f"probability {max(best.worse, best.equal, best.better):.2f}"
        if best.verdict == "worse":
            return (
                f"Here the opaque model wins by {-best.points:.1f} points of {measure.title} "
                f"[{-best.high:.1f}, {-best.low:.1f}]: reading {ours} instead of trusting {theirs} costs you that "
                f"({probability})."
            )
        gap = f"{best.points:+.1f} points of {measure.title} [{best.low:+.1f}, {best.high:+.1f}]"
        if best.verdict == "practically equal":
            return (
                f"Here a model that can be read costs nothing: {ours} and {theirs} are practically equal "
                f"({gap}, {probability})."
            )
        if best.verdict == "better":
            return f"Here the model that can be read wins: {ours} against {theirs} {gap} ({probability})."
        return (
            f"Here it stays open: {ours} against {theirs} {gap} (worse {best.worse:.2f}, practically equal "
            f"{best.equal:.2f}, better {best.better:.2f})."
        )
