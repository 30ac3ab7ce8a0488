"""Whatever a file holds, each of its lines is in exactly one chunk, and nothing runs away or falls over."""

import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.chunking.chunks import MAX, cut
from indexer.languages.table import BY_NAME
from tests.chunks.hard_files import assert_covered

LANGUAGES = [None, *BY_NAME]

PYTHON = '''"""Module."""

import os


@decorator(
    1
)
class Server(Base):
    """Serves."""

    port = 80

    def serve(self):
        """Until stopped."""
        def inner():
            return 1
        return inner

    async def stop(self): pass


LIMIT = {
    "a": 1,
}

if __name__ == "__main__":
    Server().serve()
'''


def long_cases() -> dict[str, tuple[str, str]]:
    noise = random.Random(1)
    return {
        "parentheses nested 10,000 deep": ("python", "x = " + "(" * 10_000 + "1" + ")" * 10_000),
        "functions nested 10,000 deep": ("javascript", "function f(){\n" * 10_000 + "}\n" * 10_000),
        "namespaces nested 10,000 deep": ("cpp", "namespace a {\n" * 10_000 + "}\n" * 10_000),
        "half of 10,000 nested functions": ("javascript", "function f(){\n" * 10_000),
        "templates nested 10,000 deep": ("cpp", "A<" * 10_000 + "int" + ">" * 10_000 + " x;"),
        "a sum of 1 MB on one line": ("python", "x = " + "+".join(["1"] * 500_000)),
        "a sum of 1 MB on many lines": ("javascript", "let x = " + "+\n".join(["a"] * 330_000)),
        "a table of 1 MB": ("javascript", "let x = [\n" + "1,\n" * 330_000 + "]"),
        "100,000 lines": ("python", "\n".join(f"x{i} = {i}" for i in range(70_000)) + "\n" * 30_000),
        "60,000 functions": ("javascript", "function a(){}\n" * 60_000),
        "comments that never end": ("c", "/* a\n" * 100_000),
        "one line of 5 MB": ("javascript", "x" * 5_000_000),
        "YAML nested 3,000 deep": ("yaml", "\n".join(" " * min(i, 300) + "a:" for i in range(3_000))),
        "a YAML list nested 100,000 deep": ("yaml", "- " * 100_000),
        "noise in C++": ("cpp", "".join(noise.choice("{}()<>;:\"'\n abc+=*&#") for _ in range(500_000))),
        "noise in TypeScript": ("typescript", "".join(noise.choice("{}()<>;:\"'\n abc+=*&#`") for _ in range(500_000))),
    }


@pytest.mark.parametrize("case", long_cases())
def test_huge_and_deep_files_are_cut_within_300_megabytes(case):
    """In a process of its own: neither the parser's C stack nor the memory of this one is at stake."""
    assert case in long_cases()
    program = (
        "import resource, sys\n"
        "from indexer.chunking.chunks import cut\n"
        "from tests.chunks.hard_files import assert_covered\n"
        "from tests.chunks.test_odd_files import long_cases\n"
        "language, text = long_cases()[sys.argv[1]]\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert_covered(text, cut(text, language))\n"
        "print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, case], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    unit = 1 if sys.platform == "darwin" else 1024
    before, after = (int(number) * unit for number in done.stdout.split())
    assert after - before < 300_000_000


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(LANGUAGES), st.binary(max_size=400))
def test_any_bytes_in_any_language(language, data):
    text = data.decode("utf-8", "surrogateescape")
    assert_covered(text, cut(text, language))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(LANGUAGES),
    st.integers(0, len(PYTHON)),
    st.integers(0, len(PYTHON)),
    st.sampled_from("\0\r\x0c\u2028{(\"'`"),
)
def test_half_a_file_and_stray_characters(language, start, end, stray):
    text = PYTHON[:start] + stray + PYTHON[end:]
    assert_covered(text, cut(text, language))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["\n", "\r\n", "\r", "\t", "    ", "def f():", "class A {", "}", "x = 1", "// a", "# b", "/*", "*/"]
        )
    )
)
def test_mixed_line_ends_tabs_and_pieces_of_code(pieces):
    text = "".join(pieces)
    for language in ("python", "typescript", "c", None):
        assert_covered(text, cut(text, language))


def test_windows_line_ends_change_no_line_number():
    assert cut(PYTHON.replace("\n", "\r\n"), "python") == cut(PYTHON, "python")


def test_a_lone_carriage_return_and_a_line_separator_end_no_line():
    text = "a = 1\rb = 2\u2028c = 3\x0cd = 4\n\ndef f():\n    pass\n"
    assert [(name.line, name.symbol) for chunk in cut(text, "python") for name in chunk.names][-1] == (3, "f")


def test_a_byte_order_mark_hides_no_definition():
    assert cut("\ufeffdef f():\n    return 1\n", "python")[0].symbol == "f"


def test_nothing_to_cut():
    assert cut("", "python") == cut("\n \n\t\n", None) == []


def test_long_text_without_a_grammar_is_cut_at_blank_lines():
    text = "\n\n".join(f"Paragraph {i}.\n" + "words and more words\n" * 10 for i in range(30))
    chunks = cut(text, None)
    assert_covered(text, chunks)
    lines = text.split("\n")
    assert len(chunks) > 3
    assert all(lines[chunk.start_line - 1].startswith("Paragraph") for chunk in chunks)
    assert all(len("".join(lines[chunk.start_line - 1 : chunk.end_line])) <= MAX for chunk in chunks)


@pytest.mark.parametrize("closing", ["", "x\n" + "".join(f"WORD{i:085}\n" for i in range(11))])
def test_many_long_here_documents_do_not_end_the_process(closing):
    text = "f(" + ", ".join(f"<<WORD{i:085}" for i in range(11)) + ")\n body #{1}\n" + closing + "text\n" * 3
    program = f"from indexer.chunking.chunks import cut\nassert cut({text!r}, 'ruby')\n"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0


def test_ordinary_here_documents_hide_no_definition():
    text = "def f\n  run(<<~A, <<-'B')\n    one #{two}\n  A\n    three\n  B\n  x <<y\nend\n"
    assert [chunk.symbol for chunk in cut(text, "ruby")] == ["f"]
    assert cut(text, "ruby")[0].kind == "method"


def test_scripts_of_a_page_are_outlined_in_their_own_language():
    page = (
        "<script type='text/template'>\nfunction no() {\n}\n</script>\n<p>one</p>\n"
        "<script\n  defer\n>\nfunction open_() {\n  call()\n}\n</script>\n"
        "<p>two</p>\n<script lang='ts'>\ninterface Shape {\n  area(): number\n}\n</script>\n"
    )
    names = [(name.line, name.kind, name.symbol) for chunk in cut(page, "html") for name in chunk.names]
    assert_covered(page, cut(page, "html"))
    assert [name for name in names if name[1] != "script"] == [
        (9, "function", "open_"),
        (15, "interface", "Shape"),
        (16, "method", "Shape.area"),
    ]
