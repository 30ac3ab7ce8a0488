"""What is found in a small file of each language: names, kinds, lines and scopes.

fixtures/NAME.EXT is cut, fixtures/expected/NAME.txt says into what. A line there is one chunk: lines, kind, symbol, and
after it the scope and, for pieces of one definition, which piece it is. Below it, indented, is what it defines: line,
kind, qualified name.
"""

from pathlib import Path

import pytest

from indexer.chunking.chunk import Chunk
from indexer.chunking.chunks import cut
from indexer.chunking.grammar import load
from indexer.languages.table import BY_NAME, TABLE, detect

FIXTURES = Path(__file__).parent / "fixtures"
FILES = {path.stem: path for path in sorted(FIXTURES.iterdir()) if path.is_file()}


def described(chunk: Chunk) -> str:
    line = f"{chunk.start_line}-{chunk.end_line} {chunk.kind} {chunk.symbol or '-'}"
    if chunk.scope:
        line += f" in {chunk.scope}"
    line += f" part {chunk.part}" if chunk.part else ""
    return "\n".join([line, *(f"    {name.line} {name.kind} {name.symbol}" for name in chunk.names)])


@pytest.mark.parametrize("name", FILES)
def test_definitions_of_a_small_file(name):
    path = FILES[name]
    text = path.read_text(encoding="utf-8")
    language = detect(path.name, text)
    assert language == name
    expected = (FIXTURES / "expected" / f"{name}.txt").read_text(encoding="utf-8")
    assert "\n".join(map(described, cut(text, language))) == expected.rstrip("\n")


@pytest.mark.parametrize("name", FILES)
def test_line_ends_of_windows_and_a_byte_order_mark_change_nothing(name):
    text = FILES[name].read_text(encoding="utf-8")
    plain = [described(chunk) for chunk in cut(text, name)]
    assert [described(chunk) for chunk in cut("\ufeff" + text.replace("\n", "\r\n"), name)] == plain


@pytest.mark.parametrize("name", [row.name for row in TABLE])
def test_every_language_has_a_fixture_and_its_grammar_loads(name):
    assert name in FILES
    assert (load(name) is not None) == bool(BY_NAME[name].grammar)


def test_every_node_type_of_the_table_is_in_its_grammar():
    """A misspelt node type would define nothing, and no other test might notice."""
    unknown = []
    for row in TABLE:
        grammar = load(row.name)
        if grammar is None:
            continue
        for node_type in {*row.rules, *row.wrappers, *row.leads, *row.tails}:
            if grammar.syntax.id_for_node_kind(node_type, True) is None:
                unknown.append(f"{row.name}: {node_type}")
    assert unknown == []


@pytest.mark.parametrize(
    ("path", "head", "language"),
    [
        ("a.py", "", "python"),
        ("dir.js/noextension", "", None),
        ("a.d.ts", "", "typescript"),
        ("A.TSX", "", "tsx"),
        ("include/a.h", "struct a;\n", "c"),
        ("include/a.h", "namespace a {\n", "cpp"),
        ("bin/tool", "#!/usr/bin/env python3\n", "python"),
        ("bin/tool", "#!/usr/bin/env -S node --no-warnings\n", "javascript"),
        ("bin/tool", "#!/bin/sh\n", "bash"),
        ("bin/tool", "#!/usr/bin/ruby2.7 -w\n", "ruby"),
        ("bin/tool", "#!\n", None),
        ("Makefile", "", "make"),
        ("docker/Dockerfile", "", "dockerfile"),
        ("Dockerfile.alpine", "", "dockerfile"),
        ("CMakeLists.txt", "", "cmake"),
        ("Gemfile", "", "ruby"),
        ("Jenkinsfile", "", "groovy"),
        ("notes.txt", "", "text"),
        ("LICENSE", "", None),
        ("a.unheardof", "", None),
    ],
)
def test_language_by_name_extension_or_shebang(path, head, language):
    assert detect(path, head) == language


def test_no_extension_belongs_to_two_languages():
    seen: dict[str, str] = {}
    for row in TABLE:
        for extension in row.extensions:
            assert seen.setdefault(extension, row.name) == row.name, extension
    assert len(BY_NAME) == len(TABLE)


