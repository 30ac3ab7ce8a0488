"""What a home answers of one working tree or revision, to be compared with what another home answers."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer import Explanation
from kuberian.store.columns import from_column, to_column
from searcher import Result, Searcher

QUESTIONS = ("one", "return four", "what are some words", "where is Three")

# More than a rounding to float16 changes; less than any word of a question is worth.
_SCORES = 0.01


@dataclass(frozen=True)
class Answers:
    """All that a home says of a tree.

    `files` are by path: object id, reason to skip, labels, language. `chunks` are sorted; `vectors` are theirs.
    `results` are the lists of results of `QUESTIONS`.
    """

    files: dict[str, tuple[str | None, str | None, str, str | None]]
    chunks: list[tuple[Any, ...]]
    vectors: np.ndarray
    results: list[tuple[Result, ...]]

    def skipped(self, *reasons: str) -> set[str]:
        """Return the files that are skipped for one of these reasons."""
        return {path for path, (_, skipped, *_) in self.files.items() if skipped in reasons}


def answers(home: Path, searcher: Searcher, root: Path, revision: str | None) -> Answers | None:
    """Return what a home, and a searcher of it, answer of a working tree or a commit; None where it is not indexed."""
    with sqlite3.connect(home / "kuberian.db") as connection:
        row = connection.execute(
            """
            SELECT snapshots.id FROM snapshots JOIN repositories ON repositories.id = repository_id
            WHERE path = ? AND revision = ?
            """,
            (to_column(str(root)), revision or "worktree"),
        ).fetchone()
        if row is None:
            return None
        files = connection.execute(
            """
            SELECT path, oid, snapshot_files.skipped, labels, language FROM snapshot_files
            JOIN paths ON paths.id = path_id LEFT JOIN blobs ON blobs.id = blob_id WHERE snapshot_id = ?
            """,
            row,
        ).fetchall()
        chunks = connection.execute(
            """
            SELECT path, start_line, end_line, chunks.kind, symbol, signature, doc, vector
            FROM snapshot_files JOIN snapshots ON snapshots.id = snapshot_id
            JOIN paths ON paths.id = path_id JOIN chunks USING(blob_id)
            JOIN embeddings ON embeddings.passage = chunks.passage AND embeddings.model_id = snapshots.model_id
            WHERE snapshot_id = ?
            """,
            row,
        ).fetchall()
    connection.close()
    chunks.sort(key=lambda row: (from_column(row[0]), *row[1:3], repr(row[3:-1])))
    vectors = np.frombuffer(b"".join(row[-1] for row in chunks), "<f2").astype(np.float32)
    found: list[tuple[Result, ...]] = []
    if root.exists():  # else a search says that the repository is gone
        found = [searcher.search(each, 200, str(root), at=revision).results for each in QUESTIONS]
    return Answers(
        {from_column(path): tuple(rest) for path, *rest in files},
        [row[:-1] for row in chunks],
        vectors.reshape(len(chunks), -1 if chunks else 0),
        found,
    )


def assert_same(mine: Answers | None, fresh: Answers | None, known: Collection[str] = ()) -> None:
    """Assert that two homes answer the same. One may know the contents of `known` paths, that the other one lacks."""
    assert mine is not None
    assert fresh is not None
    assert _without(mine.files, known) == _without(fresh.files, known)
    kept = [number for number, chunk in enumerate(mine.chunks) if from_column(chunk[0]) not in known]
    assert [mine.chunks[number] for number in kept] == fresh.chunks
    np.testing.assert_allclose(mine.vectors[kept], fresh.vectors, atol=1e-3)  # half a step of float16
    if known:  # then even the words are rarer or more common
        return
    for some, others in zip(mine.results, fresh.results, strict=True):
        assert_same_results(some, others)


def assert_same_results(some: tuple[Result, ...], others: tuple[Result, ...]) -> None:
    """Assert that the same chunks are found, with the same scores but for rounding."""
    assert {_told(result) for result in some} == {_told(result) for result in others}
    scores = {_told(result): result.score for result in others}
    differences = [result.score - scores[_told(result)] for result in some]
    assert [each for each in differences if abs(each) > _SCORES] == []


def assert_explained(explanations: list[Explanation], found: Answers, known: Collection[str] = ()) -> None:
    """Assert that `index --dry-run` says of each file what an index run made of it."""
    said = {each.path: each for each in explanations if each.skipped != "gone"}
    assert {path: each.skipped for path, each in said.items() if path not in known} == {
        path: skipped for path, (_, skipped, *_) in found.files.items() if path not in known
    }
    chunks = Counter(from_column(chunk[0]) for chunk in found.chunks)
    for path, (_, skipped, labels, language) in found.files.items():
        if skipped is None and path not in known:
            each = said[path]
            assert (" ".join(each.labels), each.language or "", len(each.chunks)) == (
                labels,
                language or "",
                chunks[path],
            )


def _told(result: Result) -> tuple[Any, ...]:
    place = (result.path, result.start_line, result.end_line, result.kind, result.symbol, result.signature)
    return (*place, result.language, result.text, result.stale, result.labels, result.revision)


def _without(files: dict[str, Any], paths: Collection[str]) -> dict[str, Any]:
    return {path: file for path, file in files.items() if path not in paths}
