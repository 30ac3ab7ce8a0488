"""What a question is asked of: the snapshots, and the files in them that the filters leave.

Filters are applied before candidates are looked for, never to the best k afterwards.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kuberian.errors import RepositoryError, UsageError
from kuberian.git.command import Git
from kuberian.store import chunks, embeddings, models, repositories, snapshots
from kuberian.store.arrays import Floats, Ids
from kuberian.store.blobs import languages as all_languages
from kuberian.store.snapshots import Snapshot

Positions = npt.NDArray[np.intp]

# Positions that are kept of terms: 16 MB.
REMEMBERED = 1 << 21

# What a chunk takes in eight arrays, those that are made later included, and a place of a file as an object with its
# path and its share of arrays and lists.
CHUNK_BYTES = 64
PLACE_BYTES = 400

# As `at`: all indexed revisions at once, and the working tree.
EVERY_REVISION = "*"


@dataclass(frozen=True, slots=True)
class Filters:
    """The options that narrow a search down."""

    repository: str | None = None
    language: str | None = None
    path: str | None = None
    at: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a blob is found: a path in a snapshot, and what the file is besides code that runs."""

    snapshot: Snapshot
    path: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class FileVectors:
    """Two embeddings of every file in scope, zeros where there is none: of its path and of its outline.

    Each is float32 [files, dimension].
    """

    paths: Floats
    outlines: Floats


@dataclass(frozen=True, slots=True)
class Embedded:
    """Chunks with an embedding, by position, in the order of the embeddings' ids; `distinct` has each id once."""

    chunks: Ids
    ids: Ids
    distinct: Ids


@dataclass(frozen=True, slots=True)
class Postings:
    """Positions of the chunks that have a term: anywhere, in a name, in a signature or docstring."""

    anywhere: Positions
    named: Positions
    described: Positions


class KnownPostings:
    """The postings of terms that were looked up, for the next question that has them, in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[str, Postings] = {}
        self._size = 0

    def get(self, term: str) -> Postings | None:
        """Return those of a term, or None if it has to be looked up."""
        return self._of.get(term)

    def keep(self, term: str, found: Postings) -> None:
        """Remember those of a term, and forget all others once they take much room."""
        size = len(found.anywhere) + len(found.named) + len(found.described)
        with self._lock:
            if self._size + size > REMEMBERED:
                self._of.clear()
                self._size = 0
            self._of[term] = found
            self._size += size


@dataclass(frozen=True, slots=True)
class Scope:
    """The files and chunks that may answer; a file is a blob at its first place.

    Files and chunks are known by their position here: `blobs` [files] and `chunks` [chunks] are their ids, ascending;
    `file_of` [chunks] is the position of a chunk's file, and `sizes` [files] counts a file's chunks. `places` are, per
    file, its paths in order, `path_ids` [files] the id of the first, and `folder_of` [files] numbers their folders.
    `embeddings` [chunks] are the ids of the chunks' embeddings under the model of the file's snapshot, 0 where there is
    none, and `later_part` [chunks] tells of chunks that they are not the head of their definition. `models` are the ids
    of the snapshots' models, and `model_of` [files] which of them is a file's (0: none yet). `vectors` are the files',
    by model. `paths` are the first places' paths.
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
    models: tuple[int, ...]
    vectors: dict[int, FileVectors]
    repositories: tuple[str, ...]
    paths: frozenset[str]
    _embedded: dict[int, Embedded] = field(default_factory=dict)
    references: dict[str, int] = field(default_factory=dict)  # `lexical.references` of names that were looked up
    postings: KnownPostings = field(default_factory=KnownPostings)

    def embedded(self, model_id: int) -> Embedded:
        """Return the chunks' embeddings under a model. Remembered: every question needs them."""
        if model_id not in self._embedded:
            chunks = np.flatnonzero((self.embeddings > 0) & (self.model_of[self.file_of] == model_id))
            chunks = chunks[np.argsort(self.embeddings[chunks], kind="stable")]
            ids = self.embeddings[chunks]
            self._embedded[model_id] = Embedded(chunks, ids, np.unique(ids))
        return self._embedded[model_id]

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        vectors = sum(both.paths.nbytes + both.outlines.nbytes for both in self.vectors.values())
        return CHUNK_BYTES * len(self.chunks) + PLACE_BYTES * sum(map(len, self.places)) + vectors

    @property
    def coverage(self) -> float:
        """The share of the chunks that have an embedding."""
        return float(np.count_nonzero(self.embeddings)) / len(self.chunks) if len(self.chunks) else 1.0


