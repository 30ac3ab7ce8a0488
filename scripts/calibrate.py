"""Calibrate the bundled checkpoint for int8: python scripts/calibrate.py

Runs it in float32 on real code, notes what its activations are like, rounds its weights to fit, and writes
int8.safetensors into its folder. The texts are those of tests/encoder/texts.py (code in many languages, questions, odd
characters), the chunks of the documentation and of the samples of 48 languages in tests/chunks/fixtures, and chunks of
Python's standard library.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.code_samples import python_chunks
from benchmarks.embedding_throughput import passages_of
from kuberian import Encoder
from kuberian.model.checkpoint import BUNDLED, QUANTIZED
from tests.encoder.texts import TEXTS

ROOT = Path(__file__).parents[1]
STANDARD_LIBRARY = 320


def main() -> None:
    files = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("tests/chunks/fixtures/*.*")])
    chunks = [text for file in files for text in passages_of(file.name, file.read_bytes())]
    texts = [*TEXTS, *chunks, *python_chunks(seed=7)[:STANDARD_LIBRARY]]
    Encoder(precision="float32").calibrate(texts, BUNDLED / QUANTIZED)
    print(f"calibrated on {len(texts)} texts")


if __name__ == "__main__":
    main()
