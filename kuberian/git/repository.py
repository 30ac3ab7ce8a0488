"""A git repository: its revisions, its files with those of its submodules, and their contents.

Nothing here writes to the repository: `git status` may not even refresh git's index.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property

from kuberian.errors import RepositoryError, UsageError
from kuberian.git import listing
from kuberian.git.address import without_credentials
from kuberian.git.apart import common_folder
from kuberian.git.attributes import FILE_NAME, Attributes, ask_attributes, attributes_by, is_converted
from kuberian.git.command import Git
from kuberian.git.discovery import discover
from kuberian.git.listing import NOT_CHECKED_OUT, SUBMODULE, Listing, TreeFile, nothing
from kuberian.git.objects import Objects, hash_of
from kuberian.git.status import Stamp, stamps
from kuberian.settings import expanded


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
        if commit and not name and repository.has_files_beside():
            warnings.warn(
                f"git takes {repository.root} for bare, so its last commit is indexed, not the files in it: "
                "if it is not, run `git config core.bare false` there",
                stacklevel=3,
            )
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
        discovered = discover(folder.resolve())
        self.bare = discovered.bare  # whether there is no working tree
        # The top of the working tree. Without one, the folder whose `.git` the repository is, else its own folder.
        self.root = discovered.root
        self._algorithm = discovered.algorithm
        self._git = Git(discovered.root, discovered.directory, discovered.bare)
        self._objects = Objects(self._git)
        # What differed from HEAD when the files of the working tree were listed, and the files that git does not watch.
        self.dirty: dict[str, Stamp] = {}
        self.unwatched: dict[str, Stamp] = {}
        self._attributes: Attributes = {}
        # Files of submodules, each with the submodule and its path there; and the submodules.
        self._inside: dict[str, tuple[Repository, TreeFile]] = {}
        self._submodules: list[Repository] = []

    @cached_property
    def head(self) -> str:
        """The commit that is checked out; empty where there is no commit yet."""
        return self._commit("HEAD") or ""

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
        """Return the full commit id of a tag, branch or commit.

        Raises RepositoryError if there is none, UsageError for a range of revisions.
        """
        if ".." in revision and "{" not in revision:  # no name has two dots; HEAD^{/two..dots} looks for a message
            raise UsageError(f"{revision} is a range of revisions: name one")
        if not revision.startswith("-") and (commit := self._commit(revision)):
            return commit
        if revision == "HEAD":
            raise self.without_commits()
        if not revision.startswith("-"):
            self._check_object(revision)
        raise RepositoryError(f"{self.root} has no revision {revision!r}: name a tag, a branch or a commit")

    def without_commits(self) -> RepositoryError:
        """Return the error for a repository in which nothing was committed yet, or whose commits git cannot read."""
        try:
            self._check_object("HEAD")
        except RepositoryError as error:
            return error
        if self._git.ask("for-each-ref", "--count=1"):
            return RepositoryError(f"{self.root} has no commits at its HEAD, {self.branch}: name a revision with --rev")
        return RepositoryError(f"{self.root} has no commits yet: commit something, then index it")

    def has_files_beside(self) -> bool:
        """Tell whether git takes the repository for bare although files were checked out beside its `.git`."""
        directory = self._git.directory or self.root
        return self.bare and directory != self.root and (directory / "index").exists()

    def _check_object(self, name: str) -> None:
        """Raise RepositoryError if a tag or branch of this name leads to an object that git cannot read."""
        oid = self._line("rev-parse", "--verify", "--quiet", name)
        # An id may be that of no object: git repeats it.
        if oid and oid != name.lower() and self._git.ask("cat-file", "-e", f"{oid}^{{}}") is None:
            raise RepositoryError(
                f"git cannot read the commits of {self.root}: {name} is {oid}, which is missing or damaged: "
                "run `git fsck` in it, or clone it again"
            )

    def tags(self, pattern: str) -> list[str]:
        """Return the tags that match a glob and name commits, oldest first."""
        fields = "--format=%(refname:strip=2) %(objecttype) %(*objecttype)"
        output = os.fsdecode(self._git.run("for-each-ref", "--sort=creatordate", fields, "refs/tags"))
        tags = []
        for line in output.split("\n")[:-1]:
            tag, *kinds = line.split(" ")
            # A tag may be of a tag: then git looks where that leads.
            is_commit = "commit" in kinds or (kinds == ["tag", "tag"] and self._commit(f"refs/tags/{tag}"))
            if is_commit and fnmatchcase(tag, pattern):
                tags.append(tag)
        return tags

    def _commit(self, name: str) -> str | None:
        return self._line("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")

    def _line(self, *command: str) -> str | None:
        """Return the one line that a command prints, or None if git says with status 1 that there is none."""
        output = os.fsdecode(self._git.run(*command, accept=(0, 1)))
        return output.split("\n", 1)[0] or None

    def files(
        self,
        commit: str | None = None,
        without: Callable[[str], bool] = nothing,
        submodules: Callable[[str], bool] = nothing,
    ) -> list[TreeFile]:
        """Return the files at a commit, or of the working tree (tracked and untracked-not-ignored), sorted by path.

        Paths `without` says yes to are passed over. The files of checked-out `submodules` are below the submodule's
        path.
        """
        self._attributes, self._inside = {}, {}
        listed = listing.of_commit(self._git, commit) if commit else listing.of_worktree(self._git, without)
        self.dirty, self.unwatched = listed.dirty, listed.unwatched
        files: list[TreeFile] = []
        for file in listed.files:
            if without(file.path):
                continue
            if file.skipped == SUBMODULE and submodules(file.path) and (inner := self._submodule(file)):
                files += self._files_inside(inner, file, commit, without, submodules)
            else:
                files.append(file)
        self._note_attributes(files, commit)
        if commit is None:
            files = [self._as_on_disk(file) for file in files]
        return sorted(files, key=lambda file: file.path)

    def ignored_files(self, wanted: Callable[[str], bool]) -> list[TreeFile]:
        """Return the `wanted` files of the working tree that git ignores, sorted by path."""
        files = self._noted(listing.of_ignored(self._git, wanted))
        self._note_attributes(files, None)
        return sorted(files, key=lambda file: file.path)

    def ignored_named(self, name: str, beside: list[TreeFile], without: Callable[[str], bool]) -> list[TreeFile]:
        """Return the files of the working tree with a name that lie beside listed ones, and that git ignores."""
        return self._noted(listing.named(self.root, name, beside, without))

    def _noted(self, listed: Listing) -> list[TreeFile]:
        self.unwatched.update(listed.unwatched)
        return listed.files

    def read(self, file: TreeFile) -> tuple[bytes, str] | None:
        """Return a file's content and that content's object id, or None if it is gone or no regular file any more.

        What is on disk counts if it hashes to the id that git recorded; where other line ends make it differ, the
        object itself is read. Raises MissingObjectError where the repository lacks that.
        """
        if inside := self._inside.get(file.path):
            return inside[0].read(inside[1])
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
        if inside := self._inside.get(file.path):
            return inside[0].size(inside[1])
        if file.oid is None or file.on_disk:
            try:
                return (self.root / file.path).lstat().st_size
            except OSError:
                pass
        return (self._objects.size(file.oid) if file.oid else None) or 0

    def attributes(self, path: str) -> dict[str, str]:
        """Return what .gitattributes says of a file that was listed: values by name, "set" and "unset" included."""
        if inside := self._inside.get(path):
            return inside[0].attributes(inside[1].path)
        return self._attributes.get(path, {})

    def close(self) -> None:
        """End the git processes that read objects."""
        self._objects.close()
        for inner in self._submodules:
            inner.close()

    def ignored_by(self, path: str) -> str | None:
        """Return the rule by which git ignores a path, as `file:line: pattern`, or None if git does not ignore it."""
        command = ("check-ignore", "--verbose", "-z", "--no-index", "--stdin")
        output = self._git.run(*command, stdin=os.fsencode(path) + b"\0", accept=(0, 1))
        fields = [os.fsdecode(field) for field in output.split(b"\0")]
        return f"{fields[0]}:{fields[1]}: {fields[2]}" if len(fields) > 3 and not fields[2].startswith("!") else None

    def _as_on_disk(self, file: TreeFile) -> TreeFile:
        """Return a file with what is on disk as its content, where git converts it on the way there."""
        is_plain = file.oid is not None and file.skipped is None and file.path not in self._inside
        return replace(file, oid=None) if is_plain and is_converted(self.attributes(file.path)) else file

    def _note_attributes(self, files: list[TreeFile], commit: str | None) -> None:
        own = [file for file in files if file.path not in self._inside]
        rules = [file for file in own if file.path.rpartition("/")[2] == FILE_NAME]
        if rules or (common_folder(self._git.directory or self.root) / "info" / "attributes").exists():
            # Those that git would read from objects. A partial clone may lack them: then git would fetch, or give up.
            unseen = [file for file in rules if commit or file.skipped == NOT_CHECKED_OUT]
            known = {
                file.path: file.oid
                for file in unseen
                if file.oid and file.skipped in (None, NOT_CHECKED_OUT) and self._objects.size(file.oid) is not None
            }
            paths = [file.path for file in own]
            if commit:
                self._attributes.update(attributes_by(self._git, paths, known, "--cached"))
            elif unseen:
                self._attributes.update(attributes_by(self._git, paths, known))
            else:
                self._attributes.update(ask_attributes(self._git, paths))

    def _submodule(self, file: TreeFile) -> Repository | None:
        """Return the repository of a submodule, or None if it is not checked out."""
        folder = self.root / file.path
        if self.bare or not (folder / ".git").exists() or not listing.is_there(self.root, file.path):
            return None
        try:
            inner = Repository(folder)
        except RepositoryError:
            return None
        self._submodules.append(inner)
        return inner if inner.root == folder and not inner.bare else None

    def _files_inside(
        self,
        inner: Repository,
        submodule: TreeFile,
        commit: str | None,
        without: Callable[[str], bool],
        submodules: Callable[[str], bool],
    ) -> list[TreeFile]:
        """Return the files of a submodule: of its working tree, or at the commit that the tree names if it has it."""
        at = submodule.oid if commit else None
        if at and not inner._commit(at):
            return [submodule]
        prefix = submodule.path + "/"
        listed = inner.files(at, lambda path: without(prefix + path), lambda path: submodules(prefix + path))
        if at is None:
            started = listing.clock()
            shown = [file.path for file in listed if not file.skipped]
            for path, stamp in {**stamps(inner.root, shown, started), **inner.unwatched}.items():
                self.unwatched[prefix + path] = stamp
        files = []
        for file in listed:
            outer = replace(file, path=prefix + file.path)
            self._inside[outer.path] = inner, file
            files.append(outer)
        return files

    def _from_disk(self, path: str) -> bytes | None:
        full = self.root / path
        try:
            if not stat.S_ISREG(full.lstat().st_mode):
                return None
            return full.read_bytes()
        except OSError:
            return None

    def _hash(self, data: bytes) -> str:
        return hash_of(data, self._algorithm)

    def _object(self, oid: str) -> bytes:
        data = self._objects.content(oid)
        if data is None:
            raise MissingObjectError(f"{self.root} lacks the object {oid}: run `git fsck` in it")
        return data
