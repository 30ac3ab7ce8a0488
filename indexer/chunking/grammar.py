"""From a row of the language table to a parser that cannot run away, and to rules ready to be applied to nodes."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from time import thread_time
from typing import TypeAlias

from tree_sitter import Language as TreeSitterLanguage
from tree_sitter import Node, Parser, Tree

from indexer.languages.language import Language, Rule
from indexer.languages.table import BY_NAME

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

# A parse reports its progress once per 100 operations. It is given up after 2 reports per 100 bytes read, and 5000
# besides: source takes 0.6 reports per 100 bytes, and 1.1 at most. Where nothing fits, the parser stands still and
# tries thousands of ways. Reports are counted, not timed: so the chunks of a file are the same on every machine.
_REPORTS_PER_BYTE = 2 / 100
_FREE_REPORTS = 5000
# Processor time after which a parse is given up in any case. A report takes 20 µs in source, but up to 500 µs in text
# that is no source (900 KB of quotation marks), and the count of reports does not show the difference.
_SECONDS = 1.0
# Bytes by which a parse may raise the peak of the process's memory. Trees take 20 to 70 bytes for a byte of source,
# but 600 for noise in HCL and 400 for a sum of 1 MB in Haskell.
_GROWTH = 200_000_000
# Memory is not checked before so many reports: with fewer, a parse cannot have raised it by that much. So the memory
# that other threads take meanwhile does not change the chunks of an ordinary file.
_SMALL_REPORTS = 2000
# The lexer reads in pieces of 4 KB, and in all 20 times the file and 64 MB besides. In a file of unclosed comments it
# reads the rest of the file once per comment, within few operations; a byte takes it 9 ns.
_PIECE = 1 << 12
_REREAD = 20
_FREE_BYTES = 1 << 26

_MAX_MATCHED = 80

Step: TypeAlias = Callable[[Node], "Node | None"]


@dataclass(frozen=True, slots=True)
class BoundRule:
    """A `Rule` whose paths are functions."""

    kind: str
    name: Step
    body: Step | None
    scope: Step | None
    holds: Callable[[Node, bytes], bool] | None
    top: bool
    # For a rule whose definitions are only named: gives all nodes that are names.
    names: Callable[[Node], list[Node]] | None
    rest: bool


@dataclass(frozen=True, slots=True)
class Grammar:
    """All that is needed to outline a file of one language."""

    language: Language
    syntax: TreeSitterLanguage
    rules: dict[str, tuple[BoundRule, ...]]
    docstring: Step | None
    leads: dict[str, re.Pattern[bytes]]
    # Node types that are visited even where they stand on one line.
    short: frozenset[str]
    # Node types whose following siblings belong to them.
    rest: frozenset[str]

    def parse(self, data: bytes) -> Tree | None:
        """Return the syntax tree of UTF-8 `data`.

        None if parsing takes far more than it does for source, or if the language says that `data` is not safe.
        """
        if self.language.safe and not self.language.safe(data):
            return None
        reports = served = 0
        view = memoryview(data)
        most_bytes = _FREE_BYTES + _REREAD * len(data)
        deadline = thread_time() + _SECONDS
        most_memory = peak_memory() + _GROWTH

        def is_over(offset: int, has_error: bool) -> bool:
            nonlocal reports
            reports += 1
            if reports > _FREE_REPORTS + _REPORTS_PER_BYTE * offset or served > most_bytes:
                return True
            if reports % 16:
                return False
            return thread_time() > deadline or (reports > _SMALL_REPORTS and peak_memory() > most_memory)

        def read(offset: int, point: object) -> memoryview:
            nonlocal served
            served += _PIECE
            return view[offset : offset + _PIECE] if served <= most_bytes else view[:0]

        try:
            tree = Parser(self.syntax).parse(read, encoding="utf8", progress_callback=is_over)
        except ValueError:  # "Parsing failed": cancelled
            return None
        return None if served > most_bytes else tree


def peak_memory() -> int:
    """Return the most memory that this process has had, in bytes; 0 where the system does not tell."""
    if resource is None:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@cache
def load(language: str) -> Grammar | None:
    """Return the grammar of a language by its name; None if it has none, or if its wheel is not installed."""
    row = BY_NAME.get(language)
    if row is None or not row.grammar:
        return None
    module, function = row.grammar.split(":")
    try:
        syntax = _language(getattr(import_module(module), function)())
    except (ImportError, AttributeError, ValueError):  # not there, or made for another tree-sitter: cut by lines
        return None
    rules = {
        node_type: tuple(map(_bind, entry if isinstance(entry, tuple) else (entry,)))
        for node_type, entry in row.rules.items()
    }
    leads = {node_type: re.compile(begins.encode()) for node_type, begins in row.leads.items()}
    return Grammar(
        language=row,
        syntax=syntax,
        rules=rules,
        docstring=_path(row.docstring) if row.docstring else None,
        leads=leads,
        short=frozenset(rules) | row.wrappers | row.lists,
        rest=frozenset(node_type for node_type, bound in rules.items() if any(rule.rest for rule in bound)),
    )


def _language(pointer: object) -> TreeSitterLanguage:
    """Take the pointer that a wheel gives. Older wheels give a bare number; tree-sitter's warning of it is hidden."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return TreeSitterLanguage(pointer)


