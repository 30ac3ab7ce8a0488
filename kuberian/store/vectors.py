"""Vectors by id: FAISS files that may lag behind, and the embeddings that are newer, read from SQLite.

The FAISS files are a cache. Each has the embeddings of a range of ids, with eight bits for each component. It is
written beside the others, and becomes current with one SQLite row (kuberian/store/vector_files.py). So any file may be
cut short, deleted or out of date at any moment: what the files lack is scored from the `embeddings` table. They are
mapped into memory, not read.

Up to `EXACT_ROWS` allowed embeddings, the answer is exact. All are scored in eight bits. The best are scored again from
SQLite: as many as the greatest rounding error leaves in doubt (at most `MOST_RESCORED`). Beyond that, the signs of the
components, one bit each, are compared with the question's signs first (FAISS's binary index, Hamming distance), and the
nearest `SIGNS_SHARE` are scored. That needs no training, adding rows rebuilds nothing, and a selector still applies
before the choice.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kuberian.store import embeddings
from kuberian.store.arrays import Flags, Floats, Ids
from kuberian.store.folder import HomeFolder
from kuberian.store.vector_rows import FileRow, current_files

# So many embeddings are all scored, at some 80 ns each on one core: 10 ms (`python -m benchmarks.vector_search`).
EXACT_ROWS = 125_000
# Of more embeddings, the share that is scored after the signs were compared: recall@10 is 0.98 and more in the same
# benchmark.
SIGNS_SHARE = 0.02

# So few embeddings are read from SQLite, some 2 µs each: that is sooner than FAISS is imported, which takes 50 ms.
FEW_ROWS = 8192

# Exact vectors to keep in memory between questions, in float32: at most 50 MB with 384 dimensions. A question compares
# itself with some 400 of the nearest chunks, and with a few thousand chunks of the candidates' files.
REMEMBERED = 1 << 15

# Embeddings to score again from SQLite, for each one that is wanted. With four, a second round is rare.
RESCORED = 4
# The most to score again. If even more have nearly the same score, their order in eight bits has to do.
MOST_RESCORED = 16


@dataclass(frozen=True, slots=True)
class Segment:
    """A FAISS file: the ids of its rows, ascending, the vectors (8 bits), and their signs if there are any.

    `owner` is the index that `vectors` is a part of: it must live as long. `error` is greater than the error of any
    unit vector's score.
    """

    ids: Ids
    vectors: Any
    signs: Any | None
    owner: Any
    error: float

    def nearest(self, vector: Floats, among: Flags, k: int) -> tuple[Ids, Floats]:
        """Return the positions of the `k` nearest of some rows and their cosines."""
        k = min(k, int(among.sum()))
        if not k:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        scores, positions = self.vectors.search(vector[None], k, params=_only(among))
        return positions[0], scores[0]

    def nearest_by_signs(self, vector: Floats, among: Flags, k: int) -> tuple[Ids, npt.NDArray[np.int32]]:
        """Return the positions of the `k` rows whose signs differ least from the vector's, and how many bits differ."""
        assert self.signs is not None
        k = min(k, int(among.sum()))
        if not k:
            return np.empty(0, np.int64), np.empty(0, np.int32)
        bits = np.packbits(vector[None] > 0, axis=1)
        distances, positions = self.signs.search(bits, k, params=_only(among))
        return positions[0], distances[0]


def _only(among: Flags) -> Any:
    """Return FAISS's parameters for a search among some rows: None if they are all."""
    if among.all():
        return None
    faiss = import_faiss()
    return faiss.SearchParameters(sel=faiss.IDSelectorBitmap(np.packbits(among, bitorder="little")))


