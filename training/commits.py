"""Pairs of a commit's message and the code that it changed, mined from the histories of public repositories.

    python -m training.commits OUT.jsonl.xz --mirrors DIR [--limit N] OWNER/NAME…

A message says in a developer's words what was wrong or is wanted, and the definitions that the commit changes are where
to look. Lines are as those of training.mine: the definitions as they were before the commit, each asked by the message.
"""

from __future__ import annotations

import argparse
import json
import lzma
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.blanking import blank
from benchmarks.issue_answers import Change, bare, changes, is_code
from benchmarks.issue_messages import Message, clean
from indexer.chunking.chunk import Chunk
from indexer.chunking.cutting import cut_file
from indexer.meaning.passages import passage
from kuberian.errors import KuberianError
from kuberian.git.command import Git
from kuberian.store.texts import lines_of, slice_lines
from training.mine import MOST_CHARACTERS, passage_without_blank_lines, record

# Newest commits to look at, and the shortest message that asks for something.
WINDOW = 3000
LEAST_WORDS = 6
MOST_MESSAGE = 700
MOST_FILES, MOST_LINES, MOST_CHUNKS = 4, 120, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("repositories", nargs="+")
    parser.add_argument("--mirrors", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=200, help="commits to take of a repository")
    parser.add_argument("--seconds", type=float, default=60, help="time for a repository")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with lzma.open(arguments.out, "wt", preset=3) as out:
        for name in arguments.repositories:
            count, until = 0, time.monotonic() + arguments.seconds
            git = bare(arguments.mirrors / name.replace("/", "+") / "repo")
            try:
                for commit, parent, message in asking(git):
                    files = list(changed_files(git, name, commit, parent, message))
                    out.writelines(json.dumps(file, ensure_ascii=False) + "\n" for file in files)
                    count += bool(files)
                    if count >= arguments.limit or time.monotonic() > until:
                        break
            except KuberianError as error:
                print(f"{name}: {error}", flush=True)
            print(f"{name}: {count} commits", flush=True)


def asking(git: Git) -> Iterator[tuple[str, str, Message]]:
    """Yield the newest commits whose message asks for something: their id, their parent's, the message."""
    log = git.run("log", "--no-merges", f"--max-count={WINDOW}", "--format=%H%x00%P%x00%B%x1e", "HEAD")
    for entry in log.decode("utf-8", "replace").split("\x1e"):
        commit, _, rest = entry.strip("\n").partition("\0")
        parent, _, text = rest.partition("\0")
        message = clean(text)
        if parent and not message.is_chore and len(message.text.split()) >= LEAST_WORDS:
            yield commit, parent, message


def changed_files(git: Git, name: str, commit: str, parent: str, message: Message) -> Iterator[dict[str, Any]]:
    """Yield the files of code that a small commit changes, with the definitions that it changes in them."""
    changed = [change for change in changes(git, parent, commit) if is_code(change.path)]
    size = sum(hunk.size for change in changed for hunk in change.hunks)
    if not 1 <= len(changed) <= MOST_FILES or size > MOST_LINES:
        return
    for change in changed:
        data = git.ask("cat-file", "blob", f"{parent}:{change.path}") if change.status == "M" else None
        if data is None:
            continue
        cut = cut_file(change.path, data)
        if cut.skipped or not cut.chunks:
            continue
        lines = lines_of(cut.text)
        without = lines_of(blank(cut.text, cut.language or "") or cut.text)
        chunks = [chunk for chunk in cut.chunks if chunk.symbol and _changes(change, chunk)]
        if not 1 <= len(chunks) <= MOST_CHUNKS:
            continue
        asked = [
            {
                "question": message.text[:MOST_MESSAGE],
                "name": "",
                "leaf": "",
                "full": passage(chunk, slice_lines(lines, chunk.start_line, chunk.end_line))[:MOST_CHARACTERS],
                "bare": passage_without_blank_lines(chunk, without),
            }
            for chunk in chunks
        ]
        yield record(name, change.path, cut, None, asked)


def _changes(change: Change, chunk: Chunk) -> bool:
    spans: Sequence[tuple[int, int]] = [hunk.lines for hunk in change.hunks]
    return any(first <= chunk.end_line and last >= chunk.start_line for first, last in spans)


if __name__ == "__main__":
    main()
