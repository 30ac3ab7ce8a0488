"""Models: the checkpoints that embeddings were made with, each in one precision."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from kuberian.store.columns import from_column, to_column
from kuberian.store.texts import storable


@dataclass(frozen=True, slots=True)
class Model:
    """A checkpoint in a precision. `path` is its folder, None for the bundled one."""

    id: int
    name: str
    path: str | None
    fingerprint: str
    precision: str
    dimension: int


_QUERY = "SELECT models.id, models.name, models.path, fingerprint, precision, dimension FROM models"


def get(connection: sqlite3.Connection, model_id: int) -> Model:
    """Return a model by its id."""
    return _model(connection.execute(f"{_QUERY} WHERE id = ?", (model_id,)).fetchone())


def last_of(connection: sqlite3.Connection, root: str) -> Model | None:
    """Return the model that the repository at a folder was last indexed with."""
    row = connection.execute(
        f"""
        {_QUERY} JOIN snapshots ON models.id = snapshots.model_id JOIN repositories ON repository_id = repositories.id
        WHERE repositories.path = ? ORDER BY indexed_at DESC LIMIT 1
        """,
        (to_column(root),),
    ).fetchone()
    return _model(row) if row else None


def put(
    connection: sqlite3.Connection, name: str, path: str | None, fingerprint: str, precision: str, dimension: int
) -> int:
    """Return the id of a model, added if it is new, with the folder that its checkpoint is in now."""
    connection.execute(
        """
        INSERT INTO models(name, path, fingerprint, precision, dimension) VALUES(?, ?, ?, ?, ?)
        ON CONFLICT(fingerprint, precision) DO UPDATE SET path = excluded.path
        """,
        (
            storable(name),
            None if path is None else to_column(path),
            fingerprint,
            precision,
            dimension,
        ),
    )
    row = connection.execute(
        "SELECT id FROM models WHERE fingerprint = ? AND precision = ?", (fingerprint, precision)
    ).fetchone()
    return int(row[0])


def remove_unused(connection: sqlite3.Connection) -> int:
    """Remove the models that no snapshot uses, with their embeddings. Return how many embeddings they were."""
    unused = "model_id NOT IN (SELECT model_id FROM snapshots WHERE model_id)"
    removed = connection.execute(f"DELETE FROM embeddings WHERE {unused}").rowcount
    connection.execute(f"DELETE FROM vector_files WHERE {unused}")
    connection.execute("DELETE FROM models WHERE id NOT IN (SELECT model_id FROM snapshots WHERE model_id)")
    return removed


def _model(row: tuple[Any, ...]) -> Model:
    id_, name, path, *rest = row
    return Model(id_, name, None if path is None else from_column(path), *rest)
