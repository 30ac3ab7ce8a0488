"""Repositories by address: a bare clone in a folder of ours, fetched anew on each run.

The clone has the branches and tags of the address, and no password. It is read like any other bare repository.
`kuberian forget` deletes it (kuberian/store/garbage.py).
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kuberian.errors import HomeError, RepositoryError
from kuberian.git.address import identity, mirror_paths, without_credentials
from kuberian.git.command import Git, clean_environment, environment, reason, start
from kuberian.git.mirror_lock import locked

# Called with a phase, what is done and the total, as `indexer.report.Progress`.
Progress = Callable[[str, int, int], None]

_REFS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_HEAD = re.compile(r"ref: (refs/heads/\S+)\tHEAD")
# How long a git that is told to end may take for it.
_GRACE_SECONDS = 5.0

_OBJECT_ID = re.compile(r"^([0-9a-f]+)\t", re.MULTILINE)


def fetch(
    mirrors: Path, address: str, progress: Progress | None = None, wait: bool = False, budget: float | None = None
) -> Path:
    """Bring the clone of an address up to date, or make it, and return its folder below `mirrors`.

    Raises RepositoryError if git cannot fetch it, or not within `budget` seconds. What was received until then is lost,
    and nothing is left of a clone that is new.
    Raises HomeError if `mirrors` cannot be written or the clone is being fetched by another process and `wait` is
    false.
    """
    from filelock import Timeout

    limit = _Limit(address, budget)
    folder = place(mirrors, address)
    shown = without_credentials(address)
    try:
        with locked(mirrors, folder, wait):
            if place(mirrors, address) == folder:  # else another address took it meanwhile
                _update(folder, address, progress, limit)
                return folder
        return fetch(mirrors, address, progress, wait, limit.left())
    except Timeout:
        raise HomeError(f"another process is fetching {shown}: wait for it with --wait") from None
    except OSError as error:
        raise HomeError(f"{folder} cannot be written ({error.strerror}): name another home with --home") from error


def place(mirrors: Path, address: str) -> Path:
    """Return the folder of an address's clone below `mirrors`, whether there is one yet or not."""
    plain, unmistakable = (mirrors / path for path in mirror_paths(address))
    for folder in (plain, unmistakable):
        noted = _noted(folder)
        if noted is not None and identity(noted) == identity(address):
            return folder
    is_inside = any(folder.suffix == ".git" for folder in plain.relative_to(mirrors).parents)
    is_free = _noted(plain) is None and not any(plain.glob("*.git"))
    return plain if is_free and not is_inside else unmistakable


def _noted(folder: Path) -> str | None:
    """Return the address that a clone is of; None where there is no clone, or one that was never fetched into."""
    if not (folder / "HEAD").is_file():
        return None
    address = Git(folder, folder, bare=True).ask("config", "--get", "remote.origin.url")
    return os.fsdecode(address).removesuffix("\n") if address else None


class _Limit:
    """The time until which git may work for an address."""

    def __init__(self, address: str, budget: float | None) -> None:
        self._address, self._budget = address, budget
        self._end = None if budget is None else time.monotonic() + budget

    def left(self) -> float | None:
        """Return the seconds that are left, None if there is no limit. Raises RepositoryError when the time is up."""
        if self._end is None:
            return None
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.passed()
        return left

    def passed(self) -> RepositoryError:
        return RepositoryError(
            f"{without_credentials(self._address)} could not be fetched in {self._budget:g} s, so nothing of it was "
            "kept: give it a larger budget"
        )


