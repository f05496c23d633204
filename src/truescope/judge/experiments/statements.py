"""Claims of experiments: stated from a group, a path and the prompts alone, before anything is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from truescope.core.claims import Claim, ControlPlan, Prediction
from truescope.core.errors import ClaimError
from truescope.core.evidence import ClaimType
from truescope.core.features import Feature
from truescope.judge.edits import NEURONS
from truescope.judge.experiments.bench import Bench, Group
from truescope.judge.experiments.stand_ins import CONTROLS
from truescope.judge.verdicts import refuse_another

METRIC = (
    "share of the way of logit[donor's answer] − logit[own answer] from the prompt to its donor, mean over prompts; "
    "a donor is a random prompt with another answer"
)
OPERATIONS = {
    ClaimType.SUFFICIENCY: "set to x + dose · (donor's value − x), everything else live",
    ClaimType.NECESSITY: "set to the mean over the grouping half, position by position, everything else live",
    ClaimType.MECHANISM: "the upstream units set to the donor's values; the downstream ones to what they become then, "
    "alone, or held at their own",
}
"""What is done, as claims state it."""
OBJECTS = {
    ClaimType.SUFFICIENCY: "the donor's answer",
    ClaimType.NECESSITY: "the answer",
    ClaimType.MECHANISM: "the change from the own answer to the donor's",
}
"""What each is an effect on, in words."""
ASSUMPTIONS = ("a donor's values are values that the group could have on the prompt",)
THREATS = (
    "values of another prompt may not fit the rest of this one's",
    "a prompt may be another one's donor: cases are not wholly independent",
    "the mean way from prompts to donors, by which effects are divided, is taken as known in their intervals",
)


@dataclass(frozen=True)
class Design:
    """What every claim of one experiment shares: the bench, how it was cut, and the stand-ins."""

    bench: Bench
    seed: int
    controls: str = "units"
    n_controls: int = 100

    def claim(
        self,
        group: Group,
        name: str,
        text: str,
        type: ClaimType,
        predictions: Sequence[Prediction],
        target: dict[str, Any],
        depends_on: Sequence[str] = (),
    ) -> Claim:
        """The claim that doing to ``group`` what a claim of its ``type`` does has the predicted effect.

        Raises:
            ClaimError: there are no such controls.
        """
        if self.controls not in CONTROLS:
            raise ClaimError(f"there are no controls {self.controls!r}", fix=f"say {' or '.join(CONTROLS)}")
        called, matched_on = CONTROLS[self.controls]
        return Claim(
            text=text,
            predictions=tuple(predictions),
            control=ControlPlan(called, matched_on, self.n_controls, self.seed),
            type=type,
            metric=METRIC,
            correction="none: each claim is one test, decided by its intervals and by its own controls",
            seeds={"split": self.seed, "pairs": self.seed, "controls": self.seed, "bootstrap": self.seed},
            assumptions=ASSUMPTIONS,
            threats=THREATS,
            scope=("in-distribution", "single model"),
            depends_on=tuple(depends_on),
            target={
                "subject": f"the {'path through the ' if type is ClaimType.MECHANISM else ''}group “{name}”",
                "object": OBJECTS[type],
                "model_hash": self.bench.model.hash,
                **dictionary_facts(group),
                "features": names_of(group.features),
                "group": name,
                "positions": group.positions,
                "operation": OPERATIONS[type],
                **target,
            },
            population={"data_hash": self.bench.pairs.hash, "n": len(self.bench.pairs), "half": "judging"},
        )


def dictionary_facts(group: Group) -> dict[str, str]:
    """Which dictionary a group's units are of, as a claim's target says it."""
    if group.dictionary is None:
        return {"dictionary": NEURONS}
    return {"dictionary": group.dictionary.name, "dictionary_hash": str(getattr(group.dictionary, "hash", ""))}


def names_of(features: Sequence[Feature]) -> list[str]:
    """Units as "layer/index", sorted."""
    return [str(feature) for feature in sorted(set(features))]


def check_claim(claim: Claim, bench: Bench, group: Group, type: ClaimType) -> None:
    """Refuse a claim that was not stated for this group on this bench, so that nothing is changed after the fact.

    Raises:
        ClaimError: it was stated for something else, which is named.
    """
    here: dict[str, tuple[Any, Any]] = {
        "type": (claim.type, type),
        "model_hash": (claim.target.get("model_hash"), bench.model.hash),
        "features": (list(claim.target.get("features", ())), names_of(group.features)),
        "positions": (claim.target.get("positions"), group.positions),
        **{name: (claim.target.get(name), value) for name, value in dictionary_facts(group).items()},
        "data_hash": (claim.population.get("data_hash"), bench.pairs.hash),
    }
    refuse_another(claim, here)
