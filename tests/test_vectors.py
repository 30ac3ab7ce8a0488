"""The vector files: written in segments, searched exactly or by signs, never trusted more than SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kuberian.store.arrays import STORED, distinct, distinct_and_index, in_order_of_appearance
from kuberian.store.connection import transaction
from kuberian.store.home import Home
from kuberian.store.vector_files import write_files
from kuberian.store.vector_rows import current_files
from kuberian.store.vectors import ExactVectors, Vectors

DIMENSION, ROWS, MODEL = 64, 4000, 1


@pytest.fixture
def connection(home: Path) -> Iterator[sqlite3.Connection]:
    """A home with embeddings that lie in clusters, as those of texts do; every other id is missing."""
    with Home(home).writer() as opened:
        opened.execute("INSERT INTO models VALUES(?, 'm', NULL, 'f', 'float32', ?)", (MODEL, DIMENSION))
        add(opened, 0, ROWS)
        yield opened


def embeddings(first: int, count: int) -> np.ndarray:
    random = np.random.default_rng(first)
    centres = np.random.default_rng(7).normal(size=(40, DIMENSION))
    found = centres[random.integers(0, 40, count)] + 0.7 * random.normal(size=(count, DIMENSION))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(STORED)


def add(connection: sqlite3.Connection, first: int, count: int) -> None:
    rows = [
        (2 * (first + number) + 1, b"%d" % (first + number), MODEL, vector.tobytes())
        for number, vector in enumerate(embeddings(first, count))
    ]
    with transaction(connection):
        connection.executemany("INSERT INTO embeddings(id, passage, model_id, vector) VALUES(?, ?, ?, ?)", rows)


def expected(connection: sqlite3.Connection, question: np.ndarray, allowed: np.ndarray, k: int) -> list[int]:
    rows = connection.execute("SELECT id, vector FROM embeddings ORDER BY id").fetchall()
    scores = {row[0]: float(np.frombuffer(row[1], STORED).astype(np.float32) @ question) for row in rows}
    return sorted(set(allowed.tolist()) & set(scores), key=lambda id: (-scores[id], id))[:k]


def questions(count: int = 20) -> np.ndarray:
    return embeddings(99, count).astype(np.float32)


def files(connection: sqlite3.Connection, home: Path) -> list[int]:
    return [file.rows for file in current_files(connection, Home(home), MODEL)]


ALL = np.arange(1, 4 * ROWS)
SOME = np.arange(1, 2 * ROWS, 7)


@pytest.mark.parametrize("segment_rows", [700, 1 << 17])
@pytest.mark.parametrize("allowed", [ALL, SOME, SOME[:3], SOME[:0]])
def test_exact_search_finds_the_nearest_of_the_allowed(
    connection: sqlite3.Connection, home: Path, segment_rows: int, allowed: np.ndarray
) -> None:
    write_files(connection, Home(home), MODEL, segment_rows=segment_rows)
    add(connection, ROWS, 50)  # not in the files yet
    vectors = Vectors(connection, Home(home), MODEL, DIMENSION, few_rows=0)
    for question in questions(5):
        ids, scores = vectors.nearest(connection, question, allowed, 30)
        assert ids.tolist() == expected(connection, question, allowed, 30)
        assert (np.diff(scores) <= 0).all()


@pytest.mark.parametrize("allowed", [ALL, SOME])
def test_search_by_signs_finds_almost_the_same_and_only_what_is_allowed(
    connection: sqlite3.Connection, home: Path, allowed: np.ndarray
) -> None:
    write_files(connection, Home(home), MODEL, segment_rows=900, exact_rows=100)
    vectors = Vectors(connection, Home(home), MODEL, DIMENSION, few_rows=0, exact_rows=100)
    found = 0
    for question in questions():
        ids, scores = vectors.nearest(connection, question, allowed, 200)
        assert set(ids.tolist()) <= set(allowed.tolist())
        assert len(ids) == min(200, len(set(allowed.tolist()) & set(range(1, 2 * ROWS, 2))))
        exact = np.frombuffer(
            connection.execute("SELECT vector FROM embeddings WHERE id = ?", (int(ids[0]),)).fetchone()[0], STORED
        )
        assert scores[0] == pytest.approx(float(exact.astype(np.float32) @ question), abs=1e-6)
        found += len(set(ids[:10].tolist()) & set(expected(connection, question, allowed, 10)))
    assert found >= 0.95 * 10 * 20


def test_signs_give_the_same_answer_however_the_rows_are_filed(connection: sqlite3.Connection, home: Path) -> None:
    answers = []
    for segment_rows in (600, 1 << 17):
        write_files(connection, Home(home), MODEL, anew=True, segment_rows=segment_rows, exact_rows=100)
        vectors = Vectors(connection, Home(home), MODEL, DIMENSION, few_rows=0, exact_rows=100)
        answers.append([vectors.nearest(connection, question, ALL, 50)[0].tolist() for question in questions()])
    assert answers[0] == answers[1]


def test_an_addition_writes_the_last_file_again_and_no_other(connection: sqlite3.Connection, home: Path) -> None:
    write_files(connection, Home(home), MODEL, segment_rows=1500)
    assert files(connection, home) == [1500, 1500, 1000]
    before = {file.name for file in (home / "vectors").iterdir()}
    add(connection, ROWS, 1001)
    assert write_files(connection, Home(home), MODEL, segment_rows=1500)
    assert files(connection, home) == [1500, 1500, 1500, 501]
    after = {file.name for file in (home / "vectors").iterdir()}
    assert len(before & after) == 2
    assert not write_files(connection, Home(home), MODEL, segment_rows=1500)


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_lost_file_in_the_middle_changes_no_answer(connection: sqlite3.Connection, home: Path, broken: int) -> None:
    write_files(connection, Home(home), MODEL, segment_rows=1400)
    row = current_files(connection, Home(home), MODEL)[broken]
    row.path.unlink()
    vectors = Vectors(connection, Home(home), MODEL, DIMENSION, few_rows=0)
    question = questions(1)[0]
    assert vectors.nearest(connection, question, ALL, 30)[0].tolist() == expected(connection, question, ALL, 30)
    write_files(connection, Home(home), MODEL, segment_rows=1400)
    assert files(connection, home) == [1400, 1400, 1200]


def test_exact_cosines_are_those_of_sqlite_whatever_is_remembered(connection: sqlite3.Connection) -> None:
    exact = ExactVectors(DIMENSION, rows=100)
    stored = embeddings(0, ROWS).astype(np.float32)
    random = np.random.default_rng(5)
    for question in questions(10):
        # a few, all that there is room for, more than that
        for count in (0, 1, 30, 100, 350):
            numbers = np.sort(random.choice(ROWS, count, replace=False))
            found = exact.cosines(connection, 2 * numbers + 1, question)
            np.testing.assert_allclose(found, stored[numbers] @ question, atol=1e-6)


def test_what_is_remembered_is_not_read_again(connection: sqlite3.Connection) -> None:
    exact = ExactVectors(DIMENSION)
    ids, question = np.array([1, 5, 301]), questions(1)[0]
    before = exact.cosines(connection, ids, question)
    connection.execute("DELETE FROM embeddings")
    assert (exact.cosines(connection, ids, question) == before).all()


def test_an_embedding_that_does_not_exist_is_an_error(connection: sqlite3.Connection) -> None:
    with pytest.raises(KeyError, match="1 of 2 embeddings"):
        ExactVectors(DIMENSION).cosines(connection, np.array([1, 2]), questions(1)[0])


@pytest.mark.parametrize("ids", [[], [5], [3, 1, 3, 2, 1], list(range(100)) * 3])
def test_ids_are_told_apart_as_numpy_does_it(ids: list[int]) -> None:
    given = np.array(ids, np.int64)
    expected, first, index = np.unique(given, return_index=True, return_inverse=True)
    np.testing.assert_array_equal(distinct(given), expected)
    found = distinct_and_index(given)
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(found[1], index)
    np.testing.assert_array_equal(in_order_of_appearance(given), given[np.sort(first)])


def test_few_vectors_are_compared_without_faiss_and_to_the_same_end(connection: sqlite3.Connection, home: Path) -> None:
    write_files(connection, Home(home), MODEL)
    by_faiss = Vectors(connection, Home(home), MODEL, DIMENSION, few_rows=0)
    without = Vectors(connection, Home(home), MODEL, DIMENSION)
    for question in questions(5):
        found, expected_ = (vectors.nearest(connection, question, ALL, 30) for vectors in (without, by_faiss))
        assert found[0].tolist() == expected_[0].tolist()
        np.testing.assert_allclose(found[1], expected_[1], atol=1e-6)
