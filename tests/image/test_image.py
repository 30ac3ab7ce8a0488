"""The image, built from the Dockerfile, does what docs/container.md says: run by `make test-image`."""

from __future__ import annotations

import json
import os
import platform
import queue
import re
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.image.container import (
    BUILDAH_ENVIRONMENT,
    NAME,
    ROOT,
    Container,
    buildah,
    kill,
    main_process,
    mounted,
    volume,
)
from tests.sdists import commit_all

pytestmark = pytest.mark.image

# Holds the published keys of its own self-test.
GNUTLS = "libgnutls.so"
EVERY_MINUTE = {"KUBERIAN_SCHEDULE": "* * * * *"}


@pytest.fixture(scope="module")
def image() -> Iterator[tuple[Path, dict]]:
    with mounted() as found:
        yield found


@pytest.fixture
def make_container(image: tuple[Path, dict], tmp_path: Path) -> Callable[..., Container]:
    home = volume(tmp_path / "volume", image[1])

    def make(**repositories: Path) -> Container:
        return Container(*image, home, repositories)

    return make


@pytest.fixture
def container(make_container: Callable[..., Container], repository: Path) -> Container:
    return make_container(shop=repository)


class Log:
    """The lines that a container prints, as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, args=(process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._queue.put(line.rstrip())
        self._queue.put(None)

    def wait_for(self, pattern: str, seconds: float = 100) -> str:
        """Return the next line that fits."""
        end = time.monotonic() + seconds
        while True:
            line = self._queue.get(timeout=max(end - time.monotonic(), 0.01))
            assert line is not None, "\n".join(self.lines)
            self.lines.append(line)
            if re.search(pattern, line):
                return line


def found(container: Container, question: str) -> list[str]:
    done = container.run("search", "--json", question)
    assert done.returncode in (0, 1), done.stderr
    return [result["path"] for result in json.loads(done.stdout)["results"]]


def coverage(container: Container) -> float:
    """Return how much of the one repository is embedded, 0 before there is anything."""
    done = container.run("status", "--json")
    snapshots = json.loads(done.stdout)["snapshots"] if done.returncode == 0 else []
    return snapshots[0]["coverage"] if snapshots else 0


def large_project(folder: Path) -> Path:
    """Make a repository that takes a while to index."""
    folder.mkdir()
    for i in range(1500):
        body = "\n".join(f"    total += value * {i * j} + {j}  # step {j} of {i}" for j in range(10))
        (folder / f"module_{i}.py").write_text(f"def compute_{i}(value):\n    total = 0\n{body}\n    return total\n")
    commit_all(folder)
    return folder


def test_it_indexes_and_searches_as_an_ordinary_user_offline_on_a_read_only_disk(container: Container) -> None:
    done = container.run("index", "/repositories/shop")
    assert done.returncode == 0, done.stderr
    assert found(container, "check a user's password")[0] == "server/auth.py"
    who = container.run("-c", "id -u; id -G; cat /proc/self/status; ls /sys/class/net 2>/dev/null", entrypoint=["sh"])
    assert who.stdout.startswith("10001\n10001\n")
    assert re.search(r"CapEff:\t0+\n", who.stdout)
    assert re.search(r"NoNewPrivs:\t1\n", who.stdout)
    for path in ("/x", "/opt/kuberian/x", "/repositories/shop/x"):
        assert "Read-only file system" in container.run(path, entrypoint=["touch"]).stderr


def test_it_has_its_own_mkl_and_no_tools_of_the_build(container: Container) -> None:
    if platform.machine() == "x86_64":
        asked = (
            "from kuberian.model.native import mkl; import faiss; "
            "print(mkl.load().path); print(open('/proc/self/maps').read())"
        )
        done = container.run("-c", asked, entrypoint=["python"])
        assert done.stdout.startswith("/opt/kuberian/lib/libkuberian_mkl.so\n"), done.stderr
        assert "libopenblaso" not in done.stdout  # FAISS's own
        assert container.run("doctor", "--json", environment={"KUBERIAN_PRECISION": "float32"}).returncode == 0
    for tool in ("gcc", "cc", "pip", "perl5.40-x86_64-linux-gnu"):
        assert container.run(f"command -v {tool}", entrypoint=["sh", "-c"]).returncode != 0


def test_faiss_trains_on_the_image_s_linear_algebra(container: Container) -> None:
    asked = """
