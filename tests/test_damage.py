"""A damaged home is named, never silently wrong, and built anew from git."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from indexer import index
from kuberian.errors import HomeError
from searcher import Searcher
from tests.checkpoints import write_checkpoint
from tests.conftest import Run

QUESTION = "check a user's password"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("model") / "small-bert")


@pytest.fixture
def indexed(repository: Path, model: Path) -> Path:
    index(repository, model=model)
    return repository


def answers(home: Path) -> list[tuple[str, int, float]]:
    with Searcher(home) as searcher:
        return [(result.path, result.start_line, result.score) for result in searcher.search(QUESTION).results]


def flip(file: Path, at: int, *, keep_time: bool = False) -> None:
    """Flip the bits of a byte, as a disk would (the time stays) or as a bad copy would."""
    state = file.stat()
    content = bytearray(file.read_bytes())
    content[at] ^= 0xFF
    file.write_bytes(content)
    later = 0 if keep_time else 5_000_000_000
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns + later))


def test_any_flipped_byte_of_a_copied_database_is_named_and_it_is_built_anew(
    indexed: Path, home: Path, model: Path, tmp_path: Path
) -> None:
    expected = answers(home)
    choose = random.Random(20261122)
    for number in range(12):
        copy = tmp_path / f"copy-{number}"
        shutil.copytree(home, copy)
        flip(copy / "kuberian.db", choose.randrange((copy / "kuberian.db").stat().st_size))
        with pytest.raises(HomeError, match=r"kuberian.db is damaged.*kuberian index"):
            Searcher(copy)
        with pytest.warns(UserWarning, match=r"set aside as kuberian.db.damaged-.*built anew from git"):
            index(indexed, home=copy, model=model)
        assert answers(copy) == expected
        assert len(list(copy.glob("kuberian.db.damaged-*"))) >= 1


def test_the_checkpoint_that_was_used_is_named(indexed: Path, home: Path, model: Path) -> None:
    database = home / "kuberian.db"
    flip(database, database.stat().st_size - 100)
    with pytest.warns(UserWarning, match=rf"it used the model {model}: name it with --model"):
        index(indexed, home=home, model=model)


def test_a_home_that_another_program_wrote_to_is_built_anew_and_what_it_wrote_is_kept(
    indexed: Path, home: Path, model: Path
) -> None:
    expected = answers(home)
    with closing(sqlite3.connect(home / "kuberian.db")) as connection, connection:
        connection.execute("UPDATE blobs SET language = 'cobol'")
    with pytest.raises(HomeError, match="its bytes are not those that Kuberian wrote"):
        Searcher(home)
    with pytest.warns(UserWarning, match=r"set aside as kuberian.db.damaged-"):
        index(indexed, home=home, model=model)
    assert answers(home) == expected
    aside = min(home.glob("kuberian.db.damaged-*"), key=lambda file: len(file.name))  # beside it is its log
    with closing(sqlite3.connect(aside)) as connection:
        assert connection.execute("SELECT DISTINCT language FROM blobs").fetchall() == [("cobol",)]


def test_a_copy_that_sqlite_made_is_a_home(indexed: Path, home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    with closing(sqlite3.connect(home / "kuberian.db")) as source, closing(sqlite3.connect(copy / "kuberian.db")) as to:
        source.backup(to)
    assert answers(copy) == answers(home)


def test_a_copy_that_is_whole_is_trusted(indexed: Path, home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "copy")
    os.utime(tmp_path / "copy" / "kuberian.db")
    assert answers(tmp_path / "copy") == answers(home)


def test_a_database_copied_by_half_is_named(indexed: Path, home: Path, kuberian: Run) -> None:
    database = home / "kuberian.db"
    (home / "kuberian.sum").unlink()
    database.write_bytes(database.read_bytes()[:-5000])
    done = kuberian("search", QUESTION)
    assert done.returncode == 3
    assert "cut short" in done.stderr
    assert done.stderr.count("\n") == 1
    done = kuberian("index", str(indexed), "--quiet")
    assert done.returncode == 0
    assert "set aside as" in done.stderr
    assert kuberian("search", QUESTION).returncode == 0


def test_what_a_disk_did_is_found_by_doctor_and_mended_by_index(
    indexed: Path, home: Path, model: Path, kuberian: Run
) -> None:
    expected = answers(home)
    assert kuberian("doctor", "--check").returncode == 0
    with sqlite3.connect(home / "kuberian.db") as connection:
        vector = connection.execute("SELECT vector FROM embeddings LIMIT 1").fetchone()[0]
    database = home / "kuberian.db"
    flip(database, database.read_bytes().index(vector) + 1, keep_time=True)
    done = kuberian("doctor", "--check")
    assert done.returncode == 3
    assert "kuberian.db" in done.stderr
    with pytest.warns(UserWarning, match="set aside"):
        index(indexed, model=model)
    assert answers(home) == expected
    assert kuberian("doctor", "--check").returncode == 0


def test_a_damaged_content_is_named_where_it_is_read(indexed: Path, home: Path, model: Path) -> None:
    expected = answers(home)
    with sqlite3.connect(home / "kuberian.db") as connection:
        connection.execute(
            "UPDATE blobs SET content = CAST(substr(content, 1, 20) || x'00' || substr(content, 22) AS BLOB)"
        )
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (home / "kuberian.sum").unlink()
    with pytest.raises(HomeError, match="content is corrupt"):
        answers(home)
    with pytest.warns(UserWarning, match="set aside"):
        index(indexed, model=model)
    assert answers(home) == expected


@pytest.mark.parametrize("keep_time", [False, True])
def test_a_damaged_vector_file_is_not_used_and_is_written_anew(
    indexed: Path, home: Path, model: Path, kuberian: Run, keep_time: bool
) -> None:
    expected = answers(home)
    (file,) = (home / "vectors").glob("*.faiss")
    flip(file, file.stat().st_size // 2, keep_time=keep_time)
    assert kuberian("doctor", "--check").returncode == 3
    if not keep_time:
        assert answers(home) == expected
    index(indexed, model=model)
    (new,) = (home / "vectors").glob("*.faiss")
    assert new != file
    assert answers(home) == expected
    assert kuberian("doctor", "--check").returncode == 0


def test_a_run_that_was_killed_leaves_no_claim(indexed: Path, home: Path, model: Path) -> None:
    from kuberian.store.home import Home

    with pytest.raises(KeyboardInterrupt), Home(home).writer():
        raise KeyboardInterrupt
    assert answers(home)
    index(indexed, model=model)
    assert answers(home)
