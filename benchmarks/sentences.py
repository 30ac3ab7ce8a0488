"""The first sentence of a documentation comment, as somebody would ask it: without markup, and not its own answer.

It measures nothing: `benchmarks.functions` makes its questions of these sentences.
"""

from __future__ import annotations

import html
import re

from kuberian.words import parts, word_set

# A shorter sentence ("Return it.") asks for nothing in particular; a longer one is no question, but a page.
LEAST_WORDS, MOST_WORDS = 5, 40
# Words that the sentence has and the name of the function has not: else it asks for the name, not for what it does.
_LEAST_NEW = 2
_LEAST_LETTERS = 0.75
_SHORTEST_STEM, _LONGEST_STEM = 3, 5

# Tags whose own text is the sentence.
_OPENING = re.compile(
    r"^\s*[@\\](?:brief|short|desc|description|summary|details|doc|note|public|description)\b:?\s*", re.I
)
_RETURN = re.compile(r"^\s*[@\\](?:returns?|result)\b:?\s*(?:\{[^}]*\}\s*)?(?:the\s+)?", re.I)
# Tags that say nothing of what a function does, on a line of their own above the text.
_ASIDE = re.compile(
    r"^\s*[@\\](?:static|internal|api|public|private|ignore|func|function|method|name|memberof)\b.*$", re.I
)
# Lines at which the description is over.
_SECTION = re.compile(
    r"""^\s*(?: [@\\](?!link|code|c\b|p\b|a\b|e\b|ref\b)\w+ | :\w+[^:]*: | \.\.\s | ``` | ~~~ | \#+\s | [-=~*]{3,}
    | >>> | \$\s
    | -?\s*(?:parameters?|params?|args?|arguments?|returns?|throws|raises|yields?|examples?|notes?|usage|options|warning
      |important|precondition|postcondition|complexity|requires|see\salso|attention|todo|input|output|result)\b
      \s*(?:\w+\s*)?:(?!:)
    | (?:parameters|arguments|returns|examples?|usage)\s*$
    | </?(?:remarks|example|param|returns|exception|typeparam|pre|ul|ol|table|value|seealso)\b)""",
    re.IGNORECASE | re.VERBOSE,
)
_MARKUP: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), by)
    for pattern, by in (
        (r"^(?:internal|public|private|description|summary|callback)\s*:\s+", ""),
        (r"\{@(?:link|linkplain|see)\s+\S*?([\w]+)(?:\([^)]*\))?\s*\}", r"\1"),
        (r"\{@(?:link|linkplain|see)\s+\S+(?:\([^)]*\))?\s+([^}]*)\}", r"\1"),
        (r"\{@\w+\s+([^}]*)\}", r"\1"),
        (r"<(?:see|paramref|typeparamref)\s+\w+=\"(?:[A-Z]:)?([^\"]*?)(?:\([^\"]*)?\"\s*/>", r"\1"),
        (r"<see\s+[^>]*>(.*?)</see>", r"\1"),
        (r"<a\s[^>]*>(.*?)</a>", r"\1"),
        (r"</?[a-zA-Z][\w-]*(?:\s[^<>]*)?/?>", " "),
        (r":[\w:+.-]+:`~(?:\w+\.)*(\w+)`", r"\1"),
        (r":[\w:+.-]+:`\.?([^`<]*?)\s*(?:<[^`]*>)?`", r"\1"),
        (r"!?\[`?([^\]\[]*?)`?\]\([^)]*\)", r"\1"),
        (r"!?\[`?([^\]\[]*?)`?\]\[[^\]]*\]", r"\1"),
        (r"(?<![\w\]])\[`?([\w.:#<>()?!]+)`?\](?![\w\[])", r"\1"),
        (r"`+([^`]*)`+_*", r"\1"),
        (r"@([^@\s]+)@", r"\1"),
        (r"[\\@](?:c|p|a|e|b|em|ref|link|endlink|code|endcode|n)\b\s*", ""),
        (r"(?<!\w)/?O\((?:[^()]|\([^()]*\))*\)/?[.,:;]?\s*", ""),
        (r"\b[tc]:([A-Z][\w.]*)/\d+", r"\1"),
        (r"(?<!\w)'(\w[\w.']*?)'(?!\w)", r"\1"),
        (r"\*\*([^*]+)\*\*|(?<!\w)\*([^*\s][^*]*)\*(?!\w)|(?<!\w)_([^_\s][^_]*)_(?!\w)", r"\1\2\3"),
        (r"\$\(?\w+\)?|\$[^$]*\$", ""),
    )
)
_SHORT_FORM = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|resp|approx|incl|w\.r\.t|a\.k\.a|no|fig|dr)\.", re.IGNORECASE)
_END = re.compile(r"(?<=[.!?])\s+|[:;]\s*$")
_NOISE = re.compile(
    r"""\b(?: copyright | licen[sc]e[ds]? | todo | fixme | xxx | hack | deprecated | generated | auto-?generated
    | see \s (?:also|the|above|below|\w+\(|https?) | inherit-?doc | https?:// | nolint | eslint | noqa | clang-format
    | same \s as | alias | equivalent \s to | shorthand | short-?cut | overload\w* | convenience | wrapper | wraps
    | variant \s of | like \s \w+[,.]? \s but | identical \s to | counterpart | not \s documented
    | internal \s use | private \s api | for \s testing | test-only | default \s implementation | delegates? \s to
    | implementation \s of | implements | overrides? | override[ns] | synonym | inverse \s of | similar \s to
    | constructor | analogous | as \s (?:above|before|described) | documented \s elsewhere
    )\b | ^(?:\w+\s)?(?:functions|methods|macros|routines|helpers|utilities|getters|setters|accessors)\b
    | ^(?:see|like|note|a \s note|ok|hm+|this \s is|another|also|but|and|or|so|it|these|those|first|you|use|used \s by
      |called \s by|warning)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_CODE = re.compile(r"[{}\\;=|~^]|->|<-|::|\(\)\.|&&|#\w+\(|%[sd]|\.\.\.\w|[\[\]]|\w\((?!e?s\))|\./|\s:\s|@|\*\w")
# Between a name and its verb: what it is applied to ("map f xs is …"), or what it is ("the map function returns …").
_ARGUMENTS = r"(?:\s+(?:[a-z]\w?'?|xs|ys|function|method|macro)(?=\s))*"
_VERB = r"(?:is|are|was|will|can|may|must|should|does|has|[a-z]+(?<!thi)(?<!s)s)\s"
_BROKEN_OFF = re.compile(
    r"\b(?:that|the|an?|of|to|is|are|as|in|like|with|by|for|and|or|so|into|when|if|following)$", re.IGNORECASE
)
_COMMON = word_set(
    """
    the and for that this with from into are is was were been has have had not its which when where while then than else
    all any each every some one two given using used use returns return returned gets get sets set will can may should
    must does function method value values object whether true false null nil none otherwise new type
    """
)


def question(doc: str, name: str) -> str | None:
    """Return the first sentence of a function's documentation; None if it has none that asks for the function."""
    sentence = first_sentence(doc, name)
    return sentence if sentence and is_question(sentence, name) else None


def first_sentence(doc: str, name: str) -> str | None:
    """Return the first sentence of a documentation, without markup and the name that it begins with, if any."""
    for paragraph in re.split(r"\n[ \t]*\n", doc.strip()):
        prose = _prose(paragraph)
        if prose and not (name and _is_signature(prose, name)):
            sentence = _first_sentence(_clean(prose))
            return _without_name(sentence, name) if name else sentence
    return None


def is_question(sentence: str, name: str) -> bool:
    """Tell whether a sentence says in words what a function does, and more than its name."""
    found = re.findall(r"[A-Za-z][A-Za-z'-]*", sentence)
    if not LEAST_WORDS <= len(sentence.split()) <= MOST_WORDS or len(found) < LEAST_WORDS:
        return False
    letters = sum(character.isascii() and (character.isalpha() or character == " ") for character in sentence)
    if letters < _LEAST_LETTERS * len(sentence) or not sentence.isascii():
        return False
    if _NOISE.search(sentence) or _CODE.search(sentence) or _BROKEN_OFF.search(sentence):
        return False
    if len(parts(name)) > 1 and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", sentence):
        return False
    named = {_stem(part) for part in parts(name)}
    new = {_stem(word) for word in found if len(word) > _SHORTEST_STEM - 1 and word.lower() not in _COMMON} - named
    return len(new) >= _LEAST_NEW


def _prose(paragraph: str) -> str:
    """Return the lines of a paragraph up to the first that is no description."""
    lines = paragraph.split("\n")
    while lines and (_ASIDE.match(lines[0]) or not lines[0].strip()):
        del lines[0]
    if not lines:
        return ""
    if _RETURN.match(lines[0]):
        lines[0] = _RETURN.sub("Returns the ", lines[0])
    lines[0] = _OPENING.sub("", lines[0])
    kept = []
    for line in lines:
        if _SECTION.match(line):
            break
        kept.append(line.strip())
    return " ".join(" ".join(kept).split())


def _is_signature(prose: str, name: str) -> bool:
    """Tell whether a paragraph shows how the function is called, as Julia's documentation does first."""
    return bool(re.match(rf"(?:[\w.]*\.)?@?{re.escape(name)}[!?]?\s*(?:[({{\[]|->|::)", prose)) and not re.match(
        rf"(?:[\w.]*\.)?{re.escape(name)}\(\)\s+\w", prose
    )


def _clean(text: str) -> str:
    """Return a text without the markup of the documentation tools."""
    for pattern, by in _MARKUP:
        text = pattern.sub(by, text)
    return " ".join(html.unescape(text).split())


def _first_sentence(text: str) -> str:
    kept = _SHORT_FORM.sub(lambda match: match[0].replace(".", "\0"), text)
    sentence = _END.split(kept, maxsplit=1)[0].replace("\0", ".")
    return sentence.strip(" .:;,-")


def _without_name(sentence: str, name: str) -> str:
    """Return a sentence without the name that it begins with, as all of Go's do: nobody asks like that."""
    before = rf"(?:the\s+)?(?:[\w.#:]*[.#:])?{re.escape(name)}[!?]?(?:\([^)]*\))?"
    rest = re.sub(rf"^{before}{_ARGUMENTS}(?:\s*[-:,]+\s*(?=\w)|\s+(?={_VERB}))", "", sentence, flags=re.IGNORECASE)
    return _lone_quote(rest)


def _lone_quote(sentence: str) -> str:
    """Return a sentence without a quotation mark that nothing opens or closes."""
    return sentence.replace('"', "") if sentence.count('"') % 2 else sentence


def _stem(word: str) -> str:
    return word.lower()[:_LONGEST_STEM]
