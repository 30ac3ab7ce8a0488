"""What ranking weighs: numbers for each file that may answer, and for each of its chunks.

`FILE` and `CHUNK` name these features in the order of their columns. `searcher/weights.json` says what each is worth.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kuberian.store.arrays import Floats, Ids, distinct, in_order_of_appearance
from kuberian.store.vectors import Vectors
from kuberian.words import word_set, words
from searcher.evidence import meaning
from searcher.evidence.definitions import defining
from searcher.evidence.lexical import Lexical, path_terms, references, weigh
from searcher.evidence.stems import Stemmer
from searcher.question import Question
from searcher.scope import Scope

# Files that each kind of evidence proposes. Then all evidence is looked up for all of them.
PROPOSED = 25
PROPOSED_BY_PATH = 12

FILE = (
    # Words, relative to the best:
    "words_best",  # of the best chunk
    "words_three",  # the mean of the three best chunks
    "words_file",  # BM25 over files
    # Cosines, minus the greatest of all files:
    "meaning_three",  # the mean of the three greatest of the file's chunks
    "meaning_mean",  # the mean of all its chunks
    "meaning_path",  # of its path
    "meaning_outline",  # of the names that it defines
    # Its path, and what it defines:
    "path_folder",  # the share of the question's terms in the names of the folders, weighed by rarity among paths
    "path_name",  # the share of the file name's words that the question has
    "named_like",  # the file is named like an identifier of the question
    "defines",  # how surely it defines the identifier that is the whole question
    "defines_one",  # how surely it defines an identifier of a sentence
    # What kind of file it is:
    "size",  # natural logarithm of the number of chunks, minus the mean of all files
    "entry",  # named like a folder's main part or interface: index, mod, main …
    "header",  # declarations of what a file beside it has: a C header, a type stub
    "data",  # configuration or markup
    "other_platform",  # for an operating system that is not the asker's, if the question names none
    "referenced",  # natural logarithm of the number of files that have the file's name as a word, minus the mean
    "folder_words",  # the greatest `words_three` of the folder's files
    "test",
    "documentation",
    "aside",  # an example, a benchmark, vendored, generated …
)

CHUNK = (
    "named",  # the share of the question's words that are in names which the chunk defines
    "named_here",  # the sum of those words, each weighed by how rare it is in the file, in nats
    "meaning",  # the cosine, minus the greatest of all
    "defines",  # how surely it defines an identifier of the question
    "part",  # a later part of a definition that was cut
)

_ASIDE = frozenset({"benchmark", "compatibility", "declaration", "example", "generated", "vendored"})
_ENTRY = frozenset({"__init__", "index", "init", "lib", "main", "mod"})
# The end of a header's name, and the ends that the name of its source file may have.
_DECLARES = {
    ".h": (".c", ".cc", ".cpp", ".cxx", ".m", ".mm"),
    ".hh": (".cc", ".cpp"),
    ".hpp": (".cpp", ".cc"),
    ".hxx": (".cxx",),
    ".pyi": (".py",),
    ".d.ts": (".js", ".mjs", ".cjs"),
    ".mli": (".ml",),
}
_DATA = word_set("css csproj html ini json lock props properties scss toml xml yaml yml cfg")
# Families of operating systems, by the start of `sys.platform`, with the words for them in paths.
_PLATFORMS = {
    "win": frozenset({"mingw", "msvc", "win", "win32", "win64", "windows"}),
    "darwin": frozenset({"apple", "darwin", "ios", "macos", "osx"}),
    "linux": frozenset({"linux"}),
    "unix": frozenset({"posix", "unix"}),
    "other": word_set(
        """
    aix android bsd cygwin dragonfly freebsd haiku hurd ibmi netbsd openbsd os390 qnx solaris sunos zos
    """
    ),
}


@dataclass(frozen=True, slots=True)
class Candidates:
    """The files that may answer and all their chunks, by position in the scope, with their features.

    Of files: `files` [n] and `file_features` float32 [n, len(FILE)]. Of chunks: `chunks` [m], `file_of` [m] as an index
    into `files`, `chunk_features` float32 [m, len(CHUNK)], and `order` [m], which breaks ties. `found` tells whether
    any word was found. `best_cosine` is the greatest of all chunks in scope.
    """

    files: Ids
    file_features: Floats
    chunks: Ids
    file_of: Ids
    chunk_features: Floats
    order: Ids
    found: bool
    best_cosine: float


_NO_IDS: Ids = np.empty(0, np.int64)
_NONE = Candidates(
    files=_NO_IDS,
    file_features=np.empty((0, len(FILE)), np.float32),
    chunks=_NO_IDS,
    file_of=_NO_IDS,
    chunk_features=np.empty((0, len(CHUNK)), np.float32),
    order=_NO_IDS,
    found=False,
    best_cosine=0.0,
)


def candidates(
    connection: sqlite3.Connection,
    stemmer: Stemmer,
    vectors: dict[int, Vectors],
    question: Question,
    embedded: dict[int, Floats],
    scope: Scope,
) -> Candidates:
    """Collect the files that may answer, with their features. `embedded` is the question's vector, by model."""
    if not len(scope.chunks):
        return _NONE
    terms = _distinct_stems(stemmer, question.terms)
    lexical = weigh(connection, list(terms), scope)
    named = path_terms(connection, list(terms), scope)
    near = meaning.nearest(connection, vectors, embedded, scope)
    of_files = meaning.of_files(embedded, scope)
    definitions = defining(connection, question, scope)

    three_words = _best_three(lexical.chunks, scope.file_of, len(scope.blobs))
    files = _proposed(scope, lexical, three_words, near, of_files, named.weighed, definitions)
    inside = np.zeros(len(scope.blobs), bool)
    inside[files] = True
    chunks = np.flatnonzero(inside[scope.file_of])
    file_of = np.searchsorted(files, scope.file_of[chunks])
    cosines = meaning.of_chunks(connection, vectors, embedded, scope, chunks)
    defines = np.zeros(len(chunks), np.float32)
    for position, sure in definitions.items():
        row = int(np.searchsorted(chunks, position))
        if row < len(chunks) and chunks[row] == position:
            defines[row] = sure

    count = len(files)
    three_cosines = _best_three(cosines, file_of, count)
    means = np.bincount(file_of, cosines, count) / np.maximum(np.bincount(file_of, minlength=count), 1)
    defined = _most(defines, file_of, count)
    columns = {
        "words_best": _most(lexical.chunks[chunks], file_of, count),
        "words_three": three_words[files],
        "words_file": lexical.files[files],
        "meaning_three": _from_greatest(three_cosines),
        "meaning_mean": _from_greatest(means.astype(np.float32)),
        "meaning_path": of_files.paths[files] - _greatest(of_files.paths),
        "meaning_outline": of_files.outlines[files] - _greatest(of_files.outlines),
        "defines": defined if question.is_identifier else np.zeros(count),
        "defines_one": np.zeros(count) if question.is_identifier else defined,
        "size": np.log(scope.sizes[files] + 1) - np.log(scope.sizes + 1).mean(),
        "referenced": _referenced(connection, scope, files),
        "folder_words": _folder_words(scope, three_words)[files],
        **_of_paths(stemmer, question, terms, named.rarity, scope, files),
    }
    return Candidates(
        files=files,
        file_features=np.stack([columns[name] for name in FILE], 1).astype(np.float32),
        chunks=chunks,
        file_of=file_of,
        chunk_features=np.stack(
            (
                lexical.named[chunks],
                lexical.named_here[chunks],
                _from_greatest(cosines),
                defines,
                scope.later_part[chunks],
            ),
            1,
        ).astype(np.float32),
        order=scope.chunk_order[chunks],
        found=lexical.found,
        best_cosine=float(near.cosines[0]) if len(near.cosines) else 0.0,
    )


