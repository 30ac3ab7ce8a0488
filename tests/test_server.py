"""`kuberian serve` answers over HTTP as the command line does, and says what is wrong as JSON."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.conftest import Run
from tests.sdists import commit_all

QUESTION = "check a user's password"


class Server:
    """A `kuberian serve` of its own on a free port of the loopback."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kuberian", "serve", "--port", "0", *options],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("serving on http://"), line
        self.port = int(line.rpartition(":")[2])

    def ask(self, target: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, target, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, dict(answer.getheaders()), json.loads(body) if body else None
        finally:
            connection.close()

    def send(self, request: bytes) -> tuple[int, dict[str, str], Any]:
        """Send bytes as they are. Return what `ask` returns."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return answer.status, dict(answer.getheaders()), json.loads(answer.read())

    def search(self, **parameters: str | int) -> tuple[int, Any]:
        http_status, _, value = self.ask(f"/search?{urlencode(parameters)}")
        return http_status, value

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=30)
        return self.process.returncode


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.process.kill()
    running.process.communicate()


@pytest.fixture
def indexed(kuberian: Run, repository: Path) -> Path:
    assert kuberian("index", str(repository)).returncode == 0
    return repository


@pytest.mark.usefixtures("indexed")
def test_a_search_returns_what_the_command_line_prints(server: Server, kuberian: Run) -> None:
    printed = json.loads(kuberian("search", QUESTION, "--json", "-k", "2", "--lang", "python").stdout)
    assert printed["results"][0]["path"] == "server/auth.py"
    assert server.search(q=QUESTION, k=2, lang="python") == (200, printed)


def test_a_server_started_before_anything_is_indexed_answers_afterwards(
    server: Server, kuberian: Run, repository: Path
) -> None:
    assert server.ask("/healthz")[0] == 200
    for target in ("/readyz", "/search?q=login"):
        http_status, _, value = server.ask(target)
        assert http_status == 503
        assert "nothing is indexed" in value["error"]
    assert kuberian("index", str(repository)).returncode == 0
    assert server.ask("/readyz")[0] == 200
    assert server.search(q=QUESTION)[1]["results"][0]["path"] == "server/auth.py"


def test_a_running_server_sees_the_next_index_run(server: Server, kuberian: Run, indexed: Path) -> None:
    question = "how is sourdough bread baked"
    assert not [r for r in server.search(q=question)[1]["results"] if r["path"] == "bread.py"]
    (indexed / "bread.py").write_text(
        'def bake_sourdough(oven):\n    """Bake sourdough bread."""\n    oven.heat(250)\n'
    )
    commit_all(indexed)
    assert kuberian("index", str(indexed)).returncode == 0
    assert server.search(q=question)[1]["results"][0]["path"] == "bread.py"


@pytest.mark.usefixtures("indexed")
def test_many_questions_at_once_get_the_answers_of_one_at_a_time(server: Server) -> None:
    questions = [QUESTION, "retry a failing call", "how is coffee brewed", "end a session"] * 8
    alone = {question: server.search(q=question) for question in set(questions)}
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda question: server.search(q=question), questions))
    assert together == [alone[question] for question in questions]
    assert all(http_status == 200 and value["results"] for http_status, value in together)


@pytest.mark.usefixtures("indexed")
@pytest.mark.parametrize(
    ("target", "expected", "says"),
    [
        ("/search", 400, "question is empty"),
        ("/search?q=+", 400, "question is empty"),
        ("/search?q=login&k=many", 400, "k must be a number"),
        ("/search?q=login&k=0", 400, "must be from 1"),
        ("/search?q=login&limit=3", 400, "unknown parameter 'limit'"),
        ("/search?q=login&q=logout", 400, "given twice"),
        ("/search?q=%ff", 400, "cannot be read"),
        ("/search?q=" + "x" * 33_000, 400, "33,000 characters"),
        ("/search?q=login&repo=nowhere", 404, "nowhere"),
        ("/search?q=login&at=v9", 404, "v9"),
        ("/search?q=login&at=v1%0aHEAD", 404, r"v1\nHEAD"),
        ("/search?q=login&path=[z-a]", 400, "no glob"),
        ("/search?q=login&path=" + "{" * 300, 400, "too many braces"),
        ("/", 404, "no such page"),
        ("/search/../status", 404, "no such page"),
    ],
)
def test_wrong_requests_are_told_what_is_wrong(server: Server, target: str, expected: int, says: str) -> None:
    http_status, headers, value = server.ask(target)
    assert (http_status, headers["Content-Type"]) == (expected, "application/json")
    assert says in value["error"]
    assert value["error"].isprintable()
    assert server.search(q=QUESTION)[0] == 200


@pytest.mark.parametrize(
    ("request_", "expected", "says"),
    [
        (b"POST /status HTTP/1.1\r\nContent-Length: 5000\r\n\r\n", 413, "Request Entity Too Large"),
        (b"POST /status HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n", 413, "Too Large"),
        (b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5000\r\n\r\n", 413, "Too Large"),
        (b"GET /status HTTP/1.1\r\nX: " + b"y" * 400_000 + b"\r\n\r\n", 431, "Too Large"),
        (b"GET /status HTTP/1.1\r\nno colon\r\n\r\n", 400, "Invalid header"),
        (b"GET /status HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400, "Bad Request"),
        (b"GET http://[/status HTTP/1.1\r\n\r\n", 400, "Invalid IPv6"),
        (b"GET /status?q=\xc3\xa9 HTTP/1.1\r\n\r\n", 400, "Bad URI"),
        (b"POST /status HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "not supported"),
    ],
    ids=["body", "announced body", "kept alive", "headers", "header", "length", "address", "letter", "encoding"],
)
def test_what_is_no_request_is_refused_as_json(server: Server, request_: bytes, expected: int, says: str) -> None:
    http_status, headers, value = server.send(request_)
    assert (http_status, headers["Content-Type"], headers["Connection"]) == (expected, "application/json", "close")
    assert says in value["error"]


def test_a_client_that_expects_to_go_on_is_answered_at_once(server: Server) -> None:
    assert server.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\r\n")[0] == 200


@pytest.mark.usefixtures("indexed")
@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("path", "*" * 40 + "x", 200),
        ("path", "*?" * 30 + "x", 200),
        ("at", "HEAD^{/((a{1,255}){1,255}){1,255}}", 404),
        ("at", ":/((a{1,255}){1,255}){1,255}", 404),
    ],
)
def test_no_filter_keeps_the_server_busy(server: Server, name: str, value: str, expected: int) -> None:
    started = time.monotonic()
    assert server.search(q="login", **{name: value})[0] == expected
    assert time.monotonic() - started < 5


def test_other_methods_are_refused(server: Server) -> None:
    http_status, headers, value = server.ask("/search?q=login", "POST")
    assert (http_status, headers["Allow"], value) == (405, "GET, HEAD", {"error": "ask with GET"})
    assert server.ask("/healthz", "HEAD")[::2] == (200, None)


def test_a_page_on_another_site_cannot_ask_a_local_server(server: Server) -> None:
    http_status, _, value = server.ask("/healthz", Host="attacker.example")
    assert http_status == 421
    assert "localhost only" in value["error"]
    for host in ("localhost:8080", "127.0.0.1", "[::1]:8080"):
        assert server.ask("/healthz", Host=host)[0] == 200


def test_a_server_for_a_network_answers_to_any_name() -> None:
    server = Server("--host", "0.0.0.0")
    try:
        assert server.ask("/healthz", Host="kuberian.default.svc:8080")[0] == 200
    finally:
        assert server.stop() == 0


@pytest.mark.usefixtures("indexed")
def test_sigterm_ends_the_server(server: Server) -> None:
    assert server.search(q=QUESTION)[0] == 200
    assert server.stop() == 0


def test_an_address_that_cannot_be_had_is_refused(server: Server, kuberian: Run) -> None:
    for arguments in (("--port", str(server.port)), ("--port", "70000"), ("--host", "no such host")):
        done = kuberian("serve", *arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("kuberian: ")
        assert done.stderr.count("\n") == 1, done.stderr
