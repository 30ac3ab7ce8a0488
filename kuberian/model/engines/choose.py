"""Which engine and precision this machine gets, and why."""

from __future__ import annotations

import os
import platform
import sys
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kuberian.errors import EngineError, UsageError
from kuberian.model.bert import fold, open_embeddings
from kuberian.model.checkpoint import Checkpoint
from kuberian.model.engines import Engine
from kuberian.model.native import mkl, onednn

PRECISIONS = ("auto", "float32", "bfloat16", "int8")
ENGINES = ("auto", "onednn", "mkl", "numpy")


class EngineWarning(UserWarning):
    """A warning that a faster engine is missing; its message is one line."""


@dataclass(frozen=True)
class Choice:
    """An engine, a precision, and a sentence for people who wonder."""

    engine: str
    precision: str
    reason: str


def choose(precision: str = "auto", engine: str = "auto", calibrated: bool = True) -> Choice:
    """Choose for this machine; `calibrated` says whether the checkpoint has the ranges that int8 needs.

    The precision "auto" is KUBERIAN_PRECISION if set, else int8 where it is both fast and calibrated, else float32.
    It is never bfloat16: CPUs that run it fast run int8 faster, and some run it slower than float32.
    Raises UsageError for an unknown name, EngineError if this machine does not have the engine or precision.
    """
    if precision == "auto":
        precision = os.environ.get("KUBERIAN_PRECISION", "") or "auto"
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}")
    if engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}; choose one of {', '.join(ENGINES)}")
    if engine in ("auto", "onednn"):
        try:
            return _onednn(precision, calibrated)
        except EngineError as error:
            if engine == "onednn" or precision in ("bfloat16", "int8"):
                raise
            why_not = str(error)
    else:
        why_not = "asked for"
        if precision in ("bfloat16", "int8"):
            raise EngineError(f"the engine {engine} has no {precision}; leave the engine to Kuberian, or take float32")
    if engine != "numpy":
        try:
            mkl.load()
            return Choice("mkl", "float32", why_not)
        except EngineError as error:
            if engine == "mkl":
                raise
            _warn_once(f"{error}; using NumPy's BLAS, which is slower")
            why_not = f"{why_not}; {error}"
    return Choice("numpy", "float32", why_not)


def _onednn(precision: str, calibrated: bool) -> Choice:
    """Choose a precision on oneDNN; raises EngineError if the CPU, the checkpoint or the library lacks it."""
    library = onednn.load()
    vnni, bf16 = library.has(onednn.ISA_AVX512_VNNI), library.has(onednn.ISA_AVX512_BF16)
    if precision == "bfloat16" and not bf16:
        raise EngineError("this CPU has no bfloat16 arithmetic (AVX512_BF16); use float32 or int8")
    if precision == "int8" and not calibrated:
        raise EngineError("int8 needs a calibration of this checkpoint; use float32")
    if precision != "auto":
        return Choice("onednn", precision, "asked for")
    if vnni and calibrated:
        return Choice("onednn", "int8", "oneDNN is installed, and the CPU multiplies bytes (VNNI)")
    without = (
        "the checkpoint is not calibrated for int8"
        if vnni
        else "the CPU has no AVX512 VNNI, without which int8 is slow"
    )
    return Choice("onednn", "float32", f"oneDNN is installed, but {without}")


def make_engine(
    checkpoint: Checkpoint, precision: str = "auto", engine: str = "auto", quantized: Path | None = None
) -> tuple[Engine, Choice]:
    """Make the engine that `choose` chooses; `quantized` is the file of the checkpoint's eight-bit form, if any.

    With "auto", an MKL that this platform should have and cannot use costs one EngineWarning per process.
    Raises what `choose` raises, and CheckpointError if the eight-bit form is damaged or of another checkpoint.
    """
    choice = choose(precision, engine, calibrated=quantized is not None)
    embeddings = open_embeddings(checkpoint)
    if choice.engine == "onednn":
        from kuberian.model.engines.onednn_engine import OneDnnEngine

        if choice.precision == "int8" and quantized:
            from kuberian.model.int8.quantized_file import load

            return OneDnnEngine(embeddings, load(quantized, checkpoint), onednn.load(), "int8"), choice
        return OneDnnEngine(embeddings, fold(checkpoint), onednn.load(), choice.precision), choice
    if choice.engine == "mkl":
        from kuberian.model.engines.mkl_engine import MklEngine

        return MklEngine(embeddings, fold(checkpoint), mkl.load()), choice
    from kuberian.model.engines.numpy_engine import NumpyEngine

    return NumpyEngine(embeddings, fold(checkpoint)), choice


@cache
def _warn_once(message: str) -> None:
    if has_mkl_wheels():
        warnings.warn(message, EngineWarning, stacklevel=4)


def has_mkl_wheels() -> bool:
    """Tell whether MKL exists for this platform, so that its absence is worth a word."""
    return platform.machine() in ("x86_64", "AMD64") and sys.platform in ("linux", "win32")
