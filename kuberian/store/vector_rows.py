"""The rows of a home's FAISS files: which files are current, and whether they lag behind the embeddings.

Reading and writing the files is in other modules, so that an index run with nothing to write need not load NumPy.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from kuberian.store import checksums
from kuberian.store.folder import HomeFolder

# A new file is written when the files lack more embeddings than this share of their own, and more than this number. To
# score 2,000 vectors from SQLite takes some 3 ms, to write a file of 100,000 again about 200 ms.
LAG_SHARE = 0.05
LAG_ROWS = 1000


@dataclass(frozen=True, slots=True)
class FileRow:
    """A current FAISS file of a model. It has the embeddings after the previous file, up to the id `last_embedding`."""

    path: Path
    rows: int
    last_embedding: int

    @property
    def signs(self) -> Path:
        """The file with the signs of its vectors. It need not exist."""
        return self.path.with_suffix(".signs")


def current_files(connection: sqlite3.Connection, home: HomeFolder, model_id: int) -> list[FileRow]:
    """Return a model's FAISS files in the order of their ids, up to the first one that is damaged or gone."""
    rows = connection.execute(
        "SELECT file, rows, last_embedding, bytes FROM vector_files WHERE model_id = ? ORDER BY last_embedding",
        (model_id,),
    )
    files = []
    for name, count, last, size in rows.fetchall():
        path = home.vectors / name
        file = FileRow(path, int(count), int(last))
        try:
            is_whole = path.stat().st_size == size
        except OSError:
            break
        if not is_whole or any(
            checksums.damaged(home.folder, f"{home.vectors.name}/{part.name}") for part in (path, file.signs)
        ):
            break
        files.append(file)
    return files


def are_behind(connection: sqlite3.Connection, home: HomeFolder, model_id: int) -> bool:
    """Tell whether a model's files lack so many embeddings that they should be written again."""
    files = current_files(connection, home, model_id)
    rows, last = sum(file.rows for file in files), files[-1].last_embedding if files else 0
    lag = connection.execute(
        "SELECT count(*) FROM embeddings WHERE model_id = ? AND id > ?", (model_id, last)
    ).fetchone()[0]
    return bool(lag > (max(LAG_ROWS, LAG_SHARE * rows) if rows else 0))
