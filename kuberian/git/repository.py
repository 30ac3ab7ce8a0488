"""What git says of a repository: its files in the working tree or at a revision, and their contents.

Git's own commands decide what is tracked, ignored and modified. Nothing here writes to the repository: `git status`
may not even refresh git's index.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from kuberian.errors import RepositoryError
from kuberian.git.address import without_credentials
from kuberian.git.command import Git
from kuberian.git.objects import Objects
from kuberian.git.status import STATUS, Stamp, parse_status, stamps
from kuberian.settings import expanded

# Twice the longest step of the clock that gives files their time: it ticks every 1 to 10 ms.
CLOCK_STEP_NS = 20_000_000

_LINK, _SUBMODULE = "120000", "160000"


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A path in a snapshot. `oid` is None if git has not hashed the file on disk: it is modified or untracked."""

    path: str  # relative to the root, '/' between folders, undecodable bytes as surrogate escapes
    oid: str | None
    skipped: str | None = None  # the reason, if it cannot be indexed whatever its content
    on_disk: bool = True  # whether the file at its path may have its content


@dataclass(frozen=True, slots=True)
class Revision:
    """What to index of a repository: a commit, or the working tree if `commit` is None.

    `by_name` tells whether the user named the commit. If not, it is the HEAD of a repository without a working tree.
    """

    commit: str | None
    by_name: bool

    @classmethod
    def of(cls, repository: Repository, name: str | None) -> Revision:
        """Return what a tag, branch or commit id names; without a name the working tree, or HEAD if there is none."""
        commit = repository.resolve(name or "HEAD") if name or repository.bare else None
        return cls(commit, by_name=name is not None)


# The reason to skip a file if the repository lacks its content: in a partial clone, in a copy without large files.
MISSING_OBJECT = "missing object"


class MissingObjectError(RepositoryError):
    """The repository lacks the content of a file."""


