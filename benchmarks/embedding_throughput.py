"""Embedding real chunks of a real repository on all cores: how long a first index takes.

    pip install -e '.[bench,onednn]'
    python -m benchmarks.embedding_throughput [REPOSITORY] [--chunks 600] [--json FILE]

REPOSITORY is any git repository (default: this one). Kuberian's encoder as an index run uses it, beside
sentence-transformers on libtorch float32, and ONNX Runtime int8 and OpenVINO int8 in batches of 16 texts of similar
length. Each peer also runs with batches of one, and its better time counts. All embed the same texts, in turn and each
in a process of its own, where no other's threads wait for work; the best time counts, as anything else that runs on the
machine only slows.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.peers import Embed, onnxruntime, openvino, token_ids
from indexer.chunking.cutting import cut_file
from indexer.meaning.passages import passage
from kuberian import Encoder
from kuberian.cores import available_cores
from kuberian.git.repository import Repository
from kuberian.model.checkpoint import BUNDLED
from kuberian.store.texts import lines_of, slice_lines

Run = Callable[[list[str]], np.ndarray]
BATCH = 16


def passages_of(path: str, content: bytes) -> list[str]:
    """Passages of one file, cut as an index run cuts it; none if it is no text."""
    done = cut_file(path, content)
    lines = lines_of(done.text)
    return [passage(c, slice_lines(lines, c.start_line, c.end_line)) for c in done.chunks]


def passages(repository: Path, count: int) -> list[str]:
    """Passages of a repository, in a fixed random order."""
    repo = Repository(repository)
    reads = [(file.path, repo.read(file)) for file in repo.files()]
    found = [text for path, read in reads if read for text in passages_of(path, read[0])]
    random.Random(3).shuffle(found)
    return found[:count]


def sorted_batches(embed: Embed, size: int) -> Run:
    """Embed texts by a peer: tokenized alike, sorted by length, padded within batches of `size`."""

    def run(texts: list[str]) -> np.ndarray:
        sequences = token_ids(texts)
        order = sorted(range(len(texts)), key=lambda i: len(sequences[i]))
        out = np.empty((len(texts), 384), np.float32)
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            width = max(len(sequences[i]) for i in batch)
            ids, mask = np.zeros((2, len(batch), width), np.int64)
            for row, i in enumerate(batch):
                ids[row, : len(sequences[i])] = sequences[i]
                mask[row, : len(sequences[i])] = 1
            out[batch] = embed(ids, mask)
        return out

    return run


def sentence_transformers() -> Run:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(available_cores())
    model = SentenceTransformer(str(BUNDLED), device="cpu", model_kwargs={"dtype": torch.float32})
    return lambda texts: model.encode(texts, batch_size=32, normalize_embeddings=True)


def kuberian(**options: str) -> Run:
    return Encoder(**options).encode  # type: ignore[arg-type]


ENGINES: dict[str, Callable[[], Run]] = {
    "Kuberian int8": lambda: kuberian(precision="int8"),
    "Kuberian float32": lambda: kuberian(precision="float32"),
    "Kuberian MKL float32": lambda: kuberian(precision="float32", engine="mkl"),
    "sentence-transformers float32": sentence_transformers,
    f"ONNX Runtime int8, batches of {BATCH}": lambda: sorted_batches(onnxruntime("int8", available_cores()), BATCH),
    "ONNX Runtime int8, one by one": lambda: sorted_batches(onnxruntime("int8", available_cores()), 1),
    f"OpenVINO int8, batches of {BATCH}": lambda: sorted_batches(openvino("int8", available_cores()), BATCH),
    "OpenVINO int8, one by one": lambda: sorted_batches(openvino("int8", available_cores()), 1),
}


def best_seconds(run: Run, texts: list[str]) -> float:
    """Embed the texts three times; return the best time of the last two."""
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        run(texts)
        taken.append(time.perf_counter() - start)
    return min(taken[1:])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("repository", type=Path, nargs="?", default=Path())
    options.add_argument("--chunks", type=int, default=600)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--json", type=Path)
    options.add_argument("--engine", choices=ENGINES, help="time this one here and print nothing but its seconds")
    args = options.parse_args()
    texts = passages(args.repository, args.chunks)
    if args.engine:
        print(best_seconds(ENGINES[args.engine](), texts))
        return
    tokens = sum(map(len, token_ids(texts)))
    best = dict.fromkeys(ENGINES, float("inf"))
    for _ in range(args.rounds):
        for name in ENGINES:
            command = [sys.executable, "-m", "benchmarks.embedding_throughput", str(args.repository)]
            command += ["--chunks", str(args.chunks), "--engine", name]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            best[name] = min(best[name], float(done.stdout.split()[-1]))
    print(f"{len(texts)} chunks, {tokens} tokens, {available_cores()} cores")
    rows = []
    for name, seconds in sorted(best.items(), key=lambda item: item[1]):
        rows.append({"engine": name, "chunks_per_second": len(texts) / seconds, "tokens_per_second": tokens / seconds})
        print(f"{name:36} {len(texts) / seconds:7.1f} chunks/s {tokens / seconds:9.0f} tokens/s")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
