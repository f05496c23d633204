"""Content ids: one record, one id; two records, two ids; what is no JSON is refused with its place."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truescope.core.errors import StoreError
from truescope.core.ids import canonical_json, content_id
from truescope.store import Store
from truescope.store.journal import check_json

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
leaves = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | text
)
records = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4))


def backwards(value: Any) -> Any:
    """The same record with every dictionary's keys in the other order."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(item) for item in value] if isinstance(value, list) else value


@given(records)
def test_the_order_of_keys_and_a_trip_through_json_change_no_id(record: Any) -> None:
    check_json(record, "record")
    assert content_id(backwards(record)) == content_id(record)
    assert content_id(json.loads(json.dumps(record))) == content_id(record)
    assert content_id(json.loads(canonical_json(record))) == content_id(record)


@given(records, records)
def test_two_records_share_an_id_only_if_they_are_written_alike(one: Any, other: Any) -> None:
    assert (content_id(one) == content_id(other)) == (canonical_json(one) == canonical_json(other))


def test_what_python_calls_equal_is_kept_apart() -> None:
    assert len({content_id({"seed": value}) for value in (1, 1.0, True, "1", [1], {"1": 1})}) == 6
    assert content_id({"a": "é"}) != content_id({"a": "e\u0301"})  # the model sees different bytes
    assert content_id((1, 2)) == content_id([1, 2])


def test_an_id_is_the_sha256_of_known_text() -> None:
    # printf '{"inputs":{"seed":0},"kind":"trace"}' | sha256sum
    assert content_id({"kind": "trace", "inputs": {"seed": 0}}) == "2c9cf48134712b1f"


@pytest.mark.parametrize(
    ("inputs", "place"),
    [
        ({"settings": {"threshold": math.nan}}, "inputs.settings.threshold is nan"),
        ({"scales": [0.0, math.inf]}, "inputs.scales[1] is inf"),
        ({"layers": {1: "a"}}, "inputs.layers has the key 1"),
        ({"model": Path("weights")}, "inputs.model is a PosixPath"),
        ({"prompt": "\ud800"}, "inputs.prompt is no Unicode text"),
        ({"units": {3, 4}}, "inputs.units is a set"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(tmp_path: Path, inputs: dict[str, Any], place: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store.open(tmp_path / "store").run("trace", inputs)
    assert place in caught.value.what
    assert caught.value.fix
