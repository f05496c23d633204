"""The bench of an experiment: prompts with donors, groups of units that are set to values, and what the answers do.

A prompt's *donor* is another prompt with another answer. A group's units are moved from the prompt's own values to
the donor's, x ← x + d · (x_donor − x), everything else live; with m = logit[donor's answer] − logit[own answer] at
the last position, an effect is

    (m(edited) − m(prompt)) / mean over prompts of (m(donor) − m(prompt))

the share of the way from one answer to the other: 1 where the group carries all of it. Interchange after Geiger et al.,
"Causal abstractions of neural networks", 2021.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int

from truescope.core.dictionaries import Dictionary
from truescope.core.errors import ClaimError
from truescope.core.features import Feature
from truescope.core.interventions import Intervention
from truescope.core.sites import Site
from truescope.judge.answers import NumberTask
from truescope.models import Model

POSITIONS = ("last", "all")
"""Where a group's units are set."""

Values = dict[int, Float[torch.Tensor, "n set units"]]
"""By layer, the units of a group at the positions where it is set (n prompts, or one row for all)."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Prompts, a donor for each, and the tokens that are their right answers."""

    tokens: Int[torch.Tensor, "n pos"]
    donors: Int[torch.Tensor, "n pos"]
    answers: Int[torch.Tensor, " n"]
    donor_answers: Int[torch.Tensor, " n"]

    @staticmethod
    def draw(task: NumberTask, n: int, seed: int) -> Pairs:
        """At most ``n`` of a task's prompts, each with a donor drawn from all that have another answer.

        Raises:
            ClaimError: all prompts have one answer.
        """
        if len(np.unique(task.answers)) < 2:
            raise ClaimError("all prompts have the same answer", fix="give prompts with two answers or more")
        rng = np.random.default_rng(seed)
        own = np.sort(rng.permutation(len(task))[:n])
        donors = [int(rng.choice(np.flatnonzero(task.answers != task.answers[i]))) for i in own]
        # Several tokens may write a number; the first is the one that is asked for.
        token = {answer: int(np.flatnonzero(task.numbers == answer)[0]) for answer in np.unique(task.answers).tolist()}
        rows, others = torch.from_numpy(own), torch.tensor(donors)
        ids = torch.tensor([token[answer] for answer in task.answers.tolist()])
        return Pairs(task.tokens[rows], task.tokens[others], ids[rows], ids[others])

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def hash(self) -> str:
        """SHA-256, in hex, over prompts, donors and answers."""
        digest = hashlib.sha256()
        for part in (self.tokens, self.donors, self.answers, self.donor_answers):
            digest.update(f"{tuple(part.shape)}".encode() + np.ascontiguousarray(part.numpy(), dtype="<i8").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Group:
    """Units at the last position or at all: MLP neurons, or features of a dictionary, which are set in delta form."""

    features: tuple[Feature, ...]
    positions: str = "last"
    dictionary: Dictionary | None = None

    @cached_property
    def layers(self) -> dict[int, tuple[int, ...]]:
        """The units' indices by layer, in order."""
        chosen = sorted(set(self.features))
        return {
            layer: tuple(f.index for f in chosen if f.layer == layer) for layer in sorted({f.layer for f in chosen})
        }

    def site(self, layer: int) -> Site:
        """Where the units of a layer are read and set.

        Raises:
            ClaimError: the dictionary reads no site of the layer.
        """
        if self.dictionary is None:
            return Site("mlp_neurons", layer)
        found = [site for site in self.dictionary.reads if site.layer == layer]
        if not found:
            raise ClaimError(f"dictionary {self.dictionary.name!r} reads no site of layer {layer}")
        return found[0]

    def select(self, layer: int, site: Float[torch.Tensor, "n pos width"]) -> Float[torch.Tensor, "n set units"]:
        """The units' values from the site's."""
        x = site[:, -1:] if self.positions == "last" else site
        code = x if self.dictionary is None else self.dictionary.encode(self.site(layer), x)
        return code[..., list(self.layers[layer])]

    def edits(self, values: Mapping[int, Float[torch.Tensor, "n set units"]]) -> list[Intervention]:
        """The edits that set the units to values."""
        where = (-1,) if self.positions == "last" else None
        name = None if self.dictionary is None else self.dictionary.name
        return [
            Intervention(self.site(layer), "set", value, positions=where, units=self.layers[layer], dictionary=name)
            for layer, value in values.items()
        ]


@dataclass(frozen=True, eq=False)
class Bench:
    """A model with pairs of prompts, run in batches under edits whose values have a row for each prompt, or one."""

    model: Model
    pairs: Pairs
    dictionary: Dictionary | None = None
    batch: int = 500

    @cached_property
    def _dictionaries(self) -> dict[str, Dictionary] | None:
        return None if self.dictionary is None else {self.dictionary.name: self.dictionary}

    def values(self, group: Group, tokens: Int[torch.Tensor, "n pos"], edits: Sequence[Intervention] = ()) -> Values:
        """What a group's units are on ``tokens``, under ``edits``."""
        sites = {layer: group.site(layer) for layer in group.layers}
        found: dict[int, list[torch.Tensor]] = {layer: [] for layer in sites}
        for rows in self._rows(len(tokens)):
            here = _of_rows(edits, rows)
            run = self.model.run(tokens[rows], read=[*sites.values()], edit=here, dictionaries=self._dictionaries)
            for layer, site in sites.items():
                found[layer].append(group.select(layer, run.sites[site]))
        return {layer: torch.cat(parts) for layer, parts in found.items()}

    def read(self, site: Site, edits: Sequence[Intervention] = ()) -> Float[torch.Tensor, "n pos width"]:
        """A site's value on every prompt under ``edits``."""
        parts = [
            self.model.run(
                self.pairs.tokens[rows], read=[site], edit=_of_rows(edits, rows), dictionaries=self._dictionaries
            ).sites[site]
            for rows in self._rows(len(self.pairs))
        ]
        return torch.cat(parts)

    def margins(self, edits: Sequence[Intervention] = ()) -> Float[np.ndarray, " n"]:
        """m of every prompt under ``edits``."""
        return self._margins(self.logits(edits))

    def logits(
        self, edits: Sequence[Intervention] = (), tokens: Int[torch.Tensor, "n pos"] | None = None
    ) -> Float[torch.Tensor, "n vocab"]:
        """The last position's logits of every prompt under ``edits``."""
        tokens = self.pairs.tokens if tokens is None else tokens
        parts = [
            self.model.run(tokens[rows], edit=_of_rows(edits, rows), dictionaries=self._dictionaries).logits[:, -1]
            for rows in self._rows(len(tokens))
        ]
        return torch.cat(parts)

    def effects(self, edits: Sequence[Intervention]) -> Float[np.ndarray, " n"]:
        """The share of the way to the donor's answer that each prompt goes under ``edits``."""
        return (self.margins(edits) - self.clean) / self.gap

    @cached_property
    def clean(self) -> Float[np.ndarray, " n"]:
        """m of every prompt as it is."""
        return self.margins()

    @cached_property
    def gap(self) -> float:
        """The mean of m(donor) − m(prompt).

        Raises:
            ClaimError: the model does not tell the donors' answers from the prompts' own.
        """
        gap = float((self._margins(self.logits(tokens=self.pairs.donors)) - self.clean).mean())
        if gap <= 0:
            raise ClaimError(
                "the model does not prefer the donors' answers on the donors",
                why=f"the mean difference of logits goes {gap:.3g} of the way",
                fix="give prompts that the model answers rightly",
            )
        return gap

    def _margins(self, logits: Float[torch.Tensor, "n vocab"]) -> Float[np.ndarray, " n"]:
        ids = torch.stack([self.pairs.donor_answers, self.pairs.answers], 1).to(logits.device)
        donor, own = logits.gather(1, ids).T
        return (donor - own).double().cpu().numpy()

    def _rows(self, n: int) -> list[slice]:
        return [slice(start, min(start + self.batch, n)) for start in range(0, n, self.batch)]


def towards(own: Values, other: Values, dose: float) -> Values:
    """x + dose · (x_other − x)."""
    return {layer: value + dose * (other[layer] - value) for layer, value in own.items()}


def _of_rows(edits: Sequence[Intervention], rows: slice) -> list[Intervention]:
    return [edit if len(edit.value) == 1 else replace(edit, value=edit.value[rows]) for edit in edits]
