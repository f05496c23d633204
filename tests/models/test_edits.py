"""Each edit, at each site, on each family, against what it must do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from equations import broken, n_hooks, one_layer

from small_models import small_hf, small_tokens
from truescope.core import Intervention, InterventionError, Site
from truescope.models import Model, weights_hash

TOKENS = small_tokens()


def logits(model: Model, *edits: Intervention) -> torch.Tensor:
    return model.run(TOKENS, edit=edits).logits


def assert_same(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, atol=3e-5, rtol=3e-4)


def test_an_edit_changes_its_site_and_the_rest_follows_by_the_equations(model: Model) -> None:
    before = model.run(TOKENS, read=model.sites()).sites
    for site in one_layer(model):
        positions, units = (-1, 2), (1, 3)
        after = model.run(TOKENS, read=model.sites(), edit=[Intervention(site, "scale", 0.5, positions, units)]).sites
        wanted = before[site].clone()
        index = torch.tensor([6, 2])
        wanted[..., index[:, None], [1, 3]] *= 0.5
        assert_same(after[site], wanted)
        if site.kind not in ("resid_mid", "attn_pattern"):
            assert torch.equal(after[site], wanted)
        assert set(broken(model, after)) <= {site}, site


def test_each_kind_of_edit_at_each_site(model: Model) -> None:
    before = model.run(TOKENS, read=one_layer(model)).sites
    for site in one_layer(model):
        x = before[site]
        v = torch.linspace(-1, 1, x.shape[-1])
        low, high = x.quantile(0.3), x.quantile(0.7)
        along = (x * v).sum(-1, keepdim=True) * v / (v * v).sum()
        cases: list[tuple[str, Any, torch.Tensor]] = [
            ("set", v, v.expand_as(x)),
            ("patch", x.flip(0), x.flip(0)),
            ("add", v, x + v),
            ("scale", -2.0, -2 * x),
            ("clamp", (float(low), float(high)), x.clamp(low, high)),
            ("ablate_zero", None, torch.zeros_like(x)),
            ("ablate_mean", x.mean((0, 1), keepdim=True), x.mean((0, 1), keepdim=True).expand_as(x)),
            ("project_out", 3 * v, x - along),
        ]
        for kind, value, wanted in cases:
            got = model.run(TOKENS, read=[site], edit=[Intervention(site, kind, value)]).sites[site]  # type: ignore[arg-type]
            assert_same(got, wanted)


def test_a_delta_is_the_same_wherever_it_enters_one_stream(model: Model) -> None:
    delta = torch.randn(2, 7, model.d_model, generator=torch.Generator().manual_seed(1))

    def add(kind: str, layer: int | None = 1) -> torch.Tensor:
        return logits(model, Intervention(Site(kind, layer), "add", delta))

    after = add("resid_post")
    assert (after - logits(model)).abs().max() > 0.01
    assert_same(add("mlp_out"), after)
    assert_same(add("resid_pre", 2), after)
    if model.parts.parallel:
        assert_same(add("attn_out"), after)
    else:
        assert_same(add("attn_out"), add("resid_mid"))
        assert (add("resid_mid") - after).abs().max() > 1e-3
    assert_same(add("embed", None), add("resid_pre", 0))
    if model.parts.pos_embed is not None:
        assert_same(add("pos_embed", None), add("resid_pre", 0))


def test_without_attention_and_mlps_only_the_embedding_is_left(model: Model) -> None:
    edits = [Intervention(Site(kind, at), "ablate_zero") for at in range(3) for kind in ("attn_out", "mlp_out")]
    start = model.run(TOKENS, read=["resid_pre.0"]).sites[Site("resid_pre", 0)]
    by_hand = model.parts.unembed(model.parts.final_norm(start))
    cap = model.parts.final_softcap
    assert_same(logits(model, *edits), by_hand if cap is None else cap * torch.tanh(by_hand / cap))


def test_setting_the_final_norm_and_the_logits(model: Model) -> None:
    v = torch.randn(model.d_model, generator=torch.Generator().manual_seed(2))
    by_hand = v @ model.parts.unembed.weight.T
    cap = model.parts.final_softcap
    by_hand = by_hand if cap is None else cap * torch.tanh(by_hand / cap)
    assert_same(logits(model, Intervention(Site("final_norm"), "set", v)), by_hand.expand(2, 7, -1))
    banned = logits(model, Intervention(Site("logits"), "set", -torch.inf, (-1,), (5,)))
    assert banned[:, -1, 5].isinf().all()
    assert torch.equal(banned[:, :-1], logits(model)[:, :-1])


def test_a_pattern_edit_moves_what_heads_read(model: Model) -> None:
    """Attending only to key k reads value k; a real pattern reads their mixture."""
    before = model.run(TOKENS, read=["attn_pattern.0", "attn_z.0"]).sites
    heads = model.parts.n_heads
    pattern = before[Site("attn_pattern", 0)]
    mixture = torch.zeros_like(before[Site("attn_z", 0)]).unflatten(-1, (heads, -1))
    for key in range(7):
        one_hot = torch.zeros(7).index_fill(0, torch.tensor([key]), 1.0)
        edit = Intervention(Site("attn_pattern", 0), "set", one_hot)
        value = model.run(TOKENS, read=["attn_z.0"], edit=[edit]).sites[Site("attn_z", 0)].unflatten(-1, (heads, -1))
        assert_same(value, value[:, :1].expand_as(value))
        mixture += pattern[..., key].transpose(1, 2)[..., None] * value
    assert_same(mixture.flatten(-2), before[Site("attn_z", 0)])


def test_a_null_edit_is_bit_exactly_nothing(model: Model) -> None:
    plain = model.run(TOKENS, read=model.sites())
    for site in one_layer(model):
        x = plain.sites[site]
        nulls = [
            Intervention(site, "add", 0.0),
            Intervention(site, "scale", 1.0),
            Intervention(site, "clamp", (None, torch.inf)),
            Intervention(site, "patch", x),
            Intervention(site, "patch", x, (-2,), (0, 4)),
            Intervention(site, "ablate_zero", units=()),
            Intervention(site, "ablate_zero", positions=()),
        ]
        assert torch.equal(logits(model, *nulls), plain.logits), site


def test_edits_leave_no_hook_and_no_changed_weight(model: Model) -> None:
    before = weights_hash(model.hf)
    plain = logits(model)
    for site in one_layer(model):
        logits(model, Intervention(site, "add", 1.0))
    assert weights_hash(model.hf) == before
    assert n_hooks(model) == 0
    assert torch.equal(logits(model), plain)


def test_edits_of_one_site_are_made_in_order(gpt2: Model) -> None:
    site = Site("mlp_neurons", 1)
    x = gpt2.run(TOKENS, read=[site]).sites[site]
    double, more = Intervention(site, "scale", 2.0), Intervention(site, "add", 1.0)
    assert torch.equal(gpt2.run(TOKENS, read=[site], edit=[double, more]).sites[site], 2 * x + 1)
    assert torch.equal(gpt2.run(TOKENS, read=[site], edit=[more, double]).sites[site], 2 * (x + 1))


def test_spans_positions_and_values(gpt2: Model) -> None:
    site = Site("mlp_out", 0)
    x = gpt2.run(TOKENS, read=[site]).sites[site]

    def edited(**fields: Any) -> torch.Tensor:
        return gpt2.run(TOKENS, read=[site], edit=[Intervention(site, "set", **fields)]).sites[site]

    wanted = x.clone()
    wanted[:, 2:5] = 7
    assert torch.equal(edited(value=7, positions=slice(2, 5)), wanted)
    assert torch.equal(edited(value=[[7.0]] * 3, positions=(2, 3, -3)), wanted)
    wanted = x.clone()
    wanted[:, 4:, 3:5] = torch.tensor([1.0, 2.0])
    assert torch.equal(edited(value=[1, 2], positions=slice(-3, None), units=(3, 4)), wanted)
    assert torch.equal(edited(value=torch.tensor([2, 1]).numpy(), positions=(4, 5, 6), units=(4, 3)), wanted)
    # The whole of another run's value, of which only the chosen part is used.
    wanted = x.clone()
    wanted[:, 1, [0, 9]] = -x[:, 1, [0, 9]]
    assert torch.equal(edited(value=-x, positions=(1,), units=(0, 9)), wanted)


@pytest.mark.parametrize("side", ["left", "right"])
def test_an_edit_under_padding_does_what_it_does_without(model: Model, side: str) -> None:
    """Positions count in the padded prompt; every edit at its site, seen in all logits of the real tokens."""
    padding, ones = torch.zeros(2, 3, dtype=torch.long), torch.ones_like(TOKENS)
    order = slice(None, None, -1 if side == "right" else 1)
    padded, mask = torch.cat([padding, TOKENS][order], 1), torch.cat([padding, ones][order], 1)
    start = 3 if side == "left" else 0
    for site in one_layer(model):
        if site.kind == "attn_pattern":  # its last axis is the padded prompt's
            continue
        at = (2, 4)
        plain = [Intervention(site, "scale", -1.5, at, (1, 3)), Intervention(site, "add", 0.5, slice(4, 6))]
        moved = [
            Intervention(site, "scale", -1.5, tuple(p + start for p in at), (1, 3)),
            Intervention(site, "add", 0.5, slice(4 + start, 6 + start)),
        ]
        wanted, got = logits(model, *plain), model.run(padded, edit=moved, mask=mask).logits[:, start : start + 7]
        assert_same(got, wanted)
        assert (wanted - logits(model)).abs().max() > 1e-4, site


def test_a_saved_intervention_does_the_same(gpt2: Model) -> None:
    edit = Intervention(Site("attn_z", 1), "add", torch.randn(7, 2), slice(None), (0, 5))
    assert torch.equal(logits(gpt2, edit), logits(gpt2, Intervention.from_json(edit.to_json())))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "ablate_zero", "positions": (7,)}, "no position 7"),
        ({"kind": "ablate_zero", "positions": (0, -8)}, "no position -8"),
        ({"kind": "ablate_zero", "positions": (6, -1)}, "position 6 is named twice"),
        ({"kind": "ablate_zero", "positions": slice(3, 9)}, "span 3:9"),
        ({"kind": "ablate_zero", "positions": slice(3, 3)}, "span 3:3"),
        ({"kind": "ablate_zero", "units": (40,)}, "no unit 40"),
        ({"kind": "ablate_zero", "units": (-1,)}, "no unit -1"),
        ({"kind": "set", "value": [1.0, 2.0]}, r"shape \[2\]"),
        ({"kind": "set", "value": [[1.0], [2.0, 3.0]]}, "nested lists"),
        ({"kind": "set", "value": "much"}, "nested lists"),
        ({"kind": "set", "value": torch.zeros(2, 2, 7, 40)}, r"shape \[2, 2, 7, 40\]"),
        ({"kind": "add", "value": float("nan")}, "NaN"),
        ({"kind": "add", "value": float("inf")}, "infinite"),
        ({"kind": "add", "value": 1j}, "complex|nested"),
        ({"kind": "clamp", "value": 3.0}, "two bounds"),
        ({"kind": "clamp", "value": (2.0, 1.0)}, "lower bound above"),
        ({"kind": "project_out", "value": torch.zeros(40)}, "direction is zero"),
        ({"kind": "project_out", "value": 2.0}, "direction of 40"),
    ],
)
def test_an_edit_that_cannot_be_made(gpt2: Model, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InterventionError, match=said):
        logits(gpt2, Intervention(Site("mlp_neurons", 0), **fields))
    assert n_hooks(gpt2) == 0


def test_bfloat16_is_edited_in_bfloat16() -> None:
    model = Model(small_hf("llama", seed=5).bfloat16())
    site = Site("resid_mid", 1)
    run = model.run(TOKENS, read=[site], edit=[Intervention(site, "set", 0.5, units=(3,))])
    assert run.sites[site].dtype == torch.bfloat16
    assert (run.sites[site][..., 3] - 0.5).abs().max() < 0.05
