"""Killing the indexer is boring: whatever the moment, the next command works and nothing committed is lost."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from indexer import index
from kuberian.store.home import Home
from kuberian.store.status import status
from searcher import Searcher
from tests.checkpoints import write_checkpoint
from tests.sdists import FLASK, as_repository

ROOT = Path(__file__).parents[1]
QUESTIONS = ("session cookie", "where are url rules added", "Blueprint.register", "render a template")

# Kills itself at the COMMIT of the given number, before or after SQLite has done it.
KILL_AT_COMMIT = """
import os, signal, sqlite3, sys
number, moment, arguments = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
commits = 0

class Killer(sqlite3.Connection):
    def execute(self, statement, *parameters):
        global commits
        if statement != "COMMIT":
            return super().execute(statement, *parameters)
        commits += 1
        if commits == number and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = super().execute(statement)
        if commits == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

connect = sqlite3.connect
sqlite3.connect = lambda *a, **k: connect(*a, factory=Killer, **k)
from indexer import index
index(arguments[0], home=arguments[1], model=arguments[2])
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("model") / "small-bert")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return as_repository(FLASK, tmp_path_factory.mktemp("project"))


def answers(home: Path) -> list[tuple[object, ...]]:
    with Searcher(home) as searcher:
        return [
            (question, result.path, result.start_line, result.end_line, result.score)
            for question in QUESTIONS
            for result in searcher.search(question, k=20).results
        ]


def embeddings(home: Path) -> int:
    """Count what is committed; 0 where even the tables are not."""
    if not (home / "kuberian.db").exists():
        return 0
    with sqlite3.connect(home / "kuberian.db") as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'embeddings'").fetchone():
            return 0
        query = "SELECT count(*) FROM embeddings WHERE passage IN (SELECT passage FROM chunks)"
        return int(connection.execute(query).fetchone()[0])


def still_works(home: Path) -> None:
    """What a user would try next."""
    state = status(Home(home))
    if state.snapshots:
        answers(home)


def run_and_kill(command: list[str], after: float) -> bool:
    """Start a command and kill it after some seconds; return whether it was still running."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.kill()
    process.wait()
    assert process.returncode in (0, -signal.SIGKILL), process.stderr.read() if process.stderr else ""
    return process.returncode != 0


def kill_at_random(project: Path, model: Path, folder: Path, kills: int, seed: int) -> None:
    undisturbed = folder / "undisturbed"
    command = [sys.executable, "-m", "kuberian", "index", "--quiet", str(project), "--model", str(model), "--home"]
    started = time.monotonic()
    subprocess.run([*command, str(undisturbed)], cwd=ROOT, check=True)
    whole = time.monotonic() - started
    expected, passages = answers(undisturbed), embeddings(undisturbed)
    choose = random.Random(seed)
    killed = finished = 0
    while killed < kills:
        home = folder / f"home-{finished}"
        while run_and_kill([*command, str(home)], after=choose.uniform(0, whole)):
            killed += 1
            committed = embeddings(home)
            still_works(home)
            if killed >= kills or choose.random() < 0.2:
                report = index(project, home=home, model=model)
                assert report.passages_embedded == passages - committed  # nothing committed is embedded again
                break
        finished += 1
        assert embeddings(home) == passages
        assert answers(home) == expected


def test_a_run_killed_at_random_moments_goes_on_where_it_was(project: Path, model: Path, tmp_path: Path) -> None:
    kill_at_random(project, model, tmp_path, kills=8, seed=20261122)


@pytest.mark.long
def test_a_run_killed_at_200_random_moments_goes_on_where_it_was(project: Path, model: Path, tmp_path: Path) -> None:
    kill_at_random(project, model, tmp_path, kills=200, seed=int(time.time()))


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_killed_at_each_commit_goes_on_where_it_was(
    repository: Path, model: Path, tmp_path: Path, moment: str
) -> None:
    undisturbed = index(repository, home=tmp_path / "undisturbed", model=model)
    expected = answers(tmp_path / "undisturbed")
    for number in range(1, 100):
        home = tmp_path / f"home-{number}"
        arguments = [str(number), moment, str(repository), str(home), str(model)]
        done = subprocess.run([sys.executable, "-c", KILL_AT_COMMIT, *arguments], cwd=ROOT, check=False)
        assert done.returncode in (0, -signal.SIGKILL)
        committed = embeddings(home)
        still_works(home)
        report = index(repository, home=home, model=model)
        assert report.passages_embedded == undisturbed.passages_embedded - committed
        assert answers(home) == expected
        if done.returncode == 0:
            break
    assert number > 4  # words, the snapshot, embeddings, the FAISS file


def test_searches_during_an_index_run_see_a_whole_snapshot(project: Path, model: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    index(project, home=home, model=model)
    before = answers(home)
    for file in (project / "src" / "flask").glob("*.py"):
        file.write_text(file.read_text() + "\n\ndef added_to_every_file():\n    return 'added'\n")
    command = [sys.executable, "-m", "kuberian", "index", "--quiet", str(project), "--home", str(home)]
    process = subprocess.Popen(command, cwd=ROOT)
    counts = set()
    while process.poll() is None:
        with Searcher(home) as searcher:
            counts.add(len(searcher.search("added_to_every_file", k=100, path="src/flask/*.py").results))
    assert process.returncode == 0
    with Searcher(home) as searcher:
        found = {result.path for result in searcher.search("added_to_every_file", k=100).results if not result.stale}
    assert {str(file.relative_to(project)) for file in (project / "src" / "flask").glob("*.py")} <= found
    assert before
    subprocess.run(["git", "checkout", "-q", "."], cwd=project, check=True)


def test_eight_searchers_during_an_index_run_meet_no_error(repository: Path, model: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    index(repository, home=home, model=model)
    for number in range(300):
        (repository / f"new{number}.py").write_text(f"def number_{number}():\n    return {number}\n")
    command = [sys.executable, "-m", "kuberian", "index", "--quiet", str(repository), "--home", str(home)]
    process = subprocess.Popen(command, cwd=ROOT)

    def search_until_it_ends(_: int) -> int:
        with Searcher(home) as searcher:
            count = 0
            while process.poll() is None or not count:
                assert searcher.search("check a user's password").results
                count += 1
        return count

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(search_until_it_ends, range(8)))
    assert process.returncode == 0
    assert embeddings(home) >= 300


@pytest.fixture
def small_disk(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Mount a file system of 3 MB, which only root may."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_one_line_and_the_next_run_goes_on(
    project: Path, model: Path, small_disk: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "kuberian", "index", "--quiet", str(project), "--model", str(model)]
    full = subprocess.run(
        [*command, "--home", str(small_disk / "home")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert full.returncode == 3
    assert full.stderr.count("\n") == 1
    assert "full" in full.stderr or "space" in full.stderr
    still_works(small_disk / "home")
    subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
    committed = embeddings(small_disk / "home")
    report = index(project, home=small_disk / "home", model=model)
    assert report.passages_reused == committed
    index(project, home=tmp_path / "undisturbed", model=model)
    assert answers(small_disk / "home") == answers(tmp_path / "undisturbed")


def test_a_read_only_home_is_searched_and_not_written(repository: Path, model: Path, small_disk: Path) -> None:
    home = small_disk / "home"
    index(repository, home=home, model=model)
    before = answers(home)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert answers(home) == before
    assert status(Home(home)).snapshots
    done = subprocess.run(
        [sys.executable, "-m", "kuberian", "index", str(repository), "--home", str(home)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1
