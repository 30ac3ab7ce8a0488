"""What one question and what an index run cost: start-up, a warm question, peak memory.

    python -m benchmarks.encoder_startup [--runs 7] [--chunks 2000]

Each figure comes from new processes: ms to load the model and embed a question of 10 tokens, after imports (the least
of the runs, since everything else on the machine only adds); ms for the same question again (median of 200); the peak
resident memory of a process that embeds chunks of Python's standard library, on all cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

QUESTION = "where is the retry logic of requests"  # 10 tokens with the special ones

START = f"""
import statistics, sys, time
import numpy, tokenizers
import kuberian.model.encoder, kuberian.model.int8.quantized_file
from kuberian.model.engines import mkl_engine, onednn_engine
from kuberian import Encoder
start = time.perf_counter()
encoder = Encoder(precision=sys.argv[1], engine=sys.argv[2], threads=1)
encoder.encode([{QUESTION!r}])
first = time.perf_counter() - start
times = []
for _ in range(200):
    start = time.perf_counter()
    encoder.encode([{QUESTION!r}])
    times.append(time.perf_counter() - start)
print(first * 1e3, statistics.median(times) * 1e3, encoder.count_tokens([{QUESTION!r}])[0])
"""
MEMORY = """
import resource, sys
from benchmarks.code_samples import python_chunks
from kuberian import Encoder
texts = (python_chunks(seed=1) * 9)[: int(sys.argv[3])]
Encoder(precision=sys.argv[1], engine=sys.argv[2]).encode(texts)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(texts))
"""


def numbers(code: str, *arguments: str) -> list[float]:
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, text=True, capture_output=True)
    return [float(number) for number in done.stdout.split()]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=7)
    options.add_argument("--chunks", type=int, default=2000)
    args = options.parse_args()
    for precision, engine in (("int8", "onednn"), ("float32", "onednn"), ("float32", "mkl")):
        runs = [numbers(START, precision, engine) for _ in range(args.runs)]
        first, warm = min(run[0] for run in runs), min(run[1] for run in runs)
        peak, chunks = numbers(MEMORY, precision, engine, str(args.chunks))
        print(
            f"{engine:6} {precision:8} load and first question {first:5.1f} ms, the same again {warm:4.2f} ms "
            f"({runs[0][2]:.0f} tokens); peak memory with {chunks:.0f} chunks {peak:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
