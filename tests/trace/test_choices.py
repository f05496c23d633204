"""QK attribution: pairs of sources sum to the score that the model's softmax is given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from small_models import VARIANTS, small_model, small_tokens
from truescope.core.errors import UsageError
from truescope.core.sites import Site
from truescope.trace import Glance, attribute_choices

# The scores of these are soft-capped, or masked by a window, before the softmax: see the second test.
_CHANGED = ("gemma2", "mistral", "gemma3_text", "gemma3", "gpt2_upcast")


@pytest.mark.parametrize("variant", VARIANTS)
def test_pairs_sum_to_the_score(variant: str) -> None:
    model, tokens = small_model(variant), small_tokens(batch=1)[0]
    glances = [Glance(layer, head, 4, key) for layer in (0, 2) for head in (1, 2) for key in (2, 3, 4)]
    for choice in attribute_choices(model, tokens, glances):
        assert choice.gap < 2e-5
        np.testing.assert_allclose(choice.by_query.sum(), choice.by_key.sum(), rtol=1e-6, atol=1e-9)
        assert max(node.position for node in choice.query_nodes) <= 4
        assert max(node.position for node in choice.key_nodes) <= choice.glance.key
        kinds = {str(node.kind) for node in choice.key_nodes}
        assert kinds >= ({"token"} if choice.glance.layer == 0 else {"token", "unit"})


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v not in _CHANGED])
def test_the_softmax_of_the_summed_pairs_is_the_models_pattern(variant: str) -> None:
    model, tokens = small_model(variant), small_tokens(batch=1)[0]
    pattern = model.run(tokens, read=["attn_pattern.2"]).sites[Site("attn_pattern", 2)][0, 3, 5, :6]
    choices = attribute_choices(model, tokens, [Glance(2, 3, 5, key) for key in range(6)])
    scores = torch.tensor([choice.weight.sum() for choice in choices])
    torch.testing.assert_close(torch.softmax(scores, 0).float(), pattern, rtol=2e-4, atol=1e-6)


def test_a_glance_that_is_not_there_is_refused() -> None:
    model, tokens = small_model("gpt2"), small_tokens(batch=1)[0]
    for glance in (Glance(3, 0, 1, 1), Glance(0, 4, 1, 1), Glance(0, 0, 1, 2), Glance(0, 0, 7, 0)):
        with pytest.raises(UsageError, match="there is no Glance"):
            attribute_choices(model, tokens, [glance])
