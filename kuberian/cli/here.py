"""The repository that the user is in: found in the home, indexed first, or brought up to date before a search."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kuberian.cli.output import shown_progress
from kuberian.errors import HomeError, KuberianError, RepositoryError, UsageError

if TYPE_CHECKING:
    from searcher.changes import Check

# A search indexes what changed before it answers, if that will hardly take longer than this (searcher/changes.py).
REFRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Here:
    """The folder of the indexed repository that the user is in, or None; and what the user should know of that."""

    repository: str | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The number of changed files that the index does not have, or None if git did not say; and a note for the user."""

    changed: int | None
    note: str | None = None


def require_index(home: str | None) -> None:
    """Raise HomeError if nothing is indexed in the home: then no answer means anything."""
    from kuberian.settings import enclosing_repository
    from kuberian.store import snapshots
    from kuberian.store.home import Home

    opened = Home.at(home)
    if not opened.is_new() and opened.read(snapshots.all_of):
        return
    inside = enclosing_repository() is not None
    how = "`kuberian index .` first, or search with --index" if inside else "`kuberian index PATH` first"
    raise HomeError(f"nothing is indexed in {opened.folder} yet: run {how}")


@contextmanager
def indexed(home: str | None) -> Iterator[None]:
    """Say of an error inside that nothing is indexed in the home, where that is so: then it is the reason."""
    try:
        yield
    except KuberianError:
        require_index(home)
        raise


def repository_here(home: str | None) -> Here:
    """Return the indexed repository that the user is in, if there is one."""
    from kuberian.settings import enclosing_repository
    from kuberian.store.home import Home
    from kuberian.store.repositories import at_folder

    root = enclosing_repository()
    if root is None:
        return Here(None)
    opened = Home.at(home)
    repository = opened.read(lambda connection: at_folder(connection, root))
    if repository is None:
        return Here(None, "this repository is not indexed: `kuberian index .`, or use --index; searching the others")
    return Here(repository.path)


def index_words(repo: str | None, home: str | None) -> None:
    """Run the first phase of indexing for a repository that the home does not have yet."""
    from kuberian.settings import enclosing_repository
    from kuberian.store.home import Home
    from kuberian.store.repositories import find_all

    folder = repo or enclosing_repository()
    if folder is None:
        raise UsageError("--index indexes the repository that you are in, and this is none: go there, or give --repo")
    opened = Home.at(home)
    if not opened.is_new() and opened.read(lambda connection: find_all(connection, str(folder))):
        return
    from indexer import index as run

    with shown_progress() as progress:
        run(folder, home, progress=progress, meaning=False)


def refresh_first(check: Check, home: str | None, refresh: bool | None) -> Refreshed:
    """Index what changed in the working tree: if `refresh`, or if it is None and it is quick. Else note that it did."""
    changes = check.changes()
    if changes is None:
        if refresh:
            raise RepositoryError(f"what changed cannot be indexed first: {check.problem}")
        return Refreshed(None, f"whether anything changed since this was indexed is not known: {check.problem}")
    if not changes.paths:
        return Refreshed(0)
    count = len(changes.paths)
    reason = "--refresh indexes them first"
    if refresh or (refresh is None and changes.seconds <= REFRESH_SECONDS):
        from indexer import index as run

        try:
            with shown_progress() if refresh else nullcontext() as progress:
                budget = None if refresh else 2 * REFRESH_SECONDS
                meaning = refresh or check.embedded  # after --index alone, nothing is embedded while the user waits
                report = run(check.root, home, progress=progress, budget=budget, meaning=meaning)
            if report.files_indexed or refresh:
                return Refreshed(0)
        except KuberianError as error:
            if refresh:
                raise
            reason = str(error)
    return Refreshed(count, f"{count:,} file{'s' if count > 1 else ''} changed since this was indexed: {reason}")
