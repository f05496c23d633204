"""The cells of a calibration: each measures one known model with one dictionary, by itself, so that a run can go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from truescope.pipelines.calibration.autoencoders import SITES, autoencoder_rows
from truescope.pipelines.calibration.collapse import Subject, collapse_rows, subjects
from truescope.pipelines.calibration.known import known_model, random_weights
from truescope.pipelines.calibration.qualities import QUALITIES, quality, stands_for, unexplained
from truescope.pipelines.calibration.scoring import (
    Row,
    choice_rows,
    dictionary_rows,
    edge_matrices,
    edge_rows,
    graph_of,
    node_rows,
    pruned_rows,
    row,
)
from truescope.pipelines.calibration.trained import N_MODELS, RANDOM, WORLDS, random_rows, trained_rows
from truescope.trace import DictionaryReplacement, direct_effects
from truescope.truth import Program, named_programs, prompts, random_program


@dataclass(frozen=True)
class Size:
    """How much of everything a calibration runs."""

    name: str
    n_prompts: int
    n_random_programs: int
    n_random_weights: int
    dictionary_programs: int | None
    """Of how many named programs dictionaries are made; None: of all."""
    n_dictionary_seeds: int
    depths: tuple[int, ...]
    budgets: tuple[int, ...]
    n_trained: int
    n_false_discovery: int
    n_worlds: int = 2
    """Of how many trained models of each kind, where there are so many."""


FULL = Size("full", 6, 40, 3, None, 1, (2, 3, 4), (1, 2, 4), 2, 1000, 5)
QUICK = Size("quick", 2, 6, 2, 4, 1, (2, 3), (1, 4), 1, 1000)


@dataclass(frozen=True)
class Cell:
    """One piece of work: ``facts`` stand in each of its rows beside what was measured."""

    facts: dict[str, Any]
    measure: Callable[[], Iterator[list[Row]]]
    """One list of rows for each prompt."""

    @property
    def key(self) -> str:
        """What tells the cell from all others."""
        return "/".join(str(value) for value in self.facts.values())

    def rows(self) -> list[Row]:
        """Measure, and put the facts and the prompt's number into each row."""
        return [self.facts | {"prompt": n} | one for n, rows in enumerate(self.measure()) for one in rows]


def cells(size: Size, seed: int) -> list[Cell]:
    """Every cell of a calibration, the compiled programs first."""
    programs = named_programs()
    found = []
    for norms in ("identity", "balanced"):
        for name, program in programs.items():
            facts = {"group": "named programs", "program": name, "norms": norms, "dictionary": "neurons", "seed": seed}
            found.append(Cell(facts, partial(_program_rows, program, norms, size.n_prompts, seed)))
    for n in range(size.n_random_programs):
        facts = {"group": "random programs", "program": f"random_{seed}_{n}", "norms": "identity"}
        made = partial(_random_program_rows, 1000 * seed + n, 3, seed)
        found.append(Cell(facts | {"dictionary": "neurons", "seed": seed}, made))
    for control in range(size.n_random_weights):
        for name, program in programs.items():
            facts = {"group": "random weights", "program": name, "norms": "identity", "dictionary": "neurons"}
            made = partial(_random_weights_rows, program, min(2, size.n_prompts), seed, control)
            found.append(Cell(facts | {"seed": control}, made))
    chosen = dict(list(programs.items())[-(size.dictionary_programs or len(programs)) :])
    found += _dictionary_cells(chosen, size, seed) + _autoencoder_cells(chosen, size, seed)
    for depth in size.depths:
        for subject in subjects(size.budgets, range(size.n_trained)):
            found.append(_collapse_cell(depth, subject, 2 * size.n_prompts))
    return found + _trained_cells(size, seed)


def _dictionary_cells(programs: dict[str, Program], size: Size, seed: int) -> list[Cell]:
    """Transcoders of every quality. Made per layer, a CLT is the same: only exact and learned ones are scored."""
    found = []
    for kind in ("PLT", "CLT"):
        for quality_name in QUALITIES if kind == "PLT" else ("exact", "learned"):
            for dictionary_seed in range(1 if quality_name == "exact" else size.n_dictionary_seeds):
                for name, program in programs.items():
                    facts = {"group": "dictionaries", "program": name, "norms": "identity"}
                    facts |= {"dictionary": f"{quality_name} {kind}", "seed": dictionary_seed}
                    made = partial(_dictionary_rows, program, quality_name, kind, dictionary_seed, size, seed)
                    found.append(Cell(facts, made))
    return found


