"""A server and command lines beside index runs, forgets, gcs and homes that are replaced: no answer is of the past."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkpoints import write_checkpoint
from tests.sdists import commit_all

ROOT = Path(__file__).parents[1]
KUBERIAN = [sys.executable, "-m", "kuberian"]


class Served:
    """A server in a process of its own, and what is asked of it."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [*KUBERIAN, "serve", "--port", "0", "--home", str(home)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split()[-1]

    def get(self, page: str) -> tuple[int, dict[str, object]]:
        try:
            with urllib.request.urlopen(f"{self.address}{page}", timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def symbols(self, name: str) -> list[str] | int:
        """The names that are found for a name, or the status of an answer that is an error."""
        status, found = self.get(f"/search?q={name}&k=20")
        return [result["symbol"] for result in found["results"]] if status == 200 else status  # type: ignore


@pytest.fixture
def served(repository: Path, home: Path, model: Path) -> Iterator[Served]:
    run(home, "index", str(repository), "--model", str(model))
    server = Served(home)
    yield server
    server.process.terminate()
    server.process.wait(30)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("model") / "small-bert")


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*KUBERIAN, *arguments, "--home", str(home)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), f"{arguments}: {done.stderr}"
    assert "damaged" not in done.stderr
    return done


class Askers:
    """Readers that ask all the time, as other users do; what they are answered is checked for errors only."""

    def __init__(self, served: Served, home: Path) -> None:
        self.served, self.home = served, home
        self.asked = 0
        self.action = ""  # what is done to the home meanwhile
        self.faults: list[object] = []
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(which,)) for which in range(3)]

    def __enter__(self) -> Askers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, which: int) -> None:
        pages = ("/search?q=check+a+password", "/status", "/readyz")
        while not self._done.is_set():
            if which == 0:
                done = subprocess.run(
                    [*KUBERIAN, "search", "--all", "authenticate", "--home", str(self.home)],
                    cwd=ROOT, capture_output=True, text=True, check=False,
                )  # fmt: skip
                wrong = done.returncode not in (0, 1) and "nothing is indexed" not in done.stderr
                answer: object = done.stderr
            else:
                status, answer = self.served.get(pages[self.asked % len(pages)])
                wrong = status not in (200, 503) or (status == 503 and "nothing is indexed" not in str(answer))
            self.asked += 1
            # Files that are put over others one by one are no home meanwhile, and it is right to say so.
            if wrong and not (self.action.startswith("overwrite") and "is damaged" in str(answer)):
                self.faults.append((self.action, answer))


def soak(served: Served, repository: Path, home: Path, model: Path, runs: int, seed: int) -> dict[str, int]:
    """Change the repository and the home, and compare the server and the command line with what must be there."""
    choose = random.Random(seed)
    there = {"authenticate"}
    spare = home.with_name("spare")
    run(home, "index", str(repository), "--model", str(model))
    counts = {"runs": 0, "asked": 0}
    with Askers(served, home) as askers:
        for number in range(runs):
            name = f"added_number_{number}"
            action = choose.choice(["add"] * 6 + ["remove", "forget", "gc", "delete", "replace", "overwrite"])
            askers.action = f"{action} {number}"
            if action == "remove":
                for file in repository.glob("added*.py"):
                    file.unlink()
                there = {"authenticate"}
            else:
                (repository / f"{name}.py").write_text(f"def {name}():\n    return {number}\n")
                there.add(name)
            commit_all(repository)
            if action == "forget":
                run(home, "forget", str(repository))
                assert served.symbols("authenticate") == []
            elif action == "gc":
                run(home, "gc")
            elif action == "delete":
                shutil.rmtree(home)
                assert served.symbols("authenticate") == 503
            elif action == "replace":  # by one that was made elsewhere, as a copy from another machine is
                run(spare, "index", str(repository), "--model", str(model))
                shutil.rmtree(home)
                spare.rename(home)
            elif action == "overwrite":
                run(spare, "index", str(repository), "--model", str(model))
                (spare / "kuberian.db").replace(home / "kuberian.db")
                shutil.copytree(spare, home, dirs_exist_ok=True)
                shutil.rmtree(spare)
            if action not in ("replace", "overwrite"):
                run(home, "index", str(repository), "--model", str(model))
            counts["runs"] += 1
            for wanted in (name, *choose.sample(sorted(there), min(2, len(there)))):
                expected = wanted in there
                for found in (served.symbols(wanted), served.symbols(wanted)):  # of two threads, maybe
                    assert not isinstance(found, int), f"{action} {number}: {found}"
                    assert any(wanted in (symbol or "") for symbol in found) == expected, f"{action} {number}: {found}"
                command = run(home, "search", "--all", "-k", "20", wanted).stdout
                assert (wanted in command) == expected, f"{action} {number}: {command}"
                counts["asked"] += 3
        assert askers.faults == []
        counts["asked"] += askers.asked
    return counts


def test_a_server_sees_every_index_run(served: Served, repository: Path, home: Path, model: Path) -> None:
    assert soak(served, repository, home, model, runs=12, seed=3)["runs"] == 12


@pytest.mark.long
def test_a_server_sees_100_index_runs(served: Served, repository: Path, home: Path, model: Path) -> None:
    started = time.monotonic()
    counts = soak(served, repository, home, model, runs=100, seed=int(time.time()))
    print(f"{counts} in {time.monotonic() - started:.0f} s, no fault")
