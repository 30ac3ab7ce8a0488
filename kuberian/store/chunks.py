"""Chunks: written with their full-text rows, and read back one by one, by name, or all that are in some blobs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from kuberian.store import fulltext
from kuberian.store.columns import from_column
from kuberian.store.fulltext import Columns, own_names
from kuberian.store.texts import inflate, lines_of, slice_lines

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class ChunkRows(NamedTuple):
    """A chunk as it is stored: its columns, and those of its full-text row (see `blobs.FileRows`)."""

    start_line: int
    end_line: int
    kind: str
    symbol: str | None
    scope: str | None
    signature: str | None
    doc: str | None
    part: int
    passage: bytes
    names: str
    words: Columns


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk of the store with its code. `language` is that of its blob; `passage` is the hash of its passage."""

    start_line: int
    end_line: int
    kind: str
    symbol: str | None
    signature: str | None
    scope: str | None
    doc: str | None
    part: int
    passage: bytes
    language: str | None
    code: str


@dataclass(frozen=True, slots=True)
class Head:
    """What is shown of a chunk besides its lines' text."""

    start_line: int
    end_line: int
    kind: str
    symbol: str | None
    signature: str | None


@dataclass(frozen=True, slots=True)
class Sighting:
    """A chunk of a name at a place in a snapshot; `passage` tells one version of it from another."""

    snapshot_id: int
    path: str
    start_line: int
    passage: bytes


@dataclass(frozen=True, slots=True)
class ChunkTable:
    """The chunks of some blobs, ascending by id: each column is an array [chunks].

    `embeddings` are the ids of their embeddings, 0 where there is none, and `later_part` tells of those that are not
    the head of their definition.
    """

    ids: npt.NDArray[np.int64]
    blobs: npt.NDArray[np.int64]
    embeddings: npt.NDArray[np.int64]
    later_part: npt.NDArray[np.bool_]


def add(connection: sqlite3.Connection, blob_id: int, chunk: ChunkRows) -> None:
    """Write a chunk of a blob, with its full-text row."""
    row = connection.execute(
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
    fulltext.add_chunk(connection, row.lastrowid, chunk.words)


def remove_of(connection: sqlite3.Connection, blob_id: int) -> int:
    """Take away a blob's chunks and their full-text rows; return how many there were."""
    texts = fulltext.chunk_texts(connection, blob_id)
    for chunk_id, chunk in texts:
        if fulltext.has_chunk(connection, chunk_id):
            fulltext.remove_chunk(connection, chunk_id, chunk.columns())
    connection.execute("DELETE FROM chunks WHERE blob_id = ?", (blob_id,))
    return len(texts)


def head(connection: sqlite3.Connection, chunk_id: int) -> Head:
    """Return what is shown of a chunk."""
    query = "SELECT start_line, end_line, kind, symbol, signature FROM chunks WHERE id = ?"
    return Head(*connection.execute(query, (chunk_id,)).fetchone())


def lines(connection: sqlite3.Connection, chunk_ids: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first and last line of some chunks, in the order of their ids."""
    query = f"SELECT start_line, end_line FROM chunks WHERE id IN ({_listed(chunk_ids)}) ORDER BY id"
    return [(start, end) for start, end in connection.execute(query)]


def names(connection: sqlite3.Connection, chunk_ids: Iterable[int]) -> list[str]:
    """Return what some chunks define (as `fulltext.defined` reads it), in the order of their ids."""
    query = f"SELECT names FROM chunks WHERE id IN ({_listed(chunk_ids)}) ORDER BY id"
    return [stored for (stored,) in connection.execute(query)]


def with_code(connection: sqlite3.Connection, chunk_ids: Sequence[int]) -> Iterator[StoredChunk]:
    """Yield some chunks, those of one blob together. Memory holds one blob at a time."""
    rows = connection.execute(
        f"""
        SELECT blob_id, start_line, end_line, kind, symbol, signature, scope, doc, part, passage
        FROM chunks WHERE id IN ({_listed(chunk_ids)}) ORDER BY blob_id, id
        """
    ).fetchall()
    for blob_id, of_blob in groupby(rows, key=lambda row: row[0]):
        language, content = connection.execute(
            "SELECT language, content FROM blobs WHERE id = ?", (blob_id,)
        ).fetchone()
        text = lines_of(inflate(content))
        for _, start, end, kind, symbol, signature, scope, doc, part, passage in of_blob:
            code = slice_lines(text, start, end)
            yield StoredChunk(start, end, kind, symbol, signature, scope, doc, part, passage, language or None, code)


def defined_in(connection: sqlite3.Connection, blob_id: int) -> Iterator[str]:
    """Yield the names of all that a blob defines, without their scopes, in its order."""
    for (stored,) in connection.execute("SELECT names FROM chunks WHERE blob_id = ? ORDER BY id", (blob_id,)):
        yield from own_names(stored)


def named(connection: sqlite3.Connection, symbol: str, kind: str) -> list[Sighting]:
    """Return where a name is defined in all snapshots of the home, by snapshot, path and line."""
    rows = connection.execute(
        """
        SELECT snapshot_id, path, start_line, chunks.passage FROM chunks
        JOIN snapshot_files USING(blob_id) JOIN paths ON paths.id = path_id
        WHERE symbol = ? AND kind = ? ORDER BY snapshot_id, path, start_line
        """,
        (symbol, kind),
    )
    return [Sighting(snapshot_id, from_column(path), line, passage) for snapshot_id, path, line, passage in rows]


def some_of(connection: sqlite3.Connection, snapshot_id: int, count: int) -> list[int]:
    """Return the ids of some chunks of a snapshot: as good as at random, and the same ones for the same chunks."""
    rows = connection.execute(
        """
        SELECT chunks.id FROM chunks
        WHERE blob_id IN (SELECT blob_id FROM snapshot_files WHERE snapshot_id = ?)
        ORDER BY passage LIMIT ?
        """,
        (snapshot_id, count),
    )
    return [chunk_id for (chunk_id,) in rows]


def of_blobs(connection: sqlite3.Connection, blobs: Iterable[tuple[int, int]]) -> ChunkTable:
    """Return the chunks of some blobs, each given with the model (0: none) whose embeddings are wanted."""
    import numpy as np

    connection.execute("CREATE TEMP TABLE IF NOT EXISTS asked_blobs(blob_id INTEGER PRIMARY KEY, model_id INTEGER)")
    connection.execute("DELETE FROM asked_blobs")
    connection.executemany("INSERT INTO asked_blobs VALUES(?, ?)", blobs)
    rows = connection.execute(
        """
        SELECT chunks.id, chunks.blob_id, coalesce(embeddings.id, 0), part > 1 FROM asked_blobs
        JOIN chunks ON chunks.blob_id = asked_blobs.blob_id
        LEFT JOIN embeddings ON embeddings.passage = chunks.passage AND embeddings.model_id = asked_blobs.model_id
        ORDER BY chunks.id
        """
    ).fetchall()
    table = np.array(rows, np.int64).reshape(len(rows), 4)
    return ChunkTable(table[:, 0], table[:, 1], table[:, 2], table[:, 3] > 0)


def _listed(ids: Iterable[int]) -> str:
    return ",".join(str(int(one)) for one in ids)
