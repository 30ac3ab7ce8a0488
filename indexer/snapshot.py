"""The first phase, words: a tree's files become blobs, and the snapshot is switched to them in one transaction.

Blobs are committed in batches as they are cut. They belong to no snapshot until the end, so a search sees the old
snapshot or the new one, and nothing between. After a killed run, the next one finds the blobs again.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from indexer.chunking.chunk import CHUNKER_VERSION
from indexer.chunking.workers import Workers
from indexer.deadline import Deadline
from indexer.meaning.passages import path_key
from indexer.report import Progress
from indexer.source.verdict import Selection, Verdict, Verdicts
from kuberian.errors import RepositoryError
from kuberian.git.listing import TreeFile
from kuberian.git.repository import MISSING_OBJECT, MissingObjectError, Repository, Revision
from kuberian.git.status import to_json
from kuberian.store import repositories, snapshots
from kuberian.store.blobs import BlobStore, FileRows, KnownBlob
from kuberian.store.connection import batches, transaction
from kuberian.store.snapshots import SnapshotFile, SnapshotState

# Files to read ahead for each worker, before the first of them is written.
AHEAD = 4


@dataclass(frozen=True, slots=True)
class SnapshotCounts:
    """The counts of a snapshot's files."""

    snapshot_id: int
    indexed: int
    unchanged: int
    skipped: dict[str, int]


def take_snapshot(
    connection: sqlite3.Connection,
    repository: Repository,
    wanted: Revision,
    selection: Selection,
    progress: Progress | None,
    deadline: Deadline,
) -> SnapshotCounts | None:
    """Bring the snapshot of the working tree, or of a commit, up to date with its files.

    Returns None if the time is up before that. The next run finds what was cut. Raises RepositoryError if there is no
    file at all. Then nothing has changed.
    """
    # Read before the files: if HEAD moves meanwhile, the next check for changes sees it.
    head, branch = repository.head, repository.branch
    verdicts = Verdicts(repository, wanted.commit, selection)
    if not verdicts.files:
        raise RepositoryError(f"{repository.root} has no files to index") if head else repository.without_commits()
    blobs = BlobStore(connection, CHUNKER_VERSION)
    blobs.expect(str(repository.root))
    resolved = _resolve(connection, blobs, repository, verdicts, progress, deadline)
    if resolved is None:
        return None
    if wanted.commit is not None:
        state = SnapshotState(wanted.commit, wanted.by_name, wanted.commit, None, None)
    else:
        state = SnapshotState(None, wanted.by_name, head, branch, to_json(repository.dirty, repository.unwatched))
    with transaction(connection):
        repository_id = repositories.put(connection, repository.root, repository.remote)
        snapshot_id = snapshots.put(connection, repository_id, state)
        unchanged = snapshots.switch(connection, snapshot_id, resolved, path_key)
    skipped = Counter(file.skipped for file in resolved if file.skipped)
    indexed = sum(file.blob_id is not None for file in resolved)
    return SnapshotCounts(snapshot_id, indexed, unchanged, dict(sorted(skipped.items())))


def _resolve(
    connection: sqlite3.Connection,
    blobs: BlobStore,
    repository: Repository,
    verdicts: Verdicts,
    progress: Progress | None,
    deadline: Deadline,
) -> list[SnapshotFile] | None:
    """Return the files with their blobs. Read and cut what the home does not have. None if the time is up."""
    files = verdicts.files
    resolved: dict[str, SnapshotFile] = {}
    unknown: list[tuple[TreeFile, Verdict]] = []
    for file in files:
        blob = blobs.find(file.oid, verdicts.reading(file).hint(file.path)) if file.oid else None
        verdict = verdicts.of(file, blob.size if blob else None)
        if verdict.skipped or blob is not None:
            resolved[file.path] = _snapshot_file(file, verdict, blob)
        else:
            unknown.append((file, verdict))
    if unknown:
        before, total_bytes = len(resolved), sum(verdict.size for _, verdict in unknown)
        with Workers(total_bytes) as workers, batches(connection) as one_is_whole:
            for done, file_cut in enumerate(_cut(blobs, repository, unknown, workers), 1):
                if file_cut is not None:
                    resolved[file_cut.path] = file_cut
                one_is_whole()
                if progress is not None:
                    progress("words", before + done, len(files))
                if deadline.passed():
                    return None
    return [resolved[file.path] for file in files if file.path in resolved]


def _snapshot_file(file: TreeFile, verdict: Verdict, blob: KnownBlob | None) -> SnapshotFile:
    if skipped := verdict.skipped or (blob.skipped if blob else None):
        return SnapshotFile(file.path, None, skipped)
    return SnapshotFile(file.path, blob.id if blob else None, None, verdict.labels)


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A file that was read: its object id, its size in bytes, and its future rows, unless the home has its blob."""

    file: TreeFile
    verdict: Verdict
    oid: str
    size: int
    rows: Future[FileRows] | None


def _cut(
    blobs: BlobStore, repository: Repository, files: list[tuple[TreeFile, Verdict]], workers: Workers
) -> Iterator[SnapshotFile | None]:
    """Yield the files as they are in the snapshot, or None for a file that has gone meanwhile.

    Some files are read ahead, so that no worker waits for another worker, or until rows are written.
    """
    ahead: deque[_Ahead] = deque()
    for file, verdict in files:
        try:
            content = repository.read(file)
        except MissingObjectError:
            yield SnapshotFile(file.path, None, MISSING_OBJECT)
            continue
        if content is None:
            yield None
            continue
        data, oid = content
        blob = blobs.find(oid, verdict.hint)
        rows = None if blob else workers.cut(file.path, data, verdict.reading)
        ahead.append(_Ahead(file, verdict, oid, len(data), rows))
        if len(ahead) > AHEAD * workers.count:
            yield _written(blobs, ahead.popleft())
    while ahead:
        yield _written(blobs, ahead.popleft())


def _written(blobs: BlobStore, ahead: _Ahead) -> SnapshotFile:
    blob = blobs.find(ahead.oid, ahead.verdict.hint)  # a file before it may have had the same content
    if blob is None:
        assert ahead.rows is not None
        blob = blobs.add(ahead.oid, ahead.verdict.hint, ahead.size, ahead.rows.result())
    return _snapshot_file(ahead.file, ahead.verdict, blob)
