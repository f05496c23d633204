"""The frozen forward: the same values as the model's, but a backward pass that is linear and sees every constant.

Attention patterns and norm denominators are held at the prompt's values, MLP outputs are cut from their inputs (or
other sites are, and MLPs are held: see `cuts`), and each constant (a bias, a position embedding) becomes a source of
its own. With sources s of value x_s, every residual vector r is then exactly r = Σ_s J_s x_s, where J_s = ∂r/∂x_s is
what `FrozenRun.pull` applies, transposed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import nn

from truescope.core.sites import Site
from truescope.models.attention import AttentionStep, attention_steps
from truescope.models.frozen.cuts import check_cut, cut, hold_gates
from truescope.models.frozen.leaves import READ, REPLACED, TOKEN, Leaf, Stage, silent
from truescope.models.model import Mask, Model

QUERY = "query"
"""Where the gradients of a block's queries enter it if it was frozen with its ``choices``: [rows, heads, pos, d_head].
"""
KEY = "key"
"""The same for its keys."""
Skip = Callable[[torch.Tensor], torch.Tensor]
"""A linear map of mlp_in that stays live."""


@dataclass(frozen=True)
class Pulled:
    """What a stage's transposed map gave: the gradient below it (None at the bottom) and at each of its leaves."""

    below: Float[torch.Tensor, "rows pos d_model"] | None
    leaves: list[tuple[Leaf, Float[torch.Tensor, "rows pos _"]]]


class FrozenRun:
    """One frozen forward pass of one prompt; made by `freeze`.

    The stages go from -1 (the embeddings) over the blocks 0 … n_layers-1 to n_layers (the final norm). Gradients enter
    a block at resid_post.l, mlp_in.l and `READ` (what its units read: mlp_in.l, or the site that is cut) and leave it
    at resid_pre.l; they enter the last stage at final_norm. ``logits`` is [1, pos, vocab]. With choices gradients enter
    a block also at `QUERY` and `KEY`, its rotated queries and keys, and ``scaling`` has each layer's factor of q·k.
    ``cuts`` has the sites that were cut instead of the MLPs, by layer.
    """

    def __init__(self, n_layers: int, cuts: Mapping[int, Site]) -> None:
        self.n_layers = n_layers
        self.cuts = dict(cuts)
        self.logits = torch.empty(0)
        self.scaling: dict[int, float] = {}
        self._stages = {index: Stage() for index in range(-1, n_layers + 1)}

    @property
    def leaves(self) -> list[Leaf]:
        """Every source, from the embeddings up."""
        return [leaf for stage in self._stages.values() for leaf in stage.leaves]

    def value(self, site: Site) -> Float[torch.Tensor, "pos d_model"]:
        """The value at one of the sites where gradients enter: resid_post.l, mlp_in.l, resid_pre.0, final_norm."""
        return next(s.entries[site] for s in self._stages.values() if site in s.entries)[0].detach()

    def choice(self, layer: int, side: str) -> Float[torch.Tensor, "heads pos d_head"]:
        """The queries or keys (``side`` is `QUERY` or `KEY`) of a layer as attention compares them."""
        return self._stages[layer].entries[side][0].detach()

    def pull(self, stage: int, grads: Mapping[Any, Float[torch.Tensor, rows * entry]]) -> Pulled:
        """Apply the transposed Jacobian of one stage to ``rows`` gradients at once.

        For row i: below_i = Σ_site J(site ← below)ᵀ grads[site]_i, and likewise at each leaf. ``grads`` is keyed by the
        sites where gradients enter the stage.
        """
        part = self._stages[stage]
        ends = [leaf.value for leaf in part.leaves] + ([] if part.below is None else [part.below])
        starts = [part.entries[site] for site in grads]
        found = torch.autograd.grad(
            starts,
            ends,
            [grad[:, None] for grad in grads.values()],
            retain_graph=True,
            allow_unused=True,
            is_grads_batched=True,
        )
        below = None
        if part.below is not None:
            n_rows = len(next(iter(grads.values())))
            below = part.below.new_zeros(n_rows, *part.below.shape[1:]) if found[-1] is None else found[-1][:, 0]
        reached = [(leaf, grad[:, 0]) for leaf, grad in zip(part.leaves, found, strict=False) if grad is not None]
        return Pulled(below, reached)


