"""Running the command line: any error becomes one line on standard error and an exit status.

Only what costs nothing is imported before `main` runs: Ctrl-C would show a traceback until then.
"""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

from kuberian.cli import streams
from kuberian.cli.interrupts import Interrupts
from kuberian.cli.output import fail
from kuberian.errors import KuberianError

if TYPE_CHECKING:
    import typer

# If this variable is set, an internal error shows where it happened.
DEBUG_VARIABLE = "KUBERIAN_DEBUG"

# As shells have it: 128, and the number of the signal.
INTERRUPTED = 130


def main() -> None:
    """Run the command line: an error is one line on standard error and its exit status."""
    interrupts = Interrupts()
    status = 0
    try:
        with interrupts:
            streams.prepare()
            warnings.showwarning = _show_warning
            warnings.filterwarnings("default", category=UserWarning)  # told, not raised, whatever PYTHONWARNINGS says
            status = _run(sys.argv[1:] or ["--help"])
            streams.finish()
    except BaseException as error:
        with suppress(streams.OutputError):
            streams.finish()
        status = _told(KeyboardInterrupt() if interrupts.happened else error, status)
    sys.exit(status)


def _run(arguments: list[str]) -> int:
    """Run a command and return its exit status.

    Not by calling the `app`, which ends the process by itself at Ctrl-C and at a broken pipe.
    """
    import typer

    from kuberian.cli.commands import app

    try:
        command = typer.main.get_command(app)
        with command.make_context("kuberian", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:
        return _usage_error(error, arguments)
    return 0


def _told(error: BaseException, status: int) -> int:
    """Tell the user what went wrong. Return the exit status; the command had ended with `status`."""
    if isinstance(error, streams.OutputError):
        if error.reader_is_gone:  # as with `| head`: it has all that it wanted
            return 0 if status == 1 else status
        return fail(f"the output cannot be written: {error}", 3)
    if isinstance(error, KuberianError):
        return fail(str(error), error.exit_status)
    if isinstance(error, KeyboardInterrupt):
        return fail("interrupted; what was done so far is kept", INTERRUPTED)
    if not isinstance(error, Exception) or os.environ.get(DEBUG_VARIABLE):
        raise error
    return fail(
        f"internal error: {type(error).__name__}: {error}: please report it with what {DEBUG_VARIABLE}=1 prints", 3
    )


def _usage_error(error: typer.TyperException, arguments: list[str]) -> int:
    message = error.format_message().rstrip(".")
    if message.startswith("No such option") and arguments[0] == "search":
        message += "; a question that begins with - goes after --"
    return fail(f"{message}: see `kuberian --help`", 2)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as a line for a user, without the place in our code that raised it."""
    fail(str(message), 0)
