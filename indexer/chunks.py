"""From the text of a file to its chunks: one algorithm for every language.

1. The outline (indexer/outline.py) gives the definitions and the rows where statements begin.
2. A definition of more than one line is a chunk. A class, or what is too large and defines something, is opened:
   what it defines becomes chunks of its own, what is left of it are its parts.
3. What stands between them (imports, constants, functions of one line) stays together.
4. What is still too large is cut where the outermost statements begin.

Without a grammar, borders are guessed from indentation and blank lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import accumulate

from indexer.grammar import load
from indexer.language import Language
from indexer.languages import BY_NAME
from indexer.outline import CONTAINERS, Outline, outline
from indexer.sketch import sketch

CHUNKER_VERSION = 4
"""Grows when chunks or passages change, so that stored blobs are cut again."""

TARGET = 1000
"""Characters without indentation that joined neighbours and parts grow to; about what the encoder's 256 tokens hold."""
MAX = 1500
"""A definition up to this size is not cut: its end would be unread by the encoder, but it would be torn as well."""
SMALL = 200
"""What is smaller than this may stay with its neighbours, and a class with all its members."""
_VALUES = frozenset(
    "constant variable field property type rule key section element target index statement".split()  # noqa: SIM905
)
"""Kinds that become chunks of their own only when they are not small, as any definition of one line; else they stay
with what is around them."""
_HOLDERS = CONTAINERS | {"constant", "variable", "field"}
"""Kinds whose members become chunks of their own: classes, and objects that are assigned to a name."""
_MAX_OPEN = 16
"""Definitions within definitions that are opened; deeper ones stay in their parent's chunk."""
_MAX_NAMES = 500
"""More than fit into the largest chunk; bounds what one endless line gives."""
_CLOSE = re.compile(r"[})\]]+[;,)]*\s*(?://.*|/\*.*|#.*)?$|#\s*(?:endif|else)\b|end\b|(?:fi|done|esac)$")
_LONGEST_CLOSE = 80


@dataclass(frozen=True, slots=True)
class Name:
    """Something that is defined in a chunk: its own definition, one inside of it, a field, a member of an enum."""

    line: int
    """Line of the definition itself, from 1: below decorators and comments. One of several equations or overloads has
    a name for each."""
    kind: str
    name: str
    """As it is written where it is defined: "serve"."""
    symbol: str
    """Scope and name: "Server.Handler.serve"."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines of a file that belong together. Lines count from 1, both ends included; only a line feed ends a line."""

    start_line: int
    end_line: int
    kind: str
    """function, method, class, …; "code" for what defines nothing or several things, "text" without a grammar."""
    symbol: str | None
    """Scope and name: "Server.Handler.serve"."""
    signature: str | None
    """One line."""
    scope: str | None
    """What encloses it: "Server.Handler"."""
    doc: str | None
    """What the docstring or the comment above says."""
    part: int = 0
    """0: all of the definition. Of a definition cut into parts: 1 for the one with its head, 2 … for the others."""
    names: tuple[Name, ...] = ()
    """All that is defined on the chunk's lines, in their order. Of a definition that is cut into parts or whose members
    are chunks of their own, each name is in the chunk that has its line."""


@dataclass(slots=True)
class _Piece:
    """Rows start..end (from 0) of one owner: the index of a definition, or -1."""

    start: int
    end: int
    owner: int


def cut(text: str, language: str | None) -> list[Chunk]:
    """Cut a file into chunks: sorted, without overlaps, every line that is not blank in exactly one.

    A pure function of the text and of the language's name (indexer/languages.py). Never raises.
    """
    return _Cut(text, language).run()


