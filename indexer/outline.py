"""From a syntax tree to what the cutting needs: the definitions of a file, and the rows where it may be cut.

One walk over the nodes that span several lines, in document order and without recursion. Rows count from 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from textwrap import dedent

from tree_sitter import Node

from indexer.grammar import BoundRule, Grammar
from indexer.languages import Language

CONTAINERS = frozenset(
    {
        "class",
        "struct",
        "union",
        "interface",
        "enum",
        "trait",
        "impl",
        "module",
        "namespace",
        "object",
        "protocol",
        "extension",
        "service",
        "mixin",
    }
)
"""Kinds whose functions are methods, and whose members are not local."""
_LOCAL = frozenset({"function", "method", "constructor"})
"""Kinds whose inside is local: no constants of the module are found there."""

_MAX_DEPTH = 300
"""Levels of the tree that are walked: far more than anyone indents, far fewer than a sum of 10^5 terms has."""
_MAX_CHILDREN = 100_000
"""A node with more children is a table of data, cut by lines: a node in Python takes 100 bytes and 0.5 µs."""

_MAX_NAME = 120
_MAX_SIGNATURE = 240
_MAX_DOC = 1000
_MAX_COMMENT_ROWS = 200
_QUALIFIED = re.compile(r"[\w$~]+(?:[.:#]+[\w$~]+)+[?!]?")


@dataclass(frozen=True, slots=True)
class Definition:
    """A named piece of a file."""

    start: int
    """First row, with decorators, attributes and the comment above."""
    line: int
    """The row where the definition itself begins."""
    end: int
    """Last row."""
    parent: int
    """Index of the enclosing definition, -1 for none."""
    kind: str
    symbol: str
    """Scope and name: "Server.Handler.serve"."""
    scope: str | None
    signature: str | None
    doc: str | None


@dataclass(frozen=True, slots=True)
class Outline:
    """The definitions of a file in document order, each before what it holds, and the rows where statements begin."""

    definitions: tuple[Definition, ...]
    borders: dict[int, int]
    """Row → how deep in the tree the outermost node lies that begins there."""


def outline(text: str, lines: list[str], grammar: Grammar) -> Outline | None:
    """The outline of `text`, whose `lines` end at line feeds; None if it cannot be parsed within bounds."""
    data = text.encode("utf-8", "replace")
    tree = grammar.parse(data)
    if tree is None:
        return None
    return _Walk(data, lines, grammar).run(tree.root_node)


class _Walk:
    """The state of one walk."""

    def __init__(self, data: bytes, lines: list[str], grammar: Grammar) -> None:
        self.data = data
        self.lines = lines
        self.grammar = grammar
        self.definitions: list[Definition] = []
        self.borders: dict[int, int] = {}

    def run(self, root: Node) -> Outline:
        rules, language = self.grammar.rules, self.grammar.language
        wrappers, leads = language.wrappers, language.leads
        borders = self.borders
        # node, its depth, the definition around it, whether that is not local, the row where a wrapper around it begins
        stack: list[tuple[Node, int, int, bool, int]] = [(root, 0, -1, True, -1)]
        while stack:
            node, depth, parent, top, wrapped = stack.pop()
            for rule in rules.get(node.type, ()):
                if (top or not rule.top) and (rule.holds is None or rule.holds(node, self.data)):
                    found = self._define(node, rule, parent, wrapped)
                    if found:
                        self.definitions.append(found)
                        parent, wrapped = len(self.definitions) - 1, -1
                        top = top and found.kind not in _LOCAL
                    break
            if depth > _MAX_DEPTH or node.child_count > _MAX_CHILDREN:
                continue
            wraps = node.type in wrappers
            below: list[tuple[Node, int, int, bool, int]] = []
            lead = -1
            for child in node.children:
                row, end = child.start_point.row, child.end_point.row
                if borders.get(row, 1 << 30) > depth:
                    borders[row] = depth
                kind = child.type
                if kind in leads:
                    lead = row if lead < 0 else lead
                    continue
                start = lead if lead >= 0 else -1
                if wraps:
                    own = wrapped if wrapped >= 0 else node.start_point.row
                    start = own if start < 0 else min(own, start)
                if end > row or (top and (kind in rules or kind in wrappers)):
                    below.append((child, depth + 1, parent, top, start))
                if child.is_named and not child.is_extra:
                    lead = -1
                    wraps = (
                        wraps and kind not in rules
                    )  # of several definitions in one statement, the first has its start
            stack.extend(reversed(below))
        return Outline(tuple(self.definitions), borders)

    def _define(self, node: Node, rule: BoundRule, parent: int, wrapped: int) -> Definition | None:
        named = rule.name(node)
        if named is None:
            return None
        name = _clean_name(self._text(named, _MAX_NAME * 2), rule.kind)
        if not name or name == "_":
            return None
        outer = self.definitions[parent] if parent >= 0 else None
        scope = outer.symbol if outer else None
        if rule.scope and (receiver := rule.scope(node)):
            scope = _receiver(self._text(receiver, _MAX_NAME)) or scope
        symbol = f"{scope}.{name}" if scope and len(scope) < _MAX_NAME else name
        if _QUALIFIED.fullmatch(name):
            scope = symbol.rpartition(".")[0]
        kind = "method" if rule.kind == "function" and outer and outer.kind in CONTAINERS else rule.kind
        line = node.start_point.row
        end = node.end_point.row - (node.end_point.column == 0 and node.end_point.row > line)
        start = wrapped if 0 <= wrapped < line else line
        first = comment_above(self.lines, start, self.grammar.language)
        doc = clean_comment(self.lines[first:start], self.grammar.language) if first < start else None
        if self.grammar.docstring and (string := self.grammar.docstring(node)):
            doc = clean_string(self._text(string, 2 * _MAX_DOC)) or doc
        return Definition(first, line, end, parent, kind, symbol, scope or None, self._signature(node, rule), doc)

    def _text(self, node: Node, limit: int) -> str:
        start = node.start_byte
        return self.data[start : min(node.end_byte, start + limit)].decode("utf-8", "replace")

    def _signature(self, node: Node, rule: BoundRule) -> str | None:
        start, end = node.start_byte, node.end_byte
        body = rule.body(node) if rule.body else None
        if body is not None and body.start_byte > start:
            end = body.start_byte
        text = self.data[start : min(end, start + 4 * _MAX_SIGNATURE)].decode("utf-8", "replace")
        if body is None:
            text = text.split("\n", 1)[0]
        text = " ".join(text.split()).rstrip(" {:=(") if body is not None else text.strip().rstrip(" {")
        return text[:_MAX_SIGNATURE] or None


def _clean_name(text: str, kind: str) -> str:
    """A name as symbols show it: without quotes and white space, scopes joined by dots."""
    name = " ".join(text.split()).strip("\"'`")
    if kind in CONTAINERS:
        name = re.sub(r"\s*[<\[(].*", "", name)
    elif kind == "test":
        return name[:_MAX_NAME]
    name = re.sub(r"<[^<>]*>(?=::)", "", name).replace("::", ".").strip(".")
    for prefix in ("module.exports.", "exports.", "this."):
        name = name.removeprefix(prefix)
    return name.replace(".prototype.", ".")[:_MAX_NAME]


def _receiver(text: str) -> str:
    """The type in a receiver: "(s *Server[T])" → "Server"."""
    words = re.findall(r"\w+", re.sub(r"\[.*?\]|<.*?>", "", text))
    return words[-1] if words else ""


def comment_above(lines: list[str], row: int, language: Language) -> int:
    """The first row of the comment that stands right above `row`; `row` itself if there is none."""
    lowest = max(0, row - _MAX_COMMENT_ROWS)
    first = row
    if row > 1 and not lines[row - 1].strip() and language.block_comment:
        # a documentation comment may stand apart; any other comment that does may speak of something else
        begin = _block_begin(lines, row - 2, lowest, language)
        if begin is None or not lines[begin].lstrip().startswith("/**"):
            return row
        first = begin
    while first > lowest:
        above = lines[first - 1].strip()
        if above.startswith(language.line_comment) and above:
            first -= 1
            continue
        begin = _block_begin(lines, first - 1, lowest, language)
        if begin is None:
            break
        first = begin
    return first


def _block_begin(lines: list[str], row: int, lowest: int, language: Language) -> int | None:
    """The first row of the block comment that ends, with nothing else on its lines, on `row`."""
    if language.block_comment is None:
        return None
    opening, closing = language.block_comment
    if not lines[row].rstrip().endswith(closing):
        return None
    for first in range(row, lowest - 1, -1):
        if opening in lines[first]:
            return first if lines[first].lstrip().startswith(opening) else None
    return None


def clean_comment(rows: list[str], language: Language) -> str | None:
    """What a comment says, without its marks."""
    kept = []
    for row in rows:
        line = row.strip()
        for mark in (*(language.block_comment or ()), *language.line_comment):
            line = line.removeprefix(mark).removesuffix(mark if language.block_comment else "")
        kept.append(line.strip("*/!-#;=~ \t"))
    return "\n".join(kept).strip()[:_MAX_DOC] or None


def clean_string(text: str) -> str | None:
    """What a documentation string says, without its quotes and its indentation."""
    text = re.sub(r"^[A-Za-z@~]{0,3}(\"\"\"|'''|\"|')", "", text.strip())
    text = re.sub(r"(\"\"\"|'''|\"|')$", "", text)
    first, _, rest = text.partition("\n")
    return f"{first.strip()}\n{dedent(rest)}".strip()[:_MAX_DOC] or None
