"""One index run: words, then meaning, then the FAISS file."""

from __future__ import annotations

import os
import sqlite3
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from indexer.deadline import Deadline
from indexer.meaning.model import ModelChoice, choose_model, model_id_of, open_encoder
from indexer.report import IndexReport, Progress
from indexer.snapshot import SnapshotCounts, take_snapshot
from indexer.source.verdict import Selection
from kuberian.errors import UsageError
from kuberian.git.address import is_address
from kuberian.git.mirror import fetch
from kuberian.git.repository import Repository, Revision
from kuberian.settings import expanded
from kuberian.store import repositories, snapshots
from kuberian.store.connection import transaction
from kuberian.store.fulltext import check_words
from kuberian.store.home import Home
from kuberian.store.own_files import own_files
from kuberian.store.passages import of_files_without_embedding
from kuberian.store.snapshots import Coverage
from kuberian.store.vector_rows import are_behind

# A file of more bytes is mostly data, and hardly ever code that somebody wrote.
MAX_BYTES = 1_000_000


def index(
    path: str | os.PathLike[str],
    home: str | os.PathLike[str] | None = None,
    revision: str | None = None,
    model: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    *,
    precision: str | None = None,
    max_bytes: int = MAX_BYTES,
    budget: float | None = None,
    meaning: bool = True,
    wait: bool = False,
    submodules: bool | None = None,
) -> IndexReport:
    """Index a git repository: its working tree, or the tree at a `revision` (tag, branch or commit).

    `path` is a folder, or an address that git can fetch from. Of an address the home keeps a clone, and brings it up to
    date on each run. Of a folder inside of a repository, all of the repository is indexed, with a warning. In a
    repository without a working tree, HEAD is indexed, and replaces the HEAD of the last run.
    Only new content is cut and embedded. The work is committed as it is done, so the run may be ended at any moment,
    and the next one goes on.

    `model` is a checkpoint folder (default: the one of the repository's last run, else the bundled one). `precision` is
    "float32", "bfloat16", "int8" or "auto", the fastest that keeps the quality (default: the one of the last run, else
    "auto"). `max_bytes` is the size of the largest file to index. After `budget` seconds the run ends: with
    RepositoryError, if an address could not be fetched in that time. With `meaning=False` it ends when the words can be
    searched, before anything is embedded. With `wait` it waits for another index run to end, instead of raising
    HomeError. With `submodules` the files of checked-out submodules are indexed too (default: those of the last run).

    Raises RepositoryError, HomeError, CheckpointError, EngineError or UsageError. What was indexed before stays.
    """
    check_limits(max_bytes, budget)
    started = time.monotonic()
    deadline = Deadline(budget)
    opened = Home.at(home)
    is_fetched = is_address(path)
    repository = Repository(fetch(opened.mirrors, os.fspath(path), progress, wait, budget) if is_fetched else path)
    try:
        if not is_fetched and repository.root in expanded(path).resolve().parents and not repository.bare:
            warnings.warn(f"all of {repository.root} is indexed, not only the folder {path}", stacklevel=2)
        wanted = Revision.of(repository, revision)
        with opened.writer(wait) as connection:
            choice = choose_model(connection, repository, os.fspath(model) if model else None, precision)
            check_words(connection)
            selection = Selection(
                max_bytes,
                own_files(opened.folder, repository.root),
                _submodules(connection, repository, wanted, submodules),
            )
            counts = take_snapshot(connection, repository, wanted, selection, progress, deadline)
            if counts is None:
                embedding = _EmbeddingCounts()
            elif meaning:
                embedding = _embed(connection, opened, counts, choice, progress, deadline)
            else:
                embedding = _EmbeddingCounts.of(snapshots.coverage(connection, counts.snapshot_id))
            indexed = repositories.at_folder(connection, repository.root)
        return IndexReport(
            repository=indexed.name if indexed else repositories.name_of(repository.root),
            path=str(repository.root),
            revision=wanted.commit,
            head=wanted.commit or repository.head,
            files_indexed=counts.indexed if counts else 0,
            files_unchanged=counts.unchanged if counts else 0,
            files_skipped=counts.skipped if counts else {},
            chunks=embedding.chunks,
            passages_embedded=embedding.embedded,
            passages_reused=embedding.reused,
            coverage=embedding.coverage,
            seconds=round(time.monotonic() - started, 3),
        )
    finally:
        repository.close()


def check_limits(max_bytes: int, budget: float | None) -> None:
    """Raise UsageError for limits under which nothing could be indexed."""
    if max_bytes < 1:
        raise UsageError("the largest file to index must be at least 1 byte")
    if budget is not None and not budget > 0:
        raise UsageError("the budget must be more than 0 seconds")


def _submodules(
    connection: sqlite3.Connection, repository: Repository, wanted: Revision, asked: bool | None
) -> Callable[[str], bool]:
    """Return which submodules are indexed: all, none, or those of which the snapshot has files already."""
    if asked is not None:
        return lambda path: asked
    return lambda path: snapshots.has_below(connection, str(repository.root), wanted.commit, path)


@dataclass(frozen=True, slots=True)
class _EmbeddingCounts:
    """The counts of the second phase. All are 0 if the first phase is not done."""

    chunks: int = 0
    embedded: int = 0
    reused: int = 0
    coverage: float = 0.0

    @classmethod
    def of(cls, coverage: Coverage, embedded: int = 0) -> _EmbeddingCounts:
        return cls(coverage.chunks, embedded, coverage.embeddings - embedded, coverage.share)


def _embed(
    connection: sqlite3.Connection,
    home: Home,
    counts: SnapshotCounts,
    choice: ModelChoice,
    progress: Progress | None,
    deadline: Deadline,
) -> _EmbeddingCounts:
    snapshot_id = counts.snapshot_id
    if choice.last_id is not None:
        coverage = snapshots.coverage(connection, snapshot_id, choice.last_id)
        if coverage.share == 1 and not of_files_without_embedding(connection, choice.last_id, snapshot_id):
            _use_model(connection, snapshot_id, choice.last_id, complete=True)
            if are_behind(connection, home, choice.last_id):
                _write_files(connection, home, choice.last_id)
            return _EmbeddingCounts.of(coverage)  # no model is loaded, nor NumPy
    from indexer.meaning.embed import embed_chunks, embed_files

    encoder = open_encoder(connection, home, snapshot_id, choice)
    model_id = model_id_of(connection, encoder, choice.checkpoint)
    _use_model(connection, snapshot_id, model_id, complete=False)
    embed_files(connection, encoder, model_id, snapshot_id, deadline)
    embedded = embed_chunks(connection, encoder, model_id, snapshot_id, progress, deadline)
    coverage = snapshots.coverage(connection, snapshot_id, model_id)
    if coverage.share == 1:
        _use_model(connection, snapshot_id, model_id, complete=True)
    _write_files(connection, home, model_id)
    return _EmbeddingCounts.of(coverage, embedded)


def _use_model(connection: sqlite3.Connection, snapshot_id: int, model_id: int, *, complete: bool) -> None:
    with transaction(connection):
        snapshots.use_model(connection, snapshot_id, model_id, complete=complete)


def _write_files(connection: sqlite3.Connection, home: Home, model_id: int) -> None:
    from kuberian.store.vector_files import write_files

    write_files(connection, home, model_id)
