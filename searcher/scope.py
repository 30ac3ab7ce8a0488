"""Where a question looks for answers: the snapshots, and the files in them that the filters leave.

The filters are applied before candidates are looked for, never to the best k afterwards.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kuberian.errors import RepositoryError, UsageError
from kuberian.git.command import Git
from kuberian.language_names import language_named
from kuberian.store import chunks, embeddings, models, repositories, snapshots
from kuberian.store.arrays import Floats, Ids, distinct
from kuberian.store.blobs import languages as all_languages
from kuberian.store.snapshots import IndexedFile, Snapshot
from searcher.path_filter import path_filter

Positions = npt.NDArray[np.intp]

# Positions of terms to keep for one scope: 16 MB.
REMEMBERED = 1 << 21

# Bytes that a scope takes for a chunk: eight arrays, of which some are made later. And for a place of a file: an object
# with its path, and its share of arrays and lists.
CHUNK_BYTES = 64
PLACE_BYTES = 400

# What results call the language of a file in no known one.
TEXT = "text"

# This as `at` means all indexed revisions at once, and the working tree.
EVERY_REVISION = "*"


@dataclass(frozen=True, slots=True)
class Filters:
    """The options that narrow a search down."""

    repository: str | None = None
    language: str | None = None
    path: str | None = None
    at: str | None = None


@dataclass(frozen=True, slots=True)
class ScopeKey:
    """What decides a scope in one state of the home: the ids of the snapshots, and the filters of their files."""

    snapshots: tuple[int, ...]
    language: str | None
    path: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """A place of a blob: a path in a snapshot, and what the file is besides code that runs."""

    snapshot: Snapshot
    path: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class FileVectors:
    """Two embeddings of each file in scope: of its path and of its outline. A file without one has zeros.

    Both are float32 [files, dimension].
    """

    paths: Floats
    outlines: Floats


@dataclass(frozen=True, slots=True)
class Embedded:
    """Positions of the chunks that have an embedding, in the order of its id. `distinct` has each id once."""

    chunks: Ids
    ids: Ids
    distinct: Ids


@dataclass(frozen=True, slots=True)
class Postings:
    """Positions of the chunks that have a term: anywhere, in a name, and in a signature or docstring."""

    anywhere: Positions
    named: Positions
    described: Positions


class KnownPostings:
    """The postings of the terms of earlier questions, for the next question with the same term, in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_term: dict[str, Postings] = {}
        self._count = 0

    @property
    def size(self) -> int:
        """The bytes that the positions take."""
        return self._count * np.dtype(np.intp).itemsize

    def get(self, term: str) -> Postings | None:
        """Return the postings of a term, or None if they have to be looked up."""
        return self._by_term.get(term)

    def keep(self, term: str, postings: Postings) -> None:
        """Keep the postings of a term. If there is no room for them, forget all others."""
        count = len(postings.anywhere) + len(postings.named) + len(postings.described)
        with self._lock:
            if self._count + count > REMEMBERED:
                self._by_term.clear()
                self._count = 0
            self._by_term[term] = postings
            self._count += count


