"""From a folder or a hub name to a Hugging Face model and its tokenizer, or to one clear error.

Local folders are checked before transformers sees them (`folders`). Nothing here unpickles freely: a
`pytorch_model.bin` is read with `weights_only=True`.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from huggingface_hub import constants, try_to_load_from_cache
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers.utils import logging as hf_logging

from truescope.core.errors import ModelError, nearest
from truescope.models.folders import check_folder, is_path, no_folder, siblings

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")


@dataclass(frozen=True)
class Loaded:
    """A model as transformers has it, its tokenizer (or why there is none), and a short name."""

    hf: PreTrainedModel
    tokenizer: Any
    no_tokenizer: str
    name: str


def load(
    path_or_name: str | os.PathLike[str],
    *,
    revision: str | None = None,
    device_map: Any = None,
    dtype: str | torch.dtype | None = None,
) -> Loaded:
    """Load a causal language model and its tokenizer from a local folder, else from the hub.

    Raises:
        ModelError: there is no such folder or name, a file is missing or damaged, a weight is missing.
    """
    text = os.fspath(path_or_name)
    folder = Path(text).expanduser()
    local = folder.is_dir()
    if local:
        check_folder(folder)
    elif is_path(text):
        raise no_folder(folder)
    source = str(folder) if local else text
    options: dict[str, Any] = {"dtype": parse_dtype(dtype)} if dtype is not None else {}
    if revision is not None:
        options["revision"] = revision
    with _quiet():
        hf = _load_weights(source, local, device_map, options)
        tokenizer, reason = _load_tokenizer(source, local, revision)
    return Loaded(hf, tokenizer, reason, folder.resolve().name if local else text)


def parse_dtype(dtype: str | torch.dtype) -> str | torch.dtype:
    """A dtype from its name ("float32", "bfloat16", …); "auto" is the checkpoint's own.

    Raises:
        ModelError: there is no such floating-point dtype.
    """
    if dtype == "auto":
        return dtype
    found = getattr(torch, str(dtype).removeprefix("torch."), None)
    if isinstance(found, torch.dtype) and found.is_floating_point:
        return found
    known = ("float32", "bfloat16", "float16", "float64", "auto")
    raise ModelError(f"there is no dtype {dtype!r} for weights", fix=nearest(str(dtype), known) or ", ".join(known))


def _load_weights(source: str, local: bool, device_map: Any, options: dict[str, Any]) -> PreTrainedModel:
    try:
        if not local:
            _check_reach(source, options.get("revision"))
        AutoConfig.from_pretrained(source, **{k: v for k, v in options.items() if k == "revision"})
        placement, device = _placement(device_map)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source, output_loading_info=True, **options, **({"device_map": placement} if placement else {})
        )
        hf, report = loaded
        if device is not None:
            hf = hf.to(device)
    except ModelError:
        raise
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"the weights of {source!r} are a pickle that asks for more than tensors",
            why=str(error).splitlines()[0],
            fix="use a safetensors checkpoint; loading this one could run any code",
        ) from error
    except Exception as error:
        # Whatever the libraries below raise becomes one error; the cause stays attached for who looks.
        raise _load_error(source, local, error) from error
    missing = sorted(report.get("missing_keys", ()))
    if missing:
        raise ModelError(
            f"the checkpoint {source!r} lacks {len(missing)} of the model's tensors: {', '.join(missing[:5])}",
            why="config.json describes another model than the weights; they would be random numbers",
            fix="fetch config.json and the weights together",
        )
    return hf


def _placement(device_map: Any) -> tuple[Any, torch.device | None]:
    """What transformers must place itself (several devices), or the one device to move the loaded model to."""
    if device_map is None:
        return None, None
    if isinstance(device_map, dict) or device_map in ("auto", "balanced", "balanced_low_0", "sequential"):
        return device_map, None
    try:
        device = torch.device(device_map)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ModelError(
            f"no device {device_map!r} here", why=str(error).splitlines()[0], fix='use "cpu", "cuda:0" or "auto"'
        ) from error
    return None, device


def _load_error(source: str, local: bool, error: Exception) -> ModelError:
    why = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"
    if "accelerate" in str(error):
        return ModelError(
            "placing a model on several devices needs accelerate", fix="pip install accelerate, or name one device"
        )
    if local:
        return ModelError(f"transformers cannot load the model in {source!r}", why=why, fix=_local_fix(error))
    folder = Path(source).absolute()
    here = f"; {siblings(folder)}" if folder.parent.is_dir() else ""
    return ModelError(
        f"there is no folder {source!r}, and the hub did not give a model of that name",
        why=why,
        fix=f"see the name and the network; a private model needs `hf auth login`{here}",
    )


def _check_reach(name: str, revision: str | None) -> None:
    """See at once that the hub cannot be reached: the hub's client would try for half a minute."""
    if (
        constants.HF_HUB_OFFLINE
        or getproxies()
        or isinstance(try_to_load_from_cache(name, "config.json", revision=revision), str)
    ):
        return
    address = urlsplit(constants.ENDPOINT)
    port = address.port or (443 if address.scheme == "https" else 80)
    with socket.create_connection((address.hostname or "", port), timeout=10):
        pass


def _local_fix(error: Exception) -> str:
    if "size mismatch" in str(error):
        return "config.json and the weights are of different models; fetch them together"
    if isinstance(error, (KeyError, ValueError)):
        return "see model_type in config.json; a newer transformers may know it"
    return "fetch the model again"


def _load_tokenizer(source: str, local: bool, revision: str | None) -> tuple[Any, str]:
    """The tokenizer and "", or None and the reason: a model without one still runs on token ids."""
    if local and not any((Path(source) / name).is_file() for name in _TOKENIZER_FILES):
        return None, f"{source!r} has none of {', '.join(_TOKENIZER_FILES)}"
    try:
        return AutoTokenizer.from_pretrained(source, **({"revision": revision} if revision else {})), ""
    except Exception as error:
        # A tokenizer that fails to load is told when text has to be read.
        first = (str(error).strip() or "no message").splitlines()[0]
        return None, f"the tokenizer of {source!r} does not load: {type(error).__name__}: {first}"


@contextmanager
def _quiet() -> Iterator[None]:
    """transformers without its bars, warnings and advice, for the length of a load."""
    hub = logging.getLogger("huggingface_hub")
    level, verbosity, bars = hub.level, hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()
    hub.setLevel(logging.ERROR)
    hf_logging.set_verbosity_error()
    hf_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        hub.setLevel(level)
        hf_logging.set_verbosity(verbosity)
        if bars:
            hf_logging.enable_progress_bar()
