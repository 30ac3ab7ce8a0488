"""Connections to a home for any number of threads: each is lent to one thread at a time, and opened anew when the home
is replaced.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

from kuberian.errors import RepositoryError, UsageError
from kuberian.store import meta
from kuberian.store.connection import data_version, database_errors, one_state
from kuberian.store.folder import FileState
from kuberian.store.home import Home
from kuberian.store.meta import State


class Reader:
    """A connection to the database that the home has now. One thread uses it at a time.

    Raises HomeError if there is no home, or it is damaged or newer than this program.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._file = home.state()  # before it is opened: if the file is replaced meanwhile, `is_of_the_past` sees it
        self.connection = home.reader()
        self._version: int | None = None
        self._state: State | None = None

    @contextmanager
    def one_state(self) -> Iterator[State]:
        """See one state of the database inside, for a whole answer. Yields that state."""
        with database_errors(self._home), one_state(self.connection):
            version = data_version(self.connection)
            if self._state is None or version != self._version:
                self._state, self._version = meta.state(self.connection), version
            yield self._state

    def is_of_the_past(self) -> bool:
        """Tell whether the home's database is another file than the one that is open, or was written over.

        SQLite itself notices what an index run writes. The file changes too, when the run takes the log over into it.
        In a home that may not be written, SQLite may have been told that nobody writes: then any difference counts.
        """
        now, opened = self._home.state(), self._file
        if now is None or opened is None or not now.is_same_file(opened):
            return True
        if self._home.may_write():
            return _content(now) != _content(opened) and not self._home.is_being_written()
        return now != opened

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def _content(file: FileState) -> tuple[int, int]:
    return file.size, file.mtime_ns


class Readers:
    """The readers of a home. The one that was used last is lent first, so one thread alone needs only one reader."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._idle: list[Reader] = [Reader(home)]
        self._closed = False

    def __enter__(self) -> Readers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def lend(self) -> Iterator[Reader]:
        """Lend a reader of the home as it is now. After an error of the home the reader is not used again.

        Raises HomeError as `Reader` does.
        """
        reader = self._take()
        try:
            yield reader
        except (UsageError, RepositoryError):
            self._give_back(reader)
            raise
        except BaseException:
            reader.close()
            raise
        self._give_back(reader)

    def close(self) -> None:
        """Close all connections that nobody uses. The others are closed when they are given back."""
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for reader in idle:
            reader.close()

    def _take(self) -> Reader:
        with self._lock:
            if self._closed:
                raise ValueError("the searcher is closed")
            reader = self._idle.pop() if self._idle else None
        if reader is not None and not reader.is_of_the_past():
            return reader
        if reader is not None:
            with suppress(sqlite3.Error):
                reader.close()
        return Reader(self._home)

    def _give_back(self, reader: Reader) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(reader)
                return
        reader.close()
