"""The FAISS files of a home, by their rows: which are current, and whether they lag behind the embeddings.

Apart from what reads and writes them, because an index run that has nothing to write need not load NumPy.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from kuberian.store import sums
from kuberian.store.folder import HomeFolder

# A new file is written when the embeddings that the files lack pass this share of them (and this number). Scoring 2,000
# vectors from SQLite costs some 3 ms, rewriting a file of 100,000 about 200.
LAG_SHARE = 0.05
LAG_ROWS = 1000


@dataclass(frozen=True, slots=True)
class FileRow:
    """A current FAISS file of a model, by its row: the embeddings up to an id and after the file's before."""

    path: Path
    rows: int
    last_embedding: int

    @property
    def signs(self) -> Path:
        """The file with the signs of its vectors, which need not exist."""
        return self.path.with_suffix(".signs")


def current_files(connection: sqlite3.Connection, home: HomeFolder, model_id: int) -> list[FileRow]:
    """Return a model's FAISS files in the order of their ids, up to the first that is not what was written."""
    rows = connection.execute(
        "SELECT file, rows, last_embedding, bytes FROM vector_files WHERE model_id = ? ORDER BY last_embedding",
        (model_id,),
    )
    found = []
    for name, count, last, size in rows.fetchall():
        path = home.vectors / name
        file = FileRow(path, int(count), int(last))
        try:
            whole = path.stat().st_size == size
        except OSError:
            break
        if not whole or any(sums.damaged(home.folder, f"{home.vectors.name}/{p.name}") for p in (path, file.signs)):
            break
        found.append(file)
    return found


def are_behind(connection: sqlite3.Connection, home: HomeFolder, model_id: int) -> bool:
    """Tell whether a model's files lack so many embeddings that they should be written."""
    files = current_files(connection, home, model_id)
    rows, last = sum(file.rows for file in files), files[-1].last_embedding if files else 0
    lag = connection.execute(
        "SELECT count(*) FROM embeddings WHERE model_id = ? AND id > ?", (model_id, last)
    ).fetchone()[0]
    return bool(lag > (max(LAG_ROWS, LAG_SHARE * rows) if rows else 0))
