"""The folder of a home: what lies where in it, and which file its database is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

DATABASE = "kuberian.db"
LOG = DATABASE + "-wal"
VECTORS = "vectors"
MIRRORS = "mirrors"
QUANTIZED = "quantized"
LOCK = "index.lock"
HOLDER = "index.holder"


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
class HomeFolder:
    """A home by its folder, which need not exist."""

    folder: Path

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

    @property
    def quantized(self) -> Path:
        """The folder of the eight-bit forms that were made for checkpoints without one."""
        return self.folder / QUANTIZED

    def is_mirror(self, repository: Path) -> bool:
        """Tell whether a repository's folder is a clone that the home keeps."""
        return self.mirrors.resolve() in repository.parents

    def state(self) -> FileState | None:
        """Return what tells the database from another that takes its place; None where there is none."""
        try:
            found = self.database.stat()
        except OSError:
            return None
        try:
            log_bytes = (self.folder / LOG).stat().st_size
        except OSError:
            log_bytes = 0
        return FileState(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, log_bytes)

    def may_write(self) -> bool:
        """Tell whether this process may write to the home."""
        return os.access(self.folder, os.W_OK)

    def is_being_written(self) -> bool:
        """Tell whether an index run seems to be at work (one that was killed leaves that behind until the next)."""
        return (self.folder / HOLDER).exists()
