"""Where the checkpoint is that comes with the program. Apart from `checkpoint`, which needs NumPy."""

from __future__ import annotations

from pathlib import Path

BUNDLED = Path(__file__).parents[1] / "checkpoints" / "all-MiniLM-L6-v2"


def bundled_fingerprint() -> str:
    """Return the digest that is kept beside it, so that it need not be computed (`Checkpoint.fingerprint`)."""
    return (BUNDLED / "fingerprint").read_text("ascii").strip()
