"""Rows of the language table for languages with a grammar of their own in a wheel: the eight most used ones."""

from __future__ import annotations

from indexer.languages.language import Language, Rule, any_leads, node_types

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
    lists=node_types("block"),
    wrappers=node_types("decorated_definition expression_statement"),
    line_comment=("#",),
    block_comment=None,
    docstring="body/<expression_statement>/<string>",
)

_JS_TESTS = "function~describe|it|test|suite|context|beforeEach|afterEach|(?:describe|it|test)\\.\\w+"
_JS_FUNCTIONS = "arrow_function|function_expression|generator_function|function"
_FIELD = Rule("field", own=False)
# A name that is offered here though it is defined elsewhere.
_PUB_USE = "<visibility_modifier>/../argument"
_MEMBER = Rule("constant", own=False)
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
    "pair": Rule("function", name="key", body="value/body", only=f"value={_JS_FUNCTIONS}"),
    "assignment_expression": (
        Rule("function", name="left", body="right/body", only=f"right={_JS_FUNCTIONS}"),
        Rule("constant", name="left", body="", only=r"left~(?:module\.)?exports\.\w+", top=True),
    ),
    "call_expression": Rule("test", name="arguments/<string>", body="", only=_JS_TESTS),
}
_TS_RULES: dict[str, Rule | tuple[Rule, ...]] = {
    **_JS_RULES,
    "public_field_definition": (Rule("method", body="value/body", only=f"value={_JS_FUNCTIONS}"), _FIELD),
    "property_signature": _FIELD,
    "method_signature": Rule("method", own=False),
    "enum_body": Rule("constant", name="[name]", own=False),
    "enum_assignment": _MEMBER,
    "abstract_class_declaration": Rule("class"),
    "interface_declaration": Rule("interface"),
    "type_alias_declaration": Rule("type", body="value"),
    "enum_declaration": Rule("enum"),
    "internal_module": Rule("module"),
    "module": Rule("module"),
    "function_signature": Rule("function"),
    "abstract_method_signature": Rule("method"),
}
_JS_WRAPPERS = node_types("export_statement lexical_declaration variable_declaration expression_statement")

_C_NAME = "declarator/declarator|<function_declarator>|<pointer_declarator>|<field_identifier>*"
# The name of a pointer to a function with a calling convention.
_C_MACRO_NAME = "type/<ERROR>/<identifier>"
_C_POINTED = "declarator/<pointer_declarator>|<reference_declarator>*/<function_declarator>"
_C_FIELD = Rule("field", name=_C_NAME, only="declarator", own=False)
_C_RULES: dict[str, Rule | tuple[Rule, ...]] = {
    "function_definition": Rule("function", name=_C_NAME),
    "struct_specifier": Rule("struct", only="body"),
    "union_specifier": Rule("union", only="body"),
    "enum_specifier": Rule("enum", only="body"),
    "type_definition": (
        Rule("type", name=_C_MACRO_NAME, only=_C_MACRO_NAME),
        Rule("type", name="type/type", only="declarator=parenthesized_declarator"),
        Rule("type", name=_C_NAME),
    ),
    "preproc_def": Rule("macro", body=""),
    "preproc_function_def": Rule("macro", body=""),
    "declaration": (
        Rule("function", name=_C_NAME, body="", only="declarator=function_declarator", top=True),
        Rule("function", name=_C_NAME, body="", only=_C_POINTED, top=True),
        Rule("variable", name=_C_NAME, body="", only="declarator", top=True),
    ),
    "field_declaration": _C_FIELD,
    "enumerator": _MEMBER,
}

ROWS: tuple[Language, ...] = (
    _PYTHON,
    Language(
        name="javascript",
        extensions=("js", "mjs", "cjs", "jsx", "es6"),
        shebangs=("node", "nodejs", "bun", "deno"),
        grammar="tree_sitter_javascript:language",
        rules={
            **_JS_RULES,
            "field_definition": (
                Rule("method", name="property", body="value/body", only=f"value={_JS_FUNCTIONS}"),
                Rule("field", name="property", own=False),
            ),
        },
        wrappers=_JS_WRAPPERS,
        leads=any_leads("decorator"),
    ),
    Language(
        name="typescript",
        extensions=("ts", "mts", "cts"),
        shebangs=("ts-node", "tsx"),
        grammar="tree_sitter_typescript:language_typescript",
        rules=_TS_RULES,
        wrappers=_JS_WRAPPERS | {"ambient_declaration"},
        leads=any_leads("decorator"),
    ),
    Language(
        name="tsx",
        extensions=("tsx",),
        grammar="tree_sitter_typescript:language_tsx",
        rules=_TS_RULES,
        wrappers=_JS_WRAPPERS | {"ambient_declaration"},
        leads=any_leads("decorator"),
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
            "field_declaration": Rule("field", name="[name]", own=False),
            "method_elem": Rule("method", own=False),
        },
        wrappers=node_types("type_declaration const_declaration var_declaration"),
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
            "enum_variant": _MEMBER,
            "field_declaration": _FIELD,
            "associated_type": Rule("type", own=False),
            "use_declaration": (
                Rule("export", "argument/list[*]", only=f"{_PUB_USE}=scoped_use_list", own=False),
                Rule("export", "argument[*]", only=f"{_PUB_USE}=use_list", own=False),
                Rule("export", "argument/name|alias", only=f"{_PUB_USE}=scoped_identifier|use_as_clause", own=False),
            ),
        },
        lists=node_types("enum_variant_list field_declaration_list"),
        leads=any_leads("attribute_item"),
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
            "constant_declaration": Rule("constant", name="declarator/name", body="", top=True),
            "enum_constant": _MEMBER,
            "annotation_type_element_declaration": Rule("method", own=False),
        },
        lists=node_types("enum_body"),
        attributes=node_types("marker_annotation annotation"),
    ),
    Language(
        name="c",
        extensions=("c", "h"),
        grammar="tree_sitter_c:language",
        rules=_C_RULES,
        lists=node_types("enumerator_list"),
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
            "function_definition": (
                Rule("function", name="declarator", only="declarator=operator_cast"),
                Rule("function", name=_C_NAME),
            ),
            "class_specifier": Rule("class", only="body"),
            "namespace_definition": Rule("namespace"),
            "concept_definition": Rule("type", body=""),
            "alias_declaration": Rule("type", body="type"),
            "field_declaration": (
                Rule("method", name=_C_NAME, body="", only="declarator=function_declarator", top=True),
                Rule("method", name=_C_NAME, body="", only=_C_POINTED, top=True),
                _C_FIELD,
            ),
        },
        lists=node_types("enumerator_list"),
        wrappers=node_types("template_declaration"),
    ),
)
