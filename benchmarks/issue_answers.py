"""Where a commit changed the code, over the revision before it: lines, and the functions that hold them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.chunking.grammar import load
from indexer.chunking.line_outline import sketch
from indexer.chunking.outline import LOCAL, Definition, outline
from indexer.languages.language import Language
from indexer.languages.table import BY_NAME, detect
from indexer.source.noise import labels, skip_by_name
from kuberian.git.command import Git

# Languages of data, of pages and of builds: a fault of a program is mended elsewhere.
NO_CODE = frozenset(
    """
    html css json toml hcl sql xml text markdown jupyter rst asciidoc org latex dockerfile make cmake protobuf thrift
    graphql prisma nix batch yaml ini
    """.split()  # noqa: SIM905
)
# A change of a file so labelled is not what mends the fault.
_ASIDE = frozenset({"test", "example", "documentation", "vendored", "generated", "benchmark", "declaration"})
# Kinds of definition that an answer names. A macro with a body is called like a function.
_FUNCTIONS = LOCAL | {"macro"}

_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@", re.MULTILINE)
# Settings of tools that are written as programs, and what tests read.
_SETTINGS = re.compile(
    r"""(?:^|/)(?:
      \.[\w.-]+ | \.?[\w.-]+(?:\.config|rc|\.conf)\.[cm]?[jt]s | Package(?:@[\w.-]+)?\.swift | setup\.py | noxfile\.py
    | .*\.(?:gradle|gradle\.kts|sbt|gemspec|podspec|cabal|rockspec|bzl|props)
    | mix\.exs | Rakefile | Gemfile | Makefile\.PL
    | build\.(?:rs|zig) | build\.zig\.zon | gulpfile\.\w+ | Gruntfile\.\w+ | versions?\.\w+ | __version__\.py
    )$ | ^(?:config|build|buildSrc|eng|tools?|scripts?|ci|tasks|etc)/ | (?:^|/)tests?[A-Z_-][\w-]*/""",
    re.VERBOSE,
)
# A line that only says which names a file uses.
_IMPORT = re.compile(
    r"(?:import|from\s.*\bimport|(?:pub\s+)?use|using|#\s*include|require|open|alias|package|module)\b[^(={]*[;\w>\"'{*]$"
    r"|(?:(?:const|let|var|local)\s.*=\s*|@)?(?:require|import)\s*\(.*\)[;\w.]*$|import\s*\{.*"
)
_TEST_MODULE = re.compile(r"(?:^|\.)tests?(?:\.|$)")


@dataclass(frozen=True, slots=True)
class Hunk:
    """Old lines `start`..`start + count - 1` that give way to new ones. With a count of 0, new lines follow `start`."""

    start: int
    count: int
    old: tuple[str, ...]
    new: tuple[str, ...]

    @property
    def lines(self) -> tuple[int, int]:
        """The old lines that answer, both included; of an insertion the line before."""
        first = max(self.start, 1)
        return first, first + max(self.count, 1) - 1

    @property
    def size(self) -> int:
        """How many lines are removed and added."""
        return len(self.old) + len(self.new)


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit does to one file. `status` is git's letter: "M" for a file that is there before and after."""

    path: str
    status: str
    hunks: tuple[Hunk, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function that holds changed lines: the line of its own, and from the comment above it to its end."""

    name: str
    line: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A changed file: its lines and functions, before the commit."""

    path: str
    lines: tuple[tuple[int, int], ...]
    functions: tuple[Function, ...]


def bare(clone: Path) -> Git:
    """Return git for a bare clone."""
    return Git(clone, clone, bare=True)


def is_code(path: str) -> bool:
    """Tell whether a file is code that the project runs, by its name."""
    language = detect(path)
    if not language or language in NO_CODE or _SETTINGS.search(path):
        return False
    return not (skip_by_name(path) or labels(path) & _ASIDE)


def changes(git: Git, parent: str, commit: str) -> list[Change]:
    """Return what a commit changes, by file; nothing if the clone lacks a part of it."""
    options = ("-r", "-p", "--unified=0", "--no-renames", "--no-ext-diff", "--no-textconv")
    diff = git.ask("-c", "core.quotePath=false", "diff-tree", *options, parent, commit)
    return list(parse(os.fsdecode(diff or b"")))


def parse(diff: str) -> Iterator[Change]:
    """Yield the files of a diff without context."""
    for part in re.split(r"^diff --git ", diff, flags=re.MULTILINE)[1:]:
        old, new = (re.search(rf"^{mark} (?:[ab]/)?(.*?)\t?$", part, re.MULTILINE) for mark in ("---", r"\+\+\+"))
        if old and new:
            status = "A" if old[1] == "/dev/null" else "D" if new[1] == "/dev/null" else "M"
            yield Change(new[1] if status == "A" else old[1], status, tuple(_hunks(part)))


def _hunks(part: str) -> Iterator[Hunk]:
    heads = list(_HUNK.finditer(part))
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        rows = part[head.end() : following.start() if following else len(part)].split("\n")[1:]
        old, new = (tuple(row[1:] for row in rows if row[:1] == sign) for sign in "-+")
        yield Hunk(int(head[1]), int(head[2] or 1), old, new)


def answer(path: str, text: str, hunks: Sequence[Hunk]) -> Answer | None:
    """Return what the hunks change in a file's text; None if that is only comments, imports and tests."""
    language = BY_NAME.get(detect(path, text) or "")
    if language is None:
        return None
    found = definitions(text, language)
    telling = [hunk for hunk in hunks if not _says_only(hunk, language) and not _tests(found, hunk)]
    lines = text.removeprefix("\ufeff").split("\n")
    functions = {function for hunk in telling for function in _holding(found, lines, hunk)}
    by_line = tuple(sorted(functions, key=lambda function: (function.line, function.end)))
    return Answer(path, tuple(hunk.lines for hunk in telling), by_line) if telling else None


def definitions(text: str, language: Language) -> tuple[Definition, ...]:
    """Return the outline of a file's text."""
    lines = text.removeprefix("\ufeff").split("\n")
    if language.lines:
        return sketch(lines, language).definitions
    grammar = load(language.name)
    found = outline("\n".join(lines), lines, grammar) if grammar else None
    return found.definitions if found else ()


def _holding(found: Sequence[Definition], lines: Sequence[str], hunk: Hunk) -> set[Function]:
    """Return the innermost functions that hold the old lines of a hunk, or the place of an insertion."""
    first, last = hunk.lines
    holding: set[Function] = set()
    if not hunk.start:  # added above the first line
        return holding
    for row in range(first - 1, last):
        if hunk.old and not lines[row].strip():
            continue
        around = [d for d in found if d.kind in _FUNCTIONS and d.start <= row <= d.end]
        if not hunk.old:
            around = [d for d in around if row < d.end or _is_deeper(hunk.new, lines[d.line])]
        if around:
            d = around[-1]
            holding.add(Function(d.name, d.line + 1, d.start + 1, d.end + 1))
    return holding


def _is_deeper(added: Sequence[str], head: str) -> bool:
    """Tell whether lines that are added below the last line of a definition belong to it, as in Python they may."""
    first = next((line for line in added if line.strip()), "")
    return _indentation(first) > _indentation(head)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _says_only(hunk: Hunk, language: Language) -> bool:
    """Tell whether a hunk changes nothing but comments, imports and blank lines."""
    marks = (*language.line_comment, *(language.block_comment or ()))
    lines = [line.strip() for line in (*hunk.old, *hunk.new) if line.strip()]
    return all(line.startswith(marks) or _is_inside_comment(line, language) or _IMPORT.match(line) for line in lines)


def _is_inside_comment(line: str, language: Language) -> bool:
    return bool(language.block_comment) and (line == "*" or line.startswith(("* ", "*/")))


def _tests(found: Sequence[Definition], hunk: Hunk) -> bool:
    """Tell whether a hunk is in a test that stands beside the code: Rust's `mod tests`, Zig's `test`."""
    row = hunk.lines[0] - 1
    around = [d for d in found if d.start <= row <= d.end]
    return any(d.kind == "test" or (d.kind == "module" and _TEST_MODULE.search(d.name)) for d in around)
