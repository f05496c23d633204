"""The experiments of a case: stated, run on the model, judged; and run again from a claim's entry.

`judge` cuts the prompts in two as for suppressions. Pairs of a prompt and a donor come from the judging half; means,
and the sizes that matched groups need, from the grouping half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from truescope.core.claims import Claim, Verdict
from truescope.core.errors import ClaimError
from truescope.core.evidence import ClaimType
from truescope.core.progress import Watcher
from truescope.judge import Ledger
from truescope.judge.experiments import (
    Bench,
    Design,
    Group,
    Pairs,
    check_order,
    judge_dose_response,
    judge_necessity,
    judge_path,
    names_of,
)
from truescope.models import Model
from truescope.pipelines.cases.experiments import ExperimentEntry, grounds_of

if TYPE_CHECKING:
    from truescope.pipelines.cases.case import Case
    from truescope.pipelines.judge import Halves

TYPES = {
    "dose-response": ClaimType.SUFFICIENCY,
    "necessity": ClaimType.NECESSITY,
    "path": ClaimType.MECHANISM,
}


@dataclass(frozen=True, eq=False)
class Experiments:
    """A case's experiments with their claims, on a bench; `stated` makes them, `judge` runs one.

    ``record`` is the case as it is run again.
    """

    entries: tuple[ExperimentEntry, ...]
    claims: tuple[Claim, ...]
    bench: Bench
    halves: Halves

    @staticmethod
    def stated(model: Model, case: Case, halves: Halves, record: Mapping[str, Any], n_controls: int) -> Experiments:
        """The claims of every experiment, from the prompts alone, each with what runs it again.

        Raises:
            ClaimError: a unit that there is not, or a path that goes no way.
        """
        pairs = Pairs.draw(halves.judged, case.n_pairs, halves.seed)
        bench = Bench(model, pairs, halves.dictionary)
        made: dict[int, Claim] = {}
        # Paths come last: they depend on the ids of their grounds.
        for i in sorted(range(len(case.experiments)), key=lambda i: case.experiments[i].ask == "path"):
            entry = case.experiments[i]
            grounds = grounds_of(entry, case.experiments)
            needed = [record["experiments"][n] for n in (*grounds, i)]
            claim = _claim(entry, bench, halves, n_controls, [made[n].id for n in grounds])
            made[i] = claim.with_procedure("judge experiment", case={**record, "claims": [], "experiments": needed})
        return Experiments(case.experiments, tuple(made[i] for i in range(len(made))), bench, halves)

    def judge(self, watcher: Watcher) -> list[Verdict]:
        """Every verdict, in the order of the case; a path's after those that it rests on."""
        found: dict[int, Verdict] = {}
        order = sorted(range(len(self.entries)), key=lambda i: self.entries[i].ask == "path")
        for done, i in enumerate(order):
            watcher.progress("experiments", done, len(order))
            found[i] = self._judge(i, [found[n] for n in grounds_of(self.entries[i], self.entries)])
        watcher.progress("experiments", len(order), len(order))
        return [found[i] for i in range(len(found))]

    def _judge(self, i: int, grounds: Sequence[Verdict]) -> Verdict:
        entry, claim, halves = self.entries[i], self.claims[i], self.halves
        units = halves.units if entry.positions == "last" else None
        group = Group(entry.units, entry.positions, halves.dictionary)
        if entry.ask == "dose-response":
            return judge_dose_response(claim, self.bench, group, entry.doses, units)
        if entry.ask == "necessity":
            return judge_necessity(claim, self.bench, group, halves.task.rows(halves.grouping).tokens, units)
        through = Group(entry.through, entry.positions, halves.dictionary)
        return judge_path(claim, self.bench, group, through, grounds, units)


def run_experiments(
    experiments: Experiments, ledger: Ledger, provenance: dict[str, Any], watcher: Watcher
) -> list[Verdict]:
    """State every claim in the ledger, run the experiments, and write the verdicts down."""
    for claim in experiments.claims:
        ledger.state(claim, provenance)
    with watcher.stage("experiments") as said:
        verdicts = experiments.judge(watcher)
        n_controls = sum(claim.control.n for claim in experiments.claims)
        said["text"] = (
            f"Ran {len(verdicts)} experiments on {len(experiments.bench.pairs):,} pairs of prompts, with "
            f"{n_controls:,} random stand-ins"
        )
    # A path is written after what it rests on.
    for verdict in sorted(verdicts, key=lambda one: one.claim.type is ClaimType.MECHANISM):
        ledger.append(verdict, provenance)
    return verdicts


def _claim(entry: ExperimentEntry, bench: Bench, halves: Halves, n_controls: int, depends_on: Sequence[str]) -> Claim:
    _check_units(entry, halves)
    upstream = Group(entry.units, entry.positions, halves.dictionary)
    group = Group(entry.features, entry.positions, halves.dictionary)
    target: dict[str, Any] = {}
    if entry.ask == "dose-response":
        target["doses"] = list(entry.doses)
    if entry.ask == "path":
        check_order(upstream, Group(entry.through, entry.positions, halves.dictionary))
        target["path"] = {"from": names_of(entry.units), "through": names_of(entry.through)}
    design = Design(bench, halves.seed, entry.controls, n_controls)
    return design.claim(group, entry.group, entry.text, TYPES[entry.ask], entry.predictions, target, depends_on)


def _check_units(entry: ExperimentEntry, halves: Halves) -> None:
    unknown = [str(feature) for feature in entry.features if feature not in halves.units.index]
    if unknown:
        raise ClaimError(
            f"unit {unknown[0]} of “{entry.group}” was not measured",
            why=f"the model has {len(halves.units.features)} units",
            fix='count layers and units from 0: "layer/index"',
        )
