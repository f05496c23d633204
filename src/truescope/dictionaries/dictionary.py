"""`Dictionary`: sparse autoencoder, transcoder or cross-layer transcoder, TopK or JumpReLU; one type, no subclasses.

Its features come in groups, one group a site that is read:

    p = W_enc x̃ + b_enc,  z = ReLU(TopK_k(p)) or p · 1[p > θ]          x̃: see `normalisation`
    ŷ[s] = Σ over groups g that write s of z_g W_dec,g[s]  (+ W_skip x)  + b_dec[s]

An autoencoder writes the site it reads; a transcoder reads mlp_in.l and writes mlp_out.l; a cross-layer transcoder's
group reads mlp_in.l and writes mlp_out.l … mlp_out.L−1 (Ameisen et al., "Circuit Tracing", 2025). W_dec and b_dec are
in the units of the model's activations. The rows of W_dec hold what a feature writes at each site, side by side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from truescope.core.errors import DictionaryError, nearest
from truescope.core.sites import Site
from truescope.dictionaries import kernels
from truescope.dictionaries.gradients import Weights, pre_activations
from truescope.dictionaries.kernels import Codes
from truescope.dictionaries.normalisation import Normalisation

DictionaryKind = Literal["sae", "transcoder", "clt"]
"""An autoencoder of one site, transcoders of MLPs, or a cross-layer transcoder."""
Activation = Literal["topk", "jumprelu"]
"""Which pre-activations become active: the k largest, or those above a threshold of each feature."""
KINDS: tuple[str, ...] = get_args(DictionaryKind)
"""The kinds of dictionary by name."""
ACTIVATIONS: tuple[str, ...] = get_args(Activation)
"""The activations by name."""


@dataclass(frozen=True)
class Group:
    """The features that read one site. ``W_skip`` maps the raw value that is read to the first site written."""

    reads: Site
    writes: tuple[Site, ...]
    W_enc: Float[Tensor, "n_features d_in"]
    b_enc: Float[Tensor, " n_features"]
    W_dec: Float[Tensor, "n_features d_out"]
    normalisation: Normalisation = field(default_factory=Normalisation)
    threshold: Float[Tensor, " n_features"] | None = None
    W_skip: Float[Tensor, "d_written d_in"] | None = None

    @property
    def n_features(self) -> int:
        """How many features the group has."""
        return self.W_enc.shape[0]

    @property
    def d_written(self) -> int:
        """The width of one written site."""
        return self.W_dec.shape[1] // len(self.writes)

    def decoder(self, site: Site) -> Float[Tensor, "n_features d_written"]:
        """What one unit of each feature adds at ``site``. Raises DictionaryError where the group does not write it."""
        if site not in self.writes:
            written = [str(other) for other in self.writes]
            raise DictionaryError(
                f"the features that read {self.reads} do not write {site}",
                why=f"they write {', '.join(written)}",
                fix=nearest(str(site), written),
            )
        at = self.writes.index(site) * self.d_written
        return self.W_dec[:, at : at + self.d_written]

    def tensors(self) -> dict[str, Tensor]:
        """Everything that is stored, by name."""
        every = {
            "W_enc": self.W_enc,
            "b_enc": self.b_enc,
            "W_dec": self.W_dec,
            "threshold": self.threshold,
            "W_skip": self.W_skip,
            "mean": self.normalisation.mean,
        }
        return {name: tensor for name, tensor in every.items() if tensor is not None}


@dataclass(frozen=True, eq=False)
class Dictionary:
    """A trained dictionary and the model it belongs to; fulfils `truescope.core.Dictionary`.

    ``b_dec`` has one [d] for each site that is written. ``k`` is the number of features kept at a position and group
    (TopK), None with JumpReLU. ``model_hash`` is that of the model's weights, "" for a dictionary that belongs to none.
    ``info`` says how it was made: data, seed, tokens.

    Raises:
        DictionaryError: parts that do not fit together.
    """

    name: str
    kind: DictionaryKind | str
    activation: Activation | str
    groups: tuple[Group, ...]
    b_dec: Mapping[Site, Float[Tensor, " d_written"]]
    k: int | None = None
    model_hash: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for word, known in ((self.kind, KINDS), (self.activation, ACTIVATIONS)):
            if word not in known:
                raise DictionaryError(
                    f"there is no dictionary {word!r}", why=f"known: {', '.join(known)}", fix=nearest(word, known)
                )
        if not self.groups:
            raise DictionaryError(f"dictionary {self.name!r} has no features", fix="give it one group a site it reads")
        for group in self.groups:
            self._check(group)
        if set(self.b_dec) != set(self.writes):
            missing = set(self.writes) ^ set(self.b_dec)
            raise DictionaryError(f"b_dec does not fit what is written: {', '.join(map(str, sorted(missing)))}")

    def _check(self, group: Group) -> None:
        where = f"dictionary {self.name!r}, the features that read {group.reads}"
        n, d_in = group.W_enc.shape
        shapes = {"b_enc": (n,), "W_dec": (n, group.W_dec.shape[1]), "threshold": (n,), "mean": (d_in,)}
        shapes["W_skip"] = (group.d_written, d_in)
        for name, tensor in group.tensors().items():
            if name in shapes and tuple(tensor.shape) != shapes[name]:
                raise DictionaryError(
                    f"{where}: {name} has shape {list(tensor.shape)}", why=f"{list(shapes[name])} is expected"
                )
        if group.W_dec.shape[1] != len(group.writes) * group.d_written:
            raise DictionaryError(f"{where}: W_dec does not divide among {len(group.writes)} written sites")
        if (self.activation == "jumprelu") != (group.threshold is not None):
            raise DictionaryError(f"{where}: thresholds belong to jumprelu, and only to it")
        if self.activation == "topk" and not (self.k is not None and 1 <= self.k <= n):
            raise DictionaryError(f"{where}: k is {self.k}, of {n} features", fix=f"choose k between 1 and {n}")

    def __repr__(self) -> str:
        n = sum(group.n_features for group in self.groups)
        return f"Dictionary({self.name!r}, {self.kind}, {self.activation}, {n} features)"

    @property
    def reads(self) -> tuple[Site, ...]:
        """The sites that features read, one a group."""
        return tuple(group.reads for group in self.groups)

    @property
    def writes(self) -> tuple[Site, ...]:
        """The sites that features write, in order."""
        return tuple(sorted({site for group in self.groups for site in group.writes}))

    @cached_property
    def hash(self) -> str:
        """SHA-256, in hex, over every stored tensor: what tells this dictionary from another of the same name."""
        norms = [(group.normalisation.kind, group.normalisation.scale) for group in self.groups]
        digest = hashlib.sha256(f"{self.kind} {self.activation} {self.k} {norms}".encode())
        stored = [(str(g.reads), name, tensor) for g in self.groups for name, tensor in sorted(g.tensors().items())]
        stored += [(str(site), "b_dec", bias) for site, bias in sorted(self.b_dec.items())]
        for site, name, tensor in stored:
            digest.update(f"{site} {name} {list(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    @cached_property
    def _by_site(self) -> dict[Site, Group]:
        return {group.reads: group for group in self.groups}

    def group(self, site: Site) -> Group:
        """The features that read ``site``. Raises DictionaryError where there are none."""
        if site not in self._by_site:
            reads = [str(other) for other in self.reads]
            raise DictionaryError(
                f"no feature of dictionary {self.name!r} reads {site}",
                why=f"it reads {', '.join(reads)}",
                fix=nearest(str(site), reads),
            )
        return self._by_site[site]

    def n_features(self, site: Site) -> int:
        """How many features read ``site``."""
        return self.group(site).n_features

    def pre_activations(self, site: Site, x: Float[Tensor, "*shape d_in"]) -> Float[Tensor, "*shape n_features"]:
        """p = W_enc x̃ + b_enc."""
        group = self.group(site)
        return group.normalisation(x.to(group.W_enc)) @ group.W_enc.T + group.b_enc

    @torch.no_grad()
    def codes(self, site: Site, x: Float[Tensor, "pos d_in"]) -> Codes:
        """The active features of each position and their activations, without a dense code."""
        group = self.group(site)
        inputs = group.normalisation(x.to(group.W_enc))
        weights = Weights(group.W_enc, group.b_enc, group.W_dec, group.W_dec[0])
        return kernels.concatenate([self._active(group, block) for block in pre_activations(weights, inputs)])

    def _active(self, group: Group, pre: Float[Tensor, "pos n_features"]) -> Codes:
        if group.threshold is not None:
            return kernels.above(pre, group.threshold)
        assert self.k is not None
        values, indices = kernels.top_k(pre, self.k)
        return kernels.from_top_k(values.relu(), indices)

    @torch.no_grad()
    def encode(self, site: Site, x: Float[Tensor, "*shape d_in"]) -> Float[Tensor, "*shape n_features"]:
        """The code z of the value ``x`` that was read at ``site``, dense; `codes` is the sparse one."""
        n = self.n_features(site)
        return self.codes(site, x.reshape(-1, x.shape[-1])).dense(n).reshape(*x.shape[:-1], n)

    @torch.no_grad()
    def decode(
        self, site: Site, z: Float[Tensor, "*shape n_features"]
    ) -> dict[Site, Float[Tensor, "*shape d_written"]]:
        """What the features that read ``site`` write with code ``z``, at each site, without constants and skips."""
        group = self.group(site)
        written = z.to(group.W_dec) @ group.W_dec
        return dict(zip(group.writes, written.split(group.d_written, dim=-1), strict=True))

    @torch.no_grad()
    def write(self, site: Site, x: Float[Tensor, "pos d_in"]) -> dict[Site, Float[Tensor, "pos d_written"]]:
        """What the features that read ``site`` write when they read ``x``, with the skip, without b_dec; sparse."""
        group = self.group(site)
        written = kernels.sparse_decode(self.codes(site, x), group.W_dec)
        parts = dict(zip(group.writes, written.split(group.d_written, dim=-1), strict=True))
        if group.W_skip is not None:
            first = group.writes[0]
            parts[first] = parts[first] + x.to(group.W_skip) @ group.W_skip.T
        return parts

    @torch.no_grad()
    def reconstruct(self, values: Mapping[Site, Float[Tensor, "pos d_in"]]) -> dict[Site, Float[Tensor, "pos d_out"]]:
        """ŷ at every written site from the values at all sites that are read."""
        n_positions = len(next(iter(values.values())))
        total = {site: bias.expand(n_positions, -1).clone() for site, bias in self.b_dec.items()}
        for group in self.groups:
            for site, part in self.write(group.reads, values[group.reads]).items():
                total[site] += part
        return total

    def encoder(
        self, site: Site, x: Float[Tensor, "pos d_in"], position: Int[Tensor, " n"], index: Int[Tensor, " n"]
    ) -> tuple[Float[Tensor, "n d_in"], Float[Tensor, " n"]]:
        """Vectors v and constants c of features at positions: p = v · x[position] + c, denominators held at ``x``."""
        group = self.group(site)
        rows, biases = group.W_enc.index_select(0, index), group.b_enc.index_select(0, index)
        return group.normalisation.hold(rows, biases, x.to(group.W_enc).index_select(0, position))

    def check_model(self, model_hash: str, model_name: str = "this model") -> None:
        """Raise DictionaryError if the dictionary was made for another model than the one with this hash."""
        if self.model_hash and self.model_hash != model_hash:
            raise DictionaryError(
                f"dictionary {self.name!r} belongs to another model than {model_name}",
                why=f"it was made for weights {self.model_hash[:12]}…, these are {model_hash[:12]}…",
                fix=f"load the model it was made for{self._made_for()}, or train one for {model_name}: truescope train",
            )

    def _made_for(self) -> str:
        return f" ({self.info['model']})" if self.info.get("model") else ""

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> Dictionary:
        """The same dictionary on another device or in another dtype."""

        def moved(tensor: Tensor | None) -> Any:
            return None if tensor is None else tensor.to(device=device, dtype=dtype)

        groups = [
            replace(
                group,
                W_enc=moved(group.W_enc),
                b_enc=moved(group.b_enc),
                W_dec=moved(group.W_dec),
                threshold=moved(group.threshold),
                W_skip=moved(group.W_skip),
                normalisation=replace(group.normalisation, mean=moved(group.normalisation.mean)),
            )
            for group in self.groups
        ]
        biases = {site: moved(bias) for site, bias in self.b_dec.items()}
        return replace(self, groups=tuple(groups), b_dec=biases)

    def save(self, folder: Path | str) -> Path:
        """Write the dictionary as a folder, whole or not at all. Raises StoreError where it cannot be written."""
        from truescope.dictionaries.files import save

        return save(self, Path(folder))

    def fill(self, folder: Path) -> None:
        """Write the dictionary's files into a folder that is there: for who puts it in its place himself."""
        from truescope.dictionaries.files import fill

        fill(self, folder)

    @staticmethod
    def load(folder: Path | str, *, model_hash: str | None = None) -> Dictionary:
        """Read a folder that `save` wrote, for the model with ``model_hash`` if one is given.

        Raises:
            DictionaryError: it is absent, truncated, altered, not finite, or belongs to another model.
        """
        from truescope.dictionaries.files import load

        dictionary = load(Path(folder))
        if model_hash is not None:
            dictionary.check_model(model_hash)
        return dictionary


def layer_sites(kind: str, layers: Sequence[int], site: Site | None = None) -> list[tuple[Site, tuple[Site, ...]]]:
    """What each group reads and writes: a transcoder or CLT over ``layers``, or an autoencoder of one ``site``.

    Raises:
        DictionaryError: an autoencoder without a site, or a site with another kind.
    """
    if (kind == "sae") != (site is not None):
        raise DictionaryError(
            "an sae reads one site, and only an sae is given one",
            fix="name it, such as resid_post.2, with kind sae; leave it out with transcoder and clt",
        )
    if site is not None:
        return [(site, (site,))]
    outputs = [Site("mlp_out", layer) for layer in layers]
    reach = {"transcoder": 1, "clt": len(outputs)}[kind]
    return [(Site("mlp_in", layer), tuple(outputs[i : i + reach])) for i, layer in enumerate(layers)]
