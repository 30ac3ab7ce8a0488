"""Ctrl-C ends any command with one line and exit status 130, and keeps what was done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from indexer import index
from kuberian.store import damage
from kuberian.store.home import Home
from tests.sdists import commit_all

ROOT = Path(__file__).parents[1]
LINE = "kuberian: interrupted; what was done so far is kept\n"

# Presses Ctrl-C at a function call, counted from where our program begins.
AT_A_CALL = """
import signal, sys
from kuberian.cli.main import main
left = int(sys.argv.pop(1))
def count(frame, event, _):
    global left
    left -= event == "call"
    if left == 0:
        left = -1
        sys.setprofile(None)
        signal.raise_signal(signal.SIGINT)
sys.setprofile(count)
main()
"""

COMMANDS = (
    ("index",),
    ("index", "--dry-run"),
    ("explain", "NOTES.md"),
    ("search", "check the password"),
    ("when", "check the password"),
    ("status",),
    ("gc",),
    ("doctor",),
    ("forget", "shop"),
    ("version",),
    ("--help",),
)


def run_interrupted(arguments: Sequence[str], at: int, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", AT_A_CALL, str(at), *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def is_sound(home: Path) -> bool:
    opened = Home(home)
    if opened.is_new():
        return True
    connection = opened.reader()
    try:
        return damage.examine(opened, connection) == []
    finally:
        connection.close()


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_ctrl_c_at_any_moment_of_any_command(arguments: Sequence[str], repository: Path, home: Path) -> None:
    index(repository)
    (repository / "new.py").write_text("def another():\n    return 1\n")
    ended = 0
    for at in (50, 1_000, 10_000, 60_000, 200_000):
        if arguments[0] == "forget":  # Ctrl-C may have come when it was done
            index(repository)
        done = run_interrupted(arguments, at, repository)
        if done.returncode == 130:
            assert done.stderr == LINE
            ended += 1
        else:  # it was faster
            assert done.returncode == 0, done.stderr
            break
    assert ended >= 1
    assert is_sound(home)


@pytest.fixture
def large(repository: Path) -> Path:
    """A repository that takes a while, with worker processes."""
    for n in range(300):
        text = "\n\n".join(f"def f{n}_{m}(a):\n    return a + {m} * {n}" for m in range(60))
        (repository / f"f{n}.py").write_text(text + "\n")
    commit_all(repository)
    return repository


def children(process: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


def test_ctrl_c_reaches_all_processes_of_an_index_run(large: Path, home: Path) -> None:
    for seconds in (0.2, 0.6, 1.2, 2.5):
        process = subprocess.Popen(
            [sys.executable, "-m", "kuberian", "index", str(large)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a process group, as a shell makes one for a command
        )
        while process.poll() is None and not (home / "kuberian.db").exists():
            time.sleep(0.01)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        workers = children(process.pid)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=30)
        assert (process.returncode, errors, output) == (130, LINE, "")
        for worker in workers:
            with pytest.raises(ProcessLookupError):
                os.kill(worker, 0)
        assert is_sound(home)


def test_a_second_ctrl_c_shows_no_traceback(large: Path, home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "kuberian", "index", str(large)], cwd=ROOT, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    while process.poll() is None and not (home / "kuberian.db").exists():
        time.sleep(0.01)
    for _ in range(20):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.02)
    errors = process.communicate(timeout=30)[1]
    assert (process.returncode, errors) == (130, LINE)
    assert is_sound(home)


def test_ctrl_c_that_is_ignored_stays_ignored(repository: Path, home: Path) -> None:
    """As in a command in a script's background."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
         "from kuberian.cli.main import main; main()", "index", str(repository)],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    while process.poll() is None and not (home / "kuberian.db").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert (process.returncode, errors) == (0, "")


def test_ctrl_c_that_becomes_another_error_on_its_way_is_still_ctrl_c() -> None:
    program = (
        "import signal, sqlite3, kuberian.cli.main as main\n"
        "def run(arguments):\n"
        "    connection = sqlite3.connect(':memory:')\n"
        "    connection.create_function('f', 0, lambda: signal.raise_signal(signal.SIGINT))\n"
        "    connection.execute('SELECT f()')\n"
        "main._run = run\n"
        "main.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, LINE)
