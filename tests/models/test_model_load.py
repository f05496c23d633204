"""Folders that hold a model, and the many that do not."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import socket
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from small_models import small_hf, small_tokens
from truescope.core import FamilyError, ModelError, PromptError
from truescope.models import Model, weights_hash

TOKENS = small_tokens()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A saved llama with its own unembedding, in three shards' worth of one file."""
    small_hf("llama").save_pretrained(tmp_path / "models" / "stories")
    return tmp_path / "models" / "stories"


def test_a_saved_model_comes_back(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = Model.from_pretrained(folder)
    assert capfd.readouterr() == ("", "")
    assert model.name == "stories"
    assert torch.equal(model.run(TOKENS).logits, Model(small_hf("llama")).run(TOKENS).logits)
    assert not any(p.requires_grad for p in model.hf.parameters())
    assert not model.hf.training


def test_dtype_and_device_are_honoured(folder: Path) -> None:
    assert Model.from_pretrained(folder, dtype="bfloat16").dtype == torch.bfloat16
    assert Model.from_pretrained(folder, dtype=torch.float64).run(TOKENS).logits.dtype == torch.float64
    assert Model.from_pretrained(folder).dtype == torch.float32
    assert Model.from_pretrained(str(folder), device_map="cpu").device == torch.device("cpu")
    with pytest.raises(ModelError, match="did you mean float32"):
        Model.from_pretrained(folder, dtype="flaot32")
    with pytest.raises(ModelError, match="no dtype 'int64'"):
        Model.from_pretrained(folder, dtype="int64")
    with pytest.raises(ModelError, match="no device"):
        Model.from_pretrained(folder, device_map="cuda:99")


def test_shards_and_tied_embeddings(tmp_path: Path) -> None:
    hf = small_hf("llama_tied")
    hf.save_pretrained(tmp_path, max_shard_size="8KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    model = Model.from_pretrained(tmp_path)
    assert model.parts.unembed.weight is model.parts.embed.weight
    assert model.hash == Model(hf).hash
    next(tmp_path.glob("model-00002*")).unlink()
    with pytest.raises(ModelError, match=r"has no model-00002.*\nwhy: model.safetensors.index.json names it"):
        Model.from_pretrained(tmp_path)


def test_the_hash_is_sha256_over_names_dtypes_shapes_and_bytes() -> None:
    hf = small_hf("gpt2")
    by_hand = hashlib.sha256()
    for name in sorted(hf.state_dict()):
        tensor = hf.state_dict()[name]
        by_hand.update(f"{name}\0float32\0{list(tensor.shape)}\0".encode() + tensor.numpy().tobytes())
    assert Model(hf).hash == by_hand.hexdigest()
    before = weights_hash(hf)
    with torch.no_grad():
        hf.lm_head.weight[0, 0] += 1e-6
    assert weights_hash(hf) != before
    assert weights_hash(hf.bfloat16()) != before


def test_an_unknown_folder_is_answered_with_the_nearest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"no model folder.*\n.*did you mean stories"):
        Model.from_pretrained(folder.parent / "storys")
    with pytest.raises(ModelError, match="does not exist either"):
        Model.from_pretrained(folder / "a" / "b")
    with pytest.raises(ModelError, match="is a file"):
        Model.from_pretrained(folder / "config.json")
    with pytest.raises(ModelError, match=r"no config.json(.|\n)*name a folder in it: stories"):
        Model.from_pretrained(folder.parent)
    monkeypatch.chdir(folder.parent.parent)
    with pytest.raises(ModelError, match=r"no model folder 'models/story'(.|\n)*did you mean stories"):
        Model.from_pretrained("models/story")


def test_a_hub_name_out_of_reach_is_one_clear_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    with pytest.raises(ModelError) as caught:
        Model.from_pretrained("storiess")
    said = str(caught.value)
    assert "no folder 'storiess', and the hub did not give" in said
    assert "did you mean stories" in said
    assert "Traceback" not in said and len(said.splitlines()) <= 4


def test_a_hub_that_refuses_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as server:
        # Bound but not listening: a connection is refused.
        server.bind(("127.0.0.1", 0))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setattr("truescope.models.load.getproxies", dict)
        start = time.monotonic()
        with pytest.raises(ModelError, match=r"no folder 'some/model', and the hub did not give(.|\n)*refused"):
            Model.from_pretrained("some/model")
        assert time.monotonic() - start < 5


def test_files_that_are_missing_or_damaged(folder: Path) -> None:
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    with pytest.raises(ModelError, match=r"model.safetensors' is truncated(.|\n)*bytes of"):
        Model.from_pretrained(folder)
    weights.write_bytes(whole[:50])
    with pytest.raises(ModelError, match="is truncated"):
        Model.from_pretrained(folder)
    weights.write_bytes(b"<html>not found</html>")
    with pytest.raises(ModelError, match="is damaged"):
        Model.from_pretrained(folder)
    weights.write_bytes(b"")
    with pytest.raises(ModelError, match="is damaged"):
        Model.from_pretrained(folder)
    weights.write_bytes(whole[:8] + b"x" * (len(whole) - 8))
    with pytest.raises(ModelError, match="is damaged"):
        Model.from_pretrained(folder)
    index = folder / "model.safetensors.index.json"
    for content in ('{"weight_map": ["a"]}', '{"weight_map": {"a": 1}}', "{}"):
        index.write_text(content)
        with pytest.raises(ModelError, match="names no files of weights"):
            Model.from_pretrained(folder)
    index.unlink()
    weights.unlink()
    with pytest.raises(ModelError, match="has no weights"):
        Model.from_pretrained(folder)
    (folder / "config.json").write_text("{not json")
    with pytest.raises(ModelError, match="cannot be read as JSON"):
        Model.from_pretrained(folder)
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"no config\.json"):
        Model.from_pretrained(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(folder: Path, value: float) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.1.mlp.up_proj.weight"][3, :2] = value
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"model\.layers\.1\.mlp\.up_proj\.weight \(2 of 960 entries\)"):
        Model.from_pretrained(folder)


