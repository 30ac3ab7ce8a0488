"""The home: the folder with everything that Kuberian keeps, opened by many readers and one writer at a time."""

from __future__ import annotations

import json
import os
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from kuberian.errors import HomeError
from kuberian.settings import home_folder
from kuberian.store import damage, sums
from kuberian.store.version import SCHEMA_VERSION

DATABASE = "kuberian.db"
VECTORS = "vectors"
MIRRORS = "mirrors"
LOCK = "index.lock"
HOLDER = "index.holder"

# How long a statement waits for another process's short lock on the SQLite file. Readers never wait for the writer
# (write-ahead log); this only bridges the moments when the log is set up or taken away.
BUSY_TIMEOUT_MS = 5000

# A commit to disk costs some 5 ms; one a second is not felt and loses at most a second's work.
COMMIT_SECONDS = 1.0

# What a writer may spend on checksums at its end: this long, or this share of its own time. zlib's CRC-32 reads about
# 1 GB a second.
CRC_BYTES_A_SECOND = 1e9
CRC_SECONDS = 0.25
CRC_SHARE = 0.1


def now() -> str:
    """Return the time in UTC as ISO 8601, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class FileState:
    """The database as a file: which it is, and its size (bytes), time (ns) and the size of the log beside it."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    log_bytes: int

    def is_same_file(self, other: FileState) -> bool:
        """Tell whether it is that very file, whatever is written in it."""
        return (self.device, self.inode) == (other.device, other.inode)


