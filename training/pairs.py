"""Mined shards as pairs to train on: which questions a definition may be asked by, and which of its forms answers.

A record is a row of token-row numbers, -1 where there is none. Each time that it is drawn, one of its questions and
one of its passages are taken (`draw`), so that a model meets code with and without documentation, and names beside
sentences.
"""

from __future__ import annotations

import json
import lzma
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import numpy as np

from training.tokens import Rows, tokenize

# Columns of a record.
REPOSITORY, FILE, SENTENCE, SHORT, SPOKEN, NAME, BARE, FULL, WITHOUT, MASKED, PATH, OUTLINE = range(12)
# Longest questions that are read: the encoder reads 256 tokens, but sentences are short and messages cut.
QUESTION_TOKENS = 96


@dataclass(frozen=True)
class Pairs:
    """Records int64 [n, 12], and the token rows that they name."""

    records: np.ndarray
    rows: Rows


def load(shards: Sequence[Path], tokenizer: Path, pool: Pool) -> Pairs:
    """Read and tokenize mined shards."""
    parts = pool.map(_of_shard, shards, chunksize=1)
    texts: list[str] = []
    records: list[np.ndarray] = []
    repositories: dict[str, int] = {}
    files = 0
    for part_texts, part_records, part_repositories in parts:
        array = np.array(part_records, np.int64).reshape(-1, 12)
        array[:, SENTENCE:] = np.where(array[:, SENTENCE:] >= 0, array[:, SENTENCE:] + len(texts), -1)
        array[:, REPOSITORY] = [repositories.setdefault(name, len(repositories)) for name in part_repositories]
        array[:, FILE] += files
        files = int(array[:, FILE].max()) + 1
        texts += part_texts
        records.append(array)
    return Pairs(np.concatenate(records), tokenize(texts, tokenizer, pool))


def _of_shard(shard: Path) -> tuple[list[str], list[list[int]], list[str]]:
    choose = random.Random(shard.name)
    texts: list[str] = []
    records: list[list[int]] = []
    repositories: list[str] = []

    def row(text: str | None) -> int:
        if not text:
            return -1
        texts.append(text)
        return len(texts) - 1

    for number, file in enumerate(_lines(shard)):
        path, outline = row(file["path"]), row(file["outline"])
        if file["head"]:
            repositories.append(file["repository"])
            head = row(file["head"])
            records.append([0, number, head, -1, -1, -1, -1, -1, -1, -1, path, outline])
        for chunk in file["chunks"]:
            repositories.append(file["repository"])
            records.append([0, number, *(row(text) for text in _forms(chunk, choose)), path, outline])
    return texts, records, repositories


def _forms(chunk: dict[str, Any], choose: random.Random) -> list[str | None]:
    """Return the texts of the columns SENTENCE to MASKED."""
    question, leaf, full = chunk.get("question"), chunk["leaf"], chunk["full"]
    bare = chunk.get("bare", full)
    without = masked = None
    if question and choose.random() < 0.6:
        without = _without(full, question)
    if leaf and len(leaf) > 2 and choose.random() < (0.35 if question else 0.7):
        masked = re.sub(rf"(?<![A-Za-z0-9]){re.escape(leaf)}(?![A-Za-z0-9])", "_", bare)
    return [question, _short(question, leaf), chunk["name"], leaf, bare, full, without, masked]


def _without(full: str, question: str) -> str | None:
    """Return a passage without the sentence that is asked, wherever its lines break; None if it is not there."""
    pattern = r"[\W_]*".join(map(re.escape, re.findall(r"\w+", question)))
    without, count = re.subn(pattern, "", full, count=1)
    return without if count else None


def _short(question: str | None, leaf: str) -> str | None:
    """Return "reads the file" for "ReadFile reads the file"; None for a sentence that does not begin with the name."""
    words = (question or "").split()
    if not leaf or len(words) <= 4 or words[0].strip("`*").split(".")[-1].strip("()") != leaf:
        return None
    return " ".join(words[2:] if words[1] in ("is", "are") else words[1:])


def _lines(shard: Path) -> Iterator[dict[str, Any]]:
    with lzma.open(shard, "rt") as lines:
        for line in lines:
            yield json.loads(line)


def draw(pairs: Pairs, chosen: np.ndarray, choose: np.random.Generator) -> list[tuple[int, int, bool]]:
    """Draw a question and an answer for some records: two token rows, and whether the answer is of the whole file."""
    numbers = choose.random((len(chosen), 2))
    return [_draw(record, kind, form) for record, (kind, form) in zip(pairs.records[chosen], numbers, strict=True)]


def _draw(record: np.ndarray, kind: float, form: float) -> tuple[int, int, bool]:
    def first(*columns: int) -> int:
        return next((int(record[column]) for column in columns if record[column] >= 0), -1)

    name = first(SPOKEN, NAME) if form < 0.6 else first(NAME, SPOKEN)
    if record[BARE] < 0:  # what the head of a file says
        return first(SENTENCE), first(PATH) if form < 0.5 else first(OUTLINE, PATH), True
    if record[SENTENCE] < 0:
        return name, first(MASKED, FULL) if kind < 0.7 else first(FULL), False
    sentence = first(SHORT, SENTENCE) if form < 0.7 else first(SENTENCE)
    if kind < 0.20:
        return sentence, first(WITHOUT, BARE), False
    if kind < 0.33 and name >= 0:
        return name, first(MASKED, BARE) if kind < 0.27 else first(BARE), False
    if kind < 0.38:
        return sentence, first(PATH), True
    if kind < 0.42:
        return sentence, first(OUTLINE, PATH), True
    return sentence, first(BARE), False
