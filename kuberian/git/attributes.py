"""What .gitattributes says of files: in the working tree, or as it is at a revision."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kuberian.git.command import Git

# The values of the attributes by name, by path.
Attributes = dict[str, dict[str, str]]

FILE_NAME = ".gitattributes"

# The encoding of a file on disk: git's objects have UTF-8 in its place.
ENCODING = "working-tree-encoding"
# Those that make the bytes on disk differ from git's object, in more than the ends of lines.
_CONVERTING = ("filter", "ident", ENCODING)
# What the linguist of code hosts reads.
LINGUIST = ("linguist-generated", "linguist-vendored", "linguist-documentation", "linguist-language")

_OFF = ("unset", "false")


def is_on(value: str) -> bool:
    """Tell whether an attribute with this value says yes: `name` or `name=true`, not `-name` or `name=false`."""
    return value.lower() not in _OFF


def is_converted(attributes: Mapping[str, str]) -> bool:
    """Tell whether git converts a file with these attributes on its way to the disk."""
    return any(attributes.get(name, "unset") != "unset" for name in _CONVERTING)


def ask_attributes(git: Git, paths: list[str], *options: str) -> Attributes:
    """Return the attributes of the paths of which anything is said, as `git check-attr` with these options says it."""
    names = (*LINGUIST, *_CONVERTING)
    listing = os.fsencode("".join(f"{path}\0" for path in paths))
    output = git.run("check-attr", *options, "--stdin", "-z", *names, stdin=listing)
    fields = [os.fsdecode(field) for field in output.split(b"\0")]
    attributes: Attributes = {}
    for path, name, value in zip(fields[0::3], fields[1::3], fields[2::3], strict=False):
        if value != "unspecified":
            attributes.setdefault(path, {})[name] = value
    return attributes


def attributes_by(git: Git, paths: list[str], rules: Mapping[str, str], *options: str) -> Attributes:
    """Return the same with certain .gitattributes, object ids by path, in the place of those in git's index.

    With the option "--cached" the rules on disk do not count: so they are those of any revision. (`git check-attr
    --source` is newer than many a git. An index of these files alone serves any.)
    """
    with tempfile.TemporaryDirectory(prefix="kuberian-") as folder:
        apart = replace(git, index=Path(folder) / "index")
        entries = "".join(f"100644 {oid} 0\t{path}\0" for path, oid in rules.items())
        # A split index would put a part of it into the repository.
        apart.run("-c", "core.splitIndex=false", "update-index", "-z", "--index-info", stdin=os.fsencode(entries))
        return ask_attributes(apart, paths, *options)
