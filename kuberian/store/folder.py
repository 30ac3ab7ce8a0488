"""The folder of a home: where things are in it, and which file its database is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

DATABASE = "kuberian.db"
LOG = DATABASE + "-wal"
VECTORS = "vectors"
MIRRORS = "mirrors"
QUANTIZED = "quantized"
LOCK = "index.lock"
HOLDER = "index.holder"


@dataclass(frozen=True, slots=True)
class FileState:
    """The database as a file: which file it is, its size (bytes) and time (ns), and the size of the log beside it."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    log_bytes: int

    def is_same_file(self, other: FileState) -> bool:
        """Tell whether it is the same file, whatever its content."""
        return (self.device, self.inode) == (other.device, other.inode)


@dataclass(frozen=True)
class HomeFolder:
    """A home by its folder. The folder need not exist."""

    folder: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / DATABASE

    @property
    def log(self) -> Path:
        """SQLite's write-ahead log: what is committed, but not yet in the database file."""
        return self.folder / LOG

    @property
    def vectors(self) -> Path:
        """The folder of the FAISS files."""
        return self.folder / VECTORS

    @property
    def mirrors(self) -> Path:
        """The folder of the clones of repositories that are indexed by their address."""
        return self.folder / MIRRORS

    @property
    def quantized(self) -> Path:
        """The folder of the eight-bit forms of checkpoints that came without one."""
        return self.folder / QUANTIZED

    def is_mirror(self, repository: Path) -> bool:
        """Tell whether a repository's folder is a clone that the home keeps."""
        return self.mirrors.resolve() in repository.parents

    def state(self) -> FileState | None:
        """Return what tells the database from another file in its place; None if there is no database."""
        try:
            file = self.database.stat()
        except OSError:
            return None
        return FileState(file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns, self.log_bytes())

    def log_bytes(self) -> int:
        """Return the size of the log, 0 where there is none. Another process may delete it at any moment."""
        try:
            return self.log.stat().st_size
        except OSError:
            return 0

    def may_write(self) -> bool:
        """Tell whether this process may write to the home."""
        return os.access(self.folder, os.W_OK)

    def database_files(self) -> list[Path]:
        """Return the database and what SQLite has beside it, and what was set aside as damaged."""
        return [file for file in _listed(self.folder) if file.name.startswith(DATABASE)]

    def vector_files(self) -> list[Path]:
        """Return the FAISS files, in the order of their names."""
        return sorted(_listed(self.vectors))

    def is_being_written(self) -> bool:
        """Tell whether an index run seems to be at work. (After a killed run it seems so until the next run.)"""
        return (self.folder / HOLDER).exists()


def bytes_on_disk(files: Iterable[Path]) -> int:
    """Return the size of some files. An index run may delete them at any moment."""
    total = 0
    for file in files:
        with suppress(FileNotFoundError):
            state = file.stat()
            total += state.st_size if S_ISREG(state.st_mode) else 0
    return total


def _listed(folder: Path) -> list[Path]:
    """Return what is in a folder: nothing if it is gone, or goes meanwhile, which `Path.glob` takes for an error."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []
