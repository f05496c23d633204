"""One forward pass that reads and edits sites through PyTorch hooks, which are gone when it ends, however it ends.

Each touched site has a place: the input or the output of one module. At a site the edits are applied in the order in
which they were given, then the value is read. An edit of `resid_mid` is made on what is added to the stream, because
Hugging Face's blocks save the residual before the norm that follows it:

    attn_out ← attn_out + (edit(resid_pre + attn_out) − (resid_pre + attn_out))
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import nn

from truescope.core.dictionaries import Dictionary
from truescope.core.errors import DictionaryError, InterventionError, nearest
from truescope.core.interventions import Intervention
from truescope.core.sites import Site
from truescope.models.attention import AttentionStep, attention_steps
from truescope.models.edits import Edit, bind
from truescope.models.parts import Parts, order
from truescope.models.places import Operation, on_input, on_output, on_site, output_of


@dataclass
class CodeEdit:
    """Edits of a dictionary's features in delta form: x ← x + (dec(z′) − dec(z)) wherever the features write.

    z = enc(x) is taken where the features read, inside the pass, so after every earlier edit; all edits of one
    dictionary at one site change one code and write one delta. Positions whose code did not change are left alone.
    """

    dictionary: Dictionary
    site: Site
    edits: list[Edit] = field(default_factory=list)
    pending: dict[Site, torch.Tensor] = field(default_factory=dict)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        code = self.dictionary.encode(self.site, x)
        edited = code
        for edit in self.edits:
            edited = edit(edited)
        if edited is code:
            return x
        changed = (edited != code).any(-1, keepdim=True)
        before, after = self.dictionary.decode(self.site, code), self.dictionary.decode(self.site, edited)
        for site, written in after.items():
            delta = written - before[site]
            self.pending[site] = torch.where(changed, delta, torch.zeros_like(delta)).to(x.dtype)
        return self.write(self.site, x)

    def write(self, site: Site, x: torch.Tensor) -> torch.Tensor:
        """``x`` at ``site`` with this edit's delta, if there is one."""
        delta = self.pending.pop(site, None)
        return x if delta is None else x + delta.to(x.device)


