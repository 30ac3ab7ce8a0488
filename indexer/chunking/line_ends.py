"""Where a definition ends in a language without a grammar: by its brackets, or by its indentation.

Both are answered for every row at once, in time linear in the file, however deep it is nested.
"""

from __future__ import annotations

import re
from functools import cached_property
from itertools import accumulate

from indexer.languages.language import Language

_CLOSING = re.compile(r"[\])}]|end\w*\b|(?i:end\s*(?:function|subroutine|module|program|macro))|fi\b|done\b|in\b|;;")
"""How the line begins that closes what began at the same indentation."""
_CONTINUING = re.compile(r"\|(?!\|)|then\b|else\b|with\b|(?i:contains)\s*$")
"""How a line begins that goes on with it: cases of a type or of a match."""
_BRACKETS = re.compile(r"[(){}\[\]]")
_MAX_OPENING = 5
"""Rows after a definition's first within which its bracket opens, if it has one."""


class Ends:
    """The ends of definitions that begin on a row of `lines`."""

    def __init__(self, lines: list[str], language: Language) -> None:
        self.lines = lines
        marks = [re.escape(mark) for mark in language.line_comment]
        quoted = [r'"(?:\\.|[^"\\])*"', r"'(?:\\.|[^'\\])*'", r"/\*.*?\*/"]
        self.noise = re.compile("|".join([*quoted, *(f"(?:^|(?<=\\s)){mark}.*" for mark in marks)]))

    def indented(self, row: int) -> int:
        """The last row before the next line that is indented no deeper, or that line if it closes the definition."""
        after = self._next_shallow[row]
        while after < len(self.lines) and self._indents[after] == self._indents[row]:
            line = self.lines[after].lstrip()
            if _CLOSING.match(line) and not self._opens(after):
                return after
            if not _CLOSING.match(line) and not _CONTINUING.match(line):
                break
            after = self._next_shallow[after]
        return after - 1

    def _opens(self, row: int) -> bool:
        """Whether deeper lines follow a row: then it closes a head, and the body comes."""
        below = row + 1
        while below < len(self.lines) and below <= row + _MAX_OPENING and not self.lines[below].strip():
            below += 1
        return below < len(self.lines) and bool(self.lines[below].strip()) and self._indents[below] > self._indents[row]

    def bracketed(self, row: int, before: int) -> int:
        """The row where the first "{" from `row` on closes. It opens on that row or soon after, above row `before`;
        without one, the definition ends where its other brackets are closed and it is not indented any more.
        """
        start, last = row, min(before, len(self.lines)) - 1
        while start <= last:
            close = self._next_closed[start]
            if close >= len(self.lines):
                break
            if self._braces[close + 1] > self._braces[start]:
                return close
            line = self.lines[close].rstrip()
            if close - row >= _MAX_OPENING or line.endswith(";") or not line:
                start = close
                break
            start = close + 1
        if self._next_closed[row] >= len(self.lines):  # half a file, or a bracket that is none
            return self.indented(row)
        return max(self._next_closed[row], self._continued(self._next_closed[row]))

    def _continued(self, row: int) -> int:
        below = row + 1
        if below < len(self.lines) and self.lines[below].strip() and self._indents[below] > self._indents[row]:
            return self.indented(row)
        return row

    @cached_property
    def _indents(self) -> list[int]:
        return [len(line) - len(line.lstrip()) for line in self.lines]

    @cached_property
    def _next_shallow(self) -> list[int]:
        """For each row the next one that is not blank and indented no deeper; their number for none."""
        count = len(self.lines)
        found = [count] * count
        open_: list[int] = []
        for row, line in enumerate(self.lines):
            if not line or line.isspace():
                continue
            indent = self._indents[row]
            while open_ and self._indents[open_[-1]] >= indent:
                found[open_.pop()] = row
            open_.append(row)
        return found

    @cached_property
    def _counts(self) -> list[tuple[int, int]]:
        """For each row how many more brackets open than close, and how many "{" there are."""
        counts = []
        for line in self.lines:
            if not _BRACKETS.search(line):
                counts.append((0, 0))
                continue
            code = self.noise.sub("", line)
            braces = code.count("{")
            opening = braces + code.count("(") + code.count("[")
            counts.append((opening - code.count("}") - code.count(")") - code.count("]"), braces))
        return counts

    @cached_property
    def _braces(self) -> list[int]:
        """How many "{" there are above each row."""
        return list(accumulate((braces for _, braces in self._counts), initial=0))

    @cached_property
    def _next_closed(self) -> list[int]:
        """For each row the first one, itself or below, after which no more brackets are open than before it."""
        count = len(self.lines)
        found = [count] * count
        depth = 0
        open_: list[tuple[int, int]] = []  # rows that are not closed yet, and how many brackets were open before
        for row, (net, _) in enumerate(self._counts):
            open_.append((row, depth))
            depth += net
            while open_ and open_[-1][1] >= depth:
                found[open_.pop()[0]] = row
        return found
