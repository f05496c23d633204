"""True graphs between variables: what the tracer finds on exact autoencoders, and what is known of a gate by hand."""

from __future__ import annotations

import numpy as np
import pytest

from truescope.core.errors import UsageError
from truescope.core.graphs import NodeKind
from truescope.core.sites import Site
from truescope.dictionaries import Dictionary, Group
from truescope.models import Model
from truescope.trace import AutoencoderReplacement, direct_effects
from truescope.truth import compile_program, exact_autoencoder, named_programs, prompts, random_program

NAMED = named_programs()


def agreement(program, norms: str, kind: str, n_prompts: int) -> tuple[float, float, int]:
    """The largest difference of a true edge and the tracer's, the closure gap, and how many edges were compared."""
    compiled = compile_program(program, norms)
    model = Model(compiled.model, compiled.tokenizer, name=compiled.name)
    known = [exact_autoencoder(compiled, Site(kind, layer)) for layer in range(model.n_layers)]
    groups = [Group(k.reads, k.writes, k.W_enc, k.b_enc, k.W_dec, threshold=0 * k.b_enc + k.threshold) for k in known]
    bias = {site: value for k in known for site, value in k.b_dec.items()}
    replacement = AutoencoderReplacement(model, Dictionary("exact", "sae", "jumprelu", tuple(groups), bias))
    worst, gap, n = 0.0, 0.0, 0
    for prompt in prompts(program, n_prompts, 1):
        true = compiled.truth(prompt, variables_at=kind)
        answer = int(true.targets[0].split(".")[1])
        effects = direct_effects(model, compiled.token_ids(prompt), targets=[answer], replacement=replacement)
        gap = max(gap, effects.closure_gap)
        assert {node.id for node in effects.targets} == set(true.pre_activations)
        row, column = ({node.id: i for i, node in enumerate(nodes)} for nodes in (effects.targets, effects.sources))
        wanted = np.zeros_like(effects.weight)
        for edge in true.value_edges:
            wanted[row[edge.target], column[edge.source]] += edge.weight
        shown = [
            node.kind in (NodeKind.UNIT, NodeKind.TOKEN) or node.constant == "mlp_in_bias" for node in effects.sources
        ]
        worst = max(worst, float(np.abs(effects.weight - wanted)[:, shown].max()))
        n += len(true.value_edges)
    return worst, gap, n


@pytest.mark.parametrize("norms", ["identity", "balanced"])
@pytest.mark.parametrize("kind", ["mlp_out", "resid_post"])
@pytest.mark.parametrize("name", NAMED)
def test_true_edges_are_the_tracers_on_exact_autoencoders(name: str, kind: str, norms: str) -> None:
    worst, gap, n = agreement(NAMED[name], norms, kind, 2)
    assert gap <= 1e-5 and n > 0
    assert worst <= 2e-3


@pytest.mark.parametrize("kind", ["mlp_out", "resid_post"])
def test_random_programs_too(kind: str) -> None:
    for seed in range(6):
        worst, gap, _ = agreement(random_program(seed), "identity", kind, 2)
        assert gap <= 1e-5 and worst <= 2e-3


def test_a_conjunction_is_two_edges_and_a_bias() -> None:
    # and = relu(2 (a=T + b=T) − 3) where both hold: each true bit adds 2, the constant −3, and 1 is left.
    compiled = compile_program(NAMED["boolean_and"])
    true = compiled.truth(("<bos>", "T", "T"), variables_at="resid_post")
    answer = next(n for n in true.nodes if n.name == f"{compiled.program.output}:T" and n.position == 2)
    into = sorted(e.weight for e in true.value_edges if e.target == answer.id)
    assert true.pre_activations[answer.id] == pytest.approx(1.0) and answer.on_value_path
    assert into == pytest.approx([-3.0, 2.0, 2.0])


def test_variables_are_told_of_known_sites_only() -> None:
    with pytest.raises(UsageError, match="did you mean"):
        compile_program(NAMED["boolean_and"]).truth(("<bos>", "T", "T"), variables_at="mlp_ot")
