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
from collections.abc import Iterable
from math import log2
from pathlib import Path
from typing import Any

from indexer import index
from searcher import Result, Searcher

K = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--compare", type=Path)
    arguments = parser.parse_args()
    queries = json.loads((arguments.data / "queries.json").read_text())
    home = arguments.data / "home"
    index_all(arguments.data / "repos", home)
    scored, milliseconds = ask_all(queries, arguments.data / "repos", home)
    print_tables(queries, scored)
    tenths = statistics.quantiles(milliseconds, n=20)
    print(f"warm question: {statistics.median(milliseconds):.1f} ms in the middle, {tenths[-1]:.1f} ms for 19 of 20")
    if arguments.results:
        arguments.results.write_text(json.dumps(scored, indent=1))
    if arguments.compare:
        print_changes(queries, json.loads(arguments.compare.read_text()), scored)


def index_all(repositories: Path, home: Path) -> None:
    started = time.monotonic()
    reports = [index(folder, home=home) for folder in sorted(repositories.iterdir())]
    chunks = sum(report.chunks for report in reports)
    embedded = sum(report.passages_embedded for report in reports)
    print(
        f"{len(reports)} repositories, {chunks:,} chunks, {embedded:,} embedded in {time.monotonic() - started:.0f} s"
    )


def ask_all(
    queries: list[dict[str, Any]], repositories: Path, home: Path
) -> tuple[dict[str, dict[str, Any]], list[float]]:
    scored, milliseconds = {}, []
    with Searcher(home) as searcher:
        for repository in sorted({query["repo"] for query in queries}):
            folder = str(repositories / repository)
            searcher.search("warm up", repository=folder)
            for query in (query for query in queries if query["repo"] == repository):
                started = time.perf_counter()
                results = searcher.search(query["query"], k=K, repository=folder).results
                milliseconds.append(1000 * (time.perf_counter() - started))
                places = [(result.path, result.start_line, result.end_line) for result in results]
                scored[query["id"]] = {"ndcg": ndcg(query, results), "results": places}
    return scored, milliseconds


def ndcg(query: dict[str, Any], results: Iterable[Result]) -> float:
    """Return NDCG@10; a second chunk of a file takes a rank and gains nothing where the target is the file."""
    ranks = set()
    for target in query["targets"]:
        for rank, result in enumerate(results, 1):
            if same_file(result.path, target["path"], query["root"]) and overlaps(result, target):
                ranks.add(rank)
                break
    ideal = sum(1 / log2(rank + 1) for rank in range(1, min(K, len(query["targets"])) + 1))
    return sum(1 / log2(rank + 1) for rank in ranks) / ideal if ideal else 0.0


def same_file(found: str, target: str, root: str | None) -> bool:
    below = found.removeprefix(f"{root}/") if root else found
    return below == target or below.endswith("/" + target) or target.endswith("/" + below)


def overlaps(result: Result, target: dict[str, Any]) -> bool:
    if target["start_line"] is None:
        return True
    return bool(result.start_line <= target["end_line"] and result.end_line >= target["start_line"])


def mean_over_repositories(queries: list[dict[str, Any]], scored: dict[str, dict[str, Any]]) -> float:
    by_repository = defaultdict(list)
    for query in queries:
        by_repository[query["repo"]].append(scored[query["id"]]["ndcg"])
    return statistics.mean(statistics.mean(values) for values in by_repository.values())


def print_tables(queries: list[dict[str, Any]], scored: dict[str, dict[str, Any]]) -> None:
    print(f"NDCG@{K} {mean_over_repositories(queries, scored):.4f} over {len(queries)} questions")
    for field in ("category", "language"):
        for value in sorted({query[field] for query in queries}):
            part = [query for query in queries if query[field] == value]
            print(f"  {field:<9} {value:<13} {len(part):>4} questions  {mean_over_repositories(part, scored):.4f}")


def print_changes(queries: list[dict[str, Any]], before: dict[str, dict[str, Any]], now: dict[str, Any]) -> None:
    changes = [(now[query["id"]]["ndcg"] - before[query["id"]]["ndcg"], query) for query in queries]
    for change, query in sorted(changes, key=lambda item: item[0]):
        if abs(change) > 0.01:
            print(f"  {change:+.3f}  {query['id']}: {query['query']}")


if __name__ == "__main__":
    main()
