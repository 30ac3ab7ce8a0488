"""Texts as rows of token ids, many of them without an object for each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from multiprocessing.pool import Pool
from pathlib import Path

import numpy as np

LONGEST = 256
_JOB = 4000


class Rows:
    """Rows of token ids, in one array: row `i` is `ids[starts[i]:starts[i + 1]]`."""

    def __init__(self, starts: np.ndarray, ids: np.ndarray) -> None:
        self.starts, self.ids = starts, ids

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.ids[self.starts[row] : self.starts[row + 1]]


def tokenize(texts: Sequence[str], tokenizer: Path, pool: Pool) -> Rows:
    """Return the token ids of some texts, at most LONGEST of each."""
    jobs = [(str(tokenizer), texts[start : start + _JOB]) for start in range(0, len(texts), _JOB)]
    parts = pool.starmap(_tokenize, jobs, chunksize=1)
    lengths = np.concatenate([np.zeros(1, np.int64), *(part[0] for part in parts)])
    return Rows(np.cumsum(lengths), np.concatenate([np.empty(0, np.uint16), *(part[1] for part in parts)]))


def _tokenize(file: str, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(file)
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST)
    rows = [np.array(encoding.ids, np.uint16) for encoding in tokenizer.encode_batch(list(texts))]
    return np.array([len(row) for row in rows], np.int64), np.concatenate([np.empty(0, np.uint16), *rows])
