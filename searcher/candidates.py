"""Candidates for an answer: the chunks that share words with the question, and those that are near it in meaning."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sized
from dataclasses import dataclass

import numpy as np

from kuberian.store.vectors import STORED, Floats, Vectors
from searcher.question import Question
from searcher.scope import Scope

# Candidates from each side, whatever `k` is, so that a larger `k` cannot change what comes first.
POOL = 200

# Files whose path alone speaks for them: ranking has to find more in them than that.
PATH_POOL = 20

# What a path's cosine counts beside its chunk's 1: the best of 0.1 to 1.5 on retrieval questions (docs/chunking.md).
PATH_WEIGHT = 0.7

# What a word is worth in a chunk's symbol, signature, docstring and code (bm25's column weights).
FIELD_WEIGHTS = (6.0, 2.0, 2.0, 1.0)


def by_words(connection: sqlite3.Connection, question: Question) -> dict[int, float]:
    """Return the best chunks in scope by bm25, best first; a higher score is better."""
    match = question.match()
    if match is None:
        return {}
    weights = ", ".join(str(weight) for weight in FIELD_WEIGHTS)
    rows = connection.execute(
        f"""
        SELECT rowid, bm25(chunk_words, {weights}) AS score FROM chunk_words
        WHERE chunk_words MATCH ? AND +rowid IN (SELECT id FROM scope_chunks)
        ORDER BY score, rowid LIMIT {POOL}
        """,
        (match,),
    )
    return {rowid: -score for rowid, score in rows}


def by_paths(connection: sqlite3.Connection, question: Question) -> list[int]:
    """Return the first chunk in scope of each file whose path shares words with the question, best first."""
    match = question.match()
    if match is None:
        return []
    rows = connection.execute(
        f"""
        SELECT min(scope_chunks.id) FROM path_words
        JOIN snapshot_files ON path_id = path_words.rowid
        JOIN scope_chunks USING(blob_id)
        WHERE path_words MATCH ? GROUP BY path_words.rowid ORDER BY min(path_words.rank), path_words.rowid
        LIMIT {PATH_POOL}
        """,
        (match,),
    )
    return [row[0] for row in rows]


@dataclass(frozen=True, slots=True)
class Meaning:
    """Chunks by their nearness in meaning, best first: the cosine of their passage plus a share of their path's.

    `best_cosine` is the greatest of the passages alone.
    """

    scores: dict[int, float]
    best_cosine: float


def by_meaning(
    connection: sqlite3.Connection,
    vectors: dict[int, Vectors],
    questions: dict[int, Floats],
    scope: Scope,
    others: Iterable[int],
) -> Meaning:
    """Score the chunks in scope that are nearest to the question, those of the nearest paths, and `others`.

    `vectors` and `questions` (the question's embeddings, [dimension]) are by model.
    """
    scores: dict[int, float] = {}
    best = 0.0
    others = list(others)
    for model_id, allowed in scope.embeddings.items():
        question = questions[model_id]
        ids, cosines = vectors[model_id].nearest(question, allowed, POOL)
        near = dict(zip(ids.tolist(), cosines.tolist(), strict=True))
        best = max([best, *near.values()])
        paths = scope.paths[model_id]
        path_cosines = paths.vectors @ question
        path_of = dict(zip(paths.blobs.tolist(), path_cosines.tolist(), strict=True))
        nearest_paths = paths.blobs[np.lexsort((paths.blobs, -path_cosines))[:PATH_POOL]].tolist()
        rows = connection.execute(
            f"""
            SELECT scope_chunks.id, scope_chunks.blob_id, vector FROM scope_chunks
            JOIN chunks ON chunks.id = scope_chunks.id
            JOIN embeddings ON embeddings.passage = chunks.passage AND embeddings.model_id = ?
            WHERE scope_chunks.id IN (
                SELECT chunks.id FROM embeddings JOIN chunks ON chunks.passage = embeddings.passage
                WHERE embeddings.id IN ({_marks(near)})
                UNION SELECT id FROM scope_chunks WHERE blob_id IN ({_marks(nearest_paths)})
                UNION SELECT id FROM scope_chunks WHERE id IN ({_marks(others)})
            )
            """,
            [model_id, *near, *nearest_paths, *others],
        ).fetchall()
        matrix = np.frombuffer(b"".join(row[2] for row in rows), STORED).astype(np.float32)
        exact = matrix.reshape(len(rows), -1) @ question if rows else ()
        for (chunk_id, blob_id, _), cosine in zip(rows, exact, strict=True):
            scores[chunk_id] = float(cosine) + PATH_WEIGHT * path_of.get(blob_id, 0.0)
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return Meaning(dict(ordered), best)


def _marks(values: Sized) -> str:
    return ",".join("?" * len(values))
