"""Vectors by id: FAISS files that may lag behind, and the embeddings that are newer, read from SQLite.

The FAISS files are a cache. Each holds the embeddings of a range of ids in eight bits a component, and is written
beside the others and becomes current with one SQLite row (kuberian/store/vector_files.py), so any of them can be cut
short, deleted or out of date at any moment: whatever they lack is scored from the `embeddings` table. They are mapped,
not read.

Up to `EXACT_ROWS` allowed embeddings the answer is exact: all are scored in eight bits, and the best again from SQLite,
as many as the rounding's greatest error leaves in doubt (up to `MOST_RESCORED`). Beyond that the signs of the
components, one bit each, are compared with the question's first (FAISS's binary index, Hamming distance), and the
nearest `SIGNS_SHARE` are scored: no training, nothing to rebuild when rows are added, and a selector still applies
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

# All scored, some 80 ns each on one core: 10 ms (`python -m benchmarks.vector_search`).
EXACT_ROWS = 125_000
# Of more, the share that is scored exactly after the signs were compared: recall@10 0.98 and more by the same
# benchmark.
SIGNS_SHARE = 0.02

# Exact vectors that are kept in memory between questions, in float32: 50 MB with 384 dimensions, if ever so many are
# asked for. A question compares itself with some 400 of the nearest and a few thousand of the candidates' files.
REMEMBERED = 1 << 15

# Scored again from SQLite, for each that is asked for: four make a second round rare.
RESCORED = 4
# And at most, where so many score so much alike that the order in eight bits has to do.
MOST_RESCORED = 16


@dataclass(frozen=True, slots=True)
class Segment:
    """A FAISS file: the ids of its rows, ascending, the vectors (8 bits), and their signs where they are kept.

    `owner` is the index that `vectors` is a part of, and which would take it along. `error` is more than any score of a
    unit vector can be wrong by: half a step in every component.
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
        scores, found = self.vectors.search(vector[None], k, params=_only(among))
        return found[0], scores[0]

    def nearest_by_signs(self, vector: Floats, among: Flags, k: int) -> tuple[Ids, npt.NDArray[np.int32]]:
        """Return the positions of the `k` rows whose signs differ least from the vector's, and in how many bits."""
        assert self.signs is not None
        k = min(k, int(among.sum()))
        if not k:
            return np.empty(0, np.int64), np.empty(0, np.int32)
        bits = np.packbits(vector[None] > 0, axis=1)
        distances, found = self.signs.search(bits, k, params=_only(among))
        return found[0], distances[0]


def _only(among: Flags) -> Any:
    """Return FAISS's parameters for a search among some rows: none where that is all."""
    if among.all():
        return None
    faiss = import_faiss()
    return faiss.SearchParameters(sel=faiss.IDSelectorBitmap(np.packbits(among, bitorder="little")))


