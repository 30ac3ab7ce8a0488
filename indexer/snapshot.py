"""The first phase, words: a tree's files become blobs, and the snapshot is switched to them in one transaction.

Blobs are committed in batches as they are cut. They belong to no snapshot until the end, so a search sees the snapshot
before or after, never between; and a run that was killed finds its blobs again.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.blobs import BlobStore, KnownBlob
from indexer.chunking.workers import Workers
from indexer.deadline import Deadline
from indexer.meaning.passages import passage_hash, path_passage
from indexer.report import Progress
from indexer.source.verdict import Verdicts
from kuberian.errors import RepositoryError
from kuberian.git.repository import MISSING_OBJECT, WORKTREE, MissingObjectError, Repository, Revision, TreeFile
from kuberian.git.status import to_json
from kuberian.store import fulltext
from kuberian.store.home import batches, now, transaction
from kuberian.store.paths import from_column, to_column

if TYPE_CHECKING:
    from indexer.chunking.cutting import FileRows

# Files that are read, for each worker, before the first of them is written.
AHEAD = 4


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """A path in a snapshot with its blob, or with the reason why it has none."""

    path: str
    blob_id: int | None
    skipped: str | None
    labels: str = ""  # of `noise.labels`, sorted, with spaces between


@dataclass(frozen=True, slots=True)
class SnapshotCounts:
    """The files of a snapshot, counted."""

    snapshot_id: int
    indexed: int
    unchanged: int
    skipped: dict[str, int]


def take_snapshot(
    connection: sqlite3.Connection,
    repository: Repository,
    wanted: Revision,
    max_bytes: int,
    progress: Progress | None,
    deadline: Deadline,
) -> SnapshotCounts | None:
    """Bring the snapshot of the working tree, or of a commit, up to date with its files.

    Returns None if the time was up before; what was cut by then is kept for the next run. Raises RepositoryError if
    there is no file at all; then nothing has changed.
    """
    head, branch = repository.head, repository.branch
    files = repository.files(wanted.commit)
    if not files:
        raise RepositoryError(f"{repository.root} has no files to index")
    resolved = _resolve(connection, repository, files, max_bytes, progress, deadline)
    if resolved is None:
        return None
    with transaction(connection):
        snapshot_id = _snapshot_row(connection, repository, wanted, head, branch)
        unchanged = _switch(connection, snapshot_id, resolved)
    skipped = Counter(file.skipped for file in resolved if file.skipped)
    indexed = sum(file.blob_id is not None for file in resolved)
    return SnapshotCounts(snapshot_id, indexed, unchanged, dict(sorted(skipped.items())))


def _resolve(
    connection: sqlite3.Connection,
    repository: Repository,
    files: list[TreeFile],
    max_bytes: int,
    progress: Progress | None,
    deadline: Deadline,
) -> list[SnapshotFile] | None:
    """Return the files with their blobs, reading and cutting those that the home does not have; None if time is up."""
    blobs = BlobStore(connection)
    blobs.expect(to_column(str(repository.root)))
    verdicts = Verdicts(repository, files)
    resolved: dict[str, SnapshotFile] = {}
    unknown: list[TreeFile] = []
    total_bytes = 0
    for file in files:
        known = _known(blobs, file, verdicts, max_bytes)
        if known is None and (size := repository.size(file)) <= max_bytes:
            unknown.append(file)
            total_bytes += size
        else:
            resolved[file.path] = known or SnapshotFile(file.path, None, "oversized")
    if unknown:
        before = len(resolved)
        with Workers(total_bytes) as workers, batches(connection) as one_is_whole:
            for done, (file, blob) in enumerate(_cut(blobs, repository, unknown, workers), 1):
                if isinstance(blob, str):
                    resolved[file.path] = SnapshotFile(file.path, None, blob)
                elif blob is not None:
                    resolved[file.path] = _with_blob(file, blob, verdicts)
                one_is_whole()
                if progress is not None:
                    progress("words", before + done, len(files))
                if deadline.passed():
                    return None

    return [resolved[file.path] for file in files if file.path in resolved]


def _known(blobs: BlobStore, file: TreeFile, verdicts: Verdicts, max_bytes: int) -> SnapshotFile | None:
    """Return a file that need not be read; None for one that must."""
    if reason := verdicts.skip(file):
        return SnapshotFile(file.path, None, reason)
    blob = blobs.find(file.oid, file.path) if file.oid else None
    if blob is None:
        return None
    return SnapshotFile(file.path, None, "oversized") if blob.size > max_bytes else _with_blob(file, blob, verdicts)


def _with_blob(file: TreeFile, blob: KnownBlob, verdicts: Verdicts) -> SnapshotFile:
    if blob.skipped:
        return SnapshotFile(file.path, None, blob.skipped)
    return SnapshotFile(file.path, blob.id, None, verdicts.labels(file))


def _cut(
    blobs: BlobStore, repository: Repository, files: list[TreeFile], workers: Workers
) -> Iterator[tuple[TreeFile, KnownBlob | str | None]]:
    """Yield the files with their blobs, with why they cannot be read, or with None where they went away meanwhile.

    Some files are read ahead, so that no worker waits for another, or for the rows to be written.
    """
    ahead: deque[_Ahead] = deque()
    for file in files:
        try:
            content = repository.read(file)
        except MissingObjectError:
            yield file, MISSING_OBJECT
            continue
        if content is None:
            yield file, None
            continue
        data, oid = content
        known = blobs.find(oid, file.path)
        ahead.append(_Ahead(file, oid, len(data), None if known else workers.cut(file.path, data)))
        if len(ahead) > AHEAD * workers.count:
            yield _written(blobs, ahead.popleft())
    while ahead:
        yield _written(blobs, ahead.popleft())


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A file that was read: its object id, its size in bytes, and its rows to be, unless its blob is known."""

    file: TreeFile
    oid: str
    size: int
    rows: Future[FileRows] | None


