"""A home may be deleted, or moved away, at any moment: what runs then says so in one line, and nothing is lost."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from indexer import index
from kuberian.errors import KuberianError
from kuberian.store import damage
from kuberian.store.home import Home
from kuberian.store.status import status
from searcher import Searcher
from searcher.serving.http import Application
from tests.checkpoints import write_checkpoint

# The modules that touch the home's files. What pathlib does takes several system calls, with room between them.
TOUCHING = ("/kuberian/store/", "/searcher/", "/indexer/run.py", "/indexer/meaning/", "/pathlib.py", "/glob.py")


class Vanish:
    """Takes the home away at the given line of those that touch it, counted as they are run."""

    def __init__(self, home: Path, at: int) -> None:
        self.home, self.left = home, at
        self.away = home.with_name("away")

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "call":
            return self if any(part in frame.f_code.co_filename for part in TOUCHING) else None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                self.home.rename(self.away)
        return self

    def __enter__(self) -> Vanish:
        sys.settrace(self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)


@pytest.fixture
def indexed(repository: Path, home: Path, tmp_path: Path) -> Path:
    index(repository, model=write_checkpoint(tmp_path / "small-bert"))
    return repository


def search(home: Path) -> object:
    with Searcher(home) as searcher:
        return [result.symbol for result in searcher.search("authenticate").results]


def ask(application: Application, page: str) -> int:
    answered: list[str] = []
    environment = {"REQUEST_METHOD": "GET", "PATH_INFO": page, "QUERY_STRING": "q=authenticate" * (page == "/search")}
    application(environment, lambda line, _: answered.append(line))
    return int(answered[0].split()[0])


def serve(home: Path) -> object:
    application = Application(home)
    answered = [ask(application, page) for page in ("/readyz", "/search", "/status", "/search")]
    assert set(answered) <= {200, 503}
    return answered


def examine(home: Path) -> object:
    connection = Home(home).reader()
    try:
        assert damage.examine(Home(home), connection) == []
    finally:
        connection.close()


READING: dict[str, Callable[[Path], object]] = {
    "search": search,
    "serve": serve,
    "status": lambda home: status(Home(home)),
    "examine": examine,
}


def vanishing(home: Path, action: Callable[[], object], step: int) -> int:
    """Take the home away at every `step`-th line of an action, and bring it back after; return how often."""
    for at in range(1, 1_000_000, step):
        vanish = Vanish(home, at)
        try:
            with vanish:
                action()
        except KuberianError as error:
            assert "\n" not in str(error) and "damaged" not in str(error)
        if vanish.left > 0:
            return at // step
        assert not home.exists(), "a reader made something where the home was"
        vanish.away.rename(home)
        assert not damage.is_suspect(Home(home))
    raise AssertionError("the action has no end")


@pytest.mark.parametrize(("name", "step"), [("search", 29), ("serve", 97), ("status", 1), ("examine", 3)])
def test_a_home_that_vanishes_under_a_reader_is_no_internal_error(
    indexed: Path, home: Path, name: str, step: int
) -> None:
    READING[name](home)  # what is imported and loaded once need not be traced
    assert vanishing(home, lambda: READING[name](home), step) > 20


@pytest.mark.long
@pytest.mark.parametrize("name", READING)
def test_a_home_may_vanish_at_any_line_of_a_reader(indexed: Path, home: Path, name: str) -> None:
    READING[name](home)
    assert vanishing(home, lambda: READING[name](home), step=1) > 100


def run_without_a_home(root: Path, home: Path, model: Path, step: int) -> int:
    """Take the home away at every `step`-th line of an index run, and finish it after; return how often."""
    shutil.copytree(home, home.with_name("before"))
    expected = ""
    for at in range(1, 1_000_000, step):
        shutil.rmtree(home)
        shutil.copytree(home.with_name("before"), home)
        vanish = Vanish(home, at)
        try:
            with vanish:
                index(root, model=model)
        except KuberianError as error:
            assert "\n" not in str(error) and ".cpp" not in str(error), str(error)
        if vanish.left > 0:
            return at // step
        if home.exists():  # made anew by the run: nothing of it is wrong either
            examine(home)
            shutil.rmtree(home)
        vanish.away.rename(home)
        index(root, model=model)
        examine(home)
        expected = expected or str(search(home))
        assert str(search(home)) == expected
    raise AssertionError("the run has no end")


def test_a_home_that_vanishes_under_an_index_run_loses_nothing(indexed: Path, home: Path, tmp_path: Path) -> None:
    (indexed / "new.py").write_text("def authenticate_again():\n    return 1\n")
    assert run_without_a_home(indexed, home, tmp_path / "small-bert", step=401) > 10


@pytest.mark.long
def test_a_home_may_vanish_at_any_moment_of_an_index_run(indexed: Path, home: Path, tmp_path: Path) -> None:
    (indexed / "new.py").write_text("def authenticate_again():\n    return 1\n")
    assert run_without_a_home(indexed, home, tmp_path / "small-bert", step=11) > 200
