"""How well the very function is found, by what it does and by its name, and whether nothing is found where nothing is.

    python -m benchmarks.functions DIR [--mirrors DIR]
    python -m benchmarks.quality --data DIR [--retrieval DIR2] [--part judge] [--results FILE] [--compare FILE]

All projects are indexed into DIR/home, and ten results of every question are looked at. A function is found by a result
that has its line and is called like it ("lenient": that has its line). A name is found by a first result that is called
like it and begins where a definition of that name does. A question without an answer is refused if it has no results.
--retrieval also asks the questions of `benchmarks.retrieval`. All means are over languages of means over projects.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks import names, retrieval, unanswerable
from benchmarks.cpu import cpu
from benchmarks.names import ASKINGS
from benchmarks.unanswerable import SORTS
from indexer import index
from searcher import Searcher
from searcher.results import Result

K = 10
SHOWN = 3
FUNCTIONS, NAMES, UNANSWERABLE = "functions", "names", "unanswerable"
PARTS = ("fit", "judge")

Query = dict[str, Any]
Answer = dict[str, Any]
Measures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--retrieval", type=Path)
    parser.add_argument("--part", choices=(*PARTS, "all"), default="all")
    parser.add_argument("--language", help="only these, with commas between")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--compare", type=Path)
    parser.add_argument("--anew", action="store_true", help="make the home anew")
    arguments = parser.parse_args()
    asked = [query for query in questions(arguments.data) if arguments.part in ("all", query["part"])]
    if arguments.language:
        asked = [query for query in asked if query["language"] in arguments.language.split(",")]
    home = arguments.data / "home"
    if arguments.anew:
        shutil.rmtree(home, ignore_errors=True)
    index_all(asked, arguments.data / "repos", home)
    answers = ask_all(asked, arguments.data / "repos", home)
    before = json.loads(arguments.compare.read_text()) if arguments.compare else {}
    tables = {"table": table(asked, answers)}
    print(cpu())
    earlier = before.get("answers", {})
    print_table(tables["table"], table([query for query in asked if query["id"] in earlier], earlier))
    print_times(asked, answers)
    if arguments.retrieval:
        tables["retrieval"] = {"retrieval": ask_retrieval(arguments.retrieval)}
        print_table(tables["retrieval"], before.get("retrieval", {}))
    if before:
        print_changes(asked, before["answers"], answers)
    if arguments.results:
        arguments.results.write_text(json.dumps({**tables, "answers": answers}, indent=1))


def questions(data: Path) -> list[Query]:
    """Return all questions, each with its sort; those that are not there yet are made."""
    functions = json.loads((data / "queries.json").read_text())
    by_name = _read(data / "names.json") or names.write(data)
    without = _read(data / "unanswerable.json") or unanswerable.write(data)
    sorts = {FUNCTIONS: functions, NAMES: by_name, UNANSWERABLE: without}
    return [{**query, "asks": sort} for sort, queries in sorts.items() for query in queries]


def _read(file: Path) -> list[Query] | None:
    return json.loads(file.read_text()) if file.exists() else None


def index_all(asked: Iterable[Query], repositories: Path, home: Path) -> None:
    """Index each project that is asked about. The indexer decides what is new."""
    started = time.monotonic()
    reports = [index(repositories / name, home=home, wait=True) for name in sorted({query["repo"] for query in asked})]
    chunks, embedded = sum(report.chunks for report in reports), sum(report.passages_embedded for report in reports)
    seconds = time.monotonic() - started
    print(f"{len(reports)} projects, {chunks:,} chunks, {embedded:,} embedded in {seconds:.0f} s", flush=True)


def ask_all(asked: Iterable[Query], repositories: Path, home: Path) -> dict[str, Answer]:
    """Ask every question, and return what was found for each."""
    answers = {}
    with Searcher(home) as searcher:
        for repository, group in groupby(sorted(asked, key=_repository), _repository):
            folder = str(repositories / repository)
            searcher.search("warm up", repository=folder)
            for query in group:
                started = time.perf_counter()
                results = searcher.search(query["query"], k=K, repository=folder).results
                milliseconds = 1000 * (time.perf_counter() - started)
                judged = _JUDGES[query["asks"]](query, results)
                answers[query["id"]] = {**judged, "milliseconds": round(milliseconds, 1), "shown": shown(results)}
    return answers


def shown(results: Sequence[Result]) -> list[str]:
    """Return the first results as a line each, to see what was found instead."""
    return [f"{found.path}:{found.start_line}-{found.end_line} {found.symbol}" for found in results[:SHOWN]]


def _repository(query: Query) -> str:
    return str(query["repo"])


def judge_function(query: Query, results: Sequence[Result]) -> Answer:
    """Return the ranks (0: none) of the first result that is the function, has its line, and is of its file."""
    return {
        "named": _rank(results, lambda result: has_line(result, query) and is_called(result, query["name"])),
        "line": _rank(results, lambda result: has_line(result, query)),
        "file": _rank(results, lambda result: any(result.path == target["path"] for target in query["targets"])),
        "refused": not results,
    }


def judge_name(query: Query, results: Sequence[Result]) -> Answer:
    """Return the ranks (0: none) of the first result that is a definition of the name, and that has its line."""
    return {
        "named": _rank(results, lambda result: begins_definition(result, query)),
        "line": _rank(results, lambda result: has_line(result, query)),
        "refused": not results,
    }


def judge_unanswerable(query: Query, results: Sequence[Result]) -> Answer:
    """Return whether the question was refused."""
    return {"refused": not results}


_JUDGES = {FUNCTIONS: judge_function, NAMES: judge_name, UNANSWERABLE: judge_unanswerable}


def _rank(results: Sequence[Result], is_right: Callable[[Result], bool]) -> int:
    return next((rank for rank, result in enumerate(results, 1) if is_right(result)), 0)


def has_line(result: Result, query: Query) -> bool:
    """Tell whether a result has the line at which one of the right definitions begins."""
    return any(
        result.path == target["path"]
        and result.start_line <= target.get("line", target["start_line"]) <= result.end_line
        for target in query["targets"]
    )


def begins_definition(result: Result, query: Query) -> bool:
    """Tell whether a result is called like the name and begins where a definition of it does."""
    return is_called(result, query["name"]) and any(
        result.path == target["path"] and target["start_line"] <= result.start_line <= target["line"]
        for target in query["targets"]
    )


def is_called(result: Result, name: str) -> bool:
    """Tell whether the last part of a result's symbol is the name."""
    return result.symbol is not None and (result.symbol == name or result.symbol.endswith("." + name))


