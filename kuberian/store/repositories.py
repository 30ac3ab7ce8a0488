"""Repositories of a home by the name or folder that a user gives."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from kuberian.errors import RepositoryError, UsageError
from kuberian.git.address import without_credentials
from kuberian.settings import enclosing_repository
from kuberian.store.paths import from_column, to_column


@dataclass(frozen=True, slots=True)
class KnownRepository:
    """A repository that the home knows."""

    id: int
    name: str
    path: str


def find(connection: sqlite3.Connection, asked: str) -> KnownRepository:
    """Return the one repository of that name, end of a name, or folder.

    Raises RepositoryError if there is none, UsageError if there are several.
    """
    found = find_all(connection, asked)
    if not found:
        raise RepositoryError(
            f"no repository {asked!r} is indexed: `kuberian status` lists them, `kuberian index PATH` adds one"
        )
    if len(found) > 1:
        raise UsageError(f"{asked!r} may be {' or '.join(known.path for known in found)}: give the folder")
    return found[0]


def find_all(connection: sqlite3.Connection, asked: str) -> list[KnownRepository]:
    """Return the repository of that very name, address or folder, else all whose name ends with it."""
    known = [
        KnownRepository(row[0], row[1], from_column(row[2]))
        for row in connection.execute("SELECT id, name, path FROM repositories ORDER BY name, id")
    ]
    exact = [repository for repository in known if asked == repository.name]
    return (
        exact
        or _by_address(connection, asked)
        or [repository for repository in known if asked and repository.name.endswith("/" + asked)]
        or _by_folder(connection, asked)
    )


def at_folder(connection: sqlite3.Connection, root: Path) -> KnownRepository | None:
    """Return the repository whose root is this folder, if the home knows it."""
    row = connection.execute(
        "SELECT id, name, path FROM repositories WHERE path = ?", (to_column(str(root)),)
    ).fetchone()
    return KnownRepository(row[0], row[1], from_column(row[2])) if row else None


def _by_address(connection: sqlite3.Connection, asked: str) -> list[KnownRepository]:
    """Return the repositories that fetch from an address."""
    if ":" not in asked:
        return []
    rows = connection.execute("SELECT id, name, path FROM repositories WHERE remote = ?", (without_credentials(asked),))
    return [KnownRepository(row[0], row[1], from_column(row[2])) for row in rows]


def _by_folder(connection: sqlite3.Connection, asked: str) -> list[KnownRepository]:
    folder = Path(asked).expanduser().resolve()
    found = at_folder(connection, folder) if asked else None
    if found is None and asked and folder.is_dir() and (root := enclosing_repository(folder)):
        found = at_folder(connection, root)
    return [found] if found else []
