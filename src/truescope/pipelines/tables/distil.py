"""`distil`: a behaviour of a language model as a fast-and-frugal tree over its features, and how faithful that is.

Model ─run→ features, answers ─(one half of the prompts)→ tree ─state→ Claim ─(the other half, beside trees on matched
random features)→ Verdict. The tree is exact about itself, and an approximation of the model: the verdict says how good.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

from truescope.core.claims import Claim, ControlPlan, Prediction, Score, Verdict
from truescope.core.errors import ClaimError, UsageError, nearest
from truescope.core.evidence import ClaimType, ControlKind
from truescope.core.progress import Watcher
from truescope.explain import digit_dependence, group_units
from truescope.judge import Ledger, control_result, decide, evidence_level
from truescope.models import Model
from truescope.pipelines.cases import addition_task
from truescope.pipelines.evidence import Domain
from truescope.pipelines.reruns import Rerun
from truescope.pipelines.runs import run_facts
from truescope.pipelines.subjects import (
    ADDITION,
    dictionary_id,
    load_dictionary,
    load_model,
    place_of,
    same_model,
)
from truescope.pipelines.tables.reading import tabular
from truescope.statistics import UnitStatistics, bootstrap_interval, split_half
from truescope.store import Run, Store, code_hash, commit, versions

if TYPE_CHECKING:
    import pandas as pd

    from truescope.tabular import FastFrugalTreeClassifier

FEATURES = "transcoder"
FIDELITY, AGREEMENT = "fidelity", "agreement"
CONTROL = "trees on random features"
LEAST = 0.55
"""A tree that is to agree with the model less than this is not worth a claim."""
MARGIN = 0.05
"""The claim is made this far below what the tree reaches on the prompts it was grown on."""
BEHAVIOURS = {
    "carry": "the answer's units digit is below the first operand's, so the sum carries",
    "hundred": "the answer is 100 or more",
}
"""What can be distilled: each a statement about what the model answers, true or false of each prompt."""
SAYS = "Exact tree of itself; approximate tree of the model"
_RESULT, _PICTURE = "distil.json", "tree.svg"


@dataclass(frozen=True)
class DistilReport:
    """The tree, the claim about its fidelity, and the folder that holds both."""

    record: Mapping[str, Any]
    folder: Path
    ledger: Path

    @property
    def headline(self) -> str:
        """What may be said of the tree, in one sentence."""
        return str(self.record["headline"])

    def summary(self) -> dict[str, Any]:
        """What ``truescope distil --json`` prints."""
        return {**self.record, "picture": str(self.folder / _PICTURE), "ledger": str(self.ledger)}


@dataclass(frozen=True, eq=False)
class _Halves:
    """Live features as cues and the model's behaviour, on the half to grow on and the half to judge on."""

    cues: pd.DataFrame
    layers: Int[np.ndarray, " n_cues"]
    shows: Bool[np.ndarray, " n_prompts"]
    grown: Int[np.ndarray, " n_grown"]
    judged: Int[np.ndarray, " n_judged"]


