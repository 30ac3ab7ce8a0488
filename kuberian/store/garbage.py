"""Taking things out of a home: a repository that is forgotten, and what no snapshot uses any more."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kuberian.store import fulltext
from kuberian.store.home import Home, transaction
from kuberian.store.paths import from_column

_UNUSED = """
    passage NOT IN (
        SELECT passage FROM chunks UNION SELECT passage FROM paths
        UNION SELECT outline FROM blobs WHERE outline IS NOT NULL
    )
"""


@dataclass(frozen=True)
class GarbageReport:
    """What was taken out."""

    blobs: int
    chunks: int
    embeddings: int

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


def forget_repository(connection: sqlite3.Connection, home: Home, repository_id: int) -> GarbageReport:
    """Take a repository and its snapshots out of the home, all that only they used, and the clone if it is one."""
    row = connection.execute("SELECT path FROM repositories WHERE id = ?", (repository_id,)).fetchone()
    folder = Path(from_column(row[0]))
    with transaction(connection):
        connection.execute("DELETE FROM repositories WHERE id = ?", (repository_id,))
    if home.mirrors.resolve() in folder.parents:
        shutil.rmtree(folder, ignore_errors=True)
    return collect_garbage(connection, home)


def collect_garbage(connection: sqlite3.Connection, home: Home) -> GarbageReport:
    """Drop the blobs, chunks, embeddings and paths that no snapshot uses, and give their room back to the disk."""
    with transaction(connection):
        blobs = _ids(
            connection, "SELECT id FROM blobs WHERE id NOT IN (SELECT blob_id FROM snapshot_files WHERE blob_id)"
        )
        chunks = sum(remove_chunks(connection, blob_id) for blob_id in blobs)
        connection.executemany("DELETE FROM blobs WHERE id = ?", [(blob_id,) for blob_id in blobs])
        for path_id, stored in connection.execute(
            "SELECT id, path FROM paths WHERE id NOT IN (SELECT path_id FROM snapshot_files)"
        ).fetchall():
            fulltext.remove_path(connection, path_id, from_column(stored))
            connection.execute("DELETE FROM paths WHERE id = ?", (path_id,))
        touched = _ids(
            connection,
            f"SELECT DISTINCT model_id FROM embeddings WHERE {_UNUSED}",
        )
        embeddings = connection.execute(f"DELETE FROM embeddings WHERE {_UNUSED}").rowcount
    if touched:
        from kuberian.store.vector_files import write_files  # and NumPy, which most index runs do without
    for model_id in touched:
        write_files(connection, home, model_id, anew=True)
    if blobs or embeddings:
        connection.execute("INSERT INTO chunk_words(chunk_words) VALUES('optimize')")
        connection.execute("VACUUM")
    return GarbageReport(len(blobs), chunks, embeddings)


def remove_chunks(connection: sqlite3.Connection, blob_id: int) -> int:
    """Take away a blob's chunks and their full-text rows; return how many there were."""
    chunks = fulltext.chunk_texts(connection, blob_id)
    for chunk_id, chunk in chunks:
        if fulltext.has_chunk(connection, chunk_id):
            fulltext.remove_chunk(connection, chunk_id, chunk.columns())
    connection.execute("DELETE FROM chunks WHERE blob_id = ?", (blob_id,))
    return len(chunks)


def _ids(connection: sqlite3.Connection, query: str) -> list[int]:
    return [row[0] for row in connection.execute(query)]
