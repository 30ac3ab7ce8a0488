"""Questions without an answer: what is asked of a project has nothing to do with it, and no result is the right one.

    python -m benchmarks.unanswerable DIR      # after benchmarks.functions; makes DIR/unanswerable.json
    python -m benchmarks.quality --data DIR

Of each project of `benchmarks.corpus` five questions about functions of projects in another language, five sentences of
everyday life, and five halves: questions about its own functions with the words of another project for what they are
about. The first and the last have two words at least that hardly a file of the project has.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.corpus import PROJECTS, Project
from kuberian.words import parts, word_set, words

PER_SORT = 5
FOREIGN, EVERYDAY, HALF = "foreign", "everyday", "half"
SORTS = (FOREIGN, EVERYDAY, HALF)
# A word with this many files at most tells that a question is of another project.
_RARE = 1
_LEAST_RARE = 2
# Questions with more long words are not made halves of: hardly any other question has as many strange words.
_MOST_OF_HALF = 6
_LONG, _STEM = 4, 6
# Long words that any question may have.
_PLAIN = word_set(
    """
    about above according across actually after again against along already also although always another around
    because been before behind being below between both called cannot could currently does during each either else
    even every exactly from given have having here however inside instead into itself just least less like longer
    made make makes many more most much must never none nothing only optionally other others otherwise outside over
    perhaps possible possibly provided rather really regular returned returning returns same several should since
    some something still such than that their them then there these they this those through throughout together
    toward towards under unless until upon used uses using very well were what whatever when where whether which
    while whole whose will with within without would your
    """
)

_EVERYDAY = """
bread recipe with yeast
how to remove red wine stains from a carpet
opening hours of the public swimming pool
train from Vienna to Prague on Sunday
the best time to plant tomatoes outdoors
how long does a hard boiled egg take
why is my cat sneezing at night
symptoms of a cold in small children
cheap flights to Lisbon in October
who won the women's football cup last year
how to repair a punctured bicycle tyre
weather forecast for the mountains tomorrow
pancakes without milk or butter
how do I get chewing gum out of hair
lyrics of an old sailor song
what does a giraffe eat in winter
grandmother's plum jam with cinnamon
how to knit a warm woollen scarf
rent a flat with a balcony near the river
dentist appointment for my daughter
when do the swallows fly south
how much flour for two pizzas
a birthday cake with strawberries and cream
vaccination of puppies and kittens
garden furniture made of oak
history of the Roman aqueducts
exercises against back pain after gardening
the tallest waterfall in Norway
why do leaves turn red in autumn
museum tickets for a family of five
how to fold a napkin like a swan
tea against a sore throat
second-hand piano for beginners
which mushrooms are poisonous
how to wash a down jacket
driving licence for a motorcycle
wedding speech of the bride's father
a quiet campsite by the lake
how to sharpen a kitchen knife
children's bicycle with training wheels
recipe for lentil soup with carrots
where do hedgehogs sleep in winter
cleaning the oven with vinegar and lemon
names for a baby girl
ferry to the islands with a dog
the life of Johann Sebastian Bach
how to prune an apple tree
snow boots for toddlers
new curtains for the bedroom window
what is the capital of Mongolia
how many calories has a banana
choir practice on Thursday evening
moving house with an aquarium
the rules of beach volleyball
stuffed peppers in the oven
how do bees make honey
a doctor who speaks Portuguese
painting the ceiling without drips
how to sew a button on a coat
sunburn on the shoulders of a child
"""
SENTENCES = tuple(_EVERYDAY.strip().split("\n"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    counts = Counter(query["sort"] for query in write(arguments.folder))
    print(", ".join(f"{sort} {counts[sort]}" for sort in SORTS))


def write(folder: Path) -> list[dict[str, Any]]:
    """Write the questions that the projects in `folder` do not answer, and return them."""
    answerable = json.loads((folder / "queries.json").read_text())
    made: list[dict[str, Any]] = []
    for number, project in enumerate(PROJECTS):
        root = folder / "repos" / project.folder
        if root.is_dir():
            everyday = list(islice(cycle(SENTENCES), number * PER_SORT, (number + 1) * PER_SORT))
            made += questions(project, answerable, files_by_word(root), everyday)
    (folder / "unanswerable.json").write_text(json.dumps(made, indent=1))
    return made


def questions(
    project: Project, answerable: Sequence[dict[str, Any]], known: Counter[str], everyday: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield the questions that a project does not answer. `known` is the number of its files by word."""
    random = Random(project.name)
    others = [query["query"] for query in answerable if query["language"] != project.language]
    own = [query["query"] for query in answerable if query["repo"] == project.folder]
    random.shuffle(others)
    random.shuffle(own)
    strange = [question for question in others if len(rare(question, known)) >= _LEAST_RARE]
    words_of = (rare(other, known) for other in strange[PER_SORT:])
    sorts = {
        FOREIGN: strange[:PER_SORT],
        EVERYDAY: everyday,
        HALF: list(islice(halves(own, words_of), PER_SORT)),
    }
    for sort, asked in sorts.items():
        for number, question in enumerate(asked):
            yield {
                "id": f"{project.name}/{sort}/{number}",
                "repo": project.folder,
                "language": project.language,
                "part": project.part,
                "sort": sort,
                "query": question,
            }


def halves(own: Iterable[str], words_of: Iterator[list[str]]) -> Iterator[str]:
    """Yield short questions of a project with the words of others, each question and each other once."""
    for question in own:
        if len(long_words(question)) <= _MOST_OF_HALF:
            made = (half_related(question, strange) for strange in words_of)
            yield from islice((half for half in made if half), 1)


def half_related(question: str, strange: Sequence[str]) -> str | None:
    """Return a question with strange words for what it is about; None if there are too few, or little to replace.

    Its first long word is kept, which mostly says what is done.

    >>> half_related("Counts the unpaid orders of most customers", ["semigroup", "monoid", "functor"])
    'Counts the semigroup monoid of most functor'
    """
    unused = list(strange)
    seen = 0

    def put(match: re.Match[str]) -> str:
        nonlocal seen
        seen += match[0].lower() not in _PLAIN
        if seen <= 1 or match[0].lower() in _PLAIN:
            return match[0]
        return unused.pop(0) if unused else ""

    made = re.sub(rf"[A-Za-z]{{{_LONG},}}", put, question)
    return made if _LEAST_RARE <= seen - 1 <= len(strange) else None


def rare(question: str, known: Counter[str]) -> list[str]:
    """Return the long words of a question that hardly a file has."""
    return [word for word in dict.fromkeys(long_words(question)) if known[stem(word)] <= _RARE]


def files_by_word(root: Path) -> Counter[str]:
    """Return in how many files of a checkout each word is, by the beginning of the word."""
    known: Counter[str] = Counter()
    for path in sorted(root.rglob("*")):
        if path.is_file() and ".git" not in path.relative_to(root).parts:
            text = path.read_text(encoding="utf-8", errors="replace")
            known.update(set(stems(words(text))))
    return known


def stems(found: Iterable[str]) -> Iterator[str]:
    """Yield the beginnings of words, of compounds also those of the parts."""
    for word in set(found):
        yield stem(word)
        for part in parts(word):
            yield stem(part)


def stem(word: str) -> str:
    """Return the beginning of a word, which stands for all its forms."""
    return word.lower()[:_STEM]


def long_words(question: str) -> list[str]:
    """Return the words of a question that may say what it is about."""
    found = re.findall(r"[A-Za-z]+", question)
    return [word for word in found if len(word) >= _LONG and word.lower() not in _PLAIN]


if __name__ == "__main__":
    main()
