"""Where a definition ends in a language without a grammar: by its brackets, or by its indentation.

Both are computed for every row at once. The time is linear in the size of the file, however deep it is nested.
"""

from __future__ import annotations

import re
from functools import cached_property
from itertools import accumulate

from indexer.languages.language import Language

# How a line begins that closes a definition at the same indentation.
_CLOSING = re.compile(r"[\])}]|end\w*\b|(?i:end\s*(?:function|subroutine|module|program|macro))|fi\b|done\b|in\b|;;")
# How a line begins that continues a definition at the same indentation: cases of a type or of a match.
_CONTINUING = re.compile(r"\|(?!\|)|then\b|else\b|with\b|(?i:contains)\s*$")
_BRACKETS = re.compile(r"[(){}\[\]]")
# If a definition has a bracket, it opens at most so many rows after the definition's first.
_MAX_OPENING = 5


class Ends:
    """The ends of definitions that begin on a row of `lines`."""

    def __init__(self, lines: list[str], language: Language) -> None:
        self.lines = lines
        marks = [re.escape(mark) for mark in language.line_comment]
        quoted = [r'"(?:\\.|[^"\\])*"', r"'(?:\\.|[^'\\])*'", r"/\*.*?\*/"]
        self.noise = re.compile("|".join([*quoted, *(f"(?:^|(?<=\\s)){mark}.*" for mark in marks)]))

    def indented(self, row: int) -> int:
        """Return the row before the next line that is indented no deeper, or that line if it closes the definition."""
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
        """Tell whether deeper lines follow a row: then it closes a head, and the body follows."""
        below = row + 1
        while below < len(self.lines) and below <= row + _MAX_OPENING and not self.lines[below].strip():
            below += 1
        return below < len(self.lines) and bool(self.lines[below].strip()) and self._indents[below] > self._indents[row]

    def bracketed(self, row: int, before: int) -> int:
        """Return the row where the first "{" from `row` on closes.

        That bracket opens on `row` or soon after, above the row `before`. Without one, the definition ends where its
        other brackets are closed and no deeper line follows.
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
        """Return the end by indentation if a deeper line follows `row`, else `row`."""
        below = row + 1
        if below < len(self.lines) and self.lines[below].strip() and self._indents[below] > self._indents[row]:
            return self.indented(row)
        return row

    @cached_property
    def _indents(self) -> list[int]:
        return [len(line) - len(line.lstrip()) for line in self.lines]

    @cached_property
    def _next_shallow(self) -> list[int]:
        """For each row the next one that is not blank and indented no deeper; the number of rows if there is none."""
        count = len(self.lines)
        next_shallow = [count] * count
        open_: list[int] = []
        for row, line in enumerate(self.lines):
            if not line or line.isspace():
                continue
            indent = self._indents[row]
            while open_ and self._indents[open_[-1]] >= indent:
                next_shallow[open_.pop()] = row
            open_.append(row)
        return next_shallow

    @cached_property
    def _counts(self) -> list[tuple[int, int]]:
        """For each row how many more brackets open than close on it, and the number of its "{"."""
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
        """For each row the number of "{" above it."""
        return list(accumulate((braces for _, braces in self._counts), initial=0))

    @cached_property
    def _next_closed(self) -> list[int]:
        """For each row the first one, itself or below, after which no more brackets are open than before the row."""
        count = len(self.lines)
        next_closed = [count] * count
        depth = 0
        open_: list[tuple[int, int]] = []  # rows that are not closed yet, and the number of brackets open before each
        for row, (net, _) in enumerate(self._counts):
            open_.append((row, depth))
            depth += net
            while open_ and open_[-1][1] >= depth:
                next_closed[open_.pop()[0]] = row
        return next_closed
