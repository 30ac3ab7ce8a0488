"""An index remembers what it was embedded with, and never mixes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import kuberian as package
from indexer import index
from kuberian.errors import CheckpointError, EngineError, UsageError
from searcher import Searcher

BUNDLED = Path(package.__file__).parent / "checkpoints" / "all-MiniLM-L6-v2"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Make a checkpoint that is not the bundled one: its texts end after 64 tokens."""
    folder = tmp_path / "other"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors", "modules.json"):
        shutil.copy(BUNDLED / name, folder / name)
    shutil.copytree(BUNDLED / "1_Pooling", folder / "1_Pooling")
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 64}')
    return folder


def test_a_repository_keeps_the_model_that_it_was_indexed_with(repository: Path, other: Path) -> None:
    index(repository, model=other)
    assert index(repository).passages_embedded == 0
    with Searcher() as searcher:
        assert searcher.search("check a user's password").results[0].path == "server/auth.py"


def test_another_model_embeds_anew_and_going_back_embeds_nothing(repository: Path, other: Path) -> None:
    first = index(repository)
    assert index(repository, model=other).passages_embedded == first.passages_embedded
    assert index(repository, model=BUNDLED).passages_embedded == 0


def test_a_checkpoint_that_changed_since_is_refused(repository: Path, other: Path) -> None:
    index(repository, model=other)
    (other / "sentence_bert_config.json").write_text('{"max_seq_length": 32}')
    with Searcher() as searcher, pytest.raises(CheckpointError, match="not the one"):
        searcher.search("check a user's password")
    index(repository)
    with Searcher() as searcher:
        assert searcher.search("check a user's password").results


def test_precisions_are_never_mixed(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = index(repository, precision="float32")
    assert index(repository).passages_embedded == 0  # remembered
    monkeypatch.setenv("KUBERIAN_PRECISION", "float32")
    assert index(repository, precision="auto").passages_embedded == 0
    with pytest.raises(UsageError, match="float12"):
        index(repository, precision="float12")
    try:
        second = index(repository, precision="int8")
    except EngineError:  # said plainly where oneDNN is not installed or the CPU cannot
        second = index(repository)
        assert second.passages_embedded == 0
    else:
        assert second.passages_embedded == first.passages_embedded
    with Searcher() as searcher:
        assert searcher.search("check a user's password").results[0].path == "server/auth.py"
