"""The container's cron: indexes what it is told to when it is told to, and refuses what cannot work in one line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.sdists import commit_all, git

ROOT = Path(__file__).parents[1]
CRON = [sys.executable, str(ROOT / "deploy" / "container" / "cron.py")]
QUESTION = "check a user's password"


def environment(**values: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **values}


def cron(*arguments: str, **values: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CRON, *arguments], env=environment(**values), capture_output=True, text=True, check=False, timeout=300
    )


def test_once_indexes_every_repository_that_a_pattern_fits(repository: Path, kuberian: Run) -> None:
    done = cron("--once", KUBERIAN_REPOSITORIES=f"{repository.parent}/sh*")
    assert done.returncode == 0, done.stderr
    assert "1 of 1 repositories indexed" in done.stdout
    for line in done.stdout.splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (cron|/\S+): ", line)
    assert f"{repository}/server/auth.py:" in kuberian("search", QUESTION).stdout.splitlines()[0]


def test_a_repository_that_fails_is_named_and_does_not_stop_the_others(
    repository: Path, kuberian: Run, tmp_path: Path
) -> None:
    empty = tmp_path / "an-empty-one"
    subprocess.run(["git", "init", "-q", str(empty)], check=True)
    done = cron("--once", KUBERIAN_REPOSITORIES=f"{empty}\n{repository}")
    assert done.returncode == 3
    assert re.search(rf"{empty}: kuberian: .*no commits", done.stdout)
    assert "1 of 2 repositories indexed in" in done.stdout
    assert done.stdout.rstrip().endswith(f"failed: {empty}")
    assert f"{repository}/server/auth.py:" in kuberian("search", QUESTION).stdout.splitlines()[0]


def test_an_address_is_cloned_and_then_followed(repository: Path, kuberian: Run, tmp_path: Path) -> None:
    served = tmp_path / "served" / "shop.git"
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(served))
    git(served, "update-server-info")  # all that a server of plain files needs
    handler = partial(SimpleHTTPRequestHandler, directory=str(served.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address, nowhere = (f"http://127.0.0.1:{server.server_port}/{name}.git" for name in ("shop", "nowhere"))
        done = cron("--once", KUBERIAN_REPOSITORIES=f"{nowhere} {address}")
        assert done.returncode == 3
        assert f"failed: {nowhere}\n" in done.stdout
        assert "1 of 2 repositories indexed in" in done.stdout
        (repository / "oven.py").write_text("def bake_bread(dough):\n    return dough.heat(degrees=230)\n")
        commit_all(repository)
        git(repository, "push", "-q", str(served), "HEAD")
        git(served, "update-server-info")
        done = cron("--once", KUBERIAN_REPOSITORIES=address)
        assert done.returncode == 0, done.stdout
        server.shutdown()
    assert "oven.py:" in kuberian("search", "how is bread baked").stdout.splitlines()[0]
    assert "server/auth.py:" in kuberian("search", QUESTION).stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        ("every day", "it has 2 fields instead of 5"),
        ("* * * * * *", "it has 6 fields instead of 5"),
        ("61 * * * *", "Bad minute"),
        ("*/0 * * * *", "Bad minute"),
        ("0 0 30 2 *", "Bad day-of-month"),
        ("0 0 * * someday", "Bad day-of-week"),
    ],
)
def test_a_wrong_schedule_is_refused(repository: Path, schedule: str, why: str) -> None:
    done = cron(KUBERIAN_SCHEDULE=schedule, KUBERIAN_REPOSITORIES=str(repository))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"kuberian: KUBERIAN_SCHEDULE {schedule!r} is no schedule of five cron fields: {why}\n"


@pytest.mark.parametrize(
    ("wanted", "says"),
    [("/no/such/place", "/no/such/place cannot be read as user"), ("/no/such/*", "nothing fits KUBERIAN_REPOSITORIES")],
)
def test_repositories_that_cannot_be_read_are_refused(wanted: str, says: str) -> None:
    done = cron(KUBERIAN_REPOSITORIES=wanted)
    assert (done.returncode, done.stdout) == (3, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_sigterm_ends_it_between_runs(repository: Path) -> None:
    values = environment(KUBERIAN_REPOSITORIES=str(repository), KUBERIAN_SCHEDULE="0 0 1 1 *")
    running = subprocess.Popen(CRON, env=values, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert any("next run at" in line for line in iter(running.stdout.readline, ""))
    running.send_signal(signal.SIGTERM)
    stdout, stderr = running.communicate(timeout=30)
    assert stdout.endswith("cron: stopped\n")
    assert (running.returncode, stderr) == (0, "")
