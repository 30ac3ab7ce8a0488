"""Snapshots: which files a repository has at one revision, or in its working tree, and which model answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kuberian.store import meta, paths
from kuberian.store.clock import now
from kuberian.store.columns import from_column, to_column

WORKTREE = "worktree"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot of a home. `revision` is the full commit id, or None for the working tree.

    `head` is the commit that was checked out. `dirty` is what differed from it, as `kuberian.git.status.to_json` writes
    it.
    """

    id: int
    repository_id: int
    repository: str
    root: Path
    remote: str | None
    revision: str | None
    head: str
    branch: str | None
    model_id: int | None
    indexed_at: str
    dirty: str | None


@dataclass(frozen=True, slots=True)
class SnapshotState:
    """The state that a snapshot is to have. `commit` is None for the working tree.

    `by_name` tells whether the user named the commit. If not, it is the HEAD of a repository without a working tree.
    """

    commit: str | None
    by_name: bool
    head: str
    branch: str | None
    dirty: str | None


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """A path in a snapshot with its blob, or with the reason why it has none."""

    path: str
    blob_id: int | None
    skipped: str | None
    labels: str = ""  # sorted, with spaces between


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """An indexed file of a snapshot: its path, its blob, the blob's language ('': unknown), and its labels."""

    path: str
    path_id: int
    blob_id: int
    language: str
    labels: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a snapshot is embedded: its chunks, the chunks with an embedding, and their different embeddings."""

    chunks: int
    covered: int
    embeddings: int

    @property
    def share(self) -> float:
        """The share of the chunks that have an embedding."""
        return self.covered / self.chunks if self.chunks else 1.0


_QUERY = """
    SELECT snapshots.id, repository_id, name, path, remote, kind, revision, head, branch, model_id, indexed_at, dirty
    FROM snapshots JOIN repositories ON repositories.id = repository_id
"""


def all_of(connection: sqlite3.Connection, repository_id: int | None = None) -> list[Snapshot]:
    """Return the snapshots of a repository, or of all by name: the working tree first, then the newest.

    The HEAD of a repository without a working tree comes before its other revisions.
    """
    where = "" if repository_id is None else "WHERE repository_id = ?"
    rows = connection.execute(
        f"{_QUERY} {where} ORDER BY name, path, kind DESC, is_head DESC, indexed_at DESC",
        () if repository_id is None else (repository_id,),
    )
    return [_snapshot(row) for row in rows]


def worktree(connection: sqlite3.Connection, repository_id: int) -> Snapshot | None:
    """Return the snapshot of a repository's working tree, if it is indexed."""
    row = connection.execute(f"{_QUERY} WHERE repository_id = ? AND kind = ?", (repository_id, WORKTREE)).fetchone()
    return _snapshot(row) if row else None


def put(connection: sqlite3.Connection, repository_id: int, state: SnapshotState) -> int:
    """Bring a snapshot to a state, added if it is new, and return its id."""
    follows_head = state.commit is not None and not state.by_name
    if follows_head:
        _move_head(connection, repository_id, state.commit)
    exists = connection.execute(
        "SELECT 1 FROM snapshots WHERE repository_id = ? AND revision = ?", (repository_id, state.commit or WORKTREE)
    ).fetchone()
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
            "commit" if state.commit else WORKTREE,
            state.commit or WORKTREE,
            state.head,
            state.branch,
            now(),
            state.dirty,
            state.by_name,
        ),
    ).fetchone()
    if follows_head:
        connection.execute("UPDATE snapshots SET is_head = (id = ?) WHERE repository_id = ?", (row[0], repository_id))
    if follows_head or not exists:
        meta.note_change(connection)
    return int(row[0])


def _move_head(connection: sqlite3.Connection, repository_id: int, commit: str | None) -> None:
    """Make the snapshot of the last HEAD the one of a new HEAD. A snapshot that a user named stays as it is."""
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


def switch(
    connection: sqlite3.Connection, snapshot_id: int, files: Sequence[SnapshotFile], key_of: Callable[[str], bytes]
) -> int:
    """Give a snapshot these files. Return how many of the indexed ones it had before.

    `key_of` gives the hash of the passage of a path.
    """
    before = {
        from_column(path): (path_id, blob_id, skipped, labels)
        for path_id, path, blob_id, skipped, labels in connection.execute(
            """
            SELECT paths.id, paths.path, blob_id, skipped, labels
            FROM snapshot_files JOIN paths ON paths.id = path_id WHERE snapshot_id = ?
            """,
            (snapshot_id,),
        )
    }
    unchanged = changed = 0
    for file in files:
        old = before.pop(file.path, None)
        if old is not None and old[1:] == (file.blob_id, file.skipped, file.labels):
            unchanged += file.blob_id is not None
            continue
        changed += 1
        path_id = old[0] if old else paths.put(connection, file.path, key_of)
        connection.execute(
            """
            INSERT OR REPLACE INTO snapshot_files(snapshot_id, path_id, blob_id, skipped, labels) VALUES(?, ?, ?, ?, ?)
            """,
            (snapshot_id, path_id, file.blob_id, file.skipped, file.labels),
        )
    connection.executemany(
        "DELETE FROM snapshot_files WHERE snapshot_id = ? AND path_id = ?",
        [(snapshot_id, path_id) for path_id, *_ in before.values()],
    )
    if before or changed:
        meta.note_change(connection)
    return unchanged


