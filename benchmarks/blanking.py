"""The text of a source file without its comments: blanks in their place, so that every line keeps its number.

It measures nothing: `benchmarks.functions` asks with what was said in the comments, and the index may not know it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from tree_sitter import Node, Query, QueryCursor

from indexer.chunking.grammar import Grammar, load

_COMMENTS = (
    "comment",
    "line_comment",
    "block_comment",
    "multiline_comment",
    "documentation_comment",
    "html_comment",
    "js_comment",
    "xml_comment",
    "haddock",
    "pod",
)
# Documentation that is no comment for the grammar. Each match has a node @doc. If it has a node @name too, that has to
# be one of `_NAMES`, and goes with the documentation.
_DOCUMENTATION = {
    "python": "(expression_statement . (string) @doc .)",
    "elixir": "(unary_operator operand: (call target: (identifier) @name (arguments [(string) (sigil)]))) @doc",
    "rust": "(attribute_item (attribute (identifier) @name value: (string_literal))) @doc",
    "julia": """
        (source_file (string_literal) @doc . (_))
        (module_definition (string_literal) @doc . (_))
        (struct_definition (string_literal) @doc . (_))
        (macrocall_expression (macro_identifier) @name
            (macro_argument_list . [(string_literal) (prefixed_string_literal)] @doc))
    """,
}
_NAMES = (b"doc", b"moduledoc", b"typedoc", b"shortdoc", b"@doc")
# What a C macro is replaced by is one word for the grammar. Strings in it are kept.
_IN_MACRO = re.compile(rb'"(?:\\.|[^"\\\n])*"|(?P<comment>/\*.*?\*/|//[^\n\\]*)', re.DOTALL)
_WITH_MACROS = ("c", "cpp")
_VISIBLE = re.compile(rb"[^\r\n]")
# Stands where a docstring was all there was: without it the function has no body, and the file does not parse.
_BODY = b"..."


def blank(text: str, language: str) -> str | None:
    """Return a file's text without comments and documentation; None if it cannot be parsed."""
    grammar = load(language)
    if grammar is None:
        return None
    data = bytearray(text.encode("utf-8", "replace"))
    tree = grammar.parse(bytes(data))
    if tree is None:
        return None
    rows: set[int] = set()
    for start, end, row in sorted(_spans(bytes(data), tree.root_node, grammar)):
        gone = bytes(data[start:end])
        data[start:end] = _VISIBLE.sub(b" ", gone)
        rows.update(range(row, row + gone.count(b"\n") + 1))
    for node in _lone_docstrings(tree.root_node, grammar):
        data[node.start_byte : node.start_byte + len(_BODY)] = _BODY
    lines = data.decode().split("\n")
    for row in rows:
        lines[row] = _without_blank_end(lines[row])
    return "\n".join(lines)


def _spans(data: bytes, root: Node, grammar: Grammar) -> Iterator[tuple[int, int, int]]:
    """Yield what is blanked: the first byte, the one behind the last, and the row."""
    language = grammar.language.name
    for found in _matches(language, root):
        names = found.get("name", [])
        if all(data[name.start_byte : name.end_byte] in _NAMES for name in names):
            for node in (*names, *found.get("doc", [])):
                yield node.start_byte, node.end_byte, node.start_point.row
        for node in found.get("comment", []):
            if node.start_byte or not data.startswith(b"#!"):
                yield node.start_byte, node.end_byte, node.start_point.row
        for node in found.get("macro", []):
            for inner in _IN_MACRO.finditer(data, node.start_byte, node.end_byte):
                if inner["comment"]:
                    row = node.start_point.row + data.count(b"\n", node.start_byte, inner.start())
                    yield inner.start(), inner.end(), row


def _lone_docstrings(root: Node, grammar: Grammar) -> Iterator[Node]:
    """Yield the docstrings that are the whole body of a class or function, and long enough for another body."""
    if grammar.language.name != "python":
        return
    for found in _matches("python", root):
        for node in found.get("doc", []):
            block = node.parent.parent if node.parent else None
            is_body = block is not None and block.type == "block" and _is_alone(block)
            if is_body and node.end_byte - node.start_byte >= len(_BODY):
                yield node


def _is_alone(block: Node) -> bool:
    """Tell whether a block has one statement."""
    return sum(child.type != "comment" for child in block.named_children) == 1


def _matches(language: str, root: Node) -> list[dict[str, list[Node]]]:
    return [found for _, found in QueryCursor(_query(language)).matches(root)]


@cache
def _query(language: str) -> Query:
    grammar = load(language)
    assert grammar is not None
    syntax = grammar.syntax
    known = [kind for kind in _COMMENTS if syntax.id_for_node_kind(kind, True) is not None]
    patterns = [f"({kind}) @comment" for kind in known]
    if language in _WITH_MACROS:
        patterns.append("(preproc_arg) @macro")
    query: Query = Query(syntax, "\n".join([*patterns, _DOCUMENTATION.get(language, "")]))
    return query


def _without_blank_end(line: str) -> str:
    return line[:-1].rstrip() + "\r" if line.endswith("\r") else line.rstrip()
