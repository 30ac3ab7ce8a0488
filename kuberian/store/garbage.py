"""Removing things from a home: a repository, and what no snapshot uses any more."""

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
    """The counts of what was removed."""

    blobs: int
    chunks: int
    embeddings: int

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


def forget_repository(connection: sqlite3.Connection, home: HomeFolder, repository: KnownRepository) -> GarbageReport:
    """Remove a repository and its snapshots, all that only they used, and its clone if the home keeps one."""
    with transaction(connection):
        repositories.remove(connection, repository.id)
    if home.is_mirror(repository.root):
        shutil.rmtree(repository.root, ignore_errors=True)
    return collect_garbage(connection, home)


def collect_garbage(connection: sqlite3.Connection, home: HomeFolder) -> GarbageReport:
    """Remove the blobs, chunks, embeddings and paths that no snapshot uses, and give their room back to the disk."""
    from kuberian.store import embeddings  # imports NumPy, which most index runs do not need

    with transaction(connection):
        removed_blobs, removed_chunks = blobs.remove_unused(connection)
        paths.remove_unused(connection)
        removed_embeddings, touched_models = embeddings.remove_unused(connection)
    if touched_models:
        from kuberian.store.vector_files import write_files

        for model_id in touched_models:
            write_files(connection, home, model_id, anew=True)
    if removed_blobs or removed_embeddings:
        fulltext.optimize(connection)
        give_room_back(connection)
    return GarbageReport(removed_blobs, removed_chunks, removed_embeddings)