def distil(
    behaviour: str,
    *,
    dictionary: str | Path = FEATURES,
    algorithm: str = "ifan",
    max_levels: int = 4,
    n_controls: int = 100,
    seed: int = 0,
    fresh: bool = False,
    store: Store | None = None,
    watcher: Watcher | None = None,
) -> DistilReport:
    """Grow a tree over the addition world's features that says what the model will answer, and judge its fidelity.

    ``behaviour`` is one of `BEHAVIOURS`, ``dictionary`` what the features are ("transcoder", "clt", "neurons" or a
    folder). The tree is grown on one half of the 10,000 prompts. Its fidelity is measured on the other half, beside
    ``n_controls`` trees on as many random live features of the same layers; the claim is stated before.

    fidelity = (P(the tree says yes | the model does) + P(the tree says no | the model does not)) / 2

    Raises:
        UsageError: a behaviour that is not known, or a number out of its range.
        DictionaryError, TableError, StoreError: as their names say.
    """
    watcher, store = watcher or Watcher(), store or Store.open()
    _check(behaviour, n_controls, seed)
    settings: dict[str, Any] = {"algorithm": algorithm, "max_levels": max_levels}
    with watcher.stage("load") as said:
        model = load_model(ADDITION)
        loaded = load_dictionary(dictionary, model)
        said["text"] = f"Loaded {model.name} ({model.n_layers} layers) and its {_unit_word(dictionary)}"
    inputs: dict[str, Any] = {"behaviour": behaviour, "model_hash": model.hash, "dictionary": dictionary_id(loaded)}
    inputs |= {"settings": settings, "n_controls": n_controls, "seed": seed, "data_hash": addition_task(model).hash}
    run = store.run("distil", inputs | {"code": code_hash(__name__)}, title=f"{behaviour} as a tree")
    ledger = Ledger(store.path / "ledger.jsonl")
    with run.locked(watcher.note):
        if fresh or not run.finished:
            with watcher.stage("run") as said:
                halves = _halves(model, loaded, behaviour, seed)
                said["text"] = (
                    f"Ran {len(halves.shows):,} prompts; {len(halves.layers):,} live {_unit_word(dictionary)}"
                )
            with watcher.stage("grow") as said:
                tree, claim = _grow(model, inputs, halves)
                claim = claim.with_procedure("distil", **inputs["settings"], behaviour=behaviour, seed=seed,
                                             n_controls=n_controls, dictionary=place_of(dictionary))  # fmt: skip
                ledger.state(claim, {"versions": versions(), "commit": commit(), "seed": seed})
                said["text"] = f"Grew {len(tree.trees_)} trees on {len(halves.grown):,} prompts, and stated the claim"
            with watcher.stage("judge") as said:
                verdict = _judge(tree, claim, halves, settings)
                ledger.append(verdict, {"versions": versions(), "commit": commit(), "seed": seed})
                said["text"] = f"Judged it on {len(halves.judged):,} other prompts, beside {n_controls:,} {CONTROL}"
            _keep(run, model, tree, verdict, inputs)
    return DistilReport(run.read_json(_RESULT), run.folder, ledger.path)


def rerun_distil(again: Rerun) -> Verdict:
    """Run a claim of `distil` again from its entry.

    Raises:
        ClaimError: another model or dictionary, or the tree grows otherwise here.
        ModelError, DictionaryError: as their names say.
    """
    claim, arguments, watcher = again.claim, again.arguments, again.watcher
    subject = load_model(again.model if again.model is not None else ADDITION)
    same_model(claim, subject)
    loaded = load_dictionary(again.dictionary if again.dictionary is not None else arguments["dictionary"], subject)
    settings = {name: arguments[name] for name in ("algorithm", "max_levels")}
    inputs = {"behaviour": arguments["behaviour"], "settings": settings, "seed": int(arguments["seed"])}
    inputs |= {"n_controls": int(arguments["n_controls"]), "dictionary": dictionary_id(loaded)}
    inputs |= {"data_hash": addition_task(subject).hash}
    with watcher.stage("judge") as said:
        halves = _halves(subject, loaded, inputs["behaviour"], inputs["seed"])
        tree, stated = _grow(subject, inputs, halves)
        if stated.id != claim.id:
            raise ClaimError(f"the claim {claim.id} does not come out of its own procedure here", why=stated.text)
        verdict = _judge(tree, claim, halves, settings)
        said["text"] = f"Judged it on {len(halves.judged):,} prompts"
    return replace(verdict, claim=claim)


def _check(behaviour: str, n_controls: int, seed: int) -> None:
    if behaviour not in BEHAVIOURS:
        raise UsageError(
            f"no behaviour is called {behaviour!r}",
            why=f"there are {', '.join(BEHAVIOURS)}",
            fix=nearest(behaviour, BEHAVIOURS),
        )
    if n_controls < 1:
        raise UsageError(f"{n_controls} controls give no verdict", fix="give 20 or more")
    if seed < 0:
        raise UsageError(f"the seed is {seed}", fix="give a whole number from 0 up")


