"""What decides a result besides its inputs: the source of the code that makes it. No git is needed."""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from pathlib import Path

from truescope import __version__

_ROOT = Path(__file__).resolve().parents[2]
_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+(truescope[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)|import[ \t]+(truescope[\w.]*))",
    re.MULTILINE,
)


@cache
def code_hash(module: str) -> str:
    """The SHA-256, as hex digits, over the source of ``module`` and of all of this package that it imports.

    Imports inside functions count, and what those modules import in turn; the surfaces, which no pipeline imports,
    do not. Read once for each process, in some ten milliseconds.
    """
    return _hash_from(_ROOT, module)


def _hash_from(root: Path, module: str) -> str:
    digest = sha256(__version__.encode())
    sources = reached(root, module)
    for name in sorted(sources):
        digest.update(f"\n{name} {len(sources[name])}\n".encode() + sources[name])
    return digest.hexdigest()


def reached(root: Path, module: str) -> dict[str, bytes]:
    """The source of ``module`` and of every module below ``root`` that it imports, by name."""
    found: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or (path := _file(root, name)) is None:
            continue
        found[name] = path.read_bytes()
        for package, names, plain in _IMPORT.findall(found[name]):
            target = (package or plain).decode()
            # `from package import name` may mean a module of the package.
            waiting += [target, *(f"{target}.{word}" for word in re.findall(r"\w+", names.decode()))]
    return found


def _file(root: Path, module: str) -> Path | None:
    place = root.joinpath(*module.split("."))
    candidates = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    return next((path for path in candidates if path.is_file()), None)