def _distinct_stems(stemmer: Stemmer, terms: tuple[str, ...]) -> dict[str, str]:
    """Return the first term of each stem, with the stem."""
    by_stem: dict[str, str] = {}
    for term, stems in zip(terms, stemmer.stems(terms), strict=True):
        if stems:
            by_stem.setdefault(stems[0], term)
    return {term: stem for stem, term in by_stem.items()}


def _proposed(
    scope: Scope,
    lexical: Lexical,
    three_words: Floats,
    near: meaning.Nearest,
    of_files: meaning.FileCosines,
    named: Floats,
    definitions: dict[int, float],
) -> Ids:
    """Return the positions of the files that any kind of evidence proposes, ascending."""
    nearest_files = scope.file_of[near.positions]
    by_sureness = sorted(definitions, key=lambda position: (-definitions[position], scope.chunk_order[position]))
    defining_files = [scope.file_of[position] for position in by_sureness]
    proposals = [
        in_order_of_appearance(nearest_files)[:PROPOSED],
        _top(three_words, scope.file_order, PROPOSED),
        _top(lexical.files, scope.file_order, PROPOSED),
        _top(of_files.paths, scope.file_order, PROPOSED_BY_PATH),
        _top(of_files.outlines, scope.file_order, PROPOSED_BY_PATH),
        _top(named, scope.file_order, PROPOSED_BY_PATH),
        np.array(list(dict.fromkeys(defining_files))[:PROPOSED], np.int64),
    ]
    return distinct(np.concatenate(proposals))


