"""Questions from history: a commit's subject asks its parent, and what the commit changed answers.

    python -m benchmarks.history DIR CLONE…   # CLONE…: full clones, bare or not; makes DIR/queries.json and DIR/repos
    python -m benchmarks.retrieval --data DIR

Of each clone the newest 20 commits that change one to five source files and have a telling subject. Every commit gives
two questions: which files changed (category "files"), and which of their lines (category "lines").
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from indexer.languages.table import detect
from indexer.source.noise import labels

PER_PROJECT = 20
LEAST_WORDS = 4
MOST_FILES = 5

# Subjects that tell of the project's life, not of its code.
_CHORE = re.compile(
    r"^(?:merge|revert|bump|release|prepare|version|v?\d+\.\d|update (?:deps|dependenc|changelog|readme|version))"
    r"|changelog|readme|typo|\bci\b|dependabot|\blint",
    re.IGNORECASE,
)
_TRAILER = re.compile(r"\s*\(?#\d+\)?")
_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? ", re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("clones", type=Path, nargs="+")
    arguments = parser.parse_args()
    repositories = arguments.folder / "repos"
    repositories.mkdir(parents=True)
    queries: list[dict[str, Any]] = []
    for clone in arguments.clones:
        name = clone.name.removesuffix(".git")
        (repositories / name).symlink_to(clone.resolve())
        before = len(queries)
        for commit in telling(clone):
            for category in ("files", "lines"):
                queries.append(question(name, commit, category))
            if len(queries) - before == 2 * PER_PROJECT:
                break
        print(f"{name}: {(len(queries) - before) // 2} commits")
    (arguments.folder / "queries.json").write_text(json.dumps(queries, indent=1))


def question(name: str, commit: dict[str, Any], category: str) -> dict[str, Any]:
    targets = [
        {"path": path, "start_line": lines[0] if category == "lines" else None, "end_line": lines[1]}
        for path, lines in commit["changed"].items()
    ]
    return {
        "id": f"{name}/{commit['id'][:12]}/{category}",
        "repo": name,
        "language": detect(next(iter(commit["changed"]))),
        "category": category,
        "root": None,
        "at": commit["parent"],
        "query": commit["subject"],
        "targets": targets,
    }


def telling(clone: Path) -> Iterator[dict[str, Any]]:
    """Yield the commits that make a question, newest first: subject, parent and the lines that changed by path."""
    log = _git(clone, "log", "--no-merges", "--format=%H%x00%P%x00%s", "HEAD")
    for line in log.splitlines():
        commit, parent, subject = line.split("\0")
        subject = _TRAILER.sub("", subject).strip()
        if " " in parent or not parent or _CHORE.search(subject) or len(subject.split()) < LEAST_WORDS:
            continue
        diff = _git(clone, "diff", "--unified=0", "--no-renames", "--diff-filter=AMD", parent, commit)
        changed = dict(_changed(diff))
        if 1 <= len(changed) <= MOST_FILES:
            yield {"id": commit, "parent": parent, "subject": subject, "changed": changed}


def _changed(diff: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the source files that a diff changes and the first lines, in the old file, that it touches."""
    for part in re.split(r"^diff --git ", diff, flags=re.MULTILINE)[1:]:
        path = re.search(r"^--- a/(.*)$", part, re.MULTILINE)
        hunk = _HUNK.search(part)
        if path and hunk and detect(path[1]) and not labels(path[1]):
            if path[1].endswith((".md", ".json", ".toml", ".yml", ".yaml", ".txt", ".html", ".css", ".xml")):
                continue
            start, count = int(hunk[1]), int(hunk[2] or 1)
            yield path[1], (max(start, 1), max(start + count - 1, start, 1))


def _git(clone: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", clone, *arguments], capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")


if __name__ == "__main__":
    main()
