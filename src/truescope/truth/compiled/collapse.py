"""Two dictionaries for one chain of maps, both exact: one keeps its hops apart, the other makes one hop of them.

Where every map of a program can be computed from what stands at ``mlp_in.0`` of the same position, a cross-layer
transcoder may read the inputs there and write the *composed* result straight into the later layers. Per layer, the
transcoder's features are the model's own neurons: it equals every MLP on every vector. The cross-layer one has a
feature for each combination of inputs: it equals every MLP's output on every input of the program, with fewer active
features, and none of the chain's inner steps. That is what sparsity rewards; a graph through it shows a two-hop
mechanism as one hop. Source: "Cross-Layer Transcoders are incentivized to learn Unfaithful Circuits", 2026 (a Boolean
toy model).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from truescope.core.errors import UsageError
from truescope.core.sites import Site
from truescope.truth.compiled.compiling import Compiled
from truescope.truth.compiled.dictionaries import KnownFeatures, exact_transcoders
from truescope.truth.compiled.directions import direction
from truescope.truth.compiled.interpreter import inputs, interpret
from truescope.truth.compiled.parts import conjunction
from truescope.truth.compiled.program import POSITION, TOKENS, Map, Program
from truescope.truth.compiled.weights import Writer


@dataclass(frozen=True)
class Collapse:
    """``per_layer`` has one transcoder a layer, ``cross_layer`` the groups of a cross-layer transcoder.

    ``roots`` are the variables that the collapsed features read, ``hops`` the pairs of maps of which the second reads
    the first, which a faithful graph must show and the cross-layer one cannot.
    """

    per_layer: tuple[KnownFeatures, ...]
    cross_layer: tuple[KnownFeatures, ...]
    roots: tuple[str, ...]
    hops: tuple[tuple[str, str], ...]


def collapse(compiled: Compiled) -> Collapse:
    """The two dictionaries of a compiled chain.

    Raises:
        UsageError: the program is no chain: a head reads what a map made, or a map reads a number.
    """
    program = compiled.program
    maps = [step for step in program.steps if isinstance(step, Map)]
    _check_chain(program, maps)
    made = {step.name for step in maps}
    roots = tuple(dict.fromkeys(name for step in maps for name in step.inputs if name not in made))
    hops = tuple((name, step.name) for step in maps for name in step.inputs if name in made)
    per_layer = exact_transcoders(compiled)
    layers = range(compiled.layout.n_layers)
    layer_of = {neuron.step: neuron.layer for neuron in compiled.layout.neurons}
    write, labels, encoders, biases, decoders = Writer(compiled.directions), [], [], [], []
    for wanted, results in _cases(program, roots, [step.name for step in maps]):
        label, reads, bias = conjunction(program, dict(zip(roots, wanted, strict=True)))
        labels.append(label)
        encoders.append(write.reading(reads))
        biases.append(bias)
        decoders.append(
            torch.cat(
                [write.writing({direction(n, v): 1.0 for n, v in results if layer_of[n] == layer}) for layer in layers]
            )
        )
    composed = (torch.stack(encoders), torch.tensor(biases), torch.stack(decoders), tuple(labels))
    cross_layer = tuple(_group(compiled, layer, per_layer[layer], composed if layer == 0 else None) for layer in layers)
    return Collapse(per_layer, cross_layer, roots, hops)


def _check_chain(program: Program, maps: list[Map]) -> None:
    made = {step.name for step in maps}
    for step in program.steps:
        if isinstance(step, Map):
            bad = [name for name in step.inputs if program.is_numeric(name)]
            why = f"step {step.name!r} reads the number {bad[0]!r}" if bad else ""
        else:
            values = [] if not hasattr(step, "values") else [step.values]  # type: ignore[union-attr]
            bad = [n for n in (step.select.keys, step.select.queries, *values) if n not in (TOKENS, POSITION)]
            why = f"a head for {step.name!r} reads {bad[0]!r} after the first layer" if bad else ""
        if bad:
            raise UsageError(f"program {program.name!r} cannot be collapsed", why=why, fix="try 'two_hop_in_place'")
    if not any(name in made for step in maps for name in step.inputs):
        raise UsageError(f"program {program.name!r} has no two hops to collapse", fix="try 'two_hop_in_place'")


def _cases(program: Program, roots: tuple[str, ...], maps: list[str]) -> list[tuple[tuple, tuple]]:
    """Every combination of the roots that occurs at some position of some input, and the values of the maps there."""
    cases: dict[tuple, tuple] = {}
    for prompt in inputs(program):
        columns = interpret(program, prompt)
        for position in range(1, len(prompt)):
            wanted = tuple(columns[name][position] for name in roots)
            results = tuple((name, columns[name][position]) for name in maps)
            written = tuple((name, value) for name, value in results if value is not None)
            if written:
                cases[wanted] = written
    return list(cases.items())


def _group(
    compiled: Compiled,
    layer: int,
    neurons: KnownFeatures,
    composed: tuple[Tensor, Tensor, Tensor, tuple[str, ...]] | None,
) -> KnownFeatures:
    """The features that read a layer: its decoys as they are and, in the first, one for each combination of roots."""
    layers, d_model = range(layer, compiled.layout.n_layers), len(compiled.directions)
    decoys = [n.index for n in compiled.layout.neurons if n.layer == layer and n.decoy]
    W_dec = torch.zeros(len(decoys), len(layers) * d_model)
    W_dec[:, :d_model] = neurons.W_dec[decoys]
    W_enc, b_enc = neurons.W_enc[decoys], neurons.b_enc[decoys]
    labels = tuple(neurons.labels[i] for i in decoys)
    if composed is not None:
        more_enc, more_bias, more_dec, more_labels = composed
        W_enc, b_enc = torch.cat([more_enc, W_enc]), torch.cat([more_bias, b_enc])
        W_dec, labels = torch.cat([more_dec, W_dec]), more_labels + labels
    if not labels:
        W_enc, b_enc, labels = torch.zeros(1, d_model), torch.zeros(1), ("silent",)
        W_dec = torch.zeros(1, len(layers) * d_model)
    writes = tuple(Site("mlp_out", written) for written in layers)
    # A constant belongs to a site, not to a group: the first group that writes it has it, and here it is zero.
    b_dec = {site: torch.zeros(d_model) for site in writes}
    return KnownFeatures(Site("mlp_in", layer), writes, W_enc, b_enc, W_dec, b_dec, labels)
