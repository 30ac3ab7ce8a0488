"""Commands work whatever is at the other end of standard input, output and error."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from indexer import index
from tests.conftest import AUTH, NOTES
from tests.sdists import commit_all, git

ROOT = Path(__file__).parents[1]
COMMAND = (sys.executable, "-P", "-m", "kuberian")
# A thing to find whose signature and path most encodings lack characters of.
MENU = 'def menu():  # 日本\n    """Show the menu 🍣 of the café."""\n    return "日本"\n'

# What a terminal's encoding comes from, and encodings that lack characters of ours.
ENCODINGS = [
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    *(
        pytest.param(variables, marks=pytest.mark.long)
        for variables in (
            {"PYTHONIOENCODING": "ascii:strict"},
            {"PYTHONIOENCODING": "latin-1"},
            {"PYTHONIOENCODING": "cp1252:strict"},
            {"PYTHONIOENCODING": "utf-8:strict"},
            {"PYTHONIOENCODING": "utf-16"},
            {"PYTHONIOENCODING": "idna"},  # knows no escapes
            {"LC_ALL": "POSIX", "PYTHONUTF8": "0"},
        )
    ),
]

# Every command, but those that change the home of all tests here or do not end, and its exit status.
COMMANDS: list[tuple[tuple[str, ...], int]] = [
    ((), 0),
    (("serve", "--help"), 0),
    (("version",), 0),
    (("status",), 0),
    (("doctor", "--check"), 0),
    (("gc",), 0),
    (("explain", "café-日本.py"), 0),
    (("explain", "no-日本"), 1),
    (("index", "--dry-run"), 0),
    (("search", "menu", "--no-refresh"), 0),
    (("search", "日本 odd_name", "--json"), 0),
    (("when", "menu"), 0),
    # Mistakes, named in the message on standard error.
    (("search", "menu", "--repo", "日本"), 3),
    (("bög日本",), 2),
    (("index", os.fsdecode(b"no-\xff")), 3),
]


def environment(home: Path, variables: Mapping[str, str] = {}) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    return {**kept, "PYTHONPATH": str(ROOT), "KUBERIAN_HOME": str(home), **variables}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with odd names, indexed in the folder `home` beside it."""
    root = tmp_path_factory.mktemp("streams") / "shop"
    root.mkdir()
    (root / "auth.py").write_text(AUTH)
    (root / "NOTES.md").write_text(NOTES)
    (root / "café-日本.py").write_text(MENU, encoding="utf-8")
    (root / os.fsdecode(b"odd-\xff.py")).write_text("def odd_name():\n    return 1\n")
    commit_all(root)
    git(root, "tag", "größe-日本")
    index(root, home=root.parent / "home")
    index(root, home=root.parent / "home", revision="größe-日本")
    return root


def run(arguments: Sequence[str], shop: Path, **options: object) -> subprocess.CompletedProcess[bytes]:
    variables: Mapping[str, str] = options.pop("variables", {})  # type: ignore[assignment]
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=shop,
        env=environment(shop.parent / "home", variables),
        timeout=60,
        check=False,
        **{"capture_output": True, **options},  # type: ignore[call-overload]
    )


def shell(redirection: str, arguments: Sequence[str], shop: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *COMMAND, *arguments],
        cwd=shop,
        env=environment(shop.parent / "home"),
        capture_output=True,
        timeout=60,
        check=False,
    )


def on_terminal(arguments: Sequence[str], shop: Path, variables: Mapping[str, str] = {}) -> tuple[int, bytes]:
    """Run a command with a terminal for its output and errors; return its exit status and what is shown."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=shop,
        env=environment(shop.parent / "home", {"TERM": "xterm", **variables}),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            block = os.read(ours, 1 << 16)
        except OSError:  # what Linux says when the other end is closed
            break
        if not block:
            break
        shown += block
    os.close(ours)
    return process.wait(60), shown


def unread() -> int:
    """Return the end to write to of a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("variables", ENCODINGS, ids=lambda variables: " ".join(variables.values()))
class TestCharactersThatTheEncodingLacks:
    def test_in_a_pipe(self, shop: Path, variables: dict[str, str]) -> None:
        for arguments, status in COMMANDS:
            done = run(arguments, shop, variables=variables)
            assert done.returncode == status, (arguments, done.stderr)
            assert b"rror" not in done.stderr

    def test_on_a_terminal(self, shop: Path, variables: dict[str, str]) -> None:
        status, shown = on_terminal(["search", "menu", "--no-refresh"], shop, variables)
        assert status == 0, shown
        assert b"rror" not in shown
        status, shown = on_terminal(["index", "--home", str(shop.parent / "terminal-home")], shop, variables)
        assert status == 0, shown
        assert b"rror" not in shown


