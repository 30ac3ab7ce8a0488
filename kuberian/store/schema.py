"""The tables of a home, as numbered migrations. A published migration is never edited: a change is a new one.

Everything is known by its content. A blob (one file content) is cut once, however many snapshots have it; a passage is
embedded once for each model. A snapshot is only a set of (path, blob). So an edit, a branch switch and a rename are
each a few rows.
"""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database, Migrations

from kuberian.store.version import SCHEMA_VERSION
from kuberian.words import TOKENIZER

migrations = Migrations("kuberian")


@migrations()
def m001_repositories(db: Database) -> None:
    """Add repositories, their snapshots, and the paths of each snapshot."""
    _execute(
        db,
        """
        CREATE TABLE repositories(
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            path NOT NULL UNIQUE,          -- TEXT, or a BLOB where the path is not valid UTF-8
            remote TEXT
        )
        """,
        """
        CREATE TABLE snapshots(
            id INTEGER PRIMARY KEY,
            repository_id INTEGER NOT NULL REFERENCES repositories(id) ON DELETE CASCADE,
            kind TEXT NOT NULL CHECK(kind IN ('worktree', 'commit')),
            revision TEXT NOT NULL,        -- 'worktree', or the full commit id
            head TEXT,                     -- the commit that was checked out
            branch TEXT,
            model_id INTEGER REFERENCES models(id),
            indexed_at TEXT NOT NULL,      -- UTC, ISO 8601
            UNIQUE(repository_id, revision)
        )
        """,
        """
        CREATE TABLE paths(
            id INTEGER PRIMARY KEY,
            path NOT NULL UNIQUE,          -- relative to the repository's root; TEXT or BLOB as above
            passage BLOB NOT NULL          -- hash of the path's passage
        )
        """,
        """
        CREATE TABLE snapshot_files(
            snapshot_id INTEGER NOT NULL REFERENCES snapshots(id) ON DELETE CASCADE,
            path_id INTEGER NOT NULL REFERENCES paths(id),
            blob_id INTEGER REFERENCES blobs(id),
            skipped TEXT,                  -- why the file is not indexed, where blob_id is null
            labels TEXT NOT NULL,          -- what else it is: 'test', 'documentation vendored', …
            PRIMARY KEY(snapshot_id, path_id)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX snapshot_files_blob ON snapshot_files(blob_id)",
    )


@migrations()
def m002_blobs_and_chunks(db: Database) -> None:
    """Add file contents, and the chunks that they are cut into."""
    _execute(
        db,
        """
        CREATE TABLE blobs(
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            oid TEXT NOT NULL,             -- git's object id of the bytes
            hint TEXT NOT NULL,            -- the language that the path suggests, '' where none: the same bytes
                                           -- may be C in one place and C++ in another
            language TEXT NOT NULL,        -- the hint, or what the content says; '' where unknown
            size INTEGER NOT NULL,         -- bytes
            encoding TEXT,                 -- that it was decoded with, as Python names it
            chunker INTEGER NOT NULL,      -- version of the code that cut it
            skipped TEXT,                  -- why its content is not indexed, or null
            content BLOB,                  -- the decoded text as UTF-8, deflated; null where skipped
            UNIQUE(oid, hint)
        )
        """,
        """
        CREATE TABLE chunks(
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            blob_id INTEGER NOT NULL REFERENCES blobs(id) ON DELETE CASCADE,
            start_line INTEGER NOT NULL,   -- 1-based, inclusive
            end_line INTEGER NOT NULL,
            kind TEXT NOT NULL,
            symbol TEXT,
            scope TEXT,
            signature TEXT,
            doc TEXT,
            part INTEGER NOT NULL,         -- of a definition that was split: 1, 2, …; 0 where it is whole
            passage BLOB NOT NULL          -- hash of the passage
        )
        """,
        "CREATE INDEX chunks_blob ON chunks(blob_id)",
        "CREATE INDEX chunks_passage ON chunks(passage)",
    )


@migrations()
def m003_full_text(db: Database) -> None:
    """Add full-text rows. The rowid is the id of the chunk or path. The text itself is not stored a second time."""
    _execute(
        db,
        f"""
        CREATE VIRTUAL TABLE chunk_words USING fts5(symbol, signature, doc, code, content='', tokenize="{TOKENIZER}")
        """,
        f"""
        CREATE VIRTUAL TABLE path_words USING fts5(words, content='', tokenize="{TOKENIZER}")
        """,
        "CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    )


@migrations()
def m004_embeddings(db: Database) -> None:
    """Add models, embeddings, and the FAISS files that are made from them."""
    _execute(
        db,
        """
        CREATE TABLE models(
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            path TEXT,                     -- the checkpoint folder; null is the bundled one
            fingerprint TEXT NOT NULL,
            precision TEXT NOT NULL,
            dimension INTEGER NOT NULL,
            UNIQUE(fingerprint, precision)
        )
        """,
        """
        CREATE TABLE embeddings(
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            passage BLOB NOT NULL,
            model_id INTEGER NOT NULL REFERENCES models(id) ON DELETE CASCADE,
            vector BLOB NOT NULL,          -- float16, little-endian, unit length
            UNIQUE(passage, model_id)
        )
        """,
        """
        CREATE TABLE vector_files(
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            model_id INTEGER NOT NULL REFERENCES models(id) ON DELETE CASCADE,
            file TEXT NOT NULL,            -- name inside vectors/
            rows INTEGER NOT NULL,
            last_embedding INTEGER NOT NULL,  -- embeddings with a larger id are not in the file yet
            bytes INTEGER NOT NULL,
            written_at TEXT NOT NULL
        )
        """,
    )


@migrations()
def m005_dirty_files(db: Database) -> None:
    """Add what differed from HEAD when a working tree was indexed: {path: [time in ns, size] or null} as JSON."""
    _execute(db, "ALTER TABLE snapshots ADD COLUMN dirty TEXT")


@migrations()
def m006_heads(db: Database) -> None:
    """Mark the snapshots that follow HEAD, in repositories without a working tree."""
    _execute(
        db,
        # Whether somebody named the revision: such a snapshot stays when HEAD moves on.
        "ALTER TABLE snapshots ADD COLUMN asked INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE snapshots ADD COLUMN is_head INTEGER NOT NULL DEFAULT 0",
    )


@migrations()
def m007_names(db: Database) -> None:
    """Add all names that a chunk defines, and the passage of a blob's outline."""
    _execute(
        db,
        # "kind symbol" on a line each, in the chunk's order
        "ALTER TABLE chunks ADD COLUMN names TEXT NOT NULL DEFAULT ''",
        # hash of the outline's passage; null where nothing is defined
        "ALTER TABLE blobs ADD COLUMN outline BLOB",
    )


@migrations()
def m008_one_index_of_chunks(db: Database) -> None:
    """Replace two indexes of one column each by one index of chunks by blob and passage."""
    _execute(
        db,
        "DROP INDEX chunks_passage",
        "DROP INDEX chunks_blob",
        "CREATE INDEX chunks_blob ON chunks(blob_id, passage)",
    )


@migrations()
def m009_count_of_chunks(db: Database) -> None:
    """Add how many chunks a blob was cut into, to notice missing ones. Null: the blob is older than this column."""
    _execute(db, "ALTER TABLE blobs ADD COLUMN chunks INTEGER")


@migrations()
def m010_generation(db: Database) -> None:
    """Add a number that tells one state of the snapshots from another (kuberian/store/meta.py)."""
    _execute(db, "INSERT INTO meta(name, value) VALUES('generation', abs(random()))")


def _execute(db: Database, *statements: str) -> None:
    """Run statements one by one: `executescript` would commit the migration's transaction before its end."""
    for statement in statements:
        db.execute(statement)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a home's tables up to date, all or nothing per step."""
    connection.execute("PRAGMA journal_mode = WAL")
    migrations.apply(Database(connection))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.commit()
