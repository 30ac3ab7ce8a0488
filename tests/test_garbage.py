"""What a home lets go of: models that nothing uses, clones whose files are protected, notes that are none."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from indexer import index
from kuberian.store import checksums, garbage, models, repositories
from kuberian.store.garbage import collect_garbage
from kuberian.store.home import Home
from searcher import Searcher
from tests.test_models import BUNDLED, other

__all__ = ["other"]


def test_gc_drops_models_that_no_snapshot_uses_with_their_vectors(repository: Path, other: Path, home: Path) -> None:
    first = index(repository)
    before = {file.name for file in (home / "vectors").iterdir()}
    index(repository, model=other)
    opened = Home.at()
    with opened.writer() as connection:
        removed = collect_garbage(connection, opened)
        assert removed.embeddings >= first.passages_embedded
        assert connection.execute("SELECT count(*) FROM models").fetchone() == (1,)
        assert connection.execute("SELECT count(DISTINCT model_id) FROM embeddings").fetchone() == (1,)
        assert collect_garbage(connection, opened).embeddings == 0
    assert not before & {file.name for file in (home / "vectors").iterdir()}
    with Searcher() as searcher:
        assert searcher.search("check a user's password").results[0].path == "server/auth.py"
    assert index(repository, model=BUNDLED).passages_embedded == first.passages_embedded
    with Searcher() as searcher:
        assert searcher.search("check a user's password").results[0].path == "server/auth.py"


def test_a_checkpoint_folder_with_an_odd_name_is_kept() -> None:
    odd = os.fsdecode(b"/models/caf\xe9")
    with Home.at().writer() as connection:
        model_id = models.put(connection, os.fsdecode(b"caf\xe9"), odd, "fingerprint", "float32", 384)
        assert models.get(connection, model_id).path == odd
        assert models.put(connection, "caf", odd, "fingerprint", "float32", 384) == model_id


def test_a_clone_with_protected_files_is_deleted(repository: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index(repository.as_uri())
    (clone,) = (home / "mirrors").rglob("*.git")
    unlink, refused = os.unlink, set()

    def as_on_windows(path: str, *, dir_fd: int | None = None) -> None:
        name = Path(path).name
        if name not in refused:
            refused.add(name)
            raise PermissionError(13, "Access is denied", path)
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr("os.unlink", as_on_windows)
    garbage._delete(clone)
    assert refused
    assert not clone.exists()


def test_a_clone_that_cannot_be_deleted_is_told(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index(repository.as_uri())

    def refuse(folder: Path, **handlers: Any) -> None:
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr("shutil.rmtree", refuse)
    opened = Home.at()
    with opened.writer() as connection, pytest.warns(UserWarning, match=r"could not be deleted \(Access is denied\)"):
        garbage.forget_repository(connection, opened, repositories.everyone(connection)[0])


@pytest.mark.parametrize(
    "note",
    [
        [],
        None,
        "text",
        {"kuberian.db": None},
        {"kuberian.db": []},
        {"kuberian.db": {}},
        {"kuberian.db": {"size": "1", "mtime_ns": 1, "crc32": 1}},
        {"kuberian.db": {"size": 1, "mtime_ns": None, "crc32": 1}},
        {"kuberian.db": {"size": 1}},
    ],
)
def test_a_note_of_checksums_that_is_none_is_passed_over(repository: Path, home: Path, note: Any) -> None:
    index(repository)
    (home / checksums.FILE).write_text(json.dumps(note))
    with Searcher() as searcher:
        assert searcher.search("check a user's password").results
    assert index(repository).files_unchanged == 3
    assert set(json.loads((home / checksums.FILE).read_text())) >= {"kuberian.db"}