class Repository:
    """A git repository, read-only.

    Raises RepositoryError where there is none, where git cannot read it, or where it has nothing to index.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        folder = expanded(path)
        try:
            if not folder.exists():
                raise RepositoryError(f"{folder} does not exist")
            if not folder.is_dir():
                raise RepositoryError(f"{folder} is not a folder: give the repository's folder")
        except OSError as error:  # the name is too long, or a folder above it may not be read
            raise RepositoryError(f"{folder} cannot be read: {error.strerror}") from error
        discovered = _discover(folder.resolve())
        self.bare = discovered.bare  # whether there is no working tree
        # The folder itself for a bare repository, the top of the working tree otherwise.
        self.root = discovered.root
        self._algorithm = discovered.algorithm
        self._git = Git(discovered.root, discovered.directory, discovered.bare)
        self._objects = Objects(self._git)
        # What differed from HEAD when the files of the working tree were listed.
        self.dirty: dict[str, Stamp] = {}

    @cached_property
    def head(self) -> str:
        """The commit that is checked out. Raises RepositoryError where there is no commit yet."""
        commit = self._commit("HEAD")
        if not commit:
            raise RepositoryError(f"{self.root} has no commits yet: commit something, then index it")
        return commit

    @property
    def branch(self) -> str | None:
        """The branch that is checked out, or None where HEAD is detached."""
        return self._line("symbolic-ref", "--quiet", "--short", "HEAD")

    @property
    def remote(self) -> str | None:
        """The address that `origin` fetches from, without a user name or password, or None."""
        url = self._line("config", "--get", "remote.origin.url")
        return without_credentials(url) if url else None

    def resolve(self, revision: str) -> str:
        """Return the full commit id of a tag, branch or commit. Raises RepositoryError if there is none."""
        if not revision.startswith("-") and (commit := self._commit(revision)):
            return commit
        raise RepositoryError(f"{self.root} has no revision {revision!r}: name a tag, a branch or a commit")

    def tags(self, pattern: str) -> list[str]:
        """Return the tags that match a glob and name commits, oldest first."""
        command = ("for-each-ref", "--sort=creatordate", "--format=%(refname:strip=2)", "refs/tags")
        tags = [tag for tag in os.fsdecode(self._git.run(*command)).split("\n") if fnmatchcase(tag, pattern)]
        return [tag for tag in tags if tag and self._commit(f"refs/tags/{tag}")]

    def _commit(self, name: str) -> str | None:
        return self._line("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")

    def _line(self, *command: str) -> str | None:
        """Return the one line that a command prints, or None if git says with status 1 that there is none."""
        output = os.fsdecode(self._git.run(*command, accept=(0, 1)))
        return output.split("\n", 1)[0] or None

    def files(self, commit: str | None = None) -> list[TreeFile]:
        """Return the files at a commit, or of the working tree (tracked and untracked-not-ignored), sorted by path."""
        files = self._commit_files(commit) if commit else self._worktree_files()
        return sorted(files, key=lambda file: file.path)

    def read(self, file: TreeFile) -> tuple[bytes, str] | None:
        """Return a file's content and that content's object id, or None if it is gone or no regular file any more.

        What is on disk counts if it hashes to the id that git recorded; where line-end or other filters make it
        differ, the object itself is read. Raises MissingObjectError where the repository lacks that.
        """
        data = None if self.bare else self._from_disk(file.path)
        if data is not None:
            oid = self._hash(data)
            if file.oid is None or oid == file.oid:
                return data, oid
        if file.oid is None:
            return None
        return self._object(file.oid), file.oid

    def size(self, file: TreeFile) -> int:
        """Return a file's size in bytes without reading it; 0 if it is gone or the repository lacks it."""
        if file.oid is None or file.on_disk:
            try:
                return (self.root / file.path).lstat().st_size
            except OSError:
                pass
        return (self._objects.size(file.oid) if file.oid else None) or 0

    def attributes(self, paths: list[str], *names: str) -> dict[str, dict[str, bool]]:
        """Return what .gitattributes says of the names, yes or no, for each path of which it says anything."""
        if not any(path.rpartition("/")[2] == ".gitattributes" for path in paths):
            return {}
        listing = "\0".join(paths) + "\0"
        output = self._git.run("check-attr", "--stdin", "-z", *names, stdin=os.fsencode(listing))
        attributes: dict[str, dict[str, bool]] = {}
        fields = [os.fsdecode(field) for field in output.split(b"\0")]
        for path, name, value in zip(fields[0::3], fields[1::3], fields[2::3], strict=False):
            if value != "unspecified":
                attributes.setdefault(path, {})[name] = value not in ("unset", "false")
        return attributes

    def close(self) -> None:
        """End the git processes that read objects."""
        self._objects.close()

    def ignored_by(self, path: str) -> str | None:
        """Return the rule by which git ignores a path, as `file:line: pattern`, or None if git does not ignore it."""
        command = ("check-ignore", "--verbose", "-z", "--no-index", "--stdin")
        output = self._git.run(*command, stdin=os.fsencode(path) + b"\0", accept=(0, 1))
        fields = [os.fsdecode(field) for field in output.split(b"\0")]
        return f"{fields[0]}:{fields[1]}: {fields[2]}" if len(fields) > 3 and not fields[2].startswith("!") else None

    def _worktree_files(self) -> Iterator[TreeFile]:
        modified, deleted, untracked = self._changes()
        listed = set()
        for entry in self._records("ls-files", "-z", "--stage", "-t"):
            head, path = entry.split("\t", 1)
            tag, mode, oid, stage = head.split(" ")
            if path in listed:  # the other sides of a conflict
                continue
            listed.add(path)
            if tag == "S" or path in deleted or (path in modified and not os.path.lexists(self.root / path)):
                continue  # left out by a sparse checkout, or deleted on disk
            if path in modified or stage != "0":
                yield self._on_disk(path)
            else:
                yield TreeFile(path, oid, _skip_by_mode(mode))
        for path in untracked:
            if path.endswith("/"):
                yield TreeFile(path.rstrip("/"), None, "nested repository")
            elif path not in listed:
                yield self._on_disk(path)

    def _commit_files(self, commit: str) -> Iterator[TreeFile]:
        for entry in self._records("ls-tree", "-r", "-z", "--full-tree", commit):
            head, path = entry.split("\t", 1)
            mode, _, oid = head.split(" ")
            yield TreeFile(path, oid, _skip_by_mode(mode), on_disk=False)

    def _changes(self) -> tuple[set[str], set[str], list[str]]:
        """Return the tracked paths whose content on disk is not the index's, those deleted on disk, and the untracked.

        A path may be deleted and still lead to a file: through a folder that became a symbolic link.
        """
        started = time.time_ns() - CLOCK_STEP_NS
        entries = parse_status(self._git.run(*STATUS)).entries
        self.dirty = stamps(self.root, [entry.path for entry in entries], started)
        modified = {entry.path for entry in entries if entry.tracked and entry.state[1] != "."}
        deleted = {entry.path for entry in entries if entry.is_deleted}
        return modified, deleted, [entry.path for entry in entries if not entry.tracked]

    def _on_disk(self, path: str) -> TreeFile:
        try:
            mode = (self.root / path).lstat().st_mode
        except OSError:
            return TreeFile(path, None, "unreadable")
        if stat.S_ISREG(mode):
            return TreeFile(path, None)
        return TreeFile(path, None, "symbolic link" if stat.S_ISLNK(mode) else "not a regular file")

    def _from_disk(self, path: str) -> bytes | None:
        full = self.root / path
        try:
            if not stat.S_ISREG(full.lstat().st_mode):
                return None
            return full.read_bytes()
        except OSError:
            return None

    def _hash(self, data: bytes) -> str:
        return hashlib.new(self._algorithm, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

    def _object(self, oid: str) -> bytes:
        data = self._objects.content(oid)
        if data is None:
            raise MissingObjectError(f"{self.root} lacks the object {oid}: run `git fsck` in it")
        return data

    def _records(self, *command: str) -> Iterator[str]:
        return (os.fsdecode(record) for record in self._git.run(*command).split(b"\0") if record)


@dataclass(frozen=True, slots=True)
class _Discovered:
    """A repository as git found it from a folder in it. `directory` is git's own folder, mostly `.git`."""

    root: Path
    directory: Path
    bare: bool
    algorithm: str  # of object ids: sha1 or sha256


def _discover(folder: Path) -> _Discovered:
    """Ask git which repository a folder is in, going upwards. git refuses repositories of other users."""
    question = ("rev-parse", "--is-inside-work-tree", "--is-bare-repository", "--show-object-format", "--show-cdup")
    git = Git(folder, above=True)
    process = git.start(*question, "--absolute-git-dir")
    output, errors = process.communicate()
    if process.returncode and b"safe.bareRepository" in errors:  # git wants a bare one to be named explicitly
        git = Git(folder, folder, bare=True)
        process = git.start(*question, "--absolute-git-dir")
        output, errors = process.communicate()
    if process.returncode:
        if b"not a git repository" in errors:
            raise RepositoryError(f"{folder} is not a git repository: run `git init` there, or name another")
        raise git.refusal(errors)
    inside, bare, algorithm, rest = os.fsdecode(output).removesuffix("\n").split("\n", 3)
    up, directory = rest.split("\n", 1) if inside == "true" else ("", rest.lstrip("\n"))
    own = Path(directory)
    algorithm = algorithm if algorithm.startswith("sha") else "sha1"  # git before 2.28 repeats the question
    if inside == "true":
        return _Discovered(Path(folder, up).resolve(), own, False, algorithm)
    if bare == "false" and own.name == ".git":
        return _Discovered(own.parent, own, False, algorithm)
    return _Discovered(own, own, True, algorithm)


def _skip_by_mode(mode: str) -> str | None:
    return {_LINK: "symbolic link", _SUBMODULE: "submodule"}.get(mode)
