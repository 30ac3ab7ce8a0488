"""Repositories by address: a bare clone in a folder of ours, fetched anew on each run.

The clone has the branches and tags of the address, and no password. It is read like any other bare repository.
`kuberian forget` deletes it (kuberian/store/garbage.py).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from kuberian.errors import HomeError, RepositoryError
from kuberian.git.address import mirror_path, without_credentials
from kuberian.git.command import Git, clean_environment, environment, reason, start

# Called with a phase, what is done and the total, as `indexer.report.Progress`.
Progress = Callable[[str, int, int], None]

_REFS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_HEAD = re.compile(r"ref: (refs/heads/\S+)\tHEAD")
_OBJECT_ID = re.compile(r"^([0-9a-f]+)\t", re.MULTILINE)


def fetch(mirrors: Path, address: str, progress: Progress | None = None, wait: bool = False) -> Path:
    """Bring the clone of an address up to date, or make it, and return its folder below `mirrors`.

    Raises RepositoryError if git cannot fetch it, HomeError if `mirrors` cannot be written or the clone is being
    fetched by another process and `wait` is false.
    """
    from filelock import FileLock, Timeout

    folder = mirrors / mirror_path(address)
    shown = without_credentials(address)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock"), timeout=-1 if wait else 0):
            branch, algorithm = _head_of(folder.parent, address)
            # No templates: their hooks would run at every fetch. A clone keeps the hash that it was made with.
            new_format = ("--object-format=sha256",) if algorithm == "sha256" and not (folder / "HEAD").exists() else ()
            _run(["git", "init", "--quiet", "--bare", "--template=", *new_format, folder.name], folder.parent)
            git = Git(folder, folder, bare=True)
            _run(git.arguments("config", "remote.origin.url", shown), folder)
            _fetch(git, address, progress)
            if branch:
                _run(git.arguments("symbolic-ref", "HEAD", branch), folder)
    except Timeout:
        raise HomeError(f"another process is fetching {shown}: wait for it with --wait") from None
    except OSError as error:
        raise HomeError(f"{folder} cannot be written ({error.strerror}): name another home with --home") from error
    return folder


def _head_of(folder: Path, address: str) -> tuple[str | None, str]:
    """Return the branch that an address's HEAD points to, if there is one, and the hash of its object ids."""
    listed = _run(["git", "ls-remote", "--symref", "--", address, "HEAD"], folder, address)
    branch, oid = _HEAD.search(listed), _OBJECT_ID.search(listed)
    return branch[1] if branch else None, "sha256" if oid and len(oid[1]) == 64 else "sha1"


def _fetch(git: Git, address: str, progress: Progress | None) -> None:
    command = ("fetch", "--progress", "--prune", "--no-write-fetch-head", "--", address, *_REFS)
    process = _start(git.arguments(*command), git.folder)
    assert process.stderr is not None
    follow = _follower(progress) if progress is not None else None
    errors = b""
    while block := os.read(process.stderr.fileno(), 1 << 16):
        errors = (errors + block)[-10_000:]
        if follow is not None:
            for line in os.fsdecode(block).replace("\r", "\n").splitlines():
                follow(line)
    if process.wait():
        raise _not_fetched(errors, address)


def _follower(progress: Progress) -> Callable[[str], None]:
    """Return a function to call with the lines of git's own progress."""
    with clean_environment():  # GitPython starts git when it is imported
        from git import RemoteProgress

    class Received(RemoteProgress):
        def update(
            self, op_code: int, cur_count: str | float, max_count: str | float | None = None, message: str = ""
        ) -> None:
            if op_code & self.RECEIVING and max_count:
                progress("fetch", int(cur_count), int(max_count))

    return Received().new_message_handler()


def _run(arguments: list[str], folder: Path, address: str | None = None) -> str:
    process = _start(arguments, folder)
    output, errors = process.communicate()
    if process.returncode:
        if address is not None:
            raise _not_fetched(errors, address)
        raise RepositoryError(f"git cannot keep {folder}: {reason(errors)}")
    return os.fsdecode(output)


def _start(arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start a git that may ask for a password on a terminal, and fails without one elsewhere."""
    terminal = sys.stdin is not None and sys.stdin.isatty()
    variables = environment() if terminal else {**environment(), "GIT_TERMINAL_PROMPT": "0"}
    return start(arguments, folder, variables, None if terminal else subprocess.DEVNULL)


def _not_fetched(errors: bytes, address: str) -> RepositoryError:
    why = reason(os.fsdecode(errors).replace(address, "it"))
    return RepositoryError(f"{without_credentials(address)} cannot be fetched: {why}")
