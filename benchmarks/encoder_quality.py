"""How far bfloat16 and int8 are from float32, on code that the calibration never saw.

    python -m benchmarks.encoder_quality REPOSITORY [REPOSITORY ...] [--chunks 1000]

Prints, per precision, the mean, the worst hundredth and the least of the cosines between the vectors of one text; for
chunks of the repositories (as many of each), and for texts of 1 to 8 tokens made of their words.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np

from benchmarks.embedding_throughput import passages
from kuberian import Encoder
from kuberian.errors import EngineError


def short_texts(chunks: list[str], count: int) -> list[str]:
    """Runs of 1 to 4 words of the chunks."""
    random_ = random.Random(4)
    words = [word for chunk in chunks for word in chunk.split()[:8] if len(word) < 12]
    return [" ".join(words[(i := random_.randrange(len(words))) : i + 1 + n % 4]) for n in range(count)]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("repositories", type=Path, nargs="+")
    options.add_argument("--chunks", type=int, default=1000)
    args = options.parse_args()
    each = -(-args.chunks // len(args.repositories))
    chunks = [text for repository in args.repositories for text in passages(repository, each)]
    exact = Encoder(precision="float32")
    short = [text for text in short_texts(chunks, 600) if exact.count_tokens([text])[0] <= 8]
    for precision in ("bfloat16", "int8"):
        try:
            encoder = Encoder(precision=precision)
        except EngineError as error:
            print(f"left out: {precision}: {error}")
            continue
        for name, texts in (("chunks", chunks), ("short texts", short)):
            cosines = np.sort((encoder.encode(texts) * exact.encode(texts)).sum(1))
            worst = cosines[len(cosines) // 100]
            print(
                f"{precision:8} {len(texts):4} {name:11} mean {cosines.mean():.5f}, "
                f"99 of 100 above {worst:.4f}, least {cosines[0]:.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
