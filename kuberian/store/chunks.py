"""Chunks: written with their full-text rows, and read one by one, by name, or all of some blobs."""

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
    """A chunk as it is stored: its columns, and the columns of its full-text row (see `blobs.FileRows`)."""

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
    """What a passage is made of: a stored chunk with its code. `passage` is the hash of its passage."""

    kind: str
    symbol: str | None
    scope: str | None
    part: int
    passage: bytes
    code: str


@dataclass(frozen=True, slots=True)
class Head:
    """What is shown of a chunk, without its text."""

    start_line: int
    end_line: int
    kind: str
    symbol: str | None
    signature: str | None


@dataclass(frozen=True, slots=True)
class Sighting:
    """A chunk with some name, at its place in a snapshot. `passage` tells one version of the chunk from another."""

    snapshot_id: int
    path: str
    start_line: int
    passage: bytes


@dataclass(frozen=True, slots=True)
class ChunkTable:
    """The chunks of some blobs, ascending by id: each column is an array [chunks].

    `embeddings` are the ids of their embeddings, 0 where there is none. `later_part` says which chunks are not the head
    of their definition.
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
    """Remove a blob's chunks and their full-text rows. Return how many there were."""
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
    """Yield some chunks, blob by blob. Memory holds one blob at a time."""
    rows = connection.execute(
        f"""
        SELECT blob_id, start_line, end_line, kind, symbol, scope, part, passage
        FROM chunks WHERE id IN ({_listed(chunk_ids)}) ORDER BY blob_id, id
        """
    ).fetchall()
    for blob_id, of_blob in groupby(rows, key=lambda row: row[0]):
        (content,) = connection.execute("SELECT content FROM blobs WHERE id = ?", (blob_id,)).fetchone()
        text = lines_of(inflate(content))
        for _, start, end, kind, symbol, scope, part, passage in of_blob:
            yield StoredChunk(kind, symbol, scope, part, passage, slice_lines(text, start, end))


def defined_in(connection: sqlite3.Connection, blob_id: int) -> Iterator[str]:
    """Yield the names that a blob defines, without their scopes, in the order of the blob."""
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
    """Return the ids of some chunks of a snapshot: as good as random, but the same ones each time."""
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
    """Return the chunks of some blobs. Each blob comes with the model (0: none) of the embeddings to look up."""
    import numpy as np

    connection.execute("CREATE TEMP TABLE IF NOT EXISTS wanted_blobs(blob_id INTEGER PRIMARY KEY, model_id INTEGER)")
    connection.execute("DELETE FROM wanted_blobs")
    connection.executemany("INSERT INTO wanted_blobs VALUES(?, ?)", blobs)
    rows = connection.execute(
        """
        SELECT chunks.id, chunks.blob_id, coalesce(embeddings.id, 0), part > 1 FROM wanted_blobs
        JOIN chunks ON chunks.blob_id = wanted_blobs.blob_id
        LEFT JOIN embeddings ON embeddings.passage = chunks.passage AND embeddings.model_id = wanted_blobs.model_id
        ORDER BY chunks.id
        """
    ).fetchall()
    table = np.array(rows, np.int64).reshape(len(rows), 4)
    return ChunkTable(table[:, 0], table[:, 1], table[:, 2], table[:, 3] > 0)


def _listed(ids: Iterable[int]) -> str:
    return ",".join(str(int(chunk_id)) for chunk_id in ids)
