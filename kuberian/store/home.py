"""The home: the folder with everything that Kuberian keeps, opened by many readers and one writer at a time."""

from __future__ import annotations

import os
import sqlite3
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from kuberian.errors import HomeError
from kuberian.settings import home_folder
from kuberian.store import damage, sums
from kuberian.store.connection import (
    check_version,
    checkpoint,
    damaged,
    database_errors,
    is_damage,
    open_reader,
    open_writer,
)
from kuberian.store.folder import DATABASE, VECTORS, HomeFolder
from kuberian.store.lock import locked, not_writable
from kuberian.store.version import SCHEMA_VERSION

# What a writer may spend on checksums at its end: this long, or this share of its own time. zlib's CRC-32 reads about
# 1 GB a second.
CRC_BYTES_A_SECOND = 1e9
CRC_SECONDS = 0.25
CRC_SHARE = 0.1


@dataclass(frozen=True)
class Home(HomeFolder):
    """A home by its folder. Nothing is created before `writer` is entered."""

    @classmethod
    def at(cls, home: str | os.PathLike[str] | None = None) -> Home:
        """Return the home that the argument, the environment or the platform names."""
        return cls(home_folder(home))

    def is_new(self) -> bool:
        """Tell whether nothing was ever indexed here: no database, or one whose tables were not finished."""
        if not self.database.exists():
            return True
        with database_errors(self), closing(open_reader(self)) as connection:
            return check_version(self, connection) == 0

    def reader(self) -> sqlite3.Connection:
        """Open the database for reading; searches and an index run do not wait for each other.

        Raises HomeError if there is no home yet, it cannot be read, is damaged or was made by a newer version.
        """
        if not self.database.exists():
            raise self._nothing_yet()
        if self._is_another():
            raise damaged(self, "its bytes are not those that were written")
        with database_errors(self):
            connection = open_reader(self)
            try:
                version = check_version(self, connection)
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
            raise not_writable(self, error) from error
        started = time.monotonic()
        with locked(self, wait), database_errors(self):
            self._set_damage_aside()
            sums.forget(self.folder, DATABASE)
            self._migrate()
            connection = open_writer(self)
            try:
                yield connection
                checkpoint(connection)
            finally:
                connection.close()
            self._note_sums(time.monotonic() - started)

    def _migrate(self) -> None:
        """Make the tables, or bring them up to date."""
        version = 0
        if self.database.exists():
            with closing(open_reader(self)) as connection:
                version = check_version(self, connection)
        if version < SCHEMA_VERSION:
            from kuberian.store.schema import migrate

            with closing(sqlite3.connect(self.database)) as connection:
                migrate(connection)

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
                with closing(open_reader(self)) as connection:
                    check_version(self, connection)
                    if damage.is_suspect(self):
                        found = damage.examine(self, connection)
                        reason = next((wrong.what for wrong in found if wrong.file == DATABASE), None)
                        for wrong in found:
                            if wrong.file != DATABASE:  # a cache: written anew by the next index run
                                (self.folder / wrong.file).unlink(missing_ok=True)
                        damage.clear(self)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
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

    def _nothing_yet(self) -> HomeError:
        return HomeError(f"nothing is indexed in {self.folder} yet: run `kuberian index PATH` first")
