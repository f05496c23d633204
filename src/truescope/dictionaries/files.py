"""The format of a dictionary on disk: a folder with `dictionary.json` and `weights.safetensors`.

dictionary.json
    format "truescope.dictionary", version 1; name, kind, activation, k, model_hash, info
    groups    reads, writes, and the normalisation's kind and scale, one entry a site that is read
    tensors   name → dtype and shape
    weights_sha256
weights.safetensors
    mlp_in.0/W_enc  [n_features, d]     mlp_in.0/W_dec  [n_features, d · sites written]    mlp_in.0/b_enc
    mlp_in.0/mean, mlp_in.0/threshold, mlp_in.0/W_skip  where there are any        mlp_out.0/b_dec
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from truescope.core.errors import DictionaryError, TruescopeError, nearest
from truescope.core.sites import Site
from truescope.dictionaries.dictionary import Dictionary, Group
from truescope.dictionaries.normalisation import Normalisation
from truescope.store import new_folder

FORMAT, VERSION = "truescope.dictionary", 1
RECORD, WEIGHTS = "dictionary.json", "weights.safetensors"


def save(dictionary: Dictionary, folder: Path) -> Path:
    """Write ``dictionary`` as ``folder``: a reader sees the old folder or the new one, never a mixture."""
    folder = folder.expanduser().absolute()
    if folder.exists() and not (folder / RECORD).is_file() and not (folder.is_dir() and not any(folder.iterdir())):
        raise DictionaryError(
            f"{folder} is there and is no dictionary", why="it would be overwritten", fix="name another folder"
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DictionaryError(f"cannot make the folder {folder.parent}", why=str(error)) from error
    with new_folder(folder) as temporary:
        fill(dictionary, temporary)
    return folder


def fill(dictionary: Dictionary, folder: Path) -> None:
    """Write the two files into a folder that is there."""
    tensors = {
        f"{group.reads}/{name}": tensor.detach().cpu().contiguous()
        for group in dictionary.groups
        for name, tensor in group.tensors().items()
    }
    tensors |= {f"{site}/b_dec": bias.detach().cpu().contiguous() for site, bias in dictionary.b_dec.items()}
    _check_finite(tensors, f"dictionary {dictionary.name!r}")
    weights = save_safetensors(_apart(tensors))
    (folder / WEIGHTS).write_bytes(weights)
    record = {
        "format": FORMAT,
        "version": VERSION,
        "name": dictionary.name,
        "kind": dictionary.kind,
        "activation": dictionary.activation,
        "k": dictionary.k,
        "model_hash": dictionary.model_hash,
        "groups": [_group_record(group) for group in dictionary.groups],
        "tensors": {name: [str(t.dtype).removeprefix("torch."), list(t.shape)] for name, t in tensors.items()},
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "info": dict(dictionary.info),
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")


def _group_record(group: Group) -> dict[str, Any]:
    normalisation = {"kind": group.normalisation.kind, "scale": group.normalisation.scale}
    return {"reads": str(group.reads), "writes": [str(s) for s in group.writes], "normalisation": normalisation}


def load(folder: Path) -> Dictionary:
    """The dictionary in ``folder``. Raises DictionaryError if it is absent, truncated, altered or not finite."""
    folder = folder.expanduser()
    record = _read_record(folder)
    tensors = _read_weights(folder, record)
    try:
        groups = [_group(entry, tensors) for entry in record["groups"]]
        biases = {Site.parse(n.removesuffix("/b_dec")): t for n, t in tensors.items() if n.endswith("/b_dec")}
        return Dictionary(
            name=str(record["name"]),
            kind=record["kind"],
            activation=record["activation"],
            groups=tuple(groups),
            b_dec=biases,
            k=record["k"],
            model_hash=str(record["model_hash"]),
            info=record["info"],
        )
    except TruescopeError as error:
        raise DictionaryError(f"the dictionary {folder} does not fit together", why=str(error), fix=_AGAIN) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = f"{RECORD}: {type(error).__name__}: {error}"
        raise DictionaryError(f"the dictionary {folder} is damaged", why=why, fix=_AGAIN) from error


_AGAIN = "fetch or train it again"


def _group(entry: dict[str, Any], tensors: dict[str, Tensor]) -> Group:
    prefix = entry["reads"]
    norm = entry["normalisation"]
    return Group(
        reads=Site.parse(prefix),
        writes=tuple(Site.parse(site) for site in entry["writes"]),
        W_enc=tensors[f"{prefix}/W_enc"],
        b_enc=tensors[f"{prefix}/b_enc"],
        W_dec=tensors[f"{prefix}/W_dec"],
        normalisation=Normalisation(norm["kind"], tensors.get(f"{prefix}/mean"), norm["scale"]),
        threshold=tensors.get(f"{prefix}/threshold"),
        W_skip=tensors.get(f"{prefix}/W_skip"),
    )


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    if not path.is_file():
        inner = sorted(child.parent.name for child in folder.glob(f"*/{RECORD}")) if folder.is_dir() else []
        beside = folder.parent.iterdir() if folder.parent.is_dir() else ()
        siblings = [p.name for p in beside if p.is_dir() and p.name != folder.name]
        here = f"it has no {RECORD}" if folder.exists() else "there is nothing of that name"
        fix = f"name a folder in it: {', '.join(inner[:5])}" if inner else nearest(folder.name, siblings)
        raise DictionaryError(
            f"{folder} is no dictionary folder", why=here, fix=fix or "`truescope train … --out FOLDER` makes one"
        )
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DictionaryError(f"{path} is damaged", why=str(error), fix=_AGAIN) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise DictionaryError(f"{path} does not describe a dictionary", why=f'its "format" is not {FORMAT!r}')
    if record.get("version") != VERSION:
        raise DictionaryError(
            f"{folder} is a dictionary of format version {record.get('version')}",
            why=f"this version of truescope reads version {VERSION}",
            fix="update truescope, or train it again",
        )
    return record


def _read_weights(folder: Path, record: dict[str, Any]) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DictionaryError(f"the dictionary {folder} has no {WEIGHTS}", why=str(error), fix=_AGAIN) from error
    try:
        tensors = load_safetensors(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise DictionaryError(f"{path} is truncated or damaged", why=str(error), fix=_AGAIN) from error
    if hashlib.sha256(data).hexdigest() != record.get("weights_sha256"):
        raise DictionaryError(
            f"{path} is not what {RECORD} describes", why="its SHA-256 is another: one of them was altered", fix=_AGAIN
        )
    _check_finite(tensors, str(path))
    return tensors


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same values in storages of their own: the file format refuses shared ones, which tied weights are."""
    seen: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage().data_ptr()
        apart[name] = tensor.clone() if storage in seen else tensor
        seen.add(storage)
    return apart


def _check_finite(tensors: dict[str, Tensor], where: str) -> None:
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            n_bad = int((~torch.isfinite(tensor)).sum())
            raise DictionaryError(
                f"{where}: {name} has {n_bad} values that are NaN or infinite",
                why="a training that diverged",
                fix=_AGAIN,
            )
