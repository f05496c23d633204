"""`Parts`: a model's modules under the names of the field, and the sites that follow from them."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import PreTrainedModel

from truescope.core.errors import SiteError, nearest
from truescope.core.sites import Site
from truescope.models.families import Family, check_family, family_of, text_config

_BEFORE_BLOCKS = ("embed", "pos_embed")
_IN_BLOCK = (
    "resid_pre",
    "attn_pattern",
    "attn_z",
    "attn_out",
    "resid_mid",
    "mlp_in",
    "mlp_neurons",
    "mlp_out",
    "resid_post",
)
_AFTER_BLOCKS = ("final_norm", "logits")


class Parts:
    """The modules of one Hugging Face causal language model, found by its family's table.

    Sizes: ``n_layers, d_model, n_neurons`` (what enters the down-projection), ``n_heads``, ``n_vocab`` (rows of the
    unembedding), ``context`` (longest prompt, in tokens).

    Raises:
        FamilyError: no table describes the model, or the table does not fit.
    """

    def __init__(self, hf: PreTrainedModel, family: Family | None = None) -> None:
        self.hf = hf
        self.config = text_config(hf.config)
        if family is None:
            family = family_of(hf.config, hf)
        else:
            check_family(family, hf)
        self.family = family
        self.embed: Any = self.module(family.embed)
        self.pos_embed = self.module(family.pos_embed) if family.pos_embed else None
        self.final_norm = self.module(family.final_norm)
        self.unembed: Any = self.module(family.unembed)
        self.n_layers = len(self.module(family.blocks))  # type: ignore[arg-type]
        self.d_model = int(self.embed.weight.shape[1])
        self.n_neurons = self._n_inputs(self.down(0))
        self.n_heads = int(self.config.num_attention_heads)
        self.d_attn_z = self._n_inputs(self.o_proj(0))
        self.n_vocab = int(self.unembed.weight.shape[0])
        self.n_embeddings = int(self.embed.weight.shape[0])
        self.context = int(self.config.max_position_embeddings)
        self.parallel = family.parallel(self.config)
        self.final_softcap = family.final_softcap(self.config)

    def module(self, path: str) -> nn.Module:
        """The submodule at a dotted path from the model.

        Raises:
            SiteError: there is none; the nearest paths are named.
        """
        try:
            return self.hf.get_submodule(path)
        except AttributeError as error:
            known = [name for name, _ in self.hf.named_modules()]
            raise SiteError(
                f"the model has no module {path!r}", why=str(error), fix=nearest(path, known) or "see model.hf"
            ) from error

    def block(self, layer: int) -> nn.Module:
        """The block (decoder layer) ``layer``, from 0."""
        return self.module(f"{self.family.blocks}.{layer}")

    def attention(self, layer: int) -> nn.Module:
        """The attention module of a block."""
        return self.block(layer).get_submodule(self.family.attn)

    def mlp(self, layer: int) -> nn.Module:
        """The MLP module of a block."""
        return self.block(layer).get_submodule(self.family.mlp)

    def pre_attn_norm(self, layer: int) -> nn.Module:
        """The norm whose output the attention receives."""
        return self.block(layer).get_submodule(self.family.pre_attn_norm)

    def pre_mlp_norm(self, layer: int) -> nn.Module:
        """The norm whose output is mlp_in."""
        return self.block(layer).get_submodule(self.family.pre_mlp_norm)

    def attn_out_norm(self, layer: int) -> nn.Module | None:
        """The norm of what attention adds to the stream, where a family has one."""
        path = self.family.attn_out_norm
        return self.block(layer).get_submodule(path) if path else None

    def mlp_out_norm(self, layer: int) -> nn.Module | None:
        """The norm of what the MLP adds to the stream, where a family has one."""
        path = self.family.mlp_out_norm
        return self.block(layer).get_submodule(path) if path else None

    def o_proj(self, layer: int) -> nn.Module:
        """The attention's output projection; its input is attn_z."""
        return self.attention(layer).get_submodule(self.family.o_proj)

    def values(self, layer: int) -> nn.Module:
        """The projection that makes the values, alone or with queries and keys."""
        return self.attention(layer).get_submodule(self.family.values)

    def choices(self, layer: int) -> list[tuple[str, nn.Module | None, nn.Module | None]]:
        """("query" or "key", the projection that makes them, the norm of each head of them) for a block's attention.

        The projection is None where one matrix makes queries, keys and values; the norm where there is none.
        """
        attention = self.attention(layer)
        found: list[tuple[str, nn.Module | None, nn.Module | None]] = []
        for side in ("query", "key"):
            letter = side[0]
            found.append((side, getattr(attention, f"{letter}_proj", None), getattr(attention, f"{letter}_norm", None)))
        return found

    def up(self, layer: int) -> nn.Module:
        """The MLP's up-projection."""
        return self.mlp(layer).get_submodule(self.family.up)

    def gate(self, layer: int) -> nn.Module | None:
        """The MLP's gate projection, where a family has one."""
        return self.mlp(layer).get_submodule(self.family.gate) if self.family.gate else None

    def down(self, layer: int) -> nn.Module:
        """The MLP's down-projection; its input is mlp_neurons."""
        return self.mlp(layer).get_submodule(self.family.down)

    @staticmethod
    def _n_inputs(projection: Any) -> int:
        # nn.Linear stores [out, in], GPT-2's Conv1D [in, out].
        return int(projection.weight.shape[1 if isinstance(projection, nn.Linear) else 0])

    def sites(self) -> list[Site]:
        """Every site this model has, in the order in which a forward pass reaches them."""
        layers = [Site(kind, layer) for layer in range(self.n_layers) for kind in _IN_BLOCK]
        around = [[Site(kind) for kind in kinds] for kinds in (_BEFORE_BLOCKS, _AFTER_BLOCKS)]
        return [site for site in (*around[0], *layers, *around[1]) if self._absence(site) is None]

    def check(self, site: Site) -> Site:
        """The site itself.

        Raises:
            SiteError: this model has no such site; the reason is named.
        """
        reason = self._absence(site)
        if reason is None:
            return site
        near = [str(other) for other in self.sites() if other.layer == site.layer or other.kind == site.kind]
        raise SiteError(
            f"this model has no site {str(site)!r}",
            why=reason,
            fix=nearest(str(site), near) or "`truescope sites MODEL` lists what a model has",
        )

    def _absence(self, site: Site) -> str | None:
        if site.layer is not None and site.layer >= self.n_layers:
            return f"its layers are 0 to {self.n_layers - 1}"
        if site.kind == "pos_embed" and self.pos_embed is None:
            return f"{self.family.name} has no position embeddings: positions enter in the attention (rotary)"
        if site.kind == "resid_mid" and self.parallel:
            return "attention and MLP of a block both read resid_pre, so nothing lies between them"
        return None

    def site(self, text: str) -> Site:
        """The site of a canonical name, a TransformerLens name, or a Hugging Face module path.

        A module path means what the module puts out: "transformer.h.3.mlp" is mlp_out.3, "model.layers.3" resid_post.3.

        Raises:
            SiteError: the text names no site of this model.
        """
        name = text.strip()
        paths = self._module_sites()
        if name in paths:
            return self.check(paths[name])
        if name in dict(self.hf.named_modules()):
            block = ".".join(name.split(".")[: self.family.blocks.count(".") + 2])
            inside = [f"{path} is {site}" for path, site in paths.items() if path.startswith(f"{block}.")]
            raise SiteError(
                f"the output of module {name!r} is no canonical site",
                why="sites are the residual stream, what is added to it, and what enters an MLP or a projection",
                fix="; ".join(inside) or "`truescope sites MODEL` lists what a model has",
            )
        try:
            site = Site.parse(name)
        except SiteError as error:
            near = nearest(name, paths) if "." in name else ""
            if near and "did you mean" not in error.fix:
                raise SiteError(error.what, why=error.why, fix=near) from error
            raise
        return self.check(site)

    def _module_sites(self) -> dict[str, Site]:
        family, paths = self.family, {self.family.embed: Site("embed"), self.family.final_norm: Site("final_norm")}
        if family.pos_embed:
            paths[family.pos_embed] = Site("pos_embed")
        if self.final_softcap is None:
            paths[family.unembed] = Site("logits")
        # Only what is added to the stream counts as attn_out and mlp_out: with post-norms, what the norms put out.
        attn = [family.attn_out_norm] if family.attn_out_norm else [family.attn, f"{family.attn}.{family.o_proj}"]
        mlp = [family.mlp_out_norm] if family.mlp_out_norm else [family.mlp, f"{family.mlp}.{family.down}"]
        for layer in range(self.n_layers):
            block = f"{family.blocks}.{layer}"
            paths[block] = Site("resid_post", layer)
            paths[f"{block}.{family.pre_mlp_norm}"] = Site("mlp_in", layer)
            paths.update({f"{block}.{path}": Site("attn_out", layer) for path in attn})
            paths.update({f"{block}.{path}": Site("mlp_out", layer) for path in mlp})
        return paths

    def shape(self, site: Site, batch: int, pos: int, keys: int | None = None) -> tuple[int, ...]:
        """The shape of a site's value: [batch, pos, units], or [batch, heads, pos, keys] for an attention pattern."""
        if site.kind == "attn_pattern":
            return (batch, self.n_heads, pos, pos if keys is None else keys)
        units = {"attn_z": self.d_attn_z, "mlp_neurons": self.n_neurons, "logits": self.n_vocab}
        return (batch, pos, units.get(site.kind, self.d_model))


def order(site: Site) -> tuple[int, int]:
    """When a forward pass reaches a site: sites compare as their orders do."""
    if site.layer is not None:
        return (site.layer, _IN_BLOCK.index(site.kind))
    if site.kind in _BEFORE_BLOCKS:
        return (-1, _BEFORE_BLOCKS.index(site.kind))
    return (10**9, _AFTER_BLOCKS.index(site.kind))
