"""Train a second stage that reads a question and a passage together, and measure it behind the encoder.

    python -m training.rerank CANDIDATES OUT --student DIR --layers 0,1 --minutes 4 [--teacher FILE] [--frozen]

A cross-encoder (Nogueira and Cho, 2019) of a few of the encoder's layers reads "[CLS] question [SEP] passage [SEP]".
Its score is linear in [CLS], the mean of the question's tokens and the mean of the passage's. The loss is a softmax
over the right passage and the encoder's best wrong ones of the same repository (training.candidates), as Gao et al.
train ("Rethink training of BERT rerankers", 2021); with a teacher mostly its distribution (Hinton et al., 2015). With
`--frozen` the word embeddings stay the student's, and OUT.safetensors (float16) is without them.

The two layers at hand were made with teachers of four and six layers, on an H200:

    A --student DIR --layers 0,1,2,3 --minutes 2.9 --frozen
    B --student DIR --start kuberian/checkpoints/all-MiniLM-L6-v2 --layers 0,1,2,3,4,5 --minutes 5.1
    C --student DIR --layers 0,1 --minutes 7 --rate 3e-4 --frozen --teacher A.safetensors --teacher B.safetensors

CANDIDATES/evaluation.jsonl.xz is measured: the encoder's best in each repository ordered anew, by
score + weight · cosine, for several lengths of passages. The weight is chosen on half of the languages for the other.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from training.bert import Bert
from training.candidates import DEVICE, Candidates, DeviceRows, embed
from training.evaluation import Evaluation, measure
from training.pairs import BARE, FULL, NAME, SENTENCE, SHORT, SPOKEN, WITHOUT
from training.tokens import Rows

WORDS = "embeddings.word_embeddings.weight"
LIST, QUESTIONS = 16, 64
# Tokens read of a question, and of a passage: in training one of these for each step.
ASKED = 48
LENGTHS = (64, 96, 128, 192)
MICRO_TOKENS = 65_536
WARM_UP = 0.03
# Shares of the draws that are of documented code, and of names.
DOCUMENTED, NAMED = 0.2, 0.1
# Passages to order anew, and weights of the cosine.
DEPTHS = (20, 50)
WEIGHTS = (0.0, 2.0, 4.0, 7.0, 10.0, 14.0, 20.0, 30.0, 50.0)


class CrossEncoder(nn.Module):
    """An encoder and a linear head."""

    def __init__(self, bert: Bert, head: Tensor | None = None) -> None:
        super().__init__()
        self.bert = bert
        dimension = bert.tensors()[WORDS].shape[1]
        self.head = nn.Parameter(0.02 * torch.randn(3 * dimension) if head is None else head.float())

    @classmethod
    def read(cls, file: Path, words: Tensor) -> CrossEncoder:
        """Read a saved one, with the student's word embeddings if it has none."""
        tensors = {WORDS: words, **load_file(file)}
        return cls(Bert(tensors), tensors["head"]).to(DEVICE)

    def forward(self, ids: Tensor, lengths: Tensor, kinds: Tensor) -> Tensor:
        """Return a score for each row."""
        hidden, mask = self.bert.hidden(ids, lengths, kinds)
        answered = kinds.float()
        asked = mask.float() - answered
        means = [(hidden.float() * one[..., None]).sum(1) / one.sum(1, keepdim=True) for one in (asked, answered)]
        return torch.cat([hidden[:, 0].float(), *means], 1) @ self.head

    def score(self, rows: DeviceRows, questions: np.ndarray, passages: np.ndarray, longest: int) -> Tensor:
        """Return the scores of questions with passages, given as token rows."""
        batches = rows.couples(questions, passages, (ASKED, longest), MICRO_TOKENS)
        found = [(places, self(ids, lengths, kinds)) for places, ids, lengths, kinds in batches]
        places, scores = torch.cat([place for place, _ in found]), torch.cat([score for _, score in found])
        return scores[torch.argsort(places)]

    def save(self, file: Path, *, words: bool) -> None:
        tensors = {**self.bert.tensors(), "head": self.head.detach()}
        kept = {name: value for name, value in tensors.items() if words or name != WORDS}
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: value.half().cpu().contiguous() for name, value in kept.items()}, file)


@dataclass(frozen=True)
class Lists:
    """Token rows of questions [n], and of passages [n, LIST], the right one first, and which of them there are."""

    questions: np.ndarray
    passages: np.ndarray
    there: np.ndarray


