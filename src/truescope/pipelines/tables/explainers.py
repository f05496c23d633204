"""`explainers`: post-hoc explainers held to the axiom that what a model uses outranks what it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from truescope.core.claims import Claim, Verdict
from truescope.core.errors import UsageError, nearest
from truescope.core.progress import Watcher
from truescope.judge import Ledger
from truescope.pipelines.reruns import Rerun
from truescope.pipelines.tables.reading import tabular
from truescope.store import Run, Store, code_hash, commit, versions

if TYPE_CHECKING:
    from truescope.tabular.posthoc import Audit, Explainer, Question, WhiteBox

_RESULT = "audits.json"
_N_TRAINING = 4_000


@dataclass(frozen=True)
class ExplainersReport:
    """What every explainer scored on every white box, beside what it must score by hand; and the claims."""

    record: Mapping[str, Any]
    folder: Path
    ledger: Path

    def summary(self) -> dict[str, Any]:
        """What ``truescope explainers --json`` prints."""
        return {**self.record, "folder": str(self.folder), "ledger": str(self.ledger)}


def explainers(
    names: Sequence[str] = (),
    *,
    boxes: Sequence[str] = (),
    model: str | None = None,
    share: float = 0.5,
    n_tables: int = 100,
    seed: int = 0,
    fresh: bool = False,
    store: Store | None = None,
    watcher: Watcher | None = None,
) -> ExplainersReport:
    """Let explainers explain models whose used cues are known, and count how often a used cue outranks another.

    ``names``: explainers ("occlusion-zero", "shap-marginal", "permutation", …), all that are installed if none is
    given. ``boxes``: white boxes ("linear", "and", "xor", "interaction", "correlated", "gate"), all if none. Cues are
    0 or 1, with ``share`` of ones. With ``model`` ("hist-gradient-boosting", "random-forest", "logistic", "tree") the
    explained function is not the box but what that model learned from 4,000 cases of it: then the truth is what the
    data were made by, and no hand formula applies. One claim for each pair is stated before it is run; its control is
    random scores.

    Raises:
        UsageError: an unknown name, with the nearest ones, a share outside (0, 1), or a package that is missing.
    """
    watcher = watcher or Watcher()
    with tabular():
        from truescope.tabular.posthoc import WHITE_BOXES, explainers_named, white_box
    if not 0.0 < share < 1.0 or n_tables < 2 or seed < 0:
        raise UsageError(
            f"share {share:g}, {n_tables} tables and seed {seed} make no experiment",
            fix="a share between 0 and 1, at least 2 tables, a seed from 0 up",
        )
    notes: list[str] = []
    chosen = explainers_named(list(names), notes)
    subjects = [white_box(name) for name in boxes or WHITE_BOXES]
    _check_model(model)
    for note in notes:
        watcher.note(note)
    settings = {"model": model, "share": share, "n_tables": n_tables, "seed": seed}
    claims = _claims(subjects, chosen, settings)
    store = store or Store.open()
    ledger = Ledger(store.path / "ledger.jsonl")
    provenance = {"versions": versions(), "commit": commit(), "seed": seed}
    inputs = {"boxes": [box.name for box in subjects], "explainers": [one.name for one in chosen], **settings}
    run = store.run("explainers", inputs | {"code": code_hash(__name__)}, title=f"{len(chosen)} explainers")
    with run.locked(watcher.note):
        if fresh or not run.finished:
            for claim in claims.values():
                ledger.state(claim, provenance)
            audits, verdicts = _audit_all(subjects, chosen, claims, settings, watcher)
            for verdict in verdicts:
                ledger.append(verdict, provenance)
            found = {"axioms": _axioms(chosen, seed, watcher), "settings": settings, "notes": notes}
            run.write_json(_RESULT, _record(run, audits, verdicts) | found)
            run.finish({"n_claims": len(verdicts)})
    return ExplainersReport(run.read_json(_RESULT), run.folder, ledger.path)


def _record(run: Run, audits: Sequence[Audit], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    return {
        "audits": [audit.to_json() for audit in audits],
        "claims": [verdict.to_json() for verdict in verdicts],
        "run": {"id": run.id, "commit": commit(), "versions": versions()},
    }


def _claims(
    boxes: Sequence[WhiteBox], chosen: Sequence[Explainer], settings: Mapping[str, Any]
) -> dict[tuple[str, str], Claim]:
    """One claim for each white box and explainer, by their names."""
    from truescope.tabular.posthoc.claims import faithful_claim

    return {
        (box.name, explainer.name): faithful_claim(
            box, explainer, _subject(box, settings["model"]), dict(settings)
        ).with_procedure("explainers", box=box.name, explainer=explainer.name, **settings)
        for box in boxes
        for explainer in chosen
    }


def _axioms(chosen: Sequence[Explainer], seed: int, watcher: Watcher) -> dict[str, list[dict[str, Any]]]:
    """The judge's axioms for those explainers that can be given any baseline."""
    from truescope.tabular.posthoc import axiom_checks

    able = [explainer for explainer in chosen if explainer.baseline]
    found = {}
    with watcher.stage("axioms") as said:
        for explainer in able:
            found[explainer.name] = [check.to_json() for check in axiom_checks(explainer, seed=seed)]
            watcher.progress("axioms", len(found), len(able))
        said["text"] = f"Put {len(able)} of them through the executable axioms"
    return found


