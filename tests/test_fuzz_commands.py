"""Whatever is typed and whatever the environment holds, a command ends as promised and changes no repository."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import waitress
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from indexer import index
from kuberian.cli.main import main
from tests.conftest import AUTH, NOTES, RETRY
from tests.sdists import commit_all, git

ROOT = Path(__file__).parents[1]
LONGEST_SECONDS = 10.0
CREATE_SERVER = waitress.create_server

# {tmp} becomes the folder of this test.
ODD_TEXTS = st.one_of(
    st.sampled_from(
        ["", " ", "\n", "-", "--", "-1", "~", "~nobody-at-all", "~nobody-at-all/x", ".", "..", "/", "//", "*", "**",
         "[", "!", "\\", "a\nb", "\x1b[31m", "\x7f", "%s", "{}", "HEAD", "@{-1}", ":/x", "v1..", "...", "a,b", ",",
         "\ufeff", "\u202e", "\u2028", "日本", "é" * 300, "a/" * 2000, "x" * 70_000, "file://", "file:///nowhere", "http://[",
         "ssh://-oX", "C:\\x", "/dev/null", "/dev/full", "/proc/self/mem", "/etc/passwd/x", "{tmp}/file", "{tmp}/loop",
         "{tmp}/nowhere", "{tmp}/empty", "{tmp}/unreadable"]
    ),
    st.text(st.characters(exclude_characters="\0:", exclude_categories=["Cs"]), max_size=30),
    st.binary(max_size=12).map(lambda data: os.fsdecode(data.replace(b"\0", b"").replace(b":", b""))),
)  # fmt: skip
ODD_NUMBERS = st.one_of(
    st.sampled_from(
        ["", " ", "0", "-0", "-1", "1e3", "1.5", "nan", "inf", "-inf", "0x10", "1_000", " 3 ", "3\n", "٣", "²",
         "9" * 5000, "1" + "0" * 30, "9223372036854775807", "9223372036854775808", "-9223372036854775809", "many",
         "500KB", "2 mb", "1.5MiB", "1kkb", "-1k", "0.1b", "60s", "10m", "1h", "s", "1d", "1e400", "1e-400", "65536"]
    ),
    st.integers().map(str),
)  # fmt: skip

# What makes sense, so that commands get further.
REPOSITORIES = st.sampled_from(["shop", "{tmp}/shop", "{tmp}/shop/server", "."])
QUESTIONS = st.sampled_from(["check the password", "Retry", "brewing coffee", "LoginManager.logout", "zzz qqq"])
HOMES = st.sampled_from(
    ["{tmp}/copy"] * 4 + ["{tmp}/new", "{tmp}/file", "{tmp}/nowhere/new", "/proc/new", "/dev/null/x"]
)
# Not a text that is a folder in the repository: a home there would be made as wished.
ODD_HOMES = st.one_of(
    HOMES, st.sampled_from(["", "~nobody-at-all", "/" + "x" * 300, "{tmp}/日本", "{tmp}/loop", "{tmp}/odd-\udcff"])
)


def either(sensible: st.SearchStrategy[str], odd: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(sensible, sensible, sensible, odd)


K = either(st.sampled_from(["1", "3", "200"]), ODD_NUMBERS)
LANGUAGES = either(st.sampled_from(["python", "go,python", "Python"]), ODD_TEXTS)
GLOBS = either(st.sampled_from(["*.py", "server/", "!*.go", "**/a"]), ODD_TEXTS)
SIZES = either(st.sampled_from(["500KB", "2m", "100"]), ODD_NUMBERS)
REPO = either(REPOSITORIES, ODD_TEXTS)
MODELS = st.sampled_from(
    [
        "",
        "{tmp}/nowhere",
        "{tmp}/empty",
        "{tmp}/file",
        "{tmp}/shop",
        "~",
        "/dev/zero",
        "a\nb",
        "\udcff",
        "{tmp}/loop",
        "x" * 300,
    ]
)
FLAG = None


@dataclass(frozen=True)
class Command:
    """A command: its positional arguments, how many, and its options with what to give them (None: nothing)."""

    name: str
    positional: st.SearchStrategy[str] = field(default_factory=st.nothing)
    most: int = 0
    options: dict[str, st.SearchStrategy[str] | None] = field(default_factory=dict)


COMMANDS = (
    Command("index", REPO, 2, {
        "--rev": either(st.sampled_from(["v1", "HEAD", "v1..HEAD"]), ODD_TEXTS), "--model": MODELS,
        "--tags": either(st.just("v*"), ODD_TEXTS), "--max-bytes": SIZES,
        "--precision": either(st.sampled_from(["float32", "auto"]), ODD_TEXTS),
        "--budget": either(st.sampled_from(["60s", "0.01"]), ODD_NUMBERS), "--dry-run": FLAG, "--wait": FLAG,
        "--home": ODD_HOMES, "--json": FLAG, "--quiet": FLAG}),
    Command("explain", either(st.sampled_from(["NOTES.md", "server/auth.py", "server"]), ODD_TEXTS), 2,
            {"--max-bytes": SIZES, "--json": FLAG}),
    Command("search", either(QUESTIONS, ODD_TEXTS), 3, {
        "-k": K, "--repo": REPO, "--all": FLAG, "--lang": LANGUAGES, "--path": GLOBS,
        "--at": either(st.sampled_from(["v1", "*", "HEAD"]), ODD_TEXTS), "--lines": ODD_NUMBERS, "--refresh": FLAG,
        "--no-refresh": FLAG, "--index": FLAG, "--why": FLAG, "--home": ODD_HOMES, "--json": FLAG}),
    Command("serve", st.nothing(), 0, {
        "--host": st.sampled_from(
            ["127.0.0.1", "localhost", "::1", "0.0.0.0", "", "256.1.1.1", "-1", "\udcff", "a" * 300, "."]),
        "--port": either(st.just("0"), ODD_NUMBERS), "--home": ODD_HOMES}),
    Command("when", either(QUESTIONS, ODD_TEXTS), 3,
            {"-k": K, "--repo": REPO, "--lang": LANGUAGES, "--path": GLOBS, "--home": ODD_HOMES, "--json": FLAG}),
    Command("status", options={"--home": ODD_HOMES, "--json": FLAG}),
    Command("forget", REPO, 2, {"--home": ODD_HOMES, "--wait": FLAG, "--json": FLAG}),
    Command("gc", options={"--home": ODD_HOMES, "--wait": FLAG, "--json": FLAG}),
    Command("doctor", options={"--check": FLAG, "--home": ODD_HOMES, "--json": FLAG}),
    Command("version"),
    Command("--help"),
)  # fmt: skip

ENVIRONMENT: dict[str, st.SearchStrategy[str | None]] = {  # None: not set
    "KUBERIAN_HOME": ODD_HOMES,
    "KUBERIAN_PRECISION": st.sampled_from(["", "auto", "float32", "int8", "float7", "日本"]),
    "KUBERIAN_MKL": st.sampled_from(["", "/nowhere/libmkl_rt.so", "{tmp}/file", "\udcff", "~nobody-at-all/x"]),
    "KUBERIAN_ONEDNN": st.sampled_from(["", "/nowhere/libdnnl.so", "{tmp}/file", "~nobody-at-all/x"]),
    "HOME": st.sampled_from([None, "", "/nowhere", "relative", "{tmp}/file"]),
    "LC_ALL": st.sampled_from(["C", "POSIX", "C.UTF-8", "en_US.ISO-8859-1", "nonsense", ""]),
    "PYTHONIOENCODING": st.sampled_from(["ascii", "latin-1:strict", "utf-16", "cp437"]),
    "PYTHONUTF8": st.sampled_from(["0", "1"]),
    "PYTHONWARNINGS": st.sampled_from(["error::UserWarning", "ignore"]),
    "COLUMNS": st.sampled_from(["", "0", "1", "-5", "abc", "9" * 30]),
    "LINES": st.sampled_from(["0", "x"]),
    "TERM": st.sampled_from([None, "", "dumb", "nonsense", "xterm-256color"]),
    "NO_COLOR": st.sampled_from(["", "1"]),
    "FORCE_COLOR": st.just("1"),
    "TTY_COMPATIBLE": st.just("1"),
    "TZ": st.sampled_from(["", "Nowhere/Odd", ":", "\udcff", "UTC+99"]),
    "TMPDIR": st.sampled_from(["/nowhere", "", "{tmp}/file"]),
    "PATH": st.sampled_from([None, "", "/nowhere", "{tmp}/file"]),
    "XDG_DATA_HOME": st.sampled_from(["relative", "", "/proc/x"]),
    "_KUBERIAN_COMPLETE": st.sampled_from(["bash_source", "bash_complete", "nonsense"]),
    "GIT_DIR": st.sampled_from(["/nowhere", "{tmp}/shop/.git", ""]),
    "GIT_TRACE": st.sampled_from(["1", "2"]),
    "GIT_CONFIG_COUNT": st.sampled_from(["1", "x"]),
    "OMP_NUM_THREADS": st.sampled_from(["0", "-1", "x"]),
}


@dataclass(frozen=True)
class Call:
    """A call of the program: its arguments, changes of the environment, and the folder that it starts in."""

    arguments: list[str]
    environment: dict[str, str | None]
    folder: str


@st.composite
def calls(draw: st.DrawFn) -> Call:
    command = draw(st.sampled_from(COMMANDS))
    arguments = []
    if command.options:
        for name in draw(st.lists(st.sampled_from(sorted(command.options)), max_size=3, unique=True)):
            values = command.options[name]
            if values is FLAG:
                arguments.append(name)
            elif draw(st.booleans()) and name.startswith("--"):
                arguments.append(f"{name}={draw(values)}")
            else:
                arguments += [name, draw(values)]
    if command.most:
        arguments += draw(st.sampled_from([[], [], [], ["--"]]))
        arguments += draw(
            st.lists(command.positional, min_size=draw(st.sampled_from([0, 1, 1, 1])), max_size=command.most)
        )
    arguments += draw(st.sampled_from([[]] * 20 + [["--help"], ["--nonsense"], ["-k"], ["extra"]]))
    names = draw(st.lists(st.sampled_from(sorted(ENVIRONMENT)), max_size=3, unique=True))
    return Call(
        [command.name, *arguments],
        {name: draw(ENVIRONMENT[name]) for name in names},
        draw(st.sampled_from(["shop"] * 3 + ["shop/server", "empty", "other", "shop/.git"])),
    )


@dataclass(frozen=True)
class Place:
    """The folder with the user's repositories, and with a home that is made anew for each call."""

    tmp: Path

    def filled(self, text: str) -> str:
        return text.replace("{tmp}", str(self.tmp))

    def renew(self) -> None:
        for name in ("copy", "new", "nowhere", "日本", "odd-\udcff", "data"):
            shutil.rmtree(self.tmp / name, ignore_errors=True)
        shutil.copytree(self.tmp / "home", self.tmp / "copy")

    def variables(self, changes: dict[str, str | None]) -> dict[str, str]:
        variables: dict[str, str | None] = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith(("KUBERIAN", "PYTEST", "GIT_"))
            },
            "PYTHONPATH": str(ROOT),
            "KUBERIAN_HOME": str(self.tmp / "copy"),
            "HOME": str(self.tmp / "user"),
            "XDG_DATA_HOME": str(self.tmp / "data"),
            "GIT_CEILING_DIRECTORIES": str(self.tmp),
            **{name: None if value is None else self.filled(value) for name, value in changes.items()},
        }
        if not variables["KUBERIAN_HOME"] and not (variables["XDG_DATA_HOME"] or "").startswith("/"):
            variables["HOME"] = str(self.tmp / "user")  # else that would be the home of whoever runs the tests
        return {name: value for name, value in variables.items() if value is not None}

    def state(self) -> dict[str, str]:
        """Return what is in the user's repositories: paths with what they hold."""
        files = (file for name in ("shop", "other", "empty") for file in sorted((self.tmp / name).rglob("*")))
        return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "" for file in files}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    tmp = tmp_path_factory.mktemp("fuzz")
    shop = tmp / "shop"
    (shop / "server").mkdir(parents=True)
    (shop / "server" / "auth.py").write_text(AUTH)
    (shop / "NOTES.md").write_text(NOTES)
    (shop / "日本.py").write_text("def menu():\n    return '日本'\n", encoding="utf-8")
    (shop / os.fsdecode(b"odd-\xff.py")).write_text("def odd():\n    return 1\n")
    commit_all(shop)
    git(shop, "tag", "v1")
    (shop / "retry.go").write_text(RETRY)
    commit_all(shop)
    (tmp / "other").mkdir()
    (tmp / "other" / "one.py").write_text("def one():\n    return 1\n")
    commit_all(tmp / "other")
    for name in ("empty", "user"):
        (tmp / name).mkdir()
    (tmp / "file").touch()
    (tmp / "loop").symlink_to("loop")
    (tmp / "unreadable").mkdir(mode=0)
    index(shop, home=tmp / "home")
    index(shop, home=tmp / "home", revision="v1")
    return Place(tmp)


