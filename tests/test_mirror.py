"""Repositories by their address: the home keeps a clone, follows it, and lets go of it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from indexer import index, index_several
from kuberian.errors import RepositoryError
from kuberian.git import mirror
from kuberian.git.address import is_address
from kuberian.git.mirror import fetch, place
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
    assert place(Home(home).mirrors, address) == home / "mirrors" / folder


def test_addresses_that_differ_in_a_character_keep_their_own_clones(repository: Path, home: Path) -> None:
    spaced, lined = repository.parent / "a b" / "shop", repository.parent / "a_b" / "shop"
    git(repository.parent, "clone", "-q", str(repository), str(spaced))
    git(repository.parent, "clone", "-q", str(repository), str(lined))
    (lined / "oven.py").write_text("def bake_bread(dough):\n    return dough\n")
    commit_all(lined)
    addresses = [f"file://{spaced}", f"file://{lined}"]
    names = [index(address).repository for address in addresses]
    assert len(set(names)) == 2
    assert [index(address).repository for address in reversed(addresses)] == names[::-1]
    assert [index(address).files_unchanged for address in addresses] == [3, 4]
    assert len(revisions(home)) == 2
    assert "oven.py" in paths("bake bread", repository=addresses[1])
    assert "oven.py" not in paths("bake bread", repository=addresses[0])


@pytest.mark.parametrize(
    "others",
    [
        ["https://example.org/org/shop", "https://name:word@example.org/org/shop.git/"],  # one repository
        ["https://example.org:8443/org/shop.git"],
        ["ssh://git@example.org/org/shop.git"],
        ["https://example.org/org~shop.git", "https://example.org/org_shop.git", "https://example.org/org%20shop.git"],
        ["https://example.org/org/shop.git/inner"],
    ],
)
def test_a_clone_belongs_to_one_address(home: Path, others: list[str]) -> None:
    first = "https://example.org/org/shop.git"
    mirrors = Home(home).mirrors
    claimed: dict[Path, str] = {}
    for address in [first, *others]:
        folder = place(mirrors, address)
        assert folder == place(mirrors, address)
        folder.mkdir(parents=True, exist_ok=True)
        git(folder, "init", "-q", "--bare")
        git(folder, "config", "remote.origin.url", address)
        claimed.setdefault(folder, address)
        assert place(mirrors, address) == folder
    is_one = "word" in others[-1]
    assert len(claimed) == (1 if is_one else 1 + len(others))
    assert not any(folder in other.parents for folder in claimed for other in claimed)


def test_a_clone_that_was_made_around_another_one_is_found_again(home: Path) -> None:
    inner = home / "mirrors" / "example.org" / "org" / "shop.git" / "inner.git"  # as older versions placed it
    inner.mkdir(parents=True)
    git(inner, "init", "-q", "--bare")
    git(inner, "config", "remote.origin.url", "https://example.org/org/shop.git/inner")
    assert place(home / "mirrors", "https://example.org/org/shop.git/inner.git") == inner
    assert inner.parent not in place(home / "mirrors", "https://example.org/org/shop").parents
    assert place(home / "mirrors", "https://example.org/org/shop") != inner.parent


def test_the_container_takes_for_an_address_what_the_command_line_does() -> None:
    spec = importlib.util.spec_from_file_location(
        "cron", Path(__file__).parents[1] / "deploy" / "container" / "cron.py"
    )
    assert spec is not None
    assert spec.loader is not None
    cron = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cron)
    for address in ("github:org/repo", "git@example.org:org/repo", "https://example.org/org/repo", "host:~/[odd]/r*"):
        assert is_address(address)
        assert cron.repositories(address) == [address]
        assert cron.unreadable(address) is None


def test_an_address_that_makes_no_sense_is_refused_in_a_line(kuberian: Run) -> None:
    for address in ("https://[::1/org/shop", "https://", "ssh://host/.."):
        done = kuberian("index", address)
        assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr


def test_a_clone_is_ended_when_the_budget_is_used_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "sleep 30 #")
    started = time.monotonic()
    with pytest.raises(RepositoryError, match=r"could not be fetched in 0.5 s.*larger budget"):
        index("git@example.org:org/shop", budget=0.5)
    with pytest.raises(RepositoryError, match=r"could not be fetched in"):
        index_several("git@example.org:org/shop", tags="v*", budget=0.5)
    assert time.monotonic() - started < 10


def test_git_is_ended_if_whoever_follows_its_progress_fails(
    repository: Path, home: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start = mirror._start

    def noting(arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
        started.append(start(arguments, folder))
        return started[-1]

    def fail(line: str) -> None:
        raise RuntimeError(line)

    monkeypatch.setattr(mirror, "_start", noting)
    monkeypatch.setattr(mirror, "_follower", lambda progress: fail)
    with pytest.raises(RuntimeError):
        fetch(Home(home).mirrors, address, lambda phase, done, total: None)
    assert all(process.returncode is not None for process in started)
    assert index(address).files_indexed == 3


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


def left_in(home: Path) -> list[Path]:
    return sorted(home.rglob("*"))


def test_nothing_is_left_of_a_fetch_that_failed(repository: Path, home: Path, tmp_path: Path, kuberian: Run) -> None:
    assert kuberian("index", (tmp_path / "nowhere.git").as_uri()).returncode == 3
    assert left_in(home) == []
    assert kuberian("index", "--dry-run", (tmp_path / "nowhere.git").as_uri()).returncode == 3
    oid = git(repository, "rev-parse", "HEAD:server/auth.py")
    (repository / ".git" / "objects" / oid[:2] / oid[2:]).unlink()  # the branch is listed, and cannot be fetched
    done = kuberian("index", repository.as_uri())
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert left_in(home) == []


def test_an_address_where_nothing_was_pushed_yet_is_named(home: Path, tmp_path: Path, kuberian: Run) -> None:
    (tmp_path / "new").mkdir()
    git(tmp_path / "new", "init", "-q", "--bare")
    done = kuberian("index", (tmp_path / "new").as_uri())
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert f"{(tmp_path / 'new').as_uri()} has no commits yet" in done.stderr
    assert left_in(home) == []


def test_a_fetch_that_fails_later_keeps_the_clone(repository: Path, home: Path, address: str, kuberian: Run) -> None:
    index(address)
    repository.rename(repository.parent / "elsewhere")
    assert kuberian("index", address).returncode == 3
    assert not list(home.rglob("*.lock*")) or [path.name for path in home.rglob("*.lock*")] == ["index.lock"]
    assert paths("check a user's password", repository=address)[0] == "server/auth.py"
    (repository.parent / "elsewhere").rename(repository)
    assert index(address).files_unchanged == 3


def test_a_fetch_that_was_killed_does_not_hold_up_the_next_ones(
    repository: Path, home: Path, address: str, kuberian: Run
) -> None:
    kuberian("index", address)
    (clone,) = (home / "mirrors").rglob("*.git")
    (clone / "refs" / "heads").mkdir(parents=True, exist_ok=True)
    for name in ("config.lock", "HEAD.lock", "packed-refs.lock", "refs/heads/main.lock", "shallow.lock"):
        (clone / name).touch()  # what a git leaves that gets SIGKILL
    (repository / "later.py").write_text("def later():\n    return 1\n")
    commit_all(repository)
    assert kuberian("index", address).returncode == 0
    assert "later.py" in paths("later")


def test_no_lock_is_left_when_a_clone_is_forgotten(home: Path, address: str, kuberian: Run) -> None:
    index(address)
    assert kuberian("forget", address).returncode == 0
    assert list((home / "mirrors").rglob("*")) == []


def test_one_process_at_a_time_fetches_although_each_takes_its_lock_away(tmp_path: Path) -> None:
    """Processes in a row for one lock: each finds the folder gone that the last one removed."""
    script = """if True:
        import os, sys
        from pathlib import Path
        from kuberian.git.mirror_lock import locked
        mirrors, count = Path(sys.argv[1]), Path(sys.argv[2])
        for _ in range(40):
            with locked(mirrors, mirrors / "host" / "org" / "shop.git", wait=True):
                before = int(count.read_text())
                os.sched_yield()
                count.write_text(str(before + 1))
    """
    mirrors, count = tmp_path / "mirrors", tmp_path / "count"
    count.write_text("0")
    command = [sys.executable, "-c", script, str(mirrors), str(count)]
    processes = [subprocess.Popen(command, cwd=Path(__file__).parents[1]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert count.read_text() == "120"
    assert not mirrors.exists()
