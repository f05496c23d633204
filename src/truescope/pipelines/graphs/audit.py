"""The audit: a feature planted in a model with growing strength, claims stated before, each explainer's answer
judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from truescope.core.claims import Claim, ControlPlan, Prediction, Score, Status, Verdict
from truescope.core.config import data_folder
from truescope.core.errors import UsageError
from truescope.core.progress import Watcher
from truescope.core.wording import counted
from truescope.gnn import AUDITED, NOTICED, STRENGTHS, Audit, Dose, audit_feature, doses_of, find_subject
from truescope.gnn.audit import feature_columns, matched_columns
from truescope.gnn.benchmark.audit_report import audit_html
from truescope.gnn.networks import Subject
from truescope.judge import Ledger, control_result, decide, evidence_level, meets
from truescope.pipelines.graphs.running import answers_hash, check_model, graphs, provenance, subject_hash
from truescope.pipelines.reruns import Rerun
from truescope.statistics import proportion_interval
from truescope.store import Store, code_hash

_CONTROL = "features as frequent that it does not use"
_LOG = "doses.jsonl"
_VERB = "gnn audit"


def run_audit(
    name: str,
    feature: str,
    kind: str,
    explainers: Sequence[str] | None,
    strengths: Sequence[float] | None,
    n_nodes: int,
    data: Path | None,
    seed: int,
    store: Store,
    watcher: Watcher,
) -> tuple[dict[str, Any], list[Verdict], Path]:
    """Plant, ask, judge and write; see `gnn_audit`."""
    names, doses = tuple(explainers or AUDITED), tuple(sorted({0.0, *(strengths or STRENGTHS)}))
    if doses[0] < 0 or doses[-1] == 0 or n_nodes < 2 or seed < 0:
        raise UsageError("a strength above 0, none below, a seed of 0 or more, and two nodes or more are needed")
    subject, facts, column = _load(name, feature, kind, data, seed, watcher)
    n_asked = min(n_nodes, subject.n_nodes)
    if proportion_interval(n_asked, n_asked)[0] <= NOTICED:
        are = "is" if n_asked == 1 else "are"
        watcher.note(
            f"{counted(n_asked, 'node')} {are} too few to notice by: 1.00 at each has an interval from below {NOTICED}."
        )
    planted = subject.feature_names[column]
    how = {"subject": name, "feature": feature, "kind": kind, "n_nodes": n_nodes, "seed": seed}
    answers = answers_hash(subject)
    inputs = {**how, **facts, "answers": answers, "code": code_hash(__name__)}
    inputs |= {"explainers": list(names), "strengths": list(doses)}
    run = store.run("gnn-audit", inputs, title=f"{planted} planted in {facts['subject']}")
    ledger, strength = Ledger(store.path / "ledger.jsonl"), min((s for s in doses if s), key=lambda s: abs(s - 1))
    claims = {one: _claim(one, planted, facts | {"answers": answers}, how, strength) for one in names}
    for claim in claims.values():
        ledger.state(claim, provenance(seed))
    with run.locked(watcher.note):
        known = {(dose.explainer, dose.strength): dose for dose in map(Dose.read, run.read_lines(_LOG))}
        with watcher.stage("audit") as said:
            found = audit_feature(
                subject,
                column,
                strengths=doses,
                explainers=names,
                n_nodes=n_nodes,
                seed=seed,
                controlled=strength,
                known=known,
                keep=lambda dose: run.append_line(_LOG, dose.record()),
                progress=lambda done, total: watcher.progress("audit", done, total),
            )
            there = f"; {len(known)} of {len(found.doses)} answers were there" if known else ""
            said["text"] = f"Asked {counted(len(names), 'explainer')} at {counted(len(doses), 'strength')}{there}"
        verdicts = [_verdict(claims[one], mine) for one, mine in doses_of(found)]
        for verdict in verdicts:
            ledger.append(verdict, provenance(seed))
        record = _record(found, facts, verdicts) | {"run": {"id": run.id, **provenance(seed)}}
        run.write_json("audit.json", record)
        page = run.write_text("report.html", audit_html(record))
        if not run.finished:
            run.finish({"feature": found.feature, "thresholds": record["thresholds"]})
    return record, verdicts, page


def _load(
    name: str, feature: str, kind: str, data: Path | None, seed: int, watcher: Watcher
) -> tuple[Subject, dict[str, Any], int]:
    """The subject, what is known of it, and the column that is planted."""
    with watcher.stage("load") as said:
        subject, facts = find_subject(name, data or data_folder(), kind=kind, seed=seed, withhold=feature)
        said["text"] = (
            f"Loaded {facts['subject']}: {counted(subject.n_nodes, 'node')}, {counted(subject.n_arcs, 'arc')}, "
            f"{counted(subject.n_features, 'feature')}"
        )
    column, *others = feature_columns(subject, feature)
    if others:
        first = subject.feature_names[column]
        watcher.note(f"{len(others) + 1} features hold {feature!r}; {first!r}, the first of them, is planted.")
    if subject.outputs.shape[1] == 1:
        watcher.note("The model has one output: it is taken as a logit, whose sign is the class.")
    known = {k: v for k, v in facts.items() if k != "explained"}
    return subject, known | _controls(subject, column) | {"graph": subject_hash(subject)}, column


def _controls(subject: Subject, column: int) -> dict[str, Any]:
    """The features that are matched with the planted one, and how often it and they are not zero."""
    matched = matched_columns(subject, column)
    share = (subject.x != 0).double().mean(0).numpy()
    return {
        "frequency": float(share[column]),
        "matched": [subject.feature_names[int(k)] for k in matched],
        "matched_frequencies": [float(share[int(k)]) for k in matched],
    }


def rerun_dose(again: Rerun) -> Verdict:
    """Ask one explainer again, from its claim's entry: the network is trained anew (or the user's made) by its seed.

    Raises:
        ClaimError: the graph, the network that comes out or what it answers is another one than the claim was stated
            for.
        UsageError: the data, or the user's file, are not there.
    """
    how, claim = again.arguments, again.claim
    again.need_nothing("an audit makes its own model")
    with graphs():
        subject, _ = find_subject(
            how["subject"], data_folder(), kind=how["kind"], seed=how["seed"], withhold=how["feature"]
        )
        check_model(claim, subject, claim.population["graph"])
        found = audit_feature(
            subject,
            claim.target["feature"],
            strengths=(0.0, float(claim.population["strength"])),
            explainers=(claim.target["explainer"],),
            n_nodes=how["n_nodes"],
            seed=how["seed"],
            controlled=float(claim.population["strength"]),
        )
    return _verdict(claim, found.doses)


def _claim(explainer: str, feature: str, facts: Mapping[str, Any], how: Mapping[str, Any], strength: float) -> Claim:
    size = "as much as" if strength == 1 else f"{strength:g} times as much as"
    matched_on = ("how often the feature is not zero",)
    stated = Claim(
        text=f"{explainer} notices {feature!r} in {facts['subject']} when it moves the margin {size} all else together",
        predictions=(Prediction("area", ">=", NOTICED),),
        control=ControlPlan(_CONTROL, matched_on, 1 + len(facts["matched"]), how["seed"]),
        target={
            "subject": f"{explainer}'s score of {feature!r}",
            "object": f"the dependence planted in {facts['subject']}",
            "feature": feature,
            "explainer": explainer,
            "kind": how["kind"],
            "answers": facts["answers"],
        },
        population={
            **{k: v for k, v in facts.items() if k != "answers"},
            "n_nodes": how["n_nodes"],
            "strength": strength,
        },
    )
    return stated.with_procedure(_VERB, **how)


def _verdict(claim: Claim, doses: Sequence[Dose]) -> Verdict:
    """At the claim's strength. The controls are features that are as frequent and of which it is known that the model
    does not use them: the same one where it is not planted, and those matched with it, withheld from the model. One
    that is noticed as well says that being frequent is enough.
    """
    by_strength = {dose.strength: dose for dose in doses}
    dose, unused = by_strength[float(claim.population["strength"])], by_strength[0.0]
    if not dose.n_nodes:
        return Verdict(
            claim,
            Status.NOT_TESTABLE,
            evidence_level(Status.NOT_TESTABLE, "observe", claim.predictions, {}),
            (),
            (),
            (dose.note,),
        )
    scores = (Score("area", dose.area, dose.low, dose.high, dose.n_nodes), dose.named())
    alarm = unused.named()
    names = claim.population.get("matched", ())
    matched = dict(zip(names, dose.matched_areas, strict=True)) if dose.matched_areas else {}
    unplanted = f"{claim.target['feature']}, not planted"
    drawn = {unplanted: unused.area, **matched}
    controls = (control_result(_CONTROL, claim.predictions, [{"area": area} for area in drawn.values()], dose.n_nodes),)
    status, notes = decide(claim.predictions, scores, controls)
    told = (
        f"at strength {dose.strength:g}: first place at {dose.first:.0%} of the nodes; false alarms, where it is not "
        f"planted: {alarm.value:.0%} [{alarm.low:.0%}, {alarm.high:.0%}]"
    )
    won = [f"{name!r} ({area:.2f})" for name, area in drawn.items() if meets(claim.predictions, {"area": area})]
    named = [f"noticed though it is not used: {', '.join(won)}"] if won else []
    if names and not matched:
        named.append("without the matched features the model has nothing else to go by: they could not be ranked")
    level = evidence_level(status, "observe", claim.predictions, {})
    return Verdict(claim, status, level, scores, controls, (*notes, *named, told))


def _record(found: Audit, facts: Mapping[str, Any], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    names = [name for name, _ in doses_of(found)]
    rates = {name: found.false_alarm_rate(name) for name in names}
    return {
        "feature": found.feature,
        "subject": dict(facts),
        "noticed_above": NOTICED,
        "thresholds": {name: found.threshold(name) for name in names},
        "false_alarms": [name for name in names if found.false_alarm(name)],
        "false_alarm_rates": {name: None if rate is None else vars(rate) for name, rate in rates.items()},
        "doses": [dose.record() for dose in found.doses],
        "effects": [{"strength": e.strength, "changed": e.changed} for e in found.effects],
        "claims": [verdict.to_json() for verdict in verdicts],
    }
