"""Whatever comes over the wire, the server lives, and each answer is HTTP, JSON and one of the documented ones."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from indexer import index
from tests.conftest import AUTH, NOTES, RETRY
from tests.sdists import commit_all, git
from tests.test_fuzz_commands import ODD_NUMBERS, ODD_TEXTS, either

ROOT = Path(__file__).parents[1]
LONGEST_SECONDS = 10.0
# The docstring of searcher/serving/http.py has them, but for 500: that would be a mistake of ours.
STATUSES = {200, 400, 404, 405, 413, 421, 431, 501, 503}
# Of these answers to HEAD some have a body: Waitress could not read who asked for what.
UNREAD = {400, 431}
MAX_HEADER_BYTES = 400_000
# Connections that are left open: fewer than the server takes.
LEFT_OPEN = 100
GOOD = b"GET /search?q=check+the+password&k=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"

ESCAPES = st.sampled_from(
    [b"%00", b"a%00b", b"%0a", b"v1%0aHEAD", b"%0d%0aX:%20y", b"%1b[31m", b"%ed%a0%80", b"%c0%af", b"%f0%82%82%ac",
     b"%ff", b"%", b"%2", b"%zz", b"%u0041", b"%2500", b"+", b";", b"=", b"%26q%3dx", b"%e2%80%a8", b"\xff",
     b"\xc3\xa9", b"\x00", b"\x7f", b"\t", b"#", b"%252e%252e%252f", b"a\xc3%a9"]
)  # fmt: skip
# Globs that are slow to match, and ones that are none.
GLOBS = st.sampled_from(
    ["*" * 40 + "x", "*?" * 30 + "x", "*a" * 30 + "b", "**/a/" * 20 + "b", "**/*/" * 20 + "b", "{" * 300, "{a," * 2000,
     "{a,b}" * 20, "{1..1000000}", "[z-a]", "[[:alpha:]]", "[", "!", "!!", "!*", "../..", "/etc/passwd", "a/" * 2000,
     "{*,**}/" * 5, "\\", ",", "#", "*,!*", "[!a]*" * 20]
)  # fmt: skip
REVISIONS = st.sampled_from(
    ["v1..v2", "v1...v1", "v1^", "v1~99999", "HEAD", "v1^{tree}", "v1:server", "--all", "-v", ":/x", "HEAD^{/sign}",
     "@{upstream}", "HEAD^{/((a{1,255}){1,255}){1,255}}", ":/((a{1,255}){1,255}){1,255}",
     "@{1 year ago}", "0" * 40, "refs/../HEAD", "v1 HEAD", "^v1", "x" * 150_000]
)  # fmt: skip
QUESTIONS = st.sampled_from(["check the password", "Retry", "brewing coffee", "LoginManager.logout", "zzz qqq"])
HARD_QUESTIONS = st.sampled_from(
    ["x" * 32_000, "a." * 16_000, "a b " * 8_000, "aB" * 16_000, "日" * 32_000, "_" * 32_000, "é" * 32_001,
     '"*^NEAR(" OR', "\u0301" * 30_000, "a::" * 10_000, "\U0001f600" * 8_000, "path_words: x", "''';--", "𝕒" * 500]
)  # fmt: skip
TEXTS = {
    "q": either(QUESTIONS, st.one_of(HARD_QUESTIONS, ODD_TEXTS)),
    "k": either(st.sampled_from(["1", "3", "200"]), ODD_NUMBERS),
    "repo": either(st.sampled_from(["shop", "other", "gone\nfolder"]), ODD_TEXTS),
    "lang": either(st.sampled_from(["python", "go,python", "c++"]), ODD_TEXTS),
    "path": either(st.sampled_from(["*.py", "server/", "!*.go"]), st.one_of(GLOBS, ODD_TEXTS)),
    "at": either(st.sampled_from(["v1", "*", "v1,HEAD"]), st.one_of(REVISIONS, ODD_TEXTS)),
    "limit": ODD_TEXTS,
    "": ODD_TEXTS,
}
QUOTINGS: list[Callable[[bytes], bytes]] = [
    lambda text: quote(text).encode(),
    lambda text: quote_plus(text).encode(),
    lambda text: b"".join(b"%%%02x" % byte for byte in text),
    lambda text: text.replace(b" ", b"+"),  # bytes as they are, as curl sends them
]
PAGES = [b"/search?q=login", b"/status", b"/healthz", b"/readyz"]
ODD_TARGETS = st.one_of(
    st.sampled_from(
        [b"*", b"/", b"//", b"//search?q=login", b"///attacker.example/status", b"http://[", b"http://[::1/status",
         b"http://localhost/status", b"http://attacker.example/healthz", b"/search/../status", b"/status/", b"/STATUS",
         b"/%73tatus", b"/%00", b"/healthz%0a", b"/healthz?%ff", b"/search", b"/search?", b"/search?&&", b"?q=login",
         b"/search#?q=login", b"/search?q=login#x", b"/search?q=login&q=logout", b"/search?q", b"/search;q=login",
         b"/search?q=a" + b"&x=1" * 30, b"/search?q=" + b"x" * 390_000, b"/search?q=" + b"x" * 500_000, b"/\xff\xfe",
         b"status", b"/" + b"a/" * 5000, b"/search?q=a?b?c", b"\\status", b"localhost:80", b"/status HTTP/1.1 x", b"",
         b"/search?q=" + b"%" * 3000, b"/search?q=a&repo=" + b"a/" * 20_000, b"/..%2f..%2fetc%2fpasswd", b"ht!tp://x/"]
    ),
    st.binary(max_size=20),
)  # fmt: skip
ODD_METHODS = st.one_of(
    st.sampled_from([b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"PRI", b"get", b"G\0T", b"",
                     b"GET\t", b"X" * 20_000, b"\x16\x03\x01", b"\xff", b"!#$%&'*+-.^_`|~", b"PROPFIND",
                     b"HEAD ", b" GET"]),
)  # fmt: skip
ODD_VERSIONS = st.one_of(
    st.sampled_from([b"", b" HTTP/0.9", b" HTTP/2.0", b" HTTP/9.9", b" HTTP/1.1.1", b" http/1.1", b"  HTTP/1.1",
                     b" HTTP/1.1 ", b" HTTP/1.1\t", b" HTTP/", b" ICY/1.0", b"\0HTTP/1.1", b" HTTP/1.1\n"]),
)  # fmt: skip
ODD_HOSTS = st.one_of(
    st.sampled_from([None, b"", b"attacker.example", b"localhost.attacker.example", b"localhost:99999", b"[::1", b":",
                     b"]:", b"localhost, attacker.example", b"127.1", b"0x7f.0.0.1", b"\xff", b"localhost\0",
                     b"a" * 70_000, b"::1%eth0", b"127.0.0.1@attacker.example", b"[" * 5000, b"9" * 5000, b"localhost/",
                     b"127.0.0.\xb2"]),
)  # fmt: skip
HEADERS = st.lists(
    st.one_of(
        st.sampled_from(
            [b"Connection: close", b"Connection: keep-alive", b"Connection: x, \xff", b"Accept: text/html",
             b"Range: bytes=0-0", b"Accept-Encoding: gzip", b"If-None-Match: *", b"Upgrade: h2c",
             b"X-Forwarded-Host: attacker.example", b"X-Forwarded-For: a, b", b"Forwarded: host=x;;;=",
             b"Host: attacker.example", b"Host: localhost",
             b"Expect: 100-continue", b"Expect: anything", b": x", b"no colon", b"A b: c", b" folded", b"X: a\r\n b",
             b"X: " + b"y" * 70_000, b"X: " + b"y" * 500_000, b"X: \0\1\xff", b"X:\ry", b"X: a\nY: b", b"X_Y: z",
             b"\r\n".join(b"X%d: y" % number for number in range(2000)), b"Content-Length: 0", b"Content-Length: -1",
             b"Content-Length: +0", b"Content-Length: 0, 0", b"Content-Length: " + b"9" * 5000, b"Content-Length: 1e3",
             b"Content-Length: ", b"Content-Length: \xb2", b"Content-Length: 99999999", b"Transfer-Encoding: gzip",
             b"Transfer-Encoding: identity", b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding: chunked, chunked"]
        ),
        st.binary(max_size=30),
    ),
    min_size=1,
    max_size=3,
)  # fmt: skip
# What announces a body, and the body.
BODIES = st.sampled_from(
    [([b"Content-Length: %d" % announced], b"x" * sent)
       for announced, sent in ((5, 5), (5, 2), (2, 5), (1023, 1023), (1024, 1024), (5000, 5000), (10**6, 10**6))]
    + [([b"Transfer-Encoding: chunked"], body)
       for body in (b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n", b"zz\r\n", b"-1\r\n\r\n",
                    b"5\r\nhelloworld", b"f" * 900 + b"\r\n", b"5;" + b"x" * 900, b"fffffff\r\n" + b"x" * 9000,
                    b"0\r\nA: b\r\n\r\n")]
    + [([b"Transfer-Encoding: chunked", b"Content-Length: 3"], b"0\r\n\r\n"), ([], b"a body that nobody announced"),
       ([b"Content-Length: 3", b"Content-Length: 4"], b"abcd"),
       ([b"Expect: 100-continue", b"Content-Length: 5"], b"hello"),
       ([b"Expect: 100-continue", b"Content-Length: 5000"], b"")]
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What is sent, in how many pieces, and what the client does then."""

    data: bytes
    pieces: int
    end: str

    @property
    def must_be_answered(self) -> bool:
        """Tell whether there is a whole request that announces no body, so that nothing is to be waited for."""
        announced = re.search(rb"content-length|transfer-encoding", self.data, re.IGNORECASE)
        return self.end in ("wait", "half-close") and b"\r\n\r\n" in self.data.lstrip() and not announced

    @property
    def may_be_reset(self) -> bool:
        """Tell whether the server may close before it has read everything. Its answer may be lost then."""
        head, _, more = self.data.lstrip().partition(b"\r\n\r\n")
        return bool(more) or len(head) > MAX_HEADER_BYTES - 10


