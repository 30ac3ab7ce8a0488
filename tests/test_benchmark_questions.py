"""The questions that benchmarks are made of: comments go and lines stay, sentences are clean, misspellings repeat."""

from __future__ import annotations

import pytest

from benchmarks.blanking import blank
from benchmarks.checkout import SourceFile
from benchmarks.corpus import PROJECTS, Project
from benchmarks.functions import Asked, asked, places, spread, unambiguous, with_implementations
from benchmarks.names import in_words, misspelt, questions
from benchmarks.quality import begins_definition, has_line, is_called, measures
from benchmarks.sentences import question
from benchmarks.unanswerable import SENTENCES, half_related

# language → source, and the same without comments. "GONE" stands in every comment and nowhere else.
SOURCES = {
    "python": (
        '#!/usr/bin/env python\n"""GONE"""\ndef f():  # GONE\n    """GONE\n    GONE"""\n    return "# kept"\n',
        '#!/usr/bin/env python\n\ndef f():\n\n\n    return "# kept"\n',
    ),
    "javascript": ("/** GONE\n * GONE */\nlet a = '// kept'; // GONE\n", "\n\nlet a = '// kept';\n"),
    "typescript": ("/* GONE */ let a: X; // GONE\n", "           let a: X;\n"),
    "java": ("/** GONE */\nclass A {\n  // GONE\n}\n", "\nclass A {\n\n}\n"),
    "kotlin": ("/** GONE */\nfun f() = 1 // GONE\n", "\nfun f() = 1\n"),
    "go": ("// GONE\nfunc F() {} /* GONE */\n", "\nfunc F() {}\n"),
    "rust": ('/// GONE\n#[doc = "GONE"]\n#[inline]\nfn f() {} // GONE\n', "\n\n#[inline]\nfn f() {}\n"),
    "c": (
        '#define A(x) \\\n  /* GONE */ "// kept" \\\n  + x // GONE\nint a; // GONE\r\n',
        '#define A(x) \\\n             "// kept" \\\n  + x\nint a;\r\n',
    ),
    "cpp": ("//! GONE\nnamespace a { /* GONE\n GONE */ int b; }\n", "\nnamespace a {\n         int b; }\n"),
    "csharp": ("/// <summary>GONE</summary>\nclass A {} // GONE\n", "\nclass A {}\n"),
    "ruby": ("=begin\nGONE\n=end\ndef f # GONE\nend\n", "\n\n\ndef f\nend\n"),
    "php": ("<?php\n/** GONE */\n#[Kept]\nclass A {} # GONE\n", "<?php\n\n#[Kept]\nclass A {}\n"),
    "swift": ("/// GONE\nfunc f() {} /* GONE */\n", "\nfunc f() {}\n"),
    "scala": ("/** GONE */\ndef f = 1 // GONE\n", "\ndef f = 1\n"),
    "elixir": (
        'defmodule A do\n  @moduledoc """\n  GONE\n  """\n  @doc false\n  @doc "GONE"\n  def f, do: 1 # GONE\nend\n',
        "defmodule A do\n\n\n\n  @doc false\n\n  def f, do: 1\nend\n",
    ),
    "haskell": (
        "module A where\n-- | GONE\nf :: Int -- ^ GONE\nf = 1 {- GONE -}\n{-# INLINE f #-}\n",
        "module A where\n\nf :: Int\nf = 1\n{-# INLINE f #-}\n",
    ),
    "lua": ("--- GONE\n--[[ GONE\n]]\nlocal a = '-- kept' -- GONE\n", "\n\n\nlocal a = '-- kept'\n"),
    "dart": ("/// GONE\nint f() => 1; // GONE\n", "\nint f() => 1;\n"),
    "zig": ("//! GONE\n/// GONE\nfn f() void {} // GONE\n", "\n\nfn f() void {}\n"),
    "julia": (
        '"""\nGONE\n"""\nfunction f()\n  "kept"\nend #= GONE =#\n@doc raw"GONE"\ng(x) = 1\n',
        '\n\n\nfunction f()\n  "kept"\nend\n\ng(x) = 1\n',
    ),
}


@pytest.mark.parametrize("language", SOURCES)
def test_comments_are_blanked_and_code_keeps_its_lines(language):
    source, expected = SOURCES[language]
    assert "GONE" in source
    assert blank(source, language) == expected


def test_a_function_that_was_only_documented_still_parses():
    assert blank('class A:\n    """Doc."""\n\n\ndef f(): "Doc."\n', "python") == "class A:\n    ...\n\n\ndef f(): ...\n"


