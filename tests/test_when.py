"""When something came into a repository and when it went."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from indexer import index, index_several
from kuberian.errors import UsageError
from kuberian.store import repositories, snapshots
from kuberian.store.connection import transaction
from kuberian.store.home import Home
from kuberian.store.snapshots import SnapshotState
from searcher import Searcher, when
from tests.conftest import Run
from tests.sdists import commit_all, git

LIMITER = "class RateLimiter:\n    def allow(self, client):\n        return self.tokens[client] > 0\n"
BETTER = LIMITER.replace("> 0", ">= self.cost")


@pytest.fixture
def history(repository: Path) -> Path:
    """Tags v1 (nothing), v2 (a rate limiter), v3 (a better one, moved), v4 (nothing again)."""

    def tag(name: str) -> None:
        commit_all(repository, name)
        git(repository, "tag", name)

    tag("v1")
    (repository / "limits.py").write_text(LIMITER)
    tag("v2")
    (repository / "limits.py").unlink()
    (repository / "server" / "limits.py").write_text(BETTER)
    tag("v3")
    (repository / "server" / "limits.py").unlink()
    tag("v4")
    index_several(repository, tags="v*")
    return repository


def test_something_comes_changes_and_goes(history: Path) -> None:
    found = when("rate limiter")
    assert [moment.name for moment in found.moments] == ["v1", "v2", "v3", "v4"]
    life = found.lives[0]
    assert (life.symbol, life.path) == ("RateLimiter", "server/limits.py")
    assert life.went is not None
    assert [life.came.name, *(moment.name for moment in life.changed), life.last.name, life.went.name] == [
        "v2",
        "v3",
        "v3",
        "v4",
    ]


def test_what_was_always_there_still_is_in_the_working_tree(history: Path) -> None:
    index(history)
    life = when("check a user's password", k=1).lives[0]
    assert life.came.name == "v1"
    assert life.changed == ()
    assert (life.last.revision, life.went) == (None, None)


def test_what_has_no_name_is_followed_by_its_text(history: Path) -> None:
    (history / "run.sh").write_text("echo grinding the beans\n")
    commit_all(history)
    git(history, "tag", "v5")
    index(history, revision="v5")
    life = when("grinding beans", k=1).lives[0]
    assert (life.path, life.start_line, life.came.name, life.went) == ("run.sh", 1, "v5", None)


def test_more_answers_follow_the_first(history: Path) -> None:
    few, many = when("password", k=1), when("password", k=3)
    assert many.lives[:1] == few.lives
    assert len(many.lives) == 3
    assert len({(life.symbol, life.path) for life in many.lives}) == 3


def test_when_is_printed_for_people_and_for_programs(history: Path, kuberian: Run) -> None:
    done = kuberian("when", "rate limiter", "-k", "1", cwd=history)
    assert done.returncode == 0, done.stderr
    today = git(history, "log", "-1", "--format=%cd", "--date=format:%Y-%m-%d")
    assert done.stdout.splitlines()[1:] == [
        "RateLimiter server/limits.py:1".replace(" ", "\t"),
        f"  first in v2 ({today}); changed in v3 ({today}); gone in v4 ({today})",
    ]
    as_json = json.loads(kuberian("when", "--json", "rate limiter", "-k", "1", cwd=history).stdout)
    assert as_json["lives"][0]["came"]["tags"] == ["v2"]


def test_one_repository_is_asked(history: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.py").write_text(LIMITER)
    commit_all(other)
    index(other)
    with pytest.raises(UsageError, match="--repo"):
        when("rate limiter")
    assert when("rate limiter", repository="other").lives[0].path == "a.py"


def test_nothing_answers(history: Path, kuberian: Run) -> None:
    done = kuberian("when", "zxqv wvut", cwd=history)
    assert done.returncode == 1
    assert "nothing here answers that" in done.stderr


def test_a_branch_that_moved_is_asked_as_it_is_now(repository: Path) -> None:
    index(repository, revision="main", meaning=False)
    with Searcher() as searcher:
        assert searcher.search("added_later", at="main").results == ()
        (repository / "later.py").write_text("def added_later():\n    return 1\n")
        commit_all(repository)
        index(repository, revision="main", meaning=False)
        assert searcher.search("added_later", at="main").results[0].path == "later.py"
        git(repository, "reset", "-q", "--hard", "HEAD~1")  # both commits are indexed; nothing is indexed now
        assert searcher.search("added_later", at="main").results == ()


def test_more_revisions_than_a_command_line_holds_are_followed(repository: Path) -> None:
    commits = "".join(
        f"commit refs/heads/long\nmark :{number}\ncommitter T <t@example.org> {1_700_000_000 + number} +0000\n"
        f"data 1\nx\n{'from refs/heads/main^0' if number == 1 else ''}\n"
        for number in range(1, 45_001)
    )
    subprocess.run(["git", "fast-import", "--quiet"], cwd=repository, input=commits.encode(), check=True)
    git(repository, "tag", "v1", "long~44999")
    index(repository, revision="v1", meaning=False)
    revisions = git(repository, "rev-list", "long", "^v1").splitlines()
    with Home.at().writer() as connection, transaction(connection):
        known = repositories.at_folder(connection, repository)
        assert known is not None
        for revision in revisions:
            snapshots.put(connection, known.id, SnapshotState(revision, True, revision, None, None))
    found = when("password", k=1)
    assert len(found.moments) == 45_000
    life = found.lives[0]
    assert (life.came.name, life.came.date) == ("v1", "2023-11-14T22:13:21+00:00")
    assert found.moments[-1].date == "2023-11-15T10:43:20+00:00"
