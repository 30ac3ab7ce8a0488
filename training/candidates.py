"""Wrong answers that a search has to tell from the right one: what the encoder finds first for a documented question.

    python -m training.candidates DATA OUT --student DIR

DATA is as for training.train, DIR a checkpoint of the encoder. OUT gets arrays: the records and token rows of
training.pairs, `asked` with the numbers of records that have a question in words, and `found` [asked, MOST] with the
records of the same repository whose code, without documentation, is nearest to the question; -1 where there are none.
Left out are records of the same code, nearly the same code, or the same question.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from training.bert import Bert
from training.pairs import BARE, QUESTION_TOKENS, REPOSITORY, SENTENCE, Pairs, load
from training.tokens import LONGEST, Rows

MOST, LEAST = 48, 4
# Cosine of two passages that are taken for the same one.
SAME = 0.95
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SEPARATOR = 102


@dataclass(frozen=True)
class Candidates:
    """Pairs, with the wrong answers of some records."""

    pairs: Pairs
    asked: np.ndarray
    found: np.ndarray

    @classmethod
    def read(cls, folder: Path) -> Candidates:
        records, starts, ids, asked, found = (
            np.load(folder / f"{name}.npy") for name in ("records", "starts", "ids", "asked", "found")
        )
        return cls(Pairs(records, Rows(starts, ids)), asked, found)

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        rows = self.pairs.rows
        arrays = {"records": self.pairs.records, "starts": rows.starts, "ids": rows.ids}
        for name, array in {**arrays, "asked": self.asked, "found": self.found}.items():
            np.save(folder / f"{name}.npy", array)


class DeviceRows:
    """Token rows on the device, to be made batches of there."""

    def __init__(self, rows: Rows) -> None:
        self.lengths = np.diff(rows.starts)
        self._starts = torch.from_numpy(rows.starts).to(DEVICE)
        self._ids = torch.from_numpy(rows.ids.view(np.int16)).to(DEVICE)  # ids are below 30,522

    def singles(self, rows: np.ndarray, longest: int, tokens: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield rows in pieces of about so many tokens: their places, ids and lengths."""
        lengths = np.minimum(self.lengths[rows], longest)
        for places, width in pieces(lengths, tokens):
            length = _move(lengths[places])[:, None]
            at = torch.arange(width, device=DEVICE)[None]
            ids = self._at(self._starts[_move(rows[places])][:, None] + at)
            ids = torch.where(at == length - 1, SEPARATOR, ids) * (at < length)
            yield _move(places), ids, length[:, 0]

    def couples(
        self, questions: np.ndarray, passages: np.ndarray, longest: tuple[int, int], tokens: int
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Yield questions with passages, "[CLS] question [SEP] passage [SEP]": places, ids, lengths and kinds.

        Each is cut to so many tokens as if it stood alone, its [CLS] and [SEP] counted.
        """
        ends = np.minimum(self.lengths[questions], longest[0])
        lengths = ends + np.minimum(self.lengths[passages], longest[1]) - 1
        for places, width in pieces(lengths, tokens):
            end, length = _move(ends[places])[:, None], _move(lengths[places])[:, None]
            at = torch.arange(width, device=DEVICE)[None]
            asked = self._starts[_move(questions[places])][:, None] + at
            answered = self._starts[_move(passages[places])][:, None] + 1 + at - end
            ids = self._at(torch.where(at < end, asked, answered))
            ids = torch.where((at == end - 1) | (at == length - 1), SEPARATOR, ids) * (at < length)
            yield _move(places), ids, length[:, 0], ((at >= end) & (at < length)).long()

    def _at(self, where: Tensor) -> Tensor:
        return self._ids[where.clamp(max=len(self._ids) - 1)].long()


def pieces(lengths: np.ndarray, tokens: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yield the places of rows of nearly the same length, longest first, and a width that holds them."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        width = -(-int(lengths[order[start]]) // 8) * 8
        count = max(8, tokens // width)
        yield order[start : start + count], width
        start += count


def embed(model: Bert, rows: DeviceRows, which: np.ndarray, longest: int = LONGEST, tokens: int = 131_072) -> Tensor:
    """Return the vectors of some rows, in their order."""
    found = [(places, model(ids, lengths)) for places, ids, lengths in rows.singles(which, longest, tokens)]
    places, vectors = torch.cat([place for place, _ in found]), torch.cat([vector for _, vector in found])
    return vectors[torch.argsort(places)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--student", type=Path, required=True)
    arguments = parser.parse_args()
    with Pool() as pool:
        pairs = load(sorted(arguments.data.glob("part-*.jsonl.xz")), arguments.student / "tokenizer.json", pool)
    student = Bert(load_file(arguments.student / "model.safetensors")).to(DEVICE).eval()
    candidates = find(pairs, student)
    candidates.write(arguments.out)
    some = (candidates.found >= 0).sum(1)
    print(f"{len(candidates.asked):,} questions, {some.mean():.1f} wrong answers each", flush=True)


def find(pairs: Pairs, student: Bert) -> Candidates:
    """Find the wrong answers of all records that have a question in words and code."""
    records, rows = pairs.records, DeviceRows(pairs.rows)
    answers = np.flatnonzero(records[:, BARE] >= 0)
    asked = answers[records[answers, SENTENCE] >= 0]
    answers, asked = (some[np.argsort(records[some, REPOSITORY], kind="stable")] for some in (answers, asked))
    with torch.inference_mode(), torch.autocast(DEVICE, dtype=torch.bfloat16):
        vectors = embed(student, rows, records[answers, BARE])
        questions = embed(student, rows, records[asked, SENTENCE], QUESTION_TOKENS)
    place = np.full(len(records), -1)
    place[answers] = np.arange(len(answers))
    code, words = (_move(_keys(pairs, records[answers, column])) for column in (BARE, SENTENCE))
    found = np.full((len(asked), MOST), -1, np.int32)
    for repository in np.unique(records[asked, REPOSITORY]):
        first, last = np.searchsorted(records[answers, REPOSITORY], (repository, repository + 1))
        begin, end = np.searchsorted(records[asked, REPOSITORY], (repository, repository + 1))
        for start in range(begin, end, 4096):
            chosen = slice(start, min(start + 4096, end))
            mine = _move(place[asked[chosen]])
            similar = (questions[chosen] @ vectors[first:last].T).float()
            wrong = (code[mine][:, None] == code[first:last]) | (words[mine][:, None] == words[first:last])
            wrong |= vectors[mine] @ vectors[first:last].T > SAME
            values, order = similar.masked_fill(wrong, -2).topk(min(MOST, last - first))
            order = torch.where(values > -1.5, order, -1).cpu().numpy()
            found[chosen, : order.shape[1]] = np.where(order >= 0, answers[first:last][order], -1)
    enough = (found >= 0).sum(1) >= LEAST
    return Candidates(pairs, asked[enough], found[enough])


def _keys(pairs: Pairs, rows: np.ndarray) -> np.ndarray:
    """Return numbers that are equal for equal token rows, and unique where there is no row."""
    return np.array([hash(pairs.rows[row].tobytes()) if row >= 0 else at for at, row in enumerate(rows)], np.int64)


def _move(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(DEVICE, non_blocking=True)


if __name__ == "__main__":
    main()
