"""What comes first, and why: names, files that crowd, other languages, typos, stack traces and pages of text."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from indexer import index
from searcher import Searcher, SearchResults
from searcher.evidence.features import CHUNK, FILE
from searcher.ranking import Weights, fitted
from tests.conftest import Run
from tests.sdists import FLASK, as_repository, commit_all

# One worker: the project is embedded once.
pytestmark = pytest.mark.xdist_group("flask")


@pytest.fixture(scope="module")
def flask(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Index Flask; return its folder and the home."""
    folder = tmp_path_factory.mktemp("ranking")
    root = as_repository(FLASK, folder)
    index(root, home=folder / "home")
    return root, folder / "home"


def paths(found: SearchResults) -> list[str]:
    return [result.path for result in found.results]


class TestNames:
    @pytest.mark.parametrize(
        ("name", "path", "symbol"),
        [
            ("Blueprint", "src/flask/sansio/blueprints.py", "Blueprint"),
            ("SecureCookieSessionInterface", "src/flask/sessions.py", "SecureCookieSessionInterface"),
            ("Flask.make_response", "src/flask/app.py", "Flask.make_response"),
            ("url_for", "src/flask/app.py", "Flask.url_for"),
            ("AppContext.push", "src/flask/ctx.py", "AppContext.push"),
        ],
    )
    def test_who_asks_for_a_name_gets_its_definition(
        self, flask: tuple[Path, Path], name: str, path: str, symbol: str
    ) -> None:
        with Searcher(flask[1]) as searcher:
            found = searcher.search(name).results
        assert (path, symbol) in [(result.path, result.symbol) for result in found[:3]]

    def test_a_type_comes_before_a_function_and_that_before_a_field_of_its_name(self, tmp_path: Path) -> None:
        root = tmp_path / "names"
        root.mkdir()
        (root / "a.py").write_text(
            "class Other:\n    Ledger = None\n\n    def run(self):\n        return self.Ledger\n"
        )
        (root / "b.py").write_text("def Ledger():\n    entries = []\n    entries.append(1)\n    return entries\n")
        (root / "c.py").write_text(
            "class Ledger:\n    def __init__(self):\n        self.entries = []\n        return\n"
        )
        commit_all(root)
        index(root)
        with Searcher() as searcher:
            assert paths(searcher.search("Ledger"))[0] == "c.py"
            assert set(paths(searcher.search("Ledger"))) == {"a.py", "b.py", "c.py"}

    def test_a_name_that_is_only_offered_again_is_found_there(self, tmp_path: Path) -> None:
        root = tmp_path / "names"
        root.mkdir()
        users = "use crate::Ledger;\n\npub fn total(ledger: &Ledger) -> u64 {\n    Ledger::sum(ledger)\n}\n"
        (root / "ledger_user.rs").write_text(users)
        (root / "extract.rs").write_text("pub use ledger_core::{Entry, Ledger};\n\nmod inner;\n")
        commit_all(root)
        index(root)
        with Searcher() as searcher:
            assert paths(searcher.search("Ledger"))[0] == "extract.rs"
        (root / "ledger.rs").write_text("pub struct Ledger {\n    entries: Vec<u64>,\n}\n")
        index(root)
        with Searcher() as searcher:
            assert paths(searcher.search("Ledger"))[0] == "ledger.rs"

    def test_a_name_is_found_in_other_capitals_too(self, flask: tuple[Path, Path]) -> None:
        with Searcher(flask[1]) as searcher:
            assert paths(searcher.search("securecookiesessioninterface"))[0] == "src/flask/sessions.py"


