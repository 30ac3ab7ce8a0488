"""The second phase, meaning: every passage of a snapshot that has no embedding yet gets one.

A passage is known by its hash, so what was embedded once, in whichever file, branch or repository, is not embedded
again. Each batch is committed as soon as it is computed: a run that is killed loses one batch.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import groupby

from indexer.chunks import Chunk
from indexer.passages import passage
from indexer.report import Progress
from indexer.repository import Repository
from kuberian.encoder import Encoder
from kuberian.store.home import transaction
from kuberian.store.paths import to_column
from kuberian.store.texts import inflate, lines_of, slice_lines
from kuberian.store.vectors import STORED

# Passages that are held and sorted by length at a time: about 8 MB of text.
WINDOW = 4096
# Passages to a commit: about 2 s of work on two cores, which is what a kill can cost.
BATCH = 64


def model_row(connection: sqlite3.Connection, encoder: Encoder, checkpoint: str | None) -> int:
    """Return the row of the encoder's model, made if it is new to the home; `checkpoint` is None if it is bundled."""
    connection.execute(
        """
        INSERT INTO models(name, path, fingerprint, precision, dimension) VALUES(?, ?, ?, ?, ?)
        ON CONFLICT(fingerprint) DO UPDATE SET path = excluded.path, precision = excluded.precision
        """,
        (encoder.name, checkpoint, encoder.fingerprint, encoder.precision, encoder.dimension),
    )
    row = connection.execute("SELECT id FROM models WHERE fingerprint = ?", (encoder.fingerprint,)).fetchone()
    return int(row[0])


def remembered_checkpoint(connection: sqlite3.Connection, repository: Repository) -> str | None:
    """Return the checkpoint folder that the repository was last indexed with; None is the bundled one."""
    row = connection.execute(
        """
        SELECT models.path FROM repositories
        JOIN snapshots ON repository_id = repositories.id
        JOIN models ON models.id = snapshots.model_id
        WHERE repositories.path = ? ORDER BY indexed_at DESC LIMIT 1
        """,
        (to_column(str(repository.root)),),
    ).fetchone()
    return row[0] if row else None


def embed_missing(
    connection: sqlite3.Connection, encoder: Encoder, model_id: int, snapshot_id: int, progress: Progress | None
) -> int:
    """Embed what the snapshot lacks; return the number of passages that were embedded."""
    missing = _missing(connection, model_id, snapshot_id)
    done = 0
    for start in range(0, len(missing), WINDOW):
        window = sorted(_passages(connection, missing[start : start + WINDOW]), key=lambda item: -len(item[1]))
        for first in range(0, len(window), BATCH):
            batch = window[first : first + BATCH]
            vectors = encoder.encode([text for _, text in batch]).astype(STORED)
            with transaction(connection):
                connection.executemany(
                    "INSERT OR IGNORE INTO embeddings(passage, model_id, vector) VALUES(?, ?, ?)",
                    [(key, model_id, vector.tobytes()) for (key, _), vector in zip(batch, vectors, strict=True)],
                )
            done += len(batch)
            if progress is not None:
                progress("meaning", done, len(missing))
    return done


def _missing(connection: sqlite3.Connection, model_id: int, snapshot_id: int) -> list[int]:
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


def _passages(connection: sqlite3.Connection, chunk_ids: list[int]) -> Iterator[tuple[bytes, str]]:
    """Yield (hash, text) of the passages of some chunks."""
    marks = ",".join("?" * len(chunk_ids))
    rows = connection.execute(
        f"""
        SELECT blob_id, start_line, end_line, kind, symbol, signature, scope, doc, part, passage
        FROM chunks WHERE id IN ({marks}) ORDER BY blob_id, id
        """,
        chunk_ids,
    ).fetchall()
    for blob_id, chunks in groupby(rows, key=lambda row: row[0]):
        language, content = connection.execute(
            "SELECT language, content FROM blobs WHERE id = ?", (blob_id,)
        ).fetchone()
        lines = lines_of(inflate(content))
        for _, start, end, kind, symbol, signature, scope, doc, part, key in chunks:
            chunk = Chunk(start, end, kind, symbol, signature, scope, doc, part)
            yield key, passage(chunk, slice_lines(lines, start, end), language or None)
