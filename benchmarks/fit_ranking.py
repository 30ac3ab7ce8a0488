"""Fit the weights of ranking to annotated questions, with leave-one-repository-out validation.

    python -m benchmarks.fit_ranking --data DIR [--write]

DIR is as for `benchmarks.retrieval`. Candidates and features are those of the public `Searcher`. The weights of files
maximise the conditional likelihood of the annotated files, with an L2 penalty and with signs that are known beforehand
(more matching words never count against a file); the weights of chunks that of the annotated lines within their file,
from the questions that `benchmarks.docstrings` makes of docstrings. --write puts them into searcher/weights.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.retrieval import Example, collect, index_all, ndcg
from kuberian.store.vectors import Floats
from searcher.features import FILE
from searcher.ranking import Weights, fitted

PENALTY = 0.25  # of 0.1, 0.25, 0.5 and 1 the best by leave-one-repository-out
# What too few of the repositories have to be fitted is set beforehand.
FIXED = {"other_platform": -2.0, "aside": -1.5}
NEGATIVE = {"header", "data", "test", "documentation"}
FREE = {"size", "entry", "referenced"}
WEIGHTS = Path(__file__).parent.parent / "searcher" / "weights.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    home = arguments.data / "home"
    queries = json.loads((arguments.data / "queries.json").read_text())
    index_all(queries, arguments.data / "repos", home)
    examples = list(collect(queries, arguments.data / "repos", home))
    lost = sum(not example.right_files() for example in examples)
    print(f"{len(examples)} questions, {lost} without a right file among their candidates")
    now = fitted()
    print(f"weights as they are: {table(examples, {None: now})}")
    final = Weights(fit(examples), now.chunk, now.repeat)
    left_out = {
        repository: Weights(fit([e for e in examples if e.query["repo"] != repository]), now.chunk, now.repeat)
        for repository in sorted({example.query["repo"] for example in examples})
    }
    fit_line, left_out_line = table(examples, {None: final}), table(examples, dict(left_out))
    print(f"fitted: {fit_line}")
    print(f"leave one repository out: {left_out_line}")
    for name, weight in zip(FILE, final.file, strict=True):
        print(f"  {name:<16} {weight:7.3f}")
    if arguments.write:
        stored = json.loads(WEIGHTS.read_text())
        stored["report"] = {"fitted": fit_line, "leave one repository out": left_out_line}
        stored["file"] = {name: round(float(weight), 3) for name, weight in zip(FILE, final.file, strict=True)}
        WEIGHTS.write_text(json.dumps(stored, indent=1) + "\n")


def fit(examples: Iterable[Example]) -> Floats:
    """Return the weights [len(FILE)] under which the right files are likeliest."""
    from scipy.optimize import minimize

    known = [example for example in examples if example.right_files()]
    features = np.concatenate([example.candidates.file_features for example in known]).astype(np.float64)
    sizes = [len(example.candidates.files) for example in known]
    first = np.cumsum([0, *sizes[:-1]])
    of = np.repeat(np.arange(len(known)), sizes)
    right = np.zeros(len(features))
    for start, example in zip(first, known, strict=True):
        of_query = example.right_files()
        right[start + np.array(of_query)] = 1 / len(of_query)

    def loss(weights: Any) -> tuple[float, Any]:
        scores = features @ weights
        scores -= np.maximum.reduceat(scores, first)[of]
        likely = np.exp(scores)
        total = np.add.reduceat(likely, first)
        value = -(right * (scores - np.log(total)[of])).sum() + PENALTY * weights @ weights / 2
        return value, features.T @ (likely / total[of] - right) + PENALTY * weights

    bounds = [
        (FIXED[name], FIXED[name])
        if name in FIXED
        else (None, 0)
        if name in NEGATIVE
        else (None, None)
        if name in FREE
        else (0, None)
        for name in FILE
    ]
    start = np.array([FIXED.get(name, 0.0) for name in FILE])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
    return np.asarray(found.x, np.float32)


def table(examples: Sequence[Example], weights: dict[str | None, Weights]) -> str:
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
