"""Real code that every machine has: chunks of Python's standard library."""

from __future__ import annotations

import random
import sysconfig
from pathlib import Path


def python_chunks(seed: int, lines: int = 30) -> list[str]:
    """Windows of up to `lines` lines of the standard library's modules, in an order that the seed decides."""
    random_ = random.Random(seed)
    chunks = []
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace").splitlines()
        start = 0
        while start < len(text):
            length = random_.randint(3, lines)
            chunks.append(f"{path.name}\n" + "\n".join(text[start : start + length]))
            start += length
    random_.shuffle(chunks)
    return chunks
