"""Files that were made to be hard: broken, odd, endless or deep, one of each sort in every language.

They are built from the small file of the language in fixtures/.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from indexer.chunking.chunk import Chunk
from indexer.languages.table import BY_NAME

_FIXTURES = {path.stem: path for path in (Path(__file__).parent / "fixtures").iterdir() if path.is_file()}
_NOISE = "{}()<>[];:\"'`\n\t abcif1+=*&#|$@/\\-%,."
_DEEP = 10_000
_MEGABYTE = 1_000_000
LINES = 100_000


def _without_every_seventh(text: str) -> str:
    return "".join(character for index, character in enumerate(text * 20) if index % 7)


def _half(text: str) -> str:
    return (text * 20)[: len(text) * 19 + len(text) // 2]


def _odd_ends(text: str) -> str:
    lines = (text * 20).split("\n")
    ends = ("\n", "\r\n", "\r", "\n\t")
    return "\ufeff" + "".join(line + ends[index % 4] for index, line in enumerate(lines))


def _many_lines(text: str) -> str:
    repeated = text * (LINES // max(1, text.count("\n")) + 1)
    return "\n".join(repeated.split("\n")[:LINES])


def _noise(text: str) -> str:
    words = text.split()
    source = random.Random(1)
    return "".join(
        source.choice(words) + " " if source.random() < 0.1 else source.choice(_NOISE) for _ in range(_MEGABYTE // 2)
    )


SORTS: dict[str, Callable[[str], str]] = {
    "broken": _without_every_seventh,
    "half a file": _half,
    "mixed line ends, tabs, a mark": _odd_ends,
    "100,000 lines": _many_lines,
    "( 10,000 deep": lambda text: text + "(" * _DEEP + "1" + ")" * _DEEP,
    "[ 10,000 deep": lambda text: text + "[" * _DEEP + "1" + "]" * _DEEP,
    "{ 10,000 deep": lambda text: text + "{\n" * _DEEP + "1" + "}\n" * _DEEP,
    "<a> 10,000 deep": lambda text: text + "<a>\n" * _DEEP + "1" + "</a>\n" * _DEEP,
    "the file 10,000 times, unclosed": lambda text: (text.rstrip()[:-1] + "\n") * (_MEGABYTE // len(text)),
    "1 MB on one line": lambda text: text + "x = " + "a+" * (_MEGABYTE // 2) + "a",
    "1 MB on many lines": lambda text: text + "x = (\n" + "a +\n" * (_MEGABYTE // 4) + "a)",
    "1 MB of quotes": lambda text: text + '"' * _MEGABYTE,
    "noise": _noise,
}


def hard_file(language: str, sort: str) -> str:
    """The text of one such file."""
    return SORTS[sort](_FIXTURES[language].read_text(encoding="utf-8"))


def languages() -> list[str]:
    """All languages, those with a grammar first."""
    return sorted(BY_NAME, key=lambda name: not BY_NAME[name].grammar)


def assert_covered(text: str, chunks: list[Chunk]) -> None:
    """Fail unless every line that is not blank is in exactly one chunk, and every name in the lines of its chunk."""
    lines = text.split("\n")
    last = 0
    for chunk in chunks:
        assert last < chunk.start_line <= chunk.end_line <= len(lines)
        assert not any(line.strip() for line in lines[last : chunk.start_line - 1])
        last = chunk.end_line
    assert not any(line.strip() for line in lines[last:])
    for chunk in chunks:
        for name in chunk.names:
            assert chunk.start_line <= name.line <= chunk.end_line
