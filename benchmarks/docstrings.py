"""Questions from docstrings: the first sentence asks, the function that it was taken away from answers.

    python -m benchmarks.docstrings DIR       # makes DIR/repos and DIR/queries.json
    python -m benchmarks.retrieval --data DIR

Eleven pinned source distributions from PyPI, up to 200 functions of each (evenly spaced). Every docstring that asks is
removed from the file that is indexed; a function is found by a result that holds the line of its `def`.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.sdists import Sdist, as_repository

SDISTS = (
    Sdist("arrow", "1.4.0", "ed0cc050e98001b8779e84d461b0098c4ac597e88704a655582b21d116e526d7"),
    Sdist("boltons", "25.0.0", "e110fbdc30b7b9868cb604e3f71d4722dd8f4dcb4a5ddd06028ba8f1ab0b5ace"),
    Sdist("dask", "2025.10.0", "fd3159c319c27cea39b891c0f22d60056a33575fb4906618eab0aeeb5dcd0cbc"),
    Sdist("docutils", "0.22.2", "9fdb771707c8784c8f2728b67cb2c691305933d68137ef95a75db5f4dfbc213d"),
    Sdist("marshmallow", "4.1.0", "daa9862f74e2f7864980d25c29b4ea72944cde48aa17537e3bd5797a4ae62d71"),
    Sdist("more-itertools", "10.8.0", "f638ddf8a1a0d134181275fb5d58b086ead7c6a72429ad725c67503f13ba30bd"),
    Sdist("networkx", "3.5", "d4c6f9cf81f52d69230866796b82afbccdec3db7ae4fbd1b65ea750feed50037"),
    Sdist("nltk", "3.9.2", "0f409e9b069ca4177c1903c3e843eef90c7e92992fa4931ae607da6de49e1419"),
    Sdist("paramiko", "4.0.0", "6a25f07b380cc9c9a88d2b920ad37167ac4667f8d9886ccebd8f90f654b5d69f"),
    Sdist("trio", "0.32.0", "150f29ec923bcd51231e1d4c71c7006e65247d68759dd1c19af4ea815a25806b"),
    Sdist("xarray", "2025.10.1", "3c2b5ad7389825bd624ada5ff26b01ac54b1aae72e2fe0d724d81d40a2bf5785"),
)
PER_PROJECT = 200
# A sentence of fewer words ("Return it.") asks for nothing in particular.
LEAST_WORDS = 5

_ASIDE = re.compile(
    r"(?:^|/)(?:tests?|testing|docs?|examples?|benchmarks?|_vendor)(?:/|$)|(?:^|/)test_|_test\.py$|conftest"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    repositories = arguments.folder / "repos"
    repositories.mkdir(parents=True)
    queries: list[dict[str, Any]] = []
    for sdist in SDISTS:
        root = as_repository(sdist, repositories)
        found = [question for file in sorted(root.rglob("*.py")) for question in take_questions(root, file)]
        step = max(len(found) / PER_PROJECT, 1.0)
        chosen = [found[int(number * step)] for number in range(min(len(found), PER_PROJECT))]
        for path in sorted({question["path"] for question in chosen}):
            remove(root / path, [question for question in chosen if question["path"] == path])
        git = ["git", "-C", str(root), "-c", "user.name=Kuberian", "-c", "user.email=kuberian@localhost"]
        subprocess.run([*git, "commit", "--quiet", "--all", "--message", "Without docstrings"], check=True)
        queries += [
            {
                "id": f"{sdist.name}/{number}",
                "repo": sdist.name,
                "language": "python",
                "category": "function",
                "root": None,
                "query": question["query"],
                "targets": [{"path": question["path"], "start_line": question["line"], "end_line": question["line"]}],
            }
            for number, question in enumerate(chosen)
        ]
        print(f"{sdist.name}: {len(chosen)} of {len(found)} functions")
    (arguments.folder / "queries.json").write_text(json.dumps(queries, indent=1))
    print(f"{len(queries)} questions")


def take_questions(root: Path, file: Path) -> Iterator[dict[str, Any]]:
    """Yield a file's functions with a docstring that asks: the path, the lines, and the first sentence."""
    path = file.relative_to(root).as_posix()
    if _ASIDE.search(path):
        return
    try:
        tree = ast.parse(file.read_text())
    except (SyntaxError, UnicodeDecodeError, ValueError):
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or len(node.body) < 2:
            continue
        said = ast.get_docstring(node)
        sentence = first_sentence(said) if said else ""
        if len(sentence.split()) >= LEAST_WORDS:
            text = node.body[0]
            yield {"path": path, "line": node.lineno, "first": text.lineno, "last": text.end_lineno, "query": sentence}


def first_sentence(docstring: str) -> str:
    paragraph = re.split(r"\n\s*\n", docstring.strip())[0]
    sentence = re.split(r"(?<=[.!?])\s", paragraph)[0]
    return re.sub(r":\w+:`~?\.?([^`]*)`|`+([^`]*)`+", r"\1\2", " ".join(sentence.split()))


def remove(file: Path, questions: list[dict[str, Any]]) -> None:
    """Take the docstrings of some functions out of a file and set the questions' lines to where the functions are."""
    lines = file.read_text().split("\n")
    for question in sorted(questions, key=lambda question: -question["first"]):
        del lines[question["first"] - 1 : question["last"]]
        for other in questions:
            if other["line"] > question["first"]:
                other["line"] -= question["last"] - question["first"] + 1
    file.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
