"""From candidates to an order: both rankings fused, then what is known of each chunk and its file."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath

from kuberian.words import parts, words
from searcher.question import STOPWORDS, Question

# Reciprocal rank fusion, Cormack, Clarke and Büttcher, SIGIR 2009, with their constant.
RRF_K = 60

# Relative to the best fused score of a question. Tried by hand on `benchmarks.retrieval` (docs/ranking.md).
FILE_EVIDENCE = 0.3  # for the file whose candidates have the largest sum, less for others in proportion
PATH_WORDS = 1.2  # for a file whose name and folder hold every word of the question
DEFINITION = 1.0  # for the chunk that defines an identifier that was asked for
LABEL_FACTORS = {  # what is not the code itself answers less often
    "test": 0.4,
    "example": 0.5,
    "benchmark": 0.5,
    "vendored": 0.5,
    "generated": 0.5,
    "compatibility": 0.7,
    "documentation": 0.7,
    "declaration": 0.8,
}
REPEAT_FACTOR = 0.3  # each further chunk of a file that is already in the list


@dataclass(frozen=True, slots=True)
class Known:
    """What ranking knows of a candidate."""

    chunk_id: int
    blob_id: int
    path: str
    labels: frozenset[str]
    language: str
    kind: str
    symbol: str | None


def rank(
    question: Question, candidates: list[Known], lexical: dict[int, float], semantic: dict[int, float]
) -> list[tuple[Known, float]]:
    """Return the candidates best first, with their scores. Ties are broken by path and chunk, always the same way."""
    fused = _fuse(candidates, lexical, semantic)
    best = max(fused.values(), default=1.0) or 1.0
    by_file: dict[int, float] = defaultdict(float)
    for known in candidates:
        by_file[known.blob_id] += fused[known.chunk_id]
    largest = max(by_file.values(), default=1.0) or 1.0
    scored = []
    for known in candidates:
        score = fused[known.chunk_id] / best
        score += FILE_EVIDENCE * by_file[known.blob_id] / largest
        score += PATH_WORDS * _path_share(question, known.path)
        score += DEFINITION * _defines(question, known)
        scored.append((known, score * _label_factor(known)))
    scored.sort(key=lambda item: (-item[1], item[0].path, item[0].chunk_id))
    return _spread(scored)


def _fuse(candidates: list[Known], lexical: dict[int, float], semantic: dict[int, float]) -> dict[int, float]:
    fused: dict[int, float] = {known.chunk_id: 0.0 for known in candidates}
    for ranking in (lexical, semantic):
        for position, chunk_id in enumerate(ranking, 1):
            if chunk_id in fused:
                fused[chunk_id] += 1 / (RRF_K + position)
    return fused


def _path_share(question: Question, path: str) -> float:
    """Return the share of the question's words that the file's name and folder hold, by their first five letters."""
    asked = {term[:5] for term in question.terms if term not in STOPWORDS and len(term) > 2}
    if not asked:
        return 0.0
    file = PurePosixPath(path)
    named = {part.lower()[:5] for word in words(f"{file.parent.name} {file.stem}") for part in (word, *parts(word))}
    return len(asked & named) / len(asked)


def _defines(question: Question, known: Known) -> float:
    """Tell how surely the chunk defines an identifier of the question: 1 for the very name, less for its last part."""
    if not known.symbol or not question.identifiers:
        return 0.0
    symbol = known.symbol.lower()
    share = 0.0
    for name in question.identifiers:
        asked = re.sub(r"::|->|#", ".", name).lower()
        if symbol == asked or symbol.endswith("." + asked):
            return 1.0
        if symbol.rpartition(".")[2] == asked.rpartition(".")[2]:
            share = 0.3
    return share


def _label_factor(known: Known) -> float:
    return min((LABEL_FACTORS[label] for label in known.labels), default=1.0)


def _spread(scored: list[tuple[Known, float]]) -> list[tuple[Known, float]]:
    """Let a second chunk of a file earn its place: each further one counts for less."""
    seen: dict[int, int] = defaultdict(int)
    spread = []
    for known, score in scored:
        spread.append((known, score * REPEAT_FACTOR ** seen[known.blob_id]))
        seen[known.blob_id] += 1
    spread.sort(key=lambda item: (-item[1], item[0].path, item[0].chunk_id))
    return spread
