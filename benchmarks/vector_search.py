"""How long the search for the nearest vectors takes, and what the search by signs misses.

    python -m benchmarks.vector_search [--home HOME] [--rows 125000 250000 1000000]

Recall is measured on the real embeddings of a home (by default the one that `python -m benchmarks.reindex` keeps) with
questions in plain words: the share of the ten nearest, and of the 100 nearest, that the search by signs finds too; once
among all, once among a third that is let in by a selector. Times are those of one core, also for more rows than the
home has: for them its embeddings are repeated, which changes no work that is done.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.reindex import QUESTIONS
from kuberian import Encoder
from kuberian.store.arrays import STORED
from kuberian.store.connection import transaction
from kuberian.store.home import Home
from kuberian.store.vector_files import write_files
from kuberian.store.vectors import SIGNS_SHARE, Vectors
from searcher.evidence.meaning import NEAREST
from tests.sdists import CACHE

MORE_QUESTIONS = (
    "how are configuration files read",
    "where is an error turned into a message for the user",
    "parse a date",
    "retry after a timeout",
    "convert a tree to a string",
    "which tests cover division by zero",
    "compare two expressions for equality",
    "register a plugin",
    "cache the result of a function",
    "documentation of the command line",
    "solve a system of equations",
    "print as LaTeX",
    "draw a plot",
    "random numbers with a seed",
    "multiply matrices",
    "deprecated since version",
)


def real_embeddings(home: Path) -> tuple[np.ndarray, int]:
    with sqlite3.connect(f"file:{home}/kuberian.db?mode=ro", uri=True) as connection:
        model_id, dimension = connection.execute(
            """
            SELECT id, dimension FROM models
            ORDER BY (SELECT count(*) FROM embeddings WHERE model_id = models.id) DESC
            """
        ).fetchone()
        rows = connection.execute("SELECT vector FROM embeddings WHERE model_id = ?", (model_id,)).fetchall()
    return np.frombuffer(b"".join(row[0] for row in rows), STORED).reshape(len(rows), dimension), dimension


def fill(connection: sqlite3.Connection, home: Home, vectors: np.ndarray, rows: int) -> None:
    model = (1, "m", None, "f", "float32", vectors.shape[1])
    with transaction(connection):
        connection.execute("INSERT INTO models VALUES(?, ?, ?, ?, ?, ?)", model)
        connection.executemany(
            "INSERT INTO embeddings(id, passage, model_id, vector) VALUES(?, ?, 1, ?)",
            ((number + 1, b"%d" % number, vectors[number % len(vectors)].tobytes()) for number in range(rows)),
        )
    write_files(connection, home, 1, exact_rows=0)


def recall(
    connection: sqlite3.Connection, exact: Vectors, signs: Vectors, questions: np.ndarray, allowed: np.ndarray, k: int
) -> float:
    shares = []
    for question in questions:
        wanted = set(exact.nearest(connection, question, allowed, k)[0].tolist())
        shares.append(len(wanted & set(signs.nearest(connection, question, allowed, k)[0].tolist())) / len(wanted))
    return statistics.mean(shares)


def milliseconds(connection: sqlite3.Connection, vectors: Vectors, questions: np.ndarray, allowed: np.ndarray) -> float:
    taken = []
    for question in [*questions[:3], *questions]:
        started = time.perf_counter()
        vectors.nearest(connection, question, allowed, NEAREST)
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken[3:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=CACHE.parent / "reindex" / "home")
    parser.add_argument("--rows", type=int, nargs="*", default=[125_000, 250_000, 1_000_000])
    parser.add_argument("--questions", type=Path, help="a text file with a question on each line")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    threadpool_limits(1)  # the libraries have counted the cores by now
    faiss.omp_set_num_threads(1)
    vectors, dimension = real_embeddings(arguments.home)
    texts = arguments.questions.read_text("utf-8").splitlines() if arguments.questions else QUESTIONS + MORE_QUESTIONS
    questions = Encoder(precision="float32").encode(list(texts))
    print(f"{len(vectors):,} embeddings, {len(questions)} questions; {SIGNS_SHARE:.0%} are scored after their signs")
    print(f"{'rows':>10}{'allowed':>10}{'exact ms':>10}{'signs ms':>10}{'recall@10':>11}{'recall@100':>12}")
    for rows in [len(vectors), *arguments.rows]:
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder))
            with home.writer() as connection:
                fill(connection, home, vectors, rows)
                exact = Vectors(connection, home, 1, dimension, exact_rows=rows, few_rows=0)
                signs = Vectors(connection, home, 1, dimension, exact_rows=0, few_rows=0)
                for step in (1, 3):
                    allowed = np.arange(1, rows + 1, step)
                    times = [milliseconds(connection, found, questions, allowed) for found in (exact, signs)]
                    line = f"{rows:>10,}{len(allowed):>10,}{times[0]:>10.2f}{times[1]:>10.2f}"
                    if rows == len(vectors):
                        shares = [recall(connection, exact, signs, questions, allowed, k) for k in (10, NEAREST)]
                        line += f"{shares[0]:>11.4f}{shares[1]:>12.4f}"
                    print(line, flush=True)


if __name__ == "__main__":
    main()
