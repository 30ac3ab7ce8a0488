"""The rooms keep to what docs/architecture.md says of them, and each check is seen to fail on a planted violation."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("kuberian", "indexer", "searcher")

# A string that begins like a statement, or has a clause of one: no sentence in a message reads like that.
SQL = re.compile(
    r"^\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|PRAGMA|VACUUM|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|WITH)\b"
    r"|\bFROM\s+\w+\s+(WHERE|JOIN|ORDER)\b|\bINSERT INTO\b"
)


def strings(tree: ast.AST) -> Iterator[ast.Constant]:
    """All string literals but docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node


def sql_outside_the_store(root: Path) -> list[str]:
    """Places with query texts, or calls that run one, outside kuberian/store."""
    found = []
    for file in sources(root):
        if file.is_relative_to(root / "kuberian" / "store"):
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        found += [f"{file}:{node.lineno}" for node in strings(tree) if SQL.search(str(node.value))]
        found += [f"{file}:{node.lineno}" for node in ast.walk(tree) if runs_sql(node)]
    return found


def runs_sql(node: ast.AST) -> bool:
    """Whether it is the method of a connection or a cursor that runs a query; a primitive of oneDNN has one, too."""
    if not isinstance(node, ast.Attribute) or not node.attr.startswith("execute"):
        return False
    name = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
    return node.attr != "execute" or any(word in name for word in ("connection", "cursor", "db"))


def git_outside_its_room(root: Path) -> list[str]:
    """Places where a program called git is started, or GitPython imported, outside kuberian/git."""
    found = []
    for file in sources(root):
        if file.is_relative_to(root / "kuberian" / "git"):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.List):
                first = node.elts[0] if node.elts else None
                names = [first.value] if isinstance(first, ast.Constant) else []
            elif isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [(node.module or "").split(".")[0]]
            else:
                continue
            if "git" in names:
                found.append(f"{file}:{node.lineno}")
    return found


def sources(root: Path) -> list[Path]:
    return sorted(file for package in PACKAGES for file in (root / package).rglob("*.py"))


def imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of pyproject.toml."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--config", str(ROOT / "pyproject.toml")],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages' Python files, to plant something in."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("checkpoints", "__pycache__"))
    return tmp_path


def plant(root: Path, file: str, line: str) -> None:
    with (root / file).open("a", encoding="utf-8") as source:
        source.write(f"\n\n{line}\n")


def test_sql_is_written_in_the_store_alone() -> None:
    assert sql_outside_the_store(ROOT) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("searcher/scope.py", 'QUERY = "SELECT id FROM chunks"'),
        ("indexer/run.py", 'QUERY = f"""\n    DELETE FROM blobs\n"""'),
        ("kuberian/cli/show.py", 'TAIL = "id FROM chunks WHERE blob_id = ?"'),
        ("searcher/history.py", "def count(connection):\n    return connection.execute(text)"),
    ],
)
def test_a_planted_query_is_found(copy: Path, file: str, line: str) -> None:
    plant(copy, file, line)
    assert sql_outside_the_store(copy)


def test_git_is_started_in_its_room_alone() -> None:
    assert git_outside_its_room(ROOT) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("searcher/history.py", 'subprocess.run(["git", "log"])'),
        ("indexer/run.py", "import git"),
        ("kuberian/store/garbage.py", "from git import Repo"),
    ],
)
def test_another_door_to_git_is_found(copy: Path, file: str, line: str) -> None:
    plant(copy, file, line)
    assert git_outside_its_room(copy)


def test_no_import_runs_where_it_must_not() -> None:
    done = imports(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("indexer/run.py", "from searcher.results import Result"),
        ("searcher/searcher.py", "import indexer.report"),
        ("kuberian/store/home.py", "import searcher.results"),
        ("kuberian/git/command.py", "from kuberian.store.home import Home"),
        ("kuberian/model/bert.py", "from kuberian.model.encoder import Encoder"),
        ("kuberian/settings.py", "from kuberian.store.home import Home"),
        ("kuberian/store/damage.py", "from kuberian.store.home import Home"),
        ("indexer/languages/table.py", "from indexer.chunking.chunks import cut"),
        ("searcher/scope.py", "from searcher.evidence.features import FILE"),
    ],
)
def test_a_planted_import_is_found(copy: Path, file: str, line: str) -> None:
    plant(copy, file, line)
    assert imports(copy).returncode == 1


def test_a_new_module_has_to_be_given_its_place(copy: Path) -> None:
    plant(copy, "kuberian/misc.py", "VALUE = 1")
    assert imports(copy).returncode == 1