class Vectors:
    """The vectors of one model, to search from any number of threads, each with a connection of its own.

    `exact_rows` is the greatest number of embeddings that are all scored. Up to `few_rows` FAISS is not asked at all.
    `exact` compares single ones.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        home: HomeFolder,
        model_id: int,
        dimension: int,
        exact_rows: int = EXACT_ROWS,
        few_rows: int = FEW_ROWS,
    ) -> None:
        self._exact_rows = exact_rows
        self.exact = ExactVectors(dimension)
        self._segments: list[Segment] = []
        last = 0
        files = current_files(connection, home, model_id)
        if sum(row.rows for row in files) <= few_rows:
            files = []
        for row in files:
            segment = open_segment(row)
            if segment is None:
                break
            self._segments.append(segment)
            last = row.last_embedding
        self._late_ids, self._late = embeddings.after(connection, model_id, last, dimension)

    def nearest(self, connection: sqlite3.Connection, vector: Floats, allowed: Ids, k: int) -> tuple[Ids, Floats]:
        """Return the ids of the `k` nearest of the allowed embeddings and their cosines, best first.

        `vector` is [dimension], of unit length; `allowed` is sorted. Ties are ordered by id.
        """
        late = np.isin(self._late_ids, allowed, assume_unique=True)
        late_ids, late_scores = self._late_ids[late], self._late[late] @ vector
        last = max([0, *(int(segment.ids[-1]) for segment in self._segments)])
        flags = np.zeros(last + 1, np.bool_)
        flags[allowed[: np.searchsorted(allowed, last, "right")]] = True
        allowed_rows = [flags[segment.ids] for segment in self._segments]
        if len(allowed) > self._exact_rows and all(segment.signs is not None for segment in self._segments):
            ids = np.sort(self._by_signs(vector, allowed_rows, len(allowed), RESCORED * k))
            scores = self.exact.cosines(connection, ids, vector)
        else:
            ids, scores = self._exactly(connection, vector, allowed_rows, k)
        ids, scores = np.concatenate([ids, late_ids]), np.concatenate([scores, late_scores])
        order = np.lexsort((ids, -scores))[:k]
        return ids[order], scores[order]

    def _exactly(
        self, connection: sqlite3.Connection, vector: Floats, allowed_rows: list[Flags], k: int
    ) -> tuple[Ids, Floats]:
        """Return candidates with their cosines. The `k` nearest are among them."""
        count = sum(int(rows.sum()) for rows in allowed_rows)
        wanted = RESCORED * k
        error = max((segment.error for segment in self._segments), default=0.0)
        while True:
            found = [
                (segment.ids[positions], scores)
                for segment, (positions, scores) in (
                    (segment, segment.nearest(vector, rows, wanted))
                    for segment, rows in zip(self._segments, allowed_rows, strict=True)
                )
            ]
            ids = np.concatenate([item[0] for item in found]) if found else np.empty(0, np.int64)
            rounded = np.concatenate([item[1] for item in found]) if found else np.empty(0, np.float32)
            best = np.lexsort((ids, -rounded))[:wanted]
            ids = np.sort(ids[best])
            scores = self.exact.cosines(connection, ids, vector)
            # An embedding that was not scored again has at most the last rounded score plus the error.
            is_sure = wanted >= count or np.sort(scores)[-k] > rounded[best[-1]] + error
            if is_sure or wanted >= MOST_RESCORED * k:
                return ids, scores
            wanted *= RESCORED

    def _by_signs(self, vector: Floats, allowed_rows: list[Flags], allowed: int, k: int) -> Ids:
        """Return the ids of `k` candidates, chosen by their signs and then in eight bits."""
        wanted = max(2 * k, int(SIGNS_SHARE * allowed))
        found = [
            (segment, *segment.nearest_by_signs(vector, rows, wanted))
            for segment, rows in zip(self._segments, allowed_rows, strict=True)
        ]
        distances = np.sort(np.concatenate([item[2] for item in found])) if found else np.empty(0, np.int32)
        # Rows at the last distance are left out: which of them FAISS returns depends on how they are split into files.
        limit = distances[wanted - 1] if len(distances) >= wanted else np.inf
        if np.searchsorted(distances, limit) < k:
            limit = np.inf
        ids: list[Ids] = [np.empty(0, np.int64)]
        scores: list[Floats] = [np.empty(0, np.float32)]
        for segment, positions, distance in found:
            near = np.zeros(len(segment.ids), np.bool_)
            near[positions[distance < limit]] = True
            best, cosines = segment.nearest(vector, near, k)
            ids.append(segment.ids[best])
            scores.append(cosines)
        all_ids, all_scores = np.concatenate(ids), np.concatenate(scores)
        return all_ids[np.lexsort((all_ids, -all_scores))[:k]]


class ExactVectors:
    """The embeddings as SQLite has them. Up to `rows` of those that were used stay in memory.

    Any number of threads may use it, each with a connection of its own.
    """

    def __init__(self, dimension: int, rows: int = REMEMBERED) -> None:
        self._room, self._dimension = rows, dimension
        self._lock = threading.Lock()
        self._vectors: Floats = np.empty((0, dimension), np.float32)
        self._used = 0
        self._row_of: Ids = np.empty(0, np.int64)  # by id; -1: not in memory

    def cosines(self, connection: sqlite3.Connection, ids: Ids, vector: Floats) -> Floats:
        """Return the cosines of some embeddings (ids ascending, each once) to a unit vector [dimension].

        Raises KeyError for an id without an embedding.
        """
        if len(ids) > self._room:
            parts = [ids[start : start + self._room] for start in range(0, len(ids), self._room)]
            return np.concatenate([self.cosines(connection, part, vector) for part in parts])
        if not len(ids):
            return np.empty(0, np.float32)
        return np.asarray(self.vectors(connection, ids) @ vector, np.float32)

    def vectors(self, connection: sqlite3.Connection, ids: Ids) -> Floats:
        """Return the vectors [n, dimension] of n embeddings (ids ascending, each once), at most `rows` of them.

        Raises KeyError for an id without an embedding.
        """
        with self._lock:
            if ids[-1] >= len(self._row_of):
                more = np.full(int(ids[-1]) + 1 - len(self._row_of), -1, np.int64)
                self._row_of = np.concatenate([self._row_of, more])
            missing = ids[self._row_of[ids] < 0]
            if self._used + len(missing) > self._room:
                self._row_of[:] = -1
                self._used, missing = 0, ids
            if len(missing):
                self._keep(missing, embeddings.by_ids(connection, missing, self._dimension))
            return self._vectors[self._row_of[ids]]

    def _keep(self, ids: Ids, vectors: Floats) -> None:
        end = self._used + len(ids)
        if end > len(self._vectors):  # twice as large each time: room that is never used takes no memory
            bigger = np.empty((min(max(end, 2 * len(self._vectors)), self._room), self._dimension), np.float32)
            bigger[: self._used] = self._vectors[: self._used]
            self._vectors = bigger
        self._vectors[self._used : end] = vectors
        self._row_of[ids] = np.arange(self._used, end)
        self._used = end


def open_segment(row: FileRow) -> Segment | None:
    """Map a FAISS file into memory; None if it is not whole."""
    faiss = import_faiss()
    flags = faiss.IO_FLAG_MMAP_IFC
    try:
        index = faiss.read_index(os.fspath(row.path), flags)
        if index.ntotal != row.rows:
            return None
        ids = np.array(faiss.vector_to_array(index.id_map), np.int64)
        vectors = faiss.downcast_index(index.index)
    except (OSError, RuntimeError):
        return None
    try:
        signs = faiss.read_index_binary(os.fspath(row.signs), flags) if row.signs.exists() else None
    except RuntimeError:
        signs = None
    if signs is not None and signs.ntotal != row.rows:
        signs = None
    if signs is not None:
        signs.use_heap = False  # to count distances is several times as fast if thousands are wanted
    return Segment(ids, vectors, signs, index, _error(vectors))


def _error(vectors: Any) -> float:
    """Return the greatest error of a unit vector's score, from the steps of the 8-bit quantizer."""
    ranges = import_faiss().vector_to_array(vectors.sq.trained)[vectors.d :]
    # A range has 255 steps, and a component is wrong by half a step at most. Twice that covers the rounding of ranges.
    return float(np.linalg.norm(ranges / 255.0))


def import_faiss() -> Any:
    """Import FAISS when it is first needed. Untyped: its annotations are the C++ classes', not their wrappers'."""
    import faiss

    return faiss