def _update(folder: Path, address: str, progress: Progress | None, limit: _Limit) -> None:
    git = Git(folder, folder, bare=True)
    _remove_stale_locks(folder)
    is_new = not _has_refs(git)
    try:
        branch, algorithm = _head_of(folder.parent, address, limit)
        # No templates: their hooks would run at every fetch. A clone keeps the hash that it was made with.
        new_format = ("--object-format=sha256",) if algorithm == "sha256" and not (folder / "HEAD").exists() else ()
        _run(["git", "init", "--quiet", "--bare", "--template=", *new_format, folder.name], folder.parent)
        _run(git.arguments("config", "remote.origin.url", without_credentials(address)), folder)
        _fetch(git, address, progress, limit)
        if branch:
            _run(git.arguments("symbolic-ref", "HEAD", branch), folder)
        if is_new and not _has_refs(git):
            raise RepositoryError(f"{without_credentials(address)} has no commits yet: push something to it first")
    except BaseException:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _remove_stale_locks(folder: Path) -> None:
    """Remove the lock files of a git that was killed. Nobody else works on the clone while its own lock is held."""
    for file in [*folder.glob("*.lock"), *folder.glob("refs/**/*.lock")]:
        file.unlink(missing_ok=True)


def _has_refs(git: Git) -> bool:
    """Tell whether a clone has branches or tags. One in which git finds no repository has none."""
    if not (git.folder / "HEAD").is_file():
        return False
    return git.ask("for-each-ref", "--count=1") != b""


def _head_of(folder: Path, address: str, limit: _Limit) -> tuple[str | None, str]:
    """Return the branch that an address's HEAD points to, if there is one, and the hash of its object ids."""
    left = limit.left()
    with _ended(_start(["git", "ls-remote", "--symref", "--", address, "HEAD"], folder)) as process:
        try:
            output, errors = process.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            raise limit.passed() from None
    if process.returncode:
        raise _not_fetched(errors, address)
    listed = os.fsdecode(output)
    branch, oid = _HEAD.search(listed), _OBJECT_ID.search(listed)
    return branch[1] if branch else None, "sha256" if oid and len(oid[1]) == 64 else "sha1"


def _fetch(git: Git, address: str, progress: Progress | None, limit: _Limit) -> None:
    command = ("fetch", "--progress", "--prune", "--no-write-fetch-head", "--", address, *_REFS)
    follow = _follower(progress) if progress is not None else None
    limit.left()
    errors = b""
    with _ended(_start(git.arguments(*command), git.folder)) as process:
        blocks = _blocks_of(process)
        try:
            while block := blocks.get(timeout=limit.left()):
                errors = (errors + block)[-10_000:]
                if follow is not None:
                    for line in os.fsdecode(block).replace("\r", "\n").splitlines():
                        follow(line)
            process.wait(limit.left())
        except (queue.Empty, subprocess.TimeoutExpired):
            raise limit.passed() from None
    if process.returncode:
        raise _not_fetched(errors, address)


def _blocks_of(process: subprocess.Popen[bytes]) -> queue.Queue[bytes]:
    """Return a queue of what git writes to its standard error, and b"" at the end.

    A thread reads it: what git started may hold the pipe open after git has ended.
    """
    blocks: queue.Queue[bytes] = queue.Queue()
    stream = process.stderr
    assert stream is not None

    def read() -> None:
        block = b"-"
        while block:
            try:
                block = os.read(stream.fileno(), 1 << 16)
            except (OSError, ValueError):  # it was closed
                block = b""
            blocks.put(block)

    threading.Thread(target=read, daemon=True).start()
    return blocks


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """End a git that is still at work when this is left, however that happens."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()  # so that git removes its temporary files
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


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


def _run(arguments: list[str], folder: Path) -> None:
    process = _start(arguments, folder)
    _, errors = process.communicate()
    if process.returncode:
        raise RepositoryError(f"git cannot keep {folder}: {reason(errors)}")


def _start(arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start a git that may ask for a password on a terminal, and fails without one elsewhere."""
    terminal = sys.stdin is not None and sys.stdin.isatty()
    variables = environment() if terminal else {**environment(), "GIT_TERMINAL_PROMPT": "0"}
    return start(arguments, folder, variables, None if terminal else subprocess.DEVNULL)


def _not_fetched(errors: bytes, address: str) -> RepositoryError:
    why = reason(os.fsdecode(errors).replace(address, "it"))
    return RepositoryError(f"{without_credentials(address)} cannot be fetched: {why}")
