"""Repositories by their address: the home keeps a clone, follows it, and lets go of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from indexer import index, index_several
from kuberian.errors import RepositoryError
from kuberian.git.address import is_address, mirror_path
from kuberian.store.home import Home
from kuberian.store.status import status
from searcher import Searcher
from tests.conftest import Run
from tests.sdists import commit_all, git


@pytest.fixture
def address(repository: Path) -> str:
    return repository.as_uri()


def revisions(home: Path) -> list[str | None]:
    return [snapshot.revision for snapshot in status(Home(home)).snapshots]


def paths(question: str, **options: str) -> list[str]:
    with Searcher() as searcher:
        return [result.path for result in searcher.search(question, **options).results]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "folder"),
    [
        ("https://example.org/org/repo.git", "example.org/org/repo.git"),
        ("https://user:word@example.org:8443/org/repo/", "example.org/org/repo.git"),
        ("git@example.org:org/repo.git", "example.org/org/repo.git"),
        ("ssh://git@example.org/~me/repo", "example.org/_me/repo.git"),
        ("file:///srv/../git/repo.git", "local/srv/git/repo.git"),
    ],
)
def test_an_address_has_a_folder_in_the_home(home: Path, address: str, folder: str) -> None:
    assert is_address(address)
    assert Home(home).mirrors / mirror_path(address) == home / "mirrors" / folder


def test_folders_are_no_addresses(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository.parent)
    (repository.parent / "odd:name").mkdir()
    assert not any(map(is_address, [".", "shop", str(repository), "odd:name", "C:\\src\\shop"]))


def test_an_address_is_cloned_indexed_and_followed(repository: Path, home: Path, address: str) -> None:
    first = index(address)
    assert (first.repository, first.files_indexed, first.coverage) == ("shop", 3, 1.0)
    assert first.revision == git(repository, "rev-parse", "HEAD")
    (repository / "cache.py").write_text("def evict_oldest_entry(cache):\n    cache.popitem(last=False)\n")
    commit_all(repository)
    second = index(address)
    assert second.revision == git(repository, "rev-parse", "HEAD") != first.revision
    assert (second.files_unchanged, second.passages_embedded) == (3, 1)
    assert revisions(home) == [second.revision]  # in the place of the first
    assert paths("evict the oldest entry", repository=address)[0] == "cache.py"
    assert paths("evict the oldest entry", repository="shop")[0] == "cache.py"


def test_history_that_was_rewritten_and_another_default_branch_are_followed(repository: Path, address: str) -> None:
    index(address)
    git(repository, "commit", "-q", "--amend", "-m", "another")
    assert index(address).revision == git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-q", "-b", "trunk")
    (repository / "NOTES.md").unlink()
    commit_all(repository)
    git(repository, "branch", "-q", "-D", "main")
    assert index(address).revision == git(repository, "rev-parse", "trunk")


def test_a_revision_that_was_asked_for_stays_when_head_moves(repository: Path, home: Path, address: str) -> None:
    index(address)
    old = index(address, revision="main").revision
    (repository / "new.py").write_text("def new():\n    pass\n")
    commit_all(repository)
    new = index(address).revision
    assert set(revisions(home)) == {old, new}
    assert index(address, revision=old).revision == old
    assert "new.py" in paths("new")  # HEAD is what is searched, whichever was indexed last
    assert "new.py" not in paths("new", at=str(old))
    git(repository, "reset", "-q", "--hard", str(old))
    index(address)
    assert revisions(home) == [old]


def test_forget_deletes_the_clone(home: Path, address: str, kuberian: Run) -> None:
    index(address)
    (shown,) = json.loads(kuberian("status", "--json").stdout)["snapshots"]
    assert (shown["mirror"], shown["remote"]) == (True, address)
    folder = Path(shown["path"])
    assert folder.is_dir()
    done = kuberian("forget", address)
    assert done.returncode == 0, done.stderr
    assert not folder.exists()
    assert revisions(home) == []


def test_forget_leaves_a_folder_that_is_the_users(repository: Path, kuberian: Run) -> None:
    index(repository)
    assert kuberian("forget", "shop").returncode == 0
    assert (repository / "NOTES.md").exists()


def test_an_address_where_nothing_is(tmp_path: Path, kuberian: Run) -> None:
    done = kuberian("index", (tmp_path / "nowhere.git").as_uri())
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "cannot be fetched" in done.stderr


def test_a_password_in_an_address_is_not_kept(repository: Path, home: Path) -> None:
    with pytest.raises(RepositoryError) as error:
        index("file://user:secret@localhost/nowhere/shop.git")
    assert "secret" not in str(error.value)
    assert all(b"secret" not in file.read_bytes() for file in home.rglob("*") if file.is_file())


def test_both_ends_of_a_range_and_tags_are_indexed(repository: Path, home: Path, address: str, kuberian: Run) -> None:
    git(repository, "tag", "v1")
    (repository / "new.py").write_text("def new():\n    pass\n")
    commit_all(repository)
    git(repository, "tag", "v2")
    git(repository, "tag", "other")
    done = kuberian("index", "--json", "--rev", "v1..", str(repository))
    assert done.returncode == 0, done.stderr
    ends = [git(repository, "rev-parse", name) for name in ("v1", "HEAD")]
    assert [report["revision"] for report in json.loads(done.stdout)] == ends
    assert set(revisions(home)) == set(ends)
    assert [report.revision for report in index_several(address, tags="v*")] == ends
    with pytest.raises(RepositoryError, match="no tag"):
        index_several(repository, tags="w*")
