"""`examine`: the state of the installation, for people who ask why something does not work."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from typing import Any

from truescope.core.config import home
from truescope.store import versions

# The package that shows that an extra is there.
EXTRAS = {
    "web": ("fastapi", "uvicorn", "plotly"),
    "llm": ("openai",),
    "gnn": ("torch_geometric",),
    "tabular": ("sklearn",),
    "cluster": ("submitit",),
}


def examine() -> dict[str, Any]:
    """Versions, devices, the store's place and size, and which extras are missing, with how to get them."""
    import torch

    folder = home()
    n_bytes = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) if folder.is_dir() else 0
    place = folder if folder.exists() else next(p for p in folder.parents if p.exists())
    missing = {
        extra: f'pip install "truescope[{extra}]"'
        for extra, modules in EXTRAS.items()
        if any(find_spec(module) is None for module in modules)
    }
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "devices": ["cpu", *(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))],
        "store": {
            "folder": str(folder),
            "bytes": n_bytes,
            "free_bytes": shutil.disk_usage(place).free,
            "writable": os.access(place, os.W_OK),
        },
        "missing_extras": missing,
        "unmet_requirements": _unmet(),
    }


def _unmet() -> list[str]:
    """The package's own requirements (without extras) that are not installed."""
    try:
        needed = requires("truescope") or []
    except PackageNotFoundError:
        return ["truescope itself is not installed, only importable"]
    unmet = []
    for requirement in needed:
        if "extra ==" in requirement:
            continue
        name = requirement.split(";")[0].split(">")[0].split("=")[0].split("[")[0].strip()
        try:
            version(name)
        except PackageNotFoundError:
            unmet.append(requirement)
    return unmet
