"""Words: which chunks in scope have which of the question's terms, and what that is worth.

Full text is asked for nothing but row ids, a list per term, and the weighing is done here: FTS5's `bm25()` counts how
rare a term is in everything that the home holds, this among the chunks in scope. How often a term occurs within a chunk
is left out: chunks are small, and on annotated questions it made no difference (docs/ranking.md).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np

from kuberian.store import fulltext
from kuberian.store.arrays import Floats, Ids
from searcher.scope import Positions, Postings, Scope

# What it adds to a term's worth that it stands in a name that the chunk defines, in a signature or a docstring.
NAMED = 2.0
DESCRIBED = 0.5

# Okapi BM25's constants, for files: how soon more chunks with a term add no more, and how much long files count less.
K1 = 1.2
B = 0.4


@dataclass(frozen=True, slots=True)
class Lexical:
    """What the question's terms say of the chunks and files in scope.

    `chunks` [chunks] is the sum of the terms in a chunk, each weighed by its rarity, and `files` [files] Okapi BM25
    over files, where a term occurs as often as chunks have it. Both are relative to the greatest, so in 0..1. `named`
    [chunks] is the share of the terms, weighed by rarity, that stand in a name which the chunk defines, in 0..1, and
    `named_here` [chunks] the sum of those, each weighed by how rare it is among the chunks of its file: what tells one
    of them from the others. `found` tells whether any term was found at all.
    """

    chunks: Floats
    files: Floats
    named: Floats
    named_here: Floats
    found: bool


@dataclass(frozen=True, slots=True)
class PathTerms:
    """The question's terms in the files' paths: how rare each is among paths, and per file [files] the sum of those."""

    rarity: dict[str, float]
    weighed: Floats


def weigh(connection: sqlite3.Connection, terms: list[str], scope: Scope) -> Lexical:
    """Look the terms up in full text and weigh every chunk and file in scope, which must have some."""
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
        found = np.flatnonzero(np.isin(ids, matching))
        rarity[term] = _idf(len(found), len(ids))
        weighed[order[found]] += rarity[term]
    return PathTerms(rarity, weighed)


def references(connection: sqlite3.Connection, name: str, scope: Scope) -> int:
    """Return in how many files of the scope a name occurs as a word."""
    if not name:
        return 0
    return len(np.unique(scope.file_of[positions(connection, fulltext.term(name), scope)]))


def _idf(count: int, total: int) -> float:
    return float(_idfs(np.array([count]), np.array([total]))[0])


def _idfs(counts: Ids, totals: Ids) -> Floats:
    """Return how much it says that so many of all have a term: Robertson's and Spärck Jones's weight, above 0."""
    return np.log(1 + (totals - counts + 0.5) / (counts + 0.5)).astype(np.float32)


def _postings(connection: sqlite3.Connection, term: str, scope: Scope) -> Postings:
    known = scope.postings.get(term)
    if known is None:
        expression = fulltext.term(term)
        known = Postings(found := positions(connection, expression, scope), found, found)
        if len(found):
            named = positions(connection, f"{{symbol}} : {expression}", scope)
            described = positions(connection, f"{{signature doc}} : {expression}", scope)
            known = Postings(found, named, described)
        scope.postings.keep(term, known)
    return known


def positions(connection: sqlite3.Connection, match: str, scope: Scope) -> Positions:
    """Return the positions of the chunks in scope that a full-text expression finds."""
    first, last = int(scope.chunks[0]), int(scope.chunks[-1])
    ids: Ids = np.fromiter(fulltext.chunks_with(connection, match, first, last), np.int64)
    at = np.searchsorted(scope.chunks, ids)
    return at[scope.chunks[at] == ids]
