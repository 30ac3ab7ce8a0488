"""Taking things out of a home: a repository that is forgotten, and what no snapshot uses any more."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from kuberian.store import blobs, fulltext, paths, repositories
from kuberian.store.connection import give_room_back, transaction
from kuberian.store.folder import HomeFolder
from kuberian.store.repositories import KnownRepository


@dataclass(frozen=True)
class GarbageReport:
    """What was taken out."""

    blobs: int
    chunks: int
    embeddings: int

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


def forget_repository(connection: sqlite3.Connection, home: HomeFolder, known: KnownRepository) -> GarbageReport:
    """Take a repository and its snapshots out of the home, all that only they used, and the clone if it is one."""
    with transaction(connection):
        repositories.remove(connection, known.id)
    if home.is_mirror(known.root):
        shutil.rmtree(known.root, ignore_errors=True)
    return collect_garbage(connection, home)


def collect_garbage(connection: sqlite3.Connection, home: HomeFolder) -> GarbageReport:
    """Drop the blobs, chunks, embeddings and paths that no snapshot uses, and give their room back to the disk."""
    from kuberian.store import embeddings  # and NumPy, which most index runs do without

    with transaction(connection):
        removed_blobs, removed_chunks = blobs.remove_unused(connection)
        paths.remove_unused(connection)
        removed, touched = embeddings.remove_unused(connection)
    if touched:
        from kuberian.store.vector_files import write_files

        for model_id in touched:
            write_files(connection, home, model_id, anew=True)
    if removed_blobs or removed:
        fulltext.optimize(connection)
        give_room_back(connection)
    return GarbageReport(removed_blobs, removed_chunks, removed)
