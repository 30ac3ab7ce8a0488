"""Repositories of a home, found by the name, address or folder that a user gives."""

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


# No system opens a longer path. To resolve one takes time that grows with the square of its length.
LONGEST_PATH = 4096


@dataclass(frozen=True, slots=True)
class KnownRepository:
    """A repository of the home."""

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


def find(connection: sqlite3.Connection, name: str) -> KnownRepository:
    """Return the one repository that `find_all` finds.

    Raises RepositoryError if there is none, UsageError if there are several.
    """
    matches = find_all(connection, name)
    if not matches:
        raise RepositoryError(
            f"no repository {name!r} is indexed: `kuberian status` lists them, `kuberian index PATH` adds one"
        )
    if len(matches) > 1:
        raise UsageError(f"{name!r} may be {' or '.join(match.path for match in matches)}: give the folder")
    return matches[0]


def find_all(connection: sqlite3.Connection, name: str) -> list[KnownRepository]:
    """Return the repositories with this name, else this address, else a name that ends with it, else this folder."""
    repositories = everyone(connection)
    return (
        [repository for repository in repositories if name == repository.name]
        or [repository for repository in repositories if ":" in name and repository.remote == without_credentials(name)]
        or [repository for repository in repositories if name and repository.name.endswith("/" + name)]
        or _by_folder(connection, name)
    )


def at_folder(connection: sqlite3.Connection, root: Path) -> KnownRepository | None:
    """Return the repository whose root is this folder, if the home has it."""
    return next(iter(_known(connection.execute(f"{_COLUMNS} WHERE path = ?", (to_column(str(root)),)))), None)


def put(connection: sqlite3.Connection, root: Path, remote: str | None) -> int:
    """Return the id of the repository at a folder, added if it is new, and note the address that it comes from."""
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
    """Remove a repository, with its snapshots."""
    connection.execute("DELETE FROM repositories WHERE id = ?", (repository_id,))
    meta.note_change(connection)


def name_of(root: Path) -> str:
    """Return the name of a repository: its folder's name."""
    return root.name.removesuffix(".git") or str(root)


def _free_name(connection: sqlite3.Connection, root: Path) -> str:
    """Return the folder's name, with as many of its parents' as tell it from the names of other repositories."""
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


def _by_folder(connection: sqlite3.Connection, name: str) -> list[KnownRepository]:
    if not name or len(name) > LONGEST_PATH:
        return []
    try:
        folder = Path(name).expanduser().resolve()
        repository = at_folder(connection, folder)
        if repository is None and folder.is_dir() and (root := enclosing_repository(folder)):
            repository = at_folder(connection, root)
    except (OSError, RuntimeError, ValueError):  # too long, the home of no user, a null character: no folder's name
        return []
    return [repository] if repository else []
