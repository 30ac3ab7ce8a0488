"""Real projects are cut without an exception, and what a language's own parser finds has a chunk of its own."""

import ast
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.chunking.chunk import Chunk
from indexer.chunking.chunks import cut
from indexer.languages.table import detect
from indexer.source.contents import Text, read_text
from tests.chunks.hard_files import assert_covered
from tests.chunks.projects import PROJECTS, PYTHON_PROJECTS, RXJS, TYPESCRIPT, ZOD, unpacked


def texts(root: Path, suffixes: tuple[str, ...] = ("",)) -> Iterator[tuple[Path, str]]:
    """The files of a project that are indexed, with their text."""
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.name.endswith(suffixes):
            content = read_text(path.relative_to(root).as_posix(), path.read_bytes())
            if isinstance(content, Text):
                yield path, content.text


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_every_file_of_a_real_project_is_cut_and_covered(project):
    languages = set()
    for path, text in texts(unpacked(project)):
        language = detect(path.name, text[:4000])
        assert_covered(text, cut(text, language))
        languages.add(language)
    assert len(languages) > 1


def has_own_chunk(chunks: list[Chunk], name: str, line: int) -> bool:
    """Whether a chunk is that of the function `name` on `line`, with no function above it but its overloads."""
    for chunk in chunks:
        if chunk.start_line <= line <= chunk.end_line and chunk.symbol and chunk.symbol.split(".")[-1] == name:
            own = [held.line for held in chunk.names if held.symbol == chunk.symbol]
            callables = [held.line for held in chunk.names if held.kind in ("function", "method", "constructor")]
            return line in own and callables[0] == own[0]
    return False


def python_functions(text: str) -> list[tuple[str, int]]:
    """Name and line of every function in a module, of methods and local functions too."""
    tree = ast.parse(text)
    return [
        (node.name, node.lineno) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_the_functions_that_python_finds_have_chunks_of_their_own():
    total = own = 0
    for project in PYTHON_PROJECTS:
        for _path, text in texts(unpacked(project) / "src", (".py",)):
            chunks = cut(text, "python")
            for name, line in python_functions(text):
                total += 1
                own += has_own_chunk(chunks, name, line)
    assert total > 2000
    assert own / total >= 0.95


@pytest.mark.skipif(shutil.which("node") is None, reason="TypeScript's compiler runs on node")
def test_the_functions_that_typescript_finds_have_chunks_of_their_own():
    compiler = unpacked(TYPESCRIPT) / "lib" / "typescript.js"
    sources = {
        str(path): text
        for root in (unpacked(RXJS) / "src", unpacked(ZOD))
        for path, text in texts(root, (".ts", ".tsx"))
        if not path.name.endswith(".d.ts")
    }
    program = ["node", str(Path(__file__).parent / "functions.js"), str(compiler), *sources]
    found = json.loads(subprocess.run(program, check=True, capture_output=True, text=True).stdout)
    total = own = 0
    for path, functions in found.items():
        chunks = cut(sources[path], "typescript")
        for name, line in functions:
            total += 1
            own += has_own_chunk(chunks, name, line)
    assert total > 300
    assert own / total >= 0.95
