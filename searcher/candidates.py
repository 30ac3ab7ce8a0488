"""Candidates for an answer: the chunks that share words with the question, and those that are near it in meaning."""

from __future__ import annotations

import sqlite3

import numpy as np
import numpy.typing as npt

from kuberian.store.vectors import Vectors
from searcher.question import Question
from searcher.scope import Scope

# Candidates from each side, whatever `k` is, so that a larger `k` cannot change what comes first.
POOL = 200

# Files whose path alone speaks for them: ranking has to find more in them than that.
PATH_POOL = 20

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


def by_meaning(
    connection: sqlite3.Connection,
    vectors: dict[int, Vectors],
    questions: dict[int, npt.NDArray[np.float32]],
    scope: Scope,
) -> dict[int, float]:
    """Return the chunks in scope whose passages are nearest to the question, best first, with their cosines.

    `vectors` and `questions` (the question's embeddings, [dimension]) are by model.
    """
    found: list[tuple[float, int]] = []
    for model_id, allowed in scope.embeddings.items():
        ids, cosines = vectors[model_id].nearest(questions[model_id], allowed, POOL)
        near = dict(zip(ids.tolist(), cosines.tolist(), strict=True))
        marks = ",".join("?" * len(near))
        rows = connection.execute(
            f"""
            SELECT embeddings.id, chunks.id FROM embeddings
            JOIN chunks ON chunks.passage = embeddings.passage
            JOIN scope_chunks ON scope_chunks.id = chunks.id
            WHERE embeddings.id IN ({marks})
            """,
            list(near),
        )
        found += [(near[embedding_id], chunk_id) for embedding_id, chunk_id in rows]
    found.sort(key=lambda item: (-item[0], item[1]))
    return {chunk_id: cosine for cosine, chunk_id in found}
