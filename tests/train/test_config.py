"""Configurations that cannot be are refused in words; the learning rate has the shape it promises."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from truescope.core import UsageError
from truescope.train import TrainConfig


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"k": 65, "n_features": 64}, "k is 65, of 64 features"),
        ({"k": 0}, "choose k between 1 and 1024"),
        ({"kind": "transcodr"}, "did you mean transcoder"),
        ({"activation": "topkk"}, "did you mean topk"),
        ({"normalisation": "afine"}, "did you mean affine"),
        ({"n_features": 0, "k": 1}, "n_features is 0"),
        ({"tokens": 0}, "tokens is 0"),
        ({"decay": 1.5}, "decay is 1.5"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"kind": "sae"}, "an sae reads one site"),
        ({"site": "resid_post.1"}, "only an sae"),
    ],
)
def test_refusals(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        TrainConfig(**wrong)
    assert words in str(caught.value)


def test_the_rate_rises_stays_and_falls_to_nothing() -> None:
    config = TrainConfig(tokens=100_000, batch=1000, warmup=0.1, decay=0.2, n_features=4096)
    rates = [config.rate(step) for step in range(config.n_steps)]
    # lr ∝ 1/√n_features
    peak = 0.01 / 2
    assert len(rates) == 100 and max(rates) == pytest.approx(peak)
    assert rates[0] == pytest.approx(peak / 10) and rates[10:80] == pytest.approx([peak] * 70)
    falls = [a - b for a, b in pairwise(rates[81:])]
    assert falls == pytest.approx([peak / 20] * len(falls)) and rates[-1] == pytest.approx(peak / 20)
    assert config.first_closed_step == 80
    assert TrainConfig(closed_loop=0.0).first_closed_step == TrainConfig().n_steps