@st.composite
def values(draw: st.DrawFn, name: str) -> bytes:
    if draw(st.integers(0, 5)) == 5:
        return draw(ESCAPES)
    text = draw(TEXTS[name]).encode("utf-8", "surrogateescape")
    return draw(st.sampled_from(QUOTINGS))(text) + draw(st.sampled_from([b""] * 8 + [b"%", b"%00", b"&"]))


@st.composite
def searches(draw: st.DrawFn) -> bytes:
    question = b"/search?q=" + quote_plus(draw(QUESTIONS)).encode()
    names = draw(st.lists(st.sampled_from(sorted(TEXTS)), min_size=1, max_size=3, unique=True))
    if "q" in names:
        question = b"/search?"
    return question + b"".join(b"&" + name.encode() + b"=" + draw(values(name)) for name in names)


# The parts of a message: what makes sense, and what is odd. A message with more than two odd parts is soon refused.
PARTS: dict[str, tuple[st.SearchStrategy[Any], st.SearchStrategy[Any]]] = {
    "before": (st.just(b""), st.sampled_from([b"\r\n", b"\r\n\r\n", b" ", b"\0"])),
    "method": (st.sampled_from([b"GET", b"GET", b"HEAD"]), ODD_METHODS),
    "target": (st.one_of(searches(), searches(), searches(), st.sampled_from(PAGES)), ODD_TARGETS),
    "version": (st.sampled_from([b" HTTP/1.1", b" HTTP/1.1", b" HTTP/1.0"]), ODD_VERSIONS),
    "host": (st.sampled_from([b"localhost", b"127.0.0.1:8080", b"[::1]:80"]), ODD_HOSTS),
    "headers": (st.just([]), HEADERS),
    "body": (st.just(([], b"")), BODIES),
    "newline": (st.just(b"\r\n"), st.sampled_from([b"\n", b"\r", b"\r\n\r\n"])),
}


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    odd = draw(st.sets(st.sampled_from(sorted(PARTS)), max_size=2))
    part = {name: draw(strategies[name in odd]) for name, strategies in PARTS.items()}
    announcing, body = part["body"]
    host = [] if part["host"] is None else [b"Host: " + part["host"]]
    lines = [part["method"] + b" " + part["target"] + part["version"], *host, *part["headers"], *announcing]
    return bytes(part["before"] + part["newline"].join([*lines, b"", b""]) + body)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    data = b"".join(draw(st.lists(messages(), min_size=1, max_size=draw(st.sampled_from([1, 1, 1, 4])))))
    if draw(st.integers(0, 7)) == 7:
        data = data[: draw(st.integers(0, min(len(data), 5000)))]
    elif draw(st.integers(0, 15)) == 15:
        data = draw(st.binary(max_size=200))
    end = draw(st.sampled_from(["half-close"] * 4 + ["wait"] * 3 + ["close", "reset", "leave"]))
    if b"HEAD" in data and end == "wait":
        end = "half-close"  # only then does a client know that there is no more to come
    return Request(data, draw(st.sampled_from([1, 1, 1, 2, 8])), end)


