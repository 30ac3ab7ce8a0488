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
    """A snapshot of a home. `revision` is the full commit id, or None for the working tree, and `head` what was checked
    out; `dirty` is what differed from it then, as `kuberian.git.status.to_json` writes it.
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
    """What a snapshot is brought to. `commit` is None for the working tree.

    `asked` says that the commit was named, and not taken because HEAD of a repository without a working tree is there.
    """

    commit: str | None
    asked: bool
    head: str
    branch: str | None
    dirty: str | None


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """A path in a snapshot with its blob, or with the reason why it has none."""

    path: str
    blob_id: int | None
    skipped: str | None
    labels: str = ""  # what else the file is, sorted, with spaces between


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A file of a snapshot that is indexed: its path, what else it is, and its blob's language ('': unknown)."""

    path: str
    path_id: int
    blob_id: int
    language: str
    labels: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a snapshot is embedded: its chunks, those with an embedding, and how many embeddings that are."""

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
    """Return the snapshots of a repository, or of all by name: the working tree first, then what was indexed last.

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
    """Return the id of the snapshot that is to have this state, added if it is new."""
    follows_head = state.commit is not None and not state.asked
    if follows_head:
        _move_head(connection, repository_id, state.commit)
    known = connection.execute(
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
            state.asked,
        ),
    ).fetchone()
    if follows_head:
        connection.execute("UPDATE snapshots SET is_head = (id = ?) WHERE repository_id = ?", (row[0], repository_id))
    if follows_head or not known:
        meta.note_change(connection)
    return int(row[0])


def _move_head(connection: sqlite3.Connection, repository_id: int, commit: str | None) -> None:
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


def switch(
    connection: sqlite3.Connection, snapshot_id: int, files: Sequence[SnapshotFile], key_of: Callable[[str], bytes]
) -> int:
    """Make a snapshot's files these; return how many of the indexed ones already were as they are.

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
        known = before.pop(file.path, None)
        if known is not None and known[1:] == (file.blob_id, file.skipped, file.labels):
            unchanged += file.blob_id is not None
            continue
        changed += 1
        path_id = known[0] if known else paths.put(connection, file.path, key_of)
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
    """Return the object id of a path in a snapshot; None where there is no such path, or it is not indexed."""
    row = connection.execute(
        """
        SELECT oid FROM snapshot_files JOIN paths ON paths.id = path_id JOIN blobs ON blobs.id = blob_id
        WHERE snapshot_id = ? AND path = ?
        """,
        (snapshot_id, to_column(path)),
    ).fetchone()
    return row[0] if row else None


def use_model(connection: sqlite3.Connection, snapshot_id: int, model_id: int, *, complete: bool) -> None:
    """Let searches of the snapshot use the model; one that replaces another only when its embeddings are complete."""
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
    """Count the snapshot's chunks and their embeddings under a model, or under the one that it is searched with."""
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
