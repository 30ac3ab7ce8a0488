"""One index run: words, then meaning, then the FAISS file."""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import dataclass

from indexer.deadline import Deadline
from indexer.meaning.model import ModelChoice, choose_model, model_row, open_encoder
from indexer.report import IndexReport, Progress
from indexer.snapshot import SnapshotCounts, take_snapshot
from kuberian.errors import UsageError
from kuberian.git.address import is_address
from kuberian.git.mirror import fetch
from kuberian.git.repository import Repository, Revision
from kuberian.store import repositories, snapshots
from kuberian.store.connection import transaction
from kuberian.store.fulltext import check_words
from kuberian.store.home import Home
from kuberian.store.passages import of_files_without_embedding
from kuberian.store.snapshots import Coverage
from kuberian.store.vector_rows import are_behind

# Files of more bytes are data far more often than code that anyone wrote.
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
) -> IndexReport:
    """Index a git repository: its working tree, or the tree at a `revision` (tag, branch or commit).

    `path` is a folder, or an address that git can fetch from: then the home keeps a clone of it, brought up to date on
    each run. Of a repository without a working tree HEAD is indexed, in the place of the HEAD that was indexed before.
    Only what the home has never seen is cut and embedded. The work is committed as it is done, so the run may be ended
    at any moment and the next one goes on. `model` is a checkpoint folder (default: the one that the repository was
    indexed with, else the bundled one), `precision` one of "float32", "bfloat16", "int8", "auto" (default: likewise,
    else "auto": the fastest that keeps the quality), `max_bytes` the largest file that is indexed (bytes), `budget` the
    seconds after which the run ends, `meaning=False` ends it when the words can be searched, before anything is
    embedded, and `wait` waits for another index run instead of refusing.

    Raises RepositoryError, HomeError, CheckpointError, EngineError or UsageError; what was indexed before stays.
    """
    if max_bytes < 1:
        raise UsageError("the largest file to index must be at least 1 byte")
    if budget is not None and not budget > 0:
        raise UsageError("the budget must be more than 0 seconds")
    started = time.monotonic()
    deadline = Deadline(budget)
    opened = Home.at(home)
    repository = Repository(fetch(opened.mirrors, os.fspath(path), progress, wait) if is_address(path) else path)
    try:
        wanted = Revision.of(repository, revision)
        with opened.writer(wait) as connection:
            choice = choose_model(connection, repository, os.fspath(model) if model else None, precision)
            check_words(connection)
            counts = take_snapshot(connection, repository, wanted, max_bytes, progress, deadline)
            if counts is None:
                done = _Meaning()
            elif meaning:
                done = _embed(connection, opened, counts, choice, progress, deadline)
            else:
                done = _Meaning.of(snapshots.coverage(connection, counts.snapshot_id))
            known = repositories.at_folder(connection, repository.root)
        return IndexReport(
            repository=known.name if known else repositories.name_of(repository.root),
            path=str(repository.root),
            revision=wanted.commit,
            head=wanted.commit or repository.head,
            files_indexed=counts.indexed if counts else 0,
            files_unchanged=counts.unchanged if counts else 0,
            files_skipped=counts.skipped if counts else {},
            chunks=done.chunks,
            passages_embedded=done.embedded,
            passages_reused=done.reused,
            coverage=done.coverage,
            seconds=round(time.monotonic() - started, 3),
        )
    finally:
        repository.close()


@dataclass(frozen=True, slots=True)
class _Meaning:
    """The second phase, counted. Before the first phase is through nothing of the snapshot is covered."""

    chunks: int = 0
    embedded: int = 0
    reused: int = 0
    coverage: float = 0.0

    @classmethod
    def of(cls, coverage: Coverage, embedded: int = 0) -> _Meaning:
        return cls(coverage.chunks, embedded, coverage.embeddings - embedded, coverage.share)


def _embed(
    connection: sqlite3.Connection,
    home: Home,
    counts: SnapshotCounts,
    choice: ModelChoice,
    progress: Progress | None,
    deadline: Deadline,
) -> _Meaning:
    snapshot_id = counts.snapshot_id
    if choice.known is not None:
        coverage = snapshots.coverage(connection, snapshot_id, choice.known)
        if coverage.share == 1 and not of_files_without_embedding(connection, choice.known, snapshot_id):
            _use_model(connection, snapshot_id, choice.known, complete=True)
            if are_behind(connection, home, choice.known):
                _write_files(connection, home, choice.known)
            return _Meaning.of(coverage)  # without loading a model, or NumPy
    from indexer.meaning.embed import embed_chunks, embed_files

    encoder = open_encoder(connection, home, snapshot_id, choice)
    model_id = model_row(connection, encoder, choice.checkpoint)
    _use_model(connection, snapshot_id, model_id, complete=False)
    embed_files(connection, encoder, model_id, snapshot_id, deadline)
    embedded = embed_chunks(connection, encoder, model_id, snapshot_id, progress, deadline)
    coverage = snapshots.coverage(connection, snapshot_id, model_id)
    if coverage.share == 1:
        _use_model(connection, snapshot_id, model_id, complete=True)
    _write_files(connection, home, model_id)
    return _Meaning.of(coverage, embedded)


def _use_model(connection: sqlite3.Connection, snapshot_id: int, model_id: int, *, complete: bool) -> None:
    with transaction(connection):
        snapshots.use_model(connection, snapshot_id, model_id, complete=complete)


def _write_files(connection: sqlite3.Connection, home: Home, model_id: int) -> None:
    from kuberian.store.vector_files import write_files

    write_files(connection, home, model_id)
