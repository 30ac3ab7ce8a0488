"""What is typed after an option, and what the environment lacks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from indexer import index
from kuberian.cli.commands import app
from kuberian.cli.values import seconds, size
from kuberian.errors import HomeError, UsageError
from kuberian.settings import expanded, home_folder
from tests.conftest import Run
from tests.sdists import commit_all

ROOT = Path(__file__).parents[1]


def refused(done: subprocess.CompletedProcess[str], status: int, says: str) -> None:
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert says in done.stderr


class TestAnEmptyText:
    """As from a variable that is not set: `kuberian index "$PROJECT"`."""

    def test_is_no_path_nor_name_of_any_command(self) -> None:
        command = typer.main.get_command(app)
        count = 0
        for name, each in command.commands.items():  # type: ignore[attr-defined]
            required = ["x" for parameter in each.params if parameter.required and parameter.nargs == 1]
            required += ["x"] if any(parameter.nargs == -1 for parameter in each.params) else []
            for parameter in each.params:
                if parameter.type.name not in ("text", "str") or parameter.nargs == -1:
                    continue
                given = [f"{parameter.opts[0]}=", *required] if parameter.opts[0].startswith("-") else [""]
                outcome = CliRunner().invoke(app, [name, *given])
                assert isinstance(outcome.exception, UsageError), (name, given, outcome.output)
                assert f"{parameter.opts[0].lstrip('-')}" in str(outcome.exception)
                assert "is empty" in str(outcome.exception)
                count += 1
        assert count >= 20

    def test_does_not_index_the_current_folder(self, kuberian: Run, repository: Path, home: Path) -> None:
        refused(kuberian("index", "", cwd=repository / "server"), 2, "the argument 'path' is empty")
        refused(kuberian("index", str(repository), "--home", "", cwd=repository), 2, "--home is empty")
        refused(kuberian("search", "password", "--repo", "", cwd=repository), 2, "--repo is empty")
        refused(kuberian("serve", "--host", ""), 2, "--host is empty")
        assert not home.exists()
        with pytest.raises(UsageError, match="empty"):
            index("", home=home)
        with pytest.raises(UsageError, match="empty"):
            index(repository, home="")

    def test_as_the_variable_of_the_home_means_that_it_is_not_set(self, kuberian: Run, tmp_path: Path) -> None:
        done = kuberian("status", KUBERIAN_HOME="", XDG_DATA_HOME=str(tmp_path / "data"))
        assert (done.returncode, done.stderr) == (0, "")
        assert str(tmp_path / "data" / "kuberian") in done.stdout


class TestSizes:
    @pytest.mark.parametrize(
        ("typed", "expected"),
        [("500000", 500_000), ("500KB", 500_000), ("500k", 500_000), ("2MB", 2_000_000), ("1.5m", 1_500_000),
         ("512KiB", 524_288), ("1 mib", 1_048_576), ("1gb", 10**9), ("7b", 7), ("1,000,000", 1_000_000), (" 3 ", 3),
         ("9" * 5000, 2**63 - 1)],
    )  # fmt: skip
    def test_are_typed_with_their_unit(self, typed: str, expected: int) -> None:
        assert size(typed) == expected

    @pytest.mark.parametrize(
        "typed", ["", "many", "KB", "500XB", "1e3", "1e999999999", "0x10", "1.2.3", "nan", "٣", "1/2"]
    )
    def test_that_are_none_are_refused(self, typed: str) -> None:
        with pytest.raises(UsageError, match="nor a size: write it as 500KB"):
            size(typed)

    def test_limit_what_is_indexed(self, kuberian: Run, repository: Path) -> None:
        (repository / "large.py").write_text("def large():\n    return 1\n" + "# comment\n" * 200)
        commit_all(repository)
        done = kuberian("index", str(repository), "--max-bytes", "1KB")
        assert done.returncode == 0, done.stderr
        assert "skipped 1 file" in done.stdout
        assert kuberian("explain", str(repository / "large.py"), "--max-bytes", "1kib").returncode == 1
        assert kuberian("explain", str(repository / "large.py"), "--max-bytes", "1mb").returncode == 0
        for command in ("index", "explain"):
            refused(kuberian(command, str(repository), "--max-bytes", "0.1KB2"), 2, "nor a size")
            refused(kuberian(command, str(repository), "--max-bytes", "-5"), 2, "at least 1 byte")


def test_times_are_typed_with_their_unit() -> None:
    assert [seconds(typed) for typed in ("90", "60s", "10m", "1.5h")] == [90, 60, 600, 5400]
    for typed in ("", "s", "1d", "soon"):
        with pytest.raises(UsageError, match="is no time"):
            seconds(typed)


def test_odd_numbers_of_results_are_refused(kuberian: Run, repository: Path) -> None:
    index(repository)
    for k in ("0", "-1", "201", "9" * 30):
        refused(kuberian("search", "password", "-k", k), 2, "-k must be from 1 to 200")
    for k in ("", "3.5", "1e2", "many", "9" * 5000):
        refused(kuberian("search", "password", "-k", k), 2, "'-k'")
        refused(kuberian("when", "password", "-k", k), 2, "'-k'")


class TestNothingIsIndexed:
    @pytest.fixture
    def emptied(self, kuberian: Run, repository: Path) -> Path:
        """The home has a database, and nothing in it any more."""
        index(repository, meaning=False)
        assert kuberian("forget", "shop").returncode == 0
        return repository

    @pytest.mark.parametrize("options", [(), ("--all",), ("--lang", "python"), ("--at", "*"), ("--json",), ("-k", "3")])
    def test_a_search_says_so(self, kuberian: Run, emptied: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
        (tmp_path / "elsewhere").mkdir()
        for folder in (emptied, tmp_path / "elsewhere"):
            for home in ({}, {"KUBERIAN_HOME": str(tmp_path / "new")}):
                done = kuberian("search", "password", *options, cwd=folder, **home)
                refused(done, 3, "nothing is indexed in")
                assert "kuberian index" in done.stderr
        assert not (tmp_path / "new").exists()

    def test_when_says_so(self, kuberian: Run, emptied: Path) -> None:
        refused(kuberian("when", "password", cwd=emptied), 3, "nothing is indexed in")

    def test_search_with_index_reads_it_first(self, kuberian: Run, emptied: Path) -> None:
        assert kuberian("search", "authenticate", "--index", cwd=emptied).returncode == 0


def test_an_error_is_all_that_is_said(kuberian: Run, repository: Path, tmp_path: Path) -> None:
    """What would be worth to know of an answer is not said where there is none."""
    index(repository)
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.py").write_text("x = 1\n")
    commit_all(other)
    refused(kuberian("search", "password", "-k", "0", cwd=other), 2, "-k must be")
    assert "this repository is not indexed" in kuberian("search", "password", cwd=other).stderr
    (repository / "NOTES.md").write_text("# Changed\n")
    refused(kuberian("search", "password", "-k", "0", "--no-refresh", cwd=repository), 2, "-k must be")


class TestThePlaceOfTheHome:
    def test_nobody_has_a_home_folder(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("KUBERIAN_HOME", "HOME", "XDG_DATA_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("pwd.getpwuid", _no_such_user)
        with pytest.raises(HomeError, match="name one with --home or KUBERIAN_HOME"):
            home_folder()
        monkeypatch.setenv("KUBERIAN_HOME", "/somewhere")
        assert home_folder() == Path("/somewhere")

    def test_a_user_that_the_machine_does_not_know(self, repository: Path) -> None:
        as_nobody = ["unshare", "-U", "--map-user=12345", "--map-group=12345"]
        if not shutil.which("unshare") or subprocess.run([*as_nobody, "true"], check=False).returncode:
            pytest.skip("users cannot be made up here")
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        for name in ("KUBERIAN_HOME", "HOME", "XDG_DATA_HOME"):
            environment.pop(name, None)
        for arguments in (
            ["status"],
            ["search", "password"],
            ["index", "."],
            ["when", "x"],
            ["gc"],
            ["forget", "shop"],
        ):
            done = subprocess.run(
                [*as_nobody, sys.executable, "-m", "kuberian", *arguments],
                cwd=repository, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            refused(done, 3, "name one with --home or KUBERIAN_HOME")

    @pytest.mark.parametrize("name", ["x" * 300, "loop/home", "a\0b"])
    def test_a_name_that_no_folder_can_have(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "loop").symlink_to("loop")
        with pytest.raises(HomeError, match="cannot be used"):
            home_folder(tmp_path / name)

    def test_the_current_folder_is_gone(self, tmp_path: Path, home: Path, repository: Path) -> None:
        index(repository, meaning=False)
        gone = tmp_path / "gone"
        for arguments, status in (
            (["search", "authenticate"], 0), (["status"], 0), (["index", "."], 3), (["explain", "x"], 3),
            (["status", "--home", "here"], 3), (["search", "x", "--repo", "."], 3),
        ):  # fmt: skip
            gone.mkdir()
            done = subprocess.run(
                ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", sys.executable, "-c",
                 "from kuberian.cli.main import main; main()", *arguments],
                cwd=gone, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == status, (arguments, done.stderr)
            assert "internal error" not in done.stderr
            assert done.stderr.count("\n") <= 1

    def test_a_path_in_the_home_folder_of_nobody(self) -> None:
        with pytest.raises(UsageError, match="in the home folder of no user"):
            expanded("~nobody-at-all/x")


def _no_such_user(_: int) -> None:
    raise KeyError("uid not found")