@dataclass(frozen=True)
class Home:
    """A home by its folder. Nothing is created before `writer` is entered."""

    folder: Path

    @classmethod
    def at(cls, home: str | os.PathLike[str] | None = None) -> Home:
        """Return the home that the argument, the environment or the platform names."""
        return cls(home_folder(home))

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / DATABASE

    @property
    def vectors(self) -> Path:
        """The folder of the FAISS files."""
        return self.folder / VECTORS

    @property
    def mirrors(self) -> Path:
        """The folder of the clones of repositories that were named by their address."""
        return self.folder / MIRRORS

    def state(self) -> FileState | None:
        """Return what tells the database from another that takes its place; None where there is none."""
        try:
            found = self.database.stat()
        except OSError:
            return None
        try:
            log_bytes = self.database.with_name(f"{DATABASE}-wal").stat().st_size
        except OSError:
            log_bytes = 0
        return FileState(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, log_bytes)

    def may_write(self) -> bool:
        """Tell whether this process may write to the home."""
        return os.access(self.folder, os.W_OK)

    def is_new(self) -> bool:
        """Tell whether nothing was ever indexed here: no database, or one whose tables were not finished."""
        if not self.database.exists():
            return True
        with database_errors(self), _closing(_open_reader(self.database)) as connection:
            return _check_version(self, connection) == 0

    def reader(self) -> sqlite3.Connection:
        """Open the database for reading; searches and an index run do not wait for each other.

        Raises HomeError if there is no home yet, it cannot be read, is damaged or was made by a newer version.
        """
        if not self.database.exists():
            raise self._nothing_yet()
        if self._is_another():
            raise _damaged(self, "its bytes are not those that were written")
        with database_errors(self):
            connection = _open_reader(self.database)
            try:
                version = _check_version(self, connection)
                if version == 0:  # a first run was ended while it made the tables
                    raise self._nothing_yet()
                if version < SCHEMA_VERSION:
                    raise HomeError(
                        f"{self.database} was made by an older Kuberian: run `kuberian index PATH` to upgrade it"
                    )
            except BaseException:
                connection.close()
                raise
            return connection

    @contextmanager
    def writer(self, wait: bool = False) -> Iterator[sqlite3.Connection]:
        """Hold the home for writing: the folder made, the tables brought up to date, one process at a time.

        The connection is in autocommit mode; use `transaction`. Raises HomeError if the folder cannot be written, is
        damaged or newer, or if another process holds it and `wait` is false.
        """
        try:
            self.vectors.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HomeError(
                f"the home {self.folder} cannot be written ({error.strerror}): name another with --home"
            ) from error
        started = time.monotonic()
        with self._locked(wait), database_errors(self):
            self._set_damage_aside()
            sums.forget(self.folder, DATABASE)
            version = 0
            if self.database.exists():
                with _closing(_open_reader(self.database)) as connection:
                    version = _check_version(self, connection)
            if version < SCHEMA_VERSION:
                from kuberian.store.schema import migrate

                with _closing(sqlite3.connect(self.database)) as connection:
                    connection.execute("PRAGMA journal_mode = WAL")
                    migrate(connection)
            connection = sqlite3.connect(self.database, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")  # what is committed survives a power cut
                connection.execute("PRAGMA foreign_keys = ON")
                yield connection
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()
            self._note_sums(time.monotonic() - started)

    def _is_another(self) -> bool:
        """Tell whether the database is known, by its size, time and checksum, not to be what was written."""
        return sums.damaged(self.folder, DATABASE)

    def _set_damage_aside(self) -> None:
        """Move a database that is damaged away, with a warning, so that a new one is built from git."""
        if not self.database.exists():
            return
        reason = "its bytes are not those that were written" if self._is_another() else None
        try:
            if reason is None:
                with _closing(_open_reader(self.database)) as connection:
                    _check_version(self, connection)
                    if damage.is_suspect(self):
                        found = damage.examine(self, connection)
                        reason = next((wrong.what for wrong in found if wrong.file == DATABASE), None)
                        for wrong in found:
                            if wrong.file != DATABASE:  # a cache: written anew by the next index run
                                (self.folder / wrong.file).unlink(missing_ok=True)
                        damage.clear(self)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            reason = damage.reason(self, error)
        if reason is not None:
            paths, checkpoints = damage.known_paths(self), damage.known_checkpoints(self)
            name = damage.set_aside(self)
            again = f" (it knew {', '.join(paths)}: index each)" if len(paths) > 1 else ""
            again += f" (it used the model {', '.join(checkpoints)}: name it with --model)" if checkpoints else ""
            warnings.warn(
                f"{self.database} was damaged ({reason}): it is set aside as {name}, and built anew from git{again}",
                stacklevel=3,
            )

    def _note_sums(self, seconds: float) -> None:
        """Note the files' checksums, unless that would take long beside what the writer took."""
        log = self.database.with_name(f"{DATABASE}-wal")
        whole = not log.exists() or not log.stat().st_size  # else a search held up the last checkpoint
        size = self.database.stat().st_size
        if whole and size / CRC_BYTES_A_SECOND < max(CRC_SECONDS, CRC_SHARE * seconds):
            sums.note(self.folder, [DATABASE, *(f"{VECTORS}/{file.name}" for file in self.vectors.iterdir())])

    @contextmanager
    def _locked(self, wait: bool) -> Iterator[None]:
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / LOCK, timeout=-1 if wait else 0)
        try:
            lock.acquire()
        except Timeout:
            raise HomeError(f"{self._holder()} is writing to {self.folder}: wait for it with --wait") from None
        except OSError as error:
            raise HomeError(
                f"the home {self.folder} cannot be written ({error.strerror}): name another with --home"
            ) from error
        try:
            holder = {"process": os.getpid(), "since": now()}
            with suppress(OSError):  # a full disk: what matters will say so
                (self.folder / HOLDER).write_text(json.dumps(holder), encoding="utf-8")
            yield
        finally:
            (self.folder / HOLDER).unlink(missing_ok=True)
            lock.release()

    def _nothing_yet(self) -> HomeError:
        return HomeError(f"nothing is indexed in {self.folder} yet: run `kuberian index PATH` first")

    def is_being_written(self) -> bool:
        """Tell whether an index run seems to be at work (one that was killed leaves that behind until the next)."""
        return (self.folder / HOLDER).exists()

    def _holder(self) -> str:
        try:
            holder = json.loads((self.folder / HOLDER).read_text(encoding="utf-8"))
            return f"process {holder['process']} (since {holder['since']})"
        except (OSError, ValueError, KeyError, TypeError):  # between its lock and its note, or gone by now
            return "another process"


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


# What SQLite says, by the way out. Anything else would be a mistake of ours, and is not dressed up as the user's.
_DAMAGED = ("malformed", "not a database", "no such table", "no such column", "corrupt", "not decode")
_ENVIRONMENT = ("unable to open", "readonly", "disk I/O", "disk is full", "locked")


@contextmanager
def database_errors(home: Home) -> Iterator[None]:
    """Turn what SQLite reports of the file or the disk into a HomeError that names the file and the way out."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if _is_damage(error):
            damage.suspect(home)
            raise _damaged(home, damage.reason(home, error)) from error
        if any(sign in text for sign in _ENVIRONMENT):
            raise HomeError(f"{home.database}: {text}: check the disk's space and the file's permissions") from error
        raise


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return any(sign in str(error) for sign in _DAMAGED)


def _damaged(home: Home, reason: str) -> HomeError:
    return HomeError(f"{home.database} is damaged ({reason}): `kuberian index PATH` sets it aside and builds it anew")


def _open_reader(database: Path) -> sqlite3.Connection:
    if Home(database.parent).may_write():
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


def _check_version(home: Home, connection: sqlite3.Connection) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise HomeError(
            f"{home.database} was made by a newer Kuberian (tables {version}, this one knows {SCHEMA_VERSION}): "
            "upgrade Kuberian or name another home with --home"
        )
    return version


@contextmanager
def _closing(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    finally:
        connection.close()