import faiss, numpy
x = numpy.random.default_rng(0).standard_normal((4000, 64)).astype("f4")
index = faiss.index_factory(64, "PCA64,IVF16,Flat")
index.train(x); index.add(x)
print((index.search(x[:100], 1)[1][:, 0] == numpy.arange(100)).mean())
"""
    done = container.run("-c", asked, entrypoint=["python"])
    assert float(done.stdout.splitlines()[-1]) == 1.0, done.stderr


def test_cron_indexes_at_once_and_picks_a_commit_up(container: Container, repository: Path) -> None:
    cron = container.start("cron", environment=EVERY_MINUTE)
    log = Log(cron)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ /repositories/shop: ", log.wait_for("chunks"))
    log.wait_for("1 of 1 repositories indexed")
    assert found(container, "check a user's password")[0] == "server/auth.py"
    bread = 'def bake_sourdough(oven):\n    """Bake sourdough bread."""\n    oven.heat(250)\n'
    (repository / "bread.py").write_text(bread)
    commit_all(repository)
    committed = time.monotonic()
    log.wait_for("next run at")
    log.wait_for("1 of 1 repositories indexed")
    assert found(container, "how is sourdough bread baked")[0] == "bread.py"
    print(f"the commit was found by a search {time.monotonic() - committed:.1f} s after it was made")
    health = container.run("cron", entrypoint=["sh", "-c", "cat /data/cron.result"])
    assert health.stdout == "ok"
    kill(cron)


def test_cron_goes_on_when_a_repository_fails_and_says_which(
    make_container: Callable[..., Container], repository: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    subprocess.run(["git", "init", "-q", str(empty)], check=True)
    container = make_container(empty=empty, shop=repository)
    done = container.run("cron", "--once")
    assert done.returncode == 3
    assert "/repositories/empty: kuberian: " in done.stdout
    assert "1 of 2 repositories indexed" in done.stdout
    assert "failed: /repositories/empty" in done.stdout
    assert found(container, "check a user's password")[0] == "server/auth.py"


@pytest.mark.parametrize(
    ("environment", "status", "says"),
    [
        ({"KUBERIAN_SCHEDULE": "every day"}, 2, "it has 2 fields instead of 5"),
        ({"KUBERIAN_SCHEDULE": "61 * * * *"}, 2, "no schedule of five cron fields"),
        ({"KUBERIAN_SCHEDULE": "0 0 30 2 *"}, 2, "no schedule of five cron fields"),
        ({"KUBERIAN_SCHEDULE": "* * * * * *"}, 2, "it has 6 fields instead of 5"),
        ({"KUBERIAN_REPOSITORIES": "/repositories/nowhere"}, 3, "/repositories/nowhere cannot be read as user 10001"),
        ({"KUBERIAN_REPOSITORIES": "/nothing/*"}, 3, "nothing fits"),
    ],
)
def test_cron_refuses_what_cannot_work(
    container: Container, environment: dict[str, str], status: int, says: str
) -> None:
    done = container.run("cron", environment=environment)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("kuberian: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_cron_refuses_a_repository_that_its_user_may_not_read(container: Container, repository: Path) -> None:
    (repository / ".git").chmod(0o700)
    done = container.run("cron", environment={"KUBERIAN_REPOSITORIES": "/repositories/shop"})
    assert done.returncode == 3
    assert "/repositories/shop cannot be read as user 10001" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_ended_mid_index_it_goes_on_where_it_was(
    make_container: Callable[..., Container], tmp_path: Path, how: signal.Signals
) -> None:
    container = make_container(large=large_project(tmp_path / "large"))
    cron = container.start("cron", environment=EVERY_MINUTE)
    log = Log(cron)
    while coverage(container) == 0:
        assert cron.poll() is None, log.lines
    told = time.monotonic()
    os.kill(main_process(cron), how)
    cron.wait(10)
    print(f"{how.name}: ended after {time.monotonic() - told:.2f} s")
    if how is signal.SIGTERM:
        assert cron.returncode == 0
        log.wait_for("stopped")
    before = coverage(container)
    done = container.run("index", "--json", "/repositories/large")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert 0 < before < 1 == report["coverage"]
    assert report["passages_reused"] > 0


def test_serve_answers_beside_cron_on_one_volume(container: Container) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    serve = container.start("serve", "--port", port, network=True)
    log = Log(serve)
    log.wait_for("serving on")
    assert container.run("cron", "--once").returncode == 0
    url = f"http://127.0.0.1:{port}/search?q=check+a+user%27s+password"
    with urllib.request.urlopen(url, timeout=60) as answer:
        assert json.load(answer)["results"][0]["path"] == "server/auth.py"
    enter = ["nsenter", "--target", str(main_process(serve)), "--mount", "--pid"]
    health = ["/opt/kuberian/bin/python", "/opt/kuberian/libexec/health.py"]
    healthy = subprocess.run([*enter, *health], capture_output=True, text=True, check=False)
    assert '"status": "ok"' in healthy.stdout, healthy.stderr
    os.kill(main_process(serve), signal.SIGTERM)
    assert serve.wait(10) == 0


def test_no_layer_holds_a_secret_or_a_path_of_the_build_machine() -> None:
    traces = [re.escape(str(ROOT)), re.escape(str(Path.home() / ".cache")), re.escape(tempfile.gettempdir()) + "/pip-"]
    traces += [r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{60}"]
    traces += [re.escape(value) for name, value in os.environ.items() if re.search("PROXY|TOKEN|SECRET|PASSWORD", name)]
    pattern = re.compile("|".join(trace for trace in traces if trace).encode())
    with tempfile.TemporaryDirectory() as temporary:
        buildah("push", "--quiet", NAME, f"oci:{temporary}:image")
        blobs = [blob for blob in Path(temporary, "blobs", "sha256").iterdir() if blob.read_bytes()[:2] == b"\x1f\x8b"]
        assert len(blobs) >= 3
        for blob in blobs:
            with tarfile.open(blob) as tar:
                for member in tar:
                    assert not pattern.search(member.name.encode()), member.name
                    content = tar.extractfile(member) if member.isreg() else None
                    trace = pattern.search(content.read()) if content else None
                    assert not trace or GNUTLS in member.name, (member.name, trace)


def test_it_is_as_small_as_promised() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "image-size"), NAME],
        env=BUILDAH_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
