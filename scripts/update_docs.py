"""Write docs/cli.md anew from the commands' own help: `python scripts/update_docs.py`. A test compares the two."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs" / "cli.md"
COMMANDS = ("index", "explain", "search", "serve", "when", "status", "forget", "gc", "doctor", "version")


def help_of(*command: str) -> str:
    """Return what a command's --help prints, 100 columns wide."""
    environment = {**os.environ, "COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "kuberian", *command, "--help"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def document() -> str:
    """Return the text of docs/cli.md."""
    parts = ["# The command line", "", "Written by `scripts/update_docs.py` from the commands' own help.", ""]
    for command in ((), *((name,) for name in COMMANDS)):
        title = " ".join(("kuberian", *command))
        parts += [f"## {title}", "", "```", help_of(*command), "```", ""]
    return "\n".join(parts)


if __name__ == "__main__":
    DOCS.parent.mkdir(exist_ok=True)
    DOCS.write_text(document(), encoding="utf-8")