def table(asked: Sequence[Query], answers: Mapping[str, Answer]) -> dict[str, Measures]:
    """Return all measures: of each language, of each part, and of all."""
    languages = sorted({query["language"] for query in asked})
    rows = {language: of_language([q for q in asked if q["language"] == language], answers) for language in languages}
    for part in sorted({query["part"] for query in asked}):
        of_part = [query for query in asked if query["part"] == part]
        by_language = [[query for query in of_part if query["language"] == language] for language in languages]
        rows[part] = _means(of_language(queries, answers) for queries in by_language if queries)
    rows["all"] = _means(rows[language] for language in languages)
    return rows


def of_language(asked: Sequence[Query], answers: Mapping[str, Answer]) -> Measures:
    """Return the measures of one language: the means of its projects'."""
    by_project = [[query for query in asked if query["repo"] == name] for name in sorted({q["repo"] for q in asked})]
    return _means(dict(measures(queries, answers)) for queries in by_project)


def measures(asked: Sequence[Query], answers: Mapping[str, Answer]) -> Iterator[tuple[str, float]]:
    """Yield the measures of one project."""
    by_sort: dict[str, list[Answer]] = defaultdict(list)
    for query in asked:
        by_sort[query["asks"]].append(answers[query["id"]])
        by_sort[query.get("asking") or query.get("sort") or ""].append(answers[query["id"]])
    if found := by_sort[FUNCTIONS]:
        yield from (("MRR", _mean_reciprocal(found, "named")), ("first", _share(found, "named", 1)))
        yield from (("r@10", _share(found, "named", K)), ("lenMRR", _mean_reciprocal(found, "line")))
        yield from (("len1st", _share(found, "line", 1)), ("lenr10", _share(found, "line", K)))
        yield from (("file10", _share(found, "file", K)), ("lost", _refused(found)))
    for asking in ASKINGS:
        if found := by_sort[asking]:
            yield asking, _share(found, "named", 1)
    if found := by_sort[NAMES]:
        yield "nameln", _share(found, "line", 1)
    for sort in SORTS:
        if found := by_sort[sort]:
            yield sort, _refused(found)


