"""Which engine and precision this machine gets."""

from __future__ import annotations

import platform
import sys
import warnings
from functools import cache

from kuberian import mkl
from kuberian.bert import Model
from kuberian.engines import Engine
from kuberian.errors import EngineError, UsageError

PRECISIONS = ("auto", "float32")
ENGINES = ("auto", "mkl", "numpy")


class EngineWarning(UserWarning):
    """A faster engine is missing; the message is one line."""


def make_engine(model: Model, precision: str = "auto", engine: str = "auto") -> Engine:
    """Make the fastest engine that can be had, or the one that is asked for.

    Raises UsageError for an unknown name, EngineError if an engine that was asked for cannot be used. With "auto", an
    MKL that should be there and is not costs an EngineWarning, once.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}")
    if engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}; choose one of {', '.join(ENGINES)}")
    if engine != "numpy":
        try:
            library = mkl.load()
        except EngineError as error:
            if engine == "mkl":
                raise
            _warn_once(f"{error}; using NumPy's BLAS, which is slower")
        else:
            from kuberian.engines.mkl_engine import MklEngine

            return MklEngine(model, library)
    from kuberian.engines.numpy_engine import NumpyEngine

    return NumpyEngine(model)


@cache
def _warn_once(message: str) -> None:
    if has_mkl_wheels():
        warnings.warn(message, EngineWarning, stacklevel=4)


def has_mkl_wheels() -> bool:
    """Whether MKL exists for this platform, so that its absence is worth a word."""
    return platform.machine() in ("x86_64", "AMD64") and sys.platform in ("linux", "win32")
