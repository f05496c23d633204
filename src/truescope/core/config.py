"""Where things live: two folders, each named by one environment variable."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The store's folder: ``TRUESCOPE_HOME``, else ``~/.truescope``."""
    return Path(os.environ.get("TRUESCOPE_HOME") or "~/.truescope").expanduser()


def data_folder() -> Path | None:
    """The folder of real models and texts that ``TRUESCOPE_DATA`` names; None where it names none."""
    named = os.environ.get("TRUESCOPE_DATA")
    return Path(named).expanduser() if named else None
