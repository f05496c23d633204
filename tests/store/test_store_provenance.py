"""What made a run: versions, the commit of this package's checkout and no other, hashes of files."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import truescope.store as room
from truescope import __version__
from truescope.core.errors import StoreError
from truescope.store import commit, file_hash, versions
from truescope.store.provenance import commit_of


def git(folder: Path, *words: str) -> str:
    name = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *name, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository that looks like truescope's."""
    (tmp_path / "src").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "truescope"\n')
    (tmp_path / "src" / "a.py").write_text("a = 1\n")
    try:
        git(tmp_path, "init", "-q")
    except FileNotFoundError:
        pytest.skip("no git on this machine")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_versions_are_those_of_the_packages() -> None:
    found = versions()
    assert found["python"] == ".".join(map(str, sys.version_info[:3])) and found["truescope"] == __version__
    for package in ("torch", "transformers", "numpy"):
        assert found[package] == version(package)


def test_the_commit_and_whether_the_code_differs_from_it(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    assert commit_of(checkout) == {"hash": head, "dirty": False}
    (checkout / "notes.txt").write_text("decides nothing")
    assert commit_of(checkout) == {"hash": head, "dirty": False}
    (checkout / "src" / "a.py").write_text("a = 2\n")
    assert commit_of(checkout) == {"hash": head, "dirty": True}
    git(checkout, "checkout", "-q", "--", "src")
    (checkout / "src" / "new.py").write_text("")
    assert commit_of(checkout) == {"hash": head, "dirty": True}


def test_the_users_own_repository_is_never_named(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = commit()
    commit.cache_clear()
    monkeypatch.chdir(checkout)
    monkeypatch.setenv("GIT_DIR", str(checkout / ".git"))
    assert commit() == mine
    head = git(checkout, "rev-parse", "HEAD")
    assert mine is None or mine["hash"] != head
    (checkout / "pyproject.toml").write_text('[project]\nname = "users-own"\n')
    assert commit_of(checkout) is None
    (checkout / "pyproject.toml").unlink()
    assert commit_of(checkout) is None
    assert commit_of(checkout / "src") is None  # a folder within a repository is no checkout


def test_gits_own_variables_lead_nowhere_else(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(checkout / "elsewhere"))
    assert commit_of(checkout) == {"hash": head, "dirty": False}


def test_without_git_there_is_no_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert commit_of(checkout) is None


def test_a_files_hash(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"x" * 3_000_000)
    assert file_hash(tmp_path / "weights.safetensors") == hashlib.sha256(b"x" * 3_000_000).hexdigest()
    with pytest.raises(StoreError, match=r"did you mean weights\.safetensors"):
        file_hash(tmp_path / "weigths.safetensors")
    with pytest.raises(StoreError, match="cannot read"):
        file_hash(tmp_path)


def test_public_names_are_exact_and_documented() -> None:
    assert sorted(room.__all__) == sorted(set(room.__all__))
    for name in room.__all__:
        assert (getattr(room, name).__doc__ or "").strip(), name
    for noun in (room.Store, room.Run):
        for name, member in vars(noun).items():
            if not name.startswith("_"):
                assert (member.__doc__ or "").strip(), f"{noun.__name__}.{name}"