def _autoencoder_cells(programs: dict[str, Program], size: Size, seed: int) -> list[Cell]:
    """Autoencoders of every quality at both sites; exact ones on both variants."""
    found = []
    for kind in SITES:
        for quality_name in QUALITIES:
            for norms in ("identity", "balanced") if quality_name == "exact" else ("identity",):
                for dictionary_seed in range(1 if quality_name == "exact" else size.n_dictionary_seeds):
                    for name, program in programs.items():
                        facts = {"group": "dictionaries", "program": name, "norms": norms}
                        facts |= {"dictionary": f"{quality_name} {kind}", "seed": dictionary_seed}
                        n_prompts = min(4, size.n_prompts)
                        settings = (quality_name, kind, norms, dictionary_seed, n_prompts, seed)
                        found.append(Cell(facts, partial(autoencoder_rows, program, *settings)))
    return found


def _trained_cells(size: Size, seed: int) -> list[Cell]:
    """The trained worlds and, for each, random weights: four times as many prompts, since they are cheap."""
    found, n_prompts = [], 4 * size.n_prompts
    for name in WORLDS:
        for group, n, rows in (
            (name, min(size.n_worlds, N_MODELS[name]), trained_rows),
            (RANDOM + name, size.n_random_weights, random_rows),
        ):
            for number in range(n):
                facts = {"group": group, "program": name, "norms": "trained", "dictionary": "neurons", "seed": number}
                found.append(Cell(facts, partial(rows, name, number, n_prompts, seed)))
    return found


def _collapse_cell(depth: int, subject: Subject, n_prompts: int) -> Cell:
    facts = {"group": "collapse", "program": f"chain_{depth}", "norms": "identity", "dictionary": subject.name}
    facts |= {"depth": depth, "budget": subject.budget, "seed": subject.seed}
    return Cell(facts, partial(collapse_rows, depth, subject, n_prompts))


def _program_rows(program: Program, norms: str, n_prompts: int, seed: int) -> Iterator[list[Row]]:
    """Every method on a compiled program with its own neurons as units."""
    known = known_model(program, norms, n_prompts, seed)
    for prompt in known.prompts:
        frame = known.frame(prompt)
        rows = [row("edge", "frozen graph", "direct", "closure gap", frame.effects.closure_gap)]
        rows += edge_rows(frame, edge_matrices(frame.effects, frame))
        rows += pruned_rows(frame, graph_of(known.model, frame))
        rows += node_rows(known.model, frame, frame.effects)
        yield [*rows, *choice_rows(known.model, frame)]


def _random_program_rows(number: int, n_prompts: int, seed: int) -> Iterator[list[Row]]:
    yield from _program_rows(random_program(number), "identity", n_prompts, seed)


def _random_weights_rows(program: Program, n_prompts: int, seed: int, control: int) -> Iterator[list[Row]]:
    """The same scores from a model with random weights, ranked against the program's truth: the negative control."""
    known = known_model(program, "identity", n_prompts, seed)
    model = random_weights(known.model, control)
    for prompt in known.prompts:
        frame = known.frame(prompt)
        effects = direct_effects(model, prompt.tokens, targets=[prompt.target])
        matrices = edge_matrices(effects, frame)
        rows = [row("edge", "frozen graph", "direct", "closure gap", effects.closure_gap)]
        rows += edge_rows(frame, {name: frame.align(matrix, effects) for name, matrix in matrices.items()})
        rows += pruned_rows(frame, graph_of(model, frame))
        rows += node_rows(model, frame, effects)
        yield [*rows, *choice_rows(model, frame)]


def _dictionary_rows(
    program: Program, quality_name: str, kind: str, dictionary_seed: int, size: Size, seed: int
) -> Iterator[list[Row]]:
    """Graphs on a dictionary of known quality, its features standing for the neurons that they correlate with."""
    known = known_model(program, "identity", min(4, size.n_prompts), seed)
    seen = [known.compiled.token_ids(tokens) for tokens in prompts(program, 400, seed + 1)]
    dictionary = quality(known, quality_name, kind, dictionary_seed, seen)
    unit_of = stands_for(known.model, dictionary, seen[:100])
    missed = unexplained(known.model, dictionary, seen[:100])
    replacement = DictionaryReplacement(known.model, dictionary)
    for prompt in known.prompts:
        frame = known.frame(prompt)
        effects = direct_effects(known.model, prompt.tokens, targets=[prompt.target], replacement=replacement)
        yield list(dictionary_rows(known.model, frame, effects, missed, unit_of))


def one_thread() -> None:
    """Small models are slower on two threads than on one."""
    torch.set_num_threads(1)
