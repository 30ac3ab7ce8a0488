"""--path takes what people type and paste: patterns, paths that search printed, absolute ones, with braces, with !."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from indexer import index
from kuberian.errors import UsageError
from searcher import Searcher
from searcher.path_filter import from_folder, path_filter

PATHS = ["src/auth.py", "src/deep/auth.go", "docs/auth.md", "NOTES.md", "auth/src.py"]


def left(option: str, root: Path = Path("/srv/shop")) -> list[str]:
    test = path_filter(option, root)
    return [path for path in PATHS if test(path)]


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("*.py", ["src/auth.py", "auth/src.py"]),
        ("src", ["src/auth.py", "src/deep/auth.go"]),
        ("src/", ["src/auth.py", "src/deep/auth.go"]),
        ("./src", ["src/auth.py", "src/deep/auth.go"]),
        ("./src/*.py", ["src/auth.py"]),
        ("/src", ["src/auth.py", "src/deep/auth.go"]),
        ("/srv/shop/src", ["src/auth.py", "src/deep/auth.go"]),
        ("/srv/shop/src/auth.py", ["src/auth.py"]),
        ("/srv/shop", PATHS),
        ("/srv/shop/", PATHS),
        ("src/**/*.{py,go}", ["src/auth.py", "src/deep/auth.go"]),
        ("{src,docs}/auth.*", ["src/auth.py", "docs/auth.md"]),
        ("*.go, *.md", ["src/deep/auth.go", "docs/auth.md", "NOTES.md"]),
        ("!NOTES.md", ["src/auth.py", "src/deep/auth.go", "docs/auth.md", "auth/src.py"]),
        ("!docs,!*.go", ["src/auth.py", "NOTES.md", "auth/src.py"]),
        ("src,!*.go", ["src/auth.py"]),
        ("!./src", ["docs/auth.md", "NOTES.md", "auth/src.py"]),
        ("!/srv/shop/src", ["docs/auth.md", "NOTES.md", "auth/src.py"]),
        ("a[u]th", ["auth/src.py"]),
    ],
)
def test_a_pattern_leaves_what_it_says(option: str, expected: list[str]) -> None:
    assert left(option) == expected


def test_an_absolute_path_is_for_the_repository_that_has_it(tmp_path: Path) -> None:
    (tmp_path / "one" / "src").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    assert left(str(tmp_path / "one" / "src"), tmp_path / "one") == ["src/auth.py", "src/deep/auth.go"]
    assert left(str(tmp_path / "one" / "src"), tmp_path / "other") == []


@pytest.mark.parametrize("option", ["", " ", ",", "{1..100000}", "{" * 300, "[z-a]"])
def test_what_is_no_pattern_is_refused(option: str) -> None:
    with pytest.raises(UsageError, match="--path"):
        left(option)


@pytest.mark.parametrize("option", ["*" * 40 + "x", "*?" * 30 + "x", "*a" * 30 + "b", "**/a/" * 20 + "b", "**/*/" * 20])
def test_no_pattern_takes_long_to_match(option: str) -> None:
    test = path_filter(option, Path("/srv/shop"))
    started = time.monotonic()
    assert not any(map(test, ["server/authentication.py", "a" * 250, "/".join("a" * 15)]))
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("option", "path", "expected"),
    [
        ("*a*a*.py", "banana.py", True),
        ("*an*an*n.py", "banana.py", False),
        ("b*n?n*", "banana.py", True),
        ("**/b*/**/c/**/d.py", "a/b/x/c/c/y/d.py", True),
        ("a/**/c/**/d.py", "a/c/d.py", True),
        ("a/**/c/**/d.py", "a/b/d/c.py", False),
        ("*[]*]*y", "a*by", True),
    ],
)
def test_a_pattern_with_many_stars_matches_as_git_has_it(option: str, path: str, expected: bool) -> None:
    assert path_filter(option, Path("/srv/shop"))(path) == expected


def test_a_path_that_search_printed_can_be_given_back() -> None:
    here = Path("/srv/shop/docs")
    assert left(from_folder("../src/auth.py", here)) == ["src/auth.py"]
    assert left(from_folder("./auth.md", here)) == ["docs/auth.md"]
    assert left(from_folder(".", here)) == ["docs/auth.md"]
    assert left(from_folder("!../src,*.md", here)) == ["docs/auth.md", "NOTES.md"]
    assert from_folder("src/**", here) == "src/**"


def test_a_filter_that_no_file_fits_is_told_from_a_question_that_nothing_answers(repository: Path) -> None:
    index(repository, meaning=False)
    with Searcher() as searcher:
        assert searcher.search("password", path="server").results
        assert searcher.search("password", path="server").files == 1
        assert searcher.search("nothing_is_called_this", path="server").files == 1
        assert searcher.search("password", path="no/such/folder").files == 0
