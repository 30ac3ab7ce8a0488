"""Paths: stored once, however many snapshots have them, with a full-text row and the hash of a passage."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from kuberian.store import fulltext
from kuberian.store.columns import from_column, to_column


def put(connection: sqlite3.Connection, path: str, key_of: Callable[[str], bytes]) -> int:
    """Return the id of a path. A new one is added, with its full-text row and the hash of its passage (`key_of`)."""
    stored = to_column(path)
    row = connection.execute("SELECT id FROM paths WHERE path = ?", (stored,)).fetchone()
    if row:
        return int(row[0])
    inserted = connection.execute("INSERT INTO paths(path, passage) VALUES(?, ?) RETURNING id", (stored, key_of(path)))
    path_id = int(inserted.fetchone()[0])
    fulltext.add_path(connection, path_id, path)
    return path_id


def remove_unused(connection: sqlite3.Connection) -> None:
    """Remove the paths that no snapshot has."""
    for path_id, stored in connection.execute(
        "SELECT id, path FROM paths WHERE id NOT IN (SELECT path_id FROM snapshot_files)"
    ).fetchall():
        fulltext.remove_path(connection, path_id, from_column(stored))
        connection.execute("DELETE FROM paths WHERE id = ?", (path_id,))
