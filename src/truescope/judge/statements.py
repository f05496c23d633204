"""Claims about addition, stated from groups before any intervention is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from truescope.core.claims import Claim, ControlPlan, Prediction
from truescope.core.evidence import ClaimType
from truescope.core.features import Feature
from truescope.judge.answers import NumberTask
from truescope.judge.controls import MATCHED_ON, check_units
from truescope.judge.edits import NEURONS, OPERATIONS, values_hash
from truescope.judge.suppression import MIN_CONTROLS, MIN_SAMPLE
from truescope.statistics import UnitStatistics

METRIC = "shares of prompts by the most probable next token; error is the mean distance of the answered number"

ASSUMPTIONS = (
    "the last position is where the group acts",
    "a unit's mean over the grouping half is a neutral value",
)

THREATS = (
    "several means at once may lie off the model's usual activations",
    "another part of the model may take over what was taken away",
)

OBJECTS = {
    "exact": "the exact answer",
    "within_5": "an answer within 5 of the right one",
    "units_digit": "the units digit of the answer",
    "error": "a small error",
}
"""What an effect on each score is an effect on, in words."""


def _object_of(predictions: Sequence[Prediction]) -> str:
    effects = [OBJECTS.get(p.score, p.score) for p in predictions if p.relation == "<="]
    return " and ".join(effects) or "nothing that is lost"


@dataclass(frozen=True)
class Statement:
    """What every claim of one run shares: the model, the two halves, the grouping rule and the controls.

    ``units`` were measured on the grouping half, ``task`` is the judging half; ``rule`` is the grouping rule as a plain
    object; ``split_seed`` and ``n_population`` say how the halves were made.
    """

    model_hash: str
    task: NumberTask
    units: UnitStatistics
    rule: dict[str, Any]
    split_seed: int
    n_population: int
    n_controls: int = MIN_CONTROLS
    n_sample: int = MIN_SAMPLE
    control_seed: int = 0
    dictionary: str = NEURONS
    dictionary_hash: str = ""

    def suppression(
        self, group: str, features: Sequence[Feature], text: str, predictions: Sequence[Prediction]
    ) -> Claim:
        """The claim that setting ``features`` to their means at the last position does what ``predictions`` say.

        Raises:
            ClaimError: a feature was not measured.
        """
        check_units(features, self.units)
        return Claim(
            text=text,
            predictions=tuple(predictions),
            control=ControlPlan("random groups", MATCHED_ON, self.n_controls, self.control_seed),
            type=ClaimType.NECESSITY,
            metric=METRIC,
            correction="none: each claim is one test, decided by its intervals and by its own controls",
            seeds={"split": self.split_seed, "controls": self.control_seed, "bootstrap": self.control_seed},
            assumptions=ASSUMPTIONS,
            threats=THREATS,
            scope=("in-distribution", "single model"),
            target={
                "subject": f"the group “{group}”",
                "object": _object_of(predictions),
                "model_hash": self.model_hash,
                "dictionary": self.dictionary,
                **({"dictionary_hash": self.dictionary_hash} if self.dictionary_hash else {}),
                "group": group,
                "features": [str(feature) for feature in sorted(set(features))],
                "grouping": {**self.rule, "n": self.units.n},
                "operation": OPERATIONS["neurons" if self.dictionary == NEURONS else "features"],
                "values_hash": values_hash(features, self.units),
            },
            population={
                "data_hash": self.task.hash,
                "n": len(self.task),
                "half": "judging",
                "split_seed": self.split_seed,
                "n_population": self.n_population,
                "control_sample": {"n": min(self.n_sample, len(self.task)), "seed": self.control_seed},
            },
        )

    def units_digits(self, features: Sequence[Feature], *, most_exact: float = 0.60) -> Claim:
        """The claim that the units-digits group is needed for the exact answer, and not for its neighbourhood."""
        return self.suppression(
            "units digits",
            features,
            "Setting the units-digits group to its mean keeps answers within ±5 of the sum, "
            "but loses many exact answers",
            [Prediction("within_5", ">=", 0.99), Prediction("exact", "<=", most_exact)],
        )

    def magnitude(self, features: Sequence[Feature], *, most_exact: float = 0.45) -> Claim:
        """The claim that the magnitude group is needed for the exact answer, and not for its units digit."""
        return self.suppression(
            "magnitude",
            features,
            "Setting the magnitude group to its mean keeps the answer's units digit, but loses most exact answers",
            [Prediction("units_digit", ">=", 0.99), Prediction("exact", "<=", most_exact)],
        )

    def neighbourhood(self, features: Sequence[Feature], *, most_near: float = 0.10) -> Claim:
        """The claim that the magnitude group is needed to come near the answer at all, and not for its units digit."""
        return self.suppression(
            "magnitude",
            features,
            "Setting the magnitude group to its mean keeps the answer's units digit, but answers are no longer near",
            [Prediction("units_digit", ">=", 0.98), Prediction("within_5", "<=", most_near)],
        )
