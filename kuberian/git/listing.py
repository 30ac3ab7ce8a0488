"""Which files a repository has: tracked and untracked ones of the working tree, or those of a commit.

Git's own commands decide what is tracked, ignored and modified. Nothing is read but their output and stat data.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kuberian.git.command import Git
from kuberian.git.status import STATUS, Stamp, parse_status, stamps

# Twice the longest step of the clock that gives files their time: it ticks every 1 to 10 ms.
CLOCK_STEP_NS = 20_000_000

_LINK, _SUBMODULE = "120000", "160000"

# The reasons to skip a file that a sparse checkout left out, and a submodule.
NOT_CHECKED_OUT = "not checked out"
SUBMODULE = "submodule"


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A path in a snapshot. `oid` is None if git has not hashed the file on disk: it is modified or untracked."""

    path: str  # relative to the root, '/' between folders, undecodable bytes as surrogate escapes
    oid: str | None
    skipped: str | None = None  # the reason, if it cannot be indexed whatever its content
    on_disk: bool = True  # whether the file at its path may have its content


@dataclass(frozen=True, slots=True)
class Listing:
    """Files, and the stamps of those that differ from HEAD and of those that git does not watch."""

    files: list[TreeFile]
    dirty: dict[str, Stamp] = field(default_factory=dict)
    unwatched: dict[str, Stamp] = field(default_factory=dict)


def nothing(path: str) -> bool:
    """Say no to every path."""
    return False


def of_commit(git: Git, commit: str) -> Listing:
    """Return the files of a commit, in git's order."""
    files = []
    for entry in _records(git, "ls-tree", "-r", "-z", "--full-tree", commit):
        head, path = entry.split("\t", 1)
        mode, _, oid = head.split(" ")
        files.append(TreeFile(path, oid, _skip_by_mode(mode), on_disk=False))
    return Listing(files)


def of_worktree(git: Git, without: Callable[[str], bool] = nothing) -> Listing:
    """Return the files of the working tree, tracked ones and untracked ones that are not ignored.

    Paths `without` says yes to are passed over.
    """
    started = clock()
    changes = _Changes.of(git, without)
    tracked = {entry.path: entry for entry in _tracked(git)}
    files, unwatched = [], []
    for entry in tracked.values():
        if without(entry.path):
            continue
        if entry.is_unwatched and is_there(git.folder, entry.path):
            unwatched.append(entry.path)
            files.append(on_disk(git.folder, entry.path))
        elif entry.is_unwatched:
            files.append(TreeFile(entry.path, entry.oid, NOT_CHECKED_OUT, on_disk=False))
        elif not changes.is_gone(git.folder, entry.path):
            is_hashed = entry.path not in changes.modified and not entry.is_conflict
            hashed = TreeFile(entry.path, entry.oid, _skip_by_mode(entry.mode))
            files.append(hashed if is_hashed else on_disk(git.folder, entry.path))
    files += [_untracked(git.folder, path) for path in changes.untracked if path not in tracked]
    absent = first_absent(git.folder, [file.path for file in files if file.skipped == NOT_CHECKED_OUT])
    return Listing(files, changes.dirty, {**dict.fromkeys(absent), **stamps(git.folder, unwatched, started)})


def of_ignored(git: Git, wanted: Callable[[str], bool]) -> Listing:
    """Return the `wanted` files of the working tree that git ignores."""
    started = clock()
    paths = _records(git, "ls-files", "-z", "--others", "--ignored", "--exclude-standard")
    files = [_untracked(git.folder, path) for path in paths if wanted(path)]
    return Listing(files, {}, _stamps_of(git.folder, files, started))


def named(root: Path, name: str, listed: Iterable[TreeFile], without: Callable[[str], bool] = nothing) -> Listing:
    """Return the files with a name that lie beside `listed` ones, or in a folder above, and are not among them.

    These are the ones that git ignores. A folder of which it ignores everything is not looked into.
    """
    started = clock()
    paths = {file.path for file in listed}
    folders = {""}
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    candidates = (f"{folder}/{name}" if folder else name for folder in folders)
    beside = [path for path in candidates if path not in paths and not without(path) and is_there(root, path)]
    files = [file for file in (on_disk(root, path) for path in sorted(beside)) if not file.skipped]
    return Listing(files, {}, _stamps_of(root, files, started))


