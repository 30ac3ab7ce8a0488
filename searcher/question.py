"""A question, taken apart: its words, its identifiers, and the full-text query that asks for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from kuberian.errors import UsageError
from kuberian.store.texts import storable
from kuberian.words import is_run, pairs, parts, word_set, words

# A pasted stack trace or a page of an issue is a question. A pasted file is a mistake.
MAX_CHARACTERS = 32_000
# Distinct words to look up in full text. More only cost time: the encoder reads no more than 256 word pieces either.
MAX_TERMS = 128

# Words that tell nothing of what a question is about.
STOPWORDS = word_set(
    """
    a about an and any anywhere are as at be been being but by can code could did do does doing done find for
    from get gets getting give had has have how i if in into is it its like made make makes me my of on or
    our place show so some that the their them then there these they this those to us use used uses using
    want was way we were what when where which who why will with would you your
    """
)

# The system whose files are meant where nobody says: what most code on servers runs on. It is the same everywhere, so
# that a question has one answer, whichever machine the searcher runs on.
PLATFORM = "linux"

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*(?:(?:\.|::|->|#)[A-Za-z_~]\w*)*")


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its words.

    `terms` are the distinct words in lower case, identifiers whole and in parts. `identifiers` are the words that look
    like names in code, as written. `is_identifier` tells whether the whole question is such a name. `platform` is the
    operating system that the asker means by default.
    """

    text: str
    terms: tuple[str, ...]
    identifiers: tuple[str, ...]
    is_identifier: bool
    platform: str

    def without_name(self, repository: str, tells_nothing: Callable[[str], bool]) -> Question:
        """Return the question without the name of the one repository that is searched, if the name tells nothing.

        Inside Django, "how does django route requests" asks the same as "how does it route requests", but every other
        file has the word "django". `tells_nothing` says so of a word. In a repository that is called `auth`, few files
        have "auth", and it is what is asked for. A question that would keep fewer than two words that tell something
        stays as it is.
        """
        if self.is_identifier:
            return self
        name = {repository.lower(), *(part.lower() for part in words(repository))}
        said = {word for text in self.text.split() if (word := _bare(text)) in name and tells_nothing(word)}
        kept = [word for word in self.text.split() if _bare(word) not in said]
        if not said or sum(term not in STOPWORDS for term in _distinct(words(" ".join(kept)))) < 2:
            return self
        return ask(" ".join(kept), self.platform)


def ask(text: str, platform: str | None = None) -> Question:
    """Take a question apart. `platform` is the asker's system, as `sys.platform` names it; None means PLATFORM.

    Raises UsageError if it is empty or far too long.
    """
    text = storable(text).strip()
    if not text:
        raise UsageError('the question is empty: ask for something, as in `kuberian search "where is auth"`')
    if len(text) > MAX_CHARACTERS:
        raise UsageError(f"the question has {len(text):,} characters: ask in at most {MAX_CHARACTERS:,}")
    terms = _distinct(words(text))
    content = [term for term in terms if term not in STOPWORDS]
    single = bool(_IDENTIFIER.fullmatch(text))
    identifiers = (text,) if single else _identifiers(text)
    return Question(text, tuple((content or terms)[:MAX_TERMS]), identifiers, single, platform or PLATFORM)


def _bare(word: str) -> str:
    """Return a word in lower case, without punctuation around it and without a final 's."""
    return word.lower().strip(".,;:!?()\"'`").removesuffix("'s")


def _distinct(words_of_text: list[str]) -> list[str]:
    terms: dict[str, None] = {}
    for word in words_of_text:
        if is_run(word):
            terms.update(dict.fromkeys(pairs(word)))
            continue
        terms[word.lower()] = None
        parts_of_word = parts(word)
        if len(parts_of_word) > 1:
            terms.update((part.lower(), None) for part in parts_of_word)
    return list(terms)


def _identifiers(text: str) -> tuple[str, ...]:
    """Return the words of a sentence that look like names: of several parts, or qualified."""
    names = [
        name
        for name in _IDENTIFIER.findall(text)
        if (len(parts(name)) > 1 and not name.istitle()) or re.search(r"\W", name)
    ]
    return tuple(dict.fromkeys(names))
