"""What made a run: versions, the commit of truescope's own checkout, hashes of files. Nothing heavy is imported."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

from truescope import __version__
from truescope.core.errors import StoreError, nearest

PACKAGES = ("torch", "transformers", "numpy", "safetensors", "scipy", "tokenizers")
_GIT_SECONDS = 10


def versions() -> dict[str, str]:
    """The versions of python, truescope and the packages that results depend on, read from their metadata."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "truescope": __version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@lru_cache(maxsize=1)
def commit() -> dict[str, Any] | None:
    """``{"hash", "dirty"}`` of the checkout this package runs from; None where it is installed from elsewhere.

    The repository of the working folder is never asked: it is the user's. ``dirty`` is about ``src``, which decides
    the results. Read once for each process.
    """
    return commit_of(Path(__file__).resolve().parents[3])


def commit_of(root: Path) -> dict[str, Any] | None:
    """``{"hash", "dirty"}`` of the truescope checkout at ``root``; None if it is not one, or git is missing."""
    if not (root / ".git").exists() or _project_name(root) != "truescope":
        return None
    head = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--", "src")
    return {"hash": head.strip(), "dirty": bool(changes)} if head is not None and changes is not None else None


def file_hash(path: Path) -> str:
    """The SHA-256 of a file's bytes, as hex digits. Raises StoreError where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        names = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise StoreError(f"there is no file {path}", fix=nearest(path.name, names)) from error
    except OSError as error:
        raise StoreError(f"cannot read {path}", why=str(error)) from error


def _project_name(root: Path) -> str | None:
    import tomllib

    try:
        return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    except (OSError, ValueError, KeyError):
        return None


def _git(root: Path, *words: str) -> str | None:
    # Git's own variables (set in hooks, for one) would point it at another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], env=environment, capture_output=True, text=True, timeout=_GIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