class TestOrder:
    def test_one_file_does_not_crowd_the_list(self, flask: tuple[Path, Path]) -> None:
        with Searcher(flask[1]) as searcher:
            found = searcher.search("register a blueprint on the application").results
        assert len({result.path for result in found[:3]}) == 3
        assert [result.score for result in found] == sorted((result.score for result in found), reverse=True)

    def test_another_repository_in_the_home_changes_nothing_for_this_one(
        self, repository: Path, tmp_path: Path
    ) -> None:
        questions = ["check a password", "retry after a failure", "LoginManager"]
        index(repository)
        with Searcher() as searcher:
            alone = [searcher.search(question, repository="shop").to_dict() for question in questions]
        other = tmp_path / "other"
        other.mkdir()
        (other / "passwords.py").write_text(
            "def password(password):\n    return password, 'check password retry'\n" * 50
        )
        commit_all(other)
        index(other)
        with Searcher() as searcher:
            assert [searcher.search(question, repository="shop").to_dict() for question in questions] == alone

    def test_the_repositorys_own_name_in_a_question_changes_nothing(self, repository: Path) -> None:
        index(repository)
        with Searcher() as searcher:
            plain = searcher.search("how is a password checked and a user signed in")
            named = searcher.search("how is a shop's password checked and a user signed in")
        assert [(r.path, r.start_line, r.score) for r in named.results] == [
            (r.path, r.start_line, r.score) for r in plain.results
        ]

    def test_every_result_says_why(self, repository: Path, kuberian: Run) -> None:
        index(repository)
        results = json.loads(kuberian("search", "--json", "how is a password checked").stdout)["results"]
        for result in results:
            assert set(result["why"]) <= {*FILE, "further_chunk"}
            assert sum(result["why"].values()) == pytest.approx(result["score"], abs=0.02)
        shown = kuberian("search", "--why", "how is a password checked").stdout.splitlines()
        assert f"{results[0]['score']:.2f} =" in shown[0]
        assert "words_three" in shown[0]

    def test_weights_can_be_others(self, repository: Path) -> None:
        index(repository)
        shallow = Weights.of({"path_name": 1.0}, {}, 0.0, 0.0)
        with Searcher(weights=shallow) as searcher:
            assert paths(searcher.search("notes about a password"))[0] == "NOTES.md"
        with pytest.raises(ValueError, match="no such feature: pathname"):
            Weights.of({"pathname": 1.0}, {}, 0.0, 0.0)
        assert not fitted().without(*FILE, *CHUNK).file.any()


class TestOddQuestions:
    @pytest.mark.parametrize(
        ("question", "path"),
        [
            ("wo wird das Session-Cookie signiert", "src/flask/sessions.py"),
            ("¿dónde se firma la cookie de la session?", "src/flask/sessions.py"),
            ("blueprint 는 어디에서 register 되나요", "src/flask/sansio/blueprints.py"),
            ("where is the sesion cokie signed", "src/flask/sessions.py"),
            ("blueprints", "src/flask/sansio/blueprints.py"),
            ("templating", "src/flask/templating.py"),
        ],
    )
    def test_other_languages_typos_and_single_words_find_the_file(
        self, flask: tuple[Path, Path], question: str, path: str
    ) -> None:
        with Searcher(flask[1]) as searcher:
            assert path in paths(searcher.search(question))[:5]

    def test_a_stack_trace_finds_the_function_that_raised(self, flask: tuple[Path, Path]) -> None:
        trace = """Traceback (most recent call last):
  File "/srv/app/.venv/lib/python3.12/site-packages/flask/app.py", line 1511, in wsgi_app
    response = self.full_dispatch_request()
  File "/srv/app/.venv/lib/python3.12/site-packages/flask/app.py", line 919, in full_dispatch_request
    rv = self.handle_user_exception(e)
  File "/srv/app/.venv/lib/python3.12/site-packages/flask/app.py", line 902, in dispatch_request
    return self.ensure_sync(self.view_functions[rule.endpoint])(**view_args)
TypeError: The view function did not return a valid response. The function either returned None or ended without a
return statement."""
        with Searcher(flask[1]) as searcher:
            assert "src/flask/app.py" in paths(searcher.search(trace))[:2]

    def test_two_thousand_words_are_a_question(self, flask: tuple[Path, Path]) -> None:
        text = (flask[0] / "src" / "flask" / "config.py").read_text()
        question = " ".join(text.split()[:1000] * 2)
        with Searcher(flask[1]) as searcher:
            assert "src/flask/config.py" in paths(searcher.search(question[:30_000]))[:3]

    @pytest.mark.parametrize("question", ["LoginManager", "how is a password checked"])
    def test_a_filter_that_leaves_no_file_leaves_nothing(self, repository: Path, kuberian: Run, question: str) -> None:
        index(repository)
        done = kuberian("search", question, "--path", "no-such-folder/**")
        assert (done.returncode, done.stdout) == (1, "")

    @pytest.mark.parametrize("question", ["???", "🙂🙃", "SELECT * FROM chunks; --", '"', "a" * 5000, "\x00\x01", "的"])
    def test_nonsense_is_answered_or_nothing(self, flask: tuple[Path, Path], question: str) -> None:
        with Searcher(flask[1]) as searcher:
            for result in searcher.search(question).results:
                assert 1 <= result.start_line <= result.end_line