@dataclass(frozen=True, slots=True)
class Scope:
    """The files and chunks that may answer. A file is a blob at its first place.

    A position is an index into these arrays. Of files: `blobs` are their ids, ascending; `places` their places, in
    order; `path_ids` and `paths` are of the first places; `sizes` counts their chunks; `model_of` is the id of the
    model of their snapshot (0: none yet); `folder_of` numbers their folders. Of chunks: `chunks` are their ids,
    ascending; `file_of` is the position of their file; `embeddings` are the ids of their embeddings under the model of
    their file (0: none); `later_part` says which are not the head of their definition. `models` are the ids of all
    models, and `vectors` the embeddings of the files, by model.

    Ids follow the order in which a home came to know things. Ties are broken by `file_order` and `chunk_order`: the
    positions' places in the order of repositories, paths and lines, so that a home that grew answers as a new one does.
    """

    blobs: Ids
    places: list[list[Place]]
    path_ids: Ids
    sizes: Ids
    model_of: Ids
    chunks: Ids
    file_of: Ids
    embeddings: Ids
    later_part: npt.NDArray[np.bool_]
    folder_of: Ids
    file_order: Ids
    chunk_order: Ids
    models: tuple[int, ...]
    vectors: dict[int, FileVectors]
    repositories: tuple[str, ...]
    paths: frozenset[str]
    _embedded: dict[int, Embedded] = field(default_factory=dict)
    references: dict[str, int] = field(default_factory=dict)  # what `lexical.references` said, by name
    postings: KnownPostings = field(default_factory=KnownPostings)

    def embedded(self, model_id: int) -> Embedded:
        """Return the chunks' embeddings under a model. They are kept, as every question needs them."""
        if model_id not in self._embedded:
            chunks = np.flatnonzero((self.embeddings > 0) & (self.model_of[self.file_of] == model_id))
            chunks = chunks[np.argsort(self.embeddings[chunks], kind="stable")]
            ids = self.embeddings[chunks]
            self._embedded[model_id] = Embedded(chunks, ids, distinct(ids))
        return self._embedded[model_id]

    @property
    def size(self) -> int:
        """The bytes that it takes, about."""
        vectors = sum(both.paths.nbytes + both.outlines.nbytes for both in self.vectors.values())
        places = sum(map(len, self.places))
        return CHUNK_BYTES * len(self.chunks) + PLACE_BYTES * places + vectors + self.postings.size

    @property
    def coverage(self) -> float:
        """The share of the chunks that have an embedding."""
        return float(np.count_nonzero(self.embeddings)) / len(self.chunks) if len(self.chunks) else 1.0


def chosen_snapshots(connection: sqlite3.Connection, filters: Filters) -> list[Snapshot]:
    """Return the snapshots that the filters name: one for each repository, or all of them for `EVERY_REVISION`.

    Raises RepositoryError if there is no such repository or revision in the home.
    """
    repository_id = repositories.find(connection, filters.repository).id if filters.repository is not None else None
    indexed = snapshots.all_of(connection, repository_id)
    if filters.at == EVERY_REVISION:
        return indexed
    if filters.at is not None:
        indexed = [each for each in indexed if each.revision is not None and _is_revision(filters.at, each)]
        if not indexed:
            raise RepositoryError(
                f"revision {filters.at!r} is not indexed: run `kuberian index PATH --rev {filters.at}` first"
            )
    first_of: dict[int, Snapshot] = {}
    for snapshot in indexed:
        first_of.setdefault(snapshot.repository_id, snapshot)
    return list(first_of.values())


def scope(connection: sqlite3.Connection, chosen: list[Snapshot], filters: Filters) -> Scope:
    """Collect the files and chunks of some snapshots that may answer under the filters.

    Raises UsageError if a filter makes no sense.
    """
    files = dict(sorted(_files(connection, chosen, filters).items()))
    model_of = [file.places[0].snapshot.model_id or 0 for file in files.values()]
    table = chunks.of_blobs(connection, zip(files, model_of, strict=True))
    blobs: Ids = np.fromiter(files, np.int64, len(files))
    path_ids: Ids = np.array([file.path_id for file in files.values()], np.int64)
    file_of = np.searchsorted(blobs, table.blobs)
    used_models = tuple(sorted(set(model_of) - {0}))
    folders = [file.places[0].path.rpartition("/")[0] for file in files.values()]
    folder_numbers: dict[str, int] = {}
    file_order = _order([(file.places[0].snapshot.repository, file.places[0].path) for file in files.values()])
    return Scope(
        blobs=blobs,
        places=[file.places for file in files.values()],
        path_ids=path_ids,
        sizes=np.bincount(file_of, minlength=len(blobs)),
        model_of=np.array(model_of, np.int64),
        chunks=table.ids,
        file_of=file_of,
        embeddings=table.embeddings,
        later_part=table.later_part,
        folder_of=np.array([folder_numbers.setdefault(folder, len(folder_numbers)) for folder in folders], np.int64),
        file_order=file_order,
        chunk_order=_places_in(np.lexsort((table.ids, file_order[file_of]))),
        models=used_models,
        vectors={model_id: _file_vectors(connection, model_id, path_ids, blobs) for model_id in used_models},
        repositories=tuple(snapshot.repository for snapshot in chosen),
        paths=frozenset(file.places[0].path for file in files.values()),
    )


