"""Words of languages that are written without spaces are found inside of a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer import index
from kuberian.words import pairs, searchable, words
from searcher import Searcher
from searcher.question import ask
from tests.sdists import commit_all

COMMENTS = {
    "check_pw": "验证用户密码是否正确",
    "send_mail": "发送邮件通知给管理员",
    "draw_menu": "メニューを画面に表示する",
    "close_file": "파일을 닫고 사용자에게 알립니다",
    "greet": "ทักทายผู้ใช้เมื่อเข้าสู่ระบบ",
}


@pytest.fixture
def searcher(tmp_path: Path) -> Searcher:
    root = tmp_path / "words"
    root.mkdir()
    for name, comment in COMMENTS.items():
        (root / f"{name}.py").write_text(f"def {name}(u):\n    # {comment}\n    return u\n", encoding="utf-8")
    commit_all(root)
    index(root, meaning=False)
    return Searcher()


@pytest.mark.parametrize(
    ("word", "symbol"),
    [
        ("管理员", "send_mail"),  # at the end
        ("密码", "check_pw"),  # in the middle
        ("验证", "check_pw"),
        ("邮件通知给", "send_mail"),
        ("员", "send_mail"),
        ("画面", "draw_menu"),
        ("メニュー", "draw_menu"),
        ("사용자", "close_file"),
        ("ผู้ใช้", "greet"),
        ("怎么发送邮件", "send_mail"),  # a question with a word that is not there
    ],
)
def test_a_word_is_found_in_a_sentence(searcher: Searcher, word: str, symbol: str) -> None:
    assert searcher.search(word).results[0].symbol == symbol


def test_words_that_are_nowhere_find_nothing(searcher: Searcher) -> None:
    assert searcher.search("咖啡").results == ()


def test_identifiers_beside_such_words_are_words_of_their_own() -> None:
    assert words("使用API接口 parseUrl") == ["使用", "API", "接口", "parseUrl"]
    assert ask("使用API接口").terms == ("使用", "api", "接口")
    assert pairs("管理员") == ["管理", "理员"]
    assert searchable("parseUrl x") == "parseUrl x\nparse Url "
