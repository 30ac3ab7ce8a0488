"""Definitions: which chunks in scope define a name of the question."""

from __future__ import annotations

import re
import sqlite3

from kuberian.store import chunks
from kuberian.store.fulltext import Defined, defined, term
from kuberian.words import word_set, words
from searcher.evidence.lexical import positions
from searcher.question import Question
from searcher.scope import Scope

# What a definition is worth. Who asks for a name means most likely a type, then something to call, then a value, and
# least likely a place that only offers the name again.
TYPE, CALLED, VALUE, OFFERED = 1.0, 0.7, 0.4, 0.35
# By the kind of the definition; any other kind is a value.
_WORTH = {
    **dict.fromkeys(
        word_set(
            """
            alias class data enum extension interface module namespace newtype object protocol record struct trait
            type typedef union
            """
        ),
        TYPE,
    ),
    **dict.fromkeys(word_set("component constructor function macro method procedure rule target test"), CALLED),
    "export": OFFERED,
}
# A factor for a function or value inside of something else: its name alone less likely means it.
INSIDE = 0.7
# What a definition is worth if the question names its scope too.
QUALIFIED = 1.5
# A factor for a name in other capitals than the question's.
OTHER_CASE = 0.3

# Chunks to look at for one name. A name that more chunks have says little.
_MOST = 1000


def defining(connection: sqlite3.Connection, question: Question, scope: Scope) -> dict[int, float]:
    """Return the chunks, by position, that define an identifier of the question, and how surely: 0.3 to 1.5."""
    sureness: dict[int, float] = {}
    for identifier in question.identifiers:
        name = [part for part in re.split(r"\W+", identifier) if part]
        if not name:
            continue
        with_name = positions(connection, f"{{symbol}} : {term(words(name[-1])[0])}", scope)[:_MOST]
        for position, names in zip(with_name.tolist(), chunks.names(connection, scope.chunks[with_name]), strict=True):
            sure = max((_sureness(name, definition) for definition in defined(names)), default=0.0)
            if sure:
                sureness[position] = max(sure, sureness.get(position, 0.0))
    return sureness


def _sureness(name: list[str], definition: Defined) -> float:
    """Tell how surely a name of the question, in parts, means a definition."""
    if definition.name.lower() != name[-1].lower():
        return 0.0
    symbol = [part for part in re.split(r"\W+", definition.symbol) if part]
    end = symbol[-len(name) :]
    worth = _WORTH.get(definition.kind, VALUE)
    if len(name) > 1 and [part.lower() for part in end] == [part.lower() for part in name]:
        worth = QUALIFIED
    elif len(symbol) > 1 and worth < TYPE:
        worth *= INSIDE
    return worth if end[-len(name) :] == name[-len(end) :] else worth * OTHER_CASE
