"""Odd names and odd contents: everything that git can hold is indexed, or skipped for a reason that is told."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from indexer import IndexReport, explain, index
from searcher import Searcher
from tests.conftest import Run
from tests.sdists import commit_all, git

NAMES = [
    "with space.py",
    "quo'te\".py",
    "new\nline.py",
    "tab\t.py",
    "-dash.py",
    "star*[x].py",
    "ünïcödé.py",
    "日本語.py",
]
RAW_NAME = b"latin-\xe9t\xe9.py"


def words_found(question: str) -> dict[str, str]:
    with Searcher() as searcher:
        return {result.path: result.text for result in searcher.search(question).results}


@pytest.fixture
def oddly_named(tmp_path: Path) -> Path:
    root = tmp_path / "odd names"
    root.mkdir()
    for number, name in enumerate(NAMES):
        (root / name).write_text(f"def odd_name_{number}():\n    return 'oddly named {number}'\n")
    Path(os.fsdecode(os.fsencode(root) + b"/" + RAW_NAME)).write_text("def odd_raw_name():\n    return 'undecodable'\n")
    commit_all(root)
    return root


def test_odd_names_are_indexed_from_disk_and_from_git(oddly_named: Path) -> None:
    for revision in (None, "HEAD"):
        report = index(oddly_named, revision=revision)
        assert (report.files_indexed, report.files_skipped) == (len(NAMES) + 1, {})
    found = words_found("oddly named")
    assert set(NAMES) <= set(found)
    assert os.fsencode(next(path for path, text in words_found("undecodable").items() if "raw" in text)) == RAW_NAME


def test_a_modified_file_with_an_odd_name_is_seen(oddly_named: Path) -> None:
    index(oddly_named)
    for name in [*NAMES, os.fsdecode(RAW_NAME)]:
        with (oddly_named / name).open("a") as file:
            file.write("\n\ndef freshly_added_here():\n    pass\n")
    assert index(oddly_named).files_unchanged == 0
    assert len(words_found("freshly added here")) == len(NAMES) + 1


def test_odd_names_print_on_one_line_and_survive_json(oddly_named: Path, kuberian: Run) -> None:
    index(oddly_named)
    plain = kuberian("search", "-k", "50", "odd name", cwd=oddly_named)
    assert plain.returncode == 0, plain.stderr
    rows = plain.stdout.splitlines()
    assert len(rows) == len(NAMES) + 1
    assert all(len(row.split("\t")) == 3 for row in rows)
    found = json.loads(kuberian("search", "-k", "50", "odd name", "--json").stdout)["results"]
    assert {os.fsencode(result["path"]) for result in found} == {*map(os.fsencode, NAMES), RAW_NAME}
    status = kuberian("status")
    assert status.returncode == 0, status.stderr


def test_a_path_filter_matches_odd_names(oddly_named: Path) -> None:
    index(oddly_named)
    with Searcher() as searcher:
        for name in ("with space.py", "new\nline.py", "日本語.py"):
            (result,) = searcher.search("odd name", path=name.replace("\n", "?")).results
            assert result.path == name


def contents(root: Path) -> IndexReport:
    commit_all(root)
    return index(root)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "plain.py").write_text("def plain_function():\n    return 1\n")
    return folder


def test_old_and_wide_encodings_are_read(root: Path) -> None:
    text = "# Größe der Tür in Metern, geändert für größere Türen\ndef door_size():\n    return 'größer als früher'\n"
    (root / "latin.py").write_bytes(text.encode("latin-1"))
    (root / "wide.py").write_bytes(text.replace("door", "gate").encode("utf-16"))
    (root / "bom.py").write_bytes(text.replace("door", "hatch").encode("utf-8-sig"))
    assert contents(root).files_indexed == 4
    found = words_found("größere Türen door size")
    for name, function in (("latin.py", "door_size"), ("wide.py", "gate_size"), ("bom.py", "hatch_size")):
        assert function in found[name]
        assert "Türen" in found[name]
        assert "\ufeff" not in found[name]


def test_a_byte_order_mark_does_not_make_a_result_stale(root: Path) -> None:
    (root / "bom.py").write_bytes("def hatch():\n    return 'größe'\n".encode("utf-8-sig"))
    (root / "wide.py").write_bytes("def gate():\n    return 'größe'\n".encode("utf-16"))
    contents(root)
    with Searcher() as searcher:
        results = searcher.search("hatch gate größe").results
    assert {"bom.py", "wide.py"} <= {result.path for result in results}
    assert not any(result.stale for result in results)


def test_what_is_no_text_is_skipped_and_counted(root: Path) -> None:
    (root / "nul.py").write_bytes(b"x = 1\0\0\0y = 2\n" * 10)
    (root / "long.js").write_text("var a=" + "1+" * 2_500_000 + "1;\n")
    (root / "line.txt").write_text("word " * 100_000)
    (root / "empty.py").touch()
    report = contents(root)
    assert report.files_skipped == {"binary": 1, "empty": 1, "minified": 1, "oversized": 1}
    assert report.files_indexed == 1


def test_links_and_submodules_are_skipped_and_counted(root: Path, repository: Path) -> None:
    (root / "loop").symlink_to("loop")
    (root / "up").symlink_to("..")
    (root / "gone").symlink_to("nowhere")
    git(root, "init", "-q")
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(repository), "shop")
    report = contents(root)
    assert report.files_skipped == {"submodule": 1, "symbolic link": 3}
    (root / "later").symlink_to("later")  # untracked
    (root / "plain.py").unlink()
    (root / "plain.py").symlink_to("loop")  # tracked as a file
    assert index(root).files_skipped == {"submodule": 1, "symbolic link": 5}


def test_a_pipe_in_the_place_of_a_file_does_not_hang(root: Path) -> None:
    (root / "other.py").write_text("x = 1\n")
    contents(root)
    (root / "plain.py").unlink()
    os.mkfifo(root / "plain.py")
    report = index(root)
    assert report.files_indexed == 1
    assert report.files_skipped == {"not a regular file": 1}


def test_a_repository_inside_is_not_mixed_in(root: Path) -> None:
    contents(root)
    inner = root / "inner"
    inner.mkdir()
    (inner / "a.py").write_text("def of_the_inner_one():\n    pass\n")
    commit_all(inner)
    report = index(root)
    assert report.files_skipped == {"nested repository": 1}
    assert index(inner).files_indexed == 1


def test_a_sparse_checkout_indexes_what_is_there(root: Path) -> None:
    (root / "big").mkdir()
    (root / "big" / "left_out.py").write_text("x = 1\n")
    commit_all(root)
    git(root, "sparse-checkout", "set", "small")
    assert not (root / "big").exists()
    assert index(root).files_indexed == 1


def test_both_sides_of_a_conflict_are_one_file(root: Path) -> None:
    commit_all(root)
    git(root, "checkout", "-q", "-b", "other")
    (root / "plain.py").write_text("def plain_function():\n    return 2\n")
    commit_all(root)
    git(root, "checkout", "-q", "main")
    (root / "plain.py").write_text("def plain_function():\n    return 3\n")
    commit_all(root)
    with pytest.raises(Exception, match="merge"):
        git(root, "merge", "-q", "other")
    assert index(root).files_indexed == 1
    assert "<<<<<<<" in words_found("plain function")["plain.py"]


@pytest.mark.parametrize("line", ["build{}.py", "data/folder{}/*.log", "*.x{}", "!*.y{}"])
def test_rules_of_100000_lines_are_quick(root: Path, line: str) -> None:
    (root / "left_out.py").write_text("x = 1\n")
    for number in range(300):
        (root / f"file{number}.txt").write_text("a line\n")
    lines = "\n".join(line.format(number) for number in range(100_000))
    (root / ".kuberianignore").write_text(f"{lines}\nleft_out.py\n")
    commit_all(root)
    started = time.monotonic()
    report = index(root, max_bytes=10_000, meaning=False)
    assert time.monotonic() - started < 15  # it took minutes
    assert report.files_skipped == {"in .kuberianignore": 1, "oversized": 1}


def test_rules_that_are_all_alike_are_bounded_and_it_is_told(root: Path) -> None:
    git(root, "init", "-q")
    (root / ".kuberianignore").write_text("plain*\n" + "".join(f"*a{number}*\n" for number in range(100_000)))
    with pytest.warns(UserWarning, match=r"^\.kuberianignore has too many patterns that are alike: .* 1,000 count"):
        explained = explain(root / "plain.py")
    assert explained.skipped == "in .kuberianignore"


def test_rules_that_git_ignores_are_heeded(root: Path, kuberian: Run) -> None:
    for name in ("kept.py", "private.py", "build/made.py", "build/deep/made.py", "sub/a.py", "sub/b.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"def plain_function():\n    return {name!r}\n")
    (root / ".gitignore").write_text(".kuberianignore\n/build/\n")
    (root / ".kuberianignore").write_text("private.py\n")
    (root / "sub" / ".kuberianignore").write_text("b.py\n")
    report = contents(root)
    assert report.files_skipped == {"in .kuberianignore": 2}
    assert set(words_found("plain function")) >= {"kept.py", "plain.py", "sub/a.py"}
    assert not {"private.py", "sub/b.py"} & set(words_found("plain function"))
    assert index(root, revision="HEAD").files_skipped == {}  # the commit has no rules
    # A change of the rules is seen by a search, though git says nothing of it.
    (root / ".kuberianignore").write_text("kept.py\n!/build/\n")
    (root / "build" / ".kuberianignore").write_text("deep/\n")
    done = kuberian("search", "--json", "plain function", cwd=root)
    assert done.returncode == 0, done.stderr
    paths = {result["path"] for result in json.loads(done.stdout)["results"]}
    assert paths >= {"build/made.py", "plain.py", "private.py", "sub/a.py"}
    assert not {"kept.py", "sub/b.py", "build/deep/made.py"} & paths
