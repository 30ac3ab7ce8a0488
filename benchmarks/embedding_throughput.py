"""Embedding real chunks of a real repository on all cores: how long a first index takes.

    pip install -e '.[bench,onednn]'
    python -m benchmarks.embedding_throughput [REPOSITORY] [--chunks 600] [--json FILE]

REPOSITORY is any git repository (default: this one). Kuberian's encoder as an index run uses it, beside
sentence-transformers on libtorch float32, and ONNX Runtime int8 and OpenVINO int8 in batches of 16 texts of similar
length. Each peer also runs with batches of one, and its better time counts. All embed the same texts, twice, in turn;
the better time counts, as anything else that runs on the machine only slows.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.peers import Embed, onnxruntime, openvino, token_ids
from indexer.chunks import cut
from indexer.contents import Text, read_text
from indexer.languages import detect
from indexer.passages import passage
from indexer.repository import Repository
from kuberian import Encoder
from kuberian.checkpoint import BUNDLED
from kuberian.cores import available_cores

Run = Callable[[list[str]], np.ndarray]
BATCH = 16


def passages_of(path: str, content: bytes) -> list[str]:
    """Passages of one file, cut as an index run cuts it; none if it is no text."""
    text = read_text(path, content)
    if not isinstance(text, Text):
        return []
    lines, language = text.text.splitlines(), detect(path, text.text[:200])
    return [
        passage(chunk, "\n".join(lines[chunk.start_line - 1 : chunk.end_line]), language)
        for chunk in cut(text.text, language)
    ]


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


def engines() -> dict[str, Run]:
    cores = available_cores()
    ort, vino = onnxruntime("int8", cores), openvino("int8", cores)
    return {
        "Kuberian int8": Encoder(precision="int8").encode,
        "Kuberian float32": Encoder(precision="float32").encode,
        "Kuberian MKL float32": Encoder(precision="float32", engine="mkl").encode,
        "sentence-transformers float32": sentence_transformers(),
        f"ONNX Runtime int8, batches of {BATCH}": sorted_batches(ort, BATCH),
        "ONNX Runtime int8, one by one": sorted_batches(ort, 1),
        f"OpenVINO int8, batches of {BATCH}": sorted_batches(vino, BATCH),
        "OpenVINO int8, one by one": sorted_batches(vino, 1),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("repository", type=Path, nargs="?", default=Path())
    options.add_argument("--chunks", type=int, default=600)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--json", type=Path)
    args = options.parse_args()
    texts = passages(args.repository, args.chunks)
    tokens = sum(map(len, token_ids(texts)))
    runs = engines()
    best = dict.fromkeys(runs, float("inf"))
    for run in runs.values():
        run(texts[:32])
    for _ in range(args.rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run(texts)
            best[name] = min(best[name], time.perf_counter() - start)
    print(f"{len(texts)} chunks, {tokens} tokens, {available_cores()} cores")
    rows = []
    for name, seconds in sorted(best.items(), key=lambda item: item[1]):
        rows.append({"engine": name, "chunks_per_second": len(texts) / seconds, "tokens_per_second": tokens / seconds})
        print(f"{name:36} {len(texts) / seconds:7.1f} chunks/s {tokens / seconds:9.0f} tokens/s")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
