"""Questions from fixing commits: what is asked, which commits ask, and what answers."""

from __future__ import annotations

import subprocess
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from benchmarks.corpus import Project
from benchmarks.issue_answers import Change, Hunk, answer, is_code
from benchmarks.issue_messages import clean
from benchmarks.issues import evaluate, may_ask, names_it, shared_clone, take_questions

SHOP = '''"""A shop."""

import os


class Cart:
    def total(self, prices):
        """Add all prices up, in the order in which they were put into the cart, and return the sum of them."""
        result = 0
        for price in prices:
            result += price
        return result

    def empty(self):
        """Take all out."""
        self.items = []


def ship(cart):
    return cart
'''

PROBLEM = """\
fix(cart): the total is wrong for refunds (#12)

A refund has a negative price, and it was added as if it were positive. Whoever gave
something back was asked to pay for it twice, since nothing else looks at the sign of
a price before the order is written.

Traceback (most recent call last):
    File "shop.py", line 9, in total

* add tests
Fixes #12
See https://example.org/12
Signed-off-by: A <a@example.org>
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    (root / "tests").mkdir(parents=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root, {"shop.py": SHOP, "README.md": "A shop.\n", "tests/test_shop.py": "def test_it(): ...\n"}, "Begin")
    mended = SHOP.replace("result += price", "result += abs(price)").replace("import os", "import os\nimport sys")
    mended = mended.replace("        self.items = []\n", "        self.items = []\n        self.sum = 0\n")
    commit(root, {"shop.py": mended, "tests/test_shop.py": "def test_that(): ...\n"}, PROBLEM)
    commit(root, {"shop.py": mended.replace("return cart", "return [cart]")}, "Ship in a list")
    return root


def git(root: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Kuberian", "-c", "user.email=kuberian@localhost")
    done = subprocess.run(["git", "-C", root, *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(root: Path, files: dict[str, str], message: str) -> None:
    for path, text in files.items():
        (root / path).write_text(text)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)


@pytest.fixture(autouse=True)
def a_question_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.issues.LEAST_QUESTIONS", 1)


def questions_of(root: Path, folder: Path) -> list[dict[str, Any]]:
    clone = shared_clone(root, folder / "repos" / "some" / "shop")
    return take_questions(Project("some/shop", "python", git(root, "rev-parse", "HEAD"), "judge"), clone)


def changed(text: str, now: str, path: str = "a.py") -> Any:
    """Return the answer for one hunk: the lines of `text` that `now` lacks, and those that it has instead."""
    old, new = text.split("\n"), now.split("\n")
    same = next(at for at, pair in enumerate(zip_longest(old, new)) if pair[0] != pair[1])
    tail = 0
    while tail < min(len(old), len(new)) - same and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    gone, come = tuple(old[same : len(old) - tail]), tuple(new[same : len(new) - tail])
    found = answer(path, text, [Hunk(same + bool(gone), len(gone), gone, come)])
    return found and ([*found.lines], [function.name for function in found.functions])


def test_a_fixing_commit_asks_with_its_message_and_its_functions_answer(shop: Path, tmp_path: Path) -> None:
    (question,) = questions_of(shop, tmp_path)
    assert question["at"] == git(shop, "rev-parse", "HEAD~2")
    assert question["query"].startswith("fix(cart): the total is wrong for refunds\n\nA refund has")
    assert (question["part"], question["language"], question["names_it"]) == ("judge", "python", "some")
    (found,) = question["answers"]
    assert found["path"] == "shop.py"
    assert list(map(list, found["lines"])) == [[11, 11], [16, 16]]  # not the import
    assert [(f["name"], f["line"], f["end"]) for f in found["functions"]] == [("total", 7, 12), ("empty", 14, 16)]


def test_search_is_measured_by_the_parent_of_the_commit(shop: Path, tmp_path: Path) -> None:
    (question,) = questions_of(shop, tmp_path)
    scored, seconds = evaluate([question], tmp_path)
    measures = scored[question["id"]]
    assert measures.pop("results")
    assert measures == {"file_1": 1, "file_5": 1, "file_10": 1, "function": 1, "line": 1, "mrr": measures["mrr"]}
    assert measures["mrr"] > 0 and len(seconds) == 1


def test_a_message_loses_what_tools_add_and_keeps_traces() -> None:
    message = clean(PROBLEM)
    assert message.is_telling and message.tells_of_a_fault
    assert 'File "shop.py", line 9, in total' in message.body
    for gone in ("#12", "https", "Signed-off", "add tests"):
        assert gone not in message.text


@pytest.mark.parametrize(
    "line",
    [
        "Co-authored-by: A <a@b.c>",
        "Change-Id: I0123456789",
        "Closes #1, #2.",
        "fixes owner/name#3",
        "PR-URL: https://host/pull/1",
        "Fixes https://host/issues/1",
        "- [x] I have read the rules",
        "(cherry picked from commit 0123)",
        "---------",
        "* Fix lint",
        "- update changelog",
        "<!-- write here -->",
        "## Description",
    ],
)
def test_a_line_of_a_tool_is_no_question(line: str) -> None:
    assert clean(f"Subject\n\n{line}\nkept").body.strip() == "kept"


@pytest.mark.parametrize(
    "line",
    [
        "Fixes a crash in the reader",
        "Closed files were read again",
        "* Fix the order of headers",
        "see Reader.next",
        "- b",
    ],
)
def test_a_line_of_a_person_is_kept(line: str) -> None:
    assert clean(f"Subject\n\n{line}").body == line


@pytest.mark.parametrize(
    "subject",
    [
        "Bump x from 1 to 2",
        "Release 1.2",
        "docs: say more",
        "Revert that",
        "chore(deps): newer",
        "Fix typo",
        "Run clippy",
    ],
)
def test_a_chore_does_not_ask(subject: str) -> None:
    body = PROBLEM.partition("\n")[2]
    assert not clean(subject + "\n" + body).is_telling


def test_what_a_robot_says_does_not_ask() -> None:
    body = PROBLEM.partition("\n")[2]
    assert clean("somebody/branch\n" + body).is_telling
    assert not clean("somebody/branch\n\n* Bumps gun from 1.3.3 to 2.0.1.\n" + body).is_telling


def test_a_short_body_does_not_ask() -> None:
    assert not clean("Mend the cart\n\nIt was wrong.").is_telling
    assert not clean("Mend the cart\n\n" + 9 * "* some more fixes\n").is_telling
    assert not clean("Mend the cart\n\n```\n" + 9 * "a line of code that says it\n" + "```").is_telling


def test_a_large_change_does_not_ask() -> None:
    small = Change("a.py", "M", (Hunk(1, 1, ("a",), ("b",)),))
    large = Change("a.py", "M", (Hunk(1, 1, ("a",), ("b",) * 80),))
    assert may_ask([small] * 4)
    assert not may_ask([])
    assert not may_ask([small] * 5)
    assert not may_ask([large])


@pytest.mark.parametrize(
    "path", ["tests/a.py", "README.md", "docs/conf.py", "setup.py", "a.json", "src/testFixtures/a.s", "x.gradle"]
)
def test_tests_documents_and_settings_are_no_code(path: str) -> None:
    assert not is_code(path)


def test_an_insertion_belongs_to_the_function_it_is_added_to() -> None:
    text = "def a():\n    one()\n\ndef b():\n    two()\n"
    assert changed(text, text.replace("two()\n", "two()\n    three()\n")) == ([(5, 5)], ["b"])
    assert changed(text, text.replace("two()\n", "two()\n\ndef c():\n    three()\n")) == ([(6, 6)], [])
    assert changed(text, "x = 1\n" + text) == ([(1, 1)], [])


def test_the_innermost_function_answers() -> None:
    text = "def outer():\n    def inner():\n        one()\n        two()\n    return inner\n"
    assert changed(text, text.replace("one()", "other()")) == ([(3, 3)], ["inner"])
    assert changed(text, text.replace("return inner", "return None")) == ([(5, 5)], ["outer"])


def test_comments_imports_and_tests_do_not_answer() -> None:
    assert changed("# a\nx = 1\n", "# b\nx = 1\n") is None
    assert changed("import a\nx = 1\n", "import b\nx = 1\n") is None
    rust = "fn a() {\n    b()\n}\n\n#[cfg(test)]\nmod tests {\n    fn c() {\n        d()\n    }\n}\n"
    assert changed(rust, rust.replace("d()", "e()"), "a.rs") is None
    assert changed(rust, rust.replace("b()", "e()"), "a.rs") == ([(2, 2)], ["a"])


def test_a_question_tells_whether_it_names_the_answer() -> None:
    found = answer("shop/cart.py", "def total():\n    one()\n", [Hunk(2, 1, ("    one()",), ("    two()",))])
    assert found
    assert names_it("total() in cart.py is wrong", [found]) == "all"
    assert names_it("total() is wrong", [found]) == "some"
    assert names_it("the totals of a cart are wrong", [found]) == ""
