"""Blobs into the store: a content is cut and written once, whichever paths and snapshots hold it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.chunking.chunk import CHUNKER_VERSION
from indexer.languages.table import detect
from kuberian.store import fulltext
from kuberian.store.garbage import remove_chunks

if TYPE_CHECKING:
    from indexer.chunking.cutting import ChunkRows, FileRows


@dataclass(frozen=True, slots=True)
class KnownBlob:
    """A blob that the home has: its row, and why its content is not indexed, if it is not."""

    id: int
    size: int  # bytes
    skipped: str | None


class BlobStore:
    """The blobs of a home, by (object id, the language that the path suggests)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._expected: dict[tuple[str, str], KnownBlob] = {}

    def expect(self, repository_path: str | bytes) -> None:
        """Read at once what is known of the blobs of a repository's newest snapshot: most of the next one's."""
        rows = self._connection.execute(
            """
            SELECT DISTINCT oid, hint, blobs.id, size, blobs.skipped FROM snapshot_files
            JOIN blobs ON blobs.id = blob_id
            WHERE chunker = ? AND snapshot_id = (
                SELECT snapshots.id FROM snapshots JOIN repositories ON repositories.id = repository_id
                WHERE path = ? ORDER BY indexed_at DESC LIMIT 1
            )
            """,
            (CHUNKER_VERSION, repository_path),
        )
        self._expected = {(oid, hint): KnownBlob(*rest) for oid, hint, *rest in rows}

    def find(self, oid: str, path: str) -> KnownBlob | None:
        """Return the blob of a content, or None if the home does not have it, cut by this version of the code."""
        hint = detect(path) or ""
        if known := self._expected.get((oid, hint)):
            return known
        row = self._connection.execute(
            "SELECT id, size, skipped FROM blobs WHERE oid = ? AND hint = ? AND chunker = ?",
            (oid, hint, CHUNKER_VERSION),
        ).fetchone()
        return KnownBlob(*row) if row else None

    def add(self, oid: str, path: str, size: int, rows: FileRows) -> KnownBlob:
        """Write the rows of a content of `size` bytes; those that an older version cut are replaced."""
        hint = detect(path) or ""
        old = self._connection.execute("SELECT id FROM blobs WHERE oid = ? AND hint = ?", (oid, hint)).fetchone()
        if old:
            remove_chunks(self._connection, old[0])
        blob_id = self._connection.execute(
            """
            INSERT INTO blobs(oid, hint, language, size, encoding, chunker, skipped, content, outline, chunks)
            VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(oid, hint) DO UPDATE SET language = excluded.language, encoding = excluded.encoding,
                chunker = excluded.chunker, skipped = excluded.skipped, content = excluded.content,
                outline = excluded.outline, chunks = excluded.chunks
            RETURNING id
            """,
            (
                oid,
                hint,
                rows.language,
                size,
                rows.encoding,
                CHUNKER_VERSION,
                rows.skipped,
                rows.content,
                rows.outline,
                len(rows.chunks),
            ),
        ).fetchone()[0]
        for chunk in rows.chunks:
            self._add_chunk(blob_id, chunk)
        return KnownBlob(blob_id, size, rows.skipped)

    def _add_chunk(self, blob_id: int, chunk: ChunkRows) -> None:
        row = self._connection.execute(
            """
            INSERT INTO chunks(blob_id, start_line, end_line, kind, symbol, scope, signature, doc, part, passage, names)
            VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            (
                blob_id,
                chunk.start_line,
                chunk.end_line,
                chunk.kind,
                chunk.symbol,
                chunk.scope,
                chunk.signature,
                chunk.doc,
                chunk.part,
                chunk.passage,
                chunk.names,
            ),
        )
        assert row.lastrowid is not None
        fulltext.add_chunk(self._connection, row.lastrowid, chunk.words)