def test_a_character_that_does_not_fit_is_an_escape(shop: Path) -> None:
    done = run(["search", "menu", "--no-refresh"], shop, variables={"PYTHONIOENCODING": "ascii"})
    assert rb"caf\xe9-\u65e5\u672c.py:1-3" in done.stdout
    status, shown = on_terminal(["search", "menu", "--no-refresh"], shop, {"PYTHONIOENCODING": "latin-1"})
    assert status == 0
    assert b"caf\xe9-\\u65e5\\u672c.py:1-3" in shown
    assert (
        rb"\u65e5"
        in run(["serve", "--host", "日本", "--port", "1"], shop, variables={"PYTHONIOENCODING": "ascii"}).stderr
    )


class TestTheReaderGoesAway:
    def test_before_anything_is_written(self, shop: Path) -> None:
        for arguments, status in COMMANDS:
            done = run(arguments, shop, capture_output=False, stdout=unread(), stderr=subprocess.PIPE)
            assert done.returncode == (status if status > 1 else 0), (arguments, done.stderr)
            assert b"rror" not in done.stderr
            assert b"ignored" not in done.stderr

    def test_with_an_unbuffered_python(self, shop: Path) -> None:
        for arguments in (["status"], ["search", "menu"], ["--help"]):
            done = run(arguments, shop, capture_output=False, stdout=unread(), stderr=subprocess.PIPE,
                       variables={"PYTHONUNBUFFERED": "1"})  # fmt: skip
            assert (done.returncode, done.stderr) == (0, b"")

    def test_in_the_middle(self, shop: Path) -> None:
        for arguments in (["search", "menu", "odd_name", "password"], ["index", "--dry-run"], ["index", "--help"]):
            process = subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=shop,
                env=environment(shop.parent / "home", {"PYTHONUNBUFFERED": "1"}),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            errors = process.stderr.read()
            process.stderr.close()
            assert (process.wait(), errors) == (0, b"")

    @pytest.mark.long
    def test_of_errors_alone(self, shop: Path) -> None:
        for arguments, status in COMMANDS:
            done = run(arguments, shop, capture_output=False, stdout=subprocess.PIPE, stderr=unread())
            assert done.returncode == status, arguments

    def test_of_both_with_colors(self, shop: Path) -> None:
        writing = unread()
        done = run(["search", "menu"], shop, capture_output=False, stdout=writing, stderr=writing,
                   variables={"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"})  # fmt: skip
        assert done.returncode == 0


class TestClosedDescriptors:
    @pytest.mark.parametrize(
        "closed", ["2>&-", "<&- >&- 2>&-", *(pytest.param(each, marks=pytest.mark.long) for each in ("<&-", ">&-"))]
    )
    def test_every_command_works(self, shop: Path, closed: str) -> None:
        home = str(shop.parent / f"home-{len(closed)}")
        changing = [(("index", "--home", home), 0), (("forget", "shop", "--home", home), 0)]
        for arguments, status in [*COMMANDS, *changing]:
            done = shell(closed, arguments, shop)
            assert done.returncode == status, (arguments, done.stderr)
            if " >" in f" {closed}":
                assert done.stdout == b""
            if "2>" in closed:
                assert done.stderr == b""
                assert b"kuberian: " not in done.stdout
            assert b"rror" not in done.stderr
        assert run(["doctor", "--check"], shop).returncode == 0

    def test_no_file_of_ours_gets_their_numbers(self, tmp_path: Path) -> None:
        program = (
            "import os, subprocess, sys\n"
            "for number in 0, 1, 2: os.close(number)\n"
            "sys.stdin = sys.stdout = sys.stderr = None\n"
            "from kuberian.cli.streams import finish, prepare\n"
            "prepare()\n"
            "file = open(sys.argv[1], 'w')\n"
            "print('for the user', file=sys.stderr); print('for the user'); os.write(2, b'from a library')\n"
            "subprocess.run(['sh', '-c', 'echo out; echo error >&2; cat'], check=True)\n"
            "finish()\n"
            "file.write(str(file.fileno() > 2))\n"
        )
        done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "file")], cwd=ROOT, check=False)
        assert done.returncode == 0
        assert (tmp_path / "file").read_text() == "True"


class TestOutputThatCannotBeWritten:
    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
    def test_a_full_disk(self, shop: Path) -> None:
        for arguments in (["status"], ["search", "menu"], ["--help"], ["index", "--dry-run"]):
            done = shell(">/dev/full", arguments, shop)
            assert done.returncode == 3
            assert done.stderr == b"kuberian: the output cannot be written: No space left on device\n"
            assert shell("2>/dev/full", arguments, shop).returncode == 0

    def test_a_descriptor_that_is_not_for_writing(self, shop: Path) -> None:
        done = shell("1</dev/null", ["status"], shop)
        assert done.returncode == 3
        assert done.stderr.startswith(b"kuberian: the output cannot be written: ")

    def test_a_pipe_that_does_not_wait_is_waited_for(self, shop: Path) -> None:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        os.write(writing, bytes(60_000))  # hardly any room is left: 64 KiB on Linux
        process = subprocess.Popen(
            [*COMMAND, "search", "menu", "--json"], cwd=shop, env=environment(shop.parent / "home"), stdout=writing
        )
        os.close(writing)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
        with os.fdopen(reading, "rb") as pipe:
            assert pipe.read().endswith(b"}\n")
        assert process.wait() == 0
