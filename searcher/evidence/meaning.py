"""Meaning: how near the chunks and files in scope are to the question."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np

from kuberian.store.arrays import Floats, Ids
from kuberian.store.vectors import Vectors
from searcher.scope import Scope

# Chunks that are looked for among all; their files are candidates.
NEAREST = 100


@dataclass(frozen=True, slots=True)
class Nearest:
    """The chunks in scope whose passages are nearest, by position, best first, and their cosines."""

    positions: Ids
    cosines: Floats


@dataclass(frozen=True, slots=True)
class FileCosines:
    """The cosines of all files' paths and outlines in scope, each [files]."""

    paths: Floats
    outlines: Floats


def nearest(
    connection: sqlite3.Connection, vectors: dict[int, Vectors], questions: dict[int, Floats], scope: Scope
) -> Nearest:
    """Return the nearest chunks. `vectors` and `questions` (each [dimension], of unit length) are by model."""
    positions, found_scores = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for model_id in scope.models:
        mine = scope.embedded(model_id)
        ids, scores = vectors[model_id].nearest(connection, questions[model_id], mine.distinct, NEAREST)
        first, last = np.searchsorted(mine.ids, ids), np.searchsorted(mine.ids, ids, side="right")
        # one embedding may be that of several chunks
        positions += [mine.chunks[a:b] for a, b in zip(first, last, strict=True)]
        found_scores += [np.full(b - a, score, np.float32) for a, b, score in zip(first, last, scores, strict=True)]
    found, scores = np.concatenate(positions), np.concatenate(found_scores)
    best = np.lexsort((found, -scores))
    return Nearest(found[best], scores[best])


def of_files(questions: dict[int, Floats], scope: Scope) -> FileCosines:
    """Compare the question with every file's path and outline; 0 where a file has no model or no embedding yet."""
    paths, outlines = np.zeros(len(scope.blobs), np.float32), np.zeros(len(scope.blobs), np.float32)
    for model_id in scope.models:
        mine = scope.model_of == model_id
        vectors = scope.vectors[model_id]
        paths[mine] = (vectors.paths @ questions[model_id])[mine]
        outlines[mine] = (vectors.outlines @ questions[model_id])[mine]
    return FileCosines(paths, outlines)


def of_chunks(
    connection: sqlite3.Connection,
    vectors: dict[int, Vectors],
    questions: dict[int, Floats],
    scope: Scope,
    positions: Ids,
) -> Floats:
    """Compare the question with some chunks, by position: their cosines, 0 where a chunk has no embedding yet."""
    found = np.zeros(len(positions), np.float32)
    wanted = scope.embeddings[positions]
    models = scope.model_of[scope.file_of[positions]]
    for model_id in scope.models:
        mine = np.flatnonzero((wanted > 0) & (models == model_id))
        ids, again = np.unique(wanted[mine], return_inverse=True)
        found[mine] = vectors[model_id].exact.cosines(connection, ids, questions[model_id])[again]
    return found
