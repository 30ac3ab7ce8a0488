"""What a question is asked of: the snapshots, and the files in them that the filters leave.

Filters are applied before candidates are looked for, never to the best k afterwards.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kuberian.errors import RepositoryError, UsageError
from kuberian.git.command import Git
from kuberian.store import repositories
from kuberian.store.paths import from_column
from kuberian.store.vectors import STORED, Floats, Ids

Positions = npt.NDArray[np.intp]

# Positions that are kept of terms: 16 MB.
REMEMBERED = 1 << 21

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
class Snapshot:
    """A snapshot that is searched. `root` is the repository's folder; `revision` is None for the working tree."""

    id: int
    repository: str
    root: Path
    revision: str | None
    model_id: int | None


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
    told: Positions


class KnownPostings:
    """The postings of terms that were looked up, for the next question that has them."""

    def __init__(self) -> None:
        self._of: dict[str, Postings] = {}
        self._size = 0

    def get(self, term: str) -> Postings | None:
        """Return those of a term, or None if it has to be looked up."""
        return self._of.get(term)

    def keep(self, term: str, found: Postings) -> None:
        """Remember those of a term, and forget all others once they take much room."""
        size = len(found.anywhere) + len(found.named) + len(found.told)
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
    def coverage(self) -> float:
        """The share of the chunks that have an embedding."""
        return float(np.count_nonzero(self.embeddings)) / len(self.chunks) if len(self.chunks) else 1.0


def snapshots(connection: sqlite3.Connection, filters: Filters) -> list[Snapshot]:
    """Return the snapshots that the filters name: one per repository, or all of them for `EVERY_REVISION`.

    Raises RepositoryError if there is no such repository or revision in the home.
    """
    rows = connection.execute(
        """
        SELECT snapshots.id, name, path, kind, revision, model_id, repository_id FROM snapshots
        JOIN repositories ON repositories.id = repository_id
        ORDER BY name, path, kind DESC, is_head DESC, indexed_at DESC
        """
    ).fetchall()
    if filters.repository is not None:
        wanted = repositories.find(connection, filters.repository).id
        rows = [row for row in rows if row[6] == wanted]
    if filters.at is not None and filters.at != EVERY_REVISION:
        rows = [row for row in rows if row[3] == "commit" and _is_revision(filters.at, row)]
        if not rows:
            raise RepositoryError(
                f"revision {filters.at!r} is not indexed: run `kuberian index PATH --rev {filters.at}` first"
            )
    chosen: dict[object, Snapshot] = {}
    for row in rows:  # the working tree comes first
        revision = row[4] if row[3] == "commit" else None
        key = row[0] if filters.at == EVERY_REVISION else row[2]
        chosen.setdefault(key, Snapshot(row[0], row[1], Path(from_column(row[2])), revision, row[5]))
    return list(chosen.values())


def scope(connection: sqlite3.Connection, filters: Filters) -> Scope:
    """Collect the files and chunks that may answer under the filters."""
    chosen = snapshots(connection, filters)
    files = dict(sorted(_files(connection, chosen, filters).items()))
    model_of = [file.places[0].snapshot.model_id or 0 for file in files.values()]
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS scope_blobs(blob_id INTEGER PRIMARY KEY, model_id INTEGER)")
    connection.execute("DELETE FROM scope_blobs")
    connection.executemany("INSERT INTO scope_blobs VALUES(?, ?)", zip(files, model_of, strict=True))
    rows = connection.execute(
        """
        SELECT chunks.id, chunks.blob_id, coalesce(embeddings.id, 0), part > 1 FROM scope_blobs
        JOIN chunks ON chunks.blob_id = scope_blobs.blob_id
        LEFT JOIN embeddings ON embeddings.passage = chunks.passage AND embeddings.model_id = scope_blobs.model_id
        ORDER BY chunks.id
        """
    ).fetchall()
    table: Ids = np.array(rows, np.int64).reshape(len(rows), 4)
    blobs: Ids = np.fromiter(files, np.int64, len(files))
    file_of = np.searchsorted(blobs, table[:, 1])
    models = tuple(sorted(set(model_of) - {0}))
    of_files = [file.places[0].path.rpartition("/")[0] for file in files.values()]
    folders: dict[str, int] = {}
    return Scope(
        blobs=blobs,
        places=[file.places for file in files.values()],
        path_ids=np.array([file.path_id for file in files.values()], np.int64),
        sizes=np.bincount(file_of, minlength=len(blobs)),
        model_of=np.array(model_of, np.int64),
        chunks=table[:, 0],
        file_of=file_of,
        embeddings=table[:, 2],
        later_part=table[:, 3] > 0,
        folder_of=np.array([folders.setdefault(folder, len(folders)) for folder in of_files], np.int64),
        models=models,
        vectors={model_id: _file_vectors(connection, blobs, files, model_id) for model_id in models},
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
        rows = connection.execute(
            """
            SELECT blob_id, paths.id, paths.path, language, labels FROM snapshot_files
            JOIN paths ON paths.id = path_id JOIN blobs ON blobs.id = blob_id
            WHERE snapshot_id = ?
            """,
            (snapshot.id,),
        )
        found = sorted(
            (from_column(path), blob_id, path_id, labels)
            for blob_id, path_id, path, language, labels in rows
            if not languages or language in languages
        )
        for path, blob_id, path_id, labels in found:
            if wanted is None or wanted(path):
                file = files.setdefault(blob_id, _File(path_id, []))
                file.places.append(Place(snapshot, path, frozenset(labels.split())))
    return files


def _file_vectors(connection: sqlite3.Connection, blobs: Ids, files: dict[int, _File], model_id: int) -> FileVectors:
    dimension = connection.execute("SELECT dimension FROM models WHERE id = ?", (model_id,)).fetchone()[0]
    by_path = dict(
        connection.execute(
            """
            SELECT paths.id, vector FROM paths JOIN embeddings ON embeddings.passage = paths.passage AND model_id = ?
            WHERE paths.id IN (SELECT path_id FROM snapshot_files JOIN scope_blobs USING(blob_id))
            """,
            (model_id,),
        )
    )
    by_blob = dict(
        connection.execute(
            """
            SELECT blob_id, vector FROM scope_blobs JOIN blobs ON blobs.id = blob_id
            JOIN embeddings ON embeddings.passage = blobs.outline AND embeddings.model_id = ?
            """,
            (model_id,),
        )
    )
    none = bytes(STORED.itemsize * dimension)
    paths = b"".join(by_path.get(file.path_id, none) for file in files.values())
    outlines = b"".join(by_blob.get(blob_id, none) for blob_id in files)
    shape = (len(blobs), dimension)
    return FileVectors(*(np.frombuffer(both, STORED).reshape(shape).astype(np.float32) for both in (paths, outlines)))


def _known_languages(connection: sqlite3.Connection, asked: str) -> set[str]:
    names = {name.strip().lower() for name in asked.split(",") if name.strip()}
    known = {row[0] for row in connection.execute("SELECT DISTINCT language FROM blobs WHERE language != ''")}
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


def _is_revision(asked: str, row: tuple[Any, ...]) -> bool:
    """Tell whether `asked` names the commit of a snapshot's row: its id, a start of it, or what git resolves to it."""
    if row[4] == asked or (len(asked) >= 7 and row[4].startswith(asked)):
        return True
    if asked.startswith("-"):
        return False
    found = Git(Path(from_column(row[2]))).ask("rev-parse", "--verify", "--quiet", f"{asked}^{{commit}}")
    return found is not None and found.decode().strip() == row[4]