@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    status: object
    output: bytes
    errors: bytes
    seconds: float


class _Kept(io.BytesIO):
    """What was written, also after the stream over it was closed."""

    def close(self) -> None:
        pass


def in_this_process(call: Call, place: Place) -> Ended:
    """Run a call here: an interpreter and its imports cost a hundred times what most calls do."""
    variables = place.variables(call.environment)
    encoding = variables.get("PYTHONIOENCODING", "utf-8").partition(":")[0]
    output, errors = _Kept(), _Kept()
    started = time.monotonic()
    status: object = None
    with (
        _restored(place.tmp / call.folder),
        mock.patch.dict(os.environ, variables, clear=True),
        mock.patch.object(sys, "argv", ["kuberian", *map(place.filled, call.arguments)]),
        mock.patch.object(sys, "stdout", io.TextIOWrapper(output, encoding, "strict")),
        mock.patch.object(sys, "stderr", io.TextIOWrapper(errors, encoding, "backslashreplace", line_buffering=True)),
        mock.patch("waitress.create_server", _server_that_ends_at_once),
    ):
        try:
            main()
        except SystemExit as end:
            status = end.code
    text = output.getvalue(), errors.getvalue()
    return Ended(status, *(each.decode(encoding, "replace").encode() for each in text), time.monotonic() - started)


