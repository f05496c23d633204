"""The tail gives what a whole run gives at the last position, at the price of one position."""

from __future__ import annotations

import pytest
import torch
from equations import n_hooks, one_layer
from linear_dictionaries import LinearDictionary

from small_models import small_hf, small_model, small_tokens
from truescope.core import Intervention, InterventionError, ModelError, Site, SiteError
from truescope.models import Model

TOKENS = small_tokens(4)


def assert_same(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, atol=3e-5, rtol=3e-4)


def test_every_edit_of_the_last_position(model: Model) -> None:
    tail = model.tail(TOKENS)
    plain = model.run(TOKENS).logits[:, -1]
    assert_same(tail.run(), plain)
    assert_same(tail.logits, plain)
    for site in one_layer(model):
        if site.kind == "attn_pattern":
            continue
        for edit in (
            Intervention(site, "ablate_zero", None, (-1,), (1, 5)),
            Intervention(site, "add", torch.linspace(-1, 2, model.parts.shape(site, 1, 1)[-1]), (-1,)),
        ):
            wanted = model.run(TOKENS, edit=[edit]).logits[:, -1]
            assert_same(tail.run([edit]), wanted)
            assert (wanted - plain).abs().max() > 1e-4, site
    assert n_hooks(model) == 0


def test_edits_of_the_last_query_of_a_pattern(model: Model) -> None:
    tail = model.tail(TOKENS)
    for layer in range(3):
        full = Intervention(Site("attn_pattern", layer), "scale", 0.25, (-1,))
        assert_same(tail.run([full]), model.run(TOKENS, edit=[full]).logits[:, -1])


def test_a_switch_to_eager_is_noticed() -> None:
    model = small_model("llama", seed=3)
    tail = model.tail(TOKENS)
    before = tail.run()
    model.use_eager("the test asks")
    assert_same(tail.run(), before)
    edit = Intervention(Site("attn_pattern", 1), "scale", 0.5)
    assert_same(tail.run([edit]), model.run(TOKENS, edit=[Intervention(edit.site, "scale", 0.5, (-1,))]).logits[:, -1])


def test_several_edits_and_rows(model: Model) -> None:
    tail = model.tail(TOKENS)
    value = torch.randn(4, 1, 40, generator=torch.Generator().manual_seed(3))
    edits = [Intervention(Site("mlp_neurons", 1), "set", value), Intervention(Site("resid_post", 2), "scale", 0.5)]
    at_last = [Intervention(edit.site, edit.kind, edit.value, (-1,)) for edit in edits]
    wanted = model.run(TOKENS, edit=at_last).logits[:, -1]
    assert_same(tail.run(edits), wanted)
    assert_same(tail.run(at_last, layer=0), wanted)
    for rows in (torch.tensor([3, 0]), slice(1, 3)):
        mine = [Intervention(Site("mlp_neurons", 1), "set", value[rows]), edits[1]]
        assert_same(tail.run(mine, rows=rows), wanted[rows])


def test_values_are_what_a_run_reads_at_the_last_position(model: Model) -> None:
    tail = model.tail(TOKENS)
    wanted = model.run(TOKENS, read=model.sites()).sites
    for site in model.sites():
        value = wanted[site][..., -1, :]
        got = tail.values(site)
        if site.kind == "attn_pattern":
            # A sliding window keeps only the keys it can see.
            assert float(value[..., : value.shape[-1] - got.shape[-1]].abs().sum()) == 0
            value = value[..., value.shape[-1] - got.shape[-1] :]
        assert_same(got, value)
        assert got is tail.values(str(site))


def test_dictionary_edits_in_a_tail(model: Model) -> None:
    read, writes = Site("mlp_in", 1), (Site("mlp_out", 1), Site("mlp_out", 2))
    given = {"clt": LinearDictionary(read, writes, 24)}
    edit = Intervention(read, "add", 2.0, (-1,), (1, 2), "clt")
    wanted = model.run(TOKENS, edit=[edit], dictionaries=given).logits[:, -1]
    assert_same(model.tail(TOKENS).run([edit], dictionaries=given), wanted)


@pytest.mark.parametrize("pos", [1, 2])
def test_short_prompts(model: Model, pos: int) -> None:
    tokens = TOKENS[:, :pos]
    edit = Intervention(Site("mlp_out", 1), "ablate_zero", None, (-1,))
    assert_same(model.tail(tokens).run([edit]), model.run(tokens, edit=[edit]).logits[:, -1])


def test_one_prompt_repeated_by_rows(gpt2: Model) -> None:
    tail = gpt2.tail(TOKENS[:1])
    values = torch.tensor([0.0, 1.0, 2.0])
    edit = Intervention(Site("resid_pre", 1), "add", values[:, None, None])
    together = tail.run([edit], rows=torch.zeros(3, dtype=torch.long))
    for i, value in enumerate(values):
        assert_same(together[i : i + 1], tail.run([Intervention(Site("resid_pre", 1), "add", float(value))]))


def test_left_padded_prompts(model: Model) -> None:
    mask = torch.ones_like(TOKENS)
    mask[0, :3] = mask[2, :1] = 0
    tail = model.tail(TOKENS, mask=mask)
    edit = Intervention(Site("attn_out", 1), "scale", -1.0, (-1,))
    assert_same(tail.run([edit]), model.run(TOKENS, edit=[edit], mask=mask).logits[:, -1])
    alone = model.run(TOKENS[:1, 3:], edit=[edit]).logits[:, -1]
    assert_same(tail.run([edit], rows=torch.tensor([0])), alone)


def test_a_tail_can_be_run_again_and_again(model: Model) -> None:
    tail = model.tail(TOKENS)
    first = tail.run()
    edit = Intervention(Site("resid_pre", 0), "scale", 2.0)
    edited = tail.run([edit])
    assert torch.equal(tail.run([edit]), edited)
    assert torch.equal(tail.run(), first)


def test_what_a_tail_cannot_do(gpt2: Model) -> None:
    tail = gpt2.tail(TOKENS)
    with pytest.raises(InterventionError, match="only the last position"):
        tail.run([Intervention(Site("mlp_out", 1), "ablate_zero", positions=(3,))])
    with pytest.raises(InterventionError, match="only the last position"):
        tail.run([Intervention(Site("mlp_out", 1), "ablate_zero", positions=slice(5, 7))])
    with pytest.raises(InterventionError, match="cannot start at layer 2"):
        tail.run([Intervention(Site("mlp_out", 1), "ablate_zero")], layer=2)
    with pytest.raises(SiteError, match="layers are 0 to 2"):
        tail.values("mlp_out.7")
    with pytest.raises(InterventionError, match=r"shape \[4, 1, 40\]"):
        tail.run([Intervention(Site("mlp_neurons", 1), "set", torch.zeros(4, 1, 40))], rows=slice(0, 2))


def test_a_model_with_more_between_norm_and_logits_is_refused() -> None:
    model = Model(small_hf("gemma2"))
    model.parts.final_softcap = None
    with pytest.raises(ModelError, match="not the unembedding"):
        model.tail(TOKENS)
