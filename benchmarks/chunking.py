"""How fast files are cut into chunks on one core, per language, and what memory that takes.

python -m benchmarks.chunking [FOLDER ...]      without a folder: the pinned projects of the tests, fetched once

Files are read one after the other as the indexer would read them, each is cut twice, and the faster time counts: the
first time includes the import of the language's grammar. MB are 10^6 bytes of UTF-8.
"""

from __future__ import annotations

import os
import resource
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import process_time

from indexer.chunking.chunks import cut
from indexer.languages.table import detect
from indexer.source.contents import Text, read_text


@dataclass
class Sum:
    files: int = 0
    chunks: int = 0
    megabytes: float = 0.0
    seconds: float = 0.0

    def add(self, chunks: int, megabytes: float, seconds: float) -> None:
        self.files += 1
        self.chunks += chunks
        self.megabytes += megabytes
        self.seconds += seconds

    def row(self, name: str) -> str:
        speed = self.megabytes / self.seconds if self.seconds else 0.0
        return f"{name:<14}{self.files:>7}{self.chunks:>9}{self.megabytes:>9.2f}{speed:>9.1f}"


def files(folders: list[Path]) -> Iterator[tuple[str, bytes]]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and ".git" not in path.parts:
                yield path.relative_to(folder).as_posix(), path.read_bytes()


def timed(text: str, language: str | None) -> tuple[int, float]:
    started = process_time()
    chunks = cut(text, language)
    return len(chunks), process_time() - started


def peak_megabytes() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def default_folders() -> list[Path]:
    from tests.chunks.projects import PROJECTS, unpacked

    return [unpacked(project) for project in PROJECTS]


def main() -> None:
    folders = [Path(argument) for argument in sys.argv[1:]] or default_folders()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    before = peak_megabytes()
    sums: dict[str, Sum] = defaultdict(Sum)
    total, largest, slowest = Sum(), 0.0, (0.0, "")
    for path, data in files(folders):
        content = read_text(path, data)
        if not isinstance(content, Text):
            continue
        language = detect(path, content.text[:4000])
        chunks, seconds = min(timed(content.text, language), timed(content.text, language))
        megabytes = len(data) / 1e6
        sums[language or "(none)"].add(chunks, megabytes, seconds)
        total.add(chunks, megabytes, seconds)
        largest, slowest = max(largest, megabytes), max(slowest, (seconds, path))
    print(f"{'language':<14}{'files':>7}{'chunks':>9}{'MB':>9}{'MB/s':>9}")
    for name, one in sorted(sums.items(), key=lambda item: -item[1].megabytes):
        print(one.row(name))
    print(total.row("all"))
    print(f"largest file {largest:.2f} MB; slowest {slowest[1]}: {slowest[0]:.2f} s")
    print(f"memory: {before:.0f} MB before, {peak_megabytes():.0f} MB at most")


if __name__ == "__main__":
    main()
