"""Fit the weights of ranking to annotated questions, with leave-one-repository-out validation.

    python -m benchmarks.fit_ranking --data DIR --functions DIR [--write]

The folders are as for `benchmarks.retrieval`, the second one from `benchmarks.docstrings`. Candidates and features are
those of the public `Searcher`. The weights of files maximise the conditional likelihood of the annotated files, with an
L2 penalty and with signs that are known beforehand (more matching words never count against a file). Names are asked
for too: some of what the same repositories define once, each a question that its file answers. The weights of chunks
maximise the likelihood of the annotated function within its file. --write puts them into searcher/weights.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from benchmarks.retrieval import Example, Query, collect, index_all, ndcg
from kuberian.store.fulltext import defined
from kuberian.store.home import Home
from kuberian.store.vectors import Floats
from searcher.evidence.features import CHUNK, FILE
from searcher.ranking import Weights, fitted

PENALTY = 0.15  # by leave-one-repository-out 0.05 to 0.25 are alike, 0.5 and more worse
# What too few of the repositories have to be fitted is set beforehand.
FILE_FIXED = {"other_platform": -3.0, "aside": -1.5, "header": -1.5}
# Docstrings name no identifiers, and a function that is looked for by its first line is never in a later part.
CHUNK_FIXED = {"defines": 3.0, "part": -2.0}
NEGATIVE = {"data", "test", "documentation", "part"}
FREE = {"size", "entry", "referenced"}
# Names that are asked for of each repository, and what such a question counts beside an annotated one.
NAMES = 15
NAME_WORTH = 0.25
# For each better chunk of its file: less shows more of one file (good for functions), more shows more files.
REPEAT, REPEAT_LATER = 4.0, 1.0
WEIGHTS = Path(__file__).parent.parent / "searcher" / "weights.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--functions", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    examples = examples_of(arguments.data)
    names = list(collect(names_of(arguments.data), arguments.data / "repos", arguments.data / "home"))
    lost = sum(not example.right_files() for example in examples)
    print(f"{len(examples)} questions, {lost} without a right file among their candidates; {len(names)} names")
    chunk = fit(chunk_choices(examples_of(arguments.functions)), CHUNK, CHUNK_FIXED)
    final = Weights(fit(file_choices(examples, names), FILE, FILE_FIXED), chunk, REPEAT, REPEAT_LATER)
    left_out = {}
    for repository in sorted({example.query["repo"] for example in examples}):
        others = [[e for e in part if e.query["repo"] != repository] for part in (examples, names)]
        left_out[repository] = Weights(fit(file_choices(*others), FILE, FILE_FIXED), chunk, REPEAT, REPEAT_LATER)
    report = {
        "as it was": table(examples, {None: fitted()}),
        "fitted": table(examples, {None: final}),
        "leave one repository out": table(examples, dict(left_out)),
    }
    for name, line in report.items():
        print(f"{name}: {line}")
    stored = {
        "report": {name: line for name, line in report.items() if name != "as it was"},
        "file": {name: round(float(weight), 3) for name, weight in zip(FILE, final.file, strict=True)},
        "chunk": {name: round(float(weight), 3) for name, weight in zip(CHUNK, final.chunk, strict=True)},
        "repeat": REPEAT,
        "repeat_later": REPEAT_LATER,
    }
    print(json.dumps({**stored, "report": None}, indent=1))
    if arguments.write:
        WEIGHTS.write_text(json.dumps(stored, indent=1) + "\n")


def examples_of(data: Path) -> list[Example]:
    queries = json.loads((data / "queries.json").read_text())
    index_all(queries, data / "repos", data / "home")
    return list(collect(queries, data / "repos", data / "home"))


def names_of(data: Path) -> list[Query]:
    """Return questions that are names: of types and functions that one file of a repository defines."""
    queries: list[Query] = []
    connection = Home.at(data / "home").reader()
    for repository, snapshot in connection.execute(
        "SELECT name, snapshots.id FROM snapshots JOIN repositories ON repositories.id = repository_id ORDER BY name"
    ).fetchall():
        found: dict[str, set[str]] = defaultdict(set)
        for names, path, labels in connection.execute(
            """
            SELECT names, path, labels FROM snapshot_files JOIN chunks USING(blob_id) JOIN paths ON paths.id = path_id
            WHERE snapshot_id = ?
            """,
            (snapshot,),
        ):
            for item in defined(names):
                if item.kind in {"class", "struct", "interface", "trait", "enum", "type", "function", "macro"}:
                    found[item.name].add("" if labels else path)
        single = [(name, *where) for name, where in found.items() if len(where) == 1 and "" not in where]
        single = [(name, path) for name, path in single if re.fullmatch(r"\w{5,40}", name)]
        single.sort(key=lambda item: hashlib.sha256(item[0].encode()).digest())
        queries += [
            {
                "id": f"{repository}/{name}",
                "repo": repository,
                "category": "name",
                "query": name,
                "root": None,
                "targets": [{"path": path, "start_line": None, "end_line": None}],
            }
            for name, path in single[:NAMES]
        ]
    return queries


@dataclass(frozen=True)
class Choice:
    """What a question chooses from: features [n, features], the rows that are right, and what the question counts."""

    features: Floats
    right: Sequence[int]
    worth: float


def file_choices(examples: Iterable[Example], names: Iterable[Example]) -> list[Choice]:
    return [
        Choice(example.candidates.file_features, right, worth)
        for part, worth in ((examples, 1.0), (names, NAME_WORTH))
        for example in part
        if (right := example.right_files())
    ]


def chunk_choices(examples: Iterable[Example]) -> list[Choice]:
    """Return, for each question whose function is among the candidates, the chunks of its file."""
    choices = []
    for example in examples:
        right = example.right_chunks()
        if right:
            inside = np.flatnonzero(example.candidates.file_of == example.candidates.file_of[right[0]])
            of_file = [int(np.searchsorted(inside, at)) for at in right if at in inside]
            choices.append(Choice(example.candidates.chunk_features[inside], of_file, 1.0))
    return choices


def fit(
    choices: Sequence[Choice], names: Sequence[str], fixed: Mapping[str, float], free: Collection[str] = FREE
) -> Floats:
    """Return the weights [len(names)] under which what is right is likeliest, beside those that are fixed.

    `free` may have any sign.
    """
    features = np.concatenate([choice.features for choice in choices]).astype(np.float64)
    sizes = [len(choice.features) for choice in choices]
    first = np.cumsum([0, *sizes[:-1]])
    of = np.repeat(np.arange(len(choices)), sizes)
    worth = np.repeat([choice.worth for choice in choices], sizes)
    right = np.zeros(len(features))
    for start, choice in zip(first, choices, strict=True):
        right[start + np.array(choice.right)] = 1 / len(choice.right)

    def loss(weights: Any) -> tuple[float, Any]:
        scores = features @ weights
        scores -= np.maximum.reduceat(scores, first)[of]
        likely = np.exp(scores)
        total = np.add.reduceat(likely, first)
        value = -(worth * right * (scores - np.log(total)[of])).sum() + PENALTY * weights @ weights / 2
        return value, features.T @ (worth * (likely / total[of] - right)) + PENALTY * weights

    start = np.array([fixed.get(name, 0.0) for name in names])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds(names, fixed, free))
    return np.asarray(found.x, np.float32)


def bounds(
    names: Sequence[str], fixed: Mapping[str, float], free: Collection[str]
) -> list[tuple[float | None, float | None]]:
    """Return the least and the greatest that each weight may be."""
    of_sign = {True: (None, 0.0), False: (0.0, None)}
    return [
        (fixed[name], fixed[name]) if name in fixed else (None, None) if name in free else of_sign[name in NEGATIVE]
        for name in names
    ]


def table(examples: Sequence[Example], weights: Mapping[str | None, Weights]) -> str:
    """Return NDCG@10, over all and by category; `weights` are by repository, or under None those of all."""
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for example in examples:
        repository = example.query["repo"]
        chosen = weights.get(repository) or weights[None]
        score = ndcg(example.query, example.best(chosen))
        for part in ("all", example.query["category"], f"language {example.query['language']}"):
            scores[part][repository].append(score)
    means = {part: statistics.mean(map(statistics.mean, by.values())) for part, by in scores.items()}
    languages = sorted((value, part) for part, value in means.items() if part.startswith("language"))
    shown = [f"{part} {means[part]:.4f}" for part in ("all", "architecture", "semantic", "symbol")]
    shown += [f"{part.removeprefix('language ')} {value:.3f}" for value, part in languages[:5]]
    return " · ".join(shown)


if __name__ == "__main__":
    main()
