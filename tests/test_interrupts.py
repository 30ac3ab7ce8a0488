"""However a run ends, a file is in the home as a whole or not at all."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from indexer import index
from kuberian.errors import HomeError
from kuberian.store import damage
from kuberian.store.connection import batches
from kuberian.store.fulltext import chunk_texts, remove_chunk
from kuberian.store.home import Home
from searcher import Searcher
from tests.conftest import Run
from tests.sdists import commit_all

ROOT = Path(__file__).parents[1]

# The modules in which a file's rows are written and committed.
WRITING = ("indexer/snapshot.py", "kuberian/store/")


@pytest.fixture
def older(repository: Path, home: Path) -> Path:
    """An index of the repository as it was, and in the repository a changed file of several chunks and a new one."""
    index(repository, meaning=False)
    (repository / "client" / "retry.go").write_text(
        "package client\n\n" + "\n".join(f"// F{n} does {n}.\nfunc F{n}() int {{\n\treturn {n}\n}}\n" for n in range(4))
    )
    (repository / "new.py").write_text("def one():\n    return 1\n\n\ndef two():\n    return 2\n")
    commit_all(repository)
    return repository


class Interrupt:
    """Raises an error at the given line of those that write, counted as they are run, as a signal handler would."""

    def __init__(self, error: type[BaseException], at: int) -> None:
        self.error, self.left = error, at

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "call":
            return self if any(part in frame.f_code.co_filename for part in WRITING) else None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise self.error
        return self

    def __enter__(self) -> Interrupt:
        sys.settrace(self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)


def halves(home: Path) -> list[str]:
    """Files of which only some is in the home: chunks that are not there, full-text rows that are not."""
    opened = Home(home)
    connection = opened.reader()
    try:
        return [str(wrong) for wrong in damage.examine(opened, connection)]
    finally:
        connection.close()


def contents(home: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(home / "kuberian.db") as connection:
        return connection.execute(
            """
            SELECT oid, start_line, end_line, symbol, code.id IS NOT NULL FROM blobs
            JOIN chunks ON blob_id = blobs.id LEFT JOIN chunk_words_docsize AS code ON code.id = chunks.id ORDER BY 1, 2
            """
        ).fetchall()


def interrupted(root: Path, error: type[BaseException], copies: Path, home: Path, step: int) -> int:
    """Interrupt a run at every `step`-th line, each in a copy of the home; return at how many."""
    expected = copies / "undisturbed"
    shutil.copytree(home, expected)
    index(root, home=expected, meaning=False)
    count = 0
    for at in range(1, 100_000, step):
        copy = copies / f"home-{at}"
        shutil.copytree(home, copy)
        try:
            with Interrupt(error, at) as trace:
                index(root, home=copy, meaning=False)
        except error:
            count += 1
        except HomeError:  # what was raised while the tables were read looks like the home's
            count += 1
        assert halves(copy) == [], f"interrupted at line {at}"
        index(root, home=copy, meaning=False)
        assert halves(copy) == []
        assert contents(copy) == contents(expected), f"interrupted at line {at}"
        shutil.rmtree(copy)
        if trace.left > 0:
            return count
    raise AssertionError("the run has no end")


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_ctrl_c_in_the_middle_of_a_file_leaves_no_half_of_it(
    older: Path, home: Path, tmp_path: Path, error: type[BaseException]
) -> None:
    assert interrupted(older, error, tmp_path / "copies", home, step=17) > 20


@pytest.mark.long
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_ctrl_c_at_any_line_leaves_no_half_of_a_file(
    older: Path, home: Path, tmp_path: Path, error: type[BaseException]
) -> None:
    assert interrupted(older, error, tmp_path / "copies", home, step=1) > 500


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_at_random_moments_leave_no_half_of_a_file(
    repository: Path, home: Path, tmp_path: Path, number: signal.Signals
) -> None:
    for n in range(150):
        text = "\n\n".join(f"def f{n}_{m}(a):\n    return a + {m}" for m in range(20))
        (repository / f"f{n}.py").write_text(text + "\n")
    command = [sys.executable, "-m", "kuberian", "index", "--quiet", str(repository), "--home", str(home)]
    for tenths in range(3, 12):
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        try:
            process.wait(tenths / 10)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        _, errors = process.communicate(timeout=30)
        assert process.returncode in (0, 130, -number), errors
        assert errors.count("\n") <= 1
        if (home / "kuberian.db").exists() and not Home(home).is_new():
            assert halves(home) == []
    index(repository, home=home, meaning=False)
    assert halves(home) == []
    with Searcher(home) as searcher:
        assert searcher.search("f149_19").results[0].symbol == "f149_19"


# No file may grow beyond some bytes: SQLite meets that at whichever statement needs another page.
FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from indexer import index
index(sys.argv[2], home=sys.argv[3], meaning=False)
"""


def test_a_disk_that_is_full_at_any_page_leaves_no_half_of_a_file(older: Path, home: Path, tmp_path: Path) -> None:
    index(older, home=tmp_path / "undisturbed", meaning=False)
    whole = (home / "kuberian.db").stat().st_size
    failed = 0
    for limit in range(4096, 2 * whole, 3 * 4096):
        copy = tmp_path / f"home-{limit}"
        shutil.copytree(home, copy)
        done = subprocess.run(
            [sys.executable, "-c", FULL_DISK, str(limit), str(older), str(copy)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        failed += done.returncode != 0
        assert halves(copy) == [], f"no file larger than {limit}"
        index(older, home=copy, meaning=False)
        assert halves(copy) == []
        shutil.rmtree(copy)
    assert failed > 3


def test_a_home_that_an_older_version_hurt_is_named_and_heals(repository: Path, home: Path, kuberian: Run) -> None:
    index(repository, meaning=False)
    with sqlite3.connect(home / "kuberian.db") as connection:  # as an interrupt in the middle of a file left it
        lost, blob = connection.execute("SELECT max(id), blob_id FROM chunks WHERE symbol LIKE '%logout'").fetchone()
        for chunk_id, chunk in chunk_texts(connection, blob):
            if chunk_id >= lost - 1:  # the row of the last chunk that was written was still to come
                remove_chunk(connection, chunk_id, chunk.columns())
        connection.execute("DELETE FROM chunks WHERE id = ?", (lost,))
        connection.execute("UPDATE blobs SET chunker = chunker - 1 WHERE id = ?", (blob,))
    connection.close()
    (home / "kuberian.sum").unlink(missing_ok=True)
    found = kuberian("doctor", "--check")
    assert found.returncode == 3
    assert "chunks" in found.stderr
    (home / "kuberian.suspect").unlink()  # healed by the next run, not by building all of it anew
    index(repository)
    assert kuberian("doctor", "--check").returncode == 0
    with Searcher(home) as searcher:
        assert searcher.search("LoginManager.logout").results[0].symbol == "LoginManager.logout"


def test_an_error_is_not_hidden_by_the_one_that_comes_of_it(tmp_path: Path) -> None:
    """A COMMIT that fails after something went wrong says less than what went wrong."""
    with closing(sqlite3.connect(tmp_path / "some.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("CREATE TABLE a(id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE b(a REFERENCES a(id) DEFERRABLE INITIALLY DEFERRED)")
        with pytest.raises(ZeroDivisionError), batches(connection) as one_is_whole:
            connection.execute("INSERT INTO b VALUES(1)")  # fails at COMMIT
            one_is_whole()
            raise ZeroDivisionError
        assert not connection.in_transaction
