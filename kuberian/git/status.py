"""What differs from HEAD in a working tree, as `git status` says it, and the clock of each file.

`git status` compares the stat data in git's own index with the disk and names every path that differs from HEAD. No
file is read that has not been touched.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

# A file is as it was if its time (ns) and size (bytes) are; None where there is none.
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
    """Return the stamps of paths below a root; of those changed since `taken_at` (ns), one that matches no file.

    A file that was written while it was indexed may be written again without another time.
    """
    found: dict[str, Stamp] = {}
    for path in paths:
        try:
            state = (root / path).lstat()
        except OSError:
            found[path] = None
            continue
        late = taken_at is not None and state.st_mtime_ns >= taken_at
        found[path] = (0, -1) if late else (state.st_mtime_ns, state.st_size)
    return found


def to_json(found: dict[str, Stamp]) -> str:
    """Return stamps as they are stored."""
    return json.dumps(found, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """A path that differs from HEAD: in git's index (`state[0]`), on disk (`state[1]`; "." where not), or untracked."""

    path: str
    state: str
    tracked: bool


@dataclass(frozen=True, slots=True)
class Status:
    """The answer to `STATUS`: HEAD's commit, and what differs from it."""

    head: str
    entries: tuple[StatusEntry, ...]


# Fields before the path in a record of `git status --porcelain=v2`: untracked, changed, unmerged. Renames are not asked
# for, ignored files neither.
_FIELDS_BEFORE_PATH = {"?": 1, "1": 8, "u": 10}


def parse_status(output: bytes) -> Status:
    """Read what git prints for `STATUS`."""
    head, entries = "", []
    for record in os.fsdecode(output).split("\0"):
        kind = record[:1]
        if record.startswith("# branch.oid "):
            head = record.rpartition(" ")[2]
        elif kind in _FIELDS_BEFORE_PATH:
            fields = record.split(" ", _FIELDS_BEFORE_PATH[kind])
            entries.append(StatusEntry(fields[-1], "??" if kind == "?" else fields[1], kind != "?"))
    return Status(head, tuple(entries))