def freeze(
    model: Model,
    tokens: Int[torch.Tensor, " pos"],
    mask: Mask | None = None,
    skips: Mapping[int, Skip] | None = None,
    after_norm: bool = False,
    choices: bool = False,
    cuts: Mapping[int, Site] | None = None,
) -> FrozenRun:
    """Run the model once over one prompt, frozen; the logits are the model's own.

    ``skips`` maps layers to a linear map of mlp_in that stays live in the backward pass, so that the leaf "replaced"
    stands for the rest of the MLP's output. With ``after_norm`` that leaf is what is added to the stream, a post-norm
    cut off together with its MLP, and not the MLP's own output. With ``choices`` queries and keys stay live as far as
    scores are asked about; patterns are held all the same, and norms of queries and keys like all others. With ``cuts``
    these sites, at most one a layer, become the leaves "replaced", and every MLP stays, its gates held. The first call
    switches the model to eager attention.
    Source: Ameisen et al., "Circuit Tracing", 2025 (the local replacement model).

    Raises:
        PromptError: no tokens, more than the context, or ids outside the vocabulary.
        SiteError: a cut that the model has not, or cannot be made.
        FamilyError: the model has MLPs that held gates do not make linear (with ``cuts``).
    """
    for site in (cuts or {}).values():
        check_cut(model.parts, site)
    model.use_eager("its attention patterns are frozen")
    run = FrozenRun(model.n_layers, cuts or {})
    watch = (lambda layer: partial(_keep_choice, run, layer)) if choices else (lambda layer: None)
    steps = {model.attention(layer): AttentionStep(watch(layer), freeze=True) for layer in range(model.n_layers)}
    inputs = model.inputs(tokens, mask)
    hooked = _hooked(model, run, skips or {}, after_norm, choices)
    with model.lock, torch.enable_grad(), attention_steps(steps), hooked:
        run.logits = model.hf(**inputs).logits.detach()
    return run


@contextmanager
def _hooked(model: Model, run: FrozenRun, skips: Mapping[int, Skip], after_norm: bool, choices: bool) -> Iterator[None]:
    parts, stages = model.parts, run._stages
    with ExitStack() as stack:

        def after(module: nn.Module | None, hook: Callable[..., Any]) -> None:
            if module is not None:
                stack.callback(module.register_forward_hook(hook).remove)

        def norm(module: nn.Module | None, name: str, layer: int) -> None:
            after(module, _norm_hook(stages[layer], name, layer, parts.family.norm))

        after(parts.embed, _cut_hook(stages[-1], TOKEN))
        after(parts.pos_embed, _cut_hook(stages[-1], "pos_embed"))
        for layer in range(run.n_layers):
            stage = stages[layer]
            enters = _block_hook(run, layer)
            stack.callback(parts.block(layer).register_forward_pre_hook(enters, with_kwargs=True).remove)
            norm(parts.pre_attn_norm(layer), "pre_attn_norm_bias", layer)
            after(parts.values(layer), _bias_hook(stage, "attn_value_bias", layer))
            for side, module, head_norm in parts.choices(layer) if choices else ():
                after(module, _bias_hook(stage, f"attn_{side}_bias", layer))
                norm(head_norm, f"attn_{side}_norm_bias", layer)
            after(parts.o_proj(layer), _bias_hook(stage, "attn_out_bias", layer))
            norm(parts.attn_out_norm(layer), "attn_out_norm_bias", layer)
            norm(parts.pre_mlp_norm(layer), "pre_mlp_norm_bias", layer)
            after(parts.mlp(layer), _entry_hook(stage, layer))
            post = parts.mlp_out_norm(layer)
            if run.cuts:
                hold_gates(stack, parts, stage, layer)
                norm(post, "mlp_out_norm_bias", layer)
                if layer in run.cuts:
                    cut(stack, parts, stage, run.cuts[layer])
                continue
            replace = _mlp_hook(stage, layer, skips.get(layer))
            if post is None or not after_norm:
                after(parts.mlp(layer), replace)
                norm(post, "mlp_out_norm_bias", layer)
            else:
                after(post, replace)
        norm(parts.final_norm, "final_norm_bias", run.n_layers)
        # Registered last, so that it sees what the norm's own hook put out.
        after(parts.final_norm, _final_hook(run))
        yield


