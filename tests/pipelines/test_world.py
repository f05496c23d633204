"""The dictionaries that ship with the addition world belong to it, say what they leave out, and follow a recipe."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from truescope.core.errors import DictionaryError, UsageError
from truescope.dictionaries import Dictionary
from truescope.models import Model
from truescope.pipelines.subjects import ADDITION, BUILT_IN, built_in, load_dictionary, load_model
from truescope.pipelines.world import EQUALS_WEIGHT, addition_dictionary, addition_windows, weighted, world_config
from truescope.train import training_sites
from truescope.truth.addition import ADDITION_FOLDER


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(ADDITION)


@pytest.mark.parametrize("kind", BUILT_IN)
def test_what_ships_belongs_to_the_shipped_world_and_explains_it(kind: str, model: Model) -> None:
    dictionary = load_dictionary(kind, model)
    assert dictionary is not None and dictionary.model_hash == model.hash
    assert (dictionary.kind, dictionary.k, {g.n_features for g in dictionary.groups}) == (kind, 16, {512})
    card = dictionary.info["held_out"]
    assert card["n_sums"] == 2000 and card["right_with_every_mlp_replaced"] >= 0.995
    assert max(card["fvu_at_equals"].values()) <= 0.015


def test_the_card_is_what_is_measured_again(model: Model) -> None:
    from truescope.pipelines.world import _card

    dictionary = Dictionary.load(built_in("clt"))
    found, card = _card(model, dictionary, addition_windows()[1]), dictionary.info["held_out"]
    assert found["fvu"] == pytest.approx(card["fvu"], rel=1e-3)
    assert found["right_with_every_mlp_replaced"] == pytest.approx(card["right_with_every_mlp_replaced"], abs=1e-3)


def test_world_and_dictionaries_stay_under_8_mb() -> None:
    assert sum(path.stat().st_size for path in ADDITION_FOLDER.rglob("*") if path.is_file()) < 8e6


def test_another_model_is_told_so(model: Model) -> None:
    other = Model.from_pretrained(ADDITION_FOLDER)
    with torch.no_grad():
        next(other.hf.parameters()).add_(1.0)
    other.__dict__.pop("hash", None)
    with pytest.raises(DictionaryError, match="belongs to another model"):
        load_dictionary("clt", other)
    with pytest.raises(DictionaryError, match=r"none of neurons, transcoder, clt") as caught:
        load_dictionary("transcodr", model)
    assert "transcoder" in str(caught.value)


def test_every_position_but_the_first_is_seen_and_the_answers_position_more_often(model: Model) -> None:
    from truescope.activations import harvest

    trained, held = addition_windows()
    assert (len(trained), len(held)) == (8000 + 398, 2000)
    assert not {tuple(w.ids.tolist()) for w in trained} & {tuple(w.ids.tolist()) for w in held}
    few = [*trained[:3], trained[-1]]
    data = harvest(model, few, training_sites(model, world_config("clt")))
    seen = weighted(data, few)
    assert data.n_tokens == 3 * 4 + 2 and seen.n_tokens == data.n_tokens + 3 * (EQUALS_WEIGHT - 1)
    site = next(iter(data.values))
    for row in (3, 7, 11):
        copies = (seen.values[site] == data.values[site][row]).all(dim=1).sum()
        assert copies == EQUALS_WEIGHT


def test_the_recipe_is_repeatable_and_gets_better_with_tokens(model: Model) -> None:
    short = replace(world_config("transcoder"), tokens=20_000)
    one, again = (addition_dictionary(model, "transcoder", config=short) for _ in range(2))
    assert one.hash == again.hash and one.model_hash == model.hash
    shipped = Dictionary.load(built_in("transcoder"))
    for site, share in one.info["held_out"]["fvu_at_equals"].items():
        assert shipped.info["held_out"]["fvu_at_equals"][site] < share < 0.5


def test_there_is_no_other_kind() -> None:
    with pytest.raises(UsageError, match="no kind"):
        world_config("transcodr")
