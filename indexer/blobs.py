"""Blobs into the store: a content is decoded, cut and written once, whichever paths and snapshots hold it."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass

from indexer.chunks import CHUNKER_VERSION, Chunk, cut
from indexer.contents import Skipped, Text, read_text
from indexer.languages import detect
from indexer.passages import outline_passage, passage
from kuberian.store import fulltext
from kuberian.store.fulltext import defined
from kuberian.store.garbage import remove_chunks
from kuberian.store.texts import deflate, lines_of, slice_lines, storable


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

    def add(self, oid: str, path: str, data: bytes) -> KnownBlob:
        """Decode and cut a content and write its rows; one that an older version cut is cut again."""
        hint = detect(path) or ""
        content = read_text(path, data, max_bytes=len(data))  # the size was the caller's question
        text = storable(content.text) if isinstance(content, Text) else None
        language = (detect(path, text) or "") if text is not None else hint
        old = self._connection.execute("SELECT id FROM blobs WHERE oid = ? AND hint = ?", (oid, hint)).fetchone()
        if old:
            remove_chunks(self._connection, old[0])
        chunks = [] if text is None else cut(text, language or None)
        names = [_names(chunk) for chunk in chunks]
        outline = outline_passage(found.name for stored in names for found in defined(stored))
        blob_id = self._connection.execute(
            """
            INSERT INTO blobs(oid, hint, language, size, encoding, chunker, skipped, content, outline)
            VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(oid, hint) DO UPDATE SET language = excluded.language, encoding = excluded.encoding,
                chunker = excluded.chunker, skipped = excluded.skipped, content = excluded.content,
                outline = excluded.outline
            RETURNING id
            """,
            (
                oid,
                hint,
                language,
                len(data),
                content.encoding if isinstance(content, Text) else None,
                CHUNKER_VERSION,
                content.reason if isinstance(content, Skipped) else None,
                deflate(text) if text is not None else None,
                passage_hash(outline) if outline else None,
            ),
        ).fetchone()[0]
        lines = lines_of(text or "")
        for chunk, stored in zip(chunks, names, strict=True):
            code = slice_lines(lines, chunk.start_line, chunk.end_line)
            self._add_chunk(blob_id, chunk, stored, code, language or None)
        return KnownBlob(blob_id, len(data), content.reason if isinstance(content, Skipped) else None)

    def _add_chunk(self, blob_id: int, chunk: Chunk, names: str, code: str, language: str | None) -> None:
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
                passage_hash(passage(chunk, code, language)),
                names,
            ),
        )
        assert row.lastrowid is not None
        fulltext.add_chunk(
            self._connection, fulltext.ChunkText(row.lastrowid, chunk.symbol, names, chunk.signature, chunk.doc, code)
        )


def passage_hash(text: str) -> bytes:
    """Return the key of a passage: 16 bytes of BLAKE2b."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


def _names(chunk: Chunk) -> str:
    """Return what a chunk defines as `chunks.names` holds it."""
    lines = (" ".join(f"{name.kind} {name.symbol}".split()) for name in chunk.names)
    return "\n".join(dict.fromkeys(lines))
