"""From the text of a file to its chunks: one algorithm for every language.

1. The outline (indexer/chunking/outline.py) gives the definitions and the rows where statements begin.
2. A definition of more than one line is a chunk. A class, or a definition that is too large and has others inside, is
   opened: the definitions inside become chunks of their own, and the lines that are left are its parts.
3. The lines between definitions (imports, constants, functions of one line) stay together.
4. Fragments (a label, the lines after the last method, the head of a namespace) go with a neighbour.
5. A piece that is still too large is cut where the outermost statements begin.

Without a grammar, borders are guessed from indentation and blank lines.
"""

from __future__ import annotations

import gc
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate

from indexer.chunking.chunk import Chunk, Name
from indexer.chunking.grammar import load
from indexer.chunking.line_outline import sketch
from indexer.chunking.outline import CONTAINERS, Outline, outline
from indexer.chunking.scripts import with_scripts
from indexer.languages.language import Language
from indexer.languages.table import BY_NAME

# Sizes are in characters, without indentation.

# Joined neighbours and parts grow to this size: the encoder's 256 tokens hold about as much.
TARGET = 1000
# A definition up to this size is not cut. The encoder does not read its end, but a cut would tear it.
MAX = 1500
# Code below this size may stay with its neighbours, and a class below it with all its members.
SMALL = 200
# A piece below this size that is no definition (a label, a lone statement) goes with a neighbour. Alone it says
# nothing, and short texts are similar to any question. The heads of classes stay: docs/chunking.md has the figures.
_FRAGMENT = 80
# Definitions of these kinds become chunks of their own only when they are not small, and so does any definition of one
# line. Otherwise they stay with the lines around them.
_VALUES = frozenset(
    "constant variable field property type rule key item section element target index statement".split()  # noqa: SIM905
)
# Kinds of the definitions that may begin in a fragment.
_LOOSE = _VALUES - {"type"}
# Kinds whose members become chunks of their own: classes, objects that are assigned to a name, a page's scripts.
_HOLDERS = CONTAINERS | {"constant", "variable", "field", "script"}
# Levels of definitions that become chunks of their own; deeper ones stay in their parent's chunk.
_MAX_OPEN = 16
# More names than the largest chunk has; it bounds the names of one endless line.
_MAX_NAMES = 500
_CLOSE = re.compile(r"[})\]]+[;,)]*\s*(?://.*|/\*.*|#.*)?$|#\s*(?:endif|else)\b|end\b|(?:fi|done|esac)$")
_LONGEST_CLOSE = 80


@dataclass(slots=True)
class _Piece:
    """Rows start..end (from 0, both included) of one owner: the index of a definition, or -1."""

    start: int
    end: int
    owner: int


def cut(text: str, language: str | None) -> list[Chunk]:
    """Cut a file into chunks: sorted, without overlaps, every line that is not blank in exactly one.

    A pure function of the text and of the language's name (indexer/languages/table.py). Never raises.
    """
    with _without_collection():
        return _Cut(text, language).run()