def _halves(model: Model, dictionary: Any, behaviour: str, seed: int) -> _Halves:
    """Everything that is learned about features (which live, what they depend on) comes from the growing half."""
    with tabular():
        import pandas as pd
    domain = Domain.of(model, dictionary)
    grown, judged = split_half(len(domain.first), seed)
    units = UnitStatistics.measure(domain.activations[grown], domain.units)
    grouping = group_units(
        units, digit_dependence(domain.activations[grown], domain.first[grown], domain.second[grown])
    )
    part = {unit: name for name, members in grouping.groups.items() for unit in members}
    live = np.flatnonzero(units.live)
    names = [f"{_reads(part[domain.units[place]])} {domain.units[place]}" for place in live]
    cues = pd.DataFrame(domain.activations[:, live].astype(np.float64), columns=pd.Index(names))
    layers = np.array([domain.units[place].layer for place in live])
    return _Halves(cues, layers, _shows(model, domain, behaviour), grown, judged)


def _reads(part: str) -> str:
    return "several parts" if part == "unassigned" else part


def _shows(model: Model, domain: Domain, behaviour: str) -> Bool[np.ndarray, " n_prompts"]:
    """Whether the model's own answer, right or wrong, shows the behaviour; an answer that is no number does not."""
    numbers = addition_task(model).numbers
    told = [model.run(chunk).logits[:, -1].argmax(-1).cpu().numpy() for chunk in domain.tokens.split(1000)]
    answer = numbers[np.concatenate(told)]
    return answer % 10 < domain.first % 10 if behaviour == "carry" else answer >= 100


def _grow(model: Model, inputs: Mapping[str, Any], halves: _Halves) -> tuple[FastFrugalTreeClassifier, Claim]:
    """The best tree on the growing half, and what is claimed of it on the other."""
    tree = _fitted(halves.cues.iloc[halves.grown], halves.shows[halves.grown], inputs["settings"])
    reached = float(tree.stats_["bacc"].iloc[0])
    threshold = max(LEAST, floor(20 * (reached - MARGIN)) / 20)
    claim = Claim(
        text=f"A tree over {len(set(tree.tree_.cues))} features of {model.name} agrees with the model on whether "
        f"{BEHAVIOURS[inputs['behaviour']]}",
        predictions=(Prediction(FIDELITY, ">=", threshold),),
        control=ControlPlan(
            CONTROL, ("number of features", "layers"), inputs["n_controls"], inputs["seed"], ControlKind.MATCHED_RANDOM
        ),
        target={
            "subject": "the distilled tree",
            "object": f"the model: {BEHAVIOURS[inputs['behaviour']]}",
            "model_hash": model.hash,
            "dictionary": inputs["dictionary"],
            "tree": tree.words(),
        },
        population={
            "data_hash": inputs["data_hash"],
            "split": "the half of the prompts that the tree was not grown on",
            "n": len(halves.judged),
        },
        type=ClaimType.FAITHFULNESS,
        metric=f"{FIDELITY}: mean share of agreement where the model does and where it does not; bootstrap interval",
        seeds={"halves, controls, bootstrap": inputs["seed"]},
        assumptions=("prompts are drawn like those of the addition world",),
        threats=("the tree reads the model's features: it says what goes with the behaviour, not what makes it",),
    )
    return tree, claim


def _fitted(
    cues: pd.DataFrame, shows: Bool[np.ndarray, " n_grown"], settings: Mapping[str, Any]
) -> FastFrugalTreeClassifier:
    """The fan on these features; that two of them go together is no news among hundreds."""
    from truescope.tabular import CueWarning, FastFrugalTreeClassifier

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CueWarning)
        return FastFrugalTreeClassifier(**settings, positive=True).fit(cues, shows)


