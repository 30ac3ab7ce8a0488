"""One sequence on one core: Kuberian's engines beside libtorch, ONNX Runtime and OpenVINO.

    pip install -e '.[bench,onednn]'
    python -m benchmarks.encoder [--rounds 30] [--tokens 16 64 150 256 512] [--only NAME ...] [--json FILE]

All run in one process, pinned to one core, on the same token ids of real code, one after the other within each
round: whatever else the machine does hits all alike. Printed: the median of the rounds in ms and its ratio to the
fastest peer's; the least and its ratio, which is what to believe where the machine is busy; the cosine to libtorch
float32.
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
    from kuberian.model.bert import pool
    from kuberian.model.checkpoint import BUNDLED, QUANTIZED, open_checkpoint
    from kuberian.model.engines.choose import make_engine

    made, _ = make_engine(open_checkpoint(), precision, engine, BUNDLED / QUANTIZED)
    worker = made.worker()
    return lambda ids: pool(worker.token_vectors([list(row) for row in ids]), "mean")


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


def measure(engines: dict[str, Embed], ids: np.ndarray, rounds: int) -> dict[str, tuple[float, float]]:
    """Median and least ms of each engine, interleaved; a third more rounds come first, to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for round_ in range(-max(3, rounds // 3), rounds):
        for name, embed in engines.items():
            start = time.perf_counter()
            embed(ids)
            if round_ >= 0:
                seconds[name].append(time.perf_counter() - start)
    return {name: (1e3 * float(np.median(times)), 1e3 * min(times)) for name, times in seconds.items()}


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
        peers = [times[name] for name in times if name in PEERS] or [(float("nan"), float("nan"))]
        fastest = min(median for median, _ in peers), min(least for _, least in peers)
        expected = reference(ids)[0]
        for name, (median, least) in sorted(times.items(), key=lambda item: item[1]):
            row = {
                "tokens": n,
                "engine": name,
                "ms": median,
                "ratio": median / fastest[0],
                "least_ms": least,
                "least_ratio": least / fastest[1],
                "cosine": float(engines[name](ids)[0] @ expected),
            }
            rows.append(row)
            print(
                f"{n:4} tokens  {name:32} {median:8.2f} ms {row['ratio']:5.2f} x   least {least:8.2f} ms "
                f"{row['least_ratio']:5.2f} x   cosine {row['cosine']:.5f}",
                flush=True,
            )
        print()
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
