"""How git is started: in a clean environment, for one repository that is named explicitly.

git takes the repository from its environment before it looks anywhere else, and it sets that environment itself: in
hooks of linked worktrees, in aliases, under `git --git-dir`. With that environment, a command of ours would read, or
even write, another repository than the user named.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kuberian.errors import RepositoryError
from kuberian.git.apart import objects_apart, own_folder

# What `git rev-parse --local-env-vars` prints (git 2.39 to 2.52), without GIT_CONFIG_COUNT: see `environment`.
LOCAL_VARIABLES = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_CONFIG_PARAMETERS",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
# Other variables that change an answer: whose attributes are read, what paths mean, how a new clone is made.
_OTHER_VARIABLES = frozenset(
    {
        "GIT_ATTR_SOURCE",
        "GIT_DEFAULT_HASH",
        "GIT_DEFAULT_REF_FORMAT",
        "GIT_EXTERNAL_DIFF",
        "GIT_GLOB_PATHSPECS",
        "GIT_ICASE_PATHSPECS",
        "GIT_LITERAL_PATHSPECS",
        "GIT_NAMESPACE",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_QUARANTINE_PATH",
        "GIT_TEMPLATE_DIR",
    }
)

# No lock on the user's index, and no network: objects that a partial clone lacks are not fetched. (git 2.44 and later
# know GIT_NO_LAZY_FETCH. For older ones, no protocol is allowed.)
# An object is what its id says, whatever `git replace` puts in its place: a home keeps contents by their ids, for all
# repositories.
_READ_ONLY = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_REPLACE_OBJECTS": "1",
}

# What git says where objects are missing or damaged: "bad object HEAD", "Could not read 4be8…", "bad tree object HEAD".
_OBJECTS = re.compile(rb"\bobject\b|could not read [0-9a-f]{40}|unable to (?:read|unpack)", re.IGNORECASE)

# A file system monitor is a program that the repository's configuration names, or a daemon that writes into the
# repository.
_OPTIONS = ("--no-pager", "-c", "core.fsmonitor=false")


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables (default: this process's) without those that lead git to another repository.

    The configuration in GIT_CONFIG_COUNT stays, as it does when git runs a command in a submodule: a container gets its
    `safe.directory` or proxy that way. It is removed only if git could not read it.
    """
    kept = dict(os.environ if variables is None else variables)
    for name in LOCAL_VARIABLES | _OTHER_VARIABLES:
        kept.pop(name, None)
    if not _is_whole(kept):
        kept.pop("GIT_CONFIG_COUNT", None)
    return {**kept, "LC_ALL": "C"}


@contextmanager
def clean_environment() -> Iterator[None]:
    """Give this process itself the clean environment inside, for a library that starts git."""
    inherited = dict(os.environ)
    cleaned = environment(inherited)
    for name in inherited.keys() - cleaned.keys():
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(inherited)


def _is_whole(variables: Mapping[str, str]) -> bool:
    count = variables.get("GIT_CONFIG_COUNT", "0")
    return count.isdecimal() and all(
        variables.get(f"GIT_CONFIG_KEY_{i}") and f"GIT_CONFIG_VALUE_{i}" in variables for i in range(int(count))
    )


@dataclass(frozen=True, slots=True)
class Git:
    """git for the repository at a folder: the top of a working tree, or a bare repository.

    `directory` is the repository's own folder, as `.git`; with it, git looks nowhere else. Without it, git looks in the
    folder, and with `above` in the folders above too, and refuses a repository of another user. `index` is a file in
    the place of git's own index.
    """

    folder: Path
    directory: Path | None = None
    bare: bool = False
    above: bool = False
    index: Path | None = None

    @classmethod
    def of(cls, root: Path) -> Git:
        """Return git for a repository that is known by its root, which may be a working tree or a bare repository."""
        return cls(root) if os.path.lexists(root / ".git") else cls(root, root, bare=True)

    def run(self, *command: str, stdin: bytes = b"", accept: Collection[int] = (0,)) -> bytes:
        """Return the output of a command that only reads. `accept` are the exit statuses that are answers.

        Raises RepositoryError with git's own reason for any other, or if git is not installed.
        """
        process = self.start(*command)
        output, errors = process.communicate(stdin)
        if process.returncode not in accept:
            raise self.refusal(errors)
        return output

    def ask(self, *command: str, stdin: bytes = b"") -> bytes | None:
        """Return the output of a command, or None if git is missing or fails."""
        try:
            return self.run(*command, stdin=stdin)
        except RepositoryError:
            return None

    def start(self, *command: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Start a command that only reads, with pipes for its input, output and errors."""
        return start(self.arguments(*command), self.folder, {**self._environment(), **_READ_ONLY}, stderr=stderr)

    def arguments(self, *command: str) -> list[str]:
        """Return the whole command line."""
        where = []
        if self.directory is not None:
            where = [f"--git-dir={self.directory}", "--bare" if self.bare else f"--work-tree={self.folder}"]
        return ["git", *_OPTIONS, *where, *command]

    def _environment(self) -> dict[str, str]:
        here = self.directory is None and not self.above
        variables = environment()
        if here:
            variables["GIT_CEILING_DIRECTORIES"] = os.fspath(self.folder.parent)
        if self.index is not None:
            variables["GIT_INDEX_FILE"] = os.fspath(self.index)
        if not self.bare and not self.above:
            variables |= objects_apart(self.directory or own_folder(self.folder))
        return variables

    def refusal(self, errors: bytes) -> RepositoryError:
        """Return the error for the message of a git that failed."""
        if b"safe.directory" in errors:
            return RepositoryError(
                f"git does not trust {self.folder}, as another user owns it: if you do, run "
                f"`git config --global --add safe.directory {self.folder}`"
            )
        advice = ": run `git fsck` in it, or clone it again" if _OBJECTS.search(errors) else ""
        return RepositoryError(f"git cannot read {self.folder}: {reason(errors)}{advice}")


def start(
    arguments: list[str],
    folder: Path,
    variables: dict[str, str],
    stdin: int | None = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start git in a folder. Raises RepositoryError if git is not installed or the folder is gone."""
    try:
        return subprocess.Popen(
            arguments, cwd=folder, env=variables, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr
        )
    except NotADirectoryError:
        raise RepositoryError(f"{folder} is not a folder: give the repository's folder") from None
    except FileNotFoundError as error:
        if not folder.exists():
            raise RepositoryError(f"{folder} does not exist") from error
        raise RepositoryError("git is not installed: install it and try again") from error
    except OSError as error:
        raise RepositoryError(f"git cannot be run in {folder}: {error.strerror}") from error


def version() -> str | None:
    """Return git's version, or None where it is not installed."""
    try:
        process = subprocess.run(["git", "--version"], env=environment(), capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return os.fsdecode(process.stdout).strip().removeprefix("git version ")


def reason(errors: bytes | str) -> str:
    """Return the line of git's standard error that gives the reason, without its prefix."""
    text = errors if isinstance(errors, str) else os.fsdecode(errors)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))]
    first = next(iter(fatal or lines), "no reason given")
    return first.partition(": ")[2] or first if fatal else first
