"""Whatever git's variables say where Kuberian is started, it reads the repository it was given, and writes to none."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from kuberian.git.command import LOCAL_VARIABLES, environment
from tests.conftest import Run
from tests.sdists import commit_all, git


def local_variables() -> list[str]:
    """What git itself says that leads it to one repository."""
    return subprocess.run(
        ["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True
    ).stdout.split()


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """The user's own repository, which nobody asked about: two branches, a tag, a remote, staged changes."""
    root = tmp_path / "precious"
    root.mkdir()
    (root / "mine.py").write_text("def only_in_precious():\n    return 1\n")
    commit_all(root)
    git(root, "branch", "work")
    git(root, "tag", "mytag")
    git(root, "remote", "add", "origin", "https://example.org/mine.git")
    (root / "staged.py").write_text("staged = 1\n")
    git(root, "add", "staged.py")
    return root


def everything(root: Path) -> dict[str, bytes]:
    """All bytes below a folder."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def hostile(name: str, precious: Path) -> dict[str, str]:
    """The most misleading value of a variable."""
    own = precious / ".git"
    values = {
        "GIT_DIR": own,
        "GIT_COMMON_DIR": own,
        "GIT_WORK_TREE": precious,
        "GIT_INDEX_FILE": own / "index",
        "GIT_OBJECT_DIRECTORY": own / "objects",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": own / "objects",
        "GIT_CONFIG": own / "config",
        "GIT_CONFIG_PARAMETERS": f"'core.worktree={precious}' 'core.bare=true'",
        "GIT_CONFIG_COUNT": "1",
        "GIT_SHALLOW_FILE": own / "config",
        "GIT_GRAFT_FILE": own / "config",
        "GIT_PREFIX": "server/",
        "GIT_IMPLICIT_WORK_TREE": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_REPLACE_REF_BASE": "refs/heads/",
        "GIT_INTERNAL_SUPER_PREFIX": "sub/",
    }
    more = {"GIT_CONFIG_KEY_0": "core.worktree", "GIT_CONFIG_VALUE_0": str(precious)}
    return {name: str(values.get(name, own)), **(more if name == "GIT_CONFIG_COUNT" else {})}


def test_every_variable_that_git_names_is_known() -> None:
    assert set(local_variables()) <= LOCAL_VARIABLES | {"GIT_CONFIG_COUNT"}


@pytest.mark.parametrize("name", [*local_variables(), "all of them", "GIT_DIR and GIT_WORK_TREE", "not valid"])
def test_no_variable_leads_to_another_repository(
    repository: Path, precious: Path, kuberian: Run, home: Path, name: str
) -> None:
    variables: dict[str, str] = {}
    for each in local_variables():
        if name in (each, "all of them") or each in name.split(" and "):
            variables |= hostile(each, precious)
        elif name == "not valid":
            variables[each] = str(precious)
    git(repository, "tag", "v1")
    before, of_repository = everything(precious), everything(repository)

    done = kuberian("index", "--json", str(repository), **variables)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["path"], report["files_indexed"]) == (str(repository), 3)
    clone = kuberian("index", "--json", repository.as_uri(), **variables)
    assert clone.returncode == 0, clone.stderr
    assert json.loads(clone.stdout)["files_indexed"] == 3
    assert json.loads(clone.stdout)["path"].startswith(str(home))
    assert kuberian("index", "--rev", "v1", str(repository), **variables).returncode == 0

    (repository / "new.py").write_text("def evict_oldest_entry(cache):\n    cache.popitem(last=False)\n")
    of_repository["new.py"] = (repository / "new.py").read_bytes()
    found = json.loads(kuberian("search", "--json", "evict_oldest_entry", cwd=repository, **variables).stdout)
    assert (found["results"][0]["path"], found["changed_files"]) == ("new.py", 0)
    assert kuberian("search", "--at", "v1", "check a password", cwd=repository, **variables).returncode == 0
    assert "v1" in kuberian("when", "LoginManager.authenticate", cwd=repository, **variables).stdout
    assert str(precious) not in kuberian("status", **variables).stdout
    assert kuberian("explain", str(repository / "NOTES.md"), **variables).returncode == 0
    assert everything(precious) == before
    assert everything(repository) == of_repository


def test_from_a_hook_of_a_linked_worktree_the_repository_that_was_asked_for_is_indexed(
    repository: Path, precious: Path, home: Path, tmp_path: Path
) -> None:
    git(precious, "worktree", "add", "-q", str(tmp_path / "linked"), "work")
    hook = precious / ".git" / "hooks" / "post-commit"
    hook.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "kuberian", "index", "--quiet", "--home", str(home)]
    addresses = (repository.as_uri(), str(tmp_path / "linked"))
    lines = "\n".join(shlex.join([*command, address]) + " || exit 1" for address in addresses)
    hook.write_text(f"#!/bin/sh\nset > {shlex.quote(str(tmp_path / 'variables'))}\n{lines}\n")
    hook.chmod(0o755)
    before = git(precious, "for-each-ref", "refs/heads/main", "refs/tags"), git(precious, "config", "remote.origin.url")
    (tmp_path / "linked" / "hooked.py").write_text("def written_before_the_hook():\n    return 1\n")
    commit_all(tmp_path / "linked")
    assert "GIT_DIR=" in (tmp_path / "variables").read_text()  # else this test shows nothing
    after = git(precious, "for-each-ref", "refs/heads/main", "refs/tags"), git(precious, "config", "remote.origin.url")
    assert after == before
    from kuberian.store.home import Home
    from kuberian.store.status import status

    found = {snapshot.path: snapshot.files for snapshot in status(Home(home)).snapshots}
    assert found[str(tmp_path / "linked")] == 2
    assert sorted(found.values()) == [2, 3]


def test_a_repository_that_vanished_is_not_mistaken_for_the_one_around_it(precious: Path, kuberian: Run) -> None:
    inner = precious / "vendor" / "inner"
    inner.mkdir(parents=True)
    (inner / "a.py").write_text("def inner_function():\n    return 1\n")
    commit_all(inner)
    assert kuberian("index", str(inner)).returncode == 0
    (inner / ".git").rename(inner / "was.git")
    done = kuberian("search", "--json", "--repo", str(inner), "inner_function")
    assert json.loads(done.stdout)["changed_files"] is None


def test_configuration_by_environment_reaches_git_where_git_could_read_it() -> None:
    whole = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    assert environment(whole).items() >= whole.items()
    for broken in ({"GIT_CONFIG_COUNT": "x"}, {**whole, "GIT_CONFIG_COUNT": "2"}):
        assert "GIT_CONFIG_COUNT" not in environment(broken)


def test_nothing_is_started_or_fetched_on_behalf_of_the_repository(
    repository: Path, kuberian: Run, tmp_path: Path
) -> None:
    """A file system monitor is a program of the repository's choice; a partial clone's objects are on a network."""
    witness = tmp_path / "witness"
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch {witness}\n")
    monitor.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(monitor))
    git(repository, "config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "partial"
    git(tmp_path, "clone", "-q", "--bare", "--filter=blob:none", repository.as_uri(), str(clone))
    before = everything(clone)
    done = kuberian("index", "--json", str(clone))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files_skipped"] == {"missing object": 3}
    assert everything(clone) == before
    assert kuberian("index", str(repository)).returncode == 0
    assert not witness.exists()


def test_a_bare_folder_whose_configuration_does_not_say_so_is_itself(
    repository: Path, kuberian: Run, tmp_path: Path
) -> None:
    bare = repository / "mirror.git"
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(bare))
    git(bare, "config", "--unset", "core.bare")
    report = json.loads(kuberian("index", "--json", str(bare)).stdout)
    assert (report["path"], report["files_indexed"]) == (str(bare), 3)


def test_an_address_whose_objects_have_long_ids_is_cloned(tmp_path: Path, kuberian: Run) -> None:
    root = tmp_path / "long"
    root.mkdir()
    git(root, "init", "-q", "--object-format=sha256")
    (root / "a.py").write_text("def long_ids():\n    return 1\n")
    commit_all(root)
    for _ in range(2):
        done = kuberian("index", "--json", root.as_uri())
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["files_indexed"] == 1


def test_contents_are_those_of_their_ids_whatever_the_repository_puts_in_their_place(
    repository: Path, kuberian: Run, tmp_path: Path
) -> None:
    """A home keeps contents by their ids, for all its repositories: one must not spoil the answers of another."""
    other = tmp_path / "other.git"
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(other))
    oid = git(other, "rev-parse", "HEAD:server/auth.py")
    (tmp_path / "spoilt").write_text("def spoilt_content():\n    pass\n")
    git(other, "replace", oid, git(other, "hash-object", "-w", str(tmp_path / "spoilt")))
    assert kuberian("index", str(other)).returncode == 0
    assert kuberian("index", str(repository)).returncode == 0
    assert "authenticate" in kuberian("search", "--repo", str(repository), "authenticate").stdout
    assert "spoilt_content" not in kuberian("search", "--all", "spoilt_content").stdout


def test_a_damaged_object_is_missing_not_something_else(repository: Path, kuberian: Run, tmp_path: Path) -> None:
    other = tmp_path / "damaged.git"
    git(tmp_path, "clone", "-q", "--bare", "--no-hardlinks", str(repository), str(other))
    for pack in (other / "objects" / "pack").glob("*.pack"):
        data = pack.read_bytes()
        pack.unlink()
        subprocess.run(["git", "unpack-objects", "-q"], cwd=other, input=data, check=True)
    oid = git(other, "rev-parse", "HEAD:server/auth.py")
    file = other / "objects" / oid[:2] / oid[2:]
    wrong = b"def another_content():\n    pass\n"
    file.chmod(0o644)
    file.write_bytes(zlib.compress(b"blob %d\0" % len(wrong) + wrong))
    done = kuberian("index", "--json", str(other))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files_skipped"] == {"missing object": 1}


def test_a_working_tree_elsewhere_is_the_one_that_the_repository_names(tmp_path: Path, kuberian: Run) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "a.py").write_text("def in_the_working_tree():\n    return 1\n")
    (tmp_path / "own").mkdir()
    git(tmp_path / "own", "init", "-q")
    git(tmp_path / "own", "config", "core.worktree", str(tmp_path / "work"))
    git(tmp_path / "own", "add", "-A")
    git(tmp_path / "own", "commit", "-q", "-m", "one")
    report = json.loads(kuberian("index", "--json", str(tmp_path / "own")).stdout)
    assert (report["path"], report["files_indexed"]) == (str(tmp_path / "work"), 1)


def test_a_vanished_repository_below_a_folder_with_a_colon_is_not_the_one_around_it(
    tmp_path: Path, kuberian: Run
) -> None:
    outer, inner = tmp_path / "a:b" / "outer", tmp_path / "a:b" / "outer" / "inner"
    inner.mkdir(parents=True)
    (inner / "a.py").write_text("def inner_function():\n    return 1\n")
    commit_all(outer)
    commit_all(inner)
    assert kuberian("index", str(inner)).returncode == 0
    shutil.rmtree(inner / ".git")
    kuberian("search", "--repo", str(inner), "inner_function")
    assert f"({outer}" not in kuberian("status").stdout


def test_revisions_of_a_bare_repository_are_found_where_git_wants_it_named(
    repository: Path, kuberian: Run, tmp_path: Path
) -> None:
    git(repository, "tag", "v1")
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(tmp_path / "bare.git"))
    explicit = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.bareRepository", "GIT_CONFIG_VALUE_0": "explicit"}
    assert kuberian("index", str(tmp_path / "bare.git"), "--rev", "v1", **explicit).returncode == 0
    assert kuberian("search", "--at", "v1", "check a password", **explicit).returncode == 0
    assert "v1" in kuberian("when", "LoginManager.authenticate", **explicit).stdout