def rerun_explainer(again: Rerun) -> Verdict:
    """Run a claim about an explainer again from its entry.

    Raises:
        UsageError: the entry names an explainer or a white box that is not there.
    """
    with tabular():
        from truescope.tabular.posthoc import explainers_named, white_box
    arguments = again.arguments
    settings = {name: arguments[name] for name in ("model", "share", "n_tables", "seed")}
    box, (explainer,) = white_box(arguments["box"]), explainers_named([arguments["explainer"]], [])
    found = {(box.name, explainer.name): again.claim}
    return _audit_all([box], [explainer], found, settings, again.watcher)[1][0]


def _audit_all(
    boxes: Sequence[WhiteBox],
    chosen: Sequence[Explainer],
    claims: Mapping[tuple[str, str], Claim],
    settings: Mapping[str, Any],
    watcher: Watcher,
) -> tuple[list[Audit], list[Verdict]]:
    from truescope.tabular.posthoc import audit
    from truescope.tabular.posthoc.claims import faithful_verdict

    audits, verdicts = [], []
    with watcher.stage("explain") as said:
        for box in boxes:
            questions = _questions(box, settings)
            for explainer in chosen:
                found = audit(box, explainer, questions, settings["share"] if settings["model"] is None else None)
                audits.append(found)
                verdicts.append(faithful_verdict(claims[box.name, explainer.name], found, box, questions))
                watcher.progress("explain", len(audits), len(boxes) * len(chosen))
        said["text"] = (
            f"Held {len(chosen)} explainers to {len(boxes)} white boxes in {settings['n_tables']:,} tables each"
        )
    return audits, verdicts


def _questions(box: WhiteBox, settings: Mapping[str, Any]) -> list[Question]:
    """The tables of cases; the function is the box, or what a model learned of it."""
    from truescope.tabular.posthoc import ask, learn

    share, seed, function = settings["share"], settings["seed"], None
    if settings["model"] is not None:
        function = learn(box, _learner(settings["model"], seed), n=_N_TRAINING, share=share, seed=seed)
    return ask(box, n_tables=settings["n_tables"], share=share, seed=seed, function=function)


def _subject(box: WhiteBox, model: str | None) -> str:
    return f"“{box.name}”" if model is None else f"what “{model}” learned of “{box.name}”"


def _learners() -> dict[str, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    return {
        "hist-gradient-boosting": lambda seed: HistGradientBoostingClassifier(random_state=seed),
        "random-forest": lambda seed: RandomForestClassifier(n_estimators=100, min_samples_leaf=5, random_state=seed),
        "logistic": lambda seed: LogisticRegression(),
        "tree": lambda seed: DecisionTreeClassifier(max_depth=4, random_state=seed),
    }


def _learner(model: str, seed: int) -> Any:
    return _learners()[model](seed)


def _check_model(model: str | None) -> None:
    if model is not None and model not in (known := _learners()):
        raise UsageError(
            f"no model {model!r} learns white boxes", why=f"there are {', '.join(known)}", fix=nearest(model, known)
        )
