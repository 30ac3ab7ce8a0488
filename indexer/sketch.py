"""The outline of a file in a language without a grammar: the lines where definitions begin, and where they end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from indexer.language import Language, LineRule
from indexer.outline import Definition, Outline, clean_comment, comment_above, kind_inside

_CLOSING = re.compile(
    r"\s*(?:[\])}]|end\w*\b|(?i:end\s*(?:function|subroutine|module|program|macro))|fi\b|done\b|in\b)"
)
_MAX_LINE = 400
"""Characters of a line that are looked at: no definition begins after them."""
_MAX_ROWS = 3000
"""Rows within which a bracket must close: bounds what a file of brackets that never close costs."""
_MAX_OPENING = 5
"""Rows after a definition's first within which its bracket opens, if it has one."""


@dataclass(frozen=True, slots=True)
class _Sketcher:
    rules: tuple[tuple[LineRule, re.Pattern[str]], ...]
    fence: re.Pattern[str] | None


@dataclass(slots=True)
class _Found:
    row: int
    rule: LineRule
    name: str
    level: int
    indent: int


@cache
def _sketcher(language: Language) -> _Sketcher:
    rules = tuple((rule, re.compile(rule.pattern)) for rule in language.lines)
    return _Sketcher(rules, re.compile(language.fence) if language.fence else None)


def sketch(lines: list[str], language: Language) -> Outline:
    """The outline of `lines` by the row's `LineRule`s. Borders are the callers' to guess."""
    found = _find(lines, _sketcher(language))
    definitions: list[Definition] = []
    open_: list[int] = []
    for index, one in enumerate(found):
        end = _end(lines, found, index)
        while open_ and definitions[open_[-1]].end < one.row:
            open_.pop()
        parent = open_[-1] if open_ else -1
        outer = definitions[parent] if parent >= 0 else None
        first = comment_above(lines, one.row, language)
        kind = kind_inside(one.rule.kind, outer)
        scope = outer.symbol if outer else None
        symbol = f"{scope}.{one.name}" if scope and len(scope) < 120 else one.name
        doc = clean_comment(lines[first : one.row], language) if first < one.row else None
        signature = lines[one.row].strip().rstrip(" {")[:240] or None
        definitions.append(
            Definition(
                first,
                one.row,
                min(end, outer.end) if outer else end,
                parent,
                kind,
                one.name,
                symbol,
                scope,
                signature,
                doc,
            )
        )
        open_.append(index)
    return Outline(tuple(definitions), {})


def _find(lines: list[str], sketcher: _Sketcher) -> list[_Found]:
    found: list[_Found] = []
    fenced = False
    for row, line in enumerate(lines):
        if sketcher.fence and sketcher.fence.match(line):
            fenced = not fenced
        if fenced or not line or line.isspace():
            continue
        text = line[:_MAX_LINE]
        for rule, pattern in sketcher.rules:
            matched = pattern.match(text if "\\n" not in rule.pattern else f"{text}\n{_line(lines, row + 1)}")
            if matched and matched["name"]:
                level = matched["level"] if "level" in pattern.groupindex else ""
                indent = len(text) - len(text.lstrip())
                found.append(_Found(row, rule, " ".join(matched["name"].split())[:120], len(level), indent))
                break
    return found


def _line(lines: list[str], row: int) -> str:
    return lines[row][:_MAX_LINE] if row < len(lines) else ""


def _end(lines: list[str], found: list[_Found], index: int) -> int:
    """The last row of a definition."""
    one = found[index]
    if one.rule.ends == "next":
        end = _before_next(found, index, len(lines))
    elif one.rule.ends == "indent":
        end = _before_dedent(lines, one)
    else:
        end = _closing_brace(lines, one.row)
    while end > one.row and not lines[end].strip():
        end -= 1
    return end


def _before_next(found: list[_Found], index: int, count: int) -> int:
    one = found[index]
    for other in found[index + 1 :]:
        if other.rule.ends == "next" and other.level <= one.level:
            return other.row - 1
    return count - 1


def _before_dedent(lines: list[str], one: _Found) -> int:
    last = min(one.row + _MAX_ROWS, len(lines))
    for row in range(one.row + 1, last):
        line = lines[row]
        if line.isspace() or not line:
            continue
        if len(line) - len(line.lstrip()) <= one.indent:
            return row if _CLOSING.match(line) and len(line) - len(line.lstrip()) == one.indent else row - 1
    return last - 1


def _closing_brace(lines: list[str], first: int) -> int:
    """The row where the bracket that opens on row `first` or soon after closes; `first` if none does."""
    depth, opened = 0, False
    for row in range(first, min(first + _MAX_ROWS, len(lines))):
        line = lines[row]
        depth += line.count("{") - line.count("}")
        opened = opened or "{" in line
        if opened and depth <= 0:
            return row
        if not opened and (row - first >= _MAX_OPENING or line.rstrip().endswith(";") or not line.strip()):
            return first
    return first
