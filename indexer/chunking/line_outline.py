"""The outline of a file in a language without a grammar: where definitions begin, and where they end."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache

from indexer.chunking.comments import clean_comment, comment_above
from indexer.chunking.line_ends import Ends
from indexer.chunking.outline import LOCAL, Definition, Member, Outline, kind_inside
from indexer.languages.language import Language, LineRule

# Characters of a line that patterns see: no definition begins after them.
_MAX_LINE = 400
_MAX_NAME = 120
_MAX_AGAIN = 32


@dataclass(frozen=True, slots=True)
class _Pattern:
    rule: LineRule
    compiled: re.Pattern[str]
    # Lines below the first that the pattern looks at.
    more_lines: int


@dataclass(frozen=True, slots=True)
class _Sketcher:
    patterns: tuple[_Pattern, ...]
    fence: re.Pattern[str] | None


@dataclass(slots=True)
class _Start:
    """A row where a definition begins, by a rule."""

    row: int
    rule: LineRule
    name: str
    level: int


@cache
def _sketcher(language: Language) -> _Sketcher:
    patterns = tuple(_Pattern(rule, re.compile(rule.pattern), rule.pattern.count(r"\n")) for rule in language.lines)
    return _Sketcher(patterns, re.compile(language.fence) if language.fence else None)


def sketch(lines: list[str], language: Language) -> Outline:
    """Return the outline of `lines` by the `LineRule`s of the language. It has no borders: the caller guesses them."""
    starts = _starts(lines, _sketcher(language))
    ends = _ends(lines, starts, language)
    definitions: list[Definition] = []
    members: list[Member] = []
    open_: list[int] = []
    for start, end in zip(starts, ends, strict=True):
        while open_ and definitions[open_[-1]].end < start.row:
            open_.pop()
        parent = open_[-1] if open_ else -1
        outer = definitions[parent] if parent >= 0 else None
        if start.rule.kind == "end":
            continue
        if start.rule.inside and (outer is None or outer.kind not in start.rule.inside.split("|")):
            continue
        scope = outer.symbol if outer else None
        symbol = f"{scope}.{start.name}" if scope and len(scope) < _MAX_NAME else start.name
        kind = kind_inside(start.rule.kind, outer)
        if not start.rule.own:
            members.append(Member(start.row, kind, start.name, symbol))
            continue
        first = comment_above(lines, start.row, language)
        last = definitions[-1] if definitions else None
        if last and last.symbol == symbol and last.parent == parent and last.end + 1 == first and kind in LOCAL:
            definitions[-1] = replace(last, end=end, again=(*last.again, start.row)[:_MAX_AGAIN])  # another clause
            continue
        definitions.append(
            Definition(
                start=first,
                line=start.row,
                end=min(end, outer.end) if outer else end,
                parent=parent,
                kind=kind,
                name=start.name,
                symbol=symbol,
                scope=scope,
                signature=lines[start.row].strip().rstrip(" {")[:240] or None,
                doc=clean_comment(lines[first : start.row], language) if first < start.row else None,
            )
        )
        open_.append(len(definitions) - 1)
    return Outline(tuple(definitions), {}, tuple(members))


def _starts(lines: list[str], sketcher: _Sketcher) -> list[_Start]:
    starts: list[_Start] = []
    fenced = False
    for row, line in enumerate(lines):
        if sketcher.fence and sketcher.fence.match(line):
            fenced = not fenced
        if fenced or not line or line.isspace():
            continue
        text = line[:_MAX_LINE]
        for pattern in sketcher.patterns:
            read = text
            if pattern.more_lines:
                read = "\n".join(below[:_MAX_LINE] for below in lines[row : row + 1 + pattern.more_lines])
            matched = pattern.compiled.match(read)
            if matched and matched["name"]:
                groups = matched.groupdict()
                name = " ".join(f"{matched['name']} {groups.get('more') or ''}".split())[:_MAX_NAME]
                starts.append(_Start(row, pattern.rule, name, len(groups.get("level") or "")))
                break
    return starts


def _ends(lines: list[str], starts: list[_Start], language: Language) -> list[int]:
    """Return the last row of each definition that is not blank."""
    ends = Ends(lines, language)
    before_next = _before_next(starts, len(lines))
    rows = []
    for index, start in enumerate(starts):
        if not start.rule.own:
            end = start.row
        elif start.rule.ends == "next":
            end = before_next[index]
        elif start.rule.ends == "indent":
            end = ends.indented(start.row)
        else:
            below = next((other.row for other in starts[index + 1 : index + 8] if other.rule.own), len(lines))
            end = ends.bracketed(start.row, below)
        while end > start.row and not lines[end].strip():
            end -= 1
        rows.append(end)
    return rows


def _before_next(starts: list[_Start], count: int) -> list[int]:
    """Return for each start that ends "next" the row before the next such start, of the same level or above."""
    rows = [count - 1] * len(starts)
    open_: list[int] = []
    for index, start in enumerate(starts):
        if start.rule.ends != "next":
            continue
        while open_ and starts[open_[-1]].level >= start.level:
            rows[open_.pop()] = start.row - 1
        open_.append(index)
    return rows
