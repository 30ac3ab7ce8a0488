"""The form of a row in the language table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rule:
    """How one type of syntax node defines something.

    Paths (`name`, `body`, `scope`, `only`) lead from the node to one near it. Steps are joined by "/": a field's name,
    a node type in angle brackets (the first such child), "[0]" (the first named child), ".." (the parent), or several
    of these joined by "|" (the first that is there). A step that ends in "*" is taken again while it leads somewhere,
    perhaps never.
    """

    kind: str
    # Path to the name. Empty: the name is all text before the body.
    name: str = "name"
    # Path to the body: the signature is the text before it. Empty: the signature is the first line.
    body: str = "body"
    # Path to a node that names the enclosing scope, if no node around does (Go's receivers).
    scope: str = ""
    # A condition: "path" must exist, or "path=type|type" must lead to a node of one of these types, or "path~regex"
    # must lead to text that the expression matches whole.
    only: str = ""
    # Whether the rule holds only outside of functions, where an assignment is a constant.
    top: bool = False
    # Whether the definition may become a chunk of its own. If not, it is only named in the chunk around it: a field, a
    # member of an enum. The path `name` may then end in "[*]", all named children, or "[FIELD]", all children of that
    # field.
    own: bool = True
    # Whether all that follows, to the end of the block or to the next such node, belongs to it: Perl's packages.
    rest: bool = False


@dataclass(frozen=True, slots=True)
class LineRule:
    """How a line defines something, in a language that is outlined without a grammar."""

    kind: str
    # A regular expression that matches from the start of the line, indentation included. The group `name` is the name;
    # a group `more` is added to it. A group `level` says by its length how deep a heading is. Each line feed in the
    # expression (written as an escape) takes one more line.
    pattern: str
    # "brace": where the first bracket "{" closes, or without one, where all brackets are closed. "indent": before the
    # next line that is indented no deeper and does not begin with a closing word. "next": before the next definition by
    # such a rule, of the same level or above. A rule of kind "end" ends these, and defines nothing.
    ends: str = "brace"
    # As in `Rule`.
    own: bool = True
    # Kinds of definition, separated by "|": the rule holds only directly inside of one of them. Empty: anywhere.
    inside: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """One row of the table."""

    name: str
    extensions: tuple[str, ...] = ()
    filenames: tuple[str, ...] = ()
    shebangs: tuple[str, ...] = ()
    # `module:function` in a wheel.
    grammar: str = ""
    # Node type → what it defines. Of several rules, the first whose condition holds.
    rules: Mapping[str, Rule | tuple[Rule, ...]] = field(default_factory=dict)
    # Tells whether the grammar may see a file's content. If not, the file is cut as text without a grammar.
    safe: Callable[[bytes], bool] | None = None
    # Whether definitions of kind "script" hold JavaScript or TypeScript.
    scripts: bool = False
    # Rules for lines, instead of a grammar. Neither: the text is cut by blank lines and indentation.
    lines: tuple[LineRule, ...] = ()
    # With `lines`: the regular expression of a line that begins or ends a block in which no line defines anything
    # (Markdown's code).
    fence: str = ""
    # Whether it is text for people: then lines that define nothing are no code.
    prose: bool = False
    # Node types that are visited even where they stand on one line, for the members that they name.
    lists: frozenset[str] = frozenset()
    # Node types around a definition that belong to it: decorated, exported, templated.
    wrappers: frozenset[str] = frozenset()
    # Node types of siblings before a definition that belong to it: attributes, decorators, type signatures. The value
    # is a regular expression for the beginning of their text; empty: any text. They may have a rule too.
    leads: Mapping[str, str] = field(default_factory=dict)
    # Node types of siblings after a definition that belong to it: Dart's function bodies.
    tails: frozenset[str] = frozenset()
    # Node types at the beginning of a definition that its signature leaves out: annotations.
    attributes: frozenset[str] = frozenset()
    line_comment: tuple[str, ...] = ("//",)
    block_comment: tuple[str, str] | None = ("/*", "*/")
    # Path from a definition to the string in its body that documents it. Empty: the comment above documents it.
    docstring: str = ""


def node_types(text: str) -> frozenset[str]:
    """Return the node types in a text, which has spaces between them."""
    return frozenset(text.split())


def any_leads(text: str) -> Mapping[str, str]:
    """Return `Language.leads` for the node types in a text: they lead a definition whatever their own text is."""
    return dict.fromkeys(text.split(), "")
