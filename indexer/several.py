"""Several revisions of a repository in one call: both ends of a range, or every tag of a pattern."""

from __future__ import annotations

import os
import time
from typing import Any

from indexer.report import IndexReport, Progress
from indexer.run import MAX_BYTES, check_limits, index
from kuberian.errors import RepositoryError, UsageError
from kuberian.git.address import is_address
from kuberian.git.mirror import fetch
from kuberian.git.repository import Repository
from kuberian.store.home import Home


def range_ends(revision: str) -> list[str]:
    """Return the ends of a range, `A..B` or `A...B` (an end that is left out is HEAD), or the one revision."""
    for dots in ("...", ".."):
        first, separator, last = revision.partition(dots)
        if separator:
            return [first or "HEAD", last or "HEAD"]
    return [revision]


def index_several(
    path: str | os.PathLike[str],
    home: str | os.PathLike[str] | None = None,
    revision: str | None = None,
    tags: str | None = None,
    progress: Progress | None = None,
    *,
    budget: float | None = None,
    wait: bool = False,
    **options: Any,
) -> list[IndexReport]:
    """Index the ends of a range of revisions, and all `tags` that match a glob, oldest first.

    The other parameters and the errors are those of `index`. The budget is for all revisions together.
    """
    if revision is None and tags is None:
        raise UsageError("name what to index: a revision, a range of revisions or a pattern of tags")
    check_limits(options.get("max_bytes", MAX_BYTES), budget)
    deadline = time.monotonic() + budget if budget is not None else None
    folder = fetch(Home.at(home).mirrors, os.fspath(path), progress, wait, budget) if is_address(path) else path
    repository = Repository(folder)
    try:
        names = revisions(repository, revision, tags)
    finally:
        repository.close()
    reports = []
    for name in names:
        time_left = None if deadline is None else max(deadline - time.monotonic(), 0.001)
        reports.append(index(folder, home, name, progress=progress, budget=time_left, wait=wait, **options))
    return reports


def revisions(repository: Repository, revision: str | None, tags: str | None) -> list[str]:
    """Return the names of the revisions that are meant: the ends of a range or the one, and the tags that match.

    Raises RepositoryError if no tag does.
    """
    names = range_ends(revision) if revision else []
    if tags is not None:
        names += (matching := repository.tags(tags))
        if not matching:
            raise RepositoryError(f"{repository.root} has no tag that matches {tags!r}: `git tag` lists them")
    return names