class Pass:
    """A single forward pass over [batch, pos] tokens with ``reads`` and ``edits``; use it once, inside ``active()``.

    ``values`` has what was read. `finish` applies what remains to the logits.

    Raises:
        SiteError: a site that the model has not.
        InterventionError: an edit that cannot be made.
        DictionaryError: a dictionary that was not given, or one of another model.
    """

    def __init__(
        self,
        parts: Parts,
        batch: int,
        pos: int,
        *,
        reads: Sequence[Site] = (),
        edits: Sequence[Intervention] = (),
        dictionaries: Mapping[str, Dictionary] | None = None,
        keys: Mapping[int, int] | None = None,
    ) -> None:
        self.parts = parts
        self.batch = batch
        self.pos = pos
        self.keys = keys or {}
        self.reads = frozenset(parts.check(site) for site in reads)
        self.values: dict[Site, torch.Tensor] = {}
        self.operations: dict[Site, list[Operation]] = {}
        self._residuals: dict[int, torch.Tensor] = {}
        self._plan(edits, dictionaries or {})

    @property
    def touched(self) -> list[Site]:
        """The sites that are read or edited, in forward order."""
        return sorted(self.reads | self.operations.keys(), key=order)

    @property
    def first_edit(self) -> Site | None:
        """The first site, in forward order, that an edit touches."""
        return min(self.operations, key=order, default=None)

    def _plan(self, edits: Sequence[Intervention], dictionaries: Mapping[str, Dictionary]) -> None:
        writers: dict[tuple[str, Site], CodeEdit] = {}
        for intervention in edits:
            site = self.parts.check(intervention.site)
            if intervention.dictionary is None:
                shape = self.parts.shape(site, self.batch, self.pos, self.keys.get(site.layer or 0))
                self._at(site).append(bind(intervention, shape))
                continue
            dictionary = self._dictionary(intervention, dictionaries)
            shape = (self.batch, self.pos, dictionary.n_features(site))
            edit = bind(intervention, shape)
            written = self._written(dictionary, site, edit)
            key = (intervention.dictionary, site)
            if written == {site}:
                last = self._at(site)[-1] if self._at(site) else None
                if not (isinstance(last, CodeEdit) and last.dictionary is dictionary):
                    last = CodeEdit(dictionary, site)
                    self._at(site).append(last)
                last.edits.append(edit)
            elif key in writers:
                writers[key].edits.append(edit)
            else:
                writers[key] = code = CodeEdit(dictionary, site, [edit])
                for other in written - {site}:
                    self._at(other).append(partial(code.write, other))
        # A code that is written elsewhere is taken after the direct edits of the site it reads.
        for (_, site), code in writers.items():
            self._at(site).append(code)

    def _at(self, site: Site) -> list[Operation]:
        return self.operations.setdefault(site, [])

    def _dictionary(self, intervention: Intervention, dictionaries: Mapping[str, Dictionary]) -> Dictionary:
        name, site = str(intervention.dictionary), intervention.site
        if name not in dictionaries:
            raise DictionaryError(
                f"the edit at {site} names dictionary {name!r}, which this run was not given",
                why=f"it was given: {', '.join(dictionaries) or 'none'}",
                fix=nearest(name, dictionaries) or "hand it on: run(…, dictionaries={name: dictionary})",
            )
        dictionary = dictionaries[name]
        if site not in dictionary.reads:
            reads = [str(read) for read in dictionary.reads]
            raise InterventionError(
                f"no feature of dictionary {name!r} reads {site}",
                why=f"it reads {', '.join(reads)}",
                fix=nearest(str(site), reads) or f"edit its features at {reads[0] if reads else 'another site'}",
            )
        return dictionary

    def _written(self, dictionary: Dictionary, site: Site, edit: Edit) -> set[Site]:
        weight = self.parts.embed.weight
        # What it writes is what it decodes the empty code to.
        nothing = torch.zeros(1, 1, dictionary.n_features(site), dtype=weight.dtype, device=weight.device)
        written = {self.parts.check(other) for other in dictionary.decode(site, nothing)}
        early = [other for other in written if order(other) < order(site)]
        if early or any(other.kind == "attn_pattern" for other in written):
            wrong = early[0] if early else next(other for other in written if other.kind == "attn_pattern")
            raise InterventionError(
                f"dictionary {edit.intervention.dictionary!r} reads {site} and writes {wrong}",
                why="a delta can be added only later in the forward pass, and to no attention pattern",
            )
        return written

    def visit(self, site: Site, x: torch.Tensor) -> torch.Tensor:
        """What a site's value becomes: edited, then read."""
        for operation in self.operations.get(site, ()):
            x = operation(x)
        if site in self.reads:
            self.values[site] = x
        return x

    def finish(self, logits: torch.Tensor) -> torch.Tensor:
        """The logits, edited and read."""
        return self.visit(Site("logits"), logits)

    @contextmanager
    def active(self) -> Iterator[Pass]:
        """Hooks on every touched site; all are removed at the end, after an exception and after Ctrl-C too."""
        steps: dict[nn.Module, AttentionStep] = {}
        with ExitStack() as stack:
            for site in self.touched:
                if site.kind == "attn_pattern":
                    module = self.parts.attention(int(site.layer or 0))
                    steps[module] = AttentionStep(edit=partial(self.visit, site))
                elif site.kind == "resid_mid":
                    self._hook_resid_mid(stack, site)
                elif site.kind != "logits":
                    self._hook(stack, site)
            if steps:
                stack.enter_context(attention_steps(steps))
            yield self

    def _hook(self, stack: ExitStack, site: Site) -> None:
        change = partial(self.visit, site)
        if site.kind == "pos_embed":
            # Position embeddings come once for the whole batch.
            on_site(stack, self.parts, site, lambda x: change(x.expand(self.batch, -1, -1)))
        else:
            on_site(stack, self.parts, site, change)

    def _hook_resid_mid(self, stack: ExitStack, site: Site) -> None:
        layer = int(site.layer or 0)
        if site in self.operations:
            on_input(stack, self.parts.block(layer), partial(self._keep_residual, layer))
            on_output(stack, output_of(self.parts, Site("attn_out", layer)), partial(self._edit_middle, site))
        if site in self.reads:
            on_input(stack, self.parts.pre_mlp_norm(layer), partial(self._read, site))

    def _keep_residual(self, layer: int, x: torch.Tensor) -> torch.Tensor:
        self._residuals[layer] = x
        return x

    def _edit_middle(self, site: Site, attn_out: torch.Tensor) -> torch.Tensor:
        middle = self._residuals.pop(int(site.layer or 0)) + attn_out
        edited = middle
        for operation in self.operations[site]:
            edited = operation(edited)
        return attn_out if edited is middle else attn_out + (edited - middle)

    def _read(self, site: Site, x: torch.Tensor) -> torch.Tensor:
        self.values[site] = x
        return x
