"""A user with a repository, linked worktrees, a submodule and an upstream; and a home that follows all of them."""

from __future__ import annotations

import atexit
import io
import shutil
import tempfile
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import TypeVar

from hypothesis import assume, event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from indexer import dry_run, explain, index
from kuberian.cli import commands
from kuberian.cli.doctor import check_home
from kuberian.errors import KuberianError
from kuberian.git.repository import MISSING_OBJECT, NOT_CHECKED_OUT, Repository, Revision
from searcher import Searcher
from searcher.changes import checking
from tests.any_history import values
from tests.any_history.answers import Answers, answers, assert_explained, assert_same
from tests.any_history.repositories import (
    attempt,
    clear,
    commit,
    configure,
    files_of,
    make,
    must,
    put,
    untouched,
)
from tests.checkpoints import write_checkpoint

_UPSTREAM = [
    {"a.py": b"def zero():\n    return 0\n", "lib/a.py": b"def one():\n    return 1\n"},
    {"b.py": b"def two():\n    return 2\n", "docs/read me.md": b"# Title\n\nSome words.\n"},
    {"a.py": b"def zero():\n    return 0\n\n\ndef four():\n    return 4\n", "h.h": b"int three(void);\n"},
]
_LIBRARY = [{"shelf.py": b"def shelf():\n    return 1\n"}, {"shelf.py": b"def shelf():\n    return 2\n"}]
_CLONE = {"shallow": ["--depth=1"], "partial": ["--filter=blob:none"]}


T = TypeVar("T")


@cache
def prepared(algorithm: str) -> Path:
    """Return a folder with what every history begins with: a small model, an upstream, the source of a submodule."""
    folder = Path(tempfile.mkdtemp(prefix="kuberian-")).resolve()
    atexit.register(shutil.rmtree, folder)
    write_checkpoint(folder / "small-bert")
    (folder / "user").mkdir()
    make(folder / "user" / "upstream", _UPSTREAM, algorithm)
    make(folder / "user" / "library", _LIBRARY, algorithm)
    return folder


# After so many things that were done, the tree that they were done to is indexed: chance alone would seldom do it.
_EVERY = 4


