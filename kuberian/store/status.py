"""What a home holds: its repositories, how much of each is indexed, and the room that it takes."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kuberian.store.home import DATABASE, VECTORS, Home, database_errors
from kuberian.store.paths import from_column


@dataclass(frozen=True)
class SnapshotStatus:
    """One indexed state of a repository: the working tree (`revision` is None) or a commit.

    `mirror` says that the repository is a clone of `remote` which the home keeps.
    """

    repository: str
    path: str
    remote: str | None
    revision: str | None
    head: str
    branch: str | None
    indexed_at: str
    model: str | None
    files: int
    files_skipped: dict[str, int]
    chunks: int
    coverage: float
    source_bytes: int
    mirror: bool


@dataclass(frozen=True)
class HomeStatus:
    """A home and its snapshots. Sizes are bytes on disk."""

    home: str
    snapshots: list[SnapshotStatus]
    database_bytes: int
    vectors_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return what `kuberian status --json` prints."""
        return asdict(self)


def status(home: Home) -> HomeStatus:
    """Describe a home; one that nothing was indexed in has no snapshots. Raises HomeError if it is damaged."""
    found = []
    if not home.is_new():
        connection = home.reader()
        try:
            with database_errors(home):
                found = [_snapshot(connection, home, row[0]) for row in connection.execute(_SNAPSHOTS).fetchall()]
        finally:
            connection.close()
    return HomeStatus(
        home=str(home.folder),
        snapshots=found,
        database_bytes=_size(home.folder.glob(DATABASE + "*")),
        vectors_bytes=_size((home.folder / VECTORS).glob("*")),
    )


_SNAPSHOTS = """
    SELECT snapshots.id FROM snapshots JOIN repositories ON repositories.id = repository_id
    ORDER BY name, kind DESC, indexed_at DESC
"""


def _snapshot(connection: sqlite3.Connection, home: Home, snapshot_id: int) -> SnapshotStatus:
    name, path, remote, kind, revision, head, branch, indexed_at, model_id, model = connection.execute(
        """
        SELECT repositories.name, repositories.path, remote, kind, revision, head, branch, indexed_at, model_id,
            models.name
        FROM snapshots JOIN repositories ON repositories.id = repository_id LEFT JOIN models ON models.id = model_id
        WHERE snapshots.id = ?
        """,
        (snapshot_id,),
    ).fetchone()
    files, size = connection.execute(
        """
        SELECT count(*), coalesce(sum(size), 0) FROM snapshot_files JOIN blobs ON blobs.id = blob_id
        WHERE snapshot_id = ?
        """,
        (snapshot_id,),
    ).fetchone()
    skipped = connection.execute(
        """
        SELECT skipped, count(*) FROM snapshot_files WHERE snapshot_id = ? AND skipped IS NOT NULL
        GROUP BY skipped ORDER BY skipped
        """,
        (snapshot_id,),
    ).fetchall()
    chunks, covered = connection.execute(
        """
        SELECT count(*), count(embeddings.id) FROM snapshot_files
        JOIN chunks ON chunks.blob_id = snapshot_files.blob_id
        LEFT JOIN embeddings ON embeddings.passage = chunks.passage AND embeddings.model_id = ?
        WHERE snapshot_id = ?
        """,
        (model_id, snapshot_id),
    ).fetchone()
    return SnapshotStatus(
        repository=name,
        path=from_column(path),
        remote=remote,
        revision=revision if kind == "commit" else None,
        head=head,
        branch=branch,
        indexed_at=indexed_at,
        model=model,
        files=files,
        files_skipped=dict(skipped),
        chunks=chunks,
        coverage=covered / chunks if chunks else 1.0,
        source_bytes=size,
        mirror=home.mirrors.resolve() in Path(from_column(path)).parents,
    )


def _size(files: Any) -> int:
    return sum(file.stat().st_size for file in files if isinstance(file, Path) and file.is_file())
