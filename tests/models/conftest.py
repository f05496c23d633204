"""One small model a family, made once."""

from __future__ import annotations

from functools import cache

import pytest

from small_models import VARIANTS, small_model
from truescope.models import Model

_made = cache(small_model)


@pytest.fixture(params=VARIANTS)
def model(request: pytest.FixtureRequest) -> Model:
    """A small random model of each family, shared by the tests: they may not change it."""
    return _made(request.param)


@pytest.fixture
def gpt2() -> Model:
    return _made("gpt2")
