"""Value edges against finite differences: attention and all other MLPs held, one source a little stronger."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
import torch

from truescope.truth import Compiled, ValueEdge, compile_program, named_programs, prompts
from truescope.truth.compiled.weights import Norms

STEP = 0.05


class _Held:
    """The model on one prompt, patterns and MLP outputs at their first values; what each target gets can be read."""

    def __init__(self, compiled: Compiled, prompt: tuple[str, ...]) -> None:
        self.compiled, self.tokens = compiled, compiled.token_ids(prompt)
        self.blocks: Any = compiled.model.transformer.h
        compiled.model.set_attn_implementation("eager")
        with torch.no_grad():
            self.patterns = compiled.model(self.tokens[None], output_attentions=True).attentions
        self.outputs: list[torch.Tensor] = []
        self.before = self.run(None)

    def run(self, source: str | None) -> dict[str, torch.Tensor]:
        """Pre-activations of every layer, and the demeaned logits, with a source (1 + STEP) times as strong."""
        kind, *rest = (source or "none").split(".")
        read: dict[str, torch.Tensor] = {}
        first = not self.outputs
        with ExitStack() as stack, torch.no_grad():

            def hook(module: Any, after: Callable[..., Any]) -> None:
                stack.callback(module.register_forward_hook(after).remove)

            def embedded(module: Any, args: Any, x: torch.Tensor) -> torch.Tensor:
                x = x.clone()
                x[:, int(rest[0])] *= 1 + STEP
                return x

            if kind == "token":
                hook(self.compiled.model.transformer.wte, embedded)
            for layer, block in enumerate(self.blocks):
                hook(block.attn, lambda m, a, out, layer=layer: (self._mixed(layer, m, read), *out[1:]))
                hook(block.attn.c_attn, lambda m, a, out, layer=layer: read.__setitem__(f"qkv{layer}", out))
                hook(block.mlp.c_fc, lambda m, a, out, layer=layer: read.__setitem__(str(layer), out[0]))
                if first:
                    hook(block.mlp, lambda m, a, out: self.outputs.append(out))
                else:
                    hook(block.mlp, lambda m, a, out, layer=layer: self._mlp(layer, kind, rest))
            logits = self.compiled.model(self.tokens[None]).logits[0, -1]
        return read | {"logits": logits - logits.mean()}

    def _mixed(self, layer: int, attn: Any, read: dict[str, torch.Tensor]) -> torch.Tensor:
        value = read[f"qkv{layer}"].chunk(3, -1)[2].unflatten(-1, (attn.num_heads, -1)).transpose(1, 2)
        return attn.c_proj((self.patterns[layer] @ value).transpose(1, 2).flatten(2))

    def _mlp(self, layer: int, kind: str, rest: list[str]) -> torch.Tensor:
        out = self.outputs[layer].clone()
        if kind == "unit" and int(rest[0]) == layer:
            index, position = int(rest[1]), int(rest[2])
            active = self.before[str(layer)][position, index].relu()
            out[0, position] += STEP * active * self.blocks[layer].mlp.c_proj.weight[index]
        return out

    def difference(self, edge: ValueEdge) -> float:
        """The change of the edge's target, for the whole of its source."""
        kind, *at = edge.target.split(".")
        after = self.run(edge.source)
        if kind == "logit":
            return float(after["logits"][int(at[0])] - self.before["logits"][int(at[0])]) / STEP
        layer, index, position = (int(part) for part in at)
        return float(after[str(layer)][position, index] - self.before[str(layer)][position, index]) / STEP


@pytest.mark.parametrize("norms", ["identity", "balanced"])
def test_every_edge_from_a_token_or_a_unit_is_the_finite_difference(norms: Norms) -> None:
    n = 0
    for program in named_programs().values():
        compiled = compile_program(program, norms)
        (prompt,) = prompts(program, 1)
        held = _Held(compiled, prompt)
        edges = [e for e in compiled.truth(prompt).value_edges if e.source.startswith(("token", "unit"))][-40:]
        for edge in edges:
            found = held.difference(edge)
            assert found * edge.sign > 0, (program.name, edge)
            assert found == pytest.approx(edge.weight, rel=0.02, abs=2e-3), (program.name, edge)
            n += 1
    assert n > 150