class _Cut:
    """The state of cutting one file."""

    def __init__(self, text: str, language: str | None) -> None:
        self.lines = text.split("\n")
        row = BY_NAME.get(language) if language else None
        self.default_kind = "text" if row is None or row.prose else "code"
        self.outline = self._outline(text, row)
        self.parsed = bool(self.outline.borders)
        self.definitions = self.outline.definitions
        # size of rows a..b: sums[b + 1] - sums[a]
        self.sums = list(accumulate((len(line.strip()) for line in self.lines), initial=0))

    def run(self) -> list[Chunk]:
        pieces = self._runs(self._paint(self._choose()))
        return self._chunks([part for piece in pieces for part in self._split(piece)])

    def _outline(self, text: str, row: Language | None) -> Outline:
        if row and row.lines:
            return sketch(self.lines, row)
        grammar = load(row.name) if row else None
        return (outline(text, self.lines, grammar) if grammar else None) or Outline((), {})

    def _size(self, start: int, end: int) -> int:
        return self.sums[end + 1] - self.sums[start]

    def _choose(self) -> list[bool]:
        """Which definitions become chunks of their own."""
        own: list[bool] = []
        opened: list[bool] = []
        depth: list[int] = []
        last_start = [-1] * (len(self.definitions) + 1)  # of the last own definition below each parent
        has_inner = {d.parent for d in self.definitions}
        for index, d in enumerate(self.definitions):
            level = depth[d.parent] + 1 if d.parent >= 0 else 0
            size = self._size(d.start, d.end)
            free = (d.parent < 0 or opened[d.parent]) and d.start > last_start[d.parent] and level < _MAX_OPEN
            free = free and (size >= SMALL or (d.kind not in _VALUES and d.end > d.start))
            if free:
                last_start[d.parent] = d.start
            own.append(free)
            depth.append(level)
            opens = size > (SMALL if d.kind in _HOLDERS else TARGET)
            opened.append(free and opens and index in has_inner)
        return own

    def _paint(self, own: list[bool]) -> list[int]:
        """The owner of each row: the innermost definition that is a chunk of its own."""
        owners = [-1] * len(self.lines)
        for index, d in enumerate(self.definitions):
            if own[index]:
                owners[d.start : d.end + 1] = [index] * (d.end + 1 - d.start)
        return owners

    def _runs(self, owners: list[int]) -> list[_Piece]:
        """Rows of one owner that follow each other, without blank ends; closing brackets go with what they close."""
        pieces: list[_Piece] = []
        row, count = 0, len(owners)
        while row < count:
            first, owner = row, owners[row]
            while row < count and owners[row] == owner:
                row += 1
            start, end = first, row - 1
            while start <= end and not self.lines[start].strip():
                start += 1
            while end > start and not self.lines[end].strip():
                end -= 1
            if start > end:
                continue
            if pieces and end - start < 3 and all(map(_closes, self.lines[start : end + 1])):
                pieces[-1].end = end
                continue
            pieces.append(_Piece(start, end, owner))
        return pieces

    def _split(self, piece: _Piece) -> list[_Piece]:
        """Cut a piece that is too large where the outermost statements begin."""
        parts = []
        start, end = piece.start, piece.end
        while self._size(start, end) > MAX:
            row = self._border(start, end, piece.owner)
            if row is None:
                break
            last = row - 1
            while last > start and not self.lines[last].strip():
                last -= 1
            parts.append(replace(piece, start=start, end=last))
            start = row
            while not self.lines[start].strip():
                start += 1
        parts.append(replace(piece, start=start, end=end))
        return parts

    def _border(self, start: int, end: int, owner: int) -> int | None:
        """The best row in start + 1 .. end to begin the next part at; None if there is only one row."""
        best, best_rank = None, (1 << 30, 0)
        row = max(start, self._head_row(owner)) + 1
        if self._size(start, row - 1) > 2 * MAX:  # the comment above is a book of its own
            row = start + 1
        while row <= end:
            size = self._size(start, row - 1)
            if size > TARGET and best is not None:
                break
            if self.lines[row].strip():
                rank = (self._depth(row) if size >= TARGET // 3 else 1 << 29, -row)
                if rank < best_rank:
                    best, best_rank = row, rank
            row += 1
        return best

    def _head_row(self, owner: int) -> int:
        return self.definitions[owner].line if owner >= 0 else -1

    def _depth(self, row: int) -> int:
        """How unwilling a cut before `row` is: the depth of the statement that begins there."""
        if self.parsed:
            depth = self.outline.borders.get(row, 1 << 20)
            comes_after_comment = self.lines[row - 1].lstrip().startswith(("//", "#", "/*", "*", "--"))
            return 2 * depth + comes_after_comment
        line = self.lines[row]
        indentation = min(len(line) - len(line.lstrip()), 40)
        return 2 * indentation + bool(self.lines[row - 1].strip())

    def _chunks(self, pieces: list[_Piece]) -> list[Chunk]:
        counts: dict[int, int] = {}
        for piece in pieces:
            counts[piece.owner] = counts.get(piece.owner, 0) + 1
        seen: dict[int, int] = {}
        names = self._names()
        chunks = []
        for piece in pieces:
            held = tuple(name for row in range(piece.start, piece.end + 1) for name in names.get(row, ()))[:_MAX_NAMES]
            lines = piece.start + 1, piece.end + 1
            if piece.owner < 0:
                chunks.append(self._loose(lines, held))
                continue
            d = self.definitions[piece.owner]
            part = 0
            if counts[piece.owner] > 1:
                part = seen[piece.owner] = seen.get(piece.owner, 0) + 1
            chunks.append(Chunk(*lines, d.kind, d.symbol, d.signature, d.scope, d.doc, part, held))
        return chunks

    def _names(self) -> dict[int, list[Name]]:
        names: dict[int, list[Name]] = {}
        for d in self.definitions:
            for row in (d.line, *d.again):
                names.setdefault(row, []).append(Name(row + 1, d.kind, d.name, d.symbol))
        for member in self.outline.members:
            names.setdefault(member.row, []).append(Name(member.row + 1, member.kind, member.name, member.symbol))
        return names

    def _loose(self, lines: tuple[int, int], held: tuple[Name, ...]) -> Chunk:
        """A chunk that is no definition, or several."""
        kinds = {name.kind for name in held} - _VALUES
        kind = kinds.pop() if len(kinds) == 1 else self.default_kind
        return Chunk(*lines, kind, None, None, None, None, 0, held)


def _closes(line: str) -> bool:
    """Whether a line only closes what stands above it: brackets, `end`, perhaps with a remark what it was."""
    line = line.strip()
    return not any(map(str.isalnum, line)) or (len(line) <= _LONGEST_CLOSE and bool(_CLOSE.match(line)))
