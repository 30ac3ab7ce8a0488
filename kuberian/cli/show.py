"""How results, reports and the status are printed: for a person on a terminal, for grep in a pipe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from indexer import Explanation, IndexReport
    from kuberian.store.status import HomeStatus, SnapshotStatus
    from searcher import History, Result, SearchResults
    from searcher.history import Moment


def printable(text: str) -> str:
    r"""Return the text on one line that any terminal can show: control characters and undecodable bytes as escapes."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text.expandtabs(1)
    )


def place(result: Result) -> str:
    """Return `path:start-end`: the path as it can be opened from the current folder, or `revision:path` as in git."""
    if result.revision is not None:
        path = f"{result.revision[:12]}:{result.path}"
    else:
        path = _from_here(Path(result.root), result.path)
    return f"{printable(path)}:{result.start_line}-{result.end_line}"


def line(result: Result) -> str:
    """Return a result as one line: place, symbol or kind, signature, with tabs between."""
    fields = [place(result), printable(result.symbol or result.kind), printable(result.signature or _first(result))]
    return "\t".join(fields) + ("\tstale" if result.stale else "")


def reasons(result: Result) -> str:
    """Return why a result ranks where it does: its score, and what each feature added to it."""
    return f"{result.score:.2f} =" + "".join(f" {value:+.2f} {name}" for name, value in result.why.items())


def results_on_terminal(console: Console, answer: SearchResults, lines: int, why: bool) -> None:
    """Print results, each with up to `lines` highlighted lines of code, and with its reasons if `why`."""
    from rich.syntax import Syntax
    from rich.text import Text

    several = len({result.repository for result in answer.results}) > 1
    for result in answer.results:
        head = Text(f"{result.rank:>2}  ", style="bold")
        if several:
            head.append(f"{printable(result.repository)}  ", style="magenta")
        head.append(place(result), style="cyan")
        head.append(f"  {result.kind}", style="dim")
        if result.symbol:
            head.append(f" {printable(result.symbol)}", style="bold green")
        if result.stale:
            head.append("  changed since it was indexed", style="yellow")
        console.print(head, soft_wrap=True)
        if why:
            console.print(f"    {reasons(result)}", style="dim", soft_wrap=True)
        if not lines:
            continue
        code = result.text.expandtabs(4).split("\n")
        shown = "\n".join(
            "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in row) for row in code[:lines]
        )
        console.print(
            Syntax(
                shown,
                _lexer(result.language),
                line_numbers=True,
                start_line=result.start_line,
                theme="ansi_dark",
                background_color="default",
            )
        )
        if len(code) > lines:
            console.print(f"      … {len(code) - lines} more lines", style="dim")
        console.print()


def report(run: IndexReport) -> str:
    """Return an index run's report as a few lines of text."""
    name = f"{run.repository} at {run.revision[:12]}" if run.revision else f"{run.repository} ({run.path})"
    lines = [
        f"{printable(name)}: {run.files_indexed:,} files ({run.files_unchanged:,} unchanged), {run.chunks:,} chunks",
        f"embedded {run.passages_embedded:,} passages, reused {run.passages_reused:,}, "
        f"coverage {run.coverage:.0%}, {run.seconds:.1f} s",
    ]
    if run.files_skipped:
        lines.insert(1, f"skipped {skipped(run.files_skipped)}")
    if run.coverage < 1:
        lines.append("not done yet: run the same again to go on")
    return "\n".join(lines)


def history(answer: History) -> str:
    """Return when things came and went: for each its place, then the revisions."""
    count = len(answer.moments)
    lines = [f"{printable(answer.repository)}, {count} indexed revision{'s' if count != 1 else ''}"]
    if count > 1:
        lines[0] += f", {_moment(answer.moments[0])} to {_moment(answer.moments[-1])}"
    for life in answer.lives:
        lines.append(f"{printable(life.symbol or life.kind)}\t{printable(life.path)}:{life.start_line}")
        events = [f"first in {_moment(life.came)}"]
        if life.changed:
            events.append("changed in " + ", ".join(_moment(moment) for moment in life.changed))
        events.append(f"gone in {_moment(life.went)}" if life.went else f"still in {_moment(life.last)}")
        lines.append("  " + "; ".join(events))
    return "\n".join(lines)


