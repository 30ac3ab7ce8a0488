"""Repositories of a home, by the name, address or folder that a user gives."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kuberian.errors import RepositoryError, UsageError
from kuberian.git.address import without_credentials
from kuberian.settings import enclosing_repository
from kuberian.store import meta
from kuberian.store.columns import from_column, to_column

_COLUMNS = "SELECT id, name, path, remote FROM repositories"


@dataclass(frozen=True, slots=True)
class KnownRepository:
    """A repository that the home knows."""

    id: int
    name: str
    path: str
    remote: str | None

    @property
    def root(self) -> Path:
        """Its folder."""
        return Path(self.path)


def everyone(connection: sqlite3.Connection) -> list[KnownRepository]:
    """Return all repositories, by name."""
    return _known(connection.execute(f"{_COLUMNS} ORDER BY name, id"))


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
    known = everyone(connection)
    exact = [repository for repository in known if asked == repository.name]
    return (
        exact
        or [repository for repository in known if ":" in asked and repository.remote == without_credentials(asked)]
        or [repository for repository in known if asked and repository.name.endswith("/" + asked)]
        or _by_folder(connection, asked)
    )


def at_folder(connection: sqlite3.Connection, root: Path) -> KnownRepository | None:
    """Return the repository whose root is this folder, if the home knows it."""
    return next(iter(_known(connection.execute(f"{_COLUMNS} WHERE path = ?", (to_column(str(root)),)))), None)


def put(connection: sqlite3.Connection, root: Path, remote: str | None) -> int:
    """Return the id of the repository at a folder, added if it is new, with the address that it is from."""
    known = at_folder(connection, root)
    if known is not None:
        connection.execute("UPDATE repositories SET remote = ? WHERE id = ?", (remote, known.id))
        return known.id
    row = connection.execute(
        "INSERT INTO repositories(name, path, remote) VALUES(?, ?, ?) RETURNING id",
        (_free_name(connection, root), to_column(str(root)), remote),
    ).fetchone()
    return int(row[0])


def remove(connection: sqlite3.Connection, repository_id: int) -> None:
    """Take a repository out, with its snapshots."""
    connection.execute("DELETE FROM repositories WHERE id = ?", (repository_id,))
    meta.note_change(connection)


def name_of(root: Path) -> str:
    """Return what a repository is called: its folder's name."""
    return root.name.removesuffix(".git") or str(root)


def _free_name(connection: sqlite3.Connection, root: Path) -> str:
    """Return the folder's name, with its parent's where two repositories would be called the same."""
    taken = {repository.name for repository in everyone(connection)}
    parts = [part for part in root.parts if part != root.anchor]
    name = name_of(root)
    for count in range(2, len(parts) + 1):
        if name not in taken:
            break
        name = "/".join(parts[-count:]).removesuffix(".git")
    return name.encode("utf-8", "replace").decode("utf-8")


def _known(rows: Iterable[tuple[int, str, str | bytes, str | None]]) -> list[KnownRepository]:
    return [KnownRepository(id_, name, from_column(path), remote) for id_, name, path, remote in rows]


def _by_folder(connection: sqlite3.Connection, asked: str) -> list[KnownRepository]:
    folder = Path(asked).expanduser().resolve()
    found = at_folder(connection, folder) if asked else None
    if found is None and asked and folder.is_dir() and (root := enclosing_repository(folder)):
        found = at_folder(connection, root)
    return [found] if found else []
