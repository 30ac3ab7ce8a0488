"""Blobs: a file's content is cut and written once, whichever paths and snapshots hold it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple

from kuberian.store import chunks
from kuberian.store.columns import to_column
from kuberian.store.texts import inflate, lines_of


@dataclass(frozen=True, slots=True)
class KnownBlob:
    """A blob that the home has: its row, its size in bytes, and why its content is not indexed, if it is not."""

    id: int
    size: int
    skipped: str | None


class FileRows(NamedTuple):
    """A content as it is stored: the columns of `blobs`, and its chunks. `content` and `outline` may be missing.

    A tuple, because that is sooner pickled, on its way from a worker.
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
    """The blobs of a home that a version of the chunker has cut, by (object id, the language that the path suggests).

    The same bytes may be C in one place and C++ in another; '' stands for a path that suggests nothing.
    """

    def __init__(self, connection: sqlite3.Connection, chunker: int) -> None:
        self._connection, self._chunker = connection, chunker
        self._expected: dict[tuple[str, str], KnownBlob] = {}

    def expect(self, root: str) -> None:
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
            (self._chunker, to_column(root)),
        )
        self._expected = {(oid, hint): KnownBlob(*rest) for oid, hint, *rest in rows}

    def find(self, oid: str, hint: str) -> KnownBlob | None:
        """Return the blob of a content, or None if the home does not have it, cut by this version of the code."""
        if known := self._expected.get((oid, hint)):
            return known
        row = self._connection.execute(
            "SELECT id, size, skipped FROM blobs WHERE oid = ? AND hint = ? AND chunker = ?",
            (oid, hint, self._chunker),
        ).fetchone()
        return KnownBlob(*row) if row else None

    def add(self, oid: str, hint: str, size: int, rows: FileRows) -> KnownBlob:
        """Write the rows of a content of `size` bytes; those that an older version cut are replaced."""
        old = self._connection.execute("SELECT id FROM blobs WHERE oid = ? AND hint = ?", (oid, hint)).fetchone()
        if old:
            chunks.remove_of(self._connection, old[0])
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
    """Return the blobs that are indexed at a path, in all snapshots."""
    rows = connection.execute(
        """
        SELECT snapshot_id, blob_id FROM snapshot_files JOIN paths ON paths.id = path_id
        WHERE path = ? AND blob_id IS NOT NULL
        """,
        (to_column(path),),
    )
    return [Sighting(*row) for row in rows]


def languages(connection: sqlite3.Connection) -> set[str]:
    """Return the languages that anything in the home is in."""
    return {language for (language,) in connection.execute("SELECT DISTINCT language FROM blobs WHERE language != ''")}


def remove_unused(connection: sqlite3.Connection) -> tuple[int, int]:
    """Take out the blobs that no snapshot has; return how many they were, and their chunks."""
    unused = [
        blob_id
        for (blob_id,) in connection.execute(
            "SELECT id FROM blobs WHERE id NOT IN (SELECT blob_id FROM snapshot_files WHERE blob_id)"
        )
    ]
    removed = sum(chunks.remove_of(connection, blob_id) for blob_id in unused)
    connection.executemany("DELETE FROM blobs WHERE id = ?", [(blob_id,) for blob_id in unused])
    return len(unused), removed