def test_docstrings_comments_and_signatures_are_found():
    text = FILES["python"].read_text(encoding="utf-8")
    chunks = {chunk.symbol: chunk for chunk in cut(text, "python")}
    assert chunks["Order"].doc == "An order of a customer."
    assert chunks["Order.paid"].doc == "Whether money has come."
    assert chunks["Order.send"].signature == "async def send( self, address: str, ) -> None"
    chunks = {chunk.symbol: chunk for chunk in cut(FILES["go"].read_text(encoding="utf-8"), "go")}
    assert chunks["Server.Find"].doc == "Find finds an order."
    assert chunks["Server.Find"].signature == "func (s *Server) Find(ctx context.Context, id int) (Order, error)"
    chunks = {chunk.symbol: chunk for chunk in cut(FILES["java"].read_text(encoding="utf-8"), "java")}
    assert chunks["Store.find"].doc == "Finds an order."
    assert chunks["Store.find"].signature == "public T find(int id)"


def test_inner_and_joined_definitions_are_named_with_their_lines():
    chunks = cut(FILES["python"].read_text(encoding="utf-8"), "python")
    names = [(name.line, name.kind, name.name, name.symbol) for name in chunks[0].names]
    assert names[:3] == [
        (6, "constant", "LIMIT", "LIMIT"),
        (7, "constant", "NAMES", "NAMES"),
        (11, "class", "Order", "Order"),
    ]
    assert names[3] == (14, "constant", "id", "Order.id")
    find = next(chunk for chunk in chunks if chunk.symbol == "find")
    assert [(name.line, name.name, name.symbol) for name in find.names] == [
        (41, "find", "find"),
        (42, "inner", "find.inner"),
    ]


def test_a_long_function_is_cut_between_statements_and_keeps_its_name():
    body = "".join(
        f"    for item in items:\n        total += item.price * {i}\n        log(total)\n" for i in range(60)
    )
    text = f"def total(items):\n    total = 0\n{body}    return total\n"
    chunks = cut(text, "python")
    lines = text.split("\n")
    assert len(chunks) > 2
    assert {chunk.symbol for chunk in chunks} == {"total"}
    assert [chunk.part for chunk in chunks] == list(range(1, len(chunks) + 1))
    assert all(lines[chunk.start_line - 1].startswith("    for item") for chunk in chunks[1:])


def test_the_documentation_lists_every_language():
    page = (Path(__file__).parents[2] / "docs" / "languages.md").read_text(encoding="utf-8")
    assert [row.name for row in TABLE if f"\n| {row.name} |" not in page] == []


def test_a_namespace_is_a_scope_whether_it_has_a_block_or_the_whole_file():
    body = "public class Order\n{\n    public int Id;\n}\n"
    block, whole = cut(f"namespace Shop\n{{\n{body}}}\n", "csharp"), cut(f"namespace Shop;\n\n{body}", "csharp")
    assert [name.symbol for name in block[0].names] == ["Shop", "Shop.Order", "Shop.Order.Id"]
    assert [name.symbol for name in whole[0].names] == ["Shop", "Shop.Order", "Shop.Order.Id"]


def test_the_head_of_a_class_and_its_small_rest_are_in_no_chunk_without_a_name():
    text = "class Store {\n" + "".join(
        f"  // What {name} does is told here.\n  {name}(order) {{\n    this.log('{name}');\n"
        f"    return this.{name}Now(order);\n  }}\n\n"
        for name in ("add", "remove", "find")
    )
    chunks = cut(text + "  limit = 3;\n}\n\nexport default Store;\n", "javascript")
    assert [chunk.symbol for chunk in chunks] == ["Store", "Store.add", "Store.remove", "Store.find"]
    assert [name.symbol for name in chunks[-1].names] == ["Store.find", "Store.limit"]


def test_names_of_c_and_cpp_that_are_not_where_names_are():
    text = "typedef NTSTATUS (NTAPI *sGetVersion)\n  (INFO info);\n\ntypedef int (*callback)(int);\n"
    assert [name.symbol for chunk in cut(text, "c") for name in chunk.names] == ["sGetVersion", "callback"]
    text = "class A {\n  const char& arg_;\n  operator bool() const {\n    return true;\n  }\n  int& f();\n};\n"
    names = [(name.kind, name.symbol) for chunk in cut(text, "cpp") for name in chunk.names]
    assert names == [("class", "A"), ("field", "A.arg_"), ("method", "A.operator bool"), ("method", "A.f")]