def _moment(moment: Moment) -> str:
    return printable(moment.name) + (f" ({moment.date[:10]})" if moment.revision else "")


def skipped(reasons: dict[str, int]) -> str:
    """Return counts by reason in words: `7 files: 4 binary, 3 generated`."""
    total = sum(reasons.values())
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return f"{total:,} file{'s' if total != 1 else ''}: " + ", ".join(f"{count:,} {why}" for why, count in ordered)


def explanation_line(file: Explanation) -> str:
    """Return what becomes of a file as one line: path, then language, labels and number of chunks, or the reason."""
    if file.skipped:
        return f"{printable(file.path)}\tskipped: {file.skipped}"
    facts = [
        file.language or "text",
        *file.labels,
        f"{len(file.chunks)} chunk{'s' if len(file.chunks) != 1 else ''}",
    ]
    return f"{printable(file.path)}\t{', '.join(facts)}"


def explanation(file: Explanation) -> str:
    """Return what becomes of a file, with its chunks."""
    lines = [explanation_line(file).replace("\t", ": ")]
    for chunk in file.chunks:
        where = f"{chunk.start_line}-{chunk.end_line}"
        part = f" (part {chunk.part})" if chunk.part else ""
        lines.append(f"  {where:>11}  {chunk.kind:<10} {printable(chunk.symbol or '')}{part}".rstrip())
    return "\n".join(lines)


def home_status(home: HomeStatus) -> str:
    """Return a home's status as text."""
    lines = [
        f"home      {printable(home.home)}",
        f"on disk   {size(home.database_bytes + home.vectors_bytes)}"
        f" (database {size(home.database_bytes)}, vectors {size(home.vectors_bytes)})",
    ]
    if not home.snapshots:
        lines.append("nothing is indexed yet: run `kuberian index PATH`")
    for snapshot in home.snapshots:
        lines += ["", *_snapshot(snapshot)]
    return "\n".join(lines)


def _snapshot(snapshot: SnapshotStatus) -> list[str]:
    revision = f"revision {snapshot.revision[:12]}" if snapshot.revision else "working tree"
    branch = f" ({printable(snapshot.branch)})" if snapshot.branch else ""
    commit = f"commit {snapshot.head[:12]}" if snapshot.head else "no commit yet"
    lines = [
        f"{printable(snapshot.repository)}  {printable(snapshot.path)}"
        + (f"  of {printable(snapshot.remote)}" if snapshot.mirror and snapshot.remote else ""),
        f"  {revision}, {commit}{branch}, indexed {snapshot.indexed_at}",
        f"  {snapshot.files:,} files, {size(snapshot.source_bytes)}, {snapshot.chunks:,} chunks, "
        f"coverage {snapshot.coverage:.1%} with {snapshot.model}",
    ]
    if snapshot.files_skipped:
        lines.append(f"  skipped {skipped(snapshot.files_skipped)}")
    return lines


def size(count: int) -> str:
    """Return a number of bytes in decimal units, as file managers do."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def _from_here(root: Path, path: str) -> str:
    """Return a path as it can be opened from the current folder: relative inside the repository, else absolute."""
    full = root / path
    try:
        here = Path.cwd()
    except OSError:
        return str(full)
    return os.path.relpath(full, here) if here == root or root in here.parents else str(full)


def _first(result: Result) -> str:
    return next((row.strip() for row in result.text.split("\n") if row.strip()), "")


def _lexer(language: str) -> str:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        get_lexer_by_name(language)
    except ClassNotFound:
        return "text"
    return language