@contextmanager
def _without_collection() -> Iterator[None]:
    """Keep Python from looking for cycles meanwhile.

    There are none, and for a file with many definitions looking takes a seventh of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Cut:
    """The state of cutting one file."""

    def __init__(self, text: str, language: str | None) -> None:
        text = text.removeprefix("\ufeff")
        self.lines = text.split("\n")
        row = BY_NAME.get(language) if language else None
        self.default_kind = "text" if row is None or row.prose else "code"
        self.outline = self._outline(text, row)
        self.parsed = bool(self.outline.borders)
        self.definitions = self.outline.definitions
        self.begins: dict[int, list[int]] = {}  # row -> definitions whose own first line is there
        for index, d in enumerate(self.definitions):
            self.begins.setdefault(d.line, []).append(index)
        # size of rows a..b: sums[b + 1] - sums[a]
        self.sums = list(accumulate((len(line.strip()) for line in self.lines), initial=0))

    def run(self) -> list[Chunk]:
        """Return the chunks of the file."""
        pieces = self._join(self._runs(self._paint(self._choose())))
        return self._chunks([part for piece in pieces for part in self._split(piece)])

    def _outline(self, text: str, row: Language | None) -> Outline:
        if row and row.lines:
            return sketch(self.lines, row)
        grammar = load(row.name) if row else None
        by_grammar = (outline(text, self.lines, grammar) if grammar else None) or Outline((), {})
        return with_scripts(by_grammar, self.lines) if row and row.scripts else by_grammar

    def _size(self, start: int, end: int) -> int:
        return self.sums[end + 1] - self.sums[start]

    def _choose(self) -> list[bool]:
        """Tell for each definition whether it becomes a chunk of its own."""
        own: list[bool] = []
        opened: list[bool] = []
        depth: list[int] = []
        last_start = [-1] * (len(self.definitions) + 1)  # of the last own definition below each parent
        has_inner = {d.parent for d in self.definitions}
        for index, d in enumerate(self.definitions):
            level = depth[d.parent] + 1 if d.parent >= 0 else 0
            size = self._size(d.start, d.end)
            may_be = (d.parent < 0 or opened[d.parent]) and d.start > last_start[d.parent] and level < _MAX_OPEN
            is_own = may_be and (size >= SMALL or (d.kind not in _VALUES and d.end > d.start))
            if is_own:
                last_start[d.parent] = d.start
            own.append(is_own)
            depth.append(level)
            opens = size > (SMALL if d.kind in _HOLDERS else TARGET)
            opened.append(is_own and opens and index in has_inner)
        return own

    def _paint(self, own: list[bool]) -> list[int]:
        """Return the owner of each row: the innermost definition that is a chunk of its own, or -1."""
        owners = [-1] * len(self.lines)
        for index, d in enumerate(self.definitions):
            if own[index]:
                owners[d.start : d.end + 1] = [index] * (d.end + 1 - d.start)
        return owners

    def _runs(self, owners: list[int]) -> list[_Piece]:
        """Gather consecutive rows of one owner, without blank ends; closing brackets go with the piece above."""
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

    def _join(self, pieces: list[_Piece]) -> list[_Piece]:
        """Give each fragment to the neighbour that it introduces, else to the one that it follows."""
        joined: list[_Piece] = []
        for index, piece in enumerate(pieces):
            before = joined[-1] if joined else None
            after = pieces[index + 1] if index + 1 < len(pieces) else None
            if self._is_fragment(piece):
                follows = before is not None and self._takes(before, piece)
                if after is not None and self._takes(after, piece) and not (follows and _hangs(before, piece, after)):
                    after.start = piece.start
                    continue
                if before is not None and follows:
                    before.end = piece.end
                    continue
            joined.append(piece)
        return joined

    def _is_fragment(self, piece: _Piece) -> bool:
        """Tell whether a piece is too small to stand alone. No head of a definition is, except a namespace's."""
        if self._size(piece.start, piece.end) >= _FRAGMENT:
            return False
        if piece.owner >= 0 and self._has_head(piece, piece.owner):
            return self.definitions[piece.owner].kind == "namespace"
        return all(self.definitions[index].kind in _LOOSE for index in self._begun(piece))

    def _takes(self, neighbour: _Piece, fragment: _Piece) -> bool:
        """Tell whether a neighbour lies in the definition that the fragment is a part of, and has room."""
        size = self._size(neighbour.start, neighbour.end)
        if size <= MAX < size + self._size(fragment.start, fragment.end):
            return False
        owner = neighbour.owner
        while owner >= 0 and owner != fragment.owner:
            owner = self.definitions[owner].parent
        return owner == fragment.owner

    def _has_head(self, piece: _Piece, owner: int) -> bool:
        """Tell whether a piece has the head of a definition: its own line, or a part of the comment above."""
        d = self.definitions[owner]
        return piece.start <= d.line and d.start <= piece.end

    def _begun(self, piece: _Piece) -> list[int]:
        """Return the indices of the definitions that begin in a piece."""
        return [index for row in range(piece.start, piece.end + 1) for index in self.begins.get(row, ())]

    def _split(self, piece: _Piece) -> list[_Piece]:
        """Cut a piece that is too large where the outermost statements begin."""
        start, end = piece.start, piece.end
        if self._size(start, end) <= MAX:
            return [piece]
        parts: list[_Piece] = []
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
        if parts and self._size(start, end) < _FRAGMENT:
            parts[-1].end = end
        else:
            parts.append(replace(piece, start=start, end=end))
        return parts

    def _border(self, start: int, end: int, owner: int) -> int | None:
        """Return the best row in start + 1 .. end to begin the next part at; None if there is only one row."""
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
        """Return how bad a cut before `row` is: it grows with the depth of the statement that begins there."""
        if self.parsed:
            depth = self.outline.borders.get(row, 1 << 20)
            comes_after_comment = self.lines[row - 1].lstrip().startswith(("//", "#", "/*", "*", "--"))
            return 2 * depth + comes_after_comment
        line = self.lines[row]
        indentation = min(len(line) - len(line.lstrip()), 40)
        return 2 * indentation + bool(self.lines[row - 1].strip())

    def _chunks(self, pieces: list[_Piece]) -> list[Chunk]:
        subjects = [self._subject(piece) for piece in pieces]
        counts = Counter(subjects)
        seen: dict[int, int] = {}
        names_by_row = self._names()
        chunks = []
        for piece, subject in zip(pieces, subjects, strict=True):
            rows = range(piece.start, piece.end + 1)
            names = tuple(name for row in rows for name in names_by_row.get(row, ()))[:_MAX_NAMES]
            lines = piece.start + 1, piece.end + 1
            if subject < 0:
                chunks.append(Chunk(*lines, self._kind(piece), None, None, None, None, 0, names))
                continue
            d = self.definitions[subject]
            part = 0
            begins = piece.start <= d.start <= piece.end
            if counts[subject] > 1 or not begins:
                part = seen[subject] = seen.get(subject, 0 if begins else 1) + 1
            chunks.append(Chunk(*lines, d.kind, d.symbol, d.signature, d.scope, d.doc, part, names))
        return chunks

    def _subject(self, piece: _Piece) -> int:
        """Return the definition that gives a piece its name: its owner, or its main definition; -1 for none."""
        if piece.owner >= 0 and self._has_head(piece, piece.owner):
            return piece.owner
        main = self._main(piece)
        return main if main >= 0 else piece.owner

    def _main(self, piece: _Piece) -> int:
        """Return the only outermost definition that begins in a piece, if it takes half of the piece; else -1."""
        begun = self._begun(piece)
        outer = [index for index in begun if self.definitions[index].parent not in begun]
        if len(outer) != 1:
            return -1
        d = self.definitions[outer[0]]
        size = self._size(max(d.start, piece.start), min(d.end, piece.end))
        return outer[0] if 2 * size >= self._size(piece.start, piece.end) else -1

    def _names(self) -> dict[int, list[Name]]:
        """Return for each row the names that are defined on it."""
        names: dict[int, list[Name]] = {}
        for d in self.definitions:
            for row in (d.line, *d.again):
                names.setdefault(row, []).append(Name(row + 1, d.kind, d.name, d.symbol))
        for member in self.outline.members:
            names.setdefault(member.row, []).append(Name(member.row + 1, member.kind, member.name, member.symbol))
        return names

    def _kind(self, piece: _Piece) -> str:
        """Return the kind of a chunk that is no definition, or several. If all of them have one kind, it is that."""
        if self.default_kind == "text":
            return "text"
        kinds = {self.definitions[index].kind for index in self._begun(piece)} - _VALUES
        return kinds.pop() if len(kinds) == 1 else self.default_kind


def _hangs(before: _Piece | None, piece: _Piece, after: _Piece) -> bool:
    """Tell whether a piece stands right below the piece before it, but apart from the piece after it."""
    return before is not None and piece.start == before.end + 1 and after.start > piece.end + 1


def _closes(line: str) -> bool:
    """Tell whether a line only closes a block above it: brackets or `end`, perhaps with a comment."""
    line = line.strip()
    return not any(map(str.isalnum, line)) or (len(line) <= _LONGEST_CLOSE and bool(_CLOSE.match(line)))