def _bind(rule: Rule) -> BoundRule:
    return BoundRule(
        kind=rule.kind,
        name=_path(rule.name),
        body=_path(rule.body) if rule.body else None,
        scope=_path(rule.scope) if rule.scope else None,
        holds=_condition(rule.only) if rule.only else None,
        top=rule.top or not rule.own,
        names=None if rule.own else _names(rule.name),
        rest=rule.rest,
    )


def _path(path: str) -> Step:
    """Return a function that follows `path` (see `Rule`) from a node. It gives None where a step leads nowhere."""
    steps = [(_step(step.rstrip("*")), step.endswith("*")) for step in path.split("/") if step]

    def follow(node: Node) -> Node | None:
        for step, repeated in steps:
            below = step(node)
            if below is None and not repeated:
                return None
            while below is not None:
                node = below
                below = step(node) if repeated else None
        return node

    return follow


def _names(path: str) -> Callable[[Node], list[Node]]:
    """Return a function that gives the nodes that a path leads to.

    They are several if the path ends in "[*]" or "[FIELD]", else at most one.
    """
    several = re.fullmatch(r"(.*)\[(\*|[a-z_]+)\]", path)
    follow = _path(several[1] if several else path)

    def names(node: Node) -> list[Node]:
        target = follow(node)
        if target is None:
            return []
        if several is None:
            return [target]
        return target.named_children if several[2] == "*" else target.children_by_field_name(several[2])

    return names


def _step(step: str) -> Step:
    """Return a function that takes one step of a path; of steps joined by "|", the first that leads somewhere."""
    alternatives = [_single_step(alternative) for alternative in step.split("|")]
    if len(alternatives) == 1:
        return alternatives[0]

    def first(node: Node) -> Node | None:
        return next((below for take in alternatives if (below := take(node))), None)

    return first


def _single_step(step: str) -> Step:
    if step == "[0]":
        return lambda node: node.named_child(0) if node.named_child_count else None
    if step == "..":
        return lambda node: node.parent
    if step.startswith("<"):
        wanted = step[1:-1]
        return lambda node: next((child for child in node.children if child.type == wanted), None)
    return lambda node: node.child_by_field_name(step)


def _condition(only: str) -> Callable[[Node, bytes], bool]:
    """Return a function that tells whether the condition `Rule.only` holds for a node."""
    if match := re.match(r"([^=~]*)~(.*)", only):
        path, pattern = _path(match[1]), re.compile(match[2])

        def has_text(node: Node, data: bytes) -> bool:
            target = path(node)
            if target is None or target.end_byte - target.start_byte > _MAX_MATCHED:
                return False
            # not target.text: for a tree that was read in pieces, it ends the process (tree-sitter 0.26.1)
            return bool(pattern.fullmatch(data[target.start_byte : target.end_byte].decode("utf-8", "replace")))

        return has_text
    to_target, _, types = only.partition("=")
    path, allowed = _path(to_target), frozenset(types.split("|")) if types else None

    def has_type(node: Node, data: bytes) -> bool:
        target = path(node)
        return target is not None and (allowed is None or target.type in allowed)

    return has_type
