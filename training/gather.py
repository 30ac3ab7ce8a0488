"""Mined records into shards to train on: without what the benchmarks ask about, and each passage once.

    python -m training.gather OUT --without DIR… -- pairs-*.jsonl.xz

A definition is dropped if more than half of its longer lines occur in the sources under DIR: vendored copies, forks.
OUT gets part-0.jsonl.xz, part-1.jsonl.xz …, and repositories.txt with how many definitions each gave.
"""

from __future__ import annotations

import argparse
import json
import lzma
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

LONG = 25
# Characters of text in a shard: some 8 MB compressed.
SHARD = 60_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--without", type=Path, nargs="*", default=[])
    parser.add_argument("mined", type=Path, nargs="+")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True)
    known = lines_below(arguments.without)
    print(f"{len(known):,} lines to leave out")
    counts: Counter[str] = Counter()
    shards = _Shards(arguments.out)
    for file in kept(records(arguments.mined), known, counts):
        shards.add(json.dumps(file, ensure_ascii=False))
    shards.close()
    (arguments.out / "repositories.txt").write_text(
        "".join(f"{name} {count}\n" for name, count in sorted(counts.items()))
    )
    print(f"{sum(counts.values()):,} definitions of {len(counts)} repositories")


def records(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        with lzma.open(file, "rt") as lines:
            for line in lines:
                yield json.loads(line)


def kept(files: Iterable[dict[str, Any]], known: set[int], counts: Counter[str]) -> Iterator[dict[str, Any]]:
    seen: set[int] = set()
    for file in files:
        chunks = []
        for chunk in file["chunks"]:
            key = _hash(chunk["full"])
            if key not in seen and not is_known(chunk["full"], known):
                seen.add(key)
                chunks.append(chunk)
        if chunks:
            counts[file["repository"]] += len(chunks)
            yield {**file, "chunks": chunks}


def lines_below(folders: Iterable[Path]) -> set[int]:
    """Return the hashes of the longer lines of all files below some folders."""
    found: set[int] = set()
    for folder in folders:
        for file in folder.rglob("*"):
            if file.is_file() and ".git" not in file.parts and file.stat().st_size < 1_000_000:
                found.update(_long_lines(file.read_text(encoding="utf-8", errors="replace")))
    return found


def is_known(text: str, known: set[int]) -> bool:
    lines = list(_long_lines(text))
    return len(lines) >= 2 and 2 * sum(line in known for line in lines) > len(lines)


def _long_lines(text: str) -> Iterator[int]:
    for line in text.split("\n"):
        if len(stripped := line.strip()) >= LONG:
            yield _hash(stripped)


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=7).digest(), "little")


class _Shards:
    """Files of about SHARD characters, one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lines, self._size, self._count = folder, list[str](), 0, 0

    def add(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line)
        if self._size > SHARD:
            self.close()

    def close(self) -> None:
        """Write what is left."""
        if self._lines:
            with lzma.open(self._folder / f"part-{self._count}.jsonl.xz", "wt", preset=6) as out:
                out.write("\n".join(self._lines) + "\n")
            self._lines, self._size, self._count = [], 0, self._count + 1


if __name__ == "__main__":
    main()
