"""Ideas for ranking that were tried: what each adds, leaves out or does otherwise. `ranking_ideas` measures them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from kuberian.store.fulltext import own_names
from kuberian.store.vectors import Floats, Ids, Vectors
from kuberian.words import parts
from searcher.evidence.definitions import defining
from searcher.evidence.features import CHUNK, FILE, Candidates, _distinct_stems, _most
from searcher.evidence.lexical import path_terms, positions, references
from searcher.evidence.stems import Stemmer
from searcher.question import STOPWORDS, Question
from searcher.scope import Scope
from searcher.searcher import Searcher, View, _question_encoder


class Asked(NamedTuple):
    """A question on its way: what `searcher.evidence.features.candidates` is called with."""

    connection: sqlite3.Connection
    stemmer: Stemmer
    vectors: dict[int, Vectors]
    question: Question
    embedded: dict[int, Floats]
    scope: Scope


@dataclass(frozen=True)
class Idea:
    """One change of ranking: features of files to add (of FEATURES) or to drop, or another way to do something.

    `derived` makes further features of those of one question's files [files, len(FILE)] and of whether the question is
    one name. `before` changes the question and its vectors before anything is looked up. `replaced` puts other values
    where `unittest.mock.patch` finds them. `signs`, `names`, `functions` and `pairs` are of the fit: signs that are
    known beforehand, names that are asked for, what a question about functions counts, pairs instead of likelihood.
    `repeat` is what a further chunk of a file loses.
    """

    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    derived: Callable[[Floats, bool], Floats] | None = None
    before: Callable[[Asked], Asked] | None = None
    replaced: Mapping[str, Any] = field(default_factory=dict)
    signs: bool = True
    names: bool = True
    functions: float = 0.0
    pairs: bool = False
    repeat: tuple[float, float] | None = None

    @property
    def collects(self) -> bool:
        """Whether questions have to be asked again, as their candidates are others."""
        return bool(self.before or self.replaced)


# Features of files: [files] numbers each.


def _greatest_cosine(asked: Asked, found: Candidates) -> Floats:
    return _best(found.chunk_features[:, CHUNK.index("meaning")], found)


def _depth(asked: Asked, found: Candidates) -> Floats:
    return _per_path(asked, found, lambda path: np.log1p(path.count("/")))


def _defines_words(asked: Asked, found: Candidates) -> Floats:
    """How surely the file defines a plain word of a sentence."""
    if asked.question.is_identifier:
        return np.zeros(len(found.files), np.float32)
    sure = defining(asked.connection, replace(asked.question, identifiers=asked.question.terms), asked.scope)
    return _best(np.array([sure.get(int(position), 0.0) for position in found.chunks], np.float32), found)


def _named_share(asked: Asked, found: Candidates) -> Floats:
    return _best(found.chunk_features[:, CHUNK.index("named")], found)


def _told_share(asked: Asked, found: Candidates) -> Floats:
    """The share of the question's terms in the signature and docstring of the file's best chunk, weighed by rarity."""
    share, total = np.zeros(len(asked.scope.chunks), np.float32), 0.0
    for term in _stems(asked):
        at = positions(asked.connection, f'{{signature doc}} : "{term}"', asked.scope)
        worth = float(np.log(1 + len(share) / (1 + len(at))))
        share[at] += worth
        total += worth
    return _best(share[found.chunks] / max(total, 1e-9), found)


def _innermost_folder(asked: Asked, found: Candidates) -> Floats:
    return _path_share(asked, found, lambda path: path.rpartition("/")[0].rpartition("/")[2])


def _file_name_by_rarity(asked: Asked, found: Candidates) -> Floats:
    return _path_share(asked, found, lambda path: path.rpartition("/")[2].rpartition(".")[0])


def _chunks_that_name_it(asked: Asked, found: Candidates) -> Floats:
    """Like "referenced", of chunks instead of files."""

    def count(path: str) -> float:
        name = path.rpartition("/")[2].partition(".")[0].replace('"', "")
        return float(np.log1p(len(positions(asked.connection, f'"{name}"', asked.scope)))) if name else 0.0

    counts = _per_path(asked, found, count)
    return counts - (counts.mean() if len(counts) else 0)


def _files_with_its_names(asked: Asked, found: Candidates) -> Floats:
    """In how many files the names occur that this one defines, up to five of them: the mean of the logarithms."""
    values = []
    for file in found.files:
        rows = asked.connection.execute(
            "SELECT names FROM chunks WHERE blob_id = ? ORDER BY id LIMIT 5", (int(asked.scope.blobs[file]),)
        )
        names = [name for (stored,) in rows for name in own_names(stored)][:5]
        for name in names:
            if name not in asked.scope.references:
                asked.scope.references[name] = references(asked.connection, name, asked.scope)
        values.append(np.mean([np.log1p(asked.scope.references[name]) for name in names]) if names else 0.0)
    return np.array(values, np.float32)


def _bm25(best_of: int) -> Callable[[Asked, Candidates], Floats]:
    """FTS5's own bm25(), names three times as much worth as code: the mean of a file's best chunks."""

    def feature(asked: Asked, found: Candidates) -> Floats:
        match = " OR ".join(f'"{term}"' for term in _stems(asked)) or '""'
        rows = asked.connection.execute(
            "SELECT rowid, -bm25(chunk_words, 3.0, 1.5, 1.5, 1.0) FROM chunk_words WHERE chunk_words MATCH ?", (match,)
        ).fetchall()
        scores = dict(rows)
        of_chunks = np.array([scores.get(int(asked.scope.chunks[at]), 0.0) for at in found.chunks], np.float32)
        values = [np.sort(of_chunks[found.file_of == at])[::-1][:best_of].mean() for at in range(len(found.files))]
        return np.array(values, np.float32) / max(max(values, default=0.0), 1e-9)

    return feature


FEATURES: dict[str, Callable[[Asked, Candidates], Floats]] = {
    "greatest_cosine": _greatest_cosine,
    "depth": _depth,
    "defines_words": _defines_words,
    "named_share": _named_share,
    "told_share": _told_share,
    "innermost_folder": _innermost_folder,
    "file_name_by_rarity": _file_name_by_rarity,
    "chunks_that_name_it": _chunks_that_name_it,
    "files_with_its_names": _files_with_its_names,
    "bm25_best": _bm25(1),
    "bm25_three": _bm25(3),
}


def _stems(asked: Asked) -> dict[str, str]:
    return _distinct_stems(asked.stemmer, asked.question.terms)


def _best(values: Floats, found: Candidates) -> Floats:
    """The greatest of each file's chunks."""
    return _most(values, found.file_of, len(found.files))