@dataclass
class Served:
    """A server in a process of its own, what it has logged, and connections to it that are left open."""

    tmp: Path
    left: deque[socket.socket] = field(default_factory=deque)

    def __post_init__(self) -> None:
        with (self.tmp / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kuberian", "serve", "--port", "0", "--home", str(self.tmp / "home")],
                cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().rpartition(":")[2])

    def leave(self, connection: socket.socket) -> None:
        self.left.append(connection)
        if len(self.left) > LEFT_OPEN:
            self.left.popleft().close()

    def state(self) -> dict[str, str]:
        """Return what is in the home and the repositories. SQLite keeps its notes for readers in two more files."""
        files = (file for name in ("home", "shop", "other") for file in sorted((self.tmp / name).rglob("*")))
        return {
            str(file): hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
            for file in files
            if not file.name.endswith(("-shm", "-wal"))
        }


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    tmp = tmp_path_factory.mktemp("requests")
    shop, other, gone = tmp / "shop", tmp / "other", tmp / "gone\nfolder"
    deep = shop / "/".join("a" * 60)
    for folder in (shop / "server", deep, other, gone):
        folder.mkdir(parents=True)
    (shop / "server" / "auth.py").write_text(AUTH)
    (shop / "NOTES.md").write_text(NOTES)
    (deep / "a.py").write_text("def deep():\n    return 1\n")
    (shop / f"{'a' * 240}.py").write_text("def long():\n    return 2\n")
    (shop / os.fsdecode(b"odd-\xff.py")).write_text("def odd():\n    return 3\n")
    commit_all(shop)
    git(shop, "tag", "v1")
    (shop / "retry.go").write_text(RETRY)
    for folder in (other, gone):
        (folder / "one.py").write_text("def one():\n    return 1\n")
    for folder in (shop, other, gone):
        commit_all(folder)
        index(folder, home=tmp / "home")
    index(shop, home=tmp / "home", revision="v1")
    shutil.rmtree(gone)
    server = Served(tmp)
    yield server
    server.process.kill()
    server.process.communicate()


