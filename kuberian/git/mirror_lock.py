"""One process at a time works on a clone of the home. Nothing is left of the lock, nor of folders made for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import FileLock

# Each try is lost only to a process that takes an empty folder away in the microseconds since it was made.
_TRIES = 100


@contextmanager
def locked(mirrors: Path, folder: Path, wait: bool) -> Iterator[None]:
    """Hold the lock of a clone, a file beside its `folder`, inside.

    Raises filelock's Timeout if another process has it and `wait` is false, OSError if `mirrors` cannot be written.
    """
    from filelock import FileLock

    file = folder.with_suffix(".lock")
    lock = FileLock(file, timeout=-1 if wait else 0)
    _acquire(lock, file.parent)
    try:
        yield
    finally:
        # While it is held. Who waits for it sees that the file has no name any more, and opens another (filelock 3.21).
        with suppress(OSError):  # on Windows a file that is open stays
            file.unlink()
        lock.release()
        remove_empty(file.parent, mirrors)


def _acquire(lock: FileLock, folder: Path) -> None:
    for last in [False] * (_TRIES - 1) + [True]:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            return
        except (FileNotFoundError, FileExistsError):  # another process removed the folder, or did while it was made
            if last:
                raise


def remove_empty(folder: Path, top: Path) -> None:
    """Remove a folder and those above it, up to `top`, as far as they are empty."""
    with suppress(OSError):
        while folder.is_relative_to(top):
            folder.rmdir()
            folder = folder.parent
