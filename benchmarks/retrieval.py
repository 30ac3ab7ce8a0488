"""How well the right files are found: NDCG@10 on annotated questions about real repositories, asked of `Searcher`.

    python -m benchmarks.retrieval --data DIR [--results FILE] [--compare FILE]

DIR/repos/NAME are git repositories and DIR/queries.json a list of {"id", "repo", "language", "category", "query",
"root", "targets": [{"path", "start_line", "end_line"}]}. Each repository is indexed into DIR/home (which is brought up
to date if it is there), every question is asked, and NDCG@10 printed: the mean over repositories, by category and by
language, with the latency of a warm question. --results writes every answer; --compare shows which questions changed.

A target is hit by the first result in its file that overlaps its lines, if it has any; every target gains 1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby, islice
from math import log2
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from indexer import index
from searcher import Searcher
from searcher.evidence.features import CHUNK, FILE, Candidates, _distinct_stems, candidates
from searcher.evidence.lexical import weigh
from searcher.evidence.stems import Stemmer
from searcher.question import Question
from searcher.ranking import Weights, fitted, rank
from searcher.scope import Scope

K = 10

Query = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """Where a result is."""

    path: str
    start_line: int
    end_line: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--compare", type=Path)
    parser.add_argument("--parts", action="store_true", help="also measure what each part of ranking adds")
    arguments = parser.parse_args()
    queries = json.loads((arguments.data / "queries.json").read_text())
    home = arguments.data / "home"
    index_all(queries, arguments.data / "repos", home)
    scored, milliseconds = ask_all(queries, arguments.data / "repos", home)
    print_tables(queries, scored)
    tenths = statistics.quantiles(milliseconds, n=20)
    print(f"warm question: {statistics.median(milliseconds):.1f} ms in the middle, {tenths[-1]:.1f} ms for 19 of 20")
    if arguments.parts:
        print_parts(queries, arguments.data / "repos", home)
    if arguments.results:
        arguments.results.write_text(json.dumps(scored, indent=1))
    if arguments.compare:
        print_changes(queries, json.loads(arguments.compare.read_text()), scored)


def index_all(queries: Sequence[Query], repositories: Path, home: Path) -> None:
    """Index what is asked: each repository's working tree, or the revisions that its questions name."""
    started = time.monotonic()
    wanted = sorted({(query["repo"], query.get("at") or "") for query in queries})
    embedded, chunks = 0, 0
    for repository, revision in wanted:
        report = index(repositories / repository, home=home, revision=revision or None)
        embedded, chunks = embedded + report.passages_embedded, chunks + report.chunks
    seconds = time.monotonic() - started
    print(f"{len(wanted)} snapshots, {chunks:,} chunks, {embedded:,} embedded in {seconds:.0f} s")


def ask_all(
    queries: Sequence[Query], repositories: Path, home: Path, weights: Weights | None = None
) -> tuple[dict[str, dict[str, Any]], list[float]]:
    """Return every question's results and scores, and the milliseconds that each took."""
    scored, milliseconds = {}, []
    with Searcher(home, weights) as searcher:
        for (repository, at), group in groupby(sorted(queries, key=_scope), _scope):
            folder = str(repositories / repository)
            searcher.search("warm up", repository=folder, at=at or None)
            for query in group:
                started = time.perf_counter()
                results = searcher.search(query["query"], k=K, repository=folder, at=at or None).results
                milliseconds.append(1000 * (time.perf_counter() - started))
                places = [Found(result.path, result.start_line, result.end_line) for result in results]
                scored[query["id"]] = {**scores(query, places), "results": [asdict(place) for place in places]}
    return scored, milliseconds


def _scope(query: Query) -> tuple[str, str]:
    return query["repo"], query.get("at") or ""


def scores(query: Query, results: Sequence[Found]) -> dict[str, float]:
    """Return NDCG@10, the reciprocal rank of the first hit, and the share of the targets that are hit."""
    first = {hit for target in query["targets"] if (hit := _first_hit(query, target, results))}
    found = sum(_first_hit(query, target, results) is not None for target in query["targets"])
    return {
        "ndcg": ndcg(query, results),
        "mrr": 1 / min(first) if first else 0.0,
        "recall": found / len(query["targets"]),
    }


