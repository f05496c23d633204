"""The page of a comparison: one HTML file that needs nothing else, no script, and lets nothing in."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from truescope.tabular.compare.charts import calibration_chart, differences_chart, means_chart, probabilities_chart
from truescope.tabular.compare.measures import MEASURES

_STYLE = Path(__file__).with_suffix(".css")


def comparison_page(record: Mapping[str, Any]) -> str:
    """The page of what ``truescope compare --json`` prints."""
    style = _STYLE.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    table = record["table"]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(table['name'])}: interpretable against opaque</title><style>{style}</style></head>"
        "<body><main>"
        f'<p class="soft">truescope compare · {escape(_about(record))}</p><h1>{escape(record["headline"])}</h1>'
        f"{''.join(_sections(record))}</main></body></html>\n"
    )


def _about(record: Mapping[str, Any]) -> str:
    table, design = record["table"], record["design"]
    return (
        f"{table['name']}: {table['rows']:,} rows, {len(table['cues'])} cues; is {table['target']} "
        f"{table['classes'][1]}? ({100 * table['base_rate']:.0f} % are) · {design['repeats']} × {design['folds']} "
        f"{design['splits']} folds, the same for every model"
    )


def _sections(record: Mapping[str, Any]) -> Iterable[str]:
    measure = MEASURES[record["measure"]]
    opaque = {model["name"] for model in record["models"] if model["opaque"]}
    yield from map(_claim, record["claims"])
    yield _section(
        "How well each model does",
        means_chart(record["models"], measure.name, measure.title)
        + '<p class="soft">Filled circles can be read, hollow squares cannot.</p>'
        + _measures(record["models"])
        + "".join(f"<p>{escape(words)}</p>" for words in record["failed"].values()),
    )
    if record["differences"]:
        sentences = "".join(f"<li>{escape(d['sentence'])}</li>" for d in record["differences"])
        yield _section(
            f"Against {record['differences'][0]['reference']}, fold by fold",
            differences_chart(record["differences"], record["rope_points"], opaque)
            + probabilities_chart(record["differences"])
            + f"<details><summary>in words</summary><ul>{sentences}</ul></details>",
        )
    yield _section(
        "Are the probabilities right?",
        f'<div class="charts">{"".join(map(calibration_chart, record["models"]))}</div>'
        '<p class="soft">Held-out cases of the first repeat, in bins of about equal count; ECE is the mean gap.</p>',
    )
    yield _alternatives(record)
    yield _words(record["words"])
    yield _provenance(record)


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _claim(claim: Mapping[str, Any]) -> str:
    controls = {score["name"]: score for control in claim["controls"] for score in control["scores"]}
    rows = [
        (
            score["name"].replace("_", " "),
            f"{score['value']:.4f} [{score['low']:.4f}, {score['high']:.4f}]",
            str(score["n"]),
            f"{controls[score['name']]['low']:.4f} … {controls[score['name']]['high']:.4f}",
        )
        for score in claim["scores"]
    ]
    head = ("score", "value [95 % interval]", "folds", f"{claim['controls'][0]['n']} {claim['controls'][0]['name']}")
    notes = "".join(f"<li>{escape(note)}</li>" for note in claim["notes"][1:])
    return _section(
        "The claim, stated before a model was fitted",
        f'<p><span class="status">{escape(claim["status"].replace("_", " "))}</span>{escape(claim["text"])} '
        f'<span class="soft">({claim["evidence_level"]}; predicted: '
        f"{escape(' and '.join(claim['predictions']))})</span></p>"
        + _rows(head, rows)
        + (f"<ul>{notes}</ul>" if notes else ""),
    )


def _measures(models: Iterable[Mapping[str, Any]]) -> str:
    head = ("model", "bal. acc.", "AUC", "log loss", "Brier", "ECE", "nodes", "cues asked", "words", "fit s")
    rows, notes = [], []
    for model in models:
        found, size = model["measures"], model["complexity"]
        rows.append((
            model["name"] + (" (opaque)" if model["opaque"] else ""),
            *(f"{found[name]['mean']:.3f}" for name in ("bacc", "auc", "log_loss", "brier")),
            f"{model['calibration']['error']:.3f}",
            *("–" if size[part] is None else f"{size[part]:.1f}" for part in ("nodes", "cues", "words")),
            f"{model['seconds']['fit']:.1f}",
        ))  # fmt: skip
        notes += [f"<li>{escape(model['name'])} {escape(note)}</li>" for note in model["notes"]]
    return _rows(head, rows) + (f"<ul>{''.join(notes)}</ul>" if notes else "")


def _rows(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"


def _alternatives(record: Mapping[str, Any]) -> str:
    found = record["alternatives"]
    epsilon = f"{found['epsilon']:g} point{'' if found['epsilon'] == 1 else 's'}"
    trees = "".join(
        f"<li>balanced accuracy {tree['bacc']:.3f}, {tree['mcu']:.2f} cues asked<pre>{escape(tree['words'])}</pre></li>"
        for tree in found["trees"]
    )
    return _section(
        f"Other good answers: within {epsilon} of the best",
        f"<p>Models: {escape(', '.join(record['within_epsilon']))}.</p>"
        f"<p>Fast-and-frugal trees, grown on all rows and scored there: {len(found['trees'])} of {found['n_grown']}; "
        f"on {100 * found['ambiguity']:.1f} % of the rows they do not all decide alike.</p><ol>{trees}</ol>",
    )


def _words(said: Iterable[Mapping[str, Any]]) -> str:
    parts = "".join(
        f"<details><summary>{escape(model['model'])}</summary><pre>{escape(model['text'])}</pre></details>"
        for model in said
        if model["text"]
    )
    return _section("What each model says, fitted on all rows", parts)


def _provenance(record: Mapping[str, Any]) -> str:
    run, design, table = record["run"], record["design"], record["table"]
    packages = ", ".join(f"{name} {version}" for name, version in {**run["packages"], **run["versions"]}.items())
    commit = run["commit"]["hash"][:12] + (" with changes" if run["commit"]["dirty"] else "") if run["commit"] else "–"
    notes = "".join(f"<li>{escape(note)}</li>" for note in table["notes"])
    return _section(
        "Where this comes from",
        f"<p>run {escape(run['id'])} · table {escape(table['hash'])} · seed {design['seed']} · commit {escape(commit)} "
        f"· {escape(packages)}</p><p>Intervals: corrected resampled t. Probabilities: Bayesian correlated t with a "
        f"region of practical equivalence of ±{design['rope']:g} point. The best of each kind is chosen in each fold "
        "by the other folds of its repeat. Imputation, coding, scaling, trees and thresholds are learned inside the "
        "folds.</p>" + (f"<ul>{notes}</ul>" if notes else ""),
    )
