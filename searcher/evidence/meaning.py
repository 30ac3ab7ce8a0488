"""Meaning: how near the chunks and files in scope are to the question."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np

from kuberian.store.arrays import Floats, Ids, distinct_and_index
from kuberian.store.vectors import Vectors
from searcher.scope import Scope

# Nearest chunks to look for. Their files are candidates.
NEAREST = 100


@dataclass(frozen=True, slots=True)
class Nearest:
    """The positions of the chunks in scope whose passages are nearest, best first, and their cosines."""

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
    position_parts, cosine_parts = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for model_id in scope.models:
        embedded = scope.embedded(model_id)
        ids, scores = vectors[model_id].nearest(connection, questions[model_id], embedded.distinct, NEAREST)
        # Several chunks may share an embedding.
        first, last = np.searchsorted(embedded.ids, ids), np.searchsorted(embedded.ids, ids, side="right")
        position_parts += [embedded.chunks[a:b] for a, b in zip(first, last, strict=True)]
        cosine_parts += [np.full(b - a, score, np.float32) for a, b, score in zip(first, last, scores, strict=True)]
    positions, cosines = np.concatenate(position_parts), np.concatenate(cosine_parts)
    best = np.lexsort((scope.chunk_order[positions], -cosines))
    return Nearest(positions[best], cosines[best])


def of_files(questions: dict[int, Floats], scope: Scope) -> FileCosines:
    """Compare the question with each file's path and outline; 0 where a file has no model or no embedding yet."""
    paths, outlines = np.zeros(len(scope.blobs), np.float32), np.zeros(len(scope.blobs), np.float32)
    for model_id in scope.models:
        of_model = scope.model_of == model_id
        vectors = scope.vectors[model_id]
        paths[of_model] = (vectors.paths @ questions[model_id])[of_model]
        outlines[of_model] = (vectors.outlines @ questions[model_id])[of_model]
    return FileCosines(paths, outlines)


def of_chunks(
    connection: sqlite3.Connection,
    vectors: dict[int, Vectors],
    questions: dict[int, Floats],
    scope: Scope,
    positions: Ids,
) -> Floats:
    """Compare the question with some chunks, by position: their cosines, 0 where a chunk has no embedding yet."""
    cosines = np.zeros(len(positions), np.float32)
    embeddings = scope.embeddings[positions]
    models = scope.model_of[scope.file_of[positions]]
    for model_id in scope.models:
        of_model = np.flatnonzero((embeddings > 0) & (models == model_id))
        ids, index = distinct_and_index(embeddings[of_model])
        cosines[of_model] = vectors[model_id].exact.cosines(connection, ids, questions[model_id])[index]
    return cosines
