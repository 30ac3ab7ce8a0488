"""Where the program's own checkpoint is. `checkpoint` needs NumPy; this module does not, and is read without it."""

from __future__ import annotations

from pathlib import Path

BUNDLED = Path(__file__).parents[1] / "checkpoints" / "all-MiniLM-L6-v2"


def bundled_fingerprint() -> str:
    """Return the bundled checkpoint's fingerprint (`Checkpoint.fingerprint`): its folder keeps it, ready to read."""
    return (BUNDLED / "fingerprint").read_text("ascii").strip()
