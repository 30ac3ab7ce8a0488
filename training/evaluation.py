"""How well vectors alone find what is asked for, for a look while a model is trained.

    python -m training.evaluation OUT.jsonl.xz NAME=DIR…

DIR has repos/ and queries.json, as benchmarks.functions makes them. A line of OUT is a repository: its passages, and
its questions with the numbers of the passages that answer.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.pool import Pool
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.tokens import Rows, tokenize

if TYPE_CHECKING:
    from training.bert import Bert

# Passages to compare with in a repository, beside those that answer.
MOST_PASSAGES = 1500
FIRST = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", nargs="+", help="NAME=DIR")
    arguments = parser.parse_args()
    with lzma.open(arguments.out, "wt", preset=6) as out:
        for data in arguments.data:
            name, _, folder = data.partition("=")
            for repository in repositories(name, Path(folder)):
                out.write(json.dumps(repository, ensure_ascii=False) + "\n")


def repositories(name: str, folder: Path) -> list[dict[str, Any]]:
    """Return the passages and questions of each repository below a folder."""
    queries: dict[str, list[dict[str, Any]]] = {}
    for query in json.loads((folder / "queries.json").read_text()):
        if query.get("part") == "judge":  # not for a choice between models
            continue
        queries.setdefault(query["repo"], []).append(query)
    return [_repository(name, folder / "repos" / repository, asked) for repository, asked in sorted(queries.items())]


def _repository(name: str, root: Path, queries: list[dict[str, Any]]) -> dict[str, Any]:
    from indexer.chunking.cutting import cut_file
    from indexer.meaning.passages import passage
    from indexer.source.verdict import Selection, Verdicts
    from kuberian.git.repository import Repository
    from kuberian.store.texts import lines_of, slice_lines

    repository = Repository(root)
    verdicts = Verdicts(repository, repository.resolve("HEAD"), Selection(1_000_000))
    chunks: list[tuple[str, int, int, str]] = []
    for file in verdicts.files:
        verdict = verdicts.of(file)
        content = None if verdict.skipped else repository.read(file)
        if content is None:
            continue
        cut = cut_file(file.path, content[0], verdict.reading)
        lines = lines_of(cut.text)
        for chunk in cut.chunks:
            code = slice_lines(lines, chunk.start_line, chunk.end_line)
            chunks.append((file.path, chunk.start_line, chunk.end_line, passage(chunk, code)[:1200]))
    repository.close()
    targets = [[_answering(chunks, target) for target in query["targets"]] for query in queries]
    needed = {number for query in targets for target in query for number in target}
    others = [number for number in range(len(chunks)) if number not in needed]
    kept = sorted(needed | set(random.Random(root.name).sample(others, min(len(others), MOST_PASSAGES))))
    place = {number: at for at, number in enumerate(kept)}
    return {
        "set": name,
        "group": queries[0].get("language") or root.name,
        "passages": [chunks[number][3] for number in kept],
        "questions": [
            {"text": query["query"], "answers": [[place[number] for number in target] for target in found if target]}
            for query, found in zip(queries, targets, strict=True)
        ],
    }


def _answering(chunks: Sequence[tuple[str, int, int, str]], target: dict[str, Any]) -> list[int]:
    """Return the chunks that hold a target: those with its first line, or all of the file's if it names no lines."""
    start = target.get("start_line")
    return [
        number
        for number, (path, first, last, _) in enumerate(chunks)
        if path == target["path"] and (start is None or first <= start <= last)
    ]


@dataclass(frozen=True)
class Evaluation:
    """Repositories with their passages and questions, tokenized."""

    repositories: list[dict[str, Any]]
    passages: Rows
    questions: Rows

    @classmethod
    def read(cls, file: Path, tokenizer: Path, pool: Pool) -> Evaluation:
        if not file.exists():
            nothing = Rows(np.zeros(1, np.int64), np.empty(0, np.uint16))
            return cls([], nothing, nothing)
        with lzma.open(file, "rt") as lines:
            found = [json.loads(line) for line in lines]
        return cls(
            found,
            tokenize([text for each in found for text in each["passages"]], tokenizer, pool),
            tokenize([question["text"] for each in found for question in each["questions"]], tokenizer, pool),
        )

    def of(self, model: Bert) -> dict[str, Any]:
        """Return MRR, first place, recall and NDCG at 10 of each set: means over groups of the repositories' means."""
        passages, questions = _vectors(model, self.passages), _vectors(model, self.questions)
        measures: dict[str, dict[str, list[np.ndarray]]] = {}
        passage_at = question_at = 0
        for each in self.repositories:
            mine = passages[passage_at : passage_at + len(each["passages"])]
            passage_at += len(each["passages"])
            scores = []
            for question in each["questions"]:
                order = np.argsort(-(mine @ questions[question_at]), kind="stable")[:FIRST].tolist()
                question_at += 1
                scores.append(measure(order, question["answers"]))
            measures.setdefault(each["set"], {}).setdefault(each["group"], []).append(np.mean(scores, axis=0))
        result: dict[str, Any] = {}
        for name, groups in measures.items():
            by_group = {group: np.mean(values, axis=0) for group, values in groups.items()}
            mean = np.mean(list(by_group.values()), axis=0).round(4).tolist()
            result[name] = dict(zip(("mrr", "first", "r@10", "ndcg"), mean, strict=True))
            result[f"{name} by group"] = {group: round(float(value[0]), 3) for group, value in by_group.items()}
        return result


def measure(order: list[int], answers: list[list[int]]) -> list[float]:
    """Return reciprocal rank, first place, recall and NDCG at 10 of an order of passages."""
    ranks = sorted(
        rank
        for rank in (next((at for at, one in enumerate(order, 1) if one in answer), 0) for answer in answers)
        if rank
    )
    ideal = sum(1 / np.log2(rank + 1) for rank in range(1, min(len(answers), FIRST) + 1)) or 1.0
    gain = sum(1 / np.log2(rank + 1) for rank in set(ranks))
    return [1 / ranks[0] if ranks else 0.0, float(ranks[:1] == [1]), float(bool(ranks)), float(gain / ideal)]


def _vectors(model: Bert, rows: Rows) -> np.ndarray:
    import torch

    from training.bert import embed_batch, micro_batches

    parts = [np.empty((0, 384), np.float32)]
    with torch.inference_mode(), torch.autocast("cuda", dtype=torch.bfloat16):
        for start in range(0, len(rows), 8192):
            some = [rows[row] for row in range(start, min(start + 8192, len(rows)))]
            parts.append(embed_batch(model.eval(), list(micro_batches(some, 65_536))).float().cpu().numpy())
    return np.concatenate(parts)


if __name__ == "__main__":
    main()
