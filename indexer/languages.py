"""All that is known of each language, in one table: a new language is a row here and a fixture in tests/chunks.

A row says how files of the language are recognised, which wheel holds its grammar, and which syntax nodes define what.
The cutting itself (indexer/chunks.py) knows no language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Rule:
    """How one type of syntax node defines something.

    Paths (`name`, `body`, `scope`, `only`) lead from the node to one below it: steps joined by "/", each a field name,
    a node type in angle brackets (`<identifier>`, the first such child), or a step ended by "*", taken while it exists.
    """

    kind: str
    name: str = "name"
    """Path to the name. Empty: the definition has no name of its own."""
    body: str = "body"
    """Path to the body: the signature is what stands before it."""
    scope: str = ""
    """Path to a node that names the enclosing scope, where that is not around the node (Go's receivers)."""
    only: str = ""
    """A condition: "path" must exist, or "path=type|type" must lead to a node of one of these types, or "path~regex"
    must lead to text that the expression matches whole."""
    top: bool = False
    """Whether the rule holds only outside of functions, where an assignment is a constant."""


@dataclass(frozen=True, slots=True)
class Language:
    """One row of the table."""

    name: str
    extensions: tuple[str, ...] = ()
    filenames: tuple[str, ...] = ()
    shebangs: tuple[str, ...] = ()
    grammar: str = ""
    """`module:function` in a wheel; empty: cut by lines."""
    rules: Mapping[str, Rule | tuple[Rule, ...]] = field(default_factory=dict)
    """Node type → what it defines. Of several rules, the first whose condition holds."""
    wrappers: frozenset[str] = frozenset()
    """Node types around a definition that belong to it: decorated, exported, templated."""
    leads: frozenset[str] = frozenset()
    """Node types before a definition, as siblings, that belong to it: attributes, decorators, type signatures."""
    line_comment: tuple[str, ...] = ("//",)
    block_comment: tuple[str, str] | None = ("/*", "*/")
    docstring: str = ""
    """Path from a definition to the string or comment in its body that documents it; empty: the comment above does."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PYTHON = Language(
    name="python",
    extensions=("py", "pyi", "pyw", "pyx", "pxd", "bzl", "bazel"),
    filenames=("SConstruct", "SConscript", "wscript", "BUILD", "WORKSPACE", "Snakefile"),
    shebangs=("python", "pypy"),
    grammar="tree_sitter_python:language",
    rules={
        "function_definition": Rule("function"),
        "class_definition": Rule("class"),
        "assignment": Rule("constant", name="left", body="", only="left=identifier", top=True),
        "type_alias_statement": Rule("type", name="left", body=""),
    },
    wrappers=_words("decorated_definition expression_statement"),
    line_comment=("#",),
    block_comment=None,
    docstring="body/<expression_statement>/<string>",
)

_JS_TESTS = "function~describe|it|test|suite|context|beforeEach|afterEach|(?:describe|it|test)\\.\\w+"
_JS_FUNCTIONS = "arrow_function|function_expression|generator_function|function"
_JS_RULES: dict[str, Rule | tuple[Rule, ...]] = {
    "function_declaration": Rule("function"),
    "generator_function_declaration": Rule("function"),
    "class_declaration": Rule("class"),
    "method_definition": Rule("method"),
    "variable_declarator": (
        Rule("function", body="value/body", only=f"value={_JS_FUNCTIONS}"),
        Rule("class", body="value/body", only="value=class"),
        Rule("constant", body="", only="name=identifier", top=True),
    ),
    "field_definition": Rule("method", name="property", body="value/body", only=f"value={_JS_FUNCTIONS}"),
    "public_field_definition": Rule("method", body="value/body", only=f"value={_JS_FUNCTIONS}"),
    "pair": Rule("function", name="key", body="value/body", only=f"value={_JS_FUNCTIONS}"),
    "assignment_expression": Rule("function", name="left", body="right/body", only=f"right={_JS_FUNCTIONS}"),
    "call_expression": Rule("test", name="arguments/<string>", body="arguments", only=_JS_TESTS),
}
_TS_RULES: dict[str, Rule | tuple[Rule, ...]] = {
    **_JS_RULES,
    "abstract_class_declaration": Rule("class"),
    "interface_declaration": Rule("interface"),
    "type_alias_declaration": Rule("type", body="value"),
    "enum_declaration": Rule("enum"),
    "internal_module": Rule("module"),
    "module": Rule("module"),
    "function_signature": Rule("function"),
    "abstract_method_signature": Rule("method"),
}
_JS_WRAPPERS = _words(
    "export_statement lexical_declaration variable_declaration expression_statement ambient_declaration"
)

_C_RULES: dict[str, Rule | tuple[Rule, ...]] = {
    "function_definition": Rule("function", name="declarator/declarator*"),
    "struct_specifier": Rule("struct", only="body"),
    "union_specifier": Rule("union", only="body"),
    "enum_specifier": Rule("enum", only="body"),
    "type_definition": Rule("type", name="declarator/declarator*"),
    "preproc_def": Rule("macro", body=""),
    "preproc_function_def": Rule("macro", body=""),
    "declaration": Rule(
        "function", name="declarator/declarator*", body="", only="declarator=function_declarator", top=True
    ),
}

_TABLE: tuple[Language, ...] = (
    _PYTHON,
    Language(
        name="javascript",
        extensions=("js", "mjs", "cjs", "jsx", "es6"),
        shebangs=("node", "nodejs", "bun", "deno"),
        grammar="tree_sitter_javascript:language",
        rules=_JS_RULES,
        wrappers=_JS_WRAPPERS,
        leads=_words("decorator"),
    ),
    Language(
        name="typescript",
        extensions=("ts", "mts", "cts"),
        shebangs=("ts-node", "tsx"),
        grammar="tree_sitter_typescript:language_typescript",
        rules=_TS_RULES,
        wrappers=_JS_WRAPPERS,
        leads=_words("decorator"),
    ),
    Language(
        name="tsx",
        extensions=("tsx",),
        grammar="tree_sitter_typescript:language_tsx",
        rules=_TS_RULES,
        wrappers=_JS_WRAPPERS,
        leads=_words("decorator"),
    ),
    Language(
        name="go",
        extensions=("go",),
        grammar="tree_sitter_go:language",
        rules={
            "function_declaration": Rule("function"),
            "method_declaration": Rule("method", scope="receiver"),
            "type_spec": (
                Rule("struct", body="type/<field_declaration_list>", only="type=struct_type"),
                Rule("interface", body="", only="type=interface_type"),
                Rule("type", body=""),
            ),
            "type_alias": Rule("type", body=""),
            "const_spec": Rule("constant", body="", top=True),
            "var_spec": Rule("variable", body="", top=True),
        },
        wrappers=_words("type_declaration const_declaration var_declaration"),
    ),
    Language(
        name="rust",
        extensions=("rs",),
        grammar="tree_sitter_rust:language",
        rules={
            "function_item": Rule("function"),
            "function_signature_item": Rule("function"),
            "struct_item": Rule("struct"),
            "union_item": Rule("union"),
            "enum_item": Rule("enum"),
            "trait_item": Rule("trait"),
            "impl_item": Rule("impl", name="type"),
            "mod_item": Rule("module", only="body"),
            "type_item": Rule("type", body="type"),
            "const_item": Rule("constant", body="", top=True),
            "static_item": Rule("constant", body="", top=True),
            "macro_definition": Rule("macro", body=""),
        },
        leads=_words("attribute_item"),
    ),
    Language(
        name="java",
        extensions=("java",),
        grammar="tree_sitter_java:language",
        rules={
            "class_declaration": Rule("class"),
            "record_declaration": Rule("class"),
            "interface_declaration": Rule("interface"),
            "annotation_type_declaration": Rule("interface"),
            "enum_declaration": Rule("enum"),
            "method_declaration": Rule("method"),
            "constructor_declaration": Rule("constructor"),
            "compact_constructor_declaration": Rule("constructor"),
            "field_declaration": Rule("field", name="declarator/name", body="", top=True),
        },
    ),
    Language(
        name="c",
        extensions=("c", "h"),
        grammar="tree_sitter_c:language",
        rules=_C_RULES,
    ),
    Language(
        name="cpp",
        extensions=(
            "cc",
            "cpp",
            "cxx",
            "c++",
            "hh",
            "hpp",
            "hxx",
            "h++",
            "ipp",
            "tpp",
            "inl",
            "inc",
            "ino",
            "cu",
            "cuh",
        ),
        grammar="tree_sitter_cpp:language",
        rules={
            **_C_RULES,
            "class_specifier": Rule("class", only="body"),
            "namespace_definition": Rule("namespace"),
            "concept_definition": Rule("type", body=""),
            "alias_declaration": Rule("type", body="type"),
            "field_declaration": Rule(
                "method", name="declarator/declarator*", body="", only="declarator=function_declarator", top=True
            ),
        },
        wrappers=_words("template_declaration"),
    ),
)

BY_NAME: Mapping[str, Language] = {row.name: row for row in _TABLE}
_BY_EXTENSION = {extension: row.name for row in _TABLE for extension in row.extensions}
_BY_FILENAME = {name.lower(): row.name for row in _TABLE for name in row.filenames}
_BY_SHEBANG = {command: row.name for row in _TABLE for command in row.shebangs}

_SHEBANG = re.compile(r"#!\s*\S*?([^/\s]+)(?:[ \t]+(?:-\S+[ \t]+|\w+=\S+[ \t]+)*(\S+))?")
_CPP_HEADER = re.compile(
    r"^\s*(?:class|namespace|template|using|public:|private:|protected:)\b|\bstd::|::", re.MULTILINE
)


def detect(path: str, head: str = "") -> str | None:
    """The language of a file as results name it, by its name, its extension, or the interpreter in its first line.

    `head`: the beginning of the text; a few thousand characters are enough. None: text of no known language.
    """
    name = path.rsplit("/", 1)[-1].lower()
    found = _BY_FILENAME.get(name)
    if found is None and "." in name:
        found = _by_extension(name)
    if found == "c" and name.endswith(".h") and _CPP_HEADER.search(head):
        return "cpp"
    if found is None and head.startswith("#!"):
        found = _by_shebang(head.split("\n", 1)[0])
    return found


@lru_cache(maxsize=4096)
def _by_extension(name: str) -> str | None:
    """The language of the longest known extension: `a.blade.php` may differ from `a.php`."""
    parts = name.split(".")
    for start in range(1, len(parts)):
        if found := _BY_EXTENSION.get(".".join(parts[start:])):
            return found
    return None


def _by_shebang(line: str) -> str | None:
    match = _SHEBANG.match(line)
    if not match:
        return None
    command, argument = match.groups()
    if command == "env" and argument:
        command = argument.rsplit("/", 1)[-1]
    return _BY_SHEBANG.get(command) or _BY_SHEBANG.get(re.sub(r"[\d.]+$", "", command))
