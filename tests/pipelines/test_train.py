"""`train` on a real pretrained model, from the text file to a dictionary that edits it, and every wrong way to ask."""

from __future__ import annotations

import copy
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from truescope.core import DictionaryError, Intervention, ModelError, Site, SiteError, UsageError
from truescope.core.progress import Watcher
from truescope.dictionaries import Dictionary
from truescope.models import Model
from truescope.pipelines.train import train
from truescope.store import Store

SMALL: dict[str, Any] = {"features": 96, "k": 8, "tokens": 12_000, "batch": 256, "closed_loop": 0.1}


@pytest.fixture(scope="session")
def few_stories(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty real stories."""
    texts = json.loads((real_data / "text" / "tinystories_1000.json").read_text("utf-8"))[:20]
    path = tmp_path_factory.mktemp("text") / "stories.json"
    path.write_text(json.dumps(texts), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def stories(stories260k: Path) -> Model:
    return Model.from_pretrained(stories260k)


class Spy(Watcher):
    """Keeps what is said, and presses Ctrl-C at a step if told to."""

    def __init__(self, press_at: int = -1) -> None:
        super().__init__()
        self.press_at = press_at
        self.receipts: list[str] = []
        self.notes: list[str] = []

    def receipt(self, stage: str, text: str) -> None:
        self.receipts.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, stage: str, done: int, total: int) -> None:
        if stage == "train" and done == self.press_at:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("kind", ["transcoder", "clt"])
def test_from_text_to_a_dictionary_that_edits_the_model(
    kind: str, stories: Model, few_stories: Path, tmp_path: Path
) -> None:
    report = train(stories, few_stories, kind=kind, out=tmp_path / "made", **SMALL)
    summary = report.summary()
    assert summary["dictionary"] == str(tmp_path / "made") and summary["n_documents"] == 2
    # Far better than the mean, though this is a few seconds' training of a tenth of the size.
    assert all(0 < share < 0.75 for share in report.fvu) and len(report.fvu) == 5
    assert 0 < report.ce_delta < 4 and 0 < summary["ce"] < 3
    assert all(0 < l0 <= 8 for l0 in summary["l0"]) and len(summary["dead"]) == 5
    json.dumps(summary, allow_nan=False)
    dictionary = Dictionary.load(tmp_path / "made", model_hash=stories.hash)
    tokens = stories.tokens("Once upon a time")
    site = Site("mlp_in", 2)
    code = dictionary.encode(site, stories.run(tokens, read=[site]).sites[site])
    strongest = int(code[0, -1].argmax())
    off = Intervention(site, "ablate_zero", units=(strongest,), positions=(-1,), dictionary="d")
    edited = stories.run(tokens, edit=[off], dictionaries={"d": dictionary}).logits
    plain = stories.run(tokens).logits
    assert torch.equal(edited[0, :-1], plain[0, :-1]) and not torch.equal(edited[0, -1], plain[0, -1])
    with pytest.raises(DictionaryError, match="belongs to another model"):
        Model(_changed(stories), stories.tokenizer).run(tokens, edit=[off], dictionaries={"d": dictionary})


def test_a_stopped_run_goes_on_and_a_finished_one_is_read(
    stories: Model, few_stories: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Larger activations than memory should hold lie on the disk while the run lasts.
    monkeypatch.setattr(sys.modules[train.__module__], "IN_MEMORY", 0)
    stopped, again, third = Spy(press_at=20), Spy(), Spy()
    with pytest.raises(KeyboardInterrupt):
        train(stories, few_stories, watcher=stopped, **SMALL)
    assert stopped.notes == ["stopped after step 20 of 47; the same command goes on from there"]
    report = train(stories, few_stories, watcher=again, **SMALL)
    assert "going on from step 20 of 47" in again.notes
    assert [line.split()[0] for line in again.receipts] == ["Loaded", "Harvested", "Trained", "Evaluated"]
    known = train(stories, few_stories, watcher=third, **SMALL)
    assert len(third.receipts) == 1 and known.evaluation == report.evaluation
    # Nothing is left of what the run needed only while it lasted.
    run = Store.open().find(report.run["id"])
    left = {path.name for path in run.folder.iterdir() if not path.name.startswith(".")}
    assert not left & {"activations", "checkpoint.safetensors"} and "log.jsonl" in left
    assert run.read_lines("log.jsonl")[-1]["step"] == 47


def _changed(model: Model) -> Any:
    hf = copy.deepcopy(model.hf)
    with torch.no_grad():
        next(iter(hf.parameters()))[0, 0] += 1
    return hf


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (b"  \n\n ", UsageError, "holds no text"),
        (b"caf\xe9", UsageError, "not UTF-8"),
        (b"A short story.\n\nAnother.", UsageError, "tokens to train on, a batch has 256"),
        (b"Hi", UsageError, "too short to hold a tenth"),
    ],
)
def test_texts_that_cannot_be_trained_on(
    content: bytes, error: type[Exception], says: str, stories: Model, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(error, match=says):
        train(stories, tmp_path / "text.txt", **SMALL)


def test_settings_that_cannot_be(stories: Model, few_stories: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="k is 97, of 96 features"):
        train(stories, few_stories, **{**SMALL, "k": 97})
    with pytest.raises(SiteError, match=r"resid_post\.9"):
        train(stories, few_stories, kind="sae", site="resid_post.9", **SMALL)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(DictionaryError, match="is no dictionary"):
        train(stories, few_stories, out=tmp_path / "mine", **SMALL)


def test_activations_that_are_not_finite(stories: Model, few_stories: Path) -> None:
    hf = _changed(stories)
    with torch.no_grad():
        hf.model.layers[1].mlp.down_proj.weight.fill_(3e38)
    with pytest.raises(ModelError, match="NaN or infinite in document"):
        train(Model(hf, stories.tokenizer), few_stories, **SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["transcoder", "clt"])
def test_the_bars_on_held_out_stories(kind: str, stories: Model, real_data: Path) -> None:
    report = train(stories, real_data / "text" / "tinystories_1000.json", kind=kind, features=1024, k=32)
    assert max(report.fvu) <= 0.12 and report.ce_delta <= 0.15


@pytest.mark.slow
def test_half_of_what_as_many_principal_components_leave(stories: Model, real_data: Path) -> None:
    report = train(stories, real_data / "text" / "tinystories_1000.json", features=1024, k=16)
    pairs = zip(report.fvu, report.evaluation["pca_fvu"], strict=True)
    assert all(fvu <= pca / 2 for fvu, pca in pairs)
