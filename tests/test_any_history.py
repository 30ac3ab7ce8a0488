"""Whatever is done to a repository, its snapshot is what a fresh index of the same tree would be."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from indexer import index
from kuberian.store.columns import from_column
from tests.checkpoints import write_checkpoint
from tests.sdists import commit_all, git

NAMES = st.sampled_from(["a.py", "b.py", "lib/a.py", "lib/c.go", "docs/read me.md", "t\u00fcr.c", "x.bin", "h.h"])
CONTENTS = st.sampled_from(
    [
        "def one():\n    return 1\n",
        "def one():\n    return 1\n\n\ndef two():\n    return 2\n",
        "package lib\n\nfunc Three() int {\n\treturn 3\n}\n",
        "# Title\n\nSome words.\n\n## Part\n\nMore words.\n",
        "int four(void) {\n  return 4;\n}\n",
        "\0binary\0",
        "",
        "one line without an end",
    ]
)
BRANCHES = st.sampled_from(["main", "side", "other"])


def snapshot(home: Path) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]], np.ndarray]:
    """Return all that a search could find: files with their blobs, chunks, and the chunks' embeddings."""
    with sqlite3.connect(home / "kuberian.db") as connection:
        files = connection.execute(
            """
            SELECT path, oid, snapshot_files.skipped, labels, language FROM snapshot_files
            JOIN paths ON paths.id = path_id LEFT JOIN blobs ON blobs.id = blob_id
            """
        ).fetchall()
        chunks = connection.execute(
            """
            SELECT path, start_line, end_line, chunks.kind, symbol, signature, doc, vector FROM snapshot_files
            JOIN paths ON paths.id = path_id JOIN chunks USING(blob_id) JOIN embeddings USING(passage)
            """
        ).fetchall()
    chunks.sort(key=lambda row: (from_column(row[0]), row[1]))
    vectors = np.frombuffer(b"".join(row[-1] for row in chunks), "<f2").astype(np.float32)
    return (
        sorted(((from_column(path), *rest) for path, *rest in files), key=repr),
        [row[:-1] for row in chunks],
        vectors,
    )


class AnyHistory(RuleBasedStateMachine):
    """A repository that things are done to, and a home that follows it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="kuberian-"))
        self.root = self.folder / "repository"
        self.home = self.folder / "home"

    @initialize()
    def start(self) -> None:
        self.root.mkdir()
        self.model = write_checkpoint(self.folder / "small-bert")
        (self.root / "a.py").write_text("def zero():\n    return 0\n")
        commit_all(self.root)
        index(self.root, home=self.home, model=self.model, precision="float32")

    def files(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_file() and ".git" not in path.parts)

    @rule(name=NAMES, content=CONTENTS)
    def write(self, name: str, content: str) -> None:
        (self.root / name).parent.mkdir(exist_ok=True)
        (self.root / name).write_text(content)

    @precondition(lambda self: len(self.files()) > 1)
    @rule(data=st.data(), staged=st.booleans())
    def delete(self, data: st.DataObject, staged: bool) -> None:
        data.draw(st.sampled_from(self.files())).unlink()
        if staged:
            git(self.root, "add", "-A")

    @precondition(lambda self: self.files())
    @rule(data=st.data(), name=NAMES)
    def rename(self, data: st.DataObject, name: str) -> None:
        old = data.draw(st.sampled_from(self.files()))
        (self.root / name).parent.mkdir(exist_ok=True)
        old.replace(self.root / name)

    @rule()
    def stage(self) -> None:
        git(self.root, "add", "-A")

    @rule()
    def commit(self) -> None:
        commit_all(self.root)

    @rule(branch=BRANCHES)
    def switch(self, branch: str) -> None:
        commit_all(self.root)
        exists = git(self.root, "branch", "--list", branch)
        git(self.root, "checkout", "-q", *([] if exists else ["-b"]), branch)

    @rule()
    def reset(self) -> None:
        git(self.root, "reset", "-q", "--hard")

    @rule(
        pattern=st.sampled_from(["*.go", "lib/", "!a.py", ""]), name=st.sampled_from([".gitignore", ".kuberianignore"])
    )
    def ignore(self, pattern: str, name: str) -> None:
        (self.root / name).write_text(pattern + "\n")

    @precondition(lambda self: self.files())
    @rule()
    def index_again(self) -> None:
        index(self.root, home=self.home)
        fresh = self.folder / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        index(self.root, home=fresh, model=self.model, precision="float32")
        files, chunks, vectors = snapshot(self.home)
        fresh_files, fresh_chunks, fresh_vectors = snapshot(fresh)
        assert files == fresh_files
        assert chunks == fresh_chunks
        np.testing.assert_allclose(vectors, fresh_vectors, atol=1e-3)  # half a step of float16

    def teardown(self) -> None:
        if self.files():
            self.index_again()
        shutil.rmtree(self.folder)


AnyHistory.TestCase.settings = settings(
    max_examples=6, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
)
test_a_snapshot_is_what_a_fresh_index_would_be = AnyHistory.TestCase
