"""What a row of the language table can say."""

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
    name: str = "name"
    """Path to the name. Empty: the name is all that stands before the body."""
    body: str = "body"
    """Path to the body: the signature is what stands before it. Empty: the signature is the first line."""
    scope: str = ""
    """Path to a node that names the enclosing scope, where that is not around the node (Go's receivers)."""
    only: str = ""
    """A condition: "path" must exist, or "path=type|type" must lead to a node of one of these types, or "path~regex"
    must lead to text that the expression matches whole."""
    top: bool = False
    """Whether the rule holds only outside of functions, where an assignment is a constant."""
    own: bool = True
    """Whether it may become a chunk of its own. If not, it is only named in the chunk around it: a field, a member of
    an enum. Its path `name` may then end in "[*]", all named children, or "[FIELD]", all children of that field."""
    rest: bool = False
    """Whether what follows, to the end of the block or to the next such node, belongs to it: Perl's packages."""


@dataclass(frozen=True, slots=True)
class LineRule:
    """How a line defines something, in a language that is outlined without a grammar."""

    kind: str
    pattern: str
    """What the line matches from its start, indentation included; the group `name` is the name, to which a group `more`
    is added. A group `level` says by its length how deep a heading is. Each line feed in it (written as an escape)
    takes one more line."""
    ends: str = "brace"
    """"brace": where the first bracket "{" closes, or all brackets are closed if there is none. "indent": before the
    next line that is indented no deeper and does not begin with a closing word. "next": before the next definition by
    such a rule, of the same level or above; one of kind "end" does nothing else."""
    own: bool = True
    """As of a `Rule`."""
    inside: str = ""
    """Kinds of definition, separated by "|", right inside of which alone the rule holds. Empty: anywhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """One row of the table."""

    name: str
    extensions: tuple[str, ...] = ()
    filenames: tuple[str, ...] = ()
    shebangs: tuple[str, ...] = ()
    grammar: str = ""
    """`module:function` in a wheel."""
    rules: Mapping[str, Rule | tuple[Rule, ...]] = field(default_factory=dict)
    """Node type → what it defines. Of several rules, the first whose condition holds."""
    safe: Callable[[bytes], bool] | None = None
    """What must hold of a file before the grammar may see it; else it is cut as text without one."""
    scripts: bool = False
    """Whether definitions of kind "script" hold JavaScript or TypeScript."""
    lines: tuple[LineRule, ...] = ()
    """Instead of a grammar: how lines define. Neither: the text is cut by blank lines and indentation."""
    fence: str = ""
    """With `lines`: what begins and ends a passage in which no line defines anything (Markdown's code)."""
    prose: bool = False
    """Text for people, of which what defines nothing is no code."""
    lists: frozenset[str] = frozenset()
    """Node types that are looked into even where they stand on one line, for the members that they name."""
    wrappers: frozenset[str] = frozenset()
    """Node types around a definition that belong to it: decorated, exported, templated."""
    leads: Mapping[str, str] = field(default_factory=dict)
    """Node type → how its text begins (a regular expression; empty: anyhow), for siblings before a definition
    that belong to it: attributes, decorators, type signatures. A rule may name what they define besides."""
    tails: frozenset[str] = frozenset()
    """Node types after a definition, as siblings, that belong to it: Dart's function bodies."""
    attributes: frozenset[str] = frozenset()
    """Node types at the beginning of a definition that are not yet its signature: annotations."""
    line_comment: tuple[str, ...] = ("//",)
    block_comment: tuple[str, str] | None = ("/*", "*/")
    docstring: str = ""
    """Path from a definition to the string in its body that documents it; empty: the comment above does."""


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


def leads(text: str) -> Mapping[str, str]:
    """Node types that lead a definition however they begin."""
    return dict.fromkeys(text.split(), "")