def _order(keys: list[tuple[str, str]]) -> Ids:
    """Return, for each key, its place among all keys in their order."""
    return _places_in(np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64))


def _places_in(sequence: npt.NDArray[np.integer]) -> Ids:
    """Return, for each position, its place in a sequence of all positions."""
    places = np.empty(len(sequence), np.int64)
    places[sequence] = np.arange(len(sequence))
    return places


@dataclass(slots=True)
class _File:
    path_id: int  # of the first place
    places: list[Place]


def _files(connection: sqlite3.Connection, chosen: list[Snapshot], filters: Filters) -> dict[int, _File]:
    """Return the files that the filters leave, by blob.

    Of several places of a blob the one with the fewest labels comes first: a copy in the documentation, or a vendored
    one, does not stand for the source.
    """
    languages = None if filters.language is None else _known_languages(connection, filters.language)
    found: list[tuple[int, int, str, Place, IndexedFile]] = []
    for order, snapshot in enumerate(chosen):
        is_wanted = path_filter(filters.path, snapshot.root) if filters.path is not None else None
        for indexed in snapshots.files(connection, snapshot.id):
            if languages and (indexed.language or TEXT) not in languages:
                continue
            if is_wanted is None or is_wanted(indexed.path):
                labels = frozenset(indexed.labels.split())
                found.append((len(labels), order, indexed.path, Place(snapshot, indexed.path, labels), indexed))
    files: dict[int, _File] = {}
    for _, _, _, place, indexed in sorted(found, key=lambda each: each[:3]):
        files.setdefault(indexed.blob_id, _File(indexed.path_id, [])).places.append(place)
    return files


def _file_vectors(connection: sqlite3.Connection, model_id: int, path_ids: Ids, blobs: Ids) -> FileVectors:
    dimension = models.get(connection, model_id).dimension
    return FileVectors(
        embeddings.of_paths(connection, model_id, path_ids.tolist(), dimension),
        embeddings.of_outlines(connection, model_id, blobs.tolist(), dimension),
    )


def _known_languages(connection: sqlite3.Connection, option: str) -> set[str]:
    """Return the languages that an option names, in any of their usual names: `py`, `golang`, `c++`.

    Raises UsageError for a name of no language, or if nothing is indexed in any of them.
    """
    names = [name.strip().lower() for name in option.split(",") if name.strip()]
    languages = {name: language_named(name) for name in names}
    indexed = {TEXT, *all_languages(connection)}
    unknown = sorted(name for name, language in languages.items() if language is None and name not in indexed)
    chosen = {language or name for name, language in languages.items()}
    if unknown or not chosen & indexed:
        raise UsageError(
            f"nothing is indexed in the language {', '.join(unknown or sorted(chosen)) or option!r}: "
            f"there is {', '.join(sorted(indexed))}"
        )
    return chosen


def _is_revision(name: str, snapshot: Snapshot) -> bool:
    """Tell whether a name is that of a snapshot's commit: its id, a start of its id, or a name that git resolves."""
    commit = snapshot.revision or ""
    if commit == name or (len(name) >= 7 and commit.startswith(name)):
        return True
    if name.startswith("-") or "\0" in name:
        return False
    if name.startswith(":") or "^{/" in name:  # a regular expression: git may take minutes and all memory for one
        return False
    resolved = Git.of(snapshot.root).ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    return resolved is not None and resolved.decode().strip() == commit
