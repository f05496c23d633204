"""`Site`: an address in a model, the same for every family.

    embed  pos_embed  resid_pre.l  resid_mid.l  resid_post.l  attn_pattern.l  attn_z.l  attn_out.l
    mlp_in.l  mlp_neurons.l  mlp_out.l  final_norm  logits

``mlp_in`` is what the MLP module receives (after the pre-norm); ``attn_out`` and ``mlp_out`` are what is added to the
residual stream (after a post-norm where a family has one); ``mlp_neurons`` is what enters the down-projection;
``attn_z`` is what enters the attention's output projection, heads concatenated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from truescope.core.errors import SiteError, nearest

GLOBAL_KINDS = ("embed", "pos_embed", "final_norm", "logits")
"""The sites that a model has once."""
LAYER_KINDS = (
    "resid_pre",
    "resid_mid",
    "resid_post",
    "attn_pattern",
    "attn_z",
    "attn_out",
    "mlp_in",
    "mlp_neurons",
    "mlp_out",
)
"""The sites that every block has."""

_TRANSFORMER_LENS = {
    "hook_embed": "embed",
    "hook_pos_embed": "pos_embed",
    "ln_final.hook_normalized": "final_norm",
    "hook_resid_pre": "resid_pre",
    "hook_resid_mid": "resid_mid",
    "hook_resid_post": "resid_post",
    "attn.hook_pattern": "attn_pattern",
    "attn.hook_z": "attn_z",
    "hook_attn_out": "attn_out",
    "mlp.hook_in": "mlp_in",
    "mlp.hook_post": "mlp_neurons",
    "hook_mlp_out": "mlp_out",
    "mlp.hook_out": "mlp_out",
}


@dataclass(frozen=True, order=True, slots=True)
class Site:
    """An address: a kind and, for the kinds inside a block, a layer (from 0)."""

    kind: str
    layer: int | None = None

    def __post_init__(self) -> None:
        if self.kind in GLOBAL_KINDS:
            if self.layer is not None:
                raise SiteError(f"site {self.kind!r} has no layer, got {self.layer}", fix=f"write {self.kind!r}")
        elif self.kind in LAYER_KINDS:
            if self.layer is None or self.layer < 0:
                raise SiteError(
                    f"site {self.kind!r} needs a layer from 0 up, got {self.layer}", fix=f"write '{self.kind}.0'"
                )
        else:
            kinds = GLOBAL_KINDS + LAYER_KINDS
            raise SiteError(
                f"there is no site {self.kind!r}",
                why=f"the sites are {', '.join(kinds)}",
                fix=nearest(self.kind, kinds) or "`truescope sites MODEL` lists what a model has",
            )

    def __str__(self) -> str:
        return self.kind if self.layer is None else f"{self.kind}.{self.layer}"

    @staticmethod
    def parse(text: str) -> Site:
        """Read ``resid_post.3``, TransformerLens' ``blocks.3.hook_resid_post``, or ``logits``.

        Module paths of Hugging Face need the model: `Model.site` resolves them.

        Raises:
            SiteError: the text is no address; the nearest ones are named.
        """
        name = text.strip()
        if match := re.fullmatch(r"blocks\.(\d+)\.(.+)", name):
            layer, hook = int(match[1]), match[2]
            if hook in _TRANSFORMER_LENS:
                return Site(_TRANSFORMER_LENS[hook], layer)
        if name in _TRANSFORMER_LENS:
            return Site(_TRANSFORMER_LENS[name])
        if match := re.fullmatch(r"([a-z_]+)\.(\d+)", name):
            return Site(match[1], int(match[2]))
        if name in GLOBAL_KINDS or name in LAYER_KINDS:
            return Site(name)
        known = [*GLOBAL_KINDS, *(f"{kind}.0" for kind in LAYER_KINDS), *(f"blocks.0.{k}" for k in _TRANSFORMER_LENS)]
        raise SiteError(
            f"{text!r} is not a site",
            why="a site is a name like resid_post.3 or blocks.3.hook_resid_post",
            fix=nearest(name, known) or "`truescope sites MODEL` lists what a model has",
        )