def _per_path(asked: Asked, found: Candidates, of: Callable[[str], float]) -> Floats:
    return np.array([of(asked.scope.places[file][0].path) for file in found.files], np.float32)


def _path_share(asked: Asked, found: Candidates, of: Callable[[str], str]) -> Floats:
    """The share of the question's terms in a part of the path, weighed by rarity among paths."""
    terms = _stems(asked)
    rarity = path_terms(asked.connection, list(terms), asked.scope).rarity
    worth = {stem: rarity[term] for term, stem in terms.items()}
    named = asked.stemmer.stems([of(asked.scope.places[file][0].path) for file in found.files])
    shares = [sum(worth.get(stem, 0.0) for stem in set(stems)) for stems in named]
    return np.array(shares, np.float32) / max(sum(worth.values()), 1e-9)


# Features of features.


def _ranks(features: Floats, is_name: bool) -> Floats:
    """1 / (10 + rank) by each kind of evidence."""
    columns = [FILE.index(name) for name in ("words_three", "words_file", "meaning_three", "meaning_path")]
    ranks = np.argsort(np.argsort(-features[:, columns], axis=0, kind="stable"), axis=0)
    return (1 / (11 + ranks)).astype(np.float32)


def _if_a_name(features: Floats, is_name: bool) -> Floats:
    """All features once more, for questions that are one name."""
    return features * np.float32(is_name)


# Other questions.


def _content_words(asked_of: Callable[..., Any]) -> Callable[..., Any]:
    def embed(self: Searcher, view: View, text: str) -> Any:
        content = [word for word in text.split() if word.lower().strip("?.,") not in STOPWORDS]
        return asked_of(self, view, " ".join(content) or text)

    return embed


def _feedback(count: int, share: float) -> Callable[[Asked], Asked]:
    """Move the question's vector towards the nearest chunks' (Rocchio, 1971)."""

    def change(asked: Asked) -> Asked:
        if asked.question.is_identifier:
            return asked
        moved = {}
        for model_id, question in asked.embedded.items():
            vectors = _nearest_vectors(asked, model_id, count)[1]
            vector = question + share * vectors.mean(0)
            moved[model_id] = (vector / np.linalg.norm(vector)).astype(np.float32)
        return asked._replace(embedded=moved)

    return change


