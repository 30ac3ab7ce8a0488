"""Which paths a search is narrowed down to: patterns as in .gitignore, as people type and paste them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from kuberian.errors import UsageError

if TYPE_CHECKING:
    from pathspec.pattern import RegexPattern

# More patterns than anyone types; `{1..1000000}` would be as many.
MOST_PATTERNS = 1000

# What pathspec makes of a `*`, and of a `**` between slashes.
_STAR, _STARS = "[^/]*", "(?:/.+)?"
# What it makes of one other character of a pattern, or of brackets.
_CHARACTER = r"(?:(?!\[\^/\]\*)(?:\\.|\[\^?\]?[^\]]*\]|[^\\\[/()]))"
_BETWEEN_STARS = re.compile(rf"{re.escape(_STAR)}({_CHARACTER}*)(?={re.escape(_STAR)})", re.DOTALL)

PathFilter = Callable[[str], bool]


def from_folder(option: str, folder: Path) -> str:
    """Return the patterns with those that begin with ./ or ../ taken from a folder, as a shell would take them."""
    return ",".join(
        ("!" if pattern.startswith("!") else "") + os.path.normpath(folder / pattern.removeprefix("!"))
        if pattern.removeprefix("!").startswith(("./", "../")) or pattern in (".", "..")
        else pattern
        for pattern in _patterns(option)
    )


def path_filter(option: str, root: Path) -> PathFilter:
    """Return a test for the paths of a repository at `root`, from one or more patterns with commas between.

    A pattern is one of .gitignore, with braces (`*.{c,h}`). It may begin with ./, or be an absolute path: then it is
    for the repository that has the path. `!` takes out what follows; if all patterns do, they take from everything.

    Raises UsageError for what is no pattern.
    """
    import pathspec

    asked = _patterns(option)
    patterns = ["*"] if all(pattern.startswith("!") for pattern in asked) else []
    patterns += [pattern for each in asked if (pattern := _below(each, root)) is not None]
    try:
        return pathspec.PathSpec.from_lines(_pattern, patterns, backend="simple").match_file
    except (ValueError, re.error) as error:
        raise UsageError(f"--path {option!r} is no glob: {error}") from error


def _pattern(line: str) -> RegexPattern:
    """Return a pattern of .gitignore. Raises ValueError or re.error for what is none."""
    from pathspec.pattern import RegexPattern
    from pathspec.patterns.gitignore.basic import GitIgnoreBasicPattern

    regex, include = GitIgnoreBasicPattern.pattern_to_regex(line)
    return RegexPattern(None if regex is None else re.compile(_first_fit(regex)), include)


def _first_fit(regex: str) -> str:
    """Return a pattern's regular expression so that all wildcards but the last keep the first place that fits.

    What is left fits behind that place if it fits at all. Else every place would be tried with every place of each
    other wildcard, which took minutes for twenty stars, and no thread answers meanwhile.
    """
    before, *others = re.split(re.escape(_STARS), _BETWEEN_STARS.sub(_keep_between_stars, regex))
    if not others:
        return before
    kept = [re.sub(r"^\^(?:\(\?:\.\+/\)\?)?", lambda start: "^(?:.+?/)??" if len(start[0]) > 1 else "^", before)]
    kept += [f"(?:/.+?)??{each}" for each in others[:-1]]
    return "".join(f"(?=(?P<s{i}>{each}(?=/)))(?P=s{i})" for i, each in enumerate(kept)) + _STARS + others[-1]


def _keep_between_stars(found: re.Match[str]) -> str:
    name = f"c{found.start()}"
    return f"(?=(?P<{name}>[^/]*?{found[1]}))(?P={name})" if found[1] else ""


def _patterns(option: str) -> list[str]:
    """Return the patterns of an option, with braces and commas expanded."""
    import bracex

    try:  # commas are those between braces; with the last one there always is one
        expanded = bracex.expand(f"{{{option},}}", keep_escapes=True, limit=MOST_PATTERNS)
    except bracex.ExpansionLimitException:
        raise UsageError(f"--path {option!r} is more than {MOST_PATTERNS:,} patterns") from None
    except RecursionError:
        raise UsageError(f"--path {option!r} has too many braces inside of braces") from None
    patterns = [stripped for pattern in expanded if (stripped := pattern.strip())]
    if not patterns:
        raise UsageError("--path is empty: give a pattern as in .gitignore, as in --path 'src/**'")
    return patterns


def _below(pattern: str, root: Path) -> str | None:
    """Return a pattern relative to the root; None if it is a path in another place."""
    sign, bare = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    if bare.startswith("./"):
        return sign + "/" + bare.removeprefix("./")
    if not Path(bare).is_absolute() and not PurePosixPath(bare).is_absolute():
        return pattern
    path = Path(os.path.normpath(bare))
    for folder in (root, Path(os.path.realpath(root))):
        if path == folder:
            return sign + "*"
        if path.is_relative_to(folder):
            return sign + "/" + path.relative_to(folder).as_posix()
    # "/src" is a pattern, too: of the root's own src. A path that is there is in another repository, or in none.
    return None if path.exists() else pattern
