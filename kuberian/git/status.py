"""What differs from HEAD in a working tree, as `git status` says it, and the clock of each file.

`git status` compares the stat data in git's own index with the disk and names every path that differs from HEAD. No
file is read that has not been touched.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

# The time (ns) and size (bytes) of a file: if they are the same, so is the file. None if there is no file.
Stamp = tuple[int, int] | None

STATUS = (
    "status",
    "--porcelain=v2",
    "--branch",
    "-z",
    "--untracked-files=all",
    "--no-renames",
    "--ignore-submodules=all",
)


def stamps(root: Path, paths: list[str], taken_at: int | None = None) -> dict[str, Stamp]:
    """Return the stamps of paths below a root. A file changed since `taken_at` (ns) gets a stamp that matches no file.

    For a file that is written while it is indexed may be written once more without getting another time.
    """
    stamp_of: dict[str, Stamp] = {}
    for path in paths:
        try:
            state = (root / path).lstat()
        except OSError:
            stamp_of[path] = None
            continue
        is_late = taken_at is not None and state.st_mtime_ns >= taken_at
        stamp_of[path] = (0, -1) if is_late else (state.st_mtime_ns, state.st_size)
    return stamp_of


# The key of the unwatched files among the stored stamps: no path is empty.
_UNWATCHED = ""


def to_json(dirty: dict[str, Stamp], unwatched: dict[str, Stamp] | None = None) -> str:
    """Return stamps as they are stored: of what differed from HEAD, and of indexed files that git does not watch.

    `git status` tells nothing of files that are marked as unchanged or skipped, of ignored files, or of those in
    submodules.
    """
    stored: dict[str, object] = {**dirty, **({_UNWATCHED: unwatched} if unwatched else {})}
    return json.dumps(stored, separators=(",", ":"))


def from_json(stored: str | None) -> tuple[dict[str, Stamp], dict[str, Stamp]]:
    """Return the stamps that `to_json` was given: of what differed from HEAD, and of files that git does not watch."""
    dirty = json.loads(stored or "{}")
    unwatched = dirty.pop(_UNWATCHED, {})
    return _tuples(dirty), _tuples(unwatched)


def _tuples(stamp_of: dict[str, list[int] | None]) -> dict[str, Stamp]:
    return {path: (stamp[0], stamp[1]) if stamp else None for path, stamp in stamp_of.items()}


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """A path that differs from HEAD. `state` is a letter for git's index and one for the disk; "." is no difference."""

    path: str
    state: str
    tracked: bool

    @property
    def is_deleted(self) -> bool:
        """Whether git misses the file on disk. ("UD" is a conflict: they deleted it, and ours is on disk.)"""
        return self.state[1] == "D" and self.state[0] != "U"


@dataclass(frozen=True, slots=True)
class Status:
    """The answer to `STATUS`: HEAD's commit, empty where there is none yet, and what differs from it."""

    head: str
    entries: tuple[StatusEntry, ...]


# The number of fields before the path in a record of `git status --porcelain=v2`: untracked, changed, unmerged. Records
# of renames and of ignored files do not occur with the options in `STATUS`.
_FIELDS_BEFORE_PATH = {"?": 1, "1": 8, "u": 10}


def parse_status(output: bytes) -> Status:
    """Read what git prints for `STATUS`."""
    head, entries = "", []
    for record in os.fsdecode(output).split("\0"):
        kind = record[:1]
        if record.startswith("# branch.oid "):
            head = record.rpartition(" ")[2].removeprefix("(initial)")
        elif kind in _FIELDS_BEFORE_PATH:
            fields = record.split(" ", _FIELDS_BEFORE_PATH[kind])
            entries.append(StatusEntry(fields[-1], "??" if kind == "?" else fields[1], kind != "?"))
    return Status(head, tuple(entries))
