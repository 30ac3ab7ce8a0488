"""The documentation says what is true."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import indexer
import kuberian
import kuberian.errors
import searcher
from kuberian.cli.commands import app
from tests.sdists import commit_all, git

ROOT = Path(__file__).parents[1]
PAGES = sorted(file.relative_to(ROOT).as_posix() for file in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")))

# A path of this repository, as prose has it, and behind a colon perhaps what is defined there.
PLACE = re.compile(
    r"(?<![\w/.-])((?:kuberian|indexer|searcher|tests|docs|scripts|benchmarks|deploy|editors|locks|\.ci|\.devcontainer)"
    r"/[\w./*-]*[\w*/])(?::([A-Za-z_][\w.]*\w))?"
)


def update_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("update_docs", ROOT / "scripts" / "update_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def test_every_command_is_documented_with_its_own_help() -> None:
    docs = update_docs()
    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert set(docs.COMMANDS) == set(names)
    assert text("docs/cli.md") == docs.cli_page(), "run `python scripts/update_docs.py`"


def test_every_public_name_is_documented_with_its_own_docstring() -> None:
    docs = update_docs()
    names = {name for names in docs.API.values() for name in names}
    errors = {name for name, found in vars(kuberian.errors).items() if isinstance(found, type)}
    public = {"indexer": indexer.__all__, "searcher": searcher.__all__, "kuberian.errors": errors}
    assert {f"{module}.{name}" for module, known in public.items() for name in known} <= names
    assert {f"kuberian.{name}" for name in kuberian.__all__ if name != "__version__"} <= names
    assert text("docs/python.md") == docs.python_page(), "run `python scripts/update_docs.py`"


def test_examples_in_the_python_page_are_right(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(repository, "tag", "v1")
    retry = repository / "client" / "retry.go"
    retry.write_text(retry.read_text().replace("delay *= 2", "delay *= 3"))
    commit_all(repository)
    git(repository, "tag", "v2")
    monkeypatch.chdir(tmp_path)
    examples = "\n".join(re.findall(r"^```pycon\n(.*?)^```$", text("docs/python.md"), re.MULTILINE | re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {}, "docs/python.md", None, None)
    assert len(test.examples) > 20
    said: list[str] = []
    assert doctest.DocTestRunner().run(test, out=said.append).failed == 0, "".join(said)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", text(page)):
        path, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


def headings(page: Path) -> set[str]:
    """The anchors that a page's headings get on the web."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CHANGELOG.md"])  # which tells of what was
def test_what_is_named_in_prose_is_there(page: str) -> None:
    for path, name in PLACE.findall(text(page)):
        found = list(ROOT.glob(path)) if "*" in path else [ROOT / path]
        assert found and all(file.exists() for file in found), path
        assert not name or name in names_in(found[0]), f"{path}:{name}"


def test_the_way_of_a_question_and_of_a_file_name_what_they_pass() -> None:
    assert sum(bool(name) for _, name in PLACE.findall(text("docs/architecture.md"))) > 50


def test_every_table_and_module_of_the_store_is_on_the_page_of_the_architecture() -> None:
    page = text("docs/architecture.md")
    tables = re.findall(r"CREATE (?:VIRTUAL )?TABLE (\w+)", text("kuberian/store/schema.py"))
    assert [table for table in tables if f"| `{table}` |" not in page] == []
    modules = [file.name for file in (ROOT / "kuberian" / "store").glob("*.py") if file.name != "__init__.py"]
    assert [module for module in modules if f"`{module}`" not in page and f"store/{module}" not in page] == []


@cache
def names_in(file: Path) -> set[str]:
    """What a module defines: functions, classes with their methods, constants."""

    def defined(body: list[ast.stmt], scope: str) -> Iterator[str]:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                yield scope + node.name
                if isinstance(node, ast.ClassDef):
                    yield from defined(node.body, f"{scope}{node.name}.")
            elif isinstance(node, ast.Assign):
                yield from (scope + target.id for target in node.targets if isinstance(target, ast.Name))
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                yield scope + node.target.id

    return set(defined(ast.parse(file.read_text(encoding="utf-8")).body, ""))