def draw(candidates: Candidates, chosen: np.ndarray, choose: np.random.Generator) -> Lists:
    """Draw a question, its answer and wrong answers, all with their documentation or all without it."""
    records, found = candidates.pairs.records, candidates.found[chosen]
    right = records[candidates.asked[chosen]]
    form, name, short = choose.random((3, len(chosen)))
    documented = np.where(right[:, NAME] < 0, right[:, FULL], right[:, WITHOUT])  # messages of commits have no name
    full = (form < DOCUMENTED) & (documented >= 0)
    spoken = np.where((short < 0.5) & (right[:, SPOKEN] >= 0), right[:, SPOKEN], right[:, NAME])
    named = ~full & (name < NAMED) & (spoken >= 0)
    sentence = np.where((short < 0.7) & (right[:, SHORT] >= 0), right[:, SHORT], right[:, SENTENCE])
    order = np.argsort(choose.random(found.shape) + 2 * (found < 0), axis=1)[:, : LIST - 1]
    taken = np.take_along_axis(found, order, 1)
    wrong = records[np.maximum(taken, 0)]
    passages = np.concatenate(
        [
            np.where(full, documented, right[:, BARE])[:, None],
            np.where(full[:, None], wrong[..., FULL], wrong[..., BARE]),
        ],
        axis=1,
    )
    return Lists(
        np.where(named, spoken, sentence),
        passages,
        np.concatenate([np.ones((len(chosen), 1), bool), taken >= 0], axis=1),
    )


def scores_of(models: Sequence[CrossEncoder], rows: DeviceRows, lists: Lists, longest: int) -> list[Tensor]:
    """Return each model's scores [n, LIST], very low for what is not there."""
    questions, passages = np.repeat(lists.questions, LIST), lists.passages.reshape(-1)
    missing = torch.from_numpy(~lists.there).to(DEVICE)
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        scores = [model.score(rows, questions, passages, longest).view(-1, LIST) for model in models]
    return [score.masked_fill(missing, -1e4) for score in scores]


def train(
    model: CrossEncoder,
    candidates: Candidates,
    minutes: float,
    rate: float,
    teachers: Sequence[CrossEncoder] = (),
    *,
    frozen: bool = False,
    seed: int = 0,
) -> CrossEncoder:
    """Train for some minutes; the rate falls with the clock."""
    rows, choose = DeviceRows(candidates.pairs.rows), np.random.default_rng(seed)
    model.bert.weights[WORDS.replace(".", "/")].requires_grad_(not frozen)
    optimizer = torch.optim.AdamW(
        [value for value in model.parameters() if value.requires_grad], lr=rate, weight_decay=0.01, betas=(0.9, 0.98)
    )
    started, step, order = time.monotonic(), 0, np.empty(0, np.int64)
    losses: list[Tensor] = []
    while (share := (time.monotonic() - started) / (60 * minutes)) < 1:
        if len(order) < QUESTIONS:
            order = choose.permutation(len(candidates.asked))
        chosen, order = order[:QUESTIONS], order[QUESTIONS:]
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, share / WARM_UP + 1e-3) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
        lists, longest = draw(candidates, chosen, choose), int(choose.choice(LENGTHS))
        (scores,) = scores_of([model], rows, lists, longest)
        loss = functional.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long, device=DEVICE))
        if teachers:
            with torch.no_grad():
                wanted = torch.stack(scores_of(teachers, rows, lists, longest)).mean(0).softmax(1)
            loss = 0.3 * loss + 0.7 * functional.kl_div(scores.log_softmax(1), wanted, reduction="batchmean")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.detach())
        step += 1
        if step % 500 == 0 or step == 10:
            seconds, epochs = time.monotonic() - started, step * QUESTIONS / len(candidates.asked)
            mean = torch.stack(losses[-200:]).mean()
            print(f"step {step} epoch {epochs:.2f} loss {mean:.4f} after {seconds:.0f} s", flush=True)
    print(f"{step} steps, {step * QUESTIONS / len(candidates.asked):.2f} epochs", flush=True)
    return model.eval()


