"""Passages without an embedding: the ones of a snapshot that are still to be embedded under a model."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from kuberian.store.columns import from_column


@dataclass(frozen=True, slots=True)
class FilePassages:
    """Passages of a snapshot's files: paths by the hash of their passage, and one blob for each outline."""

    paths: dict[bytes, str]
    outlines: list[int]

    def __bool__(self) -> bool:
        return bool(self.paths or self.outlines)


def of_files_without_embedding(connection: sqlite3.Connection, model_id: int, snapshot_id: int) -> FilePassages:
    """Return which of the snapshot's paths and outlines have no embedding."""
    paths = connection.execute(
        """
        SELECT passage, path FROM paths
        WHERE id IN (SELECT path_id FROM snapshot_files WHERE snapshot_id = ? AND blob_id IS NOT NULL)
          AND NOT EXISTS (SELECT 1 FROM embeddings WHERE passage = paths.passage AND model_id = ?)
        """,
        (snapshot_id, model_id),
    )
    by_hash = {passage: from_column(path) for passage, path in paths}
    outlines = connection.execute(
        """
        SELECT min(id) FROM blobs
        WHERE id IN (SELECT blob_id FROM snapshot_files WHERE snapshot_id = ?) AND outline IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM embeddings WHERE passage = blobs.outline AND model_id = ?)
        GROUP BY outline ORDER BY 1
        """,
        (snapshot_id, model_id),
    )
    return FilePassages(by_hash, [blob_id for (blob_id,) in outlines])


def of_chunks_without_embedding(connection: sqlite3.Connection, model_id: int, snapshot_id: int) -> list[int]:
    """Return a chunk id for each passage of the snapshot without an embedding, in the order of the blobs."""
    rows = connection.execute(
        """
        SELECT min(chunks.id) FROM chunks
        WHERE blob_id IN (SELECT blob_id FROM snapshot_files WHERE snapshot_id = ?)
          AND NOT EXISTS (SELECT 1 FROM embeddings WHERE passage = chunks.passage AND model_id = ?)
        GROUP BY passage ORDER BY 1
        """,
        (snapshot_id, model_id),
    )
    return [chunk_id for (chunk_id,) in rows]
