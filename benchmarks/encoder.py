"""One sequence on one core: Kuberian's engines beside libtorch, ONNX Runtime and OpenVINO.

    pip install -e '.[bench,onednn]'
    python -m benchmarks.encoder [--rounds 30] [--tokens 16 64 150 256 512] [--only NAME ...] [--json FILE]

All run in one process, pinned to one core, on the same token ids of real code, one after the other within each
round: whatever else the machine does hits all alike. Printed: the median of the rounds in ms, its ratio to the fastest
peer, and the cosine to libtorch float32.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # before any library counts the cores
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from benchmarks.code_samples import python_chunks
from benchmarks.peers import PEERS, Embed, token_ids

LENGTHS = (16, 64, 150, 256, 512)


def kuberian(engine: str, precision: str) -> Embed:
    """Make an embedder of token ids with one of Kuberian's engines."""
    from kuberian.bert import pool
    from kuberian.checkpoint import BUNDLED, QUANTIZED, open_checkpoint
    from kuberian.engines.choose import make_engine

    made, _ = make_engine(open_checkpoint(), precision, engine, BUNDLED / QUANTIZED)
    worker = made.worker()
    return lambda ids: pool(worker.token_vectors([list(row) for row in ids]), [ids.shape[1]] * len(ids), "mean")


OURS: dict[str, Callable[[], Embed]] = {
    "Kuberian NumPy float32": lambda: kuberian("numpy", "float32"),
    "Kuberian MKL float32": lambda: kuberian("mkl", "float32"),
    "Kuberian oneDNN float32": lambda: kuberian("onednn", "float32"),
    "Kuberian oneDNN bfloat16": lambda: kuberian("onednn", "bfloat16"),
    "Kuberian oneDNN int8": lambda: kuberian("onednn", "int8"),
}


def sequence(n: int, skip: int = 0) -> np.ndarray:
    """n token ids of real code."""
    text = "\n".join(python_chunks(seed=99)[skip : skip + 60])
    return np.array([token_ids([text], n)[0]], np.int64)


def measure(engines: dict[str, Embed], ids: np.ndarray, rounds: int) -> dict[str, float]:
    """Median seconds of each engine, interleaved; a third more rounds come first, to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for round_ in range(-max(3, rounds // 3), rounds):
        for name, embed in engines.items():
            start = time.perf_counter()
            embed(ids)
            if round_ >= 0:
                seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(times)) for name, times in seconds.items()}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("--tokens", type=int, nargs="+", default=list(LENGTHS))
    options.add_argument("--only", nargs="+", help="parts of engine names", default=[""])
    options.add_argument("--json", type=Path)
    args = options.parse_args()
    engines: dict[str, Embed] = {}
    for name, make in (OURS | PEERS).items():
        if any(part.lower() in name.lower() for part in args.only):
            try:
                engines[name] = make()
            except Exception as error:  # a peer that is not installed is left out, and said so
                print(f"left out: {name}: {str(error).splitlines()[0]}", file=sys.stderr)
    reference = engines.get("libtorch float32") or PEERS["libtorch float32"]()
    rows = []
    for n in args.tokens:
        ids = sequence(n)
        times = measure(engines, ids, args.rounds)
        fastest = min((t for name, t in times.items() if name in PEERS), default=float("nan"))
        expected = reference(ids)[0]
        for name, seconds in sorted(times.items(), key=lambda item: item[1]):
            cosine = float(engines[name](ids)[0] @ expected)
            rows.append(
                {"tokens": n, "engine": name, "ms": seconds * 1e3, "ratio": seconds / fastest, "cosine": cosine}
            )
            print(
                f"{n:4} tokens  {name:32} {seconds * 1e3:8.2f} ms  {seconds / fastest:5.2f} x  cosine {cosine:.5f}",
                flush=True,
            )
        print()
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