def asked_snapshots(connection: sqlite3.Connection, filters: Filters) -> list[Snapshot]:
    """Return the snapshots that the filters name: one per repository, or all of them for `EVERY_REVISION`.

    Raises RepositoryError if there is no such repository or revision in the home.
    """
    wanted = repositories.find(connection, filters.repository).id if filters.repository is not None else None
    known = snapshots.all_of(connection, wanted)
    if filters.at == EVERY_REVISION:
        return known
    if filters.at is not None:
        known = [one for one in known if one.revision is not None and _is_revision(filters.at, one)]
        if not known:
            raise RepositoryError(
                f"revision {filters.at!r} is not indexed: run `kuberian index PATH --rev {filters.at}` first"
            )
    first_of: dict[int, Snapshot] = {}
    for snapshot in known:
        first_of.setdefault(snapshot.repository_id, snapshot)
    return list(first_of.values())


def scope(connection: sqlite3.Connection, filters: Filters) -> Scope:
    """Collect the files and chunks that may answer under the filters. Raises as `asked_snapshots` does."""
    chosen = asked_snapshots(connection, filters)
    files = dict(sorted(_files(connection, chosen, filters).items()))
    model_of = [file.places[0].snapshot.model_id or 0 for file in files.values()]
    table = chunks.of_blobs(connection, zip(files, model_of, strict=True))
    blobs: Ids = np.fromiter(files, np.int64, len(files))
    path_ids: Ids = np.array([file.path_id for file in files.values()], np.int64)
    file_of = np.searchsorted(blobs, table.blobs)
    used_models = tuple(sorted(set(model_of) - {0}))
    of_files = [file.places[0].path.rpartition("/")[0] for file in files.values()]
    folders: dict[str, int] = {}
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
        folder_of=np.array([folders.setdefault(folder, len(folders)) for folder in of_files], np.int64),
        models=used_models,
        vectors={model_id: _file_vectors(connection, model_id, path_ids, blobs) for model_id in used_models},
        repositories=tuple(snapshot.repository for snapshot in chosen),
        paths=frozenset(file.places[0].path for file in files.values()),
    )


@dataclass(slots=True)
class _File:
    path_id: int  # of the first place
    places: list[Place]


def _files(connection: sqlite3.Connection, chosen: list[Snapshot], filters: Filters) -> dict[int, _File]:
    """Return the files that the filters leave, by blob."""
    wanted = _path_filter(filters.path)
    languages = None if filters.language is None else _known_languages(connection, filters.language)
    files: dict[int, _File] = {}
    for snapshot in chosen:
        for indexed in sorted(snapshots.files(connection, snapshot.id), key=lambda one: (one.path, one.blob_id)):
            if languages and indexed.language not in languages:
                continue
            if wanted is None or wanted(indexed.path):
                file = files.setdefault(indexed.blob_id, _File(indexed.path_id, []))
                file.places.append(Place(snapshot, indexed.path, frozenset(indexed.labels.split())))
    return files


def _file_vectors(connection: sqlite3.Connection, model_id: int, path_ids: Ids, blobs: Ids) -> FileVectors:
    dimension = models.get(connection, model_id).dimension
    return FileVectors(
        embeddings.of_paths(connection, model_id, path_ids.tolist(), dimension),
        embeddings.of_outlines(connection, model_id, blobs.tolist(), dimension),
    )


def _known_languages(connection: sqlite3.Connection, asked: str) -> set[str]:
    names = {name.strip().lower() for name in asked.split(",") if name.strip()}
    known = all_languages(connection)
    unknown = names - known
    if unknown or not names:
        raise UsageError(
            f"nothing is indexed in the language {', '.join(sorted(unknown)) or asked!r}: "
            f"there is {', '.join(sorted(known)) or 'none'}"
        )
    return names


def _path_filter(pattern: str | None) -> Callable[[str], bool] | None:
    """Return a test for paths: gitignore's patterns, which may be several, separated by commas."""
    if pattern is None:
        return None
    import pathspec

    try:
        spec = pathspec.PathSpec.from_lines("gitignore", [part.strip() for part in pattern.split(",")])
    except ValueError as error:
        raise UsageError(f"--path {pattern!r} is no glob: {error}") from error
    return spec.match_file


def _is_revision(asked: str, snapshot: Snapshot) -> bool:
    """Tell whether `asked` names the commit of a snapshot: its id, a start of it, or what git resolves to it."""
    commit = snapshot.revision or ""
    if commit == asked or (len(asked) >= 7 and commit.startswith(asked)):
        return True
    if asked.startswith("-"):
        return False
    found = Git(snapshot.root).ask("rev-parse", "--verify", "--quiet", f"{asked}^{{commit}}")
    return found is not None and found.decode().strip() == commit
