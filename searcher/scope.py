"""What a question is asked of: the snapshots, and the files in them that the filters leave.

Filters are applied before candidates are looked for, never to the best k afterwards.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kuberian.errors import RepositoryError, UsageError
from kuberian.store import repositories
from kuberian.store.paths import from_column
from kuberian.store.vectors import STORED, Floats, Ids

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
class PathVectors:
    """The embeddings of the paths at which blobs are found first: float32 [blobs, dimension]."""

    blobs: Ids
    vectors: Floats


@dataclass(frozen=True, slots=True)
class Scope:
    """The chunks that may answer.

    `embeddings` are, per model, the sorted ids of the chunks' embeddings. `places` are, per blob, its paths in order.
    The chunk ids are in the connection's temporary table `scope_chunks(id, blob_id)`.
    """

    places: dict[int, list[Place]]
    embeddings: dict[int, Ids]
    paths: dict[int, PathVectors]
    chunks: int
    coverage: float


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
    """Collect the chunks that may answer under the filters."""
    chosen = snapshots(connection, filters)
    places = _places(connection, chosen, filters)
    for statement in (
        "CREATE TEMP TABLE IF NOT EXISTS scope_blobs(blob_id INTEGER PRIMARY KEY, model_id INTEGER)",
        "CREATE TEMP TABLE IF NOT EXISTS scope_chunks(id INTEGER PRIMARY KEY, blob_id INTEGER)",
        "CREATE INDEX IF NOT EXISTS temp.scope_chunks_blob ON scope_chunks(blob_id)",
        "DELETE FROM scope_blobs",
        "DELETE FROM scope_chunks",
    ):
        connection.execute(statement)
    connection.executemany(
        "INSERT INTO scope_blobs VALUES(?, ?)",
        [(blob_id, found[0].snapshot.model_id) for blob_id, found in places.items()],
    )
    connection.execute("INSERT INTO scope_chunks SELECT id, chunks.blob_id FROM scope_blobs JOIN chunks USING(blob_id)")
    chunks = int(connection.execute("SELECT count(*) FROM scope_chunks").fetchone()[0])
    embeddings: dict[int, Ids] = {}
    paths: dict[int, PathVectors] = {}
    covered = 0
    for model_id in sorted({snapshot.model_id for snapshot in chosen if snapshot.model_id is not None}):
        rows = connection.execute(
            """
            SELECT embeddings.id FROM scope_blobs
            JOIN chunks USING(blob_id)
            JOIN embeddings ON embeddings.passage = chunks.passage AND embeddings.model_id = scope_blobs.model_id
            WHERE scope_blobs.model_id = ?
            """,
            (model_id,),
        ).fetchall()
        covered += len(rows)
        embeddings[model_id] = np.unique(np.array([row[0] for row in rows], np.int64))
        paths[model_id] = _path_vectors(connection, places, model_id)
    return Scope(places, embeddings, paths, chunks, covered / chunks if chunks else 1.0)


def _places(connection: sqlite3.Connection, chosen: list[Snapshot], filters: Filters) -> dict[int, list[Place]]:
    wanted = _path_filter(filters.path)
    languages = None if filters.language is None else _known_languages(connection, filters.language)
    places: dict[int, list[Place]] = {}
    for snapshot in chosen:
        rows = connection.execute(
            """
            SELECT blob_id, paths.path, language, labels FROM snapshot_files
            JOIN paths ON paths.id = path_id JOIN blobs ON blobs.id = blob_id
            WHERE snapshot_id = ?
            """,
            (snapshot.id,),
        )
        found = sorted(
            (from_column(path), blob_id, labels)
            for blob_id, path, lang, labels in rows
            if not languages or lang in languages
        )
        for path, blob_id, labels in found:
            if wanted is None or wanted(path):
                places.setdefault(blob_id, []).append(Place(snapshot, path, frozenset(labels.split())))
    return places


def _path_vectors(connection: sqlite3.Connection, places: dict[int, list[Place]], model_id: int) -> PathVectors:
    dimension = connection.execute("SELECT dimension FROM models WHERE id = ?", (model_id,)).fetchone()[0]
    rows = connection.execute(
        """
        SELECT path, vector FROM paths JOIN embeddings ON embeddings.passage = paths.passage AND model_id = ?
        WHERE paths.id IN (SELECT path_id FROM snapshot_files JOIN scope_blobs USING(blob_id))
        """,
        (model_id,),
    )
    by_path = {from_column(path): vector for path, vector in rows}
    found = [(blob_id, by_path[at[0].path]) for blob_id, at in places.items() if at[0].path in by_path]
    vectors = np.frombuffer(b"".join(vector for _, vector in found), STORED).astype(np.float32)
    return PathVectors(np.array([blob_id for blob_id, _ in found], np.int64), vectors.reshape(len(found), dimension))


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
    import subprocess

    if row[4] == asked or (len(asked) >= 7 and row[4].startswith(asked)):
        return True
    if asked.startswith("-"):
        return False
    answer = subprocess.run(
        ["git", "-C", os.fspath(from_column(row[2])), "rev-parse", "--verify", "--quiet", f"{asked}^{{commit}}"],
        capture_output=True,
        check=False,
    )
    return answer.stdout.decode().strip() == row[4]
