"""A search notices that the working tree is not what was indexed, and indexes what changed where that is quick."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from indexer import index
from searcher.changes import Changes, checking
from tests.conftest import Run
from tests.sdists import commit_all, git

NEW = "def evict_oldest_entry(cache):\n    cache.popitem(last=False)\n"


def changed(repository: Path) -> tuple[str, ...]:
    with checking(None, str(repository)) as check:
        assert check is not None
        found = check.changes()
    assert found is not None
    return found.paths


@pytest.fixture
def indexed(repository: Path) -> Path:
    (repository / "draft.py").write_text("def drafted():\n    pass\n")
    (repository / "logo.png").write_bytes(b"\x89PNG\0")
    age(repository)
    index(repository)
    assert changed(repository) == ()
    return repository


def age(repository: Path) -> None:
    """Make files older than the moment that an index run holds for too close to itself to trust their times."""
    for file in repository.rglob("*"):
        if file.is_file() and ".git" not in file.parts:
            os.utime(file, (1_700_000_000, 1_700_000_000))


def test_an_edit_a_new_file_and_a_deleted_one_are_noticed(indexed: Path) -> None:
    (indexed / "server" / "auth.py").write_text(NEW)
    (indexed / "new.py").write_text(NEW)
    (indexed / "NOTES.md").unlink()
    assert changed(indexed) == ("NOTES.md", "new.py", "server/auth.py")
    index(indexed)
    age(indexed)
    index(indexed)
    assert changed(indexed) == ()


def test_a_change_of_a_file_that_was_changed_already_is_noticed(indexed: Path) -> None:
    (indexed / "draft.py").write_text(NEW)
    assert changed(indexed) == ("draft.py",)


def test_a_change_that_is_taken_back_is_noticed(indexed: Path) -> None:
    (indexed / "NOTES.md").write_text("# Other notes\n")
    (indexed / "draft.py").unlink()
    index(indexed)
    git(indexed, "checkout", "-q", "NOTES.md")
    assert changed(indexed) == ("NOTES.md",)


def test_committing_what_is_indexed_changes_nothing(indexed: Path) -> None:
    commit_all(indexed)
    assert changed(indexed) == ("logo.png",)  # its content was never read: the index run will say that it is binary


def test_a_branch_switch_is_noticed_and_so_is_going_back(indexed: Path) -> None:
    git(indexed, "checkout", "-q", "-b", "side")
    assert changed(indexed) == ()
    (indexed / "NOTES.md").unlink()
    (indexed / "new.py").write_text(NEW)
    commit_all(indexed)
    assert {"NOTES.md", "new.py"} <= set(changed(indexed))
    index(indexed)
    git(indexed, "checkout", "-q", "main")
    assert {"NOTES.md", "new.py"} <= set(changed(indexed))


def test_a_file_written_while_it_is_indexed_is_not_trusted(repository: Path) -> None:
    (repository / "NOTES.md").write_text("# Just now\n")
    ahead = (repository / "NOTES.md").stat().st_mtime + 60
    os.utime(repository / "NOTES.md", (ahead, ahead))
    index(repository)
    assert changed(repository) == ("NOTES.md",)


@pytest.mark.parametrize("name", ["with space.py", "t\u00fcr.py", "tab\there.py", os.fsdecode(b"byte\xff.py")])
def test_odd_names_are_compared(indexed: Path, name: str) -> None:
    (indexed / name).write_text(NEW)
    assert changed(indexed) == (name,)
    age(indexed)
    index(indexed)
    assert changed(indexed) == ()


def test_a_search_indexes_a_small_change_first(indexed: Path, kuberian: Run) -> None:
    (indexed / "new.py").write_text(NEW)
    done = kuberian("search", "--json", "evict_oldest_entry", cwd=indexed)
    found = json.loads(done.stdout)
    assert found["results"][0]["path"] == "new.py"
    assert found["changed_files"] == 0
    assert done.stderr == ""


def test_a_search_that_may_not_says_that_something_changed(indexed: Path, kuberian: Run) -> None:
    (indexed / "new.py").write_text(NEW)
    done = kuberian("search", "--json", "--no-refresh", "check a user's password", cwd=indexed)
    assert done.returncode == 0
    assert json.loads(done.stdout)["changed_files"] == 1
    assert done.stderr == "kuberian: 1 file changed since this was indexed: --refresh indexes them first\n"


def test_a_large_change_is_left_to_the_user(indexed: Path, kuberian: Run) -> None:
    assert Changes(("a.py",), 10_000).seconds < 1 < Changes(("a.py",), 1_000_000).seconds
    for number in range(200):
        (indexed / f"new{number}.py").write_text(NEW)
    done = kuberian("search", "evict_oldest_entry", cwd=indexed)
    assert done.stderr.startswith("kuberian: 200 files changed since this was indexed: --refresh")
    assert "new0.py" in kuberian("search", "--refresh", "evict_oldest_entry", cwd=indexed).stdout


def test_a_search_answers_while_another_process_indexes(indexed: Path, kuberian: Run, home: Path) -> None:
    from kuberian.store.home import Home

    (indexed / "new.py").write_text(NEW)
    with Home(home).writer():
        done = kuberian("search", "check a user's password", cwd=indexed)
    assert done.returncode == 0
    assert "server/auth.py" in done.stdout
    assert "is writing to" in done.stderr


def test_a_repository_that_is_not_indexed_is_read_and_answers(repository: Path, kuberian: Run) -> None:
    refused = kuberian("search", "check a user's password", cwd=repository)
    assert refused.returncode == 3
    assert "kuberian index ." in refused.stderr
    assert "--index" in refused.stderr
    done = kuberian("search", "--index", "check a user's password", cwd=repository)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("server/auth.py")
    assert "only 0.0% of the chunks are embedded yet" in done.stderr
    report = index(repository)
    assert (report.files_unchanged, report.coverage) == (3, 1.0)


def test_an_old_revision_is_not_compared_with_the_disk(indexed: Path, kuberian: Run) -> None:
    index(indexed, revision="HEAD")
    (indexed / "new.py").write_text(NEW)
    done = kuberian("search", "--json", "--at", "HEAD", "check a user's password", cwd=indexed)
    assert json.loads(done.stdout)["changed_files"] is None
    assert done.stderr == ""


def test_a_repository_that_was_cloned_anew_is_compared_with_what_was_indexed(indexed: Path, tmp_path: Path) -> None:
    """Its history does not have the HEAD that was indexed; a shallow clone has no history at all."""
    (indexed / "image.png").write_bytes(b"not read")
    commit_all(indexed)
    upstream = tmp_path / "upstream"
    indexed.rename(upstream)
    clone = ("clone", "-q", "--depth", "1", upstream.as_uri(), str(indexed))
    git(tmp_path, *clone)
    index(indexed)
    git(tmp_path, "clone", "-q", "--depth", "1", upstream.as_uri(), str(tmp_path / "again"))
    shutil.rmtree(indexed)
    (tmp_path / "again").rename(indexed)
    assert changed(indexed) == ()
    (upstream / "new.py").write_text(NEW)
    (upstream / "NOTES.md").unlink()
    commit_all(upstream)
    shutil.rmtree(indexed)
    git(tmp_path, *clone)
    assert set(changed(indexed)) == {"new.py", "NOTES.md"}
