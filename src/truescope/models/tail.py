"""`Tail`: the last position of many prompts, run again from the first edited layer on.

A causal model's earlier positions never see the last one. So their keys and values are computed once, with the residual
stream of the last position as it enters each block; an edit at the last position of layer l then costs one position of
the layers from l up, not the whole prompt.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from transformers import DynamicCache

from truescope.core.dictionaries import Dictionary
from truescope.core.errors import InterventionError, ModelError
from truescope.core.interventions import Intervention
from truescope.core.sites import Site
from truescope.models.attention import attention_implementation
from truescope.models.parts import Parts
from truescope.models.passes import Pass

Rows = Int[torch.Tensor, " rows"] | slice | None


@dataclass(frozen=True)
class _Call:
    """How the model called a block: what entered, and everything else it handed over."""

    hidden: torch.Tensor
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Tail:
    """The last position of a batch of prompts, made by `Model.tail`; edits refer to that position.

    `run` gives what ``model.run(tokens, edit=…).logits[:, -1]`` gives for edits at position −1, to float tolerance.
    Memory: keys and values of the earlier positions, and n_layers + 1 residual streams, [batch, d_model] each.
    """

    def __init__(self, parts: Parts, inputs: dict[str, Any], plan: Callable[..., Pass], lock: threading.RLock) -> None:
        self.parts = parts
        self.batch, self.n_pos = inputs["input_ids"].shape
        self._inputs = inputs
        self._plan = plan
        self._lock = lock
        self._values: dict[Site, torch.Tensor] = {}
        self._capture()

    @torch.no_grad()
    def _capture(self) -> None:
        hf, inputs, last = self.parts.hf, self._inputs, slice(self.n_pos - 1, None)
        self._values.clear()
        self._implementation = attention_implementation(hf)
        with self._lock, ExitStack() as stack:
            cache: Any = DynamicCache(config=self.parts.config)
            if self.n_pos > 1:
                prefix = {k: v[:, :-1] for k, v in inputs.items() if isinstance(v, torch.Tensor)}
                hf.base_model(**prefix, past_key_values=cache, use_cache=True)
            self._cache = cache
            seen = self._fresh_cache(None)
            self._calls: list[_Call] = []
            self._start: dict[Site, torch.Tensor] = {}
            entered = [*map(self.parts.block, range(self.parts.n_layers)), self.parts.final_norm]
            for module in entered:
                hook = module.register_forward_pre_hook(partial(self._keep, seen), with_kwargs=True)
                stack.callback(hook.remove)
            for kind, module in (("embed", self.parts.embed), ("pos_embed", self.parts.pos_embed)):
                if module is not None:
                    stack.callback(module.register_forward_hook(partial(self._keep_output, Site(kind))).remove)
            step = {k: v[:, last] for k, v in inputs.items() if k in ("input_ids", "position_ids")}
            if "attention_mask" in inputs:
                step["attention_mask"] = inputs["attention_mask"]
            self.logits = hf(**step, past_key_values=seen, use_cache=True).logits[:, -1]
        self._check_unembedding()

    def _keep(self, cache: Any, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        rest = {key: value for key, value in kwargs.items() if args or key != "hidden_states"}
        hidden = args[0] if args else kwargs["hidden_states"]
        blank = [_CACHE if value is cache else value for value in args[1:]]
        self._calls.append(_Call(hidden, tuple(blank), {k: _CACHE if v is cache else v for k, v in rest.items()}))

    def _keep_output(self, site: Site, module: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> None:
        self._start[site] = output.expand(self.batch, -1, -1)

    def _check_unembedding(self) -> None:
        again = self.run()
        scale = float(self.logits.float().abs().max())
        gap = float((again - self.logits).float().abs().max())
        if not gap <= 1e-3 * scale:
            raise ModelError(
                f"{type(self.parts.hf).__name__}: the logits are not the unembedding of the final norm",
                why=f"recomputed from the last residual stream they differ by {gap:.3g} of {scale:.3g}",
                fix="use Model.run; a Family names only a soft-cap between the unembedding and the logits",
            )

    @torch.no_grad()
    def run(
        self,
        edit: Sequence[Intervention] = (),
        layer: int | None = None,
        rows: Rows = None,
        dictionaries: Mapping[str, Dictionary] | None = None,
    ) -> Float[torch.Tensor, "rows vocab"]:
        """The last position's logits under ``edit``, for all prompts or the chosen ``rows``.

        Only blocks from the first edited layer on are run (or from ``layer``, which may be lower). Values broadcast
        against [rows, 1, units].

        Raises:
            SiteError, InterventionError, DictionaryError: before the model runs.
        """
        return self._forward(edit, (), layer, rows, dictionaries)[0]

    def values(self, site: Site | str) -> Float[torch.Tensor, " batch *units"]:
        """A site's unedited value at the last position, [batch, units] ([batch, heads, keys] for a pattern).

        Raises:
            SiteError: the model has no such site.
        """
        place = site if isinstance(site, Site) else self.parts.site(site)
        if place not in self._values:
            self._values[place] = self._forward((), (place,), None, None, None)[1][place].select(-2, 0)
        return self._values[place]

    def _forward(
        self,
        edits: Sequence[Intervention],
        reads: Sequence[Site],
        layer: int | None,
        rows: Rows,
        dictionaries: Mapping[str, Dictionary] | None,
    ) -> tuple[torch.Tensor, dict[Site, torch.Tensor]]:
        n_rows = _rows(self._calls[0].hidden, rows, self.batch).shape[0]
        run = self._plan(
            n_rows,
            1,
            reads=reads,
            edits=[self._at_last(e) for e in edits],
            dictionaries=dictionaries,
            keys=self._keys(),
        )
        with self._lock:
            if attention_implementation(self.parts.hf) != self._implementation:
                # The masks of the captured call belong to the attention before.
                self._capture()
            start = self._first_layer(run, layer)
            hidden = self._entering(run, start, rows)
            cache = self._fresh_cache(rows, start)
            with run.active():
                for index in range(start, self.parts.n_layers):
                    call = self._calls[index]
                    args = _rebuilt(call.args, rows, self.batch, cache)
                    kwargs = _rebuilt(call.kwargs, rows, self.batch, cache)
                    output = self.parts.block(index)(hidden, *args, **kwargs)
                    hidden = output[0] if isinstance(output, tuple) else output
                logits = self.parts.unembed(self.parts.final_norm(hidden))
        cap = self.parts.final_softcap
        if cap is not None:
            logits = torch.tanh(logits / cap) * cap
        return run.finish(logits)[:, 0], run.values

    def _at_last(self, intervention: Intervention) -> Intervention:
        positions, n = intervention.positions, self.n_pos
        chosen = range(*positions.indices(n)) if isinstance(positions, slice) else positions
        if chosen is None or len(chosen) == 0:
            return intervention
        if len(chosen) == 1 and chosen[0] in (-1, n - 1):
            return replace(intervention, positions=None)
        raise InterventionError(
            f"{intervention.kind} at {intervention.site}: a tail has only the last position, not {list(chosen)}",
            fix="leave positions out, or use Model.run",
        )

    def _first_layer(self, run: Pass, layer: int | None) -> int:
        n_layers = self.parts.n_layers
        first = n_layers
        for site in run.touched:
            if site.layer is not None:
                first = min(first, site.layer)
            elif site.kind in ("embed", "pos_embed"):
                first = 0
        if layer is None:
            return first
        if not 0 <= layer <= first:
            raise InterventionError(
                f"the tail cannot start at layer {layer}",
                why=f"the first edited layer is {first}" if run.touched else f"there are {n_layers} layers",
                fix="leave layer out",
            )
        return layer

    def _entering(self, run: Pass, start: int, rows: Rows) -> torch.Tensor:
        hidden = _rows(self._calls[start].hidden, rows, self.batch)
        for site in (Site("embed"), Site("pos_embed")):
            if site in run.touched:
                value = _rows(self._start[site], rows, self.batch)
                edited = run.visit(site, value)
                hidden = hidden if edited is value else hidden + (edited - value)
        return hidden

    def _keys(self) -> dict[int, int]:
        """How many keys the last position sees in each layer (a sliding window keeps fewer than n_pos)."""
        return {index: layer.get_mask_sizes(1)[0] for index, layer in enumerate(self._cache.layers)} or {
            index: self.n_pos for index in range(self.parts.n_layers)
        }

    def _fresh_cache(self, rows: Rows, start: int = 0) -> Any:
        """The earlier positions' keys and values in containers of their own, for a forward pass to fill."""
        cache = copy.copy(self._cache)
        cache.layers = [copy.copy(layer) for layer in self._cache.layers]
        if rows is not None:
            for layer in cache.layers[start:]:
                if layer.is_initialized:
                    layer.keys = _rows(layer.keys, rows, self.batch)
                    layer.values = _rows(layer.values, rows, self.batch)
        return cache


_CACHE = object()


def _rows(x: torch.Tensor, rows: Rows, batch: int) -> torch.Tensor:
    """The chosen rows of a tensor that has one row a prompt; others (masks for all prompts) stay as they are."""
    return x if rows is None or x.dim() == 0 or x.shape[0] != batch else x[rows]


def _rebuilt(value: Any, rows: Rows, batch: int, cache: Any) -> Any:
    if value is _CACHE:
        return cache
    if isinstance(value, torch.Tensor):
        return _rows(value, rows, batch)
    if isinstance(value, tuple):
        return tuple(_rebuilt(part, rows, batch, cache) for part in value)
    if isinstance(value, dict):
        return {key: _rebuilt(part, rows, batch, cache) for key, part in value.items()}
    return value