def _keep_choice(run: FrozenRun, layer: int, query: torch.Tensor, key: torch.Tensor, scaling: float) -> None:
    run._stages[layer].entries |= {QUERY: query, KEY: key}
    run.scaling[layer] = scaling


def _cut_hook(stage: Stage, name: str) -> Callable[..., torch.Tensor]:
    return lambda module, args, output: stage.leaf(name, -1, output)


def _bias_hook(stage: Stage, name: str, layer: int) -> Callable[..., torch.Tensor]:
    return lambda module, args, output: stage.with_bias(name, layer, module, output)


def _norm_hook(stage: Stage, name: str, layer: int, kind: str) -> Callable[..., torch.Tensor]:
    def hook(module: nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        linear = linear_norm(module, args[0], kind)
        return stage.with_bias(name, layer, module, output.detach() + silent(linear))

    return hook


def linear_norm(module: nn.Module, x: Float[torch.Tensor, "*shape d_model"], kind: str) -> torch.Tensor:
    """A norm as the linear map it is once its denominator is held: w·(x − mean x)/σ, or w·x/rms (w or 1 + w), no bias.

    ``kind`` is the family's: "layer", "rms" or "rms_plus_one". The mean of a LayerNorm stays live, being linear. An
    ``nn.Identity`` in a norm's place is the identity whatever the family says.
    """
    if isinstance(module, nn.Identity):
        return x
    wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
    if kind == "layer":
        wide = wide - wide.mean(-1, keepdim=True)
    epsilon = getattr(module, "variance_epsilon", getattr(module, "eps", 0.0))
    scale = torch.rsqrt(wide.detach().pow(2).mean(-1, keepdim=True) + epsilon)
    weight = getattr(module, "weight", None)
    scaled = wide * scale
    if weight is not None:
        scaled = scaled * (weight.to(wide.dtype) + (1.0 if kind == "rms_plus_one" else 0.0))
    return scaled.to(x.dtype)


def _entry_hook(stage: Stage, layer: int) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        stage.entries[Site("mlp_in", layer)] = args[0]
        stage.entries.setdefault(READ, args[0])

    return hook


def _mlp_hook(stage: Stage, layer: int, skip: Skip | None) -> Callable[..., torch.Tensor]:
    def hook(module: nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        if skip is None:
            return stage.leaf(REPLACED, layer, output)
        past = skip(stage.entries[Site("mlp_in", layer)])
        # The leaf's value is what the skip leaves over, so that value and gradient belong to the same split.
        leaf = stage.leaf(REPLACED, layer, output - past)
        return output.detach() + silent(leaf) + silent(past)

    return hook


def _block_hook(run: FrozenRun, layer: int) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        resid = args[0] if args else kwargs["hidden_states"]
        run._stages[layer].below = resid
        run._stages[layer - 1].entries[Site("resid_post", layer - 1) if layer else Site("resid_pre", 0)] = resid

    return hook


def _final_hook(run: FrozenRun) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        last = run.n_layers
        run._stages[last].below = args[0]
        run._stages[last].entries[Site("final_norm")] = output
        run._stages[last - 1].entries[Site("resid_post", last - 1)] = args[0]

    return hook
