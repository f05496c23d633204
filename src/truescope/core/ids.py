"""Ids that cannot collide: what a thing is stands in its id, and every id parses back to what made it."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(record: Any) -> str:
    """One text for one record: sorted keys, no spaces, no NaN."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_id(record: Any, length: int = 16) -> str:
    """The first ``length`` hex digits of the SHA-256 of the record's canonical JSON."""
    return hashlib.sha256(canonical_json(record).encode()).hexdigest()[:length]
