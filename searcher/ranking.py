"""From candidates to an order: a linear model over files, and one over the chunks of a file.

Both are conditional logit models (McFadden, 1974). Over documents that is ListNet's loss (Cao et al., ICML 2007).
exp(score) of a file is proportional to how likely it holds the answer; exp(score) of a chunk, to how likely it is the
answer among the chunks of its file.

The best chunk of a file has the file's score. A further chunk loses the difference of the two chunks' scores, and also
a fixed amount for each better chunk of the file: `repeat` among the first results, which show where to look, and
`repeat_later` after them. `benchmarks.fit_ranking` fits the weights. `searcher/weights.json` has them, with its report.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from kuberian.store.arrays import Floats
from searcher.evidence.features import CHUNK, FILE, Candidates

# The first results give an overview, so they are of different files where possible. The later ones are to read on.
FIRST = 3


@dataclass(frozen=True, slots=True)
class Weights:
    """What each feature of a file [len(FILE)] and of a chunk [len(CHUNK)] is worth.

    `repeat` and `repeat_later` are what a chunk loses for each better chunk of its file, among the first results and
    after them.
    """

    file: Floats
    chunk: Floats
    repeat: float
    repeat_later: float

    @classmethod
    def of(cls, file: Mapping[str, float], chunk: Mapping[str, float], repeat: float, repeat_later: float) -> Weights:
        """Return weights by the names of the features. A feature that is not named is worth nothing.

        Raises ValueError for a name that is no feature's.
        """
        if unknown := (file.keys() - set(FILE)) | (chunk.keys() - set(CHUNK)):
            raise ValueError(f"no such feature: {', '.join(sorted(unknown))}")
        return cls(
            np.array([file.get(name, 0.0) for name in FILE], np.float32),
            np.array([chunk.get(name, 0.0) for name in CHUNK], np.float32),
            repeat,
            repeat_later,
        )

    def without(self, *names: str) -> Weights:
        """Return the same weights with some features, of files and chunks, worth nothing."""
        return Weights(
            np.where([name in names for name in FILE], 0, self.file).astype(np.float32),
            np.where([name in names for name in CHUNK], 0, self.chunk).astype(np.float32),
            self.repeat,
            self.repeat_later,
        )


@cache
def fitted() -> Weights:
    """Return the weights that come with the program."""
    stored: dict[str, Any] = json.loads(resources.files("searcher").joinpath("weights.json").read_text())
    return Weights.of(stored["file"], stored["chunk"], stored["repeat"], stored["repeat_later"])


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk of the ranking: its position in the scope, its score, and what each feature added to the score."""

    position: int
    score: float
    why: Mapping[str, float]


def rank(candidates: Candidates, weights: Weights) -> Iterator[Ranked]:
    """Yield the chunks of all candidate files, best first. Equal scores are ordered by position."""
    file_scores = (candidates.file_features @ weights.file)[candidates.file_of]
    chunk_scores = candidates.chunk_features @ weights.chunk
    best = np.full(len(candidates.files), -np.inf, np.float32)
    np.maximum.at(best, candidates.file_of, chunk_scores)
    further = chunk_scores - best[candidates.file_of]
    within = np.lexsort((candidates.order, -chunk_scores, candidates.file_of))
    begins = np.flatnonzero(np.diff(candidates.file_of[within], prepend=-1))
    better = np.empty(len(within), np.float32)  # how many chunks of the same file are
    better[within] = np.arange(len(within)) - np.repeat(begins, np.diff(begins, append=len(within)))
    among_first = file_scores + further - weights.repeat * better
    later = file_scores + further - weights.repeat_later * better
    head = np.lexsort((candidates.order, -among_first))[:FIRST]
    rest = np.lexsort((candidates.order, -later))
    rest = rest[~np.isin(rest, head)]
    # A later chunk may have lost less than one of the first: its score is not shown as greater than theirs.
    scores = np.minimum.accumulate(np.concatenate([among_first[head], later[rest]]))
    for chunk, score in zip(np.concatenate([head, rest]), scores.tolist(), strict=True):
        why = _worth(candidates.file_features[candidates.file_of[chunk]], weights)
        if score != file_scores[chunk]:
            why["further_chunk"] = round(score - float(file_scores[chunk]), 3)
        yield Ranked(int(candidates.chunks[chunk]), score, why)


def _worth(features: Floats, weights: Weights) -> dict[str, float]:
    """Return what each feature of a file adds to its score, the largest first."""
    worth = zip(FILE, (features * weights.file).tolist(), strict=True)
    return {name: round(value, 3) for name, value in sorted(worth, key=lambda item: -abs(item[1])) if round(value, 3)}
