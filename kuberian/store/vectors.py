"""Vectors by id: a FAISS file that may lag behind, and the embeddings that are newer, read from SQLite.

The FAISS file is a cache. It is written beside the old one and becomes current with one SQLite row, so it can be cut
short, deleted or out of date at any moment: whatever it lacks is scored exactly from the `embeddings` table.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kuberian.errors import HomeError
from kuberian.store.home import Home, now, transaction

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

# A new file is written when the embeddings that it lacks pass this share of it (and this number). Scoring 2,000
# vectors from SQLite costs some 3 ms, rewriting a file of 100,000 about 200.
LAG_SHARE = 0.05
LAG_ROWS = 1000

STORED = np.dtype("<f2")


class Vectors:
    """The vectors of one model, for searching."""

    def __init__(self, connection: sqlite3.Connection, home: Home, model_id: int, dimension: int) -> None:
        self._index, last = _current_file(connection, home, model_id)
        rows = connection.execute(
            "SELECT id, vector FROM embeddings WHERE model_id = ? AND id > ? ORDER BY id", (model_id, last)
        ).fetchall()
        self._late_ids: Ids = np.array([row[0] for row in rows], np.int64)
        late = np.frombuffer(b"".join(row[1] for row in rows), STORED)
        self._late: Floats = late.astype(np.float32).reshape(len(rows), dimension)

    def nearest(self, vector: Floats, allowed: Ids, k: int) -> tuple[Ids, Floats]:
        """Return the ids of the `k` nearest of the allowed embeddings and their cosines, best first.

        `vector` is [dimension], of unit length; `allowed` is sorted. Ties are ordered by id.
        """
        ids, scores = self._nearest_in_file(vector, allowed, k)
        late = np.isin(self._late_ids, allowed, assume_unique=True)
        ids = np.concatenate([ids, self._late_ids[late]])
        scores = np.concatenate([scores, self._late[late] @ vector])
        order = np.lexsort((ids, -scores))[:k]
        return ids[order], scores[order]

    def _nearest_in_file(self, vector: Floats, allowed: Ids, k: int) -> tuple[Ids, Floats]:
        if self._index is None or not len(allowed):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        faiss = _faiss()
        bits = np.zeros(int(allowed[-1]) // 8 + 1, np.uint8)
        np.bitwise_or.at(bits, allowed >> 3, (1 << (allowed & 7)).astype(np.uint8))
        selector = faiss.IDSelectorBitmap(bits)
        parameters = faiss.SearchParameters(sel=selector)
        scores, ids = self._index.search(vector[None], k, params=parameters)
        found = ids[0] >= 0
        return ids[0][found], scores[0][found]


def write_file(
    connection: sqlite3.Connection, home: Home, model_id: int, dimension: int, *, anew: bool = False
) -> bool:
    """Bring a model's FAISS file up to date if it lags far enough behind; `anew` writes it from SQLite alone.

    Returns whether a file was written. Memory holds one copy of the vectors as float16.
    """
    faiss = _faiss()
    index, last = (None, 0) if anew else _current_file(connection, home, model_id)
    lag = _count(connection, "SELECT count(*) FROM embeddings WHERE model_id = ? AND id > ?", model_id, last)
    rows = index.ntotal if index is not None else 0
    if not anew and lag <= (max(LAG_ROWS, LAG_SHARE * rows) if rows else 0):
        return False
    if index is None:
        # float16 as in SQLite: nothing is lost, and half the room and the memory traffic of float32.
        flat = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        index = faiss.IndexIDMap(flat)
    cursor = connection.execute(
        "SELECT id, vector FROM embeddings WHERE model_id = ? AND id > ? ORDER BY id", (model_id, last)
    )
    while batch := cursor.fetchmany(8192):
        vectors = np.frombuffer(b"".join(row[1] for row in batch), STORED).astype(np.float32)
        ids = np.array([row[0] for row in batch], np.int64)
        index.add_with_ids(vectors.reshape(len(batch), dimension), ids)
        last = int(ids[-1])
    name = f"{model_id}-{uuid.uuid4().hex}.faiss"
    size = _write_durably(index, home.vectors / name)
    with transaction(connection):
        connection.execute("DELETE FROM vector_files WHERE model_id = ?", (model_id,))
        connection.execute(
            """
            INSERT INTO vector_files(model_id, file, rows, last_embedding, bytes, written_at) VALUES(?, ?, ?, ?, ?, ?)
            """,
            (model_id, name, index.ntotal, last, size, now()),
        )
    remove_unused_files(connection, home)
    return True


def remove_unused_files(connection: sqlite3.Connection, home: Home) -> None:
    """Delete the FAISS files that no row names: older ones, and what a killed run left half written."""
    used = {row[0] for row in connection.execute("SELECT file FROM vector_files")}
    for file in home.vectors.iterdir():
        if file.name not in used:
            file.unlink(missing_ok=True)


def _faiss() -> Any:
    """Import FAISS when it is first needed. Untyped: its annotations are the C++ classes', not their wrappers'."""
    import faiss

    return faiss


def _write_durably(index: Any, path: Path) -> int:
    try:
        _faiss().write_index(index, os.fspath(path))
        with path.open("rb") as file:
            os.fsync(file.fileno())
        return path.stat().st_size
    except (OSError, RuntimeError) as error:  # FAISS raises RuntimeError with the C library's reason
        path.unlink(missing_ok=True)
        reason = str(error).strip().splitlines()[-1]
        raise HomeError(f"{path} cannot be written ({reason}): make room; what was embedded is kept") from error


def _current_file(connection: sqlite3.Connection, home: Home, model_id: int) -> tuple[Any, int]:
    """Return the current FAISS index and the last embedding in it, or (None, 0) where there is none that is whole."""
    row = connection.execute(
        "SELECT file, rows, last_embedding, bytes FROM vector_files WHERE model_id = ? ORDER BY id DESC LIMIT 1",
        (model_id,),
    ).fetchone()
    if row is None:
        return None, 0
    path = home.vectors / row[0]
    try:
        if path.stat().st_size != row[3]:
            return None, 0
        index = _faiss().read_index(os.fspath(path))
    except (OSError, RuntimeError):
        return None, 0
    return (index, int(row[2])) if index.ntotal == row[1] else (None, 0)


def _count(connection: sqlite3.Connection, query: str, *parameters: object) -> int:
    return int(connection.execute(query, parameters).fetchone()[0])
