"""Connections to a home's database: opening, reading one state, transactions, and what errors mean."""

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

# How long a statement waits for a lock of another process on the SQLite file. Readers never wait for the writer
# (write-ahead log). Such locks are short: they are held while the log is set up or taken away.
BUSY_TIMEOUT_MS = 5000

# A commit to disk costs some 5 ms. One a second costs almost nothing, and a kill loses at most a second's work.
COMMIT_SECONDS = 1.0


def open_reader(home: HomeFolder) -> sqlite3.Connection:
    """Open the database for reading. Raises HomeError if its log holds changes that cannot be read here."""
    database = home.database
    if home.may_write():
        return _connect(database, "mode=ro")
    # SQLite reads the log through a shared-memory file beside it, and cannot make that file here. It is there while
    # somebody writes. If the log is empty, the database is whole without it.
    has_changes = home.log_bytes() > 0
    if not has_changes and not database.with_name(f"{database.name}-shm").exists():
        return _connect(database, "immutable=1")
    connection = _connect(database, "mode=ro")
    try:
        connection.execute("PRAGMA user_version")
    except sqlite3.OperationalError:
        connection.close()
        if has_changes:
            raise HomeError(
                f"{home.log} holds changes that cannot be read where {database.parent} may not be written: "
                "run `kuberian status` once where it may"
            ) from None
        return _connect(database, "immutable=1")
    except BaseException:
        connection.close()
        raise
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
    """Open the database for writing, in autocommit mode. Committed work survives a power cut."""
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
    """Copy the log into the database, and empty the log."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def give_room_back(connection: sqlite3.Connection) -> None:
    """Give the room of deleted rows back to the disk."""
    connection.execute("VACUUM")


def check_version(home: HomeFolder, connection: sqlite3.Connection) -> int:
    """Return the version of the tables, 0 if there are none yet. Raises HomeError if a newer program made them."""
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

    Yields a function: call it when one thing is whole. However the work ends (an interrupt, no more memory, a full
    disk), everything that is whole is committed, and nothing that is half written.
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
        except sqlite3.Error:  # a full disk makes this fail too: tell of the first error
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _keep_what_is_whole(connection: sqlite3.Connection) -> None:
    if not connection.in_transaction:  # SQLite itself has rolled back
        return
    try:
        connection.execute("ROLLBACK TO whole")
    except sqlite3.OperationalError as error:
        if "no such savepoint" not in str(error):  # between two things there is none, and nothing is half written
            raise
    connection.execute("COMMIT")


@contextmanager
def one_state(connection: sqlite3.Connection) -> Iterator[None]:
    """See one state of the database inside, whatever is written meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:  # after some errors SQLite itself has rolled back
            connection.execute("COMMIT")  # keeps the temporary tables


def hold_ids(connection: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Put ids into the connection's own table `held_ids`, to join with: a statement cannot list 100,000 of them."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS held_ids(id INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM held_ids")
    connection.executemany("INSERT OR IGNORE INTO held_ids VALUES(?)", ((int(row_id),) for row_id in ids))


def data_version(connection: sqlite3.Connection) -> int:
    """Return a number that changes whenever another connection has written."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


# Parts of SQLite's messages: of damage, and of a disk or file to look after. Any other message is a mistake of ours.
_DAMAGED = ("malformed", "not a database", "no such table", "no such column", "corrupt", "not decode")
_ENVIRONMENT = ("unable to open", "readonly", "disk I/O", "disk is full", "locked")


@contextmanager
def database_errors(home: HomeFolder) -> Iterator[None]:
    """Turn SQLite's errors of the file or the disk into a HomeError that names the file and says what to do."""
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
    """Tell whether SQLite means that the file is damaged."""
    return any(sign in str(error) for sign in _DAMAGED)


def damaged(home: HomeFolder, reason: str) -> HomeError:
    """Return the error of a damaged database."""
    return HomeError(f"{home.database} is damaged ({reason}): `kuberian index PATH` sets it aside and builds it anew")
