"""The home: the folder with everything that Kuberian keeps, opened by many readers and one writer at a time."""

from __future__ import annotations

import os
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from kuberian.errors import HomeError
from kuberian.settings import home_folder
from kuberian.store import checksums, damage
from kuberian.store.connection import (
    check_version,
    checkpoint,
    damaged,
    database_errors,
    is_damage,
    open_reader,
    open_writer,
)
from kuberian.store.folder import DATABASE, VECTORS, HomeFolder, bytes_on_disk
from kuberian.store.lock import locked, not_writable
from kuberian.store.version import SCHEMA_VERSION

# A writer may spend this many seconds on checksums at its end, or this share of its own time if that is more. zlib's
# CRC-32 reads about 1 GB a second.
CRC_BYTES_A_SECOND = 1e9
CRC_SECONDS = 0.25
CRC_SHARE = 0.1

# How long a question is asked again of a home that keeps changing, and how long to wait after an error, before the file
# that was read is looked at again: whoever replaces a home deletes the log before the database.
ASKED_AGAIN_SECONDS = 5.0
SETTLED_SECONDS = 0.1

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Home(HomeFolder):
    """A home by its folder. Only `writer` creates anything."""

    @classmethod
    def at(cls, home: str | os.PathLike[str] | None = None) -> Home:
        """Return the home that the argument, the environment or the platform names."""
        return cls(home_folder(home))

    def is_new(self) -> bool:
        """Tell whether nothing was ever indexed here: there is no database, or its tables were not finished."""
        return self.asked(self._is_new)

    def reader(self) -> sqlite3.Connection:
        """Open the database for reading. Searches and an index run do not wait for each other.

        Raises HomeError if there is no home yet, it cannot be read, is damaged or was made by a newer version.
        """
        if not self.database.exists():
            raise self._nothing_yet()
        if self._has_other_bytes():
            raise damaged(self, "its bytes are not those that Kuberian wrote")
        with database_errors(self):
            connection = open_reader(self)
            try:
                version = check_version(self, connection)
                if version == 0:  # the first run was killed while it made the tables
                    raise self._nothing_yet()
                if version < SCHEMA_VERSION:
                    raise HomeError(
                        f"{self.database} was made by an older Kuberian: run `kuberian index PATH` to upgrade it"
                    )
            except BaseException:
                connection.close()
                raise
            return connection

    def asked(self, ask: Callable[[], _Answer]) -> _Answer:
        """Return what `ask` reads from the home. If the home was replaced meanwhile, ask again before an error counts.

        Files that are copied or deleted one after the other are no home in between.
        """
        until = time.monotonic() + ASKED_AGAIN_SECONDS
        while True:
            before = self.state()
            try:
                return ask()
            except (HomeError, sqlite3.DatabaseError):
                time.sleep(SETTLED_SECONDS)
                if self.state() == before or time.monotonic() > until:
                    raise

    def read(self, ask: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        """Return what `ask` reads, through a connection of its own. Raises HomeError as `reader` does."""
        return self.asked(lambda: self._read(ask))

    @contextmanager
    def writer(self, wait: bool = False) -> Iterator[sqlite3.Connection]:
        """Hold the home for writing, one process at a time. Makes the folder, and brings the tables up to date.

        The connection is in autocommit mode; use `transaction`. Raises HomeError if the folder cannot be written, is
        damaged or newer, or if another process holds it and `wait` is false.
        """
        try:
            self.vectors.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise not_writable(self, error) from error
        started = time.monotonic()
        with locked(self, wait), database_errors(self):
            self._set_damage_aside()
            checksums.forget(self.folder, DATABASE)
            self._migrate()
            connection = open_writer(self)
            try:
                yield connection
                checkpoint(connection)
            finally:
                connection.close()
            self._note_checksums(time.monotonic() - started)

    def _is_new(self) -> bool:
        if not self.database.exists():
            return True
        with database_errors(self), closing(open_reader(self)) as connection:
            return check_version(self, connection) == 0

    def _read(self, ask: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        with closing(self.reader()) as connection, database_errors(self):
            return ask(connection)

    def _migrate(self) -> None:
        """Bring the tables up to date, made if there are none."""
        version = 0
        if self.database.exists():
            with closing(open_reader(self)) as connection:
                version = check_version(self, connection)
        if version < SCHEMA_VERSION:
            from kuberian.store.schema import migrate

            with closing(sqlite3.connect(self.database)) as connection:
                migrate(connection)

    def _has_other_bytes(self) -> bool:
        """Tell whether size, time and checksum show that the database is not what was written."""
        return checksums.damaged(self.folder, DATABASE)

    def _set_damage_aside(self) -> None:
        """Move a damaged database away, with a warning, so that a new one is built from git."""
        if not self.database.exists():
            return
        reason = "its bytes are not those that Kuberian wrote" if self._has_other_bytes() else None
        try:
            if reason is None:
                with closing(open_reader(self)) as connection:
                    check_version(self, connection)
                    if damage.is_suspect(self):
                        damages = damage.examine(self, connection)
                        reason = next((each.what for each in damages if each.file == DATABASE), None)
                        for each in damages:
                            if each.file != DATABASE:  # a cache: the next index run writes it again
                                (self.folder / each.file).unlink(missing_ok=True)
                        damage.clear(self)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            reason = damage.reason(self, error)
        if reason is not None:
            paths, checkpoints = damage.known_paths(self), damage.known_checkpoints(self)
            name = damage.set_aside(self)
            advice = f" (it knew {', '.join(paths)}: index each)" if len(paths) > 1 else ""
            advice += f" (it used the model {', '.join(checkpoints)}: name it with --model)" if checkpoints else ""
            warnings.warn(
                f"{self.database} was damaged ({reason}): it is set aside as {name}, and built anew from git{advice}",
                stacklevel=3,
            )

    def _note_checksums(self, seconds: float) -> None:
        """Note the files' checksums, unless that would take long in comparison with the writer's own `seconds`."""
        is_whole = not self.log_bytes()  # else a search held up the last checkpoint
        size = bytes_on_disk([self.database])
        if is_whole and size / CRC_BYTES_A_SECOND < max(CRC_SECONDS, CRC_SHARE * seconds):
            checksums.note(self.folder, [DATABASE, *(f"{VECTORS}/{file.name}" for file in self.vector_files())])

    def _nothing_yet(self) -> HomeError:
        return HomeError(f"nothing is indexed in {self.folder} yet: run `kuberian index PATH` first")