@dataclass(frozen=True)
class Received:
    """What came back, whether the connection was reset, and how long it took after all was sent."""

    data: bytes
    reset: bool
    seconds: float


@dataclass(frozen=True)
class Answer:
    """One answer: its status, its headers without the date, and its body (empty for HEAD)."""

    status: int
    headers: dict[str, str]
    body: bytes


def exchange(served: Served, request: Request) -> Received:
    """Send a request, and return what comes back."""
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=LONGEST_SECONDS)
    started = time.monotonic()
    reset = not send(connection, request)
    received = b""
    if request.end in ("wait", "half-close"):
        received, cut = read(connection, request)
        reset |= cut
    if request.end == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if request.end == "leave":
        served.leave(connection)
    else:
        connection.close()
    return Received(received, reset, time.monotonic() - started)


def send(connection: socket.socket, request: Request) -> bool:
    """Send it in its pieces. Return whether all of it was taken."""
    length = len(request.data) // request.pieces + 1
    try:
        for start in range(0, len(request.data), length):
            connection.sendall(request.data[start : start + length])
            if request.pieces > 1:
                time.sleep(0.003)
        if request.end == "half-close":
            connection.shutdown(socket.SHUT_WR)
    except ConnectionError:
        return False
    except OSError as error:  # closed by the other side just before the shutdown
        assert error.errno == errno.ENOTCONN, error
        return False
    return True


def read(connection: socket.socket, request: Request) -> tuple[bytes, bool]:
    """Return what comes back, and whether the connection was reset then."""
    received = b""
    if request.end == "wait" and not request.must_be_answered:
        connection.settimeout(0.05)
    try:
        while (more := connection.recv(1 << 16)) != b"":
            received += more
            if request.end == "wait" and is_whole(received):
                break
    except TimeoutError:
        assert not request.must_be_answered, "no answer"
        assert request.end == "wait", "not closed"
    except ConnectionError:
        return received, True
    return received, False