@pytest.mark.parametrize(
    ("doc", "name", "expected"),
    [
        (
            "Return the {@link Node#depth} of\na node in the tree. Slow!",
            "depth",
            "Return the depth of a node in the tree",
        ),
        (
            '<summary>\nCounts the <see cref="T:A.Line"/> objects of <c>x</c>.\n</summary>',
            "f",
            "Counts the A.Line objects of x",
        ),
        (
            "Parse :class:`~a.b.Url` and ``host``, e.g. of a proxy.\n\n:param x: y",
            "f",
            "Parse Url and host, e.g. of a proxy",
        ),
        (
            "Opens the [file](x.html) at `path` for reading\n@param path where",
            "f",
            "Opens the file at path for reading",
        ),
        ("@brief Frees all \\p count buffers at once", "f", "Frees all count buffers at once"),
        ("@return the number of open sockets", "f", "Returns the number of open sockets"),
        ("Dial connects to the address of a server.", "Dial", "connects to the address of a server"),
        ("Fire all hooks of the passed level.", "Fire", "Fire all hooks of the passed level"),
        ("O(f(n))/. 'filter' @p@ @xs@ keeps the elements that fit", "keep", "filter p xs keeps the elements that fit"),
        ("    solve(a, b)\n\nSolve a system of linear equations.", "solve", "Solve a system of linear equations"),
    ],
)
def test_a_sentence_is_clean(doc, name, expected):
    assert question(doc, name) == expected


@pytest.mark.parametrize(
    ("doc", "name"),
    [
        ("Return it.", "f"),
        ("Parses the HTTP headers of it", "parse_http_headers"),
        ("Deprecated: use the other function for sockets instead", "f"),
        ("Copyright 2020 by the authors of this fine program", "f"),
        ("See also the description of sockets in the manual", "f"),
        ("TODO make this function faster for large sockets", "f"),
        ("if (socket.open()) { socket.close(); return false; }", "f"),
        ("Gibt die Größe der Fläche aller Blöcke zurück", "f"),
        ("Like parseHeaders this reads lines until a blank one", "parseHeaders"),
    ],
)
def test_noise_is_no_question(doc, name):
    assert question(doc, name) is None


def test_a_misspelling_is_always_the_same_and_never_right():
    # What Python's Random draws for these names, on every machine.
    assert [misspelt(name) for name in ("Abacus", "parseHeaders", "read_line", "aaaab")] == [
        "Abaacus",
        "parsseHeaders",
        "read_lien",
        "aaab",
    ]
    for number in range(100):
        name = f"open{chr(97 + number % 26)}Socket{number}"
        assert misspelt(name) == misspelt(name) != name
        assert abs(len(misspelt(name)) - len(name)) <= 1


def test_a_name_in_words():
    assert in_words("parseHTTPHeaders") == "parse http headers"
    assert in_words("open_file2") == "open file 2"
    assert in_words("parse") is None
    assert in_words("md5") is None


def source_file(path: str, language: str, text: str) -> SourceFile:
    without = blank(text, language)
    assert without is not None
    return SourceFile(path, language, frozenset(), text, without)


def ask(*files: SourceFile) -> list[Asked]:
    return unambiguous(asked(files, {file.path: list(places(file)) for file in files}))


def test_the_function_below_a_comment_answers_it():
    text = "/** Counts the open sockets of a server. */\n@Override\npublic int f() { return 1; }\n"
    (found,) = ask(source_file("A.java", "java", "class A {\n" + text + "}\n"))
    assert found.sentence == "Counts the open sockets of a server"
    assert [(place.symbol, place.start_line, place.line) for place in found.places] == [("A.f", 3, 4)]


def test_of_a_declaration_the_definition_is_asked_for():
    header = source_file("a.h", "c", "/* Counts the open sockets of a server. */\nint count(void);\n")
    source = source_file("a.c", "c", "int one;\nint count(void)\n{\n  return 1;\n}\n")
    (found,) = ask(header, source)
    assert [(place.path, place.line) for place in found.places] == [("a.c", 2)]
    (alone,) = ask(header)
    assert [(place.path, place.line) for place in alone.places] == [("a.h", 2)]


def test_a_sentence_of_two_functions_is_no_question():
    doc = '    """Count the open sockets of a server."""\n    return 1\n\n\n'
    assert len(ask(source_file("a.py", "python", f"def f():\n{doc}"))) == 1
    assert ask(source_file("a.py", "python", f"def f():\n{doc}def g():\n{doc}")) == []