class FirstStage:
    """What the encoder finds first for the questions of an evaluation."""

    def __init__(self, evaluation: Evaluation, student: Bert) -> None:
        self.repositories = evaluation.repositories
        passages, questions = evaluation.passages, evaluation.questions
        self._rows = DeviceRows(
            Rows(
                np.concatenate([passages.starts, passages.starts[-1] + questions.starts[1:]]),
                np.concatenate([passages.ids, questions.ids]),
            )
        )
        with torch.inference_mode(), torch.autocast(DEVICE, dtype=torch.bfloat16):
            vectors = embed(student.eval(), self._rows, np.arange(len(passages) + len(questions))).float().cpu().numpy()
        depth = max(DEPTHS)
        self.found, self.cosines = np.zeros((len(questions), depth), np.int64), np.zeros((len(questions), depth))
        self._first = np.zeros(len(questions), np.int64)
        passage_at = question_at = 0
        for each in self.repositories:
            mine = vectors[passage_at : passage_at + len(each["passages"])]
            for _ in each["questions"]:
                cosines = mine @ vectors[len(passages) + question_at]
                order = np.argsort(-cosines, kind="stable")[:depth]
                self.found[question_at, : len(order)] = order
                self.cosines[question_at] = -9
                self.cosines[question_at, : len(order)] = cosines[order]
                self._first[question_at] = passage_at
                question_at += 1
            passage_at += len(each["passages"])
        self._passages = len(passages)

    def score(self, model: CrossEncoder, longest: int) -> np.ndarray:
        """Return the second stage's scores of what was found."""
        count, depth = self.found.shape
        questions = np.repeat(np.arange(count) + self._passages, depth)
        with torch.inference_mode(), torch.autocast(DEVICE, dtype=torch.bfloat16):
            scores = model.score(self._rows, questions, (self.found + self._first[:, None]).reshape(-1), longest)
        return np.where(self.cosines < -1, -1e4, scores.float().cpu().numpy().reshape(count, depth))

    def measures(self, scores: np.ndarray, depth: int) -> dict[str, dict[str, np.ndarray]]:
        """Return the means of each set's groups, if the first so many are ordered by these scores."""
        order = np.concatenate(
            [
                np.argsort(-scores[:, :depth], axis=1, kind="stable"),
                np.tile(np.arange(depth, scores.shape[1]), (len(scores), 1)),
            ],
            axis=1,
        )
        ordered, at = np.take_along_axis(self.found, order, 1)[:, :10].tolist(), 0
        result: dict[str, dict[str, list[np.ndarray]]] = {}
        for each in self.repositories:
            mine = [
                measure(ordered[at + number], question["answers"]) for number, question in enumerate(each["questions"])
            ]
            at += len(mine)
            result.setdefault(each["set"], {}).setdefault(each["group"], []).append(np.mean(mine, axis=0))
        return {
            name: {group: np.mean(values, axis=0) for group, values in groups.items()}
            for name, groups in result.items()
        }

    def report(self, model: CrossEncoder) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return MRR, first place, recall and NDCG at 10 for each length and depth, and all scores."""
        result: dict[str, Any] = {"vectors alone": _overall(self.measures(self.cosines, 1))}
        every = {"found": self.found, "cosines": self.cosines}
        for longest in LENGTHS:
            every[str(longest)] = scores = self.score(model, longest)
            for depth in DEPTHS:
                tried = [self.measures(scores + weight * self.cosines, depth) for weight in WEIGHTS]
                result[f"{longest} tokens, first {depth}"] = _two_fold(tried)
        return result, every


def _two_fold(tried: list[dict[str, dict[str, np.ndarray]]]) -> dict[str, Any]:
    """Choose a weight on every other group of the functions for the rest; of all of them for the other sets."""
    groups = sorted(tried[0]["functions"])
    halves = groups[::2], groups[1::2]
    best = [
        int(np.argmax([np.mean([one["functions"][group][0] for group in half]) for one in tried]))
        for half in (*halves, groups)
    ]
    functions = {group: tried[best[1 - side]]["functions"][group] for side in (0, 1) for group in halves[side]}
    others = {name: values for name, values in tried[best[2]].items() if name != "functions"}
    return {
        "weights": [WEIGHTS[number] for number in best],
        **_overall({"functions": functions, **others}),
        "by weight": [[round(float(np.mean(list(v.values()), 0)[0]), 3) for v in one.values()] for one in tried],
    }


def _overall(measures: dict[str, dict[str, np.ndarray]]) -> dict[str, list[float]]:
    return {name: np.mean(list(groups.values()), axis=0).round(4).tolist() for name, groups in measures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("candidates", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--student", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="checkpoint to take layers of, if not the student")
    parser.add_argument("--layers", default="0,1")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--teacher", type=Path, action="append", default=[], help="a deeper one; several are averaged")
    parser.add_argument("--frozen", action="store_true")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    candidates = Candidates.read(arguments.candidates)
    with Pool(4) as pool:
        evaluation = Evaluation.read(
            arguments.candidates / "evaluation.jsonl.xz", arguments.student / "tokenizer.json", pool
        )
    tensors = load_file(arguments.student / "model.safetensors")
    first = FirstStage(evaluation, Bert(tensors).to(DEVICE))
    teachers = [CrossEncoder.read(file, tensors[WORDS]).eval() for file in arguments.teacher]
    start = load_file(arguments.start / "model.safetensors") if arguments.start else tensors
    model = CrossEncoder(Bert(start, [int(layer) for layer in arguments.layers.split(",")])).to(DEVICE)
    train(model, candidates, arguments.minutes, arguments.rate, teachers, frozen=arguments.frozen)
    model.save(arguments.out.with_suffix(".safetensors"), words=not arguments.frozen)
    result, scores = first.report(model)
    np.savez_compressed(arguments.out.with_suffix(".npz"), **scores)
    for name, values in result.items():
        print(arguments.out.name, name, values, flush=True)


if __name__ == "__main__":
    main()
