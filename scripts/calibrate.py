"""Calibrate the bundled checkpoint for int8: python scripts/calibrate.py

Runs it in float32 on real code, notes the ranges of its activations, rounds its weights to fit, and writes
int8.safetensors into its folder. The texts are
those of tests/encoder/texts.py (code in many languages, questions, odd characters), and chunks of Python's standard
library, some cut to a few words, as questions are.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.code_samples import python_chunks
from kuberian import Encoder
from kuberian.checkpoint import BUNDLED, QUANTIZED
from tests.encoder.texts import TEXTS

LONG, SHORT = 160, 600


def main() -> None:
    chunks = python_chunks(seed=7)
    short = [" ".join(chunk.split()[: 1 + i % 8]) for i, chunk in enumerate(chunks[LONG : LONG + SHORT])]
    Encoder(precision="float32").calibrate([*TEXTS, *chunks[:LONG], *short], BUNDLED / QUANTIZED)


if __name__ == "__main__":
    main()