class History(RuleBasedStateMachine):
    """Things are done to the repositories; the home is brought up to date now and then, and compared with a new one."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="kuberian-")).resolve()
        self.user = self.folder / "user"
        self.home, self.fresh = self.folder / "home", self.folder / "fresh"
        # As in a server, they follow what becomes of the homes.
        self.searchers: dict[Path, Searcher] = {}
        self.places = {"main": self.user / "main", "linked": self.user / "linked"}
        # The trees that the home has, as (folder, commit), each with whether its submodules were asked for.
        self.indexed: dict[tuple[Path, str | None], bool] = {}
        self.last, self.steps = "main", 0

    @initialize(kind=values.KINDS)
    def start(self, kind: str) -> None:
        algorithm = "sha256" if kind == "sha256" else "sha1"
        self.model = prepared(algorithm) / "small-bert"
        shutil.copytree(prepared(algorithm) / "user", self.user)
        main = self.places["main"]
        if kind == "new":
            make(main, [], algorithm)
            put(main / "a.py", b"def zero():\n    return 0\n", main)
        else:
            must(self.user, "clone", "-q", *_CLONE.get(kind, []), (self.user / "upstream").as_uri(), "main")
            configure(main)
        self.compare(main)

    def root(self, where: str) -> Path:
        """Return a working tree by its name, or the main one if there is none of this name."""
        self.last = where
        main = self.places["main"]
        root = main / values.SUBMODULE if where == "submodule" else self.places[where]
        return root if (root / ".git").exists() else main

    @invariant()
    def follow(self) -> None:
        """Index now and then what was changed."""
        self.steps += 1
        if self.steps % _EVERY == 0:
            self.compare(self.root(self.last))

    # What a user does to files.

    @rule(where=values.TREES, name=values.NAMES, content=values.CONTENTS)
    def write(self, where: str, name: str, content: bytes) -> None:
        put(self.root(where) / name, content, self.root(where))

    @rule(where=values.TREES, data=st.data(), staged=st.booleans())
    def delete(self, where: str, data: st.DataObject, staged: bool) -> None:
        root = self.root(where)
        assume(len(files_of(root)) > 1)
        data.draw(st.sampled_from(files_of(root))).unlink()
        if staged:
            attempt(root, "add", "-A")

    @rule(where=values.TREES, data=st.data(), name=values.NAMES)
    def rename(self, where: str, data: st.DataObject, name: str) -> None:
        root = self.root(where)
        assume(files := files_of(root))
        old = data.draw(st.sampled_from(files))
        content = old.read_bytes() if old.is_file() else b""
        old.unlink()
        put(root / name, content, root)

    @rule(where=values.TREES, name=values.NAMES, to=st.sampled_from(["a.py", "docs", "../library", "nowhere"]))
    def link(self, where: str, name: str, to: str) -> None:
        put(self.root(where) / name, b"", self.root(where))
        clear(self.root(where) / name)
        (self.root(where) / name).symlink_to(to)

    @rule(
        where=values.TREES,
        folder=values.FOLDERS,
        name=values.IGNORE_FILES,
        lines=values.IGNORE_LINES,
    )
    def ignore(self, where: str, folder: str, name: str, lines: list[bytes]) -> None:
        put(self.root(where) / folder / name, b"".join(lines), self.root(where))

    @rule(where=values.TREES, folder=values.FOLDERS, lines=values.ATTRIBUTE_LINES, again=st.booleans())
    def attributes(self, where: str, folder: str, lines: list[bytes], again: bool) -> None:
        root = self.root(where)
        put(root / folder / ".gitattributes", b"".join(lines), root)
        if again:  # git applies them to the files on disk
            commit(root)
            attempt(root, "rm", "-rq", "--cached", ".")
            attempt(root, "reset", "-q", "--hard")

    # What a user does with git.

    @rule(where=values.TREES, command=values.GIT_COMMANDS)
    def git(self, where: str, command: tuple[str, ...]) -> None:
        attempt(self.root(where), *command)

    @rule(where=values.TREES, tag=st.booleans())
    def commit(self, where: str, tag: bool) -> None:
        commit(self.root(where))
        if tag:
            attempt(self.root(where), "tag", "-f", "v1")

    @rule(where=values.TREES, branch=st.sampled_from(values.BRANCHES))
    def switch(self, where: str, branch: str) -> None:
        root = self.root(where)
        commit(root)
        if not attempt(root, "checkout", "-q", branch):
            attempt(root, "checkout", "-q", "-b", branch)

    @rule(where=values.TREES, arguments=values.SPARSE)
    def sparse(self, where: str, arguments: tuple[str, ...]) -> None:
        attempt(self.root(where), "sparse-checkout", *arguments)

    @rule(inside=st.booleans(), branch=st.sampled_from(values.BRANCHES))
    def add_worktree(self, inside: bool, branch: str) -> None:
        main = self.places["main"]
        linked = main / "inside" if inside else self.user / "linked"
        if attempt(main, "worktree", "add", "-f", str(linked), branch) or attempt(
            main, "worktree", "add", "-f", "-b", branch, str(linked)
        ):
            self.places["linked"] = linked

    @rule(deleted=st.booleans())
    def remove_worktree(self, deleted: bool) -> None:
        main, linked = self.places["main"], self.places["linked"]
        assume(linked.exists())
        if deleted:
            shutil.rmtree(linked)
            attempt(main, "worktree", "prune")
        else:
            attempt(main, "worktree", "remove", "--force", str(linked))

    @rule(name=values.NAMES, content=values.CONTENTS, arguments=values.FETCHES, pushed=st.booleans())
    def fetch(self, name: str, content: bytes, arguments: tuple[str, ...], pushed: bool) -> None:
        if pushed:
            upstream = self.user / "upstream"
            put(upstream / name, content, upstream)
            commit(upstream)
        attempt(self.places["main"], *arguments)

    @rule(where=st.sampled_from(["main", "linked"]), arguments=values.SUBMODULES, pushed=st.booleans())
    def submodule(self, where: str, arguments: tuple[str, ...], pushed: bool) -> None:
        if pushed:
            library = self.user / "library"
            put(library / "lib/c.go", b"package lib\n\nfunc Three() int {\n\treturn 3\n}\n", library)
            commit(library)
        attempt(self.root(where), "submodule", *arguments)

    @rule(
        where=st.sampled_from(["main", "linked"]),
        name=st.sampled_from(["main", "moved", "gr\u00f6\u00dfer um\u00adbenannt", "repository.git"]),
        repaired=st.booleans(),
    )
    def move(self, where: str, name: str, repaired: bool) -> None:
        old, new = self.places[where], self.user / name
        assume(old.exists() and not new.exists())
        old.rename(new)
        self.places = {
            each: new / place.relative_to(old) if place.is_relative_to(old) else place
            for each, place in self.places.items()
        }
        if repaired:
            attempt(self.places["main"], "worktree", "repair", str(self.places["linked"]))

    # What a user does with Kuberian.

    @rule(where=values.TREES, submodules=st.sampled_from([None, None, True, False]))
    def index_again(self, where: str, submodules: bool | None) -> None:
        self.compare(self.root(where), submodules=submodules)

    @rule(where=values.TREES, data=st.data())
    def index_part(self, where: str, data: st.DataObject) -> None:
        root = self.root(where)
        folders = sorted({path.parent for path in files_of(root) if path.parent.resolve() == path.parent} - {root})
        assume(folders)
        self.compare(root, through=data.draw(st.sampled_from(folders)))

    @rule(where=values.TREES, name=values.REVISIONS, submodules=st.sampled_from([None, True, False]))
    def index_revision(self, where: str, name: str, submodules: bool | None) -> None:
        self.compare(self.root(where), name, submodules=submodules)

    @rule(where=values.TREES, data=st.data())
    def explain(self, where: str, data: st.DataObject) -> None:
        root = self.root(where)
        assume(files := files_of(root))
        file = data.draw(st.sampled_from(files))
        with untouched(self.user):
            said = self.said(lambda: explain(file, home=self.home))
            everything = self.said(lambda: dry_run(root, home=self.home))
        if isinstance(said, str) or isinstance(everything, str):
            assert said == everything
            return
        same = [each for each in everything if each.path == file.relative_to(root).as_posix()]
        assert same == [said] if same else said.skipped

    @precondition(lambda self: self.indexed)
    @rule()
    def collect_garbage(self) -> None:
        before = {tree: self.answers(self.home, tree) for tree in self.indexed}
        self.command(lambda: commands.gc(home=str(self.home)))
        for tree, answer in before.items():
            assert_same(self.answers(self.home, tree), answer)

    @precondition(lambda self: self.indexed)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        root = data.draw(st.sampled_from(sorted({root for root, _ in self.indexed})))
        before = {tree: self.answers(self.home, tree) for tree in self.indexed}
        self.command(lambda: commands.forget(str(root), home=str(self.home)))
        for tree, answer in before.items():
            if tree[0] == root:
                del self.indexed[tree]
            else:
                assert_same(self.answers(self.home, tree), answer)

    def command(self, action: Callable[[], object]) -> None:
        """Run a command that prints what it has done."""
        with untouched(self.user), redirect_stdout(io.StringIO()):
            action()

    def answers(self, home: Path, tree: tuple[Path, str | None]) -> Answers | None:
        """Return what a home answers of a tree."""
        if home not in self.searchers:
            self.searchers[home] = Searcher(home)
        return answers(home, self.searchers[home], *tree)

    def compare(
        self, root: Path, name: str | None = None, submodules: bool | None = None, through: Path | None = None
    ) -> None:
        """Index a tree in the home and in a new one, and assert that they do and answer the same."""
        commit_id = self.said(lambda: Revision.of(Repository(root), name).commit)
        tree = (root, None if name is None else commit_id)
        known = tree in self.indexed
        before = self.answers(self.home, tree) if known else None
        asked = self.submodules_of(before) if submodules is None else submodules
        up_to_date = known and name is None and not (asked or self.indexed[tree]) and self.is_up_to_date(root)
        is_new = not any(root == each for each, _ in self.indexed)
        done = self.index(self.home, through or root, name, submodules, is_new)
        shutil.rmtree(self.fresh, ignore_errors=True)
        assert self.index(self.fresh, root, name, asked, is_new=True) == done
        if done is not None:
            event(f"refused: {done.replace(str(self.folder), '')[:60]}")
            return
        self.indexed[tree] = asked
        mine, fresh = self.answers(self.home, tree), self.answers(self.fresh, tree)
        assert fresh is not None
        assert_same(mine, fresh, fresh.skipped(MISSING_OBJECT))
        with untouched(self.user):
            assert_explained(dry_run(root, name, home=self.fresh, submodules=asked), fresh)
        if name is None:
            assert [result for found in fresh.results for result in found if result.stale] == []
        if up_to_date:  # files that a sparse checkout has taken from the disk are not shown
            assert_same(before, fresh, fresh.skipped(MISSING_OBJECT, NOT_CHECKED_OUT))

    def index(self, home: Path, path: Path, name: str | None, submodules: bool | None, is_new: bool) -> str | None:
        """Index and return None, or what is wrong. Of a repository that the home knows, it knows the model too."""
        model, precision = (self.model, "float32") if is_new else (None, None)
        with untouched(self.user), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that all is indexed, not only a part
            said = self.said(lambda: index(path, home, name, model=model, precision=precision, submodules=submodules))
        return said if isinstance(said, str) else None

    def is_up_to_date(self, root: Path) -> bool:
        """Tell whether a search would say that nothing has changed."""
        with untouched(self.user), checking(self.home, str(root)) as check:
            assert check is not None
            changes = check.changes()
            return changes is not None and not changes.paths and not self.brings_back(root)

    @staticmethod
    def brings_back(root: Path) -> bool:
        """Tell whether a .kuberianignore brings in what git ignores: a search does not look for new ones of those."""
        return any(b"!" in file.read_bytes() for file in root.rglob(".kuberianignore") if file.is_file())

    @staticmethod
    def submodules_of(before: Answers | None) -> bool:
        """Tell whether the next run takes the submodule as the last one did."""
        files = before.files.items() if before else ()
        return any(path.startswith(values.SUBMODULE + "/") and file[0] for path, file in files)

    @staticmethod
    def said(action: Callable[[], T]) -> T | str:
        """Return what an action returns, or the one line that says what is wrong."""
        try:
            return action()
        except KuberianError as error:
            return str(error)

    def teardown(self) -> None:
        try:
            for root in sorted({self.root(where) for where in ("main", "linked", "submodule")}):
                self.compare(root)
            check_home(str(self.home))
        finally:
            for searcher in self.searchers.values():
                searcher.close()
            shutil.rmtree(self.folder)
