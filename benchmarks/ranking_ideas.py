"""What ideas for ranking change, on three measures: docs/ranking.md has the table.

    python -m benchmarks.ranking_ideas --annotated DIR --functions DIR --history DIR [--only PART …] [--every 4]

The folders are as for `benchmarks.retrieval`: annotated questions, `benchmarks.docstrings` (of which every fourth
question is asked) and `benchmarks.history`. For each idea (`benchmarks.ideas`) the weights of files are fitted anew to
the annotated questions, as by `benchmarks.fit_ranking`. Printed is NDCG@10 on these, by weights fitted to the other
repositories, and on functions and history, by weights fitted to all; of an idea, the difference that it makes. What
is fitted to functions too is measured on them leaving each project out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from scipy.optimize import minimize

from benchmarks.fit_ranking import FILE_FIXED, FREE, PENALTY, Choice, bounds, file_choices, fit, names_of
from benchmarks.ideas import FEATURES, IDEAS, Asked, Idea
from benchmarks.retrieval import Example, Query, collect, mean_over_repositories, ndcg
from kuberian.store.vectors import Floats
from searcher.evidence.features import FILE, Candidates, candidates
from searcher.question import ask
from searcher.ranking import Weights, fitted


class Questions(NamedTuple):
    """All questions with their candidates, whose features are those of FILE, then those of FEATURES."""

    annotated: list[Example]
    names: list[Example]
    functions: list[Example]
    history: list[Example]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("annotated", "functions", "history"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--every", type=int, default=4, help="ask every n-th of the functions' questions")
    parser.add_argument("--only", nargs="+", default=[""], help="parts of ideas' names")
    arguments = parser.parse_args()
    folders = {
        arguments.annotated: json.loads((arguments.annotated / "queries.json").read_text()),
        arguments.functions: json.loads((arguments.functions / "queries.json").read_text())[:: arguments.every],
        arguments.history: json.loads((arguments.history / "queries.json").read_text()),
    }
    as_it_is = asked_of(Idea(), folders, FEATURES)
    base = measure(Idea(), as_it_is)
    print(f"{'':<52} annotated  functions  history")
    print(f"{'as it is':<52} " + "  ".join(f"{score:9.4f}" for score in base), flush=True)
    for name, idea in IDEAS.items():
        if any(part in name for part in arguments.only):
            scores = measure(idea, asked_of(idea, folders, {}) if idea.collects else as_it_is)
            changes = [now - before for now, before in zip(scores, base, strict=True)]
            print(f"{name:<52} " + "  ".join(f"{change:+9.4f}" for change in changes), flush=True)


def asked_of(
    idea: Idea, folders: dict[Path, list[Query]], features: dict[str, Callable[[Asked, Candidates], Floats]]
) -> Questions:
    """Ask all questions as the idea would, and collect what ranking would choose from, with further features."""

    def extended(*arguments: Any) -> Candidates:
        asked = idea.before(Asked(*arguments)) if idea.before else Asked(*arguments)
        found = candidates(*asked)
        if not len(found.files):
            return found
        columns = [feature(asked, found)[:, None] for feature in features.values()]
        return replace(found, file_features=np.concatenate([found.file_features, *columns], 1).astype(np.float32))

    annotated = next(iter(folders))
    with ExitStack() as stack:
        for target, value in {**idea.replaced, "searcher.searcher.candidates": extended}.items():
            stack.enter_context(mock.patch(target, value))
        asked = [
            list(collect(queries, folder / "repos", folder / "home"))
            for folder, queries in [*folders.items(), (annotated, names_of(annotated))]
        ]
    return Questions(asked[0], asked[3], asked[1], asked[2])


def measure(idea: Idea, questions: Questions) -> tuple[float, float, float]:
    """Fit, and return NDCG@10 on the annotated questions, leaving each repository out, on functions and on history."""
    known = [*FILE, *FEATURES]
    kept = [i for i, name in enumerate(known) if name not in idea.dropped and (name in FILE or name in idea.added)]
    parts = Questions(*([_changed(example, kept, idea) for example in part] for part in questions))
    width = parts.annotated[0].candidates.file_features.shape[1]
    names = ([known[i] for i in kept] + [f"derived {i}" for i in range(width)])[:width]
    with mock.patch("searcher.ranking.FILE", tuple(names)):
        to_all = _fit(idea, parts, names)

        def mean(part: list[Example], fitted_to: bool) -> float:
            repositories = {example.query["repo"] for example in part}
            weights = {name: _fit(idea, parts, names, without=name) if fitted_to else to_all for name in repositories}
            scored = {
                example.query["id"]: {"ndcg": ndcg(example.query, example.best(weights[example.query["repo"]]))}
                for example in part
            }
            return mean_over_repositories([example.query for example in part], scored, "ndcg")

        return mean(parts.annotated, True), mean(parts.functions, idea.functions > 0), mean(parts.history, False)


def _changed(example: Example, kept: Sequence[int], idea: Idea) -> Example:
    features = example.candidates.file_features
    known = features[:, [i for i in kept if i < features.shape[1]]]
    if idea.derived:
        is_name = ask(example.query["query"]).is_identifier
        known = np.concatenate([known, idea.derived(features[:, : len(FILE)], is_name)], 1)
    return replace(example, candidates=replace(example.candidates, file_features=known))


def _fit(idea: Idea, questions: Questions, names: Sequence[str], without: str | None = None) -> Weights:
    """Fit the weights of files; those of chunks stay as they are."""
    annotated, asked_for, functions, _ = (
        [example for example in part if example.query["repo"] != without] for part in questions
    )
    choices = file_choices(annotated, asked_for if idea.names else [])
    if idea.functions:
        choices += [replace(choice, worth=idea.functions) for choice in file_choices(functions, [])]
    free = FREE | (set(names) - (set(FILE) if idea.signs else set()))  # new features may have any sign
    weights = fit(choices, names, FILE_FIXED, free)
    if idea.pairs:
        weights = fit_pairs(choices, weights, bounds(names, FILE_FIXED, free))
    stored = fitted()
    return Weights(weights, stored.chunk, *(idea.repeat or (stored.repeat, stored.repeat_later)))


def fit_pairs(choices: Sequence[Choice], start: Floats, within: Sequence[tuple], rounds: int = 6) -> Floats:
    """Fit to pairs of a right and a wrong file, each weighed by how much swapping them changes NDCG@10.

    LambdaRank (Burges et al., NIPS 2006), its weights computed anew in each round.
    """
    weights = start.astype(np.float64)
    for _ in range(rounds):
        differences, worths = [], []
        for choice in choices:
            features = choice.features.astype(np.float64)
            order = np.argsort(-features @ weights, kind="stable")
            ranks = np.empty(len(order), int)
            ranks[order] = np.arange(1, len(order) + 1)
            gain = np.where(ranks <= 10, 1 / np.log2(ranks + 1.0), 0.5 / np.log2(12.0))
            right = np.array(choice.right)
            wrong = np.setdiff1d(np.arange(len(order)), right)
            ideal = (1 / np.log2(np.arange(1, min(10, len(right)) + 1) + 1)).sum()
            differences.append((features[right][:, None] - features[wrong][None]).reshape(-1, features.shape[1]))
            worths.append((choice.worth * np.abs(gain[right][:, None] - gain[wrong][None]) / ideal).ravel())
        worth = np.concatenate(worths)
        chosen = worth > 1e-3
        worth, difference = worth[chosen], np.concatenate(differences)[chosen]

        def loss(w: Any, difference: Any = difference, worth: Any = worth) -> tuple[float, Any]:
            margin = difference @ w
            value = (worth * np.logaddexp(0, -margin)).sum() + PENALTY * w @ w / 2
            return value, -difference.T @ (worth / (1 + np.exp(margin))) + PENALTY * w

        weights = (weights + minimize(loss, weights, jac=True, method="L-BFGS-B", bounds=within).x) / 2
    return weights.astype(np.float32)


if __name__ == "__main__":
    main()
