"""The message of a commit as a question: without what tools add to it, and whether it tells of a fault at length."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Shorter bodies are subjects in two lines: benchmarks.history asks such.
LEAST_PROSE = 150

_NUMBER = r"(?:fix(?:es)?|close[sd]?|resolves?|gh-?|issue|pr)?[\s:]*#\d+[,\s]*"
_SUBJECT_TAIL = re.compile(rf"\s*[(\[](?:{_NUMBER})+[)\]]", re.IGNORECASE)
_FENCE = re.compile(r"\s*(?:```|~~~)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"\[([^\[\]]+)\]\(\s*https?://[^)\s]*\s*\)|<?https?://[^\s>)\]]+>?")
# A line that a tool or a template adds: trailers, numbers of issues, boxes to tick, rules between squashed commits.
_TOOL_LINE = re.compile(
    r"""\s*(?:
      [-*]?\s*(?:signed-off|co-authored|co-committed|reviewed|acked|tested|reported|suggested|helped|approved|merged
        |pair-programmed|submitted|authored|mentored|assisted|generated)-by\s*:?.*
    | (?:change-id|reviewed-on|review-url|pr-url|pr|cc|link|git-svn-id|backport-pr-url|refs?|re|see(?:\ also)?|bug|issue
        |ticket|related(?:\ to)?|cherry-picked-from|gitorigin-revid|piperorigin-revid|differential\ revision|type
        |commit-id|release-note|co-author|on-behalf-of|closes-bug|upstream-commit|assisted-by|trailer)
      \s*:\s*\S*[\s#\d,/\w.-]{0,40}
    | [-*]?\s*(?:this\s+)?(?:fix(?:e[sd])?|close[sd]?|resolve[sd]?|ref(?:erence)?s?|see(?:\ also)?|part\ of|related\ to
        |addresses|bug|issue|cf\.?|from|via|ticket|pr)\b[\s:]*
      (?:(?:issues?|bugs?|pull(?:\ request)?|pr|gh|and|&|[\w.-]+/[\w.-]+)?[\s,]*\#?-?\d+[\s,.;)]*)+
    | (?:fix(?:e[sd])?|close[sd]?|resolve[sd]?|re|refs?|see|bug|issue)\s*[:.]?
    | \(?cherry[\ -]picked\ from\ commit.* | \(?backport(?:ed)?\ (?:of|from)\ .{0,60}
    | [-*+]?\s*\[[\sxX]\].* | [-*_=]{3,} | \#\d+[.,]? | (?:\[(?:skip\ ci|ci\ skip)\]) | 🤖.*
    | \#{1,6}\s*(?:checklist|type\ of\ change|description|summary|related\ issues?|motivation|context|what|why|how)
      .{0,30}
    )\s*$""",
    re.VERBOSE | re.IGNORECASE,
)
# A line of a squashed commit that tells of no more than its making.
_STEP = re.compile(
    r"""\s*[*-]\s+(?=.{0,80}$)(?:\w+\s*:\s*)?
      (?:add(?:ed)?|fix(?:ed|es)?|updated?|more|another|wip|clean(?:ed)?|remove|run|apply)?.{0,30}\b
      (?:tests?|lint\w*|ci|changelog|changes\.\w+|release\ notes?|typos?|docs?|fmt|format\w*|whitespace|comments?
        |merge|review\w*|feedback|suggestions?|changeset|unit\ test\w*|nit\w*|rebase\w*|wip)\b.{0,30}""",
    re.VERBOSE | re.IGNORECASE,
)
_SHORT_ITEM = re.compile(r"\s*[*-]\s+.{0,50}$")
# A line of a listing: indented, a prompt, a frame of a stack trace.
_LISTING = re.compile(r"(?: {4,}|\t|\s*(?:at .+[(:].*\d|File \".*\", line \d+|#\d+\s+0x|[$>]\s))")
_FAULT = re.compile(
    r"""\b(?:fix(?:e[sd]|ing)?|bug(?:s|gy)?|crash\w*|wrong(?:ly)?|errors?|leak\w*|incorrect\w*|rac[ey]\w*|fail\w*|broken?
    |breaks?|regress\w*|panic\w*|deadlock\w*|hang(?:s|ing)?|overflow\w*|segfault\w*|exceptions?|invalid|missing|infinite
    |unexpected\w*|corrupt\w*|undefined|null\w*|raise[sd]?|throw[sn]?|problem\w*|fault\w*|mistake\w*|instead\ of|cannot
    |(?:ca|do|does|did|is|was|should)n?(?:'t|\ not)|prevent\w*|avoid\w*|handle[sd]?|ignor\w*|warning\w*|issue|stuck
    |freez\w*|stale|lost|los[ei]\w*|never)\b""",
    re.VERBOSE | re.IGNORECASE,
)
# Subjects that tell of the project's life, or of how its code is laid out.
_CHORE = re.compile(
    r"""^\W*(?:
      (?:chore|docs?|ci|build|tests?|style|release|deps?|refactor(?:ing)?|revert)\b\s*(?:[(:!\[/]|$)
    | (?:[\w/:.,()*-]+:\s+)?
      (?:merge|revert|reapply|bump|upgrade|release|prepare|version|v?\d+\.\d|refactor|rename|reformat|format|clean\s?up
      |cleanup|tidy|typo|move|simplif\w*|deprecate|translat\w*|document|documentation|lint
      |update\s(?:deps|dependenc|changelog|readme|version|copyright|license|docs?|documentation|comments?|test\w*|ci)
      |remove\s(?:unused|deprecated|dead|support|redundant|unnecessary|obsolete))\b
    )
    |\b(?:changelog|readme|typos?|dependabot|renovate|eslint|clippy|rubocop|prettier|ktlint|scalafmt|gofmt|rustfmt|black
      |clang-format|pre-commit|type\s?hints?|mypy|javadocs?|docstrings?|doc\scomments?|coverage|benchmarks?|nolint
      |golangci|workflow|github\sactions?|spelling|copyright|moderni[sz]e)\b|\bci\b|lint(?:er|ing)?\b""",
    re.VERBOSE | re.IGNORECASE,
)
# What robots say of a dependency, below whatever subject.
_BUMP = re.compile(r"^\W*bumps? .{1,60} (?:from|to) v?\d", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Message:
    """A commit's message without what tools add."""

    subject: str
    body: str

    @property
    def text(self) -> str:
        """What is asked."""
        return f"{self.subject}\n\n{self.body}".strip()

    @property
    def prose(self) -> int:
        """How many characters of the body are neither code, nor a stack trace, nor the steps of a squashed commit."""
        return sum(len(line.strip()) for line, listed in _lines(self.body) if not (listed or _SHORT_ITEM.match(line)))

    @property
    def is_chore(self) -> bool:
        """Whether it tells of the project's life, not of what its code does."""
        return bool(_CHORE.search(self.subject) or _BUMP.search(self.body))

    @property
    def tells_of_a_fault(self) -> bool:
        """Whether it says that something goes wrong."""
        return bool(_FAULT.search(self.text))

    @property
    def is_telling(self) -> bool:
        """Whether it is long enough to ask with, and about code."""
        return not self.is_chore and self.prose >= LEAST_PROSE


def clean(message: str) -> Message:
    """Return a message without trailers, numbers of issues, addresses and templates; code and traces stay."""
    subject, _, body = message.strip().replace("\r\n", "\n").partition("\n")
    kept = []
    for line, listed in _lines(_COMMENT.sub("", body)):
        if not listed:
            if _TOOL_LINE.fullmatch(line):
                continue
            line = _without_links(line)
            if _TOOL_LINE.fullmatch(line) or _STEP.fullmatch(line) or line.lstrip("*- ") == subject:
                continue
        kept.append(line.rstrip())
    joined = re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip("\n")
    return Message(_SUBJECT_TAIL.sub("", _without_links(subject)).strip(), joined)


def _without_links(line: str) -> str:
    return _LINK.sub(lambda link: link[1] or "", line)


def _lines(text: str) -> list[tuple[str, bool]]:
    """Return the lines of a text, each with whether it is code or part of a stack trace."""
    lines, fenced = [], False
    for line in text.split("\n"):
        if _FENCE.match(line):
            fenced = not fenced
            lines.append((line, True))
        else:
            lines.append((line, fenced or bool(_LISTING.match(line))))
    return lines