def test_a_copy_in_the_documentation_does_not_stand_for_the_source(repository: Path) -> None:
    (repository / "docs").mkdir()
    (repository / "vendor").mkdir()
    for folder in ("docs", "vendor"):
        shutil.copy(repository / "server" / "auth.py", repository / folder / "auth.py")
    commit_all(repository)
    index(repository)
    with Searcher() as searcher:
        found = searcher.search("check a user's password").results[0]
        assert (found.path, found.labels) == ("server/auth.py", ())
        assert searcher.search("check a user's password", path="docs").results[0].path == "docs/auth.py"


def test_the_same_files_under_another_name_give_the_same_answer(tmp_path: Path) -> None:
    answers = []
    for name in ("auth", "other"):
        root = tmp_path / name
        root.mkdir()
        (root / "auth.py").write_text('def authenticate(user):\n    """Check the password."""\n    return user\n')
        (root / "place.py").write_text('def where_is(item):\n    """Tell where it is."""\n    return item\n')
        commit_all(root)
        index(root, home=tmp_path / f"home-{name}")
        with Searcher(tmp_path / f"home-{name}") as searcher:
            answers.append([(r.path, r.score) for r in searcher.search("where is auth", repository=name).results])
    assert answers[0] == answers[1]
    assert answers[0][0][0] == "auth.py"


def test_files_for_another_system_rank_lower_by_who_asks_not_by_where_the_searcher_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "locks"
    root.mkdir()
    for system in ("linux", "windows"):
        (root / f"lock_{system}.py").write_text(
            f'def lock_file(path):\n    """Lock a file."""\n    return {system!r}\n'
        )
    commit_all(root)
    index(root)
    with Searcher() as searcher:
        for here in ("linux", "win32", "darwin"):
            monkeypatch.setattr("sys.platform", here)
            assert searcher.search("how is a file locked").results[0].path == "lock_linux.py"
        assert searcher.search("how is a file locked", platform="win32").results[0].path == "lock_windows.py"
        assert searcher.search("how is a file locked on windows").results[0].path == "lock_windows.py"


def test_a_home_that_grew_answers_as_a_new_one_does(tmp_path: Path) -> None:
    """Where many files score alike, the order is that of their names, not that in which they became known."""
    root = tmp_path / "parts"
    root.mkdir()
    answers = []
    for numbers in (range(40, 80), range(40)):
        for number in numbers:
            (root / f"part_{number:02}.py").write_text(f"def handler(request):\n    return {number}\n")
        commit_all(root)
        index(root, home=tmp_path / "grown", meaning=False)
    index(root, home=tmp_path / "new", meaning=False)
    for home in ("grown", "new"):
        with Searcher(tmp_path / home) as searcher:
            answers.append([(r.path, r.score) for r in searcher.search("handler", k=200).results])
    assert answers[0] == answers[1]
    assert len(answers[0]) > 20
