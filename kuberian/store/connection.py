"""Connections to a home's database: how it is opened, one state of it, all or nothing, and what its errors mean."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kuberian.errors import HomeError
from kuberian.store import damage
from kuberian.store.folder import HomeFolder
from kuberian.store.version import SCHEMA_VERSION

# How long a statement waits for another process's short lock on the SQLite file. Readers never wait for the writer
# (write-ahead log); this only bridges the moments when the log is set up or taken away.
BUSY_TIMEOUT_MS = 5000

# A commit to disk costs some 5 ms; one a second is not felt and loses at most a second's work.
COMMIT_SECONDS = 1.0


def open_reader(home: HomeFolder) -> sqlite3.Connection:
    """Open the database for reading. Raises HomeError where it holds changes that cannot be read from here."""
    database = home.database
    if home.may_write():
        return _connect(database, "mode=ro")
    # The log is read through a shared-memory file beside it, which cannot be made here. While somebody writes it is
    # there. Where there is nothing in the log the database is whole without it.
    log, shared = (database.with_name(database.name + end) for end in ("-wal", "-shm"))
    holds = log.exists() and log.stat().st_size > 0
    if not holds and not shared.exists():
        return _connect(database, "immutable=1")
    connection = _connect(database, "mode=ro")
    try:
        connection.execute("PRAGMA user_version")
    except sqlite3.OperationalError:
        connection.close()
        if holds:
            raise HomeError(
                f"{log} holds changes that cannot be read where {database.parent} may not be written: "
                "run `kuberian status` once where it may"
            ) from None
        return _connect(database, "immutable=1")
    return connection


def _connect(database: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{database.absolute().as_uri()}?{mode}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_TIMEOUT_MS / 1000,
        check_same_thread=False,
    )


def open_writer(home: HomeFolder) -> sqlite3.Connection:
    """Open the database for writing, in autocommit mode. What is committed survives a power cut."""
    connection = sqlite3.connect(home.database, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def checkpoint(connection: sqlite3.Connection) -> None:
    """Take the log over into the database, and cut it off."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def give_room_back(connection: sqlite3.Connection) -> None:
    """Give the room of rows that were deleted back to the disk."""
    connection.execute("VACUUM")


def check_version(home: HomeFolder, connection: sqlite3.Connection) -> int:
    """Return the version of the tables, 0 where none are made yet. Raises HomeError for those of a newer program."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise HomeError(
            f"{home.database} was made by a newer Kuberian (tables {version}, this one knows {SCHEMA_VERSION}): "
            "upgrade Kuberian or name another home with --home"
        )
    return version


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the statements inside as one transaction: all of them are kept, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def batches(connection: sqlite3.Connection) -> Iterator[Callable[[], None]]:
    """Write many things inside, one after the other, in transactions of about a second.

    The function that is yielded says that one thing is whole. However the work ends, what is whole is committed and
    what is half written is not, wherever an interrupt, a lack of memory or a full disk strikes.
    """
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("SAVEPOINT whole")
    began = time.monotonic()

    def one_is_whole() -> None:
        nonlocal began
        connection.execute("RELEASE whole")
        if time.monotonic() - began > COMMIT_SECONDS:
            connection.execute("COMMIT")
            connection.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
        connection.execute("SAVEPOINT whole")

    try:
        yield one_is_whole
    except BaseException:
        try:
            _keep_what_is_whole(connection)
        except sqlite3.Error:  # a full disk also fails here; what came before is what to tell
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _keep_what_is_whole(connection: sqlite3.Connection) -> None:
    if not connection.in_transaction:  # SQLite took all of it back
        return
    try:
        connection.execute("ROLLBACK TO whole")
    except sqlite3.OperationalError as error:
        if "no such savepoint" not in str(error):  # between two things there is none, and nothing to take back
            raise
    connection.execute("COMMIT")


@contextmanager
def one_state(connection: sqlite3.Connection) -> Iterator[None]:
    """See one state of the database inside, whatever is written meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")  # keeps the temporary tables


def hold_ids(connection: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Put ids into the connection's own table `held_ids`, to be joined with: a statement cannot list 100,000."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS held_ids(id INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM held_ids")
    connection.executemany("INSERT OR IGNORE INTO held_ids VALUES(?)", ((int(one),) for one in ids))


def data_version(connection: sqlite3.Connection) -> int:
    """Return a number that differs from the last one if somebody else has written meanwhile."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


# What SQLite says, by the way out. Anything else would be a mistake of ours, and is not dressed up as the user's.
_DAMAGED = ("malformed", "not a database", "no such table", "no such column", "corrupt", "not decode")
_ENVIRONMENT = ("unable to open", "readonly", "disk I/O", "disk is full", "locked")


@contextmanager
def database_errors(home: HomeFolder) -> Iterator[None]:
    """Turn what SQLite reports of the file or the disk into a HomeError that names the file and the way out."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if is_damage(error):
            damage.suspect(home)
            raise damaged(home, damage.reason(home, error)) from error
        if any(sign in text for sign in _ENVIRONMENT):
            raise HomeError(f"{home.database}: {text}: check the disk's space and the file's permissions") from error
        raise


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Tell whether SQLite means that the file is not what it was."""
    return any(sign in str(error) for sign in _DAMAGED)


def damaged(home: HomeFolder, reason: str) -> HomeError:
    """Return the error of a damaged database."""
    return HomeError(f"{home.database} is damaged ({reason}): `kuberian index PATH` sets it aside and builds it anew")
