"""The audit: a feature planted in a model with growing strength, claims stated before, each explainer's answer
judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from truescope.core.claims import Claim, ControlPlan, Prediction, Score, Status, Verdict
from truescope.core.config import data_folder
from truescope.core.errors import UsageError
from truescope.core.progress import Watcher
from truescope.gnn import AUDITED, NOTICED, STRENGTHS, Audit, Dose, audit_feature, doses_of, find_subject
from truescope.gnn.audit import feature_column
from truescope.gnn.benchmark.audit_report import audit_html
from truescope.gnn.networks import Subject
from truescope.judge import Ledger, control_result, decide, evidence_level
from truescope.store import Store, code_hash, commit, versions

_CONTROL = "the same feature, not planted"


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
    if doses[0] < 0 or n_nodes < 2 or seed < 0:
        raise UsageError("strengths and seeds are 0 or more, and two nodes or more are explained")
    with watcher.stage("load") as said:
        subject, facts = find_subject(name, data or data_folder(), kind=kind, seed=seed, withhold=feature)
        column = feature_column(subject, feature)
        said["text"] = (
            f"Loaded {facts['subject']}: {subject.n_nodes:,} nodes, {subject.n_arcs:,} arcs, "
            f"{subject.n_features} features"
        )
    inputs = {**facts, "feature": subject.feature_names[column], "explainers": list(names), "strengths": list(doses)}
    inputs |= {"n_nodes": n_nodes, "seed": seed, "graph": _graph_hash(subject), "code": code_hash(__name__)}
    run = store.run("gnn-audit", inputs, title=f"{subject.feature_names[column]} planted in {facts['subject']}")
    ledger, provenance = Ledger(store.path / "ledger.jsonl"), {"versions": versions(), "commit": commit(), "seed": seed}
    claims = {one: _claim(one, subject.feature_names[column], facts, n_nodes, seed) for one in names}
    for claim in claims.values():
        ledger.state(claim, provenance)
    with run.locked(watcher.note):
        with watcher.stage("audit") as said:
            found = audit_feature(
                subject,
                column,
                strengths=doses,
                explainers=names,
                n_nodes=n_nodes,
                seed=seed,
                progress=lambda done, total: watcher.progress("audit", done, total),
            )
            said["text"] = f"Asked {len(names)} explainers at {len(doses)} strengths"
        verdicts = [_verdict(claims[one], mine) for one, mine in doses_of(found)]
        for verdict in verdicts:
            ledger.append(verdict, provenance)
        record = _record(found, facts, verdicts) | {"run": {"id": run.id, **provenance}}
        run.write_json("audit.json", record)
        page = run.write_text("report.html", audit_html(record))
        if not run.finished:
            run.finish({"feature": found.feature, "thresholds": record["thresholds"]})
    return record, verdicts, page


def _claim(explainer: str, feature: str, facts: Mapping[str, Any], n_nodes: int, seed: int) -> Claim:
    return Claim(
        text=f"{explainer} notices {feature!r} when it moves the margin as much as all else together (strength 1).",
        predictions=(Prediction("area", ">=", NOTICED),),
        control=ControlPlan(_CONTROL, (), 1, seed),
        target={"subject": str(facts["subject"]), "feature": feature, "explainer": explainer},
        population={**facts, "n_nodes": n_nodes, "strength": 1.0},
    )


def _verdict(claim: Claim, doses: Sequence[Dose]) -> Verdict:
    """At strength 1, or the nearest that was tried; the control is the same question where the model does not use
    it.
    """
    dose = min((d for d in doses if d.strength > 0), key=lambda d: abs(d.strength - 1), default=doses[-1])
    if not dose.n_nodes:
        status, notes, controls, scores = Status.NOT_TESTABLE, (dose.note,), (), ()
    else:
        scores = (Score("area", dose.area, dose.low, dose.high, dose.n_nodes),)
        unused = next(d for d in doses if d.strength == 0)
        controls = (control_result(_CONTROL, claim.predictions, [{"area": unused.area}], dose.n_nodes),)
        status, notes = decide(claim.predictions, scores, controls)
        notes = (*notes, f"judged at strength {dose.strength:g}; first place at {dose.first:.0%} of the nodes")
    return Verdict(claim, status, evidence_level(status, "observe", claim.predictions, {}), scores, controls, notes)


def _record(found: Audit, facts: Mapping[str, Any], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    names = [name for name, _ in doses_of(found)]
    return {
        "feature": found.feature,
        "subject": dict(facts),
        "noticed_above": NOTICED,
        "thresholds": {name: found.threshold(name) for name in names},
        "false_alarms": [name for name in names if found.false_alarm(name)],
        "doses": [_plain(dose.record()) for dose in found.doses],
        "effects": [{"strength": e.strength, "changed": e.changed} for e in found.effects],
        "claims": [verdict.to_json() for verdict in verdicts],
    }


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: what was not measured is null."""
    return {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in record.items()}


def _graph_hash(subject: Subject) -> str:
    import hashlib

    digest = hashlib.sha256(subject.x.numpy().tobytes() + subject.edge_index.numpy().tobytes())
    for tensor in subject.model.state_dict().values():
        digest.update(tensor.detach().numpy().tobytes())
    return digest.hexdigest()
