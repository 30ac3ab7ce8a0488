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
    """Hold the lock inside. Raises HomeError if another process does and `wait` is false, or it cannot be written."""
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
        with suppress(OSError):  # a full disk: what matters will say so
            (home.folder / HOLDER).write_text(json.dumps(note), encoding="utf-8")
        yield
    finally:
        (home.folder / HOLDER).unlink(missing_ok=True)
        lock.release()


def not_writable(home: HomeFolder, error: OSError) -> HomeError:
    """Return the error of a home that may not be written."""
    return HomeError(f"the home {home.folder} cannot be written ({error.strerror}): name another with --home")


def _holder(home: HomeFolder) -> str:
    try:
        note = json.loads((home.folder / HOLDER).read_text(encoding="utf-8"))
        return f"process {note['process']} (since {note['since']})"
    except (OSError, ValueError, KeyError, TypeError):  # between its lock and its note, or gone by now
        return "another process"
