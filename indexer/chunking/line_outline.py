"""The outline of a file in a language without a grammar: the lines where definitions begin, and where they end."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache

from indexer.chunking.comments import clean_comment, comment_above
from indexer.chunking.line_ends import Ends
from indexer.chunking.outline import LOCAL, Definition, Member, Outline, kind_inside
from indexer.languages.language import Language, LineRule

_MAX_LINE = 400
"""Characters of a line that are looked at: no definition begins after them."""
_MAX_NAME = 120
_MAX_AGAIN = 32


@dataclass(frozen=True, slots=True)
class _Pattern:
    rule: LineRule
    compiled: re.Pattern[str]
    more_lines: int
    """Lines below the first that the pattern looks at."""


@dataclass(frozen=True, slots=True)
class _Sketcher:
    patterns: tuple[_Pattern, ...]
    fence: re.Pattern[str] | None


@dataclass(slots=True)
class _Found:
    row: int
    rule: LineRule
    name: str
    level: int


@cache
def _sketcher(language: Language) -> _Sketcher:
    patterns = tuple(_Pattern(rule, re.compile(rule.pattern), rule.pattern.count(r"\n")) for rule in language.lines)
    return _Sketcher(patterns, re.compile(language.fence) if language.fence else None)


def sketch(lines: list[str], language: Language) -> Outline:
    """The outline of `lines` by the row's `LineRule`s. Borders are the callers' to guess."""
    found = _find(lines, _sketcher(language))
    ends = _ends(lines, found, language)
    definitions: list[Definition] = []
    members: list[Member] = []
    open_: list[int] = []
    for one, end in zip(found, ends, strict=True):
        while open_ and definitions[open_[-1]].end < one.row:
            open_.pop()
        parent = open_[-1] if open_ else -1
        outer = definitions[parent] if parent >= 0 else None
        if one.rule.kind == "end":
            continue
        if one.rule.inside and (outer is None or outer.kind not in one.rule.inside.split("|")):
            continue
        scope = outer.symbol if outer else None
        symbol = f"{scope}.{one.name}" if scope and len(scope) < _MAX_NAME else one.name
        kind = kind_inside(one.rule.kind, outer)
        if not one.rule.own:
            members.append(Member(one.row, kind, one.name, symbol))
            continue
        first = comment_above(lines, one.row, language)
        last = definitions[-1] if definitions else None
        if last and last.symbol == symbol and last.parent == parent and last.end + 1 == first and kind in LOCAL:
            definitions[-1] = replace(last, end=end, again=(*last.again, one.row)[:_MAX_AGAIN])  # another clause
            continue
        definitions.append(
            Definition(
                start=first,
                line=one.row,
                end=min(end, outer.end) if outer else end,
                parent=parent,
                kind=kind,
                name=one.name,
                symbol=symbol,
                scope=scope,
                signature=lines[one.row].strip().rstrip(" {")[:240] or None,
                doc=clean_comment(lines[first : one.row], language) if first < one.row else None,
            )
        )
        open_.append(len(definitions) - 1)
    return Outline(tuple(definitions), {}, tuple(members))


def _find(lines: list[str], sketcher: _Sketcher) -> list[_Found]:
    found: list[_Found] = []
    fenced = False
    for row, line in enumerate(lines):
        if sketcher.fence and sketcher.fence.match(line):
            fenced = not fenced
        if fenced or not line or line.isspace():
            continue
        text = line[:_MAX_LINE]
        for pattern in sketcher.patterns:
            looked_at = text
            if pattern.more_lines:
                looked_at = "\n".join(below[:_MAX_LINE] for below in lines[row : row + 1 + pattern.more_lines])
            matched = pattern.compiled.match(looked_at)
            if matched and matched["name"]:
                groups = matched.groupdict()
                name = " ".join(f"{matched['name']} {groups.get('more') or ''}".split())[:_MAX_NAME]
                found.append(_Found(row, pattern.rule, name, len(groups.get("level") or "")))
                break
    return found


def _ends(lines: list[str], found: list[_Found], language: Language) -> list[int]:
    """The last row of each definition, without blank lines."""
    ends = Ends(lines, language)
    before_next = _before_next(found, len(lines))
    rows = []
    for index, one in enumerate(found):
        if not one.rule.own:
            end = one.row
        elif one.rule.ends == "next":
            end = before_next[index]
        elif one.rule.ends == "indent":
            end = ends.indented(one.row)
        else:
            below = next((other.row for other in found[index + 1 : index + 8] if other.rule.own), len(lines))
            end = ends.bracketed(one.row, below)
        while end > one.row and not lines[end].strip():
            end -= 1
        rows.append(end)
    return rows


def _before_next(found: list[_Found], count: int) -> list[int]:
    """For each definition the row before the next that ends such ones, of the same level or above."""
    rows = [count - 1] * len(found)
    open_: list[int] = []
    for index, one in enumerate(found):
        if one.rule.ends != "next":
            continue
        while open_ and found[open_[-1]].level >= one.level:
            rows[open_.pop()] = one.row - 1
        open_.append(index)
    return rows