def _of_paths(
    stemmer: Stemmer, question: Question, terms: dict[str, str], rarity: dict[str, float], scope: Scope, files: Ids
) -> dict[str, Floats]:
    """Return the features that the files' paths and labels give."""
    worth = {stem: rarity[term] for term, stem in terms.items()}
    total = sum(worth.values()) or 1.0
    places = [scope.places[file][0] for file in files]
    paths = [_Path.of(place.path) for place in places]
    named = stemmer.stems([path.stem for path in paths])
    folders = stemmer.stems([path.folder for path in paths])
    identifiers = {_plain(words(identifier)[-1]) for identifier in question.identifiers if words(identifier)}
    asked_platforms = set(question.terms) & set().union(*_PLATFORMS.values())
    columns: dict[str, list[float]] = {
        "path_folder": [sum(worth.get(stem, 0.0) for stem in set(stems)) / total for stems in folders],
        "path_name": [sum(stem in worth for stem in set(stems)) / max(len(set(stems)), 1) for stems in named],
        "named_like": [_plain(path.stem) in identifiers for path in paths],
        "entry": [path.stem.lower() in _ENTRY for path in paths],
        "header": [_is_header(place.path, scope.paths) for place in places],
        "data": [path.extension in _DATA for path in paths],
        "test": ["test" in place.labels for place in places],
        "documentation": ["documentation" in place.labels for place in places],
        "aside": [bool(place.labels & _ASIDE) for place in places],
        "other_platform": [
            not asked_platforms and _is_for_another_platform(place.path, question.platform) for place in places
        ],
    }
    return {name: np.array(column, np.float32) for name, column in columns.items()}


def _referenced(connection: sqlite3.Connection, scope: Scope, files: Ids) -> Floats:
    counts = []
    for file in files:
        name = scope.places[file][0].path.rpartition("/")[2].partition(".")[0]
        if name not in scope.references:
            scope.references[name] = references(connection, name, scope)
        counts.append(scope.references[name])
    logarithms: Floats = np.log1p(np.array(counts, np.float32))
    return (logarithms - logarithms.mean()).astype(np.float32) if counts else logarithms


def _folder_words(scope: Scope, three_words: Floats) -> Floats:
    """Return, for each file in scope, the greatest value of all files of its folder."""
    return _most(three_words, scope.folder_of, int(scope.folder_of.max(initial=-1)) + 1)[scope.folder_of]


def _is_header(path: str, paths: frozenset[str]) -> bool:
    return any(
        path.removesuffix(end) + source in paths
        for end, sources in _DECLARES.items()
        if path.endswith(end)
        for source in sources
    )


@dataclass(frozen=True, slots=True)
class _Path:
    """A path taken apart: "a/b.test.ts" has the folder "a", the stem "b.test" and the extension "ts"."""

    folder: str
    stem: str
    extension: str

    @classmethod
    @lru_cache(maxsize=65536)
    def of(cls, path: str) -> _Path:
        folder, _, name = path.rpartition("/")
        stem, dot, extension = name.rpartition(".")
        return cls(folder, stem, extension.lower()) if stem and dot else cls(folder, name, "")


@lru_cache(maxsize=65536)
def _is_for_another_platform(path: str, platform: str) -> bool:
    words_of_path = set(words(path.lower().replace("_", " ")))
    families = {family for family, names in _PLATFORMS.items() if words_of_path & names}
    here = next((family for family in _PLATFORMS if platform.startswith(family)), "other")
    if here in families:
        return False
    return bool(families - {"unix"}) or (here == "win" and "unix" in families)


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _top(scores: Floats, order: Ids, count: int) -> Ids:
    """Return the positions of the greatest scores above 0, equal ones in the given order."""
    best = np.lexsort((order, -scores))[:count]
    return best[scores[best] > 0]


def _most(values: Floats, group: Ids, groups: int) -> Floats:
    """Return the greatest value of each group, 0 for an empty one."""
    most = np.full(groups, -np.inf, np.float32)
    np.maximum.at(most, group, values)
    most[np.isinf(most)] = 0.0
    return most


def _best_three(values: Floats, group: Ids, groups: int) -> Floats:
    """Return the mean of the three greatest values of each group. A group of fewer counts its least value again."""
    order = np.lexsort((-values, group))
    counts = np.bincount(group, minlength=groups)
    first = np.cumsum(counts) - counts
    total = np.zeros(groups, np.float32)
    some = counts > 0
    for rank in range(3):
        total[some] += values[order[first[some] + np.minimum(rank, counts[some] - 1)]]
    return (total / 3).astype(np.float32)


def _greatest(values: Floats) -> float:
    return float(values.max()) if len(values) else 0.0


def _from_greatest(values: Floats) -> Floats:
    return values - _greatest(values)