def _mean_reciprocal(answers: Sequence[Answer], rank: str) -> float:
    return float(statistics.mean(1 / answer[rank] if answer[rank] else 0.0 for answer in answers))


def _share(answers: Sequence[Answer], rank: str, most: int) -> float:
    return statistics.mean(1 <= answer[rank] <= most for answer in answers)


def _refused(answers: Sequence[Answer]) -> float:
    return statistics.mean(bool(answer["refused"]) for answer in answers)


def _means(rows: Iterable[Measures]) -> Measures:
    """Return the mean of each measure, over the rows that have it."""
    values: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for measure, value in row.items():
            values[measure].append(value)
    return {measure: statistics.mean(found) for measure, found in values.items()}


def ask_retrieval(data: Path) -> Measures:
    """Return the measures of `benchmarks.retrieval`, and the share of its questions that are refused."""
    queries = json.loads((data / "queries.json").read_text())
    retrieval.index_all(queries, data / "repos", data / "home")
    scored, _ = retrieval.ask_all(queries, data / "repos", data / "home")
    means = {name: retrieval.mean_over_repositories(queries, scored, name) for name in ("ndcg", "mrr", "recall")}
    return {**means, "lost": statistics.mean(not answer["results"] for answer in scored.values())}


def print_table(rows: Mapping[str, Measures], before: Mapping[str, Measures]) -> None:
    """Print a line for each row; where there are earlier measures, "before → after"."""
    columns = list(dict.fromkeys(measure for row in rows.values() for measure in row))
    width = 14 if any(before.values()) else 9
    print(f"{'':<12}" + "".join(f"{column:>{width}}" for column in columns))
    for name, row in rows.items():
        print(f"{name:<12}" + "".join(f"{_cell(row, before.get(name, {}), column):>{width}}" for column in columns))


def _cell(row: Measures, before: Measures, column: str) -> str:
    if column not in row:
        return "-"
    return f"{before[column]:.3f}→{row[column]:.3f}" if column in before else f"{row[column]:.3f}"


def print_times(asked: Sequence[Query], answers: Mapping[str, Answer]) -> None:
    """Print how many questions there were, and what one about a function took."""
    took = [answers[query["id"]]["milliseconds"] for query in asked if query["asks"] == FUNCTIONS]
    counts = {sort: sum(query["asks"] == sort for query in asked) for sort in _JUDGES}
    print(", ".join(f"{count:,} {sort}" for sort, count in counts.items()))
    tenths = statistics.quantiles(took, n=20)
    print(
        f"a question about a function: {statistics.median(took):.0f} ms in the middle, {tenths[-1]:.0f} ms for 19 of 20"
    )


def print_changes(asked: Sequence[Query], before: Mapping[str, Answer], now: Mapping[str, Answer]) -> None:
    """Print how many functions are found at a better place than before, and how many at a worse one."""
    both = [query["id"] for query in asked if query["asks"] == FUNCTIONS and query["id"] in before]
    ranks = [(before[id_]["named"] or K + 1, now[id_]["named"] or K + 1) for id_ in both]
    better, worse = sum(new < old for old, new in ranks), sum(new > old for old, new in ranks)
    print(f"functions: {better} better, {worse} worse, {len(ranks) - better - worse} as before")


if __name__ == "__main__":
    main()