def _written(blobs: BlobStore, cut: _Ahead) -> tuple[TreeFile, KnownBlob]:
    blob = blobs.find(cut.oid, cut.file.path)  # by now, where a file before it has the same content
    if blob is None:
        assert cut.rows is not None
        blob = blobs.add(cut.oid, cut.file.path, cut.size, cut.rows.result())
    return cut.file, blob


def _snapshot_row(
    connection: sqlite3.Connection, repository: Repository, wanted: Revision, head: str, branch: str | None
) -> int:
    repository_id = _repository_row(connection, repository)
    commit = wanted.commit
    if commit and not wanted.asked:
        _move_head(connection, repository_id, commit)
    row = connection.execute(
        """
        INSERT INTO snapshots(repository_id, kind, revision, head, branch, indexed_at, dirty, asked)
        VALUES(?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT(repository_id, revision) DO UPDATE SET head = excluded.head, branch = excluded.branch,
            indexed_at = excluded.indexed_at, dirty = excluded.dirty, asked = asked OR excluded.asked
        RETURNING id
        """,
        (
            repository_id,
            "commit" if commit else WORKTREE,
            commit or WORKTREE,
            commit or head,
            None if commit else branch,
            now(),
            None if commit else to_json(repository.dirty),
            wanted.asked,
        ),
    ).fetchone()
    if commit and not wanted.asked:
        connection.execute("UPDATE snapshots SET is_head = (id = ?) WHERE repository_id = ?", (row[0], repository_id))
    return int(row[0])


def _move_head(connection: sqlite3.Connection, repository_id: int, commit: str) -> None:
    """Let the snapshot of the HEAD before become that of the new one, unless either was asked for by name."""
    connection.execute(
        """
        DELETE FROM snapshots WHERE repository_id = :id AND is_head AND NOT asked AND revision != :commit
            AND EXISTS (SELECT 1 FROM snapshots WHERE repository_id = :id AND revision = :commit)
        """,
        {"id": repository_id, "commit": commit},
    )
    connection.execute(
        "UPDATE snapshots SET revision = ? WHERE repository_id = ? AND is_head AND NOT asked", (commit, repository_id)
    )


def _repository_row(connection: sqlite3.Connection, repository: Repository) -> int:
    stored_path = to_column(str(repository.root))
    row = connection.execute("SELECT id FROM repositories WHERE path = ?", (stored_path,)).fetchone()
    if row:
        connection.execute("UPDATE repositories SET remote = ? WHERE id = ?", (repository.remote, row[0]))
    else:
        row = connection.execute(
            "INSERT INTO repositories(name, path, remote) VALUES(?, ?, ?) RETURNING id",
            (_free_name(connection, repository), stored_path, repository.remote),
        ).fetchone()
    return int(row[0])


def _free_name(connection: sqlite3.Connection, repository: Repository) -> str:
    """Return the folder's name, with its parent's where two repositories would be called the same."""
    taken = {row[0] for row in connection.execute("SELECT name FROM repositories")}
    parts = [part for part in repository.root.parts if part != repository.root.anchor]
    name = repository.name
    for count in range(2, len(parts) + 1):
        if name not in taken:
            break
        name = "/".join(parts[-count:]).removesuffix(".git")
    return name.encode("utf-8", "replace").decode("utf-8")


def _switch(connection: sqlite3.Connection, snapshot_id: int, files: list[SnapshotFile]) -> int:
    """Make the snapshot's rows equal to `files`; return how many already were."""
    before = {
        from_column(row[1]): (row[0], row[2], row[3], row[4])
        for row in connection.execute(
            """
            SELECT paths.id, paths.path, blob_id, skipped, labels
            FROM snapshot_files JOIN paths ON paths.id = path_id WHERE snapshot_id = ?
            """,
            (snapshot_id,),
        )
    }
    unchanged = 0
    for file in files:
        known = before.pop(file.path, None)
        if known is not None and known[1:] == (file.blob_id, file.skipped, file.labels):
            unchanged += file.blob_id is not None
            continue
        path_id = known[0] if known else _path_id(connection, file.path)
        connection.execute(
            """
            INSERT OR REPLACE INTO snapshot_files(snapshot_id, path_id, blob_id, skipped, labels) VALUES(?, ?, ?, ?, ?)
            """,
            (snapshot_id, path_id, file.blob_id, file.skipped, file.labels),
        )
    connection.executemany(
        "DELETE FROM snapshot_files WHERE snapshot_id = ? AND path_id = ?",
        [(snapshot_id, gone[0]) for gone in before.values()],
    )
    return unchanged


def _path_id(connection: sqlite3.Connection, path: str) -> int:
    stored = to_column(path)
    row = connection.execute("SELECT id FROM paths WHERE path = ?", (stored,)).fetchone()
    if row:
        return int(row[0])
    key = passage_hash(path_passage(path))
    inserted = connection.execute("INSERT INTO paths(path, passage) VALUES(?, ?) RETURNING id", (stored, key))
    path_id = int(inserted.fetchone()[0])
    fulltext.add_path(connection, path_id, path)
    return path_id