def test_a_function_in_clauses_is_one_question():
    text = (
        'defmodule A do\n  @doc """\n  Counts the open sockets of a server.\n  """\n'
        "  def f(1), do: 1\n\n  def f(2), do: 2\nend\n"
    )
    (found,) = ask(source_file("a.ex", "elixir", text))
    assert [place.line for place in found.places] == [5, 7]


def test_of_an_abstract_method_each_implementation_is_right():
    doc = "  /** Counts the open sockets of a server. */\n"
    text = f"interface A {{\n{doc}  int f(int a);\n}}\nclass B {{\n  int f(int a) {{ return 1; }}\n}}\n"
    file = source_file("A.java", "java", text)
    (found,) = ask(file)
    everywhere = {"f": [place for place in places(file) if place.name == "f"]}
    found = with_implementations(found, everywhere)
    assert [(place.symbol, place.is_abstract) for place in found.places] == [("A.f", True), ("B.f", False)]
    (alone,) = ask(source_file("B.java", "java", f"class B {{\n{doc}  int f() {{\n    return 1;\n  }}\n}}\n"))
    assert with_implementations(alone, everywhere) == alone


def test_questions_are_spread():
    assert spread(list(range(10)), 5) == [0, 2, 4, 6, 8]  # type: ignore[arg-type]
    assert spread([1, 2], 5) == [1, 2]  # type: ignore[arg-type]


def test_half_of_a_question_is_of_another_project():
    assert half_related("Counts the open sockets", ["yeast", "flour"]) == "Counts the yeast flour"
    assert half_related("Counts the open sockets", ["yeast"]) is None
    assert half_related("Counts the sockets", ["yeast", "flour"]) is None


def test_a_declaration_is_right_only_without_a_definition():
    base = {"kind": "function", "name": "count_all", "symbol": "count_all", "start_line": 1, "line": 1, "end_line": 1}
    declared = {**base, "path": "a.h", "is_declaration": True}
    defined = {**base, "path": "a.c", "is_declaration": False}
    project = Project("a/b", "c", "0", "fit")
    asked_for = list(questions(project, [declared, defined]))
    assert [query["asking"] for query in asked_for] == ["name", "words", "misspelt"]
    assert [target["path"] for target in asked_for[0]["targets"]] == ["a.c"]
    assert [target["path"] for target in next(questions(project, [declared]))["targets"]] == ["a.h"]


class Found:
    def __init__(self, path, start_line, end_line, symbol):
        self.path, self.start_line, self.end_line, self.symbol = path, start_line, end_line, symbol


def test_only_the_definition_itself_is_right():
    query = {"name": "f", "targets": [{"path": "a", "start_line": 4, "line": 5, "end_line": 9}]}
    assert has_line(Found("a", 1, 20, "A"), query)
    assert not has_line(Found("a", 6, 9, "A.f"), query)
    assert not has_line(Found("b", 4, 9, "A.f"), query)
    assert is_called(Found("a", 1, 1, "A.f"), "f")
    assert not is_called(Found("a", 1, 1, "A.of"), "f")
    assert not is_called(Found("a", 1, 1, None), "f")
    assert begins_definition(Found("a", 5, 9, "A.f"), query)
    assert not begins_definition(Found("a", 1, 20, "A.f"), query)
    assert not begins_definition(Found("a", 5, 9, "A"), query)


def test_measures_of_a_project():
    asked_for = [{"id": str(number), "asks": "functions"} for number in range(2)]
    answers = {
        "0": {"named": 2, "line": 1, "file": 1, "refused": False},
        "1": {"named": 0, "line": 0, "file": 0, "refused": True},
    }
    found = dict(measures(asked_for, answers))
    assert found["MRR"] == 0.25
    assert found["first"] == 0
    assert found["r@10"] == found["len1st"] == found["lost"] == 0.5


def test_no_project_is_in_both_parts_and_each_language_is_in_both():
    assert len({project.name for project in PROJECTS}) == len(PROJECTS)
    assert {project.part for project in PROJECTS} == {"fit", "judge"}
    languages = [{project.language for project in PROJECTS if project.part == part} for part in ("fit", "judge")]
    assert languages[0] == languages[1]
    assert len(languages[0]) >= 16


def test_everyday_sentences_are_distinct():
    assert len(set(SENTENCES)) == len(SENTENCES) >= 60
