"""Running the command line: any error becomes one line on standard error and an exit status."""

from __future__ import annotations

import os
import sys
import warnings

import typer

from kuberian.cli.commands import app
from kuberian.cli.output import fail
from kuberian.errors import KuberianError

# If this variable is set, an internal error shows where it happened.
DEBUG_VARIABLE = "KUBERIAN_DEBUG"


def main() -> None:
    """Run the command line: an error is one line on standard error and its exit status."""
    warnings.showwarning = _show_warning
    try:
        status = app(sys.argv[1:] or ["--help"], prog_name="kuberian", standalone_mode=False)
    except typer.TyperException as error:
        status = _usage_error(error)
    except KuberianError as error:
        status = fail(str(error), error.exit_status)
    except (KeyboardInterrupt, typer.Abort):
        status = fail("interrupted; what was done so far is kept", 130)
    except BrokenPipeError:
        # The reader of our pipe has ended. Python must not write to it again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        status = fail(
            f"internal error: {type(error).__name__}: {error}: please report it with what {DEBUG_VARIABLE}=1 prints", 3
        )
    sys.exit(status if isinstance(status, int) else 0)


def _usage_error(error: typer.TyperException) -> int:
    message = error.format_message().rstrip(".")
    if message.startswith("No such option") and len(sys.argv) > 1 and sys.argv[1] == "search":
        message += "; a question that begins with - goes after --"
    return fail(f"{message}: see `kuberian --help`", 2)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as a line for a user, without the place in our code that raised it."""
    fail(str(message), 0)
