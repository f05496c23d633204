"""Edits of a dictionary's features in delta form, x ← x + (dec(z′) − dec(z)), against sums written by hand."""

from __future__ import annotations

import pytest
import torch
from equations import n_hooks
from linear_dictionaries import BrokenDictionary, LinearDictionary

from small_models import small_tokens
from truescope.core import DictionaryError, Intervention, InterventionError, Site
from truescope.models import Model

TOKENS = small_tokens()
D = 24


def feature(site: Site, kind: str = "scale", value: object = 3.0, units: tuple[int, ...] = (2, 7), **more: object):
    return Intervention(site, kind, value, units=units, dictionary="it", **more)  # type: ignore[arg-type]


def test_a_cross_layer_transcoder_writes_its_delta_at_every_later_site(model: Model) -> None:
    read, writes = Site("mlp_in", 0), tuple(Site("mlp_out", layer) for layer in range(3))
    clt = LinearDictionary(read, writes, D)
    got = model.run(TOKENS, edit=[feature(read, positions=(1, -1))], dictionaries={"it": clt})
    z = clt.encode(read, model.run(TOKENS, read=[read]).sites[read])
    change = torch.zeros_like(z)
    change[:, [1, -1], 2], change[:, [1, -1], 7] = 2 * z[:, [1, -1], 2], 2 * z[:, [1, -1], 7]
    by_hand = [Intervention(site, "add", change @ clt.W_dec[site]) for site in writes]
    torch.testing.assert_close(got.logits, model.run(TOKENS, edit=by_hand).logits, atol=3e-5, rtol=3e-4)
    assert (got.logits - model.run(TOKENS).logits).abs().max() > 1e-3


def test_the_code_is_taken_after_earlier_edits(model: Model) -> None:
    read = Site("resid_post", 1)
    sae = LinearDictionary(read, (read,), D)
    push = Intervention(Site("resid_pre", 0), "add", 1.0)
    got = model.run(TOKENS, edit=[push, feature(read, "set", 5.0)], dictionaries={"it": sae}, read=[read])
    x = model.run(TOKENS, edit=[push], read=[read]).sites[read]
    z = sae.encode(read, x)
    edited = z.clone()
    edited[..., [2, 7]] = 5.0
    wanted = x + (edited - z) @ sae.W_dec[read]
    torch.testing.assert_close(got.sites[read], wanted, atol=1e-4, rtol=1e-4)


def test_edits_of_one_code_are_made_in_order(gpt2: Model) -> None:
    read, write = Site("mlp_in", 1), Site("mlp_out", 1)
    transcoder = LinearDictionary(read, (write,), D)
    edits = [feature(read, "set", 1.0, (4,)), feature(read, "add", 2.0, (4,)), feature(read, "scale", 2.0, (4,))]
    got = gpt2.run(TOKENS, edit=edits, dictionaries={"it": transcoder}, read=[write]).sites[write]
    values = gpt2.run(TOKENS, read=[read, write]).sites
    z = transcoder.encode(read, values[read])[..., 4:5]
    torch.testing.assert_close(got, values[write] + (6 - z) * transcoder.W_dec[write][4], atol=1e-4, rtol=1e-4)


def test_a_null_edit_of_a_code_is_bit_exactly_nothing(model: Model) -> None:
    plain = model.run(TOKENS).logits
    for read, writes in (
        (Site("resid_pre", 1), (Site("resid_pre", 1),)),
        (Site("mlp_in", 1), (Site("mlp_out", 1), Site("mlp_out", 2))),
    ):
        given = {"it": LinearDictionary(read, writes, D)}
        for edit in (feature(read, "scale", 1.0), feature(read, "add", 0.0), feature(read, "add", 1.0, ())):
            assert torch.equal(model.run(TOKENS, edit=[edit], dictionaries=given).logits, plain)


def test_positions_whose_code_is_kept_are_left_alone(gpt2: Model) -> None:
    read = Site("resid_pre", 2)
    sae = LinearDictionary(read, (read,), D)
    got = gpt2.run(TOKENS, edit=[feature(read, "add", 1.0, positions=(3,))], dictionaries={"it": sae}, read=[read])
    plain = gpt2.run(TOKENS, read=[read])
    others = [0, 1, 2, 4, 5, 6]
    assert torch.equal(got.sites[read][:, others], plain.sites[read][:, others])
    assert not torch.equal(got.sites[read][:, 3], plain.sites[read][:, 3])


@pytest.mark.parametrize("error", [ValueError("inside"), KeyboardInterrupt()])
def test_hooks_are_gone_after_an_exception_in_the_forward_pass(model: Model, error: BaseException) -> None:
    plain = model.run(TOKENS).logits
    read = Site("resid_post", 1)
    edits = [Intervention(site, "add", 1.0) for site in model.sites()] + [feature(read)]
    with pytest.raises(type(error)):
        model.run(TOKENS, read=model.sites(), edit=edits, dictionaries={"it": BrokenDictionary(read, D, error)})
    assert n_hooks(model) == 0
    torch.testing.assert_close(model.run(TOKENS).logits, plain, atol=2e-5, rtol=1e-4)


def test_dictionaries_that_do_not_fit(gpt2: Model) -> None:
    read = Site("mlp_in", 1)
    transcoder = LinearDictionary(read, (Site("mlp_out", 1),), D)
    with pytest.raises(DictionaryError, match="not given"):
        gpt2.run(TOKENS, edit=[feature(read)])
    with pytest.raises(DictionaryError, match="did you mean its"):
        gpt2.run(TOKENS, edit=[feature(read)], dictionaries={"its": transcoder})
    with pytest.raises(InterventionError, match=r"reads mlp_in.0"):
        gpt2.run(TOKENS, edit=[feature(Site("mlp_in", 0))], dictionaries={"it": transcoder})
    with pytest.raises(InterventionError, match="no unit 10"):
        gpt2.run(TOKENS, edit=[feature(read, units=(10,))], dictionaries={"it": transcoder})
    backwards = LinearDictionary(read, (Site("mlp_out", 0),), D)
    with pytest.raises(InterventionError, match=r"writes mlp_out.0"):
        gpt2.run(TOKENS, edit=[feature(read)], dictionaries={"it": backwards})
    transcoder.model_hash = "0" * 64
    with pytest.raises(DictionaryError, match="another model"):
        gpt2.run(TOKENS, edit=[feature(read)], dictionaries={"it": transcoder})
    transcoder.model_hash = gpt2.hash
    gpt2.run(TOKENS, edit=[feature(read)], dictionaries={"it": transcoder})
