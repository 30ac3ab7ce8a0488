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

_REPORTS_PER_BYTE = 2 / 100
_FREE_REPORTS = 5000
"""A parse reports its progress once per 100 operations. It is given up when it has reported 2 times per 100 bytes read,
and 5000 times besides: source takes 0.6 reports per 100 bytes, and 1.1 at most. Where nothing fits, the parser stands
still and tries thousands of ways. Counting, not timing, keeps the cut of a file the same on every machine."""
_SECONDS = 1.0
"""Processor time after which a parse is given up all the same: reports take 20 µs in source, but up to 500 in what is
none (900 KB of quotation marks), and no count tells these from each other."""
_GROWTH = 200_000_000
"""Bytes by which a parse may raise the peak of the process's memory. Trees take 20 to 70 bytes for a byte of source,
but 600 for noise in HCL and 400 for a sum of 1 MB in Haskell."""
_SMALL_REPORTS = 2000
"""Reports before which memory is not looked at: with less it cannot have grown that much, so that what other threads
take meanwhile changes no ordinary file's chunks."""
_PIECE = 1 << 12
_REREAD = 20
_FREE_BYTES = 1 << 26
"""What the lexer may read in all, in pieces: 64 MB and 20 times the file. A file of unclosed comments makes it read the
rest of the file once per comment, within few operations; a byte takes it 9 ns."""

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
    names: Callable[[Node], list[Node]] | None
    """Of what is only named: all nodes that are names."""
    rest: bool


@dataclass(frozen=True, slots=True)
class Grammar:
    """What it takes to outline a file of one language."""

    language: Language
    syntax: TreeSitterLanguage
    rules: dict[str, tuple[BoundRule, ...]]
    docstring: Step | None
    leads: dict[str, re.Pattern[bytes]]
    short: frozenset[str]
    """Node types that are visited even where they stand on one line."""
    rest: frozenset[str]
    """Node types that what follows them belongs to."""

    def parse(self, data: bytes) -> Tree | None:
        """The syntax tree of UTF-8 `data`; None if that would take far more than source does, or is not safe."""
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
    """The most memory that this process has had, in bytes; 0 where the system does not tell."""
    if resource is None:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@cache
def load(language: str) -> Grammar | None:
    """The grammar of a language by its name; None for languages that have none, or whose wheel is not installed."""
    row = BY_NAME.get(language)
    if row is None or not row.grammar:
        return None
    module, function = row.grammar.split(":")
    try:
        syntax = _language(getattr(import_module(module), function)())
    except (ImportError, AttributeError, ValueError):  # not there, or made for another tree-sitter: cut by lines
        return None
    rules = {
        node_type: tuple(map(_bind, found if isinstance(found, tuple) else (found,)))
        for node_type, found in row.rules.items()
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
    """Take the pointer that a wheel gives: older ones give a bare number, at which tree-sitter warns."""
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
    """The function that follows `path` (see `Rule`) from a node, and gives None where a step leads nowhere."""
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
    """The function that gives all nodes a path leads to that ends in "[*]" or "[FIELD]", or the one of any other."""
    several = re.fullmatch(r"(.*)\[(\*|[a-z_]+)\]", path)
    follow = _path(several[1] if several else path)

    def names(node: Node) -> list[Node]:
        found = follow(node)
        if found is None:
            return []
        if several is None:
            return [found]
        return found.named_children if several[2] == "*" else found.children_by_field_name(several[2])

    return names


def _step(step: str) -> Step:
    """The function that takes one step: to a field, a node type, the first named child, or the first of several."""
    alternatives = [_single_step(one) for one in step.split("|")]
    if len(alternatives) == 1:
        return alternatives[0]

    def first(node: Node) -> Node | None:
        return next((below for one in alternatives if (below := one(node))), None)

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
    if match := re.match(r"([^=~]*)~(.*)", only):
        path, pattern = _path(match[1]), re.compile(match[2])

        def says(node: Node, data: bytes) -> bool:
            found = path(node)
            if found is None or found.end_byte - found.start_byte > _MAX_MATCHED:
                return False
            # not found.text: of a tree that was read in pieces it ends the process (tree-sitter 0.26.1)
            return bool(pattern.fullmatch(data[found.start_byte : found.end_byte].decode("utf-8", "replace")))

        return says
    target, _, types = only.partition("=")
    path, allowed = _path(target), frozenset(types.split("|")) if types else None

    def leads(node: Node, data: bytes) -> bool:
        found = path(node)
        return found is not None and (allowed is None or found.type in allowed)

    return leads
