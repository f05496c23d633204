"""Evidence for units: top examples, density, logit effects, operand plots, and a readable name for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int

from truescope.core.errors import UsageError
from truescope.core.features import Evidence, Example, Feature
from truescope.dictionaries import Dictionary
from truescope.explain.dependence import N_OPERANDS
from truescope.explain.logits import token_effects
from truescope.explain.names import focus_tokens, unit_name
from truescope.explain.reading import Prompt, token_activations
from truescope.explain.units import UnitSet
from truescope.models import Model

Operands = tuple[Int[np.ndarray, " n_prompts"], Int[np.ndarray, " n_prompts"]]


def operand_plot(
    values: Float[np.ndarray, " n_prompts"], operands: Operands, *, significant: int = 4
) -> list[list[float | None]]:
    """The activation over the 100 × 100 domain, rows the first operand; None where no prompt was seen.

    Values are rounded to ``significant`` digits of the largest one, which is more than an eye can tell in a picture.
    """
    grid = np.full((N_OPERANDS, N_OPERANDS), np.nan)
    grid[operands] = values
    largest = float(np.abs(values).max())
    decimals = significant - 1 - int(np.floor(np.log10(largest))) if largest > 0 else 0
    rows = np.round(grid, decimals).tolist()
    if np.isnan(grid).any():
        return [[None if value != value else value for value in row] for row in rows]
    return rows


def domain_evidence(
    model: Model,
    tokens: Int[torch.Tensor, "n_prompts pos"],
    activations: Float[np.ndarray, "n_prompts n_units"],
    units: Sequence[Feature],
    *,
    features: Sequence[Feature] | None = None,
    dictionary: Dictionary | None = None,
    operands: Operands | None = None,
    dependence: Mapping[str, Float[np.ndarray, " n_units"]] | None = None,
    n_examples: int = 8,
    n_tokens: int = 8,
) -> list[Evidence]:
    """The evidence of ``features`` (by default all ``units``) over a closed domain of prompts of one shape.

    ``activations`` are those at the last position, its columns the ``units``. Examples are the prompts with the largest
    activation there; density is over the last positions of all prompts. With the ``operands`` of each prompt an operand
    plot is added; ``dependence`` (see `digit_dependence`) is handed on. A name has, before the arrow, the strongest
    example's tokens at the positions where the domain's prompts differ at all.

    Raises:
        UsageError: a column without a unit, or a feature that is no column.
    """
    column = {unit: i for i, unit in enumerate(units)}
    chosen = list(units if features is None else features)
    looked_at = UnitSet(model, dictionary)
    looked_at.check(chosen)
    if len(column) != activations.shape[1] or not set(chosen) <= set(column):
        raise UsageError("activations need one column for each unit, and features must be among them")
    picked = activations[:, [column[feature] for feature in chosen]]
    top = _largest(picked, n_examples)
    wanted = {(int(p), f) for j, f in enumerate(chosen) for p in top[:, j] if picked[p, j] != 0}
    seen = token_activations(looked_at, list(tokens), wanted)
    differing = (tokens != tokens[:1]).any(dim=0).nonzero().flatten().tolist()
    effects = token_effects(looked_at, chosen, n_tokens=n_tokens)
    evidence = []
    for j, feature in enumerate(chosen):
        prompts = [int(p) for p in top[:, j] if (int(p), feature) in seen]
        examples = tuple(_example(model, tokens[p], seen[p, feature], tokens.shape[1] - 1) for p in prompts)
        promoted, suppressed = effects[j]
        activating = [examples[0].tokens[i] for i in differing] if examples else []
        evidence.append(
            Evidence(
                feature=feature,
                name=unit_name(activating, [token for token, _ in promoted], separator=" · "),
                n=len(tokens),
                density=float((picked[:, j] != 0).mean()),
                examples=examples,
                promoted=promoted,
                suppressed=suppressed,
                operand_plot=None if operands is None else operand_plot(picked[:, j], operands),
                dependence={part: float(index[column[feature]]) for part, index in (dependence or {}).items()},
            )
        )
    return evidence


def text_evidence(
    model: Model,
    texts: Sequence[Prompt],
    features: Sequence[Feature],
    *,
    dictionary: Dictionary | None = None,
    n_examples: int = 8,
    n_tokens: int = 8,
    window: int = 24,
) -> list[Evidence]:
    """The evidence of ``features`` over ordinary texts, given as token ids.

    Examples are the texts with the largest activation, cut to ``window`` tokens on each side of it. A first token that
    the tokenizer puts before every text is left out of density and focus: what units do there says nothing of a text.

    Raises:
        UsageError: no text is longer than that first token, or there is no such unit.
    """
    looked_at = UnitSet(model, dictionary)
    looked_at.check(features)
    chosen = list(features)
    skip = [_n_before(model, text) for text in texts]
    largest, n_active, n = _read_texts(looked_at, texts, chosen, skip)
    top = _largest(largest, n_examples)
    wanted = {(int(r), f) for j, f in enumerate(chosen) for r in top[:, j] if np.isfinite(largest[r, j])}
    seen = token_activations(looked_at, texts, wanted, batch=8)
    effects = token_effects(looked_at, chosen, n_tokens=n_tokens)
    evidence = []
    for j, feature in enumerate(chosen):
        examples = []
        for row in (int(r) for r in top[:, j]):
            if (row, feature) in seen and largest[row, j] != 0:
                z = seen[row, feature]
                focus = skip[row] + int(z[skip[row] :].argmax())
                examples.append(_example(model, texts[row], z, focus, window))
        promoted, suppressed = effects[j]
        name = unit_name(focus_tokens(examples), [token for token, _ in promoted])
        evidence.append(Evidence(feature, name, n, float(n_active[j] / n), tuple(examples), promoted, suppressed))
    return evidence


def _read_texts(
    units: UnitSet, texts: Sequence[Prompt], features: Sequence[Feature], skip: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, int]:
    """Each feature's largest activation in each text [n_texts, n_features], at how many positions it is active, and of
    how many."""
    largest = np.full((len(texts), len(features)), -np.inf)
    n_active, n = np.zeros(len(features)), 0
    layers = sorted({feature.layer for feature in features})
    for row, text in enumerate(texts):
        if len(text) <= skip[row]:
            continue
        run = units.model.run(text, read=[units.site(layer) for layer in layers])
        for layer in layers:
            columns = [j for j, feature in enumerate(features) if feature.layer == layer]
            z = units.values(run, layer)[0, skip[row] :, [features[j].index for j in columns]]
            largest[row, columns] = z.amax(dim=0).float().cpu().numpy()
            n_active[columns] += (z != 0).sum(dim=0).cpu().numpy()
        n += len(text) - skip[row]
    if n == 0:
        raise UsageError("evidence needs at least one text with a token of its own", fix="give longer texts")
    return largest, n_active, n


def _largest(values: np.ndarray, k: int) -> np.ndarray:
    """The rows of each column's ``k`` largest values, largest first, earlier rows first among equals: [k, units]."""
    return np.argsort(-values, axis=0, kind="stable")[:k]


def _example(model: Model, tokens: Prompt, z: np.ndarray, focus: int, window: int | None = None) -> Example:
    start = 0 if window is None else max(0, focus - window)
    stop = len(tokens) if window is None else focus + window + 1
    strings = model.token_strings(tokens[start:stop])
    return Example(tuple(strings), tuple(float(v) for v in z[start:stop]), focus - start)


def _n_before(model: Model, tokens: Prompt) -> int:
    bos = getattr(model.tokenizer, "bos_token_id", None)
    return int(bos is not None and len(tokens) > 0 and int(tokens[0]) == bos)
