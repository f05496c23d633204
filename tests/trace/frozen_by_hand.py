"""A second implementation of the frozen model, forward only: everything frozen is written back from a first run.

Nothing here uses gradients, so that it can contradict the tracer.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from truescope.models import AttentionStep, Model, attention_steps


@dataclass
class Nudge:
    """A vector added to a source: at the embedding (layer -1) or at the MLP's own output of a layer."""

    layer: int
    position: int
    vector: torch.Tensor


@dataclass
class Quantities:
    """What targets are made of: the units' h of each layer [pos, n_neurons], and the demeaned logits [vocab]."""

    h: list[torch.Tensor]
    logits: torch.Tensor


class FrozenByHand:
    """Records a prompt's patterns, norm denominators, MLP outputs and gates, then runs the model with them held.

    With ``cuts`` (mlp_out or resid_post by layer) these sites are held in the place of the MLPs' outputs, the ratio of
    each neuron to its up-projection instead, and ``h`` has what reaches the sites from below: [pos, d_model] a layer.
    """

    def __init__(self, model: Model, tokens: torch.Tensor, cuts: dict[int, str] | None = None) -> None:
        self.cuts = cuts
        model.use_eager("a test freezes its patterns")
        self.model, self.tokens = model, tokens
        self._held: dict[Any, torch.Tensor] = {}
        self.original = self._run(self._record_hook, None)

    def after(self, nudge: Nudge) -> Quantities:
        """The targets when one source is nudged and everything frozen stays."""
        return self._run(self._replay_hook, nudge)

    def _norms(self) -> list[nn.Module]:
        parts, layers = self.model.parts, range(self.model.n_layers)
        inside = (parts.pre_attn_norm, parts.attn_out_norm, parts.pre_mlp_norm, parts.mlp_out_norm)
        found = [find(layer) for layer in layers for find in inside]
        return [norm for norm in (*found, parts.final_norm) if norm is not None]

    def _denominator(self, norm: nn.Module, x: torch.Tensor) -> torch.Tensor:
        epsilon = float(getattr(norm, "variance_epsilon", getattr(norm, "eps", None)))  # type: ignore[arg-type]
        if self.model.family.norm == "layer":
            return (x.var(-1, unbiased=False, keepdim=True) + epsilon).sqrt()
        return (x.square().mean(-1, keepdim=True) + epsilon).sqrt()

    def _record_hook(self, module: nn.Module, args: Any, output: torch.Tensor) -> None:
        if module in self._held_norms:
            self._held[module] = self._denominator(module, args[0])
        else:
            self._held[module] = output

    def _replay_hook(self, module: nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
        if module not in self._held_norms:
            return self._held[module]
        x, weight, bias = args[0], torch.as_tensor(module.weight), getattr(module, "bias", None)
        if self.model.family.norm == "layer":
            x = x - x.mean(-1, keepdim=True)
        if self.model.family.norm == "rms_plus_one":
            weight = weight + 1
        linear = x / self._held[module] * weight
        return linear if bias is None else linear + bias

    @torch.no_grad()
    def _run(self, hook: Callable[..., Any], nudge: Nudge | None) -> Quantities:
        parts, replay = self.model.parts, hook == self._replay_hook
        self._held_norms = set(self._norms())
        mlp_in: dict[int, torch.Tensor] = {}
        raw: list[torch.Tensor] = []
        steps = {}
        with ExitStack() as stack:

            def on(module: nn.Module, hook: Callable[..., Any]) -> None:
                stack.callback(module.register_forward_hook(hook).remove)

            for norm in self._norms():
                on(norm, hook)
            for layer in range(self.model.n_layers):
                mlp, key = parts.mlp(layer), ("pattern", layer)
                if self.cuts is not None:
                    self._hook_cut(stack, layer, replay, mlp_in, nudge)
                    steps[parts.attention(layer)] = self._step(key, replay)
                    continue
                on(mlp, hook)
                on(mlp, lambda module, args, output, layer=layer: mlp_in.update({layer: args[0][0]}))
                if nudge is not None and nudge.layer == layer:
                    on(mlp, lambda module, args, output: _nudged(output, nudge))
                steps[parts.attention(layer)] = self._step(key, replay)
            if nudge is not None and nudge.layer == -1:
                on(parts.embed, lambda module, args, output: _nudged(output, nudge))
            on(parts.unembed, lambda module, args, output: raw.append(output[0, -1]))
            with attention_steps(steps):
                self.model.hf(**self.model.inputs(self.tokens))
        h = self._h(mlp_in, replay) if self.cuts is None else [mlp_in[layer].double() for layer in self.cuts]
        return Quantities(h, raw[0].double() - raw[0].double().mean())

    def _step(self, key: Any, replay: bool) -> AttentionStep:
        if replay:
            return AttentionStep(edit=lambda pattern: self._held[key])
        return AttentionStep(read=lambda pattern: self._held.update({key: pattern}))

    def _hook_cut(
        self, stack: ExitStack, layer: int, replay: bool, reached: dict[int, torch.Tensor], nudge: Nudge | None
    ) -> None:
        """Hold a layer's gates, and its site if it has one; ``reached`` gets what came to the site."""
        parts = self.model.parts
        up: list[torch.Tensor] = []

        def gates(module: nn.Module, args: Any) -> tuple[torch.Tensor]:
            if not replay:
                self._held["gate", layer] = args[0] / up[0]
            return (self._held["gate", layer] * up[0],)

        def site(module: nn.Module, args: Any, output: Any) -> Any:
            x = output[0] if isinstance(output, tuple) else output
            reached[layer] = x[0]
            if not replay:
                self._held["site", layer] = x
                return output
            held = self._held["site", layer]
            if nudge is not None and nudge.layer == layer:
                held = _nudged(held, nudge)
            return (held, *output[1:]) if isinstance(output, tuple) else held

        stack.callback(parts.up(layer).register_forward_hook(lambda module, args, out: up.append(out)).remove)
        stack.callback(parts.down(layer).register_forward_pre_hook(gates).remove)
        if layer in (self.cuts or {}):
            after_mlp = parts.mlp_out_norm(layer) or parts.mlp(layer)
            place = after_mlp if (self.cuts or {})[layer] == "mlp_out" else parts.block(layer)
            stack.callback(place.register_forward_hook(site).remove)

    def _h(self, mlp_in: dict[int, torch.Tensor], replay: bool) -> list[torch.Tensor]:
        found = []
        for layer in range(self.model.n_layers):
            up, gate = self.model.parts.up(layer)(mlp_in[layer]), self.model.parts.gate(layer)
            if gate is not None:
                if not replay:
                    self._held["gate", layer] = self.model.mlp(layer).get_submodule("act_fn")(gate(mlp_in[layer]))
                up = up * self._held["gate", layer]
            found.append(up.double())
        return found


def _nudged(output: torch.Tensor, nudge: Nudge) -> torch.Tensor:
    changed = output.clone()
    changed[0, nudge.position] += nudge.vector
    return changed
