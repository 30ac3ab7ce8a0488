"""The status of a home: its repositories, how much of each is indexed, and the room on disk."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from kuberian.store import models, snapshots
from kuberian.store.connection import one_state
from kuberian.store.folder import HomeFolder, bytes_on_disk
from kuberian.store.home import Home
from kuberian.store.snapshots import Snapshot


@dataclass(frozen=True)
class SnapshotStatus:
    """One indexed state of a repository: the working tree (`revision` is None) or a commit.

    `mirror` tells whether the repository is a clone of `remote` that the home keeps.
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
    """Describe a home. If nothing is indexed yet, it has no snapshots. Raises HomeError if it is damaged."""
    return HomeStatus(
        home=str(home.folder),
        snapshots=[] if home.is_new() else home.read(lambda connection: _described(connection, home)),
        database_bytes=bytes_on_disk(home.database_files()),
        vectors_bytes=bytes_on_disk(home.vector_files()),
    )


def _described(connection: sqlite3.Connection, home: HomeFolder) -> list[SnapshotStatus]:
    with one_state(connection):
        return [_status_of(connection, home, snapshot) for snapshot in snapshots.all_of(connection)]


def _status_of(connection: sqlite3.Connection, home: HomeFolder, snapshot: Snapshot) -> SnapshotStatus:
    files, source_bytes = snapshots.size(connection, snapshot.id)
    coverage = snapshots.coverage(connection, snapshot.id)
    return SnapshotStatus(
        repository=snapshot.repository,
        path=str(snapshot.root),
        remote=snapshot.remote,
        revision=snapshot.revision,
        head=snapshot.head,
        branch=snapshot.branch,
        indexed_at=snapshot.indexed_at,
        model=models.get(connection, snapshot.model_id).name if snapshot.model_id else None,
        files=files,
        files_skipped=snapshots.skipped(connection, snapshot.id),
        chunks=coverage.chunks,
        coverage=coverage.share,
        source_bytes=source_bytes,
        mirror=home.is_mirror(snapshot.root),
    )
