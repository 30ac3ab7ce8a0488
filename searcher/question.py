"""A question, taken apart: its words, its identifiers, and the full-text query that asks for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kuberian.errors import UsageError
from kuberian.store.texts import storable
from kuberian.words import parts, word_set, words

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

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*(?:(?:\.|::|->|#)[A-Za-z_~]\w*)*")


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its words.

    `terms` are the distinct words in lower case, identifiers whole and in parts. `identifiers` are the words that look
    like names in code, as written. `is_identifier` tells whether the whole question is such a name.
    """

    text: str
    terms: tuple[str, ...]
    identifiers: tuple[str, ...]
    is_identifier: bool

    def about(self, repository: str) -> Question:
        """Return the question without the name of the one repository that is searched.

        Inside Django, "how does django route requests" asks the same as "how does it route requests", but every other
        file has the word "django". A question that would keep fewer than two terms stays as it is.
        """
        name = {repository.lower(), *(part.lower() for part in words(repository))}
        kept = [word for word in self.text.split() if _bare(word) not in name]
        shorter = ask(" ".join(kept)) if kept else self
        return shorter if len(shorter.terms) > 1 and not self.is_identifier else self


def ask(text: str) -> Question:
    """Take a question apart. Raises UsageError if it is empty or far too long."""
    text = storable(text).strip()
    if not text:
        raise UsageError('the question is empty: ask for something, as in `kuberian search "where is auth"`')
    if len(text) > MAX_CHARACTERS:
        raise UsageError(f"the question has {len(text):,} characters: ask in at most {MAX_CHARACTERS:,}")
    terms = _distinct(words(text))
    content = [term for term in terms if term not in STOPWORDS]
    single = bool(_IDENTIFIER.fullmatch(text))
    identifiers = (text,) if single else _identifiers(text)
    return Question(text, tuple((content or terms)[:MAX_TERMS]), identifiers, single)


def _bare(word: str) -> str:
    """Return a word in lower case, without punctuation around it and without a final 's."""
    return word.lower().strip(".,;:!?()\"'`").removesuffix("'s")


def _distinct(words_of_text: list[str]) -> list[str]:
    terms: dict[str, None] = {}
    for word in words_of_text:
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