def ndcg(query: Query, results: Sequence[Found]) -> float:
    """Return NDCG@10; a second chunk of a file takes a rank and gains nothing where the target is the file."""
    ranks = {hit for target in query["targets"] if (hit := _first_hit(query, target, results))}
    ideal = sum(1 / log2(rank + 1) for rank in range(1, min(K, len(query["targets"])) + 1))
    return sum(1 / log2(rank + 1) for rank in ranks) / ideal if ideal else 0.0


def _first_hit(query: Query, target: dict[str, Any], results: Sequence[Found]) -> int | None:
    """Return the rank (from 1) of the first result in a target's file that overlaps its lines."""
    for position, result in enumerate(results, 1):
        if _is_hit(query, target, result):
            return position
    return None


def _is_hit(query: Query, target: dict[str, Any], result: Found) -> bool:
    return same_file(result.path, target["path"], query["root"]) and overlaps(result, target)


def same_file(found: str, target: str, root: str | None) -> bool:
    below = found.removeprefix(f"{root}/") if root else found
    return below == target or below.endswith("/" + target) or target.endswith("/" + below)


def overlaps(result: Found, target: dict[str, Any]) -> bool:
    if target["start_line"] is None:
        return True
    return bool(result.start_line <= target["end_line"] and result.end_line >= target["start_line"])


def mean_over_repositories(queries: Iterable[Query], scored: Mapping[str, Mapping[str, Any]], measure: str) -> float:
    by_repository = defaultdict(list)
    for query in queries:
        by_repository[query["repo"]].append(scored[query["id"]][measure])
    return statistics.mean(statistics.mean(values) for values in by_repository.values())


