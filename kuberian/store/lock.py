"""One writer at a time: a lock on a file of the home, and a note of who holds it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kuberian.errors import HomeError
from kuberian.store.clock import now
from kuberian.store.folder import HOLDER, LOCK, HomeFolder


@contextmanager
def locked(home: HomeFolder, wait: bool) -> Iterator[None]:
    """Hold the lock inside. Raises HomeError if it cannot be written, or another process has it and `wait` is false."""
    from filelock import FileLock, Timeout

    lock = FileLock(home.folder / LOCK, timeout=-1 if wait else 0)
    try:
        lock.acquire()
    except Timeout:
        raise HomeError(f"{_holder(home)} is writing to {home.folder}: wait for it with --wait") from None
    except OSError as error:
        raise not_writable(home, error) from error
    try:
        note = {"process": os.getpid(), "since": now()}
        with suppress(OSError):  # on a full disk the database will say so
            (home.folder / HOLDER).write_text(json.dumps(note), encoding="utf-8")
        yield
    finally:
        with suppress(OSError):  # on Windows, while another process reads it
            (home.folder / HOLDER).unlink(missing_ok=True)
        lock.release()


def not_writable(home: HomeFolder, error: OSError) -> HomeError:
    """Return the error of a home that may not be written."""
    return HomeError(f"the home {home.folder} cannot be written ({error.strerror}): name another with --home")


def _holder(home: HomeFolder) -> str:
    try:
        note = json.loads((home.folder / HOLDER).read_text(encoding="utf-8"))
        return f"process {note['process']} (since {note['since']})"
    except (OSError, ValueError, KeyError, TypeError):  # it has not written its note yet, or is gone by now
        return "another process"
