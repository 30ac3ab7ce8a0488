"""Chunks read back from the store, with their code."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from indexer.chunking.chunk import Chunk
from kuberian.store.fulltext import own_names
from kuberian.store.texts import inflate, lines_of, slice_lines


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk of the store, the hash of its passage, its code and the language of its blob."""

    key: bytes
    chunk: Chunk
    code: str
    language: str | None


def stored_chunks(connection: sqlite3.Connection, chunk_ids: list[int]) -> Iterator[StoredChunk]:
    """Yield some chunks, those of one blob together. Memory holds one blob at a time."""
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
            yield StoredChunk(key, chunk, slice_lines(lines, start, end), language or None)


def stored_names(connection: sqlite3.Connection, blob_id: int) -> Iterator[str]:
    """Yield the names of all that a blob defines, without their scopes, in its order."""
    for (names,) in connection.execute("SELECT names FROM chunks WHERE blob_id = ? ORDER BY id", (blob_id,)):
        yield from own_names(names)
