"""Wrong input gets one line that says what is wrong, the right exit status, and loses nothing."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import struct
from pathlib import Path

import pytest

import kuberian as package
from tests.conftest import Run
from tests.sdists import commit_all, git

BUNDLED = Path(package.__file__).parent / "checkpoints" / "all-MiniLM-L6-v2"


def refused(run: Run, *arguments: str, status: int, says: str, **options: str) -> None:
    done = run(*arguments, **options)
    assert done.returncode == status, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("kuberian: ")
    assert says in done.stderr
    assert done.stdout == ""


@pytest.fixture
def indexed(kuberian: Run, repository: Path) -> Path:
    done = kuberian("index", str(repository))
    assert done.returncode == 0, done.stderr
    return repository


@pytest.fixture
def still_there(indexed: Path, kuberian: Run):  # type: ignore[no-untyped-def]
    """After the test, what was indexed before is still found."""
    yield
    done = kuberian("search", "check a user's password", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"][0]["path"] == "server/auth.py"


@pytest.mark.usefixtures("still_there")
class TestIndex:
    def test_no_such_folder(self, kuberian: Run, tmp_path: Path) -> None:
        refused(kuberian, "index", str(tmp_path / "nowhere"), status=3, says="does not exist")

    def test_a_file(self, kuberian: Run, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        refused(kuberian, "index", str(tmp_path / "file"), status=3, says="not a folder")

    def test_not_a_repository(self, kuberian: Run, tmp_path: Path) -> None:
        (tmp_path / "plain").mkdir()
        refused(kuberian, "index", str(tmp_path / "plain"), status=3, says="not a git repository")

    def test_a_repository_without_commits(self, kuberian: Run, tmp_path: Path) -> None:
        (tmp_path / "new").mkdir()
        git(tmp_path / "new", "init", "-q")
        refused(kuberian, "index", str(tmp_path / "new"), status=3, says="no commits yet")
        (tmp_path / "new" / "a.py").write_text("x = 1\n")
        refused(kuberian, "index", str(tmp_path / "new"), "--rev", "HEAD", status=3, says="no commits yet")

    def test_a_repository_that_git_does_not_trust(self, kuberian: Run, indexed: Path) -> None:
        # git's own switch for its tests: as if somebody else owned all repositories
        other = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
        refused(kuberian, "index", str(indexed), status=3, says="config --global --add safe.directory", **other)

    def test_an_empty_repository(self, kuberian: Run, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        commit_all(tmp_path / "empty")
        refused(kuberian, "index", str(tmp_path / "empty"), status=3, says="no files")

    def test_a_damaged_repository(self, kuberian: Run, indexed: Path, tmp_path: Path) -> None:
        broken = tmp_path / "broken"
        shutil.copytree(indexed, broken)
        (broken / ".git" / "index").write_bytes(b"no index")
        refused(kuberian, "index", str(broken), status=3, says="git cannot read")

    def test_an_unknown_revision(self, kuberian: Run, indexed: Path) -> None:
        refused(kuberian, "index", str(indexed), "--rev", "v9", status=3, says="no revision 'v9'")
        refused(kuberian, "index", str(indexed), "--rev=--all", status=3, says="no revision '--all'")

    def test_a_home_that_cannot_be_written(self, kuberian: Run, indexed: Path) -> None:
        refused(kuberian, "index", str(indexed), "--home", "/proc/kuberian", status=3, says="cannot be written")
        (indexed / "file").touch()
        refused(kuberian, "index", str(indexed), "--home", str(indexed / "file"), status=3, says="cannot be written")

    def test_a_size_that_makes_no_sense(self, kuberian: Run, indexed: Path) -> None:
        refused(kuberian, "index", str(indexed), "--max-bytes", "-1", status=2, says="at least 1 byte")
        refused(kuberian, "index", str(indexed), "--max-bytes", "many", status=2, says="not a valid int")

    def test_a_budget_that_makes_no_sense(self, kuberian: Run, indexed: Path) -> None:
        for budget in ("soon", ""):
            refused(kuberian, "index", str(indexed), f"--budget={budget}", status=2, says="is no time")
        for budget in ("-5", "0s", "nan"):
            refused(kuberian, "index", str(indexed), f"--budget={budget}", status=2, says="more than 0 seconds")

    def test_an_unknown_option_or_command(self, kuberian: Run) -> None:
        refused(kuberian, "index", "--fast", status=2, says="No such option")
        refused(kuberian, "reindex", status=2, says="No such command")

    def test_a_model_folder_that_lacks_a_file(self, kuberian: Run, indexed: Path, tmp_path: Path) -> None:
        refused(kuberian, "index", str(indexed), "--model", str(tmp_path / "none"), status=3, says="none")
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            folder = tmp_path / f"without-{name}"
            shutil.copytree(BUNDLED, folder)
            (folder / name).unlink()
            refused(kuberian, "index", str(indexed), "--model", str(folder), status=3, says=name)

    def test_a_model_that_is_no_bert(self, kuberian: Run, indexed: Path, tmp_path: Path) -> None:
        folder = tmp_path / "gpt"
        shutil.copytree(BUNDLED, folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "model_type": "gpt2"}))
        refused(kuberian, "index", str(indexed), "--model", str(folder), status=3, says="gpt2")

    def test_a_damaged_safetensors_file(self, kuberian: Run, indexed: Path, tmp_path: Path) -> None:
        folder = tmp_path / "damaged"
        shutil.copytree(BUNDLED, folder)
        weights = folder / "model.safetensors"
        whole = weights.read_bytes()
        for damaged in (b"", whole[:1000], whole[: len(whole) // 2], struct.pack("<Q", 1 << 60) + whole[8:]):
            weights.write_bytes(damaged)
            refused(kuberian, "index", str(indexed), "--model", str(folder), status=3, says="model.safetensors")


@pytest.mark.usefixtures("still_there")
class TestSearch:
    def test_an_empty_question(self, kuberian: Run) -> None:
        refused(kuberian, "search", "", status=2, says="question is empty")
        refused(kuberian, "search", "  \n ", status=2, says="question is empty")
        refused(kuberian, "search", status=2, says="Missing argument")

    def test_a_question_of_100000_characters(self, kuberian: Run) -> None:
        refused(kuberian, "search", "why " * 25_000, status=2, says="characters")

    def test_an_unknown_repository_language_or_revision(self, kuberian: Run) -> None:
        refused(kuberian, "search", "password", "--repo", "nothing", status=3, says="'nothing'")
        refused(kuberian, "search", "password", "--lang", "klingon", status=2, says="klingon")
        refused(kuberian, "search", "password", "--at", "v9", status=3, says="'v9' is not indexed")

    def test_a_number_of_results_that_makes_no_sense(self, kuberian: Run) -> None:
        refused(kuberian, "search", "password", "-k", "0", status=2, says="-k must be")
        refused(kuberian, "search", "password", "-k", "100000", status=2, says="-k must be")

    def test_a_home_without_an_index(self, kuberian: Run, tmp_path: Path) -> None:
        refused(kuberian, "search", "password", "--home", str(tmp_path / "new"), status=3, says="kuberian index")
        assert not (tmp_path / "new").exists()
        refused(kuberian, "forget", "shop", "--home", str(tmp_path / "new"), status=3, says="kuberian index")

    @pytest.mark.parametrize(
        "question",
        ['"', '"password', "pass*", "NEAR(password user, 2)", "password -user", "password AND", "OR", "a:b", "^user",
         "{user}", "symbol:authenticate", "'; DROP TABLE chunks; --", "%s %d", "\\", "(", "password)", "--", "*", "+",
         "pass\0word", "\ud800", "пароль", "🔑", "where's the user's password?"],
    )  # fmt: skip
    def test_any_characters_may_be_asked(self, question: str, indexed: Path) -> None:
        from searcher import Searcher

        with Searcher() as searcher:
            for result in searcher.search(question).results:
                assert result.path

    def test_a_question_in_full_text_syntax_means_its_words(self, kuberian: Run) -> None:
        done = kuberian("search", "NEAR(password* -user)", "--json")
        assert json.loads(done.stdout)["results"][0]["path"] == "server/auth.py"
        refused(kuberian, "search", "-user", status=2, says="goes after --")
        assert kuberian("search", "--", "-user password").returncode == 0


def test_nothing_is_found_where_nothing_answers(kuberian: Run, indexed: Path) -> None:
    done = kuberian("search", "xyzzy plugh frobnicate")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "kuberian: nothing here answers that\n"


def test_a_damaged_database_is_left_alone_until_it_is_built_anew(kuberian: Run, indexed: Path, home: Path) -> None:
    database = home / "kuberian.db"
    whole = database.read_bytes()
    for damaged in (b"this is no database" * 100, whole[:100] + os.urandom(4000) + whole[4100:], whole[:5000]):
        database.write_bytes(damaged)
        for command in (["search", "password"], ["status"], ["forget", "shop"]):
            refused(kuberian, *command, status=3, says=str(database))
        assert database.read_bytes() == damaged
    database.write_bytes(whole)
    assert kuberian("search", "password").returncode == 0
    database.write_bytes(damaged)
    assert kuberian("index", str(indexed)).returncode == 0
    assert kuberian("search", "password").returncode == 0
    assert damaged in [file.read_bytes() for file in home.glob("kuberian.db.damaged-*")]


def test_a_home_of_a_newer_version_is_refused(kuberian: Run, indexed: Path, home: Path) -> None:
    with sqlite3.connect(home / "kuberian.db") as connection:
        connection.execute("PRAGMA user_version = 999")
    (home / "kuberian.sum").unlink()
    for command in (["search", "password"], ["index", str(indexed)], ["status"]):
        refused(kuberian, *command, status=3, says="newer Kuberian")


def test_a_lost_or_cut_faiss_file_changes_no_answer(kuberian: Run, indexed: Path, home: Path) -> None:
    before = kuberian("search", "twice as long after each failure", "--json").stdout
    (file,) = (home / "vectors").iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    assert kuberian("search", "twice as long after each failure", "--json").stdout == before
    file.unlink()
    assert kuberian("search", "twice as long after each failure", "--json").stdout == before
    assert kuberian("index", str(indexed)).returncode == 0
    (rewritten,) = (home / "vectors").iterdir()
    assert rewritten != file
    assert kuberian("search", "twice as long after each failure", "--json").stdout == before


def test_an_index_run_that_is_refused_says_who_holds_the_home(kuberian: Run, indexed: Path, home: Path) -> None:
    from kuberian.store.home import Home

    with Home(home).writer():
        refused(kuberian, "index", str(indexed), status=3, says=f"process {os.getpid()} (since ")
        assert kuberian("search", "password").returncode == 0  # a search does not wait
    assert kuberian("index", str(indexed)).returncode == 0


def test_a_repository_that_calls_itself_bare_has_its_folders_name(repository: Path, kuberian: Run) -> None:
    git(repository, "config", "core.bare", "true")
    done = kuberian("index", "-q", str(repository / "server"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert "git config core.bare false" in done.stderr
    (snapshot,) = json.loads(kuberian("status", "--json").stdout)["snapshots"]
    assert (snapshot["repository"], snapshot["path"]) == ("shop", str(repository))
    found = kuberian("search", "--json", "check a user's password", cwd=repository / "server")
    assert json.loads(found.stdout)["results"][0]["path"] == "server/auth.py"


@pytest.mark.parametrize("place", [".git", ".bare"])
def test_a_bare_clone_among_its_worktrees_has_their_folders_name(
    repository: Path, tmp_path: Path, place: str, kuberian: Run
) -> None:
    folder = tmp_path / "trees"
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(folder / place))
    if place != ".git":
        (folder / ".git").write_text(f"gitdir: ./{place}\n")
    git(folder, "worktree", "add", "-q", "main")
    for path in (folder, folder / place):
        done = kuberian("index", "-q", str(path))
        assert (done.returncode, done.stderr) == (0, "")
    assert kuberian("index", "-q", str(folder / "main")).returncode == 0
    shown = json.loads(kuberian("status", "--json").stdout)["snapshots"]
    assert sorted(snapshot["repository"] for snapshot in shown) == ["main", "trees"]


def test_a_submodule_that_calls_itself_bare_does_not_end_the_run(repository: Path, tmp_path: Path) -> None:
    from indexer import index

    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    shutil.copytree(repository, outer / "shop")  # with a `.git` of its own, as submodules had once
    git(outer, "add", "shop")
    (outer / "main.py").write_text("def main():\n    pass\n")
    commit_all(outer)
    git(outer / "shop", "config", "core.bare", "true")
    report = index(outer, submodules=True)
    assert (report.files_indexed, report.files_skipped) == (1, {"submodule": 1})


def test_a_repository_whose_objects_are_gone_is_not_told_to_commit(repository: Path, kuberian: Run) -> None:
    git(repository, "tag", "-a", "-m", "first", "v1")
    git(repository, "pack-refs", "--all")
    clone = repository.parent / "clone.git"
    git(repository.parent, "clone", "-q", "--bare", str(repository), str(clone))
    for objects in (repository / ".git" / "objects", clone / "objects"):
        shutil.rmtree(objects)
        objects.mkdir()
    for arguments in ([str(repository)], [str(clone)], *([str(repository), "--rev", name] for name in ("HEAD", "v1"))):
        refused(kuberian, "index", *arguments, status=3, says="run `git fsck` in it, or clone it again")
    refused(kuberian, "index", str(repository), "--rev", "0" * 40, status=3, says="no revision")


def test_a_tag_whose_commit_is_gone_is_said_to_be_unreadable(repository: Path, kuberian: Run) -> None:
    (repository / "new.py").write_text("x = 1\n")
    commit_all(repository)
    oid = git(repository, "rev-parse", "HEAD")
    git(repository, "tag", "-a", "-m", "second", "v2")
    git(repository, "reset", "-q", "--hard", "HEAD~1")
    (repository / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    refused(kuberian, "index", str(repository), "--rev", "v2", status=3, says="git fsck")
    git(repository, "tag", "tree", "HEAD^{tree}")
    refused(kuberian, "index", str(repository), "--rev", "tree", status=3, says="no revision 'tree'")


def test_a_head_without_commits_beside_other_branches_is_named(repository: Path, kuberian: Run) -> None:
    git(repository, "symbolic-ref", "HEAD", "refs/heads/unborn")
    refused(kuberian, "index", str(repository), "--rev", "HEAD", status=3, says="at its HEAD, unborn: name a revision")


def test_a_broken_git_folder_is_not_told_to_begin_anew(repository: Path, tmp_path: Path, kuberian: Run) -> None:
    (repository / ".git" / "HEAD").unlink()
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / ".git").write_text("gitdir: /nowhere/at/all\n")
    for folder in (repository, repository / "server", moved):
        refused(kuberian, "index", str(folder), status=3, says="for no repository, as it lacks a part or leads nowhere")
