"""What every test stands on: shapes are checked, one torch thread a worker, a store of its own, and the real data."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")

from jaxtyping import install_import_hook

install_import_hook("truescope", "beartype.beartype")

import pytest
import torch

torch.set_num_threads(1)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUESCOPE_HOME", str(tmp_path / "home"))


def data_folder() -> Path:
    """Where the real models and texts lie: TRUESCOPE_DATA, else the folder beside the checkout."""
    return Path(os.environ.get("TRUESCOPE_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; the test is skipped where there is none."""
    folder = data_folder()
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; TRUESCOPE_DATA names another place")
    return folder


@pytest.fixture(scope="session")
def stories260k(real_data: Path) -> Path:
    """The folder of a real pretrained Llama (260 k parameters, TinyStories)."""
    folder = real_data / "models" / "stories260k"
    if not folder.is_dir():
        pytest.skip(f"no model at {folder}")
    return folder
