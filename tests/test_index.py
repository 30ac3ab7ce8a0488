"""What indexing keeps, reuses and leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer import index
from kuberian.errors import RepositoryError, UsageError
from searcher import Searcher
from tests.sdists import commit_all, git


def paths(question: str, **filters: str) -> list[str]:
    with Searcher() as searcher:
        return [result.path for result in searcher.search(question, **filters).results]  # type: ignore[arg-type]


def test_index_then_search_finds_the_code(repository: Path) -> None:
    report = index(repository)
    assert report.files_indexed == 3
    assert report.coverage == 1.0
    assert report.passages_embedded == report.chunks > 3
    with Searcher() as searcher:
        best = searcher.search("where do we check a user's password").results[0]
    assert (best.path, best.symbol, best.language) == ("server/auth.py", "LoginManager.authenticate", "python")
    assert "hexdigest" in best.text
    assert not best.stale


def test_a_second_run_embeds_nothing(repository: Path) -> None:
    first = index(repository)
    second = index(repository)
    assert second.passages_embedded == 0
    assert second.passages_reused == first.passages_embedded
    assert second.files_unchanged == 3


def test_only_what_changed_is_embedded(repository: Path) -> None:
    index(repository)
    auth = repository / "server" / "auth.py"
    auth.write_text(auth.read_text() + "\n\ndef forgotten_password(mail):\n    return send_reset_link(mail)\n")
    report = index(repository)
    assert report.files_unchanged == 2
    assert 1 <= report.passages_embedded <= 2
    assert paths("reset link for a forgotten password")[0] == "server/auth.py"


def test_a_rename_a_copy_and_a_fork_embed_nothing(repository: Path, tmp_path: Path) -> None:
    index(repository)
    git(repository, "mv", "server/auth.py", "server/login.py")
    (repository / "copy.go").write_bytes((repository / "client" / "retry.go").read_bytes())
    assert index(repository).passages_embedded == 0
    assert paths("check a user's password")[0] == "server/login.py"
    git(tmp_path, "clone", "-q", str(repository), "fork")
    report = index(tmp_path / "fork")
    assert report.passages_embedded == 0
    assert report.repository == "fork"


def test_search_finds_code_after_a_branch_switch_and_back(repository: Path) -> None:
    index(repository)
    git(repository, "checkout", "-q", "-b", "cache")
    (repository / "cache.py").write_text("def evict_oldest_entry(cache):\n    cache.popitem(last=False)\n")
    (repository / "NOTES.md").unlink()
    commit_all(repository)
    assert index(repository).passages_embedded == 1
    assert paths("evict the oldest entry")[0] == "cache.py"
    git(repository, "checkout", "-q", "main")
    assert index(repository).passages_embedded == 0
    assert "cache.py" not in paths("evict the oldest entry")
    assert "NOTES.md" in paths("how is coffee brewed")
    git(repository, "checkout", "-q", "cache")
    assert index(repository).passages_embedded == 0
    assert paths("evict the oldest entry")[0] == "cache.py"


def test_untracked_files_are_indexed_and_ignored_ones_are_not(repository: Path) -> None:
    (repository / ".gitignore").write_text("secret/\n")
    (repository / "secret").mkdir()
    (repository / "secret" / "keys.py").write_text("def rotate_encryption_keys():\n    pass\n")
    (repository / "draft.py").write_text("def plot_histogram(values):\n    pass\n")
    index(repository)
    assert paths("plot a histogram")[0] == "draft.py"
    assert not any(path.startswith("secret") for path in paths("rotate encryption keys"))


def test_a_revision_is_indexed_without_a_checkout(repository: Path) -> None:
    git(repository, "tag", "v1")
    (repository / "server" / "auth.py").unlink()
    commit_all(repository)
    index(repository)
    report = index(repository, revision="v1")
    assert report.revision == git(repository, "rev-parse", "v1")
    assert "server/auth.py" not in paths("check a user's password")
    with Searcher() as searcher:
        best = searcher.search("check a user's password", at="v1").results[0]
    assert (best.path, best.revision) == ("server/auth.py", report.revision)


def test_a_bare_clone_is_indexed_at_its_head(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repository), "mirror.git")
    report = index(tmp_path / "mirror.git")
    assert report.files_indexed == 3
    assert paths("check a user's password")[0] == "server/auth.py"


def test_two_repositories_of_one_name_are_told_apart(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "shop"
    other.mkdir(parents=True)
    (other / "auth.py").write_text("def check_password():\n    pass\n")
    commit_all(other)
    assert index(repository).repository == "shop"
    assert index(other).repository == "elsewhere/shop"
    assert paths("check password", repository="elsewhere/shop") == ["auth.py"]


def test_a_tree_without_files_is_refused_and_the_old_snapshot_stays(repository: Path) -> None:
    index(repository)
    git(repository, "rm", "-rq", "--cached", ".")
    git(repository, "commit", "-q", "-m", "empty")
    with pytest.raises(RepositoryError, match="no files"):
        index(repository, revision="HEAD")
    assert paths("check a user's password")


def test_two_files_that_differ_only_in_language_keep_their_own_chunks(repository: Path) -> None:
    source = "int add_numbers(int a, int b) {\n  return a + b;\n}\n"
    (repository / "one.c").write_text(source)
    (repository / "two.cpp").write_text(source)
    index(repository)
    with Searcher() as searcher:
        found = {result.path: result.language for result in searcher.search("add numbers").results}
    assert (found["one.c"], found["two.cpp"]) == ("c", "cpp")


def test_what_git_calls_generated_is_skipped_and_counted(repository: Path) -> None:
    (repository / ".gitattributes").write_text("*.gen.py linguist-generated=true\n")
    (repository / "table.gen.py").write_text("TABLE = [1, 2, 3]\n")
    (repository / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (repository / "data.txt").write_text("row\n" * 400_000)
    commit_all(repository)
    assert index(repository).files_skipped == {"binary": 1, "generated": 1, "oversized": 1}
    assert "oversized" not in index(repository, max_bytes=2_000_000).files_skipped
    assert index(repository).files_skipped["oversized"] == 1


def test_nothing_is_written_to_the_repository(repository: Path) -> None:
    def state() -> dict[str, float]:
        return {str(file): file.stat().st_mtime_ns for file in repository.rglob("*") if file.is_file()}

    (repository / "NOTES.md").touch()  # git status would like to refresh its index now
    before = state()
    index(repository)
    assert state() == before


def test_line_end_filters_do_not_cause_work_again(repository: Path) -> None:
    (repository / ".gitattributes").write_text("*.txt text eol=crlf\n")
    (repository / "terms.txt").write_bytes(b"terms of delivery\r\nare these\r\n")
    commit_all(repository)
    (repository / "terms.txt").unlink()
    git(repository, "checkout", "--", "terms.txt")
    assert b"\r\n" in (repository / "terms.txt").read_bytes()
    index(repository)
    assert index(repository).files_unchanged == 5
    with Searcher() as searcher:
        best = searcher.search("terms of delivery").results[0]
    assert (best.path, best.stale) == ("terms.txt", False)


def test_a_budget_ends_a_run_and_the_next_one_goes_on(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(200):
        (repository / f"module_{number}.py").write_text(f"def function_{number}():\n    return 'number {number}'\n")
    none = index(repository, budget=1e-6)  # not even the first file is through
    assert (none.files_indexed, none.coverage) == (0, 0.0)
    monkeypatch.setattr("indexer.meaning.embed.BATCH", 8)
    runs = 0
    while (report := index(repository, budget=0.5)).coverage < 1:
        runs += 1
        if report.files_indexed:
            assert "module_7.py" in paths("function_7")  # by its words, if not yet by its meaning
        assert runs < 500
    assert index(repository).passages_embedded == 0
    with pytest.raises(UsageError, match="budget"):
        index(repository, budget=0)