def test_weights_of_another_model(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    lost = tensors.pop("model.layers.2.mlp.up_proj.weight")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 of the model's tensors: model\.layers\.2\.mlp\.up_proj\.weight"):
        Model.from_pretrained(folder)
    tensors["model.layers.2.mlp.up_proj.weight"] = lost.T.contiguous()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"cannot load"):
        Model.from_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "lama"}))
    with pytest.raises(ModelError, match=r"cannot load(.|\n)*model_type"):
        Model.from_pretrained(folder)


def test_a_pickle_of_tensors_is_read_and_no_other(folder: Path, tmp_path: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    assert torch.equal(Model.from_pretrained(folder).run(TOKENS).logits, Model(small_hf("llama")).run(TOKENS).logits)

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'sprung'}",)

    torch.save(tensors | {"trap": Trap()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pickle|cannot load"):
        Model.from_pretrained(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"trap": Trap()}))
    with pytest.raises(ModelError, match=r"pickle|cannot load"):
        Model.from_pretrained(folder)
    assert not (tmp_path / "sprung").exists()


def test_without_a_tokenizer_ids_still_run(folder: Path) -> None:
    model = Model.from_pretrained(folder)
    assert model.tokenizer is None
    assert model.run(TOKENS).logits.shape == (2, 7, 61)
    assert model.token_strings([3, 5]) == ["#3", "#5"]
    with pytest.raises(PromptError, match=r"'stories' has no tokenizer(.|\n)*has none of tokenizer\.json"):
        model.tokens("Once")
    (folder / "tokenizer.json").write_text("{broken")
    with pytest.raises(PromptError, match=r"tokenizer of .* does not load"):
        Model.from_pretrained(folder).tokens("Once")


def test_an_unknown_architecture_in_a_folder(tmp_path: Path) -> None:
    from transformers import OPTConfig, OPTForCausalLM

    config = OPTConfig(
        vocab_size=61, hidden_size=16, ffn_dim=24, num_hidden_layers=2, num_attention_heads=2, word_embed_proj_dim=16
    )
    OPTForCausalLM(config).save_pretrained(tmp_path)
    with pytest.raises(FamilyError, match="model type 'opt'"):
        Model.from_pretrained(tmp_path)


def test_a_real_model(stories260k: Path, tmp_path: Path) -> None:
    model = Model.from_pretrained(stories260k)
    tokens = model.tokens("Once upon a time, there was a little girl named")
    probability, token = model.run(tokens).logits[0, -1].softmax(-1).max(-1)
    assert model.token_strings([int(token)]) == [" Lily"]
    assert float(probability) == pytest.approx(0.926, abs=5e-4)
    copy = tmp_path / "copy"
    shutil.copytree(stories260k, copy)
    assert Model.from_pretrained(copy).hash == model.hash
