"""Words: which chunks in scope have which of the question's terms, and what that is worth.

Full text gives only row ids, a list for each term. The weighing is done here. FTS5's `bm25()` counts how rare a term is
in the whole home; this counts how rare it is among the chunks in scope. How often a chunk has a term does not count:
chunks are small, and on annotated questions it made no difference (docs/ranking.md).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np

from kuberian.store import fulltext
from kuberian.store.arrays import Floats, Ids, distinct
from searcher.scope import Positions, Postings, Scope

# What a term is worth in addition if it is in a name that the chunk defines, or in a signature or docstring.
NAMED = 2.0
DESCRIBED = 0.5

# Okapi BM25's constants, for files: how soon more chunks with a term add no more, and how much less long files count.
K1 = 1.2
B = 0.4


@dataclass(frozen=True, slots=True)
class Lexical:
    """What the question's terms say of the chunks and files in scope.

    `chunks` [chunks] is the sum of the terms in a chunk, each weighed by its rarity. `files` [files] is Okapi BM25 over
    files; a file has a term as often as its chunks have it. Both are relative to the greatest, so in 0..1.

    `named` [chunks] is the share of the terms, weighed by rarity, that are in a name which the chunk defines, in 0..1.
    `named_here` [chunks] is the sum of the same terms, each weighed by how rare it is among the chunks of the file: it
    tells one chunk from the others. `found` tells whether any term was found.
    """

    chunks: Floats
    files: Floats
    named: Floats
    named_here: Floats
    found: bool


@dataclass(frozen=True, slots=True)
class PathTerms:
    """The question's terms in the paths: how rare each term is among paths, and the sum of its terms for each file."""

    rarity: dict[str, float]
    weighed: Floats


def weigh(connection: sqlite3.Connection, terms: list[str], scope: Scope) -> Lexical:
    """Look the terms up in full text, and weigh each chunk and file in scope. The scope must not be empty."""
    chunks = np.zeros(len(scope.chunks), np.float32)
    files = np.zeros(len(scope.blobs), np.float32)
    named, named_here, total = np.zeros_like(chunks), np.zeros_like(chunks), 0.0
    length = K1 * (1 - B + B * scope.sizes / max(float(scope.sizes.mean()), 1.0))
    for term in terms:
        postings = _postings(connection, term, scope)
        if not len(postings.anywhere):
            continue
        rarity = _idf(len(postings.anywhere), len(chunks))
        chunks[postings.anywhere] += rarity
        chunks[postings.named] += rarity * NAMED
        chunks[postings.described] += rarity * DESCRIBED
        named[postings.named] += rarity
        total += rarity
        in_file = np.bincount(scope.file_of[postings.anywhere], minlength=len(files))
        of_named = scope.file_of[postings.named]
        named_here[postings.named] += _idfs(in_file[of_named], scope.sizes[of_named])
        rarity = _idf(int(np.count_nonzero(in_file)), len(files))
        weighed = in_file + NAMED * np.bincount(of_named, minlength=len(files))
        files += rarity * weighed * (K1 + 1) / (weighed + length)
    best = float(chunks.max())
    if best > 0:
        chunks /= best
        files /= float(files.max())
        named /= total
    return Lexical(chunks, files, named, named_here, found=best > 0)


def path_terms(connection: sqlite3.Connection, terms: list[str], scope: Scope) -> PathTerms:
    """Look the terms up in the words of all paths in scope."""
    order = np.argsort(scope.path_ids, kind="stable")
    ids = scope.path_ids[order]
    rarity: dict[str, float] = {}
    weighed = np.zeros(len(ids), np.float32)
    for term in terms:
        matching: Ids = np.fromiter(fulltext.paths_with(connection, fulltext.term(term)), np.int64)
        with_term = np.flatnonzero(np.isin(ids, matching))
        rarity[term] = _idf(len(with_term), len(ids))
        weighed[order[with_term]] += rarity[term]
    return PathTerms(rarity, weighed)


def references(connection: sqlite3.Connection, name: str, scope: Scope) -> int:
    """Return in how many files of the scope a name occurs as a word."""
    if not name:
        return 0
    return len(distinct(scope.file_of[positions(connection, fulltext.term(name), scope)]))


def files_with(connection: sqlite3.Connection, word: str, scope: Scope) -> int:
    """Return how many files of the scope have a word, in their text or in their path."""
    in_text = scope.file_of[positions(connection, fulltext.term(word), scope)]
    paths: Ids = np.fromiter(fulltext.paths_with(connection, fulltext.term(word)), np.int64)
    return len(distinct(np.concatenate([in_text, np.flatnonzero(np.isin(scope.path_ids, paths))])))


def _idf(count: int, total: int) -> float:
    return float(_idfs(np.array([count]), np.array([total]))[0])


def _idfs(counts: Ids, totals: Ids) -> Floats:
    """Return how rare terms are that `counts` of `totals` have: Robertson's and Spärck Jones's weight, above 0."""
    return np.log(1 + (totals - counts + 0.5) / (counts + 0.5)).astype(np.float32)


def _postings(connection: sqlite3.Connection, term: str, scope: Scope) -> Postings:
    if (kept := scope.postings.get(term)) is not None:
        return kept
    expression = fulltext.term(term)
    named = described = anywhere = positions(connection, expression, scope)
    if len(anywhere):
        named = positions(connection, f"{{symbol}} : {expression}", scope)
        described = positions(connection, f"{{signature doc}} : {expression}", scope)
    postings = Postings(anywhere, named, described)
    scope.postings.keep(term, postings)
    return postings


def positions(connection: sqlite3.Connection, match: str, scope: Scope) -> Positions:
    """Return the positions of the chunks in scope that a full-text expression finds."""
    first, last = int(scope.chunks[0]), int(scope.chunks[-1])
    ids: Ids = np.fromiter(fulltext.chunks_with(connection, match, first, last), np.int64)
    candidates = np.searchsorted(scope.chunks, ids)
    return candidates[scope.chunks[candidates] == ids]
