"""Cutting in worker processes: whatever happens to one, each file gets its rows, and no process is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from indexer import index
from indexer.chunking import workers
from indexer.chunking.cutting import rows
from indexer.chunking.workers import Workers
from kuberian.cores import available_cores
from tests.sdists import commit_all

CODE = b"def check(password):\n    return password == 'secret'\n\n\ndef other():\n    return 1\n"
FAILING = "import sys; sys.path[:] = {path!r}; from tests.failing_worker import main; main()"

START = """
import signal, time
from indexer.chunking.workers import Workers
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a parent may have set to be ignored
with Workers(0) as workers:
    workers.cut("a.py", b"x = 1").result()
    print(*(worker.pid for worker in workers._running), flush=True)
    time.sleep(1000)
"""


def exists(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(process: int) -> None:
    end = time.monotonic() + 20
    while exists(process):
        assert time.monotonic() < end, f"process {process} is still there"
        time.sleep(0.02)


def test_the_rows_are_those_of_the_pure_function() -> None:
    files = {f"{number}.py": CODE.replace(b"check", b"check_%d" % number) for number in range(40)}
    with Workers(10_000_000) as started:
        assert started.count == min(available_cores(), workers.MOST)
        results = {path: started.cut(path, data) for path, data in files.items()}
        assert {path: result.result() for path, result in results.items()} == {
            path: rows(path, data) for path, data in files.items()
        }
    assert not any(thread.name.startswith("cut") for thread in threading.enumerate())


def test_a_file_that_crashes_its_grammar_is_cut_by_its_lines_and_named() -> None:
    with Workers(0, FAILING) as started:
        with pytest.warns(UserWarning, match=r"folder/crash.py: its grammar crashed twice") as told:
            results = [started.cut(path, CODE) for path in ("before.py", "folder/crash.py", "after.py")]
            before, crashed, after = (result.result() for result in results)
        assert len(told) == 1
    assert before == after == rows("a.py", CODE)
    assert crashed == rows("a.py", CODE, by_grammar=False)
    assert crashed.language == "python"
    assert not any(chunk.symbol for chunk in crashed.chunks)


def test_a_worker_that_is_killed_costs_nothing(tmp_path: Path) -> None:
    data = os.fsencode(tmp_path / "marker") + b"\n" + CODE
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Workers(0, FAILING) as started:
            assert started.cut("once.py", data).result() == rows("once.py", data)
    assert (tmp_path / "marker").exists()


def test_a_file_that_never_comes_to_an_end_is_cut_by_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LONGEST_SECONDS", 2.0)
    with Workers(0, FAILING) as started, pytest.warns(UserWarning, match="hang.py"):
        assert started.cut("hang.py", CODE).result() == rows("hang.py", CODE, by_grammar=False)


def test_what_a_library_prints_is_no_answer() -> None:
    with Workers(0, FAILING) as started:
        assert started.cut("print.py", CODE).result() == rows("print.py", CODE)


@pytest.mark.parametrize(("path", "says"), [("raise.py", "in raise.py"), ("hopeless.py", "no worker can cut")])
def test_what_nothing_helps_against_is_raised(path: str, says: str) -> None:
    with Workers(0, FAILING) as started:
        with pytest.raises(RuntimeError, match=says) as raised:
            started.cut(path, CODE).result()
        assert path in str(raised.value)
        assert started.cut("fine.py", CODE).result() == rows("fine.py", CODE)


def test_closing_ends_a_worker_in_the_middle_of_a_file() -> None:
    with Workers(0, FAILING) as started:
        started.cut("a.py", CODE).result()
        (process,) = started._running
        started.cut("hang.py", CODE)
        began = time.monotonic()
    assert time.monotonic() - began < workers.LONGEST_SECONDS / 2
    assert not exists(process.pid)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_worker_ends_when_its_parent_does(how: signal.Signals) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", START], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    assert exists(worker)
    parent.send_signal(how)
    parent.wait(20)
    parent.stdout.close()
    wait_until_gone(worker)


def test_modules_of_the_indexed_repository_are_not_imported(repository: Path, tmp_path: Path) -> None:
    for name in (
        "indexer/chunking/worker.py",
        "indexer/__init__.py",
        "pickle.py",
        "sqlite3.py",
        "kuberian/__init__.py",
    ):
        file = repository / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"open({str(repository / 'imported')!r}, 'w').close()\nraise SystemExit('imported')\n")
    commit_all(repository)
    program = Path(sys.executable).with_name("kuberian")
    command = [program, "index", ".", "--home", tmp_path / "home"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (repository / "imported").exists()


def test_two_files_of_one_content_are_one_blob(repository: Path) -> None:
    for number in range(30):
        (repository / f"same_{number}.py").write_bytes(CODE)
    commit_all(repository)
    report = index(repository, meaning=False)
    again = index(repository, meaning=False)
    assert again.files_unchanged == report.files_indexed > 30
    assert again.chunks == report.chunks
