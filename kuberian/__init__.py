"""Kuberian: semantic code search that you keep. The indexer and the searcher both build on this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kuberian.model.encoder import Encoder

__version__ = "0.1.0"
__all__ = ["Encoder", "__version__"]


def __getattr__(name: str) -> object:
    """Import the encoder when it is first used, so that `import kuberian` costs nothing."""
    if name == "Encoder":
        from kuberian.model.encoder import Encoder

        return Encoder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
