"""A printed line number is right, whatever happened to the file since it was indexed."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer import index
from kuberian.errors import RepositoryError
from searcher import Result, Searcher

QUESTION = "check a user's password"


def first(question: str = QUESTION) -> Result:
    with Searcher() as searcher:
        return searcher.search(question).results[0]


def test_lines_that_moved_are_found_again(repository: Path) -> None:
    index(repository)
    before = first()
    auth = repository / "server" / "auth.py"
    auth.write_text("# a new first line\n\n" + auth.read_text())
    after = first()
    assert (after.start_line, after.end_line, after.stale) == (before.start_line + 2, before.end_line + 2, False)
    assert "\n".join(auth.read_text().split("\n")[after.start_line - 1 : after.end_line]) == after.text


def test_of_two_equal_places_the_nearer_is_taken(repository: Path) -> None:
    index(repository)
    before = first()
    auth = repository / "server" / "auth.py"
    lines = auth.read_text().split("\n")
    auth.write_text("\n".join([*lines, *["#"] * 50, *lines]))
    assert first().start_line == before.start_line
    auth.write_text("\n".join(["# moved", *lines, *["#"] * 50, *lines]))
    assert first().start_line == before.start_line + 1


def test_changed_lines_are_marked_stale(repository: Path) -> None:
    index(repository)
    auth = repository / "server" / "auth.py"
    auth.write_text(auth.read_text().replace("hexdigest", "digest"))
    assert first().stale


def test_a_file_that_is_gone_gives_its_place_to_the_next(repository: Path) -> None:
    index(repository)
    with Searcher() as searcher:
        before = searcher.search(QUESTION).results
    (repository / "server" / "auth.py").unlink()
    with Searcher() as searcher:
        after = searcher.search(QUESTION).results
    assert [result.path for result in after] == [r.path for r in before if r.path != "server/auth.py"]
    assert [result.rank for result in after] == list(range(1, len(after) + 1))


def test_a_copy_elsewhere_answers_for_a_file_that_is_gone(repository: Path) -> None:
    copy = repository / "server" / "zz_copy.py"
    copy.write_bytes((repository / "server" / "auth.py").read_bytes())
    index(repository)
    (repository / "server" / "auth.py").unlink()
    assert first().path == "server/zz_copy.py"


def test_a_file_that_became_a_link_is_gone(repository: Path) -> None:
    index(repository)
    auth = repository / "server" / "auth.py"
    auth.rename(repository / "server" / "target.py")
    auth.symlink_to("target.py")
    assert first().path != "server/auth.py"


def test_a_repository_whose_folder_is_gone_is_named(repository: Path) -> None:
    index(repository, meaning=False)
    repository.rename(repository.with_name("moved"))
    with Searcher() as searcher, pytest.raises(RepositoryError, match=r"shop is gone.*kuberian forget"):
        searcher.search("password")