class Vectors:
    """The vectors of one model, for searching from any number of threads, each with a connection of its own.

    `exact_rows` is the most that are scored one by one; `exact` compares single ones.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        home: HomeFolder,
        model_id: int,
        dimension: int,
        exact_rows: int = EXACT_ROWS,
    ) -> None:
        self._exact_rows = exact_rows
        self.exact = ExactVectors(dimension)
        self._segments: list[Segment] = []
        last = 0
        for row in current_files(connection, home, model_id):
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
        rows = [flags[segment.ids] for segment in self._segments]
        if len(allowed) > self._exact_rows and all(segment.signs is not None for segment in self._segments):
            ids = np.sort(self._by_signs(vector, rows, len(allowed), RESCORED * k))
            scores = self.exact.cosines(connection, ids, vector)
        else:
            ids, scores = self._exactly(connection, vector, rows, k)
        ids, scores = np.concatenate([ids, late_ids]), np.concatenate([scores, late_scores])
        order = np.lexsort((ids, -scores))[:k]
        return ids[order], scores[order]

    def _exactly(self, connection: sqlite3.Connection, vector: Floats, rows: list[Flags], k: int) -> tuple[Ids, Floats]:
        """Return candidates with their cosines, the `k` nearest among them."""
        count = sum(int(mine.sum()) for mine in rows)
        wanted = RESCORED * k
        error = max((segment.error for segment in self._segments), default=0.0)
        while True:
            found = [
                (segment.ids[positions], scores)
                for segment, (positions, scores) in (
                    (segment, segment.nearest(vector, mine, wanted))
                    for segment, mine in zip(self._segments, rows, strict=True)
                )
            ]
            ids = np.concatenate([item[0] for item in found]) if found else np.empty(0, np.int64)
            rounded = np.concatenate([item[1] for item in found]) if found else np.empty(0, np.float32)
            best = np.lexsort((ids, -rounded))[:wanted]
            ids = np.sort(ids[best])
            scores = self.exact.cosines(connection, ids, vector)
            # What was not looked at scores at most the last one's rounded score and the error.
            sure = wanted >= count or np.sort(scores)[-k] > rounded[best[-1]] + error
            if sure or wanted >= MOST_RESCORED * k:
                return ids, scores
            wanted *= RESCORED

    def _by_signs(self, vector: Floats, rows: list[Flags], allowed: int, k: int) -> Ids:
        """Return the ids of `k` candidates, chosen by their signs and then in eight bits."""
        wanted = max(2 * k, int(SIGNS_SHARE * allowed))
        found = [
            (segment, *segment.nearest_by_signs(vector, mine, wanted))
            for segment, mine in zip(self._segments, rows, strict=True)
        ]
        distances = np.sort(np.concatenate([item[2] for item in found])) if found else np.empty(0, np.int32)
        # Those at the last distance are left out: which of them FAISS returns depends on how the rows are filed.
        limit = distances[wanted - 1] if len(distances) >= wanted else np.inf
        if np.searchsorted(distances, limit) < k:
            limit = np.inf
        ids: list[Ids] = [np.empty(0, np.int64)]
        scores: list[Floats] = [np.empty(0, np.float32)]
        for segment, mine, away in found:
            near = np.zeros(len(segment.ids), np.bool_)
            near[mine[away < limit]] = True
            best, cosines = segment.nearest(vector, near, k)
            ids.append(segment.ids[best])
            scores.append(cosines)
        all_ids, all_scores = np.concatenate(ids), np.concatenate(scores)
        return all_ids[np.lexsort((all_ids, -all_scores))[:k]]


class ExactVectors:
    """The embeddings as SQLite has them, and the last `rows` of them that were asked for in memory.

    Any number of threads may ask, each with a connection of its own.
    """

    def __init__(self, dimension: int, rows: int = REMEMBERED) -> None:
        self._room, self._dimension = rows, dimension
        self._lock = threading.Lock()
        self._vectors: Floats = np.empty((0, dimension), np.float32)
        self._used = 0
        self._row_of: Ids = np.empty(0, np.int64)  # by id; -1: not in memory

    def cosines(self, connection: sqlite3.Connection, ids: Ids, vector: Floats) -> Floats:
        """Return the cosines of some embeddings (ids ascending, each once) to a vector [dimension], all unit vectors.

        Raises KeyError for an id that there is none of.
        """
        if len(ids) > self._room:
            parts = [ids[at : at + self._room] for at in range(0, len(ids), self._room)]
            return np.concatenate([self.cosines(connection, part, vector) for part in parts])
        if not len(ids):
            return np.empty(0, np.float32)
        return np.asarray(self.vectors(connection, ids) @ vector, np.float32)

    def vectors(self, connection: sqlite3.Connection, ids: Ids) -> Floats:
        """Return the vectors [n, dimension] of n embeddings (ids ascending, each once), at most `rows` at a time.

        Raises KeyError for an id that there is none of.
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
        if end > len(self._vectors):  # doubled: what is never asked for takes no memory
            bigger = np.empty((min(max(end, 2 * len(self._vectors)), self._room), self._dimension), np.float32)
            bigger[: self._used] = self._vectors[: self._used]
            self._vectors = bigger
        self._vectors[self._used : end] = vectors
        self._row_of[ids] = np.arange(self._used, end)
        self._used = end


def open_segment(row: FileRow) -> Segment | None:
    """Map a FAISS file; None where it is not whole."""
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
        signs.use_heap = False  # counting is several times as fast where thousands are wanted
    return Segment(ids, vectors, signs, index, _error(vectors))


def _error(vectors: Any) -> float:
    """Return the most that the score of a unit vector can be wrong by, from the steps of an 8-bit quantizer."""
    ranges = import_faiss().vector_to_array(vectors.sq.trained)[vectors.d :]
    # A component is half a step off at most, of 255 to a range; twice that covers the rounding of the ranges.
    return float(np.linalg.norm(ranges / 255.0))


def import_faiss() -> Any:
    """Import FAISS when it is first needed. Untyped: its annotations are the C++ classes', not their wrappers'."""
    import faiss

    return faiss
