"""A home that may only be read: what is in its log is seen, or said not to be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer import index
from kuberian.errors import HomeError
from kuberian.store.home import Home
from kuberian.store.status import status
from searcher import Searcher
from tests.checkpoints import write_checkpoint

# Indexes, and dies when all is committed but nothing is taken over from the log.
DIE_BEFORE_THE_CHECKPOINT = """
import os, signal, sys
from kuberian.store import home
home.checkpoint = lambda connection: os.kill(os.getpid(), signal.SIGKILL)
from indexer import index
index(sys.argv[1], home=sys.argv[2], model=sys.argv[3])
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("model") / "small-bert")


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A folder, and the same folder mounted so that nobody may write there, as a container has it."""
    if os.geteuid() != 0:
        pytest.skip("mounting a folder read-only needs root")
    written, read = tmp_path / "written", tmp_path / "read"
    written.mkdir()
    read.mkdir()
    subprocess.run(["mount", "--bind", written, read], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", read], check=True)
    yield written, read
    subprocess.run(["umount", read], check=True)


def symbols(searcher: Searcher, question: str) -> list[str | None]:
    return [result.symbol for result in searcher.search(question).results]


def add(repository: Path, name: str) -> None:
    (repository / f"{name}.py").write_text(f"def {name}():\n    return 1\n")


def test_every_index_run_is_seen_by_who_may_only_read(
    repository: Path, model: Path, folders: tuple[Path, Path]
) -> None:
    written, read = folders
    index(repository, home=written, model=model)
    with Searcher(read) as searcher:
        assert "LoginManager.authenticate" in symbols(searcher, "authenticate")
        for number in range(5):
            add(repository, f"added_{number}")
            index(repository, home=written, model=model)
            assert f"added_{number}" in symbols(searcher, f"added_{number}")


def test_what_a_killed_run_left_in_the_log_is_seen(repository: Path, model: Path, folders: tuple[Path, Path]) -> None:
    written, read = folders
    index(repository, home=written, model=model)
    with Searcher(read) as searcher:
        assert "only_in_the_log" not in symbols(searcher, "only_in_the_log")
        add(repository, "only_in_the_log")
        command = [sys.executable, "-c", DIE_BEFORE_THE_CHECKPOINT, str(repository), str(written), str(model)]
        assert subprocess.run(command, cwd=Path(__file__).parents[1], check=False).returncode < 0
        assert (written / "kuberian.db-wal").stat().st_size
        assert "only_in_the_log" in symbols(searcher, "only_in_the_log")
    with Searcher(read) as searcher:
        assert "only_in_the_log" in symbols(searcher, "only_in_the_log")


def test_a_log_that_cannot_be_read_is_named(repository: Path, model: Path, folders: tuple[Path, Path]) -> None:
    """As in a copy of a home that was made without the index of its log."""
    written, read = folders
    index(repository, home=written, model=model)
    add(repository, "only_in_the_log")
    command = [sys.executable, "-c", DIE_BEFORE_THE_CHECKPOINT, str(repository), str(written), str(model)]
    assert subprocess.run(command, cwd=Path(__file__).parents[1], check=False).returncode < 0
    (written / "kuberian.db-shm").unlink()
    with pytest.raises(HomeError, match=r"kuberian.db-wal holds changes.*run `kuberian status`"):
        Searcher(read)
    status(Home(written))  # what the message says to do
    with Searcher(read) as searcher:
        assert "only_in_the_log" in symbols(searcher, "only_in_the_log")
