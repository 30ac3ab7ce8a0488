"""Whether the container does what it is there for: exit status 0 or 1, and a line that says why.

`serve` must answer on its port; of `cron`, the last run must have indexed every repository.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

DEFAULT_PORT = "8080"
# Of Docker's own 30 seconds; see HEALTHCHECK in the Dockerfile.
TIMEOUT = 4.0


def main_arguments() -> list[str]:
    """Return what the container's main process was started with."""
    return Path("/proc/1/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")


def port_of(arguments: list[str]) -> str:
    """Return the port of `serve`."""
    for i, argument in enumerate(arguments):
        if argument == "--port" and i + 1 < len(arguments):
            return arguments[i + 1]
        if argument.startswith("--port="):
            return argument.removeprefix("--port=")
    return DEFAULT_PORT


def main() -> None:
    """Ask the server, or read what cron noted."""
    arguments = main_arguments()
    if "serve" in arguments:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port_of(arguments)}/healthz", timeout=TIMEOUT) as answer:
                print(answer.read().decode().strip())
        except (urllib.error.URLError, OSError) as error:
            sys.exit(f"the server does not answer: {error}")
    elif "cron" in arguments:
        try:
            result = Path(os.environ.get("KUBERIAN_HOME", "/data"), "cron.result").read_text(encoding="utf-8")
        except FileNotFoundError:
            result = "the first run is not through yet"
        print(result)
        if result not in ("ok", "the first run is not through yet"):
            sys.exit(1)


if __name__ == "__main__":
    main()
