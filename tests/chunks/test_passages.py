"""What is embedded for a chunk and for a path."""

import doctest

import indexer.meaning.passages
import indexer.source.noise
from indexer.chunking.chunks import cut
from indexer.meaning.passages import MAX_CHARS, passage, path_passage

CODE = '''class Server:
    """Answers requests."""

    def serve(self):
        """Until it is stopped, which may take as long as the last request that came in takes."""
        while self.running:
            self.answer(self.next())

    def stop(self):
        """No more requests are taken; those that wait are answered, and the log says how many there were."""
        self.running = False
'''


def test_a_method_says_where_it_belongs():
    chunk = next(chunk for chunk in cut(CODE, "python") if chunk.symbol == "Server.serve")
    code = "\n".join(CODE.split("\n")[chunk.start_line - 1 : chunk.end_line])
    assert passage(chunk, code) == f"method Server.serve\n{code}"


def test_an_endless_line_does_not_make_an_endless_passage():
    (chunk,) = cut("x" * 100_000, None)
    assert len(passage(chunk, "x" * 100_000)) == MAX_CHARS


def test_a_path_is_read_as_words():
    assert path_passage("mux.go") == "mux"
    assert path_passage("src/HTTPServer/__init__.py") == "src httpserver http server __init__"
    assert path_passage(".github/workflows/ci.yml") == "github workflows ci"
    assert path_passage("Makefile") == "makefile"
    assert path_passage(".gitignore") == "gitignore"


def test_examples_in_docstrings_are_right():
    for module in (indexer.meaning.passages, indexer.source.noise):
        assert doctest.testmod(module).failed == 0
