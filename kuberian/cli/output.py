"""What every command prints: results and JSON on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer import Explanation
    from kuberian.cli.progress import BarProgress, PlainProgress
    from searcher import SearchResults


def fail(message: str, exit_status: int) -> int:
    """Print what is wrong as one line. Return the exit status."""
    tell(message)
    return exit_status


def tell(message: str) -> None:
    """Print a line for the user on standard error."""
    from kuberian.cli.show import printable

    print(f"kuberian: {printable(message)}", file=sys.stderr)


def tell_notes(*notes: str | None) -> None:
    """Print what the user should know of an answer, behind which no error can come any more."""
    for note in notes:
        if note is not None:
            tell(note)


def print_results(answer: SearchResults, lines: int, why: bool) -> None:
    """Print the results: with their code on a terminal, else one line for each."""
    from kuberian.cli import show

    if not answer.results:
        tell("nothing here answers that" if answer.files else "no indexed file fits --path, --lang and --at")
    elif sys.stdout.isatty():
        from rich.console import Console

        show.results_on_terminal(Console(highlight=False), answer, lines, why)
    else:
        for result in answer.results:
            print(show.line(result) + (f"\t{show.reasons(result)}" if why else ""))
    if answer.coverage < 1:
        tell(f"only {answer.coverage:.1%} of the chunks are embedded yet: `kuberian index` goes on")


def print_explanations(explanations: list[Explanation], as_json: bool) -> None:
    """Print what becomes of each file."""
    from kuberian.cli import show

    if as_json:
        print_json([explanation.to_dict() for explanation in explanations])
    else:
        for explanation in explanations:
            print(show.explanation_line(explanation))


def print_json(value: object) -> None:
    """Print a value as JSON."""
    # ASCII: an undecodable byte of a path stays the escape that json.loads and os.fsencode turn back into it.
    print(json.dumps(value, indent=2))


def shown_progress() -> BarProgress | PlainProgress:
    """Return the progress of an index run, as a bar on a terminal."""
    from kuberian.cli.progress import BarProgress, PlainProgress

    return BarProgress() if sys.stderr.isatty() else PlainProgress()