def print_tables(queries: Sequence[Query], scored: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the measures over all questions, by category and by language."""
    print(f"{'':<24} questions  NDCG@{K}  MRR@{K}  recall@{K}")
    for field in ("all", "category", "language"):
        for value in sorted({query.get(field) or "" for query in queries}):
            part = [query for query in queries if (query.get(field) or "") == value]
            measured = [mean_over_repositories(part, scored, measure) for measure in ("ndcg", "mrr", "recall")]
            print(f"{field:<10}{value:<14} {len(part):>9}  " + "  ".join(f"{score:7.4f}" for score in measured))


def print_parts(queries: Sequence[Query], repositories: Path, home: Path) -> None:
    """Print the mean of words alone, meaning alone, both, and all without each feature in turn."""
    words = dict.fromkeys(("words_best", "words_three", "words_file"), 1.0)
    meaning = dict.fromkeys(("meaning_three", "meaning_mean", "meaning_path", "meaning_outline"), 1.0)
    all_weights = fitted()
    repeat = (all_weights.repeat, all_weights.repeat_later)
    nearest = {"meaning": 1.0}
    tried: dict[str, Chooser] = {
        "reciprocal rank fusion": fused,
        "words alone": _and_words(Weights.of(words, {}, *repeat), 1.0),
        "meaning alone": _and_words(Weights.of(meaning, nearest, *repeat), 0.0),
        "words and meaning": _and_words(Weights.of({**words, **meaning}, nearest, *repeat), 1.0),
        "all": _and_words(all_weights, 0.0),
        **{f"without {name}": _and_words(all_weights.without(name), 0.0) for name in FILE},
    }
    found = rankings(queries, repositories, home, list(tried.values()))
    for name, scored in zip(tried, found, strict=True):
        measured = [mean_over_repositories(queries, scored, measure) for measure in ("ndcg", "mrr", "recall")]
        print(f"{name:<28} " + "  ".join(f"{score:7.4f}" for score in measured))


def rankings(
    queries: Sequence[Query], repositories: Path, home: Path, tried: Sequence[Chooser]
) -> list[dict[str, dict[str, float]]]:
    """Return the scores of every question under each of several rankings, from the same candidates."""
    found: list[dict[str, dict[str, float]]] = [{} for _ in tried]
    with mock.patch("searcher.searcher.candidates", _candidates_with_words):
        for example in collect(queries, repositories, home):
            for scored, choose in zip(found, tried, strict=True):
                chosen = choose(example) if callable(choose) else example.best(choose)
                scored[example.query["id"]] = scores(example.query, chosen)
    return found


def _candidates_with_words(
    connection: Any, stemmer: Stemmer, vectors: Any, question: Question, embedded: Any, scope: Scope
) -> Candidates:
    """Collect candidates with one more feature of chunks, the last: the question's words in them (`Lexical.chunks`)."""
    found = candidates(connection, stemmer, vectors, question, embedded, scope)
    if not len(found.chunks):
        return replace(found, chunk_features=np.empty((0, len(CHUNK) + 1), np.float32))
    words = weigh(connection, list(_distinct_stems(stemmer, question.terms)), scope).chunks[found.chunks]
    return replace(found, chunk_features=np.column_stack([found.chunk_features, words]))


def _and_words(weights: Weights, worth: float) -> Weights:
    """Return weights for candidates with words: the last feature of chunks is worth this much."""
    return replace(weights, chunk=np.append(weights.chunk, np.float32(worth)))


@dataclass(frozen=True)
class Example:
    """A question with its candidates, and where their chunks are."""

    query: Query
    candidates: Candidates
    places: list[Found]  # of each chunk

    def best(self, weights: Weights) -> list[Found]:
        """Return where the best K chunks are."""
        ranked = islice(rank(self.candidates, weights), K)
        return [self.places[at] for at in np.searchsorted(self.candidates.chunks, [found.position for found in ranked])]

    def right_chunks(self) -> list[int]:
        """Return the positions, among the candidates' chunks, of those that hit a target."""
        return [
            at
            for at, place in enumerate(self.places)
            if any(_is_hit(self.query, target, place) for target in self.query["targets"])
        ]

    def right_files(self) -> list[int]:
        """Return the positions, among the candidates' files, of those that have a target."""
        paths = {int(file): place.path for file, place in zip(self.candidates.file_of, self.places, strict=True)}
        return [
            file
            for file, path in sorted(paths.items())
            if any(same_file(path, target["path"], self.query["root"]) for target in self.query["targets"])
        ]


Chooser = Weights | Callable[[Example], list[Found]]


def fused(example: Example) -> list[Found]:
    """Return the best K chunks by plain reciprocal rank fusion of words and meaning, with the usual constant of 60."""
    total = np.zeros(len(example.places))
    for column in (-1, CHUNK.index("meaning")):
        order = np.argsort(-example.candidates.chunk_features[:, column], kind="stable")
        total[order] += 1 / (60 + 1 + np.arange(len(order)))
    return [example.places[at] for at in np.argsort(-total, kind="stable")[:K]]


def collect(queries: Sequence[Query], repositories: Path, home: Path) -> Iterator[Example]:
    """Yield every question with what ranking would choose from."""
    with Searcher(home) as searcher:
        for query in sorted(queries, key=_scope):
            repository, at = _scope(query)
            found, scope = searcher.candidates(query["query"], repository=str(repositories / repository), at=at or None)
            lines = searcher.lines(scope.chunks[found.chunks])
            paths = [scope.places[file][0].path for file in found.files]
            places = [Found(paths[file], start, end) for file, (start, end) in zip(found.file_of, lines, strict=True)]
            yield Example(query, found, places)


def print_changes(queries: Sequence[Query], before: dict[str, dict[str, Any]], now: dict[str, Any]) -> None:
    changes = [(now[query["id"]]["ndcg"] - before[query["id"]]["ndcg"], query) for query in queries]
    for change, query in sorted(changes, key=lambda item: item[0]):
        if abs(change) > 0.01:
            print(f"  {change:+.3f}  {query['id']}: {query['query']}")


if __name__ == "__main__":
    main()
