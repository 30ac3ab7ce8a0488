"""Whether a working tree is still what was indexed, asked of git: its index file, its HEAD, and the clock of each file.

`git status` compares the stat data in git's own index with the disk and names every path that differs from HEAD. An
index run keeps that list with the size and time of each path (`snapshots.dirty`). What differs now and did not then,
or the other way round, has changed; between two HEADs `git diff-tree` says what did. No file is read.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from kuberian.errors import RepositoryError
from kuberian.git.command import Git
from kuberian.git.status import STATUS, from_json, parse_status, stamps
from kuberian.store import repositories, snapshots
from kuberian.store.connection import database_errors
from kuberian.store.home import Home
from kuberian.store.own_files import own_files
from kuberian.store.snapshots import Snapshot

# Longer than git takes for a hundred thousand files. A search must not wait for git for good.
TIMEOUT_SECONDS = 5.0

# What an index run costs: a fixed part, a part for each file, a part for each byte. `python -m benchmarks.reindex`
# measured them with a quarter of the passages new. Where the estimate is too low, the run's budget ends the run.
RUN_SECONDS = 0.3
FILE_SECONDS = 0.01
BYTE_SECONDS = 5e-6


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs from the index: the paths, sorted, and the bytes of the files that still exist."""

    paths: tuple[str, ...]
    size: int

    @property
    def seconds(self) -> float:
        """About how long it takes to index them on one core."""
        return RUN_SECONDS + len(self.paths) * FILE_SECONDS + self.size * BYTE_SECONDS


class Check:
    """Compares a snapshot's working tree with the disk: git works while the caller does something else. Close it."""

    def __init__(self, connection: sqlite3.Connection, home: Path, snapshot: Snapshot) -> None:
        self._connection, self._snapshot, self.root = connection, snapshot, snapshot.root
        self.embedded = snapshot.model_id is not None  # at least in part
        self._indexed_stamps, self._unwatched = from_json(snapshot.dirty)
        self._is_own = own_files(home, snapshot.root)
        self.problem = ""  # why git cannot say what changed
        self._started = time.monotonic()
        self._git = self._start(*STATUS)

    def changes(self) -> Changes | None:
        """Return what differs from the snapshot, or None where git cannot say it in time: `problem` says why."""
        output = self._output(self._git)
        if output is None:
            return None
        status = parse_status(output)
        entries = [entry for entry in status.entries if not self._is_own(entry.path)]
        before, now = self._indexed_stamps, stamps(self.root, [entry.path for entry in entries])
        between = self._between(status.head)
        if between is None:
            return None
        changed = {path for path, stamp in now.items() if path not in before or before[path] != stamp}
        changed |= {path for path in before if path not in now and path not in between}
        changed |= {path for path, oid in between.items() if path not in now and not self._is_indexed(path, oid)}
        unwatched = stamps(self.root, list(self._unwatched))
        changed |= {path for path, stamp in unwatched.items() if stamp != self._unwatched[path]}
        return Changes(tuple(sorted(changed)), sum(_size(self.root / path) for path in changed))

    def close(self) -> None:
        """End git, if nobody waited for its answer."""
        if self._git is not None and self._git.returncode is None:
            self._git.kill()
            self._git.communicate()

    def _between(self, head: str) -> dict[str, str | None] | None:
        """Return the paths that differ between the indexed HEAD and the present one, with their object ids now."""
        if head == self._snapshot.head:
            return {}
        output = self._output(self._start("diff-tree", "-r", "-z", "--no-renames", self._snapshot.head, head))
        if output is None:
            return self._from_snapshot()
        fields = [os.fsdecode(field) for field in output.split(b"\0")]
        oids: dict[str, str | None] = {}
        for meta, path in zip(fields[0::2], fields[1::2], strict=False):
            oid, state = meta.split(" ")[3:5]
            oids[path] = None if state.startswith("D") else oid
        return oids

    def _from_snapshot(self) -> dict[str, str | None] | None:
        """Return the paths whose object ids in git's index are not those of the snapshot.

        This reads all of both. It is for a repository that does not know the indexed HEAD any more: it was cloned anew,
        or its history was rewritten and pruned.
        """
        output = self._output(self._start("ls-files", "-z", "--stage"))
        if output is None:
            return None
        indexed = snapshots.object_ids(self._connection, self._snapshot.id)
        now: dict[str, str | None] = dict.fromkeys(indexed)
        for entry in os.fsdecode(output).split("\0"):
            meta, tab, path = entry.partition("\t")
            if tab:
                now[path] = meta.split(" ")[1]
        return {path: oid for path, oid in now.items() if path not in indexed or indexed[path] not in (oid, None)}

    def _is_indexed(self, path: str, oid: str | None) -> bool:
        return snapshots.indexed_as(self._connection, self._snapshot.id, path) == oid

    def _start(self, *command: str) -> subprocess.Popen[bytes] | None:
        try:
            return Git.of(self.root).start(*command)
        except RepositoryError as error:  # no git, or the folder is gone
            self.problem = str(error)
            return None

    def _output(self, git: subprocess.Popen[bytes] | None) -> bytes | None:
        if git is None:
            return None
        left = self._started + TIMEOUT_SECONDS - time.monotonic()
        try:
            output, errors = git.communicate(timeout=max(left, 0.01))
        except subprocess.TimeoutExpired:
            git.kill()
            git.communicate()
            self.problem = f"git takes more than {TIMEOUT_SECONDS:.0f} s in {self.root}"
            return None
        if git.returncode == 0:
            return output
        self.problem = str(Git.of(self.root).refusal(errors))
        return None


@contextmanager
def checking(home: str | os.PathLike[str] | None, repository: str | None) -> Iterator[Check | None]:
    """Compare an indexed repository's working tree with the disk meanwhile. Yields None if no working tree is indexed.

    `repository` is a name or folder, as for a search. Raises HomeError, RepositoryError or UsageError as a search does.
    """
    if repository is None:
        yield None
        return
    opened = Home.at(home)
    with closing(opened.reader()) as connection:
        with database_errors(opened):
            indexed = snapshots.worktree(connection, repositories.find(connection, repository).id)
        if indexed is None:
            yield None
            return
        with closing(Check(connection, opened.folder, indexed)) as check:
            yield check


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
