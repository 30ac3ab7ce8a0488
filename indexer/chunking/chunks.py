"""From the text of a file to its chunks: one algorithm for every language.

1. The outline (indexer/chunking/outline.py) gives the definitions and the rows where statements begin.
2. A definition of more than one line is a chunk. A class, or what is too large and defines something, is opened:
   what it defines becomes chunks of its own, what is left of it are its parts.
3. What stands between them (imports, constants, functions of one line) stays together.
4. Fragments (a label, what follows the last method, the head of a namespace) go with a neighbour.
5. What is still too large is cut where the outermost statements begin.

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

TARGET = 1000
"""Characters without indentation that joined neighbours and parts grow to; about what the encoder's 256 tokens hold."""
MAX = 1500
"""A definition up to this size is not cut: its end would be unread by the encoder, but it would be torn as well."""
SMALL = 200
"""What is smaller than this may stay with its neighbours, and a class with all its members."""
_FRAGMENT = 80
"""What is smaller and no definition (a label, a lone statement) goes with a neighbour. By itself it says nothing, and
short texts are similar to any question. The heads of classes stay: docs/chunking.md has what that is worth."""
_VALUES = frozenset(
    "constant variable field property type rule key item section element target index statement".split()  # noqa: SIM905
)
"""Kinds that become chunks of their own only when they are not small, as any definition of one line; else they stay
with what is around them."""
_LOOSE = _VALUES - {"type"}
"""Kinds of which a fragment may define something."""
_HOLDERS = CONTAINERS | {"constant", "variable", "field", "script"}
"""Kinds whose members become chunks of their own: classes, objects that are assigned to a name, a page's scripts."""
_MAX_OPEN = 16
"""Definitions within definitions that are opened; deeper ones stay in their parent's chunk."""
_MAX_NAMES = 500
"""More than fit into the largest chunk; bounds what one endless line gives."""
_CLOSE = re.compile(r"[})\]]+[;,)]*\s*(?://.*|/\*.*|#.*)?$|#\s*(?:endif|else)\b|end\b|(?:fi|done|esac)$")
_LONGEST_CLOSE = 80


@dataclass(slots=True)
class _Piece:
    """Rows start..end (from 0) of one owner: the index of a definition, or -1."""

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
    """Keep Python from looking for cycles meanwhile: there are none, and looking takes a seventh of the time of a file
    that defines much.
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
        self.begins: dict[int, list[int]] = {}  # row -> definitions whose own first line it is
        for index, d in enumerate(self.definitions):
            self.begins.setdefault(d.line, []).append(index)
        # size of rows a..b: sums[b + 1] - sums[a]
        self.sums = list(accumulate((len(line.strip()) for line in self.lines), initial=0))

    def run(self) -> list[Chunk]:
        pieces = self._join(self._runs(self._paint(self._choose())))
        return self._chunks([part for piece in pieces for part in self._split(piece)])

    def _outline(self, text: str, row: Language | None) -> Outline:
        if row and row.lines:
            return sketch(self.lines, row)
        grammar = load(row.name) if row else None
        found = (outline(text, self.lines, grammar) if grammar else None) or Outline((), {})
        return with_scripts(found, self.lines) if row and row.scripts else found

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

    def _join(self, pieces: list[_Piece]) -> list[_Piece]:
        """Give fragments to the neighbour that they introduce, else to the one they follow."""
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
        """Whether a piece is too small to stand alone and not all of a definition."""
        if self._size(piece.start, piece.end) >= _FRAGMENT:
            return False
        if piece.owner >= 0 and self._has_head(piece, piece.owner):
            return self.definitions[piece.owner].kind == "namespace"
        return all(self.definitions[index].kind in _LOOSE for index in self._begun(piece))

    def _takes(self, neighbour: _Piece, fragment: _Piece) -> bool:
        """Whether a neighbour lies in what the fragment is a part of, and has room."""
        size = self._size(neighbour.start, neighbour.end)
        if size <= MAX < size + self._size(fragment.start, fragment.end):
            return False
        owner = neighbour.owner
        while owner >= 0 and owner != fragment.owner:
            owner = self.definitions[owner].parent
        return owner == fragment.owner

    def _has_head(self, piece: _Piece, owner: int) -> bool:
        """Whether what a definition begins with is in a piece: its own line, or a part of the comment above."""
        d = self.definitions[owner]
        return piece.start <= d.line and d.start <= piece.end

    def _begun(self, piece: _Piece) -> list[int]:
        """The definitions that begin in a piece."""
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
        subjects = [self._subject(piece) for piece in pieces]
        counts = Counter(subjects)
        seen: dict[int, int] = {}
        names = self._names()
        chunks = []
        for piece, subject in zip(pieces, subjects, strict=True):
            held = tuple(name for row in range(piece.start, piece.end + 1) for name in names.get(row, ()))[:_MAX_NAMES]
            lines = piece.start + 1, piece.end + 1
            if subject < 0:
                chunks.append(Chunk(*lines, self._kind(piece), None, None, None, None, 0, held))
                continue
            d = self.definitions[subject]
            part = 0
            begins = piece.start <= d.start <= piece.end
            if counts[subject] > 1 or not begins:
                part = seen[subject] = seen.get(subject, 0 if begins else 1) + 1
            chunks.append(Chunk(*lines, d.kind, d.symbol, d.signature, d.scope, d.doc, part, held))
        return chunks

    def _subject(self, piece: _Piece) -> int:
        """The definition that a piece is called after: its owner, or what stands there for itself; -1 for none."""
        if piece.owner >= 0 and self._has_head(piece, piece.owner):
            return piece.owner
        alone = self._main(piece)
        return alone if alone >= 0 else piece.owner

    def _main(self, piece: _Piece) -> int:
        """The one definition that most of a piece without a head is; -1 if there is none, or several."""
        begun = self._begun(piece)
        outer = [index for index in begun if self.definitions[index].parent not in begun]
        if len(outer) != 1:
            return -1
        d = self.definitions[outer[0]]
        size = self._size(max(d.start, piece.start), min(d.end, piece.end))
        return outer[0] if 2 * size >= self._size(piece.start, piece.end) else -1

    def _names(self) -> dict[int, list[Name]]:
        names: dict[int, list[Name]] = {}
        for d in self.definitions:
            for row in (d.line, *d.again):
                names.setdefault(row, []).append(Name(row + 1, d.kind, d.name, d.symbol))
        for member in self.outline.members:
            names.setdefault(member.row, []).append(Name(member.row + 1, member.kind, member.name, member.symbol))
        return names

    def _kind(self, piece: _Piece) -> str:
        """The kind of a chunk that is no definition, or several: theirs, if it is the same."""
        if self.default_kind == "text":
            return "text"
        kinds = {self.definitions[index].kind for index in self._begun(piece)} - _VALUES
        return kinds.pop() if len(kinds) == 1 else self.default_kind


def _hangs(before: _Piece | None, piece: _Piece, after: _Piece) -> bool:
    """Whether a piece stands right below what is before it, but apart from what comes after it."""
    return before is not None and piece.start == before.end + 1 and after.start > piece.end + 1


def _closes(line: str) -> bool:
    """Whether a line only closes what stands above it: brackets, `end`, perhaps with a remark what it was."""
    line = line.strip()
    return not any(map(str.isalnum, line)) or (len(line) <= _LONGEST_CLOSE and bool(_CLOSE.match(line)))