def on_disk(root: Path, path: str) -> TreeFile:
    """Return a path with what is on disk as its content."""
    try:
        mode = (root / path).lstat().st_mode
    except OSError:
        return TreeFile(path, None, "unreadable")
    if stat.S_ISREG(mode):
        return TreeFile(path, None)
    return TreeFile(path, None, "symbolic link" if stat.S_ISLNK(mode) else "not a regular file")


def is_there(root: Path, path: str) -> bool:
    """Tell whether a path is on disk, and not through a folder that became a symbolic link."""
    full = root / path
    return os.path.lexists(full) and full.parent.resolve() == full.parent


def first_absent(root: Path, paths: list[str]) -> set[str]:
    """Return, of paths that are not on disk, the first folder above each that is not there either, or the path itself.

    A sparse checkout that is widened makes it. It leaves out many files, but few folders.
    """
    is_there: dict[str, bool] = {}
    first = set()
    for path in paths:
        slashes = [place for place, sign in enumerate(path) if sign == "/"]
        for part in (*(path[:place] for place in slashes), path):
            if part not in is_there:
                is_there[part] = os.path.lexists(root / part)
            if not is_there[part]:
                first.add(part)
                break
    return first


def clock() -> int:
    """Return a time (ns) that is before that of any file that is written from now on."""
    return time.time_ns() - CLOCK_STEP_NS


@dataclass(frozen=True, slots=True)
class _Tracked:
    """An entry of git's index."""

    path: str
    mode: str
    oid: str
    is_conflict: bool
    is_unwatched: bool  # git does not compare it with the disk


def _tracked(git: Git) -> Iterator[_Tracked]:
    """Yield the entries of git's index. Of a conflict, the first side is the one that counts."""
    last = None
    for record in _records(git, "ls-files", "-z", "--stage", "-v"):
        head, path = record.split("\t", 1)
        tag, mode, oid, stage = head.split(" ")
        if path != last:
            is_unwatched = (tag == "S" or tag.islower()) and mode != _SUBMODULE
            yield _Tracked(path, mode, oid, stage != "0", is_unwatched)
        last = path


@dataclass(frozen=True, slots=True)
class _Changes:
    """What `git status` says: tracked paths whose content on disk is not the index's, deleted and untracked ones."""

    modified: set[str]
    deleted: set[str]
    untracked: list[str]
    dirty: dict[str, Stamp]

    @classmethod
    def of(cls, git: Git, without: Callable[[str], bool]) -> _Changes:
        started = clock()
        entries = [entry for entry in parse_status(git.run(*STATUS)).entries if not without(entry.path)]
        return cls(
            modified={entry.path for entry in entries if entry.tracked and entry.state[1] != "."},
            deleted={entry.path for entry in entries if entry.is_deleted},
            untracked=[entry.path for entry in entries if not entry.tracked],
            dirty=stamps(git.folder, [entry.path for entry in entries], started),
        )

    def is_gone(self, root: Path, path: str) -> bool:
        """Tell whether a path is deleted. It may still lead to a file: through a folder that became a symbolic link."""
        return path in self.deleted or (path in self.modified and not os.path.lexists(root / path))


def _untracked(root: Path, path: str) -> TreeFile:
    return TreeFile(path.rstrip("/"), None, "nested repository") if path.endswith("/") else on_disk(root, path)


def _stamps_of(root: Path, files: list[TreeFile], started: int) -> dict[str, Stamp]:
    return stamps(root, [file.path for file in files if not file.skipped], started)


def _skip_by_mode(mode: str) -> str | None:
    return {_LINK: "symbolic link", _SUBMODULE: SUBMODULE}.get(mode)


def _records(git: Git, *command: str) -> Iterator[str]:
    return (os.fsdecode(record) for record in git.run(*command).split(b"\0") if record)
