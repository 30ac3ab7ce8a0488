"""What of a snapshot has no embedding yet. Apart from `embed`, which needs an encoder."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MissingOfFiles:
    """What of a snapshot's files has no embedding: paths as they are stored, by hash, and a blob of each outline."""

    paths: dict[bytes, str | bytes]
    outlines: list[int]

    def __bool__(self) -> bool:
        return bool(self.paths or self.outlines)


def missing_of_files(connection: sqlite3.Connection, model_id: int, snapshot_id: int) -> MissingOfFiles:
    """Return which of the snapshot's paths and outlines have no embedding."""
    paths = connection.execute(
        """
        SELECT passage, path FROM paths
        WHERE id IN (SELECT path_id FROM snapshot_files WHERE snapshot_id = ? AND blob_id IS NOT NULL)
          AND NOT EXISTS (SELECT 1 FROM embeddings WHERE passage = paths.passage AND model_id = ?)
        """,
        (snapshot_id, model_id),
    ).fetchall()
    outlines = connection.execute(
        """
        SELECT min(id) FROM blobs
        WHERE id IN (SELECT blob_id FROM snapshot_files WHERE snapshot_id = ?) AND outline IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM embeddings WHERE passage = blobs.outline AND model_id = ?)
        GROUP BY outline ORDER BY 1
        """,
        (snapshot_id, model_id),
    ).fetchall()
    return MissingOfFiles(dict(paths), [blob_id for (blob_id,) in outlines])


def missing_passages(connection: sqlite3.Connection, model_id: int, snapshot_id: int) -> list[int]:
    """Return one chunk id for each passage of the snapshot without an embedding, in the order of the blobs."""
    return [
        row[0]
        for row in connection.execute(
            """
            SELECT min(chunks.id) FROM chunks
            WHERE blob_id IN (SELECT blob_id FROM snapshot_files WHERE snapshot_id = ?)
              AND NOT EXISTS (SELECT 1 FROM embeddings WHERE passage = chunks.passage AND model_id = ?)
            GROUP BY passage ORDER BY 1
            """,
            (snapshot_id, model_id),
        )
    ]