@contextmanager
def _restored(folder: Path) -> Iterator[None]:
    """Start in a folder, and put back what the program sets for its process."""
    before, signals = Path.cwd(), {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    os.chdir(folder)
    try:
        with warnings.catch_warnings():
            yield
    finally:
        os.chdir(before)
        for number, handler in signals.items():
            signal.signal(number, handler)


def _server_that_ends_at_once(*arguments: Any, **options: Any) -> Any:
    server = CREATE_SERVER(*arguments, **options)
    server.close()
    server.run = lambda: None
    return server


def in_a_process_of_its_own(call: Call, place: Place) -> Ended:
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "kuberian", *map(place.filled, call.arguments)],
        cwd=place.tmp / call.folder,
        env=place.variables(call.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        output, errors = process.communicate(timeout=5 if call.arguments[0] == "serve" else 60)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM if call.arguments[0] == "serve" else signal.SIGKILL)  # it serves until ended
        output, errors = process.communicate(timeout=10)
    encoding = (call.environment.get("PYTHONIOENCODING") or "utf-8").partition(":")[0]
    if encoding == "utf-16":
        output, errors = (each.decode(encoding, "replace").encode() for each in (output, errors))
    return Ended(process.returncode, output, errors, time.monotonic() - started)


def check(call: Call, place: Place, run: Callable[[Call, Place], Ended], counts: Counter[object]) -> None:
    before = place.state()
    place.renew()
    ended = run(call, place)
    note(f"{ended}")
    counts[ended.status] += 1
    assert ended.status in (0, 1, 2, 3)
    for trace in (b"internal error", b"Traceback", b"Exception ignored"):
        assert trace not in ended.errors
        assert trace not in ended.output
    if ended.status in (2, 3):
        assert ended.errors.startswith(b"kuberian: ")
        assert ended.errors.count(b"\n") == 1
    assert ended.seconds < LONGEST_SECONDS
    assert place.state() == before


def tried(examples: int, place: Place, run: Callable[[Call, Place], Ended], *, random: bool) -> Counter[object]:
    """Try so many calls. Return how many ended with which exit status."""
    counts: Counter[object] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=not random,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(calls())
    def each(call: Call) -> None:
        check(call, place, run, counts)

    each()
    return counts


def test_any_arguments_in_any_environment(place: Place) -> None:
    assert tried(60, place, in_this_process, random=False).total() >= 60


def test_any_arguments_in_processes_of_their_own(place: Place) -> None:
    assert tried(8, place, in_a_process_of_its_own, random=False).total() >= 8


@pytest.mark.long
def test_many_arguments_in_any_environment(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    counts = tried(1000, place, in_this_process, random=True)
    counts += tried(150, place, in_a_process_of_its_own, random=True)
    with capsys.disabled():
        print(f"\n{counts.total()} calls by exit status: {dict(counts)}; faults: none")
    assert {0, 1, 2, 3} <= set(counts)
