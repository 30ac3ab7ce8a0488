"""Removing things from a home: a repository, and what no snapshot uses any more."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kuberian.git.mirror_lock import remove_empty
from kuberian.store import blobs, fulltext, models, paths, repositories
from kuberian.store.connection import give_room_back, transaction
from kuberian.store.folder import HomeFolder
from kuberian.store.repositories import KnownRepository


@dataclass(frozen=True)
class GarbageReport:
    """The counts of what was removed."""

    blobs: int
    chunks: int
    embeddings: int

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


def forget_repository(connection: sqlite3.Connection, home: HomeFolder, repository: KnownRepository) -> GarbageReport:
    """Remove a repository and its snapshots, all that only they used, and its clone if the home keeps one."""
    fulltext.check_words(connection)  # rows of other words cannot be taken away
    with transaction(connection):
        repositories.remove(connection, repository.id)
    if home.is_mirror(repository.root):
        _delete(repository.root)
        remove_empty(repository.root.parent, home.mirrors)
    return collect_garbage(connection, home)


def collect_garbage(connection: sqlite3.Connection, home: HomeFolder) -> GarbageReport:
    """Remove what no snapshot uses, blobs, paths, models and embeddings, and give its room back to the disk."""
    from kuberian.store import embeddings  # imports NumPy, which most index runs do not need

    fulltext.check_words(connection)  # rows of other words cannot be taken away
    with transaction(connection):
        removed_blobs, removed_chunks = blobs.remove_unused(connection)
        paths.remove_unused(connection)
        removed_embeddings = models.remove_unused(connection)
        of_nothing, touched_models = embeddings.remove_unused(connection)
    if touched_models or removed_embeddings:
        from kuberian.store.vector_files import remove_unused_files, write_files

        remove_unused_files(connection, home)
        for model_id in touched_models:
            write_files(connection, home, model_id, anew=True)
    removed_embeddings += of_nothing
    if removed_blobs or removed_embeddings:
        fulltext.optimize(connection)
        give_room_back(connection)
    return GarbageReport(removed_blobs, removed_chunks, removed_embeddings)


def _delete(folder: Path) -> None:
    """Delete a clone. Its packs are read-only, which holds Windows up. What cannot be deleted is told."""

    def again(function: Callable[[str], None], path: str, _: object) -> None:
        for each in (Path(path).parent, Path(path)):
            if each == folder or folder in each.parents:
                each.chmod(stat.S_IRWXU)
        function(path)

    handler: dict[str, Any] = {"onexc" if sys.version_info >= (3, 12) else "onerror": again}
    try:
        shutil.rmtree(folder, **handler)
    except FileNotFoundError:
        pass
    except OSError as error:
        warnings.warn(f"the clone {folder} could not be deleted ({error.strerror}): delete it", stacklevel=3)