def files(connection: sqlite3.Connection, snapshot_id: int) -> list[IndexedFile]:
    """Return the files of a snapshot that are indexed, in no order."""
    return [
        IndexedFile(from_column(path), path_id, blob_id, language, labels)
        for path, path_id, blob_id, language, labels in connection.execute(
            """
            SELECT paths.path, paths.id, blob_id, language, labels FROM snapshot_files
            JOIN paths ON paths.id = path_id JOIN blobs ON blobs.id = blob_id
            WHERE snapshot_id = ?
            """,
            (snapshot_id,),
        )
    ]


def indexed_as(connection: sqlite3.Connection, snapshot_id: int, path: str) -> str | None:
    """Return the object id of a path in a snapshot, or None if the path is not there or not indexed."""
    row = connection.execute(
        """
        SELECT oid FROM snapshot_files JOIN paths ON paths.id = path_id JOIN blobs ON blobs.id = blob_id
        WHERE snapshot_id = ? AND path = ?
        """,
        (snapshot_id, to_column(path)),
    ).fetchone()
    return row[0] if row else None


def object_ids(connection: sqlite3.Connection, snapshot_id: int) -> dict[str, str | None]:
    """Return the object ids of a snapshot's files by path; None for a file that is not indexed."""
    rows = connection.execute(
        """
        SELECT path, oid FROM snapshot_files JOIN paths ON paths.id = path_id LEFT JOIN blobs ON blobs.id = blob_id
        WHERE snapshot_id = ?
        """,
        (snapshot_id,),
    )
    return {from_column(path): oid for path, oid in rows}


def has_below(connection: sqlite3.Connection, root: str, commit: str | None, folder: str) -> bool:
    """Tell whether the snapshot of a commit, or of the working tree, has an indexed file below a folder."""
    row = connection.execute(
        """
        SELECT 1 FROM paths JOIN snapshot_files ON path_id = paths.id JOIN snapshots ON snapshots.id = snapshot_id
        JOIN repositories ON repositories.id = repository_id
        WHERE paths.path >= :first AND paths.path < :last AND blob_id IS NOT NULL
            AND repositories.path = :root AND revision = :revision LIMIT 1
        """,
        # All that begin with the folder and a slash: the character after that is a zero.
        {
            "first": to_column(folder + "/"),
            "last": to_column(folder + "0"),
            "root": to_column(root),
            "revision": commit or WORKTREE,
        },
    ).fetchone()
    return row is not None


def use_model(connection: sqlite3.Connection, snapshot_id: int, model_id: int, *, complete: bool) -> None:
    """Let searches of the snapshot use the model. It replaces another one only once its embeddings are `complete`."""
    changed = connection.execute(
        """
        UPDATE snapshots SET model_id = :model
        WHERE id = :id AND model_id IS NOT :model AND (model_id IS NULL OR :complete)
        """,
        {"model": model_id, "id": snapshot_id, "complete": complete},
    ).rowcount
    if changed:
        meta.note_change(connection)


def coverage(connection: sqlite3.Connection, snapshot_id: int, model_id: int | None = None) -> Coverage:
    """Count the snapshot's chunks and their embeddings under a model (default: the one that searches use)."""
    return Coverage(
        *connection.execute(
            """
            SELECT count(*), count(embeddings.id), count(DISTINCT embeddings.id)
            FROM snapshots JOIN snapshot_files ON snapshot_id = snapshots.id
            JOIN chunks ON chunks.blob_id = snapshot_files.blob_id
            LEFT JOIN embeddings ON embeddings.passage = chunks.passage
                AND embeddings.model_id = coalesce(?, snapshots.model_id)
            WHERE snapshots.id = ?
            """,
            (model_id, snapshot_id),
        ).fetchone()
    )


def size(connection: sqlite3.Connection, snapshot_id: int) -> tuple[int, int]:
    """Return how many files of a snapshot are indexed, and their size in bytes."""
    files, size = connection.execute(
        """
        SELECT count(*), coalesce(sum(size), 0) FROM snapshot_files JOIN blobs ON blobs.id = blob_id
        WHERE snapshot_id = ?
        """,
        (snapshot_id,),
    ).fetchone()
    return int(files), int(size)


def skipped(connection: sqlite3.Connection, snapshot_id: int) -> dict[str, int]:
    """Return how many files of a snapshot are not indexed, by reason."""
    return dict(
        connection.execute(
            """
            SELECT skipped, count(*) FROM snapshot_files WHERE snapshot_id = ? AND skipped IS NOT NULL
            GROUP BY skipped ORDER BY skipped
            """,
            (snapshot_id,),
        ).fetchall()
    )


def _snapshot(row: tuple[Any, ...]) -> Snapshot:
    id_, repository_id, name, path, remote, kind, revision, *rest = row
    commit = None if kind == WORKTREE else revision
    return Snapshot(id_, repository_id, name, Path(from_column(path)), remote, commit, *rest)