def _expansion(count: int) -> Callable[[Asked], Asked]:
    """Ask for the commonest words in the names that the five nearest chunks define, too."""

    def change(asked: Asked) -> Asked:
        if asked.question.is_identifier:
            return asked
        model_id = next(iter(asked.embedded))
        ids, _ = _nearest_vectors(asked, model_id, 5)
        mine = asked.scope.embedded(model_id)
        chunks = asked.scope.chunks[mine.chunks[np.searchsorted(mine.ids, ids)]]
        rows = asked.connection.execute(f"SELECT names FROM chunks WHERE id IN ({','.join(map(str, chunks.tolist()))})")
        words = Counter(
            part for (stored,) in rows for part in {p.lower() for name in own_names(stored) for p in parts(name)}
        )
        new = [word for word, n in words.most_common() if n > 1 and len(word) > 2 and word not in asked.question.terms]
        return asked._replace(question=replace(asked.question, terms=(*asked.question.terms, *new[:count])))

    return change


def _nearest_vectors(asked: Asked, model_id: int, count: int) -> tuple[Ids, Floats]:
    found = asked.vectors[model_id]
    distinct = asked.scope.embedded(model_id).distinct
    ids, _ = found.nearest(asked.connection, asked.embedded[model_id], distinct, count)
    ids = np.sort(ids)
    return ids, found.exact.vectors(asked.connection, ids)


IDEAS: dict[str, Idea] = {
    "no signs known beforehand": Idea(signs=False),
    "no names asked for in the fit": Idea(names=False),
    "functions in the fit of files, 0.1": Idea(functions=0.1),
    "functions in the fit of files, 0.2": Idea(functions=0.2),
    "functions in the fit of files, 0.3": Idea(functions=0.3),
    "pairs weighed by what swapping changes (LambdaRank)": Idea(pairs=True),
    "separate weights for questions that are one name": Idea(derived=_if_a_name),
    "ranks beside scores": Idea(derived=_ranks),
    "the greatest cosine beside the others": Idea(added=("greatest_cosine",)),
    "the greatest cosine instead of three": Idea(added=("greatest_cosine",), dropped=("meaning_three",)),
    "bm25() instead of whether a term occurs": Idea(
        added=("bm25_best", "bm25_three"), dropped=("words_best", "words_three")
    ),
    "bm25() beside it": Idea(added=("bm25_best", "bm25_three")),
    "how deep the file lies": Idea(added=("depth",)),
    "plain words that are names of definitions": Idea(added=("defines_words",)),
    "share of terms in names": Idea(added=("named_share",)),
    "share of terms in docstrings": Idea(added=("told_share",)),
    "terms in the innermost folder": Idea(added=("innermost_folder",)),
    "file name by rarity": Idea(added=("file_name_by_rarity",)),
    "chunks that have the file's name, instead of files": Idea(added=("chunks_that_name_it",), dropped=("referenced",)),
    "files that have the names it defines": Idea(added=("files_with_its_names",)),
    "further chunks: -1": Idea(repeat=(1.0, 1.0)),
    "further chunks: -2": Idea(repeat=(2.0, 1.0)),
    "the repository's own name kept": Idea(
        replaced={"searcher.question.Question.without_name": lambda self, repository, tells_nothing: self}
    ),
    "content words alone in the vector": Idea(
        replaced={"searcher.searcher.Searcher.embed": _content_words(Searcher.embed)}
    ),
    "the question in float32": Idea(
        replaced={
            "searcher.searcher._question_encoder": lambda model: _question_encoder(replace(model, precision="float32"))
        }
    ),
    "200 nearest chunks, 40 files of each kind": Idea(
        replaced={"searcher.evidence.meaning.NEAREST": 200, "searcher.evidence.features.PROPOSED": 40}
    ),
    "feedback: 3 chunks, 0.2": Idea(before=_feedback(3, 0.2)),
    "feedback: 3 chunks, 0.5": Idea(before=_feedback(3, 0.5)),
    "feedback: 10 chunks, 0.3": Idea(before=_feedback(10, 0.3)),
    "expansion: 2 words": Idea(before=_expansion(2)),
    "expansion: 5 words": Idea(before=_expansion(5)),
}