def is_whole(data: bytes) -> bool:
    """Tell whether one answer with its body is there."""
    head, found, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    return bool(found) and length is not None and len(body) >= int(length[1])


def answers(data: bytes, may_be_head: bool) -> Iterator[Answer]:
    """Return the answers of a connection. Fail if they are anything but HTTP."""
    while data:
        head, found, data = data.partition(b"\r\n\r\n")
        assert found, head
        first, *lines = head.decode("ascii").split("\r\n")
        start = re.fullmatch(r"HTTP/1\.[01] (\d{3}) [A-Z][A-Za-z -]+", first)
        assert start, first
        status = int(start[1])
        if status == 100:
            continue
        fields = [re.fullmatch(r"([A-Z][A-Za-z-]*): ([ -~]+)", line) for line in lines]
        headers = {match[1]: match[2] for match in fields if match}
        assert len(headers) == len(lines), lines  # none is odd, none is there twice
        headers.pop("Date")
        body = b""
        if not (may_be_head and (data == b"" or data.startswith(b"HTTP/1."))):
            length = int(headers["Content-Length"])
            body, data = data[:length], data[length:]
            assert len(body) == length
        yield Answer(status, headers, body)


def check_answer(answer: Answer) -> None:
    assert answer.status in STATUSES, answer
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if answer.body:
        value = json.loads(answer.body)
        assert answer.body.isascii()
        assert answer.body.count(b"\n") == 1
        if answer.status != 200:
            assert set(value) == {"error"}
            assert value["error"].isprintable(), value
            assert value["error"]


def check(served: Served, request: Request, counts: Counter[object]) -> list[Answer]:
    """Send a request. Return the answers, and fail if something is wrong with them, or with the server after them."""
    received = exchange(served, request)
    counts["requests"] += 1
    note(f"{request.end} {request.pieces} {received.seconds:.1f} s, {received.data[:2000]!r}")
    assert received.seconds < LONGEST_SECONDS
    got = list(answers(received.data, b"HEAD " in request.data))
    assert got or not request.must_be_answered or received.reset
    if received.reset:
        assert request.may_be_reset or request.end not in ("wait", "half-close")
        counts["reset, answered" if got else "reset, not answered"] += 1
    for answer in got:
        check_answer(answer)
    counts.update(answer.status for answer in got)
    counts["no answer"] += not got
    return got


def check_good(served: Served, expected: Answer | None) -> Answer:
    """Ask what has an answer, and see that it comes, and quickly."""
    received = exchange(served, Request(GOOD, 1, "wait"))
    (answer,) = answers(received.data, False)
    assert answer.status == 200
    assert expected is None or answer == expected
    assert received.seconds < LONGEST_SECONDS / 2
    return answer


def check_head(served: Served, request: Request, counts: Counter[object]) -> None:
    """See that HEAD and GET have the same status and headers."""
    both = [
        check(served, Request(method + request.data[4:], 1, "half-close"), counts) for method in (b"GET ", b"HEAD ")
    ]
    if all(both):
        (get, *_), (head, *_) = both
        assert (get.status, get.headers) == (head.status, head.headers)
        assert head.body == b"" or head.status in UNREAD
        counts["HEAD as GET"] += 1


def tried(examples: int, served: Served, *, random: bool) -> Counter[object]:
    """Try so many requests. Return counts of requests, of statuses, and of what was not answered."""
    counts: Counter[object] = Counter()
    before, good = served.state(), check_good(served, None)

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=not random,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(requests())
    def each(request: Request) -> None:
        check(served, request, counts)
        if request.data.startswith(b"GET "):
            check_head(served, request, counts)
        check_good(served, good)

    each()
    assert served.process.poll() is None
    log = (served.tmp / "log").read_bytes()
    for trace in (b"internal error", b"Traceback", b"Exception"):
        assert trace not in log, log[log.find(trace) - 500 :][:3000].decode()
    assert served.state() == before
    return counts


def test_any_request_gets_a_documented_answer(served: Served) -> None:
    assert tried(200, served, random=False)["requests"] >= 200


@pytest.mark.long
def test_a_thousand_requests_get_documented_answers(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    counts = tried(1500, served, random=True)
    with capsys.disabled():
        print(f"\n{counts['requests']} requests: {dict(counts)}; faults: none")
    assert {200, 400, 404, 405, 421} <= set(counts)
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(30) == 0
