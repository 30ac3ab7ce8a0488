"""Questions about a project that nobody here wrote. They and their answers were written before any result was seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer import index
from searcher import Searcher
from tests.sdists import FLASK, as_repository

# One worker: the project is embedded once.
pytestmark = pytest.mark.xdist_group("flask")

SRC = "src/flask/"
QUESTIONS = [
    ("where is the session cookie signed", {"sessions.py"}),
    ("load configuration from environment variables", {"config.py"}),
    ("register a blueprint on the application", {"sansio/blueprints.py", "blueprints.py"}),
    ("how are url rules added to the map", {"sansio/app.py"}),
    ("run the development server from the command line", {"cli.py", "app.py"}),
    ("send a file to the client as attachment", {"helpers.py"}),
    ("flash a message to be shown in the next request", {"helpers.py"}),
    ("test client that keeps cookies between requests", {"testing.py"}),
    ("class based views that dispatch on the http method", {"views.py"}),
    ("render a jinja template with context", {"templating.py"}),
    ("serialize datetime and uuid to json", {"json/provider.py", "json/tag.py"}),
    ("push and pop the request context", {"ctx.py"}),
    ("current_app proxy", {"globals.py"}),
    ("tagged json serialisation of tuples and bytes in the session", {"json/tag.py"}),
    ("which logger handler writes to the wsgi error stream", {"logging.py"}),
    ("signal sent when an exception is raised", {"signals.py", "app.py"}),
    ("error when a form key is accessed but the form has no multipart enctype", {"debughelpers.py", "wrappers.py"}),
    ("before request functions and teardown handlers registration decorators", {"sansio/scaffold.py"}),
    ("maximum content length of a request", {"wrappers.py"}),
    ("find the import path of the package and its root folder", {"sansio/scaffold.py", "helpers.py"}),
]


@pytest.fixture(scope="module")
def flask_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flask")
    report = index(as_repository(FLASK, folder), home=folder / "home")
    assert report.coverage == 1.0
    assert report.files_indexed > 150
    return folder / "home"


def test_the_right_file_is_among_the_first_three_for_sixteen_of_twenty_questions(flask_home: Path) -> None:
    missed = []
    with Searcher(flask_home) as searcher:
        for question, answers in QUESTIONS:
            files = list(dict.fromkeys(result.path for result in searcher.search(question).results))[:3]
            if not {SRC + answer for answer in answers} & set(files):
                missed.append((question, files))
    assert len(missed) <= 4, missed


def test_a_larger_k_only_adds_to_the_end(flask_home: Path) -> None:
    with Searcher(flask_home) as searcher:
        for question, _ in QUESTIONS[:5]:
            many = searcher.search(question, k=50).results
            for k in (1, 3, 10, 20):
                assert searcher.search(question, k=k).results == many[:k]


def test_filters_apply_before_the_best_are_chosen(flask_home: Path) -> None:
    with Searcher(flask_home) as searcher:
        everything = searcher.search("url routing", k=10).results
        assert not any(result.path.startswith("docs/") and result.language == "python" for result in everything)
        in_docs = searcher.search("url routing", k=10, path="docs/").results
        assert len(in_docs) == 10
        assert all(result.path.startswith("docs/") for result in in_docs)
        html = searcher.search("url routing", k=5, path="*.py", language="python").results
        assert len(html) == 5
        assert {result.language for result in html} == {"python"}
