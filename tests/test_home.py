"""What the home holds, and taking things out of it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from indexer import index
from kuberian.errors import HomeError
from kuberian.store.home import Home
from kuberian.store.schema import migrations
from kuberian.store.status import status
from kuberian.store.version import SCHEMA_VERSION
from searcher import Searcher
from tests.conftest import Run
from tests.sdists import commit_all, git


@pytest.fixture
def other(tmp_path: Path, repository: Path) -> Path:
    """Make a second repository that shares one file with the first."""
    root = tmp_path / "other"
    root.mkdir()
    (root / "retry.go").write_bytes((repository / "client" / "retry.go").read_bytes())
    (root / "plot.py").write_text("def plot_histogram(values):\n    return draw_bars(values)\n")
    commit_all(root)
    return root


def rows(home: Path, table: str) -> int:
    with sqlite3.connect(home / "kuberian.db") as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_status_says_what_is_indexed_and_since_when(repository: Path, home: Path) -> None:
    assert status(Home(home)).snapshots == []
    (repository / "logo.png").write_bytes(b"\x89PNG\0")
    report = index(repository)
    (snapshot,) = status(Home(home)).snapshots
    assert (snapshot.repository, snapshot.path, snapshot.branch) == ("shop", str(repository), "main")
    assert snapshot.head == git(repository, "rev-parse", "HEAD")
    assert (snapshot.files, snapshot.chunks, snapshot.coverage) == (3, report.chunks, 1.0)
    assert snapshot.files_skipped == {"binary": 1}
    assert snapshot.model == "all-MiniLM-L6-v2"
    assert snapshot.source_bytes == sum(
        (repository / path).stat().st_size for path in ("server/auth.py", "client/retry.go", "NOTES.md")
    )
    assert status(Home(home)).database_bytes > 10_000


def test_status_is_printed_for_people_and_for_programs(repository: Path, kuberian: Run) -> None:
    index(repository)
    index(repository, revision="HEAD")
    printed = kuberian("status").stdout
    assert str(repository) in printed
    assert git(repository, "rev-parse", "HEAD")[:12] in printed
    as_json = json.loads(kuberian("status", "--json").stdout)
    assert [snapshot["revision"] for snapshot in as_json["snapshots"]] == [None, git(repository, "rev-parse", "HEAD")]


def test_a_password_in_a_remote_address_is_not_kept(repository: Path, home: Path) -> None:
    git(repository, "remote", "add", "origin", "https://user:secret@example.org/shop.git")
    index(repository)
    assert status(Home(home)).snapshots[0].remote == "https://example.org/shop.git"
    assert b"secret@" not in (home / "kuberian.db").read_bytes()


@pytest.mark.parametrize("by", ["name", "folder"])
def test_forget_takes_out_a_repository_and_what_only_it_used(
    repository: Path, other: Path, home: Path, kuberian: Run, by: str
) -> None:
    index(other)
    alone = {table: rows(home, table) for table in ("blobs", "chunks", "embeddings", "paths", "path_words_docsize")}
    index(repository)
    done = kuberian("forget", "shop" if by == "name" else str(repository))
    assert done.returncode == 0, done.stderr
    assert {table: rows(home, table) for table in alone} == alone
    assert [snapshot.repository for snapshot in status(Home(home)).snapshots] == ["other"]
    with Searcher() as searcher:
        assert {result.repository for result in searcher.search("twice as long after each failure").results} == {
            "other"
        }
        assert not any("password" in result.text for result in searcher.search("check a user's password").results)
    assert index(other).passages_embedded == 0
    assert kuberian("forget", "shop").returncode == 3


def test_full_text_is_sound_after_much_came_and_went(repository: Path, home: Path, kuberian: Run) -> None:
    for number in range(3):
        (repository / "server" / "auth.py").write_text(f"def version_{number}_of_auth():\n    return fooBar{number}\n")
        index(repository)
    assert rows(home, "blobs") == 5
    assert kuberian("gc").returncode == 0
    assert rows(home, "blobs") == 3
    assert rows(home, "chunk_words_docsize") == rows(home, "chunks")
    with sqlite3.connect(home / "kuberian.db") as connection:
        connection.execute("INSERT INTO chunk_words(chunk_words) VALUES('integrity-check')")
        vocabulary = "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, chunk_words, row)"
        connection.execute(vocabulary)
        terms = {row[0] for row in connection.execute("SELECT term FROM temp.vocabulary")}
    assert "version_2_of_auth" in terms
    assert not {"version_0_of_auth", "foobar0", "hexdigest"} & terms


def test_a_home_without_an_index_says_so(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="kuberian index"):
        Searcher(tmp_path / "nowhere")


def test_the_version_of_the_tables_counts_the_migrations() -> None:
    """A migration without a new version would never reach the homes that there are."""
    numbers = [int(migration.name[1:4]) for migration in migrations._migrations]
    assert numbers == list(range(1, SCHEMA_VERSION + 1))
