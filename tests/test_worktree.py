"""What is on disk is what is indexed: converted by git, kept from git's eyes, ignored, in submodules, not committed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from indexer import explain, index
from kuberian.git.status import from_json
from kuberian.store import repositories, snapshots
from kuberian.store.home import Home
from searcher import Result, Searcher
from tests.conftest import Run
from tests.sdists import commit_all, git


def found(question: str, **filters: str) -> dict[str, Result]:
    """The best result of each file."""
    with Searcher() as searcher:
        return {result.path: result for result in reversed(searcher.search(question, k=50, **filters).results)}  # type: ignore[arg-type]


def unwatched(root: Path) -> set[str]:
    """The files that the index keeps the time of because git does not."""
    with Home.at().writer() as connection:
        known = repositories.at_folder(connection, root)
        assert known is not None
        snapshot = snapshots.worktree(connection, known.id)
        assert snapshot is not None
        return set(from_json(snapshot.dirty)[1])


def check_out_again(root: Path) -> None:
    """Commit everything and have git write it anew."""
    commit_all(root)
    for path in git(root, "ls-files").splitlines():
        if not path.endswith(".gitattributes"):
            (root / path).unlink()
    git(root, "checkout", "-q", ".")
    assert git(root, "status", "--short") == ""


TURN = "def turn_the_wheel():\n    return 'größer als Ähren'\n"


@pytest.mark.parametrize(
    ("rule", "content"),
    [
        ("ident", ("# $Id$\n" + TURN).encode()),
        ("text working-tree-encoding=UTF-16", TURN.encode("utf-16")),
        ("text working-tree-encoding=UTF-16LE", TURN.encode("utf-16-le")),
        ("text working-tree-encoding=UTF-16LE-BOM", b"\xff\xfe" + TURN.encode("utf-16-le")),
        ("text working-tree-encoding=ISO-8859-1", TURN.encode("latin-1")),
        ("text working-tree-encoding=cp1252 eol=crlf", TURN.replace("\n", "\r\n").encode("cp1252")),
        ("text eol=crlf", TURN.replace("\n", "\r\n").encode()),
        ("filter=spelled", ("# $spelled\n" + TURN).encode()),
    ],
)
def test_a_file_that_git_converts_is_not_stale_while_git_calls_it_clean(
    repository: Path, rule: str, content: bytes
) -> None:
    git(repository, "config", "filter.spelled.clean", "sed 's/^# spelled out/# $spelled/'")
    git(repository, "config", "filter.spelled.smudge", "sed 's/^# [$]spelled/# spelled out/'")
    (repository / ".gitattributes").write_text(f"wheel.py {rule}\n")
    (repository / "wheel.py").write_bytes(content)
    check_out_again(repository)
    report = index(repository)
    assert report.files_indexed == 5
    result = found("turn the wheel größer als Ähren")["wheel.py"]
    assert not result.stale
    assert "größer als Ähren" in result.text
    again = index(repository)
    assert (again.files_unchanged, again.passages_embedded) == (5, 0)
    index(repository, revision="HEAD")
    assert "turn_the_wheel" in found("turn the wheel", at="HEAD")["wheel.py"].text


def test_a_pointer_of_git_lfs_stays_one_and_a_large_file_in_its_place_is_oversized(repository: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 3000000\n"
    git(repository, "config", "filter.lfs.clean", f"cat >/dev/null; printf '{pointer}'")
    git(repository, "config", "filter.lfs.smudge", "cat >/dev/null; yes 'x = 1' | head -c 3000000")
    (repository / ".gitattributes").write_text("*.py filter=lfs\nNOTES.md filter=nothing-does-this\n")
    (repository / "data.py").write_text(pointer)
    git(repository, "rm", "-q", "--cached", "-r", ".")
    check_out_again(repository)
    assert (repository / "data.py").stat().st_size == 3_000_000
    assert index(repository).files_skipped["oversized"] == 2
    (repository / "data.py").write_text(pointer)
    assert explain(repository / "data.py").skipped == "git-lfs pointer"
    assert explain(repository / "NOTES.md").skipped is None


def test_a_tracked_file_that_git_is_told_not_to_look_at_is_indexed_as_it_is_on_disk(repository: Path) -> None:
    for option, path in (("--skip-worktree", "server/auth.py"), ("--assume-unchanged", "client/retry.go")):
        git(repository, "update-index", option, path)
        with (repository / path).open("a") as file:
            file.write(
                "\n\ndef local_override():\n    pass\n" if path.endswith("py") else "\n\nfunc LocalOverride() {}\n"
            )
    assert git(repository, "status", "--short") == ""
    assert index(repository).files_indexed == 3
    results = found("local override")
    assert "local_override" in results["server/auth.py"].text
    assert "LocalOverride" in results["client/retry.go"].text
    assert not any(result.stale for result in results.values())
    assert unwatched(repository) == {"server/auth.py", "client/retry.go"}
    with (repository / "client" / "retry.go").open("a") as file:
        file.write("\n\nfunc BrewCoffee() {}\n")
    assert index(repository).files_unchanged == 2
    assert "BrewCoffee" in found("brew coffee")["client/retry.go"].text


def test_what_a_sparse_checkout_leaves_out_is_counted_and_explained(repository: Path, kuberian: Run) -> None:
    (repository / ".gitattributes").write_text("*.md linguist-vendored\n")
    (repository / ".kuberianignore").write_text("*.go\n")
    commit_all(repository)
    git(repository, "sparse-checkout", "set", "--no-cone", "/server/", "/client/")
    assert not (repository / "NOTES.md").exists()
    report = index(repository)
    assert report.files_indexed == 1
    assert report.files_skipped == {"in .kuberianignore": 1, "not checked out": 3}  # the rules hold all the same
    done = kuberian("explain", str(repository / "NOTES.md"))
    assert done.returncode == 1
    assert "not checked out" in done.stdout
    git(repository, "sparse-checkout", "disable")
    assert index(repository).files_skipped == {"in .kuberianignore": 1}


def test_search_finds_what_a_widened_sparse_checkout_brought(repository: Path, kuberian: Run) -> None:
    git(repository, "sparse-checkout", "set", "--cone", "client")
    index(repository)
    assert unwatched(repository) == {"server"}
    assert "server/auth.py" not in found("check a user's password")
    git(repository, "sparse-checkout", "add", "server")
    done = kuberian("search", "check a user's password", cwd=repository)
    assert done.stdout.startswith("server/auth.py:")
    assert unwatched(repository) == set()


@pytest.mark.parametrize("staged", [True, False])
def test_nothing_is_written_to_a_repository_with_a_sparse_index(repository: Path, kuberian: Run, staged: bool) -> None:
    def objects() -> set[Path]:
        return set((repository / ".git" / "objects").rglob("*"))

    (repository / ".gitattributes").write_text("*.md linguist-vendored\n")
    commit_all(repository)
    git(repository, "sparse-checkout", "set", "--cone", "--sparse-index", "client")
    if staged:
        (repository / "client" / "new.go").write_text("package client\n\nfunc BrewCoffee() {}\n")
        git(repository, "add", "--sparse", "client/new.go")
    before = objects()
    index(repository)
    index(repository, revision="HEAD")
    (repository / "client" / "new.go").write_text("package client\n\nfunc BakeBread() {}\n")
    assert "client/new.go" in kuberian("search", "BakeBread", cwd=repository).stdout
    assert kuberian("explain", str(repository / "client" / "new.go")).returncode == 0
    assert objects() == before


@pytest.mark.parametrize("place", [".kub", "server/.kub", "new/folder/.kub", "."])
def test_a_home_inside_of_the_repository_is_not_indexed(repository: Path, place: str, kuberian: Run) -> None:
    home = repository / place
    reports = [index(repository, home) for _ in range(3)]
    assert [report.files_indexed for report in reports] == [3, 3, 3]
    assert [report.files_skipped for report in reports] == [{}, {}, {}]
    assert reports[2].files_unchanged == 3
    assert git(repository, "status", "--short")  # as git has it, the home is there
    database = home / "kuberian.db"
    assert explain(database, home=home).skipped == "part of Kuberian's own index"
    assert kuberian("explain", str(database), KUBERIAN_HOME=str(home)).returncode == 1
    with Home.at(home).writer() as connection:
        (snapshot,) = snapshots.all_of(connection)
        assert from_json(snapshot.dirty) == ({}, {})


def test_a_home_that_was_committed_is_not_indexed_either(repository: Path) -> None:
    home = repository / "kub"
    home.mkdir()
    (home / "README.py").write_text("x = 1\n")
    commit_all(repository)
    assert index(repository, home).files_indexed == 3
    assert index(repository, home, revision="HEAD").files_indexed == 3


def test_a_line_of_kuberianignore_brings_back_what_git_ignores(repository: Path, kuberian: Run) -> None:
    (repository / ".gitignore").write_text("build/\n*.gen.py\nnode_modules/\n")
    for path in ("build/made.py", "build/deep/made.py", "table.gen.py", "node_modules/left/pad.js"):
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_text(f"made_by_a_program = {path!r}\n")
    assert index(repository).files_indexed == 4
    (repository / ".kuberianignore").write_text("!build/\n!/table.gen.py\nbuild/deep/\n")
    report = index(repository)
    assert report.files_indexed == 7
    assert set(found("made by a program")) >= {"build/made.py", "table.gen.py"}
    assert not {"node_modules/left/pad.js", "build/deep/made.py"} & set(found("made by a program"))
    assert unwatched(repository) == {"build/made.py", "table.gen.py"}
    assert kuberian("explain", str(repository / "build" / "made.py")).returncode == 0
    assert "ignored by git" in kuberian("explain", str(repository / "node_modules" / "left" / "pad.js")).stdout
    (repository / ".kuberianignore").unlink()
    assert index(repository).files_indexed == 4


@pytest.fixture
def with_submodule(repository: Path, tmp_path: Path) -> Path:
    """Make a repository with the other one as its submodule, and one more in that."""
    inmost = tmp_path / "inmost"
    inmost.mkdir()
    (inmost / "oven.py").write_text("def bake_bread(dough):\n    return dough\n")
    commit_all(inmost)
    allowed = ("-c", "protocol.file.allow=always")
    git(repository, *allowed, "submodule", "add", "-q", str(inmost), "parts/inmost")
    (repository / ".gitattributes").write_text("*.go linguist-generated\n")
    commit_all(repository)
    outer = tmp_path / "outer"
    outer.mkdir()
    (outer / "main.py").write_text("def main():\n    pass\n")
    git(outer, "init", "-q")
    git(outer, *allowed, "submodule", "add", "-q", str(repository), "lib/shop")
    git(outer, *allowed, "submodule", "update", "-q", "--init", "--recursive")
    commit_all(outer)
    return outer


def test_files_of_submodules_are_indexed_below_them_if_asked_for(with_submodule: Path) -> None:
    assert index(with_submodule).files_skipped == {"submodule": 1}
    report = index(with_submodule, submodules=True)
    assert report.files_skipped == {"generated": 1}
    assert report.files_indexed == 7
    auth = found("check a user's password")["lib/shop/server/auth.py"]
    assert not auth.stale
    assert "lib/shop/parts/inmost/oven.py" in found("bake bread")
    assert index(with_submodule).files_unchanged == 7  # as the last time
    oven = with_submodule / "lib" / "shop" / "parts" / "inmost" / "oven.py"
    oven.write_text(oven.read_text() + "\n\ndef knead():\n    pass\n")
    assert index(with_submodule).files_unchanged == 6
    assert "lib/shop/parts/inmost/oven.py" in unwatched(with_submodule)
    assert index(with_submodule, submodules=False).files_skipped == {"submodule": 1}


def test_a_revision_has_the_files_of_its_submodules_commits(with_submodule: Path) -> None:
    shop = with_submodule / "lib" / "shop"
    git(shop, "rm", "-q", "NOTES.md")
    git(shop, "commit", "-q", "-m", "no notes")
    git(with_submodule, "commit", "-q", "-a", "-m", "newer shop")
    assert index(with_submodule, revision="HEAD~1", submodules=True).files_indexed == 7
    assert index(with_submodule, revision="HEAD", submodules=True).files_indexed == 6
    assert "lib/shop/NOTES.md" in found("how is coffee brewed", at="HEAD~1")
    git(with_submodule, "submodule", "deinit", "-q", "--all")
    assert index(with_submodule, submodules=True).files_skipped == {"submodule": 1}


def test_a_repository_without_a_commit_is_indexed_as_it_is_staged(tmp_path: Path) -> None:
    root = tmp_path / "fresh"
    root.mkdir()
    (root / "oven.py").write_text("def bake_bread(dough):\n    return dough\n")
    (root / "draft.py").write_text("def knead(dough):\n    return dough\n")
    git(root, "init", "-q")
    git(root, "add", "oven.py")
    report = index(root)
    assert (report.files_indexed, report.head, report.revision) == (2, "", None)
    assert not found("bake bread")["oven.py"].stale
    assert index(root).files_unchanged == 2
    commit_all(root)
    assert index(root).head == git(root, "rev-parse", "HEAD")


def test_a_search_before_and_after_the_first_commit_finds_nothing_changed(tmp_path: Path, kuberian: Run) -> None:
    root = tmp_path / "fresh"
    root.mkdir()
    (root / "oven.py").write_text("def bake_bread(dough):\n    return dough\n")
    git(root, "init", "-q")
    git(root, "add", "oven.py")
    assert kuberian("index", cwd=root).returncode == 0
    assert kuberian("status").returncode == 0
    for _ in range(2):
        done = kuberian("search", "--json", "--no-refresh", "bake bread", cwd=root)
        assert done.returncode == 0, done.stderr
        commit_all(root)


def test_a_folder_in_a_repository_stands_for_all_of_it(repository: Path, kuberian: Run) -> None:
    done = kuberian("index", "-q", str(repository / "server"))
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert f"all of {repository} is indexed" in done.stderr
    assert kuberian("index", "-q", str(repository)).stderr == ""
    assert "client/retry.go" in found("retry until it succeeds")


def test_a_missing_object_costs_one_file_and_rules_that_are_missing_cost_none(repository: Path) -> None:
    (repository / ".gitattributes").write_text("*.md linguist-vendored\n")
    (repository / ".kuberianignore").write_text("*.go\n")
    commit_all(repository)
    for path in (".gitattributes", ".kuberianignore", "NOTES.md"):
        oid = git(repository, "rev-parse", f"HEAD:{path}")
        (repository / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
        (repository / path).unlink()
    report = index(repository, revision="HEAD")
    assert report.files_skipped == {"missing object": 3}
    assert report.files_indexed == 2


def test_nothing_is_fetched_for_the_rules_of_a_partial_clone(repository: Path, tmp_path: Path) -> None:
    (repository / ".gitattributes").write_text("*.md linguist-vendored\n")
    commit_all(repository)
    (repository / ".gitattributes").write_text("*.md linguist-generated\n")
    commit_all(repository)
    git(repository, "config", "uploadpack.allowFilter", "true")
    part = tmp_path / "part"
    git(tmp_path, "clone", "-q", "--filter=blob:none", repository.as_uri(), str(part))
    before = set((part / ".git" / "objects").rglob("*"))
    report = index(part, revision="HEAD~1")
    assert report.files_skipped == {"missing object": 1}
    sparse = tmp_path / "sparse"
    git(tmp_path, "clone", "-q", "--filter=blob:none", "--no-checkout", repository.as_uri(), str(sparse))
    git(sparse, "sparse-checkout", "set", "--no-cone", "/server/")
    git(sparse, "checkout", "-q", "main")
    assert index(sparse).files_skipped == {"not checked out": 3}
    assert set((part / ".git" / "objects").rglob("*")) == before


def test_a_missing_tree_is_told_in_one_line(repository: Path, kuberian: Run) -> None:
    oid = git(repository, "rev-parse", "HEAD:server")
    (repository / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    done = kuberian("index", str(repository), "--rev", "HEAD")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert oid in done.stderr


def test_a_range_is_not_taken_for_one_revision(repository: Path) -> None:
    from indexer import index_several
    from kuberian.errors import UsageError

    git(repository, "tag", "v1")
    commit_all(repository)
    git(repository, "tag", "v2")
    for revision in ("v1..v2", "v1...v2", "..v2"):
        with pytest.raises(UsageError, match="range"):
            index(repository, revision=revision)
    with pytest.raises(UsageError, match="what to index"):
        index_several(repository)
    for options in ({"budget": 0}, {"budget": -1}, {"max_bytes": 0}):
        with pytest.raises(UsageError):
            index_several(repository, tags="v*", **options)  # type: ignore[arg-type]


def test_reading_rules_of_a_revision_writes_nothing_to_the_repository(repository: Path) -> None:
    (repository / ".gitattributes").write_text("*.md linguist-vendored\n")
    git(repository, "config", "core.splitIndex", "true")
    commit_all(repository)

    def state() -> dict[str, int]:
        return {str(file): file.stat().st_mtime_ns for file in repository.rglob("*") if file.is_file()}

    before = state()
    index(repository, revision="HEAD")
    assert state() == before
    assert os.environ.get("GIT_INDEX_FILE") is None
    subprocess.run(["git", "fsck"], cwd=repository, check=True, capture_output=True)
