"""Ruby's here-documents: which files Ruby's grammar must not see.

The scanner of tree-sitter-ruby 0.23.1 keeps the words of the open here-documents in a buffer of 1024 bytes. It may
write some bytes behind it, which ends the process. This is mended in the grammar's repository, but in no release yet.
"""

from __future__ import annotations

import re

_OPENER = re.compile(rb"<<[~-]?(?:([\"'`])|([A-Za-z_]\w*))")
_MAX_WORD = 200
# Bytes of the words that may be open, with the scanner's notes on each. That is far below its buffer: the literals that
# are open around them need room there too.
_MAX_OPEN = 600
_NOTES = 8


def are_short(data: bytes) -> bool:
    """Tell whether each possible here-document in `data` has a short word, and few of them can be open at once."""
    unclosed = on_line = last = 0
    lines = {line.strip() for line in data.split(b"\n")}
    for match in _OPENER.finditer(data):
        if match[1]:
            end = data.find(match[1], match.end(), match.end() + _MAX_WORD)
            if end < 0:
                return False
            word = data[match.end() : end]
        else:
            word = match[2]
        if len(word) > _MAX_WORD:
            return False
        if b"\n" in data[last : match.start()]:
            on_line = 0
        last = match.start()
        if word in lines:
            on_line += len(word) + _NOTES
        else:
            unclosed += len(word) + _NOTES
        if unclosed + on_line > _MAX_OPEN:
            return False
    return True