def _judge(tree: FastFrugalTreeClassifier, claim: Claim, halves: _Halves, settings: Mapping[str, Any]) -> Verdict:
    """The tree's fidelity on the judging half, beside trees that had only random features of the same layers."""
    truth = halves.shows[halves.judged]
    seed = claim.control.seed
    told = tree.predict(halves.cues.iloc[halves.judged])
    scores = _scores(truth, told, seed)
    guesses = _random_trees(tree, halves, settings, claim.control.n, seed)
    drawn = [_values(truth, guess) for guess in guesses]
    controls = (control_result(CONTROL, claim.predictions, drawn, len(truth)),)
    status, reasons = decide(claim.predictions, scores, controls)
    found = scores[0]
    headline = (
        f"{SAYS}: fidelity {found.value:.3f} [{found.low:.3f}, {found.high:.3f}] on {found.n:,} prompts it was not "
        "grown on"
    )
    level = evidence_level(status, "observe", claim.predictions, {})
    return Verdict(claim, status, level, scores, controls, notes=(headline, *reasons))


def _random_trees(
    tree: FastFrugalTreeClassifier, halves: _Halves, settings: Mapping[str, Any], n: int, seed: int
) -> list[Bool[np.ndarray, " n_judged"]]:
    """What trees say that were grown alike, each on as many random live features of the tree's layers."""
    rng = np.random.default_rng(seed)
    names = list(halves.cues.columns)
    used = [names.index(cue) for cue in dict.fromkeys(tree.tree_.cues)]
    wanted = [int(halves.layers[place]) for place in used]
    guesses = []
    for _ in range(n):
        chosen: list[int] = []
        for layer in wanted:
            free = [p for p in np.flatnonzero(halves.layers == layer) if p not in used and p not in chosen]
            chosen.append(int(rng.choice(free)))
        cues = halves.cues.iloc[:, chosen]
        other = _fitted(cues.iloc[halves.grown], halves.shows[halves.grown], settings)
        guesses.append(other.predict(cues.iloc[halves.judged]))
    return guesses


def _values(truth: Bool[np.ndarray, " n"], told: Bool[np.ndarray, " n"]) -> dict[str, float]:
    outcome = 2 * truth.astype(np.int64) + told
    return {FIDELITY: float(_balanced(outcome)), AGREEMENT: float((truth == told).mean())}


def _scores(truth: Bool[np.ndarray, " n"], told: Bool[np.ndarray, " n"], seed: int) -> tuple[Score, ...]:
    outcome = 2 * truth.astype(np.int64) + told
    values = _values(truth, told)
    balanced = bootstrap_interval(outcome, statistic=_balanced, seed=seed)
    agreed = bootstrap_interval((truth == told).astype(np.float64), seed=seed)
    return (
        Score(FIDELITY, values[FIDELITY], *balanced, len(truth)),
        Score(AGREEMENT, values[AGREEMENT], *agreed, len(truth)),
    )


def _balanced(outcome: Any, axis: int = -1) -> Float[np.ndarray, "*draws"]:
    """(sens + spec) / 2 of outcomes 2·truth + told."""
    hi, mi, fa, cr = ((outcome == code).sum(axis=axis) for code in (3, 2, 1, 0))
    return np.asarray((hi / (hi + mi) + cr / (cr + fa)) / 2, dtype=float)


def _keep(run: Run, model: Model, tree: FastFrugalTreeClassifier, verdict: Verdict, inputs: Mapping[str, Any]) -> None:
    statement = BEHAVIOURS[inputs["behaviour"]]
    title = f"{statement[0].upper()}{statement[1:]}. {SAYS}"
    run.write_text(_PICTURE, tree.plot(title=title).svg + "\n")
    record = {
        "behaviour": inputs["behaviour"],
        "statement": statement,
        "headline": verdict.notes[0],
        "words": tree.words().splitlines(),
        "tree": tree.tree_.to_dict(),
        "claims": [verdict.to_json()],
        "run": run_facts(run, model, seed=inputs["seed"], data_hash=inputs["data_hash"]),
    }
    run.write_json(_RESULT, record)
    run.finish({"headline": record["headline"]})


def _unit_word(dictionary: str | Path) -> str:
    return "neurons" if str(dictionary) == "neurons" else "features"
