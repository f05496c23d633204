"""Which logits a graph explains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from small_models import small_model, small_tokens
from truescope.core.errors import PromptError, UsageError
from truescope.models import Model
from truescope.trace.record import record
from truescope.trace.targets import choose_targets


def test_the_fewest_tokens_that_reach_the_probability() -> None:
    run = record(small_model("gpt2"), small_tokens(1)[0])
    p = np.sort(run.logits[-1].double().softmax(-1).numpy())[::-1]
    for probability in (0.05, 0.3, 0.6):
        found = choose_targets(run, None, probability, 61)
        n = len(found.index)
        assert found.p.sum() >= probability > found.p[:-1].sum()
        np.testing.assert_allclose(found.p, p[:n])
    assert len(choose_targets(run, None, 1.0, 4).index) == 4


@pytest.mark.parametrize("variant", ["gpt2", "gemma2", "qwen3"])
def test_the_vector_gives_the_demeaned_logit(variant: str) -> None:
    model = small_model(variant)
    run = record(model, small_tokens(1)[0])
    found = choose_targets(run, [3, 17, 3], 0.95, 10)
    assert sorted(found.index) == [3, 17]
    final = model.run(small_tokens(1)[0], read=["final_norm"]).sites[model.site("final_norm")][0, -1]
    torch.testing.assert_close(
        (found.vector @ final + found.constant).double(), torch.from_numpy(found.h), rtol=1e-4, atol=1e-5
    )


def test_ids_outside_the_vocabulary_and_no_targets() -> None:
    run = record(small_model("gpt2"), small_tokens(1)[0])
    for targets in ([61], [-1], []):
        with pytest.raises(UsageError):
            choose_targets(run, targets, 0.95, 10)
    with pytest.raises(UsageError):
        choose_targets(run, None, 0.0, 10)
    with pytest.raises(PromptError, match="no tokenizer"):
        choose_targets(run, ["a"], 0.95, 10)


def test_strings(stories260k: Path) -> None:
    model = Model.from_pretrained(stories260k)
    run = record(model, model.tokens("a little girl named"))
    assert model.token_strings(choose_targets(run, [" Lily"], 0.95, 10).index.tolist()) == [" Lily"]
    with pytest.raises(PromptError, match="not one token"):
        choose_targets(run, ["hippopotamus"], 0.95, 10)
