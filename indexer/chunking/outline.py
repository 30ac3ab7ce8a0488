"""From a syntax tree to an outline: the definitions of a file, and the rows where it may be cut.

It takes one walk over the nodes that span several lines, in document order and without recursion. Rows count from 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tree_sitter import Node

from indexer.chunking.comments import clean_comment, clean_string, comment_above
from indexer.chunking.grammar import BoundRule, Grammar

# Kinds whose members are chunks of their own.
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
# Kinds whose functions are called methods.
_OWNERS = CONTAINERS - {"module", "namespace"}
# Kinds whose inside is local: a module has no constants there.
LOCAL = frozenset({"function", "method", "constructor"})
# The kind of a name that is defined elsewhere, and offered here as well.
EXPORT = "export"
# Kinds whose names are words: a point in them separates nothing.
_TITLES = frozenset({"test", "section", "block", "rule", "key", "element"})
# The walk does not go into definitions of these kinds, or into functions, if they stand on one line.
_LEAVES = frozenset({"constant", "variable", "field", "property", "column"})

# Levels of the tree that are walked: far more than anyone indents, far fewer than a sum of 10^5 terms has.
_MAX_DEPTH = 300
# A node with more children is a table of data, and is cut by lines: a node in Python takes 100 bytes and 0.5 µs.
_MAX_CHILDREN = 100_000

_MAX_NAME = 120
_MAX_SIGNATURE = 240
_MAX_DOC = 1000
_MAX_AGAIN = 32
_QUALIFIED = re.compile(r"[\w$~]+(?:[.:#]+[\w$~]+)+[?!]?")


@dataclass(frozen=True, slots=True)
class Definition:
    """A named piece of a file."""

    # First row, with decorators, attributes and the comment above.
    start: int
    # The row where the definition itself begins.
    line: int
    # Last row.
    end: int
    # Index of the enclosing definition, -1 for none.
    parent: int
    kind: str
    # Its name where it stands, without any scope: "serve".
    name: str
    # Scope and name: "Server.Handler.serve".
    symbol: str
    scope: str | None
    signature: str | None
    doc: str | None
    # The rows where it begins anew: overloads and their body, equations of one function.
    again: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """A name without a definition of its own: a field, a member of an enum."""

    row: int
    kind: str
    name: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Outline:
    """The definitions of a file in document order, outer ones first, and the rows where statements begin."""

    definitions: tuple[Definition, ...]
    # Row → depth in the tree of the outermost node that begins there.
    borders: dict[int, int]
    members: tuple[Member, ...] = ()


def outline(text: str, lines: list[str], grammar: Grammar) -> Outline | None:
    """Return the outline of `text`; None if it cannot be parsed within bounds (see `Grammar.parse`).

    `lines`: the same text, split at line feeds.
    """
    data = text.encode("utf-8", "replace")
    tree = grammar.parse(data)
    if tree is None:
        return None
    return _Walk(data, lines, grammar).run(tree.root_node)


@dataclass(slots=True)
class _Siblings:
    """The definition that siblings in the tree belong to."""

    # Index of the definition around them, -1 for none.
    around: int
    # The same, or the index of a sibling that all siblings after it belong to (a rule with `rest`).
    owner: int


@dataclass(slots=True)
class _Visit:
    """A node that the walk comes to."""

    node: Node
    siblings: _Siblings
    first_row: int
    # The row where the node ends. If it ends before the first column, that is the row after its last one.
    last_row: int
    depth: int = 0
    # Whether it is not local to a function.
    top: bool = True
    # The row where its wrapper or the first node that leads it begins, -1 for none.
    start: int = -1
    # The last row that belongs to it, if that is below the node; else -1.
    until: int = -1

    def inside(self, index: int, kind: str) -> _Visit:
        """Return a visit to the same node whose children belong to the definition `index`, which is of this kind."""
        siblings = _Siblings(index, index)
        return _Visit(self.node, siblings, self.first_row, self.last_row, self.depth, self.top and kind not in LOCAL)


class _Walk:
    """The state of one walk."""

    def __init__(self, data: bytes, lines: list[str], grammar: Grammar) -> None:
        self.data = data
        self.lines = lines
        self.grammar = grammar
        self.definitions: list[Definition] = []
        self.members: list[Member] = []
        self.borders: dict[int, int] = {}

    def run(self, root: Node) -> Outline:
        """Return the outline of the tree below `root`."""
        rules = self.grammar.rules
        stack = [_Visit(root, _Siblings(-1, -1), 0, len(self.lines) - 1)]
        while stack:
            visit = stack.pop()
            node = visit.node
            one_line = visit.first_row == visit.last_row
            leaf = False
            for rule in rules.get(node.type, ()):
                if (visit.top or not rule.top) and (rule.holds is None or rule.holds(node, self.data)):
                    leaf = one_line and rule.kind in _LEAVES
                    if rule.names is not None:
                        self._name(visit, rule.kind, rule.names(node))
                    elif self._define(visit, rule):
                        index = len(self.definitions) - 1
                        if rule.rest:
                            visit.siblings.owner = index
                        leaf = leaf or (one_line and rule.kind in LOCAL)
                        if not leaf:
                            visit = visit.inside(index, self.definitions[-1].kind)
                    break
            if not leaf and visit.depth <= _MAX_DEPTH and node.child_count <= _MAX_CHILDREN:
                stack.extend(reversed(self._below(visit)))
        return Outline(tuple(self.definitions), self.borders, tuple(self.members))

    def _below(self, visit: _Visit) -> list[_Visit]:
        """Return visits to the children that are worth one, each with the row where its wrapper or lead begins."""
        rules, leads, short, rest = self.grammar.rules, self.grammar.leads, self.grammar.short, self.grammar.rest
        wrappers, tails = self.grammar.language.wrappers, self.grammar.language.tails
        siblings = _Siblings(visit.siblings.owner, visit.siblings.owner) if rest else visit.siblings
        node, borders, depth, top = visit.node, self.borders, visit.depth, visit.top
        wrapped = -1
        if node.type in wrappers:
            wrapped = visit.start if visit.start >= 0 else visit.first_row
        below: list[_Visit] = []
        lead = -1
        for child in node.children:
            row, end = child.start_point.row, child.end_point.row
            if borders.get(row, 1 << 30) > depth:
                borders[row] = depth
            kind = child.type
            if kind in leads and leads[kind].match(self.data, child.start_byte, child.end_byte):
                lead = row if lead < 0 else lead
                if kind in rules:
                    below.append(_Visit(child, siblings, row, end, depth + 1, top))
                continue
            if kind in tails and below:
                below[-1].until = end
            if end > row or (top and kind in short):
                start = lead if wrapped < 0 else wrapped if lead < 0 else min(wrapped, lead)
                until = visit.last_row if kind in rest else -1
                below.append(_Visit(child, siblings, row, end, depth + 1, top, start, until))
            if child.is_named and not child.is_extra:
                lead = -1
                if kind in rules:
                    wrapped = -1  # of several definitions in one statement, the first has its start
        return below

    def _define(self, visit: _Visit, rule: BoundRule) -> bool:
        """Add the definition of the node, if it has a name; tell whether one was added."""
        node = visit.node
        head = self._head(node)
        signature = self._signature(node, head, rule)
        named = rule.name(node)
        if named is None:
            return False
        text = self._text(named, 2 * _MAX_NAME) if named is not node else signature or ""
        name = clean_name(text, rule.kind)
        if not name or name == "_":
            return False
        siblings = visit.siblings
        parent = siblings.around if rule.rest else siblings.owner
        outer = self.definitions[parent] if parent >= 0 else None
        scope = outer.symbol if outer and not rule.rest else None
        if rule.scope and (receiver := rule.scope(node)):
            scope = _receiver(self._text(receiver, _MAX_NAME)) or scope
        symbol = f"{scope}.{name}" if scope and len(scope) < _MAX_NAME else name
        if rule.kind in LOCAL and _QUALIFIED.fullmatch(name):
            scope = symbol.rpartition(".")[0]
        kind = kind_inside(rule.kind, outer)
        first_row, last_row = visit.first_row, visit.last_row
        line = head.start_point.row if head is not node else first_row
        if last_row > first_row and node.end_point.column == 0:
            last_row -= 1
        end = max(last_row, visit.until)
        if self._continues(symbol, first_row, parent):
            last = self.definitions[-1]
            self.definitions[-1] = replace(last, end=end, again=(*last.again, line)[:_MAX_AGAIN])
            return False
        start = visit.start if 0 <= visit.start < first_row else first_row
        first = comment_above(self.lines, start, self.grammar.language)
        doc = self._doc(node, kind, self.lines[first:line], start - first)
        if rule.rest and siblings.owner != parent:  # it ends the sibling that owned the nodes up to here
            self.definitions[siblings.owner] = replace(self.definitions[siblings.owner], end=first - 1)
        self.definitions.append(
            Definition(
                first, line, end, parent, kind, short_name(name, rule.kind), symbol, scope or None, signature, doc
            )
        )
        return True

    def _name(self, visit: _Visit, kind: str, names: list[Node]) -> None:
        """Add names that have no definition of their own."""
        owner = visit.siblings.owner
        scope = self.definitions[owner].symbol if owner >= 0 else None
        for node in names:
            name = clean_name(self._text(node, 2 * _MAX_NAME), kind)
            if name and name not in ("_", "self"):
                symbol = f"{scope}.{name}" if scope and len(scope) < _MAX_NAME else name
                self.members.append(Member(node.start_point.row, kind, name, symbol))

    def _continues(self, symbol: str, row: int, parent: int) -> bool:
        """Tell whether a definition only adds to the last: another equation of it, or the body after its overloads."""
        if not self.definitions:
            return False
        last = self.definitions[-1]
        return last.end + 1 == row and last.symbol == symbol and last.parent == parent and last.kind in LOCAL

    def _doc(self, node: Node, kind: str, above: list[str], comment: int) -> str | None:
        """Return the documentation of a node: a string in it or above it, else the comment above it.

        `above`: the lines from the comment to the node; the first `comment` of them are the comment.
        """
        if self.grammar.docstring and kind not in _LEAVES and (string := self.grammar.docstring(node)):
            return clean_string(self._text(string, 2 * _MAX_DOC))
        if not above:
            return None
        if self.grammar.leads and (quoted := re.search(r'"""(.*?)"""', "\n".join(above), re.DOTALL)):
            return clean_string(quoted[1])
        return clean_comment(above[:comment], self.grammar.language)

    def _head(self, node: Node) -> Node:
        """Return the first node of a definition that is no annotation."""
        attributes = self.grammar.language.attributes
        if not attributes:
            return node
        first = node.child(0)
        if first is None or (first.type != "modifiers" and first.type not in attributes):
            return first or node
        children = node.children
        if first.type == "modifiers":
            children = [*children[0].children, *children[1:]]
        return next((child for child in children if child.type not in attributes), node)

    def _text(self, node: Node, limit: int) -> str:
        start = node.start_byte
        return self.data[start : min(node.end_byte, start + limit)].decode("utf-8", "replace")

    def _signature(self, node: Node, head: Node, rule: BoundRule) -> str | None:
        start, end = head.start_byte, node.end_byte
        body = rule.body(node) if rule.body else None
        if body is not None and body.start_byte > start:
            end = body.start_byte
        text = self.data[start : min(end, start + 4 * _MAX_SIGNATURE)].decode("utf-8", "replace")
        if body is None:
            text = text.split("\n", 1)[0]
        text = (
            " ".join(text.split()).removesuffix("=>").rstrip(" {:=(") if body is not None else text.strip().rstrip(" {")
        )
        return text[:_MAX_SIGNATURE] or None


def kind_inside(kind: str, outer: Definition | None) -> str:
    """Return the kind of a definition inside of `outer`: functions of a class are its methods."""
    return "method" if kind == "function" and outer and outer.kind in _OWNERS else kind


def clean_name(text: str, kind: str) -> str:
    """Return a name in the form of symbols: without quotes and white space, scopes joined by dots; "" for no name."""
    if text.isidentifier():
        return text[:_MAX_NAME]
    name = " ".join(text.split()).strip("\"'`")
    if kind == EXPORT:  # the name that it has from here on; nested lists and `*` have none
        name = name.rpartition(" as ")[2].rpartition("::")[2]
        return name[:_MAX_NAME] if name.isidentifier() else ""
    if kind in CONTAINERS:
        name = re.sub(r"\s*[<\[(].*", "", name)
    elif kind in _TITLES:
        return name.replace('"', "")[:_MAX_NAME]
    name = re.sub(r"<[^<>]*>(?=::)", "", name).replace("::", ".").strip(".")
    name = re.sub(r"^:(?=\w)", "", name)
    name = re.sub(r"^(operator\s+[^()]+?)\s*\(.*", r"\1", name)
    name = re.sub(r"(?<=\w):(?=\w)", ".", name)
    for prefix in ("module.exports.", "exports.", "this."):
        name = name.removeprefix(prefix)
    return name.replace(".prototype.", ".")[:_MAX_NAME]


def short_name(name: str, kind: str) -> str:
    """Return the last part of a name that was given with its scope."""
    return name.rpartition(".")[2] if kind not in _TITLES and _QUALIFIED.fullmatch(name) else name


def _receiver(text: str) -> str:
    """Return the type in a receiver: "(s *Server[T])" → "Server"; "" if there is none."""
    identifiers = re.findall(r"\w+", re.sub(r"\[.*?\]|<.*?>", "", text))
    return identifiers[-1] if identifiers else ""
