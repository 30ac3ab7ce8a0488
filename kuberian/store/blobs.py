"""Blobs: a file's content is cut and written once, however many paths and snapshots have it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple

from kuberian.store import chunks, meta
from kuberian.store.columns import to_column
from kuberian.store.texts import inflate, lines_of


@dataclass(frozen=True, slots=True)
class KnownBlob:
    """A blob that the home has: its id, its size in bytes, and the reason if its content is not indexed."""

    id: int
    size: int
    skipped: str | None


class FileRows(NamedTuple):
    """A content as it is stored: the columns of `blobs`, and its chunks. `content` and `outline` may be missing.

    A tuple, because a worker sends it, and tuples are pickled faster.
    """

    language: str
    encoding: str | None
    skipped: str | None
    content: bytes | None
    outline: bytes | None
    chunks: list[chunks.ChunkRows]


@dataclass(frozen=True, slots=True)
class Text:
    """A blob's text in lines, with its language ('': unknown) and the encoding that it was decoded with."""

    language: str
    encoding: str
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Sighting:
    """A path in a snapshot, and its blob."""

    snapshot_id: int
    blob_id: int


class BlobStore:
    """The blobs that a version of the chunker has cut, by object id and by `hint`, the language that the path suggests.

    The same bytes may be C in one place and C++ in another. A path that suggests nothing has the hint ''.
    """

    def __init__(self, connection: sqlite3.Connection, chunker: int) -> None:
        self._connection, self._chunker = connection, chunker
        self._expected: dict[tuple[str, str], KnownBlob] = {}

    def expect(self, root: str) -> None:
        """Read all blobs of a repository's newest snapshot at once: the next snapshot has most of them too."""
        rows = self._connection.execute(
            """
            SELECT DISTINCT oid, hint, blobs.id, size, blobs.skipped FROM snapshot_files
            JOIN blobs ON blobs.id = blob_id
            WHERE chunker = ? AND snapshot_id = (
                SELECT snapshots.id FROM snapshots JOIN repositories ON repositories.id = repository_id
                WHERE path = ? ORDER BY indexed_at DESC LIMIT 1
            )
            """,
            (self._chunker, to_column(root)),
        )
        self._expected = {(oid, hint): KnownBlob(*rest) for oid, hint, *rest in rows}

    def find(self, oid: str, hint: str) -> KnownBlob | None:
        """Return the blob of a content, or None if this version of the chunker has not cut it yet."""
        if known := self._expected.get((oid, hint)):
            return known
        row = self._connection.execute(
            "SELECT id, size, skipped FROM blobs WHERE oid = ? AND hint = ? AND chunker = ?",
            (oid, hint, self._chunker),
        ).fetchone()
        return KnownBlob(*row) if row else None

    def add(self, oid: str, hint: str, size: int, rows: FileRows) -> KnownBlob:
        """Write the rows of a content of `size` bytes. They replace the rows that an older version cut."""
        old = self._connection.execute("SELECT id FROM blobs WHERE oid = ? AND hint = ?", (oid, hint)).fetchone()
        if old:
            chunks.remove_of(self._connection, old[0])
            meta.note_change(self._connection)  # snapshots have the blob already: their chunks are others now
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
                self._chunker,
                rows.skipped,
                rows.content,
                rows.outline,
                len(rows.chunks),
            ),
        ).fetchone()[0]
        for chunk in rows.chunks:
            chunks.add(self._connection, blob_id, chunk)
        return KnownBlob(blob_id, size, rows.skipped)


def text(connection: sqlite3.Connection, blob_id: int) -> Text:
    """Return the text of a blob that is indexed."""
    language, encoding, content = connection.execute(
        "SELECT language, encoding, content FROM blobs WHERE id = ?", (blob_id,)
    ).fetchone()
    return Text(language, encoding, lines_of(inflate(content)))


def at_path(connection: sqlite3.Connection, path: str) -> list[Sighting]:
    """Return the blobs at a path, in all snapshots that index it."""
    rows = connection.execute(
        """
        SELECT snapshot_id, blob_id FROM snapshot_files JOIN paths ON paths.id = path_id
        WHERE path = ? AND blob_id IS NOT NULL
        """,
        (to_column(path),),
    )
    return [Sighting(*row) for row in rows]


def languages(connection: sqlite3.Connection) -> set[str]:
    """Return the languages of all blobs in the home."""
    return {language for (language,) in connection.execute("SELECT DISTINCT language FROM blobs WHERE language != ''")}


def remove_unused(connection: sqlite3.Connection) -> tuple[int, int]:
    """Remove the blobs that no snapshot has. Return how many they were, and how many chunks they had."""
    unused = [
        blob_id
        for (blob_id,) in connection.execute(
            "SELECT id FROM blobs WHERE id NOT IN (SELECT blob_id FROM snapshot_files WHERE blob_id)"
        )
    ]
    removed = sum(chunks.remove_of(connection, blob_id) for blob_id in unused)
    connection.executemany("DELETE FROM blobs WHERE id = ?", [(blob_id,) for blob_id in unused])
    return len(unused), removed
