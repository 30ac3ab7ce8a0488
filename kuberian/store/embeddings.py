"""Embeddings: vectors by hash of the passage and by model, as SQLite keeps them. FAISS files are made from them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from kuberian.store.arrays import STORED, Floats, Ids
from kuberian.store.connection import hold_ids

# Rows to read at a time.
_BATCH = 8192

# Of an embedding: its passage is no chunk's, no path's and no outline's any more.
_UNUSED = """
    passage NOT IN (
        SELECT passage FROM chunks UNION SELECT passage FROM paths
        UNION SELECT outline FROM blobs WHERE outline IS NOT NULL
    )
"""


def add(connection: sqlite3.Connection, model_id: int, passages: Sequence[bytes], vectors: Floats) -> None:
    """Keep the vectors [n, dimension] of n passages, by their hashes."""
    connection.executemany(
        "INSERT OR IGNORE INTO embeddings(passage, model_id, vector) VALUES(?, ?, ?)",
        [
            (passage, model_id, vector.tobytes())
            for passage, vector in zip(passages, vectors.astype(STORED), strict=True)
        ],
    )


def by_ids(connection: sqlite3.Connection, ids: Ids, dimension: int) -> Floats:
    """Return the vectors [n, dimension] of n embeddings (ids ascending). Raises KeyError for an id without one."""
    marks = ",".join(map(str, ids.tolist()))
    rows = connection.execute(f"SELECT vector FROM embeddings WHERE id IN ({marks}) ORDER BY id").fetchall()
    if len(rows) != len(ids):
        raise KeyError(f"{len(ids) - len(rows)} of {len(ids)} embeddings do not exist")
    return _vectors(rows, dimension)


def after(connection: sqlite3.Connection, model_id: int, last: int, dimension: int) -> tuple[Ids, Floats]:
    """Return the ids and the vectors [n, dimension] of a model's embeddings after an id."""
    rows = connection.execute(
        "SELECT vector, id FROM embeddings WHERE model_id = ? AND id > ? ORDER BY id", (model_id, last)
    ).fetchall()
    return np.array([row_id for _, row_id in rows], np.int64), _vectors(rows, dimension)


def batches(
    connection: sqlite3.Connection, model_id: int, dimension: int, last: int, most: int
) -> Iterator[tuple[Ids, Floats]]:
    """Yield the ids and vectors of a model's embeddings after an id, `most` in all."""
    cursor = connection.execute(
        "SELECT vector, id FROM embeddings WHERE model_id = ? AND id > ? ORDER BY id LIMIT ?", (model_id, last, most)
    )
    while rows := cursor.fetchmany(_BATCH):
        yield np.array([row_id for _, row_id in rows], np.int64), _vectors(rows, dimension)


def of_paths(connection: sqlite3.Connection, model_id: int, path_ids: Sequence[int], dimension: int) -> Floats:
    """Return the vectors [n, dimension] of the passages of n paths, zeros where there is none."""
    hold_ids(connection, path_ids)
    rows = connection.execute(
        """
        SELECT paths.id, vector FROM held_ids JOIN paths USING(id)
        JOIN embeddings ON embeddings.passage = paths.passage AND model_id = ?
        """,
        (model_id,),
    )
    return _in_order(dict(rows), path_ids, dimension)


def of_outlines(connection: sqlite3.Connection, model_id: int, blob_ids: Sequence[int], dimension: int) -> Floats:
    """Return the vectors [n, dimension] of the outlines of n blobs, zeros where there is none."""
    hold_ids(connection, blob_ids)
    rows = connection.execute(
        """
        SELECT blobs.id, vector FROM held_ids JOIN blobs USING(id)
        JOIN embeddings ON embeddings.passage = blobs.outline AND model_id = ?
        """,
        (model_id,),
    )
    return _in_order(dict(rows), blob_ids, dimension)


def remove_unused(connection: sqlite3.Connection) -> tuple[int, list[int]]:
    """Remove the embeddings of passages that nothing has. Return how many they were, and of which models."""
    models = [row[0] for row in connection.execute(f"SELECT DISTINCT model_id FROM embeddings WHERE {_UNUSED}")]
    return connection.execute(f"DELETE FROM embeddings WHERE {_UNUSED}").rowcount, models


def _vectors(rows: Iterable[tuple[bytes, ...]], dimension: int) -> Floats:
    stored = np.frombuffer(b"".join(row[0] for row in rows), STORED)
    return stored.astype(np.float32).reshape(-1, dimension)


def _in_order(vectors: dict[int, bytes], ids: Sequence[int], dimension: int) -> Floats:
    zeros = bytes(STORED.itemsize * dimension)
    return _vectors([(vectors.get(row_id, zeros),) for row_id in ids], dimension)
