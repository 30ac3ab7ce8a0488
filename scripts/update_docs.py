"""Write docs/cli.md and docs/python.md anew from the code: `python scripts/update_docs.py`. A test compares them.

docs/cli.md is the commands' own help. docs/python.md begins with what a person wrote there; behind `MARK` follow the
signatures and docstrings of what is public.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
CLI, PYTHON = DOCS / "cli.md", DOCS / "python.md"

COMMANDS = ("index", "explain", "search", "serve", "when", "status", "forget", "gc", "doctor", "version")

# What docs/python.md describes, in its order: a heading, and names in the modules that they are imported from. What
# only comes as a part of a result is imported from where it is defined.
API = {
    "Indexing": ("indexer.index", "indexer.index_several", "indexer.IndexReport", "indexer.Progress"),
    "Searching": ("searcher.Searcher", "searcher.SearchResults", "searcher.Result"),
    "When it came and went": (
        "searcher.when",
        "searcher.History",
        "searcher.history.Life",
        "searcher.history.Moment",
    ),
    "What becomes of a file": (
        "indexer.explain",
        "indexer.dry_run",
        "indexer.Explanation",
        "indexer.chunking.chunk.Chunk",
        "indexer.chunking.chunk.Name",
    ),
    "Embedding": ("kuberian.Encoder",),
    "Errors": (
        "kuberian.errors.KuberianError",
        "kuberian.errors.UsageError",
        "kuberian.errors.RepositoryError",
        "kuberian.errors.HomeError",
        "kuberian.errors.CheckpointError",
        "kuberian.errors.EngineError",
    ),
}
# Methods for benchmarks: they take or return what is inside of the searcher.
NOT_SHOWN = {"Searcher.candidates", "Searcher.embed", "Searcher.lines"}

MARK = "<!-- Written by scripts/update_docs.py from here on. -->\n"

# A signature that is longer has a line for each parameter.
WIDTH = 100


def help_of(*command: str) -> str:
    """Return what a command's --help prints, 100 columns wide."""
    environment = {**os.environ, "COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "kuberian", *command, "--help"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def cli_page() -> str:
    """Return the text of docs/cli.md."""
    parts = ["# The command line", "", "Written by `scripts/update_docs.py` from the commands' own help.", ""]
    for command in ((), *((name,) for name in COMMANDS)):
        title = " ".join(("kuberian", *command))
        parts += [f"## {title}", "", "```", help_of(*command), "```", ""]
    return "\n".join(parts)


def python_page() -> str:
    """Return the text of docs/python.md: its beginning as it is, and the rest as the code has it now."""
    beginning = PYTHON.read_text(encoding="utf-8").partition(MARK)[0]
    return "\n".join([beginning + MARK, *_reference()])


def _reference() -> Iterator[str]:
    for heading, names in API.items():
        yield f"### {heading}\n"
        for name in names:
            module, _, own = name.rpartition(".")
            found = getattr(import_module(module), own)
            yield f"#### {name}\n"
            yield from _described_class(found) if inspect.isclass(found) else _described(_signature(own, found), found)


def _described_class(found: type[Any]) -> Iterator[str]:
    name, parameters = found.__name__, ""
    if issubclass(found, Exception):
        code = f"class {name}({found.__base__.__name__})  # exit status {found.exit_status}"
    elif dataclasses.is_dataclass(found):
        code = "\n".join([f"class {name}:", *map(_field, dataclasses.fields(found))])
    elif getattr(found, "_is_protocol", False):
        code = _signature(name, found.__call__)
    else:
        code, parameters = _signature(name, found.__init__), inspect.signature(found.__init__).parameters
    yield from _described(code, found, parameters)
    for name, member in vars(found).items():
        if name.startswith("_") or (shown := f"{found.__name__}.{name}") in NOT_SHOWN:
            continue
        if inspect.isfunction(member):
            yield f"##### {shown}\n"
            yield from _described(_signature(name, member), member)
        elif isinstance(member, (property, cached_property)):
            getter = member.func if isinstance(member, cached_property) else member.fget
            yield f"##### {shown}\n"
            yield from _described(f"{name}: {getter.__annotations__['return']}", member)


def _described(code: str, found: object, parameters: Collection[str] = ()) -> Iterator[str]:
    yield f"```python\n{code}\n```\n"
    yield _prose(inspect.getdoc(found) or "", parameters) + "\n"


def _field(field: dataclasses.Field[Any]) -> str:
    return f"    {field.name}: {field.type}{_default(field.default)}"


def _signature(name: str, function: Callable[..., object]) -> str:
    """Return a function's signature as the source has it (all modules keep annotations as text), without `self`."""
    signature = inspect.signature(function)
    parts: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        parts.append(f"{stars}{parameter.name}: {parameter.annotation}{_default(parameter.default)}")
    returned = signature.return_annotation
    end = ")" if returned == "None" else f") -> {returned}"
    line = f"{name}({', '.join(parts)}{end}"
    return line if len(line) <= WIDTH else "\n".join([f"{name}(", *(f"    {part}," for part in parts), end])


def _default(value: object) -> str:
    if value in (inspect.Parameter.empty, dataclasses.MISSING):
        return ""
    if isinstance(value, str):
        return f" = {json.dumps(value)}"
    return f" = {value:_}" if type(value) is int else f" = {value!r}"


def _prose(docstring: str, parameters: Collection[str]) -> str:
    """Return a docstring as Markdown: its lines `parameter: what it is` become a list."""
    lines = docstring.split("\n")
    for number, line in enumerate(lines):
        described = re.match(r"(\w+): ", line)
        if described and described[1] in parameters:
            lines[number] = f"- `{described[1]}`: {line[described.end() :]}"
        else:
            lines[number] = re.sub(r"^ {4}", "  ", line)
    return "\n".join(lines)


if __name__ == "__main__":
    CLI.write_text(cli_page(), encoding="utf-8")
    PYTHON.write_text(python_page(), encoding="utf-8")
