"""`Model`: any Hugging Face causal language model, read and edited at its canonical sites."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import nn
from transformers import PreTrainedModel

from truescope.core.dictionaries import Dictionary
from truescope.core.errors import DictionaryError, PromptError
from truescope.core.interventions import Intervention
from truescope.core.sites import Site
from truescope.models import text
from truescope.models.attention import attention_implementation, switch_to_eager
from truescope.models.families import Family
from truescope.models.load import load
from truescope.models.parts import Parts
from truescope.models.passes import Pass
from truescope.models.tail import Tail
from truescope.models.weights import check_finite, weights_hash

Tokens = Int[torch.Tensor, " pos"] | Int[torch.Tensor, "batch pos"]
Mask = Bool[torch.Tensor, "batch pos"] | Int[torch.Tensor, "batch pos"]


@dataclass(frozen=True)
class Run:
    """What a forward pass gave: the logits, and the value of each site that was read, both after the edits."""

    logits: Float[torch.Tensor, "batch pos vocab"]
    sites: dict[Site, torch.Tensor]
    """[batch, pos, units]; an attention pattern is [batch, heads, queries, keys]."""


class Model:
    """A causal language model of Hugging Face under the names of the house.

    ``hf`` is used as it is, in evaluation mode, its parameters without gradients and never changed. A family without a
    table is described by ``family``. Sizes: ``n_layers, d_model, n_neurons`` (of one layer), ``n_vocab`` (logits),
    ``context`` (longest prompt).

    Raises:
        FamilyError: no table describes the architecture.
        ModelError: a weight is NaN or infinite.
    """

    def __init__(
        self, hf: PreTrainedModel, tokenizer: Any = None, *, name: str = "", family: Family | None = None
    ) -> None:
        self.parts = Parts(hf, family)
        self.name = name or str(getattr(hf.config, "name_or_path", "")) or type(hf).__name__
        check_finite(hf, self.name)
        self.hf = hf.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.family = self.parts.family
        self.config = self.parts.config
        self.n_layers = self.parts.n_layers
        self.d_model = self.parts.d_model
        self.n_neurons = self.parts.n_neurons
        self.n_vocab = self.parts.n_vocab
        self.context = self.parts.context
        # Hooks are on the modules, so two threads cannot run one model at once.
        self.lock = threading.RLock()
        self._no_tokenizer = "the model was made without one"
        self._hash = ""

    @staticmethod
    def from_pretrained(
        path_or_name: str | os.PathLike[str],
        *,
        revision: str | None = None,
        device_map: Any = None,
        dtype: str | torch.dtype | None = None,
        family: Family | None = None,
    ) -> Model:
        """A model from a local folder, else from the hub.

        ``revision`` is a branch, tag or commit of the hub; ``device_map`` a device ("cuda:0") or a placement ("auto");
        ``dtype`` a name ("float32", "bfloat16") or a torch dtype, by default the checkpoint's own.

        Raises:
            ModelError: it cannot be loaded, or a weight is not finite.
            FamilyError: no table describes the architecture.
        """
        loaded = load(path_or_name, revision=revision, device_map=device_map, dtype=dtype)
        model = Model(loaded.hf, loaded.tokenizer, name=loaded.name, family=family)
        model._no_tokenizer = loaded.no_tokenizer
        return model

    def __repr__(self) -> str:
        return f"Model({self.name!r}, {self.family.name}, {self.n_layers} layers, d_model {self.d_model})"

    @property
    def hash(self) -> str:
        """SHA-256 over the weights (sorted tensor name, dtype, shape, bytes), computed once."""
        if not self._hash:
            self._hash = weights_hash(self.hf)
        return self._hash

    @property
    def device(self) -> torch.device:
        """Where tokens go in."""
        return self.parts.embed.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the residual stream."""
        return self.parts.embed.weight.dtype

    def module(self, path: str) -> nn.Module:
        """The submodule at a dotted path. Raises SiteError with the nearest paths where there is none."""
        return self.parts.module(path)

    def block(self, layer: int) -> nn.Module:
        """The block (decoder layer) ``layer``, from 0."""
        return self.parts.block(layer)

    def attention(self, layer: int) -> nn.Module:
        """The attention module of a block."""
        return self.parts.attention(layer)

    def mlp(self, layer: int) -> nn.Module:
        """The MLP module of a block."""
        return self.parts.mlp(layer)

    def tokens(self, prompt: str, *, beyond: int = 0) -> Int[torch.Tensor, " pos"]:
        """The prompt's token ids, with the special tokens that the tokenizer adds by itself.

        ``beyond`` says how many more than the context there may be: an answer after a prompt is read, not run.

        Raises:
            PromptError: there is no tokenizer, or the prompt is empty, too long, or unreadable.
        """
        if self.tokenizer is None:
            raise PromptError(
                f"{self.name!r} has no tokenizer, so it cannot read text",
                why=self._no_tokenizer,
                fix="put its tokenizer.json beside the weights; in Python, hand in token ids or Model(…, tokenizer=…)",
            )
        return text.encode(self.tokenizer, prompt, self.context + beyond).to(self.device)

    def token_strings(self, ids: Sequence[int] | Int[torch.Tensor, " n"]) -> list[str]:
        """One readable string for each id, leading spaces kept; ``#id`` where there is no tokenizer."""
        return text.token_strings(self.tokenizer, [int(i) for i in ids])

    def sites(self) -> list[Site]:
        """Every site this model has, in the order in which a forward pass reaches them."""
        return self.parts.sites()

    def site(self, name: str | Site) -> Site:
        """The site of a canonical name, a TransformerLens name, or a module path ("transformer.h.3.mlp": mlp_out.3).

        Raises:
            SiteError: the model has no such site; the nearest ones are named.
        """
        return self.parts.check(name) if isinstance(name, Site) else self.parts.site(name)

    def inputs(self, tokens: Tokens, mask: Mask | None = None) -> dict[str, Any]:
        """The keyword arguments of a forward pass of ``hf`` over [batch, pos] tokens, without a cache.

        With a ``mask`` (1 for tokens, 0 for padding, left or right) positions count from the first token.

        Raises:
            PromptError: no tokens, more than the context, or ids outside the vocabulary.
        """
        ids = (tokens if tokens.dim() == 2 else tokens[None]).to(self.device)
        if ids.numel() == 0:
            raise PromptError("the prompt is empty", fix="give at least one token")
        if ids.shape[1] > self.context:
            raise PromptError(
                f"the prompt has {ids.shape[1]} tokens, the model's context {self.context}",
                fix=f"leave out {ids.shape[1] - self.context}",
            )
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= self.parts.n_embeddings:
            raise PromptError(
                f"token id {low if low < 0 else high} is not in the vocabulary",
                why=f"{self.name!r} has {self.parts.n_embeddings} tokens",
                fix="use the model's own tokenizer",
            )
        inputs: dict[str, Any] = {"input_ids": ids, "use_cache": False}
        if mask is not None:
            if mask.shape != ids.shape:
                raise PromptError(f"the mask has shape {list(mask.shape)}, the tokens {list(ids.shape)}")
            inputs["attention_mask"] = mask = mask.to(device=ids.device, dtype=torch.long)
            inputs["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)
        return inputs

    @torch.no_grad()
    def run(
        self,
        tokens: Tokens,
        read: Sequence[Site | str] = (),
        edit: Sequence[Intervention] = (),
        dictionaries: Mapping[str, Dictionary] | None = None,
        mask: Mask | None = None,
    ) -> Run:
        """One forward pass: the logits, and the values of the sites in ``read`` after the edits there.

        Edits at one site are made in their order; an edit with a dictionary changes its features in delta form,
        x ← x + (dec(z′) − dec(z)) wherever they write. Everything is [batch, pos, …], for one prompt too.

        Raises:
            PromptError, SiteError, InterventionError, DictionaryError: as their names say, before the model runs.
        """
        inputs = self.inputs(tokens, mask)
        batch, pos = inputs["input_ids"].shape
        reads = [self.site(name) for name in read]
        run = self._plan(batch, pos, reads=reads, edits=edit, dictionaries=dictionaries)
        with self.lock, run.active():
            logits = self.hf(**inputs).logits
        logits = run.finish(logits)
        return Run(logits, run.values)

    def run_live(
        self,
        tokens: Tokens,
        read: Sequence[Site | str] = (),
        embed: Float[torch.Tensor, "batch pos d_model"] | None = None,
        mask: Mask | None = None,
    ) -> Run:
        """`run` without edits, but logits and sites stay in one autograd graph: gradients flow from any to any earlier.

        ``embed`` stands in place of the token embeddings (a point between two prompts, say). Nothing is frozen.

        Raises:
            PromptError, SiteError: before the model runs.
        """
        inputs = self.inputs(tokens, mask)
        run = self._plan(
            *inputs["input_ids"].shape, reads=[self.site(name) for name in read], edits=(), dictionaries=None
        )
        first = run.operations.setdefault(Site("embed"), [])
        first.append(lambda x: (x if embed is None else embed.to(x)).detach().clone().requires_grad_())
        with self.lock, torch.enable_grad(), run.active():
            logits = run.finish(self.hf(**inputs).logits)
        return Run(logits, run.values)

    def _plan(
        self,
        batch: int,
        pos: int,
        *,
        reads: Sequence[Site],
        edits: Sequence[Intervention],
        dictionaries: Mapping[str, Dictionary] | None,
        keys: Mapping[int, int] | None = None,
    ) -> Pass:
        """A pass whose dictionaries are this model's, with eager attention if it touches a pattern."""
        for name, dictionary in (dictionaries or {}).items():
            if dictionary.model_hash and dictionary.model_hash != self.hash:
                raise DictionaryError(
                    f"dictionary {name!r} belongs to another model than {self.name!r}",
                    why=f"it was made for weights {dictionary.model_hash[:12]}…, these are {self.hash[:12]}…",
                    fix="load the model it was made for",
                )
        run = Pass(self.parts, batch, pos, reads=reads, edits=edits, dictionaries=dictionaries, keys=keys)
        patterns = [site for site in run.touched if site.kind == "attn_pattern"]
        if patterns:
            self.use_eager(f"{patterns[0]} is read or edited")
        return run

    def use_eager(self, reason: str) -> None:
        """Attend with the family's eager attention from now on, and say so once, on stderr.

        Raises:
            ModelError: the architecture's attention cannot be switched.
        """
        with self.lock:
            before = attention_implementation(self.hf)
            if switch_to_eager(self.hf):
                print(
                    f"{self.name}: attention is eager from now on, not {before}, because {reason}; "
                    "logits may differ in their last digits",
                    file=sys.stderr,
                )

    def tail(self, tokens: Int[torch.Tensor, "batch pos"], mask: Mask | None = None) -> Tail:
        """What is needed to run the last position of many prompts again and again, cheaply: see `Tail`."""
        return Tail(self.parts, self.inputs(tokens, mask), self._plan, self.lock)
